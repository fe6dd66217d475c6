//! What treatments do to a network: which steps each one closes in a world.

use crate::compile::Compiled;
use crate::draw::{self, Quantiles};
use crate::network::{Goal, Network, NetworkBuilder, number};
use crate::world::{Draws, Local};
use polder_model::{Basis, Op, Range, Restore, Treatment};
use std::collections::{HashMap, HashSet};

/// What one treatment does, in numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edit {
    /// A number for the treatment that stays the same for ever.
    pub name: u64,
    /// Edges that are gone.
    pub removed: Vec<u32>,
    /// Variables that stay true only in a share of worlds; zero closes them.
    pub thinned: Vec<(u32, Range)>,
    /// Edges that stay open only in a share of worlds.
    pub thinned_edges: Vec<(u32, Range)>,
    /// Edges that take so many classes of time longer.
    pub slowed: Vec<(u32, u8)>,
    /// Sensors with the probability that they notice and the hours until somebody has acted.
    pub notices: Vec<(u32, Range, Range)>,
    /// Goals of which only a share remains.
    pub scaled: Vec<(u32, Range)>,
    /// How a host is brought back from then on.
    pub restore: Option<Restore>,
}

impl Edit {
    /// A treatment in numbers; what it names and the graph has not is passed over.
    pub(crate) fn of(compiled: &Compiled, treatment: &Treatment) -> Self {
        let mut edit = Self { name: draw::name(&treatment.id.0), ..Self::default() };
        for op in &treatment.ops {
            match op {
                Op::Remove { edge } => edit.removed.extend(compiled.edge(edge)),
                Op::Close { variable } => edit
                    .thinned
                    .extend(compiled.variable(variable).map(|it| (it, Range::exactly(0.0)))),
                Op::Thin { variable, factor } => {
                    edit.thinned.extend(compiled.variable(variable).map(|it| (it, *factor)));
                }
                Op::ThinEdge { edge, factor } => {
                    edit.thinned_edges.extend(compiled.edge(edge).map(|it| (it, *factor)));
                }
                Op::Slow { edge, classes } => {
                    edit.slowed.extend(compiled.edge(edge).map(|it| (it, *classes)));
                }
                Op::Notice { sensor, notices, hours } => {
                    let sensor = compiled.sensor(sensor);
                    edit.notices.extend(sensor.map(|it| (it, *notices, *hours)));
                }
                Op::Scale { node, factor } => {
                    edit.scaled.extend(compiled.goal(node).map(|it| (it, *factor)));
                }
                Op::Restore { hours, drills } => {
                    edit.restore = Some(Restore { hours: *hours, drills: *drills });
                }
            }
        }
        edit
    }

    /// Whether it can matter in every world with a loss, whatever steps are open there.
    pub(crate) fn is_global(&self) -> bool {
        self.restore.is_some() || !self.scaled.is_empty() || self.changes_time()
    }

    /// Whether it changes when something happens.
    pub(crate) fn changes_time(&self) -> bool {
        !self.slowed.is_empty() || !self.notices.is_empty()
    }
}

impl Network {
    /// The same network after some treatments: each thinning is one more variable that the steps it
    /// touches need. Sizes shrink by their mean; restores are left as they are.
    pub(crate) fn edited(&self, edits: &[&Edit]) -> Network {
        let mut builder = NetworkBuilder::default();
        self.node_names.iter().for_each(|name| {
            builder.node(*name);
        });
        self.sources.iter().for_each(|source| builder.source(*source));
        for it in &self.variables {
            builder.variable_of(it.name, it.parameter, it.range, it.basis);
        }
        let mut more_of: HashMap<(bool, u32), Vec<u32>> = HashMap::new();
        for edit in edits {
            let edges = edit.thinned_edges.iter().map(|(at, range)| {
                ((true, *at), *range, draw::mix(edit.name ^ self.edge_name(*at)))
            });
            let variables = edit.thinned.iter().map(|(at, range)| {
                let name = self.variables.get(*at as usize).map_or(0, |it| it.name);
                ((false, *at), *range, draw::mix(edit.name ^ name))
            });
            for (key, range, name) in edges.chain(variables) {
                let fresh = builder.variable_of(name, name, range, Basis::Judgement);
                more_of.entry(key).or_default().push(fresh);
            }
        }
        let removed: HashSet<u32> = edits.iter().flat_map(|it| &it.removed).copied().collect();
        let never = match removed.is_empty() {
            true => None,
            false => Some(builder.variable(draw::name("never"), Range::exactly(0.0))),
        };
        for (at, (from, to)) in self.from.iter().zip(&self.to).enumerate() {
            let at = number(at);
            let mut needs = self.needs(at).to_vec();
            let own = self.needs(at).iter().map(|it| (false, *it)).chain([(true, at)]);
            needs.extend(own.filter_map(|key| more_of.get(&key)).flatten());
            needs.extend(never.filter(|_| removed.contains(&at)));
            let slower = edits.iter().flat_map(|it| &it.slowed).filter(|(edge, _)| *edge == at);
            let slower = slower.fold(0, |all: u8, (_, classes)| all.saturating_add(*classes));
            let delay = self.delay.get(at as usize).copied().unwrap_or_default().slower(slower);
            builder.edge(*from, *to, &needs, delay);
        }
        for (node, needed) in self.needs_all.iter().enumerate() {
            if *needed > 0 {
                builder.needs_all(number(node));
            }
        }
        for (at, (node, goal)) in self.goal_nodes.iter().zip(&self.goals).enumerate() {
            let scaled = edits.iter().flat_map(|it| &it.scaled).filter(|(it, _)| *it == number(at));
            let share: f64 = scaled.map(|(_, factor)| factor.mean()).product();
            let records = goal.records.iter().map(|(class, count)| (*class, count * share));
            let (weight, records) = (goal.weight * share, records.collect());
            builder.goal(*node, Goal { weight, records, ..goal.clone() });
        }
        for (at, it) in self.sensors.iter().enumerate() {
            let given = edits.iter().flat_map(|it| &it.notices);
            let given = given.filter(|(sensor, ..)| *sensor == number(at));
            let best = given.min_by(|a, b| a.2.mean().total_cmp(&b.2.mean()));
            let (notices, hours) = best.map_or((it.notices, it.hours), |it| (it.1, it.2));
            builder.sensor(it.name, it.watches.clone(), notices, hours);
        }
        builder.build()
    }
}

/// How one treatment closes a step.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Removes,
    /// With the share of this place.
    Thins(u32),
}

/// Several treatments, ready to be asked which of them close which steps.
pub(crate) struct Edits {
    by_edge: Vec<(u32, u32, Way)>,
    by_variable: Vec<(u32, u32, Way)>,
    shares: Vec<(Quantiles, u64)>,
    edge_touched: Bits,
    variable_touched: Bits,
}

/// Shares that hold for a block.
pub(crate) struct Shares(Vec<f64>);

impl Edits {
    pub(crate) fn new(network: &Network, list: &[Edit]) -> Self {
        let mut it = Self {
            by_edge: Vec::new(),
            by_variable: Vec::new(),
            shares: Vec::new(),
            edge_touched: Bits::new(network.edge_count()),
            variable_touched: Bits::new(network.variables.len()),
        };
        for (treatment, edit) in list.iter().enumerate() {
            let treatment = number(treatment);
            for edge in &edit.removed {
                it.by_edge.push((*edge, treatment, Way::Removes));
            }
            for (edge, range) in &edit.thinned_edges {
                let way = it.way(*range, edit.name ^ network.edge_name(*edge));
                it.by_edge.push((*edge, treatment, way));
            }
            for (variable, range) in &edit.thinned {
                let name = network.variables.get(*variable as usize).map_or(0, |it| it.name);
                let way = it.way(*range, edit.name ^ name);
                it.by_variable.push((*variable, treatment, way));
            }
        }
        it.by_edge.sort_unstable();
        it.by_variable.sort_unstable();
        it.by_edge.iter().for_each(|(edge, ..)| it.edge_touched.set(*edge));
        it.by_variable.iter().for_each(|(variable, ..)| it.variable_touched.set(*variable));
        it
    }

    fn way(&mut self, range: Range, name: u64) -> Way {
        if range.high <= 0.0 {
            return Way::Removes;
        }
        self.shares.push((Quantiles::new(range), draw::mix(name)));
        Way::Thins(number(self.shares.len() - 1))
    }

    pub(crate) fn shares(&self, draws: &Draws<'_>, block: u64) -> Shares {
        let share = |(table, name): &(Quantiles, u64)| draws.share(table, *name, block);
        Shares(self.shares.iter().map(share).collect())
    }

    /// Every treatment that closes something in this world, with the place of the step.
    ///
    /// Two treatments of one thing are two independent chances: each has its own draws.
    pub(crate) fn closers(
        &self,
        draws: &Draws<'_>,
        local: &Local,
        world: u64,
        shares: &Shares,
        closers: &mut Vec<(u32, u32)>,
    ) {
        closers.clear();
        let closes = |way: Way| match way {
            Way::Removes => true,
            Way::Thins(at) => {
                let share = shares.0.get(at as usize).copied().unwrap_or(1.0);
                let name = self.shares.get(at as usize).map_or(0, |it| it.1);
                draws.uniform(name ^ 0x2b2b, world) >= share
            }
        };
        for (place, edge) in local.edges.iter().enumerate() {
            let mut note = |list: &[(u32, u32, Way)], key: u32| {
                let first = list.partition_point(|(it, ..)| *it < key);
                for (_, treatment, way) in list.iter().skip(first).take_while(|(it, ..)| *it == key)
                {
                    if closes(*way) {
                        closers.push((*treatment, number(place)));
                    }
                }
            };
            if self.edge_touched.has(*edge) {
                note(&self.by_edge, *edge);
            }
            for variable in draws.network.needs(*edge) {
                if self.variable_touched.has(*variable) {
                    note(&self.by_variable, *variable);
                }
            }
        }
        closers.sort_unstable();
        closers.dedup();
    }
}

/// A set of small numbers.
struct Bits(Vec<u64>);

impl Bits {
    fn new(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    fn set(&mut self, at: u32) {
        if let Some(word) = self.0.get_mut(at as usize / 64) {
            *word |= 1 << (at % 64);
        }
    }

    fn has(&self, at: u32) -> bool {
        self.0.get(at as usize / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }
}
