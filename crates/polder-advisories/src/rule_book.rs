//! By when a flaw has to be closed by a rule book, to stand beside Polder's own rank.

/// What a rule book asks about a flaw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleBook {
    /// It is in the catalogue of exploited flaws (CISA KEV).
    pub exploited: bool,
    /// The code that has it can be reached from the Internet.
    pub exposed: bool,
    /// Attackers can automate it.
    pub automatable: bool,
    /// It gives total control of what it is in.
    pub total: bool,
}

/// By when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// With the next upgrade of the system.
    NextUpgrade,
    /// Within so many days.
    Days(u32),
    /// Within so many days, and look for traces of an intrusion.
    DaysAndForensics(u32),
}

/// The remediation timelines of CISA's Binding Operational Directive 26-04: sixteen rows, as the
/// CERT/CC's SSVC repository has them (`data/csv`, 2026-07-20).
pub fn deadline(flaw: RuleBook) -> Deadline {
    let RuleBook { exploited, exposed, automatable, total } = flaw;
    match (exploited, exposed, automatable, total) {
        (true, true, _, true) | (true, false, true, true) => Deadline::DaysAndForensics(3),
        (true, true, true, false) | (false, true, true, true) => Deadline::Days(3),
        (true, ..) | (false, true, true, false) | (false, true, false, true) => Deadline::Days(14),
        (false, true, false, false) | (false, false, true, _) => Deadline::Days(60),
        (false, false, false, _) => Deadline::NextUpgrade,
    }
}

impl Deadline {
    /// How many days; none where no day is set.
    pub fn days(self) -> Option<u32> {
        match self {
            Self::NextUpgrade => None,
            Self::Days(days) | Self::DaysAndForensics(days) => Some(days),
        }
    }
}

impl std::fmt::Display for Deadline {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NextUpgrade => write!(out, "with the next upgrade of the system"),
            Self::Days(days) => write!(out, "within {days} days"),
            Self::DaysAndForensics(days) => {
                write!(out, "within {days} days, with a search for traces of an intrusion")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_sixteen_rows_of_the_directive_hold() {
        let no_fix = Deadline::NextUpgrade;
        let rows = [
            ("nnnp", no_fix),
            ("ynnp", Deadline::Days(14)),
            ("nynp", Deadline::Days(60)),
            ("nnyp", Deadline::Days(60)),
            ("nnnt", no_fix),
            ("yynp", Deadline::Days(14)),
            ("ynyp", Deadline::Days(14)),
            ("nyyp", Deadline::Days(14)),
            ("ynnt", Deadline::Days(14)),
            ("nynt", Deadline::Days(14)),
            ("nnyt", Deadline::Days(60)),
            ("yyyp", Deadline::Days(3)),
            ("yynt", Deadline::DaysAndForensics(3)),
            ("ynyt", Deadline::DaysAndForensics(3)),
            ("nyyt", Deadline::Days(3)),
            ("yyyt", Deadline::DaysAndForensics(3)),
        ];
        for (row, expected) in rows {
            let bytes = row.as_bytes();
            let is = |at: usize, letter: u8| bytes.get(at) == Some(&letter);
            let flaw = RuleBook {
                exploited: is(0, b'y'),
                exposed: is(1, b'y'),
                automatable: is(2, b'y'),
                total: is(3, b't'),
            };
            assert_eq!(deadline(flaw), expected, "{row}");
        }
    }
}
