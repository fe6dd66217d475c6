//! `polder restore`: puts a file back as the baseline knows it, and can be taken back itself.

use super::Globals;
use super::baseline::{failed, names_of, open_store};
use crate::failure::{Failure, FailureKind};
use crate::flags::{Restore, Target};
use crate::operations::Operations;
use crate::{config, output, session};
use polder_apply::{FileState, Ground, Operation, Outcome, Phase, State};
use polder_integrity::proof::{KEPT_ARCHIVES, content_of_deb};
use polder_integrity::{
    Change, Content, Difference, Entry, Generation, Kind, Now, Policy, Rule, check_path,
    digest_bytes, is_seen,
};
use polder_model::{printable, printable_str, quoted};
use polder_report::{Names, differences};
use polder_store::{Baselines, key};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Largest file that is put back: as much as the journal keeps of what is there now.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Archives looked through for a content.
const ARCHIVES_MAX: usize = 64;

/// Where packages of apt wait.
const ARCHIVES: &str = "/var/cache/apt/archives";

pub(super) fn run(flags: &Restore, globals: &Globals) -> Result<u8, Failure> {
    let configuration = config::read(globals.config.as_deref())?;
    let store = open_store(None, globals)?;
    let pinned = configuration.key.as_deref().map(key).transpose().map_err(failed)?;
    let generation = store.newest(pinned.as_ref()).map_err(failed)?;
    let path = flags.path.as_path();
    let text = path.to_str().filter(|it| it.starts_with('/')).ok_or_else(|| {
        let text = format!("`{}` is no path from `/` on that is text", path.display());
        Failure::usage(text).hint("Name the path as `polder baseline check` shows it")
    })?;
    let now = Now::here();
    let changes = check_path(&generation, &now, text.as_bytes()).map_err(Failure::look)?;
    let known = generation.entry(text.as_bytes()).map_err(Failure::look)?;
    let (folder, _) = polder_integrity::split(text.as_bytes());
    if known.is_some() && !is_seen(&generation, &now.mounts, folder) {
        let text = format!(
            "the folder that `{}` lies in is gone, or another one lies in its place",
            printable_str(text)
        );
        return Err(Failure::usage(text).hint(
            "Put that folder back first: look whether it was moved, whether a link took its place, and what is mounted on it",
        ));
    }
    let is_it = |it: &&Change| it.path == text.as_bytes() && !it.is_trace();
    let Some(change) = changes.iter().find(is_it) else {
        let text = printable_str(text);
        let says = match known.is_some() {
            true => format!(
                "`{text}` is as baseline {} says. Nothing was changed.\n",
                generation.head.sequence
            ),
            false => {
                let text =
                    format!("`{text}` is neither in the baseline nor something that is watched");
                return Err(Failure::usage(text)
                    .hint("`polder baseline check` shows the paths that differ"));
            }
        };
        output::print(&says)?;
        return Ok(0);
    };
    let was = state(change, &store, &generation, globals)?;
    let operation = Operation::put_back(&Ground::here(), text, was).map_err(|error| {
        Failure::look(error).hint("Only files and links are put back; nothing was changed")
    })?;
    output::print(&shown(change, &operation))?;
    if flags.dry_run {
        return Ok(0);
    }
    let hint = "`--yes` does it without asking, `--dry-run` only shows it";
    if !flags.yes && !output::confirms("Put it back?", hint)? {
        return Ok(0);
    }
    make(&operation, text, &generation, globals)
}

/// What will be different, in words.
fn shown(change: &Change, operation: &Operation) -> String {
    let mut out = operation.shown();
    if change.before.is_none() {
        out.push_str(
            "    (it was not there: it is taken away, and kept in the journal of changes)\n",
        );
    }
    let (Some(before), Some(after)) = (&change.before, &change.after) else { return out };
    if before.mode != after.mode {
        out.push_str(&format!("    mode {:04o} -> {:04o}\n", after.mode, before.mode));
    }
    if (before.uid, before.gid) != (after.uid, after.gid) {
        let (was, is) = ((before.uid, before.gid), (after.uid, after.gid));
        out.push_str(&format!("    owner {}:{} -> {}:{}\n", is.0, is.1, was.0, was.1));
    }
    out
}

/// Does it, looks again, and says what still differs.
fn make(
    operation: &Operation,
    text: &str,
    generation: &Generation,
    globals: &Globals,
) -> Result<u8, Failure> {
    let mut operations = Operations::open(globals)?;
    let id = operations.begin(operation)?;
    match operations.execute(id, |executor| executor.apply(operation)) {
        Outcome::Made => {}
        Outcome::TakenBack(error) => {
            return Err(Failure::new(FailureKind::TakenBack, error)
                .hint("All is as it was before; `polder journal` keeps the record"));
        }
        Outcome::Stuck(error, stuck) => {
            let text = format!("{error}; and then: {stuck}");
            return Err(Failure::new(FailureKind::Stuck, text)
                .hint(format!("What is named was left alone; `polder undo {id}` tries again")));
        }
    }
    let left = check_path(generation, &Now::here(), text.as_bytes()).map_err(Failure::look)?;
    let left = left.iter().find(|it| it.path == text.as_bytes() && !it.is_trace());
    // The owner may have set what the journal does not keep: what is left is said, and nothing undone for it.
    operations.note(id, &Phase::Applied)?;
    output::print(&format!("Put back: operation {id}. `polder undo {id}` takes that back.\n"))?;
    match left {
        None => Ok(0),
        Some(it) if it.differences == [Difference::Modified] => {
            output::print("Its time of modification stays as it is.\n")?;
            Ok(0)
        }
        Some(it) => {
            let words = differences(it, &Names::default()).join("; ");
            let says = format!("`{}` still differs: {words}", printable_str(text));
            Err(Failure::look(says).hint("`polder baseline check` says in what way"))
        }
    }
}

/// What the baseline knows of a path, with its content from wherever it can be had.
fn state(
    change: &Change,
    store: &Baselines,
    generation: &Generation,
    globals: &Globals,
) -> Result<Option<State>, Failure> {
    let path = printable(&change.path);
    let refuse = |says: String, hint: String| Err(Failure::usage(says).hint(hint));
    if change.differences.iter().any(|it| matches!(it, Difference::Unverifiable(_))) {
        return refuse(format!("`{path}` cannot be read"), "Mend that first".into());
    }
    let is_fixed = |it: &Entry| it.flags & 0x30 != 0;
    if change.after.as_ref().is_some_and(is_fixed) {
        let hint = format!("`chattr -i -a {}` lets it be changed", quoted(&path));
        return refuse(format!("`{path}` is immutable or append-only"), hint);
    }
    if change.after.as_ref().is_some_and(|it| it.is_mount) {
        let hint = format!("`umount {}` shows what lies below it", quoted(&path));
        return refuse(format!("something is mounted on `{path}`"), hint);
    }
    if let Some(hint) = by_hand(change, &path) {
        return refuse(
            format!("`{path}` is a folder, and only files and links are put back"),
            hint,
        );
    }
    if let Some(hint) = log_by_hand(change, generation, &path) {
        return refuse(
            format!("`{path}` is a log: to put it back would take away what it holds"),
            hint,
        );
    }
    let Some(before) = &change.before else {
        let (folder, _) = polder_integrity::split(&change.path);
        // What was never compared must not be taken for something that was added.
        return match generation.folder(folder).map_err(Failure::look)? {
            Some(_) => Ok(None),
            None => refuse(
                format!("the baseline knows nothing of the folder that `{path}` lies in"),
                format!("Look at it, then `rm {}` if it is not to be there", quoted(&path)),
            ),
        };
    };
    match (before.kind, &before.content) {
        (Kind::Link, _) => match String::from_utf8(before.target.clone()) {
            Ok(target) => Ok(Some(State::Link(target))),
            Err(_) => refuse(
                format!("`{path}` led to a name that is no text"),
                format!(
                    "`ln -sfn` with the name in quotes does it; it was `{}`",
                    printable(&before.target)
                ),
            ),
        },
        (Kind::File, Content::Digest(digest)) => {
            let Some(content) =
                content(&change.path, before, digest, (store, generation), globals)?
            else {
                return no_content(&path, &change.path, globals);
            };
            let attributes = before
                .attributes
                .iter()
                .map(|it| (String::from_utf8_lossy(&it.name).into_owned(), it.value.clone()));
            let rights = (u32::from(before.mode), before.uid, before.gid);
            Ok(Some(State::File(FileState::known(&content, rights, attributes))))
        }
        _ => refuse(
            format!(
                "`{path}` was a {}, whose content the baseline does not know",
                before.kind.word()
            ),
            "Only files and links are put back".into(),
        ),
    }
}

/// What to do by hand where a folder is concerned.
fn by_hand(change: &Change, path: &str) -> Option<String> {
    let is_folder = |it: &Option<Entry>| it.as_ref().is_some_and(Entry::is_folder);
    if !is_folder(&change.before) && !is_folder(&change.after) {
        return None;
    }
    let path = quoted(path);
    Some(match (&change.before, &change.after) {
        (None, _) => format!("Look at what is in it, then `rm -r {}`", path),
        (Some(it), None) => format!(
            "`mkdir -m {:o} {}`, `chown {}:{}`, then restore what lay in it",
            it.mode, path, it.uid, it.gid
        ),
        (Some(it), Some(_)) => {
            format!("`chmod {:o} {}`, `chown {}:{}`", it.mode, path, it.uid, it.gid)
        }
    })
}

/// What to do by hand with a log.
fn log_by_hand(change: &Change, generation: &Generation, path: &str) -> Option<String> {
    let policy = Policy::from_lines(&generation.head.policy);
    let it = change.before.as_ref().filter(|_| policy.of(&change.path) == Rule::Grows)?;
    let path = quoted(path);
    Some(format!(
        "`chmod {:o} {path}` and `chown {}:{} {path}` put its rights back; what it held is in a backup, if anywhere",
        it.mode, it.uid, it.gid
    ))
}

/// The bytes with this digest: those that are there, a copy that was kept, or those of a package.
fn content(
    path: &[u8],
    before: &Entry,
    digest: &[u8; 32],
    (store, _): (&Baselines, &Generation),
    globals: &Globals,
) -> Result<Option<Vec<u8>>, Failure> {
    if before.size > FILE_BYTES_MAX {
        return Ok(None);
    }
    // Neither a pipe nor a link that took its place holds what it was.
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let here = rustix::fs::open(std::ffi::OsStr::from_bytes(path), flags, Mode::empty());
    let here = here.ok().map(std::fs::File::from);
    let here = here.filter(|it| it.metadata().is_ok_and(|it| it.is_file()));
    let mut bytes = Vec::new();
    let read = here.map(|it| it.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    if matches!(read, Some(Ok(_))) && digest_bytes(&bytes) == *digest {
        return Ok(Some(bytes));
    }
    if let Some(bytes) = store.kept(digest) {
        return Ok(Some(bytes));
    }
    let Some(package) = owner(path, globals)? else { return Ok(None) };
    let mut archives: Vec<_> = [ARCHIVES, KEPT_ARCHIVES]
        .into_iter()
        .flat_map(std::fs::read_dir)
        .flatten()
        .flatten()
        .map(|it| it.path())
        .filter(|it| {
            let name = it.file_name().and_then(|it| it.to_str()).unwrap_or_default();
            name.starts_with(&format!("{package}_")) && name.ends_with(".deb")
        })
        .collect();
    archives.sort();
    for archive in archives.iter().rev().take(ARCHIVES_MAX) {
        let Ok(file) = std::fs::File::open(archive) else { continue };
        // Whatever archive it is: the digest is the one that was signed.
        if let Ok(Some(bytes)) = content_of_deb(file, before.size, digest) {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

fn owner(path: &[u8], globals: &Globals) -> Result<Option<String>, Failure> {
    let host = session::open(&Target::default(), globals)?;
    let printed = printable(path);
    let owners = host.owners(&[printed.clone()].into()).map(|it| it.owned).unwrap_or_default();
    Ok(owners.get(&printed).map(|it| it.split(':').next().unwrap_or(it).to_string()))
}

fn no_content(path: &str, bytes: &[u8], globals: &Globals) -> Result<Option<State>, Failure> {
    let says = format!("nothing here holds what `{path}` was");
    let hint = match owner(bytes, globals)? {
        Some(package) => {
            let host = session::open(&Target::default(), globals)?;
            let manager = names_of(host.as_ref(), &polder_integrity::Outcome::default()).manager;
            let again = manager.map(|it| format!("`{}` installs it again", it.reinstall(&package)));
            let apt = Path::new(ARCHIVES).is_dir().then(|| {
                format!("; or `cd {ARCHIVES} && apt-get download {package}=VERSION` of the version it was, then this again")
            });
            format!(
                "It belongs to `{package}`: {}{}",
                again.unwrap_or_default(),
                apt.unwrap_or_default()
            )
        }
        None => "No package brought it: take it from a backup".into(),
    };
    Err(Failure::look(says).hint(hint))
}
