//! A connection that asks.

use super::target::Target;
use crate::{AccessError, TlsMode};
use mysql::prelude::Queryable;
use mysql::{Conn, Error, Params, Row, Value};

/// What is set before anything is asked: names and strings mean one thing, words are English, no answer takes for ever.
const BEGIN: &str = "SET SESSION sql_mode = '', sql_quote_show_create = 1, lock_wait_timeout = 3, lc_messages = 'en_US'";

/// What is set where that is allowed: what is asked goes into no log of the server's.
const QUIET: [&str; 4] = [
    "UPDATE performance_schema.threads SET INSTRUMENTED = 'NO', HISTORY = 'NO' WHERE PROCESSLIST_ID = CONNECTION_ID()",
    "SET SESSION max_statement_time = 60",
    "SET SESSION sql_log_off = 1",
    "SET SESSION slow_query_log = 0",
];

/// A connection to a server.
pub struct Session {
    conn: Conn,
    user: String,
    version: u32,
    is_mariadb: bool,
    target: Target,
}

impl Session {
    /// Connects.
    ///
    /// # Errors
    /// When there is no server, it does not let this account in, or it is too old.
    pub fn connect(target: &Target) -> Result<Self, AccessError> {
        let mut session = Self::open(target)?;
        for sql in QUIET {
            // What may not be set is not needed for an answer.
            if let Err(error) = session.try_one(sql)
                && !matches!(error, Error::MySqlError(_))
            {
                return Err(AccessError::of_mariadb(error, "how to answer", &session.user));
            }
        }
        Ok(session)
    }

    /// Connects, and leaves everything as it is for whoever connects.
    pub(super) fn open(target: &Target) -> Result<Self, AccessError> {
        let server = target.server();
        let conn = conn(target).map_err(|source| match &source {
            // Wrong password, no such account, or a host or method that is not let in (error codes of its manual).
            Error::MySqlError(it) if matches!(it.code, 1045 | 1698 | 1130 | 1524 | 4151) => {
                AccessError::Refused { server, user: target.user.clone(), source: source.into() }
            }
            _ => AccessError::Connect { server, source: source.into() },
        })?;
        let user = target.user.clone();
        let mut session =
            Self { conn, user, version: 0, is_mariadb: false, target: target.clone() };
        session.batch(BEGIN, "how to answer")?;
        let version = session.text("SELECT VERSION()", "its version")?.unwrap_or_default();
        session.is_mariadb = version.contains("MariaDB");
        session.version = parse_version(&version);
        let oldest = if session.is_mariadb { 100_500 } else { 80_000 };
        if session.version < oldest {
            return Err(AccessError::Version {
                version: format!("`{version}`"),
                known: "MariaDB 10.5 and later are, and MySQL 8 and later",
            });
        }
        session.user =
            session.text("SELECT CURRENT_USER()", "who is connected")?.unwrap_or(user_of(target));
        Ok(session)
    }

    /// Who is connected, as the server knows them: `user@host`.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The version, such as 101119 for 10.11.19.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Whether it is MariaDB, and not MySQL.
    pub fn is_mariadb(&self) -> bool {
        self.is_mariadb
    }

    /// How it is reached.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Runs a statement that answers nothing.
    ///
    /// # Errors
    /// What the server says.
    pub fn batch(&mut self, sql: &str, doing: &'static str) -> Result<(), AccessError> {
        self.try_one(sql).map_err(|error| AccessError::of_mariadb(error, doing, &self.user))
    }

    /// Asks for rows.
    ///
    /// # Errors
    /// What the server says.
    pub fn rows(
        &mut self,
        sql: &str,
        parameters: &[&str],
        doing: &'static str,
    ) -> Result<Vec<Row>, AccessError> {
        let answer = match parameters.is_empty() {
            true => self.conn.query(sql),
            false => {
                let values = parameters.iter().map(|it| Value::from(*it)).collect();
                self.conn.exec(sql, Params::Positional(values))
            }
        };
        answer.map_err(|error| AccessError::of_mariadb(error, doing, &self.user))
    }

    /// Asks for one text.
    pub(super) fn text(
        &mut self,
        sql: &str,
        doing: &'static str,
    ) -> Result<Option<String>, AccessError> {
        Ok(self.rows(sql, &[], doing)?.first().and_then(|row| text_of(row, 0)))
    }

    /// Runs one statement, and leaves what the server says of it to the caller: a refusal is an answer.
    pub(super) fn try_one(&mut self, sql: &str) -> Result<(), Error> {
        // Where rows are sent, a refusal may come after their heading.
        let mut answer = self.conn.query_iter(sql)?;
        while let Some(rows) = answer.iter() {
            for row in rows {
                drop(row?);
            }
        }
        Ok(())
    }

    /// Lets the server prepare a statement; answers the names of the columns that it would return.
    pub(super) fn try_columns(&mut self, sql: &str) -> Result<Vec<String>, Error> {
        let statement = self.conn.prep(sql)?;
        let columns = statement.columns().iter().map(|it| it.name_str().into_owned()).collect();
        self.conn.close(statement)?;
        Ok(columns)
    }
}

fn user_of(target: &Target) -> String {
    target.user.clone()
}

/// A connection, encrypted as far as was asked; over a socket nothing need be.
fn conn(target: &Target) -> Result<Conn, Error> {
    if target.socket.is_some() {
        let open = || Conn::new(target.options(false));
        return match target.system_user {
            // Root is let in as the user whose account it asks for, as after `su`.
            Some((uid, gid)) if uid != 0 && rustix::process::geteuid().is_root() => {
                polder_sys::with_user(uid, gid, open)?
            }
            _ => open(),
        };
    }
    match target.tls {
        TlsMode::Disable => Conn::new(target.options(false)),
        // A server that has no TLS says so; whatever else goes wrong goes wrong without it as well.
        TlsMode::Prefer => match Conn::new(target.options(true)) {
            Err(Error::DriverError(_) | Error::TlsError(_)) => Conn::new(target.options(false)),
            other => other,
        },
        _ => Conn::new(target.options(true)),
    }
}

/// `10.11.19-MariaDB` as a number.
fn parse_version(text: &str) -> u32 {
    // Old clients were told `5.5.5-` before the version that counts.
    let text = text.strip_prefix("5.5.5-").unwrap_or(text);
    let mut parts = text.split(|it: char| !it.is_ascii_digit()).map(|it| it.parse().unwrap_or(0));
    let mut part = || parts.next().unwrap_or(0u32).min(99);
    part() * 10_000 + part() * 100 + part()
}

/// A column as text, whatever its type; bytes that are not UTF-8 become signs.
pub(super) fn text_of(row: &Row, index: usize) -> Option<String> {
    match row.as_ref(index)? {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::Int(it) => Some(it.to_string()),
        Value::UInt(it) => Some(it.to_string()),
        Value::Float(it) => Some(it.to_string()),
        Value::Double(it) => Some(it.to_string()),
        other => Some(other.as_sql(true)),
    }
}

/// A column as a number.
pub(super) fn count_of(row: &Row, index: usize) -> Option<u64> {
    text_of(row, index)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers() {
        assert_eq!(parse_version("10.11.19-MariaDB-0+deb12u1"), 101_119);
        assert_eq!(parse_version("5.5.5-10.5.1-MariaDB"), 100_501);
        assert_eq!(parse_version("8.0.36"), 80_036);
    }
}
