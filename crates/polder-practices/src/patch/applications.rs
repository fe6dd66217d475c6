//! Known flaws in libraries of the owner's own programs, where these run.

use super::assess::{reach, through_ports};
use super::known::{self, Kin};
use crate::estate::Service;
use crate::practice::Scene;
use polder_model::facts::{Application, ApplicationFlaw, Verdict};
use polder_model::version::deb;
use polder_model::{
    Coverage, EdgeId, Evidence, Finding, Model, Op, Range, Treatment, VariableId, quoted,
};
use std::collections::BTreeMap;

/// Libraries named in a finding.
const SHOWN: usize = 6;

pub(super) fn assess(scene: &Scene<'_>, model: &mut Model) {
    let facts = scene.facts;
    let (told, silent): (Vec<&Application>, Vec<_>) =
        facts.applications.rows.iter().partition(|it| !it.libraries.is_empty());
    for application in &told {
        let path = application.path.as_str();
        if let Some(because) = &application.unknown {
            let how = "pin every library to a version of a registry";
            model.unknown("patch", format!("all libraries of {path}"), because.clone(), how);
        }
        let flaws: Vec<&ApplicationFlaw> =
            facts.application_flaws.rows.iter().filter(|it| it.application == path).collect();
        found(scene, application, &flaws, model);
    }
    not_told(&silent, model);
    let gap = facts.applications.coverage.because();
    // What hides processes is said where processes are looked at.
    if let Some(because) = gap.filter(|it| facts.processes.coverage.because() != Some(*it)) {
        let what = "the libraries of all programs that run";
        model.unknown(
            "patch",
            what,
            because,
            "`polder look applications` shows those that are known",
        );
    }
    if told.is_empty() {
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

/// Programs of which nothing tells the libraries: one line for all of them.
fn not_told(silent: &[&Application], model: &mut Model) {
    let Some(first) = silent.first() else { return };
    let what = match silent.len() {
        1 => format!("which libraries {} is built with", first.path),
        count => format!("which libraries {count} programs are built with"),
    };
    let each: Vec<String> = silent
        .iter()
        .take(4)
        .map(|it| format!("{}: {}", it.path, it.unknown.as_deref().unwrap_or_default()))
        .collect();
    let more = if silent.len() > 4 { "; and more in `polder look applications`" } else { "" };
    let how = "keep the lock file beside the program, or build it so that it notes them";
    model.unknown("patch", what, format!("{}{more}", each.join("; ")), how);
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
    let counted: Vec<&ApplicationFlaw> = parts.iter().flatten().copied().collect();
    let libraries = by_library(&counted);
    let names: Vec<String> = libraries.keys().map(|it| (*it).to_string()).collect();
    let reach = reach(&users, "what runs it listens nowhere");
    let what = match names.len() {
        1 => "a library".to_string(),
        count => format!("{count} libraries"),
    };
    let says =
        format!("{path} names {what} with known flaws ({}); {reach}", known::listed(&names, 3));
    let mut finding = Finding::new("patch/library", path, says).opening(opens);
    finding = finding.naming(counted.iter().map(|it| name(it)));
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
    if libraries.len() > SHOWN {
        let says = format!("and {} more libraries", libraries.len() - SHOWN);
        finding = finding.because(Evidence::command(says, "polder look application-flaws"));
    }
    model.findings.push(finding);
}

/// The name a flaw is best known by.
fn name(it: &ApplicationFlaw) -> String {
    it.flaw.cves.first().unwrap_or(&it.flaw.advisory).clone()
}

/// `name version`, with its flaws, by name.
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
    through_ports(model, users, &variable, (&how, &label), &evidence)
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
        let Verdict::FixableNow { fixed } = &it.flaw.verdict else { continue };
        let version = it.free.as_deref().unwrap_or(fixed);
        let slot = wanted.entry(&it.flaw.library.name).or_insert(version);
        // The highest of what the installed versions need.
        if deb::compare(version, slot).is_gt() {
            *slot = version;
        }
    }
    let title = match wanted.len() {
        1 => format!("Update a library of {path}"),
        count => format!("Update {count} libraries of {path}"),
    };
    let treatment = Treatment::new(format!("update:{path}"), title, [0.3, 1.0, 6.0]);
    let asked: Vec<String> =
        wanted.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let asked = asked.join(", ");
    let mut treatment = match &application.container {
        Some(container) => treatment.decide(format!(
            "Build the image of {container} anew with {asked} or later: what runs in it is not changed in place"
        )),
        None => {
            let treatment = treatment.decide(format!(
                "Do it where {} is built, and deploy it from there; wanted are {asked} or later",
                folder(path)
            ));
            match command(application, &wanted) {
                Some(command) => treatment.run(as_owner(scene, application, &command)),
                // A program is built anew, a list by hand is edited.
                None if path.ends_with(".txt") => treatment.edit(path, asked),
                None => treatment,
            }
        }
    };
    treatment = treatment.decide("Run its tests: a library may have changed more than its flaw");
    let services: Vec<String> =
        users_of(scene, application).iter().map(|it| format!("`{}`", it.name)).collect();
    if !services.is_empty() {
        treatment = treatment.decide(format!("Start {} again", services.join(", ")));
    }
    let mut treatment = treatment
        .undo_by("put the former lock file back, install from it, and start the service again")
        .verify(format!("`polder explain patch/library:{path}` names none of them"))
        .may_break("some", "a later version may behave differently");
    treatment.ops = closing(path, true, model);
    treatment
}

/// What the tools of the language take; none where a file is to be edited by hand.
fn command(application: &Application, wanted: &BTreeMap<&str, &str>) -> Option<String> {
    let path = application.path.as_str();
    let names: Vec<String> = wanted.keys().map(|it| quoted(it)).collect();
    let names = names.join(" ");
    let pinned = |between: &str| -> String {
        let word = |(name, version): (&&str, &&str)| quoted(&format!("{name}{between}{version}"));
        wanted.iter().map(word).collect::<Vec<_>>().join(" ")
    };
    let file = path.rsplit('/').next().unwrap_or(path);
    let command = match (application.ecosystem.as_str(), file) {
        ("npm", "pnpm-lock.yaml") => format!("pnpm update {names}"),
        ("npm", "yarn.lock") => format!("yarn upgrade {names}"),
        ("npm", _) => format!("npm update {names}"),
        ("PyPI", "site-packages") => {
            let (environment, _) = path.rsplit_once("/lib/")?;
            let python = quoted(&format!("{environment}/bin/python"));
            return Some(format!("{python} -m pip install {}", pinned(">=")));
        }
        ("PyPI", "uv.lock") => {
            let each: Vec<String> =
                wanted.keys().map(|it| format!("--upgrade-package {}", quoted(it))).collect();
            format!("uv lock {} && uv sync", each.join(" "))
        }
        ("PyPI", "poetry.lock") => format!("poetry update {names}"),
        ("PyPI", "pdm.lock") => format!("pdm update {names}"),
        ("PyPI", "Pipfile.lock") => format!("pipenv update {names}"),
        ("Packagist", _) => format!("composer update --with-all-dependencies {names}"),
        ("RubyGems", _) => format!("bundle update {names}"),
        ("Go", "go.mod") => format!("go get {} && go build ./...", pinned("@v")),
        ("crates.io", "Cargo.lock") => {
            let steps: Vec<String> = wanted
                .iter()
                .map(|(name, version)| {
                    format!("cargo update {} --precise {}", quoted(name), quoted(version))
                })
                .collect();
            format!("{} && cargo build --release --locked", steps.join(" && "))
        }
        // A program, or a list by hand.
        _ => return None,
    };
    Some(format!("cd {} && {command}", quoted(folder(path))))
}

/// The tools run code of whoever owns the folder: as nobody else.
fn as_owner(scene: &Scene<'_>, application: &Application, command: &str) -> String {
    let users = &scene.facts.users.rows;
    let owner = users.iter().find(|it| it.uid == application.owner_uid);
    match (application.owner_uid, owner) {
        (0, _) => command.into(),
        (_, Some(user)) => {
            format!("runuser -u {} -- sh -c {}", quoted(&user.name), quoted(command))
        }
        (uid, None) => format!("setpriv --reuid={uid} --clear-groups sh -c {}", quoted(command)),
    }
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
