//! Windows of maintenance: hours of the week in which services may be restarted.

use crate::failure::Failure;
use jiff::civil::{Time, Weekday};
use jiff::{ToSpan, Zoned};
use std::fmt;

/// Days as they are written, Monday first.
const DAYS: [(&str, Weekday); 7] = [
    ("Mon", Weekday::Monday),
    ("Tue", Weekday::Tuesday),
    ("Wed", Weekday::Wednesday),
    ("Thu", Weekday::Thursday),
    ("Fri", Weekday::Friday),
    ("Sat", Weekday::Saturday),
    ("Sun", Weekday::Sunday),
];

/// `Sun 03:00-05:00` or `daily 02:00-03:00`, in the local time of the host; one that ends before it
/// begins goes on after midnight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// None for every day.
    day: Option<Weekday>,
    from: Time,
    to: Time,
}

impl Window {
    /// Reads one.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let wrong = || {
            Failure::usage(format!("`{text}` in `patch.windows` is no window"))
                .hint("Write `Sun 03:00-05:00`, or `daily 02:00-03:00`, in local time")
        };
        let (day, hours) = text.trim().split_once(' ').ok_or_else(wrong)?;
        let day = match day.eq_ignore_ascii_case("daily") {
            true => None,
            false => {
                let found = DAYS.iter().find(|it| it.0.eq_ignore_ascii_case(day));
                Some(found.ok_or_else(wrong)?.1)
            }
        };
        let (from, to) = hours.trim().split_once('-').ok_or_else(wrong)?;
        let time = |text: &str| Time::strptime("%H:%M", text.trim()).map_err(|_| wrong());
        let (from, to) = (time(from)?, time(to)?);
        if from == to {
            return Err(wrong());
        }
        Ok(Self { day, from, to })
    }

    /// Whether it is open.
    pub(crate) fn holds(&self, now: &Zoned) -> bool {
        let is_day = |it: &Zoned| self.day.is_none_or(|day| day == it.weekday());
        let time = now.time();
        if self.from < self.to {
            return is_day(now) && (self.from..self.to).contains(&time);
        }
        // The hours after midnight belong to the day before.
        let before = now.checked_sub(1.day());
        (is_day(now) && time >= self.from) || (before.is_ok_and(|it| is_day(&it)) && time < self.to)
    }

    /// When it opens next.
    pub(crate) fn next(&self, now: &Zoned) -> Option<Zoned> {
        (0..=7).find_map(|days| {
            let day = now.checked_add(days.days()).ok()?;
            let opens = day.with().time(self.from).build().ok()?;
            let is_day = self.day.is_none_or(|it| it == opens.weekday());
            (is_day && opens > *now).then_some(opens)
        })
    }
}

impl fmt::Display for Window {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = DAYS.iter().find(|it| Some(it.1) == self.day).map_or("daily", |it| it.0);
        let (from, to) = (self.from.strftime("%H:%M"), self.to.strftime("%H:%M"));
        write!(out, "{day} {from}-{to}")
    }
}

/// Refuses what may restart services where no window is open, unless none is configured.
pub(crate) fn refuse_outside(windows: &[Window], now: &Zoned) -> Result<(), Failure> {
    if windows.is_empty() || windows.iter().any(|it| it.holds(now)) {
        return Ok(());
    }
    let all: Vec<String> = windows.iter().map(Window::to_string).collect();
    let next = windows.iter().filter_map(|it| it.next(now)).min();
    let next = next.map_or_else(String::new, |it| {
        format!("; the next opens on {}", it.strftime("%A, %Y-%m-%d at %H:%M"))
    });
    let text = format!(
        "services may restart in the windows of `patch.windows` only ({}){next}",
        all.join(", ")
    );
    Err(Failure::usage(text).hint("Wait for it, or say `--now` to do it at once"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use jiff::tz::TimeZone;

    /// 2026-11-22 is a Sunday.
    fn at(day: i8, hour: i8, minute: i8) -> Zoned {
        date(2026, 11, day).at(hour, minute, 0, 0).to_zoned(TimeZone::UTC).unwrap()
    }

    #[test]
    fn a_window_may_go_on_after_midnight() {
        let night = Window::parse("Sat 23:00-02:00").unwrap();
        assert!(night.holds(&at(21, 23, 30)) && night.holds(&at(22, 1, 59)));
        assert!(!night.holds(&at(22, 2, 0)) && !night.holds(&at(22, 23, 30)));
        let daily = Window::parse("daily 03:00-04:30").unwrap();
        assert!(daily.holds(&at(24, 3, 0)) && !daily.holds(&at(24, 4, 30)));
        assert_eq!(daily.to_string(), "daily 03:00-04:30");
    }

    #[test]
    fn outside_of_all_windows_the_next_one_is_named() {
        let windows = ["Sun 03:00-05:00", "Wed 22:00-23:00"].map(|it| Window::parse(it).unwrap());
        assert!(refuse_outside(&windows, &at(22, 4, 0)).is_ok());
        assert!(refuse_outside(&[], &at(22, 4, 0)).is_ok());
        let refused = refuse_outside(&windows, &at(22, 6, 0)).unwrap_err().text(false);
        assert!(refused.contains("Wednesday, 2026-11-25 at 22:00"), "{refused}");
        let refused = refuse_outside(&windows, &at(26, 6, 0)).unwrap_err().text(false);
        assert!(refused.contains("Sunday, 2026-11-29 at 03:00"), "{refused}");
    }

    #[test]
    fn what_is_no_window_is_an_error() {
        for text in
            ["", "Sun", "Someday 01:00-02:00", "Sun 25:00-26:00", "Sun 03:00", "Sun 03:00-03:00"]
        {
            assert!(Window::parse(text).is_err(), "{text}");
        }
    }
}
