//! Records of fanotify(7), as a group with FAN_REPORT_DFID_NAME writes them.

use polder_sys::{HANDLE_BYTES_MAX, Handle};

/// Bytes of the fixed part of an event: length, version, mask, descriptor, process.
const METADATA: usize = 24;

/// The version of that part (FANOTIFY_METADATA_VERSION).
const VERSION: u8 = 3;

/// The queue was full, and events are lost (FAN_Q_OVERFLOW).
const OVERFLOW: u64 = 0x4000;

/// A record with the handle of a folder and a name in it (FAN_EVENT_INFO_TYPE_DFID_NAME).
const FOLDER_AND_NAME: u8 = 2;

/// A record with the handle of a file alone (FAN_EVENT_INFO_TYPE_FID).
const FILE: u8 = 1;

/// The content was written (FAN_MODIFY, FAN_CLOSE_WRITE).
const WRITTEN: u64 = 0x2 | 0x8;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileEvent {
    /// Something happened to a name in a folder.
    Name {
        /// What: bits of fanotify_mark(2).
        mask: u64,
        /// The process.
        pid: u32,
        /// The file system, as statfs(2) names it.
        file_system: [i32; 2],
        /// The folder.
        folder: Handle,
        /// The name; `.` for the folder itself.
        name: Vec<u8>,
    },
    /// Events are lost, and nothing tells which.
    Lost,
}

/// Reads what one read(2) of a group gave. What cannot be understood is an event that is lost: it may have
/// told of anything.
pub fn parse_file_events(bytes: &[u8]) -> Vec<FileEvent> {
    let mut events = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let length = number(rest, 0).and_then(|it| usize::try_from(it).ok());
        let event = length.filter(|it| *it >= METADATA).and_then(|it| rest.get(..it));
        let (Some(event), Some(length)) = (event, length) else {
            events.push(FileEvent::Lost);
            break;
        };
        match parse_event(event) {
            Some(FileEvent::Name { mask, name, .. }) if name.is_empty() => {
                // Of a file without a folder: written through its handle, and nothing tells where it lies. That the
                // last of its names is gone is told by the folder of that name.
                if mask & WRITTEN != 0 {
                    events.push(FileEvent::Lost);
                }
            }
            other => events.push(other.unwrap_or(FileEvent::Lost)),
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    events
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

fn parse_event(event: &[u8]) -> Option<FileEvent> {
    let metadata = usize::from(u16::from_ne_bytes(event.get(6..8)?.try_into().ok()?));
    let mask = u64::from_ne_bytes(event.get(8..16)?.try_into().ok()?);
    if *event.get(4)? != VERSION || metadata < METADATA {
        return None;
    }
    if mask & OVERFLOW != 0 {
        return Some(FileEvent::Lost);
    }
    let pid = number(event, 20)?;
    let mut rest = event.get(metadata..)?;
    loop {
        let length = usize::from(u16::from_ne_bytes(rest.get(2..4)?.try_into().ok()?));
        let record = rest.get(..length).filter(|it| it.len() >= 4)?;
        if record.first() == Some(&FOLDER_AND_NAME) {
            return parse_record(record, mask, pid);
        }
        rest = rest.get(length..)?;
        if record.first() == Some(&FILE) && rest.is_empty() {
            let (file_system, folder) = ([0; 2], Handle { kind: 0, bytes: Vec::new() });
            return Some(FileEvent::Name { mask, pid, file_system, folder, name: Vec::new() });
        }
    }
}

/// Header (4 bytes), file system (8), length of the handle (4), its kind (4), the handle, the name.
fn parse_record(record: &[u8], mask: u64, pid: u32) -> Option<FileEvent> {
    let signed = |at: usize| number(record, at).map(u32::cast_signed);
    let file_system = [signed(4)?, signed(8)?];
    let length = usize::try_from(number(record, 12)?).ok().filter(|it| *it <= HANDLE_BYTES_MAX)?;
    let handle = record.get(20..20 + length)?;
    let name = record.get(20 + length..)?;
    let name = name.split(|byte| *byte == 0).next()?;
    if name.is_empty() || name.contains(&b'/') {
        return None;
    }
    let folder = Handle { kind: signed(16)?, bytes: handle.to_vec() };
    Some(FileEvent::Name { mask, pid, file_system, folder, name: name.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An event as the kernel writes it.
    fn event(mask: u64, pid: u32, handle: &[u8], name: &[u8]) -> Vec<u8> {
        let mut record = vec![FOLDER_AND_NAME, 0, 0, 0];
        record.extend(7_i32.to_ne_bytes());
        record.extend(8_i32.to_ne_bytes());
        record.extend(u32::try_from(handle.len()).unwrap().to_ne_bytes());
        record.extend(1_i32.to_ne_bytes());
        record.extend(handle);
        record.extend(name);
        record.push(0);
        record.resize(record.len().next_multiple_of(4), 0);
        let length = u16::try_from(record.len()).unwrap().to_ne_bytes();
        record[2..4].copy_from_slice(&length);
        let whole = u32::try_from(METADATA + record.len()).unwrap();
        let mut event = whole.to_ne_bytes().to_vec();
        event.extend([VERSION, 0]);
        event.extend(u16::try_from(METADATA).unwrap().to_ne_bytes());
        event.extend(mask.to_ne_bytes());
        event.extend((-1_i32).to_ne_bytes());
        event.extend(pid.to_ne_bytes());
        event.extend(record);
        event
    }

    #[test]
    fn events_tell_the_folder_the_name_and_the_process() {
        let mut bytes = event(0x8, 42, &[1, 2, 3, 4, 5, 6, 7, 8], b"a\nb");
        let mut overflow = event(OVERFLOW, 0, &[], b"x");
        overflow.truncate(METADATA);
        overflow[..4].copy_from_slice(&24_u32.to_ne_bytes());
        bytes.extend(overflow);
        let events = parse_file_events(&bytes);
        let folder = Handle { kind: 1, bytes: vec![1, 2, 3, 4, 5, 6, 7, 8] };
        let told = FileEvent::Name {
            mask: 0x8,
            pid: 42,
            file_system: [7, 8],
            folder,
            name: b"a\nb".to_vec(),
        };
        assert_eq!(events, [told, FileEvent::Lost]);
    }

    #[test]
    fn a_file_without_a_folder_is_lost_when_it_was_written() {
        for (mask, expected) in
            [(0x2, vec![FileEvent::Lost]), (0x8, vec![FileEvent::Lost]), (0x4, vec![])]
        {
            let mut alone = event(mask, 42, &[1; 8], b"x");
            alone[METADATA] = FILE;
            assert_eq!(parse_file_events(&alone), expected, "{mask}");
        }
    }

    #[test]
    fn what_is_cut_or_damaged_is_lost_and_no_more() {
        let whole = event(0x8, 42, &[1; 8], b"name");
        for at in 1..whole.len() {
            assert_eq!(parse_file_events(&whole[..at]), [FileEvent::Lost], "cut after {at}");
        }
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                let _ = parse_file_events(&bytes);
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let count = parse_file_events(&bytes).len();
            prop_assert!(count <= bytes.len() / METADATA + 1);
        }
    }
}
