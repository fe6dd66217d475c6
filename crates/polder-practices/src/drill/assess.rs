//! Judges backups and restores.

use crate::practice::Scene;
use polder_model::{Delay, Evidence, Finding, Model, NodeKind, REBUILD_HOURS, Restore};

/// Days after which a practised restore no longer counts.
const DRILL_DAYS_MAX: i64 = 365;

pub(super) fn assess(scene: &Scene<'_>, model: &mut Model) {
    let facts = scene.facts;
    let settings = scene.settings;
    let practised =
        settings.last_restore.is_some_and(|it| it.days_until(facts.taken) <= DRILL_DAYS_MAX);
    let backups = &facts.backups.rows;
    model.restore = match settings.restore_hours {
        Some(hours) if practised => Restore::drilled(hours, settings.restore_drills),
        // No backup at all: everything is built anew.
        _ if backups.is_empty() && !settings.backup_elsewhere => REBUILD_HOURS.into(),
        _ => Restore::default(),
    };
    let destroyable: Vec<_> =
        backups.iter().filter(|it| it.destroyable_here != Some(false)).collect();
    if backups.is_empty() && !settings.backup_elsewhere {
        let because = facts.backups.coverage.because().unwrap_or("nothing was found");
        model.findings.push(
            Finding::new("drill/no-backup", "host", "no backup of this host is known here")
                .because(Evidence::command(
                    "no job, unit or configuration of a backup program",
                    "polder look backups",
                )),
        );
        model.unknown(
            "drill",
            "whether another machine backs this host up",
            because,
            "say so: `drill.backup_elsewhere = true` in polder.toml",
        );
    } else if destroyable.len() == backups.len() && !settings.backup_elsewhere {
        let graph = &mut model.graph;
        let backup = graph.node(NodeKind::Backup, "backup", "destroys the backups");
        graph.goal(&backup, "the backups of this host");
        let mut evidence = Vec::new();
        for it in &destroyable {
            let to = it.destination.clone().unwrap_or_else(|| "a place that is not known".into());
            let age = it.last_written.map_or(String::new(), |at| {
                format!(", last written {} days ago", at.days_until(facts.taken))
            });
            evidence.push(Evidence::file(
                format!("goes to {to}{age}"),
                it.known_from.clone(),
                None,
            ));
        }
        if let Some(first) = evidence.first().cloned() {
            let edge = graph.edge(
                &scene.estate.root,
                &backup,
                "files",
                "deletes the backups",
                Vec::new(),
                first,
            );
            graph.takes(&edge, Delay::Day);
            let mut finding = Finding::new(
                "drill/destroyable",
                "backup",
                "whoever becomes root here can destroy every backup that is known",
            )
            .opening([edge]);
            finding.evidence = evidence;
            model.findings.push(finding);
        }
    }
    if !practised {
        never_restored(scene, model);
    }
}

fn never_restored(scene: &Scene<'_>, model: &mut Model) {
    let says = match scene.settings.last_restore {
        Some(at) => {
            format!("the last practised restore was {} days ago", at.days_until(scene.facts.taken))
        }
        None => {
            "no practised restore is known: nobody knows whether it works, nor how long it takes"
                .into()
        }
    };
    model.findings.push(Finding::new("drill/never-restored", "host", says).because(
        Evidence::file(
            "`drill.last_restore` is not set or too old",
            "/etc/polder/polder.toml",
            None,
        ),
    ));
}
