//! The safety net: which command was refused, and whether it may be given back without asking.

use super::account::{commands, dry_run, is_dangerous};
use super::acl::{Piece, Rules, with_probe};
use super::session::{Session, field, parts, text};
use crate::{AccessError, RefusedStatement, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// Commands that destroy what is stored, all at once.
const DESTROYS: [&str; 2] = ["flushall", "flushdb"];

/// Reads refusals from the server's own log of them (`ACL LOG`).
#[derive(Debug, Default)]
pub struct Refusals {
    /// How often each was refused that is known.
    known: Option<BTreeMap<String, u64>>,
}

impl Refusals {
    /// Refusals since the last time; the first time there are none.
    ///
    /// # Errors
    /// When whoever is connected may not see it, or the server goes away.
    pub fn next(&mut self, session: &mut Session) -> Result<Vec<RefusedStatement>, AccessError> {
        let answer = session.ask(&["ACL", "LOG", "128"], "refusals")?;
        let mut now: BTreeMap<String, u64> = BTreeMap::new();
        let mut found = Vec::new();
        for entry in parts(&answer) {
            let of = |name: &str| field(entry, name).map(text).unwrap_or_default();
            // Older servers number no entries: then user and command are enough.
            let key =
                format!("{} {} {} {}", of("entry-id"), of("username"), of("reason"), of("object"));
            let count: u64 = of("count").parse().unwrap_or(1);
            let total = now.entry(key.clone()).or_insert(0);
            *total += count;
            let before = self.known.as_ref().map(|it| it.get(&key).copied().unwrap_or(0));
            if before.is_none_or(|it| it >= *total) {
                continue;
            }
            found.push(RefusedStatement {
                user: Some(of("username")),
                database: None,
                pid: None,
                says: format!("permission denied: {}", of("reason")),
                // Of a key or channel only that there was one: its name may be anybody's data.
                statement: if of("reason") == "command" { of("object") } else { String::new() },
            });
        }
        self.known = Some(now);
        found.reverse();
        Ok(found)
    }
}

/// Judges a refusal, given what was taken from the user.
///
/// # Errors
/// When the server goes away.
pub fn judge(
    session: &mut Session,
    account: &str,
    taken: &BTreeSet<Piece>,
    refused: &RefusedStatement,
) -> Result<Verdict, AccessError> {
    let mut verdict = Verdict {
        says: refused.says.clone(),
        statement: refused.statement.to_uppercase().replace('|', " "),
        before: BTreeSet::new(),
        gives: Vec::new(),
        leaves: Vec::new(),
        because: None,
    };
    let name = refused.statement.to_lowercase();
    let known = commands(session)?;
    let Some(facts) = known.get(&name) else {
        verdict.because = Some("it is a key or channel, or a login".into());
        return Ok(verdict);
    };
    let right = format!("+{name}");
    let (now, _) = Rules::read(session, account)?;
    let had = had(session, taken, &name, facts.arity)?;
    let reason = match () {
        () if is_dangerous(&known, &name) => Some("only administrators need it"),
        () if DESTROYS.contains(&name.as_str()) => Some("it removes every key at once"),
        () if !had => Some("the account did not have it before"),
        () => None,
    };
    if let Some(reason) = reason {
        verdict.leaves.push((right, reason.into()));
        return Ok(verdict);
    }
    let mut then = now.clone();
    then.commands.push(right.clone());
    if let Some((_, rest)) = then.commands.split_first_mut() {
        rest.sort_unstable();
        then.commands.dedup();
    }
    let piece =
        |rules: Rules| crate::Piece::Redis(Piece::Rules { user: account.to_string(), rules });
    if then != now {
        verdict.before.insert(piece(now));
        verdict.gives.push((right, piece(then)));
    }
    Ok(verdict)
}

/// Whether the rules that were taken allowed a command: the server says it of a user that is switched off.
fn had(
    session: &mut Session,
    taken: &BTreeSet<Piece>,
    name: &str,
    arity: i64,
) -> Result<bool, AccessError> {
    let mut had = false;
    for Piece::Rules { rules, .. } in taken {
        let answer =
            with_probe(session, rules, |session, probe| dry_run(session, probe, name, arity))?;
        had |= answer == Some(true);
    }
    Ok(had)
}
