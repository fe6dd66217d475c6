//! Losses in money, where the owner asks for it and says by whose figures.

use crate::view::RiskLine;

/// Published figures of what a loss costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claims {
    /// Coalition, cyber claims report 2026: claims of its policyholders in 2025.
    Coalition2026,
    /// Cyentia, Information Risk Insights Study 2025: incidents that became public.
    Iris2025,
}

impl Claims {
    /// Every source there is.
    pub const ALL: [Self; 2] = [Self::Coalition2026, Self::Iris2025];

    /// The word of the configuration.
    pub fn word(self) -> &'static str {
        match self {
            Self::Coalition2026 => "coalition-2026",
            Self::Iris2025 => "iris-2025",
        }
    }

    /// The source with its word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.word() == word)
    }

    fn title(self) -> &'static str {
        match self {
            Self::Coalition2026 => "insurance claims of 2025 (Coalition)",
            Self::Iris2025 => "incidents that became public (Cyentia IRIS 2025)",
        }
    }

    /// What one loss costs, in US dollars.
    ///
    /// Coalition: the mean claim of firms that turn over less than 25 million a year, and of those
    /// above 100 million. IRIS: geometric mean and 95th percentile of firms below 10 million.
    pub fn cost_of_loss(self) -> (f64, f64) {
        match self {
            Self::Coalition2026 => (77_000.0, 268_000.0),
            Self::Iris2025 => (412_000.0, 11_000_000.0),
        }
    }
}

/// What the losses come to in a year, as a range and with its source.
pub(crate) fn in_money(claims: Claims, any: &RiskLine) -> String {
    let (low, high) = claims.cost_of_loss();
    format!(
        "In money: {} to {} US dollars a year, if a loss costs {} to {} as in {}.",
        dollars(any.low * low),
        dollars(any.high * high),
        dollars(low),
        dollars(high),
        claims.title()
    )
}

/// Two significant digits, thousands apart.
fn dollars(value: f64) -> String {
    if value < 1.0 {
        return "under 1".into();
    }
    let magnitude = 10_f64.powf((value.log10().floor() - 1.0).max(0.0));
    let digits = format!("{:.0}", (value / magnitude).round() * magnitude);
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            // A number is not broken across lines.
            out.push('\u{a0}');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_has_two_digits_and_no_more() {
        for (value, text) in [
            (0.2, "under 1"),
            (7.4, "7"),
            (996.0, "1\u{a0}000"),
            (77_123.0, "77\u{a0}000"),
            (1_234_567.0, "1\u{a0}200\u{a0}000"),
        ] {
            assert_eq!(dollars(value), text);
        }
    }
}
