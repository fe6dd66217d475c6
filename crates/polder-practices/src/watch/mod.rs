//! Watch: would anyone notice an intruder, and would the word leave the host?

mod assess;
mod treat;

pub use treat::unit;

use crate::practice::{Practice, Scene};
use polder_model::{About, Finding, FindingKind, Lever, Model, Treatment};

/// The room.
pub struct Watch;

static ABOUT: About = About {
    id: "watch",
    title: "Watch, so that the next intrusion is noticed early",
    question: "Would anyone notice, and would an intruder be able to keep them from noticing?",
    lever: Lever::Consequence,
    findings: &[
        FindingKind {
            id: "no-integrity",
            title: "nothing would notice changed files",
            why: "Without it an intruder stays for weeks: the median was 11 to 14 days where somebody looked at all (M-Trends).",
            how_we_know: "No process, timer or job of an integrity checker.",
            references: &["CWE-778", "ATT&CK T1565", "CIS Debian 12: 6.3"],
        },
        FindingKind {
            id: "persistence",
            title: "an unexplained change that lets somebody stay",
            why: "Jobs, keys, modules, preloaded libraries and rights are how intruders stay, and become more; no package and no baseline accounts for this one.",
            how_we_know: "The host was held against its signed baseline; what a vendor's signature proves is left out.",
            references: &["CWE-506", "ATT&CK TA0003", "CIS Control 8.11"],
        },
        FindingKind {
            id: "changed",
            title: "files are not as the baseline says",
            why: "Each of them is a change that somebody made on purpose, or one that nobody of the house made.",
            how_we_know: "The host was held against its signed baseline; what a vendor's signature proves is left out.",
            references: &["CWE-353", "ATT&CK T1565"],
        },
        FindingKind {
            id: "logs-stay",
            title: "logs stay on the host",
            why: "Whoever becomes root takes the traces along.",
            how_we_know: "No forwarding in the configuration of rsyslog, no log shipper.",
            references: &["CWE-779", "ATT&CK T1070.002", "CIS Control 8.9"],
        },
        FindingKind {
            id: "no-clock",
            title: "nothing keeps the clock right",
            why: "Logs of two machines cannot be laid side by side, and certificates and indices cannot be judged.",
            how_we_know: "No process of a time service.",
            references: &["CIS Debian 12: 2.3", "CIS Control 8.4"],
        },
    ],
};

impl Practice for Watch {
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
