//! Groups and marks of fanotify(7). What a group tells is read like a file; the records are read elsewhere.

use rustix::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::ffi::CStr;
use std::io;

/// Which events a mark asks for (fanotify_mark(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mask(pub u64);

impl Mask {
    /// Everything after which a file or folder may not be what it was.
    pub const CHANGES: Self = Self(
        libc::FAN_MODIFY
            | libc::FAN_CLOSE_WRITE
            | libc::FAN_ATTRIB
            | libc::FAN_CREATE
            | libc::FAN_DELETE
            | libc::FAN_MOVED_FROM
            | libc::FAN_MOVED_TO
            | libc::FAN_ONDIR,
    );

    /// A file was opened to be run: the program, the interpreter of a script, the loader of both.
    pub const RUNS: Self = Self(libc::FAN_OPEN_EXEC);

    /// Both.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A group that tells of each event the folder (as a handle) and the name in it, and the file itself: of one that was
/// opened by its handle there is no folder to tell.
///
/// # Errors
/// Where the kernel has no such groups (before 5.9), or this process may not have one (CAP_SYS_ADMIN).
pub fn group() -> io::Result<OwnedFd> {
    let flags = libc::FAN_CLASS_NOTIF
        | libc::FAN_CLOEXEC
        | libc::FAN_NONBLOCK
        | libc::FAN_REPORT_DFID_NAME
        | libc::FAN_REPORT_FID;
    let event_flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_LARGEFILE;
    let event_flags = u32::try_from(event_flags).map_err(io::Error::other)?;
    // SAFETY: fanotify_init takes two numbers and no pointer.
    let fd = unsafe { libc::fanotify_init(flags, event_flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Asks for events of the whole file system that a path lies on.
///
/// # Errors
/// When there is no such path, or its file system cannot tell (no handles, no identity).
pub fn mark_file_system(group: impl AsFd, mask: Mask, path: &CStr) -> io::Result<()> {
    let group = group.as_fd().as_raw_fd();
    let flags = libc::FAN_MARK_ADD | libc::FAN_MARK_FILESYSTEM;
    // SAFETY: `path` ends with a zero and outlives the call, which only reads it.
    let answer =
        unsafe { libc::fanotify_mark(group, flags, mask.0, libc::AT_FDCWD, path.as_ptr()) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn a_change_on_a_marked_file_system_is_told() {
        let group = match group() {
            Ok(group) => group,
            // Without the right there is an error and nothing else.
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(libc::EPERM), "{error}");
                return;
            }
        };
        let folder = tempfile::tempdir().unwrap();
        let path = std::ffi::CString::new(folder.path().as_os_str().as_bytes()).unwrap();
        mark_file_system(&group, Mask::CHANGES, &path).unwrap();
        std::fs::write(folder.path().join("told"), b"x").unwrap();
        let mut buffer = vec![0_u8; 1 << 16];
        let mut seen = Vec::new();
        while let Ok(count) = rustix::io::read(&group, &mut buffer) {
            seen.extend_from_slice(buffer.get(..count).unwrap());
        }
        assert!(seen.windows(5).any(|it| it == b"told\0"));
        assert!(mark_file_system(&group, Mask::CHANGES, c"/nonexistent").is_err());
    }
}
