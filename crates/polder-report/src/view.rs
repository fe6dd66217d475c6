//! The one view that terminal, page, JSON and SARIF show.

use crate::changes::{Change, Earlier, EarlierFinding, changes};
use crate::money::{Claims, in_money};
use crate::words::{effort, frequency, hours, last_day};
use polder_model::{
    About, Coverage, Decision, DecisionKind, Finding, FindingKind, Model, Op, Step, Timestamp,
    Treatment, TreatmentId, Unknown,
};
use polder_risk::{Band, Method, PlanStep, Pricing, TreatmentValue};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// How an assessment ends, as the exit code of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Exit code 0.
    WithinAppetite,
    /// Exit code 1.
    AboveAppetite,
    /// Exit code 3.
    CouldNotSay,
}

/// The host and the look.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct HostLine {
    /// Name.
    pub name: String,
    /// Operating system.
    pub os: String,
    /// Running kernel.
    pub kernel: String,
    /// Seconds since 1970 of the look.
    pub taken: Timestamp,
    /// Whether root looked.
    pub as_root: bool,
}

/// A yearly probability with its range, in numbers and words.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RiskLine {
    /// Mean probability within a year.
    pub mean: f64,
    /// Lower end of the 90 % range that comes from what is not known.
    pub low: f64,
    /// Upper end of the same.
    pub high: f64,
    /// Standard error of the mean from sampling.
    pub standard_error: f64,
    /// "1 in 25".
    pub words: String,
    /// "1 in 90 to 1 in 10".
    pub range_words: String,
}

impl RiskLine {
    fn of(band: &Band) -> Self {
        Self {
            mean: band.mean,
            low: band.low,
            high: band.high,
            standard_error: band.standard_error,
            words: match band.method == Method::Sampled && band.mean <= 0.0 {
                // No world drawn had it: three over their number is what it may be at most.
                true => {
                    format!("under {}", frequency(band.at_most)).replace("under under", "under")
                }
                false => frequency(band.mean),
            },
            range_words: format!("{} to {}", frequency(band.low), frequency(band.high)),
        }
    }
}

/// One loss.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct GoalLine {
    /// The loss in words.
    pub loss: String,
    /// As things stand.
    pub now: RiskLine,
    /// After the first treatments.
    pub after: RiskLine,
}

/// One treatment with what it buys.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct TreatmentLine {
    /// Place in the plan, counted from one; none for those outside it.
    pub number: Option<usize>,
    /// Losses avoided a year; an outage counts by its hours.
    pub avoided: f64,
    /// Standard error of `avoided`.
    pub standard_error: f64,
    /// Any loss in a year after this treatment and those before it in the plan; with it alone where
    /// it is not part of the plan.
    pub after_any: f64,
    /// The same in words.
    pub after_words: String,
    /// Whether what it avoids cannot be told from what the next one does.
    pub ties_with_next: bool,
    /// Hours of work in words.
    pub effort_words: String,
    /// Findings it answers.
    pub answers: Vec<String>,
    /// The treatment itself.
    pub treatment: Treatment,
}

/// One finding with its decision.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FindingLine {
    /// Title of its kind.
    pub title: String,
    /// Why it matters.
    pub why: String,
    /// How it is known, in general.
    pub how_we_know: String,
    /// Entries of public catalogues.
    pub references: Vec<String>,
    /// Whether a decision keeps it out of the plan.
    pub decided: bool,
    /// What its best treatment avoids a year.
    pub avoided: f64,
    /// The finding itself.
    pub finding: Finding,
}

/// One hop of an attack path.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct HopLine {
    /// The step, by its identity.
    pub edge: String,
    /// What the attacker does.
    pub does: String,
    /// What the attacker can do then.
    pub then: String,
    /// The fact behind it.
    pub because: String,
    /// Where the fact was seen.
    pub seen_in: String,
    /// Other steps that lead to the same place.
    pub other_ways: usize,
    /// Numbers of the treatments of the plan that close it, wholly or in part.
    pub closed_by: Vec<usize>,
}

/// A capability that the ways to losses cannot go around.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ChokeLine {
    /// The node, by its identity.
    pub node: String,
    /// The capability in words.
    pub label: String,
    /// Share of losses that pass it.
    pub share: f64,
}

/// One attack path.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct PathLine {
    /// The loss it ends in.
    pub loss: String,
    /// Its share of all losses.
    pub share: f64,
    /// Its hops.
    pub hops: Vec<HopLine>,
}

/// One table and how well it was looked at.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CoverageLine {
    /// Table.
    pub table: String,
    /// What its rows are.
    pub title: String,
    /// How well it was looked at.
    pub coverage: Coverage,
    /// Number of rows.
    pub rows: usize,
    /// Number of malformed places.
    pub problems: usize,
}

/// A decision made on purpose.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct DecisionLine {
    /// The decision.
    pub decision: Decision,
    /// Whether it holds now.
    pub holds: bool,
    /// Why it ended, where it did.
    pub ended_because: Option<String>,
    /// What the finding's best treatment would avoid a year, in words.
    pub keeps: Option<String>,
}

/// Everything shown.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct View {
    /// Name and version of this format.
    pub schema: String,
    /// Version of Polder.
    pub polder: String,
    /// The host.
    pub host: HostLine,
    /// How it ends.
    pub ending: Ending,
    /// The first sentence.
    pub sentence: String,
    /// Any loss within a year.
    pub any: RiskLine,
    /// The same after the first treatments.
    pub any_after: RiskLine,
    /// Largest yearly probability of any loss that the owner is willing to live with.
    pub appetite: f64,
    /// Where the appetite comes from.
    pub appetite_from: String,
    /// The losses in money, where the configuration asks for it.
    pub money: Option<String>,
    /// Each loss.
    pub goals: Vec<GoalLine>,
    /// Hours of outage expected a year.
    pub outage_hours: f64,
    /// Hours of outage, yearly probability of more, and the same after the first treatments.
    pub exceedance: Vec<(f64, f64, f64)>,
    /// Treatments, the plan first.
    pub treatments: Vec<TreatmentLine>,
    /// Findings, in the order of the rooms.
    pub findings: Vec<FindingLine>,
    /// What could not be judged.
    pub unknowns: Vec<Unknown>,
    /// Every table.
    pub coverage: Vec<CoverageLine>,
    /// Attack paths.
    pub paths: Vec<PathLine>,
    /// Capabilities that the ways to losses cannot go around.
    pub choke_points: Vec<ChokeLine>,
    /// What would come first if guesses were wrong by three, where that is something else.
    pub rests_on_guesses: Option<String>,
    /// Decisions.
    pub decisions: Vec<DecisionLine>,
    /// When the assessment compared with was made.
    pub compared_with: Option<Timestamp>,
    /// What changed since then.
    pub changes: Vec<Change>,
    /// Share of losses that pass a step whose probability is judgement.
    pub on_judgement: f64,
    /// What to measure first, in words.
    pub measure: Option<String>,
    /// How the figures were won.
    pub method: String,
    /// Seed of the draws.
    pub seed: u64,
    /// Worlds drawn.
    pub worlds: u64,
    /// Size of the graph.
    pub graph: (usize, usize),
}

/// What a view is made of.
pub struct Material<'a> {
    /// Version of Polder.
    pub version: &'a str,
    /// The host.
    pub host: HostLine,
    /// The judgement.
    pub model: &'a Model,
    /// Its price.
    pub pricing: &'a Pricing,
    /// Every table.
    pub coverage: Vec<CoverageLine>,
    /// Decisions in force or ended.
    pub decisions: &'a [Decision],
    /// The assessment before.
    pub earlier: Option<&'a Earlier>,
    /// Largest yearly probability of any loss.
    pub appetite: f64,
    /// Where it comes from.
    pub appetite_from: &'a str,
    /// By whose figures to say what it costs, if at all.
    pub money: Option<Claims>,
    /// What would come first if guesses were wrong by three, where that is something else.
    pub rests_on_guesses: Option<&'a str>,
    /// Looks up a kind of finding.
    pub kind: fn(&str) -> Option<(&'static About, &'static FindingKind)>,
}

/// Makes the view.
pub fn view(material: Material<'_>) -> View {
    let Material { model, pricing, .. } = material;
    let now = material.host.taken;
    let avoided: BTreeMap<&TreatmentId, f64> =
        pricing.treatments.iter().map(|it| (&it.id, it.worth.avoided)).collect();
    let best = |finding: &Finding| {
        finding.treatments.iter().filter_map(|it| avoided.get(&it.id)).copied().fold(0.0, f64::max)
    };
    let decisions = decisions(material.decisions, model, now, &best);
    let decided: BTreeSet<&str> =
        decisions.iter().filter(|it| it.holds).map(|it| it.decision.finding.as_str()).collect();
    let findings = model
        .findings
        .iter()
        .map(|finding| {
            let kind = (material.kind)(&finding.kind).map(|(_, kind)| kind);
            finding_line(finding, kind, decided.contains(finding.id.0.as_str()), best(finding))
        })
        .collect();
    let any = RiskLine::of(&pricing.any);
    let ending = if model.unknowns.iter().any(|it| it.essential) {
        Ending::CouldNotSay
    } else if pricing.any.mean > material.appetite {
        Ending::AboveAppetite
    } else {
        Ending::WithinAppetite
    };
    // Without root, or without what is essential, worse may be hidden.
    let is_blind = ending == Ending::CouldNotSay
        || material.coverage.iter().any(|it| it.coverage.root_adds().is_some());
    let earlier = material.earlier;
    let mut view = View {
        schema: "polder-assessment/1".into(),
        polder: material.version.into(),
        sentence: sentence(model, pricing, &any, is_blind),
        any_after: RiskLine::of(&pricing.any_after),
        appetite: material.appetite,
        appetite_from: material.appetite_from.into(),
        money: material.money.map(|claims| in_money(claims, &any)),
        goals: pricing
            .goals
            .iter()
            .map(|it| GoalLine {
                loss: it.loss.clone(),
                now: RiskLine::of(&it.yearly),
                after: RiskLine::of(&it.yearly_after),
            })
            .collect(),
        outage_hours: pricing.outage_hours,
        exceedance: pricing.exceedance.clone(),
        treatments: treatments(model, pricing),
        findings,
        unknowns: model.unknowns.clone(),
        coverage: material.coverage,
        choke_points: choke_points(model, pricing),
        rests_on_guesses: material.rests_on_guesses.map(str::to_string),
        paths: paths(model, pricing),
        decisions,
        compared_with: earlier.map(|it| it.taken),
        changes: Vec::new(),
        on_judgement: pricing.on_judgement,
        measure: pricing.measure.as_ref().map(|it| it.title.clone()),
        method: pricing.any.method.word().into(),
        seed: pricing.options.seed,
        worlds: pricing.options.blocks * pricing.options.worlds_per_block,
        graph: (model.graph.nodes().count(), model.graph.edges().count()),
        host: material.host,
        ending,
        any,
    };
    view.changes = earlier.map_or_else(Vec::new, |it| changes(it, &view.to_earlier()));
    view
}

impl View {
    /// What is kept of this assessment for later comparison.
    pub fn to_earlier(&self) -> Earlier {
        Earlier {
            taken: self.host.taken,
            host: self.host.name.clone(),
            any: self.any.mean,
            low: self.any.low,
            high: self.any.high,
            findings: self
                .findings
                .iter()
                .map(|it| EarlierFinding {
                    id: it.finding.id.0.clone(),
                    says: it.finding.says.clone(),
                })
                .collect(),
            unknowns: self.unknowns.len(),
        }
    }

    /// The treatments of the plan, in order.
    pub fn plan(&self) -> impl Iterator<Item = &TreatmentLine> {
        self.treatments.iter().filter(|it| it.number.is_some())
    }

    /// Findings that may mean that somebody is here already, and that nobody decided about.
    pub fn alarms(&self) -> impl Iterator<Item = &FindingLine> {
        self.findings.iter().filter(|it| it.finding.kind == "watch/persistence" && !it.decided)
    }
}

fn finding_line(
    finding: &Finding,
    kind: Option<&'static FindingKind>,
    decided: bool,
    avoided: f64,
) -> FindingLine {
    let references = kind.map_or(&[][..], |it| it.references);
    FindingLine {
        title: kind.map_or("", |it| it.title).into(),
        why: kind.map_or("", |it| it.why).into(),
        how_we_know: kind.map_or("", |it| it.how_we_know).into(),
        references: references.iter().map(|it| (*it).into()).collect(),
        decided,
        avoided,
        finding: finding.clone(),
    }
}

fn sentence(model: &Model, pricing: &Pricing, any: &RiskLine, is_blind: bool) -> String {
    let host = &model.host;
    if is_blind && pricing.goals.is_empty() {
        return format!("Nothing can be said about {host}: see what was not looked at.");
    }
    let worst: Vec<String> = pricing
        .goals
        .iter()
        .take(3)
        .filter(|it| it.yearly.mean > 0.0)
        .map(|it| format!("{} ({})", it.loss, frequency(it.yearly.mean)))
        .collect();
    if worst.is_empty() {
        return format!(
            "In a year like the last, no loss was met in {} drawn years of {host}. That is not never.",
            pricing.options.blocks * pricing.options.worlds_per_block
        );
    }
    let more = pricing.goals.len().saturating_sub(worst.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let caution = if is_blind { " What could not be looked at may make it worse." } else { "" };
    let hosts = match any.words.as_str() {
        "nearly always" => "nearly every host".to_string(),
        words => format!("about {words} hosts"),
    };
    let verb =
        if hosts.starts_with("about 1 ") || hosts.starts_with("nearly") { "loses" } else { "lose" };
    let range = match any.range_words.split_once(" to ") {
        Some((low, high)) if low == high => String::new(),
        _ => format!(" (range {})", any.range_words),
    };
    format!(
        "In a year like the last, {hosts} built like {host}{range} {verb} something: {}{more}.{caution}",
        worst.join(", "),
    )
}

fn treatments(model: &Model, pricing: &Pricing) -> Vec<TreatmentLine> {
    let mut by_id: BTreeMap<&TreatmentId, (&Treatment, Vec<String>)> = BTreeMap::new();
    for finding in &model.findings {
        for treatment in &finding.treatments {
            by_id
                .entry(&treatment.id)
                .or_insert_with(|| (treatment, Vec::new()))
                .1
                .push(finding.id.0.clone());
        }
    }
    let mut lines: Vec<TreatmentLine> = pricing
        .treatments
        .iter()
        .filter_map(|value| {
            let (treatment, answers) = by_id.get(&value.id)?;
            let number =
                pricing.plan.steps.iter().position(|it| it.id == value.id).map(|at| at + 1);
            let bought = bought(value, pricing, number, treatment);
            Some(TreatmentLine {
                number,
                avoided: value.worth.avoided,
                standard_error: value.worth.standard_error,
                after_any: bought.after_any,
                after_words: bought.words,
                ties_with_next: bought.ties_with_next,
                effort_words: effort(&treatment.effort),
                answers: answers.clone(),
                treatment: (*treatment).clone(),
            })
        })
        .collect();
    lines.sort_by_key(|it| it.number.unwrap_or(usize::MAX));
    lines
}

/// What a treatment buys where it stands.
struct Bought {
    after_any: f64,
    words: String,
    ties_with_next: bool,
}

/// What a treatment buys after those before it in the plan, or alone where it is not part of it.
fn bought(
    value: &TreatmentValue,
    pricing: &Pricing,
    number: Option<usize>,
    treatment: &Treatment,
) -> Bought {
    let steps = &pricing.plan.steps;
    let place = number.map(|it| it - 1);
    let step = place.and_then(|at| steps.get(at));
    let before = place.and_then(|at| steps.get(at.checked_sub(1)?));
    let before = before.map_or(pricing.any.mean, |it| it.any_after);
    let (worth, after_any) =
        step.map_or((value.worth, value.any_after), |it| (it.in_order, it.any_after));
    let next = place.and_then(|at| steps.get(at + 1));
    let ties = |next: &PlanStep| {
        let error = worth.standard_error.hypot(next.in_order.standard_error);
        (worth.avoided - next.in_order.avoided).abs() < 1.96 * error
    };
    let restores = treatment.ops.iter().any(|op| matches!(op, Op::Restore { .. }));
    let fewer = before - after_any > 0.02 * before;
    let words = match (worth.is_told(), fewer, restores) {
        (true, true, _) => frequency(after_any),
        (true, false, true) => "shorter outages".into(),
        (true, false, false) => "smaller losses".into(),
        (false, ..) => "not told apart".into(),
    };
    let ties_with_next = step.map_or(value.ties_with_next, |_| next.is_some_and(ties));
    Bought { after_any, words, ties_with_next }
}

fn choke_points(model: &Model, pricing: &Pricing) -> Vec<ChokeLine> {
    let line = |(id, share): &(polder_model::NodeId, f64)| {
        let label = model.graph.find_node(id)?.label.clone();
        Some(ChokeLine { node: id.0.clone(), label, share: *share })
    };
    pricing.choke_points.iter().filter_map(line).collect()
}

/// Numbers of the treatments of the plan that touch a step.
fn closed_by(edge: &str, model: &Model, pricing: &Pricing) -> Vec<usize> {
    let Some(edge) = model.graph.find_edge(&polder_model::EdgeId(edge.into())) else {
        return Vec::new();
    };
    let touches = |op: &Op| match op {
        Op::Remove { edge: it } | Op::ThinEdge { edge: it, .. } | Op::Slow { edge: it, .. } => {
            *it == edge.id
        }
        Op::Close { variable } | Op::Thin { variable, .. } => edge.needs.contains(variable),
        Op::Notice { .. } | Op::Scale { .. } | Op::Restore { .. } => false,
    };
    let all: Vec<&Treatment> = model.findings.iter().flat_map(|it| &it.treatments).collect();
    let is_touching = |id: &TreatmentId| {
        all.iter().find(|it| it.id == *id).is_some_and(|it| it.ops.iter().any(touches))
    };
    let steps = pricing.plan.steps.iter().enumerate();
    steps.filter(|(_, step)| is_touching(&step.id)).map(|(at, _)| at + 1).collect()
}

fn paths(model: &Model, pricing: &Pricing) -> Vec<PathLine> {
    pricing
        .paths
        .iter()
        .map(|path| PathLine {
            loss: path.goal.clone(),
            share: path.share,
            hops: path
                .hops
                .iter()
                .map(|hop| HopLine {
                    edge: hop.edge.clone(),
                    does: hop.does.clone(),
                    then: hop.then.clone(),
                    because: hop.because.clone(),
                    seen_in: hop.seen_in.clone(),
                    other_ways: hop.other_ways,
                    closed_by: closed_by(&hop.edge, model, pricing),
                })
                .collect(),
        })
        .collect()
}

fn decisions(
    decisions: &[Decision],
    model: &Model,
    now: Timestamp,
    best: &dyn Fn(&Finding) -> f64,
) -> Vec<DecisionLine> {
    decisions
        .iter()
        .map(|decision| {
            let finding = model.findings.iter().find(|it| it.id.0 == decision.finding);
            let has_treatment = finding.is_some_and(|it| !it.treatments.is_empty());
            let holds = decision.holds(now, has_treatment);
            let ended_because = match () {
                () if holds && finding.is_none() => Some("the finding is gone".to_string()),
                () if holds => None,
                () if now >= decision.until => {
                    Some(format!("it ended on {}", last_day(decision.until)))
                }
                () => Some("a treatment has appeared".into()),
            };
            let keeps = finding.filter(|_| decision.kind == DecisionKind::Accept).map(|it| {
                match best(it) {
                    value if value <= 0.0 => "no loss that could be told".to_string(),
                    value => format!("{} a year", frequency(value)),
                }
            });
            DecisionLine { decision: decision.clone(), holds, ended_because, keeps }
        })
        .collect()
}

/// A step as one line of text.
pub(crate) fn step_line(step: &Step) -> String {
    match step {
        Step::Run { command } => format!("$ {command}"),
        Step::Write { path, content } => format!("write {path}:\n{content}"),
        Step::Edit { path, change } => format!("edit {path}: {change}"),
        Step::Decide { what } => format!("decide: {what}"),
    }
}

/// Hours of an outage in words, for axes.
pub(crate) fn outage_words(value: f64) -> String {
    hours(value)
}
