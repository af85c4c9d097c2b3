use std::io;

use crate::contract::{ContractError, ErrorCode};

/// Why something could not be done with a session file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionFileError {
    /// There is no such file.
    #[error("there is no session file `{0}`")]
    NotFound(String),
    /// It is not there to be resumed.
    #[error("`{0}` is completed, not active: `files update` makes it active again")]
    NotActive(String),
    /// An argument means nothing.
    #[error("{0}")]
    Invalid(String),
    /// Somebody changed the file since it was read.
    #[error("`{0}` has changed since that revision: read it again")]
    Conflict(String),
    /// Something is to be done first.
    #[error("{0}")]
    NotReady(String),
    /// The system refused.
    #[error("{0}: {1}")]
    Io(String, io::Error),
}

impl From<SessionFileError> for ContractError {
    fn from(error: SessionFileError) -> Self {
        let code = match error {
            SessionFileError::NotFound(_) | SessionFileError::NotActive(_) => ErrorCode::SessionNotFound,
            SessionFileError::Invalid(_) => ErrorCode::InvalidArgument,
            SessionFileError::Conflict(_) => ErrorCode::Conflict,
            SessionFileError::NotReady(_) => ErrorCode::NotReady,
            SessionFileError::Io(..) => ErrorCode::Internal,
        };
        ContractError::new(code, error.to_string())
    }
}
