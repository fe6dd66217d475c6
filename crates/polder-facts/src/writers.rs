//! Who other than root can change what a path leads to.

use polder_host::{Host, Stat};
use polder_model::facts::{Facts, Group};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Answers for many paths that share their folders.
pub(crate) struct Writers<'a> {
    host: &'a dyn Host,
    facts: &'a Facts,
    seen: Mutex<BTreeMap<PathBuf, Option<Stat>>>,
}

impl<'a> Writers<'a> {
    pub(crate) fn new(host: &'a dyn Host, facts: &'a Facts) -> Self {
        Self { host, facts, seen: Mutex::default() }
    }

    fn stat(&self, path: &Path) -> Option<Stat> {
        if let Some(stat) = self.seen.lock().ok().and_then(|seen| seen.get(path).copied()) {
            return stat;
        }
        let stat = self.host.stat(path).ok();
        if let Ok(mut seen) = self.seen.lock() {
            seen.insert(path.into(), stat);
        }
        stat
    }

    /// Who can write the path itself or replace it through a folder above it: place and writer.
    ///
    /// `except` is the user the path acts for; that user and root are not named.
    pub(crate) fn of(&self, path: &Path, except: u32) -> Vec<(PathBuf, String)> {
        let mut found = Vec::new();
        for (index, place) in path.ancestors().enumerate() {
            let Some(stat) = self.stat(place) else { continue };
            // In a sticky folder only owners replace files.
            let shared = index > 0 && stat.mode & 0o1000 != 0;
            for writer in self.of_stat(&stat, except, shared) {
                found.push((place.to_path_buf(), writer));
            }
            if !found.is_empty() {
                break;
            }
        }
        found
    }

    fn of_stat(&self, stat: &Stat, except: u32, sticky: bool) -> Vec<String> {
        let mut writers = Vec::new();
        if stat.uid != 0 && stat.uid != except {
            writers.push(self.facts.user_name(stat.uid));
        }
        if sticky {
            return writers;
        }
        if stat.mode & 0o002 != 0 {
            return vec!["everyone".into()];
        }
        if stat.mode & 0o020 != 0 && stat.gid != 0 {
            let group = self.facts.groups.rows.iter().find(|it| it.gid == stat.gid);
            let others = |group: &Group| {
                let except = self.facts.user_name(except);
                self.facts.group_members(group).iter().any(|it| it != "root" && *it != except)
            };
            match group {
                Some(group) if others(group) => writers.push(format!("%{}", group.name)),
                Some(_) => {}
                None => writers.push(format!("%{}", stat.gid)),
            }
        }
        writers
    }

    /// Who other than root can read a file: `everyone`, or names.
    pub(crate) fn readers(&self, path: &Path, stat: &Stat) -> Vec<String> {
        // Whoever may not pass a folder above cannot read what lies below.
        let mut open_to_all = stat.mode & 0o004 != 0;
        let mut open_to_group = stat.mode & 0o040 != 0;
        for folder in path.ancestors().skip(1) {
            let Some(above) = self.stat(folder) else { continue };
            if above.mode & 0o001 == 0 {
                open_to_all = false;
                let by_group = above.mode & 0o010 != 0 && above.gid == stat.gid;
                open_to_group &= by_group;
                if above.uid != stat.uid && !by_group {
                    return Vec::new();
                }
            }
        }
        if open_to_all {
            return vec!["everyone".into()];
        }
        let mut readers = Vec::new();
        if stat.uid != 0 && stat.mode & 0o400 != 0 {
            readers.push(self.facts.user_name(stat.uid));
        }
        if open_to_group && stat.gid != 0 {
            let group = self.facts.groups.rows.iter().find(|it| it.gid == stat.gid);
            readers.extend(group.map(|it| self.facts.group_members(it)).unwrap_or_default());
        }
        readers.retain(|it| it != "root");
        readers.sort();
        readers.dedup();
        readers
    }
}
