//! Which archives a vendor signed: releases held against keys that were there before, indices held
//! against releases.

use super::dpkg::field;
use crate::policy::join;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Verifies signatures of OpenPGP and decides nothing else.
const GPGV: &str = "/usr/bin/gpgv";

/// Folders in which keys of archives lie.
const KEYS: [&str; 3] = ["/usr/share/keyrings", "/etc/apt/keyrings", "/etc/apt/trusted.gpg.d"];

/// Largest release, and largest index when it is unpacked.
const RELEASE_BYTES_MAX: u64 = 16 << 20;
const INDEX_BYTES_MAX: u64 = 2 << 30;

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

/// Finds the digests of archives in the indices of a root. `is_as_before` says whether a path is what the
/// baseline says: of keys only such count.
pub(crate) fn signed(
    root: &Path,
    wanted: &HashSet<Wanted>,
    is_as_before: &dyn Fn(&[u8]) -> bool,
) -> Signed {
    let mut out = Signed::default();
    let keys = keys(root, is_as_before);
    if keys.is_empty() {
        out.problems.push("there are no keys of archives that are as they were".into());
        return out;
    }
    let lists = root.join("var/lib/apt/lists");
    let Ok(entries) = std::fs::read_dir(&lists) else {
        out.problems.push("apt has no indices here".into());
        return out;
    };
    let mut releases: Vec<PathBuf> = entries.flatten().map(|it| it.path()).collect();
    releases.retain(|it| {
        it.file_name().is_some_and(|it| it.as_encoded_bytes().ends_with(b"_InRelease"))
    });
    releases.sort();
    for release in releases {
        let shown = polder_model::printable(release.as_os_str().as_encoded_bytes());
        match verified(&release, &keys) {
            Ok(text) => indices(&release, &text, wanted, &mut out),
            Err(because) => out.problems.push(format!("`{shown}`: {because}")),
        }
    }
    out
}

/// Key files that are as they were.
fn keys(root: &Path, is_as_before: &dyn Fn(&[u8]) -> bool) -> Vec<PathBuf> {
    let mut keys = Vec::new();
    for folder in KEYS {
        let inside = root.join(folder.trim_start_matches('/'));
        for entry in std::fs::read_dir(inside).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let path = join(folder.as_bytes(), name.as_encoded_bytes());
            let is_file = entry.file_type().is_ok_and(|it| it.is_file());
            if is_file && name.as_encoded_bytes().ends_with(b".gpg") && is_as_before(&path) {
                keys.push(entry.path());
            }
        }
    }
    keys.sort();
    keys
}

/// What of a release is signed.
fn verified(release: &Path, keys: &[PathBuf]) -> Result<String, String> {
    let mut command = Command::new(GPGV);
    command.env_clear().stdin(Stdio::null()).stderr(Stdio::null()).stdout(Stdio::piped());
    for key in keys {
        command.arg("--keyring").arg(key);
    }
    command.arg("--output").arg("-").arg(release);
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
fn indices(release: &Path, text: &str, wanted: &HashSet<Wanted>, out: &mut Signed) {
    let Some(stem) = release.to_str().and_then(|it| it.strip_suffix("InRelease")) else { return };
    let sums = text.split("\nSHA256:").nth(1).unwrap_or_default();
    let lines = sums.lines().skip(1).take_while(|it| it.starts_with(' '));
    for line in lines {
        let mut words = line.split_whitespace();
        let (Some(digest), Some(_), Some(name)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        if !name.ends_with("/Packages") {
            continue;
        }
        let base = format!("{stem}{}", name.replace('/', "_"));
        let file =
            SUFFIXES.iter().map(|it| format!("{base}{it}")).find(|it| Path::new(it).is_file());
        let Some(file) = file else { continue };
        match index(Path::new(&file), digest, wanted) {
            Ok(found) => out.archives.extend(found),
            Err(because) => {
                let shown = polder_model::printable_str(&file);
                out.problems.push(format!("`{shown}`: {because}"));
            }
        }
    }
}

/// Digests of the archives that are wanted, when the index is the one that was signed.
fn index(
    path: &Path,
    digest: &str,
    wanted: &HashSet<Wanted>,
) -> Result<Vec<(Wanted, String)>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
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
    let mut reader = BufReader::with_capacity(1 << 20, reader.take(INDEX_BYTES_MAX));
    let (mut hasher, mut found) = (Sha256::new(), Vec::new());
    let (mut stanza, mut line) = (String::new(), Vec::new());
    let mut is_wanted = false;
    loop {
        line.clear();
        let count =
            reader.read_until(b'\n', &mut line).map_err(|error: io::Error| error.to_string())?;
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
        if is_wanted {
            stanza.push_str(&String::from_utf8_lossy(&line));
        }
    }
    match format!("{:x}", hasher.finalize()) == digest {
        true => Ok(found),
        false => Err("it is not the one that the release names".into()),
    }
}
