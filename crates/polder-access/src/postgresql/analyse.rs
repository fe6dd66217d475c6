//! What a statement needs, as the server's own analysis says it: nothing is run.

use super::catalog::{Catalog, Function, is_system, types_of};
use super::plpgsql::{parse_body, without_records};
use super::session::Session;
use super::statement::{parameters, preparable};
use super::tree::{RelationNeed, SequenceUse, TreeNeeds, Value, is_utility, parse_tree, right};
use super::utility::{UtilityNeed, needs_of};
use crate::sql::{Dialect, Kind, Token, parse_tokens, quote, string};
use crate::{AccessError, Atom, Class, Object, Privilege};
use postgres::error::{ErrorPosition, SqlState};
use postgres::types::Type;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// How often types of parameters are guessed for one statement.
const GUESSES_MAX: usize = 240;

/// Parameters of which types are guessed.
const GUESSED_PARAMETERS_MAX: usize = 16;

/// Arguments that a function can have (`FUNC_MAX_ARGS`).
const ARGUMENTS_MAX: usize = 100;

/// Routines within one another, and statements within statements.
const DEPTH_MAX: usize = 24;

/// Types that are tried for parameters of which the server cannot tell one.
const GUESSES: [Type; 11] = [
    Type::INT8,
    Type::TEXT,
    Type::NUMERIC,
    Type::TIMESTAMPTZ,
    Type::UUID,
    Type::BOOL,
    Type::JSONB,
    Type::DATE,
    Type::BYTEA,
    Type::INTERVAL,
    Type::INET,
];

/// One of several privileges, or one on any of a table's columns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AnyOf {
    pub(super) object: Object,
    /// Any of these; the first is taken where none is needed anyway.
    pub(super) privileges: Vec<Privilege>,
    /// On any of these columns, the least telling first; on the whole object where there are none.
    pub(super) columns: Vec<String>,
}

/// Something of which the needs cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Unproved {
    /// What it is: a routine, or nothing for the statement itself.
    pub(super) what: Option<String>,
    /// Why.
    pub(super) because: String,
    /// Text in which tables and functions may be named.
    pub(super) text: String,
    /// What is kept for it, beside what is named.
    pub(super) keeps: Keeps,
}

/// What is kept where needs cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Keeps {
    /// Rights on what is named in the text.
    Named,
    /// The same; rights on all tables where none is named.
    NamedOrAll,
    /// Rights on all sequences.
    Sequences,
    /// Membership, ownership: what the account has of it.
    Owner,
}

/// What something needs.
#[derive(Clone, Debug, Default)]
pub(super) struct Needs {
    pub(super) atoms: BTreeSet<Atom>,
    pub(super) any_of: BTreeSet<AnyOf>,
    /// Those of `atoms` that only something below needs: a trigger, the body of a routine.
    pub(super) below: BTreeSet<Atom>,
    pub(super) roles: BTreeSet<String>,
    pub(super) unproved: BTreeSet<Unproved>,
}

impl Needs {
    /// Takes over what something below needs.
    fn add_below(&mut self, other: &Self) {
        let direct = self.atoms.clone();
        self.add(other);
        let below = other.atoms.iter().filter(|it| !direct.contains(it) || self.below.contains(it));
        let below: Vec<Atom> = below.cloned().collect();
        self.below.extend(below);
    }

    fn add(&mut self, other: &Self) {
        self.atoms.extend(other.atoms.iter().cloned());
        self.any_of.extend(other.any_of.iter().cloned());
        self.below.extend(other.below.iter().cloned());
        self.roles.extend(other.roles.iter().cloned());
        self.unproved.extend(other.unproved.iter().cloned());
    }

    fn unproved(&mut self, because: impl Into<String>, text: &str) {
        self.unproved.insert(Unproved {
            what: None,
            because: because.into(),
            text: text.to_string(),
            keeps: Keeps::Named,
        });
    }
}

/// Trees, and the types of parameters with which they came.
type Analysed = (Vec<String>, Vec<Type>);

/// Why the server could not analyse a text.
pub(super) struct Refusal {
    code: String,
    pub(super) says: String,
}

impl Refusal {
    fn is_any(&self, codes: &[&str]) -> bool {
        codes.contains(&self.code.as_str())
    }
}

/// A name that leads nowhere on this path: of a table, function, schema or type.
const NOT_FOUND: [&str; 4] = ["42P01", "42883", "3F000", "42704"];

/// A type that does not fit.
const WRONG_TYPE: [&str; 5] = ["42883", "42804", "42846", "42725", "22P02"];

/// A statement as the server could analyse it.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    pub(super) text: String,
    pub(super) types: Vec<Type>,
    pub(super) path: String,
}

/// Asks the server for one account.
pub(super) struct Analyst<'a> {
    pub(super) session: &'a mut Session,
    pub(super) catalog: Catalog,
    database: String,
    /// Paths on which names are looked up, the likeliest first.
    pub(super) paths: Vec<String>,
    path_now: String,
    /// Whether the server is asked as the account; else policies of rows are not seen.
    pub(super) is_account: bool,
    account: String,
    routines: BTreeMap<(u32, u32), Rc<Needs>>,
    depth: usize,
    prepared: Option<Prepared>,
}

impl<'a> Analyst<'a> {
    /// Begins to ask as the account, where that may be.
    pub(super) fn new(
        session: &'a mut Session,
        account: &str,
        database: &str,
        paths: Vec<String>,
    ) -> Result<Self, AccessError> {
        let catalog = Catalog::new(session)?;
        let trees = "SET debug_print_rewritten = on; SET debug_pretty_print = off; SET client_min_messages = log; \
            SET check_function_bodies = on";
        session.batch(trees, "to print trees")?;
        let mut it = Self {
            session,
            catalog,
            database: database.to_string(),
            paths,
            path_now: String::new(),
            is_account: false,
            account: account.to_string(),
            routines: BTreeMap::new(),
            depth: 0,
            prepared: None,
        };
        it.is_account = it.session.try_one(&format!("SET ROLE {}", quote(account))).is_ok();
        Ok(it)
    }

    /// Ends it: the session is as it was.
    pub(super) fn end(self) -> Result<(), AccessError> {
        let sql = "RESET ROLE; SET debug_print_rewritten = off; SET client_min_messages = warning; SET search_path = pg_catalog; \
            DISCARD TEMP";
        self.session.batch(sql, "to end the analysis")?;
        self.session.notices();
        Ok(())
    }

    /// What a statement needs.
    pub(super) fn statement(&mut self, text: &str) -> Result<Needs, AccessError> {
        let mut needs = Needs::default();
        if self.depth > DEPTH_MAX {
            needs.unproved("it is nested too deeply", text);
            return Ok(needs);
        }
        self.depth += 1;
        let done = self.statement_within(text, &mut needs);
        self.depth -= 1;
        done.map(|()| needs)
    }

    /// What a statement needs, and how it can be prepared again, if it is one that is planned.
    pub(super) fn top(&mut self, text: &str) -> Result<(Needs, Option<Prepared>), AccessError> {
        self.prepared = None;
        let needs = self.statement(text)?;
        Ok((needs, self.prepared.take()))
    }

    /// What a routine needs that somebody called.
    pub(super) fn of_routine(&mut self, number: u32) -> Result<Needs, AccessError> {
        let mut needs = Needs::default();
        let function = self.catalog.function(self.session, number)?.cloned();
        // One that belongs to a trigger has a table, and was looked at with what writes to it.
        if let Some(function) = function.filter(|it| !it.is_definer && it.returns != "trigger") {
            needs.add(&*self.routine(&function, None)?);
            needs.atoms.insert(Atom::on(Privilege::Execute, function.object.clone()));
        }
        Ok(needs)
    }

    fn statement_within(&mut self, text: &str, needs: &mut Needs) -> Result<(), AccessError> {
        let first =
            parse_tokens(text, Dialect::Postgresql).first().map(|it| it.text.to_lowercase());
        let is_planned = first.as_deref().is_some_and(|it| {
            matches!(
                it,
                "select"
                    | "insert"
                    | "update"
                    | "delete"
                    | "merge"
                    | "with"
                    | "values"
                    | "table"
                    | "("
            )
        });
        if !is_planned {
            return self.utility(text, needs);
        }
        let text_now = preparable(text);
        match self.on_paths(&text_now)? {
            Ok((trees, types)) => {
                if self.depth == 1 {
                    let path = self.path_now.clone();
                    self.prepared = Some(Prepared { text: text_now, types, path });
                }
                for tree in trees {
                    self.tree(&tree, text, needs)?;
                }
            }
            Err(refusal) => needs.unproved(refusal.says, text),
        }
        Ok(())
    }

    /// Lets the server analyse a text on each path until names lead somewhere.
    fn on_paths(&mut self, text: &str) -> Result<Result<Analysed, Refusal>, AccessError> {
        let mut last = None;
        for path in self.paths.clone() {
            self.go(&path)?;
            match self.prepare(text)? {
                Ok(analysed) => return Ok(Ok(analysed)),
                Err(refusal) => {
                    let is_found = !refusal.is_any(&NOT_FOUND);
                    // What was found on an earlier path tells more than what is not found on a later one.
                    if is_found || last.is_none() {
                        last = Some(refusal);
                    }
                    if is_found {
                        break;
                    }
                }
            }
        }
        let none = Refusal { code: String::new(), says: "no path is known".into() };
        Ok(Err(last.unwrap_or(none)))
    }

    fn go(&mut self, path: &str) -> Result<(), AccessError> {
        if self.path_now != path {
            // The server's own names go first, as they do unless somebody says otherwise: what Polder asks beside
            // statements must mean what it says, whatever others have put on the path.
            let sql = format!("SET search_path = pg_catalog, {path}");
            self.session.batch(&sql, "names on a path")?;
            self.session.notices();
            self.path_now = path.to_string();
        }
        Ok(())
    }

    /// Trees of one statement, with types of parameters guessed where they must be.
    fn prepare(&mut self, text: &str) -> Result<Result<Analysed, Refusal>, AccessError> {
        let mut types: Vec<Type> = Vec::new();
        let count = parameters(text);
        let mut guesses = 0;
        // Parameters that were guessed, with how far the server came.
        let mut guessing: Option<(usize, usize, u32, Type)> = None;
        loop {
            self.session.notices();
            let error = match self.session.try_prepare(text, &types) {
                Ok(_) => {
                    let trees = self.session.notices().into_iter().take(1).collect();
                    return Ok(Ok((trees, types)));
                }
                Err(error) => error,
            };
            let Some(said) = error.as_db_error() else {
                return Err(AccessError::of(error, "what a statement needs", &self.account));
            };
            let refusal = Refusal { code: said.code().code().into(), says: said.message().into() };
            let at = match said.position() {
                Some(ErrorPosition::Original(at)) => *at,
                _ => 0,
            };
            if *said.code() == SqlState::INDETERMINATE_DATATYPE
                && let Some(number) = parameter_in(&refusal.says)
                && number <= count
                && types.get(number - 1).is_none_or(|it| *it == Type::UNKNOWN)
            {
                set(&mut types, number - 1, Type::TEXT);
                continue;
            }
            let may_guess =
                refusal.is_any(&WRONG_TYPE) && count > 0 && count <= GUESSED_PARAMETERS_MAX;
            guesses += 1;
            if !may_guess || guesses > GUESSES_MAX {
                return Ok(Err(refusal));
            }
            guessing = match guessing {
                None => Some((0, 0, at, types.first().cloned().unwrap_or(Type::UNKNOWN))),
                Some((parameter, guess, best_at, best)) => {
                    // Whatever lets the server come further is kept.
                    let tried = GUESSES.get(guess).cloned().unwrap_or(Type::UNKNOWN);
                    let (best_at, best) = if at > best_at { (at, tried) } else { (best_at, best) };
                    if guess + 1 < GUESSES.len() {
                        Some((parameter, guess + 1, best_at, best))
                    } else {
                        set(&mut types, parameter, best);
                        let next = types.get(parameter + 1).cloned().unwrap_or(Type::UNKNOWN);
                        Some((parameter + 1, 0, best_at, next))
                    }
                }
            };
            match &guessing {
                Some((parameter, guess, ..)) if *parameter < count => {
                    let guess = GUESSES.get(*guess).cloned().unwrap_or(Type::UNKNOWN);
                    set(&mut types, *parameter, guess);
                }
                _ => return Ok(Err(refusal)),
            }
        }
    }

    /// What a tree needs, and all that runs because of it.
    fn tree(&mut self, tree: &str, text: &str, needs: &mut Needs) -> Result<(), AccessError> {
        let values = match parse_tree(tree) {
            Ok(values) => values,
            Err(error) => {
                needs.unproved(error.to_string(), text);
                return Ok(());
            }
        };
        if is_utility(&values) {
            return self.utility(text, needs);
        }
        let found = TreeNeeds::of(&values);
        let numbers = found.relations.iter().chain(&found.written).map(|it| it.relation);
        let sequences = found.sequences.iter().filter_map(|it| it.1);
        let numbers: Vec<u32> = numbers.chain(sequences).collect();
        self.catalog.load(self.session, &numbers)?;
        self.catalog.load_functions(self.session, &found.functions)?;
        let words = words_of(text);
        for need in &found.relations {
            self.relation(need, &words, needs);
        }
        for (how, number) in &found.sequences {
            self.sequence(*how, *number, text, needs);
        }
        for number in &found.functions {
            self.function(*number, &words, needs)?;
        }
        self.types(&values, &words, needs)?;
        self.qualified(text, needs);
        for need in &found.written {
            self.written(need.relation, need.rights, &need.updated, needs)?;
        }
        Ok(())
    }

    fn relation(&self, need: &RelationNeed, words: &BTreeSet<String>, needs: &mut Needs) {
        let Some(relation) = self.catalog.relation(need.relation) else { return };
        if relation.is_foreign() {
            return;
        }
        let object = &relation.object;
        if let Some(schema) = object.schema.as_ref().filter(|_| words.contains(&object.name)) {
            needs.atoms.insert(Atom::on(Privilege::Usage, Object::bare(Class::Schema, schema)));
        }
        let sets = [
            (right::SELECT, Privilege::Select, &need.selected),
            (right::INSERT, Privilege::Insert, &need.inserted),
            (right::UPDATE, Privilege::Update, &need.updated),
        ];
        let own = |it: &i32| *it > 0;
        for (bit, privilege, columns) in sets {
            if need.rights & bit == 0 {
                continue;
            }
            if columns.is_empty() {
                // The key tells least; what has no key is told by its first columns.
                let key = relation.key.iter().filter_map(|it| relation.columns.get(it));
                let all = relation.columns.iter().filter(|(it, _)| own(it)).map(|(_, name)| name);
                let mut columns: Vec<String> = Vec::new();
                for name in key.chain(all) {
                    if !columns.contains(name) {
                        columns.push(name.clone());
                    }
                }
                needs.any_of.insert(AnyOf {
                    object: object.clone(),
                    privileges: vec![privilege],
                    columns,
                });
                continue;
            }
            let is_whole = columns.contains(&0);
            let numbers = relation
                .columns
                .iter()
                .filter(|(number, _)| columns.contains(number) || (is_whole && own(number)));
            for (_, name) in numbers {
                needs.atoms.insert(Atom::column(privilege, object.clone(), name.clone()));
            }
        }
        let whole =
            [(right::DELETE, Privilege::Delete), (super::catalog::TRUNCATES, Privilege::Truncate)];
        for (_, privilege) in whole.into_iter().filter(|(bit, _)| need.rights & bit != 0) {
            needs.atoms.insert(Atom::on(privilege, object.clone()));
        }
    }

    fn sequence(&self, how: SequenceUse, number: Option<u32>, text: &str, needs: &mut Needs) {
        let Some(number) = number else {
            needs.unproved.insert(Unproved {
                what: None,
                because: "which sequence it uses is known only when it runs".into(),
                text: text.into(),
                keeps: Keeps::Sequences,
            });
            return;
        };
        let Some(relation) = self.catalog.relation(number).filter(|it| !it.is_foreign()) else {
            return;
        };
        let privilege = match how {
            SequenceUse::Next | SequenceUse::Current => Privilege::Usage,
            SequenceUse::Set => Privilege::Update,
        };
        needs.atoms.insert(Atom::on(privilege, relation.object.clone()));
    }

    fn function(
        &mut self,
        number: u32,
        words: &BTreeSet<String>,
        needs: &mut Needs,
    ) -> Result<(), AccessError> {
        let Some(function) = self.catalog.function(self.session, number)?.cloned() else {
            return Ok(());
        };
        let schema = function.object.schema.clone().unwrap_or_default();
        if is_system(&schema) {
            if !function.is_public {
                needs.atoms.insert(Atom::on(Privilege::Execute, function.object.clone()));
            }
            return Ok(());
        }
        needs.atoms.insert(Atom::on(Privilege::Execute, function.object.clone()));
        if words.contains(&function.object.name) {
            needs.atoms.insert(Atom::on(Privilege::Usage, Object::bare(Class::Schema, schema)));
        }
        if !function.is_definer {
            let found = self.routine(&function, None)?;
            needs.add_below(&found);
        }
        Ok(())
    }

    /// Schemas of types that the text names.
    fn types(
        &mut self,
        values: &[Value<'_>],
        words: &BTreeSet<String>,
        needs: &mut Needs,
    ) -> Result<(), AccessError> {
        let mut types = BTreeSet::new();
        types_of(values, &mut types);
        if types.is_empty() {
            return Ok(());
        }
        let types: Vec<u32> = types.into_iter().collect();
        let sql = "SELECT n.nspname::text, pg_catalog.ltrim(t.typname::text, '_') FROM pg_catalog.pg_type t \
            JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE t.oid = ANY ($1)";
        for row in self.session.rows(sql, &[&types], "names of types")? {
            let (schema, name): (String, String) = (row.get(0), row.get(1));
            if words.contains(&name) && !is_system(&schema) {
                needs.atoms.insert(Atom::on(Privilege::Usage, Object::bare(Class::Schema, schema)));
            }
        }
        Ok(())
    }

    /// Schemas that the text names.
    fn qualified(&self, text: &str, needs: &mut Needs) {
        let tokens = parse_tokens(text, Dialect::Postgresql);
        for pair in tokens.windows(3) {
            let [name, dot, after] = pair else { continue };
            let is_name = dot.is_sign(".") && after.name().is_some();
            let Some(name) = name.name().filter(|it| is_name && self.catalog.schemas.contains(it))
            else {
                continue;
            };
            // An alias may have the name of a schema: then the table it stands for is named without one.
            let is_alias = tokens.windows(2).any(|it| {
                matches!(it, [before, it] if it.name().as_deref() == Some(&name)
                    && (before.is("as") || before.name().is_some_and(|it| !KEYWORDS.contains(&it.as_str()))))
            });
            if !is_system(&name) && !is_alias {
                needs.atoms.insert(Atom::on(Privilege::Usage, Object::bare(Class::Schema, name)));
            }
        }
    }

    /// Triggers and expressions that run as whoever writes.
    fn written(
        &mut self,
        table: u32,
        rights: u64,
        updated: &[i32],
        needs: &mut Needs,
    ) -> Result<(), AccessError> {
        let (triggers, functions) = self.catalog.runs(self.session, table, rights, updated)?;
        for number in functions {
            let mut found = Needs::default();
            self.function(number, &BTreeSet::new(), &mut found)?;
            needs.add_below(&found);
        }
        for trigger in triggers {
            let function = self.catalog.function(self.session, trigger.function)?.cloned();
            if let Some(function) = function.filter(|it| !it.is_definer) {
                let found = self.routine(&function, Some(trigger.table))?;
                needs.add_below(&found);
            }
        }
        Ok(())
    }

    /// What the body of a routine needs that runs with the rights of its caller.
    fn routine(
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
            self.paths = vec![path.clone()];
        }
        self.depth += 1;
        let found = match self.depth > DEPTH_MAX {
            true => Ok(Needs::default()),
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
            Err(error) => match error.as_db_error() {
                Some(said) => Ok(Err(Refusal {
                    code: said.code().code().into(),
                    says: said.message().into(),
                })),
                None => Err(AccessError::of(error, "what a routine needs", &self.account)),
            },
        }
    }

    /// A block of PL/pgSQL: each piece of SQL in it is looked at as if it were a function in SQL, with its variables as
    /// arguments.
    fn block(
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
        variables.extend(body.variables.iter().map(|it| (it.name.clone(), it.kind.clone())));
        for piece in &body.pieces {
            self.piece(piece, function, &variables, row.is_some(), needs)?;
        }
        Ok(())
    }

    fn piece(
        &mut self,
        piece: &str,
        function: &Function,
        variables: &[(String, Option<String>)],
        has_row: bool,
        needs: &mut Needs,
    ) -> Result<(), AccessError> {
        let first =
            parse_tokens(piece, Dialect::Postgresql).first().map(|it| it.text.to_lowercase());
        let is_query = first.is_some_and(|it| {
            matches!(
                it.as_str(),
                "select" | "insert" | "update" | "delete" | "merge" | "with" | "values" | "("
            )
        });
        if !is_query {
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
        let create = format!(
            "BEGIN; RESET ROLE; SET LOCAL check_function_bodies = off; CREATE FUNCTION pg_temp.{}({arguments}) RETURNS void \
             LANGUAGE sql AS {}",
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
            let made = self.session.batch(&create, "a piece of a routine");
            let found = match made {
                Ok(()) => {
                    let mut sql = "SET LOCAL check_function_bodies = on".to_string();
                    if self.is_account {
                        sql.push_str(&format!("; SET LOCAL ROLE {}", quote(&self.account)));
                    }
                    self.session.batch(&sql, "a piece of a routine")?;
                    self.validate(&check)?
                }
                Err(AccessError::Gone { doing, source }) => {
                    return Err(AccessError::Gone { doing, source });
                }
                Err(error) => Err(Refusal { code: String::new(), says: reason(&error) }),
            };
            self.session.batch("ROLLBACK", "a piece of a routine")?;
            self.session.notices();
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

    /// What a statement needs that has no tree.
    fn utility(&mut self, text: &str, needs: &mut Needs) -> Result<(), AccessError> {
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
            if self.catalog.relation(number).is_some_and(super::catalog::Relation::is_foreign) {
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

/// Words before a name that do not make it an alias.
const KEYWORDS: [&str; 24] = [
    "from",
    "join",
    "into",
    "update",
    "only",
    "table",
    "select",
    "where",
    "and",
    "or",
    "not",
    "on",
    "by",
    "in",
    "when",
    "then",
    "else",
    "set",
    "values",
    "returning",
    "having",
    "using",
    "distinct",
    "call",
];

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
    let mut out = String::with_capacity(text.len());
    let mut end = 0;
    for it in tokens.windows(3) {
        let [name, dot, star] = it else { continue };
        if name.is_any(&["new", "old"]) && dot.is_sign(".") && star.is_sign("*") {
            out.push_str(text.get(end..name.at).unwrap_or_default());
            out.push_str(&format!("({}).*", name.text));
            end = star.end();
        }
    }
    out.push_str(text.get(end..).unwrap_or_default());
    out
}

/// A routine that is none: a block that stands alone.
fn nobody() -> Function {
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
    }
}

/// All names in a text.
pub(super) fn words_of(text: &str) -> BTreeSet<String> {
    parse_tokens(text, Dialect::Postgresql).iter().filter_map(Token::name).collect()
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

fn set(types: &mut Vec<Type>, at: usize, kind: Type) {
    while types.len() <= at {
        types.push(Type::UNKNOWN);
    }
    if let Some(slot) = types.get_mut(at) {
        *slot = kind;
    }
}

/// The number in `could not determine data type of parameter $2`.
fn parameter_in(says: &str) -> Option<usize> {
    let digits = says.rsplit_once('$')?.1;
    digits.parse().ok().filter(|it| *it > 0)
}

/// What the server said, without what was asked.
fn reason(error: &AccessError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// Names that a text may mean, with their schema where one stands before them.
pub(super) fn names_in(text: &str) -> BTreeSet<(Option<String>, String)> {
    let tokens: Vec<Token<'_>> = parse_tokens(text, Dialect::Postgresql);
    let mut names = BTreeSet::new();
    for (at, token) in tokens.iter().enumerate() {
        if !matches!(token.kind, Kind::Word | Kind::Quoted) {
            continue;
        }
        let before = |count: usize| at.checked_sub(count).and_then(|it| tokens.get(it));
        let schema = match before(1).is_some_and(|it| it.is_sign(".")) {
            true => before(2).and_then(Token::name),
            false => None,
        };
        if let Some(name) = token.name() {
            names.insert((schema, name));
        }
    }
    names
}
