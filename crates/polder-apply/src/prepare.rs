//! From changes to an operation: what each thing is now, what it will be, and how that reads.

use crate::ApplyError;
use crate::file::{FileState, Place};
use crate::state::{State, can_be_had, observe};
use crate::tools::Ground;
use polder_access::{Piece, lines};
use polder_model::{Change, SetLine, Treatment, printable_str};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

/// Lines around a change that are shown.
const CONTEXT: usize = 2;

/// One change with the states before and after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prepared {
    /// The change.
    pub change: Change,
    /// The state it must find.
    pub before: State,
    /// The state it leaves.
    pub after: State,
}

impl Prepared {
    /// The change as an imperative.
    pub fn words(&self) -> String {
        words(&self.change)
    }

    /// Whether it is so already.
    pub fn is_done(&self) -> bool {
        self.before == self.after && self.before != State::Nothing
    }
}

/// All that is done for one treatment, ready to be journaled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// The treatment.
    pub treatment: String,
    /// What it does, in words.
    pub title: String,
    /// Changes in order.
    pub changes: Vec<Prepared>,
}

impl Operation {
    /// Looks at everything the treatment would change; changes nothing.
    ///
    /// # Errors
    /// When something is missing, is no regular file, or a program is not there.
    pub fn prepare(ground: &Ground, treatment: &Treatment) -> Result<Self, ApplyError> {
        let mut changes: Vec<Prepared> = Vec::new();
        let mut made: Vec<String> = Vec::new();
        for change in &treatment.changes {
            for folder in missing_folders(ground, change)? {
                if !made.contains(&folder) {
                    made.push(folder.clone());
                    changes.push(prepared(ground, Change::MakeFolder { path: folder }, &changes)?);
                }
            }
            if matches!(change, Change::MakeFolder { path } if made.contains(path)) {
                continue;
            }
            changes.push(prepared(ground, change.clone(), &changes)?);
        }
        Ok(Self { treatment: treatment.id.0.clone(), title: treatment.title.clone(), changes })
    }

    /// One file put back as it was; none for one that was not there. What is there now is kept for taking back.
    ///
    /// # Errors
    /// When the path leads to a folder or a device, through a link, or to more than is kept.
    pub fn put_back(ground: &Ground, path: &str, was: Option<State>) -> Result<Self, ApplyError> {
        let change = Change::PutBack { path: path.into() };
        let before = observe(ground, &change, &State::Nothing)?;
        let after = was.unwrap_or(State::Absent);
        let changes = vec![Prepared { change, before, after }];
        Ok(Self {
            treatment: format!("restore:{path}"),
            title: format!("put `{}` back", printable_str(path)),
            changes,
        })
    }

    /// Other rights for an account of a database: what is so now of both, and what is to be.
    pub fn rights(
        server: &str,
        account: &str,
        title: String,
        before: &BTreeSet<Piece>,
        after: &BTreeSet<Piece>,
    ) -> Self {
        let state = |so: &BTreeSet<Piece>, other: &BTreeSet<Piece>| State::Rights {
            so: so.clone(),
            not: other.difference(so).cloned().collect(),
        };
        let change = Change::AccountRights { server: server.into(), account: account.into() };
        let changes =
            vec![Prepared { change, before: state(before, after), after: state(after, before) }];
        Self { treatment: format!("least-access:{account}"), title, changes }
    }

    /// What could not be taken back, in words; looked at before anything is done.
    pub fn no_way_back(&self, ground: &Ground) -> Vec<String> {
        let upgrades = self.changes.iter().filter(|it| !it.is_done()).filter_map(|it| {
            let State::Versions(before) = &it.before else { return None };
            (!can_be_had(ground, before))
                .then(|| format!("{}: the old versions are no longer offered", words(&it.change)))
        });
        upgrades.collect()
    }

    /// What would change, as text: differences of files, one line for everything else.
    pub fn shown(&self) -> String {
        let mut out = String::new();
        for it in &self.changes {
            match (&it.before, &it.after) {
                _ if it.is_done() => {
                    let _ = writeln!(out, "  (already so) {}", words(&it.change));
                }
                (State::File(before), State::File(after)) => {
                    let _ = writeln!(out, "  {}", words(&it.change));
                    difference(&mut out, &before.content(), &after.content());
                }
                (State::Absent, State::File(after)) => {
                    let _ = writeln!(out, "  {}", words(&it.change));
                    difference(&mut out, b"", &after.content());
                }
                (State::File(before), State::Absent) => {
                    let _ = writeln!(out, "  {}", words(&it.change));
                    difference(&mut out, &before.content(), b"");
                }
                (State::Link(before), State::Link(after)) => {
                    let _ = writeln!(out, "  {}: {before} -> {after}", words(&it.change));
                }
                (State::Mode(before), State::Mode(after)) => {
                    let _ = writeln!(out, "  {}: {before:04o} -> {after:04o}", words(&it.change));
                }
                (State::Owner(uid, gid), State::Owner(new_uid, new_gid)) => {
                    let _ = writeln!(
                        out,
                        "  {}: {uid}:{gid} -> {new_uid}:{new_gid}",
                        words(&it.change)
                    );
                }
                (State::Rights { so: before, .. }, State::Rights { so: after, .. }) => {
                    let _ = writeln!(out, "  {}", words(&it.change));
                    for gone in lines(before.difference(after)) {
                        let _ = writeln!(out, "  - {}", printable_str(&gone));
                    }
                    for new in lines(after.difference(before)) {
                        let _ = writeln!(out, "  + {}", printable_str(&new));
                    }
                }
                (State::Versions(before), State::Versions(after)) => {
                    let _ = writeln!(out, "  {}", words(&it.change));
                    for (name, version) in after {
                        let old = before.get(name).cloned().flatten();
                        let old = old.unwrap_or_else(|| "not installed".into());
                        let new = version.clone().unwrap_or_else(|| "removed".into());
                        let _ = writeln!(out, "    {name}: {old} -> {new}");
                    }
                }
                _ => {
                    let _ = writeln!(out, "  {}", words(&it.change));
                }
            }
        }
        out
    }
}

/// A change as an imperative.
pub(crate) fn words(change: &Change) -> String {
    match change {
        Change::WriteFile { path, .. } => format!("write `{path}`"),
        Change::SetLines { path, .. } => format!("edit `{path}`"),
        Change::RemoveFile { path } => format!("remove `{path}`"),
        Change::PutBack { path } => format!("put `{}` back", printable_str(path)),
        Change::MakeFolder { path } => format!("make the folder `{path}`"),
        Change::ClearMode { path, .. } => format!("change the mode of `{path}`"),
        Change::SetOwner { path, .. } => format!("change the owner of `{path}`"),
        Change::DropCapabilities { path } => format!("take the capabilities of `{path}` away"),
        Change::EnableUnit { unit, enabled: true } => format!("let `{unit}` start at boot"),
        Change::EnableUnit { unit, .. } => format!("let `{unit}` not start at boot"),
        Change::RunUnit { unit, running: true } => format!("start `{unit}`"),
        Change::RunUnit { unit, .. } => format!("stop `{unit}`"),
        Change::RestartUnit { unit } => format!("restart `{unit}`"),
        Change::ReloadUnit { unit } => format!("reload `{unit}`"),
        Change::InstallPackages { names } => format!("install {}", names.join(", ")),
        Change::UpgradePackages { names } => format!("upgrade {}", names.join(", ")),
        Change::LoadRules { table, path } => format!("load `{path}` as the table `{table}`"),
        Change::AccountRights { account, .. } => {
            format!("change what the account `{account}` may do")
        }
        Change::Check { check } => match check {
            polder_model::Check::Sshd => "check with `sshd -t`".into(),
            polder_model::Check::Sudoers => "check with `visudo -c`".into(),
            polder_model::Check::Nginx => "check with `nginx -t`".into(),
            polder_model::Check::Rules { path } => format!("check with `nft -c -f {path}`"),
        },
    }
}

/// The change with its states; `earlier` changes of the same operation count as made.
fn prepared(ground: &Ground, change: Change, earlier: &[Prepared]) -> Result<Prepared, ApplyError> {
    let path = file_of(&change);
    let same = earlier.iter().rev().find(|it| path.is_some() && file_of(&it.change) == path);
    let before = match (same, &change) {
        (
            Some(it),
            Change::WriteFile { .. } | Change::SetLines { .. } | Change::RemoveFile { .. },
        ) => it.after.clone(),
        // Tools that an earlier change installs are not there to be asked yet.
        (None, Change::LoadRules { .. }) if installs(earlier) => State::Loaded(false),
        _ => observe(ground, &change, &State::Nothing)?,
    };
    let after = match (&change, &before) {
        (Change::WriteFile { content, .. }, State::File(it)) => {
            State::File(it.with(content.as_bytes()))
        }
        (Change::WriteFile { content, .. }, _) => State::File(FileState::fresh(content.as_bytes())),
        (Change::SetLines { path, lines }, State::File(it)) => {
            let text = String::from_utf8(it.content())
                .map_err(|_| ApplyError::NotText { path: path.into() })?;
            State::File(it.with(set_lines(&text, lines).as_bytes()))
        }
        (Change::RemoveFile { .. }, _) => State::Absent,
        (Change::MakeFolder { .. }, _) => State::Folder,
        (Change::ClearMode { bits, .. }, State::Mode(mode)) => State::Mode(mode & !bits),
        (Change::SetOwner { uid, gid, .. }, State::Owner(..)) => State::Owner(*uid, *gid),
        (Change::DropCapabilities { .. }, State::Capabilities(_)) => State::Capabilities(None),
        (Change::EnableUnit { enabled, .. }, _) => State::Enabled(*enabled),
        (Change::RunUnit { running, .. }, _) => State::Running(*running),
        (Change::LoadRules { .. }, _) => State::Loaded(true),
        (Change::InstallPackages { names }, State::Versions(_)) => {
            return packages(ground, &change, names, "install");
        }
        (Change::UpgradePackages { names }, State::Versions(_)) => {
            return packages(ground, &change, names, "upgrade");
        }
        (Change::RestartUnit { .. } | Change::ReloadUnit { .. } | Change::Check { .. }, _) => {
            State::Nothing
        }
        _ => {
            return Err(ApplyError::File {
                doing: "find",
                path: path.unwrap_or_default().into(),
                source: std::io::ErrorKind::NotFound.into(),
            });
        }
    };
    Ok(Prepared { change, before, after })
}

fn installs(earlier: &[Prepared]) -> bool {
    earlier.iter().any(|it| matches!(it.change, Change::InstallPackages { .. }) && !it.is_done())
}

fn file_of(change: &Change) -> Option<String> {
    match change {
        Change::WriteFile { path, .. }
        | Change::SetLines { path, .. }
        | Change::RemoveFile { path }
        | Change::PutBack { path }
        | Change::ClearMode { path, .. }
        | Change::SetOwner { path, .. }
        | Change::DropCapabilities { path } => Some(path.clone()),
        _ => None,
    }
}

/// Folders above a new file that are not there, the outermost first.
fn missing_folders(ground: &Ground, change: &Change) -> Result<Vec<String>, ApplyError> {
    let path = match change {
        Change::WriteFile { path, .. } => Path::new(path).parent(),
        Change::MakeFolder { path } => Some(Path::new(path.as_str())),
        _ => None,
    };
    let mut missing = Vec::new();
    for folder in path.into_iter().flat_map(Path::ancestors) {
        let Some(text) = folder.to_str().filter(|it| *it != "/" && !it.is_empty()) else { break };
        let place = Place::find(ground.root(), text)?;
        if place.map(|it| it.kind()).transpose()?.flatten().is_some() {
            break;
        }
        missing.push(text.to_string());
    }
    missing.reverse();
    Ok(missing)
}

/// What the package manager says it would do: packages it would touch, from and to which version.
fn packages(
    ground: &Ground,
    change: &Change,
    names: &[String],
    verb: &str,
) -> Result<Prepared, ApplyError> {
    // A package that is there already is not brought to another version by the way.
    let known = match observe(ground, change, &State::Nothing)? {
        State::Versions(known) => known,
        _ => BTreeMap::new(),
    };
    let is_there = |name: &&String| known.get(*name).is_some_and(Option::is_some);
    let names: Vec<&String> =
        names.iter().filter(|it| verb == "upgrade" || !is_there(it)).collect();
    if names.is_empty() {
        let none = State::Versions(BTreeMap::new());
        return Ok(Prepared { change: change.clone(), before: none.clone(), after: none });
    }
    let mut arguments = vec!["--simulate", "--quiet", "--no-remove", "install"];
    if verb == "upgrade" {
        arguments.push("--only-upgrade");
    }
    arguments.extend(names.iter().map(|it| it.as_str()));
    let says = ground.run("apt-get", &arguments)?;
    let mut after: BTreeMap<String, Option<String>> = BTreeMap::new();
    for line in says.lines() {
        let mut fields = line.split_whitespace();
        if fields.next() != Some("Inst") {
            continue;
        }
        let name = fields.next().unwrap_or_default();
        let version = fields.find_map(|it| it.strip_prefix('('));
        after.insert(name.into(), version.map(str::to_string));
    }
    let like = State::Versions(after.clone());
    let before = match after.is_empty() {
        true => State::Versions(BTreeMap::new()),
        false => observe(ground, change, &like)?,
    };
    Ok(Prepared { change: change.clone(), before, after: like })
}

/// Text in which each line is there once, in place of the first line with its key.
fn set_lines(text: &str, lines: &[SetLine]) -> String {
    let key = |line: &str| {
        let line = line.trim_start();
        let end = line.find(|it: char| it.is_whitespace() || it == '=').unwrap_or(line.len());
        line.get(..end).unwrap_or_default().to_string()
    };
    let mut out: Vec<String> = Vec::new();
    let mut set = vec![false; lines.len()];
    for line in text.lines() {
        let own =
            lines.iter().zip(&mut set).find(|(it, _)| it.key.eq_ignore_ascii_case(&key(line)));
        match own {
            None => out.push(line.into()),
            Some((it, done)) if !*done => {
                *done = true;
                out.push(it.line.clone());
            }
            // A later line of the same key would win over ours.
            Some(_) => {}
        }
    }
    let missing = lines.iter().zip(&set).filter(|(_, done)| !**done);
    out.extend(missing.map(|(it, _)| it.line.clone()));
    let mut text = out.join("\n");
    text.push('\n');
    text
}

/// The lines that differ, with some around them.
fn difference(out: &mut String, before: &[u8], after: &[u8]) {
    let (before, after) = (String::from_utf8_lossy(before), String::from_utf8_lossy(after));
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let same_start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let left = old.len().min(new.len()) - same_start;
    let same_end =
        old.iter().rev().zip(new.iter().rev()).take(left).take_while(|(a, b)| a == b).count();
    let mut show = |mark: &str, lines: &[&str], from: usize, to: usize| {
        for line in lines.iter().take(to).skip(from) {
            let _ = writeln!(out, "    {mark} {}", printable_str(line));
        }
    };
    show(" ", &old, same_start.saturating_sub(CONTEXT), same_start);
    show("-", &old, same_start, old.len() - same_end);
    show("+", &new, same_start, new.len() - same_end);
    show(" ", &old, old.len() - same_end, (old.len() - same_end + CONTEXT).min(old.len()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_takes_the_place_of_the_first_and_the_others_go() {
        let lines = [
            SetLine { key: "bind".into(), line: "bind 127.0.0.1".into() },
            SetLine { key: "port".into(), line: "port 6379".into() },
        ];
        let text = "# bind 0.0.0.0\nbind 0.0.0.0\nsave 1\n  BIND ::\n";
        assert_eq!(set_lines(text, &lines), "# bind 0.0.0.0\nbind 127.0.0.1\nsave 1\nport 6379\n");
        assert_eq!(set_lines(&set_lines(text, &lines), &lines), set_lines(text, &lines));
    }

    #[test]
    fn a_difference_shows_only_what_differs() {
        let mut out = String::new();
        difference(&mut out, b"a\nb\nc\nd\ne\nf\n", b"a\nb\nc\nX\ne\nf\n");
        assert_eq!(out, "      b\n      c\n    - d\n    + X\n      e\n      f\n");
    }
}
