//! Our figures beside those of the incumbents, all measured in one run.

use crate::{flaws, integrity, inventory, libraries, packages, peers, run, upgrade, watch};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Runs of each command; the fastest counts, which is least disturbed by others.
const RUNS: usize = 5;

/// One command with what it took.
struct Measured {
    name: &'static str,
    seconds: f64,
    megabytes: f64,
}

/// Prints the table.
pub(crate) fn run() -> Result<(), String> {
    packages::install(packages::BENCH)?;
    run::cargo(&["build", "--release", "--package", "polder"])?;
    let polder = &run::polder();
    commands(polder)?;
    println!("\none host from facts to plan, without the look: median of ten runs\n");
    run::cargo(&["bench", "--quiet", "--package", "polder", "--bench", "one_host"])?;
    println!("\nthe engine on made-up fleets, with 500 treatments in the same 65,536 worlds\n");
    run::cargo(&["bench", "--quiet", "--package", "polder-risk", "--bench", "fleet"])?;
    known_flaws(polder)?;
    integrity::run(polder)?;
    upgrade::run(polder)?;
    watch::run(polder)?;
    access()?;
    peers::run(polder)
}

/// Known flaws: the index, and everybody who matches them.
fn known_flaws(polder: &str) -> Result<(), String> {
    println!("\nknown flaws: the index, and a host of eight thousand packages\n");
    run::cargo(&["bench", "--quiet", "--package", "polder-store", "--bench", "match"])?;
    flaws::run(polder)?;
    inventory::run(polder)?;
    libraries::run(polder)?;
    libraries::python(polder)
}

/// What the commands take on this machine.
fn commands(polder: &str) -> Result<(), String> {
    let state = "--state=target/bench-state";
    println!("\nfastest of {RUNS} runs, warm, unless it says otherwise\n");
    let assess = measure("polder assess", RUNS, polder, &["assess", "--quiet", state])?;
    let look = ["look", "candidates", "--quiet"];
    let forgetful = [&look[..], &["--state=target/no-state"]].concat();
    let pending = measure("polder look candidates", RUNS, polder, &forgetful)?;
    let warm =
        measure("the same, indices remembered", RUNS, polder, &[&look[..], &[state]].concat())?;
    let processes =
        measure("polder look processes", RUNS, polder, &["look", "processes", "--quiet"])?;
    let version = measure("polder --version", RUNS, polder, &["--version"])?;
    let apt = measure("apt list --upgradable", RUNS, "apt", &["list", "--upgradable"])?;
    let lynis = match run::is_there("lynis") || std::path::Path::new("/usr/sbin/lynis").is_file() {
        true => Some(measure(
            "lynis audit system --quick (1 run)",
            1,
            "lynis",
            &["audit", "system", "--quick", "--quiet"],
        )?),
        false => None,
    };
    let needrestart = match std::path::Path::new("/usr/sbin/needrestart").is_file() {
        true => Some(measure("needrestart -b", 2, "/usr/sbin/needrestart", &["-b"])?),
        false => None,
    };
    let all = [
        Some(&assess),
        Some(&pending),
        Some(&warm),
        Some(&processes),
        Some(&version),
        Some(&apt),
        lynis.as_ref(),
        needrestart.as_ref(),
    ];
    println!("{:<38} {:>9} {:>9}", "command", "seconds", "MB");
    for it in all.into_iter().flatten() {
        println!("{:<38} {:>9.3} {:>9.1}", it.name, it.seconds, it.megabytes);
    }
    println!();
    if let Some(lynis) = &lynis {
        println!(
            "a whole assessment takes 1/{:.0} of the time of lynis",
            lynis.seconds / assess.seconds
        );
    }
    let share = apt.seconds / pending.seconds;
    println!("the waiting updates take 1/{share:.1} of the time of apt");
    let bytes = std::fs::metadata(polder).map_or(0, |it| it.len());
    println!("the release binary has {:.1} MB", bytes as f64 / 1e6);
    Ok(())
}

/// Only the upgrade.
pub(crate) fn upgrade() -> Result<(), String> {
    packages::install(packages::BENCH)?;
    run::cargo(&["build", "--release", "--package", "polder"])?;
    upgrade::run(&run::polder())
}

/// Only the watch.
pub(crate) fn watch() -> Result<(), String> {
    packages::install(packages::BENCH)?;
    run::cargo(&["build", "--release", "--package", "polder"])?;
    watch::run(&run::polder())
}

/// Only accounts of databases.
pub(crate) fn access() -> Result<(), String> {
    // The package is named after a version of the server, which may be another one here: then that part is skipped.
    if let Err(error) = packages::install(packages::BENCH_ACCESS) {
        println!("{error}");
    }
    println!("\nrights of an account of PostgreSQL, and the same from the log of pgaudit\n");
    run::cargo(&["bench", "--quiet", "--package", "polder-access", "--bench", "postgresql"])?;
    println!("\nrights of an account of MariaDB, and what MySQLTuner says of the same\n");
    run::cargo(&["bench", "--quiet", "--package", "polder-access", "--bench", "mariadb"])
}

/// Only known flaws.
pub(crate) fn flaws() -> Result<(), String> {
    packages::install(packages::BENCH)?;
    run::cargo(&["build", "--release", "--package", "polder"])?;
    let polder = &run::polder();
    commands(polder)?;
    known_flaws(polder)
}

/// Only the baseline beside its peers.
pub(crate) fn integrity() -> Result<(), String> {
    packages::install(packages::BENCH)?;
    run::cargo(&["build", "--release", "--package", "polder"])?;
    integrity::run(&run::polder())
}

/// Wall time and largest resident set, as GNU time or the shell's own accounting tells.
fn measure(
    name: &'static str,
    runs: usize,
    program: &str,
    arguments: &[&str],
) -> Result<Measured, String> {
    let mut seconds = f64::INFINITY;
    let mut megabytes: f64 = 0.0;
    for _ in 0..runs {
        let start = Instant::now();
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let mut child = child.map_err(|error| format!("`{program}` cannot be run: {error}"))?;
        let status = format!("/proc/{}/status", child.id());
        loop {
            if let Ok(text) = std::fs::read_to_string(&status) {
                let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
                let kilobytes =
                    peak.and_then(|it| it.split_whitespace().next()?.parse::<f64>().ok());
                megabytes = megabytes.max(kilobytes.unwrap_or(0.0) / 1e3);
            }
            match child.try_wait() {
                Ok(Some(status)) if matches!(status.code(), Some(0 | 1 | 3)) => break,
                Ok(Some(status)) => return Err(format!("`{name}` ended with {status}")),
                Ok(None) => std::thread::sleep(std::time::Duration::from_micros(500)),
                Err(error) => return Err(error.to_string()),
            }
        }
        seconds = seconds.min(start.elapsed().as_secs_f64());
    }
    Ok(Measured { name, seconds, megabytes })
}
