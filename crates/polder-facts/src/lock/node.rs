//! Lock files of npm, Yarn and pnpm.

use super::{Found, LockError};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Lock {
    /// Since version 2 of the form: folders below the project.
    packages: Option<BTreeMap<String, Installed>>,
    /// In version 1: names, each with what it brought along.
    dependencies: Option<BTreeMap<String, Dependency>>,
    #[serde(rename = "lockfileVersion")]
    form: Option<u32>,
}

#[derive(Deserialize)]
struct Installed {
    name: Option<String>,
    version: Option<String>,
    resolved: Option<String>,
    #[serde(default)]
    link: bool,
}

#[derive(Deserialize)]
struct Dependency {
    #[serde(default)]
    version: String,
    #[serde(default)]
    dependencies: BTreeMap<String, Dependency>,
}

/// Versions 1 to 3 of the form.
pub(super) fn npm(text: &str, found: &mut Found) -> Result<(), LockError> {
    let lock: Lock = serde_json::from_str(text).map_err(LockError::new)?;
    let Some(packages) = lock.packages else {
        let Some(dependencies) = lock.dependencies.or(lock.form.map(|_| BTreeMap::new())) else {
            return Err(LockError::new("it names neither packages nor the version of its form"));
        };
        nested(&dependencies, found);
        return Ok(());
    };
    for (folder, it) in &packages {
        // Folders outside `node_modules` are the project and its workspaces; links lead there.
        let Some((_, name)) = folder.rsplit_once("node_modules/").filter(|_| !it.link) else {
            continue;
        };
        let is_registry = it.resolved.as_deref().is_none_or(|it| it.starts_with("http"));
        match it.version.as_deref().filter(|_| is_registry) {
            Some(version) => found.add(it.name.as_deref().unwrap_or(name), version),
            None => found.elsewhere(),
        }
    }
    Ok(())
}

fn nested(dependencies: &BTreeMap<String, Dependency>, found: &mut Found) {
    for (name, it) in dependencies {
        // `npm:NAME@VERSION` is installed under another name.
        match it.version.strip_prefix("npm:").and_then(|it| it.rsplit_once('@')) {
            Some((name, version)) => found.add(name, version),
            None => found.add(name, &it.version),
        }
        nested(&it.dependencies, found);
    }
}

/// Blocks of Yarn 1, or the YAML of later ones.
pub(super) fn yarn(text: &str, found: &mut Found) -> Result<(), LockError> {
    if text.contains("\n__metadata:") || text.starts_with("__metadata:") {
        return berry(text, found);
    }
    if !text.contains("yarn lockfile") {
        return Err(LockError::new("it does not say that it is a lock file of Yarn"));
    }
    let mut name = String::new();
    for line in text.lines() {
        if !line.starts_with([' ', '#']) && line.ends_with(':') {
            let first = line.trim_end_matches(':').split(", ").next().unwrap_or_default();
            name = wanted_name(first.trim_matches('"')).to_string();
        } else if let Some(version) = line.strip_prefix("  version ") {
            found.add(&name, version.trim_matches('"'));
        }
    }
    Ok(())
}

/// The name in `NAME@RANGE`; `ALIAS@npm:NAME@RANGE` is installed under another name.
fn wanted_name(wanted: &str) -> &str {
    let real = wanted.split_once("@npm:").map_or(wanted, |(_, real)| real);
    // The first character may be the mark of a scope.
    match real.char_indices().skip(1).find(|(_, it)| *it == '@') {
        Some((at, _)) => real.get(..at).unwrap_or(real),
        None if real.len() < wanted.len() => wanted.split_once("@npm:").map_or(wanted, |it| it.0),
        None => real,
    }
}

fn berry(text: &str, found: &mut Found) -> Result<(), LockError> {
    #[derive(Deserialize)]
    struct Entry {
        resolution: Option<String>,
    }
    flat(text)?;
    let entries: BTreeMap<String, Entry> = serde_yaml_ng::from_str(text).map_err(LockError::new)?;
    for (key, it) in &entries {
        if key == "__metadata" {
            continue;
        }
        // `NAME@npm:VERSION`, `NAME@workspace:FOLDER`, `NAME@patch:NAME@npm%3AVERSION#...`.
        let resolution = it.resolution.as_deref().unwrap_or_default();
        match resolution.split_once("@npm:") {
            Some((name, version)) => {
                found.add(name, version.split("::").next().unwrap_or(version));
            }
            None if resolution.contains("@workspace:") => {}
            None => found.elsewhere(),
        }
    }
    Ok(())
}

/// The keys of `packages`, as versions 5, 6 and 9 of the form write them.
pub(super) fn pnpm(text: &str, found: &mut Found) -> Result<(), LockError> {
    #[derive(Deserialize)]
    struct Lock {
        #[serde(rename = "lockfileVersion")]
        _form: Value,
        #[serde(default)]
        packages: BTreeMap<String, Value>,
    }
    flat(text)?;
    let lock: Lock = serde_yaml_ng::from_str(text).map_err(LockError::new)?;
    for key in lock.packages.keys() {
        // Peers stand in brackets behind the version, or behind `_`.
        let plain = key.split('(').next().unwrap_or(key).trim_start_matches('/');
        // The version is the last part of a path, or stands behind the last sign.
        let (scope, last) = plain.rsplit_once('/').unwrap_or(("", plain));
        let last = last.split('_').next().unwrap_or(last);
        let is_path = last.starts_with(|it: char| it.is_ascii_digit()) && !scope.is_empty();
        match last.rsplit_once('@').filter(|_| !is_path) {
            _ if is_path => found.add(scope, last),
            Some((name, version)) if !name.is_empty() && scope.is_empty() => {
                found.add(name, version)
            }
            Some((name, version)) if scope.starts_with('@') && !scope.contains('/') => {
                found.add(&format!("{scope}/{name}"), version);
            }
            _ => found.elsewhere(),
        }
    }
    Ok(())
}

/// Brackets within brackets; lock files have two or three.
const DEPTH_MAX: u32 = 128;

/// Refuses deep brackets: reading them takes the square of their number.
fn flat(text: &str) -> Result<(), LockError> {
    let mut depth = 0_u32;
    for line in text.lines() {
        // A key at the left ends whatever a quoted bracket left open.
        if line.starts_with(|it: char| it.is_alphanumeric() || it == '"') {
            depth = 0;
        }
        for byte in line.bytes() {
            match byte {
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth > DEPTH_MAX {
                return Err(LockError::new("its brackets are nested too deep"));
            }
        }
    }
    Ok(())
}
