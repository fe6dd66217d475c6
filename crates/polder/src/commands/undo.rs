//! `polder undo` and `polder confirm`: take a change back, or keep it.

use super::Globals;
use crate::failure::{Failure, FailureKind};
use crate::flags::{Confirm, Guard, Undo};
use crate::operations::{Known, Operations, phase_words};
use crate::{boot, output};
use polder_apply::Phase;
use polder_model::Change;
use std::time::{Duration, Instant};

/// How often the guard looks.
const LOOK: Duration = Duration::from_secs(1);

pub(super) fn undo(flags: &Undo, globals: &Globals) -> Result<u8, Failure> {
    let mut operations = Operations::open_own(globals)?;
    let found = operations.find(flags.id, |phase| !matches!(phase, Phase::TakenBack { .. }))?;
    // What changed the host is taken back by root; servers of databases ask by themselves who somebody is.
    let is_of_host = |it: &Known| {
        let is_account =
            |it: &polder_apply::Prepared| matches!(it.change, Change::AccountRights { .. });
        !it.operation.changes.iter().all(is_account)
    };
    if found.as_ref().is_none_or(is_of_host) && !rustix::process::geteuid().is_root() {
        return Err(Failure::usage("only root can change this host").hint("Run it with `sudo`"));
    }
    let Some(known) = found else {
        let text = match flags.id {
            Some(id) => format!("there is no operation {id} in the journal of this host"),
            None => "there is nothing to take back".into(),
        };
        return Err(Failure::usage(text).hint("`polder journal` lists what was changed"));
    };
    if matches!(known.phase, Phase::TakenBack { .. }) {
        output::print(&format!("Operation {} is taken back already.\n", known.stored.id))?;
        return Ok(0);
    }
    let id = known.stored.id;
    let changed = operations.execute(id, |executor| executor.changed_since(&known.operation));
    if !changed.is_empty() && known.phase == Phase::Applied && !flags.anyway {
        let text = format!(
            "{} was changed by somebody else since; nothing is taken back",
            changed.join(", ")
        );
        return Err(Failure::usage(text).hint(format!(
            "`polder undo {id} --anyway` takes the rest back, and leaves that as it is"
        )));
    }
    take_back(&mut operations, &known, "asked for", flags.anyway)?;
    let left = match changed.is_empty() {
        true => "All it changed is as it was before.".to_string(),
        false => format!("Left as somebody else made it: {}.", changed.join(", ")),
    };
    output::print(&format!("Taken back: operation {id}, {}. {left}\n", known.operation.title))?;
    Ok(0)
}

/// Takes an operation back, or says what is in the way.
pub(super) fn take_back(
    operations: &mut Operations,
    known: &Known,
    because: &str,
    anyway: bool,
) -> Result<(), Failure> {
    let id = known.stored.id;
    let outcome = operations.execute(id, |executor| {
        executor.take_back(&known.operation, &known.phase, because, anyway)
    });
    // Only now: killed on the way, it is to go on at the next boot.
    boot::disarm(id);
    outcome
        .map_err(|stuck| {
            Failure::new(
                FailureKind::Stuck,
                format!("operation {id} could not be taken back whole: {stuck}"),
            )
            .hint(format!("What is named was left alone; the rest is as before. Put it right and run `polder undo {id}` again, or `polder undo {id} --anyway` to leave it so"))
        })
}

pub(super) fn confirm(flags: &Confirm, globals: &Globals) -> Result<u8, Failure> {
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
    boot::disarm(known.stored.id);
    output::print(&format!(
        "Kept: operation {}, {}.\nUndo: polder undo {}\n",
        known.stored.id, known.operation.title, known.stored.id
    ))?;
    Ok(0)
}

/// Watches one operation in the background until it is settled. Whoever makes the change holds the
/// lock: if it is free and the change is not settled, that one was killed, and the change is taken
/// back at once; if it waits to be confirmed, it gets its time, by a clock nobody can set.
pub(super) fn guard(flags: &Guard, globals: &Globals) -> Result<u8, Failure> {
    let mut since: Option<Instant> = None;
    loop {
        std::thread::sleep(LOOK);
        let Ok(mut operations) = Operations::open(globals) else { continue };
        let Some(known) = operations.find(Some(flags.id), |_| true)? else { return Ok(0) };
        let time = Duration::from_secs(u64::from(flags.seconds));
        let because = match known.phase {
            Phase::Unconfirmed { .. }
                if since.get_or_insert_with(Instant::now).elapsed() < time =>
            {
                continue;
            }
            Phase::Unconfirmed { .. } => "nobody confirmed it in time",
            Phase::Acting { .. } | Phase::Checking | Phase::TakingBack { .. } => {
                "it was cut off in the middle"
            }
            Phase::Applied | Phase::TakenBack { .. } | Phase::Stuck { .. } => {
                boot::disarm(flags.id);
                return Ok(0);
            }
        };
        take_back(&mut operations, &known, because, false)?;
        return Ok(0);
    }
}
