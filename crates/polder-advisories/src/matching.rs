//! What is installed against what is known: one verdict for each pair, with its reason.

use crate::feeds::Statement;
use crate::index::{
    Advisory, ExploitedRow, IndexError, Kind, Names, Row, Section, SectionInfo, decode,
};
use crate::libraries;
use crate::order::Order;
use crate::rule::{Rule, is_modular};
use crate::severity::{Severity, severity};
use crate::stated;
use polder_model::facts::{Candidate, Facts, Flaw, Package, System, Verdict};
use polder_model::{Coverage, Table, Timestamp};
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// Days after which a feed of flaws counts as old.
const FEED_DAYS_MAX: i64 = 14;

/// Days after which the catalogue of exploited flaws counts as old; entries come every few days.
const CATALOGUE_DAYS_MAX: i64 = 30;

/// A single record is no feed of a release.
const ROWS_MIN: u64 = 2;

/// What helps against an old feed.
const RENEW: &str = "`polder feed import FILE` renews it";

/// Flaws of one release or registry, with the head of the section and the order of its versions.
pub type FlawSection<'a> = (&'a SectionInfo, Names, Order, Section<'a>);

/// The sections that cover one host, read.
#[derive(Default)]
pub struct Feeds<'a> {
    /// Flaws, with what the head of the index says of them and the order of their versions.
    pub flaws: Vec<FlawSection<'a>>,
    catalogue: Vec<(&'a str, Advisory<'a>)>,
    exploited: Vec<ExploitedRow<'a>>,
    predicted: Vec<(&'a str, f32)>,
    /// What somebody states of packages.
    pub(crate) stated: Vec<Statement>,
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
            Kind::Stated { .. } => self.stated.extend(decode::<Vec<Statement>>(bytes)?),
        }
        Ok(())
    }

    /// The advisory as the catalogue tells it, where the feed has only its number.
    pub fn told<'b>(&'b self, advisory: &'b Advisory<'b>) -> &'b Advisory<'b> {
        let found = self.catalogue.binary_search_by(|(oid, _)| (*oid).cmp(advisory.id));
        found.ok().and_then(|at| self.catalogue.get(at)).map_or(advisory, |it| &it.1)
    }

    /// The feeds of one release or registry.
    pub(crate) fn of_ecosystem<'b>(
        &'b self,
        ecosystem: &'b str,
    ) -> impl Iterator<Item = &'b FlawSection<'a>> {
        let is_of = move |info: &SectionInfo| matches!(&info.kind, Kind::Flaws { covers, .. } if covers == ecosystem);
        self.flaws.iter().filter(move |it| is_of(it.0))
    }

    /// Date of the newest record of a feed, where its records or their catalogue have dates.
    pub(crate) fn dated(&self, info: &SectionInfo, section: &Section<'_>) -> Option<i64> {
        let told = || section.advisories.iter().filter_map(|it| self.told(it).published).max();
        info.newest.or_else(told)
    }

    /// Why a feed does not tell what is known today, if it does not.
    pub(crate) fn too_old(
        &self,
        info: &SectionInfo,
        section: &Section<'_>,
        now: Timestamp,
    ) -> Option<Coverage> {
        let Some(newest) = self.dated(info, section) else {
            let because = format!("{} has no dates: how old it is, is not known", info.file);
            return Some(Coverage::partial(because));
        };
        let days = Timestamp(newest).days_until(now);
        (days > FEED_DAYS_MAX).then(|| {
            Coverage::partial(format!(
                "the newest record of {} is {days} days old: {RENEW}",
                info.file
            ))
        })
    }

    /// A feed with its date.
    pub(crate) fn name(&self, info: &SectionInfo, section: &Section<'_>) -> String {
        match self.dated(info, section) {
            Some(newest) => format!("{} of {}", info.file, day(newest)),
            None => format!("{} imported {}", info.file, day(info.imported)),
        }
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
        Kind::Catalogue | Kind::Exploited | Kind::Predicted | Kind::Stated { .. } => true,
    }
}

/// The release as feeds call it: `Debian 12`, `Ubuntu 22.04`, `AlmaLinux 9`, `Alpine v3.20`.
pub fn release_of(facts: &Facts) -> Option<String> {
    let system = facts.system_row()?;
    let major = system.os_version.split('.').next().unwrap_or_default();
    let name = match system.os_id.as_str() {
        "almalinux" => return Some(format!("AlmaLinux {major}")).filter(|_| !major.is_empty()),
        "rocky" => return Some(format!("Rocky Linux {major}")).filter(|_| !major.is_empty()),
        "rhel" => {
            let release = format!("Red Hat Enterprise Linux {major}");
            return Some(release).filter(|_| !major.is_empty());
        }
        // As SUSE's documents call it, too.
        "sles" => return Some(system.os_name.clone()).filter(|it| !it.is_empty()),
        "alpine" => return alpine_branch(system).map(|it| format!("Alpine {it}")),
        "debian" => "Debian",
        "ubuntu" => "Ubuntu",
        "fedora" => "Fedora",
        "opensuse-leap" => "openSUSE Leap",
        "openeuler" => "openEuler",
        _ => return None,
    };
    Some(format!("{name} {}", system.os_version)).filter(|_| !system.os_version.is_empty())
}

/// The branch of Alpine that a host follows: `v3.20`, as its repositories are called.
fn alpine_branch(system: &System) -> Option<String> {
    let mut parts = system.os_version.split('.');
    let (major, minor) = (parts.next()?, parts.next()?);
    let is_branch = system.os_id == "alpine" && !major.is_empty();
    is_branch.then(|| format!("v{major}.{minor}"))
}

/// Why a version cannot be judged by the feed of its host's release: it comes from elsewhere.
pub(crate) fn foreign(package: &Package, version: &str, system: Option<&System>) -> Option<String> {
    if version.contains("~bpo") {
        let because = "its version is a backport, which the advisories of the release leave out";
        return Some(because.into());
    }
    let vendor = system.map_or("", |it| it.os_id.as_str());
    let branch = system.and_then(alpine_branch);
    let codename = system.map_or("", |it| it.os_codename.as_str());
    let release = branch.as_deref().unwrap_or(codename);
    let is_own = |origin: &String| {
        let (maker, suite) = origin.split_once('/').unwrap_or((origin, ""));
        let is_vendor = maker.to_lowercase().starts_with(vendor);
        is_vendor && suite.starts_with(release) && !suite.contains("backports")
    };
    // A version that no index lists any more is most often an old one of the release.
    let is_foreign =
        !release.is_empty() && !package.origins.is_empty() && !package.origins.iter().any(is_own);
    is_foreign.then(|| format!("its version comes from {}", package.origins.join(", ")))
}

/// What is the same for all rules about a package.
struct Place {
    /// Why the feed of the release says nothing of its version.
    foreign: Option<String>,
    is_ubuntu: bool,
    /// What is said of a fix that was not met among the versions on offer.
    offered: &'static str,
}

impl Place {
    fn of(package: &Package, installed: &str, facts: &Facts) -> Self {
        let system = facts.system_row();
        Self {
            foreign: foreign(package, installed, system),
            is_ubuntu: system.is_some_and(|it| it.os_id == "ubuntu"),
            offered: match facts.candidates.coverage {
                Coverage::Complete => "no configured source offers it",
                _ => "whether a configured source offers it is not known",
            },
        }
    }
}

/// Compares one installed package with one rule.
pub fn judge_package(
    package: &Package,
    candidate: Option<&str>,
    names: Names,
    order: Order,
    rule: &Rule<'_>,
    facts: &Facts,
) -> Judgement {
    let installed = compared(package, names);
    Judgement {
        installed: installed.to_string(),
        rule: rule.to_string(),
        verdict: verdict(installed, candidate, order, rule, &Place::of(package, installed, facts)),
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
    installed: &str,
    candidate: Option<&str>,
    order: Order,
    rule: &Rule<'_>,
    place: &Place,
) -> Option<Verdict> {
    if matches!(rule, Rule::NotAffected) {
        return None;
    }
    // Before any comparison: a backport is newer than the fix of the release, and may lack it.
    if let Some(because) = &place.foreign {
        return Some(Verdict::Unknown { because: because.clone() });
    }
    match rule.has_flaw(order, installed) {
        Some(false) => return None,
        None => {
            let because = match rule {
                Rule::Undetermined => "the vendor has not looked at it yet".into(),
                _ if is_modular(order, installed) => {
                    format!(
                        "`{installed}` is of a module, and which of its streams the fix is for is not told"
                    )
                }
                _ => format!("`{installed}` cannot be compared with what the feed says"),
            };
            return Some(Verdict::Unknown { because });
        }
        Some(true) => {}
    }
    let fixed = match (rule, rule.fixed_after(order, installed)) {
        (Rule::NoFix(state), _) => return Some(Verdict::NoFix { state: (*state).to_string() }),
        (_, Some(fixed)) => fixed,
        (_, None) => {
            let state = "no version without it is known".into();
            return Some(Verdict::NoFix { state });
        }
    };
    let is_offered = candidate.is_some_and(|it| rule.has_flaw(order, it) == Some(false));
    let is_paid = fixed.contains("esm") && place.is_ubuntu;
    let fixed = fixed.to_string();
    if is_offered {
        return Some(Verdict::FixableNow { fixed });
    }
    let who = if is_paid { "Ubuntu Pro (ESM)" } else { "the vendor" };
    Some(Verdict::FixableElsewhere { fixed, from: format!("{who}; {}", place.offered) })
}

/// The name by which rows speak of a package.
pub(crate) fn name_of(package: &Package, names: Names) -> &str {
    match names {
        Names::Binary => &package.name,
        Names::Source if package.source.is_empty() => &package.name,
        // Signed images of the kernel are built from a source of their own, with its version.
        Names::Source if package.source.starts_with("linux-signed") => "linux",
        Names::Source => &package.source,
    }
}

/// The version on offer of which rows of these names speak.
fn offered<'a>(facts: &'a Facts, names: Names) -> HashMap<&'a str, &'a str> {
    let version = |it: &'a Candidate| match names {
        Names::Source if !it.candidate_source_version.is_empty() => &it.candidate_source_version,
        Names::Binary | Names::Source => &it.candidate,
    };
    // Versions of a package by another name cannot be compared with those of this one.
    let same = facts.candidates.rows.iter().filter(|it| it.replaced_by.is_empty());
    same.map(|it| (it.name.as_str(), version(it).as_str())).collect()
}

/// Every known flaw of what is installed.
pub fn match_host(facts: &Facts, feeds: &Feeds<'_>) -> Table<Flaw> {
    let coverage = coverage(facts, feeds);
    // What one feed tells of a package and a CVE, another need not tell again.
    let mut told: HashSet<(&str, &str)> = HashSet::new();
    let mut rows: Vec<Flaw> = Vec::new();
    let mut flaws: Vec<_> = feeds.flaws.iter().collect();
    // Vendors' fixed versions of binary packages first: they have dates and severities.
    flaws.sort_by_key(|(_, names, ..)| *names != Names::Binary);
    for (info, names, order, section) in flaws {
        let told_by = feeds.name(info, section);
        let candidates = offered(facts, *names);
        let mut known: Vec<Option<Known<'_>>> = vec![None; section.advisories.len()];
        let mut places: HashMap<(u32, &str, &str), Vec<usize>> = HashMap::new();
        // Thousands of packages ask: looking each up by halves would cost more than comparing.
        let rows_of: HashMap<&str, &[Row<'_>]> = section.packages().collect();
        let mut told_here: Vec<(&str, &str)> = Vec::new();
        for package in facts.packages.rows.iter().filter(|it| manages(*order, it)) {
            let candidate = candidates.get(package.name.as_str()).copied();
            let installed = compared(package, *names);
            let Some(rows_here) = rows_of.get(name_of(package, *names)) else { continue };
            let place = Place::of(package, installed, facts);
            for row in *rows_here {
                let verdict = verdict(installed, candidate, *order, &row.rule, &place);
                let slot = known.get_mut(row.advisory as usize);
                let (Some(verdict), Some(slot), Some(advisory)) =
                    (verdict, slot, section.advisory(row))
                else {
                    continue;
                };
                let known = *slot.get_or_insert_with(|| Known::of(feeds, advisory));
                if feeds.flaws.len() > 1 && !known.advisory.cves.is_empty() {
                    let is_told = |cve: &&str| told.contains(&(package.name.as_str(), *cve));
                    if known.advisory.cves.iter().all(is_told) {
                        continue;
                    }
                    if !matches!(verdict, Verdict::Unknown { .. }) {
                        let cves = known.advisory.cves.iter();
                        told_here.extend(cves.map(|cve| (package.name.as_str(), *cve)));
                    }
                }
                // Packages of one source share their flaws.
                let places = places.entry((row.advisory, &package.source, installed)).or_default();
                let is_same = |at: &&usize| rows.get(**at).is_some_and(|it| it.verdict == verdict);
                match places.iter().find(is_same).and_then(|at| rows.get_mut(*at)) {
                    Some(flaw) => flaw.packages.push(package.name.clone()),
                    None => {
                        places.push(rows.len());
                        rows.push(known.flaw(package, installed, verdict, &told_by));
                    }
                }
            }
        }
        told.extend(told_here);
    }
    stated::apply(&feeds.stated, &mut rows, &facts.packages.rows, facts.system_row());
    Table::with(coverage, rows)
}

/// Whether versions of this order are those of the package's manager.
pub(crate) fn manages(order: Order, package: &Package) -> bool {
    match package.manager.as_str() {
        "apk" => order == Order::Apk,
        "rpm" => order == Order::Rpm,
        _ => order == Order::Deb,
    }
}

/// What is the same for all packages with a flaw.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) advisory: &'a Advisory<'a>,
    pub(crate) severity: Option<Severity>,
    pub(crate) exploited_since: Option<i64>,
    pub(crate) likelihood: Option<f64>,
}

impl<'a> Known<'a> {
    pub(crate) fn of(feeds: &'a Feeds<'_>, advisory: &'a Advisory<'a>) -> Self {
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

/// Nothing is known of a release or registry without a feed.
pub(crate) fn no_feed(covers: &str) -> Coverage {
    Coverage::not_looked(format!(
        "no feed of known flaws covers {covers}: `polder feed import FILE` adds one"
    ))
}

/// Why so short a feed is none, if it is.
pub(crate) fn too_few(info: &SectionInfo) -> Option<Coverage> {
    let because = || format!("{} has {} rows only", info.file, info.rows);
    (info.rows < ROWS_MIN).then(|| Coverage::partial(because()))
}

/// Nothing found is "none" only when the packages are known, and feeds of this release were read
/// that have dates and are young.
pub(crate) fn coverage(facts: &Facts, feeds: &Feeds<'_>) -> Coverage {
    let release = release_of(facts).unwrap_or_else(|| "this system".into());
    if feeds.flaws.is_empty() {
        return no_feed(&release);
    }
    let is_matched = |order: Order| facts.packages.rows.iter().any(|it| manages(order, it));
    // Feeds of libraries tell nothing of packages.
    let own: Vec<_> = feeds.flaws.iter().filter(|(_, _, order, _)| is_matched(*order)).collect();
    if own.is_empty() {
        return no_feed(&release);
    }
    if !facts.packages.coverage.empty_means_none() {
        let because = facts.packages.coverage.because().unwrap_or_default();
        return Coverage::partial(format!("not all packages are known: {because}"));
    }
    for (info, _, _, section) in own {
        if let Some(doubt) = too_few(info) {
            return doubt;
        }
        if is_nameless(feeds, section) {
            return Coverage::partial(format!(
                "{} numbers its flaws and does not name them: import its list of advisories too, else none of them counts as exploited",
                info.file
            ));
        }
        if let Some(doubt) = feeds.too_old(info, section, facts.taken) {
            return doubt;
        }
    }
    match &feeds.exploited {
        list if list.is_empty() => {
            Coverage::partial("no catalogue of exploited flaws (CISA KEV) is imported")
        }
        list => {
            let newest = list.iter().map(|it| it.1).max().unwrap_or_default();
            let days = Timestamp(newest).days_until(facts.taken);
            match days > CATALOGUE_DAYS_MAX {
                true => Coverage::partial(format!(
                    "the newest entry of the catalogue of exploited flaws is {days} days old: {RENEW}"
                )),
                false => Coverage::Complete,
            }
        }
    }
}

/// Whether an advisory is the one asked for, or names the flaw asked for.
fn is_about(advisory: &Advisory<'_>, id: &str) -> bool {
    // `DSA-5724` asks for `DSA-5724-1` too; the numbers of CVE are whole.
    let rest = advisory.id.strip_prefix(id);
    rest.is_some_and(|it| it.is_empty() || (it.starts_with('-') && !id.starts_with("CVE-")))
        || advisory.cves.contains(&id)
}

/// Whether a section has numbers for its flaws and nothing else, even in the catalogue.
fn is_nameless(feeds: &Feeds<'_>, section: &Section<'_>) -> bool {
    section.advisories.iter().all(|it| {
        let told = feeds.told(it);
        told.cves.is_empty() && told.published.is_none()
    })
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
    /// Those of them that number their flaws and do not name them.
    pub nameless: Vec<String>,
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
            nameless: Vec::new(),
        };
        for (info, names, order, section) in &self.flaws {
            let told_by = self.name(info, section);
            replay.asked.push(told_by.clone());
            if is_nameless(self, section) {
                replay.nameless.push(info.file.clone());
            }
            let candidates = offered(facts, *names);
            for (name, row) in
                section.packages().flat_map(|(name, rows)| rows.iter().map(move |row| (name, row)))
            {
                let Some(raw) = section.advisory(row) else { continue };
                let advisory = self.told(raw);
                if !is_about(raw, id) && !is_about(advisory, id) {
                    continue;
                }
                let is_here = |it: &&Package| manages(*order, it) && name_of(it, *names) == name;
                let before = replay.compared.len();
                for package in facts.packages.rows.iter().filter(is_here) {
                    let candidate = candidates.get(package.name.as_str()).copied();
                    replay.compared.push(Compared {
                        package: package.name.clone(),
                        advisory: advisory.id.to_string(),
                        published: advisory.published,
                        vector: advisory.vector.to_string(),
                        told_by: told_by.clone(),
                        judgement: stated::weigh(
                            &self.stated,
                            id,
                            package,
                            judge_package(package, candidate, *names, *order, &row.rule, facts),
                            facts.system_row(),
                        ),
                    });
                }
                if let Kind::Flaws { covers, .. } = &info.kind {
                    let rule = (*order, name, &row.rule);
                    let libraries = libraries::replay(facts, covers, rule, &self.stated, id);
                    replay.compared.extend(libraries.into_iter().map(|(package, judgement)| {
                        Compared {
                            package,
                            advisory: advisory.id.to_string(),
                            published: advisory.published,
                            vector: advisory.vector.to_string(),
                            told_by: told_by.clone(),
                            judgement,
                        }
                    }));
                }
                if replay.compared.len() == before {
                    replay.not_installed.push(name.to_string());
                }
            }
        }
        replay
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn debian() -> System {
        System {
            os_id: "debian".into(),
            os_version: "12".into(),
            os_codename: "bookworm".into(),
            ..System::default()
        }
    }

    fn package(version: &str, source_version: &str, origins: &[&str]) -> Package {
        Package {
            name: "libx1".into(),
            source: "x".into(),
            version: version.into(),
            source_version: source_version.into(),
            origins: origins.iter().map(|it| (*it).to_string()).collect(),
            manager: "dpkg".into(),
            ..Package::default()
        }
    }

    fn judge(package: &Package, candidate: Option<&str>, names: Names) -> Option<Verdict> {
        let rule = Rule::Before("2.0-2");
        let facts = Facts { system: Table::complete(vec![debian()]), ..Facts::default() };
        judge_package(package, candidate, names, Order::Deb, &rule, &facts).verdict
    }

    #[test]
    fn a_version_from_elsewhere_is_unknown_even_when_it_is_newer() {
        let unknown =
            |it: &Package| matches!(judge(it, None, Names::Binary), Some(Verdict::Unknown { .. }));
        assert!(unknown(&package("3.0-1~bpo12+1", "", &["Debian/bookworm-backports"])));
        assert!(unknown(&package("3.0-1", "", &["Debian/trixie"])));
        assert!(unknown(&package("3.0-1", "", &["nginx/bookworm"])));
        for own in [&["Debian/bookworm"][..], &["Debian/bookworm-security", "Debian/sid"], &[]] {
            assert_eq!(judge(&package("3.0-1", "", own), None, Names::Binary), None, "{own:?}");
        }
    }

    #[test]
    fn versions_of_sources_are_compared_with_versions_of_sources() {
        // The binary package has an epoch that its source has not.
        let it = package("2:1.0-1", "2.0-1", &[]);
        // The sources were not looked at: nobody may say that none of them offers it.
        let elsewhere = judge(&it, Some("2.0-1"), Names::Source);
        assert!(matches!(
            elsewhere,
            Some(Verdict::FixableElsewhere { from, .. }) if from.contains("is not known")
        ));
        assert!(matches!(
            judge(&it, Some("2.0-2"), Names::Source),
            Some(Verdict::FixableNow { .. })
        ));
        let candidate = Candidate {
            name: "libx1".into(),
            architecture: "amd64".into(),
            source: "x".into(),
            installed: "2:1.0-1".into(),
            candidate: "2:1.0-2".into(),
            candidate_source_version: "2.0-1.1".into(),
            ..Candidate::default()
        };
        let facts = Facts { candidates: Table::complete(vec![candidate]), ..Facts::default() };
        assert_eq!(offered(&facts, Names::Source).get("libx1"), Some(&"2.0-1.1"));
        assert_eq!(offered(&facts, Names::Binary).get("libx1"), Some(&"2:1.0-2"));
    }

    #[test]
    fn a_signed_kernel_has_the_flaws_of_its_source() {
        let kernel = Package { source: "linux-signed-amd64".into(), ..package("6.1-1", "", &[]) };
        assert_eq!(name_of(&kernel, Names::Source), "linux");
    }

    #[test]
    fn a_release_is_called_as_its_vendors_feed_calls_it() {
        let of = |id: &str, version: &str| {
            let row = System { os_id: id.into(), os_version: version.into(), ..System::default() };
            release_of(&Facts { system: Table::complete(vec![row]), ..Facts::default() })
        };
        assert_eq!(of("almalinux", "9.4").as_deref(), Some("AlmaLinux 9"));
        assert_eq!(of("rocky", "8.10").as_deref(), Some("Rocky Linux 8"));
        assert_eq!(of("alpine", "3.20.3").as_deref(), Some("Alpine v3.20"));
        assert_eq!(of("alpine", "edge"), None);
        assert_eq!(of("debian", "12").as_deref(), Some("Debian 12"));
        // A package of another branch is not judged by this one's feed.
        let system =
            System { os_id: "alpine".into(), os_version: "3.20.3".into(), ..System::default() };
        let from = |origin: &str| Package { origins: vec![origin.into()], ..Package::default() };
        assert_eq!(foreign(&from("alpine/v3.20/main"), "1-r0", Some(&system)), None);
        assert!(foreign(&from("alpine/edge/main"), "1-r0", Some(&system)).is_some());
    }

    #[test]
    fn a_fix_that_has_the_flaw_again_is_no_fix() {
        let spans = ["1.5", "2.0"]
            .map(|end| crate::rule::Span { introduced: "0", end: crate::rule::End::Fixed(end) });
        let rule = Rule::Listed { spans: spans.to_vec(), versions: Vec::new() };
        assert_eq!(rule.fixed_after(Order::Deb, "1.0"), Some("2.0"));
        let nothing = Rule::Listed { spans: Vec::new(), versions: Vec::new() };
        assert_eq!(nothing.has_flaw(Order::Deb, "1.0"), None);
    }
}
