//! What an account may do: its own rights, those of its roles, and those of everyone; and what that is about.

use super::right::{Grantee, Line, Place, Right, fits, parse_line, quote};
use super::session::{Session, count_of, text_of};
use crate::AccessError;
use crate::sql::{Dialect, Token, parse_tokens};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Databases that are the server's own.
pub(super) const SYSTEM: [&str; 4] = ["information_schema", "performance_schema", "mysql", "sys"];

/// A table by database and name.
pub type TableName = (String, String);

/// A right, and through whom it is had.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Held {
    /// The right.
    #[serde(flatten)]
    pub right: Right,
    /// The account, one of its roles, or everyone.
    pub whose: Grantee,
}

/// A table, as far as the consequence of a right depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TableFacts {
    /// Rows, as the server estimates them.
    pub rows: Option<u64>,
    /// Names of its columns, in order.
    pub columns: Vec<String>,
}

/// Something that acts with the rights of whoever made it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Definer {
    /// What it is: `VIEW`, `TRIGGER`, `FUNCTION`, `PROCEDURE`, `EVENT`.
    pub kind: String,
    /// The database that it is in.
    pub database: String,
    /// Its name.
    pub name: String,
    /// Whether it acts with the rights of its definer, and not of whoever calls it.
    pub is_definer: bool,
    /// Who that is: `user@host`.
    pub definer: String,
    /// The table that a trigger is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// What it does.
    #[serde(skip)]
    pub(super) body: String,
    /// Names of parameters.
    #[serde(skip)]
    pub(super) parameters: Vec<String>,
    /// The mode in which its body is read.
    #[serde(skip)]
    pub(super) mode: String,
}

/// How an account logs in, as far as that is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Login {
    /// Whether nothing is asked of whoever logs in.
    pub is_open: bool,
    /// Whether nobody can.
    pub is_locked: bool,
}

/// What an account may do.
#[derive(Clone, Debug, Serialize)]
pub struct Rights {
    /// The account.
    pub account: Grantee,
    /// The database in which names without one are looked up.
    pub database: Option<String>,
    /// All rights.
    pub held: BTreeSet<Held>,
    /// Roles that it is in, with whom is in them and whether they may let others in.
    pub roles: BTreeSet<(Grantee, String, bool)>,
    /// The role that it has from the beginning.
    pub default_role: Option<String>,
    /// Whom else it may be.
    pub proxies: BTreeSet<(String, bool)>,
    /// How it logs in; none where that may not be seen.
    pub login: Option<Login>,
    /// Tables and views, but for the server's own.
    #[serde(skip)]
    pub tables: BTreeMap<TableName, TableFacts>,
    /// Views, triggers, routines and events.
    #[serde(skip)]
    pub definers: Vec<Definer>,
    /// Names of databases.
    pub databases: Vec<String>,
    /// Where files may be read and written: nowhere (none), anywhere (empty), or below a folder.
    pub files: Option<String>,
    /// Other accounts of the same name: from other hosts.
    pub siblings: Vec<String>,
    /// Those among them, and accounts without a name, whose rights on databases and tables hold in sessions of this one, too.
    pub overlapping: BTreeSet<Grantee>,
    /// Rights by what they are on, for many questions.
    #[serde(skip)]
    index: Index,
}

/// Rights by what they are on.
#[derive(Clone, Debug, Default)]
struct Index {
    everywhere: Vec<Right>,
    /// Of one grantee on one pattern of databases.
    databases: BTreeMap<(Grantee, String), Vec<Right>>,
    by_table: HashMap<TableName, Vec<Right>>,
}

impl Index {
    fn of(held: &BTreeSet<Held>) -> Self {
        let mut it = Self::default();
        for held in held {
            match &held.right.place {
                Place::Server => it.everywhere.push(held.right.clone()),
                Place::Database(pattern) => {
                    let key = (held.whose.clone(), pattern.clone());
                    it.databases.entry(key).or_default().push(held.right.clone());
                }
                Place::Table(database, name) => {
                    let table = (database.clone(), name.clone());
                    it.by_table.entry(table).or_default().push(held.right.clone());
                }
                _ => {}
            }
        }
        it
    }

    /// Rights on a database. Of several patterns of one grantee that fit the server takes one, the most exact (Account
    /// Management, access control stage 2).
    fn on_database<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Right> {
        let mut best: BTreeMap<&Grantee, &String> = BTreeMap::new();
        for (whose, pattern) in self.databases.keys().filter(|it| fits(&it.1, name)) {
            let slot = best.entry(whose).or_insert(pattern);
            if exactness(pattern) > exactness(slot) {
                *slot = pattern;
            }
        }
        let chosen = best
            .into_iter()
            .filter_map(|(whose, pattern)| self.databases.get(&(whose.clone(), pattern.clone())));
        self.everywhere.iter().chain(chosen.flatten())
    }
}

/// How exact a pattern is: how much stands before its first sign for others.
fn exactness(pattern: &str) -> usize {
    let mut characters = pattern.chars().enumerate();
    while let Some((index, it)) = characters.next() {
        match it {
            '\\' => drop(characters.next()),
            '%' | '_' => return index,
            _ => {}
        }
    }
    usize::MAX
}

impl Rights {
    /// Reads what an account may do. It is named `user`, or `user@host` where there are several.
    ///
    /// # Errors
    /// When there is no such account, or several, or whoever is connected may not see it.
    pub fn read(session: &mut Session, account: &str) -> Result<Self, AccessError> {
        let (account, siblings) = find(session, account)?;
        let mut it = Self {
            database: session.target().database.clone(),
            held: BTreeSet::new(),
            roles: BTreeSet::new(),
            default_role: None,
            proxies: BTreeSet::new(),
            login: login(session, &account)?,
            tables: BTreeMap::new(),
            definers: Vec::new(),
            databases: Vec::new(),
            files: files(session)?,
            siblings,
            overlapping: BTreeSet::new(),
            account,
            index: Index::default(),
        };
        it.grants(session)?;
        let rows = session.rows(
            "SELECT schema_name FROM information_schema.schemata",
            &[],
            "databases",
        )?;
        let names = rows.iter().filter_map(|row| text_of(row, 0));
        it.databases = names.filter(|it| !SYSTEM.contains(&it.as_str())).collect();
        it.definers = definers(session)?;
        it.tables = tables(session, &it.definers)?;
        Ok(it)
    }

    /// The same of another account: what there is need not be looked at again.
    pub(super) fn of_other(
        &self,
        session: &mut Session,
        account: &str,
    ) -> Result<Self, AccessError> {
        let (account, siblings) = find(session, account)?;
        let mut it = Self {
            held: BTreeSet::new(),
            roles: BTreeSet::new(),
            default_role: None,
            proxies: BTreeSet::new(),
            login: login(session, &account)?,
            account,
            siblings,
            overlapping: BTreeSet::new(),
            ..self.clone()
        };
        it.grants(session)?;
        Ok(it)
    }

    fn grants(&mut self, session: &mut Session) -> Result<(), AccessError> {
        let known = privileges(session)?;
        self.overlapping = overlapping(session, &self.account)?;
        let mut asked: BTreeSet<Grantee> = BTreeSet::new();
        let mut left = vec![self.account.clone()];
        left.extend(self.overlapping.iter().cloned());
        if session.is_mariadb() && session.version() >= 101_100 {
            left.push(Grantee::Public);
        }
        while let Some(whose) = left.pop() {
            if !asked.insert(whose.clone()) {
                continue;
            }
            for line in show(session, &whose, &known)? {
                match line {
                    Line::Rights(whose, mut rights) => {
                        // What others have on the whole server, and to call, is theirs alone.
                        if self.overlapping.contains(&whose) {
                            rights.retain(|it| {
                                matches!(it.place, Place::Database(_) | Place::Table(..))
                            });
                        }
                        self.held.extend(
                            rights.into_iter().map(|right| Held { right, whose: whose.clone() }),
                        );
                    }
                    Line::Role(member, ..) if self.overlapping.contains(&member) => {}
                    Line::Role(member, role, is_admin) => {
                        left.push(Grantee::Role(role.clone()));
                        self.roles.insert((member, role, is_admin));
                    }
                    Line::Default(whose, role) if whose == self.account => {
                        self.default_role = Some(role);
                    }
                    Line::Proxy(whose, whom, is_grantable) if whose == self.account => {
                        self.proxies.insert((whom, is_grantable));
                    }
                    Line::Default(..) | Line::Proxy(..) => {}
                }
            }
        }
        self.index = Index::of(&self.held);
        Ok(())
    }

    /// The same with rights that were had.
    pub(super) fn with(&mut self, more: BTreeSet<Held>) {
        self.held.extend(more);
        self.index = Index::of(&self.held);
    }

    /// Rights on one table, wider ones among them.
    pub(super) fn on<'a>(&'a self, table: &'a TableName) -> impl Iterator<Item = &'a Right> {
        let wide = self.index.on_database(&table.0);
        wide.chain(self.index.by_table.get(table).into_iter().flatten())
    }

    /// The pattern by which the account itself has rights on a database, if it has some.
    pub(super) fn own_pattern(&self, database: &str) -> Option<&String> {
        let own = self.index.databases.keys().filter(|it| it.0 == self.account);
        own.map(|it| &it.1).filter(|it| fits(it, database)).max_by_key(|it| exactness(it))
    }

    /// The same with other rights instead.
    pub(super) fn instead(&self, held: BTreeSet<Held>) -> Self {
        Self { index: Index::of(&held), held, ..self.clone() }
    }

    /// Whether it has a privilege on all of a table.
    pub fn has(&self, privilege: &str, table: &TableName) -> bool {
        self.on(table).any(|it| it.privilege == privilege && it.column.is_none())
    }

    /// Whether it has a privilege on a column of a table.
    pub fn has_column(&self, privilege: &str, table: &TableName, column: &str) -> bool {
        self.on(table).any(|it| {
            it.privilege == privilege
                && it.column.as_deref().is_none_or(|it| it.eq_ignore_ascii_case(column))
        })
    }

    /// Whether it has a right, by itself or by a wider one.
    pub fn holds(&self, right: &Right) -> bool {
        match (&right.place, &right.column) {
            (Place::Server, _) => self.has_on_server(&right.privilege),
            (Place::Table(database, name), column) => {
                let table = (database.clone(), name.clone());
                match column {
                    Some(column) => self.has_column(&right.privilege, &table, column),
                    None => self.has(&right.privilege, &table),
                }
            }
            (Place::Database(pattern), _) => {
                let name = unescaped(pattern);
                self.index.on_database(&name).any(|it| it.privilege == right.privilege)
            }
            (place, _) => {
                let database = match place {
                    Place::Function(it, _) | Place::Procedure(it, _) | Place::Package(_, it, _) => {
                        it
                    }
                    _ => return false,
                };
                let is_it = |it: &Right| it.privilege == right.privilege;
                self.index.on_database(database).any(is_it)
                    || self.held.iter().any(|it| it.right.place == *place && is_it(&it.right))
            }
        }
    }

    /// Whether it has a privilege everywhere.
    pub fn has_on_server(&self, privilege: &str) -> bool {
        self.held
            .iter()
            .any(|it| it.right.privilege == privilege && it.right.place == Place::Server)
    }

    /// Whether nothing bounds it: it gives itself every right, or writes the tables in which rights stand.
    pub fn is_boundless(&self) -> bool {
        // The tables in which rights and code stand.
        let writes = |name: &str| {
            let table = ("mysql".to_string(), name.to_string());
            ["INSERT", "UPDATE"].iter().any(|it| self.has(it, &table))
        };
        const TABLES: [&str; 12] = [
            "global_priv",
            "user",
            "db",
            "tables_priv",
            "columns_priv",
            "procs_priv",
            "proxies_priv",
            "roles_mapping",
            "proc",
            "event",
            "func",
            "plugin",
        ];
        // To set others' passwords, or to make code that acts as they, is to be they.
        const SERVER: [&str; 3] = ["SUPER", "CREATE USER", "SET USER"];
        (self.has_on_server("GRANT OPTION") && self.has_on_server("SELECT"))
            || SERVER.iter().any(|it| self.has_on_server(it))
            || TABLES.iter().any(|it| writes(it))
    }

    /// Rights of the account itself.
    pub fn own(&self) -> impl Iterator<Item = &Right> {
        self.held.iter().filter(|it| it.whose == self.account).map(|it| &it.right)
    }

    /// Columns of a table, as it is now, asked by somebody who may call nothing: it is opened for that.
    pub(super) fn columns(
        &mut self,
        session: &mut Session,
        table: &TableName,
    ) -> Result<Vec<String>, AccessError> {
        let sql = "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION";
        let rows = session.rows(sql, &[&table.0, &table.1], "columns")?;
        let columns: Vec<String> = rows.iter().filter_map(|row| text_of(row, 0)).collect();
        if !columns.is_empty() {
            self.tables.entry(table.clone()).or_default().columns = columns.clone();
        }
        Ok(columns)
    }
}

/// The one name that a pattern without signs for others stands for.
pub(super) fn unescaped(pattern: &str) -> String {
    let mut out = String::new();
    let mut characters = pattern.chars();
    while let Some(it) = characters.next() {
        out.extend(if it == '\\' { characters.next() } else { Some(it) });
    }
    out
}

/// All privileges that the server knows, as SQL has them.
pub(super) fn privileges(session: &mut Session) -> Result<Vec<String>, AccessError> {
    let rows = session.rows("SHOW PRIVILEGES", &[], "privileges")?;
    Ok(rows.iter().filter_map(|row| Some(text_of(row, 0)?.to_uppercase())).collect())
}

/// What the server says of somebody's rights.
pub(super) fn show(
    session: &mut Session,
    whose: &Grantee,
    known: &[String],
) -> Result<Vec<Line>, AccessError> {
    let sql = format!("SHOW GRANTS FOR {}", whose.sql());
    let rows = match session.rows(&sql, &[], "rights") {
        // Nobody has given anything to everyone.
        Err(AccessError::Query { .. }) if *whose == Grantee::Public => return Ok(Vec::new()),
        other => other?,
    };
    let lines = rows.iter().filter_map(|row| text_of(row, 0));
    Ok(lines.filter_map(|line| parse_line(&line, known)).collect())
}

/// Who may log in: user, host.
pub(super) fn accounts(session: &mut Session) -> Result<Vec<(String, String)>, AccessError> {
    let sql = match session.is_mariadb() {
        true => "SELECT User, Host FROM mysql.user WHERE is_role <> 'Y' ORDER BY User, Host",
        false => "SELECT User, Host FROM mysql.user ORDER BY User, Host",
    };
    let rows = session.rows(sql, &[], "accounts")?;
    Ok(rows.iter().filter_map(|row| Some((text_of(row, 0)?, text_of(row, 1)?))).collect())
}

/// The account that is meant, and others of its name.
fn find(session: &mut Session, said: &str) -> Result<(Grantee, Vec<String>), AccessError> {
    let all = accounts(session)?;
    let of = |user: &str, host: &str| Grantee::Account { user: user.into(), host: host.into() };
    let whole = said.rsplit_once('@').map(|(user, host)| (user.to_string(), host.to_string()));
    let same =
        |user: &str| -> Vec<&(String, String)> { all.iter().filter(|it| it.0 == user).collect() };
    if let Some(it) = whole.filter(|it| all.contains(it)) {
        let others = same(&it.0).into_iter().filter(|other| **other != it);
        let others = others.map(|(user, host)| format!("{user}@{host}")).collect();
        return Ok((of(&it.0, &it.1), others));
    }
    match same(said).as_slice() {
        [] => Err(AccessError::NoAccount { name: said.to_string() }),
        [(user, host)] => Ok((of(user, host), Vec::new())),
        several => {
            let names: Vec<String> = several.iter().map(|(a, b)| format!("`{a}@{b}`")).collect();
            Err(AccessError::Several { name: said.to_string(), which: names.join(", ") })
        }
    }
}

/// Where the server reads and writes files for whoever may: nowhere, anywhere, or below a folder. MariaDB has no word for
/// nowhere, and shows nothing for anywhere; MySQL shows `NULL` for nowhere.
fn files(session: &mut Session) -> Result<Option<String>, AccessError> {
    let rows = session.rows("SHOW GLOBAL VARIABLES LIKE 'secure_file_priv'", &[], "settings")?;
    let value = rows.first().and_then(|row| text_of(row, 1)).unwrap_or_default();
    Ok(Some(value).filter(|it| it != "NULL"))
}

/// Accounts whose rights on databases and tables the server finds for a session of this one, since their hosts fit as well: of
/// the same name, and without one.
fn overlapping(session: &mut Session, account: &Grantee) -> Result<BTreeSet<Grantee>, AccessError> {
    let Grantee::Account { user, host } = account else { return Ok(BTreeSet::new()) };
    let all = accounts(session)?;
    let others = all.into_iter().filter(|it| {
        (it.0 == *user || it.0.is_empty())
            && (&it.0, &it.1) != (user, host)
            && (fits_host(&it.1, host) || fits_host(host, &it.1))
    });
    Ok(others.map(|(user, host)| Grantee::Account { user, host }).collect())
}

/// Whether a pattern of hosts fits a host.
pub(super) fn fits_host(pattern: &str, host: &str) -> bool {
    pattern.is_empty()
        || fits(pattern, host)
        || (pattern == "localhost" && matches!(host, "127.0.0.1" | "::1"))
}

/// How an account logs in; nothing where that may not be seen.
fn login(session: &mut Session, account: &Grantee) -> Result<Option<Login>, AccessError> {
    let Grantee::Account { user, host } = account else { return Ok(None) };
    let sql = match session.is_mariadb() {
        true => "SELECT CAST(Priv AS CHAR) FROM mysql.global_priv WHERE User = ? AND Host = ?",
        false => {
            "SELECT CONCAT('plugin=', plugin, ' empty=', authentication_string = '', ' locked=', account_locked) \
                  FROM mysql.user WHERE User = ? AND Host = ?"
        }
    };
    let rows = match session.rows(sql, &[user, host], "how it logs in") {
        Err(AccessError::Denied { .. }) => return Ok(None),
        other => other?,
    };
    let Some(text) = rows.first().and_then(|row| text_of(row, 0)) else { return Ok(None) };
    if !session.is_mariadb() {
        let is_open = text.contains("empty=1") && text.contains("_password ");
        return Ok(Some(Login { is_open, is_locked: text.contains("locked=Y") }));
    }
    // Nothing of what it is looked at for is a secret, and the rest is dropped.
    let known: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let is_open = |it: &serde_json::Value| {
        let plugin = it.get("plugin").and_then(|it| it.as_str()).unwrap_or("mysql_native_password");
        let secret = it.get("authentication_string").and_then(|it| it.as_str()).unwrap_or("");
        matches!(plugin, "mysql_native_password" | "mysql_old_password" | "ed25519")
            && secret.is_empty()
    };
    let either = known.get("auth_or").and_then(|it| it.as_array());
    Ok(Some(Login {
        is_open: match either {
            Some(ways) => ways.iter().any(|it| it.get("plugin").is_some() && is_open(it)),
            None => is_open(&known),
        },
        is_locked: known.get("account_locked").and_then(|it| it.as_bool()) == Some(true),
    }))
}

const NOT_SYSTEM: &str = "NOT IN ('information_schema', 'performance_schema', 'mysql', 'sys')";

/// Tables and views with their columns and rows. No table is opened for it, since what is opened may be a view by then.
fn tables(
    session: &mut Session,
    definers: &[Definer],
) -> Result<BTreeMap<TableName, TableFacts>, AccessError> {
    let sql = format!(
        "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA {NOT_SYSTEM}"
    );
    let mut found: BTreeMap<TableName, TableFacts> = BTreeMap::new();
    for row in session.rows(&sql, &[], "tables")? {
        let (Some(database), Some(name)) = (text_of(&row, 0), text_of(&row, 1)) else { continue };
        found.insert((database, name), TableFacts::default());
    }
    dictionary(session, &mut found)?;
    for view in definers.iter().filter(|it| it.kind == "VIEW") {
        if let Some(facts) = found.get_mut(&(view.database.clone(), view.name.clone())) {
            facts.columns = columns_of(&view.body);
        }
    }
    let estimates = "SELECT database_name, table_name, n_rows FROM mysql.innodb_table_stats";
    match session.rows(estimates, &[], "rows of tables") {
        Ok(rows) => {
            for row in rows {
                let (Some(database), Some(name)) = (text_of(&row, 0), text_of(&row, 1)) else {
                    continue;
                };
                if let Some(facts) = found.get_mut(&(database, name)) {
                    // Of a table that was never counted it says 0.
                    facts.rows = count_of(&row, 2).filter(|it| *it > 0);
                }
            }
        }
        // How many rows there are is told to those who may see it.
        Err(AccessError::Denied { .. } | AccessError::Query { .. }) => {}
        Err(error) => return Err(error),
    }
    Ok(found)
}

/// Names of the columns of a view: those after `AS` in what it selects, as the server writes it.
fn columns_of(body: &str) -> Vec<String> {
    let tokens = parse_tokens(body, Dialect::MARIADB);
    let start = tokens.iter().position(|it| it.is("select")).unwrap_or(0);
    let mut found = Vec::new();
    let mut depth = 0usize;
    for (index, token) in tokens.iter().enumerate().skip(start) {
        if token.is_sign("(") {
            depth += 1;
        } else if token.is_sign(")") {
            depth = depth.saturating_sub(1);
        } else if depth == 0 && token.is_any(&["from", "union", "where", "limit"]) {
            break;
        } else if depth == 0 && token.is("as") {
            found.extend(tokens.get(index + 1).and_then(Token::name));
        }
    }
    found
}

/// A name as it stands in names of files: `@0060` is a sign by its number (Mapping of Identifiers to Filenames).
fn decoded(name: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = name.split("#P#").next()?;
    while let Some((before, after)) = rest.split_once('@') {
        out.push_str(before);
        let code = u32::from_str_radix(after.get(..4)?, 16).ok()?;
        out.push(char::from_u32(code)?);
        rest = after.get(4..)?;
    }
    out.push_str(rest);
    Some(out)
}

/// Columns of the tables of InnoDB from its dictionary, which opens none; of others, and where it may not be read, they are not
/// known.
fn dictionary(
    session: &mut Session,
    found: &mut BTreeMap<TableName, TableFacts>,
) -> Result<(), AccessError> {
    // The server would put the two together table by table, for minutes.
    let tables = "SELECT TABLE_ID, NAME FROM information_schema.INNODB_SYS_TABLES";
    let columns =
        "SELECT TABLE_ID, NAME FROM information_schema.INNODB_SYS_COLUMNS ORDER BY TABLE_ID, POS";
    let (tables, columns) =
        match (session.rows(tables, &[], "tables"), session.rows(columns, &[], "columns")) {
            (Err(AccessError::Denied { .. } | AccessError::Query { .. }), _)
            | (_, Err(AccessError::Denied { .. } | AccessError::Query { .. })) => return Ok(()),
            (tables, columns) => (tables?, columns?),
        };
    let mut names: HashMap<u64, TableName> = HashMap::new();
    for row in tables {
        let (Some(id), Some(table)) = (count_of(&row, 0), text_of(&row, 1)) else { continue };
        let (database, name) = table.split_once('/').unwrap_or_default();
        if let (Some(database), Some(name)) = (decoded(database), decoded(name)) {
            names.insert(id, (database, name));
        }
    }
    for row in columns {
        let (Some(id), Some(column)) = (count_of(&row, 0), text_of(&row, 1)) else { continue };
        if let Some(facts) = names.get(&id).and_then(|it| found.get_mut(it))
            && !facts.columns.contains(&column)
        {
            facts.columns.push(column);
        }
    }
    Ok(())
}

/// Views, triggers, routines and events.
fn definers(session: &mut Session) -> Result<Vec<Definer>, AccessError> {
    let sql = format!(
        "SELECT 'VIEW', TABLE_SCHEMA, TABLE_NAME, SECURITY_TYPE, DEFINER, NULL, VIEW_DEFINITION, '' \
         FROM information_schema.VIEWS WHERE TABLE_SCHEMA {NOT_SYSTEM} \
         UNION ALL SELECT 'TRIGGER', TRIGGER_SCHEMA, TRIGGER_NAME, 'DEFINER', DEFINER, EVENT_OBJECT_TABLE, ACTION_STATEMENT, SQL_MODE \
         FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA {NOT_SYSTEM} \
         UNION ALL SELECT 'EVENT', EVENT_SCHEMA, EVENT_NAME, 'DEFINER', DEFINER, NULL, EVENT_DEFINITION, SQL_MODE \
         FROM information_schema.EVENTS WHERE EVENT_SCHEMA {NOT_SYSTEM} \
         UNION ALL SELECT ROUTINE_TYPE, ROUTINE_SCHEMA, ROUTINE_NAME, SECURITY_TYPE, DEFINER, NULL, ROUTINE_DEFINITION, SQL_MODE \
         FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA {NOT_SYSTEM}"
    );
    let mut found = Vec::new();
    for row in session.rows(&sql, &[], "views and routines")? {
        let text = |index: usize| text_of(&row, index).unwrap_or_default();
        found.push(Definer {
            kind: text(0),
            database: text(1),
            name: text(2),
            is_definer: text(3) == "DEFINER",
            definer: text(4),
            table: text_of(&row, 5),
            body: text(6),
            parameters: Vec::new(),
            mode: text(7),
        });
    }
    let sql = format!(
        "SELECT SPECIFIC_SCHEMA, SPECIFIC_NAME, ROUTINE_TYPE, PARAMETER_NAME FROM information_schema.PARAMETERS \
         WHERE PARAMETER_NAME IS NOT NULL AND SPECIFIC_SCHEMA {NOT_SYSTEM}"
    );
    for row in session.rows(&sql, &[], "parameters")? {
        let text = |index: usize| text_of(&row, index).unwrap_or_default();
        let is_it = |it: &&mut Definer| {
            (&it.database, &it.name, &it.kind) == (&text(0), &text(1), &text(2))
        };
        if let Some(it) = found.iter_mut().find(is_it) {
            it.parameters.push(text(3));
        }
    }
    Ok(found)
}

/// The name of a table as a server writes it in what it says.
pub(super) fn said_of(table: &TableName) -> String {
    format!("{}.{}", quote(&table.0), quote(&table.1))
}
