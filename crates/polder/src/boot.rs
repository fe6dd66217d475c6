//! The guard of an unconfirmed change across a reboot: a unit of systemd that starts it again.
//!
//! Nothing asks systemd to do anything now: it reads the unit at the next boot, if that comes
//! before the change is settled.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where units of the administrator stand (systemd.unit(5)).
const UNITS: &str = "/etc/systemd/system";

/// What is started at boot on a server.
const WANTS: &str = "/etc/systemd/system/multi-user.target.wants";

/// Where systemd runs, this folder is there (sd_booted(3)).
const BOOTED: &str = "/run/systemd/system";

fn name(id: i64) -> String {
    format!("polder-guard-{id}.service")
}

fn paths(id: i64) -> [PathBuf; 2] {
    [Path::new(WANTS).join(name(id)), Path::new(UNITS).join(name(id))]
}

/// Makes the guard of an operation start at the next boot; does nothing where systemd does not run.
pub(crate) fn arm(id: i64, command: &[String]) -> io::Result<()> {
    if !Path::new(BOOTED).is_dir() {
        return Ok(());
    }
    let words: Vec<String> = command.iter().map(|it| quoted(it)).collect();
    let text = format!(
        "[Unit]\nDescription=Takes back an unconfirmed change of Polder (operation {id})\n\n[Service]\nType=exec\nExecStart={}\n",
        words.join(" ")
    );
    let [link, unit] = paths(id);
    fs::create_dir_all(WANTS)?;
    fs::write(&unit, text)?;
    match std::os::unix::fs::symlink(&unit, &link) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Takes the unit away, once the operation is settled.
pub(crate) fn disarm(id: i64) {
    for path in paths(id) {
        // Where there was none, there is nothing to take away.
        let _ = fs::remove_file(path);
    }
}

/// A word of a command line in a unit (systemd.service(5), "Command lines").
fn quoted(word: &str) -> String {
    let mut out = String::from("\"");
    for character in word.chars() {
        match character {
            '"' | '\\' => {
                out.push('\\');
                out.push(character);
            }
            // A specifier and a variable otherwise.
            '%' => out.push_str("%%"),
            '$' => out.push_str("$$"),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_mean_themselves_to_systemd() {
        assert_eq!(quoted("/var/lib/polder"), "\"/var/lib/polder\"");
        assert_eq!(quoted("a \"b\" 100% $HOME \\"), "\"a \\\"b\\\" 100%% $$HOME \\\\\"");
    }
}
