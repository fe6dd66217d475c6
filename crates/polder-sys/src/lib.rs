//! System calls that no well-kept crate wraps: one operation in each block of unsafe code, with the reason
//! why it is sound, and a test.
//!
//! It decides nothing and keeps nothing.

#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        clippy::unwrap_used,
        reason = "a test may panic, and writes"
    )
)]

mod fanotify;
mod handle;
mod identity;
mod schedule;
mod xfs;

pub use fanotify::{Mask, group, mark_file_system};
pub use handle::{HANDLE_BYTES_MAX, Handle, open_handle};
pub use identity::with_user;
pub use schedule::go_first;
pub use xfs::{XFS_INODE_BYTES, XfsInodes};
