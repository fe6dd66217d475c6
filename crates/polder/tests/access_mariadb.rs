//! Accounts of MariaDB, from the first look to the safety net, on a server of the test's own.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test may panic, and looks at the machine it runs on"
)]

#[path = "../../polder-access/tests/support/mod.rs"]
mod cluster;

use cluster::maria::Maria;
use mysql::Conn;
use mysql::prelude::Queryable;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// What a thief would look for: nothing of Polder's may have it.
const CARD: &str = "4111111111111111";

const SCHEMA: &str = "
CREATE DATABASE bakery;
USE bakery;
CREATE TABLE breads(id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(30), price INT);
CREATE TABLE cards(id INT PRIMARY KEY, card_number VARCHAR(30));
CREATE TABLE seasons(name VARCHAR(30), until VARCHAR(30));
INSERT INTO breads(name, price) VALUES ('rye', 3);
INSERT INTO cards VALUES (1, '4111111111111111');
CREATE USER bakery_web@localhost IDENTIFIED BY 'crumbs';
CREATE USER bakery_web@'10.0.%' IDENTIFIED BY 'crumbs';
CREATE USER open_door@localhost;
GRANT ALL PRIVILEGES ON bakery.* TO bakery_web@localhost WITH GRANT OPTION;
GRANT FILE ON *.* TO bakery_web@localhost;
";

/// What the page sends for a word that somebody looks for, as it should never be written.
fn page(web: &mut Conn, word: &str) -> Result<Vec<String>, mysql::Error> {
    let rows: Vec<(String, u64)> =
        web.query(format!("SELECT name, price FROM breads WHERE name LIKE '%{word}%'"))?;
    Ok(rows.into_iter().map(|it| it.0).collect())
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn polder(state: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_polder"));
    command.arg("--state").arg(state).args(arguments).stdin(Stdio::null());
    // What stands around the test is not the test's.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MYSQL")) {
        command.env_remove(name);
    }
    command
}

/// Runs it; answers code, standard output and standard error.
fn run(state: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = polder(state, arguments).output().unwrap();
    let text = |it: &[u8]| String::from_utf8_lossy(it).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// The bakery, and a connection of its page.
fn bakery() -> Option<(Maria, Conn, String)> {
    let maria = Maria::start()?;
    maria.script(SCHEMA);
    let web = maria.client_with("bakery_web", Some("crumbs"), "bakery");
    let said = maria.said("root", "bakery");
    Some((maria, web, said))
}

fn grants(maria: &Maria) -> Vec<String> {
    maria.client("root", "").query("SHOW GRANTS FOR bakery_web@localhost").unwrap()
}

/// Every byte that is below a folder.
fn everything(folder: &Path, found: &mut Vec<u8>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => everything(&entry.path(), found),
            false => found.extend(std::fs::read(entry.path()).unwrap()),
        }
    }
}

#[test]
fn an_injection_is_refused_a_missed_statement_is_not_and_undo_restores_all() {
    let Some((maria, mut web, said)) = bakery() else { return };
    let state = tempfile::tempdir().unwrap();
    let state = state.path();
    let injection = "x' UNION SELECT card_number, 1 FROM cards-- ";
    assert!(
        page(&mut web, injection).unwrap().contains(&CARD.to_string()),
        "it is as weak as it should be"
    );
    drop(web);
    let mut web = maria.client_with("bakery_web", Some("crumbs"), "bakery");
    assert_eq!(page(&mut web, "rye").unwrap(), ["rye"]);
    let before = grants(&maria);

    let account = "bakery_web@localhost";
    let (code, out, err) = run(state, &["access", "audit", account, "--server", &said]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(
        out.contains("FILE: reads and writes files") && out.contains("cards.card_number"),
        "{out}"
    );
    let (_, out, err) = run(state, &["assess", "--json"]);
    assert!(out.contains("least-rights:bakery_web@localhost@bakery"), "{out}{err}");
    let (code, out, err) = run(
        state,
        &["access", "apply", account, "--server", &said, "--columns", "always", "--yes"],
    );
    assert_eq!(code, 0, "{out}{err}");
    let (_, out, _) = run(state, &["look", "database-accounts", "--json"]);
    assert!(out.contains("bakery_web@localhost"), "{out}");

    let watch = polder(state, &["access", "watch", account, "--server", &said, "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut watch = Running(watch.unwrap());
    let mut begun = BufReader::new(watch.0.stderr.take().unwrap());
    let mut line = String::new();
    begun.read_line(&mut line).unwrap();
    assert!(line.starts_with("Watching"), "{line}");
    let mut told = BufReader::new(watch.0.stdout.take().unwrap());
    let mut next = || {
        let mut line = String::new();
        told.read_line(&mut line).unwrap();
        assert!(!line.contains(CARD), "{line}");
        serde_json::from_str::<Value>(&line).unwrap()
    };
    // Rights on the whole server go with the connection.
    let mut web = maria.client_with("bakery_web", Some("crumbs"), "bakery");
    let refused = page(&mut web, injection).unwrap_err().to_string();
    assert!(refused.contains("1142"), "{refused}");
    let event = next();
    assert_eq!(event["given_back"], serde_json::json!([]), "{event}");
    assert!(event["left"].to_string().contains("card_number"), "{event}");
    assert_eq!(page(&mut web, "rye").unwrap(), ["rye"]);

    // Once a year somebody looks at the seasons.
    let yearly = format!("SELECT until FROM seasons WHERE name = '{CARD}'");
    assert!(web.query_drop(&yearly).unwrap_err().to_string().contains("1142"));
    let event = next();
    let given = event["given_back"].to_string();
    assert!(given.contains("SELECT (`name`)") && given.contains("SELECT (`until`)"), "{event}");
    web.query_drop(&yearly).unwrap();
    drop(watch);

    for _ in 0..2 {
        let (code, out, err) = run(state, &["undo"]);
        assert_eq!(code, 0, "{out}{err}");
    }
    assert_eq!(grants(&maria), before);
    let mut web = maria.client_with("bakery_web", Some("crumbs"), "bakery");
    assert!(page(&mut web, injection).unwrap().contains(&CARD.to_string()), "all is as it was");
    let mut bytes = Vec::new();
    everything(state, &mut bytes);
    assert!(!bytes.windows(CARD.len()).any(|it| it == CARD.as_bytes()));
}

#[test]
fn no_literal_is_kept_or_shown() {
    let Some((_maria, mut web, said)) = bakery() else { return };
    let state = tempfile::tempdir().unwrap();
    for number in 0..1000 {
        let statement = match number % 4 {
            0 => format!("SELECT name AS a{number} FROM breads WHERE name = '{CARD}'"),
            1 => format!("SET @a{number} = '{CARD}'"),
            2 => format!(
                "SELECT id AS b{number} FROM breads WHERE price = {CARD} OR name = \"{CARD}\""
            ),
            _ => format!("/* {CARD} */ SELECT {number} AS c{number}, {CARD}, 0x{CARD}, '{CARD}'"),
        };
        web.query_drop(&statement).unwrap();
    }
    let file = state.path().join("input.sql");
    std::fs::write(&file, format!("SELECT price FROM breads WHERE name = '{CARD}';")).unwrap();
    let input = file.to_str().unwrap();
    let mut all = String::new();
    for arguments in [
        &["access", "audit", "bakery_web@localhost", "--all"][..],
        &["access", "audit", "bakery_web@localhost", "--json"],
        &["access", "learn", "bakery_web@localhost", "--all", "--statements", input],
        &["access", "learn", "bakery_web@localhost", "--json"],
        &["access", "propose", "bakery_web@localhost", "--json"],
        &["access", "prove", "bakery_web@localhost", "--statements", input],
        &["access", "apply", "bakery_web@localhost", "--yes"],
    ] {
        let mut arguments = arguments.to_vec();
        arguments.extend(["--server", &said]);
        let (code, out, err) = run(state.path(), &arguments);
        assert_eq!(code, 0, "{arguments:?} {out}{err}");
        all.push_str(&out);
        all.push_str(&err);
    }
    std::fs::remove_file(&file).unwrap();
    assert!(all.contains("breads"));
    assert!(!all.contains(CARD));
    let mut bytes = Vec::new();
    everything(state.path(), &mut bytes);
    assert!(!bytes.is_empty() && !bytes.windows(CARD.len()).any(|it| it == CARD.as_bytes()));
}

#[test]
fn what_cannot_be_done_is_said_and_changes_nothing() {
    let Some((mut maria, _web, said)) = bakery() else { return };
    let state = tempfile::tempdir().unwrap();
    let state = state.path();
    let check = |arguments: &[&str], code: i32, words: &str| {
        let (found, out, err) = run(state, arguments);
        assert!(found == code && format!("{out}{err}").contains(words), "{found} {out}{err}");
    };
    let before = grants(&maria);
    check(
        &["access", "audit", "x", "--server", "mariadb://x@localhost?socket=/nowhere"],
        3,
        "cannot connect",
    );
    check(&["access", "audit", "nobody'; DROP", "--server", &said], 2, "there is no account");
    check(&["access", "audit", "bakery_web", "--server", &said], 2, "`bakery_web@10.0.%`");
    let wrong = said.replace("root@", "bakery_web:no@");
    check(&["access", "audit", "bakery_web", "--server", &wrong], 3, "does not let");
    check(&["access", "prove", "open_door", "--server", &said], 3, "no statement of");
    check(&["access", "audit", "open_door", "--server", &said], 0, "logs in without a password");
    check(
        &["access", "audit", "--server", &said],
        0,
        "open_door@localhost: logs in without a password",
    );
    check(&["access", "watch", "open_door", "--server", &said], 2, "nothing was taken");
    // Whoever may not make accounts, or see them, is told so.
    let web = said.replace("root@", "bakery_web:crumbs@");
    check(
        &["access", "propose", "bakery_web@localhost", "--server", &web],
        3,
        "may not see or change",
    );
    // Whoever may look and no more sees what the account may do.
    maria.script("CREATE USER auditor@localhost IDENTIFIED BY 'crumbs'; GRANT SELECT ON mysql.* TO auditor@localhost");
    let auditor = said.replace("root@", "auditor:crumbs@");
    check(
        &["access", "audit", "bakery_web@localhost", "--server", &auditor],
        3,
        "What it needs is not known",
    );
    // A statement that is not SQL keeps what it names, and is said.
    let file = state.join("odd.sql");
    std::fs::write(&file, "SELEC name FROM breads; INSERT INTO seasons (name) VALUES (1) (2)")
        .unwrap();
    check(
        &[
            "access",
            "learn",
            "bakery_web@localhost",
            "--server",
            &said,
            "--only-statements",
            "--statements",
            file.to_str().unwrap(),
        ],
        3,
        "Cannot be told",
    );
    assert_eq!(grants(&maria), before);
    let left: Option<u64> = maria
        .client("root", "")
        .query_first("SELECT COUNT(*) FROM mysql.user WHERE User LIKE 'polder%'")
        .unwrap();
    assert_eq!(left, Some(0));
    maria.kill();
    check(&["access", "audit", "bakery_web", "--server", &said], 3, "cannot connect");
}
