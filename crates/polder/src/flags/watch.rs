//! Flags of `polder watch`.

use clap::{Args, Subcommand};

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
