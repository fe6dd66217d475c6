//! Finds lock files below folders, and reads them.

use super::{LockKind, Locked};
use polder_host::{BuildNotes, Host, HostError, Kind};
use polder_model::facts::Library;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Largest lock file that is read.
const BYTES_MAX: u64 = 64 << 20;

/// Largest note of an installer, and largest lock file, of a program that runs: anybody may have put
/// them there.
const NOTE_BYTES_MAX: u64 = 1 << 20;
const LOCK_BYTES_MAX: u64 = 16 << 20;

/// Folders below folders that are walked.
const DEPTH_MAX: usize = 64;

/// Folders of sources and builds in which lock files are those of somebody else.
const PASSED: [&str; 4] = [".git", ".hg", "node_modules", ".cargo"];

/// Folders of the kernel: nobody's files.
const KERNELS: [&str; 4] = ["/proc", "/sys", "/dev", "/run"];

/// A lock file, or a folder of installed packages, as far as it could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockFile {
    /// The file, or the folder that holds what is installed.
    pub path: PathBuf,
    /// The registry its libraries come from.
    pub ecosystem: &'static str,
    /// What it says.
    pub locked: Locked,
    /// Libraries that belong to packages of the distribution: its vendor patches them.
    pub packaged: BTreeSet<Library>,
    /// Why not all of it could be read.
    pub unread: Option<String>,
}

/// What was found below some folders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockFiles {
    /// The files, by path.
    pub files: Vec<LockFile>,
    /// Folders that could not be read, with the reason.
    pub unread: Vec<(PathBuf, String)>,
}

impl LockFiles {
    /// Reads every lock file among `paths` and below those that are folders. Links are not followed.
    /// Programs named are asked for what their compilers noted; with `programs` those in folders, too.
    pub fn read(host: &dyn Host, paths: &[PathBuf], programs: bool) -> Self {
        let read = |path: &Path| host.read_unrecorded(path, BYTES_MAX);
        let mut found = Found { programs: programs.then(Vec::new), ..Found::default() };
        let mut named = Vec::new();
        let mut it = Self::default();
        for path in paths {
            match host.stat(path).map(|stat| stat.kind) {
                Ok(Kind::Folder) => it.walk(host, path, 0, &mut found),
                Ok(_) => match kind(path) {
                    Some(kind) => found.files.push((path.clone(), kind)),
                    None => named.push(path.clone()),
                },
                Err(error) => it.unread.push((path.clone(), error.because)),
            }
        }
        let mut others = found.programs.unwrap_or_default();
        others.append(&mut found.archives);
        let of_programs = it.programs(host, named, others);
        it.files = joined(host, &found.files, &read);
        it.files.extend(of_programs);
        it.files.sort_by(|a, b| a.path.cmp(&b.path));
        it
    }

    /// The same of what runs, by questions that a recording keeps; `left` are the bytes that may be
    /// read in all.
    pub(crate) fn recorded(host: &dyn Host, paths: &[PathBuf], left: &AtomicU64) -> Self {
        let mut it = Self::default();
        let mut found = Found::default();
        for path in paths {
            // Whoever owns the folder must not send the search elsewhere: no link, no folder.
            let is_file = host.stat_link(path).is_ok_and(|it| it.kind == Kind::File);
            match kind(path).filter(|_| is_file) {
                Some(kind) => found.files.push((path.clone(), kind)),
                None => it.unread.push((path.clone(), "it is no plain file".into())),
            }
        }
        let read = |path: &Path| {
            let is_note = kind(path) == Some(LockKind::Metadata);
            let most = if is_note { NOTE_BYTES_MAX } else { LOCK_BYTES_MAX };
            let most = most.min(left.load(Ordering::Relaxed));
            let bytes = host.read_list(path, most)?;
            // More than there was only where others read at the same moment.
            let _ = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |it| {
                Some(it.saturating_sub(bytes.len() as u64))
            });
            Ok(bytes)
        };
        it.files.extend(joined(host, &found.files, &read));
        it
    }

    /// What the compiler of one program noted.
    pub(crate) fn noted(host: &dyn Host, path: &Path) -> Option<LockFile> {
        program(path, &host.build_notes(path).ok()?)
    }

    /// What compilers noted in programs: one that somebody named must have notes, others may.
    fn programs(
        &mut self,
        host: &dyn Host,
        named: Vec<PathBuf>,
        others: Vec<PathBuf>,
    ) -> Vec<LockFile> {
        let mut files = Vec::new();
        for path in named {
            let because = match host.build_notes(&path) {
                Ok(notes) => match program(&path, &notes) {
                    Some(file) => {
                        files.push(file);
                        continue;
                    }
                    None if is_archive(&path) => {
                        "it is called an archive of Java, and is none, or damaged".to_string()
                    }
                    None => "it is no lock file by its name, and no program that says what it is \
                             built from"
                        .to_string(),
                },
                Err(error) => error.because,
            };
            self.unread.push((path, because));
        }
        let noted = |path: &PathBuf| program(path, &host.build_notes(path).ok()?);
        let looked: Vec<(&PathBuf, Option<LockFile>)> =
            others.par_iter().map(|it| (it, noted(it))).collect();
        // A program may say nothing; an archive that is none was to be one.
        let damaged = looked.iter().filter(|(path, it)| it.is_none() && is_archive(path));
        let because = "it is called an archive of Java, and is none, or damaged";
        self.unread.extend(damaged.map(|(path, _)| ((*path).clone(), because.to_string())));
        let found: Vec<LockFile> = looked.into_iter().filter_map(|it| it.1).collect();
        let of_packages: Vec<(PathBuf, LockKind)> =
            found.iter().map(|it| (it.path.clone(), LockKind::Go)).collect();
        let owned = packaged(host, &of_packages);
        files.extend(found.into_iter().map(|it| match owned.contains(&it.path) {
            true => it.packaged(),
            false => it,
        }));
        files
    }

    fn walk(&mut self, host: &dyn Host, folder: &Path, depth: usize, found: &mut Found) {
        let entries = match host.list(folder) {
            Ok(entries) => entries,
            Err(error) => {
                self.unread.push((folder.into(), error.because));
                return;
            }
        };
        for entry in entries {
            let path = folder.join(&entry.name);
            let is_passed = PASSED.iter().any(|it| entry.name == *it);
            match entry.kind {
                Kind::Folder if is_passed || KERNELS.iter().any(|it| path == Path::new(it)) => {}
                Kind::Folder if depth == DEPTH_MAX => {
                    self.unread.push((path, format!("more than {DEPTH_MAX} folders deep")));
                }
                Kind::Folder => self.walk(host, &path, depth + 1, found),
                Kind::File => match (kind(&path), &mut found.programs) {
                    (Some(kind), _) => found.files.push((path, kind)),
                    _ if is_archive(&path) => found.archives.push(path),
                    (None, Some(programs)) => {
                        if host.stat_link(&path).is_ok_and(|it| it.mode & 0o111 != 0) {
                            programs.push(path);
                        }
                    }
                    (None, None) => {}
                },
                // A link, a pipe: called like a lock file, and not read.
                _ if kind(&path).is_some() => {
                    self.unread
                        .push((path, "it is no plain file, and links are not followed".into()));
                }
                _ => {}
            }
        }
    }
}

/// What a walk has found.
#[derive(Default)]
struct Found {
    files: Vec<(PathBuf, LockKind)>,
    /// Archives of Java, which tell what they hold.
    archives: Vec<PathBuf>,
    /// Files that may be run, where these are wanted.
    programs: Option<Vec<PathBuf>>,
}

/// Whether a file is an archive of Java by its name.
pub(crate) fn is_archive(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == "jar" || it == "war" || it == "ear")
}

fn program(path: &Path, notes: &BuildNotes) -> Option<LockFile> {
    let (ecosystem, locked) = super::program::program(notes)?;
    let (packaged, unread) = (BTreeSet::new(), None);
    Some(LockFile { path: path.into(), ecosystem, locked, packaged, unread })
}

fn kind(path: &Path) -> Option<LockKind> {
    LockKind::of(&path.to_string_lossy())
}

/// Reads lock files, what is installed side by side as one.
fn joined(host: &dyn Host, found: &[(PathBuf, LockKind)], read: &Reader<'_>) -> Vec<LockFile> {
    let owned = packaged(host, found);
    let files: Vec<LockFile> = found
        .par_iter()
        .map(|(path, kind)| match owned.contains(path) {
            true => read_one(read, path, *kind).packaged(),
            false => read_one(read, path, *kind),
        })
        .collect();
    // What is installed side by side is one list.
    let mut all: BTreeMap<PathBuf, LockFile> = BTreeMap::new();
    for file in files {
        match all.get_mut(&file.path) {
            None => {
                all.insert(file.path.clone(), file);
            }
            Some(known) => {
                known.locked.libraries.extend(file.locked.libraries);
                known.locked.elsewhere += file.locked.elsewhere;
                known.packaged.extend(file.packaged);
                known.unread = match (known.unread.take(), file.unread) {
                    (Some(_), Some(_)) => Some("several of its notes cannot be read".into()),
                    (one, other) => one.or(other),
                };
            }
        }
    }
    all.into_values().collect()
}

/// How the content of a file is come by.
type Reader<'a> = dyn Fn(&Path) -> Result<Vec<u8>, HostError> + Sync + 'a;

fn read_one(read: &Reader<'_>, path: &Path, kind: LockKind) -> LockFile {
    let text = read(path).map_err(|error| error.to_string());
    let read = text.and_then(|text| {
        let text = std::str::from_utf8(&text).map_err(|_| "it is no UTF-8".to_string())?;
        kind.read(text).map_err(|error| error.to_string())
    });
    let (locked, unread) = match read {
        Ok(locked) => (locked, None),
        Err(because) => (Locked::default(), Some(because)),
    };
    LockFile { locked, unread, ..LockFile::empty(path, kind) }
}

impl LockFile {
    /// A file of which nothing is read yet.
    fn empty(path: &Path, kind: LockKind) -> Self {
        // What is told of an installed library is a file in a folder of its own, or a file.
        let is_file = path.extension().is_some_and(|it| it == "egg-info");
        let up = path.ancestors().nth(if is_file { 1 } else { 2 });
        let installed = up.filter(|_| kind == LockKind::Metadata);
        Self {
            path: installed.unwrap_or(path).into(),
            ecosystem: kind.ecosystem(),
            locked: Locked::default(),
            packaged: BTreeSet::new(),
            unread: None,
        }
    }

    /// The same, of a package of the distribution: its vendor answers for it.
    fn packaged(mut self) -> Self {
        self.packaged = std::mem::take(&mut self.locked.libraries);
        self.locked = Locked::default();
        self.unread = None;
        self
    }
}

/// Which of the files came with a package of the distribution.
fn packaged(host: &dyn Host, found: &[(PathBuf, LockKind)]) -> BTreeSet<PathBuf> {
    let of_system = |path: &&str| path.starts_with("/usr/") && !path.starts_with("/usr/local/");
    let paths = found.iter().filter_map(|(path, _)| path.to_str()).filter(of_system);
    let paths: BTreeSet<String> = paths.map(str::to_string).collect();
    if paths.is_empty() {
        return BTreeSet::new();
    }
    // Without a list of files nothing is left out: rather one flaw too many.
    let owners = host.owners(&paths).unwrap_or_default();
    owners.owned.into_keys().map(PathBuf::from).collect()
}
