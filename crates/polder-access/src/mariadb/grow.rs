//! Gives the account that is made for looking what statements lack, as the server says it, until all can be prepared.

use super::learn::{Statement, is_made};
use super::learner::Learner;
use super::probe::{Answer, Denial};
use super::right::{Place, Right};
use super::rights::{Definer, SYSTEM, TableName, said_of};
use crate::{AccessError, Source, sensitive};
use std::collections::BTreeSet;

/// Rounds in which one statement is asked for again: each gives what was lacking.
const ROUNDS_MAX: usize = 400;

/// Views in views that are followed.
const DEPTH_MAX: usize = 16;

impl Learner<'_> {
    /// Gives the probe what statements lack, until all can be prepared.
    pub(super) fn grow(&mut self) -> Result<(), AccessError> {
        let mut done = 0;
        self.temporaries()?;
        while done < self.learned.statements.len() {
            // Routines make some as well.
            if self.learned.temporary.len() > self.made.len() {
                self.temporaries()?;
            }
            self.grow_one(done, 0)?;
            done += 1;
            if done == self.learned.statements.len() {
                self.routines();
            }
        }
        Ok(())
    }

    /// Makes the temporary tables.
    pub(super) fn temporaries(&mut self) -> Result<(), AccessError> {
        let all = std::mem::take(&mut self.learned.temporary);
        for (database, name, mut columns) in all {
            if !self.made.insert((database.clone(), name.clone())) {
                if !columns.iter().any(|it| it.starts_with('\0')) {
                    self.learned.temporary.push((database, name, columns));
                }
                continue;
            }
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

    pub(super) fn is_temporary(&self, table: &TableName) -> bool {
        is_made(&self.learned.temporary, table)
    }

    pub(super) fn give(&mut self, rights: &[Right]) -> Result<bool, AccessError> {
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
    pub(super) fn grow_one(&mut self, index: usize, depth: usize) -> Result<(), AccessError> {
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
            if !right.is_tried()
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
        self.in_mode_of_session(index, &statement)?;
        let Some(statement) = self.learned.statements.get(index).cloned() else { return Ok(()) };
        for text in &statement.prepares {
            if !self.grow_text(index, text, &statement, depth)? {
                break;
            }
        }
        Ok(())
    }

    /// Where a statement is none as the server has quotes, it is taken as a session may have them.
    fn in_mode_of_session(
        &mut self,
        index: usize,
        statement: &Statement,
    ) -> Result<(), AccessError> {
        let is_no_sql = |it: &Answer| matches!(it, Answer::Other(_));
        let database = statement.database.as_deref();
        let (Some(first), Some(other)) = (statement.prepares.first(), statement.other.first())
        else {
            return Ok(());
        };
        let is_other = is_no_sql(&self.probe.prepare(database, first)?)
            && !is_no_sql(&self.probe.prepare(database, other)?);
        if let Some(it) = self.learned.statements.get_mut(index).filter(|_| is_other) {
            it.prepares = statement.other.clone();
            it.words.extend(super::statement::words_in(other, self.dialect));
        }
        Ok(())
    }

    pub(super) fn refuse(&mut self, index: usize, right: &Right) {
        if let Some(it) = self.learned.statements.get_mut(index) {
            it.refused = Some(format!("it needs {right}, which the account does not have"));
        }
    }

    pub(super) fn cannot_tell(&mut self, index: usize, why: String) {
        if let Some(it) = self.learned.statements.get_mut(index) {
            it.unproved.push(why);
        }
    }

    /// Gives what a text lacks; whether it can be prepared then.
    pub(super) fn grow_text(
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
    pub(super) fn table_of(
        &mut self,
        said: &str,
        statement: &Statement,
    ) -> Result<Option<TableName>, AccessError> {
        let inner = said.strip_prefix('`').and_then(|it| it.strip_suffix('`'));
        let plain = inner.and_then(|it| it.split_once("`.`"));
        let plain = plain.map(|(database, name)| (database.to_string(), name.to_string()));
        if let Some(it) =
            plain.clone().filter(|it| self.rights.tables.contains_key(it) && said_of(it) == said)
        {
            return Ok(Some(it));
        }
        // Names with backticks in them are told apart by how they would be written.
        if let Some(it) = self.rights.tables.keys().find(|it| said_of(it) == said) {
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
            None => match plain {
                Some(table) => table,
                None => return Ok(None),
            },
        };
        let columns = self.rights.columns(self.probe.looker(), &table)?;
        Ok((!columns.is_empty()).then_some(table))
    }

    /// Gives privileges on a table: on a column first, so that the server names the others that are needed.
    pub(super) fn lacks_table(
        &mut self,
        index: usize,
        privileges: &[String],
        said: &str,
        statement: &Statement,
    ) -> Result<Option<bool>, AccessError> {
        let Some(table) = self.table_of(said, statement)? else { return Ok(Some(false)) };
        if SYSTEM.contains(&table.0.as_str()) {
            let why = format!(
                "it reaches {}.{}, one of the server's own tables, which is taken all the same",
                table.0, table.1
            );
            self.cannot_tell(index, why);
            return Ok(None);
        }
        let mut is_more = false;
        for privilege in privileges {
            let is_by_column =
                matches!(privilege.as_str(), "SELECT" | "INSERT" | "UPDATE" | "REFERENCES");
            if is_by_column {
                let has_some = self.probe.given().iter().any(|it| {
                    it.privilege == *privilege && it.column.is_some() && it.place.is_table(&table)
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
                for it in &all {
                    self.origins.entry(it.clone()).or_insert(index);
                }
                is_more |= self.give(&all)?;
                continue;
            }
            // To be shown a table takes any right on all of it; this one shows the least.
            let names: &[&str] = match privilege.as_str() {
                "SHOW" => &["REFERENCES", "SHOW VIEW", "TRIGGER", "INDEX", "DELETE", "SELECT"],
                one => &[one],
            };
            let right =
                |name: &str| Right::on(name, Place::Table(table.0.clone(), table.1.clone()));
            let Some(right) = names.iter().map(|it| right(it)).find(|it| self.rights.holds(it))
            else {
                self.refuse(index, &right(names.first().copied().unwrap_or_default()));
                return Ok(None);
            };
            self.origins.entry(right.clone()).or_insert(index);
            is_more |= self.give(&[right])?;
        }
        Ok(Some(is_more))
    }

    /// A column as its table has it: the server says it as the statement does.
    fn column_of(&mut self, table: &TableName, column: &str) -> Result<String, AccessError> {
        if self.rights.tables.get(table).is_none_or(|it| it.columns.is_empty()) {
            self.rights.columns(self.probe.looker(), table)?;
        }
        let columns = self.rights.tables.get(table).map(|it| it.columns.as_slice());
        let found = columns.unwrap_or_default().iter().find(|it| it.eq_ignore_ascii_case(column));
        Ok(found.cloned().unwrap_or_else(|| column.to_string()))
    }

    /// Gives a privilege on one column, unless there is one already: one that is named and not sensitive, if possible.
    pub(super) fn seed(
        &mut self,
        index: usize,
        privilege: &str,
        table: &TableName,
        words: &BTreeSet<String>,
    ) -> Result<bool, AccessError> {
        if self.probe.has_on(privilege, table) {
            return Ok(true);
        }
        if self.rights.tables.get(table).is_none_or(|it| it.columns.is_empty()) {
            self.rights.columns(self.probe.looker(), table)?;
        }
        let columns =
            self.rights.tables.get(table).map(|it| it.columns.clone()).unwrap_or_default();
        let mut columns: Vec<&String> =
            columns.iter().filter(|it| self.rights.has_column(privilege, table, it)).collect();
        columns.sort_by_key(|it| (!words.contains(&it.to_lowercase()), sensitive(it).is_some()));
        match columns.first() {
            Some(column) => {
                let right = Right::column(privilege, table.clone(), column.as_str());
                if self.give(std::slice::from_ref(&right))? {
                    self.origins.entry(right).or_insert(index);
                    return Ok(true);
                }
                self.cannot_tell(index, "the server does not give what it lacks".into());
                Ok(false)
            }
            None => {
                self.refuse(index, &super::statement::on_table(privilege, table.clone()));
                Ok(false)
            }
        }
    }

    /// Gives privileges on a column; its table is named without a database, so each that it can be gets them.
    pub(super) fn lacks_column(
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
            let column = self.column_of(table, column)?;
            for privilege in privileges {
                let right = Right::column(privilege, table.clone(), column.as_str());
                match self.rights.holds(&right) {
                    true => {
                        self.origins.entry(right.clone()).or_insert(index);
                        is_more |= self.give(&[right])?;
                    }
                    false => unheld = Some(right),
                }
            }
        }
        // What it says of the columns that an INSERT changes where a row is there already is not all that is asked for.
        if !is_more && unheld.is_none() {
            for table in &touched {
                let column = self.column_of(table, column)?;
                for privilege in ["SELECT", "INSERT", "UPDATE"] {
                    let right = Right::column(privilege, table.clone(), column.as_str());
                    if self.rights.holds(&right) {
                        self.origins.entry(right.clone()).or_insert(index);
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
    pub(super) fn lacks_in_view(
        &mut self,
        index: usize,
        depth: usize,
    ) -> Result<Option<bool>, AccessError> {
        let given = self.probe.given();
        let is_new = |it: &&Definer| {
            it.kind == "VIEW"
                && !it.is_definer
                && given
                    .iter()
                    .any(|right| right.place.is_table(&(it.database.clone(), it.name.clone())))
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
    pub(super) fn routines(&mut self) {
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
}
