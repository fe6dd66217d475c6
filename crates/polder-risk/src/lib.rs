//! Prices the graph: how likely each loss is within a year, and what each treatment avoids.
//!
//! Exact where it can be (a decision diagram over the variables), bounded where that holds whatever
//! happens, sampled with its error otherwise: every figure says which. Randomness is a hash of seed,
//! variable and world, so results depend on neither order nor threads, and a treated world differs
//! from its base world by the treatment alone.

mod choose;
mod compile;
mod draw;
mod effect;
mod exact;
mod figures;
mod fleet;
mod form;
mod ledger;
mod network;
mod outage;
mod paths;
mod plan;
mod price;
mod sample;
mod stability;
mod timed;
mod walk;
mod world;

pub use choose::{Plan, PlanStep, Request};
pub use effect::Edit;
pub use figures::{Band, Measurement, Method, Worth};
pub use fleet::{FleetPrice, price_network, sensitivity};
pub use form::{
    EdgeForm, FormError, GraphForm, LossForm, NodeForm, Number, SCHEMA, SensorForm, Solvable,
    TreatmentForm, VariableForm,
};
pub use network::{Goal, Network, NetworkBuilder};
pub use paths::{Hop, PathShare};
pub use plan::Search;
pub use price::{GoalRisk, Pricing, TreatmentValue, price};
pub use sample::Options;
pub use stability::{Shifted, stability};
