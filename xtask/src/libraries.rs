//! Known flaws of crates beside cargo-audit: the same lock files, the same records, every verdict
//! compared.

use crate::run;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Lock files that both look at; cargo-audit takes a tenth of a second for each.
const FILES: usize = 100;

const STATE: &str = "--state=target/bench-libraries";
const DATABASE: &str = "target/bench-libraries/rustsec";

/// Prints how long both take; fails when they say different things.
pub(crate) fn run(polder: &str) -> Result<(), String> {
    println!("\nflaws of crates: `polder audit` beside cargo-audit\n");
    let data = std::env::var_os("POLDER_TEST_DATA")
        .map_or_else(|| PathBuf::from("../shared"), PathBuf::from)
        .join("feeds/rustsec");
    let files = lock_files();
    if !data.is_dir() || files.is_empty() {
        println!(
            "not compared: no records of RustSec beside the repository, or no crates of others"
        );
        return Ok(());
    }
    let feed = data.join("osv-crates.tar.gz").display().to_string();
    run::output(polder, &["feed", "import", "--quiet", "--anyway", STATE, &feed])
        .ok_or("the records of RustSec cannot be imported")?;
    let mut arguments = vec!["audit".to_string(), STATE.into(), "--format=json".into()];
    arguments.extend(files.iter().map(|it| it.display().to_string()));
    let start = Instant::now();
    // Old records make the exit code one of "not all is known"; what is printed is whole.
    let ours = Command::new(polder)
        .args(&arguments)
        .output()
        .map_err(|error| format!("`{polder}`: {error}"))?;
    let seconds = start.elapsed().as_secs_f64();
    let ours = String::from_utf8_lossy(&ours.stdout).into_owned();
    let verdicts = ids(&ours, "\"advisory\":");
    println!("polder: {} verdicts on {} lock files in {seconds:.3} s", verdicts.len(), files.len());
    if !run::is_there("cargo-audit") {
        println!("not compared: `cargo install --locked cargo-audit` installs it");
        return Ok(());
    }
    unpack(&data.join("advisories-md.tar.gz"))?;
    let start = Instant::now();
    let mut theirs = Vec::new();
    for file in &files {
        let file = file.display().to_string();
        let output = Command::new("cargo")
            .args(["audit", "--db", DATABASE, "--no-fetch", "--stale", "--json", "-f", &file])
            .stderr(Stdio::null())
            .output()
            .map_err(|error| format!("cargo-audit: {error}"))?;
        theirs.extend(ids(&String::from_utf8_lossy(&output.stdout), "\"id\":"));
    }
    let beside = start.elapsed().as_secs_f64();
    theirs.sort_unstable();
    println!("cargo-audit: {} verdicts in {beside:.3} s", theirs.len());
    if theirs != verdicts {
        return Err(format!("the verdicts differ: {verdicts:?} and {theirs:?}"));
    }
    println!("the same verdicts in 1/{:.0} of the time", beside / seconds);
    Ok(())
}

/// Where pip-audit is installed.
const PIP_AUDIT: &str = "target/bench-pip-audit";

/// Python packages beside pip-audit, which asks a service of ours on the loopback: the same records, every answer
/// compared.
pub(crate) fn python(polder: &str) -> Result<(), String> {
    println!("\nflaws of Python packages: `polder audit` beside pip-audit\n");
    let feed = std::env::var_os("POLDER_TEST_DATA")
        .map_or_else(|| PathBuf::from("../shared"), PathBuf::from)
        .join("feeds/pypa/vulns-yaml.tar.gz");
    let python = format!("{PIP_AUDIT}/bin/python");
    let made = run::output("python3", &["-m", "venv", PIP_AUDIT])
        .and_then(|_| run::output(&python, &["-m", "pip", "-q", "install", "pip-audit", "pyyaml"]));
    if !feed.is_file() || made.is_none() {
        println!(
            "not compared: no records of PyPA beside the repository, or pip-audit cannot be installed"
        );
        return Ok(());
    }
    let script = "xtask/src/peers/pip_audit.py";
    run::program(&python, &[script, polder, &feed.display().to_string(), PIP_AUDIT])
}

/// Lock files of the crates that this build was made from.
fn lock_files() -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|it| PathBuf::from(it).join(".cargo")));
    let folder = home.unwrap_or_default().join("registry/src");
    let list = |path: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|it| it.path()).collect()
    };
    let mut files: Vec<PathBuf> = list(&folder)
        .iter()
        .flat_map(|registry| list(registry))
        .map(|krate| krate.join("Cargo.lock"))
        .filter(|it| it.is_file())
        .collect();
    files.sort();
    files.truncate(FILES);
    files
}

fn unpack(archive: &Path) -> Result<(), String> {
    std::fs::create_dir_all(DATABASE).map_err(|error| format!("{DATABASE}: {error}"))?;
    run::program("tar", &["-xzf", &archive.display().to_string(), "-C", DATABASE])
}

/// The names of advisories behind a key, sorted, each as often as it stands there.
fn ids(json: &str, key: &str) -> Vec<String> {
    let mut ids: Vec<String> = json
        .split(key)
        .skip(1)
        .filter_map(|it| it.trim_start().strip_prefix('"')?.split('"').next())
        .filter(|it| it.starts_with("RUSTSEC-"))
        .map(str::to_string)
        .collect();
    ids.sort_unstable();
    ids
}
