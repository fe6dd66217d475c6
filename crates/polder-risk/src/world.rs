//! One world after another: which steps are open, and what an attacker reaches.
#![expect(
    clippy::indexing_slicing,
    reason = "every index is made by `NetworkBuilder` for arrays of the same length"
)]

use crate::draw::{self, Quantiles};
use crate::network::{NONE, Network, number};
use polder_model::Range;
use std::collections::HashMap;

/// A hazard no draw exceeds: the chance to go past it is one in 10^17.
const HAZARD_MAX: f64 = 40.0;

/// What all draws of one seed share.
pub(crate) struct Draws<'a> {
    pub(crate) network: &'a Network,
    pub(crate) seed: u64,
    /// Names of the variables, mixed with the seed.
    keys: Vec<u64>,
    tables: Vec<Quantiles>,
    /// Table of each variable; none where the probability is known exactly.
    table_of: Vec<u32>,
    exact: Vec<u64>,
}

/// Values that hold for a block of worlds.
pub(crate) struct Block {
    /// Probability of each variable, as a bound for 63 random bits.
    threshold: Vec<u64>,
    /// Summed hazard of the entries before each one, and of all of them.
    hazard: Vec<f64>,
    /// Probability that anything happens at all; one when some loss is certain.
    pub(crate) any: f64,
}

impl Block {
    /// Probability of a variable in this block.
    pub(crate) fn probability(&self, variable: usize) -> f64 {
        self.threshold[variable] as f64 / (1_u64 << 63) as f64
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0..=2^63")]
fn bound(probability: f64) -> u64 {
    (probability.clamp(0.0, 1.0) * (1_u64 << 63) as f64) as u64
}

impl<'a> Draws<'a> {
    pub(crate) fn new(network: &'a Network, seed: u64) -> Self {
        let mut places: HashMap<[u64; 3], u32> = HashMap::new();
        let mut tables = Vec::new();
        let mut table_of = Vec::with_capacity(network.variables.len());
        for Range { low, likely, high } in network.variables.iter().map(|it| it.range) {
            if high <= low {
                table_of.push(NONE);
                continue;
            }
            let key = [low.to_bits(), likely.to_bits(), high.to_bits()];
            let place = *places.entry(key).or_insert_with(|| {
                tables.push(Quantiles::new(Range { low, likely, high }));
                number(tables.len() - 1)
            });
            table_of.push(place);
        }
        Self {
            network,
            seed,
            keys: network.variables.iter().map(|it| draw::mix(seed ^ it.name)).collect(),
            tables,
            table_of,
            exact: network.variables.iter().map(|it| bound(it.range.likely)).collect(),
        }
    }

    /// Draws every parameter for block `number`.
    pub(crate) fn block(&self, number: u64) -> Block {
        let mut threshold = self.exact.clone();
        for (at, table) in self.table_of.iter().enumerate().filter(|(_, it)| **it != NONE) {
            let parameter = self.network.variables[at].parameter;
            let quantile = draw::uniform(self.seed ^ 0x5eed, parameter, number);
            threshold[at] = bound(self.tables[*table as usize].at(quantile));
        }
        let mut block = Block { threshold, hazard: vec![0.0], any: 1.0 };
        let mut sum = 0.0;
        for variable in &self.network.entries.variables {
            let probability = block.probability(*variable as usize);
            sum += (-(-probability).ln_1p()).min(HAZARD_MAX);
            block.hazard.push(sum);
        }
        if self.network.entries.goals.is_empty() {
            block.any = -(-sum).exp_m1();
        }
        block
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
    /// The edge by which each node was first reached.
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
        Self {
            draws,
            network,
            run: 0,
            reached: vec![0; nodes],
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
            for edge in self.network.entries.edges(entry) {
                self.step(*edge, world, block);
            }
        }
        let mut next = 0;
        while let Some(node) = self.queue.get(next).copied() {
            next += 1;
            for edge in self.network.out(node) {
                self.step(edge, world, block);
            }
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

    fn step(&mut self, edge: u32, world: u64, block: &Block) {
        let to = self.network.to[edge as usize];
        let at = to as usize;
        if self.reached[at] == self.run || self.network.entries.inside[at] {
            return;
        }
        if !self.is_open(edge, world, block) || !self.all_met(to) {
            return;
        }
        self.reached[at] = self.run;
        self.parent[at] = edge;
        self.queue.push(to);
        let goal = self.network.goal_of[at];
        if goal != NONE {
            self.goals.push(goal);
        }
    }

    /// Whether all variables of a step are true in this world.
    fn is_open(&self, edge: u32, world: u64, block: &Block) -> bool {
        self.network.needs(edge).iter().all(|variable| {
            let at = *variable as usize;
            match self.network.entries.of[at] {
                NONE => {
                    draw::mix(self.draws.keys[at].wrapping_add(world)) >> 1 < block.threshold[at]
                }
                entry => self.entry_mark[entry as usize] == self.run,
            }
        })
    }

    /// Counts a met step of a node that needs all of them.
    fn all_met(&mut self, node: u32) -> bool {
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

    fn is_reached(&self, node: u32) -> bool {
        self.reached[node as usize] == self.run || self.network.entries.inside[node as usize]
    }

    /// The steps by which a node was reached, from its source on.
    pub(crate) fn path(&self, node: u32) -> Vec<u32> {
        let mut path = Vec::new();
        let mut at = node;
        loop {
            let edge = match self.network.entries.inside[at as usize] {
                true => self.network.entries.parent[at as usize],
                false => self.parent[at as usize],
            };
            if edge == NONE {
                break;
            }
            path.push(edge);
            at = self.network.from[edge as usize];
        }
        path.reverse();
        path
    }

    /// What of this world matters to its losses: every open step on a way to one of them, and with
    /// `timed` every step to a place where somebody might notice.
    pub(crate) fn local(&self, world: u64, block: &Block, timed: bool, room: &mut Room) -> Local {
        room.run += 1;
        room.stack.clear();
        let mut local = Local::default();
        let goals = self.goals.iter().map(|goal| self.network.goal_nodes[*goal as usize]);
        let watched = self.network.sensors.iter().filter(|_| timed).flat_map(|it| &it.watches);
        for node in goals.chain(watched.copied().filter(|node| self.is_reached(*node))) {
            room.number(node, &mut local);
        }
        let mut raw: Vec<(u32, u32, u32)> = Vec::new();
        while let Some(node) = room.stack.pop() {
            let to = room.place[node as usize];
            for edge in self.network.into(node) {
                let from = self.network.from[*edge as usize];
                if self.is_reached(from) && self.is_open(*edge, world, block) {
                    raw.push((room.number(from, &mut local), to, *edge));
                }
            }
        }
        local.finish(self, raw, room);
        local
    }
}

/// Room to number the nodes of local graphs, allocated once.
pub(crate) struct Room {
    run: u32,
    mark: Vec<u32>,
    place: Vec<u32>,
    stack: Vec<u32>,
}

impl Room {
    pub(crate) fn new(nodes: usize) -> Self {
        Self { run: 0, mark: vec![0; nodes], place: vec![0; nodes], stack: Vec::new() }
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
    /// Place and number of each goal reached.
    pub(crate) goals: Vec<(u32, u32)>,
    /// For nodes that need all steps, how many; zero for the others. Empty when there are none.
    pub(crate) needs_all: Vec<u32>,
}

impl Local {
    fn finish(&mut self, reach: &Reach<'_>, mut raw: Vec<(u32, u32, u32)>, room: &Room) {
        let network = reach.network;
        raw.sort_unstable();
        self.start = vec![0; self.nodes.len() + 1];
        for (from, to, edge) in raw {
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
        self.sources = network.sources.iter().filter(is_here).map(place).collect();
        self.goals = reach
            .goals
            .iter()
            .map(|goal| (place(&network.goal_nodes[*goal as usize]), *goal))
            .collect();
        if network.has_joins {
            self.needs_all =
                self.nodes.iter().map(|node| network.needs_all[*node as usize]).collect();
        }
    }

    /// Places of the edges that start at a node.
    pub(crate) fn out(&self, node: u32) -> std::ops::Range<usize> {
        self.start[node as usize] as usize..self.start[node as usize + 1] as usize
    }

    /// The goals still reached when some edges are closed.
    pub(crate) fn goals_left(&self, closed: &[bool], room: &mut LocalRoom) -> Vec<u32> {
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
        self.goals.iter().filter_map(reached).collect()
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
