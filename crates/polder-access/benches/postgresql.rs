//! How long the server takes to say what statements need, and what an account may do.
#![allow(
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and may panic"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use polder_access::postgresql::{Rights, act, excess, learn, propose, prove};
use polder_access::{Columns, Necessity, Sources};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Instant;
use support::{Cluster, shared};

/// Runs something, prints how long it took, and hands its answer on.
fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let answer = work();
    println!("{what:<64} {:>9.1} ms", start.elapsed().as_secs_f64() * 1000.0);
    answer
}

/// Seconds of processor that the server spent on a connection.
fn load(cluster: &Cluster) -> f64 {
    let pid = std::fs::read_to_string(cluster.folder().join("data/postmaster.pid")).unwrap();
    let parent = pid.lines().next().unwrap().to_string();
    let mut ticks = 0_u64;
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        if fields.get(1) == Some(&parent.as_str()) {
            ticks += fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        }
    }
    ticks as f64 / 100.0
}

fn shop(cluster: &Cluster) {
    let Some(folder) = shared("access-shop") else { return };
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    cluster.script(&read("schema.sql"));
    cluster
        .client("shop", "postgres")
        .batch_execute("CREATE EXTENSION pg_stat_statements")
        .unwrap();
    let mut web = cluster.client("shop", "shop_web");
    for line in read("workload.sql").lines().filter(|it| !it.starts_with("--") && !it.is_empty()) {
        web.batch_execute(line).unwrap();
    }
    let mut session = cluster.session("shop");
    let rights = Rights::read(&mut session, "shop_web").unwrap();
    let learned = timed("the shop: needs of its statements", || {
        learn(&mut session, &rights, &Sources::default()).unwrap()
    });
    println!("  {} statements, {} rights", learned.statements.len(), learned.needed.len());
    println!("  {} kinds of excess or more", {
        let mut kinds: Vec<_> = excess(&rights, Some(&learned)).iter().map(|it| it.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds.len()
    });
    let proposal = propose(&rights, &learned, Columns::Always);
    timed("the shop: proof", || prove(&mut session, &learned, &proposal).unwrap());
}

/// What a proposal from the log of pgaudit would be: a privilege on a table for each line of it that names one.
fn pgaudit() {
    let Some(folder) = shared("access-shop") else { return };
    if !Cluster::has_library("pgaudit.so") {
        return support::skipped("`postgresql-15-pgaudit` is not installed");
    }
    let settings = "shared_preload_libraries = 'pg_stat_statements,pgaudit'\npgaudit.log = 'read, write, function'\n\
        pgaudit.log_relation = on\npgaudit.log_catalog = off\nlog_line_prefix = '%u '\n";
    let Some(cluster) = Cluster::start_with(settings) else { return };
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    cluster.script(&read("schema.sql"));
    let mut web = cluster.client("shop", "shop_web");
    for line in read("workload.sql").lines().filter(|it| !it.starts_with("--") && !it.is_empty()) {
        web.batch_execute(line).unwrap();
    }
    let log = std::fs::read_to_string(cluster.log_path()).unwrap();
    let mut found: BTreeSet<(String, String)> = BTreeSet::new();
    for line in log.lines().filter(|it| it.starts_with("shop_web ")) {
        let Some((_, audit)) = line.split_once("AUDIT: SESSION,") else { continue };
        let fields: Vec<&str> = audit.split(',').collect();
        let is_relation = matches!(fields[4], "TABLE" | "VIEW");
        if is_relation && matches!(fields[3], "SELECT" | "INSERT" | "UPDATE" | "DELETE") {
            found.insert((fields[3].into(), fields[5].into()));
        }
    }
    let expected: serde_json::Value = serde_json::from_str(&read("expected.json")).unwrap();
    let mut needed: BTreeSet<(String, String)> = BTreeSet::new();
    for grant in expected["minimal_column_level"].as_array().unwrap() {
        let Some((privilege, table)) = grant.as_str().unwrap().split_once(" ON TABLE ") else {
            continue;
        };
        needed.insert((privilege.split(' ').next().unwrap().into(), table.into()));
    }
    let extra: Vec<String> =
        found.difference(&needed).map(|(a, b)| format!("{a} on {b}")).collect();
    let missing: Vec<String> =
        needed.difference(&found).map(|(a, b)| format!("{a} on {b}")).collect();
    println!(
        "the same from the log of pgaudit: {} of {} privileges on tables, no columns; too much: {}; missing: {}; card numbers in its log: {}",
        needed.intersection(&found).count(),
        needed.len(),
        if extra.is_empty() { "none".into() } else { extra.join(", ") },
        if missing.is_empty() { "none".into() } else { missing.join(", ") },
        log.matches("4111111111111111").count(),
    );
}

/// A database with many tables, and an account with rights on all of them.
fn many_tables(cluster: &Cluster, tables: usize) {
    cluster.script("CREATE ROLE wide_owner NOLOGIN; CREATE ROLE wide LOGIN; CREATE DATABASE wide OWNER wide_owner");
    let mut client = cluster.client("wide", "postgres");
    client.batch_execute("CREATE EXTENSION pg_stat_statements; SET ROLE wide_owner").ok();
    client.batch_execute("CREATE SCHEMA w AUTHORIZATION wide_owner").ok();
    for part in 0..tables / 500 {
        let mut sql = String::new();
        for number in 0..500 {
            let name = part * 500 + number;
            let _ = write!(
                sql,
                "CREATE TABLE w.t{name}(id int PRIMARY KEY, a text, b text, email text, at date);"
            );
        }
        client.batch_execute(&sql).unwrap();
    }
    client.batch_execute("GRANT USAGE ON SCHEMA w TO wide; GRANT ALL ON ALL TABLES IN SCHEMA w TO wide; ANALYZE pg_catalog.pg_class").ok();
    let mut session = cluster.session("wide");
    let rights = timed(&format!("effective rights on {tables} tables"), || {
        Rights::read(&mut session, "wide").unwrap()
    });
    println!("  {} rights", rights.grants.len());
}

/// Many kinds of statements.
fn many_statements(cluster: &Cluster, count: usize) {
    cluster.client("wide", "postgres").batch_execute("SELECT pg_stat_statements_reset()").unwrap();
    let mut client = cluster.client("wide", "wide");
    let mut sql = String::new();
    for number in 0..count {
        // Ten kinds for each table: the server counts what differs in more than names.
        let table = number / 10 % 10_000;
        let other = (table + 1) % 10_000;
        let _ = match number % 10 {
            0 => write!(
                sql,
                "SELECT id, a FROM w.t{table} WHERE at > now() - interval '1 day' AND b = 'q';"
            ),
            1 => write!(sql, "INSERT INTO w.t{table}(id, a) SELECT 1, 'y' WHERE false;"),
            2 => write!(sql, "UPDATE w.t{table} SET b = 'c' WHERE id = 7;"),
            3 => write!(
                sql,
                "SELECT p.id FROM w.t{table} p JOIN w.t{other} q ON q.id = p.id WHERE q.a LIKE 'k%';"
            ),
            4 => write!(sql, "SELECT count(*) FROM w.t{table};"),
            5 => write!(sql, "DELETE FROM w.t{table} WHERE email = 'x';"),
            6 => write!(sql, "SELECT max(at) FROM w.t{table} GROUP BY b;"),
            7 => write!(sql, "SELECT 1 FROM w.t{table} WHERE id IN (1, 2) FOR UPDATE;"),
            8 => write!(sql, "SELECT a || b FROM w.t{table} ORDER BY id LIMIT 5;"),
            _ => {
                write!(sql, "WITH x AS (SELECT id FROM w.t{table}) SELECT id FROM x WHERE id > 3;")
            }
        };
        if number % 1000 == 999 {
            client.batch_execute(&std::mem::take(&mut sql)).unwrap();
        }
    }
    client.batch_execute(&sql).unwrap();
    let mut session = cluster.session("wide");
    let rights = Rights::read(&mut session, "wide").unwrap();
    let before = load(cluster);
    let start = Instant::now();
    let learned = timed(&format!("needs of {count} kinds of statements"), || {
        learn(&mut session, &rights, &Sources::default()).unwrap()
    });
    let proposal = timed("proposal", || propose(&rights, &learned, Columns::Sensitive));
    let proof = timed("proof", || prove(&mut session, &learned, &proposal).unwrap());
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "  {} statements, {} cannot be told; proof holds: {}, {} rights refused without, of {}; {seconds:.1} s in all, {:.1} s of the server's processor",
        learned.statements.len(),
        learned.unproved().count(),
        proof.holds(),
        proof.count(Necessity::Refused),
        proof.necessity.len(),
        load(cluster) - before,
    );
    if count <= 1000 {
        timed("rights changed, and changed back", || {
            act(&mut session, &proposal.before, &proposal.after).unwrap();
            act(&mut session, &proposal.after, &proposal.before).unwrap();
        });
    }
}

fn main() {
    let Some(cluster) = Cluster::start() else { return };
    shop(&cluster);
    pgaudit();
    many_tables(&cluster, 10_000);
    many_statements(&cluster, 1000);
    many_statements(&cluster, 100_000);
}
