//! The store's seams: each choice that a store can get wrong, as a value. [`Seams::default`] conforms; a fault is another value.

use std::time::Duration;

use jiff::Timestamp;

use crate::contract::{Args, SessionPhase};

use super::folder::Writing;
use super::store::StoreError;
use super::{cleaning, finishing, hooks, id, record, redaction};

// What a fault is made of: what conforms, changed a little.
pub(in crate::reference) use super::cleaning::Rubbish;
pub(in crate::reference) use super::decision::{CONDITIONS, Condition, Reason, idle};
pub(in crate::reference) use super::finishing::finish;
pub(in crate::reference) use super::hooks::{is_meant, told};
pub(in crate::reference) use super::id::check as check_id;
pub(in crate::reference) use super::record::{Record, enter, note_error, remember};
pub(in crate::reference) use super::redaction::redact;

/// How long a careless writer dawdles between two steps that belong together: long enough for others to come between.
pub(super) const RACE: Duration = Duration::from_millis(8);

/// What a creation does where the session is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Refuses.
    Refuse,
    /// Begins it anew.
    Wipe,
    /// Answers as if it had been created.
    Keep,
}

/// What a list does about what it cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Odd {
    /// Leaves it out and says so.
    Skip,
    /// Fails.
    Fail,
    /// Shows it as a session.
    Show,
}

/// What decides how a store behaves.
#[derive(Debug, Clone)]
pub struct Seams {
    /// Which ids are taken from others.
    pub(in crate::reference) check_id: fn(&str) -> Result<(), String>,
    /// How a new id is made.
    pub(in crate::reference) new_id: fn(Timestamp) -> String,
    /// What becomes of a session that is there already.
    pub(in crate::reference) existing: Existing,
    /// What a fresh record is made into.
    pub(in crate::reference) fresh: fn(&mut Record),
    /// What a phase's word means.
    pub(in crate::reference) phase: fn(&str) -> Option<SessionPhase>,
    /// Whether an update with a phase that means nothing is refused before anything of it is done.
    pub(in crate::reference) refuses_first: bool,
    /// Whether a record is over, so that nothing can be done to it.
    pub(in crate::reference) is_over: fn(&Record) -> bool,
    /// Whether it is over as far as its finalization goes.
    pub(in crate::reference) is_finalized: fn(&Record) -> bool,
    /// Whether an update to a final phase is a finalization.
    pub(in crate::reference) finishes: fn(SessionPhase) -> bool,
    /// How a change of phase is remembered.
    pub(in crate::reference) remember: fn(&mut Record, SessionPhase, Timestamp),
    /// How a phase is entered.
    pub(in crate::reference) enter: fn(&mut Record, SessionPhase),
    /// How metadata is merged.
    pub(in crate::reference) merge: fn(&mut Args, Args),
    /// What of metadata is stored.
    pub(in crate::reference) redact: fn(Args) -> Args,
    /// What becomes of an update of a session that nobody knows.
    pub(in crate::reference) unknown_update: fn(StoreError) -> Result<(), StoreError>,
    /// What is done to a record before it is written.
    pub(in crate::reference) kept: fn(&mut Record),
    /// How an error is noted.
    pub(in crate::reference) note_error: fn(&mut Record, &str),
    /// What is against resuming, in order.
    pub(in crate::reference) conditions: &'static [Condition],
    /// Whether a corrupt record is answered to a decision with its reason; else with an error.
    pub(in crate::reference) decides_on_corrupt: bool,
    /// Whether an unknown session is.
    pub(in crate::reference) decides_on_unknown: bool,
    /// What a decision does to the record.
    pub(in crate::reference) decided: Option<fn(&mut Record, Timestamp)>,
    /// What an outcome's word means.
    pub(in crate::reference) outcome: fn(&str) -> Option<SessionPhase>,
    /// How a record is ended.
    pub(in crate::reference) finish: fn(&mut Record, SessionPhase, Option<&str>, Timestamp),
    /// Whether a list of the active ones shows a record.
    pub(in crate::reference) is_active: fn(&Record) -> bool,
    /// Whether a record is of the agent that was asked for.
    pub(in crate::reference) is_of_agent: fn(&Record, &str) -> bool,
    /// How a list is ordered.
    pub(in crate::reference) order: fn(&Record) -> (Timestamp, String),
    /// What a list does about what it cannot read.
    pub(in crate::reference) odd: Odd,
    /// What a clean-up does.
    pub(in crate::reference) cleaning: cleaning::Cleaning,
    /// How records are written.
    pub(in crate::reference) writing: Writing,
    /// Whether a change holds the session's lock.
    pub(in crate::reference) locks: bool,
    /// What the hooks do.
    pub(in crate::reference) hooks: hooks::Hooks,
}

impl Default for Seams {
    fn default() -> Self {
        Self {
            check_id: id::check,
            new_id: id::new,
            existing: Existing::Refuse,
            fresh: |_| {},
            phase: SessionPhase::from_name,
            refuses_first: true,
            is_over: |record| record.phase.is_final(),
            is_finalized: |record| record.phase.is_final(),
            finishes: SessionPhase::is_final,
            remember: record::remember,
            enter: record::enter,
            merge: record::merge,
            redact: redaction::redact,
            unknown_update: Err,
            kept: |_| {},
            note_error: record::note_error,
            conditions: CONDITIONS,
            decides_on_corrupt: true,
            decides_on_unknown: true,
            decided: None,
            outcome: finishing::outcome,
            finish: finishing::finish,
            is_active: |record| !record.phase.is_final(),
            is_of_agent: |record, agent| record.agent_name == agent,
            order: |record| (record.created_at, record.agent_id.clone()),
            odd: Odd::Skip,
            cleaning: cleaning::Cleaning::default(),
            writing: Writing { whole: true, mode: 0o600 },
            locks: true,
            hooks: hooks::Hooks::default(),
        }
    }
}
