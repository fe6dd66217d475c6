//! The safety net: which single right a refused statement needs, and whether it may be given back without asking.

use super::learn::learn;
use super::piece::Piece;
use super::rights::{Grant, Rights};
use super::session::Session;
use crate::refusal::decides;
use crate::sql::{Dialect, without_literals};
use crate::{AccessError, Atom, Class, Privilege, RefusedStatement, Sources, Verdict, sensitive};
use std::collections::BTreeSet;
use std::path::PathBuf;

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
        says: words(&refused.says),
        statement: without_literals(&refused.statement, Dialect::Postgresql),
        before: BTreeSet::new(),
        gives: Vec::new(),
        leaves: Vec::new(),
        because: None,
    };
    let grant = |atom: &Atom| {
        crate::Piece::Postgresql(Piece::Grant(Grant {
            atom: atom.clone(),
            grantee: Some(account.to_string()),
            grantor: String::new(),
            is_by_owner: true,
            is_grantable: false,
        }))
    };
    if refused.statement.is_empty() {
        let because = "the log does not say which statement (`log_min_error_statement`)";
        verdict.because = Some(because.into());
        return Ok(verdict);
    }
    let rights = Rights::read(session, account)?;
    let sources =
        Sources { text: refused.statement.clone(), only_text: true, ..Sources::default() };
    let learned = learn(session, &rights, &sources)?;
    if let Some(unproved) = learned.unproved().next() {
        verdict.because = Some(unproved.unproved.join("; "));
    }
    let held = rights.held();
    for needed in &learned.needed {
        let atom = &needed.atom;
        let is_there = held.has(atom.privilege, &atom.object, atom.column.as_deref());
        if is_there || atom.privilege == Privilege::Connect || !needed_now(&rights, atom) {
            continue;
        }
        match left_to_a_person(session, &rights, taken, atom)? {
            None => verdict.gives.push((atom.to_string(), grant(atom))),
            Some(because) => verdict.leaves.push((atom.to_string(), because)),
        }
    }
    verdict.leaves_half();
    Ok(verdict)
}

/// What the server said, without the name in it: whoever raises an error chooses its words.
fn words(says: &str) -> String {
    let kind = says.strip_prefix("permission denied for ").and_then(|it| it.split(' ').next());
    let known =
        ["table", "view", "sequence", "function", "procedure", "schema", "database", "relation"];
    match kind.filter(|it| known.contains(it)) {
        Some(kind) => format!("permission denied for {kind}"),
        None => "permission denied".into(),
    }
}

/// Rights on schemas and functions that everyone has are there.
fn needed_now(rights: &Rights, atom: &Atom) -> bool {
    let is_everyones = rights.grants.iter().any(|it| it.grantee.is_none() && it.atom == *atom);
    !is_everyones
}

/// Why a right is not given back by itself, if so.
fn left_to_a_person(
    session: &mut Session,
    rights: &Rights,
    taken: &BTreeSet<Piece>,
    atom: &Atom,
) -> Result<Option<String>, AccessError> {
    if matches!(atom.privilege, Privilege::Delete | Privilege::Truncate) {
        return Ok(Some("it destroys rows".into()));
    }
    let is_known = matches!(
        (atom.object.class, atom.privilege),
        (Class::Table, Privilege::Select | Privilege::Insert | Privilege::Update)
            | (Class::Sequence | Class::Schema, Privilege::Usage)
    );
    // A function may do whatever it likes, and show what it reads under another name.
    if !is_known {
        return Ok(Some("it does more than read and write rows".into()));
    }
    if atom.object.class == Class::Table {
        let Some(facts) = rights.tables.get(&atom.object) else {
            return Ok(Some("the table is not one of the database's own".into()));
        };
        let columns = atom.column.as_ref().map_or(facts.columns.as_slice(), std::slice::from_ref);
        if let Some(class) = columns.iter().find_map(|it| sensitive(it)) {
            return Ok(Some(format!("by its name it holds something sensitive ({class})")));
        }
        // Names of a view's columns, and of those that are computed, say little of what they show.
        if !facts.is_plain || columns.iter().any(|it| facts.computed.contains(it)) {
            return Ok(Some("it shows what is stored elsewhere".into()));
        }
        if atom.privilege != Privilege::Select
            && let Some(column) = columns.iter().find(|it| decides(it))
        {
            return Ok(Some(format!("`{column}` may decide what somebody may do")));
        }
    }
    if !had(session, taken, atom)? {
        return Ok(Some("the account did not have it before".into()));
    }
    Ok(None)
}

/// Whether something that was taken held this right.
fn had(session: &mut Session, taken: &BTreeSet<Piece>, atom: &Atom) -> Result<bool, AccessError> {
    for piece in taken {
        match piece {
            Piece::Grant(it)
                if it.atom.object == atom.object
                    && it.atom.privilege == atom.privilege
                    && (it.atom.column.is_none() || it.atom.column == atom.column) =>
            {
                return Ok(true);
            }
            Piece::Membership(it) => {
                let role = Rights::read(session, &it.role)?;
                if role.held().has(atom.privilege, &atom.object, atom.column.as_deref()) {
                    return Ok(true);
                }
            }
            Piece::Owner { object, .. } if *object == atom.object => return Ok(true),
            Piece::Attribute { attribute, .. } if attribute == "SUPERUSER" => return Ok(true),
            _ => {}
        }
    }
    Ok(false)
}

/// Where the server writes its log, and how lines begin there.
///
/// # Errors
/// When the server goes away, or does not say where.
pub fn log_place(session: &mut Session) -> Result<(Option<PathBuf>, String), AccessError> {
    let sql = "SELECT current_setting('log_line_prefix'), current_setting('logging_collector'), current_setting('data_directory'), \
        CASE WHEN current_setting('logging_collector') = 'on' THEN pg_current_logfile('stderr') END";
    let rows = session.rows(sql, &[], "where its log is")?;
    let Some(row) = rows.first() else { return Ok((None, String::new())) };
    let folder = PathBuf::from(row.get::<_, String>(2));
    let path = match row.get::<_, Option<String>>(3) {
        Some(name) => Some(folder.join(name)),
        // Without a collector it goes to where the server's standard error does.
        None => {
            let file = std::fs::read_to_string(folder.join("postmaster.pid")).ok();
            let pid = file.as_ref().and_then(|it| it.lines().next()?.trim().parse::<u32>().ok());
            let link = pid.and_then(|it| std::fs::read_link(format!("/proc/{it}/fd/2")).ok());
            link.filter(|it| it.is_file())
        }
    };
    Ok((path, row.get(0)))
}

/// The role that a process of the server works for now, in this database.
///
/// # Errors
/// When the server goes away.
pub fn user_of(session: &mut Session, pid: i32) -> Result<Option<String>, AccessError> {
    let sql = "SELECT usename::text FROM pg_stat_activity WHERE pid = $1 AND datname = current_database()";
    let rows = session.rows(sql, &[&pid], "who is connected")?;
    Ok(rows.first().and_then(|it| it.get(0)))
}
