//! Why a server could not be looked at, or not be changed.

use postgres::error::SqlState;

/// What a server or a connection says: its sentence, without details, which may hold data.
#[derive(Debug)]
pub struct Said(pub(crate) Says);

/// Whose words they are.
#[derive(Debug)]
pub(crate) enum Says {
    Postgresql(postgres::Error),
    Mariadb(mysql::Error),
    Redis(redis::RedisError),
    Other(std::io::Error),
}

impl std::fmt::Display for Said {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Says::Postgresql(error) => {
                match (error.as_db_error(), std::error::Error::source(error)) {
                    (Some(said), _) => write!(out, "{}: {}", said.severity(), said.message()),
                    (None, Some(cause)) => write!(out, "{error}: {cause}"),
                    (None, None) => write!(out, "{error}"),
                }
            }
            Says::Mariadb(mysql::Error::MySqlError(it)) => {
                write!(out, "error {}: {}", it.code, it.message)
            }
            Says::Mariadb(mysql::Error::IoError(it)) => write!(out, "{it}"),
            Says::Mariadb(mysql::Error::DriverError(it)) => write!(out, "{it}"),
            Says::Mariadb(mysql::Error::TlsError(it)) => write!(out, "{it}"),
            Says::Mariadb(_) => write!(out, "it answers what is no answer"),
            Says::Redis(it) => match it.detail() {
                // What a server says names commands and users, and no data.
                Some(detail) => write!(out, "{}: {detail}", it.code().unwrap_or("error")),
                None => write!(out, "{it}"),
            },
            Says::Other(error) => write!(out, "{error}"),
        }
    }
}

impl std::error::Error for Said {}

impl From<postgres::Error> for Said {
    fn from(it: postgres::Error) -> Self {
        Self(Says::Postgresql(it))
    }
}

impl From<mysql::Error> for Said {
    fn from(it: mysql::Error) -> Self {
        Self(Says::Mariadb(it))
    }
}

impl From<redis::RedisError> for Said {
    fn from(it: redis::RedisError) -> Self {
        Self(Says::Redis(it))
    }
}

impl From<std::io::Error> for Said {
    fn from(it: std::io::Error) -> Self {
        Self(Says::Other(it))
    }
}

impl Said {
    /// SQLSTATE of what PostgreSQL says.
    pub(crate) fn state(&self) -> Option<&str> {
        match &self.0 {
            Says::Postgresql(error) => error.code().map(SqlState::code),
            _ => None,
        }
    }
}

/// Why a server could not be looked at, or not be changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// The connection is described wrongly.
    #[error("{what}")]
    Target {
        /// What is wrong with it.
        what: String,
    },
    /// A file that the connection needs cannot be used.
    #[error("cannot use `{path}`: {what}")]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// There is no connection.
    #[error("cannot connect to {server}")]
    Connect {
        /// The server, in words.
        server: String,
        /// What the server or system says.
        #[source]
        source: Said,
    },
    /// The server does not know whoever connects, or the password is wrong.
    #[error("{server} does not let `{user}` in")]
    Refused {
        /// The server, in words.
        server: String,
        /// Who connects.
        user: String,
        /// What the server says.
        #[source]
        source: Said,
    },
    /// The server went away.
    #[error("the server went away while it was asked for {doing}")]
    Gone {
        /// What was asked.
        doing: &'static str,
        /// What the connection says.
        #[source]
        source: Said,
    },
    /// Whoever connects may not see or do it.
    #[error("`{user}` may not see or change {doing}")]
    Denied {
        /// Who connects.
        user: String,
        /// What was asked.
        doing: &'static str,
        /// What the server says.
        #[source]
        source: Said,
    },
    /// The server says no.
    #[error("the server refused to tell or change {doing}")]
    Query {
        /// What was asked.
        doing: &'static str,
        /// What the server says.
        #[source]
        source: Said,
    },
    /// A version that is not known.
    #[error("{version} is not known: {known}")]
    Version {
        /// The server and its version, as it says it.
        version: String,
        /// What is.
        known: &'static str,
    },
    /// There is no such account.
    #[error("there is no account `{name}` on this server")]
    NoAccount {
        /// Its name.
        name: String,
    },
    /// There are several such accounts.
    #[error("there are several accounts `{name}` on this server: {which}")]
    Several {
        /// Their name.
        name: String,
        /// Each, with the hosts it is for.
        which: String,
    },
    /// Nobody counts statements.
    #[error("the server does not count statements: {because}")]
    NoStatements {
        /// Why.
        because: String,
    },
    /// Rights are not as they were when they were looked at.
    #[error("{what} is no longer as it was when it was looked at")]
    Changed {
        /// Which right.
        what: String,
    },
}

impl AccessError {
    /// What the server said to a question.
    pub(crate) fn of(source: postgres::Error, doing: &'static str, user: &str) -> Self {
        if source.is_closed() || (source.as_db_error().is_none() && source.code().is_none()) {
            return Self::Gone { doing, source: source.into() };
        }
        match source.code() {
            Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => {
                Self::Denied { user: user.to_string(), doing, source: source.into() }
            }
            // The server is shutting down (class 57), or has gone wrong (class XX).
            Some(code) if code.code().starts_with("57P") => {
                Self::Gone { doing, source: source.into() }
            }
            _ => Self::Query { doing, source: source.into() },
        }
    }

    /// What MariaDB said to a question.
    pub(crate) fn of_mariadb(source: mysql::Error, doing: &'static str, user: &str) -> Self {
        match &source {
            // Rights on a database, table, column, routine, the server (appendix of its manual: error codes).
            mysql::Error::MySqlError(it) if matches!(it.code, 1044 | 1142 | 1143 | 1227 | 1370) => {
                Self::Denied { user: user.to_string(), doing, source: source.into() }
            }
            // The server goes down.
            mysql::Error::MySqlError(it) if it.code == 1053 => {
                Self::Gone { doing, source: source.into() }
            }
            mysql::Error::MySqlError(_) => Self::Query { doing, source: source.into() },
            _ => Self::Gone { doing, source: source.into() },
        }
    }
}
