//! What this program is, and what was put into it before it began: who can do that decides what it says.

use polder_integrity::hexadecimal;
use polder_model::printable;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Whether no library can be put before its own (`cargo xtask dist` builds it so).
pub(crate) const IS_STATIC: bool = cfg!(target_feature = "crt-static");

/// Libraries that a build with shared ones needs, as they are named now, and how older ones of libc begin.
const OWN: [&str; 6] =
    ["libc.so.6", "libm.so.6", "libgcc_s.so.1", "libpthread.so.0", "librt.so.1", "libdl.so.2"];
const OLDER: [&str; 5] = ["libc-2.", "libm-2.", "libpthread-2.", "librt-2.", "libdl-2."];

/// How the loader's name begins.
const LOADER: [&str; 4] = ["ld-linux", "ld-musl-", "ld-2.", "ld64."];

/// Where these lie.
const FOLDERS: [&str; 2] = ["/lib", "/usr/lib"];

/// Code in this process that is neither its own nor that of the libraries it needs: what `LD_PRELOAD` and
/// `/etc/ld.so.preload` name, as far as it does not hide.
///
/// # Errors
/// When that cannot be looked at.
fn foreign() -> std::io::Result<Vec<String>> {
    let maps = std::fs::read("/proc/self/maps")?;
    let own = std::fs::read_link("/proc/self/exe")?;
    Ok(foreign_in(&maps, own.as_os_str().as_bytes()))
}

fn foreign_in(maps: &[u8], own: &[u8]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut known: Vec<(String, &[u8])> = Vec::new();
    for line in maps.split(|byte| *byte == b'\n') {
        // Addresses, rights, offset, device, inode; the path may have blanks.
        let mut fields = line.splitn(6, |byte| *byte == b' ');
        let runs = fields.nth(1).is_some_and(|it| it.contains(&b'x'));
        let path = fields.nth(3).unwrap_or_default().trim_ascii_start();
        if !runs || !path.starts_with(b"/") || path == own {
            continue;
        }
        if let Some(name) = own_name(path) {
            // Of two that have the name of one, nobody knows which is needed.
            let is_first = known.iter().all(|(it, at)| *it != name || *at == path);
            known.push((name, path));
            if is_first {
                continue;
            }
        }
        let path = printable(path);
        if !found.contains(&path) {
            found.push(path);
        }
    }
    found
}

/// The name of a library that is needed, if a path is one.
fn own_name(path: &[u8]) -> Option<String> {
    let path = Path::new(std::ffi::OsStr::from_bytes(path));
    let name = path.file_name().and_then(|it| it.to_str())?;
    let starts = |all: &[&str]| all.iter().any(|it| name.starts_with(it));
    let is_own = OWN.contains(&name) || starts(&OLDER) || starts(&LOADER);
    let name = if starts(&LOADER) { "the loader" } else { name };
    (is_own && FOLDERS.iter().any(|it| path.starts_with(it))).then(|| name.to_string())
}

/// What to say where something foreign is in this process.
pub(crate) fn warning() -> Option<String> {
    let found = match foreign() {
        Ok(found) if found.is_empty() => return None,
        Ok(found) => found.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", "),
        Err(error) => {
            return Some(format!(
                "whether something was put into this program cannot be seen: {error}"
            ));
        }
    };
    Some(format!(
        "{found} was put into this program before it began, so what it says cannot be relied on; the build of `cargo xtask dist` lets nothing in"
    ))
}

/// BLAKE3 of this program.
pub(crate) fn digest() -> String {
    digest_of(Path::new("/proc/self/exe"))
}

/// BLAKE3 of a file, or why there is none.
pub(crate) fn digest_of(path: &Path) -> String {
    match polder_integrity::digest_file(path) {
        Ok(digest) => hexadecimal(&digest),
        Err(error) => format!("not known ({error})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_neither_own_nor_needed_is_named_once() {
        let maps = b"55d0-55d1 r-xp 0 fe:00 1                  /usr/bin/polder\n\
            7f01-7f02 r-xp 0 fe:00 2                  /usr/lib/x86_64-linux-gnu/libc.so.6\n\
            7f03-7f04 r--p 0 fe:00 3                  /usr/share/locale/data\n\
            7f05-7f06 r-xp 0 fe:00 4                  /tmp/a b.so\n\
            7f07-7f08 r-xp 0 fe:00 4                  /tmp/a b.so\n\
            7f09-7f0a r-xp 0 fe:00 5                  /tmp/libc.so.6 (deleted)\n\
            7f0c-7f0d r-xp 0 fe:00 6                  /usr/lib/libm.so.66\n\
            7f0e-7f0f r-xp 0 fe:00 7                  /usr/lib/x/libc.so.6\n\
            7f0b-7f0c r-xp 0 00:00 0                  [vdso]\n";
        let found = foreign_in(maps, b"/usr/bin/polder");
        let [own, deleted, other, second] = [
            "/tmp/a b.so",
            "/tmp/libc.so.6 (deleted)",
            "/usr/lib/libm.so.66",
            "/usr/lib/x/libc.so.6",
        ];
        assert_eq!(found, [own, deleted, other, second]);
        assert_eq!(foreign().unwrap(), [""; 0]);
    }
}
