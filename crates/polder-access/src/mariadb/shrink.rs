//! Takes away what was given and is not needed after all, and sees which statements miss what.

use super::learn::{Needed, Statement, is_made};
use super::learner::{Learner, names};
use super::right::{Place, Right};
use super::rights::{Rights, SYSTEM};
use super::statement::{CUT, DYNAMIC};
use crate::{AccessError, Evidence, Necessity, Source, sensitive};
use std::collections::{BTreeMap, BTreeSet};

/// Statements that are tried for one right beyond the one that needs it, to know how often it is needed.
const TRIES_MAX: usize = 40;

impl Learner<'_> {
    /// Takes away what was given and is not needed after all, and sees who misses what.
    pub(super) fn shrink(&mut self) -> Result<(), AccessError> {
        let mut all: Vec<Right> = self.probe.given().iter().cloned().collect();
        let is_sensitive =
            |it: &Right| it.column.as_deref().is_some_and(|it| sensitive(it).is_some());
        all.sort_by_key(|it| (!is_sensitive(it), it.column.is_some()));
        let mut needed: Vec<Needed> = Vec::new();
        for right in all {
            // What rules tell of, and what is on whole databases, is not left out.
            if self.ruled.contains(&right) || matches!(right.place, Place::Database(_)) {
                needed.push(self.ruled(right));
                continue;
            }
            let by = self.missing(&right)?;
            if !by.is_empty() {
                needed.push(self.needed(right, Necessity::Refused, by));
            }
        }
        let given: BTreeSet<&Right> = needed.iter().map(|it| &it.right).collect();
        let untried: Vec<Right> =
            self.ruled.iter().filter(|it| !given.contains(it)).cloned().collect();
        needed.extend(untried.into_iter().map(|it| self.ruled(it)));
        self.keep(&mut needed);
        self.enter(&mut needed);
        needed.sort_by(|a, b| a.right.cmp(&b.right));
        self.learned.needed = needed;
        Ok(())
    }

    /// A right that rules tell of.
    fn ruled(&self, right: Right) -> Needed {
        let by = self.positions(|it| it.rights.contains(&right)).collect();
        self.needed(right, Necessity::Analysed, by)
    }

    pub(super) fn positions<'b>(
        &'b self,
        is_it: impl Fn(&Statement) -> bool + 'b,
    ) -> impl Iterator<Item = usize> + 'b {
        self.learned.statements.iter().enumerate().filter(move |it| is_it(it.1)).map(|it| it.0)
    }

    pub(super) fn needed(
        &self,
        right: Right,
        necessity: Necessity,
        statements: Vec<usize>,
    ) -> Needed {
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
    pub(super) fn missing(&mut self, right: &Right) -> Result<Vec<usize>, AccessError> {
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
        // Whatever it was given for may not name it: a sequence that a default counts up, for one.
        if let Some(first) = self.origins.get(right).filter(|it| !tries.contains(it)) {
            tries.insert(0, *first);
        }
        self.probe.take(std::slice::from_ref(right))?;
        let mut by = Vec::new();
        for (count, index) in tries.into_iter().enumerate() {
            if count >= TRIES_MAX && !by.is_empty() {
                break;
            }
            let made = &self.learned.temporary;
            let Some(statement) = self.learned.statements.get(index) else { continue };
            if self.probe.misses(statement, |it| is_made(made, it))?.is_some() {
                by.push(index);
            }
        }
        if !by.is_empty() {
            self.give(std::slice::from_ref(right))?;
        }
        Ok(by)
    }

    /// Whoever goes to a database must have some right there; where nothing else is needed, one that gives nothing by itself.
    fn enter(&self, needed: &mut Vec<Needed>) {
        const HARMLESS: [&str; 8] = [
            "LOCK TABLES",
            "REFERENCES",
            "SHOW VIEW",
            "INDEX",
            "TRIGGER",
            "CREATE TEMPORARY TABLES",
            "EXECUTE",
            "SELECT",
        ];
        let mut entered: BTreeMap<&String, Vec<usize>> = BTreeMap::new();
        for (index, it) in self.learned.statements.iter().enumerate() {
            let own = it.database.iter().filter(|_| it.within.is_none());
            for database in own.chain(&it.enters) {
                entered.entry(database).or_default().push(index);
            }
        }
        for (database, statements) in entered {
            let is_in = |it: &Needed| match &it.right.place {
                Place::Server => false,
                Place::Database(pattern) => super::rights::unescaped(pattern) == *database,
                Place::Table(it, _)
                | Place::Function(it, _)
                | Place::Procedure(it, _)
                | Place::Package(_, it, _) => it == database,
            };
            if needed.iter().any(is_in) {
                continue;
            }
            let right = |it: &str| Right::on(it, Place::database(database));
            let first = HARMLESS.into_iter().find(|it| self.rights.holds(&right(it)));
            if let Some(name) = first {
                needed.push(self.needed(right(name), Necessity::Analysed, statements));
            }
        }
    }

    /// Rights that are kept for what cannot be told.
    pub(super) fn keep(&self, needed: &mut Vec<Needed>) {
        let mut known: BTreeMap<Right, Vec<usize>> = BTreeMap::new();
        for (index, statement) in self.learned.statements.iter().enumerate() {
            if statement.unproved.is_empty() {
                continue;
            }
            for right in kept(statement, self.rights) {
                known.entry(right).or_default().push(index);
            }
        }
        let there: BTreeSet<Right> = needed.iter().map(|it| it.right.clone()).collect();
        for (right, statements) in known {
            if there.contains(&right) {
                continue;
            }
            let mut it = self.needed(right, Necessity::Kept, statements);
            it.evidence = Evidence::Unproved;
            needed.push(it);
        }
    }
}

/// Names that a statement may mean, those in views that read with the rights of whoever reads them among them.
fn meant(statement: &Statement, rights: &Rights) -> BTreeSet<String> {
    let mut words = statement.named.clone();
    loop {
        let before = words.len();
        let inner = rights.definers.iter().filter(|it| {
            it.kind == "VIEW" && !it.is_definer && words.contains(&it.name.to_lowercase())
        });
        let more: BTreeSet<String> = inner
            .flat_map(|it| super::statement::words_in(&it.body, crate::sql::Dialect::MARIADB))
            .collect();
        words.extend(more);
        if words.len() == before {
            return words;
        }
    }
}

/// Rights of the account on what a statement names, of the kinds of its keywords; all that makes things for one that does.
fn kept(statement: &Statement, rights: &Rights) -> BTreeSet<Right> {
    const MAKES: [&str; 16] = [
        "SELECT",
        "INSERT",
        "UPDATE",
        "DELETE",
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
    let words = meant(statement, rights);
    let mut kept = BTreeSet::new();
    // It may be anything: what the account has in its databases it keeps.
    if statement.unproved.iter().any(|it| it == DYNAMIC) {
        let is_kept = |it: &&Right| it.place != Place::Server && it.privilege != "GRANT OPTION";
        kept.extend(rights.own().filter(is_kept).cloned());
        return kept;
    }
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
    // It calls something of which only its maker knows the name: what may be called now may be called then.
    let calls = |it: &&Right| it.privilege == "EXECUTE" && it.place != Place::Server;
    kept.extend(rights.own().filter(calls).cloned());
    let is_dynamic = statement.unproved.iter().any(|it| it == CUT);
    for table in rights.tables.keys() {
        let is_named = names(&words, statement.database.as_deref(), table);
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
