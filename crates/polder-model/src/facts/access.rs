//! Rows about who may do what.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// State of a password; the hash itself never passes the door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "password")]
pub enum Password {
    /// None is needed.
    Empty,
    /// Login by password is impossible.
    Locked,
    /// One is set.
    Set {
        /// Hash algorithm by its prefix: `yescrypt`, `sha512`, `md5`, `des`.
        algorithm: String,
    },
    /// Could not be seen.
    Unknown,
}

/// One account of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct User {
    /// Name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Home folder.
    pub home: String,
    /// Login shell.
    pub shell: String,
    /// State of the password.
    pub password: Password,
    /// Line in `/etc/passwd`.
    pub line: usize,
}

impl User {
    /// Whether the shell lets a person work.
    pub fn has_shell(&self) -> bool {
        let last = self.shell.rsplit('/').next().unwrap_or_default();
        !matches!(last, "nologin" | "false" | "sync" | "shutdown" | "halt")
    }

    /// Whether it is an account for a person by the usual ranges (login.defs(5)).
    pub fn is_person(&self) -> bool {
        self.has_shell() && (1000..60_000).contains(&self.uid)
    }
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// Name.
    pub name: String,
    /// Group id.
    pub gid: u32,
    /// Listed members; those by primary group are not listed.
    pub members: Vec<String>,
}

/// One command of a sudo rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SudoCommand {
    /// Users it may be run as.
    pub run_as_users: Vec<String>,
    /// Groups it may be run as.
    pub run_as_groups: Vec<String>,
    /// Whether no password is asked.
    pub no_password: bool,
    /// Whether the command may run others (`NOEXEC` not set).
    pub no_exec: bool,
    /// Whether the environment may be kept (`SETENV`).
    pub set_env: bool,
    /// The command with its arguments, `ALL`, or an alias resolved; negated ones begin with `!`.
    pub command: String,
}

/// One rule of sudo or doas, aliases resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SudoRule {
    /// File.
    pub file: String,
    /// Line, counted from one.
    pub line: usize,
    /// Users: names, `%group`, `#uid`, `ALL`; negated ones begin with `!`.
    pub users: Vec<String>,
    /// Hosts.
    pub hosts: Vec<String>,
    /// Commands.
    pub commands: Vec<SudoCommand>,
}

/// One way in which a user can become another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct UserPower {
    /// Who.
    pub user: String,
    /// Whom they become.
    pub becomes: String,
    /// Through what: `sudo`, `doas`, `group`, `polkit`.
    pub through: String,
    /// The rule or group.
    pub detail: String,
    /// Whether their own password is asked for.
    pub needs_password: bool,
    /// Whether it is certain, or depends on what the allowed command can be made to do.
    pub certain: bool,
    /// File.
    pub file: String,
    /// Line, counted from one.
    pub line: usize,
}

/// One effective setting of the SSH server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SshSetting {
    /// Name in lower case, as `sshd -T` prints it.
    pub name: String,
    /// Value.
    pub value: String,
    /// `sshd -T` or the file and line.
    pub known_from: String,
}

/// One key that may log in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuthorizedKey {
    /// Whose account it opens.
    pub user: String,
    /// File.
    pub file: String,
    /// Line, counted from one.
    pub line: usize,
    /// Key type, such as `ssh-ed25519`.
    pub kind: String,
    /// Options, such as `from` or `command`.
    pub options: Vec<String>,
    /// Short digest that tells keys apart; never the key.
    pub key_digest: String,
    /// Short digest of the comment.
    pub comment_digest: String,
}

/// Owner and mode of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileSecurity {
    /// Permission bits with SUID, SGID and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// A file that gives its caller more rights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Privileged {
    /// Path.
    pub path: String,
    /// Owner and mode.
    pub security: FileSecurity,
    /// File capabilities as `getcap` prints them, where there are any.
    pub capabilities: Option<String>,
    /// Package that owns it.
    pub package: Option<String>,
    /// Whether package ownership could be looked up.
    pub package_known: bool,
}

/// What kind of file lets one user act as another.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum InfluenceKind {
    /// A unit file, or the program it starts.
    Unit,
    /// A crontab, or the program it starts.
    Cron,
    /// A folder of root's search path.
    SearchPath,
    /// Configuration of the dynamic linker, or a folder it names.
    DynamicLinker,
    /// A start-up file or other configuration that root reads.
    Configuration,
}

/// A file that one user may write and another obeys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Influence {
    /// What kind of file.
    pub kind: InfluenceKind,
    /// Path.
    pub path: String,
    /// Who may write it: a user, `%group`, or `everyone`.
    pub writer: String,
    /// Who obeys it.
    pub obeyed_by: String,
    /// How it is obeyed: "started by `backup.service`".
    pub how: String,
}

/// What a credential is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum CredentialClass {
    /// A private key without a passphrase.
    PrivateKeyBare,
    /// A private key with a passphrase.
    PrivateKeySealed,
    /// A password for a database.
    DatabasePassword,
    /// Another password.
    Password,
    /// A token of a service or cloud.
    Token,
    /// A running agent that signs for whoever can reach it.
    AgentSocket,
    /// A secret in a shell history.
    History,
}

impl CredentialClass {
    /// The class in words.
    pub fn says(self) -> &'static str {
        match self {
            Self::PrivateKeyBare => "private key without passphrase",
            Self::PrivateKeySealed => "private key with passphrase",
            Self::DatabasePassword => "database password",
            Self::Password => "password",
            Self::Token => "token",
            Self::AgentSocket => "agent socket",
            Self::History => "secret in a shell history",
        }
    }
}

/// A credential lying in a file; never its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Credential {
    /// Path.
    pub path: String,
    /// Line, where there is one.
    pub line: Option<usize>,
    /// What it is.
    pub class: CredentialClass,
    /// Owner and mode of the file.
    pub security: FileSecurity,
    /// Users other than root who can read it; `everyone` stands for all.
    pub readers: Vec<String>,
    /// What it opens, as far as the file tells: `postgresql shop@10.0.0.7`.
    pub opens: Option<String>,
    /// Name of the setting that holds it.
    pub name: String,
}
