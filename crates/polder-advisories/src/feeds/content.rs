//! What feeds say, before it is compiled.

use super::vex::Statement;
use crate::index::Names;
use crate::order::Order;
use crate::rule::{End, Rule, Span};
use polder_model::printable_str;
use std::collections::BTreeMap;

/// A flaw as its record tells it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawAdvisory {
    /// The record's own name.
    pub id: String,
    /// Names of the flaw in the CVE list.
    pub cves: Vec<String>,
    /// When it was published, in seconds since 1970.
    pub published: Option<i64>,
    /// Its CVSS vector, where there is one.
    pub vector: String,
    /// What it is, in a line.
    pub summary: String,
    /// Why it is no vulnerability in itself: `unmaintained`, `unsound`, `notice`.
    pub informational: String,
}

/// The versions that have a flaw, owned.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RawRule {
    Before(String),
    NoFix(String),
    Undetermined,
    NotAffected,
    Listed { spans: Vec<RawSpan>, versions: Vec<String> },
}

/// First version, first fixed version, last version with the flaw.
pub(crate) type RawSpan = (String, Option<String>, Option<String>);

/// A package with a flaw.
#[derive(Clone, Debug, PartialEq)]
pub struct RawRow {
    /// Name of the package.
    pub package: String,
    /// Place of the flaw in the feed.
    pub advisory: u32,
    pub(crate) rule: RawRule,
}

impl RawRow {
    /// The versions that have the flaw.
    pub fn rule(&self) -> Rule<'_> {
        match &self.rule {
            RawRule::Before(fixed) => Rule::Before(fixed),
            RawRule::NoFix(state) => Rule::NoFix(state),
            RawRule::Undetermined => Rule::Undetermined,
            RawRule::NotAffected => Rule::NotAffected,
            RawRule::Listed { spans, versions } => Rule::Listed {
                spans: spans
                    .iter()
                    .map(|(introduced, fixed, last)| Span {
                        introduced,
                        end: match (fixed, last) {
                            (Some(fixed), _) => End::Fixed(fixed),
                            (None, Some(last)) => End::Last(last),
                            (None, None) => End::Open,
                        },
                    })
                    .collect(),
                versions: versions.iter().map(String::as_str).collect(),
            },
        }
    }
}

/// Flaws of the packages of one release or ecosystem.
#[derive(Clone, Debug, PartialEq)]
pub struct FlawFeed {
    /// The release or ecosystem, such as `Debian 12` or `PyPI`.
    pub covers: String,
    /// In whose form it comes: `notus`, `osv`, `tracker`. Others of the same release stand beside it.
    pub maker: &'static str,
    /// Order of its versions.
    pub order: Order,
    /// Which names its rows bear.
    pub names: Names,
    /// The flaws.
    pub advisories: Vec<RawAdvisory>,
    /// The packages that have them.
    pub rows: Vec<RawRow>,
}

/// A flaw that is exploited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exploited {
    /// Its name in the CVE list.
    pub cve: String,
    /// When it came into the catalogue, in seconds since 1970.
    pub added: i64,
    /// By when federal agencies had to close it.
    pub due: i64,
    /// Whether extortionists are known to use it.
    pub ransomware: bool,
}

/// How likely a flaw is to be exploited in the next thirty days (EPSS).
#[derive(Clone, Debug, PartialEq)]
pub struct Predicted {
    /// Its name in the CVE list.
    pub cve: String,
    /// Probability within thirty days.
    pub probability: f32,
}

/// A table of predictions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Predictions {
    /// The day they were made, in seconds since 1970, where the table says so.
    pub made: Option<i64>,
    /// One for each flaw.
    pub all: Vec<Predicted>,
    /// Lines that are none.
    pub left_out: u64,
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Flaws of packages.
    Flaws(FlawFeed),
    /// More about flaws that other feeds only number: number and flaw.
    Catalogue(Vec<(String, RawAdvisory)>),
    /// Flaws that are exploited.
    Exploited(Vec<Exploited>),
    /// Predictions.
    Predicted(Predictions),
    /// What a document states of packages: its name, and the statements.
    Stated(String, Vec<Statement>),
}

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// It is none of the feeds.
    #[error("it is no feed that Polder knows: {because}")]
    Unknown {
        /// What it looks like.
        because: String,
    },
    /// It ends too early or is damaged.
    #[error("it is damaged or cut short: {because}")]
    Damaged {
        /// What went wrong.
        because: String,
    },
    /// It unpacks to more than anybody needs.
    #[error("it unpacks to more than {} MiB", super::read::UNPACKED_MAX >> 20)]
    TooLarge,
}

impl FeedError {
    /// What is quoted of a file in an error must not command a terminal.
    pub(super) fn damaged(error: impl std::fmt::Display) -> Self {
        Self::Damaged { because: printable_str(&error.to_string()) }
    }
}

/// Makes all texts of a feed fit to be shown: what is no text is escaped once, here.
pub(super) fn clean(contents: &mut [Content]) {
    let text = |it: &mut String| {
        if it.chars().any(|it| it.is_control() || it == '\u{202e}') {
            *it = printable_str(it);
        }
    };
    let advisory = |it: &mut RawAdvisory| {
        [&mut it.id, &mut it.vector, &mut it.summary, &mut it.informational]
            .into_iter()
            .for_each(text);
        it.cves.iter_mut().for_each(text);
    };
    for content in contents {
        match content {
            Content::Flaws(feed) => {
                text(&mut feed.covers);
                feed.advisories.iter_mut().for_each(advisory);
                for row in &mut feed.rows {
                    text(&mut row.package);
                    match &mut row.rule {
                        RawRule::Before(it) | RawRule::NoFix(it) => text(it),
                        RawRule::Undetermined | RawRule::NotAffected => {}
                        RawRule::Listed { spans, versions } => {
                            versions.iter_mut().for_each(text);
                            for (introduced, fixed, last) in spans {
                                text(introduced);
                                fixed.iter_mut().chain(last).for_each(text);
                            }
                        }
                    }
                }
            }
            Content::Catalogue(items) => items.iter_mut().for_each(|(oid, it)| {
                text(oid);
                advisory(it);
            }),
            Content::Exploited(items) => items.iter_mut().for_each(|it| text(&mut it.cve)),
            Content::Predicted(items) => items.all.iter_mut().for_each(|it| text(&mut it.cve)),
            Content::Stated(document, items) => {
                text(document);
                for it in items {
                    [
                        &mut it.kind,
                        &mut it.namespace,
                        &mut it.name,
                        &mut it.because,
                        &mut it.author,
                    ]
                    .into_iter()
                    .chain(&mut it.version)
                    .chain(&mut it.release)
                    .chain(&mut it.flaws)
                    .for_each(text);
                }
            }
        }
    }
}

/// The start of a day in UTC, from anything that begins with YYYY-MM-DD.
pub(super) fn day(text: &str) -> Option<i64> {
    let date: jiff::civil::Date = text.get(..10)?.parse().ok()?;
    Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
}

/// Rows of several feeds by what they cover.
pub(super) type Feeds = BTreeMap<String, FlawFeed>;

/// Characters of a summary that are kept.
const SUMMARY_MAX: usize = 140;

/// The beginning of a summary, cut between words.
pub(super) fn shortened(summary: &str) -> String {
    let mut out = String::new();
    for word in summary.split_whitespace() {
        if out.chars().count() + word.chars().count() > SUMMARY_MAX {
            out.push_str(" ...");
            break;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    // One word longer than all that is kept.
    if out == " ..." { summary.chars().take(SUMMARY_MAX).collect() } else { out }
}
