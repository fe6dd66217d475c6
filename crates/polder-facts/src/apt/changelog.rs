//! A vendor's changelog: what an update closes, and since when it could have been had.

use super::release::parse_date;
use polder_model::facts::Fix;
use polder_model::version::deb;

/// Reads what stands above the entry of the `installed` version (deb-changelog(5)).
///
/// None when no newer entry has a date.
pub fn parse_changelog(text: &str, installed: &str) -> Option<Fix> {
    let mut cves = Vec::new();
    let mut since = None;
    let mut newer = false;
    for line in text.lines() {
        if let Some(version) = entry_version(line) {
            newer = deb::compare(version, installed).is_gt();
        } else if newer {
            if let Some((_, date)) = line.strip_prefix(" -- ").and_then(|it| it.rsplit_once(">  "))
            {
                // Entries go back in time, so the last one seen is the first update missed.
                since = parse_date(date).or(since);
            }
            collect_cves(line, &mut cves);
        }
    }
    cves.sort();
    cves.dedup();
    since.map(|since| Fix { cves, since })
}

/// `source (version) suite; urgency=...`
fn entry_version(line: &str) -> Option<&str> {
    if line.starts_with([' ', '\t']) {
        return None;
    }
    let (_, rest) = line.split_once(" (")?;
    let (version, rest) = rest.split_once(')')?;
    rest.contains(';').then_some(version)
}

fn collect_cves(line: &str, cves: &mut Vec<String>) {
    for (at, _) in line.match_indices("CVE-") {
        let rest = line.get(at + 4..).unwrap_or_default();
        let year: String = rest.chars().take_while(char::is_ascii_digit).collect();
        let Some(number) = rest.get(year.len()..).and_then(|it| it.strip_prefix('-')) else {
            continue;
        };
        let number: String = number.chars().take_while(char::is_ascii_digit).collect();
        if year.len() == 4 && (4..=7).contains(&number.len()) {
            cves.push(format!("CVE-{year}-{number}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polder_model::Timestamp;

    #[test]
    fn only_entries_above_the_installed_version_count() {
        let text = "tool (1.2-1+deb12u3) bookworm-security; urgency=high\n\n  * CVE-2026-2222: three\n\n -- A <a@example.org>  Fri, 02 Jan 2026 00:00:00 +0000\n\ntool (1.2-1+deb12u2) bookworm; urgency=medium\n\n  * Fix CVE-2025-1111.\n\n -- A <a@example.org>  Thu, 01 Jan 2026 00:00:00 +0000\n\ntool (1.2-1+deb12u1) bookworm; urgency=medium\n\n  * CVE-2024-9999\n\n -- A <a@example.org>  Wed, 01 Jan 2025 00:00:00 +0000\n";
        let fix = parse_changelog(text, "1.2-1+deb12u1").unwrap();
        assert_eq!(fix.cves, ["CVE-2025-1111", "CVE-2026-2222"]);
        assert_eq!(fix.since, Timestamp(1_767_225_600));
        assert_eq!(parse_changelog(text, "1.3"), None);
    }
}
