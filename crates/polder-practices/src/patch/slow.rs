//! How long fixes that can be had wait before they run, beside what the owner allows.

use super::known;
use crate::practice::Scene;
use polder_model::facts::Verdict;
use polder_model::{Evidence, Finding, Model};
use std::collections::BTreeMap;

pub(super) fn assess(scene: &Scene<'_>, model: &mut Model) {
    let Some(most) = scene.settings.fix_days_max.map(i64::from) else { return };
    let waiting = waiting(scene);
    let late: Vec<(&str, i64)> =
        waiting.iter().map(|(name, days)| (*name, *days)).filter(|it| it.1 > most).collect();
    let past = past(scene).filter(|it| it.0 > most);
    if late.is_empty() && past.is_none() {
        return;
    }
    let mut says = Vec::new();
    if let Some((name, days)) = late.iter().max_by_key(|it| it.1) {
        let who = match late.len() {
            1 => format!("the fix of `{name}` has waited {days} days"),
            count => {
                format!("the fixes of {count} packages wait, that of `{name}` for {days} days")
            }
        };
        says.push(who);
    }
    if let Some((days, count)) = past {
        says.push(format!("in the past fixes ran here after {days} days (median of {count})"));
    }
    let says = format!("{}; {most} days are allowed", says.join("; "));
    let names: Vec<String> = late.iter().map(|(name, days)| format!("{name} ({days})")).collect();
    let mut finding = Finding::new("patch/slow", "fixes", says);
    if !names.is_empty() {
        let says = format!("days that fixes have waited: {}", known::listed(&names, 8));
        finding = finding.because(Evidence::command(says, "polder look candidates"));
    }
    if past.is_some() {
        let says = "days from an advisory to the fix being installed";
        finding = finding.because(Evidence::command(says, "polder look vendors"));
    }
    model.findings.push(finding);
}

/// Days for which the fix of each source package could have been had: by the vendor's changelog or
/// advisories at hand, and by the oldest announcement of the feeds.
fn waiting<'a>(scene: &Scene<'a>) -> BTreeMap<&'a str, i64> {
    let facts = scene.facts;
    let candidates = facts.candidates.rows.iter().filter_map(|it| match &it.fix {
        Some(fix) => (it.security || !fix.cves.is_empty()).then_some((&it.source, fix.since)),
        // Without the vendor's dates: at least since the index that offers it.
        None => Some((&it.source, it.offered_no_later_than.filter(|_| it.security)?)),
    });
    let announced = facts.flaws.rows.iter().filter_map(|it| {
        // The day of an announcement is that of its fix; a CVE is often known long before.
        let is_announced = !it.advisory.starts_with("CVE-");
        let has_fix = matches!(it.verdict, Verdict::FixableNow { .. });
        Some((&it.source, it.published.filter(|_| has_fix && is_announced)?))
    });
    let mut waiting: BTreeMap<&str, i64> = BTreeMap::new();
    for (source, since) in candidates.chain(announced) {
        let days = since.days_until(facts.taken);
        let longest = waiting.entry(source).or_default();
        *longest = days.max(*longest);
    }
    waiting
}

/// Days from an advisory to its fix here, the median, with the number of advisories it rests on.
fn past(scene: &Scene<'_>) -> Option<(i64, u32)> {
    let rows = scene.facts.vendors.rows.iter();
    let mut all: Vec<(i64, u32)> =
        rows.filter_map(|it| Some((it.days_unfixed?, it.days_measured))).collect();
    all.sort_unstable();
    let count: u32 = all.iter().map(|it| it.1).sum();
    let mut seen = 0;
    let middle = all.into_iter().find(|it| {
        seen += it.1;
        seen * 2 >= count && count > 0
    });
    middle.map(|it| (it.0, count))
}
