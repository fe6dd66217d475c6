//! From the graph with names to the network with numbers, and back.

use crate::draw;
use crate::network::{Goal, Network, NetworkBuilder, number};
use polder_model::{Delay, EdgeId, Estimate, Graph, Join, NodeId, Range, SensorId, VariableId};
use std::collections::{BTreeMap, HashMap};

/// A network with the names of its parts.
pub(crate) struct Compiled<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) network: Network,
    pub(crate) nodes: Vec<&'a NodeId>,
    /// Names of the edges, in the order of the network.
    pub(crate) edges: Vec<&'a EdgeId>,
    pub(crate) variables: Vec<&'a VariableId>,
    /// Classes of records, by number.
    pub(crate) classes: Vec<String>,
    places: Places<'a>,
}

/// Numbers by name.
#[derive(Default)]
struct Places<'a> {
    nodes: HashMap<&'a str, u32>,
    edges: HashMap<&'a str, u32>,
    variables: HashMap<&'a str, u32>,
    sensors: HashMap<&'a str, u32>,
    goals: HashMap<&'a str, u32>,
}

impl<'a> Compiled<'a> {
    /// Numbers every node, edge and variable in the order of their names.
    pub(crate) fn new(graph: &'a Graph) -> Self {
        let mut builder = NetworkBuilder::default();
        let mut places = Places::default();
        let mut classes: BTreeMap<&str, u32> = BTreeMap::new();
        let mut nodes = Vec::new();
        for node in graph.nodes() {
            let at = builder.node(draw::name(&node.id.0));
            builder.kind(at, node.kind as u8);
            places.nodes.insert(&node.id.0, at);
            nodes.push(&node.id);
            if node.join == Join::All {
                builder.needs_all(at);
            }
            if node.kind.is_source() {
                builder.source(at);
            }
            if let Some(loss) = &node.goal {
                let mut records = Vec::new();
                for it in &loss.records {
                    let fresh = number(classes.len());
                    records.push((*classes.entry(&it.class).or_insert(fresh), it.count));
                }
                places.goals.insert(&node.id.0, number(places.goals.len()));
                let (weight, takes_down) = (loss.weight, loss.takes_down);
                builder.goal(at, Goal { weight, takes_down, records });
            }
        }
        let mut variables = Vec::new();
        for it in graph.variables() {
            let (name, parameter) = (draw::name(&it.id.0), parameter(&it.id.0, &it.probability));
            let Estimate { range, basis, .. } = it.probability;
            places
                .variables
                .insert(&it.id.0, builder.variable_of(name, parameter, clamped(range), basis));
            variables.push(&it.id);
        }
        let added = edges(graph, &places, &mut builder);
        sensors(graph, &mut places, &mut builder);
        let network = builder.build();
        let mut edges = added.clone();
        for (old, id) in added.iter().enumerate() {
            let Some(at) = network.position.get(old) else { continue };
            places.edges.insert(&id.0, *at);
            if let Some(slot) = edges.get_mut(*at as usize) {
                *slot = id;
            }
        }
        let mut names: Vec<(u32, String)> =
            classes.into_iter().map(|(class, at)| (at, class.to_string())).collect();
        names.sort();
        let classes = names.into_iter().map(|(_, class)| class).collect();
        Self { graph, network, nodes, edges, variables, classes, places }
    }

    pub(crate) fn edge(&self, id: &EdgeId) -> Option<u32> {
        self.places.edges.get(id.0.as_str()).copied()
    }

    pub(crate) fn variable(&self, id: &VariableId) -> Option<u32> {
        self.places.variables.get(id.0.as_str()).copied()
    }

    pub(crate) fn sensor(&self, id: &SensorId) -> Option<u32> {
        self.places.sensors.get(id.0.as_str()).copied()
    }

    pub(crate) fn goal(&self, id: &NodeId) -> Option<u32> {
        self.places.goals.get(id.0.as_str()).copied()
    }

    /// Name of a node by its number.
    pub(crate) fn node_name(&self, node: u32) -> &str {
        self.nodes.get(node as usize).map_or("", |it| it.0.as_str())
    }

    /// Node of a goal by its number.
    pub(crate) fn goal_node(&self, goal: u32) -> u32 {
        self.network.goal_nodes.get(goal as usize).copied().unwrap_or_default()
    }

    /// A loss in words, by the number of its goal.
    pub(crate) fn goal_title(&self, goal: u32) -> String {
        let id = self.nodes.get(self.goal_node(goal) as usize);
        let node = id.and_then(|id| self.graph.find_node(id));
        node.and_then(|it| it.goal.as_ref()).map(|it| it.title.clone()).unwrap_or_default()
    }
}

/// Adds the edges and returns their names in the order added.
fn edges<'a>(
    graph: &'a Graph,
    places: &Places<'a>,
    builder: &mut NetworkBuilder,
) -> Vec<&'a EdgeId> {
    let mut never = None;
    let mut added = Vec::new();
    for edge in graph.edges() {
        let node = |id: &NodeId| places.nodes.get(id.0.as_str()).copied();
        let Some((from, to)) = node(&edge.from).zip(node(&edge.to)) else { continue };
        let needs: Option<Vec<u32>> =
            edge.needs.iter().map(|it| places.variables.get(it.0.as_str()).copied()).collect();
        // A step that needs what does not exist is never open.
        let needs = needs.unwrap_or_else(|| {
            let name = draw::name("never");
            let make = || {
                builder.variable_of(name, name, Range::exactly(0.0), polder_model::Basis::Measured)
            };
            vec![*never.get_or_insert_with(make)]
        });
        builder.edge(from, to, &needs, edge.delay);
        added.push(&edge.id);
    }
    added
}

fn sensors<'a>(graph: &'a Graph, places: &mut Places<'a>, builder: &mut NetworkBuilder) {
    for sensor in graph.sensors() {
        let node = |id: &NodeId| places.nodes.get(id.0.as_str()).copied();
        let watches = sensor.watches.iter().filter_map(node).collect();
        let hours = sensor.hours.range;
        let notices = clamped(sensor.notices.range);
        let at = builder.sensor(draw::name(&sensor.id.0), watches, notices, hours);
        places.sensors.insert(&sensor.id.0, at);
    }
}

/// Variables that rest on the same guess are uncertain together: if the guess is wrong for one
/// service, it is wrong for all.
fn parameter(id: &str, estimate: &Estimate) -> u64 {
    if estimate.source.is_empty() {
        return draw::name(id);
    }
    let Range { low, likely, high } = estimate.range;
    draw::name(&format!("{} {low} {likely} {high}", estimate.source))
}

/// A range of probabilities within zero and one.
fn clamped(range: Range) -> Range {
    let clamp = |value: f64| if value.is_nan() { 1.0 } else { value.clamp(0.0, 1.0) };
    Range { low: clamp(range.low), likely: clamp(range.likely), high: clamp(range.high) }
}

/// Hours a step takes at this quantile.
pub(crate) fn delay_hours(delay: Delay, at: f64) -> f64 {
    let (low, high) = delay.hours();
    if low <= 0.0 { 0.0 } else { low * (high / low).powf(at) }
}
