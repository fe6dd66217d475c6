//! Lock files of Python, and what its installers leave.

use super::{Found, LockError};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Lock {
    #[serde(alias = "packages")]
    package: Option<Vec<Package>>,
    /// A lock file without packages has at least one of these.
    version: Option<toml::Value>,
    #[serde(rename = "lock-version")]
    form: Option<toml::Value>,
    metadata: Option<toml::Value>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: Option<String>,
    source: Option<toml::Value>,
    /// Where a package of no registry comes from (pdm, PEP 751).
    git: Option<toml::Value>,
    path: Option<toml::Value>,
    url: Option<toml::Value>,
    vcs: Option<toml::Value>,
    directory: Option<toml::Value>,
    archive: Option<toml::Value>,
}

impl Package {
    /// Whether it is a folder of the project itself (uv).
    fn is_own(&self) -> bool {
        let kinds = ["virtual", "editable", "directory"];
        self.source.as_ref().is_some_and(|it| kinds.iter().any(|kind| it.get(kind).is_some()))
    }

    fn is_from_registry(&self) -> bool {
        let Self { git, path, url, vcs, directory, archive, .. } = self;
        let source = match &self.source {
            None => true,
            // poetry names a type, uv the registry.
            Some(source) => match source.get("type").and_then(toml::Value::as_str) {
                Some(kind) => kind == "legacy",
                None => source.get("registry").is_some(),
            },
        };
        source && [git, path, url, vcs, directory, archive].into_iter().all(Option::is_none)
    }
}

/// The tables of packages that poetry, uv, pdm and PEP 751 write.
pub(super) fn tables(text: &str, found: &mut Found) -> Result<(), LockError> {
    let lock: Lock = toml::from_str(text).map_err(LockError::new)?;
    let is_lock = lock.version.is_some() || lock.form.is_some() || lock.metadata.is_some();
    let Some(packages) = lock.package.or_else(|| is_lock.then(Vec::new)) else {
        return Err(LockError::new("it names no packages"));
    };
    for it in &packages {
        match it.version.as_deref().filter(|_| it.is_from_registry()) {
            Some(version) => found.add(&it.name, version),
            None if it.is_own() => {}
            None => found.elsewhere(),
        }
    }
    Ok(())
}

pub(super) fn pipfile(text: &str, found: &mut Found) -> Result<(), LockError> {
    #[derive(Deserialize)]
    struct Entry {
        version: Option<String>,
    }
    let lock: BTreeMap<String, Value> = serde_json::from_str(text).map_err(LockError::new)?;
    for (group, packages) in lock {
        if group == "_meta" {
            continue;
        }
        let packages: BTreeMap<String, Entry> =
            serde_json::from_value(packages).map_err(LockError::new)?;
        for (name, it) in &packages {
            match it.version.as_deref() {
                Some("*") => found.unpinned(),
                Some(version) => found.add(name, version),
                None => found.elsewhere(),
            }
        }
    }
    Ok(())
}

/// Requirement specifiers (PEP 508): only `==` without a star pins a version.
pub(super) fn requirements(text: &str, found: &mut Found) {
    let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
    for line in joined.lines() {
        // A comment starts with the line or after a blank.
        let is_comment = |(at, _): &(usize, &str)| {
            line.get(..*at).is_some_and(|it| it.is_empty() || it.ends_with([' ', '\t']))
        };
        let end = line.match_indices('#').find(is_comment).map_or(line.len(), |it| it.0);
        let line = line.get(..end).unwrap_or_default().trim();
        if let Some(flag) = line.strip_prefix('-') {
            match flag.trim_start_matches('-').split([' ', '=']).next().unwrap_or_default() {
                "r" | "requirement" | "c" | "constraint" => {
                    found.incomplete(
                        "it goes on in other files, which are read where they are named so",
                    );
                }
                "e" | "editable" => found.elsewhere(),
                _ => {}
            }
            continue;
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wanted = line.split([';']).next().unwrap_or_default();
        let wanted = wanted.split(" --").next().unwrap_or_default().trim();
        if wanted.contains('@') || wanted.contains("://") || wanted.starts_with(['.', '/']) {
            found.elsewhere();
            continue;
        }
        let end = wanted.find(|it: char| !(it.is_alphanumeric() || "-_.".contains(it)));
        let (name, rest) = wanted.split_at(end.unwrap_or(wanted.len()));
        let rest = rest.trim_start();
        let rest = match rest.strip_prefix('[').and_then(|it| it.split_once(']')) {
            Some((_, after)) => after.trim_start(),
            None => rest,
        };
        match rest.strip_prefix("==").map(|it| it.trim_start_matches('=').trim()) {
            Some(version) if !version.contains(['*', ',']) => found.add(name, version),
            _ => found.unpinned(),
        }
    }
}

/// The head of the metadata of an installed package (core metadata, PEP 566).
pub(super) fn metadata(text: &str, found: &mut Found) -> Result<(), LockError> {
    let head = || text.lines().take_while(|it| !it.is_empty());
    let field = |name: &str| {
        let value = head().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.map(str::trim).filter(|it| !it.is_empty())
    };
    match field("Name").zip(field("Version")) {
        Some((name, version)) => found.add(name, version),
        None => return Err(LockError::new("it has no name and version")),
    }
    Ok(())
}
