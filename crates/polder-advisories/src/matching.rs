//! What is installed against what is known: one verdict for each pair, with its reason.

use crate::index::{Advisory, ExploitedRow, IndexError, Names, Section, SectionInfo, decode};
use crate::order::Order;
use crate::rule::Rule;
use crate::severity::severity;
use polder_model::facts::{Facts, Flaw, Package, Verdict};
use polder_model::{Coverage, Table, Timestamp};
use std::collections::{BTreeSet, HashMap};

/// Days after which a feed of flaws counts as old.
const FEED_DAYS_MAX: i64 = 14;

/// The sections that cover one host, read.
#[derive(Default)]
pub struct Feeds<'a> {
    /// Flaws, with what the head of the index says of them and the order of their versions.
    pub flaws: Vec<(&'a SectionInfo, Names, Order, Section<'a>)>,
    catalogue: Vec<(&'a str, Advisory<'a>)>,
    exploited: Vec<ExploitedRow<'a>>,
    predicted: Vec<(&'a str, f32)>,
}

impl<'a> Feeds<'a> {
    /// Adds a section of flaws.
    pub fn add_flaws(
        &mut self,
        info: &'a SectionInfo,
        names: Names,
        order: Order,
        bytes: &'a [u8],
    ) -> Result<(), IndexError> {
        self.flaws.push((info, names, order, Section::read(bytes)?));
        Ok(())
    }

    /// Adds names and dates of advisories.
    pub fn add_catalogue(&mut self, bytes: &'a [u8]) -> Result<(), IndexError> {
        self.catalogue = decode(bytes)?;
        Ok(())
    }

    /// Adds flaws that are exploited.
    pub fn add_exploited(&mut self, bytes: &'a [u8]) -> Result<(), IndexError> {
        self.exploited = decode(bytes)?;
        Ok(())
    }

    /// Adds predictions.
    pub fn add_predicted(&mut self, bytes: &'a [u8]) -> Result<(), IndexError> {
        self.predicted = decode(bytes)?;
        Ok(())
    }

    /// The advisory as the catalogue tells it, where the feed has only its number.
    pub fn told<'b>(&'b self, advisory: &'b Advisory<'a>) -> &'b Advisory<'a> {
        let found = self.catalogue.binary_search_by(|(oid, _)| (*oid).cmp(advisory.id));
        found.ok().and_then(|at| self.catalogue.get(at)).map_or(advisory, |it| &it.1)
    }

    /// When a flaw came into the catalogue of exploited flaws.
    pub fn exploited_since(&self, cve: &str) -> Option<i64> {
        let at = self.exploited.binary_search_by(|it| it.0.cmp(cve)).ok()?;
        self.exploited.get(at).map(|it| it.1)
    }

    /// Probability that a flaw is exploited somewhere within thirty days.
    pub fn likelihood(&self, cve: &str) -> Option<f64> {
        let at = self.predicted.binary_search_by(|it| it.0.cmp(cve)).ok()?;
        self.predicted.get(at).map(|it| f64::from(it.1))
    }
}

/// One comparison, replayed by `polder explain`.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The version that was compared.
    pub installed: String,
    /// The rule, in words.
    pub rule: String,
    /// What can be done; none where the version is free of the flaw.
    pub verdict: Option<Verdict>,
}

/// The release as feeds call it: `Debian 12`, `Ubuntu 22.04`.
pub fn release_of(facts: &Facts) -> Option<String> {
    let system = facts.system_row()?;
    let name = match system.os_id.as_str() {
        "debian" => "Debian",
        "ubuntu" => "Ubuntu",
        "fedora" => "Fedora",
        "opensuse-leap" => "openSUSE Leap",
        "openeuler" => "openEuler",
        _ => return None,
    };
    Some(format!("{name} {}", system.os_version)).filter(|_| !system.os_version.is_empty())
}

/// Why a version cannot be judged by the feed of its host's release: it comes from another suite.
fn foreign(package: &Package, version: &str) -> Option<String> {
    if version.contains("~bpo") {
        return Some(
            "its version is a backport, which the advisories of the release leave out".into(),
        );
    }
    let is_other = |origin: &String| {
        ["testing", "unstable", "experimental", "sid"].iter().any(|it| origin.ends_with(it))
    };
    match !package.origins.is_empty() && package.origins.iter().all(is_other) {
        true => Some(format!("its version comes from {}", package.origins.join(", "))),
        false => None,
    }
}

/// Compares one installed package with one rule.
pub fn judge_package(
    package: &Package,
    candidate: Option<&str>,
    names: Names,
    order: Order,
    rule: &Rule<'_>,
) -> Judgement {
    let installed = match names {
        Names::Binary => &package.version,
        Names::Source if package.source_version.is_empty() => &package.version,
        Names::Source => &package.source_version,
    };
    let words = match rule {
        Rule::Before(fixed) => format!("fixed in {fixed}"),
        Rule::NoFix(state) => format!("no fix: {state}"),
        Rule::NotAffected => "the vendor says that this release does not have it".into(),
        Rule::Listed { spans, versions } => {
            format!("{} spans and {} single versions", spans.len(), versions.len())
        }
    };
    let judgement =
        |verdict| Judgement { installed: installed.clone(), rule: words.clone(), verdict };
    match rule.has_flaw(order, installed) {
        Some(false) => return judgement(None),
        None => {
            let because = format!("`{installed}` is no version that can be compared");
            return judgement(Some(Verdict::Unknown { because }));
        }
        Some(true) => {}
    }
    if let Some(because) = foreign(package, installed) {
        return judgement(Some(Verdict::Unknown { because }));
    }
    let verdict = match (rule, rule.fixed_after(order, installed)) {
        (Rule::NoFix(state), _) => Verdict::NoFix { state: (*state).to_string() },
        (_, None) => Verdict::NoFix { state: "no version without it is known".into() },
        (_, Some(fixed)) => {
            let is_offered = candidate
                .and_then(|it| order.compare(it, fixed))
                .is_some_and(std::cmp::Ordering::is_ge);
            let fixed = fixed.to_string();
            match is_offered {
                true => Verdict::FixableNow { fixed },
                false if fixed.contains("esm") => {
                    let from = "Ubuntu Pro (ESM), which this host is not attached to".into();
                    Verdict::FixableElsewhere { fixed, from }
                }
                false => {
                    let from = "the vendor; no configured source offers it".into();
                    Verdict::FixableElsewhere { fixed, from }
                }
            }
        }
    };
    judgement(Some(verdict))
}

/// Every known flaw of what is installed.
pub fn match_host(facts: &Facts, feeds: &Feeds<'_>) -> Table<Flaw> {
    let coverage = coverage(facts, feeds);
    if feeds.flaws.is_empty() {
        return Table::with(coverage, Vec::new());
    }
    let candidates: HashMap<&str, &str> =
        facts.candidates.rows.iter().map(|it| (it.name.as_str(), it.candidate.as_str())).collect();
    // A flaw told twice, by two feeds, counts once: for each package and CVE the first verdict.
    let mut told: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut rows = Vec::new();
    for (info, names, order, section) in &feeds.flaws {
        let told_by = format!("{} of {}", info.file, day(info.newest.unwrap_or(info.imported)));
        for package in &facts.packages.rows {
            let name = match names {
                Names::Binary => &package.name,
                Names::Source if package.source.is_empty() => &package.name,
                Names::Source => &package.source,
            };
            let candidate = candidates.get(package.name.as_str()).copied();
            for row in section.rows(name) {
                let judgement = judge_package(package, candidate, *names, *order, &row.rule);
                let (Some(verdict), Some(advisory)) = (judgement.verdict, section.advisory(row))
                else {
                    continue;
                };
                let advisory = feeds.told(advisory);
                let new = advisory.cves.iter().filter(|cve| told.insert((&package.name, cve)));
                if new.count() == 0 && !advisory.cves.is_empty() {
                    continue;
                }
                rows.push(flaw(feeds, advisory, package, judgement.installed, verdict, &told_by));
            }
        }
    }
    Table::with(coverage, rows)
}

fn flaw(
    feeds: &Feeds<'_>,
    advisory: &Advisory<'_>,
    package: &Package,
    installed: String,
    verdict: Verdict,
    told_by: &str,
) -> Flaw {
    let severity = severity(advisory.vector);
    let cves = || advisory.cves.iter().copied();
    let likelihood = cves().filter_map(|it| feeds.likelihood(it)).reduce(f64::max);
    Flaw {
        advisory: advisory.id.to_string(),
        cves: cves().map(str::to_string).collect(),
        package: package.name.clone(),
        source: package.source.clone(),
        installed,
        verdict,
        published: advisory.published.map(Timestamp),
        score: severity.map(|it| it.score),
        automatable: severity.is_some_and(|it| it.automatable),
        total: severity.is_some_and(|it| it.total),
        exploited_since: cves().filter_map(|it| feeds.exploited_since(it)).min().map(Timestamp),
        likelihood,
        told_by: told_by.to_string(),
    }
}

/// Nothing found is "none" only when a feed of this release was read and is young.
fn coverage(facts: &Facts, feeds: &Feeds<'_>) -> Coverage {
    let Some(newest) = feeds
        .flaws
        .iter()
        .map(|(info, ..)| info.newest.or_else(|| newest_told(feeds)).unwrap_or(info.imported))
        .max()
    else {
        let release = release_of(facts).unwrap_or_else(|| "this system".into());
        return Coverage::not_looked(format!(
            "no feed of known flaws covers {release}: `polder feed import FILE` adds one"
        ));
    };
    let days = Timestamp(newest).days_until(facts.taken);
    match days > FEED_DAYS_MAX {
        true => Coverage::partial(format!(
            "the newest record of the feed is {days} days old: `polder feed import FILE` renews it"
        )),
        false => Coverage::Complete,
    }
}

/// The newest date that the catalogue gives to an advisory of these feeds.
fn newest_told(feeds: &Feeds<'_>) -> Option<i64> {
    let advisories = feeds.flaws.iter().flat_map(|it| &it.3.advisories);
    advisories.filter_map(|it| feeds.told(it).published).max()
}

fn day(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    time.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}
