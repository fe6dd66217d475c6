//! Servers that the test starts on ports of its own: are they seen to be open, and then closed?
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

use serde_json::Value;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use support::{rows, skipped, table, text};

/// A process that ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts a server and waits until it takes connections.
fn start(program: &str, arguments: &[&str], port: u16) -> Option<Server> {
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(child) = child else {
        skipped(&format!("`{program}` is not installed"));
        return None;
    };
    let mut server = Server(child);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if let Ok(Some(status)) = server.0.try_wait() {
            skipped(&format!("`{program}` ended with {status}"));
            return None;
        }
        std::thread::yield_now();
    }
    Some(server)
}

fn server_on(port: u16) -> Value {
    let suffix = format!(":{port}");
    let all = rows(&table("servers"));
    let has_port = |row: &&Value| {
        row["addresses"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|it| it.as_str().is_some_and(|it| it.ends_with(&suffix)))
    };
    all.iter().find(has_port).cloned().unwrap_or_else(|| panic!("no server on {port} in {all:?}"))
}

#[test]
fn an_open_redis_is_told_from_one_that_asks() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let port = free_port();
    let number = port.to_string();
    let Some(server) = start(
        "redis-server",
        &["--port", &number, "--bind", "127.0.0.1", "--dir", dir, "--save", ""],
        port,
    ) else {
        return;
    };
    assert_eq!(server_on(port)["access"]["access"], "anyone");
    drop(server);

    let port = free_port();
    let config = folder.path().join("redis.conf");
    let secret = "polder-test-secret-one";
    std::fs::write(
        &config,
        format!("port {port}\nbind 127.0.0.1\ndir {dir}\nsave \"\"\nrequirepass {secret}\n"),
    )
    .unwrap();
    let Some(_server) = start("redis-server", &[config.to_str().unwrap()], port) else { return };
    let row = server_on(port);
    assert_eq!(row["access"]["access"], "asks");
    let all = support::stdout(&support::run(&["assess", "--json", "--no-history", "--quiet"]));
    assert!(!all.contains(secret), "a secret was shown");
}

#[test]
fn a_postgresql_that_trusts_is_told_from_one_that_asks() {
    let Some(bin) = support::postgres_folder() else {
        return skipped("PostgreSQL is not installed");
    };
    let is_root = support::incumbent("id", &["-u"]).is_some_and(|it| it.trim() == "0");
    let has_user =
        support::incumbent("id", &["-u", "postgres"]).is_some_and(|it| !it.trim().is_empty());
    if !(is_root && has_user) {
        return skipped("this needs root and the user postgres");
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let dir = data.to_str().unwrap();
    Command::new("chown").args(["postgres", folder.path().to_str().unwrap()]).status().unwrap();
    let as_postgres = ["--reuid=postgres", "--regid=postgres", "--clear-groups"];
    let initdb = Command::new("setpriv")
        .args(as_postgres)
        .arg(format!("{bin}/initdb"))
        .args(["-D", dir, "-A", "trust", "-U", "postgres"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !initdb.is_ok_and(|it| it.success()) {
        return skipped("initdb could not run");
    }
    for (method, expected) in [("trust", "anyone"), ("scram-sha-256", "asks")] {
        let port = free_port();
        std::fs::write(data.join("pg_hba.conf"), format!("host all all 127.0.0.1/32 {method}\n"))
            .unwrap();
        let (postgres, number) = (format!("{bin}/postgres"), port.to_string());
        let mut arguments = as_postgres.to_vec();
        arguments.extend([
            postgres.as_str(),
            "-D",
            dir,
            "-p",
            &number,
            "-h",
            "127.0.0.1",
            "-k",
            dir,
        ]);
        let Some(_server) = start("setpriv", &arguments, port) else { return };
        assert_eq!(server_on(port)["access"]["access"], expected);
        assert_eq!(text(&server_on(port), "engine"), "postgresql");
    }
}
