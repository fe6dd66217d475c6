//! Numbers that carry their range, their basis, their source and their date.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A probability, always within zero and one.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
pub struct Probability(f64);

impl Probability {
    /// Checks `value` once, so that nothing after has to.
    pub fn new(value: f64) -> Option<Self> {
        (0.0..=1.0).contains(&value).then_some(Self(value))
    }

    /// The nearest probability to `value`; not-a-number becomes one, the cautious end.
    pub fn clamped(value: f64) -> Self {
        if value.is_nan() { Self(1.0) } else { Self(value.clamp(0.0, 1.0)) }
    }

    /// The plain number.
    pub fn get(self) -> f64 {
        self.0
    }
}

/// Low, likely and high value of one quantity, in that order.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Range {
    /// As low as it could reasonably be.
    pub low: f64,
    /// The most likely value.
    pub likely: f64,
    /// As high as it could reasonably be.
    pub high: f64,
}

impl Range {
    /// A range; the three values are put in order.
    pub fn new(low: f64, likely: f64, high: f64) -> Self {
        let low_ = low.min(likely).min(high);
        let high_ = high.max(likely).max(low);
        Self { low: low_, likely: likely.clamp(low_, high_), high: high_ }
    }

    /// A value known exactly.
    pub fn exactly(value: f64) -> Self {
        Self { low: value, likely: value, high: value }
    }

    /// Where the next value lies, after these: the 90 % prediction interval of a log-normal quantity
    /// (Student's t with one degree of freedom less than values). One value alone is trusted to a
    /// factor of three. None without any, or when one is not above zero.
    pub fn predicted(values: &[f64]) -> Option<Self> {
        /// 95 % points of Student's t for one to ten degrees of freedom.
        const T: [f64; 10] = [6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812];
        if values.is_empty() || !values.iter().all(|it| it.is_finite() && *it > 0.0) {
            return None;
        }
        let count = values.len() as f64;
        let mean = values.iter().map(|it| it.ln()).sum::<f64>() / count;
        let squares = values.iter().map(|it| (it.ln() - mean).powi(2)).sum::<f64>();
        let spread = match values.len() {
            1 => 3.0_f64.ln(),
            more => {
                let t = T.get(more - 2).copied().unwrap_or(1.8);
                t * (squares / (count - 1.0) * (1.0 + 1.0 / count)).sqrt()
            }
        };
        Some(Self::new((mean - spread).exp(), mean.exp(), (mean + spread).exp()))
    }

    /// The same range, with no value below that of another.
    pub fn at_least(self, other: Self) -> Self {
        let Self { low, likely, high } = other;
        Self::new(self.low.max(low), self.likely.max(likely), self.high.max(high))
    }

    /// The mean of the PERT distribution over this range (Malcolm et al. 1959, gamma 4).
    pub fn mean(self) -> f64 {
        (self.low + 4.0 * self.likely + self.high) / 6.0
    }
}

/// What a number rests on.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Seen on this host.
    Measured,
    /// Taken from a machine-readable feed.
    Feed,
    /// Taken from a published report.
    Published,
    /// A default somebody had to choose; easy to change, and shown as such.
    Judgement,
}

impl Basis {
    /// The word shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Feed => "feed",
            Self::Published => "published",
            Self::Judgement => "judgement",
        }
    }
}

/// A number with where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// The value; probabilities are per year unless the variable says otherwise.
    pub range: Range,
    /// What it rests on.
    pub basis: Basis,
    /// The report, feed, file or argument.
    pub source: String,
    /// Date of the source, `YYYY-MM-DD` or `YYYY`.
    pub date: String,
}

impl Estimate {
    /// A default chosen by judgement. `source` gives the argument.
    pub fn judgement(low: f64, likely: f64, high: f64, source: impl Into<String>) -> Self {
        Self {
            range: Range::new(low, likely, high),
            basis: Basis::Judgement,
            source: source.into(),
            date: "2026-11-22".into(),
        }
    }

    /// A figure from a published report.
    pub fn published(range: Range, source: impl Into<String>, date: impl Into<String>) -> Self {
        Self { range, basis: Basis::Published, source: source.into(), date: date.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probability_outside_its_bounds_cannot_be_made() {
        assert_eq!(Probability::new(1.1), None);
        assert_eq!(Probability::new(f64::NAN), None);
        assert_eq!(Probability::clamped(f64::NAN).get(), 1.0);
        assert_eq!(Probability::new(0.5).map(Probability::get), Some(0.5));
    }

    #[test]
    fn each_drill_makes_the_next_restore_better_known() {
        let width = |values: &[f64]| {
            let it = Range::predicted(values).unwrap();
            it.high / it.low
        };
        assert!((width(&[2.0]) - 9.0).abs() < 1e-9);
        assert!(width(&[1.0, 1.1, 1.2, 0.9, 1.0]) < width(&[1.0, 1.1, 1.2]));
        assert_eq!(Range::predicted(&[]), None);
        assert_eq!(Range::predicted(&[1.0, 0.0]), None);
    }

    #[test]
    fn a_range_puts_its_values_in_order() {
        assert_eq!(Range::new(3.0, 1.0, 2.0), Range { low: 1.0, likely: 1.0, high: 3.0 });
    }
}
