//! What dnf would update in a root made for the test, beside what Polder says of it.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test may panic, and runs programs"
)]

mod support;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use support::{rows, skipped, table_with, text};

/// Packages of the root.
const PACKAGES: usize = 40;

/// Versions with all that makes them hard to compare.
const VERSIONS: [&str; 10] =
    ["1.0", "1.0~rc1", "1.0^git2", "1.10", "1.9", "1.0a", "1.0.1", "1_1", "2.0~~", "1.0^"];

const RELEASES: [&str; 4] = ["1.el9", "2.el9", "10.el9", "1.el9_4.1"];

/// A package: number, epoch, version, release.
type Built = (usize, u32, &'static str, String);

fn dice(state: &mut u64, below: usize) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*state >> 33).unwrap() % below
}

fn version(state: &mut u64, number: usize) -> Built {
    let epoch = u32::from(dice(state, 6) == 0);
    let release = RELEASES[dice(state, RELEASES.len())].to_string();
    (number, epoch, VERSIONS[dice(state, VERSIONS.len())], release)
}

#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let says = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_some_and(|it| it == 0 || it == 100), "{command:?}: {says}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// From this number on, packages take the place of those of a number lower by as much.
const SUCCESSORS: usize = 100;

/// What a package says of whom it replaces.
fn obsoletes(number: usize) -> String {
    let Some(old) = number.checked_sub(SUCCESSORS) else { return String::new() };
    let of = ["", " < 9", " <= 1.0-2.el9", " < 1.0", " = 1.9", " >= 1.0a-1"][old % 6];
    format!("Obsoletes: p{old}{of}\n")
}

/// Builds packages without content, all with one run.
fn build(top: &Path, packages: &[Built], folder: &Path) {
    let mut spec = String::from(
        "Name: all\nVersion: 1\nRelease: 1\nSummary: t\nLicense: MIT\nBuildArch: noarch\n%description\nt\n",
    );
    for (number, epoch, version, release) in packages {
        let obsoletes = obsoletes(*number);
        let _ = write!(
            spec,
            "%package -n p{number}\nSummary: t\nEpoch: {epoch}\nVersion: {version}\nRelease: {release}\n{obsoletes}%description -n p{number}\nt\n%files -n p{number}\n"
        );
    }
    fs::create_dir_all(top).unwrap();
    fs::create_dir_all(folder).unwrap();
    fs::write(top.join("all.spec"), spec).unwrap();
    let define = |name: &str, path: &Path| format!("{name} {}", path.display());
    run(Command::new("rpmbuild")
        .args(["--quiet", "-bb", "--define", &define("_topdir", top)])
        .args(["--define", &define("_rpmdir", folder)])
        .args(["--define", "_rpmfilename %%{NAME}-%%{EPOCH}.%%{VERSION}-%%{RELEASE}.rpm"])
        .arg(top.join("all.spec")));
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect()
}

/// Streams of the module `m`: the packages of the second repository from number 30 on.
fn modules(packages: &[Built]) -> String {
    let mut text = String::from(
        "---\ndocument: modulemd-defaults\nversion: 1\ndata:\n  module: m\n  stream: \"1\"\n...\n",
    );
    for stream in ["1", "2"] {
        let _ = write!(
            text,
            "---\ndocument: modulemd\nversion: 2\ndata:\n  name: m\n  stream: \"{stream}\"\n  version: 1\n  context: c{stream}\n  arch: noarch\n  summary: t\n  description: t\n  license:\n    module: [MIT]\n  artifacts:\n    rpms:\n"
        );
        for (number, epoch, version, release) in packages {
            if *number >= 30 && number % 2 == usize::from(stream == "2") {
                let _ = writeln!(text, "    - p{number}-{epoch}:{version}-{release}.noarch");
            }
        }
        text.push_str("...\n");
    }
    text
}

fn updates(packages: &[Built]) -> String {
    let mut text = String::from("<updates>\n");
    for (number, epoch, version, release) in packages.iter().filter(|it| it.0 % 3 == 0) {
        let _ = writeln!(
            text,
            "<update from=\"t\" status=\"final\" type=\"security\" version=\"1\"><id>T-{number}</id><title>t</title><issued date=\"2024-03-01 00:00:00\"/><severity>Important</severity><references><reference href=\"h\" id=\"CVE-2024-{number}\" type=\"cve\" title=\"t\"/></references><pkglist><collection short=\"c\"><name>c</name><package name=\"p{number}\" version=\"{version}\" release=\"{release}\" epoch=\"{epoch}\" arch=\"noarch\" src=\"s\"><filename>f</filename></package></collection></pkglist></update>"
        );
    }
    text.push_str("</updates>\n");
    text
}

fn repository(top: &Path, name: &str, packages: &[Built]) -> std::path::PathBuf {
    let folder = top.join(name);
    build(&top.join("build"), packages, &folder);
    run(Command::new("createrepo_c").arg("-q").arg(&folder));
    let data = folder.join("repodata");
    fs::write(top.join("updateinfo.xml"), updates(packages)).unwrap();
    run(Command::new("modifyrepo_c").arg(top.join("updateinfo.xml")).arg(&data));
    if name == "two" {
        fs::write(top.join("modules.yaml"), modules(packages)).unwrap();
        run(Command::new("modifyrepo_c")
            .arg("--mdtype=modules")
            .arg(top.join("modules.yaml"))
            .arg(&data));
    }
    folder
}

fn dnf(home: &Path, root: &Path, arguments: &[&str]) -> BTreeSet<String> {
    let answer = run(Command::new("dnf")
        .env("HOME", home)
        .args(["--installroot", &root.display().to_string(), "--releasever", "9", "-q"])
        .arg(format!("--setopt=reposdir={}", root.join("etc/yum.repos.d").display()))
        .args(arguments));
    let row = |line: &str| {
        let mut words = line.split_whitespace();
        let (name, version) = (words.next()?.strip_suffix(".noarch")?, words.next()?);
        Some(format!("{name} {version} {}", words.next()?))
    };
    answer.lines().filter_map(row).collect()
}

fn polder(root: &Path, table: &str) -> serde_json::Value {
    table_with(table, &["--root", &root.display().to_string()])
}

fn is_possible() -> bool {
    let is_there = |it: &str| Command::new(it).arg("--version").output().is_ok();
    let is_possible = ["rpmbuild", "rpm", "dnf", "createrepo_c"].into_iter().all(is_there)
        && rustix::process::geteuid().is_root();
    if !is_possible {
        skipped("it takes root, rpm, dnf and createrepo-c");
    }
    is_possible
}

/// A root with these packages of RPM.
fn install(top: &Path, root: &Path, packages: &[Built]) {
    build(&top.join("build"), packages, &top.join("installed"));
    fs::create_dir_all(root.join("etc/yum.repos.d")).unwrap();
    fs::create_dir_all(root.join("etc/dnf/modules.d")).unwrap();
    // Debian's rpm keeps its database elsewhere.
    fs::write(top.join(".rpmmacros"), "%_dbpath /var/lib/rpm\n").unwrap();
    run(Command::new("rpm")
        .env("HOME", top)
        .args(["--root", &root.display().to_string(), "-i", "--nodeps", "--force-debian"])
        .args(files(&top.join("installed"))));
}

#[test]
fn waiting_updates_are_those_of_dnf() {
    if is_possible() {
        (1..=3).for_each(same_as_dnf);
    }
}

fn same_as_dnf(seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    let (top, root) = (folder.path(), folder.path().join("root"));
    let mut state = seed;
    let installed: Vec<Built> = (0..PACKAGES).map(|it| version(&mut state, it)).collect();
    install(top, &root, &installed);
    for name in ["one", "two"] {
        let mut offered: Vec<Built> = (0..PACKAGES).map(|it| version(&mut state, it)).collect();
        offered.retain(|it| it.0 % 7 != 5);
        // Those of a module say so.
        for it in offered.iter_mut().filter(|it| name == "two" && it.0 >= 30) {
            it.3.push_str(".module_m");
        }
        let path = repository(top, name, &offered);
        let more = if name == "two" { "excludepkgs=p2? x\n" } else { "" };
        let text = format!(
            "[{name}]\nname={name}\nbaseurl=file://{}\nenabled = 1\n{more}",
            path.display()
        );
        fs::write(root.join(format!("etc/yum.repos.d/{name}.repo")), text).unwrap();
    }
    fs::write(root.join("etc/dnf/dnf.conf"), "[main]\ngpgcheck=0\n").unwrap();
    let compare = |what: &str| {
        let theirs = dnf(top, &root, &["check-update"]);
        let looked = polder(&root, "candidates");
        assert_eq!(looked["coverage"]["state"], "complete", "{what}: {looked}");
        let ours: BTreeSet<String> = rows(&looked)
            .iter()
            .filter(|it| it["held"] != true)
            .map(|it| {
                let from = it["offered_by"][0].as_str().unwrap();
                format!("{} {} {from}", text(it, "name"), text(it, "candidate"))
            })
            .collect();
        assert_eq!(ours, theirs, "{what}");
        assert!(theirs.len() > 8, "{what}: {theirs:?}");
        (looked, theirs)
    };
    compare("as they come");
    // Another stream of the module, one repository before the other.
    fs::write(
        root.join("etc/dnf/modules.d/m.module"),
        "[m]\nname=m\nstream=2\nprofiles=\nstate=enabled\n",
    )
    .unwrap();
    let one = root.join("etc/yum.repos.d/one.repo");
    let before = fs::read_to_string(&one).unwrap();
    let (streamed, first) = compare("another stream");
    fs::write(&one, format!("{before}priority=5\n")).unwrap();
    let (_, second) = compare("one repository first");
    assert_ne!(first, second);
    // What an advisory is about has its CVE, and since when.
    let all = rows(&streamed);
    let fixes = all.iter().filter(|it| it["fix"].is_object());
    let fixes: Vec<_> = fixes
        .inspect(|it| {
            let number = text(it, "name")[1..].parse::<usize>().unwrap();
            assert_eq!(it["fix"]["cves"][0], format!("CVE-2024-{number}"));
            assert_eq!(it["security"], true);
        })
        .collect();
    assert!(fixes.len() > 2);
    cut_is_no_answer(&root);
}

/// Old package, then the new one with version and repository, for all that is replaced; and what is
/// upgraded under its own name, twice by name.
fn transaction(home: &Path, root: &Path) -> BTreeSet<String> {
    let answer = Command::new("dnf")
        .env("HOME", home)
        .args(["--installroot", &root.display().to_string(), "--releasever", "9", "--assumeno"])
        .arg(format!("--setopt=reposdir={}", root.join("etc/yum.repos.d").display()))
        .arg("upgrade")
        .output()
        .unwrap();
    let (mut found, mut last, mut is_upgrade) = (BTreeSet::new(), String::new(), false);
    for line in String::from_utf8_lossy(&answer.stdout).lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [heading] if heading.ends_with(':') => is_upgrade = heading == "Upgrading:",
            ["replacing", old, ..] => {
                found.insert(format!("{} {last}", old.strip_suffix(".noarch").unwrap()));
            }
            [name, "noarch", version, from, ..] => {
                last = format!("{name} {version} {from}");
                if is_upgrade {
                    found.insert(format!("{name} {last}"));
                }
            }
            _ => {}
        }
    }
    found
}

#[test]
fn what_takes_the_place_of_another_is_what_dnf_takes() {
    if !is_possible() {
        return;
    }
    (7..10).for_each(same_successors);
}

fn same_successors(seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    let (top, root) = (folder.path(), folder.path().join("root"));
    let mut state = seed;
    let installed: Vec<Built> = (0..PACKAGES).map(|it| version(&mut state, it)).collect();
    install(top, &root, &installed);
    let mut offered: Vec<Built> = (0..PACKAGES).map(|it| version(&mut state, it)).collect();
    offered.retain(|it| it.0 % 2 == 0);
    offered.extend((0..PACKAGES).map(|it| version(&mut state, it + SUCCESSORS)));
    let path = repository(top, "one", &offered);
    let source = format!("[one]\nname=one\nbaseurl=file://{}\nenabled = 1\n", path.display());
    fs::write(root.join("etc/yum.repos.d/one.repo"), source).unwrap();
    fs::write(root.join("etc/dnf/dnf.conf"), "[main]\ngpgcheck=0\n").unwrap();
    let theirs = transaction(top, &root);
    let looked = polder(&root, "candidates");
    let ours: BTreeSet<String> = rows(&looked)
        .iter()
        .map(|it| {
            let name = text(it, "name");
            let new = it["replaced_by"].as_str().unwrap_or(&name).to_string();
            format!("{name} {new} {} one", text(it, "candidate"))
        })
        .collect();
    assert_eq!(ours, theirs);
    assert!(theirs.iter().filter(|it| it.contains(" p1")).count() > 10, "{theirs:?}");
}

/// A cut index is no answer.
fn cut_is_no_answer(root: &Path) {
    let cache = files(&root.join("var/cache/dnf")).into_iter().find(|it| {
        it.is_dir() && it.file_name().is_some_and(|it| it.to_string_lossy().starts_with("one-"))
    });
    let primary = files(&cache.unwrap().join("repodata"));
    let primary = primary.iter().find(|it| it.to_string_lossy().contains("primary.xml")).unwrap();
    let bytes = fs::read(primary).unwrap();
    fs::write(primary, &bytes[..bytes.len() / 2]).unwrap();
    let looked = polder(root, "candidates");
    assert_eq!(looked["coverage"]["state"], "partial", "{looked}");
}
