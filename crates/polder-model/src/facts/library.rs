//! Libraries of programming languages.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A library of one version, as a registry of its language names it.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct Library {
    /// The registry, as the OSV schema names it: `crates.io`, `npm`, `PyPI`.
    pub ecosystem: String,
    /// Its name there.
    pub name: String,
    /// Its version.
    pub version: String,
}
