//! A root of Alpine, with indices as apk caches them.
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

use std::fs;
use std::path::Path;
use std::process::Command;
use support::{rows, table_with, text};

const INSTALLED: &str = "C:Q1=\nP:busybox\nV:1.36.1-r2\nA:x86_64\no:busybox\nF:bin\nR:busybox\n\nP:ssl_client\nV:1.36.1-r2\nA:x86_64\no:busybox\n\nP:held\nV:1.0-r0\nA:x86_64\n\nP:tagged\nV:1.0-r0\nA:x86_64\n\nP:local\nV:9-r0\nA:x86_64\n\n";

const MAIN: &str = "P:busybox\nV:1.36.1-r15\nA:x86_64\nS:500\no:busybox\n\nP:busybox\nV:1.36.1-r9\nA:x86_64\no:busybox\n\nP:ssl_client\nV:1.36.1-r2\nA:x86_64\no:busybox\n\nP:held\nV:1.1_rc1-r0\nA:x86_64\no:held\n\n";

const EDGE: &str = "P:busybox\nV:2.0-r0\nA:x86_64\n\nP:tagged\nV:2.0-r0\nA:x86_64\n\n";

/// A signature and an archive with the index, each compressed for itself.
fn index(work: &Path, to: &Path, text: &str) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    let mut all = Vec::new();
    for (name, content) in [(".SIGN.RSA.key", "signature"), ("APKINDEX", text)] {
        fs::write(work.join(name), content).unwrap();
        let tar = Command::new("tar").current_dir(work).args(["-cz", name]).output().unwrap();
        all.extend(tar.stdout);
    }
    fs::write(to, all).unwrap();
}

fn look(root: &Path, table: &str) -> serde_json::Value {
    table_with(table, &["--root", &root.display().to_string()])
}

#[test]
fn waiting_updates_come_from_the_configured_repositories_only() {
    let folder = tempfile::tempdir().unwrap();
    let (work, root) = (folder.path(), folder.path().join("root"));
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("lib/apk/db/installed", INSTALLED);
    write("etc/apk/arch", "x86_64\n");
    write("etc/apk/world", "busybox\nheld=1.0-r0\ntagged@edge\n");
    write(
        "etc/apk/repositories",
        "# mirrors\nhttp://dl-cdn.alpinelinux.org/alpine/v3.12/main\n@edge http://dl-cdn.alpinelinux.org/alpine/edge/main\n",
    );
    let looked = look(&root, "candidates");
    assert_eq!(looked["coverage"]["state"], "not_looked", "{looked}");
    let cache = root.join("var/cache/apk");
    index(work, &cache.join("APKINDEX.2c4ac24e.tar.gz"), MAIN);
    let looked = look(&root, "candidates");
    assert_eq!(looked["coverage"]["state"], "partial", "{looked}");
    index(work, &cache.join("APKINDEX.066df28d.tar.gz"), EDGE);
    // An index nobody configured says nothing.
    index(work, &cache.join("APKINDEX.00000000.tar.gz"), "P:busybox\nV:9-r0\n\n");
    let looked = look(&root, "candidates");
    assert_eq!(looked["coverage"]["state"], "complete", "{looked}");
    let found: Vec<String> = rows(&looked)
        .iter()
        .map(|it| {
            let from = it["offered_by"][0].as_str().unwrap();
            format!("{} {} {from} {}", text(it, "name"), text(it, "candidate"), it["held"])
        })
        .collect();
    assert_eq!(
        found,
        [
            "busybox 1.36.1-r15 alpine/v3.12/main false",
            "held 1.1_rc1-r0 alpine/v3.12/main true",
            "tagged 2.0-r0 alpine/edge/main false",
        ]
    );
    let packages = look(&root, "packages");
    let without: Vec<String> = rows(&packages)
        .iter()
        .filter(|it| it["origins"].as_array().is_some_and(Vec::is_empty))
        .map(|it| text(it, "name"))
        .collect();
    assert_eq!(without, ["local"]);
    // A cut index is no answer.
    let path = cache.join("APKINDEX.2c4ac24e.tar.gz");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 30]).unwrap();
    assert_eq!(look(&root, "candidates")["coverage"]["state"], "partial");
}
