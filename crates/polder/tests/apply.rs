//! End to end: an open server in a network of its own is found, closed, checked and opened again.
//!
//! Needs root, network namespaces, nftables and Redis; the host's `/etc` lies under an overlay, so
//! that nothing of the machine is changed.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test may panic, and makes the network it looks at"
)]

mod support;

use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use support::{skipped, stderr, stdout};

/// Two namespaces with a wire between them, a server in the first, an overlay for its `/etc`.
struct Network {
    host: String,
    outside: String,
    folder: tempfile::TempDir,
    server: Option<Child>,
    /// How to tell that it answers.
    talk: Talk,
}

/// A question that a server answers before it knows who asks.
struct Talk {
    port: u16,
    /// In the escapes of printf(1).
    question: &'static str,
    /// What the answer starts with, any of them.
    answers: &'static [u8],
}

const REDIS: Talk = Talk { port: 6399, question: "PING\\r\\n", answers: b"+" };

/// The request for TLS, to which PostgreSQL says S or N (its protocol, "SSL Session Encryption").
const POSTGRESQL: Talk =
    Talk { port: 5499, question: "\\x00\\x00\\x00\\x08\\x04\\xd2\\x16\\x2f", answers: b"SN" };

impl Network {
    fn new(name: &str) -> Option<Self> {
        let has =
            |it: &str| ["/usr/bin", "/usr/sbin"].iter().any(|at| Path::new(at).join(it).is_file());
        if !rustix::process::geteuid().is_root()
            || !["ip", "nft", "redis-server"].into_iter().all(has)
        {
            skipped("needs root, iproute2, nftables and redis-server");
            return None;
        }
        let id = std::process::id();
        let it = Self {
            host: format!("pt-{name}-{id}-in"),
            outside: format!("pt-{name}-{id}-out"),
            folder: tempfile::tempdir().unwrap(),
            server: None,
            talk: REDIS,
        };
        if !it.wire() {
            skipped("network namespaces cannot be made here");
            return None;
        }
        for name in ["upper", "work", "data", "state"] {
            std::fs::create_dir(it.folder.path().join(name)).unwrap();
        }
        let config = "[host]\ninternet_facing = \"yes\"\n";
        std::fs::write(it.folder.path().join("polder.toml"), config).unwrap();
        Some(it)
    }

    fn wire(&self) -> bool {
        let (host, outside) = (self.host.as_str(), self.outside.as_str());
        let commands: [&[&str]; 9] = [
            &["netns", "add", host],
            &["netns", "add", outside],
            &[
                "link", "add", "v-in", "netns", host, "type", "veth", "peer", "name", "v-out",
                "netns", outside,
            ],
            &["-n", host, "addr", "add", "198.51.100.1/24", "dev", "v-in"],
            &["-n", outside, "addr", "add", "198.51.100.2/24", "dev", "v-out"],
            &["-n", host, "link", "set", "lo", "up"],
            &["-n", host, "link", "set", "v-in", "up"],
            &["-n", outside, "link", "set", "lo", "up"],
            &["-n", outside, "link", "set", "v-out", "up"],
        ];
        commands.iter().all(|it| {
            let status = Command::new("ip").args(*it).stderr(Stdio::null()).status();
            status.is_ok_and(|it| it.success())
        })
    }

    /// Starts a Redis that asks nobody for a password.
    fn open_redis(&mut self) {
        let folder = self.folder.path().join("data").display().to_string();
        let port = REDIS.port.to_string();
        let listen =
            ["--bind", "0.0.0.0", "--protected-mode", "no", "--save", "", "--dir", &folder];
        self.start(REDIS, &[["redis-server", "--port", &port].as_slice(), &listen].concat());
    }

    /// Starts a PostgreSQL that trusts everybody; false where there is none.
    fn open_postgresql(&mut self) -> bool {
        let Some(bin) = support::postgres_folder() else { return false };
        let data = self.folder.path().join("data").display().to_string();
        let as_postgres = ["--reuid=postgres", "--regid=postgres", "--clear-groups"];
        let own = [self.folder.path().display().to_string(), data.clone()];
        let owned = Command::new("chown").arg("postgres").args(own).status();
        let made = Command::new("setpriv")
            .args(as_postgres)
            .arg(format!("{bin}/initdb"))
            .args(["-D", &data, "-A", "trust", "-U", "postgres"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if ![owned, made].into_iter().all(|it| it.is_ok_and(|it| it.success())) {
            return false;
        }
        let rules = Path::new(&data).join("pg_hba.conf");
        std::fs::write(rules, "host all all 0.0.0.0/0 trust\n").unwrap();
        let (program, port) = (format!("{bin}/postgres"), POSTGRESQL.port.to_string());
        let listen = [&program, "-D", &data, "-p", &port, "-h", "0.0.0.0", "-k", &data];
        self.start(POSTGRESQL, &[["setpriv"].as_slice(), &as_postgres, &listen].concat());
        true
    }

    fn start(&mut self, talk: Talk, command: &[&str]) {
        let child = Command::new("ip")
            .args(["netns", "exec", &self.host])
            .args(command)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        (self.server, self.talk) = (Some(child), talk);
        for _ in 0..100 {
            if self.answers(&self.outside, "198.51.100.1") {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the server does not answer");
    }

    /// Whether the server answers somebody in a namespace.
    fn answers(&self, from: &str, address: &str) -> bool {
        let Talk { port, question, answers } = &self.talk;
        let script = format!(
            "exec 3<>/dev/tcp/{address}/{port} && printf '{question}' >&3 && head -c 1 <&3"
        );
        let output = Command::new("ip")
            .args(["netns", "exec", from, "timeout", "1", "bash", "-c", &script])
            .stderr(Stdio::null())
            .output()
            .unwrap();
        output.stdout.first().is_some_and(|it| answers.contains(it))
    }

    /// Polder inside the first namespace, after `first` was done in its mounts.
    fn polder_after(&self, first: &str, arguments: &[&str]) -> Output {
        let folder = self.folder.path().display();
        let script = format!(
            "mount -t overlay overlay -o lowerdir=/etc,upperdir={folder}/upper,workdir={folder}/work /etc && {first} && exec \"$@\""
        );
        Command::new("ip")
            .args(["netns", "exec", &self.host, "sh", "-c", &script, "sh"])
            .arg(env!("CARGO_BIN_EXE_polder"))
            .args(arguments)
            .args(["--quiet", "--config"])
            .arg(self.folder.path().join("polder.toml"))
            .arg("--state")
            .arg(self.folder.path().join("state"))
            .current_dir("/")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn polder(&self, arguments: &[&str]) -> Output {
        self.polder_after("true", arguments)
    }

    fn any(&self) -> f64 {
        let output = self.polder(&["assess", "--json", "--no-history"]);
        let view: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        view["any"]["mean"].as_f64().unwrap()
    }

    fn rules(&self) -> String {
        let list = ["netns", "exec", &self.host, "nft", "list", "ruleset"];
        stdout(&Command::new("ip").args(list).output().unwrap())
    }

    /// Files that changed below `/etc`.
    fn changed(&self) -> Vec<String> {
        let mut all = Vec::new();
        let mut stack = vec![self.folder.path().join("upper")];
        while let Some(folder) = stack.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    stack.push(path.clone());
                }
                all.push(path.file_name().unwrap().to_string_lossy().into_owned());
            }
        }
        all.sort();
        all
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(child) = &mut self.server {
            // PostgreSQL ends its helpers when it is asked to end, not when it is killed.
            let _ = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
            std::thread::sleep(Duration::from_millis(500));
            let _ = child.kill();
            let _ = child.wait();
        }
        for name in [&self.host, &self.outside] {
            let _ = Command::new("ip").args(["netns", "del", name]).status();
        }
    }
}

#[test]
fn an_open_redis_is_found_closed_checked_and_opened_again() {
    let Some(mut network) = Network::new("close") else { return };
    network.open_redis();
    close_and_open(&network, "close:tcp/6399");
}

#[test]
fn an_open_postgresql_is_found_closed_checked_and_opened_again() {
    let Some(mut network) = Network::new("pg") else { return };
    match network.open_postgresql() {
        true => close_and_open(&network, "close:tcp/5499"),
        false => skipped("needs PostgreSQL and its user"),
    }
}

fn close_and_open(network: &Network, treatment: &str) {
    let before = network.any();
    let output = network.polder(&["apply", treatment]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("nothing was changed"), "{}", stderr(&output));
    assert_eq!((network.rules(), network.changed()), (String::new(), Vec::new()));

    let output = network.polder(&["apply", treatment, "--yes"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("Done and checked"), "{}", stdout(&output));
    assert!(!network.answers(&network.outside, "198.51.100.1"), "it still answers strangers");
    assert!(network.answers(&network.host, "127.0.0.1"), "it no longer answers its own host");
    let after = network.any();
    assert!(after < before / 5.0, "{before} before, {after} after");

    let journal = stdout(&network.polder(&["journal"]));
    assert!(journal.contains("in force"), "{journal}");
    let output = network.polder(&["undo"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(network.answers(&network.outside, "198.51.100.1"));
    assert_eq!((network.rules(), network.changed()), (String::new(), Vec::new()));
    let again = network.any();
    assert!((again / before - 1.0).abs() < 0.05, "{before} before, {again} after the undo");
    let output = network.polder(&["undo"]);
    assert_eq!(output.status.code(), Some(2), "there is nothing left to take back");
}

#[test]
fn a_change_that_does_not_work_takes_itself_back() {
    let Some(mut network) = Network::new("fail") else { return };
    network.open_redis();
    // A program that says yes and does nothing: only looking again finds out.
    let broken = "mount --bind /bin/true /usr/sbin/nft";
    let output = network.polder_after(broken, &["apply", "close:tcp/6399", "--yes"]);
    assert_eq!(output.status.code(), Some(4), "{}{}", stdout(&output), stderr(&output));
    assert!(stderr(&output).contains("as it was before"), "{}", stderr(&output));
    assert_eq!((network.rules(), network.changed()), (String::new(), Vec::new()));
    let journal = stdout(&network.polder(&["journal"]));
    assert!(journal.contains("taken back"), "{journal}");
}

#[test]
fn what_could_lock_its_maker_out_takes_itself_back_unless_confirmed() {
    let Some(mut network) = Network::new("lock") else { return };
    network.open_redis();
    let apply = ["apply", "filter:default-drop", "--yes", "--keep-after", "3"];
    let output = network.polder(&apply);
    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
    assert!(stderr(&output).contains("--confirm"), "{}", stderr(&output));
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let confirmed: Vec<&str> = apply.iter().copied().chain(["--confirm", &name]).collect();

    // As where systemd runs, so that a reboot before the time is over would start the guard again.
    let systemd = "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system";
    let output = network.polder_after(systemd, &confirmed);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    assert!(network.rules().contains("polder_input"));
    let units = |all: &[String]| all.iter().filter(|it| it.starts_with("polder-guard-")).count();
    assert_eq!(units(&network.changed()), 2, "unit and link of {:?}", network.changed());
    for _ in 0..300 {
        if network.rules().is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(network.rules(), "", "nobody confirmed, and it is still there");
    for _ in 0..50 {
        if units(&network.changed()) == 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(units(&network.changed()), 0, "{:?}", network.changed());

    let output = network.polder(&confirmed);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    let output = network.polder(&["confirm"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    std::thread::sleep(Duration::from_secs(5));
    assert!(network.rules().contains("polder_input"), "it was confirmed, and is gone");
    assert_eq!(network.polder(&["undo"]).status.code(), Some(0));
    assert_eq!(network.rules(), "");
}
