//! `polder graph`: the graph for other programs, and graphs of others.

use super::Globals;
use super::plan::parse_time;
use crate::failure::Failure;
use crate::flags::{Graph, GraphCommand, GraphFormat, Solve};
use crate::{config, output, session};
use polder_model::Treatment;
use polder_report::{dot, opengraph, plan_text, plan_view, problog, solved_text};
use polder_risk::{GraphForm, Options, Request, Solvable, price};
use std::io::Read;
use std::path::Path;

/// Bytes of a graph file that are read: a hundred thousand hosts do not need more.
const FILE_BYTES_MAX: u64 = 1 << 30;

pub(super) fn run(flags: &Graph, globals: &Globals) -> Result<u8, Failure> {
    match &flags.command {
        Some(GraphCommand::Solve(solve)) => return run_solve(solve),
        Some(GraphCommand::Convert(it)) => {
            let (form, solvable) = parse(&it.file)?;
            return write(it.format, &solvable.graph, &solvable.title, || form);
        }
        None => {}
    }
    let configuration = config::read(globals.config.as_deref())?;
    let host = session::open(&flags.target, globals)?;
    let facts = session::look_known(host.as_ref(), globals, &flags.target);
    let model = polder_practices::judge(&facts, &configuration.settings);
    write(flags.format, &model.graph, &model.host, || GraphForm::of(&model))
}

fn write(
    format: GraphFormat,
    graph: &polder_model::Graph,
    title: &str,
    form: impl FnOnce() -> GraphForm,
) -> Result<u8, Failure> {
    match format {
        GraphFormat::Json => output::print_json(&form())?,
        GraphFormat::Dot => output::print(&dot(graph))?,
        GraphFormat::Opengraph => output::print_json(&opengraph(graph, title))?,
        GraphFormat::Problog => output::print(&problog(graph))?,
    }
    Ok(0)
}

fn parse(file: &Path) -> Result<(GraphForm, Solvable), Failure> {
    let text = read(file)?;
    let wrong = |error| {
        Failure::usage(error).hint("docs/graph.md describes the form, with examples to start from")
    };
    let form = GraphForm::parse(&text).map_err(wrong)?;
    let solvable = form.build().map_err(wrong)?;
    Ok((form, solvable))
}

fn run_solve(flags: &Solve) -> Result<u8, Failure> {
    let (_, it) = parse(&flags.file)?;
    let defaults = Options::default();
    let options = Options {
        seed: flags.seed,
        worlds_per_block: flags.worlds.div_ceil(defaults.blocks).max(1),
        exact: !flags.sampled,
        care: 8,
        ..defaults
    };
    let hours_max = flags.budget.as_deref().map(parse_time).transpose()?.unwrap_or(f64::INFINITY);
    let treatments: Vec<&Treatment> = it.treatments.iter().collect();
    let first = Request::first(usize::MAX);
    let request = Request { hours_max, candidates_max: 64, share_min: 0.0, ..first };
    let pricing = price(&it.graph, it.restore, &treatments, &request, options);
    if flags.json {
        output::print_json(&pricing)?;
        return Ok(0);
    }
    let mut text = solved_text(&it.title, &pricing);
    if !treatments.is_empty() {
        let subject = if it.title.is_empty() { "this graph" } else { &it.title };
        text.push('\n');
        text.push_str(&plan_text(&plan_view(subject, &treatments, &pricing, hours_max)));
    }
    output::print(&text)?;
    Ok(0)
}

fn read(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = match path.as_os_str() == "-" {
        true => std::io::stdin().take(FILE_BYTES_MAX).read_to_string(&mut text),
        false => std::fs::File::open(path)
            .and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text)),
    };
    read.map_err(|error| {
        let text = format!("cannot read the graph `{}`: {error}", path.display());
        Failure::usage(text).hint("`polder graph > FILE` writes one to start from")
    })?;
    Ok(text)
}
