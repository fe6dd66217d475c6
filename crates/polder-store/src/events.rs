//! What a watch told: a file to which one can only add, each line with the digest of the one before.
//!
//! A line that was altered, taken out or put in is found by the one after it. That the last ones are missing is
//! told only by what was sent elsewhere.

use crate::private;
use polder_model::printable_str;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// First line of the file. Readers of older versions stay.
const FORMAT: &str = "polder-events 1";

/// Longest line read; the longest written has some kilobytes.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// Length from which a file becomes the older one, and a new one begins: any user whose files are watched can make
/// events.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Why events could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventsError {
    /// The file could not be used.
    #[error("cannot use `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is of another version.
    #[error("`{path}` begins with `{found}`: this Polder knows `{FORMAT}`")]
    Format {
        /// The file.
        path: PathBuf,
        /// Its first line.
        found: String,
    },
    /// Another process writes to it.
    #[error("another `polder watch` runs already")]
    Busy,
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEvent {
    /// Counted from one.
    pub sequence: u64,
    /// What was told.
    pub event: Value,
}

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Events {
    /// Whole lines.
    pub events: Vec<StoredEvent>,
    /// Where the chain is broken, in words.
    pub problems: Vec<String>,
    last: String,
}

/// A file that is written to.
#[derive(Debug)]
pub struct EventJournal {
    path: PathBuf,
    append_only: bool,
    file: File,
    sequence: u64,
    last: String,
}

/// Where events of a state folder are kept.
pub fn events_path(state: &Path) -> PathBuf {
    state.join("watch/events")
}

/// Reads all events, with those of the older file; one that is not there has none.
///
/// # Errors
/// When it cannot be read, or is no such file.
pub fn read_events(path: &Path) -> Result<Events, EventsError> {
    // What came before the older file is gone for good: its first event may follow anything.
    let older = read_file(&older(path), None)?;
    let before = match older.last.as_str() {
        "" => digest(FORMAT.as_bytes()),
        last => last.to_string(),
    };
    let mut all = read_file(path, Some(before))?;
    if all.last.is_empty() {
        all.last.clone_from(&older.last);
    }
    all.events.splice(0..0, older.events);
    all.problems.splice(0..0, older.problems);
    Ok(all)
}

/// Where the file before is.
fn older(path: &Path) -> PathBuf {
    path.with_extension("1")
}

/// One file; `before` is the digest of what comes before its first event, none where that is not known.
fn read_file(path: &Path, before: Option<String>) -> Result<Events, EventsError> {
    let failed = |source| EventsError::File { path: path.into(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Events::default()),
        Err(error) => return Err(failed(error)),
    };
    let mut reader = BufReader::new(file);
    let mut all = Events::default();
    let mut line = Vec::new();
    let mut number = 0_u64;
    while next_line(&mut reader, &mut line).map_err(failed)? {
        number += 1;
        let text = line.strip_suffix(b"\n");
        if number == 1 {
            if text != Some(FORMAT.as_bytes()) {
                let found = printable_str(&String::from_utf8_lossy(&line));
                return Err(EventsError::Format { path: path.into(), found });
            }
            all.last = before.clone().unwrap_or_default();
            continue;
        }
        // A kill leaves half a line; what follows it goes on from the last whole one.
        let Some(value) = text.and_then(|it| serde_json::from_slice::<Value>(it).ok()) else {
            all.problems.push(format!("line {number} is no whole event: it was cut, or altered"));
            continue;
        };
        let previous = value.get("previous").and_then(Value::as_str).unwrap_or_default();
        let sequence = value.get("sequence").and_then(Value::as_u64).unwrap_or(0);
        let is_free = before.is_none() && all.events.is_empty();
        if previous != all.last && !is_free {
            all.problems.push(format!(
                "line {number} does not follow the one before: something was altered, taken out or put in"
            ));
        }
        all.last = digest(text.unwrap_or_default());
        let event = value.get("event").cloned().unwrap_or(Value::Null);
        all.events.push(StoredEvent { sequence, event });
    }
    Ok(all)
}

fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut limited = io::Read::take(reader, LINE_BYTES_MAX);
    Ok(limited.read_until(b'\n', line)? > 0)
}

fn digest(bytes: &[u8]) -> String {
    polder_advisories::hexadecimal(&Sha256::digest(bytes))
}

/// Opens a file for adding, and begins it where it is new.
fn begin(path: &Path, append_only: bool) -> io::Result<File> {
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    if file.metadata()?.len() == 0 {
        file.write_all(format!("{FORMAT}\n").as_bytes())?;
        file.sync_all()?;
        if append_only {
            set_append_only(&file, true);
        }
    }
    Ok(file)
}

/// The flag of chattr(1). Not every file system has it; then the file is like others.
fn set_append_only(file: &File, is_set: bool) {
    let _ = rustix::fs::ioctl_getflags(file).and_then(|it| {
        let flag = rustix::fs::IFlags::APPEND;
        rustix::fs::ioctl_setflags(file, if is_set { it | flag } else { it - flag })
    });
}

impl EventJournal {
    /// Opens the file, or makes it; held until it is dropped. `append_only` sets the flag of chattr(1), where
    /// that can be done.
    ///
    /// # Errors
    /// When it cannot be written, is no such file, or another process holds it.
    pub fn open(path: &Path, append_only: bool) -> Result<Self, EventsError> {
        let failed = |source| EventsError::File { path: path.into(), source };
        if let Some(folder) = path.parent() {
            private(folder).map_err(failed)?;
        }
        let file = begin(path, append_only).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(EventsError::Busy),
            Err(fs::TryLockError::Error(source)) => return Err(failed(source)),
        }
        let known = read_events(path)?;
        let mut it = Self {
            path: path.into(),
            append_only,
            file,
            sequence: known.events.last().map_or(0, |it| it.sequence),
            last: known.last,
        };
        it.end_line().map_err(failed)?;
        Ok(it)
    }

    /// Ends a line that a kill left without its end.
    fn end_line(&mut self) -> io::Result<()> {
        use std::os::unix::fs::FileExt;
        let length = self.file.metadata()?.len();
        let mut last = [0];
        let reader = File::open(&self.path)?;
        if length > 0 && reader.read_at(&mut last, length - 1)? == 1 && last != *b"\n" {
            self.file.write_all(b"\n")?;
        }
        Ok(())
    }

    /// Makes the file the older one, and begins a new one that goes on from it.
    fn turn(&mut self) -> io::Result<()> {
        let older = older(&self.path);
        for path in [&older, &self.path] {
            let free = File::open(path).map(|file| set_append_only(&file, false));
            drop(free);
        }
        fs::rename(&self.path, &older)?;
        let file = begin(&self.path, self.append_only)?;
        file.try_lock().map_err(io::Error::other)?;
        if let (true, Ok(old)) = (self.append_only, File::open(&older)) {
            set_append_only(&old, true);
        }
        self.file = file;
        Ok(())
    }

    /// Adds an event; it is on the disk when this returns. The number is that of the line.
    ///
    /// # Errors
    /// When it cannot be written; then nothing is added but perhaps half a line.
    pub fn add(&mut self, event: &Value) -> Result<u64, EventsError> {
        if self.file.metadata().is_ok_and(|it| it.len() > FILE_BYTES_MAX) {
            self.turn().map_err(|source| EventsError::File { path: self.path.clone(), source })?;
        }
        let sequence = self.sequence.saturating_add(1);
        let line = serde_json::json!({
            "sequence": sequence, "previous": self.last, "event": event,
        });
        let mut text = line.to_string();
        let digest = digest(text.as_bytes());
        text.push('\n');
        let wrote = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        if let Err(source) = wrote {
            let _ = self.end_line();
            return Err(EventsError::File { path: self.path.clone(), source });
        }
        (self.sequence, self.last) = (sequence, digest);
        Ok(sequence)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_added_is_read_again_and_goes_on_after_a_kill() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("watch/events");
        let mut journal = EventJournal::open(&path, false).unwrap();
        assert!(matches!(EventJournal::open(&path, false), Err(EventsError::Busy)));
        assert_eq!(journal.add(&json!({ "a": 1 })).unwrap(), 1);
        drop(journal);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, [&whole[..], b"{\"sequence\":2,\"prev"].concat()).unwrap();
        let mut journal = EventJournal::open(&path, false).unwrap();
        assert_eq!(journal.add(&json!({ "a": 2 })).unwrap(), 2);
        let read = read_events(&path).unwrap();
        assert_eq!(read.events.iter().map(|it| it.event["a"].clone()).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(read.problems.len(), 1, "{:?}", read.problems);
        assert!(read.problems[0].contains("line 3"), "{:?}", read.problems);
    }

    #[test]
    fn a_long_file_becomes_the_older_one_and_the_chain_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        let mut journal = EventJournal::open(&path, false).unwrap();
        journal.add(&json!({ "a": 1 })).unwrap();
        journal.turn().unwrap();
        journal.add(&json!({ "a": 2 })).unwrap();
        drop(journal);
        let mut journal = EventJournal::open(&path, false).unwrap();
        assert_eq!(journal.add(&json!({ "a": 3 })).unwrap(), 3);
        let read = read_events(&path).unwrap();
        assert_eq!(read.events.len(), 3);
        assert!(read.problems.is_empty(), "{:?}", read.problems);
        // The one before is gone for good: what is there still hangs together.
        journal.turn().unwrap();
        journal.add(&json!({ "a": 4 })).unwrap();
        let read = read_events(&path).unwrap();
        assert_eq!((read.events.len(), read.problems.len()), (3, 0), "{:?}", read.problems);
        // A line of the older one that is altered is noticed, the last one, too.
        let older = fs::read_to_string(folder.path().join("events.1")).unwrap();
        fs::write(folder.path().join("events.1"), older.replace("\"a\":3", "\"a\":9")).unwrap();
        assert_eq!(read_events(&path).unwrap().problems.len(), 1);
    }

    #[test]
    fn every_altered_byte_and_every_missing_line_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        let mut journal = EventJournal::open(&path, false).unwrap();
        for at in 0..4 {
            journal.add(&json!({ "at": at })).unwrap();
        }
        drop(journal);
        assert!(read_events(&path).unwrap().problems.is_empty());
        let whole = fs::read(&path).unwrap();
        let text = String::from_utf8(whole.clone()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        // The last line is guarded by what was sent elsewhere only.
        let guarded = whole.len() - lines[4].len() - 1;
        for at in FORMAT.len() + 1..guarded {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(&path, bytes).unwrap();
            let is_noticed = read_events(&path).is_ok_and(|it| !it.problems.is_empty());
            assert!(is_noticed, "byte {at}");
        }
        for gone in 1..4 {
            let mut left = lines.clone();
            left.remove(gone);
            fs::write(&path, left.join("\n") + "\n").unwrap();
            assert!(!read_events(&path).unwrap().problems.is_empty(), "line {gone}");
        }
    }
}
