//! Expose fewer services: what the Internet or a zone can reach that need not be.

mod assess;
mod treat;

use crate::practice::{Practice, Scene};
use polder_model::{About, Finding, FindingKind, Lever, Model, Treatment};

/// The room.
pub struct Expose;

static ABOUT: About = About {
    id: "expose",
    title: "Expose fewer services",
    question: "What can strangers reach here that they need not?",
    lever: Lever::Probability,
    findings: &[
        FindingKind {
            id: "listener",
            title: "a service can be reached from outside that need not be",
            why: "Every service that can be reached is one more chance for the next unknown flaw.",
            how_we_know: "Sockets of the kernel, rules of the packet filter, addresses of the host.",
            references: &["CWE-668", "ATT&CK T1190", "CIS Control 4.4"],
        },
        FindingKind {
            id: "unauthenticated",
            title: "a service that can be reached from outside lets anyone in",
            why: "Nothing needs to be broken: whoever finds the port has the data.",
            how_we_know: "The server's own answer to a greeting without credentials, and the packet filter.",
            references: &["CWE-306", "ATT&CK T1078", "CIS Control 4.4"],
        },
        FindingKind {
            id: "ssh-password",
            title: "SSH takes passwords from strangers",
            why: "Passwords are guessed around the clock; a key cannot be guessed.",
            how_we_know: "`sshd -T`, or the files it reads.",
            references: &["CWE-307", "ATT&CK T1110", "CIS Debian 12: 5.1"],
        },
        FindingKind {
            id: "no-filter",
            title: "no packet filter stands before the host",
            why: "Whatever starts to listen tomorrow can be reached at once.",
            how_we_know: "`nft list ruleset` and `iptables-save` have no rule for what comes in.",
            references: &["CIS Debian 12: 4.1", "CIS Control 4.4"],
        },
    ],
};

impl Practice for Expose {
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
