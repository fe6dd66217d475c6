//! `polder access watch`: gives back the single right that a refused statement needs.

use super::Globals;
use super::access::{carry_out, failed};
use crate::failure::Failure;
use crate::flags::AccessWatch;
use crate::operations::{Operations, all, folder};
use crate::{around, output};
use polder_access::postgresql::{self, LogPrefix, LogReader, log_place, user_of};
use polder_access::sql::{Dialect, shape};
use polder_access::{
    AccessError, Ambient, Piece, RefusedStatement, Verdict, lines, mariadb, redis, sqlite,
};
use polder_apply::{Operation, Phase, State};
use polder_model::{Change, printable_str};
use polder_store::Store;
use serde_json::json;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often the log is looked at.
const TURN: Duration = Duration::from_millis(200);

/// How long to wait before a server that went away is asked again.
const AGAIN: Duration = Duration::from_secs(2);

/// Rights that are given back within an hour; more look like somebody who tries things out.
const GIVEN_BACK_MAX: usize = 20;
const HOUR: Duration = Duration::from_secs(3600);

/// How long a kind of statement is not told again, and how many kinds are remembered.
const AGAIN_TOLD: Duration = Duration::from_secs(10);
const TOLD_MAX: usize = 10_000;

/// How often the server is asked whether it writes elsewhere now.
const ASK_PLACE: Duration = Duration::from_secs(5);

/// Longest line that is put together.
const LINE_BYTES_MAX: usize = 4 << 20;

/// Bytes read of a log in one turn; what a flood brings more is read in the next.
const READ_BYTES_MAX: u64 = 4 << 20;

/// Operations looked through for what was taken from the account.
const LOOKED_THROUGH: u32 = 200;

pub(super) fn run(flags: &AccessWatch, globals: &Globals) -> Result<u8, Failure> {
    let (desk, account) = Desk::open(flags)?;
    let taken = taken(&account, &desk, globals)?;
    if taken.is_empty() && !flags.only_tell {
        let text = format!("nothing was taken from `{account}` by `polder access apply`");
        return Err(Failure::usage(printable_str(&text))
            .hint("Without that there is nothing to give back; `--only-tell` tells of refusals all the same"));
    }
    let duty =
        Duty { flags, globals, account, desk, taken, given: VecDeque::new(), told: HashMap::new() };
    match &duty.desk {
        Desk::Postgresql { .. } => by_log(duty),
        Desk::Mariadb { .. } => by_memory(duty, "in what the server remembers of statements"),
        Desk::Redis { .. } => by_memory(duty, "in the server's log of refusals"),
    }
}

/// Ends the watch when it is asked to.
fn stops() -> Result<Arc<AtomicBool>, Failure> {
    let stops = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stops)).map_err(Failure::look)?;
    }
    Ok(stops)
}

/// Watches the log of a server.
fn by_log(mut duty: Duty<'_>) -> Result<u8, Failure> {
    let flags = duty.flags;
    let (place, setting) = duty.place_and_prefix()?;
    let place = flags.log.clone().or(place).ok_or_else(|| {
        Failure::look("the server does not say where its log is").hint("Name it with `--log FILE`")
    })?;
    let prefix = LogPrefix::parse(&setting);
    if !prefix.tells_user() {
        return Err(Failure::look("the log does not say who sends statements")
            .hint("Put `%u` or `%p` into `log_line_prefix`"));
    }
    let mut tail = Tail::open(&place)?;
    let stops = stops()?;
    duty.begins(&format!("in `{}`", place.display()));
    let mut reader = LogReader::new(prefix);
    let mut asked = Instant::now();
    while !stops.load(Ordering::Relaxed) {
        let text = tail.read()?;
        let mut refused = reader.feed(&text);
        if text.is_empty() {
            refused.extend(reader.end());
        }
        for it in refused {
            duty.look_at(&it)?;
        }
        if text.is_empty() {
            std::thread::sleep(TURN);
            if flags.log.is_none() && asked.elapsed() >= ASK_PLACE {
                asked = Instant::now();
                if let Some(place) = duty.place() {
                    tail.go_to(&place);
                }
            }
        }
    }
    Ok(0)
}

/// Watches what a server remembers of refusals.
fn by_memory(mut duty: Duty<'_>, place: &str) -> Result<u8, Failure> {
    let stops = stops()?;
    let mut has_begun = false;
    while !stops.load(Ordering::Relaxed) {
        match duty.desk.refusals() {
            Ok(found) => {
                for it in found {
                    duty.look_at(&it)?;
                }
            }
            Err(error) if has_begun => duty.missed(error),
            Err(error) => return Err(failed(error)),
        }
        if !has_begun {
            duty.begins(place);
            has_begun = true;
        }
        std::thread::sleep(TURN);
    }
    Ok(0)
}

/// Where refusals are judged: a server, and a connection as long as there is one.
enum Desk {
    Postgresql {
        target: postgresql::Target,
        session: Option<postgresql::Session>,
    },
    Mariadb {
        target: mariadb::Target,
        session: Option<mariadb::Session>,
        refusals: mariadb::Refusals,
    },
    Redis {
        target: redis::Target,
        session: Option<redis::Session>,
        refusals: redis::Refusals,
    },
}

impl Desk {
    /// Connects; answers the whole name of the account, too.
    fn open(flags: &AccessWatch) -> Result<(Self, String), Failure> {
        let around = around::ambient();
        let said = &flags.server.server;
        if sqlite::is_said(said) {
            return Err(Failure::usage("SQLite says nobody who was refused").hint(
                "`polder watch` tells of changed files; `polder undo` gives the old modes back",
            ));
        }
        if mariadb::Target::is_said(said) {
            let mut target = mariadb::Target::parse(said, &around).map_err(failed)?;
            target.database = flags.server.database.clone().or(target.database);
            let mut session = mariadb::Session::connect(&target).map_err(failed)?;
            let rights = mariadb::Rights::read(&mut session, &flags.account).map_err(failed)?;
            let account = rights.account.to_string();
            let refusals = mariadb::Refusals::default();
            return Ok((Self::Mariadb { target, session: Some(session), refusals }, account));
        }
        if redis::Target::is_said(said) {
            let target = redis::Target::parse(said, &around).map_err(failed)?;
            let mut session = redis::Session::connect(&target).map_err(failed)?;
            redis::Rules::read(&mut session, &flags.account).map_err(failed)?;
            let refusals = redis::Refusals::default();
            let it = Self::Redis { target, session: Some(session), refusals };
            return Ok((it, flags.account.clone()));
        }
        let mut target = postgresql::Target::parse(said, &around).map_err(failed)?;
        if let Some(database) = &flags.server.database {
            target = target.database(database);
        }
        let session = postgresql::Session::connect(&target).map_err(failed)?;
        Ok((Self::Postgresql { target, session: Some(session) }, flags.account.clone()))
    }

    fn said(&self) -> String {
        match self {
            Self::Postgresql { target, .. } => target.said(),
            Self::Mariadb { target, .. } => target.said(),
            Self::Redis { target, .. } => target.said(),
        }
    }

    /// Whether that is the same server, and the same database where that matters. Who connected then may be somebody else than
    /// who does now.
    fn is(&self, said: &str) -> bool {
        let around = Ambient::default();
        match self {
            Self::Postgresql { target, .. } => {
                let then = postgresql::Target::parse(said, &around);
                then.is_ok_and(|it| it.place() == target.place())
            }
            Self::Mariadb { target, .. } => {
                let then = mariadb::Target::parse(said, &around);
                mariadb::Target::is_said(said) && then.is_ok_and(|it| it.place() == target.place())
            }
            Self::Redis { target, .. } => {
                let then = redis::Target::parse(said, &around);
                redis::Target::is_said(said) && then.is_ok_and(|it| it.place() == target.place())
            }
        }
    }

    fn forget(&mut self) {
        match self {
            Self::Postgresql { session, .. } => *session = None,
            Self::Mariadb { session, .. } => *session = None,
            Self::Redis { session, .. } => *session = None,
        }
    }

    fn dialect(&self) -> Dialect {
        match self {
            Self::Postgresql { .. } => Dialect::Postgresql,
            Self::Mariadb { .. } | Self::Redis { .. } => Dialect::MARIADB,
        }
    }

    /// What was refused since the last time.
    fn refusals(&mut self) -> Result<Vec<RefusedStatement>, AccessError> {
        match self {
            Self::Postgresql { .. } => Ok(Vec::new()),
            Self::Mariadb { target, session, refusals } => {
                refusals.next(ready(session, || mariadb::Session::connect(target))?)
            }
            Self::Redis { target, session, refusals } => {
                refusals.next(ready(session, || redis::Session::connect(target))?)
            }
        }
    }

    /// Judges a refusal of the account; nothing if it is somebody else's.
    fn judge(
        &mut self,
        account: &str,
        taken: &BTreeSet<Piece>,
        refused: &RefusedStatement,
    ) -> Result<Option<Verdict>, AccessError> {
        match self {
            Self::Postgresql { target, session } => {
                let session = ready(session, || postgresql::Session::connect(target))?;
                let user = match (&refused.user, refused.pid) {
                    (Some(user), _) => Some(user.clone()),
                    (None, Some(pid)) => user_of(session, pid)?,
                    (None, None) => None,
                };
                let is_elsewhere =
                    refused.database.as_ref().is_some_and(|it| *it != target.database);
                // Whose process has ended already may have been anybody.
                let is_unknown =
                    user.is_none() || (refused.database.is_none() && refused.user.is_some());
                if user.is_some_and(|it| it != account) || is_elsewhere {
                    return Ok(None);
                }
                let taken = Piece::postgresql(taken);
                let mut verdict = postgresql::judge(session, account, &taken, refused)?;
                if is_unknown {
                    verdict.leave(
                        "the log does not say who it was: put `%u@%d` into `log_line_prefix`",
                    );
                }
                Ok(Some(verdict))
            }
            Self::Mariadb { target, session, .. } => {
                let session = ready(session, || mariadb::Session::connect(target))?;
                match mariadb::is_of(session, account, refused)? {
                    Some(false) => Ok(None),
                    is_known => {
                        let taken = Piece::mariadb(taken);
                        let mut verdict = mariadb::judge(session, account, &taken, refused)?;
                        if is_known.is_none() {
                            verdict.leave(
                                "the connection ended, and the server does not say whose it was",
                            );
                        }
                        Ok(Some(verdict))
                    }
                }
            }
            Self::Redis { target, session, .. } => {
                let session = ready(session, || redis::Session::connect(target))?;
                if refused.user.as_deref() != Some(account) {
                    return Ok(None);
                }
                redis::judge(session, account, &Piece::redis(taken), refused).map(Some)
            }
        }
    }
}

/// The connection that is there, or a new one.
fn ready<T>(
    session: &mut Option<T>,
    connect: impl FnOnce() -> Result<T, AccessError>,
) -> Result<&mut T, AccessError> {
    match session {
        Some(session) => Ok(session),
        none => Ok(none.insert(connect()?)),
    }
}

/// What `polder access apply` took from the account and is not taken back, on this server.
fn taken(account: &str, desk: &Desk, globals: &Globals) -> Result<BTreeSet<Piece>, Failure> {
    let store = Store::open(&folder(globals)?).map_err(Failure::look)?;
    let mut taken = BTreeSet::new();
    for known in all(&store, LOOKED_THROUGH)? {
        if known.phase != Phase::Applied {
            continue;
        }
        for it in &known.operation.changes {
            let Change::AccountRights { server, account: whose } = &it.change else { continue };
            let (State::Rights { so: before, .. }, State::Rights { so: after, .. }) =
                (&it.before, &it.after)
            else {
                continue;
            };
            if whose == account && desk.is(server) {
                taken.extend(before.difference(after).cloned());
            }
        }
    }
    Ok(taken)
}

/// The end of a file that grows, and may be exchanged for another.
struct Tail {
    path: PathBuf,
    file: File,
    /// The beginning of a line that has not ended yet.
    rest: Vec<u8>,
}

impl Tail {
    fn open(path: &Path) -> Result<Self, Failure> {
        let mut file = Self::file(path)?;
        file.seek(SeekFrom::End(0)).map_err(Failure::look)?;
        Ok(Self { path: path.into(), file, rest: Vec::new() })
    }

    fn file(path: &Path) -> Result<File, Failure> {
        File::open(path).map_err(|error| {
            Failure::look(format!("cannot read the log `{}`: {error}", path.display()))
                .hint("Run it as somebody who may, or name another with `--log FILE`")
        })
    }

    /// Whole lines that are new.
    fn read(&mut self) -> Result<String, Failure> {
        let mut bytes = Vec::new();
        (&self.file).take(READ_BYTES_MAX).read_to_end(&mut bytes).map_err(Failure::look)?;
        if bytes.is_empty() {
            self.follow();
        }
        let Some(end) = bytes.iter().rposition(|it| *it == b'\n') else {
            self.rest.extend(bytes);
            // No line of a log is that long.
            if self.rest.len() > LINE_BYTES_MAX {
                self.rest.clear();
            }
            return Ok(String::new());
        };
        let rest = bytes.split_off(end + 1);
        let mut whole = std::mem::replace(&mut self.rest, rest);
        whole.extend(bytes);
        Ok(String::from_utf8_lossy(&whole).into_owned())
    }

    /// Goes on with another file, from its beginning.
    fn go_to(&mut self, path: &Path) {
        if path != self.path
            && let Ok(file) = File::open(path)
        {
            (self.path, self.file) = (path.into(), file);
            self.rest.clear();
        }
    }

    /// Goes on with the file that took its place, from its beginning.
    fn follow(&mut self) {
        let (Ok(now), Ok(mine)) = (self.path.metadata(), self.file.metadata()) else { return };
        let at = self.file.stream_position().unwrap_or(0);
        let is_other = now.ino() != mine.ino() || now.dev() != mine.dev() || now.len() < at;
        if is_other && let Ok(file) = File::open(&self.path) {
            self.file = file;
            self.rest.clear();
        }
    }
}

struct Duty<'a> {
    flags: &'a AccessWatch,
    globals: &'a Globals,
    account: String,
    desk: Desk,
    taken: BTreeSet<Piece>,
    given: VecDeque<Instant>,
    /// Kinds of statements that were told, and when.
    told: HashMap<String, Instant>,
}

impl Duty<'_> {
    fn begins(&self, place: &str) {
        if !self.globals.quiet {
            let account = printable_str(&self.account);
            output::say(&format!("Watching `{account}` {place}\n"));
        }
    }

    /// Where the server writes its log, and how its lines begin.
    fn place_and_prefix(&mut self) -> Result<(Option<PathBuf>, String), Failure> {
        let Desk::Postgresql { session: Some(session), .. } = &mut self.desk else {
            return Ok((None, String::new()));
        };
        log_place(session).map_err(failed)
    }

    /// Where the server writes its log now, if it says so.
    fn place(&mut self) -> Option<PathBuf> {
        let Desk::Postgresql { session, .. } = &mut self.desk else { return None };
        match log_place(session.as_mut()?) {
            Ok((place, _)) => place,
            Err(_) => {
                self.desk.forget();
                None
            }
        }
    }

    /// What is not judged now is refused again, and judged then.
    fn missed(&mut self, error: AccessError) {
        self.desk.forget();
        match error {
            AccessError::Gone { .. } | AccessError::Connect { .. } => {
                output::say("The server went away; trying again\n");
                std::thread::sleep(AGAIN);
            }
            // One statement that cannot be judged does not end the watch.
            error => output::say(&failed(error).text(false)),
        }
    }

    fn look_at(&mut self, refused: &RefusedStatement) -> Result<(), Failure> {
        // A flood of one kind is told once in a while.
        let kind = shape(&refused.statement, self.desk.dialect());
        self.told.retain(|_, at| at.elapsed() < AGAIN_TOLD);
        if self.told.contains_key(&kind) {
            return Ok(());
        }
        let answer = self.desk.judge(&self.account, &self.taken, refused);
        if matches!(&answer, Ok(Some(verdict)) if verdict.gives.is_empty())
            && self.told.len() < TOLD_MAX
        {
            self.told.insert(kind, Instant::now());
        }
        match answer {
            Ok(Some(verdict)) => self.carry(verdict),
            Ok(None) => Ok(()),
            Err(error) => {
                self.missed(error);
                Ok(())
            }
        }
    }

    /// Gives back what may be given back, and tells.
    fn carry(&mut self, mut verdict: Verdict) -> Result<(), Failure> {
        self.given.retain(|it| it.elapsed() < HOUR);
        let many = self.given.len() + verdict.gives.len() > GIVEN_BACK_MAX;
        let reason = match (self.flags.only_tell, many) {
            (true, _) => Some("only to be told".to_string()),
            (false, true) => Some(format!("more than {GIVEN_BACK_MAX} within an hour")),
            (false, false) => None,
        };
        if let Some(reason) = reason {
            verdict.leave(&reason);
        }
        let mut id = None;
        if !verdict.gives.is_empty() {
            let pieces = verdict.pieces();
            let title = format!("give {} back: {}", lines(&pieces).join("; "), verdict.statement);
            let operation = Operation::rights(
                &self.desk.said(),
                &self.account,
                printable_str(&title),
                &verdict.before,
                &pieces,
            );
            let mut operations = Operations::open_own(self.globals)?;
            match carry_out(&mut operations, &operation) {
                Ok(made) => id = Some(made),
                // It is refused again, and judged anew.
                Err(failure) => {
                    output::say(&failure.text(false));
                    return Ok(());
                }
            }
            self.given.extend(verdict.gives.iter().map(|_| Instant::now()));
        }
        self.tell(&verdict, id)
    }

    fn tell(&self, verdict: &Verdict, id: Option<i64>) -> Result<(), Failure> {
        if self.flags.json {
            let value = json!({
                "schema": "polder-access-refusal/1", "account": self.account, "operation": id,
                "says": verdict.says, "statement": verdict.statement, "because": verdict.because,
                "given_back": verdict.gives.iter().map(|it| &it.0).collect::<Vec<_>>(),
                "left": verdict.leaves,
            });
            return output::print(&format!("{value}\n"));
        }
        let mut text = format!(
            "Refused: {}: {}\n",
            printable_str(&verdict.says),
            printable_str(&verdict.statement)
        );
        for (atom, _) in &verdict.gives {
            text.push_str(&format!("  given back: {}\n", printable_str(atom)));
        }
        for (atom, why) in &verdict.leaves {
            text.push_str(&format!(
                "  not given back: {}: {}\n",
                printable_str(atom),
                printable_str(why)
            ));
        }
        if let Some(because) = &verdict.because {
            text.push_str(&format!("  cannot be told: {}\n", printable_str(because)));
        }
        if let Some(id) = id {
            text.push_str(&format!("  undo: polder undo {id}\n"));
        } else if !verdict.leaves.is_empty() {
            text.push_str("  If the application needs it, a person grants it; if not, somebody is trying things out.\n");
        }
        output::print(&text)
    }
}
