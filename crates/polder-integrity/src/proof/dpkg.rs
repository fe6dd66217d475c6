//! What dpkg says is installed, as much of it as proofs need.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Largest status file read.
const STATUS_BYTES_MAX: u64 = 256 << 20;

/// One installed package at the time of a baseline.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageRow {
    /// Its name.
    pub name: String,
    /// Its architecture.
    pub architecture: String,
    /// Its version.
    pub version: String,
    /// The first eight bytes of BLAKE3 of what the status file says of it.
    pub stanza: u64,
    /// The same of each path it owns, sorted.
    pub paths: Vec<u64>,
}

/// The first eight bytes of BLAKE3.
pub(crate) fn short(bytes: &[u8]) -> u64 {
    let digest = blake3::hash(bytes);
    u64::from_le_bytes(digest.as_bytes().first_chunk::<8>().copied().unwrap_or_default())
}

/// The value of a field of a stanza.
pub(crate) fn field<'a>(stanza: &'a str, name: &str) -> &'a str {
    let mut lines = stanza.lines();
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default()
}

/// The status file of a root, as text.
pub(crate) fn status(root: &Path) -> String {
    text(&root.join("var/lib/dpkg/status"))
}

/// A file of dpkg's as text; empty where there is none.
pub(crate) fn text(path: &Path) -> String {
    use std::io::Read;
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(STATUS_BYTES_MAX).read_to_end(&mut bytes));
    if read.is_err() {
        return String::new();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Stanzas of installed packages, by name and architecture.
pub(crate) fn installed(status: &str) -> BTreeMap<(&str, &str), &str> {
    let stanzas = status.split("\n\n").map(|it| it.trim_matches('\n'));
    stanzas
        .filter(|it| field(it, "Status").ends_with(" installed"))
        .map(|it| ((field(it, "Package"), field(it, "Architecture")), it))
        .collect()
}

/// What is installed in a root; empty where dpkg installs nothing.
pub fn packages(root: &Path) -> Vec<PackageRow> {
    let status = status(root);
    let rows = installed(&status).into_iter().map(|((name, architecture), stanza)| {
        let info = root.join("var/lib/dpkg/info");
        let own = info.join(format!("{name}:{architecture}.list"));
        let list = if own.is_file() { own } else { info.join(format!("{name}.list")) };
        let mut paths: Vec<u64> = text(&list).lines().map(|it| short(it.as_bytes())).collect();
        paths.sort_unstable();
        PackageRow {
            name: name.into(),
            architecture: architecture.into(),
            version: field(stanza, "Version").into(),
            stanza: short(stanza.as_bytes()),
            paths,
        }
    });
    rows.collect()
}
