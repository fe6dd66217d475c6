//! Rows about services: units, jobs, databases and brokers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One setting of a unit with where it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnitSetting {
    /// Section, such as `Service`.
    pub section: String,
    /// Name, such as `ProtectSystem`.
    pub name: String,
    /// Value, secrets replaced by their class.
    pub value: String,
    /// File it was read from.
    pub file: String,
    /// Line, counted from one.
    pub line: usize,
}

/// One unit of systemd, as its files say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unit {
    /// Name with its suffix.
    pub name: String,
    /// The fragment and its drop-ins, in the order in which they apply.
    pub files: Vec<String>,
    /// Whether a link under `*.wants` or `*.requires` starts it.
    pub enabled: bool,
    /// Whether it is masked.
    pub masked: bool,
    /// Every setting, in order; later ones win, lists add up.
    pub settings: Vec<UnitSetting>,
}

impl Unit {
    /// The value of a setting that can be given once: the last one.
    pub fn get(&self, section: &str, name: &str) -> Option<&UnitSetting> {
        self.settings.iter().rev().find(|it| it.section == section && it.name == name)
    }

    /// The values of a setting that adds up; an empty assignment clears what came before.
    pub fn list(&self, section: &str, name: &str) -> Vec<&str> {
        let mut values = Vec::new();
        for it in self.settings.iter().filter(|it| it.section == section && it.name == name) {
            if it.value.is_empty() {
                values.clear();
            } else {
                values.push(it.value.as_str());
            }
        }
        values
    }

    /// A boolean setting of `[Service]`, as systemd reads them (systemd.syntax(7)).
    pub fn service_flag(&self, name: &str) -> bool {
        self.get("Service", name).is_some_and(|it| {
            matches!(
                it.value.to_ascii_lowercase().as_str(),
                "1" | "yes" | "true" | "on" | "y" | "t"
            )
        })
    }
}

/// One entry of a crontab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CronEntry {
    /// File it stands in.
    pub file: String,
    /// Line, counted from one; zero for scripts in `cron.daily` and the like.
    pub line: usize,
    /// When: the five fields or the `@` word.
    pub schedule: String,
    /// User it runs as.
    pub user: String,
    /// Command, secrets replaced by their class.
    pub command: String,
}

/// A server program that keeps or passes data.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// PostgreSQL.
    Postgresql,
    /// MariaDB or MySQL.
    Mariadb,
    /// Redis or Valkey.
    Redis,
    /// RabbitMQ.
    Rabbitmq,
    /// NATS.
    Nats,
    /// Mosquitto.
    Mosquitto,
    /// memcached.
    Memcached,
    /// MongoDB.
    Mongodb,
    /// Elasticsearch or OpenSearch.
    Elasticsearch,
}

impl Engine {
    /// The name people use.
    pub fn title(self) -> &'static str {
        match self {
            Self::Postgresql => "PostgreSQL",
            Self::Mariadb => "MariaDB",
            Self::Redis => "Redis",
            Self::Rabbitmq => "RabbitMQ",
            Self::Nats => "NATS",
            Self::Mosquitto => "Mosquitto",
            Self::Memcached => "memcached",
            Self::Mongodb => "MongoDB",
            Self::Elasticsearch => "Elasticsearch",
        }
    }

    /// The name used in identities.
    pub fn id(self) -> &'static str {
        match self {
            Self::Postgresql => "postgresql",
            Self::Mariadb => "mariadb",
            Self::Redis => "redis",
            Self::Rabbitmq => "rabbitmq",
            Self::Nats => "nats",
            Self::Mosquitto => "mosquitto",
            Self::Memcached => "memcached",
            Self::Mongodb => "mongodb",
            Self::Elasticsearch => "elasticsearch",
        }
    }
}

/// Whether a server lets somebody in without a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "access")]
pub enum Access {
    /// It asks for a secret.
    Asks {
        /// What shows it.
        because: String,
    },
    /// It lets anyone in who can talk to it.
    Anyone {
        /// What shows it.
        because: String,
        /// Account that is had that way, where there are accounts.
        account: Option<String>,
        /// Whether that account may do everything.
        admin: bool,
    },
    /// It accepts a name and password that the whole world knows.
    WellKnown {
        /// What shows it.
        because: String,
        /// The account.
        account: String,
    },
    /// Could not be told.
    Unknown {
        /// Why.
        because: String,
    },
}

/// One account of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServerAccount {
    /// Name; for PostgreSQL the line's database and user.
    pub name: String,
    /// Hosts it may come from.
    pub from: String,
    /// How it proves who it is: `trust`, `scram-sha-256`, `unix_socket`, `none`.
    pub method: String,
    /// Where that was read.
    pub known_from: String,
    /// Line, where there is one.
    pub line: Option<usize>,
}

/// One database or broker server that is present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Server {
    /// Which program.
    pub engine: Engine,
    /// Name that tells two of one engine apart: `15/main`, a port.
    pub instance: String,
    /// Process id, while it runs.
    pub pid: Option<u32>,
    /// User it runs as.
    pub user: Option<String>,
    /// Addresses it listens on, as `tcp/ADDRESS:PORT` or a path.
    pub addresses: Vec<String>,
    /// Configuration files read.
    pub config_files: Vec<String>,
    /// Whether it lets somebody in without a secret, over TCP.
    pub access: Access,
    /// Accounts and rules, as far as they can be seen.
    pub accounts: Vec<ServerAccount>,
    /// Settings that matter: `password_encryption`, `protected-mode`, `loopback_users`.
    pub settings: Vec<(String, String)>,
    /// Folder of its data, where known.
    pub data_folder: Option<String>,
}

impl Server {
    /// Name for identities and messages: `postgresql:15/main`.
    pub fn id(&self) -> String {
        format!("{}:{}", self.engine.id(), self.instance)
    }
}

/// What whoever sends statements as an account of a database can do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccountReach {
    /// Columns that hold something sensitive, by their names, and can be read.
    pub sensitive: Vec<SensitiveColumn>,
    /// Tables that can be read.
    pub reads: u64,
    /// Tables that can be written to.
    pub writes: u64,
    /// Tables that can be emptied.
    pub empties: u64,
    /// Tables that can be dropped.
    pub drops: u64,
    /// Ways to the host, in words: programs, files.
    pub host: Vec<String>,
    /// Whether nothing bounds it.
    pub is_boundless: bool,
}

/// A column that holds something sensitive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SensitiveColumn {
    /// Its table, with the schema.
    pub table: String,
    /// Its name.
    pub column: String,
    /// What it holds: `password`, `card`, `person`…
    pub class: String,
    /// Rows of the table, as the server estimates them.
    pub rows: Option<u64>,
}

/// A program that was connected to a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DatabaseClient {
    /// Its executable.
    pub program: String,
    /// Number of its effective user.
    pub uid: u32,
    /// The unit of systemd that it runs in.
    pub unit: Option<String>,
}

/// An account of a database, as `polder access` saw it last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DatabaseAccount {
    /// Where the server listens: `tcp/ADDRESS:PORT` or the path of a socket.
    pub address: String,
    /// How to name server and database on a command line, without anything secret.
    pub server: String,
    /// The database.
    pub database: String,
    /// The account.
    pub account: String,
    /// What can be done as it.
    pub reach: AccountReach,
    /// What could be done with the least rights, if they are known.
    pub least: Option<AccountReach>,
    /// What it does not need, a line each.
    pub excess: Vec<String>,
    /// Programs of this host that were connected as it.
    #[serde(default)]
    pub clients: Vec<DatabaseClient>,
    /// When it was looked at.
    pub taken: crate::Timestamp,
}

impl DatabaseAccount {
    /// Name for identities and messages: `shop_web@shop`.
    pub fn id(&self) -> String {
        format!("{}@{}", self.account, self.database)
    }
}
