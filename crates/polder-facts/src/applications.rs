//! Programs of the owner's that run, with the libraries they are built with.
//!
//! A process of an interpreter, or of a program that no package brought, belongs to the nearest
//! folder with a lock file or installed libraries: from its script, its working folder, its virtual
//! environment, and for PHP the folders of web sites. Where nothing tells, a row says so.
//!
//! All of this may lie in folders of anybody: no link is followed to a list of libraries, and what is
//! read is bounded in all.

use crate::interpreted::{Interpreter, normal};
use crate::lock::{LockFile, LockFiles, LockKind, is_archive};
use crate::reading::shown;
use polder_host::{Host, Kind};
use polder_model::facts::{Application, Facts, Namespace, Process};
use polder_model::{Coverage, Table};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

/// Folders that are nobody's program, although a process may work in one.
const NOBODYS: [&str; 21] = [
    "/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/media", "/mnt", "/opt",
    "/proc", "/root", "/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/var", "/var/tmp",
];

/// Folders with folders of web sites.
const SITES: [&str; 3] = ["/var/www", "/srv", "/usr/share/nginx/html"];

/// How deep below them a site is searched for: `/var/www/shop/current`.
const SITE_DEPTH: usize = 3;

/// Folders of sites looked at.
const SITES_MAX: usize = 2_000;

/// Bytes of lists that are read in all, notes of installers in one folder, and programs.
const BYTES_MAX: u64 = 256 << 20;
const NOTES_MAX: usize = 4_096;
const PLACES_MAX: usize = 1_000;

/// Archives of Java that one process takes; the largest servers take some hundreds.
const ARCHIVES_MAX: usize = 4_096;

/// Versions of Python in one environment.
const VERSIONS_MAX: usize = 64;

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
    Interpreted(Interpreter),
    /// Itself: it is compiled.
    Own,
}

/// Where packages put programs.
fn is_systems(path: &str) -> bool {
    let folders = ["/usr/", "/bin/", "/sbin/", "/lib", "/snap/"];
    folders.iter().any(|it| path.starts_with(it)) && !path.starts_with("/usr/local/")
}

impl Runtime {
    /// Told by the executable; none for programs of packages.
    fn of(process: &Process, packaged: &BTreeSet<String>) -> Option<Self> {
        // Of what is in a container, the packages of the host say nothing.
        let is_packaged = |it: &String| !process.own_root && packaged.contains(it);
        if let Some(interpreter) = Interpreter::of(process) {
            let is_packaged = process.script.as_ref().is_some_and(is_packaged);
            return (!is_packaged).then_some(Self::Interpreted(interpreter));
        }
        // What was never a file lies beside nothing.
        let path = process.executable.as_ref().filter(|it| !it.starts_with("/memfd:"))?;
        let is_own = process.own_root || (!is_systems(path) && !is_packaged(path));
        is_own.then_some(Self::Own)
    }

    fn ecosystem(self) -> &'static str {
        match self {
            Self::Interpreted(Interpreter::Node) => "npm",
            Self::Interpreted(Interpreter::Python) => "PyPI",
            Self::Interpreted(Interpreter::Ruby) => "RubyGems",
            Self::Interpreted(Interpreter::Php) => "Packagist",
            Self::Interpreted(Interpreter::Java) => "Maven",
            Self::Interpreted(Interpreter::Perl) | Self::Own => "",
        }
    }

    fn files(self) -> &'static [&'static str] {
        match self {
            Self::Interpreted(Interpreter::Node) => &NPM,
            Self::Interpreted(Interpreter::Python) => &PYPI,
            Self::Interpreted(Interpreter::Ruby) => &GEMS,
            Self::Interpreted(Interpreter::Php) => &COMPOSER,
            Self::Interpreted(Interpreter::Java | Interpreter::Perl) => &[],
            Self::Own => &COMPILED,
        }
    }
}

/// What was found so far.
#[derive(Default)]
struct Known {
    /// By container and path inside: workers of one program are one.
    places: BTreeMap<(Option<String>, PathBuf), Place>,
    /// Whether the compiler of an executable noted anything.
    noted: BTreeMap<(Option<String>, String), bool>,
    /// Installed libraries of virtual environments.
    environments: BTreeMap<(Option<String>, PathBuf), Vec<PathBuf>>,
}

/// Where the libraries of one program are told, and who runs it.
#[derive(Default)]
struct Place {
    /// Where it can be read: below the root of one of its processes.
    path: PathBuf,
    /// The path as the program sees it, with its container.
    shown: String,
    container: Option<String>,
    ecosystem: &'static str,
    pids: BTreeSet<u32>,
    because: String,
    /// What its compiler noted, or each of its archives tells.
    programs: Vec<LockFile>,
    /// Why its libraries cannot be told, or not all of them.
    unknown: Option<String>,
}

/// Every program of the owner's that runs.
pub(crate) fn look(host: &dyn Host, facts: &Facts) -> Table<Application> {
    if !facts.processes.coverage.empty_means_none() && facts.processes.rows.is_empty() {
        return Table::with(facts.processes.coverage.clone(), Vec::new());
    }
    let packaged = packaged(host, facts);
    // The one who looks is no program of the host.
    let own = host.read_link("/proc/self".as_ref()).ok();
    let own = own.and_then(|it| it.to_str()?.parse::<u32>().ok());
    // Recordings of before do not tell which process that is; it has Polder's name.
    let is_looker = |it: &Process| match own {
        Some(own) => it.pid == own,
        None => it.executable.as_ref().is_some_and(|it| it.ends_with("/polder")),
    };
    let mut known = Known::default();
    let mut gaps: BTreeSet<String> = BTreeSet::new();
    let mut unseen: BTreeSet<&str> = BTreeSet::new();
    let mut php: BTreeSet<u32> = BTreeSet::new();
    let processes = facts.processes.rows.iter().filter(|it| !it.is_kernel_thread());
    for process in processes.filter(|it| !is_looker(it)) {
        let Some(runtime) = Runtime::of(process, &packaged) else { continue };
        let Ok(works_in) = host.read_link(format!("/proc/{}/cwd", process.pid).as_ref()) else {
            unseen.insert(&process.name);
            continue;
        };
        if known.places.len() >= PLACES_MAX {
            gaps.insert(format!("more than {PLACES_MAX} programs"));
            break;
        }
        let mut it = Search { host, process, runtime, known: &mut known };
        let is_php = runtime == Runtime::Interpreted(Interpreter::Php);
        let is_told = match runtime {
            Runtime::Interpreted(Interpreter::Java) => it.archives(&works_in, &mut gaps),
            _ => it.environment(&works_in) | it.folders(&works_in),
        };
        // What serves web sites works nowhere in particular: these are looked for below.
        match is_php && !process.own_root {
            true => {
                php.insert(process.pid);
            }
            false if !is_told => it.nothing_told(&works_in),
            false => {}
        }
    }
    if let Some(first) = unseen.first() {
        let more = match unseen.len() {
            1 => String::new(),
            count => format!(" and {} others", count - 1),
        };
        gaps.insert(format!("the working folder of `{first}`{more} cannot be seen"));
    }
    if !php.is_empty() {
        let before = known.places.len();
        if !sites(host, &php, &mut known.places) {
            gaps.insert(format!("more than {SITES_MAX} folders of web sites"));
        } else if known.places.len() == before {
            gaps.insert("PHP runs, and no site with a list of libraries was found".into());
        }
    }
    let left = AtomicU64::new(BYTES_MAX);
    let places = known.places.into_values();
    let rows = places.filter_map(|it| application(host, it, &left)).collect();
    let coverage = match gaps.into_iter().collect::<Vec<_>>() {
        none if none.is_empty() => facts.processes.coverage.clone(),
        gaps => Coverage::partial(gaps.join("; ")),
    };
    Table::with(coverage, rows)
}

/// Executables and scripts of processes that packages of the distribution brought.
fn packaged(host: &dyn Host, facts: &Facts) -> BTreeSet<String> {
    let rows = facts.processes.rows.iter();
    let executables =
        rows.clone().filter_map(|it| it.executable.as_ref()).filter(|it| !is_systems(it));
    let paths: BTreeSet<String> =
        executables.chain(rows.filter_map(|it| it.script.as_ref())).cloned().collect();
    if paths.is_empty() {
        return paths;
    }
    // Where the owners are not known, a program counts as the owner's: rather one too many.
    host.owners(&paths).unwrap_or_default().owned.into_keys().collect()
}

/// The search for the libraries of one process.
struct Search<'a> {
    host: &'a dyn Host,
    process: &'a Process,
    runtime: Runtime,
    known: &'a mut Known,
}

impl Search<'_> {
    /// A path as this process sees it, which may be elsewhere than it seems: below another root, or in
    /// a mount namespace of its own.
    fn seen(&self, path: &Path) -> PathBuf {
        let process = self.process;
        match process.own_root || process.own_namespaces.contains(&Namespace::Mount) {
            false => path.into(),
            true => {
                let inside = path.strip_prefix("/").unwrap_or(path);
                Path::new(&format!("/proc/{}/root", process.pid)).join(inside)
            }
        }
    }

    /// The container it runs in, if it does.
    fn container(&self) -> Option<String> {
        self.process.own_root.then(|| {
            let unit = self.process.unit.clone();
            unit.unwrap_or_else(|| format!("process {}", self.process.pid))
        })
    }

    fn note(&mut self, inside: &Path, because: String) -> &mut Place {
        let (container, path) = (self.container(), self.seen(inside));
        let (pid, ecosystem) = (self.process.pid, self.runtime.ecosystem());
        let place = self.known.places.entry((container.clone(), inside.into())).or_default();
        place.pids.insert(pid);
        if place.because.is_empty() {
            let inside = shown(inside);
            place.shown = match &container {
                Some(container) => format!("{container}:{inside}"),
                None => inside,
            };
            (place.path, place.container) = (path, container);
            (place.ecosystem, place.because) = (ecosystem, because);
        }
        place
    }

    /// The virtual environment that the name of its interpreter, or of its script, lies in.
    fn environment(&mut self, works_in: &Path) -> bool {
        if self.runtime != Runtime::Interpreted(Interpreter::Python) {
            return false;
        }
        for word in self.process.command.split(' ').take(2) {
            let path = normal(&works_in.join(word));
            let Some(root) = path.parent().filter(|it| it.ends_with("bin")).and_then(Path::parent)
            else {
                continue;
            };
            let key = (self.container(), root.to_path_buf());
            let found = match self.known.environments.get(&key) {
                Some(found) => found.clone(),
                None => {
                    let found = self.installed(root);
                    self.known.environments.insert(key, found.clone());
                    found
                }
            };
            if found.is_empty() {
                continue;
            }
            let word = polder_model::printable_str(word);
            for packages in found {
                self.note(&packages, format!("`{word}` lies in this environment"));
            }
            return true;
        }
        false
    }

    /// Folders of installed libraries in a virtual environment.
    fn installed(&self, root: &Path) -> Vec<PathBuf> {
        if self.host.stat_link(&self.seen(&root.join("pyvenv.cfg"))).is_err() {
            return Vec::new();
        }
        let libraries = root.join("lib");
        let entries = self.host.list(&self.seen(&libraries)).unwrap_or_default();
        let packages = entries.iter().take(VERSIONS_MAX);
        let packages = packages.map(|it| libraries.join(&it.name).join("site-packages"));
        let is_folder = |it: &PathBuf| {
            self.host.stat_link(&self.seen(it)).is_ok_and(|it| it.kind == Kind::Folder)
        };
        packages.filter(is_folder).collect()
    }

    /// Takes what the compiler of its executable noted, if anything; read once for all its processes.
    /// The kernel's own link leads to what runs, whatever has its name now.
    fn is_noted(&mut self, executable: &str) -> bool {
        let key = (self.container(), executable.to_string());
        let (is_noted, program) = match self.known.noted.get(&key) {
            Some(known) => (*known, None),
            None => {
                let link = format!("/proc/{}/exe", self.process.pid);
                let program = LockFiles::noted(self.host, link.as_ref());
                self.known.noted.insert(key, program.is_some());
                (program.is_some(), program)
            }
        };
        if is_noted {
            let place = self.note(Path::new(executable), format!("`{executable}` runs"));
            if place.programs.is_empty() {
                place.programs.extend(program);
            }
        }
        is_noted
    }

    /// The archives that a machine of Java has open, or was told to take: what it runs, whatever lies
    /// beside them. Those that packages of the distribution brought are their vendor's.
    fn archives(&mut self, works_in: &Path, gaps: &mut BTreeSet<String>) -> bool {
        let pid = self.process.pid;
        let open = format!("/proc/{pid}/fd");
        let mut paths: BTreeSet<PathBuf> = BTreeSet::new();
        match self.host.list(open.as_ref()) {
            Ok(entries) => {
                let links = entries.iter().take(ARCHIVES_MAX);
                let link = |it: &polder_host::Entry| {
                    self.host.read_link(&Path::new(&open).join(&it.name)).ok()
                };
                paths.extend(links.filter_map(link).filter(|it| is_archive(it)));
            }
            Err(_) => {
                gaps.insert(format!(
                    "which archives process {pid} of Java has open cannot be seen"
                ));
            }
        }
        let words: Vec<&str> = self.process.command.split(' ').collect();
        let main = words.iter().skip_while(|it| **it != "-jar").nth(1);
        let main = main.map(|it| normal(&works_in.join(it)));
        paths.extend(main.clone());
        for pair in words.windows(2) {
            let [flag, value] = pair else { continue };
            if matches!(*flag, "-cp" | "-classpath" | "--class-path" | "-p" | "--module-path") {
                self.of_class_path(works_in, value, &mut paths);
            }
        }
        // What serves web applications takes their archives from below its own folder.
        let base = words.iter().find_map(|it| it.strip_prefix("-Dcatalina.base="));
        if let Some(base) = base.map(|it| normal(&works_in.join(it)).join("webapps")) {
            for site in self.host.list(&self.seen(&base)).unwrap_or_default() {
                let libraries = base.join(&site.name).join("WEB-INF/lib");
                self.of_folder(&libraries, &mut paths);
            }
        }
        if paths.len() > ARCHIVES_MAX {
            gaps.insert(format!("process {pid} of Java takes more than {ARCHIVES_MAX} archives"));
        }
        let texts: BTreeSet<String> = paths
            .iter()
            .take(ARCHIVES_MAX)
            .filter_map(|it| it.to_str().map(String::from))
            .collect();
        let owned = match self.process.own_root {
            true => polder_host::Owners::default(),
            false => self.host.owners(&texts).unwrap_or_default(),
        };
        let own: Vec<String> =
            texts.into_iter().filter(|it| !owned.owned.contains_key(it)).collect();
        let found: Vec<LockFile> = own
            .iter()
            .filter_map(|it| LockFiles::noted(self.host, &self.seen(Path::new(it))))
            .collect();
        if found.is_empty() {
            // All that it takes came with packages.
            return !paths.is_empty() && own.is_empty();
        }
        let place = main.or_else(|| own.first().map(PathBuf::from));
        let because =
            format!("`{}` takes it, and {} archives in all", self.process.name, found.len());
        if let Some(place) = place {
            let place = self.note(&place, because);
            if place.programs.is_empty() {
                place.programs = found;
            }
        }
        true
    }

    /// The archives of a class path: files, folders with `/*`, colons between them.
    fn of_class_path(&self, works_in: &Path, value: &str, paths: &mut BTreeSet<PathBuf>) {
        for part in value.split(':').filter(|it| !it.is_empty()).take(ARCHIVES_MAX) {
            match part.strip_suffix("/*") {
                Some(folder) => self.of_folder(&normal(&works_in.join(folder)), paths),
                None => {
                    let path = normal(&works_in.join(part));
                    if is_archive(&path) {
                        paths.insert(path);
                    }
                }
            }
        }
    }

    fn of_folder(&self, folder: &Path, paths: &mut BTreeSet<PathBuf>) {
        let entries = self.host.list(&self.seen(folder)).unwrap_or_default();
        let entries = entries.iter().filter(|it| it.kind == Kind::File).take(ARCHIVES_MAX);
        paths.extend(entries.map(|it| folder.join(&it.name)).filter(|it| is_archive(it)));
    }

    /// The nearest folder above its script, or above where it works, that tells of libraries.
    fn folders(&mut self, works_in: &Path) -> bool {
        let mut starts: Vec<(PathBuf, String)> = Vec::new();
        if self.runtime == Runtime::Own
            && let Some(path) = self.process.executable.clone()
        {
            // What its compiler noted goes before what lies beside it.
            if self.is_noted(&path) {
                return true;
            }
            let because = format!("`{path}` runs below it; that may be built with fewer");
            starts.push((path.into(), because));
        }
        if let Some(script) = &self.process.script {
            starts.push((script.into(), format!("`{script}` runs")));
        }
        let name = &self.process.name;
        starts.push((works_in.join("."), format!("`{name}` works in {}", shown(works_in))));
        for (start, because) in starts {
            // The last part is the file itself.
            for folder in start.ancestors().skip(1) {
                if is_nobodys(folder) {
                    break;
                }
                if let Some(path) = self.told_in(folder) {
                    self.note(&path, because);
                    return true;
                }
            }
        }
        false
    }

    fn told_in(&self, folder: &Path) -> Option<PathBuf> {
        let paths = self.runtime.files().iter().map(|it| folder.join(it));
        let is_file = |it: &PathBuf| {
            self.host.stat_link(&self.seen(it)).is_ok_and(|it| it.kind == Kind::File)
        };
        paths.into_iter().find(is_file)
    }

    /// A program of which nothing tells the libraries.
    fn nothing_told(&mut self, works_in: &Path) {
        let executable = self.process.executable.clone().unwrap_or_default();
        let because = match self.runtime {
            // Programs of an image come with it; what was built for it has no place of its own.
            Runtime::Own if self.process.own_root && is_systems(&executable) => return,
            Runtime::Own => "its compiler noted nothing in it, and no lock file lies above it",
            Runtime::Interpreted(Interpreter::Java) => "no archive that it has open tells of them",
            Runtime::Interpreted(Interpreter::Perl) => "Perl has no lock file that is read",
            Runtime::Interpreted(_) => "no lock file and no virtual environment tells of them",
        };
        // Started by hand in nobody's folder, it is no program of the host's.
        let unit = self.process.unit.as_ref().filter(|it| it.ends_with(".service"));
        let script = self.process.script.clone();
        let own = (self.runtime == Runtime::Own).then_some(executable);
        let folder = (!is_nobodys(works_in)).then(|| shown(works_in));
        let path = own.or(script).or(folder).or_else(|| unit.cloned());
        let Some(path) = path.filter(|it| !it.is_empty()) else { return };
        let name = self.process.name.clone();
        let place = self.note(Path::new(&path), format!("`{name}` runs it"));
        place.unknown.get_or_insert_with(|| because.into());
    }
}

/// Web sites of PHP: its servers work nowhere in particular. Says whether all folders were looked at.
fn sites(
    host: &dyn Host,
    pids: &BTreeSet<u32>,
    places: &mut BTreeMap<(Option<String>, PathBuf), Place>,
) -> bool {
    // In the order of their depth, so that no site with many folders hides the others.
    let mut folders: VecDeque<(PathBuf, usize)> =
        SITES.iter().map(|it| (PathBuf::from(it), 0)).collect();
    let mut looked = 0;
    while let Some((folder, depth)) = folders.pop_front() {
        looked += 1;
        if looked > SITES_MAX {
            return false;
        }
        let paths = COMPOSER.iter().map(|it| folder.join(it));
        let is_file = |it: &PathBuf| host.stat_link(it).is_ok_and(|it| it.kind == Kind::File);
        if let Some(path) = paths.into_iter().find(is_file) {
            let place = places.entry((None, path.clone())).or_default();
            place.shown = shown(&path);
            place.path = path;
            place.ecosystem = "Packagist";
            place.pids.extend(pids);
            place.because = "it lies among the web sites, and PHP runs here".into();
            continue;
        }
        let Ok(entries) = host.list(&folder) else { continue };
        // Of several releases side by side the link leads to the one that is served.
        if entries.iter().any(|it| it.name == "current" && it.kind == Kind::Link) {
            let target = host.read_link(&folder.join("current"));
            let target = target.map(|it| normal(&folder.join(it)));
            let inside = target.ok().filter(|it| it.starts_with(&folder) && *it != folder);
            folders.extend(inside.map(|it| (it, depth + 1)));
            continue;
        }
        let below = entries.iter().filter(|it| it.kind == Kind::Folder && depth < SITE_DEPTH);
        let below = below.filter(|it| it.name != "node_modules" && it.name != ".git");
        folders.extend(below.take(SITES_MAX).map(|it| (folder.join(&it.name), depth + 1)));
        if folders.len() > 2 * SITES_MAX {
            return false;
        }
    }
    true
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
    let Ok(entries) = host.list(path) else { return Vec::new() };
    let note = |entry: &polder_host::Entry| {
        let found = path.join(&entry.name);
        match (found.extension()?.to_str()?, entry.kind) {
            ("dist-info", Kind::Folder) => Some(found.join("METADATA")),
            ("egg-info", Kind::Folder) => Some(found.join("PKG-INFO")),
            ("egg-info", Kind::File) => Some(found),
            _ => None,
        }
    };
    entries.iter().filter_map(note).collect()
}

/// What its file or folder says.
fn application(host: &dyn Host, place: Place, left: &AtomicU64) -> Option<Application> {
    let path = place.path.as_path();
    // Whoever may change the folder decides what its tools run.
    let owners = path.ancestors().take(3).map(|it| host.stat_link(it).map_or(0, |it| it.uid));
    let owner = owners.into_iter().find(|it| *it != 0).unwrap_or(0);
    let (mut libraries, mut unknown) = (BTreeSet::new(), place.unknown);
    let mut ecosystem = place.ecosystem;
    if unknown.is_none() {
        let mut notes = match place.programs.is_empty() {
            true => notes(host, path),
            false => Vec::new(),
        };
        if notes.len() > NOTES_MAX {
            notes.truncate(NOTES_MAX);
            unknown = Some(format!("more than {NOTES_MAX} notes of installers"));
        }
        let mut found = LockFiles::recorded(host, &notes, left);
        found.files.extend(place.programs);
        unknown = unknown.or(found.unread.into_iter().next().map(|it| it.1));
        for file in found.files {
            ecosystem = file.ecosystem;
            unknown = unknown.or(file.unread).or(file.locked.incomplete.map(str::to_string));
            let count = file.locked.elsewhere + file.locked.unpinned;
            if count > 0 {
                unknown.get_or_insert_with(|| {
                    format!("of {count} no feed can tell: no version, or of no registry")
                });
            }
            libraries.extend(file.locked.libraries);
        }
        if libraries.is_empty() && unknown.is_none() {
            return None;
        }
    }
    Some(Application {
        path: place.shown,
        container: place.container,
        owner_uid: owner,
        ecosystem: ecosystem.into(),
        pids: place.pids.into_iter().collect(),
        because: polder_model::printable_str(&place.because),
        libraries: libraries.into_iter().collect(),
        unknown,
    })
}
