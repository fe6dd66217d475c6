//! Reads one inode: its attributes, and its content while nobody changes it.

use crate::entry::{ATTRIBUTE_BYTES_MAX, Attribute, Content, Entry, Kind, Moment};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, SeekFrom, Statx, StatxFlags};
use rustix::io::Errno;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;

/// What is asked of statx(2).
const WANTED: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME);

/// Flags that somebody sets on purpose: compressed, immutable, append-only, not dumped, encrypted,
/// verity, direct access.
const FLAGS: u64 = 0x4 | 0x10 | 0x20 | 0x40 | 0x800 | 0x10_0000 | 0x20_0000;

/// The flag of a folder on which something is mounted.
const MOUNT_ROOT: u64 = 0x2000;

/// Bytes read at once. The fastest measured: larger pieces leave the cache of a core.
const PIECE: usize = 256 << 10;

/// How often a file that changes while it is read is read again.
const TRIES: u32 = 3;

/// From this length on a file that is mostly holes is read without them; its digest is not that of b3sum.
const HOLES_MIN: u64 = 64 << 20;

/// Longest list of names of attributes; the kernel's own limit.
const NAMES_BYTES_MAX: usize = 64 << 10;

/// Attributes of a name in a folder; the content is not read.
pub(crate) fn stat(folder: BorrowedFd<'_>, name: &[u8]) -> Result<Entry, Errno> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    rustix::fs::statx(folder, name, flags, WANTED).map(|it| from_statx(name, &it))
}

/// Attributes of what is open.
pub(crate) fn stat_open(file: impl AsFd, name: &[u8]) -> Result<Entry, Errno> {
    rustix::fs::statx(file, c"", AtFlags::EMPTY_PATH, WANTED).map(|it| from_statx(name, &it))
}

fn from_statx(name: &[u8], it: &Statx) -> Entry {
    let kind = match FileType::from_raw_mode(u32::from(it.stx_mode)) {
        FileType::Directory => Kind::Folder,
        FileType::Symlink => Kind::Link,
        FileType::CharacterDevice => Kind::Character,
        FileType::BlockDevice => Kind::Block,
        FileType::Fifo => Kind::Pipe,
        FileType::Socket => Kind::Socket,
        _ => Kind::File,
    };
    let is_device = matches!(kind, Kind::Character | Kind::Block);
    let has_birth = it.stx_mask & StatxFlags::BTIME.bits() != 0;
    Entry {
        name: name.to_vec(),
        kind,
        mode: it.stx_mode & 0o7777,
        uid: it.stx_uid,
        gid: it.stx_gid,
        size: if kind == Kind::Folder { 0 } else { it.stx_size },
        inode: it.stx_ino,
        links: it.stx_nlink,
        device: if is_device { (it.stx_rdev_major, it.stx_rdev_minor) } else { (0, 0) },
        modified: Moment(it.stx_mtime.tv_sec, it.stx_mtime.tv_nsec),
        changed: Moment(it.stx_ctime.tv_sec, it.stx_ctime.tv_nsec),
        born: has_birth.then_some(Moment(it.stx_btime.tv_sec, it.stx_btime.tv_nsec)),
        flags: it.stx_attributes.bits() & FLAGS,
        is_mount: it.stx_attributes.bits() & MOUNT_ROOT != 0,
        ..Entry::default()
    }
}

/// Opens a name for reading without leaving a trace where that may be, and never through a link.
pub(crate) fn open(folder: BorrowedFd<'_>, name: &[u8], extra: OFlags) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY
        | OFlags::NOFOLLOW
        | OFlags::NONBLOCK
        | OFlags::NOCTTY
        | OFlags::CLOEXEC
        | extra;
    match rustix::fs::openat(folder, name, flags | OFlags::NOATIME, Mode::empty()) {
        // Only the owner and root may leave the time of access alone.
        Err(Errno::PERM) => rustix::fs::openat(folder, name, flags, Mode::empty()),
        answer => answer,
    }
}

/// Where a link leads.
pub(crate) fn target(folder: BorrowedFd<'_>, name: &[u8]) -> Vec<u8> {
    rustix::fs::readlinkat(folder, name, Vec::new())
        .map_or_else(|_| Vec::new(), |it| it.into_bytes())
}

/// Extended attributes of what is open, by name.
pub(crate) fn attributes(file: impl AsFd) -> Vec<Attribute> {
    let file = file.as_fd();
    listed(
        |buffer| rustix::fs::flistxattr(file, buffer),
        |name, buffer| rustix::fs::fgetxattr(file, name, buffer),
    )
}

/// Extended attributes of what cannot be opened: links, devices, pipes, sockets.
pub(crate) fn attributes_unopened(folder: BorrowedFd<'_>, name: &[u8]) -> Vec<Attribute> {
    let mut path = format!("/proc/self/fd/{}/", folder.as_raw_fd()).into_bytes();
    path.extend_from_slice(name);
    let path = std::ffi::OsStr::from_bytes(&path);
    listed(
        |buffer| rustix::fs::llistxattr(path, buffer),
        |name, buffer| rustix::fs::lgetxattr(path, name, buffer),
    )
}

fn listed(
    list: impl Fn(&mut [u8]) -> Result<usize, Errno>,
    get: impl Fn(&std::ffi::CStr, &mut [u8]) -> Result<usize, Errno>,
) -> Vec<Attribute> {
    let mut small = [0_u8; 512];
    let names = match list(&mut small) {
        Ok(0) => return Vec::new(),
        Ok(length) => small.get(..length).unwrap_or_default().to_vec(),
        Err(Errno::RANGE) => {
            let mut large = vec![0; NAMES_BYTES_MAX];
            let length = list(&mut large).unwrap_or(0);
            large.truncate(length);
            large
        }
        Err(_) => return Vec::new(),
    };
    let mut all = Vec::new();
    for name in names.split(|byte| *byte == 0).filter(|it| !it.is_empty()) {
        let Ok(named) = CString::new(name) else { continue };
        let mut value = vec![0; NAMES_BYTES_MAX];
        let Ok(length) = get(&named, &mut value) else { continue };
        value.truncate(length);
        if length > ATTRIBUTE_BYTES_MAX {
            value = blake3::hash(&value).as_bytes().to_vec();
        }
        value.shrink_to_fit();
        all.push(Attribute { name: name.to_vec(), value });
    }
    all.sort();
    all
}

/// What to read of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// So many bytes from its beginning.
    First(u64),
}

/// Reads the content of an entry and completes it with what was found in the same moment. A file that
/// changes while it is read is read again, and in the end said to be unverifiable.
pub(crate) fn content(
    folder: BorrowedFd<'_>,
    entry: &mut Entry,
    part: Part,
    read: &mut dyn FnMut(u64),
) -> Result<(), Errno> {
    let file = open(folder, &entry.name, OFlags::empty())?;
    for _ in 0..TRIES {
        let before = stat_open(&file, &entry.name)?;
        if before.kind != Kind::File {
            *entry = before;
            return Ok(());
        }
        let attributes = attributes(&file);
        let digest = digest(&file, before.size, part, read);
        let after = stat_open(&file, &entry.name)?;
        let same = after.is_untouched_since(&before);
        *entry = Entry { attributes, ..before };
        match digest {
            Err(because) => {
                entry.content = Content::Unverifiable(because);
                return Ok(());
            }
            Ok(digest) if same || part != Part::Whole => {
                entry.content = Content::Digest(digest);
                return Ok(());
            }
            Ok(_) => {}
        }
    }
    let because = format!("it was changed each of the {TRIES} times it was read");
    entry.content = Content::Unverifiable(because);
    Ok(())
}

/// BLAKE3 of an open file, with the reason where it cannot be read. Never more is read than it is long,
/// and a byte to see that it grew: somebody may make it grow for ever.
fn digest(
    file: &OwnedFd,
    size: u64,
    part: Part,
    read: &mut dyn FnMut(u64),
) -> Result<[u8; 32], String> {
    let stat = rustix::fs::fstat(file).map_err(|error| error.to_string())?;
    let kept = u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512);
    let mut hasher = blake3::Hasher::new();
    if size > HOLES_MIN && kept < size / 2 && part == Part::Whole {
        // Mostly holes: what is between them, each with its place.
        hasher.update(b"polder-holes 1").update(&size.to_le_bytes());
        let mut at = 0;
        while let Ok(start) = rustix::fs::seek(file, SeekFrom::Data(at)) {
            let end = rustix::fs::seek(file, SeekFrom::Hole(start)).unwrap_or(size).min(size);
            if start >= end {
                break;
            }
            rustix::fs::seek(file, SeekFrom::Start(start)).map_err(|error| error.to_string())?;
            hasher.update(&start.to_le_bytes()).update(&end.to_le_bytes());
            feed(file, end - start, &mut hasher, read)?;
            at = end;
        }
        return Ok(*hasher.finalize().as_bytes());
    }
    rustix::fs::seek(file, SeekFrom::Start(0)).map_err(|error| error.to_string())?;
    let bytes = match part {
        Part::Whole => size.saturating_add(1),
        Part::First(bytes) => bytes,
    };
    feed(file, bytes, &mut hasher, read)?;
    Ok(*hasher.finalize().as_bytes())
}

/// Reads at most so many bytes.
fn feed(
    file: &OwnedFd,
    bytes: u64,
    hasher: &mut blake3::Hasher,
    read: &mut dyn FnMut(u64),
) -> Result<(), String> {
    thread_local! {
        static BUFFER: std::cell::RefCell<Vec<u8>> = const { std::cell::RefCell::new(Vec::new()) };
    }
    BUFFER.with_borrow_mut(|buffer| {
        buffer.resize(PIECE, 0);
        let mut left = bytes;
        while left > 0 {
            let wanted = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let space = buffer.get_mut(..wanted).unwrap_or_default();
            let count = match rustix::io::read(file, space) {
                Ok(0) => break,
                Ok(count) => count,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.to_string()),
            };
            hasher.update(buffer.get(..count).unwrap_or_default());
            left -= count as u64;
            read(count as u64);
            // Short of what was wanted, and one byte short of all: that byte was to see whether it grew.
            if count < wanted && left == 1 {
                break;
            }
        }
        Ok(())
    })
}

/// BLAKE3 of a file of Polder's own: its program, its configuration.
///
/// # Errors
/// When it cannot be read.
pub fn digest_file(path: &std::path::Path) -> std::io::Result<[u8; 32]> {
    let mut hasher = blake3::Hasher::new();
    std::io::copy(&mut std::fs::File::open(path)?, &mut hasher)?;
    Ok(*hasher.finalize().as_bytes())
}

/// BLAKE3 of bytes.
pub fn digest_bytes(bytes: &[u8]) -> [u8; 32] {
    *blake3::hash(bytes).as_bytes()
}

/// The digest of the first bytes of a log, unpacked where its name says that it is packed.
pub(crate) fn beginning(folder: BorrowedFd<'_>, name: &[u8], bytes: u64) -> Content {
    use std::io::Read;
    let failed = |error: &dyn std::fmt::Display| Content::Unverifiable(error.to_string());
    let file = match open(folder, name, OFlags::empty()) {
        Ok(file) => std::fs::File::from(file),
        Err(error) => return failed(&error),
    };
    let reader: Box<dyn Read> = match name.rsplit(|it| *it == b'.').next() {
        Some(b"gz") => Box::new(flate2::read::MultiGzDecoder::new(file)),
        Some(b"xz") => Box::new(lzma_rust2::XzReader::new(file, true)),
        Some(b"zst") => match ruzstd::decoding::StreamingDecoder::new(file) {
            Ok(reader) => Box::new(reader),
            Err(error) => return failed(&error),
        },
        _ => Box::new(file),
    };
    let mut hasher = blake3::Hasher::new();
    match std::io::copy(&mut reader.take(bytes), &mut hasher) {
        Ok(read) if read == bytes => Content::Digest(*hasher.finalize().as_bytes()),
        Ok(_) => Content::Unverifiable("it is shorter".into()),
        Err(error) => failed(&error),
    }
}
