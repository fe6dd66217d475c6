//! One account of one server, while it is looked at: what every kind of server answers, each in its own way.

use crate::{
    AccessError, Ambient, Client, Columns, Evidence, Excess, Piece, Proof, Reach, Source, Sources,
    mariadb, postgresql, redis, sqlite,
};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// A server, as it is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServerName {
    /// In words, without anything secret.
    pub words: String,
    /// How to say it again on a command line, without anything secret.
    pub said: String,
    /// Where it listens: `tcp/ADDRESS:PORT` or the path of a socket or file.
    pub address: String,
    /// The database that is looked at; none where rights are those of the whole server.
    pub database: Option<String>,
    /// What is done with it.
    pub uses: Uses,
}

/// What accounts do with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Uses {
    /// They send statements of SQL.
    Statements,
    /// They send commands.
    Commands,
    /// They open a file.
    File,
}

/// One account in a list of all.
#[derive(Clone, Debug, Serialize)]
pub struct AccountFacts {
    /// The account.
    pub account: String,
    /// What it may do to the whole server, as the server calls it.
    pub attributes: Vec<String>,
    /// What can be done as it.
    pub reach: Reach,
}

/// A statement or command, without anything literal.
#[derive(Clone, Debug, Serialize)]
pub struct UsedStatement {
    /// Its text.
    pub text: String,
    /// How often it was seen; zero for one from a file.
    pub calls: u64,
    /// Where it was seen.
    pub source: Source,
    /// Why its needs cannot be told, if so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unproved: Vec<String>,
}

/// A right that is needed.
#[derive(Clone, Debug, Serialize)]
pub struct UsedRight {
    /// As the server has it.
    pub right: String,
    /// The same in parts.
    pub atom: Value,
    /// How we know.
    pub evidence: Evidence,
    /// How often statements were seen that need it.
    pub calls: u64,
    /// Indices of the statements that need it.
    pub statements: Vec<usize>,
}

/// What an account does, and needs for it.
#[derive(Clone, Debug, Serialize)]
pub struct Usage {
    /// The account.
    pub account: String,
    /// The database.
    pub database: Option<String>,
    /// Since when the server counts, as it says it.
    pub since: Option<String>,
    /// When it was asked, by the server's clock.
    pub until: String,
    /// Rights in few lines.
    pub grants: Vec<String>,
    /// Rights one by one.
    pub needed: Vec<UsedRight>,
    /// Statements.
    pub statements: Vec<UsedStatement>,
    /// What else the server tells of it.
    #[serde(flatten)]
    pub details: serde_json::Map<String, Value>,
    /// What makes the picture less than whole, in sentences.
    pub doubts: Vec<String>,
    /// Whether nothing of what was seen is left untold.
    pub is_whole: bool,
}

impl Usage {
    /// Statements of which the needs cannot be told.
    pub fn unproved(&self) -> impl Iterator<Item = &UsedStatement> {
        self.statements.iter().filter(|it| !it.unproved.is_empty())
    }
}

/// A move to the least rights.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// The account.
    pub account: String,
    /// The database.
    pub database: Option<String>,
    /// Rights that the account has then, in few lines.
    pub grants: Vec<String>,
    /// What it needs at least, column by column.
    pub minimum: Vec<String>,
    /// What can be done now.
    pub reach_before: Reach,
    /// What can be done then.
    pub reach_after: Reach,
    /// What is left as it is, and why.
    pub left: Vec<String>,
    /// Whether everything is so already.
    pub is_done: bool,
    /// What makes it so.
    pub forward: Vec<String>,
    /// What takes it back.
    pub back: Vec<String>,
    /// What is so now and will not be, or stays and is asked for again.
    #[serde(skip)]
    pub before: BTreeSet<Piece>,
    /// What will be so.
    #[serde(skip)]
    pub after: BTreeSet<Piece>,
}

/// Why an account is not judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is who is connected.
    Connected,
    /// It is the administrator with whom the server was made.
    Administrator,
    /// Processes of other users cannot be seen, so who needs it is not known.
    Blind,
    /// It shares its rights with other accounts of its name.
    Shared(Vec<String>),
    /// So often statements ran of which the server does not keep the text.
    Untold(u64),
    /// Nothing was seen of it that needs anything.
    Idle,
}

/// A server, and what is known of one account so far: first `look`, then `learn`, then `propose`, then `prove`.
pub trait Work {
    /// The server.
    fn server(&self) -> ServerName;

    /// All accounts that may log in.
    ///
    /// # Errors
    /// What the server says.
    fn accounts(&mut self) -> Result<Vec<AccountFacts>, AccessError>;

    /// Reads what an account may do; answers its whole name.
    ///
    /// # Errors
    /// When there is no such account, or what the server says.
    fn look(&mut self, account: &str) -> Result<String, AccessError>;

    /// Programs of this host that are connected as the account now.
    ///
    /// # Errors
    /// What the server says.
    fn clients(&mut self) -> Result<BTreeSet<Client>, AccessError>;

    /// What can be done as the account.
    fn reach(&self) -> Reach;

    /// What it does not need, as far as its use is known.
    fn excess(&self) -> Vec<Excess>;

    /// All of what it may do, for programs.
    fn rights(&self) -> Value;

    /// Asks what the account does, and which rights that needs.
    ///
    /// # Errors
    /// When nobody keeps what it does, or what the server says.
    fn learn(&mut self, sources: &Sources) -> Result<Usage, AccessError>;

    /// Proposes the least rights, as a move from those that are there.
    ///
    /// # Errors
    /// What the server says.
    fn propose(&mut self, columns: Columns) -> Result<Plan, AccessError>;

    /// Why the account should not be judged, if so.
    ///
    /// # Errors
    /// What the server says.
    fn unfit(&mut self) -> Result<Option<Unfit>, AccessError>;

    /// Lets the server say whether what was proposed holds.
    ///
    /// # Errors
    /// What the server says.
    fn prove(&mut self) -> Result<Proof, AccessError>;

    /// A script of what was planned, with a title and remarks.
    fn script(&self, title: &str, remarks: &[String], statements: &[String]) -> String;
}

/// Connects to a server, and begins.
///
/// # Errors
/// When it is named wrongly, is not there, or does not let whoever connects in.
pub fn open(
    said: &str,
    database: Option<&str>,
    around: &Ambient,
) -> Result<Box<dyn Work>, AccessError> {
    if mariadb::Target::is_said(said) {
        let mut target = mariadb::Target::parse(said, around)?;
        target.database = database.map(str::to_string).or(target.database);
        return Ok(Box::new(mariadb::Account::open(&target)?));
    }
    if sqlite::is_said(said) {
        return Ok(Box::new(sqlite::Account::open(&sqlite::path_of(said), around)?));
    }
    if redis::Target::is_said(said) {
        return Ok(Box::new(redis::Account::open(&redis::Target::parse(said, around)?)?));
    }
    let mut target = postgresql::Target::parse(said, around)?;
    if let Some(database) = database {
        target = target.database(database);
    }
    Ok(Box::new(postgresql::Account::open(&target)?))
}

/// Which of these are so now.
///
/// # Errors
/// What the server says.
pub fn observe(
    said: &str,
    around: &Ambient,
    pieces: &BTreeSet<Piece>,
) -> Result<BTreeSet<Piece>, AccessError> {
    if mariadb::Target::is_said(said) {
        let mut session = mariadb::Session::connect(&mariadb::Target::parse(said, around)?)?;
        let so = mariadb::observe(&mut session, &Piece::mariadb(pieces))?;
        return Ok(so.into_iter().map(Piece::Mariadb).collect());
    }
    if sqlite::is_said(said) {
        let so = sqlite::observe(&Piece::sqlite(pieces))?;
        return Ok(so.into_iter().map(Piece::Sqlite).collect());
    }
    if redis::Target::is_said(said) {
        let mut session = redis::Session::connect(&redis::Target::parse(said, around)?)?;
        let so = redis::observe(&mut session, &Piece::redis(pieces))?;
        return Ok(so.into_iter().map(Piece::Redis).collect());
    }
    let mut session = postgresql::Session::connect(&postgresql::Target::parse(said, around)?)?;
    let so = postgresql::observe(&mut session, &Piece::postgresql(pieces))?;
    Ok(so.into_iter().map(Piece::Postgresql).collect())
}

/// Makes some of these so and the rest not.
///
/// # Errors
/// What the server says; then all is as it was.
pub fn act(
    said: &str,
    around: &Ambient,
    all: &BTreeSet<Piece>,
    so: &BTreeSet<Piece>,
) -> Result<(), AccessError> {
    if mariadb::Target::is_said(said) {
        let mut session = mariadb::Session::connect(&mariadb::Target::parse(said, around)?)?;
        let now = mariadb::observe(&mut session, &Piece::mariadb(all))?;
        return mariadb::act(&mut session, &now, &Piece::mariadb(so));
    }
    if sqlite::is_said(said) {
        let now = sqlite::observe(&Piece::sqlite(all))?;
        return sqlite::act(&now, &Piece::sqlite(so));
    }
    if redis::Target::is_said(said) {
        let mut session = redis::Session::connect(&redis::Target::parse(said, around)?)?;
        let now = redis::observe(&mut session, &Piece::redis(all))?;
        return redis::act(&mut session, &now, &Piece::redis(so));
    }
    let mut session = postgresql::Session::connect(&postgresql::Target::parse(said, around)?)?;
    let now = postgresql::observe(&mut session, &Piece::postgresql(all))?;
    postgresql::act(&mut session, &now, &Piece::postgresql(so))
}

/// What is said when steps are left out.
pub(crate) fn not_learned() -> AccessError {
    AccessError::Target { what: "what the account does was not looked at yet".into() }
}
