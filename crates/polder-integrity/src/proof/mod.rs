//! Proof that a change is the vendor's: from the signature of an archive to the bytes of a file.
//!
//! A signed release names the digest of an index, the index that of a package's archive, the archive
//! holds the file. Nothing else makes a change silent: no name of a process, no hour of the day.

mod certificates;
mod deb;
mod dpkg;
pub(crate) mod plain;
mod prove;
mod signed;

pub use deb::{Archive, DebError, Member, content as content_of_deb, read as read_deb};
pub use dpkg::{PackageRow, packages};
pub(crate) use prove::is_ground;
pub use prove::{KEPT_ARCHIVES, Proofs, ProvedPackage, prove};
