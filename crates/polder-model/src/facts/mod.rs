//! What was seen on one host: one table per subject, each with its coverage.

mod access;
mod library;
mod network;
mod packages;
mod processes;
mod services;
mod system;

pub use access::{
    AuthorizedKey, Credential, CredentialClass, FileSecurity, Group, Influence, InfluenceKind,
    Password, Privileged, SshSetting, SudoCommand, SudoRule, User, UserPower,
};
pub use library::{Application, ApplicationFlaw, Library, LibraryFlaw};
pub use network::{Address, FirewallRule, Listener, PortVerdict, Protocol};
pub use packages::{
    Alternative, Candidate, Fix, Flaw, IndexSource, IndexState, Package, TrackRecord, Unsupported,
    Upgrade, Verdict,
};
pub use processes::{Namespace, Process, ReplacedFile, Replacement};
pub use services::{Access, CronEntry, Engine, Server, ServerAccount, Unit, UnitSetting};
pub use services::{AccountReach, DatabaseAccount, DatabaseClient, SensitiveColumn};
pub use system::{Backup, BackupKind, FileChange, Mount, System, Watcher};

use crate::{Coverage, Table, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that was seen on one host at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Facts {
    /// When it was looked at.
    pub taken: Timestamp,
    /// Effective user id of the looker.
    pub looker_uid: u32,
    /// Operating system, kernel, boot, clock; one row.
    pub system: Table<System>,
    /// Installed packages.
    pub packages: Table<Package>,
    /// The package manager's own indices.
    pub indices: Table<IndexSource>,
    /// Packages with a newer candidate.
    pub candidates: Table<Candidate>,
    /// Past upgrades as the package manager logged them.
    pub upgrades: Table<Upgrade>,
    /// Known flaws of what is installed, as the imported feeds tell them.
    #[serde(default)]
    pub flaws: Table<Flaw>,
    /// How often each installed source package needed a fix, as the imported feeds tell it.
    #[serde(default)]
    pub vendors: Table<TrackRecord>,
    /// Source packages that the distribution supports no more, or not for all uses.
    #[serde(default)]
    pub unsupported: Table<Unsupported>,
    /// Processes.
    pub processes: Table<Process>,
    /// Programs of the owner's that run, with their libraries.
    #[serde(default)]
    pub applications: Table<Application>,
    /// Known flaws of those libraries, as the imported feeds tell them.
    #[serde(default)]
    pub application_flaws: Table<ApplicationFlaw>,
    /// Listening sockets.
    pub listeners: Table<Listener>,
    /// Addresses of the network interfaces.
    pub addresses: Table<Address>,
    /// Packet filter rules, flattened.
    pub firewall: Table<FirewallRule>,
    /// Units of systemd, read from files.
    pub units: Table<Unit>,
    /// Users.
    pub users: Table<User>,
    /// Groups.
    pub groups: Table<Group>,
    /// Rules of sudo and doas.
    pub sudo: Table<SudoRule>,
    /// Who can become whom, and through what.
    pub powers: Table<UserPower>,
    /// Effective settings of the SSH server.
    pub sshd: Table<SshSetting>,
    /// Keys that may log in.
    pub authorized_keys: Table<AuthorizedKey>,
    /// SUID and SGID files and file capabilities.
    pub privileged: Table<Privileged>,
    /// Files through which one user can act as another.
    pub influences: Table<Influence>,
    /// Cron entries.
    pub cron: Table<CronEntry>,
    /// Database and broker servers.
    pub servers: Table<Server>,
    /// Accounts of databases, as they were looked at last.
    #[serde(default)]
    pub database_accounts: Table<DatabaseAccount>,
    /// Credentials lying in files.
    pub credentials: Table<Credential>,
    /// Mounted file systems.
    pub mounts: Table<Mount>,
    /// Backups.
    pub backups: Table<Backup>,
    /// What watches this host.
    pub watchers: Table<Watcher>,
    /// Files that are not as the baseline of this host says, by the last look of a watch or check.
    #[serde(default)]
    pub file_changes: Table<FileChange>,
    /// Which package owns a path, for the paths that other tables name.
    pub owners: BTreeMap<String, String>,
    /// How well the owners are known.
    pub owners_coverage: OwnersCoverage,
}

/// Coverage of [`Facts::owners`], with a default that claims nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OwnersCoverage(pub Coverage);

impl Default for OwnersCoverage {
    fn default() -> Self {
        Self(Coverage::not_looked("package ownership was not asked for"))
    }
}

impl Facts {
    /// The single row of [`Facts::system`].
    pub fn system_row(&self) -> Option<&System> {
        self.system.rows.first()
    }

    /// Name of the host, or `localhost` where it is not known.
    pub fn host_name(&self) -> &str {
        self.system_row()
            .map(|system| system.host_name.as_str())
            .filter(|name| !name.is_empty())
            .unwrap_or("localhost")
    }

    /// The installed package of this name.
    pub fn package(&self, name: &str) -> Option<&Package> {
        self.packages.rows.iter().find(|package| package.name == name)
    }

    /// The user of this id.
    pub fn user_by_id(&self, uid: u32) -> Option<&User> {
        self.users.rows.iter().find(|user| user.uid == uid)
    }

    /// The name of this user id, or the id in words.
    pub fn user_name(&self, uid: u32) -> String {
        self.user_by_id(uid).map_or_else(|| format!("uid {uid}"), |user| user.name.clone())
    }

    /// Names of the members of a group: by list and by primary group.
    pub fn group_members(&self, group: &Group) -> Vec<String> {
        let mut members = group.members.clone();
        members.extend(
            self.users
                .rows
                .iter()
                .filter(|user| user.gid == group.gid)
                .map(|user| user.name.clone()),
        );
        members.sort();
        members.dedup();
        members
    }

    /// The process of this id.
    pub fn process(&self, pid: u32) -> Option<&Process> {
        self.processes.rows.iter().find(|process| process.pid == pid)
    }
}
