//! Known flaws by name: which are exploited, which have no fix, how likely each is to be used here.

use super::assess::{reaches_root, through_ports, to_root, users_of};
use crate::estate::Service;
use crate::practice::Scene;
use polder_advisories::{RuleBook, deadline, severity};
use polder_model::facts::{Flaw, LibraryFlaw, Verdict};
use polder_model::{
    Basis, Coverage, Edge, EdgeId, Estimate, Evidence, Finding, Model, Range, Timestamp, VariableId,
};
use std::collections::BTreeMap;

/// Attacks a year on one exposed host with a flaw that can be automated, once it is exploited.
const AUTOMATED_PER_YEAR: Range = Range { low: 0.05, likely: 0.39, high: 3.0 };

/// The same for a flaw that takes a person.
const BY_HAND_PER_YEAR: Range = Range { low: 0.001, likely: 0.007, high: 0.05 };

/// Share of Debian's fixed flaws that are ever exploited: 40 of 2,666.
const EXPLOITED_SHARE: f64 = 0.015;

/// Probability that a flaw of the catalogue is used again.
const EXPLOITED_AGAIN: f64 = 0.97;

/// A fix that is not installed for so many days stays open about as long again.
const WINDOW_DAYS: (f64, f64) = (30.0, 365.0);

pub(super) fn assess(scene: &Scene<'_>, model: &mut Model) {
    let table = &scene.facts.flaws;
    if let Coverage::Partial { because, .. } = &table.coverage {
        let how = "renew the feeds: `polder feed status` says which";
        model.unknown("patch", "flaws that the feeds do not know of", because.clone(), how);
    }
    let mut by_source: BTreeMap<&str, Vec<&Flaw>> = BTreeMap::new();
    for flaw in &table.rows {
        by_source.entry(&flaw.source).or_default().push(flaw);
    }
    for (source, flaws) in by_source {
        // In this order: what is exploited names the steps that the other adds.
        without_fix(scene, source, &flaws, model);
        exploited(scene, source, &flaws, model);
        unclear(source, &flaws, model);
    }
}

/// The known flaws of a source package that an update on offer closes.
pub(super) fn fixable<'a>(scene: &Scene<'a>, source: &str) -> Vec<&'a Flaw> {
    let is_here = |it: &&Flaw| it.source == source;
    let flaws = scene.facts.flaws.rows.iter().filter(is_here);
    flaws.filter(|it| matches!(it.verdict, Verdict::FixableNow { .. })).collect()
}

/// What the probability of a flaw being used hangs on.
pub(super) struct Kin<'a> {
    /// Flaws of one name are one.
    name: &'a str,
    published: Option<Timestamp>,
    is_exploited: bool,
    likelihood: Option<f64>,
    is_automatable: bool,
    told_by: &'a str,
}

impl<'a> Kin<'a> {
    fn of(flaw: &'a Flaw) -> Self {
        Self {
            name: &flaw.advisory,
            published: flaw.published,
            is_exploited: flaw.exploited_since.is_some(),
            likelihood: flaw.likelihood,
            is_automatable: flaw.automatable,
            told_by: &flaw.told_by,
        }
    }

    /// A flaw of a library: two records of one CVE are one.
    pub(super) fn of_library(flaw: &'a LibraryFlaw) -> Self {
        Self {
            name: flaw.cves.first().unwrap_or(&flaw.advisory),
            published: flaw.published.map(Timestamp),
            is_exploited: flaw.exploited_since.is_some(),
            likelihood: flaw.likelihood,
            is_automatable: severity(&flaw.vector).is_some_and(|it| it.automatable),
            told_by: &flaw.told_by,
        }
    }
}

/// Probability within a year that any of these flaws is used against an exposed host; none where
/// nothing is known of them.
pub(super) fn estimate(flaws: &[&Flaw], taken: Timestamp) -> Option<Estimate> {
    let kin: Vec<Kin<'_>> = flaws.iter().map(|it| Kin::of(it)).collect();
    estimate_of(&kin, taken)
}

/// The same for flaws of any origin.
pub(super) fn estimate_of(flaws: &[Kin<'_>], taken: Timestamp) -> Option<Estimate> {
    if flaws.is_empty() {
        return None;
    }
    // An advisory of several binary packages is one flaw.
    let seen: BTreeMap<&str, &Kin<'_>> = flaws.iter().map(|it| (it.name, it)).collect();
    let mut none = [1.0_f64; 3];
    for flaw in seen.values() {
        let age = flaw.published.map_or(0, |it| it.days_until(taken)) as f64;
        let days = age.clamp(WINDOW_DAYS.0, WINDOW_DAYS.1);
        let wild = match (flaw.is_exploited, flaw.likelihood) {
            (true, _) => EXPLOITED_AGAIN,
            (false, Some(month)) => 1.0 - (1.0 - month).powf(days / 30.0),
            (false, None) => EXPLOITED_SHARE,
        };
        let rate = if flaw.is_automatable { AUTOMATED_PER_YEAR } else { BY_HAND_PER_YEAR };
        for (slot, rate) in none.iter_mut().zip([rate.low, rate.likely, rate.high]) {
            *slot *= 1.0 - wild * -(-rate * days / 365.0).exp_m1();
        }
    }
    let [low, likely, high] = none.map(|it| (1.0 - it).clamp(1e-7, 0.95));
    let date = flaws.first().and_then(|it| it.told_by.rsplit(' ').next());
    Some(Estimate {
        range: Range::new(low, likely, high),
        basis: Basis::Feed,
        source: "known flaws by name (exploited or not, EPSS), times the rate at which one host is met, which is judgement".into(),
        date: date.unwrap_or_default().into(),
    })
}

/// Names of the flaws, each once.
pub(super) fn names(flaws: &[&Flaw]) -> Vec<String> {
    let mut names: Vec<String> = flaws
        .iter()
        .flat_map(|it| match it.cves.is_empty() {
            true => vec![it.advisory.clone()],
            false => it.cves.clone(),
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The packages that have any of the flaws.
fn packages<'a>(flaws: &[&'a Flaw]) -> Vec<&'a str> {
    let mut all: Vec<&str> = flaws.iter().flat_map(|it| &it.packages).map(String::as_str).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// A list that stays short.
pub(super) fn listed(names: &[String], most: usize) -> String {
    let more = if names.len() > most { " ..." } else { "" };
    let shown: Vec<&str> = names.iter().take(most).map(String::as_str).collect();
    format!("{}{more}", shown.join(" "))
}

fn exploited(scene: &Scene<'_>, source: &str, flaws: &[&Flaw], model: &mut Model) {
    let flaws: Vec<&Flaw> =
        flaws.iter().copied().filter(|it| it.exploited_since.is_some() && is_there(it)).collect();
    let packages = packages(&flaws);
    let is_exposed = users_of(scene, &packages).iter().any(|it| it.is_exposed());
    // Each flaw has a day of its own; the first of them counts.
    let due = |flaw: &&Flaw| {
        let since = flaw.exploited_since?;
        let by = deadline(RuleBook {
            exploited: true,
            exposed: is_exposed,
            automatable: flaw.automatable,
            total: flaw.total,
        });
        Some((since.plus_days(i64::from(by.days().unwrap_or(0))), since, by))
    };
    let Some((day, since, by)) = flaws.iter().filter_map(due).min_by_key(|it| it.0) else { return };
    let days = since.days_until(scene.facts.taken).max(0);
    let late = match day.days_until(scene.facts.taken) {
        over if over > 0 => format!(": that day was {over} days ago"),
        _ => String::new(),
    };
    let fix = match flaws.iter().any(|it| matches!(it.verdict, Verdict::FixableNow { .. })) {
        true => "an update is on offer",
        false => "no update on offer has the fix",
    };
    let unrated = match flaws.iter().any(|it| it.score.is_none()) {
        true => ", sooner if it can be automated or gives all: its severity is not known",
        false => "",
    };
    let says = format!(
        "`{source}` has {}, which attackers use (in CISA's catalogue for {days} days); {fix}. By the rule book (CISA BOD 26-04) it is to be closed {by}{late}{unrated}",
        listed(&names(&flaws), 3)
    );
    let mut finding = Finding::new("patch/exploited", source, says)
        .opening(opened(model, source))
        .naming(names(&flaws));
    for flaw in flaws.iter().take(4) {
        finding = finding.because(evidence(flaw));
    }
    model.findings.push(finding);
}

/// The steps that known flaws of a source package open.
fn opened(model: &Model, source: &str) -> Vec<EdgeId> {
    let of = |kind: &str| VariableId(format!("{kind}:{source}"));
    let ids = ["flaw", "flaw-local", "flaw-unfixed", "flaw-unfixed-local"].map(of);
    let uses = |edge: &&Edge| edge.needs.iter().any(|it| ids.contains(it));
    model.graph.edges().filter(uses).map(|it| it.id.clone()).collect()
}

/// Whether the installed version is known to have it, and the vendor takes it for a flaw.
fn is_there(flaw: &Flaw) -> bool {
    match &flaw.verdict {
        Verdict::FixableNow { .. } | Verdict::FixableElsewhere { .. } => true,
        Verdict::NoFix { state } => state != "unimportant",
        Verdict::Unknown { .. } | Verdict::Stated { .. } => false,
    }
}

/// Flaws without a fix on this host count where something runs the code.
fn without_fix(scene: &Scene<'_>, source: &str, flaws: &[&Flaw], model: &mut Model) {
    let is_fixable = |it: &&Flaw| matches!(it.verdict, Verdict::FixableNow { .. });
    let flaws: Vec<&Flaw> =
        flaws.iter().copied().filter(|it| is_there(it) && !is_fixable(it)).collect();
    let packages = packages(&flaws);
    let users = users_of(scene, &packages);
    let is_local = reaches_root(source, &packages);
    let Some(first) = flaws.first().filter(|_| !users.is_empty() || is_local) else { return };
    let reason = match &first.verdict {
        Verdict::FixableElsewhere { fixed, from } => format!("{fixed} fixes it: {from}"),
        Verdict::NoFix { state } => format!("no fix: {state}"),
        Verdict::FixableNow { .. } | Verdict::Unknown { .. } | Verdict::Stated { .. } => {
            String::new()
        }
    };
    let count = names(&flaws).len();
    let what = if count == 1 { "a known flaw".into() } else { format!("{count} known flaws") };
    let reach = match users.first() {
        Some(service) => format!("`{}` runs it", service.name),
        None => "local users can reach it".into(),
    };
    let says = format!(
        "`{source}` has {what} without a fix here ({}); {reach}; {reason}",
        listed(&names(&flaws), 3)
    );
    let mut opens = open(source, &flaws, &users, scene.facts.taken, model);
    if is_local {
        opens.extend(open_local(source, first, model));
    }
    let mut finding =
        Finding::new("patch/no-fix", source, says).opening(opens).naming(names(&flaws));
    for flaw in flaws.iter().take(6) {
        finding = finding.because(evidence(flaw));
    }
    model.findings.push(finding);
}

/// Local users become root through a flaw that nobody fixed.
fn open_local(source: &str, flaw: &Flaw, model: &mut Model) -> Vec<EdgeId> {
    let variable = model.graph.variable(
        format!("flaw-unfixed-local:{source}"),
        format!("a known flaw in `{source}` without a fix lets a local user become root"),
        Estimate::judgement(0.001, 0.01, 0.1, "a flaw in a program that crosses to root, which its vendor has not fixed; most of those are minor"),
    );
    let how = format!("known flaw in {source} without a fix");
    let label = format!("uses a known flaw in `{source}`, which has no fix here");
    to_root(model, &variable, &how, &label, &evidence(flaw))
}

fn open(
    source: &str,
    flaws: &[&Flaw],
    users: &[&Service],
    taken: Timestamp,
    model: &mut Model,
) -> Vec<EdgeId> {
    let found = estimate(flaws, taken).filter(|_| !users.is_empty());
    let Some(estimate) = found else { return Vec::new() };
    let Some(first) = flaws.first() else { return Vec::new() };
    let variable = model.graph.variable(
        format!("flaw-unfixed:{source}"),
        format!("a known flaw in `{source}` without a fix is used against this host"),
        estimate,
    );
    let how = format!("known flaw in {source} without a fix");
    let label = format!("uses a known flaw in `{source}`, which has no fix here");
    through_ports(model, users, &variable, (&how, &label), &evidence(first))
}

/// What is not known about versions from elsewhere.
fn unclear(source: &str, flaws: &[&Flaw], model: &mut Model) {
    let mut reasons = flaws.iter().filter_map(|it| match &it.verdict {
        Verdict::Unknown { because } => Some(because),
        _ => None,
    });
    if let Some(because) = reasons.next() {
        let what = match reasons.count() {
            0 => format!("whether `{source}` has a known flaw"),
            more => format!("whether `{source}` has {} known flaws", more + 1),
        };
        model.unknown("patch", what, because.clone(), "read the changelog of the package");
    }
}

fn evidence(flaw: &Flaw) -> Evidence {
    let verdict = match &flaw.verdict {
        Verdict::FixableNow { fixed } => format!("fixed in {fixed}, which is on offer"),
        Verdict::FixableElsewhere { fixed, from } => format!("fixed in {fixed}; {from}"),
        Verdict::NoFix { state } => format!("no fix: {state}"),
        Verdict::Unknown { because } => format!("unknown: {because}"),
        Verdict::Stated { because } => format!("not affected: {because}"),
    };
    let severity = flaw.score.map(|it| format!(", CVSS {it}")).unwrap_or_default();
    Evidence::file(
        format!(
            "{} {} has {}{severity}: {verdict}",
            listed(&flaw.packages, 2),
            flaw.installed,
            flaw.advisory
        ),
        flaw.told_by.clone(),
        None,
    )
}
