//! How tables read through the door: as text, with a bound, and with the reason when they cannot.

use polder_host::{Host, HostError, Kind};
use polder_model::{Coverage, Problem};
use std::path::{Path, PathBuf};

/// Largest configuration file read; the largest known real ones have a few hundred kilobytes.
pub(crate) const CONFIG_BYTES_MAX: u64 = 4 << 20;

/// Most problems kept of one table; a file of garbage has one problem, not a million.
pub(crate) const PROBLEMS_MAX: usize = 50;

/// A file as text, invalid UTF-8 replaced.
pub(crate) fn text(host: &dyn Host, path: impl AsRef<Path>) -> Result<String, HostError> {
    text_up_to(host, path, CONFIG_BYTES_MAX)
}

/// A file as text, at most `bytes_max` bytes of it.
pub(crate) fn text_up_to(
    host: &dyn Host,
    path: impl AsRef<Path>,
    bytes_max: u64,
) -> Result<String, HostError> {
    let bytes = host.read(path.as_ref(), bytes_max)?;
    Ok(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

/// A file as text; none when there is no such file.
pub(crate) fn text_if_there(
    host: &dyn Host,
    path: impl AsRef<Path>,
) -> Result<Option<String>, HostError> {
    match text(host, path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The files of a folder whose name passes, sorted; none when there is no such folder.
pub(crate) fn files_in(
    host: &dyn Host,
    folder: impl AsRef<Path>,
    passes: impl Fn(&str) -> bool,
) -> Result<Vec<PathBuf>, HostError> {
    let folder = folder.as_ref();
    let entries = match host.list(folder) {
        Ok(entries) => entries,
        Err(error) if error.is_not_found() => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    Ok(entries
        .into_iter()
        .filter(|entry| matches!(entry.kind, Kind::File | Kind::Link | Kind::Socket))
        .filter(|entry| entry.name.to_str().is_some_and(&passes))
        .map(|entry| folder.join(entry.name))
        .collect())
}

/// The value of a field `name: value` of a stanza; empty where it is not there.
pub(crate) fn field<'a>(stanza: &'a str, name: &str) -> &'a str {
    let mut lines = stanza.lines();
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default()
}

/// A path as text that is safe to show.
pub(crate) fn shown(path: &Path) -> String {
    polder_model::printable(path.as_os_str().as_encoded_bytes())
}

/// What an error means for a table of which nothing was seen.
pub(crate) fn not_looked(error: &HostError, root_adds: &str) -> Coverage {
    Coverage::NotLooked {
        because: error.to_string(),
        root_adds: error.is_denied().then(|| root_adds.to_string()),
    }
}

/// What an error means for a table of which something was seen.
pub(crate) fn partial(error: &HostError, root_adds: &str) -> Coverage {
    Coverage::Partial {
        because: error.to_string(),
        root_adds: error.is_denied().then(|| root_adds.to_string()),
    }
}

/// Something could not be seen: root would see it, unless it is root already.
pub(crate) fn hidden(host: &dyn Host, because: String, root_adds: &str) -> Coverage {
    match host.identity().uid {
        0 => Coverage::partial(format!("{because}, even by root")),
        _ => Coverage::needs_root(because, root_adds),
    }
}

/// Adds a problem unless there are too many already.
pub(crate) fn note(problems: &mut Vec<Problem>, place: impl Into<String>, says: impl Into<String>) {
    if problems.len() < PROBLEMS_MAX {
        problems.push(Problem::new(place, polder_model::printable_str(&says.into())));
    }
}
