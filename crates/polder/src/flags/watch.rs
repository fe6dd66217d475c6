//! Flags of `polder watch`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Flags of `watch`.
#[derive(Args, Debug)]
#[command(after_help = WATCH)]
pub(crate) struct WatchFlags {
    #[command(subcommand)]
    pub(crate) command: Option<WatchCommand>,

    /// Print each event as a line of JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Give up no rights and no access: for hosts where that cannot be had
    #[arg(long)]
    pub(crate) unconfined: bool,
}

/// What else there is to do with a watch.
#[derive(Debug, Subcommand)]
pub(crate) enum WatchCommand {
    /// Say whether a watch runs, and how well it sees
    Status(WatchStatus),
    /// Show what was told, and whether nobody altered it since
    Events(WatchEvents),
    /// Print a unit with which systemd starts it
    Unit,
}

/// Flags of `restore`.
#[derive(Args, Debug)]
#[command(after_help = RESTORE)]
pub(crate) struct Restore {
    /// The file or link, from `/` on
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,

    /// Show what would change, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Do it without asking
    #[arg(long)]
    pub(crate) yes: bool,
}

const RESTORE: &str = "\
Content, mode, owner and attributes are those of the baseline; a file that was not
there is taken away. The content comes from the file itself, from copies of settings
that `polder baseline` keeps, or from archives that apt keeps: wherever its digest is
the one that was signed. `polder undo` takes all of it back.";

const WATCH: &str = "\
It runs until it is stopped (Ctrl-C, SIGTERM), in the foreground: `polder watch unit`
prints what systemd needs, anything else that starts daemons can start it as it is.
A baseline must be there: `polder baseline init`.

Exit codes of `status`: 0 it runs and sees, 3 it does not, or not well enough.";

/// Flags of `watch status`.
#[derive(Args, Debug)]
pub(crate) struct WatchStatus {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Flags of `watch events`.
#[derive(Args, Debug)]
pub(crate) struct WatchEvents {
    /// Show the last so many instead of the last twenty; 0 for all
    #[arg(long, short, value_name = "COUNT", default_value_t = 20)]
    pub(crate) number: usize,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
