//! Rights of an account as a set of pieces, each there or not, and the SQL that moves from one set to another.

use super::rights::{DefaultGrant, Grant, Membership};
use super::session::Session;
use crate::sql::{quote, string};
use crate::{AccessError, Atom, Class, Object, Privilege};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Something that is so or not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "piece")]
pub enum Piece {
    /// A role is there that nobody logs in as.
    Role {
        /// Its name.
        name: String,
    },
    /// A role has an attribute.
    Attribute {
        /// The role.
        role: String,
        /// As SQL has it: `CREATEDB`.
        attribute: String,
    },
    /// A role is in another.
    Membership(Membership),
    /// Somebody has a right.
    Grant(Grant),
    /// Somebody will have a right on what is made.
    Default(DefaultGrant),
    /// Somebody owns a thing.
    Owner {
        /// The thing.
        object: Object,
        /// Its owner.
        owner: String,
    },
}

fn to(grantee: Option<&str>) -> String {
    grantee.map_or_else(|| "PUBLIC".into(), quote)
}

impl Piece {
    /// SQL after which it is so.
    fn add(&self, version: i32) -> String {
        match self {
            Self::Role { name } => format!("CREATE ROLE {} NOLOGIN", quote(name)),
            Self::Attribute { role, attribute } => {
                format!("ALTER ROLE {} {attribute}", quote(role))
            }
            Self::Membership(it) => {
                let mut options = Vec::new();
                if it.is_admin {
                    options.push("ADMIN OPTION".to_string());
                }
                if version >= 160_000 {
                    options = vec![
                        format!("ADMIN {}", if it.is_admin { "TRUE" } else { "FALSE" }),
                        format!("INHERIT {}", if it.inherits { "TRUE" } else { "FALSE" }),
                        format!("SET {}", if it.sets { "TRUE" } else { "FALSE" }),
                    ];
                }
                let mut sql = format!("GRANT {} TO {}", quote(&it.role), quote(&it.member));
                if !options.is_empty() {
                    let _ = write!(sql, " WITH {}", options.join(", "));
                }
                if !it.grantor.is_empty() {
                    let _ = write!(sql, " GRANTED BY {}", quote(&it.grantor));
                }
                sql
            }
            Self::Grant(_) => grouped(std::iter::once(self), true).join("; "),
            Self::Default(it) => {
                let option = if it.is_grantable { " WITH GRANT OPTION" } else { "" };
                format!(
                    "{} GRANT {} ON {} TO {}{option}",
                    defaults_of(it),
                    it.privilege.sql(),
                    it.kind,
                    to(it.grantee.as_deref())
                )
            }
            Self::Owner { object, owner } => {
                format!("ALTER {} {} OWNER TO {}", object.class.sql(), object.sql(), quote(owner))
            }
        }
    }

    /// SQL after which it is not so; none where another piece takes its place.
    fn remove(&self, version: i32) -> Option<String> {
        Some(match self {
            Self::Role { name } => format!("DROP ROLE {}", quote(name)),
            Self::Attribute { role, attribute } => {
                format!("ALTER ROLE {} NO{attribute}", quote(role))
            }
            Self::Membership(it) => {
                let by = match version >= 160_000 && !it.grantor.is_empty() {
                    true => format!(" GRANTED BY {}", quote(&it.grantor)),
                    false => String::new(),
                };
                format!("REVOKE {} FROM {}{by}", quote(&it.role), quote(&it.member))
            }
            Self::Grant(_) => grouped(std::iter::once(self), false).join("; "),
            Self::Default(it) => format!(
                "{} REVOKE {} ON {} FROM {}",
                defaults_of(it),
                it.privilege.sql(),
                it.kind,
                to(it.grantee.as_deref())
            ),
            Self::Owner { .. } => return None,
        })
    }

    /// What it is about, in words.
    pub fn words(&self) -> String {
        match self {
            Self::Role { name } => format!("role {}", quote(name)),
            Self::Attribute { role, attribute } => {
                format!("attribute {attribute} of {}", quote(role))
            }
            Self::Membership(it) => format!("{} in {}", quote(&it.member), quote(&it.role)),
            Self::Grant(it) => format!("{} for {}", it.atom, to(it.grantee.as_deref())),
            Self::Default(it) => format!(
                "{} on future {} for {}",
                it.privilege.sql(),
                it.kind.to_lowercase(),
                to(it.grantee.as_deref())
            ),
            Self::Owner { object, owner } => format!("owner {} of {}", quote(owner), object.sql()),
        }
    }
}

/// Rights on future things, by where, what and for whom.
pub(super) type Defaults<'a> = BTreeMap<(Option<&'a str>, &'a str, Option<&'a str>), Vec<&'a str>>;

/// Pieces in few lines: rights on one thing in one of them.
pub fn lines<'a>(pieces: impl IntoIterator<Item = &'a Piece>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut grants: BTreeMap<Option<&str>, Vec<&Atom>> = BTreeMap::new();
    let mut defaults: Defaults<'_> = BTreeMap::new();
    for piece in pieces {
        match piece {
            Piece::Grant(it) => grants.entry(it.grantee.as_deref()).or_default().push(&it.atom),
            Piece::Default(it) => {
                let key = (it.schema.as_deref(), it.kind.as_str(), it.grantee.as_deref());
                defaults.entry(key).or_default().push(it.privilege.sql());
            }
            other => lines.push(other.words()),
        }
    }
    let mut whom: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (grantee, atoms) in grants {
        for it in crate::grants(atoms) {
            whom.entry(it).or_default().push(to(grantee));
        }
    }
    for (grant, whom) in whom {
        lines.push(match whom.len() {
            0..=4 => format!("{grant} for {}", whom.join(", ")),
            many => format!("{grant} for {many} roles"),
        });
    }
    for ((schema, kind, grantee), privileges) in defaults {
        let place = schema.map_or_else(String::new, |it| format!(" in schema {}", quote(it)));
        let kind = kind.to_lowercase();
        let privileges = privileges.join(", ");
        lines.push(format!("{privileges} on future {kind}{place} for {}", to(grantee)));
    }
    lines
}

/// What somebody else than the owner gave is given and taken in their name.
fn in_name_of(grantor: Option<&str>, sql: String) -> String {
    match grantor {
        None => sql,
        Some(name) => format!("SET LOCAL ROLE {}; {sql}; RESET ROLE", quote(name)),
    }
}

fn defaults_of(it: &DefaultGrant) -> String {
    let mut sql = format!("ALTER DEFAULT PRIVILEGES FOR ROLE {}", quote(&it.maker));
    if let Some(schema) = &it.schema {
        let _ = write!(sql, " IN SCHEMA {}", quote(schema));
    }
    sql
}

/// Rights on whole tables: taking one takes those on columns as well (REVOKE).
pub(super) type Touching<'a> = BTreeSet<(&'a Object, Privilege, Option<&'a str>)>;

/// Those among these pieces.
pub(super) fn touching<'a>(pieces: impl Iterator<Item = &'a Piece>) -> Touching<'a> {
    let whole = |it: &'a Piece| match it {
        Piece::Grant(it) if it.atom.column.is_none() => {
            Some((&it.atom.object, it.atom.privilege, it.grantee.as_deref()))
        }
        _ => None,
    };
    pieces.filter_map(whole).collect()
}

/// Whether a right on a column goes with one on its table.
pub(super) fn is_touched(piece: &Piece, touching: &Touching<'_>) -> bool {
    let Piece::Grant(it) = piece else { return false };
    let key = (&it.atom.object, it.atom.privilege, it.grantee.as_deref());
    it.atom.column.is_some() && touching.contains(&key)
}

/// Things that one statement is about.
const OBJECTS_MAX: usize = 200;

/// GRANT or REVOKE of many rights in few statements: all rights on one thing in one, and all things with the same rights.
fn grouped<'a>(pieces: impl Iterator<Item = &'a Piece>, gives: bool) -> Vec<String> {
    type Key<'a> = (Option<&'a str>, Option<&'a str>, bool);
    let mut by_object: BTreeMap<(Key<'_>, &Object), Vec<&Atom>> = BTreeMap::new();
    for piece in pieces {
        let Piece::Grant(it) = piece else { continue };
        let by = (!it.is_by_owner && !it.grantor.is_empty()).then_some(it.grantor.as_str());
        let key = (it.grantee.as_deref(), by, it.is_grantable);
        by_object.entry((key, &it.atom.object)).or_default().push(&it.atom);
    }
    let mut by_rights: BTreeMap<(Key<'_>, Class, String), Vec<String>> = BTreeMap::new();
    for ((key, object), atoms) in by_object {
        let rights = crate::atom::rights(&atoms);
        by_rights.entry((key, object.class, rights)).or_default().push(object.sql());
    }
    let mut sql = Vec::new();
    for (((grantee, by, is_grantable), class, rights), objects) in by_rights {
        for part in objects.chunks(OBJECTS_MAX) {
            let (on, whom) = (part.join(", "), to(grantee));
            let class = class.sql();
            let option = if is_grantable { " WITH GRANT OPTION" } else { "" };
            let it = match gives {
                true => format!("GRANT {rights} ON {class} {on} TO {whom}{option}"),
                false => format!("REVOKE {rights} ON {class} {on} FROM {whom}"),
            };
            sql.push(in_name_of(by, it));
        }
    }
    sql
}

/// Statements that move from one set to the other, in an order in which each can be done.
pub fn moves(from: &BTreeSet<Piece>, to: &BTreeSet<Piece>, version: i32) -> Vec<String> {
    let mut sql = Vec::new();
    let is_role = |it: &&Piece| matches!(it, Piece::Role { .. });
    let is_owner = |it: &&Piece| matches!(it, Piece::Owner { .. });
    let new: Vec<&Piece> = to.difference(from).collect();
    let gone: Vec<&Piece> = from.difference(to).collect();
    sql.extend(new.iter().filter(|it| is_role(it)).map(|it| it.add(version)));
    let is_grant = |it: &&&Piece| matches!(it, Piece::Grant(_));
    // What was given on goes before that by which it was; and rights go before a thing gets another owner, whose own they
    // would be.
    let is_passed_on = |it: &&Piece| matches!(it, Piece::Grant(it) if !it.is_by_owner);
    sql.extend(grouped(gone.iter().copied().filter(is_passed_on), false));
    sql.extend(grouped(gone.iter().copied().filter(|it| !is_passed_on(it)), false));
    let others = gone.iter().filter(|it| !is_role(it) && !is_grant(it));
    sql.extend(others.filter_map(|it| it.remove(version)));
    sql.extend(new.iter().filter(|it| is_owner(it)).map(|it| it.add(version)));
    // What stays of rights that go with others is given again.
    let touching = touching(gone.iter().copied());
    let kept = to.intersection(from).filter(|it| is_touched(it, &touching));
    sql.extend(grouped(kept, true));
    let others = new.iter().filter(|it| !is_role(it) && !is_owner(it) && !is_grant(it));
    sql.extend(others.map(|it| it.add(version)));
    sql.extend(grouped(new.iter().copied().filter(|it| !is_passed_on(it)), true));
    sql.extend(grouped(new.iter().copied().filter(is_passed_on), true));
    sql.extend(gone.iter().filter(|it| is_role(it)).filter_map(|it| it.remove(version)));
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
    let mut found = BTreeSet::new();
    let mut by_role = BTreeMap::new();
    for piece in pieces {
        let role = match piece {
            Piece::Grant(it) => it.grantee.clone(),
            Piece::Default(it) => it.grantee.clone(),
            Piece::Membership(it) => Some(it.member.clone()),
            Piece::Attribute { role, .. } => Some(role.clone()),
            Piece::Role { name } => {
                let rows =
                    session.rows("SELECT 1 FROM pg_roles WHERE rolname = $1", &[name], "roles")?;
                if !rows.is_empty() {
                    found.insert(piece.clone());
                }
                continue;
            }
            Piece::Owner { owner, .. } => Some(owner.clone()),
        };
        by_role.entry(role).or_insert_with(Vec::new).push(piece);
    }
    for (role, pieces) in by_role {
        let now = super::rights::pieces_of(session, role.as_deref())?;
        let mut grants: BTreeMap<(&Atom, bool), BTreeSet<(&str, bool)>> = BTreeMap::new();
        let mut members: BTreeSet<(&str, bool, bool, bool)> = BTreeSet::new();
        for it in &now {
            match it {
                Piece::Grant(it) => {
                    let key = (&it.atom, it.is_grantable);
                    grants.entry(key).or_default().insert((&it.grantor, it.is_by_owner));
                }
                Piece::Membership(it) => {
                    members.insert((&it.role, it.is_admin, it.inherits, it.sets));
                }
                _ => {}
            }
        }
        for piece in pieces {
            let is_so = match piece {
                // Whoever gives a right without a name is the owner.
                Piece::Grant(it) => grants.get(&(&it.atom, it.is_grantable)).is_some_and(|by| {
                    by.iter().any(|(grantor, is_by_owner)| match it.grantor.is_empty() {
                        true => *is_by_owner,
                        false => *grantor == it.grantor,
                    })
                }),
                Piece::Membership(it) => {
                    let key = (it.role.as_str(), it.is_admin, it.inherits, it.sets);
                    members.contains(&key)
                }
                piece => now.contains(piece),
            };
            if is_so {
                found.insert(piece.clone());
            }
        }
    }
    Ok(found)
}

/// Moves from one set to another in one transaction, if it is still the one that is there.
///
/// # Errors
/// When rights are not as they were, somebody else changes them at the same time, or what the server says; then nothing is
/// changed.
pub fn act(
    session: &mut Session,
    from: &BTreeSet<Piece>,
    to: &BTreeSet<Piece>,
) -> Result<(), AccessError> {
    const DOING: &str = "rights";
    let version = session.version();
    session.batch("BEGIN", DOING)?;
    let done = (|| {
        let all: BTreeSet<Piece> = from.union(to).cloned().collect();
        let now = observe(session, &all)?;
        if let Some(other) = now.symmetric_difference(from).next() {
            return Err(AccessError::Changed { what: other.words() });
        }
        for sql in moves(from, to, version) {
            session.batch(&sql, DOING)?;
        }
        let now = observe(session, &all)?;
        match now.symmetric_difference(to).next() {
            Some(other) => Err(AccessError::Changed { what: other.words() }),
            None => Ok(()),
        }
    })();
    match done {
        Ok(()) => session.batch("COMMIT", DOING),
        Err(error) => {
            let _ = session.batch("ROLLBACK", DOING);
            Err(error)
        }
    }
}

/// A comment of SQL that holds whatever is put into it.
fn comment(text: &str) -> String {
    let text: String = text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
    format!("-- {text}")
}

/// A script for `psql`: all or nothing.
pub fn script(title: &str, notes: &[String], statements: &[String], database: &str) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}", comment(title));
    for note in notes {
        let _ = writeln!(out, "{}", comment(note));
    }
    let _ = writeln!(out, "\\set ON_ERROR_STOP on");
    let _ =
        writeln!(out, "SELECT current_database() <> {} AS wrong \\gset", string(database).trim());
    let _ = writeln!(out, "\\if :wrong\n  \\echo this is for another database\n  \\quit\n\\endif");
    let _ = writeln!(out, "BEGIN;\nSET LOCAL search_path = pg_catalog;");
    for statement in statements {
        let _ = writeln!(out, "{statement};");
    }
    let _ = writeln!(out, "COMMIT;");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_on_columns_outlive_the_one_on_their_table() {
        let table = Object::within(Class::Table, "s", "t");
        let grant = |atom: Atom| {
            Piece::Grant(Grant {
                atom,
                grantee: Some("web".into()),
                grantor: "own".into(),
                is_by_owner: true,
                is_grantable: false,
            })
        };
        let whole = grant(Atom::on(Privilege::Select, table.clone()));
        let kept = grant(Atom::column(Privilege::Select, table.clone(), "a"));
        let new = grant(Atom::column(Privilege::Select, table, "b"));
        let from = BTreeSet::from([whole, kept.clone()]);
        let to = BTreeSet::from([kept, new]);
        assert_eq!(
            moves(&from, &to, 150_000),
            [
                "REVOKE SELECT ON TABLE s.t FROM web",
                "GRANT SELECT (a) ON TABLE s.t TO web",
                "GRANT SELECT (b) ON TABLE s.t TO web",
            ]
        );
        assert_eq!(
            moves(&to, &from, 150_000),
            ["REVOKE SELECT (b) ON TABLE s.t FROM web", "GRANT SELECT ON TABLE s.t TO web",]
        );
    }
}
