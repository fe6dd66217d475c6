//! Two threads that only take notes: one of what happens to files, one of processes.

use super::process::{Process, Processes, connect, parse_process_events};
use super::records::{FileEvent, parse_file_events};
use crate::mounts::Mount;
use crate::now::Shared as MappedFiles;
use crate::policy::{Policy, split};
use polder_sys::{Handle, Mask, group, mark_file_system, open_handle};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ffi::CString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The bit that says of an event that it is about a folder (FAN_ONDIR); it is none by itself.
const FOLDER: u64 = 0x4000_0000;

/// Bytes read of the queue at once: some thousand events.
const READ_BYTES: usize = 256 << 10;

/// Between two reads events of one name become one in the kernel's queue, which costs nothing.
const PAUSE: Duration = Duration::from_millis(5);

/// Names of one folder, and folders, that are kept apart until somebody looks. Of more only the folder is
/// known, and of more folders nothing: then everything is looked at.
const NAMES_MAX: usize = 512;
const FOLDERS_MAX: usize = 65_536;

/// Processes whose programs are remembered, the latest ones: of those that run longer `/proc` can be asked.
const PROGRAMS_MAX: usize = 8192;

/// How long a thread waits before it sees whether it is still wanted.
const TURN_MS: i64 = 500;

/// Why nothing can be watched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// The kernel gives no group.
    #[error("the kernel tells this process nothing of files (fanotify)")]
    Group(#[source] std::io::Error),
    /// None of the file systems can be marked.
    #[error("no file system can be watched: {0}")]
    Nothing(String),
    /// No thread can be made.
    #[error("cannot begin a thread")]
    Thread(#[source] std::io::Error),
}

/// A name that was touched, and by whom.
#[derive(Clone, Debug)]
pub struct Name {
    /// Bits of fanotify_mark(2).
    pub mask: u64,
    /// The process that did the last of it.
    pub who: Option<Arc<Process>>,
    /// Its number, and the program it began as far as the kernel told of it in the same queue.
    pid: u32,
    program: Option<Arc<Program>>,
}

/// A program as events name it: its folder and its name there.
#[derive(Debug)]
struct Program {
    folder: Key,
    name: Vec<u8>,
}

/// Whether a name is that of a loader (ld.so(8)) of glibc, of its older versions, or of musl.
fn is_loader(name: &[u8]) -> bool {
    let is_named = |start: &[u8]| name.starts_with(start);
    let is_shared = memchr::memmem::find(name, b".so").is_some();
    is_shared
        && [&b"ld-linux"[..], b"ld-musl", b"ld-2.", b"ld64.", b"ld.so"]
            .iter()
            .any(|it| is_named(it))
        || name == b"libc.so"
}

/// Which program each process began last, or tried to begin. It is told in the same queue as what the process did to files
/// then, and so it is known however short the process lived.
#[derive(Default)]
struct Programs {
    all: HashMap<u32, Arc<Program>>,
    order: VecDeque<u32>,
}

impl Programs {
    fn begins(&mut self, pid: u32, program: Program) {
        // Of what runs, the loader of shared libraries is opened last.
        if is_loader(&program.name) {
            return;
        }
        if self.all.insert(pid, Arc::new(program)).is_none() {
            self.order.push_back(pid);
        }
        while self.order.len() > PROGRAMS_MAX {
            if let Some(old) = self.order.pop_front() {
                self.all.remove(&old);
            }
        }
    }
}

/// A folder in which something was touched.
#[derive(Clone, Debug)]
pub struct TouchedFolder {
    /// Its path.
    pub path: Vec<u8>,
    /// The names; not all of them where there are very many.
    pub names: BTreeMap<Vec<u8>, Name>,
    /// Whether all names are there.
    pub is_whole: bool,
}

/// What happened since somebody looked last.
#[derive(Clone, Debug, Default)]
pub struct Touched {
    /// Folders, by path.
    pub folders: Vec<TouchedFolder>,
    /// Since when events were lost, so that anything may have been touched.
    pub lost_since: Option<Instant>,
}

impl Touched {
    /// Names that were touched, as far as they are kept apart.
    pub fn names(&self) -> usize {
        self.folders.iter().map(|it| it.names.len()).sum()
    }
}

/// A folder as events name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    file_system: [i32; 2],
    handle: Handle,
}

/// Roots of file systems that were opened for one look.
type Roots = HashMap<[i32; 2], Option<OwnedFd>>;

/// Names that were touched, and whether these are all.
type Names = (BTreeMap<Vec<u8>, Name>, bool);

#[derive(Default)]
struct Pending {
    folders: HashMap<Key, Names>,
    lost_since: Option<Instant>,
    /// When the queue was last read to its end: what was lost was lost after that.
    read_until: Option<Instant>,
}

/// What both threads and their owner share.
struct Shared {
    group: OwnedFd,
    pending: Mutex<Pending>,
    processes: Processes,
    stops: AtomicBool,
    events: AtomicU64,
}

/// Marks on file systems, and what they tell.
pub struct Watcher {
    shared: Arc<Shared>,
    threads: Vec<std::thread::JoinHandle<()>>,
    /// Asks for what processes may write to, and the answer.
    maps: Option<(Sender<()>, Receiver<MappedFiles>)>,
    /// Where each file system that is watched is mounted, by the name that events give it. It is not kept open:
    /// nobody could unmount it then.
    roots: HashMap<[i32; 2], Mount>,
    /// The same of file systems of which it is only heard that programs begin there.
    others: HashMap<[i32; 2], Mount>,
    /// File systems that cannot be watched, with the reason.
    pub refused: Vec<(String, String)>,
    /// Why processes are known less well than they could be, if so.
    pub processes_problem: Option<String>,
}

impl Watcher {
    /// Marks every file system that is looked into.
    ///
    /// # Errors
    /// When the kernel gives no group, or none of the file systems can be marked.
    pub fn start(mounts: &[Mount], policy: &Policy) -> Result<Self, WatchError> {
        let shared = Shared {
            group: group().map_err(WatchError::Group)?,
            pending: Mutex::default(),
            // First the socket, then the list: nothing comes between.
            processes: Processes::default(),
            stops: AtomicBool::new(false),
            events: AtomicU64::new(0),
        };
        let mut it = Self {
            shared: Arc::new(shared),
            threads: Vec::new(),
            maps: None,
            roots: HashMap::new(),
            others: HashMap::new(),
            refused: Vec::new(),
            processes_problem: None,
        };
        it.mark(mounts, policy);
        if it.roots.is_empty() {
            let reasons: Vec<String> =
                it.refused.iter().map(|(place, why)| format!("{place}: {why}")).collect();
            return Err(WatchError::Nothing(reasons.join("; ")));
        }
        match connect() {
            Ok(socket) => {
                it.shared.processes.follow();
                let shared = Arc::clone(&it.shared);
                it.thread("polder-processes", move || read_processes(&shared, &socket))?;
            }
            Err(error) => it.processes_problem = Some(error.to_string()),
        }
        it.shared.processes.look_again();
        let (ask, asked) = channel();
        let (answer, answered) = channel();
        it.thread("polder-maps", move || {
            while asked.recv().is_ok() {
                if answer.send(MappedFiles::here()).is_err() {
                    break;
                }
            }
        })?;
        it.maps = Some((ask, answered));
        let shared = Arc::clone(&it.shared);
        it.thread("polder-files", move || read_files(&shared))?;
        Ok(it)
    }

    fn thread(
        &mut self,
        name: &str,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<(), WatchError> {
        let thread = std::thread::Builder::new().name(name.into()).spawn(work);
        self.threads.push(thread.map_err(WatchError::Thread)?);
        Ok(())
    }

    /// Marks the file systems of these mounts. What was unmounted lost its mark, and may be back looking the same: all
    /// are marked again, which changes nothing where a mark is.
    pub fn mark(&mut self, mounts: &[Mount], policy: &Policy) {
        self.roots.clear();
        self.others.clear();
        self.refused.clear();
        let is_watched = |it: &&Mount| Policy::looks_into(&it.kind) && policy.reaches(&it.point);
        let (mut watched, others): (Vec<&Mount>, Vec<&Mount>) = mounts.iter().partition(is_watched);
        // Those that show all of a file system go first: they name the paths.
        watched.sort_by_key(|it| it.part != b"/");
        for mount in watched {
            if let Err(error) = self.mark_one(mount, true) {
                let place = polder_model::printable(&mount.point);
                self.refused.push((place, std::io::Error::from(error).to_string()));
            }
        }
        // Who did something may be a program from anywhere. Where that is not told, processes are asked. What lies on
        // other machines, or mounts itself when it is looked at, is left alone.
        let is_local = |it: &&&Mount| {
            Policy::looks_into(&it.kind)
                || matches!(it.kind.as_str(), "overlay" | "squashfs" | "erofs")
        };
        for mount in others.iter().filter(is_local) {
            let _ = self.mark_one(mount, false);
        }
    }

    fn mark_one(&mut self, mount: &Mount, is_watched: bool) -> Result<(), Errno> {
        let path = CString::new(mount.point.clone()).map_err(|_| Errno::INVAL)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let root = rustix::fs::open(&path, flags, Mode::empty())?;
        let file_system = file_system_of(&root)?;
        if self.roots.contains_key(&file_system) || self.others.contains_key(&file_system) {
            return Ok(());
        }
        let (mask, known) = match is_watched {
            true => (Mask::CHANGES.and(Mask::RUNS), &mut self.roots),
            false => (Mask::RUNS, &mut self.others),
        };
        mark_file_system(&self.shared.group, mask, &path)
            .map_err(|error| error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error))?;
        known.insert(file_system, mount.clone());
        Ok(())
    }

    /// Files that processes may write to through their memory, asked by a thread that began with the watcher:
    /// who gave rights up since may not look into other processes any more.
    pub fn mapped(&self) -> MappedFiles {
        let answer = self.maps.as_ref().and_then(|(ask, answer)| {
            ask.send(()).ok()?;
            answer.recv().ok()
        });
        answer.unwrap_or_else(MappedFiles::here)
    }

    /// Events that were read so far.
    pub fn events(&self) -> u64 {
        self.shared.events.load(Ordering::Relaxed)
    }

    /// The processes that one comes from, nearest first.
    pub fn ancestors(&self, process: &Process) -> Vec<Arc<Process>> {
        self.shared.processes.ancestors(process)
    }

    /// What was touched since the last time, and forgets it. Of folders that cannot be found any more their
    /// parents tell.
    pub fn take(&self) -> Touched {
        let mut pending = self.shared.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let folders = std::mem::take(&mut pending.folders);
        let mut lost_since = pending.lost_since.take();
        drop(pending);
        let mut found: BTreeMap<Vec<u8>, Names> = BTreeMap::new();
        let mut opened = Roots::new();
        for (key, (names, is_whole)) in folders {
            let Some(root) = self.root(key.file_system, &mut opened) else {
                // Where it lies cannot be told: anything on it may have been touched.
                lost_since.get_or_insert_with(Instant::now);
                continue;
            };
            let Some(path) = path(root, &key.handle) else { continue };
            for (name, mut what) in names {
                self.complete(&mut what, &mut opened);
                // Rights of the folder itself stand in the one above it.
                let (folder, name) = match name.as_slice() {
                    b"." if path == b"/" => (Vec::new(), b"".to_vec()),
                    b"." => {
                        let (above, own) = split(&path);
                        (above.to_vec(), own.to_vec())
                    }
                    _ => (path.clone(), name),
                };
                let slot = found.entry(folder).or_insert_with(|| (BTreeMap::new(), true));
                slot.0.insert(name, what);
            }
            if !is_whole {
                found.entry(path).or_default().1 = false;
            }
        }
        let folders = found.into_iter().map(|(path, (names, is_whole))| TouchedFolder {
            path,
            names,
            is_whole,
        });
        Touched { folders: folders.collect(), lost_since }
    }

    /// Asks again who did something: that it began a program of its own may have been heard since. Of whom `/proc`
    /// did not tell in time, the program is taken that the kernel opened for it last: it may only have tried to begin
    /// it, so what `/proc` told goes first.
    fn complete(&self, what: &mut Name, opened: &mut Roots) {
        let is_settled = |it: &Arc<Process>| it.executable.is_some() && !it.is_inherited;
        if what.who.as_ref().is_some_and(is_settled) {
            return;
        }
        let who = self.shared.processes.get(what.pid).or_else(|| what.who.take());
        what.who = match (who, what.program.as_ref().and_then(|it| self.place(it, opened))) {
            (Some(who), Some(program)) if who.executable.is_none() => Some(Arc::new(Process {
                executable: Some(program),
                is_inherited: false,
                ..(*who).clone()
            })),
            (None, Some(program)) => Some(Arc::new(Process {
                pid: what.pid,
                executable: Some(program),
                ..Process::default()
            })),
            (who, _) => who,
        };
    }

    /// Where a program lies.
    fn place(&self, program: &Program, opened: &mut Roots) -> Option<PathBuf> {
        let root = self.root(program.folder.file_system, opened)?;
        let folder = path(root, &program.folder.handle)?;
        let path = crate::join(&folder, &program.name);
        Some(PathBuf::from(std::ffi::OsString::from_vec(path)))
    }

    fn root<'a>(&self, file_system: [i32; 2], opened: &'a mut Roots) -> Option<&'a OwnedFd> {
        opened.entry(file_system).or_insert_with(|| self.open(file_system)).as_ref()
    }

    /// The root of a file system, if it still lies where it was mounted.
    fn open(&self, file_system: [i32; 2]) -> Option<OwnedFd> {
        let mount = self.roots.get(&file_system).or_else(|| self.others.get(&file_system))?;
        let path = std::ffi::OsStr::from_bytes(&mount.point);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let root = rustix::fs::open(path, flags, Mode::empty()).ok()?;
        (file_system_of(&root).ok()? == file_system).then_some(root)
    }

    /// Whether a name in a folder may give rights to whoever uses it: looked at where files come and go.
    pub fn gives_rights(folder: &[u8], name: &[u8]) -> bool {
        let path = crate::join(folder, name);
        let metadata = std::path::Path::new(std::ffi::OsStr::from_bytes(&path)).symlink_metadata();
        metadata.is_ok_and(|it| {
            use std::os::unix::fs::{FileTypeExt, PermissionsExt};
            let kind = it.file_type();
            let is_device = kind.is_block_device() || kind.is_char_device();
            is_device || kind.is_dir() || (kind.is_file() && it.permissions().mode() & 0o6111 != 0)
        })
    }
}

/// How events name the file system that something lies on.
fn file_system_of(file: &OwnedFd) -> Result<[i32; 2], Errno> {
    // The same two words, as one number.
    let [a, b, c, d, e, f, g, h] = rustix::fs::fstatvfs(file)?.f_fsid.to_le_bytes();
    Ok([i32::from_le_bytes([a, b, c, d]), i32::from_le_bytes([e, f, g, h])])
}

/// Where a folder lies now.
fn path(root: &OwnedFd, handle: &Handle) -> Option<Vec<u8>> {
    let folder = open_handle(root, handle).ok()?;
    // One that was removed has no name any more.
    if rustix::fs::fstat(&folder).ok()?.st_nlink == 0 {
        return None;
    }
    let link = format!("/proc/self/fd/{}", folder.as_raw_fd());
    let path = std::fs::read_link(link).ok()?.into_os_string().into_vec();
    path.starts_with(b"/").then_some(path)
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.shared.stops.store(true, Ordering::Relaxed);
        self.maps = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Whether something can be read within a turn.
fn waits(fd: impl AsFd) -> bool {
    let mut one = [PollFd::new(&fd, PollFlags::IN)];
    let turn = rustix::event::Timespec { tv_sec: 0, tv_nsec: TURN_MS * 1_000_000 };
    poll(&mut one, Some(&turn)).is_ok_and(|count| count > 0)
}

/// Takes note of what happens to files, and of who did it while that is known.
fn read_files(shared: &Shared) {
    let _ = rustix::process::setpriority_process(None, -10);
    let mut buffer = vec![0_u8; READ_BYTES];
    let own = std::process::id();
    let mut programs = Programs::default();
    while !shared.stops.load(Ordering::Relaxed) {
        if !waits(&shared.group) {
            note_end(shared);
            continue;
        }
        loop {
            let count = match rustix::io::read(&shared.group, buffer.as_mut_slice()) {
                Ok(0) | Err(Errno::AGAIN) => break,
                Ok(count) => count,
                Err(Errno::INTR) => continue,
                Err(_) => {
                    note_lost(shared);
                    break;
                }
            };
            let events = parse_file_events(buffer.get(..count).unwrap_or_default());
            note(shared, events, own, &mut programs);
        }
        note_end(shared);
        std::thread::sleep(PAUSE);
    }
}

fn note_end(shared: &Shared) {
    let mut pending = shared.pending.lock().unwrap_or_else(PoisonError::into_inner);
    pending.read_until = Some(Instant::now());
}

fn note_lost(shared: &Shared) {
    let mut pending = shared.pending.lock().unwrap_or_else(PoisonError::into_inner);
    let since = pending.read_until.unwrap_or_else(Instant::now);
    pending.lost_since.get_or_insert(since);
}

fn note(shared: &Shared, events: Vec<FileEvent>, own: u32, programs: &mut Programs) {
    shared.events.fetch_add(events.len() as u64, Ordering::Relaxed);
    // Many events in a row are of one process.
    let mut last: Option<(u32, Option<Arc<Process>>)> = None;
    let mut lost = false;
    let mut noted = Vec::with_capacity(events.len());
    for event in events {
        let FileEvent::Name { mask, pid, file_system, folder, name } = event else {
            lost = true;
            continue;
        };
        // What Polder writes itself is guarded by its own means; of it there would be no end.
        if pid == own {
            continue;
        }
        let key = Key { file_system, handle: folder };
        if mask & Mask::RUNS.0 != 0 {
            programs.begins(pid, Program { folder: key.clone(), name: name.clone() });
            last = None;
        }
        if mask & Mask::CHANGES.0 & !FOLDER == 0 {
            continue;
        }
        let who = match &last {
            Some((known, who)) if *known == pid => who.clone(),
            _ => shared.processes.get(pid),
        };
        last = Some((pid, who.clone()));
        let program = programs.all.get(&pid).cloned();
        noted.push((key, name, Name { mask, who, pid, program }));
    }
    if lost {
        note_lost(shared);
    }
    let mut pending = shared.pending.lock().unwrap_or_else(PoisonError::into_inner);
    for (key, name, what) in noted {
        if pending.folders.len() >= FOLDERS_MAX && !pending.folders.contains_key(&key) {
            pending.lost_since.get_or_insert_with(Instant::now);
            continue;
        }
        let (names, is_whole) =
            pending.folders.entry(key).or_insert_with(|| (BTreeMap::new(), true));
        let is_full = names.len() >= NAMES_MAX;
        match names.get_mut(&name) {
            // Who wrote it did more than who closed it, or gave it other rights.
            Some(known) if weight(what.mask) < weight(known.mask) => known.mask |= what.mask,
            Some(known) => *known = Name { mask: known.mask | what.mask, ..what },
            None if is_full => *is_whole = false,
            None => {
                names.insert(name, what);
            }
        }
    }
}

/// How much an event tells of who changed something: names and content, then rights, then that it was closed.
fn weight(mask: u64) -> u8 {
    const RIGHTS: u64 = 0x4;
    const CLOSED: u64 = 0x8;
    match mask & Mask::CHANGES.0 & !FOLDER {
        it if it & !(RIGHTS | CLOSED) != 0 => 2,
        it if it & RIGHTS != 0 => 1,
        _ => 0,
    }
}

/// Takes note of processes as they come and go.
fn read_processes(shared: &Shared, socket: &OwnedFd) {
    ahead();
    let mut buffer = vec![0_u8; 64 << 10];
    while !shared.stops.load(Ordering::Relaxed) {
        if !waits(socket) {
            continue;
        }
        loop {
            let flags = rustix::net::RecvFlags::DONTWAIT;
            match rustix::net::recv(socket, buffer.as_mut_slice(), flags) {
                Ok((_, count)) => {
                    let events = parse_process_events(buffer.get(..count).unwrap_or_default());
                    shared.processes.take(&events);
                }
                Err(Errno::NOBUFS) => {
                    shared.processes.look_again();
                }
                Err(_) => break,
            }
        }
    }
}

/// Lets this thread go before others: what it is to take note of does not wait.
fn ahead() {
    if polder_sys::go_first().is_err() {
        let _ = rustix::process::setpriority_process(None, -10);
    }
}
