//! One name in a folder with everything that is known of it.

use serde::{Deserialize, Serialize};

/// What a name stands for.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Kind {
    /// Regular file.
    #[default]
    File,
    /// Folder.
    Folder,
    /// Symbolic link.
    Link,
    /// Character device.
    Character,
    /// Block device.
    Block,
    /// Named pipe.
    Pipe,
    /// Unix socket.
    Socket,
}

impl Kind {
    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Folder => "folder",
            Self::Link => "symbolic link",
            Self::Character => "character device",
            Self::Block => "block device",
            Self::Pipe => "named pipe",
            Self::Socket => "socket",
        }
    }
}

/// A moment by the clock of the kernel: seconds since 1970 and nanoseconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Moment(pub i64, pub u32);

/// An extended attribute (xattr(7)).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Attribute {
    /// Its name, with its class: `security.capability`.
    pub name: Vec<u8>,
    /// Its value; of one longer than [`ATTRIBUTE_BYTES_MAX`] the BLAKE3 digest.
    pub value: Vec<u8>,
}

/// Longest value of an extended attribute that is kept as it is.
pub const ATTRIBUTE_BYTES_MAX: usize = 256;

/// What is known of the content of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    /// It has none, or none is wanted.
    #[default]
    None,
    /// BLAKE3 of all of it.
    Digest([u8; 32]),
    /// It could not be read whole, with the reason.
    Unverifiable(String),
}

/// One name in a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The name, any bytes but `/` and zero.
    pub name: Vec<u8>,
    /// What it stands for.
    pub kind: Kind,
    /// Permission bits with SUID, SGID and sticky.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Length in bytes.
    pub size: u64,
    /// Inode number.
    pub inode: u64,
    /// Names that lead to the inode.
    pub links: u32,
    /// Of a device: major and minor number.
    pub device: (u32, u32),
    /// When the content was changed, as far as one believes it.
    pub modified: Moment,
    /// When the inode was changed.
    pub changed: Moment,
    /// When the inode was made, where the file system keeps it.
    pub born: Option<Moment>,
    /// Attributes of statx(2): immutable, append-only, verity.
    pub flags: u64,
    /// Extended attributes by name.
    pub attributes: Vec<Attribute>,
    /// Where a symbolic link leads.
    pub target: Vec<u8>,
    /// What is known of the content.
    pub content: Content,
    /// Whether a later change of the content might leave all times as they are: it had changed just
    /// before, or some process could write to it through its memory.
    pub is_racy: bool,
    /// Whether another file system is mounted on it.
    pub is_mount: bool,
}

impl Entry {
    /// Whether it is a folder.
    pub fn is_folder(&self) -> bool {
        self.kind == Kind::Folder
    }

    /// Whether anybody who runs it gets the rights of its owner.
    pub fn is_set_uid(&self) -> bool {
        self.kind == Kind::File && self.mode & 0o4000 != 0
    }

    /// Whether anybody who runs it gets the rights of its group.
    pub fn is_set_gid(&self) -> bool {
        self.kind == Kind::File && self.mode & 0o2000 != 0 && self.mode & 0o010 != 0
    }

    /// Whether somebody may run it.
    pub fn is_executable(&self) -> bool {
        self.kind == Kind::File && self.mode & 0o111 != 0
    }

    /// The value of an extended attribute.
    pub fn attribute(&self, name: &[u8]) -> Option<&[u8]> {
        self.attributes.iter().find(|it| it.name == name).map(|it| it.value.as_slice())
    }

    /// Whether the kernel tells that nothing happened to the inode since `before`: what one may rely on
    /// as long as the clock was not turned back and `before` was not racy.
    pub fn is_untouched_since(&self, before: &Self) -> bool {
        self.kind == before.kind
            && self.inode == before.inode
            && self.changed == before.changed
            && self.modified == before.modified
            && self.size == before.size
            && self.mode == before.mode
            && (self.uid, self.gid) == (before.uid, before.gid)
            && self.born == before.born
            && self.flags == before.flags
    }
}
