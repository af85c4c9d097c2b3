use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

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
    /// A supervised session has another state.
    StateChanged {
        /// The session.
        session_id: SessionId,
        /// The state before; absent for a new session.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// The state now.
        to: String,
        /// Why, in the supervisor's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// As many checks of a supervised session as the policy says failed, one after the other.
    HealthFailed {
        /// The session.
        session_id: SessionId,
        /// How many failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failures: Option<u64>,
    },
    /// A supervised session will be started again by itself.
    RestartScheduled {
        /// The session.
        session_id: SessionId,
        /// Which restart this is since the session was last stable, from 1.
        attempt: u64,
        /// After how long, in seconds.
        delay_s: Number,
    },
    /// A person is called to a supervised session.
    Escalated {
        /// The session.
        session_id: SessionId,
        /// Why, in the supervisor's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// After how many failures, or restarts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<u64>,
    },
}

/// The whole numbers that a float holds exactly end here.
const EXACT: f64 = (1_u64 << 53) as f64;

/// The whole number that a value is, also where it is written `1.0`.
fn whole_number(value: &Value) -> Option<u64> {
    let written_with_a_point = || value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..=EXACT).contains(number));
    value.as_u64().or_else(|| written_with_a_point().map(|number| number as u64))
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
    AnnouncementSpec {
        name: "state_changed",
        fields: &["session_id", "to", "from", "reason"],
        optional: true,
        meaning: "a supervised session has another state",
    },
    AnnouncementSpec {
        name: "health_failed",
        fields: &["session_id", "failures"],
        optional: true,
        meaning: "a supervised session failed as many checks as the policy says",
    },
    AnnouncementSpec {
        name: "restart_scheduled",
        fields: &["session_id", "attempt", "delay_s"],
        optional: true,
        meaning: "a supervised session will be started again by itself",
    },
    AnnouncementSpec {
        name: "escalated",
        fields: &["session_id", "reason", "count"],
        optional: true,
        meaning: "a person is called to a supervised session",
    },
];

impl Announcement {
    /// What a manager said, as the announcement that it is. A `turn` that is no whole number (an id of a turn, for example),
    /// and a `reason` or `message` that is no text, are passed over: they must not cost the announcement.
    ///
    /// # Errors
    /// What is wrong with it: an unknown name or status, or no `session_id`.
    pub fn heard(mut said: Value) -> Result<Self, serde_json::Error> {
        for (name, value) in said.as_object_mut().into_iter().flatten() {
            match name.as_str() {
                "turn" => *value = whole_number(value).into(),
                "reason" | "message" if !value.is_string() => *value = Value::Null,
                _ => {}
            }
        }
        serde_json::from_value(said)
    }

    /// The announcement's name.
    pub fn name(&self) -> &'static str {
        match self {
            Announcement::TurnCompleted { .. } => "turn_completed",
            Announcement::SessionEnded { .. } => "session_ended",
            Announcement::NeedsInput { .. } => "needs_input",
            Announcement::StateChanged { .. } => "state_changed",
            Announcement::HealthFailed { .. } => "health_failed",
            Announcement::RestartScheduled { .. } => "restart_scheduled",
            Announcement::Escalated { .. } => "escalated",
        }
    }

    /// The session it names.
    pub fn session_id(&self) -> &SessionId {
        match self {
            Announcement::TurnCompleted { session_id, .. }
            | Announcement::SessionEnded { session_id, .. }
            | Announcement::NeedsInput { session_id, .. }
            | Announcement::StateChanged { session_id, .. }
            | Announcement::HealthFailed { session_id, .. }
            | Announcement::RestartScheduled { session_id, .. }
            | Announcement::Escalated { session_id, .. } => session_id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[test]
    fn an_announcement_goes_over_the_wire_with_its_name() {
        let said = Announcement::TurnCompleted { session_id: "s1".into(), turn: Some(1), status: None };
        assert_eq!(serde_json::to_string(&said).unwrap(), r#"{"event":"turn_completed","session_id":"s1","turn":1}"#);
        assert_eq!(said.name(), ANNOUNCEMENTS[0].name);
    }

    #[rstest]
    #[case::a_whole_number(json!(1), Some(1))]
    #[case::written_with_a_point(json!(1.0), Some(1))]
    #[case::from_zero(json!(0), Some(0))]
    #[case::negative(json!(-1), None)]
    #[case::negative_with_a_point(json!(-1.0), None)]
    #[case::between_two_numbers(json!(1.5), None)]
    #[case::more_than_there_are(json!(1e300), None)]
    #[case::an_id(json!("turn-1"), None)]
    #[case::a_number_as_text(json!("1"), None)]
    #[case::an_object(json!({"id":"t1","items":[]}), None)]
    #[case::null(json!(null), None)]
    fn what_is_no_number_of_a_turn_is_passed_over(#[case] turn: Value, #[case] wanted: Option<u64>) {
        let said = Announcement::heard(json!({"event":"turn_completed","session_id":"s","turn":turn})).unwrap();
        assert_eq!(said, Announcement::TurnCompleted { session_id: "s".into(), turn: wanted, status: None });
    }

    #[rstest]
    #[case::a_reason_that_is_a_text(json!({"event":"session_ended","session_id":"s","reason":"timeout"}), Some("timeout"))]
    #[case::a_reason_that_is_a_number(json!({"event":"session_ended","session_id":"s","reason":143}), None)]
    #[case::a_message_that_is_a_text(json!({"event":"needs_input","session_id":"s","message":"May I?"}), Some("May I?"))]
    #[case::a_message_that_is_an_object(json!({"event":"needs_input","session_id":"s","message":{"text":"May I?"}}), None)]
    fn what_is_no_text_is_passed_over(#[case] said: Value, #[case] wanted: Option<&str>) {
        let (Announcement::SessionEnded { reason: text, .. } | Announcement::NeedsInput { message: text, .. }) =
            Announcement::heard(said).unwrap()
        else {
            panic!("a turn")
        };
        assert_eq!(text.as_deref(), wanted);
    }

    #[rstest]
    #[case::no_session(json!({"event":"turn_completed","turn":1}), "missing field `session_id`")]
    #[case::no_object(json!(5), "invalid type: integer `5`, expected internally tagged enum Announcement")]
    #[case::an_unknown_status(
        json!({"event":"turn_completed","session_id":"s","status":"success"}),
        "unknown variant `success`, expected one of `completed`, `interrupted`, `failed`"
    )]
    fn what_cannot_be_passed_over_is_told(#[case] said: Value, #[case] why: &str) {
        assert_eq!(Announcement::heard(said).unwrap_err().to_string(), why);
    }
}
