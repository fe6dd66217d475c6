//! What differs between two looks at a folder.

use crate::entry::{Attribute, Content, Entry, Kind};
use crate::policy::{Policy, Rule, join};
use crate::walk::Folder;

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
    /// Its package was upgraded, and it was not: what the package is, in words.
    Behind(String),
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

    /// Whether it says that nothing can be said, and nothing else.
    pub fn is_unverifiable(&self) -> bool {
        let is_unknown = |it: &Difference| matches!(it, Difference::Unverifiable(_));
        !self.differences.is_empty() && self.differences.iter().all(is_unknown)
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
        true => Logs::new(folder, known),
        false => Logs::default(),
    };
    let mut changes = Vec::new();
    let change = |before: Option<&Entry>, after: Option<&Entry>, differences| {
        let name = after.or(before).map_or(&[][..], |it| it.name.as_slice());
        let path = if folder.path.is_empty() { b"/".to_vec() } else { join(&folder.path, name) };
        Change { path, before: before.cloned(), after: after.cloned(), differences, below: 0 }
    };
    for after in &folder.entries {
        let before = was(&after.name);
        if let Some(differences) = judge(rules.of(&after.name), before, after, folder, &logs) {
            changes.push(change(before, Some(after), differences));
        }
    }
    for entry in known {
        let is_there = folder.entries.binary_search_by(|it| it.name.cmp(&entry.name)).is_ok();
        let rule = rules.of(&entry.name);
        let may_go = match rule {
            Rule::Ignored | Rule::Volatile => true,
            Rule::Grows => !folder.has_logs || logs.may_go(entry),
            Rule::Full => false,
        };
        if !is_there && !may_go {
            changes.push(change(Some(entry), None, Vec::new()));
        }
    }
    changes
}

/// In what way an entry is not as its rule wants it; none when all is well.
fn judge(
    rule: Rule,
    before: Option<&Entry>,
    after: &Entry,
    folder: &Folder,
    logs: &Logs<'_>,
) -> Option<Vec<Difference>> {
    let is_log = rule == Rule::Grows && after.kind == Kind::File;
    let all = || before.map_or_else(Vec::new, |it| differences(it, after));
    match (rule, before) {
        (Rule::Ignored, _) => None,
        (Rule::Volatile, before) if !before.is_some_and(Entry::is_folder) => {
            let is_told =
                gives_rights(after) && before.is_none_or(|it| !has_same_rights(it, after));
            is_told.then(all)
        }
        _ if is_log && folder.has_logs => logs.judge(before, after),
        // Between two baselines nothing tells how a log begins.
        (_, Some(_)) if is_log => None,
        (_, None) => Some(Vec::new()),
        (_, Some(_)) => Some(all()).filter(|it| !it.is_empty()),
    }
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
        // Other content is another program, whatever its rights.
        && a.content == b.content
}

/// Seconds between the times of content and inode that writing a file may leave.
const SET_SECONDS: i64 = 2;

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
    // Who writes a file leaves the same moment in both times; who sets one does not.
    let is_set = (after.modified.0 - after.changed.0).abs() > SET_SECONDS;
    let is_plain = !is_folder && after.kind != Kind::Link && !is_other;
    note(is_plain && is_set && before.modified != after.modified, Difference::Modified);
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
    known: &'a [Entry],
    now: &'a [Entry],
    /// What begins with what a log had: the name now, the name before, and how it begins.
    beginnings: &'a [(Vec<u8>, Vec<u8>, Content)],
}

impl<'a> Logs<'a> {
    fn new(folder: &'a Folder, known: &'a [Entry]) -> Self {
        Self { known, now: &folder.entries, beginnings: &folder.beginnings }
    }

    /// What differs in a log in a way in which logs do not; none when all is well.
    fn judge(&self, before: Option<&Entry>, after: &Entry) -> Option<Vec<Difference>> {
        let mut found = Vec::new();
        let same = self.known.iter().find(|it| is_same_inode(it, after));
        if let Some(was) = same.filter(|was| !self.goes_on(was)) {
            let begins =
                self.beginnings.iter().find(|(now, old, _)| *now == after.name && *old == was.name);
            match (begins.map(|it| &it.2), &was.content) {
                _ if after.size < was.size => found.push(Difference::Truncated),
                (Some(Content::Unverifiable(because)), _) | (_, Content::Unverifiable(because)) => {
                    found.push(Difference::Unverifiable(because.clone()));
                }
                _ => found.push(Difference::Rewritten),
            }
        }
        match before {
            // One that takes the place of another is that one.
            None if self.takes_over(after) || self.came_between(after) => {}
            None => return Some(found),
            Some(before) => {
                let mut ours = differences(before, after);
                ours.retain(|it| {
                    matches!(
                        it,
                        Difference::Mode
                            | Difference::Owner
                            | Difference::Flags
                            | Difference::Links
                            | Difference::Attributes(_)
                            | Difference::Unverifiable(_)
                            | Difference::ContentWithoutTrace
                    )
                });
                found.extend(ours.into_iter().filter(|it| !found.contains(it)).collect::<Vec<_>>());
                // A new inode under the old name: what the old one held must be somewhere.
                if !is_same_inode(before, after) && !self.went_on(before) {
                    found.push(Difference::Content);
                }
            }
        }
        (!found.is_empty()).then_some(found)
    }

    /// Whether what a log held is still there, at the beginning of some log.
    fn goes_on(&self, was: &Entry) -> bool {
        let untouched = self
            .now
            .iter()
            .any(|it| is_same_inode(it, was) && it.content == was.content && it.size == was.size);
        let begins = self.beginnings.iter().any(|(_, old, begins)| {
            *old == was.name && *begins == was.content && matches!(begins, Content::Digest(_))
        });
        untouched || begins || was.size == 0
    }

    /// The same, or it was the last of a row that moved up.
    fn went_on(&self, was: &Entry) -> bool {
        if self.goes_on(was) {
            return true;
        }
        let stem = stem(&was.name);
        let mut row: Vec<&Entry> = self
            .known
            .iter()
            .filter(|it| it.kind == Kind::File && self::stem(&it.name) == stem)
            .collect();
        row.sort_by_key(|it| it.modified);
        let is_last = row.first().is_some_and(|it| it.name == was.name) && was.name != stem;
        let others = row.iter().filter(|it| it.name != was.name);
        let moved =
            |it: &&Entry| !self.now.iter().any(|now| now.name == it.name && is_same_inode(now, it));
        let count = self.now.iter().filter(|it| self::stem(&it.name) == stem).count();
        is_last && count >= row.len() && others.clone().all(|it| self.goes_on(it) && moved(it))
    }

    /// Whether a new name holds what a log that was known held.
    fn takes_over(&self, after: &Entry) -> bool {
        let same = self.known.iter().any(|it| is_same_inode(it, after));
        let begins = self.beginnings.iter().any(|(now, old, begins)| {
            let was = self.known.iter().find(|it| it.name == *old);
            *now == after.name && was.is_some_and(|it| it.content == *begins)
        });
        (same || begins) && !after.is_executable()
    }

    /// Whether a new name continues the row of a log that is known: what was begun and put away since the baseline,
    /// with no other rights than that log has.
    fn came_between(&self, after: &Entry) -> bool {
        let stem = stem(&after.name);
        let is_like = |log: &Entry| {
            (log.uid, log.gid) == (after.uid, after.gid)
                && after.mode & !log.mode == 0
                && after.attributes == log.attributes
                && after.links == log.links
                && after.flags == log.flags
                && after.modified >= log.modified
        };
        let is_known =
            stem != after.name && self.known.iter().any(|it| it.name == stem && is_like(it));
        let is_there = |number| {
            self.now.iter().any(|it| self::stem(&it.name) == stem && place(&it.name) == number)
        };
        let follows = match place(&after.name) {
            // With a date there is no order.
            None => true,
            Some(number) => is_there(number.checked_sub(1).filter(|it| *it > 0)),
        };
        is_known && follows && !after.is_executable()
    }

    /// Whether a log that is gone went the way of logs.
    fn may_go(&self, before: &Entry) -> bool {
        before.kind == Kind::File && self.went_on(before)
    }
}

/// Whether two entries are one inode.
fn is_same_inode(a: &Entry, b: &Entry) -> bool {
    a.inode == b.inode && a.born == b.born
}

/// Where in its row a rotated log stands: 2 of `x.log.2.gz`; none of the log itself and of one with a date.
fn place(name: &[u8]) -> Option<u32> {
    let stem = stem(name);
    let rest = name.get(stem.len()..)?.strip_prefix(b".")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()
}

/// The log that a rotated one comes from: `x.log` of `x.log.2.gz` and of `x.log-20261123`.
pub(crate) fn stem(name: &[u8]) -> Vec<u8> {
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
        // The higher the number, the older.
        let modified = Moment(-i64::try_from(inode).unwrap(), 0);
        Entry { name, inode, size, mode: 0o640, modified, content, ..Entry::default() }
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
            has_logs: true,
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
        check(&before, &after, &[("a.log.1", "a.log", 1), ("a.log.2.gz", "a.log.1", 2)], &[]);
        // Another one was begun and put away since, in a row that had no other.
        let only = [log("a.log", 1, 10)];
        let later = |entry: Entry| Entry { modified: Moment(9, 0), ..entry };
        let second = later(log("a.log.1", 5, 7));
        let after = [log("a.log", 4, 1), second.clone(), log("a.log.2.gz", 6, 4)];
        check(&only, &after, &[("a.log.2.gz", "a.log", 1)], &[]);
        // With rights that the log has not, or older than it.
        for other in [
            Entry { mode: 0o644, ..second.clone() },
            Entry { uid: 7, ..second.clone() },
            log("a.log.1", 5, 7),
        ] {
            let after = [log("a.log", 4, 1), other, log("a.log.2.gz", 6, 4)];
            check(&only, &after, &[("a.log.2.gz", "a.log", 1)], &["/var/log/a.log.1"]);
        }
        let after = [log("a.log", 1, 12), log("a.log.7", 5, 7), log("b.log.1", 6, 4)];
        check(&only, &after, &[("a.log", "a.log", 1)], &["/var/log/a.log.7", "/var/log/b.log.1"]);
        let after = [log("a.log", 4, 1), log("a.log.1", 1, 15), log("a.log.2.gz", 5, 4)];
        // The same, but what was compressed is not what the log held.
        check(
            &before,
            &after,
            &[("a.log.1", "a.log", 1)],
            &["/var/log/a.log.1", "/var/log/a.log.2.gz"],
        );
        // What was written yesterday is gone.
        let after = [log("a.log", 4, 1), log("a.log.1", 2, 10), log("a.log.2.gz", 3, 10)];
        check(&before, &after, &[], &["/var/log/a.log"]);
        // Fewer than before.
        let after = [log("a.log", 1, 10), log("a.log.1", 2, 10)];
        check(&before, &after, &[], &["/var/log/a.log.2.gz"]);
        // One that was rewritten beside its place, and one that nobody knows.
        let after = [
            log("a.log", 1, 10),
            log("a.log.1", 9, 8),
            log("a.log.2.gz", 3, 10),
            log("a.log.9.gz", 8, 1),
        ];
        check(&before, &after, &[], &["/var/log/a.log.1", "/var/log/a.log.9.gz"]);
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
        let other = Entry { content: Content::Digest([9; 32]), ..with(0o755) };
        assert_eq!(compare(&policy, &folder(&other), Some(&[with(0o755)])).len(), 1);
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
