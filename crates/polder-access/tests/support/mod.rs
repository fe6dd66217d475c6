//! A PostgreSQL of the test's own: as an ordinary user, on a socket, in a folder that goes with it.

#![allow(dead_code, reason = "not every test needs all of it")]

use polder_access::Ambient;
use polder_access::postgresql::{Session, Target};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(crate) mod maria;

/// The user and group `nobody` of Debian: PostgreSQL refuses to run as root.
pub(crate) const NOBODY: (u32, u32) = (65_534, 65_534);

/// Says aloud what is not tested.
pub(crate) fn skipped(because: &str) {
    eprintln!("SKIPPED: {because}");
}

/// Data that may not be shipped lies beside the checkout.
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(name);
    if path.exists() {
        return Some(path);
    }
    skipped(&format!("`../shared/{name}` is not beside the checkout"));
    None
}

/// A running server.
pub(crate) struct Cluster {
    folder: tempfile::TempDir,
    bin: PathBuf,
    is_root: bool,
    port: u16,
}

impl Cluster {
    /// Starts one that counts statements; none where PostgreSQL is not installed.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with("")
    }

    /// The same, with settings of its own, which go before others.
    pub(crate) fn start_with(extra: &str) -> Option<Self> {
        let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .flatten()
            .map(|it| it.path().join("bin"))
            .filter(|it| it.join("initdb").exists())
            .collect();
        versions.sort();
        let Some(bin) = versions.pop() else {
            skipped("`postgresql` is not installed");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|it| {
            use std::os::unix::fs::MetadataExt;
            it.uid() == 0
        });
        if is_root {
            chown(folder.path(), Some(NOBODY.0), Some(NOBODY.1)).unwrap();
        }
        let it = Self { folder, bin, is_root, port: 5433 };
        let data = it.folder.path().join("data");
        it.run(
            "initdb",
            &["-D", data.to_str().unwrap(), "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8"],
        );
        let socket = it.folder.path().display();
        let settings = format!(
            "listen_addresses = ''\nport = 5433\nunix_socket_directories = '{socket}'\nfsync = off\n\
             shared_preload_libraries = 'pg_stat_statements'\npg_stat_statements.max = 200000\nmax_connections = 30\n{extra}"
        );
        let path = data.join("postgresql.conf");
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str(&settings);
        std::fs::write(&path, text).unwrap();
        let log = it.log_path();
        it.run(
            "pg_ctl",
            &["-D", data.to_str().unwrap(), "-l", log.to_str().unwrap(), "-w", "start"],
        );
        Some(it)
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = Command::new(self.bin.join(program));
        command.args(arguments).stdin(Stdio::null()).env("LC_ALL", "C.UTF-8").current_dir("/");
        // What stays behind must not hold the pipes of the test.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        if self.is_root {
            command.gid(NOBODY.1).uid(NOBODY.0);
        }
        let status = command.status().unwrap();
        assert!(status.success(), "{program} {arguments:?}: {status}");
    }

    /// Folder of its socket.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Whether a library of the server's is installed.
    pub(crate) fn has_library(name: &str) -> bool {
        let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        versions.map(|it| it.path().join("lib").join(name)).any(|it| it.exists())
    }

    /// Its log.
    pub(crate) fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Lets it listen on the loopback, with TLS and a certificate of its own, and asks for passwords there.
    pub(crate) fn listen(&mut self, rules: &str) {
        self.port =
            std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let data = self.folder.path().join("data");
        let file = |name: &str| data.join(name).to_str().unwrap().to_string();
        let (certificate, key) = (file("server.crt"), file("server.key"));
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=localhost",
            ])
            .args([
                "-addext",
                "subjectAltName=DNS:localhost",
                "-addext",
                "basicConstraints=critical,CA:TRUE",
            ])
            .args(["-keyout", &key, "-out", &certificate])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success());
        if self.is_root {
            chown(&key, Some(NOBODY.0), Some(NOBODY.1)).unwrap();
        }
        let settings = format!("listen_addresses = '127.0.0.1'\nport = {}\nssl = on\n", self.port);
        let path = data.join("postgresql.conf");
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str(&settings);
        std::fs::write(&path, text).unwrap();
        std::fs::write(data.join("pg_hba.conf"), rules).unwrap();
        let log = self.log_path();
        let (data, log) = (data.to_str().unwrap(), log.to_str().unwrap());
        self.run("pg_ctl", &["-D", data, "-l", log, "-w", "-m", "fast", "restart"]);
    }

    /// The port it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// A connection to a database as a role.
    pub(crate) fn target(&self, database: &str, user: &str) -> Target {
        let said = format!(
            "host={} port=5433 dbname={database} user={user}",
            self.folder.path().display()
        );
        Target::parse(&said, &Ambient::default()).unwrap()
    }

    /// A connection as the superuser.
    pub(crate) fn session(&self, database: &str) -> Session {
        Session::connect(&self.target(database, "postgres")).unwrap()
    }

    /// A plain connection.
    pub(crate) fn client(&self, database: &str, user: &str) -> postgres::Client {
        let said = self.target(database, user).said();
        postgres::Client::connect(&said, postgres::NoTls).unwrap()
    }

    /// Runs a script of psql as the superuser, in a database that it may leave by `\connect`.
    pub(crate) fn script(&self, text: &str) {
        let mut client = self.client("postgres", "postgres");
        let mut part = String::new();
        for line in text.lines() {
            if let Some(database) = line.strip_prefix("\\connect ") {
                self.batch(&mut client, &std::mem::take(&mut part));
                client = self.client(database.trim(), "postgres");
                continue;
            }
            part.push_str(line);
            part.push('\n');
        }
        self.batch(&mut client, &part);
    }

    /// Each statement alone: some may not stand in a transaction.
    fn batch(&self, client: &mut postgres::Client, text: &str) {
        for statement in polder_access::postgresql::parse_statements(text) {
            client.batch_execute(&statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }
}

/// Statements of a workload that are refused for want of a right; what they did is taken back.
pub(crate) fn refused(
    cluster: &Cluster,
    database: &str,
    account: &str,
    workload: &[String],
) -> Vec<String> {
    let mut client = cluster.client(database, account);
    client.batch_execute("BEGIN").unwrap();
    let mut refused = Vec::new();
    for statement in workload {
        client.batch_execute("SAVEPOINT one").unwrap();
        if let Err(error) = client.batch_execute(statement) {
            let said = error.as_db_error().unwrap();
            // Rows that are there already are no matter of rights.
            if said.code().code() != "23505" {
                refused.push(format!("{statement}: {}", said.message()));
            }
            client.batch_execute("ROLLBACK TO SAVEPOINT one").unwrap();
        }
    }
    refused
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let data = self.folder.path().join("data");
        let mut command = Command::new(self.bin.join("pg_ctl"));
        command.args(["-D", data.to_str().unwrap_or_default(), "-m", "immediate", "stop"]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null()).current_dir("/");
        if self.is_root {
            command.gid(NOBODY.1).uid(NOBODY.0);
        }
        let _ = command.status();
    }
}
