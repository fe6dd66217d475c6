//! The command line of Polder: the only crate that prints, exits, reads environment and configuration.
#![expect(
    clippy::disallowed_methods,
    reason = "the command line reads its own configuration and environment, and prints"
)]

mod accounts;
mod around;
mod boot;
mod changes;
mod commands;
mod config;
mod failure;
mod flags;
mod guard;
mod operations;
mod output;
mod passphrase;
mod session;
mod watch;
mod windows;

use clap::Parser;
use failure::Failure;
use std::process::ExitCode;

/// Exit code of a usage or configuration error, as clap has it too.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    let flags = match flags::Flags::try_parse() {
        Ok(flags) => flags,
        Err(error) => {
            let is_help = !error.use_stderr();
            // A reader that closed its end wants no more of it.
            let _ = error.print();
            return ExitCode::from(if is_help { 0 } else { EXIT_USAGE });
        }
    };
    let color = output::wants_color(flags.color);
    match commands::run(flags) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => report(&failure, color),
    }
}

fn report(failure: &Failure, color: bool) -> ExitCode {
    if failure.is_broken_pipe() {
        return ExitCode::SUCCESS;
    }
    output::say(&failure.text(color));
    ExitCode::from(failure.exit_code())
}
