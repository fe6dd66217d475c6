//! Known flaws in libraries of the owner's own programs, where these run.

use super::known::{self, Kin};
use crate::estate::Service;
use crate::practice::Scene;
use polder_model::facts::{Application, ApplicationFlaw, Verdict};
use polder_model::{
    Coverage, EdgeId, Evidence, Finding, Model, NodeId, Op, Range, Treatment, VariableId, quoted,
};
use std::collections::BTreeMap;

/// Libraries named in a finding.
const SHOWN: usize = 6;

pub(super) fn assess(scene: &Scene<'_>, model: &mut Model) {
    let facts = scene.facts;
    for application in &facts.applications.rows {
        let path = application.path.as_str();
        if let Some(because) = &application.unknown {
            let how = "pin every library to a version of a registry";
            model.unknown("patch", format!("all libraries of {path}"), because.clone(), how);
        }
        let flaws: Vec<&ApplicationFlaw> =
            facts.application_flaws.rows.iter().filter(|it| it.application == path).collect();
        found(scene, application, &flaws, model);
    }
    if facts.applications.rows.is_empty() {
        return;
    }
    let because = match &facts.application_flaws.coverage {
        Coverage::Partial { because, .. } | Coverage::NotLooked { because, .. } => because,
        Coverage::Complete | Coverage::NotApplicable { .. } => return,
    };
    let count: usize = facts.applications.rows.iter().map(|it| it.libraries.len()).sum();
    let what = format!("known flaws of the {count} libraries of programs that run here");
    model.unknown(
        "patch",
        what,
        because.clone(),
        "`polder feed update` fetches what is known of them",
    );
}

/// The services of which some process runs an application.
fn users_of<'a>(scene: &Scene<'a>, application: &Application) -> Vec<&'a Service> {
    let services = scene.estate.services.values();
    services.filter(|it| application.pids.iter().any(|pid| it.pids.contains(pid))).collect()
}

/// Flaws with a later version without them, and the others.
fn by_fix<'a>(flaws: &[&'a ApplicationFlaw]) -> [Vec<&'a ApplicationFlaw>; 2] {
    let is_there = |it: &&&ApplicationFlaw| {
        !matches!(it.flaw.verdict, Verdict::Unknown { .. } | Verdict::Stated { .. })
    };
    let has_fix = |it: &&ApplicationFlaw| matches!(it.flaw.verdict, Verdict::FixableNow { .. });
    let (fixed, open) = flaws.iter().filter(is_there).partition(|it| has_fix(it));
    [fixed, open]
}

fn variable(path: &str, has_fix: bool) -> VariableId {
    let kind = if has_fix { "flaw-library" } else { "flaw-library-unfixed" };
    VariableId(format!("{kind}:{path}"))
}

fn found(
    scene: &Scene<'_>,
    application: &Application,
    flaws: &[&ApplicationFlaw],
    model: &mut Model,
) {
    let path = application.path.as_str();
    let parts = by_fix(flaws);
    if parts.iter().all(Vec::is_empty) {
        return;
    }
    let users = users_of(scene, application);
    let mut opens = Vec::new();
    for (part, has_fix) in parts.iter().zip([true, false]) {
        opens.extend(open(scene, path, part, has_fix, &users, model));
    }
    let libraries = by_library(flaws);
    let names: Vec<String> = libraries.keys().map(|it| (*it).to_string()).collect();
    let reach = match users.iter().find(|it| it.is_exposed()).or(users.first()) {
        Some(service) if service.is_exposed() => {
            format!("`{}` runs it and can be reached from outside", service.name)
        }
        Some(service) => format!("`{}` runs it", service.name),
        None => "what runs it listens nowhere".into(),
    };
    let what = match names.len() {
        1 => "a library".to_string(),
        count => format!("{count} libraries"),
    };
    let says =
        format!("{path} names {what} with known flaws ({}); {reach}", known::listed(&names, 3));
    let mut finding = Finding::new("patch/library", path, says).opening(opens);
    finding = finding.because(Evidence::file(application.because.clone(), path, None));
    for (library, flaws) in libraries.iter().take(SHOWN) {
        let Some(first) = flaws.first() else { continue };
        let fix = match &first.free {
            Some(version) => format!("{version} has none"),
            None => "no version without any is known".into(),
        };
        let names: Vec<String> = flaws.iter().map(|it| name(it)).collect();
        let says = format!("{library} has {}: {fix}", known::listed(&names, 4));
        finding = finding.because(Evidence::file(says, first.flaw.told_by.clone(), None));
    }
    model.findings.push(finding);
}

/// The name a flaw is best known by.
fn name(it: &ApplicationFlaw) -> String {
    it.flaw.cves.first().unwrap_or(&it.flaw.advisory).clone()
}

/// `name version`, with its flaws, the most urgent library first.
fn by_library<'a>(flaws: &[&'a ApplicationFlaw]) -> BTreeMap<String, Vec<&'a ApplicationFlaw>> {
    let mut libraries: BTreeMap<String, Vec<&ApplicationFlaw>> = BTreeMap::new();
    for it in flaws {
        let library = &it.flaw.library;
        libraries.entry(format!("{} {}", library.name, library.version)).or_default().push(it);
    }
    libraries
}

/// Whoever reaches what runs the application may use a flaw of its libraries.
fn open(
    scene: &Scene<'_>,
    path: &str,
    flaws: &[&ApplicationFlaw],
    has_fix: bool,
    users: &[&Service],
    model: &mut Model,
) -> Vec<EdgeId> {
    let kin: Vec<Kin<'_>> = flaws.iter().map(|it| Kin::of_library(&it.flaw)).collect();
    let estimate = known::estimate_of(&kin, scene.facts.taken).filter(|_| !users.is_empty());
    let (Some(estimate), Some(first)) = (estimate, flaws.first()) else { return Vec::new() };
    let tail = if has_fix { "which has a fix" } else { "which has no fix" };
    let variable = model.graph.variable(
        variable(path, has_fix).0,
        format!("a known flaw in a library of {path}, {tail}, is used against this host"),
        estimate,
    );
    let how = format!("known flaw in a library of {path}, {tail}");
    let label = format!("uses a known flaw in a library of {path}, {tail}");
    let evidence = Evidence::file(
        format!("{} {} has {}", first.flaw.library.name, first.flaw.library.version, name(first)),
        first.flaw.told_by.clone(),
        None,
    );
    let mut edges = Vec::new();
    for service in users {
        let process = NodeId(format!("proc:{}", service.name));
        for port in service.ports() {
            let listener = NodeId(format!("listener:{port}"));
            let (needs, evidence) = (vec![variable.clone()], evidence.clone());
            edges.push(model.graph.edge(&listener, &process, &how, label.clone(), needs, evidence));
        }
    }
    edges
}

pub(super) fn treat(finding: &Finding, scene: &Scene<'_>, model: &Model) -> Vec<Treatment> {
    let path = finding.subject.as_str();
    let facts = scene.facts;
    let Some(application) = facts.applications.rows.iter().find(|it| it.path == path) else {
        return Vec::new();
    };
    let rows = facts.application_flaws.rows.iter();
    let flaws: Vec<&ApplicationFlaw> = rows.filter(|it| it.application == path).collect();
    let [fixed, open] = by_fix(&flaws);
    let mut treatments = Vec::new();
    if !fixed.is_empty() {
        treatments.push(update(scene, application, &fixed, model));
    }
    if !open.is_empty() {
        treatments.push(wrap(path, model));
    }
    treatments
}

/// The folder in which the tools of the language are to be called.
fn folder(path: &str) -> &str {
    let below = ["/node_modules/", "/vendor/composer/"].iter().find_map(|it| path.find(it));
    let end = below.or_else(|| path.rfind('/')).unwrap_or(path.len());
    path.get(..end).filter(|it| !it.is_empty()).unwrap_or("/")
}

fn update(
    scene: &Scene<'_>,
    application: &Application,
    flaws: &[&ApplicationFlaw],
    model: &Model,
) -> Treatment {
    let path = application.path.as_str();
    let mut wanted: BTreeMap<&str, &str> = BTreeMap::new();
    for it in flaws {
        let fixed = match &it.flaw.verdict {
            Verdict::FixableNow { fixed } => fixed.as_str(),
            _ => continue,
        };
        wanted.insert(&it.flaw.library.name, it.free.as_deref().unwrap_or(fixed));
    }
    let title = match wanted.len() {
        1 => format!("Update a library of {path}"),
        count => format!("Update {count} libraries of {path}"),
    };
    let names: Vec<String> = wanted.keys().map(|it| quoted(it)).collect();
    let names = names.join(" ");
    let pinned = |between: &str| -> String {
        let word = |(name, version): (&&str, &&str)| quoted(&format!("{name}{between}{version}"));
        wanted.iter().map(word).collect::<Vec<_>>().join(" ")
    };
    let folder = &quoted(folder(path));
    let asked = pinned(" ");
    let run = match application.ecosystem.as_str() {
        "npm" => format!("cd {folder} && npm install {}", pinned("@")),
        "PyPI" if path.ends_with("site-packages") => {
            let environment = path.split("/lib/").next().unwrap_or(path);
            let python = quoted(&format!("{environment}/bin/python"));
            format!("{python} -m pip install {}", pinned(">="))
        }
        "PyPI" if path.ends_with("uv.lock") => {
            let each: Vec<String> =
                wanted.keys().map(|it| format!("--upgrade-package {}", quoted(it))).collect();
            format!("cd {folder} && uv lock {} && uv sync", each.join(" "))
        }
        "PyPI" if path.ends_with("poetry.lock") => format!("cd {folder} && poetry update {names}"),
        "PyPI" if path.ends_with("pdm.lock") => format!("cd {folder} && pdm update {names}"),
        "PyPI" if path.ends_with("Pipfile.lock") => format!("cd {folder} && pipenv update {names}"),
        "PyPI" => format!("cd {folder} && python3 -m pip install {}", pinned("==")),
        "Packagist" => format!("cd {folder} && composer update --with-all-dependencies {names}"),
        "RubyGems" => format!("cd {folder} && bundle update {names}"),
        "Go" => format!("cd {folder} && go get {} && go build ./...", pinned("@v")),
        _ => format!("cd {folder} && cargo update {names} && cargo build --release --locked"),
    };
    let services: Vec<String> =
        users_of(scene, application).iter().map(|it| format!("`{}`", it.name)).collect();
    let mut treatment = Treatment::new(format!("update:{path}"), title, [0.3, 1.0, 6.0])
        .decide(format!(
            "Do it where {folder} is built, and deploy it from there; wanted are {asked}"
        ))
        .run(run)
        .decide("Run its tests: a library may have changed more than its flaw");
    if !services.is_empty() {
        treatment = treatment.decide(format!("Start {} again", services.join(", ")));
    }
    let mut treatment = treatment
        .undo_by("put the former lock file back, install from it, and start the service again")
        .verify(format!("`polder audit {folder}` names none of them"))
        .may_break("some", "a later version may behave differently");
    treatment.ops = closing(path, true, model);
    treatment
}

fn closing(path: &str, has_fix: bool, model: &Model) -> Vec<Op> {
    let variable = variable(path, has_fix);
    let known = model.graph.find_variable(&variable).is_some();
    known.then_some(Op::Close { variable }).into_iter().collect()
}

fn wrap(path: &str, model: &Model) -> Treatment {
    let treatment = Treatment::new(
        format!("wrap:{path}"),
        format!("Wrap {path}, libraries of which have flaws without a fix"),
        [0.5, 2.0, 6.0],
    );
    let mut treatment = treatment
        .decide("Take another library that does the same, or what calls the flaw out of the program")
        .decide("Else let only those reach it who need it, and hold it in a sandbox: `polder assess --all` has both for each service")
        .decide("Look again in thirty days: a fix may have come")
        .undo_by("open what was closed")
        .verify(format!("`polder assess --all` no longer lists patch/library:{path}"))
        .may_break("some", "what is kept away can no longer be reached");
    let variable = variable(path, false);
    if model.graph.find_variable(&variable).is_some() {
        treatment = treatment.effect(Op::Thin { variable, factor: Range::new(0.05, 0.2, 0.6) });
    }
    treatment
}
