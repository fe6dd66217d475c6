//! Why a server could not be looked at, or not be changed.

use postgres::error::SqlState;

/// What a server or a connection says: its sentence, without details, which may hold data.
#[derive(Debug)]
pub struct Said(pub(crate) postgres::Error);

impl std::fmt::Display for Said {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.0.as_db_error(), std::error::Error::source(&self.0)) {
            (Some(said), _) => write!(out, "{}: {}", said.severity(), said.message()),
            (None, Some(cause)) => write!(out, "{}: {cause}", self.0),
            (None, None) => write!(out, "{}", self.0),
        }
    }
}

impl std::error::Error for Said {}

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
    #[error("PostgreSQL {version} is not known: 13 and later are")]
    Version {
        /// Its version, as it says it.
        version: String,
    },
    /// There is no such account.
    #[error("there is no role `{name}` on this server")]
    NoAccount {
        /// Its name.
        name: String,
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
            return Self::Gone { doing, source: Said(source) };
        }
        match source.code() {
            Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => {
                Self::Denied { user: user.to_string(), doing, source: Said(source) }
            }
            // The server is shutting down (class 57), or has gone wrong (class XX).
            Some(code) if code.code().starts_with("57P") => {
                Self::Gone { doing, source: Said(source) }
            }
            _ => Self::Query { doing, source: Said(source) },
        }
    }
}
