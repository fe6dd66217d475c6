//! Asks for a passphrase, or reads it from a file; it never stands in an argument or on the screen.

use crate::failure::Failure;
use crate::flags::Passphrase;
use crate::output;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use zeroize::Zeroizing;

/// Most bytes of a passphrase.
const BYTES_MAX: u64 = 4096;

/// Gets a passphrase. `twice` asks again, so that a new one is what was meant.
pub(crate) fn ask(from: &Passphrase, twice: bool) -> Result<Zeroizing<String>, Failure> {
    if let Some(path) = &from.passphrase_file {
        let file = File::open(path).map_err(|error| {
            let text = format!("cannot read the passphrase from `{}`: {error}", path.display());
            Failure::usage(text).hint("Name a file that you may read")
        })?;
        return line(file);
    }
    let terminal = File::options().read(true).write(true).open("/dev/tty").map_err(|_| {
        Failure::usage("a passphrase is needed, and there is no terminal to ask for it")
            .hint("`--passphrase-file FILE` reads it from a file")
    })?;
    let first = prompt(&terminal, "Passphrase for the key of the baseline: ")?;
    if twice && *prompt(&terminal, "Once more: ")? != *first {
        return Err(Failure::usage("the two passphrases differ").hint("Nothing was changed"));
    }
    Ok(first)
}

fn prompt(terminal: &File, text: &str) -> Result<Zeroizing<String>, Failure> {
    let mut writer = terminal;
    writer.write_all(text.as_bytes()).map_err(Failure::look)?;
    let before = tcgetattr(terminal).map_err(|error| Failure::look(std::io::Error::from(error)))?;
    let mut silent = before.clone();
    // A key that interrupts would leave the terminal without an echo: it comes as a letter, and ends this.
    silent.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
    let set = |modes| {
        tcsetattr(terminal, OptionalActions::Flush, modes)
            .map_err(|error| Failure::look(std::io::Error::from(error)))
    };
    set(&silent)?;
    let answer = line(terminal);
    set(&before)?;
    output::say("\n");
    let answer = answer?;
    match answer.contains(['\u{3}', '\u{1a}', '\u{1c}']) {
        true => Err(Failure::usage("there is no passphrase").hint("Nothing was changed")),
        false => Ok(answer),
    }
}

/// The first line of what is read.
fn line(from: impl Read) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    BufReader::new(from.take(BYTES_MAX)).read_line(&mut text).map_err(Failure::look)?;
    let length = text.trim_end_matches(['\n', '\r']).len();
    text.truncate(length);
    Ok(text)
}
