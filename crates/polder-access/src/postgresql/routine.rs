//! What the bodies of routines need that run with the rights of their caller.

use super::analyse::{Analyst, DEPTH_MAX, Keeps, Needs, Refusal, Unproved, is_planned, words_of};
use super::catalog::Function;
use super::plpgsql::{parse_body, without_records};
use super::statement::path_of;
use crate::sql::{Dialect, Token, exchanged, parse_tokens, quote, string};
use crate::{AccessError, Class, Object};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Arguments that a function can have (`FUNC_MAX_ARGS`).
const ARGUMENTS_MAX: usize = 100;

impl Analyst<'_> {
    /// What the body of a routine needs that runs with the rights of its caller.
    pub(super) fn routine(
        &mut self,
        function: &Function,
        table: Option<u32>,
    ) -> Result<Rc<Needs>, AccessError> {
        let key = (function.number, table.unwrap_or(0));
        if let Some(known) = self.routines.get(&key) {
            return Ok(Rc::clone(known));
        }
        // One that calls itself needs nothing more for that.
        self.routines.insert(key, Rc::default());
        let paths = self.paths.clone();
        if let Some(path) = &function.path {
            self.paths = vec![path_of(path, &self.account)];
        }
        self.depth += 1;
        let found = match self.depth > DEPTH_MAX {
            true => {
                let mut needs = Needs::default();
                needs.unproved("it is nested too deeply", &function.source);
                Ok(needs)
            }
            false => self.body(function, table),
        };
        self.depth -= 1;
        self.paths = paths;
        let mut found = found?;
        let name = function.object.sql();
        found.unproved = found
            .unproved
            .into_iter()
            .map(|it| Unproved { what: it.what.or_else(|| Some(name.clone())), ..it })
            .collect();
        let found = Rc::new(found);
        self.routines.insert(key, Rc::clone(&found));
        Ok(found)
    }

    fn body(&mut self, function: &Function, table: Option<u32>) -> Result<Needs, AccessError> {
        let mut needs = Needs::default();
        match function.language.as_str() {
            "internal" => {}
            "c" if function.is_of_extension => {}
            "sql" => self.sql_body(function, &mut needs)?,
            "plpgsql" => self.block(&function.source, function, table, &mut needs)?,
            language => {
                needs.unproved.insert(Unproved {
                    what: None,
                    because: format!("what code in the language {language} does cannot be told"),
                    text: strings_of(&function.source),
                    keeps: Keeps::NamedOrAll,
                });
            }
        }
        Ok(needs)
    }

    /// The server looks at the body of a function in SQL as it does when one is made, and prints its trees.
    fn sql_body(&mut self, function: &Function, needs: &mut Needs) -> Result<(), AccessError> {
        let sql = format!("SELECT pg_catalog.fmgr_sql_validator({})", function.number);
        let mut refused = None;
        for path in self.paths.clone() {
            self.go(&path)?;
            match self.validate(&sql)? {
                Ok(trees) => {
                    for tree in trees {
                        self.tree(&tree, &function.source, needs)?;
                    }
                    return Ok(());
                }
                Err(refusal) => refused = refused.or(Some(refusal)),
            }
        }
        needs.unproved(refused.map_or(String::new(), |it| it.says), &function.source);
        Ok(())
    }

    /// Runs the server's own check of a function, of which the first tree is that of the question.
    fn validate(&mut self, sql: &str) -> Result<Result<Vec<String>, Refusal>, AccessError> {
        self.session.notices();
        match self.session.try_one(sql) {
            Ok(()) => {
                let trees: Vec<String> = self.session.notices().into_iter().skip(1).collect();
                // Silence is no answer.
                let says = "the server printed no tree of it".to_string();
                let none = Refusal { code: String::new(), says };
                Ok(if trees.is_empty() { Err(none) } else { Ok(trees) })
            }
            Err(error) => Refusal::of(error, "what a routine needs", &self.account).map(Err),
        }
    }

    /// A block of PL/pgSQL: each piece of SQL in it is looked at as if it were a function in SQL, with its variables as
    /// arguments.
    pub(super) fn block(
        &mut self,
        source: &str,
        function: &Function,
        table: Option<u32>,
        needs: &mut Needs,
    ) -> Result<(), AccessError> {
        let body = parse_body(source);
        for text in &body.dynamic {
            needs.unproved.insert(Unproved {
                what: None,
                because: "it makes SQL when it runs".into(),
                text: text.clone(),
                keeps: Keeps::NamedOrAll,
            });
        }
        if body.is_cut {
            needs.unproved("it is longer than what is looked at", source);
        }
        for word in &body.unknown {
            needs.unproved(format!("a statement that begins with `{word}` is not known"), source);
        }
        if let Some(table) = table {
            self.catalog.load(self.session, &[table])?;
        }
        let row = table.and_then(|it| self.catalog.relation(it)).map(|it| it.object.sql());
        let mut variables: Vec<(String, Option<String>)> = Vec::new();
        for (name, kind, mode) in &function.arguments {
            if !name.is_empty() && matches!(mode, 'o' | 't') {
                variables.push((name.clone(), Some(kind.clone())));
            }
        }
        for name in ["new", "old"] {
            variables.push((name.into(), row.clone()));
        }
        variables
            .extend(SPECIAL.iter().map(|(name, kind)| (name.to_string(), Some(kind.to_string()))));
        for it in &body.variables {
            let kind = match &it.kind {
                Some(text) => self.type_of(text)?,
                None => None,
            };
            variables.push((it.name.clone(), kind));
        }
        for piece in &body.pieces {
            self.piece(piece, function, &variables, row.is_some(), needs)?;
        }
        Ok(())
    }

    /// Makes the function that stands for a piece, in a transaction that is rolled back, and lets the server check it.
    fn try_piece(
        &mut self,
        create: &str,
        check: &str,
        used: &BTreeSet<String>,
    ) -> Result<Result<Vec<String>, Refusal>, AccessError> {
        // Triggers on commands (event triggers) are not to see what is not done.
        let mut begin = "BEGIN; RESET ROLE; SET LOCAL check_function_bodies = off".to_string();
        if self.session.is_superuser() {
            begin.push_str("; SET LOCAL session_replication_role = replica");
        }
        // A transition table has the columns of its table; no row is read.
        for (name, table) in self.transitions.iter().filter(|it| used.contains(&it.0)) {
            begin.push_str(&format!(
                "; CREATE TEMPORARY TABLE {} AS TABLE {table} WITH NO DATA",
                quote(name)
            ));
        }
        self.session.batch(&begin, "a piece of a routine")?;
        let found = match self.session.try_one(create) {
            Ok(()) => {
                let mut sql = "SET LOCAL check_function_bodies = on".to_string();
                if self.is_account {
                    sql.push_str(&format!("; SET LOCAL ROLE {}", quote(&self.account)));
                }
                self.session.batch(&sql, "a piece of a routine")?;
                self.validate(check)?
            }
            Err(error) => Err(Refusal::of(error, "a piece of a routine", &self.account)?),
        };
        self.session.batch("ROLLBACK", "a piece of a routine")?;
        self.session.notices();
        Ok(found)
    }

    /// A type that a body names, as the server names it, looked up as data: what stands in a body is never put into SQL. None
    /// where it is none that an argument can have.
    pub(super) fn type_of(&mut self, text: &str) -> Result<Option<String>, AccessError> {
        let tokens = parse_tokens(text, Dialect::Postgresql);
        let is_column = matches!(tokens.as_slice(), [.., percent, word] if percent.is_sign("%") && word.is("type"));
        let column = tokens.iter().rev().nth(2).and_then(Token::name).filter(|_| is_column);
        let table =
            tokens.iter().rev().nth(3).filter(|it| it.is_sign(".")).map(|it| text.get(..it.at));
        let doing = "a type";
        for path in self.paths.clone() {
            self.go(&path)?;
            let rows = match (&column, table.flatten()) {
                (Some(column), Some(table)) => {
                    let sql = "SELECT atttypid FROM pg_catalog.pg_attribute WHERE attrelid = pg_catalog.to_regclass($1) AND attname = $2 \
                        AND attnum > 0";
                    self.session.rows(sql, &[&table, column], doing)
                }
                (Some(_), None) => return Ok(None),
                (None, _) => {
                    self.session.rows("SELECT pg_catalog.to_regtype($1)::oid", &[&text], doing)
                }
            };
            let number = match rows {
                Ok(rows) => rows.first().and_then(|it| it.get::<_, Option<u32>>(0)),
                Err(AccessError::Gone { doing, source }) => {
                    return Err(AccessError::Gone { doing, source });
                }
                // What is no type at all is an error to the server.
                Err(_) => None,
            };
            if let Some(number) = number {
                return self.type_name(number).map(Some);
            }
        }
        Ok(None)
    }

    /// A type by its number, with its schema.
    pub(super) fn type_name(&mut self, number: u32) -> Result<String, AccessError> {
        self.go("")?;
        let sql = "SELECT pg_catalog.format_type($1, NULL)";
        let rows = self.session.rows(sql, &[&number], "a type")?;
        self.session.notices();
        Ok(rows.first().map_or_else(|| "text".into(), |it| it.get(0)))
    }

    fn piece(
        &mut self,
        piece: &str,
        function: &Function,
        variables: &[(String, Option<String>)],
        has_row: bool,
        needs: &mut Needs,
    ) -> Result<(), AccessError> {
        if !is_planned(piece) {
            return self.utility(piece, needs);
        }
        let is_record = |name: &&(String, Option<String>)| name.1.is_none();
        let records: Vec<String> =
            variables.iter().filter(is_record).map(|(name, _)| name.clone()).collect();
        let mut text = without_records(piece, &records);
        if has_row {
            text = whole_rows(&text);
        }
        let used = words_of(&text);
        let arguments = arguments(function, variables, &used);
        // One statement by itself, in which everything that came from others is quoted or a type by its number.
        let create = format!(
            "CREATE FUNCTION pg_temp.{}({arguments}) RETURNS void LANGUAGE sql AS {}",
            quote(&function.object.name),
            string(&text)
        );
        let check = format!(
            "SELECT pg_catalog.fmgr_sql_validator((SELECT oid FROM pg_catalog.pg_proc WHERE pronamespace = pg_catalog.pg_my_temp_schema() \
             AND proname = {} ORDER BY oid DESC LIMIT 1))",
            string(&function.object.name)
        );
        let mut refused: Option<Refusal> = None;
        for path in self.paths.clone() {
            self.go(&path)?;
            let found = self.try_piece(&create, &check, &used)?;
            match found {
                Ok(trees) => {
                    for tree in trees {
                        self.tree(&tree, piece, needs)?;
                    }
                    return Ok(());
                }
                Err(refusal) => refused = refused.or(Some(refusal)),
            }
        }
        needs.unproved(refused.map_or(String::new(), |it| it.says), piece);
        Ok(())
    }
}

/// Variables that PL/pgSQL makes itself (43.5.5, 43.10.1).
const SPECIAL: [(&str, &str); 13] = [
    ("found", "boolean"),
    ("sqlstate", "text"),
    ("sqlerrm", "text"),
    ("tg_op", "text"),
    ("tg_name", "name"),
    ("tg_when", "text"),
    ("tg_level", "text"),
    ("tg_relid", "oid"),
    ("tg_relname", "name"),
    ("tg_table_name", "name"),
    ("tg_table_schema", "name"),
    ("tg_nargs", "integer"),
    ("tg_argv", "text[]"),
];

/// Types that arguments of a function in SQL cannot have: another stands for them.
const PSEUDO: [&str; 10] = [
    "anyelement",
    "anyarray",
    "anynonarray",
    "anyenum",
    "anycompatible",
    "anycompatiblearray",
    "record",
    "trigger",
    "cstring",
    "internal",
];

/// Arguments of the function that stands for a piece: those of the routine, then the variables that it names.
fn arguments(
    function: &Function,
    variables: &[(String, Option<String>)],
    used: &BTreeSet<String>,
) -> String {
    let fit =
        |kind: &str| if PSEUDO.contains(&kind) { "text".to_string() } else { kind.to_string() };
    let mut named: BTreeSet<&str> = BTreeSet::new();
    let mut arguments: Vec<String> = Vec::new();
    let later: BTreeMap<&str, &Option<String>> =
        variables.iter().map(|(name, kind)| (name.as_str(), kind)).collect();
    for (name, kind, _) in function.arguments.iter().filter(|it| matches!(it.2, 'i' | 'b' | 'v')) {
        let is_new = !name.is_empty() && named.insert(name);
        let name = if is_new { quote(name) } else { String::new() };
        arguments.push(format!("{name} {}", fit(kind)));
    }
    for (name, kind) in later {
        let Some(kind) = kind else { continue };
        if used.contains(name) && arguments.len() < ARGUMENTS_MAX && named.insert(name) {
            arguments.push(format!("{} {}", quote(name), fit(kind)));
        }
    }
    arguments.join(", ")
}

/// `NEW.*` as a function in SQL has it.
fn whole_rows(text: &str) -> String {
    let tokens = parse_tokens(text, Dialect::Postgresql);
    let row = |it: &[Token<'_>]| {
        let [name, dot, star] = it else { return None };
        let words = if name.is("new") { "(new).*" } else { "(old).*" };
        let is_row = name.is_any(&["new", "old"]) && dot.is_sign(".") && star.is_sign("*");
        is_row.then(|| (name.at..star.end(), words))
    };
    exchanged(text, tokens.windows(3).filter_map(row))
}

/// A routine that is none: a block that stands alone.
pub(super) fn nobody() -> Function {
    Function {
        number: 0,
        object: Object::within(Class::Function, "pg_temp", "polder_block"),
        language: "plpgsql".into(),
        is_definer: false,
        is_public: true,
        returns: "void".into(),
        source: String::new(),
        path: None,
        arguments: Vec::new(),
        is_of_extension: false,
        defaults: String::new(),
    }
}

/// Strings of code in another language, which may be SQL.
fn strings_of(source: &str) -> String {
    let mut out = String::new();
    for part in source.split(['"', '\'']).skip(1).step_by(2) {
        out.push_str(part);
        out.push(' ');
    }
    out
}
