//! Past upgrades, as dpkg logged them.

use crate::reading::{not_looked, text_up_to};
use polder_host::Host;
use polder_model::facts::Upgrade;
use polder_model::{Coverage, Table, Timestamp, printable_str};

/// Largest log read; older ones are compressed and left alone.
const LOG_BYTES_MAX: u64 = 64 << 20;

/// Most upgrades kept, the newest ones.
const UPGRADES_MAX: usize = 20_000;

/// Upgrades in the current log and the one before it.
pub fn look(host: &dyn Host) -> Table<Upgrade> {
    let mut rows = Vec::new();
    let mut coverage =
        Coverage::partial("logs older than the last two are compressed and not read");
    for path in ["/var/log/dpkg.log.1", "/var/log/dpkg.log"] {
        match text_up_to(host, path, LOG_BYTES_MAX) {
            Ok(text) => rows.append(&mut parse_dpkg_log(&text)),
            Err(error) if error.is_not_found() => {}
            Err(error) => coverage = not_looked(&error, "past upgrades"),
        }
    }
    rows.sort_by(|a, b| (a.when, &a.name).cmp(&(b.when, &b.name)));
    let surplus = rows.len().saturating_sub(UPGRADES_MAX);
    rows.drain(..surplus);
    Table::with(coverage, rows)
}

/// Reads the lines `DATE TIME upgrade PACKAGE:ARCH FROM TO`. dpkg writes local time without a zone.
pub fn parse_dpkg_log(text: &str) -> Vec<Upgrade> {
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
            let when = when.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
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
    fn only_upgrades_are_taken_from_the_log() {
        let text = "2026-11-22 18:46:01 install sudo:amd64 <none> 1.9\n2026-11-22 18:46:02 upgrade libc6:amd64 2.36-9 2.36-10\n2026-11-22\n";
        let upgrades = parse_dpkg_log(text);
        assert_eq!(upgrades.len(), 1);
        assert_eq!((upgrades[0].name.as_str(), upgrades[0].when.0), ("libc6", 1_795_373_162));
    }
}
