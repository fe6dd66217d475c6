//! What an account does: its statements, and the rights that they need, as the server says it of one that has none.

use super::body::{Body, parse_body};
use super::probe::{Answer, Denial, Probe};
use super::right::{Grantee, Place, Right};
use super::rights::{Definer, Rights, SYSTEM, TableName, said_of};
use super::session::Session;
use super::source::{Text, texts};
use super::statement::{
    Plan, Temporary, name_at, name_of, plan, preparable, without_calls, words_in,
};
use crate::sql::{Dialect, parse_tokens, without_literals};
use crate::{AccessError, Evidence, Necessity, Source, Sources, sensitive};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Rounds in which one statement is asked for again: each gives what was lacking.
const ROUNDS_MAX: usize = 400;

/// Views in views that are followed.
const DEPTH_MAX: usize = 16;

/// Statements that are tried for one right beyond the one that needs it, to know how often it is needed.
const TRIES_MAX: usize = 40;

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
    words: BTreeSet<String>,
    #[serde(skip)]
    is_migration: bool,
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
    /// Temporary tables that it makes.
    #[serde(skip)]
    pub(super) temporary: Vec<(String, String, Vec<String>)>,
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

/// Asks the server which statements the account sends, and which rights they need.
///
/// # Errors
/// When nobody keeps statements, whoever is connected may not make an account for looking, or the server goes away.
pub fn learn(
    session: &mut Session,
    rights: &mut Rights,
    sources: &Sources,
) -> Result<Learned, AccessError> {
    let mut learned = Learned {
        account: rights.account.to_string(),
        until: session.text("SELECT NOW()", "the time")?.unwrap_or_default(),
        seen_in: Vec::new(),
        statements: Vec::new(),
        needed: Vec::new(),
        roles: BTreeSet::new(),
        temporary: Vec::new(),
    };
    let mode = session.text("SELECT @@GLOBAL.sql_mode", "settings")?.unwrap_or_default();
    let dialect = dialect(&mode);
    let found = texts(session, rights, sources, &mut learned.seen_in)?;
    let functions = functions(session, rights)?;
    let probe = Probe::open(session)?;
    let mut it = Learner {
        probe,
        dialect,
        calling: calling(rights, &functions),
        rights,
        functions,
        learned,
        expanded: BTreeSet::new(),
        ruled: BTreeSet::new(),
        no_migrations: sources.no_migrations,
    };
    it.add_texts(found);
    it.add_own();
    it.grow()?;
    it.shrink()?;
    let Learner { probe, learned, .. } = it;
    probe.close()?;
    Ok(learned)
}

/// How a mode has double quotes.
pub(super) fn dialect(mode: &str) -> Dialect {
    match mode.split(',').any(|it| it == "ANSI_QUOTES") {
        true => Dialect::MariadbAnsi,
        false => Dialect::Mariadb,
    }
}

/// Stored functions by database and name in lower case; functions from libraries have no database.
type Functions = BTreeSet<(String, String)>;

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

/// Views that call functions, by themselves or in a view that they read.
fn calling(rights: &Rights, functions: &Functions) -> BTreeMap<String, bool> {
    let mut found: BTreeMap<String, bool> = BTreeMap::new();
    loop {
        let before = found.len();
        for view in rights.definers.iter().filter(|it| it.kind == "VIEW") {
            let name = view.name.to_lowercase();
            let words = words_in(&view.body, Dialect::Mariadb);
            let is_function = |database: &str, name: &str| is_function(functions, database, name);
            let (_, calls) =
                without_calls(&view.body, Some(&view.database), Dialect::Mariadb, is_function);
            let of_library = calls
                .iter()
                .any(|it| !functions.contains(&(it.0.to_lowercase(), it.1.to_lowercase())));
            let inner: Vec<bool> =
                found.iter().filter(|it| words.contains(it.0)).map(|it| *it.1).collect();
            if !calls.is_empty() || !inner.is_empty() {
                found.insert(name, of_library || inner.contains(&true));
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

/// Whether a function is stored in a database, or comes from a library.
fn is_function(functions: &Functions, database: &str, name: &str) -> bool {
    let name = name.to_lowercase();
    functions.contains(&(database.to_lowercase(), name.clone()))
        || functions.contains(&(String::new(), name))
}

struct Learner<'a> {
    probe: Probe<'a>,
    rights: &'a mut Rights,
    dialect: Dialect,
    functions: Functions,
    /// Names of views that call functions, and whether one of those is in a library.
    calling: BTreeMap<String, bool>,
    learned: Learned,
    /// Views and routines whose inner life is among the statements.
    expanded: BTreeSet<(String, String, String)>,
    /// Rights that rules tell of, and nobody can try.
    ruled: BTreeSet<Right>,
    no_migrations: bool,
}

impl Learner<'_> {
    fn add_texts(&mut self, texts: Vec<Text>) {
        // Tables that later statements use are made first.
        let planned = texts.into_iter().map(|it| {
            let text = preparable(&it.text, self.dialect);
            let plan = plan(&text, it.database.as_deref(), self.dialect);
            (it, plan)
        });
        let mut planned: Vec<(Text, Plan)> = planned.collect();
        planned.sort_by_key(|(_, plan)| plan.makes.is_none());
        for (text, mut plan) in planned {
            if plan.is_migration && self.is_about_temporary(&text) {
                plan = Plan::default();
            }
            if plan.is_migration && self.no_migrations {
                continue;
            }
            let shown = without_literals(&text.text, self.dialect);
            let cut = text.is_cut.then(|| "the server kept only its beginning".to_string());
            self.add(shown, text.database, text.calls, text.source, None, plan, cut);
        }
    }

    /// Whether a statement alters or drops a table that the account made for a while.
    fn is_about_temporary(&self, text: &Text) -> bool {
        let tokens = parse_tokens(&text.text, self.dialect);
        let Some(at) = tokens.iter().take(4).position(|it| it.is_any(&["table", "on"])) else {
            return false;
        };
        let skipped = if tokens.get(at + 1).is_some_and(|it| it.is("if")) { 2 } else { 0 };
        let named = name_at(&tokens, at + 1 + skipped, text.database.as_deref());
        named.is_some_and(|(table, _)| self.is_temporary(&table))
    }

    #[allow(clippy::too_many_arguments, reason = "what a statement is, said once")]
    fn add(
        &mut self,
        text: String,
        database: Option<String>,
        calls: u64,
        source: Source,
        within: Option<String>,
        mut plan: Plan,
        cut: Option<String>,
    ) {
        if let Some(body) = plan.body.take() {
            let body = parse_body(&body, &[]);
            let label = Some("a block of statements".to_string());
            self.add_body(&body, database.as_deref(), calls, source, label);
        }
        let mut prepares = Vec::new();
        for text in plan.prepares {
            let is_function =
                |database: &str, name: &str| is_function(&self.functions, database, name);
            let (text, calls) =
                without_calls(&text, database.as_deref(), self.dialect, is_function);
            for (database, name) in calls {
                // Functions of libraries may be called by everyone.
                if self.functions.contains(&(database.to_lowercase(), name.to_lowercase())) {
                    plan.rights.insert(Right::on("EXECUTE", Place::Function(database, name)));
                }
            }
            if let Some(why) = self.calls_in_views(&text) {
                plan.unproved = Some(why);
                continue;
            }
            plan.rights.extend(self.loaded(&text, database.as_deref()));
            prepares.push(text);
        }
        if let Some(made) = plan.makes {
            self.makes(made, database.as_deref());
        }
        self.learned.roles.extend(plan.roles);
        let words = prepares.iter().flat_map(|it| words_in(it, self.dialect)).collect();
        self.learned.statements.push(Statement {
            text,
            database,
            calls,
            source,
            within,
            unproved: cut.clone().or(plan.unproved).into_iter().collect(),
            refused: None,
            prepares: if cut.is_some() { Vec::new() } else { prepares },
            rights: plan.rights,
            any: plan.any,
            words,
            is_migration: plan.is_migration,
        });
    }

    /// Whether a view calls functions that the server might run while it prepares: where nothing can be written that is no
    /// harm, but functions of libraries may do anything.
    fn calls_in_views(&self, text: &str) -> Option<String> {
        let words = words_in(text, self.dialect);
        let (view, is_of_library) = self.calling.iter().find(|it| words.contains(it.0))?;
        (*is_of_library || super::probe::writes(text))
            .then(|| format!("the view {view} calls functions that might run"))
    }

    /// Columns that `LOAD DATA` fills: of it the server looks at the table only.
    fn loaded(&self, text: &str, database: Option<&str>) -> BTreeSet<Right> {
        let tokens = parse_tokens(text, self.dialect);
        if !tokens.first().is_some_and(|it| it.is("load")) {
            return BTreeSet::new();
        }
        let at = tokens
            .windows(2)
            .position(|it| it.iter().zip(["into", "table"]).all(|(token, word)| token.is(word)));
        let named = at.and_then(|at| name_at(&tokens, at + 2, database));
        let Some((table, end)) = named else { return BTreeSet::new() };
        let rest: BTreeSet<String> =
            tokens.iter().skip(end).filter_map(name_of).map(|it| it.to_lowercase()).collect();
        let is_listed = tokens.iter().skip(end).any(|it| it.is_sign("("));
        let columns = self.rights.tables.get(&table).map(|it| it.columns.as_slice());
        let filled = columns.unwrap_or_default().iter();
        filled
            .filter(|it| !is_listed || rest.contains(&it.to_lowercase()))
            .map(|it| Right::column("INSERT", table.clone(), it.as_str()))
            .collect()
    }

    /// Notes a temporary table, unless one that stays has its name.
    fn makes(&mut self, made: Temporary, database: Option<&str>) {
        let Some(place) = made.database.or_else(|| database.map(str::to_string)) else { return };
        let table = (place, made.name);
        if self.rights.tables.contains_key(&table) {
            return;
        }
        let mut columns = made.columns;
        if let Some((place, name)) = made.like
            && let Some(place) = place.or_else(|| database.map(str::to_string))
            && let Some(facts) = self.rights.tables.get(&(place, name))
        {
            columns = facts.columns.clone();
        }
        // Names of a query's columns are asked for when it can be prepared.
        columns.extend(made.query.map(|it| format!("\0{it}")));
        self.learned.temporary.push((table.0, table.1, columns));
    }

    fn add_body(
        &mut self,
        body: &Body,
        database: Option<&str>,
        calls: u64,
        source: Source,
        within: Option<String>,
    ) {
        for piece in &body.pieces {
            let text = preparable(piece, self.dialect);
            let plan = plan(&text, database, self.dialect);
            let shown = without_literals(piece, self.dialect);
            self.add(
                shown,
                database.map(str::to_string),
                calls,
                source,
                within.clone(),
                plan,
                None,
            );
        }
        for why in &body.unproved {
            let plan = Plan { unproved: Some(why.clone()), ..Plan::default() };
            let shown = within.clone().unwrap_or_default();
            self.add(
                shown,
                database.map(str::to_string),
                calls,
                source,
                within.clone(),
                plan,
                None,
            );
        }
    }

    /// What acts with the rights of the account: views, triggers, routines and events that it made.
    fn add_own(&mut self) {
        let account = self.rights.account.to_string();
        let own = |it: &&Definer| it.is_definer && it.definer == account;
        let own: Vec<Definer> = self.rights.definers.iter().filter(own).cloned().collect();
        for it in own {
            self.add_inner(&it, Source::Static, 0);
        }
    }

    /// What something does that is called with the rights of the account.
    fn add_inner(&mut self, it: &Definer, source: Source, calls: u64) {
        let key = (it.kind.clone(), it.database.clone(), it.name.clone());
        if !self.expanded.insert(key) {
            return;
        }
        let label = Some(format!("{} {}.{}", it.kind.to_lowercase(), it.database, it.name));
        if it.kind == "VIEW" {
            let plan =
                Plan { prepares: vec![preparable(&it.body, Dialect::Mariadb)], ..Plan::default() };
            let shown = without_literals(&it.body, Dialect::Mariadb);
            self.add(shown, Some(it.database.clone()), calls, source, label, plan, None);
            return;
        }
        let mut body = parse_body(&it.body, &it.parameters);
        if it.mode.split(',').any(|it| it == "ORACLE") {
            body = Body {
                unproved: vec!["it is written in the manner of Oracle".into()],
                ..Body::default()
            };
        }
        self.add_body(&body, Some(&it.database), calls, source, label.clone());
        let mut plan = Plan::default();
        if let Some(table) = &it.table {
            // Whoever made a trigger must be allowed to, and to see and set what it sees and sets of a row.
            let table = (it.database.clone(), table.clone());
            plan.rights.insert(super::statement::on_table("TRIGGER", table.clone()));
            let column = |privilege: &str, name: &String| {
                Right::column(privilege, table.clone(), name.clone())
            };
            plan.rights.extend(body.reads.iter().map(|it| column("SELECT", it)));
            plan.rights.extend(body.sets.iter().map(|it| column("UPDATE", it)));
        }
        if it.kind == "EVENT" {
            plan.rights.insert(Right::on("EVENT", Place::database(&it.database)));
        }
        if !plan.rights.is_empty() {
            let shown = label.clone().unwrap_or_default();
            self.add(shown, Some(it.database.clone()), calls, source, label, plan, None);
        }
    }

    /// Gives the probe what statements lack, until all can be prepared.
    fn grow(&mut self) -> Result<(), AccessError> {
        let mut done = 0;
        self.temporaries()?;
        while done < self.learned.statements.len() {
            self.grow_one(done, 0)?;
            done += 1;
            if done == self.learned.statements.len() {
                self.routines();
            }
        }
        Ok(())
    }

    /// Makes the temporary tables.
    fn temporaries(&mut self) -> Result<(), AccessError> {
        let all = std::mem::take(&mut self.learned.temporary);
        for (database, name, mut columns) in all {
            let right = Right::on("CREATE TEMPORARY TABLES", Place::database(&database));
            if !self.rights.holds(&right) {
                continue;
            }
            self.give(&[right])?;
            if let Some(query) = columns.pop_if(|it| it.starts_with('\0')) {
                let query = query.trim_start_matches('\0').to_string();
                let index =
                    self.learned.statements.iter().position(|it| it.prepares.contains(&query));
                if let Some(index) = index {
                    self.grow_one(index, 0)?;
                    let prepares = self
                        .learned
                        .statements
                        .get(index)
                        .and_then(|it| it.prepares.first().cloned());
                    columns.extend(
                        self.probe.columns(Some(&database), &prepares.unwrap_or_default())?,
                    );
                }
            }
            let mut seen = BTreeSet::new();
            columns.retain(|it| seen.insert(it.to_lowercase()));
            if !columns.is_empty() {
                self.probe.temporary(&database, &name, &columns)?;
            }
            self.learned.temporary.push((database, name, columns));
        }
        Ok(())
    }

    fn is_temporary(&self, table: &TableName) -> bool {
        self.learned.temporary.iter().any(|it| (&it.0, &it.1) == (&table.0, &table.1))
    }

    fn give(&mut self, rights: &[Right]) -> Result<bool, AccessError> {
        let new: Vec<Right> =
            rights.iter().filter(|it| !self.probe.given().contains(it)).cloned().collect();
        if new.is_empty() {
            return Ok(false);
        }
        let given = self.probe.give(&new)?;
        if new.iter().any(|it| matches!(it.place, Place::Database(_))) {
            self.probe.again();
        }
        Ok(given.is_ok())
    }

    /// Gives what one statement lacks.
    fn grow_one(&mut self, index: usize, depth: usize) -> Result<(), AccessError> {
        let Some(statement) = self.learned.statements.get(index).cloned() else { return Ok(()) };
        for right in &statement.rights {
            if let Place::Table(database, name) = &right.place
                && self.is_temporary(&(database.clone(), name.clone()))
            {
                continue;
            }
            if !self.rights.holds(right) {
                self.refuse(index, right);
                return Ok(());
            }
            if right.place == Place::Server
                || self.give(std::slice::from_ref(right))?
                || self.probe.given().contains(right)
            {
                self.ruled.insert(right.clone());
            }
        }
        for (privilege, table) in &statement.any {
            if !self.is_temporary(table) && !self.seed(index, privilege, table, &statement.words)? {
                return Ok(());
            }
        }
        for text in &statement.prepares {
            if !self.grow_text(index, text, &statement, depth)? {
                break;
            }
        }
        Ok(())
    }

    fn refuse(&mut self, index: usize, right: &Right) {
        if let Some(it) = self.learned.statements.get_mut(index) {
            it.refused = Some(format!("it needs {right}, which the account does not have"));
        }
    }

    fn cannot_tell(&mut self, index: usize, why: String) {
        if let Some(it) = self.learned.statements.get_mut(index) {
            it.unproved.push(why);
        }
    }

    /// Gives what a text lacks; whether it can be prepared then.
    fn grow_text(
        &mut self,
        index: usize,
        text: &str,
        statement: &Statement,
        depth: usize,
    ) -> Result<bool, AccessError> {
        for _ in 0..ROUNDS_MAX {
            let (denial, says) = match self.probe.prepare(statement.database.as_deref(), text)? {
                Answer::Fine => return Ok(true),
                Answer::Denied(denial, says) => (denial, says),
                Answer::Other(says) => {
                    self.cannot_tell(index, says);
                    return Ok(false);
                }
            };
            let goes_on = match denial {
                Denial::Table { privileges, table } => {
                    self.lacks_table(index, &privileges, &table, statement)?
                }
                Denial::Column { privileges, column, table } => {
                    self.lacks_column(index, &privileges, &column, &table, statement)?
                }
                Denial::View if depth < DEPTH_MAX => self.lacks_in_view(index, depth)?,
                Denial::Server(which) => {
                    let why = format!(
                        "it needs {which} on the whole server, which is taken all the same"
                    );
                    self.cannot_tell(index, why);
                    return Ok(false);
                }
                Denial::Routine(_) | Denial::Database | Denial::View => {
                    self.cannot_tell(index, says);
                    return Ok(false);
                }
            };
            match goes_on {
                Some(true) => {}
                Some(false) => {
                    self.cannot_tell(index, says);
                    return Ok(false);
                }
                None => return Ok(false),
            }
        }
        self.cannot_tell(index, "it lacks something else each time".into());
        Ok(false)
    }

    /// What the server calls a table.
    fn table_of(
        &mut self,
        said: &str,
        statement: &Statement,
    ) -> Result<Option<TableName>, AccessError> {
        let known = self.rights.tables.keys().find(|it| said_of(it) == said);
        if let Some(it) = known {
            return Ok(Some(it.clone()));
        }
        // Older servers leave the database out; the server's own tables are looked up by name.
        let short = said.strip_prefix('\'').and_then(|it| it.strip_suffix('\''));
        let table = match short {
            Some(name) => {
                let place = statement.database.clone().unwrap_or_default();
                let named = |it: &&TableName| {
                    it.1 == name && statement.words.contains(&it.0.to_lowercase())
                };
                let other = self.rights.tables.keys().find(named).cloned();
                other.unwrap_or((place, name.to_string()))
            }
            None => {
                let inner = said.strip_prefix('`').and_then(|it| it.strip_suffix('`'));
                match inner.and_then(|it| it.split_once("`.`")) {
                    Some((database, name)) => (database.to_string(), name.to_string()),
                    None => return Ok(None),
                }
            }
        };
        let columns = self.rights.columns(self.probe.admin(), &table)?;
        Ok((!columns.is_empty()).then_some(table))
    }

    /// Gives privileges on a table: on a column first, so that the server names the others that are needed.
    fn lacks_table(
        &mut self,
        index: usize,
        privileges: &[String],
        said: &str,
        statement: &Statement,
    ) -> Result<Option<bool>, AccessError> {
        let Some(table) = self.table_of(said, statement)? else { return Ok(Some(false)) };
        let mut is_more = false;
        for privilege in privileges {
            let is_by_column =
                matches!(privilege.as_str(), "SELECT" | "INSERT" | "UPDATE" | "REFERENCES");
            if is_by_column {
                let has_some = self.probe.given().iter().any(|it| {
                    it.privilege == *privilege && it.column.is_some() && is_on(&it.place, &table)
                });
                if !has_some {
                    if !self.seed(index, privilege, &table, &statement.words)? {
                        return Ok(None);
                    }
                    is_more = true;
                    continue;
                }
                // `SELECT *`, and INSERT without names: all columns.
                let columns = self.rights.tables.get(&table).map(|it| it.columns.clone());
                let all: Vec<Right> = columns
                    .unwrap_or_default()
                    .into_iter()
                    .map(|it| Right::column(privilege, table.clone(), it))
                    .collect();
                if let Some(missing) = all.iter().find(|it| !self.rights.holds(it)) {
                    let missing = missing.clone();
                    self.refuse(index, &missing);
                    return Ok(None);
                }
                is_more |= self.give(&all)?;
                continue;
            }
            // To be shown a table takes any right on all of it; this one shows the least.
            let names: &[&str] = match privilege.as_str() {
                "SHOW" => &["SHOW VIEW", "TRIGGER", "INDEX", "DELETE", "SELECT"],
                one => &[one],
            };
            let right =
                |name: &str| Right::on(name, Place::Table(table.0.clone(), table.1.clone()));
            let Some(right) = names.iter().map(|it| right(it)).find(|it| self.rights.holds(it))
            else {
                self.refuse(index, &right(names.first().copied().unwrap_or_default()));
                return Ok(None);
            };
            is_more |= self.give(&[right])?;
        }
        Ok(Some(is_more))
    }

    /// Gives a privilege on one column, unless there is one already: one that is named and not sensitive, if possible.
    fn seed(
        &mut self,
        index: usize,
        privilege: &str,
        table: &TableName,
        words: &BTreeSet<String>,
    ) -> Result<bool, AccessError> {
        let is_there = self
            .probe
            .given()
            .iter()
            .any(|it| it.privilege == privilege && is_on(&it.place, table));
        if is_there {
            return Ok(true);
        }
        if self.rights.tables.get(table).is_none_or(|it| it.columns.is_empty()) {
            self.rights.columns(self.probe.admin(), table)?;
        }
        let columns =
            self.rights.tables.get(table).map(|it| it.columns.clone()).unwrap_or_default();
        let mut columns: Vec<&String> =
            columns.iter().filter(|it| self.rights.has_column(privilege, table, it)).collect();
        columns.sort_by_key(|it| (!words.contains(&it.to_lowercase()), sensitive(it).is_some()));
        match columns.first() {
            Some(column) => {
                let right = Right::column(privilege, table.clone(), column.as_str());
                self.give(&[right])?;
                Ok(true)
            }
            None => {
                self.refuse(index, &super::statement::on_table(privilege, table.clone()));
                Ok(false)
            }
        }
    }

    /// Gives privileges on a column; its table is named without a database, so each that it can be gets them.
    fn lacks_column(
        &mut self,
        index: usize,
        privileges: &[String],
        column: &str,
        name: &str,
        statement: &Statement,
    ) -> Result<Option<bool>, AccessError> {
        let touched: BTreeSet<TableName> = self
            .probe
            .given()
            .iter()
            .filter_map(|it| match &it.place {
                Place::Table(database, table) if table == name => {
                    Some((database.clone(), table.clone()))
                }
                _ => None,
            })
            .filter(|(database, _)| {
                statement.database.as_deref() == Some(database)
                    || statement.words.contains(&database.to_lowercase())
                    || statement.within.is_some()
            })
            .collect();
        let mut is_more = false;
        let mut unheld = None;
        for table in &touched {
            for privilege in privileges {
                let right = Right::column(privilege, table.clone(), column);
                match self.rights.holds(&right) {
                    true => is_more |= self.give(&[right])?,
                    false => unheld = Some(right),
                }
            }
        }
        // What it says of the columns that an INSERT changes where a row is there already is not all that is asked for.
        if !is_more && unheld.is_none() {
            for table in &touched {
                for privilege in ["SELECT", "INSERT", "UPDATE"] {
                    let right = Right::column(privilege, table.clone(), column);
                    if self.rights.holds(&right) {
                        is_more |= self.give(&[right])?;
                    }
                }
            }
        }
        match unheld {
            Some(right) if !is_more => {
                self.refuse(index, &right);
                Ok(None)
            }
            _ => Ok(Some(is_more)),
        }
    }

    /// A view that reads with the rights of whoever reads it: what it reads is read first.
    fn lacks_in_view(&mut self, index: usize, depth: usize) -> Result<Option<bool>, AccessError> {
        let given: BTreeSet<(String, String)> = self
            .probe
            .given()
            .iter()
            .filter_map(|it| match &it.place {
                Place::Table(database, name) => Some((database.clone(), name.clone())),
                _ => None,
            })
            .collect();
        let is_new = |it: &&Definer| {
            it.kind == "VIEW"
                && !it.is_definer
                && given.contains(&(it.database.clone(), it.name.clone()))
                && !self.expanded.contains(&("VIEW".into(), it.database.clone(), it.name.clone()))
        };
        let views: Vec<Definer> = self.rights.definers.iter().filter(is_new).cloned().collect();
        let (source, calls) =
            self.learned.statements.get(index).map_or((Source::Run, 0), |it| (it.source, it.calls));
        for view in &views {
            let at = self.learned.statements.len();
            self.add_inner(view, source, calls);
            self.grow_one(at, depth + 1)?;
        }
        Ok(Some(!views.is_empty()))
    }

    /// Routines that are called and have the rights of whoever calls them: what they do is done by the account.
    fn routines(&mut self) {
        let called: Vec<(String, String, String)> = self
            .ruled
            .iter()
            .filter_map(|it| match &it.place {
                Place::Function(database, name) => {
                    Some(("FUNCTION".to_string(), database.clone(), name.clone()))
                }
                Place::Procedure(database, name) => {
                    Some(("PROCEDURE".to_string(), database.clone(), name.clone()))
                }
                _ => None,
            })
            .collect();
        for (kind, database, name) in called {
            let is_it = |it: &&Definer| {
                !it.is_definer
                    && it.kind == kind
                    && it.database.eq_ignore_ascii_case(&database)
                    && it.name.eq_ignore_ascii_case(&name)
            };
            let Some(it) = self.rights.definers.iter().find(is_it).cloned() else { continue };
            let right = Right::on(
                "EXECUTE",
                match kind.as_str() {
                    "FUNCTION" => Place::Function(database, name),
                    _ => Place::Procedure(database, name),
                },
            );
            let calling = self.learned.statements.iter().filter(|it| it.rights.contains(&right));
            let calls = calling.clone().map(|it| it.calls).sum();
            let source = calling.map(|it| it.source).min().unwrap_or(Source::Static);
            self.add_inner(&it, source, calls);
        }
    }

    /// Takes away what was given and is not needed after all, and sees who misses what.
    fn shrink(&mut self) -> Result<(), AccessError> {
        let mut all: Vec<Right> = self.probe.given().iter().cloned().collect();
        let is_sensitive =
            |it: &Right| it.column.as_deref().is_some_and(|it| sensitive(it).is_some());
        all.sort_by_key(|it| (!is_sensitive(it), it.column.is_some()));
        let mut needed: Vec<Needed> = Vec::new();
        for right in all {
            if self.ruled.contains(&right) {
                let is_by_rule = |it: &Statement| it.rights.contains(&right);
                let by: Vec<usize> = self.positions(is_by_rule).collect();
                needed.push(self.needed(right, Necessity::Analysed, by));
                continue;
            }
            if matches!(right.place, Place::Database(_)) {
                let makes = |it: &Statement| it.rights.contains(&right);
                let by: Vec<usize> = self.positions(makes).collect();
                needed.push(self.needed(right, Necessity::Analysed, by));
                continue;
            }
            let by = self.missing(&right)?;
            if !by.is_empty() {
                needed.push(self.needed(right, Necessity::Refused, by));
            }
        }
        for right in self.ruled.iter().filter(|it| it.place == Place::Server) {
            let by: Vec<usize> = self.positions(|it| it.rights.contains(right)).collect();
            needed.push(self.needed(right.clone(), Necessity::Analysed, by));
        }
        self.keep(&mut needed);
        needed.sort_by(|a, b| a.right.cmp(&b.right));
        self.learned.needed = needed;
        Ok(())
    }

    fn positions<'b>(
        &'b self,
        is_it: impl Fn(&Statement) -> bool + 'b,
    ) -> impl Iterator<Item = usize> + 'b {
        self.learned.statements.iter().enumerate().filter(move |it| is_it(it.1)).map(|it| it.0)
    }

    fn needed(&self, right: Right, necessity: Necessity, statements: Vec<usize>) -> Needed {
        let of = |it: &usize| self.learned.statements.get(*it);
        let is_run = statements.iter().filter_map(of).any(|it| it.source == Source::Run);
        Needed {
            calls: statements.iter().filter_map(of).map(|it| it.calls).sum(),
            evidence: if is_run { Evidence::Run } else { Evidence::Static },
            right,
            necessity,
            statements,
        }
    }

    /// Leaves a right out; answers which statements miss it, and gives it back if any does.
    fn missing(&mut self, right: &Right) -> Result<Vec<usize>, AccessError> {
        let Place::Table(database, name) = &right.place else { return Ok(Vec::new()) };
        let table = (database.clone(), name.clone());
        let lower = name.to_lowercase();
        let column = right.column.as_ref().map(|it| it.to_lowercase());
        let can = |it: &Statement| {
            it.unproved.is_empty()
                && it.refused.is_none()
                && (it.words.contains(&lower) || it.any.iter().any(|it| it.1 == table))
        };
        let mut tries: Vec<usize> = self.positions(can).collect();
        // Those that name the column are the likely ones.
        let names = |index: &usize| {
            let words = self.learned.statements.get(*index).map(|it| &it.words);
            column.as_ref().zip(words).is_some_and(|(column, words)| words.contains(column))
        };
        tries.sort_by_key(|it| !names(it));
        self.probe.take(std::slice::from_ref(right))?;
        let mut by = Vec::new();
        for (count, index) in tries.into_iter().enumerate() {
            if count >= TRIES_MAX && !by.is_empty() {
                break;
            }
            if !self.still_works(index)? {
                by.push(index);
            }
        }
        if !by.is_empty() {
            self.give(std::slice::from_ref(right))?;
        }
        Ok(by)
    }

    fn still_works(&mut self, index: usize) -> Result<bool, AccessError> {
        let Some(it) = self.learned.statements.get(index) else { return Ok(true) };
        let (database, prepares, any) = (it.database.clone(), it.prepares.clone(), it.any.clone());
        for (privilege, table) in &any {
            let has = self
                .probe
                .given()
                .iter()
                .any(|it| it.privilege == *privilege && is_on(&it.place, table));
            if !has && !self.is_temporary(table) {
                return Ok(false);
            }
        }
        for text in prepares {
            if matches!(self.probe.prepare(database.as_deref(), &text)?, Answer::Denied(..)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Rights that are kept for what cannot be told.
    fn keep(&self, needed: &mut Vec<Needed>) {
        let mut known: BTreeMap<Right, Vec<usize>> = BTreeMap::new();
        for (index, statement) in self.learned.statements.iter().enumerate() {
            if statement.unproved.is_empty() {
                continue;
            }
            for right in kept(statement, self.rights, self.dialect) {
                known.entry(right).or_default().push(index);
            }
        }
        for (right, statements) in known {
            if needed.iter().any(|it| it.right == right) {
                continue;
            }
            let mut it = self.needed(right, Necessity::Kept, statements);
            it.evidence = Evidence::Unproved;
            needed.push(it);
        }
    }
}

pub(super) fn is_on(place: &Place, table: &TableName) -> bool {
    matches!(place, Place::Table(database, name) if (database, name) == (&table.0, &table.1))
}

/// Rights of the account on what a statement names, of the kinds of its keywords; all that makes things for one that does.
fn kept(statement: &Statement, rights: &Rights, dialect: Dialect) -> BTreeSet<Right> {
    const MAKES: [&str; 12] = [
        "CREATE",
        "ALTER",
        "DROP",
        "INDEX",
        "REFERENCES",
        "CREATE VIEW",
        "SHOW VIEW",
        "TRIGGER",
        "CREATE ROUTINE",
        "ALTER ROUTINE",
        "EVENT",
        "CREATE TEMPORARY TABLES",
    ];
    let words = words_in(&statement.text, dialect);
    let mut kept = BTreeSet::new();
    if statement.is_migration {
        let is_kept =
            |it: &&Right| MAKES.contains(&it.privilege.as_str()) && it.place != Place::Server;
        kept.extend(rights.own().filter(is_kept).cloned());
        // What is had everywhere is kept where it was used.
        for privilege in MAKES.iter().filter(|it| rights.has_on_server(it)) {
            kept.extend(
                statement.database.iter().map(|it| Right::on(*privilege, Place::database(it))),
            );
        }
    }
    let has = |list: &[&str]| list.iter().any(|it| words.contains(*it));
    let all = [
        ("SELECT", true),
        ("INSERT", has(&["insert", "replace", "load"])),
        ("UPDATE", has(&["update"])),
        ("DELETE", has(&["delete", "replace"])),
    ];
    let is_dynamic = statement.unproved.iter().any(|it| it.contains("put together"));
    for table in rights.tables.keys() {
        let is_named = words.contains(&table.1.to_lowercase())
            && (statement.database.as_deref() == Some(&table.0)
                || words.contains(&table.0.to_lowercase()));
        let is_near = is_dynamic && statement.database.as_deref().is_none_or(|it| it == table.0);
        if !(is_named || is_near) || SYSTEM.contains(&table.0.as_str()) {
            continue;
        }
        for (privilege, is_used) in all {
            let right = super::statement::on_table(privilege, table.clone());
            if (is_used || is_dynamic) && rights.holds(&right) {
                kept.insert(right);
            }
        }
    }
    kept
}

/// Who the account is, for a comparison with what the server says of a connection.
pub(super) fn name_and_host(account: &Grantee) -> (&str, &str) {
    match account {
        Grantee::Account { user, host } => (user, host),
        _ => ("", ""),
    }
}
