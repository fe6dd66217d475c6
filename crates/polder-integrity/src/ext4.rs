//! The inode table of an ext4 file system, read from its device: every inode, whatever hides its name.
//!
//! Layout: the kernel's `Documentation/filesystems/ext4/`. Whatever is not understood is an error, and the
//! file system is walked instead. Nothing is ever written.

use crate::inodes::Inodes;
use rustix::io::Errno;

/// Reads at a place; like pread(2).
pub trait ReadAt: Sync {
    /// Fills `buffer` from `at` on.
    ///
    /// # Errors
    /// When there are not so many bytes, or they cannot be read.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> std::io::Result<()>;
}

impl ReadAt for std::fs::File {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> std::io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buffer, at)
    }
}

impl ReadAt for [u8] {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> std::io::Result<()> {
        let at = usize::try_from(at).map_err(std::io::Error::other)?;
        let end = at.checked_add(buffer.len()).ok_or(Errno::INVAL)?;
        let bytes = self.get(at..end).ok_or(std::io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}

/// Why a file system is not swept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SweepError {
    /// The device could not be read.
    #[error("the device cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// It is no ext4.
    #[error("it is no ext2, ext3 or ext4 file system")]
    Other,
    /// A feature that changes where inodes stand, or how they look.
    #[error("its feature {0:#x} is not known here")]
    Feature(u32),
    /// Numbers that cannot be.
    #[error("its {0} cannot be")]
    Absurd(&'static str),
}

/// Incompatible features that leave inodes where they are: compression (never used), file types in
/// folders, a journal to replay, a journal device, meta block groups, extents, 64 bits, multiple mounts,
/// flexible groups, large attributes in inodes, data in folders (never used), a seed for checksums, large
/// folders, data in inodes, encryption, names that fold case.
const KNOWN: u32 = 0x1
    | 0x2
    | 0x4
    | 0x10
    | 0x40
    | 0x80
    | 0x100
    | 0x200
    | 0x400
    | 0x1000
    | 0x2000
    | 0x4000
    | 0x8000
    | 0x1_0000
    | 0x2_0000;

const META_GROUPS: u32 = 0x10;
const BITS_64: u32 = 0x80;

/// Bytes of inode tables read at once.
const PIECE: usize = 1 << 20;

/// Most groups: 16 TiB in groups of 128 MiB with blocks of 4 KiB.
const GROUPS_MAX: u64 = 1 << 20;

struct Super {
    inodes: u32,
    block_bytes: u64,
    first_block: u64,
    blocks_per_group: u32,
    inodes_per_group: u32,
    inode_bytes: usize,
    first_inode: u32,
    descriptor_bytes: usize,
    incompatible: u32,
    first_meta_group: u32,
    groups: u64,
    has_checksums: bool,
}

/// Reads every inode in use.
///
/// # Errors
/// When anything of the file system is not understood.
pub fn sweep(device: &(impl ReadAt + ?Sized)) -> Result<Inodes, SweepError> {
    let layout = Super::read(device)?;
    let mut all = Vec::new();
    let mut buffer = vec![0; PIECE];
    for group in 0..layout.groups {
        let (table, unused) = layout.descriptor(device, group)?;
        let used = layout.inodes_per_group.saturating_sub(unused);
        layout.group(device, group, table, used, &mut buffer, &mut all)?;
    }
    Ok(Inodes { layout: layout.shown(), all })
}

fn half(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).and_then(|it| it.try_into().ok()).map_or(0, u16::from_le_bytes)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|it| it.try_into().ok()).map_or(0, u32::from_le_bytes)
}

impl Super {
    fn read(device: &(impl ReadAt + ?Sized)) -> Result<Self, SweepError> {
        let mut bytes = vec![0; 1024];
        device.read_at(&mut bytes, 1024)?;
        if half(&bytes, 56) != 0xef53 {
            return Err(SweepError::Other);
        }
        let has_features = word(&bytes, 76) >= 1;
        let incompatible = if has_features { word(&bytes, 96) } else { 0 };
        if incompatible & !KNOWN != 0 {
            return Err(SweepError::Feature(incompatible & !KNOWN));
        }
        let log = word(&bytes, 24);
        if log > 6 {
            return Err(SweepError::Absurd("size of blocks"));
        }
        let block_bytes = 1024_u64 << log;
        let is_64 = incompatible & BITS_64 != 0;
        let high = if is_64 { u64::from(word(&bytes, 336)) } else { 0 };
        let blocks = (high << 32) | u64::from(word(&bytes, 4));
        let (inodes, per_group) = (word(&bytes, 0), word(&bytes, 40));
        let inode_bytes = if has_features { usize::from(half(&bytes, 88)) } else { 128 };
        let descriptor_bytes = if is_64 { usize::from(half(&bytes, 254)) } else { 32 };
        let blocks_per_group = word(&bytes, 32);
        if !(128..=4096).contains(&inode_bytes) || !inode_bytes.is_power_of_two() {
            return Err(SweepError::Absurd("size of inodes"));
        }
        if !(32..=1024).contains(&descriptor_bytes) || !descriptor_bytes.is_power_of_two() {
            return Err(SweepError::Absurd("size of group descriptors"));
        }
        if per_group == 0 || blocks_per_group == 0 || u64::from(per_group) > block_bytes * 8 {
            return Err(SweepError::Absurd("number of inodes in a group"));
        }
        let first_block = u64::from(word(&bytes, 20));
        let groups = blocks.saturating_sub(first_block).div_ceil(u64::from(blocks_per_group));
        if groups == 0 || groups > GROUPS_MAX || groups * u64::from(per_group) != u64::from(inodes)
        {
            return Err(SweepError::Absurd("number of groups"));
        }
        let for_writers = word(&bytes, 100);
        Ok(Self {
            inodes,
            block_bytes,
            first_block,
            blocks_per_group,
            inodes_per_group: per_group,
            inode_bytes,
            first_inode: if has_features { word(&bytes, 84) } else { 11 },
            descriptor_bytes,
            incompatible,
            first_meta_group: word(&bytes, 260),
            groups,
            // Checksums of groups tell which end of a table was never used.
            has_checksums: for_writers & 0x410 != 0,
        })
    }

    fn shown(&self) -> String {
        format!(
            "ext4 {} inodes of {} bytes, features {:#x}",
            self.inodes, self.inode_bytes, self.incompatible
        )
    }

    /// Where the table of a group begins, and how many inodes at its end were never used.
    fn descriptor(
        &self,
        device: &(impl ReadAt + ?Sized),
        group: u64,
    ) -> Result<(u64, u32), SweepError> {
        let per_block = self.block_bytes / self.descriptor_bytes as u64;
        let meta = group / per_block;
        let is_meta =
            self.incompatible & META_GROUPS != 0 && meta >= u64::from(self.first_meta_group);
        let at = if is_meta {
            // The descriptors of a meta group stand in its first group, after a super block if it has one.
            let first = meta * per_block;
            let start = self.first_block + first * u64::from(self.blocks_per_group);
            // With blocks of 1 KiB the first one may be empty, before the super block.
            let is_shifted = first == 0 && self.first_block == 0 && self.block_bytes == 1024;
            (start + u64::from(has_super(first)) + u64::from(is_shifted)) * self.block_bytes
                + (group % per_block) * self.descriptor_bytes as u64
        } else {
            // After the block that holds the super block, which stands at byte 1024.
            (1024 / self.block_bytes + 1) * self.block_bytes + group * self.descriptor_bytes as u64
        };
        let mut bytes = vec![0; self.descriptor_bytes];
        device.read_at(&mut bytes, at)?;
        let is_wide = self.descriptor_bytes >= 64;
        let high = if is_wide { u64::from(word(&bytes, 40)) } else { 0 };
        let table = (high << 32) | u64::from(word(&bytes, 8));
        let high = if is_wide { u32::from(half(&bytes, 50)) } else { 0 };
        let unused = (high << 16) | u32::from(half(&bytes, 28));
        let is_empty = half(&bytes, 18) & 1 != 0;
        let unused = match (self.has_checksums, is_empty) {
            (true, true) => self.inodes_per_group,
            (true, false) => unused,
            (false, _) => 0,
        };
        Ok((table, unused))
    }

    fn group(
        &self,
        device: &(impl ReadAt + ?Sized),
        group: u64,
        table: u64,
        used: u32,
        buffer: &mut [u8],
        all: &mut Vec<(u32, u64)>,
    ) -> Result<(), SweepError> {
        let too_many = || SweepError::Absurd("number of inodes");
        let first = group * u64::from(self.inodes_per_group) + 1;
        let mut number = u32::try_from(first).map_err(|_| too_many())?;
        let mut left = used as usize * self.inode_bytes;
        let mut at = table.checked_mul(self.block_bytes).ok_or_else(too_many)?;
        while left > 0 {
            let length = left.min(buffer.len());
            let piece = buffer.get_mut(..length).unwrap_or_default();
            device.read_at(piece, at)?;
            for inode in piece.chunks_exact(self.inode_bytes) {
                // The first ones are the file system's own, but for the root.
                let is_own = number < self.first_inode && number != 2;
                let (mode, links) = (half(inode, 0), half(inode, 26));
                if mode != 0 && links != 0 && !is_own {
                    all.push((number, digest(inode)));
                }
                number = number.checked_add(1).ok_or_else(too_many)?;
            }
            left -= length;
            at += length as u64;
        }
        Ok(())
    }
}

/// Whether a group holds a copy of the super block: 0, 1, and powers of 3, 5 and 7.
fn has_super(group: u64) -> bool {
    let is_power = |base: u64| {
        let mut power = base;
        while power < group {
            power *= base;
        }
        power == group
    };
    group <= 1 || [3, 5, 7].into_iter().any(is_power)
}

/// A digest of what is in an inode, but for what reading changes: the time of access, and the checksum
/// over it.
///
/// Sixty-four bits tell changes by accident; nobody gains by forging one, since whoever writes to inodes
/// writes any times they like: that is what reading the content is for.
fn digest(inode: &[u8]) -> u64 {
    // Place and length of what is left out: time of access, checksum (two halves), its fraction.
    const OUT: [(usize, usize); 4] = [(8, 4), (124, 2), (130, 2), (140, 4)];
    let mut copy = [0_u8; 4096];
    let copy = copy.get_mut(..inode.len()).unwrap_or_default();
    copy.copy_from_slice(inode);
    for (at, length) in OUT {
        if let Some(part) = copy.get_mut(at..at + length) {
            part.fill(0);
        }
    }
    let digest = blake3::hash(copy);
    let first = digest.as_bytes().first_chunk::<8>().copied().unwrap_or_default();
    u64::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_of_the_super_block_are_where_they_are() {
        let groups: Vec<u64> = (0..130).filter(|it| has_super(*it)).collect();
        assert_eq!(groups, [0, 1, 3, 5, 7, 9, 25, 27, 49, 81, 125]);
    }

    #[test]
    fn hostile_bytes_are_no_file_system() {
        let mut bytes = vec![0xff; 8192];
        assert!(sweep(&bytes[..]).is_err());
        bytes[1024 + 56] = 0x53;
        bytes[1024 + 57] = 0xef;
        for at in 1024..2048 {
            for value in [0, 1, 0x7f, 0xff] {
                bytes[at] = value;
                let _ = sweep(&bytes[..]);
            }
        }
    }
}
