//! Feeds as their makers publish them. What a file is, is told by what it holds, not by its name.

mod known;
mod notus;
mod osv;
mod tracker;

use crate::index::Names;
use crate::order::Order;
use crate::rule::{End, Rule, Span};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read;

/// Bytes that a file may unpack to.
const UNPACKED_MAX: u64 = 4 << 30;

/// Bytes that one record inside an archive may have.
const RECORD_MAX: u64 = 64 << 20;

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
    #[error("it unpacks to more than {} GiB", UNPACKED_MAX >> 30)]
    TooLarge,
}

impl FeedError {
    fn damaged(error: impl std::fmt::Display) -> Self {
        Self::Damaged { because: error.to_string() }
    }
}

/// Reads a feed: plain, compressed with gzip, or an archive (zip, tar) of records.
pub fn read(bytes: &[u8]) -> Result<Vec<Content>, FeedError> {
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
    let start = text.trim_start();
    if start.starts_with(['{', '[']) {
        let value: Value = serde_json::from_str(start).map_err(FeedError::damaged)?;
        return read_json(value);
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

fn read_json(value: Value) -> Result<Vec<Content>, FeedError> {
    let has = |key: &str| value.get(key).is_some();
    if has("advisories") && has("product_name") {
        return Ok(vec![Content::Flaws(notus::read(value)?)]);
    }
    if has("vulnerabilities") && has("catalogVersion") {
        return Ok(vec![Content::Exploited(known::exploited(value)?)]);
    }
    if has("affected") && has("id") {
        let mut records = osv::Records::default();
        records.add(value)?;
        return records.finish();
    }
    match value {
        Value::Array(items) if items.iter().any(|it| it.get("oid").is_some()) => {
            Ok(vec![Content::Catalogue(notus::catalogue(items)?)])
        }
        Value::Array(items) if items.iter().any(|it| it.get("affected").is_some()) => {
            let mut records = osv::Records::default();
            items.into_iter().try_for_each(|it| records.add(it))?;
            records.finish()
        }
        Value::Object(packages) if tracker::is_tracker(&packages) => tracker::read(packages),
        _ => Err(FeedError::Unknown { because: "JSON of another kind".into() }),
    }
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
        if unpacked > UNPACKED_MAX {
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
        if unpacked > UNPACKED_MAX {
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
