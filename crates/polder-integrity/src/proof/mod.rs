//! Proof that a change is the vendor's: from the signature of an archive to the bytes of a file.
//!
//! Where dpkg installs, a signed release names the digest of an index, the index that of a package's archive, the
//! archive holds the file. Where RPM installs, a signed header names the digest of the file. Nothing else makes a
//! change silent: no name of a process, no hour of the day.

mod certificates;
mod compiled;
mod deb;
mod dpkg;
mod header;
pub(crate) mod plain;
mod prove;
mod rpm;
mod signed;
mod triggers;

pub use deb::{Archive, DebError, Member, content as content_of_deb, read as read_deb};
pub use dpkg::PackageRow;
pub(crate) use prove::bears_proofs;
pub use prove::{KEPT_ARCHIVES, Proofs, ProvedPackage, prove};
use std::path::Path;

/// What is installed in a root, by whichever of dpkg and RPM installs there; empty where neither does.
pub fn packages(root: &Path) -> Vec<PackageRow> {
    let rows = dpkg::packages(root);
    if rows.is_empty() { rpm::packages(root) } else { rows }
}
