//! What dpkg and apt know: installed packages, indices, pins, candidates.

pub mod candidates;
pub mod changelog;
mod kept_back;
pub mod packages;
pub mod pins;
pub mod release;
pub mod sources;
pub mod stanza;
