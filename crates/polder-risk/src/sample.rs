//! Draws the worlds and counts the losses, with treatments in the same worlds.
//!
//! Only worlds in which something happens are drawn; how often that is, is known exactly. A
//! treatment is run again only in the worlds with a loss in which it closes a step on a way to it.
#![expect(
    clippy::indexing_slicing,
    reason = "sums are made with one place for each goal, class and set"
)]

use crate::draw::{self, Quantiles};
use crate::effect::{Edit, Edits, Shares};
use crate::ledger::{self, Direct, Ledger, Mask, Page};
use crate::network::{Network, number};
use crate::outage::{Luck, Outage, Outages};
use crate::paths::{self, Ways};
use crate::plan::members;
use crate::timed::{Clock, ClockRoom, Times, Watch};
use crate::world::{Block, Draws, Local, LocalRoom, Reach, Room};
use polder_model::{Basis, Restore};
use rayon::prelude::*;
use serde::Serialize;
use std::cell::Cell;
use std::collections::HashMap;

/// Hours of outage for which the curve says how likely a longer one is.
pub(crate) const CURVE_HOURS: [f64; 8] = [1.0, 4.0, 24.0, 72.0, 168.0, 336.0, 720.0, 1440.0];

/// Ways noted in one world; a world in which all falls has as many as it has goals.
const WAYS_PER_WORLD_MAX: usize = 16;

/// Worlds that a search runs again for each set it tries.
const DIRECT_MAX: u64 = 384;

/// Local graphs above this size are not searched for capabilities that no way goes around.
const CHOKE_NODES_MAX: usize = 64;

/// How to draw.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Options {
    /// The same seed gives the same result, to the last digit.
    pub seed: u64,
    /// Blocks of worlds that share their parameters: what is not known.
    pub blocks: u64,
    /// Worlds in each block at most: luck. Where losses are common, fewer tell as much.
    pub worlds_per_block: u64,
    /// Hours of outage that weigh as much as one loss.
    pub outage_hours_per_loss: f64,
    /// Whether figures are exact where they can be; else all are sampled, to compare.
    pub exact: bool,
    /// How much more care a plan gets than a first look: one, or a small number.
    pub care: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            blocks: 128,
            worlds_per_block: 256,
            outage_hours_per_loss: 48.0,
            exact: true,
            care: 1,
        }
    }
}

/// Worlds of a block that are searched for them: an error of two per cent is enough there.
const CHOKE_WORLDS_MAX: f64 = 6.0;

/// What is drawn, and what is done in it.
pub(crate) struct Sample<'a> {
    pub(crate) network: &'a Network,
    pub(crate) options: Options,
    /// How a host is brought back as things stand.
    pub(crate) restore: Restore,
    pub(crate) edits: &'a [Edit],
    /// Treatments done together, as numbers of edits.
    pub(crate) sets: &'a [Vec<u32>],
    /// The set whose losses are counted in full.
    pub(crate) full: Option<usize>,
    /// Whether each goal is counted for itself.
    pub(crate) counts_goals: bool,
    /// Whether ways, choke points and parameters are kept.
    pub(crate) explains: bool,
}

impl<'a> Sample<'a> {
    /// Worlds in which nothing is done and nothing kept but their losses.
    pub(crate) fn plain(
        network: &'a Network,
        options: Options,
        restore: Restore,
        edits: &'a [Edit],
    ) -> Self {
        let (counts_goals, explains) = (false, false);
        Self { network, options, restore, edits, sets: &[], full: None, counts_goals, explains }
    }
}

/// Sums over the worlds of one block, for the estate as it is or as it would be.
#[derive(Clone, Default)]
pub(crate) struct Sums {
    pub(crate) any: f64,
    pub(crate) harm: f64,
    pub(crate) hours: f64,
    pub(crate) curve: [f64; 8],
    pub(crate) goals: HashMap<u32, f64>,
    pub(crate) records: Vec<f64>,
}

/// What one set avoids in one block.
#[derive(Clone, Copy, Default)]
pub(crate) struct Avoided {
    pub(crate) sum: f64,
    /// Worlds that lose something, less those that still do.
    pub(crate) any: f64,
    /// Worlds that lose more than without it.
    pub(crate) worse: f64,
}

/// Sums of one block.
#[derive(Default)]
pub(crate) struct BlockSums {
    /// Probability that anything happens; sums count worlds in which something does.
    pub(crate) weight: f64,
    pub(crate) base: Sums,
    pub(crate) after: Sums,
    pub(crate) avoided: Vec<Avoided>,
    pub(crate) ways: Ways,
    pub(crate) choke: HashMap<u32, f64>,
    /// Worlds in which choke points were searched for.
    pub(crate) choke_worlds: f64,
    pub(crate) losses: f64,
    pub(crate) on_judgement: f64,
    /// Probability of each variable, where it is kept.
    pub(crate) probability: Vec<f64>,
}

/// Hours and harm of the goals reached.
#[derive(Clone, Copy)]
struct Outcome {
    harm: f64,
    hours: f64,
}

/// Room for runs again, allocated once.
#[derive(Default)]
pub(crate) struct Rooms {
    local: LocalRoom,
    clock: ClockRoom,
    /// Goals reached in the last run.
    goals: Vec<u32>,
    set: Vec<u32>,
    closed: Vec<bool>,
}

/// What a set does besides closing steps.
struct Terms {
    outage: Outage,
    scaled: Vec<(u32, f64)>,
}

/// What all blocks share.
struct Common<'a> {
    draws: Draws<'a>,
    edits: Edits,
    watch: Watch,
    /// Sets that can matter in a world in which the treatment of this number closes something.
    sets_of: Vec<Vec<usize>>,
    global_sets: Vec<usize>,
    scales: Vec<Vec<(u32, Quantiles)>>,
    outages: Outages,
}

impl Sample<'_> {
    /// Every block, in order.
    pub(crate) fn blocks(&self) -> Vec<BlockSums> {
        let common = self.common();
        (0..self.options.blocks)
            .into_par_iter()
            .map_init(|| Worker::new(self, &common), |worker, number| worker.block(number))
            .collect()
    }

    fn common(&self) -> Common<'_> {
        let draws = Draws::new(self.network, self.options.seed);
        let mut sets_of = vec![Vec::new(); self.edits.len()];
        let mut global_sets = Vec::new();
        for (at, set) in self.sets.iter().enumerate() {
            set.iter().for_each(|edit| sets_of[*edit as usize].push(at));
            if set.iter().any(|edit| self.edits[*edit as usize].is_global()) {
                global_sets.push(at);
            }
        }
        let tables = |edit: &Edit| -> Vec<(u32, Quantiles)> {
            edit.scaled.iter().map(|(goal, factor)| (*goal, Quantiles::new(*factor))).collect()
        };
        Common {
            edits: Edits::new(self.network, self.edits),
            watch: Watch::new(&draws, self.edits),
            draws,
            sets_of,
            global_sets,
            scales: self.edits.iter().map(tables).collect(),
            outages: Outages::new(self),
        }
    }

    /// What every set of the treatments would leave; there are at most 64 of them.
    pub(crate) fn ledger(&self) -> Ledger<'_> {
        let common = self.common();
        let pages: Vec<Page> = (0..self.options.blocks)
            .into_par_iter()
            .map_init(|| Worker::new(self, &common), |worker, number| worker.page(number))
            .collect();
        let again = move |direct: &Direct, chosen, rooms: &mut Rooms, harm: &mut Vec<f64>| {
            self.again(&common, direct, chosen, rooms, harm);
        };
        Ledger::new(self, pages, Box::new(again))
    }

    /// Adds the harm a year of one world with a set of candidates, run again: one for each restore.
    fn again(
        &self,
        common: &Common<'_>,
        direct: &Direct,
        chosen: Mask,
        rooms: &mut Rooms,
        harm: &mut Vec<f64>,
    ) {
        let Rooms { local, clock: room, goals, set, closed } = rooms;
        set.clear();
        set.extend(members(chosen).map(number));
        closed.clear();
        closed.extend(direct.closers.iter().map(|it| it & chosen != 0));
        match &direct.times {
            None => direct.local.goals_left(closed, local, goals),
            Some(times) => {
                let clock = Clock {
                    draws: &common.draws,
                    watch: &common.watch,
                    edits: self.edits,
                    local: &direct.local,
                    world: direct.world,
                    block: direct.block,
                };
                clock.run(times, closed, set, room, goals);
            }
        }
        let mut terms = self.terms(common, set, direct.block);
        for outage in common.outages.in_block(direct.block) {
            terms.outage = *outage;
            harm.push(direct.weight * self.outcome(goals, &terms, direct.luck).harm);
        }
    }

    fn terms(&self, common: &Common<'_>, set: &[u32], block: u64) -> Terms {
        let mut restore = 0;
        let mut scaled = Vec::new();
        for at in set {
            let edit = &self.edits[*at as usize];
            if let Some(other) = common.outages.of_edit[*at as usize]
                && common.outages.mean[other] < common.outages.mean[restore]
            {
                restore = other;
            }
            for (goal, table) in &common.scales[*at as usize] {
                let share = common.draws.share(table, edit.name ^ u64::from(*goal), block);
                scaled.push((*goal, share));
            }
        }
        Terms { outage: common.outages.in_block(block)[restore], scaled }
    }

    fn outcome(&self, goals: &[u32], terms: &Terms, luck: Luck) -> Outcome {
        let mut harm = 0.0;
        let mut down = 0.0;
        for goal in goals {
            let it = &self.network.goals[*goal as usize];
            let scaled = terms.scaled.iter().filter(|(at, _)| at == goal);
            harm += it.weight * scaled.map(|(_, factor)| factor).product::<f64>();
            down += f64::from(u8::from(it.takes_down));
        }
        let hours = if down > 0.0 { down * terms.outage.hours(luck) } else { 0.0 };
        Outcome { harm: harm + hours / self.options.outage_hours_per_loss, hours }
    }

    /// Enters the losses of one world into a page.
    fn enter(&self, page: &mut Page, goals: Vec<(u32, Vec<Mask>)>, outages: &[Outage], luck: Luck) {
        for (goal, masks) in goals {
            let it = &self.network.goals[goal as usize];
            let is_scaled = self.edits.iter().any(|edit| edit.scaled.iter().any(|it| it.0 == goal));
            let slot = page.items.entry((is_scaled.then_some(goal), masks.clone())).or_default();
            slot.resize(outages.len(), 0.0);
            slot.iter_mut().for_each(|harm| *harm += it.weight);
            if !it.takes_down {
                continue;
            }
            // Hours do not shrink with the size of the loss.
            let slot = page.items.entry((None, masks)).or_default();
            slot.resize(outages.len(), 0.0);
            for (harm, outage) in slot.iter_mut().zip(outages) {
                *harm += outage.hours(luck) / self.options.outage_hours_per_loss;
            }
        }
    }

    fn add(&self, sums: &mut Sums, goals: &[u32], outcome: Outcome, terms: &Terms) {
        if goals.is_empty() {
            return;
        }
        sums.any += 1.0;
        sums.harm += outcome.harm;
        sums.hours += outcome.hours;
        for (slot, hours) in sums.curve.iter_mut().zip(CURVE_HOURS) {
            *slot += f64::from(u8::from(outcome.hours > hours));
        }
        // Stores that share a class hold the same people: the largest counts.
        let mut exposed: Vec<(u32, f64)> = Vec::new();
        for goal in goals {
            if self.counts_goals {
                *sums.goals.entry(*goal).or_default() += 1.0;
            }
            let scaled = terms.scaled.iter().filter(|(at, _)| at == goal);
            let share: f64 = scaled.map(|(_, factor)| factor).product();
            for (class, count) in &self.network.goals[*goal as usize].records {
                match exposed.iter_mut().find(|(it, _)| it == class) {
                    Some((_, most)) => *most = most.max(count * share),
                    None => exposed.push((*class, count * share)),
                }
            }
        }
        for (class, count) in exposed {
            let at = class as usize;
            sums.records.resize(sums.records.len().max(at + 1), 0.0);
            sums.records[at] += count;
        }
    }
}

/// Room for one thread.
struct Worker<'a> {
    sample: &'a Sample<'a>,
    common: &'a Common<'a>,
    reach: Reach<'a>,
    room: Room,
    rooms: Rooms,
    /// Goals reached in the world at hand as things stand.
    base: Vec<u32>,
    closers: Vec<(u32, u32)>,
    touched: Vec<usize>,
    closed: Vec<bool>,
}

/// One world with a loss.
struct World<'a> {
    number: u64,
    local: &'a Local,
    luck: Luck,
    /// When things happen, where somebody may notice.
    times: Option<Times>,
}

impl<'a> Worker<'a> {
    fn new(sample: &'a Sample<'a>, common: &'a Common<'a>) -> Self {
        Self {
            sample,
            common,
            reach: Reach::new(&common.draws),
            room: Room::new(sample.network.node_count()),
            rooms: Rooms::default(),
            base: Vec::new(),
            closers: Vec::new(),
            touched: Vec::new(),
            closed: Vec::new(),
        }
    }

    fn block(&mut self, number: u64) -> BlockSums {
        let Self { sample, common, .. } = *self;
        let shares = common.edits.shares(&common.draws, number);
        let terms: Vec<Terms> =
            sample.sets.iter().map(|set| sample.terms(common, set, number)).collect();
        let as_is = sample.terms(common, &[], number);
        let mut sums = BlockSums {
            avoided: vec![Avoided::default(); sample.sets.len()],
            ..BlockSums::default()
        };
        let needs_local = !sample.sets.is_empty() || sample.explains;
        let needs = |matters| matters || needs_local;
        let block = self.worlds(number, &needs, &mut |worker, world| {
            match &world.times {
                Some(times) => worker.in_time(world, times, number, &[]),
                None => worker.rooms.goals.clone_from(&worker.reach.goals),
            }
            worker.base.clone_from(&worker.rooms.goals);
            let base = sample.outcome(&worker.base, &as_is, world.luck);
            sample.add(&mut sums.base, &worker.base, base, &as_is);
            if sample.explains {
                worker.explain(world, &mut sums);
            }
            worker.treat(world, number, &shares, &terms, base, &mut sums);
        });
        sums.weight = block.any;
        if sample.explains {
            let count = sample.network.variables.len();
            sums.probability = (0..count).map(|at| common.draws.probability(&block, at)).collect();
        }
        sums
    }

    /// Draws every world of a block, and shows those that lose something if nobody notices: with
    /// its open steps where `needs`, told whether somebody may notice, says so.
    fn worlds(
        &mut self,
        number: u64,
        needs: &dyn Fn(bool) -> bool,
        show: &mut dyn FnMut(&mut Self, &World<'_>),
    ) -> Block {
        let Self { sample, common, .. } = *self;
        let block = common.draws.block(number);
        let mut local = Local::default();
        let is_timed = sample.network.is_timed() || sample.edits.iter().any(Edit::changes_time);
        for at in 0..sample.options.worlds_per_block {
            let world = number * sample.options.worlds_per_block + at;
            if !self.reach.run(world, &block) {
                continue;
            }
            let matters = is_timed && common.watch.matters(&common.draws, world, number);
            let has_local = needs(matters);
            match has_local {
                true => self.reach.local(world, &block, is_timed, &mut self.room, &mut local),
                false => local.clear(),
            }
            self.closed.clear();
            self.closed.resize(local.edges.len(), false);
            let uniform = |what| common.draws.uniform(draw::name(what), world);
            let luck = Luck { hours: uniform("restore"), fails: uniform("restore fails") };
            let mut it = World { number: world, local: &local, luck, times: None };
            if has_local && matters {
                it.times = Some(self.clock(&it, number).times(&[]));
            }
            show(self, &it);
        }
        block
    }

    /// What the worlds of a block add to a ledger.
    fn page(&mut self, number: u64) -> Page {
        let Self { sample, common, .. } = *self;
        let shares = common.edits.shares(&common.draws, number);
        let worlds = (sample.options.blocks * sample.options.worlds_per_block) as f64;
        let outages = common.outages.in_block(number);
        let always = ledger::timing(sample.edits);
        let mut page = Page::default();
        let mut direct = Vec::new();
        let direct_max = (DIRECT_MAX * sample.options.care / sample.options.blocks.max(1)).max(1);
        // Worlds that are counted only, as those kept stand for them.
        let passed = Cell::new(0_u64);
        let kept = Cell::new(0_u64);
        let needs = |matters: bool| !matters || kept.get() < direct_max;
        let block = self.worlds(number, &needs, &mut |worker, world| {
            if world.local.nodes.is_empty() {
                passed.set(passed.get() + 1);
                return;
            }
            let mut closers = std::mem::take(&mut worker.closers);
            common.edits.closers(&common.draws, world.local, world.number, &shares, &mut closers);
            let closing = ledger::closing(world.local, &closers);
            worker.closers = closers;
            let masks = match world.times {
                Some(_) => None,
                None => ledger::masks(world.local, &closing),
            };
            match masks {
                Some(goals) => sample.enter(&mut page, goals, outages, world.luck),
                None if kept.get() >= direct_max => passed.set(passed.get() + 1),
                None => {
                    kept.set(kept.get() + 1);
                    direct.push(Direct {
                        world: world.number,
                        block: number,
                        weight: 0.0,
                        luck: world.luck,
                        times: world.times.clone(),
                        local: world.local.clone(),
                        touched: closing.iter().fold(always, |all, it| all | it)
                            | ledger::scaling(sample.edits),
                        closers: closing,
                    });
                }
            }
        });
        let weight = block.any / worlds;
        page.items.values_mut().flatten().for_each(|harm| *harm *= weight);
        // Worlds of a block are alike, so the first stand for all of them.
        let scale = (kept.get() + passed.get()) as f64 / direct.len().max(1) as f64;
        direct.iter_mut().for_each(|it| it.weight = weight * scale);
        page.direct = direct;
        page
    }

    fn clock<'b>(&self, world: &World<'b>, block: u64) -> Clock<'b>
    where
        'a: 'b,
    {
        Clock {
            draws: &self.common.draws,
            watch: &self.common.watch,
            edits: self.sample.edits,
            local: world.local,
            world: world.number,
            block,
        }
    }

    /// Finds the goals reached before somebody acted, with a set of treatments.
    fn in_time(&mut self, world: &World<'_>, times: &Times, block: u64, set: &[u32]) {
        let clock = self.clock(world, block);
        let rooms = &mut self.rooms;
        clock.run(times, &self.closed, set, &mut rooms.clock, &mut rooms.goals);
    }

    /// Runs every set that can matter in this world.
    fn treat(
        &mut self,
        world: &World<'_>,
        block: u64,
        shares: &Shares,
        terms: &[Terms],
        base: Outcome,
        sums: &mut BlockSums,
    ) {
        let (sample, common) = (self.sample, self.common);
        if sample.sets.is_empty() {
            return;
        }
        let mut closers = std::mem::take(&mut self.closers);
        common.edits.closers(&common.draws, world.local, world.number, shares, &mut closers);
        self.touched.clear();
        self.touched.extend_from_slice(&common.global_sets);
        let mut last = None;
        for (edit, _) in &closers {
            if last != Some(*edit) {
                self.touched.extend_from_slice(&common.sets_of[*edit as usize]);
                last = Some(*edit);
            }
        }
        self.touched.sort_unstable();
        self.touched.dedup();
        let mut full_seen = false;
        for at in std::mem::take(&mut self.touched) {
            full_seen |= sample.full == Some(at);
            let set = &sample.sets[at];
            let mut closes = false;
            for edit in set {
                let first = closers.partition_point(|(it, _)| it < edit);
                for (_, place) in closers[first..].iter().take_while(|(it, _)| it == edit) {
                    self.closed[*place as usize] = true;
                    closes = true;
                }
            }
            let changes_time = set.iter().any(|at| sample.edits[*at as usize].changes_time());
            let timed = world.times.as_ref();
            let timed = timed.filter(|it| changes_time || (closes && !it.nobody_acts()));
            if let Some(times) = timed {
                self.in_time(world, times, block, set);
            } else if closes {
                let Rooms { local, goals, .. } = &mut self.rooms;
                world.local.goals_left(&self.closed, local, goals);
            } else {
                self.rooms.goals.clone_from(&self.base);
            }
            let goals = &self.rooms.goals;
            if closes {
                self.closed.fill(false);
            }
            let after = sample.outcome(goals, &terms[at], world.luck);
            let avoided = base.harm - after.harm;
            let slot = &mut sums.avoided[at];
            slot.sum += avoided;
            slot.any += f64::from(u8::from(!self.base.is_empty()));
            slot.any -= f64::from(u8::from(!goals.is_empty()));
            slot.worse += f64::from(u8::from(avoided < 0.0));
            if sample.full == Some(at) {
                sample.add(&mut sums.after, goals, after, &terms[at]);
            }
        }
        // In a world the full set does not touch, all stays as it is.
        if let Some(full) = sample.full
            && !full_seen
        {
            sample.add(&mut sums.after, &self.base, base, &terms[full]);
        }
        self.closers = closers;
    }

    /// Notes the ways of this world, and the capabilities that none of them goes around.
    fn explain(&mut self, world: &World<'_>, sums: &mut BlockSums) {
        let network = self.sample.network;
        let most = WAYS_PER_WORLD_MAX;
        for goal in self.base.iter().take(most) {
            let path = match &world.times {
                Some(_) => {
                    let place = world.local.goals.iter().find(|(_, it)| it == goal);
                    let path = |place| self.rooms.clock.path(world.local, place);
                    place.map_or_else(Vec::new, |(place, _)| path(*place))
                }
                None => self.reach.path(network.goal_nodes[*goal as usize]),
            };
            let is_judged = path.iter().flat_map(|edge| network.needs(*edge)).any(|variable| {
                let it = &network.variables[*variable as usize];
                it.basis == Basis::Judgement && it.range.low < it.range.high
            });
            sums.losses += 1.0;
            sums.on_judgement += f64::from(u8::from(is_judged));
            paths::note(&mut sums.ways, network, &path);
        }
        let is_large = world.local.nodes.len() > CHOKE_NODES_MAX;
        if self.base.is_empty() || is_large || sums.choke_worlds >= CHOKE_WORLDS_MAX {
            return;
        }
        sums.choke_worlds += 1.0;
        for place in 0..world.local.nodes.len() {
            let is_end = world.local.goals.iter().any(|(goal, _)| *goal as usize == place);
            let node = world.local.nodes[place];
            if is_end || network.sources.contains(&node) {
                continue;
            }
            let start = world.local.start[place] as usize..world.local.start[place + 1] as usize;
            self.closed[start.clone()].fill(true);
            let Rooms { local, goals, .. } = &mut self.rooms;
            world.local.goals_left(&self.closed, local, goals);
            let left = goals.len();
            self.closed[start].fill(false);
            let lost = world.local.goals.len().saturating_sub(left);
            if lost > 0 {
                let share = lost as f64 / world.local.goals.len() as f64;
                *sums.choke.entry(node).or_default() += share;
            }
        }
    }
}
