//! The front ends: the same service behind JSON-RPC, MCP and REST; the CLI is a client of the first.
pub(crate) mod bridge;
pub(crate) mod client;
pub(crate) mod clients;
pub(crate) mod mcp;
pub(crate) mod rest;
pub(crate) mod rpc;
pub(crate) mod server;
pub(crate) mod service;

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{StatusCode, header::ORIGIN};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::contract::{Announcement, Args, ContractError, ErrorCode, OperationSpec, OperationTable};

use crate::frontends::service::Service;

/// What the fronts of one service share: the calls in flight, and whether the end has come. Clones share it.
#[derive(Clone)]
pub(crate) struct Dispatcher {
    service: Arc<dyn Service>,
    calls: TaskTracker,
    closing: CancellationToken,
}

impl Dispatcher {
    /// A dispatcher in front of a service.
    pub(crate) fn new(service: Arc<dyn Service>) -> Self {
        Self { service, calls: TaskTracker::new(), closing: CancellationToken::new() }
    }

    /// The operations it answers.
    pub(crate) fn operations(&self) -> OperationTable {
        self.service.operations()
    }

    /// Announcements from now on.
    pub(crate) fn announcements(&self) -> broadcast::Receiver<Announcement> {
        self.service.announcements()
    }

    /// A connection's own token: cancelled when its client is gone, or when the dispatcher closes.
    pub(crate) fn connection(&self) -> CancellationToken {
        self.closing.child_token()
    }

    /// Answers one operation. It runs to its end whatever becomes of the one who asked: a start that is dropped halfway
    /// would leave an agent that nobody lists. Only waiting is given up when `gone` says that nobody waits any more.
    ///
    /// # Errors
    /// The service's; `internal` once the dispatcher is closing.
    pub(crate) async fn call(
        &self,
        operation: &'static OperationSpec,
        args: Args,
        gone: &CancellationToken,
    ) -> Result<Args, ContractError> {
        if self.closing.is_cancelled() {
            return Err(internal("the manager is about to end"));
        }
        let answer = self.service.clone().call(operation.name, args);
        let (gone, waits) = (gone.clone(), operation.name == "wait_events");
        let call = self.calls.spawn(async move {
            tokio::select! {
                answer = answer => answer,
                () = gone.cancelled(), if waits => Err(internal("nobody waits any more")),
            }
        });
        call.await.unwrap_or_else(|_| Err(internal("the manager failed at this; its standard error says how")))
    }

    /// Takes no more calls, lets those in flight come to their end, and ends every session.
    pub(crate) async fn close(&self) {
        self.closing.cancel();
        self.calls.close();
        self.calls.wait().await;
        self.service.shutdown().await;
    }
}

fn internal(why: &str) -> ContractError {
    ContractError::new(ErrorCode::Internal, why)
}

/// Refuses what a browser sends on behalf of some page: whoever may ask here may start agents.
async fn no_browsers(request: Request, next: Next) -> Response {
    if request.headers().contains_key(ORIGIN) {
        return (StatusCode::FORBIDDEN, "requests from web pages are not taken\n").into_response();
    }
    next.run(request).await
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use async_trait::async_trait;
    use serde_json::json;

    use super::*;
    use crate::contract::{SESSION_OPERATIONS, SessionId};

    /// A service that starts `s1`, announces a turn on every message before it answers, and lets `end_session` take its
    /// time.
    pub(crate) struct Small {
        said: broadcast::Sender<Announcement>,
        pub ended: tokio::sync::Semaphore,
        pub done: std::sync::atomic::AtomicUsize,
    }

    impl Small {
        pub(crate) fn dispatcher() -> (Dispatcher, Arc<Self>) {
            let small = Arc::new(Self { said: broadcast::Sender::new(64), ended: tokio::sync::Semaphore::new(0), done: 0.into() });
            (Dispatcher::new(small.clone()), small)
        }
    }

    #[async_trait]
    impl Service for Small {
        fn operations(&self) -> OperationTable {
            SESSION_OPERATIONS
        }

        async fn call(self: Arc<Self>, operation: &str, args: Args) -> Result<Args, ContractError> {
            let args = OperationSpec::find(SESSION_OPERATIONS, operation).unwrap().accept(&args)?;
            match operation {
                "start_session" => Ok(Args::from_iter([("session_id".to_owned(), json!("s1"))])),
                "send_message" => {
                    for turn in 1..=3 {
                        let session_id = SessionId::from("s1");
                        let _ = self.said.send(Announcement::TurnCompleted { session_id, turn: Some(turn), status: None });
                    }
                    Ok(Args::new())
                }
                "end_session" => {
                    let _turn = self.ended.acquire().await;
                    self.done.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    Ok(Args::new())
                }
                "wait_events" => std::future::pending().await,
                "capture_screen" => panic!("no screen, on purpose"),
                "list_sessions" => Ok(Args::from_iter([("sessions".to_owned(), json!([]))])),
                _ => Err(ContractError::new(ErrorCode::SessionNotFound, format!("no session {}", args["session_id"]))),
            }
        }

        fn announcements(&self) -> broadcast::Receiver<Announcement> {
            self.said.subscribe()
        }

        async fn shutdown(&self) {
            self.done.fetch_add(100, std::sync::atomic::Ordering::SeqCst);
        }
    }

    fn operation(name: &str) -> &'static OperationSpec {
        OperationSpec::find(SESSION_OPERATIONS, name).unwrap()
    }

    fn session() -> Args {
        Args::from_iter([("session_id".to_owned(), json!("s1"))])
    }

    #[tokio::test]
    async fn a_call_whose_caller_goes_away_comes_to_its_end_before_the_desk_closes() {
        let (dispatcher, small) = Small::dispatcher();
        let gone = dispatcher.connection();
        let asked = tokio::time::timeout(Duration::from_millis(10), dispatcher.call(operation("end_session"), session(), &gone)).await;
        assert!(asked.is_err(), "it is still at it");
        let closing = tokio::spawn({
            let dispatcher = dispatcher.clone();
            async move { dispatcher.close().await }
        });
        tokio::task::yield_now().await;
        assert!(!closing.is_finished());
        small.ended.add_permits(1);
        closing.await.unwrap();
        assert_eq!(small.done.load(std::sync::atomic::Ordering::SeqCst), 101);
        assert!(dispatcher.call(operation("list_sessions"), Args::new(), &gone).await.is_err());
    }

    #[tokio::test]
    async fn waiting_is_given_up_when_nobody_waits() {
        let (dispatcher, _) = Small::dispatcher();
        let gone = dispatcher.connection();
        gone.cancel();
        let error = dispatcher.call(operation("wait_events"), Args::new(), &gone).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Internal);
    }

    #[tokio::test]
    async fn a_call_that_panics_is_an_internal_error() {
        let (dispatcher, _) = Small::dispatcher();
        let error = dispatcher.call(operation("capture_screen"), session(), &dispatcher.connection()).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Internal);
    }
}
