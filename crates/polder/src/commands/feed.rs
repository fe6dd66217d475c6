//! `polder feed`: known flaws from outside.

use super::Globals;
use crate::failure::Failure;
use crate::flags::{FeedCommand, FeedFlags, FeedImport, FeedRemove, FeedStatus, Target};
use crate::{output, session};
use polder_advisories::{Kind, SectionInfo};
use polder_model::{Timestamp, printable_str};
use polder_report::{age, day};
use polder_store::{Feeds, FeedsError, Imported, Verified};
use serde_json::json;
use std::fmt::Write as _;
use std::io::ErrorKind;

const DAMAGED: &str =
    "Import the feeds again into a new file once this one is moved away: nothing else is in it";

pub(super) fn run(flags: &FeedFlags, globals: &Globals) -> Result<u8, Failure> {
    let folder =
        session::state_folder(globals.state.as_deref(), &Target::default()).ok_or_else(|| {
            Failure::usage("there is no folder to keep feeds in").hint("--state FOLDER names one")
        })?;
    let feeds = Feeds::of(&folder);
    match &flags.command {
        FeedCommand::Update(it) => super::feed_update::run(it, &feeds, &folder, globals),
        FeedCommand::Import(it) => import(it, &feeds, globals.quiet, globals.color),
        FeedCommand::Status(it) => status(it, &feeds),
        FeedCommand::Verify(it) => verify(it, &feeds),
        FeedCommand::Remove(it) => remove(it, &feeds, globals.quiet),
    }
}

fn import(flags: &FeedImport, feeds: &Feeds, quiet: bool, color: bool) -> Result<u8, Failure> {
    let now = jiff::Timestamp::now().as_second();
    let mut failed = 0;
    for path in &flags.files {
        match feeds.import(path, now, flags.anyway) {
            Ok(_) if quiet => {}
            Ok(imported) => output::print(&said(&imported))?,
            // One file that cannot be used is no reason to do without the others.
            Err(error) => {
                let failure = refused(error);
                failed = failure.exit_code();
                output::say(&failure.text(color));
            }
        }
    }
    Ok(failed)
}

pub(super) fn said(imported: &[Imported]) -> String {
    let mut out = String::new();
    for it in imported {
        let rows = it.section.rows;
        let before = match it.before {
            Some(before) if before == rows => ", as many as before".into(),
            Some(before) => format!(", {before} before"),
            None => String::new(),
        };
        let noun = if rows == 1 { "row" } else { "rows" };
        let left_out = match it.section.left_out {
            0 => String::new(),
            1 => "; 1 line could not be understood and is left out".into(),
            count => format!("; {count} lines could not be understood and are left out"),
        };
        let _ = writeln!(out, "{}: {rows} {noun}{before}{left_out}", it.section.kind.title());
    }
    out
}

pub(super) fn refused(error: FeedsError) -> Failure {
    let hint = match &error {
        FeedsError::Refused { .. } => {
            "The one before stays. Fetch the file again; `--anyway` takes it as it is"
        }
        FeedsError::Feed { .. } => "`polder feed import --help` lists what can be imported",
        FeedsError::Canary { .. } => "The one before stays",
        FeedsError::Index { .. } => DAMAGED,
        FeedsError::File { .. } => "Check the path, the rights and the disk",
    };
    Failure::look(error).hint(hint)
}

fn remove(flags: &FeedRemove, feeds: &Feeds, quiet: bool) -> Result<u8, Failure> {
    let is_called = |it: &SectionInfo, name: &str| {
        let covers = match &it.kind {
            Kind::Flaws { covers, .. } => covers.as_str(),
            Kind::Stated { document } => document.as_str(),
            Kind::Catalogue | Kind::Exploited | Kind::Predicted => "",
        };
        [covers, &it.kind.title(), &it.file].iter().any(|known| known.eq_ignore_ascii_case(name))
    };
    let index = feeds.index().map_err(damaged)?.unwrap_or_default();
    let is_unknown = |name: &&String| !index.sections.iter().any(|it| is_called(it, name));
    if let Some(name) = flags.names.iter().find(is_unknown) {
        return Err(Failure::usage(format!("no feed is called `{}`", printable_str(name)))
            .hint("`polder feed status` shows what is there; nothing was removed"));
    }
    let gone = feeds.remove(|it| flags.names.iter().any(|name| is_called(it, name)));
    for it in gone.map_err(damaged)?.iter().filter(|_| !quiet) {
        output::print(&format!(
            "removed: {}. `polder feed import` or `update` brings it back\n",
            it.kind.title()
        ))?;
    }
    Ok(0)
}

fn status(flags: &FeedStatus, feeds: &Feeds) -> Result<u8, Failure> {
    let index = feeds.index().map_err(damaged)?.unwrap_or_default();
    if flags.json {
        output::print_json(&json!({ "schema": "polder-feeds/1", "sections": index.sections }))?;
        return Ok(0);
    }
    let mut out = String::new();
    if index.sections.is_empty() {
        let _ =
            writeln!(out, "No feed is imported. `polder feed update` fetches those of this host.");
    } else {
        let _ = writeln!(out, "{:<52} {:>8}  newest", "what", "rows");
    }
    let now = Timestamp(jiff::Timestamp::now().as_second());
    for it in &index.sections {
        let newest = it.newest.map_or_else(|| "-".into(), |it| day(Timestamp(it)));
        let imported = age(Timestamp(it.imported), now);
        let title = it.kind.title();
        let _ = writeln!(out, "{title:<52} {:>8}  {newest}", it.rows);
        let _ = writeln!(out, "  imported {imported} from {}", printable_str(&it.file));
    }
    output::print(&out)?;
    Ok(0)
}

fn verify(flags: &FeedStatus, feeds: &Feeds) -> Result<u8, Failure> {
    let all = feeds.verify().map_err(damaged)?;
    let wrong = all.iter().filter(|it| it.canaries.is_err()).count();
    if flags.json {
        let line = |it: &Verified| {
            json!({
                "section": it.section.kind.title(),
                "whole": true,
                "canaries": it.canaries.as_ref().ok(),
                "wrong": it.canaries.as_ref().err(),
            })
        };
        let lines: Vec<_> = all.iter().map(line).collect();
        output::print_json(&json!({ "schema": "polder-feed-verify/1", "sections": lines }))?;
    } else {
        let mut out = String::new();
        if all.is_empty() {
            out.push_str("No feed is imported.\n");
        }
        for it in &all {
            let says = match &it.canaries {
                Ok(0) => "whole".to_string(),
                Ok(1) => "whole, its canary comes out right".to_string(),
                Ok(count) => format!("whole, {count} canaries come out right"),
                Err(because) => format!("wrong: {because}"),
            };
            let _ = writeln!(out, "{}: {says}", it.section.kind.title());
        }
        output::print(&out)?;
    }
    Ok(if wrong > 0 || all.is_empty() { 3 } else { 0 })
}

fn damaged(error: FeedsError) -> Failure {
    let hint = match &error {
        FeedsError::File { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
            "Run it as root, or name another folder with `--state`"
        }
        _ => DAMAGED,
    };
    Failure::look(error).hint(hint)
}
