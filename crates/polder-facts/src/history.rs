//! Past upgrades, as the package manager logged them.

use crate::reading::{not_looked, partial, text_up_to};
use jiff::tz::TimeZone;
use polder_host::{ErrorKind, Host, HostError};
use polder_model::facts::Upgrade;
use polder_model::{Coverage, Table, Timestamp, printable_str};
use std::io::Read;

/// Largest log read, uncompressed.
const LOG_BYTES_MAX: u64 = 64 << 20;

/// Older logs that are read: two years of months.
const OLDER_MAX: u32 = 24;

/// Logs in the form of dpkg and in that of dnf.
const LOGS: [&str; 2] = ["/var/log/dpkg.log", "/var/log/dnf.rpm.log"];

/// Most upgrades kept, the newest ones.
const UPGRADES_MAX: usize = 20_000;

/// Upgrades in the current logs and the older ones beside them.
pub fn look(host: &dyn Host) -> Table<Upgrade> {
    let zone = zone(host);
    let (mut rows, mut seen, mut unread) = (Vec::new(), 0, None);
    for log in LOGS {
        for text in logs(host, log, &mut unread) {
            seen += 1;
            rows.append(&mut match log == LOGS[0] {
                true => parse_dpkg_log(&text, &zone),
                false => parse_dnf_log(&text),
            });
        }
    }
    rows.sort_by(|a, b| (a.when, &a.name).cmp(&(b.when, &b.name)));
    let surplus = rows.len().saturating_sub(UPGRADES_MAX);
    rows.drain(..surplus);
    let first = rows.first().and_then(|it| jiff::Timestamp::from_second(it.when.0).ok());
    let coverage = match (seen, unread, first) {
        (0, Some(error), _) => not_looked(&error, "past upgrades"),
        (0, None, _) => Coverage::not_looked("no log of dpkg or dnf is there"),
        (_, Some(error), _) => partial(&error, "past upgrades"),
        (_, None, Some(first)) => {
            Coverage::partial(format!("the logs reach back to {}", first.strftime("%Y-%m-%d")))
        }
        (_, None, None) => Coverage::partial("the logs that are left name no upgrade"),
    };
    Table::with(coverage, rows)
}

/// A log and the older ones beside it, plain or compressed by logrotate, as far as there are any.
fn logs(host: &dyn Host, log: &str, unread: &mut Option<HostError>) -> Vec<String> {
    let mut found = Vec::new();
    for number in 0..=OLDER_MAX {
        let plain = match number {
            0 => log.to_string(),
            number => format!("{log}.{number}"),
        };
        let text = match text_up_to(host, &plain, LOG_BYTES_MAX) {
            Err(error) if is_absent(&error) && number > 0 => {
                compressed(host, &format!("{plain}.gz"))
            }
            read => read,
        };
        match text {
            Ok(text) => found.push(text),
            // The current log may have been moved aside a moment ago.
            Err(error) if is_absent(&error) && number == 0 => {}
            Err(error) if is_absent(&error) => break,
            Err(error) => {
                unread.get_or_insert(error);
            }
        }
    }
    found
}

/// Whether there is no such log, or a recording was made without it.
fn is_absent(error: &HostError) -> bool {
    matches!(error.kind, ErrorKind::NotFound | ErrorKind::NotRecorded)
}

fn compressed(host: &dyn Host, path: &str) -> Result<String, HostError> {
    let bytes = host.read(path.as_ref(), LOG_BYTES_MAX)?;
    let mut text = Vec::new();
    let reader = flate2::read::MultiGzDecoder::new(&bytes[..]);
    let read = reader.take(LOG_BYTES_MAX).read_to_end(&mut text);
    read.map_err(|error| HostError::new(ErrorKind::Other, path, error.to_string()))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Reads the lines `DATE SUBDEBUG Upgrade: NEW` and `Upgraded: OLD` of dnf; packages are
/// `name-[epoch:]version-release.architecture`.
pub fn parse_dnf_log(text: &str) -> Vec<Upgrade> {
    let mut found: Vec<Upgrade> = Vec::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let (Some(date), Some(_), Some(verb), Some(package)) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            continue;
        };
        let package = package.rsplit_once('.').map_or(package, |it| it.0);
        let mut parts = package.rsplitn(3, '-');
        let (Some(release), Some(version), Some(name)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let version = printable_str(&format!("{version}-{release}"));
        // Zones stand without a colon: `+0100`.
        let date = match date.len() {
            24 => format!("{}:{}", date.get(..22).unwrap_or(""), date.get(22..).unwrap_or("")),
            _ => date.to_string(),
        };
        let Ok(when) = date.parse::<jiff::Timestamp>() else { continue };
        match verb {
            "Upgrade:" => found.push(Upgrade {
                when: Timestamp(when.as_second()),
                name: printable_str(name),
                from: String::new(),
                to: version,
            }),
            "Upgraded:" => {
                let mut open = found.iter_mut().rev().take(5_000);
                if let Some(it) = open.find(|it| it.name == name && it.from.is_empty()) {
                    it.from = version;
                }
            }
            _ => {}
        }
    }
    // Without the line of the old version nothing is known of the change.
    found.retain(|it| !it.from.is_empty());
    found
}

/// The zone of the host, by what `/etc/localtime` leads to; else that of Greenwich.
fn zone(host: &dyn Host) -> TimeZone {
    let target = host.read_link("/etc/localtime".as_ref()).ok();
    let target = target.as_deref().and_then(std::path::Path::to_str);
    let name = target.and_then(|it| it.split_once("zoneinfo/")).map(|it| it.1);
    name.and_then(|it| TimeZone::get(it).ok()).unwrap_or(TimeZone::UTC)
}

/// Reads the lines `DATE TIME upgrade PACKAGE:ARCH FROM TO`. dpkg writes local time without a zone.
pub fn parse_dpkg_log(text: &str, zone: &TimeZone) -> Vec<Upgrade> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let (date, time) = (words.next()?, words.next()?);
            if words.next()? != "upgrade" {
                return None;
            }
            let name = words.next()?.split(':').next()?;
            let (from, to) = (words.next()?, words.next()?);
            let when: jiff::civil::DateTime = format!("{date}T{time}").parse().ok()?;
            let when = when.to_zoned(zone.clone()).ok()?.timestamp();
            Some(Upgrade {
                when: Timestamp(when.as_second()),
                name: printable_str(name),
                from: printable_str(from),
                to: printable_str(to),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dnf_names_the_new_version_and_then_the_old_one() {
        let text = "2024-03-01T10:00:00+0100 SUBDEBUG Upgrade: openssl-libs-1:3.0.7-27.el9.x86_64\n2024-03-01T10:00:01+0100 SUBDEBUG Upgraded: openssl-libs-1:3.0.7-24.el9.x86_64\n2024-03-01T10:00:02+0100 SUBDEBUG Installed: x-1-1.noarch\ngarbage\n";
        let upgrades = parse_dnf_log(text);
        assert_eq!(upgrades.len(), 1);
        let it = &upgrades[0];
        assert_eq!(
            (&*it.name, &*it.from, &*it.to),
            ("openssl-libs", "1:3.0.7-24.el9", "1:3.0.7-27.el9")
        );
        assert_eq!(it.when.0, 1_709_283_600);
    }

    #[test]
    fn only_upgrades_are_taken_from_the_log() {
        let text = "2026-11-22 18:46:01 install sudo:amd64 <none> 1.9\n2026-11-22 18:46:02 upgrade libc6:amd64 2.36-9 2.36-10\n2026-11-22\n";
        let upgrades = parse_dpkg_log(text, &TimeZone::UTC);
        assert_eq!(upgrades.len(), 1);
        assert_eq!((upgrades[0].name.as_str(), upgrades[0].when.0), ("libc6", 1_795_373_162));
        let berlin = TimeZone::fixed(jiff::tz::offset(1));
        assert_eq!(parse_dpkg_log(text, &berlin)[0].when.0, 1_795_373_162 - 3600);
    }
}
