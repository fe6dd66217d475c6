//! Real feeds against independent answers: dpkg, rpm, the records' own lists of versions, FIRST's
//! calculator.
//!
//! The data lies beside the repository in `shared`, or where `POLDER_TEST_DATA` says.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test may panic, and reads its data"
)]

mod support;

use polder_advisories::{Content, FlawFeed, Order, Rule, read, severity};
use polder_model::version::{deb, rpm};
use serde_json::Value;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};
use support::data;

/// Pairs that dpkg is asked about: each takes it a millisecond.
const DPKG_PAIRS: usize = 16_000;

fn flaws(path: &str) -> Option<FlawFeed> {
    let contents = read(&std::fs::read(data(path)?).unwrap()).unwrap();
    match contents.into_iter().next() {
        Some(Content::Flaws(feed)) => Some(feed),
        other => panic!("{other:?}"),
    }
}

/// Every two versions of one package in the feed.
fn pairs(feed: &FlawFeed) -> Vec<(String, String)> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in &feed.rows {
        if let Rule::Before(fixed) = row.rule() {
            versions.entry(&row.package).or_default().push(fixed);
        }
    }
    let mut pairs = BTreeSet::new();
    for list in versions.values() {
        for (at, version) in list.iter().enumerate() {
            for other in list.iter().skip(at + 1) {
                pairs.insert(((*version).to_string(), (*other).to_string()));
            }
        }
    }
    pairs.into_iter().collect()
}

#[test]
fn debian_versions_are_ordered_as_dpkg_orders_them() {
    let mut all = Vec::new();
    for file in ["debian_12", "ubuntu_16.04", "ubuntu_22.04"] {
        let Some(feed) = flaws(&format!("feeds/greenbone/{file}.notus.gz")) else { return };
        all.extend(pairs(&feed));
    }
    let step = (all.len() / DPKG_PAIRS).max(1);
    let some: Vec<&(String, String)> = all.iter().step_by(step).collect();
    let ask = |part: &[&(String, String)]| {
        for (left, right) in part {
            let holds = |word: &str| {
                let status =
                    Command::new("dpkg").args(["--compare-versions", left, word, right]).status();
                status.unwrap().success()
            };
            let wanted = match holds("lt") {
                true => Ordering::Less,
                false if holds("eq") => Ordering::Equal,
                false => Ordering::Greater,
            };
            assert_eq!(deb::compare(left, right), wanted, "{left} {right}");
        }
    };
    std::thread::scope(|scope| {
        some.chunks(some.len().div_ceil(4)).for_each(|part| {
            scope.spawn(move || ask(part));
        });
    });
    assert!(some.len() >= DPKG_PAIRS);
    eprintln!("{} of {} pairs compared with dpkg", some.len(), all.len());
}

#[test]
fn rpm_versions_are_ordered_as_rpm_orders_them() {
    // Versions of one package in different distributions are the hardest to compare.
    let Some(mut feed) = flaws("feeds/greenbone/fedora_42.notus.gz") else { return };
    for file in ["opensuse_leap_15.5", "openeuler_24.03_lts_sp2"] {
        let Some(other) = flaws(&format!("feeds/greenbone/{file}.notus.gz")) else { return };
        feed.rows.extend(other.rows);
    }
    let all = pairs(&feed);
    let mut script = String::new();
    for (left, right) in &all {
        // rpm compares versions and releases apart.
        let split = |text: &str| {
            let (version, release) = text.rsplit_once('-').unwrap();
            (version.to_string(), release.to_string())
        };
        let ((a, b), (c, d)) = (split(left), split(right));
        script.push_str(&format!(
            "local v = rpm.vercmp('{a}','{c}'); if v == 0 then v = rpm.vercmp('{b}','{d}') end; print(v .. ' ')\n"
        ));
    }
    let file = std::env::temp_dir().join(format!("polder-rpm-{}.lua", std::process::id()));
    std::fs::write(&file, script.replace("local v", "v")).unwrap();
    let macro_text = format!("%{{lua: dofile('{}')}}", file.display());
    let output = Command::new("rpm").args(["--eval", &macro_text]).stderr(Stdio::null()).output();
    std::fs::remove_file(&file).unwrap();
    let Ok(output) = output else {
        eprintln!("SKIPPED: rpm is not installed");
        return;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<i32> = text.split_whitespace().filter_map(|it| it.parse().ok()).collect();
    assert_eq!(
        answers.len(),
        all.len(),
        "rpm answered something else: {}",
        &text[..text.len().min(200)]
    );
    for ((left, right), answer) in all.iter().zip(answers) {
        assert_eq!(rpm::compare(left, right), answer.cmp(&0), "{left} {right}");
    }
    assert!(all.len() > 5_000);
    eprintln!("{} pairs compared with rpm", all.len());
}

#[test]
fn every_vector_has_the_score_of_the_reference_calculator() {
    let Some(path) = data("cvss/vectors.json") else { return };
    let all: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut count = 0;
    for (list, vectors) in all["vectors"].as_object().unwrap() {
        for entry in vectors.as_array().unwrap() {
            let vector = entry[0].as_str().unwrap();
            let wanted: Vec<f64> =
                entry[1].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
            let found = severity(vector).unwrap_or_else(|| panic!("{vector} is not read")).score;
            assert!(
                (found - wanted[0]).abs() < 1e-9,
                "{list}: {vector} is {found}, not {wanted:?}"
            );
            if let Ok(cvss::Cvss::CvssV30(it) | cvss::Cvss::CvssV31(it)) = vector.parse()
                && let Some(wanted) = entry[1][2].as_f64()
            {
                let found = it.environmental_score().roundup().value();
                assert!((found - wanted).abs() < 1e-9, "{vector} is {found}, not {wanted}");
            }
            count += 1;
        }
    }
    assert!(count > 2_800, "{count}");
}

#[test]
fn ranges_of_python_records_give_their_own_lists_of_versions() {
    let Some(path) = data("feeds/pypa/vulns-yaml.tar.gz") else { return };
    let contents = read(&std::fs::read(path).unwrap()).unwrap();
    let [Content::Flaws(feed)] = &contents[..] else { panic!("{} parts", contents.len()) };
    assert_eq!((feed.covers.as_str(), feed.order), ("PyPI", Order::Pep440));
    // Every version that any record lists of a package is judged by each of its records: by the
    // ranges alone it must come out as the record's own list says.
    let mut known: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let rules: Vec<(&str, &str, Rule<'_>)> = feed
        .rows
        .iter()
        .map(|it| {
            let id = feed.advisories[it.advisory as usize].id.as_str();
            (it.package.as_str(), id, it.rule())
        })
        .collect();
    for (package, _, rule) in &rules {
        if let Rule::Listed { versions, .. } = rule {
            known.entry(package).or_default().extend(versions);
        }
    }
    let (mut same, mut different, mut unread) = (0_u64, Vec::new(), 0_u64);
    for (package, id, rule) in &rules {
        let Rule::Listed { spans, versions } = rule else { continue };
        if spans.is_empty() {
            continue;
        }
        let by_range = Rule::Listed { spans: spans.clone(), versions: Vec::new() };
        let listed: BTreeSet<&str> = versions.iter().copied().collect();
        for version in &known[package] {
            match by_range.has_flaw(Order::Pep440, version) {
                Some(has) if has == listed.contains(version) => same += 1,
                Some(_) => different.push(format!("{id} {package} {version}")),
                None => unread += 1,
            }
        }
    }
    eprintln!("{same} verdicts equal, {} different, {unread} unreadable", different.len());
    different.iter().take(40).for_each(|it| eprintln!("  {it}"));
    assert!(same > 200_000, "{same}");
    assert!((different.len() as f64) < same as f64 * 0.01, "{}", different.len());
}

#[test]
fn rust_records_know_what_their_ranges_say() {
    let Some(path) = data("feeds/rustsec/osv-crates.tar.gz") else { return };
    let contents = read(&std::fs::read(path).unwrap()).unwrap();
    let [Content::Flaws(feed)] = &contents[..] else { panic!("{} parts", contents.len()) };
    assert_eq!((feed.covers.as_str(), feed.order), ("crates.io", Order::Semver));
    assert!(feed.advisories.len() > 1_000, "{}", feed.advisories.len());
    let rule = |id: &str| {
        let at = feed.advisories.iter().position(|it| it.id == id).unwrap();
        feed.rows.iter().find(|it| it.advisory as usize == at).unwrap().rule()
    };
    let smallvec = rule("RUSTSEC-2021-0003");
    for (version, has) in [
        ("0.6.2", false),
        ("0.6.3", true),
        ("0.6.13", true),
        ("0.6.14", false),
        ("1.0.0", true),
        ("1.6.1", false),
    ] {
        assert_eq!(smallvec.has_flaw(Order::Semver, version), Some(has), "{version}");
    }
}

#[test]
fn truncated_feeds_are_damaged_not_short() {
    for path in [
        "feeds/greenbone/debian_12.notus.gz",
        "feeds/kev/known_exploited_vulnerabilities.json.gz",
        "feeds/rustsec/osv-crates.tar.gz",
    ] {
        let Some(path) = data(path) else { return };
        let bytes = std::fs::read(&path).unwrap();
        for share in [3, 2] {
            assert!(
                read(&bytes[..bytes.len() * (share - 1) / share]).is_err(),
                "{}",
                path.display()
            );
        }
        // Unpacked and cut: no checksum of gzip helps.
        let mut plain = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut plain)
            .unwrap();
        plain.truncate(plain.len() * 2 / 3);
        assert!(read(&plain).is_err(), "{} cut after unpacking", path.display());
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&plain).unwrap();
        assert!(
            read(&packed.finish().unwrap()).is_err(),
            "{} cut and packed again",
            path.display()
        );
    }
}
