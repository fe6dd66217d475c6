//! Flags of `polder baseline`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Flags of `baseline`.
#[derive(Args, Debug)]
pub(crate) struct BaselineFlags {
    #[command(subcommand)]
    pub(crate) command: BaselineCommand,
}

/// What to do with the baseline.
#[derive(Debug, Subcommand)]
pub(crate) enum BaselineCommand {
    /// Record and sign what is on this host now
    #[command(after_help = BASELINE_INIT)]
    Init(BaselineInit),
    /// Show what is not as it was
    #[command(after_help = BASELINE_CHECK)]
    Check(BaselineCheck),
    /// Show the baseline itself, or what it says of one path
    Show(BaselineShow),
    /// Show what differs between two baselines
    Diff(BaselineDiff),
    /// Take what was changed on purpose into a new baseline
    Accept(BaselineAccept),
    /// Hold every byte of a baseline against its signature
    Verify(BaselineVerify),
    /// Copy the baseline into a file, to be kept on another machine
    Export(BaselineExport),
    /// Print settings with which apt hands over archives before it installs them
    #[command(after_help = BASELINE_HOOK)]
    Hook,
    /// Keep archives named on standard input: what the settings of `hook` call
    Keep,
}

const BASELINE_INIT: &str = "\
The key that signs is made here and sealed with a passphrase, which is asked for.
Write down the root and the key that are printed, away from this host: whoever
becomes root can replace files, baseline and key together, but not your note.";

const BASELINE_CHECK: &str = "\
Inodes are compared by the tables of their file systems, names where these tell of
a change, content where names do. All content is read after a restart, when the
clock was set, and with `--content`.

Exit codes: 0 nothing differs, 1 something does, 3 something cannot be told.";

const BASELINE_HOOK: &str = "\
polder baseline hook > /etc/apt/apt.conf.d/80polder
What apt installs is proved by its signed archive, and apt removes most of them.
The settings keep a link to each until the baseline holds what came of it. Without
them nothing is less safe: more is told.";

/// Where a passphrase comes from.
#[derive(Args, Debug, Default)]
pub(crate) struct Passphrase {
    /// Read the passphrase from the first line of this file instead of asking for it
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

/// Flags of `baseline init`.
#[derive(Args, Debug)]
pub(crate) struct BaselineInit {
    #[command(flatten)]
    pub(crate) passphrase: Passphrase,

    /// Record anew although there is a baseline: all that changed since is taken over
    #[arg(long)]
    pub(crate) again: bool,

    /// Why, for those who read it later
    #[arg(long, value_name = "TEXT")]
    pub(crate) because: Option<String>,

    /// Read at most so many MiB of content a second
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) io_budget: Option<u32>,

    /// Look at a root file system in a folder: an image, a chroot, a mounted disk
    #[arg(long, value_name = "FOLDER")]
    pub(crate) root: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Flags of `baseline check`.
#[derive(Args, Debug)]
pub(crate) struct BaselineCheck {
    /// Read all content, whatever the times of files tell
    #[arg(long)]
    pub(crate) content: bool,

    /// Trust this key only, as `baseline init` printed it
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,

    /// Hold the host against a baseline that was exported
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,

    /// Show all changes instead of the first forty
    #[arg(long, short)]
    pub(crate) all: bool,

    /// Print nothing when nothing differs: for jobs whose output is mailed
    #[arg(long)]
    pub(crate) only_changes: bool,

    /// Read at most so many MiB of content a second
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) io_budget: Option<u32>,

    /// Look at a root file system in a folder: an image, a chroot, a mounted disk
    #[arg(long, value_name = "FOLDER")]
    pub(crate) root: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Flags of `baseline show`.
#[derive(Args, Debug)]
pub(crate) struct BaselineShow {
    /// A path, from `/` on
    #[arg(value_name = "PATH")]
    pub(crate) path: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Flags of `baseline diff`.
#[derive(Args, Debug)]
pub(crate) struct BaselineDiff {
    /// The earlier one: its number, or a file that was exported
    #[arg(value_name = "OLD")]
    pub(crate) old: String,

    /// The later one; without it, the newest
    #[arg(value_name = "NEW")]
    pub(crate) new: Option<String>,

    /// Show all changes instead of the first forty
    #[arg(long, short)]
    pub(crate) all: bool,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Flags of `baseline accept`.
#[derive(Args, Debug)]
pub(crate) struct BaselineAccept {
    /// Paths whose changes are accepted, with all below them; without one, all changes
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// Why, for those who read it later
    #[arg(long, value_name = "TEXT")]
    pub(crate) because: String,

    /// Accept without asking
    #[arg(long)]
    pub(crate) yes: bool,

    #[command(flatten)]
    pub(crate) passphrase: Passphrase,

    /// Look at a root file system in a folder: an image, a chroot, a mounted disk
    #[arg(long, value_name = "FOLDER")]
    pub(crate) root: Option<PathBuf>,
}

/// Flags of `baseline verify`.
#[derive(Args, Debug)]
pub(crate) struct BaselineVerify {
    /// A baseline that was exported; without one, the newest of this host
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// Trust this key only, as `baseline init` printed it
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
}

/// Flags of `baseline export`.
#[derive(Args, Debug)]
pub(crate) struct BaselineExport {
    /// The file to write, which must not exist
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}
