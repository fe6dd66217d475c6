//! What can be asked of a host, and how it answers.

use crate::{Ask, BuildNotes, Output, Owners, Program, Stanzas, Sweep};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// Why a question had no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// There is no such thing.
    NotFound,
    /// The looker may not.
    Denied,
    /// It is larger than the bound.
    TooLarge,
    /// It took longer than the bound.
    TooSlow,
    /// The recording does not hold this question.
    NotRecorded,
    /// Anything else.
    Other,
}

/// A question that had no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{what}: {because}")]
pub struct HostError {
    /// What was asked: a path, a command, an address.
    pub what: String,
    /// Why there is no answer, in the system's words.
    pub because: String,
    /// The same, for code.
    pub kind: ErrorKind,
}

impl HostError {
    /// An error of a kind with its reason.
    pub fn new(kind: ErrorKind, what: impl Into<String>, because: impl Into<String>) -> Self {
        Self { what: what.into(), because: because.into(), kind }
    }

    /// An error of the operating system.
    pub fn from_io(what: &Path, error: &io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            io::ErrorKind::PermissionDenied => ErrorKind::Denied,
            _ => match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
                // A process that ended while its files were read.
                Some(rustix::io::Errno::SRCH) => ErrorKind::NotFound,
                Some(rustix::io::Errno::NOTDIR) => ErrorKind::NotFound,
                Some(rustix::io::Errno::PERM) => ErrorKind::Denied,
                _ => ErrorKind::Other,
            },
        };
        let what = polder_model::printable(what.as_os_str().as_encoded_bytes());
        Self { what, because: error.to_string(), kind }
    }

    /// Whether there is no such thing.
    pub fn is_not_found(&self) -> bool {
        self.kind == ErrorKind::NotFound
    }

    /// Whether root would have got an answer.
    pub fn is_denied(&self) -> bool {
        self.kind == ErrorKind::Denied
    }
}

/// Kind of a directory entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Regular file.
    File,
    /// Folder.
    Folder,
    /// Symbolic link.
    Link,
    /// Unix socket.
    Socket,
    /// Device, pipe or anything else.
    Other,
}

/// One entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its name, which may be any bytes.
    pub name: std::ffi::OsString,
    /// Its kind, links not followed.
    pub kind: Kind,
}

/// Owner, mode and times of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stat {
    /// Kind.
    pub kind: Kind,
    /// Permission bits with SUID, SGID and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Length in bytes.
    pub bytes: u64,
    /// Last change of the content, seconds since 1970.
    pub modified: i64,
    /// Last change of the inode, seconds since 1970.
    pub changed: i64,
    /// Inode number.
    pub inode: u64,
}

/// Who looks, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Seconds since 1970 by the host's clock.
    pub now: i64,
    /// Effective user id of the looker.
    pub uid: u32,
    /// Whether processes, sockets and programs of this host can be asked; not so for a mere folder.
    pub running: bool,
}

/// A machine that can be looked at. Every answer is already free of secrets.
pub trait Host: Sync {
    /// Who looks, and when.
    fn identity(&self) -> Identity;

    /// The content of a file, at most `bytes_max` bytes; a larger one is an error.
    ///
    /// # Errors
    /// When the file is missing, unreadable or too large.
    fn read(&self, path: &Path, bytes_max: u64) -> Result<Vec<u8>, HostError>;

    /// The content of a file as it is, secrets and all: for files of which only lists are made, and
    /// which no recording holds.
    ///
    /// # Errors
    /// When the file is missing, unreadable or too large.
    fn read_unrecorded(&self, path: &Path, bytes_max: u64) -> Result<Vec<u8>, HostError> {
        self.read(path, bytes_max)
    }

    /// A list of libraries: a lock file, or what an installer left. It may lie in a folder of anybody,
    /// so no link in its path is followed; passwords in its addresses are replaced by their class.
    ///
    /// # Errors
    /// When the file is missing, unreadable or too large, or a link leads to it.
    fn read_list(&self, path: &Path, bytes_max: u64) -> Result<Vec<u8>, HostError> {
        self.read(path, bytes_max)
    }

    /// The entries of a folder, sorted by name.
    ///
    /// # Errors
    /// When the folder is missing or unreadable.
    fn list(&self, path: &Path) -> Result<Vec<Entry>, HostError>;

    /// Owner and mode of what a path leads to, links followed.
    ///
    /// # Errors
    /// When there is nothing or it may not be seen.
    fn stat(&self, path: &Path) -> Result<Stat, HostError>;

    /// Owner and mode of the path itself, links not followed.
    ///
    /// # Errors
    /// When there is nothing or it may not be seen.
    fn stat_link(&self, path: &Path) -> Result<Stat, HostError>;

    /// Where a symbolic link points.
    ///
    /// # Errors
    /// When there is no link or it may not be seen.
    fn read_link(&self, path: &Path) -> Result<PathBuf, HostError>;

    /// The answer of one of a fixed set of programs.
    ///
    /// # Errors
    /// When it is not installed, or ran too long.
    fn run(&self, program: Program) -> Result<Output, HostError>;

    /// The first answer of a service of this host to a harmless greeting.
    ///
    /// # Errors
    /// When it cannot be reached or does not answer in time.
    fn ask(&self, ask: &Ask) -> Result<Vec<u8>, HostError>;

    /// Every file of the local file systems that somebody may misuse.
    ///
    /// # Errors
    /// When not even the root folder can be read.
    fn sweep(&self) -> Result<Sweep, HostError>;

    /// The stanzas of a package index that are about `names`, cut to a few fields.
    ///
    /// # Errors
    /// When the index is missing, unreadable or compressed in a way not known here.
    fn stanzas(&self, path: &Path, names: &BTreeSet<String>) -> Result<Stanzas, HostError>;

    /// What compilers noted in a program of the modules it was built from.
    ///
    /// # Errors
    /// When the file is missing, unreadable or damaged.
    fn build_notes(&self, path: &Path) -> Result<BuildNotes, HostError>;

    /// Which package owns each of `paths`.
    ///
    /// # Errors
    /// When no package database can be read.
    fn owners(&self, paths: &BTreeSet<String>) -> Result<Owners, HostError>;
}
