//! `polder access watch`: gives back the single right that a refused statement needs.

use super::Globals;
use super::access::{carry_out, connect, failed};
use crate::failure::Failure;
use crate::flags::AccessWatch;
use crate::operations::{Operations, all, folder};
use crate::output;
use polder_access::AccessError;
use polder_access::postgresql::{
    Ambient, LogPrefix, LogReader, Piece, RefusedStatement, Session, Target, Verdict, judge, lines,
    log_place, user_of,
};
use polder_access::sql::{Dialect, shape};
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
    let (mut session, target) = connect(&flags.server)?;
    let taken = taken(&flags.account, &target, globals)?;
    if taken.is_empty() && !flags.only_tell {
        let text = format!("nothing was taken from `{}` by `polder access apply`", flags.account);
        return Err(Failure::usage(text)
            .hint("Without that there is nothing to give back; `--only-tell` tells of refusals all the same"));
    }
    let (place, setting) = log_place(&mut session).map_err(failed)?;
    let place = flags.log.clone().or(place).ok_or_else(|| {
        Failure::look("the server does not say where its log is").hint("Name it with `--log FILE`")
    })?;
    let prefix = LogPrefix::parse(&setting);
    if !prefix.tells_user() {
        return Err(Failure::look("the log does not say who sends statements")
            .hint("Put `%u` or `%p` into `log_line_prefix`"));
    }
    let mut tail = Tail::open(&place)?;
    let stops = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stops)).map_err(Failure::look)?;
    }
    if !globals.quiet {
        let account = printable_str(&flags.account);
        output::say(&format!("Watching `{account}` in `{}`\n", place.display()));
    }
    let mut duty = Duty {
        flags,
        globals,
        target,
        session: Some(session),
        taken,
        given: VecDeque::new(),
        told: HashMap::new(),
    };
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

/// What `polder access apply` took from the account and is not taken back, on this server.
fn taken(account: &str, target: &Target, globals: &Globals) -> Result<BTreeSet<Piece>, Failure> {
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
            // Who connected then may be somebody else than who does now.
            let then = Target::parse(server, &Ambient::default());
            let is_here = then.is_ok_and(|it| it.place() == target.place());
            if whose == account && is_here {
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
    target: Target,
    session: Option<Session>,
    taken: BTreeSet<Piece>,
    given: VecDeque<Instant>,
    /// Kinds of statements that were told, and when.
    told: HashMap<String, Instant>,
}

impl Duty<'_> {
    /// Where the server writes its log now, if it says so.
    fn place(&mut self) -> Option<PathBuf> {
        let answer = log_place(self.session.as_mut()?);
        match answer {
            Ok((place, _)) => place,
            Err(_) => {
                self.session = None;
                None
            }
        }
    }

    fn look_at(&mut self, refused: &RefusedStatement) -> Result<(), Failure> {
        // A flood of one kind is told once in a while.
        let kind = shape(&refused.statement, Dialect::Postgresql);
        self.told.retain(|_, at| at.elapsed() < AGAIN_TOLD);
        if self.told.contains_key(&kind) {
            return Ok(());
        }
        let answer = self.judge(refused);
        if matches!(&answer, Ok(Some(verdict)) if verdict.gives.is_empty())
            && self.told.len() < TOLD_MAX
        {
            self.told.insert(kind, Instant::now());
        }
        match answer {
            Ok(Some(verdict)) => self.carry(verdict),
            Ok(None) => Ok(()),
            // What is not judged now is refused again, and judged then.
            Err(AccessError::Gone { .. } | AccessError::Connect { .. }) => {
                self.session = None;
                output::say("The server went away; trying again\n");
                std::thread::sleep(AGAIN);
                Ok(())
            }
            // One statement that cannot be judged does not end the watch.
            Err(error) => {
                output::say(&failed(error).text(false));
                self.session = None;
                Ok(())
            }
        }
    }

    fn judge(&mut self, refused: &RefusedStatement) -> Result<Option<Verdict>, AccessError> {
        if self.session.is_none() {
            self.session = Some(Session::connect(&self.target)?);
        }
        let Some(session) = &mut self.session else { return Ok(None) };
        let user = match (&refused.user, refused.pid) {
            (Some(user), _) => Some(user.clone()),
            (None, Some(pid)) => user_of(session, pid)?,
            (None, None) => None,
        };
        let is_elsewhere = refused.database.as_ref().is_some_and(|it| *it != self.target.database);
        // Whose process has ended already may have been anybody.
        let is_unknown = user.is_none() || (refused.database.is_none() && refused.user.is_some());
        let is_other = user.is_some_and(|it| it != self.flags.account);
        if is_other || is_elsewhere {
            return Ok(None);
        }
        let mut verdict = judge(session, &self.flags.account, &self.taken, refused)?;
        if is_unknown {
            let gives = std::mem::take(&mut verdict.gives);
            let because = "the log does not say who it was: put `%u@%d` into `log_line_prefix`";
            verdict.leaves.extend(gives.into_iter().map(|it| (it, because.to_string())));
        }
        Ok(Some(verdict))
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
            let gives = std::mem::take(&mut verdict.gives);
            verdict.leaves.extend(gives.into_iter().map(|it| (it, reason.clone())));
        }
        let mut id = None;
        if !verdict.gives.is_empty() {
            let title = format!(
                "give {} back: {}",
                lines(&verdict.pieces(&self.flags.account)).join("; "),
                verdict.statement
            );
            let operation = Operation::rights(
                &self.target.said(),
                &self.flags.account,
                printable_str(&title),
                &BTreeSet::new(),
                &verdict.pieces(&self.flags.account),
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
                "schema": "polder-access-refusal/1", "account": self.flags.account, "operation": id,
                "says": verdict.says, "statement": verdict.statement, "because": verdict.because,
                "given_back": verdict.gives.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "left": verdict.leaves.iter().map(|(it, why)| json!([it.to_string(), why])).collect::<Vec<_>>(),
            });
            return output::print(&format!("{value}\n"));
        }
        let mut text = format!("Refused: {}: {}\n", verdict.says, verdict.statement);
        for atom in &verdict.gives {
            text.push_str(&format!("  given back: {atom}\n"));
        }
        for (atom, why) in &verdict.leaves {
            text.push_str(&format!("  not given back: {atom}: {why}\n"));
        }
        if let Some(because) = &verdict.because {
            text.push_str(&format!("  cannot be told: {because}\n"));
        }
        if let Some(id) = id {
            text.push_str(&format!("  undo: polder undo {id}\n"));
        } else if !verdict.leaves.is_empty() {
            text.push_str("  If the application needs it, a person grants it; if not, somebody is trying things out.\n");
        }
        let lines: Vec<String> = text.lines().map(printable_str).collect();
        output::print(&format!("{}\n", lines.join("\n")))
    }
}
