//! What dpkg says is installed, as much of it as proofs need.

use super::plain;
use crate::key::hexadecimal;
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Largest status file read.
const STATUS_BYTES_MAX: u64 = 256 << 20;

/// Largest setting of a package that is read.
const SETTING_BYTES_MAX: u64 = 16 << 20;

/// One package that dpkg knew at the time of a baseline.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageRow {
    /// Its name.
    pub name: String,
    /// Its architecture.
    pub architecture: String,
    /// Its version.
    pub version: String,
    /// Whether it was installed; otherwise some of its settings may be left.
    pub is_installed: bool,
    /// The first sixteen bytes of BLAKE3 of what the status file says of it.
    pub stanza: u128,
    /// The same of each path it owns, sorted.
    pub paths: Vec<u128>,
    /// Settings that nobody had changed: the same of the path, and BLAKE3 of the content. Of RPM also those that
    /// somebody had changed, with zeros instead.
    pub settings: Vec<(u128, [u8; 32])>,
}

/// The first sixteen bytes of BLAKE3.
pub(crate) fn short(bytes: &[u8]) -> u128 {
    let digest = blake3::hash(bytes);
    u128::from_le_bytes(digest.as_bytes().first_chunk::<16>().copied().unwrap_or_default())
}

/// The value of a field of a stanza.
pub(crate) fn field<'a>(stanza: &'a str, name: &str) -> &'a str {
    let mut lines = stanza.lines();
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default()
}

/// The status file of a root, as text.
pub(crate) fn status(root: &Path) -> String {
    text(root, Path::new("/var/lib/dpkg/status"))
}

/// A file of dpkg's as text; empty where there is none.
pub(crate) fn text(root: &Path, path: &Path) -> String {
    let bytes = plain::read(root, path, STATUS_BYTES_MAX).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The stanzas of a status file.
pub(crate) fn stanzas(status: &str) -> impl Iterator<Item = &str> {
    status.split("\n\n").map(|it| it.trim_matches('\n')).filter(|it| !it.is_empty())
}

/// Stanzas of installed packages, by name and architecture.
pub(crate) fn installed(status: &str) -> BTreeMap<(&str, &str), &str> {
    stanzas(status)
        .filter(|it| is_installed(it))
        .map(|it| ((field(it, "Package"), field(it, "Architecture")), it))
        .collect()
}

fn is_installed(stanza: &str) -> bool {
    field(stanza, "Status").ends_with(" installed")
}

/// What dpkg knows in a root; empty where dpkg installs nothing.
pub(crate) fn packages(root: &Path) -> Vec<PackageRow> {
    let status = status(root);
    let rows = stanzas(&status).map(|stanza| {
        let (name, architecture) = (field(stanza, "Package"), field(stanza, "Architecture"));
        let info = Path::new("/var/lib/dpkg/info");
        let own = text(root, &info.join(format!("{name}:{architecture}.list")));
        let list = match own.is_empty() {
            true => text(root, &info.join(format!("{name}.list"))),
            false => own,
        };
        let mut paths: Vec<u128> = list.lines().map(|it| short(it.as_bytes())).collect();
        paths.sort_unstable();
        PackageRow {
            name: name.into(),
            architecture: architecture.into(),
            version: field(stanza, "Version").into(),
            is_installed: is_installed(stanza),
            stanza: short(stanza.as_bytes()),
            paths,
            settings: settings(root, stanza),
        }
    });
    rows.collect()
}

/// Settings whose MD5 is the one that dpkg noted when it installed them.
fn settings(root: &Path, stanza: &str) -> Vec<(u128, [u8; 32])> {
    let lines = stanza.lines().skip_while(|it| !it.starts_with("Conffiles:")).skip(1);
    let lines = lines.take_while(|it| it.starts_with(' '));
    lines
        .filter_map(|line| {
            let (path, sum) = line.trim_start().split_once(' ')?;
            let bytes = plain::read(root, Path::new(path), SETTING_BYTES_MAX).ok()?;
            let same = hexadecimal(&Md5::digest(&bytes)) == sum;
            same.then(|| (short(path.as_bytes()), *blake3::hash(&bytes).as_bytes()))
        })
        .collect()
}
