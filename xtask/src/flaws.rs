//! Known flaws of this host's packages beside debsecan: the same advisories, every answer compared.

use crate::run;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

const FOLDER: &str = "target/bench-flaws";
const STATE: &str = "--state=target/bench-flaws";
const SCRIPT: &str = "xtask/src/peers/debsecan.py";

/// Prints how long both take; fails when they say different things.
pub(crate) fn run(polder: &str) -> Result<(), String> {
    println!("\nflaws of the packages of this host: `polder look flaws` beside debsecan\n");
    let data = std::env::var_os("POLDER_TEST_DATA")
        .map_or_else(|| PathBuf::from("../shared"), PathBuf::from)
        .join("feeds/greenbone");
    let path = |name: &str| data.join(name).display().to_string();
    let (rows, names) = (path("debian_12.notus.gz"), path("debian_advisories_2022-2025.json.gz"));
    if !data.is_dir() || !run::is_there("debsecan") {
        println!("not compared: no advisories beside the repository, or debsecan is not installed");
        return Ok(());
    }
    let _ = std::fs::remove_dir_all(FOLDER);
    std::fs::create_dir_all(FOLDER).map_err(|error| error.to_string())?;
    for file in [&names, &rows] {
        run::output(polder, &["feed", "import", "--quiet", STATE, file])
            .ok_or("the advisories cannot be imported")?;
    }
    let generic = format!("{FOLDER}/GENERIC");
    let count = run::output("python3", &[SCRIPT, "convert", &rows, &names, &generic])
        .ok_or("the advisories cannot be converted")?;
    // The packages of this host may all be new: of the same, some are made old.
    let root = format!("{FOLDER}/root");
    let (etc, dpkg) = (format!("{root}/etc"), format!("{root}/var/lib/dpkg"));
    for folder in [&etc, &dpkg] {
        std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    }
    std::fs::copy("/etc/os-release", format!("{etc}/os-release"))
        .map_err(|error| error.to_string())?;
    let status = format!("{dpkg}/status");
    run::output("python3", &[SCRIPT, "age", "/var/lib/dpkg/status", &status])
        .ok_or("the packages of this host cannot be read")?;
    let root = format!("--root={root}");
    let look = ["look", "flaws", "--json", "--quiet", STATE, &root];
    let (ours, seconds) = timed(polder, &look, "ours.json")?;
    let here = std::env::current_dir().map_err(|error| error.to_string())?;
    let source = format!("file://{}/{FOLDER}/", here.display());
    let asked = ["--source", &source, "--format", "simple", "--status", &status];
    let (theirs, beside) = timed("debsecan", &asked, "theirs.txt")?;
    println!("{} rows: polder {seconds:.3} s, debsecan {beside:.3} s", count.trim());
    run::program("python3", &[SCRIPT, "compare", &ours, &theirs, &status, &rows])?;
    println!("the same answers in 1/{:.0} of the time", beside / seconds);
    Ok(())
}

/// Runs a program into a file below the folder; says which, and how long it took.
fn timed(program: &str, arguments: &[&str], file: &str) -> Result<(String, f64), String> {
    let start = Instant::now();
    // Old advisories make the exit code one of "not all is known"; what is printed is whole.
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| format!("`{program}`: {error}"))?;
    let seconds = start.elapsed().as_secs_f64();
    let path = format!("{FOLDER}/{file}");
    std::fs::write(&path, output.stdout).map_err(|error| error.to_string())?;
    Ok((path, seconds))
}
