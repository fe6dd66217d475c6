//! Who constantly lets you down: source packages that need more fixes than nine in ten others, where
//! strangers reach them.

use super::assess::users_of;
use crate::estate::{Service, product_of};
use crate::practice::Scene;
use polder_model::facts::{Alternative, TrackRecord};
use polder_model::{Evidence, Finding, Model, Op, Range, Treatment, VariableId};

pub(super) fn assess(scene: &Scene<'_>, model: &mut Model) {
    for record in scene.facts.vendors.rows.iter().filter(|it| it.is_worst_tenth) {
        let Some(service) = exposed(scene, record) else { continue };
        let ran = record.days_unfixed.map_or(String::new(), |days| {
            format!("; this host ran without the fix for {days} days each (median)")
        });
        let says = format!(
            "`{}` needed {} security updates in {} months, {} of them against attacks over the network, {} of flaws that attackers use{ran}. Nine tenths of the packages that needed any needed fewer, and strangers reach it through `{}`",
            record.source,
            record.advisories,
            record.months,
            record.remote,
            record.exploited,
            service.name
        );
        let evidence =
            Evidence::command("advisories beside what is installed", "polder look vendors");
        model.findings.push(
            Finding::new("patch/lets-you-down", record.source.clone(), says).because(evidence),
        );
    }
}

/// A service of this package that can be reached from outside.
fn exposed<'a>(scene: &Scene<'a>, record: &TrackRecord) -> Option<&'a Service> {
    let packages: Vec<&str> = record.packages.iter().map(String::as_str).collect();
    users_of(scene, &packages).into_iter().find(|it| it.is_exposed())
}

/// Moves to a program that does the same and needed half as many fixes at most, if there is one.
pub(super) fn treat(finding: &Finding, scene: &Scene<'_>, model: &Model) -> Vec<Treatment> {
    let records = &scene.facts.vendors.rows;
    let Some(record) = records.iter().find(|it| it.source == finding.subject) else {
        return Vec::new();
    };
    let few = |it: &&Alternative| it.advisories * 2 <= record.advisories;
    let mut better: Vec<&Alternative> = record.alternatives.iter().filter(few).collect();
    better.sort_by_key(|it| it.advisories);
    let (Some(best), Some(service)) = (better.first(), exposed(scene, record)) else {
        return Vec::new();
    };
    let listed: Vec<String> = better
        .iter()
        .map(|it| match it.advisories {
            0 => format!("{} (none known)", it.source),
            count => format!("{} ({count})", it.source),
        })
        .collect();
    let source = &record.source;
    let mut treatment = Treatment::new(
        format!("move-from:{source}"),
        format!("Move from `{source}` to a program that needs fewer fixes"),
        [4.0, 16.0, 60.0],
    )
    .decide(format!(
        "Does one of these do what you need? Security updates in the same {} months: {}. An unknown program has none because nobody looks",
        record.months,
        listed.join(", ")
    ))
    .decide(format!("Build it beside `{source}` on another port, and move one part of the traffic first"))
    .undo_by(format!("start `{source}` again; keep it installed and stopped for two weeks"))
    .verify(format!("`polder assess --all` no longer lists patch/lets-you-down:{source}"))
    .may_break("high", "another program behaves differently");
    // As many flaws that nobody knows today as there were known ones; half an advisory for none.
    let ratio = (f64::from(best.advisories) + 0.5) / (f64::from(record.advisories) + 0.5);
    let future = VariableId(format!("future:{}", product_of(service, scene.facts)));
    if model.graph.find_variable(&future).is_some() {
        let factor = Range::new(ratio / 2.0, ratio, (ratio * 2.0).min(1.0));
        treatment = treatment.effect(Op::Thin { variable: future, factor });
    }
    vec![treatment]
}
