//! The door to the machine under study: the only way in which Polder looks at a host.
//!
//! Secrets are replaced by their class here, before anything else sees them: see [`redact`].
#![expect(
    clippy::disallowed_methods,
    reason = "this crate is the door; every other crate looks through it"
)]

mod archive;
mod ask;
mod build_notes;
mod environment;
mod host;
mod index;
mod java_notes;
mod live;
mod owners;
mod program;
mod recorded;
pub mod redact;
mod sweep;

pub use archive::{ArchiveError, read_archive, write_archive};
pub use ask::{Ask, Handshake};
pub use build_notes::BuildNotes;
pub use host::{Entry, ErrorKind, Host, HostError, Identity, Kind, Stat};
pub use index::Stanzas;
pub use live::LiveHost;
pub use owners::Owners;
pub use program::{Output, Program};
pub use recorded::{Answer, FileHost, Question, RecordedHost, Recorder};
pub use sweep::{Sweep, SweepEntry, SweepReason};
