//! One world: which steps are open, and what an attacker reaches.
#![expect(
    clippy::indexing_slicing,
    reason = "every index is made by `Compiled::new` for arrays of the same length"
)]

use crate::compile::{Compiled, Edit};
use crate::draw;

/// No edge: a node that is a source or was not reached.
const NONE: u32 = u32::MAX;

/// Room for one world after another, allocated once.
pub(crate) struct Reach<'a> {
    graph: &'a Compiled,
    seed: u64,
    /// Number of the current run; a mark of another run means "not yet".
    run: u32,
    reached: Vec<u32>,
    seen: Vec<(u32, bool)>,
    waits: Vec<(u32, u32)>,
    queue: Vec<usize>,
    /// The step by which each node was first reached.
    pub(crate) parent: Vec<u32>,
    /// Steps that were open and met.
    pub(crate) open: Vec<usize>,
}

/// Values that hold for a block of worlds.
pub(crate) struct Block {
    /// Probability of each variable.
    pub(crate) probability: Vec<f64>,
}

impl Block {
    /// Draws every parameter for block `number`.
    pub(crate) fn draw(graph: &Compiled, seed: u64, number: u64) -> Self {
        let probability = graph
            .variables
            .iter()
            .map(|it| draw::range(it.range, seed ^ 0x5eed, it.name, number).clamp(0.0, 1.0))
            .collect();
        Self { probability }
    }
}

/// A treatment with the shares that hold for a block.
pub(crate) struct BlockEdit<'a> {
    pub(crate) edit: &'a Edit,
    thinned: Vec<(usize, f64)>,
    thinned_edges: Vec<(usize, f64)>,
}

impl<'a> BlockEdit<'a> {
    pub(crate) fn draw(graph: &Compiled, edit: &'a Edit, seed: u64, number: u64) -> Self {
        let share = |name: u64, range| draw::range(range, seed ^ 0x7417, name, number);
        Self {
            edit,
            thinned: edit
                .thinned
                .iter()
                .map(|(at, range)| (*at, share(graph.variables[*at].name, *range)))
                .collect(),
            thinned_edges: edit
                .thinned_edges
                .iter()
                .map(|(at, range)| (*at, share(graph.edges[*at].name, *range)))
                .collect(),
        }
    }

    /// Whether the treatment closes this edge in this world. The second draw is the same for all
    /// treatments of one variable, so that a stronger one never opens what a weaker one closes.
    fn closes(&self, graph: &Compiled, edge: usize, seed: u64, world: u64) -> bool {
        if self.edit.touches.binary_search(&edge).is_err() {
            return false;
        }
        if self.edit.removed.contains(&edge) {
            return true;
        }
        let stays = |name: u64, nth: usize, share: f64| {
            draw::uniform(seed ^ 0x2b2b ^ nth as u64, name, world) < share
        };
        let edge_closed = self.thinned_edges.iter().enumerate().any(|(nth, (at, share))| {
            *at == edge
                && !stays(graph.edges[edge].name, self.nth(nth, &self.thinned_edges), *share)
        });
        edge_closed
            || graph.edges[edge].needs.iter().any(|need| {
                self.thinned.iter().enumerate().any(|(nth, (at, share))| {
                    at == need
                        && !stays(graph.variables[*need].name, self.nth(nth, &self.thinned), *share)
                })
            })
    }

    /// How many earlier entries are about the same thing: two treatments of one variable are two
    /// independent chances.
    fn nth(&self, at: usize, list: &[(usize, f64)]) -> usize {
        list[..at].iter().filter(|(other, _)| *other == list[at].0).count()
    }
}

impl<'a> Reach<'a> {
    pub(crate) fn new(graph: &'a Compiled, seed: u64) -> Self {
        Self {
            graph,
            seed,
            run: 0,
            reached: vec![0; graph.nodes.len()],
            seen: vec![(0, false); graph.variables.len()],
            waits: vec![(0, 0); graph.nodes.len()],
            queue: Vec::new(),
            parent: vec![NONE; graph.nodes.len()],
            open: Vec::new(),
        }
    }

    /// Reaches breadth first, and returns the goals reached as bits.
    pub(crate) fn run(&mut self, world: u64, block: &Block, edit: Option<&BlockEdit<'_>>) -> u64 {
        let graph = self.graph;
        self.run += 1;
        self.queue.clear();
        self.open.clear();
        let mut goals = 0_u64;
        for source in &graph.sources {
            self.reached[*source] = self.run;
            self.parent[*source] = NONE;
            self.queue.push(*source);
        }
        let mut next = 0;
        while next < self.queue.len() {
            let node = self.queue[next];
            next += 1;
            if let Some(goal) = graph.goal_of[node] {
                goals |= 1 << goal.min(63);
            }
            for edge in &graph.out[node] {
                let to = graph.edges[*edge].to;
                if !self.is_open(*edge, world, block) {
                    continue;
                }
                if edit.is_some_and(|it| it.closes(graph, *edge, self.seed, world)) {
                    continue;
                }
                self.open.push(*edge);
                if self.reached[to] == self.run || !self.all_met(to) {
                    continue;
                }
                self.reached[to] = self.run;
                self.parent[to] = u32::try_from(*edge).unwrap_or(NONE);
                self.queue.push(to);
            }
        }
        goals
    }

    fn is_open(&mut self, edge: usize, world: u64, block: &Block) -> bool {
        let graph = self.graph;
        graph.edges[edge].needs.iter().all(|need| {
            let (run, known) = self.seen[*need];
            if run == self.run {
                return known;
            }
            let name = graph.variables[*need].name;
            let is_true = draw::uniform(self.seed, name, world) < block.probability[*need];
            self.seen[*need] = (self.run, is_true);
            is_true
        })
    }

    /// Counts a met step of a node that needs all of them.
    fn all_met(&mut self, node: usize) -> bool {
        let needed = self.graph.needs_all[node];
        if needed == 0 {
            return true;
        }
        let (run, met) = self.waits[node];
        let met = if run == self.run { met + 1 } else { 1 };
        self.waits[node] = (self.run, met);
        met >= needed
    }

    /// The steps by which a node was reached, from its source on.
    pub(crate) fn path(&self, node: usize) -> Vec<usize> {
        let mut path = Vec::new();
        let mut at = node;
        while let Ok(edge) = usize::try_from(self.parent[at]) {
            let Some(step) = self.graph.edges.get(edge) else { break };
            path.push(edge);
            at = step.from;
        }
        path.reverse();
        path
    }
}
