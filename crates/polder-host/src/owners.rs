//! Which package owns a path, by the package manager's own file lists.

use crate::{ErrorKind, Host, HostError, Kind, Program};
use memchr::memchr_iter;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Longest file list of one package.
const LIST_BYTES_MAX: u64 = 64 << 20;

/// Owners of the paths asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owners {
    /// Path to package name.
    pub owned: BTreeMap<String, String>,
    /// Paths for which it could not be told; the others belong to no package.
    pub unknown: BTreeSet<String>,
}

/// Searches the file lists of dpkg, apk or RPM.
pub(crate) fn find(host: &dyn Host, paths: &BTreeSet<String>) -> Result<Owners, HostError> {
    let mut wanted: HashMap<Vec<u8>, &str> = HashMap::new();
    for path in paths {
        for variant in variants(path) {
            wanted.insert(variant.into_bytes(), path);
        }
    }
    let folder = Path::new("/var/lib/dpkg/info");
    let entries = match host.list(folder) {
        Ok(entries) => entries,
        Err(error) if error.is_not_found() => return find_apk(host, paths),
        Err(error) => return Err(error),
    };
    let lists: Vec<_> = entries
        .iter()
        .filter(|entry| entry.kind == Kind::File)
        .filter_map(|entry| entry.name.as_bytes().strip_suffix(b".list"))
        .collect();
    let found: Vec<(String, String)> = lists
        .par_iter()
        .flat_map_iter(|stem| {
            let mut name = stem.to_vec();
            name.extend_from_slice(b".list");
            let path = folder.join(OsStr::from_bytes(&name));
            let text = host.read(&path, LIST_BYTES_MAX).unwrap_or_default();
            // `libc6:amd64.list` belongs to the package `libc6`.
            let package = stem.split(|byte| *byte == b':').next().unwrap_or_default();
            let package = String::from_utf8_lossy(package).into_owned();
            lines(&text)
                .filter_map(|line| wanted.get(line).map(|path| (path.to_string(), package.clone())))
                .collect::<Vec<_>>()
        })
        .collect();
    let mut owners = Owners::default();
    for (path, package) in found {
        // Folders belong to many packages; the first by name is as good as any other.
        let slot = owners.owned.entry(path).or_insert_with(|| package.clone());
        if package < *slot {
            *slot = package;
        }
    }
    Ok(owners)
}

/// The names under which a package may list a path, before and after the merge of `/usr`.
fn variants(path: &str) -> Vec<String> {
    let mut all = vec![path.to_string()];
    for top in ["/bin/", "/sbin/", "/lib/", "/lib32/", "/lib64/", "/libx32/"] {
        if let Some(rest) = path.strip_prefix("/usr").filter(|rest| rest.starts_with(top)) {
            all.push(rest.to_string());
        } else if path.starts_with(top) {
            all.push(format!("/usr{path}"));
        }
    }
    all
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    memchr_iter(b'\n', text).chain(std::iter::once(text.len())).map(move |end| {
        let line = text.get(start..end).unwrap_or_default();
        start = end + 1;
        line
    })
}

/// apk keeps every file in one database: `P:` package, `F:` folder, `R:` file (apk-installed(5)).
fn find_apk(host: &dyn Host, paths: &BTreeSet<String>) -> Result<Owners, HostError> {
    let text = match host.read(Path::new("/lib/apk/db/installed"), LIST_BYTES_MAX) {
        Ok(text) => text,
        Err(error) if error.is_not_found() => return find_rpm(host, paths, error),
        Err(error) => return Err(error),
    };
    let mut owners = Owners::default();
    let (mut package, mut folder) = (String::new(), String::new());
    for line in lines(&text) {
        let line = String::from_utf8_lossy(line);
        match line.split_once(':') {
            Some(("P", name)) => package = name.into(),
            Some(("F", name)) => folder = name.into(),
            Some(("R", name)) => {
                for path in variants(&format!("/{folder}/{name}")) {
                    if paths.contains(&path) {
                        owners.owned.insert(path, package.clone());
                    }
                }
            }
            _ => {}
        }
    }
    Ok(owners)
}

/// RPM lists every file with its package. Without RPM it stays what `otherwise` says.
fn find_rpm(
    host: &dyn Host,
    paths: &BTreeSet<String>,
    otherwise: HostError,
) -> Result<Owners, HostError> {
    let output = match host.run(Program::RpmFiles) {
        Ok(output) if output.code == Some(0) => output,
        Ok(output) => {
            let because = format!("failed: {}", output.stderr);
            return Err(HostError::new(ErrorKind::Other, Program::RpmFiles.shown(), because));
        }
        Err(error) if error.is_not_found() => return Err(otherwise),
        Err(error) => return Err(error),
    };
    let mut owners = Owners::default();
    for line in output.stdout.lines() {
        // A name may hold a tab; the package cannot.
        let Some((path, package)) = line.rsplit_once('\t') else { continue };
        for path in variants(path) {
            if paths.contains(&path) {
                owners.owned.entry(path).or_insert_with(|| package.to_string());
            }
        }
    }
    Ok(owners)
}
