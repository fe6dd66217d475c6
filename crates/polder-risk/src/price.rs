//! Prices a graph: what is lost in a year, what each treatment avoids, which to do first.

use crate::choose::{Plan, Planned, Request};
use crate::compile::Compiled;
use crate::effect::Edit;
use crate::exact::{Answer, Solver};
use crate::figures::{Band, Measurement, Worth, measure, worth};
use crate::network::{Network, number};
use crate::paths::{self, PathShare, Ways};
use crate::plan::Search;
use crate::sample::{BlockSums, CURVE_HOURS, Options, Sample, Sums};
use crate::world::Draws;
use polder_model::{Graph, NodeId, Restore, Treatment, TreatmentId};
use serde::Serialize;
use std::collections::BTreeMap;

/// Ways to a loss that are kept.
const PATHS_MAX: usize = 12;

/// Choke points that are kept.
const CHOKE_POINTS_MAX: usize = 8;

/// Losses that must be seen for an error of one or two per cent.
const LOSSES_WANTED: f64 = 3072.0;

/// Treatments that are priced in all worlds; the others could not come near the plan.
const RACERS: usize = 16;

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
    let whole = Pricer {
        compiled: &compiled,
        network: &compiled.network,
        treatments,
        edits: &edits,
        done: &[],
        restore,
        options,
        losses: LOSSES_WANTED,
    };
    let (options, mut values) = whole.race();
    let pricer = Pricer { options, ..whole };
    let choice = pricer.choose(&values, request);
    let (mut choice, rests) = whole.refine(choice, request);
    // A fresh seed for the figures shown, so that the winner's luck is not counted (winner's curse).
    let fresh = Options { seed: options.seed ^ 0xf5e5, ..options };
    let mut planned;
    loop {
        planned = pricer.plan(&choice, fresh, &rests);
        let told = planned.plan.told(treatments);
        let is_asked = choice.search == Search::Asked;
        if is_asked || request.share_min <= 0.0 || told.len() == planned.plan.steps.len() {
            break;
        }
        // On fresh worlds nothing could be told of the others: they were the search's luck.
        let is_told =
            |at: &u32| treatments.get(*at as usize).is_some_and(|it| told.contains(&it.id));
        let before = choice.order.len();
        choice.order.retain(is_told);
        if choice.order.len() == before {
            break;
        }
    }
    rank(&mut values);
    pricer.summarize(fresh, values, planned, &choice.order)
}

/// What one estate is priced with.
#[derive(Clone, Copy)]
pub(crate) struct Pricer<'a> {
    pub(crate) compiled: &'a Compiled<'a>,
    pub(crate) network: &'a Network,
    pub(crate) treatments: &'a [&'a Treatment],
    pub(crate) edits: &'a [Edit],
    /// Treatments already part of the network.
    pub(crate) done: &'a [u32],
    pub(crate) restore: Restore,
    pub(crate) options: Options,
    /// Losses that must be seen.
    pub(crate) losses: f64,
}

impl Pricer<'_> {
    /// As many worlds as it takes to see the wanted number of losses, after a look at few.
    fn enough(&self, few: Options, seen: &[BlockSums]) -> Options {
        let seen: f64 = seen.iter().map(|it| it.base.any).sum();
        let drawn = (few.blocks * few.worlds_per_block) as f64;
        let wanted = self.losses * few.care as f64 / (seen / drawn).max(1e-6) / few.blocks as f64;
        let most = self.options.worlds_per_block;
        // Rounded to powers of two, so that a small change of the host leaves the worlds the same.
        let worlds = std::iter::successors(Some(few.worlds_per_block), |it| Some(it * 2))
            .find(|it| *it as f64 >= 0.75 * wanted || *it >= most);
        Options { worlds_per_block: worlds.unwrap_or(most).min(most), ..self.options }
    }

    /// Prices every treatment in few worlds, and the best of them again in as many as it takes;
    /// says how many that is.
    pub(crate) fn race(&self) -> (Options, Vec<TreatmentValue>) {
        let singles: Vec<Vec<u32>> = (0..self.edits.len()).map(|at| vec![number(at)]).collect();
        let few = self.few(self.options);
        let first = self.sample(few, &singles, None, false);
        let all = self.enough(few, &first);
        let mut values = self.values(&first, few, &singles);
        if all == few {
            return (all, values);
        }
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
        (all, values)
    }

    /// An eighth of the worlds, for what needs less precision.
    pub(crate) fn few(&self, options: Options) -> Options {
        let worlds_per_block = (options.worlds_per_block / 8).max(32).min(options.worlds_per_block);
        Options { worlds_per_block, ..options }
    }

    pub(crate) fn sample(
        &self,
        options: Options,
        sets: &[Vec<u32>],
        full: Option<usize>,
        explains: bool,
    ) -> Vec<BlockSums> {
        let Self { network, edits, restore, .. } = *self;
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

    fn summarize(
        &self,
        options: Options,
        treatments: Vec<TreatmentValue>,
        planned: Planned,
        order: &[u32],
    ) -> Pricing {
        let Planned { plan, shown, any_after } = planned;
        let shown = shown.as_slice();
        let Self { compiled, network, .. } = *self;
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
            any_after: exact.any(true).or(any_after).unwrap_or_else(|| of(&|it| it.after.any)),
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
        let network = pricer.network;
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
