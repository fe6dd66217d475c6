//! One file per command.

mod access;
mod access_watch;
mod apply;
mod archives;
mod assess;
mod audit;
mod baseline;
mod config;
mod decide;
mod doctor;
mod explain;
mod feed;
mod feed_update;
mod generate;
mod graph;
mod history;
mod journal;
mod look;
mod plan;
mod record;
mod restore;
mod sbom;
mod undo;
mod watch;

pub(crate) use baseline::names_of;

use crate::failure::Failure;
use crate::flags::{Command, Flags};

/// Runs a command; the number is its exit code.
pub(crate) fn run(flags: Flags) -> Result<u8, Failure> {
    let globals = Globals {
        color: crate::output::wants_color(flags.color),
        quiet: flags.quiet,
        config: flags.config,
        state: flags.state,
    };
    match flags.command {
        Command::Assess(it) => assess::run(&it, &globals),
        Command::Explain(it) => explain::run(&it, &globals),
        Command::Plan(it) => plan::run(&it, &globals),
        Command::Apply(it) => apply::run(&it, &globals),
        Command::Undo(it) => undo::undo(&it, &globals),
        Command::Confirm(it) => undo::confirm(&it, &globals),
        Command::Guard(it) => undo::guard(&it, &globals),
        Command::Journal(it) => journal::run(&it, &globals),
        Command::Graph(it) => graph::run(&it, &globals),
        Command::Feed(it) => feed::run(&it, &globals),
        Command::Access(it) => access::run(&it, &globals),
        Command::Sbom(it) => sbom::run(&it, &globals),
        Command::Baseline(it) => baseline::run(&it, &globals),
        Command::Restore(it) => restore::run(&it, &globals),
        Command::Watch(it) => watch::run(&it, &globals),
        Command::Audit(it) => audit::run(&it, &globals),
        Command::Accept(it) => decide::accept(&it, &globals),
        Command::Reject(it) => decide::reject(&it, &globals),
        Command::Reconsider(it) => decide::reconsider(&it, &globals),
        Command::History(it) => history::run(&it, &globals),
        Command::Look(it) => look::run(&it, &globals),
        Command::Record(it) => record::run(&it, &globals),
        Command::Doctor(it) => doctor::run(&it, &globals),
        Command::Config(it) => config::run(&it, &globals),
        Command::Generate(it) => generate::run(&it),
    }
}

/// Flags that every command has.
pub(crate) struct Globals {
    pub(crate) color: bool,
    pub(crate) quiet: bool,
    pub(crate) config: Option<std::path::PathBuf>,
    pub(crate) state: Option<std::path::PathBuf>,
}
