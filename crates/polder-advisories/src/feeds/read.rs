//! Tells what a file is, and has it read.

use super::content::{Content, FeedError, clean};
use super::{csaf, known, notus, osv, tracker, vex};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::io::Read;

/// Bytes that a file may unpack to: Debian's tracker, the largest, has about 80 million.
pub(super) const UNPACKED_MAX: u64 = 512 << 20;

/// Bytes that the records of an archive may have in all; they are read one by one.
const ARCHIVE_MAX: u64 = 8 << 30;

/// Bytes that one record inside an archive may have.
pub(super) const RECORD_MAX: u64 = 16 << 20;

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
        // Frames of Zstandard (RFC 8878).
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let reader = ruzstd::decoding::StreamingDecoder::new(bytes);
            let mut plain = Vec::new();
            let read = reader.map_err(FeedError::damaged)?.take(UNPACKED_MAX + 1);
            { read }.read_to_end(&mut plain).map_err(FeedError::damaged)?;
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
    #[serde(rename = "@context")]
    context: Option<serde_json::Value>,
}

fn read_object(text: &str) -> Result<Vec<Content>, FeedError> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Probe>();
    let first = values.next().ok_or_else(|| FeedError::damaged("it is empty"))?;
    let probe = first.map_err(FeedError::damaged)?;
    if let Some(Ok(_)) = values.next() {
        let because = "several JSON documents in one file".into();
        return Err(FeedError::Unknown { because });
    }
    if probe.advisories.is_some() && probe.product_name.is_some() {
        return Ok(vec![Content::Flaws(notus::read(text)?)]);
    }
    if probe.vulnerabilities.is_some() && probe.catalogue_version.is_some() {
        return Ok(vec![Content::Exploited(known::exploited(text)?)]);
    }
    if probe.context.as_ref().is_some_and(vex::is_vex) {
        let (document, statements) = vex::read(text)?;
        return Ok(vec![Content::Stated(document, statements)]);
    }
    if csaf::Documents::is_one(text) {
        let mut records = osv::Records::default();
        records.add_csaf(text)?;
        return records.finish();
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
