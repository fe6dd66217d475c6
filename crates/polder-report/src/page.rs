//! The view as one HTML page that needs nothing from elsewhere.

use crate::picture;
use crate::view::{Ending, FindingLine, TreatmentLine, View, step_line};
use crate::words::{age, bought, effort, frequency, hours, last_day, moment, percent};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use polder_model::{Coverage, Step, Treatment, quoted};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("page.js");

/// The page as one string.
pub fn page(view: &View) -> String {
    let host = &view.host;
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";
                link rel="icon" href="data:,";
                title { "Polder: " (host.name) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header class="top" {
                    p { (host.name) " · " (host.os) " · looked at " (if host.as_root { "as root" } else { "without root" }) ", " (moment(host.taken)) }
                }
                main {
                    (verdict(view))
                    (alarms(view))
                    (plan(view))
                    (paths(view))
                    (losses(view))
                    (decided(view))
                    (not_known(view))
                    (findings(view))
                    (others(view))
                    (looked(view))
                    (small_print(view))
                }
                script type="module" { (PreEscaped(SCRIPT)) }
            }
        }
    };
    markup.into_string()
}

fn verdict(view: &View) -> Markup {
    let class = match view.ending {
        Ending::WithinAppetite => "verdict",
        Ending::AboveAppetite => "verdict above",
        Ending::CouldNotSay => "verdict unknown",
    };
    html! {
        section class=(class) {
            h1 { (view.sentence) }
            p {
                @match view.ending {
                    Ending::WithinAppetite => { "Within" }
                    Ending::AboveAppetite => { span class="act" { "Act now: above" } }
                    Ending::CouldNotSay => { "Not known well enough to compare with" }
                }
                " the appetite of " (frequency(view.appetite)) " (" (view.appetite_from) ")."
            }
            @if let Some(money) = &view.money { p { (money) } }
        }
        @if let Some(before) = view.compared_with {
            @if !view.changes.is_empty() {
                h2 { "Since " (age(before, view.host.taken)) }
                ul { @for change in view.changes.iter().take(12) { li { code { (change.sign) } " " (change.says) } } }
                @if view.changes.len() > 12 { p class="soft" { "and " (view.changes.len() - 12) " more" } }
            }
        }
    }
}

/// What may mean that somebody is here already.
fn alarms(view: &View) -> Markup {
    let all: Vec<&FindingLine> = view.alarms().collect();
    html! {
        @if !all.is_empty() {
            h2 { span class="act" { "Act now: somebody may be here" } }
            ul {
                @for it in &all {
                    li { (it.finding.says) br; code { "polder explain " (quoted(&it.finding.id.0)) } }
                }
            }
        }
    }
}

fn plan(view: &View) -> Markup {
    let plan: Vec<&TreatmentLine> = view.plan().collect();
    html! {
        h2 { "Do this first" }
        @if plan.is_empty() {
            p { "No treatment lowers the risk by an amount that can be told." }
        } @else {
            @if let Some(other) = &view.rests_on_guesses {
                p { "The order rests on judgement: with guesses off by three, " code { (other) } " comes first." }
            }
            p { "All of them: from " b { (view.any.words) } " to " b { (view.any_after.words) } " in a year (range " (view.any_after.range_words) ")." }
            ol class="plan" {
                @for line in &plan {
                    li { details id=(format!("plan-{}", line.number.unwrap_or(0))) {
                        summary {
                            b { (line.treatment.title) } " "
                            span class="buys" { (bought(&line.after_words)) " · " (line.effort_words) " of work"
                                @if line.ties_with_next && line.number != Some(plan.len()) { " · cannot be told from the next" } }
                        }
                        (treatment(&line.treatment))
                        h3 { "Answers" }
                        ul { @for id in line.answers.iter().take(12) { li { a href=(format!("#{}", anchor(id))) { (id) } } } }
                        @if line.answers.len() > 12 { p class="soft" { "and " (line.answers.len() - 12) " more" } }
                    } }
                }
            }
        }
    }
}

fn treatment(it: &Treatment) -> Markup {
    html! {
        h3 { "Do" }
        (steps(&it.steps))
        h3 { "Undo" }
        (steps(&it.undo))
        h3 { "Verify" }
        p { (it.verify) }
        p class="soft" { "Work: " (effort(&it.effort)) ". Breakage: " (it.breakage.level) @if !it.breakage.what.is_empty() { ", " (it.breakage.what) } "." }
    }
}

fn steps(steps: &[Step]) -> Markup {
    html! { @for step in steps { @match step {
        Step::Decide { what } => { p { "Decide: " (what) } }
        other => { pre { (step_line(other)) } }
    } } }
}

fn paths(view: &View) -> Markup {
    if view.paths.is_empty() {
        return html! {};
    }
    html! {
        h2 { "How an attacker gets there" }
        (picture::paths(view))
        @if !view.choke_points.is_empty() {
            h3 { "Where they all pass" }
            ul { @for it in view.choke_points.iter().take(5) { li { (percent(it.share)) " of losses: who " (it.label) } } }
        }
        @for path in view.paths.iter().take(5) {
            details {
                summary { b { (percent(path.share)) } " of losses: " (path.loss) }
                ol { @for hop in &path.hops { li {
                    (hop.does)
                    @if hop.other_ways > 0 { span class="soft" { " (or in " (hop.other_ways) " other ways)" } }
                    ": " (hop.because) " " code class="soft" { (hop.seen_in) }
                } } }
            }
        }
    }
}

fn losses(view: &View) -> Markup {
    html! {
        h2 { "Chance of loss" }
        div class="scroll" tabindex="0" role="region" aria-label="Losses" { table {
            thead { tr { th { "Loss in a year" } th class="n" { "now" } th class="n" { "range" } th class="n" { "after the plan" } } }
            tbody {
                tr { td { b { "any of them" } } td class="n" { b { (view.any.words) } } td { (view.any.range_words) } td class="n" { (view.any_after.words) } }
                @for goal in &view.goals { tr {
                    td { (goal.loss) } td class="n" { (goal.now.words) } td { (goal.now.range_words) } td class="n" { (goal.after.words) }
                } }
            }
        } }
        h3 { "Outage longer than" }
        p class="soft" { span class="key" { "now" } span class="key later" { "after the plan" } }
        (picture::exceedance(view))
        div class="scroll" tabindex="0" role="region" aria-label="Outages" { table {
            thead { tr { th { "longer than" } th { "now" } th { "after the plan" } } }
            tbody { @for (limit, before, after) in &view.exceedance { tr {
                td { (hours(*limit)) } td { (frequency(*before)) } td { (frequency(*after)) }
            } } }
        } }
    }
}

fn decided(view: &View) -> Markup {
    if view.decisions.is_empty() {
        return html! {};
    }
    html! {
        h2 { "Decided on purpose" }
        div class="scroll" tabindex="0" role="region" aria-label="Decisions" { table {
            thead { tr { th { "Finding" } th { "Decision" } th { "Because" } th { "Owner" } th { "Until" } th { "Keeps" } } }
            tbody { @for it in &view.decisions { tr {
                td { (it.decision.finding) } td { (it.decision.kind.word()) } td { (it.decision.because) } td { (it.decision.owner) }
                td class="n" { (last_day(it.decision.until)) @if let Some(because) = &it.ended_because { br; span class="act" { (because) } } }
                td { (it.keeps.clone().unwrap_or_default()) }
            } } }
        } }
    }
}

fn not_known(view: &View) -> Markup {
    if view.unknowns.is_empty() {
        return html! {};
    }
    html! {
        h2 { "Not known" }
        ul { @for it in &view.unknowns { li {
            b { (it.what) } ": " (it.because) ". " span class="soft" { "To know it: " (it.remedy) "." }
        } } }
    }
}

fn findings(view: &View) -> Markup {
    html! {
        h2 id="findings" { "Findings (" (view.findings.len()) ")" }
        p class="screen" {
            label for="search" { "Search findings " span class="soft" { "(" kbd { "/" } ")" } }
            input id="search" type="search" autocomplete="off";
            span class="soft" id="count" role="status" {}
        }
        @for line in &view.findings { (finding(line)) }
        details id="keys" class="screen" { summary { "Keys" } p { kbd { "/" } " search, " kbd { "?" } " this list" } }
    }
}

fn finding(line: &FindingLine) -> Markup {
    let it = &line.finding;
    let text = format!("{} {}", it.id, it.says).to_lowercase();
    html! {
        details id=(anchor(&it.id.0)) data-text=(text) {
            summary { b { (it.says) } " " code class="soft" { (it.id) } @if line.decided { " · decided" } }
            h3 { "Why it matters" }
            p { (line.why) }
            h3 { "How this is known" }
            ul { @for evidence in &it.evidence { li { (evidence.says) " " code class="soft" { (evidence.origin) } } } }
            p class="soft" { (line.how_we_know) @if !line.references.is_empty() { " " (line.references.join(", ")) } }
            @for one in &it.treatments {
                h3 { (one.title) }
                @if one.part_of.is_none() && it.treatments.len() > 1 { p class="soft" { "See the list of treatments." } } @else { (treatment(one)) }
            }
            @if let Some(because) = &it.untreatable { h3 { "What to do" } p { (because) } }
        }
    }
}

/// An identity as the name of a place on the page.
fn anchor(id: &str) -> String {
    id.chars().map(|it| if it.is_ascii_alphanumeric() { it } else { '-' }).collect()
}

fn others(view: &View) -> Markup {
    let rest: Vec<&TreatmentLine> =
        view.treatments.iter().filter(|it| it.number.is_none()).collect();
    if rest.is_empty() {
        return html! {};
    }
    html! {
        h2 { "Other treatments (" (rest.len()) ")" }
        div class="scroll" tabindex="0" role="region" aria-label="Other treatments" { table {
            thead { tr { th { "Treatment" } th class="n" { "then any loss" } th class="n" { "work" } } }
            tbody { @for it in rest { tr {
                td { (it.treatment.title) } td class="n" { (it.after_words) } td class="n" { (it.effort_words) }
            } } }
        } }
    }
}

fn looked(view: &View) -> Markup {
    html! {
        h2 { "What was looked at" }
        div class="scroll" tabindex="0" role="region" aria-label="Tables" { table {
            thead { tr { th { "Table" } th { "Rows" } th { "Coverage" } } }
            tbody { @for it in &view.coverage { tr {
                td { (it.table) br; span class="soft" { (it.title) } }
                td { (it.rows) }
                td {
                    (it.coverage.word())
                    @if it.coverage != Coverage::Complete { ": " (it.coverage.because().unwrap_or_default()) }
                    @if let Some(adds) = it.coverage.root_adds() { br; span class="soft" { "Root would add " (adds) "." } }
                    @if it.problems > 0 { br; span class="soft" { (it.problems) " malformed places" } }
                }
            } } }
        } }
    }
}

fn small_print(view: &View) -> Markup {
    html! {
        h2 { "What the figures rest on" }
        p { (percent(view.on_judgement)) " of the losses pass a step whose probability is judgement. "
            @if let Some(measure) = &view.measure { "To know more, measure first how likely it is that " (measure) "." } }
        p class="soft" { "Figures are " (view.method) " from " (view.worlds) " drawn years (seed " (view.seed) ") of a graph with " (view.graph.0) " nodes and " (view.graph.1) " edges. Ranges hold 90 % of what is not known; chance within a year comes on top. Polder " (view.polder) "." }
    }
}
