//! Writes a generation: of all that is there, or of what was there with some changes accepted.

use crate::check::{CheckError, Progress, Sweeps, sweeps};
use crate::compare::compare;
use crate::entry::Entry;
use crate::generation::{BaselineError, Generation, Writer};
use crate::now::Now;
use crate::policy::{Policy, join};
use crate::walk::{Folder, Ledger, Walk};
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Which changes become part of the next generation, by path.
pub type Accepts<'a> = &'a (dyn Fn(&[u8]) -> bool + Sync);

/// What recording took.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// Bytes of content read.
    pub bytes: u64,
    /// File systems whose tables of inodes are not part of it, with the reason.
    pub not_swept: Vec<(String, String)>,
}

/// A recording under way.
struct Recording<'a> {
    writer: &'a Writer,
    policy: &'a Policy,
    before: Option<(&'a Generation, Accepts<'a>)>,
    progress: Progress<'a>,
    seen: Mutex<HashSet<Vec<u8>>>,
    failed: Mutex<Option<BaselineError>>,
    entries: AtomicU64,
    bytes: AtomicU64,
}

impl Ledger for Recording<'_> {
    fn known(&self, folder: &[u8]) -> Option<Vec<Entry>> {
        let (generation, _) = self.before?;
        generation.folder(folder).unwrap_or_else(|error| {
            let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            failed.get_or_insert(error);
            None
        })
    }

    fn take(&self, folder: Folder, known: Option<Vec<Entry>>) {
        let Some((_, accepts)) = self.before else {
            self.writer.folder(&folder);
            return;
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(folder.path.clone());
        drop(seen);
        let is_accepted = !folder.path.is_empty() && accepts(&folder.path);
        let Some(known) = known else {
            // A folder that is new is there with what is accepted in it.
            let mut folder = folder;
            folder.entries.retain(|it| accepts(&join(&folder.path, &it.name)));
            if is_accepted || !folder.entries.is_empty() {
                self.writer.folder(&folder);
            }
            return;
        };
        let mut refused: HashSet<Vec<u8>> = HashSet::new();
        for change in compare(self.policy, &folder, Some(&known)) {
            if !change.is_trace() && !accepts(&change.path) {
                refused.insert(crate::split(&change.path).1.to_vec());
            }
        }
        let mut merged = folder;
        merged.entries.retain(|it| !refused.contains(&it.name));
        merged.entries.extend(known.into_iter().filter(|it| refused.contains(&it.name)));
        merged.entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        self.writer.folder(&merged);
    }

    fn progress(&self, entries: u64, bytes: u64) {
        let entries = self.entries.fetch_add(entries, Ordering::Relaxed) + entries;
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        (self.progress)(entries, bytes);
    }
}

/// Walks the host and writes what is there. With a generation before, only changes that are accepted
/// become part of the new one, and content that was not touched since is not read again.
///
/// # Errors
/// When the tree cannot be opened, or the generation before is damaged.
pub fn record(
    writer: &Writer,
    now: &Now,
    policy: &Policy,
    before: Option<(&Generation, Accepts<'_>)>,
    progress: Progress<'_>,
) -> Result<Recorded, CheckError> {
    let walk = Walk {
        root: now.root.clone(),
        policy,
        mounts: &now.mounts,
        shared: &now.shared,
        reads_all: false,
        reads_logs: true,
    };
    walk.settle()?;
    // First the tables: what changes while the walk goes on is compared once too often, never too little.
    let Sweeps { found, refused } =
        if now.is_running { sweeps(now, policy) } else { Sweeps::default() };
    for (device, inodes) in &found {
        writer.sweep(*device, inodes);
    }
    drop(found);
    let recording = Recording {
        writer,
        policy,
        before,
        progress,
        seen: Mutex::default(),
        failed: Mutex::default(),
        entries: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
    };
    walk.run(&recording)?;
    if let Some((generation, accepts)) = before {
        recording.keep_removed(generation, accepts)?;
    }
    if let Some(error) = recording.failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error.into());
    }
    Ok(Recorded { bytes: recording.bytes.into_inner(), not_swept: refused })
}

impl Recording<'_> {
    /// Folders that are gone without that being accepted stay known as they were.
    fn keep_removed(
        &self,
        generation: &Generation,
        accepts: Accepts<'_>,
    ) -> Result<(), BaselineError> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for row in &generation.head.folders {
            if seen.contains(&row.path) || accepts(&row.path) {
                continue;
            }
            let entries = generation.entries(row)?;
            let folder =
                Folder { path: row.path.clone(), entries, device: row.device, ..Folder::default() };
            self.writer.folder(&folder);
        }
        Ok(())
    }
}
