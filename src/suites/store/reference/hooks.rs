//! The two hooks: before work is delegated, and after an agent has stopped. They answer whatever they are given.

use serde_json::{Value, json};

use crate::contract::{Args, SessionPhase};

use super::decision::{Decision, Reason, decide};
use super::record::StoreRecord;
use super::store::{Store, StoreError};

/// What the hooks do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HookInput {
    /// Whether they fail where they cannot do what they are for.
    pub(crate) fail: bool,
    /// What an agent's exit status means.
    pub(crate) outcome: fn(&Value) -> SessionPhase,
    /// Whether a session is the one of an input without an id.
    pub(crate) is_meant: fn(&StoreRecord, &Args) -> bool,
    /// Whether only those are looked at that can be resumed.
    pub(crate) resumable_alone: bool,
    /// Whether the last of several that are meant is taken; else the first.
    pub(crate) newest: bool,
    /// What a resumed agent gets to know.
    pub(crate) told: fn(&StoreRecord) -> Value,
    /// What is given back of the input.
    pub(crate) context: fn(&Value) -> Value,
    /// What is kept of an agent's own summary.
    pub(crate) summary: fn(&Args) -> Option<String>,
}

impl Default for HookInput {
    fn default() -> Self {
        Self { fail: false, outcome, is_meant, resumable_alone: true, newest: true, told, context: Value::clone, summary }
    }
}

/// The outcome of an exit status: 0 or none is success.
fn outcome(exit_code: &Value) -> SessionPhase {
    match exit_code {
        Value::Null => SessionPhase::Completed,
        code if code.as_f64() == Some(0.0) => SessionPhase::Completed,
        _ => SessionPhase::Failed,
    }
}

/// Whether a session is of the input's agent and task. An input that names no task means no session.
pub(crate) fn is_meant(record: &StoreRecord, input: &Args) -> bool {
    let task = input.get("task_id").filter(|task| !task.is_null());
    input.get("agent_name").and_then(Value::as_str) == Some(&record.agent_name)
        && task.is_some_and(|task| record.metadata.get("task_id") == Some(task))
}

/// What a resumed agent gets to know of what went before.
pub(crate) fn told(record: &StoreRecord) -> Value {
    json!({
        "previous_phase": record.phase,
        "created_at": record.created_at,
        "history": record.history,
        "session_metadata": record.metadata,
    })
}

fn summary(input: &Args) -> Option<String> {
    input.get("summary").and_then(Value::as_str).map(str::to_owned)
}

/// What a hook was given: a text is read as JSON; nothing but an object is an input.
fn read(input: &Value) -> (Value, Option<Args>) {
    let value = match input {
        Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| input.clone()),
        other => other.clone(),
    };
    let fields = value.as_object().cloned();
    (value, fields)
}

fn id(input: &Args) -> Option<&str> {
    input.get("agent_id").and_then(Value::as_str)
}

impl Store {
    /// Whether a delegation is to resume a session, and what the agent gets to know then.
    ///
    /// # Errors
    /// A conforming store has an answer for everything.
    pub fn pre_delegate(&self, input: &Value) -> Result<Args, StoreError> {
        let (context, fields) = read(input);
        let mut answer = Args::from_iter([("should_resume".to_owned(), false.into())]);
        let decided = match fields {
            Some(fields) => {
                self.delegated(&fields).map(|(decision, record)| (decision.reason.name(), record.filter(|_| decision.resume())))
            }
            None => Ok(("invalid_input", None)),
        };
        let (reason, resumed) = match decided {
            Err(error) if self.behavior.hooks.fail => return Err(error),
            Err(error) => {
                answer.insert("detail".to_owned(), error.to_string().into());
                ("store_unreadable", None)
            }
            Ok(("invalid_input" | "not_found", _)) if self.behavior.hooks.fail => {
                return Err(StoreError::Invalid("the hook cannot use its input".to_owned()));
            }
            Ok(decided) => decided,
        };
        answer.insert("reason".to_owned(), reason.into());
        if let Some(record) = resumed {
            answer.insert("should_resume".to_owned(), true.into());
            answer.insert("resume_metadata".to_owned(), (self.behavior.hooks.told)(&record));
            answer.insert("agent_id".to_owned(), record.agent_id.into());
        } else if reason == "corrupt" {
            answer.insert("advice".to_owned(), "create a new session".into());
        }
        answer.insert("original_context".to_owned(), (self.behavior.hooks.context)(&context));
        Ok(answer)
    }

    /// Decides on the session that an input means, and puts it into the audit log.
    fn delegated(&self, input: &Args) -> Result<(Decision, Option<StoreRecord>), StoreError> {
        let (decision, record) = match id(input) {
            Some(id) => self.decide(id)?,
            None => match self.meant(input)? {
                Some(record) => (Decision { reason: Reason::SessionResumable }, Some(record)),
                None => (Decision { reason: Reason::NotFound }, None),
            },
        };
        let session = record.as_ref().map(|record| record.agent_id.as_str()).or(id(input)).unwrap_or_default();
        self.note_decision(session, decision, true);
        Ok((decision, record))
    }

    /// The newest resumable session that an input without an id means.
    fn meant(&self, input: &Args) -> Result<Option<StoreRecord>, StoreError> {
        let hooks = &self.behavior.hooks;
        let now = self.now();
        let resumable = |record: &StoreRecord| decide(self.behavior.conditions, record, &self.limits, now).resume();
        let mut meant = self.list(true, None)?.sessions;
        meant.retain(|record| (hooks.is_meant)(record, input) && (resumable(record) || !hooks.resumable_alone));
        let chosen = if hooks.newest { meant.pop() } else { meant.into_iter().next() };
        Ok(chosen.filter(resumable))
    }

    /// Ends the session of an agent that has stopped.
    ///
    /// # Errors
    /// A conforming store has an answer for everything.
    pub fn subagent_stop(&self, input: &Value) -> Result<Args, StoreError> {
        let (_, fields) = read(input);
        let not = |reason: &str| Args::from_iter([("finalized".to_owned(), false.into()), ("reason".to_owned(), reason.into())]);
        let Some(fields) = fields else { return self.excused("not JSON", not("invalid_input")) };
        let Some(id) = id(&fields) else { return self.excused("no agent_id", not("no_agent_id")) };
        let outcome = (self.behavior.hooks.outcome)(fields.get("exit_code").unwrap_or(&Value::Null));
        match self.finalize(id, outcome.name(), (self.behavior.hooks.summary)(&fields).as_deref()) {
            Ok(()) => Ok(Args::from_iter([("finalized".to_owned(), true.into()), ("outcome".to_owned(), outcome.name().into())])),
            Err(error) if self.behavior.hooks.fail => Err(error),
            Err(error) => {
                let mut answer = not(if matches!(error, StoreError::Corrupt(..)) { "corrupt" } else { error.code().name() });
                answer.insert("detail".to_owned(), error.to_string().into());
                Ok(answer)
            }
        }
    }

    /// The answer of a hook that cannot do what it is for.
    fn excused(&self, why: &str, answer: Args) -> Result<Args, StoreError> {
        if self.behavior.hooks.fail { Err(StoreError::Invalid(why.to_owned())) } else { Ok(answer) }
    }
}
