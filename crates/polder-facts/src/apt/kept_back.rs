//! Why `apt-get upgrade` leaves an update out: it installs nothing new and removes nothing.

use crate::reading::field;
use polder_model::facts::Candidate;
use polder_model::printable_str;
use polder_model::version::deb;
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

/// Most reasons said of one package.
const REASONS_MAX: usize = 3;

/// One package a relation may be met by (deb-control(5)): a name and what its version must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Relation<'a> {
    name: &'a str,
    wanted: Option<(&'a str, &'a str)>,
}

/// What one version of a package needs and offers.
#[derive(Clone, Debug, Default)]
struct Version<'a> {
    version: &'a str,
    /// Groups of alternatives, of which one must be met; each names its group.
    needs: Vec<(usize, Relation<'a>)>,
    /// None of these may be there.
    refuses: Vec<Relation<'a>>,
    /// Names it also answers to, with the version it claims for them.
    provides: Vec<(&'a str, Option<&'a str>)>,
}

/// One installed package: what it is, and what it would become.
struct Installed<'a> {
    name: &'a str,
    now: Version<'a>,
    /// The stanza of the version on offer, and where in the list of candidates it stands.
    next: Option<(Version<'a>, usize)>,
}

impl<'a> Version<'a> {
    /// The groups of which one must be met.
    fn groups(&self) -> impl Iterator<Item = &[(usize, Relation<'a>)]> {
        self.needs.chunk_by(|a, b| a.0 == b.0)
    }
}

impl<'a> Installed<'a> {
    fn after(&self) -> &Version<'a> {
        self.next.as_ref().map_or(&self.now, |(version, _)| version)
    }
}

/// All that would be installed after the upgrade.
struct After<'a> {
    /// By name and architecture.
    packages: Vec<Installed<'a>>,
    /// Who answers to a name, as places in `packages`.
    by_name: HashMap<&'a str, Vec<usize>>,
}

/// Name and architecture.
type Key<'a> = (&'a str, &'a str);

/// Writes into each candidate why the plain upgrade leaves it out, or may do so. `status` is the text
/// of dpkg's status file, `stanzas` has the stanza of each candidate.
pub(super) fn explain(status: &str, stanzas: &[&str], candidates: &mut [Candidate]) {
    if candidates.is_empty() {
        return;
    }
    for (candidate, stanza) in candidates.iter_mut().zip(stanzas) {
        let share = field(stanza, "Phased-Update-Percentage").parse::<u8>().ok();
        if let Some(share) = share.filter(|it| *it < 100) {
            candidate.kept_back.push(format!("the vendor offers it to {share} % of hosts so far"));
        }
    }
    let mut after = After::new(status, stanzas, candidates);
    loop {
        let kept = after.kept_back();
        if kept.is_empty() {
            return;
        }
        for (at, reasons) in kept {
            let Some(package) = after.packages.get_mut(at) else { continue };
            let Some((_, index)) = package.next.take() else { continue };
            if let Some(candidate) = candidates.get_mut(index) {
                candidate.kept_back.extend(reasons.into_iter().take(REASONS_MAX));
            }
        }
    }
}

impl<'a> After<'a> {
    fn new(status: &'a str, stanzas: &[&'a str], candidates: &[Candidate]) -> Self {
        let mut next: HashMap<Key<'_>, (usize, &'a str)> = HashMap::new();
        for (index, (candidate, stanza)) in candidates.iter().zip(stanzas).enumerate() {
            // What the administrator holds stays as it is.
            if !candidate.held {
                next.insert((&candidate.name, &candidate.architecture), (index, *stanza));
            }
        }
        let mut packages = BTreeMap::new();
        for (now, key, _) in status.split("\n\n").map(read).filter(|it| it.2) {
            let next = next.get(&key).map(|(index, stanza)| (read(stanza).0, *index));
            packages.insert(key, Installed { name: key.0, now, next });
        }
        let packages: Vec<Installed<'_>> = packages.into_values().collect();
        let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, package) in packages.iter().enumerate() {
            let offered = package.next.iter().flat_map(|(it, _)| &it.provides);
            let names = package.now.provides.iter().chain(offered).map(|(name, _)| *name);
            for name in std::iter::once(package.name).chain(names) {
                let all = by_name.entry(name).or_default();
                if all.last() != Some(&at) {
                    all.push(at);
                }
            }
        }
        Self { packages, by_name }
    }

    /// Updates that cannot be made without installing or removing something, with the reasons.
    fn kept_back(&self) -> BTreeMap<usize, Vec<String>> {
        let mut kept: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for (at, package) in self.packages.iter().enumerate() {
            let version = package.after();
            let unmet = version.groups().filter(|group| !self.is_met(group));
            let refused = version.refuses.iter().filter_map(|it| self.who(it, package.name));
            if package.next.is_some() {
                let name = |at: usize| self.packages.get(at).map_or("", |it| it.name);
                let refused = refused.map(|at| format!("it cannot stand beside `{}`", name(at)));
                let reasons: Vec<String> =
                    unmet.map(|group| self.missing(group)).chain(refused).collect();
                if !reasons.is_empty() {
                    kept.insert(at, reasons);
                }
                continue;
            }
            // What stays as it is must go on working: the update that would break it is left out.
            let reason = || vec![format!("`{}` needs the version that is installed", package.name)];
            let named = unmet.flatten().flat_map(|(_, it)| self.by_name.get(it.name)).flatten();
            for other in named.copied().chain(refused) {
                if self.packages.get(other).is_some_and(|it| it.next.is_some()) {
                    kept.entry(other).or_insert_with(reason);
                }
            }
        }
        kept
    }

    fn is_met(&self, group: &[(usize, Relation<'_>)]) -> bool {
        group.iter().any(|(_, it)| self.who(it, "").is_some())
    }

    /// Who meets a relation after the upgrade, other than packages of the name `own`: another
    /// architecture of the same package is no stranger to it.
    fn who(&self, relation: &Relation<'_>, own: &str) -> Option<usize> {
        let all = self.by_name.get(relation.name)?;
        all.iter().copied().find(|at| {
            let Some(package) = self.packages.get(*at).filter(|it| it.name != own) else {
                return false;
            };
            let after = package.after();
            if package.name == relation.name && fits(relation, Some(after.version)) {
                return true;
            }
            let provides = after.provides.iter().filter(|(name, _)| *name == relation.name);
            provides.into_iter().any(|(_, version)| fits(relation, *version))
        })
    }

    /// What keeps a group of alternatives from being met, in words.
    fn missing(&self, group: &[(usize, Relation<'_>)]) -> String {
        let Some((_, first)) = group.first() else {
            return "it needs nothing that has a name".into();
        };
        let wanted = match first.wanted {
            Some((operator, version)) => format!("`{}` {operator} {version}", first.name),
            None => format!("`{}`", first.name),
        };
        let have = self.packages.iter().find(|it| it.name == first.name);
        let says = match have {
            Some(package) => {
                format!("it needs {wanted}, and {} would be installed", package.after().version)
            }
            None => format!("it needs {wanted}, which is not installed"),
        };
        printable_str(&says)
    }
}

/// Whether a version, or a name without one, is what a relation asks for.
fn fits(relation: &Relation<'_>, version: Option<&str>) -> bool {
    let Some((operator, wanted)) = relation.wanted else { return true };
    let Some(version) = version else { return false };
    let order = deb::compare(version, wanted);
    match operator {
        "<<" => order == Ordering::Less,
        "<=" | "<" => order != Ordering::Greater,
        "=" => order == Ordering::Equal,
        ">=" | ">" => order != Ordering::Less,
        ">>" => order == Ordering::Greater,
        _ => true,
    }
}

/// One version of a package, its name and architecture, and whether dpkg has it installed.
fn read(stanza: &str) -> (Version<'_>, Key<'_>, bool) {
    let (mut version, mut key, mut is_installed) = (Version::default(), ("", ""), false);
    for line in stanza.lines().filter(|it| !it.starts_with(' ')) {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim_start();
        match name {
            "Package" => key.0 = value,
            "Architecture" => key.1 = value,
            "Status" => is_installed = value.ends_with(" installed"),
            "Version" => version.version = value,
            "Depends" | "Pre-Depends" => {
                for group in value.split(',') {
                    let at = version.needs.len();
                    version.needs.extend(group.split('|').filter_map(relation).map(|it| (at, it)));
                }
            }
            "Breaks" | "Conflicts" => version.refuses.extend(relations(value)),
            "Provides" => {
                let claims =
                    relations(value).map(|it| (it.name, it.wanted.map(|(_, version)| version)));
                version.provides.extend(claims);
            }
            _ => {}
        }
    }
    (version, key, is_installed)
}

/// `name:any (>= 1), other`.
fn relations(list: &str) -> impl Iterator<Item = Relation<'_>> {
    list.split([',', '|']).filter_map(relation)
}

fn relation(text: &str) -> Option<Relation<'_>> {
    let text = text.trim();
    let (name, rest) = text.split_at(text.find([' ', '(', '[', '<']).unwrap_or(text.len()));
    let name = name.split(':').next().filter(|it| !it.is_empty())?;
    let inside = rest.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
    let wanted = inside.map(|(inside, _)| {
        let inside = inside.trim();
        let end = inside.find(|letter| !matches!(letter, '<' | '>' | '=')).unwrap_or(inside.len());
        let (operator, version) = inside.split_at(end);
        (operator, version.trim())
    });
    Some(Relation { name, wanted })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Installed and offered stanzas in, the reason for each candidate out.
    #[track_caller]
    fn check(status: &[&str], offers: &[&str], expected: &[&str]) {
        let status: Vec<String> = status
            .iter()
            .map(|it| format!("{it}\nStatus: install ok installed\nArchitecture: amd64"))
            .collect();
        let mut candidates: Vec<Candidate> = offers
            .iter()
            .map(|it| Candidate {
                name: field(it, "Package").into(),
                architecture: "amd64".into(),
                ..Candidate::default()
            })
            .collect();
        explain(&status.join("\n\n"), offers, &mut candidates);
        let found: Vec<String> = candidates.iter().map(|it| it.kept_back.join("; ")).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn an_update_that_needs_a_package_that_is_not_there_is_kept_back() {
        check(
            &["Package: image\nVersion: 1"],
            &["Package: image\nVersion: 2\nDepends: image-2 (= 2) | other, libc"],
            &[
                "it needs `image-2` = 2, which is not installed; it needs `libc`, which is not installed",
            ],
        );
    }

    #[test]
    fn what_becomes_new_in_the_same_upgrade_counts() {
        check(
            &["Package: lib\nVersion: 1", "Package: tool\nVersion: 1\nDepends: lib (= 1)"],
            &["Package: lib\nVersion: 2", "Package: tool\nVersion: 2\nDepends: lib (= 2)"],
            &["", ""],
        );
    }

    #[test]
    fn one_that_is_kept_back_keeps_what_it_needs() {
        check(
            &["Package: lib\nVersion: 1", "Package: tool\nVersion: 1\nDepends: lib (= 1)"],
            &["Package: lib\nVersion: 2", "Package: tool\nVersion: 2\nDepends: lib (= 2), more"],
            &[
                "`tool` needs the version that is installed",
                "it needs `more`, which is not installed",
            ],
        );
    }

    #[test]
    fn names_that_another_provides_count_with_the_version_it_claims() {
        check(
            &["Package: exim\nVersion: 4\nProvides: mta, api (= 2)", "Package: a\nVersion: 1"],
            &["Package: a\nVersion: 2\nDepends: mta, api (>= 2)"],
            &[""],
        );
        check(
            &["Package: exim\nVersion: 4\nProvides: mta", "Package: a\nVersion: 1"],
            &["Package: a\nVersion: 2\nDepends: mta (>= 2)"],
            &["it needs `mta` >= 2, which is not installed"],
        );
    }

    #[test]
    fn an_update_that_would_remove_something_is_kept_back() {
        check(
            &["Package: a\nVersion: 1", "Package: old\nVersion: 1"],
            &["Package: a\nVersion: 2\nBreaks: old (<< 3), a (<< 2)"],
            &["it cannot stand beside `old`"],
        );
    }

    #[test]
    fn an_update_that_is_handed_out_in_steps_says_so() {
        check(
            &["Package: a\nVersion: 1"],
            &["Package: a\nVersion: 2\nPhased-Update-Percentage: 10"],
            &["the vendor offers it to 10 % of hosts so far"],
        );
    }
}
