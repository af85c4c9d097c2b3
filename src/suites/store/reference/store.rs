//! The store's operations, for those who have it in their program.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::contract::{Args, ContractError, ErrorCode, SessionPhase};
use crate::core::clock::Clock;

use super::audit::{Audit, Happened};
use super::decision::{Decision, Reason, ResumeLimits, decide};
use super::finishing::seconds_between;
use super::folder::{Folder, Root, Unreadable};
use super::record::{Skipped, StoreRecord};
use crate::suites::store::behavior::{Existing, Odd, RACE, StoreBehavior};

/// Why a store refuses.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// An argument means nothing.
    #[error("{0}")]
    Invalid(String),
    /// A session of that id is there already.
    #[error("there is a session `{0}` already")]
    AlreadyExists(String),
    /// There is no session of that id.
    #[error("there is no session `{0}`")]
    NotFound(String),
    /// The session is over.
    #[error("session `{0}` is {1}")]
    Ended(String, SessionPhase),
    /// The session's record means nothing.
    #[error("the record of session `{0}` is corrupt ({1}): create a new session")]
    Corrupt(String, String),
    /// The system refused.
    #[error("{0}: {1}")]
    Io(String, io::Error),
}

impl StoreError {
    /// The contract's code.
    pub fn code(&self) -> ErrorCode {
        match self {
            StoreError::Invalid(_) => ErrorCode::InvalidArgument,
            StoreError::AlreadyExists(_) => ErrorCode::AlreadyExists,
            StoreError::NotFound(_) => ErrorCode::SessionNotFound,
            StoreError::Ended(..) => ErrorCode::SessionEnded,
            StoreError::Corrupt(..) | StoreError::Io(..) => ErrorCode::Internal,
        }
    }
}

impl From<StoreError> for ContractError {
    fn from(error: StoreError) -> Self {
        ContractError::new(error.code(), error.to_string())
    }
}

/// What a new session begins with.
#[derive(Debug, Clone, Default)]
pub struct New {
    /// Whose session it is.
    pub agent_name: String,
    /// What it is for.
    pub purpose: String,
    /// What is known already.
    pub metadata: Args,
    /// Its id; without one it gets its own.
    pub session_id: Option<String>,
}

/// A change of a session.
#[derive(Debug, Clone, Default)]
pub struct StateUpdate {
    /// The phase to move to.
    pub phase: Option<String>,
    /// What to merge into its metadata.
    pub metadata: Args,
    /// What went wrong.
    pub error: Option<String>,
}

/// What a list shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Listed {
    /// The sessions, oldest first.
    pub sessions: Vec<StoreRecord>,
    /// What was left out.
    pub skipped: Vec<Skipped>,
}

/// Where a store has its time from.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A store of resumable sessions in a folder. Any number of programs may share the folder.
pub struct Store {
    pub(crate) root: Root,
    pub(crate) limits: ResumeLimits,
    pub(crate) behavior: StoreBehavior,
    pub(crate) audit: Audit,
    now: Now,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("root", &self.root.path).field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Store {
    /// The store in a folder, which is made when there is something to keep.
    pub fn new(root: &Path) -> Self {
        Self {
            root: Root { path: root.to_owned() },
            limits: ResumeLimits::default(),
            behavior: StoreBehavior::default(),
            audit: Audit::new(root),
            now: Arc::new(Timestamp::now),
        }
    }

    /// The same store with other limits.
    pub fn with_limits(self, limits: ResumeLimits) -> Self {
        Self { limits, ..self }
    }

    /// The same store with other choices.
    pub fn with_behavior(self, behavior: StoreBehavior) -> Self {
        Self { behavior, ..self }
    }

    /// The same store with its time from a clock, such as a virtual one.
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { now: Arc::new(move || clock.now()), ..self }
    }

    /// The time, in the precision of records.
    pub(crate) fn now(&self) -> Timestamp {
        let now = (self.now)();
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }

    /// Makes a session; answers its id.
    ///
    /// # Errors
    /// Where the id means nothing or is taken, or nothing can be written.
    pub fn create(&self, new: New) -> Result<String, StoreError> {
        let now = self.now();
        if let Some(id) = &new.session_id {
            (self.behavior.check_id)(id).map_err(StoreError::Invalid)?;
        }
        self.root.make().map_err(|error| self.failed("make the store", error))?;
        let metadata = (self.behavior.redact)(new.metadata);
        loop {
            let id = new.session_id.clone().unwrap_or_else(|| (self.behavior.new_id)(now));
            let mut record = StoreRecord::new(&id, &new.agent_name, &new.purpose, metadata.clone(), now);
            (self.behavior.fresh)(&mut record);
            let is_new = self.root.create(&id, &record, self.behavior.writing).map_err(|error| self.failed(&id, error))?;
            match (is_new, self.behavior.existing, &new.session_id) {
                (true, ..) => self.audit.note(now, &id, Happened::Created { agent_name: new.agent_name }),
                (false, Existing::Refuse, Some(_)) => return Err(StoreError::AlreadyExists(id)),
                (false, Existing::Refuse, None) => continue,
                (false, Existing::Wipe, _) => {
                    let folder = self.folder(&id)?;
                    folder.write(&record, self.behavior.writing).map_err(|error| self.failed(&id, error))?;
                }
                (false, Existing::Keep, _) => {}
            }
            return Ok(id);
        }
    }

    /// Changes a session.
    ///
    /// # Errors
    /// Where there is none, it is over, the phase means nothing, or nothing can be written. Then it is as it was.
    pub fn update(&self, id: &str, change: StateUpdate) -> Result<(), StoreError> {
        let phase = change.phase.as_deref().map(|word| {
            (self.behavior.phase)(word).ok_or_else(|| {
                StoreError::Invalid(format!("`{word}` is no phase: wanted one of {}", SessionPhase::ALL.map(SessionPhase::name).join(", ")))
            })
        });
        let (phase, refused) = match phase.transpose() {
            Ok(phase) => (phase, None),
            Err(refused) if self.behavior.refuses_first => return Err(refused),
            Err(refused) => (None, Some(refused)),
        };
        let metadata = (self.behavior.redact)(change.metadata);
        let updated = self.change(id, self.behavior.is_over, |record, now| {
            (self.behavior.merge)(&mut record.metadata, metadata);
            if let Some(error) = &change.error {
                (self.behavior.note_error)(record, error);
            }
            match phase {
                Some(phase) if (self.behavior.finishes)(phase) => (self.behavior.finish)(record, phase, None, now),
                Some(phase) => {
                    (self.behavior.remember)(record, phase, now);
                    (self.behavior.enter)(record, phase);
                }
                None => {}
            }
        });
        match updated {
            Err(unknown @ StoreError::NotFound(_)) => (self.behavior.unknown_update)(unknown)?,
            updated => updated?,
        }
        refused.map_or(Ok(()), Err)
    }

    /// Ends a session for good.
    ///
    /// # Errors
    /// Where there is none, it is over, the outcome means nothing, or nothing can be written. Then it is as it was.
    pub fn finalize(&self, id: &str, outcome: &str, summary: Option<&str>) -> Result<(), StoreError> {
        let outcome = (self.behavior.outcome)(outcome)
            .ok_or_else(|| StoreError::Invalid(format!("`{outcome}` is no outcome: wanted completed, failed or abandoned")))?;
        self.change(id, self.behavior.is_finalized, |record, now| (self.behavior.finish)(record, outcome, summary, now))
    }

    /// Reads a session, changes it and writes it, while nobody else does.
    #[allow(clippy::disallowed_methods, reason = "a careless writer dawdles: that is the fault")]
    fn change(
        &self,
        id: &str,
        is_over: fn(&StoreRecord) -> bool,
        change: impl FnOnce(&mut StoreRecord, Timestamp),
    ) -> Result<(), StoreError> {
        let folder = self.folder(id)?;
        if self.behavior.locks {
            folder.lock().map_err(|error| self.failed(id, error))?;
        }
        let mut record = self.read(id, &folder)?;
        if is_over(&record) {
            return Err(StoreError::Ended(id.to_owned(), record.phase));
        }
        if !self.behavior.locks {
            std::thread::sleep(RACE);
        }
        // The time of a change is that of its turn: history is in order.
        let (before, now) = (record.phase, self.now());
        let changes = record.history.len();
        change(&mut record, now);
        record.last_updated = now;
        (self.behavior.kept)(&mut record);
        folder.write(&record, self.behavior.writing).map_err(|error| self.failed(id, error))?;
        if record.phase.is_final() {
            let duration_seconds = seconds_between(record.created_at, now);
            self.audit.note(now, id, Happened::Finalized { outcome: record.phase, duration_seconds });
        } else if record.history.len() != changes {
            self.audit.note(now, id, Happened::Moved { from_phase: before, to_phase: record.phase });
        }
        Ok(())
    }

    /// Whether a session is to be resumed. The record stays as it is.
    ///
    /// # Errors
    /// A conforming store has an answer for everything.
    pub fn should_resume(&self, id: &str) -> Result<Decision, StoreError> {
        let (decision, _) = self.decide(id)?;
        self.note_decision(id, decision, false);
        Ok(decision)
    }

    /// Decides, and gives the record that it was decided on.
    pub(crate) fn decide(&self, id: &str) -> Result<(Decision, Option<StoreRecord>), StoreError> {
        let no = |reason| Ok((Decision { reason }, None));
        let record = match self.folder(id).and_then(|folder| self.read(id, &folder)) {
            Err(StoreError::NotFound(_)) if self.behavior.decides_on_unknown => return no(Reason::NotFound),
            Err(StoreError::Corrupt(..) | StoreError::Io(..)) if self.behavior.decides_on_corrupt => return no(Reason::Corrupt),
            read => read?,
        };
        let now = self.now();
        let decision = decide(self.behavior.conditions, &record, &self.limits, now);
        if let (Some(decided), true) = (self.behavior.decided, decision.resume()) {
            self.change(id, |_| false, decided)?;
        }
        Ok((decision, Some(record)))
    }

    /// Puts a decision into the audit log.
    pub(crate) fn note_decision(&self, id: &str, decision: Decision, delegation: bool) {
        let happened = Happened::Decided { resume: decision.resume(), reason: decision.reason, delegation };
        self.audit.note(self.now(), id, happened);
    }

    /// A session's record.
    ///
    /// # Errors
    /// Where there is none, or it means nothing.
    pub fn get(&self, id: &str) -> Result<StoreRecord, StoreError> {
        self.folder(id).and_then(|folder| self.read(id, &folder))
    }

    /// The sessions, oldest first, and what cannot be read.
    ///
    /// # Errors
    /// Where the store itself cannot be read.
    pub fn list(&self, active_only: bool, agent_name: Option<&str>) -> Result<Listed, StoreError> {
        let mut listed = Listed { sessions: Vec::new(), skipped: Vec::new() };
        for (name, is_folder) in self.root.names().map_err(|error| self.failed("list", error))? {
            let read = match is_folder {
                true => self.get(&name),
                false => Err(StoreError::Corrupt(name.clone(), "it is no folder".to_owned())),
            };
            match (read, self.behavior.odd) {
                (Ok(record), _) => listed.sessions.push(record),
                (Err(error), Odd::Fail) => return Err(error),
                (Err(error), Odd::Skip) => listed.skipped.push(Skipped { reason: why(&error), name }),
                (Err(_), Odd::Show) => listed.sessions.push(StoreRecord::new(&name, "", "", Args::new(), self.now())),
            }
        }
        listed.sessions.retain(|record| {
            (!active_only || (self.behavior.is_active)(record)) && agent_name.is_none_or(|agent| (self.behavior.is_of_agent)(record, agent))
        });
        listed.sessions.sort_by_cached_key(self.behavior.order);
        listed.skipped.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listed)
    }

    pub(crate) fn folder(&self, id: &str) -> Result<Folder, StoreError> {
        if (self.behavior.check_id)(id).is_err() {
            return Err(StoreError::NotFound(id.to_owned()));
        }
        let folder = self.root.session(id).map_err(|error| self.failed(id, error))?;
        folder.ok_or_else(|| StoreError::NotFound(id.to_owned()))
    }

    fn read(&self, id: &str, folder: &Folder) -> Result<StoreRecord, StoreError> {
        match folder.read() {
            Ok(record) if record.agent_id.is_empty() => Ok(StoreRecord { agent_id: id.to_owned(), ..record }),
            Ok(record) => Ok(record),
            Err(Unreadable::Absent) => Err(StoreError::NotFound(id.to_owned())),
            Err(Unreadable::Corrupt(why)) => Err(StoreError::Corrupt(id.to_owned(), why)),
        }
    }

    pub(crate) fn failed(&self, what: &str, error: io::Error) -> StoreError {
        StoreError::Io(format!("{}: {what}", self.root.path.display()), error)
    }
}

/// Why something was left out of a list.
fn why(error: &StoreError) -> String {
    match error {
        StoreError::Corrupt(_, why) => why.clone(),
        StoreError::NotFound(_) => "it holds no record".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::core::clock::virtual_runtime;

    fn object(value: serde_json::Value) -> Args {
        value.as_object().unwrap().clone()
    }

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(&folder.path().join("session"));
        (folder, store)
    }

    fn new(agent: &str, id: Option<&str>) -> New {
        New { agent_name: agent.into(), purpose: "p".into(), session_id: id.map(str::to_owned), ..New::default() }
    }

    fn to(phase: &str) -> StateUpdate {
        StateUpdate { phase: Some(phase.into()), ..StateUpdate::default() }
    }

    #[test]
    fn a_session_is_resumable_for_less_than_thirty_minutes_of_virtual_time() {
        virtual_runtime().block_on(async {
            let (_folder, store) = store();
            let store = store.with_clock(Clock::start_virtual());
            let id = store.create(new("terraform-architect", None)).unwrap();
            assert!(id.starts_with("agent-20260101-000000-"), "{id}");
            store.update(&id, to("approval")).unwrap();
            tokio::time::sleep(Duration::from_secs(1_799)).await;
            assert_eq!(store.should_resume(&id).unwrap().reason.name(), "session_resumable");
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(store.should_resume(&id).unwrap().reason.name(), "timeout");
            store.finalize(&id, "abandoned", None).unwrap();
            assert_eq!(store.get(&id).unwrap().duration_seconds.unwrap().as_f64(), Some(1_800.0));
        });
    }

    #[test]
    fn a_refused_update_changes_nothing_and_a_final_session_stays_final() {
        let (_folder, store) = store();
        let id = store.create(new("a", Some("s"))).unwrap();
        let before = store.get(&id).unwrap();
        let refused = StateUpdate { phase: Some("thinking".into()), metadata: object(json!({"a": 1})), error: Some("e".into()) };
        assert_eq!(store.update(&id, refused).unwrap_err().code(), ErrorCode::InvalidArgument);
        assert_eq!(store.get(&id).unwrap(), before);
        store.update(&id, to("failed")).unwrap();
        let over = store.get(&id).unwrap();
        assert!(over.finalized_at.is_some() && over.duration_seconds.is_some());
        assert_eq!(store.update(&id, to("planning")).unwrap_err().code(), ErrorCode::SessionEnded);
        assert_eq!(store.finalize(&id, "completed", None).unwrap_err().code(), ErrorCode::SessionEnded);
        assert_eq!(store.get(&id).unwrap(), over);
    }

    #[test]
    fn an_existing_session_is_refused_and_stays() {
        let (_folder, store) = store();
        store.create(new("a", Some("s"))).unwrap();
        assert_eq!(store.create(new("b", Some("s"))).unwrap_err().code(), ErrorCode::AlreadyExists);
        assert_eq!(store.get("s").unwrap().agent_name, "a");
        assert_eq!(std::fs::read_dir(&store.root.path).unwrap().count(), 3, "the session, the log, .gitignore");
    }

    #[test]
    fn what_is_no_session_is_skipped_and_reported() {
        let (folder, store) = store();
        store.create(new("a", Some("good"))).unwrap();
        store.create(new("a", Some("bad"))).unwrap();
        std::fs::write(store.root.path.join("bad/state.json"), "{").unwrap();
        std::fs::create_dir(store.root.path.join("empty")).unwrap();
        std::fs::write(store.root.path.join("file"), "").unwrap();
        std::os::unix::fs::symlink(folder.path(), store.root.path.join("link")).unwrap();
        let listed = store.list(true, Some("a")).unwrap();
        assert_eq!(listed.sessions.iter().map(|record| record.agent_id.as_str()).collect::<Vec<_>>(), ["good"]);
        assert_eq!(listed.skipped.iter().map(|skipped| skipped.name.as_str()).collect::<Vec<_>>(), ["bad", "empty", "file", "link"]);
        assert_eq!(store.should_resume("bad").unwrap().reason.name(), "corrupt");
        assert_eq!(store.should_resume("link").unwrap().reason.name(), "not_found");
    }

    #[test]
    fn a_clean_up_removes_what_is_old_and_follows_no_link() {
        let (folder, store) = store();
        let elsewhere = folder.path().join("elsewhere");
        std::fs::create_dir(&elsewhere).unwrap();
        std::fs::write(elsewhere.join("state.json"), "{}").unwrap();
        for id in ["young", "old", "corrupt", "foreign"] {
            store.create(new("a", Some(id))).unwrap();
        }
        let file = |id: &str| store.root.path.join(id).join("state.json");
        let old = StoreRecord { last_updated: Timestamp::now() - jiff::SignedDuration::from_hours(25), ..store.get("old").unwrap() };
        std::fs::write(file("old"), old.bytes()).unwrap();
        for id in ["corrupt", "foreign"] {
            let then = std::time::SystemTime::now() - Duration::from_secs(25 * 3_600);
            std::fs::write(file(id), "{").unwrap();
            std::fs::File::options().write(true).open(file(id)).unwrap().set_modified(then).unwrap();
        }
        std::fs::write(store.root.path.join("foreign/notes.txt"), "mine").unwrap();
        std::os::unix::fs::symlink(&elsewhere, store.root.path.join("link")).unwrap();
        assert_eq!(store.cleanup(-1.0).unwrap_err().code(), ErrorCode::InvalidArgument);
        assert_eq!(store.cleanup(24.0).unwrap(), 2);
        assert!(elsewhere.join("state.json").exists() && file("foreign").exists());
        assert_eq!(store.list(false, None).unwrap().sessions.len(), 1);
        assert_eq!(store.cleanup(24.0).unwrap(), 0);
    }

    #[test]
    fn without_an_id_the_newest_session_of_the_same_agent_and_task_is_resumed() {
        let (_folder, store) = store();
        let of_task = |id: &str, task: &str| {
            store.create(New { metadata: object(json!({"task_id": task})), ..new("a", Some(id)) }).unwrap();
            store.update(id, to("approval")).unwrap();
        };
        of_task("first", "T1");
        of_task("second", "T1");
        of_task("third", "T2");
        let asked = |input: serde_json::Value| store.pre_delegate(&input).unwrap();
        let answer = asked(json!({"agent_name": "a", "task_id": "T1"}));
        assert_eq!((&answer["agent_id"], &answer["resume_metadata"]["previous_phase"]), (&json!("second"), &json!("approval")));
        for other in [json!({"agent_name": "a", "task_id": "T9"}), json!({"agent_name": "b", "task_id": "T1"}), json!({"agent_name": "a"})]
        {
            let answer = asked(other.clone());
            assert_eq!(
                (&answer["should_resume"], &answer["reason"], &answer["original_context"]),
                (&json!(false), &json!("not_found"), &other)
            );
        }
    }

    #[rstest::rstest]
    #[case("", "invalid_input", "invalid_input")]
    #[case("[1]", "invalid_input", "invalid_input")]
    #[case(r#"{"agent_id":7}"#, "not_found", "no_agent_id")]
    #[case(r#"{"agent_id":"../../etc"}"#, "not_found", "session_not_found")]
    #[case(r#"{"agent_id":"corrupt"}"#, "corrupt", "corrupt")]
    fn a_hook_has_an_answer_for_everything(#[case] input: &str, #[case] before: &str, #[case] after: &str) {
        let (_folder, store) = store();
        store.create(new("a", Some("corrupt"))).unwrap();
        std::fs::write(store.root.path.join("corrupt/state.json"), "").unwrap();
        let answer = store.pre_delegate(&input.into()).unwrap();
        assert_eq!((&answer["should_resume"], &answer["reason"]), (&json!(false), &json!(before)));
        let answer = store.subagent_stop(&input.into()).unwrap();
        assert_eq!((&answer["finalized"], &answer["reason"]), (&json!(false), &json!(after)));
    }
}
