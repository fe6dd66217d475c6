//! Reads a Debian archive (deb(5)): what it puts where, and with which content.
//!
//! The bytes are those of a digest that was signed, and are bounded all the same.

use crate::entry::Kind;
use crate::key::hexadecimal;
use md5::{Digest, Md5};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

/// First bytes of an archive (ar(5)).
const MAGIC: &[u8] = b"!<arch>\n";

/// Most bytes an archive unpacks to.
const UNPACKED_MAX: u64 = 16 << 30;

/// Most bytes of one file of the control part, all together.
const CONTROL_MAX: u64 = 64 << 20;

/// Why an archive cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DebError {
    /// It cannot be read, or ends too early.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is no archive of Debian's.
    #[error("it is no Debian archive")]
    Format,
    /// A part is packed in a way that is not known.
    #[error("its part `{0}` is packed in a way not known here")]
    Packed(String),
}

/// The content of the file in an archive that has this length and digest (BLAKE3); none where there is none.
///
/// # Errors
/// When it is cut short, or no archive of Debian's.
pub fn content(from: impl Read, size: u64, digest: &[u8; 32]) -> Result<Option<Vec<u8>>, DebError> {
    let mut found = None;
    parts(from, &mut |part, name| {
        let Some(packed) = name.strip_prefix("data.tar") else { return Ok(()) };
        let mut tar = tar::Archive::new(unpack(part, name, packed)?);
        for entry in tar.entries()? {
            let entry = entry?;
            if found.is_some() || entry.size() != size || !entry.header().entry_type().is_file() {
                continue;
            }
            let mut bytes = Vec::new();
            entry.take(size).read_to_end(&mut bytes)?;
            if blake3::hash(&bytes) == *digest {
                found = Some(bytes);
            }
        }
        Ok(())
    })?;
    Ok(found)
}

/// One thing an archive puts in place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// What it is.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Length in bytes.
    pub size: u64,
    /// BLAKE3 of its content.
    pub digest: [u8; 32],
    /// Where a link leads.
    pub target: Vec<u8>,
}

/// What is in an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Archive {
    /// Files of the control part by name: `control`, `md5sums`, scripts.
    pub control: BTreeMap<String, Vec<u8>>,
    /// What it puts in place, by path from `/` on, without a slash at the end.
    pub members: BTreeMap<Vec<u8>, Member>,
    /// MD5 of the settings among them (conffiles), by path, in hexadecimal digits.
    pub settings: BTreeMap<Vec<u8>, String>,
    /// The paths in the order of the archive, in which dpkg lists them.
    pub order: Vec<Vec<u8>>,
}

/// Reads an archive.
///
/// # Errors
/// When it is cut short, or no archive of Debian's.
pub fn read(from: impl Read) -> Result<Archive, DebError> {
    let mut archive = Archive::default();
    parts(from, &mut |part, name| {
        if let Some(packed) = name.strip_prefix("control.tar") {
            control(unpack(part, name, packed)?, &mut archive)
        } else if let Some(packed) = name.strip_prefix("data.tar") {
            data(unpack(part, name, packed)?, &mut archive)
        } else {
            Ok(())
        }
    })?;
    Ok(archive)
}

/// Hands out each part of an archive with its name.
fn parts(
    mut from: impl Read,
    take: &mut dyn FnMut(&mut dyn Read, &str) -> Result<(), DebError>,
) -> Result<(), DebError> {
    let mut magic = [0; MAGIC.len()];
    from.read_exact(&mut magic)?;
    if magic != *MAGIC {
        return Err(DebError::Format);
    }
    let mut has_data = false;
    loop {
        let mut header = [0; 60];
        match from.read_exact(&mut header) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && has_data => break,
            Err(error) => return Err(error.into()),
        }
        let text = |range: std::ops::Range<usize>| {
            header.get(range).and_then(|it| std::str::from_utf8(it).ok()).unwrap_or_default().trim()
        };
        let name = text(0..16).trim_end_matches('/').to_string();
        let length: u64 = text(48..58).parse().map_err(|_| DebError::Format)?;
        let mut part = from.by_ref().take(length);
        take(&mut part, &name)?;
        has_data |= name.starts_with("data.tar");
        io::copy(&mut part, &mut io::sink())?;
        if part.limit() > 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        if length % 2 == 1 {
            let mut pad = [0; 1];
            let _ = from.read(&mut pad)?;
        }
    }
    Ok(())
}

fn unpack<'a>(
    part: impl Read + 'a,
    name: &str,
    packed: &str,
) -> Result<io::Take<Box<dyn Read + 'a>>, DebError> {
    let reader: Box<dyn Read + 'a> = match packed {
        "" => Box::new(part),
        ".gz" => Box::new(flate2::read::MultiGzDecoder::new(part)),
        ".xz" => Box::new(lzma_rust2::XzReader::new(part, true)),
        ".zst" => match ruzstd::decoding::StreamingDecoder::new(part) {
            Ok(reader) => Box::new(reader),
            Err(error) => return Err(io::Error::other(error.to_string()).into()),
        },
        _ => return Err(DebError::Packed(name.into())),
    };
    Ok(reader.take(UNPACKED_MAX))
}

fn control(from: impl Read, archive: &mut Archive) -> Result<(), DebError> {
    let mut left = CONTROL_MAX;
    let mut tar = tar::Archive::new(from);
    for entry in tar.entries()? {
        let entry = entry?;
        let path = place(&entry.path_bytes());
        let Some(name) = path.strip_prefix(b"/").and_then(|it| std::str::from_utf8(it).ok()) else {
            continue;
        };
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = name.to_string();
        let mut bytes = Vec::new();
        entry.take(left).read_to_end(&mut bytes)?;
        left -= bytes.len() as u64;
        archive.control.insert(name, bytes);
    }
    Ok(())
}

fn data(from: impl Read, archive: &mut Archive) -> Result<(), DebError> {
    let settings = archive.control.get("conffiles").cloned().unwrap_or_default();
    let settings: BTreeSet<Vec<u8>> =
        settings.split(|it| *it == b'\n').map(|it| it.trim_ascii().to_vec()).collect();
    let mut tar = tar::Archive::new(from);
    for entry in tar.entries()? {
        let mut entry = entry?;
        let path = place(&entry.path_bytes());
        let header = entry.header();
        let kind = match header.entry_type() {
            it if it.is_dir() => Kind::Folder,
            it if it.is_symlink() => Kind::Link,
            it if it.is_hard_link() => {
                // Another name of a file that came before.
                let first = entry.link_name_bytes().map(|it| place(&it)).unwrap_or_default();
                if let Some(member) = archive.members.get(&first).cloned() {
                    archive.members.insert(path.clone(), member);
                }
                archive.order.push(path);
                continue;
            }
            it if it.is_file() || it.is_contiguous() => Kind::File,
            it if it.is_character_special() => Kind::Character,
            it if it.is_block_special() => Kind::Block,
            it if it.is_fifo() => Kind::Pipe,
            _ => continue,
        };
        let number = |it: io::Result<u64>| it.ok().and_then(|it| u32::try_from(it).ok());
        let (uid, gid) = (number(header.uid()), number(header.gid()));
        let mode = u16::try_from(header.mode()? & 0o7777).unwrap_or(0);
        let target = match kind {
            Kind::Link => entry.link_name_bytes().map(|it| it.into_owned()).unwrap_or_default(),
            _ => Vec::new(),
        };
        let size = if kind == Kind::File { entry.size() } else { 0 };
        let mut digest = [0; 32];
        if kind == Kind::File {
            let mut hasher = blake3::Hasher::new();
            if settings.contains(&path) {
                let mut bytes = Vec::new();
                entry.by_ref().take(CONTROL_MAX).read_to_end(&mut bytes)?;
                hasher.update(&bytes);
                archive.settings.insert(path.clone(), hexadecimal(&Md5::digest(&bytes)));
            }
            io::copy(&mut entry, &mut hasher)?;
            digest = *hasher.finalize().as_bytes();
        }
        let (uid, gid) = (uid.unwrap_or(u32::MAX), gid.unwrap_or(u32::MAX));
        let member = Member { kind, mode, uid, gid, size, digest, target };
        archive.members.insert(path.clone(), member);
        archive.order.push(path);
    }
    Ok(())
}

/// `./usr/bin/` as `/usr/bin`. A path that leaves its root stays as strange as it is, and fits nothing.
fn place(path: &[u8]) -> Vec<u8> {
    let inside = path.strip_prefix(b"./").or_else(|| path.strip_prefix(b".")).unwrap_or(path);
    let inside = inside.strip_suffix(b"/").unwrap_or(inside);
    [b"/", inside.strip_prefix(b"/").unwrap_or(inside)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An archive of parts, not packed.
    fn deb(parts: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut all = MAGIC.to_vec();
        for (name, bytes) in parts {
            let header =
                format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 644, bytes.len());
            all.extend(header.as_bytes());
            all.extend(bytes);
            all.resize(all.len().next_multiple_of(2), b'\n');
        }
        all
    }

    /// One thing in a part: kind, name, where it leads, content.
    type Thing<'a> = (tar::EntryType, &'a str, &'a str, &'a str);

    fn part(things: &[Thing<'_>]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (kind, name, target, text) in things {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o644);
            header.set_uid(0);
            header.set_gid(0);
            header.set_size(text.len() as u64);
            // As they are: the builder refuses names that leave the root.
            let bytes = header.as_mut_bytes();
            bytes[..name.len()].copy_from_slice(name.as_bytes());
            bytes[157..157 + target.len()].copy_from_slice(target.as_bytes());
            header.set_cksum();
            builder.append(&header, text.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn hostile() -> Vec<u8> {
        use tar::EntryType as Type;
        let control = part(&[
            (Type::Regular, "./control", "", "Package: x\n"),
            (Type::Regular, "./conffiles", "", "/etc/x\n"),
            (Type::Symlink, "./postinst", "/etc/shadow", ""),
        ]);
        let data = part(&[
            (Type::Regular, "./etc/x", "", "a = 1\n"),
            (Type::Regular, "./../../etc/shadow", "", "out\n"),
            (Type::Regular, "./usr/bin/x", "", "first\n"),
            (Type::Regular, "./usr/bin/x", "", "second\n"),
            (Type::Link, "./usr/bin/y", "./usr/bin/x", ""),
            (Type::Link, "./usr/bin/z", "./usr/bin/nothing", ""),
            (Type::Char, "./dev/null", "", ""),
            (Type::Symlink, "./usr/lib/l", "../../etc", ""),
            (Type::XHeader, "./PaxHeaders/a", "", "30 path=./usr/bin/by-pax-name\n"),
            (Type::Regular, "./usr/bin/short", "", "pax\n"),
        ]);
        deb(&[("debian-binary", b"2.0\n".to_vec()), ("control.tar", control), ("data.tar", data)])
    }

    #[test]
    fn hostile_members_are_read_as_they_are_and_fit_nothing_else() {
        let archive = read(hostile().as_slice()).unwrap();
        let digest = |path: &str| archive.members.get(path.as_bytes()).map(|it| it.digest);
        let of = |text: &str| Some(*blake3::hash(text.as_bytes()).as_bytes());
        // Written out one after the other, the last one stays.
        assert_eq!(digest("/usr/bin/x"), of("second\n"));
        assert_eq!(digest("/usr/bin/y"), of("second\n"));
        assert_eq!(digest("/usr/bin/z"), None);
        assert_eq!(digest("/usr/bin/by-pax-name"), of("pax\n"));
        assert_eq!(digest("/usr/bin/short"), None);
        // What leaves the root keeps a name that no path of a walk has.
        assert_eq!(digest("/etc/shadow"), None);
        assert_eq!(digest("/../../etc/shadow"), of("out\n"));
        assert_eq!(archive.settings.len(), 1);
        assert!(!archive.control.contains_key("postinst"));
        assert_eq!(archive.members[b"/dev/null".as_slice()].kind, Kind::Character);
    }

    #[test]
    fn an_archive_that_is_cut_or_has_holes_is_an_error() {
        let holes = part(&[(tar::EntryType::GNUSparse, "./usr/bin/sparse", "", "")]);
        assert!(read(deb(&[("data.tar", holes)]).as_slice()).is_err());
        let whole = hostile();
        for end in (0..whole.len() - 1).step_by(101) {
            assert!(read(&whole[..end]).is_err(), "cut at {end}");
        }
    }

    proptest! {
        #[test]
        fn any_archive_is_read_without_panic(places in proptest::collection::vec((0..12_000_usize, any::<u8>()), 1..12)) {
            let mut bytes = hostile();
            for (at, byte) in places {
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
            }
            let _ = read(bytes.as_slice());
            let _ = content(bytes.as_slice(), 4, &[0; 32]);
        }
    }
}
