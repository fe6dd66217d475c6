//! The graph as arrays: numbers instead of names, edges by the node they start from.
#![expect(
    clippy::indexing_slicing,
    reason = "every index is made by `NetworkBuilder` for arrays of the same length"
)]

use crate::walk::Walk;
use polder_model::{Basis, Delay, Range};
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

/// No node, no edge, no variable.
pub(crate) const NONE: u32 = u32::MAX;

/// A loss, in numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// How much it weighs; control of one server weighs one.
    pub weight: f64,
    /// Whether its host is down until it is restored.
    pub takes_down: bool,
    /// Class and count of the records exposed.
    pub records: Vec<(u32, f64)>,
}

impl Goal {
    /// Control of one server.
    pub fn server() -> Self {
        Self { weight: 1.0, takes_down: true, records: Vec::new() }
    }
}

/// A variable, in numbers.
#[derive(Clone, Debug)]
pub(crate) struct Variable {
    /// Its draws depend on this, the seed and the world.
    pub(crate) name: u64,
    /// Variables with the same parameter are uncertain together: one guess, wrong everywhere.
    pub(crate) parameter: u64,
    pub(crate) range: Range,
    pub(crate) basis: Basis,
}

/// A sensor, in numbers.
#[derive(Clone, Debug)]
pub(crate) struct Sensor {
    pub(crate) name: u64,
    pub(crate) watches: Vec<u32>,
    pub(crate) notices: Range,
    pub(crate) hours: Range,
}

/// Builds a [`Network`] from numbers, for estates too large for names.
#[derive(Default)]
pub struct NetworkBuilder {
    node_names: Vec<u64>,
    kinds: Vec<u8>,
    needs_all: Vec<u32>,
    sources: Vec<u32>,
    from: Vec<u32>,
    to: Vec<u32>,
    delay: Vec<Delay>,
    needs_start: Vec<u32>,
    needs: Vec<u32>,
    variables: Vec<Variable>,
    goals: Vec<(u32, Goal)>,
    sensors: Vec<Sensor>,
}

impl NetworkBuilder {
    /// Adds a node that is reached by any of its steps; `name` is the same for ever.
    pub fn node(&mut self, name: u64) -> u32 {
        self.node_names.push(name);
        self.kinds.push(0);
        number(self.node_names.len() - 1)
    }

    /// Says of what kind a node is: ways over the same kinds are told as one.
    pub fn kind(&mut self, node: u32, kind: u8) {
        if let Some(slot) = self.kinds.get_mut(node as usize) {
            *slot = kind;
        }
    }

    /// Makes a node need all the steps into it.
    pub fn needs_all(&mut self, node: u32) {
        self.needs_all.push(node);
    }

    /// Says that attackers start here.
    pub fn source(&mut self, node: u32) {
        self.sources.push(node);
    }

    /// Adds a variable whose probability is uncertain on its own.
    pub fn variable(&mut self, name: u64, range: Range) -> u32 {
        self.variable_of(name, name, range, Basis::Judgement)
    }

    /// Adds a variable; those with the same `parameter` are uncertain together.
    pub fn variable_of(&mut self, name: u64, parameter: u64, range: Range, basis: Basis) -> u32 {
        self.variables.push(Variable { name, parameter, range, basis });
        number(self.variables.len() - 1)
    }

    /// Adds a step that is open when all of `needs` are true; returns its place in the order added.
    pub fn edge(&mut self, from: u32, to: u32, needs: &[u32], delay: Delay) -> u32 {
        self.needs_start.push(number(self.needs.len()));
        self.needs.extend_from_slice(needs);
        self.from.push(from);
        self.to.push(to);
        self.delay.push(delay);
        number(self.from.len() - 1)
    }

    /// Says that reaching a node is a loss.
    pub fn goal(&mut self, node: u32, goal: Goal) {
        self.goals.push((node, goal));
    }

    /// Adds a sensor: probability that it notices, and hours until somebody has acted.
    pub fn sensor(&mut self, name: u64, watches: Vec<u32>, notices: Range, hours: Range) -> u32 {
        self.sensors.push(Sensor { name, watches, notices, hours });
        number(self.sensors.len() - 1)
    }

    /// Orders the edges and finds out where attacks begin.
    pub fn build(mut self) -> Network {
        self.needs_start.push(number(self.needs.len()));
        let nodes = self.node_names.len();
        let (out_start, order) = by_key(&self.from, nodes);
        let mut position = vec![0; order.len()];
        let mut shape = Shape {
            from: Vec::with_capacity(order.len()),
            to: Vec::with_capacity(order.len()),
            delay: Vec::with_capacity(order.len()),
            needs_start: Vec::with_capacity(order.len() + 1),
            needs: Vec::with_capacity(self.needs.len()),
            ..Shape::default()
        };
        for (at, old) in order.iter().map(|it| *it as usize).enumerate() {
            position[old] = number(at);
            shape.from.push(self.from[old]);
            shape.to.push(self.to[old]);
            shape.delay.push(self.delay[old]);
            shape.needs_start.push(number(shape.needs.len()));
            let needs = self.needs_start[old] as usize..self.needs_start[old + 1] as usize;
            shape.needs.extend_from_slice(&self.needs[needs]);
        }
        shape.needs_start.push(number(shape.needs.len()));
        (shape.into_start, shape.into) = by_key(&shape.to, nodes);
        shape.needs_all = vec![0; nodes];
        for node in self.needs_all {
            let at = node as usize;
            shape.needs_all[at] = shape.into_start[at + 1] - shape.into_start[at];
            // A node that needs all of nothing is never reached.
            shape.needs_all[at] = shape.needs_all[at].max(1);
            shape.has_joins = true;
        }
        shape.goal_of = vec![NONE; nodes];
        for (node, goal) in self.goals {
            shape.goal_of[node as usize] = number(shape.goals.len());
            shape.goal_nodes.push(node);
            shape.goals.push(goal);
        }
        shape.sensors = self.sensors;
        shape.out_start = out_start;
        shape.position = position;
        shape.node_names = self.node_names;
        shape.kinds = self.kinds;
        shape.sources = self.sources;
        shape.walk = Walk::new(&shape, self.variables.len());
        let mut network =
            Network { shape: Arc::new(shape), variables: self.variables, ..Network::default() };
        network.entries = Entries::find(&network);
        network
    }
}

/// The graph as arrays, ready to be priced.
#[derive(Clone, Default)]
pub struct Network {
    /// What stays the same when only probabilities change.
    shape: Arc<Shape>,
    pub(crate) variables: Vec<Variable>,
    pub(crate) entries: Entries,
}

impl Deref for Network {
    type Target = Shape;

    fn deref(&self) -> &Shape {
        &self.shape
    }
}

/// Nodes, edges and losses of a network.
#[derive(Default)]
pub struct Shape {
    pub(crate) node_names: Vec<u64>,
    pub(crate) kinds: Vec<u8>,
    /// Edges by the node they start from: `out_start[node]..out_start[node + 1]`.
    pub(crate) out_start: Vec<u32>,
    pub(crate) from: Vec<u32>,
    pub(crate) to: Vec<u32>,
    pub(crate) delay: Vec<Delay>,
    pub(crate) needs_start: Vec<u32>,
    pub(crate) needs: Vec<u32>,
    /// The same edges as walks read them.
    pub(crate) walk: Walk,
    /// Edges by the node they end in.
    pub(crate) into_start: Vec<u32>,
    pub(crate) into: Vec<u32>,
    /// For nodes that need all their steps, how many there are; zero for the others.
    pub(crate) needs_all: Vec<u32>,
    pub(crate) has_joins: bool,
    pub(crate) sources: Vec<u32>,
    /// Goal number of each node that is a loss.
    pub(crate) goal_of: Vec<u32>,
    pub(crate) goal_nodes: Vec<u32>,
    pub(crate) goals: Vec<Goal>,
    pub(crate) sensors: Vec<Sensor>,
    /// Place of each edge, by the order added.
    pub(crate) position: Vec<u32>,
}

impl Shape {
    /// How many nodes.
    pub fn node_count(&self) -> usize {
        self.node_names.len()
    }

    /// How many edges.
    pub fn edge_count(&self) -> usize {
        self.to.len()
    }

    /// Place of the edge added as number `added`; edits name edges by their place.
    pub fn place(&self, added: u32) -> u32 {
        self.position.get(added as usize).copied().unwrap_or(NONE)
    }

    pub(crate) fn out(&self, node: u32) -> std::ops::Range<u32> {
        self.out_start[node as usize]..self.out_start[node as usize + 1]
    }

    pub(crate) fn edges_into(&self, node: u32) -> &[u32] {
        let node = node as usize;
        &self.into[self.into_start[node] as usize..self.into_start[node + 1] as usize]
    }

    pub(crate) fn needs(&self, edge: u32) -> &[u32] {
        let edge = edge as usize;
        &self.needs[self.needs_start[edge] as usize..self.needs_start[edge + 1] as usize]
    }
}

#[cfg(test)]
impl Shape {
    /// The least set of nodes that holds the sources and every open step, found the slow way:
    /// what every faster one is held against.
    pub(crate) fn reached_by_definition(&self, is_open: &dyn Fn(u32) -> bool) -> Vec<bool> {
        let mut reached = vec![false; self.node_count()];
        self.sources.iter().for_each(|node| reached[*node as usize] = true);
        for _ in 0..self.node_count() {
            for node in 0..number(self.node_count()) {
                let mut into = self.edges_into(node).iter();
                let is_met = |it: &u32| is_open(*it) && reached[self.from[*it as usize] as usize];
                reached[node as usize] |= match self.needs_all[node as usize] {
                    0 => into.any(is_met),
                    _ => !self.edges_into(node).is_empty() && into.all(is_met),
                };
            }
        }
        reached
    }
}

impl Network {
    /// The same network where a variable is always true.
    pub(crate) fn with_certain(&self, variable: u32) -> Self {
        let mut network = self.clone();
        if let Some(it) = network.variables.get_mut(variable as usize) {
            it.range = Range::exactly(1.0);
        }
        network.entries = Entries::find(&network);
        network
    }

    /// The same network where some probabilities are multiplied by a factor, up to one.
    pub(crate) fn scaled(&self, variables: &[usize], factor: f64) -> Self {
        let mut network = self.clone();
        for at in variables {
            if let Some(it) = network.variables.get_mut(*at) {
                let scale = |value: f64| (value * factor).min(1.0);
                let Range { low, likely, high } = it.range;
                it.range = Range { low: scale(low), likely: scale(likely), high: scale(high) };
            }
        }
        network.entries = Entries::find(&network);
        network
    }

    /// A number for an edge that stays the same for ever.
    pub(crate) fn edge_name(&self, edge: u32) -> u64 {
        let (from, to) = (self.from[edge as usize], self.to[edge as usize]);
        let ends = self.node_names[from as usize].rotate_left(17) ^ self.node_names[to as usize];
        // Steps between the same ends differ in what they need.
        let needs = self.needs(edge).iter().map(|it| self.variables[*it as usize].name);
        needs.fold(ends, |all, name| all.rotate_left(9) ^ name)
    }

    /// Whether any probability is a range.
    pub(crate) fn has_ranges(&self) -> bool {
        self.variables.iter().any(|it| it.range.low < it.range.high)
    }

    /// Whether time matters: something may notice.
    pub(crate) fn is_timed(&self) -> bool {
        self.sensors.iter().any(|it| it.notices.high > 0.0 && !it.watches.is_empty())
    }
}

/// Where attacks begin: the variables of which at least one must be true for anything to happen.
#[derive(Clone, Default)]
pub(crate) struct Entries {
    /// Nodes reached whatever is true.
    pub(crate) inside: Vec<bool>,
    /// The same as a list, sources first.
    pub(crate) certain: Vec<u32>,
    /// The edge by which each of them is reached; none for sources and all others.
    pub(crate) parent: Vec<u32>,
    /// For nodes that need all steps, those met whatever is true.
    pub(crate) met: HashMap<u32, u32>,
    /// One of these must be true for an attack to begin.
    pub(crate) variables: Vec<u32>,
    /// Place of each variable in the list above.
    pub(crate) of: Vec<u32>,
    /// Edges out of the certain part, by the place of the variable they wait for.
    pub(crate) edges_start: Vec<u32>,
    pub(crate) edges: Vec<u32>,
    /// Losses that are certain.
    pub(crate) goals: Vec<u32>,
}

impl Entries {
    fn find(network: &Network) -> Self {
        let nodes = network.node_count();
        let is_certain = |edge: u32| {
            network.needs(edge).iter().all(|it| network.variables[*it as usize].range.low >= 1.0)
        };
        let mut it = Self {
            inside: vec![false; nodes],
            parent: vec![NONE; nodes],
            of: vec![NONE; network.variables.len()],
            ..Self::default()
        };
        for source in &network.sources {
            if !std::mem::replace(&mut it.inside[*source as usize], true) {
                it.certain.push(*source);
            }
        }
        let mut next = 0;
        while let Some(node) = it.certain.get(next).copied() {
            next += 1;
            for edge in network.out(node).filter(|edge| is_certain(*edge)) {
                let to = network.to[edge as usize];
                let needed = network.needs_all[to as usize];
                if needed > 0 {
                    let met = it.met.entry(to).or_default();
                    *met += 1;
                    if *met < needed {
                        continue;
                    }
                }
                if !std::mem::replace(&mut it.inside[to as usize], true) {
                    it.parent[to as usize] = edge;
                    it.certain.push(to);
                }
            }
        }
        it.goals = it.certain.iter().map(|node| network.goal_of[*node as usize]).collect();
        it.goals.retain(|goal| *goal != NONE);
        it.edges_out(network, is_certain);
        it
    }

    /// Gathers the uncertain edges out of the certain part by the rarest variable they wait for.
    fn edges_out(&mut self, network: &Network, is_certain: impl Fn(u32) -> bool) {
        let mut by_variable = Vec::new();
        for node in &self.certain {
            for edge in network.out(*node) {
                if self.inside[network.to[edge as usize] as usize] || is_certain(edge) {
                    continue;
                }
                let mean = |it: &u32| network.variables[*it as usize].range.mean();
                let rarest = network.needs(edge).iter().copied();
                let rarest = rarest.min_by(|a, b| mean(a).total_cmp(&mean(b)).then(a.cmp(b)));
                by_variable.extend(rarest.map(|variable| (variable, edge)));
            }
        }
        by_variable.sort_unstable();
        for (variable, edge) in by_variable {
            if self.variables.last() != Some(&variable) {
                self.of[variable as usize] = number(self.variables.len());
                self.variables.push(variable);
                self.edges_start.push(number(self.edges.len()));
            }
            self.edges.push(edge);
        }
        self.edges_start.push(number(self.edges.len()));
    }

    pub(crate) fn edges(&self, entry: usize) -> &[u32] {
        &self.edges[self.edges_start[entry] as usize..self.edges_start[entry + 1] as usize]
    }
}

/// Starts and members of each key's group, members in their old order (counting sort).
fn by_key(keys: &[u32], count: usize) -> (Vec<u32>, Vec<u32>) {
    let mut start = vec![0_u32; count + 1];
    for key in keys {
        start[*key as usize + 1] += 1;
    }
    for at in 1..start.len() {
        start[at] += start[at - 1];
    }
    let mut next = start.clone();
    let mut order = vec![0; keys.len()];
    for (at, key) in keys.iter().enumerate() {
        order[next[*key as usize] as usize] = number(at);
        next[*key as usize] += 1;
    }
    (start, order)
}

/// A place in an array; graphs of four thousand million steps do not fit in memory anyway.
pub(crate) fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(NONE)
}
