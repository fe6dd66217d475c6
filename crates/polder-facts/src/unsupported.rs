//! Packages that their distribution supports no more, or only for some uses: Debian's own lists
//! (check-support-status(1)).

use crate::apt::release;
use crate::reading::{note, text_if_there};
use polder_host::Host;
use polder_model::facts::{Facts, Package, Unsupported};
use polder_model::version::deb;
use polder_model::{Coverage, Problem, Table, Timestamp, printable_str};
use std::collections::BTreeMap;

/// Where the package `debian-security-support` puts its lists.
const FOLDER: &str = "/usr/share/debian-security-support";

/// One line of a list.
#[derive(Debug, PartialEq, Eq)]
struct Line<'a> {
    /// A source package; one that ends in `.*` means all that begin so.
    source: &'a str,
    /// The last version with support; `0` for all.
    last: &'a str,
    ended: Option<Timestamp>,
    note: String,
}

/// What the lists say of what is installed.
pub(crate) fn look(host: &dyn Host, facts: &Facts) -> Table<Unsupported> {
    let Some(system) = facts.system_row().filter(|it| it.os_id == "debian") else {
        let because = "only Debian publishes such a list";
        return Table::with(Coverage::not_applicable(because), Vec::new());
    };
    let ended = format!("{FOLDER}/security-support-ended.deb{}", system.os_version);
    let limited = format!("{FOLDER}/security-support-limited");
    let (mut rows, mut problems) = (Vec::new(), Vec::new());
    let mut found = 0;
    for (path, has_dates) in [(&ended, true), (&limited, false)] {
        let Ok(Some(text)) = text_if_there(host, path) else { continue };
        found += 1;
        for line in lines(path, &text, has_dates, &mut problems) {
            rows.extend(installed(&line, &facts.packages.rows).into_iter().map(
                |(source, packages)| Unsupported {
                    source,
                    packages,
                    ended: line.ended,
                    note: line.note.clone(),
                    told_by: path.clone(),
                },
            ));
        }
    }
    let coverage = match found {
        2 => Coverage::Complete,
        _ => Coverage::not_looked(
            "the package `debian-security-support` with Debian's lists is not installed",
        ),
    };
    Table::with(coverage, rows).problems(problems)
}

/// Columns with blanks between: source, and in the list of what ended version and date; then a note.
fn lines<'a>(
    path: &str,
    text: &'a str,
    has_dates: bool,
    problems: &mut Vec<Problem>,
) -> Vec<Line<'a>> {
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut words = line.split_whitespace();
        let source = words.next().unwrap_or_default();
        let (last, ended) = match has_dates {
            false => ("0", None),
            true => {
                let last = words.next().unwrap_or("0");
                let Some(date) = words.next().and_then(release::parse_day) else {
                    note(problems, format!("{path}:{}", at + 1), "a line without a date");
                    continue;
                };
                (last, Some(date))
            }
        };
        let rest: Vec<&str> = words.collect();
        found.push(Line { source, last, ended, note: printable_str(&rest.join(" ")) });
    }
    found
}

/// Source packages a line is about, with what is installed of them.
fn installed(line: &Line<'_>, packages: &[Package]) -> BTreeMap<String, Vec<String>> {
    let is_named = |source: &str| match line.source.strip_suffix(".*") {
        Some(start) => source.starts_with(start),
        None => source == line.source,
    };
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in packages.iter().filter(|it| is_named(&it.source)) {
        // A newer version comes from elsewhere, where others answer for it.
        if line.last == "0" || deb::compare(&package.source_version, line.last).is_le() {
            found.entry(package.source.clone()).or_default().push(package.name.clone());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_about_versions_up_to_its_own() {
        let text = "# c\n\npdns  4.7.3-2   2025-10-01   No support upstream\nphp-horde.*\t0\t2025-03-22\thttps://x\nbad 1 soon x\n";
        let mut problems = Vec::new();
        let lines = lines("l", text, true, &mut problems);
        assert_eq!((lines.len(), problems.len()), (2, 1));
        let package = |source: &str, version: &str| Package {
            name: format!("{source}-bin"),
            source: source.into(),
            source_version: version.into(),
            ..Package::default()
        };
        let all = [
            package("pdns", "4.7.3-2"),
            package("php-horde-core", "2.31-1"),
            package("pdns-recursor", "1"),
        ];
        assert_eq!(installed(&lines[0], &all).into_keys().collect::<Vec<_>>(), ["pdns"]);
        assert_eq!(installed(&lines[1], &all).into_keys().collect::<Vec<_>>(), ["php-horde-core"]);
        assert!(installed(&lines[0], &[package("pdns", "4.9.0-1~bpo12+1")]).is_empty());
        assert_eq!(lines[0].note, "No support upstream");
    }
}
