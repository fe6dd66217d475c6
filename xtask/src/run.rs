//! Runs other programs and says which.

use std::process::{Command, Stdio};

/// Runs cargo from the root of the repository.
pub(crate) fn cargo(arguments: &[&str]) -> Result<(), String> {
    program("cargo", arguments)
}

/// Runs a program and shows what it prints.
pub(crate) fn program(name: &str, arguments: &[&str]) -> Result<(), String> {
    println!("+ {name} {}", arguments.join(" "));
    let status = Command::new(name).args(arguments).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{name} {}` ended with {status}", arguments.join(" "))),
        Err(error) => Err(format!("`{name}` cannot be run: {error}")),
    }
}

/// What a program prints on standard output; none when it cannot be run or fails.
pub(crate) fn output(name: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(name).args(arguments).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The release build, wherever cargo was told to put it.
pub(crate) fn polder() -> String {
    let folder = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".into());
    format!("{folder}/release/polder")
}

/// Whether a program is on the path.
pub(crate) fn is_there(name: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(name).is_file())
}
