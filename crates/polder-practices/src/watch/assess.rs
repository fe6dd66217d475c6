//! Judges whether anyone would notice.

use crate::estate::{take_time, watch};
use crate::practice::Scene;
use polder_model::{Delay, EdgeId, Evidence, Finding, Model};

pub(super) fn assess(scene: &Scene<'_>, model: &mut Model) {
    let facts = scene.facts;
    take_time(model);
    watch(facts, model);
    let watchers = &facts.watchers;
    if facts.system_row().is_none_or(|it| it.kernel_release.is_empty()) {
        model.unknown(
            "watch",
            "whether anyone would notice an intruder",
            "the host does not run",
            "look at it while it runs",
        );
        return;
    }
    if !watchers.coverage.empty_means_none() {
        let because = watchers.coverage.because().unwrap_or_default().to_string();
        model.unknown("watch", "what watches this host", because, "run as root");
    }
    // What takes an attacker long enough to be noticed meanwhile.
    let edges: Vec<EdgeId> =
        model.graph.edges().filter(|it| it.delay >= Delay::Hour).map(|it| it.id.clone()).collect();
    let looks_for = |what: &str| watchers.rows.iter().any(|it| it.watches == what);
    if !looks_for("integrity") {
        model.findings.push(
            Finding::new(
                "watch/no-integrity",
                "files",
                "nothing on this host would notice changed programs or settings",
            )
            .because(Evidence::command(
                "no integrity checker runs or is scheduled",
                "polder look watchers",
            ))
            .opening(edges.clone()),
        );
    }
    if !watchers.rows.iter().any(|it| it.leaves_host) {
        model.findings.push(
            Finding::new("watch/logs-stay", "logs", "logs and alerts do not leave this host: whoever becomes root takes the traces along")
                .because(Evidence::command("no log is sent elsewhere", "grep -rE '@|omfwd' /etc/rsyslog.conf /etc/rsyslog.d"))
                .opening(edges),
        );
    }
    if facts.system_row().is_some_and(|it| it.clock_kept_by.is_none())
        && facts.processes.coverage.because().is_none_or(|it| !it.contains("none of"))
    {
        model.findings.push(
            Finding::new("watch/no-clock", "clock", "nothing keeps the clock right").because(
                Evidence::command(
                    "no time service runs",
                    "pgrep -a 'chronyd|ntpd|systemd-timesyn'",
                ),
            ),
        );
    }
}
