//! Rights as a set of pieces, each there or not, and the SQL that moves from one set to another.
//!
//! The server has no transactions for rights. What is to be had is given before anything is taken, so that no statement is
//! refused in between; only where rights on columns take the place of one on the whole table does the server take both at
//! once, and those on columns are given right after.

use super::made::Hand;
use super::right::{Grantee, Line, Place, Right, by_place, quote};
use super::rights::{privileges, show};
use super::session::Session;
use crate::AccessError;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Something that is so or not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "mariadb")]
pub enum Piece {
    /// Somebody has a right.
    Right {
        /// Who.
        whose: Grantee,
        /// Which.
        right: Right,
    },
    /// Somebody is in a role.
    Role {
        /// Who.
        whose: Grantee,
        /// The role.
        role: String,
        /// Whether they may let others in.
        is_admin: bool,
    },
    /// Somebody has a role from the beginning.
    DefaultRole {
        /// Who.
        whose: Grantee,
        /// The role.
        role: String,
    },
    /// Somebody may be somebody else.
    Proxy {
        /// Who.
        whose: Grantee,
        /// Whom, as SQL has it.
        whom: String,
        /// Whether they may let others.
        is_grantable: bool,
    },
}

/// Whose right, which, and on which table.
type Key<'a> = (Option<&'a Grantee>, &'a str, &'a str, &'a str);

impl Piece {
    fn whose(&self) -> &Grantee {
        match self {
            Self::Right { whose, .. }
            | Self::Role { whose, .. }
            | Self::DefaultRole { whose, .. }
            | Self::Proxy { whose, .. } => whose,
        }
    }

    fn right(&self) -> Option<(&Grantee, &Right)> {
        match self {
            Self::Right { whose, right } => Some((whose, right)),
            _ => None,
        }
    }

    /// Whose right it is, which, and on which table; none for anything else.
    fn key(&self) -> Option<Key<'_>> {
        match self.right()? {
            (whose, Right { place: Place::Table(database, name), privilege, .. }) => {
                Some((Some(whose), privilege, database, name))
            }
            _ => None,
        }
    }

    /// SQL that makes it so, or undoes it; rights are grouped elsewhere.
    fn alone(&self, gives: bool) -> Option<String> {
        Some(match (self, gives) {
            (Self::Right { .. }, _) => return None,
            (Self::Role { whose, role, is_admin }, true) => {
                let admin = if *is_admin { " WITH ADMIN OPTION" } else { "" };
                format!("GRANT {} TO {}{admin}", quote(role), whose.sql())
            }
            (Self::Role { whose, role, .. }, false) => {
                format!("REVOKE {} FROM {}", quote(role), whose.sql())
            }
            (Self::DefaultRole { whose, role }, true) => {
                format!("SET DEFAULT ROLE {} FOR {}", quote(role), whose.sql())
            }
            (Self::DefaultRole { whose, .. }, false) => {
                format!("SET DEFAULT ROLE NONE FOR {}", whose.sql())
            }
            (Self::Proxy { whose, whom, is_grantable }, true) => {
                let option = if *is_grantable { " WITH GRANT OPTION" } else { "" };
                format!("GRANT PROXY ON {whom} TO {}{option}", whose.sql())
            }
            (Self::Proxy { whose, whom, .. }, false) => {
                format!("REVOKE PROXY ON {whom} FROM {}", whose.sql())
            }
        })
    }
}

/// Pieces in few lines.
pub fn lines<'a>(pieces: impl IntoIterator<Item = &'a Piece>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rights: BTreeMap<&Grantee, Vec<&Right>> = BTreeMap::new();
    for piece in pieces {
        match piece {
            Piece::Right { whose, right } => rights.entry(whose).or_default().push(right),
            Piece::Role { whose, role, .. } => lines.push(format!("{whose} in the role {role}")),
            Piece::DefaultRole { whose, role } => {
                lines.push(format!("{role} as the first role of {whose}"));
            }
            Piece::Proxy { whose, whom, .. } => lines.push(format!("{whose} as {whom}")),
        }
    }
    for (whose, rights) in rights {
        lines
            .extend(super::right::grants(rights).into_iter().map(|it| format!("{it} for {whose}")));
    }
    lines
}

/// Statements that move from one set to the other, in an order in which no right that stays is ever missing.
pub fn moves(from: &BTreeSet<Piece>, to: &BTreeSet<Piece>) -> Vec<String> {
    let new: Vec<&Piece> = to.difference(from).collect();
    let gone: Vec<&Piece> = from.difference(to).collect();
    // Taking a right on a table takes those on its columns.
    let whole = gone.iter().filter(|it| !is_of_column(it));
    let touched: BTreeSet<Key<'_>> = whole.filter_map(|it| it.key()).collect();
    let is_touched =
        |it: &&Piece| is_of_column(it) && it.key().is_some_and(|it| touched.contains(&it));
    let mut sql = Vec::new();
    sql.extend(new.iter().filter_map(|it| it.alone(true)));
    sql.extend(grouped(new.iter().copied().filter(|it| !is_touched(it)), true));
    // Where whole tables give way to columns, both are moved at once, table by table.
    let mut again: BTreeMap<Key<'_>, Vec<&Piece>> = BTreeMap::new();
    for piece in to.iter().filter(is_touched) {
        again.entry(piece.key().unwrap_or_default()).or_default().push(piece);
    }
    // Nobody is left with a role that is gone.
    let (default, other): (Vec<&Piece>, Vec<&Piece>) =
        gone.iter().copied().partition(|it| matches!(it, Piece::DefaultRole { .. }));
    let replaced = |it: &&Piece| {
        new.iter().any(|new| matches!(new, Piece::DefaultRole { .. }) && new.whose() == it.whose())
    };
    sql.extend(default.into_iter().filter(|it| !replaced(it)).filter_map(|it| it.alone(false)));
    sql.extend(other.iter().filter_map(|it| it.alone(false)));
    // Those on columns go with the one on the whole table.
    let goes_alone = |it: &&Piece| taking_place(&again, it).is_none() && !is_touched(it);
    sql.extend(grouped(other.iter().copied().filter(goes_alone), false));
    for (exchanged, columns) in other.iter().filter_map(|it| Some((*it, taking_place(&again, it)?)))
    {
        sql.extend(grouped(std::iter::once(exchanged), false));
        sql.extend(grouped(columns.iter().copied(), true));
    }
    sql
}

/// Columns that take the place of a right on a whole table.
fn taking_place<'a, 'b>(
    again: &'b BTreeMap<Key<'a>, Vec<&'a Piece>>,
    piece: &'a Piece,
) -> Option<&'b Vec<&'a Piece>> {
    piece.key().filter(|_| !is_of_column(piece)).and_then(|it| again.get(&it))
}

/// GRANT or REVOKE of many rights in few statements: all rights of one on one place in one.
fn grouped<'a>(pieces: impl Iterator<Item = &'a Piece>, gives: bool) -> Vec<String> {
    let mut by_whom: BTreeMap<&Grantee, Vec<&Right>> = BTreeMap::new();
    for (whose, right) in pieces.filter_map(Piece::right) {
        by_whom.entry(whose).or_default().push(right);
    }
    let mut sql = Vec::new();
    for (whose, rights) in by_whom {
        // Those on columns are statements of their own: somebody else runs them (`made.rs`).
        let (columns, whole): (Vec<&Right>, Vec<&Right>) =
            rights.into_iter().partition(|it| it.column.is_some());
        // Beside a right on the whole table the server notes no new one on a column.
        for (place, list) in by_place(columns).into_iter().chain(by_place(whole)) {
            sql.push(match gives {
                true => format!("GRANT {list} ON {} TO {}", place.sql(), whose.sql()),
                false => format!("REVOKE {list} ON {} FROM {}", place.sql(), whose.sql()),
            });
        }
    }
    sql
}

/// Which of these are so now.
///
/// # Errors
/// What the server says.
pub fn observe(
    session: &mut Session,
    pieces: &BTreeSet<Piece>,
) -> Result<BTreeSet<Piece>, AccessError> {
    let known = privileges(session)?;
    let whose: BTreeSet<&Grantee> = pieces.iter().map(Piece::whose).collect();
    let mut so = BTreeSet::new();
    for whose in whose {
        for line in show(session, whose, &known)? {
            match line {
                Line::Rights(whose, rights) => {
                    so.extend(
                        rights
                            .into_iter()
                            .map(|right| Piece::Right { whose: whose.clone(), right }),
                    );
                }
                Line::Role(whose, role, is_admin) => {
                    so.insert(Piece::Role { whose, role, is_admin });
                }
                Line::Default(whose, role) => {
                    so.insert(Piece::DefaultRole { whose, role });
                }
                Line::Proxy(whose, whom, is_grantable) => {
                    so.insert(Piece::Proxy { whose, whom, is_grantable });
                }
            }
        }
    }
    Ok(so.intersection(pieces).cloned().collect())
}

/// Moves from one set to another. What is not as it is said to be is left as it is, and so is everything when a step fails:
/// what was done before it is taken back.
///
/// # Errors
/// What the server says, or that something changed meanwhile.
pub fn act(
    session: &mut Session,
    from: &BTreeSet<Piece>,
    to: &BTreeSet<Piece>,
) -> Result<(), AccessError> {
    let all: BTreeSet<Piece> = from.union(to).cloned().collect();
    let now = observe(session, &all)?;
    if let Some(other) = now.symmetric_difference(from).next() {
        let what = lines([other]).into_iter().next().unwrap_or_default();
        return Err(AccessError::Changed { what });
    }
    let mut hand = match from.union(to).any(is_of_column) {
        true => Some(Hand::make(session)?),
        false => None,
    };
    let done = go(session, hand.as_mut(), &moves(from, to));
    let done = match done {
        Ok(()) => Ok(()),
        Err(error) => {
            let reached = observe(session, &all);
            let back = reached.and_then(|it| go(session, hand.as_mut(), &moves(&it, from)));
            Err(back.err().unwrap_or(error))
        }
    };
    let gone = hand.as_mut().map_or(Ok(()), |it| it.remove(session));
    done.and(gone)
}

fn is_of_column(piece: &Piece) -> bool {
    piece.right().is_some_and(|it| it.1.column.is_some())
}

/// Runs statements; those on columns are the hand's.
fn go(session: &mut Session, hand: Option<&mut Hand>, all: &[String]) -> Result<(), AccessError> {
    let mut hand = hand;
    for sql in all {
        // Before `ON` there are signs around names of columns alone.
        let is_of_columns = sql.split_once(" ON ").is_some_and(|it| it.0.contains('('));
        match hand.as_mut().filter(|_| is_of_columns) {
            Some(hand) => hand.session().batch(sql, "rights")?,
            None => session.batch(sql, "rights")?,
        }
    }
    Ok(())
}

/// A script of statements, with a title and remarks.
pub fn script(title: &str, remarks: &[String], statements: &[String]) -> String {
    let mut out = String::new();
    for line in std::iter::once(title).chain(remarks.iter().map(String::as_str)) {
        // A name may hold a newline, and what follows it is no remark.
        out.push_str(&format!("-- {}\n", line.replace(['\n', '\r'], " ")));
    }
    out.push_str("-- MariaDB has no transactions for rights: stop at the first error.\n\n");
    out.push_str("SET SESSION sql_mode = '';\n");
    for statement in statements {
        out.push_str(statement);
        out.push_str(";\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn right(privilege: &str, column: Option<&str>) -> Piece {
        let place = Place::Table("shop".into(), "cards".into());
        let right =
            Right { place, privilege: privilege.into(), column: column.map(str::to_string) };
        Piece::Right { whose: Grantee::Account { user: "web".into(), host: "%".into() }, right }
    }

    #[test]
    fn nothing_that_stays_is_missing_in_between() {
        let from = BTreeSet::from([
            right("SELECT", None),
            right("DELETE", None),
            right("SELECT", Some("id")),
        ]);
        let to = BTreeSet::from([
            right("SELECT", Some("id")),
            right("SELECT", Some("last")),
            right("INSERT", None),
        ]);
        assert_eq!(
            moves(&from, &to),
            [
                "GRANT INSERT ON `shop`.`cards` TO `web`@`%`",
                "REVOKE DELETE ON `shop`.`cards` FROM `web`@`%`",
                "REVOKE SELECT ON `shop`.`cards` FROM `web`@`%`",
                "GRANT SELECT (`id`, `last`) ON `shop`.`cards` TO `web`@`%`",
            ]
        );
        assert_eq!(
            moves(&to, &from),
            [
                "GRANT DELETE, SELECT ON `shop`.`cards` TO `web`@`%`",
                "REVOKE SELECT (`last`) ON `shop`.`cards` FROM `web`@`%`",
                "REVOKE INSERT ON `shop`.`cards` FROM `web`@`%`"
            ]
        );
    }
}
