//! Judges facts and proposes treatments, one room per practice.
//!
//! Pure: facts and settings in, graph, findings and treatments out. Rooms share the [`estate`],
//! the graph of what the host is; each room then adds what is wrong with it.

pub mod contain;
pub mod drill;
pub mod estate;
pub mod expose;
pub mod least_access;
pub mod patch;
mod practice;
pub mod watch;

pub use practice::{PRACTICES, Practice, Scene, find_kind, judge};
