//! From sums over worlds to figures with their error and their range.

use crate::compile::Compiled;
use crate::sample::{Avoided, BlockSums};
use serde::Serialize;

/// How a figure was won.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// By arithmetic, for each draw of what is not known.
    Exact,
    /// Between two bounds that hold whatever happens.
    Bounds,
    /// From drawn worlds.
    #[default]
    Sampled,
}

impl Method {
    /// The word shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Bounds => "bounds",
            Self::Sampled => "sampled",
        }
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
    /// Standard error of the mean.
    pub standard_error: f64,
    /// Lower end of the 95 % interval of the mean, or the lower bound.
    pub at_least: f64,
    /// Upper end of the 95 % interval of the mean, or the upper bound.
    pub at_most: f64,
    /// How it was won.
    pub method: Method,
}

impl Band {
    /// A figure known for each block.
    pub(crate) fn exact(per_block: &[f64], drawn: bool) -> Self {
        let count = per_block.len().max(1) as f64;
        let mean = per_block.iter().sum::<f64>() / count;
        let between = per_block.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / count;
        let standard_error = if drawn { (between / (count - 1.0).max(1.0)).sqrt() } else { 0.0 };
        let (low, high) = ends(per_block, mean, 1.0);
        Self {
            mean,
            low,
            high,
            standard_error,
            at_least: (mean - 1.96 * standard_error).max(0.0),
            at_most: mean + 1.96 * standard_error,
            method: Method::Exact,
        }
    }

    /// A figure between two bounds.
    pub(crate) fn between(low: f64, high: f64) -> Self {
        Self {
            mean: f64::midpoint(low, high),
            low,
            high,
            standard_error: 0.0,
            at_least: low,
            at_most: high,
            method: Method::Bounds,
        }
    }

    /// A frequency from worlds: how many of `worlds` in each block, and how often one is drawn.
    pub(crate) fn sampled(blocks: &[(f64, f64)], worlds: f64, has_ranges: bool) -> Self {
        let per_block: Vec<f64> =
            blocks.iter().map(|(count, weight)| count / worlds * weight).collect();
        let count = per_block.len().max(1) as f64;
        let mean = per_block.iter().sum::<f64>() / count;
        let between = per_block.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / count;
        let noise = |(hits, weight): &(f64, f64)| {
            let share = hits / worlds;
            weight * weight * (share * (1.0 - share)).max(0.0) / worlds
        };
        let within = blocks.iter().map(noise).sum::<f64>() / count;
        let left = if between > 0.0 { ((between - within).max(0.0) / between).sqrt() } else { 0.0 };
        let (low, high) = ends(&per_block, mean, if has_ranges { left } else { 0.0 });
        let (standard_error, at_least, at_most) = if has_ranges {
            let error = (between / (count - 1.0).max(1.0)).sqrt();
            (error, (mean - 1.96 * error).max(0.0), mean + 1.96 * error)
        } else {
            let weight = blocks.first().map_or(1.0, |it| it.1);
            let hits: f64 = blocks.iter().map(|it| it.0).sum();
            let (low, high) = wilson(hits, worlds * count);
            ((within / count).sqrt(), low * weight, high * weight)
        };
        // What no world had may still be: with 95 % at most three over their number.
        let rare = 3.0 * blocks.iter().map(|it| it.1).sum::<f64>() / count / (worlds * count);
        let at_most = if mean > 0.0 { at_most } else { at_most.max(rare) };
        Self { mean, low, high, standard_error, at_least, at_most, method: Method::Sampled }
    }
}

/// The 5 % and 95 % points of blocks, drawn towards their mean by the share that is not noise.
fn ends(per_block: &[f64], mean: f64, share: f64) -> (f64, f64) {
    let mut sorted: Vec<f64> =
        per_block.iter().map(|it| (mean + (it - mean) * share).max(0.0)).collect();
    sorted.sort_by(f64::total_cmp);
    let at = |quantile: f64| {
        let index = (quantile * (sorted.len().max(1) - 1) as f64).round();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..=blocks")]
        let index = index as usize;
        sorted.get(index).copied().unwrap_or(mean)
    };
    (at(0.05), at(0.95))
}

/// The 95 % interval of a share (Wilson 1927); it holds near zero and one, too.
fn wilson(hits: f64, count: f64) -> (f64, f64) {
    const Z: f64 = 1.96;
    let share = hits / count;
    let scale = 1.0 + Z * Z / count;
    let middle = (share + Z * Z / (2.0 * count)) / scale;
    let half = Z / scale * (share * (1.0 - share) / count + Z * Z / (4.0 * count * count)).sqrt();
    // With no or only hits one end is known.
    let low = if hits <= 0.0 { 0.0 } else { (middle - half).max(0.0) };
    let high = if hits >= count { 1.0 } else { (middle + half).min(1.0) };
    (low, high)
}

/// What a set of treatments avoids a year.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Worth {
    /// Losses avoided, outages counted by their hours.
    pub avoided: f64,
    /// Standard error of `avoided`, from paired worlds.
    pub standard_error: f64,
}

impl Worth {
    /// Whether it can be told from nothing.
    pub fn is_told(self) -> bool {
        self.avoided > 2.0 * self.standard_error
    }
}

/// Worth of set `at`, how much rarer any loss becomes, and the share of worlds in which it makes
/// things worse.
pub(crate) fn worth(blocks: &[BlockSums], at: usize, worlds: f64) -> (Worth, f64, f64) {
    let count = blocks.len().max(1) as f64;
    let (mut any, mut worse) = (0.0, 0.0);
    for block in blocks {
        let it: Avoided = block.avoided.get(at).copied().unwrap_or_default();
        any += block.weight * it.any / worlds;
        worse += block.weight * it.worse / worlds;
    }
    (difference(blocks, at, None, worlds), any / count, worse / count)
}

/// What set `a` avoids more than set `b`, paired block by block; none means doing nothing.
pub(crate) fn difference(blocks: &[BlockSums], a: usize, b: Option<usize>, worlds: f64) -> Worth {
    let count = blocks.len().max(1) as f64;
    let sum = |block: &BlockSums, at: usize| block.avoided.get(at).map_or(0.0, |it| it.sum);
    let more = |block: &BlockSums| {
        block.weight * (sum(block, a) - b.map_or(0.0, |b| sum(block, b))) / worlds
    };
    let mean = blocks.iter().map(more).sum::<f64>() / count;
    let between = blocks.iter().map(|it| (more(it) - mean).powi(2)).sum::<f64>() / count;
    Worth { avoided: mean, standard_error: (between / (count - 1.0).max(1.0)).sqrt() }
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

/// The variable whose draw goes along most with the harm of its block.
pub(crate) fn measure(compiled: &Compiled<'_>, blocks: &[BlockSums]) -> Option<Measurement> {
    let count = blocks.len() as f64;
    let harm = |block: &BlockSums| block.base.harm * block.weight;
    let mean_harm = blocks.iter().map(harm).sum::<f64>() / count;
    let spread = blocks.iter().map(|block| (harm(block) - mean_harm).powi(2)).sum::<f64>();
    let mut best: Option<(usize, f64)> = None;
    for at in 0..compiled.variables.len() {
        let drawn = |block: &BlockSums| block.probability.get(at).copied().unwrap_or(0.0);
        let mean = blocks.iter().map(drawn).sum::<f64>() / count;
        let own = blocks.iter().map(|block| (drawn(block) - mean).powi(2)).sum::<f64>();
        let both: f64 =
            blocks.iter().map(|block| (drawn(block) - mean) * (harm(block) - mean_harm)).sum();
        let explains = if own > 0.0 && spread > 0.0 { both * both / (own * spread) } else { 0.0 };
        if both > 0.0 && best.is_none_or(|(_, most)| explains > most) {
            best = Some((at, explains));
        }
    }
    // With 128 blocks a chance agreement of 5 % among many variables is common.
    let (at, explains) = best.filter(|(_, explains)| *explains > 0.1)?;
    let id = compiled.variables.get(at)?;
    let variable = compiled.graph.find_variable(id)?;
    Some(Measurement { variable: id.0.clone(), title: variable.title.clone(), explains })
}
