//! Numbers in words: natural frequencies with at most two significant digits, hours, days.

use polder_model::{Effort, Timestamp};

/// A yearly probability as people count: "1 in 25", "7 in 10".
///
/// Below one in a hundred thousand the sampled worlds cannot tell.
pub fn frequency(probability: f64) -> String {
    match probability {
        it if it < 0.000_01 => "under 1 in 100000".into(),
        it if it >= 0.995 => "nearly always".into(),
        it if it >= 0.35 => format!("{:.0} in 10", (it * 10.0).round().clamp(4.0, 9.0)),
        it => format!("1 in {}", two_digits(1.0 / it)),
    }
}

/// A number with two significant digits and no decimals beyond them.
pub(crate) fn two_digits(value: f64) -> String {
    if value < 9.95 {
        let text = format!("{value:.1}");
        return text.strip_suffix(".0").map_or(text.clone(), str::to_string);
    }
    let magnitude = 10_f64.powf(value.log10().floor() - 1.0);
    format!("{:.0}", (value / magnitude).round() * magnitude)
}

/// A share in percent: "12 %", "under 1 %".
pub(crate) fn percent(share: f64) -> String {
    if share > 0.0 && share < 0.005 {
        return "under 1 %".into();
    }
    format!("{:.0} %", share * 100.0)
}

/// An amount of work, which has no nights: "20 min", "90 h".
pub(crate) fn work(value: f64) -> String {
    match value {
        it if it < 0.95 => format!("{:.0} min", (it * 60.0).max(1.0)),
        it => format!("{} h", two_digits(it)),
    }
}

/// A length of time: "20 min", "3 h", "2 days".
pub fn hours(value: f64) -> String {
    match value {
        it if it < 0.95 => format!("{:.0} min", (it * 60.0 / 5.0).round().max(1.0) * 5.0),
        it if it < 47.5 => format!("{} h", two_digits(it)),
        it => format!("{} days", two_digits(it / 24.0)),
    }
}

/// Hours of work as a range: "15 min to 1 h".
pub fn effort(effort: &Effort) -> String {
    let (low, high) = (hours(effort.hours.low), hours(effort.hours.high));
    if low == high { low } else { format!("{low} to {high}") }
}

/// A day in UTC: "2026-11-22".
pub fn day(at: Timestamp) -> String {
    jiff::Timestamp::from_second(at.0)
        .map_or_else(|_| "an unknown day".into(), |it| it.strftime("%Y-%m-%d").to_string())
}

/// The last day before a moment, for what ends at the end of a day.
pub fn last_day(until: Timestamp) -> String {
    day(Timestamp(until.0.saturating_sub(1)))
}

/// "then any loss 1 in 25", or what else a treatment buys.
pub(crate) fn bought(after: &str) -> String {
    match after.contains(" in ") {
        true => format!("then any loss {after}"),
        false => after.to_string(),
    }
}

/// A moment for other programs (RFC 3339).
pub(crate) fn moment_rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_second(at.0).unwrap_or_default().to_string()
}

/// A moment in UTC: "2026-11-22 19:55 UTC".
pub fn moment(at: Timestamp) -> String {
    jiff::Timestamp::from_second(at.0).map_or_else(
        |_| "an unknown time".into(),
        |it| it.strftime("%Y-%m-%d %H:%M UTC").to_string(),
    )
}

/// How long ago: "3 days ago".
pub fn age(at: Timestamp, now: Timestamp) -> String {
    match now.0.saturating_sub(at.0) {
        it if it < 120 => "just now".into(),
        it if it < 7_200 => format!("{} minutes ago", it / 60),
        it if it < 172_800 => format!("{} hours ago", it / 3_600),
        it => format!("{} days ago", it / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(probability: f64, expected: &str) {
        assert_eq!(frequency(probability), expected);
    }

    #[test]
    fn probabilities_become_natural_frequencies() {
        check(0.04, "1 in 25");
        check(0.0123, "1 in 81");
        check(0.00123, "1 in 810");
        check(0.3, "1 in 3.3");
        check(0.5, "5 in 10");
        check(0.72, "7 in 10");
        check(1.0, "nearly always");
        check(0.0, "under 1 in 100000");
    }

    #[test]
    fn hours_are_short() {
        assert_eq!(hours(0.1), "5 min");
        assert_eq!(hours(0.5), "30 min");
        assert_eq!(hours(1.5), "1.5 h");
        assert_eq!(hours(96.0), "4 days");
    }
}
