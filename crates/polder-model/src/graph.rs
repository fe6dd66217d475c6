//! The graph from the Internet to the data: capabilities of an attacker and the steps between them.

use crate::{Estimate, Evidence};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

macro_rules! string_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
        )]
        pub struct $name(pub String);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

string_id!(
    /// Identity of a node: kind and name, the same at every look.
    NodeId
);
string_id!(
    /// Identity of an edge: its two ends and the way between them.
    EdgeId
);
string_id!(
    /// Identity of a sensor.
    SensorId
);
string_id!(
    /// Identity of a variable; its draws depend on nothing else but seed and world.
    VariableId
);

/// What kind of capability a node is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// Anybody on the Internet.
    Internet,
    /// Somebody who has an account on the host already.
    Insider,
    /// Somebody whose code the host runs.
    Supplier,
    /// Can send packets into a zone.
    Zone,
    /// Can talk to a listening socket.
    Listener,
    /// Runs code in a service.
    Process,
    /// Runs code in a service, but inside its confinement.
    Sandbox,
    /// Runs code as a user.
    User,
    /// Runs code as root.
    Root,
    /// Holds a credential.
    Credential,
    /// Can send statements as a database account.
    DatabaseRole,
    /// Reads or changes a store of data.
    Store,
    /// Can destroy a backup.
    Backup,
}

impl NodeKind {
    /// Whether attackers start here.
    pub fn is_source(self) -> bool {
        matches!(self, Self::Internet | Self::Insider | Self::Supplier)
    }
}

/// When a node is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Join {
    /// One open step is enough.
    Any,
    /// Every step into it must be open and every parent reached.
    All,
}

/// One capability of an attacker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Node {
    /// Its identity.
    pub id: NodeId,
    /// Its kind.
    pub kind: NodeKind,
    /// The capability in words: "runs code as `www-data`".
    pub label: String,
    /// When it is reached.
    pub join: Join,
    /// What is lost when it is reached, if anything.
    pub goal: Option<Loss>,
}

/// What reaching a node costs, in physical units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Loss {
    /// In words: "control of the server".
    pub title: String,
    /// How much it weighs against other losses; control of one server weighs one.
    pub weight: f64,
    /// The host is down until it is restored.
    pub takes_down: bool,
    /// Records exposed.
    pub records: Vec<Records>,
}

impl Loss {
    /// A loss that weighs as much as a server, exposes no known records and takes nothing down.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), weight: 1.0, takes_down: false, records: Vec::new() }
    }
}

/// Records of one class in one store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Records {
    /// Class of data: `account`, `payment card`; stores that share a class hold the same people,
    /// so that the largest of those reached counts, not their sum.
    pub class: String,
    /// How many.
    pub count: f64,
}

/// How long a step takes an attacker, as a class of a geometric scale.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Delay {
    /// Seconds to minutes.
    #[default]
    Minutes,
    /// Half an hour to four hours.
    Hour,
    /// Four hours to two days.
    Day,
    /// Two days to two weeks.
    Week,
    /// Two weeks to two months.
    Month,
}

impl Delay {
    /// Every class, the quickest first.
    pub const ALL: [Self; 5] = [Self::Minutes, Self::Hour, Self::Day, Self::Week, Self::Month];

    /// Hours, from and to.
    pub fn hours(self) -> (f64, f64) {
        match self {
            Self::Minutes => (0.0, 0.0),
            Self::Hour => (0.5, 4.0),
            Self::Day => (4.0, 48.0),
            Self::Week => (48.0, 336.0),
            Self::Month => (336.0, 1440.0),
        }
    }

    /// The class this many steps slower; the slowest stays.
    #[must_use]
    pub fn slower(self, classes: u8) -> Self {
        let at = Self::ALL.iter().position(|it| *it == self).unwrap_or(0) + usize::from(classes);
        Self::ALL.get(at).copied().unwrap_or(Self::Month)
    }
}

/// Something that may notice an attacker who holds one of the capabilities it watches.
///
/// From then on the attacker reaches nothing more: the moment counts at which somebody acts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sensor {
    /// Its identity.
    pub id: SensorId,
    /// What it is, as a noun: "nightly check of files".
    pub title: String,
    /// Capabilities whose use it can see.
    pub watches: Vec<NodeId>,
    /// Probability that it notices at all.
    pub notices: Estimate,
    /// Hours from the use of the capability until somebody has acted, when it notices.
    pub hours: Estimate,
}

/// Something that is true or false for a whole year, drawn once per world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Variable {
    /// Its identity.
    pub id: VariableId,
    /// What it means when it is true.
    pub title: String,
    /// Probability that it is true within a year.
    pub probability: Estimate,
}

/// One step of an attacker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Edge {
    /// Its identity.
    pub id: EdgeId,
    /// Where it starts.
    pub from: NodeId,
    /// Where it ends.
    pub to: NodeId,
    /// How the step is made, as a verb phrase: "logs in without a password".
    pub label: String,
    /// All of these must be true for the step to be open; none means always open.
    pub needs: Vec<VariableId>,
    /// How long it takes.
    #[serde(default)]
    pub delay: Delay,
    /// The fact it comes from.
    pub evidence: Evidence,
}

/// Nodes, edges and variables, each once and in a stable order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Graph {
    nodes: BTreeMap<NodeId, Node>,
    edges: BTreeMap<EdgeId, Edge>,
    variables: BTreeMap<VariableId, Variable>,
    #[serde(default)]
    sensors: BTreeMap<SensorId, Sensor>,
}

impl Graph {
    /// Adds a node that is reached by any of its steps; the first one with an identity stays.
    pub fn node(
        &mut self,
        kind: NodeKind,
        id: impl Into<String>,
        label: impl Into<String>,
    ) -> NodeId {
        let id = NodeId(id.into());
        self.nodes.entry(id.clone()).or_insert_with(|| Node {
            id: id.clone(),
            kind,
            label: label.into(),
            join: Join::Any,
            goal: None,
        });
        id
    }

    /// Makes a node need all the steps into it.
    pub fn needs_all(&mut self, id: &NodeId) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.join = Join::All;
        }
    }

    /// Says that reaching `id` is a loss, and which.
    ///
    /// Losing a node of kind [`NodeKind::Root`] takes its host down.
    pub fn goal(&mut self, id: &NodeId, loss: impl Into<String>) {
        if let Some(node) = self.nodes.get_mut(id) {
            let takes_down = node.kind == NodeKind::Root;
            node.goal = Some(Loss { takes_down, ..Loss::new(loss) });
        }
    }

    /// Says exactly what is lost when `id` is reached.
    pub fn loses(&mut self, id: &NodeId, loss: Loss) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.goal = Some(loss);
        }
    }

    /// Says how long a step takes.
    pub fn takes(&mut self, id: &EdgeId, delay: Delay) {
        if let Some(edge) = self.edges.get_mut(id) {
            edge.delay = delay;
        }
    }

    /// Adds a sensor; the first one with an identity stays, and watches what later ones watch, too.
    pub fn sensor(&mut self, sensor: Sensor) {
        match self.sensors.entry(sensor.id.clone()) {
            std::collections::btree_map::Entry::Vacant(slot) => {
                slot.insert(sensor);
            }
            std::collections::btree_map::Entry::Occupied(mut slot) => {
                let known = slot.get_mut();
                for node in sensor.watches {
                    if !known.watches.contains(&node) {
                        known.watches.push(node);
                    }
                }
            }
        }
    }

    /// Adds a variable; the first one with an identity stays.
    pub fn variable(
        &mut self,
        id: impl Into<String>,
        title: impl Into<String>,
        probability: Estimate,
    ) -> VariableId {
        let id = VariableId(id.into());
        self.variables.entry(id.clone()).or_insert_with(|| Variable {
            id: id.clone(),
            title: title.into(),
            probability,
        });
        id
    }

    /// Adds a step by the way `how` (part of its identity); the first one with an identity stays.
    pub fn edge(
        &mut self,
        from: &NodeId,
        to: &NodeId,
        how: &str,
        label: impl Into<String>,
        needs: Vec<VariableId>,
        evidence: Evidence,
    ) -> EdgeId {
        let id = EdgeId(format!("{from} -> {to} ({how})"));
        self.edges.entry(id.clone()).or_insert_with(|| Edge {
            id: id.clone(),
            from: from.clone(),
            to: to.clone(),
            label: label.into(),
            needs,
            delay: Delay::default(),
            evidence,
        });
        id
    }

    /// Adds a step under its own identity; says whether there was none of that identity.
    pub fn insert_edge(&mut self, edge: Edge) -> bool {
        match self.edges.entry(edge.id.clone()) {
            std::collections::btree_map::Entry::Vacant(slot) => {
                slot.insert(edge);
                true
            }
            std::collections::btree_map::Entry::Occupied(_) => false,
        }
    }

    /// Takes a step out.
    pub fn remove_edge(&mut self, id: &EdgeId) -> Option<Edge> {
        self.edges.remove(id)
    }

    /// Every node, by identity.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    /// Every step, by identity.
    pub fn edges(&self) -> impl Iterator<Item = &Edge> {
        self.edges.values()
    }

    /// Every variable, by identity.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.variables.values()
    }

    /// Every sensor, by identity.
    pub fn sensors(&self) -> impl Iterator<Item = &Sensor> {
        self.sensors.values()
    }

    /// The sensor of this identity.
    pub fn find_sensor(&self, id: &SensorId) -> Option<&Sensor> {
        self.sensors.get(id)
    }

    /// Every node of this kind, by identity.
    pub fn nodes_of(&self, kind: NodeKind) -> impl Iterator<Item = &Node> {
        self.nodes.values().filter(move |node| node.kind == kind)
    }

    /// The node of this identity.
    pub fn find_node(&self, id: &NodeId) -> Option<&Node> {
        self.nodes.get(id)
    }

    /// The step of this identity.
    pub fn find_edge(&self, id: &EdgeId) -> Option<&Edge> {
        self.edges.get(id)
    }

    /// The variable of this identity.
    pub fn find_variable(&self, id: &VariableId) -> Option<&Variable> {
        self.variables.get(id)
    }

    /// Identities of the steps between two nodes.
    pub fn edges_between<'a>(
        &'a self,
        from: &'a NodeId,
        to: &'a NodeId,
    ) -> impl Iterator<Item = EdgeId> + 'a {
        self.edges.values().filter(move |e| e.from == *from && e.to == *to).map(|e| e.id.clone())
    }

    /// Identities of the steps that need this variable.
    pub fn edges_needing<'a>(&'a self, id: &'a VariableId) -> impl Iterator<Item = EdgeId> + 'a {
        self.edges.values().filter(move |e| e.needs.contains(id)).map(|e| e.id.clone())
    }
}
