//! Track records beside the advisories' own names of their sources.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may panic, and reads its data"
)]

mod support;

use polder_advisories::{Feeds, compile, covers, read, release_of, track_records};
use polder_model::facts::{Facts, Package, System, TrackRecord, Upgrade};
use polder_model::{Coverage, Table, Timestamp};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use support::data;

/// A Debian 12 with these packages: name, source, version.
fn host(packages: &[(String, String, String)], taken: i64) -> Facts {
    let mut facts = Facts { taken: Timestamp(taken), ..Facts::default() };
    let system = System { os_id: "debian".into(), os_version: "12".into(), ..System::default() };
    facts.system = Table::with(Coverage::Complete, vec![system]);
    let package = |(name, source, version): &(String, String, String)| Package {
        name: name.clone(),
        source: source.clone(),
        source_version: version.clone(),
        version: version.clone(),
        architecture: "amd64".into(),
        held: false,
        origins: Vec::new(),
        manager: "dpkg".into(),
    };
    facts.packages = Table::with(Coverage::Complete, packages.iter().map(package).collect());
    facts
}

fn records(facts: &Facts, texts: &[&[u8]]) -> BTreeMap<String, TrackRecord> {
    let mut sections = Vec::new();
    for text in texts {
        for content in read(text).unwrap() {
            sections.push(compile(&content, "a feed", "", facts.taken.0).unwrap());
        }
    }
    let release = release_of(facts);
    sections.retain(|(info, _)| covers(info, release.as_deref()));
    let table = track_records(facts, &Feeds::of(&sections).unwrap());
    table.rows.into_iter().map(|it| (it.source.clone(), it)).collect()
}

#[test]
fn each_source_has_the_advisories_that_name_it() {
    let Some(notus) = data("feeds/greenbone/debian_12.notus.gz") else { return };
    let Some(names) = data("feeds/greenbone/debian_advisories_2022-2025.json.gz") else { return };
    let Some(kev) = data("feeds/kev/known_exploited_vulnerabilities.json.gz") else { return };
    let [notus, names, kev] = [notus, names, kev].map(|it| std::fs::read(it).unwrap());
    let json = |bytes: &[u8]| -> Value {
        let mut text = String::new();
        flate2::read::GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let told: BTreeMap<String, Value> = json(&names)
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["oid"].as_str().unwrap().to_string(), it.clone()))
        .collect();
    let day = |it: &Value| it["creation_date"].as_str().unwrap()[..10].to_string();
    let newest = json(&notus)["advisories"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| day(&told[it["oid"].as_str().unwrap()]))
        .max()
        .unwrap();
    let end: jiff::civil::Date = newest.parse().unwrap();
    let start = end.checked_sub(jiff::Span::new().days(729)).unwrap().to_string();
    let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut packages = BTreeSet::new();
    for advisory in json(&notus)["advisories"].as_array().unwrap() {
        let oid = advisory["oid"].as_str().unwrap();
        let source = told[oid]["source"].as_str().unwrap().to_string();
        for package in advisory["fixed_packages"].as_array().unwrap() {
            let name = package["name"].as_str().unwrap().to_string();
            packages.insert((name, source.clone(), "99999:1".to_string()));
        }
        if day(&told[oid]) > start {
            wanted.entry(source).or_default().insert(oid.to_string());
        }
    }
    let packages: Vec<_> = packages.into_iter().collect();
    let taken = end.at(12, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
    let records = records(&host(&packages, taken.as_second()), &[&notus, &names, &kev]);
    let mut differ = Vec::new();
    for (source, advisories) in &wanted {
        let found = records.get(source).map_or(0, |it| it.advisories as usize);
        if found != advisories.len() {
            differ.push(format!("{source}: {found}, not {}", advisories.len()));
        }
    }
    println!("{} sources, {} differ: {differ:?}", wanted.len(), differ.len());
    let worst = records.values().filter(|it| it.is_worst_tenth).count();
    println!("{worst} among the worst tenth of {}", records.len());
    for source in ["php8.2", "ghostscript", "bind9", "exim4", "tomcat10", "roundcube", "mediawiki"]
    {
        println!(
            "{source}: {:?}",
            records.get(source).map(|it| (
                it.advisories,
                it.remote,
                it.exploited,
                it.is_worst_tenth
            ))
        );
    }
    assert!(differ.is_empty(), "{differ:?}");
}

#[test]
fn days_without_the_fix_are_those_of_the_log_or_count_on() {
    let day = 86_400;
    let taken = 20_000 * day;
    let notus = r#"{"package_type": "deb", "product_name": "Debian 12", "advisories": [
        {"oid": "1", "fixed_packages": [{"name": "a", "full_version": "2", "specifier": ">="}, {"name": "b", "full_version": "2", "specifier": ">="}, {"name": "c", "full_version": "2", "specifier": ">="}]},
        {"oid": "2", "fixed_packages": [{"name": "x", "full_version": "2", "specifier": ">="}]}]}"#;
    let date = |at: i64| {
        let at = jiff::Timestamp::from_second(at).unwrap();
        at.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
    };
    let names = format!(
        r#"[{{"oid": "1", "advisory_id": "DSA-1-1", "cves": ["CVE-2024-0001"], "creation_date": "{0}"}},
            {{"oid": "2", "advisory_id": "DSA-2-1", "cves": ["CVE-2024-0002"], "creation_date": "{0}"}}]"#,
        date(taken - 40 * day)
    );
    let package = |name: &str, version: &str| (name.to_string(), name.to_string(), version.into());
    let mut facts =
        host(&[package("a", "3"), package("b", "1"), package("c", "3"), package("x", "1")], taken);
    let upgrade = |name: &str, at: i64, from: &str, to: &str| Upgrade {
        when: Timestamp(at),
        name: name.into(),
        from: from.into(),
        to: to.into(),
    };
    // `a` was upgraded ten days after the advisory, `b` never, and of `c` the log tells nothing.
    facts.upgrades = Table::with(
        Coverage::Complete,
        vec![upgrade("a", taken - 30 * day, "1", "2"), upgrade("a", taken - day, "2", "3")],
    );
    let records = records(&facts, &[notus.as_bytes(), names.as_bytes()]);
    assert_eq!(records["a"].days_unfixed, Some(10));
    assert_eq!(records["b"].days_unfixed, Some(40));
    assert_eq!((records["c"].days_unfixed, records["c"].days_measured), (None, 0));
}
