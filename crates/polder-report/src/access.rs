//! What accounts of databases may do, do and need, as text and JSON.

use crate::terminal::wrap;
use polder_access::{
    AccountFacts, Client, Evidence, Excess, Necessity, Plan, Proof, Reach, ServerName, Usage, Uses,
};
use polder_model::printable_str;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Columns, tables, statements that are shown of many.
const SHOWN_MAX: usize = 8;

/// All that is known of one account.
#[derive(Clone, Copy, Debug)]
pub struct AccessView<'a> {
    /// The server.
    pub server: &'a ServerName,
    /// The account.
    pub account: &'a str,
    /// What can be done as it.
    pub reach: &'a Reach,
    /// What it may do, for programs.
    pub rights: &'a Value,
    /// Who is connected as it.
    pub clients: &'a BTreeSet<Client>,
    /// What it does, if that is known.
    pub usage: Option<&'a Usage>,
    /// Why that is not known, if so.
    pub because: Option<&'a str>,
    /// What it does not need.
    pub excess: &'a [Excess],
}

fn head(server: &ServerName, account: &str, out: &mut String) {
    let place = server
        .database
        .as_ref()
        .map_or_else(|| "of".to_string(), |it| format!("in the database `{it}` of"));
    wrap(out, "", "  ", &printable_str(&format!("`{account}` {place} {}", server.words)));
}

/// What whoever sends statements as the account can do, in sentences.
fn reach_lines(reach: &Reach) -> Vec<String> {
    let mut lines = Vec::new();
    if reach.is_boundless {
        lines.push("does anything, to the whole server".to_string());
    }
    if !reach.sensitive.is_empty() {
        let shown: Vec<String> = reach
            .sensitive
            .iter()
            .take(SHOWN_MAX)
            .map(|(table, column, class, rows)| {
                let rows = rows.map_or_else(String::new, |it| format!(", {it} rows"));
                format!("{table}.{column} ({class}{rows})")
            })
            .collect();
        let more = reach.sensitive.len().saturating_sub(SHOWN_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        lines.push(format!("reads {}{more}", shown.join(", ")));
    }
    let counts = [
        (reach.reads, "reads"),
        (reach.writes, "writes to"),
        (reach.empties, "empties"),
        (reach.drops, "drops"),
    ];
    let counted: Vec<String> = counts
        .iter()
        .filter(|it| it.0 > 0)
        .map(|(count, verb)| format!("{verb} {count}"))
        .collect();
    if !counted.is_empty() {
        lines.push(format!("{} tables and views", counted.join(", ")));
    }
    lines.extend(reach.data.iter().cloned());
    lines.extend(reach.host.iter().cloned());
    if lines.is_empty() {
        lines.push("reaches nothing that is stored here".into());
    }
    lines
}

fn reach_text(title: &str, reach: &Reach, out: &mut String) {
    let _ = writeln!(out, "{title}");
    for line in reach_lines(reach) {
        wrap(out, "  - ", "    ", &printable_str(&line));
    }
}

/// In how far its use is known.
fn window(server: &ServerName, usage: &Usage) -> String {
    let kind = match server.uses {
        Uses::Statements => "statements",
        Uses::Commands => "commands",
        Uses::File => {
            return format!("{} users who have it open now", usage.statements.len());
        }
    };
    let run = usage.statements.iter().filter(|it| it.calls > 0).count();
    let from_files = usage.statements.len() - run;
    let since = usage.since.as_deref().map_or_else(String::new, |it| format!(" since {it}"));
    let mut text = format!("{run} kinds of {kind} that ran{since}");
    if from_files > 0 {
        let _ = write!(text, ", {from_files} from files");
    }
    let unproved = usage.unproved().count();
    if unproved > 0 {
        let _ = write!(text, ", {unproved} that cannot be told");
    }
    text
}

/// What makes that picture less than whole.
fn doubts(usage: &Usage) -> Vec<String> {
    let mut doubts = usage.doubts.clone();
    for statement in usage.unproved().take(SHOWN_MAX) {
        let why = statement.unproved.join("; ");
        doubts.push(format!("Cannot be told, rights are kept for it: {why}: {}", statement.text));
    }
    let more = usage.unproved().count().saturating_sub(SHOWN_MAX);
    if more > 0 {
        doubts.push(format!("{more} more cannot be told: `polder access learn --all` lists them"));
    }
    doubts
}

/// An audit.
pub fn access_text(view: &AccessView<'_>, all: bool) -> String {
    let mut out = String::new();
    head(view.server, view.account, &mut out);
    out.push('\n');
    for it in view.clients {
        let unit = it.unit.as_ref().map_or_else(String::new, |it| format!(" in {it}"));
        let text = format!("Connected as it: {}{unit}, user {}", it.program, it.uid);
        wrap(&mut out, "", "  ", &printable_str(&text));
    }
    if !view.clients.is_empty() {
        out.push('\n');
    }
    let whoever = match view.server.uses {
        Uses::Statements => "Whoever can send statements as it, by an SQL injection for one,",
        Uses::Commands => "Whoever can send commands as it",
        Uses::File => "Whoever runs a program as this user",
    };
    reach_text(whoever, view.reach, &mut out);
    out.push('\n');
    match (view.usage, view.because) {
        (Some(usage), _) => {
            let text = format!("Not needed by {}:", window(view.server, usage));
            wrap(&mut out, "", "  ", &printable_str(&text));
        }
        (None, because) => {
            let because = because.unwrap_or_default();
            let text = format!("What it needs is not known ({because}). Too much in any case:");
            wrap(&mut out, "", "  ", &printable_str(&text));
        }
    }
    if view.excess.is_empty() {
        let _ = writeln!(out, "  nothing");
    }
    for it in view.excess {
        wrap(&mut out, "  - ", "    ", &printable_str(&format!("{}: {}", it.what, it.means)));
        for detail in it.details.iter().filter(|_| all) {
            wrap(&mut out, "      ", "        ", &printable_str(detail));
        }
    }
    for doubt in view.usage.map(doubts).unwrap_or_default() {
        wrap(&mut out, "  ! ", "    ", &printable_str(&doubt));
    }
    out
}

/// One account in a list of all.
pub fn account_text(account: &AccountFacts) -> String {
    let reach = &account.reach;
    let mut words: Vec<String> = account.attributes.iter().map(|it| it.to_lowercase()).collect();
    if !reach.host.is_empty() {
        words.push("reaches the host".into());
    }
    let counts = [
        (reach.reads, "reads"),
        (reach.writes, "writes to"),
        (reach.empties, "empties"),
        (reach.drops, "drops"),
    ];
    let counted = counts.iter().filter(|it| it.0 > 0);
    words.extend(counted.map(|(count, verb)| format!("{verb} {count}")));
    if !reach.sensitive.is_empty() {
        words.push(format!("{} sensitive columns", reach.sensitive.len()));
    }
    if words.is_empty() {
        words.push("reaches nothing".into());
    }
    let mut out = String::new();
    let text = format!("{}: {}", account.account, words.join(", "));
    wrap(&mut out, "  ", "      ", &printable_str(&text));
    out
}

/// What is known of an account, for programs.
pub fn access_json(view: &AccessView<'_>) -> Value {
    json!({
        "schema": "polder-access-audit/1",
        "server": view.server.words,
        "rights": view.rights,
        "reach": view.reach,
        "excess": view.excess,
        "clients": view.clients,
        "use_unknown": view.because,
        "learned": view.usage,
    })
}

/// Which rights are needed.
pub fn learned_text(server: &ServerName, usage: &Usage, all: bool) -> String {
    let mut out = String::new();
    head(server, &usage.account, &mut out);
    let text = format!("needs these rights for {}:", window(server, usage));
    wrap(&mut out, "", "  ", &printable_str(&text));
    out.push('\n');
    for it in &usage.grants {
        wrap(&mut out, "  ", "      ", &printable_str(it));
    }
    let kept = usage.needed.iter().filter(|it| it.evidence == Evidence::Unproved).count();
    let _ = writeln!(
        out,
        "\n{} single rights, one on one column or thing; {kept} of them kept for what cannot be told",
        usage.needed.len()
    );
    for doubt in doubts(usage) {
        wrap(&mut out, "  ! ", "    ", &printable_str(&doubt));
    }
    if all {
        let _ = writeln!(out, "\nStatements, without what was literal in them:");
        for it in &usage.statements {
            let calls = if it.calls > 0 { format!("{} x", it.calls) } else { "file".into() };
            let why = match it.unproved.is_empty() {
                true => String::new(),
                false => format!(" ! {}", it.unproved.join("; ")),
            };
            wrap(&mut out, "  ", "      ", &printable_str(&format!("{calls} {}{why}", it.text)));
        }
    }
    out
}

/// Which rights are needed, for programs.
pub fn learned_json(usage: &Usage) -> Value {
    let mut value = json!(usage);
    if let Some(object) = value.as_object_mut() {
        object.insert("schema".into(), "polder-access-learned/1".into());
    }
    value
}

/// A proposal, and what the server says of it.
pub fn proposal_text(
    server: &ServerName,
    usage: &Usage,
    plan: &Plan,
    proof: Option<&Proof>,
) -> String {
    let mut out = String::new();
    head(server, &plan.account, &mut out);
    out.push('\n');
    if plan.is_done {
        let _ = writeln!(out, "It has the least rights already.");
    }
    let whoever = match server.uses {
        Uses::Statements => "Whoever can send statements as it, now",
        Uses::Commands => "Whoever can send commands as it, now",
        Uses::File => "Whoever runs a program as this user, now",
    };
    reach_text(whoever, &plan.reach_before, &mut out);
    reach_text("and then", &plan.reach_after, &mut out);
    out.push('\n');
    let text = format!("With these rights, for {}:", window(server, usage));
    wrap(&mut out, "", "  ", &printable_str(&text));
    for grant in &plan.grants {
        wrap(&mut out, "  ", "      ", &printable_str(grant));
    }
    for left in &plan.left {
        wrap(&mut out, "  ! ", "    ", &printable_str(left));
    }
    for doubt in doubts(usage) {
        wrap(&mut out, "  ! ", "    ", &printable_str(&doubt));
    }
    if let Some(proof) = proof {
        proof_text(server, proof, &mut out);
    }
    out
}

fn proof_text(server: &ServerName, proof: &Proof, out: &mut String) {
    out.push('\n');
    let verdict = if proof.holds() { "holds" } else { "does not hold" };
    if server.uses == Uses::File {
        let text = format!(
            "The proof {verdict}: of the users who have it open now, {} may open it then, {} may not.",
            proof.passed,
            proof.refused.len()
        );
        return wrap(out, "", "  ", &text);
    }
    let text = format!(
        "The proof {verdict}: the server plans {} statements with these rights and refuses {}; {} it does not plan, so rules \
         tell of them. Without each of {} rights it refuses a statement; its analysis names {} more that only running would \
         show; {} are kept for what cannot be told; of {} it was not shown.",
        proof.passed,
        proof.refused.len(),
        proof.by_rule,
        proof.count(Necessity::Refused),
        proof.count(Necessity::Analysed),
        proof.count(Necessity::Kept),
        proof.count(Necessity::NotShown),
    );
    wrap(out, "", "  ", &text);
    for (statement, says) in proof.refused.iter().take(SHOWN_MAX) {
        wrap(out, "  ! ", "    ", &printable_str(&format!("{says}: {statement}")));
    }
}

/// A proposal, for programs.
pub fn proposal_json(usage: &Usage, plan: &Plan, proof: Option<&Proof>) -> Value {
    let mut value = json!(plan);
    if let Some(object) = value.as_object_mut() {
        object.insert("schema".into(), "polder-access-proposal/1".into());
        object.insert("proof".into(), json!(proof));
        object.insert("learned".into(), json!(usage));
    }
    value
}
