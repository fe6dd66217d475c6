//! What keeps a cut, stale or foreign feed from taking the place of a good one.

use crate::index::{Kind, Names, Row, Section, SectionInfo};
use crate::order::Order;
use crate::rule::{Rule, is_modular};

/// Largest share of rows that a new version of a feed may lose.
const SHRINK_MAX: f64 = 0.05;

/// Why a feed does not take the place of the one before.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// It has far fewer rows.
    #[error("it has {now} rows, and the one before has {before}: it looks cut short")]
    Shrunk {
        /// Rows of the one before.
        before: u64,
        /// Its rows.
        now: u64,
    },
    /// Its newest record is older.
    #[error("its newest record is older than that of the one before")]
    Older,
    /// It says nothing at all.
    #[error("it has no rows")]
    Empty,
}

/// Whether a new section may take the place of an old one.
pub fn may_replace(old: Option<&SectionInfo>, new: &SectionInfo) -> Result<(), Refusal> {
    if new.rows == 0 {
        return Err(Refusal::Empty);
    }
    let Some(old) = old else { return Ok(()) };
    // Statements are taken back one by one.
    let is_feed = !matches!(new.kind, Kind::Stated { .. });
    if is_feed && (new.rows as f64) < old.rows as f64 * (1.0 - SHRINK_MAX) {
        return Err(Refusal::Shrunk { before: old.rows, now: new.rows });
    }
    match (old.newest, new.newest) {
        (Some(old), Some(new)) if new < old => Err(Refusal::Older),
        _ => Ok(()),
    }
}

/// Facts that must come out of a section whatever else is in it: package, a version with a known
/// flaw, the version that fixed it.
///
/// From the announcements DSA-5724-1 and USN-6859-1 (OpenSSH), RUSTSEC-2021-0003 (smallvec) and
/// PYSEC-2019-217 (Jinja2).
const CANARIES: [(&str, &str, &str, &str); 4] = [
    ("Debian 12", "openssh-server", "1:9.2p1-2+deb12u2", "1:9.2p1-2+deb12u3"),
    ("Ubuntu 22.04", "openssh-server", "1:8.9p1-3ubuntu0.7", "1:8.9p1-3ubuntu0.10"),
    ("crates.io", "smallvec", "1.6.0", "1.6.1"),
    ("PyPI", "jinja2", "2.10", "2.10.1"),
];

/// Matches what must match and must not; says what came out wrong.
///
/// Besides the known facts, one package of every twentieth of the section is tried: just before the
/// version that fixes its first flaw it must have that flaw, and with that version it must not.
pub fn canaries(
    covers: &str,
    names: Names,
    order: Order,
    section: &Section<'_>,
) -> Result<usize, String> {
    let mut tried = 0;
    for (_, package, bad, fixed) in CANARIES.iter().filter(|it| it.0 == covers) {
        // By other names nobody knows this package; a feed of registries may be a part of them.
        let must_be = names == Names::Binary;
        if section.rows(package).is_empty() && !must_be {
            continue;
        }
        tried += 1;
        let is_fixed_there = |row: &Row<'_>| {
            row.rule.fixed_after(order, bad) == Some(fixed)
                && row.rule.has_flaw(order, bad) == Some(true)
        };
        if !section.rows(package).iter().any(is_fixed_there) {
            return Err(format!("{package} {bad} must have a flaw fixed in {fixed}, and has none"));
        }
    }
    let packages = section.packages().count();
    for (package, rows) in section.packages().step_by((packages / 20).max(1)) {
        let Some(Rule::Before(fixed)) = rows.first().map(|it| &it.rule) else { continue };
        tried += 1;
        let rule = Rule::Before(fixed);
        // In the orders of deb and rpm a tilde comes before everything, the end included.
        let before = format!("{fixed}~");
        let answers = (rule.has_flaw(order, &before), rule.has_flaw(order, fixed));
        // Of a stream of a module only its own fix tells anything.
        let is_comparable = order != Order::Apk && !is_modular(order, fixed);
        if is_comparable && answers != (Some(true), Some(false)) {
            return Err(format!("{package}: `{fixed}` is no version to compare with"));
        }
    }
    Ok(tried)
}
