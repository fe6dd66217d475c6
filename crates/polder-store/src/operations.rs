//! The journal of operations: what is about to be done, and how far it is.

use crate::{Store, StoreError};
use polder_model::Timestamp;
use rusqlite::{OptionalExtension, params};

/// One operation as it was stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredOperation {
    /// Its number.
    pub id: i64,
    /// The treatment.
    pub treatment: String,
    /// When it was begun.
    pub begun: Timestamp,
    /// When it was last noted how far it is.
    pub noted: Timestamp,
    /// How far it is, as text of the caller.
    pub phase: String,
    /// What it does, as text of the caller.
    pub record: String,
}

impl Store {
    /// Writes down an operation before anything is done; returns its number when it is on disk.
    ///
    /// # Errors
    /// When the database fails; nothing must be done then.
    pub fn begin(
        &mut self,
        host: &str,
        treatment: &str,
        now: Timestamp,
        phase: &str,
        record: &str,
    ) -> Result<i64, StoreError> {
        let done = self.database.execute(
            "INSERT INTO operation (host, treatment, begun, noted, phase, record)
             VALUES (?1, ?2, ?3, ?3, ?4, ?5)",
            params![host, treatment, now.0, phase, record],
        );
        done.map_err(|source| self.failed(source))?;
        Ok(self.database.last_insert_rowid())
    }

    /// Notes how far an operation is; on disk when it returns.
    ///
    /// # Errors
    /// When the database fails; the earlier note stays then.
    pub fn note(&mut self, id: i64, now: Timestamp, phase: &str) -> Result<(), StoreError> {
        let done = self.database.execute(
            "UPDATE operation SET phase = ?2, noted = ?3 WHERE id = ?1",
            params![id, phase, now.0],
        );
        done.map(drop).map_err(|source| self.failed(source))
    }

    /// One operation. A store belongs to one machine, whatever that is called by now.
    ///
    /// # Errors
    /// When the database fails.
    pub fn operation(&self, id: i64) -> Result<Option<StoredOperation>, StoreError> {
        self.database
            .query_row(
                "SELECT id, treatment, begun, noted, phase, record FROM operation
                 WHERE id = ?1",
                [id],
                operation,
            )
            .optional()
            .map_err(|source| self.failed(source))
    }

    /// The newest `most` operations, the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub fn operations(&self, most: u32) -> Result<Vec<StoredOperation>, StoreError> {
        let read = || {
            let mut query = self.database.prepare(
                "SELECT id, treatment, begun, noted, phase, record FROM operation
                 ORDER BY id DESC LIMIT ?1",
            )?;
            query.query_map([most], operation)?.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|source| self.failed(source))
    }
}

fn operation(row: &rusqlite::Row<'_>) -> rusqlite::Result<StoredOperation> {
    Ok(StoredOperation {
        id: row.get(0)?,
        treatment: row.get(1)?,
        begun: Timestamp(row.get(2)?),
        noted: Timestamp(row.get(3)?),
        phase: row.get(4)?,
        record: row.get(5)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_found_again_with_its_last_note() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        let id = store.begin("shop", "close", Timestamp(1), "acting", "{}").unwrap();
        store.note(id, Timestamp(2), "applied").unwrap();
        drop(store);
        let store = Store::open(folder.path()).unwrap();
        let found = store.operation(id).unwrap().unwrap();
        assert_eq!((found.phase.as_str(), found.noted), ("applied", Timestamp(2)));
        assert_eq!(store.operation(id + 1).unwrap(), None);
        assert_eq!(store.operations(5).unwrap().len(), 1);
    }
}
