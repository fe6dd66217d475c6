//! What surrounds the files of a host: its boot, its clock, what is mounted, which code the kernel runs.

use crate::mounts::{Mount, parse_modules, parse_mounts, parse_shared};
use crate::proof::{PackageRow, packages};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// The host at the moment of a look.
#[derive(Clone, Debug, Default)]
pub struct Now {
    /// The root of what is looked at.
    pub root: PathBuf,
    /// Whether it is the running system, not a folder that holds one.
    pub is_running: bool,
    /// Seconds since 1970.
    pub taken: i64,
    /// The boot; empty in a folder.
    pub boot: String,
    /// Seconds between the clock and the time since the boot.
    pub clock: i64,
    /// Name of the host.
    pub host: String,
    /// `/etc/machine-id`.
    pub machine: String,
    /// What is mounted below the root.
    pub mounts: Vec<Mount>,
    /// Modules the kernel has loaded.
    pub modules: Vec<String>,
    /// Files that some process may write to through its memory.
    pub shared: HashSet<((u32, u32), u64)>,
    /// Packages that dpkg or RPM knows.
    pub packages: Vec<PackageRow>,
    /// What could not be seen, and without which times cannot be relied on.
    pub problems: Vec<String>,
    /// What could not be seen besides.
    pub notes: Vec<String>,
}

impl Now {
    /// Looks at the running system.
    pub fn here() -> Self {
        Self::with_shared(Shared::here())
    }

    /// The same, where somebody else looked at what processes may write to: it takes rights over them.
    pub fn with_shared(Shared { files: shared, notes: denied }: Shared) -> Self {
        let read =
            |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_string();
        let (mut problems, notes) = (Vec::new(), denied);
        let boot = kernel("/proc/sys/kernel/random/boot_id", &mut problems).trim().to_string();
        // A kernel without modules has no such file.
        let modules = match Path::new("/proc/modules").exists() {
            true => parse_modules(&kernel("/proc/modules", &mut problems)),
            false => Vec::new(),
        };
        let mounts = std::fs::read("/proc/self/mountinfo").unwrap_or_else(|error| {
            problems.push(format!("what is mounted: {error}"));
            Vec::new()
        });
        let real = rustix::time::clock_gettime(rustix::time::ClockId::Realtime).tv_sec;
        let since_boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime).tv_sec;
        Self {
            root: "/".into(),
            is_running: true,
            taken: real,
            boot,
            clock: real - since_boot,
            host: read("/proc/sys/kernel/hostname"),
            machine: read("/etc/machine-id"),
            mounts: parse_mounts(&mounts),
            modules,
            shared,
            problems,
            notes,
            ..Self::default()
        }
    }

    /// Looks at the packages, too: a baseline that is written holds them, a check asks for none.
    pub fn with_packages(mut self) -> Self {
        self.packages = packages(&self.root);
        self
    }

    /// Looks at a folder that holds a root file system. Files of running processes are nothing to it.
    pub fn folder(root: &Path) -> Self {
        let real = rustix::time::clock_gettime(rustix::time::ClockId::Realtime).tv_sec;
        let read = |path: &str| {
            let bytes = crate::proof::plain::read(root, Path::new(path), 4096).unwrap_or_default();
            String::from_utf8_lossy(&bytes).trim().to_string()
        };
        let (host, machine) = (read("etc/hostname"), read("etc/machine-id"));
        let host = if host.is_empty() { root.display().to_string() } else { host };
        Self { root: root.to_path_buf(), taken: real, host, machine, ..Self::default() }
    }
}

/// A file of the kernel's own. Whoever covers it with another one would be believed: only what lies on
/// proc itself counts.
fn kernel(path: &str, problems: &mut Vec<String>) -> String {
    use std::io::Read;
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) => {
            problems.push(format!("`{path}`: {error}"));
            return String::new();
        }
    };
    let is_proc =
        rustix::fs::fstatfs(&file).is_ok_and(|it| it.f_type == rustix::fs::PROC_SUPER_MAGIC);
    let mut text = String::new();
    match file.take(16 << 20).read_to_string(&mut text) {
        Ok(_) if is_proc => text,
        Ok(_) => {
            problems.push(format!("`{path}` is not the kernel's own: something is mounted on it"));
            String::new()
        }
        Err(error) => {
            problems.push(format!("`{path}`: {error}"));
            String::new()
        }
    }
}

/// Files that processes may write to through their memory, by device and inode.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    /// The files.
    pub files: HashSet<((u32, u32), u64)>,
    /// What could not be seen.
    pub notes: Vec<String>,
}

impl Shared {
    /// Asks all processes. Of those that end meanwhile nothing is known, and nothing is needed.
    pub fn here() -> Self {
        let mut notes = Vec::new();
        Self { files: shared(&mut notes), notes }
    }
}

fn shared(problems: &mut Vec<String>) -> HashSet<((u32, u32), u64)> {
    let mut all = HashSet::new();
    let Ok(entries) = std::fs::read_dir("/proc") else {
        problems.push("which files processes write to through their memory: no `/proc`".into());
        return all;
    };
    let mut denied = 0_u32;
    for entry in entries.flatten() {
        let name = entry.file_name();
        if !name.as_encoded_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        match std::fs::read(entry.path().join("maps")) {
            Ok(maps) => all.extend(parse_shared(&String::from_utf8_lossy(&maps))),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => denied += 1,
            Err(_) => {}
        }
    }
    if denied > 0 {
        let says = format!(
            "which files {denied} of the processes write to through their memory: they may not be looked at"
        );
        problems.push(says);
    }
    all
}
