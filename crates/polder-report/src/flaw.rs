//! One known flaw beside what is installed: every comparison, with what it was made from.

use crate::terminal::wrap;
use crate::words::{day, percent};
use polder_advisories::{Compared, Replay};
use polder_model::facts::Verdict;
use polder_model::{Timestamp, printable_str};
use std::fmt::Write as _;

/// The comparisons as text.
pub fn explain_flaw(replay: &Replay) -> String {
    let mut out = format!("{}\n\n", printable_str(&replay.id));
    let mut facts = Vec::new();
    if let Some(since) = replay.exploited_since {
        facts.push(format!(
            "Attackers use it: in CISA's catalogue since {}.",
            day(Timestamp(since))
        ));
    }
    if let Some(likelihood) = replay.likelihood {
        facts.push(format!(
            "It is exploited somewhere within thirty days with {} (EPSS).",
            percent(likelihood)
        ));
    }
    for fact in &facts {
        wrap(&mut out, "", "", fact);
    }
    if !facts.is_empty() {
        out.push('\n');
    }
    let is_same = |a: &Compared, b: &Compared| {
        (&a.advisory, &a.told_by, &a.judgement) == (&b.advisory, &b.told_by, &b.judgement)
    };
    for group in replay.compared.chunk_by(is_same) {
        let Some(it) = group.first() else { continue };
        let verdict = words(it.judgement.verdict.as_ref());
        let names: Vec<&str> = group.iter().map(|it| it.package.as_str()).collect();
        let line = format!("{} {}: {verdict}", names.join(", "), it.judgement.installed);
        wrap(&mut out, "", "  ", &printable_str(&line));
        let published = it.published.map(|it| format!(" ({})", day(Timestamp(it))));
        let source = format!(
            "{}{}: {}; told by {}",
            it.advisory,
            published.unwrap_or_default(),
            it.judgement.rule,
            it.told_by
        );
        wrap(&mut out, "    ", "    ", &printable_str(&source));
    }
    if replay.compared.is_empty() {
        let says = match replay.not_installed.is_empty() {
            true => {
                "No feed that covers this host names it: it may not concern this release, or be newer than the feed."
            }
            false => "None of the packages that have it is installed.",
        };
        wrap(&mut out, "", "", says);
    }
    for file in &replay.nameless {
        let text = format!(
            "{file} numbers its flaws and does not name them: import its list of advisories too, and ask again."
        );
        wrap(&mut out, "", "", &printable_str(&text));
    }
    if !replay.not_installed.is_empty() {
        let mut names = replay.not_installed.clone();
        names.sort();
        names.dedup();
        let more = if names.len() > 8 { ", ..." } else { "" };
        let names: Vec<&str> = names.iter().take(8).map(String::as_str).collect();
        let text = format!("Not installed: {}{more}", names.join(", "));
        wrap(&mut out, "", "  ", &printable_str(&text));
    }
    let _ = write!(out, "\nAsked: {}\n", printable_str(&replay.asked.join("; ")));
    out
}

/// What can be done, in words; none is the good case.
fn words(verdict: Option<&Verdict>) -> String {
    match verdict {
        None => "not affected".into(),
        Some(Verdict::FixableNow { fixed }) => {
            format!("has it; an update on offer has the fix ({fixed} or newer)")
        }
        Some(Verdict::FixableElsewhere { fixed, from }) => format!("has it; {fixed}: {from}"),
        Some(Verdict::NoFix { state }) => format!("has it; no fix: {state}"),
        Some(Verdict::Unknown { because }) => format!("unknown: {because}"),
        Some(Verdict::Stated { because }) => format!("not affected: {because}"),
    }
}
