//! What dpkg and apt know: installed packages, indices, pins, candidates.

pub mod candidates;
pub mod changelog;
pub mod packages;
pub mod pins;
pub mod release;
pub mod sources;
pub mod stanza;
