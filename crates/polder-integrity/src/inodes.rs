//! Digests of all inodes of a file system, as a baseline keeps them.

/// What there is in the tables of a file system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inodes {
    /// How it was read.
    pub layout: String,
    /// Number and digest of each inode in use, by number.
    pub all: Vec<(u32, u64)>,
}

/// The table as it is kept: number and digest of each inode, little endian, by number.
pub fn pack(inodes: &[(u32, u64)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(inodes.len() * 12);
    for (number, digest) in inodes {
        bytes.extend_from_slice(&number.to_le_bytes());
        bytes.extend_from_slice(&digest.to_le_bytes());
    }
    bytes
}

/// Numbers of inodes that are new, gone or not as they were, in order.
pub fn changed(before: &[u8], now: &[(u32, u64)]) -> Vec<u32> {
    let before = before.chunks_exact(12).map(|it| (word(it, 0), it.get(4..12)));
    let mut before = before.peekable();
    let mut numbers = Vec::new();
    for (number, digest) in now {
        while let Some((gone, _)) = before.next_if(|(it, _)| it < number) {
            numbers.push(gone);
        }
        let same = before.next_if(|(it, _)| it == number);
        if same.and_then(|(_, it)| it) != Some(&digest.to_le_bytes()[..]) {
            numbers.push(*number);
        }
    }
    numbers.extend(before.map(|(gone, _)| gone));
    numbers
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|it| it.try_into().ok()).map_or(0, u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inodes_that_come_go_or_change_are_told() {
        let before = pack(&[(2, 1), (11, 5), (12, 6), (20, 7)]);
        assert_eq!(changed(&before, &[(2, 1), (11, 5), (12, 6), (20, 7)]), [0; 0]);
        assert_eq!(
            changed(&before, &[(2, 1), (12, 9), (15, 1), (20, 7), (30, 1)]),
            [11, 12, 15, 30]
        );
        assert_eq!(changed(&before, &[]), [2, 11, 12, 20]);
    }
}
