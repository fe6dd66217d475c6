//! Prices a graph: what is lost in a year, what each treatment avoids, which to do first.

use crate::compile::Compiled;
use crate::effect::Edit;
use crate::exact::{Answer, Solver};
use crate::figures::{Band, Measurement, Worth, difference, measure, worth};
use crate::ledger::CANDIDATES_MAX;
use crate::network::{Network, number};
use crate::paths::{self, PathShare, Ways};
use crate::plan::{Candidate, Limit, Search, search};
use crate::sample::{BlockSums, CURVE_HOURS, Options, Sample, Sums};
use crate::world::Draws;
use polder_model::{Graph, NodeId, Restore, Treatment, TreatmentId};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Ways to a loss that are kept.
const PATHS_MAX: usize = 12;

/// Choke points that are kept.
const CHOKE_POINTS_MAX: usize = 8;

/// Losses that must be seen for an error of one or two per cent.
const LOSSES_WANTED: f64 = 8192.0;

/// Treatments that are priced in all worlds; the others could not come near the plan.
const RACERS: usize = 24;

/// Steps of a graph up to which an exact solution is tried.
const EXACT_EDGES_MAX: usize = 20_000;

/// What bounds may cost, in looks at a rule: about a second.
const BOUNDS_EFFORT: usize = 50_000_000;

/// One loss.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GoalRisk {
    /// The node it stands for.
    pub node: String,
    /// The loss in words.
    pub loss: String,
    /// Probability within a year.
    pub yearly: Band,
    /// The same after the plan.
    pub yearly_after: Band,
}

/// What one treatment buys.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TreatmentValue {
    /// The treatment.
    pub id: TreatmentId,
    /// What it avoids alone.
    #[serde(flatten)]
    pub worth: Worth,
    /// Probability of any loss within a year, with this treatment alone.
    pub any_after: f64,
    /// Share of years in which it makes things worse: a noisy way closed, a quiet one taken.
    pub worse: f64,
    /// Whether the next one in the ranking cannot be told from it at 95 %.
    pub ties_with_next: bool,
}

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
    /// What this plan avoids on the worlds of the search.
    pub found: f64,
    /// How it was searched for.
    pub search: Search,
    /// Treatments the search could choose from.
    pub candidates: usize,
}

impl Plan {
    /// Steps that are worth something on fresh worlds, and those that these need.
    fn told(&self, treatments: &[&Treatment]) -> BTreeSet<TreatmentId> {
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

/// The price of a graph.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pricing {
    /// How it was drawn.
    pub options: Options,
    /// Probability of any loss within a year.
    pub any: Band,
    /// The same after the plan.
    pub any_after: Band,
    /// Each loss.
    pub goals: Vec<GoalRisk>,
    /// Expected harm a year: losses by weight, outages by their hours.
    pub harm: f64,
    /// Expected hours of outage a year.
    pub outage_hours: f64,
    /// Class, expected records exposed a year, and the same after the plan.
    pub records: Vec<(String, f64, f64)>,
    /// Hours of outage, probability of more within a year, and the same after the plan.
    pub exceedance: Vec<(f64, f64, f64)>,
    /// Every treatment, the best first.
    pub treatments: Vec<TreatmentValue>,
    /// What to do.
    pub plan: Plan,
    /// The ways to losses, the most frequent first.
    pub paths: Vec<PathShare>,
    /// Capabilities that the ways to losses cannot go around, with the share of losses.
    pub choke_points: Vec<(NodeId, f64)>,
    /// Share of losses that pass a step whose probability is judgement.
    pub on_judgement: f64,
    /// What to measure first.
    pub measure: Option<Measurement>,
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

/// Prices a graph: as it is, with every treatment alone, and with the best plan.
///
/// `restore` says how long a host that was lost stays down.
pub fn price(
    graph: &Graph,
    restore: Restore,
    treatments: &[&Treatment],
    request: &Request,
    options: Options,
) -> Pricing {
    let compiled = Compiled::new(graph);
    let edits: Vec<Edit> = treatments.iter().map(|it| Edit::of(&compiled, it)).collect();
    let pricer = Pricer { compiled: &compiled, treatments, edits: &edits, restore, options };
    let options = pricer.enough();
    let pricer = Pricer { options, ..pricer };
    let mut values = pricer.race();
    let (first_order, bound, found, how, candidates) = pricer.choose(&values, request);
    // A fresh seed for the figures shown, so that the winner's luck is not counted (winner's curse).
    let fresh = Options { seed: options.seed ^ 0xf5e5, ..options };
    let (mut order, mut shown, mut plan);
    order = first_order;
    loop {
        shown = pricer.sample(fresh, std::slice::from_ref(&order), Some(0), true);
        plan = pricer.plan(&order, fresh, &shown, (bound, found, how, candidates));
        let told = plan.told(treatments);
        if how == Search::Asked || request.share_min <= 0.0 || told.len() == plan.steps.len() {
            break;
        }
        // On fresh worlds nothing could be told of the others: they were the search's luck.
        let is_told =
            |at: &u32| treatments.get(*at as usize).is_some_and(|it| told.contains(&it.id));
        let before = order.len();
        order.retain(is_told);
        if order.len() == before {
            break;
        }
    }
    rank(&mut values);
    pricer.summarize(fresh, values, plan, &order, &shown)
}

struct Pricer<'a> {
    compiled: &'a Compiled<'a>,
    treatments: &'a [&'a Treatment],
    edits: &'a [Edit],
    restore: Restore,
    options: Options,
}

/// Order, bound, worth in the search, how it was found, and among how many.
type Choice = (Vec<u32>, f64, f64, Search, usize);

impl Pricer<'_> {
    /// As many worlds as it takes to see the wanted number of losses.
    fn enough(&self) -> Options {
        let few = self.few(self.options);
        let blocks = self.sample(few, &[], None, false);
        let seen: f64 = blocks.iter().map(|it| it.base.any).sum();
        let drawn = (few.blocks * few.worlds_per_block) as f64;
        let wanted = LOSSES_WANTED * few.care as f64 / (seen / drawn).max(1e-6) / few.blocks as f64;
        let most = self.options.worlds_per_block;
        // Rounded to powers of two, so that a small change of the host leaves the worlds the same.
        let worlds = std::iter::successors(Some(few.worlds_per_block), |it| Some(it * 2))
            .find(|it| *it as f64 >= wanted || *it >= most);
        Options { worlds_per_block: worlds.unwrap_or(most).min(most), ..self.options }
    }

    /// Prices every treatment in few worlds, and the best of them again in all.
    fn race(&self) -> Vec<TreatmentValue> {
        let singles: Vec<Vec<u32>> = (0..self.edits.len()).map(|at| vec![number(at)]).collect();
        let all = self.options;
        if self.edits.len() <= RACERS {
            return self.values(&self.sample(all, &singles, None, false), all, &singles);
        }
        let few = self.few(all);
        let mut values = self.values(&self.sample(few, &singles, None, false), few, &singles);
        let mut order: Vec<usize> = (0..values.len()).collect();
        let avoided = |at: &usize| values.get(*at).map_or(0.0, |it| it.worth.avoided);
        order.sort_by(|a, b| avoided(b).total_cmp(&avoided(a)).then(a.cmp(b)));
        order.truncate(RACERS);
        let best: Vec<Vec<u32>> = order.iter().map(|at| vec![number(*at)]).collect();
        let again = self.sample(all, &best, None, false);
        for (at, value) in order.into_iter().zip(self.values(&again, all, &best)) {
            if let Some(slot) = values.get_mut(at) {
                *slot = value;
            }
        }
        values
    }

    /// An eighth of the worlds, for what needs less precision.
    fn few(&self, options: Options) -> Options {
        let worlds_per_block = (options.worlds_per_block / 8).max(32).min(options.worlds_per_block);
        Options { worlds_per_block, ..options }
    }

    fn sample(
        &self,
        options: Options,
        sets: &[Vec<u32>],
        full: Option<usize>,
        explains: bool,
    ) -> Vec<BlockSums> {
        let (network, edits, restore) = (&self.compiled.network, self.edits, self.restore);
        let counts_goals = explains;
        Sample { network, options, restore, edits, sets, full, counts_goals, explains }.blocks()
    }

    /// What each set of one treatment is worth.
    fn values(
        &self,
        base: &[BlockSums],
        options: Options,
        sets: &[Vec<u32>],
    ) -> Vec<TreatmentValue> {
        let worlds = options.worlds_per_block as f64;
        let count = base.len().max(1) as f64;
        let any = base.iter().map(|it| it.weight * it.base.any / worlds).sum::<f64>() / count;
        let value = |(at, treatment): (usize, &&Treatment)| {
            let (worth, rarer, worse) = worth(base, at, worlds);
            TreatmentValue {
                id: treatment.id.clone(),
                worth,
                any_after: (any - rarer).max(0.0),
                worse,
                ties_with_next: false,
            }
        };
        let treatment = |set: &Vec<u32>| self.treatments.get(*set.first()? as usize);
        sets.iter().filter_map(treatment).enumerate().map(value).collect()
    }

    /// The best set, in order, with its bound, its worth in the search, and how it was found.
    fn choose(&self, values: &[TreatmentValue], request: &Request) -> Choice {
        if let Some(exactly) = &request.exactly {
            let place = |id: &TreatmentId| self.treatments.iter().position(|it| it.id == *id);
            let order: Vec<u32> = exactly.iter().filter_map(place).map(number).collect();
            return (order, 0.0, 0.0, Search::Asked, exactly.len());
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
        let sample = Sample {
            network: &self.compiled.network,
            options: self.options,
            restore: self.restore,
            edits: &edits,
            sets: &[],
            full: None,
            counts_goals: false,
            explains: false,
        };
        let mut ledger = sample.ledger();
        let (hours, count) = (request.hours_max, request.steps_max);
        let limit = Limit { hours, count, share: request.share_min };
        let found = search(&mut ledger, &candidates, limit);
        let order = found.order.iter().filter_map(|at| chosen.get(*at)).map(|at| number(*at));
        (order.collect(), found.bound, found.avoided, found.search, candidates.len())
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

    fn plan(
        &self,
        order: &[u32],
        fresh: Options,
        all_worlds: &[BlockSums],
        (bound, found, search, candidates): (f64, f64, Search, usize),
    ) -> Plan {
        let few = self.few(fresh);
        let shown = &self.sample(few, &plan_sets(order), None, false);
        let worlds = few.worlds_per_block as f64;
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
        let steps = order.iter().enumerate().filter_map(step).collect();
        let avoided = worth(all_worlds, 0, fresh.worlds_per_block as f64).0;
        Plan { steps, avoided, bound, found, search, candidates }
    }

    fn summarize(
        &self,
        options: Options,
        treatments: Vec<TreatmentValue>,
        plan: Plan,
        order: &[u32],
        shown: &[BlockSums],
    ) -> Pricing {
        let (compiled, network) = (self.compiled, &self.compiled.network);
        let worlds = options.worlds_per_block as f64;
        let has_ranges = network.has_ranges();
        let of = |pick: &dyn Fn(&BlockSums) -> f64| {
            let blocks: Vec<(f64, f64)> = shown.iter().map(|it| (pick(it), it.weight)).collect();
            Band::sampled(&blocks, worlds, has_ranges)
        };
        let count = shown.len().max(1) as f64;
        let mean = |pick: &dyn Fn(&BlockSums) -> f64| {
            shown.iter().map(|it| it.weight * pick(it) / worlds).sum::<f64>() / count
        };
        let goal = |sums: &Sums, at: u32| sums.goals.get(&at).copied().unwrap_or(0.0);
        let exact = Exact::of(self, options, order);
        let mut goals: Vec<GoalRisk> = (0..number(network.goals.len()))
            .map(|at| GoalRisk {
                node: compiled.node_name(compiled.goal_node(at)).to_string(),
                loss: compiled.goal_title(at),
                yearly: exact.goal(at, false).unwrap_or_else(|| of(&|it| goal(&it.base, at))),
                yearly_after: exact.goal(at, true).unwrap_or_else(|| of(&|it| goal(&it.after, at))),
            })
            .collect();
        // Control of the host comes first: most other losses follow from it.
        let is_root = |it: &GoalRisk| it.node == "root";
        goals.sort_by(|a, b| {
            let by_size = b.yearly.mean.total_cmp(&a.yearly.mean);
            is_root(b).cmp(&is_root(a)).then(by_size).then_with(|| a.node.cmp(&b.node))
        });
        let mut ways = Ways::new();
        shown.iter().for_each(|block| paths::merge(&mut ways, block.ways.clone()));
        let record = |sums: &Sums, at: usize| sums.records.get(at).copied().unwrap_or(0.0);
        let losses = shown.iter().map(|it| it.weight * it.losses).sum::<f64>();
        let judged = shown.iter().map(|it| it.weight * it.on_judgement).sum::<f64>();
        let curve = |sums: &Sums, at: usize| sums.curve.get(at).copied().unwrap_or(0.0);
        Pricing {
            options: self.options,
            any: exact.any(false).unwrap_or_else(|| of(&|it| it.base.any)),
            any_after: exact.any(true).unwrap_or_else(|| of(&|it| it.after.any)),
            goals,
            harm: mean(&|it| it.base.harm),
            outage_hours: mean(&|it| it.base.hours),
            records: compiled
                .classes
                .iter()
                .enumerate()
                .map(|(at, class)| {
                    let now = mean(&|it| record(&it.base, at));
                    (class.clone(), now, mean(&|it| record(&it.after, at)))
                })
                .collect(),
            exceedance: CURVE_HOURS
                .iter()
                .enumerate()
                .map(|(at, hours)| {
                    (*hours, mean(&|it| curve(&it.base, at)), mean(&|it| curve(&it.after, at)))
                })
                .collect(),
            treatments,
            plan,
            paths: paths::shares(&ways, compiled, PATHS_MAX),
            choke_points: choke_points(compiled, shown),
            on_judgement: if losses > 0.0 { judged / losses } else { 0.0 },
            measure: measure(compiled, shown),
        }
    }
}

/// Exact figures, where time does not matter and the graph is small enough.
struct Exact {
    /// Any loss, now and after; then each goal, now and after.
    any: (Option<Band>, Option<Band>),
    goals: Vec<(Option<Band>, Option<Band>)>,
}

impl Exact {
    fn of(pricer: &Pricer<'_>, options: Options, order: &[u32]) -> Self {
        let network = &pricer.compiled.network;
        let chosen: Vec<&Edit> =
            order.iter().filter_map(|at| pricer.edits.get(*at as usize)).collect();
        let is_timed = network.is_timed() || chosen.iter().any(|it| it.changes_time());
        if is_timed || !options.exact || network.edge_count() > EXACT_EDGES_MAX {
            return Self { any: (None, None), goals: Vec::new() };
        }
        let after = network.edited(&chosen);
        let solve =
            |targets: &[u32]| (solve(network, targets, options), solve(&after, targets, options));
        let any = solve(&network.goal_nodes);
        let goals = network.goal_nodes.iter().map(|node| solve(&[*node])).collect();
        Self { any, goals }
    }

    fn any(&self, after: bool) -> Option<Band> {
        if after { self.any.1 } else { self.any.0 }
    }

    fn goal(&self, goal: u32, after: bool) -> Option<Band> {
        let (now, later) = self.goals.get(goal as usize)?;
        if after { *later } else { *now }
    }
}

/// The probability that any of the targets is reached, without sampling worlds.
fn solve(network: &Network, targets: &[u32], options: Options) -> Option<Band> {
    if targets.is_empty() {
        return None;
    }
    let solver = Solver::new(network, targets);
    let draws = Draws::new(network, options.seed);
    let has_ranges = network.has_ranges();
    let blocks = if has_ranges { options.blocks } else { 1 };
    let values = |block: u64| -> Vec<f64> {
        let block = draws.block(block);
        (0..network.variables.len()).map(|at| draws.probability(&block, at)).collect()
    };
    if solver.is_exact() {
        let exact: Option<Vec<f64>> = (0..blocks).map(|at| solver.exact(&values(at))).collect();
        return Some(Band::exact(&exact?, has_ranges));
    }
    // Bounds hold for one set of probabilities; with ranges the worlds tell more.
    if has_ranges {
        return None;
    }
    match solver.answer(&values(0), BOUNDS_EFFORT) {
        Answer::Exact(value) => Some(Band::exact(&[value], false)),
        Answer::Between(low, high) if high - low <= 1e-3 => Some(Band::between(low, high)),
        Answer::Between(..) => None,
    }
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

fn choke_points(compiled: &Compiled<'_>, shown: &[BlockSums]) -> Vec<(NodeId, f64)> {
    let mut sums: BTreeMap<u32, f64> = BTreeMap::new();
    let mut losses = 0.0;
    for block in shown {
        // Each searched world stands for its share of the losses of the block.
        let stands_for = block.weight * block.base.any / block.choke_worlds.max(1.0);
        losses += stands_for * block.choke_worlds;
        let mut choke: Vec<(&u32, &f64)> = block.choke.iter().collect();
        choke.sort_by_key(|(node, _)| **node);
        choke.iter().for_each(|(node, sum)| {
            *sums.entry(**node).or_default() += stands_for * **sum;
        });
    }
    let mut points: Vec<(NodeId, f64)> = sums
        .into_iter()
        .map(|(node, sum)| (NodeId(compiled.node_name(node).into()), sum / losses))
        .filter(|(_, share)| *share > 0.05)
        .collect();
    points.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    points.truncate(CHOKE_POINTS_MAX);
    points
}

fn rank(values: &mut [TreatmentValue]) {
    values
        .sort_by(|a, b| b.worth.avoided.total_cmp(&a.worth.avoided).then_with(|| a.id.cmp(&b.id)));
    let next: Vec<Option<Worth>> =
        values.iter().skip(1).map(|it| Some(it.worth)).chain([None]).collect();
    for (value, next) in values.iter_mut().zip(next) {
        value.ties_with_next = next.is_some_and(|next| {
            let error = value.worth.standard_error.hypot(next.standard_error);
            value.worth.avoided - next.avoided < 1.96 * error
        });
    }
}
