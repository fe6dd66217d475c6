//! One world after another: which steps are open, and what an attacker reaches.
#![expect(
    clippy::indexing_slicing,
    reason = "every index is made by `NetworkBuilder` for arrays of the same length"
)]

use crate::draw::{self, Quantiles};
use crate::network::{NONE, Network, number};
use crate::walk::MORE;
use std::collections::HashMap;
use std::ops::Range;

/// A hazard no draw exceeds: the chance to go past it is one in 10^17.
const HAZARD_MAX: f64 = 40.0;

/// The mark of a node that is reached in every run.
const ALWAYS: u32 = u32::MAX;

/// Marks an edge out of the certain part, which no walk takes.
const ENTRY: u32 = 1 << 31;

/// What all draws of one seed share.
pub(crate) struct Draws<'a> {
    pub(crate) network: &'a Network,
    pub(crate) seed: u64,
    variables: Vec<Drawn>,
    groups: Vec<Group>,
    /// What else each edge out of the certain part needs, in the order of the entries: thousands
    /// wait for one flaw, and nearly all of them stay closed.
    entry_needs: Vec<Drawn>,
}

/// What a walk needs to know of a variable, side by side in memory.
#[derive(Clone, Copy)]
struct Drawn {
    /// Its name, mixed with the seed.
    key: u64,
    /// Its group: those that are always equally likely.
    group: u32,
    /// Its place among the entries, if it is one.
    entry: u32,
}

/// Variables with the same parameter and the same range.
struct Group {
    parameter: u64,
    values: Quantiles,
}

/// Values that hold for a block of worlds.
pub(crate) struct Block {
    /// Probability of each group, as a bound for 63 random bits.
    threshold: Vec<u64>,
    /// Summed hazard of the entries before each one, and of all of them.
    hazard: Vec<f64>,
    /// Probability that anything happens at all; one when some loss is certain.
    pub(crate) any: f64,
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0..=2^63")]
fn bound(probability: f64) -> u64 {
    (probability.clamp(0.0, 1.0) * (1_u64 << 63) as f64) as u64
}

impl<'a> Draws<'a> {
    pub(crate) fn new(network: &'a Network, seed: u64) -> Self {
        let mut places: HashMap<[u64; 4], u32> = HashMap::new();
        let mut groups = Vec::new();
        let mut variables = Vec::with_capacity(network.variables.len());
        for (it, entry) in network.variables.iter().zip(&network.entries.of) {
            let polder_model::Range { low, likely, high } = it.range;
            // What is known exactly needs no parameter.
            let parameter = if low < high { it.parameter } else { 0 };
            let key = [parameter, low.to_bits(), likely.to_bits(), high.to_bits()];
            let place = *places.entry(key).or_insert_with(|| {
                groups.push(Group { parameter, values: Quantiles::new(it.range) });
                number(groups.len() - 1)
            });
            let key = draw::mix(seed ^ it.name);
            variables.push(Drawn { key, group: place, entry: *entry });
        }
        let entries = &network.entries;
        let other = |entry: u32, edge: &u32| {
            let chosen = entries.variables[entry as usize];
            let mut others = network.needs(*edge).iter().filter(|it| **it != chosen);
            match (others.next(), others.next()) {
                (Some(other), None) => variables[*other as usize],
                // None or several: looked at like any other step.
                _ => Drawn { key: 0, group: NONE, entry: NONE },
            }
        };
        let all = 0..number(entries.variables.len());
        let entry_needs = all
            .flat_map(|entry| entries.edges(entry as usize).iter().map(move |it| (entry, it)))
            .map(|(entry, edge)| other(entry, edge))
            .collect();
        Self { network, seed, variables, groups, entry_needs }
    }

    /// Draws every parameter for block `number`.
    pub(crate) fn block(&self, number: u64) -> Block {
        let draw = |it: &Group| {
            bound(it.values.at(draw::uniform(self.seed ^ 0x5eed, it.parameter, number)))
        };
        let threshold: Vec<u64> = self.groups.iter().map(draw).collect();
        let hazard = |threshold: &u64| {
            (-(-(*threshold as f64 / (1_u64 << 63) as f64)).ln_1p()).min(HAZARD_MAX)
        };
        let hazards: Vec<f64> = threshold.iter().map(hazard).collect();
        let mut block = Block { threshold, hazard: vec![0.0], any: 1.0 };
        let mut sum = 0.0;
        for variable in &self.network.entries.variables {
            sum += hazards[self.variables[*variable as usize].group as usize];
            block.hazard.push(sum);
        }
        if self.network.entries.goals.is_empty() {
            block.any = -(-sum).exp_m1();
        }
        block
    }

    /// Probability of a variable in a block.
    pub(crate) fn probability(&self, block: &Block, variable: usize) -> f64 {
        block.threshold[self.variables[variable].group as usize] as f64 / (1_u64 << 63) as f64
    }

    /// A share of a treatment that holds for a block.
    pub(crate) fn share(&self, table: &Quantiles, name: u64, block: u64) -> f64 {
        table.at(draw::uniform(self.seed ^ 0x7417, name, block))
    }

    /// A uniform number for one purpose in one world.
    pub(crate) fn uniform(&self, name: u64, world: u64) -> f64 {
        draw::uniform(self.seed, name, world)
    }
}

/// Room for one world after another, allocated once.
pub(crate) struct Reach<'a> {
    draws: &'a Draws<'a>,
    network: &'a Network,
    /// Number of the current run; a mark of another run means "not yet".
    run: u32,
    reached: Vec<u32>,
    waits: Vec<(u32, u32)>,
    /// Nodes reached by more than what is certain, in the order reached.
    queue: Vec<u32>,
    /// The step of the walk by which each node was first reached, or an edge marked [`ENTRY`].
    parent: Vec<u32>,
    entry_mark: Vec<u32>,
    entry_open: Vec<u32>,
    /// Goals reached.
    pub(crate) goals: Vec<u32>,
}

impl<'a> Reach<'a> {
    pub(crate) fn new(draws: &'a Draws<'a>) -> Self {
        let network = draws.network;
        let nodes = network.node_count();
        let mut reached = vec![0; nodes];
        network.entries.certain.iter().for_each(|node| reached[*node as usize] = ALWAYS);
        Self {
            draws,
            network,
            run: 0,
            reached,
            waits: vec![(0, 0); if network.has_joins { nodes } else { 0 }],
            queue: Vec::new(),
            parent: vec![NONE; nodes],
            entry_mark: vec![0; network.entries.variables.len()],
            entry_open: Vec::new(),
            goals: Vec::new(),
        }
    }

    /// Reaches breadth first, as if nobody noticed; says whether anything was lost.
    ///
    /// The world is one of those in which at least one entry is open, unless some loss is certain.
    pub(crate) fn run(&mut self, world: u64, block: &Block) -> bool {
        self.run += 1;
        self.queue.clear();
        self.goals.clear();
        self.goals.extend_from_slice(&self.network.entries.goals);
        self.open_entries(world, block);
        for at in 0..self.entry_open.len() {
            let entry = self.entry_open[at] as usize;
            let entries = &self.network.entries;
            let start = entries.edges_start[entry] as usize;
            for (place, edge) in entries.edges(entry).iter().enumerate() {
                let other = self.draws.entry_needs[start + place];
                if other.group == NONE || self.holds(other, world, block) {
                    self.enter(*edge, world, block);
                }
            }
        }
        let mut next = 0;
        while let Some(node) = self.queue.get(next).copied() {
            next += 1;
            self.walk_from(node, world, block);
        }
        !self.goals.is_empty()
    }

    /// Draws which entries are open by jumping from one to the next, so that a rare entry costs
    /// nothing: hazards add up along the list, and the gaps between open ones are exponential.
    fn open_entries(&mut self, world: u64, block: &Block) {
        const JUMPS: u64 = 0x6a75_6d70;
        self.entry_open.clear();
        let total = block.hazard.last().copied().unwrap_or(0.0);
        if total <= 0.0 {
            return;
        }
        let uniform = |jump: u64| draw::uniform(self.draws.seed ^ jump, JUMPS, world);
        let is_conditional = self.network.entries.goals.is_empty();
        let first = -(-uniform(0) * if is_conditional { block.any } else { 1.0 }).ln_1p();
        // Rounding must not carry the first one past the end.
        let mut at = if is_conditional { first.min(total * (1.0 - 1e-15)) } else { first };
        for jump in 1.. {
            let entry = block.hazard.partition_point(|hazard| *hazard <= at) - 1;
            if entry >= self.entry_mark.len() {
                return;
            }
            self.entry_mark[entry] = self.run;
            self.entry_open.push(number(entry));
            at = block.hazard[entry + 1] - (-uniform(jump)).ln_1p();
        }
    }

    /// Takes a step out of the certain part.
    fn enter(&mut self, edge: u32, world: u64, block: &Block) {
        let to = self.network.to[edge as usize];
        if !self.is_marked(to) && self.is_open(edge, world, block) {
            self.arrive(to, edge | ENTRY);
        }
    }

    /// Takes every open step from a node.
    fn walk_from(&mut self, node: u32, world: u64, block: &Block) {
        let walk = &self.network.walk;
        let Range { start: mut at, end } = walk.out(node);
        while at < end {
            let group = at..at + walk.steps[at].group as usize;
            at = group.end;
            let first = walk.steps[group.start].needs[0];
            if first != NONE && !self.is_true(first, world, block) {
                continue;
            }
            for place in group {
                let step = walk.steps[place];
                let is_open = match step.needs[1] {
                    NONE => true,
                    MORE => self.is_open(walk.edge[place], world, block),
                    second => self.is_true(second, world, block),
                };
                if is_open && !self.is_marked(step.to) {
                    self.arrive(step.to, number(place));
                }
            }
        }
    }

    fn arrive(&mut self, node: u32, by: u32) {
        if !self.all_met(node) {
            return;
        }
        let at = node as usize;
        self.reached[at] = self.run;
        self.parent[at] = by;
        self.queue.push(node);
        let goal = self.network.goal_of[at];
        if goal != NONE {
            self.goals.push(goal);
        }
    }

    /// Whether all variables of an edge are true in this world.
    fn is_open(&self, edge: u32, world: u64, block: &Block) -> bool {
        self.network.needs(edge).iter().all(|it| self.is_true(*it, world, block))
    }

    #[inline]
    fn is_true(&self, variable: u32, world: u64, block: &Block) -> bool {
        self.holds(self.draws.variables[variable as usize], world, block)
    }

    #[inline]
    fn holds(&self, it: Drawn, world: u64, block: &Block) -> bool {
        match it.entry {
            NONE => draw::mix(it.key.wrapping_add(world)) >> 1 < block.threshold[it.group as usize],
            entry => self.entry_mark[entry as usize] == self.run,
        }
    }

    /// Counts a met step of a node that needs all of them.
    fn all_met(&mut self, node: u32) -> bool {
        if !self.network.has_joins {
            return true;
        }
        let needed = self.network.needs_all[node as usize];
        if needed == 0 {
            return true;
        }
        let (run, met) = self.waits[node as usize];
        let certain = || self.network.entries.met.get(&node).copied().unwrap_or(0);
        let met = if run == self.run { met + 1 } else { certain() + 1 };
        self.waits[node as usize] = (self.run, met);
        met >= needed
    }

    #[inline]
    fn is_marked(&self, node: u32) -> bool {
        let mark = self.reached[node as usize];
        mark == self.run || mark == ALWAYS
    }

    fn is_reached(&self, node: u32) -> bool {
        let before =
            || self.network.edges_into(node).iter().map(|it| self.network.from[*it as usize]);
        self.is_marked(node)
            || (self.network.walk.passes(node) && before().any(|it| self.is_marked(it)))
    }

    /// The steps by which a node was reached, from its source on.
    pub(crate) fn path(&self, node: u32) -> Vec<u32> {
        let network = self.network;
        let mut path = Vec::new();
        let mut at = node;
        loop {
            let by = match network.entries.inside[at as usize] {
                true => network.entries.parent[at as usize],
                false => self.parent[at as usize],
            };
            if by == NONE {
                break;
            }
            let is_edge = network.entries.inside[at as usize] || by & ENTRY != 0;
            let (edge, via) = match is_edge {
                true => (by & !ENTRY, NONE),
                false => (network.walk.edge[by as usize], network.walk.via[by as usize]),
            };
            path.push(edge);
            path.extend(Some(via).filter(|via| *via != NONE));
            at = network.from[path[path.len() - 1] as usize];
        }
        path.reverse();
        path
    }

    /// What of this world matters to its losses: every open step on a way to one of them, and with
    /// `timed` every step to a place where somebody might notice.
    pub(crate) fn local(
        &self,
        world: u64,
        block: &Block,
        timed: bool,
        room: &mut Room,
        local: &mut Local,
    ) {
        room.run += 1;
        room.stack.clear();
        local.clear();
        let goals = self.goals.iter().map(|goal| self.network.goal_nodes[*goal as usize]);
        let watched = self.network.sensors.iter().filter(|_| timed).flat_map(|it| &it.watches);
        for node in goals.chain(watched.copied().filter(|node| self.is_reached(*node))) {
            room.number(node, local);
        }
        let mut raw = std::mem::take(&mut room.raw);
        raw.clear();
        while let Some(node) = room.stack.pop() {
            let to = room.place[node as usize];
            for edge in self.network.edges_into(node) {
                let from = self.network.from[*edge as usize];
                if self.is_reached(from) && self.is_open(*edge, world, block) {
                    raw.push((room.number(from, local), to, *edge));
                }
            }
        }
        local.finish(self, &mut raw, room);
        room.raw = raw;
    }
}

/// Room to number the nodes of local graphs, allocated once.
pub(crate) struct Room {
    run: u32,
    mark: Vec<u32>,
    place: Vec<u32>,
    stack: Vec<u32>,
    /// Ends of each step, and the step.
    raw: Vec<(u32, u32, u32)>,
}

impl Room {
    pub(crate) fn new(nodes: usize) -> Self {
        Self {
            run: 0,
            mark: vec![0; nodes],
            place: vec![0; nodes],
            stack: Vec::new(),
            raw: Vec::new(),
        }
    }

    /// The place of a node in the local graph; a new one is looked at later.
    fn number(&mut self, node: u32, local: &mut Local) -> u32 {
        let at = node as usize;
        if self.mark[at] != self.run {
            self.mark[at] = self.run;
            self.place[at] = number(local.nodes.len());
            local.nodes.push(node);
            self.stack.push(node);
        }
        self.place[at]
    }
}

/// The open steps of one world that matter to its losses.
#[derive(Clone, Default)]
pub(crate) struct Local {
    /// Nodes of the network, by place here.
    pub(crate) nodes: Vec<u32>,
    /// Edges by the node they start from.
    pub(crate) start: Vec<u32>,
    pub(crate) from: Vec<u32>,
    pub(crate) to: Vec<u32>,
    /// Edges of the network, by place here.
    pub(crate) edges: Vec<u32>,
    pub(crate) sources: Vec<u32>,
    /// Place and number of each goal reached; they have the first places.
    pub(crate) goals: Vec<(u32, u32)>,
    /// For nodes that need all steps, how many; zero for the others. Empty when there are none.
    pub(crate) needs_all: Vec<u32>,
}

impl Local {
    pub(crate) fn clear(&mut self) {
        let Self { nodes, start, from, to, edges, sources, goals, needs_all } = self;
        [nodes, start, from, to, edges, sources, needs_all].into_iter().for_each(Vec::clear);
        goals.clear();
    }

    fn finish(&mut self, reach: &Reach<'_>, raw: &mut [(u32, u32, u32)], room: &Room) {
        let network = reach.network;
        raw.sort_unstable();
        self.start.resize(self.nodes.len() + 1, 0);
        for (from, to, edge) in raw.iter().copied() {
            self.start[from as usize + 1] += 1;
            self.from.push(from);
            self.to.push(to);
            self.edges.push(edge);
        }
        for at in 1..self.start.len() {
            self.start[at] += self.start[at - 1];
        }
        let is_here = |node: &&u32| room.mark[**node as usize] == room.run;
        let place = |node: &u32| room.place[*node as usize];
        self.sources.extend(network.sources.iter().filter(is_here).map(place));
        let goal = |goal: &u32| (place(&network.goal_nodes[*goal as usize]), *goal);
        self.goals.extend(reach.goals.iter().map(goal));
        if network.has_joins {
            let needed = |node: &u32| network.needs_all[*node as usize];
            self.needs_all.extend(self.nodes.iter().map(needed));
        }
    }

    /// Places of the edges that start at a node.
    pub(crate) fn out(&self, node: u32) -> Range<usize> {
        self.start[node as usize] as usize..self.start[node as usize + 1] as usize
    }

    /// Finds the goals still reached when some edges are closed.
    pub(crate) fn goals_left(&self, closed: &[bool], room: &mut LocalRoom, goals: &mut Vec<u32>) {
        room.reset(self.nodes.len());
        for source in &self.sources {
            room.reach(*source);
        }
        let mut next = 0;
        while let Some(node) = room.queue.get(next).copied() {
            next += 1;
            for edge in self.out(node).filter(|edge| !closed[*edge]) {
                let to = self.to[edge] as usize;
                let needed = self.needs_all.get(to).copied().unwrap_or(0);
                room.met[to] += 1;
                if room.met[to] >= needed {
                    room.reach(self.to[edge]);
                }
            }
        }
        let reached = |(place, goal): &(u32, u32)| room.reached[*place as usize].then_some(*goal);
        goals.clear();
        goals.extend(self.goals.iter().filter_map(reached));
    }
}

/// Room for runs on local graphs.
#[derive(Default)]
pub(crate) struct LocalRoom {
    reached: Vec<bool>,
    met: Vec<u32>,
    queue: Vec<u32>,
}

impl LocalRoom {
    fn reset(&mut self, nodes: usize) {
        self.reached.clear();
        self.reached.resize(nodes, false);
        self.met.clear();
        self.met.resize(nodes, 0);
        self.queue.clear();
    }

    fn reach(&mut self, node: u32) {
        if !std::mem::replace(&mut self.reached[node as usize], true) {
            self.queue.push(node);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Goal, NetworkBuilder};
    use polder_model::Delay;
    use proptest::prelude::*;

    const NODES: u32 = 14;

    /// Steps as ends and up to three variables, and nodes that need all of theirs.
    type Spec = (Vec<(u32, u32, Vec<u32>)>, Vec<bool>);

    fn network(spec: &Spec) -> Network {
        let mut builder = NetworkBuilder::default();
        for at in 0..NODES {
            builder.node(u64::from(at));
        }
        for at in 0..6 {
            builder.variable(100 + at, polder_model::Range::exactly(0.15 + 0.12 * at as f64));
        }
        builder.source(0);
        for (at, _) in spec.1.iter().enumerate().filter(|(_, it)| **it) {
            builder.needs_all(number(at));
        }
        for (from, to, needs) in &spec.0 {
            builder.edge(*from, *to, needs, Delay::Minutes);
        }
        for goal in [NODES - 1, NODES - 2, 5] {
            builder.goal(goal, Goal::server());
        }
        builder.build()
    }

    fn spec() -> impl Strategy<Value = Spec> {
        // Most steps are certain, so that most graphs have nodes that are only passed.
        let needs = prop_oneof![3 => Just(Vec::new()), 4 => prop::collection::vec(0_u32..6, 1..4)];
        let step = (0..NODES, 1..NODES, needs);
        let all = prop::collection::vec(prop::bool::weighted(0.1), NODES as usize);
        (prop::collection::vec(step, 8..30), all)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]
        #[test]
        fn a_walk_reaches_what_the_definition_reaches(spec in spec()) {
            let network = network(&spec);
            let draws = Draws::new(&network, 7);
            let block = draws.block(0);
            let mut reach = Reach::new(&draws);
            let mut room = Room::new(network.node_count());
            let has_entries = !network.entries.variables.is_empty();
            for world in 0..if has_entries { 20 } else { 1 } {
                reach.run(world, &block);
                let is_open = |edge: u32| reach.is_open(edge, world, &block);
                let wanted = network.reached_by_definition(&is_open);
                for node in 0..NODES {
                    prop_assert_eq!(reach.is_reached(node), wanted[node as usize], "node {}", node);
                }
                let mut goals = reach.goals.clone();
                goals.sort_unstable();
                let wanted: Vec<u32> =
                    (0..3).filter(|it| wanted[network.goal_nodes[*it as usize] as usize]).collect();
                prop_assert_eq!(&goals, &wanted);
                for goal in goals {
                    let mut at = 0;
                    for edge in reach.path(network.goal_nodes[goal as usize]) {
                        prop_assert!(reach.is_open(edge, world, &block));
                        prop_assert_eq!(network.from[edge as usize], at);
                        at = network.to[edge as usize];
                    }
                    prop_assert_eq!(at, network.goal_nodes[goal as usize]);
                }
                let mut local = Local::default();
                reach.local(world, &block, false, &mut room, &mut local);
                let mut left = Vec::new();
                let closed = vec![false; local.edges.len()];
                local.goals_left(&closed, &mut LocalRoom::default(), &mut left);
                prop_assert_eq!(left.len(), wanted.len());
            }
        }
    }
}
