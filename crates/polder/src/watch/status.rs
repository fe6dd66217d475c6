//! What a watch says of itself, for `polder watch status`, `polder doctor` and whoever misses its heartbeat.

use polder_store::replace_file;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Largest file read.
const BYTES_MAX: u64 = 1 << 20;

/// A sign of life is late when it is missing for so many times its period.
const LATE: i64 = 3;

/// A sign of life.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Status {
    /// `polder-watch/1`.
    pub(crate) schema: String,
    pub(crate) host: String,
    /// The process, and the moment it began, as the kernel counts: another one may get its number.
    pub(crate) pid: u32,
    pub(crate) begun: u64,
    pub(crate) boot: String,
    /// Seconds since 1970.
    pub(crate) started: i64,
    pub(crate) alive: i64,
    /// Seconds until the next sign at the latest.
    pub(crate) heartbeat_seconds: u64,
    pub(crate) baseline: u64,
    pub(crate) root: String,
    pub(crate) key: String,
    /// BLAKE3 of the program that runs, and of the configuration it was started with.
    pub(crate) program: String,
    pub(crate) configuration: String,
    /// When everything was last held against the baseline.
    pub(crate) swept: Option<i64>,
    /// When all content was read last, and how far the next time is: folders of all.
    pub(crate) scrubbed: Option<i64>,
    pub(crate) scrub_at: usize,
    pub(crate) scrub_of: usize,
    /// Events of the kernel read; changes told; changes that stand.
    pub(crate) events: u64,
    pub(crate) told: u64,
    pub(crate) standing: u64,
    /// How often, and how many seconds in all, events were lost.
    pub(crate) blind: u64,
    pub(crate) blind_seconds: f64,
    /// What is not watched as it happens, and why; found by the look at everything.
    pub(crate) refused: Vec<(String, String)>,
    /// Why it is not always known who did something, if so.
    pub(crate) processes_problem: Option<String>,
    /// How the watch is confined, in words.
    pub(crate) confined: Vec<String>,
    /// Number of the last event.
    pub(crate) sequence: u64,
    /// Whether it ended on purpose.
    pub(crate) stopped: bool,
}

impl Status {
    /// Where it stands.
    pub(crate) fn path(state: &Path) -> PathBuf {
        state.join("watch/status.json")
    }

    pub(crate) fn write(&self, state: &Path) -> std::io::Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(std::io::Error::other)?;
        replace_file(&Self::path(state), &text)
    }

    /// Whether it runs and says nothing: it gave no sign of life for too long, or somebody stopped it (SIGSTOP).
    pub(crate) fn hangs(&self, now: i64) -> bool {
        let heartbeat = i64::try_from(self.heartbeat_seconds).unwrap_or(60).max(1);
        let is_stopped = || {
            let text = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
            let (_, rest) = text.rsplit_once(") ")?;
            Some(rest.starts_with(['T', 't']))
        };
        self.runs() && (now - self.alive > LATE * heartbeat || is_stopped() == Some(true))
    }

    /// Whether the process that wrote it still runs.
    pub(crate) fn runs(&self) -> bool {
        !self.stopped && begun(self.pid) == Some(self.begun)
    }
}

/// The last sign of life; none where there never was one.
pub(crate) fn read_status(state: &Path) -> Option<Status> {
    use std::io::Read;
    let mut text = String::new();
    let file = std::fs::File::open(Status::path(state)).ok()?;
    file.take(BYTES_MAX).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// When a process began, in ticks since the boot (proc_pid_stat(5), field 22).
pub(super) fn begun(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold blanks and brackets; what follows the last one does not.
    let (_, rest) = text.rsplit_once(") ")?;
    rest.split(' ').nth(19)?.parse().ok()
}
