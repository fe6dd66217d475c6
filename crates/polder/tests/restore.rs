//! What was changed is put back as the baseline knows it, and that can be taken back.
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
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::Output;
use support::disk::{Disk, must};
use support::{run, skipped, stderr, stdout};

impl Disk {
    fn restore(&self, path: &str, more: &[&str]) -> Output {
        let state = format!("--state={}", self.folder.path().join("state").display());
        let config = format!("--config={}", self.folder.path().join("polder.toml").display());
        let path = self.at(path).display().to_string();
        run(&[&["restore", &path, &state, &config], more].concat())
    }

    fn undo(&self) -> Output {
        run(&["undo", &format!("--state={}", self.folder.path().join("state").display())])
    }
}

fn disk() -> Option<Disk> {
    let Some(disk) = Disk::new().filter(|_| support::is_debian_root()) else {
        skipped("no image can be mounted here");
        return None;
    };
    disk.write("etc/setting", "as it was\n");
    disk.write("etc/list", "x\n");
    disk.write("usr/bin/tool", "program\n");
    symlink("tool", disk.at("usr/bin/link")).unwrap();
    disk.init();
    Some(disk)
}

#[test]
fn rights_links_and_what_was_added_are_put_back_and_taken_back() {
    let Some(disk) = disk() else { return };
    let tool = disk.at("usr/bin/tool");
    must("chown", &["daemon:daemon", tool.to_str().unwrap()]);
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o4755)).unwrap();
    must("setfattr", &["-n", "user.note", "-v", "x", tool.to_str().unwrap()]);
    let shown = disk.restore("usr/bin/tool", &["--dry-run"]);
    assert!(stdout(&shown).contains("-> 0644"), "{}{}", stdout(&shown), stderr(&shown));
    let done = disk.restore("usr/bin/tool", &["--yes"]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    let metadata = fs::metadata(&tool).unwrap();
    assert_eq!((metadata.mode() & 0o7777, metadata.uid()), (0o644, 0));
    assert_eq!(disk.told(&[]), [""; 0]);
    assert!(disk.undo().status.success());
    assert_eq!(fs::metadata(&tool).unwrap().mode() & 0o7777, 0o4755);

    let link = disk.at("usr/bin/link");
    fs::remove_file(&link).unwrap();
    symlink("/tmp/evil", &link).unwrap();
    assert_eq!(disk.restore("usr/bin/link", &["--yes"]).status.code(), Some(0));
    assert_eq!(fs::read_link(&link).unwrap().to_str(), Some("tool"));
    assert!(disk.undo().status.success());
    assert_eq!(fs::read_link(&link).unwrap().to_str(), Some("/tmp/evil"));

    disk.write("usr/bin/added", "evil\n");
    let done = disk.restore("usr/bin/added", &["--yes"]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    assert!(!disk.at("usr/bin/added").exists());
    // Nothing is lost: what was there may be evidence.
    assert!(disk.undo().status.success());
    assert_eq!(fs::read_to_string(disk.at("usr/bin/added")).unwrap(), "evil\n");
}

#[test]
fn what_is_put_back_gets_no_rights_from_its_folder() {
    let Some(disk) = disk() else { return };
    let folder = disk.at("usr/bin").display().to_string();
    let Ok(output) =
        std::process::Command::new("setfacl").args(["-d", "-m", "u:daemon:rwx", &folder]).output()
    else {
        return skipped("there is no setfacl");
    };
    assert!(output.status.success());
    let tool = disk.at("usr/bin/tool");
    must("chmod", &["4755", tool.to_str().unwrap()]);
    let done = disk.restore("usr/bin/tool", &["--yes"]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    let list = must("getfacl", &["--absolute-names", tool.to_str().unwrap()]);
    assert!(!list.contains("daemon"), "{list}");
    // Only a time: nothing but words.
    must("touch", &["-d", "2001-01-01", tool.to_str().unwrap()]);
    let done = disk.restore("usr/bin/tool", &["--yes"]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
}

#[test]
fn what_cannot_be_put_back_is_said_and_nothing_is_changed() {
    let Some(disk) = disk() else { return };
    disk.write("usr/bin/tool", "other\n");
    let refused = disk.restore("usr/bin/tool", &["--yes"]);
    assert_eq!(refused.status.code(), Some(3));
    assert!(stderr(&refused).contains("take it from a backup"), "{}", stderr(&refused));
    assert_eq!(fs::read_to_string(disk.at("usr/bin/tool")).unwrap(), "other\n");
    let same = disk.restore("etc/list", &["--yes"]);
    assert_eq!(same.status.code(), Some(0));
    assert!(stdout(&same).contains("Nothing was changed"), "{}", stdout(&same));
    fs::set_permissions(disk.at("usr/bin"), fs::Permissions::from_mode(0o777)).unwrap();
    let folder = disk.restore("usr/bin", &["--yes"]);
    assert_eq!(folder.status.code(), Some(2));
    assert!(stderr(&folder).contains("chmod 755"), "{}", stderr(&folder));
    assert_eq!(disk.restore("usr/none", &[]).status.code(), Some(2));
    // What lay in a folder that is gone, or that something is mounted on, is not "as it was".
    disk.write("srv/a/file", "x");
    disk.write("srv/b/file", "x");
    assert!(disk.polder(&["accept", "--yes", "--because", "two folders"]).status.success());
    fs::rename(disk.at("srv/a"), disk.at("srv/moved")).unwrap();
    let gone = disk.restore("srv/a/file", &["--yes"]);
    assert_eq!(gone.status.code(), Some(2), "{}", stdout(&gone));
    assert!(stderr(&gone).contains("is gone"), "{}", stderr(&gone));
    let over = disk.at("srv/b");
    must("mount", &["-t", "tmpfs", "none", over.to_str().unwrap()]);
    let hidden = disk.restore("srv/b/file", &["--yes"]);
    let folder = disk.restore("srv/b", &["--yes"]);
    must("umount", &[over.to_str().unwrap()]);
    assert_eq!(hidden.status.code(), Some(2), "{}", stdout(&hidden));
    assert!(stderr(&folder).contains("umount"), "{}", stderr(&folder));
    fs::write(disk.at("etc/list"), "y\n").unwrap();
    // Without a terminal nobody is asked, and nothing done.
    let unasked = disk.restore("etc/list", &[]);
    assert_ne!(unasked.status.code(), Some(0));
    assert_eq!(fs::read_to_string(disk.at("etc/list")).unwrap(), "y\n");
}

#[test]
fn a_setting_comes_back_from_its_copy() {
    if !support::is_debian_root() {
        return;
    }
    // In a namespace of its own: `/etc` of this machine stays as it is.
    let folder = tempfile::tempdir().unwrap();
    let script = r#"
        set -e
        mount --make-rprivate /
        mount -t tmpfs none /etc/apt
        echo "as it was" > /etc/apt/setting
        printf '[baseline]\ndefaults = false\nwatch = ["/etc/apt"]\n' > "$1/polder.toml"
        echo "correct horse battery" > "$1/passphrase"
        flags="--state=$1/state --config=$1/polder.toml"
        "$2" baseline init $flags --passphrase-file "$1/passphrase" > /dev/null
        echo "altered" > /etc/apt/setting
        "$2" restore /etc/apt/setting --yes $flags
        cat /etc/apt/setting
    "#;
    let output = std::process::Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(folder.path())
        .arg(env!("CARGO_BIN_EXE_polder"))
        .output()
        .unwrap();
    let says = stderr(&output);
    assert!(output.status.success(), "{says}");
    assert!(stdout(&output).ends_with("as it was\n"), "{}{says}", stdout(&output));
}
