//! Files as a whole: content, mode, owner, extended attributes; replaced at once or not at all.
//!
//! Everything happens relative to an open folder, and never through a link at the end of the path,
//! so that nobody can slip another file in between the look and the change.

use crate::ApplyError;
use rustix::fs::{self, AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Uid, XattrFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// Bytes of a file that are kept for taking back.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// The attribute that holds a list of access (acl(5)).
const ACCESS_LIST: &str = "system.posix_acl_access";

/// Bytes of the names of extended attributes, and of one value: the kernel's own bounds.
const XATTR_BYTES_MAX: usize = 64 << 10;

/// All that is restored of a file.
#[derive(Clone, Serialize, Deserialize)]
pub struct FileState {
    /// Its content, in hexadecimal.
    content: String,
    /// Permission bits.
    pub mode: u32,
    /// User number of its owner.
    pub uid: u32,
    /// Group number.
    pub gid: u32,
    /// Extended attributes and their values in hexadecimal, sorted by name.
    xattrs: Vec<(String, String)>,
}

impl PartialEq for FileState {
    fn eq(&self, other: &Self) -> bool {
        let plain = |it: &Self| (it.content.clone(), it.mode, it.uid, it.gid);
        // Labels and inherited lists of access come from the folder and the policy of the host.
        let own = |it: &Self| -> Vec<(String, String)> {
            let is_own = |name: &str| {
                name != "security.selinux"
                    && !name.starts_with("security.SMACK64")
                    && !name.starts_with("system.posix_acl")
            };
            it.xattrs.iter().filter(|(name, _)| is_own(name)).cloned().collect()
        };
        plain(self) == plain(other) && own(self) == own(other)
    }
}

impl Eq for FileState {}

impl std::fmt::Debug for FileState {
    /// Never the content: it may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "file of {} bytes, mode {:o}", self.content.len() / 2, self.mode)
    }
}

impl FileState {
    /// A new file of root that everybody may read.
    pub(crate) fn fresh(content: &[u8]) -> Self {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        Self { content: hex(content), mode: 0o644, uid, gid, xattrs: Vec::new() }
    }

    /// A file as it was once; attributes by name.
    pub fn known(
        content: &[u8],
        (mode, uid, gid): (u32, u32, u32),
        attributes: impl IntoIterator<Item = (String, Vec<u8>)>,
    ) -> Self {
        let mut xattrs: Vec<(String, String)> =
            attributes.into_iter().map(|(name, value)| (name, hex(&value))).collect();
        if xattrs.iter().all(|it| it.0 != ACCESS_LIST) {
            // None: what its folder gives to new files would be rights that it did not have.
            xattrs.push((ACCESS_LIST.into(), String::new()));
        }
        xattrs.sort();
        Self { content: hex(content), mode, uid, gid, xattrs }
    }

    /// The same file with another content.
    pub(crate) fn with(&self, content: &[u8]) -> Self {
        // A file capability holds for one program; it must not pass to another content.
        let keeps = |it: &&(String, String)| it.0 != "security.capability";
        let xattrs = self.xattrs.iter().filter(keeps).cloned().collect();
        Self { content: hex(content), xattrs, ..*self }
    }

    /// Its content.
    pub fn content(&self) -> Vec<u8> {
        unhex(&self.content)
    }
}

/// A path taken apart: an open folder and a name in it.
pub(crate) struct Place {
    folder: OwnedFd,
    name: String,
    path: PathBuf,
}

impl Place {
    /// Opens the folder of a path below `root`; none when the folder is not there.
    pub(crate) fn find(root: &Path, path: &str) -> Result<Option<Self>, ApplyError> {
        let path = Path::new(path);
        let failed = |source: Errno| ApplyError::File {
            doing: "open the folder of",
            path: path.into(),
            source: source.into(),
        };
        let (Some(parent), Some(name)) =
            (path.parent(), path.file_name().and_then(|it| it.to_str()))
        else {
            return Err(ApplyError::Kind { path: path.into(), what: "no path of a file" });
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = fs::open(root, flags, Mode::empty()).map_err(failed)?;
        // Whoever owns a folder on the way could turn it into a link between a look and a change.
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS;
        match fs::openat2(&root, parent, flags, Mode::empty(), resolve) {
            Ok(folder) => Ok(Some(Self { folder, name: name.into(), path: path.into() })),
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::LOOP) => {
                Err(ApplyError::Kind { path: path.into(), what: "behind a link to a folder" })
            }
            Err(error) => Err(failed(error)),
        }
    }

    fn failed(&self, doing: &'static str) -> impl Fn(Errno) -> ApplyError + '_ {
        move |source| ApplyError::File { doing, path: self.path.clone(), source: source.into() }
    }

    /// What the name stands for, without following a link.
    pub(crate) fn kind(&self) -> Result<Option<FileType>, ApplyError> {
        match fs::statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(self.failed("look at")(error)),
        }
    }

    /// Opens the file for reading; none when there is none.
    pub(crate) fn open(&self) -> Result<Option<File>, ApplyError> {
        let what = match self.kind()? {
            None => return Ok(None),
            Some(FileType::RegularFile) => None,
            Some(FileType::Symlink) => Some("a link"),
            Some(FileType::Directory) => Some("a folder"),
            Some(_) => Some("no regular file"),
        };
        if let Some(what) = what {
            return Err(ApplyError::Kind { path: self.path.clone(), what });
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = fs::openat(&self.folder, &self.name, flags, Mode::empty());
        file.map(|it| Some(File::from(it))).map_err(self.failed("open"))
    }

    /// Where a link leads.
    pub(crate) fn target(&self) -> Result<String, ApplyError> {
        let target = fs::readlinkat(&self.folder, &self.name, Vec::new());
        let target = target.map_err(self.failed("read"))?;
        target.into_string().map_err(|_| ApplyError::NotText { path: self.path.clone() })
    }

    /// Puts a link in its place at once.
    pub(crate) fn link(&self, target: &str, reach: &dyn Fn(&str)) -> Result<(), ApplyError> {
        let failed = self.failed("write");
        self.tidy()?;
        let beside = self.beside();
        fs::symlinkat(target, &self.folder, &beside).map_err(&failed)?;
        reach("link made beside");
        let moved = fs::renameat(&self.folder, &beside, &self.folder, &self.name);
        if moved.is_err() {
            let _ = fs::unlinkat(&self.folder, &beside, AtFlags::empty());
        }
        moved.map_err(&failed)?;
        reach("link renamed");
        self.sync()
    }

    /// Mode, user and group; none when there is no file.
    pub(crate) fn owner(&self) -> Result<Option<(u32, u32, u32)>, ApplyError> {
        let Some(file) = self.open()? else { return Ok(None) };
        let stat = fs::fstat(&file).map_err(self.failed("look at"))?;
        Ok(Some((stat.st_mode & 0o7777, stat.st_uid, stat.st_gid)))
    }

    /// One extended attribute in hexadecimal, if the file has it; none when there is no file.
    pub(crate) fn attribute(&self, name: &str) -> Result<Option<Option<String>>, ApplyError> {
        let Some(file) = self.open()? else { return Ok(None) };
        let all = self.xattrs(&file)?;
        Ok(Some(all.into_iter().find(|(it, _)| it == name).map(|(_, value)| value)))
    }

    /// The whole file; none when there is none.
    pub(crate) fn read(&self) -> Result<Option<FileState>, ApplyError> {
        let Some(file) = self.open()? else { return Ok(None) };
        let stat = fs::fstat(&file).map_err(self.failed("look at"))?;
        let too_large =
            || ApplyError::TooLarge { path: self.path.clone(), limit_bytes: FILE_BYTES_MAX };
        let mut content = Vec::new();
        let read = (&file).take(FILE_BYTES_MAX + 1).read_to_end(&mut content);
        read.map_err(|source| ApplyError::File { doing: "read", path: self.path.clone(), source })?;
        if content.len() as u64 > FILE_BYTES_MAX {
            return Err(too_large());
        }
        Ok(Some(FileState {
            content: hex(&content),
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            xattrs: self.xattrs(&file)?,
        }))
    }

    fn xattrs(&self, file: &File) -> Result<Vec<(String, String)>, ApplyError> {
        let failed = self.failed("read the attributes of");
        let mut names = vec![0; XATTR_BYTES_MAX];
        let length = match fs::flistxattr(file, names.as_mut_slice()) {
            Ok(length) => length,
            Err(Errno::NOTSUP) => 0,
            Err(error) => return Err(failed(error)),
        };
        names.truncate(length);
        let mut all = Vec::new();
        for name in names.split(|it| *it == 0).filter(|it| !it.is_empty()) {
            let name = String::from_utf8_lossy(name).into_owned();
            let mut value = vec![0; XATTR_BYTES_MAX];
            let length =
                fs::fgetxattr(file, name.as_str(), value.as_mut_slice()).map_err(&failed)?;
            value.truncate(length);
            all.push((name, hex(&value)));
        }
        all.sort();
        Ok(all)
    }

    /// The name under which a new content is written before it takes the place of the old one.
    ///
    /// It begins with a dot and has no ending that any program includes.
    fn beside(&self) -> String {
        format!(".{}.polder-new", self.name)
    }

    /// Puts a whole file in its place: written beside, given its attributes, synced, renamed.
    pub(crate) fn write(&self, state: &FileState, reach: &dyn Fn(&str)) -> Result<(), ApplyError> {
        let failed = self.failed("write");
        self.tidy()?;
        let beside = self.beside();
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = fs::openat(&self.folder, &beside, flags, Mode::RUSR | Mode::WUSR);
        let mut file = File::from(file.map_err(&failed)?);
        reach("file made beside");
        let written = self.fill(&mut file, state, reach);
        let done = written.and_then(|()| {
            reach("file written beside");
            fs::renameat(&self.folder, &beside, &self.folder, &self.name).map_err(&failed)
        });
        if let Err(error) = done {
            // A full disk must not stay full of our own leavings.
            let _ = fs::unlinkat(&self.folder, &beside, AtFlags::empty());
            return Err(error);
        }
        reach("file renamed");
        self.sync()
    }

    fn fill(
        &self,
        file: &mut File,
        state: &FileState,
        reach: &dyn Fn(&str),
    ) -> Result<(), ApplyError> {
        let failed = self.failed("write");
        let content = state.content();
        let (first, rest) = content.split_at(content.len() / 2);
        let io = |source| ApplyError::File { doing: "write", path: self.path.clone(), source };
        file.write_all(first).map_err(io)?;
        reach("file half written");
        file.write_all(rest).map_err(io)?;
        // Owner first: giving a file away clears set-user-ID and capabilities.
        set_owner(file, state.uid, state.gid).map_err(&failed)?;
        for (name, value) in &state.xattrs {
            if value.is_empty() && name == ACCESS_LIST {
                match fs::fremovexattr(&*file, name.as_str()) {
                    Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP) => continue,
                    Err(error) => return Err(failed(error)),
                }
            }
            fs::fsetxattr(&*file, name.as_str(), &unhex(value), XattrFlags::empty())
                .map_err(&failed)?;
        }
        fs::fchmod(&*file, Mode::from_raw_mode(state.mode)).map_err(&failed)?;
        fs::fsync(&*file).map_err(&failed)
    }

    /// Takes a file away.
    pub(crate) fn remove(&self) -> Result<(), ApplyError> {
        match fs::unlinkat(&self.folder, &self.name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => self.sync(),
            Err(error) => Err(self.failed("remove")(error)),
        }
    }

    /// Takes away what a killed write left beside the file.
    pub(crate) fn tidy(&self) -> Result<(), ApplyError> {
        match fs::unlinkat(&self.folder, self.beside(), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(self.failed("tidy up beside")(error)),
        }
    }

    /// Makes a folder of root.
    pub(crate) fn make_folder(&self) -> Result<(), ApplyError> {
        match fs::mkdirat(&self.folder, &self.name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => self.sync(),
            Err(error) => Err(self.failed("make")(error)),
        }
    }

    /// Takes an empty folder away; one that somebody else uses by now stays.
    pub(crate) fn remove_folder(&self) -> Result<(), ApplyError> {
        match fs::unlinkat(&self.folder, &self.name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY) => self.sync(),
            Err(error) => Err(self.failed("remove")(error)),
        }
    }

    /// Sets permission bits.
    pub(crate) fn set_mode(&self, mode: u32) -> Result<(), ApplyError> {
        let failed = self.failed("change the mode of");
        let file = self.open()?.ok_or(Errno::NOENT).map_err(&failed)?;
        fs::fchmod(&file, Mode::from_raw_mode(mode)).map_err(&failed)?;
        fs::fsync(&file).map_err(&failed)
    }

    /// Sets owner and group, and keeps the mode that the kernel would clear.
    pub(crate) fn set_owner(&self, uid: u32, gid: u32) -> Result<(), ApplyError> {
        let failed = self.failed("change the owner of");
        let file = self.open()?.ok_or(Errno::NOENT).map_err(&failed)?;
        let stat = fs::fstat(&file).map_err(&failed)?;
        set_owner(&file, uid, gid).map_err(&failed)?;
        fs::fchmod(&file, Mode::from_raw_mode(stat.st_mode & 0o7777)).map_err(&failed)?;
        fs::fsync(&file).map_err(&failed)
    }

    /// Sets an extended attribute from hexadecimal, or takes it away.
    pub(crate) fn set_xattr(&self, name: &str, value: Option<&str>) -> Result<(), ApplyError> {
        let failed = self.failed("change the attributes of");
        let file = self.open()?.ok_or(Errno::NOENT).map_err(&failed)?;
        let done = match value {
            Some(value) => fs::fsetxattr(&file, name, &unhex(value), XattrFlags::empty()),
            None => match fs::fremovexattr(&file, name) {
                Err(Errno::NODATA) => Ok(()),
                other => other,
            },
        };
        done.map_err(&failed)?;
        fs::fsync(&file).map_err(&failed)
    }

    /// Makes names last through a power cut.
    fn sync(&self) -> Result<(), ApplyError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let failed = self.failed("sync the folder of");
        let folder = fs::openat(&self.folder, ".", flags, Mode::empty()).map_err(&failed)?;
        fs::fsync(&folder).map_err(&failed)
    }
}

fn set_owner(file: &File, uid: u32, gid: u32) -> Result<(), Errno> {
    // Without root only what is so already can be set.
    let stat = fs::fstat(file)?;
    if (stat.st_uid, stat.st_gid) == (uid, gid) {
        return Ok(());
    }
    fs::fchown(file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |it: u8| char::from(it).to_digit(16).unwrap_or(0);
    text.as_bytes()
        .chunks_exact(2)
        .filter_map(|pair| u8::try_from(digit(*pair.first()?) << 4 | digit(*pair.get(1)?)).ok())
        .collect()
}
