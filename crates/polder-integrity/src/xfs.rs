//! The inodes of an XFS file system, asked of the kernel: every inode, whatever hides its name.
//!
//! What only stands on the device, written past the file system, is not seen here as it is on ext4.

use crate::inodes::Inodes;
use crate::mounts::Mount;
use polder_sys::{XFS_INODE_BYTES, XfsInodes};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use std::os::unix::ffi::OsStrExt;

/// Where in an inode what is left out stands: blocks, which the kernel gives back when it likes to; the time of
/// access and its fraction; counts of extents, checks of its health, and what is unused.
const OUT: [(usize, usize); 6] = [(16, 8), (32, 8), (80, 4), (116, 8), (128, 4), (136, 56)];

/// Digests of all inodes.
///
/// # Errors
/// Why the kernel does not tell of them, or in a way that is not understood.
pub(crate) fn sweep(mount: &Mount) -> Result<Inodes, String> {
    let root = open(mount)?;
    let mut answer = XfsInodes::default();
    let mut all: Vec<(u32, u64)> = Vec::new();
    let mut layout = String::new();
    loop {
        let bytes = answer.next(&root).map_err(|error| match error.raw_os_error() {
            Some(1 | 13) => "only root may ask for its inodes".to_string(),
            _ => format!("the kernel does not tell of its inodes: {error}"),
        })?;
        if bytes.is_empty() {
            return Ok(Inodes { layout, all });
        }
        for inode in bytes.chunks_exact(XFS_INODE_BYTES) {
            let number = u32::try_from(word(inode, 0))
                .map_err(|_| "it has inodes with numbers of more than 32 bits".to_string())?;
            if all.last().is_some_and(|(last, _)| *last >= number) {
                return Err("the kernel tells of its inodes in no order".into());
            }
            if layout.is_empty() {
                // The first is its root: made when the file system was.
                layout = format!("xfs, root {number} made at {}", word(inode, 56));
            }
            all.push((number, digest(inode)));
        }
    }
}

/// The root of the mount, if it is still what is said to be mounted there.
fn open(mount: &Mount) -> Result<OwnedFd, String> {
    let path = std::path::Path::new(std::ffi::OsStr::from_bytes(&mount.point));
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty())
        .map_err(|error| format!("it cannot be opened: {error}"))?;
    let device = rustix::fs::fstat(&file).map_err(|error| error.to_string())?.st_dev;
    match (rustix::fs::major(device), rustix::fs::minor(device)) == mount.device {
        true => Ok(file),
        false => Err("something else is mounted there".into()),
    }
}

fn word(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|it| it.try_into().ok()).map_or(0, u64::from_ne_bytes)
}

fn digest(inode: &[u8]) -> u64 {
    let mut copy = [0; XFS_INODE_BYTES];
    copy.copy_from_slice(inode);
    for (at, length) in OUT {
        if let Some(part) = copy.get_mut(at..at + length) {
            part.fill(0);
        }
    }
    let digest = blake3::hash(&copy);
    u64::from_le_bytes(digest.as_bytes().first_chunk::<8>().copied().unwrap_or_default())
}
