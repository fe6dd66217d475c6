//! The baseline against a file system of its own: what is changed is told, and nothing else.
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
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use support::{repository, run, skipped};

/// A root file system of its own on an image that is mounted for as long as the test runs, and the state
/// beside it.
struct Disk {
    folder: tempfile::TempDir,
    root: PathBuf,
    /// What others mount would be told as mounted: one at a time, but for a second one of the same test.
    _alone: Option<MutexGuard<'static, ()>>,
}

static ALONE: Mutex<()> = Mutex::new(());

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.root).status();
    }
}

/// Runs a program that must succeed.
#[track_caller]
fn must(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let says = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {says}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

impl Disk {
    /// None where images cannot be mounted here.
    fn new() -> Option<Self> {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        Self::beside(Some(alone))
    }

    fn beside(_alone: Option<MutexGuard<'static, ()>>) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let (image, root) = (folder.path().join("image"), folder.path().join("root"));
        fs::create_dir(&root).unwrap();
        fs::File::create(&image).unwrap().set_len(64 << 20).unwrap();
        must("mkfs.ext4", &["-q", "-F", image.to_str().unwrap()]);
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

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn polder(&self, arguments: &[&str]) -> std::process::Output {
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
    fn init(&self) {
        // What was changed within the last seconds is read again each time; here it is not wanted.
        must("sync", &[]);
        let output = self.polder(&["init"]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// The answer of a check with its exit code.
    #[track_caller]
    fn check(&self, more: &[&str]) -> (Value, i32) {
        let output = self.polder(&[&["check", "--json"], more].concat());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let says = String::from_utf8_lossy(&output.stderr).into_owned();
        let value = serde_json::from_str(&text);
        (value.unwrap_or_else(|_| panic!("{text}{says}")), output.status.code().unwrap())
    }

    /// What a check tells: path below the root, what, and the differences.
    #[track_caller]
    fn told(&self, more: &[&str]) -> Vec<String> {
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
fn furnish(disk: &Disk) {
    for path in ["usr/bin/su", "usr/bin/ls", "etc/passwd", "etc/pam.d/sshd", "srv/shop/index.php"] {
        disk.write(path, format!("{path}\n"));
    }
    for number in 0..600 {
        disk.write(&format!("usr/share/many/{number}"), format!("{number}\n"));
    }
    disk.write("var/log/auth.log", "one\ntwo\n");
    disk.write("tmp/session", "x");
}

#[test]
fn what_is_not_touched_is_told_by_the_table_of_inodes() {
    let Some(disk) = Disk::new() else { return skipped("no image can be mounted here") };
    furnish(&disk);
    disk.init();
    let (value, code) = disk.check(&[]);
    assert_eq!((code, value["changes"].as_array().unwrap().len()), (0, 0), "{value:#}");
    assert!(value["inodes"].as_u64().unwrap() > 600, "{value:#}");
    disk.write("usr/share/many/new", "x");
    fs::set_permissions(disk.at("usr/bin/su"), fs::Permissions::from_mode(0o4755)).unwrap();
    fs::write(disk.at("tmp/other"), "comes and goes").unwrap();
    let told = disk.told(&[]);
    assert_eq!(told, ["usr/bin/su changed: mode 0644 -> 4755", "usr/share/many/new added: "]);
}

/// One way to tamper with a host: what it is called in the documentation, what is there before, and what
/// is done to it. The path is that of which a check must tell.
struct Case {
    name: &'static str,
    path: &'static str,
    before: fn(&Disk, &str),
    tamper: fn(&Disk, &str),
    /// A word that the check must say of it.
    says: &'static str,
}

fn file(disk: &Disk, path: &str) {
    disk.write(path, format!("as it was: {path}\n"));
}

fn nothing(disk: &Disk, path: &str) {
    fs::create_dir_all(disk.at(path).parent().unwrap()).unwrap();
}

fn folder(disk: &Disk, path: &str) {
    disk.write(&format!("{path}/inside"), "x");
}

fn link(disk: &Disk, path: &str) {
    nothing(disk, path);
    symlink("/usr/bin/mawk", disk.at(path)).unwrap();
}

fn log(disk: &Disk, path: &str) {
    disk.write(path, "one\ntwo\nthree\n");
}

fn add(disk: &Disk, path: &str) {
    disk.write(path, "#!/bin/sh\n");
}

fn append(disk: &Disk, path: &str) {
    let text = fs::read(disk.at(path)).unwrap();
    disk.write(path, [text.as_slice(), b"more\n"].concat());
}

fn remove(disk: &Disk, path: &str) {
    let path = disk.at(path);
    if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
}

fn mode(disk: &Disk, path: &str, mode: u32) {
    fs::set_permissions(disk.at(path), fs::Permissions::from_mode(mode)).unwrap();
}

fn shell(disk: &Disk, path: &str, script: &str) {
    must("sh", &["-ec", script, "sh", disk.at(path).to_str().unwrap()]);
}

const fn case(
    name: &'static str,
    path: &'static str,
    before: fn(&Disk, &str),
    tamper: fn(&Disk, &str),
    says: &'static str,
) -> Case {
    Case { name, path, before, tamper, says }
}

/// Every way, each on a path of its own.
const CASES: &[Case] = &[
    case(
        "content written, time put back",
        "usr/bin/back",
        file,
        |d, p| {
            shell(
                d,
                p,
                "touch -r \"$1\" /tmp/polder-$$; printf X | dd of=\"$1\" conv=notrunc status=none; touch -r /tmp/polder-$$ \"$1\"; rm /tmp/polder-$$",
            )
        },
        "other content",
    ),
    case("content appended", "usr/bin/append", file, append, "other content"),
    case(
        "replaced by renaming, same length",
        "usr/bin/rename",
        file,
        |d, p| shell(d, p, "tr a b < \"$1\" > \"$1.new\"; mv \"$1.new\" \"$1\""),
        "other content",
    ),
    case("cut to nothing", "usr/bin/cut", file, |d, p| d.write(p, ""), "other content"),
    case("empty file filled", "usr/lib/empty", |d, p| d.write(p, ""), append, "other content"),
    case(
        "one byte of a large file",
        "usr/lib/large",
        |d, p| d.write(p, vec![7; 3 << 20]),
        |d, p| {
            fs::File::options()
                .write(true)
                .open(d.at(p))
                .unwrap()
                .write_all_at(b"x", 2_000_001)
                .unwrap();
        },
        "as long as before",
    ),
    case(
        "hole punched",
        "usr/lib/holes",
        |d, p| d.write(p, vec![7; 1 << 20]),
        |d, p| shell(d, p, "fallocate --punch-hole --offset 4096 --length 8192 \"$1\""),
        "as long as before",
    ),
    case("made executable", "etc/exec", file, |d, p| mode(d, p, 0o755), "mode 0644 -> 0755"),
    case("made set-uid", "usr/bin/suid", file, |d, p| mode(d, p, 0o4755), "does so as root"),
    case("made set-gid", "usr/bin/sgid", file, |d, p| mode(d, p, 0o2755), "with the group"),
    case("made writable for all", "etc/open", file, |d, p| mode(d, p, 0o666), "any user may write"),
    case("made unreadable", "etc/closed", file, |d, p| mode(d, p, 0), "mode 0644 -> 0000"),
    case("mode of a folder", "etc/folder", folder, |d, p| mode(d, p, 0o777), "mode 0755 -> 0777"),
    case("owner", "etc/owner", file, |d, p| shell(d, p, "chown 7 \"$1\""), "owner"),
    case("group", "etc/group2", file, |d, p| shell(d, p, "chgrp 7 \"$1\""), "owner"),
    case(
        "owner of a link",
        "etc/linkowner",
        link,
        |d, p| shell(d, p, "chown -h 7 \"$1\""),
        "owner",
    ),
    case(
        "file capability",
        "usr/bin/capable",
        file,
        |d, p| shell(d, p, "setcap cap_setuid+ep \"$1\""),
        "cap_setuid",
    ),
    case(
        "attribute of a user",
        "etc/attribute",
        file,
        |d, p| shell(d, p, "setfattr -n user.note -v x \"$1\""),
        "attribute `user.note` added",
    ),
    case(
        "access control list",
        "etc/acl",
        file,
        |d, p| shell(d, p, "setfacl -m u:7:rw \"$1\""),
        "access control list added",
    ),
    case(
        "list for new files of a folder",
        "etc/aclfolder",
        folder,
        |d, p| shell(d, p, "setfacl -d -m u:7:rw \"$1\""),
        "for new files added",
    ),
    case(
        "made immutable",
        "etc/immutable",
        file,
        |d, p| shell(d, p, "chattr +i \"$1\""),
        "immutable",
    ),
    case(
        "made append-only",
        "etc/appendonly",
        file,
        |d, p| shell(d, p, "chattr +a \"$1\""),
        "append-only",
    ),
    case(
        "time of modification set",
        "etc/time",
        file,
        |d, p| shell(d, p, "touch -d 2001-02-03 \"$1\""),
        "time of modification",
    ),
    case(
        "second name made",
        "usr/bin/linked",
        file,
        |d, p| {
            fs::hard_link(d.at(p), d.at("usr/bin/second")).unwrap();
        },
        "names that lead to it 1 -> 2",
    ),
    case("program added", "usr/bin/added", nothing, add, "added"),
    case("hidden file added", "usr/lib/.x", nothing, add, "added"),
    case("name of blanks", "usr/bin/ ", nothing, add, "added"),
    case("name with a newline", "usr/bin/a\nb", nothing, add, "added"),
    case("name that commands terminals", "usr/bin/\u{1b}[2J", nothing, add, "added"),
    case("folder added", "usr/lib/new", nothing, folder, "with 1 below it"),
    case("file removed", "etc/removed", file, remove, "removed"),
    case("folder removed", "etc/removedfolder", folder, remove, "removed"),
    case(
        "file renamed",
        "etc/renamed",
        file,
        |d, p| {
            fs::rename(d.at(p), d.at("etc/renamed.new")).unwrap();
        },
        "removed",
    ),
    case(
        "two files exchanged",
        "etc/swapped",
        |d, p| {
            file(d, p);
            d.write("etc/swapped.2", "other");
        },
        |d, p| shell(d, p, "mv \"$1\" \"$1.3\"; mv \"$1.2\" \"$1\"; mv \"$1.3\" \"$1.2\""),
        "other content",
    ),
    case(
        "link led elsewhere",
        "etc/alternatives/awk",
        link,
        |d, p| {
            remove(d, p);
            symlink("/tmp/awk", d.at(p)).unwrap();
        },
        "leads to `/tmp/awk`",
    ),
    case(
        "link replaced by a file",
        "etc/linkfile",
        link,
        |d, p| {
            remove(d, p);
            file(d, p);
        },
        "was a symbolic link, is a file",
    ),
    case(
        "file replaced by a link",
        "etc/filelink",
        file,
        |d, p| {
            remove(d, p);
            link(d, p);
        },
        "was a file, is a symbolic link",
    ),
    case(
        "file replaced by a folder",
        "etc/filefolder",
        file,
        |d, p| {
            remove(d, p);
            folder(d, p);
        },
        "was a file, is a folder",
    ),
    case("device made", "etc/device", nothing, |d, p| shell(d, p, "mknod \"$1\" c 1 1"), "device"),
    case("disk made", "var/disk", nothing, |d, p| shell(d, p, "mknod \"$1\" b 7 99"), "device"),
    case("pipe made", "etc/pipe", nothing, |d, p| shell(d, p, "mkfifo \"$1\""), "named pipe"),
    case(
        "socket made",
        "etc/socket",
        nothing,
        |d, p| {
            drop(std::os::unix::net::UnixListener::bind(d.at(p)).unwrap());
        },
        "socket",
    ),
    case("preloaded library", "etc/ld.so.preload", nothing, add, "every program loads"),
    case("job in cron.d", "etc/cron.d/update", nothing, add, "runs commands at set times"),
    case(
        "crontab of a user",
        "var/spool/cron/crontabs/ada",
        file,
        append,
        "runs commands at set times",
    ),
    case("unit", "etc/systemd/system/x.service", nothing, add, "starts services"),
    case(
        "unit enabled",
        "etc/systemd/system/multi-user.target.wants/y.service",
        nothing,
        link,
        "starts services",
    ),
    case("keys of root", "root/.ssh/authorized_keys", file, append, "who may log in as its user"),
    case(
        "keys of a user",
        "home/ada/.ssh/authorized_keys",
        nothing,
        add,
        "who may log in as its user",
    ),
    case("rights of sudo", "etc/sudoers.d/ada", nothing, add, "who may become root"),
    case("user added", "etc/passwd", file, append, "lists the users"),
    case("password", "etc/shadow", file, append, "holds the passwords"),
    case("PAM setting", "etc/pam.d/login", file, append, "who may log in, and how"),
    case(
        "PAM module",
        "usr/lib/x86_64-linux-gnu/security/pam_unix.so",
        file,
        append,
        "sees every password",
    ),
    case("start of shells", "etc/profile.d/x.sh", nothing, add, "every shell"),
    case("shell of a user", "home/ada/.bashrc", file, append, "every shell of its user"),
    case("rule of udev", "etc/udev/rules.d/9.rules", nothing, add, "when devices come"),
    case("hook of apt", "etc/apt/apt.conf.d/99x", nothing, add, "what runs then"),
    case("script of motd", "etc/update-motd.d/99-x", nothing, add, "at each login"),
    case("kernel module", "lib/modules/6.1/extra/x.ko", nothing, add, "kernel may load"),
    case("start script", "etc/init.d/x", nothing, add, "when the system starts"),
    case(
        "hook of git",
        "srv/git/shop.git/.git/hooks/post-receive",
        nothing,
        add,
        "works with the repository",
    ),
    case("page that runs commands", "srv/shop/up/x.php", nothing, add, "data that services serve"),
    case("what dpkg believes", "var/lib/dpkg/info/su.md5sums", file, append, "what dpkg believes"),
    case("trusted certificate", "etc/ssl/certs/x.pem", nothing, add, "certificates are trusted"),
    case("log cut", "var/log/cut.log", log, |d, p| d.write(p, "one\n"), "shorter than it was"),
    case(
        "line taken out of a log",
        "var/log/line.log",
        log,
        |d, p| {
            d.write(p, "one\nTWO\nthree\nfour\n");
        },
        "does not begin with what it had",
    ),
    case("log removed", "var/log/removed.log", log, remove, "removed"),
    case(
        "set-uid program in /tmp",
        "tmp/suid",
        nothing,
        |d, p| {
            add(d, p);
            mode(d, p, 0o4755);
        },
        "does so as root",
    ),
    case(
        "program in /tmp",
        "tmp/dropper",
        nothing,
        |d, p| {
            add(d, p);
            mode(d, p, 0o755);
        },
        "added",
    ),
    case(
        "device in /tmp",
        "tmp/memory",
        nothing,
        |d, p| shell(d, p, "mknod \"$1\" c 1 1"),
        "device",
    ),
];

#[test]
fn every_way_to_tamper_is_told_with_what_it_means() {
    let Some(disk) = Disk::new() else { return skipped("no image can be mounted here") };
    furnish(&disk);
    for case in CASES {
        (case.before)(&disk, case.path);
    }
    disk.init();
    let root = format!("--root={}", disk.root.display());
    let second = format!("--state={}", disk.folder.path().join("state2").display());
    let passphrase = format!("--passphrase-file={}/passphrase", disk.folder.path().display());
    let output = run(&["baseline", "init", &root, &second, &passphrase]);
    assert!(output.status.success(), "{}", support::stderr(&output));
    let quiet = run(&["baseline", "check", &root, &second]);
    assert_eq!(quiet.status.code(), Some(0), "{}", support::stdout(&quiet));
    for case in CASES {
        (case.tamper)(&disk, case.path);
    }
    let shown = |path: &str| polder_model::printable(std::ffi::OsStr::new(path).as_bytes());
    // By the tables of inodes, and by reading everything.
    let told = disk.told(&[]);
    let output = run(&["baseline", "check", &root, &second, "--all"]);
    let text = support::stdout(&output);
    let mut missing = Vec::new();
    for case in CASES {
        let start = format!("{} ", shown(case.path));
        if !told.iter().any(|it| it.starts_with(&start)) {
            missing.push(format!("{}: not told by the tables", case.name));
        }
        let line = format!("/{}  ", shown(case.path));
        let block = text.split("\n\n").find(|it| it.starts_with(&line));
        match block {
            None => missing.push(format!("{}: not told by reading", case.name)),
            Some(block) if !block.contains(case.says) => {
                missing.push(format!("{}: does not say `{}`: {block}", case.name, case.says));
            }
            Some(_) => {}
        }
    }
    shell(&disk, "etc", "chattr -i -a \"$1\"/immutable \"$1\"/appendonly");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn the_documentation_lists_every_way() {
    let page = fs::read_to_string(repository().join("docs/baseline.md")).unwrap();
    for case in CASES {
        assert!(page.contains(&format!("| {} |", case.name)), "{}", case.name);
    }
}

#[test]
fn a_baseline_that_was_put_back_replaced_or_damaged_is_refused() {
    let Some(disk) = Disk::new() else { return skipped("no image can be mounted here") };
    furnish(&disk);
    disk.init();
    let baselines = disk.folder.path().join("state/baseline");
    let (first, second) =
        (baselines.join("generation-00000001"), baselines.join("generation-00000002"));
    disk.write("usr/bin/backdoor", "x");
    let accepted = disk.polder(&["accept", "--yes", "--because", "a test"]);
    assert!(accepted.status.success(), "{}", support::stderr(&accepted));
    assert_eq!(disk.check(&[]).1, 0);
    // The newer one is gone: the older one lies there as if nothing had been.
    let newer = fs::read(&second).unwrap();
    fs::remove_file(&second).unwrap();
    let refused = |because: &str| {
        let output = disk.polder(&["check"]);
        let says = support::stderr(&output);
        assert_eq!(output.status.code(), Some(3), "{says}");
        assert!(says.contains(because), "{says}");
    };
    refused("an older one was put back");
    // Another one of the same number, by the same key: made anew without what came between.
    fs::remove_file(&first).unwrap();
    let seen = fs::read(baselines.join("seen")).unwrap();
    fs::remove_file(baselines.join("seen")).unwrap();
    disk.init();
    fs::write(baselines.join("seen"), seen.split_inclusive(|it| *it == b'\n').next().unwrap())
        .unwrap();
    refused("is not the one that was seen before");
    // One that an intruder made, with a key of their own.
    let other = Disk::beside(None).unwrap();
    furnish(&other);
    other.init();
    fs::remove_file(&first).unwrap();
    fs::copy(other.folder.path().join("state/baseline/generation-00000001"), &first).unwrap();
    refused("not signed by the trusted key");
    fs::remove_file(&first).unwrap();
    // Any byte of it.
    let mut state = 7_u64;
    for _ in 0..60 {
        state = state * 48_271 % 0x7fff_ffff;
        let mut bytes = newer.clone();
        let at = usize::try_from(state).unwrap() % bytes.len();
        bytes[at] ^= 1 << (state % 8);
        let path = disk.folder.path().join("damaged");
        fs::write(&path, &bytes).unwrap();
        let output = disk.polder(&["verify", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(3), "byte {at}: {}", support::stdout(&output));
        fs::write(&path, &newer[..at]).unwrap();
        assert_eq!(disk.polder(&["verify", path.to_str().unwrap()]).status.code(), Some(3));
    }
}

/// Runs `init --again` with a limit for the length of files, in bytes: at that byte the kernel kills the
/// program, or lets it fail as on a full disk.
fn init_with_limit(disk: &Disk, bytes: u64, kills: bool) -> std::process::Output {
    let path = disk.folder.path().display();
    let trap = if kills { "" } else { "trap '' XFSZ; " };
    let script = format!(
        "{trap}exec prlimit --fsize={bytes} {} baseline init --again --quiet --config={path}/polder.toml --state={path}/state --passphrase-file={path}/passphrase",
        env!("CARGO_BIN_EXE_polder")
    );
    Command::new("sh").args(["-c", &script]).output().unwrap()
}

#[test]
fn a_baseline_is_whole_or_not_there_wherever_writing_ends() {
    let Some(disk) = Disk::new() else { return skipped("no image can be mounted here") };
    furnish(&disk);
    disk.init();
    let generation = disk.folder.path().join("state/baseline/generation-00000001");
    let length = fs::metadata(generation).unwrap().len();
    disk.write("usr/bin/backdoor", "x");
    for step in 0..12 {
        let bytes = length * step / 12;
        for kills in [true, false] {
            let output = init_with_limit(&disk, bytes, kills);
            assert!(!output.status.success(), "{bytes} of {length} bytes were enough");
            if !kills {
                let says = support::stderr(&output);
                assert!(says.contains("File too large"), "{says}");
            }
            // The one before is still there, and still tells.
            assert_eq!(disk.told(&[]), ["usr/bin/backdoor added: "]);
        }
    }
    assert!(init_with_limit(&disk, length * 2, true).status.success());
    assert_eq!(disk.check(&[]).1, 0);
    let left: Vec<_> = fs::read_dir(disk.folder.path().join("state/baseline"))
        .unwrap()
        .filter_map(|it| it.unwrap().file_name().into_string().ok())
        .filter(|it| it.starts_with("partial"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Writes to a page of a file through its memory once a line comes, and again at the next.
const MAPPER: &str = "
import mmap, sys
f = open(sys.argv[1], 'r+b')
m = mmap.mmap(f.fileno(), 0)
m[100] = 65
print('dirty', flush=True)
sys.stdin.readline()
m[101] = 66
print('again', flush=True)
sys.stdin.readline()
";

#[test]
fn what_a_process_writes_through_its_memory_is_told() {
    use std::io::{BufRead, BufReader, Write};
    let Some(disk) = Disk::new() else { return skipped("no image can be mounted here") };
    furnish(&disk);
    disk.write("usr/lib/mapped", vec![0; 8192]);
    let mapper = Command::new("python3")
        .args(["-c", MAPPER, disk.at("usr/lib/mapped").to_str().unwrap()])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let Ok(mapper) = mapper else { return skipped("python3 is not installed") };
    let mut mapper = support::Running(mapper);
    let mut says = BufReader::new(mapper.0.stdout.take().unwrap()).lines();
    assert_eq!(says.next().unwrap().unwrap(), "dirty");
    disk.init();
    mapper.0.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    assert_eq!(says.next().unwrap().unwrap(), "again");
    let told = disk.told(&[]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("usr/lib/mapped changed: other content"), "{told:?}");
}

#[test]
fn what_is_mounted_over_a_folder_is_told() {
    let Some(disk) = Disk::new() else { return skipped("no image can be mounted here") };
    furnish(&disk);
    disk.init();
    must("mount", &["-t", "tmpfs", "none", disk.at("etc/pam.d").to_str().unwrap()]);
    let (value, code) = disk.check(&[]);
    must("umount", &[disk.at("etc/pam.d").to_str().unwrap()]);
    assert_eq!(code, 1);
    let text = value["changes"].to_string();
    assert!(text.contains("\"mounted\"") && text.contains("etc/pam.d"), "{text}");
    assert!(text.contains("hides what"), "{text}");
}

#[test]
fn bytes_written_past_the_file_system_are_told_by_reading() {
    let Some(disk) = Disk::new() else { return skipped("no image can be mounted here") };
    furnish(&disk);
    disk.write("usr/bin/target", format!("{}\n", "a secret nobody else has ".repeat(400)));
    disk.init();
    // The content is changed on the device; the file system never hears of it.
    must("umount", &[disk.root.to_str().unwrap()]);
    let image = disk.folder.path().join("image");
    let bytes = fs::read(&image).unwrap();
    let needle = b"a secret nobody else has ";
    let at = bytes.windows(needle.len()).position(|it| it == needle).unwrap();
    fs::File::options().write(true).open(&image).unwrap().write_all_at(b"A", at as u64).unwrap();
    must("mount", &["-o", "loop", image.to_str().unwrap(), disk.root.to_str().unwrap()]);
    let told = disk.told(&["--content"]);
    let expected =
        "usr/bin/target changed: other content, and no time of the file tells of a change";
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with(expected), "{told:?}");
}

#[test]
fn a_tree_that_changes_meanwhile_hides_nothing() {
    let Some(disk) = Disk::new() else { return skipped("no image can be mounted here") };
    furnish(&disk);
    disk.init();
    append(&disk, "usr/bin/su");
    let busy = std::sync::atomic::AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0_u64;
            while busy.load(std::sync::atomic::Ordering::Relaxed) {
                number += 1;
                let path = disk.at(&format!("tmp/churn{}", number % 50));
                let _ = fs::write(&path, number.to_string());
                let _ = fs::rename(&path, disk.at(&format!("tmp/moved{}", number % 40)));
                let _ = fs::create_dir_all(disk.at(&format!("tmp/d{}/e/f", number % 9)));
                let _ = fs::remove_dir_all(disk.at(&format!("tmp/d{}", (number + 4) % 9)));
            }
        });
        for more in [&[][..], &["--content"]] {
            let told = disk.told(more);
            assert!(told.iter().any(|it| it.starts_with("usr/bin/su changed")), "{told:?}");
            assert!(told.iter().all(|it| !it.starts_with("tmp/")), "{told:?}");
        }
        busy.store(false, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn what_is_not_accepted_goes_on_being_told() {
    let Some(disk) = Disk::new() else { return skipped("no image can be mounted here") };
    furnish(&disk);
    folder(&disk, "etc/gone");
    disk.init();
    append(&disk, "usr/bin/su");
    append(&disk, "etc/passwd");
    remove(&disk, "etc/gone");
    folder(&disk, "srv/new");
    must("mount", &["-t", "tmpfs", "none", disk.at("etc/pam.d").to_str().unwrap()]);
    let path = disk.at("usr/bin");
    let accepted = disk.polder(&["accept", path.to_str().unwrap(), "--yes", "--because", "x"]);
    assert!(accepted.status.success(), "{}", support::stderr(&accepted));
    let (value, _) = disk.check(&[]);
    must("umount", &[disk.at("etc/pam.d").to_str().unwrap()]);
    let text = value["changes"].to_string();
    for told in ["etc/passwd", "etc/gone", "srv/new", "\"mounted\""] {
        assert!(text.contains(told), "{told}: {text}");
    }
    assert!(!text.contains("usr/bin/su"), "{text}");
    // By reading everything the same, twice.
    for more in [&["--content"][..], &[]] {
        let told = disk.told(more);
        let names: Vec<&str> = told.iter().filter_map(|it| it.split(' ').next()).collect();
        assert_eq!(names, ["etc/gone", "etc/passwd", "srv/new"], "{told:?}");
    }
}

#[test]
fn what_is_moved_out_of_sight_is_told() {
    let Some(disk) = Disk::new() else { return skipped("no image can be mounted here") };
    furnish(&disk);
    disk.write("tmp/spool/cron/root", "0 * * * * true\n");
    let config = disk.folder.path().join("polder.toml");
    let text = fs::read_to_string(&config).unwrap();
    let path = disk.root.display();
    let text = text.replace("watch = [", &format!("watch = [\"{path}/tmp/spool/cron\", "));
    let text = text.replace("volatile = [", &format!("volatile = [\"{path}/etc/history\", "));
    fs::write(&config, text).unwrap();
    disk.write("etc/history", "ls\n");
    disk.init();
    assert_eq!(disk.check(&[]).1, 0);
    // A folder in which files come and go leads elsewhere, and with it one that is watched.
    fs::rename(disk.at("tmp/spool"), disk.at("tmp/other")).unwrap();
    symlink("other", disk.at("tmp/spool")).unwrap();
    disk.write("tmp/other/cron/root", "0 * * * * evil\n");
    // A name that may change all the time becomes a program of root's.
    mode(&disk, "etc/history", 0o4755);
    for more in [&[][..], &["--content"]] {
        let told = disk.told(more);
        assert!(told.iter().any(|it| it.starts_with("tmp/spool/cron unverifiable")), "{told:?}");
        assert!(told.iter().any(|it| it.starts_with("etc/history added")), "{told:?}");
    }
}

#[test]
fn a_program_that_is_written_over_where_files_come_and_go_is_told() {
    let Some(disk) = Disk::new() else { return skipped("no image can be mounted here") };
    furnish(&disk);
    add(&disk, "tmp/suid");
    mode(&disk, "tmp/suid", 0o4755);
    disk.init();
    shell(&disk, "tmp/suid", "cat /bin/true > \"$1\"; chmod 4755 \"$1\"");
    assert!(disk.told(&[])[0].starts_with("tmp/suid changed"));
}

#[test]
fn a_baseline_of_which_nothing_tells_that_it_is_the_last_is_refused() {
    let Some(disk) = Disk::new() else { return skipped("no image can be mounted here") };
    furnish(&disk);
    disk.init();
    fs::remove_file(disk.folder.path().join("state/baseline/seen")).unwrap();
    let output = disk.polder(&["check"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(
        support::stderr(&output).contains("may be an older one"),
        "{}",
        support::stderr(&output)
    );
}

#[test]
fn logs_are_rotated_without_a_word_and_forged_with_one() {
    let Some(disk) = Disk::new() else { return skipped("no image can be mounted here") };
    furnish(&disk);
    log(&disk, "var/log/a.log");
    disk.write("var/log/a.log.1", "yesterday\n");
    disk.write("var/log/forged.log", "one\nhim\n");
    disk.write("var/log/forged.log.1", "him\n");
    disk.init();
    // As logrotate does: rename, compress, begin anew.
    shell(
        &disk,
        "var/log",
        "cd \"$1\"; gzip -c a.log.1 > a.log.2.gz; rm a.log.1; mv a.log a.log.1; echo more >> a.log.1; echo new > a.log",
    );
    assert_eq!(disk.told(&[]), [""; 0]);
    shell(
        &disk,
        "var/log",
        "cd \"$1\"; sed -i /him/d forged.log.1; sed -i /him/d forged.log; : > forged.log.9.gz",
    );
    let told = disk.told(&[]);
    let names: Vec<&str> = told.iter().filter_map(|it| it.split(' ').next()).collect();
    assert_eq!(
        names,
        ["var/log/forged.log", "var/log/forged.log.1", "var/log/forged.log.9.gz"],
        "{told:?}"
    );
}
