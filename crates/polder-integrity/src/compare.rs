//! What differs between two looks at a folder.

use crate::entry::{Attribute, Content, Entry, Kind};
use crate::policy::{Here, Policy, Rule, join};
use crate::walk::Folder;
use std::collections::HashMap;

/// One path that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its path.
    pub path: Vec<u8>,
    /// What it was; none when it was not there.
    pub before: Option<Entry>,
    /// What it is; none when it is gone.
    pub after: Option<Entry>,
    /// In what way it differs; of what was added or removed: nothing.
    pub differences: Vec<Difference>,
    /// Names below a folder that was added or removed whole.
    pub below: u64,
}

/// One way in which an entry differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// It is another kind of thing.
    Kind,
    /// Its bytes differ.
    Content,
    /// Its bytes differ, and the times that a change would have left do not tell of one.
    ContentWithoutTrace,
    /// A log does not begin any more with what it had.
    Rewritten,
    /// A log is shorter than it was.
    Truncated,
    /// Its permission bits differ.
    Mode,
    /// Its owner or group differs.
    Owner,
    /// A link leads elsewhere.
    Target,
    /// A device has other numbers.
    Device,
    /// Flags such as immutable differ.
    Flags,
    /// Extended attributes of these names differ.
    Attributes(Vec<Vec<u8>>),
    /// More or fewer names lead to it.
    Links,
    /// Its time of modification was changed, its content was not.
    Modified,
    /// Something is mounted on it, or is not any more.
    Mounted,
    /// Only its inode or the time of its last change differ.
    Trace,
    /// It cannot be told whether it is as it was, with the reason.
    Unverifiable(String),
}

impl Change {
    /// Whether nothing that matters differs: it was written again as it was.
    pub fn is_trace(&self) -> bool {
        self.before.is_some()
            && self.after.is_some()
            && self.differences.iter().all(|it| *it == Difference::Trace)
    }

    /// Whether another look at the same path ends with the same: what is accepted is what was shown.
    pub fn ends_like(&self, other: &Self) -> bool {
        match (&self.after, &other.after) {
            (None, None) => true,
            (Some(a), Some(b)) if a.is_folder() && b.is_folder() => {
                (a.mode, a.uid, a.gid, &a.attributes) == (b.mode, b.uid, b.gid, &b.attributes)
            }
            (Some(a), Some(b)) => {
                let content = match (&a.content, &b.content) {
                    // Of a log the check read the beginning only.
                    (Content::None, _) | (_, Content::None) => {
                        a.size <= b.size && a.inode == b.inode
                    }
                    (a, b) => a == b,
                };
                content
                    && (a.kind, a.mode, a.uid, a.gid) == (b.kind, b.mode, b.uid, b.gid)
                    && (&a.target, a.device, a.flags) == (&b.target, b.device, b.flags)
                    && a.attributes == b.attributes
            }
            _ => false,
        }
    }

    /// Whether it says that nothing can be said.
    pub fn is_unverifiable(&self) -> bool {
        self.differences.iter().any(|it| matches!(it, Difference::Unverifiable(_)))
    }
}

/// What differs in a folder. `known` is what was there before; none where the folder is new.
pub fn compare(policy: &Policy, folder: &Folder, known: Option<&[Entry]>) -> Vec<Change> {
    let rules = policy.within(&folder.path);
    if let Some(problem) = &folder.problem {
        let known = known.unwrap_or_default();
        return vec![Change {
            path: folder.path.clone(),
            before: None,
            after: None,
            differences: vec![Difference::Unverifiable(problem.clone())],
            below: known.len() as u64,
        }];
    }
    let known = known.unwrap_or_default();
    let was = |name: &[u8]| {
        let at = known.binary_search_by(|it| it.name.as_slice().cmp(name)).ok()?;
        known.get(at)
    };
    let logs = match rules.has_logs() {
        true => Logs::new(&rules, folder, known),
        false => Logs::default(),
    };
    let mut changes = Vec::new();
    let change = |before: Option<&Entry>, after: Option<&Entry>, differences| {
        let name = after.or(before).map_or(&[][..], |it| it.name.as_slice());
        let path = if folder.path.is_empty() { b"/".to_vec() } else { join(&folder.path, name) };
        Change { path, before: before.cloned(), after: after.cloned(), differences, below: 0 }
    };
    for after in &folder.entries {
        let rule = rules.of(&after.name);
        let before = was(&after.name);
        let differences = match (rule, before) {
            (Rule::Ignored, _) => continue,
            (Rule::Volatile, before) => {
                if gives_rights(after) && before.is_none_or(|it| !has_same_rights(it, after)) {
                    let differences = before.map_or_else(Vec::new, |it| differences(it, after));
                    changes.push(change(before, Some(after), differences));
                }
                continue;
            }
            (Rule::Grows, _) if after.kind == Kind::File => match logs.judge(before, after) {
                Some(differences) => differences,
                None => continue,
            },
            (_, None) => Vec::new(),
            (_, Some(before)) => match differences(before, after) {
                none if none.is_empty() => continue,
                some => some,
            },
        };
        changes.push(change(before, Some(after), differences));
    }
    for entry in known {
        let is_there = folder.entries.binary_search_by(|it| it.name.cmp(&entry.name)).is_ok();
        let rule = rules.of(&entry.name);
        let may_go = match rule {
            Rule::Ignored | Rule::Volatile => true,
            Rule::Grows => logs.may_go(entry),
            Rule::Full => false,
        };
        if !is_there && !may_go {
            changes.push(change(Some(entry), None, Vec::new()));
        }
    }
    changes
}

/// Whether a file gives rights to whoever uses it, wherever it lies.
fn gives_rights(entry: &Entry) -> bool {
    entry.is_set_uid()
        || entry.is_set_gid()
        || entry.is_executable()
        || matches!(entry.kind, Kind::Character | Kind::Block)
        || entry.attribute(b"security.capability").is_some()
}

/// Whether two entries of one name give the same rights.
fn has_same_rights(a: &Entry, b: &Entry) -> bool {
    let capability = |it: &Entry| it.attribute(b"security.capability").map(<[u8]>::to_vec);
    (a.kind, a.mode, a.uid, a.gid, a.device) == (b.kind, b.mode, b.uid, b.gid, b.device)
        && capability(a) == capability(b)
        // Another inode is another program, whatever its rights.
        && (a.kind != Kind::File || a.inode == b.inode)
}

/// In what way an entry differs.
pub fn differences(before: &Entry, after: &Entry) -> Vec<Difference> {
    let mut all = Vec::new();
    let mut note = |differs: bool, what: Difference| {
        if differs {
            all.push(what);
        }
    };
    if before.kind != after.kind {
        return vec![Difference::Kind];
    }
    let is_folder = after.kind == Kind::Folder;
    let trace =
        (after.changed, after.inode, after.born) != (before.changed, before.inode, before.born);
    let told = trace || after.modified != before.modified || after.size != before.size;
    let content = match (&before.content, &after.content) {
        (_, Content::Unverifiable(because)) => Some(Difference::Unverifiable(because.clone())),
        (Content::Digest(a), Content::Digest(b)) if a != b && told => Some(Difference::Content),
        (Content::Digest(a), Content::Digest(b)) if a != b => Some(Difference::ContentWithoutTrace),
        (Content::Unverifiable(because), Content::Digest(_)) => {
            let because = format!("it could not be read when the baseline was made: {because}");
            Some(Difference::Unverifiable(because))
        }
        _ => None,
    };
    let is_other = content.is_some();
    note(before.mode != after.mode, Difference::Mode);
    note((before.uid, before.gid) != (after.uid, after.gid), Difference::Owner);
    note(before.target != after.target, Difference::Target);
    note(before.device != after.device, Difference::Device);
    note(before.flags != after.flags, Difference::Flags);
    note(before.is_mount != after.is_mount, Difference::Mounted);
    let names = attributes(&before.attributes, &after.attributes);
    note(!names.is_empty(), Difference::Attributes(names));
    note(!is_folder && before.links != after.links, Difference::Links);
    note(
        !is_folder && after.kind != Kind::Link && !is_other && before.modified != after.modified,
        Difference::Modified,
    );
    if let Some(content) = content {
        all.insert(0, content);
    }
    if all.is_empty() && trace && (!is_folder || after.inode != before.inode) {
        all.push(Difference::Trace);
    }
    all
}

/// Names of attributes that one has and the other has not, or with another value.
fn attributes(before: &[Attribute], after: &[Attribute]) -> Vec<Vec<u8>> {
    let differs = |it: &&Attribute, other: &[Attribute]| !other.contains(it);
    let mut names: Vec<Vec<u8>> = before
        .iter()
        .filter(|it| differs(it, after))
        .chain(after.iter().filter(|it| differs(it, before)))
        .map(|it| it.name.clone())
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Logs of a folder: they grow, and are rotated.
#[derive(Default)]
struct Logs<'a> {
    /// Of a log that is there, by its name before: what it begins with now.
    beginnings: HashMap<&'a [u8], (&'a [u8], &'a Content)>,
    /// Names of rotated logs by the log they come from: before, and now.
    rotated: HashMap<Vec<u8>, (usize, usize)>,
    known: HashMap<&'a [u8], &'a Entry>,
    /// Inodes of now.
    inodes: HashMap<u64, &'a Entry>,
}

impl<'a> Logs<'a> {
    fn new(rules: &Here<'_>, folder: &'a Folder, known: &'a [Entry]) -> Self {
        let is_log = |it: &&Entry| it.kind == Kind::File && rules.of(&it.name) == Rule::Grows;
        let mut rotated: HashMap<Vec<u8>, (usize, usize)> = HashMap::new();
        for it in known.iter().filter(is_log) {
            rotated.entry(stem(&it.name)).or_default().0 += 1;
        }
        for it in folder.entries.iter().filter(is_log) {
            rotated.entry(stem(&it.name)).or_default().1 += 1;
        }
        let beginnings = folder.beginnings.iter();
        Self {
            beginnings: beginnings
                .map(|(now, before, content)| (before.as_slice(), (now.as_slice(), content)))
                .collect(),
            rotated,
            known: known.iter().map(|it| (it.name.as_slice(), it)).collect(),
            inodes: folder.entries.iter().map(|it| (it.inode, it)).collect(),
        }
    }

    /// What differs in a log in a way in which logs do not; none when all is well.
    fn judge(&self, before: Option<&Entry>, after: &Entry) -> Option<Vec<Difference>> {
        let mut found = Vec::new();
        let own = self.beginnings.iter().find(|(_, (now, _))| *now == after.name.as_slice());
        let same = own.and_then(|(name, (_, content))| Some((*self.known.get(name)?, *content)));
        if let Some((was, beginning)) = same {
            if after.size < was.size {
                found.push(Difference::Truncated);
            } else if let Content::Unverifiable(because) = beginning {
                found.push(Difference::Unverifiable(because.clone()));
            } else if *beginning != was.content {
                found.push(Difference::Rewritten);
            }
        }
        let stem = stem(&after.name);
        match before {
            None => {
                // One more rotated log of a log that was known, which nobody can run.
                let (known, _) = self.rotated.get(&stem).copied().unwrap_or_default();
                let is_rotated = stem != after.name && known > 0 && !after.is_executable();
                if !is_rotated {
                    return Some(found);
                }
            }
            Some(before) => {
                let mut ours = differences(before, after);
                ours.retain(|it| {
                    matches!(
                        it,
                        Difference::Mode
                            | Difference::Owner
                            | Difference::Flags
                            | Difference::Links
                            | Difference::Unverifiable(_)
                            | Difference::ContentWithoutTrace
                    )
                });
                found.extend(ours);
                // A new inode under the old name: the old one must be somewhere, or have been rotated away.
                if before.inode != after.inode && !self.went_on(before) {
                    found.push(Difference::Content);
                }
            }
        }
        (!found.is_empty()).then_some(found)
    }

    /// Whether a log is still there under another name, or one more rotated log took its place.
    fn went_on(&self, before: &Entry) -> bool {
        let is_there = self.inodes.get(&before.inode).is_some_and(|it| it.born == before.born);
        let (known, now) = self.rotated.get(&stem(&before.name)).copied().unwrap_or_default();
        let packed = |name: &&[u8]| !self.known.contains_key(*name) && is_packed(name);
        let has_new_packed = self
            .inodes
            .values()
            .map(|it| it.name.as_slice())
            .filter(|name| stem(name) == stem(&before.name))
            .any(|name| packed(&name));
        is_there || (now >= known && (has_new_packed || stem(&before.name) != before.name))
    }

    /// Whether a log that is gone went the way of logs.
    fn may_go(&self, before: &Entry) -> bool {
        before.kind == Kind::File && self.went_on(before)
    }
}

/// Whether a name is that of a compressed file.
fn is_packed(name: &[u8]) -> bool {
    [&b".gz"[..], b".xz", b".bz2", b".zst"].iter().any(|end| name.ends_with(end))
}

/// The log that a rotated one comes from: `x.log` of `x.log.2.gz` and of `x.log-20261123`.
fn stem(name: &[u8]) -> Vec<u8> {
    let mut stem = name;
    for end in [&b".gz"[..], b".xz", b".bz2", b".zst"] {
        stem = stem.strip_suffix(end).unwrap_or(stem);
    }
    let digits = stem.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let cut = stem.len() - digits;
    match (digits, cut.checked_sub(1).and_then(|at| stem.get(at))) {
        (1..=3, Some(b'.')) | (6..=14, Some(b'-')) => stem.get(..cut - 1).unwrap_or(stem).to_vec(),
        _ => stem.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Moment;

    fn log(name: &str, inode: u64, size: u64) -> Entry {
        let name = name.as_bytes().to_vec();
        let content = Content::Digest([u8::try_from(inode).unwrap(); 32]);
        Entry { name, inode, size, mode: 0o640, content, ..Entry::default() }
    }

    /// Logs before and now, with what those that go on begin with; the names that are shown.
    #[track_caller]
    fn check(before: &[Entry], after: &[Entry], beginnings: &[(&str, &str, u8)], shown: &[&str]) {
        let mut entries = after.to_vec();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let folder = Folder {
            path: b"/var/log".to_vec(),
            entries,
            beginnings: beginnings
                .iter()
                .map(|(now, was, digest)| {
                    let content = Content::Digest([*digest; 32]);
                    (now.as_bytes().to_vec(), was.as_bytes().to_vec(), content)
                })
                .collect(),
            ..Folder::default()
        };
        let changes = compare(&Policy::default(), &folder, Some(before));
        let names: Vec<String> =
            changes.iter().map(|it| String::from_utf8_lossy(&it.path).into_owned()).collect();
        assert_eq!(names, shown);
    }

    #[test]
    fn a_log_may_grow_but_not_be_rewritten_or_cut() {
        let before = [log("a.log", 1, 10)];
        check(&before, &[log("a.log", 1, 12)], &[("a.log", "a.log", 1)], &[]);
        check(&before, &[log("a.log", 1, 12)], &[("a.log", "a.log", 9)], &["/var/log/a.log"]);
        check(&before, &[log("a.log", 1, 3)], &[("a.log", "a.log", 9)], &["/var/log/a.log"]);
        check(&before, &[], &[], &["/var/log/a.log"]);
    }

    #[test]
    fn a_log_may_be_rotated_and_compressed() {
        let before = [log("a.log", 1, 10), log("a.log.1", 2, 10), log("a.log.2.gz", 3, 10)];
        let after = [log("a.log", 4, 1), log("a.log.1", 1, 15), log("a.log.2.gz", 5, 4)];
        check(&before, &after, &[("a.log.1", "a.log", 1)], &[]);
        // The same, but what was written yesterday is gone.
        let after = [log("a.log", 4, 1), log("a.log.1", 2, 10), log("a.log.2.gz", 3, 10)];
        check(&before, &after, &[], &["/var/log/a.log"]);
        // Fewer than before.
        let after = [log("a.log", 1, 10), log("a.log.1", 2, 10)];
        check(&before, &after, &[], &["/var/log/a.log.2.gz"]);
    }

    #[test]
    fn a_rotated_log_is_known_by_the_one_it_comes_from() {
        for (name, expected) in
            [("a.log.2.gz", "a.log"), ("a-20261123", "a"), ("a.log", "a.log"), ("v1.23", "v1")]
        {
            assert_eq!(stem(name.as_bytes()), expected.as_bytes());
        }
    }

    #[test]
    fn what_gives_rights_is_shown_even_where_files_come_and_go() {
        let with = |mode| Entry { mode, ..log("x", 1, 1) };
        let folder = |entry: &Entry| Folder {
            path: b"/tmp".to_vec(),
            entries: vec![entry.clone()],
            ..Folder::default()
        };
        let policy = Policy::default();
        assert!(compare(&policy, &folder(&with(0o644)), Some(&[])).is_empty());
        assert_eq!(compare(&policy, &folder(&with(0o4755)), Some(&[])).len(), 1);
        assert!(compare(&policy, &folder(&with(0o4755)), Some(&[with(0o4755)])).is_empty());
        assert_eq!(compare(&policy, &folder(&with(0o4755)), Some(&[with(0o755)])).len(), 1);
    }

    #[test]
    fn content_that_changed_without_a_trace_says_so() {
        let before = log("a", 1, 4);
        let after = Entry { content: Content::Digest([9; 32]), ..before.clone() };
        assert_eq!(differences(&before, &after), [Difference::ContentWithoutTrace]);
        let touched = Entry { changed: Moment(5, 0), ..before.clone() };
        assert_eq!(differences(&before, &touched), [Difference::Trace]);
        let set_back = Entry { changed: Moment(5, 0), modified: Moment(1, 0), ..before.clone() };
        assert_eq!(differences(&before, &set_back), [Difference::Modified]);
    }
}
