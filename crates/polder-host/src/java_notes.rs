//! What an archive of Java says of the libraries in it: the notes that Maven leaves.
//!
//! An archive may hold archives (`BOOT-INF/lib`, `WEB-INF/lib`): these are read, too, one level deep.

use std::fs::File;
use std::io::{Cursor, Read, Seek};
use zip::ZipArchive;

/// Entries of an archive that are looked at.
const ENTRIES_MAX: usize = 200_000;

/// Libraries of one archive; the largest have some thousands.
const LINES_MAX: usize = 10_000;

/// Longest note.
const NOTE_BYTES_MAX: u64 = 64 << 10;

/// Largest archive within an archive, and all of them together.
const INNER_BYTES_MAX: u64 = 64 << 20;
const INNER_TOTAL_MAX: u64 = 512 << 20;

/// Lines `group`, `artifact`, `version` with tabs between them; a line with the name of an archive
/// alone where that says nothing of its libraries. None where the file is no archive.
pub(crate) fn read(file: &File, name: &str) -> Option<String> {
    let mut magic = [0; 4];
    { file }.read_exact(&mut magic).ok()?;
    if magic != *b"PK\x03\x04" {
        return None;
    }
    let archive = ZipArchive::new(file).ok()?;
    let mut lines = Vec::new();
    let mut left = INNER_TOTAL_MAX;
    notes(archive, name, true, &mut left, &mut lines);
    Some(lines.join("\n"))
}

fn notes<R: Read + Seek>(
    mut archive: ZipArchive<R>,
    name: &str,
    is_outer: bool,
    left: &mut u64,
    lines: &mut Vec<String>,
) {
    let before = lines.len();
    let mut has_code = false;
    let mut inner = Vec::new();
    let mut own = Vec::new();
    for (at, entry) in archive.file_names().take(ENTRIES_MAX).enumerate() {
        has_code |= entry.ends_with(".class");
        if entry.starts_with("META-INF/maven/") && entry.ends_with("/pom.properties") {
            own.push(entry.to_string());
        } else if is_outer
            && (entry.ends_with(".jar") || entry.ends_with(".war"))
            && !entry.starts_with('/')
        {
            inner.push((at, entry.to_string()));
        }
    }
    for entry in own.iter().take(LINES_MAX) {
        let Ok(file) = archive.by_name(entry) else { continue };
        let mut text = String::new();
        if file.take(NOTE_BYTES_MAX).read_to_string(&mut text).is_ok() {
            lines.extend(properties(&text));
        }
    }
    let told = lines.len() > before;
    for (_, entry) in inner {
        if lines.len() > LINES_MAX {
            break;
        }
        let Ok(file) = archive.by_name(&entry) else { continue };
        let most = INNER_BYTES_MAX.min(*left);
        let short = entry.rsplit('/').next().unwrap_or(&entry).to_string();
        let mut bytes = Vec::new();
        // A bomb tells no size that can be believed.
        let read = file.take(most + 1).read_to_end(&mut bytes);
        *left = left.saturating_sub(bytes.len() as u64);
        let inside = match read {
            Ok(count) if count as u64 <= most => ZipArchive::new(Cursor::new(bytes)).ok(),
            _ => None,
        };
        match inside {
            Some(inside) => notes(inside, &short, false, left, lines),
            None => lines.push(plain(&short)),
        }
    }
    // Whoever wrote it did not build it with Maven.
    if !told && has_code {
        lines.push(plain(name));
    }
}

/// The three properties that Maven's archiver writes.
fn properties(text: &str) -> Option<String> {
    let value = |key: &str| {
        let mut lines = text.lines().filter_map(|it| it.split_once('='));
        let found = lines.find(|it| it.0.trim() == key)?.1.trim();
        (!found.is_empty()).then(|| plain(found))
    };
    Some(format!("{}\t{}\t{}", value("groupId")?, value("artifactId")?, value("version")?))
}

/// A word that cannot be taken for several, or for another line.
fn plain(text: &str) -> String {
    polder_model::printable_str(text).replace(['\t', '\n'], " ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use std::io::Write;
    use zip::write::{SimpleFileOptions, ZipWriter};

    fn jar(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut out = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in entries {
            out.start_file(*name, SimpleFileOptions::default()).unwrap();
            out.write_all(content).unwrap();
        }
        out.finish().unwrap().into_inner()
    }

    fn read_bytes(bytes: &[u8]) -> Option<String> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        read(&file, "app.jar")
    }

    const LOG4J: &[u8] =
        b"# Generated\nversion=2.14.1\ngroupId=org.apache.logging.log4j\nartifactId=log4j-core\n";

    #[test]
    fn archives_and_archives_within_them_are_read() {
        let at = "META-INF/maven/org.apache.logging.log4j/log4j-core/pom.properties";
        let log4j = jar(&[(at, LOG4J), ("a/B.class", b"x")]);
        let line = "org.apache.logging.log4j\tlog4j-core\t2.14.1";
        assert_eq!(read_bytes(&log4j).as_deref(), Some(line));
        let silent = jar(&[("a/B.class", b"x")]);
        let fat = jar(&[("BOOT-INF/lib/log4j.jar", &log4j), ("BOOT-INF/lib/own.jar", &silent)]);
        assert_eq!(read_bytes(&fat), Some(format!("{line}\nown.jar")));
        assert_eq!(read_bytes(&jar(&[("x.txt", b"y")])).as_deref(), Some(""));
        assert_eq!(read_bytes(b"#!/bin/sh\n"), None);
    }

    #[test]
    fn damaged_archives_neither_panic_nor_take_room() {
        let whole = jar(&[("META-INF/maven/a/b/pom.properties", LOG4J), ("i.jar", b"PK\x03\x04")]);
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 0xff;
            }
            let _ = read_bytes(&bytes);
            let _ = read_bytes(whole.get(..at).unwrap());
        }
    }
}
