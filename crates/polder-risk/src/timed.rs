//! A world in time: when each capability is reached, and when somebody notices.
#![expect(
    clippy::indexing_slicing,
    reason = "every index is a place of the local graph it belongs to"
)]

use crate::compile::delay_hours;
use crate::draw::{self, Quantiles};
use crate::effect::Edit;
use crate::network::{NONE, number};
use crate::world::{Draws, Local};
use polder_model::{Delay, Range};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// Sensors with tables for their ranges.
pub(crate) struct Watch {
    /// For each sensor: its own values, then those some treatment would give it.
    sensors: Vec<Vec<Values>>,
    /// Sensors that see each node, as a mask; the last bit stands for all from there on.
    seen_by: Vec<u64>,
    /// What the draw of each edge's time hangs on; empty where time does not matter.
    edge_names: Vec<u64>,
    /// For each treatment: sensor and place in its list.
    replaced: Vec<Vec<(usize, usize)>>,
}

struct Values {
    notices: Quantiles,
    hours: Quantiles,
    hours_mean: f64,
}

impl Values {
    fn new(notices: Range, hours: Range) -> Self {
        let (notices, hours_mean) = (Quantiles::new(notices), hours.mean());
        Self { notices, hours: Quantiles::new(hours), hours_mean }
    }
}

impl Watch {
    pub(crate) fn new(draws: &Draws<'_>, edits: &[Edit]) -> Self {
        let mut sensors: Vec<Vec<Values>> = draws
            .network
            .sensors
            .iter()
            .map(|it| vec![Values::new(it.notices, it.hours)])
            .collect();
        let mut replaced = Vec::new();
        for edit in edits {
            let mut places = Vec::new();
            for (sensor, notices, hours) in &edit.notices {
                if let Some(list) = sensors.get_mut(*sensor as usize) {
                    places.push((*sensor as usize, list.len()));
                    list.push(Values::new(*notices, *hours));
                }
            }
            replaced.push(places);
        }
        let mut seen_by = vec![0; draws.network.node_count()];
        for (at, sensor) in draws.network.sensors.iter().enumerate() {
            sensor.watches.iter().for_each(|node| seen_by[*node as usize] |= 1_u64 << at.min(63));
        }
        let is_timed = draws.network.is_timed() || edits.iter().any(Edit::changes_time);
        let edges = if is_timed { number(draws.network.edge_count()) } else { 0 };
        let edge_names =
            (0..edges).map(|it| draw::mix(draws.seed ^ draws.network.edge_name(it) ^ 0xde1a));
        Self { sensors, replaced, seen_by, edge_names: edge_names.collect() }
    }

    /// Whether any sensor notices anything in a world, whatever treatment is chosen.
    pub(crate) fn matters(&self, draws: &Draws<'_>, world: u64, block: u64) -> bool {
        draws.network.sensors.iter().zip(&self.sensors).any(|(sensor, list)| {
            let shared = draw::uniform(draws.seed ^ 0x5eed, sensor.name, block);
            let draw = draws.uniform(sensor.name, world);
            list.iter().any(|it| draw < it.notices.at(shared))
        })
    }
}

/// When things happen in one world.
#[derive(Clone)]
pub(crate) struct Times {
    /// Hours each step takes, by place.
    hours: Vec<f64>,
    /// Hours after which somebody acts when a node is reached; infinite when nobody does.
    acts: Vec<f64>,
    /// Whether anybody acts at all.
    somebody: bool,
}

impl Times {
    /// Whether all goals that can be reached are reached, whenever that is.
    pub(crate) fn nobody_acts(&self) -> bool {
        !self.somebody
    }
}

/// Room for runs in time, allocated once.
#[derive(Default)]
pub(crate) struct ClockRoom {
    /// By places of the local graph.
    seen: Vec<Seen>,
    /// Steps met so far and the latest of them, for nodes that need all of theirs.
    met: Vec<(u32, f64)>,
    heap: BinaryHeap<Reverse<(u64, u32)>>,
    /// Nodes reached at the present moment: most steps take no time.
    now: VecDeque<u32>,
    /// When somebody acts, for treatments that change it.
    acts: Vec<f64>,
}

/// What is known of a node in one run.
#[derive(Clone, Copy)]
struct Seen {
    /// Hours until it is reached, as far as is known.
    arrival: f64,
    /// The step by which it is.
    parent: u32,
    /// Whether it has been passed.
    is_done: bool,
}

impl ClockRoom {
    fn reset(&mut self, local: &Local) {
        let unseen = Seen { arrival: f64::INFINITY, parent: NONE, is_done: false };
        self.seen.clear();
        self.seen.resize(local.nodes.len(), unseen);
        self.met.clear();
        self.met.resize(local.needs_all.len(), (0, 0.0));
        self.heap.clear();
        self.now.clear();
    }

    /// Takes the node that is reached next.
    fn next(&mut self) -> Option<u32> {
        self.now.pop_front().or_else(|| self.heap.pop().map(|Reverse((_, node))| node))
    }

    /// Notes that a node is reached at `then`, which is not before `now`.
    fn later(&mut self, node: u32, now: f64, then: f64) {
        match then > now {
            // Times are not negative, so their bits are in the order of their values.
            true => self.heap.push(Reverse((then.to_bits(), node))),
            false => self.now.push_back(node),
        }
    }

    /// The steps to a node in the last run, as edges of the network.
    pub(crate) fn path(&self, local: &Local, place: u32) -> Vec<u32> {
        let mut path = Vec::new();
        let mut at = place;
        while self.seen[at as usize].parent != NONE {
            let edge = self.seen[at as usize].parent as usize;
            path.push(local.edges[edge]);
            at = local.from[edge];
        }
        path.reverse();
        path
    }
}

/// One world, with the times at which things happen.
pub(crate) struct Clock<'a> {
    pub(crate) draws: &'a Draws<'a>,
    pub(crate) watch: &'a Watch,
    pub(crate) edits: &'a [Edit],
    pub(crate) local: &'a Local,
    pub(crate) world: u64,
    pub(crate) block: u64,
}

impl Clock<'_> {
    /// Finds the goals reached in the order of time until somebody has acted.
    ///
    /// `as_is` are the times without treatments; `treatments` are numbers of edits.
    pub(crate) fn run(
        &self,
        as_is: &Times,
        closed: &[bool],
        treatments: &[u32],
        room: &mut ClockRoom,
        goals: &mut Vec<u32>,
    ) {
        let edits = || treatments.iter().map(|at| &self.edits[*at as usize]);
        let slower = edits().any(|it| !it.slowed.is_empty()).then(|| self.hours(treatments));
        let hours = slower.as_deref().unwrap_or(&as_is.hours);
        let mut own = std::mem::take(&mut room.acts);
        let is_noticed_otherwise = edits().any(|it| !it.notices.is_empty());
        if is_noticed_otherwise {
            self.acts(treatments, &mut own);
        }
        let acts = if is_noticed_otherwise { &own } else { &as_is.acts };
        let local = self.local;
        room.reset(local);
        let mut end = f64::INFINITY;
        let mut goals_left = local.goals.len();
        for source in &local.sources {
            room.seen[*source as usize].arrival = 0.0;
            room.now.push_back(*source);
        }
        while let Some(node) = room.next() {
            let now = room.seen[node as usize].arrival;
            if now >= end {
                break;
            }
            if std::mem::replace(&mut room.seen[node as usize].is_done, true) {
                continue;
            }
            // Goals have the first places; when all are reached, nothing more can be lost.
            goals_left -= usize::from((node as usize) < local.goals.len());
            if goals_left == 0 {
                break;
            }
            end = end.min(now + acts[node as usize]);
            for edge in local.out(node).filter(|edge| !closed[*edge]) {
                let to = local.to[edge] as usize;
                let mut then = now + hours[edge];
                let needed = local.needs_all.get(to).copied().unwrap_or(0);
                if needed > 0 {
                    let met = &mut room.met[to];
                    *met = (met.0 + 1, met.1.max(then));
                    then = met.1;
                    if met.0 < needed {
                        continue;
                    }
                }
                let seen = &mut room.seen[to];
                if then < seen.arrival {
                    (seen.arrival, seen.parent) = (then, number(edge));
                    room.later(local.to[edge], now, then);
                }
            }
        }
        let reached =
            |(place, goal): &(u32, u32)| room.seen[*place as usize].is_done.then_some(*goal);
        goals.clear();
        goals.extend(local.goals.iter().filter_map(reached));
        room.acts = own;
    }

    /// When things happen in this world with some treatments.
    pub(crate) fn times(&self, treatments: &[u32]) -> Times {
        let mut acts = Vec::new();
        self.acts(treatments, &mut acts);
        let somebody = acts.iter().any(|it| it.is_finite());
        Times { hours: self.hours(treatments), acts, somebody }
    }

    /// Hours each step takes in this world.
    fn hours(&self, treatments: &[u32]) -> Vec<f64> {
        let network = self.draws.network;
        let edits = || treatments.iter().map(|at| &self.edits[*at as usize]);
        let hours = |edge: &u32| {
            let slower: u8 = edits()
                .flat_map(|it| &it.slowed)
                .filter(|(slowed, _)| slowed == edge)
                .fold(0, |all, (_, classes)| all.saturating_add(*classes));
            let delay = network.delay[*edge as usize].slower(slower);
            if delay == Delay::Minutes {
                return 0.0;
            }
            let quantile = draw::uniform_of(self.watch.edge_names[*edge as usize], self.world);
            delay_hours(delay, quantile)
        };
        self.local.edges.iter().map(hours).collect()
    }

    /// For each place, hours after which somebody acts when it is used; infinite when nobody does.
    fn acts(&self, treatments: &[u32], acts: &mut Vec<f64>) {
        acts.clear();
        acts.resize(self.local.nodes.len(), f64::INFINITY);
        for (at, sensor) in self.draws.network.sensors.iter().enumerate() {
            let list = &self.watch.sensors[at];
            let replaced = treatments
                .iter()
                .flat_map(|it| &self.watch.replaced[*it as usize])
                .filter(|(sensor, _)| *sensor == at)
                .map(|(_, place)| &list[*place])
                .min_by(|a, b| a.hours_mean.total_cmp(&b.hours_mean));
            let values = replaced.unwrap_or(&list[0]);
            let shared = draw::uniform(self.draws.seed ^ 0x5eed, sensor.name, self.block);
            if self.draws.uniform(sensor.name, self.world) >= values.notices.at(shared) {
                continue;
            }
            let lag = values.hours.at(self.draws.uniform(sensor.name ^ 0x1a9, self.world));
            for (place, node) in self.local.nodes.iter().enumerate() {
                let may_see = self.watch.seen_by[*node as usize] >> at.min(63) & 1 == 1;
                if may_see && (at < 63 || sensor.watches.contains(node)) {
                    acts[place] = acts[place].min(lag);
                }
            }
        }
    }
}
