//! A connection that asks.

use super::target::Target;
use crate::AccessError;
use ::redis::{Client, Connection, RedisError, Value, cmd};
use std::time::Duration;

/// How long to wait for a server, and for an answer.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(30);

/// A connection to a server.
pub struct Session {
    connection: Connection,
    user: String,
}

impl Session {
    /// Connects.
    ///
    /// # Errors
    /// When there is no server, it does not let this user in, or it is too old.
    pub fn connect(target: &Target) -> Result<Self, AccessError> {
        let server = target.server();
        let open = || {
            let client = Client::open(target.secret().as_str())?;
            let connection = client.get_connection_with_timeout(CONNECT)?;
            connection.set_read_timeout(Some(ANSWER))?;
            connection.set_write_timeout(Some(ANSWER))?;
            Ok::<_, RedisError>(connection)
        };
        let connection = open().map_err(|source| {
            let code = source.code().unwrap_or_default().to_string();
            let is_refused = matches!(code.as_str(), "WRONGPASS" | "NOAUTH" | "NOPERM")
                || source.kind() == ::redis::ErrorKind::AuthenticationFailed;
            match is_refused {
                true => AccessError::Refused {
                    server,
                    user: target.user.clone(),
                    source: source.into(),
                },
                false => AccessError::Connect { server, source: source.into() },
            }
        })?;
        let mut it = Self { connection, user: target.user.clone() };
        // What is asked is counted as well: no more than is needed.
        match it.try_one(&["ACL", "DRYRUN", &target.user, "PING"]) {
            Err(error) if error.code() == Some("ERR") => {
                return Err(AccessError::Version {
                    version: target.server(),
                    known: "Redis 7 and later are, and Valkey",
                });
            }
            Err(error) if error.is_io_error() => {
                return Err(AccessError::Gone { doing: "its version", source: error.into() });
            }
            _ => {}
        }
        Ok(it)
    }

    /// Who is connected.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Sends a command.
    ///
    /// # Errors
    /// What the server says.
    pub fn ask(&mut self, words: &[&str], doing: &'static str) -> Result<Value, AccessError> {
        self.try_one(words).map_err(|source| match source.code() {
            Some("NOPERM" | "NOAUTH") => {
                AccessError::Denied { user: self.user.clone(), doing, source: source.into() }
            }
            _ if source.is_io_error() || source.is_connection_dropped() => {
                AccessError::Gone { doing, source: source.into() }
            }
            _ => AccessError::Query { doing, source: source.into() },
        })
    }

    /// Sends a command, and leaves what the server says to the caller: a refusal is an answer.
    pub(super) fn try_one(&mut self, words: &[&str]) -> Result<Value, RedisError> {
        let Some((first, rest)) = words.split_first() else { return Ok(Value::Nil) };
        cmd(first).arg(rest).query::<Value>(&mut self.connection)
    }
}

/// An answer as text; bytes that are not UTF-8 become signs.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => text.clone(),
        Value::Int(number) => number.to_string(),
        Value::Okay => "OK".into(),
        _ => String::new(),
    }
}

/// The parts of an answer.
pub(super) fn parts(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(all) | Value::Set(all) => all.iter().collect(),
        Value::Map(all) => all.iter().flat_map(|(key, value)| [key, value]).collect(),
        _ => Vec::new(),
    }
}

/// A value of an answer that names each.
pub(super) fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let all = parts(value);
    all.chunks_exact(2)
        .find(|it| it.first().is_some_and(|it| text(it) == name))
        .and_then(|it| it.get(1).copied())
}
