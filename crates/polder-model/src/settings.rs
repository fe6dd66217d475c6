//! What only its owner knows of a host; all of it optional.

use crate::{Range, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether strangers on the Internet can send packets to this host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InternetFacing {
    /// Judged by its addresses.
    #[default]
    Auto,
    /// They can, directly or through a router that forwards.
    Yes,
    /// They cannot.
    No,
}

/// What the configuration says of the host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// Whether the Internet reaches this host.
    pub internet_facing: InternetFacing,
    /// Days within which a fix that can be had is to run.
    #[serde(default)]
    pub fix_days_max: Option<u32>,
    /// Ports that are meant to be reached from outside, as `tcp/8443`.
    pub public_ports: Vec<String>,
    /// Hours the last practised restore took.
    pub restore_hours: Option<Range>,
    /// Restores that were practised and worked.
    pub restore_drills: u32,
    /// When a restore was last practised.
    pub last_restore: Option<Timestamp>,
    /// A backup exists that this host cannot destroy: one that another machine pulls, say.
    pub backup_elsewhere: bool,
}
