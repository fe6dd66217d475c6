//! A plan: what to do within a budget, what each step is worth seen in three ways, how good it is.

use crate::words::{frequency, hours, two_digits, work};
use polder_model::{Treatment, TreatmentId, printable_str};
use polder_risk::{Band, Pricing, Search, Worth};
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt::Write as _;

/// An expected number of losses a year, with its error.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct WorthLine {
    /// Losses avoided a year, outages counted by their hours.
    pub avoided: f64,
    /// Standard error, from paired worlds.
    pub standard_error: f64,
}

impl WorthLine {
    fn of(worth: Worth) -> Self {
        Self { avoided: worth.avoided, standard_error: worth.standard_error }
    }

    /// Two digits, or a dash where nothing could be told.
    fn words(&self) -> String {
        let is_told = self.avoided.abs() > 2.0 * self.standard_error && self.avoided != 0.0;
        if is_told { two_digits_small(self.avoided) } else { "-".into() }
    }
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct StepLine {
    /// The treatment.
    pub id: String,
    /// What to do.
    pub title: String,
    /// Hours of work, the mean of the range.
    pub hours: f64,
    /// Whether only a person can do it; `polder apply` does the others.
    pub by_hand: bool,
    /// How likely it is to break something: `none`, `low`, `some`, `high`.
    pub breakage: String,
    /// Done alone.
    pub alone: WorthLine,
    /// Done after the steps before it.
    pub in_order: WorthLine,
    /// Done last, after all the others.
    pub left_for_last: WorthLine,
    /// Any loss within a year after this step and all before it.
    pub any_after: f64,
    /// What else there is to know: overlaps, wrong ways.
    pub notes: Vec<String>,
}

/// A plan as it is shown.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct PlanView {
    /// Name and version of this format.
    pub schema: String,
    /// Host or graph.
    pub subject: String,
    /// Hours of work allowed; none when they are not limited.
    pub budget_hours: Option<f64>,
    /// Any loss within a year as things stand.
    pub any: f64,
    /// How that was won: `exact`, `bounds` or `sampled`.
    pub any_method: String,
    /// 95 % interval of that, or its bounds.
    pub any_interval: (f64, f64),
    /// The same after the plan.
    pub any_after: f64,
    /// Losses a year as things stand, outages counted by their hours.
    pub harm: f64,
    /// In the order to do them.
    pub steps: Vec<StepLine>,
    /// Hours of work of all of them.
    pub hours: f64,
    /// What all of them together avoid, on worlds the search has not seen.
    pub avoided: WorthLine,
    /// How it was searched for: `exhaustive`, `local` or `asked`.
    pub search: String,
    /// Losses a year that no other plan within the budget can avoid beyond this one.
    pub at_most_more: Option<f64>,
    /// Treatments the search could choose from.
    pub candidates: usize,
}

/// Lays a plan out.
pub fn plan_view(
    subject: &str,
    treatments: &[&Treatment],
    pricing: &Pricing,
    budget_hours: f64,
) -> PlanView {
    let plan = &pricing.plan;
    let find = |id: &TreatmentId| treatments.iter().find(|it| it.id == *id);
    let steps = plan.steps.iter().filter_map(|step| {
        let treatment = find(&step.id)?;
        let value = pricing.treatments.iter().find(|it| it.id == step.id);
        let mut notes = Vec::new();
        if step.in_order.avoided < 0.5 * step.alone.avoided && step.alone.is_told() {
            notes.push("most of what it avoids, the steps before it avoid already".to_string());
        }
        if step.in_order.avoided > 2.0 * step.alone.avoided && step.in_order.is_told() {
            notes.push("worth little alone: it closes the other half of a way".to_string());
        }
        if value.is_some_and(|it| it.worse > 0.0) {
            notes.push("in some years worse: the quick way closed, a quiet one taken".to_string());
        }
        Some(StepLine {
            id: step.id.0.clone(),
            title: treatment.title.clone(),
            hours: step.hours,
            by_hand: treatment.changes.is_empty(),
            breakage: treatment.breakage.level.clone(),
            alone: WorthLine::of(step.alone),
            in_order: WorthLine::of(step.in_order),
            left_for_last: WorthLine::of(step.left_for_last),
            any_after: step.any_after,
            notes,
        })
    });
    let steps: Vec<StepLine> = steps.collect();
    let Band { mean, at_least, at_most, method, .. } = pricing.any;
    PlanView {
        schema: "polder-plan/1".into(),
        subject: subject.into(),
        budget_hours: budget_hours.is_finite().then_some(budget_hours),
        any: mean,
        any_method: method.word().into(),
        any_interval: (at_least, at_most),
        any_after: pricing.any_after.mean,
        harm: pricing.harm,
        hours: steps.iter().map(|it| it.hours).sum(),
        steps,
        avoided: WorthLine::of(plan.avoided),
        search: match plan.search {
            Search::Exhaustive => "exhaustive",
            Search::Local => "local",
            Search::Refined => "refined",
            Search::Asked => "asked",
        }
        .into(),
        at_most_more: matches!(plan.search, Search::Exhaustive | Search::Local)
            .then(|| (plan.bound - plan.found).max(0.0)),
        candidates: plan.candidates,
    }
}

/// A plan as text.
pub fn plan_text(view: &PlanView) -> String {
    let mut out = String::new();
    let limit = view.budget_hours.map_or("as long as it takes".into(), work);
    let _ = writeln!(out, "Plan for {} | budget {limit}\n", printable_str(&view.subject));
    if view.steps.is_empty() {
        out.push_str("Nothing within the budget avoids a loss that can be told.\n");
        if view.budget_hours.is_some() {
            out.push_str("hint: a larger `--budget`, or `polder assess` for what there is\n");
        }
        return out;
    }
    let _ =
        writeln!(out, "{:<43}{:>7} {:>8} {:>8} {:>8}", "", "work", "alone", "in order", "if last");
    for (at, step) in view.steps.iter().enumerate() {
        let _ = writeln!(
            out,
            "{:>2}  {:<38} {:>7} {:>8} {:>8} {:>8}",
            at + 1,
            crate::terminal::cut(&printable_str(&step.title), 38),
            hours(step.hours),
            step.alone.words(),
            step.in_order.words(),
            step.left_for_last.words(),
        );
        let by_hand = if step.by_hand { "  (by hand)" } else { "" };
        let _ = writeln!(out, "    {}{by_hand}", printable_str(&step.id));
        for note in &step.notes {
            let _ = writeln!(out, "    note: {note}");
        }
    }
    let _ = writeln!(
        out,
        "\nLosses avoided a year; an outage counts by its hours. As things stand: {}.",
        two_digits_small(view.harm)
    );
    let _ = writeln!(
        out,
        "All of it, {} of work: any loss in a year from {} to {}.",
        work(view.hours),
        frequency(view.any),
        frequency(view.any_after)
    );
    out.push_str(&quality(view));
    out
}

fn quality(view: &PlanView) -> String {
    let count = view.candidates;
    let of = if count == 1 { "1 treatment".into() } else { format!("{count} treatments") };
    match (view.search.as_str(), view.at_most_more) {
        ("exhaustive", _) => format!("All combinations of {of} were tried: none is better.\n"),
        ("refined", _) => {
            format!("Searched among {of}, and again in what the first steps leave.\n")
        }
        ("asked", _) => "Exactly what was asked for; nothing was searched.\n".into(),
        (_, Some(more)) => format!(
            "Searched among {of}: no other plan avoids more than {}\nlosses a year beyond it.\n",
            two_digits_small(more)
        ),
        _ => format!("Searched among {of}.\n"),
    }
}

/// Two significant digits, small numbers included.
fn two_digits_small(value: f64) -> String {
    let size = value.abs();
    let sign = if value < 0.0 { "-" } else { "" };
    match size {
        it if it >= 1.0 => format!("{sign}{}", two_digits(it)),
        it if it >= 0.000_005 => {
            let digits = 1.0 - it.log10().floor();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "2 to 7")]
            let digits = digits as usize;
            format!("{sign}{it:.digits$}")
        }
        _ => "0".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_keep_two_digits() {
        assert_eq!(two_digits_small(0.4249), "0.42");
        assert_eq!(two_digits_small(0.004_249), "0.0042");
        assert_eq!(two_digits_small(-1.26), "-1.3");
        assert_eq!(two_digits_small(0.0), "0");
    }
}
