//! The ways in which losses come about, gathered by the capabilities they pass.

use crate::compile::Compiled;
use crate::network::Network;
use polder_model::NodeKind;
use serde::Serialize;
use std::collections::BTreeMap;

/// One hop of a path.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hop {
    /// The step most often taken here.
    pub edge: String,
    /// What the attacker does.
    pub does: String,
    /// What the attacker can do afterwards.
    pub then: String,
    /// The fact behind it.
    pub because: String,
    /// Where that fact was seen.
    pub seen_in: String,
    /// Other steps between the same two capabilities that were taken in other worlds.
    pub other_ways: usize,
}

/// A way to a loss, with its share of all losses.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PathShare {
    /// The loss it ends in.
    pub goal: String,
    /// Its share of all losses, between zero and one.
    pub share: f64,
    /// From the source to the goal.
    pub hops: Vec<Hop>,
}

/// Counts of one way: how often, and how often each step was taken at each hop.
#[derive(Clone, Default)]
pub(crate) struct Way {
    count: u64,
    steps: Vec<BTreeMap<u32, u64>>,
}

/// Ways by the kinds of the nodes they pass: those that differ in the service or account only are
/// one, told by its most frequent steps.
pub(crate) type Ways = BTreeMap<Vec<u8>, Way>;

/// Notes one path of one world.
pub(crate) fn note(ways: &mut Ways, network: &Network, path: &[u32]) {
    let kind = |edge: &u32| network.kinds.get(*network.to.get(*edge as usize)? as usize).copied();
    // Who is root holds all that is on the host: what is taken then is no other way in.
    let root = path.iter().position(|edge| kind(edge) == Some(NodeKind::Root as u8));
    let path = root.and_then(|end| path.get(..=end)).unwrap_or(path);
    // Being held in a sandbox is no step of its own: the one out of it tells the story.
    let is_told = |edge: &&u32| kind(edge) != Some(NodeKind::Sandbox as u8);
    let path: Vec<u32> = path.iter().filter(is_told).copied().collect();
    let kinds: Vec<u8> = path.iter().filter_map(kind).collect();
    let way = ways.entry(kinds).or_default();
    way.count += 1;
    way.steps.resize(path.len(), BTreeMap::new());
    for (steps, edge) in way.steps.iter_mut().zip(path) {
        *steps.entry(edge).or_default() += 1;
    }
}

/// Adds the ways of one block to those of others.
pub(crate) fn merge(all: &mut Ways, block: Ways) {
    for (kinds, way) in block {
        let slot = all.entry(kinds).or_default();
        slot.count += way.count;
        slot.steps.resize(way.steps.len().max(slot.steps.len()), BTreeMap::new());
        for (steps, more) in slot.steps.iter_mut().zip(way.steps) {
            for (edge, count) in more {
                *steps.entry(edge).or_default() += count;
            }
        }
    }
}

/// The `most` most frequent ways, in words.
pub(crate) fn shares(ways: &Ways, compiled: &Compiled<'_>, most: usize) -> Vec<PathShare> {
    let total: u64 = ways.values().map(|way| way.count).sum();
    let mut ordered: Vec<(&Vec<u8>, &Way)> = ways.iter().collect();
    ordered.sort_by(|a, b| b.1.count.cmp(&a.1.count).then_with(|| a.0.cmp(b.0)));
    ordered
        .into_iter()
        .take(most)
        .filter_map(|(_, way)| {
            let hops: Option<Vec<Hop>> =
                way.steps.iter().map(|steps| hop(steps, compiled)).collect();
            let last = compiled.graph.find_edge(compiled.edges.get(often(way.steps.last()?)?)?)?;
            let goal = compiled.graph.find_node(&last.to)?.goal.as_ref()?.title.clone();
            Some(PathShare { goal, share: way.count as f64 / total.max(1) as f64, hops: hops? })
        })
        .collect()
}

/// The step taken most often.
fn often(steps: &BTreeMap<u32, u64>) -> Option<usize> {
    let most = steps.iter().max_by_key(|(edge, count)| (**count, std::cmp::Reverse(**edge)));
    most.map(|(edge, _)| *edge as usize)
}

fn hop(steps: &BTreeMap<u32, u64>, compiled: &Compiled<'_>) -> Option<Hop> {
    let edge = compiled.graph.find_edge(compiled.edges.get(often(steps)?)?)?;
    let then = compiled.graph.find_node(&edge.to)?;
    Some(Hop {
        edge: edge.id.0.clone(),
        does: edge.label.clone(),
        then: then.label.clone(),
        because: edge.evidence.says.clone(),
        seen_in: edge.evidence.origin.to_string(),
        other_ways: steps.len().saturating_sub(1),
    })
}
