//! Files by their handles (open_by_handle_at(2)): what fanotify names a folder by.

use rustix::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::io;

/// Longest handle (MAX_HANDLE_SZ of `linux/exportfs.h`).
pub const HANDLE_BYTES_MAX: usize = 128;

/// What a file system knows one of its files by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Handle {
    /// Which form it has.
    pub kind: i32,
    /// The rest, which only its file system can read.
    pub bytes: Vec<u8>,
}

/// `struct file_handle` with room for the longest.
#[repr(C)]
struct Raw {
    bytes: u32,
    kind: i32,
    handle: [u8; HANDLE_BYTES_MAX],
}

/// Opens the place of a file (O_PATH) by its handle; `mount` is any file of its file system.
///
/// # Errors
/// When it is gone (ESTALE), when the handle is none, or without CAP_DAC_READ_SEARCH.
pub fn open_handle(mount: impl AsFd, handle: &Handle) -> io::Result<OwnedFd> {
    let mut raw = Raw { bytes: 0, kind: handle.kind, handle: [0; HANDLE_BYTES_MAX] };
    let Some(room) = raw.handle.get_mut(..handle.bytes.len()) else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    room.copy_from_slice(&handle.bytes);
    raw.bytes = u32::try_from(handle.bytes.len()).map_err(io::Error::other)?;
    let flags = libc::O_PATH | libc::O_CLOEXEC;
    let mount = mount.as_fd().as_raw_fd();
    let pointer = std::ptr::from_mut(&mut raw).cast::<libc::c_void>();
    // SAFETY: `raw` is laid out as the kernel's structure, says how many of its bytes count, and outlives
    // the call.
    let fd = unsafe { libc::syscall(libc::SYS_open_by_handle_at, mount, pointer, flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_that_is_none_is_refused() {
        let root = std::fs::File::open("/").unwrap();
        let long = Handle { kind: 1, bytes: vec![0; HANDLE_BYTES_MAX + 1] };
        assert_eq!(open_handle(&root, &long).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        let wrong = Handle { kind: 1, bytes: vec![0xff; 8] };
        assert!(open_handle(&root, &wrong).is_err());
    }
}
