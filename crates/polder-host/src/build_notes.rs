//! What compilers leave in a program: the modules it was built from.
//!
//! Go writes them into every program since 1.18 (`debug/buildinfo`), Rust where `cargo auditable`
//! built it, Maven into every archive of Java (`java_notes.rs`). Only the sections with the notes are read, however large the program is.

use crate::{ErrorKind, HostError, java_notes};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;

/// Longest note; those of the largest known programs have some hundred kilobytes.
const NOTE_BYTES_MAX: u64 = 16 << 20;

/// Most sections of a program.
const SECTIONS_MAX: u64 = 4096;

/// What the note of Go begins with.
const GO_MAGIC: &[u8] = b"\xff Go buildinf:";

/// Notes of one program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildNotes {
    /// Go's: the release on the first line, then lines of modules, tabs between their parts.
    pub go: Option<String>,
    /// Rust's: JSON with the packages.
    pub rust: Option<String>,
    /// Maven's, of an archive of Java: lines of group, artifact and version, tabs between them; a line with the
    /// name of an archive alone where that says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub java: Option<String>,
}

/// The sections with notes, by their names.
const GO: &[u8] = b".go.buildinfo\0";
const RUST: &[u8] = b".dep-v0\0";

/// Where a section lies: its offset and length.
type Place = (u64, u64);

/// Reads the notes of a program in ELF; of any other file there are none.
pub(crate) fn read(file: &File, what: &str) -> Result<BuildNotes, HostError> {
    let failed = |error: std::io::Error| HostError::new(ErrorKind::Other, what, error.to_string());
    let mut notes = BuildNotes::default();
    let [go_at, rust_at] = sections(file, [GO, RUST]).map_err(failed)?;
    let note = |place: Option<Place>| -> Result<Option<Vec<u8>>, HostError> {
        let Some((offset, bytes)) = place else { return Ok(None) };
        if bytes > NOTE_BYTES_MAX {
            return Err(HostError::new(ErrorKind::TooLarge, what, "a note without an end"));
        }
        part(file, offset, bytes).map(Some).map_err(failed)
    };
    notes.go = note(go_at)?.and_then(|it| go(&it));
    notes.rust = note(rust_at)?.and_then(|it| rust(&it));
    let name = what.rsplit('/').next().unwrap_or(what);
    notes.java = java_notes::read(file, name);
    Ok(notes)
}

fn part(file: &File, offset: u64, bytes: u64) -> std::io::Result<Vec<u8>> {
    let mut buffer = vec![0; usize::try_from(bytes).unwrap_or(0)];
    file.read_exact_at(&mut buffer, offset)?;
    Ok(buffer)
}

/// A number of so many bytes, in the order the file says.
fn number(bytes: &[u8], at: usize, length: usize, is_little: bool) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    let add = |sum: u64, byte: &u8| (sum << 8) | u64::from(*byte);
    Some(if is_little { bytes.iter().rev().fold(0, add) } else { bytes.iter().fold(0, add) })
}

/// Where the first section of each of these names lies, by the headers (elf(5)); nothing is kept of
/// the others, whatever their headers say.
fn sections(file: &File, wanted: [&[u8]; 2]) -> std::io::Result<[Option<Place>; 2]> {
    let mut places = [None; 2];
    let mut head = [0; 64];
    let mut filled = 0;
    while let Some(space) = head.get_mut(filled..).filter(|it| !it.is_empty()) {
        match file.read_at(space, filled as u64)? {
            0 => break,
            count => filled += count,
        }
    }
    let (is_64, is_little) = (head[4] == 2, head[5] == 1);
    if !head.starts_with(b"\x7fELF") || filled < 52 {
        return Ok(places);
    }
    let pick = |wide: usize, narrow: usize| if is_64 { wide } else { narrow };
    let word = pick(8, 4);
    let of = |at, length| number(&head, at, length, is_little).unwrap_or(0);
    let table = of(pick(0x28, 0x20), word);
    let size = of(pick(0x3a, 0x2e), 2);
    let count = of(pick(0x3c, 0x30), 2);
    let names_at = of(pick(0x3e, 0x32), 2);
    if table == 0 || count == 0 || count > SECTIONS_MAX || size != pick(64, 40) as u64 {
        return Ok(places);
    }
    let headers = part(file, table, size * count)?;
    let header = |at: u64| -> Option<(u64, u64, u64)> {
        let start = usize::try_from(at * size).ok()?;
        let of = |at: usize, length| number(&headers, start + at, length, is_little);
        Some((of(0, 4)?, of(pick(0x18, 0x10), word)?, of(pick(0x20, 0x14), word)?))
    };
    let Some((_, names_offset, names_bytes)) = header(names_at) else { return Ok(places) };
    let names = part(file, names_offset, names_bytes.min(1 << 20))?;
    for (name, offset, bytes) in (0..count).filter_map(header) {
        let Some(name) = usize::try_from(name).ok().and_then(|it| names.get(it..)) else {
            continue;
        };
        for (wanted, place) in wanted.iter().zip(&mut places) {
            if place.is_none() && name.starts_with(wanted) {
                *place = Some((offset, bytes));
            }
        }
    }
    Ok(places)
}

/// The release and the modules. Before Go 1.18 the note only points at them: they are not read.
fn go(bytes: &[u8]) -> Option<String> {
    let is_inline = bytes.get(15)? & 2 != 0;
    if !bytes.starts_with(GO_MAGIC) || !is_inline {
        return None;
    }
    let mut rest = bytes.get(32..)?;
    let mut text = || -> Option<&[u8]> {
        let (mut length, mut shift) = (0_usize, 0_u32);
        loop {
            let (byte, more) = rest.split_first()?;
            rest = more;
            length |= usize::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let (text, more) = rest.split_at_checked(length)?;
        rest = more;
        Some(text)
    };
    let (release, modules) = (text()?, text()?);
    // Sixteen bytes before and after the modules mark them in memory.
    let modules = modules.get(16..modules.len().saturating_sub(16)).unwrap_or_default();
    let release = String::from_utf8_lossy(release);
    Some(format!("{release}\n{}", String::from_utf8_lossy(modules)))
}

/// The packages, which `cargo auditable` compresses with zlib.
fn rust(bytes: &[u8]) -> Option<String> {
    let mut text = String::new();
    let reader = flate2::read::ZlibDecoder::new(bytes).take(NOTE_BYTES_MAX);
    { reader }.read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

    use super::*;
    use std::io::Write;

    /// A program with one section of this name, besides that of the names.
    pub(super) fn elf(name: &str, content: &[u8]) -> Vec<u8> {
        let names = format!("\0.shstrtab\0{name}\0");
        let mut file = vec![0_u8; 64];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        let content_at = file.len() as u64;
        file.extend_from_slice(content);
        let names_at = file.len() as u64;
        file.extend_from_slice(names.as_bytes());
        let table = file.len() as u64;
        file[0x28..0x30].copy_from_slice(&table.to_le_bytes());
        file[0x3a..0x40].copy_from_slice(&[64, 0, 2, 0, 0, 0]);
        let sections =
            [(1_u32, names_at, names.len() as u64), (11, content_at, content.len() as u64)];
        for (name, offset, bytes) in sections {
            let mut header = [0_u8; 64];
            header[..4].copy_from_slice(&name.to_le_bytes());
            header[0x18..0x20].copy_from_slice(&offset.to_le_bytes());
            header[0x20..0x28].copy_from_slice(&bytes.to_le_bytes());
            file.extend_from_slice(&header);
        }
        file
    }

    fn read_bytes(bytes: &[u8]) -> Result<BuildNotes, HostError> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        read(&file, "t")
    }

    fn go_note(modules: &str) -> Vec<u8> {
        let mut note = GO_MAGIC.to_vec();
        note.extend([8, 2]);
        note.resize(32, 0);
        note.push(6);
        note.extend(b"go1.21");
        let length = modules.len() + 32;
        note.extend([
            u8::try_from(length & 0x7f).unwrap() | 0x80,
            u8::try_from(length >> 7).unwrap(),
        ]);
        note.extend([0x30; 16]);
        note.extend(modules.as_bytes());
        note.extend([0x30; 16]);
        note
    }

    #[test]
    fn notes_of_both_compilers_are_read_and_other_files_have_none() {
        let modules = format!("path\tx\ndep\tgolang.org/x/net\tv0.1.0\th1:{}\n", "a".repeat(120));
        let found = read_bytes(&elf(".go.buildinfo", &go_note(&modules))).unwrap();
        assert_eq!(found.go, Some(format!("go1.21\n{modules}")));
        let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(b"{\"packages\":[]}").unwrap();
        let found = read_bytes(&elf(".dep-v0", &packed.finish().unwrap())).unwrap();
        assert_eq!(found.rust.as_deref(), Some("{\"packages\":[]}"));
        assert_eq!(read_bytes(b"#!/bin/sh\n").unwrap(), BuildNotes::default());
        assert_eq!(read_bytes(&elf(".text", b"x")).unwrap(), BuildNotes::default());
    }

    #[test]
    fn many_headers_of_one_note_are_read_as_one() {
        let mut whole = elf(".dep-v0", &[0; 4096]);
        let table =
            usize::try_from(u64::from_le_bytes(whole[0x28..0x30].try_into().unwrap())).unwrap();
        let header = whole[table + 64..table + 128].to_vec();
        for _ in 0..4000 {
            whole.extend_from_slice(&header);
        }
        whole[0x3c..0x3e].copy_from_slice(&4002_u16.to_le_bytes());
        assert_eq!(read_bytes(&whole).unwrap(), BuildNotes::default());
    }

    #[test]
    fn damaged_programs_neither_panic_nor_take_room() {
        let whole = elf(".go.buildinfo", &go_note("dep\tx\tv1\n"));
        for at in 0..whole.len() {
            for value in [0, 0x7f, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                let _ = read_bytes(&bytes);
            }
            let _ = read_bytes(&whole[..at]);
        }
    }
}
