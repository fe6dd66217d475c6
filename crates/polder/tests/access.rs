//! Accounts of databases, from the first look to the safety net, on a server of the test's own.
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

use cluster::Cluster;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// What a thief would look for: nothing of Polder's may have it.
const CARD: &str = "4111111111111111";

const SCHEMA: &str = "
CREATE ROLE bakery_owner NOLOGIN;
CREATE ROLE bakery_web LOGIN PASSWORD 'crumbs' CREATEDB;
CREATE ROLE reporter LOGIN;
CREATE DATABASE bakery OWNER bakery_owner;
\\connect bakery
CREATE EXTENSION pg_stat_statements;
SET ROLE bakery_owner;
CREATE TABLE breads(id serial PRIMARY KEY, name text, price int);
CREATE TABLE cards(id serial PRIMARY KEY, card_number text);
CREATE TABLE seasons(name text, until text);
INSERT INTO breads(name, price) VALUES ('rye', 3);
INSERT INTO cards(card_number) VALUES ('4111111111111111');
GRANT ALL ON ALL TABLES IN SCHEMA public TO bakery_web;
GRANT SELECT ON seasons TO PUBLIC;
RESET ROLE;
GRANT bakery_owner, pg_execute_server_program TO bakery_web;
";

/// A page that looks for breads, as it should never be written.
const PAGE: &str = r#"
import http.server, subprocess, sys, urllib.parse
said = sys.argv[1]
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)
        sql = "SELECT name, price FROM breads WHERE name LIKE '%" + query.get("q", [""])[0] + "%'"
        done = subprocess.run(["psql", "-At", said, "-c", sql], capture_output=True)
        self.send_response(200 if done.returncode == 0 else 500)
        self.end_headers()
        self.wfile.write(done.stdout + done.stderr)
    def log_message(self, *arguments):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Page)
print(server.server_port, flush=True)
server.serve_forever()
"#;

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
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PG")) {
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

/// The bakery, after a day.
fn bakery() -> Option<(Cluster, String)> {
    let cluster = Cluster::start()?;
    cluster.script(SCHEMA);
    let mut web = cluster.client("bakery", "bakery_web");
    for statement in ["SELECT name, price FROM breads WHERE name LIKE '%rye%'", "SELECT 1"] {
        web.batch_execute(statement).unwrap();
    }
    let said = cluster.target("bakery", "postgres").said();
    Some((cluster, said))
}

/// What a page answers.
fn page(port: u16, question: &str) -> (bool, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET /?q={question} HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    (text.contains(" 200 "), text)
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

/// Starts the page.
fn serve(cluster: &Cluster) -> Option<(Running, u16)> {
    let web = cluster.target("bakery", "bakery_web").said();
    let server = Command::new("python3")
        .args(["-c", PAGE, &web])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(server) = server else {
        cluster::skipped("`python3` is not installed");
        return None;
    };
    let mut server = Running(server);
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    Some((server, line.trim().parse().unwrap()))
}

/// Starts the safety net; answers when it has begun, and hands its events on.
fn watching(state: &Path, said: &str) -> (Running, BufReader<ChildStdout>) {
    let watch = polder(state, &["access", "watch", "bakery_web", "--server", said, "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut watch = Running(watch.unwrap());
    let mut begun = BufReader::new(watch.0.stderr.take().unwrap());
    begun.read_line(&mut String::new()).unwrap();
    let told = BufReader::new(watch.0.stdout.take().unwrap());
    (watch, told)
}

#[test]
fn an_injection_is_refused_a_missed_statement_is_not_and_undo_restores_all() {
    let Some((cluster, said)) = bakery() else { return };
    let state = tempfile::tempdir().unwrap();
    let state = state.path();
    let Some((_server, port)) = serve(&cluster) else { return };
    let injection = "x%25'%20UNION%20SELECT%20card_number,%201%20FROM%20cards--";
    assert!(page(port, injection).1.contains(CARD), "the page is as weak as it should be");

    let acl = "SELECT string_agg(relname || coalesce(relacl::text, ''), ';' ORDER BY relname) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
    let mut client = cluster.client("bakery", "postgres");
    client.batch_execute("SELECT pg_stat_statements_reset()").unwrap();
    assert!(page(port, "rye").1.contains("rye|3"));
    let before: String = client.query_one(acl, &[]).unwrap().get(0);
    let (code, out, err) = run(state, &["access", "audit", "bakery_web", "--server", &said]);
    assert_eq!(code, 0, "{out}{err}");
    let (_, out, err) = run(state, &["assess", "--json"]);
    assert!(out.contains("least-rights:bakery_web@bakery"), "{out}{err}");
    let (code, out, err) = run(
        state,
        &["access", "apply", "bakery_web", "--server", &said, "--columns", "always", "--yes"],
    );
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("pg_execute_server_program"), "{out}");

    let (_, out, _) = run(state, &["look", "database-accounts", "--json"]);
    assert!(out.contains("bakery_web"), "{out}");

    let (watch, mut told) = watching(state, &said);
    let mut next = || {
        let mut line = String::new();
        told.read_line(&mut line).unwrap();
        assert!(!line.contains(CARD), "{line}");
        serde_json::from_str::<Value>(&line).unwrap()
    };
    let (is_ok, text) = page(port, injection);
    assert!(!is_ok && text.contains("permission denied") && !text.contains(CARD), "{text}");
    let event = next();
    assert_eq!(event["given_back"], serde_json::json!([]), "{event}");
    assert!(event["left"].to_string().contains("card_number"), "{event}");
    assert!(page(port, "rye").1.contains("rye|3"));

    // Once a year somebody looks at the seasons.
    let mut web = cluster.client("bakery", "bakery_web");
    let yearly = format!("SELECT until FROM seasons WHERE name = '{CARD}'");
    assert_eq!(web.batch_execute(&yearly).unwrap_err().code().unwrap().code(), "42501");
    let event = next();
    let given = event["given_back"].to_string();
    assert!(given.contains("SELECT (name)") && given.contains("SELECT (until)"), "{event}");
    web.batch_execute(&yearly).unwrap();
    drop(watch);

    let (_, journal, _) = run(state, &["journal"]);
    assert!(journal.contains("seasons"), "{journal}");
    for _ in 0..2 {
        let (code, out, err) = run(state, &["undo"]);
        assert_eq!(code, 0, "{out}{err}");
    }
    let after: String = client.query_one(acl, &[]).unwrap().get(0);
    assert_eq!(sorted(&after), sorted(&before));
    assert!(page(port, injection).1.contains(CARD), "all is as it was, for better or worse");
    let mut bytes = Vec::new();
    everything(state, &mut bytes);
    assert!(!bytes.windows(CARD.len()).any(|it| it == CARD.as_bytes()));
}

/// Rights have no order.
fn sorted(acl: &str) -> Vec<String> {
    let mut parts: Vec<String> =
        acl.split([';', ',', '{', '}']).filter(|it| !it.is_empty()).map(str::to_string).collect();
    parts.sort();
    parts
}

#[test]
fn no_literal_is_kept_or_shown() {
    let Some((cluster, said)) = bakery() else { return };
    let state = tempfile::tempdir().unwrap();
    let mut web = cluster.client("bakery", "bakery_web");
    for number in 0..1000 {
        // Constants of some kinds stay in what the server counts.
        let statement = match number % 4 {
            0 => format!("SELECT name AS a{number} FROM breads WHERE name = '{CARD}'"),
            1 => format!("SET application_name = 'a{number} {CARD}'"),
            2 => format!("DO $$ BEGIN PERFORM {number}, '{CARD}'; END $$"),
            _ => format!("/* {CARD} */ SELECT {number} AS b{number}, {CARD}, '{CARD}'"),
        };
        web.batch_execute(&statement).unwrap();
    }
    let file = state.path().join("input.sql");
    std::fs::write(&file, format!("SELECT price FROM breads WHERE name = '{CARD}';")).unwrap();
    let input = file.to_str().unwrap();
    let mut all = String::new();
    for arguments in [
        &["access", "audit", "bakery_web", "--all"][..],
        &["access", "audit", "bakery_web", "--json"],
        &["access", "learn", "bakery_web", "--all", "--statements", input],
        &["access", "learn", "bakery_web", "--json"],
        &["access", "propose", "bakery_web", "--json"],
        &["access", "prove", "bakery_web", "--statements", input],
        &["access", "apply", "bakery_web", "--yes"],
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
    // Nor did Polder make the server write it into its log.
    let log = std::fs::read_to_string(cluster.log_path()).unwrap();
    assert!(!log.contains(CARD));
}

#[test]
fn what_cannot_be_done_is_said_and_changes_nothing() {
    let Some((cluster, said)) = bakery() else { return };
    let state = tempfile::tempdir().unwrap();
    let state = state.path();
    let check = |arguments: &[&str], code: i32, words: &str| {
        let (found, out, err) = run(state, arguments);
        assert!(found == code && format!("{out}{err}").contains(words), "{found} {out}{err}");
    };
    check(&["access", "audit", "x", "--server", "host=/nowhere user=x"], 3, "cannot connect");
    check(&["access", "audit", "x", "--server", "oracle://x"], 2, "is no PostgreSQL");
    check(&["access", "audit", "nobody'; DROP", "--server", &said], 2, "there is no account");
    check(
        &["access", "learn", "bakery_web", "--server", &said, "--statements", "/nowhere"],
        2,
        "/nowhere",
    );
    check(&["access", "watch", "bakery_web", "--server", &said], 2, "nothing was taken");
    // Whoever is no superuser sees no statements of others, and is told so.
    let reporter = cluster.target("bakery", "reporter").said();
    check(&["access", "propose", "bakery_web", "--server", &reporter], 3, "pg_read_all_stats");
    check(
        &["access", "audit", "bakery_web", "--server", &reporter],
        3,
        "What it needs is not known",
    );
    cluster
        .client("postgres", "postgres")
        .batch_execute("GRANT pg_read_all_stats TO reporter")
        .unwrap();
    check(
        &["access", "learn", "bakery_web", "--server", &reporter],
        3,
        "SELECT (name, price) ON TABLE public.breads",
    );
    check(&["access", "apply", "bakery_web", "--server", &reporter, "--yes"], 3, "superuser");
    // Where nothing is counted, that is what is said.
    cluster.client("postgres", "postgres").batch_execute("CREATE DATABASE bare").unwrap();
    let bare = cluster.target("bare", "postgres").said();
    check(&["access", "learn", "bakery_web", "--server", &bare], 3, "CREATE EXTENSION");
    let rights =
        "SELECT count(*) FROM information_schema.role_table_grants WHERE grantee = 'bakery_web'";
    let count: i64 = cluster.client("bakery", "postgres").query_one(rights, &[]).unwrap().get(0);
    assert_eq!(count, 21);
}

#[test]
fn who_is_connected_is_seen() {
    let Some((cluster, said)) = bakery() else { return };
    let state = tempfile::tempdir().unwrap();
    let _web = cluster.client("bakery", "bakery_web");
    let arguments = ["access", "audit", "bakery_web", "--server", &said, "--json"];
    let (code, out, err) = run(state.path(), &arguments);
    assert_eq!(code, 0, "{err}");
    let value: Value = serde_json::from_str(&out).unwrap();
    let own = std::env::current_exe().unwrap();
    assert_eq!(value["clients"][0]["program"], own.to_str().unwrap(), "{}", value["clients"]);
    let (_, out, _) = run(state.path(), &["look", "database-accounts", "--json"]);
    assert!(out.contains(own.to_str().unwrap()), "{out}");
}
