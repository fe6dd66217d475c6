//! Writes a generation: of all that is there, or of what was there with some changes accepted.

use crate::check::{CheckError, Progress, Sweeps, sweeps};
use crate::compare::{Change, compare};
use crate::entry::Entry;
use crate::generation::{BaselineError, Generation, Writer};
use crate::now::Now;
use crate::policy::{Policy, is_below};
use crate::walk::{Folder, Ledger, Walk};
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Which changes become part of the next generation.
pub type Accepts<'a> = &'a (dyn Fn(&Change) -> bool + Sync);

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
            self.writer.folder(&folder, false);
            return;
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(folder.path.clone());
        drop(seen);
        let changes = compare(self.policy, &folder, known.as_deref());
        let refused: HashSet<Vec<u8>> = changes
            .iter()
            .filter(|it| !it.is_trace() && !accepts(it))
            .map(|it| crate::split(&it.path).1.to_vec())
            .collect();
        let is_new = known.is_none();
        let mut merged = folder;
        match known {
            // What cannot be read stays known as it was.
            Some(known) if merged.problem.is_some() => merged.entries = known,
            known => {
                merged.entries.retain(|it| !refused.contains(&it.name));
                let kept = known.into_iter().flatten().filter(|it| refused.contains(&it.name));
                // What stays as it was although it is not so is looked at each time.
                merged.entries.extend(kept.map(|it| Entry { is_racy: true, ..it }));
                merged.entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
            }
        }
        // A folder that is new and refused whole is not there.
        if is_new && merged.entries.is_empty() && !refused.is_empty() {
            return;
        }
        let is_open = !refused.is_empty() || merged.problem.is_some();
        self.writer.folder(&merged, is_open);
    }

    fn progress(&self, entries: u64, bytes: u64) {
        let entries = self.entries.fetch_add(entries, Ordering::Relaxed) + entries;
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        (self.progress)(entries, bytes);
    }
}

/// Walks the host and writes what is there. With a generation before, only changes that are accepted
/// become part of the new one, and content that was not touched since is read again only with `reads_all`.
///
/// # Errors
/// When the tree cannot be opened, or the generation before is damaged.
pub fn record(
    writer: &Writer,
    now: &Now,
    policy: &Policy,
    before: Option<(&Generation, Accepts<'_>)>,
    reads_all: bool,
    progress: Progress<'_>,
) -> Result<Recorded, CheckError> {
    let walk = Walk {
        root: now.root.clone(),
        policy,
        mounts: &now.mounts,
        shared: &now.shared,
        reads_all,
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
        let mut gone_with: Option<&[u8]> = None;
        for row in &generation.head.folders {
            let is_gone = gone_with.is_some_and(|it| is_below(&row.path, it));
            // What lay below a folder whose removal is accepted is gone with it.
            if is_gone || seen.contains(&row.path) {
                continue;
            }
            let entries = generation.entries(row)?;
            let (folder, name) = crate::split(&row.path);
            let gone = Change {
                path: row.path.clone(),
                before: generation
                    .folder(folder)?
                    .and_then(|it| it.into_iter().find(|it| it.name == name)),
                after: None,
                differences: Vec::new(),
                below: 0,
            };
            if accepts(&gone) {
                gone_with = Some(&row.path);
                continue;
            }
            let (path, device) = (row.path.clone(), row.device);
            self.writer.folder(&Folder { path, entries, device, ..Folder::default() }, true);
        }
        Ok(())
    }
}
