//! Feeds as their makers publish them. What a file is, is told by what it holds, not by its name.

mod known;
mod notus;
mod osv;
mod tracker;

use crate::index::Names;
use crate::order::Order;
use crate::rule::{End, Rule, Span};
use polder_model::printable_str;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;
use std::io::Read;

/// Bytes that a file may unpack to: Debian's tracker, the largest, has about 80 million.
const UNPACKED_MAX: u64 = 512 << 20;

/// Bytes that the records of an archive may have in all; they are read one by one.
const ARCHIVE_MAX: u64 = 8 << 30;

/// Bytes that one record inside an archive may have.
const RECORD_MAX: u64 = 16 << 20;

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
    Predicted(Vec<Predicted>),
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
    #[error("it unpacks to more than {} MiB", UNPACKED_MAX >> 20)]
    TooLarge,
}

impl FeedError {
    /// What is quoted of a file in an error must not command a terminal.
    fn damaged(error: impl std::fmt::Display) -> Self {
        Self::Damaged { because: printable_str(&error.to_string()) }
    }
}

/// Makes all texts of a feed fit to be shown: what is no text is escaped once, here.
fn clean(contents: &mut [Content]) {
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
            Content::Predicted(items) => items.iter_mut().for_each(|it| text(&mut it.cve)),
        }
    }
}

/// Reads a feed: plain, compressed with gzip, or an archive (zip, tar) of records.
pub fn read(bytes: &[u8]) -> Result<Vec<Content>, FeedError> {
    let mut contents = read_any(bytes)?;
    clean(&mut contents);
    Ok(contents)
}

fn read_any(bytes: &[u8]) -> Result<Vec<Content>, FeedError> {
    match bytes {
        [0x1f, 0x8b, ..] => {
            let mut plain = Vec::new();
            flate2::read::MultiGzDecoder::new(bytes)
                .take(UNPACKED_MAX + 1)
                .read_to_end(&mut plain)
                .map_err(FeedError::damaged)?;
            if plain.len() as u64 > UNPACKED_MAX {
                return Err(FeedError::TooLarge);
            }
            read_plain(&plain)
        }
        [b'P', b'K', 3, 4, ..] => read_zip(bytes),
        _ => read_plain(bytes),
    }
}

fn read_plain(bytes: &[u8]) -> Result<Vec<Content>, FeedError> {
    // The mark of tar stands behind the first name (POSIX ustar).
    if bytes.get(257..262) == Some(b"ustar") {
        return read_tar(bytes);
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|_| FeedError::Unknown { because: "it is no text".into() })?;
    let start = text.trim_start_matches('\u{feff}').trim_start();
    if start.starts_with('{') {
        return read_object(start);
    }
    if start.starts_with('[') {
        return read_list(start);
    }
    if let Some(predicted) = known::predictions(start)? {
        return Ok(vec![Content::Predicted(predicted)]);
    }
    if start.starts_with("id:") {
        let mut records = osv::Records::default();
        records.add_yaml(start)?;
        return records.finish();
    }
    Err(FeedError::Unknown { because: "neither JSON, YAML nor a table of predictions".into() })
}

/// What tells the kinds of JSON apart; nothing of the rest is kept in memory.
#[derive(Deserialize)]
struct Probe {
    advisories: Option<IgnoredAny>,
    product_name: Option<IgnoredAny>,
    vulnerabilities: Option<IgnoredAny>,
    #[serde(rename = "catalogVersion")]
    catalogue_version: Option<IgnoredAny>,
    affected: Option<IgnoredAny>,
    id: Option<IgnoredAny>,
}

fn read_object(text: &str) -> Result<Vec<Content>, FeedError> {
    let probe: Probe = serde_json::from_str(text).map_err(FeedError::damaged)?;
    if probe.advisories.is_some() && probe.product_name.is_some() {
        return Ok(vec![Content::Flaws(notus::read(text)?)]);
    }
    if probe.vulnerabilities.is_some() && probe.catalogue_version.is_some() {
        return Ok(vec![Content::Exploited(known::exploited(text)?)]);
    }
    if probe.affected.is_some() && probe.id.is_some() {
        let mut records = osv::Records::default();
        records.add_json(text)?;
        return records.finish();
    }
    tracker::read(text)
}

fn read_list(text: &str) -> Result<Vec<Content>, FeedError> {
    // A list that is whole and of neither kind is no damaged one.
    let whole = serde_json::from_str::<IgnoredAny>(text).map_err(FeedError::damaged);
    whole?;
    if let Ok(items) = notus::catalogue(text) {
        return Ok(vec![Content::Catalogue(items)]);
    }
    let mut records = osv::Records::default();
    records.add_list(text).map_err(|error| FeedError::Unknown {
        because: format!("a list of neither advisories nor OSV records ({error})"),
    })?;
    records.finish()
}

fn read_zip(bytes: &[u8]) -> Result<Vec<Content>, FeedError> {
    let mut archive =
        zip::ZipArchive::new(std::io::Cursor::new(bytes)).map_err(FeedError::damaged)?;
    let mut records = osv::Records::default();
    let mut unpacked = 0;
    for at in 0..archive.len() {
        let file = archive.by_index(at).map_err(FeedError::damaged)?;
        let name = file.name().to_string();
        if file.is_file() {
            unpacked += records.add_file(&name, file)?;
        }
        if unpacked > ARCHIVE_MAX {
            return Err(FeedError::TooLarge);
        }
    }
    records.finish()
}

fn read_tar(bytes: &[u8]) -> Result<Vec<Content>, FeedError> {
    let mut records = osv::Records::default();
    let mut unpacked = 0;
    // An archive ends with two empty blocks; one that was cut has none.
    if !bytes.ends_with(&[0; 1024]) {
        return Err(FeedError::Damaged { because: "the end of the archive is missing".into() });
    }
    let mut archive = tar::Archive::new(bytes);
    for entry in archive.entries().map_err(FeedError::damaged)? {
        let entry = entry.map_err(FeedError::damaged)?;
        let name = entry.path().map_err(FeedError::damaged)?.display().to_string();
        if entry.header().entry_type().is_file() {
            unpacked += records.add_file(&name, entry)?;
        }
        if unpacked > ARCHIVE_MAX {
            return Err(FeedError::TooLarge);
        }
    }
    records.finish()
}

/// The start of a day in UTC, from anything that begins with YYYY-MM-DD.
fn day(text: &str) -> Option<i64> {
    let date: jiff::civil::Date = text.get(..10)?.parse().ok()?;
    Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
}

/// Rows of several feeds by what they cover.
type Feeds = BTreeMap<String, FlawFeed>;
