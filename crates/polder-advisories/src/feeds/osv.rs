//! Records of the OSV schema (1.7): one flaw each, as JSON or YAML.

use super::content::{
    Content, FeedError, Feeds, FlawFeed, RawAdvisory, RawRow, RawRule, RawSpan, day, shortened,
};
use super::csaf::Documents;
use super::read::RECORD_MAX;
use crate::index::Names;
use crate::order::Order;
use crate::severity::severity;
use serde::Deserialize;
use serde_json::Value;
use std::io::Read;

#[derive(Deserialize)]
struct Record {
    id: String,
    #[serde(default)]
    aliases: Vec<String>,
    /// The records it was made from: those of distributions name the CVE here.
    #[serde(default)]
    upstream: Vec<String>,
    published: Option<String>,
    modified: Option<String>,
    withdrawn: Option<String>,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    details: String,
    #[serde(default)]
    severity: Vec<Score>,
    #[serde(default)]
    affected: Vec<Affected>,
}

#[derive(Deserialize)]
struct Score {
    score: String,
}

#[derive(Deserialize)]
struct Affected {
    package: Option<Package>,
    #[serde(default)]
    ranges: Vec<Range>,
    #[serde(default)]
    versions: Vec<String>,
    #[serde(default)]
    severity: Vec<Score>,
    database_specific: Option<Value>,
}

#[derive(Deserialize)]
struct Package {
    ecosystem: String,
    name: String,
}

#[derive(Deserialize)]
struct Range {
    #[serde(rename = "type")]
    kind: String,
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    introduced: Option<String>,
    fixed: Option<String>,
    last_affected: Option<String>,
}

/// Records of one or more files, gathered by ecosystem.
#[derive(Default)]
pub(super) struct Records {
    feeds: Feeds,
    seen: usize,
    /// Documents of vendors among them.
    csaf: Documents,
}

impl Records {
    /// Adds a file of an archive, if it is a record; says how many bytes it had.
    pub(super) fn add_file(&mut self, name: &str, file: impl Read) -> Result<u64, FeedError> {
        let is_json = name.ends_with(".json");
        if !is_json && !name.ends_with(".yaml") {
            return Ok(0);
        }
        let mut text = String::new();
        let read = file.take(RECORD_MAX).read_to_string(&mut text);
        let read = read.map_err(|error| FeedError::damaged(format!("{name}: {error}")))?;
        let added = match is_json {
            true if Documents::is_one(&text) => self.csaf.add(&text),
            true => self.add_json(&text),
            false => self.add_yaml(&text),
        };
        added.map_err(|error| match error {
            FeedError::Damaged { because } => FeedError::damaged(format!("{name}: {because}")),
            other => other,
        })?;
        Ok(read as u64)
    }

    pub(super) fn add_yaml(&mut self, text: &str) -> Result<(), FeedError> {
        let record: Record = serde_yaml_ng::from_str(text).map_err(FeedError::damaged)?;
        self.add_record(record);
        Ok(())
    }

    pub(super) fn add_json(&mut self, text: &str) -> Result<(), FeedError> {
        let record: Record = serde_json::from_str(text).map_err(FeedError::damaged)?;
        self.add_record(record);
        Ok(())
    }

    pub(super) fn add_list(&mut self, text: &str) -> Result<(), FeedError> {
        let records: Vec<Record> = serde_json::from_str(text).map_err(FeedError::damaged)?;
        records.into_iter().for_each(|it| self.add_record(it));
        Ok(())
    }

    fn add_record(&mut self, record: Record) {
        self.seen += 1;
        if record.withdrawn.is_some() {
            return;
        }
        for affected in &record.affected {
            let Some(package) = &affected.package else { continue };
            let Some(order) = order(&package.ecosystem) else { continue };
            // Releases stand behind a colon: `Debian:12`, `Ubuntu:22.04:LTS`, `Alpine:v3.20`.
            let covers = package.ecosystem.trim_end_matches(":LTS").replace(':', " ");
            let feed = self.feeds.entry(covers.clone()).or_insert_with(|| FlawFeed {
                covers,
                maker: "osv",
                order,
                // Records of AlmaLinux name every package that is built, the others what it is
                // built from.
                names: match package.ecosystem.starts_with("AlmaLinux") {
                    true => Names::Binary,
                    false => Names::Source,
                },
                advisories: Vec::new(),
                rows: Vec::new(),
            });
            if feed.advisories.last().is_none_or(|it| it.id != record.id) {
                feed.advisories.push(advisory(&record, affected));
            }
            let advisory = u32::try_from(feed.advisories.len() - 1).unwrap_or(u32::MAX);
            feed.rows.push(RawRow {
                package: order.normal_name(&package.name),
                advisory,
                rule: RawRule::Listed {
                    spans: affected.ranges.iter().flat_map(|it| spans(it, order)).collect(),
                    versions: affected.versions.clone(),
                },
            });
        }
    }

    /// A document of a vendor.
    pub(super) fn add_csaf(&mut self, text: &str) -> Result<(), FeedError> {
        self.csaf.add(text)
    }

    pub(super) fn finish(self) -> Result<Vec<Content>, FeedError> {
        if self.seen + self.csaf.seen() == 0 {
            let because =
                "an archive without records of the OSV schema or documents of CSAF".into();
            return Err(FeedError::Unknown { because });
        }
        let csaf = self.csaf.finish();
        if self.feeds.is_empty() && csaf.is_empty() {
            let because = "records of ecosystems whose versions Polder cannot compare".into();
            return Err(FeedError::Unknown { because });
        }
        Ok(self.feeds.into_values().chain(csaf.into_values()).map(Content::Flaws).collect())
    }
}

fn order(ecosystem: &str) -> Option<Order> {
    match ecosystem.split(':').next().unwrap_or_default() {
        "crates.io" | "npm" | "Go" => Some(Order::Semver),
        "Packagist" => Some(Order::Composer),
        "RubyGems" => Some(Order::Gem),
        "PyPI" => Some(Order::Pep440),
        "Maven" => Some(Order::Maven),
        "Debian" | "Ubuntu" => Some(Order::Deb),
        "AlmaLinux" | "Rocky Linux" | "Red Hat" | "SUSE" | "openSUSE" | "Mageia" => {
            Some(Order::Rpm)
        }
        "Alpine" => Some(Order::Apk),
        _ => None,
    }
}

fn advisory(record: &Record, affected: &Affected) -> RawAdvisory {
    let names = record.aliases.iter().chain(&record.upstream).chain([&record.id]);
    let cve = |it: &String| it.find("CVE-").and_then(|at| it.get(at..)).map(str::to_string);
    let mut cves: Vec<String> = names.filter_map(cve).collect();
    cves.sort();
    cves.dedup();
    let informational = affected
        .database_specific
        .as_ref()
        .and_then(|it| it.get("informational")?.as_str())
        .unwrap_or_default();
    let mut scores = record.severity.iter().chain(&affected.severity);
    let score = scores.rfind(|it| severity(&it.score).is_some());
    let first_line = record.details.lines().find(|it| !it.trim().is_empty()).unwrap_or_default();
    let summary = if record.summary.is_empty() { first_line } else { &record.summary };
    RawAdvisory {
        id: record.id.clone(),
        cves,
        published: record.published.as_deref().or(record.modified.as_deref()).and_then(day),
        vector: score.map(|it| it.score.clone()).unwrap_or_default(),
        summary: shortened(summary),
        informational: informational.to_string(),
    }
}

/// The events of a range in the order of their versions, as spans (OSV schema, "Evaluation").
fn spans(range: &Range, order: Order) -> Vec<RawSpan> {
    if !matches!(range.kind.as_str(), "SEMVER" | "ECOSYSTEM") {
        return Vec::new();
    }
    // 0 before all; a fix before the next introduction at the same version.
    let mut events: Vec<(&str, u8)> = Vec::new();
    for event in &range.events {
        let kinds = [(&event.fixed, 0), (&event.last_affected, 1), (&event.introduced, 2)];
        events.extend(kinds.into_iter().filter_map(|(it, kind)| Some((it.as_deref()?, kind))));
    }
    let is_start = |it: &(&str, u8)| it.0 == "0" && it.1 == 2;
    events.sort_by(|a, b| match (is_start(a), is_start(b)) {
        (true, true) => std::cmp::Ordering::Equal,
        (true, false) => std::cmp::Ordering::Less,
        (false, true) => std::cmp::Ordering::Greater,
        _ => order.compare(a.0, b.0).unwrap_or(std::cmp::Ordering::Equal).then(a.1.cmp(&b.1)),
    });
    let mut spans = Vec::new();
    let mut open: Option<&str> = None;
    for (version, kind) in events {
        match (kind, open) {
            (2, None) => open = Some(version),
            (2, Some(_)) | (_, None) => {}
            (0, Some(start)) => {
                spans.push((start.to_string(), Some(version.to_string()), None));
                open = None;
            }
            (_, Some(start)) => {
                spans.push((start.to_string(), None, Some(version.to_string())));
                open = None;
            }
        }
    }
    spans.extend(open.map(|start| (start.to_string(), None, None)));
    spans
}
