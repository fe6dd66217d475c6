//! What a watch or a check told last of files that are not as the baseline says, as a table of facts.

use crate::commands::Globals;
use crate::flags::Target;
use crate::session::state_folder;
use crate::watch::read_status;
use polder_model::facts::FileChange;
use polder_model::{Coverage, Table, Timestamp};
use polder_report::{ChangeLine, WatchEvent};
use polder_store::{events_path, read_events, replace_file};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A look that is older says little of today.
const HOURS_MAX: i64 = 26;

/// Largest file read.
const BYTES_MAX: u64 = 64 << 20;

/// What the last check of the whole host told.
#[derive(Debug, Serialize, Deserialize)]
struct LastCheck {
    /// `polder-last-check/1`.
    schema: String,
    taken: Timestamp,
    /// The digest that stands for its baseline.
    root: String,
    changes: Vec<ChangeLine>,
}

fn check_path(state: &Path) -> PathBuf {
    state.join("baseline/last-check.json")
}

/// Keeps what a check told, for later assessments.
pub(crate) fn keep_check(state: &Path, root: &str, taken: Timestamp, changes: &[ChangeLine]) {
    let schema = "polder-last-check/1".to_string();
    let check = LastCheck { schema, taken, root: root.into(), changes: changes.to_vec() };
    // What is not kept is asked for again.
    let _ = serde_json::to_string(&check).map(|text| replace_file(&check_path(state), &text));
}

/// What was told last, by whichever looked last.
pub(crate) fn file_changes(
    globals: &Globals,
    target: &Target,
    now: Timestamp,
) -> Table<FileChange> {
    let state = state_folder(globals.state.as_deref(), target);
    // A recording or a folder has no baseline of its own.
    let Some(state) = state.filter(|_| target.from.is_none() && target.root.is_none()) else {
        return Table::with(Coverage::not_looked("a running host has a baseline"), Vec::new());
    };
    let checked = read_check(&state);
    let watched = read_status(&state).and_then(|it| it.swept.map(|swept| (it, Timestamp(swept))));
    let (taken, rows) = match (checked, watched) {
        (Some(it), Some((_, swept))) if it.taken > swept => (it.taken, rows(&it)),
        (_, Some((_, swept))) => match told(&state) {
            Ok(rows) => (swept, rows),
            Err(because) => return Table::with(Coverage::partial(because), Vec::new()),
        },
        (Some(it), None) => (it.taken, rows(&it)),
        (None, None) => {
            let because = "no baseline was checked: `polder baseline init`, then `polder watch`";
            return Table::with(Coverage::not_looked(because), Vec::new());
        }
    };
    let hours = (now.0 - taken.0) / 3600;
    let coverage = match hours > HOURS_MAX {
        true => Coverage::partial(format!(
            "the last look at them is {} days old: `polder baseline check` looks now",
            (hours + 12) / 24
        )),
        false => Coverage::Complete,
    };
    Table::with(coverage, rows)
}

fn read_check(state: &Path) -> Option<LastCheck> {
    let mut text = String::new();
    let file = std::fs::File::open(check_path(state)).ok()?;
    file.take(BYTES_MAX).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn rows(check: &LastCheck) -> Vec<FileChange> {
    check.changes.iter().map(|it| row(it, None, check.taken)).collect()
}

fn row(it: &ChangeLine, by: Option<String>, told: Timestamp) -> FileChange {
    FileChange {
        path: it.path.clone(),
        what: it.what.clone(),
        differences: it.differences.clone(),
        means: it.means.clone(),
        technique: it.technique.clone(),
        stays: it.weight == "stays",
        package: it.package.clone(),
        by,
        told,
    }
}

/// What a watch told, and what of it still stands.
fn told(state: &Path) -> Result<Vec<FileChange>, String> {
    let events = read_events(&events_path(state)).map_err(|error| error.to_string())?;
    // By the bytes of their paths: what is shown of a long one is cut.
    let mut all: BTreeMap<String, FileChange> = BTreeMap::new();
    for it in events.events {
        let Ok(event) = serde_json::from_value::<WatchEvent>(it.event) else { continue };
        for (path, _) in event.with.iter().filter(|it| it.1.is_empty()) {
            all.remove(path);
        }
        let key = event.path_bytes.clone();
        match (&event.change, key) {
            (Some(change), key) => {
                let by = event.who.and_then(|it| it.executable);
                all.insert(key.unwrap_or_else(|| change.path.clone()), row(change, by, event.when));
            }
            (None, Some(key)) if matches!(event.kind.as_str(), "again" | "accepted") => {
                all.remove(&key);
            }
            (None, _) => {}
        }
    }
    Ok(all.into_values().collect())
}
