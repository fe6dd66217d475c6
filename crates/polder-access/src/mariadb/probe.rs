//! An account that is made for looking, has nothing, and is removed again: the server says of each statement what it lacks.
//!
//! Statements are prepared, never executed. While it prepares, a server may run a stored function whose value it takes for
//! constant, so calls are taken out before (`statement::without_calls`), and what only reads is prepared in transactions that
//! may not write, because of functions that stand in views.

use super::learn::Statement;
use super::made::{DOING, Hand, Made, tidy};
use super::right::{Grantee, Right, quote, string};
use super::rights::TableName;
use super::session::Session;
use crate::sql::{Dialect, Token, parse_tokens};
use crate::{AccessError, Necessity};
use mysql::Error;
use std::collections::BTreeSet;

/// What the server lacks for a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Denial {
    /// Privileges on a table, as the server writes its name.
    Table { privileges: Vec<String>, table: String },
    /// Privileges on a column of a table, which is named without its database.
    Column { privileges: Vec<String>, column: String, table: String },
    /// A routine, as `database.name`.
    Routine(String),
    /// Something in this database, or the database itself.
    Database,
    /// One of these on the whole server.
    Server(String),
    /// A view, whose invoker lacks something.
    View,
}

/// What became of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Fine,
    Denied(Denial, String),
    Other(String),
}

/// The account, and a connection of it.
pub(super) struct Probe<'a> {
    admin: &'a mut Session,
    made: Made,
    hand: Hand,
    given: BTreeSet<Right>,
    database: Option<String>,
    only_reads: bool,
}

impl<'a> Probe<'a> {
    /// Makes the account and connects.
    pub(super) fn open(admin: &'a mut Session) -> Result<Self, AccessError> {
        tidy(admin)?;
        let made = Made::make(admin, None)?;
        let hand = match Hand::make(admin) {
            Ok(hand) => hand,
            Err(error) => {
                let mut made = made;
                made.remove(admin)?;
                return Err(error);
            }
        };
        let mut it =
            Self { admin, made, hand, given: BTreeSet::new(), database: None, only_reads: false };
        it.begin()?;
        Ok(it)
    }

    fn begin(&mut self) -> Result<(), AccessError> {
        let mode = self.admin.text("SELECT @@GLOBAL.sql_mode", "settings")?.unwrap_or_default();
        // Statements have no data in them any more, so a backslash may mean what it means to us.
        let mode: Vec<&str> = mode.split(',').filter(|it| *it != "NO_BACKSLASH_ESCAPES").collect();
        let sql = format!("SET SESSION sql_mode = {}", string(&mode.join(",")));
        self.made.conn.batch(&sql, DOING)?;
        self.made.conn.batch("SET SESSION lock_wait_timeout = 1", DOING)?;
        // It is no loss where it is not known.
        let _ = self.made.conn.try_one("SET SESSION max_statement_time = 10");
        let id = self.made.conn.text("SELECT CONNECTION_ID()", DOING)?.unwrap_or_default();
        let quiet = format!(
            "UPDATE performance_schema.threads SET INSTRUMENTED = 'NO', HISTORY = 'NO' WHERE PROCESSLIST_ID = {}",
            id.parse::<u64>().unwrap_or(0)
        );
        let _ = self.admin.try_one(&quiet);
        Ok(())
    }

    /// Removes the account.
    pub(super) fn close(mut self) -> Result<(), AccessError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), AccessError> {
        let first = self.made.remove(self.admin);
        let second = self.hand.remove(self.admin);
        first.and(second)
    }

    /// What it has been given.
    pub(super) fn given(&self) -> &BTreeSet<Right> {
        &self.given
    }

    /// Whether it has a privilege on a table, or on any column of it.
    pub(super) fn has_on(&self, privilege: &str, table: &TableName) -> bool {
        self.given.iter().any(|it| it.privilege == privilege && it.place.is_table(table))
    }

    /// How a statement misses something, if it does: the server refuses it, or a rule tells so.
    pub(super) fn misses(
        &mut self,
        statement: &Statement,
        is_temporary: impl Fn(&TableName) -> bool,
    ) -> Result<Option<Necessity>, AccessError> {
        for text in &statement.prepares {
            let answer = self.prepare(statement.database.as_deref(), text)?;
            if matches!(answer, Answer::Denied(..)) {
                return Ok(Some(Necessity::Refused));
            }
        }
        // What the server does not prepare: any column of the table would do.
        let mut any = statement.any.iter().filter(|it| !is_temporary(&it.1));
        let lacks = any.any(|(privilege, table)| !self.has_on(privilege, table));
        Ok(lacks.then_some(Necessity::Analysed))
    }

    /// Whoever may look at tables.
    pub(super) fn looker(&mut self) -> &mut Session {
        self.hand.session()
    }

    /// Gives it rights; a server that refuses one says so.
    pub(super) fn give(&mut self, rights: &[Right]) -> Result<Result<(), Error>, AccessError> {
        if let Err(error) = self.hand.move_rights(self.admin, rights, &self.made.account, true) {
            return self.told(error).map(Err);
        }
        self.given.extend(rights.iter().cloned());
        Ok(Ok(()))
    }

    /// Takes rights.
    pub(super) fn take(&mut self, rights: &[Right]) -> Result<(), AccessError> {
        self.hand
            .move_rights(self.admin, rights, &self.made.account, false)
            .map_err(|error| AccessError::of_mariadb(error, DOING, self.admin.user()))?;
        for it in rights {
            self.given.remove(it);
        }
        Ok(())
    }

    /// Goes to a database; to be let in, it has a right there that no statement asks for.
    fn go(&mut self, database: Option<&str>) -> Result<Result<(), Error>, AccessError> {
        let Some(name) = database.filter(|it| self.database.as_deref() != Some(*it)) else {
            return Ok(Ok(()));
        };
        let sql = format!(
            "GRANT EVENT ON {} TO {}",
            super::right::Place::database(name).sql(),
            self.made.account.sql()
        );
        self.admin.batch(&sql, DOING)?;
        if let Err(error) = self.made.conn.try_one(&format!("USE {}", quote(name))) {
            return self.told(error).map(Err);
        }
        self.database = Some(name.to_string());
        Ok(Ok(()))
    }

    /// Rights on databases are seen by whoever goes there again.
    pub(super) fn again(&mut self) {
        self.database = None;
    }

    /// Makes a temporary table, so that statements that use it can be prepared.
    pub(super) fn temporary(
        &mut self,
        database: &str,
        name: &str,
        columns: &[String],
    ) -> Result<bool, AccessError> {
        if self.go(Some(database))?.is_err() {
            return Ok(false);
        }
        self.only_reads(false)?;
        let columns: Vec<String> = columns.iter().map(|it| format!("{} INT", quote(it))).collect();
        let sql = format!(
            "CREATE TEMPORARY TABLE {}.{} ({})",
            quote(database),
            quote(name),
            columns.join(", ")
        );
        match self.made.conn.try_one(&sql) {
            Ok(()) => Ok(true),
            Err(error) => self.told(error).map(|_| false),
        }
    }

    /// Names of the columns that a query returns.
    pub(super) fn columns(
        &mut self,
        database: Option<&str>,
        text: &str,
    ) -> Result<Vec<String>, AccessError> {
        if self.go(database)?.is_err() {
            return Ok(Vec::new());
        }
        match self.made.conn.try_columns(text) {
            Ok(columns) => Ok(columns),
            Err(error) => self.told(error).map(|_| Vec::new()),
        }
    }

    fn only_reads(&mut self, only_reads: bool) -> Result<(), AccessError> {
        if self.only_reads != only_reads {
            let mode = if only_reads { "READ ONLY" } else { "READ WRITE" };
            self.made.conn.batch(&format!("SET SESSION TRANSACTION {mode}"), DOING)?;
            self.only_reads = only_reads;
        }
        Ok(())
    }

    /// Lets the server prepare a statement.
    pub(super) fn prepare(
        &mut self,
        database: Option<&str>,
        text: &str,
    ) -> Result<Answer, AccessError> {
        if let Err(error) = self.go(database)? {
            return Ok(Answer::Other(words(&error)));
        }
        self.only_reads(!writes(text))?;
        let mut answer = self.made.conn.try_one(&format!("PREPARE polder FROM {}", string(text)));
        // Columns that are filled from a query are not looked at before it runs: they are filled with nothing instead.
        if answer.is_ok() && is_filled(text) {
            answer = match filled_with_nothing(text) {
                Some((text, query)) => {
                    let count = self.made.conn.try_columns(&query).map(|it| it.len());
                    count.and_then(|count| {
                        let nothing = vec!["NULL"; count].join(", ");
                        let text = text.replace('\0', &format!("VALUES ({nothing})"));
                        self.made.conn.try_one(&format!("PREPARE polder FROM {}", string(&text)))
                    })
                }
                None => return Ok(Answer::Other("which columns it fills is not known".into())),
            };
        }
        match answer {
            Ok(()) => Ok(Answer::Fine),
            Err(error) => {
                let error = self.told(error)?;
                let Error::MySqlError(it) = &error else { return Ok(Answer::Other(words(&error))) };
                let Grantee::Account { user, host } = &self.made.account else {
                    return Ok(Answer::Other(words(&error)));
                };
                Ok(match denial(it.code, &it.message, user, host) {
                    Some(denial) => Answer::Denied(denial, words(&error)),
                    None => Answer::Other(words(&error)),
                })
            }
        }
    }

    /// What a server says is an answer; that it went away is none.
    fn told(&self, error: Error) -> Result<Error, AccessError> {
        match error {
            Error::MySqlError(it) if it.code != 1053 => Ok(Error::MySqlError(it)),
            other => Err(AccessError::of_mariadb(other, DOING, self.admin.user())),
        }
    }
}

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// What is wrong, without the server's own words: those may hold what is stored.
fn words(error: &Error) -> String {
    let Error::MySqlError(it) = error else { return "the server gives no answer".into() };
    let known = match it.code {
        1044 | 1142 | 1143 | 1227 | 1370 => "what it lacks is not understood",
        1049 => "there is no such database",
        1046 => "no database is named",
        1054 => "a column that it names is not known",
        1064 => "the server cannot parse it",
        1146 => "a table that it names is not there",
        1295 => "the server does not prepare it",
        1305 => "a routine that it names is not there",
        1356 => "a view that it reads lacks something",
        1792 => "it writes in a way that is not known",
        1969 | 3024 => "the server did not end looking at it",
        _ => "the server cannot prepare it",
    };
    format!("{known} (error {})", it.code)
}

/// Whether a statement fills a table from a query, and not from values.
fn is_filled(text: &str) -> bool {
    let tokens = parse_tokens(text, Dialect::MARIADB);
    let first = tokens.iter().find(|it| !it.text.starts_with("/*"));
    if !first.is_some_and(|it| it.is_any(&["insert", "replace"])) {
        return false;
    }
    let mut depth = 0usize;
    for (index, token) in tokens.iter().enumerate() {
        let is_query = |it: Option<&Token<'_>>| it.is_some_and(|it| it.is_any(&["select", "with"]));
        if token.is_sign("(") {
            if depth == 0 && is_query(tokens.get(index + 1)) {
                return true;
            }
            depth += 1;
        } else if token.is_sign(")") {
            depth = depth.saturating_sub(1);
        } else if depth == 0 && token.is_any(&["values", "value", "set"]) {
            return false;
        } else if depth == 0 && is_query(Some(token)) {
            return true;
        }
    }
    false
}

/// An INSERT with a sign in the place of its query, and the query.
fn filled_with_nothing(text: &str) -> Option<(String, String)> {
    let tokens = parse_tokens(text, Dialect::MARIADB);
    let mut depth = 0usize;
    let mut start = None;
    let mut end = text.len();
    for (index, token) in tokens.iter().enumerate() {
        if token.is_sign("(") {
            let next = tokens.get(index + 1);
            if depth == 0
                && start.is_none()
                && next.is_some_and(|it| it.is_any(&["select", "with"]))
            {
                start = Some(token.at);
            }
            depth += 1;
        } else if token.is_sign(")") {
            depth = depth.saturating_sub(1);
        } else if depth == 0 && start.is_none() && token.is_any(&["select", "with"]) {
            start = Some(token.at);
        } else if depth == 0 && token.is_any(&["duplicate", "returning"]) {
            let is_on = token.is("duplicate");
            let on = tokens.iter().rfind(|it| it.at < token.at && it.is("on"));
            end = on.filter(|_| is_on).map_or(token.at, |it| it.at);
            break;
        }
    }
    let start = start?;
    let query = text.get(start..end)?.to_string();
    Some((format!("{}\0 {}", text.get(..start)?, text.get(end..)?), query))
}

/// Whether a statement is one that writes: those are not prepared in a transaction that may not.
pub(super) fn writes(text: &str) -> bool {
    let tokens = parse_tokens(text, Dialect::MARIADB);
    let first = tokens.iter().find(|it| !it.is_sign("(") && !it.text.starts_with("/*"));
    let stands = |words: &[&str]| {
        tokens
            .windows(words.len())
            .any(|it| it.iter().zip(words).all(|(token, word)| token.is(word)))
    };
    let is_counted = stands(&["next", "value", "for"]);
    let is_locked = stands(&["for", "update"]) || stands(&["lock", "in", "share"]);
    first.is_some_and(|it| it.is_any(&["insert", "update", "delete", "replace", "load"]))
        || is_counted
        || is_locked
        || tokens.iter().any(|it| it.is_any(&["nextval", "setval"]))
        || (first.is_some_and(|it| it.is("with"))
            && tokens.iter().any(|it| it.is_any(&["delete", "update"])))
}

/// What a server says that an account lacks (error codes of its manual).
fn denial(code: u16, message: &str, user: &str, host: &str) -> Option<Denial> {
    let whom = format!(" command denied to user '{user}'@'{host}' for ");
    let split = || message.split_once(&whom);
    let list = |it: &str| it.split(", ").map(str::to_uppercase).collect();
    match code {
        1142 => {
            let (privileges, table) = split()?;
            let table = table.strip_prefix("table ")?.to_string();
            Some(Denial::Table { privileges: list(privileges), table })
        }
        1143 => {
            let (privileges, rest) = split()?;
            // Either name may hold anything; that between them is found from the end.
            let rest = rest.strip_prefix("column '")?.strip_suffix('\'')?;
            let (column, table) = rest.rsplit_once("' in table '")?;
            Some(Denial::Column {
                privileges: list(privileges),
                column: column.into(),
                table: table.into(),
            })
        }
        1370 => {
            let (_, routine) = split()?;
            Some(Denial::Routine(routine.strip_prefix("routine '")?.strip_suffix('\'')?.into()))
        }
        1044 => Some(Denial::Database),
        1227 => {
            let inner = message.split_once("(at least one of) the ").map_or(message, |it| it.1);
            let end = inner.find(" privilege").unwrap_or(inner.len());
            Some(Denial::Server(inner.get(..end)?.to_string()))
        }
        1356 => Some(Denial::View),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_gives_way_to_nothing() {
        let text = "INSERT INTO t(a, b) SELECT x, (SELECT 1) FROM v ON DUPLICATE KEY UPDATE a = 1";
        let (text, query) = filled_with_nothing(text).unwrap();
        assert_eq!(text, "INSERT INTO t(a, b) \0 ON DUPLICATE KEY UPDATE a = 1");
        assert_eq!(query, "SELECT x, (SELECT 1) FROM v ");
        assert!(
            !is_filled("INSERT INTO t(a) VALUES ((SELECT 1))")
                && is_filled("INSERT INTO t (SELECT 1)")
        );
    }

    #[test]
    fn what_the_server_says_is_understood() {
        let read = |code, message: &str| denial(code, message, "p", "localhost");
        assert_eq!(
            read(
                1142,
                "INSERT, UPDATE command denied to user 'p'@'localhost' for table `shop`.`t`"
            ),
            Some(Denial::Table {
                privileges: vec!["INSERT".into(), "UPDATE".into()],
                table: "`shop`.`t`".into()
            })
        );
        assert_eq!(
            read(
                1143,
                "SELECT command denied to user 'p'@'localhost' for column 'a' in table' in table 't'"
            ),
            Some(Denial::Column {
                privileges: vec!["SELECT".into()],
                column: "a' in table".into(),
                table: "t".into()
            })
        );
        let routine = "execute command denied to user 'p'@'localhost' for routine 'shop.fd'";
        assert_eq!(read(1370, routine), Some(Denial::Routine("shop.fd".into())));
        let server = "Access denied; you need (at least one of) the SUPER, CONNECTION ADMIN privilege(s) for this operation";
        assert_eq!(read(1227, server), Some(Denial::Server("SUPER, CONNECTION ADMIN".into())));
        assert_eq!(read(1146, "Table 'shop.x' doesn't exist"), None);
    }
}
