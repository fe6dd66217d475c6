//! What statements need that the server does not plan.

use super::analyse::{Analyst, AnyOf, Keeps, Needs, Unproved, words_of};
use super::catalog::Relation;
use super::routine::nobody;
use super::statement::preparable;
use super::utility::{UtilityNeed, needs_of};
use crate::sql::{Dialect, Token, parse_tokens, quote};
use crate::{AccessError, Atom, Class, Object, Privilege};

impl Analyst<'_> {
    /// What a statement needs that has no tree.
    pub(super) fn utility(&mut self, text: &str, needs: &mut Needs) -> Result<(), AccessError> {
        let Some(found) = needs_of(text) else {
            needs.unproved("this kind of statement is not known", text);
            return Ok(());
        };
        self.qualified(text, needs);
        for need in found {
            match need {
                UtilityNeed::Query(inner) => {
                    let inner = self.statement(&inner)?;
                    needs.add(&inner);
                }
                UtilityNeed::Block(source) => {
                    let nobody = nobody();
                    self.block(&source, &nobody, None, needs)?;
                }
                UtilityNeed::Call(name) => self.call(&name, text, needs)?,
                UtilityNeed::Table { name, any_of, columns } => {
                    self.table(&name, any_of, columns, text, needs)?;
                }
                UtilityNeed::Written { name, rights } => {
                    if let Some(number) = self.find(&name)? {
                        self.written(number, rights, &[], needs)?;
                    }
                }
                UtilityNeed::Temporary { makes } => {
                    let database = Object::bare(Class::Database, &self.database);
                    needs.atoms.insert(Atom::on(Privilege::Temporary, database));
                    self.make_temporary(&makes)?;
                }
                UtilityNeed::Role(name) => drop(needs.roles.insert(name)),
                UtilityNeed::Path(_) => {}
                UtilityNeed::Owner(what) => self.owner(&what, text, needs)?,
            }
        }
        Ok(())
    }

    fn owner(&mut self, what: &str, text: &str, needs: &mut Needs) -> Result<(), AccessError> {
        // A table of this session is its own.
        let name = what.rsplit(' ').next().unwrap_or_default();
        if what.starts_with("DROP")
            && let Some(number) = self.find(name)?
        {
            self.catalog.load(self.session, &[number])?;
            if self.catalog.relation(number).is_some_and(Relation::is_foreign) {
                return Ok(());
            }
        }
        needs.unproved.insert(Unproved {
            what: None,
            because: format!("`{what}` needs an owner or administrator"),
            text: text.into(),
            keeps: Keeps::Owner,
        });
        Ok(())
    }

    /// Makes a temporary table of the same columns, so that statements that use it can be analysed. Its own text is not run:
    /// bounds, defaults and constraints hold code.
    fn make_temporary(&mut self, text: &str) -> Result<(), AccessError> {
        let Some(table) = temporary(text) else { return Ok(()) };
        let columns = match &table.query {
            Some(query) => self.columns_of(query)?,
            None => {
                let mut columns = Vec::new();
                for (name, kind) in &table.columns {
                    let Some(kind) = self.type_of(kind)? else { return Ok(()) };
                    columns.push((name.clone(), kind));
                }
                columns
            }
        };
        let named = |(at, (name, kind)): (usize, &(String, String))| {
            let name = match table.query.is_some() {
                true => table.columns.get(at).map_or(name, |it| &it.0),
                false => name,
            };
            format!("{} {kind}", quote(name))
        };
        let columns: Vec<String> = columns.iter().enumerate().map(named).collect();
        let sql = format!("CREATE TEMPORARY TABLE {} ({})", quote(&table.name), columns.join(", "));
        let answer = self.session.try_one(&sql);
        self.session.notices();
        match answer {
            Err(error) if error.as_db_error().is_none() => {
                Err(AccessError::of(error, "a temporary table", &self.account))
            }
            _ => Ok(()),
        }
    }

    /// Names and types of what a query answers.
    fn columns_of(&mut self, query: &str) -> Result<Vec<(String, String)>, AccessError> {
        let text = preparable(query);
        let mut columns = Vec::new();
        for path in self.paths.clone() {
            self.go(&path)?;
            let Ok(statement) = self.session.try_prepare(&text, &[]) else { continue };
            let found: Vec<(String, u32)> =
                statement.columns().iter().map(|it| (it.name().into(), it.type_().oid())).collect();
            for (name, number) in found {
                columns.push((name, self.type_name(number)?));
            }
            break;
        }
        self.session.notices();
        Ok(columns)
    }

    /// Number of a relation by its name, on the first path that leads to one.
    fn find(&mut self, name: &str) -> Result<Option<u32>, AccessError> {
        for path in self.paths.clone() {
            self.go(&path)?;
            let sql = "SELECT pg_catalog.to_regclass($1)::oid";
            // A name that is none (`42601`) leads nowhere.
            let rows = self.session.rows(sql, &[&name], "a name").unwrap_or_default();
            if let Some(number) = rows.first().and_then(|it| it.get::<_, Option<u32>>(0)) {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }

    fn table(
        &mut self,
        name: &str,
        privileges: Vec<Privilege>,
        columns: Vec<String>,
        text: &str,
        needs: &mut Needs,
    ) -> Result<(), AccessError> {
        let Some(number) = self.find(name)? else {
            needs.unproved(format!("no table `{name}` is found"), text);
            return Ok(());
        };
        self.catalog.load(self.session, &[number])?;
        let Some(relation) = self.catalog.relation(number).filter(|it| !it.is_foreign()) else {
            return Ok(());
        };
        let object = relation.object.clone();
        if let Some(schema) = &object.schema {
            needs.atoms.insert(Atom::on(Privilege::Usage, Object::bare(Class::Schema, schema)));
        }
        let is_copy =
            parse_tokens(text, Dialect::Postgresql).first().is_some_and(|it| it.is("copy"));
        let named: Vec<String> = match (is_copy, columns.is_empty()) {
            (false, _) => Vec::new(),
            (true, false) => columns,
            (true, true) => {
                let own = relation.columns.iter().filter(|(it, _)| **it > 0);
                own.map(|(_, name)| name.clone()).collect()
            }
        };
        match privileges.as_slice() {
            [privilege] if !named.is_empty() => {
                for column in named {
                    needs.atoms.insert(Atom::column(*privilege, object.clone(), column));
                }
            }
            _ => drop(needs.any_of.insert(AnyOf { object, privileges, columns: Vec::new() })),
        }
        Ok(())
    }

    /// Procedures of a name; where there are several, all of them, since types of arguments are not known.
    fn call(&mut self, name: &str, text: &str, needs: &mut Needs) -> Result<(), AccessError> {
        let tokens = parse_tokens(name, Dialect::Postgresql);
        let parts: Vec<String> = tokens.iter().filter_map(Token::name).collect();
        let (schema, bare) = match parts.as_slice() {
            [schema, name] => (Some(schema.clone()), name.clone()),
            [name] => (None, name.clone()),
            _ => (None, String::new()),
        };
        let sql = "SELECT p.oid FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
            WHERE p.proname = $1 AND p.prokind = 'p' AND (n.nspname = $2 OR ($2 IS NULL AND n.nspname = ANY (pg_catalog.current_schemas(true))))";
        for path in self.paths.clone() {
            self.go(&path)?;
            let rows = self.session.rows(sql, &[&bare, &schema], "a procedure")?;
            for row in &rows {
                self.function(row.get(0), &words_of(text), needs)?;
            }
            if !rows.is_empty() {
                return Ok(());
            }
        }
        needs.unproved(format!("no procedure `{name}` is found"), text);
        Ok(())
    }
}

/// A temporary table that a statement makes.
struct TemporaryTable {
    name: String,
    /// Names and types of its columns; of one that a query fills the types are those of the query.
    columns: Vec<(String, String)>,
    query: Option<String>,
}

/// Words after which a column's type has ended.
const AFTER_TYPE: [&str; 12] = [
    "collate",
    "constraint",
    "not",
    "null",
    "check",
    "default",
    "generated",
    "unique",
    "primary",
    "references",
    "deferrable",
    "storage",
];

/// Takes `CREATE TEMP TABLE name (…) AS …` apart; none for one of another form.
fn temporary(text: &str) -> Option<TemporaryTable> {
    let tokens = parse_tokens(text, Dialect::Postgresql);
    let mut at = tokens.iter().position(|it| it.is("table"))? + 1;
    while tokens.get(at)?.is_any(&["if", "not", "exists"]) {
        at += 1;
    }
    let mut table =
        TemporaryTable { name: tokens.get(at)?.name()?, columns: Vec::new(), query: None };
    at += 1;
    if tokens.get(at).is_some_and(|it| it.is_sign(".")) {
        table.name = tokens.get(at + 1)?.name()?;
        at += 2;
    }
    let mut depth = 0_i32;
    let mut column: Vec<Token<'_>> = Vec::new();
    let mut end = |column: &mut Vec<Token<'_>>| {
        let all = std::mem::take(column);
        let (Some(name), Some(first)) = (all.first().and_then(Token::name), all.get(1)) else {
            // A name alone is one of those that a query fills.
            table.columns.extend(all.first().and_then(Token::name).map(|it| (it, String::new())));
            return true;
        };
        let is_column = !all.first().is_some_and(|it| {
            it.is_any(&["constraint", "primary", "unique", "check", "foreign", "exclude", "like"])
        });
        let last = all.iter().skip(1).take_while(|it| !it.is_any(&AFTER_TYPE)).last();
        let kind = last.and_then(|it| text.get(first.at..it.end()));
        table.columns.extend(kind.filter(|_| is_column).map(|it| (name, it.to_string())));
        !all.first().is_some_and(|it| it.is("like"))
    };
    let mut is_whole = true;
    for token in tokens.get(at..)? {
        match token.text {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        let is_edge = (token.is_sign("(") && depth == 1) || (token.is_sign(")") && depth == 0);
        match depth {
            0 if token.is("as") => {
                table.query = text.get(token.end()..).map(str::to_string);
                break;
            }
            // Parts of others, and what takes after others, are left alone.
            0 if token.is_any(&["partition", "inherits", "of"]) => return None,
            _ if is_edge || (token.is_sign(",") && depth == 1) => {
                is_whole &= column.is_empty() || end(&mut column);
            }
            0 => {}
            _ => column.push(*token),
        }
    }
    (is_whole && (table.query.is_some() || !table.columns.is_empty())).then_some(table)
}
