//! `polder journal`: what was changed on this host, and how far.

use super::Globals;
use crate::failure::Failure;
use crate::flags::Journal;
use crate::operations::{self, Known, phase_words};
use crate::output;
use polder_model::printable_str;
use polder_report::moment;
use polder_store::Store;
use serde_json::{Value, json};
use std::fmt::Write as _;

pub(super) fn run(flags: &Journal, globals: &Globals) -> Result<u8, Failure> {
    let store = Store::open(&operations::folder(globals)?).map_err(Failure::look)?;
    let mut all = operations::all(&store, flags.most.max(1))?;
    if let Some(id) = flags.id {
        all.retain(|it| it.stored.id == id);
        if all.is_empty() {
            return Err(Failure::usage(format!("there is no operation {id} in the journal"))
                .hint("`polder journal` lists them; `--most COUNT` shows older ones"));
        }
    }
    if flags.json {
        let all: Vec<Value> = all.iter().map(json_of).collect();
        output::print_json(&json!({ "schema": "polder-journal/1", "operations": all }))?;
        return Ok(0);
    }
    let mut out = String::new();
    if all.is_empty() {
        out.push_str("Nothing was changed by Polder on this host.\n");
    }
    for it in &all {
        let _ = writeln!(
            out,
            "{:>4}  {}  {}\n      {}  [{}]",
            it.stored.id,
            moment(it.stored.begun),
            phase_words(&it.phase),
            printable_str(&it.operation.title),
            printable_str(&it.operation.treatment),
        );
        if flags.id.is_some() {
            out.push('\n');
            // Not the content of files: it may hold secrets.
            for prepared in &it.operation.changes {
                let already = if prepared.is_done() { "(already so) " } else { "" };
                let _ = writeln!(out, "      {already}{}", prepared.words());
            }
        }
    }
    if all.iter().any(|it| !it.phase.is_settled()) {
        out.push_str("\nNext: polder undo NUMBER takes back what is not settled\n");
    }
    output::print(&out)?;
    Ok(0)
}

/// Everything but the contents of files, which may hold secrets.
fn json_of(it: &Known) -> Value {
    let changes: Vec<Value> = it
        .operation
        .changes
        .iter()
        .map(|prepared| json!({ "change": prepared.words(), "already_so": prepared.is_done() }))
        .collect();
    json!({
        "id": it.stored.id,
        "treatment": it.operation.treatment,
        "title": it.operation.title,
        "begun": it.stored.begun,
        "noted": it.stored.noted,
        "phase": it.phase,
        "settled": it.phase.is_settled(),
        "changes": changes,
    })
}
