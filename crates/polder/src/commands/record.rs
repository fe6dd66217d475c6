//! `polder record`: the host in one file, without its secrets.

use super::Globals;
use crate::failure::Failure;
use crate::flags::{Record, Target};
use crate::{output, session};
use polder_host::{Recorder, write_archive};

pub(super) fn run(flags: &Record, globals: &Globals) -> Result<u8, Failure> {
    if flags.file.exists() && !flags.force {
        return Err(Failure::usage(format!("`{}` exists already", flags.file.display()))
            .hint("Choose another name, or add `--force`"));
    }
    let target = Target { from: None, root: flags.root.clone() };
    let host = session::open(&target, globals)?;
    let recorder = Recorder::new(host.as_ref());
    let facts = session::look(&recorder, globals.quiet);
    let recording = recorder.finish();
    let count = recording.answers.len();
    write_archive(&flags.file, &recording)
        .map_err(|error| Failure::look(error).hint("Choose a folder that exists and has room"))?;
    let bytes = std::fs::metadata(&flags.file).map_or(0, |it| it.len());
    output::print(&format!(
        "{} holds {count} answers of {} in {} kB. Secrets are replaced by their class; read it with `zcat {}`\n",
        flags.file.display(),
        facts.host_name(),
        bytes.div_ceil(1000),
        flags.file.display(),
    ))?;
    Ok(0)
}
