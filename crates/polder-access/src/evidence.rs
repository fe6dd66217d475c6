//! How we know that a right is needed, and what a server says of a proposal.

use serde::Serialize;
use std::collections::BTreeMap;

/// Where a statement was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The server counted it.
    Run,
    /// It stands in a file.
    Static,
}

/// How we know that a right is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// A statement that ran needs it.
    Run,
    /// A statement that stands in a file needs it.
    Static,
    /// Nobody can tell; it is kept.
    Unproved,
}

/// What is taken into account.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Text with statements that the application may send, as it stands in a file.
    pub text: String,
    /// Whether statements that the server counted are left out.
    pub only_text: bool,
    /// Whether statements are left out that make, alter or drop things: somebody else does that.
    pub no_migrations: bool,
    /// A slow query log of MariaDB, as it stands in a file.
    pub slow_log: String,
    /// Whether statements of connections that ended are the account's: MariaDB does not say whose they were.
    pub takes_ended: bool,
}

/// How we know that a right cannot be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Necessity {
    /// Without it the server refuses a statement.
    Refused,
    /// The server's analysis names it; it cannot be tried without running something.
    Analysed,
    /// It is kept for something of which the needs cannot be told.
    Kept,
    /// Without it every statement that was tried still works.
    NotShown,
}

/// What the server says of a proposal.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Proof {
    /// Statements that are planned with the rights that are proposed.
    pub passed: usize,
    /// Statements that are not planned: their needs come from rules alone.
    pub by_rule: usize,
    /// Statements that the server refuses, with its words.
    pub refused: Vec<(String, String)>,
    /// How we know of each right that it is needed.
    pub necessity: BTreeMap<String, Necessity>,
}

impl Proof {
    /// Whether no statement is refused.
    pub fn holds(&self) -> bool {
        self.refused.is_empty()
    }

    /// How many rights are known in this way.
    pub fn count(&self, how: Necessity) -> usize {
        self.necessity.values().filter(|it| **it == how).count()
    }
}
