//! What is mounted where (proc_pid_mountinfo(5)), and which modules the kernel has loaded.

use serde::{Deserialize, Serialize};

/// One mounted file system.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mount {
    /// Where.
    pub point: Vec<u8>,
    /// Which part of the file system; `/` for all of it.
    pub part: Vec<u8>,
    /// Major and minor number of the device.
    pub device: (u32, u32),
    /// Kind of file system.
    pub kind: String,
    /// Device or other source.
    pub source: Vec<u8>,
    /// Options of the mount that take rights away or give them.
    pub options: Vec<String>,
}

/// Options worth comparing: others change by themselves.
const OPTIONS: [&str; 5] = ["ro", "rw", "nosuid", "nodev", "noexec"];

/// Reads the lines of `mountinfo`; those that are malformed are left out.
pub fn parse_mounts(text: &[u8]) -> Vec<Mount> {
    text.split(|byte| *byte == b'\n').filter_map(parse_mount).collect()
}

fn parse_mount(line: &[u8]) -> Option<Mount> {
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let dash = words.iter().position(|it| *it == b"-")?;
    let (major, minor) = std::str::from_utf8(words.get(2)?).ok()?.split_once(':')?;
    let options = std::str::from_utf8(words.get(5)?).ok()?.split(',');
    Some(Mount {
        point: unescape(words.get(4)?),
        part: unescape(words.get(3)?),
        device: (major.parse().ok()?, minor.parse().ok()?),
        kind: String::from_utf8_lossy(words.get(dash + 1)?).into_owned(),
        source: unescape(words.get(dash + 2)?),
        options: options.filter(|it| OPTIONS.contains(it)).map(str::to_string).collect(),
    })
}

/// Blanks, tabs, newlines and backslashes are written as `\ooo`.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| *first == b'\\');
        let byte = octal
            .and_then(|it| std::str::from_utf8(it).ok())
            .and_then(|it| u8::from_str_radix(it, 8).ok());
        match byte {
            Some(byte) => {
                out.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

/// Names of the modules in `/proc/modules`, sorted.
pub fn parse_modules(text: &str) -> Vec<String> {
    let mut names: Vec<String> =
        text.lines().filter_map(|line| line.split(' ').next()).map(str::to_string).collect();
    names.retain(|it| !it.is_empty());
    names.sort();
    names
}

/// Device and inode of files that a process may write to through its memory (proc_pid_maps(5)).
pub fn parse_shared(maps: &str) -> Vec<((u32, u32), u64)> {
    maps.lines().filter_map(shared).collect()
}

fn shared(line: &str) -> Option<((u32, u32), u64)> {
    let mut words = line.split_ascii_whitespace();
    let rights = words.nth(1)?.as_bytes();
    if rights.get(1) != Some(&b'w') || rights.get(3) != Some(&b's') {
        return None;
    }
    let (major, minor) = words.nth(1)?.split_once(':')?;
    let inode: u64 = words.next()?.parse().ok()?;
    let device = (u32::from_str_radix(major, 16).ok()?, u32::from_str_radix(minor, 16).ok()?);
    (inode != 0).then_some((device, inode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_may_have_blanks_and_optional_fields() {
        let text = b"36 35 98:0 / /mnt\\040a rw,noatime,nosuid master:1 - ext4 /dev/x rw\nbad\n";
        let mounts = parse_mounts(text);
        assert_eq!(mounts.len(), 1);
        assert_eq!(mounts[0].point, b"/mnt a");
        assert_eq!(mounts[0].options, ["rw", "nosuid"]);
        assert_eq!((mounts[0].device, mounts[0].kind.as_str()), ((98, 0), "ext4"));
    }

    #[test]
    fn only_shared_writable_mappings_of_files_count() {
        let text = "7f00-7f01 rw-s 00000000 fe:00 99 /a\n7f00-7f01 r--s 00000000 fe:00 98 /b\n7f00-7f01 rw-p 0 fe:00 97 /c\n7f00-7f01 rw-s 0 00:01 0 x\n";
        assert_eq!(parse_shared(text), [((0xfe, 0), 99)]);
    }
}
