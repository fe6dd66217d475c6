//! A recording as one file: gzip over JSON lines, one question with its answer a line.
//!
//! The first line names format and version; readers of old versions stay for ever. The lines are
//! meant to be read by whoever gives a recording away: `zcat FILE | less` shows all there is.

use crate::recorded::{Answer, Question, RecordedHost};
use crate::{
    Ask, BuildNotes, Entry, HostError, Identity, Kind, Output, Program, Stanzas, Stat, Sweep,
    SweepEntry, SweepReason,
};
use flate2::{Compression, GzBuilder, read::GzDecoder};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Format name on the first line.
const FORMAT: &str = "polder-recording";

/// Version written; all up to it are read.
const VERSION: u32 = 1;

/// Most bytes unpacked; a large host fills about 100 MB.
const UNPACKED_BYTES_MAX: u64 = 1 << 30;

/// Why a recording could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The file itself failed.
    #[error("cannot use the recording `{path}`")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// It is something else, or damaged.
    #[error("`{path}` line {line} is not part of a recording: {because}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Line, counted from one.
        line: usize,
        /// What is wrong.
        because: String,
    },
    /// It ends before its last line: copied or written incompletely.
    #[error("the recording `{path}` is cut off after {lines} lines")]
    CutOff {
        /// The file.
        path: PathBuf,
        /// Lines that were there.
        lines: usize,
    },
    /// A newer Polder wrote it.
    #[error("`{path}` has version {version}; this Polder reads up to {VERSION}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
}

#[derive(Serialize, Deserialize)]
struct Header {
    format: String,
    version: u32,
    identity: Identity,
}

/// One line after the first.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Read(String, Reply<Content>),
    List(String, Reply<Vec<(String, Kind)>>),
    Stat(String, Reply<Stat>),
    StatLink(String, Reply<Stat>),
    ReadLink(String, Reply<String>),
    Run(Program, Reply<Output>),
    Ask(Ask, Reply<Content>),
    Sweep(Reply<SweepLine>),
    Stanzas(String, Reply<Stanzas>),
    BuildNotes(String, Reply<BuildNotes>),
    Owner(String, Option<String>),
    End { lines: usize },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reply<T> {
    Ok(T),
    Err(HostError),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Content {
    Text(String),
    Hex(String),
}

#[derive(Serialize, Deserialize)]
struct SweepLine {
    entries: Vec<(String, Stat, Option<String>, SweepReason)>,
    files: u64,
    denied: Vec<String>,
    denied_count: u64,
    left_out: Vec<(String, String)>,
    cut: Option<String>,
}

/// Writes a recording beside `path` and renames it into place.
///
/// # Errors
/// When the file cannot be written; nothing is left behind then.
pub fn write_archive(path: &Path, host: &RecordedHost) -> Result<(), ArchiveError> {
    let failed = |source| ArchiveError::Io { path: path.into(), source };
    let mut beside = path.as_os_str().to_os_string();
    beside.push(".partial");
    let beside = PathBuf::from(beside);
    let written = write_to(&beside, host).and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written.map_err(failed)
}

fn write_to(path: &Path, host: &RecordedHost) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    // A recording describes a machine in detail: for its owner alone, until they decide otherwise.
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    // No time and no name in the header, so that equal recordings are equal files.
    let gzip = GzBuilder::new().mtime(0).write(BufWriter::new(file), Compression::best());
    let mut out = BufWriter::with_capacity(1 << 16, gzip);
    let header = Header { format: FORMAT.into(), version: VERSION, identity: host.identity };
    put(&mut out, &header)?;
    let mut lines = 1;
    for (question, answer) in &host.answers {
        if let Some(line) = line_of(question, answer) {
            put(&mut out, &line)?;
            lines += 1;
        }
    }
    for (path, package) in &host.owners {
        put(&mut out, &Line::Owner(path.clone(), package.clone()))?;
        lines += 1;
    }
    put(&mut out, &Line::End { lines })?;
    let gzip = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    let file = gzip.finish()?.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    file.sync_all()
}

fn put(out: &mut impl Write, value: &impl Serialize) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

fn line_of(question: &Question, answer: &Answer) -> Option<Line> {
    fn reply<T>(answer: &Answer, take: impl Fn(&Answer) -> Option<T>) -> Option<Reply<T>> {
        match answer {
            Answer::Error(error) => Some(Reply::Err(error.clone())),
            other => take(other).map(Reply::Ok),
        }
    }
    let bytes = |answer: &Answer| match answer {
        Answer::Bytes(bytes) => Some(content_of(bytes)),
        _ => None,
    };
    let stat = |answer: &Answer| match answer {
        Answer::Stat(stat) => Some(*stat),
        _ => None,
    };
    Some(match question {
        Question::Read(path) => Line::Read(encode(path), reply(answer, bytes)?),
        Question::List(path) => Line::List(
            encode(path),
            reply(answer, |answer| match answer {
                Answer::Entries(all) => {
                    Some(all.iter().map(|it| (encode(Path::new(&it.name)), it.kind)).collect())
                }
                _ => None,
            })?,
        ),
        Question::Stat(path) => Line::Stat(encode(path), reply(answer, stat)?),
        Question::StatLink(path) => Line::StatLink(encode(path), reply(answer, stat)?),
        Question::ReadLink(path) => Line::ReadLink(
            encode(path),
            reply(answer, |answer| match answer {
                Answer::Link(target) => Some(encode(target)),
                _ => None,
            })?,
        ),
        Question::Run(program) => Line::Run(
            *program,
            reply(answer, |answer| match answer {
                Answer::Output(output) => Some(output.clone()),
                _ => None,
            })?,
        ),
        Question::Ask(ask) => Line::Ask(ask.clone(), reply(answer, bytes)?),
        Question::Sweep => Line::Sweep(reply(answer, |answer| match answer {
            Answer::Sweep(sweep) => Some(sweep_line(sweep)),
            _ => None,
        })?),
        Question::Stanzas(path) => Line::Stanzas(
            encode(path),
            reply(answer, |answer| match answer {
                Answer::Stanzas(stanzas) => Some(stanzas.clone()),
                _ => None,
            })?,
        ),
        Question::BuildNotes(path) => Line::BuildNotes(
            encode(path),
            reply(answer, |answer| match answer {
                Answer::BuildNotes(notes) => Some(notes.clone()),
                _ => None,
            })?,
        ),
    })
}

fn sweep_line(sweep: &Sweep) -> SweepLine {
    SweepLine {
        entries: sweep
            .entries
            .iter()
            .map(|it| (encode(&it.path), it.stat, it.capability.as_deref().map(hex), it.reason))
            .collect(),
        files: sweep.files,
        denied: sweep.denied.iter().map(|it| encode(it)).collect(),
        denied_count: sweep.denied_count,
        left_out: sweep.left_out.iter().map(|(path, why)| (encode(path), why.clone())).collect(),
        cut: sweep.cut.clone(),
    }
}

/// Reads a recording. It comes from outside: lengths are bounded and every line is checked.
///
/// # Errors
/// When it is missing, damaged, cut off, of a newer version, or no recording at all.
pub fn read_archive(path: &Path) -> Result<RecordedHost, ArchiveError> {
    let failed = |source| ArchiveError::Io { path: path.into(), source };
    let file = std::fs::File::open(path).map_err(failed)?;
    parse(path, GzDecoder::new(file).take(UNPACKED_BYTES_MAX))
}

fn parse(path: &Path, reader: impl Read) -> Result<RecordedHost, ArchiveError> {
    let malformed =
        |line: usize, because: String| ArchiveError::Malformed { path: path.into(), line, because };
    let mut reader = BufReader::new(reader);
    let mut text = Vec::new();
    let mut host: Option<RecordedHost> = None;
    let mut number = 0;
    loop {
        text.clear();
        match reader.read_until(b'\n', &mut text) {
            Ok(0) => return Err(ArchiveError::CutOff { path: path.into(), lines: number }),
            Ok(_) => number += 1,
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Err(ArchiveError::CutOff { path: path.into(), lines: number });
            }
            Err(error) if number == 0 => return Err(malformed(1, error.to_string())),
            Err(source) => return Err(ArchiveError::Io { path: path.into(), source }),
        }
        let Some(host) = &mut host else {
            let header: Header = serde_json::from_slice(&text).map_err(|_| {
                malformed(1, "it does not begin with the name of the format".into())
            })?;
            if header.format != FORMAT {
                return Err(malformed(1, format!("its format is `{}`", header.format)));
            }
            if header.version > VERSION {
                let version = header.version;
                return Err(ArchiveError::Newer { path: path.into(), version });
            }
            host = Some(RecordedHost::empty(header.identity));
            continue;
        };
        let line: Line =
            serde_json::from_slice(&text).map_err(|error| malformed(number, error.to_string()))?;
        if let Line::End { lines } = line {
            if lines + 1 != number {
                return Err(malformed(number, format!("{lines} lines were written before it")));
            }
            let host = host.clone();
            // The checksum stands after the last line; reading on is what compares it.
            return match reader.read_until(b'\n', &mut text) {
                Ok(0) => Ok(host),
                Ok(_) => Err(malformed(number + 1, "there is more after its end".into())),
                Err(_) => Err(ArchiveError::CutOff { path: path.into(), lines: number }),
            };
        }
        add(host, line).ok_or_else(|| malformed(number, "a name that cannot be decoded".into()))?;
    }
}

fn add(host: &mut RecordedHost, line: Line) -> Option<()> {
    fn answer<T>(reply: Reply<T>, give: impl Fn(T) -> Option<Answer>) -> Option<Answer> {
        match reply {
            Reply::Ok(value) => give(value),
            Reply::Err(error) => Some(Answer::Error(error)),
        }
    }
    let bytes = |content| bytes_of(content).map(Answer::Bytes);
    let (question, answer) = match line {
        Line::Read(path, reply) => (Question::Read(decode(&path)?), answer(reply, bytes)?),
        Line::List(path, reply) => {
            let entries = |all: Vec<(String, Kind)>| {
                let entries: Option<Vec<Entry>> = all
                    .into_iter()
                    .map(|(name, kind)| Some(Entry { name: decode(&name)?.into_os_string(), kind }))
                    .collect();
                entries.map(Answer::Entries)
            };
            (Question::List(decode(&path)?), answer(reply, entries)?)
        }
        Line::Stat(path, reply) => {
            (Question::Stat(decode(&path)?), answer(reply, |it| Some(Answer::Stat(it)))?)
        }
        Line::StatLink(path, reply) => {
            (Question::StatLink(decode(&path)?), answer(reply, |it| Some(Answer::Stat(it)))?)
        }
        Line::ReadLink(path, reply) => {
            let link = |target: String| decode(&target).map(Answer::Link);
            (Question::ReadLink(decode(&path)?), answer(reply, link)?)
        }
        Line::Run(program, reply) => {
            (Question::Run(program), answer(reply, |it| Some(Answer::Output(it)))?)
        }
        Line::Ask(ask, reply) => (Question::Ask(ask), answer(reply, bytes)?),
        Line::Sweep(reply) => {
            (Question::Sweep, answer(reply, |it| sweep_of(it).map(Answer::Sweep))?)
        }
        Line::Stanzas(path, reply) => {
            (Question::Stanzas(decode(&path)?), answer(reply, |it| Some(Answer::Stanzas(it)))?)
        }
        Line::BuildNotes(path, reply) => (
            Question::BuildNotes(decode(&path)?),
            answer(reply, |it| Some(Answer::BuildNotes(it)))?,
        ),
        Line::Owner(path, package) => {
            host.owners.insert(path, package);
            return Some(());
        }
        Line::End { .. } => return Some(()),
    };
    host.answers.insert(question, answer);
    Some(())
}

fn sweep_of(line: SweepLine) -> Option<Sweep> {
    let entries: Option<Vec<SweepEntry>> = line
        .entries
        .into_iter()
        .map(|(path, stat, capability, reason)| {
            let capability = match capability {
                Some(text) => Some(unhex(&text)?),
                None => None,
            };
            Some(SweepEntry { path: decode(&path)?, stat, capability, reason })
        })
        .collect();
    let denied: Option<Vec<PathBuf>> = line.denied.iter().map(|it| decode(it)).collect();
    let left_out: Option<Vec<(PathBuf, String)>> =
        line.left_out.into_iter().map(|(path, why)| Some((decode(&path)?, why))).collect();
    Some(Sweep {
        entries: entries?,
        files: line.files,
        denied: denied?,
        denied_count: line.denied_count,
        left_out: left_out?,
        cut: line.cut,
    })
}

fn content_of(bytes: &[u8]) -> Content {
    match std::str::from_utf8(bytes) {
        Ok(text) => Content::Text(text.into()),
        Err(_) => Content::Hex(hex(bytes)),
    }
}

fn bytes_of(content: Content) -> Option<Vec<u8>> {
    match content {
        Content::Text(text) => Some(text.into_bytes()),
        Content::Hex(text) => unhex(&text),
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

/// A name as text: `%` and bytes that are not UTF-8 become `%XX`.
fn encode(path: &Path) -> String {
    let mut out = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        out.push_str(&chunk.valid().replace('%', "%25"));
        for byte in chunk.invalid() {
            out.push_str(&format!("%{byte:02x}"));
        }
    }
    out
}

fn decode(text: &str) -> Option<PathBuf> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first == b'%' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = rest.get(2..)?;
        } else {
            bytes.push(*first);
        }
    }
    Some(PathBuf::from(OsString::from_vec(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::ErrorKind;

    fn sample() -> RecordedHost {
        let mut host = RecordedHost::empty(Identity { now: 7, uid: 0, running: true });
        let hostile = PathBuf::from(OsString::from_vec(b"/tmp/100%\xff\n".to_vec()));
        host.answers.insert(Question::Read(hostile), Answer::Bytes(vec![0, 255]));
        let error = HostError::new(ErrorKind::Denied, "/root", "permission denied");
        host.answers.insert(Question::List("/root".into()), Answer::Error(error));
        host.answers.insert(Question::Sweep, Answer::Sweep(Sweep::default()));
        host.owners.insert("/bin/sh".into(), Some("dash".into()));
        host
    }

    #[test]
    fn a_recording_survives_writing_and_reading() {
        let folder = std::env::temp_dir().join(format!("polder-archive-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("host.polder");
        write_archive(&path, &sample()).unwrap();
        assert_eq!(read_archive(&path).unwrap(), sample());

        let bytes = std::fs::read(&path).unwrap();
        for length in [0, 1, 12, bytes.len() / 2, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..length]).unwrap();
            assert!(read_archive(&path).is_err(), "cut to {length} bytes");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
