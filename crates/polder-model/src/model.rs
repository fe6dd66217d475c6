//! What the rooms fill: the graph, the findings, and what could not be judged.

use crate::{Finding, Graph, Restore};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A question that could not be answered; never the same as "nothing found".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unknown {
    /// The room that asks.
    pub room: String,
    /// What is not known.
    pub what: String,
    /// Why.
    pub because: String,
    /// What would make it known.
    pub remedy: String,
    /// Whether the whole answer means nothing without it.
    pub essential: bool,
}

/// One host, judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Model {
    /// Name of the host.
    pub host: String,
    /// Capabilities and steps.
    pub graph: Graph,
    /// Judgements, in the order of the rooms.
    pub findings: Vec<Finding>,
    /// What could not be judged.
    pub unknowns: Vec<Unknown>,
    /// How long the host would stay down, as things stand.
    pub restore: Restore,
}

impl Model {
    /// An empty model of `host`, whose restore nobody ever practised.
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            graph: Graph::default(),
            findings: Vec::new(),
            unknowns: Vec::new(),
            restore: Restore::default(),
        }
    }

    /// Records that something could not be judged.
    pub fn unknown(
        &mut self,
        room: &str,
        what: impl Into<String>,
        because: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let (what, because, remedy) = (what.into(), because.into(), remedy.into());
        self.unknowns.push(Unknown { room: room.into(), what, because, remedy, essential: false });
    }

    /// Records that something was not judged without which the answer means nothing.
    pub fn unknown_essential(
        &mut self,
        room: &str,
        what: impl Into<String>,
        because: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.unknown(room, what, because, remedy);
        if let Some(last) = self.unknowns.last_mut() {
            last.essential = true;
        }
    }
}
