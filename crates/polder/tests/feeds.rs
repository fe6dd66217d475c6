//! Feeds from the command line: imported, shown, checked, explained; never silently wrong.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic, and writes the files it imports"
)]

mod support;

use serde_json::Value;
use std::fs;
use std::path::Path;
use support::{recorded, run, stderr, stdout};

/// A flaw in the shell of the recorded server that attackers use, and one that it does not have.
const NOTUS: &str = r#"{"package_type": "deb", "product_name": "Debian 12", "advisories": [
 {"oid": "1.2.3", "fixed_packages": [
   {"name": "openssh-server", "full_version": "1:99-1", "specifier": ">="},
   {"name": "openssh-server-udeb", "full_version": "1:99-1", "specifier": ">="}]},
 {"oid": "1.2.4", "fixed_packages": [{"name": "openssh-server", "full_version": "1:1-1", "specifier": ">="}]},
 {"oid": "1.2.5", "fixed_packages": [
   {"name": "openssh-server", "full_version": "1:9.2p1-2+deb12u3", "specifier": ">="}]}]}"#;

const NAMES: &str = r#"[
 {"oid": "1.2.3", "advisory_id": "DSA-9001-1", "cves": ["CVE-2026-9001"], "creation_date": "2026-11-01",
  "severity_vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"},
 {"oid": "1.2.4", "advisory_id": "DSA-9002-1", "cves": ["CVE-2026-9002"], "creation_date": "2026-11-01",
  "severity_vector": null}]"#;

const EXPLOITED: &str = r#"{"catalogVersion": "1", "count": 1, "vulnerabilities": [
 {"cveID": "CVE-2026-9001", "dateAdded": "2026-11-02", "dueDate": "2026-11-23"}]}"#;

struct State(tempfile::TempDir);

impl State {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn flag(&self) -> String {
        format!("--state={}", self.0.path().display())
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// With all three feeds.
    fn full() -> Self {
        let state = Self::new();
        let files =
            [state.file("notus", NOTUS), state.file("names", NAMES), state.file("kev", EXPLOITED)];
        let flag = state.flag();
        let output = run(&["feed", "import", &files[0], &files[1], &files[2], &flag]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        state
    }
}

#[test]
fn a_statement_takes_a_flaw_away_and_says_whose_it_is() {
    let state = State::full();
    let before = assess(&state);
    let ids = |view: &Value| -> Vec<String> {
        let findings = view["findings"].as_array().unwrap().iter();
        findings.filter_map(|it| it["finding"]["id"].as_str().map(str::to_string)).collect()
    };
    assert!(ids(&before).contains(&"patch/exploited:openssh".to_string()), "{:?}", ids(&before));
    let statement = |version: &str, status: &str, time: &str| {
        format!(
            r#"{{"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.org/vex", "author": "ada",
            "timestamp": "{time}", "statements": [{{"vulnerability": {{"name": "CVE-2026-9001"}}, "status": "{status}",
            "justification": "vulnerable_code_not_present", "products": [{{"@id": "pkg:deb/debian/openssh{version}"}}]}}]}}"#
        )
    };
    let import = |text: &str| {
        let file = state.file("vex", text);
        let output = run(&["feed", "import", &file, &state.flag()]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    };
    // Of another version nothing is said here.
    import(&statement("@1:0-1", "not_affected", "2026-11-01T00:00:00Z"));
    assert_eq!(ids(&assess(&state)), ids(&before));
    import(&statement("", "not_affected", "2026-11-02T00:00:00Z"));
    let after = assess(&state);
    assert!(!ids(&after).contains(&"patch/exploited:openssh".to_string()), "{:?}", ids(&after));
    let host = recorded("shop-kept");
    let looked = run(&["look", "flaws", "--json", "--quiet", "--from", &host, &state.flag()]);
    assert!(stdout(&looked).contains("ada states so: vulnerable_code_not_present"));
    // Of another architecture nothing is said.
    import(&statement("?arch=riscv64", "not_affected", "2026-11-02T10:00:00Z"));
    assert_eq!(ids(&assess(&state)), ids(&before));
    import(&statement("", "not_affected", "2026-11-03T09:00:00Z"));
    assert_ne!(ids(&assess(&state)), ids(&before));
    // Whoever thinks better of it says so later, be it on the same day.
    import(&statement("", "affected", "2026-11-03T15:00:00Z"));
    assert_eq!(ids(&assess(&state)), ids(&before));
}

#[test]
fn a_feed_can_be_taken_out_again() {
    let state = State::full();
    let output = run(&["feed", "remove", "Debian 13", &state.flag()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("nothing was removed"), "{}", stderr(&output));
    let output = run(&["feed", "remove", "debian 12", &state.flag()]);
    assert_eq!(stdout(&output).lines().count(), 1, "{}", stderr(&output));
    let status = stdout(&run(&["feed", "status", &state.flag()]));
    assert!(!status.contains("Debian 12") && status.contains("exploited"), "{status}");
}

fn assess(state: &State) -> Value {
    let host = recorded("shop-kept");
    let output =
        run(&["assess", "--json", "--quiet", "--no-history", "--from", &host, &state.flag()]);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)))
}

fn findings(view: &Value) -> Vec<&str> {
    let list = view["findings"].as_array().unwrap();
    list.iter().map(|it| it["finding"]["id"].as_str().unwrap()).collect()
}

#[test]
fn a_flaw_that_attackers_use_is_found_priced_and_explained() {
    let (without, state) = (assess(&State::new()), State::full());
    let with = assess(&state);
    assert!(!findings(&without).contains(&"patch/exploited:openssh"));
    assert!(findings(&with).contains(&"patch/exploited:openssh"), "{:?}", findings(&with));
    let says = with["findings"].to_string();
    assert!(says.contains("CISA BOD 26-04") && says.contains("CVE-2026-9001"), "{says}");
    assert!(with["any"]["mean"].as_f64() > without["any"]["mean"].as_f64(), "it costs nothing");

    let host = recorded("shop-kept");
    let explain =
        |id: &str| stdout(&run(&["explain", id, "--quiet", "--from", &host, &state.flag()]));
    let text = explain("cve-2026-9001");
    assert!(text.contains("fixed in 1:99-1") && text.contains("DSA-9001-1"), "{text}");
    assert!(text.contains("CISA's catalogue since 2026-11-02"), "{text}");
    assert!(text.contains("Not installed: openssh-server-udeb"), "{text}");
    assert!(explain("DSA-9002-1").contains("not affected"), "{}", explain("DSA-9002-1"));
    assert!(explain("CVE-1999-0001").contains("No feed that covers this host names it"));
}

#[test]
fn without_a_feed_a_flaw_is_not_known_rather_than_absent() {
    let state = State::new();
    let host = recorded("shop-kept");
    let output = run(&["explain", "CVE-2026-9001", "--from", &host, &state.flag()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("nothing is known of CVE-2026-9001"), "{}", stderr(&output));
    let output = run(&["look", "flaws", "--from", &host, &state.flag()]);
    assert_eq!(output.status.code(), Some(3), "an empty table that nobody filled is no answer");
    let output = run(&["feed", "verify", &state.flag()]);
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn one_bad_file_does_not_keep_out_the_others() {
    let state = State::new();
    let (bad, good) = (state.file("bad", "{\"advisories\": "), state.file("good", NOTUS));
    let output = run(&["feed", "import", &bad, &good, &state.flag()]);
    assert_ne!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("damaged or cut short"), "{}", stderr(&output));
    let status = run(&["feed", "status", "--json", &state.flag()]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["sections"][0]["covers"], "Debian 12");
    assert_eq!(status["sections"][0]["rows"], 4);
}

#[test]
fn a_damaged_index_is_unknown_and_never_no_flaws() {
    let state = State::full();
    let index = state.0.path().join("known-flaws.index");
    let whole = fs::read(&index).unwrap();
    for bytes in [&whole[..whole.len() - 9], &whole[..20], b"something else"] {
        fs::write(&index, bytes).unwrap();
        let view = assess(&state);
        let unknowns = view["unknowns"].to_string();
        assert!(unknowns.contains("flaws that the feeds do not know of"), "{unknowns}");
        let output = run(&["feed", "verify", &state.flag()]);
        assert_eq!(output.status.code(), Some(3), "{}", stdout(&output));
    }
    assert!(Path::new(&index).is_file());
}

#[test]
fn a_feed_without_dates_or_names_is_not_complete() {
    let state = State::new();
    let notus = state.file("notus", NOTUS);
    assert_eq!(run(&["feed", "import", &notus, &state.flag()]).status.code(), Some(0));
    let unknowns = assess(&state)["unknowns"].to_string();
    assert!(unknowns.contains("does not name them"), "{unknowns}");
    let host = recorded("shop-kept");
    let output = run(&["explain", "CVE-2026-9001", "--from", &host, &state.flag()]);
    assert!(stdout(&output).contains("does not name them"), "{}", stdout(&output));

    let tracker = r#"{"openssh": {"CVE-2026-9001": {"releases": {"bookworm":
        {"status": "open", "urgency": "high"}}}, "CVE-2026-9002": {"releases": {"bookworm":
        {"status": "undetermined", "urgency": "not yet assigned"}}}}}"#;
    let state = State::new();
    let (tracker, kev) = (state.file("tracker", tracker), state.file("kev", EXPLOITED));
    assert_eq!(run(&["feed", "import", &tracker, &kev, &state.flag()]).status.code(), Some(0));
    let unknowns = assess(&state)["unknowns"].to_string();
    assert!(unknowns.contains("has no dates"), "{unknowns}");
    let explain =
        |id: &str| stdout(&run(&["explain", id, "--quiet", "--from", &host, &state.flag()]));
    assert!(explain("CVE-2026-9001").contains("no fix: not fixed yet"));
    assert!(explain("CVE-2026-9002").contains("has not looked"), "{}", explain("CVE-2026-9002"));
    assert!(!explain("CVE-2026-900").contains("openssh"), "it asked for another flaw");
}

#[test]
fn what_a_feed_says_cannot_command_a_terminal() {
    let state = State::new();
    let hostile = NOTUS.replace("Debian 12", "Debian \\u001b]0;x\\u0007 12");
    let lines = format!("cve,epss,percentile\n{}", "\u{1b}[2J,9,9\n".repeat(9));
    let files =
        [state.file("a", &hostile), state.file("b", &lines), state.file("c\u{1b}[2J", NOTUS)];
    let output = run(&["feed", "import", &files[0], &files[1], &files[2], &state.flag()]);
    let status = run(&["feed", "status", &state.flag()]);
    for text in [stdout(&output), stderr(&output), stdout(&status)] {
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}

#[test]
fn two_imports_at_once_lose_nothing() {
    let state = State::new();
    let files =
        [state.file("notus", NOTUS), state.file("names", NAMES), state.file("kev", EXPLOITED)];
    let flag = state.flag();
    let import = |file: &String| {
        support::polder(&["feed", "import", file, &flag])
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut running: Vec<_> = files.iter().chain(&files).chain(&files).map(import).collect();
    assert!(running.iter_mut().all(|it| it.wait().unwrap().success()));
    let status = run(&["feed", "status", "--json", &flag]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["sections"].as_array().unwrap().len(), 3, "{status}");
}

#[test]
fn an_old_feed_says_so() {
    let state = State::new();
    let old = NAMES.replace("2026-11-01", "2025-01-01");
    let files = [state.file("notus", NOTUS), state.file("names", &old)];
    assert_eq!(
        run(&["feed", "import", &files[0], &files[1], &state.flag()]).status.code(),
        Some(0)
    );
    let unknowns = assess(&state)["unknowns"].to_string();
    assert!(unknowns.contains("days old"), "{unknowns}");
}

#[test]
fn what_is_installed_is_written_for_other_programs() {
    let (state, host) = (State::full(), recorded("shop-kept"));
    let write = |format: &str| -> Value {
        let output = run(&["sbom", "--format", format, "--quiet", "--from", &host, &state.flag()]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)))
    };
    let look = run(&["look", "packages", "--json", "--quiet", "--from", &host]);
    let look: Value = serde_json::from_slice(&look.stdout).unwrap();
    let count = look["rows"].as_array().unwrap().len();
    assert!(count > 50, "{count}");

    let bill = write("cyclonedx");
    assert_eq!((&bill["bomFormat"], &bill["specVersion"]), (&"CycloneDX".into(), &"1.6".into()));
    let components = bill["components"].as_array().unwrap();
    assert_eq!(components.len(), count);
    let mut references: Vec<&str> =
        components.iter().map(|it| it["bom-ref"].as_str().unwrap()).collect();
    references.sort_unstable();
    references.dedup();
    assert_eq!(references.len(), count, "references must differ");

    let bill = write("spdx");
    assert_eq!(bill["spdxVersion"], "SPDX-2.3");
    assert_eq!(bill["packages"].as_array().unwrap().len(), count);
    assert_eq!(bill["relationships"].as_array().unwrap().len(), count);

    let vex = write("openvex");
    let statement = &vex["statements"][0];
    assert_eq!(statement["vulnerability"]["name"], "CVE-2026-9001");
    assert_eq!(statement["status"], "affected");
    let product = statement["products"][0]["@id"].as_str().unwrap();
    assert!(product.starts_with("pkg:deb/debian/openssh-server@1%3A9.2p1"), "{product}");
    assert!(statement["action_statement"].as_str().unwrap().contains("1:99-1"));

    // Without feeds a VEX document without statements would be read as "none".
    let empty = State::new();
    let output = run(&["sbom", "--format", "openvex", "--from", &host, &empty.flag()]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("no feed of known flaws"), "{}", stderr(&output));
}
