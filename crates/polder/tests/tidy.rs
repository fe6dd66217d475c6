//! The house stays as it was drawn: layers, headers, rooms, lengths, generated pages.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test may panic, and looks at the machine it runs on"
)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use support::{repository, run};

/// Crates from the ground up; each uses only what stands before it.
const LAYERS: [&str; 12] = [
    "polder-sys",
    "polder-model",
    "polder-host",
    "polder-facts",
    "polder-advisories",
    "polder-integrity",
    "polder-practices",
    "polder-risk",
    "polder-store",
    "polder-apply",
    "polder-report",
    "polder",
];

/// Longest source file.
const LINES_MAX: usize = 800;

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && !matches!(name, "target" | ".git" | "node_modules") {
            files.extend(sources(&path));
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn every_crate_uses_only_what_stands_before_it() {
    for (at, name) in LAYERS.iter().enumerate() {
        let manifest =
            fs::read_to_string(repository().join("crates").join(name).join("Cargo.toml")).unwrap();
        let normal = manifest.split("[dev-dependencies]").next().unwrap();
        for other in &LAYERS[at..] {
            assert!(!normal.contains(&format!("\n{other}.workspace")), "{name} uses {other}");
        }
    }
    let pure = fs::read_to_string(repository().join("crates/polder-practices/Cargo.toml")).unwrap();
    let normal = pure.split("[dev-dependencies]").next().unwrap();
    assert!(
        !normal.contains("polder-host") && !normal.contains("polder-facts"),
        "rooms judge facts; they never look"
    );
}

#[test]
fn every_file_says_what_it_is_for_and_is_not_too_long() {
    for path in sources(&repository()) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//! "), "{} has no header", path.display());
        assert!(text.lines().count() <= LINES_MAX, "{} is too long", path.display());
    }
}

#[test]
fn unsafe_code_stays_in_one_crate() {
    let manifest = fs::read_to_string(repository().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("unsafe_code = \"forbid\""));
    for path in fs::read_dir(repository().join("crates")).unwrap() {
        let path = path.unwrap().path();
        let manifest = fs::read_to_string(path.join("Cargo.toml")).unwrap();
        // What no crate wraps stands in one of its own, each block with its reason.
        let holds = match path.ends_with("polder-sys") {
            true => manifest.contains("undocumented_unsafe_blocks = \"warn\""),
            false => manifest.contains("[lints]\nworkspace = true"),
        };
        assert!(holds, "{manifest}");
    }
}

#[test]
fn every_room_has_the_same_doors() {
    let rooms = repository().join("crates/polder-practices/src");
    for practice in polder_practices::PRACTICES {
        let room = rooms.join(practice.about().id.replace('-', "_"));
        for file in ["mod.rs", "assess.rs", "treat.rs", "cases.md"] {
            assert!(room.join(file).is_file(), "{} has no {file}", room.display());
        }
    }
}

#[test]
fn generated_pages_are_current() {
    let folder = tempfile::tempdir().unwrap();
    for (what, place) in [
        ("docs", "docs"),
        ("schemas", "docs/schemas"),
        ("man", "docs/man"),
        ("completions", "docs/completions"),
    ] {
        let fresh = folder.path().join(what);
        assert!(run(&["generate", what, fresh.to_str().unwrap()]).status.success());
        for entry in fs::read_dir(&fresh).unwrap() {
            let path = entry.unwrap().path();
            let kept = repository().join(place).join(path.file_name().unwrap());
            let kept_text = fs::read_to_string(&kept).unwrap_or_default();
            assert_eq!(
                fs::read_to_string(&path).unwrap(),
                kept_text,
                "{} is stale: run `cargo xtask generate`",
                kept.display()
            );
        }
    }
}

#[test]
fn the_readme_shows_what_the_program_prints() {
    let readme = fs::read_to_string(repository().join("README.md")).unwrap();
    let block =
        readme.split("```console\n").find(|it| it.starts_with("$ polder assess --from")).unwrap();
    let block = block.split("```").next().unwrap();
    let (command, shown) = block.split_once('\n').unwrap();
    let mut arguments: Vec<&str> = command.split(' ').skip(2).collect();
    let output =
        support::polder(&arguments.split_off(0)).current_dir(repository()).output().unwrap();
    assert_eq!(support::stdout(&output), shown, "the README shows something else");
}
