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

use std::fs;
use std::os::unix::fs::{FileExt, symlink};
use std::process::Command;
use support::disk::{Disk, add, append, folder, furnish, log, mode, must, remove, shell};
use support::skipped;

#[test]
fn what_is_not_touched_is_told_by_the_table_of_inodes() {
    let Some(disk) = Disk::new() else { return skipped("no image can be mounted here") };
    furnish(&disk);
    disk.init();
    let (value, code) = disk.check(&[]);
    assert_eq!((code, value["changes"].as_array().unwrap().len()), (0, 0), "{value:#}");
    assert!(value["inodes"].as_u64().unwrap() > 600, "{value:#}");
    disk.write("usr/share/many/new", "x");
    mode(&disk, "usr/bin/su", 0o4755);
    fs::write(disk.at("tmp/other"), "comes and goes").unwrap();
    let told = disk.told(&[]);
    assert_eq!(told, ["usr/bin/su changed: mode 0644 -> 4755", "usr/share/many/new added: "]);
}

#[test]
fn inodes_of_xfs_are_asked_of_the_kernel() {
    let Some(disk) = Disk::of(&["mkfs.xfs", "-q"], 320) else {
        return skipped("no XFS can be made or mounted here");
    };
    furnish(&disk);
    disk.init();
    let (value, code) = disk.check(&[]);
    assert_eq!((code, value["changes"].as_array().unwrap().len()), (0, 0), "{value:#}");
    assert!(value["inodes"].as_u64().unwrap() > 600, "{value:#}");
    disk.write("usr/share/many/new", "x");
    mode(&disk, "usr/bin/su", 0o4755);
    // A content as long as before, and its time put back.
    let same = disk.at("usr/share/many/7");
    let (text, time) = (fs::read(&same).unwrap(), fs::metadata(&same).unwrap().modified().unwrap());
    fs::write(&same, vec![b'y'; text.len()]).unwrap();
    fs::File::open(&same).unwrap().set_modified(time).unwrap();
    let told = disk.told(&[]);
    assert_eq!(
        told,
        [
            "usr/bin/su changed: mode 0644 -> 4755",
            "usr/share/many/7 changed: other content, as long as before",
            "usr/share/many/new added: ",
        ]
    );
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

#[test]
fn a_library_put_into_the_program_is_said_to_speak_for_it() {
    let Some(disk) = Disk::new() else { return skipped("no image can be mounted here") };
    furnish(&disk);
    disk.init();
    let own = fs::read_dir("/usr/lib").unwrap().map(|it| it.unwrap().path().join("libanl.so.1"));
    let Some(library) = own.into_iter().find(|it| it.exists()) else {
        return skipped("there is no library of libc that the program does not need");
    };
    let state = disk.folder.path().join("state");
    let check = |library: &str| {
        support::polder(&["baseline", "check", "--json", "--state", &state.display().to_string()])
            .arg("--config")
            .arg(disk.folder.path().join("polder.toml"))
            .env("LD_PRELOAD", library)
            .output()
            .unwrap()
    };
    let clean: serde_json::Value = serde_json::from_slice(&check("").stdout).unwrap();
    assert_eq!(clean["problems"].as_array().unwrap().len(), 0, "{clean:#}");
    assert_eq!(clean["program"].as_str().unwrap().len(), 64, "{clean:#}");
    let output = check(&library.display().to_string());
    let loaded: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let says = loaded["problems"][0].as_str().unwrap();
    assert!(says.contains("libanl.so.1` was put into this program"), "{says}");
    assert_eq!(output.status.code(), Some(3));
}
