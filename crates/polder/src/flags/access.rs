//! Flags of `polder access`.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Flags of `access`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AccessFlags {
    #[command(subcommand)]
    pub(crate) command: AccessCommand,
}

const EXAMPLES: &str = "\
Examples:
  polder access audit --database shop              accounts of a database
  polder access audit shop_web --database shop     what one may do, and does not need
  polder access propose shop_web --database shop   the least it needs
  polder access prove shop_web --database shop     the server says whether that holds
  polder access apply shop_web --database shop     do it; `polder undo` takes it back
  polder access watch shop_web --database shop     give back what was missed
  polder access audit --server mariadb             accounts of MariaDB
  polder access audit --server redis               users of Redis

PostgreSQL (13 and later) is found as `psql` finds it: --server, PG variables of the
environment, a service, .pgpass. MariaDB (10.5 and later) is named `mariadb`, or
`mariadb://USER@HOST/DATABASE`; option files and MYSQL variables say the rest.
Redis (7 and later) and Valkey are named `redis`, `redis://USER@HOST` or
`redis+unix://SOCKET`; REDISCLI_AUTH may hold the password. Files of SQLite are named
`sqlite:/PATH`: their accounts are the users of this host.
Nothing but `apply` and `watch` changes what an account may do.";

/// What to do with accounts of databases.
#[derive(Debug, Subcommand)]
pub(crate) enum AccessCommand {
    /// Say what accounts of a database may do, and what they do not need
    Audit(AccessAudit),
    /// Say which rights the statements of an account need
    Learn(AccessLearn),
    /// Propose the least rights, as SQL and its inverse
    Propose(AccessPropose),
    /// Let the server say that everything works with them, and that none can be left out
    Prove(AccessProve),
    /// Give an account the least rights; `polder undo` takes it back
    Apply(AccessApply),
    /// Give back single rights that turn out to be missing
    Watch(AccessWatch),
}

/// Which server and database.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct AccessServer {
    /// The server: `postgresql://…`, `host=… port=…`, `service=…`, `mariadb://…`, `redis://…`, `sqlite:/…`
    #[arg(long, value_name = "SERVER", default_value = "", hide_default_value = true)]
    pub(crate) server: String,

    /// The database, unless the server names one
    #[arg(long, short, value_name = "NAME")]
    pub(crate) database: Option<String>,
}

/// Where statements come from.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct AccessSources {
    /// Take statements of this file, too: what the application may send and was not seen to
    #[arg(long, value_name = "FILE")]
    pub(crate) statements: Vec<PathBuf>,

    /// Take no others
    #[arg(long, requires = "statements")]
    pub(crate) only_statements: bool,

    /// Take statements of the account from this slow query log (MariaDB)
    #[arg(long, value_name = "FILE")]
    pub(crate) slow_log: Vec<PathBuf>,

    /// Take statements of connections that ended as this account's: MariaDB does not say whose they were
    #[arg(long)]
    pub(crate) ended: bool,

    /// Leave out what makes, alters or drops things: releases are made by another account
    #[arg(long)]
    pub(crate) no_migrations: bool,
}

/// Which account, where, and by what it is judged.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct AccessWhom {
    /// The account
    #[arg(value_name = "ACCOUNT")]
    pub(crate) account: String,

    #[command(flatten)]
    pub(crate) server: AccessServer,

    #[command(flatten)]
    pub(crate) sources: AccessSources,
}

/// Where rights are given on single columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum AccessColumns {
    /// In tables that hold something sensitive, by the names of their columns.
    #[default]
    Sensitive,
    /// In all tables.
    Always,
    /// In none.
    Never,
}

/// Flags of `access audit`.
#[derive(Args, Debug)]
pub(crate) struct AccessAudit {
    /// The account; all that may log in where none is named
    #[arg(value_name = "ACCOUNT")]
    pub(crate) account: Option<String>,

    #[command(flatten)]
    pub(crate) server: AccessServer,

    #[command(flatten)]
    pub(crate) sources: AccessSources,

    /// Show every single right
    #[arg(long)]
    pub(crate) all: bool,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Flags of `access learn`.
#[derive(Args, Debug)]
pub(crate) struct AccessLearn {
    #[command(flatten)]
    pub(crate) whom: AccessWhom,

    /// Show the statements, too
    #[arg(long)]
    pub(crate) all: bool,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Flags of `access propose`.
#[derive(Args, Debug)]
pub(crate) struct AccessPropose {
    #[command(flatten)]
    pub(crate) whom: AccessWhom,

    /// Give rights on single columns in which tables
    #[arg(long, value_name = "WHERE", default_value = "sensitive")]
    pub(crate) columns: AccessColumns,

    /// Write the SQL into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) script: Option<PathBuf>,

    /// Write SQL that takes it back into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) inverse: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Flags of `access prove`.
#[derive(Args, Debug)]
pub(crate) struct AccessProve {
    #[command(flatten)]
    pub(crate) whom: AccessWhom,

    /// Give rights on single columns in which tables
    #[arg(long, value_name = "WHERE", default_value = "sensitive")]
    pub(crate) columns: AccessColumns,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Flags of `access apply`.
#[derive(Args, Debug)]
pub(crate) struct AccessApply {
    #[command(flatten)]
    pub(crate) whom: AccessWhom,

    /// Give rights on single columns in which tables
    #[arg(long, value_name = "WHERE", default_value = "sensitive")]
    pub(crate) columns: AccessColumns,

    /// Show what would change, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Do it without asking
    #[arg(long)]
    pub(crate) yes: bool,
}

const WATCH: &str = "\
It reads refusals from PostgreSQL's log (SQLSTATE 42501), from what MariaDB remembers of
statements (performance_schema, events_statements_history_long), or from the ACL log of
Redis, and gives back the right that a refused statement needs, if the account had it
before `polder access apply` and it is on nothing sensitive; everything else is told, and
left to a person. Each is an operation of its own: `polder journal` lists them, `polder
undo` takes them back.
It runs until it is stopped (Ctrl-C, SIGTERM).";

/// Flags of `access watch`.
#[derive(Args, Debug)]
#[command(after_help = WATCH)]
pub(crate) struct AccessWatch {
    /// The account
    #[arg(value_name = "ACCOUNT")]
    pub(crate) account: String,

    #[command(flatten)]
    pub(crate) server: AccessServer,

    /// The log of PostgreSQL, unless it says itself where that is
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,

    /// Give nothing back: only tell
    #[arg(long)]
    pub(crate) only_tell: bool,

    /// Print each event as a line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}
