//! Debian's security tracker as JSON: by source package, flaw and release, with all its states.

use super::content::{
    Content, FeedError, Feeds, FlawFeed, RawAdvisory, RawRow, RawRule, shortened,
};
use crate::index::Names;
use crate::order::Order;
use polder_model::printable_str;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

/// Code names of releases with their numbers.
const RELEASES: [(&str, &str); 6] = [
    ("stretch", "9"),
    ("buster", "10"),
    ("bullseye", "11"),
    ("bookworm", "12"),
    ("trixie", "13"),
    ("forky", "14"),
];

#[derive(Deserialize)]
struct Flaw {
    #[serde(default)]
    description: String,
    releases: BTreeMap<String, State>,
}

#[derive(Deserialize)]
struct State {
    status: String,
    fixed_version: Option<String>,
    #[serde(default)]
    urgency: String,
    nodsa: Option<String>,
    nodsa_reason: Option<String>,
}

/// Packages with their flaws.
type Tracker = BTreeMap<String, BTreeMap<String, Flaw>>;

pub(super) fn read(text: &str) -> Result<Vec<Content>, FeedError> {
    let packages: Tracker = serde_json::from_str(text).map_err(|error| FeedError::Unknown {
        because: printable_str(&format!("JSON of another kind ({error})")),
    })?;
    let mut feeds = Feeds::new();
    let mut places: HashMap<(String, String), u32> = HashMap::new();
    for (package, flaws) in packages {
        for (id, flaw) in flaws {
            for (release, state) in &flaw.releases {
                let known = RELEASES.iter().find(|(name, _)| name == release);
                let Some((_, number)) = known else { continue };
                let covers = format!("Debian {number}");
                let feed = feeds.entry(covers.clone()).or_insert_with(|| FlawFeed {
                    covers: covers.clone(),
                    maker: "tracker",
                    order: Order::Deb,
                    names: Names::Source,
                    advisories: Vec::new(),
                    rows: Vec::new(),
                });
                let advisory = *places.entry((covers, id.clone())).or_insert_with(|| {
                    let is_cve = id.starts_with("CVE-");
                    feed.advisories.push(RawAdvisory {
                        id: id.clone(),
                        cves: if is_cve { vec![id.clone()] } else { Vec::new() },
                        summary: shortened(&flaw.description),
                        ..RawAdvisory::default()
                    });
                    u32::try_from(feed.advisories.len() - 1).unwrap_or(u32::MAX)
                });
                let rule = rule(state);
                feed.rows.push(RawRow { package: package.clone(), advisory, rule });
            }
        }
    }
    if feeds.is_empty() {
        let because = "a tracker of releases that Polder does not know".into();
        return Err(FeedError::Unknown { because });
    }
    Ok(feeds.into_values().map(Content::Flaws).collect())
}

/// The states must not be merged: each says who will do what.
fn rule(state: &State) -> RawRule {
    match (state.status.as_str(), state.fixed_version.as_deref()) {
        // The tracker's way to say that no version of this release ever had it.
        ("resolved", Some("0")) => RawRule::NotAffected,
        ("resolved", Some(fixed)) => RawRule::Before(fixed.to_string()),
        ("undetermined", _) => RawRule::Undetermined,
        _ if state.urgency == "unimportant" => RawRule::NoFix("unimportant".into()),
        _ if state.urgency == "end-of-life" => RawRule::NoFix("end of life".into()),
        _ => {
            let reason = state.nodsa_reason.as_deref().filter(|it| !it.is_empty());
            let state = match (&state.nodsa, reason) {
                (_, Some(reason)) => reason.to_string(),
                (Some(_), None) => "no advisory planned".into(),
                (None, None) => "not fixed yet".into(),
            };
            RawRule::NoFix(state)
        }
    }
}
