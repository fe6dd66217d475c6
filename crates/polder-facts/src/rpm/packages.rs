//! Installed packages, as `rpm -qa` lists them.

use super::{shown_version, source_of};
use crate::reading::{not_looked, note, text_if_there};
use polder_host::{Host, Program};
use polder_model::facts::Package;
use polder_model::{Coverage, Problem, Table, printable_str};

/// Where RPM keeps its database, by distribution.
const PLACES: [&str; 2] = ["/var/lib/rpm", "/usr/lib/sysimage/rpm"];

/// Names that dnf may not move: dnf4, then dnf5.
const LOCKS: [&str; 2] = ["/etc/dnf/plugins/versionlock.list", "/etc/dnf/versionlock.toml"];

/// Every installed package; none where there is no database of RPM.
pub(crate) fn look(host: &dyn Host) -> Option<Table<Package>> {
    let is_database = |place: &&&str| host.list(place.as_ref()).is_ok_and(|it| !it.is_empty());
    PLACES.iter().find(is_database)?;
    let nothing = |because: String| Some(Table::with(Coverage::not_looked(because), Vec::new()));
    let output = match host.run(Program::RpmPackages) {
        Ok(output) if output.code == Some(0) => output,
        Ok(output) => return nothing(format!("`rpm -qa` failed: {}", output.stderr)),
        Err(error) => {
            let coverage = not_looked(&error, "the installed packages");
            return Some(Table::with(coverage, Vec::new()));
        }
    };
    let (mut rows, problems) = parse_query(&output.stdout);
    let locks: Vec<String> =
        LOCKS.iter().filter_map(|it| text_if_there(host, it).ok().flatten()).collect();
    for row in &mut rows {
        row.held = locks.iter().any(|it| locks_name(it, &row.name));
    }
    let coverage = match (rows.is_empty(), problems.is_empty()) {
        (true, _) => Coverage::not_looked("`rpm -qa` lists no package"),
        (_, true) => Coverage::Complete,
        (_, false) => Coverage::partial("`rpm -qa` answered lines that are no packages"),
    };
    Some(Table::with(coverage, rows).problems(problems))
}

/// Reads the answer: name, epoch, version, release, architecture and source file, tabs between.
pub fn parse_query(text: &str) -> (Vec<Package>, Vec<Problem>) {
    let (mut packages, mut problems) = (Vec::new(), Vec::new());
    for (at, line) in text.lines().enumerate() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [name, epoch, version, release, architecture, source] = fields[..] else {
            note(&mut problems, format!("rpm -qa:{}", at + 1), "a line that is no package");
            continue;
        };
        // Keys of vendors stand among the packages.
        if name == "gpg-pubkey" {
            continue;
        }
        let full = format!("{epoch}:{version}-{release}");
        let full = shown_version(&full);
        let own = format!("{version}-{release}");
        let (source, source_version) = match source_of(source) {
            // A source of the same version has the same epoch.
            Some((source, it)) if it == own => (source, full),
            Some(other) => other,
            None => (name, full),
        };
        packages.push(Package {
            name: printable_str(name),
            version: printable_str(full),
            architecture: printable_str(architecture),
            source: printable_str(source),
            source_version: printable_str(source_version),
            held: false,
            origins: Vec::new(),
            manager: "rpm".into(),
        });
    }
    packages.sort_by(|a, b| {
        (&a.name, &a.architecture, &a.version).cmp(&(&b.name, &b.architecture, &b.version))
    });
    (packages, problems)
}

/// Whether a list of dnf's plugin holds a package: lines `NAME-VERSION-RELEASE.*` or `name = "NAME"`.
fn locks_name(list: &str, name: &str) -> bool {
    list.lines().map(str::trim).filter(|line| !line.starts_with(['#', '!'])).any(|line| {
        let quoted = line.strip_prefix("name").map(|it| it.trim_start_matches([' ', '=']));
        let quoted = quoted.map(|it| it.trim_matches(['"', '\'']));
        let pattern = quoted.or_else(|| super::name_version_release(line).map(|it| it.0));
        pattern.is_some_and(|pattern| crate::apt::pins::glob(pattern, name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_has_its_source_with_the_epoch() {
        let text = "openssl-libs\t1\t3.0.7\t27.el9\tx86_64\topenssl-3.0.7-27.el9.src.rpm\ngpg-pubkey\t0\t1\t1\t(none)\t(none)\nlibgcc\t0\t11.4\t2.el9\tx86_64\tgcc-11.4-2.el9.src.rpm\nbroken\n";
        let (packages, problems) = parse_query(text);
        let shown: Vec<[&str; 4]> = packages
            .iter()
            .map(|it| [&*it.name, &*it.version, &*it.source, &*it.source_version])
            .collect();
        assert_eq!(
            shown,
            [
                ["libgcc", "11.4-2.el9", "gcc", "11.4-2.el9"],
                ["openssl-libs", "1:3.0.7-27.el9", "openssl", "1:3.0.7-27.el9"],
            ]
        );
        assert_eq!(problems.len(), 1);
    }

    #[test]
    fn locks_of_both_dnfs_are_read() {
        assert!(locks_name("# a\nkernel-core-0:5.14.0-1.el9.*\n", "kernel-core"));
        assert!(!locks_name("!bash-0:5-1.*\n", "bash"));
        assert!(locks_name("[[packages]]\nname = \"bash\"\n", "bash"));
    }
}
