//! What rpm and dnf know: installed packages, repositories, modules, advisories.

mod modules;
pub mod packages;
pub mod repositories;

/// Lines `name = value` under headings `[section]`; a line that begins with a blank goes on.
///
/// A value for `name` under `section`, the last one given.
pub(crate) fn setting<'a>(text: &'a str, section: &str, name: &str) -> Option<&'a str> {
    settings(text).filter(|it| it.0 == section && it.1 == name).map(|it| it.2).last()
}

/// Every section, name and value of such a text.
fn settings(text: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    let mut section = "";
    text.lines().filter_map(move |line| {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            section = name.trim();
            return None;
        }
        let (name, value) = line.split_once('=').filter(|_| !line.starts_with(['#', ';']))?;
        Some((section, name.trim(), value.trim()))
    })
}

/// Whether a setting is switched on.
pub(crate) fn is_on(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "1" | "yes" | "true" | "on")
}

/// The parts of `name-version-release` from the right, the name with its dashes.
fn name_version_release(text: &str) -> Option<(&str, &str)> {
    let (rest, _) = text.rsplit_once('-')?;
    let (name, _) = rest.rsplit_once('-')?;
    Some((name, text.get(name.len() + 1..)?))
}

/// Source package and its version, from the name of its file.
fn source_of(file: &str) -> Option<(&str, &str)> {
    let stem = file.strip_suffix(".rpm")?;
    let stem = stem.strip_suffix(".src").or_else(|| stem.strip_suffix(".nosrc"))?;
    name_version_release(stem)
}

/// A version as people write it: without the epoch where that is zero.
fn shown_version(version: &str) -> &str {
    version.strip_prefix("0:").or_else(|| version.strip_prefix("(none):")).unwrap_or(version)
}
