//! Prices the graph: how likely each loss is within a year, and what each treatment avoids.
//!
//! Sampled with counter-based randomness: whether a variable is true in a world is a hash of seed,
//! variable and world, so results do not depend on order or threads, and a treated world differs
//! from its base world by the treatment alone. This is the first form; exact solutions, bounds and
//! the planner come later.

mod compile;
mod draw;
mod paths;
mod price;
mod world;

pub use paths::{Hop, PathShare};
pub use price::{Band, GoalRisk, Measurement, Options, Pricing, TreatmentValue, price};
