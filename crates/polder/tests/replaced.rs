//! A library is upgraded under processes that use it: plainly, in a chroot, in a mount namespace.
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

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::{Running, rows, skipped, table, text};

/// Loads a library, after a chroot if it is told to, and maps all that is code but no file: memory
/// without a name, shared memory of System V, `/dev/zero`, code made at run time.
const HOLD: &str = r#"
import ctypes, mmap, os, sys
library, root = sys.argv[1], sys.argv[2]
if root:
    os.chroot(root)
held = [ctypes.CDLL(library)]
libc = ctypes.CDLL(None)
code = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
named = os.memfd_create("jit")
os.ftruncate(named, 4096)
held.append(mmap.mmap(named, 4096, mmap.MAP_SHARED, code))
held.append(mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, code))
if not root:
    zero = os.open("/dev/zero", os.O_RDWR)
    held.append(mmap.mmap(zero, 4096, mmap.MAP_SHARED, code))
libc.shmat.restype = ctypes.c_void_p
shared = libc.shmget(0, 4096, 0o1600)
held.append(libc.shmat(shared, None, 0o100000))
libc.shmctl(shared, 0, None)
print("held", flush=True)
sys.stdin.read()
"#;

fn hold(mut command: Command, library: &Path, root: &str) -> Running {
    let mut child = command
        .args(["-c", HOLD, &library.display().to_string(), root])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "held");
    Running(child)
}

/// A library that needs nothing but the C library.
fn library() -> Option<PathBuf> {
    let folders = ["/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/lib64", "/usr/lib64"];
    let names = ["libz.so.1", "libbz2.so.1.0", "liblzma.so.5"];
    let mut paths =
        folders.iter().flat_map(|it| names.iter().map(move |name| format!("{it}/{name}")));
    paths.find(|it| Path::new(it).exists()).map(PathBuf::from)
}

fn replaced(looked: &Value, pid: u32) -> Vec<String> {
    let rows = rows(looked);
    let mine = rows.iter().find(|it| it["pid"] == pid).unwrap_or_else(|| panic!("no {pid}"));
    let files = mine["replaced"].as_array().unwrap();
    files.iter().map(|it| format!("{} {}", text(it, "how"), text(it, "path"))).collect()
}

#[test]
fn a_library_upgraded_under_a_process_is_seen_and_nothing_else_is() {
    let python = "/usr/bin/python3";
    let (true, Some(from)) = (Path::new(python).exists(), library()) else {
        return skipped("`python3` and a small library are not installed");
    };
    if !rustix::process::geteuid().is_root() {
        return skipped("a chroot and a mount namespace take root");
    }
    // Not below /tmp: what is mapped from there is scratch.
    let Ok(folder) = tempfile::Builder::new().prefix("polder-test-").tempdir_in("/opt") else {
        return skipped("`/opt` cannot be written to");
    };
    let root = folder.path().join("root");
    let paths = [folder.path().join("libheld.so"), root.join("lib/libheld.so")];
    for path in &paths {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(&from, path).unwrap();
    }
    let plain = hold(Command::new(python), &paths[0], "");
    let below =
        hold(Command::new(python), Path::new("/lib/libheld.so"), &root.display().to_string());
    let mut apart = Command::new("unshare");
    apart.args(["--mount", "--propagation", "private", python]);
    let apart = hold(apart, &paths[0], "");
    let others: Vec<Running> =
        (0..120).map(|_| Running(Command::new("sleep").arg("60").spawn().unwrap())).collect();
    let looked = table("processes");
    for it in [&plain, &below, &apart] {
        assert!(replaced(&looked, it.0.id()).is_empty(), "{:?}", replaced(&looked, it.0.id()));
    }
    // As package managers do it: a new file beside, then in its place.
    for path in &paths {
        let fresh = path.with_extension("new");
        fs::copy(&from, &fresh).unwrap();
        fs::rename(&fresh, path).unwrap();
    }
    let looked = table("processes");
    for (it, name) in [(&plain, "plain"), (&below, "in a chroot"), (&apart, "in a namespace")] {
        let found = replaced(&looked, it.0.id());
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        assert!(found[0].ends_with("libheld.so"), "{name}: {found:?}");
    }
    for it in &others {
        assert!(replaced(&looked, it.0.id()).is_empty());
    }
}
