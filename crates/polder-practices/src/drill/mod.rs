//! Practise recovery: is there a backup this host cannot destroy, and was it ever restored?

mod assess;
mod treat;

use crate::practice::{Practice, Scene};
use polder_model::{About, Finding, FindingKind, Lever, Model, Treatment};

/// The room.
pub struct Drill;

static ABOUT: About = About {
    id: "drill",
    title: "Practise recovery from a compromise, and measure it",
    question: "If everything here were lost or encrypted tonight, when would it be back?",
    lever: Lever::Consequence,
    findings: &[
        FindingKind {
            id: "no-backup",
            title: "no backup is known",
            why: "What is encrypted or deleted stays so.",
            how_we_know: "No job, unit or configuration of a backup program; a backup that is pulled from outside leaves no trace here.",
            references: &["ATT&CK T1486", "CIS Control 11.2"],
        },
        FindingKind {
            id: "destroyable",
            title: "whoever has this host has its backups",
            why: "Extortionists delete backups first.",
            how_we_know: "The destination of the backup is a folder of this host.",
            references: &["ATT&CK T1490", "CIS Control 11.3"],
        },
        FindingKind {
            id: "never-restored",
            title: "no restore was ever practised",
            why: "Nobody knows whether it works, nor how long it takes.",
            how_we_know: "The setting `drill.last_restore` is empty or older than a year.",
            references: &["CIS Control 11.5"],
        },
    ],
};

impl Practice for Drill {
    fn about(&self) -> &'static About {
        &ABOUT
    }
    fn assess(&self, scene: &Scene<'_>, model: &mut Model) {
        assess::assess(scene, model);
    }
    fn treat(&self, finding: &Finding, scene: &Scene<'_>, _model: &Model) -> Vec<Treatment> {
        treat::treat(finding, scene)
    }
}
