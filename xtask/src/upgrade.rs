//! A real upgrade of Debian in a root of its own: what the baseline leaves to be read, and what it tells.

use crate::run;
use std::fs;

const FOLDER: &str = "target/bench-upgrade";

/// Prints what was measured; says so where no root can be made.
pub(crate) fn run(polder: &str) -> Result<(), String> {
    println!("\na baseline across a real upgrade of Debian, and a thousand tampers within it\n");
    if !run::is_there("debootstrap") || run::output("id", &["-u"]).as_deref() != Some("0\n") {
        println!("not measured: it takes root and debootstrap");
        return Ok(());
    }
    let _ = fs::remove_dir_all(FOLDER);
    fs::create_dir_all(FOLDER).map_err(|error| error.to_string())?;
    let polder = fs::canonicalize(polder).map_err(|error| error.to_string())?;
    let arguments = ["xtask/src/peers/upgrade.py", &polder.display().to_string(), FOLDER];
    let done = run::program("python3", &arguments);
    let _ = fs::remove_dir_all(FOLDER);
    done
}
