//! The loop: look at everything once, then at what is touched, and at everything again from time to time.

use super::sinks::Delivery;
use super::status::{Status, begun};
use crate::commands::{Globals, names_of};
use crate::failure::Failure;
use crate::{guard, output};
use polder_host::Host;
use polder_integrity::watch::{
    Lookout, Name, News, Process, Touched, TouchedFolder, Watcher, by_path, fingerprint,
};
use polder_integrity::{
    Change, CheckError, Generation, How, Now, hexadecimal, parse, parse_mounts,
};
use polder_model::{Timestamp, printable};
use polder_report::{Names, WatchEvent, WhoLine, check_view, event_text};
use polder_store::{EventJournal, Events, StoredEvent};
use std::collections::{BTreeSet, HashMap};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Between two looks at what was touched, at least and at most: longer where a look took long.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// So many names in one turn are the work of something that is better judged when it is done: to read what is
/// still being written slows it down. But not longer than this: it may never be done.
const BURST: usize = 200;
const BURST_MAX: Duration = Duration::from_millis(1_500);

/// How long events may be on their way while a look sees already what they tell of.
const LATE: Duration = Duration::from_millis(20);

/// Between two looks at what is mounted and which baseline is the newest.
const AROUND: Duration = Duration::from_secs(1);

/// Between two parts of the rolling look at content.
const SCRUB: Duration = Duration::from_secs(15);

/// Changes told one by one of one look; of more the number is told.
const TOLD_MAX: usize = 40;

/// Changes told one by one in a minute, besides those by which somebody stays: whoever may write files that are
/// watched could fill a disk with what is told of them.
const TOLD_PER_MINUTE: usize = 240;

/// Bytes of paths in one line of the journal.
const WITH_BYTES_MAX: usize = 256 << 10;

/// Events that wait for a journal that cannot be written; of more the last ones.
const UNWRITTEN_MAX: usize = 10_000;

/// Names of whom it is known who touched them.
const WHO_MAX: usize = 50_000;

/// How the watch is set.
#[derive(Clone, Debug)]
pub(crate) struct Rhythm {
    /// Between two looks at everything.
    pub(crate) every: Duration,
    /// In what time all content is read once; none for never.
    pub(crate) scrub: Option<Duration>,
    /// Bytes a second that the rolling look may read.
    pub(crate) read_bytes: u64,
    /// Between two signs of life.
    pub(crate) heartbeat: Duration,
}

/// Why the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was asked to.
    Stopped,
    /// There is a newer baseline.
    NewBaseline,
}

/// What the loop remembers from one turn to the next.
#[derive(Default)]
pub(crate) struct Memory {
    /// Whether this run has told that it begins: another baseline is no other run.
    has_begun: bool,
    /// Since when changes are counted, and how many were told one by one since.
    minute: Option<Instant>,
    told_of_late: usize,
    /// Who touched what, as far as it is known.
    who: HashMap<Vec<u8>, Arc<Process>>,
    /// What could not be seen at the last look.
    unseen: Vec<String>,
    /// What was touched and is to be looked at in the next turn.
    carried: Vec<TouchedFolder>,
    /// Whether this is the first look by another baseline: what differs no more was accepted.
    is_new_baseline: bool,
    /// Whether whoever read the output went away.
    is_mute: bool,
    /// Events that the journal could not take yet.
    unwritten: Vec<serde_json::Value>,
}

/// Everything the loop needs.
pub(crate) struct Duty<'a> {
    pub(crate) generation: &'a Generation,
    pub(crate) host: &'a dyn Host,
    pub(crate) globals: &'a Globals,
    pub(crate) rhythm: Rhythm,
    pub(crate) state: PathBuf,
    pub(crate) journal: &'a mut EventJournal,
    pub(crate) delivery: &'a Delivery,
    pub(crate) status: &'a mut Status,
    pub(crate) watcher: &'a mut Watcher,
    pub(crate) memory: &'a mut Memory,
    pub(crate) stops: &'a AtomicBool,
    pub(crate) as_json: bool,
    /// Which baseline is the newest.
    pub(crate) newest: &'a dyn Fn() -> Option<u64>,
}

impl Duty<'_> {
    /// Watches until it is told to end.
    pub(crate) fn run(&mut self, earlier: &Events) -> Result<Ended, Failure> {
        let root = hexadecimal(&self.generation.root);
        let mut lookout = Lookout::new(self.generation, told(earlier));
        self.memory.is_new_baseline = self.status.root != root;
        if !self.memory.is_new_baseline {
            lookout.go_on_at(self.status.scrub_at);
        } else {
            self.status.scrub_at = 0;
        }
        self.name_baseline(root, lookout.folders());
        let follower = std::fs::File::open("/proc/self/mountinfo").ok();
        let mounts = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
        // First the marks, then the look at everything: nothing comes between.
        self.watcher.mark(&parse_mounts(&mounts), lookout.policy());
        self.status.refused.clone_from(&self.watcher.refused);
        self.status.processes_problem.clone_from(&self.watcher.processes_problem);
        self.begin()?;
        let mut swept = self.sweep(&mut lookout)?;
        self.memory.is_new_baseline = false;
        let (mut around, mut scrubbed, mut alive) =
            (Instant::now(), Instant::now(), Instant::now());
        let mut pause = PAUSE;
        let (mut carried_lost, mut burst, mut is_due) = (None, None, false);
        while !self.stops.load(Ordering::Relaxed) {
            std::thread::sleep(pause);
            let Some(touched) = self.gather(&mut burst) else {
                pause = PAUSE;
                continue;
            };
            let begun = Instant::now();
            if let Some(since) = touched.lost_since.or(carried_lost.take()) {
                self.remember(&touched);
                self.blind(since)?;
                swept = self.sweep(&mut lookout)?;
                self.seen_again(since)?;
            } else if !touched.folders.is_empty() || lookout.is_holding() {
                self.remember(&touched);
                let news = lookout.look_at(touched.folders).map_err(Failure::look)?;
                if !news.outcome.changes.is_empty() {
                    // A look may see what is still on its way as an event: who did it comes with that.
                    std::thread::sleep(LATE);
                    let late = self.watcher.take();
                    self.remember(&late);
                    self.memory.carried = late.folders;
                    carried_lost = late.lost_since;
                }
                self.tell(&news)?;
            }
            pause = (begun.elapsed() * 2).clamp(PAUSE, PAUSE_MAX);
            if around.elapsed() >= AROUND {
                around = Instant::now();
                is_due |= self.remark(follower.as_ref(), &lookout);
                if (self.newest)().is_some_and(|it| it != self.generation.head.sequence) {
                    return Ok(Ended::NewBaseline);
                }
            }
            is_due |= swept.elapsed() >= self.rhythm.every;
            if is_due && !lookout.works() {
                swept = self.sweep(&mut lookout)?;
                is_due = false;
            }
            if scrubbed.elapsed() >= SCRUB {
                self.scrub(&mut lookout, scrubbed.elapsed())?;
                scrubbed = Instant::now();
            }
            if alive.elapsed() >= self.rhythm.heartbeat {
                alive = Instant::now();
                self.status.events = self.watcher.events();
                self.status.standing = lookout.standing() as u64;
                self.sign();
            }
        }
        Ok(Ended::Stopped)
    }

    fn name_baseline(&mut self, root: String, folders: usize) {
        self.status.baseline = self.generation.head.sequence;
        self.status.root = root;
        self.status.key = hexadecimal(&self.generation.key);
        self.status.scrub_of = folders;
    }

    /// What was touched, with what waits from before; none while something writes a great deal.
    fn gather(&mut self, burst: &mut Option<Instant>) -> Option<Touched> {
        let mut touched = self.watcher.take();
        let is_burst = touched.names() >= BURST && touched.lost_since.is_none();
        touched.folders.append(&mut self.memory.carried);
        if is_burst && burst.get_or_insert_with(Instant::now).elapsed() < BURST_MAX {
            self.remember(&touched);
            self.memory.carried = touched.folders;
            return None;
        }
        *burst = None;
        Some(touched)
    }

    /// Marks what is mounted anew; says whether anything is mounted otherwise than before.
    ///
    /// Its text does not tell: what is unmounted and mounted again may even get its former number. The kernel does
    /// (proc_pid_mounts(5): the file is ready with an error when something was mounted).
    fn remark(&mut self, follower: Option<&std::fs::File>, lookout: &Lookout<'_>) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let Some(follower) = follower else { return false };
        let mut one = [PollFd::new(follower, PollFlags::PRI)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        if !poll(&mut one, Some(&at_once)).is_ok_and(|count| count > 0) {
            return false;
        }
        let now = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
        self.watcher.mark(&parse_mounts(&now), lookout.policy());
        self.status.refused.clone_from(&self.watcher.refused);
        true
    }

    /// Says that it begins, and with what; and how long nobody watched before.
    fn begin(&mut self) -> Result<(), Failure> {
        let it = &self.status;
        let mut says = format!(
            "watches against baseline {}\nroot      {}\nkey       {}\nprogram   {}\nsettings  {}",
            it.baseline, it.root, it.key, it.program, it.configuration
        );
        let gap = self.status.alive;
        let was_cut_off = gap > 0 && !self.status.stopped && self.status.sequence > 0;
        if was_cut_off && !self.memory.has_begun {
            says.push_str(&format!(
                "\nthe one before did not end by itself: its last sign of life was {}, and nothing watched since",
                polder_report::moment(Timestamp(gap))
            ));
        }
        self.memory.has_begun = true;
        self.event("started", says)?;
        if let Some(says) = guard::warning() {
            self.event("problem", says)?;
        }
        for (place, because) in self.status.refused.clone() {
            self.event(
                "problem",
                format!("{place} is looked at from time to time only: {because}"),
            )?;
        }
        if let Some(because) = self.status.processes_problem.clone() {
            self.event("problem", format!("it is not always known who did something: {because}"))?;
        }
        self.status.stopped = false;
        self.sign();
        Ok(())
    }

    /// Looks at everything and tells what is new.
    fn sweep(&mut self, lookout: &mut Lookout<'_>) -> Result<Instant, Failure> {
        let now_here = Now::with_shared(self.watcher.mapped());
        // All content of a host may take an hour to read: it gives signs of life meanwhile.
        let beat = i64::try_from(self.rhythm.heartbeat.as_secs()).unwrap_or(60);
        let status = Mutex::new(self.status.clone());
        let signs = |_: u64, _: u64| {
            if let Ok(mut it) = status.try_lock()
                && now() - it.alive >= beat
            {
                it.alive = now();
                let _ = it.write(&self.state);
            }
        };
        let news = match lookout.sweep(now_here, &signs) {
            Ok(news) => news,
            // It goes on telling what is touched; that the host calls itself another is told, too.
            Err(error @ CheckError::Foreign { .. }) => {
                let says = error.to_string();
                if !self.memory.unseen.contains(&says) {
                    self.event("problem", says.clone())?;
                    self.memory.unseen.push(says);
                }
                return Ok(Instant::now());
            }
            Err(error) => return Err(Failure::look(error)),
        };
        self.status.swept = Some(now());
        let how = news.outcome.how.clone();
        self.status.standing = lookout.standing() as u64;
        self.tell(&news)?;
        self.problems(&how)?;
        self.memory.who.clear();
        self.sign();
        Ok(Instant::now())
    }

    /// What could not be seen at all is told, once as long as it stays so.
    fn problems(&mut self, how: &How) -> Result<(), Failure> {
        for it in &how.problems {
            if !self.memory.unseen.contains(it) {
                self.event("problem", format!("cannot be seen: {it}"))?;
            }
        }
        self.memory.unseen.clone_from(&how.problems);
        Ok(())
    }

    /// Reads the next part of all content.
    fn scrub(&mut self, lookout: &mut Lookout<'_>, passed: Duration) -> Result<(), Failure> {
        let Some(whole) = self.rhythm.scrub else { return Ok(()) };
        let share = passed.as_secs_f64() / whole.as_secs_f64().max(1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a number of folders, which is small and positive"
        )]
        let folders = (share * lookout.folders() as f64).ceil() as usize;
        let bytes = self.rhythm.read_bytes.saturating_mul(passed.as_secs().max(1));
        let (news, _, is_done) = lookout.scrub(folders.max(1), bytes).map_err(Failure::look)?;
        self.status.scrub_at = lookout.cursor();
        if is_done {
            self.status.scrubbed = Some(now());
        }
        self.tell(&news)
    }

    fn blind(&mut self, since: Instant) -> Result<(), Failure> {
        self.status.blind += 1;
        let says = format!(
            "more happened than could be read: what was touched in the last {:.1} s is not known; all is looked at now",
            since.elapsed().as_secs_f64()
        );
        self.event("blind", says)
    }

    fn seen_again(&mut self, since: Instant) -> Result<(), Failure> {
        let seconds = since.elapsed().as_secs_f64();
        self.status.blind_seconds += seconds;
        self.event(
            "blind",
            format!(
                "over: everything was looked at {seconds:.1} s after the last event that is known"
            ),
        )
    }

    /// Keeps who touched what until it is told.
    fn remember(&mut self, touched: &Touched) {
        for (path, Name { who, .. }) in by_path(&touched.folders) {
            if let Some(who) = who.clone().filter(|_| self.memory.who.len() < WHO_MAX) {
                self.memory.who.insert(path, who);
            }
        }
    }

    /// Who touched a path; nobody is named for what only came with something else.
    fn who(&self, path: &[u8], names: &Names) -> Option<WhoLine> {
        let process = self.memory.who.get(path)?;
        let program =
            |it: &Process| it.executable.as_ref().map(|it| printable(it.as_os_str().as_bytes()));
        let user = |uid: u32| names.users.get(&uid).cloned().unwrap_or_else(|| uid.to_string());
        let mut ancestors: Vec<String> =
            self.watcher.ancestors(process).iter().filter_map(|it| program(it)).collect();
        // A shell in a shell in a shell tells no more than one.
        ancestors.dedup();
        Some(WhoLine {
            pid: process.pid,
            executable: program(process),
            user: process.uid.map(user),
            login: process.login.map(user),
            session: process.session,
            ancestors,
        })
    }

    fn tell(&mut self, news: &News) -> Result<(), Failure> {
        if news.is_empty() {
            return Ok(());
        }
        let names = names_of(self.host, &news.outcome);
        let head = &self.generation.head;
        let keys = (&self.generation.root, &self.generation.key);
        let view = check_view(head, keys, &news.outcome, &names, Timestamp(now()));
        let (left, all) = (self.left_to_tell(), view.changes.len());
        let stays = view.changes.iter().filter(|it| it.weight == "stays").count();
        let most = TOLD_MAX.min(left.max(stays));
        let more = all.saturating_sub(most);
        self.memory.told_of_late += all.min(most);
        let told: BTreeSet<Vec<u8>> =
            view.changes.iter().take(most).map(|it| it.bytes.clone()).collect();
        // First what is told with others: after a kill in between, that folder is told, and they with it.
        self.with(&news.outcome.changes, &told)?;
        let of_path: HashMap<&[u8], &Change> =
            news.outcome.changes.iter().map(|it| (it.path.as_slice(), it)).collect();
        for line in view.changes.into_iter().take(most) {
            let change = of_path.get(line.bytes.as_slice()).copied();
            let who = change.and_then(|it| self.who(&it.path, &names));
            let mut event = self.empty("changed");
            event.fingerprint = change.map(|it| hexadecimal(&fingerprint(it)));
            event.path_bytes = change.map(|it| hexadecimal(&it.path));
            (event.who, event.change) = (who, Some(line));
            self.add(event)?;
        }
        if more > 0 {
            let says = format!("{more} more changes: `polder baseline check --all` shows them");
            self.event("more", says)?;
        }
        for it in &news.packages {
            let says = match &it.because {
                Some(because) => format!("{} {} proves nothing: {because}", it.name, it.to),
                None => format!("{} {}: {} changes are the vendor's", it.name, it.to, it.proved),
            };
            self.event("proved", polder_model::printable_str(&says))?;
        }
        let rest = news.again.iter().skip(TOLD_MAX);
        self.with_all(rest.map(|it| (hexadecimal(it), String::new())).collect())?;
        if let Some(more) = news.again.len().checked_sub(TOLD_MAX).filter(|it| *it > 0) {
            self.event("more", format!("{more} more are as they were again"))?;
        }
        for path in news.again.iter().take(TOLD_MAX) {
            let kind = if self.memory.is_new_baseline { "accepted" } else { "again" };
            let mut event = self.empty(kind);
            event.path_bytes = Some(hexadecimal(path));
            event.says = printable(path);
            self.add(event)?;
        }
        Ok(())
    }

    /// Writes down what was told with something else, so that a later run does not tell it again.
    fn with(&mut self, changes: &[Change], told: &BTreeSet<Vec<u8>>) -> Result<(), Failure> {
        let rest: Vec<(String, String)> = changes
            .iter()
            .filter(|it| !told.contains(&it.path))
            .map(|it| (hexadecimal(&it.path), hexadecimal(&fingerprint(it))))
            .collect();
        self.with_all(rest)
    }

    /// Writes down paths with how they end, or with nothing for those that are as they were again.
    fn with_all(&mut self, mut rest: Vec<(String, String)>) -> Result<(), Failure> {
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |it: &&(String, String)| {
                bytes += it.0.len() + it.1.len() + 8;
                bytes < WITH_BYTES_MAX
            };
            let count = rest.iter().take_while(fits).count().max(1);
            let mut event = self.empty("with");
            event.with = rest.drain(..count).collect();
            let value = serde_json::to_value(&event).map_err(Failure::internal)?;
            self.write_down(&value);
        }
        Ok(())
    }

    fn empty(&self, kind: &str) -> WatchEvent {
        WatchEvent {
            schema: "polder-event/1".into(),
            when: Timestamp(now()),
            host: self.status.host.clone(),
            kind: kind.into(),
            baseline: self.status.baseline,
            root: self.status.root.clone(),
            with: Vec::new(),
            change: None,
            fingerprint: None,
            path_bytes: None,
            who: None,
            says: String::new(),
        }
    }

    /// How many changes may still be told one by one in this minute.
    fn left_to_tell(&mut self) -> usize {
        let is_over = |since: Instant| since.elapsed() >= Duration::from_secs(60);
        if self.memory.minute.is_none_or(is_over) {
            self.memory.minute = Some(Instant::now());
            self.memory.told_of_late = 0;
        }
        TOLD_PER_MINUTE.saturating_sub(self.memory.told_of_late)
    }

    /// Tells something that has no file.
    pub(crate) fn event(&mut self, kind: &str, says: String) -> Result<(), Failure> {
        let mut event = self.empty(kind);
        event.says = says;
        self.add(event)
    }

    /// Writes an event down, then tells it. A journal that cannot be written and a reader that went away end
    /// nothing: what is told goes all other ways, and is written down when there is room again.
    fn add(&mut self, event: WatchEvent) -> Result<(), Failure> {
        let value = serde_json::to_value(&event).map_err(Failure::internal)?;
        self.write_down(&value);
        self.status.told += 1;
        if !self.globals.quiet && !self.memory.is_mute {
            let text = match self.as_json {
                true => format!("{value}\n"),
                false => event_text(&event),
            };
            self.memory.is_mute = output::print(&text).is_err();
        }
        self.delivery.event(StoredEvent { sequence: self.status.sequence, event: value });
        Ok(())
    }

    fn write_down(&mut self, value: &serde_json::Value) {
        let mut waiting = std::mem::take(&mut self.memory.unwritten);
        let was_empty = waiting.is_empty();
        waiting.push(value.clone());
        for (at, it) in waiting.iter().enumerate() {
            match self.journal.add(it) {
                Ok(sequence) => self.status.sequence = sequence,
                Err(error) => {
                    if was_empty {
                        let failure = Failure::look(error).hint("The watch goes on, and writes it down when there is room: see to room and rights of its folder");
                        output::say(&failure.text(false));
                    }
                    self.memory.unwritten = waiting.get(at..).unwrap_or_default().to_vec();
                    let more = self.memory.unwritten.len().saturating_sub(UNWRITTEN_MAX);
                    self.memory.unwritten.drain(..more);
                    return;
                }
            }
        }
    }

    /// Says that it ends on purpose.
    pub(crate) fn end(&mut self) -> Result<(), Failure> {
        self.event("stopped", "asked to end: nothing is watched from now on".into())?;
        self.status.stopped = true;
        self.sign();
        Ok(())
    }

    /// Gives a sign of life.
    pub(crate) fn sign(&mut self) {
        self.status.alive = now();
        if let Err(error) = self.status.write(&self.state) {
            output::say(&format!("warning: no sign of life can be written: {error}\n"));
        }
        self.delivery.heartbeat(serde_json::to_value(&*self.status).unwrap_or_default());
    }
}

/// What earlier runs told, and what still stands of it: a newer baseline that does not hold it does not explain it.
fn told(earlier: &Events) -> HashMap<Vec<u8>, [u8; 32]> {
    let mut all = HashMap::new();
    for it in &earlier.events {
        let Ok(event) = serde_json::from_value::<WatchEvent>(it.event.clone()) else { continue };
        for (path, ends) in &event.with {
            let Some(path) = parse(path) else { continue };
            match parse(ends).and_then(|it| it.try_into().ok()) {
                Some(digest) => drop(all.insert(path, digest)),
                None => drop(all.remove(&path)),
            }
        }
        let Some(path) = event.path_bytes.as_deref().and_then(parse) else { continue };
        match event.fingerprint.as_deref().and_then(parse).and_then(|it| it.try_into().ok()) {
            Some(digest) => drop(all.insert(path, digest)),
            None => drop(all.remove(&path)),
        }
    }
    all
}

/// What is missing at the end of the journal, by the last sign of life.
pub(crate) fn missing_end(status: &Status, events: &Events) -> Option<String> {
    let last = events.events.last().map_or(0, |it| it.sequence);
    let missing = status.sequence.saturating_sub(last);
    (missing > 0).then(|| {
        format!(
            "the last {missing} events of the journal are missing: somebody cut it or took it away"
        )
    })
}

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// The status of a watch that begins now, with what the one before left.
pub(crate) fn fresh_status(
    before: Option<Status>,
    host: &str,
    boot: &str,
    heartbeat: u64,
) -> Status {
    let own = std::process::id();
    Status {
        schema: "polder-watch/1".into(),
        host: host.into(),
        pid: own,
        begun: begun(own).unwrap_or(0),
        boot: boot.into(),
        started: now(),
        heartbeat_seconds: heartbeat,
        told: 0,
        blind: 0,
        blind_seconds: 0.0,
        swept: None,
        ..before.unwrap_or_default()
    }
}
