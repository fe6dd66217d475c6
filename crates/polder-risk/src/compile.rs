//! The graph as arrays: numbers instead of names, edges by the node they start from.

use crate::draw;
use polder_model::{Basis, Graph, Join, NodeKind, Op, Range, Treatment};
use std::collections::HashMap;

/// One step.
pub(crate) struct Edge {
    pub(crate) to: usize,
    pub(crate) from: usize,
    /// Variables that must be true.
    pub(crate) needs: Vec<usize>,
    /// Number of its name, for draws that thin it.
    pub(crate) name: u64,
}

/// One variable.
pub(crate) struct Variable {
    pub(crate) name: u64,
    pub(crate) range: Range,
    pub(crate) basis: Basis,
}

/// What a treatment does, in numbers.
#[derive(Clone, Default)]
pub(crate) struct Edit {
    /// Steps that are gone.
    pub(crate) removed: Vec<usize>,
    /// Variables that stay true only in a share of worlds; zero closes them.
    pub(crate) thinned: Vec<(usize, Range)>,
    /// Steps that stay open only in a share of worlds.
    pub(crate) thinned_edges: Vec<(usize, Range)>,
    /// Hours of a restore from now on.
    pub(crate) restore: Option<Range>,
    /// Every step that can change, for quick rejection.
    pub(crate) touches: Vec<usize>,
}

/// The graph as arrays.
pub(crate) struct Compiled {
    pub(crate) nodes: Vec<String>,
    pub(crate) edges: Vec<Edge>,
    pub(crate) edge_ids: Vec<String>,
    pub(crate) variables: Vec<Variable>,
    pub(crate) variable_ids: Vec<String>,
    /// Edge numbers by the node they start from.
    pub(crate) out: Vec<Vec<usize>>,
    /// For nodes that need all their steps, how many there are; zero for the others.
    pub(crate) needs_all: Vec<u32>,
    pub(crate) sources: Vec<usize>,
    /// Goal number of each node that is a loss.
    pub(crate) goal_of: Vec<Option<usize>>,
    pub(crate) goals: Vec<(usize, String)>,
    /// The goals whose loss takes the host down.
    pub(crate) outage: Vec<bool>,
}

impl Compiled {
    /// Numbers every node, edge and variable in the order of their names.
    pub(crate) fn new(graph: &Graph) -> Self {
        let nodes: Vec<_> = graph.nodes().collect();
        let index: HashMap<&str, usize> =
            nodes.iter().enumerate().map(|(at, node)| (node.id.0.as_str(), at)).collect();
        let variables: Vec<_> = graph.variables().collect();
        let variable_index: HashMap<&str, usize> =
            variables.iter().enumerate().map(|(at, it)| (it.id.0.as_str(), at)).collect();
        let mut edges = Vec::new();
        let mut edge_ids = Vec::new();
        let mut out = vec![Vec::new(); nodes.len()];
        let mut into = vec![0_u32; nodes.len()];
        for edge in graph.edges() {
            let ends = index.get(edge.from.0.as_str()).zip(index.get(edge.to.0.as_str()));
            let Some((&from, &to)) = ends else { continue };
            let needs: Option<Vec<usize>> =
                edge.needs.iter().map(|it| variable_index.get(it.0.as_str()).copied()).collect();
            // A step that needs what does not exist is never open.
            let Some(needs) = needs else { continue };
            if let (Some(list), Some(count)) = (out.get_mut(from), into.get_mut(to)) {
                list.push(edges.len());
                *count += 1;
            }
            edges.push(Edge { to, from, needs, name: draw::name(&edge.id.0) });
            edge_ids.push(edge.id.0.clone());
        }
        let goals: Vec<(usize, String)> = nodes
            .iter()
            .enumerate()
            .filter_map(|(at, node)| Some((at, node.goal.clone()?)))
            .collect();
        let mut goal_of = vec![None; nodes.len()];
        for (number, (node, _)) in goals.iter().enumerate() {
            if let Some(slot) = goal_of.get_mut(*node) {
                *slot = Some(number);
            }
        }
        let is_root = |at: &usize| nodes.get(*at).is_some_and(|it| it.kind == NodeKind::Root);
        Self {
            outage: goals.iter().map(|(at, _)| is_root(at)).collect(),
            needs_all: nodes
                .iter()
                .zip(&into)
                .map(|(node, count)| if node.join == Join::All { *count } else { 0 })
                .collect(),
            sources: nodes
                .iter()
                .enumerate()
                .filter(|(_, node)| {
                    matches!(node.kind, NodeKind::Internet | NodeKind::Insider | NodeKind::Supplier)
                })
                .map(|(at, _)| at)
                .collect(),
            nodes: nodes.iter().map(|node| node.id.0.clone()).collect(),
            variables: variables
                .iter()
                .map(|it| Variable {
                    name: draw::name(&it.id.0),
                    range: it.probability.range,
                    basis: it.probability.basis,
                })
                .collect(),
            variable_ids: variables.iter().map(|it| it.id.0.clone()).collect(),
            edges,
            edge_ids,
            out,
            goal_of,
            goals,
        }
    }

    /// A treatment in numbers; what it names and the graph has not is passed over.
    pub(crate) fn edit(&self, treatment: &Treatment) -> Edit {
        let mut edit = Edit::default();
        let edge = |id: &str| self.edge_ids.binary_search_by(|it| it.as_str().cmp(id)).ok();
        let variable = |id: &str| self.variable_ids.binary_search_by(|it| it.as_str().cmp(id)).ok();
        for op in &treatment.ops {
            match op {
                Op::Remove { edge: id } => edit.removed.extend(edge(&id.0)),
                Op::Close { variable: id } => {
                    edit.thinned.extend(variable(&id.0).map(|it| (it, Range::exactly(0.0))));
                }
                Op::Thin { variable: id, factor } => {
                    edit.thinned.extend(variable(&id.0).map(|it| (it, *factor)));
                }
                Op::ThinEdge { edge: id, factor } => {
                    edit.thinned_edges.extend(edge(&id.0).map(|it| (it, *factor)));
                }
                Op::Restore { hours } => edit.restore = Some(*hours),
            }
        }
        edit.touches = self.touches(&edit);
        edit
    }

    fn touches(&self, edit: &Edit) -> Vec<usize> {
        let mut touches = edit.removed.clone();
        touches.extend(edit.thinned_edges.iter().map(|(edge, _)| *edge));
        for (at, edge) in self.edges.iter().enumerate() {
            if edge.needs.iter().any(|it| edit.thinned.iter().any(|(variable, _)| variable == it)) {
                touches.push(at);
            }
        }
        touches.sort_unstable();
        touches.dedup();
        touches
    }

    /// Several treatments as one: the strongest effect on each thing counts once for each treatment.
    pub(crate) fn together(&self, edits: &[Edit]) -> Edit {
        let mut all = Edit::default();
        for edit in edits {
            all.removed.extend(&edit.removed);
            all.thinned.extend(&edit.thinned);
            all.thinned_edges.extend(&edit.thinned_edges);
            all.restore = match (all.restore, edit.restore) {
                (Some(a), Some(b)) => Some(if b.mean() < a.mean() { b } else { a }),
                (a, b) => a.or(b),
            };
        }
        all.touches = self.touches(&all);
        all
    }
}
