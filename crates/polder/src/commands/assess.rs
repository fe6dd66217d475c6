//! `polder assess`: what to do next, what it gains.

use super::Globals;
use crate::failure::Failure;
use crate::flags::Assess;
use crate::{config, output, session};
use polder_report::{Ending, Paint, View, page, sarif, terminal};

pub(super) fn run(flags: &Assess, globals: &Globals) -> Result<u8, Failure> {
    let configuration = config::read(globals.config.as_deref())?;
    let host = session::open(&flags.target, globals)?;
    let mut store = session::store(globals.state.as_deref(), &flags.target, globals.quiet);
    let facts = session::look_known(host.as_ref(), globals, &flags.target);
    let judged = session::judge(&facts, &configuration, store.as_ref(), flags.seed)?;
    let view = &judged.view;
    if let Some(id) = &flags.why {
        output::print(&why(&judged, id)?)?;
        return Ok(code(view));
    }
    if let Some(path) = &flags.html {
        output::write_file(path, &page(view))?;
    }
    if flags.json {
        output::print_json(view)?;
    } else if flags.sarif {
        output::print_json(&sarif(view))?;
    } else if flags.html.is_none() {
        output::print(&terminal(view, Paint { color: globals.color, all: flags.all }))?;
    } else if !globals.quiet {
        let path = flags.html.as_deref().map(|it| it.display().to_string()).unwrap_or_default();
        let alarm = match view.alarms().count() {
            0 => "",
            _ => "Somebody may be here: the page says which changes tell of that.\n",
        };
        output::print(&format!("{alarm}{}\nThe page is in {path}\n", view.sentence))?;
    }
    if let (Some(store), false) = (&mut store, flags.no_history) {
        remember(store, view, globals.quiet);
    }
    Ok(code(view))
}

/// A full disk costs the history, not the answer.
fn remember(store: &mut polder_store::Store, view: &View, quiet: bool) {
    let Ok(text) = serde_json::to_string(&view.to_earlier()) else { return };
    if let Err(error) = store.remember(&view.host.name, view.host.taken, &text)
        && !quiet
    {
        let failure = Failure::look(error).hint("This assessment is not kept");
        output::say(&failure.text(false).replacen("error:", "warning:", 1));
    }
}

/// A change that may mean that somebody is here is within nobody's appetite.
fn code(view: &View) -> u8 {
    match view.ending {
        Ending::WithinAppetite if view.alarms().next().is_some() => 1,
        Ending::WithinAppetite => 0,
        Ending::AboveAppetite => 1,
        Ending::CouldNotSay => 3,
    }
}

/// Everything the graph knows of one identity: a step, a variable, a node or a finding.
fn why(judged: &session::Judged, id: &str) -> Result<String, Failure> {
    use std::fmt::Write as _;
    let graph = &judged.model.graph;
    let mut out = String::new();
    if let Some(line) = judged.view.findings.iter().find(|it| it.finding.id.0 == id) {
        return Ok(polder_report::explain_finding(&judged.view, line));
    }
    for variable in graph.variables().filter(|it| it.id.0 == id) {
        let estimate = &variable.probability;
        let _ = writeln!(out, "{}\n{}\n", variable.id, variable.title);
        let _ = writeln!(
            out,
            "  in a year   {} (range {} to {})",
            polder_report::frequency(estimate.range.likely),
            polder_report::frequency(estimate.range.low),
            polder_report::frequency(estimate.range.high)
        );
        let _ = writeln!(out, "  basis       {}", estimate.basis.word());
        let _ = writeln!(out, "  source      {} ({})", estimate.source, estimate.date);
        let _ = writeln!(out, "\nSteps that need it");
        for edge in graph.edges().filter(|it| it.needs.contains(&variable.id)).take(20) {
            let _ = writeln!(out, "  - {}", edge.id);
        }
    }
    for edge in graph.edges().filter(|it| it.id.0 == id) {
        let _ = writeln!(out, "{}\n  {}", edge.id, edge.label);
        let _ = writeln!(out, "  because     {} [{}]", edge.evidence.says, edge.evidence.origin);
        for need in &edge.needs {
            let _ = writeln!(out, "  needs       {need}");
        }
    }
    for node in graph.nodes().filter(|it| it.id.0 == id) {
        let _ = writeln!(out, "{}\n  {}", node.id, node.label);
        for edge in graph.edges().filter(|it| it.to == node.id).take(40) {
            let _ = writeln!(out, "  from {}: {}", edge.from, edge.label);
        }
    }
    if out.is_empty() {
        return Err(Failure::usage(format!("nothing here is called `{id}`"))
            .hint("`polder assess --json` names every finding, step and treatment"));
    }
    Ok(out)
}
