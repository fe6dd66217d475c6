//! Wrap what has no patch: how much each service's sandbox would hold.

mod assess;
mod treat;

use crate::practice::{Practice, Scene};
use polder_model::{About, Finding, FindingKind, Lever, Model, Treatment};

/// The room.
pub struct Contain;

static ABOUT: About = About {
    id: "contain",
    title: "Wrap what has no patch in a sandbox",
    question: "If this service were taken over, what would hold the intruder?",
    lever: Lever::Probability,
    findings: &[FindingKind {
        id: "no-sandbox",
        title: "a service that listens has no sandbox",
        why: "A flaw that nobody knows yet has no patch. A sandbox makes it worth less.",
        how_we_know: "What the process really has: capabilities, NoNewPrivs, seccomp, namespaces, root folder.",
        references: &["CWE-653", "ATT&CK T1611", "CIS Control 4.1"],
    }],
};

impl Practice for Contain {
    fn about(&self) -> &'static About {
        &ABOUT
    }
    fn assess(&self, scene: &Scene<'_>, model: &mut Model) {
        assess::assess(scene, model);
    }
    fn treat(&self, finding: &Finding, scene: &Scene<'_>, model: &Model) -> Vec<Treatment> {
        treat::treat(finding, scene, model)
    }
}
