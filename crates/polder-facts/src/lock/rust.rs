//! `Cargo.lock`.

use super::{Found, LockError};
use serde::Deserialize;

#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    /// Missing for crates of the workspace.
    source: Option<String>,
}

pub(super) fn cargo(text: &str, found: &mut Found) -> Result<(), LockError> {
    let lock: Lock = toml::from_str(text).map_err(LockError::new)?;
    for it in &lock.package {
        // By git or by HTTP; other registries have other names.
        let is_registry = it.source.as_deref().is_some_and(|source| {
            (source.starts_with("registry+") || source.starts_with("sparse+"))
                && source.contains("crates.io")
        });
        match (is_registry, &it.source) {
            (true, _) => found.add(&it.name, &it.version),
            (false, Some(_)) => found.elsewhere(),
            (false, None) => {}
        }
    }
    Ok(())
}
