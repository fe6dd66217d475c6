//! What every room is, and the judgement of all of them.

use crate::estate::Estate;
use crate::{contain, drill, expose, least_access, patch, watch};
use polder_model::facts::Facts;
use polder_model::{
    About, Change, Finding, FindingKind, Model, Op, PackageManager, Settings, Step, Treatment,
    TreatmentId,
};
use std::collections::BTreeMap;

/// What a room may look at.
pub struct Scene<'a> {
    /// What was seen.
    pub facts: &'a Facts,
    /// What the owner said.
    pub settings: &'a Settings,
    /// Services and where they stand on the graph.
    pub estate: &'a Estate,
}

impl Scene<'_> {
    /// Whether systemd runs the host, so that its units can be started and restarted.
    pub(crate) fn has_systemd(&self) -> bool {
        self.facts.system_row().is_some_and(|it| it.init == "systemd")
    }
}

/// One piece of advice, as a lever on the model.
pub trait Practice: Sync {
    /// Says what it is, once, for help, book, page and reports alike.
    fn about(&self) -> &'static About;
    /// Judges; never looks.
    fn assess(&self, scene: &Scene<'_>, model: &mut Model);
    /// Proposes; never acts.
    fn treat(&self, finding: &Finding, scene: &Scene<'_>, model: &Model) -> Vec<Treatment>;
}

/// Every practice, in the order in which people meet them.
pub static PRACTICES: &[&dyn Practice] = &[
    &patch::Patch,
    &expose::Expose,
    &least_access::LeastAccess,
    &contain::Contain,
    &watch::Watch,
    &drill::Drill,
];

/// The entry of a finding's kind, `room/kind`, with its room.
pub fn find_kind(kind: &str) -> Option<(&'static About, &'static FindingKind)> {
    let (room, id) = kind.split_once('/')?;
    let about = PRACTICES.iter().map(|it| it.about()).find(|about| about.id == room)?;
    about.findings.iter().find(|it| it.id == id).map(|it| (about, it))
}

/// Builds the graph of the host and lets every room judge and propose.
pub fn judge(facts: &Facts, settings: &Settings) -> Model {
    let mut model = Model::new(facts.host_name());
    let estate = Estate::build(facts, settings, &mut model);
    let scene = Scene { facts, settings, estate: &estate };
    for practice in PRACTICES {
        practice.assess(&scene, &mut model);
    }
    let mut findings = std::mem::take(&mut model.findings);
    for finding in &mut findings {
        let room = finding.room().to_string();
        if let Some(practice) = PRACTICES.iter().find(|it| it.about().id == room) {
            finding.treatments = practice.treat(finding, &scene, &model);
        }
        if finding.treatments.is_empty() && finding.untreatable.is_none() {
            finding.untreatable = Some("no treatment is known: contain it, or accept it".into());
        }
    }
    join_effects(&mut findings);
    name_the_service_manager(facts, &mut findings);
    keep_what_can_be_done(facts, &mut findings);
    model.findings = findings;
    model
}

/// Where systemd does not run, its commands cannot work: each treatment that has one says so.
fn name_the_service_manager(facts: &Facts, findings: &mut [Finding]) {
    let Some(system) = facts.system_row() else { return };
    if system.init.is_empty() || system.init == "systemd" {
        return;
    }
    let needs_it =
        |step: &Step| matches!(step, Step::Run { command } if command.contains("systemctl"));
    for treatment in findings.iter_mut().flat_map(|it| &mut it.treatments) {
        if treatment.steps.iter().chain(&treatment.undo).any(needs_it) {
            let what = "systemd does not run here: where a step or its undo says `systemctl`, stop and start the service the way it was started";
            treatment.steps.insert(0, Step::Decide { what: what.into() });
        }
    }
}

/// Where Polder cannot install packages, only what needs none is left for it to do.
fn keep_what_can_be_done(facts: &Facts, findings: &mut [Finding]) {
    if PackageManager::of(facts).is_driven() {
        return;
    }
    let is_here = |name: &String| facts.packages.rows.iter().any(|it| it.name == *name);
    for treatment in findings.iter_mut().flat_map(|it| &mut it.treatments) {
        treatment.changes.retain(
            |it| !matches!(it, Change::InstallPackages { names } if names.iter().all(is_here)),
        );
        let needs_packages = |it: &Change| {
            matches!(it, Change::InstallPackages { .. } | Change::UpgradePackages { .. })
        };
        if treatment.changes.iter().any(needs_packages) {
            treatment.changes.clear();
        }
    }
}

/// Equal work that answers several findings has the effects of all of them.
fn join_effects(findings: &mut [Finding]) {
    let mut all: BTreeMap<TreatmentId, Vec<Op>> = BTreeMap::new();
    for treatment in findings.iter().flat_map(|it| &it.treatments) {
        let ops = all.entry(treatment.id.clone()).or_default();
        for op in &treatment.ops {
            if !ops.contains(op) {
                ops.push(op.clone());
            }
        }
    }
    for treatment in findings.iter_mut().flat_map(|it| &mut it.treatments) {
        if let Some(ops) = all.get(&treatment.id) {
            treatment.ops.clone_from(ops);
        }
    }
}
