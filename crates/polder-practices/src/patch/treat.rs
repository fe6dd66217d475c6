//! Proposes upgrades, restarts, reboots.

use super::assess::flaw;
use super::{applications, unsupported, vendors};
use crate::practice::Scene;
use polder_model::facts::Verdict;
use polder_model::{Change, Finding, Model, Op, PackageManager, Range, Treatment, VariableId};

/// The treatment that installs everything at once.
const UPGRADE: &str = "upgrade";

pub(super) fn treat(finding: &Finding, scene: &Scene<'_>, model: &Model) -> Vec<Treatment> {
    match finding.kind.as_str() {
        "patch/pending" => vec![one(finding, scene, model), all(scene, model)],
        "patch/exploited" => exploited(finding, scene, model),
        "patch/no-fix" => vec![wrap(finding, scene, model)],
        "patch/lets-you-down" => vendors::treat(finding, scene, model),
        "patch/library" => applications::treat(finding, scene, model),
        "patch/running-old" => vec![restart(finding, scene)],
        "patch/reboot" => vec![reboot()],
        "patch/support-ended" if is_release(finding, scene) => vec![migrate(finding, scene)],
        "patch/support-ended" | "patch/support-limited" => vec![unsupported::treat(finding, model)],
        "patch/no-source" => vec![sources()],
        "patch/slow" => slow(scene, model),
        "patch/not-automatic" => vec![automatic(scene, model)],
        _ => Vec::new(),
    }
}

/// Variables that are closed once `source` is upgraded.
fn closes(source: &str, model: &Model) -> Vec<Op> {
    [flaw(source), VariableId(format!("flaw-local:{source}"))]
        .into_iter()
        .filter(|it| model.graph.find_variable(it).is_some())
        .map(|variable| Op::Close { variable })
        .collect()
}

fn one(finding: &Finding, scene: &Scene<'_>, model: &Model) -> Treatment {
    let candidates: Vec<_> =
        scene.facts.candidates.rows.iter().filter(|it| it.source == finding.subject).collect();
    let names: Vec<&str> = candidates.iter().map(|it| it.name.as_str()).collect();
    let before: Vec<(&str, &str)> =
        candidates.iter().map(|it| (it.name.as_str(), it.installed.as_str())).collect();
    let packages = PackageManager::of(scene.facts);
    let held: Vec<&str> =
        candidates.iter().filter(|it| it.held).map(|it| it.name.as_str()).collect();
    let id = format!("upgrade:{}", finding.subject);
    let mut treatment =
        Treatment::new(id, format!("Upgrade `{}`", finding.subject), [0.1, 0.2, 0.5]);
    if held.is_empty() {
        let names = names.iter().map(|it| (*it).to_string()).collect();
        treatment = treatment.changing([Change::UpgradePackages { names }]);
    } else {
        treatment = treatment.run(packages.unhold(&held));
    }
    treatment = treatment
        .run(packages.upgrade(&names))
        .undo(packages.go_back(&before))
        .verify(format!("`{}` no longer names {}", packages.list_waiting(), names.join(", ")))
        .may_break("low", "a new version may behave differently; services that use it restart")
        .part_of(UPGRADE);
    treatment.ops = closes(&finding.subject, model);
    treatment
}

fn all(scene: &Scene<'_>, model: &Model) -> Treatment {
    let rows = &scene.facts.candidates.rows;
    let bytes: u64 = rows.iter().map(|it| it.download_bytes).sum();
    let mut sources: Vec<&str> = rows.iter().map(|it| it.source.as_str()).collect();
    sources.sort_unstable();
    sources.dedup();
    let title = format!("Install updates of {} packages ({})", rows.len(), megabytes(bytes));
    let packages = PackageManager::of(scene.facts);
    let mut treatment = Treatment::new(UPGRADE, title, [0.3, 0.7, 2.0])
        .run(packages.refresh())
        .run(packages.upgrade_all())
        .undo(packages.go_back_all())
        .verify(format!("`{}` is empty", packages.list_waiting()))
        .may_break("some", "services restart; a changed default may need attention");
    let names: Vec<String> = rows.iter().filter(|it| !it.held).map(|it| it.name.clone()).collect();
    if !names.is_empty() {
        treatment = treatment.changing([Change::UpgradePackages { names }]);
    }
    treatment.ops = sources.iter().flat_map(|source| closes(source, model)).collect();
    treatment
}

/// An exploited flaw is closed by the update where there is one, else like one without a fix.
fn exploited(finding: &Finding, scene: &Scene<'_>, model: &Model) -> Vec<Treatment> {
    let flaws = scene.facts.flaws.rows.iter();
    let mut used = flaws.filter(|it| it.source == finding.subject && it.exploited_since.is_some());
    match used.all(|it| matches!(it.verdict, Verdict::FixableNow { .. })) {
        true => vec![one(finding, scene, model), all(scene, model)],
        false => vec![wrap(finding, scene, model)],
    }
}

/// Keeps strangers away from code with a flaw that nobody fixes, until somebody does.
fn wrap(finding: &Finding, scene: &Scene<'_>, model: &Model) -> Treatment {
    let source = &finding.subject;
    let variables =
        ["flaw-unfixed", "flaw-unfixed-local"].map(|it| VariableId(format!("{it}:{source}")));
    let flaws = scene.facts.flaws.rows.iter().filter(|it| it.source == *source);
    let elsewhere = flaws.clone().find_map(|it| match &it.verdict {
        Verdict::FixableElsewhere { fixed, from } => {
            Some((it.packages.first().cloned().unwrap_or_default(), fixed, from))
        }
        _ => None,
    });
    let treatment = Treatment::new(
        format!("wrap:{source}"),
        format!("Wrap `{source}`, whose known flaws have no fix here"),
        [0.5, 2.0, 6.0],
    );
    let treatment = match elsewhere {
        Some((package, fixed, from)) => {
            treatment.decide(format!("{package} {fixed} has the fix: {from}. Take it if you can"))
        }
        None => treatment,
    };
    let mut treatment = treatment
        .decide("Else let only those reach what runs it who need it, and hold it in a sandbox: `polder assess --all` has both for each service")
        .decide("Look again in thirty days: a fix may have come")
        .undo_by("open what was closed")
        .verify(format!("`polder assess --all` no longer lists patch/no-fix:{source}"))
        .may_break("some", "what is kept away can no longer be reached");
    for variable in variables.into_iter().filter(|it| model.graph.find_variable(it).is_some()) {
        treatment = treatment.effect(Op::Thin { variable, factor: Range::new(0.05, 0.2, 0.6) });
    }
    treatment
}

/// What waits now, and what will.
fn slow(scene: &Scene<'_>, model: &Model) -> Vec<Treatment> {
    let has_updates = !scene.facts.candidates.rows.is_empty();
    let is_automatic = scene.facts.system_row().is_some_and(|it| it.automatic_updates.is_some());
    let can_be = PackageManager::of(scene.facts) != PackageManager::Apk;
    let now = has_updates.then(|| all(scene, model));
    let later = (can_be && !is_automatic).then(|| automatic(scene, model));
    now.into_iter().chain(later).collect()
}

fn megabytes(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => "under 1 MB".into(),
        bytes => format!("{} MB", bytes / 1_000_000),
    }
}

fn restart(finding: &Finding, scene: &Scene<'_>) -> Treatment {
    let name = &finding.subject;
    let unit = scene.estate.services.get(name).and_then(|it| it.unit.clone());
    let systemd = scene.facts.system_row().is_some_and(|it| it.init == "systemd");
    let treatment = Treatment::new(
        format!("restart:{name}"),
        format!("Restart `{name}`, which runs replaced code"),
        [0.05, 0.1, 0.3],
    );
    let pids = scene.facts.processes.rows.iter().filter(|it| it.pid == 1);
    let is_init = pids.clone().any(|it| it.name == *name && !it.replaced.is_empty());
    let treatment = match (unit, systemd) {
        // The first process takes its own place; what it started goes on.
        (None, true) if is_init => treatment.run("systemctl daemon-reexec"),
        (_, true) if name.starts_with("dbus") => treatment.decide(
            "Reboot in a quiet hour: to restart the message bus cuts off all that talks over it",
        ),
        (Some(unit), true) => treatment
            .run(format!("systemctl restart {unit}"))
            .changing([Change::RestartUnit { unit }]),
        (Some(unit), false) => treatment.run(format!("systemctl restart {unit}")),
        (None, true) => treatment
            .run(format!("systemctl list-units '*{name}*'   # then: systemctl restart UNIT")),
        (None, false) => treatment.decide(format!(
            "Stop `{name}` and start it again the way it was started; no unit of systemd runs it"
        )),
    };
    let mut treatment = treatment
        .undo_by("nothing to undo: the files on disk are the same")
        .verify("`polder look processes` shows no replaced file for it")
        .may_break("low", "connections to it are cut for a moment");
    treatment.ops = vec![Op::Close { variable: VariableId(format!("old-code:{name}")) }];
    treatment
}

fn reboot() -> Treatment {
    Treatment::new("reboot", "Reboot into the installed kernel", [0.2, 0.5, 2.0])
        .run("systemctl reboot")
        .undo_by("choose the former kernel in the boot menu")
        .verify("`uname -r` names the newest kernel in /boot")
        .may_break("some", "the host is away for some minutes; a driver may behave differently")
        .effect(Op::Close { variable: VariableId("flaw-local:running kernel".into()) })
}

/// Whether the whole release lost its support, not one package.
fn is_release(finding: &Finding, scene: &Scene<'_>) -> bool {
    scene.facts.system_row().is_some_and(|it| it.os_id == finding.subject)
}

fn migrate(finding: &Finding, scene: &Scene<'_>) -> Treatment {
    let how = match PackageManager::of(scene.facts) {
        PackageManager::Apt => {
            "sed -i 's/OLD_CODENAME/NEW_CODENAME/' /etc/apt/sources.list && apt-get update && apt-get full-upgrade"
        }
        PackageManager::Dnf => {
            "leapp upgrade   # of Fedora: dnf system-upgrade download --releasever=NEW && dnf system-upgrade reboot"
        }
        PackageManager::Apk => {
            "sed -i 's/OLD_RELEASE/NEW_RELEASE/' /etc/apk/repositories && apk upgrade --available"
        }
    };
    Treatment::new(
        format!("migrate:{}", finding.subject),
        "Move to a release that is supported",
        [8.0, 24.0, 80.0],
    )
    .decide("Choose the release to move to, and rehearse the upgrade on a copy")
    .run(how)
    .undo_by("restore the copy made before")
    .verify("`polder assess` no longer reports it")
    .may_break("high", "every program changes its version")
    .effect(Op::Close { variable: VariableId("unsupported".into()) })
}

fn sources() -> Treatment {
    Treatment::new(
        "adopt-packages",
        "Decide who patches the packages that no source knows",
        [0.5, 2.0, 6.0],
    )
    .run("polder look packages   # those without origins")
    .decide("For each: remove it, add the source it came from, or take over its updates")
    .undo_by("install the package file again")
    .verify("`polder look packages` shows an origin for each")
    .may_break("low", "removing a package removes its program")
}

/// How updates install themselves with dnf (dnf-automatic(8)).
fn automatic_with_dnf(treatment: Treatment) -> Treatment {
    treatment
        .run("dnf install dnf-automatic")
        .edit("/etc/dnf/automatic.conf", "[commands] upgrade_type = security, apply_updates = yes")
        .run("systemctl enable --now dnf-automatic.timer")
        .undo("systemctl disable --now dnf-automatic.timer; dnf remove dnf-automatic")
        .verify("`systemctl list-timers dnf-automatic.timer` names the next run")
}

fn automatic(scene: &Scene<'_>, model: &Model) -> Treatment {
    let treatment = Treatment::new(
        "automatic-updates",
        "Let security updates install themselves",
        [0.2, 0.4, 1.0],
    );
    let treatment = match PackageManager::of(scene.facts) {
        PackageManager::Dnf => automatic_with_dnf(treatment),
        PackageManager::Apt | PackageManager::Apk => automatic_with_apt(treatment),
    };
    let mut treatment = treatment
        .may_break("low", "an update may restart a service at an hour nobody chose")
        .effect(Op::Thin {
            variable: VariableId("future:local".into()),
            factor: Range::new(0.5, 0.75, 0.95),
        });
    let futures = model.graph.variables().filter(|it| {
        it.id.0.starts_with("future:")
            && it.id.0 != "future:local"
            && it.probability.basis != polder_model::Basis::Judgement
    });
    for variable in futures {
        // Published: 63 % of known exploited flaws are still open after 7 days, 35 % after 28 (Qualys).
        treatment
            .ops
            .push(Op::Thin { variable: variable.id.clone(), factor: Range::new(0.35, 0.6, 0.9) });
    }
    treatment
}

fn automatic_with_apt(treatment: Treatment) -> Treatment {
    const PATH: &str = "/etc/apt/apt.conf.d/52polder-auto-upgrades";
    const TEXT: &str =
        "APT::Periodic::Update-Package-Lists \"1\";\nAPT::Periodic::Unattended-Upgrade \"1\";\n";
    treatment
    .run("apt-get install unattended-upgrades")
    .write(PATH, TEXT)
    .changing([
        Change::InstallPackages { names: vec!["unattended-upgrades".into()] },
        Change::WriteFile { path: PATH.into(), content: TEXT.into() },
    ])
    .undo("apt-get purge unattended-upgrades; rm /etc/apt/apt.conf.d/52polder-auto-upgrades   # or put its old content back")
    .verify("`unattended-upgrade --dry-run` ends without an error")
}
