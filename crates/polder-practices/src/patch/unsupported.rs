//! Packages whose distribution fixes them no more, or only for some uses.

use super::assess::{reach, through_ports, users_of};
use crate::practice::Scene;
use polder_model::facts::Unsupported;
use polder_model::{EdgeId, Estimate, Evidence, Finding, Model, Op, Range, Treatment, VariableId};

pub(super) fn assess(scene: &Scene<'_>, model: &mut Model) {
    for row in &scene.facts.unsupported.rows {
        match row.ended {
            Some(ended) if ended <= scene.facts.taken => ended_support(scene, row, model),
            Some(_) => {}
            None => limited(scene, row, model),
        }
    }
}

fn variable(source: &str) -> VariableId {
    VariableId(format!("unsupported:{source}"))
}

fn evidence(row: &Unsupported) -> Evidence {
    Evidence::file(format!("{}: {}", row.source, row.note), row.told_by.clone(), None)
}

fn ended_support(scene: &Scene<'_>, row: &Unsupported, model: &mut Model) {
    let names: Vec<&str> = row.packages.iter().map(String::as_str).collect();
    let users = users_of(scene, &names);
    let days = row.ended.map_or(0, |it| it.days_until(scene.facts.taken));
    let reach = reach(&users, "no listening service runs it");
    let says = format!(
        "`{}` has had no security updates for {days} days, though its release has; {reach}",
        row.source
    );
    let mut opens: Vec<EdgeId> = Vec::new();
    if !users.is_empty() {
        let variable = model.graph.variable(
            variable(&row.source).0,
            format!(
                "a flaw found in `{}` since its support ended is used against this host",
                row.source
            ),
            Estimate::judgement(
                0.002,
                0.02,
                0.15,
                "flaws of one program that nobody fixes any more",
            ),
        );
        let how = format!("support of {} ended", row.source);
        let label = format!("uses a flaw in `{}` that nobody will fix", row.source);
        opens = through_ports(model, &users, &variable, (&how, &label), &evidence(row));
    }
    let finding = Finding::new("patch/support-ended", &row.source, says);
    model.findings.push(finding.because(evidence(row)).opening(opens));
}

/// Only where strangers reach it: for trusted use it is supported.
fn limited(scene: &Scene<'_>, row: &Unsupported, model: &mut Model) {
    let names: Vec<&str> = row.packages.iter().map(String::as_str).collect();
    let users = users_of(scene, &names);
    let Some(service) = users.into_iter().find(|it| it.is_exposed()) else { return };
    let says = format!(
        "`{}` is supported for some uses only, and `{}`, which strangers reach, runs it",
        row.source, service.name
    );
    let finding = Finding::new("patch/support-limited", &row.source, says);
    model.findings.push(finding.because(evidence(row)));
}

pub(super) fn treat(finding: &Finding, model: &Model) -> Treatment {
    let source = &finding.subject;
    let treatment = Treatment::new(
        format!("replace:{source}"),
        format!("Replace `{source}`, which gets no more fixes"),
        [4.0, 12.0, 60.0],
    );
    let mut treatment = treatment
        .decide("Take it from its maker's own repository, or move to a release that supports it, or to a program that does the same")
        .decide("Until then let only those reach it who need it: `polder assess --all` has what closes its ports")
        .undo_by("install the former package again")
        .verify(format!("`polder look unsupported` no longer names {source}"))
        .may_break("some", "another version, or another program, behaves differently");
    let variable = variable(source);
    if model.graph.find_variable(&variable).is_some() {
        treatment = treatment.effect(Op::Thin { variable, factor: Range::new(0.02, 0.1, 0.4) });
    }
    treatment
}
