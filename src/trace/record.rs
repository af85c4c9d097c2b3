use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

use crate::contract::{AgentKind, AgentRun, Announcement, Args, ContractError, SessionId, TurnStatus, WorkerState};

use super::GlanceError;
use super::loose::milliseconds;

/// One line of a trace.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(title = "passmuster trace record")]
pub struct Record {
    /// Milliseconds since the trace began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u64>,
    /// Wall time (RFC 3339), where `at_ms` is not known: recorded production traces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// What happened.
    #[serde(flatten, skip_serializing_if = "Entry::is_unknown")]
    pub entry: Entry,
    /// Keys that this version does not know; they survive rewriting.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: Map<String, Value>,
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let mut line = Map::deserialize(input)?;
        let at_ms = milliseconds(line.shift_remove("at_ms").unwrap_or_default()).map_err(D::Error::custom)?;
        let at = Option::deserialize(line.shift_remove("at").unwrap_or_default()).map_err(D::Error::custom)?;
        let entry = Entry::deserialize(Value::Object(line.clone())).map_err(D::Error::custom)?;
        if matches!(entry, Entry::Reply { ok: Some(_), error: Some(_), .. }) {
            return Err(D::Error::custom(GlanceError::Both));
        }
        if !entry.is_unknown()
            && let Value::Object(known) = serde_json::to_value(&entry).map_err(D::Error::custom)?
        {
            line.retain(|key, value| !known.contains_key(key) && !value.is_null());
        }
        Ok(Self { at_ms, at, entry, extra: line })
    }
}

/// What a line of a trace says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schemars(transform = or_any_other_kind)]
pub enum Entry {
    /// What the trace is of.
    Meta {
        /// The system under test.
        #[serde(default)]
        system: String,
        /// The spec's version.
        #[serde(default)]
        spec: String,
        /// The scenario.
        #[serde(default)]
        scenario: String,
        /// The profile set in force, by agent.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        profiles: BTreeMap<AgentKind, String>,
    },
    /// An operation was asked for.
    Request {
        /// Pairs the request with its reply.
        id: u64,
        /// The operation's name.
        op: String,
        /// Its arguments.
        #[serde(default)]
        args: Args,
    },
    /// An answer came: exactly one of `ok` and `error`, which is `timeout` where the harness saw no answer at all.
    Reply {
        /// The request's id.
        id: u64,
        /// The result.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ok: Option<Args>,
        /// The error.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<ContractError>,
    },
    /// Something that is so, whatever anyone claims.
    Truth(Fact),
    /// Something that is so of a container.
    Container(ContainerFact),
    /// A supervised session's record, as it lay in the registry at that moment.
    Recorded {
        /// The session.
        session_id: SessionId,
        /// The record; absent where there was none, or none that could be read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        record: Option<Value>,
        /// The containers in which an agent of it lives, where that was looked at, too.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        living: Option<Vec<String>>,
    },
    /// A session was found to be an agent's run.
    Bound {
        /// The session.
        session_id: SessionId,
        /// The run.
        agent_run: AgentRun,
        /// By what.
        by: Binding,
    },
    /// The manager announced something.
    Event(Announcement),
    /// What an orchestrator is to do with one worker; the gate writes one for each before it starts the orchestrator.
    Worker(Worker),
    /// How an orchestrator's worker came out.
    Outcome(Outcome),
    /// The orchestrator's process is over.
    OrchestratorExited {
        /// Its exit status; absent where a signal ended it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<i32>,
        /// Whether the gate had to end it, long after the last deadline.
        #[serde(default)]
        overdue: bool,
    },
    /// A step of the scenario begins.
    Step {
        /// Its keyword and text.
        text: String,
    },
    /// The harness killed the manager and started it again.
    Restarted,
    /// The system left a process running when it was closed; the harness ended it.
    Litter {
        /// Its command and process id.
        process: String,
    },
    /// A remark for people.
    Note {
        /// The remark.
        text: String,
    },
    /// A kind that this version does not know; the line is kept in `extra`.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// A line may be of a kind that this version does not know.
fn or_any_other_kind(schema: &mut Schema) {
    let Some(kinds) = schema.get_mut("oneOf").and_then(Value::as_array_mut) else { return };
    let known: Vec<Value> = kinds.iter().map(|kind| kind["properties"]["kind"]["const"].clone()).collect();
    kinds.push(json!({
        "description": "A kind that this version does not know.",
        "type": "object",
        "properties": { "kind": { "type": "string", "not": { "enum": known } } },
        "required": ["kind"],
    }));
}

impl Entry {
    fn is_unknown(&self) -> bool {
        *self == Entry::Unknown
    }
}

/// By what a session was bound to an agent's run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Binding {
    /// The working directory, unique to the session.
    Cwd,
    /// A nonce in the message.
    Nonce,
}

/// A fact about an agent's run, from its stand-in's report or the operating system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// The agent's process is up.
    AgentStarted {
        /// The run.
        agent_run: AgentRun,
        /// Which agent.
        agent: AgentKind,
        /// Its process.
        pid: u32,
        /// Its working directory.
        cwd: String,
    },
    /// The agent took a prompt.
    PromptAccepted {
        /// The run.
        agent_run: AgentRun,
        /// The turn it opens, from 1.
        turn: u64,
        /// The prompt, as it arrived.
        text: String,
    },
    /// The agent works on a turn.
    TurnStarted {
        /// The run.
        agent_run: AgentRun,
        /// The turn.
        turn: u64,
    },
    /// The harness let a turn end.
    TurnReleased {
        /// The run.
        agent_run: AgentRun,
        /// The turn.
        turn: u64,
    },
    /// The agent finished a turn.
    TurnCompleted {
        /// The run.
        agent_run: AgentRun,
        /// The turn.
        turn: u64,
        /// How it ended; absent means completed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<TurnStatus>,
    },
    /// The agent wrote its native file.
    FileWritten {
        /// The run.
        agent_run: AgentRun,
        /// The file.
        path: String,
        /// Its size after the write.
        bytes: u64,
    },
    /// The agent removed its native file.
    FileRemoved {
        /// The run.
        agent_run: AgentRun,
        /// The file.
        path: String,
    },
    /// The agent got a signal.
    AgentSignalled {
        /// The run.
        agent_run: AgentRun,
        /// The signal's name: `TERM`, `HUP`, …
        signal: String,
    },
    /// The agent said that it exits.
    AgentExited {
        /// The run.
        agent_run: AgentRun,
        /// Its exit status.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<i32>,
    },
    /// The agent is gone without a word, seen by the operating system.
    AgentGone {
        /// The run.
        agent_run: AgentRun,
    },
    /// A process that the agent started is alive past the end limit.
    DescendantAlive {
        /// The run.
        agent_run: AgentRun,
        /// The process.
        pid: u32,
        /// What it is, for people.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        command: String,
        /// Whether it left its parent before the session was ended (double fork).
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        reparented: bool,
    },
}

/// A fact about a container, from the engine's own books, not from what the engine answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum ContainerFact {
    /// It was created.
    Created {
        /// Its id.
        container: String,
        /// Its name.
        name: String,
    },
    /// It was started.
    Started {
        /// Its id.
        container: String,
    },
    /// What runs in it was stopped in the middle, and stays.
    Frozen {
        /// Its id.
        container: String,
    },
    /// It goes on.
    Thawed {
        /// Its id.
        container: String,
    },
    /// It got a signal by the engine.
    Signalled {
        /// Its id.
        container: String,
        /// The signal's name: `TERM`, `USR1`, …
        signal: String,
    },
    /// A further process was started in it by the engine.
    Executed {
        /// Its id.
        container: String,
        /// The process.
        pid: u32,
    },
    /// Its first process is over.
    Ended {
        /// Its id.
        container: String,
    },
    /// It is gone.
    Removed {
        /// Its id.
        container: String,
    },
    /// The engine did not do what it was asked, or did not say so.
    Refused {
        /// What was asked.
        call: String,
        /// What became of it.
        how: String,
    },
}

impl Fact {
    /// The run that the fact is about.
    pub fn agent_run(&self) -> &AgentRun {
        match self {
            Fact::AgentStarted { agent_run, .. }
            | Fact::PromptAccepted { agent_run, .. }
            | Fact::TurnStarted { agent_run, .. }
            | Fact::TurnReleased { agent_run, .. }
            | Fact::TurnCompleted { agent_run, .. }
            | Fact::FileWritten { agent_run, .. }
            | Fact::FileRemoved { agent_run, .. }
            | Fact::AgentSignalled { agent_run, .. }
            | Fact::AgentExited { agent_run, .. }
            | Fact::AgentGone { agent_run }
            | Fact::DescendantAlive { agent_run, .. } => agent_run,
        }
    }
}

/// One worker that an orchestrator is to run; the sessions that it starts in this folder are this worker's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Worker {
    /// The worker's index.
    pub worker: usize,
    /// Its agent.
    pub agent: AgentKind,
    /// Its folder.
    pub cwd: String,
    /// How long it may take, in seconds from the request of its first start.
    pub deadline_s: f64,
}

/// How an orchestrator's worker came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// The worker's index.
    pub worker: usize,
    /// Its state.
    pub state: WorkerState,
    /// Whether what it reports is cut.
    #[serde(default)]
    pub truncated: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contract's own example lines.
    const LINES: &str = r#"{"at_ms":0,"kind":"meta","system":"my-manager","spec":"1.0","scenario":"x","profiles":{"codex":"spec"}}
{"at_ms":12,"kind":"request","id":1,"op":"start_session","args":{"agent":"codex","cwd":"/w"}}
{"at_ms":30,"kind":"truth","fact":"agent_started","agent_run":"r1","agent":"codex","pid":4711,"cwd":"/w"}
{"at_ms":40,"kind":"reply","id":1,"ok":{"session_id":"s1"}}
{"at_ms":40,"kind":"bound","session_id":"s1","agent_run":"r1","by":"cwd"}
{"at_ms":62,"kind":"reply","id":2,"error":{"code":"session_not_found","message":"…"}}
{"at_ms":950,"kind":"truth","fact":"turn_released","agent_run":"r1","turn":1}
{"at_ms":955,"kind":"event","event":"turn_completed","session_id":"s1","turn":1}"#;

    #[test]
    fn the_contracts_lines_survive_reading_and_writing() {
        for line in LINES.lines() {
            let record: Record = serde_json::from_str(line).unwrap();
            assert_ne!(record.entry, Entry::Unknown, "{line}");
            assert_eq!(serde_json::to_string(&record).unwrap(), line);
        }
    }

    #[test]
    fn an_unknown_kind_and_unknown_keys_are_kept_apart() {
        let record: Record = serde_json::from_str(r#"{"at_ms":1,"kind":"weather","sky":"blue"}"#).unwrap();
        assert_eq!(record.entry, Entry::Unknown);
        assert_eq!(record.extra["sky"], "blue");
        assert_eq!(serde_json::to_string(&record).unwrap(), r#"{"at_ms":1,"kind":"weather","sky":"blue"}"#);
    }
}
