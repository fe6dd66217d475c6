//! Feeds that somebody damaged or made up: refused or read, never a panic.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test may panic")]

use polder_advisories::{
    Content, Index, Kind, Order, Rule, Section, Span, canaries, compile, read, severity,
};
use proptest::prelude::*;

/// One small feed of each kind.
const FEEDS: [&str; 8] = [
    r#"{"package_type": "deb", "product_name": "Debian 12", "advisories": [{"oid": "1.2", "fixed_packages": [{"name": "a", "full_version": "1:2.0-1~x", "specifier": ">="}]}]}"#,
    r#"[{"oid": "1.2", "advisory_id": "DSA-1-1", "source": "a", "cves": ["CVE-2026-1"], "creation_date": "2026-01-02", "severity_vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]"#,
    r#"{"catalogVersion": "1", "count": 1, "vulnerabilities": [{"cveID": "CVE-2026-1", "dateAdded": "2026-01-02", "dueDate": "2026-01-20", "knownRansomwareCampaignUse": "Known"}]}"#,
    r#"{"id": "RUSTSEC-2026-1", "aliases": ["CVE-2026-1"], "published": "2026-01-02T00:00:00Z", "affected": [{"package": {"ecosystem": "crates.io", "name": "a"}, "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.0.0"}, {"introduced": "2.0.0"}, {"last_affected": "2.1.0"}]}], "versions": ["0.5.0"]}]}"#,
    r#"{"a": {"CVE-2026-1": {"description": "x", "releases": {"bookworm": {"status": "open", "urgency": "low", "nodsa": "Minor", "nodsa_reason": "postponed"}}}}}"#,
    r#"{"@context": "https://openvex.dev/ns/v0.2.0", "@id": "x", "timestamp": "2026-01-02T03:04:05Z", "statements": [{"vulnerability": "CVE-2026-1", "status": "fixed", "products": ["pkg:rpm/redhat/b%2Bash@5.1?arch=x86_64&epoch=1"]}]}"#,
    r#"{"document": {"tracking": {"id": "A", "initial_release_date": "2026-01-02T00:00:00Z"}}, "product_tree": {"branches": [{"branches": [{"product": {"product_id": "b", "name": "b", "product_identification_helper": {"cpe": "cpe:/o:redhat:enterprise_linux:9::baseos"}}}]}, {"product": {"product_id": "l", "name": "l", "product_identification_helper": {"purl": "pkg:rpm/redhat/l@1-2?epoch=1"}}}], "relationships": [{"full_product_name": {"product_id": "b:l", "name": "x"}, "product_reference": "l", "relates_to_product_reference": "b"}]}, "vulnerabilities": [{"cve": "CVE-2026-1", "product_status": {"fixed": ["b:l"]}}]}"#,
    "cve,epss,percentile\nCVE-2026-1,0.5,0.9\nCVE-2026-2,0.01,0.1\n",
];

/// Reads, compiles, reads back, and matches a version; whatever comes of it.
fn use_all(bytes: &[u8]) {
    let Ok(contents) = read(bytes) else { return };
    let mut sections = Vec::new();
    for content in &contents {
        let (info, bytes) = compile(content, "a feed", "", 0).unwrap();
        if let Kind::Flaws { covers, names, order, .. } = &info.kind {
            let section = Section::read(&bytes).unwrap();
            let _ = canaries(covers, *names, *order, &section);
            for (package, rows) in section.packages() {
                assert_eq!(section.rows(package), rows);
                for row in rows {
                    let _ = row.rule.has_flaw(*order, "1.0.0");
                    let _ = row.rule.fixed_after(*order, "1.0.0");
                    let _ = section.advisory(row).map(|it| severity(it.vector));
                }
            }
        }
        sections.push((info, bytes));
    }
    let file = Index::write(sections);
    let length = Index::head_bytes(&file).unwrap();
    assert_eq!(Index::read(file.get(..length).unwrap()).unwrap().sections.len(), contents.len());
}

#[test]
fn each_of_the_feeds_is_read() {
    for feed in FEEDS {
        assert_eq!(read(feed.as_bytes()).unwrap().len(), 1, "{feed}");
        use_all(feed.as_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]
    #[test]
    fn a_damaged_feed_is_refused_or_read(
        feed in 0..FEEDS.len(), at in 0_usize..800, byte: u8, cut in 0_usize..800, twice: bool,
    ) {
        let mut bytes = FEEDS[feed].as_bytes().to_vec();
        if let Some(slot) = bytes.get_mut(at) {
            *slot = byte;
        }
        if twice {
            let copy = bytes.clone();
            bytes.extend(copy);
        }
        bytes.truncate(bytes.len().saturating_sub(cut / 4));
        use_all(&bytes);
    }

    #[test]
    fn anything_at_all_is_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        use_all(&bytes);
        // As the archives and streams that it could be.
        for start in [&b"\x1f\x8b\x08\x00"[..], b"PK\x03\x04", b"id: "] {
            use_all(&[start, &bytes].concat());
        }
    }

    #[test]
    fn an_index_of_anything_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Index::head_bytes(&bytes);
        prop_assert!(Index::read(&bytes).is_err());
        let _ = Section::read(&bytes);
    }

    /// By the definition of the OSV schema: the last event at or before a version decides.
    #[test]
    fn spans_hold_what_their_events_say(ends in prop::collection::btree_set(1_u8..40, 1..6), version in 0_u8..42) {
        let ends: Vec<String> = ends.iter().map(|it| format!("{it}.0.0")).collect();
        let events: Vec<String> = ends.iter().enumerate().map(|(at, it)| match at % 2 {
            0 => format!(r#"{{"introduced": "{it}"}}"#),
            _ => format!(r#"{{"fixed": "{it}"}}"#),
        }).collect();
        let record = format!(
            r#"{{"id": "X-1", "affected": [{{"package": {{"ecosystem": "crates.io", "name": "a"}}, "ranges": [{{"type": "SEMVER", "events": [{}]}}]}}]}}"#,
            events.join(",")
        );
        let contents = read(record.as_bytes()).unwrap();
        let Content::Flaws(feed) = &contents[0] else { panic!() };
        let rule = feed.rows[0].rule();
        let passed = ends.iter().filter(|it| it.trim_end_matches(".0.0").parse::<u8>().unwrap() <= version).count();
        let found = rule.has_flaw(Order::Semver, &format!("{version}.0.0"));
        prop_assert_eq!(found, Some(passed % 2 == 1));
        let Rule::Listed { spans, .. } = &rule else { panic!() };
        prop_assert_eq!(spans.len(), ends.len().div_ceil(2));
        prop_assert!(spans.iter().all(|it: &Span<'_>| it.introduced != "0"));
    }
}
