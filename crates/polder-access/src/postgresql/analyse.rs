//! What a statement needs, as the server's own analysis says it: nothing is run.

use super::catalog::{Catalog, is_system, types_of};
use super::session::Session;
use super::statement::{parameters, preparable};
use super::tree::{RelationNeed, SequenceUse, TreeNeeds, Value, is_utility, parse_tree, right};
use crate::sql::{Dialect, Kind, Token, parse_tokens, quote};
use crate::{AccessError, Atom, Class, Object, Privilege};
use postgres::error::{ErrorPosition, SqlState};
use postgres::types::Type;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// How often types of parameters are guessed for one statement.
const GUESSES_MAX: usize = 240;

/// Parameters of which types are guessed.
const GUESSED_PARAMETERS_MAX: usize = 16;

/// Routines within one another, and statements within statements.
pub(super) const DEPTH_MAX: usize = 24;

/// Types that are tried for parameters of which the server cannot tell one.
const GUESSES: [Type; 12] = [
    Type::INT4,
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
    /// Whether it uses a table that is there in one session only.
    pub(super) is_of_session: bool,
}

impl Needs {
    /// Takes over what something below needs.
    pub(super) fn add_below(&mut self, other: &Self) {
        let direct = self.atoms.clone();
        self.add(other);
        let below = other.atoms.iter().filter(|it| !direct.contains(it) || self.below.contains(it));
        let below: Vec<Atom> = below.cloned().collect();
        self.below.extend(below);
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.atoms.extend(other.atoms.iter().cloned());
        self.any_of.extend(other.any_of.iter().cloned());
        self.below.extend(other.below.iter().cloned());
        self.roles.extend(other.roles.iter().cloned());
        self.unproved.extend(other.unproved.iter().cloned());
    }

    pub(super) fn unproved(&mut self, because: impl Into<String>, text: &str) {
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
    pub(super) code: String,
    pub(super) says: String,
}

impl Refusal {
    /// What the server said, unless it may quote what stood in a text: of names alone (class 42 of its codes, but for
    /// what is no SQL) its words are kept.
    ///
    /// # Errors
    /// When it said nothing, since it is gone.
    pub(super) fn of(
        error: postgres::Error,
        doing: &'static str,
        user: &str,
    ) -> Result<Self, AccessError> {
        let Some(said) = error.as_db_error() else {
            return Err(AccessError::of(error, doing, user));
        };
        let code = said.code().code().to_string();
        let tells_names = code.starts_with("42") && code != "42601";
        let says = match (tells_names, code.as_str()) {
            (true, _) | (_, "3F000") => said.message().to_string(),
            (_, "42601") => "it is no SQL that this server knows".to_string(),
            (_, code) => format!("the server cannot analyse it ({code})"),
        };
        Ok(Self { code, says })
    }

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
    pub(super) database: String,
    /// Paths on which names are looked up, the likeliest first.
    pub(super) paths: Vec<String>,
    /// Whether the server is asked as the account; else policies of rows are not seen.
    pub(super) is_account: bool,
    pub(super) account: String,
    pub(super) routines: BTreeMap<(u32, u32), Rc<Needs>>,
    pub(super) depth: usize,
    prepared: Option<Prepared>,
    /// Names of transition tables, and the table whose rows they hold, of the trigger that is looked at.
    pub(super) transitions: Vec<(String, String)>,
    /// Where the names of the last text were found.
    path_of_last: String,
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
            is_account: false,
            account: account.to_string(),
            routines: BTreeMap::new(),
            depth: 0,
            prepared: None,
            transitions: Vec::new(),
            path_of_last: String::new(),
        };
        it.is_account = it.session.try_one(&format!("SET ROLE {}", quote(account))).is_ok();
        Ok(it)
    }

    /// Ends it: the session is as it was.
    pub(super) fn end(self) -> Result<(), AccessError> {
        let sql = "RESET ROLE; SET debug_print_rewritten = off; SET client_min_messages = warning; \
            DISCARD TEMP";
        self.session.batch(sql, "to end the analysis")?;
        self.session.path("")?;
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
        let prepared = self.prepared.take().filter(|_| !needs.is_of_session);
        Ok((needs, prepared))
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
        if !is_planned(text) {
            return self.utility(text, needs);
        }
        let text_now = preparable(text);
        let mut answer = self.on_paths(&text_now)?;
        // What lies in a schema that is closed to the account by now is looked up by whoever is connected.
        let is_closed = |it: &Refusal| it.code == "42501" || it.is_any(&NOT_FOUND);
        if self.is_account && answer.as_ref().is_err_and(is_closed) {
            self.session.batch("RESET ROLE", "names in closed schemas")?;
            let again = self.on_paths(&text_now)?;
            let back = format!("SET ROLE {}", quote(&self.account));
            self.session.batch(&back, "to be the account again")?;
            self.session.notices();
            if again.is_ok() {
                answer = again;
            }
        }
        match answer {
            Ok((trees, types)) => {
                if self.depth == 1 {
                    let path = self.path_of_last.clone();
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
                Ok(analysed) => {
                    self.path_of_last = path;
                    return Ok(Ok(analysed));
                }
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

    pub(super) fn go(&mut self, path: &str) -> Result<(), AccessError> {
        self.session.path(path)?;
        self.session.notices();
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
            let at = match error.as_db_error().and_then(|it| it.position()) {
                Some(ErrorPosition::Original(at)) => *at,
                _ => 0,
            };
            let refusal = Refusal::of(error, "what a statement needs", &self.account)?;
            if refusal.code == SqlState::INDETERMINATE_DATATYPE.code()
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
    pub(super) fn tree(
        &mut self,
        tree: &str,
        text: &str,
        needs: &mut Needs,
    ) -> Result<(), AccessError> {
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
        for (number, count) in &found.calls {
            self.defaults(*number, *count, needs)?;
        }
        self.types(&values, &words, needs)?;
        self.named_by_number(&found, needs)?;
        self.qualified(text, needs);
        for need in &found.written {
            self.written(need.relation, need.rights, &need.updated, needs)?;
        }
        Ok(())
    }

    fn relation(&self, need: &RelationNeed, words: &BTreeSet<String>, needs: &mut Needs) {
        let Some(relation) = self.catalog.relation(need.relation) else { return };
        if relation.is_foreign() {
            needs.is_of_session |=
                relation.object.schema.as_deref().is_some_and(|it| it.starts_with("pg_temp"));
            return;
        }
        let object = &relation.object;
        if object.class == Class::Sequence {
            needs.atoms.insert(Atom::on(Privilege::Select, object.clone()));
        }
        if let Some(schema) = object.schema.as_ref().filter(|_| words.contains(&object.name)) {
            needs.atoms.insert(Atom::on(Privilege::Usage, Object::bare(Class::Schema, schema)));
        }
        let sets = [
            (right::SELECT, Privilege::Select, &need.selected),
            (right::INSERT, Privilege::Insert, &need.inserted),
            (right::UPDATE, Privilege::Update, &need.updated),
        ];
        let own = |it: &i32| *it > 0;
        let sets = sets.into_iter().filter(|_| object.class != Class::Sequence);
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

    pub(super) fn function(
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

    /// What stands for arguments that a call leaves out.
    fn defaults(
        &mut self,
        number: u32,
        count: usize,
        needs: &mut Needs,
    ) -> Result<(), AccessError> {
        let Some(function) = self.catalog.function(self.session, number)?.cloned() else {
            return Ok(());
        };
        let inputs = function.arguments.iter().filter(|it| matches!(it.2, 'i' | 'b' | 'v')).count();
        if function.defaults.is_empty() || count >= inputs {
            return Ok(());
        }
        let found = TreeNeeds::of(&parse_tree(&function.defaults).unwrap_or_default());
        let sequences: Vec<u32> = found.sequences.iter().filter_map(|it| it.1).collect();
        self.catalog.load(self.session, &sequences)?;
        for (how, sequence) in &found.sequences {
            self.sequence(*how, *sequence, "", needs);
        }
        for number in found.functions {
            self.function(number, &BTreeSet::new(), needs)?;
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

    /// Schemas of operators, collations and text search configurations, which are found on the path; and functions with which
    /// rows are grouped, which no expression calls.
    fn named_by_number(&mut self, found: &TreeNeeds, needs: &mut Needs) -> Result<(), AccessError> {
        if found.operators.is_empty() && found.others.is_empty() && found.grouping.is_empty() {
            return Ok(());
        }
        let sql = "SELECT n.nspname::text FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace WHERE o.oid = ANY ($1) \
            UNION SELECT n.nspname::text FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace WHERE c.oid = ANY ($2) \
            UNION SELECT n.nspname::text FROM pg_catalog.pg_ts_config t JOIN pg_catalog.pg_namespace n ON n.oid = t.cfgnamespace WHERE t.oid = ANY ($2)";
        let rows =
            self.session.rows(sql, &[&found.operators, &found.others], "names of operators")?;
        for row in rows {
            let schema: String = row.get(0);
            if !is_system(&schema) {
                needs.atoms.insert(Atom::on(Privilege::Usage, Object::bare(Class::Schema, schema)));
            }
        }
        let sql = "SELECT o.oprcode::oid FROM pg_catalog.pg_operator o WHERE o.oid = ANY ($1)";
        let rows = self.session.rows(sql, &[&found.grouping], "functions of operators")?;
        let functions: Vec<u32> = rows.iter().map(|it| it.get(0)).collect();
        self.session.notices();
        for number in functions {
            self.function(number, &BTreeSet::new(), needs)?;
        }
        Ok(())
    }

    /// Schemas that the text names.
    pub(super) fn qualified(&self, text: &str, needs: &mut Needs) {
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
    pub(super) fn written(
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
                self.catalog.load(self.session, &[trigger.table])?;
                let rows = self.catalog.relation(trigger.table).map(|it| it.object.sql());
                let names = trigger.transitions.into_iter();
                let transitions = names.filter_map(|it| Some((it, rows.clone()?))).collect();
                let outer = std::mem::replace(&mut self.transitions, transitions);
                let found = self.routine(&function, Some(trigger.table));
                self.transitions = outer;
                let found = found?;
                needs.add_below(&found);
            }
        }
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

/// Whether a statement is one that the server plans, by its first word.
pub(super) fn is_planned(text: &str) -> bool {
    const PLANNED: [&str; 8] =
        ["select", "insert", "update", "delete", "merge", "with", "values", "table"];
    let tokens = parse_tokens(text, Dialect::Postgresql);
    tokens.first().is_some_and(|it| it.is_any(&PLANNED) || it.is_sign("("))
}

/// All names in a text.
pub(super) fn words_of(text: &str) -> BTreeSet<String> {
    parse_tokens(text, Dialect::Postgresql).iter().filter_map(Token::name).collect()
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
