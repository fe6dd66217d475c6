//! Does an operation step by step, and takes it back when anything goes wrong.

use crate::ApplyError;
use crate::file::Place;
use crate::prepare::{Operation, Prepared};
use crate::state::{State, act, observe, subject};
use crate::tools::Ground;
use polder_model::Change;
use serde::{Deserialize, Serialize};

/// How far an operation is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "phase")]
pub enum Phase {
    /// Step `step` is about to be made or was being made.
    Acting {
        /// Number of the step, from zero.
        step: usize,
    },
    /// All steps are made; whether they help is not known yet.
    Checking,
    /// In force, and taken back at that time unless somebody confirms it.
    Unconfirmed {
        /// Seconds since 1970.
        until: i64,
    },
    /// In force.
    Applied,
    /// Being taken back, after step `step` was begun.
    TakingBack {
        /// Number of the last step begun.
        step: usize,
    },
    /// As it was before.
    TakenBack {
        /// Why.
        because: String,
    },
    /// Neither as before nor as planned.
    Stuck {
        /// What is in the way.
        because: String,
        /// Number of the last step begun.
        step: usize,
    },
}

impl Phase {
    /// Whether nothing is left to do.
    pub fn is_settled(&self) -> bool {
        matches!(self, Self::Applied | Self::TakenBack { .. })
    }

    /// The last step that was begun, of `count`.
    fn last_step(&self, count: usize) -> Option<usize> {
        match self {
            Self::Acting { step } | Self::TakingBack { step } | Self::Stuck { step, .. } => {
                Some(*step)
            }
            Self::TakenBack { .. } => None,
            _ => count.checked_sub(1),
        }
    }
}

/// Where operations are written down; each call returns when it is safe on disk.
pub trait Journal {
    /// Notes how far the operation is.
    ///
    /// # Errors
    /// When it cannot be written; nothing more is done then.
    fn note(&mut self, phase: &Phase) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;
}

/// How it ended.
#[derive(Debug)]
pub enum Outcome {
    /// Every step is made.
    Made,
    /// Something failed, and all is as before.
    TakenBack(ApplyError),
    /// Something failed, and not all is as before; the second says what.
    Stuck(ApplyError, String),
}

/// Does operations.
pub struct Executor<'a> {
    /// Where changes are made.
    pub ground: &'a Ground,
    /// Where they are written down.
    pub journal: &'a mut dyn Journal,
    /// Called at each place where a kill would hurt most: for tests.
    pub reach: &'a dyn Fn(&str),
}

impl Executor<'_> {
    fn note(&mut self, phase: &Phase) -> Result<(), ApplyError> {
        (self.reach)("journal about to be written");
        self.journal.note(phase).map_err(ApplyError::Journal)?;
        (self.reach)("journal written");
        Ok(())
    }

    /// Makes every step, or takes all of them back.
    pub fn apply(&mut self, operation: &Operation) -> Outcome {
        for (step, it) in operation.changes.iter().enumerate() {
            match self.step(step, it) {
                Ok(()) => {}
                // What somebody else changed before we did anything is not ours to take back.
                Err((error, false)) => return self.give_up(operation, step.checked_sub(1), error),
                Err((error, true)) => return self.give_up(operation, Some(step), error),
            }
        }
        match self.note(&Phase::Checking) {
            Ok(()) => Outcome::Made,
            Err(error) => {
                let last = operation.changes.len().checked_sub(1);
                self.give_up(operation, last, error)
            }
        }
    }

    /// Makes one step; a failure says whether anything was begun.
    fn step(&mut self, step: usize, it: &Prepared) -> Result<(), (ApplyError, bool)> {
        if it.is_done() {
            return Ok(());
        }
        self.note(&Phase::Acting { step }).map_err(|error| (error, false))?;
        let now = observe(self.ground, &it.change, &it.before).map_err(|error| (error, false))?;
        if now != it.before {
            return Err((ApplyError::Changed { what: subject(&it.change) }, false));
        }
        self.make(it).map_err(|error| (error, true))
    }

    fn make(&self, it: &Prepared) -> Result<(), ApplyError> {
        (self.reach)("about to act");
        act(self.ground, &it.change, &it.after, self.reach)?;
        (self.reach)("acted");
        if observe(self.ground, &it.change, &it.after)? != it.after {
            return Err(ApplyError::NoEffect { what: subject(&it.change) });
        }
        Ok(())
    }

    fn give_up(
        &mut self,
        operation: &Operation,
        step: Option<usize>,
        error: ApplyError,
    ) -> Outcome {
        let because = error.to_string();
        let done = match step {
            Some(step) => self.back(operation, step, &because, false),
            None => self.note(&Phase::TakenBack { because }).map_err(|error| error.to_string()),
        };
        match done {
            Ok(()) => Outcome::TakenBack(error),
            Err(stuck) => Outcome::Stuck(error, stuck),
        }
    }

    /// Things that are neither as before nor as planned: somebody else changed them since.
    pub fn changed_since(&self, operation: &Operation) -> Vec<String> {
        let is_changed = |it: &&Prepared| {
            !it.is_done()
                && it.before != State::Nothing
                && self.check_way_back(it).is_err()
                && !operation.changes.iter().any(|other| {
                    // A later step of the same operation about the same thing.
                    other.before == it.after && subject(&other.change) == subject(&it.change)
                })
        };
        operation.changes.iter().filter(is_changed).map(|it| subject(&it.change)).collect()
    }

    fn check_way_back(&self, it: &Prepared) -> Result<State, ApplyError> {
        let now = observe(self.ground, &it.change, &it.before)?;
        let is_known = match (&now, &it.before, &it.after) {
            // A package manager that was killed leaves some packages in neither; it can finish.
            (State::Versions(now), State::Versions(before), State::Versions(after)) => {
                now.iter().all(|(name, version)| {
                    version.is_none()
                        || before.get(name) == Some(version)
                        || after.get(name) == Some(version)
                })
            }
            _ => now == it.before || now == it.after,
        };
        match is_known {
            true => Ok(now),
            false => Err(ApplyError::Changed { what: subject(&it.change) }),
        }
    }

    /// Takes an operation back from wherever it stands. With `anyway`, what somebody else changed is
    /// left as it is and the operation counts as settled. Says what is in the way, if anything is.
    ///
    /// # Errors
    /// What could not be brought back, in words; all else was.
    pub fn take_back(
        &mut self,
        operation: &Operation,
        phase: &Phase,
        because: &str,
        anyway: bool,
    ) -> Result<(), String> {
        match phase.last_step(operation.changes.len()) {
            Some(step) => self.back(operation, step, because, anyway),
            None => Ok(()),
        }
    }

    fn back(
        &mut self,
        operation: &Operation,
        step: usize,
        because: &str,
        anyway: bool,
    ) -> Result<(), String> {
        let mut stuck: Vec<String> = Vec::new();
        let note = self.note(&Phase::TakingBack { step });
        stuck.extend(note.err().map(|it| it.to_string()));
        let begun: Vec<&Prepared> = operation.changes.iter().take(step + 1).collect();
        for it in begun.iter().rev().filter(|it| !it.is_done()) {
            if let Err(error) = self.one_back(it) {
                stuck.push(match std::error::Error::source(&error) {
                    Some(source) => format!("{error}: {source}"),
                    None => error.to_string(),
                });
            }
        }
        // Services take the old files up again once all of them are back.
        for it in &begun {
            let takes_up =
                matches!(it.change, Change::RestartUnit { .. } | Change::ReloadUnit { .. });
            if takes_up && let Err(error) = act(self.ground, &it.change, &it.before, self.reach) {
                stuck.push(error.to_string());
            }
        }
        let phase = match (stuck.is_empty(), anyway) {
            (true, _) => Phase::TakenBack { because: because.into() },
            (false, true) => {
                let left = stuck.join("; ");
                stuck.clear();
                Phase::TakenBack { because: format!("{because}, but for this: {left}") }
            }
            (false, false) => Phase::Stuck { because: stuck.join("; "), step },
        };
        if let Err(error) = self.note(&phase) {
            stuck.push(error.to_string());
        }
        if stuck.is_empty() { Ok(()) } else { Err(stuck.join("; ")) }
    }

    /// Brings one thing back, unless it is so already or somebody else changed it.
    fn one_back(&self, it: &Prepared) -> Result<(), ApplyError> {
        if it.before == State::Nothing {
            return Ok(());
        }
        if let Change::WriteFile { path, .. }
        | Change::SetLines { path, .. }
        | Change::RemoveFile { path } = &it.change
            && let Some(place) = Place::find(self.ground.root(), path)?
        {
            place.tidy()?;
        }
        if self.check_way_back(it)? == it.before {
            return Ok(());
        }
        (self.reach)("about to take back");
        act(self.ground, &it.change, &it.before, self.reach)?;
        (self.reach)("taken back");
        let is_back = observe(self.ground, &it.change, &it.before)? == it.before
            // A folder that somebody else uses by now stays.
            || matches!(it.change, Change::MakeFolder { .. });
        if is_back { Ok(()) } else { Err(ApplyError::NoEffect { what: subject(&it.change) }) }
    }
}
