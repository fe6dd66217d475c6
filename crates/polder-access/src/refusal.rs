//! The safety net, whatever the server: a statement that was refused, and what becomes of it.

use crate::Piece;
use serde::Serialize;
use std::collections::BTreeSet;

/// A statement that was refused for want of a right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefusedStatement {
    /// Who sent it, as far as `log_line_prefix` tells (`%u`).
    pub user: Option<String>,
    /// In which database (`%d`).
    pub database: Option<String>,
    /// The process of the server (`%p`).
    pub pid: Option<i32>,
    /// What the server said.
    pub says: String,
    /// The statement, with its literals.
    pub statement: String,
}

/// What becomes of a refusal.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// What the server said.
    pub says: String,
    /// The statement, without its literals.
    pub statement: String,
    /// What is so now and makes room for that, where rights are one thing.
    #[serde(skip)]
    pub before: BTreeSet<Piece>,
    /// Rights that are given back, and what would be so.
    pub gives: Vec<(String, Piece)>,
    /// Rights that are missing and left to a person, each with the reason.
    pub leaves: Vec<(String, String)>,
    /// Why nothing can be told, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

impl Verdict {
    /// What would be so afterwards.
    pub fn pieces(&self) -> BTreeSet<Piece> {
        self.gives.iter().map(|it| it.1.clone()).collect()
    }

    /// Gives nothing back, for a reason.
    pub fn leave(&mut self, because: &str) {
        let gives = std::mem::take(&mut self.gives);
        self.leaves.extend(gives.into_iter().map(|it| (it.0, because.to_string())));
    }

    /// Half of what a statement needs helps nobody but who tries one column after another.
    pub(crate) fn leaves_half(&mut self) {
        if !self.leaves.is_empty() {
            self.leave("the same statement needs something that is left to a person");
        }
    }
}

/// Words in names of columns that decide what somebody may do.
const DECIDES: [&str; 9] =
    ["admin", "role", "perm", "priv", "grant", "owner", "level", "verified", "enabled"];

/// Whether a column may decide what somebody may do, by its name.
pub(crate) fn decides(column: &str) -> bool {
    DECIDES.iter().any(|word| column.to_lowercase().contains(word))
}
