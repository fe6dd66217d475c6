//! How long a host stays down: until it is restored, or built anew where that fails.

use crate::Range;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Hours until a host without a usable backup serves again: from a day to two months, a week at
/// best guess. Judgement.
pub const REBUILD_HOURS: Range = Range { low: 24.0, likely: 168.0, high: 1440.0 };

/// Hours of a restore that nobody ever practised: four hours to fourteen days. Judgement.
pub const UNPRACTISED_HOURS: Range = Range { low: 4.0, likely: 48.0, high: 336.0 };

/// What brings a host back, and how surely.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Restore {
    /// Hours from the decision to restore until service is back, when it works.
    pub hours: Range,
    /// Restores that were practised and worked; none where a restore cannot fail, as when there is
    /// nothing to restore from and all is built anew in any case.
    pub drills: Option<u32>,
}

impl Restore {
    /// A restore that takes this long and was practised so often with success.
    pub fn drilled(hours: Range, drills: u32) -> Self {
        Self { hours, drills: Some(drills) }
    }

    /// The probability that a restore fails, at a quantile of what is not known about it.
    ///
    /// Beta(1, 2) before any drill, so one in three on average; each one that worked adds one to
    /// the second parameter.
    pub fn fails(self, quantile: f64) -> f64 {
        self.drills.map_or(0.0, |it| 1.0 - (1.0 - quantile).powf(1.0 / (2.0 + f64::from(it))))
    }

    /// Mean hours until service is back, failures counted.
    pub fn mean(self) -> f64 {
        let fails = self.drills.map_or(0.0, |it| 1.0 / (3.0 + f64::from(it)));
        (1.0 - fails) * self.hours.mean() + fails * self.hours.at_least(REBUILD_HOURS).mean()
    }
}

impl Default for Restore {
    fn default() -> Self {
        Self::drilled(UNPRACTISED_HOURS, 0)
    }
}

impl From<Range> for Restore {
    fn from(hours: Range) -> Self {
        Self { hours, drills: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_good_drill_makes_failure_less_likely() {
        let mean = |drills| {
            let it = Restore::drilled(UNPRACTISED_HOURS, drills);
            (0..10_000).map(|at| it.fails((f64::from(at) + 0.5) / 10_000.0)).sum::<f64>() / 10_000.0
        };
        assert!((mean(0) - 1.0 / 3.0).abs() < 1e-4);
        assert!((mean(1) - 0.25).abs() < 1e-4);
        assert!((mean(9) - 1.0 / 12.0).abs() < 1e-4);
        assert_eq!(Restore::from(UNPRACTISED_HOURS).fails(0.9), 0.0);
    }

    #[test]
    fn a_restore_is_never_expected_to_take_longer_for_one_more_drill() {
        let means: Vec<f64> =
            (0..5).map(|it| Restore::drilled(UNPRACTISED_HOURS, it).mean()).collect();
        assert!(means.windows(2).all(|pair| pair[1] < pair[0]), "{means:?}");
    }
}
