//! Files through which one user can act as another: what root starts, reads or searches.

use crate::reading::{files_in, shown, text};
use crate::writers::Writers;
use polder_host::{Host, Kind};
use polder_model::facts::{Facts, Influence, InfluenceKind, Unit};
use polder_model::{Coverage, Table};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Folders in which root's programs are searched.
const SEARCH_PATH: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Files that root obeys when it logs in, or that decide who may.
const CONFIGURATION: [&str; 14] = [
    "/etc/passwd",
    "/etc/shadow",
    "/etc/group",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/profile",
    "/etc/bash.bashrc",
    "/etc/environment",
    "/etc/pam.d",
    "/etc/crontab",
    "/root/.bashrc",
    "/root/.profile",
    "/root/.ssh",
    "/etc/ssh/sshd_config",
];

/// Needs users, groups, units and cron entries.
pub(crate) fn look(host: &dyn Host, facts: &Facts) -> Table<Influence> {
    let look = Look { host, facts, writers: Writers::new(host, facts) };
    let mut rows = BTreeSet::new();
    for unit in &facts.units.rows {
        look.unit(unit, &mut rows);
    }
    for entry in &facts.cron.rows {
        let how = format!("runs as `{}` by {}:{}", entry.user, entry.file, entry.line);
        if entry.line > 0 {
            look.add(InfluenceKind::Cron, entry.file.as_ref(), "root", "is a crontab", &mut rows);
        }
        for path in programs_in(host, &entry.command) {
            look.add(InfluenceKind::Cron, &path, &entry.user, &how, &mut rows);
        }
    }
    for folder in search_path(host) {
        let how = "is in the search path of root";
        look.add(InfluenceKind::SearchPath, &folder, "root", how, &mut rows);
    }
    for path in linker_files(host) {
        let how = "tells the dynamic linker which code every program loads";
        look.add(InfluenceKind::DynamicLinker, &path, "root", how, &mut rows);
    }
    for path in CONFIGURATION {
        let how = "is read when root logs in or decides who may";
        look.add(InfluenceKind::Configuration, path.as_ref(), "root", how, &mut rows);
    }
    for path in files_in(host, "/etc/profile.d", |_| true).unwrap_or_default() {
        let how = "runs when root logs in";
        look.add(InfluenceKind::Configuration, &path, "root", how, &mut rows);
    }
    let denied = host.identity().uid != 0;
    let coverage = match denied {
        true => Coverage::needs_root(
            "folders and crontabs of other users cannot be read",
            "what runs from them",
        ),
        false => Coverage::Complete,
    };
    Table::with(coverage, rows.into_iter().collect())
}

struct Look<'a> {
    host: &'a dyn Host,
    facts: &'a Facts,
    writers: Writers<'a>,
}

impl Look<'_> {
    fn add(
        &self,
        kind: InfluenceKind,
        path: &Path,
        obeyed_by: &str,
        how: &str,
        rows: &mut BTreeSet<Influence>,
    ) {
        let uid =
            self.facts.users.rows.iter().find(|it| it.name == obeyed_by).map_or(0, |it| it.uid);
        for (place, writer) in self.writers.of(path, uid) {
            if writer == obeyed_by {
                continue;
            }
            let how = if place == path {
                how.to_string()
            } else {
                format!("holds `{}`, which {how}", shown(path))
            };
            let obeyed_by = obeyed_by.to_string();
            rows.insert(Influence { kind, path: shown(&place), writer, obeyed_by, how });
        }
    }

    fn unit(&self, unit: &Unit, rows: &mut BTreeSet<Influence>) {
        let user = unit.get("Service", "User").map_or("root", |it| it.value.as_str());
        for file in &unit.files {
            let how = format!("sets up `{}`", unit.name);
            self.add(InfluenceKind::Unit, file.as_ref(), "root", &how, rows);
        }
        for name in ["ExecStart", "ExecStartPre", "ExecStartPost", "ExecReload", "ExecStop"] {
            for command in unit.list("Service", name) {
                // A plus or exclamation mark runs with full privileges (systemd.service(5)).
                let bare = command.trim_start_matches(['-', '@', ':', '+', '!']);
                let signs = command.get(..command.len() - bare.len()).unwrap_or_default();
                let as_user = if signs.contains(['+', '!']) { "root" } else { user };
                for path in programs_in(self.host, bare) {
                    let how = format!("is started by `{}` as `{as_user}`", unit.name);
                    self.add(InfluenceKind::Unit, &path, as_user, &how, rows);
                }
            }
        }
    }
}

/// The absolute paths of a command line that are programs or scripts: the first word, and
/// whatever else can be run. Folders and data files that are mere arguments are not obeyed.
fn programs_in(host: &dyn Host, command: &str) -> Vec<PathBuf> {
    command
        .split([' ', '\t', ';', '&', '|', '(', ')', '"', '\''])
        .filter(|word| word.starts_with('/') && !word.contains(['*', '%', '$', '\\']))
        .filter(|word| !["/dev/", "/proc/", "/sys/", "/tmp"].iter().any(|it| word.starts_with(it)))
        .take(16)
        .enumerate()
        .map(|(index, word)| (index, PathBuf::from(word)))
        .filter(|(index, path)| {
            *index == 0
                || host.stat(path).is_ok_and(|it| it.kind == Kind::File && it.mode & 0o111 != 0)
        })
        .map(|(_, path)| path)
        .collect()
}

fn search_path(host: &dyn Host) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = SEARCH_PATH.iter().map(PathBuf::from).collect();
    for path in ["/etc/environment", "/etc/crontab"] {
        let Ok(text) = text(host, path) else { continue };
        let value = text.lines().find_map(|line| line.trim().strip_prefix("PATH="));
        for folder in value.unwrap_or_default().trim_matches('"').split(':') {
            if folder.starts_with('/') && !folders.iter().any(|it| it == Path::new(folder)) {
                folders.push(folder.into());
            }
        }
    }
    folders
}

fn linker_files(host: &dyn Host) -> Vec<PathBuf> {
    let mut files = vec![PathBuf::from("/etc/ld.so.preload"), PathBuf::from("/etc/ld.so.conf")];
    files.extend(
        files_in(host, "/etc/ld.so.conf.d", |it| it.ends_with(".conf")).unwrap_or_default(),
    );
    let mut named = Vec::new();
    for file in &files {
        let Ok(text) = text(host, file) else { continue };
        named.extend(
            text.split_ascii_whitespace().filter(|it| it.starts_with('/')).map(PathBuf::from),
        );
    }
    files.extend(named);
    files
}
