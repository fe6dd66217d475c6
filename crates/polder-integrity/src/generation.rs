//! The file that holds a baseline: one generation, signed, never changed again.
//!
//! A line with the format, then a block for each folder, a head that names every block with its digest,
//! and a tail of fixed length with the digest of the head and its signature. The digest of the head is
//! the one number that stands for the whole host.

use crate::entry::Entry;
use crate::inodes::{self, Inodes};
use crate::mounts::Mount;
use crate::walk::Folder;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// First line of the file. Readers of older versions stay.
pub const FORMAT: &[u8] = b"polder-baseline 1\n";

/// Bytes of the tail: place and length of the head, its digest, the key, the signature.
const TAIL: usize = 8 + 8 + 32 + 32 + 64;

/// Largest head read: a hundred bytes for each folder, so millions of folders.
const HEAD_BYTES_MAX: u64 = 1 << 30;

/// Largest block read: one folder with several million names.
const BLOCK_BYTES_MAX: u64 = 2 << 30;

/// A digest by BLAKE3.
pub type Digest = [u8; 32];

/// Where the block of a folder stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The folder; empty for the root's own entry.
    pub path: Vec<u8>,
    /// Major and minor number of the device it lies on.
    pub device: (u32, u32),
    /// Whether something in it could change without a trace.
    pub is_racy: bool,
    block: Block,
}

/// A piece of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Block {
    at: u64,
    length: u64,
    digest: Digest,
}

/// A table of inodes of one file system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepRow {
    /// Major and minor number of its device.
    pub device: (u32, u32),
    /// How it was read: feature words and sizes of its super block.
    pub layout: String,
    /// How many inodes are in use.
    pub inodes: u64,
    table: Block,
    places: Block,
}

/// What a generation says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Counted from one; a later baseline of the same host has a larger one.
    pub sequence: u64,
    /// The root of the generation before; zeros for the first.
    pub previous: Digest,
    /// When the walk began, seconds since 1970.
    pub taken: i64,
    /// The boot in which it was taken.
    pub boot: String,
    /// Seconds between the clock and the time since the boot: changes when the clock is set.
    pub clock: i64,
    /// Name of the host.
    pub host: String,
    /// `/etc/machine-id`, by which a baseline of another host is known.
    pub machine: String,
    /// Version of Polder that wrote it.
    pub version: String,
    /// Why it was made.
    pub reason: String,
    /// The rules that held.
    pub policy: Vec<String>,
    /// What was mounted.
    pub mounts: Vec<Mount>,
    /// Packages that dpkg or RPM had installed.
    pub packages: Vec<crate::proof::PackageRow>,
    /// Modules the kernel had loaded.
    pub modules: Vec<String>,
    /// Folders and other things that could not be read, with the reason.
    pub problems: Vec<(Vec<u8>, String)>,
    /// Names in all folders.
    pub entries: u64,
    /// Every folder by path.
    pub folders: Vec<Row>,
    /// Tables of inodes, where the file system could be swept.
    pub sweeps: Vec<SweepRow>,
}

/// Why a baseline is not to be relied on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BaselineError {
    /// The file could not be read or written.
    #[error("cannot use `{path}`")]
    Io {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is no baseline.
    #[error("`{path}` is no baseline of Polder, or of a version that is not known here")]
    Format {
        /// The file.
        path: String,
    },
    /// Bytes of it are not those that were signed.
    #[error("`{path}` is damaged: {what}")]
    Damaged {
        /// The file.
        path: String,
        /// Which part.
        what: String,
    },
    /// It is not signed by the key that is trusted.
    #[error("`{path}` is not signed by the trusted key, but by {key}")]
    Unsigned {
        /// The file.
        path: String,
        /// The key it names, in hexadecimal digits.
        key: String,
    },
}

/// A generation that is being written.
pub struct Writer {
    path: String,
    inside: Mutex<Inside>,
}

struct Inside {
    file: std::io::BufWriter<File>,
    at: u64,
    head: Head,
    /// Device, inode, and the row of the folder in which a name of it stands.
    places: Vec<((u32, u32), u32, u32)>,
    failed: Option<std::io::Error>,
}

/// A generation that was read, and can be relied on.
pub struct Generation {
    path: String,
    file: File,
    /// What it says of itself.
    pub head: Head,
    /// The digest that stands for all of it.
    pub root: Digest,
    /// The key that signed it.
    pub key: [u8; 32],
}

impl Writer {
    /// Begins in a file that is empty.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(file: File, path: &Path, head: Head) -> Result<Self, BaselineError> {
        let path = shown(path);
        let mut file = std::io::BufWriter::with_capacity(1 << 20, file);
        let wrote = file.write_all(FORMAT);
        wrote.map_err(|source| BaselineError::Io { path: path.clone(), source })?;
        let at = FORMAT.len() as u64;
        let inside = Inside { file, at, head, places: Vec::new(), failed: None };
        Ok(Self { path, inside: Mutex::new(inside) })
    }

    /// Adds what is in a folder. `is_open` says that something of it is not as it stands here, so that it
    /// is looked at each time. Called from all cores; a failure is told at the end.
    pub fn folder(&self, folder: &Folder, is_open: bool) {
        let Folder { path, entries, device, .. } = folder;
        let block = postcard::to_stdvec(entries).map_err(std::io::Error::other);
        let digest = block.as_ref().map(|it| *blake3::hash(it).as_bytes()).unwrap_or_default();
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let row = u32::try_from(inside.head.folders.len()).unwrap_or(u32::MAX);
        let own = std::iter::once(folder.inode);
        for inode in own.chain(entries.iter().map(|it| it.inode)) {
            if let Ok(inode) = u32::try_from(inode) {
                inside.places.push((*device, inode, row));
            }
        }
        for it in entries {
            if let crate::Content::Unverifiable(because) = &it.content {
                let path = crate::join(path, &it.name);
                inside.head.problems.push((path, because.clone()));
            }
        }
        if let Some(problem) = &folder.problem {
            inside.head.problems.push((path.clone(), problem.clone()));
        }
        inside.head.entries += entries.len() as u64;
        let block = inside.append(block, digest);
        let is_racy = is_open || entries.iter().any(|it| it.is_racy);
        inside.head.folders.push(Row { path: path.clone(), device: *device, is_racy, block });
    }

    /// Adds the table of inodes of a file system.
    pub fn sweep(&self, device: (u32, u32), found: &Inodes) {
        let table = inodes::pack(&found.all);
        let digest = *blake3::hash(&table).as_bytes();
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let table = inside.append(Ok(table), digest);
        inside.head.sweeps.push(SweepRow {
            device,
            layout: found.layout.clone(),
            inodes: found.all.len() as u64,
            table,
            places: Block::default(),
        });
    }

    /// Adds head and tail; `sign` signs the digest of the head. The file is on the disk when this returns.
    ///
    /// # Errors
    /// When anything of it could not be written.
    pub fn finish(
        self,
        key: &[u8; 32],
        sign: impl FnOnce(&Digest) -> [u8; 64],
    ) -> Result<(Head, Digest), BaselineError> {
        let path = self.path;
        let failed = |source| BaselineError::Io { path: path.clone(), source };
        let mut inside = self.inside.into_inner().unwrap_or_else(PoisonError::into_inner);
        inside.sort_folders();
        inside.head.problems.sort();
        let head = postcard::to_stdvec(&inside.head);
        let head = head.map_err(|error| failed(std::io::Error::other(error)))?;
        if head.len() as u64 > HEAD_BYTES_MAX {
            return Err(failed(std::io::Error::other("more folders than a baseline can hold")));
        }
        let root = *blake3::hash(&head).as_bytes();
        let Block { at, length, .. } = inside.append(Ok(head), root);
        if let Some(source) = inside.failed.take() {
            return Err(failed(source));
        }
        let signature = sign(&root);
        let tail =
            [&at.to_le_bytes()[..], &length.to_le_bytes()[..], &root[..], &key[..], &signature[..]]
                .concat();
        inside.file.write_all(&tail).map_err(failed)?;
        let file = inside.file.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(failed)?;
        Ok((inside.head, root))
    }
}

impl Inside {
    /// Sorts the folders by path, and writes for each table of inodes in which of them a name stands.
    fn sort_folders(&mut self) {
        let folders = std::mem::take(&mut self.head.folders);
        let mut folders: Vec<(usize, Row)> = folders.into_iter().enumerate().collect();
        folders.sort_unstable_by(|a, b| a.1.path.cmp(&b.1.path));
        let mut now_at = vec![0_u32; folders.len()];
        for (at, (was, _)) in folders.iter().enumerate() {
            if let Some(now) = now_at.get_mut(*was) {
                *now = u32::try_from(at).unwrap_or(u32::MAX);
            }
        }
        self.head.folders = folders.into_iter().map(|(_, row)| row).collect();
        let mut places = std::mem::take(&mut self.places);
        places.retain(|(device, ..)| self.head.sweeps.iter().any(|it| it.device == *device));
        for place in &mut places {
            place.2 = now_at.get(place.2 as usize).copied().unwrap_or(u32::MAX);
        }
        places.sort_unstable();
        places.dedup();
        for index in 0..self.head.sweeps.len() {
            let device = self.head.sweeps.get(index).map(|it| it.device);
            let ours = places.iter().filter(|(it, ..)| Some(*it) == device);
            let bytes: Vec<u8> = ours
                .flat_map(|(_, inode, row)| [inode.to_le_bytes(), row.to_le_bytes()])
                .flatten()
                .collect();
            let digest = *blake3::hash(&bytes).as_bytes();
            let block = self.append(Ok(bytes), digest);
            if let Some(sweep) = self.head.sweeps.get_mut(index) {
                sweep.places = block;
            }
        }
    }

    fn append(&mut self, block: std::io::Result<Vec<u8>>, digest: Digest) -> Block {
        let wrote =
            block.and_then(|block| self.file.write_all(&block).map(|()| block.len() as u64));
        match wrote {
            Ok(length) => {
                let at = self.at;
                self.at += length;
                Block { at, length, digest }
            }
            Err(error) => {
                self.failed.get_or_insert(error);
                Block { at: self.at, length: 0, digest }
            }
        }
    }
}

impl Generation {
    /// Opens a generation, and holds its head against its signature.
    ///
    /// # Errors
    /// When it is damaged, or not signed by `trusted`.
    pub fn open(
        file: File,
        path: &Path,
        trusted: Option<&[u8; 32]>,
    ) -> Result<Self, BaselineError> {
        let path = shown(path);
        let io = |source| BaselineError::Io { path: path.clone(), source };
        let damaged = |what: &str| BaselineError::Damaged { path: path.clone(), what: what.into() };
        let length = file.metadata().map_err(io)?.len();
        let mut first = [0; FORMAT.len()];
        let is_ours = file.read_exact_at(&mut first, 0).is_ok() && first == *FORMAT;
        if !is_ours {
            return Err(BaselineError::Format { path });
        }
        let tail_at = length.checked_sub(TAIL as u64).ok_or_else(|| damaged("it is cut short"))?;
        let mut tail = [0; TAIL];
        file.read_exact_at(&mut tail, tail_at).map_err(io)?;
        let mut rest = &tail[..];
        let (at, head_length) = (take::<8>(&mut rest), take::<8>(&mut rest));
        let (at, head_length) = (u64::from_le_bytes(at), u64::from_le_bytes(head_length));
        let (root, key, signature) =
            (take::<32>(&mut rest), take::<32>(&mut rest), take::<64>(&mut rest));
        if head_length > HEAD_BYTES_MAX || at.checked_add(head_length) != Some(tail_at) {
            return Err(damaged("its end is not that of a baseline"));
        }
        if !crate::key::is_signed(&key, &root, &signature) {
            return Err(damaged("its signature does not hold"));
        }
        if trusted.is_some_and(|trusted| *trusted != key) {
            return Err(BaselineError::Unsigned { path, key: crate::key::hexadecimal(&key) });
        }
        let head = block(&file, at, head_length).map_err(io)?;
        if *blake3::hash(&head).as_bytes() != root {
            return Err(damaged("its list of folders"));
        }
        let head: Head = postcard::from_bytes(&head).map_err(|_| damaged("its list of folders"))?;
        Ok(Self { path, file, head, root, key })
    }

    /// The row of a folder; none when the generation does not know it.
    pub fn row(&self, path: &[u8]) -> Option<&Row> {
        let found = self.head.folders.binary_search_by(|row| row.path.as_slice().cmp(path));
        found.ok().and_then(|at| self.head.folders.get(at))
    }

    /// What is in a folder; none when the generation does not know it.
    ///
    /// # Errors
    /// When the block is not the one that was signed.
    pub fn folder(&self, path: &[u8]) -> Result<Option<Vec<Entry>>, BaselineError> {
        self.row(path).map(|row| self.entries(row)).transpose()
    }

    /// What is in the folder of a row.
    ///
    /// # Errors
    /// When the block is not the one that was signed.
    pub fn entries(&self, row: &Row) -> Result<Vec<Entry>, BaselineError> {
        let block = self.checked(&row.block, &row.path)?;
        postcard::from_bytes(&block).map_err(|_| self.damaged(&row.path))
    }

    /// One path, where it is known.
    ///
    /// # Errors
    /// When the block is not the one that was signed.
    pub fn entry(&self, path: &[u8]) -> Result<Option<Entry>, BaselineError> {
        let (folder, name) = match path {
            b"/" => (&b""[..], &b""[..]),
            path => crate::split(path),
        };
        let entries = self.folder(folder)?;
        Ok(entries.and_then(|all| all.into_iter().find(|it| it.name == name)))
    }

    /// The table of inodes of a file system.
    ///
    /// # Errors
    /// When it is not the one that was signed.
    pub fn sweep(&self, row: &SweepRow) -> Result<Vec<u8>, BaselineError> {
        self.checked(&row.table, b"a table of inodes")
    }

    /// The folders in which names of these inodes stand, and the inodes of which none is known. `inodes`
    /// is sorted.
    ///
    /// # Errors
    /// When the table is not the one that was signed.
    pub fn places(
        &self,
        row: &SweepRow,
        inodes: &[u32],
    ) -> Result<(BTreeSet<usize>, Vec<u32>), BaselineError> {
        let bytes = self.checked(&row.places, b"the places of inodes")?;
        let number = |it: &[u8]| it.try_into().map_or(0, u32::from_le_bytes);
        let mut pairs = bytes
            .chunks_exact(8)
            .map(|it| it.split_at_checked(4).map_or((0, 0), |(a, b)| (number(a), number(b))))
            .peekable();
        let (mut folders, mut unknown) = (BTreeSet::new(), Vec::new());
        for inode in inodes {
            while pairs.next_if(|(it, _)| it < inode).is_some() {}
            let mut is_known = false;
            while let Some((_, row)) = pairs.next_if(|(it, _)| it == inode) {
                is_known = true;
                folders.insert(row as usize);
            }
            if !is_known {
                unknown.push(*inode);
            }
        }
        Ok((folders, unknown))
    }

    /// Reads every block.
    ///
    /// # Errors
    /// At the first that is not the one that was signed.
    pub fn verify(&self) -> Result<(), BaselineError> {
        for row in &self.head.folders {
            self.entries(row)?;
        }
        self.head.sweeps.iter().try_for_each(|row| {
            self.sweep(row)?;
            self.places(row, &[]).map(drop)
        })
    }

    fn checked(&self, it: &Block, what: &[u8]) -> Result<Vec<u8>, BaselineError> {
        let Block { at, length, digest } = *it;
        let io = |source| BaselineError::Io { path: self.path.clone(), source };
        if length > BLOCK_BYTES_MAX {
            return Err(self.damaged(what));
        }
        let block = block(&self.file, at, length).map_err(io)?;
        match *blake3::hash(&block).as_bytes() == digest {
            true => Ok(block),
            false => Err(self.damaged(what)),
        }
    }

    fn damaged(&self, what: &[u8]) -> BaselineError {
        let what = polder_model::printable(what);
        BaselineError::Damaged { path: self.path.clone(), what: format!("the block of `{what}`") }
    }
}

/// The next bytes of a tail, which is as long as it must be.
fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (first, after) = rest.split_at_checked(N).unwrap_or_default();
    *rest = after;
    first.try_into().unwrap_or([0; N])
}

fn block(file: &File, at: u64, length: u64) -> std::io::Result<Vec<u8>> {
    let length = usize::try_from(length).map_err(std::io::Error::other)?;
    // A length that lies is found before memory is asked for it.
    if file.metadata()?.len() < at.saturating_add(length as u64) {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}

fn shown(path: &Path) -> String {
    polder_model::printable(path.as_os_str().as_encoded_bytes())
}
