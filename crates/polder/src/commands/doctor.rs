//! `polder doctor`: can Polder look, can it remember, is the clock right, are the indices fresh.

use super::Globals;
use crate::failure::Failure;
use crate::flags::{Doctor, Target};
use crate::watch::read_status;
use crate::{config, guard, output, session};
use polder_facts::newest_date;
use polder_model::PackageManager;
use polder_model::facts::Facts;
use serde::Serialize;
use std::fmt::Write as _;

/// One check.
#[derive(Serialize)]
struct Check {
    name: &'static str,
    /// `ok`, `warn` or `bad`.
    state: &'static str,
    says: String,
    /// What to do where it is not ok.
    remedy: String,
}

pub(super) fn run(flags: &Doctor, globals: &Globals) -> Result<u8, Failure> {
    let target = Target::default();
    let host = session::open(&target, globals)?;
    let facts = session::look(host.as_ref(), globals.quiet);
    let checks = [
        look(&facts),
        remember(globals, &target),
        clock(&facts),
        indices(&facts),
        undo(),
        watches(globals, &target),
        alone(),
        settings(globals),
    ];
    let is_bad = checks.iter().any(|it| it.state == "bad");
    if flags.json {
        output::print_json(&serde_json::json!({ "schema": "polder-doctor/1", "checks": checks }))?;
    } else {
        let mut out = String::new();
        for it in &checks {
            let _ = writeln!(out, "{:<5} {:<10} {}", it.state, it.name, it.says);
            if it.state != "ok" && !it.remedy.is_empty() {
                let _ = writeln!(out, "{:<16} to mend it: {}", "", it.remedy);
            }
        }
        output::print(&out)?;
    }
    Ok(if is_bad { 3 } else { 0 })
}

fn check(name: &'static str, state: &'static str, says: impl Into<String>, remedy: &str) -> Check {
    Check { name, state, says: says.into(), remedy: remedy.into() }
}

fn look(facts: &Facts) -> Check {
    let lines = session::coverage(facts);
    let whole = lines.iter().filter(|it| it.coverage.empty_means_none()).count();
    let by_root = lines.iter().filter(|it| it.coverage.root_adds().is_some()).count();
    let says = format!("{whole} of {} tables are seen whole", lines.len());
    match (whole, by_root) {
        (0, _) => check("look", "bad", says, "run as root on a host with /proc mounted"),
        (_, 0) => check("look", "ok", says, ""),
        (_, count) => {
            check("look", "warn", format!("{says}; root would see more in {count}"), "run as root")
        }
    }
}

fn remember(globals: &Globals, target: &Target) -> Check {
    let Some(folder) = session::state_folder(globals.state.as_deref(), target) else {
        return check("remember", "warn", "no home folder is known", "--state FOLDER");
    };
    match polder_store::Store::open(&folder) {
        Ok(store) => check(
            "remember",
            "ok",
            format!("history and decisions are kept in {}", store.path().display()),
            "",
        ),
        Err(error) => check(
            "remember",
            "bad",
            error.to_string(),
            "make the folder writable, or --state FOLDER",
        ),
    }
}

fn clock(facts: &Facts) -> Check {
    let newest = newest_date(&facts.indices.rows);
    if newest.is_some_and(|it| it.days_until(facts.taken) < -1) {
        return check(
            "clock",
            "bad",
            "the clock is behind the date of the package indices",
            "set the clock",
        );
    }
    match facts.system_row().and_then(|it| it.clock_kept_by.clone()) {
        Some(name) => check("clock", "ok", format!("kept by {name}"), ""),
        None => check(
            "clock",
            "warn",
            "nothing keeps the clock right",
            &PackageManager::of(facts).install("chrony"),
        ),
    }
}

fn indices(facts: &Facts) -> Check {
    let refresh = PackageManager::of(facts).refresh();
    if let Some(because) = facts.indices.coverage.because() {
        return check("indices", "bad", because, refresh);
    }
    match newest_date(&facts.indices.rows).map(|it| it.days_until(facts.taken)) {
        None => check("indices", "bad", "they have no date", refresh),
        Some(days) if days > 7 => {
            check("indices", "bad", format!("the newest is {days} days old"), refresh)
        }
        Some(days) => check(
            "indices",
            "ok",
            match days {
                ..=0 => "the newest is of today".to_string(),
                1 => "the newest is 1 day old".into(),
                days => format!("the newest is {days} days old"),
            },
            "",
        ),
    }
}

/// Whether the configuration can be read.
fn settings(globals: &Globals) -> Check {
    match config::read(globals.config.as_deref()) {
        Ok(it) => match it.path {
            Some(path) => check("settings", "ok", format!("those of {}", path.display()), ""),
            None => check("settings", "ok", "none, so all is as it comes", ""),
        },
        Err(error) => {
            let remedy = "mend the file, or name another with --config FILE";
            check("settings", "bad", error.says().lines().next().unwrap_or_default(), remedy)
        }
    }
}

/// Whether code of others can be, or is, in this program.
fn alone() -> Check {
    match (guard::warning(), guard::IS_STATIC) {
        (Some(says), _) => check("alone", "bad", says, "cargo xtask dist"),
        (None, true) => check("alone", "ok", "no library can be put before its own", ""),
        (None, false) => check(
            "alone",
            "warn",
            "whoever may write `/etc/ld.so.preload` can put a library into this program",
            "build it with `cargo xtask dist`, which links everything into it",
        ),
    }
}

/// Whether a watch runs, and how it is confined.
fn watches(globals: &Globals, target: &Target) -> Check {
    let state = session::state_folder(globals.state.as_deref(), target);
    let Some(it) = state.and_then(|it| read_status(&it)) else {
        let says = "nothing tells of changed files as they change";
        return check("watch", "warn", says, "polder baseline init, then polder watch");
    };
    if !it.runs() {
        return check("watch", "bad", "it ran here, and does not run now", "polder watch status");
    }
    if it.hangs(jiff::Timestamp::now().as_second()) {
        let says = "it hangs: it gave no sign of life for too long, or was stopped";
        return check("watch", "bad", says, "polder watch status");
    }
    match it.confined.is_empty() {
        true => {
            check("watch", "warn", "it runs with all rights of root", "leave `--unconfined` out")
        }
        false => check("watch", "ok", format!("it runs; {}", it.confined.join("; ")), ""),
    }
}

fn undo() -> Check {
    check(
        "undo",
        "ok",
        "`polder apply` keeps what it changes in a journal; `polder undo` takes it back",
        "",
    )
}
