//! `polder plan`: the best set of changes for so many hours of work.

use super::Globals;
use crate::failure::Failure;
use crate::flags::{Breakage, Plan};
use crate::{config, output, session};
use polder_model::{Op, Treatment, TreatmentId};
use polder_report::{frequency, plan_text, plan_view};
use polder_risk::{Options, Pricing, Request, price};
use std::fmt::Write as _;

/// A plan is made once and worked on for hours; it may take a second.
const CARE: u64 = 8;

/// Hours of a working day.
const HOURS_PER_DAY: f64 = 8.0;

/// Ten years of work.
const WORK_HOURS_MAX: f64 = 20_000.0;

pub(super) fn run(flags: &Plan, globals: &Globals) -> Result<u8, Failure> {
    let hours_max = flags.budget.as_deref().map(parse_time).transpose()?.unwrap_or(f64::INFINITY);
    let configuration = config::read(globals.config.as_deref())?;
    let host = session::open(&flags.target, globals)?;
    let store = session::store(globals.state.as_deref(), &flags.target, true);
    let facts = session::look_known(host.as_ref(), globals, &flags.target);
    let model = polder_practices::judge(&facts, &configuration.settings);
    let treatments = session::distinct(&model);
    let mut skip = session::kept_out(&model, store.as_ref(), &facts)?;
    let is_too_risky = |it: &&&Treatment| level(&it.breakage.level) > flags.breakage;
    skip.extend(treatments.iter().filter(is_too_risky).map(|it| it.id.clone()));
    let exactly = match flags.what_if.is_empty() {
        true => None,
        false => Some(named(&flags.what_if, &treatments)?),
    };
    let request = Request {
        hours_max,
        candidates_max: 64,
        skip,
        exactly,
        ..Request::first(flags.most as usize)
    };
    let options = Options {
        care: CARE,
        worlds_per_block: 512,
        ..session::seeded(&configuration, flags.seed)
    };
    let pricing = price(&model.graph, model.restore, &treatments, &request, options);
    let view = plan_view(&model.host, &treatments, &pricing, hours_max);
    if let Some(id) = &flags.why {
        let id = named(std::slice::from_ref(id), &treatments)?;
        let found = treatments.iter().find(|it| id.contains(&it.id));
        output::print(&found.map_or_else(String::new, |it| why(it, &pricing)))?;
    } else if flags.json {
        output::print_json(&view)?;
    } else {
        output::print(&plan_text(&view))?;
    }
    Ok(0)
}

/// The treatments of these identities, in the order asked for.
fn named(ids: &[String], treatments: &[&Treatment]) -> Result<Vec<TreatmentId>, Failure> {
    let find = |id: &String| {
        treatments.iter().find(|it| it.id.0 == *id).map(|it| it.id.clone()).ok_or_else(|| {
            Failure::usage(format!("no treatment of this host is called `{id}`"))
                .hint("`polder plan --json` and `polder assess --json` name them")
        })
    };
    ids.iter().map(find).collect()
}

fn level(word: &str) -> Breakage {
    match word {
        "none" => Breakage::None,
        "low" => Breakage::Low,
        "some" => Breakage::Some,
        _ => Breakage::High,
    }
}

/// What a treatment changes, what it is worth, which ways it closes.
fn why(treatment: &Treatment, pricing: &Pricing) -> String {
    let mut out = format!("{}  [{}]\n", treatment.title, treatment.id);
    let value = pricing.treatments.iter().find(|it| it.id == treatment.id);
    if let Some(value) = value {
        let _ = writeln!(
            out,
            "  alone       avoids {:.2} losses a year (error {:.2}), then any loss {}",
            value.worth.avoided,
            value.worth.standard_error,
            frequency(value.any_after)
        );
        if value.worse > 0.0 {
            let _ = writeln!(out, "  worse       in {} of years", frequency(value.worse));
        }
    }
    match pricing.plan.steps.iter().position(|it| it.id == treatment.id) {
        Some(at) => {
            let _ = writeln!(out, "  in the plan step {}", at + 1);
        }
        None => out.push_str("  in the plan no: others avoid more for the work, or do the same\n"),
    }
    let closes = |edge: &str| {
        treatment.ops.iter().any(|op| match op {
            Op::Remove { edge: it } | Op::ThinEdge { edge: it, .. } | Op::Slow { edge: it, .. } => {
                it.0 == edge
            }
            _ => false,
        })
    };
    let _ = writeln!(out, "  changes     {} things on the graph", treatment.ops.len());
    for path in pricing.paths.iter().filter(|it| it.hops.iter().any(|hop| closes(&hop.edge))) {
        let _ = writeln!(
            out,
            "\n  a way it closes ({:.0} % of losses): {}",
            path.share * 100.0,
            path.goal
        );
        for hop in &path.hops {
            let mark = if closes(&hop.edge) { "x" } else { "-" };
            let _ = writeln!(out, "  {mark} {}: {}", hop.does, hop.because);
        }
    }
    out
}

/// A length of work: `4h`, `90min`, `2d`, or a number of hours.
pub(super) fn parse_time(text: &str) -> Result<f64, Failure> {
    let wrong = |why: &str| {
        Failure::usage(format!("`{text}` is no length of work{why}"))
            .hint("Write hours, minutes or working days: `4h`, `90min`, `1h30m`, `2d`")
    };
    let mut hours = 0.0;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = rest.find(|it: char| it.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (digits, after) = rest.split_at(end);
        let end = after.find(|it: char| !it.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let factor = match unit {
            "min" | "m" => 1.0 / 60.0,
            // A number alone is hours, unless something stands before it.
            "" if hours == 0.0 => 1.0,
            "h" => 1.0,
            "d" => HOURS_PER_DAY,
            _ => return Err(wrong("")),
        };
        let number: f64 = digits.trim().parse().map_err(|_| wrong(""))?;
        hours += number * factor;
        rest = after.trim_start();
    }
    match hours {
        it if it > 0.0 && it <= WORK_HOURS_MAX => Ok(it),
        it if it > WORK_HOURS_MAX => Err(wrong(": it is longer than ten working years")),
        _ => Err(wrong(": it must be more than nothing")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_work_are_read_as_people_write_them() {
        for (text, hours) in [
            ("4", 4.0),
            ("4h", 4.0),
            ("1h30m", 1.5),
            ("1h 30min", 1.5),
            ("90min", 1.5),
            ("2d", 16.0),
            ("0.5h", 0.5),
        ] {
            assert!((parse_time(text).unwrap() - hours).abs() < 1e-9, "{text}");
        }
        for text in ["", "0h", "-1h", "h", "4x", "1h30", "inf", "nan", "1e9h", "99999999d", "4h-"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }
}
