//! Which updates a plain upgrade leaves out: the answer of apt, on packages made up at random.
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

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use support::{rows, skipped, table_with, text};

/// Rounds, each with packages of its own.
const ROUNDS: u32 = 60;
const PACKAGES: u32 = 9;

/// A small generator (Lehmer): the same rounds each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u32) -> u32 {
        self.0 = self.0 * 48_271 % 0x7fff_ffff;
        u32::try_from(self.0 % u64::from(sides)).unwrap()
    }

    /// Relations of the new version of package `own`; most of them can be met.
    fn relations(&mut self, own: u32, stanza: &mut String) {
        let mut needs = Vec::new();
        for _ in 0..self.roll(3) {
            let other = self.roll(PACKAGES + 1);
            if other == own {
                continue;
            }
            needs.push(match self.roll(6) {
                0 => format!("p{other} (>= 2)"),
                1 => format!("p{other} (= 2)"),
                2 => format!("none | p{other}"),
                3 => format!("p{other}:any (>= 1)"),
                4 => "virtual".to_string(),
                _ => format!("p{other}"),
            });
        }
        if self.roll(12) == 0 {
            needs.push("absent".into());
        }
        if !needs.is_empty() {
            writeln!(stanza, "Depends: {}", needs.join(", ")).unwrap();
        }
        if self.roll(8) == 0 {
            writeln!(stanza, "Breaks: p{} (<< 2)", self.roll(PACKAGES)).unwrap();
        }
        if self.roll(5) == 0 {
            stanza.push_str("Provides: virtual\n");
        }
    }
}

/// Installed packages that get on with each other, and newer versions of most of them.
fn make(root: &Path, dice: &mut Dice) {
    let mut status = String::from(
        "Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\nMaintainer: m\nDescription: d\n\nPackage: giver\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\nProvides: virtual\nMaintainer: m\nDescription: d\n\n",
    );
    let mut packages = String::from(
        "Package: absent\nVersion: 1\nArchitecture: amd64\nFilename: pool/absent.deb\nSize: 9\nMaintainer: m\nDescription: d\nSHA256: 0000000000000000000000000000000000000000000000000000000000000000\n\n",
    );
    for number in 0..PACKAGES {
        let want = if dice.roll(12) == 0 { "hold" } else { "install" };
        let strict = if number > 0 && dice.roll(4) == 0 {
            format!("Depends: p{} (= 1)\n", dice.roll(number))
        } else {
            String::new()
        };
        write!(
            status,
            "Package: p{number}\nStatus: {want} ok installed\nArchitecture: amd64\nVersion: 1\nMulti-Arch: allowed\n{strict}Maintainer: m\nDescription: d\n\n"
        )
        .unwrap();
        if dice.roll(4) > 0 {
            let mut stanza = format!(
                "Package: p{number}\nVersion: 2\nArchitecture: amd64\nMulti-Arch: allowed\n"
            );
            dice.relations(number, &mut stanza);
            write!(
                packages,
                "{stanza}Filename: pool/p{number}.deb\nSize: 9\nMaintainer: m\nDescription: d\nSHA256: 0000000000000000000000000000000000000000000000000000000000000000\n\n"
            )
            .unwrap();
        }
    }
    for folder in
        ["var/lib/dpkg", "etc/apt", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial"]
    {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::write(root.join("var/lib/dpkg/status"), status).unwrap();
    fs::write(
        root.join("etc/apt/sources.list"),
        "deb [arch=amd64 trusted=yes] http://archive.example/d stable main\n",
    )
    .unwrap();
    let lists = root.join("var/lib/apt/lists/archive.example_d_dists_stable");
    let path = |end: &str| format!("{}_{end}", lists.display());
    fs::write(
        path("Release"),
        format!(
            "Origin: Debian\nSuite: stable\nCodename: stable\nDate: Mon, 21 Sep 2026 00:00:00 UTC\nArchitectures: amd64\nComponents: main\nSHA256:\n {} {} main/binary-amd64/Packages\n",
            "0".repeat(64),
            packages.len()
        ),
    )
    .unwrap();
    fs::write(path("main_binary-amd64_Packages"), packages).unwrap();
}

/// The packages that apt says it keeps back.
fn of_apt(root: &Path) -> BTreeSet<String> {
    let output = Command::new("apt-get")
        .args(["-s", "upgrade", "-o", "APT::Architecture=amd64", "-o"])
        .arg(format!("Dir={}", root.display()))
        .arg("-o")
        .arg(format!("Dir::State::status={}/var/lib/dpkg/status", root.display()))
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    let says = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{says}{}", String::from_utf8_lossy(&output.stderr));
    says.lines()
        .skip_while(|line| !line.contains("have been kept back"))
        .skip(1)
        .take_while(|line| line.starts_with(' '))
        .flat_map(str::split_whitespace)
        .map(String::from)
        .collect()
}

#[test]
fn updates_that_are_kept_back_are_those_of_apt() {
    if Command::new("apt-get").arg("--version").output().is_err() {
        return skipped("apt-get is not here");
    }
    let mut dice = Dice(20_261_123);
    let (mut kept, mut differ) = (0, Vec::new());
    for round in 0..ROUNDS {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path(), &mut dice);
        let table = table_with("candidates", &["--root", &folder.path().display().to_string()]);
        let ours: BTreeSet<String> = rows(&table)
            .iter()
            .filter(|it| {
                it["held"] == true || it["kept_back"].as_array().is_some_and(|it| !it.is_empty())
            })
            .map(|it| text(it, "name"))
            .collect();
        let theirs = of_apt(folder.path());
        kept += rows(&table)
            .iter()
            .filter(|it| it["held"] == false && ours.contains(&text(it, "name")))
            .count();
        if ours != theirs {
            differ.push(format!("round {round}: ours {ours:?}, apt's {theirs:?}"));
        }
    }
    assert!(kept > 30, "only {kept} packages were kept back in {ROUNDS} rounds");
    assert!(differ.is_empty(), "{} of {ROUNDS}: {}", differ.len(), differ.join("\n"));
}
