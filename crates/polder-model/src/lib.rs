//! The words of Polder: facts, coverage, findings, graph, treatments and decisions.
//!
//! Nothing here reads, runs, prints or asks for the time. Every other crate speaks these words.

mod about;
mod change;
mod coverage;
mod decision;
mod estimate;
pub mod facts;
mod finding;
mod graph;
mod model;
mod package_manager;
mod restore;
mod settings;
mod text;
mod time;
mod treatment;
pub mod version;

pub use about::{About, FindingKind, Lever};
pub use change::{Change, Check, SetLine};
pub use coverage::{Coverage, Problem, Table};
pub use decision::{Decision, DecisionKind};
pub use estimate::{Basis, Estimate, Probability, Range};
pub use finding::{Evidence, Finding, FindingId, Origin};
pub use graph::{
    Delay, Edge, EdgeId, Graph, Join, Loss, Node, NodeId, NodeKind, Records, Sensor, SensorId,
    Variable, VariableId,
};
pub use model::{Model, Unknown};
pub use package_manager::PackageManager;
pub use restore::{REBUILD_HOURS, Restore, UNPRACTISED_HOURS};
pub use settings::{InternetFacing, Settings};
pub use text::{printable, printable_str, quoted};
pub use time::Timestamp;
pub use treatment::{Effort, Op, Risk, Step, Treatment, TreatmentId};
