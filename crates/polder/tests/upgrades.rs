//! Past upgrades from the logs of a root, the older ones compressed.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test may panic, and makes files"
)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use support::{rows, table_with, text};

fn look(root: &Path) -> serde_json::Value {
    table_with("upgrades", &["--root", &root.display().to_string()])
}

#[test]
fn rotated_logs_are_read_as_far_back_as_they_go() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("var/log");
    fs::create_dir_all(&logs).unwrap();
    assert_eq!(look(folder.path())["coverage"]["state"], "not_looked");
    let write = |name: &str, month: u32| {
        let line =
            format!("2026-{month:02}-01 10:00:00 upgrade curl:amd64 {month} {}\n", month + 1);
        fs::write(logs.join(name), line).unwrap();
    };
    write("dpkg.log", 9);
    write("dpkg.log.1", 8);
    for number in 2..5 {
        write(&format!("dpkg.log.{number}"), 9 - number);
        let gzip = Command::new("gzip").arg(logs.join(format!("dpkg.log.{number}"))).status();
        assert!(gzip.unwrap().success());
    }
    // After a gap nothing is the log that came before.
    write("dpkg.log.7", 1);
    let looked = look(folder.path());
    let found: Vec<String> = rows(&looked).iter().map(|it| text(it, "from")).collect();
    assert_eq!(found, ["5", "6", "7", "8", "9"]);
    assert_eq!(looked["coverage"]["because"], "the logs reach back to 2026-05-01");
    // One that is cut is said, and the others are read.
    let path = logs.join("dpkg.log.3.gz");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
    let looked = look(folder.path());
    assert_eq!(rows(&looked).len(), 4);
    assert!(looked["coverage"]["because"].to_string().contains("dpkg.log.3.gz"), "{looked}");
}
