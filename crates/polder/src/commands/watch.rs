//! `polder watch`: a daemon that tells of changed files as they change.

use super::Globals;
use super::baseline::{failed, open_store};
use crate::failure::Failure;
use crate::flags::{Target, WatchCommand, WatchEvents, WatchFlags, WatchStatus};
use crate::watch::{
    Confined, Delivery, Duty, Ended, Memory, Status, confine, fresh_status, missing_end,
    read_status,
};
use crate::{config, guard, output, session};
use polder_integrity::watch::Watcher;
use polder_integrity::{Generation, Now, Policy};
use polder_model::Timestamp;
use polder_report::{age, event_text, moment};
use polder_store::{EventJournal, events_path, key, read_events};
use serde_json::json;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub(super) fn run(flags: &WatchFlags, globals: &Globals) -> Result<u8, Failure> {
    match &flags.command {
        None => watch(flags, globals),
        Some(WatchCommand::Status(it)) => status(it, globals),
        Some(WatchCommand::Events(it)) => events(it, globals),
        Some(WatchCommand::Unit) => unit(globals),
    }
}

fn state(globals: &Globals) -> Result<PathBuf, Failure> {
    session::state_folder(globals.state.as_deref(), &Target::default()).ok_or_else(|| {
        Failure::usage("there is no folder for the journal").hint("Name one with `--state FOLDER`")
    })
}

fn watch(flags: &WatchFlags, globals: &Globals) -> Result<u8, Failure> {
    if !rustix::process::geteuid().is_root() {
        return Err(Failure::usage("only root can watch a whole host")
            .hint("Run it with `sudo`; `polder baseline check` works for what you may read"));
    }
    let configuration = config::read(globals.config.as_deref())?;
    let state = state(globals)?;
    let store = open_store(None, globals)?;
    let pinned = configuration.key.as_deref().map(key).transpose().map_err(failed)?;
    let mut generation = store.newest(pinned.as_ref()).map_err(failed)?;
    let path = events_path(&state);
    let mut earlier = read_events(&path).map_err(Failure::look)?;
    let mut journal = EventJournal::open(&path, globals.state.is_none())
        .map_err(|error| Failure::look(error).hint("`polder watch status` says which one runs"))?;
    let stops = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stops)).map_err(Failure::look)?;
    }
    // By this name it is known as what watches, also to `polder assess`.
    let _ = rustix::thread::set_name(c"polder-watch");
    let host = session::open(&Target::default(), globals)?;
    let (mut status, mut watcher) = begin(&configuration, &state, &generation)?;
    // Before anything is added: the last sign of life knows how long the journal was.
    earlier.problems.extend(missing_end(&status, &earlier));
    status.confined = confined(flags, &state);
    let delivery = Delivery::start(&configuration.sinks, &status.host, &state, &earlier.events)
        .map_err(Failure::look)?;
    let mut memory = Memory::default();
    let mut distrusted = None;
    loop {
        let newest =
            || store.sequences().ok()?.last().copied().filter(|it| Some(*it) != distrusted);
        let mut duty = Duty {
            generation: &generation,
            host: host.as_ref(),
            globals,
            rhythm: configuration.rhythm.clone(),
            state: state.clone(),
            journal: &mut journal,
            delivery: &delivery,
            status: &mut status,
            watcher: &mut watcher,
            stops: &stops,
            as_json: flags.json,
            newest: &newest,
            memory: &mut memory,
        };
        for it in std::mem::take(&mut earlier.problems) {
            duty.event("problem", format!("the journal of events: {it}"))?;
        }
        if duty.run(&earlier)? == Ended::Stopped {
            duty.end()?;
            break;
        }
        match store.newest(pinned.as_ref()) {
            Ok(next) => generation = next,
            // It goes on with the one it knows to be good: whoever put another there wants it to stop.
            Err(error) => {
                let says = format!(
                    "the newest baseline is not to be relied on, so the one before holds: {error}"
                );
                duty.event("problem", says)?;
                distrusted = store.sequences().ok().and_then(|it| it.last().copied());
            }
        }
        earlier = read_events(&path).map_err(Failure::look)?;
    }
    delivery.finish();
    Ok(0)
}

/// The threads that take notes, and what there is to say of this run.
fn begin(
    configuration: &config::Configuration,
    state: &Path,
    generation: &Generation,
) -> Result<(Status, Watcher), Failure> {
    let around = Now::here();
    let seconds = configuration.rhythm.heartbeat.as_secs();
    let mut status = fresh_status(read_status(state), &around.host, &around.boot, seconds);
    status.program = guard::digest();
    status.configuration = match &configuration.path {
        Some(path) => guard::digest_of(path),
        None => "none".into(),
    };
    let policy = Policy::from_lines(&generation.head.policy);
    let watcher = Watcher::start(&around.mounts, &policy).map_err(|error| {
        Failure::look(error).hint(
            "As root on a kernel from 5.9 on it can; `polder baseline check` from cron looks without it",
        )
    })?;
    Ok((status, watcher))
}

/// Gives up what is not needed; says what holds now.
fn confined(flags: &WatchFlags, state: &Path) -> Vec<String> {
    if flags.unconfined {
        output::say("warning: not confined, as `--unconfined` asks\n");
        return Vec::new();
    }
    let Confined { held, missing } = confine(state);
    for it in &missing {
        output::say(&format!("warning: not confined: {it}\n"));
    }
    held
}

fn status(flags: &WatchStatus, globals: &Globals) -> Result<u8, Failure> {
    let state = state(globals)?;
    let denied = std::fs::File::open(Status::path(&state))
        .is_err_and(|it| it.kind() == std::io::ErrorKind::PermissionDenied);
    if denied {
        return Err(
            Failure::look("what a watch says of itself is for root alone").hint("Run it as root")
        );
    }
    let Some(it) = read_status(&state) else {
        return Err(Failure::look("no watch has run here").hint(
            "`polder baseline init`, then `polder watch`; `polder watch unit` prints what systemd needs",
        ));
    };
    let now = Timestamp(jiff::Timestamp::now().as_second());
    let is_late = it.hangs(now.0);
    let runs = it.runs();
    if flags.json {
        let mut value = serde_json::to_value(&it).map_err(Failure::internal)?;
        if let Some(fields) = value.as_object_mut() {
            fields.insert("runs".into(), json!(runs));
            fields.insert("late".into(), json!(is_late));
        }
        output::print_json(&value)?;
    } else {
        output::print(&status_text(&it, runs, is_late, now))?;
    }
    Ok(if runs && !is_late { 0 } else { 3 })
}

fn status_text(it: &Status, runs: bool, is_late: bool, now: Timestamp) -> String {
    let mut out = String::new();
    let alive = age(Timestamp(it.alive), now);
    let _ = match (runs, it.stopped, is_late) {
        (true, _, false) => {
            writeln!(out, "runs as process {}, last sign of life {alive}", it.pid)
        }
        (true, _, true) => {
            writeln!(out, "hangs: process {} gave its last sign of life {alive}", it.pid)
        }
        (false, true, _) => writeln!(out, "was stopped {alive}: nothing is watched"),
        (false, false, _) => {
            writeln!(out, "is gone without a word, last sign of life {alive}: nothing is watched")
        }
    };
    let _ = writeln!(out, "  since      {}", moment(Timestamp(it.started)));
    let _ = writeln!(out, "  baseline   {}, root {}", it.baseline, it.root);
    let swept = it.swept.map_or_else(|| "not yet".into(), |it| age(Timestamp(it), now));
    let _ = writeln!(out, "  all held against it {swept}; changes that stand: {}", it.standing);
    let scrubbed = it.scrubbed.map_or_else(|| "not yet".into(), |it| age(Timestamp(it), now));
    let _ = writeln!(
        out,
        "  all content read {scrubbed}, now at folder {} of {}",
        it.scrub_at, it.scrub_of
    );
    let _ = writeln!(out, "  events     {} of the kernel, {} told", it.events, it.told);
    if it.blind > 0 {
        let _ = writeln!(
            out,
            "  blind      {} times, {:.1} s in all, each followed by a look at everything",
            it.blind, it.blind_seconds
        );
    }
    for (place, because) in &it.refused {
        let _ = writeln!(out, "  {place} is looked at from time to time only: {because}");
    }
    if let Some(because) = &it.processes_problem {
        let _ = writeln!(out, "  who does something is not always known: {because}");
    }
    match it.confined.is_empty() {
        true => out.push_str("  confined   not at all\n"),
        false => {
            let _ = writeln!(out, "  confined   {}", it.confined.join("; "));
        }
    }
    out
}

fn events(flags: &WatchEvents, globals: &Globals) -> Result<u8, Failure> {
    let state = state(globals)?;
    let mut read = read_events(&events_path(&state)).map_err(Failure::look)?;
    let status = read_status(&state);
    read.problems.extend(status.and_then(|it| missing_end(&it, &read)));
    let first = match flags.number {
        0 => 0,
        number => read.events.len().saturating_sub(number),
    };
    let some = read.events.get(first..).unwrap_or_default();
    if flags.json {
        let all: Vec<_> =
            some.iter().map(|it| json!({ "sequence": it.sequence, "event": it.event })).collect();
        output::print_json(&json!({
            "schema": "polder-events/1", "events": all, "problems": read.problems,
        }))?;
    } else {
        let mut out = String::new();
        for it in some {
            match serde_json::from_value(it.event.clone()) {
                Ok(event) => out.push_str(&event_text(&event)),
                Err(_) => {
                    let _ =
                        writeln!(out, "event {} is of a kind that is not known here", it.sequence);
                }
            }
        }
        if read.events.is_empty() {
            out.push_str("Nothing was told yet.\n");
        }
        output::print(&out)?;
    }
    for it in &read.problems {
        output::say(&format!("warning: {it}\n"));
    }
    Ok(if read.problems.is_empty() { 0 } else { 3 })
}

fn unit(globals: &Globals) -> Result<u8, Failure> {
    let program = std::env::current_exe().map_err(Failure::look)?;
    let mut flags = String::new();
    for (name, value) in [("--config", &globals.config), ("--state", &globals.state)] {
        if let Some(value) = value {
            let whole = std::path::absolute(value).map_err(Failure::look)?;
            // systemd.unit(5): quotes hold blanks together, and `%` begins a specifier.
            let text = whole.display().to_string().replace('\\', "\\\\").replace('"', "\\\"");
            let _ = write!(flags, " {name} \"{}\"", text.replace('%', "%%"));
        }
    }
    output::print(&polder_practices::watch::unit(&program.display().to_string(), &flags))?;
    Ok(0)
}
