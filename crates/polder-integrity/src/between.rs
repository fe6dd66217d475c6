//! What differs between two baselines, of one host or of two.

use crate::check::{Outcome, together};
use crate::compare::{Change, Difference, compare};
use crate::entry::Entry;
use crate::generation::{BaselineError, Generation};
use crate::policy::{Policy, Rule, join};
use crate::walk::Folder;
use std::cmp::Ordering;

/// What differs between two generations, by the rules of the later one.
///
/// # Errors
/// When one of them is damaged.
pub fn between(old: &Generation, new: &Generation) -> Result<Outcome, BaselineError> {
    let policy = Policy::from_lines(&new.head.policy);
    let mut outcome = Outcome::default();
    for row in &new.head.folders {
        let entries = new.entries(row)?;
        outcome.how.entries += entries.len() as u64;
        let folder = Folder { path: row.path.clone(), entries, ..Folder::default() };
        let known = old.folder(&row.path)?;
        outcome.changes.extend(compare(&policy, &folder, known.as_deref()));
        outcome.changes.extend(shorter(&policy, &folder, known.as_deref().unwrap_or_default()));
    }
    outcome.changes = together(outcome.changes, &old.head);
    outcome.surround(&old.head, &new.head.mounts, &new.head.modules);
    let says = "what logs that grew begin with: a baseline holds the digest of all of one only";
    outcome.how.notes.push(says.into());
    Ok(outcome)
}

/// Logs that are shorter than they were, or of the same length with other content.
fn shorter(policy: &Policy, folder: &Folder, known: &[Entry]) -> Vec<Change> {
    let rules = policy.within(&folder.path);
    let mut all = Vec::new();
    for after in folder.entries.iter().filter(|it| rules.of(&it.name) == Rule::Grows) {
        let is_same = |it: &&Entry| it.name == after.name && it.inode == after.inode;
        let Some(before) = known.iter().find(is_same) else { continue };
        let difference = match after.size.cmp(&before.size) {
            Ordering::Less => Difference::Truncated,
            Ordering::Equal if after.content != before.content => Difference::Rewritten,
            _ => continue,
        };
        let path = join(&folder.path, &after.name);
        let (before, after) = (Some(before.clone()), Some(after.clone()));
        all.push(Change { path, before, after, differences: vec![difference], below: 0 });
    }
    all
}
