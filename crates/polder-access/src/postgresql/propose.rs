//! The least rights with which everything works that was seen, as a move from the rights that are there.

use super::learn::Learned;
use super::piece::{Piece, is_touched, moves, observe, touching};
use super::rights::{Grant, Rights};
use super::session::Session;
use crate::{
    AccessError, Atom, Class, Columns, Evidence, Kind, Object, Privilege, Reach, sensitive,
};
use serde::Serialize;
use std::collections::BTreeSet;

/// A move to the least rights.
#[derive(Clone, Debug, Serialize)]
pub struct Proposal {
    /// The account.
    pub account: String,
    /// The database.
    pub database: String,
    /// Rights that the account has then, as grants.
    pub grants: Vec<String>,
    /// What is so now and will not be, or stays and is asked for again.
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
    pub fn forward(&self, version: i32) -> Vec<String> {
        moves(&self.before, &self.after, version)
    }

    /// SQL that takes it back.
    pub fn back(&self, version: i32) -> Vec<String> {
        moves(&self.after, &self.before, version)
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

    /// Whether everything is so already.
    pub fn is_done(&self) -> bool {
        self.before == self.after
    }
}

/// Proposes the least rights.
pub fn propose(rights: &Rights, learned: &Learned, columns: Columns) -> Proposal {
    let mut left = Vec::new();
    let target = target(rights, learned, columns);
    let mut before = BTreeSet::new();
    let mut after = BTreeSet::new();
    let account = &rights.account;
    let attribute =
        |attribute: &str| Piece::Attribute { role: account.clone(), attribute: attribute.into() };
    if learned.elsewhere.is_empty() {
        before.extend(rights.attributes.set().into_iter().map(attribute));
    } else {
        let names: Vec<&str> = learned.elsewhere.iter().map(String::as_str).collect();
        left.push(format!(
            "it sends statements in other databases, too ({}): its attributes and the roles it is in hold there as well, and stay. Look \
             at each of these databases by itself",
            names.join(", ")
        ));
    }
    memberships(rights, learned, &mut before, &mut after, &mut left);
    policies(rights, learned, &after, &mut left);
    passed_on(rights, &mut before, &mut after);
    let keeps_ownership = ownership(rights, learned, &mut before, &mut after, &mut left);
    own_grants(rights, &target, keeps_ownership, &mut before, &mut after);
    everyone(rights, learned, &mut before, &mut after, &mut left);
    futures(rights, &mut before, &mut after);
    // What is the same before and after is named only where moving would touch it.
    let touching = touching(before.symmetric_difference(&after));
    let same = before.intersection(&after).filter(|it| !is_touched(it, &touching));
    let same: Vec<Piece> = same.cloned().collect();
    for piece in same {
        before.remove(&piece);
        after.remove(&piece);
    }
    Proposal {
        account: account.clone(),
        database: rights.database.clone(),
        grants: crate::grants(&target),
        reach_before: reach(rights),
        reach_after: reach_of(rights, &target, learned, keeps_ownership),
        before,
        after,
        left,
    }
}

/// What the account is to have: columns, or whole tables where that is as well.
fn target(rights: &Rights, learned: &Learned, columns: Columns) -> BTreeSet<Atom> {
    let mut target = BTreeSet::new();
    for needed in &learned.needed {
        let atom = &needed.atom;
        let facts = rights.tables.get(&atom.object);
        let is_sensitive =
            || facts.is_none_or(|it| it.columns.iter().any(|it| sensitive(it).is_some()));
        let by_column = match columns {
            Columns::Always => true,
            Columns::Never => false,
            Columns::Sensitive => is_sensitive(),
        };
        // What is kept for something unknown is kept as it is.
        match by_column || needed.evidence == Evidence::Unproved {
            true => target.insert(atom.clone()),
            false => target.insert(Atom::on(atom.privilege, atom.object.clone())),
        };
    }
    // A right on a whole table holds those on its columns.
    let whole: BTreeSet<(Privilege, Object)> = target
        .iter()
        .filter(|it| it.column.is_none())
        .map(|it| (it.privilege, it.object.clone()))
        .collect();
    target.retain(|it| it.column.is_none() || !whole.contains(&(it.privilege, it.object.clone())));
    target
}

fn memberships(
    rights: &Rights,
    learned: &Learned,
    before: &mut BTreeSet<Piece>,
    after: &mut BTreeSet<Piece>,
    left: &mut Vec<String>,
) {
    if !learned.elsewhere.is_empty() {
        return;
    }
    for membership in rights.memberships.iter().filter(|it| it.member == rights.account) {
        let role = &membership.role;
        let kind = super::excess::predefined(role);
        let is_dangerous = kind.is_some_and(|it| it.is_dangerous());
        let is_used = learned.roles.contains(role);
        before.insert(Piece::Membership(membership.clone()));
        if is_used && is_dangerous {
            left.push(format!(
                "a statement used `{role}`, which reaches the host or all data: it is taken all the same, since whoever injects SQL would leave the \
                 same trace"
            ));
        } else if is_used {
            after.insert(Piece::Membership(membership.clone()));
        }
    }
}

/// Where policies of rows begin to hold for the account, since it stops being above them.
fn policies(rights: &Rights, learned: &Learned, after: &BTreeSet<Piece>, left: &mut Vec<String>) {
    let stays = |owner: &str| {
        after.iter().any(|it| matches!(it, Piece::Membership(it) if it.role == owner))
    };
    let mut tables: BTreeSet<String> = BTreeSet::new();
    for needed in &learned.needed {
        let Some(facts) = rights.tables.get(&needed.atom.object) else { continue };
        let is_owner = rights.roles().contains(facts.owner.as_str()) && !stays(&facts.owner);
        let is_above = rights.attributes.superuser || rights.attributes.bypassrls || is_owner;
        if facts.has_policies && is_above && learned.elsewhere.is_empty() {
            tables.insert(needed.atom.object.sql());
        }
    }
    if !tables.is_empty() {
        let names: Vec<String> = tables.into_iter().collect();
        left.push(format!(
            "policies of rows begin to hold for the account on {}: statements may answer fewer rows than before, without an error. Try \
             that first",
            names.join(", ")
        ));
    }
}

/// Rights that the account gave on to others are given to them by the owner instead.
fn passed_on(rights: &Rights, before: &mut BTreeSet<Piece>, after: &mut BTreeSet<Piece>) {
    for given in &rights.given {
        before.insert(Piece::Grant(given.clone()));
        after.insert(Piece::Grant(Grant {
            grantor: String::new(),
            is_by_owner: true,
            ..given.clone()
        }));
    }
}

/// What the account owns goes to a role that nobody logs in as, unless it was seen to need an owner's rights.
fn ownership(
    rights: &Rights,
    learned: &Learned,
    before: &mut BTreeSet<Piece>,
    after: &mut BTreeSet<Piece>,
    left: &mut Vec<String>,
) -> bool {
    let own: Vec<&Object> = rights
        .owned
        .iter()
        .filter(|(_, owner)| *owner == rights.account)
        .map(|(it, _)| it)
        .collect();
    if own.is_empty() {
        return false;
    }
    if learned.statements.iter().any(|it| it.needs_owner) {
        left.push(format!(
            "{} owns {} things and was seen to alter or make some: they stay its own. Where another account makes releases, \
             `--no-migrations` leaves that out",
            rights.account,
            own.len()
        ));
        return true;
    }
    let owner = format!("{}_owner", rights.account);
    if !rights.others.contains(&owner) && !rights.owned.iter().any(|(_, it)| *it == owner) {
        after.insert(Piece::Role { name: owner.clone() });
    }
    for object in own {
        before.insert(Piece::Owner { object: object.clone(), owner: rights.account.clone() });
        after.insert(Piece::Owner { object: object.clone(), owner: owner.clone() });
    }
    false
}

fn own_grants(
    rights: &Rights,
    target: &BTreeSet<Atom>,
    keeps_ownership: bool,
    before: &mut BTreeSet<Piece>,
    after: &mut BTreeSet<Piece>,
) {
    let account = Some(rights.account.clone());
    let own = rights.owned.iter().filter(|(_, owner)| *owner == rights.account);
    let own: BTreeSet<&Object> = own.map(|(it, _)| it).collect();
    let is_own = |object: &Object| own.contains(object);
    let mut met = BTreeSet::new();
    for grant in rights.grants.iter().filter(|it| it.grantee == account) {
        // Rights of an owner go to the new owner with the thing, and are not taken one by one.
        if is_own(&grant.atom.object) {
            if keeps_ownership {
                met.insert(grant.atom.clone());
            }
            continue;
        }
        before.insert(Piece::Grant(grant.clone()));
        if target.contains(&grant.atom) && !grant.is_grantable {
            after.insert(Piece::Grant(grant.clone()));
            met.insert(grant.atom.clone());
        }
    }
    for atom in target.difference(&met) {
        if keeps_ownership && is_own(&atom.object) {
            continue;
        }
        after.insert(Piece::Grant(Grant {
            atom: atom.clone(),
            grantee: account.clone(),
            grantor: String::new(),
            is_by_owner: true,
            is_grantable: false,
        }));
    }
}

/// What everyone has and should not is taken from everyone, and given by name to all others who may log in: for them nothing
/// changes.
fn everyone(
    rights: &Rights,
    learned: &Learned,
    before: &mut BTreeSet<Piece>,
    after: &mut BTreeSet<Piece>,
    left: &mut Vec<String>,
) {
    let definers: BTreeSet<&Object> =
        rights.definers.iter().filter(|it| it.is_public).map(|it| &it.object).collect();
    let needed = learned.atoms();
    let mut taken = 0;
    for grant in rights.grants.iter().filter(|it| it.grantee.is_none()) {
        let atom = &grant.atom;
        let is_taken = match atom.object.class {
            Class::Table | Class::Sequence => true,
            Class::Schema => atom.privilege == Privilege::Create,
            Class::Function | Class::Procedure => {
                definers.contains(&atom.object) && !needed.contains(atom)
            }
            _ => false,
        };
        if !is_taken {
            continue;
        }
        taken += 1;
        before.insert(Piece::Grant(grant.clone()));
        // Who owns the thing has the right anyway.
        let is_owner = |it: &&String| grant.is_by_owner && **it == grant.grantor;
        for other in rights.others.iter().filter(|it| !is_owner(it)) {
            let for_other = Grant {
                grantee: Some(other.clone()),
                grantor: String::new(),
                is_by_owner: true,
                ..grant.clone()
            };
            after.insert(Piece::Grant(for_other));
        }
    }
    if taken > 0 && !rights.others.is_empty() {
        left.push(format!(
            "{taken} rights are taken from PUBLIC and given by name to the {} other roles of the server, so that nothing changes for them; roles that are made later do not have \
             them",
            rights.others.len()
        ));
    }
    if !rights.everyones.is_empty() {
        left.push(format!(
            "everyone has rights on the server's own catalog that were not there when it was installed: {}",
            rights.everyones.join(", ")
        ));
    }
    let temporary = rights.grants.iter().any(|it| {
        it.grantee.is_none()
            && it.atom.object.class == Class::Database
            && it.atom.privilege == Privilege::Temporary
    });
    let is_used = needed.iter().any(|it| it.privilege == Privilege::Temporary);
    if temporary && !is_used {
        left.push("everyone may make temporary tables in this database (TEMPORARY for PUBLIC): others may need it".into());
    }
}

fn futures(rights: &Rights, before: &mut BTreeSet<Piece>, after: &mut BTreeSet<Piece>) {
    for default in &rights.defaults {
        let is_own = default.grantee.as_ref() == Some(&rights.account);
        if !is_own && default.grantee.is_some() {
            continue;
        }
        before.insert(Piece::Default(default.clone()));
        if !is_own {
            for other in &rights.others {
                let mut default = default.clone();
                default.grantee = Some(other.clone());
                after.insert(Piece::Default(default));
            }
        }
    }
}

/// What can be done with the rights that are there.
pub fn reach(rights: &Rights) -> Reach {
    let mut reach = Reach { is_boundless: rights.is_boundless(), ..Reach::default() };
    let held = rights.held();
    for (object, facts) in &rights.tables {
        let is_owned = held.owns(object);
        let mut is_read = false;
        for column in &facts.columns {
            if is_owned || held.has(Privilege::Select, object, Some(column)) {
                is_read = true;
                if let Some(class) = sensitive(column) {
                    reach.sensitive.push((object.sql(), column.clone(), class, facts.rows));
                }
            }
        }
        let has = |privilege: Privilege| held.has(privilege, object, None);
        let any = |privilege: Privilege| held.has_any(privilege, object);
        reach.reads += usize::from(is_read);
        reach.writes += usize::from(any(Privilege::Insert) || any(Privilege::Update));
        reach.empties += usize::from(has(Privilege::Delete) || has(Privilege::Truncate));
        reach.drops += usize::from(is_owned || rights.is_boundless());
    }
    host(rights, |_| true, &mut reach);
    reach
}

fn host(rights: &Rights, keeps: impl Fn(&str) -> bool, reach: &mut Reach) {
    for (name, kind, means) in super::excess::PREDEFINED {
        let is_in = rights.memberships.iter().any(|it| it.role == name && keeps(&it.role));
        if kind == Kind::HostAccess && is_in {
            reach.host.push(format!("{name}: {means}"));
        }
    }
    if reach.is_boundless {
        reach.host.push("superuser: runs programs on the host (COPY … PROGRAM)".into());
    }
}

/// What can be done with the rights that are proposed, and what stays beside them.
fn reach_of(
    rights: &Rights,
    target: &BTreeSet<Atom>,
    learned: &Learned,
    keeps_ownership: bool,
) -> Reach {
    let is_elsewhere = !learned.elsewhere.is_empty();
    let is_dangerous =
        |role: &str| super::excess::predefined(role).is_some_and(|it| it.is_dangerous());
    // What stays because of other databases stays with all that it gives; the account's own rights are those of the target.
    let keeps = |role: &str| {
        let is_used = learned.roles.contains(role) && !is_dangerous(role);
        role != rights.account && (is_elsewhere || is_used)
    };
    let attributes = if is_elsewhere { rights.attributes.clone() } else { Default::default() };
    let grants = target.iter().map(|atom| Grant {
        atom: atom.clone(),
        grantee: Some(rights.account.clone()),
        grantor: String::new(),
        is_by_owner: true,
        is_grantable: false,
    });
    let by_role =
        rights.grants.iter().filter(|it| it.grantee.as_deref().is_some_and(keeps)).cloned();
    let later = Rights {
        account: rights.account.clone(),
        database: rights.database.clone(),
        attributes,
        memberships: rights.memberships.iter().filter(|it| keeps(&it.role)).cloned().collect(),
        grants: grants.chain(by_role).collect(),
        owned: rights
            .owned
            .iter()
            .filter(|(_, owner)| keeps(owner) || (keeps_ownership && *owner == rights.account))
            .cloned()
            .collect(),
        tables: rights.tables.clone(),
        ..Rights::default()
    };
    reach(&later)
}
