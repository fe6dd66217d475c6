//! Statements on their way to the rights that they need: what they are made of, and what acts in the name of the account.

use super::body::{Body, parse_body};
use super::learn::{Functions, Learned, Statement};
use super::probe::Probe;
use super::right::{Place, Right};
use super::rights::{Definer, Rights, TableName};
use super::source::Text;
use super::statement::{
    CUT, Plan, Temporary, aside, name_at, name_of, plan, preparable, role_of, without_calls,
    words_in,
};
use crate::Source;
use crate::sql::{Dialect, Kind, exchanged, parse_tokens, without_literals};
use std::collections::{BTreeMap, BTreeSet};

/// Views that call functions that are no part of the server, by themselves or in a view that they read: a server may run them
/// while it prepares.
pub(super) fn calling(rights: &Rights, functions: &Functions) -> BTreeSet<TableName> {
    let mut found: BTreeSet<TableName> = BTreeSet::new();
    loop {
        let before = found.len();
        for view in rights.definers.iter().filter(|it| it.kind == "VIEW") {
            let words = words_in(&view.body, Dialect::MARIADB);
            let is_inner = found.iter().any(|it| names(&words, Some(&view.database), it));
            if is_inner || has_calls(&view.body, functions) {
                found.insert((view.database.clone(), view.name.clone()));
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

/// Names in backticks instead of double quotes.
fn with_backticks(text: &str) -> String {
    let ansi = Dialect::Mariadb { is_ansi: true, escapes: true };
    let tokens = parse_tokens(text, ansi);
    let names: Vec<(std::ops::Range<usize>, String)> = tokens
        .iter()
        .filter(|it| it.kind == Kind::Quoted && it.text.starts_with('"'))
        .filter_map(|it| Some((it.at..it.end(), super::right::quote(&it.name()?))))
        .collect();
    exchanged(text, names.iter().map(|it| (it.0.clone(), it.1.as_str())))
}

/// The statement in `PREPARE s FROM '…'` and `EXECUTE IMMEDIATE '…'`.
fn prepared(text: &str, dialect: Dialect) -> Option<String> {
    let tokens = parse_tokens(text, dialect);
    let [first, second, third, ..] = tokens.as_slice() else { return None };
    let string = match () {
        () if first.is("execute") && second.is("immediate") => third,
        () if first.is("prepare") && third.is("from") => tokens.get(3)?,
        () => return None,
    };
    let is_last = tokens.iter().rfind(|it| !it.is_sign(";"))? == string;
    let sign = string.text.chars().next().filter(|it| is_last && matches!(it, '\'' | '"'))?;
    let inner = string.text.get(1..)?.strip_suffix(sign)?;
    let doubled: String = [sign, sign].iter().collect();
    let inner = inner.replace(&doubled, &sign.to_string());
    Some(inner.replace("\\'", "'").replace("\\\"", "\""))
}

/// Whether words name a table or view, where names without a database are looked up in this one.
pub(super) fn names(words: &BTreeSet<String>, database: Option<&str>, table: &TableName) -> bool {
    words.contains(&table.1.to_lowercase())
        && (database.is_some_and(|it| it.eq_ignore_ascii_case(&table.0))
            || words.contains(&table.0.to_lowercase()))
}

/// Whether a body, as the server writes it, calls what is stored: names of that stand in quotes, those of its own functions
/// do not; functions of libraries are known by name.
fn has_calls(body: &str, functions: &Functions) -> bool {
    let tokens = parse_tokens(body, Dialect::MARIADB);
    tokens.windows(2).any(|it| match it {
        [name, open] if open.is_sign("(") => {
            name.kind == Kind::Quoted
                || functions.contains(&(String::new(), name.text.to_lowercase()))
        }
        _ => false,
    })
}

/// Whether a function is stored in a database, or comes from a library.
fn is_function(functions: &Functions, database: &str, name: &str) -> bool {
    let name = name.to_lowercase();
    functions.contains(&(database.to_lowercase(), name.clone()))
        || functions.contains(&(String::new(), name))
}

pub(super) struct Learner<'a> {
    pub(super) probe: Probe<'a>,
    pub(super) rights: &'a mut Rights,
    pub(super) dialect: Dialect,
    pub(super) functions: Functions,
    /// Names of views that call functions.
    pub(super) calling: BTreeSet<TableName>,
    /// The statement that each right was first given for.
    pub(super) origins: BTreeMap<Right, usize>,
    /// Temporary tables that are made again.
    pub(super) made: BTreeSet<TableName>,
    pub(super) learned: Learned,
    /// Views and routines whose inner life is among the statements.
    pub(super) expanded: BTreeSet<(String, String, String)>,
    /// Rights that rules tell of, and nobody can try.
    pub(super) ruled: BTreeSet<Right>,
    pub(super) no_migrations: bool,
}

impl Learner<'_> {
    pub(super) fn add_texts(&mut self, texts: Vec<Text>) {
        // What SQL prepares by itself is a statement of its own, if it is a string that stands there.
        let inner: Vec<Text> = texts
            .iter()
            .filter_map(|it| Some(Text { text: prepared(&it.text, self.dialect)?, ..it.clone() }))
            .collect();
        let is_told = |it: &Text| prepared(&it.text, self.dialect).is_none();
        let texts = texts.into_iter().filter(is_told).chain(inner);
        // Tables that later statements use are made first.
        let planned = texts.map(|it| {
            let told = self.dialect.told_by(&it.text).unwrap_or(self.dialect);
            let text = preparable(&it.text, told);
            let plan = plan(&text, it.database.as_deref(), self.dialect);
            (it, plan)
        });
        let mut planned: Vec<(Text, Plan)> = planned.collect();
        planned.sort_by_key(|(_, plan)| plan.makes.is_none());
        for (text, mut plan) in planned {
            self.learned.roles.extend(role_of(&text.text, self.dialect));
            if plan.is_migration && self.is_about_temporary(&text) {
                plan = Plan::default();
            }
            if plan.is_migration && self.no_migrations {
                continue;
            }
            let shown = self.shown(&text.text);
            let cut = text.is_cut.then(|| CUT.to_string());
            // A session may have a mode of its own, in which double quotes are around names.
            let ansi = Dialect::Mariadb { is_ansi: true, escapes: true };
            let names = words_in(&text.text, ansi);
            let is_odd = self.dialect != ansi && text.text.contains('"');
            let other = is_odd.then(|| with_backticks(&preparable(&text.text, ansi)));
            let database = text.database.clone();
            let other = other.and_then(|it| self.askable(&it, database.as_deref()).ok());
            self.add(shown, text.database, text.calls, text.source, None, plan, cut);
            if let Some(it) = self.learned.statements.last_mut() {
                it.named.extend(names);
                if let Some((texts, rights)) = other.filter(|_| it.prepares.len() == 1) {
                    it.rights.extend(rights);
                    it.other = texts;
                }
            }
        }
    }

    /// A statement as it is shown. What stands in double quotes may be a string, whatever the server's mode: a session has its own.
    fn shown(&self, text: &str) -> String {
        let escapes = self.dialect != Dialect::Mariadb { is_ansi: false, escapes: false }
            && self.dialect != Dialect::Mariadb { is_ansi: true, escapes: false };
        without_literals(text, Dialect::Mariadb { is_ansi: false, escapes })
    }

    /// Whether a statement alters or drops a table that the account made for a while.
    pub(super) fn is_about_temporary(&self, text: &Text) -> bool {
        let tokens = parse_tokens(&text.text, self.dialect);
        let Some(at) = tokens.iter().take(4).position(|it| it.is_any(&["table", "on"])) else {
            return false;
        };
        let skipped = if tokens.get(at + 1).is_some_and(|it| it.is("if")) { 2 } else { 0 };
        let named = name_at(&tokens, at + 1 + skipped, text.database.as_deref());
        named.is_some_and(|(table, _)| self.is_temporary(&table))
    }

    #[allow(clippy::too_many_arguments, reason = "what a statement is, said once")]
    pub(super) fn add(
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
        for text in std::mem::take(&mut plan.prepares) {
            match self.askable(&text, database.as_deref()) {
                Ok((texts, rights)) => {
                    prepares.extend(texts);
                    plan.rights.extend(rights);
                }
                Err(why) => plan.unproved = Some(why),
            }
        }
        self.keep_to_what_is_there(&mut plan);
        if let Some(made) = plan.makes {
            self.makes(made, database.as_deref());
        }
        let words = prepares.iter().flat_map(|it| words_in(it, self.dialect)).collect();
        let mut named = words_in(&text, self.dialect);
        named.extend(prepares.iter().flat_map(|it| words_in(it, self.dialect)));
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
            named,
            other: Vec::new(),
            enters: plan.enters,
            is_migration: plan.is_migration,
        });
    }

    /// What the server may be asked of a text without running anything that somebody made, and the rights that rules tell of;
    /// or why it may not be asked. Nothing is prepared that did not come through here.
    fn askable(
        &self,
        text: &str,
        database: Option<&str>,
    ) -> Result<(Vec<String>, BTreeSet<Right>), String> {
        let is_function = |database: &str, name: &str| is_function(&self.functions, database, name);
        let (text, calls) = without_calls(text, database, self.dialect, is_function);
        if let Some(why) = self.calls_in_views(&text, database) {
            return Err(why);
        }
        // Functions of libraries may be called by everyone.
        let is_stored = |it: &(String, String)| {
            self.functions.contains(&(it.0.to_lowercase(), it.1.to_lowercase()))
        };
        let calls = calls.into_iter().filter(is_stored).map(|(database, name)| {
            Right::on("EXECUTE", Place::Function(database, name.to_lowercase()))
        });
        let mut rights: BTreeSet<Right> = calls.collect();
        rights.extend(self.loaded(&text, database));
        let aside = aside(&text, self.dialect);
        Ok((std::iter::once(text).chain(aside).collect(), rights))
    }

    /// Rights on what is not there cannot be given: a statement that needs one fails today.
    fn keep_to_what_is_there(&self, plan: &mut Plan) {
        let is_routine = |kind: &str, database: &str, name: &str| {
            self.rights.definers.iter().any(|it| {
                it.kind == kind
                    && it.database.eq_ignore_ascii_case(database)
                    && it.name.eq_ignore_ascii_case(name)
            })
        };
        let before = plan.rights.len();
        plan.rights.retain(|it| match &it.place {
            Place::Function(database, name) => is_routine("FUNCTION", database, name),
            Place::Procedure(database, name) => is_routine("PROCEDURE", database, name),
            Place::Table(database, name) => {
                let table = (database.clone(), name.clone());
                self.rights.tables.contains_key(&table) || self.is_temporary(&table)
            }
            _ => true,
        });
        if plan.rights.len() < before {
            plan.unproved.get_or_insert("something that it names is not there".into());
        }
    }

    /// Whether a view calls functions that the server might run while it prepares.
    pub(super) fn calls_in_views(&self, text: &str, database: Option<&str>) -> Option<String> {
        let words = words_in(text, self.dialect);
        let view = self.calling.iter().find(|it| names(&words, database, it))?;
        Some(format!("the view {}.{} calls functions, which might run", view.0, view.1))
    }

    /// Columns that `LOAD DATA` fills: of it the server looks at the table only.
    pub(super) fn loaded(&self, text: &str, database: Option<&str>) -> BTreeSet<Right> {
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
    pub(super) fn makes(&mut self, made: Temporary, database: Option<&str>) {
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

    pub(super) fn add_body(
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
            let shown = self.shown(piece);
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
    pub(super) fn add_own(&mut self) {
        let account = self.rights.account.to_string();
        let own = |it: &&Definer| it.is_definer && it.definer == account;
        let own: Vec<Definer> = self.rights.definers.iter().filter(own).cloned().collect();
        for it in own {
            self.add_inner(&it, Source::Static, 0);
        }
    }

    /// What something does that is called with the rights of the account.
    pub(super) fn add_inner(&mut self, it: &Definer, source: Source, calls: u64) {
        let key = (it.kind.clone(), it.database.clone(), it.name.clone());
        if !self.expanded.insert(key) {
            return;
        }
        let label = Some(format!("{} {}.{}", it.kind.to_lowercase(), it.database, it.name));
        if it.kind == "VIEW" {
            let plan =
                Plan { prepares: vec![preparable(&it.body, Dialect::MARIADB)], ..Plan::default() };
            let shown = without_literals(&it.body, Dialect::MARIADB);
            self.add(
                shown.clone(),
                Some(it.database.clone()),
                calls,
                source,
                label.clone(),
                plan,
                None,
            );
            // What others may write through it is written with the rights of its maker.
            if it.is_definer && it.definer == self.rights.account.to_string() {
                let unproved = Some("others may write through this view".into());
                let plan = Plan { unproved, ..Plan::default() };
                let shown = format!("INSERT UPDATE DELETE {shown}");
                self.add(shown, Some(it.database.clone()), calls, source, label, plan, None);
            }
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
        // Whoever calls it acts as its maker, who must be allowed to call it, too.
        if it.is_definer && it.kind == "FUNCTION" {
            let place = Place::Function(it.database.clone(), it.name.to_lowercase());
            plan.rights.insert(Right::on("EXECUTE", place));
        }
        if it.is_definer && it.kind == "PROCEDURE" {
            let place = Place::Procedure(it.database.clone(), it.name.to_lowercase());
            plan.rights.insert(Right::on("EXECUTE", place));
        }
        if it.kind == "EVENT" {
            plan.rights.insert(Right::on("EVENT", Place::database(&it.database)));
        }
        if !plan.rights.is_empty() {
            let shown = label.clone().unwrap_or_default();
            self.add(shown, Some(it.database.clone()), calls, source, label, plan, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sql_prepares_by_itself_is_a_statement() {
        let inner = |text: &str| prepared(text, Dialect::MARIADB);
        assert_eq!(
            inner("PREPARE s FROM 'select a from t where b = ''x'''"),
            Some("select a from t where b = 'x'".into())
        );
        assert_eq!(inner("EXECUTE IMMEDIATE \"select 1\";"), Some("select 1".into()));
        assert_eq!(inner("PREPARE s FROM @a"), None);
        assert_eq!(inner("EXECUTE IMMEDIATE CONCAT('a', @b)"), None);
    }
}
