//! The journal of operations as the commands use it: one at a time, under a lock.

use crate::commands::Globals;
use crate::failure::Failure;
use crate::flags::Target;
use crate::{around, session};
use polder_apply::{Executor, Ground, Journal, Operation, Phase};
use polder_model::Timestamp;
use polder_store::{Store, StoredOperation};
use rustix::fs::{FlockOperation, flock};
use std::error::Error;
use std::path::PathBuf;

/// Operations looked through for one that is not settled.
const LOOKED_THROUGH: u32 = 200;

/// The store with the lock of whoever changes this host.
pub(crate) struct Operations {
    pub(crate) store: Store,
    pub(crate) host: String,
    pub(crate) folder: PathBuf,
    _lock: std::fs::File,
}

/// One operation read back.
pub(crate) struct Known {
    pub(crate) stored: StoredOperation,
    pub(crate) operation: Operation,
    pub(crate) phase: Phase,
}

impl Operations {
    /// Opens the journal for changes; only one Polder changes a host at a time.
    pub(crate) fn open(globals: &Globals) -> Result<Self, Failure> {
        if !rustix::process::geteuid().is_root() {
            return Err(Failure::usage("only root can change this host")
                .hint("Run it with `sudo`; `--dry-run` shows what would change"));
        }
        Self::open_own(globals)
    }

    /// Opens the journal of whoever runs this: servers of databases know their administrators themselves.
    pub(crate) fn open_own(globals: &Globals) -> Result<Self, Failure> {
        let folder = folder(globals)?;
        let store = Store::open(&folder).map_err(|error| {
            Failure::look(error)
                .hint("Nothing is changed without a journal; `--state FOLDER` keeps it elsewhere")
        })?;
        let path = folder.join("operations.lock");
        let lock = std::fs::File::create(&path).map_err(Failure::look)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            Failure::usage("another Polder is changing this host right now")
                .hint("Wait until it is done; `polder journal` shows how far it is")
        })?;
        Ok(Self { store, host: host_name(), folder, _lock: lock })
    }

    /// Operations, the newest first.
    pub(crate) fn all(&self) -> Result<Vec<Known>, Failure> {
        all(&self.store, LOOKED_THROUGH)
    }

    /// The operation asked for, or the newest one that `is_wanted`.
    pub(crate) fn find(
        &self,
        id: Option<i64>,
        is_wanted: fn(&Phase) -> bool,
    ) -> Result<Option<Known>, Failure> {
        match id {
            None => Ok(self.all()?.into_iter().find(|it| is_wanted(&it.phase))),
            Some(id) => {
                let stored = self.store.operation(id).map_err(Failure::look)?;
                stored.map(known).transpose()
            }
        }
    }

    /// Writes an operation down before anything is done.
    pub(crate) fn begin(&mut self, operation: &Operation) -> Result<i64, Failure> {
        let record = serde_json::to_string(operation).map_err(Failure::internal)?;
        let phase = serde_json::to_string(&Phase::Acting { step: 0 }).map_err(Failure::internal)?;
        let treatment = &operation.treatment;
        self.store.begin(&self.host, treatment, now(), &phase, &record).map_err(|error| {
            Failure::look(error).hint("Nothing was changed: nothing is done without a journal")
        })
    }

    /// Notes a phase.
    pub(crate) fn note(&mut self, id: i64, phase: &Phase) -> Result<(), Failure> {
        let text = serde_json::to_string(phase).map_err(Failure::internal)?;
        self.store.note(id, now(), &text).map_err(Failure::look)
    }

    /// Lets an executor of this host work on operation `id`.
    pub(crate) fn execute<T>(&mut self, id: i64, work: impl FnOnce(&mut Executor<'_>) -> T) -> T {
        let ground = Ground::here().around(around::ambient());
        let mut journal = StoreJournal { store: &mut self.store, id };
        work(&mut Executor { ground: &ground, journal: &mut journal, reach: &|_| {} })
    }
}

struct StoreJournal<'a> {
    store: &'a mut Store,
    id: i64,
}

impl Journal for StoreJournal<'_> {
    fn note(&mut self, phase: &Phase) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(self.store.note(self.id, now(), &serde_json::to_string(phase)?)?)
    }
}

/// Operations of a store, the newest first.
pub(crate) fn all(store: &Store, most: u32) -> Result<Vec<Known>, Failure> {
    let stored = store.operations(most).map_err(Failure::look)?;
    stored.into_iter().map(known).collect()
}

fn known(stored: StoredOperation) -> Result<Known, Failure> {
    let wrong = |error| {
        Failure::internal(error).hint("The journal holds an operation that this Polder cannot read")
    };
    let operation = serde_json::from_str(&stored.record).map_err(wrong)?;
    let phase = serde_json::from_str(&stored.phase).map_err(wrong)?;
    Ok(Known { stored, operation, phase })
}

/// Where the journal lies.
pub(crate) fn folder(globals: &Globals) -> Result<PathBuf, Failure> {
    session::state_folder(globals.state.as_deref(), &Target::default()).ok_or_else(|| {
        Failure::usage("there is no folder for the journal").hint("Name one with `--state FOLDER`")
    })
}

/// The name under which this host's operations are kept, as the kernel has it.
pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Seconds since 1970.
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp(since.map_or(0, |it| i64::try_from(it.as_secs()).unwrap_or(i64::MAX)))
}

/// How far an operation is, in words.
pub(crate) fn phase_words(phase: &Phase) -> String {
    match phase {
        Phase::Acting { step } => format!("cut off at step {}", step + 1),
        Phase::Checking => "cut off while it was being checked".into(),
        Phase::Unconfirmed { until } => {
            let left = until - now().0;
            match left > 0 {
                true => format!("in force, takes itself back in {left} s unless confirmed"),
                false => "in force, not confirmed, and its time is over".into(),
            }
        }
        Phase::Applied => "in force".into(),
        Phase::TakingBack { .. } => "cut off while it was being taken back".into(),
        Phase::TakenBack { because } => format!("taken back: {because}"),
        Phase::Stuck { because, .. } => format!("neither as before nor as planned: {because}"),
    }
}
