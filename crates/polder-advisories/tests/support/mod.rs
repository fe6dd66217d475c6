//! The data that lies beside the repository in `shared`, or where `POLDER_TEST_DATA` says.
#![allow(clippy::print_stderr, reason = "what is left out is said")]

use std::path::PathBuf;

/// A file of it; where it is not there, that is said.
pub(crate) fn data(path: &str) -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = std::env::var_os("POLDER_TEST_DATA").map_or(beside, PathBuf::from);
    let path = folder.join(path);
    if !path.exists() {
        eprintln!("SKIPPED: {} is not there", path.display());
        return None;
    }
    Some(path)
}
