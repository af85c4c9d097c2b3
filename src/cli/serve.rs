//! `passmuster serve`: the reference manager behind a front end.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::frontends::bridge::Bridge;
use crate::frontends::client::socket;
use crate::frontends::server;
use crate::frontends::server::{EndSignals, ServePlace};
use crate::suites::manager::behavior::ManagerBehavior;
use crate::suites::manager::faults::{self, ManagerFault};
use crate::suites::manager::reference::{Nature, Runtime, open};
use crate::suites::manager::variations::{self, ManagerVariation};

/// What every command of the reference manager needs to know.
#[derive(Debug, Clone, Args)]
pub(crate) struct ReferenceArgs {
    /// Where the manager keeps its state [default: $PASSMUSTER_STATE, else the user's state folder]
    #[arg(long, value_name = "DIR", global = true)]
    pub state: Option<PathBuf>,
    /// Where agents run: process (terminals of their own) or tmux
    #[arg(long, value_name = "RUNTIME", default_value = "process", global = true)]
    pub runtime: Runtime,
    /// A defect for the manager to have (repeatable); `passmuster faults` lists them
    #[arg(long, value_name = "NAME", global = true, value_parser = faults::named)]
    pub fault: Vec<&'static ManagerFault>,
    /// Something that the manager does otherwise and conforms all the same (repeatable); `passmuster faults vary --list` lists them
    #[arg(long, value_name = "NAME", global = true, value_parser = variations::named)]
    pub variation: Vec<&'static ManagerVariation>,
    /// The session timeout where a start names none, in seconds
    #[arg(long, value_name = "S", global = true)]
    pub timeout_default_s: Option<f64>,
}

impl ReferenceArgs {
    /// The state folder.
    pub(crate) fn folder(&self) -> PathBuf {
        let var = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let home = || var("HOME").unwrap_or_else(|| "/".into()).join(".local/state");
        let folder = self
            .state
            .clone()
            .or_else(|| var("PASSMUSTER_STATE"))
            .unwrap_or_else(|| var("XDG_STATE_HOME").unwrap_or_else(home).join("passmuster"));
        std::path::absolute(&folder).unwrap_or(folder)
    }

    /// The command line that says the same.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words = vec!["--state".into(), self.folder().display().to_string(), "--runtime".into(), self.runtime.to_string()];
        words.extend(self.fault.iter().flat_map(|fault| ["--fault".to_owned(), fault.info.name.to_owned()]));
        words.extend(self.variation.iter().flat_map(|variation| ["--variation".to_owned(), variation.info.name.to_owned()]));
        words.extend(self.timeout_default_s.iter().flat_map(|s| ["--timeout-default-s".to_owned(), s.to_string()]));
        words
    }
}

/// Serve the reference manager: JSON-RPC or MCP over standard input and output, a socket or HTTP; REST
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    at: ServeAt,
    #[command(flatten)]
    reference: ReferenceArgs,
    /// Serve what answers JSON-RPC on this socket, instead of a manager of one's own
    #[arg(long, value_name = "SOCKET")]
    connect: Option<PathBuf>,
}

/// Where something is served.
#[derive(Debug, Args)]
pub(crate) struct ServeAt {
    /// The front: rpc, mcp, http (REST, at the address that `--http` names), or for the manager cli (the daemon that `passmuster session`
    /// talks to)
    front: Front,
    /// Serve JSON-RPC on this Unix socket instead
    #[arg(long, value_name = "PATH", conflicts_with = "http")]
    socket: Option<PathBuf>,
    /// Serve over HTTP on this address: JSON-RPC at /, MCP at /mcp, of the front http each operation at its name
    #[arg(long, value_name = "ADDR:PORT")]
    http: Option<SocketAddr>,
}

impl ServeAt {
    /// The place; for the front `cli` the daemon's socket, where there is a daemon.
    ///
    /// # Errors
    /// Says what does not go together.
    pub(crate) fn place(self, daemon: Option<PathBuf>) -> Result<ServePlace, &'static str> {
        match (self.front, self.socket, self.http, daemon) {
            (Front::Cli, None, None, Some(socket)) => Ok(ServePlace::RpcSocket(socket)),
            (Front::Cli, None, None, None) => Err("a store has no daemon: serve rpc or mcp"),
            (Front::Rpc, None, None, _) => Ok(ServePlace::RpcStdio),
            (Front::Rpc, Some(path), ..) => Ok(ServePlace::RpcSocket(path)),
            (Front::Rpc, None, Some(address), _) => Ok(ServePlace::RpcHttp(address)),
            (Front::Mcp, None, None, _) => Ok(ServePlace::McpStdio),
            (Front::Mcp, None, Some(address), _) => Ok(ServePlace::McpHttp(address)),
            (Front::Http, None, Some(address), _) => Ok(ServePlace::Rest(address)),
            (Front::Http, ..) => Err("http wants an address: `--http 127.0.0.1:PORT`"),
            (Front::Cli | Front::Mcp, ..) => Err("`--socket` goes with rpc, `--http` with rpc and mcp"),
        }
    }
}

/// A front end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Front {
    Cli,
    Rpc,
    Mcp,
    Http,
}

/// Runs the command.
pub(crate) fn run(args: ServeArgs) -> ExitCode {
    match args.at.place(Some(socket(&args.reference.folder()))) {
        Ok(place) => match args.connect {
            None => serve(&args.reference, &place),
            Some(there) => until_asked(async |signals| server::serve(Bridge::to(there), &place, signals).await),
        },
        Err(why) => misused(why),
    }
}

/// Complains about a command line.
pub(crate) fn misused(why: &str) -> ExitCode {
    eprintln!("passmuster: {why}");
    ExitCode::from(2)
}

/// Serves the manager until the input ends or a signal comes; then every session is ended.
pub(crate) fn serve(reference: &ReferenceArgs, place: &ServePlace) -> ExitCode {
    until_asked(async |signals| {
        let mut behavior = ManagerBehavior::default();
        reference.variation.iter().for_each(|variation| variation.apply(&mut behavior));
        reference.fault.iter().for_each(|fault| fault.apply(&mut behavior));
        let nature = Nature { behavior, default_timeout_s: reference.timeout_default_s };
        let opened = open(&reference.folder(), reference.runtime, nature).await?;
        server::serve(opened.manager.clone(), place, signals).await
    })
}

/// Serves on a runtime of its own, until that comes to its end.
pub(crate) fn until_asked(serve: impl AsyncFnOnce(EndSignals) -> Result<(), String>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let ended = runtime.block_on(async { serve(EndSignals::listen().map_err(|error| format!("signals: {error}"))?).await });
    // Standard input may still be read by a thread that nothing ends.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("passmuster: {why}");
            ExitCode::FAILURE
        }
    }
}
