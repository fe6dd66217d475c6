//! The fixed set of programs that may be run, each read-only, each with all of its arguments.

use crate::{ErrorKind, HostError};
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Longest a program may run.
const RUN_SECONDS_MAX: u64 = 5;

/// Longest RPM may list every file of a host, from a cold disk.
const LIST_SECONDS_MAX: u64 = 30;

/// Most bytes taken from its output; the lists of files of three thousand packages stay below.
const OUTPUT_BYTES_MAX: u64 = 64 << 20;

/// A program Polder may run. There is no way to run another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Program {
    /// The rule set of nftables.
    NftRuleset,
    /// The IPv4 rules as iptables sees them.
    IptablesSave,
    /// The IPv6 rules as iptables sees them.
    Ip6tablesSave,
    /// The effective settings of the SSH server.
    SshdEffective,
    /// Accounts of MariaDB or MySQL over its local socket; whether a secret is set, never which.
    MariadbAccounts,
    /// Every package in RPM's database.
    RpmPackages,
    /// The files of every package in RPM's database.
    RpmFiles,
}

impl Program {
    /// Every program, for the documentation.
    pub const ALL: [Self; 7] = [
        Self::NftRuleset,
        Self::IptablesSave,
        Self::Ip6tablesSave,
        Self::SshdEffective,
        Self::MariadbAccounts,
        Self::RpmPackages,
        Self::RpmFiles,
    ];

    /// Where it may lie, and its arguments.
    fn command(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::NftRuleset => (&["/usr/sbin/nft", "/sbin/nft"], &["-j", "list", "ruleset"]),
            Self::IptablesSave => (&["/usr/sbin/iptables-save", "/sbin/iptables-save"], &[]),
            Self::Ip6tablesSave => (&["/usr/sbin/ip6tables-save", "/sbin/ip6tables-save"], &[]),
            Self::SshdEffective => (&["/usr/sbin/sshd"], &["-T"]),
            Self::MariadbAccounts => (
                &["/usr/bin/mariadb", "/usr/bin/mysql"],
                &[
                    "--no-defaults",
                    "--protocol=socket",
                    "--batch",
                    "--skip-column-names",
                    "--connect-timeout=2",
                    "--execute",
                    "SELECT user, host, plugin, IF(authentication_string IN ('', 'invalid'), authentication_string, 'set') FROM mysql.user",
                ],
            ),
            Self::RpmPackages => (
                &["/usr/bin/rpm"],
                &[
                    "-qa",
                    "--queryformat",
                    "%{NAME}\\t%{EPOCHNUM}\\t%{VERSION}\\t%{RELEASE}\\t%{ARCH}\\t%{SOURCERPM}\\n",
                ],
            ),
            Self::RpmFiles => {
                (&["/usr/bin/rpm"], &["-qa", "--queryformat", "[%{FILENAMES}\\t%{=NAME}\\n]"])
            }
        }
    }

    /// Longest it may run.
    fn seconds_max(self) -> u64 {
        match self {
            Self::RpmPackages | Self::RpmFiles => LIST_SECONDS_MAX,
            _ => RUN_SECONDS_MAX,
        }
    }

    /// Folders in which the database lies that it reads, if it can read that of another root, too.
    pub(crate) fn reads(self) -> &'static [&'static str] {
        match self {
            Self::RpmPackages | Self::RpmFiles => &["/var/lib/rpm", "/usr/lib/sysimage/rpm"],
            _ => &[],
        }
    }

    /// The command as a person would type it.
    pub fn shown(self) -> &'static str {
        match self {
            Self::NftRuleset => "nft -j list ruleset",
            Self::IptablesSave => "iptables-save",
            Self::Ip6tablesSave => "ip6tables-save",
            Self::SshdEffective => "sshd -T",
            Self::MariadbAccounts => "mariadb: accounts and their plugins in mysql.user",
            Self::RpmPackages => "rpm -qa",
            Self::RpmFiles => "rpm -qa: the files of every package",
        }
    }
}

/// What a program answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Exit code; absent when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// First line of standard error.
    pub stderr: String,
}

/// Runs `program` with an empty environment and within its bounds.
pub(crate) fn run(program: Program) -> Result<Output, HostError> {
    run_with(program, &[])
}

/// Runs a program of this machine on the database of another root.
pub(crate) fn run_below(
    program: Program,
    root: &Path,
    database: &str,
) -> Result<Output, HostError> {
    let more = ["--root".as_ref(), root.as_os_str(), "--dbpath".as_ref(), database.as_ref()];
    run_with(program, &more)
}

fn run_with(program: Program, more: &[&OsStr]) -> Result<Output, HostError> {
    let (places, arguments) = program.command();
    let shown = program.shown();
    let mut last = HostError::new(ErrorKind::NotFound, shown, "the program is not installed");
    for place in places {
        let spawned = Command::new(place)
            .args(arguments)
            .args(more)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .current_dir("/")
            .spawn();
        match spawned {
            Ok(child) => return finish(child, shown, program.seconds_max()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => last = HostError::from_io(place.as_ref(), &error),
        }
    }
    Err(last)
}

fn finish(
    mut child: std::process::Child,
    shown: &str,
    seconds_max: u64,
) -> Result<Output, HostError> {
    let reader = |pipe: Option<Box<dyn Read + Send>>| {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(pipe) = pipe {
                let _ = pipe.take(OUTPUT_BYTES_MAX + 1).read_to_end(&mut bytes);
            }
            bytes
        })
    };
    let stdout = reader(child.stdout.take().map(|it| Box::new(it) as Box<dyn Read + Send>));
    let stderr = reader(child.stderr.take().map(|it| Box::new(it) as Box<dyn Read + Send>));
    let deadline = Instant::now() + Duration::from_secs(seconds_max);
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(2)),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                let because = format!("no answer within {seconds_max} seconds");
                return Err(HostError::new(ErrorKind::TooSlow, shown, because));
            }
            Err(error) => return Err(HostError::from_io(shown.as_ref(), &error)),
        }
    };
    let stdout = stdout.join().unwrap_or_default();
    if stdout.len() as u64 > OUTPUT_BYTES_MAX {
        let because = format!("more than {OUTPUT_BYTES_MAX} bytes of output");
        return Err(HostError::new(ErrorKind::TooLarge, shown, because));
    }
    let stderr = stderr.join().unwrap_or_default();
    let first = stderr.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(Output {
        code: status.code(),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: polder_model::printable(first),
    })
}
