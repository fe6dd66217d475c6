//! The watch: what changes is told with who did it, once, and nothing is lost on the way.
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
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use support::disk::{Disk, furnish, must};
use support::{Running, polder, run, skipped, stderr, stdout};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(120);

/// A watch that runs, and what it tells.
struct Watch {
    child: Running,
    events: Receiver<Value>,
}

impl Disk {
    fn flags(&self) -> [String; 2] {
        let folder = self.folder.path();
        [
            format!("--state={}", folder.join("state").display()),
            format!("--config={}", folder.join("polder.toml").display()),
        ]
    }

    /// Sets how the watch looks and tells.
    fn set_watch(&self, lines: &str) {
        let path = self.folder.path().join("polder.toml");
        let text = fs::read_to_string(&path).unwrap();
        let text = text.split("[watch]").next().unwrap().to_string();
        let text = format!("{text}[watch]\nsyslog = false\nheartbeat_seconds = 1\n{lines}");
        fs::write(path, text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> std::process::Output {
        let flags = self.flags();
        let more = flags.iter().map(String::as_str);
        run(&arguments.iter().copied().chain(more).collect::<Vec<_>>())
    }

    /// Starts a watch, and waits until it has looked at everything.
    fn watch(&self) -> Watch {
        let flags = self.flags();
        let mut child = polder(&["watch", "--json", &flags[0], &flags[1]])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = child.stdout.take().unwrap();
        let (sender, events) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
                if sender.send(value).is_err() {
                    break;
                }
            }
        });
        let watch = Watch { child: Running(child), events };
        watch.wait("started", |it| it["kind"] == "started");
        let since = Instant::now();
        while self.status()["swept"].is_null() || !self.status()["runs"].as_bool().unwrap() {
            assert!(since.elapsed() < PATIENCE, "{:#}", self.status());
            std::thread::sleep(Duration::from_millis(50));
        }
        watch
    }

    fn status(&self) -> Value {
        let output = self.command(&["watch", "status", "--json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }
}

impl Watch {
    /// The next event of which this holds; those before are passed over.
    #[track_caller]
    fn wait(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let since = Instant::now();
        let mut passed = Vec::new();
        while since.elapsed() < PATIENCE {
            match self.events.recv_timeout(Duration::from_millis(200)) {
                Ok(event) if holds(&event) => return event,
                Ok(event) => passed.push(event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        panic!("{what} was not told, but {passed:#?}");
    }

    #[track_caller]
    fn wait_path(&self, end: &str) -> Value {
        let ends = |it: &Value| it["change"]["path"].as_str().is_some_and(|it| it.ends_with(end));
        self.wait(end, ends)
    }

    /// Everything that is told within a moment.
    fn rest(&self, moment: Duration) -> Vec<Value> {
        let since = Instant::now();
        let mut all = Vec::new();
        while let Some(left) = moment.checked_sub(since.elapsed()) {
            all.extend(self.events.recv_timeout(left).ok());
        }
        all
    }

    /// Asks it to end, and waits until it has.
    fn stop(mut self) {
        must("kill", &["-TERM", &self.child.0.id().to_string()]);
        assert!(self.child.0.wait().unwrap().success());
    }
}

fn disk() -> Option<Disk> {
    let Some(disk) = Disk::new().filter(|_| support::is_debian_root()) else {
        skipped("no image can be mounted here");
        return None;
    };
    furnish(&disk);
    disk.set_watch("");
    disk.init();
    Some(disk)
}

fn paths(events: &[Value]) -> Vec<String> {
    let path = |it: &Value| it["change"]["path"].as_str().map(str::to_string);
    events.iter().filter_map(path).collect()
}

#[test]
fn a_change_is_told_once_with_its_meaning_and_who_did_it() {
    let Some(disk) = disk() else { return };
    let watch = disk.watch();
    disk.write("etc/job", "x");
    let told = watch.wait_path("etc/job");
    assert_eq!(told["change"]["what"], "added");
    assert_eq!(told["who"]["pid"], std::process::id());
    let own = std::env::current_exe().unwrap();
    assert_eq!(told["who"]["executable"], own.to_str().unwrap());
    assert_eq!(told["who"]["user"], "root");

    // A program that lives for a moment only: on a machine that is busy it may be gone before it is asked, once
    // and again, but not each time.
    let mut tries = 0;
    loop {
        must("chmod", &["4755", disk.at("usr/bin/su").to_str().unwrap()]);
        let told = watch.wait_path("usr/bin/su");
        assert!(told["change"]["means"].to_string().contains("does so as root"), "{told:#}");
        if told["who"]["executable"].as_str().is_some_and(|it| it.ends_with("/chmod")) {
            let ancestors = told["who"]["ancestors"].to_string();
            assert!(ancestors.contains(own.to_str().unwrap()), "{told:#}");
            break;
        }
        tries += 1;
        assert!(tries < 10, "{told:#}");
        must("chmod", &["644", disk.at("usr/bin/su").to_str().unwrap()]);
        watch.wait("as it was", |it| it["kind"] == "again");
    }

    // As it was again; a folder with what is in it; what comes and goes; what is mounted over.
    must("chmod", &["644", disk.at("usr/bin/su").to_str().unwrap()]);
    watch
        .wait("as it was", |it| it["kind"] == "again" && it["says"].to_string().contains("bin/su"));
    disk.write("tmp/data", "comes and goes");
    disk.write("usr/bin/after", "x");
    let before = watch.rest(Duration::from_secs(1));
    let told = paths(&before);
    assert!(told.iter().any(|it| it.ends_with("usr/bin/after")), "{before:#?}");
    assert!(!told.iter().any(|it| it.contains("/tmp/data")), "{before:#?}");
    let program = disk.at("tmp/program");
    fs::write(&program, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    watch.wait_path("tmp/program");
    let over = disk.at("usr/share/many");
    must("mount", &["-t", "tmpfs", "none", over.to_str().unwrap()]);
    let told = watch.wait("the mount", |it| it["change"]["what"] == "mounted");
    must("umount", &[over.to_str().unwrap()]);
    assert!(told["change"]["path"].as_str().unwrap().ends_with("usr/share/many"), "{told:#}");
    watch.stop();
    assert_eq!(disk.status()["stopped"], true);
    assert_eq!(disk.command(&["watch", "status"]).status.code(), Some(3));
}

#[test]
fn who_did_it_is_known_of_programs_that_live_for_a_moment() {
    let Some(disk) = disk() else { return };
    let watch = disk.watch();
    // A script stands for its interpreter, as in `/proc`.
    let script = disk.folder.path().join("script");
    fs::write(&script, "#!/bin/sh\necho x > $1\n").unwrap();
    must("chmod", &["+x", &script.display().to_string()]);
    let path = |name: String| disk.at(&name).display().to_string();
    for number in 0..15 {
        must("touch", &[&path(format!("etc/touched-{number}"))]);
        must(&script.display().to_string(), &[&path(format!("etc/echoed-{number}"))]);
    }
    let programs = [("touched", "/usr/bin/touch"), ("echoed", "/bin/sh")];
    let programs = programs.map(|(start, it)| (start, fs::canonicalize(it).unwrap()));
    for _ in 0..30 {
        let told = watch.wait("who", |it| it["change"]["what"] == "added");
        let path = told["change"]["path"].as_str().unwrap();
        let program = programs.iter().find(|it| path.contains(it.0)).unwrap();
        assert_eq!(told["who"]["executable"], program.1.display().to_string(), "{told:#}");
    }
    watch.stop();
}

#[test]
fn nothing_is_lost_or_told_again_when_it_is_killed() {
    let Some(disk) = disk() else { return };
    let mut watch = disk.watch();
    disk.write("etc/before", "x");
    disk.write("srv/site/a/page", "x");
    watch.wait_path("etc/before");
    watch.wait_path("srv/site");
    watch.child.0.kill().unwrap();
    watch.child.0.wait().unwrap();
    assert!(!disk.status()["runs"].as_bool().unwrap());
    disk.write("etc/meanwhile", "x");
    fs::remove_file(disk.at("usr/bin/su")).unwrap();
    let watch = disk.watch();
    let told = paths(&watch.rest(Duration::from_secs(3)));
    let ends = |end: &str| told.iter().any(|it| it.ends_with(end));
    assert!(ends("etc/meanwhile") && ends("usr/bin/su"), "{told:?}");
    assert!(!ends("etc/before") && !told.iter().any(|it| it.contains("/srv")), "{told:?}");
    // A second one does not write into the same journal.
    let second = disk.command(&["watch"]);
    assert_eq!(second.status.code(), Some(3), "{}", stderr(&second));
    assert!(stderr(&second).contains("runs already"), "{}", stderr(&second));
    watch.stop();
    let events = disk.command(&["watch", "events", "-n", "0"]);
    assert_eq!(events.status.code(), Some(0), "{}", stderr(&events));
    let text = stdout(&events);
    assert!(text.contains("did not end by itself"), "{text}");
    assert!(!text.contains("are missing"), "{text}");

    // Who takes a line out of the journal is told of by the next.
    let journal = disk.folder.path().join("state/watch/events");
    let whole = fs::read_to_string(&journal).unwrap();
    let without: Vec<&str> = whole.lines().filter(|it| !it.contains("etc/before")).collect();
    fs::write(&journal, without.join("\n") + "\n").unwrap();
    let events = disk.command(&["watch", "events"]);
    assert_eq!(events.status.code(), Some(3));
    assert!(stderr(&events).contains("does not follow the one before"), "{}", stderr(&events));
}

#[test]
fn a_flood_hides_nothing() {
    let Some(disk) = disk() else { return };
    disk.write("srv/flood/keep", "x");
    let accepted = disk.polder(&["accept", "--yes", "--because", "a place for the flood"]);
    assert!(accepted.status.success(), "{}", stderr(&accepted));
    let watch = disk.watch();
    let since = Instant::now();
    let threads: Vec<_> = (0..2)
        .map(|thread| {
            let folder = disk.at("srv/flood");
            std::thread::spawn(move || {
                let mut count = 0_u64;
                while since.elapsed() < Duration::from_secs(3) {
                    // Many folders and names: they cannot become one event.
                    let path = folder.join(format!("{thread}-{}", count % 5_000));
                    let _ = fs::create_dir(&path);
                    let _ = fs::remove_dir(&path);
                    count += 1;
                }
                count
            })
        })
        .collect();
    std::thread::sleep(Duration::from_secs(1));
    disk.write("usr/bin/hidden", "x");
    let told = watch.wait_path("usr/bin/hidden");
    let made: u64 = threads.into_iter().map(|it| it.join().unwrap()).sum();
    assert!(made > 1_000, "{made}");
    assert_eq!(told["change"]["what"], "added");
    // Whatever was lost was said, and everything was looked at then.
    let since = Instant::now();
    while disk.status()["events"].as_u64() == Some(0) && since.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(100));
    }
    watch.stop();
}

#[test]
fn what_a_package_manager_writes_waits_until_it_is_done() {
    let Some(disk) = disk() else { return };
    let path = std::path::Path::new("/var/lib/dpkg/lock");
    let lock = fs::OpenOptions::new().write(true).open(path).unwrap();
    // The lock of dpkg is one of fcntl(2), held by a process of its own.
    let script = "import fcntl,sys\nf=open('/var/lib/dpkg/lock','r+')\nfcntl.lockf(f,fcntl.LOCK_EX)\nprint(0,flush=True)\nsys.stdin.read()\n";
    drop(lock);
    let mut holder = Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let watch = disk.watch();
    // The disk lies below /tmp, which no package manager writes to: told at once all the same.
    disk.write("usr/bin/elsewhere", "x");
    watch.wait_path("usr/bin/elsewhere");
    drop(holder.stdin.take());
    holder.wait().unwrap();
    watch.stop();
}

#[test]
fn events_go_to_a_server_also_those_from_when_it_was_away() {
    let Some(disk) = disk() else { return };
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    drop(server);
    disk.set_watch(&format!("webhook = \"http://{address}/hook?key=secret\"\n"));
    let watch = disk.watch();
    disk.write("etc/told", "x");
    watch.wait_path("etc/told");
    let server = TcpListener::bind(address).unwrap();
    let mut seen = String::new();
    while !seen.contains("etc/told") {
        let (mut stream, _) = server.accept().unwrap();
        let mut buffer = [0; 16 << 10];
        let mut request = String::new();
        // Head and body may come one after the other.
        while !request.ends_with('}') {
            let count = stream.read(&mut buffer).unwrap();
            assert!(count > 0, "{request}");
            request.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").unwrap();
        seen.push_str(&request);
    }
    assert!(seen.contains("POST /hook?key=secret"), "{seen}");
    assert!(seen.contains("\"kind\":\"started\""), "{seen}");
    drop(server);
    watch.stop();
    // The key stands in the configuration, and nowhere in what is kept or shown.
    let shown = stdout(&disk.command(&["config", "show"]));
    assert!(shown.contains("watch.webhook") && !shown.contains("key=secret"), "{shown}");
    for file in ["events", "status.json", "delivered.json"] {
        let path = disk.folder.path().join("state/watch").join(file);
        assert!(!fs::read_to_string(path).unwrap_or_default().contains("key=secret"));
    }
}

#[test]
fn a_newer_baseline_is_taken_up_and_what_it_holds_is_no_change_any_more() {
    let Some(disk) = disk() else { return };
    let watch = disk.watch();
    disk.write("etc/on-purpose", "x");
    watch.wait_path("etc/on-purpose");
    let accepted = disk.polder(&["accept", "--yes", "--because", "meant"]);
    assert!(accepted.status.success(), "{}", stderr(&accepted));
    let started = watch.wait("the newer baseline", |it| it["kind"] == "started");
    assert_eq!(started["baseline"], 2);
    assert!(!started["says"].to_string().contains("did not end"), "{started:#}");
    let accepted = watch.wait("what was accepted", |it| it["kind"] == "accepted");
    assert!(accepted["says"].to_string().contains("etc/on-purpose"), "{accepted:#}");
    disk.write("etc/on-purpose", "y");
    let told = watch.wait_path("etc/on-purpose");
    assert_eq!(told["change"]["what"], "changed");
    watch.stop();
}

#[test]
fn content_that_leaves_no_trace_is_found_by_the_rolling_look() {
    let Some(disk) = disk() else { return };
    disk.write("usr/bin/quiet", vec![b'a'; 8192]);
    let accepted = disk.polder(&["accept", "--yes", "--because", "a file to write past"]);
    assert!(accepted.status.success(), "{}", stderr(&accepted));
    must("sync", &[]);
    disk.set_watch("scrub_minutes = 1\n");
    let watch = disk.watch();
    let output =
        Command::new("filefrag").args(["-v"]).arg(disk.at("usr/bin/quiet")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let extent = text.lines().find(|it| it.trim_start().starts_with("0:")).unwrap();
    let block: u64 =
        extent.split_whitespace().nth(3).unwrap().trim_end_matches("..").parse().unwrap();
    let block_size: u64 =
        text.split("blocks of ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    let source = must("findmnt", &["-no", "SOURCE", disk.root.to_str().unwrap()]);
    let device = fs::OpenOptions::new().write(true).open(source.trim()).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&device, b"evil", block * block_size).unwrap();
    device.sync_all().unwrap();
    drop(device);
    // What was read before is not read from the disk again.
    fs::write("/proc/sys/vm/drop_caches", "3").unwrap();
    let told = watch.wait_path("usr/bin/quiet");
    let says = told["change"]["differences"].to_string();
    assert!(says.contains("past the file system"), "{says}");
    watch.stop();
}

#[test]
fn a_full_disk_and_a_reader_that_went_away_end_nothing() {
    let Some(disk) = disk() else { return };
    // A state folder that has no room for more than some events.
    let small = disk.folder.path().join("small");
    fs::create_dir(&small).unwrap();
    must("mount", &["-t", "tmpfs", "-o", "size=16m", "none", small.to_str().unwrap()]);
    must(
        "cp",
        &["-r", &format!("{}/state/.", disk.folder.path().display()), small.to_str().unwrap()],
    );
    let flags = [format!("--state={}", small.display()), disk.flags()[1].clone()];
    let mut child =
        polder(&["watch", &flags[0], &flags[1]]).stdout(Stdio::piped()).spawn().unwrap();
    // The reader goes after the first line.
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let mut watch = Running(child);
    let status = || {
        let output = run(&["watch", "status", "--json", &flags[0]]);
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default()
    };
    let since = Instant::now();
    while status()["swept"].is_null() {
        assert!(since.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(50));
    }
    let fill = small.join("fill");
    let _ = fs::write(&fill, vec![0_u8; 20 << 20]);
    disk.write("etc/while-full", "x");
    std::thread::sleep(Duration::from_secs(2));
    assert!(watch.0.try_wait().unwrap().is_none(), "it ended");
    fs::remove_file(&fill).unwrap();
    disk.write("etc/room-again", "x");
    let since = Instant::now();
    loop {
        let told = stdout(&run(&["watch", "events", "-n", "0", &flags[0]]));
        if told.contains("etc/while-full") && told.contains("etc/room-again") {
            break;
        }
        assert!(since.elapsed() < PATIENCE, "{told}");
        std::thread::sleep(Duration::from_millis(200));
    }
    must("kill", &["-TERM", &watch.0.id().to_string()]);
    assert!(watch.0.wait().unwrap().success());
    // Somebody takes the journal away: the last sign of life knows how long it was.
    fs::remove_file(small.join("watch/events")).unwrap();
    let events = run(&["watch", "events", &flags[0]]);
    assert_eq!(events.status.code(), Some(3));
    assert!(stderr(&events).contains("events of the journal are missing"), "{}", stderr(&events));
    must("umount", &[small.to_str().unwrap()]);
}

#[test]
fn what_is_hidden_or_moved_is_not_called_as_it_was() {
    let Some(disk) = disk() else { return };
    let watch = disk.watch();
    disk.write("etc/altered", "x");
    watch.wait_path("etc/altered");
    let over = disk.at("etc");
    must("mount", &["-t", "tmpfs", "none", over.to_str().unwrap()]);
    watch.wait("the mount", |it| it["change"]["what"] == "mounted");
    let events = watch.rest(Duration::from_secs(2));
    assert!(!events.iter().any(|it| it["kind"] == "again"), "{events:#?}");
    must("umount", &[over.to_str().unwrap()]);
    watch.stop();
}

#[test]
fn a_file_system_that_comes_back_is_watched_again() {
    let Some(disk) = disk() else { return };
    // Nothing but events may tell of what is written then.
    disk.set_watch("every_minutes = 600\n");
    let watch = disk.watch();
    let (image, root) = (disk.folder.path().join("image"), disk.root.display().to_string());
    let since = Instant::now();
    // A look at everything may be under way.
    while !Command::new("umount").arg(&root).output().unwrap().status.success() {
        assert!(since.elapsed() < PATIENCE, "it cannot be unmounted");
        std::thread::sleep(Duration::from_millis(50));
    }
    watch.wait("that it is gone", |it| it["change"]["what"] == "unmounted");
    // Under the name of another device, as happens to disks: nobody is told to unmount it.
    let other = disk.folder.path().join("other");
    fs::File::create(&other).unwrap().set_len(1 << 20).unwrap();
    let first = must("losetup", &["--find", "--show", other.to_str().unwrap()]);
    must("mount", &["-o", "loop", image.to_str().unwrap(), &root]);
    let device = must("findmnt", &["-no", "SOURCE", &root]);
    let again = watch
        .wait("that it is back", |it| it["kind"] == "again" || it["change"]["what"] == "mounted");
    must("losetup", &["--detach", first.trim()]);
    if again["change"]["what"] == "mounted" {
        let means = again["change"]["means"].to_string();
        assert!(means.contains("was mounted there from"), "{device}: {again:#}");
        assert_eq!(again["change"]["weight"], "code");
    }
    watch.rest(Duration::from_secs(2));
    disk.write("etc/after", "x");
    let told = watch.wait_path("etc/after");
    assert_eq!(told["change"]["what"], "added");
    watch.stop();
}

#[test]
fn what_cannot_be_watched_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let state = format!("--state={}", folder.path().display());
    let none = run(&["watch", &state]);
    assert!(!none.status.success());
    let says = stderr(&none);
    assert!(says.contains("polder baseline init") || says.contains("only root"), "{says}");
    let status = run(&["watch", "status", &state]);
    assert_eq!(status.status.code(), Some(3));
    let unit = stdout(&run(&["watch", "unit", &state]));
    assert!(unit.contains("ExecStart=/") && unit.contains(&state[8..]), "{unit}");
}
