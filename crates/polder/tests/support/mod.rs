//! Runs the program as a person would, and says aloud what is skipped.
#![allow(
    dead_code,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "each test file uses a part of it, and a test may panic"
)]

pub(crate) mod disk;

use serde_json::Value;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A recorded host.
pub(crate) fn recorded(name: &str) -> String {
    repository().join("tests/hosts").join(format!("{name}.polder")).display().to_string()
}

/// The configuration of the recorded hosts.
pub(crate) fn configuration() -> String {
    repository().join("tests/hosts/polder.toml").display().to_string()
}

/// The program with these arguments, without the configuration of the machine it runs on.
pub(crate) fn polder(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_polder"));
    command.args(arguments).stdin(Stdio::null()).env_remove("NO_COLOR").current_dir("/");
    command
}

/// Runs the program and returns all it says.
#[track_caller]
pub(crate) fn run(arguments: &[&str]) -> Output {
    polder(arguments).output().expect("the program runs")
}

/// Standard output as text.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("the output is UTF-8")
}

/// Standard error as text.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// One table of this machine as JSON.
#[track_caller]
pub(crate) fn table(name: &str) -> Value {
    table_with(name, &[])
}

/// One table as JSON, of the root or with the state that more flags name.
#[track_caller]
pub(crate) fn table_with(name: &str, more: &[&str]) -> Value {
    let arguments: Vec<&str> =
        ["look", name, "--json", "--quiet"].into_iter().chain(more.iter().copied()).collect();
    let output = run(&arguments);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", stderr(&output)))
}

/// The rows of a table.
pub(crate) fn rows(table: &Value) -> Vec<Value> {
    table["rows"].as_array().cloned().unwrap_or_default()
}

/// A field of a row as text.
pub(crate) fn text(row: &Value, name: &str) -> String {
    row[name].as_str().unwrap_or_default().to_string()
}

/// Output of an incumbent; none, and a loud word, when it is not installed.
pub(crate) fn incumbent(program: &str, arguments: &[&str]) -> Option<String> {
    match Command::new(program).args(arguments).env("LC_ALL", "C").stderr(Stdio::null()).output() {
        Ok(output) => Some(String::from_utf8_lossy(&output.stdout).into_owned()),
        Err(_) => {
            skipped(&format!("`{program}` is not installed"));
            None
        }
    }
}

/// Says that a test did not look, so that nobody takes it for passed.
pub(crate) fn skipped(because: &str) {
    eprintln!("SKIPPED: {because}");
}

/// Whether this is a running Debian machine, seen by root.
pub(crate) fn is_debian_root() -> bool {
    let is_root = incumbent("id", &["-u"]).is_some_and(|it| it.trim() == "0");
    let is_debian = std::path::Path::new("/var/lib/dpkg/status").is_file();
    if !(is_root && is_debian) {
        skipped("this needs root on a Debian machine");
    }
    is_root && is_debian
}

/// The programs of the newest PostgreSQL that is installed.
pub(crate) fn postgres_folder() -> Option<String> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut folders: Vec<String> = versions
        .filter_map(|it| Some(it.ok()?.path().join("bin").display().to_string()))
        .filter(|it| std::path::Path::new(it).join("initdb").is_file())
        .collect();
    folders.sort();
    folders.pop()
}

/// Ends what a test started.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
