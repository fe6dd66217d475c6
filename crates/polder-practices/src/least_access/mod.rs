//! Give every account the least access: who can become root, who is let in, who can read secrets.

mod accounts;
mod assess;
pub(crate) mod servers;
mod treat;

use crate::practice::{Practice, Scene};
use polder_model::{About, Finding, FindingKind, Lever, Model, Treatment};

/// The room.
pub struct LeastAccess;

static ABOUT: About = About {
    id: "least-access",
    title: "Give every account the least access",
    question: "Which account can do more than its work needs?",
    lever: Lever::Consequence,
    findings: &[
        FindingKind {
            id: "open-server",
            title: "a database or broker on this host lets anyone in",
            why: "Any program on this host, and so any flaw in any of them, has all its data. Some of these servers also run programs for whoever commands them.",
            how_we_know: "The server's own answer to a greeting without credentials.",
            references: &["CWE-306", "ATT&CK T1078", "CIS Control 6.8"],
        },
        FindingKind {
            id: "well-known-login",
            title: "a server accepts the login it is delivered with",
            why: "The name and the password stand in its manual.",
            how_we_know: "The server's own answer to that login.",
            references: &["CWE-1392", "ATT&CK T1078.001", "CIS Control 4.7"],
        },
        FindingKind {
            id: "account-without-password",
            title: "a database account needs no password",
            why: "Whoever can talk to the server is that account.",
            how_we_know: "The server's own list of accounts, or the rules it reads.",
            references: &["CWE-521", "CIS Control 5.2"],
        },
        FindingKind {
            id: "account-excess",
            title: "a database account can do more than it was seen to need",
            why: "An SQL injection does whatever the account may: with the least rights it reads what the page shows, and no more.",
            how_we_know: "The server's own list of rights, and its own analysis of the statements that it counted (`polder access`).",
            references: &["CWE-250", "CWE-89", "ATT&CK T1190", "CIS Control 6.8"],
        },
        FindingKind {
            id: "becomes-root",
            title: "a user can become root",
            why: "Whoever has the account has the host.",
            how_we_know: "Rules of sudo and doas, polkit rules, members of groups.",
            references: &["CWE-250", "ATT&CK T1548.003", "CIS Debian 12: 5.2"],
        },
        FindingKind {
            id: "runs-as-root",
            title: "a service that listens runs as root",
            why: "A flaw in it is the whole host.",
            how_we_know: "`/proc/PID/status` of the process that holds the socket.",
            references: &["CWE-250", "CIS Control 4.1"],
        },
        FindingKind {
            id: "foreign-privilege",
            title: "a file gives its caller rights, and no package brought it",
            why: "Nobody watches it for flaws; it may also be what an intruder left behind.",
            how_we_know: "A walk of the disk for SUID, SGID and file capabilities, and the package manager's file lists.",
            references: &["CWE-250", "ATT&CK T1548.001", "CIS Debian 12: 7.1"],
        },
        FindingKind {
            id: "writable-by-another",
            title: "a user can write what another one obeys",
            why: "Whoever may write it acts as the one who runs it.",
            how_we_know: "Owners and modes of units, jobs, programs, search path, linker configuration and the folders above them.",
            references: &["CWE-732", "ATT&CK T1574", "CIS Debian 12: 7.1"],
        },
        FindingKind {
            id: "readable-credential",
            title: "a credential can be read by an account that need not",
            why: "One account that falls takes the next one with it.",
            how_we_know: "Files whose content holds a secret (its class, never its value), with their readers.",
            references: &["CWE-522", "ATT&CK T1552.001", "CIS Control 3.3"],
        },
        FindingKind {
            id: "empty-password",
            title: "an account needs no password",
            why: "Anyone who is asked for it need only press return.",
            how_we_know: "The second field of `/etc/shadow` is empty.",
            references: &["CWE-258", "CIS Debian 12: 7.2"],
        },
    ],
};

impl Practice for LeastAccess {
    fn about(&self) -> &'static About {
        &ABOUT
    }
    fn assess(&self, scene: &Scene<'_>, model: &mut Model) {
        assess::assess(scene, model);
        servers::assess(scene, model);
        accounts::assess(scene, model);
    }
    fn treat(&self, finding: &Finding, scene: &Scene<'_>, model: &Model) -> Vec<Treatment> {
        treat::treat(finding, scene, model)
    }
}
