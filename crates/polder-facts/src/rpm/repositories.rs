//! What the cached repositories offer, chosen as dnf chooses, from dnf's own data. Metadata kept as
//! zchunk is not read.

use super::modules::Modules;
use super::{is_on, setting, settings, shown_version, source_of};
use crate::apt::pins::glob;
use crate::packages::{Indices, coverage};
use crate::reading::{field, files_in, shown, text_if_there};
use polder_host::{Host, HostError, Kind};
use polder_model::facts::{Candidate, Facts, Fix, IndexSource, IndexState, Package};
use polder_model::version::rpm;
use polder_model::{Table, Timestamp, printable_str};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Where dnf keeps what it fetched: dnf4, then dnf5.
const CACHES: [&str; 2] = ["/var/cache/dnf", "/var/cache/libdnf5"];

/// Settings of dnf and of yum before it.
const SETTINGS: [&str; 2] = ["/etc/dnf/dnf.conf", "/etc/yum.conf"];

/// Folders with repositories: the usual one, then those of dnf5.
const FOLDERS: [&str; 3] = ["/etc/yum.repos.d", "/etc/distro.repos.d", "/usr/share/dnf5/repos.d"];

/// Where `dnf5 config-manager setopt` writes.
const OVERRIDES: &str = "/etc/dnf/repos.override.d";

/// The priority of a repository that names none; a lower one goes first (dnf.conf(5)).
const PRIORITY: u32 = 99;

/// A repository that is switched on.
struct Repository {
    id: String,
    named_by: String,
    priority: u32,
    /// Names that may not be taken from it.
    excluded: Vec<String>,
    /// If any: the only names that may be.
    included: Vec<String>,
    /// Whether its packages are taken whatever the modules say.
    ignores_modules: bool,
}

/// One repository that was read.
struct Index {
    repository: Repository,
    row: IndexSource,
    packages: String,
    advisories: String,
    modules: String,
}

/// One version on offer.
struct Offer<'a> {
    name: &'a str,
    version: &'a str,
    /// Packages whose place it takes, as the index says.
    obsoletes: &'a str,
    architecture: &'a str,
    source: &'a str,
    bytes: u64,
    index: &'a Index,
    is_excluded: bool,
}

/// What the cached repositories offer.
pub(crate) fn offers(host: &dyn Host, facts: &Facts) -> Result<Indices, HostError> {
    let packages = &facts.packages.rows;
    let names: BTreeSet<String> = packages.iter().map(|it| it.name.clone()).collect();
    let config = SETTINGS.iter().find_map(|it| text_if_there(host, it).transpose()).transpose()?;
    let config = config.unwrap_or_default();
    let caches: Vec<&str> =
        setting(&config, "main", "cachedir").into_iter().chain(CACHES).collect();
    let repositories = repositories(host, &config)?;
    let read = |it: Repository| read_index(host, it, &caches, &names);
    let indices: Vec<Index> = repositories.into_par_iter().map(read).collect();
    let mut modules = Modules::chosen(host)?;
    indices.iter().for_each(|it| modules.add(&it.modules));
    modules.finish();
    let offers = offered(&indices, &modules);
    let successors = successors(&offers);
    let advisories = advisories(&indices, &modules);
    let mut newest_installed: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for it in packages {
        let newest = newest_installed.entry((&it.name, &it.architecture)).or_insert(&it.version);
        if rpm::compare(&it.version, newest).is_gt() {
            *newest = &it.version;
        }
    }
    let nothing = Vec::new();
    let (mut candidates, mut origins) = (Vec::new(), Vec::new());
    for package in packages {
        let known = offers.get(package.name.as_str()).unwrap_or(&nothing);
        let mut from: Vec<String> = known.iter().map(|it| it.index.repository.id.clone()).collect();
        from.sort();
        from.dedup();
        origins.push(from);
        // Of kernels several are installed; only the newest waits for an update.
        let newest = newest_installed.get(&(&*package.name, &*package.architecture));
        if newest.is_some_and(|it| rpm::compare(it, &package.version).is_gt()) {
            continue;
        }
        let after = successors.get(package.name.as_str()).map_or(&[][..], Vec::as_slice);
        if let Some((offer, held)) = choose(package, known, after) {
            let told = advisories.get(offer.name).map_or(&[][..], Vec::as_slice);
            candidates.push(candidate(package, offer, held, told));
        }
    }
    let rows: Vec<IndexSource> = indices.iter().map(|it| it.row.clone()).collect();
    let coverage = coverage(&rows, "no repository is switched on in `/etc/yum.repos.d`");
    let candidates = Table::with(coverage.clone(), candidates);
    Ok(Indices { indices: Table::with(coverage, rows), candidates, origins })
}

/// Words of a list, blanks or commas between.
fn words(list: &str) -> impl Iterator<Item = String> {
    list.split([' ', ',', '\t']).filter(|it| !it.is_empty()).map(str::to_string)
}

/// Repositories that are switched on (dnf.conf(5)).
fn repositories(host: &dyn Host, config: &str) -> Result<Vec<Repository>, HostError> {
    let folders: Vec<String> = match setting(config, "main", "reposdir") {
        Some(list) => words(list).collect(),
        None => FOLDERS.map(str::to_string).to_vec(),
    };
    let everywhere: Vec<String> = ["excludepkgs", "exclude"]
        .iter()
        .filter_map(|name| setting(config, "main", name))
        .flat_map(words)
        .collect();
    // What dnf5 was told on the command line goes before the files.
    let mut overrides = String::new();
    for path in files_in(host, OVERRIDES, |it| it.ends_with(".repo"))? {
        overrides.push_str(&text_if_there(host, &path)?.unwrap_or_default());
        overrides.push('\n');
    }
    let mut found: Vec<Repository> = Vec::new();
    let mut files = Vec::new();
    for folder in folders {
        files.extend(files_in(host, folder, |it| it.ends_with(".repo"))?);
    }
    for path in files {
        let text = text_if_there(host, &path)?.unwrap_or_default();
        let mut sections: Vec<&str> = settings(&text).map(|it| it.0).collect();
        sections.dedup();
        for id in sections.into_iter().filter(|it| *it != "main" && !it.is_empty()) {
            let of = |name| setting(&overrides, id, name).or_else(|| setting(&text, id, name));
            if found.iter().any(|it| it.id == id) {
                continue;
            }
            if of("enabled").is_some_and(|it| !is_on(it)) {
                continue;
            }
            let list =
                |names: &'static [&str]| names.iter().filter_map(|it| of(it)).flat_map(words);
            found.push(Repository {
                id: id.to_string(),
                named_by: format!("{}:[{id}]", shown(&path)),
                priority: of("priority").and_then(|it| it.parse().ok()).unwrap_or(PRIORITY),
                excluded: list(&["excludepkgs", "exclude"]).chain(everywhere.clone()).collect(),
                included: list(&["includepkgs"]).collect(),
                ignores_modules: of("module_hotfixes").is_some_and(is_on),
            });
        }
    }
    Ok(found)
}

/// What `repomd.xml` says of one file.
struct Listed {
    name: String,
    open_size: Option<u64>,
}

/// The newest cache of a repository: its folder, its files by kind, its date.
fn newest(
    host: &dyn Host,
    id: &str,
    caches: &[&str],
) -> Option<(PathBuf, BTreeMap<String, Listed>, i64)> {
    let is_of = |name: &str| {
        // A hash of the address follows the name.
        let hash = name.strip_prefix(id).and_then(|it| it.strip_prefix('-'));
        hash.is_some_and(|it| it.len() == 16 && it.bytes().all(|it| it.is_ascii_hexdigit()))
    };
    let mut best = None;
    for cache in caches {
        let Ok(entries) = host.list(cache.as_ref()) else { continue };
        for entry in entries.iter().filter(|it| it.kind == Kind::Folder) {
            let Some(name) = entry.name.to_str().filter(|it| is_of(it)) else { continue };
            let folder = PathBuf::from(cache).join(name).join("repodata");
            let path = folder.join("repomd.xml");
            let Ok(found) = host.stanzas(&path, &BTreeSet::new()) else { continue };
            let (files, made) = listed(&found.text);
            // The dates of the files are when dnf last asked whether there are newer ones: it touches
            // the index when there are none (libdnf).
            let asked = |path: &Path| host.stat(path).map_or(0, |it| it.modified);
            let primary = files.get("primary").map_or(0, |it| asked(&folder.join(&it.name)));
            let asked = asked(&path).max(primary);
            let date = asked.max(made);
            if best.as_ref().is_none_or(|(_, _, known)| date > *known) {
                best = Some((folder, files, date));
            }
        }
    }
    best
}

fn listed(text: &str) -> (BTreeMap<String, Listed>, i64) {
    let (mut files, mut made) = (BTreeMap::new(), 0);
    for stanza in text.split("\n\n") {
        let of = |name: &str| field(stanza, name);
        let name = of("Href").rsplit('/').next().unwrap_or_default().to_string();
        let whole = of("Timestamp").split('.').next().and_then(|it| it.parse().ok());
        made = made.max(whole.unwrap_or(0));
        files.insert(
            of("Data").to_string(),
            Listed { name, open_size: of("Open-Size").parse().ok() },
        );
    }
    (files, made)
}

fn read_index(
    host: &dyn Host,
    repository: Repository,
    caches: &[&str],
    names: &BTreeSet<String>,
) -> Index {
    let cache = caches.first().copied().unwrap_or_default();
    let mut path = PathBuf::from(cache).join(format!("{}-*", repository.id));
    let (mut state, mut date) = (IndexState::Missing, None);
    let [mut packages, mut advisories, mut modules] = [const { String::new() }; 3];
    if let Some((folder, files, seen)) = newest(host, &repository.id, caches) {
        let mut read = |kind: &str, text: &mut String| -> Option<IndexState> {
            let file = files.get(kind)?;
            path = folder.join(&file.name);
            Some(match (host.stanzas(&path, names), file.open_size) {
                (Ok(found), Some(promised_bytes)) if found.bytes != promised_bytes => {
                    IndexState::Truncated { found_bytes: found.bytes, promised_bytes }
                }
                (Ok(found), promised) => {
                    *text = found.text;
                    if promised.is_some() { IndexState::Whole } else { IndexState::Unchecked }
                }
                (Err(error), _) if error.is_not_found() => IndexState::Missing,
                (Err(error), _) => IndexState::Unreadable { because: error.because },
            })
        };
        let usable = |it: &IndexState| matches!(it, IndexState::Whole | IndexState::Unchecked);
        // Advisories and modules need not be there, but what is named must be whole.
        let states = [
            read("updateinfo", &mut advisories),
            read("modules", &mut modules),
            Some(read("primary", &mut packages).unwrap_or_else(|| without_primary(&files))),
        ];
        let mut states = states.into_iter().flatten();
        let last = states.next_back().unwrap_or(IndexState::Missing);
        state = states.find(|it| !usable(it)).unwrap_or(last);
        date = Some(Timestamp(seen));
    }
    let row = IndexSource {
        path: shown(&path),
        named_by: repository.named_by.clone(),
        origin: printable_str(&repository.id),
        label: String::new(),
        suite: printable_str(&repository.id),
        codename: String::new(),
        date,
        valid_until: None,
        state,
        // Only advisories tell which updates are for security.
        security: !advisories.is_empty(),
    };
    Index { repository, row, packages, advisories, modules }
}

/// What it means that no plain index of packages is listed.
fn without_primary(files: &BTreeMap<String, Listed>) -> IndexState {
    match files.contains_key("primary_zck") {
        true => IndexState::Unreadable {
            because: "it is kept as zchunk, which is not read: set `zchunk=False` in dnf.conf"
                .into(),
        },
        false => IndexState::Missing,
    }
}

fn offered<'a>(indices: &'a [Index], modules: &Modules) -> BTreeMap<&'a str, Vec<Offer<'a>>> {
    let mut offers: BTreeMap<&str, Vec<Offer<'_>>> = BTreeMap::new();
    for index in indices {
        let repository = &index.repository;
        for stanza in index.packages.split("\n\n").filter(|it| !it.trim().is_empty()) {
            let of = |name: &str| field(stanza, name);
            let (name, version, architecture) = (of("Package"), of("Version"), of("Architecture"));
            if !repository.ignores_modules && !modules.allow(name, version, architecture) {
                continue;
            }
            let is_named = |it: &String| glob(it, name);
            let is_left_out =
                !repository.included.is_empty() && !repository.included.iter().any(is_named);
            offers.entry(name).or_default().push(Offer {
                name,
                version,
                obsoletes: of("Obsoletes"),
                architecture,
                source: of("Source"),
                bytes: of("Size").parse().unwrap_or(0),
                index,
                is_excluded: is_left_out || repository.excluded.iter().any(is_named),
            });
        }
    }
    // A repository that goes first hides the same name in the others.
    for all in offers.values_mut() {
        let first = all.iter().filter(|it| !it.is_excluded).map(|it| it.index.repository.priority);
        let first = first.min().unwrap_or(PRIORITY);
        all.retain(|it| it.index.repository.priority <= first);
    }
    offers
}

/// An offer that takes the place of a package by another name.
struct Successor<'a, 'b> {
    offer: &'b Offer<'a>,
    /// Of which versions: a comparison and a version; none of each.
    of: Option<(&'a str, &'a str)>,
}

impl Successor<'_, '_> {
    fn is_of(&self, version: &str) -> bool {
        self.of.is_none_or(|(sign, limit)| {
            // Where the limit names no release, releases are not compared (rpm, rpmdsCompare).
            let version = if limit.contains('-') {
                version
            } else {
                version.rsplit_once('-').map_or(version, |it| it.0)
            };
            let order = rpm::compare(version, limit);
            match sign {
                "<" => order.is_lt(),
                "<=" => order.is_le(),
                "=" => order.is_eq(),
                ">=" => order.is_ge(),
                _ => order.is_gt(),
            }
        })
    }
}

/// What takes the place of which name.
fn successors<'a, 'b>(
    offers: &'b BTreeMap<&'a str, Vec<Offer<'a>>>,
) -> BTreeMap<&'a str, Vec<Successor<'a, 'b>>> {
    let mut all: BTreeMap<&str, Vec<Successor<'_, '_>>> = BTreeMap::new();
    for offer in offers.values().flatten() {
        for said in offer.obsoletes.split(", ") {
            let mut words = said.split(' ');
            let name = words.next().unwrap_or_default();
            if name.is_empty() || name == offer.name {
                continue;
            }
            let of = words.next().zip(words.next());
            all.entry(name).or_default().push(Successor { offer, of });
        }
    }
    all
}

/// The newest version that may be taken, or that could be if nobody had excluded it. A package that
/// takes the place of this one goes before one of the same name whose place it takes as well.
fn choose<'a, 'b>(
    package: &Package,
    offers: &'b [Offer<'a>],
    successors: &[Successor<'a, 'b>],
) -> Option<(&'b Offer<'a>, bool)> {
    let fits = |it: &&Offer<'_>| {
        it.architecture == package.architecture
            || it.architecture == "noarch"
            || package.architecture == "noarch"
    };
    let newer = |it: &&Offer<'_>| rpm::compare(it.version, &package.version).is_gt();
    let newest = |is_excluded: bool| {
        let all = offers.iter().filter(fits).filter(newer);
        let all = all.filter(|it| it.is_excluded == is_excluded);
        all.max_by(|a, b| rpm::compare(a.version, b.version))
    };
    let same = newest(false);
    let goes_first = |it: &Offer<'_>, other: &Offer<'_>| {
        it.index.repository.priority <= other.index.repository.priority
    };
    let after = successors
        .iter()
        .filter(|it| !it.offer.is_excluded && it.is_of(&package.version))
        .filter(|it| same.is_none_or(|same| it.is_of(same.version) && goes_first(it.offer, same)))
        .map(|it| it.offer)
        .filter(fits)
        .max_by(|a, b| b.name.cmp(a.name).then_with(|| rpm::compare(a.version, b.version)));
    let free = after.or(same).map(|it| (it, package.held));
    free.or_else(|| newest(true).map(|it| (it, true)))
}

/// One package of an advisory.
struct Told<'a> {
    version: &'a str,
    architecture: &'a str,
    is_security: bool,
    issued: Option<Timestamp>,
    cves: &'a str,
}

fn advisories<'a>(indices: &'a [Index], modules: &Modules) -> BTreeMap<&'a str, Vec<Told<'a>>> {
    let mut told: BTreeMap<&str, Vec<Told<'_>>> = BTreeMap::new();
    let stanzas = indices.iter().flat_map(|it| it.advisories.split("\n\n"));
    for stanza in stanzas.filter(|it| !it.trim().is_empty()) {
        let of = |name: &str| field(stanza, name);
        if of("Module")
            .split_once(':')
            .is_some_and(|(module, stream)| !modules.is_taken(module, stream))
        {
            continue;
        }
        told.entry(of("Package")).or_default().push(Told {
            version: of("Version"),
            architecture: of("Architecture"),
            is_security: of("Type") == "security",
            issued: issued(of("Issued")),
            cves: of("CVE"),
        });
    }
    told
}

/// `2024-03-01 10:00:00`, without the time, or seconds since 1970.
fn issued(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse() {
        return Some(Timestamp(seconds));
    }
    let (date, time) = text.split_once([' ', 'T']).unwrap_or((text, ""));
    let date: jiff::civil::Date = date.parse().ok()?;
    let time: jiff::civil::Time = time.get(..8).and_then(|it| it.parse().ok()).unwrap_or_default();
    let zoned = date.to_datetime(time).to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Timestamp(zoned.timestamp().as_second()))
}

fn candidate(package: &Package, offer: &Offer<'_>, held: bool, told: &[Told<'_>]) -> Candidate {
    let is_same = offer.name == package.name;
    // What another package closed before it took this one's place, says nothing of this one.
    let is_missed = |version| match is_same {
        true => {
            rpm::compare(version, &package.version).is_gt()
                && rpm::compare(version, offer.version).is_le()
        }
        false => rpm::compare(version, offer.version).is_eq(),
    };
    let missed: Vec<&Told<'_>> = told
        .iter()
        .filter(|it| it.architecture == package.architecture || it.architecture == "noarch")
        .filter(|it| is_missed(it.version))
        .collect();
    let mut cves: Vec<String> =
        missed.iter().flat_map(|it| it.cves.split(' ')).map(printable_str).collect();
    cves.retain(|it| !it.is_empty());
    cves.sort();
    cves.dedup();
    // What mends no flaw may wait.
    let security = missed.iter().filter(|it| it.is_security).filter_map(|it| it.issued).min();
    let since = security.or_else(|| missed.iter().filter_map(|it| it.issued).min());
    let source = source_of(offer.source);
    Candidate {
        name: package.name.clone(),
        architecture: package.architecture.clone(),
        // Whose flaws an update closes is told by the source of what is installed.
        source: printable_str(source.filter(|_| is_same).map_or(&package.source, |it| it.0)),
        installed: package.version.clone(),
        candidate: printable_str(shown_version(offer.version)),
        replaced_by: if is_same { String::new() } else { printable_str(offer.name) },
        candidate_source_version: source
            .filter(|_| is_same)
            .map_or_else(String::new, |it| printable_str(it.1)),
        offered_by: vec![printable_str(&offer.index.repository.id)],
        security: missed.iter().any(|it| it.is_security),
        held,
        kept_back: Vec::new(),
        download_bytes: offer.bytes,
        fix: since.map(|since| Fix { cves, since }),
        offered_no_later_than: offer.index.row.date,
    }
}
