//! Lets the server say that everything works with the rights that are proposed, and that none of them can be left out.
//!
//! The rights are really taken and given, in a transaction that is rolled back; statements are planned, not run. Planning may
//! run functions that are said to be immutable or stable. Whoever can make one would so run code as whoever proves, so those
//! that no superuser owns are made volatile first, within the same transaction: volatile functions are never run by a planner.

use super::learn::{Learned, Needed};
use super::propose::Proposal;
use super::session::Session;
use crate::sql::{quote, string};
use crate::{AccessError, Atom, Class, Evidence, Necessity, Privilege, Proof};
use postgres::error::SqlState;
use std::collections::{BTreeMap, BTreeSet};

/// Statements that are tried for one right before it counts as not proved.
const TRIES_MAX: usize = 4;

/// Rights that are left out one by one: while that lasts, nobody else can change rights on the same things.
const LEFT_OUT_MAX: usize = 5000;

/// Prepared statements that the server keeps at once: each takes some ten kilobytes of its memory.
const KEPT_MAX: usize = 5000;

const DOING: &str = "a proof";

/// Proves a proposal; changes nothing.
///
/// # Errors
/// When whoever is connected is no superuser, somebody changes rights at the same time, or the server goes away.
pub fn prove(
    session: &mut Session,
    learned: &Learned,
    proposal: &Proposal,
) -> Result<Proof, AccessError> {
    session.batch("BEGIN", DOING)?;
    let proof = prove_within(session, learned, proposal);
    let ended = session.batch("ROLLBACK", DOING).and_then(|()| forget(session));
    session.notices();
    let proof = proof?;
    ended.map(|()| proof)
}

/// Prepared statements outlive a transaction.
fn forget(session: &mut Session) -> Result<(), AccessError> {
    let sql = r"SELECT string_agg('DEALLOCATE ' || quote_ident(name), '; ') FROM pg_prepared_statements WHERE from_sql AND name LIKE 'polder\_%'";
    let rows = session.rows(sql, &[], DOING)?;
    match rows.first().and_then(|it| it.get::<_, Option<String>>(0)) {
        Some(sql) => session.batch(&sql, DOING),
        None => Ok(()),
    }
}

/// What became of a statement.
enum Answer {
    Planned,
    NotPlanned,
    Refused(String),
}

struct Prover<'a> {
    session: &'a mut Session,
    account: String,
    /// Names of prepared statements, by the index of the statement.
    prepared: BTreeMap<usize, (String, usize)>,
    /// Whether they are kept by the server: of very many the plans would fill its memory.
    keeps: bool,
}

fn prove_within(
    session: &mut Session,
    learned: &Learned,
    proposal: &Proposal,
) -> Result<Proof, AccessError> {
    // Triggers on commands (event triggers) are not to see what is not done.
    session.batch("SET LOCAL session_replication_role = replica", DOING)?;
    for sql in proposal.forward(session.version()) {
        session.batch(&sql, DOING)?;
    }
    make_volatile(session)?;
    session.batch("SET LOCAL plan_cache_mode = force_generic_plan", DOING)?;
    let mut it = Prover {
        session,
        account: proposal.account.clone(),
        prepared: BTreeMap::new(),
        keeps: learned.statements.len() <= KEPT_MAX,
    };
    let mut proof = Proof::default();
    it.become_account()?;
    for (index, statement) in learned.statements.iter().enumerate() {
        match &statement.prepared {
            None => proof.by_rule += 1,
            Some(_) => match it.plans(index, learned)? {
                Answer::Planned => proof.passed += 1,
                Answer::NotPlanned => proof.by_rule += 1,
                Answer::Refused(says) => proof.refused.push((statement.text.clone(), says)),
            },
        }
    }
    it.single_out(learned)?;
    for (count, needed) in learned.needed.iter().enumerate() {
        let how = match count < LEFT_OUT_MAX {
            true => it.necessity(needed, learned)?,
            false if needed.evidence == Evidence::Unproved => Necessity::Kept,
            false => Necessity::Analysed,
        };
        proof.necessity.insert(needed.atom.to_string(), how);
    }
    Ok(proof)
}

/// What a planner may run: functions that are not volatile, and, of operators whatever they are, the function with the values
/// that statistics have of a column. Both end here, whoever owns them: what a superuser owns may call what others put on a path.
fn make_volatile(session: &mut Session) -> Result<(), AccessError> {
    let functions = "SELECT string_agg(format('ALTER FUNCTION %s VOLATILE', p.oid::regprocedure), '; ') FROM pg_proc p \
        JOIN pg_language l ON l.oid = p.prolang JOIN pg_namespace n ON n.oid = p.pronamespace \
        WHERE p.provolatile <> 'v' AND p.prokind = 'f' AND l.lanname NOT IN ('c', 'internal') \
        AND n.nspname NOT IN ('pg_catalog', 'information_schema')";
    let operators = "SELECT string_agg(format('ALTER OPERATOR %s SET (RESTRICT = NONE, JOIN = NONE)', o.oid::regoperator), '; ') \
        FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace \
        WHERE n.nspname <> 'pg_catalog' AND (o.oprrest <> 0 OR o.oprjoin <> 0)";
    for sql in [functions, operators] {
        let rows = session.rows(sql, &[], DOING)?;
        if let Some(sql) = rows.first().and_then(|it| it.get::<_, Option<String>>(0)) {
            session.batch(&sql, DOING)?;
        }
    }
    Ok(())
}

impl Prover<'_> {
    fn become_account(&mut self) -> Result<(), AccessError> {
        self.session.batch(&format!("SET LOCAL ROLE {}", quote(&self.account)), DOING)
    }

    /// Prepares and plans a statement.
    fn plans(&mut self, index: usize, learned: &Learned) -> Result<Answer, AccessError> {
        let name = format!("polder_{index}");
        self.session.batch("SAVEPOINT one", DOING)?;
        let mut is_known = true;
        let done = match self.prepare(&name, index, learned)? {
            Err(error) => {
                is_known = false;
                Err(error)
            }
            Ok(count) => {
                self.prepared.insert(index, (name.clone(), count));
                self.explain(index, learned)?
            }
        };
        match done {
            Ok(()) => {
                // Planning locks tables against their owners: that ends here. What is prepared stays.
                self.session.batch("ROLLBACK TO SAVEPOINT one; RELEASE SAVEPOINT one", DOING)?;
                if !self.keeps {
                    self.session.batch(&format!("DEALLOCATE {name}"), DOING)?;
                }
                Ok(Answer::Planned)
            }
            Err(error) => {
                self.session.batch("ROLLBACK TO SAVEPOINT one", DOING)?;
                let code = error.code().map_or("", SqlState::code);
                // It could be analysed before: names that lead nowhere now lay in a schema that is closed.
                if code == "42501" || (!is_known && code.starts_with("42")) {
                    return Ok(Answer::Refused(words(&error)));
                }
                // Whatever else goes wrong is about values that were made up.
                self.prepared.remove(&index);
                Ok(Answer::NotPlanned)
            }
        }
    }

    /// Prepares a statement under a name; answers how many parameters it has.
    fn prepare(
        &mut self,
        name: &str,
        index: usize,
        learned: &Learned,
    ) -> Result<Result<usize, postgres::Error>, AccessError> {
        let prepared = learned.statements.get(index).and_then(|it| it.prepared.as_ref());
        let Some(prepared) = prepared else { return Ok(Ok(0)) };
        self.session.batch(&format!("SET LOCAL search_path = {}", prepared.path), DOING)?;
        let count = super::statement::parameters(&prepared.text).max(prepared.types.len());
        let mut types: Vec<String> = prepared.types.iter().map(|it| quote(it.name())).collect();
        types.resize(count, "unknown".into());
        let types = if count == 0 { String::new() } else { format!(" ({})", types.join(", ")) };
        let sql = format!("PREPARE {name}{types} AS {}", prepared.text);
        self.answer(&sql).map(|it| it.map(|()| count))
    }

    /// Plans a prepared statement, on the path on which it was prepared: on another its names would be looked up again.
    fn explain(
        &mut self,
        index: usize,
        learned: &Learned,
    ) -> Result<Result<(), postgres::Error>, AccessError> {
        let prepared = learned.statements.get(index).and_then(|it| it.prepared.as_ref());
        let (Some(prepared), Some((name, count))) = (prepared, self.prepared.get(&index).cloned())
        else {
            return Ok(Ok(()));
        };
        self.session.batch(&format!("SET LOCAL search_path = {}", prepared.path), DOING)?;
        let values = vec!["NULL"; count].join(", ");
        let values = if count == 0 { String::new() } else { format!(" ({values})") };
        self.answer(&format!("EXPLAIN (COSTS OFF) EXECUTE {name}{values}"))
    }

    /// What the server says; that it went away is no answer.
    fn answer(&mut self, sql: &str) -> Result<Result<(), postgres::Error>, AccessError> {
        match self.session.try_one(sql) {
            Err(error) if error.as_db_error().is_none() => {
                Err(AccessError::of(error, DOING, &self.account))
            }
            answer => Ok(answer),
        }
    }

    /// Leaves each right to stand for itself: on columns where whole tables are given, and for the account where everyone has it.
    fn single_out(&mut self, learned: &Learned) -> Result<(), AccessError> {
        self.session.batch("RESET ROLE; SET LOCAL search_path = pg_catalog", DOING)?;
        let account = quote(&self.account);
        let mut objects = BTreeSet::new();
        let mut columns: BTreeMap<(&crate::Object, Privilege), Vec<&Atom>> = BTreeMap::new();
        for needed in &learned.needed {
            let atom = &needed.atom;
            if matches!(
                atom.object.class,
                Class::Table | Class::Sequence | Class::Schema | Class::Function | Class::Procedure
            ) {
                objects.insert(&atom.object);
            }
            if atom.column.is_some() {
                columns.entry((&atom.object, atom.privilege)).or_default().push(atom);
            }
        }
        for object in
            objects.iter().filter(|it| !it.schema.as_deref().is_some_and(super::catalog::is_system))
        {
            let sql = format!("REVOKE ALL ON {} {} FROM PUBLIC", object.class.sql(), object.sql());
            self.session.batch(&sql, DOING)?;
        }
        for ((object, privilege), atoms) in columns {
            let mut sql =
                format!("REVOKE {} ON TABLE {} FROM {account}", privilege.sql(), object.sql());
            for grant in crate::grants(atoms) {
                sql.push_str(&format!("; GRANT {grant} TO {account}"));
            }
            self.session.batch(&sql, DOING)?;
        }
        Ok(())
    }

    fn necessity(&mut self, needed: &Needed, learned: &Learned) -> Result<Necessity, AccessError> {
        let atom = &needed.atom;
        if needed.evidence == Evidence::Unproved {
            return Ok(Necessity::Kept);
        }
        // Who connects is connected already, and no plan makes a temporary table.
        if matches!(atom.object.class, Class::Database) {
            return Ok(Necessity::Analysed);
        }
        self.session.batch("SAVEPOINT one", DOING)?;
        let sql = format!("REVOKE {atom} FROM {}", quote(&self.account));
        self.session.batch(&sql, DOING)?;
        self.become_account()?;
        let found = self.without(needed, learned);
        self.session.batch("ROLLBACK TO SAVEPOINT one; RELEASE SAVEPOINT one", DOING)?;
        found
    }

    /// Whether some statement is refused, now that a right is gone.
    fn without(&mut self, needed: &Needed, learned: &Learned) -> Result<Necessity, AccessError> {
        let atom = &needed.atom;
        if atom.object.class == Class::Sequence {
            // `currval` asks for the right first, and then says that there is no value yet: nothing is counted up.
            let sql = format!(
                "SELECT pg_catalog.currval({}::pg_catalog.regclass)",
                string(&atom.object.sql())
            );
            let is_refused = self.is_refused(&sql)?;
            return Ok(if is_refused { Necessity::Refused } else { Necessity::Analysed });
        }
        let mut is_all_planned = true;
        for index in needed.statements.iter().take(TRIES_MAX) {
            let Some((name, _)) = self.prepared.get(index).cloned() else {
                is_all_planned = false;
                continue;
            };
            self.session.batch("SAVEPOINT two", DOING)?;
            let mut is_made = false;
            // Names are looked up when a statement is prepared.
            let answer = match atom.object.class {
                Class::Schema => {
                    let name = format!("{name}_again");
                    self.prepare(&name, *index, learned)?.map(drop)
                }
                _ if self.keeps => self.explain(*index, learned)?,
                _ => match self.prepare(&name, *index, learned)? {
                    Ok(_) => {
                        is_made = true;
                        self.explain(*index, learned)?
                    }
                    Err(error) => Err(error),
                },
            };
            self.session.batch("ROLLBACK TO SAVEPOINT two", DOING)?;
            if atom.object.class == Class::Schema && answer.is_ok() {
                self.session.batch(&format!("DEALLOCATE {name}_again"), DOING)?;
            }
            if is_made {
                self.session.batch(&format!("DEALLOCATE {name}"), DOING)?;
            }
            if let Err(error) = answer {
                // On a path, a schema that may not be looked into is passed by.
                let is_hidden = atom.object.class == Class::Schema;
                if is_hidden || error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
                    return Ok(Necessity::Refused);
                }
            }
        }
        // What triggers and bodies of routines need is checked only when they run.
        let is_direct = is_all_planned && needed.statements.len() <= TRIES_MAX;
        let is_below = needed.is_below || !is_direct;
        Ok(if is_below { Necessity::Analysed } else { Necessity::NotShown })
    }

    fn is_refused(&mut self, sql: &str) -> Result<bool, AccessError> {
        self.session.batch("SAVEPOINT two", DOING)?;
        let answer = self.answer(sql)?;
        self.session.batch("ROLLBACK TO SAVEPOINT two", DOING)?;
        Ok(answer.is_err_and(|it| it.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE)))
    }
}

fn words(error: &postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |it| it.message().to_string())
}
