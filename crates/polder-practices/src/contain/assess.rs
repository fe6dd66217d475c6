//! Judges what confines each service.

use crate::estate::{escape, features};
use crate::practice::Scene;
use polder_model::{Finding, Model, NodeId};

/// A sandbox that lets more than this share of attackers out is worth a finding.
const ESCAPE_MAX: f64 = 0.6;

/// Services whose work is to give out sessions or namespaces: a sandbox would break them.
const NOT_CONFINABLE: [&str; 6] = ["ssh", "sshd", "dockerd", "containerd", "systemd", "init"];

pub(super) fn assess(scene: &Scene<'_>, model: &mut Model) {
    for service in scene.estate.services.values() {
        if NOT_CONFINABLE.contains(&service.name.as_str()) {
            continue;
        }
        let features = features(scene.facts, service);
        if features.is_empty() {
            let what = format!("what confines `{}`", service.name);
            let remedy = match scene.facts.looker_uid {
                0 => "find the program that holds the socket; even root cannot see it from here",
                _ => "run as root",
            };
            model.unknown("contain", what, "its process cannot be seen", remedy);
            continue;
        }
        if escape(&features).range.likely <= ESCAPE_MAX {
            continue;
        }
        let from =
            [NodeId(format!("proc:{}", service.name)), NodeId(format!("sandbox:{}", service.name))];
        let edges: Vec<_> = model
            .graph
            .edges()
            .filter(|it| {
                from.contains(&it.from) && it.label.starts_with("acts as")
                    || it.id.0.starts_with(&format!("sandbox:{} ", service.name))
            })
            .map(|it| it.id.clone())
            .collect();
        let held = features.iter().filter(|it| it.holds).count();
        let where_ = if service.is_exposed() { ", which can be reached from outside," } else { "" };
        let says = match held {
            0 => format!(
                "nothing confines `{}`{where_} and it listens on {}",
                service.name,
                service.ports().join(", ")
            ),
            _ => format!(
                "little confines `{}`{where_}: {held} of {} properties hold",
                service.name,
                features.len()
            ),
        };
        let mut finding = Finding::new("contain/no-sandbox", &service.name, says).opening(edges);
        for feature in features.iter().filter(|it| !it.holds) {
            let mut evidence = feature.evidence.clone();
            evidence.says =
                format!("nothing keeps it from {} ({})", feature.prevents, evidence.says);
            finding = finding.because(evidence);
        }
        model.findings.push(finding);
    }
}
