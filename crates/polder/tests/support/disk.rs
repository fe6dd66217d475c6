//! A disk of its own for tests that change file systems, and ways to change them.

use super::run;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A root file system of its own on an image that is mounted for as long as the test runs, and the state
/// beside it.
pub(crate) struct Disk {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) root: PathBuf,
    /// What others mount would be told as mounted: one at a time, but for a second one of the same test.
    _alone: Option<MutexGuard<'static, ()>>,
}

pub(crate) static ALONE: Mutex<()> = Mutex::new(());

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.root).status();
    }
}

/// Runs a program that must succeed.
#[track_caller]
pub(crate) fn must(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let says = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {says}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

impl Disk {
    /// None where images cannot be mounted here.
    pub(crate) fn new() -> Option<Self> {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        Self::beside(Some(alone))
    }

    pub(crate) fn beside(alone: Option<MutexGuard<'static, ()>>) -> Option<Self> {
        Self::made_by(&["mkfs.ext4", "-q", "-F"], 64, alone)
    }

    /// A disk of so many MiB with another file system.
    pub(crate) fn of(maker: &[&str], size: u64) -> Option<Self> {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        Self::made_by(maker, size, Some(alone))
    }

    fn made_by(maker: &[&str], size: u64, _alone: Option<MutexGuard<'static, ()>>) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let (image, root) = (folder.path().join("image"), folder.path().join("root"));
        fs::create_dir(&root).unwrap();
        fs::File::create(&image).unwrap().set_len(size << 20).unwrap();
        let mut command = Command::new(maker[0]);
        command.args(&maker[1..]).arg(&image);
        if !command.output().is_ok_and(|it| it.status.success()) {
            return None;
        }
        let mounted = Command::new("mount")
            .args(["-o", "loop", image.to_str().unwrap(), root.to_str().unwrap()])
            .output();
        if !mounted.is_ok_and(|it| it.status.success()) {
            return None;
        }
        let disk = Self { folder, root, _alone };
        let path = disk.root.display();
        let config = format!(
            "[baseline]\ndefaults = false\nwatch = [\"{path}\"]\ngrows = [\"{path}/var/log\"]\nvolatile = [\"{path}/tmp\"]\n"
        );
        fs::write(disk.folder.path().join("polder.toml"), config).unwrap();
        fs::write(disk.folder.path().join("passphrase"), "correct horse battery\n").unwrap();
        Some(disk)
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn polder(&self, arguments: &[&str]) -> std::process::Output {
        let state = format!("--state={}", self.folder.path().join("state").display());
        let config = format!("--config={}", self.folder.path().join("polder.toml").display());
        let passphrase =
            format!("--passphrase-file={}", self.folder.path().join("passphrase").display());
        let mut all = vec!["baseline"];
        all.extend(arguments);
        all.extend([state.as_str(), config.as_str()]);
        if ["init", "accept"].contains(&arguments[0]) {
            all.push(&passphrase);
        }
        run(&all)
    }

    #[track_caller]
    pub(crate) fn init(&self) {
        // What was changed within the last seconds is read again each time; here it is not wanted.
        must("sync", &[]);
        let output = self.polder(&["init"]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// The answer of a check with its exit code.
    #[track_caller]
    pub(crate) fn check(&self, more: &[&str]) -> (Value, i32) {
        let output = self.polder(&[&["check", "--json"], more].concat());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let says = String::from_utf8_lossy(&output.stderr).into_owned();
        let value = serde_json::from_str(&text);
        (value.unwrap_or_else(|_| panic!("{text}{says}")), output.status.code().unwrap())
    }

    /// What a check tells: path below the root, what, and the differences.
    #[track_caller]
    pub(crate) fn told(&self, more: &[&str]) -> Vec<String> {
        let (value, _) = self.check(more);
        let root = format!("{}/", self.root.display());
        let line = |it: &Value| {
            let differences = it["differences"].as_array().unwrap();
            let differences: Vec<&str> = differences.iter().filter_map(Value::as_str).collect();
            format!(
                "{} {}: {}",
                it["path"].as_str().unwrap().trim_start_matches(&root),
                it["what"].as_str().unwrap(),
                differences.join("; ")
            )
        };
        value["changes"].as_array().unwrap().iter().map(line).collect()
    }
}

/// Files of a small host, made some time ago.
pub(crate) fn furnish(disk: &Disk) {
    for path in ["usr/bin/su", "usr/bin/ls", "etc/passwd", "etc/pam.d/sshd", "srv/shop/index.php"] {
        disk.write(path, format!("{path}\n"));
    }
    for number in 0..600 {
        disk.write(&format!("usr/share/many/{number}"), format!("{number}\n"));
    }
    disk.write("var/log/auth.log", "one\ntwo\n");
    disk.write("tmp/session", "x");
}

pub(crate) fn file(disk: &Disk, path: &str) {
    disk.write(path, format!("as it was: {path}\n"));
}

pub(crate) fn nothing(disk: &Disk, path: &str) {
    fs::create_dir_all(disk.at(path).parent().unwrap()).unwrap();
}

pub(crate) fn folder(disk: &Disk, path: &str) {
    disk.write(&format!("{path}/inside"), "x");
}

pub(crate) fn link(disk: &Disk, path: &str) {
    nothing(disk, path);
    symlink("/usr/bin/mawk", disk.at(path)).unwrap();
}

pub(crate) fn log(disk: &Disk, path: &str) {
    disk.write(path, "one\ntwo\nthree\n");
}

pub(crate) fn add(disk: &Disk, path: &str) {
    disk.write(path, "#!/bin/sh\n");
}

pub(crate) fn append(disk: &Disk, path: &str) {
    let text = fs::read(disk.at(path)).unwrap();
    disk.write(path, [text.as_slice(), b"more\n"].concat());
}

pub(crate) fn remove(disk: &Disk, path: &str) {
    let path = disk.at(path);
    if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
}

pub(crate) fn mode(disk: &Disk, path: &str, mode: u32) {
    fs::set_permissions(disk.at(path), fs::Permissions::from_mode(mode)).unwrap();
}

pub(crate) fn shell(disk: &Disk, path: &str, script: &str) {
    must("sh", &["-ec", script, "sh", disk.at(path).to_str().unwrap()]);
}
