//! Indices of apk: a signature and a tar archive with the text `APKINDEX`, each compressed for
//! itself (apk-index(5)).

use super::{INDEX_BYTES_MAX, RECORD_BYTES_MAX, Stanzas};
use crate::{ErrorKind, HostError};
use std::collections::BTreeSet;
use std::io::Read;

/// Length of a header and of the blocks that files fill (POSIX ustar).
const BLOCK: usize = 512;

/// Letters of the index with the names they get.
const FIELDS: [(&str, &str); 6] = [
    ("P", "Package"),
    ("V", "Version"),
    ("A", "Architecture"),
    ("o", "Source"),
    ("S", "Size"),
    ("t", "Built"),
];

pub(super) fn filter(
    what: &str,
    reader: impl Read,
    names: &BTreeSet<String>,
) -> Result<Stanzas, HostError> {
    let failed = |because: &str| HostError::new(ErrorKind::Other, what, because);
    let mut reader = reader.take(INDEX_BYTES_MAX);
    let mut stanzas = Stanzas::default();
    let mut header = [0; BLOCK];
    loop {
        if !fill(&mut reader, &mut header).map_err(|error| failed(&error.to_string()))? {
            return Err(failed("an archive without the file `APKINDEX`"));
        }
        // The signature's archive ends with a block of zeros, and the next one begins.
        if header.iter().all(|byte| *byte == 0) {
            continue;
        }
        let name = header.get(..100).unwrap_or_default();
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let length = octal(header.get(124..136).unwrap_or_default())
            .ok_or_else(|| failed("no tar archive"))?;
        let padded = length.next_multiple_of(BLOCK as u64);
        if name == b"APKINDEX" {
            records(what, reader.by_ref().take(length), names, &mut stanzas)?;
            if stanzas.bytes != length {
                return Err(failed("the archive ends too early"));
            }
            return Ok(stanzas);
        }
        let passed = std::io::copy(&mut reader.by_ref().take(padded), &mut std::io::sink());
        if passed.map_err(|error| failed(&error.to_string()))? != padded {
            return Err(failed("the archive ends too early"));
        }
    }
}

/// Fills a block; says whether there was one.
fn fill(reader: &mut impl Read, block: &mut [u8; BLOCK]) -> std::io::Result<bool> {
    match reader.read_exact(block) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    u64::from_str_radix(text.trim_matches(['\0', ' ']), 8).ok()
}

/// Lines `LETTER:value`, a blank line after each package.
fn records(
    what: &str,
    reader: impl Read,
    names: &BTreeSet<String>,
    stanzas: &mut Stanzas,
) -> Result<(), HostError> {
    let mut reader = std::io::BufReader::new(reader);
    let mut record = Vec::new();
    loop {
        let before = record.len();
        let space = (RECORD_BYTES_MAX - before) as u64;
        let line =
            std::io::BufRead::read_until(&mut reader.by_ref().take(space), b'\n', &mut record);
        let read =
            line.map_err(|error| HostError::new(ErrorKind::Other, what, error.to_string()))?;
        stanzas.bytes += read as u64;
        let is_break = record.get(before..).is_some_and(<[u8]>::is_empty) || read == 1;
        if !is_break {
            if record.len() >= RECORD_BYTES_MAX {
                return Err(HostError::new(ErrorKind::TooLarge, what, "a package without an end"));
            }
            continue;
        }
        let text = String::from_utf8_lossy(&record);
        let field = |letter: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(letter)?.strip_prefix(':')).unwrap_or_default()
        };
        stanzas.count += u64::from(!text.trim().is_empty());
        if names.contains(field("P")) {
            FIELDS.iter().for_each(|(letter, name)| stanzas.field(name, field(letter)));
            stanzas.end();
        }
        record.clear();
        if read == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, text: &[u8]) -> Vec<u8> {
        let mut tar = vec![0; BLOCK];
        tar[..name.len()].copy_from_slice(name.as_bytes());
        tar[124..135].copy_from_slice(format!("{:011o}", text.len()).as_bytes());
        tar.extend_from_slice(text);
        tar.resize(tar.len().next_multiple_of(BLOCK), 0);
        tar
    }

    #[test]
    fn the_index_lies_behind_its_signature_and_may_not_be_cut() {
        let text = b"C:Q1=\nP:busybox\nV:1.36.1-r2\nA:x86_64\nS:500\no:busybox\nt:1700000000\n\nP:other\nV:1\n\n";
        let mut tar = member(".SIGN.RSA.key", b"signature");
        tar.extend([0; BLOCK]);
        tar.extend(member("DESCRIPTION", b"v3.19"));
        tar.extend(member("APKINDEX", text));
        let names = BTreeSet::from(["busybox".to_string()]);
        let found = filter("t", &tar[..], &names).unwrap();
        assert_eq!((found.count, found.bytes), (2, text.len() as u64));
        assert_eq!(
            found.text,
            "Package: busybox\nVersion: 1.36.1-r2\nArchitecture: x86_64\nSource: busybox\nSize: 500\nBuilt: 1700000000\n\n"
        );
        for end in 0..tar.len() - BLOCK {
            assert!(filter("t", &tar[..end], &names).is_err(), "cut at {end}");
        }
    }
}
