//! Where baselines are kept: numbered generations, the sealed key, and what was seen last.
//!
//! A generation is written beside its place and renamed when all of it is on the disk, so there is never
//! half of one. What was seen last stands in a file that only grows; a baseline that is older, or another
//! of the same number, is refused.

use polder_integrity::{
    BaselineError, Content, Digest, Entry, Generation, Head, KeyError, Signer, Writer,
    digest_bytes, hexadecimal, is_at_or_below, parse,
};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Generations that are kept.
const KEPT: usize = 5;

/// Largest file of which a copy is kept, and all of them together.
const COPY_BYTES_MAX: u64 = 256 << 10;
const COPIES_BYTES_MAX: u64 = 64 << 20;

/// Largest key or list of what was seen.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// Why a baseline could not be opened or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BaselinesError {
    /// A file could not be read or written.
    #[error("cannot use `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// There is none yet.
    #[error("there is no baseline in `{0}`")]
    None(PathBuf),
    /// A baseline is not to be relied on.
    #[error(transparent)]
    Baseline(#[from] BaselineError),
    /// The key cannot be used.
    #[error("cannot use the key `{path}`")]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// There is none of this number.
    #[error("there is no baseline {sequence}; there are {there}")]
    NoSuch {
        /// The number.
        sequence: u64,
        /// The numbers there are.
        there: String,
    },
    /// A later one was seen before.
    #[error(
        "this is baseline {found}, and baseline {seen} was seen before: an older one was put back"
    )]
    Older {
        /// The one that is there.
        found: u64,
        /// The one that was seen.
        seen: u64,
    },
    /// Another of the same number was seen before.
    #[error("baseline {sequence} is not the one that was seen before: it was replaced")]
    Replaced {
        /// Its number.
        sequence: u64,
    },
    /// What notes the last one is gone.
    #[error(
        "nothing tells which baseline was the last, so {sequence} may be an older one that was put back"
    )]
    Unseen {
        /// Its number.
        sequence: u64,
    },
    /// A key is no key.
    #[error("`{0}` is no key: 64 hexadecimal digits are")]
    NoKey(String),
}

/// The baselines in the folder of Polder's own state.
#[derive(Debug)]
pub struct Baselines {
    folder: PathBuf,
    /// Whether what was seen is kept in a file to which one can only add.
    append_only: bool,
}

/// A generation that was begun.
pub struct Begun {
    /// Where it is being written.
    partial: PathBuf,
    /// What writes it.
    pub writer: Writer,
}

impl Baselines {
    /// Those below a state folder. `append_only` sets the flag of chattr(1) on what was seen, where that
    /// can be done.
    pub fn of(state: &Path, append_only: bool) -> Self {
        Self { folder: state.join("baseline"), append_only }
    }

    /// Numbers of the generations that are there, in order.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn sequences(&self) -> Result<Vec<u64>, BaselinesError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(self.failed("", source)),
        };
        let mut all: Vec<u64> = entries
            .flatten()
            .filter_map(|it| it.file_name().to_str()?.strip_prefix("generation-")?.parse().ok())
            .collect();
        all.sort_unstable();
        Ok(all)
    }

    /// The newest generation, held against its signature and against what was seen before. `pinned` is
    /// the key to trust in place of the one that lies beside it.
    ///
    /// # Errors
    /// When there is none, or it is not to be relied on.
    pub fn newest(&self, pinned: Option<&[u8; 32]>) -> Result<Generation, BaselinesError> {
        let sequences = self.sequences()?;
        let sequence =
            sequences.last().copied().ok_or_else(|| BaselinesError::None(self.folder.clone()))?;
        let generation = self.open(sequence, pinned)?;
        match self.seen()? {
            None => Err(BaselinesError::Unseen { sequence }),
            Some((seen, _)) if seen > sequence => {
                Err(BaselinesError::Older { found: sequence, seen })
            }
            Some((seen, root)) if seen == sequence && root != generation.root => {
                Err(BaselinesError::Replaced { sequence })
            }
            _ => Ok(generation),
        }
    }

    /// One generation by its number.
    ///
    /// # Errors
    /// When it is not there, or not to be relied on.
    pub fn open(
        &self,
        sequence: u64,
        pinned: Option<&[u8; 32]>,
    ) -> Result<Generation, BaselinesError> {
        let trusted = match pinned {
            Some(key) => *key,
            None => self.trusted()?,
        };
        let path = self.path(sequence);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let there: Vec<String> =
                    self.sequences()?.iter().map(ToString::to_string).collect();
                return Err(BaselinesError::NoSuch { sequence, there: there.join(", ") });
            }
            Err(source) => return Err(self.failed(&name(sequence), source)),
        };
        let generation = Generation::open(file, &path, Some(&trusted))?;
        if generation.head.sequence != sequence {
            return Err(BaselinesError::Replaced { sequence });
        }
        Ok(generation)
    }

    /// A generation in a file of its own, as [`Baselines::export`] made it.
    ///
    /// # Errors
    /// When it is not to be relied on.
    pub fn open_file(path: &Path, pinned: Option<&[u8; 32]>) -> Result<Generation, BaselinesError> {
        let failed = |source| BaselinesError::File { path: path.into(), source };
        let file = File::open(path).map_err(failed)?;
        Ok(Generation::open(file, path, pinned)?)
    }

    /// Copies a generation into a file that does not exist yet.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn export(&self, sequence: u64, to: &Path) -> Result<u64, BaselinesError> {
        let failed = |source| BaselinesError::File { path: to.into(), source };
        let mut from = File::open(self.path(sequence))
            .map_err(|source| self.failed(&name(sequence), source))?;
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(failed)?;
        let wrote = io::copy(&mut from, &mut file).and_then(|it| file.sync_all().map(|()| it));
        wrote.map_err(|source| {
            let _ = fs::remove_file(to);
            failed(source)
        })
    }

    /// Makes the key, sealed with a passphrase. One that is there stays, and is opened.
    ///
    /// # Errors
    /// When it cannot be written, or the passphrase is not the one of the key.
    pub fn make_key(&self, passphrase: &str) -> Result<Signer, BaselinesError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        made.map_err(|source| self.failed("", source))?;
        if self.has_key() {
            return self.unseal(passphrase);
        }
        let path = self.folder.join("key");
        let (signer, text) = Signer::make(passphrase)
            .map_err(|source| BaselinesError::Key { path: path.clone(), source })?;
        // The key last: while it is not there, all is made anew.
        let _ = fs::remove_file(self.folder.join("trusted"));
        self.write("trusted", &format!("{}\n", hexadecimal(&signer.public())))?;
        self.write("key", &text)?;
        Ok(signer)
    }

    /// A copy of a file by its digest, if one is kept.
    pub fn kept(&self, digest: &Digest) -> Option<Vec<u8>> {
        use std::io::Read;
        let file = File::open(self.folder.join("kept").join(hexadecimal(digest))).ok()?;
        let mut bytes = Vec::new();
        file.take(COPY_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        // Who could alter it there could alter anything; its name tells.
        (digest_bytes(&bytes) == *digest).then_some(bytes)
    }

    /// Keeps copies of settings that everybody may read, so that they can be put back; says how many are kept.
    ///
    /// # Errors
    /// When the baseline is damaged, or nothing can be written.
    pub fn keep_copies(&self, generation: &Generation, root: &Path) -> Result<u64, BaselinesError> {
        let folder = self.folder.join("kept");
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|source| self.failed("kept", source))?;
        let (mut count, mut bytes) = (0, 0_u64);
        for row in generation.head.folders.iter().filter(|it| is_at_or_below(&it.path, b"/etc")) {
            for entry in generation.entries(row)? {
                let Content::Digest(digest) = &entry.content else { continue };
                let is_open = entry.mode & 0o004 != 0 && entry.size <= COPY_BYTES_MAX;
                if !is_open || bytes + entry.size > COPIES_BYTES_MAX {
                    continue;
                }
                let name = hexadecimal(digest);
                if !folder.join(&name).exists() && !self.copy(root, &row.path, &entry, digest)? {
                    continue;
                }
                (count, bytes) = (count + 1, bytes + entry.size);
            }
        }
        Ok(count)
    }

    /// Copies a file, if it still is what the baseline knows.
    fn copy(
        &self,
        root: &Path,
        folder: &[u8],
        entry: &Entry,
        digest: &Digest,
    ) -> Result<bool, BaselinesError> {
        use std::io::Read;
        use std::os::unix::ffi::OsStrExt;
        let path = polder_integrity::join(folder, &entry.name);
        let inside = path.strip_prefix(b"/").unwrap_or(&path);
        let path = root.join(std::ffi::OsStr::from_bytes(inside));
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(flags.bits().cast_signed());
        let Ok(file) = options.open(path) else { return Ok(false) };
        let mut bytes = Vec::new();
        let read = file.take(COPY_BYTES_MAX + 1).read_to_end(&mut bytes);
        if read.is_err() || digest_bytes(&bytes) != *digest {
            return Ok(false);
        }
        let name = format!("kept/{}", hexadecimal(digest));
        let beside = self.folder.join("kept/new");
        let wrote = (|| {
            let _ = fs::remove_file(&beside);
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
            file.write_all(&bytes)?;
            file.sync_data()?;
            fs::rename(&beside, self.folder.join(&name))
        })();
        wrote.map(|()| true).map_err(|source| self.failed(&name, source))
    }

    /// Whether a key is there.
    pub fn has_key(&self) -> bool {
        self.folder.join("key").symlink_metadata().is_ok()
    }

    /// Opens the key.
    ///
    /// # Errors
    /// When there is none, or the passphrase is not the one it was sealed with.
    pub fn unseal(&self, passphrase: &str) -> Result<Signer, BaselinesError> {
        let text = self.read("key")?;
        let path = self.folder.join("key");
        Signer::open(&text, passphrase).map_err(|source| BaselinesError::Key { path, source })
    }

    /// The key that is trusted as long as none is pinned.
    fn trusted(&self) -> Result<[u8; 32], BaselinesError> {
        key(self.read("trusted")?.trim())
    }

    /// Begins the next generation.
    ///
    /// # Errors
    /// When nothing can be written.
    pub fn begin(&self, head: Head) -> Result<Begun, BaselinesError> {
        self.remove_partial();
        let partial = format!("partial-{}", std::process::id());
        let path = self.folder.join(&partial);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(|source| self.failed(&partial, source))?;
        Ok(Begun { writer: Writer::begin(file, &path, head)?, partial: path })
    }

    /// Puts a generation in its place once all of it is on the disk.
    ///
    /// # Errors
    /// When anything could not be written; then nothing is in its place.
    pub fn finish(&self, begun: Begun, signer: &Signer) -> Result<(Head, Digest), BaselinesError> {
        let Begun { partial, writer } = begun;
        let done = writer.finish(&signer.public(), |root| signer.sign(root));
        let (head, root) = done.inspect_err(|_| drop(fs::remove_file(&partial)))?;
        let name = name(head.sequence);
        // A link takes no name that is there, so that nothing is ever written over.
        let placed = fs::hard_link(&partial, self.folder.join(&name));
        let _ = fs::remove_file(&partial);
        placed
            .and_then(|()| File::open(&self.folder)?.sync_all())
            .map_err(|source| self.failed(&name, source))?;
        self.note(head.sequence, &root)?;
        let sequences = self.sequences()?;
        for old in sequences.iter().take(sequences.len().saturating_sub(KEPT)) {
            let _ = fs::remove_file(self.path(*old));
        }
        Ok((head, root))
    }

    /// Notes that a generation was seen, unless that is known.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note(&self, sequence: u64, root: &Digest) -> Result<(), BaselinesError> {
        if self.seen()?.is_some_and(|(seen, _)| seen >= sequence) {
            return Ok(());
        }
        let path = self.folder.join("seen");
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path);
        let wrote = file.and_then(|mut file| {
            file.write_all(format!("{sequence} {}\n", hexadecimal(root)).as_bytes())?;
            file.sync_all()?;
            if self.append_only {
                // Not every file system can do it; then the file is like others.
                let _ = rustix::fs::ioctl_getflags(&file).and_then(|it| {
                    rustix::fs::ioctl_setflags(&file, it | rustix::fs::IFlags::APPEND)
                });
            }
            Ok(())
        });
        wrote.map_err(|source| self.failed("seen", source))
    }

    /// Number and root of the last generation that was seen. Lines that are none are passed over.
    fn seen(&self) -> Result<Option<(u64, Digest)>, BaselinesError> {
        let text = match self.read("seen") {
            Ok(text) => text,
            Err(BaselinesError::File { source, .. })
                if source.kind() == io::ErrorKind::NotFound =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let line = |line: &str| {
            let (sequence, root) = line.split_once(' ')?;
            Some((sequence.parse().ok()?, parse(root)?.try_into().ok()?))
        };
        Ok(text.lines().filter_map(line).max_by_key(|(sequence, _)| *sequence))
    }

    /// What a run that was killed left.
    fn remove_partial(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let pid = name.to_str().and_then(|it| it.strip_prefix("partial-"));
            let runs = |pid: &str| Path::new("/proc").join(pid).symlink_metadata().is_ok();
            if pid.is_some_and(|pid| !runs(pid)) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn path(&self, sequence: u64) -> PathBuf {
        self.folder.join(name(sequence))
    }

    fn read(&self, name: &str) -> Result<String, BaselinesError> {
        use std::io::Read;
        let read = File::open(self.folder.join(name)).and_then(|file| {
            let mut text = String::new();
            file.take(TEXT_BYTES_MAX).read_to_string(&mut text).map(|_| text)
        });
        read.map_err(|source| self.failed(name, source))
    }

    fn write(&self, name: &str, text: &str) -> Result<(), BaselinesError> {
        let path = self.folder.join(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let wrote = file.and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        wrote.map_err(|source| self.failed(name, source))
    }

    fn failed(&self, name: &str, source: io::Error) -> BaselinesError {
        BaselinesError::File { path: self.folder.join(name), source }
    }
}

impl Begun {
    /// Takes back what was begun.
    pub fn discard(self) {
        let _ = fs::remove_file(self.partial);
    }
}

fn name(sequence: u64) -> String {
    format!("generation-{sequence:08}")
}

/// A key from its hexadecimal digits.
///
/// # Errors
/// When it is none.
pub fn key(text: &str) -> Result<[u8; 32], BaselinesError> {
    let bytes = parse(text).and_then(|it| it.try_into().ok());
    bytes.ok_or_else(|| BaselinesError::NoKey(polder_model::printable_str(text)))
}
