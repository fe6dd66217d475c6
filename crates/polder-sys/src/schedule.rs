//! Which thread goes first (sched(7)).

use std::io;

/// Lets the calling thread go before all ordinary ones, as soon as it has something to do (SCHED_RR, the lowest
/// of its priorities). For threads that do little and must not be late.
///
/// # Errors
/// Without CAP_SYS_NICE.
pub fn go_first() -> io::Result<()> {
    let first = libc::sched_param { sched_priority: 1 };
    // Threads and processes that this one makes are ordinary again.
    let policy = libc::SCHED_RR | libc::SCHED_RESET_ON_FORK;
    // SAFETY: zero stands for the calling thread, and `first` outlives the call, which only reads it.
    let answer = unsafe { libc::sched_setscheduler(0, policy, &raw const first) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_granted_or_refused_and_nothing_else() {
        let answer = std::thread::spawn(go_first).join().unwrap();
        assert!(answer.is_ok() || answer.unwrap_err().raw_os_error() == Some(libc::EPERM));
    }
}
