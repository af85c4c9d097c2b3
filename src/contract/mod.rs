//! The contract: operations, errors, announcements, statuses and ids. No I/O.
//!
//! Each concept is one table; drivers, fronts, help and documents iterate it.

pub(crate) mod agent_kind;
pub(crate) mod announcement;
pub(crate) mod error;
pub(crate) mod id;
pub(crate) mod operation;
pub(crate) mod session_phase;
pub(crate) mod status;
pub(crate) mod supervised_state;
pub(crate) mod worker_machine;

pub use agent_kind::AgentKind;
pub use announcement::{ANNOUNCEMENTS, Announcement, AnnouncementSpec, TurnStatus};
pub use error::{ContractError, ERRORS, ErrorCode, ErrorSpec};
pub use id::{AgentRun, SessionId};
pub use operation::{
    Args, Claim, Field, FieldKind, OPERATIONS, OperationSpec, OperationTable, SESSION_FILE_OPERATIONS, SESSION_OPERATIONS,
    STORE_OPERATIONS, SUPERVISION_OPERATIONS,
};
pub use session_phase::SessionPhase;
pub use status::Status;
pub use supervised_state::SupervisedState;
pub use worker_machine::WorkerState;

/// The longest text that `get_session_data` may return, in characters (Unicode scalar values); LC-OBS-5.
pub const TEXT_LIMIT: usize = 48_000;

/// The session timeout that is stated when nobody states another, in seconds (three days).
pub const DEFAULT_TIMEOUT_S: f64 = 259_200.0;

/// The longest message a manager states it takes when it states nothing else, in characters; LC-CREATE-3b.
pub const DEFAULT_MESSAGE_CHARS: usize = 20_000;
