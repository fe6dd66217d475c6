//! The watch: takes notes of what happens to files, holds it against the baseline, tells it, and says that it
//! is alive. The engine looks and judges (`polder-integrity`); this writes down, delivers and keeps time.

mod duty;
mod sandbox;
mod sinks;
mod status;

pub(crate) use duty::{Duty, Ended, Memory, Rhythm, fresh_status, missing_end};
pub(crate) use sandbox::{Confined, confine};
pub(crate) use sinks::{Delivery, SinkSettings};
pub(crate) use status::{Status, read_status};
