//! Backups that exist, as far as configuration and jobs tell.

use crate::reading::{files_in, shown, text};
use polder_host::{Host, Kind};
use polder_model::facts::{Backup, BackupKind, Facts};
use polder_model::{Coverage, Table, Timestamp, printable_str};
use std::path::Path;

/// Words in jobs and units that show a backup, with what makes it.
const WORDS: [(&str, BackupKind); 15] = [
    ("borgmatic", BackupKind::Borg),
    ("borg create", BackupKind::Borg),
    ("restic", BackupKind::Restic),
    ("rsnapshot", BackupKind::Rsync),
    ("rdiff-backup", BackupKind::Rsync),
    ("rsync", BackupKind::Rsync),
    ("duplicity", BackupKind::Duplicity),
    ("duply", BackupKind::Duplicity),
    ("bacula-fd", BackupKind::Bacula),
    ("bareos-fd", BackupKind::Bacula),
    ("pgbackrest", BackupKind::PostgresTool),
    ("barman", BackupKind::PostgresTool),
    ("wal-g", BackupKind::PostgresTool),
    ("pg_dump", BackupKind::Dump),
    ("mysqldump", BackupKind::Dump),
];

/// Newest entries looked at in a local destination.
const ENTRIES_MAX: usize = 2_000;

/// Needs cron entries, units and processes.
pub(crate) fn look(host: &dyn Host, facts: &Facts) -> Table<Backup> {
    let mut rows = Vec::new();
    for entry in &facts.cron.rows {
        let mut command = entry.command.clone();
        // A script says more than its name.
        if let Some(path) = command.split(' ').next().filter(|it| it.starts_with('/'))
            && let Ok(text) = text(host, path)
        {
            command.push('\n');
            command.push_str(&text);
        }
        let place = if entry.line > 0 {
            format!("{}:{}", entry.file, entry.line)
        } else {
            entry.file.clone()
        };
        from_command(host, &command, place, &mut rows);
    }
    for unit in facts.units.rows.iter().filter(|unit| unit.name.ends_with(".service")) {
        // A job has a timer; `rsync.service` is a daemon that others copy from.
        let timer = unit.name.replace(".service", ".timer");
        if !facts.units.rows.iter().any(|it| it.name == timer) {
            continue;
        }
        for command in unit.list("Service", "ExecStart") {
            from_command(host, command, unit.name.clone(), &mut rows);
        }
    }
    for process in &facts.processes.rows {
        if matches!(process.name.as_str(), "bacula-fd" | "bareos-fd") {
            let place = format!("process {}", process.pid);
            push(host, BackupKind::Bacula, place, None, &mut rows);
        }
    }
    for folder in ["/etc/borgmatic", "/etc/borgmatic.d"] {
        let is_yaml = |name: &str| name.ends_with(".yaml") || name.ends_with(".yml");
        for path in files_in(host, folder, is_yaml).unwrap_or_default() {
            let Ok(text) = text(host, &path) else { continue };
            let destination = borgmatic_destination(&text);
            push(host, BackupKind::Borg, shown(&path), destination, &mut rows);
        }
    }
    if let Ok(text) = text(host, "/etc/rsnapshot.conf") {
        let root = text.lines().find_map(|line| line.strip_prefix("snapshot_root"));
        let place = "/etc/rsnapshot.conf".to_string();
        push(host, BackupKind::Rsync, place, root.map(|it| it.trim().to_string()), &mut rows);
    }
    rows.sort_by(|a, b| (a.kind, &a.known_from).cmp(&(b.kind, &b.known_from)));
    rows.dedup_by(|a, b| a.kind == b.kind && a.known_from == b.known_from);
    let coverage = match (&facts.cron.coverage, &facts.units.coverage) {
        (Coverage::Partial { because, root_adds }, _)
        | (_, Coverage::Partial { because, root_adds }) => {
            Coverage::Partial { because: because.clone(), root_adds: root_adds.clone() }
        }
        _ => Coverage::partial(
            "backups that another machine pulls or a hoster makes leave no trace here",
        ),
    };
    Table::with(coverage, rows)
}

fn from_command(host: &dyn Host, command: &str, place: String, rows: &mut Vec<Backup>) {
    let found = command.lines().find_map(|line| {
        let line = line.trim();
        if line.starts_with('#') {
            return None;
        }
        WORDS.iter().find(|(word, _)| has_word(line, word)).map(|(_, kind)| (*kind, line))
    });
    if let Some((kind, line)) = found {
        push(host, kind, place, destination_in(kind, line), rows);
    }
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|it| it.chars().next_back());
        let after = line.get(at + word.len()..).and_then(|it| it.chars().next());
        let apart = |it: Option<char>| {
            it.is_none_or(|it| !(it.is_alphanumeric() || matches!(it, '_' | '-' | '.')))
        };
        apart(before) && apart(after)
    })
}

/// Where the backup goes, by the usual way of writing it.
fn destination_in(kind: BackupKind, line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let after = |flag: &str| {
        words
            .iter()
            .position(|it| *it == flag)
            .and_then(|at| words.get(at + 1))
            .map(|it| it.to_string())
    };
    match kind {
        BackupKind::Restic => after("-r").or_else(|| after("--repo")),
        BackupKind::Rsync | BackupKind::Duplicity => words
            .iter()
            .skip(1)
            .rev()
            .find(|it| it.contains('/') || it.contains(':'))
            .map(|it| it.to_string()),
        BackupKind::Borg => words
            .iter()
            .find(|it| it.contains("::"))
            .map(|it| it.split("::").next().unwrap_or_default().to_string()),
        BackupKind::Dump => {
            let file = line.rsplit_once('>').map(|(_, rest)| rest.trim());
            let file = file.and_then(|it| it.split_ascii_whitespace().next()).map(str::to_string);
            file.or_else(|| after("-f")).or_else(|| {
                words.iter().find_map(|it| it.strip_prefix("--file=").map(str::to_string))
            })
        }
        BackupKind::Bacula | BackupKind::PostgresTool => None,
    }
    .map(|it| printable_str(it.trim_matches(['"', '\''])))
}

/// The first `path:` under `repositories:`.
fn borgmatic_destination(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("repositories:")?;
    let line =
        rest.lines().skip(1).map(str::trim).find(|it| !it.is_empty() && !it.starts_with('#'))?;
    let value = line.trim_start_matches("- ").trim();
    let value = value.strip_prefix("path:").unwrap_or(value);
    Some(printable_str(value.trim().trim_matches(['"', '\''])))
}

fn push(
    host: &dyn Host,
    kind: BackupKind,
    known_from: String,
    destination: Option<String>,
    rows: &mut Vec<Backup>,
) {
    let local = destination.as_deref().filter(|it| it.starts_with('/')).map(str::to_string);
    let folder = local.as_deref().map(|it| {
        // `dump-$(date +%F).sql` lies in a folder whose name is known.
        let fixed = it.split(['$', '`', '%', '*']).next().unwrap_or(it);
        if fixed.len() == it.len() && host.stat(it.as_ref()).is_ok_and(|it| it.kind == Kind::Folder)
        {
            it.to_string()
        } else {
            fixed.rsplit_once('/').map_or("/".into(), |(folder, _)| folder.to_string())
        }
    });
    let last_written = folder.and_then(|it| newest(host, it.as_ref()));
    rows.push(Backup {
        kind,
        known_from,
        destroyable_here: match &destination {
            Some(_) if local.is_some() => Some(true),
            _ => None,
        },
        destination,
        last_written,
        last_verified: None,
    });
}

fn newest(host: &dyn Host, folder: &Path) -> Option<Timestamp> {
    let entries = host.list(folder).ok()?;
    entries
        .iter()
        .take(ENTRIES_MAX)
        .filter_map(|entry| host.stat_link(&folder.join(&entry.name)).ok())
        .map(|stat| Timestamp(stat.modified))
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_is_found_by_its_job() {
        let mut rows = Vec::new();
        let host = polder_host::RecordedHost::of_files([("/var/backups/db/a.sql", "x")]);
        from_command(
            &host,
            "pg_dump shop > /var/backups/db/shop-$(date +\\%F).sql",
            "c:1".into(),
            &mut rows,
        );
        assert_eq!(rows[0].kind, BackupKind::Dump);
        assert_eq!(rows[0].destroyable_here, Some(true));
        assert!(rows[0].last_written.is_some());
        assert!(!has_word("cat /etc/rsync.conf.d", "rsync"));
    }
}
