//! What is not as it was: as sentences for people and as JSON for programs.

use crate::words::{age, moment};
use polder_integrity::{
    Change, Content, Difference, Entry, Head, Kind, Mount, Outcome, Weight, capabilities, gives,
    hexadecimal, is_part_of, meaning, proof::ProvedPackage,
};
use polder_model::{PackageManager, Timestamp, printable, printable_str};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Names of users, groups and packages.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Users by number.
    pub users: BTreeMap<u32, String>,
    /// Groups by number.
    pub groups: BTreeMap<u32, String>,
    /// Packages by the path of a file they own.
    pub owners: BTreeMap<String, String>,
    /// What puts files of packages back.
    pub manager: Option<PackageManager>,
}

/// A check as a program reads it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CheckView {
    /// `polder-check/1`.
    pub schema: String,
    /// The host.
    pub host: String,
    /// When it was checked.
    pub taken: Timestamp,
    /// Number of the baseline.
    pub sequence: u64,
    /// When the baseline was made.
    pub baseline_taken: Timestamp,
    /// The digest that stands for the whole baseline, BLAKE3.
    pub root: String,
    /// The key that signed it, Ed25519.
    pub key: String,
    /// The program that checked, BLAKE3; empty where two baselines are compared.
    pub program: String,
    /// Its configuration, BLAKE3; `none` without one.
    pub settings: String,
    /// The other baseline, where two are compared instead of one and the host.
    pub beside: Option<String>,
    /// What is not as it was, what matters most first.
    pub changes: Vec<ChangeLine>,
    /// Changes that are a vendor's, proved by signed archives.
    pub proved: u64,
    /// Packages that were installed or upgraded since.
    pub packages: Vec<PackageLine>,
    /// Files that were written again as they were: another inode or time, the same content and rights.
    pub rewritten: u64,
    /// How many of the changes say that nothing can be said.
    pub unverifiable: u64,
    /// Inodes compared in the tables of file systems.
    pub inodes: u64,
    /// Names compared by their attributes.
    pub entries: u64,
    /// Bytes of content read.
    pub bytes: u64,
    /// Why all content was read, where it was.
    pub all_because: Option<String>,
    /// File systems whose tables of inodes were not used, with the reason.
    pub not_swept: Vec<(String, String)>,
    /// What could not be seen, so that nothing can be said of it.
    pub problems: Vec<String>,
    /// What was left out, and is known to be.
    pub notes: Vec<String>,
}

/// A package that was installed or upgraded since the baseline.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PackageLine {
    /// Its name.
    pub name: String,
    /// Its version then; none when it was not there.
    pub from: Option<String>,
    /// Its version now.
    pub to: String,
    /// Changes that its signed archive proves.
    pub proved: u64,
    /// Why it proves nothing, where it does not.
    pub because: Option<String>,
}

/// One thing that is not as it was.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ChangeLine {
    /// The path, what cannot be printed escaped.
    pub path: String,
    /// The path itself, which two that are shown alike do not share; empty for what is no file.
    #[serde(skip)]
    pub bytes: Vec<u8>,
    /// `added`, `removed`, `changed`, `unverifiable`, `mounted`, `unmounted`, `loaded`, `unloaded`.
    pub what: String,
    /// In what way it differs, in words.
    pub differences: Vec<String>,
    /// What the path is for, and which rights the file gives.
    pub means: Vec<String>,
    /// Technique of intruders (ATT&CK) that such a change may be.
    pub technique: Option<String>,
    /// `stays`, `code` or `plain`: how much it matters.
    pub weight: String,
    /// The package it belongs to.
    pub package: Option<String>,
    /// How to put it back.
    pub restore: Option<String>,
    /// Since when at most: the last change the inode tells of.
    pub since: Option<Timestamp>,
    /// Names below a folder that was added or removed with it.
    pub below: u64,
    /// What it was.
    pub before: Option<StateLine>,
    /// What it is.
    pub after: Option<StateLine>,
}

/// A file as it was or is.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct StateLine {
    /// What kind of thing.
    pub kind: String,
    /// Permission bits as octal digits.
    pub mode: String,
    /// Owner and group.
    pub owner: String,
    /// Length in bytes.
    pub size: u64,
    /// When the content was changed, as far as one believes it.
    pub modified: Timestamp,
    /// BLAKE3 of the content.
    pub digest: Option<String>,
    /// Where a link leads.
    pub target: Option<String>,
}

/// Most changes shown on a terminal unless all are asked for.
const SHOWN: usize = 40;

/// Makes the view of a check.
pub fn check_view(
    head: &Head,
    (root, key): (&[u8; 32], &[u8; 32]),
    outcome: &Outcome,
    names: &Names,
    taken: Timestamp,
) -> CheckView {
    let mut changes: Vec<(Weight, ChangeLine)> = Vec::new();
    let mut folder: Option<&Change> = None;
    for change in outcome.shown() {
        // What was added with a folder is told with it, unless it matters by itself.
        let line = change_line(change, names);
        let is_part = folder.is_some_and(|it| is_part_of(change, it));
        if !is_part {
            folder = Some(change);
        }
        if !is_part || !line.1.means.is_empty() && line.0 == Weight::Stays || gives_more(change) {
            changes.push(line);
        }
    }
    let earlier = |it: &Mount| {
        let place = |it: &Mount| (it.point.clone(), it.kind.clone(), it.part.clone());
        head.mounts.iter().find(|was| place(was) == place(it))
    };
    changes.extend(outcome.mounted.iter().map(|it| mount_line(it, "mounted", earlier(it))));
    changes.extend(outcome.unmounted.iter().map(|it| mount_line(it, "unmounted", None)));
    changes.extend(outcome.loaded.iter().map(|it| module_line(it, "loaded")));
    changes.extend(outcome.unloaded.iter().map(|it| module_line(it, "unloaded")));
    changes.sort_by(|a, b| (b.0, &a.1.path).cmp(&(a.0, &b.1.path)));
    CheckView {
        schema: "polder-check/1".into(),
        host: printable_str(&head.host),
        taken,
        sequence: head.sequence,
        baseline_taken: Timestamp(head.taken),
        root: hexadecimal(root),
        key: hexadecimal(key),
        program: String::new(),
        settings: String::new(),
        beside: None,
        unverifiable: changes.iter().filter(|it| it.1.what == "unverifiable").count() as u64,
        changes: changes.into_iter().map(|(_, line)| line).collect(),
        proved: outcome.proofs.paths.len() as u64,
        packages: outcome.proofs.packages.iter().map(package_line).collect(),
        rewritten: outcome.changes.iter().filter(|it| it.is_trace()).count() as u64,
        inodes: outcome.how.inodes,
        entries: outcome.how.entries,
        bytes: outcome.how.bytes,
        all_because: outcome.how.all_because.clone(),
        not_swept: outcome.how.not_swept.clone(),
        problems: outcome.how.problems.clone(),
        notes: notes(outcome),
    }
}

/// What was left out, and what proves nothing.
fn notes(outcome: &Outcome) -> Vec<String> {
    let proofs = outcome.proofs.problems.iter().map(|it| format!("as a proof of upgrades: {it}"));
    outcome.how.notes.iter().cloned().chain(proofs).collect()
}

fn package_line(it: &ProvedPackage) -> PackageLine {
    PackageLine {
        name: printable_str(&it.name),
        from: it.from.as_deref().map(printable_str),
        to: printable_str(&it.to),
        proved: it.proved,
        because: it.because.as_deref().map(printable_str),
    }
}

/// Whether a change gives rights by itself.
fn gives_more(change: &Change) -> bool {
    let none = |_: u32| String::new();
    change.after.as_ref().is_some_and(|it| !gives(it, &none, &none).is_empty())
}

fn change_line(change: &Change, names: &Names) -> (Weight, ChangeLine) {
    let path = printable(&change.path);
    let known = meaning(&change.path);
    let user = |uid: u32| names.users.get(&uid).cloned().unwrap_or_else(|| uid.to_string());
    let group = |gid: u32| names.groups.get(&gid).cloned().unwrap_or_else(|| gid.to_string());
    let after = change.after.as_ref();
    let rights = after.map_or_else(Vec::new, |it| gives(it, &user, &group));
    let what = match (&change.before, &change.after) {
        _ if change.is_unverifiable() => "unverifiable",
        (None, _) => "added",
        (_, None) => "removed",
        _ => "changed",
    };
    let mut weight = known.map_or(Weight::Plain, |it| it.weight);
    // A link gives nobody rights, and what gives rights gave them before.
    let is_new = change.before.as_ref().is_none_or(|it| gives(it, &user, &group) != rights);
    if !rights.is_empty() && (is_new || change.differences.contains(&Difference::Content)) {
        weight = Weight::Stays;
    }
    let mut means: Vec<String> = known.iter().map(|it| it.says.to_string()).collect();
    means.extend(rights);
    let package = names.owners.get(&path).cloned();
    let restore = package.as_ref().filter(|_| change.before.is_some());
    let restore = restore.zip(names.manager).map(|(name, manager)| manager.reinstall(name));
    let state = |it: &Entry| StateLine {
        kind: it.kind.word().into(),
        mode: format!("{:04o}", it.mode),
        owner: format!("{}:{}", user(it.uid), group(it.gid)),
        size: it.size,
        modified: Timestamp(it.modified.0),
        digest: match &it.content {
            Content::Digest(digest) => Some(hexadecimal(digest)),
            _ => None,
        },
        target: (it.kind == Kind::Link).then(|| printable(&it.target)),
    };
    let line = ChangeLine {
        what: what.into(),
        differences: differences(change, names),
        means,
        technique: known.map(|it| it.technique).filter(|it| !it.is_empty()).map(String::from),
        weight: word(weight).into(),
        package,
        restore,
        since: after.map(|it| Timestamp(it.changed.0)),
        below: change.below,
        before: change.before.as_ref().map(state),
        after: after.map(state),
        bytes: change.path.clone(),
        path,
    };
    (weight, line)
}

fn word(weight: Weight) -> &'static str {
    match weight {
        Weight::Stays => "stays",
        Weight::Code => "code",
        Weight::Plain => "plain",
    }
}

/// In what way something differs, in words.
pub fn differences(change: &Change, names: &Names) -> Vec<String> {
    change.differences.iter().map(|it| difference(it, change, names)).collect()
}

/// One difference in words.
fn difference(it: &Difference, change: &Change, names: &Names) -> String {
    let user = |uid: u32| names.users.get(&uid).cloned().unwrap_or_else(|| uid.to_string());
    let group = |gid: u32| names.groups.get(&gid).cloned().unwrap_or_else(|| gid.to_string());
    let unknown = Entry::default();
    let before = change.before.as_ref().unwrap_or(&unknown);
    let after = change.after.as_ref().unwrap_or(&unknown);
    match it {
        Difference::Kind => format!("was a {}, is a {}", before.kind.word(), after.kind.word()),
        Difference::Content if before.size == after.size => "other content, as long as before".into(),
        Difference::Content => format!("other content, {} -> {} bytes", before.size, after.size),
        Difference::ContentWithoutTrace => {
            "other content, and no time of the file tells of a change: it was written past the file system"
                .into()
        }
        Difference::Behind(says) => format!(
            "its package is {}, which has another file here: this one is of the version before",
            printable_str(says)
        ),
        Difference::Rewritten => "does not begin with what it had: lines were taken out or altered".into(),
        Difference::Truncated => format!("shorter than it was, {} -> {} bytes", before.size, after.size),
        Difference::Mode => format!("mode {:04o} -> {:04o}", before.mode, after.mode),
        Difference::Owner => format!(
            "owner {}:{} -> {}:{}",
            user(before.uid),
            group(before.gid),
            user(after.uid),
            group(after.gid)
        ),
        Difference::Target => {
            format!("leads to `{}`, before to `{}`", printable(&after.target), printable(&before.target))
        }
        Difference::Device => format!(
            "device {}:{} -> {}:{}",
            before.device.0, before.device.1, after.device.0, after.device.1
        ),
        Difference::Flags => flags(before.flags, after.flags),
        Difference::Attributes(all) => {
            let all: Vec<String> = all.iter().map(|it| attribute(it, before, after)).collect();
            all.join("; ")
        }
        Difference::Links => format!("names that lead to it {} -> {}", before.links, after.links),
        Difference::Modified => format!(
            "time of modification set from {} to {}, the content is the same",
            moment(Timestamp(before.modified.0)),
            moment(Timestamp(after.modified.0))
        ),
        Difference::Mounted if after.is_mount => "something is mounted on it, so what it held cannot be seen".into(),
        Difference::Mounted => "nothing is mounted on it any more".into(),
        Difference::Trace => "written again as it was".into(),
        Difference::Unverifiable(because) => format!("cannot be told: {}", printable_str(because)),
    }
}

/// Flags of chattr(1) that were set or taken away.
fn flags(before: u64, after: u64) -> String {
    const NAMES: [(u64, &str); 7] = [
        (0x4, "compressed"),
        (0x10, "immutable"),
        (0x20, "append-only"),
        (0x40, "not dumped"),
        (0x800, "encrypted"),
        (0x10_0000, "verity"),
        (0x20_0000, "direct access"),
    ];
    let all: Vec<String> = NAMES
        .iter()
        .filter(|(bit, _)| (before ^ after) & bit != 0)
        .map(|(bit, name)| match after & bit {
            0 => format!("not {name} any more"),
            _ => format!("now {name}"),
        })
        .collect();
    all.join(", ")
}

fn attribute(name: &[u8], before: &Entry, after: &Entry) -> String {
    let shown = printable(name);
    let (before, after) = (before.attribute(name), after.attribute(name));
    if name == b"security.capability" {
        let list =
            |it: Option<&[u8]>| it.map_or_else(|| "none".into(), |it| capabilities(it).join(", "));
        return format!("capabilities {} -> {}", list(before), list(after));
    }
    let what = match name {
        b"system.posix_acl_access" => "access control list",
        b"system.posix_acl_default" => "access control list for new files",
        b"security.selinux" => "SELinux label",
        _ => "",
    };
    let how = match (before, after) {
        (None, _) => "added",
        (_, None) => "removed",
        _ => "changed",
    };
    if what.is_empty() { format!("attribute `{shown}` {how}") } else { format!("{what} {how}") }
}

/// `earlier` is what the baseline knows at the same place, of the same kind.
fn mount_line(mount: &Mount, what: &str, earlier: Option<&Mount>) -> (Weight, ChangeLine) {
    let source = printable(&mount.source);
    let part = match mount.part.as_slice() {
        b"/" => String::new(),
        part => format!(", only `{}` of it", printable(part)),
    };
    let says = format!("{} from `{source}`{part}, {}", mount.kind, mount.options.join(","));
    let mut line = plain(printable(&mount.point), what, says);
    if what == "unmounted" {
        line.weight = word(Weight::Code).into();
        return (Weight::Code, line);
    }
    if let Some(earlier) = earlier {
        let before = printable(&earlier.source);
        line.means.push(format!(
            "was mounted there from `{before}`, {}: names of devices change, and what it holds is compared",
            earlier.options.join(",")
        ));
        line.weight = word(Weight::Code).into();
        return (Weight::Code, line);
    }
    line.means.push("hides what the folder holds".into());
    line.technique = Some("T1564".into());
    (Weight::Stays, line)
}

fn module_line(name: &str, what: &str) -> (Weight, ChangeLine) {
    let mut line = plain(printable_str(name), what, "module of the kernel".into());
    line.means.push("is code of the kernel".into());
    line.technique = Some("T1547.006".into());
    (Weight::Stays, line)
}

fn plain(path: String, what: &str, says: String) -> ChangeLine {
    ChangeLine {
        path,
        bytes: Vec::new(),
        what: what.into(),
        differences: vec![says],
        means: Vec::new(),
        technique: None,
        weight: word(Weight::Stays).into(),
        package: None,
        restore: None,
        since: None,
        below: 0,
        before: None,
        after: None,
    }
}

/// A check as a person reads it.
pub fn check_text(view: &CheckView, all: bool) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{}: baseline {}, made {}, signed by {}",
        view.host,
        view.sequence,
        age(view.baseline_taken, view.taken),
        view.key.get(..16).unwrap_or(&view.key)
    );
    match &view.beside {
        Some(beside) => {
            let _ = writeln!(out, "compared with {beside}");
        }
        None if view.program.is_empty() => {}
        None => {
            let start = |it: &str| it.get(..16).unwrap_or(it).to_string();
            let (program, settings) = (start(&view.program), start(&view.settings));
            let _ = writeln!(out, "checked by the program {program}, settings {settings}");
        }
    }
    let count = view.changes.len();
    match count {
        0 => out.push_str("\nNothing that is watched differs from it.\n"),
        1 => out.push_str("\n1 thing is not as it was:\n"),
        _ => {
            let _ = writeln!(out, "\n{count} things are not as they were:");
        }
    }
    let groups = groups(&view.changes, all);
    let shown = if all { groups.len() } else { SHOWN };
    for group in groups.iter().take(shown) {
        out.push('\n');
        match group.as_slice() {
            [line] => change_text(line, &mut out),
            lines => group_text(lines, &mut out),
        }
    }
    let left: usize = groups.iter().skip(shown).map(Vec::len).sum();
    if left > 0 {
        let _ = writeln!(out, "\nand {left} more: `--all` shows them");
    }
    packages_text(view, all, &mut out);
    out.push('\n');
    how_text(view, &mut out);
    out
}

/// So many changes of one kind in one folder are told together.
const GROUP_MIN: usize = 5;

/// Names of a group that are shown.
const GROUP_NAMES: usize = 8;

/// Changes that are alike, together: of one folder, done in the same way, by files that give no rights.
fn groups(changes: &[ChangeLine], all: bool) -> Vec<Vec<&ChangeLine>> {
    let mut order: Vec<Vec<&ChangeLine>> = Vec::new();
    let mut places: BTreeMap<(String, &str, &str), usize> = BTreeMap::new();
    for line in changes {
        let key = (folder_of(&line.path), line.what.as_str(), line.weight.as_str());
        let gives = line.means.len() > 1;
        match places.get(&key).and_then(|at| order.get_mut(*at)).filter(|_| !all && !gives) {
            Some(group) => group.push(line),
            None => {
                if !gives {
                    places.insert(key, order.len());
                }
                order.push(vec![line]);
            }
        }
    }
    order
        .into_iter()
        .flat_map(|it| match it.len() < GROUP_MIN {
            true => it.into_iter().map(|line| vec![line]).collect(),
            false => vec![it],
        })
        .collect()
}

/// The folder of a path; of compiled Python files the one that holds all of them.
fn folder_of(path: &str) -> String {
    match path.split_once("/__pycache__") {
        Some((above, _)) => {
            let parts: Vec<&str> = above.split('/').take(4).collect();
            format!("{}/**/__pycache__", parts.join("/"))
        }
        None => path.rsplit_once('/').map_or("", |it| it.0).to_string(),
    }
}

fn group_text(lines: &[&ChangeLine], out: &mut String) {
    let Some(first) = lines.first() else { return };
    let folder = folder_of(&first.path);
    let _ = writeln!(out, "{folder}/  {} {}", lines.len(), first.what);
    let name = |it: &&ChangeLine| it.path.rsplit('/').next().unwrap_or_default().to_string();
    let names: Vec<String> = lines.iter().take(GROUP_NAMES).map(name).collect();
    let more = if lines.len() > GROUP_NAMES { " ..." } else { "" };
    let _ = writeln!(out, "  {}{more}", names.join(", "));
    if folder.ends_with("/__pycache__") {
        out.push_str("  Python makes these anew from their sources: to be rid of what nothing proves, delete them\n");
    } else if let Some(means) = first.means.first() {
        let technique = first.technique.as_ref().map_or(String::new(), |it| format!(" ({it})"));
        let _ = writeln!(out, "  each {means}{technique}");
    }
}

/// Packages that came since: in one line, but for those whose archives prove nothing.
fn packages_text(view: &CheckView, all: bool, out: &mut String) {
    let (proving, others): (Vec<&PackageLine>, Vec<&PackageLine>) =
        view.packages.iter().partition(|it| it.because.is_none());
    if !proving.is_empty() {
        let count = match proving.len() {
            1 => format!("package {} is", proving.first().map_or("", |it| &it.name)),
            count => format!("{count} packages are"),
        };
        let _ = writeln!(
            out,
            "\n{count} of another version; changes of theirs that signatures prove: {}",
            view.proved
        );
    }
    let mut by_reason: BTreeMap<&str, Vec<&PackageLine>> = BTreeMap::new();
    for it in others {
        by_reason.entry(it.because.as_deref().unwrap_or_default()).or_default().push(it);
    }
    for (because, lines) in by_reason {
        let count = match lines.len() {
            1 => "a package".to_string(),
            count => format!("{count} packages"),
        };
        let _ = writeln!(out, "\nNothing proves what {count} changed: {because}");
        let shown = if all { lines.len() } else { 4 };
        for it in lines.iter().take(shown) {
            let _ =
                writeln!(out, "  {} {} -> {}", it.name, it.from.as_deref().unwrap_or("new"), it.to);
        }
        if lines.len() > shown {
            let _ = writeln!(out, "  and {} more", lines.len() - shown);
        }
    }
}

fn change_text(line: &ChangeLine, out: &mut String) {
    let below = match line.below {
        0 => String::new(),
        count => format!(", with {count} below it"),
    };
    let _ = writeln!(out, "{}  {}{below}", line.path, line.what);
    for it in &line.differences {
        let _ = writeln!(out, "  {it}");
    }
    if line.what == "added"
        && let Some(it) = &line.after
    {
        let size = if it.kind == "file" { format!(", {} bytes", it.size) } else { String::new() };
        let target = it.target.as_ref().map_or(String::new(), |it| format!(" -> {it}"));
        let _ = writeln!(out, "  {}{target}, mode {}, {}{size}", it.kind, it.mode, it.owner);
    }
    if !line.means.is_empty() {
        let technique = line.technique.as_ref().map_or(String::new(), |it| format!(" ({it})"));
        let _ = writeln!(out, "  {}{technique}", line.means.join("; "));
    }
    if let Some(since) = line.since.filter(|_| line.what != "unverifiable") {
        let _ = writeln!(out, "  last change of the inode: {}", moment(since));
    }
    match (&line.package, &line.restore) {
        (Some(package), Some(restore)) => {
            let _ = writeln!(out, "  of package {package}; to put it back: `{restore}`");
        }
        (Some(package), None) => {
            let _ = writeln!(out, "  of package {package}");
        }
        _ => {}
    }
}

fn how_text(view: &CheckView, out: &mut String) {
    if view.beside.is_some() {
        for it in &view.notes {
            let _ = writeln!(out, "Not compared: {it}");
        }
        return;
    }
    let mut parts = Vec::new();
    if view.inodes > 0 {
        parts.push(format!("{} inodes by the tables of their file systems", view.inodes));
    }
    parts.push(format!("{} names by their attributes", view.entries));
    parts.push(format!("{} of content", bytes(view.bytes)));
    let _ = writeln!(out, "Compared: {}", parts.join(", "));
    match &view.all_because {
        Some(because) => {
            let _ = writeln!(out, "All content was read: {because}");
        }
        None => out.push_str(
            "Content of files that no attribute tells of was not read: `--content` reads it\n",
        ),
    }
    for (place, because) in &view.not_swept {
        let _ = writeln!(out, "Walked name by name: {place}: {because}");
    }
    if view.rewritten > 0 {
        let _ = writeln!(out, "Written again as they were: {} files", view.rewritten);
    }
    for it in &view.problems {
        let _ = writeln!(out, "Cannot be told: {it}");
    }
    for it in &view.notes {
        let _ = writeln!(out, "Not looked at: {it}");
    }
}

/// Bytes in words.
fn bytes(count: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(unit, _)| count >= *unit) {
        Some((unit, name)) => {
            // To a tenth, without floating point.
            let tenths = count.saturating_mul(10) / unit;
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        None => format!("{count} bytes"),
    }
}
