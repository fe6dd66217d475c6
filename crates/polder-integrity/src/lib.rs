//! Integrity: what is on a file system, whether it is still what it was, and what a change means.
//!
//! A baseline is the recorded form of a walk: two of them compare like a baseline and the machine.

#![expect(
    clippy::disallowed_methods,
    reason = "reads whole file systems itself; what it reads is recorded as a baseline"
)]

mod between;
mod check;
mod compare;
mod entry;
pub mod ext4;
mod generation;
pub mod inodes;
mod key;
mod meaning;
mod mounts;
mod now;
mod policy;
pub mod proof;
mod read;
mod record;
mod walk;
pub mod watch;
mod xfs;

pub use between::between;
pub use check::{CheckError, How, Outcome, Progress, check, check_path, head, is_part_of, is_seen};
pub use compare::{Change, Difference, compare, differences};
pub use entry::{ATTRIBUTE_BYTES_MAX, Attribute, Content, Entry, Kind, Moment};
pub use generation::{BaselineError, Digest, FORMAT, Generation, Head, Row, SweepRow, Writer};
pub use key::{KeyError, PASSPHRASE_MIN, Signer, hexadecimal, parse};
pub use meaning::{Meaning, Weight, capabilities, gives, meaning};
pub use mounts::{Mount, parse_modules, parse_mounts, parse_shared};
pub use now::{Now, Shared};
pub use policy::{DEFAULTS, Policy, Rule, is_at_or_below, join, split};
pub use read::{digest_bytes, digest_file};
pub use record::{Accepts, Recorded, record};
pub use walk::{Folder, Ledger, Walk, WalkError};
