//! Judges updates, running code, support.

use super::vendors;
use super::{applications, known, slow, unsupported};
use crate::estate::Service;
use crate::practice::Scene;
use polder_model::facts::{Candidate, Facts, IndexState, Process, System};
use polder_model::version::deb;
use polder_model::{
    Coverage, EdgeId, Estimate, Evidence, Finding, Model, NodeId, NodeKind, PackageManager, Range,
    VariableId,
};
use std::collections::{BTreeMap, BTreeSet};

/// Days after which an archive without `Valid-Until` counts as stale.
const INDEX_DAYS_MAX: i64 = 7;

/// Source packages whose flaws let a local user become root: setuid programs and what root runs.
const LOCAL: [&str; 21] = [
    "sudo",
    "polkit",
    "policykit-1",
    "util-linux",
    "shadow",
    "pam",
    "glibc",
    "systemd",
    "dbus",
    "linux",
    "linux-signed-amd64",
    "opendoas",
    "snapd",
    "libcap2",
    // The same by the names of the RPM family and of Alpine.
    "shadow-utils",
    "libcap",
    "kernel",
    "musl",
    "busybox",
    "doas",
    "linux-lts",
];

pub(super) fn assess(scene: &Scene<'_>, model: &mut Model) {
    indices(scene, model);
    let mut by_source: BTreeMap<&str, Vec<&Candidate>> = BTreeMap::new();
    for candidate in &scene.facts.candidates.rows {
        by_source.entry(&candidate.source).or_default().push(candidate);
    }
    for (source, candidates) in by_source {
        pending(scene, source, &candidates, model);
    }
    known::assess(scene, model);
    vendors::assess(scene, model);
    applications::assess(scene, model);
    slow::assess(scene, model);
    for process_service in running_old(scene) {
        old_code(process_service, scene, model);
    }
    reboot(scene, model);
    support(scene, model);
    unsupported::assess(scene, model);
    no_source(scene, model);
    automatic(scene, model);
}

/// Missing, cut or old indices are never "no update".
fn indices(scene: &Scene<'_>, model: &mut Model) {
    let facts = scene.facts;
    let packages = PackageManager::of(facts);
    let refresh = &format!("run `{}` as root", packages.refresh());
    match &facts.candidates.coverage {
        Coverage::NotLooked { because, .. } => {
            model.unknown_essential(
                "patch",
                "whether updates are waiting",
                because.clone(),
                refresh,
            );
        }
        // Some indices are missing, and the others offer nothing: that is no "nothing".
        Coverage::Partial { because, .. } if facts.candidates.rows.is_empty() => {
            model.unknown_essential(
                "patch",
                "whether updates are waiting",
                because.clone(),
                refresh,
            );
        }
        Coverage::Partial { because, .. } => {
            model.unknown(
                "patch",
                "whether all waiting updates are known",
                because.clone(),
                refresh,
            );
        }
        Coverage::Complete | Coverage::NotApplicable { .. } => {}
    }
    if !facts.packages.coverage.empty_means_none() {
        let because = facts.packages.coverage.because().unwrap_or_default().to_string();
        model.unknown_essential(
            "patch",
            "which packages are installed",
            because,
            format!("repair the package database: `{}`", packages.repair()),
        );
    }
    index_dates(scene, refresh, model);
}

/// An index that is expired, old or from the future does not know what was published since.
fn index_dates(scene: &Scene<'_>, refresh: &str, model: &mut Model) {
    let facts = scene.facts;
    let expired =
        facts.indices.rows.iter().find(|it| it.valid_until.is_some_and(|end| end < facts.taken));
    if let Some(index) = expired {
        let days = index.valid_until.map_or(0, |end| end.days_until(facts.taken));
        let because = format!(
            "the index of {}/{} was valid until {days} days ago",
            index.origin, index.suite
        );
        model.unknown_essential(
            "patch",
            "updates published since the indices expired",
            because,
            refresh,
        );
        return;
    }
    let whole = |it: &&polder_model::facts::IndexSource| {
        matches!(it.state, IndexState::Whole | IndexState::Unchecked)
    };
    let security = facts.indices.rows.iter().filter(whole).filter(|it| it.security);
    match security.filter_map(|it| it.date).max() {
        Some(date) if date.days_until(facts.taken) > INDEX_DAYS_MAX => {
            let because = format!("the newest index is {} days old", date.days_until(facts.taken));
            model.unknown("patch", "updates published since then", because, refresh);
        }
        Some(date) if date.days_until(facts.taken) < -1 => {
            model.unknown(
                "patch",
                "the age of the indices",
                "the indices are from the future: the clock is wrong",
                "set the clock",
            );
        }
        Some(_) => {}
        None if facts.candidates.coverage == Coverage::Complete => {
            let (because, then) = match PackageManager::of(facts) {
                PackageManager::Dnf => (
                    "no repository carries advisories (updateinfo), so no update is known as one for security",
                    "treat every update as one for security, or add a repository of the vendor with advisories",
                ),
                PackageManager::Apt | PackageManager::Apk => (
                    "none of the configured sources is a security archive, or it has no date",
                    "add the security archive of the distribution to the sources",
                ),
            };
            model.unknown("patch", "security updates", because, then);
        }
        None => {}
    }
}

/// Variable of the known flaws of one source package.
pub(super) fn flaw(source: &str) -> VariableId {
    VariableId(format!("flaw:{source}"))
}

fn pending(scene: &Scene<'_>, source: &str, candidates: &[&Candidate], model: &mut Model) {
    let facts = scene.facts;
    let Some(first) = candidates.first() else { return };
    let names: Vec<&str> = candidates.iter().map(|it| it.name.as_str()).collect();
    let users = users_of(scene, &names);
    let is_local = reaches_root(source, &names);
    let flaws = known::fixable(scene, source);
    let named = known::estimate(&flaws, facts.taken);
    let opens =
        open_flaw(source, first, &users, is_local, named, (PackageManager::of(facts), model));
    let otherwise =
        if is_local { "local users can reach it" } else { "no listening service runs it" };
    let reach = reach(&users, otherwise);
    let since = match (&first.fix, first.offered_no_later_than) {
        (Some(fix), _) => format!("for {}", days(fix.since.days_until(facts.taken))),
        (None, Some(date)) => format!("for at least {}", days(date.days_until(facts.taken).max(0))),
        (None, None) => "since an unknown day".into(),
    };
    let count =
        if names.len() == 1 { String::new() } else { format!(" ({} packages)", names.len()) };
    let says = format!("`{source}`{count} has had an update waiting {since}; {reach}");
    let mut finding =
        Finding::new("patch/pending", source, says).opening(opens).naming(known::names(&flaws));
    for candidate in candidates.iter().take(8) {
        let held = match candidate.kept_back.as_slice() {
            _ if candidate.held => ", held back by the administrator".to_string(),
            [] => String::new(),
            reasons => format!("; a plain upgrade may leave it out: {}", reasons.join("; ")),
        };
        finding = finding.because(Evidence::command(
            format!(
                "{} {} -> {} from {}{held}",
                candidate.name,
                candidate.installed,
                candidate.offer(),
                candidate.offered_by.join(", ")
            ),
            PackageManager::of(facts).show(&candidate.name),
        ));
    }
    if let Some(fix) = &first.fix {
        finding = finding.naming(fix.cves.iter().cloned());
        let shown: Vec<&str> = fix.cves.iter().take(12).map(String::as_str).collect();
        let says = match fix.cves.len() {
            0 => "the vendor names no CVE".to_string(),
            count => format!(
                "closes {count} CVE: {}{}",
                shown.join(" "),
                if count > 12 { " ..." } else { "" }
            ),
        };
        let path = format!("/var/lib/polder/changelogs/{}.changelog", first.name);
        finding = finding.because(match PackageManager::of(facts) {
            PackageManager::Dnf => {
                Evidence::command(says, format!("dnf updateinfo info {}", first.name))
            }
            PackageManager::Apt | PackageManager::Apk => Evidence::file(says, path, None),
        });
    }
    if first.fix.is_none() && !flaws.is_empty() {
        let names = known::names(&flaws);
        let says = format!("closes {}: {}", names.len(), known::listed(&names, 12));
        let told_by = flaws.first().map_or("", |it| &it.told_by);
        finding = finding.because(Evidence::file(says, told_by, None));
    }
    model.findings.push(finding);
}

/// The services of which some process maps a file of these packages.
pub(super) fn users_of<'a>(scene: &Scene<'a>, packages: &[&str]) -> Vec<&'a Service> {
    let facts = scene.facts;
    let mapped =
        |path: &String| facts.owners.get(path).is_some_and(|it| packages.contains(&it.as_str()));
    let services = scene.estate.services.values();
    let runs = |service: &&Service| {
        service.pids.iter().filter_map(|pid| facts.process(*pid)).any(|process| {
            process.executable.iter().any(mapped) || process.mapped.iter().any(mapped)
        })
    };
    services.filter(runs).collect()
}

/// Who runs some code, in words: one that strangers reach before the others, `otherwise` for nobody.
pub(super) fn reach(users: &[&Service], otherwise: &str) -> String {
    match users.iter().find(|it| it.is_exposed()).or(users.first()) {
        Some(service) if service.is_exposed() => {
            format!("`{}` runs it and can be reached from outside", service.name)
        }
        Some(service) => format!("`{}` runs it", service.name),
        None => otherwise.into(),
    }
}

/// Steps by which whoever reaches a port of a service comes to control it through a flaw; how, and in
/// words.
pub(super) fn through_ports(
    model: &mut Model,
    services: &[&Service],
    variable: &VariableId,
    (how, label): (&str, &str),
    evidence: &Evidence,
) -> Vec<EdgeId> {
    let mut edges = Vec::new();
    for service in services {
        let process = NodeId(format!("proc:{}", service.name));
        for port in service.ports() {
            let listener = NodeId(format!("listener:{port}"));
            let (needs, evidence) = (vec![variable.clone()], evidence.clone());
            edges.push(model.graph.edge(&listener, &process, how, label, needs, evidence));
        }
    }
    edges
}

/// Whether local users meet this code on their way to root. Of the kernel's own source only its
/// images do: headers and tools are no kernel.
pub(super) fn reaches_root(source: &str, names: &[&str]) -> bool {
    let is_kernel = matches!(source, "linux" | "kernel") || source.starts_with("linux-signed");
    let is_image =
        |it: &&str| it.starts_with("linux-image") || *it == "kernel-core" || *it == "kernel";
    LOCAL.contains(&source) && (!is_kernel || names.iter().any(is_image))
}

fn days(count: i64) -> String {
    match count {
        0 => "less than a day".into(),
        1 => "1 day".into(),
        count => format!("{count} days"),
    }
}

/// The steps that the known flaws of a source package open.
fn open_flaw(
    source: &str,
    candidate: &Candidate,
    users: &[&Service],
    is_local: bool,
    named: Option<Estimate>,
    (manager, model): (PackageManager, &mut Model),
) -> Vec<EdgeId> {
    let evidence = Evidence::command(
        format!(
            "{} {} is installed, {} is on offer",
            candidate.name,
            candidate.installed,
            candidate.offer()
        ),
        manager.show(&candidate.name),
    );
    let mut edges = Vec::new();
    if !users.is_empty() {
        let variable = model.graph.variable(
            flaw(source).0,
            format!("a known flaw in `{source}` is used against this host"),
            named.unwrap_or_else(|| Estimate::published(
                Range::new(0.00005, 0.0008, 0.01),
                "40 of 2,666 CVE fixed in Debian 12 by 538 advisories are in CISA KEV, 12 of them outside browsers; the share that hits one host is judgement",
                "2025-09-22",
            )),
        );
        let how = format!("known flaw in {source}");
        let label = format!("uses a known flaw in `{source}`, which has a fix");
        edges.extend(through_ports(model, users, &variable, (&how, &label), &evidence));
    }
    if is_local {
        let variable = model.graph.variable(
            format!("flaw-local:{source}"),
            format!("a known flaw in `{source}` lets a local user become root"),
            Estimate::judgement(0.002, 0.02, 0.15, "a fixed flaw in a program that crosses to root; whether it can be used here is not known without the advisory"),
        );
        let how = format!("known flaw in {source}");
        let label = format!("uses a known flaw in `{source}`, which has a fix");
        edges.extend(to_root(model, &variable, &how, &label, &evidence));
    }
    edges
}

/// Steps by which every local user becomes root through a flaw.
pub(super) fn to_root(
    model: &mut Model,
    variable: &VariableId,
    how: &str,
    label: &str,
    evidence: &Evidence,
) -> Vec<EdgeId> {
    let root = NodeId("root".into());
    let users: Vec<NodeId> = model.graph.nodes_of(NodeKind::User).map(|it| it.id.clone()).collect();
    let mut step = |user: &NodeId| {
        let needs = vec![variable.clone()];
        model.graph.edge(user, &root, how, label, needs, evidence.clone())
    };
    users.iter().map(&mut step).collect()
}

/// Processes that run changed code, gathered by unit or program.
struct OldCode {
    name: String,
    unit: Option<String>,
    pids: Vec<u32>,
    files: Vec<String>,
    /// Packages with modules of its program that are newer than the process.
    modules: BTreeSet<String>,
}

impl OldCode {
    fn what(&self) -> String {
        match (self.files.len(), self.modules.len()) {
            (0, 1) => "started before 1 package with its modules was upgraded".into(),
            (0, count) => format!("started before {count} packages with its modules were upgraded"),
            (1, _) => "still runs 1 file that was replaced on disk".into(),
            (count, _) => format!("still runs {count} files that were replaced on disk"),
        }
    }
}

fn running_old(scene: &Scene<'_>) -> Vec<OldCode> {
    let mut all: BTreeMap<String, OldCode> = BTreeMap::new();
    let is_old = |it: &&Process| !it.replaced.is_empty() || !it.older_modules.is_empty();
    for process in scene.facts.processes.rows.iter().filter(is_old) {
        let service = scene.estate.services.values().find(|it| it.pids.contains(&process.pid));
        let unit = process.unit.clone().filter(|it| it.ends_with(".service"));
        let name = service
            .map(|it| it.name.clone())
            .or_else(|| unit.as_ref().map(|it| it.trim_end_matches(".service").to_string()))
            .unwrap_or_else(|| process.name.clone());
        let entry = all.entry(name.clone()).or_insert_with(|| OldCode {
            name,
            unit,
            pids: Vec::new(),
            files: Vec::new(),
            modules: BTreeSet::new(),
        });
        entry.pids.push(process.pid);
        entry.files.extend(process.replaced.iter().map(|it| it.path.clone()));
        entry.modules.extend(process.older_modules.iter().cloned());
    }
    for entry in all.values_mut() {
        entry.files.sort();
        entry.files.dedup();
    }
    all.into_values().collect()
}

fn old_code(old: OldCode, scene: &Scene<'_>, model: &mut Model) {
    let mut edges = Vec::new();
    if let Some(service) = scene.estate.services.get(&old.name) {
        let variable = model.graph.variable(
            format!("old-code:{}", old.name),
            format!("a flaw in the replaced code that `{}` still runs is used", old.name),
            Estimate::judgement(
                0.00005,
                0.0015,
                0.02,
                "the code was replaced for a reason; which flaw it had is not known here",
            ),
        );
        let evidence = Evidence::file(
            format!("`{}` {}", old.name, old.what()),
            format!("/proc/{}/maps", old.pids.first().copied().unwrap_or(0)),
            None,
        );
        let words =
            ("replaced code", "uses a flaw in code that was replaced on disk but still runs");
        edges.extend(through_ports(model, &[service], &variable, words, &evidence));
    }
    let count = old.pids.len();
    let who = if count == 1 { "1 process".to_string() } else { format!("{count} processes") };
    let says = format!("`{}` ({who}) {}", old.name, old.what());
    let mut finding = Finding::new("patch/running-old", &old.name, says).opening(edges);
    for pid in old.pids.iter().take(4) {
        let Some(process) = scene.facts.process(*pid) else { continue };
        let shown: Vec<&str> = process.replaced.iter().take(3).map(|it| it.path.as_str()).collect();
        let more = process.replaced.len().saturating_sub(3);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        if !shown.is_empty() {
            finding = finding.because(Evidence::file(
                format!("process {pid} has {}{more}, changed since", shown.join(", ")),
                format!("/proc/{pid}/maps"),
                None,
            ));
        }
        if !process.older_modules.is_empty() {
            let says = format!(
                "process {pid} started before {} {} upgraded, which its package needs",
                known::listed(&process.older_modules, 4),
                if process.older_modules.len() == 1 { "was" } else { "were" },
            );
            finding = finding.because(Evidence::command(says, "polder look upgrades"));
        }
    }
    if let Some(unit) = &old.unit {
        finding = finding.because(Evidence::command(
            format!("it belongs to {unit}"),
            format!("systemctl status {unit}"),
        ));
    }
    model.findings.push(finding);
}

/// The installed build of the running kernel's release, where that is newer than what runs: Debian
/// mends a kernel without giving it another name.
fn newer_build(facts: &Facts, system: &System) -> Option<String> {
    let image = format!("linux-image-{}", system.kernel_release);
    let installed = facts.packages.rows.iter().find(|it| it.name == image)?;
    let (_, rest) = system.kernel_version.split_once("Debian ")?;
    let runs = rest.split(' ').next()?;
    deb::compare(&installed.version, runs).is_gt().then(|| installed.version.clone())
}

fn reboot(scene: &Scene<'_>, model: &mut Model) {
    let Some(system) = scene.facts.system_row() else { return };
    let mut evidence = Vec::new();
    if !system.reboot_required_by.is_empty() {
        let by = system.reboot_required_by.join(", ");
        evidence.push(Evidence::file(
            format!("asked for by {by}"),
            "/run/reboot-required.pkgs",
            None,
        ));
    }
    let newest = system.kernels_installed.last();
    let is_ours = system.kernels_installed.contains(&system.kernel_release);
    if let Some(newest) = newest.filter(|it| is_ours && **it != system.kernel_release) {
        let says = format!("{} runs, {newest} is installed", system.kernel_release);
        evidence.push(Evidence::command(says, "uname -r; ls /boot/vmlinuz-*"));
    }
    if let Some(installed) = newer_build(scene.facts, system) {
        let says = format!("{} runs, {installed} is installed", system.kernel_version);
        evidence.push(Evidence::command(says, "uname -v; dpkg -l linux-image-$(uname -r)"));
    }
    let edges = evidence.first().map_or_else(Vec::new, |it| old_kernel(it, model));
    if let Some((runs, installed)) = system.microcode.filter(|(runs, installed)| runs < installed) {
        let says = format!("the processor runs microcode {runs:#x}, {installed:#x} is installed");
        evidence.push(Evidence::command(says, "grep -m1 microcode /proc/cpuinfo"));
    }
    if evidence.is_empty() {
        return;
    }
    let mut finding =
        Finding::new("patch/reboot", "kernel", "the host needs a reboot before its updates hold")
            .opening(edges);
    finding.evidence = evidence;
    model.findings.push(finding);
}

/// Steps by which local users become root through the kernel that still runs.
fn old_kernel(first: &Evidence, model: &mut Model) -> Vec<EdgeId> {
    let variable = model.graph.variable(
        "flaw-local:running kernel",
        "a fixed flaw in the running kernel lets a local user become root",
        Estimate::judgement(
            0.01,
            0.08,
            0.3,
            "the kernel that runs is older than the one installed",
        ),
    );
    let root = NodeId("root".into());
    let users: Vec<NodeId> = model.graph.nodes_of(NodeKind::User).map(|it| it.id.clone()).collect();
    users
        .iter()
        .map(|user| {
            model.graph.edge(
                user,
                &root,
                "running kernel",
                "uses a fixed flaw in the kernel that still runs",
                vec![variable.clone()],
                first.clone(),
            )
        })
        .collect()
}

fn support(scene: &Scene<'_>, model: &mut Model) {
    let Some(system) = scene.facts.system_row() else { return };
    let Some(end) = &system.support_ends else {
        if !system.os_id.is_empty() {
            let what = format!("whether {} is still supported", system.os_name);
            model.unknown(
                "patch",
                what,
                "its life cycle is not known here",
                "look it up at the vendor's",
            );
        }
        return;
    };
    let Some(end_time) = date(end) else { return };
    let left = scene.facts.taken.days_until(end_time);
    if left >= 0 {
        return;
    }
    let says = format!("{} has had no security updates since {end}", system.os_name);
    let services = scene.estate.services.values();
    let exposed: Vec<&Service> = services.filter(|it| it.is_exposed()).collect();
    let mut edges = Vec::new();
    if !exposed.is_empty() {
        let variable = model.graph.variable(
            "unsupported",
            "a flaw found since support ended is used against this host",
            Estimate::judgement(0.01, 0.06, 0.35, "flaws are found every month and none is fixed"),
        );
        let evidence = Evidence::file(says.clone(), "/etc/os-release", None);
        let words = ("support ended", "uses a flaw that nobody will fix");
        edges = through_ports(model, &exposed, &variable, words, &evidence);
    }
    let evidence =
        Evidence::file(format!("VERSION_ID {}", system.os_version), "/etc/os-release", None);
    model.findings.push(
        Finding::new("patch/support-ended", &system.os_id, says).because(evidence).opening(edges),
    );
}

/// Days since 1970 of a proleptic Gregorian date (Hinnant, "chrono-compatible date algorithms").
fn date(text: &str) -> Option<polder_model::Timestamp> {
    let mut parts = text.splitn(3, '-').map(|it| it.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(polder_model::Timestamp(days * 86_400))
}

fn no_source(scene: &Scene<'_>, model: &mut Model) {
    let facts = scene.facts;
    // With an index missing, absence proves nothing.
    if facts.indices.coverage != Coverage::Complete {
        return;
    }
    let offered: BTreeSet<&str> = facts.candidates.rows.iter().map(|it| it.name.as_str()).collect();
    let orphans: Vec<&str> = facts
        .packages
        .rows
        .iter()
        .filter(|it| it.origins.is_empty() && !offered.contains(it.name.as_str()))
        .map(|it| it.name.as_str())
        .collect();
    if orphans.is_empty() {
        return;
    }
    let shown: Vec<&str> = orphans.iter().take(12).copied().collect();
    let more = if orphans.len() > 12 {
        format!(" and {} more", orphans.len() - 12)
    } else {
        String::new()
    };
    // Archives of Debian list every version they have, the others only the newest.
    let what = match PackageManager::of(facts) {
        PackageManager::Apt => "the installed version of ",
        PackageManager::Dnf | PackageManager::Apk => "",
    };
    let says = format!(
        "no configured source knows {what}{} packages: nobody offers fixes for them",
        orphans.len()
    );
    model.findings.push(
        Finding::new("patch/no-source", "packages", says).because(Evidence::command(
            format!("{}{more}", shown.join(", ")),
            "polder look packages",
        )),
    );
}

fn automatic(scene: &Scene<'_>, model: &mut Model) {
    let facts = scene.facts;
    let Some(system) = facts.system_row() else { return };
    let (name, place) = match PackageManager::of(facts) {
        PackageManager::Apt => ("apt", "/etc/apt/apt.conf.d"),
        PackageManager::Dnf => ("dnf", "/etc/dnf/automatic.conf"),
        PackageManager::Apk => return,
    };
    if system.automatic_updates.is_some() || facts.packages.rows.is_empty() {
        return;
    }
    let evidence = Evidence::file("no setting turns them on", place, None);
    let edges: Vec<EdgeId> = model
        .graph
        .edges()
        .filter(|edge| edge.needs.iter().any(|it| it.0.starts_with("future:")))
        .map(|edge| edge.id.clone())
        .collect();
    model.findings.push(
        Finding::new(
            "patch/not-automatic",
            name,
            "security updates wait until somebody installs them",
        )
        .because(evidence)
        .opening(edges),
    );
}

#[cfg(test)]
mod tests {
    #[test]
    fn dates_become_days() {
        assert_eq!(super::date("1970-01-02").unwrap().0, 86_400);
        assert_eq!(super::date("2024-06-30").unwrap().0, 1_719_705_600);
    }
}
