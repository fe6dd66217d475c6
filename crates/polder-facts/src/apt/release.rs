//! Release files of an archive: who it is, how old, how long it may be trusted, how long its indices are.

use super::stanza::parse_chosen;
use polder_model::{Timestamp, printable_str};
use std::collections::BTreeMap;

/// Lists of what the archive has, a line for each file.
const SUMS: [&str; 4] = ["MD5Sum", "SHA1", "SHA256", "SHA512"];

/// What a release file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Release {
    /// `Origin`.
    pub origin: String,
    /// `Label`.
    pub label: String,
    /// `Suite`.
    pub suite: String,
    /// `Codename`.
    pub codename: String,
    /// `Version`.
    pub version: String,
    /// `Date`.
    pub date: Option<Timestamp>,
    /// `Valid-Until`.
    pub valid_until: Option<Timestamp>,
    /// `NotAutomatic: yes`.
    pub not_automatic: bool,
    /// `ButAutomaticUpgrades: yes`.
    pub but_automatic_upgrades: bool,
    /// Length of each index of packages, uncompressed and compressed, by its path below the suite.
    pub bytes: BTreeMap<String, u64>,
}

/// Reads `InRelease` or `Release`; the signature around it is not checked here.
pub fn parse_release(text: &str) -> Release {
    // The signed text begins after the blank line that ends the armor's own headers (RFC 4880, 7).
    let body = match text.strip_prefix("-----BEGIN PGP SIGNED MESSAGE-----") {
        Some(rest) => rest.split_once("\n\n").map_or("", |(_, body)| body),
        None => text,
    };
    let body = body.split("\n-----BEGIN PGP SIGNATURE-----").next().unwrap_or_default();
    let (stanzas, _) = parse_chosen(body, |name| !SUMS.contains(&name));
    let Some(stanza) = stanzas.first() else { return Release::default() };
    let get = |name: &str| printable_str(stanza.get(name));
    // Thousands of lines, of which few are about packages: they are not gathered first.
    let sums = body.lines().skip_while(|line| line.trim_end() != "SHA256:").skip(1);
    let sums = sums.take_while(|line| line.starts_with(' '));
    let bytes = sums.filter(|line| line.contains("/Packages")).filter_map(|line| {
        let mut words = line.split_ascii_whitespace().skip(1);
        let bytes = words.next()?.parse().ok()?;
        Some((words.next()?.to_string(), bytes))
    });
    Release {
        origin: get("Origin"),
        label: get("Label"),
        suite: get("Suite"),
        codename: get("Codename"),
        version: get("Version"),
        date: parse_date(stanza.get("Date")),
        valid_until: parse_date(stanza.get("Valid-Until")),
        not_automatic: stanza.get("NotAutomatic") == "yes",
        but_automatic_upgrades: stanza.get("ButAutomaticUpgrades") == "yes",
        bytes: bytes.collect(),
    }
}

/// The start of a day in UTC, written YYYY-MM-DD.
pub(crate) fn parse_day(text: &str) -> Option<Timestamp> {
    let date: jiff::civil::Date = text.parse().ok()?;
    let zoned = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Timestamp(zoned.timestamp().as_second()))
}

/// A date as RFC 2822 writes it; archives write `UTC` for the zone.
pub fn parse_date(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let text = text.strip_suffix("UTC").map_or_else(|| text.to_string(), |it| format!("{it}+0000"));
    let zoned = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(&text).ok()?;
    Some(Timestamp(zoned.as_second()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_release_file_gives_its_dates_and_lengths() {
        let text = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nOrigin: Debian\nSuite: stable-security\nDate: Sat, 21 Nov 2026 00:53:11 UTC\nValid-Until: Sat, 28 Nov 2026 00:53:11 UTC\nSHA256:\n abc 42 main/binary-amd64/Packages\n-----BEGIN PGP SIGNATURE-----\nX: y\n";
        let release = parse_release(text);
        assert_eq!(release.origin, "Debian");
        assert_eq!(release.date, Some(Timestamp(1_795_222_391)));
        assert_eq!(release.bytes.get("main/binary-amd64/Packages"), Some(&42));
    }
}
