//! What a practice and its findings say of themselves, once, for help, book, page and reports.

/// Which way a practice moves the risk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lever {
    /// It makes an intrusion less likely.
    Probability,
    /// It makes the consequences of an intrusion smaller.
    Consequence,
}

impl Lever {
    /// The lever in words.
    pub fn says(self) -> &'static str {
        match self {
            Self::Probability => "lowers the probability",
            Self::Consequence => "lowers the consequences",
        }
    }
}

/// One kind of finding a room can make.
#[derive(Clone, Copy, Debug)]
pub struct FindingKind {
    /// Stable identifier within its room, such as `pending`.
    pub id: &'static str,
    /// What it means, in a few words.
    pub title: &'static str,
    /// Why it matters, in one or two sentences.
    pub why: &'static str,
    /// Where the facts come from.
    pub how_we_know: &'static str,
    /// Entries of public catalogues: CWE, ATT&CK, CIS.
    pub references: &'static [&'static str],
}

/// One practice of good operation.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// The room's name, such as `least-access`; findings are `<id>/<kind>:<subject>`.
    pub id: &'static str,
    /// The practice as an instruction.
    pub title: &'static str,
    /// The question the room asks of a host.
    pub question: &'static str,
    /// Which way it moves the risk.
    pub lever: Lever,
    /// Every finding it can make.
    pub findings: &'static [FindingKind],
}
