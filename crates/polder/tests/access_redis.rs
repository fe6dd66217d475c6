//! Users of Redis, from the first look to the safety net, on a server of the test's own.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test may panic, and looks at the machine it runs on"
)]

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What a thief would look for: nothing of Polder's may have it.
const CARD: &str = "4111111111111111";

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server with a file of users.
struct Redis {
    folder: tempfile::TempDir,
    server: Option<Running>,
}

impl Redis {
    fn start() -> Option<Self> {
        if !Path::new("/usr/bin/redis-server").exists() {
            eprintln!("SKIPPED: `redis-server` is not installed");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("users"),
            "user default on nopass ~* &* +@all\nuser web on >crumbs ~* &* +@all -keys\nuser guest on >crumbs ~a* -@all +get\n",
        )
        .unwrap();
        let mut it = Self { folder, server: None };
        it.restart();
        Some(it)
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    fn restart(&mut self) {
        self.server = None;
        let path = |name: &str| self.folder.path().join(name).to_str().unwrap().to_string();
        let server = Command::new("redis-server")
            .args([
                "--port",
                "0",
                "--save",
                "",
                "--unixsocket",
                &path("s"),
                "--aclfile",
                &path("users"),
            ])
            .current_dir(self.folder.path())
            .stdout(Stdio::null())
            .spawn();
        self.server = Some(Running(server.unwrap()));
        let begun = Instant::now();
        while self.cli("default", "", &["PING"]) != "PONG" {
            assert!(begun.elapsed() < Duration::from_secs(20));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn cli(&self, user: &str, password: &str, words: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        command.arg("-s").arg(self.socket()).env_remove("REDISCLI_AUTH");
        if user != "default" {
            command.args(["--no-auth-warning", "--user", user, "--pass", password]);
        }
        let output = command.args(words).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_string()
    }

    fn said(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    fn users(&self) -> String {
        self.cli("default", "", &["ACL", "LIST"])
    }
}

fn polder(state: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_polder"));
    command.arg("--state").arg(state).args(arguments).stdin(Stdio::null());
    command.env_remove("REDISCLI_AUTH");
    command
}

/// Runs it; answers code, standard output and standard error.
fn run(state: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = polder(state, arguments).output().unwrap();
    let text = |it: &[u8]| String::from_utf8_lossy(it).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_user_keeps_the_commands_that_are_sent() {
    let Some(mut redis) = Redis::start() else { return };
    let state = tempfile::tempdir().unwrap();
    let state = state.path();
    let key = format!("card:{CARD}");
    let web = |redis: &Redis, words: &[&str]| redis.cli("web", "crumbs", words);
    for words in [
        &["SET", &key, CARD][..],
        &["GET", &key],
        &["EXPIRE", &key, "1000"],
        &["CLIENT", "SETNAME", "shop"],
        &["CONFIG", "GET", "dir"],
    ] {
        assert!(!web(&redis, words).contains("NOPERM"), "{words:?}");
    }
    let before = redis.users();
    // What a process leaves behind that is killed goes with the next proof.
    redis.cli("default", "", &["ACL", "SETUSER", "polder_probe_1", "off"]);
    let said = redis.said();
    let mut all = String::new();
    for (verb, code) in [("audit", 0), ("learn", 0), ("propose", 0), ("prove", 0), ("apply", 0)] {
        let mut arguments = vec!["access", verb, "web", "--server", &said];
        arguments.extend((verb == "apply").then_some("--yes"));
        let (found, out, err) = run(state, &arguments);
        assert_eq!(found, code, "{verb} {out}{err}");
        all.push_str(&out);
        all.push_str(&err);
    }
    assert!(!redis.users().contains("polder_probe"), "{}", redis.users());
    assert!(all.contains("CONFIG SET: sets where") && all.contains("The proof holds"), "{all}");
    assert!(!all.contains(CARD), "{all}");
    assert_eq!(web(&redis, &["GET", &key]), CARD);
    assert!(web(&redis, &["CONFIG", "SET", "dir", "/tmp"]).contains("NOPERM"));
    // It is in the file: a server that starts again has it.
    redis.restart();
    assert!(web(&redis, &["CONFIG", "GET", "dir"]).contains("NOPERM"));

    let watch = polder(state, &["access", "watch", "web", "--server", &said, "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut watch = Running(watch.unwrap());
    let mut begun = BufReader::new(watch.0.stderr.take().unwrap());
    begun.read_line(&mut String::new()).unwrap();
    let mut told = BufReader::new(watch.0.stdout.take().unwrap());
    let mut next = || {
        let mut line = String::new();
        told.read_line(&mut line).unwrap();
        assert!(!line.contains(CARD), "{line}");
        serde_json::from_str::<Value>(&line).unwrap()
    };
    assert!(web(&redis, &["CONFIG", "SET", "dir", CARD]).contains("NOPERM"));
    let event = next();
    assert_eq!(event["given_back"], serde_json::json!([]), "{event}");
    assert!(web(&redis, &["LPUSH", "list", CARD]).contains("NOPERM"));
    let event = next();
    assert_eq!(event["given_back"], serde_json::json!(["+lpush"]), "{event}");
    assert_eq!(web(&redis, &["LPUSH", "list", CARD]), "1");
    // It could not send this before, and cannot now.
    assert!(web(&redis, &["KEYS", "*"]).contains("NOPERM"));
    let event = next();
    assert!(event["left"].to_string().contains("did not have it"), "{event}");
    drop(watch);
    for _ in 0..2 {
        let (code, out, err) = run(state, &["undo"]);
        assert_eq!(code, 0, "{out}{err}");
    }
    assert_eq!(redis.users(), before);
}

#[test]
fn what_cannot_be_done_is_said_and_changes_nothing() {
    let Some(mut redis) = Redis::start() else { return };
    let state = tempfile::tempdir().unwrap();
    let state = state.path();
    let said = redis.said();
    let before = redis.users();
    let check = |arguments: &[&str], code: i32, words: &str| {
        let (found, out, err) = run(state, arguments);
        assert!(found == code && format!("{out}{err}").contains(words), "{found} {out}{err}");
    };
    check(&["access", "audit", "x", "--server", "redis+unix:///nowhere"], 3, "cannot connect");
    check(&["access", "audit", "x\n\u{1b}[2J", "--server", &said], 2, "there is no account");
    check(
        &["access", "audit", "web", "--server", &format!("{said}?user=web&pass=no")],
        3,
        "does not let",
    );
    check(
        &["access", "audit", "web", "--server", &format!("{said}?user=guest&pass=crumbs")],
        3,
        "may not see",
    );
    check(&["access", "prove", "default", "--server", &said], 2, "is who is connected");
    check(&["access", "apply", "guest", "--server", &said, "--yes"], 3, "no statement of");
    check(&["access", "watch", "web", "--server", &said], 2, "nothing was taken");
    check(&["access", "audit", "--server", &said], 0, "default: logs in without a password");
    check(&["access", "audit", "web", "--server", "rediss://x"], 2, "TLS");
    assert_eq!(redis.users(), before);
    redis.server = None;
    check(&["access", "audit", "web", "--server", &said], 3, "cannot connect");
}
