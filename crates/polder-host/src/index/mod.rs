//! Reads the indices of package managers, of any length, and keeps what is about given packages.
//!
//! Whatever their form, what is kept comes out as stanzas of `Field: value` lines, a blank line
//! after each.

mod apk;
mod deb822;
pub(crate) mod memory;
mod rpm_md;

use crate::{ErrorKind, HostError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

/// Most bytes of one uncompressed index; Debian's largest has about 50 MB, Fedora's 200 MB.
const INDEX_BYTES_MAX: u64 = 2 << 30;

/// Longest record; the largest known stanza of Debian has about 60 kB.
const RECORD_BYTES_MAX: usize = 8 << 20;

/// What an index says of the packages asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stanzas {
    /// The stanzas kept, cut to a few fields, a blank line after each.
    pub text: String,
    /// Length of the whole index, uncompressed.
    pub bytes: u64,
    /// Number of records in the whole index.
    pub count: u64,
}

impl Stanzas {
    /// Adds one line of a stanza, unless there is nothing to say.
    fn field(&mut self, name: &str, value: &str) {
        let value = value.trim();
        if !value.is_empty() {
            // A value is one line, whatever the index says.
            let value = value.replace(['\n', '\r'], " ");
            self.text.extend([name, ": ", &value, "\n"]);
        }
    }

    fn end(&mut self) {
        self.text.push('\n');
    }
}

/// Reads what `file` yields, in the form and the compression that the name of `path` tells.
/// `what` names it in errors.
pub(crate) fn read(
    path: &Path,
    what: &str,
    file: impl Read,
    names: &BTreeSet<String>,
) -> Result<Stanzas, HostError> {
    let extension = path.extension().and_then(|it| it.to_str()).unwrap_or_default();
    let failed = |because: String| HostError::new(ErrorKind::Other, what, because);
    let (inside, reader): (&Path, Box<dyn Read>) = match extension {
        "lz4" => (strip(path), Box::new(lz4_flex::frame::FrameDecoder::new(file))),
        "gz" => (strip(path), Box::new(flate2::read::MultiGzDecoder::new(file))),
        "xz" => (strip(path), Box::new(lzma_rust2::XzReader::new(file, true))),
        "zst" => match ruzstd::decoding::StreamingDecoder::new(file) {
            Ok(reader) => (strip(path), Box::new(reader)),
            Err(error) => return Err(failed(error.to_string())),
        },
        "bz2" | "lzma" | "zck" => {
            return Err(failed(format!("indices compressed as .{extension} are not read yet")));
        }
        _ => (path, Box::new(file)),
    };
    let name = inside.file_name().and_then(|it| it.to_str()).unwrap_or_default();
    if name.starts_with("APKINDEX") {
        apk::filter(what, reader, names)
    } else if name.ends_with(".xml") {
        rpm_md::filter(what, reader, names)
    } else if name.ends_with("modules.yaml") {
        rpm_md::modules(what, reader, names)
    } else {
        deb822::filter(what, reader, names)
    }
}

fn strip(path: &Path) -> &Path {
    path.file_stem().map_or(path, Path::new)
}
