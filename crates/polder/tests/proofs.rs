//! An upgrade from a signed archive is silent, and a single tampered byte, mode or owner in it is not.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test may panic, and makes files"
)]

mod support;

use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use support::disk::must;
use support::{is_debian_root, run, skipped, stderr, stdout};

/// Files of the package.
const FILES: u32 = 30;

/// Single tampers that are tried.
const TAMPERS: usize = 150;

/// A root with a package in it, an archive of the vendor's, and the vendor's key.
struct Vendor {
    folder: tempfile::TempDir,
    root: PathBuf,
}

impl Vendor {
    /// None where a key cannot be made.
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        for path in [
            "usr/lib",
            "usr/bin",
            "usr/share/keyrings",
            "etc",
            "var/lib/dpkg/info",
            "var/lib/dpkg/updates",
            "var/lib/apt/lists",
            "var/cache/apt/archives",
            "var/log",
        ] {
            fs::create_dir_all(root.join(path)).unwrap();
        }
        symlink("usr/lib", root.join("lib")).unwrap();
        for path in ["var/lib/dpkg/status", "var/lib/dpkg/available"] {
            fs::write(root.join(path), "").unwrap();
        }
        let vendor = Self { folder, root };
        let made = vendor.gpg(&[
            "--quick-gen-key",
            "--passphrase",
            "",
            "vendor",
            "ed25519",
            "sign",
            "never",
        ]);
        if !made {
            return None;
        }
        let key = vendor.root.join("usr/share/keyrings/vendor.gpg");
        assert!(vendor.gpg(&["--output", key.to_str().unwrap(), "--export", "vendor"]));
        Some(vendor)
    }

    fn gpg(&self, arguments: &[&str]) -> bool {
        let home = self.folder.path().join("keys");
        let _ = fs::create_dir(&home);
        fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
        let mut command = Command::new("gpg");
        command.args(["--batch", "--quiet", "--yes", "--pinentry-mode", "loopback", "--homedir"]);
        command.arg(home).args(arguments).output().is_ok_and(|it| it.status.success())
    }

    /// Builds a version of the package.
    fn build(&self, version: &str) -> PathBuf {
        let tree = self.folder.path().join(format!("tree-{version}"));
        for path in ["DEBIAN", "usr/bin", "lib/tool", "etc/tool.d"] {
            fs::create_dir_all(tree.join(path)).unwrap();
        }
        for number in 0..FILES {
            let text = format!("{number} of version {version}\n").repeat(20);
            fs::write(tree.join(format!("lib/tool/part{number}")), text).unwrap();
        }
        fs::write(tree.join(format!("lib/tool/only-in-{version}")), version).unwrap();
        let code = format!("import os\n\ndef tool():\n    return os.getcwd() + '{version}'\n");
        fs::write(tree.join("lib/tool/code.py"), code).unwrap();
        fs::write(tree.join("usr/bin/tool"), format!("#!/bin/sh\necho {version}\n")).unwrap();
        fs::set_permissions(tree.join("usr/bin/tool"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink(format!("tool-{version}"), tree.join("usr/bin/tool-now")).unwrap();
        fs::write(tree.join("etc/tool.d/setting"), "a = 1\n").unwrap();
        fs::write(tree.join("DEBIAN/conffiles"), "/etc/tool.d/setting\n").unwrap();
        // As the tools that build packages do.
        let sums = must(
            "sh",
            &[
                "-c",
                "cd \"$1\" && find lib usr etc -type f | sort | xargs md5sum",
                "sh",
                tree.to_str().unwrap(),
            ],
        );
        fs::write(tree.join("DEBIAN/md5sums"), sums).unwrap();
        let control = format!(
            "Package: tool\nVersion: {version}\nArchitecture: amd64\nMaintainer: nobody <nobody@example.org>\nDepends: tool | nothing\nDescription: a tool\n of several lines\n .\n and more\n"
        );
        fs::write(tree.join("DEBIAN/control"), control).unwrap();
        let file = self.folder.path().join(format!("tool_{version}_amd64.deb"));
        must(
            "dpkg-deb",
            &["--root-owner-group", "-b", tree.to_str().unwrap(), file.to_str().unwrap()],
        );
        file
    }

    /// Another package, which is never upgraded.
    fn other(&self) -> PathBuf {
        let tree = self.folder.path().join("tree-other");
        fs::create_dir_all(tree.join("DEBIAN")).unwrap();
        fs::create_dir_all(tree.join("usr/lib/other")).unwrap();
        fs::write(tree.join("usr/lib/other/file"), "x").unwrap();
        let control = "Package: other\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: another\n";
        fs::write(tree.join("DEBIAN/control"), control).unwrap();
        let file = self.folder.path().join("other_1_all.deb");
        must(
            "dpkg-deb",
            &["--root-owner-group", "-b", tree.to_str().unwrap(), file.to_str().unwrap()],
        );
        file
    }

    fn install(&self, file: &Path) {
        must(
            "dpkg",
            &[
                &format!("--root={}", self.root.display()),
                "--force-script-chrootless",
                "--force-not-root",
                "--force-downgrade",
                "-i",
                file.to_str().unwrap(),
            ],
        );
    }

    /// Publishes archives: an index, and a release that names it, signed.
    fn publish(&self, files: &[&Path]) {
        let mut index = String::new();
        for file in files {
            let control = must("dpkg-deb", &["-f", file.to_str().unwrap()]);
            let sum = must("sha256sum", &[file.to_str().unwrap()]);
            let digest = sum.split(' ').next().unwrap();
            write!(index, "{control}Filename: pool/x.deb\nSHA256: {digest}\n\n").unwrap();
        }
        let lists = self.root.join("var/lib/apt/lists");
        let stem = "archive.example_d_dists_stable";
        let packages = lists.join(format!("{stem}_main_binary-amd64_Packages"));
        fs::write(&packages, &index).unwrap();
        let sum = must("sha256sum", &[packages.to_str().unwrap()]);
        let digest = sum.split(' ').next().unwrap();
        let release = self.folder.path().join("Release");
        let text = format!(
            "Origin: Example\nSuite: stable\nSHA256:\n {digest} {} main/binary-amd64/Packages\n",
            index.len()
        );
        fs::write(&release, text).unwrap();
        let signed = lists.join(format!("{stem}_InRelease"));
        let arguments =
            ["--output", signed.to_str().unwrap(), "--clearsign", release.to_str().unwrap()];
        assert!(self.gpg(&arguments));
    }

    fn keep(&self, file: &Path) {
        let name = file.file_name().unwrap();
        fs::copy(file, self.root.join("var/cache/apt/archives").join(name)).unwrap();
    }

    fn polder(&self, what: &str, more: &[&str]) -> std::process::Output {
        let root = format!("--root={}", self.root.display());
        let state = format!("--state={}", self.folder.path().join("state").display());
        run(&[&["baseline", what, &root, &state], more].concat())
    }

    #[track_caller]
    fn init(&self) {
        let file = self.folder.path().join("passphrase");
        fs::write(&file, "correct horse battery\n").unwrap();
        let flag = format!("--passphrase-file={}", file.display());
        let output = self.polder("init", &[&flag]);
        assert!(output.status.success(), "{}", stderr(&output));
    }

    /// What a check shows, and all it tells.
    #[track_caller]
    fn check(&self) -> (Vec<String>, Value) {
        let output = self.polder("check", &["--json"]);
        let value: Value = serde_json::from_str(&stdout(&output))
            .unwrap_or_else(|_| panic!("{}", stderr(&output)));
        let changes = value["changes"].as_array().unwrap();
        let line = |it: &Value| {
            format!("{} {}", it["path"].as_str().unwrap(), it["what"].as_str().unwrap())
        };
        (changes.iter().map(line).collect(), value)
    }
}

/// A root in which version 2 took the place of version 1 since the baseline, from a signed archive.
fn upgraded() -> Option<Vendor> {
    if !is_debian_root() {
        return None;
    }
    let vendor = Vendor::new();
    let Some(vendor) = vendor else {
        skipped("gpg cannot make a key here");
        return None;
    };
    vendor.install(&vendor.build("1"));
    vendor.install(&vendor.other());
    vendor.init();
    let second = vendor.build("2");
    vendor.publish(&[&second]);
    vendor.keep(&second);
    vendor.install(&second);
    Some(vendor)
}

#[test]
fn an_upgrade_from_a_signed_archive_is_one_line() {
    let Some(vendor) = upgraded() else { return };
    let (shown, value) = vendor.check();
    assert!(shown.is_empty(), "{value:#}");
    assert_eq!(value["packages"][0]["from"], "1");
    assert!(value["proved"].as_u64().unwrap() > u64::from(FILES), "{value:#}");
    let text = stdout(&vendor.polder("check", &[]));
    assert!(text.contains("package tool is of another version"), "{text}");
}

#[test]
fn a_file_of_the_version_before_that_was_put_back_is_told() {
    let Some(vendor) = upgraded() else { return };
    let old = fs::read(vendor.folder.path().join("tree-1/usr/bin/tool")).unwrap();
    fs::write(vendor.root.join("usr/bin/tool"), old).unwrap();
    let (shown, value) = vendor.check();
    assert_eq!(shown, ["/usr/bin/tool changed"], "{value:#}");
    let differences = value["changes"][0]["differences"].to_string();
    assert!(differences.contains("its package is tool 2"), "{differences}");
}

#[test]
fn every_single_tamper_in_an_upgrade_is_told() {
    let Some(vendor) = upgraded() else { return };
    let mut state = 11_u64;
    let mut roll = |sides: u64| {
        state = state * 48_271 % 0x7fff_ffff;
        state % sides
    };
    for _ in 0..TAMPERS {
        let name = match roll(u64::from(FILES) + 3) {
            0 => "usr/bin/tool".to_string(),
            1 => "var/lib/dpkg/info/tool.list".to_string(),
            2 => "var/lib/dpkg/status".to_string(),
            number => format!("usr/lib/tool/part{}", number - 3),
        };
        let path = vendor.root.join(&name);
        let bytes = fs::read(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions();
        match roll(4) {
            0 => {
                let mut other = bytes.clone();
                let at = usize::try_from(roll(bytes.len() as u64)).unwrap();
                other[at] ^= 1;
                fs::write(&path, other).unwrap();
            }
            1 => fs::set_permissions(&path, fs::Permissions::from_mode(0o4755)).unwrap(),
            2 => drop(must("chown", &["7:7", path.to_str().unwrap()])),
            _ => drop(must("setfattr", &["-n", "user.x", "-v", "y", path.to_str().unwrap()])),
        }
        let (shown, value) = vendor.check();
        assert_eq!(shown, [format!("/{name} changed")], "{value:#}");
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, mode).unwrap();
    }
}

#[test]
fn what_is_compiled_from_a_proved_source_is_proved_by_compiling_it_again() {
    let tag = "import sys; print(sys.implementation.cache_tag, '%d.%d' % sys.version_info[:2])";
    let python = Command::new("/usr/bin/python3").args(["-c", tag]).output();
    let (true, Ok(python)) = (is_debian_root(), python) else {
        return skipped("it takes Debian's Python");
    };
    let says = String::from_utf8_lossy(&python.stdout).into_owned();
    let (tag, version) = says.trim().split_once(' ').unwrap();
    let Some(vendor) = Vendor::new() else { return skipped("gpg cannot make a key here") };
    let compiled = vendor.root.join(format!("usr/lib/tool/__pycache__/code.{tag}.pyc"));
    // As py3compile does when a package is set up.
    let compile = || {
        let script =
            "import py_compile, sys; py_compile.compile(sys.argv[1], sys.argv[2], sys.argv[3])";
        let source = vendor.root.join("usr/lib/tool/code.py");
        let (source, compiled) = (source.to_str().unwrap(), compiled.to_str().unwrap());
        let python = format!("/usr/bin/python{version}");
        must(&python, &["-c", script, source, compiled, "/usr/lib/tool/code.py"]);
    };
    vendor.install(&vendor.build("1"));
    compile();
    vendor.init();
    let second = vendor.build("2");
    vendor.publish(&[&second]);
    vendor.keep(&second);
    vendor.install(&second);
    compile();
    let (shown, value) = vendor.check();
    assert_eq!(shown, [""; 0], "{value:#}");
    // A byte of the code; and a file whose source is no package's.
    let good = fs::read(&compiled).unwrap();
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    fs::write(&compiled, bad).unwrap();
    let told = format!("/usr/lib/tool/__pycache__/code.{tag}.pyc changed");
    assert_eq!(vendor.check().0, [told]);
    fs::write(&compiled, &good).unwrap();
    let other = format!("usr/lib/tool/__pycache__/own.{tag}.pyc");
    fs::write(vendor.root.join(&other), &good).unwrap();
    assert_eq!(vendor.check().0, [format!("/{other} added")]);
}

#[test]
fn what_is_not_proved_is_shown_with_the_reason() {
    let Some(vendor) = upgraded() else { return };
    let archive = vendor.root.join("var/cache/apt/archives/tool_2_amd64.deb");
    let whole = fs::read(&archive).unwrap();
    let because = |vendor: &Vendor| {
        let (shown, value) = vendor.check();
        assert!(shown.len() > 30, "{shown:?}");
        format!("{}{}", value["packages"][0]["because"], value["notes"])
    };
    // The archive is not there, or another one.
    fs::remove_file(&archive).unwrap();
    assert!(because(&vendor).contains("did not keep its archive"));
    fs::write(&archive, &whole[..whole.len() - 1]).unwrap();
    assert!(because(&vendor).contains("not the one that was signed"));
    fs::write(&archive, &whole).unwrap();
    // The index is not the one that was signed.
    let index = vendor
        .root
        .join("var/lib/apt/lists/archive.example_d_dists_stable_main_binary-amd64_Packages");
    let text = fs::read_to_string(&index).unwrap();
    fs::write(&index, text.clone() + "\n").unwrap();
    assert!(because(&vendor).contains("not the one that the release names"));
    fs::write(&index, text).unwrap();
    // An intruder signs with a key of their own, and puts that beside the vendor's.
    let intruder = Vendor::new().unwrap();
    let evil = intruder.build("2");
    intruder.publish(&[&evil]);
    for name in ["InRelease", "main_binary-amd64_Packages"] {
        let name = format!("var/lib/apt/lists/archive.example_d_dists_stable_{name}");
        fs::copy(intruder.root.join(&name), vendor.root.join(&name)).unwrap();
    }
    let key = "usr/share/keyrings/vendor.gpg";
    fs::copy(intruder.root.join(key), vendor.root.join("usr/share/keyrings/evil.gpg")).unwrap();
    vendor.keep(&evil);
    assert!(because(&vendor).contains("not by a key that was there before"));
}

#[test]
fn an_archive_that_apt_removes_is_kept_by_the_hook_and_proves_as_well() {
    let Some(vendor) = upgraded() else { return };
    let archive = vendor.root.join("var/cache/apt/archives/tool_2_amd64.deb");
    // As apt calls it: with the paths on standard input, and on the host's own `/var/lib/polder`.
    let script = r#"
        set -e
        mkdir -p /var/lib/polder
        mount -t tmpfs none /var/lib/polder
        printf '%s\n/etc/passwd\nrelative.deb\n/nonexistent.deb\n' "$1" | "$2" baseline keep
        ls /var/lib/polder/archives
        cp -r /var/lib/polder/archives "$3"
    "#;
    let kept = vendor.root.join("var/lib/polder/archives");
    fs::create_dir_all(kept.parent().unwrap()).unwrap();
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh"])
        .args([archive.as_path(), env!("CARGO_BIN_EXE_polder").as_ref(), kept.as_path()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output), "tool_2_amd64.deb\n");
    fs::remove_file(&archive).unwrap();
    let (shown, value) = vendor.check();
    assert!(shown.is_empty(), "{value:#}");
    let hook = stdout(&run(&["baseline", "hook"]));
    assert!(hook.contains("DPkg::Pre-Install-Pkgs") && hook.contains("baseline keep"), "{hook}");
}

#[test]
fn a_package_that_went_back_is_shown() {
    if !is_debian_root() {
        return;
    }
    let Some(vendor) = Vendor::new() else { return skipped("gpg cannot make a key here") };
    let (first, second) = (vendor.build("1"), vendor.build("2"));
    vendor.install(&second);
    vendor.init();
    vendor.publish(&[&first]);
    vendor.keep(&first);
    vendor.install(&first);
    let (shown, value) = vendor.check();
    assert!(shown.len() > 30, "{shown:?}");
    assert!(value["packages"][0]["because"].to_string().contains("went back"), "{value:#}");
}

#[test]
fn what_only_looks_like_a_part_of_an_upgrade_is_told() {
    let Some(vendor) = upgraded() else { return };
    let write = |path: &str, text: &str| fs::write(vendor.root.join(path), text).unwrap();
    let read = |path: &str| fs::read_to_string(vendor.root.join(path)).unwrap();
    let (shown, _) = vendor.check();
    assert!(shown.is_empty());
    // dpkg forgets a package that was not upgraded, or is told to hold one.
    let status = read("var/lib/dpkg/status");
    let tool = status.find("Package: tool").unwrap();
    write("var/lib/dpkg/status", &status[tool..]);
    assert_eq!(vendor.check().0, ["/var/lib/dpkg/status changed"]);
    write("var/lib/dpkg/status", &status.replace("install ok", "hold ok"));
    assert_eq!(vendor.check().0, ["/var/lib/dpkg/status changed"]);
    write("var/lib/dpkg/status", &status);
    // A file of the vendor's in the place of another file of the vendor's.
    let bytes = fs::read(vendor.root.join("usr/lib/tool/part1")).unwrap();
    fs::write(vendor.root.join("usr/lib/tool/part2"), bytes).unwrap();
    write("var/lib/dpkg/diversions", "/usr/lib/tool/part1\n/usr/lib/tool/part2\nother\n");
    let (shown, value) = vendor.check();
    assert_eq!(
        shown,
        ["/usr/lib/tool/part2 changed", "/var/lib/dpkg/diversions added"],
        "{value:#}"
    );
}

#[test]
fn a_setting_that_was_hardened_stays_told_when_it_is_put_back_to_the_vendors() {
    if !is_debian_root() {
        return;
    }
    let Some(vendor) = Vendor::new() else { return skipped("gpg cannot make a key here") };
    let (first, second) = (vendor.build("1"), vendor.build("2"));
    vendor.install(&first);
    let setting = vendor.root.join("etc/tool.d/setting");
    fs::write(&setting, "a = hardened\n").unwrap();
    vendor.init();
    vendor.publish(&[&second]);
    vendor.keep(&second);
    vendor.install(&second);
    fs::write(&setting, "a = 1\n").unwrap();
    assert_eq!(vendor.check().0, ["/etc/tool.d/setting changed"]);
}

#[test]
fn a_package_that_is_new_proves_nothing() {
    if !is_debian_root() {
        return;
    }
    let Some(vendor) = Vendor::new() else { return skipped("gpg cannot make a key here") };
    let (first, second) = (vendor.build("1"), vendor.build("2"));
    vendor.install(&vendor.other());
    vendor.init();
    vendor.publish(&[&first, &second]);
    vendor.keep(&second);
    vendor.install(&second);
    let (shown, value) = vendor.check();
    assert!(shown.iter().any(|it| it == "/usr/bin/tool added"), "{shown:?}");
    assert!(value["packages"][0]["because"].to_string().contains("not there before"), "{value:#}");
}

#[test]
fn a_folder_of_keys_that_leads_elsewhere_proves_nothing() {
    let Some(vendor) = upgraded() else { return };
    let intruder = Vendor::new().unwrap();
    let evil = intruder.build("9");
    intruder.publish(&[&evil]);
    for name in ["InRelease", "main_binary-amd64_Packages"] {
        let name = format!("var/lib/apt/lists/archive.example_d_dists_stable_{name}");
        fs::copy(intruder.root.join(&name), vendor.root.join(&name)).unwrap();
    }
    vendor.keep(&evil);
    vendor.install(&evil);
    let keys = vendor.root.join("usr/share/keyrings");
    fs::rename(&keys, vendor.root.join("usr/share/old")).unwrap();
    fs::create_dir(vendor.root.join("usr/share/kr2")).unwrap();
    fs::copy(
        intruder.root.join("usr/share/keyrings/vendor.gpg"),
        vendor.root.join("usr/share/kr2/vendor.gpg"),
    )
    .unwrap();
    symlink("kr2", &keys).unwrap();
    let (shown, value) = vendor.check();
    assert!(shown.iter().any(|it| it == "/usr/bin/tool changed"), "{value:#}");
    assert_eq!(value["proved"], 0, "{value:#}");
}

#[test]
fn a_pipe_keeps_nobody_waiting() {
    let Some(vendor) = upgraded() else { return };
    for path in [
        "var/lib/apt/lists/zz_InRelease",
        "var/cache/apt/archives/tool_2_amd64.deb",
        "var/lib/dpkg/status",
    ] {
        let path = vendor.root.join(path);
        let _ = fs::remove_file(&path);
        must("mkfifo", &[path.to_str().unwrap()]);
    }
    let (shown, _) = vendor.check();
    assert!(shown.iter().any(|it| it == "/var/lib/dpkg/status changed"), "{shown:?}");
}
