//! Being somebody else for a moment: servers on sockets ask the kernel who connects (SO_PEERCRED, unix(7)).

use std::io;

/// Leaves an identity as it is (setresuid(2)).
const AS_IT_IS: libc::c_long = -1;

fn set_group(gid: libc::c_long) -> io::Result<()> {
    // SAFETY: setresgid takes three numbers and no pointer. By the system call itself it is of this thread alone.
    let answer = unsafe { libc::syscall(libc::SYS_setresgid, AS_IT_IS, gid, AS_IT_IS) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn set_user(uid: libc::c_long) -> io::Result<()> {
    // SAFETY: setresuid takes three numbers and no pointer. By the system call itself it is of this thread alone.
    let answer = unsafe { libc::syscall(libc::SYS_setresuid, AS_IT_IS, uid, AS_IT_IS) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Puts the identity back, also when the work panics.
struct Back {
    uid: libc::c_long,
    gid: libc::c_long,
}

impl Drop for Back {
    fn drop(&mut self) {
        // Going on as somebody else would be worse than not going on.
        if set_user(self.uid).and_then(|()| set_group(self.gid)).is_err() {
            std::process::abort();
        }
    }
}

/// Does something with the effective user and group of another, in this thread alone.
///
/// # Errors
/// When this process may not be somebody else (CAP_SETUID, CAP_SETGID); then nothing is done.
pub fn with_user<T>(uid: u32, gid: u32, work: impl FnOnce() -> T) -> io::Result<T> {
    let own_uid = rustix::process::geteuid().as_raw();
    let own_gid = rustix::process::getegid().as_raw();
    set_group(gid.into())?;
    if let Err(error) = set_user(uid.into()) {
        set_group(own_gid.into())?;
        return Err(error);
    }
    let _back = Back { uid: own_uid.into(), gid: own_gid.into() };
    Ok(work())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn whoever_listens_sees_the_other_and_this_thread_is_itself_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let open = |path: &std::path::Path, mode| {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        open(folder.path(), 0o755);
        open(&path, 0o777);
        let before = rustix::process::geteuid();
        match with_user(65_534, 65_534, || UnixStream::connect(&path)) {
            Ok(stream) => {
                let _stream = stream.unwrap();
                let (peer, _) = listener.accept().unwrap();
                let who = rustix::net::sockopt::socket_peercred(&peer).unwrap();
                assert_eq!(who.uid.as_raw(), 65_534);
            }
            // Without the right there is an error and nothing else.
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EPERM), "{error}"),
        }
        assert_eq!(rustix::process::geteuid(), before);
    }
}
