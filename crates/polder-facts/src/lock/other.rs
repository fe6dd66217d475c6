//! Lock files of PHP, Go and Ruby.

use super::{Found, LockError};
use serde::Deserialize;
use std::collections::HashMap;

pub(super) fn composer(text: &str, found: &mut Found) -> Result<(), LockError> {
    #[derive(Deserialize)]
    struct Lock {
        packages: Vec<Package>,
        #[serde(default, rename = "packages-dev")]
        packages_dev: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        version: String,
    }
    if !text.trim_start().starts_with('{') {
        return Err(LockError::new("it is no object with packages"));
    }
    let lock: Lock = serde_json::from_str(text).map_err(LockError::new)?;
    // Branches are called `dev-NAME`: no release, so no flaw names them.
    lock.packages.iter().chain(&lock.packages_dev).for_each(|it| found.add(&it.name, &it.version));
    Ok(())
}

/// Since Go 1.17 `go.mod` names every module that is built in (Go modules reference).
pub(super) fn go(text: &str, found: &mut Found) -> Result<(), LockError> {
    if !text.lines().any(|it| it.trim_start().starts_with("module")) {
        return Err(LockError::new("it names no module"));
    }
    let mut block = "";
    let mut required: Vec<(&str, &str)> = Vec::new();
    let mut release = None;
    // What takes the place of a module: another one, or a folder.
    let mut replaced: HashMap<&str, Option<(&str, &str)>> = HashMap::new();
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or_default().trim();
        if line == ")" {
            block = "";
            continue;
        }
        if let Some(verb) = line.strip_suffix('(') {
            block = verb.trim();
            continue;
        }
        let (verb, rest) = match block {
            "" => line.split_once(char::is_whitespace).unwrap_or((line, "")),
            verb => (verb, line),
        };
        let words: Vec<&str> = rest.split_whitespace().collect();
        match (verb, words.as_slice()) {
            ("go", [version]) => release = minor(version),
            ("require", [name, version]) => required.push((name, version)),
            ("replace", [name, .., "=>", other, version]) => {
                replaced.insert(name, Some((other, version)));
            }
            ("replace", [name, .., "=>", _]) => {
                replaced.insert(name, None);
            }
            _ => {}
        }
    }
    // Older ones name only what the module itself asks for.
    let is_old = release.is_none_or(|it| it < 17);
    if is_old && !required.is_empty() {
        found.incomplete("before Go 1.17 it does not name what its modules need");
    }
    for (name, version) in required {
        match replaced.get(name) {
            None => found.add(name, version),
            Some(Some((name, version))) => found.add(name, version),
            Some(None) => found.elsewhere(),
        }
    }
    Ok(())
}

/// The second number of a release of Go; of a later first number as large as can be.
fn minor(version: &str) -> Option<u32> {
    let mut numbers = version.split('.').map(|it| it.parse::<u32>().ok());
    match (numbers.next()??, numbers.next()) {
        (1, Some(minor)) => minor,
        (first, _) if first > 1 => Some(u32::MAX),
        _ => None,
    }
}

/// The `specs` of each section; those of `GIT` come from elsewhere, those of `PATH` are the
/// project's own.
pub(super) fn gems(text: &str, found: &mut Found) -> Result<(), LockError> {
    const SECTIONS: [&str; 4] = ["GEM", "GIT", "PATH", "DEPENDENCIES"];
    if !text.lines().any(|it| SECTIONS.contains(&it.trim_end())) {
        return Err(LockError::new("it has none of the sections of a lock file of Bundler"));
    }
    let mut section = "";
    for line in text.lines() {
        if !line.starts_with(' ') {
            section = line.trim();
            continue;
        }
        // Four blanks before a gem, six before what it needs.
        let spec = line.strip_prefix("    ").filter(|it| !it.starts_with(' '));
        let Some((name, version)) = spec.and_then(|it| it.split_once(" (")) else { continue };
        // The platform stands behind the version.
        let version = version.trim_end_matches(')').split('-').next().unwrap_or_default();
        match section {
            "GEM" => found.add(name, version),
            "GIT" | "PLUGIN SOURCE" => found.elsewhere(),
            // Folders of the project itself.
            _ => {}
        }
    }
    Ok(())
}
