//! The text form of a graph, so that anyone can check the arithmetic and bring a graph of their own.
//!
//! It holds what the engine needs and no more: nodes, steps, variables, losses, sensors, treatments.
//! What Polder writes it reads again; a file written by hand may leave out nearly everything.

use polder_model::{
    Basis, Delay, Effort, Estimate, Evidence, Graph, Join, Loss, Model, NodeId, NodeKind, Op,
    Range, Records, Restore, Sensor, SensorId, Treatment, TreatmentId, UNPRACTISED_HOURS,
    VariableId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Name and version of the form.
pub const SCHEMA: &str = "polder-graph/1";

/// Weights and counts beyond this are no numbers of anything on a host.
const AMOUNT_MAX: f64 = 1e12;

/// Why a graph could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// Not JSON, or not of this form.
    #[error("this is no graph of the form {SCHEMA}")]
    Syntax(#[from] serde_json::Error),
    /// Another form, or a newer one.
    #[error("the form is `{found}`, and this Polder reads `{SCHEMA}`")]
    Schema {
        /// What the file says.
        found: String,
    },
    /// A name that nothing has.
    #[error("{where_} names the {kind} `{name}`, which the graph does not have")]
    Unknown {
        /// The part that names it.
        where_: String,
        /// Kind of the thing named.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// The same name twice.
    #[error("the {kind} `{name}` is there twice")]
    Twice {
        /// Kind of the thing.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// A number outside its bounds.
    #[error("{where_}: {value} is not {wanted}")]
    Number {
        /// The part it belongs to.
        where_: String,
        /// The number.
        value: f64,
        /// What it should be.
        wanted: &'static str,
    },
    /// No node whose loss could be priced.
    #[error("no node is a loss: name one in `goals`, or give it a `loss`")]
    NoLoss,
    /// No node from which an attacker starts.
    #[error("no node is a source: say `\"source\": true` or give one the kind `internet`")]
    NoSource,
}

/// One number, or low, likely and high.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Number {
    /// Known exactly.
    Exactly(f64),
    /// Low, likely and high; drawn from a PERT distribution once per block of worlds.
    Between([f64; 3]),
}

impl Number {
    fn range(self) -> Range {
        match self {
            Self::Exactly(value) => Range::exactly(value),
            Self::Between([low, likely, high]) => Range { low, likely, high },
        }
    }

    fn of(range: Range) -> Self {
        match range.low < range.high {
            true => Self::Between([range.low, range.likely, range.high]),
            false => Self::Exactly(range.likely),
        }
    }
}

/// A graph, its losses and what could be done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GraphForm {
    /// `polder-graph/1`.
    pub schema: String,
    /// What it describes, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// Capabilities; a node that only edges name need not be listed.
    #[serde(default)]
    pub nodes: Vec<NodeForm>,
    /// What is drawn once per world.
    #[serde(default)]
    pub variables: Vec<VariableForm>,
    /// Steps.
    pub edges: Vec<EdgeForm>,
    /// Nodes that are losses of weight one; the long form stands in the node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub goals: Vec<String>,
    /// What may notice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sensors: Vec<SensorForm>,
    /// What could be done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub treatments: Vec<TreatmentForm>,
    /// Hours of a restore: four hours to two weeks where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_hours: Option<Number>,
    /// Restores that were practised and worked; where it is said, a restore may fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_drills: Option<u32>,
}

/// One capability.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeForm {
    /// Its name.
    pub id: String,
    /// Its kind; a process where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<NodeKind>,
    /// In words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// Attackers start here; so they do at `internet`, `insider` and `supplier`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub source: bool,
    /// `all`: reached when every step into it is open and every parent reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join: Option<Join>,
    /// What is lost when it is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<LossForm>,
}

/// What reaching a node costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LossForm {
    /// In words.
    pub title: String,
    /// How much it weighs; one where nothing is said.
    #[serde(default = "one")]
    pub weight: f64,
    /// Its host is down until it is restored.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub takes_down: bool,
    /// Records exposed, by class.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub records: BTreeMap<String, f64>,
}

fn one() -> f64 {
    1.0
}

/// One variable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VariableForm {
    /// Its name.
    pub id: String,
    /// Probability within a year.
    pub probability: Number,
    /// What it means when it is true.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// What the number rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// Where it comes from; equal sources with equal numbers are uncertain together.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// Date of the source.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub date: String,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EdgeForm {
    /// Where it starts.
    pub from: String,
    /// Where it ends.
    pub to: String,
    /// Its name; made from its ends where nothing is said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// In words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// Variables that must all be true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// Probability of a variable of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<Number>,
    /// It leads both ways, opened by the same variables.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub both_ways: bool,
    /// How long it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<Delay>,
    /// The fact behind it, and where it was seen.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub because: String,
}

/// One sensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SensorForm {
    /// Its name.
    pub id: String,
    /// What it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// Nodes whose use it can see.
    pub watches: Vec<String>,
    /// Probability that it notices at all.
    pub notices: Number,
    /// Hours from the use until somebody has acted.
    pub hours: Number,
}

/// One treatment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TreatmentForm {
    /// Its name.
    pub id: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// Hours of work.
    pub hours: Number,
    /// What it changes.
    pub ops: Vec<Op>,
    /// Treatments that must be done before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// Treatments that cannot be done as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excludes: Vec<String>,
}

/// A graph read from its text form.
#[derive(Clone, Debug)]
pub struct Solvable {
    /// What it describes.
    pub title: String,
    /// Capabilities and steps.
    pub graph: Graph,
    /// What could be done.
    pub treatments: Vec<Treatment>,
    /// How long the host would stay down.
    pub restore: Restore,
}

impl GraphForm {
    /// Reads the form from JSON.
    pub fn parse(text: &str) -> Result<Self, FormError> {
        let form: Self = serde_json::from_str(text)?;
        match form.schema.as_str() {
            SCHEMA => Ok(form),
            _ => Err(FormError::Schema { found: form.schema }),
        }
    }

    /// The form of a judged host.
    pub fn of(model: &Model) -> Self {
        let graph = &model.graph;
        let edge = |it: &polder_model::Edge| EdgeForm {
            from: it.from.0.clone(),
            to: it.to.0.clone(),
            id: it.id.0.clone(),
            label: it.label.clone(),
            needs: it.needs.iter().map(|it| it.0.clone()).collect(),
            probability: None,
            both_ways: false,
            delay: (it.delay != Delay::Minutes).then_some(it.delay),
            because: format!("{} ({})", it.evidence.says, it.evidence.origin),
        };
        let variable = |it: &polder_model::Variable| VariableForm {
            id: it.id.0.clone(),
            probability: Number::of(it.probability.range),
            title: it.title.clone(),
            basis: Some(it.probability.basis),
            source: it.probability.source.clone(),
            date: it.probability.date.clone(),
        };
        let sensor = |it: &Sensor| SensorForm {
            id: it.id.0.clone(),
            title: it.title.clone(),
            watches: it.watches.iter().map(|it| it.0.clone()).collect(),
            notices: Number::of(it.notices.range),
            hours: Number::of(it.hours.range),
        };
        let mut seen = BTreeSet::new();
        let treatments = model.findings.iter().flat_map(|it| &it.treatments);
        Self {
            schema: SCHEMA.into(),
            title: model.host.clone(),
            nodes: graph.nodes().map(NodeForm::of).collect(),
            variables: graph.variables().map(variable).collect(),
            edges: graph.edges().map(edge).collect(),
            goals: Vec::new(),
            sensors: graph.sensors().map(sensor).collect(),
            treatments: treatments
                .filter(|it| seen.insert(&it.id))
                .map(|it| TreatmentForm::of(it, graph))
                .collect(),
            restore_hours: Some(Number::of(model.restore.hours)),
            restore_drills: model.restore.drills,
        }
    }

    /// Checks every name and number, and makes the graph.
    pub fn build(&self) -> Result<Solvable, FormError> {
        let mut graph = Graph::default();
        self.nodes(&mut graph)?;
        self.variables(&mut graph)?;
        self.edges(&mut graph)?;
        self.losses(&mut graph)?;
        self.sensors(&mut graph)?;
        let is_source = |node: &polder_model::Node| node.kind.is_source();
        if !graph.nodes().any(is_source) {
            return Err(FormError::NoSource);
        }
        if !graph.nodes().any(|it| it.goal.is_some()) {
            return Err(FormError::NoLoss);
        }
        let treatments = self.treatments(&graph)?;
        let hours = match self.restore_hours {
            Some(hours) => checked(hours, "`restore_hours`", f64::INFINITY)?,
            None => UNPRACTISED_HOURS,
        };
        let restore = Restore { hours, drills: self.restore_drills };
        Ok(Solvable { title: self.title.clone(), graph, treatments, restore })
    }

    fn nodes(&self, graph: &mut Graph) -> Result<(), FormError> {
        for node in &self.nodes {
            let kind = match (node.kind, node.source) {
                (Some(kind), false) => kind,
                (Some(kind), true) if kind.is_source() => kind,
                (_, true) => NodeKind::Internet,
                (None, false) if node.id == "internet" => NodeKind::Internet,
                (None, false) => NodeKind::Process,
            };
            let id = NodeId(node.id.clone());
            if graph.find_node(&id).is_some() {
                return Err(FormError::Twice { kind: "node", name: node.id.clone() });
            }
            let label = if node.label.is_empty() { &node.id } else { &node.label };
            let id = graph.node(kind, node.id.clone(), label.clone());
            if node.join == Some(Join::All) {
                graph.needs_all(&id);
            }
        }
        Ok(())
    }

    fn variables(&self, graph: &mut Graph) -> Result<(), FormError> {
        for it in &self.variables {
            let where_ = format!("the variable `{}`", it.id);
            let range = checked(it.probability, &where_, 1.0)?;
            if graph.find_variable(&VariableId(it.id.clone())).is_some() {
                return Err(FormError::Twice { kind: "variable", name: it.id.clone() });
            }
            let title = if it.title.is_empty() { &it.id } else { &it.title };
            graph.variable(
                it.id.clone(),
                title.clone(),
                Estimate {
                    range,
                    basis: it.basis.unwrap_or(Basis::Judgement),
                    source: it.source.clone(),
                    date: it.date.clone(),
                },
            );
        }
        Ok(())
    }

    fn edges(&self, graph: &mut Graph) -> Result<(), FormError> {
        for (number, edge) in self.edges.iter().enumerate() {
            let where_ = match edge.id.as_str() {
                "" => format!("edge {} ({} -> {})", number + 1, edge.from, edge.to),
                id => format!("the edge `{id}`"),
            };
            let mut needs = Vec::new();
            for name in &edge.needs {
                let id = VariableId(name.clone());
                if graph.find_variable(&id).is_none() {
                    let (kind, name) = ("variable", name.clone());
                    return Err(FormError::Unknown { where_, kind, name });
                }
                needs.push(id);
            }
            let id = match edge.id.as_str() {
                "" => format!("{} -> {} (edge {})", edge.from, edge.to, number + 1),
                id => id.to_string(),
            };
            if let Some(probability) = edge.probability {
                let range = checked(probability, &where_, 1.0)?;
                let (basis, source, date) = (Basis::Judgement, String::new(), String::new());
                let estimate = Estimate { range, basis, source, date };
                let own = VariableId(format!("of {id}"));
                if graph.find_variable(&own).is_some() {
                    return Err(FormError::Twice { kind: "variable", name: own.0 });
                }
                needs.push(graph.variable(
                    format!("of {id}"),
                    format!("{where_} is open"),
                    estimate,
                ));
            }
            let node = |graph: &mut Graph, name: &str| {
                let is_internet = name == "internet";
                let kind = if is_internet { NodeKind::Internet } else { NodeKind::Process };
                graph.node(kind, name, name)
            };
            let (from, to) = (node(graph, &edge.from), node(graph, &edge.to));
            let evidence = Evidence::file(edge.because.clone(), "the graph's file", None);
            let delay = edge.delay.unwrap_or_default();
            let mut add = |id: String, from: &NodeId, to: &NodeId| {
                let label = if edge.label.is_empty() { "goes on" } else { &edge.label };
                let edge = polder_model::Edge {
                    id: polder_model::EdgeId(id.clone()),
                    from: from.clone(),
                    to: to.clone(),
                    label: label.into(),
                    needs: needs.clone(),
                    delay,
                    evidence: evidence.clone(),
                };
                match graph.insert_edge(edge) {
                    true => Ok(()),
                    false => Err(FormError::Twice { kind: "edge", name: id }),
                }
            };
            add(id.clone(), &from, &to)?;
            if edge.both_ways {
                add(format!("{id} (back)"), &to, &from)?;
            }
        }
        Ok(())
    }

    fn losses(&self, graph: &mut Graph) -> Result<(), FormError> {
        for node in &self.nodes {
            let Some(loss) = &node.loss else { continue };
            let where_ = format!("the loss of `{}`", node.id);
            let counts = loss.records.values().copied();
            for value in counts.chain([loss.weight]) {
                checked(Number::Exactly(value), &where_, AMOUNT_MAX)?;
            }
            let record =
                |(class, count): (&String, &f64)| Records { class: class.clone(), count: *count };
            let loss = Loss {
                title: loss.title.clone(),
                weight: loss.weight,
                takes_down: loss.takes_down,
                records: loss.records.iter().map(record).collect(),
            };
            graph.loses(&NodeId(node.id.clone()), loss);
        }
        for goal in &self.goals {
            let id = NodeId(goal.clone());
            let Some(node) = graph.find_node(&id) else {
                let (where_, kind) = ("`goals`".to_string(), "node");
                return Err(FormError::Unknown { where_, kind, name: goal.clone() });
            };
            if node.goal.is_none() {
                let title = node.label.clone();
                graph.goal(&id, title);
            }
        }
        Ok(())
    }

    fn sensors(&self, graph: &mut Graph) -> Result<(), FormError> {
        for sensor in &self.sensors {
            let where_ = format!("the sensor `{}`", sensor.id);
            if graph.find_sensor(&SensorId(sensor.id.clone())).is_some() {
                return Err(FormError::Twice { kind: "sensor", name: sensor.id.clone() });
            }
            for name in &sensor.watches {
                if graph.find_node(&NodeId(name.clone())).is_none() {
                    let (kind, name) = ("node", name.clone());
                    return Err(FormError::Unknown { where_, kind, name });
                }
            }
            let estimate = |range| Estimate {
                range,
                basis: Basis::Judgement,
                source: String::new(),
                date: String::new(),
            };
            graph.sensor(Sensor {
                id: SensorId(sensor.id.clone()),
                title: if sensor.title.is_empty() { &sensor.id } else { &sensor.title }.clone(),
                watches: sensor.watches.iter().map(|it| NodeId(it.clone())).collect(),
                notices: estimate(checked(sensor.notices, &where_, 1.0)?),
                hours: estimate(checked(sensor.hours, &where_, f64::INFINITY)?),
            });
        }
        Ok(())
    }

    fn treatments(&self, graph: &Graph) -> Result<Vec<Treatment>, FormError> {
        let names: BTreeSet<&str> = self.treatments.iter().map(|it| it.id.as_str()).collect();
        let mut all: Vec<Treatment> = Vec::new();
        for form in &self.treatments {
            let where_ = format!("the treatment `{}`", form.id);
            if all.iter().any(|it| it.id.0 == form.id) {
                return Err(FormError::Twice { kind: "treatment", name: form.id.clone() });
            }
            for name in form.needs.iter().chain(&form.excludes) {
                if !names.contains(name.as_str()) {
                    let (kind, name) = ("treatment", name.clone());
                    return Err(FormError::Unknown { where_, kind, name });
                }
            }
            for op in &form.ops {
                check_op(op, graph, &where_)?;
            }
            let hours = checked(form.hours, &where_, f64::INFINITY)?;
            let title = if form.title.is_empty() { &form.id } else { &form.title };
            let mut treatment = Treatment::new(form.id.clone(), title.clone(), [0.0; 3]);
            treatment.effort = Effort { hours };
            treatment.ops.clone_from(&form.ops);
            treatment.needs = form.needs.iter().map(|it| TreatmentId(it.clone())).collect();
            treatment.excludes = form.excludes.iter().map(|it| TreatmentId(it.clone())).collect();
            all.push(treatment);
        }
        Ok(all)
    }
}

impl NodeForm {
    fn of(node: &polder_model::Node) -> Self {
        Self {
            id: node.id.0.clone(),
            kind: Some(node.kind),
            label: node.label.clone(),
            source: node.kind.is_source(),
            join: (node.join == Join::All).then_some(Join::All),
            loss: node.goal.as_ref().map(|it| LossForm {
                title: it.title.clone(),
                weight: it.weight,
                takes_down: it.takes_down,
                records: it.records.iter().map(|it| (it.class.clone(), it.count)).collect(),
            }),
        }
    }
}

impl TreatmentForm {
    fn of(treatment: &Treatment, graph: &Graph) -> Self {
        // A treatment may be about a step that this host does not have; it changes nothing here.
        let is_here = |op: &&Op| check_op(op, graph, "").is_ok();
        Self {
            id: treatment.id.0.clone(),
            title: treatment.title.clone(),
            hours: Number::of(treatment.effort.hours),
            ops: treatment.ops.iter().filter(is_here).cloned().collect(),
            needs: treatment.needs.iter().map(|it| it.0.clone()).collect(),
            excludes: treatment.excludes.iter().map(|it| it.0.clone()).collect(),
        }
    }
}

/// A number that is not negative, in order, and at most `most`.
fn checked(number: Number, where_: &str, most: f64) -> Result<Range, FormError> {
    let range = number.range();
    let wanted = match most <= 1.0 {
        true => "between zero and one, or not in the order low, likely, high",
        false => "a number from zero on, or not in the order low, likely, high",
    };
    let values = [range.low, range.likely, range.high];
    let mut least = 0.0;
    for value in values {
        // Not-a-number fails, too.
        if !(least..=most).contains(&value) || value.is_infinite() {
            return Err(FormError::Number { where_: where_.into(), value, wanted });
        }
        least = value;
    }
    Ok(range)
}

/// Whether the graph has what an effect names, and its numbers are in bounds.
fn check_op(op: &Op, graph: &Graph, where_: &str) -> Result<(), FormError> {
    let unknown =
        |kind, name: &str| FormError::Unknown { where_: where_.into(), kind, name: name.into() };
    let number = |range: &Range, most| {
        checked(Number::Between([range.low, range.likely, range.high]), where_, most)
    };
    match op {
        Op::Remove { edge } | Op::ThinEdge { edge, .. } | Op::Slow { edge, .. } => {
            graph.find_edge(edge).ok_or_else(|| unknown("edge", &edge.0))?;
        }
        Op::Close { variable } | Op::Thin { variable, .. } => {
            graph.find_variable(variable).ok_or_else(|| unknown("variable", &variable.0))?;
        }
        Op::Notice { sensor, .. } => {
            graph.find_sensor(sensor).ok_or_else(|| unknown("sensor", &sensor.0))?;
        }
        Op::Scale { node, .. } => {
            graph.find_node(node).ok_or_else(|| unknown("node", &node.0))?;
        }
        Op::Restore { .. } => {}
    }
    if let Op::Slow { classes, .. } = op
        && *classes > 4
    {
        let (value, wanted) = (f64::from(*classes), "between zero and four classes of delay");
        return Err(FormError::Number { where_: where_.into(), value, wanted });
    }
    match op {
        Op::Thin { factor, .. } | Op::ThinEdge { factor, .. } | Op::Scale { factor, .. } => {
            number(factor, 1.0)?;
        }
        Op::Notice { notices, hours, .. } => {
            number(notices, 1.0)?;
            number(hours, f64::INFINITY)?;
        }
        Op::Restore { hours, .. } => {
            number(hours, f64::INFINITY)?;
        }
        Op::Remove { .. } | Op::Close { .. } | Op::Slow { .. } => {}
    }
    Ok(())
}
