//! Which changes are a vendor's where RPM installs: held against the headers that the builder signed, which
//! RPM's database keeps. Each names its files with rights and SHA-256, so no archive is needed.

use super::dpkg::{PackageRow, short};
use super::header::{GHOST, Header, PackagedFile, SETTING, parse};
use super::plain;
use super::prove::{Places, Proofs, ProvedPackage, is_unmarked, without_ground};
use super::signed::{Keys, rpm_keys};
use crate::compare::Change;
use crate::entry::{Content, Entry, Kind};
use crate::generation::Generation;
use crate::now::Now;
use polder_model::version::rpm::compare as compare_versions;
use rusqlite::{Connection, OpenFlags};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Where RPM keeps its database, by distribution.
const DATABASES: [&str; 2] = ["/usr/lib/sysimage/rpm/rpmdb.sqlite", "/var/lib/rpm/rpmdb.sqlite"];

/// Longest header, and most of them; the largest known, of sources of a kernel, has some megabytes.
const HEADER_BYTES_MAX: usize = 32 << 20;
const PACKAGES_MAX: usize = 100_000;

/// Largest setting that is read.
const SETTING_BYTES_MAX: u64 = 16 << 20;

/// Stands for the content of a setting that somebody had changed: none has this digest.
const CHANGED: [u8; 32] = [0; 32];

/// Lists of users and groups.
const USERS: [&str; 2] = ["/etc/passwd", "/etc/group"];

/// The headers of what is installed in a root; none where there is no database. `take` is handed each header.
fn read(root: &Path, take: &mut dyn FnMut(Header)) -> Option<Result<(), String>> {
    let file = DATABASES.iter().find_map(|path| {
        let file = plain::open(root, Path::new(path)).ok()?;
        let log = plain::open(root, Path::new(&format!("{path}-wal")));
        let is_open = log.is_ok_and(|it| it.metadata().is_ok_and(|it| it.len() > 0));
        Some((file, is_open))
    });
    let (file, is_open) = file?;
    if is_open {
        let says = "a part of RPM's database is not written into it yet (`-wal`)";
        return Some(Err(says.into()));
    }
    // Nothing but the file is read, and nothing beside it is written.
    let address = format!("file:/proc/self/fd/{}?immutable=1", file.as_raw_fd());
    Some(rows(&address, take).map_err(|error| format!("RPM's database: {error}")))
}

fn rows(address: &str, take: &mut dyn FnMut(Header)) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(address, flags)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // A view could be anything, and without an end.
    let is_table = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = 'Packages'";
    let made: String = connection.query_row(is_table, [], |row| row.get(0))?;
    if made.trim_start().get(..13).is_none_or(|it| !it.eq_ignore_ascii_case("CREATE TABLE ")) {
        return Err(rusqlite::Error::InvalidQuery);
    }
    let mut statement =
        connection.prepare("SELECT blob FROM Packages WHERE length(blob) < ?1 LIMIT ?2")?;
    let mut rows = statement.query([HEADER_BYTES_MAX, PACKAGES_MAX])?;
    while let Some(row) = rows.next()? {
        // Keys that were imported are kept beside packages, and are none: nothing of them is signed.
        if let Some(header) = parse(row.get_ref(0)?.as_blob()?) {
            take(header);
        }
    }
    Ok(())
}

/// What RPM knows in a root; empty where it installs nothing, or where its database is none of SQLite.
pub(crate) fn packages(root: &Path) -> Vec<PackageRow> {
    let mut all = Vec::new();
    match read(root, &mut |it| all.push(row(root, &it))) {
        Some(Ok(())) => all,
        _ => Vec::new(),
    }
}

fn row(root: &Path, header: &Header) -> PackageRow {
    let mut paths: Vec<u128> = header.files.iter().map(|it| short(&it.path)).collect();
    paths.sort_unstable();
    let settings = header.files.iter().filter(|it| it.flags & SETTING != 0).map(|it| {
        let path = Path::new(std::ffi::OsStr::from_bytes(&it.path));
        let bytes = plain::read(root, path, SETTING_BYTES_MAX).ok();
        let same = bytes.filter(|bytes| it.digest == Some(Sha256::digest(bytes).into()));
        (short(&it.path), same.map_or(CHANGED, |bytes| *blake3::hash(&bytes).as_bytes()))
    });
    PackageRow {
        name: header.name.clone(),
        architecture: header.architecture.clone(),
        version: header.version.clone(),
        is_installed: true,
        stanza: short(&header.signed),
        settings: settings.collect(),
        paths,
    }
}

/// One package that was not there at the time of the baseline.
struct Upgrade<'a> {
    row: ProvedPackage,
    before: Option<&'a PackageRow>,
    header: &'a Header,
}

/// Holds changes against the headers of the packages that were installed since the baseline. The database itself
/// is never proved: it holds more than what is signed.
pub(crate) fn prove(now: &Now, generation: &Generation, changes: &[Change], all: bool) -> Proofs {
    let mut proofs = Proofs::default();
    let root = now.root.as_path();
    let before = &generation.head.packages;
    let known: HashSet<u128> = before.iter().map(|it| it.stanza).collect();
    let digest_of = |path: &[u8]| match generation.entry(path).ok().flatten()?.content {
        Content::Digest(digest) => Some(digest),
        _ => None,
    };
    let place = Places::new(root, generation, &digest_of);
    let mut here = Here {
        root,
        users: HashMap::new(),
        groups: HashMap::new(),
        kept: HashSet::new(),
        now: HashSet::new(),
        gone: Vec::new(),
    };
    let mut new: Vec<Header> = Vec::new();
    let mut installed: HashSet<u128> = HashSet::new();
    let done = read(root, &mut |header| {
        let stanza = short(&header.signed);
        let both =
            header.files.iter().flat_map(|it| [short(&it.path), short(&place.lies(&it.path))]);
        here.now.extend(both.clone());
        installed.insert(stanza);
        match known.contains(&stanza) {
            true => here.kept.extend(both),
            false => new.push(header),
        }
    });
    match done {
        Some(Ok(())) if !new.is_empty() => {}
        Some(Err(because)) => {
            proofs.problems.push(because);
            return proofs;
        }
        _ => return proofs,
    }
    if let Some(because) = without_ground(now, changes) {
        proofs.problems.push(because);
        return proofs;
    }
    let keys = rpm_keys(root, &digest_of);
    if keys.is_empty() {
        proofs.problems.push("there are no keys of packages that are as they were".into());
    }
    here.users = names(root, USERS[0], &digest_of);
    here.groups = names(root, USERS[1], &digest_of);
    here.gone = before.iter().filter(|it| !installed.contains(&it.stanza)).collect();
    let mut upgrades: Vec<Upgrade<'_>> = new.iter().map(|it| upgrade(it, before, &keys)).collect();
    let members = members(&upgrades, &place, &here.kept);
    let mut counts = vec![0_u64; upgrades.len()];
    for change in changes {
        let by = by_member(change, &members, &upgrades, &here)
            .or_else(|| by_removal(change, &upgrades, &here, &place));
        if let Some(index) = by {
            proofs.paths.insert(change.path.clone());
            if let Some(count) = counts.get_mut(index) {
                *count += 1;
            }
        }
    }
    if all {
        proofs.behind = behind(generation, changes, &members, &upgrades, root);
    }
    for (upgrade, proved) in upgrades.iter_mut().zip(counts) {
        upgrade.row.proved = proved;
    }
    proofs.packages = upgrades.into_iter().map(|it| it.row).collect();
    proofs
}

/// What a root has besides the packages that are new. Paths as packages name them and as they lie.
struct Here<'a> {
    root: &'a Path,
    users: HashMap<String, u32>,
    groups: HashMap<String, u32>,
    /// Of packages that were there before, and still are.
    kept: HashSet<u128>,
    /// Of all packages that are there.
    now: HashSet<u128>,
    /// Packages of before that are not installed any more as they were.
    gone: Vec<&'a PackageRow>,
}

/// What a package was before, and whether its header proves anything.
fn upgrade<'a>(header: &'a Header, before: &'a [PackageRow], keys: &Keys) -> Upgrade<'a> {
    let same = before
        .iter()
        .filter(|it| (&it.name, &it.architecture) == (&header.name, &header.architecture));
    let before = same.max_by(|a, b| compare_versions(&a.version, &b.version));
    let is_older = |it: &PackageRow| compare_versions(&header.version, &it.version).is_lt();
    let is_signed = || header.signatures.iter().any(|it| keys.signed(&header.signed, it));
    let because = match before {
        // A vendor signs many packages, and old ones stay signed: that somebody wanted this one is not proved.
        None => Some("it was not there before".to_string()),
        Some(it) if is_older(it) => Some(
            "it went back to an older version, which may have flaws that the newer had not".into(),
        ),
        Some(_) if !is_signed() => {
            Some("its header is not signed by a key that was there before".into())
        }
        Some(_) => None,
    };
    let row = ProvedPackage {
        name: header.name.clone(),
        from: before.map(|it| shown(&it.version)),
        to: shown(&header.version),
        proved: 0,
        because,
    };
    Upgrade { row, before, header }
}

/// A version as RPM shows it: without an epoch that is none.
fn shown(version: &str) -> String {
    version.strip_prefix("0:").unwrap_or(version).to_string()
}

type Members<'a> = BTreeMap<Vec<u8>, (usize, &'a PackagedFile)>;

/// What the new packages put where. A file that a package of before has, too, is not theirs; folders are shared.
fn members<'a>(upgrades: &[Upgrade<'a>], place: &Places, kept: &HashSet<u128>) -> Members<'a> {
    let mut members = Members::new();
    let proving = upgrades.iter().enumerate().filter(|it| it.1.row.because.is_none());
    for (index, upgrade) in proving {
        for file in upgrade.header.files.iter().filter(|it| it.flags & GHOST == 0) {
            let Some(lies) = place.of(&file.path) else { continue };
            let is_others = [&file.path, &lies].into_iter().any(|it| kept.contains(&short(it)));
            if kind_of(file.mode) == Kind::Folder || !is_others {
                members.insert(lies, (index, file));
            }
        }
    }
    members
}

/// Files that are as they were, and not what their package has now.
fn behind(
    generation: &Generation,
    changes: &[Change],
    members: &Members<'_>,
    upgrades: &[Upgrade<'_>],
    root: &Path,
) -> Vec<(Vec<u8>, String)> {
    // What was only written again as it was, is as it was.
    let changed = changes.iter().filter(|it| !it.is_trace());
    let changed: HashSet<&[u8]> = changed.map(|it| it.path.as_slice()).collect();
    let left = members.iter().filter(|(path, _)| !changed.contains(path.as_slice()));
    let behind = left.filter_map(|(path, (index, file))| {
        let upgrade = upgrades.get(*index)?;
        let entry = generation.entry(path).ok().flatten().filter(|_| file.flags & SETTING == 0)?;
        let is_other = match (kind_of(file.mode), entry.kind) {
            // The baseline has another kind of digest.
            (Kind::File, Kind::File) => {
                let path = Path::new(std::ffi::OsStr::from_bytes(path));
                let found = plain::sha256(plain::open(root, path).ok()?).ok()?;
                file.digest? != found
            }
            (Kind::Link, Kind::Link) => entry.target != file.target,
            _ => false,
        };
        is_other.then(|| (path.clone(), format!("{} {}", upgrade.row.name, upgrade.row.to)))
    });
    behind.collect()
}

/// The kind of thing a mode is of (inode(7)).
fn kind_of(mode: u16) -> Kind {
    match mode & 0o170_000 {
        0o040_000 => Kind::Folder,
        0o120_000 => Kind::Link,
        0o100_000 => Kind::File,
        // Packages bring hardly any, and their numbers are not compared here.
        _ => Kind::Socket,
    }
}

/// Numbers of users or groups by name, when the list is the one the baseline knew; else of root alone.
fn names(
    root: &Path,
    list: &str,
    digest_of: &dyn Fn(&[u8]) -> Option<[u8; 32]>,
) -> HashMap<String, u32> {
    let mut all = HashMap::from([("root".to_string(), 0)]);
    let bytes = plain::read(root, Path::new(list), SETTING_BYTES_MAX).unwrap_or_default();
    if digest_of(list.as_bytes()) == Some(*blake3::hash(&bytes).as_bytes()) {
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.lines().filter_map(|it| {
            let mut fields = it.split(':');
            Some((fields.next()?.to_string(), fields.nth(1)?.parse().ok()?))
        });
        all.extend(lines);
    }
    all
}

/// A change whose end is what a new package has there.
fn by_member(
    change: &Change,
    members: &Members<'_>,
    upgrades: &[Upgrade<'_>],
    here: &Here<'_>,
) -> Option<usize> {
    let (index, file) = members.get(&change.path)?;
    let after = change.after.as_ref()?;
    let may = upgrades.get(*index)?.may_write(change, file);
    (may && is_file(after, change, file, here)).then_some(*index)
}

impl Upgrade<'_> {
    /// Whether RPM writes a file by itself: a setting only where nobody had changed it, and one that is new
    /// only where it was not taken away.
    fn may_write(&self, change: &Change, file: &PackagedFile) -> bool {
        if file.flags & SETTING == 0 {
            return true;
        }
        let path = short(&file.path);
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

fn is_file(after: &Entry, change: &Change, file: &PackagedFile, here: &Here<'_>) -> bool {
    let before = change.before.as_ref().filter(|it| it.kind == after.kind);
    let owner = (here.users.get(&file.user).copied(), here.groups.get(&file.group).copied());
    let is_owner = owner == (Some(after.uid), Some(after.gid));
    let rights = match after.kind {
        Kind::Link => is_owner,
        _ => is_owner && after.mode == file.mode & 0o7777,
    };
    let attributes = match after.attributes.is_empty() {
        true => !file.has_capabilities,
        // Capabilities are not compared with what the header says of them: they must be those of before.
        false => before.is_some_and(|it| it.attributes == after.attributes),
    };
    let content = match after.kind {
        Kind::File => is_content(after, change, file, here.root),
        Kind::Link => after.target == file.target,
        Kind::Folder => true,
        _ => false,
    };
    after.kind == kind_of(file.mode)
        && rights
        && attributes
        && content
        && is_unmarked(after, change)
}

/// Whether a file has the content of the header. What is hashed must be what was compared.
fn is_content(after: &Entry, change: &Change, file: &PackagedFile, root: &Path) -> bool {
    let path = Path::new(std::ffi::OsStr::from_bytes(&change.path));
    let (Content::Digest(seen), Some(signed)) = (&after.content, file.digest) else { return false };
    let Ok(open) = plain::open(root, path) else { return false };
    let mut both = Both(blake3::Hasher::new(), Sha256::new());
    let read = io::copy(&mut &open, &mut both).is_ok();
    read && both.0.finalize().as_bytes() == seen && <[u8; 32]>::from(both.1.finalize()) == signed
}

/// Both digests of one pass.
struct Both(blake3::Hasher, Sha256);

impl Write for Both {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        self.1.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a package had and its new version has not. A setting that somebody had changed is kept by RPM under another
/// name, and is told.
fn by_removal(
    change: &Change,
    upgrades: &[Upgrade<'_>],
    here: &Here<'_>,
    place: &Places,
) -> Option<usize> {
    if change.after.is_some() {
        return None;
    }
    // As it lies, and as it may be named where a folder became a link into `/usr`.
    let inside = change.path.strip_prefix(b"/usr").filter(|it| place.lies(it) == change.path);
    let names: Vec<u128> =
        std::iter::once(change.path.as_slice()).chain(inside).map(short).collect();
    if names.iter().any(|it| here.now.contains(it)) {
        return None;
    }
    let had = |row: &&&PackageRow| {
        let is_changed =
            |name: &u128| row.settings.iter().any(|it| it.0 == *name && it.1 == CHANGED);
        let has = |name: &u128| row.paths.binary_search(name).is_ok();
        names.iter().any(has) && !names.iter().any(is_changed)
    };
    let gone = here.gone.iter().find(had)?;
    upgrades.iter().position(|it| {
        let header = (&it.header.name, &it.header.architecture);
        it.row.because.is_none() && header == (&gone.name, &gone.architecture)
    })
}
