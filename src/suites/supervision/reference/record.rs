//! A supervised session's record, as it lies in the registry.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::contract::{AgentKind, SupervisedState};

/// A restart that was scheduled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RestartNote {
    /// When it was scheduled.
    pub at: Timestamp,
    /// Its number since the session was last stable, from 1.
    pub attempt: u64,
    /// How long after, in seconds.
    pub delay_s: f64,
    /// Whether it was carried out, or given up.
    #[serde(default)]
    pub over: bool,
}

/// Whether a session is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SessionHealth {
    /// As far as is known.
    #[default]
    Ok,
    /// As many checks failed as the policy says, or it is off its branch.
    Failed,
}

/// One session's record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SupervisedRecord {
    /// The session's id.
    pub session_id: String,
    /// The role that it plays.
    pub role: String,
    /// Its agent.
    pub agent: AgentKind,
    /// Its state.
    pub state: SupervisedState,
    /// Why it is in that state.
    #[serde(default)]
    pub reason: Option<String>,
    /// Whether it is well.
    #[serde(default)]
    pub health: SessionHealth,
    /// Its container's full id, where it has one.
    #[serde(default)]
    pub container_id: Option<String>,
    /// The engine that its container is on.
    #[serde(default)]
    pub engine: String,
    /// The image of its containers.
    #[serde(default)]
    pub image: String,
    /// The agent's folder.
    pub workspace: PathBuf,
    /// The branch that the folder has to be on.
    #[serde(default)]
    pub branch: String,
    /// When its agent was started.
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    /// When the record was written.
    #[serde(default)]
    pub updated_at: Option<Timestamp>,
    /// What its agents wrote, a file for each container.
    #[serde(default)]
    pub transcripts: Vec<PathBuf>,
    /// Whether it is started again by itself.
    #[serde(default)]
    pub auto_restart: bool,
    /// Failed checks, one after the other.
    #[serde(default)]
    pub failures: u64,
    /// Restarts by the policy since it was last stable.
    #[serde(default)]
    pub restarts: Vec<RestartNote>,
    /// Whether its end was asked for.
    #[serde(default)]
    pub stop_requested: bool,
    /// What this program does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The longest record that is read, in bytes: a thousand times what one takes.
const LONGEST: usize = 1 << 20;

impl SupervisedRecord {
    /// Reads a record; its older names `id` and `status`, and the state `planned`, which was never alive, are read, too.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > LONGEST {
            return Err(format!("is {} bytes long, more than any record", bytes.len()));
        }
        let mut fields: Map<String, Value> = serde_json::from_slice(bytes).map_err(|error| format!("is no JSON object: {error}"))?;
        for (older, name) in [("id", "session_id"), ("status", "state")] {
            if !fields.contains_key(name)
                && let Some(value) = fields.remove(older)
            {
                fields.insert(name.to_owned(), value);
            }
        }
        if fields.get("state").is_some_and(|state| state == "planned") {
            fields.insert("state".into(), "stopped".into());
            fields.entry("reason").or_insert_with(|| "planned, and never started".into());
        }
        serde_json::from_value(Value::Object(fields)).map_err(|error| error.to_string())
    }

    /// The record as it is written.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("a record is JSON");
        bytes.push(b'\n');
        bytes
    }
}

#[cfg(test)]
pub(crate) fn example(id: &str) -> SupervisedRecord {
    let text = format!(r#"{{"session_id":"{id}","role":"dev","agent":"codex","state":"running","workspace":"/w","branch":"work"}}"#);
    SupervisedRecord::read(text.as_bytes()).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_writing_and_its_unknown_fields_do() {
        let mut record = example("s");
        record.extra.insert("colour".into(), "red".into());
        assert_eq!(SupervisedRecord::read(&record.bytes()).unwrap(), record);
    }

    #[test]
    fn the_origins_own_fields_are_read() {
        let text = br#"{"id":"s","status":"planned","role":"dev","agent":"codex","workspace":"/w","branch":"b","dry_run":true}"#;
        let record = SupervisedRecord::read(text).unwrap();
        assert_eq!((record.session_id.as_str(), record.state), ("s", SupervisedState::Stopped));
        assert_eq!(record.extra["dry_run"], true);
    }

    #[test]
    fn what_is_no_record_is_told() {
        for text in [
            "",
            "{",
            "[]",
            "null",
            r#"{"session_id":"s"}"#,
            r#"{"session_id":"s","role":"r","agent":"codex","state":"asleep","workspace":"/"}"#,
        ] {
            assert!(SupervisedRecord::read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(SupervisedRecord::read(&vec![b' '; LONGEST + 1]).unwrap_err().contains("more than any record"));
    }
}
