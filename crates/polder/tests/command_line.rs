//! Exit codes, messages, decisions and memory, as a person meets them.
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

use std::fs;
use std::io::Read;
use std::process::Stdio;
use support::{configuration, polder, recorded, run, stderr, stdout};

/// A state folder and the arguments that use it.
fn with_state(folder: &tempfile::TempDir, arguments: &[&str]) -> Vec<String> {
    let state = folder.path().join("state").display().to_string();
    let mut all: Vec<String> = arguments.iter().map(|it| (*it).to_string()).collect();
    all.extend([
        "--state".into(),
        state,
        "--from".into(),
        recorded("shop-kept"),
        "--config".into(),
        configuration(),
    ]);
    all
}

#[track_caller]
fn in_state(folder: &tempfile::TempDir, arguments: &[&str]) -> std::process::Output {
    let all = with_state(folder, arguments);
    run(&all.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn errors_say_what_failed_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("polder.toml");
    fs::write(&wrong, "[appetite]\nany_los_per_year = 1\n").unwrap();
    let config = wrong.to_str().unwrap();
    let missing = folder.path().join("none").display().to_string();
    for (arguments, code, says) in [
        (vec!["assess", "--config", config], 2, "any_los_per_year"),
        (vec!["assess", "--config", &missing], 2, "does not exist"),
        (vec!["assess", "--from", &missing], 2, "cannot use the recording"),
        (vec!["assess", "--root", &missing], 2, "none"),
        (vec!["look", "nothing"], 2, "there is no table"),
        (vec!["explain", "patch/nothing:x", "--from", &recorded("rpm-root")], 2, "no finding"),
        (vec!["frobnicate"], 2, "unrecognized subcommand"),
    ] {
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(says), "{arguments:?}: {}", stderr(&output));
        assert!(stdout(&output).is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_damaged_recording_is_an_error_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.polder");
    let bytes = fs::read(recorded("shop-kept")).unwrap();
    for length in [0, 1, 100, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&path, &bytes[..length]).unwrap();
        let output = run(&["assess", "--from", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2), "{length}: {}", stderr(&output));
    }
}

#[test]
fn an_acceptance_is_priced_shown_and_can_be_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let id = "least-access/becomes-root:ada";
    let until = support::incumbent("date", &["-u", "-d", "+30 days", "+%F"]).unwrap();
    // The recording has its own clock; its date is the day it was made.
    let view: serde_json::Value =
        serde_json::from_str(&stdout(&in_state(&folder, &["assess", "--json"]))).unwrap();
    let taken = view["host"]["taken"].as_i64().unwrap();
    let until =
        support::incumbent("date", &["-u", "-d", &format!("@{}", taken + 30 * 86_400), "+%F"])
            .unwrap_or(until);
    let decide = [
        "accept",
        id,
        "--because",
        "ada is the administrator",
        "--owner",
        "ada",
        "--until",
        until.trim(),
    ];
    let output = in_state(&folder, &decide);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("a year"), "{}", stdout(&output));

    let text = stdout(&in_state(&folder, &["assess"]));
    assert!(
        text.contains("Decided on purpose") && text.contains("ada is the administrator"),
        "{text}"
    );
    assert!(!text.contains("Give `ada` only"), "an accepted finding is still in the plan: {text}");
    assert!(stdout(&in_state(&folder, &["history"])).contains("accept"));

    assert_eq!(in_state(&folder, &["reconsider", id]).status.code(), Some(0));
    assert!(stdout(&in_state(&folder, &["assess"])).contains("Give `ada` only"));
    assert_eq!(in_state(&folder, &["reconsider", id]).status.code(), Some(2));
}

#[test]
fn a_decision_needs_a_reason_an_owner_and_a_near_end() {
    let folder = tempfile::tempdir().unwrap();
    let id = "least-access/becomes-root:ada";
    for (because, owner, until) in [
        ("", "ada", "2027-01-01"),
        ("x", " ", "2027-01-01"),
        ("x", "ada", "2001-01-01"),
        ("x", "ada", "2099-01-01"),
        ("x", "ada", "soon"),
    ] {
        let output = in_state(
            &folder,
            &["accept", id, "--because", because, "--owner", owner, "--until", until],
        );
        assert_eq!(output.status.code(), Some(2), "{because} {owner} {until}: {}", stderr(&output));
    }
}

#[test]
fn a_state_that_cannot_be_used_costs_the_history_and_not_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("state")).unwrap();
    fs::write(
        folder.path().join("state/polder.db"),
        "no database at all, but long enough to be read",
    )
    .unwrap();
    let output = in_state(&folder, &["assess"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("warning"));
    assert!(stdout(&output).contains("Do this first"));
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let mut child = polder(&["assess", "--from", &recorded("shop-neglected"), "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut byte = [0];
    child.stdout.take().unwrap().read_exact(&mut byte).unwrap();
    let code = child.wait().unwrap().code();
    assert!(matches!(code, Some(0 | 1)), "{code:?}");
}

#[test]
fn a_full_disk_leaves_no_half_of_a_page() {
    let output = run(&["assess", "--from", &recorded("shop-kept"), "--html", "/dev/full/x.html"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("cannot write"));
}

#[test]
fn a_recording_judged_again_says_what_the_host_said() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    fs::create_dir_all(root.join("etc")).unwrap();
    fs::write(
        root.join("etc/passwd"),
        "root:x:0:0::/root:/bin/bash\nada:x:1000:1000::/home/ada:/bin/bash\n",
    )
    .unwrap();
    fs::write(root.join("etc/sudoers"), "ada ALL = NOPASSWD: ALL\n").unwrap();
    fs::write(root.join("etc/hostname"), "fern\n").unwrap();
    let file = folder.path().join("fern.polder");
    let (root, file) = (root.to_str().unwrap(), file.to_str().unwrap());
    assert_eq!(run(&["record", file, "--root", root]).status.code(), Some(0));
    let timeless = |arguments: &[&str]| {
        let mut view: serde_json::Value = serde_json::from_slice(&run(arguments).stdout).unwrap();
        view["host"]["taken"] = 0.into();
        view
    };
    assert_eq!(
        timeless(&["assess", "--root", root, "--json"]),
        timeless(&["assess", "--from", file, "--json"])
    );
    let again = run(&["record", file, "--root", root]);
    assert_eq!(again.status.code(), Some(2), "an existing file was written over");
}
