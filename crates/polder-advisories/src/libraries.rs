//! Libraries of programming languages against what is known of them.

use crate::feeds::Statement;
use crate::index::{Kind, SectionInfo};
use crate::matching::{Feeds, FlawSection, Judgement, Known, covers, no_feed, release_of, too_few};
use crate::order::Order;
use crate::rule::Rule;
use crate::stated;
use polder_model::facts::{ApplicationFlaw, Facts, Library, LibraryFlaw, Verdict};
use polder_model::{Coverage, Table, Timestamp};
use std::collections::BTreeSet;

/// Versions tried until one is free of all flaws.
const TURNS_MAX: usize = 32;

/// What can be done about a flaw of a library; none where this version is free of it.
fn verdict(order: Order, rule: &Rule<'_>, version: &str) -> Option<Verdict> {
    Some(match rule.has_flaw(order, version) {
        Some(false) => return None,
        Some(true) => match rule.fixed_after(order, version) {
            Some(fixed) => Verdict::FixableNow { fixed: fixed.into() },
            None => Verdict::NoFix { state: "no version without it is known".into() },
        },
        None => Verdict::Unknown {
            because: format!("`{version}` cannot be compared with what the feed says"),
        },
    })
}

/// Every library of what runs that a rule is about: its name with where it is, and the judgement.
pub(crate) fn replay(
    facts: &Facts,
    ecosystem: &str,
    (order, name, rule): (Order, &str, &Rule<'_>),
    statements: &[Statement],
    id: &str,
) -> Vec<(String, Judgement)> {
    let applications = facts.applications.rows.iter().filter(|it| it.ecosystem == ecosystem);
    let libraries = applications.flat_map(|it| it.libraries.iter().map(move |one| (one, &it.path)));
    let named = libraries.filter(|(it, _)| order.normal_name(&it.name) == name);
    let judged = named.map(|(it, path)| {
        let verdict = verdict(order, rule, &it.version).map(|found| {
            if let Some(because) = stated::of_library(statements, it, &[id]) {
                return Verdict::Stated { because };
            }
            match found {
                // Its registry was not asked.
                Verdict::FixableNow { fixed } => {
                    Verdict::FixableElsewhere { fixed, from: "by a later version of it".into() }
                }
                other => other,
            }
        });
        let judgement =
            Judgement { installed: it.version.clone(), rule: rule.to_string(), verdict };
        (format!("{} of {path}", it.name), judgement)
    });
    judged.collect()
}

/// Which sections tell something of a host: of its release, and of the libraries of what runs there.
pub fn covers_host(facts: &Facts) -> impl Fn(&SectionInfo) -> bool {
    let release = release_of(facts);
    let rows = &facts.applications.rows;
    let ecosystems: BTreeSet<&str> = rows.iter().map(|it| it.ecosystem.as_str()).collect();
    let ecosystems: Vec<&str> = ecosystems.into_iter().collect();
    move |it| covers(it, release.as_deref()) || covers_libraries(it, &ecosystems)
}

/// Whether a section tells something of libraries of these registries.
pub fn covers_libraries(info: &SectionInfo, ecosystems: &[&str]) -> bool {
    match &info.kind {
        Kind::Flaws { covers, .. } => ecosystems.contains(&covers.as_str()),
        Kind::Catalogue | Kind::Exploited | Kind::Predicted | Kind::Stated { .. } => true,
    }
}

impl Feeds<'_> {
    /// Every known flaw of a library of this version.
    pub fn flaws_of(&self, library: &Library) -> Vec<LibraryFlaw> {
        let mut flaws = Vec::new();
        for (info, _, order, section) in self.of_ecosystem(&library.ecosystem) {
            for row in section.rows(&order.normal_name(&library.name)) {
                let Some(verdict) = verdict(*order, &row.rule, &library.version) else { continue };
                let Some(advisory) = section.advisory(row) else { continue };
                let Known { advisory, severity, exploited_since, likelihood } =
                    Known::of(self, advisory);
                let mut flaw = LibraryFlaw {
                    library: library.clone(),
                    advisory: advisory.id.into(),
                    cves: advisory.cves.iter().map(|it| (*it).to_string()).collect(),
                    summary: advisory.summary.into(),
                    informational: advisory.informational.into(),
                    published: advisory.published,
                    score: severity.map(|it| it.score),
                    vector: advisory.vector.into(),
                    exploited_since,
                    likelihood,
                    verdict,
                    told_by: self.name(info, section),
                };
                let names: Vec<&str> =
                    flaw.cves.iter().chain([&flaw.advisory]).map(String::as_str).collect();
                if let Some(because) = stated::of_library(&self.stated, library, &names) {
                    flaw.verdict = Verdict::Stated { because };
                }
                flaws.push(flaw);
            }
        }
        flaws
    }

    /// The nearest later version of a library in which none of its known flaws is left.
    pub fn free_version(&self, library: &Library) -> Option<String> {
        let (_, _, order, _) = self.of_ecosystem(&library.ecosystem).next()?;
        let mut at = library.clone();
        // Each turn goes to a later version; few libraries need more than two.
        for _ in 0..TURNS_MAX {
            let flaws = self.flaws_of(&at);
            let is_stated = |it: &LibraryFlaw| matches!(it.verdict, Verdict::Stated { .. });
            let counts = |it: &&LibraryFlaw| it.informational.is_empty() && !is_stated(it);
            let mut left = flaws.iter().filter(counts).peekable();
            if left.peek().is_none() {
                return Some(at.version).filter(|it| *it != library.version);
            }
            let mut next: Option<String> = None;
            for flaw in left {
                let Verdict::FixableNow { fixed } = &flaw.verdict else { return None };
                if next.as_ref().is_none_or(|it| {
                    order.compare(it, fixed).is_some_and(std::cmp::Ordering::is_lt)
                }) {
                    next = Some(fixed.clone());
                }
            }
            at.version = next?;
        }
        None
    }

    /// What can be said of libraries of a registry: nothing without a feed, less with an old one.
    pub fn coverage_of(&self, ecosystem: &str, now: Timestamp) -> Coverage {
        let mut feeds = self.of_ecosystem(ecosystem).peekable();
        if feeds.peek().is_none() {
            return no_feed(ecosystem);
        }
        let doubt = |(info, _, _, section): &FlawSection<'_>| {
            too_few(info).or_else(|| self.too_old(info, section, now))
        };
        feeds.find_map(doubt).unwrap_or(Coverage::Complete)
    }
}

/// Every known flaw of the libraries of what runs.
pub fn match_applications(facts: &Facts, feeds: &Feeds<'_>) -> Table<ApplicationFlaw> {
    let applications = &facts.applications.rows;
    let told = applications.iter().filter(|it| !it.libraries.is_empty());
    let ecosystems: BTreeSet<&str> = told.map(|it| it.ecosystem.as_str()).collect();
    let mut because: Vec<String> = ecosystems
        .iter()
        .filter_map(|it| feeds.coverage_of(it, facts.taken).because().map(str::to_string))
        .collect();
    let mut rows = Vec::new();
    for application in applications {
        for library in &application.libraries {
            let flaws = feeds.flaws_of(library);
            let mut flaws = flaws.into_iter().filter(|it| it.informational.is_empty()).peekable();
            if flaws.peek().is_none() {
                continue;
            }
            let free = feeds.free_version(library);
            rows.extend(flaws.map(|flaw| ApplicationFlaw {
                application: application.path.clone(),
                flaw,
                free: free.clone(),
            }));
        }
    }
    because.sort();
    let coverage = match because.is_empty() {
        // What was not looked at has no flaws that are known.
        true if applications.is_empty() => facts.applications.coverage.clone(),
        true => Coverage::Complete,
        false => Coverage::partial(because.join("; ")),
    };
    Table::with(coverage, rows)
}
