//! What a user may do: the rules of its access control list (`ACL SETUSER` in the manual of Redis).

use super::session::{Session, field, parts, text};
use crate::AccessError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Rules of a user, but for how it logs in.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rules {
    /// Commands, in the order in which they are to be given: `-@all`, `+get`, `+client|setname`.
    pub commands: Vec<String>,
    /// Patterns of keys: `~cart:*`, `%R~price:*`.
    pub keys: Vec<String>,
    /// Patterns of channels: `&news:*`.
    pub channels: Vec<String>,
    /// Other sets of rules, of which one suffices.
    pub selectors: Vec<String>,
}

impl Rules {
    /// Reads those of a user; whether it is switched on and whether it needs no password beside them.
    ///
    /// # Errors
    /// When there is no such user, or whoever is connected may not see it.
    pub fn read(session: &mut Session, user: &str) -> Result<(Self, Vec<String>), AccessError> {
        let answer = session.ask(&["ACL", "GETUSER", user], "rules of users")?;
        if parts(&answer).is_empty() {
            return Err(AccessError::NoAccount { name: user.to_string() });
        }
        let of = |name: &str| field(&answer, name).map(text).unwrap_or_default();
        let words = |name: &str| -> Vec<String> {
            of(name).split_whitespace().map(str::to_string).collect()
        };
        let selectors = field(&answer, "selectors").map(parts).unwrap_or_default();
        let selector = |it: &::redis::Value| {
            let of = |name: &str| field(it, name).map(text).unwrap_or_default();
            let all = [of("commands"), of("keys"), of("channels")];
            format!("({})", all.join(" ").split_whitespace().collect::<Vec<_>>().join(" "))
        };
        let mut commands = words("commands");
        // Where commands are only added to none, the server gives them in an order of its own.
        if let Some((first, rest)) = commands.split_first_mut()
            && first == "-@all"
            && rest.iter().all(|it| it.starts_with('+') && !it.starts_with("+@"))
        {
            rest.sort_unstable();
        }
        let flags = field(&answer, "flags").map(parts).unwrap_or_default();
        let rules = Self {
            commands,
            keys: words("keys"),
            channels: words("channels"),
            selectors: selectors.into_iter().map(selector).collect(),
        };
        Ok((rules, flags.into_iter().map(text).collect()))
    }

    /// Words after `ACL SETUSER user`, after which a user has these rules and no others.
    pub(super) fn words(&self) -> Vec<String> {
        let mut words: Vec<String> = ["resetkeys", "resetchannels", "clearselectors", "nocommands"]
            .map(str::to_string)
            .into();
        for list in [&self.commands, &self.keys, &self.channels, &self.selectors] {
            words.extend(list.iter().cloned());
        }
        words
    }
}

/// Beginning of the names of users that are made for looking.
const PROBE: &str = "polder_probe_";

/// Makes a user with these rules for a while, of whom the server says what it would refuse. Nobody logs in as one that is switched
/// off and has no password. One that a process left behind that was killed goes as well.
pub(super) fn with_probe<T>(
    session: &mut Session,
    rules: &Rules,
    work: impl FnOnce(&mut Session, &str) -> Result<T, AccessError>,
) -> Result<T, AccessError> {
    const DOING: &str = "a user for looking";
    let users = session.ask(&["ACL", "USERS"], "users")?;
    for left in parts(&users).into_iter().map(text).filter(|it| it.starts_with(PROBE)) {
        session.ask(&["ACL", "DELUSER", &left], DOING)?;
    }
    let probe = format!("{PROBE}{}", std::process::id());
    let words = rules.words();
    let mut all = vec!["ACL", "SETUSER", probe.as_str(), "reset", "off"];
    all.extend(words.iter().map(String::as_str));
    session.ask(&all, DOING)?;
    let done = work(session, &probe);
    let gone = session.ask(&["ACL", "DELUSER", &probe], DOING);
    let done = done?;
    gone.map(|_| done)
}

/// Something that is so or not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "redis")]
pub enum Piece {
    /// A user has exactly these rules.
    Rules {
        /// The user.
        user: String,
        /// The rules.
        rules: Rules,
    },
}

/// The command that makes a piece so, as `redis-cli` takes it.
pub(super) fn command(piece: &Piece) -> String {
    let Piece::Rules { user, rules } = piece;
    let quoted = |it: &String| match it
        .chars()
        .all(|it| it.is_ascii_graphic() && !matches!(it, '"' | '\'' | '\\'))
    {
        true => it.clone(),
        false => format!("{it:?}"),
    };
    let words: Vec<String> = rules.words().iter().map(quoted).collect();
    format!("ACL SETUSER {} {}", quoted(user), words.join(" "))
}

/// Pieces in few lines.
pub fn lines<'a>(pieces: impl IntoIterator<Item = &'a Piece>) -> Vec<String> {
    pieces
        .into_iter()
        .map(|Piece::Rules { user, rules }| {
            let all: Vec<&str> = [&rules.commands, &rules.keys, &rules.channels, &rules.selectors]
                .into_iter()
                .flatten()
                .map(String::as_str)
                .collect();
            format!("{} for {user}", all.join(" "))
        })
        .collect()
}

/// Which of these are so now.
///
/// # Errors
/// What the server says.
pub fn observe(
    session: &mut Session,
    pieces: &BTreeSet<Piece>,
) -> Result<BTreeSet<Piece>, AccessError> {
    let mut so = BTreeSet::new();
    for piece in pieces {
        let Piece::Rules { user, rules } = piece;
        let now = Rules::read(session, user)?.0;
        if now == *rules {
            so.insert(piece.clone());
        }
    }
    Ok(so)
}

/// Moves from one set of rules to another, at once, and keeps them where the server has a file for that.
///
/// # Errors
/// What the server says, or that something changed meanwhile.
pub fn act(
    session: &mut Session,
    from: &BTreeSet<Piece>,
    to: &BTreeSet<Piece>,
) -> Result<(), AccessError> {
    if let Some(Piece::Rules { user, .. }) = from.difference(&observe(session, from)?).next() {
        return Err(AccessError::Changed { what: format!("what `{user}` may do") });
    }
    for piece in to {
        let Piece::Rules { user, rules } = piece;
        let words = rules.words();
        let mut all = vec!["ACL", "SETUSER", user.as_str()];
        all.extend(words.iter().map(String::as_str));
        session.ask(&all, "rules of a user")?;
    }
    if has_file(session)? {
        session.ask(&["ACL", "SAVE"], "the file of users")?;
    }
    Ok(())
}

/// Whether users are kept in a file of their own.
pub(super) fn has_file(session: &mut Session) -> Result<bool, AccessError> {
    match session.ask(&["CONFIG", "GET", "aclfile"], "settings") {
        Ok(answer) => Ok(field(&answer, "aclfile").is_some_and(|it| !text(it).is_empty())),
        Err(AccessError::Denied { .. } | AccessError::Query { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
