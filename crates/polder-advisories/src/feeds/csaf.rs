//! Advisories and VEX of vendors in CSAF 2.0: what is fixed, affected and not, by product.

use super::content::{FeedError, Feeds, FlawFeed, RawAdvisory, RawRow, RawRule, day, shortened};
use super::vex::Purl;
use crate::index::Names;
use crate::order::Order;
use crate::rule::is_modular;
use crate::severity::severity;
use serde::Deserialize;
use std::collections::HashMap;

/// Branches within branches.
const DEPTH_MAX: usize = 32;

#[derive(Deserialize)]
struct File {
    document: Head,
    #[serde(default)]
    product_tree: Tree,
    #[serde(default)]
    vulnerabilities: Vec<Vulnerability>,
}

#[derive(Deserialize)]
struct Head {
    tracking: Tracking,
}

#[derive(Deserialize)]
struct Tracking {
    id: String,
    initial_release_date: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tree {
    branches: Vec<Branch>,
    full_product_names: Vec<Product>,
    relationships: Vec<Relationship>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Branch {
    branches: Vec<Branch>,
    product: Option<Product>,
}

#[derive(Deserialize)]
struct Product {
    product_id: String,
    name: String,
    #[serde(default)]
    product_identification_helper: Helper,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Helper {
    cpe: Option<String>,
    purl: Option<String>,
}

#[derive(Deserialize)]
struct Relationship {
    full_product_name: Product,
    product_reference: String,
    relates_to_product_reference: String,
}

#[derive(Deserialize)]
struct Vulnerability {
    cve: Option<String>,
    #[serde(default)]
    title: String,
    #[serde(default)]
    product_status: Status,
    #[serde(default)]
    remediations: Vec<Remediation>,
    #[serde(default)]
    scores: Vec<Score>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    fixed: Vec<String>,
    first_fixed: Vec<String>,
    known_affected: Vec<String>,
    known_not_affected: Vec<String>,
    under_investigation: Vec<String>,
}

#[derive(Deserialize)]
struct Remediation {
    category: String,
    #[serde(default)]
    details: String,
    #[serde(default)]
    product_ids: Vec<String>,
}

#[derive(Deserialize)]
struct Score {
    cvss_v3: Option<Vector>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vector {
    vector_string: String,
}

/// A package of a release.
struct Place {
    covers: String,
    purl: Purl,
    /// Whether it belongs to a stream of a module: of several side by side, and which one is
    /// installed, versions do not tell.
    is_modular: bool,
}

/// Documents of one or more files, gathered by release.
#[derive(Default)]
pub(super) struct Documents {
    feeds: Feeds,
    seen: usize,
}

impl Documents {
    /// Whether a text is such a document, by its beginning.
    pub(super) fn is_one(text: &str) -> bool {
        let start: String = text.chars().take(200).filter(|it| !it.is_whitespace()).collect();
        start.starts_with("{\"document\":")
    }

    pub(super) fn seen(&self) -> usize {
        self.seen
    }

    pub(super) fn add(&mut self, text: &str) -> Result<(), FeedError> {
        let file: File = serde_json::from_str(text).map_err(FeedError::damaged)?;
        self.seen += 1;
        let places = places(&file.product_tree);
        for flaw in &file.vulnerabilities {
            let mut rows: Vec<(&Place, RawRule, Names)> = Vec::new();
            let of = |id: &String| places.get(id.as_str());
            let status = &flaw.product_status;
            for place in status.fixed.iter().chain(&status.first_fixed).filter_map(of) {
                // What is built is installed, not its source.
                if let Some(version) = place.purl.full_version().filter(|_| !place.purl.is_source())
                {
                    rows.push((place, RawRule::Before(version), Names::Binary));
                }
            }
            for id in &status.known_affected {
                let state = state(flaw, id);
                rows.extend(of(id).map(|it| (it, RawRule::NoFix(state), it.purl.names())));
            }
            for place in status.known_not_affected.iter().filter_map(of) {
                rows.push((place, RawRule::NotAffected, place.purl.names()));
            }
            for place in status.under_investigation.iter().filter_map(of) {
                rows.push((place, RawRule::Undetermined, place.purl.names()));
            }
            self.push(&file.document.tracking, flaw, rows);
        }
        Ok(())
    }

    fn push(
        &mut self,
        tracking: &Tracking,
        flaw: &Vulnerability,
        rows: Vec<(&Place, RawRule, Names)>,
    ) {
        let id = match &flaw.cve {
            Some(cve) if tracking.id.eq_ignore_ascii_case(cve) => cve.clone(),
            _ => tracking.id.clone(),
        };
        for (place, rule, names) in rows {
            let rule = match (place.is_modular, rule) {
                // Not affected is one stream; of the others it says nothing.
                (true, RawRule::NotAffected) => continue,
                // The version tells by itself that it is of a module.
                (true, RawRule::Before(fixed)) if is_modular(Order::Rpm, &fixed) => {
                    RawRule::Before(fixed)
                }
                (true, _) => RawRule::Listed { spans: Vec::new(), versions: Vec::new() },
                (false, rule) => rule,
            };
            let key = format!("{}\0{names:?}", place.covers);
            let feed = self.feeds.entry(key).or_insert_with(|| FlawFeed {
                covers: place.covers.clone(),
                maker: "csaf",
                order: Order::Rpm,
                names,
                advisories: Vec::new(),
                rows: Vec::new(),
            });
            let cves: Vec<String> = flaw.cve.iter().cloned().collect();
            if feed.advisories.last().is_none_or(|it| it.id != id || it.cves != cves) {
                let mut vectors = flaw.scores.iter().filter_map(|it| it.cvss_v3.as_ref());
                let vector = vectors.find(|it| severity(&it.vector_string).is_some());
                feed.advisories.push(RawAdvisory {
                    id: id.clone(),
                    cves,
                    published: day(&tracking.initial_release_date),
                    vector: vector.map_or_else(String::new, |it| it.vector_string.clone()),
                    summary: shortened(&flaw.title),
                    informational: String::new(),
                });
            }
            let advisory = u32::try_from(feed.advisories.len() - 1).unwrap_or(u32::MAX);
            feed.rows.push(RawRow { package: place.purl.name.clone(), advisory, rule });
        }
    }

    pub(super) fn finish(self) -> Feeds {
        self.feeds
    }
}

impl Purl {
    fn is_source(&self) -> bool {
        self.architecture.as_deref() == Some("src")
    }

    fn names(&self) -> Names {
        if self.is_source() { Names::Source } else { Names::Binary }
    }

    /// With the epoch, which has a place of its own in the URL of an RPM.
    fn full_version(&self) -> Option<String> {
        let version = self.version.as_ref()?;
        Some(match self.epoch.as_deref().filter(|it| *it != "0") {
            Some(epoch) => format!("{epoch}:{version}"),
            None => version.clone(),
        })
    }
}

/// What the vendor says of a flaw that it has not fixed.
fn state(flaw: &Vulnerability, id: &str) -> String {
    let about = flaw.remediations.iter().filter(|it| it.product_ids.iter().any(|one| one == id));
    let mut words = about.filter_map(|it| match it.category.as_str() {
        "no_fix_planned" => Some("no fix planned"),
        "none_available" if it.details.is_empty() => Some("not fixed yet"),
        "none_available" => Some(it.details.as_str()),
        _ => None,
    });
    words.next().map_or_else(|| "not fixed yet".into(), shortened)
}

/// Every package of a release by the names that the document gives it.
fn places(tree: &Tree) -> HashMap<&str, Place> {
    let mut products: HashMap<&str, &Product> = HashMap::new();
    let mut open: Vec<(&Branch, usize)> = tree.branches.iter().map(|it| (it, 0)).collect();
    while let Some((branch, depth)) = open.pop() {
        products.extend(branch.product.iter().map(|it| (it.product_id.as_str(), it)));
        if depth < DEPTH_MAX {
            open.extend(branch.branches.iter().map(|it| (it, depth + 1)));
        }
    }
    products.extend(tree.full_product_names.iter().map(|it| (it.product_id.as_str(), it)));
    let relations: HashMap<&str, &Relationship> = tree
        .relationships
        .iter()
        .map(|it| (it.full_product_name.product_id.as_str(), it))
        .collect();
    let place = |it: &Relationship| {
        let component = products.get(it.product_reference.as_str());
        let own = &it.full_product_name.product_identification_helper.purl;
        let purl = own
            .as_ref()
            .or_else(|| component.and_then(|it| it.product_identification_helper.purl.as_ref()))?;
        let is_modular = purl.contains("rpmmod=");
        let purl = Purl::parse(purl).filter(|it| it.kind == "rpm")?;
        // Packages of a module belong to it, and it to the release.
        let mut at = it.relates_to_product_reference.as_str();
        let mut depth = 0;
        while let Some(outer) = relations.get(at).filter(|_| depth < DEPTH_MAX) {
            at = outer.relates_to_product_reference.as_str();
            depth += 1;
        }
        let covers = release(products.get(at)?);
        Some(Place { covers, purl, is_modular: is_modular || depth > 0 })
    };
    let named = tree.relationships.iter();
    named.filter_map(|it| Some((it.full_product_name.product_id.as_str(), place(it)?))).collect()
}

/// The release as os-release calls it: Red Hat's by its CPE, whose repositories have names of their
/// own; others by their name.
fn release(platform: &Product) -> String {
    let cpe = platform.product_identification_helper.cpe.as_deref().unwrap_or_default();
    let mut rest = cpe.split("redhat:enterprise_linux:");
    let major = rest.nth(1).and_then(|it| it.split([':', '.']).next());
    match major.filter(|it| !it.is_empty()) {
        Some(major) => format!("Red Hat Enterprise Linux {major}"),
        None => platform.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

    use super::*;

    const TEXT: &str = r#"{"document": {"category": "csaf_vex", "tracking": {"id": "CVE-2026-1", "initial_release_date": "2026-01-02T00:00:00Z"}},
      "product_tree": {"branches": [{"category": "vendor", "name": "Red Hat", "branches": [
        {"product": {"product_id": "BaseOS", "name": "Red Hat Enterprise Linux BaseOS (v. 9)", "product_identification_helper": {"cpe": "cpe:/o:redhat:enterprise_linux:9::baseos"}}},
        {"product": {"product_id": "libs", "name": "libs", "product_identification_helper": {"purl": "pkg:rpm/redhat/openssl-libs@3.0.7-27.el9?arch=x86_64&epoch=1"}}},
        {"product": {"product_id": "src", "name": "src", "product_identification_helper": {"purl": "pkg:rpm/redhat/openssl@3.0.7-27.el9?arch=src&epoch=1"}}},
        {"product": {"product_id": "edk2", "name": "edk2", "product_identification_helper": {"purl": "pkg:rpm/redhat/edk2?arch=src"}}},
        {"product": {"product_id": "nodejs:18", "name": "nodejs:18"}},
        {"product": {"product_id": "node", "name": "node", "product_identification_helper": {"purl": "pkg:rpm/redhat/nodejs@18.20.4-1.module%2Bel9?arch=x86_64&epoch=1"}}},
        {"product": {"product_id": "leap", "name": "openSUSE Leap 15.5"}},
        {"product": {"product_id": "bash", "name": "bash", "product_identification_helper": {"purl": "pkg:rpm/opensuse/bash@4.4-1"}}}]}],
       "relationships": [
        {"category": "default_component_of", "full_product_name": {"product_id": "B:libs", "name": "x"}, "product_reference": "libs", "relates_to_product_reference": "BaseOS"},
        {"category": "default_component_of", "full_product_name": {"product_id": "B:src", "name": "x"}, "product_reference": "src", "relates_to_product_reference": "BaseOS"},
        {"category": "default_component_of", "full_product_name": {"product_id": "B:edk2", "name": "x"}, "product_reference": "edk2", "relates_to_product_reference": "BaseOS"},
        {"category": "default_component_of", "full_product_name": {"product_id": "B:nodejs:18", "name": "x"}, "product_reference": "nodejs:18", "relates_to_product_reference": "BaseOS"},
        {"category": "default_component_of", "full_product_name": {"product_id": "B:nodejs:18:node", "name": "x"}, "product_reference": "node", "relates_to_product_reference": "B:nodejs:18"},
        {"category": "default_component_of", "full_product_name": {"product_id": "L:bash", "name": "x"}, "product_reference": "bash", "relates_to_product_reference": "leap"}]},
      "vulnerabilities": [{"cve": "CVE-2026-1", "title": "a flaw", "scores": [{"cvss_v3": {"vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}, "products": []}],
        "product_status": {"fixed": ["B:libs", "B:src", "B:nodejs:18:node"], "known_affected": ["B:edk2"], "known_not_affected": ["L:bash"]},
        "remediations": [{"category": "no_fix_planned", "details": "Will not fix", "product_ids": ["B:edk2"]}]}]}"#;

    #[test]
    fn a_vendors_states_come_out_by_release_and_kind_of_name() {
        assert!(Documents::is_one(TEXT));
        let mut documents = Documents::default();
        documents.add(TEXT).unwrap();
        let feeds = documents.finish();
        let shown: Vec<String> = feeds
            .values()
            .map(|it| {
                let row = &it.rows[0];
                format!("{} {:?}: {} {:?}", it.covers, it.names, row.package, row.rule())
            })
            .collect();
        assert_eq!(
            shown,
            [
                "Red Hat Enterprise Linux 9 Binary: openssl-libs Before(\"1:3.0.7-27.el9\")",
                "Red Hat Enterprise Linux 9 Source: edk2 NoFix(\"no fix planned\")",
                "openSUSE Leap 15.5 Binary: bash NotAffected",
            ]
        );
        assert!(
            feeds.values().all(|it| it.advisories.len() == 1 && it.advisories[0].vector.len() > 10)
        );
        // Which stream of a module is installed, is not known: neither affected nor free of it.
        let node =
            feeds.values().flat_map(|it| &it.rows).find(|it| it.package == "nodejs").unwrap();
        assert_eq!(node.rule().has_flaw(Order::Rpm, "1:18.17.1-1.module+el9"), None);
    }
}
