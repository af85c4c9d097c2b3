//! The store's behavior: each choice that a store can get wrong, as a value. [`StoreBehavior::default`] conforms; a fault is another value.

use std::time::Duration;

use jiff::Timestamp;

use crate::contract::{Args, SessionPhase};

use crate::suites::store::reference::folder::Writing;
use crate::suites::store::reference::store::StoreError;
use crate::suites::store::reference::{cleaning, finishing, hooks, id, record, redaction};

// What a fault is made of: what conforms, changed a little.
pub(crate) use crate::suites::store::reference::cleaning::Rubbish;
pub(crate) use crate::suites::store::reference::decision::{CONDITIONS, Condition, Reason, idle};
pub(crate) use crate::suites::store::reference::finishing::finish;
pub(crate) use crate::suites::store::reference::hooks::{is_meant, told};
pub(crate) use crate::suites::store::reference::id::check as check_id;
pub(crate) use crate::suites::store::reference::record::{StoreRecord, enter, note_error, remember};
pub(crate) use crate::suites::store::reference::redaction::redact;

/// How long a careless writer dawdles between two steps that belong together: long enough for others to come between.
pub(crate) const RACE: Duration = Duration::from_millis(8);

/// What a creation does where the session is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// Refuses.
    Refuse,
    /// Begins it anew.
    Wipe,
    /// Answers as if it had been created.
    Keep,
}

/// What a list does about what it cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Odd {
    /// Leaves it out and says so.
    Skip,
    /// Fails.
    Fail,
    /// Shows it as a session.
    Show,
}

/// What decides how a store behaves.
#[derive(Debug, Clone)]
pub struct StoreBehavior {
    /// Which ids are taken from others.
    pub(crate) check_id: fn(&str) -> Result<(), String>,
    /// How a new id is made.
    pub(crate) new_id: fn(Timestamp) -> String,
    /// What becomes of a session that is there already.
    pub(crate) existing: Existing,
    /// What a fresh record is made into.
    pub(crate) fresh: fn(&mut StoreRecord),
    /// What a phase's word means.
    pub(crate) phase: fn(&str) -> Option<SessionPhase>,
    /// Whether an update with a phase that means nothing is refused before anything of it is done.
    pub(crate) refuses_first: bool,
    /// Whether a record is over, so that nothing can be done to it.
    pub(crate) is_over: fn(&StoreRecord) -> bool,
    /// Whether it is over as far as its finalization goes.
    pub(crate) is_finalized: fn(&StoreRecord) -> bool,
    /// Whether an update to a final phase is a finalization.
    pub(crate) finishes: fn(SessionPhase) -> bool,
    /// How a change of phase is remembered.
    pub(crate) remember: fn(&mut StoreRecord, SessionPhase, Timestamp),
    /// How a phase is entered.
    pub(crate) enter: fn(&mut StoreRecord, SessionPhase),
    /// How metadata is merged.
    pub(crate) merge: fn(&mut Args, Args),
    /// What of metadata is stored.
    pub(crate) redact: fn(Args) -> Args,
    /// What becomes of an update of a session that nobody knows.
    pub(crate) unknown_update: fn(StoreError) -> Result<(), StoreError>,
    /// What is done to a record before it is written.
    pub(crate) kept: fn(&mut StoreRecord),
    /// How an error is noted.
    pub(crate) note_error: fn(&mut StoreRecord, &str),
    /// What is against resuming, in order.
    pub(crate) conditions: &'static [Condition],
    /// Whether a corrupt record is answered to a decision with its reason; else with an error.
    pub(crate) decides_on_corrupt: bool,
    /// Whether an unknown session is.
    pub(crate) decides_on_unknown: bool,
    /// What a decision does to the record.
    pub(crate) decided: Option<fn(&mut StoreRecord, Timestamp)>,
    /// What an outcome's word means.
    pub(crate) outcome: fn(&str) -> Option<SessionPhase>,
    /// How a record is ended.
    pub(crate) finish: fn(&mut StoreRecord, SessionPhase, Option<&str>, Timestamp),
    /// Whether a list of the active ones shows a record.
    pub(crate) is_active: fn(&StoreRecord) -> bool,
    /// Whether a record is of the agent that was asked for.
    pub(crate) is_of_agent: fn(&StoreRecord, &str) -> bool,
    /// How a list is ordered.
    pub(crate) order: fn(&StoreRecord) -> (Timestamp, String),
    /// What a list does about what it cannot read.
    pub(crate) odd: Odd,
    /// What a clean-up does.
    pub(crate) cleaning: cleaning::Cleaning,
    /// How records are written.
    pub(crate) writing: Writing,
    /// Whether a change holds the session's lock.
    pub(crate) locks: bool,
    /// What the hooks do.
    pub(crate) hooks: hooks::HookInput,
}

impl Default for StoreBehavior {
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
            hooks: hooks::HookInput::default(),
        }
    }
}
