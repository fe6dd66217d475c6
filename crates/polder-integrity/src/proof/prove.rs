//! Which changes are a vendor's: held against the archives of the packages that were installed since.

use super::certificates::Certificates;
use super::compiled::{by_compiling, by_source, is_python};
use super::deb::{self, Archive, Member};
use super::dpkg::{self, PackageRow, field, installed, short, status};
use super::signed::{Signed, Wanted, signed};
use super::{plain, triggers};
use crate::compare::{Change, Difference};
use crate::entry::{Content, Entry, Kind};
use crate::generation::Generation;
use crate::key::hexadecimal;
use crate::now::Now;
use crate::policy::{matches, segments};
use polder_model::version::deb::compare as compare_versions;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::path::Path;

/// What must be as it was for any proof to hold: what verifies, and the code it runs with, on every
/// architecture. What is above and below them must be as it was, too.
const GROUND: [&str; 5] = [
    "/etc/ld.so.preload*",
    "/etc/ld.so.conf*",
    "/etc/ld.so.cache*",
    "/etc/gcrypt*",
    "/usr/bin/gpgv*",
];

/// Folders of libraries, and those that verifying takes.
const FOLDERS: [&str; 6] =
    ["/usr/lib/*-linux-gnu*", "/usr/lib64", "/usr/lib", "/lib/*-linux-gnu*", "/lib64", "/lib"];
const LIBRARIES: [&str; 11] = [
    "ld-*",
    "ld64*",
    "libc.so*",
    "libc-2*",
    "libgcrypt.*",
    "libgpg-error.*",
    "libassuan.*",
    "libnpth.*",
    "libz.*",
    "libbz2.*",
    "libpthread*",
];

/// Where apt leaves archives, and where Polder keeps those that apt would not: whose they are, only their digest
/// tells.
const ARCHIVES: [&str; 2] = ["/var/cache/apt/archives", KEPT_ARCHIVES];

/// Where archives are kept as they are installed (`polder baseline keep`).
pub const KEPT_ARCHIVES: &str = "/var/lib/polder/archives";

/// Folders that became links into `/usr`.
const MERGED: [&str; 6] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// One package that was installed or upgraded since the baseline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProvedPackage {
    /// Its name.
    pub name: String,
    /// Its version at the time of the baseline; none when it was not there.
    pub from: Option<String>,
    /// Its version now.
    pub to: String,
    /// Changes that its archive proves.
    pub proved: u64,
    /// Why its archive proves nothing, where it does not.
    pub because: Option<String>,
}

/// What is proved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proofs {
    /// Paths of changes that are the vendor's.
    pub paths: BTreeSet<Vec<u8>>,
    /// The packages that changed.
    pub packages: Vec<ProvedPackage>,
    /// What could not be relied on.
    pub problems: Vec<String>,
    /// Files of upgraded packages that are as they were in the baseline, where the new version has others: the package,
    /// in words.
    pub behind: Vec<(Vec<u8>, String)>,
}

/// One package that changed, with its archive.
struct Upgrade<'a> {
    row: ProvedPackage,
    architecture: &'a str,
    before: Option<&'a PackageRow>,
    stanza: &'a str,
    archive: Option<Archive>,
}

/// Holds changes against the archives of the packages that were upgraded since the baseline. Of `all` changes also what
/// did not change is judged: files that an upgrade left behind.
pub fn prove(now: &Now, generation: &Generation, changes: &[Change], all: bool) -> Proofs {
    let mut proofs = Proofs::default();
    if changes.is_empty() || generation.head.packages.is_empty() {
        return proofs;
    }
    let root = now.root.as_path();
    let status = status(root);
    if status.is_empty() {
        return super::rpm::prove(now, generation, changes, all);
    }
    let before: HashMap<(&str, &str), &PackageRow> = generation
        .head
        .packages
        .iter()
        .map(|it| ((it.name.as_str(), it.architecture.as_str()), it))
        .collect();
    let mut upgrades: Vec<Upgrade<'_>> = installed(&status)
        .into_iter()
        .filter_map(|(key, stanza)| upgrade(key, stanza, before.get(&key).copied()))
        .collect();
    if upgrades.is_empty() {
        return proofs;
    }
    if let Some(because) = without_ground(now, changes) {
        proofs.problems.push(because);
        return proofs;
    }
    let digest_of = |path: &[u8]| match generation.entry(path).ok().flatten()?.content {
        Content::Digest(digest) => Some(digest),
        _ => None,
    };
    let wanted: HashSet<Wanted> = upgrades
        .iter()
        .map(|it| (it.row.name.clone(), it.row.to.clone(), it.architecture.to_string()))
        .collect();
    let Signed { archives, problems } = signed(root, &wanted, &digest_of);
    proofs.problems.extend(problems);
    for upgrade in &mut upgrades {
        upgrade.load(root, &archives);
    }
    let place = Places::new(root, generation, &digest_of);
    let kept = kept(&generation.head.packages, &upgrades);
    let members = members(&upgrades, &place, &kept);
    let own = own_files(&upgrades);
    let mut counts = vec![0_u64; upgrades.len()];
    for change in changes {
        let by = by_member(change, &members, &upgrades)
            .or_else(|| by_record(change, &own))
            .or_else(|| by_removal(change, &upgrades, &members, (&place, &kept)))
            .or_else(|| by_source(root, change, generation, &members));
        if let Some(index) = by {
            proofs.paths.insert(change.path.clone());
            if let Some(count) = counts.get_mut(index) {
                *count += 1;
            }
        }
    }
    if all {
        proofs.behind = behind(generation, changes, &members, &upgrades);
    }
    prove_derived(root, generation, changes, &members, (&mut proofs, &mut counts));
    prove_status(root, changes, &upgrades, &before, &mut proofs);
    triggers::prove(root, changes, &mut proofs);
    proofs.packages = upgrades
        .into_iter()
        .zip(counts)
        .map(|(it, proved)| ProvedPackage { proved, ..it.row })
        .collect();
    proofs
}

/// Why nothing is proved, where that which verifies is not as it was.
pub(super) fn without_ground(now: &Now, changes: &[Change]) -> Option<String> {
    // A folder elsewhere is looked at with the programs of this host, which are not those of the folder.
    let mut paths = changes.iter().map(|it| &it.path).filter(|_| now.is_running);
    let path = polder_model::printable(paths.find(|it| is_ground(it))?);
    Some(format!("signatures prove nothing, since `{path}` is not as it was"))
}

/// Whether proofs rest on a path, or on one above or below it.
pub(crate) fn is_ground(path: &[u8]) -> bool {
    let in_folder =
        |folder: &str| LIBRARIES.iter().any(|name| is_on(path, &[format!("{folder}/{name}")]));
    is_on(path, &GROUND) || FOLDERS.iter().any(|it| in_folder(it))
}

/// Whether some proof rests on a path: of all, or of what follows from others.
pub(crate) fn bears_proofs(path: &[u8]) -> bool {
    is_ground(path) || is_python(path) || triggers::is_said(path)
}

/// Whether a path is one of these, or above or below one.
pub(super) fn is_on(path: &[u8], patterns: &[impl AsRef<str>]) -> bool {
    patterns.iter().any(|pattern| {
        let names = segments(path).zip(segments(pattern.as_ref().as_bytes()));
        names.into_iter().all(|(name, pattern)| matches(pattern, name))
    })
}

/// Paths of packages that no archive was read of: they are nobody else's.
fn kept(all: &[PackageRow], upgrades: &[Upgrade<'_>]) -> HashSet<u128> {
    let is_read = |it: &PackageRow| {
        upgrades.iter().any(|upgrade| {
            upgrade.archive.is_some()
                && (upgrade.row.name.as_str(), upgrade.architecture)
                    == (it.name.as_str(), it.architecture.as_str())
        })
    };
    all.iter().filter(|it| !is_read(it)).flat_map(|it| it.paths.iter().copied()).collect()
}

type Members<'a> = BTreeMap<Vec<u8>, (usize, &'a Member)>;

/// What the archives put where. A file of a package that was not upgraded is not theirs; folders are shared.
fn members<'a>(upgrades: &'a [Upgrade<'_>], place: &Places, kept: &HashSet<u128>) -> Members<'a> {
    let mut members = Members::new();
    for (index, upgrade) in upgrades.iter().enumerate() {
        for (path, member) in upgrade.archive.iter().flat_map(|it| &it.members) {
            let Some(lies) = place.of(path) else { continue };
            let is_others = [path, &lies].into_iter().any(|it| kept.contains(&short(it)));
            if member.kind == Kind::Folder || !is_others {
                members.insert(lies, (index, member));
            }
        }
    }
    members
}

/// Files that are as they were, and not what their package has now: somebody put the old ones back, or they never were
/// replaced.
fn behind(
    generation: &Generation,
    changes: &[Change],
    members: &Members<'_>,
    upgrades: &[Upgrade<'_>],
) -> Vec<(Vec<u8>, String)> {
    // What was only written again as it was, is as it was.
    let changed = changes.iter().filter(|it| !it.is_trace());
    let changed: HashSet<&[u8]> = changed.map(|it| it.path.as_slice()).collect();
    let left = members.iter().filter(|(path, _)| !changed.contains(path.as_slice()));
    let behind = left.filter_map(|(path, (index, member))| {
        let upgrade = upgrades.get(*index)?;
        let is_setting = upgrade.archive.as_ref()?.settings.contains_key(path);
        let entry = generation.entry(path).ok().flatten()?;
        let is_other = match (&entry.content, member.kind, entry.kind) {
            (Content::Digest(digest), Kind::File, Kind::File) => *digest != member.digest,
            (_, Kind::Link, Kind::Link) => entry.target != member.target,
            _ => false,
        };
        (is_other && !is_setting)
            .then(|| (path.clone(), format!("{} {}", upgrade.row.name, upgrade.row.to)))
    });
    behind.collect()
}

/// What is derived from certificates and sources of packages rests on what was proved before.
fn prove_derived(
    root: &Path,
    generation: &Generation,
    changes: &[Change],
    members: &Members<'_>,
    (proofs, counts): (&mut Proofs, &mut [u64]),
) {
    let proved = proofs.paths.clone();
    let certificates = Certificates::new(root, generation, changes, members, &proved);
    for change in changes.iter().filter(|it| !proved.contains(&it.path)) {
        if let Some(index) = certificates.prove(change) {
            proofs.paths.insert(change.path.clone());
            if let Some(count) = counts.get_mut(index) {
                *count += 1;
            }
        }
    }
    for (path, index) in by_compiling(root, changes, members, proofs) {
        proofs.paths.insert(path);
        if let Some(count) = counts.get_mut(index) {
            *count += 1;
        }
    }
}

/// A package whose version is not the one of the baseline.
fn upgrade<'a>(
    (name, architecture): (&'a str, &'a str),
    stanza: &'a str,
    before: Option<&'a PackageRow>,
) -> Option<Upgrade<'a>> {
    let to = field(stanza, "Version");
    let before = before.filter(|it| it.is_installed);
    let from = before.map(|it| it.version.clone());
    if from.as_deref() == Some(to) {
        return None;
    }
    let because = match &from {
        // A vendor signs many packages, and old ones stay signed: that somebody wanted this one is not proved.
        None => Some("it was not there before".to_string()),
        Some(it) if compare_versions(to, it).is_lt() => Some(
            "it went back to an older version, which may have flaws that the newer had not"
                .to_string(),
        ),
        Some(_) => None,
    };
    let row = ProvedPackage { name: name.into(), from, to: to.into(), proved: 0, because };
    Some(Upgrade { row, architecture, before, stanza, archive: None })
}

impl Upgrade<'_> {
    /// Reads the archive, when it is the one that was signed.
    fn load(&mut self, root: &Path, archives: &HashMap<Wanted, String>) {
        if self.row.because.is_some() {
            return;
        }
        let key = (self.row.name.clone(), self.row.to.clone(), self.architecture.to_string());
        match archives
            .get(&key)
            .ok_or("no signed index names this version".to_string())
            .and_then(|digest| self.archive(root, digest))
        {
            Ok(archive) => self.archive = Some(archive),
            Err(because) => self.row.because = Some(because),
        }
    }

    /// The archive from wherever it is that of the digest; else why it is not, where apt had it.
    fn archive(&self, root: &Path, digest: &str) -> Result<Archive, String> {
        // As apt names archives: the epoch's colon is escaped.
        let version = self.row.to.replace(':', "%3a");
        let name = format!("{}_{version}_{}.deb", self.row.name, self.architecture);
        let mut first = None;
        for folder in ARCHIVES {
            match archive(root, &Path::new(folder).join(&name), digest) {
                Ok(archive) => return Ok(archive),
                Err(because) => drop(first.get_or_insert(because)),
            }
        }
        Err(first.unwrap_or_default())
    }
}

/// Why nothing is proved when an archive is gone.
const NOT_KEPT: &str = "apt did not keep its archive: `polder baseline hook` keeps those to come, `apt-get download` in /var/cache/apt/archives brings it now";

fn archive(root: &Path, path: &Path, digest: &str) -> Result<Archive, String> {
    let file = plain::open(root, path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => NOT_KEPT.to_string(),
        _ => format!("its archive cannot be read: {error}"),
    })?;
    // One open file is hashed and then read: nobody can exchange it between.
    let found = plain::sha256(&file).map_err(|error| error.to_string())?;
    if hexadecimal(&found) != digest {
        return Err("its archive is not the one that was signed".into());
    }
    io::Seek::rewind(&mut &file).map_err(|error| error.to_string())?;
    deb::read(io::BufReader::with_capacity(1 << 20, &file)).map_err(|error| error.to_string())
}

/// Where members come to lie: folders that became links, and diversions (dpkg-divert(1)).
pub(crate) struct Places {
    merged: Vec<&'static str>,
    /// Paths that are diverted, and those they are diverted to. Nothing is proved of them: the file that
    /// lists them can be written by root.
    diverted: HashSet<Vec<u8>>,
}

impl Places {
    pub(crate) fn new(
        root: &Path,
        generation: &Generation,
        digest_of: &dyn Fn(&[u8]) -> Option<[u8; 32]>,
    ) -> Self {
        const LIST: &str = "/var/lib/dpkg/diversions";
        let is_link = |name: &&&str| {
            let entry = generation.entry(format!("/{name}").as_bytes());
            entry.is_ok_and(|it| it.is_some_and(|it| it.kind == Kind::Link))
        };
        let merged = MERGED.iter().filter(is_link).copied().collect();
        let text = dpkg::text(root, Path::new(LIST));
        let is_known =
            digest_of(LIST.as_bytes()) == Some(*blake3::hash(text.as_bytes()).as_bytes());
        let lines: Vec<&str> = if is_known { text.lines().collect() } else { Vec::new() };
        let mut places = Self { merged, diverted: HashSet::new() };
        let pairs = lines.chunks_exact(3).flat_map(|it| it.iter().take(2));
        places.diverted = pairs.map(|it| places.lies(it.as_bytes())).collect();
        places
    }

    /// A path with the links of its first folder followed.
    pub(crate) fn lies(&self, path: &[u8]) -> Vec<u8> {
        let first = path.get(1..).unwrap_or_default().split(|it| *it == b'/').next();
        match first {
            Some(name) if self.merged.iter().any(|it| it.as_bytes() == name) => {
                [b"/usr", path].concat()
            }
            _ => path.to_vec(),
        }
    }

    /// Where a member lies; none where that cannot be told.
    pub(crate) fn of(&self, path: &[u8]) -> Option<Vec<u8>> {
        Some(self.lies(path)).filter(|it| !self.diverted.contains(it))
    }
}

/// A change whose end is what an archive puts there.
fn by_member(change: &Change, members: &Members<'_>, upgrades: &[Upgrade<'_>]) -> Option<usize> {
    let (index, member) = members.get(&change.path)?;
    let after = change.after.as_ref()?;
    let may = upgrades.get(*index)?.may_write(change);
    (may && is_member(after, change, member)).then_some(*index)
}

impl Upgrade<'_> {
    /// Whether dpkg writes a file by itself: a setting only where nobody had changed it, and one that is new
    /// only where it was not taken away.
    fn may_write(&self, change: &Change) -> bool {
        let is_setting = |it: &Archive| it.settings.contains_key(&change.path);
        if !self.archive.as_ref().is_some_and(is_setting) {
            return true;
        }
        let path = short(&change.path);
        match (&change.before, self.before) {
            (Some(before), Some(row)) => row
                .settings
                .iter()
                .any(|(name, digest)| *name == path && before.content == Content::Digest(*digest)),
            (None, Some(row)) => row.paths.binary_search(&path).is_err(),
            (_, None) => false,
        }
    }
}

fn is_member(after: &Entry, change: &Change, member: &Member) -> bool {
    // What an administrator set before may stay, as long as it is the same kind of thing.
    let before = change.before.as_ref().filter(|it| it.kind == after.kind);
    let rights = (after.mode, after.uid, after.gid);
    let is_old = before.is_some_and(|it| (it.mode, it.uid, it.gid) == rights);
    let is_new = (member.mode, member.uid, member.gid) == rights;
    let rights = match after.kind {
        // dpkg leaves a folder that is there as it is.
        Kind::Folder if before.is_some() => is_old,
        Kind::Link => (after.uid, after.gid) == (member.uid, member.gid),
        // Rights that the new version gave up are no longer needed.
        _ => is_new || (is_old && after.mode & 0o6000 & !member.mode == 0),
    };
    let attributes =
        after.attributes.is_empty() || before.is_some_and(|it| it.attributes == after.attributes);
    let content = match member.kind {
        Kind::File => after.content == Content::Digest(member.digest),
        Kind::Link => after.target == member.target,
        Kind::Folder => true,
        _ => false,
    };
    after.kind == member.kind && rights && attributes && content && is_unmarked(after, change)
}

/// Whether neither flags, nor further names, nor a mount were put on something.
pub(crate) fn is_unmarked(after: &Entry, change: &Change) -> bool {
    let before = change.before.as_ref();
    let flags = after.flags == 0 || before.is_some_and(|it| it.flags == after.flags);
    let links = after.kind == Kind::Folder
        || after.links == 1
        || before.is_some_and(|it| it.links == after.links);
    flags && links && !change.differences.contains(&Difference::Mounted)
}

/// What dpkg writes for a package in its own folder, by path: the package, and the digest it must have.
fn own_files(upgrades: &[Upgrade<'_>]) -> HashMap<Vec<u8>, (usize, [u8; 32])> {
    let mut all = HashMap::new();
    for (index, upgrade) in upgrades.iter().enumerate() {
        let Some(archive) = &upgrade.archive else { continue };
        let is_multi = field(upgrade.stanza, "Multi-Arch") == "same";
        let stem = match is_multi {
            true => format!("/var/lib/dpkg/info/{}:{}", upgrade.row.name, upgrade.architecture),
            false => format!("/var/lib/dpkg/info/{}", upgrade.row.name),
        };
        let mut put = |name: &str, bytes: &[u8]| {
            let path = format!("{stem}.{name}").into_bytes();
            all.insert(path, (index, *blake3::hash(bytes).as_bytes()));
        };
        for (name, bytes) in archive.control.iter().filter(|it| it.0 != "control") {
            put(name, bytes);
        }
        let mut list = Vec::new();
        for path in &archive.order {
            list.extend_from_slice(if path == b"/" { b"/." } else { path });
            list.push(b'\n');
        }
        put("list", &list);
    }
    all
}

fn by_record(change: &Change, own: &HashMap<Vec<u8>, (usize, [u8; 32])>) -> Option<usize> {
    let (index, digest) = own.get(&change.path)?;
    let after = change.after.as_ref()?;
    let is_plain = after.kind == Kind::File && (after.uid, after.gid) == (0, 0);
    let is_plain = is_plain && after.attributes.is_empty() && is_unmarked(after, change);
    let is_mode = after.mode & 0o7022 == 0;
    (is_plain && is_mode && after.content == Content::Digest(*digest)).then_some(*index)
}

/// What a package had and its new version has not.
fn by_removal(
    change: &Change,
    upgrades: &[Upgrade<'_>],
    members: &Members<'_>,
    (places, kept): (&Places, &HashSet<u128>),
) -> Option<usize> {
    if change.after.is_some() || members.contains_key(&change.path) {
        return None;
    }
    let inside = change.path.strip_prefix(b"/usr").unwrap_or_default();
    let first = inside.get(1..).unwrap_or_default().split(|it| *it == b'/').next();
    let is_merged = first.is_some_and(|it| places.merged.iter().any(|name| name.as_bytes() == it));
    let names = std::iter::once(change.path.as_slice()).chain(is_merged.then_some(inside));
    let names: Vec<u128> = names.map(short).collect();
    if names.iter().any(|it| kept.contains(it)) || places.of(&change.path).is_none() {
        return None;
    }
    // Settings stay when a package is upgraded.
    let is_setting = |it: &Archive| it.settings.contains_key(&change.path);
    upgrades.iter().position(|it| {
        if it.archive.as_ref().is_some_and(is_setting) {
            return false;
        }
        let had =
            |before: &PackageRow| names.iter().any(|it| before.paths.binary_search(it).is_ok());
        it.archive.is_some() && it.before.is_some_and(had)
    })
}

/// The status file: each stanza is one of the baseline, or that of a package whose archive was read.
fn prove_status(
    root: &Path,
    changes: &[Change],
    upgrades: &[Upgrade<'_>],
    before: &HashMap<(&str, &str), &PackageRow>,
    proofs: &mut Proofs,
) {
    for path in ["/var/lib/dpkg/status", "/var/lib/dpkg/status-old"] {
        let Some(change) = changes.iter().find(|it| it.path == path.as_bytes()) else { continue };
        let Some(after) = &change.after else { continue };
        let text = dpkg::text(root, Path::new(path));
        // What is judged must be what was compared.
        if after.content != Content::Digest(*blake3::hash(text.as_bytes()).as_bytes()) {
            continue;
        }
        let is_known = |key: (&str, &str), stanza: &str| {
            let settled = settled(stanza);
            let is_old = |it: &PackageRow| {
                it.stanza == short(stanza.as_bytes()) || it.stanza == short(settled.as_bytes())
            };
            before.get(&key).is_some_and(|it| is_old(it))
                || upgrades.iter().any(|it| it.tells(key, stanza))
        };
        // Each package once, and none missing: what is not listed gets no updates.
        let mut seen = BTreeSet::new();
        let all = dpkg::stanzas(&text).all(|stanza| {
            let key = (field(stanza, "Package"), field(stanza, "Architecture"));
            is_known(key, stanza) && seen.insert(key)
        });
        let all = all && before.keys().all(|key| seen.contains(key));
        let plain = change
            .differences
            .iter()
            .all(|it| matches!(it, Difference::Content | Difference::Modified | Difference::Trace));
        if all && plain {
            proofs.paths.insert(path.as_bytes().to_vec());
        }
    }
}

impl Upgrade<'_> {
    /// Whether a stanza is what dpkg writes of this package: the fields of its archive, its state and its
    /// settings, and nothing more.
    fn tells(&self, key: (&str, &str), stanza: &str) -> bool {
        if key != (self.row.name.as_str(), self.architecture) {
            return false;
        }
        let Some(control) = self.archive.as_ref().and_then(|it| it.control.get("control")) else {
            return false;
        };
        let control = String::from_utf8_lossy(control);
        let mut fields: Vec<String> = paragraphs(&control);
        for field in paragraphs(stanza) {
            let name = field.split(':').next().unwrap_or_default();
            match name {
                // Whoever puts it on hold keeps it from being patched.
                "Status" if STATES.iter().any(|it| field == format!("Status: install ok {it}")) => {
                }
                "Conffiles" if self.has_settings(&field) => {}
                "Config-Version" if self.was_of(&field) => {}
                "Triggers-Pending" | "Triggers-Awaited" => {}
                _ => match fields.iter().position(|it| *it == field) {
                    Some(at) => drop(fields.swap_remove(at)),
                    None => return false,
                },
            }
        }
        fields.is_empty()
    }

    /// Whether the settings it names are those of its archive, with their MD5: dpkg compares them by that.
    fn has_settings(&self, field: &str) -> bool {
        let settings = self.archive.as_ref().map(|it| &it.settings);
        field.lines().skip(1).all(|line| {
            let pair = line.strip_prefix(' ').and_then(|it| it.split_once(' '));
            pair.is_some_and(|(path, sum)| {
                settings.is_some_and(|it| it.get(path.as_bytes()).is_some_and(|it| it == sum))
            })
        })
    }

    /// Whether a version is the one it had before.
    fn was_of(&self, field: &str) -> bool {
        let before = self.row.from.as_deref().unwrap_or_default();
        !before.is_empty() && field == format!("Config-Version: {before}")
    }
}

/// States of a package that is wanted (dpkg(1)), on its way to being installed.
const STATES: [&str; 5] =
    ["installed", "unpacked", "half-configured", "triggers-pending", "triggers-awaited"];

/// A stanza without what passes while packages are installed: triggers that wait, and a state on the way.
fn settled(stanza: &str) -> String {
    let lines = stanza.lines().filter(|it| !it.starts_with("Triggers-"));
    let lines: Vec<&str> = lines
        .map(|it| match it.strip_prefix("Status: install ok ") {
            Some(state) if STATES.contains(&state) => "Status: install ok installed",
            _ => it,
        })
        .collect();
    lines.join("\n")
}

/// The fields of a paragraph, each with its lines that go on.
fn paragraphs(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for line in text.split('\n').filter(|it| !it.is_empty()) {
        match all.last_mut().filter(|_| line.starts_with([' ', '\t'])) {
            Some(last) => {
                last.push('\n');
                last.push_str(line);
            }
            None => all.push(line.to_string()),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proofs_rest_on_what_verifies_and_on_what_is_above_it() {
        for path in [
            "/usr/bin/gpgv",
            "/usr/bin/gpgv-sq",
            "/usr/bin",
            "/etc",
            "/etc/ld.so.conf.d/x.conf",
            "/usr/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1",
            "/usr/lib/x86_64-linux-gnu/libgcrypt.so.20",
            "/lib/x86_64-linux-gnu/libnpth.so.0",
            "/lib64",
            "/lib64/ld-linux-x86-64.so.2",
        ] {
            assert!(is_ground(path.as_bytes()), "{path}");
        }
        for path in
            ["/usr/bin/su", "/etc/motd", "/usr/lib/python3", "/usr/lib/x86_64-linux-gnu/libm.so.6"]
        {
            assert!(!is_ground(path.as_bytes()), "{path}");
        }
    }
}
