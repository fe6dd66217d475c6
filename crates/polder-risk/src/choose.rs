//! Chooses what to do: a search among the best, and a second one in what its first steps leave.

use crate::effect::Edit;
use crate::figures::{Band, Worth, difference, worth};
use crate::ledger::CANDIDATES_MAX;
use crate::network::{Network, number};
use crate::plan::{Candidate, LEFT_MAX, Limit, Search, search};
use crate::price::{Pricer, TreatmentValue};
use crate::sample::{BlockSums, Options, Sample};
use polder_model::{Restore, Treatment, TreatmentId};
use serde::Serialize;
use std::collections::BTreeSet;

/// How often what is left is searched again.
const REFINEMENTS_MAX: usize = 3;

/// One treatment of a plan, with what it is worth seen in three ways.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanStep {
    /// The treatment.
    pub id: TreatmentId,
    /// Hours of work, the mean of the range.
    pub hours: f64,
    /// Done alone.
    pub alone: Worth,
    /// Done after those before it in the plan.
    pub in_order: Worth,
    /// Done last, after all others of the plan.
    pub left_for_last: Worth,
    /// Any loss within a year after this and all before it.
    pub any_after: f64,
}

/// What to do, and how good that is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// In the order to do them.
    pub steps: Vec<PlanStep>,
    /// What all of them together avoid, on worlds the search has not seen.
    pub avoided: Worth,
    /// No plan within the limits avoids more than this, on the worlds of the search.
    pub bound: f64,
    /// What the set found there avoids on those worlds; where its first steps take nearly all away,
    /// what comes after them was searched for again and may differ from it.
    pub found: f64,
    /// How it was searched for.
    pub search: Search,
    /// Treatments the search could choose from.
    pub candidates: usize,
}

impl Plan {
    /// Steps that are worth something on fresh worlds, and those that these need.
    pub(crate) fn told(&self, treatments: &[&Treatment]) -> BTreeSet<TreatmentId> {
        let is_worth = |it: &&PlanStep| {
            it.alone.is_told() || it.in_order.is_told() || it.left_for_last.is_told()
        };
        let mut told: BTreeSet<TreatmentId> =
            self.steps.iter().filter(is_worth).map(|it| it.id.clone()).collect();
        loop {
            let needs =
                treatments.iter().filter(|it| told.contains(&it.id)).flat_map(|it| &it.needs);
            let more: Vec<TreatmentId> = needs.filter(|it| !told.contains(it)).cloned().collect();
            if more.is_empty() {
                return told;
            }
            told.extend(more);
        }
    }
}

/// Which treatments a plan may hold.
#[derive(Clone, Debug)]
pub struct Request {
    /// Hours of work.
    pub hours_max: f64,
    /// Number of treatments.
    pub steps_max: usize,
    /// Treatments the search may choose from: the best alone. Sixteen are searched exhaustively.
    pub candidates_max: usize,
    /// Share of the harm left by the plan that a treatment must avoid to be worth a step.
    pub share_min: f64,
    /// Treatments that may not be chosen, such as those of accepted findings.
    pub skip: BTreeSet<TreatmentId>,
    /// Exactly these, in this order, whatever they cost: a question, not a search.
    pub exactly: Option<Vec<TreatmentId>>,
}

impl Request {
    /// The best few of the sixteen that are best alone, whatever the hours.
    pub fn first(steps_max: usize) -> Self {
        Self {
            hours_max: f64::INFINITY,
            steps_max,
            candidates_max: 16,
            share_min: 0.02,
            skip: BTreeSet::new(),
            exactly: None,
        }
    }
}

/// A plan as a search left it.
pub(crate) struct Choice {
    /// Treatments in the order to do them.
    pub(crate) order: Vec<u32>,
    /// Share of the harm left after each of them.
    left: Vec<f64>,
    bound: f64,
    found: f64,
    pub(crate) search: Search,
    candidates: usize,
}

/// A plan with what it was priced by.
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    /// The worlds it was priced in.
    pub(crate) shown: Vec<BlockSums>,
    /// Any loss after it, where another estate tells more of that.
    pub(crate) any_after: Option<Band>,
}

/// An estate after the first steps of a plan.
pub(crate) struct Rest {
    network: Network,
    restore: Restore,
    done: Vec<u32>,
    options: Options,
}

impl Pricer<'_> {
    /// The best set, in order, with its bound, its worth in the search, and how it was found.
    pub(crate) fn choose(&self, values: &[TreatmentValue], request: &Request) -> Choice {
        if let Some(exactly) = &request.exactly {
            let place = |id: &TreatmentId| self.treatments.iter().position(|it| it.id == *id);
            let order: Vec<u32> = exactly.iter().filter_map(place).map(number).collect();
            let (search, candidates) = (Search::Asked, exactly.len());
            return Choice { order, left: Vec::new(), bound: 0.0, found: 0.0, search, candidates };
        }
        let chosen = self.candidates(values, request);
        let edits: Vec<Edit> =
            chosen.iter().filter_map(|at| self.edits.get(*at)).cloned().collect();
        let place = |id: &TreatmentId| {
            chosen.iter().position(|at| self.treatments.get(*at).is_some_and(|it| it.id == *id))
        };
        let mask = |ids: &[TreatmentId]| {
            ids.iter().filter_map(place).fold(0, |all: u64, at| all | 1 << at)
        };
        let candidates: Vec<Candidate> = chosen
            .iter()
            .filter_map(|at| self.treatments.get(*at))
            .map(|it| Candidate {
                hours: it.effort.hours.mean(),
                needs: mask(&it.needs),
                excludes: mask(&it.excludes)
                    | it.part_of.as_ref().and_then(place).map_or(0, |at| 1 << at),
            })
            .collect();
        let sample = Sample::plain(self.network, self.options, self.restore, &edits);
        let mut ledger = sample.ledger();
        let (hours, count) = (request.hours_max, request.steps_max);
        let limit = Limit { hours, count, share: request.share_min };
        let found = search(&mut ledger, &candidates, limit);
        let order = found.order.iter().filter_map(|at| chosen.get(*at)).map(|at| number(*at));
        Choice {
            order: order.collect(),
            left: found.left,
            bound: found.bound,
            found: found.avoided,
            search: found.search,
            candidates: candidates.len(),
        }
    }

    /// Treatments to choose from, the best alone first; with each one those it needs.
    fn candidates(&self, values: &[TreatmentValue], request: &Request) -> Vec<usize> {
        let is_affordable = |it: &Treatment| it.effort.hours.mean() <= request.hours_max;
        let mut places: Vec<usize> = (0..self.treatments.len())
            .filter(|at| {
                self.treatments
                    .get(*at)
                    .is_some_and(|it| !request.skip.contains(&it.id) && is_affordable(it))
            })
            .collect();
        let allowed: BTreeSet<usize> = places.iter().copied().collect();
        let value = |at: &usize| values.get(*at).map_or(0.0, |it| it.worth.avoided);
        places.sort_by(|a, b| value(b).total_cmp(&value(a)).then(a.cmp(b)));
        // What changes nothing on the graph is chosen only because something else needs it.
        places.retain(|at| self.treatments.get(*at).is_some_and(|it| !it.ops.is_empty()));
        let mut chosen: Vec<usize> = Vec::new();
        for at in places {
            let Some(treatment) = self.treatments.get(at) else { continue };
            let Some(mut group) = self.with_needs(treatment) else { continue };
            group.retain(|it| !self.done.contains(&number(*it)));
            // What may not be chosen keeps out all that needs it.
            if group.iter().any(|it| !allowed.contains(it)) {
                continue;
            }
            group.retain(|it| !chosen.contains(it));
            if chosen.len() + group.len() <= request.candidates_max.min(CANDIDATES_MAX) {
                chosen.extend(group);
            }
        }
        chosen
    }

    /// A treatment with all it needs, directly or not; none when one of them is not there.
    fn with_needs(&self, treatment: &Treatment) -> Option<Vec<usize>> {
        let place = |id: &TreatmentId| self.treatments.iter().position(|it| it.id == *id);
        let mut group = vec![place(&treatment.id)?];
        let mut next = 0;
        while let Some(at) = group.get(next).copied() {
            next += 1;
            for id in &self.treatments.get(at)?.needs {
                let needed = place(id)?;
                if !group.contains(&needed) {
                    group.push(needed);
                }
            }
        }
        Some(group)
    }

    /// Searches again for what comes after the steps that decide nearly everything, in an estate in
    /// which these are done.
    pub(crate) fn refine(&self, choice: Choice, request: &Request) -> (Choice, Vec<Rest>) {
        let (mut choice, mut rests) = (choice, Vec::new());
        for _ in 0..REFINEMENTS_MAX {
            let first = rests.last().map_or(0, |it: &Rest| it.done.len());
            let Some(more) = choice.left.iter().position(|it| *it < LEFT_MAX) else { break };
            let done: Vec<u32> = choice.order.iter().take(first + more + 1).copied().collect();
            let Some(left) = self.left_of(request, &done) else { break };
            let edits: Vec<&Edit> =
                done.iter().filter_map(|at| self.edits.get(*at as usize)).collect();
            let network = self.network.edited(&edits);
            let restores = edits.iter().filter_map(|it| it.restore).chain([self.restore]);
            let restore = restores.min_by(|a, b| a.mean().total_cmp(&b.mean()));
            let restore = restore.unwrap_or(self.restore);
            let losses = self.losses / 2.0;
            let after = Pricer { network: &network, done: &done, restore, losses, ..*self };
            let (options, values) = after.race();
            let next = Pricer { options, ..after }.choose(&values, &left);
            choice.order.truncate(done.len());
            choice.order.extend(next.order);
            choice.left = next.left;
            choice.search = Search::Refined;
            choice.candidates = choice.candidates.max(done.len() + next.candidates);
            rests.push(Rest { network, restore, done, options });
        }
        (choice, rests)
    }

    /// What a request still allows after some treatments, if anything.
    fn left_of(&self, request: &Request, done: &[u32]) -> Option<Request> {
        let done: Vec<&Treatment> =
            done.iter().filter_map(|at| self.treatments.get(*at as usize)).copied().collect();
        let spent: f64 = done.iter().map(|it| it.effort.hours.mean()).sum();
        let mut left = request.clone();
        left.hours_max -= spent;
        left.steps_max = left.steps_max.checked_sub(done.len()).filter(|it| *it > 0)?;
        let is_excluded = |it: &&&Treatment| done.iter().any(|other| excludes(it, other));
        let excluded = self.treatments.iter().filter(is_excluded);
        left.skip.extend(excluded.chain(&done).map(|it| it.id.clone()));
        Some(left)
    }

    /// Prices a plan: every step alone, in order, and left for last.
    pub(crate) fn plan(&self, choice: &Choice, fresh: Options, rests: &[Rest]) -> Planned {
        let order = &choice.order;
        let few = self.few(fresh);
        let sets = plan_sets(order);
        // All of the plan comes first; where few worlds are all, one run serves for both.
        let sets_shown = if few == fresh { sets.as_slice() } else { std::slice::from_ref(order) };
        let shown = self.sample(fresh, sets_shown, Some(0), true);
        let mut steps = match few == fresh {
            true => self.steps(order, few, &shown),
            false => self.steps(order, few, &self.sample(few, &sets, None, false)),
        };
        // After the first steps few worlds are left to tell the others apart; an estate in which
        // these are done has more of them.
        let mut any_after = None;
        for rest in rests {
            let Some(later) = order.strip_prefix(&*rest.done) else { break };
            let Rest { network, restore, options, .. } = rest;
            let options = self.few(Options { seed: fresh.seed, ..*options });
            let after = Pricer { network, restore: *restore, done: &rest.done, ..*self };
            let blocks = after.sample(options, &plan_sets(later), None, false);
            let again = after.steps(later, options, &blocks);
            let left = |it: &BlockSums| {
                let avoided = it.avoided.first().map_or(0.0, |all| all.any);
                (it.base.any - avoided, it.weight)
            };
            let left: Vec<(f64, f64)> = blocks.iter().map(left).collect();
            let worlds = options.worlds_per_block as f64;
            any_after = Some(Band::sampled(&left, worlds, network.has_ranges()));
            for (step, again) in steps.iter_mut().skip(rest.done.len()).zip(again) {
                *step = PlanStep { alone: step.alone, ..again };
            }
        }
        let avoided = worth(&shown, 0, fresh.worlds_per_block as f64).0;
        let Choice { bound, found, search, candidates, .. } = *choice;
        let plan = Plan { steps, avoided, bound, found, search, candidates };
        Planned { plan, shown, any_after }
    }

    /// The steps of a plan, from the sets of [`plan_sets`].
    fn steps(&self, order: &[u32], options: Options, shown: &[BlockSums]) -> Vec<PlanStep> {
        let worlds = options.worlds_per_block as f64;
        let count = shown.len().max(1) as f64;
        let any = shown.iter().map(|it| it.weight * it.base.any / worlds).sum::<f64>() / count;
        let steps = order.len();
        // Sets as `plan_sets` lays them out: all, then prefixes, singles, and all but one.
        let step = |(at, edit): (usize, &u32)| {
            let treatment = self.treatments.get(*edit as usize)?;
            let (_, rarer, _) = worth(shown, 1 + at, worlds);
            let before = (at > 0).then_some(at);
            Some(PlanStep {
                id: treatment.id.clone(),
                hours: treatment.effort.hours.mean(),
                alone: worth(shown, 1 + steps + at, worlds).0,
                in_order: difference(shown, 1 + at, before, worlds),
                left_for_last: difference(shown, 0, Some(1 + 2 * steps + at), worlds),
                any_after: (any - rarer).max(0.0),
            })
        };
        order.iter().enumerate().filter_map(step).collect()
    }
}

/// Whether two treatments cannot both be done, or one is part of the other.
fn excludes(a: &Treatment, b: &Treatment) -> bool {
    let one = |a: &Treatment, b: &Treatment| {
        a.excludes.contains(&b.id) || a.part_of.as_ref() == Some(&b.id)
    };
    one(a, b) || one(b, a)
}

/// All of the plan; each prefix; each one alone; all but each one.
fn plan_sets(order: &[u32]) -> Vec<Vec<u32>> {
    let all = order.to_vec();
    let prefixes = (1..=order.len()).map(|end| order.iter().take(end).copied().collect());
    let singles = order.iter().map(|it| vec![*it]);
    let others =
        order.iter().map(|it| order.iter().filter(|other| *other != it).copied().collect());
    [all].into_iter().chain(prefixes).chain(singles).chain(others).collect()
}
