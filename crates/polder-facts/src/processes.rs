//! What runs: who it is, what it may do, and which code it still maps although it was changed.

use crate::interpreted::{Interpreter, script};
use crate::reading::{shown, text, text_up_to};
use polder_host::{ErrorKind, Host, HostError, Kind, Stat};
use polder_model::facts::{Namespace, Process, ReplacedFile, Replacement};
use polder_model::{Coverage, Table, Timestamp, printable};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Most processes looked at.
const PROCESSES_MAX: usize = 100_000;

/// Largest list of mappings read; a database with thousands of segments has a few megabytes.
const MAPS_BYTES_MAX: u64 = 32 << 20;

/// Ticks of the kernel's clock in a second: fixed at 100 in the interface to programs (time(7)).
const TICKS_SECOND: i64 = 100;

/// Every process the looker may see.
pub fn look(host: &dyn Host) -> Table<Process> {
    if !host.identity().running {
        let because = "a folder is looked at, not a running host";
        return Table::with(Coverage::not_applicable(because), Vec::new());
    }
    let entries = match host.list("/proc".as_ref()) {
        Ok(entries) => entries,
        Err(error) => {
            return Table::with(crate::reading::not_looked(&error, "the processes"), Vec::new());
        }
    };
    let pids: Vec<u32> = entries
        .iter()
        .filter(|entry| entry.kind == Kind::Folder)
        .filter_map(|entry| entry.name.to_str()?.parse().ok())
        .take(PROCESSES_MAX)
        .collect();
    let world = World {
        host,
        own: namespaces(host, "self"),
        root: host.stat("/proc/self/root".as_ref()).ok().map(|it| it.inode),
        booted: text(host, "/proc/stat").ok().and_then(|it| crate::system::parse_boot_time(&it)),
    };
    let mut rows: Vec<Process> = pids.par_iter().filter_map(|pid| world.process(*pid)).collect();
    rows.sort_by_key(|process| process.pid);
    Table::with(coverage(host, &rows, pids.len()), rows)
}

fn coverage(host: &dyn Host, rows: &[Process], listed: usize) -> Coverage {
    if rows.is_empty() {
        return Coverage::NotLooked {
            because: format!("none of {listed} processes could be read"),
            root_adds: Some("all processes".into()),
        };
    }
    let unseen =
        rows.iter().filter(|process| !process.maps_seen && !process.is_kernel_thread()).count();
    if unseen == 0 {
        return Coverage::Complete;
    }
    crate::reading::hidden(
        host,
        format!("the mapped files of {unseen} of {} processes cannot be read", rows.len()),
        "which processes still run deleted code, and what each really maps",
    )
}

struct World<'a> {
    host: &'a dyn Host,
    own: BTreeMap<Namespace, String>,
    root: Option<u64>,
    booted: Option<Timestamp>,
}

impl World<'_> {
    /// None when it ended meanwhile.
    fn process(&self, pid: u32) -> Option<Process> {
        let host = self.host;
        let folder = format!("/proc/{pid}");
        let mut process = Process { pid, ..Process::default() };
        parse_status(&text(host, format!("{folder}/status")).ok()?, &mut process);
        let stat = text(host, format!("{folder}/stat")).ok()?;
        let ticks = start_ticks(&stat);
        process.started = self
            .booted
            .zip(ticks)
            .map(|(booted, ticks)| Timestamp(booted.0.saturating_add(ticks / TICKS_SECOND)));
        if let Ok(bytes) = host.read(format!("{folder}/cmdline").as_ref(), 1 << 20) {
            process.command = command_of(&bytes);
        }
        if let Ok(text) = text(host, format!("{folder}/cgroup")) {
            process.unit = unit_of(&text);
        }
        if process.is_kernel_thread() {
            process.maps_seen = true;
            return Some(process);
        }
        let executable = host.read_link(format!("{folder}/exe").as_ref());
        process.executable = executable.as_ref().ok().map(|path| {
            let path = shown(path);
            path.strip_suffix(" (deleted)").map_or(path.clone(), str::to_string)
        });
        let theirs = namespaces(host, &pid.to_string());
        process.own_namespaces = theirs
            .iter()
            .filter(|(kind, id)| self.own.get(kind).is_some_and(|own| own != *id))
            .map(|(kind, _)| *kind)
            .collect();
        let root = host.stat(format!("{folder}/root").as_ref()).ok().map(|it| it.inode);
        process.own_root = root.is_some() && self.root.is_some() && root != self.root;
        match text_up_to(host, format!("{folder}/maps"), MAPS_BYTES_MAX) {
            Ok(maps) => self.map(&maps, &mut process),
            // A process without memory: ending, or a thread of the kernel.
            Err(error) if error.is_not_found() => process.maps_seen = true,
            Err(_) => {}
        }
        self.script(&folder, &mut process);
        Some(process)
    }

    /// Notes the script of an interpreter, and whether it was changed since it was read.
    fn script(&self, folder: &str, process: &mut Process) {
        if Interpreter::of(process).is_none() {
            return;
        }
        let Ok(works_in) = self.host.read_link(format!("{folder}/cwd").as_ref()) else { return };
        let Some(path) = script(process, &works_in) else { return };
        // A link of a container would lead out of it.
        let stat = match process.own_root || process.own_namespaces.contains(&Namespace::Mount) {
            true => self.host.stat_link(format!("{folder}/root{}", path.display()).as_ref()),
            false => self.host.stat(&path),
        };
        let Ok(stat) = stat else { return };
        if stat.kind != Kind::File {
            return;
        }
        // Clocks tick by the hundredth: what is made and started at once is not older.
        if process.started.is_some_and(|it| stat.changed > it.0.saturating_add(1)) {
            let how = Replacement::Changed;
            process.replaced.push(ReplacedFile { path: shown(&path), how });
        }
        process.script = Some(shown(&path));
    }

    fn map(&self, maps: &str, process: &mut Process) {
        process.maps_seen = true;
        let mut mapped = BTreeSet::new();
        let mut replaced = BTreeSet::new();
        // A program below /tmp is code all the same; what else is mapped from there is scratch.
        let own = process.executable.clone();
        for mapping in parse_maps(maps) {
            let path = mapping.path;
            let deleted = path.strip_suffix(" (deleted)");
            let is_own = own.as_deref() == Some(&text_of(deleted.unwrap_or(path)));
            if !mapping.executable || (is_scratch(path) && !(is_own && path.starts_with("/tmp/"))) {
                continue;
            }
            if let Some(path) = deleted {
                replaced.insert(ReplacedFile { path: text_of(path), how: Replacement::Deleted });
                mapped.insert(text_of(path));
                continue;
            }
            if mapped.insert(text_of(path)) && self.is_replaced(process, &mapping) {
                replaced.insert(ReplacedFile { path: text_of(path), how: Replacement::Replaced });
            }
        }
        process.mapped = mapped.into_iter().collect();
        process.replaced = replaced.into_iter().collect();
    }

    /// Whether another file has the name now. A younger inode alone is not enough: overlay file
    /// systems show another inode number for the same file.
    fn is_replaced(&self, process: &Process, mapping: &Mapping<'_>) -> bool {
        // Paths are told as the reader sees them; of a mount namespace that is not ours, as within.
        let path = if process.own_namespaces.contains(&Namespace::Mount) {
            PathBuf::from(format!("/proc/{}/root{}", process.pid, mapping.path))
        } else {
            PathBuf::from(mapping.path)
        };
        let Ok(now) = self.host.stat(&path) else { return false };
        let younger = |stat: &Stat| process.started.is_some_and(|it| stat.changed > it.0);
        now.inode != mapping.inode && younger(&now)
    }
}

fn text_of(path: &str) -> String {
    printable(path.as_bytes())
}

/// Mappings that are no installed code: shared memory, just-in-time code, devices.
fn is_scratch(path: &str) -> bool {
    const PREFIXES: [&str; 12] = [
        "/memfd:",
        "/SYSV",
        "/dev/",
        "/tmp/",
        "/var/tmp/",
        "/run/",
        "/proc/",
        "/anon_hugepage",
        "/i915",
        "/drm",
        "/[aio]",
        "anon_inode:",
    ];
    !path.starts_with('/') || PREFIXES.iter().any(|it| path.starts_with(it))
}

/// One line of `/proc/PID/maps`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping<'a> {
    /// Whether code may run from it.
    pub executable: bool,
    /// Inode of the mapped file.
    pub inode: u64,
    /// Path, perhaps with ` (deleted)` at its end; newlines are written `\012`.
    pub path: &'a str,
}

/// Reads the mappings that have a file (proc_pid_maps(5)); other lines are passed over.
pub fn parse_maps(text: &str) -> impl Iterator<Item = Mapping<'_>> {
    text.lines().filter_map(|line| {
        let mut rest = line;
        let mut word = || {
            let trimmed = rest.trim_start();
            let (word, tail) = trimmed.split_once(' ')?;
            rest = tail;
            Some(word)
        };
        let (_range, rights) = (word()?, word()?);
        let (_offset, _device) = (word()?, word()?);
        let inode = word()?.parse().ok()?;
        let path = rest.trim_start();
        (!path.is_empty()).then_some(Mapping { executable: rights.contains('x'), inode, path })
    })
}

/// Reads `/proc/PID/status` (proc_pid_status(5)); what is missing stays at its default.
pub fn parse_status(text: &str, process: &mut Process) {
    for line in text.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        let ids = || value.split_ascii_whitespace().filter_map(|it| it.parse::<u32>().ok());
        let bits = || u64::from_str_radix(value, 16).unwrap_or(0);
        match name {
            "Name" => process.name = printable(value.as_bytes()),
            "PPid" => process.parent = value.parse().unwrap_or(0),
            "Uid" => {
                process.uid = ids().next().unwrap_or(u32::MAX);
                process.uid_effective = ids().nth(1).unwrap_or(u32::MAX);
            }
            "Gid" => process.gid_effective = ids().nth(1).unwrap_or(u32::MAX),
            "Groups" => process.groups = ids().collect(),
            "CapEff" => process.capabilities = bits(),
            "CapBnd" => process.capabilities_bounding = bits(),
            "NoNewPrivs" => process.no_new_privs = value == "1",
            "Seccomp" => process.seccomp = value.parse().unwrap_or(0),
            _ => {}
        }
    }
}

/// Field 22 of `/proc/PID/stat`; the name in brackets may itself hold blanks and brackets.
pub fn start_ticks(stat: &str) -> Option<i64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(19)?.parse().ok()
}

fn command_of(bytes: &[u8]) -> String {
    let mut words: Vec<String> = bytes.split(|byte| *byte == 0).map(printable).collect();
    while words.last().is_some_and(String::is_empty) {
        words.pop();
    }
    words.join(" ").trim_end().to_string()
}

/// The unit or container in a control group: the last path part that names one.
pub fn unit_of(text: &str) -> Option<String> {
    let mut found = None;
    for line in text.lines() {
        let Some(path) = line.splitn(3, ':').nth(2) else { continue };
        for part in path.split('/') {
            let is_unit =
                [".service", ".scope", ".socket", ".mount"].iter().any(|it| part.ends_with(it));
            let is_container =
                ["docker-", "cri-containerd-", "libpod-"].iter().any(|it| part.starts_with(it));
            if is_unit || is_container {
                found = Some(printable(part.as_bytes()));
            }
        }
    }
    found
}

fn namespaces(host: &dyn Host, pid: &str) -> BTreeMap<Namespace, String> {
    [
        (Namespace::Mount, "mnt"),
        (Namespace::Network, "net"),
        (Namespace::Process, "pid"),
        (Namespace::User, "user"),
    ]
    .into_iter()
    .filter_map(|(kind, name)| {
        let link = host.read_link(format!("/proc/{pid}/ns/{name}").as_ref()).ok()?;
        Some((kind, shown(&link)))
    })
    .collect()
}

/// Inodes of the sockets each process holds, and how many processes could not be read.
pub fn sockets(host: &dyn Host, processes: &[Process]) -> (BTreeMap<u64, Vec<u32>>, usize) {
    let answers: Vec<Result<Vec<(u64, u32)>, HostError>> = processes
        .par_iter()
        .filter(|process| !process.is_kernel_thread())
        .map(|process| sockets_of(host, process.pid))
        .collect();
    let mut owners: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    let mut unseen = 0;
    for answer in answers {
        match answer {
            Ok(pairs) => {
                for (inode, pid) in pairs {
                    owners.entry(inode).or_default().push(pid);
                }
            }
            Err(error) if error.kind == ErrorKind::NotFound => {}
            Err(_) => unseen += 1,
        }
    }
    for pids in owners.values_mut() {
        pids.sort_unstable();
        pids.dedup();
    }
    (owners, unseen)
}

fn sockets_of(host: &dyn Host, pid: u32) -> Result<Vec<(u64, u32)>, HostError> {
    let folder = PathBuf::from(format!("/proc/{pid}/fd"));
    let mut pairs = Vec::new();
    for entry in host.list(&folder)? {
        match host.read_link(&folder.join(&entry.name)) {
            Ok(link) => pairs.extend(socket_inode(&link).map(|inode| (inode, pid))),
            // Closed meanwhile.
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(pairs)
}

/// `socket:[123]`.
fn socket_inode(link: &Path) -> Option<u64> {
    link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_keep_blanks_in_paths() {
        let text = "55-56 r-xp 00000000 fe:00 42                         /usr/lib/a b.so (deleted)\n55-56 rw-p 00000000 00:00 0 \nbroken\n";
        let all: Vec<_> = parse_maps(text).collect();
        let path = "/usr/lib/a b.so (deleted)";
        assert_eq!(all, [Mapping { executable: true, inode: 42, path }]);
    }

    #[test]
    fn shared_memory_is_no_code() {
        assert!(is_scratch("/memfd:vmem (deleted)"));
        assert!(is_scratch("/SYSV000b2070 (deleted)"));
        assert!(is_scratch("/dev/zero (deleted)"));
        assert!(is_scratch("[vdso]"));
        assert!(!is_scratch("/usr/lib/x86_64-linux-gnu/libc.so.6"));
    }

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 1 0 12345 1000";
        assert_eq!(start_ticks(stat), Some(12345));
    }

    #[test]
    fn the_innermost_unit_counts() {
        let text = "0::/system.slice/docker.service/x\n";
        assert_eq!(unit_of(text).as_deref(), Some("docker.service"));
        assert_eq!(unit_of("1:name=systemd:/\n0::/\n"), None);
    }
}
