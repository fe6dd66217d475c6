//! What compilers noted in a program: Go's modules, crates where `cargo auditable` built it, and
//! artifacts of Maven in archives of Java.

use super::{Found, Locked, java};
use polder_host::BuildNotes;
use serde::Deserialize;

/// The registry and the libraries of a program; none where its compiler noted none.
pub(super) fn program(notes: &BuildNotes) -> Option<(&'static str, Locked)> {
    match (&notes.go, &notes.rust) {
        (Some(text), _) => Some(("Go", go(text))),
        (None, Some(text)) => Some(("crates.io", rust(text)?)),
        (None, None) => Some(("Maven", java::archives(notes.java.as_ref()?))),
    }
}

/// Lines `dep NAME VERSION HASH`; one that begins with `=>` takes the place of the one before.
fn go(text: &str) -> Locked {
    let mut found = Found { ecosystem: "Go", locked: Locked::default() };
    let mut lines = text.lines();
    // The standard library has flaws, too, and the release of the compiler.
    if let Some(release) = lines.next().and_then(|it| it.strip_prefix("go")) {
        found.add("stdlib", release.split([' ', '-']).next().unwrap_or(release));
    }
    let mut last: Option<(&str, &str)> = None;
    for line in lines {
        let parts: Vec<&str> = line.split('\t').collect();
        match parts.as_slice() {
            ["dep", name, version, ..] => {
                if let Some((name, version)) = last.replace((name, version)) {
                    found.add(name, version);
                }
            }
            // The program itself, where it was built from a release.
            ["mod", name, version, ..] if version.starts_with('v') => found.add(name, version),
            // A folder in its place has no version of its own.
            ["=>", name, version, ..] => {
                last = None;
                found.add(name, version);
            }
            _ => {}
        }
    }
    if let Some((name, version)) = last {
        found.add(name, version);
    }
    found.locked
}

fn rust(text: &str) -> Option<Locked> {
    #[derive(Deserialize)]
    struct Notes {
        packages: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        version: String,
        source: String,
        #[serde(default)]
        kind: String,
    }
    let notes: Notes = serde_json::from_str(text).ok()?;
    let mut found = Found { ecosystem: "crates.io", locked: Locked::default() };
    // What only the build needed is not in the program.
    for it in notes.packages.iter().filter(|it| it.kind != "build") {
        match it.source.as_str() {
            "crates.io" => found.add(&it.name, &it.version),
            "local" => {}
            _ => found.elsewhere(),
        }
    }
    Some(found.locked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(locked: &Locked) -> Vec<String> {
        locked.libraries.iter().map(|it| format!("{} {}", it.name, it.version)).collect()
    }

    #[test]
    fn modules_of_go_may_be_replaced() {
        let text = "go1.21.3 X:none\npath\tx\nmod\tx\tv0.9.0\t\ndep\ta/b\tv1.2.3\th1:\ndep\tc\tv1.0.0\n=>\td\tv2.0.0+incompatible\th1:\ndep\te\tv0.1.0\n=>\t./e\t(devel)\n";
        let found = go(text);
        assert_eq!(
            names(&found),
            ["a/b 1.2.3", "d 2.0.0+incompatible", "stdlib 1.21.3", "x 0.9.0"]
        );
        assert_eq!(found.elsewhere, 1);
    }

    #[test]
    fn crates_of_the_registry_count_without_those_of_the_build() {
        let text = r#"{"packages":[{"name":"a","version":"1.0.0","source":"crates.io"},
            {"name":"cc","version":"1.0.1","source":"crates.io","kind":"build"},
            {"name":"own","version":"0.1.0","source":"local","root":true},
            {"name":"g","version":"0.1.0","source":"git"}]}"#;
        let found = rust(text).unwrap_or_default();
        assert_eq!(names(&found), ["a 1.0.0"]);
        assert_eq!(found.elsewhere, 1);
        assert!(rust("{").is_none());
    }
}
