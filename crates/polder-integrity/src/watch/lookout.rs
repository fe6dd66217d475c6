//! Holds what was touched against the baseline, and tells each change once.
//!
//! Whatever is lost on the way (a full queue, a kill, a restart) is found by the next look at everything: events
//! make an answer come sooner, and no answer rests on them.

use super::watcher::{Name, TouchedFolder, Watcher};
use crate::check::{CheckError, How, Outcome, Progress, is_seen, look};
use crate::compare::{Change, Difference, compare};
use crate::entry::{Content, Entry};
use crate::generation::{BaselineError, Digest, Generation};
use crate::mounts::parse_mounts;
use crate::now::Now;
use crate::policy::{Policy, Rule, is_at_or_below, join, split};
use crate::proof::{Proofs, ProvedPackage, bears_proofs, prove};
use crate::walk::{Folder, Ledger, Walk};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Folders that package managers write to.
const MANAGED: [&[u8]; 11] = [
    b"/opt",
    b"/usr",
    b"/bin",
    b"/sbin",
    b"/lib",
    b"/lib32",
    b"/lib64",
    b"/boot",
    b"/etc",
    b"/var/lib",
    b"/var/cache",
];

/// Locks that package managers hold while they work (dpkg, RPM, apk).
const LOCKS: [&str; 4] = [
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/lock",
    "/var/lib/rpm/.rpm.lock",
    "/lib/apk/db/lock",
];

/// Bits of fanotify_mark(2): FAN_ONDIR; FAN_MOVED_FROM, FAN_MOVED_TO, FAN_CREATE and FAN_DELETE.
const ON_FOLDER: u64 = 0x4000_0000;
const NAMES_CHANGED: u64 = 0x40 | 0x80 | 0x100 | 0x200;

/// How long one may work before what it changes is told all the same.
const WORK_MAX: Duration = Duration::from_secs(600);

/// What there is to tell.
#[derive(Clone, Debug, Default)]
pub struct News {
    /// What is not as it was, and was not told yet.
    pub outcome: Outcome,
    /// Paths that are again as the baseline says.
    pub again: Vec<Vec<u8>>,
    /// Packages whose archives proved changes, told for the first time.
    pub packages: Vec<ProvedPackage>,
}

impl News {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        let it = &self.outcome;
        self.again.is_empty()
            && self.packages.is_empty()
            && it.changes.is_empty()
            && [&it.mounted, &it.unmounted].iter().all(|it| it.is_empty())
            && [&it.loaded, &it.unloaded].iter().all(|it| it.is_empty())
    }
}

/// What is known of a host while it is watched.
pub struct Lookout<'a> {
    generation: &'a Generation,
    policy: Policy,
    now: Now,
    /// The clock and the boot in which everything was read last.
    read_in: Option<(String, i64)>,
    /// Folders that are not as the baseline says, as they were seen last: what is known is not read again.
    seen: Mutex<HashMap<Vec<u8>, Vec<Entry>>>,
    /// What was told of each path, and what is proved, by a digest of how it ends.
    told: HashMap<Vec<u8>, Digest>,
    proved: HashMap<Vec<u8>, Digest>,
    /// What stands of that on which proofs rest.
    ground: BTreeMap<Vec<u8>, Change>,
    /// Paths whose content changed without a trace: only reading tells whether it is as it was.
    traceless: HashSet<Vec<u8>>,
    packages: HashSet<(String, String)>,
    around: HashSet<String>,
    /// Folders of packages that wait until their manager is done, and since when it works.
    held: BTreeMap<Vec<u8>, TouchedFolder>,
    works_since: Option<Instant>,
    /// Where the rolling look at content goes on.
    cursor: usize,
}

/// How a change ends: what was told once is not told again while it stays so.
pub fn fingerprint(change: &Change) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&change.path).update(&[0]);
    // Differences name what they are; what they cannot tell depends on the moment.
    for it in &change.differences {
        let word = format!("{it:?}");
        hasher.update(word.split('(').next().unwrap_or_default().as_bytes()).update(&[0]);
    }
    if let Some(it) = &change.after {
        let numbers =
            [it.mode.into(), it.uid, it.gid, it.device.0, it.device.1, u32::from(it.is_mount)];
        for number in numbers {
            hasher.update(&number.to_le_bytes());
        }
        hasher.update(&it.flags.to_le_bytes()).update(&it.target).update(it.kind.word().as_bytes());
        for attribute in &it.attributes {
            hasher.update(&attribute.name).update(&[0]).update(&attribute.value).update(&[0]);
        }
        if let Content::Digest(digest) = &it.content {
            hasher.update(digest);
        }
        // Of a log that was cut or rewritten no digest is known: each time it is touched is another.
        let is_log = |it: &Difference| matches!(it, Difference::Truncated | Difference::Rewritten);
        if change.differences.iter().any(is_log) {
            let numbers = [it.size, it.inode, it.changed.0.cast_unsigned(), it.changed.1.into()];
            for number in numbers {
                hasher.update(&number.to_le_bytes());
            }
        }
    }
    *hasher.finalize().as_bytes()
}

/// What a walk of some folders came to.
struct Walked {
    /// What is not as it was.
    changes: Vec<Change>,
    /// Which folders were reached.
    looked: HashSet<Vec<u8>>,
    entries: u64,
    bytes: u64,
}

/// What can be said of a path that was told and differs no more.
enum Sight {
    /// It is as the baseline says.
    Plain,
    /// Something lies over it, or what it lay in was moved.
    Hidden,
    /// The baseline knows nothing of where it lay.
    Unknown,
}

/// A look at some folders.
struct Looking<'a> {
    generation: &'a Generation,
    policy: &'a Policy,
    seen: &'a Mutex<HashMap<Vec<u8>, Vec<Entry>>>,
    found: Mutex<Vec<(Vec<u8>, Vec<Change>)>>,
    failed: Mutex<Option<BaselineError>>,
    entries: AtomicU64,
    bytes: AtomicU64,
}

impl Looking<'_> {
    fn baseline(&self, folder: &[u8]) -> Option<Vec<Entry>> {
        self.generation.folder(folder).unwrap_or_else(|error| {
            let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            failed.get_or_insert(error);
            None
        })
    }
}

impl Ledger for Looking<'_> {
    /// What was seen last, with what the baseline knows besides: only to read no more than is needed.
    fn known(&self, folder: &[u8]) -> Option<Vec<Entry>> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = seen.get(folder) {
            return Some(seen.clone());
        }
        drop(seen);
        self.baseline(folder)
    }

    fn take(&self, folder: Folder, _: Option<Vec<Entry>>) {
        let known = self.baseline(&folder.path);
        let changes = compare(self.policy, &folder, known.as_deref());
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match changes.is_empty() || folder.problem.is_some() || folder.has_logs {
            true => seen.remove(&folder.path),
            false => seen.insert(folder.path.clone(), folder.entries),
        };
        drop(seen);
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.push((folder.path, changes));
    }

    fn progress(&self, entries: u64, bytes: u64) {
        self.entries.fetch_add(entries, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl<'a> Lookout<'a> {
    /// Nothing is known yet; `told` is what an earlier run told of this baseline.
    pub fn new(generation: &'a Generation, told: HashMap<Vec<u8>, Digest>) -> Self {
        Self {
            generation,
            policy: Policy::from_lines(&generation.head.policy),
            now: Now::default(),
            read_in: None,
            seen: Mutex::default(),
            told,
            proved: HashMap::new(),
            ground: BTreeMap::new(),
            traceless: HashSet::new(),
            packages: HashSet::new(),
            around: HashSet::new(),
            held: BTreeMap::new(),
            works_since: None,
            cursor: 0,
        }
    }

    /// The rules that hold.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What surrounds the files, as it was at the last look at everything.
    pub fn now(&self) -> &Now {
        &self.now
    }

    /// Looks at everything: at the beginning, from time to time, and when events were lost.
    ///
    /// # Errors
    /// When the baseline is damaged or another host's.
    pub fn sweep(&mut self, mut now: Now, progress: Progress<'_>) -> Result<News, CheckError> {
        let (boot, clock) = (now.boot.clone(), now.clock);
        // What was read whole in this boot need not be read again because the baseline is of another.
        if let Some((read_boot, read_clock)) = &self.read_in
            && *read_boot == boot
        {
            now.boot.clone_from(&self.generation.head.boot);
            now.clock = self.generation.head.clock + (clock - read_clock);
        }
        let mut outcome = look(self.generation, &now, false, progress)?;
        if outcome.how.all_because.is_some() {
            self.read_in = Some((boot.clone(), clock));
        }
        // Proofs and later looks are about the host as it is.
        (now.boot, now.clock) = (boot, clock);
        self.now = now;
        let seen = self.seen.get_mut().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|path, _| {
            Path::new(OsStr::from_bytes(path)).symlink_metadata().is_ok_and(|it| it.is_dir())
        });
        self.keep_new_around(&mut outcome);
        let mut news = self.tell(
            std::mem::take(&mut outcome.changes),
            None,
            outcome.how.all_because.is_some(),
        );
        news.outcome.how = outcome.how;
        (news.outcome.mounted, news.outcome.unmounted) = (outcome.mounted, outcome.unmounted);
        (news.outcome.loaded, news.outcome.unloaded) = (outcome.loaded, outcome.unloaded);
        Ok(news)
    }

    /// Leaves of mounts and modules only what was not told.
    fn keep_new_around(&mut self, outcome: &mut Outcome) {
        let is_new = |what: String, kept: &mut HashSet<String>| {
            let is_new = !self.around.contains(&what);
            kept.insert(what);
            is_new
        };
        let mut kept = HashSet::new();
        outcome.mounted.retain(|it| is_new(format!("+{it:?}"), &mut kept));
        outcome.unmounted.retain(|it| is_new(format!("-{it:?}"), &mut kept));
        outcome.loaded.retain(|it| is_new(format!("l{it}"), &mut kept));
        outcome.unloaded.retain(|it| is_new(format!("u{it}"), &mut kept));
        self.around = kept;
    }

    /// Looks at what was touched. What package managers write waits until they are done: before that nothing
    /// can be proved.
    ///
    /// # Errors
    /// When the baseline is damaged.
    pub fn look_at(&mut self, touched: Vec<TouchedFolder>) -> Result<News, CheckError> {
        let works = self.works();
        let mut folders: BTreeSet<Vec<u8>> = BTreeSet::new();
        for it in touched {
            if !self.concerns(&it) {
                continue;
            }
            if works && is_managed(&it.path) {
                self.held.insert(it.path.clone(), it);
            } else {
                folders.insert(it.path);
            }
        }
        if !works {
            folders.extend(std::mem::take(&mut self.held).into_keys());
        }
        if folders.is_empty() {
            return Ok(News::default());
        }
        let walked = self.run(folders, false)?;
        Ok(self.tell(walked.changes, Some(&walked.looked), false))
    }

    /// Changes that were told and stand.
    pub fn standing(&self) -> usize {
        self.told.len() + self.around.len()
    }

    /// Whether anything waits for a package manager.
    pub fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// Whether a package manager works, and has not worked for too long: before it is done nothing can be proved.
    pub fn works(&mut self) -> bool {
        let works = LOCKS.iter().any(|it| is_locked(it));
        match (works, self.works_since) {
            (false, _) => self.works_since = None,
            (true, None) => self.works_since = Some(Instant::now()),
            (true, Some(since)) => return since.elapsed() < WORK_MAX,
        }
        works
    }

    /// Whether something in a folder that was touched is watched.
    fn concerns(&self, it: &TouchedFolder) -> bool {
        let here = self.policy.within(&it.path);
        // A folder that was made, removed or moved: something watched may lie below it.
        let is_moved = |mask: u64| mask & ON_FOLDER != 0 && mask & NAMES_CHANGED != 0;
        let matters = |(name, what): (&Vec<u8>, &Name)| match here.of(name) {
            Rule::Ignored => is_moved(what.mask) && here.enters(name),
            Rule::Full | Rule::Grows => true,
            Rule::Volatile => is_moved(what.mask) || Watcher::gives_rights(&it.path, name),
        };
        it.path.is_empty() || !it.is_whole || it.names.iter().any(matters)
    }

    /// Walks folders.
    fn run(&self, folders: BTreeSet<Vec<u8>>, reads_all: bool) -> Result<Walked, CheckError> {
        let walk = Walk {
            root: "/".into(),
            policy: &self.policy,
            mounts: &self.now.mounts,
            shared: &self.now.shared,
            reads_all,
            reads_logs: false,
        };
        let looking = Looking {
            generation: self.generation,
            policy: &self.policy,
            seen: &self.seen,
            found: Mutex::default(),
            failed: Mutex::default(),
            entries: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        };
        let paths: Vec<&[u8]> = folders.iter().map(Vec::as_slice).collect();
        walk.run_some(&paths, &looking)?;
        if let Some(error) = looking.failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error.into());
        }
        let found = looking.found.into_inner().unwrap_or_else(PoisonError::into_inner);
        let looked = found.iter().map(|it| it.0.clone()).collect();
        let changes = found.into_iter().flat_map(|it| it.1).collect();
        let (entries, bytes) = (looking.entries.into_inner(), looking.bytes.into_inner());
        Ok(Walked { changes, looked, entries, bytes })
    }

    /// What of these changes is to be told. `looked` are the folders that were looked at; none for all.
    fn tell(
        &mut self,
        changes: Vec<Change>,
        looked: Option<&HashSet<Vec<u8>>>,
        reads_all: bool,
    ) -> News {
        let mut news = News::default();
        let changes: Vec<Change> = changes.into_iter().filter(|it| !it.is_trace()).collect();
        let there: HashMap<&[u8], Digest> =
            changes.iter().map(|it| (it.path.as_slice(), fingerprint(it))).collect();
        let was_looked_at =
            |path: &[u8]| looked.is_none_or(|all| all.contains(split(path).0) || path == b"/");
        // What is as it was again, and what was not looked at.
        let gone = |path: &Vec<u8>| was_looked_at(path) && !there.contains_key(path.as_slice());
        let missing: Vec<Vec<u8>> = self.told.keys().filter(|it| gone(it)).cloned().collect();
        for path in missing {
            match self.sight(&path) {
                Sight::Plain if !reads_all && self.traceless.contains(&path) => {}
                Sight::Plain => {
                    self.traceless.remove(&path);
                    self.told.remove(&path);
                    news.again.push(path);
                }
                // What it lay in is told to be gone.
                Sight::Unknown => drop(self.told.remove(&path)),
                Sight::Hidden => {}
            }
        }
        news.again.sort();
        self.proved.retain(|path, _| !gone(path));
        self.ground.retain(|path, _| !gone(path));
        let ground = changes.iter().filter(|it| bears_proofs(&it.path));
        self.ground.extend(ground.map(|it| (it.path.clone(), it.clone())));
        let is_known = |all: &HashMap<Vec<u8>, Digest>, it: &Change| {
            all.get(&it.path).is_some_and(|known| there.get(it.path.as_slice()) == Some(known))
        };
        let is_open = |it: &Change| !is_known(&self.told, it) && !is_known(&self.proved, it);
        if !changes.iter().any(is_open) {
            return news;
        }
        let fresh: Vec<Change> = changes.iter().filter(|it| is_open(it)).cloned().collect();
        // What no package brings is proved by none, and need not wait for archives to be read.
        let mut provable: Vec<Change> =
            fresh.iter().filter(|it| is_managed(&it.path)).cloned().collect();
        let proofs = match provable.is_empty() {
            true => Proofs::default(),
            false => {
                let known: HashSet<Vec<u8>> = provable.iter().map(|it| it.path.clone()).collect();
                let rest = self.ground.values().filter(|it| !known.contains(&it.path));
                provable.extend(rest.cloned());
                prove(&self.now, self.generation, &provable, false)
            }
        };
        for change in fresh {
            let Some(digest) = there.get(change.path.as_slice()) else { continue };
            match proofs.paths.contains(&change.path) {
                true => {
                    if self.told.remove(&change.path).is_some() {
                        news.again.push(change.path.clone());
                    }
                    self.proved.insert(change.path, *digest);
                }
                false => {
                    if change.differences.contains(&Difference::ContentWithoutTrace) {
                        self.traceless.insert(change.path.clone());
                    }
                    self.told.insert(change.path.clone(), *digest);
                    news.outcome.changes.push(change);
                }
            }
        }
        let is_new = |it: &ProvedPackage| self.packages.insert((it.name.clone(), it.to.clone()));
        news.packages = proofs.packages.into_iter().filter(is_new).collect();
        news.outcome.proofs.problems = proofs.problems;
        news.outcome.changes.sort_by(|a, b| a.path.cmp(&b.path));
        news
    }

    /// Whether a path that differs no more can be seen to do so: the folder that the baseline knows is there, by
    /// its path, with nothing over it.
    fn sight(&self, path: &[u8]) -> Sight {
        let (folder, _) = split(path);
        if self.generation.row(folder).is_none() {
            return Sight::Unknown;
        }
        // What is mounted may have changed since the last look at everything.
        let mounts = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
        match is_seen(self.generation, &parse_mounts(&mounts), folder) {
            true => Sight::Plain,
            false => Sight::Hidden,
        }
    }

    /// Reads the content of the next folders, whatever their times tell, until so many bytes are read or so
    /// many folders are done; says what that took, and whether it came to the end.
    ///
    /// # Errors
    /// When the baseline is damaged.
    pub fn scrub(
        &mut self,
        folders_max: usize,
        bytes_max: u64,
    ) -> Result<(News, How, bool), CheckError> {
        /// Folders that are walked side by side.
        const TOGETHER: usize = 16;
        let mut how = How::default();
        let (mut changes, mut looked) = (Vec::new(), HashSet::new());
        let rows = &self.generation.head.folders;
        let end = rows.len().min(self.cursor.saturating_add(folders_max));
        while self.cursor < end && how.bytes < bytes_max {
            let next = end.min(self.cursor + TOGETHER);
            let some = rows.get(self.cursor..next).unwrap_or_default();
            let folders = some.iter().map(|it| it.path.clone()).collect();
            let mut walked = self.run(folders, true)?;
            changes.append(&mut walked.changes);
            looked.extend(walked.looked);
            how.entries += walked.entries;
            how.bytes += walked.bytes;
            how.folders += some.len() as u64;
            self.cursor = next;
        }
        let is_done = self.cursor >= rows.len();
        if is_done {
            self.cursor = 0;
        }
        Ok((self.tell(changes, Some(&looked), true), how, is_done))
    }

    /// Where the rolling look goes on, for a later run.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// Goes on where an earlier run ended.
    pub fn go_on_at(&mut self, cursor: usize) {
        self.cursor = if cursor < self.generation.head.folders.len() { cursor } else { 0 };
    }

    /// Folders of the baseline.
    pub fn folders(&self) -> usize {
        self.generation.head.folders.len()
    }
}

/// Whether a path lies where packages put files.
fn is_managed(path: &[u8]) -> bool {
    MANAGED.iter().any(|folder| is_at_or_below(path, folder))
}

/// Whether some process holds a lock on a file (proc_locks(5)).
fn is_locked(path: &str) -> bool {
    use std::os::unix::fs::MetadataExt;
    let Ok(metadata) = std::fs::metadata(path) else { return false };
    let Ok(locks) = std::fs::read_to_string("/proc/locks") else { return false };
    let device = metadata.dev();
    let id = format!(
        "{:02x}:{:02x}:{}",
        rustix::fs::major(device),
        rustix::fs::minor(device),
        metadata.ino()
    );
    // Only one that root holds, and holds to write: any user may ask for others.
    locks.lines().any(|line| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, _, _, "WRITE", pid, place, ..] = words.as_slice() else { return false };
        let is_root =
            |pid: &str| std::fs::metadata(format!("/proc/{pid}")).is_ok_and(|it| it.uid() == 0);
        *place == id && is_root(pid)
    })
}

/// The names that were touched, by path.
pub fn by_path(touched: &[TouchedFolder]) -> HashMap<Vec<u8>, &Name> {
    let mut all = HashMap::new();
    for folder in touched {
        for (name, what) in &folder.names {
            all.insert(join(&folder.path, name), what);
        }
    }
    all
}
