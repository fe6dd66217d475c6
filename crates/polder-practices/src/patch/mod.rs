//! Known bugs in vendor code: what has a patch, and whether the patch really runs.

mod applications;
mod assess;
mod known;
mod slow;
mod treat;
mod unsupported;
mod vendors;

use crate::practice::{Practice, Scene};
use polder_model::{About, Finding, FindingKind, Lever, Model, Treatment};

/// The room.
pub struct Patch;

static ABOUT: About = About {
    id: "patch",
    title: "Patch what has a patch, and see that the patch runs",
    question: "Which known flaws of the vendor's code are still open here, though a fix exists?",
    lever: Lever::Probability,
    findings: &[
        FindingKind {
            id: "pending",
            title: "a source package has an update waiting",
            why: "A fix that is published tells attackers where the flaw is. Until it is installed, the flaw is open.",
            how_we_know: "The package manager's own indices, sources and pins; the same set as `apt list --upgradable`.",
            references: &["CWE-1104", "ATT&CK T1190", "CIS Debian 12: 1.9"],
        },
        FindingKind {
            id: "exploited",
            title: "a flaw that attackers use is open",
            why: "Somebody already has what it takes to use it; the rule book counts days.",
            how_we_know: "Versions beside the imported feeds of flaws, and CISA's catalogue of exploited ones. The date by the rule book stands beside Polder's own rank and does not change it.",
            references: &["CISA BOD 26-04", "CIS Control 7.7"],
        },
        FindingKind {
            id: "no-fix",
            title: "a known flaw has no fix here",
            why: "No update will close it: what runs it must be wrapped, moved away or given up.",
            how_we_know: "Versions beside the imported feeds of flaws, with the vendor's own state.",
            references: &["CWE-1104", "CIS Control 2.2"],
        },
        FindingKind {
            id: "lets-you-down",
            title: "a package that strangers reach needs more fixes than nearly all others",
            why: "What needed many fixes will need more: each is a race between you and those who read the advisory.",
            how_we_know: "Advisories of the last 24 months in the imported feeds, by source package; the days without the fix from the package manager's log.",
            references: &["CIS Control 2.2", "CIS Control 16.5"],
        },
        FindingKind {
            id: "library",
            title: "a program that runs is built with libraries that have known flaws",
            why: "What its libraries cannot keep out, the program cannot: their flaws are as public as those of the system, and no package manager updates them.",
            how_we_know: "Lock files and installed libraries of what runs, found by its script, its working folder and its virtual environment, beside the imported feeds of flaws.",
            references: &["CWE-1395", "OWASP A06:2021", "CIS Control 16.5"],
        },
        FindingKind {
            id: "running-old",
            title: "a process still runs code that was replaced",
            why: "Installing is not fixing: the old code stays in memory until the process starts anew.",
            how_we_know: "Mapped files in `/proc/PID/maps` that were deleted or whose name now leads to another inode.",
            references: &["CWE-1104"],
        },
        FindingKind {
            id: "reboot",
            title: "a reboot is needed before an update holds",
            why: "The running kernel keeps its flaws whatever is installed.",
            how_we_know: "`/run/reboot-required`, and the running kernel beside those in `/boot`.",
            references: &["CWE-1104"],
        },
        FindingKind {
            id: "support-ended",
            title: "nobody patches this any more",
            why: "No fix will come for whatever is found from now on.",
            how_we_know: "The vendor's published life cycle, and Debian's list of packages whose support ended before that of the release.",
            references: &["CWE-1104", "CIS Control 2.2"],
        },
        FindingKind {
            id: "support-limited",
            title: "a package that strangers reach is supported for trusted use only",
            why: "Its distribution fixes it for what friends send it; what strangers send is nobody's care.",
            how_we_know: "Debian's list of packages with limited support, beside what runs and can be reached.",
            references: &["CWE-1104", "CIS Control 2.2"],
        },
        FindingKind {
            id: "no-source",
            title: "packages whose version no index lists",
            why: "Nobody will offer a fix for them: no configured source knows the installed version.",
            how_we_know: "Installed versions that no index of a configured source lists.",
            references: &["CIS Control 2.2"],
        },
        FindingKind {
            id: "slow",
            title: "fixes that can be had run later than you allow",
            why: "From the day of the fix on, everybody can read where the flaw is; each further day is a gift.",
            how_we_know: "Dates of the vendor's changelogs and advisories beside the package manager's log, against `patch.days_max`.",
            references: &["CIS Control 7.3", "CIS Control 7.4"],
        },
        FindingKind {
            id: "not-automatic",
            title: "updates wait for a person",
            why: "The mean time from fix to attack is days; a person has holidays.",
            how_we_know: "`APT::Periodic::Unattended-Upgrade` and the package that obeys it.",
            references: &["CIS Control 7.3"],
        },
    ],
};

impl Practice for Patch {
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
