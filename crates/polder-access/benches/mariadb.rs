//! How long it takes to know what an account of MariaDB needs, beside what MySQLTuner says of it: `cargo xtask bench access`.
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

use mysql::prelude::Queryable;
use polder_access::mariadb::{Rights, act, excess, learn, propose, prove, reach};
use polder_access::{Columns, Necessity, Sources};
use std::collections::BTreeSet;
use std::process::Command;
use std::time::Instant;
use support::maria::Maria;

/// Runs something, prints how long it took, and hands its answer on.
fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let answer = work();
    println!("{what:<64} {:>9.1} ms", start.elapsed().as_secs_f64() * 1000.0);
    answer
}

const SHOP: &str = "
CREATE DATABASE shop; USE shop;
CREATE TABLE users(id INT PRIMARY KEY AUTO_INCREMENT, email VARCHAR(40), password_hash VARCHAR(60), seen DATETIME);
CREATE TABLE products(id INT PRIMARY KEY, name VARCHAR(30), price INT, stock INT);
CREATE TABLE orders(id INT PRIMARY KEY AUTO_INCREMENT, user INT, state VARCHAR(10), total INT);
CREATE TABLE items(orders INT, product INT, amount INT);
CREATE TABLE cards(id INT PRIMARY KEY, user INT, card_number VARCHAR(20));
CREATE TABLE visits(page VARCHAR(40) PRIMARY KEY, n INT);
CREATE VIEW cheap AS SELECT id, name FROM products WHERE price < 10;
CREATE USER web@'%'; CREATE ROLE clerk; GRANT DELETE ON shop.* TO clerk;
GRANT ALL ON shop.* TO web@'%' WITH GRANT OPTION; GRANT FILE, PROCESS, SUPER ON *.* TO web@'%'; GRANT clerk TO web@'%';
";

const WORKLOAD: [&str; 18] = [
    "SELECT id, password_hash FROM users WHERE email = 'a@x'",
    "UPDATE users SET seen = NOW() WHERE id = 1",
    "INSERT INTO users(email, password_hash) VALUES ('a', 'b')",
    "SELECT name, price FROM products WHERE name LIKE '%a%' LIMIT 10",
    "SELECT stock FROM products WHERE id = 3 FOR UPDATE",
    "UPDATE products SET stock = stock - 1 WHERE id = 3",
    "INSERT INTO orders(user, state) VALUES (1, 'new')",
    "INSERT INTO items SELECT 1, id, 2 FROM products WHERE id IN (1, 2)",
    "UPDATE orders o JOIN items l ON l.orders = o.id JOIN products p ON p.id = l.product SET o.total = l.amount * p.price",
    "SELECT o.id, SUM(l.amount) FROM orders o LEFT JOIN items l ON l.orders = o.id GROUP BY o.id HAVING SUM(l.amount) > 1",
    "DELETE FROM items WHERE orders = 7 AND product = 8",
    "INSERT INTO visits(page, n) VALUES ('x', 1) ON DUPLICATE KEY UPDATE n = n + 1",
    "SELECT COUNT(*) FROM orders WHERE state = 'new'",
    "SELECT name FROM cheap",
    "WITH t AS (SELECT user, SUM(total) s FROM orders GROUP BY user) SELECT u.email FROM users u JOIN t ON t.user = u.id WHERE t.s > 5",
    "SELECT id FROM orders WHERE user = 1 UNION SELECT orders FROM items WHERE product = 3",
    "UPDATE orders SET state = 'paid' WHERE id = 4",
    "SELECT EXISTS(SELECT 1 FROM orders WHERE user = 2 AND state = 'open')",
];

fn shop(maria: &Maria) {
    maria.script(SHOP);
    let mut web = maria.client("web", "shop");
    for statement in WORKLOAD {
        web.query_drop(statement).unwrap();
    }
    let mut session = maria.session("shop");
    let mut rights = Rights::read(&mut session, "web").unwrap();
    let learned = timed("a shop: needs of its 18 statements, each right left out once", || {
        learn(&mut session, &mut rights, &Sources::default()).unwrap()
    });
    println!(
        "  {} statements, {} rights, {} cannot be told",
        learned.statements.len(),
        learned.needed.len(),
        learned.unproved().count()
    );
    let proposal = propose(&rights, &learned, Columns::Always);
    let proof = timed("a shop: proof", || prove(&mut session, &learned, &proposal).unwrap());
    println!(
        "  holds: {}, {} rights refused without",
        proof.holds(),
        proof.count(Necessity::Refused)
    );
    let found = excess(&rights, Some(&learned));
    let kinds: BTreeSet<_> = found.iter().map(|it| it.kind).collect();
    println!("  {} kinds of excess of this account, in {} lines", kinds.len(), found.len());
    mysqltuner(maria);
}

/// What the usual adviser says of accounts.
fn mysqltuner(maria: &Maria) {
    let options = maria.folder().join("my.cnf");
    let text = format!("[client]\nuser=root\nsocket={}\n", maria.socket().display());
    std::fs::write(&options, text).unwrap();
    let start = Instant::now();
    let output = Command::new("mysqltuner")
        .args(["--nocolor", "--noinfo", "--nogood", "--skipsize"])
        .args(["--defaults-file", options.to_str().unwrap()])
        .output();
    let Ok(output) = output else { return support::skipped("`mysqltuner` is not installed") };
    println!(
        "{:<64} {:>9.1} ms",
        "MySQLTuner on the same server",
        start.elapsed().as_secs_f64() * 1000.0
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|it| it.contains("User '")).collect();
    let of_web = lines.iter().filter(|it| it.contains("web")).count();
    println!(
        "  {} lines about accounts, {of_web} of them about this one, none about what it may do and does not need",
        lines.len()
    );
    for line in lines.iter().filter(|it| it.contains("web")) {
        println!("    {line}");
    }
}

fn many_tables(maria: &Maria, tables: usize) {
    maria.script("CREATE DATABASE wide; CREATE USER wide@localhost");
    let mut root = maria.client("root", "wide");
    for number in 0..tables {
        root.query_drop(format!("CREATE TABLE t{number}(id INT PRIMARY KEY, a TEXT, b VARCHAR(20), email VARCHAR(20), at DATE)")).unwrap();
        root.query_drop(format!("GRANT ALL ON wide.t{number} TO wide@localhost")).unwrap();
    }
    let mut session = maria.session("wide");
    for turn in ["first", "second"] {
        let rights = timed(&format!("effective rights on {tables} tables, {turn} time"), || {
            Rights::read(&mut session, "wide").unwrap()
        });
        timed("  what can be done with them", || reach(&rights));
        println!("  {} rights", rights.held.len());
    }
}

fn many_statements(maria: &Maria, count: usize) {
    let mut client = maria.client("wide", "wide");
    for number in 0..count {
        let (table, other) = (number / 10, number / 10 + 1);
        client
            .query_drop(match number % 10 {
                0 => format!(
                    "SELECT id, a FROM t{table} WHERE at > NOW() - INTERVAL 1 DAY AND b = 'q'"
                ),
                1 => format!("INSERT INTO t{table}(id, a) SELECT 1, 'y' FROM t{other} WHERE 1 = 0"),
                2 => format!("UPDATE t{table} SET b = 'c' WHERE id = 7"),
                3 => format!(
                    "SELECT p.id FROM t{table} p JOIN t{other} q ON q.id = p.id WHERE q.a LIKE 'k%'"
                ),
                4 => format!("SELECT COUNT(*) FROM t{table}"),
                5 => format!("DELETE FROM t{table} WHERE email = 'x'"),
                6 => format!("SELECT MAX(at) FROM t{table} GROUP BY b"),
                7 => format!("SELECT 1 FROM t{table} WHERE id IN (1, 2) FOR UPDATE"),
                8 => format!("SELECT CONCAT(a, b) FROM t{table} ORDER BY id LIMIT 5"),
                _ => format!("WITH x AS (SELECT id FROM t{table}) SELECT id FROM x WHERE id > 3"),
            })
            .unwrap();
    }
    let mut session = maria.session("wide");
    let mut rights = Rights::read(&mut session, "wide").unwrap();
    let (start, before) = (Instant::now(), maria.load());
    let learned = timed(&format!("needs of {count} kinds of statements"), || {
        learn(&mut session, &mut rights, &Sources::default()).unwrap()
    });
    let proposal = timed("proposal", || propose(&rights, &learned, Columns::Sensitive));
    let proof = timed("proof", || prove(&mut session, &learned, &proposal).unwrap());
    println!(
        "  {} statements, {} cannot be told; proof holds: {}, {} rights refused without, of {}; {:.1} s in all, {:.1} s of the server's processor",
        learned.statements.len(),
        learned.unproved().count(),
        proof.holds(),
        proof.count(Necessity::Refused),
        proof.necessity.len(),
        start.elapsed().as_secs_f64(),
        maria.load() - before,
    );
    timed("rights on all tables changed, and changed back", || {
        act(&mut session, &proposal.before, &proposal.after).unwrap();
        act(&mut session, &proposal.after, &proposal.before).unwrap();
    });
}

fn main() {
    let Some(maria) = Maria::start() else { return };
    shop(&maria);
    many_tables(&maria, 10_000);
    many_statements(&maria, 1000);
}
