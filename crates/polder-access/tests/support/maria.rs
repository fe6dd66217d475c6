//! A MariaDB of the test's own: as an ordinary user, on a socket, in a folder that goes with it.

use super::{NOBODY, skipped};
use mysql::prelude::Queryable;
use mysql::{Conn, OptsBuilder};
use polder_access::Ambient;
use polder_access::mariadb::{Session, Target};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server.
pub(crate) struct Maria {
    folder: tempfile::TempDir,
    child: Child,
}

impl Maria {
    /// Starts one that remembers statements; none where MariaDB is not installed.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with(&[
            "--performance-schema-consumer-events-statements-current=ON",
            "--performance-schema-consumer-events-statements-history-long=ON",
        ])
    }

    /// The same, with options of its own.
    pub(crate) fn start_with(extra: &[&str]) -> Option<Self> {
        let server = ["/usr/sbin/mariadbd", "/usr/libexec/mariadbd"];
        let Some(server) = server.iter().find(|it| Path::new(it).exists()) else {
            skipped("`mariadb-server` is not installed");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|it| it.uid() == 0);
        if is_root {
            chown(folder.path(), Some(NOBODY.0), Some(NOBODY.1)).unwrap();
        }
        let data = folder.path().join("data");
        let as_nobody = |program: &str| {
            let mut command = Command::new(program);
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .current_dir("/");
            if is_root {
                command.gid(NOBODY.1).uid(NOBODY.0);
            }
            command
        };
        let made = as_nobody("mariadb-install-db")
            .args(["--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal"])
            .args(["--skip-name-resolve", &format!("--datadir={}", data.display())])
            // Servers that are made at the same time take each other's temporary tables.
            .arg(format!("--tmpdir={}", folder.path().display()))
            .stderr(Stdio::piped())
            .stdout(Stdio::piped())
            .output()
            .unwrap();
        let says = || String::from_utf8_lossy(&made.stdout).into_owned();
        assert!(made.status.success(), "mariadb-install-db: {} {}", made.status, says());
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
        let child = as_nobody(server)
            .args(["--no-defaults", "--skip-networking", "--performance-schema=ON"])
            .args(["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M"])
            .args(["--performance-schema-events-statements-history-long-size=20000"])
            .args([
                "--datadir",
                &data.display().to_string(),
                "--socket",
                &path("s"),
                "--pid-file",
                &path("pid"),
            ])
            .arg(format!("--log-error={}", path("log")))
            .arg(format!("--tmpdir={}", folder.path().display()))
            .args(extra)
            .spawn()
            .unwrap();
        let mut it = Self { folder, child };
        let begun = Instant::now();
        while Conn::new(it.options("root")).is_err() {
            assert!(it.child.try_wait().unwrap().is_none(), "{}", it.log());
            assert!(begun.elapsed() < Duration::from_secs(60), "{}", it.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(it)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Seconds of processor that it used.
    pub(crate) fn load(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()) as f64 / 100.0
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    fn options(&self, user: &str) -> OptsBuilder {
        OptsBuilder::new()
            .user(Some(user))
            .socket(Some(self.socket().to_str().unwrap()))
            .prefer_socket(false)
    }

    /// Whoever uses it.
    pub(crate) fn client(&self, user: &str, database: &str) -> Conn {
        let database = Some(database).filter(|it| !it.is_empty());
        Conn::new(self.options(user).db_name(database)).unwrap()
    }

    /// The same, with a password.
    pub(crate) fn client_with(&self, user: &str, password: Option<&str>, database: &str) -> Conn {
        Conn::new(self.options(user).pass(password).db_name(Some(database))).unwrap()
    }

    /// Runs a script as root.
    pub(crate) fn script(&self, text: &str) {
        let mut root = self.client("root", "");
        for statement in
            polder_access::mariadb::parse_statements(text, polder_access::sql::Dialect::MARIADB)
        {
            root.query_drop(&statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }

    /// How the server is named.
    pub(crate) fn said(&self, user: &str, database: &str) -> String {
        format!("mariadb://{user}@localhost/{database}?socket={}", self.socket().display())
    }

    /// A connection as Polder has it.
    pub(crate) fn session(&self, database: &str) -> Session {
        let target = Target::parse(&self.said("root", database), &Ambient::default()).unwrap();
        Session::connect(&target).unwrap()
    }

    /// Ends the server at once.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Maria {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Statements that are refused to somebody, each in a connection of its own that is rolled back, with what the server says.
pub(crate) fn refused(
    maria: &Maria,
    database: &str,
    user: &str,
    workload: &[Vec<&str>],
) -> Vec<String> {
    let mut found = Vec::new();
    for unit in workload {
        let mut client = match Conn::new(maria.options(user).db_name(Some(database))) {
            Ok(client) => client,
            Err(error) => {
                found.push(format!("{error}"));
                continue;
            }
        };
        client.query_drop("START TRANSACTION").unwrap();
        for statement in unit {
            if let Err(mysql::Error::MySqlError(error)) = client.query::<mysql::Row, _>(statement)
                && matches!(error.code, 1044 | 1142 | 1143 | 1227 | 1345 | 1356 | 1370)
            {
                found.push(format!("{statement}: {}", error.message));
            }
        }
    }
    found
}
