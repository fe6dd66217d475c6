//! What dpkg and apt know: installed packages, indices, pins, candidates, history.

pub mod candidates;
pub mod changelog;
pub mod history;
pub mod packages;
pub mod pins;
pub mod release;
pub mod sources;
pub mod stanza;
