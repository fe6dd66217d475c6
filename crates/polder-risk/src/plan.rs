//! The best set of treatments for a budget.
//!
//! Closing steps is not submodular: two treatments can be worth nothing alone and everything
//! together, so the best next one is not the way to the best set. Few candidates are tried in all
//! combinations; for many, several greedy searches with pairs and bundles start a local search.

use crate::ledger::{Ledger, Mask};
use serde::Serialize;

/// Candidates up to which every set is tried.
const EXHAUSTIVE_MAX: usize = 16;

/// Items whose cheapest cuts are tried as bundles.
const BUNDLES_MAX: usize = 24;

/// Rounds of the local search.
const ROUNDS_MAX: usize = 40;

/// Worlds that may be run again: about a second.
const RUNS_MAX: usize = 1_000_000;

/// Differences below this are rounding.
const SAME: f64 = 1e-12;

/// What may be chosen.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// Hours of work.
    pub(crate) hours: f64,
    /// Candidates that must be chosen, too.
    pub(crate) needs: Mask,
    /// Candidates that cannot be chosen as well.
    pub(crate) excludes: Mask,
}

/// How far one may go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) hours: f64,
    pub(crate) count: usize,
    /// Share of the harm that is left which each member must avoid.
    pub(crate) share: f64,
}

/// How a plan was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Search {
    /// Every set within the budget was tried.
    Exhaustive,
    /// Greedy searches with pairs and bundles, then a local search.
    Local,
    /// Searched, and what the first steps leave searched again.
    Refined,
    /// Not searched: somebody asked for exactly this.
    Asked,
}

/// Share of the harm below which what is left is searched again for itself: where one gap gives
/// everything away, hardly any world tells one of the later steps from another.
pub(crate) const LEFT_MAX: f64 = 0.25;

/// A plan on one sample.
pub(crate) struct Found {
    /// Candidates in the order to do them.
    pub(crate) order: Vec<usize>,
    /// Share of the harm left after each of them.
    pub(crate) left: Vec<f64>,
    pub(crate) avoided: f64,
    /// No set within the limits avoids more, on this sample.
    pub(crate) bound: f64,
    pub(crate) search: Search,
}

/// Searches for the best set.
pub(crate) fn search(ledger: &mut Ledger<'_>, candidates: &[Candidate], limit: Limit) -> Found {
    let base = ledger.harm(0);
    let mut it = Searcher { ledger, candidates, limit, base };
    let runs = it.set_count().saturating_mul(it.ledger.direct_worlds());
    let (chosen, search) = match candidates.len() <= EXHAUSTIVE_MAX && runs <= RUNS_MAX {
        true => (it.exhaustive(), Search::Exhaustive),
        false => (it.local(), Search::Local),
    };
    let best = it.gain(chosen);
    let chosen = it.pruned(chosen);
    let avoided = it.gain(chosen);
    let bound = match search {
        Search::Exhaustive => best,
        Search::Local | Search::Refined | Search::Asked => it.bound().max(avoided),
    };
    let order = it.order(chosen);
    let mut done = 0;
    let left = order.iter().map(|at| {
        done |= 1 << at;
        1.0 - it.gain(done) / base.max(f64::MIN_POSITIVE)
    });
    let left = left.collect();
    Found { order, left, avoided, bound, search }
}

struct Searcher<'a, 'b> {
    ledger: &'a mut Ledger<'b>,
    candidates: &'a [Candidate],
    limit: Limit,
    base: f64,
}

impl Searcher<'_, '_> {
    fn gain(&mut self, chosen: Mask) -> f64 {
        self.base - self.ledger.harm(chosen)
    }

    fn hours(&self, chosen: Mask) -> f64 {
        members(chosen).filter_map(|at| self.candidates.get(at)).map(|it| it.hours).sum()
    }

    fn fits(&self, chosen: Mask) -> bool {
        chosen.count_ones() as usize <= self.limit.count
            && self.hours(chosen) <= self.limit.hours + SAME
            && members(chosen)
                .filter_map(|at| self.candidates.get(at))
                .all(|it| it.needs & chosen == it.needs && it.excludes & chosen == 0)
    }

    /// With all that its members need.
    fn closed(&self, chosen: Mask) -> Mask {
        let mut all = chosen;
        loop {
            let needs = members(all).filter_map(|at| self.candidates.get(at)).map(|it| it.needs);
            let next = needs.fold(all, |all, needs| all | needs);
            if next == all {
                return all;
            }
            all = next;
        }
    }

    /// Whether the first set is worth more, or as much for less work.
    fn is_better(&self, a: (Mask, f64), b: (Mask, f64)) -> bool {
        a.1 > b.1 + SAME || (a.1 > b.1 - SAME && self.hours(a.0) < self.hours(b.0) - SAME)
    }

    /// How many sets there are of the number allowed.
    fn set_count(&self) -> usize {
        let mut sets = 0_usize;
        let mut choose = 1_usize;
        for size in 0..=self.limit.count.min(self.candidates.len()) {
            sets = sets.saturating_add(choose);
            choose = choose.saturating_mul(self.candidates.len() - size) / (size + 1);
        }
        sets
    }

    fn exhaustive(&mut self) -> Mask {
        let mut best = (0, 0.0);
        for chosen in 1..(1_u64 << self.candidates.len()) {
            if !self.fits(chosen) {
                continue;
            }
            let found = (chosen, self.gain(chosen));
            if self.is_better(found, best) {
                best = found;
            }
        }
        best.0
    }

    /// Without what adds too little to be worth a step, the longest work first.
    fn pruned(&mut self, chosen: Mask) -> Mask {
        let mut left = chosen;
        let mut order: Vec<usize> = members(chosen).collect();
        order.sort_by(|a, b| self.hours(1 << b).total_cmp(&self.hours(1 << a)));
        let least = self.limit.share * (self.base - self.gain(chosen)).max(0.0);
        for at in order {
            let without = left & !(1 << at);
            let is_needed = self.closed(without) != without;
            if !is_needed && self.gain(without) >= self.gain(left) - least && self.limit.share > 0.0
            {
                left = without;
            }
        }
        left
    }

    fn local(&mut self) -> Mask {
        let mut moves = self.moves();
        if moves.len() * self.ledger.direct_worlds() * 4 > RUNS_MAX {
            moves.retain(|it| it.count_ones() == 1);
        }
        let mut best = (0, 0.0);
        for by_hour in [false, true] {
            let chosen = self.greedy(0, &moves, by_hour);
            let gain = self.gain(chosen);
            // What takes nearly all away is only the head of a plan: the rest of it is searched for
            // again where the head is done, and with more to go by.
            let is_head =
                self.ledger.direct_worlds() > 0 && self.base - gain < LEFT_MAX * self.base;
            let found = if is_head { (chosen, gain) } else { self.refill((chosen, gain), &moves) };
            if self.is_better(found, best) {
                best = found;
            }
        }
        best.0
    }

    /// Single candidates with what they need, all pairs, and cheap cuts of the largest items.
    fn moves(&mut self) -> Vec<Mask> {
        let count = self.candidates.len();
        let singles = (0..count).map(|at| 1 << at);
        let pairs = (0..count).flat_map(|a| (a + 1..count).map(move |b| 1 << a | 1 << b));
        let mut moves: Vec<Mask> = singles.chain(pairs).map(|it| self.closed(it)).collect();
        let mut items: Vec<&crate::ledger::Item> = self.ledger.items.iter().collect();
        let weight = |it: &crate::ledger::Item| it.harm.first().copied().unwrap_or(0.0);
        items.sort_by(|a, b| weight(b).total_cmp(&weight(a)));
        for item in items.into_iter().take(BUNDLES_MAX) {
            moves.extend(self.cut(&item.masks));
        }
        moves.sort_unstable();
        moves.dedup();
        moves.retain(|it| self.fits(*it));
        moves
    }

    /// A cheap set that touches every mask: the one that touches most for its hours, again and again.
    fn cut(&self, masks: &[Mask]) -> Option<Mask> {
        let mut chosen = 0;
        loop {
            let open: Vec<Mask> = masks.iter().copied().filter(|it| it & chosen == 0).collect();
            if open.is_empty() {
                return Some(chosen);
            }
            let rate = |at: &usize| {
                let touched = open.iter().filter(|mask| **mask >> at & 1 == 1).count();
                let hours = self.candidates.get(*at).map_or(1.0, |it| it.hours);
                touched as f64 / hours.max(0.01)
            };
            let best = (0..self.candidates.len()).max_by(|a, b| rate(a).total_cmp(&rate(b)))?;
            if rate(&best) <= 0.0 {
                return None;
            }
            chosen = self.closed(chosen | 1 << best);
        }
    }

    fn greedy(&mut self, start: Mask, moves: &[Mask], by_hour: bool) -> Mask {
        let mut chosen = start;
        let mut gain = self.gain(chosen);
        loop {
            let mut best: Option<(Mask, f64, f64)> = None;
            for more in moves.iter().filter(|it| **it & chosen != **it) {
                let next = chosen | more;
                if !self.fits(next) {
                    continue;
                }
                let next_gain = self.gain(next);
                let added = next_gain - gain;
                // A pair must be worth more than its share, else singles would never be taken.
                let cost = match by_hour {
                    true => (self.hours(next) - self.hours(chosen)).max(0.01),
                    false => f64::from((next & !chosen).count_ones()),
                };
                let rate = added / cost;
                if added > SAME && best.is_none_or(|(_, known, _)| rate > known) {
                    best = Some((next, rate, next_gain));
                }
            }
            let Some((next, _, next_gain)) = best else { return chosen };
            (chosen, gain) = (next, next_gain);
        }
    }

    /// Drops one or two and fills up again, until nothing gets better.
    fn refill(&mut self, start: (Mask, f64), moves: &[Mask]) -> (Mask, f64) {
        let mut best = start;
        let rounds = if self.ledger.direct_worlds() > 0 { 2 } else { ROUNDS_MAX };
        for _ in 0..rounds {
            let inside: Vec<usize> = members(best.0).collect();
            let ones = inside.iter().map(|a| 1 << a);
            let twos = inside
                .iter()
                .flat_map(|a| inside.iter().filter(move |b| a < *b).map(move |b| 1 << a | 1 << b));
            let twos = twos.take(if self.ledger.direct_worlds() > 0 { 0 } else { usize::MAX });
            let drops: Vec<Mask> = ones.chain(twos).collect();
            let mut found = best;
            for drop in drops {
                let left = best.0 & !drop;
                if !self.fits(left) {
                    continue;
                }
                for by_hour in [false, true] {
                    let filled = self.greedy(left, moves, by_hour);
                    let next = (filled, self.gain(filled));
                    if self.is_better(next, found) {
                        found = next;
                    }
                }
            }
            if !self.is_better(found, best) {
                break;
            }
            best = found;
        }
        best
    }

    /// What no set within the hours can exceed: all together, or what each could be given credit
    /// for, cut off where the hours end (a loss avoided needs one of the candidates of each of its
    /// ways, so each loss is credited to the candidates of its narrowest way).
    fn bound(&mut self) -> f64 {
        let everything = Mask::MAX >> (64 - self.candidates.len().clamp(1, 64));
        let together = (0..self.candidates.len()).fold(0.0_f64, |most, at| {
            // Wrong-way effects aside, more treatments avoid more; both are looked at.
            most.max(self.gain(1 << at))
        });
        let together = together.max(self.gain(everything));
        if self.ledger.direct_worlds() > 0 {
            // Where somebody may notice, less can be more: only the whole harm is a sure bound.
            return self.base;
        }
        if !self.ledger.is_plain() {
            return together;
        }
        let mut credit = vec![0.0; self.candidates.len()];
        for item in &self.ledger.items {
            let Some(mask) = item.masks.iter().min_by_key(|it| it.count_ones()) else { continue };
            let harm = item.harm.first().copied().unwrap_or(0.0);
            for at in members(*mask) {
                if let Some(slot) = credit.get_mut(at) {
                    *slot += harm;
                }
            }
        }
        let mut rates: Vec<(f64, f64)> = credit
            .iter()
            .zip(self.candidates)
            .map(|(credit, it)| (*credit, it.hours.max(1e-9)))
            .collect();
        rates.sort_by(|a, b| (b.0 / b.1).total_cmp(&(a.0 / a.1)));
        let (mut hours, mut most) = (self.limit.hours, 0.0);
        for (credit, needed) in rates {
            let share = (hours / needed).clamp(0.0, 1.0);
            most += credit * share;
            hours -= needed * share;
        }
        let mut largest: Vec<f64> = credit.clone();
        largest.sort_by(|a, b| b.total_cmp(a));
        let by_count: f64 = largest.iter().take(self.limit.count).sum();
        together.min(most).min(by_count)
    }

    /// The order in which each next one avoids most, after what it needs.
    fn order(&mut self, chosen: Mask) -> Vec<usize> {
        let mut order = Vec::new();
        let mut done = 0;
        while done != chosen {
            let mut best: Option<(usize, f64)> = None;
            for at in members(chosen & !done) {
                let needs = self.candidates.get(at).map_or(0, |it| it.needs);
                if needs & done != needs {
                    continue;
                }
                let gain = self.gain(done | 1 << at);
                if best.is_none_or(|(_, known)| gain > known + SAME) {
                    best = Some((at, gain));
                }
            }
            let Some((at, _)) = best else { break };
            order.push(at);
            done |= 1 << at;
        }
        order
    }
}

/// The candidates of a set, in order.
pub(crate) fn members(chosen: Mask) -> impl Iterator<Item = usize> {
    (0..64).filter(move |at| chosen >> at & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::Edit;
    use crate::network::{Goal, Network, NetworkBuilder};
    use crate::sample::{Options, Sample};
    use polder_model::{Delay, Range};

    type Family = fn(&mut Dice) -> (Network, Vec<Edit>);

    /// Numbers that look random and are the same each time.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, count: u32) -> u32 {
            self.0 = crate::draw::mix(self.0);
            u32::try_from((self.0 >> 33) % u64::from(count)).unwrap_or(0)
        }
    }

    fn goal() -> Goal {
        Goal { weight: 1.0, takes_down: false, records: Vec::new() }
    }

    /// Layers of nodes with random steps between them; each candidate removes two of them.
    fn layers(dice: &mut Dice) -> (Network, Vec<Edit>) {
        let mut builder = NetworkBuilder::default();
        let nodes: Vec<u32> = (0..14).map(|at| builder.node(at)).collect();
        builder.source(nodes[0]);
        let mut count = 0;
        for from in 0..11_u32 {
            for _ in 0..3 {
                let to = from / 3 * 3 + 3 + dice.below(3);
                let p = 0.1 + 0.1 * f64::from(dice.below(8));
                let variable = builder.variable(u64::from(1000 + count), Range::exactly(p));
                let ends = (nodes[from as usize], nodes[to.min(13) as usize]);
                builder.edge(ends.0, ends.1, &[variable], Delay::Minutes);
                count += 1;
            }
        }
        nodes.iter().skip(11).for_each(|node| builder.goal(*node, goal()));
        (builder.build(), removing(dice, count, 12, 2))
    }

    /// Chains side by side to one goal: closing all but one buys nothing.
    fn chains(dice: &mut Dice) -> (Network, Vec<Edit>) {
        let mut builder = NetworkBuilder::default();
        let (start, end) = (builder.node(0), builder.node(1));
        builder.source(start);
        builder.goal(end, goal());
        let mut count = 0;
        for chain in 0..4_u64 {
            let mut at = start;
            for hop in 0..3_u64 {
                let next = if hop == 2 { end } else { builder.node(10 + chain * 3 + hop) };
                let p = 0.5 + 0.05 * f64::from(dice.below(10));
                let variable = builder.variable(100 + chain * 3 + hop, Range::exactly(p));
                builder.edge(at, next, &[variable], Delay::Minutes);
                at = next;
                count += 1;
            }
        }
        (builder.build(), removing(dice, count, 12, 1))
    }

    /// Many hosts behind shared flaws; a candidate thins a flaw or removes steps.
    fn star(dice: &mut Dice) -> (Network, Vec<Edit>) {
        let mut builder = NetworkBuilder::default();
        let internet = builder.node(0);
        builder.source(internet);
        let flaws: Vec<u32> =
            (0..5).map(|at| builder.variable(50 + at, Range::exactly(0.3))).collect();
        for host in 0..12_u64 {
            let root = builder.node(100 + host);
            builder.goal(root, goal());
            for _ in 0..2 {
                let flaw = flaws[dice.below(5) as usize];
                let hit = builder.variable(crate::draw::mix(host ^ dice.0), Range::exactly(0.4));
                builder.edge(internet, root, &[flaw, hit], Delay::Minutes);
            }
        }
        let mut edits = removing(dice, 24, 9, 3);
        for (at, flaw) in flaws.iter().take(3).enumerate() {
            let share = Range::exactly(0.25 * at as f64);
            edits.push(Edit {
                name: 900 + at as u64,
                thinned: vec![(*flaw, share)],
                ..Edit::default()
            });
        }
        (builder.build(), edits)
    }

    fn removing(dice: &mut Dice, edges: u32, count: usize, each: usize) -> Vec<Edit> {
        (0..count)
            .map(|at| Edit {
                name: at as u64,
                removed: (0..each).map(|_| dice.below(edges)).collect(),
                ..Edit::default()
            })
            .collect()
    }

    #[test]
    fn the_local_search_comes_near_the_best_of_all_sets() {
        let families: [Family; 3] = [layers, chains, star];
        for (family, make) in families.iter().enumerate() {
            let mut ratios = Vec::new();
            for seed in 0..60 {
                let mut dice = Dice(seed * 7 + family as u64);
                let (network, edits) = make(&mut dice);
                let candidates: Vec<Candidate> = edits
                    .iter()
                    .map(|_| Candidate {
                        hours: 0.5 + 0.5 * f64::from(dice.below(6)),
                        needs: 0,
                        excludes: 0,
                    })
                    .collect();
                let options = Options { blocks: 16, worlds_per_block: 64, ..Options::default() };
                let day = Range::exactly(24.0).into();
                let sample = Sample::plain(&network, options, day, &edits);
                let mut ledger = sample.ledger();
                let base = ledger.harm(0);
                let limit = Limit { hours: 5.0, count: 12, share: 0.0 };
                let mut it = Searcher { ledger: &mut ledger, candidates: &candidates, limit, base };
                let best = it.exhaustive();
                let best = it.gain(best);
                let found = it.local();
                assert!(it.fits(found));
                let found = it.gain(found);
                let bound = it.bound();
                assert!(best <= bound + 1e-9, "bound {bound} below {best}");
                assert!(found <= best + 1e-9);
                ratios.push(if best > 0.0 { found / best } else { 1.0 });
            }
            ratios.sort_by(f64::total_cmp);
            println!("family {family}: worst {:.3}, 5 % point {:.3}", ratios[0], ratios[3]);
            assert!(ratios[3] >= 0.95, "family {family}: {ratios:?}");
        }
    }
}
