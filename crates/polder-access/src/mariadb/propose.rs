//! The least rights with which everything works that was seen, as a move from the rights that are there.

use super::learn::Learned;
use super::piece::{Piece, moves, observe};
use super::right::{Grantee, Place, Right, grants};
use super::rights::{Held, Rights, TableFacts, TableName};
use super::session::Session;
use crate::{AccessError, Columns, Evidence, Reach, sensitive};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A move to the least rights.
#[derive(Clone, Debug, Serialize)]
pub struct Proposal {
    /// The account.
    pub account: String,
    /// Rights that the account has then, as grants.
    pub grants: Vec<String>,
    /// The same, one by one.
    #[serde(skip)]
    pub target: BTreeSet<Right>,
    /// What is so now and will not be, or stays.
    #[serde(skip)]
    pub before: BTreeSet<Piece>,
    /// What will be so.
    #[serde(skip)]
    pub after: BTreeSet<Piece>,
    /// What can be done now.
    pub reach_before: Reach,
    /// What can be done then.
    pub reach_after: Reach,
    /// What is left as it is, and why.
    pub left: Vec<String>,
}

impl Proposal {
    /// SQL that makes it so.
    pub fn forward(&self) -> Vec<String> {
        moves(&self.before, &self.after)
    }

    /// SQL that takes it back.
    pub fn back(&self) -> Vec<String> {
        moves(&self.after, &self.before)
    }

    /// Whether everything is so already.
    pub fn is_done(&self) -> bool {
        self.before == self.after
    }

    /// Looks which of the rights that are to be are there already, so that they stay when all is taken back.
    ///
    /// # Errors
    /// What the server says.
    pub fn settle(&mut self, session: &mut Session) -> Result<(), AccessError> {
        let new: BTreeSet<Piece> = self.after.difference(&self.before).cloned().collect();
        for piece in observe(session, &new)? {
            self.after.remove(&piece);
        }
        Ok(())
    }
}

/// Proposes the least rights.
pub fn propose(rights: &Rights, learned: &Learned, columns: Columns) -> Proposal {
    let mut left = Vec::new();
    let target = in_own_patterns(rights, target(rights, learned, columns));
    let whose = rights.account.clone();
    // What is on something that is gone cannot be given again, and is left.
    let (there, gone): (Vec<&Right>, Vec<&Right>) =
        rights.own().partition(|it| is_there(rights, it));
    if !gone.is_empty() {
        let list = grants(gone);
        left.push(format!("rights on what is no longer there stay: {}", shortened(&list)));
    }
    let mut before: BTreeSet<Piece> = there
        .into_iter()
        .map(|right| Piece::Right { whose: whose.clone(), right: right.clone() })
        .collect();
    let mut after: BTreeSet<Piece> = target
        .iter()
        .map(|right| Piece::Right { whose: whose.clone(), right: right.clone() })
        .collect();
    roles(rights, learned, &mut before, &mut after, &mut left);
    remarks(rights, &mut left);
    let same: Vec<Piece> = before.intersection(&after).cloned().collect();
    let touched: BTreeSet<(String, Place)> = before
        .difference(&after)
        .filter_map(|it| match it {
            Piece::Right { right, .. } if right.column.is_none() => {
                Some((right.privilege.clone(), right.place.clone()))
            }
            _ => None,
        })
        .collect();
    // What is the same before and after is named only where moving would touch it.
    for piece in same {
        let stays = match &piece {
            Piece::Right { right, .. } => {
                right.column.is_some()
                    && touched.contains(&(right.privilege.clone(), right.place.clone()))
            }
            _ => false,
        };
        if !stays {
            before.remove(&piece);
            after.remove(&piece);
        }
    }
    let later = later(rights, learned, &target);
    Proposal {
        account: whose.to_string(),
        grants: grants(&target),
        reach_before: reach(rights),
        reach_after: reach(&later),
        target,
        before,
        after,
        left,
    }
}

/// Rights on databases, by the pattern by which the account has some already: a more exact one would hide what that has.
fn in_own_patterns(rights: &Rights, target: BTreeSet<Right>) -> BTreeSet<Right> {
    let own = |it: Right| match &it.place {
        Place::Database(pattern) => {
            let name = super::rights::unescaped(pattern);
            match rights.own_pattern(&name) {
                Some(own) => Right { place: Place::Database(own.clone()), ..it },
                None => it,
            }
        }
        _ => it,
    };
    target.into_iter().map(own).collect()
}

/// What stays as it is, and what should be known of it.
fn remarks(rights: &Rights, left: &mut Vec<String>) {
    let whose = &rights.account;
    if rights.own().any(|it| it.place == Place::Server) {
        left.push(
            "connections that are open keep what they have on the whole server, and on the database they are in, until they end"
                .into(),
        );
    }
    let everyones: Vec<&Right> =
        rights.held.iter().filter(|it| it.whose == Grantee::Public).map(|it| &it.right).collect();
    if !everyones.is_empty() {
        let list = grants(everyones.iter().copied());
        left.push(format!("everyone has rights, and so has the account: {}", shortened(&list)));
    }
    let others: Vec<String> = rights.overlapping.iter().map(ToString::to_string).collect();
    let has_some = rights.held.iter().any(|it| rights.overlapping.contains(&it.whose));
    if has_some {
        left.push(format!(
            "rights of {} on databases and tables hold in its sessions, too, since their hosts fit as well",
            others.join(", ")
        ));
    }
    let own = rights
        .definers
        .iter()
        .filter(|it| it.is_definer && it.definer == whose.to_string())
        .count();
    if own > 0 {
        left.push(format!(
            "{own} views, triggers, routines or events were made by it and act with its rights, whoever calls them: what they need is among \
             the rights that are kept"
        ));
    }
}

/// Whether what a right is on is there.
fn is_there(rights: &Rights, right: &Right) -> bool {
    let is_routine = |kind: &str, database: &String, name: &String| {
        rights.definers.iter().any(|it| {
            it.kind == kind && it.database == *database && it.name.eq_ignore_ascii_case(name)
        })
    };
    match &right.place {
        Place::Server | Place::Database(_) => true,
        Place::Table(database, _) if super::rights::SYSTEM.contains(&database.as_str()) => true,
        Place::Table(database, name) => {
            let facts = rights.tables.get(&(database.clone(), name.clone()));
            facts.is_some_and(|it| {
                let column = right.column.as_ref();
                column.is_none_or(|column| it.columns.is_empty() || it.columns.contains(column))
            })
        }
        Place::Function(database, name) => is_routine("FUNCTION", database, name),
        Place::Procedure(database, name) => is_routine("PROCEDURE", database, name),
        // Packages are neither looked at nor moved.
        Place::Package(..) => false,
    }
}

fn shortened(list: &[String]) -> String {
    match list.len() {
        0..=4 => list.join("; "),
        many => format!("{}; and {} more", list.get(..3).unwrap_or_default().join("; "), many - 3),
    }
}

/// What the account is to have: columns, or whole tables where that is as well.
fn target(rights: &Rights, learned: &Learned, columns: Columns) -> BTreeSet<Right> {
    let mut target = BTreeSet::new();
    for needed in &learned.needed {
        let right = &needed.right;
        let is_sensitive = || match &right.place {
            Place::Table(database, name) => {
                let facts = rights.tables.get(&(database.clone(), name.clone()));
                facts.is_none_or(|it| it.columns.iter().any(|it| sensitive(it).is_some()))
            }
            _ => true,
        };
        let by_column = match columns {
            Columns::Always => true,
            Columns::Never => false,
            Columns::Sensitive => is_sensitive(),
        };
        let whole = Right { column: None, ..right.clone() };
        // No more than it has: of some tables it has columns only.
        match by_column || needed.evidence == Evidence::Unproved || !rights.holds(&whole) {
            true => target.insert(right.clone()),
            false => target.insert(whole),
        };
    }
    let whole: BTreeSet<(String, Place)> = target
        .iter()
        .filter(|it| it.column.is_none())
        .map(|it| (it.privilege.clone(), it.place.clone()))
        .collect();
    target.retain(|it| {
        it.column.is_none() || !whole.contains(&(it.privilege.clone(), it.place.clone()))
    });
    target
}

fn roles(
    rights: &Rights,
    learned: &Learned,
    before: &mut BTreeSet<Piece>,
    after: &mut BTreeSet<Piece>,
    left: &mut Vec<String>,
) {
    let whose = &rights.account;
    for (_, role, is_admin) in rights.roles.iter().filter(|it| it.0 == *whose) {
        let piece = Piece::Role { whose: whose.clone(), role: role.clone(), is_admin: *is_admin };
        before.insert(piece.clone());
        if learned.roles.contains(role) {
            after.insert(piece);
            left.push(format!(
                "it switches to the role {role}, and stays in it: look at what that role has"
            ));
        }
    }
    if let Some(role) = &rights.default_role {
        let piece = Piece::DefaultRole { whose: whose.clone(), role: role.clone() };
        before.insert(piece.clone());
        if learned.roles.contains(role) {
            after.insert(piece);
        }
    }
    for (whom, is_grantable) in &rights.proxies {
        before.insert(Piece::Proxy {
            whose: whose.clone(),
            whom: whom.clone(),
            is_grantable: *is_grantable,
        });
    }
}

/// The account as it will be.
fn later(rights: &Rights, learned: &Learned, target: &BTreeSet<Right>) -> Rights {
    let mut kept: BTreeSet<String> = learned.roles.clone();
    loop {
        let more: Vec<String> = rights
            .roles
            .iter()
            .filter(|(member, role, _)| {
                matches!(member, Grantee::Role(it) if kept.contains(it)) && !kept.contains(role)
            })
            .map(|it| it.1.clone())
            .collect();
        if more.is_empty() {
            break;
        }
        kept.extend(more);
    }
    let stays = |it: &&Held| match &it.whose {
        Grantee::Role(role) => kept.contains(role),
        Grantee::Public => true,
        other => rights.overlapping.contains(other),
    };
    let mut held: BTreeSet<Held> = rights.held.iter().filter(stays).cloned().collect();
    held.extend(target.iter().map(|it| Held { right: it.clone(), whose: rights.account.clone() }));
    let mut later = rights.instead(held);
    later.roles.retain(|it| kept.contains(&it.1));
    later.proxies.clear();
    later
}

/// What can be done with the rights that are there.
pub fn reach(rights: &Rights) -> Reach {
    let mut reach = Reach { is_boundless: rights.is_boundless(), ..Reach::default() };
    for (table, facts) in &rights.tables {
        let on: Vec<&Right> = rights.on(table).collect();
        let any = |names: &[&str]| on.iter().any(|it| names.contains(&it.privilege.as_str()));
        let whole = |names: &[&str]| {
            on.iter().any(|it| it.column.is_none() && names.contains(&it.privilege.as_str()))
        };
        let reads_all = whole(&["SELECT"]);
        for column in &facts.columns {
            let is_read = reads_all
                || on
                    .iter()
                    .any(|it| it.privilege == "SELECT" && it.column.as_ref() == Some(column));
            if let Some(class) = sensitive(column).filter(|_| is_read) {
                reach.sensitive.push((
                    format!("{}.{}", table.0, table.1),
                    column.clone(),
                    class,
                    facts.rows,
                ));
            }
        }
        reach.reads += usize::from(any(&["SELECT"]));
        reach.writes += usize::from(any(&["INSERT", "UPDATE"]));
        reach.empties += usize::from(whole(&["DELETE", "DROP"]));
        reach.drops += usize::from(whole(&["DROP"]));
    }
    let is_unseen = |(table, facts): &(&TableName, &TableFacts)| {
        facts.columns.is_empty() && rights.on(table).any(|it| it.privilege == "SELECT")
    };
    let unseen = rights.tables.iter().filter(is_unseen).count();
    if unseen > 0 {
        reach.data.push(format!(
            "reads {unseen} tables or views of which the columns are not known (they are not of InnoDB, or its dictionary may not be read): \
             what is sensitive in them is not seen"
        ));
    }
    host(rights, &mut reach);
    reach
}

/// Ways to the host, and around what bounds an account.
fn host(rights: &Rights, reach: &mut Reach) {
    if rights.has_on_server("FILE") {
        match rights.files.as_deref() {
            None => {}
            Some("") => reach.host.push(
                "FILE: reads and writes files of the host as the user of the server, where a web server may run them".into(),
            ),
            Some(folder) => reach.host.push(format!("FILE: reads and writes files of the host below `{folder}`")),
        }
    }
    let means: BTreeMap<&str, &str> = BTreeMap::from([
        (
            "SUPER",
            "SUPER: sets where logs are written, and so writes files of the host; ends connections of others",
        ),
        ("REPLICATION SLAVE", "REPLICATION SLAVE: reads every change of every table"),
        ("BINLOG REPLAY", "BINLOG REPLAY: changes whatever it likes as if it were replicated"),
        ("SHUTDOWN", "SHUTDOWN: stops the server"),
    ]);
    for (privilege, words) in means {
        if rights.has_on_server(privilege) {
            reach.host.push(words.into());
        }
    }
    let funcs = ("mysql".to_string(), "func".to_string());
    if rights.has("INSERT", &funcs) && rights.has_on_server("FILE") {
        reach.host.push("INSERT on mysql.func: loads libraries into the server, and so runs programs on the host".into());
    }
}
