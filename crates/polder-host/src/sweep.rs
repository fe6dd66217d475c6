//! Walks the local file systems once and keeps the files that somebody may misuse.

use crate::{HostError, Kind, Stat};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, StatxFlags};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::{CStr, OsStr};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Longest walk; a million files take about five seconds from a warm cache.
const WALK_SECONDS_MAX: u64 = 120;

/// Most files kept of one reason; a host with more has one problem, not many.
const KEPT_MAX: usize = 5_000;

/// Deepest nesting followed.
const DEPTH_MAX: usize = 128;

/// Why a file is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SweepReason {
    /// SUID, SGID or file capabilities.
    Privileged,
    /// Its name is one under which credentials are kept.
    CredentialName,
}

/// One file that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweepEntry {
    /// Its path.
    pub path: PathBuf,
    /// Owner and mode.
    pub stat: Stat,
    /// The attribute `security.capability`, where there is one.
    pub capability: Option<Vec<u8>>,
    /// Why it is kept.
    pub reason: SweepReason,
}

/// What the walk saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sweep {
    /// Files kept, by path.
    pub entries: Vec<SweepEntry>,
    /// Files seen.
    pub files: u64,
    /// Folders that could not be read, at most a few of them.
    pub denied: Vec<PathBuf>,
    /// Number of folders that could not be read.
    pub denied_count: u64,
    /// File systems left out: where and why.
    pub left_out: Vec<(PathBuf, String)>,
    /// Set when a bound ended the walk early, and which.
    pub cut: Option<String>,
}

/// File systems that hold no files of their own, are remote, or show others' files again.
fn left_out_because(kind: &str) -> Option<&'static str> {
    match kind {
        "nfs" | "nfs4" | "cifs" | "smb3" | "9p" | "ceph" | "glusterfs" | "afs" => {
            Some("a remote file system")
        }
        "overlay" => Some("layers of a container"),
        "squashfs" | "iso9660" | "erofs" => Some("a read-only image"),
        _ if kind.starts_with("fuse") => Some("a file system in user space"),
        _ => None,
    }
}

/// File systems of the kernel that need no word.
fn is_virtual(kind: &str) -> bool {
    matches!(
        kind,
        "proc"
            | "sysfs"
            | "cgroup"
            | "cgroup2"
            | "devpts"
            | "devtmpfs"
            | "mqueue"
            | "debugfs"
            | "tracefs"
            | "securityfs"
            | "pstore"
            | "bpf"
            | "configfs"
            | "hugetlbfs"
            | "autofs"
            | "binfmt_misc"
            | "fusectl"
            | "efivarfs"
            | "rpc_pipefs"
            | "nsfs"
            | "selinuxfs"
    )
}

/// Names under which credentials are kept, by whole name or by end.
fn is_credential_name(name: &[u8]) -> bool {
    const WHOLE: [&[u8]; 34] = [
        b".env",
        b".env.local",
        b".env.production",
        b".pgpass",
        b".my.cnf",
        b".netrc",
        b"_netrc",
        b".git-credentials",
        b".npmrc",
        b".pypirc",
        b".dockercfg",
        b".htpasswd",
        b".s3cfg",
        b".erlang.cookie",
        b"credentials",
        b"wp-config.php",
        b"configuration.php",
        b"settings.php",
        b"parameters.yml",
        b"database.yml",
        b"secrets.yml",
        b"local.xml",
        b"config.php",
        b"db.php",
        b"env.php",
        b"id_rsa",
        b"id_dsa",
        b"id_ecdsa",
        b"id_ed25519",
        b".bash_history",
        b".psql_history",
        b".mysql_history",
        b".zsh_history",
        b"debian.cnf",
    ];
    WHOLE.contains(&name)
        || (name.starts_with(b".env.") && !name.ends_with(b".example") && !name.ends_with(b".dist"))
        || name.ends_with(b".kdbx")
        || (name.starts_with(b"ssh_host_") && name.ends_with(b"_key"))
        || name.ends_with(b".key")
        || name.ends_with(b"_rsa")
        || name.ends_with(b"_ed25519")
}

struct Walk<'a> {
    root: &'a Path,
    mounts: BTreeMap<(u32, u32), (PathBuf, String)>,
    kept: Mutex<Sweep>,
    files: AtomicU64,
    deadline: Instant,
}

/// Walks everything below `root`, whose mounts are listed in `mountinfo`.
pub(crate) fn sweep(root: &Path, mountinfo: &[u8]) -> Result<Sweep, HostError> {
    let walk = Walk {
        root,
        mounts: parse_mounts(mountinfo),
        kept: Mutex::default(),
        files: AtomicU64::new(0),
        deadline: Instant::now() + Duration::from_secs(WALK_SECONDS_MAX),
    };
    open_folder(root).map_err(|error| HostError::from_io(root, &error.into()))?;
    // Tasks stand in a queue, not on the stack: a tree may be as deep as somebody made it.
    rayon::scope(|scope| walk.folder(scope, root, 0));
    let mut sweep = walk.kept.into_inner().unwrap_or_default();
    sweep.files = walk.files.into_inner();
    sweep.entries.sort_by(|a, b| a.path.cmp(&b.path));
    sweep.denied.sort();
    sweep.denied.truncate(8);
    sweep.left_out.sort();
    sweep.left_out.dedup();
    Ok(sweep)
}

fn open_folder(path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags | OFlags::NOATIME, Mode::empty())
        .or_else(|_| rustix::fs::open(path, flags, Mode::empty()))
}

/// Device number to mount point and type.
fn parse_mounts(mountinfo: &[u8]) -> BTreeMap<(u32, u32), (PathBuf, String)> {
    let mut mounts = BTreeMap::new();
    for line in String::from_utf8_lossy(mountinfo).lines() {
        let Some((left, right)) = line.split_once(" - ") else { continue };
        let mut fields = left.split(' ').skip(2);
        let (Some(device), Some(point)) = (fields.next(), fields.nth(1)) else { continue };
        let Some((major, minor)) = device.split_once(':') else { continue };
        let (Ok(major), Ok(minor)) = (major.parse(), minor.parse()) else { continue };
        let kind = right.split(' ').next().unwrap_or_default();
        mounts.insert((major, minor), (PathBuf::from(point), kind.to_string()));
    }
    mounts
}

impl Walk<'_> {
    fn folder<'s>(&'s self, scope: &rayon::Scope<'s>, path: &Path, depth: usize) {
        if depth > DEPTH_MAX || Instant::now() > self.deadline {
            let because = if depth > DEPTH_MAX {
                format!("folders deeper than {DEPTH_MAX} levels")
            } else {
                format!("more than {WALK_SECONDS_MAX} seconds")
            };
            self.with_kept(|sweep| sweep.cut = Some(because));
            return;
        }
        let folder = match open_folder(path) {
            Ok(folder) => folder,
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR | rustix::io::Errno::LOOP) => {
                return;
            }
            Err(_) => return self.denied(path),
        };
        let Ok(own) = rustix::fs::statx(&folder, c"", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS)
        else {
            return self.denied(path);
        };
        let mut folders = Vec::new();
        let mut buffer = Vec::with_capacity(32 << 10);
        let mut entries = RawDir::new(&folder, buffer.spare_capacity_mut());
        let mut files = 0_u64;
        while let Some(entry) = entries.next() {
            let Ok(entry) = entry else { return self.denied(path) };
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            files += 1;
            match entry.file_type() {
                FileType::Symlink => {}
                FileType::Directory => folders.push(path.join(OsStr::from_bytes(name.to_bytes()))),
                _ => self.file(path, &folder, name),
            }
        }
        drop(folder);
        self.files.fetch_add(files, Ordering::Relaxed);
        let device = (own.stx_dev_major, own.stx_dev_minor);
        for folder in folders {
            if self.enter(&folder, device) {
                scope.spawn(move |scope| self.folder(scope, &folder, depth + 1));
            }
        }
    }

    /// Whether a folder is on a file system that is walked; SGID on folders is of no interest.
    fn enter(&self, folder: &Path, parent: (u32, u32)) -> bool {
        let Ok(stat) = rustix::fs::statx(
            rustix::fs::CWD,
            folder,
            AtFlags::SYMLINK_NOFOLLOW,
            StatxFlags::BASIC_STATS,
        ) else {
            return false;
        };
        let device = (stat.stx_dev_major, stat.stx_dev_minor);
        if device == parent {
            return true;
        }
        let kind = self.mounts.get(&device).map_or("", |(_, kind)| kind.as_str());
        if is_virtual(kind) {
            return false;
        }
        if let Some(because) = left_out_because(kind) {
            let place = (self.shown(folder), because.to_string());
            self.with_kept(|sweep| sweep.left_out.push(place));
            return false;
        }
        true
    }

    fn file(&self, folder: &Path, folder_fd: &OwnedFd, name: &CStr) {
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        let Ok(stat) = rustix::fs::statx(folder_fd, name, flags, StatxFlags::BASIC_STATS) else {
            return;
        };
        let mode = u32::from(stat.stx_mode);
        let kind = kind_of(FileType::from_raw_mode(mode));
        if kind != Kind::File {
            return;
        }
        let path = folder.join(OsStr::from_bytes(name.to_bytes()));
        let capability = capability_of(&path);
        let reason = if mode & 0o6000 != 0 || capability.is_some() {
            SweepReason::Privileged
        } else if is_credential_name(name.to_bytes()) {
            SweepReason::CredentialName
        } else {
            return;
        };
        let stat = Stat {
            kind,
            mode: mode & 0o7777,
            uid: stat.stx_uid,
            gid: stat.stx_gid,
            bytes: stat.stx_size,
            modified: stat.stx_mtime.tv_sec,
            changed: stat.stx_ctime.tv_sec,
            inode: stat.stx_ino,
        };
        let entry = SweepEntry { path: self.shown(&path), stat, capability, reason };
        self.with_kept(|sweep| {
            if sweep.entries.len() < KEPT_MAX {
                sweep.entries.push(entry);
            } else {
                sweep.cut = Some(format!("more than {KEPT_MAX} files of interest"));
            }
        });
    }

    /// The path as the host names it, without the folder that is looked at.
    fn shown(&self, path: &Path) -> PathBuf {
        path.strip_prefix(self.root).map_or_else(|_| path.into(), |rest| Path::new("/").join(rest))
    }

    fn denied(&self, path: &Path) {
        let path = self.shown(path);
        self.with_kept(|sweep| {
            sweep.denied_count += 1;
            if sweep.denied.len() < 64 {
                sweep.denied.push(path);
            }
        });
    }

    fn with_kept(&self, change: impl FnOnce(&mut Sweep)) {
        if let Ok(mut kept) = self.kept.lock() {
            change(&mut kept);
        }
    }
}

fn capability_of(path: &Path) -> Option<Vec<u8>> {
    // vfs_ns_cap_data of linux/capability.h has 24 bytes.
    let mut buffer = [0_u8; 32];
    let count = rustix::fs::lgetxattr(path, c"security.capability", &mut buffer[..]).ok()?;
    buffer.get(..count).map(<[u8]>::to_vec)
}

/// Kind of a file by its type bits.
pub(crate) fn kind_of(file_type: FileType) -> Kind {
    match file_type {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Folder,
        FileType::Symlink => Kind::Link,
        FileType::Socket => Kind::Socket,
        _ => Kind::Other,
    }
}
