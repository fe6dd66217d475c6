//! The file of a database, those beside it, and who may open them.

use crate::peers::client;
use crate::{AccessError, Client};
use rustix::fs::{AtFlags, Mode, OFlags};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What a file of SQLite begins with (Database File Format, 1.3).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Endings of files that hold parts of it while somebody writes.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// A file or folder, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Entry {
    pub(super) path: PathBuf,
    /// Bits of the mode, without its kind.
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// Who looks: a user of the system with its groups.
#[derive(Clone, Debug, Default)]
pub(super) struct Who {
    pub(super) uid: u32,
    pub(super) gids: BTreeSet<u32>,
}

impl Entry {
    fn of(path: &Path) -> Result<Self, std::io::Error> {
        let it = std::fs::symlink_metadata(path)?;
        Ok(Self { path: path.into(), mode: it.mode() & 0o7777, uid: it.uid(), gid: it.gid() })
    }

    /// Whether somebody has all these bits of the three (4 reads, 2 writes, 1 enters); root has.
    pub(super) fn allows(&self, who: &Who, bits: u32) -> bool {
        let own = match () {
            () if who.uid == 0 => return true,
            () if who.uid == self.uid => self.mode >> 6,
            () if who.gids.contains(&self.gid) => self.mode >> 3,
            () => self.mode,
        };
        own & bits == bits
    }
}

/// The database, what lies beside it, and the folders on the way, the innermost first.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Files {
    pub(super) files: Vec<Entry>,
    pub(super) folders: Vec<Entry>,
}

impl Files {
    /// Looks.
    pub(super) fn look(path: &Path) -> Result<Self, AccessError> {
        let failed = |what: String| AccessError::File { path: path.into(), what };
        let path = std::fs::canonicalize(path).map_err(|error| failed(error.to_string()))?;
        let mut head = [0u8; 16];
        let file = std::fs::File::open(&path).map_err(|error| failed(error.to_string()))?;
        let is_whole = std::io::Read::read_exact(&mut &file, &mut head).is_ok();
        let is_new = file.metadata().is_ok_and(|it| it.is_file() && it.len() == 0);
        if !(is_new || (is_whole && &head == MAGIC)) {
            return Err(failed("it is no database of SQLite".into()));
        }
        let mut files = vec![Entry::of(&path).map_err(|error| failed(error.to_string()))?];
        for ending in BESIDE {
            let mut beside = path.clone().into_os_string();
            beside.push(ending);
            files.extend(Entry::of(Path::new(&beside)));
        }
        let folders = path.ancestors().skip(1).filter_map(|it| Entry::of(it).ok()).collect();
        Ok(Self { files, folders })
    }

    fn is_reached(&self, who: &Who) -> bool {
        self.folders.iter().all(|it| it.allows(who, 1))
    }

    /// Whether somebody may read it.
    pub(super) fn reads(&self, who: &Who) -> bool {
        self.is_reached(who) && self.files.iter().any(|it| it.allows(who, 4))
    }

    /// Whether somebody may write it, or put another in its place.
    pub(super) fn writes(&self, who: &Who) -> bool {
        self.is_reached(who)
            && (self.files.first().is_some_and(|it| it.allows(who, 2)) || self.replaces(who))
    }

    /// Whether somebody may put another file in its place, or a journal beside it that is played back.
    pub(super) fn replaces(&self, who: &Who) -> bool {
        self.folders.first().is_some_and(|it| {
            let is_sticky = it.mode & 0o1000 != 0 && who.uid != it.uid;
            it.allows(who, 3) && !is_sticky
        })
    }

    /// Processes that have one of the files open now.
    fn processes(&self) -> Vec<u32> {
        let opens = |pid: &u32| {
            let handles =
                std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            let mut paths = handles.filter_map(|it| std::fs::read_link(it.path()).ok());
            paths.any(|it| self.files.iter().any(|file| file.path == it))
        };
        let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        all.filter_map(|it| it.file_name().to_str()?.parse().ok()).filter(opens).collect()
    }

    /// Programs that have one of the files open now.
    pub(super) fn clients(&self) -> BTreeSet<Client> {
        self.processes().into_iter().filter_map(client).collect()
    }

    /// Users who have one of the files open now, by number.
    pub(super) fn users(&self) -> BTreeSet<(u32, BTreeSet<u32>)> {
        let mut found = BTreeSet::new();
        for pid in self.processes() {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let numbers = |name: &str| -> Vec<u32> {
                let line = status.lines().find_map(|it| it.strip_prefix(name)).unwrap_or("");
                line.split_whitespace().filter_map(|it| it.parse().ok()).collect()
            };
            let Some(uid) = numbers("Uid:").get(1).copied() else { continue };
            let mut gids: BTreeSet<u32> = numbers("Groups:").into_iter().collect();
            gids.extend(numbers("Gid:").get(1));
            found.insert((uid, gids));
        }
        found
    }
}

/// Something that is so or not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "sqlite")]
pub enum Piece {
    /// A file has this mode.
    Mode {
        /// The file.
        path: PathBuf,
        /// Bits of the mode.
        mode: u32,
    },
}

/// Pieces in few lines.
pub fn lines<'a>(pieces: impl IntoIterator<Item = &'a Piece>) -> Vec<String> {
    let line =
        |Piece::Mode { path, mode }: &Piece| format!("mode {mode:04o} of {}", path.display());
    pieces.into_iter().map(line).collect()
}

/// Which of these are so now.
///
/// # Errors
/// When a file is gone.
pub fn observe(pieces: &BTreeSet<Piece>) -> Result<BTreeSet<Piece>, AccessError> {
    let mut so = BTreeSet::new();
    for piece in pieces {
        let Piece::Mode { path, mode } = piece;
        let entry = Entry::of(path)
            .map_err(|error| AccessError::File { path: path.clone(), what: error.to_string() })?;
        if entry.mode == *mode {
            so.insert(piece.clone());
        }
    }
    Ok(so)
}

/// Sets modes.
///
/// # Errors
/// When a file is gone, or something changed meanwhile.
pub fn act(from: &BTreeSet<Piece>, to: &BTreeSet<Piece>) -> Result<(), AccessError> {
    let now = observe(from)?;
    if let Some(Piece::Mode { path, .. }) = from.difference(&now).next() {
        return Err(AccessError::Changed { what: format!("the mode of `{}`", path.display()) });
    }
    for Piece::Mode { path, mode } in to {
        let failed = |error: rustix::io::Errno| AccessError::File {
            path: path.clone(),
            what: error.to_string(),
        };
        // What somebody put in its place meanwhile, a link for one, is not followed.
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = rustix::fs::open(path, flags, Mode::empty()).map_err(failed)?;
        let stat = rustix::fs::statat(&handle, "", AtFlags::EMPTY_PATH).map_err(failed)?;
        if rustix::fs::FileType::from_raw_mode(stat.st_mode) != rustix::fs::FileType::RegularFile {
            let what = format!("what `{}` is", path.display());
            return Err(AccessError::Changed { what });
        }
        let own = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&handle));
        rustix::fs::chmod(own, Mode::from_raw_mode(*mode)).map_err(failed)?;
    }
    Ok(())
}
