//! What is installed against what is known: one verdict for each pair, with its reason.

use crate::index::{
    Advisory, ExploitedRow, IndexError, Kind, Names, Row, Section, SectionInfo, decode,
};
use crate::order::Order;
use crate::rule::Rule;
use crate::severity::{Severity, severity};
use polder_model::facts::{Facts, Flaw, Package, Verdict};
use polder_model::{Coverage, Table, Timestamp};
use serde::Serialize;
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
    /// All of some sections.
    pub fn of(sections: &'a [(SectionInfo, Vec<u8>)]) -> Result<Self, IndexError> {
        let mut feeds = Self::default();
        for (info, bytes) in sections {
            feeds.add(info, bytes)?;
        }
        Ok(feeds)
    }

    /// Adds a section.
    fn add(&mut self, info: &'a SectionInfo, bytes: &'a [u8]) -> Result<(), IndexError> {
        match &info.kind {
            Kind::Flaws { names, order, .. } => {
                self.flaws.push((info, *names, *order, Section::read(bytes)?));
            }
            Kind::Catalogue => self.catalogue = decode(bytes)?,
            Kind::Exploited => self.exploited = decode(bytes)?,
            Kind::Predicted => self.predicted = decode(bytes)?,
        }
        Ok(())
    }

    /// The advisory as the catalogue tells it, where the feed has only its number.
    pub fn told<'b>(&'b self, advisory: &'b Advisory<'b>) -> &'b Advisory<'b> {
        let found = self.catalogue.binary_search_by(|(oid, _)| (*oid).cmp(advisory.id));
        found.ok().and_then(|at| self.catalogue.get(at)).map_or(advisory, |it| &it.1)
    }

    /// Date of the newest record of a feed, or of its import where its records have none.
    fn newest(&self, info: &SectionInfo, section: &Section<'_>) -> i64 {
        let told = || section.advisories.iter().filter_map(|it| self.told(it).published).max();
        info.newest.or_else(told).unwrap_or(info.imported)
    }

    /// A feed with its date.
    fn name(&self, info: &SectionInfo, section: &Section<'_>) -> String {
        format!("{} of {}", info.file, day(self.newest(info, section)))
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
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judgement {
    /// The version that was compared.
    pub installed: String,
    /// The rule, in words.
    pub rule: String,
    /// What can be done; none where the version is free of the flaw.
    pub verdict: Option<Verdict>,
}

/// Whether a section tells something of this host.
pub fn covers(info: &SectionInfo, release: Option<&str>) -> bool {
    match &info.kind {
        Kind::Flaws { covers, .. } => release == Some(covers.as_str()),
        Kind::Catalogue | Kind::Exploited | Kind::Predicted => true,
    }
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
    let words = match rule {
        Rule::Before(fixed) => format!("fixed in {fixed}"),
        Rule::NoFix(state) => format!("no fix: {state}"),
        Rule::NotAffected => "the vendor says that this release does not have it".into(),
        Rule::Listed { spans, versions } => {
            format!("{} spans and {} single versions", spans.len(), versions.len())
        }
    };
    let installed = compared(package, names);
    Judgement {
        installed: installed.to_string(),
        rule: words,
        verdict: verdict(package, installed, candidate, order, rule),
    }
}

/// The version of a package that rows of these names speak of.
fn compared(package: &Package, names: Names) -> &str {
    match names {
        Names::Source if !package.source_version.is_empty() => &package.source_version,
        Names::Binary | Names::Source => &package.version,
    }
}

/// What can be done about a flaw; none where the installed version is free of it.
fn verdict(
    package: &Package,
    installed: &str,
    candidate: Option<&str>,
    order: Order,
    rule: &Rule<'_>,
) -> Option<Verdict> {
    match rule.has_flaw(order, installed) {
        Some(false) => return None,
        None => {
            let because = format!("`{installed}` is no version that can be compared");
            return Some(Verdict::Unknown { because });
        }
        Some(true) => {}
    }
    if let Some(because) = foreign(package, installed) {
        return Some(Verdict::Unknown { because });
    }
    let fixed = match (rule, rule.fixed_after(order, installed)) {
        (Rule::NoFix(state), _) => return Some(Verdict::NoFix { state: (*state).to_string() }),
        (_, Some(fixed)) => fixed,
        (_, None) => {
            let state = "no version without it is known".into();
            return Some(Verdict::NoFix { state });
        }
    };
    let is_offered =
        candidate.and_then(|it| order.compare(it, fixed)).is_some_and(std::cmp::Ordering::is_ge);
    let is_paid = fixed.contains("esm");
    let fixed = fixed.to_string();
    Some(match (is_offered, is_paid) {
        (true, _) => Verdict::FixableNow { fixed },
        (false, true) => {
            let from = "Ubuntu Pro (ESM), which this host is not attached to".into();
            Verdict::FixableElsewhere { fixed, from }
        }
        (false, false) => {
            let from = "the vendor; no configured source offers it".into();
            Verdict::FixableElsewhere { fixed, from }
        }
    })
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
        let told_by = feeds.name(info, section);
        let mut known: Vec<Option<Known<'_>>> = vec![None; section.advisories.len()];
        let mut places: HashMap<(u32, &str, &str), Vec<usize>> = HashMap::new();
        // Thousands of packages ask: looking each up by halves would cost more than comparing.
        let rows_of: HashMap<&str, &[Row<'_>]> = section.packages().collect();
        for package in &facts.packages.rows {
            let name = match names {
                Names::Source if !package.source.is_empty() => &package.source,
                Names::Binary | Names::Source => &package.name,
            };
            let candidate = candidates.get(package.name.as_str()).copied();
            let installed = compared(package, *names);
            for row in rows_of.get(name.as_str()).copied().unwrap_or_default() {
                let verdict = verdict(package, installed, candidate, *order, &row.rule);
                let slot = known.get_mut(row.advisory as usize);
                let (Some(verdict), Some(slot), Some(advisory)) =
                    (verdict, slot, section.advisory(row))
                else {
                    continue;
                };
                let known = *slot.get_or_insert_with(|| Known::of(feeds, advisory));
                if feeds.flaws.len() > 1 {
                    let cves = &known.advisory.cves;
                    let new = cves.iter().filter(|it| told.insert((&package.name, it))).count();
                    if new == 0 && !cves.is_empty() {
                        continue;
                    }
                }
                // Packages of one source share their flaws.
                let places = places.entry((row.advisory, &package.source, installed)).or_default();
                let is_same =
                    |at: &&usize| rows.get(**at).is_some_and(|it: &Flaw| it.verdict == verdict);
                match places.iter().find(is_same).and_then(|at| rows.get_mut(*at)) {
                    Some(flaw) => flaw.packages.push(package.name.clone()),
                    None => {
                        places.push(rows.len());
                        rows.push(known.flaw(package, installed, verdict, &told_by));
                    }
                }
            }
        }
    }
    Table::with(coverage, rows)
}

/// What is the same for all packages with a flaw.
#[derive(Clone, Copy)]
struct Known<'a> {
    advisory: &'a Advisory<'a>,
    severity: Option<Severity>,
    exploited_since: Option<i64>,
    likelihood: Option<f64>,
}

impl<'a> Known<'a> {
    fn of(feeds: &'a Feeds<'_>, advisory: &'a Advisory<'a>) -> Self {
        let advisory = feeds.told(advisory);
        let cves = || advisory.cves.iter();
        Self {
            advisory,
            severity: severity(advisory.vector),
            exploited_since: cves().filter_map(|it| feeds.exploited_since(it)).min(),
            likelihood: cves().filter_map(|it| feeds.likelihood(it)).reduce(f64::max),
        }
    }

    fn flaw(&self, package: &Package, installed: &str, verdict: Verdict, told_by: &str) -> Flaw {
        Flaw {
            advisory: self.advisory.id.to_string(),
            cves: self.advisory.cves.iter().map(|it| (*it).to_string()).collect(),
            packages: vec![package.name.clone()],
            source: package.source.clone(),
            installed: installed.to_string(),
            verdict,
            published: self.advisory.published.map(Timestamp),
            score: self.severity.map(|it| it.score),
            automatable: self.severity.is_some_and(|it| it.automatable),
            total: self.severity.is_some_and(|it| it.total),
            exploited_since: self.exploited_since.map(Timestamp),
            likelihood: self.likelihood,
            told_by: told_by.to_string(),
        }
    }
}

/// Nothing found is "none" only when a feed of this release was read and is young.
fn coverage(facts: &Facts, feeds: &Feeds<'_>) -> Coverage {
    let Some(newest) =
        feeds.flaws.iter().map(|(info, .., section)| feeds.newest(info, section)).max()
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

fn day(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    time.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}

/// Everything that was compared about one flaw.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Replay {
    /// The flaw as it was asked for.
    pub id: String,
    /// Since when it is in the catalogue of exploited flaws, in seconds since 1970.
    pub exploited_since: Option<i64>,
    /// Probability that it is exploited somewhere within thirty days.
    pub likelihood: Option<f64>,
    /// Each comparison.
    pub compared: Vec<Compared>,
    /// Packages that have it in some version, none of them installed.
    pub not_installed: Vec<String>,
    /// The feeds that were asked.
    pub asked: Vec<String>,
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// The installed package.
    pub package: String,
    /// The advisory that tells of it.
    pub advisory: String,
    /// When that was published, in seconds since 1970.
    pub published: Option<i64>,
    /// Its CVSS vector.
    pub vector: String,
    /// The feed.
    pub told_by: String,
    /// What came out.
    #[serde(flatten)]
    pub judgement: Judgement,
}

impl Feeds<'_> {
    /// Compares every installed package with every rule of one flaw or advisory.
    pub fn replay(&self, facts: &Facts, id: &str) -> Replay {
        let mut replay = Replay {
            id: id.to_string(),
            exploited_since: self.exploited_since(id),
            likelihood: self.likelihood(id),
            compared: Vec::new(),
            not_installed: Vec::new(),
            asked: Vec::new(),
        };
        for (info, names, order, section) in &self.flaws {
            let told_by = self.name(info, section);
            replay.asked.push(told_by.clone());
            for (name, row) in
                section.packages().flat_map(|(name, rows)| rows.iter().map(move |row| (name, row)))
            {
                let Some(raw) = section.advisory(row) else { continue };
                let advisory = self.told(raw);
                let is_asked =
                    raw.id == id || advisory.id.starts_with(id) || advisory.cves.contains(&id);
                if !is_asked {
                    continue;
                }
                let is_here = |it: &&Package| match names {
                    Names::Binary => it.name == name,
                    Names::Source => it.source == name,
                };
                let before = replay.compared.len();
                for package in facts.packages.rows.iter().filter(is_here) {
                    let mut candidates = facts.candidates.rows.iter();
                    let candidate = candidates.find(|it| it.name == package.name);
                    let candidate = candidate.map(|it| it.candidate.as_str());
                    replay.compared.push(Compared {
                        package: package.name.clone(),
                        advisory: advisory.id.to_string(),
                        published: advisory.published,
                        vector: advisory.vector.to_string(),
                        told_by: told_by.clone(),
                        judgement: judge_package(package, candidate, *names, *order, &row.rule),
                    });
                }
                if replay.compared.len() == before {
                    replay.not_installed.push(name.to_string());
                }
            }
        }
        replay
    }
}
