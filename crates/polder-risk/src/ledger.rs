//! What every set of treatments would leave, for planning: each world reduced to the sets of
//! treatments that must be broken through for each loss.
//!
//! A way to a loss stands as a mask of the candidates that close it; a loss is left when some mask
//! has nothing in common with the set chosen. Worlds that come to the same masks are one item.

use crate::effect::Edit;
use crate::outage::Luck;
use crate::sample::{Rooms, Sample};
use crate::timed::Times;
use crate::world::Local;
use polder_model::Restore;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};

/// Candidates of one plan: as many as a mask has bits.
pub(crate) const CANDIDATES_MAX: usize = 64;

/// Masks kept for one node; a world that needs more is run again for each set.
const MASKS_MAX: usize = 96;

/// A set of candidates.
pub(crate) type Mask = u64;

/// Losses that are left when one of the masks is untouched.
pub(crate) struct Item {
    pub(crate) masks: Vec<Mask>,
    /// Harm for each of the restores a candidate could give; the first is the present one.
    pub(crate) harm: Vec<f64>,
    /// Goal whose size some candidate changes.
    scaled: Option<u32>,
}

/// A world that does not reduce to masks: somebody may notice, or the ways are too many.
pub(crate) struct Direct {
    pub(crate) world: u64,
    pub(crate) block: u64,
    pub(crate) weight: f64,
    pub(crate) luck: Luck,
    /// When things happen, where somebody may notice.
    pub(crate) times: Option<Times>,
    pub(crate) local: Local,
    /// Candidates that close each step.
    pub(crate) closers: Vec<Mask>,
    /// Candidates that can matter here.
    pub(crate) touched: Mask,
}

/// Worlds in which the same candidates can matter, with what each set of those leaves in all.
struct Group {
    touched: Mask,
    worlds: Vec<Direct>,
    /// For each set, one for each restore.
    left: HashMap<Mask, Vec<f64>>,
}

/// Adds the harm a year of a world when these candidates are done, one for each restore.
pub(crate) type Evaluate<'a> = Box<dyn Fn(&Direct, Mask, &mut Rooms, &mut Vec<f64>) + Sync + 'a>;

/// Worlds run again by one thread at a time.
const RUNS_EACH: usize = 64;

/// What a block of worlds adds.
#[derive(Default)]
pub(crate) struct Page {
    pub(crate) items: HashMap<(Option<u32>, Vec<Mask>), Vec<f64>>,
    pub(crate) direct: Vec<Direct>,
}

/// All items and worlds of a sample.
pub(crate) struct Ledger<'a> {
    sample: &'a Sample<'a>,
    pub(crate) items: Vec<Item>,
    /// Worlds to run again, gathered by the candidates that can matter in them.
    direct: Vec<Group>,
    /// Mean hours of each restore, and the candidate that gives it; the present one is first.
    restores: Vec<(f64, Mask)>,
    evaluate: Evaluate<'a>,
}

impl<'a> Ledger<'a> {
    pub(crate) fn new(sample: &'a Sample<'a>, pages: Vec<Page>, evaluate: Evaluate<'a>) -> Self {
        let mut all: BTreeMap<(Option<u32>, Vec<Mask>), Vec<f64>> = BTreeMap::new();
        let mut direct: BTreeMap<Mask, Vec<Direct>> = BTreeMap::new();
        for page in pages {
            page.direct.into_iter().for_each(|it| direct.entry(it.touched).or_default().push(it));
            // Sums must not depend on the order of a hash table.
            let mut items: Vec<_> = page.items.into_iter().collect();
            items.sort_by(|a, b| a.0.cmp(&b.0));
            for (key, harm) in items {
                let slot = all.entry(key).or_insert_with(|| vec![0.0; harm.len()]);
                slot.iter_mut().zip(harm).for_each(|(sum, more)| *sum += more);
            }
        }
        let make = |((scaled, masks), harm)| Item { masks, harm, scaled };
        let items = all.into_iter().map(make).collect();
        let group = |(touched, worlds)| Group { touched, worlds, left: HashMap::new() };
        let direct = direct.into_iter().map(group).collect();
        let given = sample.edits.iter().enumerate().filter(|(_, it)| it.restore.is_some());
        let by: Vec<Mask> = [0].into_iter().chain(given.map(|(at, _)| 1 << at)).collect();
        let restores = restores(sample).iter().map(|it| it.mean()).zip(by).collect();
        Self { sample, items, direct, restores, evaluate }
    }

    /// Harm a year that is left when these candidates are done.
    pub(crate) fn harm(&mut self, chosen: Mask) -> f64 {
        let restore = self.restore(chosen);
        let mut sum = 0.0;
        for item in &self.items {
            if item.masks.iter().any(|mask| mask & chosen == 0) {
                let harm = item.harm.get(restore).copied().unwrap_or(0.0);
                sum += harm * item.scaled.map_or(1.0, |goal| self.scale(goal, chosen));
            }
        }
        self.run_again(chosen);
        let left = |it: &Group| {
            it.left
                .get(&(it.touched & chosen))
                .and_then(|it| it.get(restore))
                .copied()
                .unwrap_or(0.0)
        };
        sum + self.direct.iter().map(left).sum::<f64>()
    }

    /// Runs every group again for which these candidates are a set not yet tried.
    fn run_again(&mut self, chosen: Mask) {
        let is_new = |it: &&Group| !it.left.contains_key(&(it.touched & chosen));
        let fresh = self.direct.iter().filter(is_new);
        let set = |it: &Group| it.touched & chosen;
        let runs: Vec<(&Direct, Mask)> =
            fresh.flat_map(|it| it.worlds.iter().map(move |world| (world, set(it)))).collect();
        let run = |rooms: &mut Rooms, runs: &[(&Direct, Mask)]| -> Vec<f64> {
            let mut harm = Vec::new();
            runs.iter().for_each(|(world, set)| (self.evaluate)(world, *set, rooms, &mut harm));
            harm
        };
        let parts: Vec<Vec<f64>> = match runs.len() > RUNS_EACH {
            true => runs.par_chunks(RUNS_EACH).map_init(Rooms::default, run).collect(),
            false => vec![run(&mut Rooms::default(), &runs)],
        };
        // Added in the order of the worlds, whichever thread ran them.
        let mut harm = parts.into_iter().flatten();
        for group in &mut self.direct {
            let set = group.touched & chosen;
            if !group.left.contains_key(&set) {
                let mut sums = vec![0.0; self.restores.len()];
                for _ in &group.worlds {
                    sums.iter_mut().zip(harm.by_ref()).for_each(|(sum, more)| *sum += more);
                }
                group.left.insert(set, sums);
            }
        }
    }

    /// Whether every world reduced to masks and no candidate changes restores or sizes.
    pub(crate) fn is_plain(&self) -> bool {
        self.direct.is_empty() && !self.sample.edits.iter().any(Edit::is_global)
    }

    /// How many worlds are run again for each set.
    pub(crate) fn direct_worlds(&self) -> usize {
        self.direct.iter().map(|group| group.worlds.len()).sum()
    }

    /// Place of the shortest restore these candidates give.
    fn restore(&self, chosen: Mask) -> usize {
        // The present one last: of two alike the one that is given counts.
        let places = self
            .restores
            .iter()
            .enumerate()
            .skip(1)
            .chain(self.restores.iter().enumerate().take(1));
        let possible = places.filter(|(_, (_, by))| by & chosen == *by);
        let best = possible.min_by(|a, b| a.1.0.total_cmp(&b.1.0));
        best.map_or(0, |(place, _)| place)
    }

    /// Share of a loss that these candidates leave.
    fn scale(&self, goal: u32, chosen: Mask) -> f64 {
        let edits = self.sample.edits.iter().enumerate().filter(|(at, _)| chosen >> at & 1 == 1);
        let factors = edits.flat_map(|(_, it)| &it.scaled).filter(|(it, _)| *it == goal);
        factors.map(|(_, factor)| factor.mean()).product()
    }
}

/// Restores: the present one, then those of the candidates that give one.
pub(crate) fn restores(sample: &Sample<'_>) -> Vec<Restore> {
    [sample.restore].into_iter().chain(sample.edits.iter().filter_map(|it| it.restore)).collect()
}

/// The masks of every way to each goal of a world, or nothing when they are too many.
pub(crate) fn masks(local: &Local, closers: &[Mask]) -> Option<Vec<(u32, Vec<Mask>)>> {
    let mut labels: Vec<Vec<Mask>> = vec![Vec::new(); local.nodes.len()];
    let mut queue = std::collections::VecDeque::new();
    for source in &local.sources {
        labels.get_mut(*source as usize)?.push(0);
        queue.push_back(*source);
    }
    while let Some(node) = queue.pop_front() {
        let edges = local.out(node);
        for edge in edges {
            let to = *local.to.get(edge)?;
            let more = match local.needs_all.get(to as usize).copied().unwrap_or(0) {
                0 => {
                    let closer = *closers.get(edge)?;
                    labels.get(node as usize)?.iter().map(|mask| mask | closer).collect()
                }
                _ => joined(local, closers, &labels, to)?,
            };
            let label = labels.get_mut(to as usize)?;
            if add(label, &more) && !queue.contains(&to) {
                queue.push_back(to);
            }
            if label.len() > MASKS_MAX {
                return None;
            }
        }
    }
    let goals = local.goals.iter();
    goals.map(|(place, goal)| Some((*goal, labels.get(*place as usize)?.clone()))).collect()
}

/// Masks of a node that needs all steps: every choice of one way for each of them.
fn joined(local: &Local, closers: &[Mask], labels: &[Vec<Mask>], node: u32) -> Option<Vec<Mask>> {
    let mut all: Vec<Mask> = vec![0];
    for edge in (0..local.to.len()).filter(|edge| local.to.get(*edge) == Some(&node)) {
        let label = labels.get(*local.from.get(edge)? as usize)?;
        let closer = *closers.get(edge)?;
        let mut next = Vec::new();
        for mask in &all {
            add(&mut next, &label.iter().map(|it| it | mask | closer).collect::<Vec<_>>());
        }
        if next.len() > MASKS_MAX {
            return None;
        }
        all = next;
    }
    Some(all)
}

/// Adds masks, keeps those that contain no other, sorted; says whether anything is new.
pub(crate) fn add(label: &mut Vec<Mask>, more: &[Mask]) -> bool {
    let mut is_new = false;
    for mask in more {
        // A way that fewer treatments close is left whenever one that more close is.
        if label.iter().any(|known| known & mask == *known) {
            continue;
        }
        label.retain(|known| known & mask != *mask);
        let place = label.partition_point(|known| known < mask);
        label.insert(place, *mask);
        is_new = true;
    }
    is_new
}

/// Which candidates close which step of a world.
pub(crate) fn closing(local: &Local, closers: &[(u32, u32)]) -> Vec<Mask> {
    let mut masks = vec![0; local.edges.len()];
    for (candidate, place) in closers {
        if let Some(mask) = masks.get_mut(*place as usize) {
            *mask |= 1 << candidate;
        }
    }
    masks
}

/// Candidates that matter in every world, as those that change times do.
pub(crate) fn timing(edits: &[Edit]) -> Mask {
    edits
        .iter()
        .enumerate()
        .filter(|(_, it)| it.changes_time())
        .map(|(at, _)| 1 << at)
        .fold(0, |all, bit: Mask| all | bit)
}

/// Candidates that change how large a loss is wherever it happens.
pub(crate) fn scaling(edits: &[Edit]) -> Mask {
    edits
        .iter()
        .enumerate()
        .filter(|(_, it)| !it.scaled.is_empty())
        .map(|(at, _)| 1 << at)
        .fold(0, |all, bit: Mask| all | bit)
}
