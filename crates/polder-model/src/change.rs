//! What the executor can do: small changes, each with a state that can be told and an inverse.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One change of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "change")]
pub enum Change {
    /// Writes a whole file, new or in place of the old one; a file that exists keeps owner and mode.
    WriteFile {
        /// Its path.
        path: String,
        /// Its whole content.
        content: String,
    },
    /// Sets lines of a text file that exists.
    SetLines {
        /// Its path.
        path: String,
        /// The lines.
        lines: Vec<SetLine>,
    },
    /// Removes a file.
    RemoveFile {
        /// Its path.
        path: String,
    },
    /// Puts a file or link back as it was, or takes one away that was not there; what it was stands beside the
    /// change, since a treatment cannot know it.
    PutBack {
        /// Its path.
        path: String,
    },
    /// Makes a folder, with the folders above it.
    MakeFolder {
        /// Its path.
        path: String,
    },
    /// Takes bits of the mode away.
    ClearMode {
        /// The file.
        path: String,
        /// Bits of `chmod(2)`, such as `0o6000` for set-user-ID and set-group-ID.
        bits: u32,
    },
    /// Gives a file to another user and group.
    SetOwner {
        /// The file.
        path: String,
        /// User number.
        uid: u32,
        /// Group number.
        gid: u32,
    },
    /// Takes the file capabilities (`capabilities(7)`) of a program away.
    DropCapabilities {
        /// The program.
        path: String,
    },
    /// Enables or disables a unit of systemd for the next boot.
    EnableUnit {
        /// The unit.
        unit: String,
        /// Whether it is to start at boot.
        enabled: bool,
    },
    /// Starts or stops a unit of systemd.
    RunUnit {
        /// The unit.
        unit: String,
        /// Whether it is to run.
        running: bool,
    },
    /// Lets systemd read its units again and restarts one, so that it takes changed files up.
    RestartUnit {
        /// The unit.
        unit: String,
    },
    /// Lets a unit of systemd take its changed configuration up without a restart.
    ReloadUnit {
        /// The unit.
        unit: String,
    },
    /// Installs packages that are not there.
    InstallPackages {
        /// Their names.
        names: Vec<String>,
    },
    /// Upgrades packages that are there.
    UpgradePackages {
        /// Their names.
        names: Vec<String>,
    },
    /// Loads the rules of a file that makes one table of nftables; going back deletes the table.
    LoadRules {
        /// Family and name of the table, such as `inet polder_tcp_6379`.
        table: String,
        /// The file.
        path: String,
    },
    /// Gives an account of a database server other rights; which, stands beside the change.
    AccountRights {
        /// The server and database, as libpq is told, without anything secret.
        server: String,
        /// The account.
        account: String,
    },
    /// Asks a program whether the configuration is right, and changes nothing.
    Check {
        /// Which program.
        check: Check,
    },
}

/// A line of a text file that is to be there once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SetLine {
    /// First word of the lines it takes the place of; comments stay.
    pub key: String,
    /// The line.
    pub line: String,
}

/// A program's own check of its configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "of")]
pub enum Check {
    /// `sshd -t`.
    Sshd,
    /// `visudo -c`.
    Sudoers,
    /// `nginx -t`.
    Nginx,
    /// `nft -c -f FILE`.
    Rules {
        /// The file.
        path: String,
    },
}
