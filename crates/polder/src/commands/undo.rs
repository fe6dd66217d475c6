//! `polder undo` and `polder confirm`: take a change back, or keep it.

use super::Globals;
use crate::failure::{Failure, FailureKind};
use crate::flags::{Guard, Undo};
use crate::operations::{Known, Operations, now, phase_words};
use crate::output;
use polder_apply::Phase;
use std::time::Duration;

/// How long the guard waits for another Polder that holds the lock.
const TRIES: u32 = 120;

pub(super) fn undo(flags: &Undo, globals: &Globals) -> Result<u8, Failure> {
    let mut operations = Operations::open(globals)?;
    let is_back = |phase: &Phase| matches!(phase, Phase::TakenBack { .. });
    let found = operations.find(flags.id, |phase| !matches!(phase, Phase::TakenBack { .. }))?;
    let Some(known) = found else {
        let text = match flags.id {
            Some(id) => format!("there is no operation {id} in the journal of this host"),
            None => "there is nothing to take back".into(),
        };
        return Err(Failure::usage(text).hint("`polder journal` lists what was changed"));
    };
    if is_back(&known.phase) {
        output::print(&format!("Operation {} is taken back already.\n", known.stored.id))?;
        return Ok(0);
    }
    take_back(&mut operations, &known, "asked for")?;
    output::print(&format!(
        "Taken back: operation {}, {}. All it changed is as it was before.\n",
        known.stored.id, known.operation.title
    ))?;
    Ok(0)
}

/// Takes an operation back, or says what is in the way.
pub(super) fn take_back(
    operations: &mut Operations,
    known: &Known,
    because: &str,
) -> Result<(), Failure> {
    let id = known.stored.id;
    operations
        .execute(id, |executor| executor.take_back(&known.operation, &known.phase, because))
        .map_err(|stuck| {
            Failure::new(
                FailureKind::Stuck,
                format!("operation {id} could not be taken back whole: {stuck}"),
            )
            .hint(format!("What is named was left alone; the rest is as before. Put it right and run `polder undo {id}` again"))
        })
}

pub(super) fn confirm(flags: &Undo, globals: &Globals) -> Result<u8, Failure> {
    let mut operations = Operations::open(globals)?;
    let found = operations.find(flags.id, |phase| matches!(phase, Phase::Unconfirmed { .. }))?;
    let Some(known) = found else {
        return Err(Failure::usage("no operation waits to be confirmed")
            .hint("`polder journal` lists what was changed"));
    };
    if !matches!(known.phase, Phase::Unconfirmed { .. }) {
        let text = format!("operation {} is {}", known.stored.id, phase_words(&known.phase));
        return Err(Failure::usage(text).hint("Only what waits to be confirmed can be"));
    }
    operations.note(known.stored.id, &Phase::Applied)?;
    output::print(&format!(
        "Kept: operation {}, {}.\nUndo: polder undo {}\n",
        known.stored.id, known.operation.title, known.stored.id
    ))?;
    Ok(0)
}

/// Waits in the background, then takes an operation back unless somebody confirmed it.
pub(super) fn guard(flags: &Guard, globals: &Globals) -> Result<u8, Failure> {
    std::thread::sleep(Duration::from_secs(u64::from(flags.seconds)));
    for _ in 0..TRIES {
        let Ok(mut operations) = Operations::open(globals) else {
            std::thread::sleep(Duration::from_secs(1));
            continue;
        };
        let found = operations.find(Some(flags.id), |_| true)?;
        let Some(known) = found else { return Ok(0) };
        if let Phase::Unconfirmed { until } = known.phase
            && now().0 >= until
        {
            take_back(&mut operations, &known, "nobody confirmed it in time")?;
        }
        return Ok(0);
    }
    Err(Failure::look("the journal stayed locked"))
}
