//! `cargo xtask`: tests, benchmarks, generated documents, recorded hosts.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool of the repository, not of the machines under study"
)]

mod bench;
mod flaws;
mod integrity;
mod inventory;
mod libraries;
mod packages;
mod page;
mod peers;
mod run;
mod upgrade;
mod watch;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test                    install what the tests need (as root), and run all of them
  dist                    build the program to install, target/dist/polder: no library can be put before its own
  bench [PART]            print our figures beside those of the incumbents; a part: access, flaws, integrity, upgrade, watch
  page                    check the HTML page in headless Chromium with axe-core
  generate                write manual pages, completions, schemas and lists into docs/
  record-hosts [NAME...]  make the recorded servers of tests/hosts anew (as root)
";

/// Links libc and all others into the program.
const STATIC: &str = "target-feature=+crt-static";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let names: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match names.as_slice() {
        ["test"] => test(),
        ["bench"] => bench::run(),
        ["bench", "flaws"] => bench::flaws(),
        ["bench", "integrity"] => bench::integrity(),
        ["bench", "upgrade"] => bench::upgrade(),
        ["bench", "watch"] => bench::watch(),
        ["bench", "access"] => bench::access(),
        ["dist"] => dist(),
        ["page"] => page::run(),
        ["generate"] => generate(),
        ["record-hosts", hosts @ ..] => record_hosts(hosts),
        _ => Err(USAGE.to_string()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Everything that must hold, in one command.
fn test() -> Result<(), String> {
    packages::install(packages::TEST)?;
    run::cargo(&["build", "--workspace", "--all-targets"])?;
    run::cargo(&["test", "--workspace"])?;
    dist()?;
    page::run()
}

/// The program to install: one file that needs no library of the host, so that none can be put before its own.
fn dist() -> Result<(), String> {
    run::cargo(&[
        "rustc",
        "--release",
        "--package",
        "polder",
        "--bin",
        "polder",
        "--",
        "-C",
        STATIC,
    ])?;
    let (folder, built) = ("target/dist", run::polder());
    let path = format!("{folder}/polder");
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::copy(&built, &path))
        .map_err(|error| format!("cannot copy `{built}` to `{path}`: {error}"))?;
    // The loader of shared libraries would list them instead of beginning the program (ld.so(8)).
    let says = std::process::Command::new(&path)
        .arg("--version")
        .env("LD_TRACE_LOADED_OBJECTS", "1")
        .output()
        .map_err(|error| format!("`{path}` cannot be run: {error}"))?;
    let says = String::from_utf8_lossy(&says.stdout);
    if !says.starts_with("polder ") {
        return Err(format!("`{path}` needs libraries of the host:\n{says}"));
    }
    println!("{path} needs no library of the host");
    Ok(())
}

/// Pages, manuals and schemas follow from the program; a test holds them current.
fn generate() -> Result<(), String> {
    for (what, folder) in [
        ("docs", "docs"),
        ("schemas", "docs/schemas"),
        ("man", "docs/man"),
        ("completions", "docs/completions"),
    ] {
        run::cargo(&["run", "--quiet", "--package", "polder", "--", "generate", what, folder])?;
    }
    Ok(())
}

fn record_hosts(hosts: &[&str]) -> Result<(), String> {
    packages::install(packages::RECORD)?;
    run::cargo(&["build", "--release", "--package", "polder"])?;
    let all = ["shop-neglected", "shop-kept", "database", "rpm-root"];
    let hosts = if hosts.is_empty() { &all[..] } else { hosts };
    let polder = run::polder();
    let mut arguments = vec!["tests/hosts/build.sh", &polder, "target/hosts"];
    arguments.extend(hosts);
    run::program("bash", &arguments)
}
