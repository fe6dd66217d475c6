//! Draws the worlds, counts the losses, and runs each treatment in the worlds it can change.

use crate::compile::{Compiled, Edit};
use crate::draw;
use crate::paths::{self, PathShare, Ways};
use crate::world::{Block, BlockEdit, Reach};
use polder_model::{Basis, Model, Op, Range, Treatment, TreatmentId};
use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeSet;

/// Hours of outage for which the curve says how likely a longer one is.
const CURVE_HOURS: [f64; 8] = [1.0, 4.0, 24.0, 72.0, 168.0, 336.0, 720.0, 1440.0];

/// Ways to a loss that are kept.
const PATHS_MAX: usize = 12;

/// How to draw.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Options {
    /// The same seed gives the same result, to the last digit.
    pub seed: u64,
    /// Blocks of worlds that share their parameters: what is not known.
    pub blocks: u64,
    /// Worlds in each block: luck.
    pub worlds_per_block: u64,
    /// Hours of outage that weigh as much as one loss.
    pub outage_hours_per_loss: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 1, blocks: 128, worlds_per_block: 512, outage_hours_per_loss: 48.0 }
    }
}

/// A yearly quantity with the range that comes from what is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Band {
    /// Mean over all blocks.
    pub mean: f64,
    /// Below it lie 5 % of the blocks, sampling noise taken out.
    pub low: f64,
    /// Above it lie 5 % of the blocks, sampling noise taken out.
    pub high: f64,
    /// Standard error of the mean from sampling alone.
    pub standard_error: f64,
}

/// One loss.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GoalRisk {
    /// The node it stands for.
    pub node: String,
    /// The loss in words.
    pub loss: String,
    /// Probability within a year.
    pub yearly: Band,
    /// The same after the first treatments of the ranking.
    pub yearly_after: Band,
}

/// What one treatment buys.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TreatmentValue {
    /// The treatment.
    pub id: TreatmentId,
    /// Losses avoided a year, outages counted by their hours.
    pub avoided: f64,
    /// Standard error of `avoided`, from paired worlds.
    pub standard_error: f64,
    /// Probability of any loss within a year, with this treatment alone.
    pub any_after: f64,
    /// Whether the next one in the ranking cannot be told from it at 95 %.
    pub ties_with_next: bool,
}

/// The measurement that would tell most.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measurement {
    /// The variable.
    pub variable: String,
    /// What it means when it is true.
    pub title: String,
    /// Share of the spread between blocks that goes along with it.
    pub explains: f64,
}

/// The price of a graph.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pricing {
    /// How it was drawn.
    pub options: Options,
    /// How the figures were won: `sampled`.
    pub method: String,
    /// Probability of any loss within a year.
    pub any: Band,
    /// The same after the first treatments of the ranking.
    pub any_after: Band,
    /// Each loss.
    pub goals: Vec<GoalRisk>,
    /// Expected hours of outage a year.
    pub outage_hours: f64,
    /// Hours of outage, probability of more within a year, and the same after the first treatments.
    pub exceedance: Vec<(f64, f64, f64)>,
    /// Every treatment, the best first.
    pub treatments: Vec<TreatmentValue>,
    /// The treatments that "after" means.
    pub first: Vec<TreatmentId>,
    /// The ways to losses, the most frequent first.
    pub paths: Vec<PathShare>,
    /// Share of losses that pass a step whose probability is judgement.
    pub on_judgement: f64,
    /// What to measure first.
    pub measure: Option<Measurement>,
}

/// What one world lost.
#[derive(Clone, Copy)]
struct Loss {
    goals: u64,
    hours: f64,
}

/// Sums of one block.
struct BlockSums {
    worlds: f64,
    any: f64,
    any_after: f64,
    goals: Vec<f64>,
    goals_after: Vec<f64>,
    harm: f64,
    hours: f64,
    curve: Vec<(f64, f64)>,
    /// For each treatment: sum and sum of squares of what it avoids, and worlds with any loss left.
    avoided: Vec<(f64, f64, f64)>,
    ways: Ways,
    losses: f64,
    on_judgement: f64,
    probability: Vec<f64>,
}

/// Prices a model: base, every treatment alone, and the best `first_max` together.
///
/// `skip` names treatments that may not be among the first, such as those of accepted findings.
pub fn price(
    model: &Model,
    treatments: &[&Treatment],
    skip: &BTreeSet<TreatmentId>,
    first_max: usize,
    options: Options,
) -> Pricing {
    let compiled = Compiled::new(&model.graph);
    let edits: Vec<Edit> = treatments.iter().map(|it| compiled.edit(it)).collect();
    let run = Run { compiled: &compiled, options, restore: model.restore_hours };
    let base = run.blocks(&edits, None);
    let mut values = values(&base, treatments);
    let first = first(&values, treatments, skip, first_max);
    let chosen: Vec<Edit> = treatments
        .iter()
        .zip(&edits)
        .filter(|(it, _)| first.contains(&it.id))
        .map(|(_, edit)| edit.clone())
        .collect();
    let together = compiled.together(&chosen);
    // A fresh seed for the figures shown, so that the winner's luck is not counted (winner's curse).
    let fresh = Run { options: Options { seed: options.seed ^ 0xf5e5, ..options }, ..run };
    let shown = fresh.blocks(&[], Some(&together));
    rank(&mut values);
    summarise(&compiled, model, options, &base, &shown, values, first)
}

struct Run<'a> {
    compiled: &'a Compiled,
    options: Options,
    restore: Range,
}

impl Run<'_> {
    fn blocks(&self, edits: &[Edit], together: Option<&Edit>) -> Vec<BlockSums> {
        (0..self.options.blocks)
            .into_par_iter()
            .map(|number| self.block(number, edits, together))
            .collect()
    }

    fn block(&self, number: u64, edits: &[Edit], together: Option<&Edit>) -> BlockSums {
        let (graph, seed) = (self.compiled, self.options.seed);
        let block = Block::draw(graph, seed, number);
        let draw_edit = |edit| BlockEdit::draw(graph, edit, seed, number);
        let edits: Vec<BlockEdit<'_>> = edits.iter().map(draw_edit).collect();
        let together = together.map(draw_edit);
        let mut reach = Reach::new(graph, seed);
        let mut treated = Reach::new(graph, seed);
        let mut met = vec![false; graph.edges.len()];
        let mut sums = BlockSums::new(graph, edits.len(), self.options.worlds_per_block);
        for at in 0..self.options.worlds_per_block {
            let world = number * self.options.worlds_per_block + at;
            let loss = self.loss(world, reach.run(world, &block, None), self.restore);
            if loss.goals == 0 {
                continue;
            }
            sums.add_base(self, loss);
            self.note_paths(&reach, loss, &mut sums);
            for edge in &reach.open {
                if let Some(slot) = met.get_mut(*edge) {
                    *slot = true;
                }
            }
            let is_met = |edit: &BlockEdit<'_>| {
                edit.edit.touches.iter().any(|it| met.get(*it).copied().unwrap_or(false))
            };
            for (slot, edit) in sums.avoided.iter_mut().zip(&edits) {
                let restore = edit.edit.restore.unwrap_or(self.restore);
                let goals =
                    if is_met(edit) { treated.run(world, &block, Some(edit)) } else { loss.goals };
                let after = self.loss(world, goals, restore);
                let avoided = self.harm(loss) - self.harm(after);
                slot.0 += avoided;
                slot.1 += avoided * avoided;
                slot.2 += f64::from(u8::from(after.goals != 0));
            }
            if let Some(edit) = &together {
                let restore = edit.edit.restore.unwrap_or(self.restore);
                let goals = treated.run(world, &block, Some(edit));
                sums.add_after(self.loss(world, goals, restore));
            }
            for edge in &reach.open {
                if let Some(slot) = met.get_mut(*edge) {
                    *slot = false;
                }
            }
        }
        sums.probability = block.probability;
        sums
    }

    /// Hours of outage come from losing the host; the quantile is the same whatever the treatment.
    fn loss(&self, world: u64, goals: u64, restore: Range) -> Loss {
        let is_down = self
            .compiled
            .outage
            .iter()
            .enumerate()
            .any(|(goal, down)| *down && goals >> goal.min(63) & 1 == 1);
        let quantile = draw::uniform(self.options.seed, draw::name("restore"), world);
        let hours = if is_down { draw::quantile(restore, quantile) } else { 0.0 };
        Loss { goals, hours }
    }

    fn harm(&self, loss: Loss) -> f64 {
        f64::from(loss.goals.count_ones()) + loss.hours / self.options.outage_hours_per_loss
    }

    fn note_paths(&self, reach: &Reach<'_>, loss: Loss, sums: &mut BlockSums) {
        for (number, (node, _)) in self.compiled.goals.iter().enumerate() {
            if loss.goals >> number.min(63) & 1 == 0 {
                continue;
            }
            let path = reach.path(*node);
            let is_judged = path.iter().filter_map(|it| self.compiled.edges.get(*it)).any(|edge| {
                edge.needs
                    .iter()
                    .filter_map(|it| self.compiled.variables.get(*it))
                    .any(|it| it.basis == Basis::Judgement && it.range.low < it.range.high)
            });
            sums.losses += 1.0;
            sums.on_judgement += f64::from(u8::from(is_judged));
            paths::note(&mut sums.ways, self.compiled, &path);
        }
    }
}

impl BlockSums {
    fn new(graph: &Compiled, edits: usize, worlds: u64) -> Self {
        Self {
            worlds: worlds as f64,
            any: 0.0,
            any_after: 0.0,
            goals: vec![0.0; graph.goals.len()],
            goals_after: vec![0.0; graph.goals.len()],
            harm: 0.0,
            hours: 0.0,
            curve: vec![(0.0, 0.0); CURVE_HOURS.len()],
            avoided: vec![(0.0, 0.0, 0.0); edits],
            ways: Ways::new(),
            losses: 0.0,
            on_judgement: 0.0,
            probability: Vec::new(),
        }
    }

    fn add_base(&mut self, run: &Run<'_>, loss: Loss) {
        self.any += 1.0;
        self.harm += run.harm(loss);
        self.hours += loss.hours;
        for (number, count) in self.goals.iter_mut().enumerate() {
            *count += f64::from(u8::from(loss.goals >> number.min(63) & 1 == 1));
        }
        for (slot, hours) in self.curve.iter_mut().zip(CURVE_HOURS) {
            slot.0 += f64::from(u8::from(loss.hours > hours));
        }
    }

    fn add_after(&mut self, loss: Loss) {
        self.any_after += f64::from(u8::from(loss.goals != 0));
        for (number, count) in self.goals_after.iter_mut().enumerate() {
            *count += f64::from(u8::from(loss.goals >> number.min(63) & 1 == 1));
        }
        for (slot, hours) in self.curve.iter_mut().zip(CURVE_HOURS) {
            slot.1 += f64::from(u8::from(loss.hours > hours));
        }
    }
}

fn values(base: &[BlockSums], treatments: &[&Treatment]) -> Vec<TreatmentValue> {
    let worlds: f64 = base.iter().map(|block| block.worlds).sum();
    treatments
        .iter()
        .enumerate()
        .map(|(at, treatment)| {
            let sum = |pick: fn(&(f64, f64, f64)) -> f64| -> f64 {
                base.iter().filter_map(|block| block.avoided.get(at)).map(pick).sum()
            };
            let mean = sum(|it| it.0) / worlds;
            let variance = (sum(|it| it.1) / worlds - mean * mean).max(0.0);
            TreatmentValue {
                id: treatment.id.clone(),
                avoided: mean,
                standard_error: (variance / worlds).sqrt(),
                any_after: sum(|it| it.2) / worlds,
                ties_with_next: false,
            }
        })
        .collect()
}

/// The best treatments that are not parts of larger ones, may be chosen, and avoid anything.
fn first(
    values: &[TreatmentValue],
    treatments: &[&Treatment],
    skip: &BTreeSet<TreatmentId>,
    most: usize,
) -> Vec<TreatmentId> {
    let present: BTreeSet<&TreatmentId> = treatments.iter().map(|it| &it.id).collect();
    let mut ordered: Vec<(&TreatmentValue, &&Treatment)> = values
        .iter()
        .zip(treatments)
        .filter(|(_, it)| !skip.contains(&it.id))
        .filter(|(_, it)| it.part_of.as_ref().is_none_or(|whole| !present.contains(whole)))
        .filter(|(value, _)| value.avoided > 2.0 * value.standard_error)
        .collect();
    ordered.sort_by(|a, b| compare(a.0, b.0));
    // Of two ways to close the same steps only the better one is worth doing.
    let mut first: Vec<(&TreatmentValue, &&Treatment)> = Vec::new();
    for (value, treatment) in ordered {
        let is_covered = !treatment.ops.is_empty()
            && treatment.ops.iter().all(|op| {
                matches!(op, Op::Remove { .. } | Op::Close { .. })
                    && first.iter().any(|(_, other)| other.ops.contains(op))
            });
        if !is_covered && first.len() < most {
            first.push((value, treatment));
        }
    }
    first.into_iter().map(|(value, _)| value.id.clone()).collect()
}

fn compare(a: &TreatmentValue, b: &TreatmentValue) -> std::cmp::Ordering {
    b.avoided.total_cmp(&a.avoided).then_with(|| a.id.cmp(&b.id))
}

fn rank(values: &mut [TreatmentValue]) {
    values.sort_by(compare);
    let next: Vec<Option<(f64, f64)>> = values
        .iter()
        .skip(1)
        .map(|it| Some((it.avoided, it.standard_error)))
        .chain([None])
        .collect();
    for (value, next) in values.iter_mut().zip(next) {
        value.ties_with_next = next.is_some_and(|(avoided, error)| {
            let spread = (value.standard_error.powi(2) + error.powi(2)).sqrt();
            value.avoided - avoided < 1.96 * spread
        });
    }
}

/// Mean over blocks, and the 5 % and 95 % points after shrinking by the share that is sampling noise.
fn band(per_block: &[f64], worlds_per_block: f64) -> Band {
    let count = per_block.len().max(1) as f64;
    let mean = per_block.iter().sum::<f64>() / count;
    let between = per_block.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / count;
    let within =
        per_block.iter().map(|it| it * (1.0 - it).max(0.0)).sum::<f64>() / count / worlds_per_block;
    let shrink = if between > 0.0 { ((between - within).max(0.0) / between).sqrt() } else { 0.0 };
    let mut sorted: Vec<f64> =
        per_block.iter().map(|it| (mean + (it - mean) * shrink).max(0.0)).collect();
    sorted.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let index = (share * (count - 1.0)).round();
        // The index lies within the blocks by construction.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..=blocks")]
        let index = index as usize;
        sorted.get(index).copied().unwrap_or(mean)
    };
    Band { mean, low: at(0.05), high: at(0.95), standard_error: (between / count).sqrt() }
}

fn summarise(
    compiled: &Compiled,
    model: &Model,
    options: Options,
    base: &[BlockSums],
    shown: &[BlockSums],
    treatments: Vec<TreatmentValue>,
    first: Vec<TreatmentId>,
) -> Pricing {
    let worlds = options.worlds_per_block as f64;
    let of = |pick: &dyn Fn(&BlockSums) -> f64| {
        let values: Vec<f64> = shown.iter().map(|block| pick(block) / worlds).collect();
        band(&values, worlds)
    };
    let total: f64 = shown.iter().map(|block| block.worlds).sum();
    let sum = |pick: &dyn Fn(&BlockSums) -> f64| shown.iter().map(pick).sum::<f64>();
    let goal = |list: &[f64], at: usize| list.get(at).copied().unwrap_or(0.0);
    let goals = compiled.goals.iter().enumerate().map(|(at, (node, loss))| GoalRisk {
        node: compiled.nodes.get(*node).cloned().unwrap_or_default(),
        loss: loss.clone(),
        yearly: of(&|block| goal(&block.goals, at)),
        yearly_after: of(&|block| goal(&block.goals_after, at)),
    });
    let mut goals: Vec<GoalRisk> = goals.collect();
    // Control of the host comes first: most other losses follow from it.
    let is_root = |it: &GoalRisk| it.node == "root";
    goals.sort_by(|a, b| {
        let by_size = b.yearly.mean.total_cmp(&a.yearly.mean);
        is_root(b).cmp(&is_root(a)).then(by_size).then_with(|| a.node.cmp(&b.node))
    });
    let mut ways = Ways::new();
    for block in shown {
        paths::merge(&mut ways, block.ways.clone());
    }
    let curve = |at: usize, after: bool| {
        let pick = |block: &BlockSums| {
            let (before, later) = block.curve.get(at).copied().unwrap_or_default();
            if after { later } else { before }
        };
        sum(&pick) / total
    };
    Pricing {
        options,
        method: "sampled".into(),
        any: of(&|block| block.any),
        any_after: of(&|block| block.any_after),
        goals,
        outage_hours: sum(&|block| block.hours) / total,
        exceedance: CURVE_HOURS
            .iter()
            .enumerate()
            .map(|(at, hours)| (*hours, curve(at, false), curve(at, true)))
            .collect(),
        treatments,
        first,
        paths: paths::shares(&ways, compiled, &model.graph, PATHS_MAX),
        on_judgement: sum(&|block| block.on_judgement) / sum(&|block| block.losses).max(1.0),
        measure: measure(compiled, model, base),
    }
}

/// The variable whose draw goes along most with the harm of its block.
fn measure(compiled: &Compiled, model: &Model, base: &[BlockSums]) -> Option<Measurement> {
    let count = base.len() as f64;
    let mean_harm = base.iter().map(|block| block.harm).sum::<f64>() / count;
    let spread = base.iter().map(|block| (block.harm - mean_harm).powi(2)).sum::<f64>();
    let mut best: Option<(usize, f64)> = None;
    for at in 0..compiled.variables.len() {
        let drawn = |block: &BlockSums| block.probability.get(at).copied().unwrap_or(0.0);
        let mean = base.iter().map(drawn).sum::<f64>() / count;
        let own = base.iter().map(|block| (drawn(block) - mean).powi(2)).sum::<f64>();
        let both: f64 =
            base.iter().map(|block| (drawn(block) - mean) * (block.harm - mean_harm)).sum();
        let explains = if own > 0.0 && spread > 0.0 { both * both / (own * spread) } else { 0.0 };
        if both > 0.0 && best.is_none_or(|(_, most)| explains > most) {
            best = Some((at, explains));
        }
    }
    // With 128 blocks a chance agreement of 5 % among many variables is common.
    let (at, explains) = best.filter(|(_, explains)| *explains > 0.1)?;
    let id = compiled.variable_ids.get(at)?.clone();
    let variable = model.graph.find_variable(&polder_model::VariableId(id.clone()))?;
    Some(Measurement { variable: id, title: variable.title.clone(), explains })
}
