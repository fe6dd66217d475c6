//! The inodes of an XFS file system, many at once (ioctl_xfs_bulkstat(2)).

use rustix::fd::{AsFd, AsRawFd};
use std::io;

/// `_IOR('X', 127, struct xfs_bulkstat_req)`, of which the head counts.
const BULKSTAT: libc::Ioctl = 0x8040_587f;

/// What statfs(2) calls XFS.
const XFS: rustix::fs::FsWord = 0x5846_5342;

/// 64-bit words of the head of a request, and of one inode (`struct xfs_bulk_ireq`, `struct xfs_bulkstat`).
const HEAD: usize = 8;
const INODE: usize = 24;

/// Bytes of one inode.
pub const XFS_INODE_BYTES: usize = INODE * 8;

/// Inodes asked for at once.
const AT_ONCE: u32 = 2048;

/// Room for an answer, to be used again.
#[derive(Debug)]
pub struct XfsInodes {
    words: Vec<u64>,
    next: u64,
}

impl Default for XfsInodes {
    fn default() -> Self {
        Self { words: vec![0; HEAD + INODE * AT_ONCE as usize], next: 0 }
    }
}

impl XfsInodes {
    /// The next inodes, each as [`XFS_INODE_BYTES`] bytes in the order of its numbers; empty at the end.
    /// `file` is anything that is open on the file system.
    ///
    /// # Errors
    /// When it is no XFS, the kernel is older than 5.3, or this process may not ask (CAP_SYS_ADMIN).
    pub fn next(&mut self, file: impl AsFd) -> io::Result<Vec<u8>> {
        // Elsewhere the same number may ask for something else.
        if rustix::fs::fstatfs(&file)?.f_type != XFS {
            return Err(io::Error::from_raw_os_error(libc::ENOTTY));
        }
        self.words.fill(0);
        let (head, _) = self.words.split_at_mut(HEAD);
        if let [first, flags_and_count, ..] = head {
            *first = self.next;
            // Flags (32 bits), then how many are asked for.
            let bytes = [[0; 4], AT_ONCE.to_ne_bytes()];
            *flags_and_count =
                u64::from_ne_bytes(bytes.as_flattened().try_into().unwrap_or_default());
        }
        let fd = file.as_fd().as_raw_fd();
        // SAFETY: the file lies on XFS, so the kernel writes the head and at most as many inodes as it is asked for; `words` has room for
        // both, is aligned as they are, and outlives the call.
        let answer = unsafe { libc::ioctl(fd, BULKSTAT, self.words.as_mut_ptr()) };
        if answer < 0 {
            return Err(io::Error::last_os_error());
        }
        let word = |at: usize| self.words.get(at).copied().unwrap_or(0).to_ne_bytes();
        self.next = u64::from_ne_bytes(word(0));
        // How many there are, then the number of an allocation group.
        let [a, b, c, d, ..] = word(2);
        let count = u32::from_ne_bytes([a, b, c, d]).min(AT_ONCE);
        let words = self.words.iter().skip(HEAD).take(INODE * count as usize);
        Ok(words.flat_map(|it| it.to_ne_bytes()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_xfs_is_an_error() {
        let file = std::fs::File::open("/proc/self/status").unwrap();
        assert!(XfsInodes::default().next(&file).is_err());
    }
}
