//! Installed packages and what their vendors offer, whichever package manager the host has.

use crate::reading::not_looked;
use crate::{apk, apt, rpm};
use polder_host::{Host, HostError};
use polder_model::facts::{Candidate, Facts, IndexSource, IndexState, Package};
use polder_model::{Coverage, Table};

/// What the indices say, and where each installed version comes from.
pub struct Indices {
    /// The indices.
    pub indices: Table<IndexSource>,
    /// Packages with a newer candidate.
    pub candidates: Table<Candidate>,
    /// Origins of each installed package, in the order of the packages.
    pub origins: Vec<Vec<String>>,
}

/// Every installed package: dpkg's where it is there, else those of apk, else those of RPM.
pub(crate) fn look(host: &dyn Host) -> Table<Package> {
    let managers = [apt::packages::look, apk::look, rpm::packages::look];
    // A database that lists nothing may be that of a tool, beside the one of the distribution.
    let mut empty = None;
    for look in managers {
        match look(host) {
            Some(table) if table.rows.is_empty() => empty = empty.or(Some(table)),
            Some(table) => return table,
            None => {}
        }
    }
    empty.unwrap_or_else(|| {
        let because = "no package database of dpkg, apk or RPM was found";
        Table::with(Coverage::not_looked(because), Vec::new())
    })
}

/// What the package manager's own indices offer for the installed packages.
pub(crate) fn offers(host: &dyn Host, facts: &Facts) -> Indices {
    let packages = &facts.packages;
    let nothing = |coverage: Coverage| Indices {
        indices: Table::with(coverage.clone(), Vec::new()),
        candidates: Table::with(coverage, Vec::new()),
        origins: vec![Vec::new(); packages.rows.len()],
    };
    let Some(first) = packages.rows.first() else {
        let because = packages.coverage.because().unwrap_or("no package is installed");
        return nothing(Coverage::not_looked(because));
    };
    let read: Result<Indices, HostError> = match first.manager.as_str() {
        "apk" => apk::offers(host, &packages.rows),
        "rpm" => rpm::repositories::offers(host, facts),
        _ => apt::candidates::offers(host, &packages.rows),
    };
    read.unwrap_or_else(|error| nothing(not_looked(&error, "the package indices")))
}

/// Missing, cut or unreadable indices make the answer partial, or no answer at all; `none` says what
/// it means when there are none.
pub(crate) fn coverage(rows: &[IndexSource], none: &str) -> Coverage {
    let usable =
        |row: &&IndexSource| matches!(row.state, IndexState::Whole | IndexState::Unchecked);
    let good = rows.iter().filter(usable).count();
    let Some(bad) = rows.iter().find(|row| !usable(row)) else {
        return if rows.is_empty() { Coverage::not_looked(none) } else { Coverage::Complete };
    };
    let because = match &bad.state {
        IndexState::Missing => format!("`{}` is missing; its source is {}", bad.path, bad.named_by),
        IndexState::Truncated { found_bytes, promised_bytes } => {
            format!("`{}` has {found_bytes} bytes instead of {promised_bytes}", bad.path)
        }
        IndexState::Unreadable { because } => format!("`{}` cannot be read: {because}", bad.path),
        IndexState::Whole | IndexState::Unchecked => String::new(),
    };
    let because = match rows.len() - good {
        1 => because,
        count => format!("{because}; and {} more of {} indices", count - 1, rows.len()),
    };
    if good == 0 { Coverage::not_looked(because) } else { Coverage::partial(because) }
}
