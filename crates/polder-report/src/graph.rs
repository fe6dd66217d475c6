//! The graph for other programs: Graphviz, ProbLog, BloodHound's OpenGraph, and the figures of a solved file.

use crate::words::frequency;
use polder_model::{Graph, Join, NodeKind, printable_str};
use polder_risk::{Band, Method, Pricing};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The graph in the language of Graphviz.
pub fn dot(graph: &Graph) -> String {
    let mut out =
        String::from("digraph polder {\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n");
    for node in graph.nodes() {
        let shape = match (node.kind.is_source(), node.join, node.goal.is_some()) {
            (true, ..) => "house",
            (_, Join::All, _) => "invtrapezium",
            (.., true) => "doubleoctagon",
            _ => "box",
        };
        let _ = writeln!(
            out,
            "  {} [label={}, shape={shape}];",
            quoted(&node.id.0),
            quoted(&node.label)
        );
    }
    for edge in graph.edges() {
        let needs: Vec<&str> = edge.needs.iter().map(|it| it.0.as_str()).collect();
        let label = match needs.is_empty() {
            true => edge.label.clone(),
            false => format!("{} [{}]", edge.label, needs.join(", ")),
        };
        let style = if needs.is_empty() { "solid" } else { "dashed" };
        let _ = writeln!(
            out,
            "  {} -> {} [label={}, style={style}];",
            quoted(&edge.from.0),
            quoted(&edge.to.0),
            quoted(&label)
        );
    }
    out.push_str("}\n");
    out
}

/// A string of Graphviz: quotes and backslashes escaped, control characters left out.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in printable_str(text).chars() {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
    out
}

/// The graph as a program of ProbLog, which computes the probability of each loss and of any.
///
/// Of each range only the mean is told, and nothing of time: Polder's own figures agree where
/// probabilities are exact and nobody watches.
pub fn problog(graph: &Graph) -> String {
    let mut out = String::from(
        "% Attack graph written by polder: what can be reached within a year, if nobody notices?\n% Left out: time, sensors, and how uncertain a probability is (its mean stands here).\n% Where a sensor watches, Polder's own figures are lower.\n",
    );
    for it in graph.variables() {
        let mean = it.probability.range.mean();
        let _ = writeln!(out, "{mean}::holds({}).", atom(&it.id.0));
    }
    for node in graph.nodes() {
        let name = atom(&node.id.0);
        if node.kind.is_source() {
            let _ = writeln!(out, "reached({name}).");
        }
        let step = |edge: &polder_model::Edge| {
            let needs = edge.needs.iter().map(|it| format!("holds({})", atom(&it.0)));
            let all: Vec<String> =
                [format!("reached({})", atom(&edge.from.0))].into_iter().chain(needs).collect();
            all.join(", ")
        };
        let steps: Vec<String> =
            graph.edges().filter(|edge| edge.to == node.id).map(step).collect();
        match node.join {
            Join::Any => steps.iter().for_each(|step| {
                let _ = writeln!(out, "reached({name}) :- {step}.");
            }),
            Join::All if steps.is_empty() => {}
            Join::All => {
                let _ = writeln!(out, "reached({name}) :- {}.", steps.join(", "));
            }
        }
    }
    for node in graph.nodes().filter(|it| it.goal.is_some()) {
        let name = atom(&node.id.0);
        let _ = writeln!(out, "lost :- reached({name}).\nquery(reached({name})).");
    }
    out.push_str("query(lost).\n");
    out
}

/// An atom of Prolog in quotes.
fn atom(text: &str) -> String {
    format!("'{}'", printable_str(text).replace('\\', "\\\\").replace('\'', "\\'"))
}

/// The graph as BloodHound's OpenGraph (its documented JSON: `graph.nodes`, `graph.edges`).
pub fn opengraph(graph: &Graph, host: &str) -> Value {
    // Names are unique within a host; the host makes them unique within an estate.
    let id = |name: &str| format!("{host}|{name}");
    let nodes: Vec<Value> = graph
        .nodes()
        .map(|node| {
            json!({
                "id": id(&node.id.0),
                "kinds": [format!("Polder{}", kind_word(node.kind)), "Polder"],
                "properties": {
                    "name": node.label,
                    "host": host,
                    "loss": node.goal.as_ref().map(|it| it.title.as_str()).unwrap_or_default(),
                },
            })
        })
        .collect();
    let edges: Vec<Value> = graph
        .edges()
        .map(|edge| {
            let likely: f64 = edge
                .needs
                .iter()
                .filter_map(|it| graph.find_variable(it))
                .map(|it| it.probability.range.likely)
                .product();
            json!({
                "kind": "PolderStep",
                "start": { "value": id(&edge.from.0), "match_by": "id" },
                "end": { "value": id(&edge.to.0), "match_by": "id" },
                "properties": {
                    "name": edge.label,
                    "because": edge.evidence.says,
                    "seenin": edge.evidence.origin.to_string(),
                    "likely": likely,
                },
            })
        })
        .collect();
    json!({ "metadata": { "source_kind": "Polder" }, "graph": { "nodes": nodes, "edges": edges } })
}

fn kind_word(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Internet => "Internet",
        NodeKind::Insider => "Insider",
        NodeKind::Supplier => "Supplier",
        NodeKind::Zone => "Zone",
        NodeKind::Listener => "Listener",
        NodeKind::Process => "Process",
        NodeKind::Sandbox => "Sandbox",
        NodeKind::User => "User",
        NodeKind::Root => "Root",
        NodeKind::Credential => "Credential",
        NodeKind::DatabaseRole => "DatabaseRole",
        NodeKind::Store => "Store",
        NodeKind::Backup => "Backup",
    }
}

/// The figures of a solved graph as text; digits are given in full, to be checked.
pub fn solved_text(title: &str, pricing: &Pricing) -> String {
    let mut out = String::new();
    if !title.is_empty() {
        let _ = writeln!(out, "{}\n", printable_str(title));
    }
    let _ = writeln!(out, "any loss          {}", figure(&pricing.any));
    for goal in &pricing.goals {
        let _ = writeln!(out, "{:<17} {}", printable_str(&goal.node), figure(&goal.yearly));
    }
    let _ = writeln!(out, "losses a year     {:.6} sampled", pricing.harm);
    if pricing.outage_hours > 0.0 {
        let _ = writeln!(out, "outage hours      {:.6}", pricing.outage_hours);
    }
    for (class, now, _) in &pricing.records {
        let _ = writeln!(out, "records: {class:<8} {now:.3}");
    }
    if !pricing.treatments.is_empty() {
        let _ = writeln!(out, "\n{:<30} {:>12} {:>12}", "treatment alone", "avoids", "error");
    }
    for value in &pricing.treatments {
        let _ = writeln!(
            out,
            "{:<30} {:>12.6} {:>12.6}{}",
            printable_str(&value.id.0),
            value.worth.avoided,
            value.worth.standard_error,
            if value.worse > 0.0 { "  (worse in some years)" } else { "" }
        );
    }
    for (node, share) in &pricing.choke_points {
        let node = printable_str(&node.0);
        let _ = writeln!(out, "\n{:.0} % of losses cannot go around {node}", share * 100.0);
    }
    out
}

fn figure(band: &Band) -> String {
    match band.method {
        Method::Exact if band.standard_error == 0.0 => {
            format!("{:.12} exact ({})", band.mean, frequency(band.mean))
        }
        Method::Exact => format!(
            "{:.9} exact for each draw of the ranges, 90 % of draws {:.6} to {:.6}",
            band.mean, band.low, band.high
        ),
        Method::Bounds => format!("{:.9} to {:.9} bounds", band.at_least, band.at_most),
        Method::Sampled => format!(
            "{:.6} sampled, 95 % interval {:.6} to {:.6}",
            band.mean, band.at_least, band.at_most
        ),
    }
}
