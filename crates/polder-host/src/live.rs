//! The machine Polder runs on, or a folder that holds a whole root file system.

use crate::host::{Entry, ErrorKind, Host, HostError, Identity, Kind, Stat};
use crate::index::memory::Memory;
use crate::{
    Ask, BuildNotes, Output, Owners, Program, Stanzas, Sweep, ask, build_notes, index, owners,
    program, redact, sweep,
};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, StatxFlags};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

/// Most entries taken from one folder.
const ENTRIES_MAX: usize = 1_000_000;

/// A host that is really there.
#[derive(Debug)]
pub struct LiveHost {
    root: PathBuf,
    /// Set when a folder is looked at instead of the running system.
    root_fd: Option<OwnedFd>,
    /// The files of all RPM packages: seconds to list, and asked for more than once.
    rpm_files: OnceLock<Result<Output, HostError>>,
    /// What was kept of package indices the last time.
    memory: Option<Memory>,
}

impl LiveHost {
    /// The machine this program runs on.
    pub fn here() -> Self {
        Self { root: PathBuf::from("/"), root_fd: None, rpm_files: OnceLock::new(), memory: None }
    }

    /// A root file system in a folder: an image, a chroot, a mounted disk. Links stay inside it.
    ///
    /// # Errors
    /// When the folder cannot be opened.
    pub fn folder(root: &Path) -> Result<Self, HostError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(root, flags, Mode::empty())
            .map_err(|error| HostError::from_io(root, &error.into()))?;
        let root = std::fs::canonicalize(root).map_err(|error| HostError::from_io(root, &error))?;
        Ok(Self { root, root_fd: Some(fd), rpm_files: OnceLock::new(), memory: None })
    }

    /// Remembers what was kept of package indices below the folder of Polder's own state.
    pub fn remembering(self, state: &Path) -> Self {
        Self { memory: Some(Memory::in_state(state)), ..self }
    }

    fn open(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, HostError> {
        // What is only named is not opened: `openat2` takes no other flags beside that one.
        let flags = match flags.contains(OFlags::PATH) {
            true => flags | OFlags::CLOEXEC,
            false => flags | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY,
        };
        let opened = match &self.root_fd {
            None => rustix::fs::open(path, flags, Mode::empty()),
            Some(root) => {
                let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
                rustix::fs::openat2(root, path, flags, Mode::empty(), resolve)
            }
        };
        opened.map_err(|error| HostError::from_io(path, &error.into()))
    }

    fn stat_of(&self, path: &Path, flags: OFlags) -> Result<Stat, HostError> {
        let failed = |error: rustix::io::Errno| HostError::from_io(path, &error.into());
        let statx = if self.root_fd.is_some() {
            let fd = self.open(path, OFlags::PATH | flags)?;
            rustix::fs::statx(&fd, c"", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS)
        } else {
            let follow = if flags.contains(OFlags::NOFOLLOW) {
                AtFlags::SYMLINK_NOFOLLOW
            } else {
                AtFlags::empty()
            };
            rustix::fs::statx(rustix::fs::CWD, path, follow, StatxFlags::BASIC_STATS)
        }
        .map_err(failed)?;
        let mode = u32::from(statx.stx_mode);
        Ok(Stat {
            kind: sweep::kind_of(FileType::from_raw_mode(mode)),
            mode: mode & 0o7777,
            uid: statx.stx_uid,
            gid: statx.stx_gid,
            bytes: statx.stx_size,
            modified: statx.stx_mtime.tv_sec,
            changed: statx.stx_ctime.tv_sec,
            inode: statx.stx_ino,
        })
    }

    /// Names a file to which no link leads; one of a container from its own root on.
    fn name_unlinked(&self, path: &Path) -> Result<OwnedFd, HostError> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let resolve = ResolveFlags::NO_SYMLINKS;
        let failed = |error: rustix::io::Errno| HostError::from_io(path, &error.into());
        if let Some(root) = &self.root_fd {
            let resolve = resolve | ResolveFlags::IN_ROOT;
            return rustix::fs::openat2(root, path, flags, Mode::empty(), resolve).map_err(failed);
        }
        let text = path.to_str().unwrap_or_default();
        let inside = text.strip_prefix("/proc/").and_then(|it| it.split_once("/root/"));
        if let Some((pid, inside)) = inside.filter(|it| it.0.bytes().all(|it| it.is_ascii_digit()))
        {
            let root = format!("/proc/{pid}/root");
            let flags_of_root = flags | OFlags::DIRECTORY;
            let root = rustix::fs::open(root, flags_of_root, Mode::empty()).map_err(failed)?;
            let resolve = resolve | ResolveFlags::IN_ROOT;
            return rustix::fs::openat2(root, inside, flags, Mode::empty(), resolve)
                .map_err(failed);
        }
        rustix::fs::openat2(rustix::fs::CWD, path, flags, Mode::empty(), resolve).map_err(failed)
    }

    /// Opens what was named for reading, once it is known to be a plain file: to open a device may
    /// already do something, and a pipe could keep its reader waiting for ever.
    fn open_plain(named: &OwnedFd, path: &Path) -> Result<File, HostError> {
        let failed = |error: rustix::io::Errno| HostError::from_io(path, &error.into());
        let stat = rustix::fs::fstat(named).map_err(failed)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(HostError::new(ErrorKind::Other, shown(path), "not a regular file"));
        }
        let again = format!("/proc/self/fd/{}", named.as_raw_fd());
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        rustix::fs::open(again, flags, Mode::empty()).map(File::from).map_err(failed)
    }

    fn run_now(&self, program: Program) -> Result<Output, HostError> {
        if self.root_fd.is_some() {
            let is_there = |it: &&&str| self.list(it.as_ref()).is_ok_and(|it| !it.is_empty());
            if let Some(database) = program.reads().iter().find(is_there) {
                return program::run_below(program, &self.root, database);
            }
            let because = "a folder is looked at, not a running host";
            return Err(HostError::new(ErrorKind::NotFound, program.shown(), because));
        }
        program::run(program)
    }

    fn read_raw(&self, path: &Path, bytes_max: u64) -> Result<Vec<u8>, HostError> {
        let file = Self::open_plain(&self.open(path, OFlags::PATH)?, path)?;
        Self::read_file(file, path, bytes_max)
    }

    fn read_file(file: File, path: &Path, bytes_max: u64) -> Result<Vec<u8>, HostError> {
        let failed = |error: std::io::Error| HostError::from_io(path, &error);
        let metadata = file.metadata().map_err(failed)?;
        if metadata.len() > bytes_max {
            let because = format!("larger than {bytes_max} bytes");
            return Err(HostError::new(ErrorKind::TooLarge, shown(path), because));
        }
        let mut bytes =
            Vec::with_capacity(usize::try_from(metadata.len().min(bytes_max)).unwrap_or(0));
        file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > bytes_max {
            let because = format!("larger than {bytes_max} bytes");
            return Err(HostError::new(ErrorKind::TooLarge, shown(path), because));
        }
        Ok(bytes)
    }
}

fn shown(path: &Path) -> String {
    polder_model::printable(path.as_os_str().as_encoded_bytes())
}

impl Host for LiveHost {
    fn identity(&self) -> Identity {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .ok()
            .and_then(|it| i64::try_from(it.as_secs()).ok())
            .unwrap_or(0);
        Identity { now, uid: rustix::process::geteuid().as_raw(), running: self.root_fd.is_none() }
    }

    fn read(&self, path: &Path, bytes_max: u64) -> Result<Vec<u8>, HostError> {
        self.read_raw(path, bytes_max).map(|bytes| redact::content(path, bytes))
    }

    fn read_unrecorded(&self, path: &Path, bytes_max: u64) -> Result<Vec<u8>, HostError> {
        self.read_raw(path, bytes_max)
    }

    fn list(&self, path: &Path) -> Result<Vec<Entry>, HostError> {
        let fd = self.open(path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let failed = |error: rustix::io::Errno| HostError::from_io(path, &error.into());
        let mut entries = Vec::new();
        for entry in rustix::fs::Dir::new(fd).map_err(failed)?.take(ENTRIES_MAX) {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_bytes();
            if !matches!(name, b"." | b"..") {
                let name = std::ffi::OsString::from_vec(name.to_vec());
                entries.push(Entry { name, kind: sweep::kind_of(entry.file_type()) });
            }
        }
        entries.sort();
        Ok(entries)
    }

    fn stat(&self, path: &Path) -> Result<Stat, HostError> {
        self.stat_of(path, OFlags::empty())
    }

    fn stat_link(&self, path: &Path) -> Result<Stat, HostError> {
        self.stat_of(path, OFlags::NOFOLLOW)
    }

    fn read_link(&self, path: &Path) -> Result<PathBuf, HostError> {
        let failed = |error: rustix::io::Errno| HostError::from_io(path, &error.into());
        let target = if self.root_fd.is_some() {
            let fd = self.open(path, OFlags::PATH | OFlags::NOFOLLOW)?;
            rustix::fs::readlinkat(&fd, c"", Vec::new())
        } else {
            rustix::fs::readlink(path, Vec::new())
        };
        Ok(PathBuf::from(std::ffi::OsString::from_vec(target.map_err(failed)?.into_bytes())))
    }

    fn read_list(&self, path: &Path, bytes_max: u64) -> Result<Vec<u8>, HostError> {
        let file = Self::open_plain(&self.name_unlinked(path)?, path)?;
        Self::read_file(file, path, bytes_max).map(redact::library_list)
    }

    fn run(&self, program: Program) -> Result<Output, HostError> {
        match program {
            Program::RpmFiles => self.rpm_files.get_or_init(|| self.run_now(program)).clone(),
            _ => self.run_now(program),
        }
    }

    fn ask(&self, ask: &Ask) -> Result<Vec<u8>, HostError> {
        if self.root_fd.is_some() {
            let because = "a folder is looked at, not a running host";
            return Err(HostError::new(ErrorKind::NotFound, ask.shown(), because));
        }
        ask::ask(ask)
    }

    fn sweep(&self) -> Result<Sweep, HostError> {
        let mounts = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
        sweep::sweep(&self.root, &mounts)
    }

    fn stanzas(&self, path: &Path, names: &BTreeSet<String>) -> Result<Stanzas, HostError> {
        let file = Self::open_plain(&self.open(path, OFlags::PATH)?, path)?;
        let Some(memory) = &self.memory else {
            return index::read(path, &shown(path), file, names);
        };
        let failed = |error: rustix::io::Errno| HostError::from_io(path, &error.into());
        let before = rustix::fs::statx(&file, c"", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS)
            .map_err(failed)?;
        let key = Memory::key(&self.root.join(path), &before, names);
        if let Some(stanzas) = memory.recall(&key) {
            return Ok(stanzas);
        }
        let stanzas = index::read(path, &shown(path), file, names)?;
        memory.keep(&key, self.identity().now, &stanzas);
        Ok(stanzas)
    }

    fn build_notes(&self, path: &Path) -> Result<BuildNotes, HostError> {
        let file = Self::open_plain(&self.open(path, OFlags::PATH)?, path)?;
        build_notes::read(&file, &shown(path))
    }

    fn owners(&self, paths: &BTreeSet<String>) -> Result<Owners, HostError> {
        owners::find(self, paths)
    }
}

impl Kind {
    /// Whether it is a folder.
    pub fn is_folder(self) -> bool {
        self == Self::Folder
    }
}
