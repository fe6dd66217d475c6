//! `polder feed update`, against a server on this machine: what changed, what broke off, who answers.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may panic, and answers as a server would"
)]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use support::{run, stderr, stdout};

/// A server of one file, and what it was asked.
struct Server {
    address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    body: Vec<u8>,
    tag: String,
    /// Bytes after which each answer breaks off.
    cut: Option<usize>,
    status: Option<&'static str>,
    asked: Vec<Vec<String>>,
}

impl Server {
    fn new(body: &str, tag: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/feed.json", listener.local_addr().unwrap());
        let first = State { body: body.into(), tag: tag.into(), ..State::default() };
        let state = Arc::new(Mutex::new(first));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &shared);
            }
        });
        Self { address, state }
    }

    fn set(&self, change: impl Fn(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    fn asked(&self) -> Vec<Vec<String>> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }
}

fn answer(mut stream: TcpStream, state: &Mutex<State>) {
    let mut asked = Vec::new();
    for line in BufReader::new(stream.try_clone().unwrap()).lines() {
        match line {
            Ok(line) if !line.is_empty() => asked.push(line.to_lowercase()),
            _ => break,
        }
    }
    let mut state = state.lock().unwrap();
    let header = |name: &str| {
        asked.iter().find_map(|it| it.strip_prefix(&format!("{name}: ")).map(str::to_string))
    };
    let tag = state.tag.clone();
    let from: usize = match header("if-range") == Some(tag.clone()) {
        true => header("range").map_or(0, |it| it[6..it.len() - 1].parse().unwrap()),
        false => 0,
    };
    let total = state.body.len();
    let (head, body) = if let Some(status) = state.status {
        (format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n"), Vec::new())
    } else if header("if-none-match") == Some(tag.clone()) {
        ("HTTP/1.1 304 Not Modified\r\n".to_string(), Vec::new())
    } else {
        let status = match from {
            0 => "200 OK".to_string(),
            _ => {
                format!("206 Partial Content\r\ncontent-range: bytes {from}-{}/{total}", total - 1)
            }
        };
        let left = state.body[from..].to_vec();
        (format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", left.len()), left)
    };
    let sent = state.cut.unwrap_or(usize::MAX).min(body.len());
    let _ = write!(stream, "{head}etag: {tag}\r\nconnection: close\r\n\r\n");
    let _ = stream.write_all(&body[..sent]);
    state.asked.push(asked);
}

fn feed(count: usize) -> String {
    let entries: Vec<String> = (0..count)
        .map(|at| {
            format!(r#"{{"cveID": "CVE-2026-{at:04}", "dateAdded": "2026-11-02", "dueDate": "2026-11-23"}}"#)
        })
        .collect();
    format!(
        r#"{{"catalogVersion": "1", "count": {count}, "vulnerabilities": [{}]}}"#,
        entries.join(",")
    )
}

fn update(state: &Path, url: &str) -> std::process::Output {
    run(&["feed", "update", url, &format!("--state={}", state.display())])
}

#[test]
fn only_what_changed_is_fetched() {
    let state = tempfile::tempdir().unwrap();
    let server = Server::new(&feed(40), "\"one\"");
    let first = update(state.path(), &server.address);
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    assert!(stdout(&first).contains("flaws that are exploited: 40 rows"), "{}", stdout(&first));
    let again = update(state.path(), &server.address);
    assert!(stdout(&again).contains("not changed since"), "{}", stdout(&again));
    let asked = server.asked();
    assert!(asked[1].contains(&"if-none-match: \"one\"".to_string()), "{asked:?}");
    server.set(|it| {
        it.body = feed(41).into();
        it.tag = "\"two\"".into();
    });
    let changed = update(state.path(), &server.address);
    assert!(stdout(&changed).contains("41 rows, 40 before"), "{}", stdout(&changed));
    let left: Vec<_> = fs::read_dir(state.path().join("downloads")).unwrap().flatten().collect();
    let is_part = |it: &fs::DirEntry| it.path().extension().is_some_and(|it| it == "part");
    assert!(!left.iter().any(is_part), "what is imported need not be kept");
}

#[test]
fn what_broke_off_is_gone_on_with() {
    let state = tempfile::tempdir().unwrap();
    let server = Server::new(&feed(400), "\"one\"");
    let total = feed(400).len();
    // Each answer brings a third: three of them, each from where the last one broke off.
    server.set(|it| it.cut = Some(total / 3 + 1));
    let output = update(state.path(), &server.address);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let asked = server.asked();
    let ranges: Vec<&String> =
        asked.iter().flatten().filter(|it| it.starts_with("range: ")).collect();
    assert_eq!(ranges.len(), 2, "{asked:?}");
    assert_eq!(*ranges[0], format!("range: bytes={}-", total / 3 + 1));
}

#[test]
fn another_file_is_not_glued_to_the_part_of_the_first() {
    let state = tempfile::tempdir().unwrap();
    let server = Server::new(&feed(400), "\"one\"");
    server.set(|it| it.cut = Some(0));
    let output = update(state.path(), &server.address);
    assert_eq!(output.status.code(), Some(3), "{}", stdout(&output));
    assert!(stderr(&output).contains("ended after 0 bytes"), "{}", stderr(&output));
    server.set(|it| {
        it.cut = None;
        it.body = feed(300).into();
        it.tag = "\"two\"".into();
    });
    let output = update(state.path(), &server.address);
    assert!(stdout(&output).contains("300 rows"), "{}{}", stdout(&output), stderr(&output));
}

#[test]
fn what_is_no_feed_or_not_there_is_said_and_the_one_before_stays() {
    let state = tempfile::tempdir().unwrap();
    let server = Server::new(&feed(40), "\"one\"");
    assert_eq!(update(state.path(), &server.address).status.code(), Some(0));
    server.set(|it| {
        it.body = b"<html>maintenance</html>".to_vec();
        it.tag = "\"two\"".into();
    });
    let output = update(state.path(), &server.address);
    assert_eq!(output.status.code(), Some(3), "{}", stdout(&output));
    server.set(|it| it.status = Some("404 Not Found"));
    let output = update(state.path(), &server.address);
    assert!(stderr(&output).contains("the server answers 404"), "{}", stderr(&output));
    let status = run(&["feed", "status", &format!("--state={}", state.path().display())]);
    assert!(stdout(&status).contains("40"), "{}", stdout(&status));
    let plain = update(state.path(), "http://192.0.2.1/feed.json");
    assert_eq!(plain.status.code(), Some(3));
    assert!(stderr(&plain).contains("only https://"), "{}", stderr(&plain));
    let unknown = update(state.path(), "debain");
    assert_eq!(unknown.status.code(), Some(2), "{}", stderr(&unknown));
}

#[test]
fn who_is_not_vouched_for_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let openssl = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ])
        .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(file("key.pem"))
        .arg("-out")
        .arg(file("certificate.pem"))
        .stderr(Stdio::null())
        .status();
    if !openssl.is_ok_and(|it| it.success()) {
        println!("SKIPPED: no openssl to answer over TLS");
        return;
    }
    fs::write(file("feed.json"), feed(40)).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut server = Command::new("openssl")
        .args(["s_server", "-quiet", "-WWW", "-accept", &format!("127.0.0.1:{port}")])
        .args(["-cert", "certificate.pem", "-key", "key.pem"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let is_up = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    let url = format!("https://localhost:{port}/feed.json");
    let ask = |trusted: Option<&Path>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_polder"));
        command.args(["feed", "update", &url]).arg(format!("--state={}", folder.path().display()));
        for name in
            ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "http_proxy", "HTTP_PROXY"]
        {
            command.env_remove(name);
        }
        match trusted {
            Some(path) => command.env("SSL_CERT_FILE", path),
            None => command.env_remove("SSL_CERT_FILE"),
        };
        command.output().unwrap()
    };
    let stranger = ask(None);
    let trusted = ask(Some(&file("certificate.pem")));
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(is_up);
    assert_eq!(stranger.status.code(), Some(3), "{}", stdout(&stranger));
    assert!(stderr(&stranger).to_lowercase().contains("certificate"), "{}", stderr(&stranger));
    assert_eq!(trusted.status.code(), Some(0), "{}", stderr(&trusted));
    assert!(stdout(&trusted).contains("40 rows"), "{}", stdout(&trusted));
}

#[test]
fn what_would_be_fetched_is_shown_first() {
    let output = run(&["feed", "update", "--dry-run", "debian", "osv:Rocky Linux:9"]);
    let text = stdout(&output);
    assert!(text.contains("debian: https://"), "{text}");
    assert!(text.contains("Rocky%20Linux:9/all.zip"), "{text}");
}
