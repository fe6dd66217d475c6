//! Package lists in every compression that apt keeps them in, whole and cut short.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic, and writes the lists it reads"
)]

use polder_host::{Host, LiveHost};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

/// A list long enough for more than one block of each format.
fn list() -> String {
    (0..4_000)
        .map(|at| {
            let noise = at * 2_654_435_761_u64 % 1_000_003;
            format!("Package: p{at}\nVersion: 1.{noise}\nArchitecture: amd64\nSize: {noise}\n\n")
        })
        .collect()
}

fn packed(extension: &str, plain: &[u8]) -> Vec<u8> {
    match extension {
        "gz" => {
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            out.write_all(plain).unwrap();
            out.finish().unwrap()
        }
        "xz" => {
            let options = lzma_rust2::XzOptions::with_preset(1);
            let mut out = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
            out.write_all(plain).unwrap();
            out.finish().unwrap()
        }
        "zst" => {
            ruzstd::encoding::compress_to_vec(plain, ruzstd::encoding::CompressionLevel::Fastest)
        }
        "lz4" => {
            let mut out = lz4_flex::frame::FrameEncoder::new(Vec::new());
            out.write_all(plain).unwrap();
            out.finish().unwrap()
        }
        _ => plain.to_vec(),
    }
}

#[test]
fn lists_are_read_in_every_compression_of_apt() {
    let folder = tempfile::tempdir().unwrap();
    let plain = list();
    let names = BTreeSet::from(["p7".to_string(), "p3999".to_string()]);
    for extension in ["txt", "gz", "xz", "zst", "lz4"] {
        let name = format!("list.{extension}");
        let bytes = packed(extension, plain.as_bytes());
        std::fs::write(folder.path().join(&name), &bytes).unwrap();
        let host = LiveHost::folder(folder.path()).unwrap();
        let path = Path::new("/").join(&name);
        let found = host.stanzas(&path, &names).unwrap();
        assert_eq!((found.bytes, found.count), (plain.len() as u64, 4_000), "{extension}");
        assert!(found.text.contains("Package: p7\n") && found.text.contains("Package: p3999\n"));

        // Cut short, it is an error or shorter than promised; never as long as the whole.
        std::fs::write(folder.path().join(&name), &bytes[..bytes.len() / 2]).unwrap();
        if let Ok(cut) = host.stanzas(&path, &names) {
            assert!(cut.bytes < plain.len() as u64, "{extension}");
        }
        // Bytes that are no such stream.
        std::fs::write(folder.path().join(&name), b"\x00\x01not a list").unwrap();
        let wrong = host.stanzas(&path, &names);
        assert!(extension == "txt" || wrong.is_err(), "{extension}");
    }
}
