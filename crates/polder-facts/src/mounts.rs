//! Mounted file systems.

use crate::reading::text;
use polder_host::Host;
use polder_model::facts::Mount;
use polder_model::{Table, printable_str};

/// What is mounted now; for a mere folder, what its `fstab` would mount.
pub(crate) fn look(host: &dyn Host) -> Table<Mount> {
    let path = if host.identity().running { "/proc/self/mounts" } else { "/etc/fstab" };
    match text(host, path) {
        Ok(text) => Table::complete(parse_mounts(&text)),
        Err(error) => Table::with(crate::reading::not_looked(&error, "the mounts"), Vec::new()),
    }
}

/// Reads `source point type options` (fstab(5)); blanks in names are written `\040`.
pub fn parse_mounts(text: &str) -> Vec<Mount> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let (source, point) = (words.next()?, words.next()?);
            let (kind, options) = (words.next()?, words.next()?);
            Some(Mount {
                point: printable_str(&point.replace("\\040", " ")),
                kind: printable_str(kind),
                source: printable_str(source),
                options: options.split(',').map(printable_str).collect(),
            })
        })
        .collect()
}
