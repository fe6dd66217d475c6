//! Lets the server say that everything works with the rights that are proposed, and that none of them can be left out: of
//! another account that is made for it and has exactly these.

use super::learn::{Learned, is_made};
use super::probe::{Answer, Probe};
use super::propose::Proposal;
use super::right::Right;
use super::session::Session;
use crate::{AccessError, Necessity, Proof};

/// Proves a proposal; of the account itself nothing is changed.
///
/// # Errors
/// When whoever is connected may not make an account and give it these rights, or the server goes away.
pub fn prove(
    session: &mut Session,
    learned: &Learned,
    proposal: &Proposal,
) -> Result<Proof, AccessError> {
    let mut proof = Proof::default();
    let mut probe = Probe::open(session)?;
    let target: Vec<Right> = proposal.target.iter().filter(|it| it.is_tried()).cloned().collect();
    if let Err(error) = probe.give(&target)? {
        return Err(AccessError::of_mariadb(error, "a right that is proposed", "polder"));
    }
    probe.again();
    temporaries(&mut probe, learned)?;
    for statement in &learned.statements {
        if statement.refused.is_some() {
            continue;
        }
        if statement.prepares.is_empty() || !statement.unproved.is_empty() {
            proof.by_rule += 1;
            continue;
        }
        let mut refused = None;
        for text in &statement.prepares {
            if let Answer::Denied(_, says) | Answer::Other(says) =
                probe.prepare(statement.database.as_deref(), text)?
            {
                refused = Some(says);
                break;
            }
        }
        match refused {
            None => proof.passed += 1,
            Some(says) => proof.refused.push((statement.text.clone(), says)),
        }
    }
    // Each by itself: on columns where whole tables are proposed.
    // What is kept for something unknown would hide that others are missed.
    let is_known = |it: &&super::learn::Needed| it.necessity != Necessity::Kept;
    let least = learned.needed.iter().filter(is_known).map(|it| it.right.clone());
    let least: Vec<Right> = least.filter(Right::is_tried).collect();
    let tables: Vec<Right> = target.into_iter().filter(|it| !least.contains(it)).collect();
    probe.take(&tables)?;
    let missing: Vec<Right> =
        least.iter().filter(|it| !probe.given().contains(it)).cloned().collect();
    if let Err(error) = probe.give(&missing)? {
        return Err(AccessError::of_mariadb(error, "a right that is proposed", "polder"));
    }
    probe.again();
    for needed in &learned.needed {
        let necessity = match needed.necessity {
            Necessity::Refused => {
                is_missed(&mut probe, learned, &needed.right, &needed.statements)?
            }
            other => other,
        };
        proof.necessity.insert(needed.right.to_string(), necessity);
    }
    probe.close()?;
    Ok(proof)
}

fn temporaries(probe: &mut Probe<'_>, learned: &Learned) -> Result<(), AccessError> {
    for (database, name, columns) in &learned.temporary {
        if !columns.is_empty() {
            probe.temporary(database, name, columns)?;
        }
    }
    Ok(())
}

/// Leaves one out, and sees whether a statement is refused.
fn is_missed(
    probe: &mut Probe<'_>,
    learned: &Learned,
    right: &Right,
    statements: &[usize],
) -> Result<Necessity, AccessError> {
    probe.take(std::slice::from_ref(right))?;
    let mut found = Necessity::NotShown;
    for statement in statements.iter().filter_map(|it| learned.statements.get(*it)) {
        match probe.misses(statement, |it| is_made(&learned.temporary, it))? {
            Some(Necessity::Refused) => {
                found = Necessity::Refused;
                break;
            }
            other => found = other.unwrap_or(found),
        }
    }
    match probe.give(std::slice::from_ref(right))? {
        Ok(()) => Ok(found),
        Err(error) => Err(AccessError::of_mariadb(error, "a right that is proposed", "polder")),
    }
}
