//! One look at a host and all that is made of it.

use crate::commands::Globals;
use crate::config::Configuration;
use crate::failure::Failure;
use crate::flags::Target;
use crate::{accounts, changes};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use polder_facts::TABLES;
use polder_host::{Host, LiveHost, read_archive};
use polder_model::facts::{ApplicationFlaw, Facts, Flaw, TrackRecord};
use polder_model::{Coverage, Decision, Model, Table, Treatment, TreatmentId};
use polder_report::{CoverageLine, Earlier, HostLine, Material, View, view};
use polder_risk::{Options, Request, price, stability};
use polder_store::{Feeds, Store};
use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Opens what is to be looked at.
pub(crate) fn open(target: &Target, globals: &Globals) -> Result<Box<dyn Host>, Failure> {
    let state = state_folder(globals.state.as_deref(), target);
    let remembering = |host: LiveHost| match &state {
        Some(state) => host.remembering(state),
        None => host,
    };
    if let Some(file) = &target.from {
        let host = read_archive(file).map_err(|error| {
            Failure::usage(error).hint("`polder record FILE` writes a recording")
        })?;
        return Ok(Box::new(host));
    }
    if let Some(root) = &target.root {
        let host = LiveHost::folder(root).map_err(|error| {
            Failure::usage(error).hint("Name a folder that holds a root file system")
        })?;
        return Ok(Box::new(remembering(host)));
    }
    Ok(Box::new(remembering(LiveHost::here())))
}

/// Looks at all tables; after a second a bar on the terminal shows how far it is.
pub(crate) fn look(host: &dyn Host, quiet: bool) -> Facts {
    with_bar(quiet, |progress| polder_facts::look(host, progress))
}

/// Looks at all tables, and matches what is installed with the known flaws that were imported.
pub(crate) fn look_known(host: &dyn Host, globals: &Globals, target: &Target) -> Facts {
    let mut facts = look(host, globals.quiet);
    add_flaws(&mut facts, globals, target);
    facts.file_changes = changes::file_changes(globals, target, facts.taken);
    facts.database_accounts = accounts::database_accounts(globals, target, facts.taken);
    facts
}

/// Matches what is installed with the feeds.
fn add_flaws(facts: &mut Facts, globals: &Globals, target: &Target) {
    let known = match state_folder(globals.state.as_deref(), target) {
        Some(folder) => known_flaws(facts, &Feeds::of(&folder)),
        None => {
            let because =
                "a recording or folder is matched with the feeds of `--state FOLDER` only";
            Err(Coverage::not_looked(because))
        }
    };
    let known = known.unwrap_or_else(KnownFlaws::none);
    facts.flaws = known.packages;
    facts.application_flaws = known.applications;
    facts.vendors = known.vendors;
}

/// What feeds tell of one host.
struct KnownFlaws {
    packages: Table<Flaw>,
    applications: Table<ApplicationFlaw>,
    vendors: Table<TrackRecord>,
}

impl KnownFlaws {
    /// Nothing can be told.
    fn none(coverage: Coverage) -> Self {
        Self {
            packages: Table::with(coverage.clone(), Vec::new()),
            applications: Table::with(coverage.clone(), Vec::new()),
            vendors: Table::with(coverage, Vec::new()),
        }
    }
}

/// What the imported feeds tell of this host; an index that cannot be read is not "none".
fn known_flaws(facts: &Facts, feeds: &Feeds) -> Result<KnownFlaws, Coverage> {
    let sections = feeds.sections(polder_advisories::covers_host(facts));
    let unreadable = |error: &dyn std::error::Error| {
        let cause = error.source().map(|it| format!(": {it}")).unwrap_or_default();
        Coverage::partial(format!("{error}{cause}"))
    };
    let sections = sections.map_err(|error| unreadable(&error))?;
    let feeds = polder_advisories::Feeds::of(&sections).map_err(|error| unreadable(&error))?;
    Ok(KnownFlaws {
        packages: polder_advisories::match_host(facts, &feeds),
        applications: polder_advisories::match_applications(facts, &feeds),
        vendors: polder_advisories::track_records(facts, &feeds),
    })
}

/// Looks at one table and what it is made from.
pub(crate) fn look_only(host: &dyn Host, table: &str, globals: &Globals, target: &Target) -> Facts {
    let mut facts =
        with_bar(globals.quiet, |progress| polder_facts::look_only(host, table, progress));
    if table == "file-changes" {
        facts.file_changes = changes::file_changes(globals, target, facts.taken);
    }
    if table == "database-accounts" {
        facts.database_accounts = accounts::database_accounts(globals, target, facts.taken);
    }
    if matches!(table, "flaws" | "vendors" | "application-flaws") {
        add_flaws(&mut facts, globals, target);
    }
    facts
}

fn with_bar(quiet: bool, look: impl Fn(&(dyn Fn(&str) + Sync)) -> Facts) -> Facts {
    let start = Instant::now();
    let bar =
        ProgressBar::with_draw_target(Some(TABLES.len() as u64), ProgressDrawTarget::hidden());
    if let Ok(style) = ProgressStyle::with_template("  looking {bar:30} {pos}/{len}  {msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    let wants_bar = !quiet && std::io::stderr().is_terminal();
    let facts = look(&|title| {
        bar.inc(1);
        bar.set_message(title.to_string());
        if wants_bar && bar.is_hidden() && start.elapsed() > Duration::from_secs(1) {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    });
    bar.finish_and_clear();
    facts
}

/// Where history and decisions are kept: none for recordings and folders, unless a flag says so.
pub(crate) fn state_folder(flag: Option<&Path>, target: &Target) -> Option<PathBuf> {
    if let Some(folder) = flag {
        return Some(folder.into());
    }
    if target.from.is_some() || target.root.is_some() {
        return None;
    }
    if rustix::process::geteuid().is_root() {
        return Some("/var/lib/polder".into());
    }
    // XDG Base Directory Specification 0.8.
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|it| it.is_absolute());
    let home = std::env::var_os("HOME").map(|it| PathBuf::from(it).join(".local/state"));
    state.or(home).map(|it| it.join("polder"))
}

/// Opens the store; without one the assessment goes on, and says so.
pub(crate) fn store(flag: Option<&Path>, target: &Target, quiet: bool) -> Option<Store> {
    let folder = state_folder(flag, target)?;
    match Store::open(&folder) {
        Ok(store) => Some(store),
        Err(error) => {
            if !quiet {
                let failure = Failure::look(error)
                    .hint("The assessment goes on without history and decisions; `--state FOLDER` keeps them elsewhere");
                crate::output::say(&failure.text(false).replacen("error:", "warning:", 1));
            }
            None
        }
    }
}

/// Treatments whose order is tried with guesses that are wrong.
const STABLE: usize = 12;

/// All that is made of one look.
pub(crate) struct Judged {
    pub(crate) model: Model,
    pub(crate) view: View,
}

/// Judges, prices and lays out what was seen.
pub(crate) fn judge(
    facts: &Facts,
    configuration: &Configuration,
    store: Option<&Store>,
    seed: Option<u64>,
) -> Result<Judged, Failure> {
    let model = polder_practices::judge(facts, &configuration.settings);
    let (decisions, earlier) = remembered(store, &model.host)?;
    let options = seeded(configuration, seed);
    let treatments = distinct(&model);
    let skip = skipped(&model, &decisions, facts);
    let request = Request { skip, ..Request::first(configuration.plan) };
    let pricing = price(&model.graph, model.restore, &treatments, &request, options);
    let few = Options { worlds_per_block: 8, ..options };
    // The order of those that could come first.
    let best = pricing.treatments.iter().take(STABLE);
    let is_best = |it: &&&Treatment| best.clone().any(|value| value.id == it.id);
    let first: Vec<&Treatment> = treatments.iter().filter(is_best).copied().collect();
    let shifted = stability(&model.graph, model.restore, &first, few, false);
    let other = shifted.iter().find(|it| it.first_changes).and_then(|it| it.first.as_ref());
    let view = view(Material {
        rests_on_guesses: other.map(|it| it.0.as_str()),
        version: env!("CARGO_PKG_VERSION"),
        host: host_line(facts),
        model: &model,
        pricing: &pricing,
        coverage: coverage(facts),
        decisions: &decisions,
        earlier: earlier.as_ref(),
        appetite: configuration.appetite,
        appetite_from: &configuration.appetite_from,
        money: configuration.money,
        kind: polder_practices::find_kind,
    });
    Ok(Judged { model, view })
}

/// The configured way to draw, with another seed where one is given.
pub(crate) fn seeded(configuration: &Configuration, seed: Option<u64>) -> Options {
    Options { seed: seed.unwrap_or(configuration.options.seed), ..configuration.options }
}

/// Treatments that decisions keep out of plans.
pub(crate) fn kept_out(
    model: &Model,
    store: Option<&Store>,
    facts: &Facts,
) -> Result<BTreeSet<TreatmentId>, Failure> {
    let (decisions, _) = remembered(store, &model.host)?;
    Ok(skipped(model, &decisions, facts))
}

fn remembered(
    store: Option<&Store>,
    host: &str,
) -> Result<(Vec<Decision>, Option<Earlier>), Failure> {
    let Some(store) = store else { return Ok((Vec::new(), None)) };
    let decisions = store.decisions(host).map_err(Failure::look)?;
    let last = store.last(host).map_err(Failure::look)?;
    // What an older Polder wrote and this one cannot read is no reason to fail.
    let earlier = last.and_then(|it| serde_json::from_str(&it.text).ok());
    Ok((decisions, earlier))
}

/// Every treatment once, whichever findings propose it.
pub(crate) fn distinct(model: &Model) -> Vec<&Treatment> {
    let mut seen = BTreeSet::new();
    model
        .findings
        .iter()
        .flat_map(|finding| &finding.treatments)
        .filter(|treatment| seen.insert(&treatment.id))
        .collect()
}

/// Treatments that only answer findings somebody decided about.
fn skipped(model: &Model, decisions: &[Decision], facts: &Facts) -> BTreeSet<TreatmentId> {
    let is_decided = |finding: &polder_model::Finding| {
        decisions.iter().any(|it| {
            it.finding == finding.id.0 && it.holds(facts.taken, !finding.treatments.is_empty())
        })
    };
    let ids = |decided: bool| -> BTreeSet<TreatmentId> {
        let findings = model.findings.iter().filter(|it| is_decided(it) == decided);
        findings.flat_map(|it| it.treatments.iter().map(|it| it.id.clone())).collect()
    };
    let open = ids(false);
    ids(true).into_iter().filter(|it| !open.contains(it)).collect()
}

fn host_line(facts: &Facts) -> HostLine {
    let system = facts.system_row();
    HostLine {
        name: facts.host_name().into(),
        os: system.map_or("", |it| &it.os_name).into(),
        kernel: system.map_or("", |it| &it.kernel_release).into(),
        taken: facts.taken,
        as_root: facts.looker_uid == 0,
    }
}

/// Coverage of every table.
pub(crate) fn coverage(facts: &Facts) -> Vec<CoverageLine> {
    TABLES
        .iter()
        .map(|table| {
            let shown = table.show(facts);
            CoverageLine {
                table: table.name.into(),
                title: table.title.into(),
                coverage: shown.coverage,
                rows: shown.rows.len(),
                problems: shown.problems.len(),
            }
        })
        .collect()
}
