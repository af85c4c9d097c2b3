//! rmcp's errors in the harness's terms: what came and was no answer, and what did not come.

use std::fmt;

use rmcp::service::{ClientInitializeError, ServiceError};
use rmcp::transport::streamable_http_client::StreamableHttpError;

use super::connection::Refusal;
use crate::sut::CallError;

pub(crate) fn closed() -> CallError {
    CallError::Broken { what: "connection closed".to_owned() }
}

pub(crate) fn service_error(error: &ServiceError) -> CallError {
    match error {
        ServiceError::TransportClosed => closed(),
        ServiceError::UnexpectedResponse => CallError::Malformed { what: "an answer of another kind than a tool's".to_owned() },
        ServiceError::TransportSend(transport) => transport_error(transport.error.as_ref()),
        other => CallError::Broken { what: other.to_string() },
    }
}

/// Whether an HTTP answer came and was none, or did not come.
fn transport_error(error: &(dyn std::error::Error + 'static)) -> CallError {
    type HttpError = StreamableHttpError<reqwest::Error>;
    let what = Chain(error).to_string();
    match error.downcast_ref::<HttpError>() {
        Some(HttpError::ResponseBodyTooLarge { max_size }) => {
            CallError::Malformed { what: format!("an answer longer than {} MB", max_size >> 20) }
        }
        Some(
            HttpError::Sse(_)
            | HttpError::HttpStatus(_)
            | HttpError::UnexpectedEndOfStream
            | HttpError::UnexpectedServerResponse(_)
            | HttpError::UnexpectedContentType(_)
            | HttpError::Deserialize(_)
            | HttpError::MissingSessionIdInResponse,
        ) => CallError::Malformed { what },
        _ => CallError::Broken { what },
    }
}

pub(crate) fn refusal(error: ClientInitializeError) -> Refusal {
    match error {
        ClientInitializeError::JsonRpcError(error) => Refusal::NotThisWay(error.to_string()),
        ClientInitializeError::NoCompatibleProtocolVersion { .. } => Refusal::NotThisWay(error.to_string()),
        ClientInitializeError::ConnectionClosed(_) => Refusal::Failed(closed()),
        ClientInitializeError::TransportError { error, context } => match transport_error(error.error.as_ref()) {
            CallError::Malformed { what } => Refusal::Failed(CallError::Malformed { what: format!("{context}: {what}") }),
            error => Refusal::Failed(CallError::Broken { what: format!("{context}: {error}") }),
        },
        other => Refusal::Failed(CallError::Malformed { what: other.to_string() }),
    }
}

/// An error and its causes, each said once.
struct Chain<'a>(&'a (dyn std::error::Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        f.write_str(&said)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let words = error.to_string();
            if !said.contains(&words) {
                write!(f, ": {words}")?;
            }
            said = words;
            cause = error.source();
        }
        Ok(())
    }
}
