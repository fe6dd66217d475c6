//! A host as it was: every question that was asked of it, with its answer.

use crate::host::{Entry, ErrorKind, Host, HostError, Identity, Stat};
use crate::{Ask, BuildNotes, Output, Owners, Program, Stanzas, Sweep};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// One question.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Question {
    /// Content of a file.
    Read(PathBuf),
    /// Entries of a folder.
    List(PathBuf),
    /// Owner and mode, links followed.
    Stat(PathBuf),
    /// Owner and mode, links not followed.
    StatLink(PathBuf),
    /// Target of a link.
    ReadLink(PathBuf),
    /// Answer of a program.
    Run(Program),
    /// Answer of a service.
    Ask(Ask),
    /// The walk.
    Sweep,
    /// Stanzas of an index.
    Stanzas(PathBuf),
    /// Notes of a program.
    BuildNotes(PathBuf),
}

impl Question {
    fn shown(&self) -> String {
        match self {
            Self::Read(path)
            | Self::List(path)
            | Self::Stat(path)
            | Self::StatLink(path)
            | Self::ReadLink(path)
            | Self::BuildNotes(path)
            | Self::Stanzas(path) => polder_model::printable(path.as_os_str().as_encoded_bytes()),
            Self::Run(program) => program.shown().into(),
            Self::Ask(ask) => ask.shown(),
            Self::Sweep => "the walk of the file systems".into(),
        }
    }
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Content of a file, or what a service said.
    Bytes(Vec<u8>),
    /// Entries of a folder.
    Entries(Vec<Entry>),
    /// Owner and mode.
    Stat(Stat),
    /// Target of a link.
    Link(PathBuf),
    /// Answer of a program.
    Output(Output),
    /// The walk.
    Sweep(Sweep),
    /// Stanzas of an index.
    Stanzas(Stanzas),
    /// Notes of a program.
    BuildNotes(BuildNotes),
    /// There was none.
    Error(HostError),
}

/// A host that is no longer there, or never was: its answers are all there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedHost {
    /// Who looked, and when.
    pub identity: Identity,
    /// Every question with its answer.
    pub answers: BTreeMap<Question, Answer>,
    /// Package owners of the paths that were asked for.
    pub owners: BTreeMap<String, Option<String>>,
}

impl RecordedHost {
    /// A host that knows nothing yet.
    pub fn empty(identity: Identity) -> Self {
        Self { identity, answers: BTreeMap::new(), owners: BTreeMap::new() }
    }

    /// A host on which everything that is not there is known to be absent: for cases and tests.
    ///
    /// `files` are paths with their content; the folders that lead to them exist.
    pub fn of_files<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> FileHost {
        let mut host =
            FileHost { inner: Self::empty(Identity { now: 1_790_000_000, uid: 0, running: true }) };
        for (path, content) in files {
            host.file(path, content);
        }
        host
    }

    fn answer(&self, question: &Question) -> Result<&Answer, HostError> {
        match self.answers.get(question) {
            Some(Answer::Error(error)) => Err(error.clone()),
            Some(answer) => Ok(answer),
            None => Err(not_recorded(question)),
        }
    }
}

fn not_recorded(question: &Question) -> HostError {
    HostError::new(ErrorKind::NotRecorded, question.shown(), "the recording does not hold this")
}

macro_rules! expect_answer {
    ($self:ident, $question:expr, $variant:ident) => {{
        let question = $question;
        match $self.answer(&question)? {
            Answer::$variant(value) => Ok(value.clone()),
            _ => Err(not_recorded(&question)),
        }
    }};
}

impl Host for RecordedHost {
    fn identity(&self) -> Identity {
        self.identity
    }
    fn read(&self, path: &Path, bytes_max: u64) -> Result<Vec<u8>, HostError> {
        let bytes: Vec<u8> = expect_answer!(self, Question::Read(path.into()), Bytes)?;
        if bytes.len() as u64 > bytes_max {
            let because = format!("larger than {bytes_max} bytes");
            return Err(HostError::new(ErrorKind::TooLarge, path.display().to_string(), because));
        }
        Ok(bytes)
    }
    fn list(&self, path: &Path) -> Result<Vec<Entry>, HostError> {
        expect_answer!(self, Question::List(path.into()), Entries)
    }
    fn stat(&self, path: &Path) -> Result<Stat, HostError> {
        expect_answer!(self, Question::Stat(path.into()), Stat)
    }
    fn stat_link(&self, path: &Path) -> Result<Stat, HostError> {
        expect_answer!(self, Question::StatLink(path.into()), Stat)
    }
    fn read_link(&self, path: &Path) -> Result<PathBuf, HostError> {
        expect_answer!(self, Question::ReadLink(path.into()), Link)
    }
    fn run(&self, program: Program) -> Result<Output, HostError> {
        expect_answer!(self, Question::Run(program), Output)
    }
    fn ask(&self, ask: &Ask) -> Result<Vec<u8>, HostError> {
        expect_answer!(self, Question::Ask(ask.clone()), Bytes)
    }
    fn sweep(&self) -> Result<Sweep, HostError> {
        expect_answer!(self, Question::Sweep, Sweep)
    }
    fn stanzas(&self, path: &Path, names: &BTreeSet<String>) -> Result<Stanzas, HostError> {
        let stanzas: Stanzas = expect_answer!(self, Question::Stanzas(path.into()), Stanzas)?;
        // The same question may be asked for fewer names than were recorded.
        let text = stanzas
            .text
            .split_inclusive("\n\n")
            .filter(|it| {
                let name = it.lines().find_map(|line| line.strip_prefix("Package: "));
                name.is_none_or(|name| names.contains(name))
            })
            .collect();
        Ok(Stanzas { text, ..stanzas })
    }
    fn build_notes(&self, path: &Path) -> Result<BuildNotes, HostError> {
        expect_answer!(self, Question::BuildNotes(path.into()), BuildNotes)
    }
    fn owners(&self, paths: &BTreeSet<String>) -> Result<Owners, HostError> {
        let mut owners = Owners::default();
        for path in paths {
            match self.owners.get(path) {
                Some(Some(package)) => {
                    owners.owned.insert(path.clone(), package.clone());
                }
                Some(None) => {}
                None => {
                    owners.unknown.insert(path.clone());
                }
            }
        }
        if self.owners.is_empty() && !paths.is_empty() {
            return Err(HostError::new(
                ErrorKind::NotRecorded,
                "package owners",
                "the recording does not hold this",
            ));
        }
        Ok(owners)
    }
}

/// A made-up host of a few files, on which everything else is absent rather than unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileHost {
    /// The files and what else was given.
    pub inner: RecordedHost,
}

impl FileHost {
    /// Adds a file owned by root with mode 644; its secrets are replaced as at the real door.
    pub fn file(&mut self, path: &str, content: &str) -> &mut Self {
        self.file_with(path, content, 0o644, 0, 0)
    }

    /// Adds a file with its mode and owner.
    pub fn file_with(
        &mut self,
        path: &str,
        content: &str,
        mode: u32,
        uid: u32,
        gid: u32,
    ) -> &mut Self {
        let path_ = Path::new(path);
        let bytes = crate::redact::content(path_, content.as_bytes().to_vec());
        let stat = Stat {
            kind: crate::Kind::File,
            mode,
            uid,
            gid,
            bytes: bytes.len() as u64,
            modified: self.inner.identity.now,
            changed: self.inner.identity.now,
            inode: self.inner.answers.len() as u64 + 2,
        };
        self.entry(path_, stat);
        self.inner.answers.insert(Question::Read(path.into()), Answer::Bytes(bytes));
        self
    }

    /// Adds a symbolic link.
    pub fn link(&mut self, path: &str, target: &str) -> &mut Self {
        let stat = Stat {
            kind: crate::Kind::Link,
            mode: 0o777,
            uid: 0,
            gid: 0,
            bytes: 0,
            modified: self.inner.identity.now,
            changed: self.inner.identity.now,
            inode: self.inner.answers.len() as u64 + 2,
        };
        self.entry(Path::new(path), stat);
        self.inner.answers.insert(Question::ReadLink(path.into()), Answer::Link(target.into()));
        self
    }

    /// Adds an answer of any kind.
    pub fn answer(&mut self, question: Question, answer: Answer) -> &mut Self {
        self.inner.answers.insert(question, answer);
        self
    }

    fn entry(&mut self, path: &Path, stat: Stat) {
        self.inner.answers.insert(Question::StatLink(path.into()), Answer::Stat(stat));
        self.inner.answers.insert(Question::Stat(path.into()), Answer::Stat(stat));
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return };
        let entry = Entry { name: name.into(), kind: stat.kind };
        let slot = self
            .inner
            .answers
            .entry(Question::List(parent.into()))
            .or_insert_with(|| Answer::Entries(Vec::new()));
        if let Answer::Entries(entries) = slot
            && let Err(at) = entries.binary_search(&entry)
        {
            entries.insert(at, entry);
        }
        if !self.inner.answers.contains_key(&Question::StatLink(parent.into())) {
            let folder = Stat { kind: crate::Kind::Folder, mode: 0o755, uid: 0, gid: 0, ..stat };
            self.entry(parent, folder);
        }
    }

    fn absent<T>(answer: Result<T, HostError>) -> Result<T, HostError> {
        answer.map_err(|error| match error.kind {
            ErrorKind::NotRecorded => {
                HostError::new(ErrorKind::NotFound, error.what, "no such file or directory")
            }
            _ => error,
        })
    }
}

impl Host for FileHost {
    fn identity(&self) -> Identity {
        self.inner.identity
    }
    fn read(&self, path: &Path, bytes_max: u64) -> Result<Vec<u8>, HostError> {
        Self::absent(self.inner.read(path, bytes_max))
    }
    fn list(&self, path: &Path) -> Result<Vec<Entry>, HostError> {
        Self::absent(self.inner.list(path))
    }
    fn stat(&self, path: &Path) -> Result<Stat, HostError> {
        Self::absent(self.inner.stat(path))
    }
    fn stat_link(&self, path: &Path) -> Result<Stat, HostError> {
        Self::absent(self.inner.stat_link(path))
    }
    fn read_link(&self, path: &Path) -> Result<PathBuf, HostError> {
        Self::absent(self.inner.read_link(path))
    }
    fn run(&self, program: Program) -> Result<Output, HostError> {
        Self::absent(self.inner.run(program))
    }
    fn ask(&self, ask: &Ask) -> Result<Vec<u8>, HostError> {
        Self::absent(self.inner.ask(ask))
    }
    fn sweep(&self) -> Result<Sweep, HostError> {
        Ok(self.inner.sweep().unwrap_or_default())
    }
    fn stanzas(&self, path: &Path, names: &BTreeSet<String>) -> Result<Stanzas, HostError> {
        // A plain index may simply be given as a file.
        match self.inner.answers.get(&Question::Read(path.into())) {
            Some(Answer::Bytes(bytes)) => {
                crate::index::read(path, &path.display().to_string(), &bytes[..], names)
            }
            _ => Self::absent(self.inner.stanzas(path, names)),
        }
    }
    fn build_notes(&self, path: &Path) -> Result<BuildNotes, HostError> {
        Self::absent(self.inner.build_notes(path))
    }
    fn owners(&self, paths: &BTreeSet<String>) -> Result<Owners, HostError> {
        if self.inner.owners.is_empty() {
            return crate::owners::find(self, paths);
        }
        self.inner.owners(paths)
    }
}

/// Passes every question on and writes down the answer.
pub struct Recorder<'a> {
    host: &'a dyn Host,
    record: Mutex<RecordedHost>,
}

impl<'a> Recorder<'a> {
    /// A recorder in front of `host`.
    pub fn new(host: &'a dyn Host) -> Self {
        Self { host, record: Mutex::new(RecordedHost::empty(host.identity())) }
    }

    /// What was asked, with the answers.
    pub fn finish(self) -> RecordedHost {
        self.record.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn note(&self, question: Question, answer: Answer) {
        if let Ok(mut record) = self.record.lock() {
            record.answers.insert(question, answer);
        }
    }
}

macro_rules! note_answer {
    ($self:ident, $question:expr, $variant:ident, $answer:expr) => {{
        let answer = $answer;
        let noted = match &answer {
            Ok(value) => Answer::$variant(value.clone()),
            Err(error) => Answer::Error(error.clone()),
        };
        $self.note($question, noted);
        answer
    }};
}

impl Host for Recorder<'_> {
    fn identity(&self) -> Identity {
        self.record.lock().map_or_else(|_| self.host.identity(), |record| record.identity)
    }
    fn read(&self, path: &Path, bytes_max: u64) -> Result<Vec<u8>, HostError> {
        note_answer!(self, Question::Read(path.into()), Bytes, self.host.read(path, bytes_max))
    }
    fn read_list(&self, path: &Path, bytes_max: u64) -> Result<Vec<u8>, HostError> {
        let answer = self.host.read_list(path, bytes_max);
        note_answer!(self, Question::Read(path.into()), Bytes, answer)
    }
    fn list(&self, path: &Path) -> Result<Vec<Entry>, HostError> {
        note_answer!(self, Question::List(path.into()), Entries, self.host.list(path))
    }
    fn stat(&self, path: &Path) -> Result<Stat, HostError> {
        note_answer!(self, Question::Stat(path.into()), Stat, self.host.stat(path))
    }
    fn stat_link(&self, path: &Path) -> Result<Stat, HostError> {
        note_answer!(self, Question::StatLink(path.into()), Stat, self.host.stat_link(path))
    }
    fn read_link(&self, path: &Path) -> Result<PathBuf, HostError> {
        note_answer!(self, Question::ReadLink(path.into()), Link, self.host.read_link(path))
    }
    fn run(&self, program: Program) -> Result<Output, HostError> {
        note_answer!(self, Question::Run(program), Output, self.host.run(program))
    }
    fn ask(&self, ask: &Ask) -> Result<Vec<u8>, HostError> {
        note_answer!(self, Question::Ask(ask.clone()), Bytes, self.host.ask(ask))
    }
    fn sweep(&self) -> Result<Sweep, HostError> {
        note_answer!(self, Question::Sweep, Sweep, self.host.sweep())
    }
    fn stanzas(&self, path: &Path, names: &BTreeSet<String>) -> Result<Stanzas, HostError> {
        let answer = self.host.stanzas(path, names);
        note_answer!(self, Question::Stanzas(path.into()), Stanzas, answer)
    }
    fn build_notes(&self, path: &Path) -> Result<BuildNotes, HostError> {
        let answer = self.host.build_notes(path);
        note_answer!(self, Question::BuildNotes(path.into()), BuildNotes, answer)
    }
    fn owners(&self, paths: &BTreeSet<String>) -> Result<Owners, HostError> {
        let owners = self.host.owners(paths)?;
        if let Ok(mut record) = self.record.lock() {
            for path in paths.iter().filter(|path| !owners.unknown.contains(*path)) {
                record.owners.insert(path.clone(), owners.owned.get(path).cloned());
            }
        }
        Ok(owners)
    }
}
