//! What was kept of an index the last time, for as long as the index is the very same file.
//!
//! The memory is Polder's own: a folder that only its user may write to. Whatever is amiss with it, the
//! index is read again.

use super::Stanzas;
use crate::archive::hex;
use rustix::fs::{Mode, OFlags, Statx};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// First line of each file. A new way of keeping needs a new name.
const FORMAT: &str = "polder-index-memory 2";

/// Most bytes of what was kept.
const BYTES_MAX: u64 = 64 << 20;

/// Seconds for which a change of a file may leave its times as they are: the clock of the kernel ticks
/// in milliseconds, that of some file systems in two seconds.
const SETTLED_SECONDS: i64 = 3;

/// Where what was kept is remembered.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    folder: PathBuf,
}

/// What tells one state of a file, and what was asked about it, from all others.
pub(crate) struct Key {
    name: String,
    line: String,
    changed: i64,
}

impl Memory {
    /// Below the folder of Polder's own state. Nothing is made before there is something to keep.
    pub(crate) fn in_state(state: &Path) -> Self {
        Self { folder: state.join("indices") }
    }

    /// What names a file that is open, and the packages asked for.
    pub(crate) fn key(path: &Path, statx: &Statx, names: &BTreeSet<String>) -> Key {
        let mut asked = Sha256::new();
        asked.update(env!("CARGO_PKG_VERSION"));
        for name in names {
            asked.update(name.as_bytes());
            asked.update([0]);
        }
        let times = [statx.stx_mtime, statx.stx_ctime].map(|it| (it.tv_sec, it.tv_nsec));
        let device = (statx.stx_dev_major, statx.stx_dev_minor);
        let line = format!(
            "{device:?} {} {} {times:?} {}",
            statx.stx_ino,
            statx.stx_size,
            hex(&asked.finalize())
        );
        let name = hex(&Sha256::digest(path.as_os_str().as_encoded_bytes()));
        Key { name, line, changed: statx.stx_ctime.tv_sec }
    }

    /// What was kept under a key; none when anything about it is not as it was written.
    pub(crate) fn recall(&self, key: &Key) -> Option<Stanzas> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = rustix::fs::open(self.folder.join(&key.name), flags, Mode::empty()).ok()?;
        let stat = rustix::fs::fstat(&file).ok()?;
        // Only what this user alone may write is its own word.
        if stat.st_uid != rustix::process::geteuid().as_raw() || stat.st_mode & 0o022 != 0 {
            return None;
        }
        let length = u64::try_from(stat.st_size).unwrap_or(0).min(BYTES_MAX);
        let mut text = String::with_capacity(usize::try_from(length).unwrap_or(0) + 32);
        File::from(file).take(BYTES_MAX).read_to_string(&mut text).ok()?;
        let (digest, kept) = text.split_once('\n')?;
        if digest != hex(&Sha256::digest(kept)) {
            return None;
        }
        let mut parts = kept.splitn(4, '\n');
        let (format, line, counts) = (parts.next()?, parts.next()?, parts.next()?);
        if format != FORMAT || line != key.line {
            return None;
        }
        let (bytes, count) = counts.split_once(' ')?;
        let text = parts.next()?.to_string();
        Some(Stanzas { text, bytes: bytes.parse().ok()?, count: count.parse().ok()? })
    }

    /// Keeps an answer, unless the file changed so lately that its times may not tell the next change.
    /// Where nothing can be written, nothing is kept.
    pub(crate) fn keep(&self, key: &Key, now: i64, stanzas: &Stanzas) {
        if now - key.changed < SETTLED_SECONDS || stanzas.text.len() as u64 > BYTES_MAX / 2 {
            return;
        }
        let Stanzas { bytes, count, text } = stanzas;
        let kept = format!("{FORMAT}\n{}\n{bytes} {count}\n{text}", key.line);
        let digest = hex(&Sha256::digest(&kept));
        let _ = self.write(&key.name, &format!("{digest}\n{kept}"));
    }

    fn write(&self, name: &str, text: &str) -> std::io::Result<()> {
        match rustix::fs::mkdir(&self.folder, Mode::from_raw_mode(0o700)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let beside = self.folder.join(format!("{name}.{}", std::process::id()));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = rustix::fs::open(&beside, flags, Mode::from_raw_mode(0o600))?;
        let wrote = File::from(file)
            .write_all(text.as_bytes())
            .and_then(|()| std::fs::rename(&beside, self.folder.join(name)));
        if wrote.is_err() {
            let _ = std::fs::remove_file(&beside);
        }
        wrote
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{AtFlags, StatxFlags};

    fn key(path: &Path, names: &[&str]) -> Key {
        let flags = AtFlags::empty();
        let statx = rustix::fs::statx(rustix::fs::CWD, path, flags, StatxFlags::BASIC_STATS);
        let names = names.iter().map(|it| (*it).to_string()).collect();
        Memory::key(path, &statx.unwrap(), &names)
    }

    #[test]
    fn what_was_kept_holds_for_the_same_file_and_question_only() {
        let folder = tempfile::tempdir().unwrap();
        let index = folder.path().join("Packages");
        std::fs::write(&index, "Package: a\n").unwrap();
        let memory = Memory::in_state(folder.path());
        let stanzas = Stanzas { text: "Package: a\n\nPackage: b\n\n".into(), bytes: 11, count: 1 };
        let asked = key(&index, &["a"]);
        // Its times may be those of a change that is still to come.
        memory.keep(&asked, asked.changed, &stanzas);
        assert_eq!(memory.recall(&asked), None);
        memory.keep(&asked, asked.changed + SETTLED_SECONDS, &stanzas);
        assert_eq!(memory.recall(&asked), Some(stanzas.clone()));
        assert_eq!(memory.recall(&key(&index, &["a", "b"])), None);
        // Another file of the same name and length.
        std::fs::write(folder.path().join("new"), "Package: c\n").unwrap();
        std::fs::rename(folder.path().join("new"), &index).unwrap();
        assert_eq!(memory.recall(&key(&index, &["a"])), None);
    }

    #[test]
    fn what_is_damaged_or_open_to_others_is_no_answer() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::in_state(folder.path());
        let asked = key(folder.path(), &["a"]);
        let stanzas = Stanzas { text: "Package: a\n\n".into(), bytes: 1, count: 1 };
        memory.keep(&asked, asked.changed + SETTLED_SECONDS, &stanzas);
        let file = memory.folder.join(&asked.name);
        let whole = std::fs::read(&file).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&file, &whole[..length]).unwrap();
            assert_eq!(memory.recall(&asked), None);
        }
        std::fs::write(&file, &whole).unwrap();
        assert!(memory.recall(&asked).is_some());
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(memory.recall(&asked), None);
    }
}
