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
    let mut waiting: BTreeMap<&str, i64> = BTreeMap::new();
    for it in &facts.candidates.rows {
        if let Some(fix) = it.fix.as_ref().filter(|fix| it.security || !fix.cves.is_empty()) {
            let days = fix.since.days_until(facts.taken);
            let slot = waiting.entry(&it.source).or_default();
            *slot = days.max(*slot);
        }
    }
    // Without the vendor's dates: at least since the index that offers it.
    for it in facts.candidates.rows.iter().filter(|it| it.security && it.fix.is_none()) {
        if let Some(offered) = it.offered_no_later_than {
            let slot = waiting.entry(&it.source).or_default();
            *slot = offered.days_until(facts.taken).max(*slot);
        }
    }
    for it in &facts.flaws.rows {
        // The day of an announcement is that of its fix; a CVE is often known long before.
        let is_announced = !it.advisory.starts_with("CVE-");
        let has_fix = matches!(it.verdict, Verdict::FixableNow { .. });
        let published = it.published.filter(|_| has_fix && is_announced);
        if let Some(published) = published {
            let days = published.days_until(facts.taken);
            let slot = waiting.entry(&it.source).or_default();
            *slot = days.max(*slot);
        }
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
