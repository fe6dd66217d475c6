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

use polder_access::postgresql::{Rights, Session, act, excess, learn, propose, prove};
use polder_access::{Columns, Kind, Necessity, Privilege, Sources};
use std::collections::BTreeSet;
use support::{Cluster, refused, shared};

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
    cluster
        .client("shop", "postgres")
        .batch_execute("CREATE EXTENSION pg_stat_statements")
        .unwrap();
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

/// All rights of the server.
fn dump(session: &mut Session) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for sql in [
        "SELECT relname || ARRAY(SELECT unnest(relacl)::text ORDER BY 1)::text FROM pg_class ORDER BY oid",
        "SELECT attname || ARRAY(SELECT unnest(attacl)::text ORDER BY 1)::text FROM pg_attribute WHERE attacl <> '{}' ORDER BY 1",
        "SELECT proname || ARRAY(SELECT unnest(proacl)::text ORDER BY 1)::text FROM pg_proc ORDER BY oid",
        "SELECT nspname || ARRAY(SELECT unnest(nspacl)::text ORDER BY 1)::text FROM pg_namespace ORDER BY oid",
        "SELECT datname || ARRAY(SELECT unnest(datacl)::text ORDER BY 1)::text FROM pg_database ORDER BY oid",
        "SELECT ARRAY(SELECT unnest(defaclacl)::text ORDER BY 1)::text FROM pg_default_acl ORDER BY oid",
        "SELECT concat(rolname, rolcreatedb, rolcreaterole) FROM pg_roles ORDER BY 1",
        "SELECT concat(roleid, ' ', member, ' ', admin_option, grantor) FROM pg_auth_members ORDER BY 1",
    ] {
        all.extend(
            session.rows(sql, &[], "rights").unwrap().iter().map(|it| it.get::<_, String>(0)),
        );
    }
    all
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

#[test]
fn all_kinds_of_excess_are_found() {
    let Some((cluster, expected, _)) = shop() else { return };
    let mut session = cluster.session("shop");
    let rights = Rights::read(&mut session, "shop_web").unwrap();
    let learned = learn(&mut session, &rights, &Sources::default()).unwrap();
    let found = excess(&rights, Some(&learned));
    let has = |kind: Kind, words: &[&str]| {
        found.iter().any(|it| it.kind == kind && words.iter().all(|word| it.what.contains(word)))
    };
    assert_eq!(expected["excess_to_find"].as_array().unwrap().len(), 13);
    let kinds: [(Kind, &[&str]); 14] = [
        (Kind::Attribute, &["CREATEDB"]),
        (Kind::Attribute, &["CREATEROLE"]),
        (Kind::HostAccess, &["pg_execute_server_program"]),
        (Kind::AllData, &["pg_read_all_data"]),
        (Kind::OwnerByMembership, &["shop_owner"]),
        (Kind::Membership, &["shop_ops"]),
        (Kind::Database, &["CREATE", "TEMPORARY"]),
        (Kind::SchemaCreate, &["shop", "reporting"]),
        (Kind::PublicSchemaCreate, &["public"]),
        (Kind::PublicTable, &["SELECT", "UPDATE", "shop.admin_users"]),
        (Kind::Future, &["SELECT", "TRUNCATE", "shop"]),
        (Kind::PublicDefiner, &["shop.purge_customer", "not pinned"]),
        (Kind::TablePrivilege, &["TRUNCATE"]),
        (Kind::TablePrivilege, &["DELETE"]),
    ];
    for (kind, words) in kinds {
        assert!(has(kind, words), "{kind:?} {words:?} in {found:#?}");
    }
}

#[test]
fn the_workload_passes_with_the_least_rights_and_fails_without_any_of_them() {
    let Some((cluster, _, workload)) = shop() else { return };
    let mut session = cluster.session("shop");
    let rights = Rights::read(&mut session, "shop_web").unwrap();
    let learned = learn(&mut session, &rights, &Sources::default()).unwrap();
    for columns in [Columns::Always, Columns::Sensitive, Columns::Never] {
        let proposal = propose(&rights, &learned, columns);
        let proof = prove(&mut session, &learned, &proposal).unwrap();
        assert!(proof.holds(), "{:#?}", proof.refused);
        assert_eq!(proof.count(Necessity::NotShown), 0, "{:#?}", proof.necessity);
        assert_eq!(proof.necessity.len(), 46);
        // The two columns that a trigger writes, and who connects.
        assert_eq!(proof.count(Necessity::Refused), 43, "{:#?}", proof.necessity);
        assert_eq!((proof.passed, proof.by_rule), (15, 2), "{proof:#?}");
        assert_eq!(Rights::read(&mut session, "shop_web").unwrap().grants, rights.grants);
    }
    let proposal = propose(&rights, &learned, Columns::Always);
    let before = dump(&mut session);
    act(&mut session, &proposal.before, &proposal.after).unwrap();
    // Once done it is not done again, and what is as it should be stays.
    assert!(act(&mut session, &proposal.before, &proposal.after).is_err());
    {
        assert_eq!(refused(&cluster, "shop", "shop_web", &workload), [""; 0]);
        let mut web = cluster.client("shop", "shop_web");
        for statement in [
            "SELECT card_number FROM shop.payments",
            "SELECT * FROM shop.admin_users",
            "SELECT phone FROM shop.customers",
            "SELECT shop.purge_customer(1)",
            "COPY (SELECT 1) TO PROGRAM 'true'",
            "SET ROLE shop_owner",
            "CREATE TABLE public.x (a int)",
            "SELECT * FROM reporting.orders",
        ] {
            let error = web.batch_execute(statement).unwrap_err();
            assert_eq!(error.code().unwrap().code(), "42501", "{statement}: {error}");
        }
    }
    let later = Rights::read(&mut session, "shop_web").unwrap();
    assert!(propose(&later, &learned, Columns::Always).is_done());
    for atom in learned.atoms() {
        // Nobody can be connected without it.
        if atom.privilege == Privilege::Connect {
            continue;
        }
        session.batch(&format!("REVOKE {atom} FROM shop_web"), "a right").unwrap();
        assert_ne!(
            refused(&cluster, "shop", "shop_web", &workload),
            [""; 0],
            "{atom} is not needed"
        );
        session.batch(&format!("GRANT {atom} TO shop_web"), "a right").unwrap();
    }
    act(&mut session, &proposal.after, &proposal.before).unwrap();
    for (now, then) in dump(&mut session).iter().zip(&before) {
        assert_eq!(now, then);
    }
}
