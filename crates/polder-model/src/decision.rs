//! Decisions made on purpose: to live with a finding, or to turn a treatment down.

use crate::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    /// The risk of a finding is retained until a date.
    Accept,
    /// A finding does not hold, or its treatment is not wanted.
    Reject,
}

impl DecisionKind {
    /// The word stored and shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
        }
    }
}

/// One decision about one finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// The finding it is about, such as `expose/listener:tcp/5432`.
    pub finding: String,
    /// What was decided.
    pub kind: DecisionKind,
    /// Why, in the owner's words.
    pub because: String,
    /// Who answers for it.
    pub owner: String,
    /// When it ends; the finding returns to the plan then.
    pub until: Timestamp,
    /// When it was made.
    pub made: Timestamp,
    /// Whether a treatment existed then; an acceptance without one ends when one appears.
    pub had_treatment: bool,
}

impl Decision {
    /// Whether it still holds at `now`, given whether a treatment exists now.
    pub fn holds(&self, now: Timestamp, has_treatment: bool) -> bool {
        now < self.until && (self.had_treatment || !has_treatment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(had_treatment: bool) -> Decision {
        Decision {
            finding: "patch/pending:openssh".into(),
            kind: DecisionKind::Accept,
            because: "a release is due".into(),
            owner: "ada".into(),
            until: Timestamp(200),
            made: Timestamp(100),
            had_treatment,
        }
    }

    #[test]
    fn an_expired_acceptance_returns_to_the_plan() {
        assert!(accepted(true).holds(Timestamp(199), true));
        assert!(!accepted(true).holds(Timestamp(200), true));
    }

    #[test]
    fn an_acceptance_made_for_want_of_a_fix_ends_when_one_appears() {
        assert!(accepted(false).holds(Timestamp(150), false));
        assert!(!accepted(false).holds(Timestamp(150), true));
    }
}
