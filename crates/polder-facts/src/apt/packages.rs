//! Installed packages, from `/var/lib/dpkg/status`.

use super::stanza::parse_chosen;
use crate::reading::{not_looked, note, text_up_to};
use polder_host::Host;
use polder_model::facts::Package;
use polder_model::{Coverage, Problem, Table, printable_str};

/// Where dpkg keeps its knowledge.
pub const STATUS: &str = "/var/lib/dpkg/status";

/// Largest package database read.
pub(super) const STATUS_BYTES_MAX: u64 = 256 << 20;

/// What is read of a package.
const FIELDS: [&str; 5] = ["Package", "Status", "Version", "Architecture", "Source"];

/// Every package dpkg knows as installed; none where there is no dpkg.
pub(crate) fn look(host: &dyn Host) -> Option<Table<Package>> {
    let table = match text_up_to(host, STATUS, STATUS_BYTES_MAX) {
        Ok(text) => {
            let (rows, problems) = parse_status(&text);
            let coverage = if rows.is_empty() {
                Coverage::not_looked(format!("`{STATUS}` lists no package; it is damaged or empty"))
            } else if problems.is_empty() {
                Coverage::Complete
            } else {
                let says = problems.len();
                Coverage::partial(format!("`{STATUS}` is damaged in {says} places"))
            };
            Table::with(coverage, rows).problems(problems)
        }
        Err(error) if error.is_not_found() => return None,
        Err(error) => Table::with(not_looked(&error, "the installed packages"), Vec::new()),
    };
    Some(table)
}

/// Reads dpkg's status file; packages that are not installed are left out.
pub fn parse_status(text: &str) -> (Vec<Package>, Vec<Problem>) {
    let is_chosen = |name: &str| FIELDS.iter().any(|it| it.eq_ignore_ascii_case(name));
    let (stanzas, bad) = parse_chosen(text, is_chosen);
    let mut problems = Vec::new();
    for (line, says) in bad {
        note(&mut problems, format!("{STATUS}:{line}"), says);
    }
    let mut packages = Vec::new();
    for stanza in stanzas {
        let status: Vec<&str> = stanza.get("Status").split(' ').collect();
        let [want, _, state] = status[..] else {
            note(&mut problems, format!("{STATUS}:{}", stanza.line), "a package without a status");
            continue;
        };
        if matches!(state, "not-installed" | "config-files") {
            continue;
        }
        let (name, version) = (stanza.get("Package"), stanza.get("Version"));
        if name.is_empty() || version.is_empty() {
            let says = "an installed package without name or version";
            note(&mut problems, format!("{STATUS}:{}", stanza.line), says);
            continue;
        }
        let (source, source_version) = source_of(stanza.get("Source"), name, version);
        packages.push(Package {
            name: printable_str(name),
            version: printable_str(version),
            architecture: printable_str(stanza.get("Architecture")),
            source,
            source_version,
            held: want == "hold",
            origins: Vec::new(),
            manager: "dpkg".into(),
        });
    }
    packages.sort_by(|a, b| (&a.name, &a.architecture).cmp(&(&b.name, &b.architecture)));
    (packages, problems)
}

/// `Source: name (version)`, either part optional.
pub(crate) fn source_of(field: &str, name: &str, version: &str) -> (String, String) {
    if field.is_empty() {
        return (printable_str(name), printable_str(version));
    }
    match field.split_once(" (") {
        Some((source, rest)) => {
            (printable_str(source.trim()), printable_str(rest.trim_end_matches(')')))
        }
        None => (printable_str(field), printable_str(version)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_has_its_source_and_hold() {
        let text = "Package: libssl3\nStatus: hold ok installed\nArchitecture: amd64\nSource: openssl (3.0.1-1)\nVersion: 3.0.1-1+b1\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n";
        let (packages, problems) = parse_status(text);
        assert!(problems.is_empty());
        assert_eq!(packages.len(), 1);
        assert_eq!(packages[0].source, "openssl");
        assert_eq!(packages[0].source_version, "3.0.1-1");
        assert!(packages[0].held);
    }

    #[test]
    fn damage_is_reported_and_the_rest_is_kept() {
        let text = "Package: a\nStatus: install ok installed\nVersion: 1\n\n\u{0}\u{1}garbage\nPackage: b\nVersion: 2\n";
        let (packages, problems) = parse_status(text);
        assert_eq!(packages.len(), 1);
        assert_eq!(problems.len(), 2);
    }
}
