//! Printing: results to standard output, all else to standard error.

use crate::failure::Failure;
use crate::flags::Color;
use std::io::{IsTerminal, Write};
use std::path::Path;

/// Whether to use colors: the flag, then `NO_COLOR` (no-color.org), then whether this is a terminal.
pub(crate) fn wants_color(color: Color) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            let is_unset = |name: &str| std::env::var_os(name).is_none_or(|value| value.is_empty());
            let is_dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
            is_unset("NO_COLOR") && !is_dumb && std::io::stdout().is_terminal()
        }
    }
}

/// Prints a result.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::look)
}

/// Says something on standard error; whoever closed it does not want to hear it.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Asks on the terminal whether to go on. Where there is none, `hint` says what does it without asking.
pub(crate) fn confirms(question: &str, hint: &str) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        let text = "nothing was changed: there is no terminal to ask on";
        return Err(Failure::usage(text).hint(hint));
    }
    say(&format!("{question} [y/N] "));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(Failure::look)?;
    let is_yes = matches!(answer.trim(), "y" | "Y" | "yes");
    if !is_yes {
        print("Nothing was changed.\n")?;
    }
    Ok(is_yes)
}

/// Prints a value as JSON.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let mut text = serde_json::to_string_pretty(value).map_err(Failure::internal)?;
    text.push('\n');
    print(&text)
}

/// Writes a file beside its place and renames it, so that nobody ever reads half of it.
pub(crate) fn write_file(path: &Path, text: &str) -> Result<(), Failure> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut beside = path.as_os_str().to_os_string();
    beside.push(".partial");
    // A report tells an attacker where to begin: for its owner alone, until they decide otherwise.
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| std::fs::rename(&beside, path));
    if let Err(error) = written {
        let _ = std::fs::remove_file(&beside);
        let text = format!("cannot write `{}`: {error}", path.display());
        return Err(Failure::look(text).hint("Choose a folder that exists and has room"));
    }
    Ok(())
}
