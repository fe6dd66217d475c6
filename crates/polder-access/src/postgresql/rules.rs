//! What statements need that the server does not plan.

use super::analyse::{Analyst, AnyOf, Keeps, Needs, Unproved, words_of};
use super::catalog::Relation;
use super::routine::nobody;
use super::statement::{parameters, preparable};
use super::utility::{UtilityNeed, needs_of};
use crate::sql::{Dialect, Token, parse_tokens};
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

    /// Makes a temporary table without rows, so that statements that use it can be analysed.
    fn make_temporary(&mut self, text: &str) -> Result<(), AccessError> {
        let text = preparable(text);
        if parameters(&text) > 0 {
            return Ok(());
        }
        let has_rows = parse_tokens(&text, Dialect::Postgresql).iter().any(|it| it.is("as"));
        let text = if has_rows { format!("{text} WITH NO DATA") } else { text };
        for path in self.paths.clone() {
            self.go(&path)?;
            match self.session.try_one(&text) {
                Err(error) if error.as_db_error().is_none() => {
                    return Err(AccessError::of(error, "a temporary table", &self.account));
                }
                Err(_) => {}
                Ok(()) => break,
            }
        }
        self.session.notices();
        Ok(())
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
