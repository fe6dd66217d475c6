//! `polder look`: what was seen, table by table.

use super::Globals;
use crate::failure::Failure;
use crate::flags::Look;
use crate::{output, session};
use polder_facts::{TABLES, TableEntry};
use polder_model::facts::Facts;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Widest column on the terminal; CSV and JSON show all.
const COLUMN_MAX: usize = 48;

pub(super) fn run(flags: &Look, globals: &Globals) -> Result<u8, Failure> {
    let table = match &flags.table {
        Some(name) => Some(TABLES.iter().find(|it| it.name == name).ok_or_else(|| {
            let names: Vec<&str> = TABLES.iter().map(|it| it.name).collect();
            Failure::usage(format!("there is no table `{name}`"))
                .hint(format!("The tables are {}", names.join(", ")))
        })?),
        None => None,
    };
    let host = session::open(&flags.target, globals)?;
    match table {
        None => overview(&session::look_known(host.as_ref(), globals, &flags.target), flags.json),
        Some(table) => {
            let facts = session::look_only(host.as_ref(), table.name, globals, &flags.target);
            one(table, &facts, flags, globals)
        }
    }
}

fn overview(facts: &Facts, as_json: bool) -> Result<u8, Failure> {
    let lines = session::coverage(facts);
    if as_json {
        output::print_json(
            &json!({ "schema": "polder-tables/1", "taken": facts.taken, "tables": lines }),
        )?;
        return Ok(0);
    }
    let mut out = String::new();
    for it in &lines {
        let because = it.coverage.because().map_or(String::new(), |it| format!(": {it}"));
        let _ = writeln!(out, "{:<12} {:>6}  {}{because}", it.table, it.rows, it.coverage.word());
        if let Some(adds) = it.coverage.root_adds() {
            let _ = writeln!(out, "{:<12} {:>6}  root would add {adds}", "", "");
        }
    }
    output::print(&out)?;
    Ok(0)
}

fn one(table: &TableEntry, facts: &Facts, flags: &Look, globals: &Globals) -> Result<u8, Failure> {
    let shown = table.show(facts);
    let code = if shown.rows.is_empty() && !shown.coverage.empty_means_none() { 3 } else { 0 };
    if flags.json {
        output::print_json(&json!({
            "schema": "polder-table/1",
            "table": table.name,
            "taken": facts.taken,
            "coverage": shown.coverage,
            "problems": shown.problems,
            "rows": shown.rows,
        }))?;
        return Ok(code);
    }
    let names = columns(&shown.rows);
    let cell = |row: &Value, name: &str| cell(row.get(name).unwrap_or(&Value::Null));
    if flags.csv {
        let mut out = names.iter().map(|it| quoted(it)).collect::<Vec<_>>().join(",");
        // Without rows nobody knows the columns.
        if !names.is_empty() {
            out.push_str("\r\n");
        }
        for row in &shown.rows {
            let cells: Vec<String> = names.iter().map(|name| quoted(&cell(row, name))).collect();
            out.push_str(&cells.join(","));
            out.push_str("\r\n");
        }
        output::print(&out)?;
        return Ok(code);
    }
    let mut grid = comfy_table::Table::new();
    grid.load_preset(comfy_table::presets::NOTHING);
    grid.set_header(&names);
    for row in &shown.rows {
        grid.add_row(names.iter().map(|name| shorten(&cell(row, name))));
    }
    let mut out = String::new();
    if !shown.rows.is_empty() {
        let text = grid.trim_fmt();
        let _ = writeln!(out, "{text}");
    }
    let because = shown.coverage.because().map_or(String::new(), |it| format!(": {it}"));
    output::print(&out)?;
    if !globals.quiet {
        output::say(&format!("{} rows, {}{because}\n", shown.rows.len(), shown.coverage.word()));
        for problem in shown.problems.iter().take(10) {
            output::say(&format!("  malformed: {}: {}\n", problem.place, problem.says));
        }
    }
    Ok(code)
}

/// Names of the fields of all rows, in the order in which they are met.
fn columns(rows: &[Value]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for row in rows {
        for name in row.as_object().into_iter().flat_map(|it| it.keys()) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
    }
    names
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(|it| it.is_string() || it.is_number()) => {
            items.iter().map(cell).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= COLUMN_MAX {
        return text.to_string();
    }
    let kept: String = text.chars().take(COLUMN_MAX - 2).collect();
    format!("{kept}..")
}

/// A field as RFC 4180 has it; a leading sign is kept from becoming a formula.
fn quoted(text: &str) -> String {
    let text = match text.chars().next() {
        Some('=' | '+' | '@') => format!("'{text}"),
        _ => text.to_string(),
    };
    if text.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text
}
