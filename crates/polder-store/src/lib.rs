//! Remembers assessments, decisions and operations in one SQLite database.
//!
//! The database is versioned; old files are migrated forward and open for ever. What is stored of
//! an assessment is text made by the caller: this crate does not know what is in it.
#![allow(
    clippy::disallowed_methods,
    reason = "the store keeps its own state, not that of the machine under study"
)]

mod baselines;
mod events;
mod feeds;
mod fetch;
mod operations;

pub use baselines::{Baselines, BaselinesError, Begun, key};
pub use events::{EventJournal, Events, EventsError, StoredEvent, events_path, read_events};
pub use feeds::{Feeds, FeedsError, Imported, Verified};
pub use fetch::{FetchError, Fetched, Fetcher};
pub use operations::StoredOperation;

use polder_model::{Decision, DecisionKind, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Version of the tables this Polder writes.
const VERSION: i64 = 2;

/// Longest wait for another Polder that writes at the same time.
const BUSY_SECONDS: u64 = 5;

/// Assessments kept of each host; at one an hour this is more than a year.
const ASSESSMENTS_MAX: i64 = 10_000;

/// Why the store could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The folder cannot be made or is not private.
    #[error("cannot use the folder `{path}`")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The database failed.
    #[error("cannot use the database `{path}`")]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: rusqlite::Error,
    },
    /// A newer Polder wrote it.
    #[error("`{path}` has version {found}; this Polder knows up to {VERSION}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
}

/// Makes a folder that only its owner may look into.
fn private(folder: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Writes a small file of Polder's own beside its place, then in it, so that there is never half of one.
///
/// # Errors
/// When it cannot be written.
pub fn replace_file(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    if let Some(folder) = path.parent() {
        private(folder)?;
    }
    let fresh = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)
}

/// One assessment as it was stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Its number.
    pub id: i64,
    /// When the host was looked at.
    pub taken: Timestamp,
    /// What the caller stored.
    pub text: String,
}

/// The store of one machine.
pub struct Store {
    path: PathBuf,
    database: Connection,
}

impl Store {
    /// Opens or makes the store in `folder`; the folder is made for its owner alone.
    ///
    /// # Errors
    /// When folder or database cannot be used, or a newer Polder wrote it.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Folder { path: folder.into(), source };
        private(folder).map_err(failed)?;
        let path = folder.join("polder.db");
        let failed = |source| StoreError::Database { path: path.clone(), source };
        let database = Connection::open(&path).map_err(failed)?;
        // Only its owner reads what a host looks like to an attacker.
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&path, private)
            .map_err(|source| StoreError::Folder { path: path.clone(), source })?;
        database.busy_timeout(Duration::from_secs(BUSY_SECONDS)).map_err(failed)?;
        database.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
        database.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
        let found: i64 =
            database.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
        if found > VERSION {
            return Err(StoreError::Newer { path, found });
        }
        let mut store = Self { path, database };
        store.migrate(found).map_err(|source| store.failed(source))?;
        Ok(store)
    }

    fn failed(&self, source: rusqlite::Error) -> StoreError {
        StoreError::Database { path: self.path.clone(), source }
    }

    /// Brings the tables from version `found` to the current one, in one transaction.
    fn migrate(&mut self, found: i64) -> rusqlite::Result<()> {
        if found == VERSION {
            return Ok(());
        }
        let change = self.database.transaction()?;
        // Another Polder may have done it since the version was read, hence IF NOT EXISTS.
        change.execute_batch(
            "CREATE TABLE IF NOT EXISTS assessment (
                 id INTEGER PRIMARY KEY AUTOINCREMENT,
                 host TEXT NOT NULL,
                 taken INTEGER NOT NULL,
                 text TEXT NOT NULL
             );
             CREATE INDEX IF NOT EXISTS assessment_of_host ON assessment (host, id);
             CREATE TABLE IF NOT EXISTS decision (
                 id INTEGER PRIMARY KEY AUTOINCREMENT,
                 host TEXT NOT NULL,
                 finding TEXT NOT NULL,
                 kind TEXT NOT NULL,
                 because TEXT NOT NULL,
                 owner TEXT NOT NULL,
                 until INTEGER NOT NULL,
                 made INTEGER NOT NULL,
                 had_treatment INTEGER NOT NULL,
                 withdrawn INTEGER
             );
             CREATE TABLE IF NOT EXISTS operation (
                 id INTEGER PRIMARY KEY AUTOINCREMENT,
                 host TEXT NOT NULL,
                 treatment TEXT NOT NULL,
                 begun INTEGER NOT NULL,
                 noted INTEGER NOT NULL,
                 phase TEXT NOT NULL,
                 record TEXT NOT NULL
             );",
        )?;
        change.pragma_update(None, "user_version", VERSION)?;
        change.commit()
    }

    /// Where the database lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Stores an assessment of `host`, and forgets the oldest beyond the bound.
    ///
    /// # Errors
    /// When the database fails, such as on a full disk; nothing is changed then.
    pub fn remember(
        &mut self,
        host: &str,
        taken: Timestamp,
        text: &str,
    ) -> Result<i64, StoreError> {
        let id = (|| {
            let change = self.database.transaction()?;
            change.execute(
                "INSERT INTO assessment (host, taken, text) VALUES (?1, ?2, ?3)",
                params![host, taken.0, text],
            )?;
            let id = change.last_insert_rowid();
            change.execute(
                "DELETE FROM assessment WHERE host = ?1 AND id NOT IN
                 (SELECT id FROM assessment WHERE host = ?1 ORDER BY id DESC LIMIT ?2)",
                params![host, ASSESSMENTS_MAX],
            )?;
            change.commit()?;
            Ok(id)
        })();
        id.map_err(|source| self.failed(source))
    }

    /// The newest assessment of `host`.
    ///
    /// # Errors
    /// When the database fails.
    pub fn last(&self, host: &str) -> Result<Option<Stored>, StoreError> {
        self.database
            .query_row(
                "SELECT id, taken, text FROM assessment WHERE host = ?1 ORDER BY id DESC LIMIT 1",
                [host],
                stored,
            )
            .optional()
            .map_err(|source| self.failed(source))
    }

    /// The newest `most` assessments of `host`, the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub fn history(&self, host: &str, most: u32) -> Result<Vec<Stored>, StoreError> {
        let read = || {
            let mut query = self.database.prepare(
                "SELECT id, taken, text FROM assessment WHERE host = ?1 ORDER BY id DESC LIMIT ?2",
            )?;
            query.query_map(params![host, most], stored)?.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|source| self.failed(source))
    }

    /// Records a decision about a finding of `host`; it takes the place of an earlier one.
    ///
    /// # Errors
    /// When the database fails; the earlier decision stays then.
    pub fn decide(&mut self, host: &str, decision: &Decision) -> Result<(), StoreError> {
        let done = (|| {
            let change = self.database.transaction()?;
            change.execute(
                "UPDATE decision SET withdrawn = ?3
                 WHERE host = ?1 AND finding = ?2 AND withdrawn IS NULL",
                params![host, decision.finding, decision.made.0],
            )?;
            change.execute(
                "INSERT INTO decision
                 (host, finding, kind, because, owner, until, made, had_treatment)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    host,
                    decision.finding,
                    decision.kind.word(),
                    decision.because,
                    decision.owner,
                    decision.until.0,
                    decision.made.0,
                    decision.had_treatment
                ],
            )?;
            change.commit()
        })();
        done.map_err(|source| self.failed(source))
    }

    /// Takes the decision about a finding back. Returns whether there was one.
    ///
    /// # Errors
    /// When the database fails.
    pub fn withdraw(
        &mut self,
        host: &str,
        finding: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.database
            .execute(
                "UPDATE decision SET withdrawn = ?3
                 WHERE host = ?1 AND finding = ?2 AND withdrawn IS NULL",
                params![host, finding, now.0],
            )
            .map(|count| count > 0)
            .map_err(|source| self.failed(source))
    }

    /// Decisions about `host` that were not taken back, in the order in which they were made.
    ///
    /// # Errors
    /// When the database fails.
    pub fn decisions(&self, host: &str) -> Result<Vec<Decision>, StoreError> {
        let read = || {
            let mut query = self.database.prepare(
                "SELECT finding, kind, because, owner, until, made, had_treatment FROM decision
                 WHERE host = ?1 AND withdrawn IS NULL ORDER BY id",
            )?;
            query.query_map([host], decision)?.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|source| self.failed(source))
    }
}

fn stored(row: &rusqlite::Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored { id: row.get(0)?, taken: Timestamp(row.get(1)?), text: row.get(2)? })
}

fn decision(row: &rusqlite::Row<'_>) -> rusqlite::Result<Decision> {
    let kind: String = row.get(1)?;
    Ok(Decision {
        finding: row.get(0)?,
        kind: if kind == DecisionKind::Reject.word() {
            DecisionKind::Reject
        } else {
            DecisionKind::Accept
        },
        because: row.get(2)?,
        owner: row.get(3)?,
        until: Timestamp(row.get(4)?),
        made: Timestamp(row.get(5)?),
        had_treatment: row.get(6)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(finding: &str, until: i64) -> Decision {
        Decision {
            finding: finding.into(),
            kind: DecisionKind::Accept,
            because: "a release is due".into(),
            owner: "ada".into(),
            until: Timestamp(until),
            made: Timestamp(5),
            had_treatment: true,
        }
    }

    #[test]
    fn what_is_remembered_is_there_after_opening_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        store.remember("shop", Timestamp(1), "first").unwrap();
        store.remember("shop", Timestamp(2), "second").unwrap();
        store.remember("other", Timestamp(3), "third").unwrap();
        drop(store);
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(store.last("shop").unwrap().unwrap().text, "second");
        assert_eq!(store.history("shop", 10).unwrap().len(), 2);
        assert_eq!(store.last("nobody").unwrap(), None);
    }

    #[test]
    fn a_new_decision_takes_the_place_of_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        store.decide("shop", &sample("a", 10)).unwrap();
        store.decide("shop", &sample("a", 20)).unwrap();
        assert_eq!(store.decisions("shop").unwrap(), [sample("a", 20)]);
        assert!(store.withdraw("shop", "a", Timestamp(6)).unwrap());
        assert!(!store.withdraw("shop", "a", Timestamp(6)).unwrap());
        assert!(store.decisions("shop").unwrap().is_empty());
    }

    #[test]
    fn a_store_of_a_newer_polder_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.database.pragma_update(None, "user_version", VERSION + 1).unwrap();
        drop(store);
        assert!(matches!(Store::open(folder.path()), Err(StoreError::Newer { .. })));
    }

    #[test]
    fn a_damaged_database_is_an_error_and_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("polder.db"),
            b"this is no database, but it is long enough",
        )
        .unwrap();
        assert!(matches!(Store::open(folder.path()), Err(StoreError::Database { .. })));
        assert!(std::fs::read(folder.path().join("polder.db")).unwrap().starts_with(b"this is no"));
    }
}
