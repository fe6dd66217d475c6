//! Networks of numbers, for estates too large for names: prices, and prices again after a change.

use crate::effect::Edit;
use crate::figures::{Band, Worth, worth};
use crate::network::{Network, number};
use crate::sample::{BlockSums, Options, Sample};
use polder_model::{Range, Restore};

/// What a fleet loses in a year, and what each treatment avoids.
#[derive(Clone, Debug, PartialEq)]
pub struct FleetPrice {
    /// Probability of any loss within a year.
    pub any: Band,
    /// Losses by weight, outages by their hours.
    pub harm: f64,
    /// Hosts down within a year, in host-hours.
    pub outage_hours: f64,
    /// What each treatment avoids alone, in the order given.
    pub treatments: Vec<Worth>,
}

/// Prices a network and every treatment alone, all in the same worlds.
pub fn price_network(
    network: &Network,
    edits: &[Edit],
    restore: Restore,
    options: Options,
) -> FleetPrice {
    let sets: Vec<Vec<u32>> = (0..edits.len()).map(|at| vec![number(at)]).collect();
    let blocks = Sample { sets: &sets, ..Sample::plain(network, options, restore, edits) }.blocks();
    let worlds = options.worlds_per_block as f64;
    let count = blocks.len().max(1) as f64;
    let mean = |pick: fn(&BlockSums) -> f64| {
        blocks.iter().map(|it| it.weight * pick(it) / worlds).sum::<f64>() / count
    };
    let any: Vec<(f64, f64)> = blocks.iter().map(|it| (it.base.any, it.weight)).collect();
    FleetPrice {
        any: Band::sampled(&any, worlds, network.has_ranges()),
        harm: mean(|it| it.base.harm),
        outage_hours: mean(|it| it.base.hours),
        treatments: (0..sets.len()).map(|at| worth(&blocks, at, worlds).0).collect(),
    }
}

/// How much more is lost in a year in which a variable is true than in one in which it is not.
///
/// The expected harm is linear in the probability of each variable, so a changed fact about one of
/// them changes it by the change of its probability times this; nothing else need be drawn again.
/// Both kinds of year are the same otherwise, pair by pair.
pub fn sensitivity(network: &Network, variable: u32, restore: Restore, options: Options) -> Worth {
    let certain = network.with_certain(variable);
    let closes = Edit { thinned: vec![(variable, Range::exactly(0.0))], ..Edit::default() };
    let price = price_network(&certain, &[closes], restore, options);
    price.treatments.first().copied().unwrap_or_default()
}
