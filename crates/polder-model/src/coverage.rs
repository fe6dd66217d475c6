//! How well something was looked at: "nothing found" and "could not look" are different values.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much of a table could be filled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Coverage {
    /// Everything there is to see was seen.
    Complete,
    /// Some of it was seen.
    Partial {
        /// What was left out and why.
        because: String,
        /// What running as root would add, where it would.
        root_adds: Option<String>,
    },
    /// None of it was seen, so nothing may be concluded.
    NotLooked {
        /// Why not.
        because: String,
        /// What running as root would add, where it would.
        root_adds: Option<String>,
    },
    /// The host has no such thing.
    NotApplicable {
        /// How that is known.
        because: String,
    },
}

impl Coverage {
    /// Some rows are missing, and root would not help.
    pub fn partial(because: impl Into<String>) -> Self {
        Self::Partial { because: because.into(), root_adds: None }
    }

    /// Some rows are missing that root would see.
    pub fn needs_root(because: impl Into<String>, root_adds: impl Into<String>) -> Self {
        Self::Partial { because: because.into(), root_adds: Some(root_adds.into()) }
    }

    /// Nothing could be seen.
    pub fn not_looked(because: impl Into<String>) -> Self {
        Self::NotLooked { because: because.into(), root_adds: None }
    }

    /// The host has no such thing.
    pub fn not_applicable(because: impl Into<String>) -> Self {
        Self::NotApplicable { because: because.into() }
    }

    /// Whether an empty table means that there is nothing.
    pub fn empty_means_none(&self) -> bool {
        matches!(self, Self::Complete | Self::NotApplicable { .. })
    }

    /// The reason for anything that is not complete.
    pub fn because(&self) -> Option<&str> {
        match self {
            Self::Complete => None,
            Self::Partial { because, .. }
            | Self::NotLooked { because, .. }
            | Self::NotApplicable { because } => Some(because),
        }
    }

    /// What root would add, if anything.
    pub fn root_adds(&self) -> Option<&str> {
        match self {
            Self::Partial { root_adds, .. } | Self::NotLooked { root_adds, .. } => {
                root_adds.as_deref()
            }
            Self::Complete | Self::NotApplicable { .. } => None,
        }
    }

    /// One word for tables.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial { .. } => "partial",
            Self::NotLooked { .. } => "not looked",
            Self::NotApplicable { .. } => "not applicable",
        }
    }
}

/// Something malformed in what was read; reported, never dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// The file, command or process, with a line where there is one.
    pub place: String,
    /// What is wrong there.
    pub says: String,
}

impl Problem {
    /// A problem at a place.
    pub fn new(place: impl Into<String>, says: impl Into<String>) -> Self {
        Self { place: place.into(), says: says.into() }
    }
}

/// Rows of one kind, with how well they were looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Table<T> {
    /// How much of it could be seen.
    pub coverage: Coverage,
    /// What was seen, in a stable order.
    pub rows: Vec<T>,
    /// What was malformed.
    pub problems: Vec<Problem>,
}

impl<T> Table<T> {
    /// A table that was seen whole.
    pub fn complete(rows: Vec<T>) -> Self {
        Self { coverage: Coverage::Complete, rows, problems: Vec::new() }
    }

    /// A table with its coverage.
    pub fn with(coverage: Coverage, rows: Vec<T>) -> Self {
        Self { coverage, rows, problems: Vec::new() }
    }

    /// The same table with problems added.
    #[must_use]
    pub fn problems(mut self, mut problems: Vec<Problem>) -> Self {
        self.problems.append(&mut problems);
        self
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self::with(Coverage::not_looked("this table was not asked for"), Vec::new())
    }
}
