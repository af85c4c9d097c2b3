use std::fmt;

use serde::{Deserialize, Serialize};

/// The codes of the errors that operations may give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// No session of that id is known, or its file is not there yet.
    SessionNotFound,
    /// The session exists; nothing can be read yet.
    SessionPending,
    /// The session was ended or its agent is dead.
    SessionEnded,
    /// No such agent.
    UnknownAgent,
    /// The agent could not be started or exited at once.
    AgentFailed,
    /// A session of that id is there already.
    AlreadyExists,
    /// The session is paused: nothing is typed.
    SessionPaused,
    /// The session's state does not allow it.
    InvalidTransition,
    /// The session's workspace is not on the session's branch.
    BranchMismatch,
    /// The container engine cannot be reached, or refuses.
    EngineUnavailable,
    /// An argument is missing, of the wrong type or out of range.
    InvalidArgument,
    /// What was to be changed has changed since it was read.
    Conflict,
    /// Something else is to be done first.
    NotReady,
    /// No answer in time.
    Timeout,
    /// Anything else.
    Internal,
}

/// What the contract says of one error code.
#[derive(Debug)]
pub struct ErrorSpec {
    /// The code.
    pub code: ErrorCode,
    /// The code's word on the wire.
    pub name: &'static str,
    /// The JSON-RPC code.
    pub rpc_code: i64,
    /// Whether what was asked surely did not happen.
    pub definite: bool,
    /// The meaning, as documents show it.
    pub meaning: &'static str,
}

/// The error table, in the contract's order.
pub const ERRORS: &[ErrorSpec] = &[
    error(
        ErrorCode::SessionNotFound,
        "session_not_found",
        -32001,
        true,
        "no session of that id is known, or (before it is observable) its file is not there yet",
    ),
    error(ErrorCode::SessionPending, "session_pending", -32002, true, "the session exists; nothing can be read yet"),
    error(ErrorCode::SessionEnded, "session_ended", -32003, true, "the session was ended or its agent is dead"),
    error(ErrorCode::UnknownAgent, "unknown_agent", -32004, true, "no such agent"),
    error(ErrorCode::AgentFailed, "agent_failed", -32005, true, "the agent could not be started or exited at once; nothing is left behind"),
    error(ErrorCode::AlreadyExists, "already_exists", -32007, true, "a session of that id is there already; it is as it was"),
    error(ErrorCode::SessionPaused, "session_paused", -32010, true, "the session is paused: nothing was typed; resume it first"),
    error(
        ErrorCode::InvalidTransition,
        "invalid_transition",
        -32011,
        true,
        "the session's state does not lead where it was asked to go; it is as it was",
    ),
    error(
        ErrorCode::BranchMismatch,
        "branch_mismatch",
        -32012,
        true,
        "the session's workspace is on another branch than the session; nothing was done",
    ),
    error(
        ErrorCode::EngineUnavailable,
        "engine_unavailable",
        -32013,
        true,
        "the container engine cannot be reached or refuses; nothing was done",
    ),
    error(
        ErrorCode::InvalidArgument,
        "invalid_argument",
        -32602,
        true,
        "missing, of the wrong type or out of range; a message longer than the manager's stated limit",
    ),
    error(ErrorCode::Conflict, "conflict", -32008, true, "what was to be changed has changed since that revision: read it again"),
    error(ErrorCode::NotReady, "not_ready", -32009, true, "something else is to be done first; nothing has changed"),
    error(ErrorCode::Timeout, "timeout", -32006, false, "no answer in time: look before you repeat"),
    error(ErrorCode::Internal, "internal", -32603, false, "anything else"),
];

const fn error(code: ErrorCode, name: &'static str, rpc_code: i64, definite: bool, meaning: &'static str) -> ErrorSpec {
    ErrorSpec { code, name, rpc_code, definite, meaning }
}

impl ErrorCode {
    /// The code's row in [`ERRORS`].
    pub fn spec(self) -> &'static ErrorSpec {
        ERRORS.iter().find(|row| row.code == self).expect("every code has a row")
    }

    /// The code's word on the wire.
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// The code of that word, if the contract has it.
    pub fn from_name(name: &str) -> Option<Self> {
        ERRORS.iter().find(|row| row.name == name).map(|row| row.code)
    }

    /// The code of that JSON-RPC number, if the contract has it.
    pub fn from_rpc(code: i64) -> Option<Self> {
        ERRORS.iter().find(|row| row.rpc_code == code).map(|row| row.code)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// An error that an operation gave: a code of the contract and the manager's own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, schemars::JsonSchema)]
#[error("{code}: {message}")]
pub struct ContractError {
    /// The code.
    pub code: ErrorCode,
    /// The manager's words, for people.
    #[serde(default)]
    pub message: String,
    /// Whether nothing named it, neither the contract's words nor a manifest: it is `internal` for want of a better code.
    #[serde(skip)]
    pub is_unnamed: bool,
}

impl ContractError {
    /// An error of that code with that message.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), is_unnamed: false }
    }

    /// A failure that nothing names.
    pub fn unnamed(message: impl Into<String>) -> Self {
        Self { is_unnamed: true, ..Self::new(ErrorCode::Internal, message) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_lead_back_to_their_code() {
        for row in ERRORS {
            assert_eq!(ErrorCode::from_name(row.name), Some(row.code));
            assert_eq!(ErrorCode::from_rpc(row.rpc_code), Some(row.code));
            assert_eq!(serde_json::to_value(row.code).unwrap(), row.name);
        }
    }
}
