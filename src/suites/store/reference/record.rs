//! One session's record, as it is kept: read leniently, written in one form.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Number, Value, json};

use crate::contract::{Args, SessionPhase};

/// What is kept of one session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoreRecord {
    /// The session's id.
    #[serde(default, deserialize_with = "or_default")]
    pub agent_id: String,
    /// Whose session it is.
    pub agent_name: String,
    /// What it is for.
    #[serde(default)]
    pub purpose: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// Its last activity.
    pub last_updated: Timestamp,
    /// Where its work stands.
    pub phase: SessionPhase,
    /// What its agent noted.
    #[serde(default, deserialize_with = "or_default")]
    pub metadata: Args,
    /// Whether it may be resumed as far as its phase goes.
    #[serde(default, deserialize_with = "or_default")]
    pub resume_ready: bool,
    /// Every change of phase, oldest first; entries are kept as they were found.
    #[serde(default, deserialize_with = "or_default")]
    pub history: Vec<Value>,
    /// How many errors were noted.
    #[serde(default, deserialize_with = "or_default")]
    pub error_count: u64,
    /// The last of them.
    #[serde(default)]
    pub last_error: Option<String>,
    /// When it ended.
    #[serde(default)]
    pub finalized_at: Option<Timestamp>,
    /// How long it took.
    #[serde(default)]
    pub duration_seconds: Option<Number>,
    /// What came of it.
    #[serde(default)]
    pub summary: Option<String>,
    /// Fields of other tools.
    #[serde(flatten)]
    pub other: Args,
}

/// Null is the same as absent.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl StoreRecord {
    /// A fresh record.
    pub fn new(agent_id: &str, agent_name: &str, purpose: &str, metadata: Args, now: Timestamp) -> Self {
        Self {
            agent_id: agent_id.to_owned(),
            agent_name: agent_name.to_owned(),
            purpose: Some(purpose.to_owned()),
            created_at: now,
            last_updated: now,
            phase: SessionPhase::Initializing,
            metadata,
            resume_ready: false,
            history: Vec::new(),
            error_count: 0,
            last_error: None,
            finalized_at: None,
            duration_seconds: None,
            summary: None,
            other: Args::new(),
        }
    }

    /// Reads a record.
    ///
    /// # Errors
    /// Why it is corrupt.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        if bytes.is_empty() {
            return Err("the record is empty".into());
        }
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }

    /// The record as it is written.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("a record is JSON");
        bytes.push(b'\n');
        bytes
    }

    /// The record as it is answered.
    pub fn json(&self) -> Value {
        json!(self)
    }
}

/// Puts a change of phase behind the earlier ones.
pub(crate) fn remember(record: &mut StoreRecord, to: SessionPhase, now: Timestamp) {
    record.history.push(json!({ "from_phase": record.phase, "to_phase": to, "timestamp": now }));
}

/// Moves a record to a phase.
pub(crate) fn enter(record: &mut StoreRecord, phase: SessionPhase) {
    record.phase = phase;
    record.resume_ready = phase.is_resumable();
}

/// Merges metadata at the top level.
pub(crate) fn merge(known: &mut Args, given: Args) {
    known.extend(given);
}

/// Counts an error and keeps it.
pub(crate) fn note_error(record: &mut StoreRecord, error: &str) {
    record.error_count += 1;
    record.last_error = Some(error.to_owned());
}

/// Something in a store's root that is no readable session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Its name.
    pub name: String,
    /// Why it was left out.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_tools_record_is_read_and_its_own_fields_are_kept() {
        let theirs = json!({
            "agent_id": "agent-123", "agent_name": "terraform-architect", "purpose": null, "colour": {"red": [1, 2.5]},
            "created_at": "2026-01-08T18:05:30.123456+00:00", "last_updated": "2026-01-08T19:10:15+01:00",
            "phase": "approval", "metadata": null, "history": [{"to_phase": "approval"}], "duration_seconds": 7,
        });
        let record = StoreRecord::read(theirs.to_string().as_bytes()).unwrap();
        assert_eq!((record.error_count, record.resume_ready, record.metadata.len()), (0, false, 0));
        let ours = record.json();
        assert_eq!(ours["created_at"], "2026-01-08T18:05:30.123456Z");
        assert_eq!(ours["last_updated"], "2026-01-08T18:10:15Z");
        assert_eq!((&ours["colour"], &ours["history"], &ours["duration_seconds"]), (&theirs["colour"], &theirs["history"], &json!(7)));
    }

    #[rstest::rstest]
    #[case::empty("")]
    #[case::torn("{\"agent_name\":\"a\",")]
    #[case::no_object("[1]")]
    #[case::no_phase(r#"{"agent_name":"a","created_at":"2026-01-01T00:00:00Z","last_updated":"2026-01-01T00:00:00Z"}"#)]
    #[case::no_such_phase(r#"{"agent_name":"a","created_at":"2026-01-01T00:00:00Z","last_updated":"2026-01-01T00:00:00Z","phase":"x"}"#)]
    #[case::no_time(r#"{"agent_name":"a","created_at":"2026-01-01T00:00:00Z","last_updated":"yesterday","phase":"approval"}"#)]
    fn what_means_nothing_is_corrupt(#[case] text: &str) {
        StoreRecord::read(text.as_bytes()).unwrap_err();
    }
}
