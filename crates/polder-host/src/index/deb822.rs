//! Indices of apt: stanzas of `Field: value` lines (deb822(5)).

use super::{INDEX_BYTES_MAX, RECORD_BYTES_MAX, Stanzas};
use crate::{ErrorKind, HostError};
use std::collections::BTreeSet;
use std::io::Read;

/// Fields kept of each stanza.
const FIELDS: [&[u8]; 11] = [
    b"Package",
    b"Version",
    b"Architecture",
    b"Source",
    b"Size",
    b"Phased-Update-Percentage",
    b"Pre-Depends",
    b"Depends",
    b"Breaks",
    b"Conflicts",
    b"Provides",
];

/// Filters what `reader` yields. `what` names it in errors.
pub(super) fn filter(
    what: &str,
    mut reader: impl Read,
    names: &BTreeSet<String>,
) -> Result<Stanzas, HostError> {
    let names: std::collections::HashSet<&[u8]> = names.iter().map(|it| it.as_bytes()).collect();
    let mut kept = Vec::new();
    let mut stanzas = Stanzas::default();
    let mut buffer: Vec<u8> = vec![0; 1 << 20];
    let mut filled = 0;
    loop {
        if filled == buffer.len() {
            if buffer.len() >= RECORD_BYTES_MAX {
                return Err(HostError::new(ErrorKind::TooLarge, what, "a stanza without an end"));
            }
            buffer.resize(buffer.len() * 2, 0);
        }
        let space = buffer.get_mut(filled..).unwrap_or_default();
        let count = match reader.read(space) {
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(HostError::new(ErrorKind::Other, what, error.to_string())),
        };
        stanzas.bytes += count as u64;
        if stanzas.bytes > INDEX_BYTES_MAX {
            let because = format!("more than {INDEX_BYTES_MAX} bytes");
            return Err(HostError::new(ErrorKind::TooLarge, what, because));
        }
        filled += count;
        let text = buffer.get(..filled).unwrap_or_default();
        let end = if count == 0 { filled } else { last_break(text) };
        for stanza in split(text.get(..end).unwrap_or_default()) {
            stanzas.count += 1;
            if names.contains(field(stanza, b"Package")) {
                keep(stanza, &mut kept);
            }
        }
        buffer.copy_within(end..filled, 0);
        filled -= end;
        if count == 0 {
            break;
        }
    }
    stanzas.text = String::from_utf8_lossy(&kept).into_owned();
    Ok(stanzas)
}

/// Where the last whole stanza ends.
fn last_break(text: &[u8]) -> usize {
    memchr::memmem::rfind(text, b"\n\n").map_or(0, |at| at + 2)
}

/// The stanzas of a text, without blank ones.
fn split(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let finder = memchr::memmem::Finder::new(b"\n\n").into_owned();
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            if rest.is_empty() {
                return None;
            }
            let end = finder.find(rest).unwrap_or(rest.len());
            let stanza = rest.get(..end).unwrap_or_default();
            rest = rest.get((end + 2).min(rest.len())..).unwrap_or_default();
            if !stanza.iter().all(u8::is_ascii_whitespace) {
                return Some(stanza);
            }
        }
    })
}

/// The value of a field, empty when it is not there.
fn field<'a>(stanza: &'a [u8], name: &[u8]) -> &'a [u8] {
    // Nearly every stanza begins with its name, so the first line usually decides.
    stanza
        .split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(b":"))
        .map_or(&[], <[u8]>::trim_ascii)
}

fn keep(stanza: &[u8], kept: &mut Vec<u8>) {
    // One pass over the lines: a stanza has two dozen of them, and most are not wanted.
    for line in stanza.split(|byte| *byte == b'\n') {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let (name, value) = (line.get(..colon).unwrap_or_default(), line.get(colon + 1..));
        let value = value.unwrap_or_default().trim_ascii();
        if FIELDS.contains(&name) && !value.is_empty() {
            kept.extend_from_slice(name);
            kept.extend_from_slice(b": ");
            kept.extend_from_slice(value);
            kept.push(b'\n');
        }
    }
    kept.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Yields one byte at a time, so that every boundary is met.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
            buffer[0] = *first;
            self.0 = rest;
            Ok(1)
        }
    }

    #[test]
    fn stanzas_are_kept_by_name_whatever_the_chunks_are() {
        let text = b"Package: a\nVersion: 1\nDepends: x\n\nPackage: b\nVersion: 2\n\nPackage: ab\nVersion: 3";
        let names = BTreeSet::from(["b".to_string(), "ab".to_string()]);
        let whole = filter("t", &text[..], &names).unwrap();
        assert_eq!(whole, filter("t", Drip(text), &names).unwrap());
        assert_eq!(whole.text, "Package: b\nVersion: 2\n\nPackage: ab\nVersion: 3\n\n");
        assert_eq!((whole.bytes, whole.count), (text.len() as u64, 3));
    }
}
