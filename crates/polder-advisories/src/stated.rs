//! What somebody states of a flaw on this host weighs more than what a feed tells of all hosts.

use crate::feeds::{Statement, Status};
use crate::matching::Judgement;
use polder_model::facts::{Flaw, Library, Package, System, Verdict};

/// Takes as not affected what the newest statement about a package and a flaw says is not.
pub(crate) fn apply(
    statements: &[Statement],
    flaws: &mut [Flaw],
    packages: &[Package],
    system: Option<&System>,
) {
    if statements.is_empty() {
        return;
    }
    for flaw in flaws {
        let of = |name: &String| {
            packages.iter().find(|it| {
                it.name == *name && [&it.version, &it.source_version].contains(&&flaw.installed)
            })
        };
        // A flaw of several packages is gone where it is stated of all of them.
        let stated: Option<Vec<&Statement>> =
            flaw.packages.iter().map(|name| said(statements, flaw, of(name)?, system)).collect();
        let Some(first) = stated.as_ref().and_then(|it| it.first()) else { continue };
        flaw.verdict = Verdict::Stated { because: words(first) };
    }
}

/// The newest statement about a package and all names of a flaw, where it says that the flaw is not
/// there.
fn said<'a>(
    statements: &'a [Statement],
    flaw: &Flaw,
    package: &Package,
    system: Option<&System>,
) -> Option<&'a Statement> {
    let names: Vec<&String> = match flaw.cves.is_empty() {
        true => vec![&flaw.advisory],
        false => flaw.cves.iter().collect(),
    };
    let newest = |name: &&String| newest(statements, name, package, system);
    let all: Option<Vec<&Statement>> = names.iter().map(newest).collect();
    all?.first().copied()
}

/// The newest statement about a package and a flaw, where it takes the flaw away.
fn newest<'a>(
    statements: &'a [Statement],
    name: &str,
    package: &Package,
    system: Option<&System>,
) -> Option<&'a Statement> {
    let about = statements.iter().filter(|it| {
        it.flaws.iter().any(|known| known.eq_ignore_ascii_case(name))
            && is_about(it, package, system)
    });
    about.max_by_key(|it| (it.when, !takes_away(it))).filter(|it| takes_away(it))
}

/// The judgement of a package with a flaw of this name, with what is stated of it.
pub(crate) fn weigh(
    statements: &[Statement],
    name: &str,
    package: &Package,
    mut judgement: Judgement,
    system: Option<&System>,
) -> Judgement {
    if judgement.verdict.is_some()
        && let Some(it) = newest(statements, name, package, system)
    {
        judgement.verdict = Some(Verdict::Stated { because: words(it) });
    }
    judgement
}

/// What the newest statement about a library and a flaw of any of these names says, where it takes the
/// flaw away.
pub(crate) fn of_library(
    statements: &[Statement],
    library: &Library,
    names: &[&str],
) -> Option<String> {
    let kind = library.purl_type();
    let is_version = |it: &Statement| {
        let wanted = it.version.as_ref().map(|it| it.trim_start_matches('v'));
        wanted.is_none_or(|it| it == library.version)
    };
    let about = statements.iter().filter(|it| {
        let name = match it.namespace.is_empty() {
            true => it.name.clone(),
            false => format!("{}/{}", it.namespace, it.name),
        };
        let is_flaw =
            it.flaws.iter().any(|one| names.iter().any(|own| own.eq_ignore_ascii_case(one)));
        it.kind == kind && name.eq_ignore_ascii_case(&library.name) && is_flaw && is_version(it)
    });
    about.max_by_key(|it| (it.when, !takes_away(it))).filter(|it| takes_away(it)).map(words)
}

/// Whether a statement says that the flaw is not there. That a version has the fix says nothing
/// where no version is named.
fn takes_away(it: &Statement) -> bool {
    match it.status {
        Status::NotAffected => true,
        Status::Fixed => it.version.is_some(),
        Status::Affected | Status::UnderInvestigation => false,
    }
}

fn words(it: &Statement) -> String {
    let why = if it.because.is_empty() { "no reason is given" } else { &it.because };
    let who = if it.author.is_empty() { "somebody" } else { &it.author };
    format!("{who} states so: {why}")
}

fn is_about(it: &Statement, package: &Package, system: Option<&System>) -> bool {
    let kind = match package.manager.as_str() {
        "dpkg" => "deb",
        other => other,
    };
    let (id, version, codename) = system.map_or(("", "", ""), |it| {
        (it.os_id.as_str(), it.os_version.as_str(), it.os_codename.as_str())
    });
    let is_release = |release: &String| {
        release == id || release == codename || *release == format!("{id}-{version}")
    };
    let is_version = |wanted: &String| {
        // An RPM's epoch stands elsewhere in its URL.
        let plain = |it: &str| it.split_once(':').map_or(it, |it| it.1).to_string();
        [&package.version, &package.source_version]
            .into_iter()
            .any(|own| own == wanted || (kind == "rpm" && plain(own) == plain(wanted)))
    };
    it.kind == kind
        && (it.name == package.name || it.name == package.source)
        && (it.namespace.is_empty() || vendor(&it.namespace) == id)
        && it.release.as_ref().is_none_or(is_release)
        && it.version.as_ref().is_none_or(is_version)
        && it.architecture.as_ref().is_none_or(|it| *it == package.architecture)
}

/// The name by which os-release calls a vendor that package URLs call otherwise.
fn vendor(namespace: &str) -> &str {
    match namespace {
        "redhat" => "rhel",
        "rocky-linux" | "rockylinux" => "rocky",
        "amazonlinux" => "amzn",
        other => other,
    }
}
