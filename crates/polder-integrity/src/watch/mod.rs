//! Watches whole file systems as they change: which folder, which name, who.
//!
//! It judges nothing: a folder that was touched is held against the baseline by the same code as in a check.

mod lookout;
mod process;
mod records;
mod watcher;

pub use lookout::{Lookout, News, by_path, fingerprint};
pub use process::{Process, Processes, parse_process_events};
pub use records::{FileEvent, parse_file_events};
pub use watcher::{Name, Touched, TouchedFolder, WatchError, Watcher};
