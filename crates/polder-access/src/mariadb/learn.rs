//! What an account does: its statements, and the rights that they need, as the server says it of one that has none.

use super::learner::{Learner, calling};
use super::probe::Probe;
use super::right::{Grantee, Right};
use super::rights::{Rights, TableName};
use super::session::Session;
use super::source::texts;
use crate::sql::Dialect;
use crate::{AccessError, Evidence, Necessity, Source, Sources};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A statement, and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Statement {
    /// Its text, without any literal.
    pub text: String,
    /// The database in which its names are looked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// How often it was seen; zero for one from a file.
    pub calls: u64,
    /// Where it was seen.
    pub source: Source,
    /// What it stands in, if it is part of a routine, view or trigger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<String>,
    /// Why its needs cannot be told, if so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unproved: Vec<String>,
    /// Why it is refused today, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// What the server prepares of it.
    #[serde(skip)]
    pub(super) prepares: Vec<String>,
    /// Rights that rules tell of.
    #[serde(skip)]
    pub(super) rights: BTreeSet<Right>,
    #[serde(skip)]
    pub(super) any: BTreeSet<(&'static str, TableName)>,
    #[serde(skip)]
    pub(super) words: BTreeSet<String>,
    /// Names that it may mean, quoted or not.
    #[serde(skip)]
    pub(super) named: BTreeSet<String>,
    /// What it is where a session has double quotes around names.
    #[serde(skip)]
    pub(super) other: Vec<String>,
    /// Databases that it goes to.
    #[serde(skip)]
    pub(super) enters: BTreeSet<String>,
    #[serde(skip)]
    pub(super) is_migration: bool,
}

/// A right that is needed.
#[derive(Clone, Debug, Serialize)]
pub struct Needed {
    /// The right.
    pub right: Right,
    /// How we know.
    pub evidence: Evidence,
    /// Whether it was left out and missed.
    pub necessity: Necessity,
    /// How often statements were seen that need it.
    pub calls: u64,
    /// Indices of statements that need it.
    #[serde(skip)]
    pub statements: Vec<usize>,
}

/// What an account does.
#[derive(Clone, Debug, Serialize)]
pub struct Learned {
    /// The account.
    pub account: String,
    /// When it was asked, by the server's clock.
    pub until: String,
    /// Where statements come from, in words, with what is not seen there.
    pub seen_in: Vec<String>,
    /// Statements.
    pub statements: Vec<Statement>,
    /// Rights that are needed, or kept.
    pub needed: Vec<Needed>,
    /// Roles that it switches to.
    pub roles: BTreeSet<String>,
    /// How often prepared statements ran of which the server does not keep the text.
    pub untold: u64,
    /// Temporary tables that it makes.
    #[serde(skip)]
    pub(super) temporary: Vec<(String, String, Vec<String>)>,
}

/// Whether a table is one of those that are made for a while.
pub(super) fn is_made(temporary: &[(String, String, Vec<String>)], table: &TableName) -> bool {
    temporary.iter().any(|it| (&it.0, &it.1) == (&table.0, &table.1))
}

impl Learned {
    /// The rights alone.
    pub fn rights(&self) -> BTreeSet<Right> {
        self.needed.iter().map(|it| it.right.clone()).collect()
    }

    /// Statements of which the needs cannot be told.
    pub fn unproved(&self) -> impl Iterator<Item = &Statement> {
        self.statements.iter().filter(|it| !it.unproved.is_empty())
    }
}

/// What statements of a text need, and nothing else: not what acts in the name of the account.
pub(super) fn learn_alone(
    session: &mut Session,
    rights: &mut Rights,
    sources: &Sources,
) -> Result<Learned, AccessError> {
    learn_with(session, rights, sources, false)
}

/// Asks the server which statements the account sends, and which rights they need.
///
/// # Errors
/// When nobody keeps statements, whoever is connected may not make an account for looking, or the server goes away.
pub fn learn(
    session: &mut Session,
    rights: &mut Rights,
    sources: &Sources,
) -> Result<Learned, AccessError> {
    learn_with(session, rights, sources, true)
}

fn learn_with(
    session: &mut Session,
    rights: &mut Rights,
    sources: &Sources,
    with_own: bool,
) -> Result<Learned, AccessError> {
    let mut learned = Learned {
        account: rights.account.to_string(),
        until: session.text("SELECT NOW()", "the time")?.unwrap_or_default(),
        seen_in: Vec::new(),
        statements: Vec::new(),
        needed: Vec::new(),
        roles: BTreeSet::new(),
        untold: 0,
        temporary: Vec::new(),
    };
    let mode = session.text("SELECT @@GLOBAL.sql_mode", "settings")?.unwrap_or_default();
    let dialect = dialect(&mode);
    let (found, untold) = texts(session, rights, sources, dialect, &mut learned.seen_in)?;
    learned.untold = untold;
    let functions = functions(session, rights)?;
    let probe = Probe::open(session)?;
    let mut it = Learner {
        probe,
        dialect,
        calling: calling(rights, &functions),
        made: BTreeSet::new(),
        origins: BTreeMap::new(),
        rights,
        functions,
        learned,
        expanded: BTreeSet::new(),
        ruled: BTreeSet::new(),
        no_migrations: sources.no_migrations,
    };
    it.add_texts(found);
    if with_own {
        it.add_own();
    }
    it.grow()?;
    it.shrink()?;
    let Learner { probe, learned, .. } = it;
    probe.close()?;
    Ok(learned)
}

/// How a mode has quotes and backslashes.
pub(super) fn dialect(mode: &str) -> Dialect {
    let has = |name: &str| mode.split(',').any(|it| it == name);
    Dialect::Mariadb { is_ansi: has("ANSI_QUOTES"), escapes: !has("NO_BACKSLASH_ESCAPES") }
}

/// Stored functions by database and name in lower case; functions from libraries have no database.
pub(super) type Functions = BTreeSet<(String, String)>;

fn functions(session: &mut Session, rights: &Rights) -> Result<Functions, AccessError> {
    let stored = rights.definers.iter().filter(|it| it.kind == "FUNCTION");
    let mut found: Functions =
        stored.map(|it| (it.database.to_lowercase(), it.name.to_lowercase())).collect();
    match session.rows("SELECT name FROM mysql.func", &[], "functions of libraries") {
        Ok(rows) => found.extend(rows.iter().filter_map(|row| {
            Some((String::new(), super::session::text_of(row, 0)?.to_lowercase()))
        })),
        Err(AccessError::Denied { .. } | AccessError::Query { .. }) => {}
        Err(error) => return Err(error),
    }
    Ok(found)
}

/// Who the account is, for a comparison with what the server says of a connection.
pub(super) fn name_and_host(account: &Grantee) -> (&str, &str) {
    match account {
        Grantee::Account { user, host } => (user, host),
        _ => ("", ""),
    }
}
