use serde::{Deserialize, Serialize};

use super::SessionId;

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TurnStatus {
    /// The agent answered.
    Completed,
    /// The turn was stopped.
    Interrupted,
    /// The turn failed: a model error, or the agent died in it.
    Failed,
}

/// What a manager announces, as it goes over the wire: `{"event":"turn_completed","session_id":"s1",…}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Announcement {
    /// A turn is over.
    TurnCompleted {
        /// The session.
        session_id: SessionId,
        /// The turn's number in the session, from 1, where the manager counts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        turn: Option<u64>,
        /// How it ended; absent means completed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<TurnStatus>,
    },
    /// A session is over.
    SessionEnded {
        /// The session.
        session_id: SessionId,
        /// Why, in the manager's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The agent waits for an answer.
    NeedsInput {
        /// The session.
        session_id: SessionId,
        /// What it asks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
}

/// What the contract says of one announcement.
#[derive(Debug)]
pub struct AnnouncementSpec {
    /// The announcement's name.
    pub name: &'static str,
    /// The fields, required ones first.
    pub fields: &'static [&'static str],
    /// Whether a manager may leave it out.
    pub optional: bool,
    /// The meaning, as documents show it.
    pub meaning: &'static str,
}

/// The announcement table, in the contract's order.
pub const ANNOUNCEMENTS: &[AnnouncementSpec] = &[
    AnnouncementSpec { name: "turn_completed", fields: &["session_id", "turn", "status"], optional: false, meaning: "a turn is over" },
    AnnouncementSpec { name: "session_ended", fields: &["session_id", "reason"], optional: true, meaning: "a session is over" },
    AnnouncementSpec { name: "needs_input", fields: &["session_id", "message"], optional: true, meaning: "the agent waits for an answer" },
];

impl Announcement {
    /// The announcement's name.
    pub fn name(&self) -> &'static str {
        match self {
            Announcement::TurnCompleted { .. } => "turn_completed",
            Announcement::SessionEnded { .. } => "session_ended",
            Announcement::NeedsInput { .. } => "needs_input",
        }
    }

    /// The session it names.
    pub fn session_id(&self) -> &SessionId {
        match self {
            Announcement::TurnCompleted { session_id, .. }
            | Announcement::SessionEnded { session_id, .. }
            | Announcement::NeedsInput { session_id, .. } => session_id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_goes_over_the_wire_with_its_name() {
        let said = Announcement::TurnCompleted { session_id: "s1".into(), turn: Some(1), status: None };
        assert_eq!(serde_json::to_string(&said).unwrap(), r#"{"event":"turn_completed","session_id":"s1","turn":1}"#);
        assert_eq!(said.name(), ANNOUNCEMENTS[0].name);
    }
}
