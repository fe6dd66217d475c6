//! `polder apply`: shows, asks, writes down, does, looks again, takes back what did not work.

use super::Globals;
use crate::failure::{Failure, FailureKind};
use crate::flags::{Apply, Target};
use crate::operations::{Operations, host_name, now, phase_words};
use crate::session::{self, Judged};
use crate::windows::refuse_outside;
use crate::{boot, config, output};
use polder_apply::{Ground, Operation, Outcome, Phase};
use polder_model::facts::Facts;
use polder_model::{Change, Op, Step, Timestamp, Treatment};
use polder_report::{TreatmentLine, frequency};
use serde_json::json;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Ports from here on are handed out by the kernel and come and go (ip_local_port_range).
const EPHEMERAL: u16 = 32_768;

/// Looks before a change is said not to work: a service needs a moment to listen again.
const LOOKS: u32 = 5;

/// One look at this host and its judgement.
struct Seen {
    facts: Facts,
    judged: Judged,
}

pub(super) fn run(flags: &Apply, globals: &Globals) -> Result<u8, Failure> {
    let configuration = config::read(globals.config.as_deref())?;
    let before = see(&configuration, globals)?;
    let mut lines: Vec<&TreatmentLine> = Vec::new();
    for id in &flags.ids {
        let line = find(&before.judged, id)?;
        if !lines.iter().any(|it| it.treatment.id == line.treatment.id) {
            lines.push(line);
        }
    }
    let mut prepared = Vec::new();
    for line in lines {
        prepared.push((line, prepare(line, &before)?));
    }
    if let Some((line, _)) = prepared.iter().find(|(line, _)| line.treatment.may_lock_out)
        && prepared.len() > 1
    {
        let text = format!("`{}` could lock you out, and is applied alone", line.treatment.id);
        return Err(
            Failure::usage(text).hint("Apply it, confirm it from a new session, then the others")
        );
    }
    for (line, operation) in &prepared {
        output::print(&shown(line, operation))?;
    }
    let restarts = prepared.iter().any(|(line, _)| line.treatment.changes.iter().any(restarts));
    if restarts && !flags.now {
        match refuse_outside(&configuration.windows, &jiff::Zoned::now()) {
            Err(refused) if flags.dry_run => {
                let text = refused.text(false).replacen("error:", "\nnow it would be refused:", 1);
                output::print(&text)?;
            }
            allowed => allowed?,
        }
    }
    if flags.dry_run || !is_wanted(flags, &prepared)? {
        return Ok(0);
    }
    let mut operations = Operations::open(globals)?;
    for (at, (line, seen)) in prepared.iter().enumerate() {
        refuse_unsettled(&operations)?;
        let operation = prepare(line, &before)?;
        if operation != *seen && at == 0 {
            let text = "the host was changed while you were asked; nothing was done";
            return Err(Failure::look(text).hint("Run it again to see what would change now"));
        }
        if operation != *seen {
            // The one before changed what this one is about.
            output::print(&shown(line, &operation))?;
        }
        apply(&mut operations, line, &operation, &before, flags, &configuration, globals)?;
    }
    Ok(0)
}

/// Whether a change may restart a service: packages do so by themselves.
fn restarts(change: &Change) -> bool {
    matches!(
        change,
        Change::RestartUnit { .. }
            | Change::UpgradePackages { .. }
            | Change::InstallPackages { .. }
            | Change::ReloadUnit { .. }
    )
}

fn see(configuration: &config::Configuration, globals: &Globals) -> Result<Seen, Failure> {
    let host = session::open(&Target::default(), globals)?;
    let store = session::store(globals.state.as_deref(), &Target::default(), true);
    let facts = session::look_known(host.as_ref(), globals, &Target::default());
    let judged = session::judge(&facts, configuration, store.as_ref(), None)?;
    Ok(Seen { facts, judged })
}

fn find<'a>(judged: &'a Judged, id: &str) -> Result<&'a TreatmentLine, Failure> {
    let number: Option<usize> = id.parse().ok();
    let is_it =
        |it: &&TreatmentLine| number.is_some() && it.number == number || it.treatment.id.0 == id;
    judged.view.treatments.iter().find(is_it).ok_or_else(|| {
        Failure::usage(format!("no treatment of this host is called `{id}`"))
            .hint("`polder assess` numbers the first ones; `polder assess --json` names all")
    })
}

/// Looks at everything the treatment would change.
fn prepare(line: &TreatmentLine, seen: &Seen) -> Result<Operation, Failure> {
    let treatment = &line.treatment;
    let explain = format!("`polder explain {}` says what to do by hand", treatment.id);
    if treatment.changes.is_empty() {
        let text = format!("`{}` is advice: only a person can do it", treatment.id);
        return Err(Failure::usage(text).hint(explain));
    }
    let needs_systemd = treatment.changes.iter().any(|it| {
        matches!(
            it,
            Change::RestartUnit { .. } | Change::ReloadUnit { .. } | Change::RunUnit { .. }
        )
    });
    let has_systemd = seen.facts.system_row().is_some_and(|it| it.init == "systemd");
    if needs_systemd && !has_systemd {
        let text = format!("`{}` needs systemd, which does not run here", treatment.id);
        return Err(Failure::usage(text).hint(explain));
    }
    Operation::prepare(&Ground::here(), treatment)
        .map_err(|error| Failure::look(error).hint("Nothing was changed").hint(explain))
}

fn shown(line: &TreatmentLine, operation: &Operation) -> String {
    let treatment = &line.treatment;
    let mut out = format!("{}  [{}]\n", treatment.title, treatment.id);
    let decides = treatment.steps.iter().filter_map(|it| match it {
        Step::Decide { what } => Some(what),
        _ => None,
    });
    for what in decides {
        let _ = writeln!(out, "  think first: {what}");
    }
    if !treatment.breakage.what.is_empty() {
        let _ = writeln!(
            out,
            "  may break ({}): {}",
            treatment.breakage.level, treatment.breakage.what
        );
    }
    out.push('\n');
    out.push_str(&operation.shown());
    for it in operation.no_way_back(&Ground::here()) {
        let _ = writeln!(out, "  cannot be taken back: {it}");
    }
    out.push('\n');
    out
}

fn is_severe(treatment: &Treatment) -> bool {
    treatment.may_lock_out || treatment.breakage.level == "high"
}

/// Whether the changes are wanted: asked on a terminal, told by flags elsewhere.
fn is_wanted(flags: &Apply, prepared: &[(&TreatmentLine, Operation)]) -> Result<bool, Failure> {
    let host = host_name();
    if let Some(other) = flags.confirm.as_ref().filter(|it| **it != host) {
        return Err(Failure::usage(format!("this host is `{host}`, not `{other}`"))
            .hint("Nothing was changed; are you on the right machine?"));
    }
    if let Some((line, _)) = prepared.iter().find(|(line, _)| is_severe(&line.treatment))
        && flags.confirm.as_deref() != Some(host.as_str())
    {
        let text = format!("`{}` could cut somebody off, you included", line.treatment.id);
        return Err(Failure::usage(text).hint(format!("`--confirm {host}` says that you mean this host; it takes itself back unless you run `polder confirm`")));
    }
    if flags.yes {
        return Ok(true);
    }
    output::confirms("Do it?", "`--yes` does it without asking, `--dry-run` only shows it")
}

/// One open end at a time: what was cut off is settled before anything new is begun.
fn refuse_unsettled(operations: &Operations) -> Result<(), Failure> {
    let open = operations.all()?.into_iter().find(|it| !it.phase.is_settled());
    let Some(open) = open else { return Ok(()) };
    let id = open.stored.id;
    let text = format!("operation {id}, {}, is {}", open.operation.title, phase_words(&open.phase));
    let failure = Failure::usage(text).hint(format!("`polder undo {id}` takes it back"));
    Err(match open.phase {
        Phase::Unconfirmed { .. } => failure.hint(format!("`polder confirm {id}` keeps it")),
        _ => failure,
    })
}

fn apply(
    operations: &mut Operations,
    line: &TreatmentLine,
    operation: &Operation,
    before: &Seen,
    flags: &Apply,
    configuration: &config::Configuration,
    globals: &Globals,
) -> Result<(), Failure> {
    let id = operations.begin(operation)?;
    let guarded = line.treatment.may_lock_out;
    if guarded && let Err(error) = arm(operations, id, flags.keep_after, globals) {
        let because = "its guard could not be started".to_string();
        operations.note(id, &Phase::TakenBack { because })?;
        return Err(error.hint("Nothing was changed"));
    }
    let failed = |kind, text: String| Failure::new(kind, text);
    match operations.execute(id, |executor| executor.apply(operation)) {
        Outcome::Made => {}
        Outcome::TakenBack(error) => {
            let because = std::error::Error::source(&error).map(|it| format!(": {it}"));
            let text = format!("{error}{}", because.unwrap_or_default());
            return Err(failed(FailureKind::TakenBack, text)
                .hint("All is as it was before; `polder journal` keeps the record"));
        }
        Outcome::Stuck(error, stuck) => {
            return Err(failed(FailureKind::Stuck, format!("{error}; and then: {stuck}"))
                .hint(format!("What is named was left alone; `polder undo {id}` tries again")));
        }
    }
    let verified = verify(line, before, configuration, globals);
    let after = match verified {
        Ok(after) => after,
        Err(because) => {
            let phase = Phase::Checking;
            let back = operations
                .execute(id, |executor| executor.take_back(operation, &phase, &because, false));
            return Err(match back {
                Ok(()) => failed(FailureKind::TakenBack, format!("it did not work: {because}"))
                    .hint("All is as it was before; `polder journal` keeps the record"),
                Err(stuck) => failed(FailureKind::Stuck, format!("{because}; and then: {stuck}"))
                    .hint(format!("`polder undo {id}` tries again")),
            });
        }
    };
    let phase = match guarded {
        true => Phase::Unconfirmed { until: now().0 + i64::from(flags.keep_after) },
        false => Phase::Applied,
    };
    operations.note(id, &phase)?;
    report(id, line, before, &after, flags, guarded)
}

/// Looks again: the findings are gone or their steps are, and what listened still listens.
fn verify(
    line: &TreatmentLine,
    before: &Seen,
    configuration: &config::Configuration,
    globals: &Globals,
) -> Result<Seen, String> {
    let mut because = String::new();
    for look in 0..LOOKS {
        if look > 0 {
            std::thread::sleep(Duration::from_secs(1));
        }
        let after = see(configuration, globals).map_err(|error| error.text(false))?;
        match check(line, before, &after) {
            Ok(()) => return Ok(after),
            Err(text) => because = text,
        }
    }
    Err(because)
}

fn check(line: &TreatmentLine, before: &Seen, after: &Seen) -> Result<(), String> {
    let graph = &after.judged.model.graph;
    let treatment = &line.treatment;
    let removes: Vec<_> = treatment
        .ops
        .iter()
        .filter_map(|op| match op {
            Op::Remove { edge } => Some(edge),
            _ => None,
        })
        .collect();
    let is_closed =
        !removes.is_empty() && removes.iter().all(|edge| graph.find_edge(edge).is_none());
    let left =
        line.answers.iter().find(|id| after.judged.model.findings.iter().any(|it| it.id.0 == **id));
    if let (Some(left), false) = (left, is_closed) {
        return Err(format!("after the change, `{left}` is still found"));
    }
    let listening = |seen: &Seen| -> BTreeSet<String> {
        let rows = &seen.facts.listeners.rows;
        rows.iter()
            .filter(|it| it.port < EPHEMERAL)
            .map(|it| it.short())
            .filter(|it| it.starts_with("tcp/"))
            .collect()
    };
    let lost: Vec<String> = listening(before).difference(&listening(after)).cloned().collect();
    if !lost.is_empty() {
        return Err(format!("{} no longer listens", lost.join(", ")));
    }
    let essential =
        |seen: &Seen| seen.judged.model.unknowns.iter().filter(|it| it.essential).count();
    if essential(after) > essential(before) {
        return Err("less can be seen of the host than before".into());
    }
    Ok(())
}

/// Starts a process of its own that takes the change back unless it is confirmed in time.
fn arm(operations: &Operations, id: i64, seconds: u32, globals: &Globals) -> Result<(), Failure> {
    use std::os::unix::process::CommandExt;
    let program = std::env::current_exe().map_err(Failure::internal)?;
    // At boot nobody stands in this folder.
    let absolute = |path: &Path| std::path::absolute(path).map_err(Failure::internal);
    let mut words = vec![
        program.display().to_string(),
        "guard".into(),
        id.to_string(),
        seconds.to_string(),
        "--quiet".into(),
        format!("--state={}", absolute(&operations.folder)?.display()),
    ];
    if let Some(config) = &globals.config {
        words.push(format!("--config={}", absolute(config)?.display()));
    }
    boot::arm(id, &words).map_err(Failure::look)?;
    let mut command = Command::new(&program);
    command.args(words.get(1..).unwrap_or_default());
    // A process group of its own: it must outlive the session that may be about to be cut off.
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map(drop).map_err(Failure::look)
}

fn report(
    id: i64,
    line: &TreatmentLine,
    before: &Seen,
    after: &Seen,
    flags: &Apply,
    guarded: bool,
) -> Result<(), Failure> {
    let (was, is) = (&before.judged.view.any, &after.judged.view.any);
    if flags.json {
        return output::print_json(&json!({
            "schema": "polder-apply/1",
            "operation": id,
            "treatment": line.treatment.id,
            "any_before": was.mean,
            "any_after": is.mean,
            "any_predicted": line.after_any,
            "unconfirmed_seconds": guarded.then_some(flags.keep_after),
            "at": Timestamp(now().0),
        }));
    }
    let mut out = format!(
        "Done and checked: operation {id}. Any loss in a year: {} before, {} predicted, {} now.\n",
        frequency(was.mean),
        frequency(line.after_any),
        frequency(is.mean)
    );
    if guarded {
        let _ = writeln!(
            out,
            "It takes itself back in {} s. Open a NEW session to see that you still can, then:\n  polder confirm {id}",
            flags.keep_after
        );
    }
    let _ = writeln!(out, "Undo: polder undo {id}");
    output::print(&out)
}
