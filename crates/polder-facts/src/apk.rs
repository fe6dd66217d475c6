//! What apk knows: installed packages, and what the cached indices offer.

use crate::packages::{Indices, coverage};
use crate::reading::{field, files_in, note, shown, text_if_there, text_up_to};
use polder_host::{Host, HostError};
use polder_model::facts::{Candidate, IndexSource, IndexState, Package};
use polder_model::version::apk;
use polder_model::{Coverage, Problem, Table, Timestamp, printable_str};
use sha1::{Digest, Sha1};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Where apk keeps what is installed.
const INSTALLED: &str = "/lib/apk/db/installed";

/// Where it keeps indices: the first of them that is there (apk-cache(5)).
const CACHES: [&str; 2] = ["/etc/apk/cache", "/var/cache/apk"];

/// Largest package database read.
const INSTALLED_BYTES_MAX: u64 = 256 << 20;

/// Every installed package; none where there is no apk.
pub(crate) fn look(host: &dyn Host) -> Option<Table<Package>> {
    let text = match text_up_to(host, INSTALLED, INSTALLED_BYTES_MAX) {
        Ok(text) => text,
        Err(error) if error.is_not_found() => return None,
        Err(error) => {
            let coverage = crate::reading::not_looked(&error, "the installed packages");
            return Some(Table::with(coverage, Vec::new()));
        }
    };
    let world = text_if_there(host, "/etc/apk/world").ok().flatten().unwrap_or_default();
    let (mut rows, problems) = parse_installed(&text);
    for row in &mut rows {
        // A name with a version may not move away from it (apk-world(5)).
        row.held = world.split_whitespace().any(|it| {
            it.strip_prefix(row.name.as_str()).is_some_and(|rest| rest.starts_with(['=', '<', '~']))
        });
    }
    let coverage = match (rows.is_empty(), problems.len()) {
        (true, _) => Coverage::not_looked(format!("`{INSTALLED}` lists no package")),
        (_, 0) => Coverage::Complete,
        (_, count) => Coverage::partial(format!("`{INSTALLED}` is damaged in {count} places")),
    };
    Some(Table::with(coverage, rows).problems(problems))
}

/// Reads apk's database: `P:` name, `V:` version, `A:` architecture, `o:` origin (apk-installed(5)).
pub fn parse_installed(text: &str) -> (Vec<Package>, Vec<Problem>) {
    let mut packages = Vec::new();
    let mut problems = Vec::new();
    for (index, block) in text.split("\n\n").enumerate() {
        let field = |key: &str| {
            let mut lines = block.lines();
            let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
            value.map(printable_str).unwrap_or_default()
        };
        if block.trim().is_empty() {
            continue;
        }
        let (name, version) = (field("P"), field("V"));
        if name.is_empty() || version.is_empty() {
            note(&mut problems, INSTALLED, format!("package {} has no name or version", index + 1));
            continue;
        }
        let origin = field("o");
        packages.push(Package {
            source: if origin.is_empty() { name.clone() } else { origin },
            source_version: version.clone(),
            name,
            version,
            architecture: field("A"),
            held: false,
            origins: Vec::new(),
            manager: "apk".into(),
        });
    }
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    (packages, problems)
}

/// One line of `/etc/apk/repositories`.
struct Repository {
    named_by: String,
    /// Taken only for packages that ask for it.
    tag: String,
    address: String,
}

/// One version on offer.
struct Offer {
    version: String,
    source: String,
    bytes: u64,
    index: usize,
}

/// What the cached indices of the configured repositories offer.
pub(crate) fn offers(host: &dyn Host, packages: &[Package]) -> Result<Indices, HostError> {
    let repositories = repositories(host)?;
    let names: BTreeSet<String> = packages.iter().map(|it| it.name.clone()).collect();
    let architecture = text_if_there(host, "/etc/apk/arch")?.unwrap_or_default();
    let architecture = architecture.lines().next().unwrap_or_default().trim();
    let world = text_if_there(host, "/etc/apk/world")?.unwrap_or_default();
    let cache = CACHES.iter().find(|it| host.list(it.as_ref()).is_ok()).unwrap_or(&CACHES[1]);
    let (mut rows, mut offers) = (Vec::new(), BTreeMap::<String, Vec<Offer>>::new());
    for repository in &repositories {
        let path = index_path(repository, cache, architecture);
        let (row, text) = read_index(host, repository, &path, &names);
        add(&text, rows.len(), &mut offers);
        rows.push(row);
    }
    let (mut candidates, mut origins) = (Vec::new(), Vec::new());
    for package in packages {
        let known = offers.get(&package.name).map_or(&[][..], Vec::as_slice);
        let mut from: Vec<String> = known.iter().map(|it| origin(&repositories, it)).collect();
        from.sort();
        from.dedup();
        origins.push(from);
        let may_take = |it: &&Offer| {
            let tag = repositories.get(it.index).map_or("", |it| &it.tag);
            tag.is_empty() || world.split_whitespace().any(|it| asks_for(it, &package.name, tag))
        };
        let newest = known.iter().filter(may_take);
        let newest = newest.max_by(|a, b| apk::compare(&a.version, &b.version));
        let newer = newest.filter(|it| apk::compare(&it.version, &package.version).is_gt());
        if let Some(offer) = newer {
            candidates.push(Candidate {
                name: package.name.clone(),
                architecture: package.architecture.clone(),
                source: offer.source.clone(),
                installed: package.version.clone(),
                candidate: offer.version.clone(),
                candidate_source_version: offer.version.clone(),
                replaced_by: String::new(),
                offered_by: vec![origin(&repositories, offer)],
                // Alpine fixes flaws in the same repositories as everything else.
                security: false,
                held: package.held,
                kept_back: Vec::new(),
                download_bytes: offer.bytes,
                fix: None,
                offered_no_later_than: rows.get(offer.index).and_then(|it| it.date),
            });
        }
    }
    let none = format!("`/etc/apk/repositories` names none, or `{cache}` holds no index");
    let coverage = coverage(&rows, &none);
    let candidates = Table::with(coverage.clone(), candidates);
    Ok(Indices { indices: Table::with(coverage, rows), candidates, origins })
}

/// Whether a word of the world asks for a package from the repositories of a tag: `name@tag`.
fn asks_for(word: &str, name: &str, tag: &str) -> bool {
    word.strip_prefix(name).and_then(|rest| rest.strip_prefix('@')) == Some(tag)
}

fn origin(repositories: &[Repository], offer: &Offer) -> String {
    let address = repositories.get(offer.index).map_or("", |it| &it.address);
    // The last two folders say which: `v3.20/main`.
    let mut folders: Vec<&str> = address.trim_end_matches('/').rsplit('/').take(2).collect();
    folders.reverse();
    printable_str(&format!("alpine/{}", folders.join("/")))
}

fn repositories(host: &dyn Host) -> Result<Vec<Repository>, HostError> {
    let mut files = vec![PathBuf::from("/etc/apk/repositories")];
    files.extend(files_in(host, "/etc/apk/repositories.d", |it| it.ends_with(".list"))?);
    let mut found = Vec::new();
    for path in files {
        let text = text_if_there(host, &path)?.unwrap_or_default();
        for (line, words) in text.lines().enumerate() {
            let words = words.trim();
            let (tag, address) = match words.strip_prefix('@').map(|it| it.split_once(' ')) {
                Some(Some((tag, address))) => (tag, address.trim()),
                Some(None) => continue,
                None => ("", words),
            };
            if !address.is_empty() && !address.starts_with('#') {
                found.push(Repository {
                    named_by: format!("{}:{}", shown(&path), line + 1),
                    tag: tag.to_string(),
                    address: address.to_string(),
                });
            }
        }
    }
    Ok(found)
}

/// A local repository has its index in its own folder; others are cached under a hash of their
/// address.
fn index_path(repository: &Repository, cache: &str, architecture: &str) -> PathBuf {
    let address = &repository.address;
    if address.starts_with('/') {
        return Path::new(address).join(architecture).join("APKINDEX.tar.gz");
    }
    let hash = Sha1::digest(address.as_bytes());
    let start: String = hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    Path::new(cache).join(format!("APKINDEX.{start}.tar.gz"))
}

fn read_index(
    host: &dyn Host,
    repository: &Repository,
    path: &Path,
    names: &BTreeSet<String>,
) -> (IndexSource, String) {
    let (state, text) = match host.stanzas(path, names) {
        Ok(stanzas) => (IndexState::Unchecked, stanzas.text),
        Err(error) if error.is_not_found() => (IndexState::Missing, String::new()),
        Err(error) => (IndexState::Unreadable { because: error.because }, String::new()),
    };
    // apk gives the file the date at which the server changed it; when it was fetched tells more.
    let date = host.stat(path).ok().map(|it| Timestamp(it.modified.max(it.changed)));
    let row = IndexSource {
        path: shown(path),
        named_by: repository.named_by.clone(),
        origin: "alpine".into(),
        label: String::new(),
        suite: printable_str(&repository.address),
        codename: String::new(),
        date: date.filter(|_| state == IndexState::Unchecked),
        valid_until: None,
        state,
        security: true,
    };
    (row, text)
}

fn add(text: &str, index: usize, offers: &mut BTreeMap<String, Vec<Offer>>) {
    for stanza in text.split("\n\n").filter(|it| !it.trim().is_empty()) {
        let field = |name: &str| printable_str(field(stanza, name));
        let (name, version, source) = (field("Package"), field("Version"), field("Source"));
        let source = if source.is_empty() { name.clone() } else { source };
        let bytes = field("Size").parse().unwrap_or(0);
        offers.entry(name).or_default().push(Offer { version, source, bytes, index });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_cached_under_the_start_of_a_hash() {
        let address = "http://dl-cdn.alpinelinux.org/alpine/v3.12/main".to_string();
        let it = Repository { named_by: String::new(), tag: String::new(), address };
        let path = index_path(&it, "/var/cache/apk", "x86_64");
        assert_eq!(path, Path::new("/var/cache/apk/APKINDEX.2c4ac24e.tar.gz"));
    }
}
