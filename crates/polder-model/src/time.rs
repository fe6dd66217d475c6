//! Seconds since 1970, the only time the model knows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Seconds of a day.
const DAY_SECONDS: i64 = 86_400;

/// A moment in UTC, in whole seconds since 1970-01-01.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Whole days from `self` until `later`; negative when `later` is earlier.
    pub fn days_until(self, later: Self) -> i64 {
        later.0.saturating_sub(self.0).div_euclid(DAY_SECONDS)
    }

    /// The moment `days` later.
    #[must_use]
    pub fn plus_days(self, days: i64) -> Self {
        Self(self.0.saturating_add(days.saturating_mul(DAY_SECONDS)))
    }
}
