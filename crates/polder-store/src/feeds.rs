//! The index of known flaws: imports into it, and reads what covers a host.

use polder_advisories::{
    Content, FeedError, Index, IndexError, Kind, Refusal, Section, SectionInfo, canaries, compile,
    hexadecimal, may_replace, read,
};
use polder_model::printable;
use sha2::{Digest, Sha256};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Bytes of a file to import; the largest of the feeds have a fifth of that.
pub(crate) const FILE_BYTES_MAX: u64 = 512 << 20;

/// Why feeds could not be imported or read.
#[derive(Debug, thiserror::Error)]
pub enum FeedsError {
    /// A file could not be read or written.
    #[error("cannot use `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A file is no feed, or damaged.
    #[error("cannot import `{path}`")]
    Feed {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: FeedError,
    },
    /// The index is damaged.
    #[error("cannot use `{path}`")]
    Index {
        /// The index.
        path: PathBuf,
        /// Why.
        #[source]
        source: IndexError,
    },
    /// The feed would take the place of a better one.
    #[error("did not import `{path}` ({title})")]
    Refused {
        /// The file.
        path: PathBuf,
        /// What it holds.
        title: String,
        /// Why.
        #[source]
        source: Refusal,
    },
    /// What must match does not.
    #[error("did not import `{path}` ({title}): {because}")]
    Canary {
        /// The file.
        path: PathBuf,
        /// What it holds.
        title: String,
        /// What came out wrong.
        because: String,
    },
}

/// The index in its folder.
#[derive(Debug)]
pub struct Feeds {
    path: PathBuf,
}

/// A section that is whole, and what came of its canaries.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The section.
    pub section: SectionInfo,
    /// How many came out right, or what came out wrong.
    pub canaries: Result<usize, String>,
}

/// What an import did with one part of a file.
#[derive(Clone, Debug)]
pub struct Imported {
    /// What it holds now.
    pub section: SectionInfo,
    /// Rows of the one it took the place of.
    pub before: Option<u64>,
}

impl Feeds {
    /// The index of a folder of Polder's.
    pub fn of(folder: &Path) -> Self {
        Self { path: folder.join("known-flaws.index") }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn io(&self) -> impl Fn(io::Error) -> FeedsError + '_ {
        |source| FeedsError::File { path: self.path.clone(), source }
    }

    fn index_error(&self) -> impl Fn(IndexError) -> FeedsError + '_ {
        |source| FeedsError::Index { path: self.path.clone(), source }
    }

    /// The head of the index; none where nothing was imported yet.
    pub fn index(&self) -> Result<Option<Index>, FeedsError> {
        Ok(self.open()?.map(|(_, index)| index))
    }

    fn open(&self) -> Result<Option<(File, Index)>, FeedsError> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.io()(error)),
        };
        let length = file.metadata().map_err(self.io())?.len();
        let mut head = vec![0; Index::PREFIX];
        file.read_exact(&mut head).map_err(self.io())?;
        let bytes = Index::head_bytes(&head).map_err(self.index_error())?;
        if bytes as u64 > length {
            let because = "its head is cut short".into();
            return Err(self.index_error()(IndexError::Damaged { because }));
        }
        head.resize(bytes, 0);
        let rest = head.get_mut(Index::PREFIX..).unwrap_or_default();
        file.read_exact(rest).map_err(self.io())?;
        let index = Index::read(&head).map_err(self.index_error())?;
        Ok(Some((file, index)))
    }

    /// The sections that `wanted` picks, checked.
    pub fn sections(
        &self,
        wanted: impl Fn(&SectionInfo) -> bool,
    ) -> Result<Vec<(SectionInfo, Vec<u8>)>, FeedsError> {
        // One file from head to end: an import puts another one in its place at any time.
        let Some((mut file, index)) = self.open()? else { return Ok(Vec::new()) };
        let mut sections = Vec::new();
        for section in index.sections.iter().filter(|it| wanted(it)) {
            let (offset, length) = index.place(section);
            file.seek(SeekFrom::Start(offset)).map_err(self.io())?;
            let mut bytes = Vec::new();
            Read::by_ref(&mut file).take(length).read_to_end(&mut bytes).map_err(self.io())?;
            Index::check(section, &bytes).map_err(self.index_error())?;
            sections.push((section.clone(), bytes));
        }
        Ok(sections)
    }

    /// Imports a file; `anyway` lets a feed with fewer or older records take the place of another.
    ///
    /// Either all parts of the file are imported, or nothing is changed.
    pub fn import(&self, path: &Path, now: i64, anyway: bool) -> Result<Vec<Imported>, FeedsError> {
        let name = printable(path.file_name().unwrap_or_default().as_encoded_bytes());
        self.import_as(path, &name, now, anyway)
    }

    /// The same, under another name than that of the file.
    pub fn import_as(
        &self,
        path: &Path,
        name: &str,
        now: i64,
        anyway: bool,
    ) -> Result<Vec<Imported>, FeedsError> {
        let _lock = self.lock()?;
        let bytes = read_file(path)?;
        let digest = hexadecimal(&Sha256::digest(&bytes));
        let feed = |source| FeedsError::Feed { path: path.into(), source };
        let contents: Vec<Content> = read(&bytes).map_err(feed)?;
        let mut sections = self.sections(|_| true)?;
        let mut imported = Vec::new();
        for content in &contents {
            let compiled = compile(content, name, &digest, now).map_err(self.index_error())?;
            let place = sections.iter().position(|(info, _)| info.kind == compiled.0.kind);
            let old = place.and_then(|at| sections.get(at)).map(|it| &it.0);
            check(path, old, &compiled, anyway)?;
            imported.push(Imported { section: compiled.0.clone(), before: old.map(|it| it.rows) });
            match place.and_then(|at| sections.get_mut(at)) {
                Some(slot) => *slot = compiled,
                None => sections.push(compiled),
            }
        }
        self.write(&Index::write(sections))?;
        Ok(imported)
    }

    /// Takes away what `unwanted` picks; says what that was.
    pub fn remove(
        &self,
        unwanted: impl Fn(&SectionInfo) -> bool,
    ) -> Result<Vec<SectionInfo>, FeedsError> {
        let _lock = self.lock()?;
        let (gone, kept): (Vec<_>, Vec<_>) =
            self.sections(|_| true)?.into_iter().partition(|(info, _)| unwanted(info));
        if !gone.is_empty() {
            self.write(&Index::write(kept))?;
        }
        Ok(gone.into_iter().map(|it| it.0).collect())
    }

    /// Reads every section and tries its canaries.
    pub fn verify(&self) -> Result<Vec<Verified>, FeedsError> {
        let tried = |(section, bytes): (SectionInfo, Vec<u8>)| {
            let canaries = try_canaries(&section, &bytes);
            Verified { section, canaries }
        };
        Ok(self.sections(|_| true)?.into_iter().map(tried).collect())
    }

    /// Held while one process imports; another waits.
    fn lock(&self) -> Result<File, FeedsError> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        if !folder.is_dir() {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.map_err(self.io())?;
        }
        let mut options = File::options();
        options.create(true).append(true).mode(0o600);
        let file = options.open(self.path.with_extension("lock")).map_err(self.io())?;
        file.lock().map_err(self.io())?;
        Ok(file)
    }

    /// Beside the old one, then in its place, so that a kill leaves one of the two.
    fn write(&self, bytes: &[u8]) -> Result<(), FeedsError> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let fresh = self.path.with_extension("new");
        let written = (|| {
            // Left by one that was killed; whoever holds the lock may take it away.
            let _ = fs::remove_file(&fresh);
            let mut file = File::options().write(true).create_new(true).mode(0o600).open(&fresh)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&fresh, &self.path)?;
            File::open(folder)?.sync_all()
        })();
        if written.is_err() {
            let _ = fs::remove_file(&fresh);
        }
        written.map_err(self.io())
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, FeedsError> {
    let wrong = |source| FeedsError::File { path: path.into(), source };
    let file = File::open(path).map_err(wrong)?;
    let metadata = file.metadata().map_err(wrong)?;
    if !metadata.is_file() {
        return Err(wrong(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")));
    }
    if metadata.len() > FILE_BYTES_MAX {
        let source = io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than any feed");
        return Err(wrong(source));
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(wrong)?;
    Ok(bytes)
}

fn check(
    path: &Path,
    old: Option<&SectionInfo>,
    (new, bytes): &(SectionInfo, Vec<u8>),
    anyway: bool,
) -> Result<(), FeedsError> {
    let title = new.kind.title();
    match may_replace(old, new) {
        Ok(()) => {}
        Err(Refusal::Shrunk { .. } | Refusal::Older) if anyway => {}
        Err(source) => return Err(FeedsError::Refused { path: path.into(), title, source }),
    }
    match try_canaries(new, bytes) {
        Ok(_) => Ok(()),
        Err(because) => Err(FeedsError::Canary { path: path.into(), title, because }),
    }
}

fn try_canaries(info: &SectionInfo, bytes: &[u8]) -> Result<usize, String> {
    let Kind::Flaws { covers, names, order, .. } = &info.kind else { return Ok(0) };
    let section = Section::read(bytes).map_err(|error| error.to_string())?;
    canaries(covers, *names, *order, &section)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

    use super::*;

    /// A feed of so many packages, each fixed in version 2.
    fn feed(folder: &Path, name: &str, packages: usize) -> PathBuf {
        let rows: Vec<String> = (0..packages)
            .map(|at| format!(r#"{{"name":"p{at}","full_version":"2","specifier":">="}}"#))
            .collect();
        let text = format!(
            r#"{{"package_type":"deb","product_name":"Test 1","advisories":[{{"oid":"1","fixed_packages":[{}]}}]}}"#,
            rows.join(",")
        );
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn a_feed_that_shrank_is_refused_and_the_old_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        let feeds = Feeds::of(folder.path());
        assert!(feeds.index().unwrap().is_none());
        feeds.import(&feed(folder.path(), "a", 100), 1, false).unwrap();
        let refused = feeds.import(&feed(folder.path(), "b", 90), 2, false).unwrap_err();
        assert!(matches!(refused, FeedsError::Refused { .. }), "{refused}");
        assert_eq!(feeds.index().unwrap().unwrap().sections[0].rows, 100);
        feeds.import(&feed(folder.path(), "c", 96), 3, false).unwrap();
        feeds.import(&feed(folder.path(), "d", 10), 4, true).unwrap();
        assert_eq!(feeds.index().unwrap().unwrap().sections[0].rows, 10);
        let empty = feeds.import(&feed(folder.path(), "e", 0), 5, true).unwrap_err();
        assert!(matches!(empty, FeedsError::Refused { .. }), "{empty}");
    }

    #[test]
    fn what_is_removed_is_gone_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let feeds = Feeds::of(folder.path());
        feeds.import(&feed(folder.path(), "a", 30), 1, false).unwrap();
        assert!(feeds.remove(|it| it.file == "b").unwrap().is_empty());
        assert_eq!(feeds.verify().unwrap().len(), 1);
        assert_eq!(feeds.remove(|it| it.file == "a").unwrap().len(), 1);
        assert!(feeds.verify().unwrap().is_empty());
    }

    #[test]
    fn every_damaged_byte_of_the_index_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let feeds = Feeds::of(folder.path());
        feeds.import(&feed(folder.path(), "a", 30), 1, false).unwrap();
        let whole = fs::read(feeds.path()).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x20;
            fs::write(feeds.path(), &bytes).unwrap();
            assert!(feeds.verify().is_err(), "byte {at} of {}", whole.len());
            fs::write(feeds.path(), &whole[..at]).unwrap();
            assert!(feeds.verify().is_err(), "cut after {at} of {}", whole.len());
        }
        fs::write(feeds.path(), &whole).unwrap();
        assert_eq!(feeds.verify().unwrap().len(), 1);
    }

    #[test]
    fn what_is_no_feed_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let feeds = Feeds::of(folder.path());
        feeds.import(&feed(folder.path(), "a", 30), 1, false).unwrap();
        let before = fs::read(feeds.path()).unwrap();
        for text in ["", "hello", "{", "{}", "[]", "\x1f\u{8b}", "id: X\n  y: [", "PK\x03\x04xx"] {
            let path = folder.path().join("x");
            fs::write(&path, text).unwrap();
            assert!(feeds.import(&path, 2, true).is_err(), "{text:?}");
            assert_eq!(fs::read(feeds.path()).unwrap(), before);
        }
    }
}
