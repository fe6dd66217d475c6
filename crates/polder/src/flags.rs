//! Every command and flag, once; help, manual and completions follow from here.

mod access;
mod baseline;
mod watch;

pub(crate) use access::{
    AccessApply, AccessAudit, AccessColumns, AccessCommand, AccessFlags, AccessLearn,
    AccessPropose, AccessProve, AccessServer, AccessSources, AccessWatch, AccessWhom,
};
pub(crate) use baseline::{
    BaselineAccept, BaselineCheck, BaselineCommand, BaselineDiff, BaselineExport, BaselineFlags,
    BaselineInit, BaselineShow, BaselineVerify, Passphrase,
};
pub(crate) use watch::{Restore, WatchCommand, WatchEvents, WatchFlags, WatchStatus};

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  polder assess                         what to do next on this host
  polder explain 1                      the first treatment in full
  polder plan --budget 4h               the best set of changes for four hours
  polder assess --html report.html      the same as a page
  polder look listeners --csv           what was seen, as a table
  polder record shop.polder             take the host along, without its secrets
  polder assess --from shop.polder      and judge it elsewhere

  polder apply 1                        do it: shown first, checked after, can be undone

Exit codes:
  0 within appetite, or done   1 above it   2 usage or configuration
  3 could not look well enough   4 a change failed, all is as before
  5 a change failed, not all is as before   70 a bug in Polder";

/// Say what to do next on an Internet-facing Linux server, what it gains, and whether it worked
#[derive(Debug, Parser)]
#[command(name = "polder", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Flags {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Read this configuration file instead of ./polder.toml or /etc/polder/polder.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Keep history and decisions in this folder
    #[arg(long, global = true, value_name = "FOLDER")]
    pub(crate) state: Option<PathBuf>,

    /// Say when to use colors; `NO_COLOR` is honored
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,

    /// Show no progress and no hints
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

/// When to use colors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What is looked at.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Target {
    /// Judge a recording made by `polder record` instead of this host
    #[arg(long, value_name = "FILE", conflicts_with = "root")]
    pub(crate) from: Option<PathBuf>,

    /// Look at a root file system in a folder: an image, a chroot, a mounted disk
    #[arg(long, value_name = "FOLDER")]
    pub(crate) root: Option<PathBuf>,
}

/// The commands, in the order in which people meet them.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Judge this host and rank what to do next
    Assess(Assess),
    /// Explain a finding, a treatment or a kind of finding in full
    Explain(Explain),
    /// Find the best set of changes for so many hours of work
    Plan(Plan),
    /// Make the changes of a treatment, check that they worked, take them back if not
    Apply(Apply),
    /// Take a change back
    Undo(Undo),
    /// Keep a change that would otherwise take itself back
    Confirm(Confirm),
    /// Show what was changed, and how far
    Journal(Journal),
    /// Write the graph for other programs, or solve one from a file
    Graph(Graph),
    /// Import feeds of known flaws, and show what they cover
    Feed(FeedFlags),
    /// Keep a signed record of all files, and hold the host against it
    Baseline(BaselineFlags),
    /// Put a file back as the baseline knows it
    Restore(Restore),
    /// Watch the files of this host, and tell of changes as they happen
    Watch(WatchFlags),
    /// Say what accounts of databases may do and need, and give them no more
    Access(AccessFlags),
    /// Write what is installed, or what is known of its flaws, for other programs
    Sbom(Sbom),
    /// List known flaws of the libraries that programs are built with
    Audit(Audit),
    /// Live with a finding on purpose, until a date
    Accept(Decide),
    /// Turn a finding down: it does not hold here, or its treatment is not wanted
    Reject(Decide),
    /// Take a decision back
    Reconsider(Reconsider),
    /// Show earlier assessments and decisions
    History(History),
    /// Show what was seen, table by table
    Look(Look),
    /// Write all that is looked at into one file, without secrets
    Record(Record),
    /// Check whether Polder can look, remember and rely on the clock
    Doctor(Doctor),
    /// Show the configuration
    Config(Config),
    /// Write manual pages, completions, schemas or the list of findings
    #[command(hide = true)]
    Generate(Generate),
    /// Wait, then take an operation back unless it was confirmed
    #[command(hide = true)]
    Guard(Guard),
}

/// Flags of `assess`.
#[derive(Args, Debug)]
#[command(
    after_help = "Needs no configuration and no root; root sees more, and the report says what it would add."
)]
pub(crate) struct Assess {
    #[command(flatten)]
    pub(crate) target: Target,

    /// Show everything instead of one screen
    #[arg(long, short)]
    pub(crate) all: bool,

    /// Print JSON; its schema is in docs/schemas
    #[arg(long, conflicts_with = "sarif")]
    pub(crate) json: bool,

    /// Print the findings as SARIF 2.1.0
    #[arg(long)]
    pub(crate) sarif: bool,

    /// Write one self-contained HTML page
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,

    /// Say why this step, variable or finding has its price
    #[arg(long, value_name = "ID")]
    pub(crate) why: Option<String>,

    /// Draw with this seed instead of the configured one
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,

    /// Do not keep this assessment
    #[arg(long)]
    pub(crate) no_history: bool,
}

/// Flags of `explain`.
#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// A number of the plan, an identity such as `patch/pending:openssh`, or a kind such as `patch/pending`
    #[arg(value_name = "ID")]
    pub(crate) id: String,

    #[command(flatten)]
    pub(crate) target: Target,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Flags of `plan`.
#[derive(Args, Debug)]
pub(crate) struct Plan {
    /// Hours of work, such as `4h`, `90min` or `2d` (a day has 8)
    #[arg(long, value_name = "TIME")]
    pub(crate) budget: Option<String>,

    /// Leave out what is more likely to break something
    #[arg(long, value_name = "LEVEL", default_value = "high")]
    pub(crate) breakage: Breakage,

    /// Take at most this many
    #[arg(long, value_name = "COUNT", default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) most: u32,

    /// Price exactly these, in this order, instead of searching
    #[arg(long, value_name = "ID", num_args = 1.., conflicts_with_all = ["budget", "most"])]
    pub(crate) what_if: Vec<String>,

    /// Say why this treatment has its place, or none
    #[arg(long, value_name = "ID")]
    pub(crate) why: Option<String>,

    /// Draw with this seed instead of the configured one
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,

    /// Print JSON; its schema is in docs/schemas
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) target: Target,
}

/// How likely a change is to break something that works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Breakage {
    /// It cannot.
    None,
    /// Unlikely.
    Low,
    /// Somebody may notice.
    Some,
    /// Whoever is careless locks the door from outside.
    High,
}

/// Flags of `sbom`.
#[derive(Args, Debug)]
#[command(
    after_help = "Packages of dpkg, RPM and apk. A list that could not be read whole is said to be so, and ends with 3."
)]
pub(crate) struct Sbom {
    /// The form to write
    #[arg(long, value_name = "FORMAT", default_value = "cyclonedx")]
    pub(crate) format: SbomFormat,

    /// Add the libraries that lock files, installers and compilers noted below this folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) files: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) target: Target,
}

/// Forms of `sbom`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SbomFormat {
    /// CycloneDX 1.6.
    Cyclonedx,
    /// SPDX 2.3.
    Spdx,
    /// OpenVEX 0.2.0: known flaws of what is installed, as imported feeds tell them.
    Openvex,
}

/// Flags of `audit`.
#[derive(Args, Debug)]
#[command(
    after_help = "Reads Cargo.lock; package-lock.json, yarn.lock, pnpm-lock.yaml; poetry.lock, uv.lock, pdm.lock,
pylock.toml, Pipfile.lock, requirements.txt and installed Python packages; composer.lock and
installed.json; go.mod; Gemfile.lock; pom.xml, gradle.lockfile, archives of Java; and programs in which Go or `cargo auditable` noted what they
are built from. What it knows comes from feeds: `polder feed import --help`.
Exit code 0 without a known flaw, 1 with one, 3 when that cannot be said."
)]
pub(crate) struct Audit {
    /// Lock files or programs, or folders to look through; this folder when none is named
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// Show notices that are no flaws, too: unmaintained, unsound
    #[arg(long)]
    pub(crate) all: bool,

    /// Ask programs in folders, too, what they are built from; those you name are always asked
    #[arg(long)]
    pub(crate) programs: bool,

    /// The form to write: text, json, osv as OSV's scanner does, sarif
    #[arg(long, value_name = "FORMAT", default_value = "text", hide_default_value = true)]
    pub(crate) format: AuditFormat,

    #[command(flatten)]
    pub(crate) target: Target,
}

/// Forms of `audit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AuditFormat {
    /// For people.
    Text,
    /// All that is known.
    Json,
    /// The form of OSV's scanner.
    Osv,
    /// SARIF 2.1.0.
    Sarif,
}

/// Flags of `feed`.
#[derive(Args, Debug)]
#[command(
    after_help = "Without feeds Polder knows from the package manager alone which updates wait. A feed adds
flaws by name: those without a fix, and those that attackers use. Nothing but `update` fetches."
)]
pub(crate) struct FeedFlags {
    #[command(subcommand)]
    pub(crate) command: FeedCommand,
}

/// What to do with feeds.
#[derive(Debug, Subcommand)]
pub(crate) enum FeedCommand {
    /// Fetch feeds of known flaws, and import what changed
    Update(FeedUpdate),
    /// Read files of known flaws into the index
    Import(FeedImport),
    /// Show what is in the index, and how old it is
    Status(FeedStatus),
    /// Read the whole index, and try what must match and must not
    Verify(FeedStatus),
    /// Take feeds out of the index
    Remove(FeedRemove),
}

/// Flags of `feed remove`.
#[derive(Args, Debug)]
pub(crate) struct FeedRemove {
    /// What `polder feed status` shows: a title, what it covers such as `npm`, or the name of the file
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<String>,
}

/// Flags of `feed update`.
#[derive(Args, Debug)]
#[command(
    after_help = "Without names: those that `feeds.update` in the configuration lists, else those that say something
of this host. Only what changed is fetched, and from where the last attempt broke off. Proxies are
taken from the environment (`https_proxy`, `no_proxy`), trusted certificates from this system or
the file that `SSL_CERT_FILE` names."
)]
pub(crate) struct FeedUpdate {
    /// `debian`, `kev`, `epss`, `osv:ECOSYSTEM` such as `osv:npm`, or an address
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,

    /// Show what would be fetched, and fetch nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Let a feed with fewer or older records take the place of the one before
    #[arg(long)]
    pub(crate) anyway: bool,
}

/// Flags of `feed import`.
#[derive(Args, Debug)]
#[command(
    after_help = "Knows: OSV records (JSON, YAML, or a zip or tar of them: RustSec, PyPA, OSV exports),
Debian's security tracker (JSON), Greenbone's notus, CSAF and OpenVEX (JSON), CISA KEV (JSON),
EPSS (CSV); each plain or compressed with gzip or Zstandard. What a file is, is told by what it holds."
)]
pub(crate) struct FeedImport {
    /// Files as their makers publish them
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,

    /// Let a feed with fewer or older records take the place of the one before
    #[arg(long)]
    pub(crate) anyway: bool,
}

/// Flags of `feed status` and `feed verify`.
#[derive(Args, Debug)]
pub(crate) struct FeedStatus {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Flags of `graph`.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Graph {
    #[command(subcommand)]
    pub(crate) command: Option<GraphCommand>,

    /// The language to write
    #[arg(long, value_name = "FORMAT", default_value = "json")]
    pub(crate) format: GraphFormat,

    #[command(flatten)]
    pub(crate) target: Target,
}

/// Flags of `apply`.
#[derive(Args, Debug)]
#[command(
    after_help = "Shows every change first. Asks on a terminal; does nothing elsewhere without --yes.
What could lock you out is taken back after --keep-after unless `polder confirm` says to keep it."
)]
pub(crate) struct Apply {
    /// Identities of treatments such as `close:tcp/6379`, or their numbers in `polder assess`
    #[arg(value_name = "ID", required = true)]
    pub(crate) ids: Vec<String>,

    /// Show what would change, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Do not ask
    #[arg(long, short, conflicts_with = "dry_run")]
    pub(crate) yes: bool,

    /// Do it now, outside of the windows of `patch.windows`, which hold for what restarts services:
    /// packages and units
    #[arg(long)]
    pub(crate) now: bool,

    /// The name of this host, typed out: needed for changes that could lock you out
    #[arg(long, value_name = "HOSTNAME")]
    pub(crate) confirm: Option<String>,

    /// Seconds until a change that could lock you out takes itself back
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub(crate) keep_after: u32,

    /// Print JSON when it is done
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) json: bool,
}

/// Flags of `undo`.
#[derive(Args, Debug)]
pub(crate) struct Undo {
    /// Number of the operation in `polder journal`; without one, the last
    #[arg(value_name = "NUMBER")]
    pub(crate) id: Option<i64>,

    /// Leave as it is what somebody else changed since, and take the rest back
    #[arg(long)]
    pub(crate) anyway: bool,
}

/// Flags of `confirm`.
#[derive(Args, Debug)]
pub(crate) struct Confirm {
    /// Number of the operation in `polder journal`; without one, the last
    #[arg(value_name = "NUMBER")]
    pub(crate) id: Option<i64>,
}

/// Flags of `journal`.
#[derive(Args, Debug)]
pub(crate) struct Journal {
    /// Show this operation in full
    #[arg(value_name = "NUMBER")]
    pub(crate) id: Option<i64>,

    /// Show at most this many
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub(crate) most: u32,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Flags of `guard`.
#[derive(Args, Debug)]
pub(crate) struct Guard {
    /// Number of the operation
    pub(crate) id: i64,
    /// Seconds to wait
    pub(crate) seconds: u32,
}

/// Languages of graphs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// The form that `polder graph solve` reads; its schema is in docs/schemas.
    Json,
    /// Graphviz.
    Dot,
    /// BloodHound.
    Opengraph,
    /// ProbLog, to have the probabilities checked by another program.
    Problog,
}

/// What to do with a graph of one's own.
#[derive(Debug, Subcommand)]
pub(crate) enum GraphCommand {
    /// Price a graph from a file: losses, treatments, the best plan
    Solve(Solve),
    /// Write a graph from a file in another language
    Convert(Convert),
}

/// Flags of `graph convert`.
#[derive(Args, Debug)]
pub(crate) struct Convert {
    /// The graph as JSON; `-` reads it from standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// The language to write
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: GraphFormat,
}

/// Flags of `graph solve`.
#[derive(Args, Debug)]
pub(crate) struct Solve {
    /// The graph as JSON; `-` reads it from standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Hours of work, such as `4h`, `90min` or `2d` (a day has 8)
    #[arg(long, value_name = "TIME")]
    pub(crate) budget: Option<String>,

    /// Sample even what could be solved exactly, to compare
    #[arg(long)]
    pub(crate) sampled: bool,

    /// Worlds to draw at most, rounded up to whole blocks of 128
    #[arg(long, value_name = "COUNT", default_value_t = 65_536, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub(crate) worlds: u64,

    /// Draw with this seed
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Flags of `accept` and `reject`.
#[derive(Args, Debug)]
pub(crate) struct Decide {
    /// The finding, such as `expose/listener:tcp/5432`
    #[arg(value_name = "ID")]
    pub(crate) id: String,

    /// Why
    #[arg(long, value_name = "TEXT")]
    pub(crate) because: String,

    /// Who answers for it
    #[arg(long, value_name = "NAME")]
    pub(crate) owner: String,

    /// Last day of the decision, as YYYY-MM-DD
    #[arg(long, value_name = "DATE")]
    pub(crate) until: String,

    #[command(flatten)]
    pub(crate) target: Target,
}

/// Flags of `reconsider`.
#[derive(Args, Debug)]
pub(crate) struct Reconsider {
    /// The finding
    #[arg(value_name = "ID")]
    pub(crate) id: String,

    #[command(flatten)]
    pub(crate) target: Target,
}

/// Flags of `history`.
#[derive(Args, Debug)]
pub(crate) struct History {
    /// Show at most this many assessments
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub(crate) most: u32,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) target: Target,
}

/// Flags of `look`.
#[derive(Args, Debug)]
pub(crate) struct Look {
    /// The table; without one, all of them with their coverage
    #[arg(value_name = "TABLE")]
    pub(crate) table: Option<String>,

    #[command(flatten)]
    pub(crate) target: Target,

    /// Print JSON
    #[arg(long, conflicts_with = "csv")]
    pub(crate) json: bool,

    /// Print CSV (RFC 4180)
    #[arg(long, requires = "table")]
    pub(crate) csv: bool,
}

/// Flags of `record`.
#[derive(Args, Debug)]
pub(crate) struct Record {
    /// The file to write
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Look at a root file system in a folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) root: Option<PathBuf>,

    /// Write over a file that exists
    #[arg(long)]
    pub(crate) force: bool,
}

/// Flags of `doctor`.
#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Flags of `config`.
#[derive(Args, Debug)]
pub(crate) struct Config {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show every setting with its value
    Show {
        /// Say where each value comes from
        #[arg(long)]
        origin: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Flags of `generate`.
#[derive(Args, Debug)]
pub(crate) struct Generate {
    /// What to write
    pub(crate) what: GenerateWhat,
    /// The folder to write into
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
}

/// What can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GenerateWhat {
    /// Manual pages.
    Man,
    /// Completions for bash, zsh and fish.
    Completions,
    /// JSON Schemas.
    Schemas,
    /// Pages about findings and tables.
    Docs,
}
