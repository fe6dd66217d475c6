//! What an account may do and does not need: by kind, with what it means.

use super::learn::Learned;
use super::right::{Grantee, Place, Right, grants};
use super::rights::{Held, Rights, TableName};
use crate::{Excess, Kind, sensitive};
use std::collections::{BTreeMap, BTreeSet};

/// Privileges on the whole server, and what they mean (GRANT in the manual of MariaDB).
const SERVER: [(&str, Kind, &str); 16] = [
    ("FILE", Kind::HostAccess, "reads and writes files of the host as the user of the server"),
    (
        "SUPER",
        Kind::HostAccess,
        "sets what it likes, where logs are written for one, and so writes files of the host",
    ),
    ("SHUTDOWN", Kind::Attribute, "stops the server"),
    ("PROCESS", Kind::Attribute, "sees the statements of everyone, with the data in them"),
    ("RELOAD", Kind::Attribute, "flushes logs, caches and rights, and locks everything"),
    (
        "CREATE USER",
        Kind::Attribute,
        "makes, renames and removes accounts, and sets their passwords",
    ),
    ("SET USER", Kind::Attribute, "makes views and routines that act as somebody else"),
    ("SHOW DATABASES", Kind::Attribute, "sees the names of all databases"),
    ("REPLICATION SLAVE", Kind::AllData, "reads every change of every table"),
    ("REPLICATION SLAVE ADMIN", Kind::Attribute, "starts and stops replication"),
    ("BINLOG REPLAY", Kind::AllData, "changes whatever it likes, as if it were replicated"),
    ("BINLOG ADMIN", Kind::Attribute, "removes binary logs, and works without them"),
    ("CONNECTION ADMIN", Kind::Attribute, "ends connections of others"),
    ("READ_ONLY ADMIN", Kind::Attribute, "writes although the server is to be read only"),
    ("FEDERATED ADMIN", Kind::HostAccess, "lets the server connect elsewhere"),
    ("CREATE TABLESPACE", Kind::Attribute, "makes files for tables"),
];

/// What is not needed; where nobody knows what is, what is too much for an application in any case.
pub fn excess(rights: &Rights, learned: Option<&Learned>) -> Vec<Excess> {
    let needed = learned.map(Learned::rights).unwrap_or_default();
    let mut found = Vec::new();
    login(rights, &mut found);
    server(rights, &needed, &mut found);
    databases(rights, &needed, &mut found);
    roles(rights, learned, &mut found);
    if learned.is_some() {
        tables(rights, &needed, &mut found);
        routines(rights, &needed, &mut found);
    }
    options(rights, &mut found);
    definers(rights, &mut found);
    found.sort_by(|a, b| (a.kind, &a.what).cmp(&(b.kind, &b.what)));
    found
}

fn one(kind: Kind, what: String, means: &str) -> Excess {
    Excess { kind, what, means: means.into(), through: None, details: Vec::new() }
}

fn login(rights: &Rights, found: &mut Vec<Excess>) {
    let Grantee::Account { user, host } = &rights.account else { return };
    let is_open = rights.login.as_ref().is_some_and(|it| it.is_open && !it.is_locked);
    if is_open {
        let text = "whoever reaches the server is this account";
        found.push(one(Kind::Login, "logs in without a password".into(), text));
    }
    if user.is_empty() {
        let text = "whoever names an account that is not there is this one";
        found.push(one(Kind::Login, "has no name".into(), text));
    }
    if host.contains('%') || host.is_empty() {
        let text = "the password is all that is between it and whoever reaches the server";
        found.push(one(Kind::Login, format!("logs in from any host that fits `{host}`"), text));
    }
    for (whom, _) in &rights.proxies {
        found.push(one(
            Kind::Membership,
            format!("may be {whom}"),
            "has the rights of that account as well",
        ));
    }
}

/// Rights that somebody has on the whole server.
fn server(rights: &Rights, needed: &BTreeSet<Right>, found: &mut Vec<Excess>) {
    let own = own(rights, |place| *place == Place::Server);
    let mut data = Vec::new();
    for right in own {
        if needed.contains(right) || right.privilege == "GRANT OPTION" {
            continue;
        }
        match SERVER.iter().find(|it| it.0 == right.privilege) {
            Some((name, kind, means)) => {
                let is_nowhere = *name == "FILE" && rights.files.is_none();
                let means = if is_nowhere {
                    "the server allows no files (`secure_file_priv`)"
                } else {
                    means
                };
                found.push(one(*kind, format!("{name} on the whole server"), means));
            }
            None => data.push(right),
        }
    }
    if !data.is_empty() {
        let names: Vec<&str> = data.iter().map(|it| it.privilege.as_str()).collect();
        let mut it = one(
            Kind::AllData,
            format!("{} on all databases", short(&names)),
            "has them on every table that is there or will be, those in which rights stand among them",
        );
        it.details = data.iter().map(|it| it.to_string()).collect();
        found.push(it);
    }
}

fn short(names: &[&str]) -> String {
    match names.len() {
        0..=5 => names.join(", "),
        many => format!("{} and {} more", names.get(..4).unwrap_or_default().join(", "), many - 4),
    }
}

fn own<'a>(rights: &'a Rights, is_it: impl Fn(&Place) -> bool + 'a) -> Vec<&'a Right> {
    rights.own().filter(|it| is_it(&it.place)).collect()
}

/// Rights on whole databases: they are on tables that are yet to be made, too.
fn databases(rights: &Rights, needed: &BTreeSet<Right>, found: &mut Vec<Excess>) {
    const MAKES: [&str; 9] = [
        "CREATE",
        "ALTER",
        "DROP",
        "INDEX",
        "CREATE VIEW",
        "CREATE ROUTINE",
        "ALTER ROUTINE",
        "EVENT",
        "TRIGGER",
    ];
    let mut makes: BTreeMap<&Place, Vec<&Right>> = BTreeMap::new();
    let mut data: BTreeMap<&Place, Vec<&Right>> = BTreeMap::new();
    for right in own(rights, |place| matches!(place, Place::Database(_))) {
        if needed.contains(right) || right.privilege == "GRANT OPTION" {
            continue;
        }
        let list = if MAKES.contains(&right.privilege.as_str()) { &mut makes } else { &mut data };
        list.entry(&right.place).or_default().push(right);
    }
    let lists = [
        (
            makes,
            Kind::Database,
            "makes, alters and drops tables, and puts code where others run it",
        ),
        (
            data,
            Kind::Future,
            "has them on every table that is there or will be, whether it needs them or not",
        ),
    ];
    for (places, kind, means) in lists {
        for (place, list) in places {
            let names: Vec<&str> = list.iter().map(|it| it.privilege.as_str()).collect();
            let mut it = one(kind, format!("{} ON {}", short(&names), place.sql()), means);
            it.details = list.iter().map(|it| it.to_string()).collect();
            found.push(it);
        }
    }
}

fn roles(rights: &Rights, learned: Option<&Learned>, found: &mut Vec<Excess>) {
    for (_, role, _) in rights.roles.iter().filter(|it| it.0 == rights.account) {
        if learned.is_some_and(|it| it.roles.contains(role)) {
            continue;
        }
        let mut it = one(
            Kind::Membership,
            format!("in the role {role}"),
            "has the rights of that role as well",
        );
        let of_role = |it: &&Held| it.whose == Grantee::Role(role.clone());
        it.details = grants(rights.held.iter().filter(of_role).map(|it| &it.right));
        found.push(it);
    }
    let everyones: Vec<&Right> =
        rights.held.iter().filter(|it| it.whose == Grantee::Public).map(|it| &it.right).collect();
    for line in grants(everyones.iter().copied()) {
        let mut it = one(
            Kind::PublicTable,
            format!("{line} via PUBLIC"),
            "stays when rights are taken from the account",
        );
        it.through = Some("PUBLIC".into());
        found.push(it);
    }
}

/// Rights on single tables, by privilege: where it is never used, and where it is used of some columns only.
fn tables(rights: &Rights, needed: &BTreeSet<Right>, found: &mut Vec<Excess>) {
    let mut used: BTreeMap<(&Place, &str), usize> = BTreeMap::new();
    for right in needed {
        *used.entry((&right.place, &right.privilege)).or_default() += 1;
    }
    let mut by_privilege: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for right in own(rights, |place| matches!(place, Place::Table(..))) {
        let Place::Table(database, name) = &right.place else { continue };
        if needed.contains(right) || right.privilege == "GRANT OPTION" {
            continue;
        }
        let table: TableName = (database.clone(), name.clone());
        let facts = rights.tables.get(&table);
        let all = facts.map_or(0, |it| it.columns.len());
        let is_sensitive =
            facts.is_none_or(|it| it.columns.iter().any(|it| sensitive(it).is_some()));
        let says = match (used.get(&(&right.place, right.privilege.as_str())), &right.column) {
            (None, None) => format!("{database}.{name}: never"),
            (_, Some(column)) => format!("{database}.{name}.{column}: never"),
            (Some(some), None) if *some < all && is_sensitive => {
                format!("{database}.{name}: {some} of {all} columns")
            }
            _ => continue,
        };
        by_privilege.entry(&right.privilege).or_default().push(says);
    }
    for (privilege, details) in by_privilege {
        let means = match privilege {
            "SELECT" => "reads them",
            "INSERT" => "adds rows to them",
            "UPDATE" => "changes them",
            "DELETE" => "empties them",
            "DROP" => "drops and empties them",
            "TRIGGER" => "runs code as whoever made it, whenever somebody writes",
            _ => "alters them, or sees how they are made",
        };
        let count = match details.len() {
            1 => "a table".to_string(),
            count => format!("{count} tables"),
        };
        let what = format!("{privilege} on {count} where it is not used, or not of all columns");
        found.push(Excess { details, ..one(Kind::TablePrivilege, what, means) });
    }
}

fn routines(rights: &Rights, needed: &BTreeSet<Right>, found: &mut Vec<Excess>) {
    let is_routine = |place: &Place| {
        matches!(place, Place::Function(..) | Place::Procedure(..) | Place::Package(..))
    };
    let own = own(rights, is_routine);
    let unused: Vec<&Right> = own
        .into_iter()
        .filter(|it| !needed.contains(it) && it.privilege != "GRANT OPTION")
        .collect();
    if unused.is_empty() {
        return;
    }
    let details = grants(unused.iter().copied());
    let what = match details.as_slice() {
        [only] => only.clone(),
        many => format!("rights on {} routines", many.len()),
    };
    found.push(Excess {
        details,
        ..one(Kind::Routine, what, "calls or alters what it never calls")
    });
}

fn options(rights: &Rights, found: &mut Vec<Excess>) {
    for right in rights.own().filter(|it| it.privilege == "GRANT OPTION") {
        let what = format!("GRANT OPTION ON {}", right.place.sql());
        found.push(one(Kind::GrantOption, what, "gives its rights to others"));
    }
}

/// What acts with the account's rights whoever calls it.
fn definers(rights: &Rights, found: &mut Vec<Excess>) {
    let account = rights.account.to_string();
    let own: Vec<String> = rights
        .definers
        .iter()
        .filter(|it| it.is_definer && it.definer == account)
        .map(|it| format!("{} {}.{}", it.kind, it.database, it.name))
        .collect();
    if own.is_empty() {
        return;
    }
    let what = format!("definer of {} views, triggers, routines or events", own.len());
    let means = "they act with its rights, whoever calls them";
    found.push(Excess { details: own, ..one(Kind::Owner, what, means) });
}
