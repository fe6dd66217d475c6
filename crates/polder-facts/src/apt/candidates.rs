//! Which installed packages have a newer candidate: exactly apt's answer, from apt's own data.

use super::changelog::parse_changelog;
use super::kept_back;
use super::packages::{STATUS, STATUS_BYTES_MAX, source_of};
use super::pins::{INSTALLED_PRIORITY, Pins};
use super::release::{Release, parse_release};
use super::sources::{Source, read as read_sources};
use crate::packages::{Indices, coverage};
use crate::reading::{field, note, text, text_up_to};
use polder_host::{Host, HostError};
use polder_model::facts::{Candidate, IndexSource, IndexState, Package};
use polder_model::version::deb;
use polder_model::{Problem, Table, Timestamp, printable_str};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Where apt keeps its indices.
const LISTS: &str = "/var/lib/apt/lists";

/// Suffixes an index may have, in the order in which apt would take them.
const SUFFIXES: [&str; 5] = ["", ".lz4", ".gz", ".zst", ".xz"];

/// Largest release file read; Debian's has 150 kB.
const RELEASE_BYTES_MAX: u64 = 16 << 20;

/// One index that was read.
struct Index {
    source: Source,
    release: Release,
    row: IndexSource,
    text: String,
}

/// One version on offer.
struct Offer<'a> {
    version: String,
    /// What the index says of it.
    stanza: &'a str,
    source_package: String,
    source_version: String,
    bytes: u64,
    indices: Vec<&'a Index>,
}

/// Reads every index that the sources name and compares.
pub(crate) fn offers(host: &dyn Host, packages: &[Package]) -> Result<Indices, HostError> {
    let (sources, mut problems) = read_sources(host)?;
    let (pins, mut pin_problems) = Pins::read(host)?;
    problems.append(&mut pin_problems);
    let names: BTreeSet<String> = packages.iter().map(|package| package.name.clone()).collect();
    let architectures = architectures(host, packages);
    let wanted: Vec<(Source, String)> = sources
        .into_iter()
        .flat_map(|source| {
            let limited = source.architectures.clone();
            let chosen: Vec<String> = architectures
                .iter()
                .filter(|it| limited.is_empty() || limited.contains(it))
                .cloned()
                .collect();
            chosen.into_iter().map(move |architecture| (source.clone(), architecture))
        })
        .collect();
    let mut releases: BTreeMap<String, Option<Release>> = BTreeMap::new();
    for (source, _) in &wanted {
        releases.entry(source.stem()).or_insert_with(|| read_release(host, source));
    }
    let mut indices: Vec<Index> = wanted
        .into_par_iter()
        .filter_map(|(source, architecture)| {
            let release = releases.get(&source.stem()).cloned().flatten();
            read_index(host, source, &architecture, release, &names)
        })
        .collect();
    // Two sources may name the same index; apt reads it once.
    let mut seen = BTreeSet::new();
    indices.retain(|index| seen.insert(index.row.path.clone()));
    let offers = offered(&indices, &mut problems);
    let native = architectures.first().map_or("amd64", String::as_str).to_string();
    let mut candidates = Vec::new();
    let mut stanzas = Vec::new();
    let mut origins = Vec::new();
    for package in packages {
        let key = (package.name.as_str(), own_architecture(&package.architecture, &native));
        let offers = offers.get(&key).map_or(&[][..], Vec::as_slice);
        origins.push(origins_of(package, offers));
        if let Some(offer) = choose(package, offers, &pins) {
            candidates.push(candidate(host, package, offer));
            stanzas.push(offer.stanza);
        }
    }
    if !candidates.is_empty() {
        let status = text_up_to(host, STATUS, STATUS_BYTES_MAX).unwrap_or_default();
        kept_back::explain(&status, &stanzas, &mut candidates);
    }
    let rows: Vec<IndexSource> = indices.iter().map(|index| index.row.clone()).collect();
    let none = "apt has no sources of packages, or none of their indices";
    let coverage = coverage(&rows, none);
    let candidates = Table::with(coverage.clone(), candidates).problems(problems);
    Ok(Indices { indices: Table::with(coverage, rows), candidates, origins })
}

/// Architecture of dpkg itself first, then the foreign ones.
fn architectures(host: &dyn Host, packages: &[Package]) -> Vec<String> {
    let native = packages.iter().find(|package| package.name == "dpkg");
    let mut all = vec![native.map_or_else(|| "amd64".into(), |it| it.architecture.clone())];
    if let Ok(text) = text(host, "/var/lib/dpkg/arch") {
        all.extend(text.lines().map(|line| line.trim().to_string()).filter(|it| !it.is_empty()));
    }
    let mut seen = BTreeSet::new();
    all.retain(|it| seen.insert(it.clone()));
    all
}

/// Packages for all architectures belong to the native one.
fn own_architecture<'a>(architecture: &'a str, native: &'a str) -> &'a str {
    if architecture == "all" { native } else { architecture }
}

fn read_release(host: &dyn Host, source: &Source) -> Option<Release> {
    ["InRelease", "Release"].iter().find_map(|name| {
        let path = format!("{LISTS}/{}{name}", source.stem());
        let text = text_up_to(host, path, RELEASE_BYTES_MAX).ok()?;
        let release = parse_release(&text);
        (!release.bytes.is_empty()).then_some(release)
    })
}

/// None when the release file promises no such index, which is nothing to worry about.
fn read_index(
    host: &dyn Host,
    source: Source,
    architecture: &str,
    release: Option<Release>,
    names: &BTreeSet<String>,
) -> Option<Index> {
    let below = source.index_path(architecture);
    let promised = release.as_ref().and_then(|it| it.bytes.get(&below).copied());
    let listed = release.as_ref().is_some_and(|it| {
        it.bytes.keys().any(|key| {
            key == &below || key.strip_prefix(&below).is_some_and(|end| end.starts_with('.'))
        })
    });
    if release.is_some() && !listed {
        return None;
    }
    let stem = Path::new(LISTS).join(source.index_file(architecture));
    let mut found: Option<(PathBuf, Result<polder_host::Stanzas, HostError>)> = None;
    for suffix in SUFFIXES {
        let mut path = stem.clone().into_os_string();
        path.push(suffix);
        let path = PathBuf::from(path);
        match host.stanzas(&path, names) {
            Err(error) if error.is_not_found() => {}
            answer => {
                found = Some((path, answer));
                break;
            }
        }
    }
    let (path, state, text) = match found {
        None => (stem, IndexState::Missing, String::new()),
        Some((path, Err(error))) => {
            (path, IndexState::Unreadable { because: error.because }, String::new())
        }
        Some((path, Ok(stanzas))) => {
            let state = match promised {
                Some(bytes) if bytes != stanzas.bytes => {
                    IndexState::Truncated { found_bytes: stanzas.bytes, promised_bytes: bytes }
                }
                Some(_) => IndexState::Whole,
                None => IndexState::Unchecked,
            };
            (path, state, stanzas.text)
        }
    };
    let release = release.unwrap_or_default();
    let row = IndexSource {
        path: crate::reading::shown(&path),
        named_by: source.named_by.clone(),
        origin: release.origin.clone(),
        label: release.label.clone(),
        suite: release.suite.clone(),
        codename: release.codename.clone(),
        date: release.date,
        valid_until: release.valid_until,
        state,
        security: is_security(&source, &release),
    };
    Some(Index { source, release, row, text })
}

/// Debian labels its archive `Debian-Security`; Ubuntu's suites end in `-security`.
fn is_security(source: &Source, release: &Release) -> bool {
    release.label == "Debian-Security"
        || release.suite.ends_with("-security")
        || release.codename.ends_with("-security")
        || source.suite.ends_with("-security")
        || source.suite.ends_with("/updates")
}

type Offers<'a> = BTreeMap<(&'a str, &'a str), Vec<Offer<'a>>>;

fn offered<'a>(indices: &'a [Index], problems: &mut Vec<Problem>) -> Offers<'a> {
    let mut offers: Offers<'a> = BTreeMap::new();
    for index in indices {
        for block in index.text.split("\n\n").filter(|it| !it.trim().is_empty()) {
            let field = |name: &str| field(block, name);
            let (name, version) = (field("Package"), field("Version"));
            if name.is_empty() || version.is_empty() {
                note(problems, &index.row.path, "a stanza without name or version");
                continue;
            }
            let wanted = index_architecture(&index.row.path);
            let architecture = own_architecture(field("Architecture"), wanted);
            let all = offers.entry((name, architecture)).or_default();
            if let Some(offer) = all.iter_mut().find(|offer| offer.version == version) {
                offer.indices.push(index);
                continue;
            }
            let (source_package, source_version) = source_of(field("Source"), name, version);
            let bytes = field("Size").parse().unwrap_or(0);
            let version = version.to_string();
            all.push(Offer {
                version,
                stanza: block,
                source_package,
                source_version,
                bytes,
                indices: vec![index],
            });
        }
    }
    for all in offers.values_mut() {
        all.sort_by(|a, b| deb::compare(&b.version, &a.version));
    }
    offers
}

/// `..._binary-amd64_Packages.lz4` is about `amd64`.
fn index_architecture(path: &str) -> &str {
    path.rsplit_once("_binary-").map_or("amd64", |(_, rest)| rest.split('_').next().unwrap_or(rest))
}

fn origins_of(package: &Package, offers: &[Offer<'_>]) -> Vec<String> {
    let offer = offers.iter().find(|offer| offer.version == package.version);
    let mut origins: Vec<String> =
        offer.map_or(Vec::new(), |offer| offer.indices.iter().map(|it| origin(it)).collect());
    origins.sort();
    origins.dedup();
    origins
}

fn origin(index: &Index) -> String {
    let row = &index.row;
    let suite = if row.codename.is_empty() { &row.suite } else { &row.codename };
    let origin = if row.origin.is_empty() { index.source.site() } else { &row.origin };
    format!("{}/{}", printable_str(origin), suite)
}

/// The version apt would install, when it is newer than the installed one.
///
/// Versions are met from the newest down; a higher priority wins, and only a priority above 1000
/// goes back to an older version (`pkgPolicy::GetCandidateVer`).
fn choose<'a, 'b>(
    package: &Package,
    offers: &'b [Offer<'a>],
    pins: &Pins,
) -> Option<&'b Offer<'a>> {
    let mut best: Option<&Offer<'_>> = None;
    let mut best_priority = -1;
    let mut installed_met = false;
    let mut versions: Vec<(&str, Option<&'b Offer<'a>>)> =
        offers.iter().map(|offer| (offer.version.as_str(), Some(offer))).collect();
    if !versions.iter().any(|(version, _)| *version == package.version) {
        versions.push((&package.version, None));
        versions.sort_by(|a, b| deb::compare(b.0, a.0));
    }
    for (version, offer) in versions {
        let is_installed = version == package.version;
        let mut priority = priority_of(package, version, offer, pins);
        if is_installed {
            priority = priority.max(INSTALLED_PRIORITY);
        }
        let is_older = deb::compare(version, &package.version).is_lt();
        if priority == 0 || priority <= best_priority || (is_older && priority < 1000) {
            continue;
        }
        best_priority = priority;
        best = offer;
        installed_met = is_installed;
    }
    best.filter(|_| !installed_met)
        .filter(|offer| deb::compare(&offer.version, &package.version).is_gt())
}

fn priority_of(package: &Package, version: &str, offer: Option<&Offer<'_>>, pins: &Pins) -> i32 {
    let Some(offer) = offer else {
        return pins.of_version(&package.name, &package.source, version, &[]).unwrap_or(0);
    };
    let indices: Vec<(&Source, &Release)> =
        offer.indices.iter().map(|index| (&index.source, &index.release)).collect();
    pins.of_version(&package.name, &offer.source_package, version, &indices).unwrap_or_else(|| {
        indices.iter().map(|(source, release)| pins.of_index(source, release)).max().unwrap_or(0)
    })
}

fn candidate(host: &dyn Host, package: &Package, offer: &Offer<'_>) -> Candidate {
    let mut offered_by: Vec<String> = offer.indices.iter().map(|it| origin(it)).collect();
    offered_by.sort();
    offered_by.dedup();
    // As `apt-get changelog --download-only PACKAGE` names it.
    let changelog = format!("/var/lib/polder/changelogs/{}.changelog", package.name);
    let fix =
        text(host, changelog).ok().and_then(|text| parse_changelog(&text, &package.source_version));
    Candidate {
        name: package.name.clone(),
        architecture: package.architecture.clone(),
        source: offer.source_package.clone(),
        installed: package.version.clone(),
        candidate: printable_str(&offer.version),
        candidate_source_version: printable_str(&offer.source_version),
        replaced_by: String::new(),
        offered_by,
        security: offer.indices.iter().any(|index| index.row.security),
        held: package.held,
        kept_back: Vec::new(),
        download_bytes: offer.bytes,
        fix,
        offered_no_later_than: offer.indices.iter().filter_map(|index| index.release.date).min(),
    }
}

/// The newest date among the indices of the vendor's security archive, or of all without one.
pub fn newest_date(rows: &[IndexSource]) -> Option<Timestamp> {
    let security = rows.iter().filter(|row| row.security).filter_map(|row| row.date).max();
    security.or_else(|| rows.iter().filter_map(|row| row.date).max())
}
