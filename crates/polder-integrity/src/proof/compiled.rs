//! Compiled Python files: they follow from their sources, and are proved by doing again what made them.

use super::deb::Member;
use super::plain;
use super::prove::{Proofs, is_on, is_unmarked};
use crate::compare::{Change, Difference};
use crate::entry::{Content, Entry, Kind};
use crate::generation::Generation;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// Longest compiled file, and longest source, read.
const BYTES_MAX: u64 = 64 << 20;

/// Most files compiled again, and most bytes of them and their sources; more are told.
const FILES_MAX: usize = 20_000;
const ALL_BYTES_MAX: usize = 512 << 20;

/// Longest that all of it may take.
const TIME_MAX: Duration = Duration::from_secs(120);

/// Bytes of the head of a compiled file (PEP 552): magic number, flags, time and length of the source.
const HEAD: usize = 16;

/// Compiles what it is handed, and hands back the magic number and what came of each. It reads nothing that was
/// compiled before: all it rests on are the interpreter and the sources of its library.
const PROGRAM: &str = "
import importlib.util, marshal, struct, sys
def number(): return struct.unpack('<I', sys.stdin.buffer.read(4))[0]
out = sys.stdout.buffer
out.write(importlib.util.MAGIC_NUMBER)
for _ in range(number()):
    path = sys.stdin.buffer.read(number()).decode()
    source = sys.stdin.buffer.read(number())
    try:
        made = compile(source, path, 'exec', dont_inherit=True, optimize=0)
        # The bytes tell what is held more than once, and py_compile holds both, too.
        code = marshal.dumps(made)
    except (SyntaxError, ValueError):
        code = b''
    out.write(struct.pack('<I', len(code)) + code)
";

/// Where the source of a compiled file lies, and the version of Python that compiled it, as `3.11`.
fn source_of(path: &[u8]) -> Option<(Vec<u8>, String)> {
    let (folder, name) = crate::split(path);
    let above = folder.strip_suffix(b"/__pycache__")?;
    let mut parts = name.strip_suffix(b".pyc")?.split(|it| *it == b'.');
    let (stem, tag) = (parts.next()?, parts.next()?);
    let version = std::str::from_utf8(tag.strip_prefix(b"cpython-")?).ok()?;
    let is_plain = parts.next().is_none() && version.bytes().all(|it| it.is_ascii_digit());
    let (major, minor) = version.split_at_checked(1).filter(|_| is_plain)?;
    Some(([above, b"/", stem, b".py"].concat(), format!("{major}.{minor}")))
}

/// A compiled file whose source has other times and the same content: in its head stand time and length of the
/// source. With those of before it must be what the baseline knew.
pub(super) fn by_source(
    root: &Path,
    change: &Change,
    generation: &Generation,
    members: &BTreeMap<Vec<u8>, (usize, &Member)>,
) -> Option<usize> {
    let (before, after) = (change.before.as_ref()?, change.after.as_ref()?);
    let is_plain = change.differences.iter().all(|it| matches!(it, Difference::Content));
    let (source, _) = source_of(&change.path).filter(|_| is_plain)?;
    let (index, member) = members.get(&source)?;
    let was = generation.entry(&source).ok().flatten()?;
    if was.content != Content::Digest(member.digest) {
        return None;
    }
    let mut bytes = as_compared(root, &change.path, after)?;
    // Only files that name the time of their source; the others name a digest of it.
    let head = bytes.get_mut(4..HEAD).filter(|it| it.starts_with(&[0; 4]))?;
    let time = u32::try_from(was.modified.0 & 0xffff_ffff).ok()?;
    let size = u32::try_from(was.size & 0xffff_ffff).ok()?;
    head.get_mut(4..8)?.copy_from_slice(&time.to_le_bytes());
    head.get_mut(8..12)?.copy_from_slice(&size.to_le_bytes());
    (before.content == Content::Digest(*blake3::hash(&bytes).as_bytes())).then_some(*index)
}

/// The bytes of a file, when they are those that were compared.
fn as_compared(root: &Path, path: &[u8], entry: &Entry) -> Option<Vec<u8>> {
    let bytes = read(root, path)?;
    (entry.content == Content::Digest(*blake3::hash(&bytes).as_bytes())).then_some(bytes)
}

fn read(root: &Path, path: &[u8]) -> Option<Vec<u8>> {
    plain::read(root, Path::new(std::ffi::OsStr::from_bytes(path)), BYTES_MAX).ok()
}

/// One file to compile again.
struct Task {
    index: usize,
    /// The compiled file, and its bytes.
    path: Vec<u8>,
    found: Vec<u8>,
    source: Vec<u8>,
    text: Vec<u8>,
}

/// Compiled files of sources that are proved, compiled once more and compared. The interpreter is that of this
/// host: of a folder elsewhere nothing is run. Returns the path and the package of each that is the same.
pub(super) fn by_compiling(
    root: &Path,
    changes: &[Change],
    members: &BTreeMap<Vec<u8>, (usize, &Member)>,
    proofs: &Proofs,
) -> Vec<(Vec<u8>, usize)> {
    let mut tasks: BTreeMap<String, Vec<Task>> = BTreeMap::new();
    let (mut count, mut bytes) = (0, 0);
    for change in changes.iter().filter(|it| !proofs.paths.contains(&it.path)) {
        if count < FILES_MAX
            && bytes < ALL_BYTES_MAX
            && let Some((version, task)) = task(root, change, members)
        {
            count += 1;
            bytes += task.found.len() + task.text.len();
            tasks.entry(version).or_default().push(task);
        }
    }
    // What was only written again as it was, is as it was.
    let unproved: BTreeSet<&[u8]> = changes
        .iter()
        .filter(|it| !it.is_trace())
        .map(|it| it.path.as_slice())
        .filter(|it| !proofs.paths.contains(*it))
        .collect();
    let mut proved: Vec<(Vec<u8>, usize)> = folders(changes, members);
    for (version, tasks) in tasks {
        // What compiles must be as it was, or proved itself.
        if unproved.iter().any(|path| is_python(path)) {
            continue;
        }
        let Some(all) = compile(&version, &tasks) else { continue };
        let same = tasks.into_iter().zip(all).filter(|(task, compiled)| {
            // Time and length of the source may be anything: a file with others than its source has is not used.
            let (head, code) = (task.found.get(..8), task.found.get(HEAD..));
            head == compiled.get(..8) && code == compiled.get(8..) && code.is_some()
        });
        proved.extend(same.map(|(task, _)| (task.path, task.index)));
    }
    proved
}

/// Folders for compiled files that were made beside sources; what lies in them is judged by itself.
fn folders(
    changes: &[Change],
    members: &BTreeMap<Vec<u8>, (usize, &Member)>,
) -> Vec<(Vec<u8>, usize)> {
    let made = changes.iter().filter_map(|change| {
        let above = change.path.strip_suffix(b"/__pycache__")?;
        let after = change.after.as_ref().filter(|_| change.before.is_none())?;
        let (index, member) = members.get(above)?;
        let is_plain = (after.uid, after.gid, after.mode) == (0, 0, 0o755)
            && after.attributes.is_empty()
            && is_unmarked(after, change);
        let both = (after.kind, member.kind) == (Kind::Folder, Kind::Folder);
        (is_plain && both).then(|| (change.path.clone(), *index))
    });
    made.collect()
}

fn task(
    root: &Path,
    change: &Change,
    members: &BTreeMap<Vec<u8>, (usize, &Member)>,
) -> Option<(String, Task)> {
    let after = change.after.as_ref()?;
    let (source, version) = source_of(&change.path)?;
    let (index, member) = members.get(&source)?;
    let is_plain = after.kind == Kind::File
        && (after.uid, after.gid, after.mode & 0o7133) == (0, 0, 0)
        && after.attributes.is_empty();
    if !is_plain || !is_unmarked(after, change) {
        return None;
    }
    let text = read(root, &source)?;
    if *blake3::hash(&text).as_bytes() != member.digest {
        return None;
    }
    let found = as_compared(root, &change.path, after)?;
    Some((version, Task { index: *index, path: change.path.clone(), found, source, text }))
}

/// What an interpreter runs with, or would if it were there: its library, what tells it of another one, libraries in
/// C. What is above and below them counts as well.
const GROUND: [&str; 13] = [
    "/usr/bin/python*",
    "/usr/bin/py*.cfg",
    "/usr/bin/lib*",
    "/usr/pyvenv.cfg",
    "/usr/lib/python*",
    "/usr/lib64/python*",
    "/usr/lib/*.so*",
    "/usr/lib64/*.so*",
    "/usr/lib/*-linux-gnu*/*.so*",
    "/lib/*.so*",
    "/lib64/*.so*",
    "/lib/*-linux-gnu*/*.so*",
    "/etc/ld.so.*",
];

/// Whether what compiles may run with a path. What was compiled before is not read.
pub(crate) fn is_python(path: &[u8]) -> bool {
    let is_compiled = path.ends_with(b".pyc") || path.ends_with(b"/__pycache__");
    !is_compiled && is_on(path, &GROUND)
}

/// Magic number, flags and code of each; none where the interpreter is not there or does not end well.
fn compile(version: &str, tasks: &[Task]) -> Option<Vec<Vec<u8>>> {
    let mut command = Command::new(format!("/usr/bin/python{version}"));
    command.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.current_dir("/").args([
        "-I",
        "-S",
        "-B",
        "-X",
        "pycache_prefix=/dev/null",
        "-c",
        PROGRAM,
    ]);
    let mut child = command.spawn().ok()?;
    let mut input = child.stdin.take()?;
    let output = child.stdout.take()?;
    let (sender, answers) = channel();
    let (asked, answer) = std::thread::scope(|scope| {
        // It answers while it is still being asked.
        let asks = scope.spawn(move || {
            let number = |it: usize| u32::try_from(it).unwrap_or(0).to_le_bytes();
            input.write_all(&number(tasks.len()))?;
            for task in tasks {
                for part in [&task.source, &task.text] {
                    input.write_all(&number(part.len()))?;
                    input.write_all(part)?;
                }
            }
            std::io::Result::Ok(())
        });
        scope.spawn(move || {
            let mut answer = Vec::new();
            let read = output.take(2 * ALL_BYTES_MAX as u64).read_to_end(&mut answer);
            let _ = sender.send(read.ok().map(|_| answer));
        });
        let answer = answers.recv_timeout(TIME_MAX).ok().flatten();
        // Whoever did not answer in time is not waited for.
        if answer.is_none() {
            let _ = child.kill();
        }
        (asks.join().is_ok_and(|it| it.is_ok()), answer)
    });
    let ended = child.wait().is_ok_and(|it| it.success());
    let answer = answer.filter(|_| asked && ended)?;
    let (magic, mut rest) = answer.split_at_checked(4)?;
    let mut all = Vec::with_capacity(tasks.len());
    for _ in tasks {
        let (length, more) = rest.split_at_checked(4)?;
        let length = usize::try_from(u32::from_le_bytes(length.try_into().ok()?)).ok()?;
        let (code, more) = more.split_at_checked(length)?;
        rest = more;
        // No flags: the source is known by its time.
        all.push([magic, &[0; 4], code].concat());
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_of_a_compiled_file_is_beside_it() {
        let found = source_of(b"/usr/lib/python3.11/__pycache__/csv.cpython-311.pyc");
        assert_eq!(found, Some((b"/usr/lib/python3.11/csv.py".to_vec(), "3.11".into())));
        for other in [
            "/usr/lib/python3.11/csv.cpython-311.pyc",
            "/x/__pycache__/csv.cpython-311.opt-1.pyc",
            "/x/__pycache__/csv.pypy310.pyc",
        ] {
            assert_eq!(source_of(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn what_compiles_rests_on_all_that_it_may_run_with() {
        for path in [
            "/usr/bin/python3.11",
            "/usr/bin/python3.11._pth",
            "/usr/bin/lib/python3.11",
            "/usr/pyvenv.cfg",
            "/usr/lib/python311.zip",
            "/usr/lib/python3.11/ast.py",
            "/usr/lib/python3.11",
            "/usr/lib",
            "/usr/lib/x86_64-linux-gnu/libexpat.so.1",
        ] {
            assert!(is_python(path.as_bytes()), "{path}");
        }
        for path in
            ["/usr/bin/perl", "/usr/lib/python3.11/__pycache__/ast.cpython-311.pyc", "/etc/motd"]
        {
            assert!(!is_python(path.as_bytes()), "{path}");
        }
    }
}
