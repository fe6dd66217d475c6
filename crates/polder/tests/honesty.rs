//! Missing, stale, cut or hostile data: unknown with its reason and exit code 3, never "clean".
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
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use support::{run, stderr, stdout};

const PACKAGE: &str = "Package: tool\nVersion: 2.0\nArchitecture: amd64\nSize: 10\n\n";

/// A small root file system with one package, whole indices and no update.
fn root(installed: &str, valid_until: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| {
        let path = folder.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put("/etc/os-release", "ID=debian\nVERSION_ID=12\nPRETTY_NAME=\"Debian 12\"\n");
    put("/etc/hostname", "fern\n");
    put("/etc/passwd", "root:x:0:0::/root:/bin/bash\n");
    put("/etc/shadow", "root:!:1::::::\n");
    put("/etc/group", "root:x:0:\n");
    put("/etc/apt/sources.list", "deb http://archive.example/d stable-security main\n");
    put(
        "/var/lib/dpkg/status",
        &format!(
            "Package: tool\nStatus: install ok installed\nArchitecture: amd64\nVersion: {installed}\n\nPackage: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n"
        ),
    );
    let length = PACKAGE.len();
    put(
        LIST_RELEASE,
        &format!(
            "Origin: Debian\nLabel: Debian-Security\nSuite: stable-security\nDate: {}\nValid-Until: {valid_until}\nSHA256:\n abc {length} main/binary-amd64/Packages\n",
            now("-1 hour")
        ),
    );
    put(LIST_PACKAGES, PACKAGE);
    folder
}

const LIST_RELEASE: &str = "/var/lib/apt/lists/archive.example_d_dists_stable-security_Release";
const LIST_PACKAGES: &str =
    "/var/lib/apt/lists/archive.example_d_dists_stable-security_main_binary-amd64_Packages";

fn now(shift: &str) -> String {
    support::incumbent("date", &["-u", "-R", "-d", shift]).unwrap().trim().to_string()
}

fn place(folder: &tempfile::TempDir, path: &str) -> PathBuf {
    folder.path().join(path.trim_start_matches('/'))
}

#[track_caller]
fn assess(root: &Path) -> (Value, Option<i32>) {
    let output = run(&["assess", "--root", root.to_str().unwrap(), "--json", "--quiet"]);
    let view = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", stderr(&output)));
    (view, output.status.code())
}

#[track_caller]
fn is_unknown(root: &Path, because: &str) {
    let (view, code) = assess(root);
    let unknowns = view["unknowns"].to_string();
    assert!(unknowns.contains(because), "{because:?} is not in {unknowns}");
    assert_eq!(code, Some(3), "{unknowns}");
    assert_eq!(view["ending"], "could_not_say");
}

#[test]
fn whole_indices_without_an_update_are_no_unknown() {
    let folder = root("2.0", &now("+6 days"));
    let (view, code) = assess(folder.path());
    assert_ne!(code, Some(3), "{}", view["unknowns"]);
    assert!(!view["findings"].to_string().contains("patch/pending"));
}

#[test]
fn an_update_is_found_in_whole_indices() {
    let folder = root("1.0", &now("+6 days"));
    assert!(assess(folder.path()).0["findings"].to_string().contains("patch/pending:tool"));
}

#[test]
fn missing_lists_are_unknown() {
    let folder = root("2.0", &now("+6 days"));
    fs::remove_dir_all(place(&folder, "/var/lib/apt/lists")).unwrap();
    is_unknown(folder.path(), "is missing");
}

#[test]
fn missing_sources_are_unknown() {
    let folder = root("2.0", &now("+6 days"));
    fs::remove_file(place(&folder, "/etc/apt/sources.list")).unwrap();
    is_unknown(folder.path(), "no sources");
}

#[test]
fn expired_lists_are_unknown() {
    let folder = root("2.0", &now("-3 days"));
    is_unknown(folder.path(), "was valid until 3 days ago");
}

#[test]
fn a_cut_index_is_unknown() {
    let folder = root("1.0", &now("+6 days"));
    let path = place(&folder, LIST_PACKAGES);
    fs::write(path, &PACKAGE[..20]).unwrap();
    is_unknown(folder.path(), "bytes instead of");
}

#[test]
fn a_damaged_package_database_is_unknown() {
    let folder = root("2.0", &now("+6 days"));
    for text in [&b""[..], b"\x00\x01\x02garbage\xff", b"Package: tool\nStatus: broken\n"] {
        fs::write(place(&folder, "/var/lib/dpkg/status"), text).unwrap();
        let (view, code) = assess(folder.path());
        assert_eq!(code, Some(3), "{}", view["unknowns"]);
    }
}

#[test]
fn an_ordinary_user_is_told_what_root_would_add() {
    let is_root = support::incumbent("id", &["-u"]).is_some_and(|it| it.trim() == "0");
    if !is_root {
        return support::skipped("this needs root, to become somebody else");
    }
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    let program = folder.path().join("polder");
    fs::copy(env!("CARGO_BIN_EXE_polder"), &program).unwrap();
    let output = std::process::Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&program)
        .args(["assess", "--json", "--quiet", "--no-history", "--state", "/nonexistent/polder"])
        .current_dir("/")
        .output()
        .unwrap();
    let view: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", stderr(&output)));
    assert_eq!(view["host"]["as_root"], false);
    let coverage = view["coverage"].as_array().unwrap();
    let by_root = coverage.iter().filter(|it| it["coverage"]["root_adds"].is_string()).count();
    assert!(by_root >= 3, "{coverage:?}");
}

#[test]
fn hostile_names_never_reach_the_terminal_or_the_page() {
    let folder = root("2.0", &now("+6 days"));
    let hostile: &[u8] = b"evil\x1b]0;owned\x07\n<script>alert(1)\xff.service";
    let units = place(&folder, "/etc/systemd/system");
    fs::create_dir_all(&units).unwrap();
    fs::write(units.join(OsStr::from_bytes(hostile)), "[Service]\nExecStart=/bin/x\n").unwrap();
    let script = b"#!/bin/sh\n";
    let jobs = place(&folder, "/etc/cron.daily");
    fs::create_dir_all(&jobs).unwrap();
    fs::write(jobs.join("a\u{1b}[31m<img src=x onerror=alert(1)>"), script).unwrap();
    fs::write(place(&folder, "/etc/hostname"), "fern\x1b[31m<script>alert(2)</script>\n").unwrap();
    fs::write(
        place(&folder, "/etc/passwd"),
        "root:x:0:0::/root:/bin/bash\nx\x1b[2J<b>:x:1000:1000::/home/\u{202e}x:/bin/bash\n",
    )
    .unwrap();
    fs::write(place(&folder, "/etc/sudoers"), "x\x1b[2J<b> ALL = NOPASSWD: ALL\n").unwrap();
    fs::set_permissions(
        jobs.join("a\u{1b}[31m<img src=x onerror=alert(1)>"),
        std::os::unix::fs::PermissionsExt::from_mode(0o777),
    )
    .unwrap();
    let page = folder.path().join("page.html");
    let root = folder.path().to_str().unwrap();
    for arguments in [
        vec!["assess", "--root", root, "--all", "--color", "never"],
        vec!["assess", "--root", root, "--json"],
        vec!["assess", "--root", root, "--sarif"],
        vec!["assess", "--root", root, "--html", page.to_str().unwrap()],
        vec!["look", "users", "--root", root],
        vec!["look", "users", "--root", root, "--csv"],
        vec!["look", "units", "--root", root, "--csv"],
    ] {
        let output = run(&arguments);
        for text in [stdout(&output), stderr(&output)] {
            let bad = text.chars().find(|it| it.is_control() && !matches!(it, '\n' | '\r'));
            assert_eq!(bad, None, "{arguments:?}");
            assert!(!text.contains('\u{202e}'), "{arguments:?}");
        }
    }
    let text = fs::read_to_string(page).unwrap();
    assert!(
        !text.contains("<script>alert") && !text.contains("<img src=x") && !text.contains('\u{1b}')
    );
}
