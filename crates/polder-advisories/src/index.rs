//! One file with all that was imported: a head that says what is in it, then sections, each with
//! its own digest. A host reads the head and the one or two sections that cover it.

use crate::feeds::{Content, Exploited, FlawFeed, Predicted, RawAdvisory};
use crate::order::Order;
use crate::rule::Rule;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What the file begins with.
const MAGIC: &[u8; 8] = b"POLDERIX";

/// Version of the format; another one is not read.
const FORMAT: u32 = 1;

/// Bytes before the head: magic, format, length of the head, its SHA-256.
const PREFIX_BYTES: usize = 8 + 4 + 4 + 32;

/// Which names the rows of a section bear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Names {
    /// Packages as they are installed.
    Binary,
    /// The source packages they are built from, or the names of a language's registry.
    Source,
}

/// What a section holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Kind {
    /// Flaws of the packages of one release or ecosystem.
    Flaws {
        /// The release or ecosystem.
        covers: String,
        /// In whose form it came.
        maker: String,
        /// Which names its rows bear.
        names: Names,
        /// Order of its versions.
        order: Order,
    },
    /// More about flaws that others only number.
    Catalogue,
    /// Flaws that are exploited.
    Exploited,
    /// Flaws that probably will be.
    Predicted,
    /// What somebody states of packages.
    Stated {
        /// The name of the document.
        document: String,
    },
}

impl Kind {
    /// In words.
    pub fn title(&self) -> String {
        match self {
            Self::Flaws { covers, maker, .. } => format!("flaws of {covers} ({maker})"),
            Self::Catalogue => "names, dates and severities of advisories".into(),
            Self::Exploited => "flaws that are exploited".into(),
            Self::Predicted => "flaws that probably will be exploited".into(),
            Self::Stated { document } => format!("statements of {document} (OpenVEX)"),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What the head says of a section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SectionInfo {
    /// What it holds.
    #[serde(flatten)]
    pub kind: Kind,
    /// Rows.
    pub rows: u64,
    /// Date of its newest record, in seconds since 1970, where records have dates.
    pub newest: Option<i64>,
    /// Lines of the file that could not be understood.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
    /// When it was imported, in seconds since 1970.
    pub imported: i64,
    /// Name of the file it came from.
    pub file: String,
    /// SHA-256 of that file, in hexadecimal.
    pub file_sha256: String,
    /// Where it begins, counted from the end of the head.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// A flaw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Advisory<'a> {
    /// Its name.
    pub id: &'a str,
    /// Names in the CVE list.
    #[serde(borrow)]
    pub cves: Vec<&'a str>,
    /// When it was published, in seconds since 1970.
    pub published: Option<i64>,
    /// CVSS vector.
    pub vector: &'a str,
    /// What it is.
    pub summary: &'a str,
    /// Why it is no vulnerability in itself.
    pub informational: &'a str,
}

impl<'a> Advisory<'a> {
    fn of(raw: &'a RawAdvisory) -> Self {
        Self {
            id: &raw.id,
            cves: raw.cves.iter().map(String::as_str).collect(),
            published: raw.published,
            vector: &raw.vector,
            summary: &raw.summary,
            informational: &raw.informational,
        }
    }
}

/// A package with a flaw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row<'a> {
    /// Place of the flaw.
    pub advisory: u32,
    /// The versions that have it.
    #[serde(borrow)]
    pub rule: Rule<'a>,
}

/// Flaws of one release, by package.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Section<'a> {
    /// Names in order, each with the end of its rows; they begin where those before end.
    #[serde(borrow)]
    names: Vec<(&'a str, u32)>,
    #[serde(borrow)]
    rows: Vec<Row<'a>>,
    /// The flaws.
    #[serde(borrow)]
    pub advisories: Vec<Advisory<'a>>,
}

/// Known exploitation: name, date added, date due, whether extortionists use it.
pub(crate) type ExploitedRow<'a> = (&'a str, i64, i64, bool);

impl<'a> Section<'a> {
    /// Reads a section.
    pub fn read(bytes: &'a [u8]) -> Result<Self, IndexError> {
        decode(bytes)
    }

    /// The rows of a package.
    pub fn rows(&self, package: &str) -> &[Row<'a>] {
        let Ok(at) = self.names.binary_search_by(|(name, _)| (*name).cmp(package)) else {
            return &[];
        };
        let start = at.checked_sub(1).and_then(|it| self.names.get(it)).map_or(0, |it| it.1);
        let end = self.names.get(at).map_or(0, |it| it.1);
        self.rows.get(start as usize..end as usize).unwrap_or_default()
    }

    /// Every package with its rows.
    pub fn packages(&self) -> impl Iterator<Item = (&'a str, &[Row<'a>])> {
        let mut start = 0;
        self.names.iter().map(move |(name, end)| {
            let rows = self.rows.get(start..*end as usize).unwrap_or_default();
            start = *end as usize;
            (*name, rows)
        })
    }

    /// The flaw of a row.
    pub fn advisory(&self, row: &Row<'_>) -> Option<&Advisory<'a>> {
        self.advisories.get(row.advisory as usize)
    }
}

/// Reads what a section holds.
pub(crate) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, IndexError> {
    postcard::from_bytes(bytes).map_err(|error| IndexError::Damaged { because: error.to_string() })
}

/// An index that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// It is damaged or cut short.
    #[error("the index of known flaws is damaged: {because}")]
    Damaged {
        /// What does not hold.
        because: String,
    },
    /// Another version of Polder wrote it.
    #[error("the index of known flaws has format {found}, and this Polder reads {FORMAT}")]
    Format {
        /// Its format.
        found: u32,
    },
}

fn damaged(because: &str) -> IndexError {
    IndexError::Damaged { because: because.into() }
}

/// The head of an index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// What is in it.
    pub sections: Vec<SectionInfo>,
    body: u64,
}

impl Index {
    /// How many bytes to read first.
    pub const PREFIX: usize = PREFIX_BYTES;

    /// How many bytes the prefix and the head have together.
    pub fn head_bytes(prefix: &[u8]) -> Result<usize, IndexError> {
        if prefix.get(..8) != Some(MAGIC) {
            return Err(damaged("it does not begin as one"));
        }
        let number = |at: usize| {
            let bytes = prefix.get(at..at + 4).and_then(|it| it.try_into().ok());
            bytes.map(u32::from_le_bytes).ok_or_else(|| damaged("it ends within its head"))
        };
        match number(8)? {
            FORMAT => Ok(PREFIX_BYTES + number(12)? as usize),
            found => Err(IndexError::Format { found }),
        }
    }

    /// Reads the prefix and the head.
    pub fn read(head: &[u8]) -> Result<Self, IndexError> {
        let length = Self::head_bytes(head)?;
        let text =
            head.get(PREFIX_BYTES..length).ok_or_else(|| damaged("its head is cut short"))?;
        if head.get(16..PREFIX_BYTES) != Some(&Sha256::digest(text)[..]) {
            return Err(damaged("its head is not what was written"));
        }
        let sections = serde_json::from_slice(text).map_err(|error| damaged(&error.to_string()))?;
        Ok(Self { sections, body: length as u64 })
    }

    /// Where a section stands in the file: offset and length.
    pub fn place(&self, section: &SectionInfo) -> (u64, u64) {
        (self.body + section.offset, section.length)
    }

    /// Whether the bytes of a section are those that were written.
    pub fn check(section: &SectionInfo, bytes: &[u8]) -> Result<(), IndexError> {
        match hexadecimal(&Sha256::digest(bytes)) == section.sha256 {
            true => Ok(()),
            false => Err(damaged(&format!("{} are not what was written", section.kind.title()))),
        }
    }

    /// The bytes of a whole index.
    pub fn write(sections: Vec<(SectionInfo, Vec<u8>)>) -> Vec<u8> {
        let mut infos = Vec::new();
        let mut body = Vec::new();
        for (mut info, bytes) in sections {
            info.offset = body.len() as u64;
            info.length = bytes.len() as u64;
            info.sha256 = hexadecimal(&Sha256::digest(&bytes));
            infos.push(info);
            body.extend_from_slice(&bytes);
        }
        let head = serde_json::to_vec(&infos).unwrap_or_default();
        let mut file = Vec::with_capacity(PREFIX_BYTES + head.len() + body.len());
        file.extend_from_slice(MAGIC);
        file.extend_from_slice(&FORMAT.to_le_bytes());
        file.extend_from_slice(&u32::try_from(head.len()).unwrap_or(u32::MAX).to_le_bytes());
        file.extend_from_slice(&Sha256::digest(&head));
        file.extend_from_slice(&head);
        file.extend_from_slice(&body);
        file
    }
}

/// Bytes as hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Compiles what a file holds into sections.
pub fn compile(
    content: &Content,
    file: &str,
    file_sha256: &str,
    now: i64,
) -> Result<(SectionInfo, Vec<u8>), IndexError> {
    let (kind, rows, newest, bytes) = match content {
        Content::Flaws(feed) => flaws(feed)?,
        Content::Catalogue(items) => {
            let mut list: Vec<(&str, Advisory<'_>)> =
                items.iter().map(|(oid, it)| (oid.as_str(), Advisory::of(it))).collect();
            list.sort_by_key(|it| it.0);
            let newest = items.iter().filter_map(|it| it.1.published).max();
            (Kind::Catalogue, list.len(), newest, encode(&list)?)
        }
        Content::Exploited(items) => {
            let mut list: Vec<ExploitedRow<'_>> = items
                .iter()
                .map(|Exploited { cve, added, due, ransomware }| {
                    (cve.as_str(), *added, *due, *ransomware)
                })
                .collect();
            list.sort_unstable();
            let newest = items.iter().map(|it| it.added).max();
            (Kind::Exploited, list.len(), newest, encode(&list)?)
        }
        Content::Predicted(items) => {
            let mut list: Vec<(&str, f32)> = items
                .all
                .iter()
                .map(|Predicted { cve, probability }| (cve.as_str(), *probability))
                .collect();
            list.sort_by_key(|it| it.0);
            (Kind::Predicted, list.len(), items.made, encode(&list)?)
        }
        Content::Stated(document, items) => {
            let newest = items.iter().map(|it| it.when).max();
            (Kind::Stated { document: document.clone() }, items.len(), newest, encode(items)?)
        }
    };
    let left_out = match content {
        Content::Predicted(items) => items.left_out,
        _ => 0,
    };
    let info = SectionInfo {
        kind,
        rows: rows as u64,
        newest,
        left_out,
        imported: now,
        file: file.to_string(),
        file_sha256: file_sha256.to_string(),
        offset: 0,
        length: 0,
        sha256: String::new(),
    };
    Ok((info, bytes))
}

type Compiled = (Kind, usize, Option<i64>, Vec<u8>);

fn flaws(feed: &FlawFeed) -> Result<Compiled, IndexError> {
    let mut rows: Vec<(&str, Row<'_>)> = feed
        .rows
        .iter()
        .map(|it| (it.package.as_str(), Row { advisory: it.advisory, rule: it.rule() }))
        .collect();
    rows.sort_by(|a, b| a.0.cmp(b.0).then(a.1.advisory.cmp(&b.1.advisory)));
    let mut section = Section {
        advisories: feed.advisories.iter().map(Advisory::of).collect(),
        ..Section::default()
    };
    for (name, row) in rows {
        section.rows.push(row);
        let end = u32::try_from(section.rows.len()).unwrap_or(u32::MAX);
        match section.names.last_mut() {
            Some(last) if last.0 == name => last.1 = end,
            _ => section.names.push((name, end)),
        }
    }
    let (covers, maker) = (feed.covers.clone(), feed.maker.to_string());
    let (names, order) = (feed.names, feed.order);
    let newest = feed.advisories.iter().filter_map(|it| it.published).max();
    let bytes = encode(&section)?;
    Ok((Kind::Flaws { covers, maker, names, order }, section.rows.len(), newest, bytes))
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>, IndexError> {
    postcard::to_stdvec(value).map_err(|error| damaged(&error.to_string()))
}
