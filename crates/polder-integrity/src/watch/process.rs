//! Who did it: a table of processes that is kept as they come and go, because a process that wrote a file is
//! often gone when one asks.
//!
//! The kernel tells of each fork, exec and exit (the proc connector, `linux/cn_proc.h`); what a process is, is
//! read from `/proc` the moment it begins a program, and copied to its children.

use rustix::fd::OwnedFd;
use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Processes kept after their end: as many as end in some seconds of a busy build.
const GONE_MAX: usize = 20_000;

/// Ancestors that are told.
const ANCESTORS_MAX: usize = 8;

/// A process that did something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Number of the process that made it.
    pub parent: u32,
    /// The program it runs; none where it was gone before anybody could ask.
    pub executable: Option<PathBuf>,
    /// Effective user.
    pub uid: Option<u32>,
    /// The user who once logged in, whoever it is now (loginuid); none for what the system started.
    pub login: Option<u32>,
    /// The session of that login.
    pub session: Option<u32>,
    /// Whether all of this is what its parent was: it began no program of its own yet, as far as was heard.
    pub is_inherited: bool,
}

/// What the kernel tells of processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessEvent {
    /// One made another.
    Fork {
        /// The one that was there.
        parent: u32,
        /// The new one.
        child: u32,
    },
    /// One began another program.
    Exec(u32),
    /// One ended.
    Exit(u32),
}

/// Reads one datagram of the proc connector: headers of netlink (16 bytes) and of the connector (20), then
/// the event. Events of threads are left out.
pub fn parse_process_events(bytes: &[u8]) -> Vec<ProcessEvent> {
    let mut events = Vec::new();
    let mut rest = bytes;
    while let Some(length) = number(rest, 0).and_then(|it| usize::try_from(it).ok()) {
        let Some(message) = rest.get(..length).filter(|_| length >= 16) else { break };
        events.extend(parse_event(message));
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    events
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

fn parse_event(message: &[u8]) -> Option<ProcessEvent> {
    // CN_IDX_PROC and CN_VAL_PROC.
    if (number(message, 16)?, number(message, 20)?) != (1, 1) {
        return None;
    }
    let event = message.get(36..)?;
    // What, processor, time; then numbers by kind.
    let word = |at: usize| number(event, 16 + 4 * at);
    match number(event, 0)? {
        0x1 => {
            let (parent, child, thread) = (word(1)?, word(3)?, word(2)?);
            (child == thread).then_some(ProcessEvent::Fork { parent, child })
        }
        0x2 => Some(ProcessEvent::Exec(word(1)?)),
        0x8000_0000 => {
            let (thread, process) = (word(0)?, word(1)?);
            (thread == process).then_some(ProcessEvent::Exit(process))
        }
        _ => None,
    }
}

/// The processes that run, and those that ended a moment ago.
#[derive(Default)]
pub struct Processes {
    table: Mutex<Table>,
    /// Whether the kernel tells of them: without that nothing that is kept stays true.
    follows: AtomicBool,
}

#[derive(Default)]
struct Table {
    all: HashMap<u32, Arc<Process>>,
    gone: VecDeque<u32>,
}

impl Processes {
    /// All that run now.
    pub fn here() -> Self {
        let it = Self::default();
        it.look_again();
        it
    }

    /// From now on the kernel tells of what comes and goes.
    pub fn follow(&self) {
        self.follows.store(true, Ordering::Relaxed);
    }

    /// Adds all that run now: after events were lost, and at the beginning.
    pub fn look_again(&self) {
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|it| it.file_name().to_str()?.parse::<u32>().ok());
        let found: Vec<Process> = pids.filter_map(read).collect();
        let mut table = self.lock();
        for it in found {
            table.all.insert(it.pid, Arc::new(it));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what the kernel told.
    pub fn take(&self, events: &[ProcessEvent]) {
        for event in events {
            match *event {
                ProcessEvent::Fork { parent, child } => {
                    let mut table = self.lock();
                    let known = table.all.get(&parent).map(|it| (**it).clone());
                    let known = known.unwrap_or_default();
                    let made = Process { pid: child, parent, is_inherited: true, ..known };
                    table.all.insert(child, Arc::new(made));
                }
                ProcessEvent::Exec(pid) => {
                    // The program first: the process may be gone with the next question.
                    let executable = executable(pid);
                    let found = read(pid);
                    let mut table = self.lock();
                    let known = table.all.get(&pid).map(|it| (**it).clone());
                    // Gone already: of whom it comes is known, and who that was.
                    let unread = || Process { pid, ..known.unwrap_or_default() };
                    let mut process = found.unwrap_or_else(unread);
                    process.executable = executable;
                    process.is_inherited = false;
                    table.all.insert(pid, Arc::new(process));
                }
                ProcessEvent::Exit(pid) => {
                    let mut table = self.lock();
                    table.gone.push_back(pid);
                    while table.gone.len() > GONE_MAX {
                        if let Some(old) = table.gone.pop_front() {
                            table.all.remove(&old);
                        }
                    }
                }
            }
        }
    }

    /// A process by its number; asked of `/proc` where nobody told of it.
    pub fn get(&self, pid: u32) -> Option<Arc<Process>> {
        if !self.follows.load(Ordering::Relaxed) {
            return read(pid).map(Arc::new);
        }
        if let Some(known) = self.lock().all.get(&pid) {
            return Some(Arc::clone(known));
        }
        let found = Arc::new(read(pid)?);
        self.lock().all.insert(pid, Arc::clone(&found));
        Some(found)
    }

    /// The processes it comes from, nearest first, without the first of all.
    pub fn ancestors(&self, process: &Process) -> Vec<Arc<Process>> {
        let mut all = Vec::new();
        let mut next = process.parent;
        while next > 1 && all.len() < ANCESTORS_MAX {
            let Some(parent) = self.get(next) else { break };
            next = parent.parent;
            all.push(parent);
        }
        all
    }
}

fn executable(pid: u32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/exe")).ok()
}

/// What `/proc` tells of a process; none where it is gone.
fn read(pid: u32) -> Option<Process> {
    let text = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).ok();
    let executable = executable(pid);
    let status = text("status")?;
    let field = |name: &str| status.lines().find_map(|it| it.strip_prefix(name)?.strip_prefix(':'));
    let parent = field("PPid").and_then(|it| it.trim().parse().ok())?;
    let uid = field("Uid").and_then(|it| it.split_ascii_whitespace().nth(1)?.parse().ok());
    // Four thousand million and more stands for nobody.
    let known = |name: &str| {
        text(name).and_then(|it| it.trim().parse::<u32>().ok()).filter(|it| *it != u32::MAX)
    };
    Some(Process {
        pid,
        parent,
        executable,
        uid,
        login: known("loginuid"),
        session: known("sessionid"),
        is_inherited: false,
    })
}

/// A socket on which the kernel tells of processes.
///
/// # Errors
/// Without CAP_NET_ADMIN, and in a namespace of users, processes or networks that is not the first.
pub(super) fn connect() -> std::io::Result<OwnedFd> {
    use rustix::net::netlink::{CONNECTOR, SocketAddrNetlink};
    use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType};
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        flags,
        Some(CONNECTOR),
    )?;
    // The group of processes is the first (CN_IDX_PROC).
    rustix::net::bind(&socket, &SocketAddrNetlink::new(0, 1))?;
    // Several megabytes: a burst of short processes must not be lost. What is more than allowed is cut.
    let _ = rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, 8 << 20)
        .or_else(|_| rustix::net::sockopt::set_socket_recv_buffer_size(&socket, 8 << 20));
    let mut message = Vec::new();
    let length: u32 = 16 + 20 + 4;
    message.extend(length.to_ne_bytes());
    // NLMSG_DONE, no flags, sequence and sender.
    message.extend(3_u16.to_ne_bytes());
    message.extend([0; 2 + 4 + 4]);
    // CN_IDX_PROC, CN_VAL_PROC, sequence and acknowledgement, length, flags.
    for word in [1_u32, 1, 0, 0] {
        message.extend(word.to_ne_bytes());
    }
    message.extend(4_u16.to_ne_bytes());
    message.extend([0; 2]);
    // PROC_CN_MCAST_LISTEN.
    message.extend(1_u32.to_ne_bytes());
    rustix::net::send(&socket, &message, SendFlags::empty())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn datagram(what: u32, words: &[u32]) -> Vec<u8> {
        let mut event = what.to_ne_bytes().to_vec();
        event.extend([0; 12]);
        words.iter().for_each(|it| event.extend(it.to_ne_bytes()));
        let mut message = u32::try_from(36 + event.len()).unwrap().to_ne_bytes().to_vec();
        message.extend([0; 12]);
        for word in [1_u32, 1, 0, 0] {
            message.extend(word.to_ne_bytes());
        }
        message.extend(u16::try_from(event.len()).unwrap().to_ne_bytes());
        message.extend([0; 2]);
        message.extend(event);
        message
    }

    #[test]
    fn forks_and_ends_of_threads_are_left_out() {
        let fork = datagram(1, &[10, 10, 11, 11]);
        let thread = datagram(1, &[10, 10, 12, 10]);
        let exec = datagram(2, &[11, 11]);
        let exit = datagram(0x8000_0000, &[11, 11, 0, 17, 10, 10]);
        let all = [fork, thread, exec, exit].concat();
        let wanted = [
            ProcessEvent::Fork { parent: 10, child: 11 },
            ProcessEvent::Exec(11),
            ProcessEvent::Exit(11),
        ];
        assert_eq!(parse_process_events(&all), wanted);
        for at in 0..all.len() {
            let _ = parse_process_events(&all[..at]);
        }
    }

    #[test]
    fn a_child_is_what_its_parent_was_until_it_begins_a_program() {
        let own = std::process::id();
        let processes = Processes::here();
        processes.follow();
        let parent = processes.get(own).unwrap();
        assert!(parent.executable.is_some());
        // No process has this number, so nothing can be asked of it.
        let child = u32::MAX - 7;
        processes.take(&[ProcessEvent::Fork { parent: own, child }]);
        assert_eq!(processes.get(child).unwrap().executable, parent.executable);
        processes.take(&[ProcessEvent::Exec(child), ProcessEvent::Exit(child)]);
        let gone = processes.get(child).unwrap();
        assert_eq!((gone.executable.clone(), gone.parent), (None, own));
        assert_eq!(processes.ancestors(&gone)[0].pid, own);
    }

    proptest! {
        #[test]
        fn any_datagram_is_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = parse_process_events(&bytes);
        }
    }
}
