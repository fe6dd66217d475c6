//! The steps as a walk through one world after another reads them.
//!
//! A node that is only passed, such as a listener that its zone always reaches, is left out: its
//! steps stand with the node before it. Steps behind the same variable stand together, so that a
//! flaw that is not there closes all of them at once. Neither changes what is reached.
#![expect(clippy::indexing_slicing, reason = "every index is a node or an edge of the network")]

use crate::network::{NONE, Shape, number};

/// In place of the second variable of a step that needs more than two.
pub(crate) const MORE: u32 = NONE - 1;

/// One step, side by side in memory.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    pub(crate) to: u32,
    /// Up to two variables; [`NONE`] where there is none, [`MORE`] where there are others.
    pub(crate) needs: [u32; 2],
    /// How many steps from this one on stand behind the same first variable.
    pub(crate) group: u32,
}

/// The steps by the node a walk takes them from.
#[derive(Clone, Default)]
pub(crate) struct Walk {
    start: Vec<u32>,
    pub(crate) steps: Vec<Step>,
    /// The edge of the network of each step.
    pub(crate) edge: Vec<u32>,
    /// The edge into the node that a step passes on its way; [`NONE`] for most.
    pub(crate) via: Vec<u32>,
    is_passed: Vec<bool>,
}

impl Walk {
    pub(crate) fn new(shape: &Shape, variables: usize) -> Self {
        let is_passed = passed(shape);
        let mut uses = vec![0_u32; variables];
        shape.needs.iter().for_each(|it| uses[*it as usize] += 1);
        let mut walk = Self { start: vec![0], is_passed, ..Self::default() };
        let mut steps: Vec<(Step, u32, u32)> = Vec::new();
        for node in 0..number(shape.node_count()) {
            steps.clear();
            if !walk.is_passed[node as usize] {
                for edge in shape.out(node) {
                    let to = shape.to[edge as usize];
                    if !walk.is_passed[to as usize] {
                        steps.push((step(shape, &uses, edge), edge, NONE));
                        continue;
                    }
                    let behind = shape.out(to);
                    steps.extend(behind.map(|next| (step(shape, &uses, next), next, edge)));
                }
            }
            steps.sort_by_key(|(step, ..)| step.needs[0]);
            for group in steps.chunk_by_mut(|a, b| a.0.needs[0] == b.0.needs[0]) {
                let count = number(group.len());
                for (step, edge, via) in group {
                    walk.steps.push(Step { group: count, ..*step });
                    walk.edge.push(*edge);
                    walk.via.push(*via);
                }
            }
            walk.start.push(number(walk.steps.len()));
        }
        walk
    }

    /// The steps from a node.
    pub(crate) fn out(&self, node: u32) -> std::ops::Range<usize> {
        self.start[node as usize] as usize..self.start[node as usize + 1] as usize
    }

    /// Whether a node is left out: it is reached when a node before it is.
    pub(crate) fn passes(&self, node: u32) -> bool {
        self.is_passed[node as usize]
    }
}

/// A step with the variable that most others need too in front.
fn step(shape: &Shape, uses: &[u32], edge: u32) -> Step {
    let needs = shape.needs(edge);
    let most = needs.iter().copied().max_by_key(|it| (uses[*it as usize], *it));
    let mut others = needs.iter().copied().filter(|it| Some(*it) != most);
    let second = match (others.next(), others.next()) {
        (_, Some(_)) => MORE,
        (other, None) => other.unwrap_or(NONE),
    };
    Step { to: shape.to[edge as usize], needs: [most.unwrap_or(NONE), second], group: 1 }
}

/// Nodes without which the graph is no larger, that nobody starts from, loses or watches, and that
/// are reached by any of several certain steps.
fn passed(shape: &Shape) -> Vec<bool> {
    let mut is_kept: Vec<bool> =
        shape.goal_of.iter().zip(&shape.needs_all).map(|it| *it.0 != NONE || *it.1 > 0).collect();
    let watched = shape.sensors.iter().flat_map(|it| &it.watches);
    shape.sources.iter().chain(watched).for_each(|node| is_kept[*node as usize] = true);
    let mut is_passed = vec![false; shape.node_count()];
    for node in 0..number(shape.node_count()) {
        let (into, out) = (shape.edges_into(node), shape.out(node));
        let grows = into.len() > 1 && out.len() > 1;
        if is_kept[node as usize] || into.is_empty() || out.is_empty() || grows {
            continue;
        }
        let is_certain = |edge: &u32| {
            let from = shape.from[*edge as usize];
            shape.needs(*edge).is_empty() && from != node && !is_passed[from as usize]
        };
        // A node that needs all its steps counts them: none may stand twice.
        let is_plain = |edge: u32| {
            let to = shape.to[edge as usize] as usize;
            shape.needs_all[to] == 0 && !is_passed[to]
        };
        is_passed[node as usize] = into.iter().all(is_certain) && out.clone().all(is_plain);
    }
    is_passed
}
