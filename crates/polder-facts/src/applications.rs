//! Programs of the owner's that run, with the libraries they are built with.
//!
//! A process of an interpreter, or of a program that no package brought, belongs to the nearest
//! folder with a lock file or installed libraries: from its script, its working folder, its virtual
//! environment, and for PHP the folders of web sites.

use crate::interpreted::{Interpreter, normal, script};
use crate::lock::{LockFiles, LockKind};
use crate::reading::shown;
use polder_host::{BuildNotes, Host, Kind};
use polder_model::facts::{Application, Facts, Process};
use polder_model::{Coverage, Table};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Folders that are nobody's program, although a process may work in one.
const NOBODYS: [&str; 20] = [
    "/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/media", "/mnt", "/opt",
    "/proc", "/root", "/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/var",
];

/// Folders with folders of web sites.
const SITES: [&str; 4] = ["/var/www", "/srv", "/usr/share/nginx/html", "/home"];

/// How deep below them a site is searched for: `/var/www/shop/current`.
const SITE_DEPTH: usize = 3;

/// Folders of sites looked at.
const SITES_MAX: usize = 2_000;

/// What is installed goes before what was asked for; of these the first that is there.
const NPM: [&str; 5] = [
    "node_modules/.package-lock.json",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "pnpm-lock.yaml",
    "yarn.lock",
];
const COMPOSER: [&str; 2] = ["vendor/composer/installed.json", "composer.lock"];
const GEMS: [&str; 2] = ["Gemfile.lock", "gems.locked"];
const PYPI: [&str; 5] = ["uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "requirements.txt"];
const COMPILED: [&str; 2] = ["Cargo.lock", "go.mod"];

/// What runs the code of a program.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Runtime {
    Node,
    Python,
    Ruby,
    Php,
    /// Itself: it is compiled.
    Own,
}

impl Runtime {
    /// Told by the executable; none for programs of packages.
    fn of(process: &Process, facts: &Facts) -> Option<Self> {
        match Interpreter::of(process) {
            Some(Interpreter::Node) => return Some(Self::Node),
            Some(Interpreter::Python) => return Some(Self::Python),
            Some(Interpreter::Ruby) => return Some(Self::Ruby),
            Some(Interpreter::Php) => return Some(Self::Php),
            Some(Interpreter::Java | Interpreter::Perl) => return None,
            None => {}
        }
        let path = process.executable.as_deref()?;
        let is_systems = ["/usr/", "/bin/", "/sbin/", "/lib"].iter().any(|it| path.starts_with(it));
        let is_own = !is_systems || path.starts_with("/usr/local/");
        (is_own && !facts.owners.contains_key(path)).then_some(Self::Own)
    }

    fn files(self) -> &'static [&'static str] {
        match self {
            Self::Node => &NPM,
            Self::Python => &PYPI,
            Self::Ruby => &GEMS,
            Self::Php => &COMPOSER,
            Self::Own => &COMPILED,
        }
    }
}

/// Where the libraries of one program are told, and who runs it.
#[derive(Default)]
struct Place {
    pids: BTreeSet<u32>,
    because: String,
}

/// Every program of the owner's that runs.
pub(crate) fn look(host: &dyn Host, facts: &Facts) -> Table<Application> {
    if !facts.processes.coverage.empty_means_none() && facts.processes.rows.is_empty() {
        return Table::with(facts.processes.coverage.clone(), Vec::new());
    }
    let mut places: BTreeMap<PathBuf, Place> = BTreeMap::new();
    let mut unseen = 0;
    let mut php: BTreeSet<u32> = BTreeSet::new();
    for process in facts.processes.rows.iter().filter(|it| !it.is_kernel_thread()) {
        let Some(runtime) = Runtime::of(process, facts) else { continue };
        let Ok(works_in) = host.read_link(format!("/proc/{}/cwd", process.pid).as_ref()) else {
            unseen += 1;
            continue;
        };
        let mut it = Search { host, process, runtime, found: &mut places };
        it.environment(&works_in);
        it.folders(&works_in);
        if runtime == Runtime::Php && !process.own_root {
            php.insert(process.pid);
        }
    }
    if !php.is_empty() {
        sites(host, &php, &mut places);
    }
    let rows = places.into_iter().filter_map(|(path, it)| application(host, &path, it)).collect();
    let coverage = match unseen {
        0 => facts.processes.coverage.clone(),
        count => Coverage::partial(format!("where {count} programs work cannot be seen")),
    };
    Table::with(coverage, rows)
}

/// The search for the libraries of one process.
struct Search<'a> {
    host: &'a dyn Host,
    process: &'a Process,
    runtime: Runtime,
    found: &'a mut BTreeMap<PathBuf, Place>,
}

impl Search<'_> {
    /// A path as this process sees it: one of a container lies below its own root.
    fn seen(&self, path: &Path) -> PathBuf {
        match self.process.own_root {
            false => path.into(),
            true => {
                let inside = path.strip_prefix("/").unwrap_or(path);
                Path::new(&format!("/proc/{}/root", self.process.pid)).join(inside)
            }
        }
    }

    fn note(&mut self, path: PathBuf, because: String) {
        let place = self.found.entry(path).or_default();
        place.pids.insert(self.process.pid);
        if place.because.is_empty() {
            place.because = because;
        }
    }

    /// The virtual environment that the name of its interpreter, or of its script, lies in.
    fn environment(&mut self, works_in: &Path) {
        if self.runtime != Runtime::Python {
            return;
        }
        for word in self.process.command.split(' ').take(2) {
            let path = normal(&works_in.join(word));
            let Some(root) = path.parent().filter(|it| it.ends_with("bin")).and_then(Path::parent)
            else {
                continue;
            };
            if self.host.stat(&self.seen(&root.join("pyvenv.cfg"))).is_err() {
                continue;
            }
            let libraries = self.seen(&root.join("lib"));
            for entry in self.host.list(&libraries).unwrap_or_default() {
                let packages = libraries.join(&entry.name).join("site-packages");
                if self.host.stat(&packages).is_ok_and(|it| it.kind == Kind::Folder) {
                    self.note(packages, format!("`{word}` lies in this environment"));
                }
            }
            return;
        }
    }

    /// The nearest folder above its script, or above where it works, that tells of libraries.
    fn folders(&mut self, works_in: &Path) {
        let mut starts: Vec<(PathBuf, String)> = Vec::new();
        if self.runtime == Runtime::Own
            && let Some(path) = &self.process.executable
        {
            let because = format!("`{path}` runs");
            let seen = self.seen(Path::new(path));
            // What its compiler noted goes before what lies beside it.
            if self.host.build_notes(&seen).is_ok_and(|it| it != BuildNotes::default()) {
                self.note(seen, because);
                return;
            }
            starts.push((path.into(), because));
        }
        let script = script(self.process, works_in).map(|it| {
            let because = format!("`{}` runs", shown(&it));
            (it, because)
        });
        starts.extend(script);
        let folder = shown(works_in);
        starts.push((works_in.join("."), format!("`{}` works in {folder}", self.process.name)));
        for (start, because) in starts {
            // The last part is the file itself.
            for folder in start.ancestors().skip(1) {
                if is_nobodys(folder) {
                    break;
                }
                if let Some(path) = self.told_in(folder) {
                    self.note(path, because);
                    return;
                }
            }
        }
    }

    fn told_in(&self, folder: &Path) -> Option<PathBuf> {
        let paths = self.runtime.files().iter().map(|it| self.seen(&folder.join(it)));
        let is_file = |it: &PathBuf| self.host.stat(it).is_ok_and(|it| it.kind == Kind::File);
        paths.into_iter().find(is_file)
    }
}

/// Web sites of PHP: its servers work nowhere in particular.
fn sites(host: &dyn Host, pids: &BTreeSet<u32>, places: &mut BTreeMap<PathBuf, Place>) {
    let mut folders: Vec<(PathBuf, usize)> =
        SITES.iter().rev().map(|it| (PathBuf::from(it), 0)).collect();
    let mut looked = 0;
    while let Some((folder, depth)) = folders.pop() {
        looked += 1;
        if looked > SITES_MAX {
            return;
        }
        let paths = COMPOSER.iter().map(|it| folder.join(it));
        let is_file = |it: &PathBuf| host.stat(it).is_ok_and(|it| it.kind == Kind::File);
        if let Some(path) = paths.into_iter().find(is_file) {
            let place = places.entry(path).or_default();
            place.pids.extend(pids);
            place.because = "it lies among the web sites, and PHP runs here".into();
            continue;
        }
        let Ok(entries) = host.list(&folder) else { continue };
        let below = entries.iter().filter(|it| it.kind == Kind::Folder && depth < SITE_DEPTH);
        let below = below.filter(|it| it.name != "node_modules" && it.name != ".git");
        folders.extend(below.map(|it| (folder.join(&it.name), depth + 1)));
    }
}

/// Whether lock files right in a folder would belong to nothing that runs.
fn is_nobodys(folder: &Path) -> bool {
    let is_system = ["/usr", "/etc", "/proc", "/sys", "/dev", "/run"]
        .iter()
        .any(|it| folder.starts_with(it) && !folder.starts_with("/usr/local"));
    is_system
        || folder == Path::new("/usr/local")
        || NOBODYS.iter().any(|it| folder == Path::new(it))
}

/// A lock file, or what installers left in a folder.
fn notes(host: &dyn Host, path: &Path) -> Vec<PathBuf> {
    if LockKind::of(&path.to_string_lossy()).is_some() {
        return vec![path.into()];
    }
    // A program: its compiler noted them.
    let Ok(entries) = host.list(path) else { return vec![path.into()] };
    let note = |name: &std::ffi::OsString| {
        let folder = path.join(name);
        match folder.extension()?.to_str()? {
            "dist-info" => Some(folder.join("METADATA")),
            "egg-info" => Some(folder.join("PKG-INFO")),
            _ => None,
        }
    };
    entries.iter().filter(|it| it.kind == Kind::Folder).filter_map(|it| note(&it.name)).collect()
}

/// What its file or folder says.
fn application(host: &dyn Host, path: &Path, place: Place) -> Option<Application> {
    let found = LockFiles::recorded(host, &notes(host, path));
    let ecosystem = found.files.first().map_or("", |it| it.ecosystem);
    let mut libraries = BTreeSet::new();
    let mut unknown = found.unread.into_iter().next().map(|it| it.1);
    for file in found.files {
        unknown = unknown.or(file.unread).or(file.locked.incomplete.map(str::to_string));
        if file.locked.elsewhere + file.locked.unpinned > 0 && unknown.is_none() {
            let count = file.locked.elsewhere + file.locked.unpinned;
            unknown = Some(format!("of {count} no feed can tell: no version, or of no registry"));
        }
        libraries.extend(file.locked.libraries);
    }
    if ecosystem.is_empty() || (libraries.is_empty() && unknown.is_none()) {
        return None;
    }
    Some(Application {
        path: shown(path),
        ecosystem: ecosystem.into(),
        pids: place.pids.into_iter().collect(),
        because: polder_model::printable_str(&place.because),
        libraries: libraries.into_iter().collect(),
        unknown,
    })
}
