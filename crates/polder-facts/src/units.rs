//! Units of systemd with their drop-ins, read from files since systemd may not run.

use crate::reading::{CONFIG_BYTES_MAX, note, shown, text_up_to};
use polder_host::{Host, HostError, Kind};
use polder_model::facts::{Unit, UnitSetting};
use polder_model::{Coverage, Problem, Table, printable_str};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Folders of units, the strongest first (systemd.unit(5)).
const FOLDERS: [&str; 6] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator",
];

/// Kinds of units that are read.
const SUFFIXES: [&str; 4] = [".service", ".socket", ".timer", ".path"];

/// Most units read.
const UNITS_MAX: usize = 20_000;

/// Every unit with its settings.
pub fn look(host: &dyn Host) -> Table<Unit> {
    match Folders::read(host) {
        Ok(folders) if folders.fragments.is_empty() => {
            Table::with(Coverage::not_applicable("there are no unit files"), Vec::new())
        }
        Ok(folders) => {
            let mut problems = Vec::new();
            let rows = folders.units(host, &mut problems);
            let coverage = match problems.iter().find(|it| it.says.contains("cannot be read")) {
                Some(problem) => Coverage::needs_root(
                    format!("{} {}", problem.place, problem.says),
                    "units that only root may read",
                ),
                None => Coverage::Complete,
            };
            Table::with(coverage, rows).problems(problems)
        }
        Err(error) => Table::with(crate::reading::not_looked(&error, "the units"), Vec::new()),
    }
}

/// What lies in the folders of units.
#[derive(Default)]
struct Folders {
    /// Unit name to the strongest fragment.
    fragments: BTreeMap<String, PathBuf>,
    /// Aliases and instances that something wants.
    wanted: BTreeSet<String>,
    /// Folder of drop-ins to the files in it, by name.
    drop_ins: BTreeMap<String, BTreeMap<String, PathBuf>>,
    masked: BTreeSet<String>,
}

impl Folders {
    fn read(host: &dyn Host) -> Result<Self, HostError> {
        let mut folders = Self::default();
        // `/lib` is a link to `/usr/lib` since the merge; reading both would show all twice.
        let merged = host.stat_link("/lib".as_ref()).is_ok_and(|it| it.kind == Kind::Link);
        for folder in FOLDERS.iter().filter(|it| !(merged && it.starts_with("/lib/"))) {
            let entries = match host.list(folder.as_ref()) {
                Ok(entries) => entries,
                Err(error) if error.is_not_found() => continue,
                Err(error) => return Err(error),
            };
            for entry in entries.into_iter().take(UNITS_MAX) {
                let Some(name) = entry.name.to_str() else { continue };
                folders.entry(host, Path::new(folder), name, entry.kind);
            }
        }
        Ok(folders)
    }

    fn entry(&mut self, host: &dyn Host, folder: &Path, name: &str, kind: Kind) {
        let path = folder.join(name);
        if name.ends_with(".wants") || name.ends_with(".requires") {
            let entries = host.list(&path).unwrap_or_default();
            self.wanted
                .extend(entries.iter().filter_map(|it| it.name.to_str().map(str::to_string)));
        } else if let Some(unit) = name.strip_suffix(".d") {
            let files = self.drop_ins.entry(unit.to_string()).or_default();
            for entry in host.list(&path).unwrap_or_default() {
                let Some(name) = entry.name.to_str().filter(|it| it.ends_with(".conf")) else {
                    continue;
                };
                files.entry(name.to_string()).or_insert_with(|| path.join(name));
            }
        } else if SUFFIXES.iter().any(|it| name.ends_with(it)) && kind != Kind::Folder {
            if self.fragments.contains_key(name) || self.masked.contains(name) {
                return;
            }
            let target = (kind == Kind::Link).then(|| host.read_link(&path).ok()).flatten();
            match target {
                Some(target) if target == Path::new("/dev/null") => {
                    self.masked.insert(name.to_string());
                    self.fragments.insert(name.to_string(), path);
                }
                // An alias: the unit it names is met by itself.
                Some(target) if target.file_name().is_some_and(|it| it != name) => {
                    if let Some(target) = target.file_name().and_then(|it| it.to_str()) {
                        self.wanted.insert(target.to_string());
                    }
                }
                _ => {
                    self.fragments.insert(name.to_string(), path);
                }
            }
        }
    }

    fn units(&self, host: &dyn Host, problems: &mut Vec<Problem>) -> Vec<Unit> {
        let mut names: BTreeSet<&str> = self.fragments.keys().map(String::as_str).collect();
        // Instances of templates, such as `postgresql@15-main.service`.
        names.extend(
            self.wanted.iter().map(String::as_str).filter(|name| {
                template_of(name).is_some_and(|it| self.fragments.contains_key(&it))
            }),
        );
        names.into_iter().map(|name| self.unit(host, name, problems)).collect()
    }

    fn unit(&self, host: &dyn Host, name: &str, problems: &mut Vec<Problem>) -> Unit {
        let template = template_of(name);
        let fragment = self
            .fragments
            .get(name)
            .or_else(|| template.as_ref().and_then(|it| self.fragments.get(it)));
        let mut unit = Unit {
            name: printable_str(name),
            enabled: self.wanted.contains(name),
            masked: self.masked.contains(name),
            ..Unit::default()
        };
        let mut files: Vec<&PathBuf> = Vec::new();
        if !unit.masked {
            files.extend(fragment);
        }
        let mut drop_ins: BTreeMap<&str, &PathBuf> = BTreeMap::new();
        for folder in drop_in_folders(name) {
            for (name, path) in self.drop_ins.get(&folder).into_iter().flatten() {
                drop_ins.insert(name, path);
            }
        }
        files.extend(drop_ins.values());
        for path in files {
            match text_up_to(host, path, CONFIG_BYTES_MAX) {
                Ok(text) => {
                    let file = shown(path);
                    let (mut settings, mut bad) = parse_unit(&text, &file);
                    unit.settings.append(&mut settings);
                    problems.append(&mut bad);
                    unit.files.push(file);
                }
                // A drop-in masked by a link to /dev/null is not a regular file.
                Err(error) if error.is_not_found() || error.because == "not a regular file" => {}
                Err(error) => {
                    note(problems, shown(path), format!("cannot be read: {}", error.because))
                }
            }
        }
        unit
    }
}

/// `postgresql@15-main.service` belongs to `postgresql@.service`.
fn template_of(name: &str) -> Option<String> {
    let (stem, suffix) = name.rsplit_once('.')?;
    let (template, instance) = stem.split_once('@')?;
    (!instance.is_empty()).then(|| format!("{template}@.{suffix}"))
}

/// Drop-ins for all of a kind, then for shortened names, for the template, and for the unit itself.
fn drop_in_folders(name: &str) -> Vec<String> {
    let Some((stem, suffix)) = name.rsplit_once('.') else { return Vec::new() };
    let mut folders = vec![suffix.to_string()];
    for (at, _) in stem.match_indices('-') {
        folders.push(format!("{}.{suffix}", stem.get(..=at).unwrap_or_default()));
    }
    folders.extend(template_of(name));
    folders.push(name.to_string());
    folders
}

/// Reads sections and assignments; a backslash at the end continues a line (systemd.syntax(7)).
pub fn parse_unit(text: &str, file: &str) -> (Vec<UnitSetting>, Vec<Problem>) {
    let mut settings = Vec::new();
    let mut problems = Vec::new();
    let mut section = String::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let number = index + 1;
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = trimmed.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            section = printable_str(name);
            continue;
        }
        let mut whole = trimmed.to_string();
        while let Some(head) = whole.strip_suffix('\\') {
            let next =
                lines.by_ref().map(|(_, it)| it.trim()).find(|it| !it.starts_with(['#', ';']));
            let Some(next) = next else { break };
            whole = format!("{} {next}", head.trim_end());
        }
        match whole.split_once('=') {
            Some((name, value)) => settings.push(UnitSetting {
                section: section.clone(),
                name: printable_str(name.trim()),
                value: printable_str(value.trim()),
                file: file.to_string(),
                line: number,
            }),
            None => note(&mut problems, format!("{file}:{number}"), "not a setting"),
        }
    }
    (settings, problems)
}

#[cfg(test)]
mod tests {
    use super::*;
    use polder_host::RecordedHost;

    #[test]
    fn continued_lines_are_joined() {
        let (settings, problems) =
            parse_unit("[Service]\nExecStart=/bin/a \\\n# why\n  -b\nbad\n", "u");
        assert_eq!(settings[0].value, "/bin/a -b");
        assert_eq!(problems.len(), 1);
    }

    #[test]
    fn a_drop_in_wins_and_an_instance_uses_its_template() {
        let mut host = RecordedHost::of_files([
            ("/lib/systemd/system/pg@.service", "[Service]\nUser=postgres\nNoNewPrivileges=no\n"),
            ("/etc/systemd/system/pg@.service.d/hard.conf", "[Service]\nNoNewPrivileges=yes\n"),
        ]);
        host.link(
            "/etc/systemd/system/multi-user.target.wants/pg@main.service",
            "/lib/systemd/system/pg@.service",
        );
        let table = look(&host);
        let unit = table.rows.iter().find(|it| it.name == "pg@main.service").unwrap();
        assert!(unit.enabled && unit.service_flag("NoNewPrivileges"));
        assert_eq!(unit.get("Service", "User").unwrap().value, "postgres");
    }
}
