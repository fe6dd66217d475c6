//! `polder baseline hook` and `keep`: archives stay at hand as proofs until a baseline holds what came of them.

use crate::failure::Failure;
use crate::output;
use polder_integrity::proof::KEPT_ARCHIVES;
use std::fs::{self, DirBuilder, File};
use std::io::{self, BufRead, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

/// All that is kept; a release upgrade of a large server has some gigabytes.
const BYTES_MAX: u64 = 8 << 30;

/// Lines and bytes of a line that apt may name.
const LINES_MAX: usize = 20_000;
const LINE_BYTES_MAX: u64 = 8 << 10;

/// Prints the settings of apt (apt.conf(5), DPkg::Pre-Install-Pkgs).
pub(super) fn hook() -> Result<u8, Failure> {
    let program = std::env::current_exe().map_err(Failure::look)?;
    let program = polder_model::quoted(&program.display().to_string());
    output::print(&format!(
        "// Keeps the archives that are installed, as proofs: `polder baseline hook` wrote this.\n\
         DPkg::Pre-Install-Pkgs {{ \"[ ! -x {program} ] || {program} baseline keep || true\"; }};\n"
    ))?;
    Ok(0)
}

/// Keeps what apt names on standard input, one path on a line. Nothing that goes wrong here may keep apt from
/// its work: it only makes more be told.
pub(super) fn keep() -> u8 {
    let folder = Path::new(KEPT_ARCHIVES);
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    if let Err(error) = made {
        output::say(&format!("polder: no archives are kept: {error}\n"));
        return 0;
    }
    let mut left = BYTES_MAX.saturating_sub(size_of_all(folder));
    let mut input = io::stdin().lock();
    for _ in 0..LINES_MAX {
        let mut line = Vec::new();
        match input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        let Ok(text) = std::str::from_utf8(&line) else { continue };
        let path = Path::new(text.trim_end());
        let is_archive = path.is_absolute() && path.extension().is_some_and(|it| it == "deb");
        let Some(name) = path.file_name().filter(|_| is_archive) else { continue };
        let Ok(metadata) = path.symlink_metadata() else { continue };
        if !metadata.is_file() || metadata.len() > left {
            continue;
        }
        if keep_one(path, &metadata, &folder.join(name), &folder.join("partial")) {
            left = left.saturating_sub(metadata.len());
        }
    }
    let _ = File::open(folder).and_then(|it| it.sync_all());
    0
}

/// A link costs nothing, and stays when apt removes its own; on another file system it is a copy.
fn keep_one(path: &Path, metadata: &fs::Metadata, kept: &Path, partial: &Path) -> bool {
    let is_same = |it: fs::Metadata| (it.dev(), it.ino()) == (metadata.dev(), metadata.ino());
    // What is installed from here must not be taken from under apt.
    if kept.symlink_metadata().is_ok_and(is_same) {
        return false;
    }
    let _ = fs::remove_file(partial);
    let made = fs::hard_link(path, partial).or_else(|_| fs::copy(path, partial).map(drop));
    let is_kept = made.and_then(|()| fs::rename(partial, kept)).is_ok();
    let _ = fs::remove_file(partial);
    is_kept
}

fn size_of_all(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|it| it.metadata().ok()).map(|it| it.size()).sum()
}

/// Removes what is kept once a baseline holds all that came of it.
pub(super) fn forget(is_wanted: bool) {
    if !is_wanted {
        return;
    }
    for entry in fs::read_dir(KEPT_ARCHIVES).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|it| it == "deb") {
            let _ = fs::remove_file(path);
        }
    }
}
