//! Acts: every change is written down before it is made, has a state that can be told, and an
//! inverse. The executor decides nothing: it is given changes, and told to apply or take back.
//!
//! A change is a move between two states of one thing (a file, a mode, a unit, a package). Whoever
//! is killed in the middle finds, on looking again, each thing in its state before or after; what is
//! in neither was changed by somebody else, is left alone, and named.
#![allow(
    clippy::disallowed_methods,
    reason = "the executor acts on the machine; what it looks at is what it is about to change"
)]

mod execute;
mod file;
mod prepare;
mod state;
mod tools;

pub use execute::{Executor, Journal, Outcome, Phase};
pub use file::FileState;
pub use prepare::{Operation, Prepared};
pub use state::State;
pub use tools::Ground;

use std::path::PathBuf;

/// Why a change could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// A file or folder is in the way, missing or unreadable.
    #[error("cannot {doing} `{path}`")]
    File {
        /// What was tried.
        doing: &'static str,
        /// The path.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The path leads through a link, or to something that is no file.
    #[error("`{path}` is {what}: name the file itself")]
    Kind {
        /// The path.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// It is larger than what is kept for taking back.
    #[error("`{path}` is larger than {limit_bytes} bytes, too large to keep for taking back")]
    TooLarge {
        /// The path.
        path: PathBuf,
        /// The bound.
        limit_bytes: u64,
    },
    /// The text to change is not text.
    #[error("`{path}` is not UTF-8 text")]
    NotText {
        /// The path.
        path: PathBuf,
    },
    /// A program is missing.
    #[error("`{tool}` is not installed")]
    NoTool {
        /// The program.
        tool: String,
    },
    /// A program could not be run or said no.
    #[error("`{command}` failed: {says}")]
    Tool {
        /// The command line.
        command: String,
        /// What it said.
        says: String,
    },
    /// Somebody else changed it since it was looked at.
    #[error("{what} is no longer as it was when it was looked at")]
    Changed {
        /// The thing.
        what: String,
    },
    /// A change that should have had an effect had none.
    #[error("{what} is not as planned after the change")]
    NoEffect {
        /// The thing.
        what: String,
    },
    /// A server of databases is in the way.
    #[error("cannot change rights in a database")]
    Account(#[from] polder_access::AccessError),
    /// The journal could not be written; nothing is done without it.
    #[error("cannot write the journal")]
    Journal(#[source] Box<dyn std::error::Error + Send + Sync>),
}
