//! `polder explain`: one thing in full.

use super::Globals;
use crate::failure::Failure;
use crate::flags::Explain;
use crate::{config, output, session};
use polder_practices::find_kind;
use polder_store::Feeds;

pub(super) fn run(flags: &Explain, globals: &Globals) -> Result<u8, Failure> {
    // A kind needs no look at the host.
    if let Some((about, kind)) = find_kind(&flags.id) {
        output::print(&format!(
            "{}/{}: {}\n\nWhy it matters\n  {}\n\nHow it is known\n  {}\n\nThe practice\n  {}: {}\n\nReferences\n  {}\n",
            about.id,
            kind.id,
            kind.title,
            kind.why,
            kind.how_we_know,
            about.title,
            about.lever.says(),
            kind.references.join(", ")
        ))?;
        return Ok(0);
    }
    if let Some(id) = advisory(&flags.id) {
        return explain_flaw(&id, flags, globals);
    }
    let configuration = config::read(globals.config.as_deref())?;
    let host = session::open(&flags.target, globals)?;
    let store = session::store(globals.state.as_deref(), &flags.target, true);
    let facts = session::look_known(host.as_ref(), globals, &flags.target);
    let view = session::judge(&facts, &configuration, store.as_ref(), None)?.view;
    let number: Option<usize> = flags.id.parse().ok();
    let treatment = view
        .treatments
        .iter()
        .find(|it| number.is_some() && it.number == number || it.treatment.id.0 == flags.id);
    if let Some(line) = treatment {
        match flags.json {
            true => output::print_json(line)?,
            false => output::print(&polder_report::explain_treatment(&view, line))?,
        }
        return Ok(0);
    }
    if let Some(line) = view.findings.iter().find(|it| it.finding.id.0 == flags.id) {
        match flags.json {
            true => output::print_json(line)?,
            false => output::print(&polder_report::explain_finding(&view, line))?,
        }
        return Ok(0);
    }
    let close = near(&flags.id, view.findings.iter().map(|it| it.finding.id.0.as_str()));
    let failure = Failure::usage(format!("no finding, treatment or kind is called `{}`", flags.id));
    Err(match close {
        Some(close) => failure.hint(format!("Is it `{close}`?")),
        None => failure.hint("`polder assess --all` lists every finding"),
    })
}

/// An identity that holds all the words asked for.
fn near<'a>(asked: &str, mut ids: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let words: Vec<&str> = asked.split(['/', ':', ' ', '-']).filter(|it| it.len() > 2).collect();
    ids.find(|id| !words.is_empty() && words.iter().all(|word| id.contains(word)))
}

/// The name of a flaw in the way its list writes it; none where it is something else.
fn advisory(id: &str) -> Option<String> {
    const LISTS: [&str; 9] =
        ["GHSA-", "CVE-", "DSA-", "DLA-", "USN-", "RHSA-", "RUSTSEC-", "PYSEC-", "FEDORA-"];
    let upper = id.to_ascii_uppercase();
    let is_named = upper.contains("CVE-") || LISTS.iter().any(|it| upper.starts_with(it));
    is_named.then_some(upper)
}

/// Replays every comparison of one flaw with what is installed.
fn explain_flaw(id: &str, flags: &Explain, globals: &Globals) -> Result<u8, Failure> {
    let host = session::open(&flags.target, globals)?;
    let facts = session::look(host.as_ref(), globals.quiet);
    let none = || {
        let hint = match flags.target.from.is_some() || flags.target.root.is_some() {
            true => "A recording or folder is matched with the feeds of `--state FOLDER` only",
            false => "`polder feed import FILE` adds one; `polder feed status` shows what is there",
        };
        Failure::usage(format!(
            "no feed of known flaws covers this host, so nothing is known of {id}"
        ))
        .hint(hint)
    };
    let folder = session::state_folder(globals.state.as_deref(), &flags.target).ok_or_else(none)?;
    let sections = Feeds::of(&folder)
        .sections(polder_advisories::covers_host(&facts))
        .map_err(Failure::look)?;
    let feeds = polder_advisories::Feeds::of(&sections).map_err(Failure::look)?;
    if feeds.flaws.is_empty() {
        return Err(none());
    }
    let replay = feeds.replay(&facts, id);
    match flags.json {
        true => {
            output::print_json(&serde_json::json!({ "schema": "polder-flaw/1", "flaw": replay }))?
        }
        false => output::print(&polder_report::explain_flaw(&replay))?,
    }
    Ok(0)
}
