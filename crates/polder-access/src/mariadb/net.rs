//! The safety net: which rights a refused statement needs, and whether they may be given back without asking.

use super::learn::learn_alone;
use super::piece::Piece;
use super::right::{Grantee, Place, Right};
use super::rights::{Held, Rights, SYSTEM, privileges, show};
use super::session::{Session, text_of};
use super::source::Whose;
use crate::refusal::decides;
use crate::sql::{Dialect, without_literals};
use crate::{AccessError, RefusedStatement, Sources, Verdict, sensitive};
use std::collections::BTreeSet;

/// Refusals: on a database, table, column, routine, and behind a view (error codes of the manual).
const CODES: &str = "1044, 1142, 1143, 1356, 1370";

/// Reads refusals from what the server remembers of statements.
#[derive(Debug, Default)]
pub struct Refusals {
    /// When the last one ended that was seen, by the server's own clock.
    last: Option<u64>,
}

impl Refusals {
    /// Refusals since the last time; the first time there are none.
    ///
    /// # Errors
    /// When the server does not remember statements, or goes away.
    pub fn next(&mut self, session: &mut Session) -> Result<Vec<RefusedStatement>, AccessError> {
        let sql = "SELECT MAX(TIMER_END) FROM performance_schema.events_statements_history_long";
        let now: u64 = session.text(sql, "refusals")?.and_then(|it| it.parse().ok()).unwrap_or(0);
        let Some(last) = self.last else {
            let on = session.text(
                "SELECT COUNT(*) FROM performance_schema.setup_consumers WHERE ENABLED = 'YES' \
                 AND NAME IN ('events_statements_current', 'events_statements_history_long')",
                "what it remembers of statements",
            )?;
            if on.as_deref() != Some("2") {
                return Err(AccessError::NoStatements {
                    because: "the consumers `events_statements_current` and `events_statements_history_long` of its \
                              `performance_schema` are off, so refusals are not seen"
                        .into(),
                });
            }
            self.last = Some(now);
            return Ok(Vec::new());
        };
        // A server that started again counts anew.
        let last = if now < last { 0 } else { last };
        self.last = Some(last);
        let sql = format!(
            "SELECT e.TIMER_END, e.CURRENT_SCHEMA, e.SQL_TEXT, e.MESSAGE_TEXT, t.PROCESSLIST_USER, t.PROCESSLIST_HOST \
             FROM performance_schema.events_statements_history_long e \
             LEFT JOIN performance_schema.threads t USING (THREAD_ID) \
             WHERE e.TIMER_END > {last} AND e.MYSQL_ERRNO IN ({CODES}) AND e.NESTING_EVENT_LEVEL = 0 ORDER BY 1"
        );
        let mut found = Vec::new();
        for row in session.rows(&sql, &[], "refusals")? {
            let end = text_of(&row, 0).and_then(|it| it.parse().ok());
            self.last = self.last.max(end);
            let says = text_of(&row, 3).unwrap_or_default();
            // Of a connection that ended the server does not say whose it was; its sentences anybody can make (SIGNAL).
            let user = match (text_of(&row, 4), text_of(&row, 5)) {
                (Some(user), Some(host)) => Some(format!("{user}@{host}")),
                _ => None,
            };
            found.push(RefusedStatement {
                user,
                database: text_of(&row, 1),
                pid: None,
                says,
                statement: text_of(&row, 2).unwrap_or_default(),
            });
        }
        Ok(found)
    }
}

/// Whether a refusal is one of this account, and not of a more exact one of its name; unknown where the server does not say.
///
/// # Errors
/// When the server goes away.
pub fn is_of(
    session: &mut Session,
    account: &str,
    refused: &RefusedStatement,
) -> Result<Option<bool>, AccessError> {
    let Some((by, from)) = refused.user.as_ref().and_then(|it| it.rsplit_once('@')) else {
        // Of one that ended it may have been: it is told if its sentence names the account.
        let name = account.rsplit_once('@').map_or(account, |it| it.0);
        let is_named = refused.says.contains(&format!("'{name}'@'"));
        return Ok(if is_named { None } else { Some(false) });
    };
    let whose = Whose::named(session, account)?;
    Ok(Some(whose.is(by, from)))
}

/// Judges a refusal, given what was taken from the account.
///
/// Whoever injects SQL is refused as well: a right on something sensitive, or one that destroys, is never given back by itself.
///
/// # Errors
/// When the server goes away.
pub fn judge(
    session: &mut Session,
    account: &str,
    taken: &BTreeSet<Piece>,
    refused: &RefusedStatement,
) -> Result<Verdict, AccessError> {
    let mut verdict = Verdict {
        says: words(&refused.says).into(),
        statement: without_literals(&refused.statement, Dialect::MARIADB),
        before: BTreeSet::new(),
        gives: Vec::new(),
        leaves: Vec::new(),
        because: None,
    };
    let mut rights = Rights::read(session, account)?;
    let now = rights.clone();
    rights.database = refused.database.clone().or(rights.database);
    let before = had(session, taken)?;
    rights.with(before);
    let sources =
        Sources { text: refused.statement.clone(), only_text: true, ..Sources::default() };
    let learned = learn_alone(session, &mut rights, &sources)?;
    for statement in &learned.statements {
        if let Some(why) = &statement.refused {
            verdict.because = Some(why.clone());
        }
        if let Some(why) = statement.unproved.first() {
            verdict.because = Some(why.clone());
        }
    }
    for needed in learned.needed.iter().filter(|it| !now.holds(&it.right)) {
        let right = &needed.right;
        match left_to_a_person(&rights, right) {
            None => {
                let piece = Piece::Right { whose: rights.account.clone(), right: right.clone() };
                verdict.gives.push((right.to_string(), crate::Piece::Mariadb(piece)));
            }
            Some(because) => verdict.leaves.push((right.to_string(), because)),
        }
    }
    // Half of it would not do.
    if verdict.because.is_some() {
        verdict.leave("not all that the statement needs is known");
    }
    verdict.leaves_half();
    Ok(verdict)
}

/// What the server said, without names in it.
fn words(says: &str) -> &'static str {
    match says {
        it if it.contains(" for column ") => "permission denied for a column",
        it if it.contains(" for table ") => "permission denied for a table",
        it if it.contains(" for routine ") => "permission denied for a routine",
        it if it.contains(" to database ") => "permission denied for a database",
        _ => "permission denied",
    }
}

/// Rights that were taken: those of the account itself, and those of roles that it was in.
fn had(session: &mut Session, taken: &BTreeSet<Piece>) -> Result<BTreeSet<Held>, AccessError> {
    let known = privileges(session)?;
    let mut had = BTreeSet::new();
    for piece in taken {
        match piece {
            Piece::Right { whose, right } => {
                had.insert(Held { right: right.clone(), whose: whose.clone() });
            }
            Piece::Role { role, .. } => {
                for line in show(session, &Grantee::Role(role.clone()), &known)? {
                    if let super::right::Line::Rights(whose, rights) = line {
                        had.extend(
                            rights.into_iter().map(|right| Held { right, whose: whose.clone() }),
                        );
                    }
                }
            }
            Piece::DefaultRole { .. } | Piece::Proxy { .. } => {}
        }
    }
    Ok(had)
}

/// Why a right is not given back by itself, if so.
fn left_to_a_person(rights: &Rights, right: &Right) -> Option<String> {
    if matches!(right.privilege.as_str(), "DELETE" | "DROP") {
        return Some("it destroys rows".into());
    }
    let Place::Table(database, name) = &right.place else {
        return Some("it does more than read and write rows".into());
    };
    if SYSTEM.contains(&database.as_str()) {
        return Some("it is one of the server's own tables".into());
    }
    if !matches!(right.privilege.as_str(), "SELECT" | "INSERT" | "UPDATE") {
        return Some("it does more than read and write rows".into());
    }
    // Names of a view's columns say little of what they show.
    let is_view = rights
        .definers
        .iter()
        .any(|it| it.kind == "VIEW" && (&it.database, &it.name) == (database, name));
    let facts = rights.tables.get(&(database.clone(), name.clone()));
    let Some(facts) = facts.filter(|_| !is_view) else {
        return Some("it shows what is stored elsewhere".into());
    };
    let columns = right.column.as_ref().map_or(facts.columns.as_slice(), std::slice::from_ref);
    if let Some(class) = columns.iter().find_map(|it| sensitive(it)) {
        return Some(format!("by its name it holds something sensitive ({class})"));
    }
    let column = columns.iter().find(|it| right.privilege != "SELECT" && decides(it))?;
    Some(format!("`{column}` may decide what somebody may do"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_of_a_refusal_is_said_again() {
        let says = "SELECT command denied to user 'app'@'localhost' for column 'a' in table 't'";
        assert_eq!(words(says), "permission denied for a column");
    }
}
