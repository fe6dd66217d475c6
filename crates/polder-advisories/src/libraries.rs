//! Libraries of programming languages against what is known of them.

use crate::index::{Kind, SectionInfo};
use crate::matching::{Feeds, FlawSection, Known, no_feed, too_few};
use polder_model::facts::{Library, Verdict};
use polder_model::{Coverage, Timestamp};
use serde::Serialize;

/// Versions tried until one is free of all flaws.
const TURNS_MAX: usize = 32;

/// A known flaw of a library, as one record tells it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LibraryFlaw {
    /// The library.
    pub library: Library,
    /// Name of the advisory.
    pub advisory: String,
    /// Names in the CVE list.
    pub cves: Vec<String>,
    /// What it is.
    pub summary: String,
    /// Why it is no vulnerability in itself: `unmaintained`, `unsound`; empty where it is one.
    pub informational: String,
    /// When it was published, in seconds since 1970.
    pub published: Option<i64>,
    /// Base score of CVSS, zero to ten.
    pub score: Option<f64>,
    /// Its CVSS vector.
    pub vector: String,
    /// Since when it is in the catalogue of exploited flaws, in seconds since 1970.
    pub exploited_since: Option<i64>,
    /// Probability that it is exploited somewhere within thirty days.
    pub likelihood: Option<f64>,
    /// What can be done; on offer is what the registry has.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The feed.
    pub told_by: String,
}

/// Whether a section tells something of libraries of these registries.
pub fn covers_libraries(info: &SectionInfo, ecosystems: &[&str]) -> bool {
    match &info.kind {
        Kind::Flaws { covers, .. } => ecosystems.contains(&covers.as_str()),
        Kind::Catalogue | Kind::Exploited | Kind::Predicted => true,
    }
}

impl Feeds<'_> {
    /// Every known flaw of a library of this version.
    pub fn flaws_of(&self, library: &Library) -> Vec<LibraryFlaw> {
        let mut flaws = Vec::new();
        for (info, _, order, section) in self.of_ecosystem(&library.ecosystem) {
            for row in section.rows(&order.normal_name(&library.name)) {
                let verdict = match row.rule.has_flaw(*order, &library.version) {
                    Some(false) => continue,
                    Some(true) => match row.rule.fixed_after(*order, &library.version) {
                        Some(fixed) => Verdict::FixableNow { fixed: fixed.into() },
                        None => Verdict::NoFix { state: "no version without it is known".into() },
                    },
                    None => Verdict::Unknown {
                        because: format!(
                            "`{}` cannot be compared with what the feed says",
                            library.version
                        ),
                    },
                };
                let Some(advisory) = section.advisory(row) else { continue };
                let Known { advisory, severity, exploited_since, likelihood } =
                    Known::of(self, advisory);
                flaws.push(LibraryFlaw {
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
                });
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
            let mut left = flaws.iter().filter(|it| it.informational.is_empty()).peekable();
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
