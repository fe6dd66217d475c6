//! A connection that asks, and hears what the server says beside its answers.

use super::target::Target;
use super::tls::connector;
use crate::{AccessError, TlsMode};
use postgres::config::SslMode;
use postgres::types::{ToSql, Type};
use postgres::{Client, Config, NoTls, Row, Statement};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long to wait for a server.
const CONNECT: Duration = Duration::from_secs(10);

/// Oldest version that is known.
const VERSION_MIN: i32 = 130_000;

/// What is set before anything is asked: names are looked up in the catalog alone, no answer takes for ever, nobody is kept
/// waiting by a lock, and an idle transaction of ours ends by itself.
const BEGIN: &str = "SET search_path = pg_catalog; SET statement_timeout = '60s'; SET lock_timeout = '3s'; \
    SET idle_in_transaction_session_timeout = '60s'; SET client_min_messages = warning; \
    SET standard_conforming_strings = on; SET quote_all_identifiers = off";

/// A connection to one database.
pub struct Session {
    client: Client,
    notices: Arc<Mutex<Vec<String>>>,
    user: String,
    version: i32,
    is_superuser: bool,
    /// Questions that were asked before: the server need not read them again.
    known: HashMap<String, Statement>,
    /// The path on which names are looked up now.
    path: String,
}

impl Session {
    /// Connects.
    ///
    /// # Errors
    /// When there is no server, it does not let this user in, or it is too old.
    pub fn connect(target: &Target) -> Result<Self, AccessError> {
        let notices: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = Arc::clone(&notices);
        let mut config = Config::new();
        config
            .user(&target.user)
            .dbname(&target.database)
            .application_name("polder")
            .port(target.port)
            .host(&target.host)
            .connect_timeout(CONNECT)
            .ssl_mode(match target.tls {
                TlsMode::Disable => SslMode::Disable,
                TlsMode::Prefer => SslMode::Prefer,
                _ => SslMode::Require,
            })
            // Trees come as details of messages; nothing else that is said beside answers matters.
            .notice_callback(move |notice| {
                if let Some(detail) = notice.detail() {
                    let mut all = heard.lock().unwrap_or_else(PoisonError::into_inner);
                    all.push(detail.to_string());
                }
            });
        if let Some(password) = &target.password {
            config.password(password.as_bytes());
        }
        let connected = match (target.is_socket(), target.system_user) {
            // Root is let in as the user whose role it asks for, as after `su`.
            (true, Some((uid, gid))) if uid != 0 && rustix::process::geteuid().is_root() => {
                config.ssl_mode(SslMode::Disable);
                polder_sys::with_user(uid, gid, || config.connect(NoTls)).map_err(|error| {
                    AccessError::Target { what: format!("cannot connect as another user: {error}") }
                })?
            }
            (true, _) => config.ssl_mode(SslMode::Disable).connect(NoTls),
            (false, _) if target.tls == TlsMode::Disable => config.connect(NoTls),
            (false, _) => config.connect(connector(target)?),
        };
        let server = target.server();
        let client = connected.map_err(|source| match source.code() {
            // Class 28 is about who may connect (appendix A of the manual); 3D000 is a database that is not there.
            Some(code) if code.code().starts_with("28") => {
                AccessError::Refused { server, user: target.user.clone(), source: source.into() }
            }
            _ => AccessError::Connect { server, source: source.into() },
        })?;
        let mut session = Self {
            client,
            notices,
            user: target.user.clone(),
            version: 0,
            is_superuser: false,
            known: HashMap::new(),
            path: String::new(),
        };
        session.begin()?;
        Ok(session)
    }

    fn begin(&mut self) -> Result<(), AccessError> {
        self.batch(BEGIN, "how to answer")?;
        let sql = "SELECT current_setting('server_version_num')::int, current_setting('server_version'), rolsuper, current_user::text \
            FROM pg_roles WHERE rolname = current_user";
        let row = self.client.query_one(sql, &[]);
        let row = row.map_err(|error| AccessError::of(error, "its version", &self.user))?;
        self.version = row.get(0);
        if self.version < VERSION_MIN {
            return Err(AccessError::Version {
                version: format!("PostgreSQL {}", row.get::<_, String>(1)),
                known: "13 and later are",
            });
        }
        self.is_superuser = row.get(2);
        self.user = row.get(3);
        // What is asked of the server goes into no log of its, where that can be chosen.
        if self.is_superuser {
            let quiet = "SET log_min_messages = fatal; SET log_min_error_statement = panic; SET log_statement = none; \
                SET log_min_duration_statement = -1; SET log_duration = off; \
                SET pg_stat_statements.track = none";
            self.batch(quiet, "to keep no log of what Polder asks")?;
        }
        Ok(())
    }

    /// Version of the server, such as 150004.
    pub fn version(&self) -> i32 {
        self.version
    }

    /// Who is connected.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Whether that is a superuser.
    pub fn is_superuser(&self) -> bool {
        self.is_superuser
    }

    /// Runs statements that answer nothing.
    ///
    /// # Errors
    /// What the server says.
    pub fn batch(&mut self, sql: &str, doing: &'static str) -> Result<(), AccessError> {
        self.client.batch_execute(sql).map_err(|error| AccessError::of(error, doing, &self.user))
    }

    /// Asks for rows.
    ///
    /// # Errors
    /// What the server says.
    pub fn rows(
        &mut self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
        doing: &'static str,
    ) -> Result<Vec<Row>, AccessError> {
        let asked = match self.known.get(sql) {
            Some(known) => Ok(known.clone()),
            None => self.client.prepare(sql),
        };
        let answer = asked.and_then(|statement| {
            self.known.entry(sql.to_string()).or_insert_with(|| statement.clone());
            self.client.query(&statement, parameters)
        });
        answer.map_err(|error| AccessError::of(error, doing, &self.user))
    }

    /// Sets the path on which names are looked up, the server's own names first: what Polder asks must mean what it says,
    /// whatever others have put on a path. It is handed over as a value, and never as SQL.
    ///
    /// # Errors
    /// What the server says.
    pub fn path(&mut self, path: &str) -> Result<(), AccessError> {
        if self.path == path {
            return Ok(());
        }
        let whole = match path.is_empty() {
            true => "pg_catalog".to_string(),
            false => format!("pg_catalog, {path}"),
        };
        let sql = "SELECT pg_catalog.set_config('search_path', $1, false)";
        self.rows(sql, &[&whole], "names on a path")?;
        self.path = path.to_string();
        Ok(())
    }

    /// Runs one statement, and leaves what the server says of it to the caller: a refusal is an answer.
    pub(super) fn try_one(&mut self, sql: &str) -> Result<(), postgres::Error> {
        // A statement of its own, so that a text that holds two is refused.
        self.client.execute(sql, &[]).map(drop)
    }

    /// Lets the server analyse one statement, and nothing else.
    pub(super) fn try_prepare(
        &mut self,
        sql: &str,
        types: &[Type],
    ) -> Result<Statement, postgres::Error> {
        self.client.prepare_typed(sql, types)
    }

    /// What the server said beside its answers since the last time.
    pub(super) fn notices(&mut self) -> Vec<String> {
        let mut all = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut all)
    }
}
