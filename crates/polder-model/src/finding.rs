//! A judgement about a host, with its evidence and what can be done.

use crate::{EdgeId, Treatment};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Identity of a finding: `room/kind:subject`, the same at every look.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct FindingId(pub String);

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a piece of evidence was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "from")]
pub enum Origin {
    /// A file, with the line where there is one.
    File {
        /// Path on the host.
        path: String,
        /// Line, counted from one.
        line: Option<usize>,
    },
    /// The answer of a program.
    Command {
        /// The command as a person would type it.
        command: String,
    },
    /// The answer of a listening service.
    Answer {
        /// Address and protocol.
        address: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line: Some(line) } => write!(f, "{path}:{line}"),
            Self::File { path, line: None } => f.write_str(path),
            Self::Command { command } => write!(f, "`{command}`"),
            Self::Answer { address } => write!(f, "answer of {address}"),
        }
    }
}

/// One fact behind a judgement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// The fact, as a short clause.
    pub says: String,
    /// Where it was seen.
    pub origin: Origin,
}

impl Evidence {
    /// A fact seen in a file.
    pub fn file(says: impl Into<String>, path: impl Into<String>, line: Option<usize>) -> Self {
        Self { says: says.into(), origin: Origin::File { path: path.into(), line } }
    }

    /// A fact told by a program.
    pub fn command(says: impl Into<String>, command: impl Into<String>) -> Self {
        Self { says: says.into(), origin: Origin::Command { command: command.into() } }
    }

    /// A fact told by a listening service.
    pub fn answer(says: impl Into<String>, address: impl Into<String>) -> Self {
        Self { says: says.into(), origin: Origin::Answer { address: address.into() } }
    }
}

/// A judgement about a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Its identity.
    pub id: FindingId,
    /// The kind, `room/kind`.
    pub kind: String,
    /// What it is about: a package, a listener, a file, an account.
    pub subject: String,
    /// What was found, as one sentence without a full stop.
    pub says: String,
    /// How it is known; never empty.
    pub evidence: Vec<Evidence>,
    /// Known flaws it stands for, by their names in the CVE list or those of their advisories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flaws: Vec<String>,
    /// What it means for the host: the steps of the graph that it opens.
    pub opens: Vec<EdgeId>,
    /// What can be done; empty only with `untreatable`.
    pub treatments: Vec<Treatment>,
    /// Why nothing can be done, where that is so.
    pub untreatable: Option<String>,
}

impl Finding {
    /// A finding of `kind` (`room/kind`) about `subject`.
    pub fn new(kind: &str, subject: impl Into<String>, says: impl Into<String>) -> Self {
        let subject = subject.into();
        Self {
            id: FindingId(format!("{kind}:{subject}")),
            kind: kind.into(),
            subject,
            says: says.into(),
            evidence: Vec::new(),
            flaws: Vec::new(),
            opens: Vec::new(),
            treatments: Vec::new(),
            untreatable: None,
        }
    }

    /// The same finding with one more piece of evidence.
    #[must_use]
    pub fn because(mut self, evidence: Evidence) -> Self {
        self.evidence.push(evidence);
        self
    }

    /// The same finding, standing for these known flaws.
    #[must_use]
    pub fn naming(mut self, flaws: impl IntoIterator<Item = String>) -> Self {
        self.flaws.extend(flaws);
        self.flaws.sort();
        self.flaws.dedup();
        self
    }

    /// The same finding, standing for these steps of the graph.
    #[must_use]
    pub fn opening(mut self, edges: impl IntoIterator<Item = EdgeId>) -> Self {
        self.opens.extend(edges);
        self
    }

    /// The room it comes from.
    pub fn room(&self) -> &str {
        self.kind.split_once('/').map_or(self.kind.as_str(), |(room, _)| room)
    }
}
