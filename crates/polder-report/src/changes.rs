//! What changed since the last assessment, and why.

use crate::words::frequency;
use polder_model::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A finding of an earlier assessment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EarlierFinding {
    /// Its identity.
    pub id: String,
    /// What it said.
    pub says: String,
}

/// What is kept of an assessment for later comparison.
///
/// Written into the store: fields are only ever added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Earlier {
    /// When the host was looked at.
    pub taken: Timestamp,
    /// Name of the host.
    pub host: String,
    /// Probability of any loss within a year.
    pub any: f64,
    /// Its lower bound.
    pub low: f64,
    /// Its upper bound.
    pub high: f64,
    /// Findings, in their order.
    pub findings: Vec<EarlierFinding>,
    /// Number of questions that could not be answered.
    pub unknowns: usize,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Change {
    /// `+` raises the risk, `-` lowers it, `=` tells of the risk itself.
    pub sign: char,
    /// What changed.
    pub says: String,
}

/// Differences between two assessments of one host.
pub fn changes(before: &Earlier, now: &Earlier) -> Vec<Change> {
    let mut changes = Vec::new();
    let (was, is) = (frequency(before.any), frequency(now.any));
    if was != is {
        changes.push(Change { sign: '=', says: format!("any loss in a year: {was}, now {is}") });
    }
    for finding in &now.findings {
        if !before.findings.iter().any(|it| it.id == finding.id) {
            changes.push(Change { sign: '+', says: finding.says.clone() });
        }
    }
    for finding in &before.findings {
        if !now.findings.iter().any(|it| it.id == finding.id) {
            changes.push(Change { sign: '-', says: format!("gone: {}", finding.says) });
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn earlier(any: f64, ids: &[&str]) -> Earlier {
        Earlier {
            taken: Timestamp(0),
            host: "shop".into(),
            any,
            low: 0.0,
            high: 1.0,
            findings: ids
                .iter()
                .map(|id| EarlierFinding { id: (*id).into(), says: format!("says {id}") })
                .collect(),
            unknowns: 0,
        }
    }

    #[test]
    fn new_and_gone_findings_are_signed() {
        let changes = changes(&earlier(0.1, &["a", "b"]), &earlier(0.05, &["b", "c"]));
        let signs: String = changes.iter().map(|it| it.sign).collect();
        assert_eq!(signs, "=+-");
        assert_eq!(changes[2].says, "gone: says a");
    }
}
