//! Holds a host against its baseline, with as little reading as gives the answer, and says how.
//!
//! Three tiers. The table of inodes tells which inodes were touched, in one read of the device. Where
//! there is none, or for what it tells, names are listed and their attributes compared. Content is read of
//! whatever then is not as it was, and of everything when times cannot be relied on.

use crate::compare::{Change, Difference, compare};
use crate::entry::{Entry, Kind};
use crate::generation::{BaselineError, Generation, Head, SweepRow};
use crate::inodes::{self, Inodes};
use crate::mounts::Mount;
use crate::now::Now;
use crate::policy::{Policy, Rule, is_at_or_below, is_below};
use crate::proof::{Proofs, prove};
use crate::walk::{Folder, Ledger, Walk, WalkError, left_out};
use crate::{ext4, xfs};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Seconds by which the clock may drift in one boot without having been set.
const DRIFT_MAX: i64 = 2;

/// Of so many inodes one may have changed before everything is walked instead: four.
const SHARE_MAX: u64 = 4;

/// What a check found.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What is not as it was, by path.
    pub changes: Vec<Change>,
    /// What is mounted now and was not, or the other way round.
    pub mounted: Vec<Mount>,
    /// What was mounted and is not any more.
    pub unmounted: Vec<Mount>,
    /// Modules the kernel runs that it did not.
    pub loaded: Vec<String>,
    /// Modules that are gone.
    pub unloaded: Vec<String>,
    /// Which of the changes are a vendor's.
    pub proofs: Proofs,
    /// How the answer came about.
    pub how: How,
}

/// How an answer came about.
#[derive(Clone, Debug, Default)]
pub struct How {
    /// Inodes compared in tables of file systems.
    pub inodes: u64,
    /// Names compared by their attributes.
    pub entries: u64,
    /// Folders listed.
    pub folders: u64,
    /// Bytes of content read.
    pub bytes: u64,
    /// Why all content was read, where it was.
    pub all_because: Option<String>,
    /// File systems whose tables were not used, with the reason.
    pub not_swept: Vec<(String, String)>,
    /// What could not be seen at all, so that nothing can be said of it.
    pub problems: Vec<String>,
    /// What is left out, and known to be.
    pub notes: Vec<String>,
}

/// Why a host could not be checked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The baseline is not to be relied on.
    #[error(transparent)]
    Baseline(#[from] BaselineError),
    /// The tree could not be walked.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// The baseline is that of another host.
    #[error("the baseline is that of `{theirs}`, and this is `{ours}`: their machine ids differ")]
    Foreign {
        /// The host of the baseline.
        theirs: String,
        /// This host.
        ours: String,
    },
}

/// Hears how far a check or a walk is: names, and bytes of content.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Sync);

/// What a generation says of the host at this moment; the rest of it is filled in while it is written.
pub fn head(now: &Now, policy: &Policy, sequence: u64, previous: [u8; 32], reason: &str) -> Head {
    Head {
        sequence,
        previous,
        taken: now.taken,
        boot: now.boot.clone(),
        clock: now.clock,
        host: now.host.clone(),
        machine: now.machine.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
        reason: reason.into(),
        policy: policy.lines(),
        mounts: watched_mounts(&now.mounts),
        modules: now.modules.clone(),
        packages: now.packages.clone(),
        problems: now.problems.iter().map(|it| (Vec::new(), it.clone())).collect(),
        ..Head::default()
    }
}

/// Mounts without those that come and go with logins and devices.
fn watched_mounts(mounts: &[Mount]) -> Vec<Mount> {
    let passing = [&b"/run/"[..], b"/sys/fs/", b"/sys/kernel/", b"/sys/firmware/", b"/dev/"];
    let is_passing = |it: &Mount| {
        passing.iter().any(|start| it.point.starts_with(start))
            || it.point == b"/proc/sys/fs/binfmt_misc"
    };
    // A file of the kernel's may be covered with another anywhere: what is a part of something is told.
    let mut all: Vec<Mount> = mounts
        .iter()
        .filter(|it| !is_passing(it) || (it.part != b"/" && !it.point.starts_with(b"/run/")))
        .cloned()
        .collect();
    all.sort();
    all
}

/// What the tables of inodes of a host tell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sweeps {
    /// Of file systems that can be swept, by device.
    pub(crate) found: Vec<((u32, u32), Inodes)>,
    /// The others, with the reason.
    pub(crate) refused: Vec<(String, String)>,
}

/// Reads the tables of inodes of all file systems that are looked into.
pub(crate) fn sweeps(now: &Now, policy: &Policy) -> Sweeps {
    let (mut found, mut refused) = (Vec::new(), Vec::new());
    let mut devices = BTreeSet::new();
    for mount in now.mounts.iter().filter(|it| Policy::looks_into(&it.kind)) {
        let is_watched = policy.reaches(&mount.point) && mount.kind != "tmpfs";
        if !is_watched || !devices.insert(mount.device) {
            continue;
        }
        match sweep(mount) {
            Ok(inodes) => found.push((mount.device, inodes)),
            Err(because) => refused.push((polder_model::printable(&mount.point), because)),
        }
    }
    Sweeps { found, refused }
}

fn sweep(mount: &Mount) -> Result<Inodes, String> {
    match mount.kind.as_str() {
        "ext2" | "ext3" | "ext4" => sweep_device(mount),
        "xfs" => xfs::sweep(mount),
        kind => Err(format!("a table of inodes of {kind} is not read")),
    }
}

fn sweep_device(mount: &Mount) -> Result<Inodes, String> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::path::Path::new(std::ffi::OsStr::from_bytes(&mount.source));
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| match error {
        Errno::ACCESS | Errno::PERM => "its device may not be read".to_string(),
        _ => format!("its device cannot be opened: {error}"),
    })?;
    let file = std::fs::File::from(file);
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    let device = metadata.rdev();
    let numbers = (rustix::fs::major(device), rustix::fs::minor(device));
    if !metadata.file_type().is_block_device() || numbers != mount.device {
        return Err("its device is not what it is said to be".into());
    }
    ext4::sweep(&file).map_err(|error| error.to_string())
}

/// A check under way.
struct Check<'a> {
    generation: &'a Generation,
    policy: &'a Policy,
    progress: Progress<'a>,
    changes: Mutex<Vec<Change>>,
    failed: Mutex<Option<BaselineError>>,
    seen: Mutex<BTreeSet<Vec<u8>>>,
    entries: AtomicU64,
    folders: AtomicU64,
    bytes: AtomicU64,
}

impl<'a> Check<'a> {
    fn of(generation: &'a Generation, policy: &'a Policy, progress: Progress<'a>) -> Self {
        Self {
            generation,
            policy,
            progress,
            changes: Mutex::default(),
            failed: Mutex::default(),
            seen: Mutex::default(),
            entries: AtomicU64::new(0),
            folders: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }
}

impl Ledger for Check<'_> {
    fn known(&self, folder: &[u8]) -> Option<Vec<Entry>> {
        self.generation.folder(folder).unwrap_or_else(|error| {
            let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            failed.get_or_insert(error);
            None
        })
    }

    fn take(&self, folder: Folder, known: Option<Vec<Entry>>) {
        let mut found = compare(self.policy, &folder, known.as_deref());
        self.folders.fetch_add(1, Ordering::Relaxed);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(folder.path);
        drop(seen);
        if !found.is_empty() {
            let mut all = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
            all.append(&mut found);
        }
    }

    fn progress(&self, entries: u64, bytes: u64) {
        let entries = self.entries.fetch_add(entries, Ordering::Relaxed) + entries;
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        (self.progress)(entries, bytes);
    }
}

/// Holds a host against a generation. `reads_all` reads all content, whatever times tell.
///
/// # Errors
/// When the baseline is damaged or another host's, or the tree cannot be opened.
pub fn check(
    generation: &Generation,
    now: &Now,
    reads_all: bool,
    progress: Progress<'_>,
) -> Result<Outcome, CheckError> {
    let mut outcome = look(generation, now, reads_all, progress)?;
    outcome.proofs = prove(now, generation, &outcome.changes, true);
    let behind: BTreeSet<&[u8]> = outcome.proofs.behind.iter().map(|it| it.0.as_slice()).collect();
    outcome.changes.retain(|it| !behind.contains(it.path.as_slice()));
    for (path, package) in &outcome.proofs.behind {
        let entry = generation.entry(path)?;
        outcome.changes.push(Change {
            path: path.clone(),
            before: entry.clone(),
            after: entry,
            differences: vec![Difference::Behind(package.clone())],
            below: 0,
        });
    }
    outcome.changes.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(outcome)
}

/// Whether a folder that the baseline knows can be seen: by its path, through no link, and with nothing mounted
/// over it that was not there.
pub fn is_seen(generation: &Generation, mounts: &[Mount], folder: &[u8]) -> bool {
    let known = &generation.head.mounts;
    let is_new =
        |it: &&Mount| !known.iter().any(|was| (&was.point, &was.kind) == (&it.point, &it.kind));
    let is_covered = mounts
        .iter()
        .filter(is_new)
        .any(|it| it.point != b"/" && is_at_or_below(folder, &it.point));
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = rustix::fs::openat2(
        rustix::fs::CWD,
        if folder.is_empty() { b"/" } else { folder },
        flags,
        Mode::empty(),
        rustix::fs::ResolveFlags::NO_SYMLINKS,
    );
    generation.row(folder).is_some() && !is_covered && opened.is_ok()
}

/// What is not as it was in the folder of one path.
///
/// # Errors
/// When the baseline is damaged or another host's.
pub fn check_path(
    generation: &Generation,
    now: &Now,
    path: &[u8],
) -> Result<Vec<Change>, CheckError> {
    let folder = match path {
        b"/" => &b""[..],
        path => crate::split(path).0,
    };
    let policy = Policy::from_lines(&generation.head.policy);
    let check = Check::of(generation, &policy, &|_, _| {});
    let walk = Walk {
        root: now.root.clone(),
        policy: &policy,
        mounts: &now.mounts,
        shared: &now.shared,
        reads_all: true,
        reads_logs: false,
    };
    walk.run_some(&[folder], &check)?;
    if let Some(error) = check.failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error.into());
    }
    Ok(check.changes.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// The same, without asking which of the changes can be proved.
pub(crate) fn look(
    generation: &Generation,
    now: &Now,
    reads_all: bool,
    progress: Progress<'_>,
) -> Result<Outcome, CheckError> {
    let head = &generation.head;
    if head.machine != now.machine {
        let (theirs, ours) = (head.host.clone(), now.host.clone());
        return Err(CheckError::Foreign { theirs, ours });
    }
    let policy = Policy::from_lines(&head.policy);
    let because = all_because(head, now, reads_all);
    let walk = Walk {
        root: now.root.clone(),
        policy: &policy,
        mounts: &now.mounts,
        shared: &now.shared,
        reads_all: because.is_some(),
        reads_logs: false,
    };
    let check = Check::of(generation, &policy, progress);
    let notes = [left_out(&now.mounts, &policy), now.notes.clone()].concat();
    let problems = now.problems.clone();
    let mut how = How { all_because: because, problems, notes, ..How::default() };
    let some = if walk.reads_all { None } else { touched(generation, now, &policy, &mut how)? };
    match &some {
        Some(folders) => walk.run_some(folders, &check)?,
        None => {
            walk.settle()?;
            walk.run(&check)?;
        }
    }
    if let Some(error) = check.failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error.into());
    }
    how.entries = check.entries.into_inner();
    how.folders = check.folders.into_inner();
    how.bytes = check.bytes.into_inner();
    let mut changes = check.changes.into_inner().unwrap_or_else(PoisonError::into_inner);
    let seen = check.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    changes.extend(unreached(generation, &policy, &seen, some.as_deref(), &changes));
    let mut outcome = Outcome { changes: together(changes, head), how, ..Outcome::default() };
    if now.is_running {
        outcome.surround(head, &watched_mounts(&now.mounts), &now.modules);
        // What is mounted where nothing is watched, or where things come and go, hides nothing.
        let is_watched = |it: &Mount| match policy.of(&it.point) {
            Rule::Ignored => policy.reaches(&it.point),
            Rule::Volatile => it.part != b"/",
            Rule::Full | Rule::Grows => true,
        };
        outcome.mounted.retain(is_watched);
        outcome.unmounted.retain(is_watched);
    }
    Ok(outcome)
}

/// Folders of the baseline that no walk came to although nothing tells that they are gone: one above them
/// was moved, or leads elsewhere.
fn unreached(
    generation: &Generation,
    policy: &Policy,
    seen: &BTreeSet<Vec<u8>>,
    asked: Option<&[&[u8]]>,
    changes: &[Change],
) -> Vec<Change> {
    let asked: Option<BTreeSet<&[u8]>> =
        asked.map(|it| it.iter().copied().filter(|path| !seen.contains(*path)).collect());
    let told: BTreeSet<&[u8]> = changes.iter().map(|it| it.path.as_slice()).collect();
    let mut found: Vec<Change> = Vec::new();
    let rows = generation.head.folders.iter();
    for row in rows.filter(|it| !it.path.is_empty() && !seen.contains(&it.path)) {
        let is_watched = !matches!(policy.of(&row.path), Rule::Volatile | Rule::Ignored);
        let was_asked =
            || asked.as_ref().is_none_or(|all| above(&row.path).any(|it| all.contains(it)));
        let is_told = || above(&row.path).any(|it| told.contains(it));
        let is_below_last = found.last().is_some_and(|it| is_below(&row.path, &it.path));
        // One that was never accepted is nobody's to miss.
        let was_there =
            || row.path == b"/" || generation.entry(&row.path).is_ok_and(|it| it.is_some());
        if is_watched && !is_below_last && was_asked() && !is_told() && was_there() {
            let because = "it was there, and cannot be reached by its path any more".to_string();
            found.push(Change {
                path: row.path.clone(),
                before: None,
                after: None,
                differences: vec![Difference::Unverifiable(because)],
                below: 0,
            });
        }
    }
    found
}

/// A path and all folders above it but the root.
fn above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(path);
    std::iter::from_fn(move || {
        let path = rest.filter(|it| it.len() > 1)?;
        rest = Some(crate::split(path).0);
        Some(path)
    })
}

/// Why times cannot be relied on, or that they are not to be.
fn all_because(head: &Head, now: &Now, reads_all: bool) -> Option<String> {
    if reads_all {
        Some("that was asked for".into())
    } else if !now.problems.is_empty() {
        Some("not all can be seen by which times could be relied on".into())
    } else if !now.is_running {
        Some("nothing tells what happened to a folder while its system did not run".into())
    } else if head.boot != now.boot {
        Some("the host was started anew since, and nothing tells what happened between".into())
    } else if (head.clock - now.clock).abs() > DRIFT_MAX {
        let seconds = now.clock - head.clock;
        Some(format!("the clock was set by {seconds} s since, so times tell nothing"))
    } else {
        None
    }
}

fn without<T: PartialEq + Clone>(all: &[T], others: &[T]) -> Vec<T> {
    all.iter().filter(|it| !others.contains(it)).cloned().collect()
}

/// Folders in which something was touched; none when everything must be walked.
fn touched<'a>(
    generation: &'a Generation,
    now: &Now,
    policy: &Policy,
    how: &mut How,
) -> Result<Option<Vec<&'a [u8]>>, CheckError> {
    let head = &generation.head;
    let Sweeps { found, refused } = sweeps(now, policy);
    how.not_swept = refused;
    let mut rows: BTreeSet<usize> = BTreeSet::new();
    let mut swept: BTreeSet<(u32, u32)> = BTreeSet::new();
    let mut looks_where_files_come = false;
    for (device, inodes) in &found {
        let Some(row) = head.sweeps.iter().find(|it| it.device == *device) else { continue };
        if row.layout != inodes.layout {
            let says = format!("it was made anew: {} before, {} now", row.layout, inodes.layout);
            how.not_swept.push((format!("device {}:{}", device.0, device.1), says));
            continue;
        }
        let mut changed = inodes::changed(&generation.sweep(row)?, &inodes.all);
        how.inodes += inodes.all.len() as u64;
        if changed.len() as u64 > row.inodes / SHARE_MAX + 64 {
            return Ok(None);
        }
        swept.insert(*device);
        add_shared(&mut changed, row, now);
        let (folders, unknown) = generation.places(row, &changed)?;
        rows.extend(folders);
        looks_where_files_come |= !unknown.is_empty();
    }
    if swept.is_empty() {
        return Ok(None);
    }
    for (index, row) in head.folders.iter().enumerate() {
        let is_passing = || policy.within(&row.path).has_volatile();
        if row.is_racy
            || row.path.is_empty()
            || !swept.contains(&row.device)
            || (looks_where_files_come && is_passing())
        {
            rows.insert(index);
        }
    }
    let paths = rows.iter().filter_map(|at| head.folders.get(*at)).map(|it| it.path.as_slice());
    Ok(Some(paths.collect()))
}

/// What processes write to through their memory may change without a trace.
fn add_shared(changed: &mut Vec<u32>, row: &SweepRow, now: &Now) {
    let ours = now.shared.iter().filter(|(device, _)| *device == row.device);
    changed.extend(ours.filter_map(|(_, inode)| u32::try_from(*inode).ok()));
    changed.sort_unstable();
    changed.dedup();
}

/// Puts what was added or removed with a folder under that folder.
pub(crate) fn together(mut changes: Vec<Change>, head: &Head) -> Vec<Change> {
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    let is_folder = |it: &Option<Entry>| it.as_ref().is_some_and(|it| it.kind == Kind::Folder);
    let mut out: Vec<Change> = Vec::with_capacity(changes.len());
    // The folders that were added, outermost first, by their place in `out`.
    let mut added: Vec<usize> = Vec::new();
    for mut change in changes {
        added.retain(|at| out.get(*at).is_some_and(|it| is_below(&change.path, &it.path)));
        if change.before.is_none() && change.after.is_some() {
            for at in &added {
                if let Some(folder) = out.get_mut(*at) {
                    folder.below += 1;
                }
            }
            if is_folder(&change.after) {
                added.push(out.len());
            }
        }
        if change.after.is_none() && is_folder(&change.before) {
            let below = head.folders.iter().filter(|it| is_below(&it.path, &change.path)).count();
            change.below += below as u64;
        }
        out.push(change);
    }
    out
}

/// Whether a change is one of the folder it lies in: it was added with it.
pub fn is_part_of(change: &Change, folder: &Change) -> bool {
    folder.before.is_none()
        && folder.after.as_ref().is_some_and(|it| it.kind == Kind::Folder)
        && change.before.is_none()
        && is_below(&change.path, &folder.path)
}

impl Outcome {
    /// Adds what is mounted, and which modules run, in another way than a baseline says.
    pub(crate) fn surround(&mut self, before: &Head, mounts: &[Mount], modules: &[String]) {
        self.mounted = without(mounts, &before.mounts);
        self.unmounted = without(&before.mounts, mounts);
        self.loaded = without(modules, &before.modules);
        self.unloaded = without(&before.modules, modules);
    }

    /// Changes that somebody should see: without what was written again as it was, and without what is a
    /// vendor's.
    pub fn shown(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|it| !it.is_trace() && !self.proofs.paths.contains(&it.path))
    }

    /// Leaves out what has no path among files.
    pub fn keep_files_only(&mut self) {
        self.mounted.clear();
        self.unmounted.clear();
        self.loaded.clear();
        self.unloaded.clear();
    }
}
