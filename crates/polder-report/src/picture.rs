//! Pictures of the page as SVG: the ways of an attacker, and the curve of outages.

use crate::view::{PathLine, View};
use crate::words::frequency;
use maud::{Markup, html};
use std::collections::{BTreeMap, BTreeSet};

/// Most nodes drawn; a picture with more says less.
const NODES_MAX: usize = 60;

/// Size of one node and the gaps between nodes, in user units.
const NODE: (f64, f64) = (190.0, 44.0);
const GAP: (f64, f64) = (60.0, 22.0);

/// Nodes and steps of the most frequent paths, in layers from left to right.
struct Drawing {
    layers: Vec<Vec<String>>,
    steps: BTreeMap<(String, String), Drawn>,
}

/// One step, as it is drawn.
#[derive(Clone, Default)]
struct Drawn {
    share: f64,
    label: String,
    /// Numbers of the treatments of the plan that close it.
    closed_by: BTreeSet<usize>,
}

/// The most frequent ways to a loss as one picture.
pub(crate) fn paths(view: &View) -> Markup {
    let drawing = Drawing::of(&view.paths);
    if drawing.steps.is_empty() {
        return html! {};
    }
    let tallest = drawing.layers.iter().map(Vec::len).max().unwrap_or(1) as f64;
    let width = drawing.layers.len() as f64 * (NODE.0 + GAP.0);
    let height = tallest * (NODE.1 + GAP.1) + 10.0;
    let place = drawing.places(height);
    html! {
        p class="soft" { "Open a treatment of the plan to see which steps it closes. Keys in the picture: arrows move, " kbd { "+" } " " kbd { "-" } " " kbd { "0" } " change its size; or drag, and turn the wheel with Ctrl." }
        div class="scroll" id="ways" tabindex="0" role="region" aria-label="Attack paths, drawn" {
            svg viewBox=(format!("0 0 {width:.0} {height:.0}")) width=(format!("{width:.0}")) height=(format!("{height:.0}")) role="img" aria-label="Ways from an attacker to a loss; the list below says the same in words" {
                @for ((from, to), step) in &drawing.steps {
                    @if let (Some(a), Some(b)) = (place.get(from), place.get(to)) {
                        path class="step" d=(curve(*a, *b)) stroke-width=(format!("{:.1}", 1.0 + 7.0 * step.share)) data-closed=(numbers(&step.closed_by)) {
                            title { (step.label) ": " (crate::words::percent(step.share)) " of losses"
                                @if !step.closed_by.is_empty() { "; closed by " (numbers(&step.closed_by)) " of the plan" } }
                        }
                    }
                }
                @for (name, (x, y)) in &place {
                    g class=(if is_goal(&view.paths, name) { "node goal" } else { "node" }) {
                        rect x=(format!("{x:.1}")) y=(format!("{y:.1}")) width=(NODE.0) height=(NODE.1) rx="6" {}
                        @for (at, line) in two_lines(name).iter().enumerate() {
                            text x=(format!("{:.1}", x + 8.0)) y=(format!("{:.1}", y + 18.0 + 16.0 * at as f64)) { (line) }
                        }
                        title { (name) }
                    }
                }
            }
        }
    }
}

fn is_goal(paths: &[PathLine], name: &str) -> bool {
    paths.iter().any(|path| path.hops.last().is_some_and(|hop| hop.then == name))
}

/// Where a path begins, by the step that leaves it.
fn source(edge: &str) -> &str {
    match edge.split(" -> ").next().unwrap_or_default() {
        "internet" => "anybody on the Internet",
        "insider" => "somebody with an account here",
        "supplier" => "a supplier of packages",
        other => other,
    }
}

impl Drawing {
    fn of(paths: &[PathLine]) -> Self {
        let mut depth: BTreeMap<String, usize> = BTreeMap::new();
        let mut steps: BTreeMap<(String, String), Drawn> = BTreeMap::new();
        for path in paths {
            let fresh = path.hops.iter().filter(|hop| !depth.contains_key(&hop.then)).count();
            if depth.len() + fresh + 1 > NODES_MAX {
                continue;
            }
            let start = path.hops.first().map_or("", |hop| source(&hop.edge));
            let mut from = start.to_string();
            depth.entry(from.clone()).or_insert(0);
            for (at, hop) in path.hops.iter().enumerate() {
                let layer = depth.entry(hop.then.clone()).or_insert(at + 1);
                *layer = (*layer).max(at + 1);
                let step = steps.entry((from, hop.then.clone())).or_default();
                if step.label.is_empty() {
                    step.label.clone_from(&hop.does);
                }
                step.share += path.share;
                step.closed_by.extend(&hop.closed_by);
                from = hop.then.clone();
            }
        }
        let count = depth.values().max().map_or(0, |it| it + 1);
        let mut layers = vec![Vec::new(); count];
        for (name, layer) in depth {
            if let Some(slot) = layers.get_mut(layer) {
                slot.push(name);
            }
        }
        let mut drawing = Self { layers, steps };
        drawing.untangle();
        drawing
    }

    /// Orders each layer by the mean place of its neighbors, forth and back until it settles
    /// (Sugiyama et al. 1981).
    fn untangle(&mut self) {
        let count = self.layers.len();
        for forth in [true, false, true, false, true] {
            for step in 1..count {
                self.order(if forth { step } else { count - 1 - step }, forth);
            }
        }
    }

    /// Orders one layer by the layers before it, or by those after it.
    fn order(&mut self, at: usize, forth: bool) {
        let skipped = if forth { 0 } else { at + 1 };
        let taken = if forth { at } else { self.layers.len() };
        let near: BTreeMap<String, usize> = self
            .layers
            .iter()
            .take(taken)
            .skip(skipped)
            .flat_map(|layer| layer.iter().enumerate().map(|(row, name)| (name.clone(), row)))
            .collect();
        let steps = &self.steps;
        let mean = |name: &String| {
            let rows: Vec<f64> = steps
                .keys()
                .filter(|(from, to)| if forth { to == name } else { from == name })
                .filter_map(|(from, to)| near.get(if forth { from } else { to }))
                .map(|row| *row as f64)
                .collect();
            rows.iter().sum::<f64>() / rows.len().max(1) as f64
        };
        if let Some(layer) = self.layers.get_mut(at) {
            layer.sort_by(|a, b| mean(a).total_cmp(&mean(b)).then_with(|| a.cmp(b)));
        }
    }

    fn places(&self, height: f64) -> BTreeMap<String, (f64, f64)> {
        let mut places = BTreeMap::new();
        for (column, layer) in self.layers.iter().enumerate() {
            let used = layer.len() as f64 * (NODE.1 + GAP.1);
            let top = (height - used) / 2.0 + 5.0;
            for (row, name) in layer.iter().enumerate() {
                let x = 2.0 + column as f64 * (NODE.0 + GAP.0);
                places.insert(name.clone(), (x, top + row as f64 * (NODE.1 + GAP.1)));
            }
        }
        places
    }
}

fn numbers(set: &BTreeSet<usize>) -> String {
    set.iter().map(usize::to_string).collect::<Vec<_>>().join(" ")
}

fn curve(from: (f64, f64), to: (f64, f64)) -> String {
    let (x1, y1) = (from.0 + NODE.0, from.1 + NODE.1 / 2.0);
    let (x2, y2) = (to.0, to.1 + NODE.1 / 2.0);
    let middle = (x1 + x2) / 2.0;
    format!("M {x1:.1} {y1:.1} C {middle:.1} {y1:.1}, {middle:.1} {y2:.1}, {x2:.1} {y2:.1}")
}

/// At most two lines of 26 characters.
fn two_lines(text: &str) -> Vec<String> {
    let text = text.replace('`', "");
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let is_full = lines
            .last()
            .is_some_and(|it| !it.is_empty() && it.chars().count() + word.chars().count() > 25);
        if is_full {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.extend(word.chars().take(26));
        }
    }
    if lines.len() > 2 {
        lines.truncate(2);
        if let Some(line) = lines.last_mut() {
            line.push_str("..");
        }
    }
    lines
}

/// How likely a longer outage is, before and after; both axes logarithmic.
pub(crate) fn exceedance(view: &View) -> Markup {
    let (width, height, left, bottom) = (560.0, 260.0, 76.0, 40.0);
    let lowest: f64 = 1e-4;
    let points: Vec<(f64, f64, f64)> = view.exceedance.clone();
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return html! {} };
    let x = |hours: f64| {
        left + (hours / first.0).ln() / (last.0 / first.0).ln() * (width - left - 10.0)
    };
    let y = |probability: f64| {
        let share = (probability.max(lowest) / lowest).ln() / (1.0 / lowest).ln();
        height - bottom - share * (height - bottom - 10.0)
    };
    let line = |pick: &dyn Fn(&(f64, f64, f64)) -> f64| {
        let text: Vec<String> =
            points.iter().map(|it| format!("{:.1},{:.1}", x(it.0), y(pick(it)))).collect();
        text.join(" ")
    };
    html! {
        div class="scroll" tabindex="0" role="region" aria-label="Chance of an outage, drawn" {
            svg viewBox=(format!("0 0 {width:.0} {height:.0}")) width=(format!("{width:.0}")) height=(format!("{height:.0}")) role="img" aria-label="Yearly chance of an outage longer than a given time; the table below gives the numbers" {
                @for probability in [1.0, 0.1, 0.01, 0.001, 0.0001] {
                    line class="grid" x1=(left) x2=(width - 10.0) y1=(format!("{:.1}", y(probability))) y2=(format!("{:.1}", y(probability))) {}
                    text class="axis" x=(left - 8.0) y=(format!("{:.1}", y(probability) + 4.0)) text-anchor="end" {
                        @if probability >= 1.0 { "always" } @else { (frequency(probability)) }
                    }
                }
                @for (at, point) in points.iter().enumerate() {
                    @if at % 2 == 0 || at + 1 == points.len() {
                        text class="axis" x=(format!("{:.1}", x(point.0))) y=(height - 18.0) text-anchor="middle" { (crate::view::outage_words(point.0)) }
                    }
                }
                polyline class="before" points=(line(&|it| it.1)) {}
                polyline class="after" points=(line(&|it| it.2)) {}
                text class="axis" x=(width - 12.0) y=(height - 3.0) text-anchor="end" { "outage longer than" }
            }
        }
    }
}

/// Names of the nodes drawn, for tests.
#[cfg(test)]
fn drawn(paths: &[PathLine]) -> BTreeSet<String> {
    Drawing::of(paths).layers.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::HopLine;

    #[test]
    fn never_more_nodes_than_the_bound_are_drawn() {
        let hop = |name: String| HopLine {
            edge: "internet -> x (y)".into(),
            does: "d".into(),
            then: name,
            because: String::new(),
            seen_in: String::new(),
            other_ways: 0,
            closed_by: Vec::new(),
        };
        let paths: Vec<PathLine> = (0..100)
            .map(|at| PathLine {
                loss: "l".into(),
                share: 0.01,
                hops: vec![hop(format!("a{at}")), hop("goal".into())],
            })
            .collect();
        assert!(drawn(&paths).len() <= NODES_MAX);
    }
}
