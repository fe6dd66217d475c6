//! Which archives a vendor signed: releases held against keys that were there before, indices held
//! against releases.

use super::dpkg::field;
use super::plain;
use crate::key::hexadecimal;
use base64::Engine as _;
use rustix::fd::{AsRawFd, OwnedFd};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

/// Verifies signatures of OpenPGP and decides nothing else.
const GPGV: &str = "/usr/bin/gpgv";

/// Folders in which keys of archives lie.
const KEYS: [&str; 3] = ["/usr/share/keyrings", "/etc/apt/keyrings", "/etc/apt/trusted.gpg.d"];

/// The folder in which keys of packages lie where RPM installs.
const RPM_KEYS: &str = "/etc/pki/rpm-gpg";

/// Largest release, and largest index when it is unpacked.
const RELEASE_BYTES_MAX: u64 = 16 << 20;
const INDEX_BYTES_MAX: u64 = 2 << 30;

/// Largest key, line and stanza.
const KEY_BYTES_MAX: u64 = 16 << 20;
const LINE_BYTES_MAX: u64 = 1 << 20;
const STANZA_BYTES_MAX: usize = 8 << 20;

/// Where apt keeps indices.
const LISTS: &str = "/var/lib/apt/lists";

/// Suffixes an index may have on the disk.
const SUFFIXES: [&str; 5] = ["", ".lz4", ".gz", ".xz", ".zst"];

/// A version of a package: name, version, architecture.
pub(crate) type Wanted = (String, String, String);

/// What was signed.
#[derive(Debug, Default)]
pub(crate) struct Signed {
    /// SHA-256 of archives, as hexadecimal digits, by what they hold.
    pub(crate) archives: HashMap<Wanted, String>,
    /// What could not be relied on.
    pub(crate) problems: Vec<String>,
}

/// Finds the digests of archives in the indices of a root. `digest_of` tells what the baseline says of the
/// content of a path: only keys with that content count.
pub(crate) fn signed(
    root: &Path,
    wanted: &HashSet<Wanted>,
    digest_of: &dyn Fn(&[u8]) -> Option<[u8; 32]>,
) -> Signed {
    let mut out = Signed::default();
    let keys = keys(root, digest_of);
    if keys.is_empty() {
        out.problems.push("there are no keys of archives that are as they were".into());
        return out;
    }
    let Ok(entries) = std::fs::read_dir(root.join(&LISTS[1..])) else {
        out.problems.push("apt has no indices here".into());
        return out;
    };
    let mut releases: Vec<String> =
        entries.flatten().filter_map(|it| it.file_name().into_string().ok()).collect();
    releases.retain(|it| it.ends_with("_InRelease"));
    releases.sort();
    for release in releases {
        let path = format!("{LISTS}/{release}");
        match verified(root, Path::new(&path), &keys) {
            Ok(text) => indices(root, &path, &text, wanted, &mut out),
            Err(because) => {
                let shown = polder_model::printable_str(&path);
                out.problems.push(format!("`{shown}`: {because}"));
            }
        }
    }
    out
}

/// Keys as the baseline knew them, each in a file of its own that nobody else can reach.
fn keys(root: &Path, digest_of: &dyn Fn(&[u8]) -> Option<[u8; 32]>) -> Vec<OwnedFd> {
    let mut keys = Vec::new();
    for folder in KEYS {
        let inside = root.join(folder.trim_start_matches('/'));
        for entry in std::fs::read_dir(inside).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let bytes = name.as_encoded_bytes();
            // Keys that an archive gave up are kept for old signatures only.
            let is_key =
                bytes.ends_with(b".gpg") && memchr::memmem::find(bytes, b"removed").is_none();
            let path = Path::new(folder).join(&name);
            let Some(expected) = digest_of(path.as_os_str().as_encoded_bytes()).filter(|_| is_key)
            else {
                continue;
            };
            let Ok(bytes) = plain::read(root, &path, KEY_BYTES_MAX) else { continue };
            if *blake3::hash(&bytes).as_bytes() == expected {
                keys.extend(private(&bytes));
            }
        }
    }
    keys
}

/// Keys of packages.
pub(crate) struct Keys(Vec<OwnedFd>);

impl Keys {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a signature of these bytes is by one of them.
    pub(crate) fn signed(&self, bytes: &[u8], signature: &[u8]) -> bool {
        let Some((bytes, signature)) = private(bytes).zip(private(signature)) else { return false };
        let mut command = gpgv(&self.0);
        command.stdout(Stdio::null());
        let places = [&signature, &bytes].map(|it| format!("/proc/self/fd/{}", it.as_raw_fd()));
        command.args(places).status().is_ok_and(|it| it.success())
    }
}

/// Keys of packages as the baseline knew them, without their armor.
pub(crate) fn rpm_keys(root: &Path, digest_of: &dyn Fn(&[u8]) -> Option<[u8; 32]>) -> Keys {
    let mut keys = Vec::new();
    for entry in std::fs::read_dir(root.join(&RPM_KEYS[1..])).into_iter().flatten().flatten() {
        let path = Path::new(RPM_KEYS).join(entry.file_name());
        let Some(expected) = digest_of(path.as_os_str().as_encoded_bytes()) else { continue };
        let Ok(bytes) = plain::read(root, &path, KEY_BYTES_MAX) else { continue };
        if *blake3::hash(&bytes).as_bytes() == expected {
            keys.extend(unarmored(&bytes).as_deref().and_then(private));
        }
    }
    Keys(keys)
}

/// The bytes of a key in lines of base64 (RFC 9580, 6), or of one that is not.
fn unarmored(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(bytes);
    let Some((_, rest)) = text.split_once("-----BEGIN PGP PUBLIC KEY BLOCK-----") else {
        return Some(bytes.to_vec());
    };
    let (inside, _) = rest.split_once("-----END")?;
    // Headers, an empty line, the key, and a checksum that nobody needs.
    let lines = inside.lines().skip(1).skip_while(|it| !it.trim().is_empty());
    let lines = lines.take_while(|it| !it.starts_with('='));
    let key: String = lines.map(str::trim).collect();
    base64::engine::general_purpose::STANDARD.decode(key).ok()
}

/// Verifies by these keys alone.
fn gpgv(keys: &[OwnedFd]) -> Command {
    let mut command = Command::new(GPGV);
    command.env_clear().stdin(Stdio::null()).stderr(Stdio::null());
    command.args(["--weak-digest", "SHA1"]);
    for key in keys {
        command.arg("--keyring").arg(format!("/proc/self/fd/{}", key.as_raw_fd()));
    }
    command
}

/// A file that only this process and its children have.
fn private(bytes: &[u8]) -> Option<OwnedFd> {
    let file = rustix::fs::memfd_create("polder", rustix::fs::MemfdFlags::empty()).ok()?;
    let mut rest = bytes;
    while !rest.is_empty() {
        let count = rustix::io::write(&file, rest).ok()?;
        rest = rest.get(count..)?;
    }
    Some(file)
}

/// What of a release is signed.
fn verified(root: &Path, release: &Path, keys: &[OwnedFd]) -> Result<String, String> {
    let bytes = plain::read(root, release, RELEASE_BYTES_MAX).map_err(|error| error.to_string())?;
    let release = private(&bytes).ok_or("it cannot be kept in memory")?;
    let mut command = gpgv(keys);
    command.stdout(Stdio::piped());
    command.arg("--output").arg("-").arg(format!("/proc/self/fd/{}", release.as_raw_fd()));
    let mut child = command.spawn().map_err(|error| format!("`{GPGV}` cannot be run: {error}"))?;
    let mut text = String::new();
    let read = child.stdout.take().map(|it| it.take(RELEASE_BYTES_MAX).read_to_string(&mut text));
    let status = child.wait().map_err(|error| error.to_string())?;
    match (status.success(), read) {
        (true, Some(Ok(_))) if !text.is_empty() => Ok(text),
        (true, _) => Err("what is signed cannot be read".into()),
        (false, _) => Err("its signature is not by a key that was there before".into()),
    }
}

/// Indices of a release that are the ones it names.
fn indices(root: &Path, release: &str, text: &str, wanted: &HashSet<Wanted>, out: &mut Signed) {
    let Some(stem) = release.strip_suffix("InRelease") else { return };
    let sums = text.split("\nSHA256:").nth(1).unwrap_or_default();
    let lines = sums.lines().skip(1).take_while(|it| it.starts_with(' '));
    for line in lines {
        let mut words = line.split_whitespace();
        let (Some(digest), Some(bytes), Some(name)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        // Those of the installer are no packages of a running system.
        if !name.ends_with("/Packages") || name.contains("/debian-installer/") {
            continue;
        }
        let base = format!("{stem}{}", name.replace('/', "_"));
        let found = SUFFIXES.iter().find_map(|suffix| {
            let path = format!("{base}{suffix}");
            plain::open(root, Path::new(&path)).ok().map(|file| (path, file))
        });
        let Some((path, file)) = found else { continue };
        let bytes = bytes.parse().unwrap_or(0_u64).min(INDEX_BYTES_MAX);
        match index(Path::new(&path), file, (digest, bytes), wanted) {
            Ok(found) => out.archives.extend(found),
            Err(because) => {
                let shown = polder_model::printable_str(&path);
                out.problems.push(format!("`{shown}`: {because}"));
            }
        }
    }
}

/// Digests of the archives that are wanted, when the index is the one that was signed.
fn index(
    path: &Path,
    file: File,
    (digest, bytes): (&str, u64),
    wanted: &HashSet<Wanted>,
) -> Result<Vec<(Wanted, String)>, String> {
    let extension = path.extension().and_then(|it| it.to_str()).unwrap_or_default();
    let reader: Box<dyn Read> = match extension {
        "lz4" => Box::new(lz4_flex::frame::FrameDecoder::new(file)),
        "gz" => Box::new(flate2::read::MultiGzDecoder::new(file)),
        "xz" => Box::new(lzma_rust2::XzReader::new(file, true)),
        "zst" => match ruzstd::decoding::StreamingDecoder::new(file) {
            Ok(reader) => Box::new(reader),
            Err(error) => return Err(error.to_string()),
        },
        _ => Box::new(file),
    };
    let names: HashSet<&str> = wanted.iter().map(|it| it.0.as_str()).collect();
    let mut reader = BufReader::with_capacity(1 << 20, reader.take(bytes.saturating_add(1)));
    let (mut hasher, mut found) = (Sha256::new(), Vec::new());
    let (mut stanza, mut line) = (String::new(), Vec::new());
    let mut is_wanted = false;
    loop {
        line.clear();
        // A line without an end takes no more memory than the longest one may.
        let count = reader
            .by_ref()
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)
            .map_err(|error: io::Error| error.to_string())?;
        hasher.update(&line);
        let is_end = count == 0 || line == b"\n";
        if is_end {
            if is_wanted {
                let key =
                    ["Package", "Version", "Architecture"].map(|it| field(&stanza, it).to_string());
                let [name, version, architecture] = key;
                let key = (name, version, architecture);
                if wanted.contains(&key) {
                    found.push((key, field(&stanza, "SHA256").to_string()));
                }
            }
            stanza.clear();
            is_wanted = false;
            if count == 0 {
                break;
            }
            continue;
        }
        if let Some(name) = line.strip_prefix(b"Package: ") {
            let name = std::str::from_utf8(name.trim_ascii()).unwrap_or_default();
            is_wanted = names.contains(name);
        }
        if is_wanted && stanza.len() < STANZA_BYTES_MAX {
            stanza.push_str(&String::from_utf8_lossy(&line));
        }
    }
    match hexadecimal(&hasher.finalize()) == digest {
        true => Ok(found),
        false => Err("it is not the one that the release names".into()),
    }
}
