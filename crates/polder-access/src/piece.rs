//! Rights as pieces, each so or not, whatever the server.

use crate::{mariadb, postgresql, redis};
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
}

/// Pieces in few lines: rights on one thing in one of them.
pub fn lines<'a>(pieces: impl IntoIterator<Item = &'a Piece>) -> Vec<String> {
    let (mut of_postgresql, mut of_mariadb, mut of_redis) = (Vec::new(), Vec::new(), Vec::new());
    for piece in pieces {
        match piece {
            Piece::Postgresql(it) => of_postgresql.push(it),
            Piece::Mariadb(it) => of_mariadb.push(it),
            Piece::Redis(it) => of_redis.push(it),
        }
    }
    let mut lines = postgresql::lines(of_postgresql);
    lines.extend(mariadb::lines(of_mariadb));
    lines.extend(redis::lines(of_redis));
    lines
}
