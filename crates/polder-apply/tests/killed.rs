//! The executor, killed at every place where it could hurt: each host is as before or as planned.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may panic, and makes the machine it acts on"
)]

use polder_apply::{Executor, Ground, Journal, Operation, Outcome, Phase};
use polder_model::{Change, Check, SetLine, Timestamp, Treatment};
use polder_store::Store;
use std::cell::Cell;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

/// Programs that keep what they are told in files, in place of systemd, nftables and apt.
const PROGRAMS: &[(&str, &str)] = &[
    (
        "systemctl",
        r#"#!/bin/sh
state="$POLDER_ROOT/state/units"
mkdir -p "$state"
for unit; do :; done
case "$1" in
  is-enabled) test -e "$state/$unit.enabled" ;;
  is-active) test -e "$state/$unit.active" ;;
  enable) touch "$state/$unit.enabled" ;;
  disable) rm -f "$state/$unit.enabled" ;;
  start) touch "$state/$unit.active" ;;
  stop) rm -f "$state/$unit.active" ;;
  restart|reload) cat "$POLDER_ROOT"/etc/app.conf > "$state/$unit.sees" ;;
  daemon-reload) : ;;
esac
"#,
    ),
    (
        "nft",
        r#"#!/bin/sh
state="$POLDER_ROOT/state/nft"
mkdir -p "$state"
case "$1 $2" in
  "list table") test -e "$state/$4" ;;
  "delete table") rm "$state/$4" ;;
  "-c -f") grep -q '^table ' "$3" ;;
  -f*) touch "$state/$(sed -n 's/^table inet \([^ ]*\) .*/\1/p' "$2")" ;;
esac
"#,
    ),
    (
        "dpkg-query",
        r#"#!/bin/sh
shift 2
for name; do
  file="$POLDER_ROOT/state/packages/$name"
  test -e "$file" && printf '%s\tall\tinstalled\t%s\n' "$name" "$(cat "$file")"
done
exit 0
"#,
    ),
    ("dpkg", "#!/bin/sh\nexit 0\n"),
    (
        "apt-get",
        r#"#!/bin/sh
state="$POLDER_ROOT/state/packages"
mkdir -p "$state"
verb= simulate=
for word; do
  case "$word" in
    --simulate) simulate=1 ;;
    -o|Dpkg::*) ;;
    --*) ;;
    install|purge) verb=$word ;;
    *)
      name=${word%%=*}
      version=${word#*=}
      test "$version" = "$word" && version=2.0
      if test -n "$simulate" && test "$verb" = purge; then echo "Purg $name"
      elif test -n "$simulate"; then echo "Inst $name ($version Debian)"
      elif test "$verb" = purge; then rm -f "$state/$name"
      else echo "$version" > "$state/$name.new" && mv "$state/$name.new" "$state/$name"
      fi ;;
  esac
done
"#,
    ),
    ("sshd", "#!/bin/sh\n! grep -q BROKEN \"$POLDER_ROOT/etc/app.conf\"\n"),
];

/// A root folder with something of everything.
fn make_host(root: &Path) {
    for folder in ["programs", "etc", "state/units", "state/packages", "opt"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
    }
    for (name, text) in PROGRAMS {
        let path = root.join("programs").join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    std::fs::write(root.join("etc/app.conf"), "listen 0.0.0.0\nport 1\n").unwrap();
    let private = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(root.join("etc/app.conf"), private).unwrap();
    std::fs::write(root.join("etc/old.conf"), "gone soon\n").unwrap();
    for name in ["rescue", "owned", "capable"] {
        std::fs::write(root.join("opt").join(name), "#!/bin/sh\n").unwrap();
    }
    let special = std::fs::Permissions::from_mode(0o4755);
    std::fs::set_permissions(root.join("opt/rescue"), special).unwrap();
    std::fs::write(root.join("state/packages/libold"), "1.0\n").unwrap();
    std::fs::write(root.join("state/units/app.service.active"), "").unwrap();
    // Extended attributes are part of a file; those of `user.` need no right of root.
    for name in ["etc/app.conf", "etc/old.conf"] {
        let value = b"kept\xff";
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(root.join(name), "user.polder", value, flags).unwrap();
    }
    if rustix::process::geteuid().is_root() {
        // cap_net_bind_service=ep, version 2 of vfs_cap_data (linux/capability.h).
        let value = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(root.join("opt/capable"), "security.capability", &value, flags)
            .unwrap();
    }
}

/// Every kind of change there is.
fn treatment() -> Treatment {
    let rules = "table inet polder_tcp_1 {\n}\n";
    let (uid, gid) = match rustix::process::geteuid().is_root() {
        true => (12, 34),
        false => (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw()),
    };
    let text = |it: &str| it.to_string();
    let unit = || text("app.service");
    Treatment::new("everything", "Do everything", [1.0; 3]).changing([
        Change::InstallPackages { names: vec![text("nftables"), text("libnft")] },
        Change::UpgradePackages { names: vec![text("libold")] },
        Change::WriteFile { path: text("/etc/new/deep/rules.nft"), content: text(rules) },
        Change::Check { check: Check::Rules { path: text("/etc/new/deep/rules.nft") } },
        Change::LoadRules {
            table: text("inet polder_tcp_1"),
            path: text("/etc/new/deep/rules.nft"),
        },
        Change::SetLines {
            path: text("/etc/app.conf"),
            lines: vec![SetLine { key: text("listen"), line: text("listen 127.0.0.1") }],
        },
        Change::Check { check: Check::Sshd },
        Change::RemoveFile { path: text("/etc/old.conf") },
        Change::ClearMode { path: text("/opt/rescue"), bits: 0o6000 },
        Change::SetOwner { path: text("/opt/owned"), uid, gid },
        Change::DropCapabilities { path: text("/opt/capable") },
        Change::EnableUnit { unit: unit(), enabled: true },
        Change::RunUnit { unit: text("other.service"), running: true },
        Change::RestartUnit { unit: unit() },
        Change::ReloadUnit { unit: unit() },
    ])
}

/// Everything below a root: kind, mode, owner, attributes and content of each path.
fn picture(root: &Path) -> Vec<String> {
    let mut all = Vec::new();
    let mut stack = vec![root.to_path_buf()];
    while let Some(path) = stack.pop() {
        let metadata = std::fs::symlink_metadata(&path).unwrap();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        if name.starts_with("journal") || name.starts_with("programs") || name.contains("sees") {
            continue;
        }
        let mut line =
            format!("{name} {:o} {}:{}", metadata.mode(), metadata.uid(), metadata.gid());
        if metadata.is_dir() {
            stack.extend(std::fs::read_dir(&path).unwrap().map(|it| it.unwrap().path()));
        } else {
            let mut names = vec![0; 4096];
            let length = rustix::fs::listxattr(&path, names.as_mut_slice()).unwrap();
            for name in names[..length].split(|it| *it == 0).filter(|it| !it.is_empty()) {
                let name = String::from_utf8_lossy(name);
                let mut value = vec![0; 256];
                let length =
                    rustix::fs::getxattr(&path, name.as_ref(), value.as_mut_slice()).unwrap();
                line += &format!(" {name}={:?}", &value[..length]);
            }
            line += &format!(" {:?}", std::fs::read(&path).unwrap());
        }
        all.push(line);
    }
    all.sort();
    // Folders of the programs themselves appear when they are first asked.
    all.retain(|it| !it.starts_with("state/nft 4"));
    all
}

struct StoreJournal {
    store: Store,
    id: i64,
}

impl Journal for StoreJournal {
    fn note(&mut self, phase: &Phase) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.store.note(self.id, Timestamp(1), &serde_json::to_string(phase)?)?)
    }
}

/// The child: does the operation, or takes it back, and dies at the place it was told.
#[test]
#[ignore = "run by the other tests, in a process of its own that is killed"]
fn child() {
    let Ok(root) = std::env::var("POLDER_TEST_ROOT") else { return };
    let at: usize = std::env::var("POLDER_TEST_AT").unwrap().parse().unwrap();
    let root = Path::new(&root);
    let ground = Ground::of(root, root.join("programs"));
    let mut store = Store::open(&root.join("journal")).unwrap();
    let count = Cell::new(0);
    let reach = |_: &str| {
        if count.get() == at {
            // The hardest end there is: no destructor runs, no buffer is flushed.
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)
                .unwrap();
        }
        count.set(count.get() + 1);
    };
    if std::env::var("POLDER_TEST_BACK").is_ok() {
        let stored = store.operations(1).unwrap().remove(0);
        let operation: Operation = serde_json::from_str(&stored.record).unwrap();
        let phase: Phase = serde_json::from_str(&stored.phase).unwrap();
        let mut journal = StoreJournal { store, id: stored.id };
        let mut executor = Executor { ground: &ground, journal: &mut journal, reach: &reach };
        executor.take_back(&operation, &phase, "asked", false).unwrap();
        return;
    }
    let operation = Operation::prepare(&ground, &treatment()).unwrap();
    let record = serde_json::to_string(&operation).unwrap();
    let phase = serde_json::to_string(&Phase::Acting { step: 0 }).unwrap();
    let id = store.begin("host", "everything", Timestamp(1), &phase, &record).unwrap();
    let mut journal = StoreJournal { store, id };
    let mut executor = Executor { ground: &ground, journal: &mut journal, reach: &reach };
    assert!(matches!(executor.apply(&operation), Outcome::Made));
}

/// Runs the child; says whether it came to its end.
fn run_child(root: &Path, at: usize, back: bool) -> bool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--ignored", "--exact", "child", "--test-threads=1"])
        .env("POLDER_TEST_ROOT", root)
        .env("POLDER_TEST_AT", at.to_string());
    if back {
        command.env("POLDER_TEST_BACK", "1");
    }
    let output = command.output().unwrap();
    let killed = output.status.signal() == Some(9);
    assert!(
        killed || output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    !killed
}

fn phase(root: &Path) -> Option<Phase> {
    let store = Store::open(&root.join("journal")).unwrap();
    let stored = store.operations(1).unwrap();
    stored.first().map(|it| serde_json::from_str(&it.phase).unwrap())
}

fn fresh() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    make_host(root.path());
    root
}

#[test]
fn whoever_is_killed_while_applying_finds_the_way_back() {
    let untouched = fresh();
    let before = picture(untouched.path());
    assert!(run_child(untouched.path(), usize::MAX, false));
    let after = picture(untouched.path());
    assert_ne!(before, after);
    let mut kills = 0;
    for at in 0.. {
        let root = fresh();
        if run_child(root.path(), at, false) {
            break;
        }
        kills += 1;
        match phase(root.path()) {
            None => assert_eq!(picture(root.path()), before, "kill {at}: before the journal"),
            Some(_) => {
                assert!(run_child(root.path(), usize::MAX, true));
                assert_eq!(picture(root.path()), before, "kill {at}");
                assert!(matches!(phase(root.path()), Some(Phase::TakenBack { .. })), "kill {at}");
            }
        }
    }
    println!("killed at {kills} places while applying {} changes", treatment().changes.len());
    assert!(kills > 60, "{kills}");
}

#[test]
fn whoever_is_killed_while_taking_back_can_go_on() {
    let untouched = fresh();
    let before = picture(untouched.path());
    let mut kills = 0;
    for at in 0.. {
        let root = fresh();
        assert!(run_child(root.path(), usize::MAX, false));
        if run_child(root.path(), at, true) {
            break;
        }
        kills += 1;
        assert!(run_child(root.path(), usize::MAX, true));
        assert_eq!(picture(root.path()), before, "kill {at}");
    }
    assert!(kills > 20, "{kills}");
}
