//! Serving a manager, or a store, somewhere, until its client or the system asks for the end.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::frontends::service::Service;

use super::{Dispatcher, mcp, rest, rpc};

/// Where a manager is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ServePlace {
    /// JSON-RPC on standard input and output, until the input ends.
    RpcStdio,
    /// JSON-RPC on a Unix socket.
    RpcSocket(PathBuf),
    /// JSON-RPC over HTTP.
    RpcHttp(SocketAddr),
    /// MCP on standard input and output, until the input ends.
    McpStdio,
    /// MCP over HTTP.
    McpHttp(SocketAddr),
    /// REST.
    Rest(SocketAddr),
}

/// The signals that ask for an orderly end. They are noted from the moment that this is made.
#[derive(Debug)]
pub(crate) struct EndSignals([Signal; 3]);

impl EndSignals {
    /// Listens to TERM, INT and HUP.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self([signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?]))
    }

    async fn any(&mut self) {
        let [term, int, hangup] = &mut self.0;
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// Serves until the input ends or a signal comes; then ends every session. A second signal ends that, too.
///
/// # Errors
/// Where the place cannot be served.
pub(crate) async fn serve(service: Arc<dyn Service>, place: &ServePlace, mut signals: EndSignals) -> Result<(), String> {
    let dispatcher = Dispatcher::new(service);
    let ended = tokio::select! {
        ended = front(&dispatcher, place) => ended,
        () = signals.any() => Ok(()),
    };
    tokio::select! {
        () = dispatcher.close() => ended,
        () = signals.any() => Err("asked a second time: ended before every session was".into()),
    }
}

async fn front(dispatcher: &Dispatcher, place: &ServePlace) -> Result<(), String> {
    match place {
        ServePlace::RpcStdio => {
            eprintln!("passmuster: serving JSON-RPC on standard input and output");
            rpc::serve(dispatcher, tokio::io::stdin(), tokio::io::stdout()).await;
            Ok(())
        }
        ServePlace::RpcSocket(path) => {
            let ready = || eprintln!("passmuster: serving JSON-RPC on {}", path.display());
            rpc::serve_socket(dispatcher, path, ready).await.map_err(|error| format!("{}: {error}", path.display()))
        }
        ServePlace::RpcHttp(address) => {
            let listener = listen(address, "JSON-RPC", "/").await?;
            rpc::serve_http(dispatcher, listener).await.map_err(|error| format!("{address}: {error}"))
        }
        ServePlace::McpStdio => {
            eprintln!("passmuster: serving MCP on standard input and output");
            mcp::serve(dispatcher, tokio::io::stdin(), tokio::io::stdout()).await
        }
        ServePlace::McpHttp(address) => {
            let listener = listen(address, "MCP", "/mcp").await?;
            mcp::serve_http(dispatcher, listener).await.map_err(|error| format!("{address}: {error}"))
        }
        ServePlace::Rest(address) => {
            let listener = listen(address, "REST", "/").await?;
            rest::serve_http(dispatcher, listener).await.map_err(|error| format!("{address}: {error}"))
        }
    }
}

/// Listens on a loopback address, and says so.
async fn listen(address: &SocketAddr, what: &str, path: &str) -> Result<TcpListener, String> {
    if !address.ip().is_loopback() {
        return Err(format!(
            "{address}: wanted a loopback address, such as 127.0.0.1:{}: whoever connects may start agents",
            address.port()
        ));
    }
    let at = |error: std::io::Error| format!("{address}: {error}");
    let listener = TcpListener::bind(address).await.map_err(at)?;
    eprintln!("passmuster: serving {what} at http://{}{path}", listener.local_addr().map_err(at)?);
    Ok(listener)
}
