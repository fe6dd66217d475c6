//! Files of SQLite: who may open them, and the modes that those who have them open need.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test may panic, and looks at the machine it runs on"
)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// The smallest database there is: one page of 512 bytes, with no table (Database File Format, 1.3 and 1.6).
fn empty_database() -> Vec<u8> {
    let mut page = vec![0u8; 512];
    page[..16].copy_from_slice(b"SQLite format 3\0");
    page[16..18].copy_from_slice(&512u16.to_be_bytes());
    page[18..24].copy_from_slice(&[1, 1, 0, 64, 32, 32]);
    page[31] = 1;
    page[47] = 4;
    page[59] = 1;
    page[100] = 13;
    page[105..107].copy_from_slice(&512u16.to_be_bytes());
    page
}

fn run(state: &Path, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_polder"))
        .arg("--state")
        .arg(state)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |it: &[u8]| String::from_utf8_lossy(it).into_owned();
    (output.status.code().unwrap(), text(&output.stdout) + &text(&output.stderr))
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_file_that_everyone_may_open_is_kept_for_those_who_do() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let served = folder.path().join("public");
    std::fs::create_dir(&served).unwrap();
    let path = served.join("it's a.db");
    std::fs::write(&path, empty_database()).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
    let wal = served.join("it's a.db-wal");
    std::fs::write(&wal, b"").unwrap();
    std::fs::set_permissions(&wal, PermissionsExt::from_mode(0o644)).unwrap();
    let state = folder.path().join("state");
    let said = format!("sqlite:{}", path.display());
    let (code, out) = run(&state, &["access", "audit", "everyone", "--server", &said]);
    assert!(
        code == 0 && out.contains("mode 0666") && out.contains("a folder `public`"),
        "{code} {out}"
    );
    // Who opens it is not known while nobody does.
    let (code, out) = run(&state, &["access", "apply", "everyone", "--server", &said, "--yes"]);
    assert!(code == 3 && out.contains("nobody has the file open"), "{code} {out}");
    let open = std::fs::File::open(&path).unwrap();
    let (code, out) = run(&state, &["access", "apply", "everyone", "--server", &said, "--yes"]);
    assert!(code == 0 && out.contains("The proof holds"), "{code} {out}");
    assert_eq!((mode(&path), mode(&wal)), (0o660, 0o640));
    let (code, out) = run(&state, &["undo"]);
    assert_eq!(code, 0, "{out}");
    assert_eq!((mode(&path), mode(&wal)), (0o666, 0o644));
    drop(open);
    // What is no database is said.
    std::fs::write(served.join("b"), "no").unwrap();
    let other = format!("sqlite:{}", served.join("b").display());
    let (code, out) = run(&state, &["access", "audit", "everyone", "--server", &other]);
    assert!(code == 3 && out.contains("no database of SQLite"), "{code} {out}");
    let (code, out) = run(&state, &["access", "watch", "everyone", "--server", &said]);
    assert!(code == 2 && out.contains("says nobody"), "{code} {out}");
}
