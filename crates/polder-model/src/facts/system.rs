//! Rows about the machine itself: system, mounts, backups, what watches.

use crate::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Operating system, kernel, boot and clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct System {
    /// Name of the host.
    pub host_name: String,
    /// `ID` of os-release, such as `debian`.
    pub os_id: String,
    /// `PRETTY_NAME` of os-release.
    pub os_name: String,
    /// `VERSION_ID` of os-release.
    pub os_version: String,
    /// `VERSION_CODENAME` of os-release.
    pub os_codename: String,
    /// Release of the running kernel, as `uname -r`.
    pub kernel_release: String,
    /// Build of the running kernel, as `uname -v`.
    pub kernel_version: String,
    /// Kernel releases installed under `/boot` or `/lib/modules`.
    pub kernels_installed: Vec<String>,
    /// Revisions of microcode: the one that runs and the one installed for this processor; none in a guest,
    /// and where that cannot be told.
    #[serde(default)]
    pub microcode: Option<(u32, u32)>,
    /// When it booted.
    pub booted: Option<Timestamp>,
    /// Name of process 1.
    pub init: String,
    /// What keeps the clock right, where something does.
    pub clock_kept_by: Option<String>,
    /// Whether a package asked for a reboot, and which.
    pub reboot_required_by: Vec<String>,
    /// Setting by which updates are installed without a person, where there is one.
    pub automatic_updates: Option<String>,
    /// Last day of support by the vendor's own list, where known.
    pub support_ends: Option<String>,
    /// Whether the user who looks can see other users' processes.
    pub proc_hidden: bool,
    /// Whether it runs in a container or virtual machine, as far as files tell.
    pub container: Option<String>,
}

/// One mounted file system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mount {
    /// Where it is mounted.
    pub point: String,
    /// Type, such as `ext4`.
    pub kind: String,
    /// Device or remote source.
    pub source: String,
    /// Mount options.
    pub options: Vec<String>,
}

impl Mount {
    /// Whether an option is set.
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|it| it == option)
    }
}

/// What makes the backup.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum BackupKind {
    /// borg or borgmatic.
    Borg,
    /// restic.
    Restic,
    /// rsnapshot, rdiff-backup or a script with rsync.
    Rsync,
    /// duplicity or duply.
    Duplicity,
    /// Bacula or Bareos.
    Bacula,
    /// pgBackRest, barman or WAL-G.
    PostgresTool,
    /// A dump of a database written by a job.
    Dump,
}

/// A backup that exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Backup {
    /// What makes it.
    pub kind: BackupKind,
    /// Configuration or job it is known from.
    pub known_from: String,
    /// Where it goes, as far as the configuration tells.
    pub destination: Option<String>,
    /// Newest file of a local destination.
    pub last_written: Option<Timestamp>,
    /// Last restore or verification that left a trace.
    pub last_verified: Option<Timestamp>,
    /// Whether root on this host can destroy it; unknown for remote ones.
    pub destroyable_here: Option<bool>,
}

/// A file that is not as the baseline of this host says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileChange {
    /// Its path, or what is mounted or loaded.
    pub path: String,
    /// `added`, `removed`, `changed`, `mounted`, `loaded` and so on.
    pub what: String,
    /// In what way it differs.
    pub differences: Vec<String>,
    /// What the path is for, and which rights the file gives.
    pub means: Vec<String>,
    /// Technique of intruders (ATT&CK) that such a change may be.
    pub technique: Option<String>,
    /// Whether it is a way to stay, or to become more: jobs, keys, modules, rights.
    pub stays: bool,
    /// The package it belongs to.
    pub package: Option<String>,
    /// The program that did it, where a watch saw that.
    pub by: Option<String>,
    /// When it was told.
    pub told: Timestamp,
}

/// Something that watches this host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Watcher {
    /// What it is: `auditd`, `aide`, `fail2ban`, `remote-syslog`.
    pub name: String,
    /// What it watches: `integrity`, `log`, `brute-force`, `audit`, `remote-log`, `agent`.
    pub watches: String,
    /// Whether it is running or scheduled; unknown when that could not be seen.
    pub active: Option<bool>,
    /// Whether its word leaves the host.
    pub leaves_host: bool,
    /// File or process it is known from.
    pub known_from: String,
}
