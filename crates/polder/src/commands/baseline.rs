//! `polder baseline`: a signed record of all files, and what is not as it was.

use super::{Globals, archives};
use crate::failure::Failure;
use crate::flags::{
    BaselineAccept, BaselineCheck, BaselineCommand, BaselineDiff, BaselineExport, BaselineFlags,
    BaselineInit, BaselineShow, BaselineVerify, Target,
};
use crate::{changes, config, guard, output, passphrase, session};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use polder_facts::users::{parse_group, parse_passwd};
use polder_host::Host;
use polder_integrity::{
    BaselineError, Change, CheckError, Content, Entry, Generation, Head, Now, Outcome, Policy,
    Recorded, between, check, head, hexadecimal, is_at_or_below, record,
};
use polder_model::{PackageManager, Timestamp, printable, printable_str};
use polder_report::{CheckView, Names, check_text, check_view, moment};
use polder_store::{Baselines, BaselinesError, key};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Longest wait of one core after one file, in seconds.
const BUDGET_PAUSE_MAX: f64 = 60.0;

/// Largest list of users or groups.
const LIST_BYTES_MAX: u64 = 16 << 20;

pub(super) fn run(flags: &BaselineFlags, globals: &Globals) -> Result<u8, Failure> {
    match &flags.command {
        BaselineCommand::Init(it) => init(it, globals),
        BaselineCommand::Check(it) => checked(it, globals),
        BaselineCommand::Show(it) => show(it, globals),
        BaselineCommand::Diff(it) => diff(it, globals),
        BaselineCommand::Accept(it) => accept(it, globals),
        BaselineCommand::Verify(it) => verify(it, globals),
        BaselineCommand::Export(it) => export(it, globals),
        BaselineCommand::Hook => archives::hook(),
        BaselineCommand::Keep => Ok(archives::keep()),
    }
}

/// Where the baselines of a host, or of a root in a folder, are kept.
pub(super) fn open_store(root: Option<&Path>, globals: &Globals) -> Result<Baselines, Failure> {
    let target = Target { root: root.map(Path::to_path_buf), ..Target::default() };
    let Some(folder) = session::state_folder(globals.state.as_deref(), &target) else {
        return Err(Failure::usage("a root in a folder has no baseline of its own")
            .hint("`--state FOLDER` names where to keep it"));
    };
    Ok(Baselines::of(&folder, globals.state.is_none()))
}

fn now(root: Option<&Path>) -> Now {
    root.map_or_else(Now::here, Now::folder)
}

pub(super) fn failed(error: BaselinesError) -> Failure {
    match error {
        BaselinesError::None(_) => Failure::look(error).hint("`polder baseline init` makes one"),
        BaselinesError::NoKey(_) => {
            Failure::usage(error).hint("`polder baseline init` printed it; so does `polder baseline show`")
        }
        BaselinesError::Key { .. } => Failure::usage(error).hint("Nothing was changed"),
        BaselinesError::Unseen { .. }
        | BaselinesError::Older { .. } | BaselinesError::Replaced { .. } | BaselinesError::Baseline(_)
            if !is_full(&error) =>
        {
            Failure::look(error).hint(
                "Nothing of this host can be told by it. Take one that was exported (`--baseline FILE --key KEY`), or look at the host as at one that was broken into",
            )
        }
        error if is_full(&error) => Failure::look(error).hint("Make room, or name another folder: `--state FOLDER`"),
        _ => Failure::look(error),
    }
}

/// Whether there was no room to write: that says nothing of what was written before.
fn is_full(error: &BaselinesError) -> bool {
    match error {
        BaselinesError::Baseline(BaselineError::Io { source, .. }) => {
            matches!(
                source.kind(),
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
            )
        }
        _ => false,
    }
}

fn not_checked(error: CheckError) -> Failure {
    match error {
        CheckError::Foreign { .. } => Failure::look(error).hint(
            "A baseline holds for the host it was made on; `polder baseline init` makes one here",
        ),
        CheckError::Baseline(error) => failed(error.into()),
        _ => Failure::look(error),
    }
}

/// The key to trust: by flag, by configuration, or none for the one beside the baseline.
fn pinned(flag: Option<&str>, configured: Option<&str>) -> Result<Option<[u8; 32]>, Failure> {
    flag.or(configured).map(key).transpose().map_err(failed)
}

/// Shows on a terminal, after a second, how far something is.
fn with_bar<T>(globals: &Globals, work: impl FnOnce(&(dyn Fn(u64, u64) + Sync)) -> T) -> T {
    within_budget(globals, None, work)
}

/// The same, and reads no more than so many MiB a second.
fn within_budget<T>(
    globals: &Globals,
    mib_per_second: Option<u32>,
    work: impl FnOnce(&(dyn Fn(u64, u64) + Sync)) -> T,
) -> T {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style);
    }
    let start = Instant::now();
    let wants_bar = !globals.quiet && std::io::stderr().is_terminal();
    let answer = work(&|entries, bytes| {
        if wants_bar && start.elapsed() > Duration::from_secs(1) {
            if bar.is_hidden() {
                bar.set_draw_target(ProgressDrawTarget::stderr());
            }
            bar.set_message(format!("{entries} names, {} MiB read", bytes >> 20));
            bar.tick();
        }
        let budget = f64::from(mib_per_second.unwrap_or(0)) * f64::from(1 << 20);
        if budget > 0.0 {
            // Whoever read too much waits, on each core by itself.
            let ahead = bytes as f64 / budget - start.elapsed().as_secs_f64();
            std::thread::sleep(Duration::from_secs_f64(ahead.clamp(0.0, BUDGET_PAUSE_MAX)));
        }
    });
    bar.finish_and_clear();
    answer
}

fn init(flags: &BaselineInit, globals: &Globals) -> Result<u8, Failure> {
    let store = open_store(flags.root.as_deref(), globals)?;
    let configuration = config::read(globals.config.as_deref())?;
    let sequences = store.sequences().map_err(failed)?;
    if let Some(last) = sequences.last().filter(|_| !flags.again) {
        let text = format!("there is baseline {last} already");
        return Err(Failure::usage(text).hint(
            "`polder baseline accept` takes over what was changed on purpose; `--again` takes over everything",
        ));
    }
    let secret = passphrase::ask(&flags.passphrase, !store.has_key())?;
    let signer = store.make_key(&secret).map_err(failed)?;
    let before = match sequences.last() {
        Some(last) => Some(store.open(*last, Some(&signer.public())).map_err(failed)?),
        None => None,
    };
    let policy = &configuration.policy;
    if let Some(path) = &configuration.path {
        output::say(&format!("rules of {}\n", path.display()));
    }
    let now = now(flags.root.as_deref()).with_packages();
    for place in policy.missing(&now.root) {
        output::say(&format!("warning: `{place}`, which is to be watched, is not there\n"));
    }
    let because = flags.because.as_deref().unwrap_or("the first look");
    let previous = before.as_ref().map_or([0; 32], |it| it.root);
    let sequence = sequences.last().map_or(1, |it| it.saturating_add(1));
    let begun = store.begin(head(&now, policy, sequence, previous, because)).map_err(failed)?;
    let start = Instant::now();
    let recorded = within_budget(globals, flags.io_budget, |progress| {
        record(&begun.writer, &now, policy, None, true, progress)
    });
    let recorded = match recorded {
        Ok(recorded) => recorded,
        Err(error) => {
            begun.discard();
            return Err(not_checked(error));
        }
    };
    let (head, root) = store.finish(begun, &signer).map_err(failed)?;
    keep_copies(&store, &signer.public(), &now);
    archives::forget(flags.root.is_none());
    let seconds = start.elapsed().as_secs_f64();
    let key = hexadecimal(&signer.public());
    if flags.json {
        output::print_json(&json!({
            "schema": "polder-baseline/1",
            "host": head.host,
            "sequence": head.sequence,
            "root": hexadecimal(&root),
            "key": key,
            "entries": head.entries,
            "folders": head.folders.len(),
            "bytes": recorded.bytes,
            "problems": head.problems.len(),
        }))?;
        return Ok(0);
    }
    let took = format!("{} MiB read in {seconds:.1} s", recorded.bytes >> 20);
    output::print(&recorded_text(
        flags,
        globals,
        &head,
        (&hexadecimal(&root), &key),
        &took,
        &recorded,
    ))?;
    Ok(0)
}

/// Keeps copies of settings; without them the baseline is as good, and says less of how to put things back.
fn keep_copies(store: &Baselines, key: &[u8; 32], now: &Now) {
    let newest = store.newest(Some(key));
    let kept = newest.and_then(|it| store.keep_copies(&it, &now.root));
    if let Err(error) = kept {
        output::say(&format!("warning: no copies of settings are kept: {error}\n"));
    }
}

/// What a person is told of a baseline that was made.
fn recorded_text(
    flags: &BaselineInit,
    globals: &Globals,
    head: &Head,
    (root, key): (&str, &str),
    took: &str,
    recorded: &Recorded,
) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "baseline {}: {} names in {} folders, {took}\n\n  root  {root}\n  key   {key}\n",
        head.sequence,
        head.entries,
        head.folders.len()
    );
    if !head.problems.is_empty() {
        let count = head.problems.len();
        let _ = writeln!(out, "Could not be read: {count}; `polder baseline show` lists them");
    }
    for (place, because) in &recorded.not_swept {
        let _ = writeln!(out, "Will be walked name by name: {place}: {because}");
    }
    let flag = |name: &str, value: Option<&Path>| {
        value.map_or(String::new(), |it| format!(" --{name} {}", it.display()))
    };
    let more = flag("root", flags.root.as_deref())
        + &flag("state", globals.state.as_deref())
        + &flag("config", globals.config.as_deref());
    let _ = writeln!(
        out,
        "Write root and key down away from this host: whoever becomes root here can replace\nfiles, baseline and key together, but not your note.\n\nNext: polder baseline check{more}"
    );
    out
}

fn checked(flags: &BaselineCheck, globals: &Globals) -> Result<u8, Failure> {
    let configuration = config::read(globals.config.as_deref())?;
    let pinned = pinned(flags.key.as_deref(), configuration.key.as_deref())?;
    let generation = match &flags.baseline {
        Some(_) if pinned.is_none() => {
            return Err(Failure::usage("a baseline from a file needs the key that signed it").hint(
                "`--key KEY`, as `polder baseline init` printed it: one that lies beside it vouches for nothing",
            ));
        }
        Some(path) => Baselines::open_file(path, pinned.as_ref()).map_err(failed)?,
        None => {
            let store = open_store(flags.root.as_deref(), globals)?;
            store.newest(pinned.as_ref()).map_err(failed)?
        }
    };
    let now = now(flags.root.as_deref());
    let outcome = within_budget(globals, flags.io_budget, |progress| {
        check(&generation, &now, flags.content, progress)
    });
    let mut outcome = outcome.map_err(not_checked)?;
    let policy = &configuration.policy;
    if policy.lines() != generation.head.policy {
        let says = "rules of the configuration differ from those of the baseline, which were used; `polder baseline init --again` takes the new ones";
        outcome.how.notes.push(says.into());
    }
    outcome.how.problems.extend(guard::warning());
    let taken = Timestamp(now.taken);
    let mut view = view(&generation, &outcome, flags.root.as_deref(), globals, taken)?;
    view.program = guard::digest();
    view.settings = configuration.path.as_deref().map_or("none".into(), guard::digest_of);
    if flags.root.is_none() && flags.baseline.is_none() {
        let target = Target::default();
        if let Some(state) = session::state_folder(globals.state.as_deref(), &target) {
            changes::keep_check(&state, &view.root, view.taken, &view.changes);
        }
    }
    if flags.only_changes && view.changes.is_empty() && view.problems.is_empty() {
        return Ok(0);
    }
    shown(&view, flags.json, flags.all)
}

/// Prints a check; the exit code says what came of it.
fn shown(view: &CheckView, as_json: bool, all: bool) -> Result<u8, Failure> {
    if as_json {
        output::print_json(view)?;
    } else {
        output::print(&check_text(view, all))?;
    }
    let differs = view.changes.len() as u64 > view.unverifiable;
    let is_unknown = view.unverifiable > 0 || !view.problems.is_empty();
    Ok(match (differs, is_unknown) {
        (true, _) => 1,
        (false, false) => 0,
        (false, true) => 3,
    })
}

fn view(
    generation: &Generation,
    outcome: &Outcome,
    root: Option<&Path>,
    globals: &Globals,
    taken: Timestamp,
) -> Result<CheckView, Failure> {
    let target = Target { root: root.map(Path::to_path_buf), ..Target::default() };
    let host = session::open(&target, globals)?;
    let names = names_of(host.as_ref(), outcome);
    Ok(check_view(&generation.head, (&generation.root, &generation.key), outcome, &names, taken))
}

/// Names of users, groups and packages, as far as they can be had.
pub(crate) fn names_of(host: &dyn Host, outcome: &Outcome) -> Names {
    // What people put there is no package's, and to ask for owners takes long.
    let is_peoples = |it: &&Change| {
        [&b"/home"[..], b"/root", b"/srv", b"/tmp"].iter().any(|at| is_at_or_below(&it.path, at))
    };
    let paths: BTreeSet<String> =
        outcome.shown().filter(|it| !is_peoples(it)).map(|it| printable(&it.path)).collect();
    let owners = match paths.is_empty() {
        true => BTreeMap::new(),
        false => host.owners(&paths).map(|it| it.owned).unwrap_or_default(),
    };
    let has = |path: &str| host.stat(path.as_ref()).is_ok();
    let manager = match () {
        () if has("/var/lib/dpkg/status") => Some(PackageManager::Apt),
        () if has("/lib/apk/db/installed") => Some(PackageManager::Apk),
        () if has("/var/lib/rpm") => Some(PackageManager::Dnf),
        () => None,
    };
    let text = |path: &str| {
        let bytes = host.read(path.as_ref(), LIST_BYTES_MAX).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    // Of several names of one number the first is meant.
    let (users, _) = parse_passwd(&text("/etc/passwd"));
    let (groups, _) = parse_group(&text("/etc/group"));
    let users = users.into_iter().rev().map(|it| (it.uid, it.name)).collect();
    let groups = groups.into_iter().rev().map(|it| (it.gid, it.name)).collect();
    Names { users, groups, owners, manager }
}

fn show(flags: &BaselineShow, globals: &Globals) -> Result<u8, Failure> {
    let configuration = config::read(globals.config.as_deref())?;
    let pinned = pinned(None, configuration.key.as_deref())?;
    let generation = open_store(None, globals)?.newest(pinned.as_ref()).map_err(failed)?;
    let it = &generation.head;
    if let Some(path) = &flags.path {
        let entry =
            generation.entry(path.as_os_str().as_bytes()).map_err(|it| failed(it.into()))?;
        let Some(entry) = entry else {
            let text = format!("baseline {} does not know `{}`", it.sequence, path.display());
            return Err(Failure::usage(text).hint("Name a path from `/` on that is watched"));
        };
        return show_entry(&entry, flags.json);
    }
    if flags.json {
        let problems: Vec<_> =
            it.problems.iter().map(|(path, why)| json!([printable(path), why])).collect();
        output::print_json(&json!({
            "schema": "polder-baseline/1",
            "host": it.host,
            "sequence": it.sequence,
            "taken": it.taken,
            "because": it.reason,
            "root": hexadecimal(&generation.root),
            "previous": hexadecimal(&it.previous),
            "key": hexadecimal(&generation.key),
            "entries": it.entries,
            "folders": it.folders.len(),
            "policy": it.policy,
            "problems": problems,
        }))?;
        return Ok(0);
    }
    let mut out = String::new();
    let taken = moment(Timestamp(it.taken));
    let (host, reason) = (printable_str(&it.host), printable_str(&it.reason));
    let _ = writeln!(out, "baseline {} of {host}, {taken}: {reason}", it.sequence);
    let _ = writeln!(out, "  root      {}", hexadecimal(&generation.root));
    if it.sequence > 1 {
        let _ = writeln!(out, "  after     {}", hexadecimal(&it.previous));
    }
    let _ = writeln!(out, "  key       {}", hexadecimal(&generation.key));
    let _ = writeln!(out, "  holds     {} names in {} folders", it.entries, it.folders.len());
    for sweep in &it.sweeps {
        let (major, minor) = sweep.device;
        let _ = writeln!(out, "  inodes    {} on device {major}:{minor}", sweep.inodes);
    }
    let _ = writeln!(out, "  mounts    {}, modules {}", it.mounts.len(), it.modules.len());
    for (path, because) in &it.problems {
        let _ = writeln!(out, "  not read  {}: {because}", printable(path));
    }
    output::print(&out)?;
    Ok(0)
}

fn show_entry(entry: &Entry, as_json: bool) -> Result<u8, Failure> {
    let digest = match &entry.content {
        Content::Digest(digest) => Some(hexadecimal(digest)),
        _ => None,
    };
    let attributes: Vec<String> = entry.attributes.iter().map(|it| printable(&it.name)).collect();
    let target = printable(&entry.target);
    if as_json {
        output::print_json(&json!({
            "schema": "polder-baseline-entry/1",
            "name": printable(&entry.name),
            "kind": entry.kind.word(),
            "mode": format!("{:04o}", entry.mode),
            "uid": entry.uid,
            "gid": entry.gid,
            "size": entry.size,
            "inode": entry.inode,
            "links": entry.links,
            "modified": entry.modified.0,
            "changed": entry.changed.0,
            "blake3": digest,
            "target": target,
            "attributes": attributes,
        }))?;
        return Ok(0);
    }
    let mut out = String::new();
    let owner = format!("{}:{}", entry.uid, entry.gid);
    let _ = writeln!(out, "{}, mode {:04o}, owner {owner}", entry.kind.word(), entry.mode);
    let _ = writeln!(out, "  {} bytes, inode {}, {} names", entry.size, entry.inode, entry.links);
    let _ = writeln!(out, "  modified {}", moment(Timestamp(entry.modified.0)));
    let _ = writeln!(out, "  inode changed {}", moment(Timestamp(entry.changed.0)));
    if let Some(digest) = digest {
        let _ = writeln!(out, "  BLAKE3 {digest}");
    }
    if !target.is_empty() {
        let _ = writeln!(out, "  leads to {target}");
    }
    if !attributes.is_empty() {
        let _ = writeln!(out, "  attributes {}", attributes.join(", "));
    }
    output::print(&out)?;
    Ok(0)
}

fn diff(flags: &BaselineDiff, globals: &Globals) -> Result<u8, Failure> {
    let configuration = config::read(globals.config.as_deref())?;
    let pinned = pinned(None, configuration.key.as_deref())?;
    let open = |name: &str| match name.parse::<u64>() {
        Ok(sequence) => open_store(None, globals)?.open(sequence, pinned.as_ref()).map_err(failed),
        Err(_) => Baselines::open_file(Path::new(name), pinned.as_ref()).map_err(failed),
    };
    let old = open(&flags.old)?;
    let new = match &flags.new {
        Some(name) => open(name)?,
        None => open_store(None, globals)?.newest(pinned.as_ref()).map_err(failed)?,
    };
    let outcome = between(&old, &new).map_err(|it| failed(it.into()))?;
    let mut view = view(&old, &outcome, None, globals, Timestamp(new.head.taken))?;
    let (sequence, host) = (new.head.sequence, printable_str(&new.head.host));
    let taken = moment(Timestamp(new.head.taken));
    view.beside = Some(format!("baseline {sequence} of {host}, {taken}"));
    shown(&view, flags.json, flags.all)
}

fn accept(flags: &BaselineAccept, globals: &Globals) -> Result<u8, Failure> {
    let store = open_store(flags.root.as_deref(), globals)?;
    let configuration = config::read(globals.config.as_deref())?;
    let pinned = pinned(None, configuration.key.as_deref())?;
    let generation = store.newest(pinned.as_ref()).map_err(failed)?;
    let now = now(flags.root.as_deref()).with_packages();
    let paths: Vec<&[u8]> = flags.paths.iter().map(|it| it.as_os_str().as_bytes()).collect();
    if let Some(path) = flags.paths.iter().find(|it| !it.is_absolute()) {
        let text = format!("`{}` does not begin with `/`", path.display());
        return Err(Failure::usage(text).hint("Name paths as `polder baseline check` shows them"));
    }
    // A folder that is new comes with what is accepted in it.
    let named = |it: &Change| {
        let leads = it.before.is_none() && it.after.as_ref().is_some_and(Entry::is_folder);
        paths.is_empty()
            || paths.iter().any(|path| {
                is_at_or_below(&it.path, path) || (leads && is_at_or_below(path, &it.path))
            })
    };
    let found = with_bar(globals, |progress| check(&generation, &now, false, progress));
    let mut found = found.map_err(not_checked)?;
    let all = found.shown().count();
    if let Some(path) = flags.paths.iter().find(|it| is_nowhere(it, &generation, &found, &now)) {
        let text = format!("`{}` is neither in the baseline nor on the disk", path.display());
        return Err(
            Failure::usage(text).hint("`polder baseline check` shows the paths that differ")
        );
    }
    found.changes.retain(&named);
    let count = found.shown().count();
    if count < all {
        output::say(&format!("{count} of {all} changes are named; the others go on being told\n"));
    }
    if !paths.is_empty() {
        // Mounts and modules have no paths to name; they are accepted with everything.
        found.keep_files_only();
    }
    let taken = Timestamp(now.taken);
    let view = view(&generation, &found, flags.root.as_deref(), globals, taken)?;
    if view.changes.is_empty() && view.proved == 0 {
        output::print("Nothing that is named differs from the baseline; it stays as it is.\n")?;
        return Ok(0);
    }
    output::print(&check_text(&view, true))?;
    let hint = "`--yes` accepts without asking; `polder baseline check` only shows it";
    if !flags.yes && !output::confirms("Accept all of this?", hint)? {
        return Ok(0);
    }
    sign_accepted(flags, globals, &store, (&generation, &now), &found, &named)
}

/// Writes the next generation, with what was shown and named.
fn sign_accepted(
    flags: &BaselineAccept,
    globals: &Globals,
    store: &Baselines,
    (generation, now): (&Generation, &Now),
    found: &Outcome,
    named: &(dyn Fn(&Change) -> bool + Sync),
) -> Result<u8, Failure> {
    let secret = passphrase::ask(&flags.passphrase, false)?;
    let signer = store.unseal(&secret).map_err(failed)?;
    // Only what was shown is signed: what changed again since is left as it was.
    let shown: HashMap<&[u8], &Change> =
        found.changes.iter().map(|it| (it.path.as_slice(), it)).collect();
    let again = AtomicU64::new(0);
    let accepts = |it: &Change| {
        let is_shown = shown.get(it.path.as_slice()).is_some_and(|shown| shown.ends_like(it));
        if !is_shown && named(it) {
            again.fetch_add(1, Ordering::Relaxed);
        }
        is_shown
    };
    // The rules of the baseline go on: others come with `init --again` only, which reads everything.
    let policy = Policy::from_lines(&generation.head.policy);
    let sequence = generation.head.sequence + 1;
    let mut next = head(now, &policy, sequence, generation.root, &flags.because);
    if !flags.paths.is_empty() {
        next.mounts.clone_from(&generation.head.mounts);
        next.modules.clone_from(&generation.head.modules);
        next.packages.clone_from(&generation.head.packages);
    }
    let begun = store.begin(next).map_err(failed)?;
    let reads_all = found.how.all_because.is_some();
    let before = Some((generation, &accepts as polder_integrity::Accepts<'_>));
    let recorded = with_bar(globals, |progress| {
        record(&begun.writer, now, &policy, before, reads_all, progress)
    });
    if let Err(error) = recorded {
        begun.discard();
        return Err(not_checked(error));
    }
    let (head, root) = store.finish(begun, &signer).map_err(failed)?;
    keep_copies(store, &signer.public(), now);
    archives::forget(flags.root.is_none() && flags.paths.is_empty());
    output::print(&format!("baseline {}\n  root  {}\n", head.sequence, hexadecimal(&root)))?;
    let again = again.into_inner();
    if again > 0 {
        let says = format!(
            "{again} of the changes were not those that were shown any more and were left out: `polder baseline check` shows them"
        );
        return Err(Failure::look(says));
    }
    Ok(0)
}

/// Whether a path was never there.
fn is_nowhere(path: &Path, generation: &Generation, found: &Outcome, now: &Now) -> bool {
    let bytes = path.as_os_str().as_bytes();
    let inside = now.root.join(path.strip_prefix("/").unwrap_or(path));
    let is_known = generation.entry(bytes).is_ok_and(|it| it.is_some());
    let is_told = found.changes.iter().any(|it| is_at_or_below(&it.path, bytes));
    !is_known && !is_told && inside.symlink_metadata().is_err()
}

fn verify(flags: &BaselineVerify, globals: &Globals) -> Result<u8, Failure> {
    let configuration = config::read(globals.config.as_deref())?;
    let pinned = pinned(flags.key.as_deref(), configuration.key.as_deref())?;
    let generation = match &flags.file {
        Some(path) => Baselines::open_file(path, pinned.as_ref()).map_err(failed)?,
        None => open_store(None, globals)?.newest(pinned.as_ref()).map_err(failed)?,
    };
    generation.verify().map_err(|it| failed(it.into()))?;
    let it = &generation.head;
    let vouched = match (&flags.file, pinned) {
        (Some(_), None) => "   (compare it with your note: `--key KEY` does)",
        _ => "",
    };
    output::print(&format!(
        "baseline {} of {} is whole: {} names in {} folders\n  root  {}\n  key   {}{vouched}\n",
        it.sequence,
        it.host,
        it.entries,
        it.folders.len(),
        hexadecimal(&generation.root),
        hexadecimal(&generation.key)
    ))?;
    Ok(0)
}

fn export(flags: &BaselineExport, globals: &Globals) -> Result<u8, Failure> {
    let configuration = config::read(globals.config.as_deref())?;
    let pinned = pinned(None, configuration.key.as_deref())?;
    let store = open_store(None, globals)?;
    let generation = store.newest(pinned.as_ref()).map_err(failed)?;
    let sequence = generation.head.sequence;
    let bytes = store.export(sequence, &flags.file).map_err(failed)?;
    output::print(&format!(
        "baseline {sequence} is in `{}`, {} KiB\nWith the disk of this host mounted on another machine: `polder baseline check --root FOLDER --baseline FILE --key {}`\n",
        flags.file.display(),
        bytes >> 10,
        hexadecimal(&generation.key)
    ))?;
    Ok(0)
}
