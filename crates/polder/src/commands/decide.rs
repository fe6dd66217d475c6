//! `polder accept`, `reject`, `reconsider`: decisions on purpose.

use super::Globals;
use crate::failure::Failure;
use crate::flags::{Decide, Reconsider, Target};
use crate::{config, output, session};
use polder_model::{Decision, DecisionKind, Timestamp};
use polder_store::Store;

/// Longest time a decision may hold: after a year somebody should look again.
const DAYS_MAX: i64 = 366;

pub(super) fn accept(flags: &Decide, globals: &Globals) -> Result<u8, Failure> {
    decide(flags, DecisionKind::Accept, globals)
}

pub(super) fn reject(flags: &Decide, globals: &Globals) -> Result<u8, Failure> {
    decide(flags, DecisionKind::Reject, globals)
}

fn decide(flags: &Decide, kind: DecisionKind, globals: &Globals) -> Result<u8, Failure> {
    let until = config::parse_day(&flags.until, "--until")?.plus_days(1);
    let (because, owner) = (flags.because.trim(), flags.owner.trim());
    if because.is_empty() || owner.is_empty() {
        return Err(Failure::usage("a decision needs a reason and an owner")
            .hint("--because TEXT --owner NAME"));
    }
    let mut store = open(&flags.target, globals)?;
    let configuration = config::read(globals.config.as_deref())?;
    let host = session::open(&flags.target, globals)?;
    let facts = session::look_known(host.as_ref(), globals, &flags.target);
    let now = facts.taken;
    check_until(until, now)?;
    let view = session::judge(&facts, &configuration, Some(&store), None)?.view;
    let Some(line) = view.findings.iter().find(|it| it.finding.id.0 == flags.id) else {
        let failure = Failure::usage(format!("no finding is called `{}`", flags.id));
        let answered = view.treatments.iter().find(|it| it.treatment.id.0 == flags.id);
        return Err(match answered.and_then(|it| it.answers.first()) {
            Some(id) => failure
                .hint(format!("That is a treatment; decide about the finding it answers: `{id}`")),
            None => failure.hint("`polder assess --all` lists every finding"),
        });
    };
    let decision = Decision {
        finding: flags.id.clone(),
        kind,
        because: polder_model::printable_str(because),
        owner: polder_model::printable_str(owner),
        until,
        made: now,
        had_treatment: !line.finding.treatments.is_empty(),
    };
    store.decide(&view.host.name, &decision).map_err(Failure::look)?;
    let keeps = match (kind, line.avoided) {
        (DecisionKind::Reject, _) => String::new(),
        (_, avoided) if avoided > 0.0 => {
            format!("It keeps a risk of {} a year. ", polder_report::frequency(avoided))
        }
        _ => "No loss that could be told hangs on it. ".into(),
    };
    let word = if kind == DecisionKind::Accept { "Accepted" } else { "Rejected" };
    output::print(&format!(
        "{word} until {}: {}\n{keeps}Undo: polder reconsider {}\n",
        flags.until, line.finding.says, flags.id
    ))?;
    Ok(0)
}

fn check_until(until: Timestamp, now: Timestamp) -> Result<(), Failure> {
    let days = now.days_until(until);
    if until <= now {
        return Err(
            Failure::usage("the decision would end before it begins").hint("Give a day to come")
        );
    }
    if days > DAYS_MAX {
        return Err(Failure::usage(format!("a decision for {days} days outlives its reasons"))
            .hint(format!("Give a day within {DAYS_MAX} days, and decide again then")));
    }
    Ok(())
}

fn open(target: &Target, globals: &Globals) -> Result<Store, Failure> {
    let folder = session::state_folder(globals.state.as_deref(), target).ok_or_else(|| {
        Failure::usage("a decision about a recording or folder needs a place to be kept")
            .hint("--state FOLDER")
    })?;
    Store::open(&folder)
        .map_err(|error| Failure::look(error).hint("`--state FOLDER` keeps decisions elsewhere"))
}

pub(super) fn reconsider(flags: &Reconsider, globals: &Globals) -> Result<u8, Failure> {
    let mut store = open(&flags.target, globals)?;
    let host = session::open(&flags.target, globals)?;
    let name = super::history::host_name(host.as_ref());
    let now = Timestamp(host.identity().now);
    if store.withdraw(&name, &flags.id, now).map_err(Failure::look)? {
        output::print(&format!("{} is back in the plan\n", flags.id))?;
        return Ok(0);
    }
    Err(Failure::usage(format!("there is no decision about `{}`", flags.id))
        .hint("`polder history` lists decisions"))
}
