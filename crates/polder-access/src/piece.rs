//! Rights as pieces, each so or not, whatever the server.

use crate::{mariadb, postgresql, redis, sqlite};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Something that is so or not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Piece {
    /// On PostgreSQL.
    Postgresql(postgresql::Piece),
    /// On MariaDB.
    Mariadb(mariadb::Piece),
    /// On Redis.
    Redis(redis::Piece),
    /// Of files of SQLite.
    Sqlite(sqlite::Piece),
}

impl Piece {
    /// Those of PostgreSQL.
    pub fn postgresql(pieces: &BTreeSet<Self>) -> BTreeSet<postgresql::Piece> {
        let own = |it: &Self| match it {
            Self::Postgresql(it) => Some(it.clone()),
            _ => None,
        };
        pieces.iter().filter_map(own).collect()
    }

    /// Those of MariaDB.
    pub fn mariadb(pieces: &BTreeSet<Self>) -> BTreeSet<mariadb::Piece> {
        let own = |it: &Self| match it {
            Self::Mariadb(it) => Some(it.clone()),
            _ => None,
        };
        pieces.iter().filter_map(own).collect()
    }

    /// Those of Redis.
    pub fn redis(pieces: &BTreeSet<Self>) -> BTreeSet<redis::Piece> {
        let own = |it: &Self| match it {
            Self::Redis(it) => Some(it.clone()),
            _ => None,
        };
        pieces.iter().filter_map(own).collect()
    }

    /// Those of files of SQLite.
    pub fn sqlite(pieces: &BTreeSet<Self>) -> BTreeSet<sqlite::Piece> {
        let own = |it: &Self| match it {
            Self::Sqlite(it) => Some(it.clone()),
            _ => None,
        };
        pieces.iter().filter_map(own).collect()
    }
}

/// Pieces in few lines: rights on one thing in one of them.
pub fn lines<'a>(pieces: impl IntoIterator<Item = &'a Piece>) -> Vec<String> {
    let pieces: BTreeSet<Piece> = pieces.into_iter().cloned().collect();
    let mut lines = postgresql::lines(&Piece::postgresql(&pieces));
    lines.extend(mariadb::lines(&Piece::mariadb(&pieces)));
    lines.extend(redis::lines(&Piece::redis(&pieces)));
    lines.extend(sqlite::lines(&Piece::sqlite(&pieces)));
    lines
}
