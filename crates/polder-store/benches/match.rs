//! A host of eight thousand packages against the known flaws of its release.
//!
//! The data lies beside the repository in `shared`, or where `POLDER_TEST_DATA` says.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints"
)]

use polder_advisories::{Content, Feeds, covers, match_host, read, release_of};
use polder_model::facts::{Facts, Package, System};
use polder_model::{Table, Timestamp};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Runs of each step; the fastest counts.
const RUNS: usize = 20;

fn main() {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let data = std::env::var_os("POLDER_TEST_DATA").map_or(beside, PathBuf::from);
    let feeds = data.join("feeds");
    if !feeds.is_dir() {
        println!("not measured: {} is not there", feeds.display());
        return;
    }
    let files = [
        "greenbone/debian_12.notus.gz",
        "greenbone/debian_advisories_2022-2025.json.gz",
        "greenbone/ubuntu_16.04.notus.gz",
        "greenbone/ubuntu_18.04.notus.gz",
        "greenbone/ubuntu_20.04.notus.gz",
        "greenbone/ubuntu_22.04.notus.gz",
        "rustsec/osv-crates.tar.gz",
        "pypa/vulns-yaml.tar.gz",
        "kev/known_exploited_vulnerabilities.json.gz",
    ];
    let folder = std::env::temp_dir().join(format!("polder-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let index = polder_store::Feeds::of(&folder);
    let start = Instant::now();
    for file in files {
        index.import(&feeds.join(file), 1_758_500_000, false).unwrap();
    }
    println!(
        "index of {} feeds: {:.1} MB, built in {:.2} s",
        files.len(),
        std::fs::metadata(index.path()).unwrap().len() as f64 / 1e6,
        start.elapsed().as_secs_f64()
    );
    let facts = host(&feeds.join(files[0]));
    let release = release_of(&facts);
    let (mut opened, mut matched, mut found) = (f64::INFINITY, f64::INFINITY, 0);
    for _ in 0..RUNS {
        let start = Instant::now();
        let sections = index.sections(|it| covers(it, release.as_deref())).unwrap();
        let feeds = Feeds::of(&sections).unwrap();
        opened = opened.min(start.elapsed().as_secs_f64());
        found = match_host(&facts, &feeds).rows.len();
        matched = matched.min(start.elapsed().as_secs_f64());
    }
    std::fs::remove_dir_all(&folder).unwrap();
    println!(
        "{} packages against 18,962 rows: opened in {:.1} ms, matched in {:.1} ms in all, {found} flaws",
        facts.packages.rows.len(),
        opened * 1e3,
        matched * 1e3
    );
}

/// Eight thousand packages of a feed, one in ten older than its last fix.
fn host(feed: &Path) -> Facts {
    let contents = read(&std::fs::read(feed).unwrap()).unwrap();
    let Some(Content::Flaws(feed)) = contents.first() else { return Facts::default() };
    let mut packages: Vec<String> = feed.rows.iter().map(|it| it.package.clone()).collect();
    packages.sort();
    packages.dedup();
    packages.truncate(8_000);
    // Packages that one advisory names come from one source.
    let mut source_of: HashMap<&str, &str> = HashMap::new();
    for row in &feed.rows {
        let first = feed.rows.iter().find(|it| it.advisory == row.advisory);
        source_of.entry(&row.package).or_insert(first.map_or("", |it| &it.package));
    }
    let package = |(number, name): (usize, String)| Package {
        source: source_of.get(name.as_str()).map_or_else(String::new, |it| (*it).to_string()),
        name,
        version: if number % 10 == 0 { "0~".into() } else { "9999:1".into() },
        ..Package::default()
    };
    let system = System { os_id: "debian".into(), os_version: "12".into(), ..System::default() };
    Facts {
        taken: Timestamp(1_758_600_000),
        system: Table::complete(vec![system]),
        packages: Table::complete(packages.into_iter().enumerate().map(package).collect()),
        ..Facts::default()
    }
}
