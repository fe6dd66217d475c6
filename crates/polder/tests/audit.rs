//! `polder audit`: flaws of libraries found, ended, and never silently missed.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic, and writes the files it reads"
)]

mod support;

use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use support::{run, stderr, stdout};

/// A project, and feeds of today.
struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn state(&self) -> String {
        format!("--state={}", self.folder.path().join("state").display())
    }

    fn audit(&self, flags: &[&str]) -> std::process::Output {
        let state = self.state();
        let folder = self.folder.path().join("app").display().to_string();
        let all: Vec<&str> = ["audit", &folder, &state].into_iter().chain(flags.to_vec()).collect();
        run(&all)
    }

    /// Two flaws of `leaky`, one of them told twice, and a notice.
    fn feed(&self, ecosystem: &str) {
        let today = jiff::Timestamp::now();
        let record = |id: &str, alias: &str, events: &str, more: &str| {
            format!(
                r#"{{"id": "{id}", "aliases": ["{alias}"], "published": "{today}", "summary": "says {id}",
                "affected": [{{"package": {{"ecosystem": "{ecosystem}", "name": "leaky"}},
                "ranges": [{{"type": "SEMVER", "events": [{events}]}}]{more}}}]}}"#
            )
        };
        let from_start = |fixed: &str| format!(r#"{{"introduced": "0"}}, {{"fixed": "{fixed}"}}"#);
        let records = [
            record("A-1", "CVE-2026-1", &from_start("1.2.0"), ""),
            record("B-1", "CVE-2026-1", &from_start("1.2.0"), ""),
            record("A-2", "CVE-2026-2", r#"{"introduced": "1.2.0"}, {"fixed": "1.3.1"}"#, ""),
            record("A-3", "CVE-2026-3", &from_start("1.1.0"), ""),
            record(
                "N-1",
                "X",
                r#"{"introduced": "0"}"#,
                r#", "database_specific": {"informational": "unmaintained"}"#,
            ),
        ];
        let path = self.file("feed.json", &format!("[{}]", records.join(",")));
        let output = run(&["feed", "import", path.to_str().unwrap(), &self.state()]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
}

const LOCK: &str = r#"{"lockfileVersion": 3, "packages": {"": {"name": "app"},
    "node_modules/leaky": {"version": "1.0.5"}, "node_modules/tight": {"version": "2.0.0"}}}"#;

#[test]
fn flaws_are_told_with_the_version_that_has_none_of_them() {
    let project = Project::new();
    project.feed("npm");
    project.file("app/package-lock.json", LOCK);
    // What lies below belongs to others.
    project.file("app/node_modules/x/package-lock.json", LOCK);
    let output = project.audit(&[]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}{}", stderr(&output));
    // 1.2.0 ends two of them and has a third one: 1.3.1 has none.
    assert!(text.contains("leaky 1.0.5: 2 known flaws; 1.3.1 has none of them"), "{text}");
    assert!(text.contains("A-1, B-1, CVE-2026-1: fixed in 1.2.0"), "{text}");
    assert!(text.contains("2 known flaws in 2 libraries of 1 place. 1 notice more"), "{text}");
    assert!(!text.contains("tight"), "{text}");
    let all = stdout(&project.audit(&["--all"]));
    assert!(all.contains("leaky 1.0.5: unmaintained (N-1)"), "{all}");

    project.file("app/package-lock.json", &LOCK.replace("1.0.5", "1.3.1"));
    let output = project.audit(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert!(stdout(&output).starts_with("No known flaw in 2 libraries"), "{}", stdout(&output));
}

#[test]
fn other_programs_can_read_it() {
    let project = Project::new();
    project.feed("npm");
    project.file("app/package-lock.json", LOCK);
    let osv: Value = serde_json::from_str(&stdout(&project.audit(&["--format=osv"]))).unwrap();
    let package = &osv["results"][0]["packages"][0];
    assert_eq!(package["package"]["name"], "leaky");
    assert_eq!(package["vulnerabilities"].as_array().unwrap().len(), 4);
    assert_eq!(package["groups"][0]["ids"], serde_json::json!(["A-1", "B-1"]));
    let sarif: Value = serde_json::from_str(&stdout(&project.audit(&["--format=sarif"]))).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "A-1");
    let place = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert!(place.as_str().unwrap().ends_with("/app/package-lock.json"), "{place}");
    let json: Value = serde_json::from_str(&stdout(&project.audit(&["--format=json"]))).unwrap();
    assert_eq!(json["schema"], "polder-audit/1");
    assert_eq!(json["files"][0]["upgrades"][0]["free"], "1.3.1");
}

#[test]
fn what_cannot_be_told_is_unknown_and_never_clean() {
    let project = Project::new();
    project.file("app/package-lock.json", &LOCK.replace("leaky", "solid"));
    let because = |wanted: &str| {
        let output = project.audit(&[]);
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(3), "{text}");
        assert!(text.contains(wanted), "{text}");
    };
    because("npm: no feed of known flaws covers npm");
    project.feed("npm");
    project.file("app/Gemfile.lock", "GEM\n  specs:\n    rack (3.0)\n");
    because("RubyGems: no feed of known flaws covers RubyGems");
    fs::remove_file(project.folder.path().join("app/Gemfile.lock")).unwrap();
    let path = project.file("app/sub/package-lock.json", "{\"lockfileVersion\":");
    because("it cannot be read");
    fs::remove_file(path).unwrap();
    assert_eq!(project.audit(&[]).status.code(), Some(0));

    fs::remove_file(project.folder.path().join("app/package-lock.json")).unwrap();
    let output = project.audit(&[]);
    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
    assert!(stderr(&output).contains("no lock file was found"), "{}", stderr(&output));
}

#[test]
fn a_root_in_a_folder_is_read_like_the_own_one() {
    let project = Project::new();
    project.feed("npm");
    project.file("image/srv/app/package-lock.json", LOCK);
    let root = format!("--root={}", project.folder.path().join("image").display());
    let output = run(&["audit", &root, "/srv", &project.state()]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}{}", stderr(&output));
    assert!(text.contains("/srv/app/package-lock.json: 2 libraries"), "{text}");
}

#[test]
fn no_library_is_taken_for_a_secret_or_cut_off() {
    let project = Project::new();
    project.feed("PyPI");
    // Names with words that mark secrets, and more lines than are searched for secrets.
    let mut text = String::from("password-strength==0.0.3\ntoken-auth==1.0\n");
    (0..600_000).for_each(|at| text.push_str(&format!("lib-{at}==1.0\n")));
    text.push_str("leaky==1.0.5\n");
    project.file("app/requirements.txt", &text);
    let output = project.audit(&["--format=json"]);
    let json: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(json["files"][0]["libraries"], 600_003);
    assert_eq!(json["files"][0]["upgrades"][0]["name"], "leaky");
}

#[test]
fn a_link_called_like_a_lock_file_is_said() {
    let project = Project::new();
    project.feed("npm");
    let real = project.file("elsewhere/package-lock.json", LOCK);
    project.file("app/sub/package-lock.json", &LOCK.replace("leaky", "solid"));
    std::os::unix::fs::symlink(real, project.folder.path().join("app/package-lock.json")).unwrap();
    let output = project.audit(&[]);
    assert_eq!(output.status.code(), Some(3), "{}", stdout(&output));
    assert!(stdout(&output).contains("it is no plain file"), "{}", stdout(&output));
}
