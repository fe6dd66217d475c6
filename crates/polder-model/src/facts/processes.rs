//! Rows about what runs.

use crate::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A kind of namespace.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Namespace {
    /// File system mounts.
    Mount,
    /// Network.
    Network,
    /// Process ids.
    Process,
    /// User ids.
    User,
}

/// How a mapped file differs from the file now at its path.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Replacement {
    /// The mapped file has no name any more.
    Deleted,
    /// Another file has its name now.
    Replaced,
    /// A script was changed after the process had read it.
    Changed,
}

/// Code a process still runs although the file was changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct ReplacedFile {
    /// Its path, as the process sees it.
    pub path: String,
    /// What happened to it.
    pub how: Replacement,
}

/// One process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Parent's id.
    pub parent: u32,
    /// Name as the kernel keeps it, at most 15 bytes.
    pub name: String,
    /// Executable, where it can be seen.
    pub executable: Option<String>,
    /// Command line, secrets replaced by their class.
    pub command: String,
    /// Real user id.
    pub uid: u32,
    /// Effective user id.
    pub uid_effective: u32,
    /// Effective group id.
    pub gid_effective: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Effective capabilities, as the kernel's bit set.
    pub capabilities: u64,
    /// Capabilities it could still gain, as the kernel's bit set.
    pub capabilities_bounding: u64,
    /// Whether it can never gain privileges by running a program.
    pub no_new_privs: bool,
    /// Seccomp mode: 0 off, 1 strict, 2 filter.
    pub seccomp: u8,
    /// Namespaces of its own, that is other than the looker's.
    pub own_namespaces: Vec<Namespace>,
    /// Whether its root folder is not the host's.
    pub own_root: bool,
    /// Systemd unit or container by its control group.
    pub unit: Option<String>,
    /// When it started.
    pub started: Option<Timestamp>,
    /// Files whose code it maps, by path.
    pub mapped: Vec<String>,
    /// Mapped code that has been deleted or replaced on disk.
    pub replaced: Vec<ReplacedFile>,
    /// Whether its mapped files could be seen.
    pub maps_seen: bool,
    /// The script that its interpreter runs.
    #[serde(default)]
    pub script: Option<String>,
    /// Packages with modules of its program that were upgraded after it started.
    #[serde(default)]
    pub older_modules: Vec<String>,
}

impl Process {
    /// Whether it is a thread of the kernel: no executable and child of `kthreadd`.
    pub fn is_kernel_thread(&self) -> bool {
        self.pid == 2 || self.parent == 2
    }
}
