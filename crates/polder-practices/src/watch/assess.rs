//! Judges whether anyone would notice.

use crate::estate::{take_time, watch};
use crate::practice::Scene;
use polder_model::facts::FileChange;
use polder_model::{Coverage, Delay, EdgeId, Evidence, Finding, Model};

/// Ways to stay that are findings of their own; more of them are told together.
const PERSISTENCE_MAX: usize = 20;

/// Other files that are named.
const SHOWN: usize = 6;

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
    changed(scene, model);
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

/// What nobody explained yet: each way to stay by itself, all else together.
fn changed(scene: &Scene<'_>, model: &mut Model) {
    let table = &scene.facts.file_changes;
    if let (Some(because), false) = (table.coverage.because(), table.coverage.empty_means_none())
        && matches!(table.coverage, Coverage::Partial { .. })
    {
        let what = "whether files are as the baseline says";
        model.unknown("watch", what, because.to_string(), "`polder baseline check` looks now");
    }
    let (stay, rest): (Vec<&FileChange>, Vec<_>) = table.rows.iter().partition(|it| it.stays);
    for it in stay.iter().take(PERSISTENCE_MAX) {
        let means = it.means.join("; ");
        let says = format!("`{}` was {}, and nothing explains that: {means}", it.path, it.what);
        let mut finding = Finding::new("watch/persistence", &it.path, says).because(evidence(it));
        if let Some(technique) = &it.technique {
            let says = format!("such a change may be ATT&CK {technique}");
            finding = finding.because(Evidence::command(says, "polder baseline check"));
        }
        model.findings.push(finding);
    }
    let others = rest.len() + stay.len().saturating_sub(PERSISTENCE_MAX);
    if others > 0 {
        let says = match others {
            1 => "a file is not as the baseline says".to_string(),
            count => format!("{count} files are not as the baseline says"),
        };
        let mut finding = Finding::new("watch/changed", "files", says);
        for it in rest.iter().take(SHOWN) {
            finding = finding.because(evidence(it));
        }
        if finding.evidence.is_empty() || rest.len() > SHOWN {
            finding =
                finding.because(Evidence::command("all of them", "polder baseline check --all"));
        }
        model.findings.push(finding);
    }
}

fn evidence(it: &FileChange) -> Evidence {
    let how = match it.differences.is_empty() {
        true => it.what.clone(),
        false => format!("{}: {}", it.what, it.differences.join("; ")),
    };
    let by = it.by.as_ref().map(|it| format!(", by {it}")).unwrap_or_default();
    let package = it.package.as_ref().map(|it| format!(", of the package `{it}`"));
    Evidence::file(format!("{how}{by}{}", package.unwrap_or_default()), &it.path, None)
}
