//! Looks at a host and fills the tables; never judges.
//!
//! Every table is one file and one line in [`TABLES`]. Tables of one stage are looked at in
//! parallel; later stages see what earlier ones found.

mod addresses;
pub mod apk;
mod applications;
pub mod apt;
mod backups;
mod credentials;
pub mod cron;
pub mod firewall;
pub mod history;
mod influences;
mod interpreted;
pub mod listeners;
mod lock;
mod microcode;
mod mounts;
pub mod packages;
mod powers;
mod privileged;
pub mod processes;
mod reading;
pub mod rpm;
pub mod servers;
pub mod sshd;
pub mod sudo;
mod system;
mod tables;
pub mod units;
mod unsupported;
pub mod users;
mod watchers;
mod writers;

pub use addresses::{is_public, parse_fib_trie, parse_if_inet6};
pub use apt::candidates::newest_date;
pub use lock::{LockError, LockFile, LockFiles, LockKind, Locked};
pub use mounts::parse_mounts;
pub use powers::{parse_doas, parse_polkit};
pub use privileged::parse_capability;
pub use system::parse_os_release;
pub use tables::{Shown, TABLES, TableEntry, look, look_only};
