//! Walks a tree on all cores, folder by folder, never through a link.
//!
//! Each folder is opened below its parent, so that nobody can exchange a part of the path meanwhile.

use crate::compare::stem;
use crate::entry::{Content, Entry, Kind, Moment};
use crate::mounts::Mount;
use crate::policy::{Policy, Rule, is_at_or_below, join, split};
use crate::read::{self, Part};
use rayon::prelude::*;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags, RawDir, ResolveFlags};
use rustix::io::Errno;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Names of one folder that are looked at by one core at a time.
const CHUNK: usize = 256;

/// Seconds within which the clock of some file system may not tell two changes apart: two for FAT, one
/// for old NFS, a tick of the kernel (4 ms) for the others.
const RACY_SECONDS: i64 = 2;

/// What was found in one folder.
#[derive(Clone, Debug, Default)]
pub struct Folder {
    /// Its path from the root of the tree.
    pub path: Vec<u8>,
    /// What it holds, by name.
    pub entries: Vec<Entry>,
    /// Of logs that changed: the name now, the name before, and the digest of as much as there was before.
    pub beginnings: Vec<(Vec<u8>, Vec<u8>, Content)>,
    /// Major and minor number of the device it lies on.
    pub device: (u32, u32),
    /// Its inode number.
    pub inode: u64,
    /// Whether logs may be in it.
    pub has_logs: bool,
    /// Why it could not be read.
    pub problem: Option<String>,
}

/// What is known before a walk, and what becomes of what it finds. Called from all cores at once.
pub trait Ledger: Sync {
    /// What was known of a folder, by name; none when nothing was.
    fn known(&self, folder: &[u8]) -> Option<Vec<Entry>>;

    /// Takes what was found, with what was known.
    fn take(&self, folder: Folder, known: Option<Vec<Entry>>);

    /// Hears of each folder and of bytes that were read.
    fn progress(&self, entries: u64, bytes: u64);
}

/// What to walk, and how.
pub struct Walk<'a> {
    /// The root of the tree.
    pub root: PathBuf,
    /// What is watched.
    pub policy: &'a Policy,
    /// What is mounted below the root.
    pub mounts: &'a [Mount],
    /// Files that some process may write to through its memory.
    pub shared: &'a HashSet<((u32, u32), u64)>,
    /// Read every byte, whatever the times tell.
    pub reads_all: bool,
    /// Read all of a log that grew, and not only as much as there was before.
    pub reads_logs: bool,
}

/// Why a tree could not be walked.
#[derive(Debug, thiserror::Error)]
#[error("cannot open `{path}`")]
pub struct WalkError {
    path: String,
    source: std::io::Error,
}

/// Longest path that is walked, in bytes: the kernel's own limit for one (PATH_MAX).
const PATH_BYTES_MAX: usize = 4096;

/// One walk under way.
struct Running<'a> {
    walk: &'a Walk<'a>,
    ledger: &'a dyn Ledger,
    /// Folders on which something else is mounted that is looked into.
    entered: HashSet<&'a [u8]>,
}

/// How far below a folder the walk goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    /// Into every folder.
    All,
    /// Into folders that are new; the others are as they were, or get a turn of their own.
    New,
}

/// One folder that waits for its turn.
struct Task {
    depth: Depth,
    parent: Arc<OwnedFd>,
    name: Vec<u8>,
    path: Vec<u8>,
}

impl Walk<'_> {
    /// Walks the tree. The entry of the root itself is handed out as the only one of a folder without a
    /// path.
    ///
    /// # Errors
    /// When the root cannot be opened.
    pub fn run(&self, ledger: &dyn Ledger) -> Result<(), WalkError> {
        let root = self.open_root()?;
        raise_limit();
        self.root_entry(&root, ledger)?;
        let running = Running { walk: self, ledger, entered: entered(self.mounts, self.policy) };
        let root = Arc::new(root);
        rayon::scope(|scope| {
            let (name, path) = (b".".to_vec(), b"/".to_vec());
            let task = Task { depth: Depth::All, parent: root, name, path };
            running.folder(scope, &task);
        });
        Ok(())
    }

    /// Writes what waits to be written: it has no times yet (a page that a process changed through its
    /// memory), and no place on the disk.
    ///
    /// # Errors
    /// When the root cannot be opened.
    pub fn settle(&self) -> Result<(), WalkError> {
        let root = self.open_root()?;
        barrier(&root, &self.root, self.mounts);
        Ok(())
    }

    /// Walks some folders, and what is new below them. One that is gone is left to its parent to tell.
    ///
    /// # Errors
    /// When the root cannot be opened.
    pub fn run_some(&self, folders: &[&[u8]], ledger: &dyn Ledger) -> Result<(), WalkError> {
        let root = self.open_root()?;
        raise_limit();
        let running = Running { walk: self, ledger, entered: entered(self.mounts, self.policy) };
        rayon::scope(|scope| {
            for path in folders {
                let (running, root) = (&running, &root);
                scope.spawn(move |scope| running.by_path(scope, root, path));
            }
        });
        Ok(())
    }

    fn open_root(&self) -> Result<OwnedFd, WalkError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let failed = |error: Errno| WalkError { path: shown(&self.root), source: error.into() };
        rustix::fs::open(&self.root, flags, Mode::empty()).map_err(failed)
    }

    /// Hands out the entry of the root itself.
    fn root_entry(&self, root: &OwnedFd, ledger: &dyn Ledger) -> Result<(), WalkError> {
        let failed = |error: Errno| WalkError { path: shown(&self.root), source: error.into() };
        let mut own = read::stat_open(root, b"").map_err(failed)?;
        own.attributes = read::attributes(root);
        let known = ledger.known(b"");
        ledger.take(Folder { entries: vec![own], ..Folder::default() }, known);
        Ok(())
    }
}

/// Writes what waits to be written, on every file system that is looked into.
fn barrier(root: &OwnedFd, path: &Path, mounts: &[Mount]) {
    let _ = rustix::fs::syncfs(root);
    for mount in mounts.iter().filter(|it| it.point != b"/" && Policy::looks_into(&it.kind)) {
        use std::os::unix::ffi::OsStrExt;
        let inside =
            std::ffi::OsStr::from_bytes(mount.point.strip_prefix(b"/").unwrap_or_default());
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        if let Ok(folder) = rustix::fs::open(path.join(inside), flags, Mode::empty()) {
            let _ = rustix::fs::syncfs(folder);
        }
    }
}

/// Lets this process have as many open folders as it may: each level of a tree holds one.
fn raise_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where that is refused, what is too deep is told as not readable.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Where something is mounted that is looked into: each part of a file system once.
fn entered<'a>(mounts: &'a [Mount], policy: &Policy) -> HashSet<&'a [u8]> {
    let mut entered: Vec<&Mount> = Vec::new();
    for mount in
        mounts.iter().filter(|it| Policy::looks_into(&it.kind) && policy.reaches(&it.point))
    {
        let is_part =
            |it: &&Mount| it.device == mount.device && is_at_or_below(&mount.part, &it.part);
        if !entered.iter().any(is_part) {
            entered.push(mount);
        }
    }
    entered.into_iter().map(|it| it.point.as_slice()).collect()
}

/// Kinds of file systems that hold files of people and programs, and are not looked into.
const LEFT_OUT: [&str; 14] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "9p",
    "virtiofs",
    "ceph",
    "glusterfs",
    "fuse",
    "fuseblk",
    "overlay",
    "squashfs",
    "iso9660",
    "udf",
];

/// What is mounted on watched folders and not looked into, in words.
pub(crate) fn left_out(mounts: &[Mount], policy: &Policy) -> Vec<String> {
    let entered = entered(mounts, policy);
    let mut all = Vec::new();
    for mount in mounts {
        let point = mount.point.as_slice();
        let is_kind = LEFT_OUT.contains(&mount.kind.as_str()) || mount.kind.starts_with("fuse.");
        if point == b"/" || entered.contains(point) || policy.of(point) == Rule::Ignored {
            continue;
        }
        let shown = polder_model::printable(point);
        if Policy::looks_into(&mount.kind) {
            all.push(format!("`{shown}`: what is mounted there is looked at elsewhere"));
        } else if is_kind {
            all.push(format!(
                "`{shown}`: a file system of the kind {} is mounted there",
                mount.kind
            ));
        }
    }
    all
}

fn shown(path: &Path) -> String {
    polder_model::printable(path.as_os_str().as_encoded_bytes())
}

impl Running<'_> {
    /// A folder by its path, in which no part may be a link.
    fn by_path<'s>(&'s self, scope: &rayon::Scope<'s>, root: &'s OwnedFd, path: &[u8]) {
        if path.is_empty() {
            let _ = self.walk.root_entry(root, self.ledger);
            return;
        }
        let (parent, name) = match path {
            b"/" => (&b"/"[..], &b"."[..]),
            path => split(path),
        };
        let parent = match parent.strip_prefix(b"/") {
            Some(inside) if !inside.is_empty() => inside,
            _ => b".",
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH;
        let parent = rustix::fs::openat2(root, parent, flags, Mode::empty(), resolve);
        match parent {
            Ok(parent) => {
                let (parent, name, path) = (Arc::new(parent), name.to_vec(), path.to_vec());
                self.folder(scope, &Task { depth: Depth::New, parent, name, path });
            }
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
            Err(error) => self.unread(path, error),
        }
    }

    /// A folder that cannot be read.
    fn unread(&self, path: &[u8], error: Errno) {
        let problem = Some(std::io::Error::from(error).to_string());
        let folder = Folder { path: path.to_vec(), problem, ..Folder::default() };
        self.ledger.take(folder, self.ledger.known(path));
    }

    fn folder<'s>(&'s self, scope: &rayon::Scope<'s>, task: &Task) {
        let flags = OFlags::DIRECTORY;
        let opened = read::open(task.parent.as_fd(), &task.name, flags);
        let (folder, mut names) = match opened.and_then(|it| names(&it).map(|names| (it, names))) {
            Ok(both) => both,
            // Gone since its parent was read, which tells of it.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return,
            Err(error) => return self.unread(&task.path, error),
        };
        // In the order in which they lie on the disk.
        names.sort_unstable_by_key(|(inode, _)| *inode);
        let known = self.ledger.known(&task.path);
        let here = Place::new(self, task, known.as_deref().unwrap_or_default(), &folder);
        let mut found: Vec<Found> = match names.len() > 2 * CHUNK {
            true => names
                .par_chunks(CHUNK)
                .flat_map_iter(|chunk| chunk.iter().filter_map(|(_, name)| here.look(name)))
                .collect(),
            false => names.iter().filter_map(|(_, name)| here.look(name)).collect(),
        };
        found.sort_unstable_by(|a, b| a.entry.name.cmp(&b.entry.name));
        let (device, inode) = (here.device, here.inode);
        let has_logs = here.rules.has_logs();
        let folder = Arc::new(folder);
        let path = task.path.clone();
        let mut out = Folder { path, device, inode, has_logs, ..Folder::default() };
        out.entries.reserve_exact(found.len());
        self.ledger.progress(found.len() as u64, 0);
        for it in found {
            if it.enter && (task.depth == Depth::All || it.is_new) {
                let path = join(&task.path, &it.entry.name);
                if path.len() > PATH_BYTES_MAX {
                    let problem = Some(format!("its path is longer than {PATH_BYTES_MAX} bytes"));
                    self.ledger.take(Folder { path, problem, ..Folder::default() }, None);
                    continue;
                }
                let (parent, name) = (Arc::clone(&folder), it.entry.name.clone());
                let task = Task { depth: Depth::All, parent, name, path };
                scope.spawn(move |scope| self.folder(scope, &task));
            }
            out.beginnings.extend(it.beginning);
            if it.kept {
                out.entries.push(it.entry);
            }
        }
        add_lost_logs(&mut out, known.as_deref().unwrap_or_default(), &folder);
        self.ledger.take(out, known);
    }
}

/// Of logs that are gone from their inode: which of the new files begins with what they had.
fn add_lost_logs(out: &mut Folder, known: &[Entry], folder: &OwnedFd) {
    if !out.has_logs {
        return;
    }
    let inodes: HashSet<(u64, Option<Moment>)> =
        out.entries.iter().map(|it| (it.inode, it.born)).collect();
    let old: HashSet<(u64, Option<Moment>)> = known.iter().map(|it| (it.inode, it.born)).collect();
    let cut =
        |it: &Entry| out.entries.iter().any(|now| now.inode == it.inode && now.size < it.size);
    let lost = known.iter().filter(|it| {
        it.kind == Kind::File && it.size > 0 && (!inodes.contains(&(it.inode, it.born)) || cut(it))
    });
    let mut found = Vec::new();
    for was in lost {
        let stem = stem(&was.name);
        let new = out.entries.iter().filter(|it| {
            it.kind == Kind::File
                && !old.contains(&(it.inode, it.born))
                && self::stem(&it.name) == stem
        });
        for it in new {
            let begins = read::beginning(folder.as_fd(), &it.name, was.size);
            if begins == was.content {
                found.push((it.name.clone(), was.name.clone(), begins));
                break;
            }
        }
    }
    out.beginnings.extend(found);
}

/// Names in a folder with their inode numbers.
fn names(folder: &OwnedFd) -> Result<Vec<(u64, Vec<u8>)>, Errno> {
    let mut buffer = Vec::with_capacity(32 << 10);
    let mut names = Vec::new();
    let mut raw = RawDir::new(folder, buffer.spare_capacity_mut());
    while let Some(entry) = raw.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push((entry.ino(), name.to_vec()));
        }
    }
    Ok(names)
}

/// One name that was looked at.
struct Found {
    entry: Entry,
    /// Whether it is part of what is found.
    kept: bool,
    /// Whether it is a folder that is walked, too.
    enter: bool,
    /// Whether no such folder was known.
    is_new: bool,
    beginning: Option<(Vec<u8>, Vec<u8>, Content)>,
}

/// One folder while its names are looked at.
struct Place<'a> {
    running: &'a Running<'a>,
    rules: crate::policy::Here<'a>,
    path: &'a [u8],
    folder: &'a OwnedFd,
    device: (u32, u32),
    inode: u64,
    now: i64,
    /// What was known, by name.
    known: &'a [Entry],
    /// Of logs, which are known again by their inode after they were renamed.
    by_inode: HashMap<u64, &'a Entry>,
}

impl<'a> Place<'a> {
    fn new(
        running: &'a Running<'a>,
        task: &'a Task,
        known: &'a [Entry],
        folder: &'a OwnedFd,
    ) -> Self {
        let rules = running.walk.policy.within(&task.path);
        let stat = rustix::fs::fstat(folder);
        let (device, inode) = stat.map_or(((0, 0), 0), |it| {
            ((rustix::fs::major(it.st_dev), rustix::fs::minor(it.st_dev)), it.st_ino)
        });
        let is_log = rules.has_logs();
        let by_inode = known.iter().filter(|it| is_log && it.kind == Kind::File);
        Self {
            running,
            rules,
            path: &task.path,
            folder,
            device,
            inode,
            now: rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse).tv_sec,
            by_inode: by_inode.map(|it| (it.inode, it)).collect(),
            known,
        }
    }

    fn look(&self, name: &[u8]) -> Option<Found> {
        let rule = self.rules.of(name);
        let enters = self.rules.enters(name);
        if !enters {
            return None;
        }
        let folder = self.folder.as_fd();
        let known = self.known.binary_search_by(|it| it.name.as_slice().cmp(name)).ok();
        let known = known.and_then(|at| self.known.get(at));
        let mut entry = match read::stat(folder, name) {
            Ok(entry) => entry,
            // Gone between the list and the look.
            Err(Errno::NOENT) => return None,
            Err(error) => Entry {
                name: name.to_vec(),
                content: unverifiable(error),
                ..known.cloned().unwrap_or_default()
            },
        };
        let mut beginning = None;
        let unread = !matches!(entry.content, Content::Unverifiable(_));
        match rule {
            Rule::Ignored => {}
            Rule::Volatile => {
                // What somebody may run is read, wherever it lies.
                if entry.is_executable() || entry.is_set_uid() || entry.is_set_gid() {
                    self.complete(&mut entry, known);
                }
            }
            Rule::Full if unread => self.complete(&mut entry, known),
            Rule::Grows if unread => beginning = self.log(&mut entry, known),
            Rule::Full | Rule::Grows => {}
        }
        let enter = entry.kind == Kind::Folder && self.may_enter(&entry);
        let kept = match rule {
            Rule::Ignored => entry.kind == Kind::Folder,
            Rule::Volatile => is_notable(&entry),
            Rule::Full | Rule::Grows => true,
        };
        let is_new = known.is_none_or(|it| it.kind != Kind::Folder || it.inode != entry.inode);
        Some(Found { entry, kept, enter, is_new, beginning })
    }

    fn may_enter(&self, entry: &Entry) -> bool {
        if !entry.is_mount {
            return true;
        }
        let path = join(self.path, &entry.name);
        self.running.entered.contains(path.as_slice())
    }

    /// Whether what the kernel tells of an entry is enough to say that it is as it was.
    fn is_as_known(&self, entry: &Entry, known: &Entry) -> bool {
        !self.running.walk.reads_all
            && entry.is_untouched_since(known)
            && !known.is_racy
            && !self.is_shared(entry)
            && !matches!(known.content, Content::Unverifiable(_))
            && (entry.kind != Kind::File || known.content != Content::None)
    }

    fn is_shared(&self, entry: &Entry) -> bool {
        self.running.walk.shared.contains(&(self.device, entry.inode))
    }

    /// Fills in what statx does not tell.
    fn complete(&self, entry: &mut Entry, known: Option<&Entry>) {
        let folder = self.folder.as_fd();
        if let Some(known) = known.filter(|known| self.is_as_known(entry, known)) {
            entry.attributes.clone_from(&known.attributes);
            entry.target.clone_from(&known.target);
            entry.content.clone_from(&known.content);
            return;
        }
        match entry.kind {
            Kind::File => self.read(entry, Part::Whole),
            Kind::Link => {
                entry.target = read::target(folder, &entry.name);
                entry.attributes = read::attributes_unopened(folder, &entry.name);
            }
            _ => entry.attributes = read::attributes_unopened(folder, &entry.name),
        }
        self.note_races(entry);
    }

    fn note_races(&self, entry: &mut Entry) {
        let Moment(changed, _) = entry.changed;
        entry.is_racy = entry.kind == Kind::File
            && (changed > self.now - RACY_SECONDS || self.is_shared(entry));
    }

    fn read(&self, entry: &mut Entry, part: Part) {
        let mut bytes = 0;
        let done = read::content(self.folder.as_fd(), entry, part, &mut |count| bytes += count);
        self.running.ledger.progress(0, bytes);
        if let Err(error) = done {
            entry.content = unverifiable(error);
        }
    }

    /// As much of a log as there is now: it may grow while it is read.
    fn read_log(&self, entry: &mut Entry) {
        let size = entry.size;
        self.read(entry, Part::First(size));
        entry.size = entry.size.min(size);
        self.note_races(entry);
    }

    /// A log: of one that grew, or was renamed, as much as there was before.
    fn log(&self, entry: &mut Entry, known: Option<&Entry>) -> Option<(Vec<u8>, Vec<u8>, Content)> {
        let before = self.by_inode.get(&entry.inode).copied().filter(|it| it.born == entry.born);
        let wants_all = self.running.walk.reads_logs;
        let is_same = known.is_some_and(|known| self.is_as_known(entry, known));
        if entry.kind != Kind::File || is_same {
            self.complete(entry, known);
            return None;
        }
        if before.is_none() {
            self.read_log(entry);
            return None;
        }
        let before = before?;
        self.read(entry, Part::First(before.size));
        let beginning = std::mem::take(&mut entry.content);
        if wants_all {
            self.read_log(entry);
        }
        Some((entry.name.clone(), before.name.clone(), beginning))
    }
}

fn unverifiable(error: Errno) -> Content {
    Content::Unverifiable(std::io::Error::from(error).to_string())
}

/// What is worth knowing where files come and go: folders, and what gives rights to whoever uses it.
fn is_notable(entry: &Entry) -> bool {
    match entry.kind {
        Kind::Folder | Kind::Character | Kind::Block => true,
        Kind::File => entry.is_executable() || entry.is_set_uid() || entry.is_set_gid(),
        Kind::Link | Kind::Pipe | Kind::Socket => false,
    }
}
