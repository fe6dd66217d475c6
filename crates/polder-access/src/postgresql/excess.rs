//! What an account may do and does not need: by kind, with what it means.

use super::learn::Learned;
use super::piece::Defaults;
use super::rights::{Grant, Rights};
use crate::{Atom, Class, Excess, Kind, Object, Privilege, sensitive};
use std::collections::{BTreeMap, BTreeSet};

/// Roles of the server's own (table 22.1 of its manual), and what they mean.
pub(super) const PREDEFINED: [(&str, Kind, &str); 16] = [
    (
        "pg_execute_server_program",
        Kind::HostAccess,
        "runs programs on the host as the user of the server (COPY … PROGRAM)",
    ),
    (
        "pg_read_server_files",
        Kind::HostAccess,
        "reads every file that the server can read, its own data among them",
    ),
    (
        "pg_write_server_files",
        Kind::HostAccess,
        "writes every file that the server can write, and so runs programs on the host",
    ),
    ("pg_read_all_data", Kind::AllData, "reads every table of every database it may connect to"),
    ("pg_write_all_data", Kind::AllData, "changes and removes every row of every table"),
    ("pg_maintain", Kind::Other, "locks, vacuums and refreshes every table"),
    ("pg_monitor", Kind::Other, "sees the statements of everyone, and settings of the server"),
    ("pg_read_all_stats", Kind::Other, "sees the statements of everyone"),
    ("pg_read_all_settings", Kind::Other, "sees all settings of the server"),
    ("pg_stat_scan_tables", Kind::Other, "reads tables in ways that lock them"),
    ("pg_signal_backend", Kind::Other, "ends connections of others"),
    ("pg_checkpoint", Kind::Other, "makes the server write everything out"),
    (
        "pg_use_reserved_connections",
        Kind::Other,
        "takes connections that are kept for administrators",
    ),
    (
        "pg_create_subscription",
        Kind::HostAccess,
        "makes the server connect elsewhere, and runs code as the owner of tables",
    ),
    ("pg_signal_autovacuum_worker", Kind::Other, "ends workers of the server"),
    ("pg_database_owner", Kind::OwnerByMembership, "owns what the owner of the database owns"),
];

/// The kind of a role of the server's own.
pub(super) fn predefined(role: &str) -> Option<Kind> {
    PREDEFINED.iter().find(|it| it.0 == role).map(|it| it.1)
}

fn attribute_means(attribute: &str) -> &'static str {
    match attribute {
        "SUPERUSER" => "may do anything, and run programs on the host",
        "CREATEDB" => "makes databases, and fills the disk",
        "CREATEROLE" => "makes roles and, until 15, puts itself in every role but superusers",
        "REPLICATION" => "copies the whole server, whatever rights say",
        _ => "sees rows whatever policies say",
    }
}

/// What is not needed; where nobody knows what is, what is too much for an application in any case.
pub fn excess(rights: &Rights, learned: Option<&Learned>) -> Vec<Excess> {
    let needed = learned.map(Learned::atoms).unwrap_or_default();
    let roles = learned.map(|it| it.roles.clone()).unwrap_or_default();
    let mut found = Vec::new();
    for attribute in rights.attributes.set() {
        found.push(Excess {
            kind: Kind::Attribute,
            what: format!("role attribute {attribute}"),
            means: attribute_means(attribute).into(),
            through: None,
            details: Vec::new(),
        });
    }
    memberships(rights, &roles, &mut found);
    ownership(rights, &mut found);
    grants(rights, &needed, &mut found);
    futures(rights, &mut found);
    if learned.is_none() {
        let depends = |it: &Excess| {
            matches!(
                it.kind,
                Kind::TablePrivilege | Kind::Routine | Kind::Sequence | Kind::Schema | Kind::Other
            )
        };
        found.retain(|it| !depends(it));
    }
    found.sort_by(|a, b| (a.kind, &a.what).cmp(&(b.kind, &b.what)));
    found
}

fn memberships(rights: &Rights, needed: &BTreeSet<String>, found: &mut Vec<Excess>) {
    let direct = rights.memberships.iter().filter(|it| it.member == rights.account);
    let is_shown = |role: &str| {
        let is_plain = !rights.owned.iter().any(|(_, owner)| owner == role);
        !needed.contains(role) || !is_plain || predefined(role).is_some_and(Kind::is_dangerous)
    };
    for membership in direct.filter(|it| is_shown(&it.role)) {
        let role = &membership.role;
        // What comes with it: the roles above, too.
        let mut above = BTreeSet::from([role.as_str()]);
        loop {
            let more = rights.memberships.iter().filter(|it| above.contains(it.member.as_str()));
            let more: Vec<&str> =
                more.map(|it| it.role.as_str()).filter(|it| !above.contains(it)).collect();
            if more.is_empty() {
                break;
            }
            above.extend(more);
        }
        let known = PREDEFINED.iter().find(|it| it.0 == role);
        let owned: Vec<&Object> = rights
            .owned
            .iter()
            .filter(|(_, owner)| above.contains(owner.as_str()))
            .map(|it| &it.0)
            .collect();
        let (kind, means) = match known {
            Some((_, kind, means)) => (*kind, (*means).to_string()),
            None if !owned.is_empty() => {
                let tables = owned.iter().filter(|it| it.class == Class::Table).count();
                (
                    Kind::OwnerByMembership,
                    format!(
                        "drops, alters and gives away {} things, {tables} tables among them",
                        owned.len()
                    ),
                )
            }
            None => (Kind::Membership, "has the rights of that role as well".to_string()),
        };
        let own = rights
            .grants
            .iter()
            .filter(|it| it.grantee.as_deref().is_some_and(|it| above.contains(it)));
        let details = own.map(|it| it.atom.to_string()).take(40).collect();
        found.push(Excess {
            kind,
            what: format!("member of {role}"),
            means,
            through: None,
            details,
        });
    }
}

fn ownership(rights: &Rights, found: &mut Vec<Excess>) {
    let own: Vec<&Object> = rights
        .owned
        .iter()
        .filter(|(_, owner)| *owner == rights.account)
        .map(|(it, _)| it)
        .collect();
    if own.is_empty() {
        return;
    }
    let tables = own.iter().filter(|it| it.class == Class::Table).count();
    found.push(Excess {
        kind: Kind::Owner,
        what: format!("owner of {} things", own.len()),
        means: format!("drops and alters them, {tables} tables among them"),
        through: None,
        details: own
            .iter()
            .map(|it| format!("{} {}", it.class.sql(), it.sql()))
            .take(200)
            .collect(),
    });
}

/// Rights that are not needed, by what they are on.
#[derive(Default)]
struct Unneeded<'a> {
    tables: BTreeMap<Privilege, Vec<&'a Grant>>,
    public_tables: BTreeMap<&'a Object, Vec<&'a Grant>>,
    public_schemas: Vec<&'a Grant>,
    public_others: Vec<&'a Grant>,
    others: BTreeMap<Kind, Vec<&'a Grant>>,
}

impl<'a> Unneeded<'a> {
    fn of(rights: &'a Rights, needed: &BTreeSet<Atom>) -> Self {
        let mut it = Self::default();
        for grant in &rights.grants {
            let atom = &grant.atom;
            let (class, privilege) = (atom.object.class, atom.privilege);
            if grant.grantee.is_none() {
                match class {
                    Class::Table => it.public_tables.entry(&atom.object).or_default().push(grant),
                    Class::Schema if privilege == Privilege::Create => {
                        it.public_schemas.push(grant)
                    }
                    _ => {}
                }
                continue;
            }
            let is_others = grant.grantee.as_deref() != Some(rights.account.as_str());
            if is_others || needed.contains(atom) || privilege == Privilege::Connect {
                continue;
            }
            let kind = match class {
                Class::Table => {
                    it.tables.entry(privilege).or_default().push(grant);
                    continue;
                }
                Class::Schema if privilege == Privilege::Create => Kind::SchemaCreate,
                Class::Schema => Kind::Schema,
                Class::Database => Kind::Database,
                Class::Function | Class::Procedure => Kind::Routine,
                Class::Sequence => Kind::Sequence,
                _ => Kind::Other,
            };
            it.others.entry(kind).or_default().push(grant);
        }
        it
    }
}

/// What each kind of rights means.
const MEANS: [(Kind, &str); 6] = [
    (Kind::Database, "makes schemas, or temporary tables that fill the disk"),
    (Kind::SchemaCreate, "puts functions and tables where others look names up"),
    (Kind::Routine, "calls functions that it never calls"),
    (Kind::Sequence, "reads or sets counters"),
    (Kind::Schema, "sees names in schemas that it never uses"),
    (Kind::Other, "is not used"),
];

fn grants(rights: &Rights, needed: &BTreeSet<Atom>, found: &mut Vec<Excess>) {
    let unneeded = Unneeded::of(rights, needed);
    for (kind, means) in MEANS {
        many(kind, unneeded.others.get(&kind).map_or(&[], Vec::as_slice), means, found);
    }
    tables_of(rights, needed, &unneeded.tables, found);
    for grant in unneeded.public_schemas {
        found.push(Excess {
            kind: Kind::PublicSchemaCreate,
            what: format!("CREATE ON SCHEMA {} via PUBLIC", grant.atom.object.sql()),
            means: "puts functions and tables where others look names up".into(),
            through: Some("PUBLIC".into()),
            details: Vec::new(),
        });
    }
    let public = crate::grants(unneeded.public_others.iter().map(|it| &it.atom));
    found.extend(public.into_iter().map(|it| Excess {
        kind: Kind::Other,
        what: format!("{it} via PUBLIC"),
        means: "stays when rights are taken from the account".into(),
        through: Some("PUBLIC".into()),
        details: Vec::new(),
    }));
    found.extend(rights.everyones.iter().map(|it| Excess {
        kind: Kind::Other,
        what: format!("{it} via PUBLIC"),
        means: "was not so when the server was installed".into(),
        through: Some("PUBLIC".into()),
        details: Vec::new(),
    }));
    for (object, grants) in unneeded.public_tables {
        let privileges: Vec<&str> = grants.iter().map(|it| it.atom.privilege.sql()).collect();
        found.push(Excess {
            kind: Kind::PublicTable,
            what: format!("{} on {} via PUBLIC", privileges.join(", "), object.sql()),
            means: "stays when rights are taken from the account".into(),
            through: Some("PUBLIC".into()),
            details: grants.iter().map(|it| it.atom.to_string()).collect(),
        });
    }
    definers(rights, needed, found);
    let held = rights.held();
    let is_own = |it: &&Grant| it.grantee.as_deref() == Some(rights.account.as_str());
    let given = rights.grants.iter().filter(|it| it.is_grantable).filter(is_own);
    let options: Vec<&Grant> = given.filter(|it| !held.owns(&it.atom.object)).collect();
    many(Kind::GrantOption, &options, "gives them to others", found);
}

fn many(kind: Kind, grants: &[&Grant], means: &str, found: &mut Vec<Excess>) {
    if grants.is_empty() {
        return;
    }
    let what = crate::grants(grants.iter().map(|it| &it.atom));
    let shown = match what.as_slice() {
        few if few.len() <= 3 => few.join("; "),
        many => format!(
            "{}; and {} more",
            many.iter().take(2).cloned().collect::<Vec<_>>().join("; "),
            many.len() - 2
        ),
    };
    let what_all = what;
    found.push(Excess { kind, what: shown, means: means.into(), through: None, details: what_all });
}

/// Rights on tables by privilege: where it is never used, and where it is used of some columns only.
fn tables_of(
    rights: &Rights,
    needed: &BTreeSet<Atom>,
    tables: &BTreeMap<Privilege, Vec<&Grant>>,
    found: &mut Vec<Excess>,
) {
    let mut used: BTreeMap<(&Object, Privilege), usize> = BTreeMap::new();
    for atom in needed.iter().filter(|it| it.column.is_some()) {
        *used.entry((&atom.object, atom.privilege)).or_default() += 1;
    }
    for (privilege, grants) in tables {
        let mut details = Vec::new();
        for grant in grants {
            let object = &grant.atom.object;
            let used = used.get(&(object, *privilege)).copied().unwrap_or(0);
            let facts = rights.tables.get(object);
            let all = facts.map_or(0, |it| it.columns.len());
            // Where nothing is sensitive, the whole table is as good as its columns, and goes on working when one is added.
            let is_sensitive =
                facts.is_none_or(|it| it.columns.iter().any(|it| sensitive(it).is_some()));
            match used {
                0 => details.push(format!("{}: never", object.sql())),
                some if some < all && grant.atom.column.is_none() && is_sensitive => {
                    details.push(format!("{}: {some} of {all} columns", object.sql()));
                }
                _ => {}
            }
        }
        if details.is_empty() {
            continue;
        }
        let means = match privilege {
            Privilege::Select => "reads them",
            Privilege::Insert => "adds rows to them",
            Privilege::Update => "changes them",
            Privilege::Delete | Privilege::Truncate => "empties them",
            Privilege::References => {
                "hinders removal by foreign keys, and learns which values there are"
            }
            Privilege::Trigger => "runs code as whoever writes to them",
            _ => "locks and vacuums them",
        };
        found.push(Excess {
            kind: Kind::TablePrivilege,
            what: format!(
                "{} on {} where it is not used, or not of all columns",
                privilege.sql(),
                match details.len() {
                    1 => "a table".to_string(),
                    count => format!("{count} tables"),
                }
            ),
            means: means.into(),
            through: None,
            details,
        });
    }
}

fn definers(rights: &Rights, needed: &BTreeSet<Atom>, found: &mut Vec<Excess>) {
    let unused = rights.definers.iter().filter(|it| {
        it.is_public && !needed.contains(&Atom::on(Privilege::Execute, it.object.clone()))
    });
    for definer in unused {
        let pinned = if definer.is_pinned { "" } else { ", search_path not pinned" };
        found.push(Excess {
            kind: Kind::PublicDefiner,
            what: format!(
                "EXECUTE on SECURITY DEFINER {} via PUBLIC{pinned}",
                definer.object.sql()
            ),
            means: match definer.is_pinned {
                true => format!("does what it does as {}", definer.owner),
                false => format!(
                    "does what it does as {}; whoever makes things on its path has that role",
                    definer.owner
                ),
            },
            through: Some("PUBLIC".into()),
            details: Vec::new(),
        });
    }
}

fn futures(rights: &Rights, found: &mut Vec<Excess>) {
    let mut by_place: Defaults<'_> = BTreeMap::new();
    for it in &rights.defaults {
        let key = (it.schema.as_deref(), it.kind.as_str(), it.grantee.as_deref());
        by_place.entry(key).or_default().push(it.privilege.sql());
    }
    for ((schema, kind, grantee), privileges) in by_place {
        let place = schema.map_or_else(|| "anywhere".to_string(), |it| format!("in schema {it}"));
        let own = grantee.filter(|it| *it != rights.account);
        let through =
            if grantee.is_none() { Some("PUBLIC".to_string()) } else { own.map(str::to_string) };
        found.push(Excess {
            kind: Kind::Future,
            what: format!(
                "default privileges {place}: {} on future {}",
                privileges.join(", "),
                kind.to_lowercase()
            ),
            means: "has them on whatever is made later, whether it needs them or not".into(),
            through,
            details: Vec::new(),
        });
    }
}
