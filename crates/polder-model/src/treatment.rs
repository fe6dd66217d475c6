//! What can be done about a finding: exact steps, their undo, their check, their effect.

use crate::{Change, EdgeId, NodeId, Range, SensorId, VariableId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Identity of a treatment; equal for equal work, whichever finding proposes it.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct TreatmentId(pub String);

impl fmt::Display for TreatmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One thing to do, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Step {
    /// Run a command in a root shell.
    Run {
        /// The command line.
        command: String,
    },
    /// Write a file that does not exist yet.
    Write {
        /// Its path.
        path: String,
        /// Its whole content.
        content: String,
    },
    /// Change lines of a file that exists.
    Edit {
        /// Its path.
        path: String,
        /// What to change, in words and lines.
        change: String,
    },
    /// Something only a person can decide or do.
    Decide {
        /// What to decide.
        what: String,
    },
}

/// How likely a treatment is to break something that works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Risk {
    /// One word: `none`, `low`, `some`, `high`.
    pub level: String,
    /// What could break.
    pub what: String,
}

/// Hours of a person's work.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Effort {
    /// Hours, as low, likely and high.
    pub hours: Range,
}

/// A counterfactual edit of the graph.
///
/// A treated world has no step open that is closed in the base world. It can still lose more: an
/// attacker whose noisy way is closed may take a quiet one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "op")]
pub enum Op {
    /// The step is gone.
    Remove {
        /// Which step.
        edge: EdgeId,
    },
    /// The variable never comes true, so every step that needs it is gone.
    Close {
        /// Which variable.
        variable: VariableId,
    },
    /// The variable comes true only in this share of the worlds in which it did.
    Thin {
        /// Which variable.
        variable: VariableId,
        /// The share that stays, between zero and one.
        factor: Range,
    },
    /// The step stays open only in this share of the worlds in which it was.
    ThinEdge {
        /// Which step.
        edge: EdgeId,
        /// The share that stays, between zero and one.
        factor: Range,
    },
    /// The step takes this many classes of time longer.
    Slow {
        /// Which step.
        edge: EdgeId,
        /// Classes of [`crate::Delay`], one to four.
        classes: u8,
    },
    /// A sensor notices this often and this soon from now on.
    Notice {
        /// Which sensor.
        sensor: SensorId,
        /// Probability that it notices at all.
        notices: Range,
        /// Hours until somebody has acted.
        hours: Range,
    },
    /// A loss weighs less and exposes fewer records: data that is not stored cannot be stolen.
    Scale {
        /// The node whose loss shrinks.
        node: NodeId,
        /// The share that stays, between zero and one.
        factor: Range,
    },
    /// Restoring takes this long from now on, in hours.
    Restore {
        /// Hours from the decision to restore until service is back.
        hours: Range,
        /// Restores that will then have been practised and worked; none where one cannot fail.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        drills: Option<u32>,
    },
}

/// One change worth making.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Treatment {
    /// Its identity.
    pub id: TreatmentId,
    /// What to do, as an imperative without a full stop.
    pub title: String,
    /// The exact steps.
    pub steps: Vec<Step>,
    /// The same for the executor; empty where only a person can do it.
    #[serde(default)]
    pub changes: Vec<Change>,
    /// Whether a mistake could lock its maker out, so that it is taken back unless confirmed.
    #[serde(default)]
    pub may_lock_out: bool,
    /// How to take it back.
    pub undo: Vec<Step>,
    /// How to see that it worked: a command and what it must show.
    pub verify: String,
    /// Hours of work.
    pub effort: Effort,
    /// What could break.
    pub breakage: Risk,
    /// What it changes on the graph.
    pub ops: Vec<Op>,
    /// A larger treatment that does this and more, where there is one.
    pub part_of: Option<TreatmentId>,
    /// Treatments that must be done before.
    #[serde(default)]
    pub needs: Vec<TreatmentId>,
    /// Treatments that cannot be done as well.
    #[serde(default)]
    pub excludes: Vec<TreatmentId>,
}

impl Treatment {
    /// A treatment with no steps yet; `hours` is low, likely and high.
    pub fn new(id: impl Into<String>, title: impl Into<String>, hours: [f64; 3]) -> Self {
        let [low, likely, high] = hours;
        Self {
            id: TreatmentId(id.into()),
            title: title.into(),
            steps: Vec::new(),
            changes: Vec::new(),
            may_lock_out: false,
            undo: Vec::new(),
            verify: String::new(),
            effort: Effort { hours: Range::new(low, likely, high) },
            breakage: Risk { level: "none".into(), what: String::new() },
            ops: Vec::new(),
            part_of: None,
            needs: Vec::new(),
            excludes: Vec::new(),
        }
    }

    /// Says that another treatment must be done before.
    #[must_use]
    pub fn needing(mut self, id: impl Into<String>) -> Self {
        self.needs.push(TreatmentId(id.into()));
        self
    }

    /// Says that another treatment cannot be done as well.
    #[must_use]
    pub fn excluding(mut self, id: impl Into<String>) -> Self {
        self.excludes.push(TreatmentId(id.into()));
        self
    }

    /// Says that a larger treatment does this and more.
    #[must_use]
    pub fn part_of(mut self, id: impl Into<String>) -> Self {
        self.part_of = Some(TreatmentId(id.into()));
        self
    }

    /// Adds what the executor does, in order.
    #[must_use]
    pub fn changing(mut self, changes: impl IntoIterator<Item = Change>) -> Self {
        self.changes.extend(changes);
        self
    }

    /// Says that a mistake could lock its maker out.
    #[must_use]
    pub fn may_lock_out(mut self) -> Self {
        self.may_lock_out = true;
        self
    }

    /// Adds a command to run.
    #[must_use]
    pub fn run(mut self, command: impl Into<String>) -> Self {
        self.steps.push(Step::Run { command: command.into() });
        self
    }

    /// Adds a new file.
    #[must_use]
    pub fn write(mut self, path: impl Into<String>, content: impl Into<String>) -> Self {
        self.steps.push(Step::Write { path: path.into(), content: content.into() });
        self
    }

    /// Adds a change of an existing file.
    #[must_use]
    pub fn edit(mut self, path: impl Into<String>, change: impl Into<String>) -> Self {
        self.steps.push(Step::Edit { path: path.into(), change: change.into() });
        self
    }

    /// Adds something a person must decide.
    #[must_use]
    pub fn decide(mut self, what: impl Into<String>) -> Self {
        self.steps.push(Step::Decide { what: what.into() });
        self
    }

    /// Adds a command that takes the change back.
    #[must_use]
    pub fn undo(mut self, command: impl Into<String>) -> Self {
        self.undo.push(Step::Run { command: command.into() });
        self
    }

    /// Adds a thing to do by hand to take the change back.
    #[must_use]
    pub fn undo_by(mut self, what: impl Into<String>) -> Self {
        self.undo.push(Step::Decide { what: what.into() });
        self
    }

    /// Says how to see that it worked.
    #[must_use]
    pub fn verify(mut self, how: impl Into<String>) -> Self {
        self.verify = how.into();
        self
    }

    /// Says what could break.
    #[must_use]
    pub fn may_break(mut self, level: &str, what: impl Into<String>) -> Self {
        self.breakage = Risk { level: level.into(), what: what.into() };
        self
    }

    /// Adds an effect on the graph.
    #[must_use]
    pub fn effect(mut self, op: Op) -> Self {
        self.ops.push(op);
        self
    }

    /// Removes all these steps of the graph.
    #[must_use]
    pub fn removing(mut self, edges: &[EdgeId]) -> Self {
        self.ops.extend(edges.iter().map(|edge| Op::Remove { edge: edge.clone() }));
        self
    }
}
