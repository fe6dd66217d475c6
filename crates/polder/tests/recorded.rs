//! The recorded servers: the same answer each time, and the right one.
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

use polder_host::read_archive;
use polder_model::{EdgeId, Settings};
use polder_risk::{Options, Request, price};
use serde_json::Value;
use std::collections::BTreeSet;
use support::{configuration, polder, recorded, run, stderr, stdout};

const HOSTS: [&str; 4] = ["shop-neglected", "shop-kept", "database", "rpm-root"];

#[track_caller]
fn assess(name: &str, format: &str) -> (String, Option<i32>) {
    let output = run(&["assess", "--from", &recorded(name), "--config", &configuration(), format]);
    (stdout(&output), output.status.code())
}

#[track_caller]
fn view(name: &str) -> Value {
    serde_json::from_str(&assess(name, "--json").0).unwrap()
}

fn ids(view: &Value) -> BTreeSet<String> {
    view["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["finding"]["id"].as_str().unwrap().to_string())
        .collect()
}

#[test]
fn two_runs_and_any_number_of_threads_give_the_same_bytes() {
    for name in HOSTS {
        let (first, _) = assess(name, "--json");
        let mut single =
            polder(&["assess", "--from", &recorded(name), "--config", &configuration(), "--json"]);
        let single = single.env("RAYON_NUM_THREADS", "1").output().unwrap();
        assert_eq!(first, assess(name, "--json").0, "{name}");
        assert_eq!(first, stdout(&single), "{name}, one thread");
    }
}

#[test]
fn the_neglected_shop_is_found_out() {
    let view = view("shop-neglected");
    assert_eq!(view["ending"], "above_appetite");
    let ids = ids(&view);
    for id in [
        "expose/unauthenticated:listener:tcp/5432",
        "expose/ssh-password:sshd",
        "least-access/open-server:postgresql:15/main",
        "least-access/becomes-root:deploy",
        "least-access/foreign-privilege:/usr/local/bin/rescue",
        "least-access/writable-by-another:/opt/scripts/backup.sh",
        "least-access/readable-credential:/srv/shop/.env",
        "patch/running-old:nginx",
        "drill/destroyable:backup",
        "watch/no-integrity:files",
    ] {
        assert!(ids.contains(id), "{id} is missing in {ids:?}");
    }
}

#[test]
fn the_well_kept_shop_lies_in_the_published_band() {
    let view = view("shop-kept");
    let mean = view["any"]["mean"].as_f64().unwrap();
    assert!((0.003..=0.06).contains(&mean), "{mean}");
    assert_eq!(view["ending"], "within_appetite");
    let ids = ids(&view);
    for kind in ["expose/", "watch/", "patch/", "least-access/readable-credential"] {
        assert!(!ids.iter().any(|it| it.starts_with(kind)), "{kind} in {ids:?}");
    }
}

#[test]
fn a_firewall_counts_on_the_database_host() {
    let view = view("database");
    let ids = ids(&view);
    assert!(ids.contains("expose/unauthenticated:listener:tcp/6379"), "{ids:?}");
    // Port 3306 is open to the web server alone, and needs no password from anywhere.
    assert!(ids.contains("least-access/account-without-password:mariadb:3306"), "{ids:?}");
    assert!(ids.contains("least-access/becomes-root:grace"), "{ids:?}");
}

#[test]
fn what_was_never_fetched_is_unknown_and_never_clean() {
    let output = run(&["assess", "--all", "--from", &recorded("rpm-root")]);
    assert_eq!(output.status.code(), Some(3));
    let says = stdout(&output);
    assert!(says.contains("/var/cache/dnf/invented-*"), "{says}");
    assert!(assess("rpm-root", "--json").0.contains("dnf makecache --refresh"));
}

#[test]
fn removing_any_edge_of_a_recorded_host_never_raises_a_risk() {
    let options = Options { blocks: 16, worlds_per_block: 64, ..Options::default() };
    for name in ["shop-kept", "database"] {
        let host = read_archive(recorded(name).as_ref()).unwrap();
        let facts = polder_facts::look(&host, &|_| {});
        let model = polder_practices::judge(&facts, &Settings::default());
        let request = Request::first(0);
        let before = price(&model.graph, model.restore, &[], &request, options);
        let edges: Vec<EdgeId> = model.graph.edges().map(|it| it.id.clone()).collect();
        for edge in edges {
            let mut less = model.clone();
            less.graph.remove_edge(&edge);
            let after = price(&less.graph, less.restore, &[], &request, options);
            assert!(after.any.mean <= before.any.mean + 1e-12, "{name} without {edge}");
        }
    }
}

#[test]
fn every_finding_can_be_explained_and_has_its_evidence_and_treatment() {
    for name in HOSTS {
        let view = view(name);
        for line in view["findings"].as_array().unwrap() {
            let finding = &line["finding"];
            assert!(!finding["evidence"].as_array().unwrap().is_empty(), "{}", finding["id"]);
            assert!(!line["why"].as_str().unwrap().is_empty(), "{}", finding["id"]);
            let treatments = finding["treatments"].as_array().unwrap();
            assert!(
                !treatments.is_empty() || finding["untreatable"].is_string(),
                "{}",
                finding["id"]
            );
            for treatment in treatments {
                assert!(!treatment["steps"].as_array().unwrap().is_empty(), "{}", treatment["id"]);
                assert!(!treatment["undo"].as_array().unwrap().is_empty(), "{}", treatment["id"]);
                assert!(!treatment["verify"].as_str().unwrap().is_empty(), "{}", treatment["id"]);
            }
        }
    }
    let output =
        run(&["explain", "1", "--from", &recorded("shop-neglected"), "--config", &configuration()]);
    assert!(stdout(&output).contains("undo"), "{}", stderr(&output));
}

#[test]
fn the_first_screen_fits_a_terminal() {
    for name in HOSTS {
        let output = run(&["assess", "--from", &recorded(name), "--config", &configuration()]);
        let text = stdout(&output);
        assert!(text.lines().count() <= 45, "{name} has {} lines", text.lines().count());
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{name}");
        assert!(text.is_ascii(), "{name}");
    }
}

#[test]
fn recordings_hold_no_secret_of_known_form() {
    for name in HOSTS {
        let host = read_archive(recorded(name).as_ref()).unwrap();
        let text = format!("{:?}", host.answers);
        for form in [
            "$y$",
            "$6$",
            "BEGIN OPENSSH PRIVATE KEY-----\\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAE",
            "AAAAC3NzaC1lZDI1NTE5",
        ] {
            assert!(!text.contains(form), "{name} holds {form}");
        }
    }
}

#[test]
fn waiting_updates_of_recorded_indices_are_those_of_apt() {
    let mut compared = 0;
    for name in ["shop-neglected", "shop-kept", "database"] {
        let path = support::repository().join("tests/hosts").join(format!("{name}.apt"));
        let theirs: BTreeSet<String> = std::fs::read_to_string(path)
            .unwrap()
            .lines()
            .filter_map(|line| {
                let (name, rest) = line.split_once('/')?;
                let candidate = rest.split(' ').nth(1)?;
                let installed = line.rsplit_once(": ")?.1.trim_end_matches(']');
                Some(format!("{name} {installed} {candidate}"))
            })
            .collect();
        let output = run(&["look", "candidates", "--json", "--quiet", "--from", &recorded(name)]);
        let table: Value = serde_json::from_slice(&output.stdout).unwrap();
        let fields = ["name", "installed", "candidate"];
        let ours: BTreeSet<String> = support::rows(&table)
            .iter()
            .map(|row| fields.map(|field| support::text(row, field)).join(" "))
            .collect();
        assert_eq!(ours, theirs, "{name}");
        compared += ours.len();
    }
    assert!(compared > 0, "nothing was compared");
}

#[test]
fn sarif_names_a_rule_for_every_result() {
    let log: Value = serde_json::from_str(&assess("shop-neglected", "--sarif").0).unwrap();
    let run = &log["runs"][0];
    let rules: BTreeSet<&str> = run["tool"]["driver"]["rules"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|it| it["id"].as_str())
        .collect();
    for result in run["results"].as_array().unwrap() {
        assert!(rules.contains(result["ruleId"].as_str().unwrap()));
    }
}
