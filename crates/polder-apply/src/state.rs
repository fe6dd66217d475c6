//! The state of the one thing that a change is about, and how to move it to another state.

use crate::ApplyError;
use crate::file::{FileState, Place};
use crate::tools::Ground;
use polder_access::Piece;
use polder_model::{Change, Check};
use rustix::fs::FileType;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The attribute that holds file capabilities (`capabilities(7)`).
const CAPABILITY: &str = "security.capability";

/// Nobody is there to answer questions: what the admin changed stays as it is.
const KEEP_CONFIGURATION: [&str; 4] =
    ["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"];

/// The state of one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "value")]
pub enum State {
    /// It is not there.
    Absent,
    /// A file.
    File(FileState),
    /// A symbolic link, with where it leads.
    Link(String),
    /// A folder.
    Folder,
    /// Permission bits.
    Mode(u32),
    /// User and group.
    Owner(u32, u32),
    /// File capabilities in hexadecimal, if any.
    Capabilities(Option<String>),
    /// Whether a unit starts at boot.
    Enabled(bool),
    /// Whether a unit runs.
    Running(bool),
    /// Versions of packages; none for those that are not installed.
    Versions(BTreeMap<String, Option<String>>),
    /// Whether a table of rules is loaded.
    Loaded(bool),
    /// Rights in a database.
    Rights {
        /// What is so.
        so: BTreeSet<Piece>,
        /// What is not so.
        not: BTreeSet<Piece>,
    },
    /// Nothing that can be looked at: a restart, a check.
    Nothing,
}

/// The thing a change is about, in words.
pub(crate) fn subject(change: &Change) -> String {
    match change {
        Change::WriteFile { path, .. }
        | Change::SetLines { path, .. }
        | Change::RemoveFile { path }
        | Change::PutBack { path }
        | Change::MakeFolder { path } => format!("`{path}`"),
        Change::ClearMode { path, .. } => format!("the mode of `{path}`"),
        Change::SetOwner { path, .. } => format!("the owner of `{path}`"),
        Change::DropCapabilities { path } => format!("the capabilities of `{path}`"),
        Change::EnableUnit { unit, .. } => format!("whether `{unit}` starts at boot"),
        Change::RunUnit { unit, .. } => format!("whether `{unit}` runs"),
        Change::RestartUnit { unit } | Change::ReloadUnit { unit } => format!("`{unit}`"),
        Change::InstallPackages { names } | Change::UpgradePackages { names } => {
            format!("the packages {}", names.join(", "))
        }
        Change::LoadRules { table, .. } => format!("the rules of `{table}`"),
        Change::AccountRights { account, .. } => format!("what the account `{account}` may do"),
        Change::Check { .. } => "the configuration".into(),
    }
}

/// Looks at the thing; `like` tells which packages count.
pub(crate) fn observe(ground: &Ground, change: &Change, like: &State) -> Result<State, ApplyError> {
    let place = |path: &str| Place::find(ground.root(), path);
    let file = |path: &str| place(path)?.map(|it| it.read()).transpose().map(Option::flatten);
    let owner = |path: &str| place(path)?.map(|it| it.owner()).transpose().map(Option::flatten);
    Ok(match change {
        Change::WriteFile { path, .. }
        | Change::SetLines { path, .. }
        | Change::RemoveFile { path } => file(path)?.map_or(State::Absent, State::File),
        Change::PutBack { path } => match place(path)? {
            None => State::Absent,
            Some(it) if it.kind()? == Some(FileType::Symlink) => State::Link(it.target()?),
            Some(it) => it.read()?.map_or(State::Absent, State::File),
        },
        Change::MakeFolder { path } => {
            let kind = place(path)?.map(|it| it.kind()).transpose()?.flatten();
            if kind == Some(FileType::Directory) { State::Folder } else { State::Absent }
        }
        Change::ClearMode { path, .. } => {
            owner(path)?.map_or(State::Absent, |(mode, ..)| State::Mode(mode))
        }
        Change::SetOwner { path, .. } => {
            owner(path)?.map_or(State::Absent, |(_, uid, gid)| State::Owner(uid, gid))
        }
        Change::DropCapabilities { path } => {
            let found = place(path)?.map(|it| it.attribute(CAPABILITY)).transpose()?.flatten();
            found.map_or(State::Absent, State::Capabilities)
        }
        Change::EnableUnit { unit, .. } => {
            State::Enabled(ground.ask("systemctl", &["is-enabled", "--quiet", unit])?.0)
        }
        Change::RunUnit { unit, .. } => {
            State::Running(ground.ask("systemctl", &["is-active", "--quiet", unit])?.0)
        }
        Change::InstallPackages { names } | Change::UpgradePackages { names } => match like {
            State::Versions(known) => State::Versions(versions(ground, known.keys())?),
            _ => State::Versions(versions(ground, names.iter())?),
        },
        Change::LoadRules { table, .. } => {
            let mut arguments = vec!["list", "table"];
            arguments.extend(table.split(' '));
            match ground.ask("nft", &arguments) {
                Ok((is_there, _)) => State::Loaded(is_there),
                // Without the program there is nobody who could have loaded anything.
                Err(ApplyError::NoTool { .. }) => State::Loaded(false),
                Err(error) => return Err(error),
            }
        }
        Change::AccountRights { server, .. } => match like {
            State::Rights { so, not } => {
                let all: BTreeSet<Piece> = so.union(not).cloned().collect();
                let so = polder_access::observe(server, ground.ambient(), &all)?;
                State::Rights { not: all.difference(&so).cloned().collect(), so }
            }
            _ => State::Nothing,
        },
        Change::RestartUnit { .. } | Change::ReloadUnit { .. } | Change::Check { .. } => {
            State::Nothing
        }
    })
}

/// Moves the thing to a state.
pub(crate) fn act(
    ground: &Ground,
    change: &Change,
    to: &State,
    reach: &dyn Fn(&str),
) -> Result<(), ApplyError> {
    let place = |path: &str| {
        Place::find(ground.root(), path)?.ok_or_else(|| ApplyError::File {
            doing: "find the folder of",
            path: path.into(),
            source: std::io::ErrorKind::NotFound.into(),
        })
    };
    match (change, to) {
        (
            Change::WriteFile { path, .. }
            | Change::SetLines { path, .. }
            | Change::RemoveFile { path },
            State::File(state),
        ) => place(path)?.write(state, reach),
        (
            Change::WriteFile { path, .. }
            | Change::SetLines { path, .. }
            | Change::RemoveFile { path },
            _,
        ) => place(path)?.remove(),
        (Change::PutBack { path }, State::File(state)) => place(path)?.write(state, reach),
        (Change::PutBack { path }, State::Link(target)) => place(path)?.link(target, reach),
        (Change::PutBack { path }, _) => place(path)?.remove(),
        (Change::MakeFolder { path }, State::Folder) => place(path)?.make_folder(),
        (Change::MakeFolder { path }, _) => place(path)?.remove_folder(),
        (Change::ClearMode { path, .. }, State::Mode(mode)) => place(path)?.set_mode(*mode),
        (Change::SetOwner { path, .. }, State::Owner(uid, gid)) => {
            place(path)?.set_owner(*uid, *gid)
        }
        (Change::DropCapabilities { path }, State::Capabilities(value)) => {
            place(path)?.set_xattr(CAPABILITY, value.as_deref())
        }
        (Change::EnableUnit { unit, .. }, State::Enabled(enabled)) => {
            let verb = if *enabled { "enable" } else { "disable" };
            ground.run("systemctl", &[verb, unit]).map(drop)
        }
        (Change::RunUnit { unit, .. }, State::Running(running)) => {
            let verb = if *running { "start" } else { "stop" };
            ground.run("systemctl", &[verb, unit]).map(drop)
        }
        (Change::RestartUnit { unit }, _) => {
            ground.run("systemctl", &["daemon-reload"])?;
            reach("units read again");
            ground.run("systemctl", &["restart", unit]).map(drop)
        }
        (Change::ReloadUnit { unit }, _) => ground.run("systemctl", &["reload", unit]).map(drop),
        (
            Change::InstallPackages { .. } | Change::UpgradePackages { .. },
            State::Versions(versions),
        ) => set_versions(ground, versions),
        (Change::LoadRules { path, .. }, State::Loaded(true)) => {
            ground.run("nft", &["-f", &under(ground, path)]).map(drop)
        }
        (Change::LoadRules { table, .. }, _) => {
            let mut arguments = vec!["delete", "table"];
            arguments.extend(table.split(' '));
            ground.run("nft", &arguments).map(drop)
        }
        (Change::AccountRights { server, .. }, State::Rights { so, not }) => {
            let all: BTreeSet<Piece> = so.union(not).cloned().collect();
            polder_access::act(server, ground.ambient(), &all, so).map_err(Into::into)
        }
        (Change::Check { check: it }, _) => check(ground, it),
        // Nothing that is no file has these; a state of another kind changes nothing.
        _ => Ok(()),
    }
}

fn check(ground: &Ground, it: &Check) -> Result<(), ApplyError> {
    match it {
        Check::Sshd => ground.run("sshd", &["-t"]),
        Check::Sudoers => ground.run("visudo", &["-c", "-q"]),
        Check::Nginx => ground.run("nginx", &["-t", "-q"]),
        Check::Rules { path } => ground.run("nft", &["-c", "-f", &under(ground, path)]),
    }
    .map(drop)
}

/// A path as programs see it.
fn under(ground: &Ground, path: &str) -> String {
    match ground.root() == std::path::Path::new("/") {
        true => path.into(),
        false => format!("{}{path}", ground.root().display()),
    }
}

/// Installed versions of packages.
fn versions<'a>(
    ground: &Ground,
    names: impl Iterator<Item = &'a String>,
) -> Result<BTreeMap<String, Option<String>>, ApplyError> {
    let mut all: BTreeMap<String, Option<String>> = names.map(|it| (it.clone(), None)).collect();
    let native = ground.ask("dpkg", &["--print-architecture"])?.1.trim().to_string();
    let format = "-f${Package}\\t${Architecture}\\t${db:Status-Status}\\t${Version}\\n";
    let mut arguments = vec!["-W", format];
    arguments.extend(all.keys().map(String::as_str));
    // It fails when one of them is not known at all, and still tells about the others.
    let (_, says) = ground.ask("dpkg-query", &arguments)?;
    for line in says.lines() {
        let mut fields = line.split('\t');
        let (name, architecture) = (fields.next().unwrap_or(""), fields.next().unwrap_or(""));
        let (Some("installed"), Some(version)) = (fields.next(), fields.next()) else { continue };
        // apt names the architecture of foreign packages only.
        let key = match architecture == native || architecture == "all" {
            true => name.to_string(),
            false => format!("{name}:{architecture}"),
        };
        if let Some(slot) = all.get_mut(&key) {
            *slot = Some(version.into());
        }
    }
    Ok(all)
}

/// Brings packages to exact versions, or takes them away; finishes what was cut off first.
fn set_versions(
    ground: &Ground,
    versions: &BTreeMap<String, Option<String>>,
) -> Result<(), ApplyError> {
    ground.run("dpkg", &["--force-confdef", "--force-confold", "--configure", "-a"])?;
    let exact: Vec<String> = versions
        .iter()
        .filter_map(|(name, version)| version.as_ref().map(|it| format!("{name}={it}")))
        .collect();
    if !exact.is_empty() {
        let mut arguments =
            vec!["install", "--yes", "--quiet", "--no-remove", "--allow-downgrades"];
        arguments.extend(KEEP_CONFIGURATION);
        arguments.extend(exact.iter().map(String::as_str));
        ground.run("apt-get", &arguments)?;
    }
    let gone: Vec<&str> =
        versions.iter().filter(|(_, it)| it.is_none()).map(|(name, _)| name.as_str()).collect();
    if gone.is_empty() {
        return Ok(());
    }
    let mut simulated = vec!["--simulate", "--quiet", "purge"];
    simulated.extend(&gone);
    let says = ground.run("apt-get", &simulated)?;
    let removed = says.lines().filter_map(|line| {
        let mut fields = line.split_whitespace();
        matches!(fields.next(), Some("Purg" | "Remv")).then(|| fields.next()).flatten()
    });
    let others: Vec<&str> = removed.filter(|it| !gone.contains(it)).collect();
    if !others.is_empty() {
        return Err(ApplyError::Tool {
            command: format!("apt-get purge {}", gone.join(" ")),
            says: format!("it would remove {}, too", others.join(", ")),
        });
    }
    let mut arguments = vec!["purge", "--yes", "--quiet"];
    arguments.extend(gone);
    ground.run("apt-get", &arguments).map(drop)
}

/// Whether these versions can still be had.
pub(crate) fn can_be_had(ground: &Ground, versions: &BTreeMap<String, Option<String>>) -> bool {
    let exact: Vec<String> = versions
        .iter()
        .filter_map(|(name, version)| version.as_ref().map(|it| format!("{name}={it}")))
        .collect();
    let mut arguments = vec!["--simulate", "--quiet", "--allow-downgrades", "install"];
    arguments.extend(exact.iter().map(String::as_str));
    exact.is_empty() || ground.ask("apt-get", &arguments).is_ok_and(|it| it.0)
}
