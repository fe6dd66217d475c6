//! The shop whose web account was given far too much: what it needs is known exactly, and the server agrees.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test may panic, and looks at the machine it runs on"
)]

mod support;

use polder_access::postgresql::{Rights, Sources, learn};
use std::collections::BTreeSet;
use support::{Cluster, shared};

/// One privilege on one column, in words.
fn atoms_of(expected: &serde_json::Value) -> BTreeSet<String> {
    let mut atoms = BTreeSet::new();
    for grant in expected["minimal_column_level"].as_array().unwrap() {
        let grant = grant.as_str().unwrap();
        match grant.split_once(" (").filter(|_| grant.contains(") ON TABLE")) {
            Some((privilege, rest)) => {
                let (columns, on) = rest.split_once(") ").unwrap();
                atoms.extend(columns.split(", ").map(|it| format!("{privilege} ({it}) {on}")));
            }
            None => drop(atoms.insert(grant.to_string())),
        }
    }
    atoms
}

/// The shop, after its application did all that it does.
fn shop() -> Option<(Cluster, serde_json::Value, Vec<String>)> {
    let folder = shared("access-shop")?;
    let cluster = Cluster::start()?;
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    cluster.script(&read("schema.sql"));
    cluster.client("shop", "postgres").batch_execute("CREATE EXTENSION pg_stat_statements").unwrap();
    let workload: Vec<String> = read("workload.sql")
        .lines()
        .filter(|it| !it.starts_with("--") && !it.trim().is_empty())
        .map(|it| it.trim().trim_end_matches(';').to_string())
        .collect();
    let mut web = cluster.client("shop", "shop_web");
    for statement in &workload {
        web.batch_execute(statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    let expected = serde_json::from_str(&read("expected.json")).unwrap();
    Some((cluster, expected, workload))
}

#[test]
fn the_rights_that_the_shop_needs_are_known_exactly() {
    let Some((cluster, expected, _)) = shop() else { return };
    let mut session = cluster.session("shop");
    let rights = Rights::read(&mut session, "shop_web").unwrap();
    let learned = learn(&mut session, &rights, &Sources::default()).unwrap();
    let found: BTreeSet<String> = learned.atoms().iter().map(ToString::to_string).collect();
    let unproved: Vec<_> = learned.unproved().collect();
    assert!(unproved.is_empty(), "{unproved:#?}");
    assert_eq!(found, atoms_of(&expected));
    assert_eq!(found.len(), 46);
}
