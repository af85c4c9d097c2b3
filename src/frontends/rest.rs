//! REST: an operation is a POST at its name, announcements are server-sent events.

use std::convert::Infallible;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::middleware::from_fn;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::Stream;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::broadcast::error::RecvError;

use crate::contract::{Args, ContractError, ErrorCode, OperationSpec};

use super::{Dispatcher, no_browsers};

/// The longest body that is taken, in bytes.
const BODY_LIMIT: usize = 8 << 20;

/// Serves `POST /OPERATION` and `GET /events` for ever.
///
/// # Errors
/// Where the server fails.
pub(crate) async fn serve_http(dispatcher: &Dispatcher, listener: TcpListener) -> std::io::Result<()> {
    let routes = Router::new().route("/events", get(events)).route("/{operation}", post(posted)).with_state(dispatcher.clone());
    axum::serve(listener, routes.layer(DefaultBodyLimit::max(BODY_LIMIT)).layer(from_fn(no_browsers))).await
}

async fn posted(State(dispatcher): State<Dispatcher>, Path(name): Path<String>, body: Bytes) -> Response {
    let Some(operation) = OperationSpec::find(dispatcher.operations(), &name) else {
        let what = json!({ "error": { "message": format!("there is no operation `{name}`") } });
        return (StatusCode::NOT_FOUND, Json(what)).into_response();
    };
    let args: Args = match body.trim_ascii() {
        b"" => Args::new(),
        body => match serde_json::from_slice(body) {
            Ok(args) => args,
            Err(error) => return failure(&ContractError::new(ErrorCode::InvalidArgument, format!("the body is no JSON object: {error}"))),
        },
    };
    // Dropped with the request: a client that hangs up waits no more.
    let gone = dispatcher.connection();
    let _hung_up = gone.clone().drop_guard();
    match dispatcher.call(operation, args, &gone).await {
        Ok(result) => Json(result).into_response(),
        Err(error) => failure(&error),
    }
}

/// An error: its name in the body says what it is, its status whose fault.
fn failure(error: &ContractError) -> Response {
    let status = match error.code {
        ErrorCode::InvalidArgument | ErrorCode::UnknownAgent => StatusCode::BAD_REQUEST,
        ErrorCode::SessionNotFound => StatusCode::NOT_FOUND,
        ErrorCode::Timeout => StatusCode::GATEWAY_TIMEOUT,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::CONFLICT,
    };
    (status, Json(json!({ "error": { "code": error.code.name(), "message": error.message } }))).into_response()
}

async fn events(State(dispatcher): State<Dispatcher>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let announced = futures::stream::unfold((dispatcher.announcements(), dispatcher.connection()), async |(mut announced, gone)| {
        loop {
            let said = tokio::select! {
                said = announced.recv() => said,
                () = gone.cancelled() => return None,
            };
            match said {
                Ok(said) => {
                    let event = Event::default().json_data(&said).expect("an announcement is JSON");
                    return Some((Ok(event), (announced, gone)));
                }
                Err(RecvError::Lagged(count)) => eprintln!("passmuster: a client missed {count} announcements: it reads too slowly"),
                Err(RecvError::Closed) => return None,
            }
        }
    });
    Sse::new(announced).keep_alive(KeepAlive::default())
}
