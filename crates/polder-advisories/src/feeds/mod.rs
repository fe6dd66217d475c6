//! Feeds as their makers publish them. What a file is, is told by what it holds, not by its name.

mod content;
mod csaf;
mod known;
mod notus;
mod osv;
mod read;
mod tracker;
mod vex;

pub use content::{
    Content, Exploited, FeedError, FlawFeed, Predicted, Predictions, RawAdvisory, RawRow,
};
pub use read::read;
pub use vex::{Statement, Status};
