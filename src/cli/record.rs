//! `passmuster record`: stands between a real client and a real manager, and writes the trace.

use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use rustix::process::Signal;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::engine::suite::claims;
use crate::fakes::processes::kill;
use crate::suites::SUITES;
use crate::sut::manifest::Manifest;
use crate::sut::proxy::{ProxyEar, Tape, Words, between_sockets, over_stdio};

/// Record what a real client and a real session manager say to each other, as a trace
///
/// Put it before the server's command where the client names it (MCP or JSON-RPC over standard input and output), or give
/// the client the socket of `--listen`. Every byte passes unchanged, and the server's exit status is the exit status. A
/// file that is there is gone on with.
#[derive(Debug, Args)]
pub(crate) struct RecordArgs {
    /// The trace
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The manifest that says what the manager's words mean [default: the contract's own words]
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Stand between two Unix sockets: the one that clients connect to
    #[arg(long, value_name = "SOCKET", requires = "to", conflicts_with = "server")]
    listen: Option<PathBuf>,
    /// … and the manager's own
    #[arg(long, value_name = "SOCKET", requires = "listen")]
    to: Option<PathBuf>,
    /// The server and its arguments
    #[arg(last = true, required_unless_present = "listen", value_name = "SERVER")]
    server: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(args: &RecordArgs) -> ExitCode {
    match record(args) {
        Ok(status) => ExitCode::from(status),
        Err(why) => {
            eprintln!("passmuster: {why}");
            ExitCode::from(2)
        }
    }
}

fn record(args: &RecordArgs) -> Result<u8, String> {
    let (words, system) = match &args.manifest {
        Some(path) => {
            let manifest = Manifest::read(path, &claims(SUITES)).map_err(|error| format!("{:?}", miette::Report::new(*error)))?;
            let system = manifest.name.clone();
            (Words::of(manifest)?, system)
        }
        None => (Words::canonical(), args.server.first().map(|program| name(Path::new(program))).unwrap_or_default()),
    };
    let tape = Tape::open(&args.out, &system, |what| eprintln!("passmuster: {what}"));
    let tape = tape.map_err(|error| format!("{}: {error}", args.out.display()))?;
    let ear = ProxyEar::new(tape, words);
    let signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(|error| format!("signals: {error}"))?;
    match (&args.listen, &args.to) {
        (Some(listen), Some(to)) => on_socket(listen, to, &ear, signals),
        _ => {
            let pass_on = |server| drop(std::thread::spawn(move || forward(signals, server)));
            over_stdio(&args.server, &ear, pass_on).map_err(|error| format!("{}: {error}", args.server[0]))
        }
    }
}

fn name(program: &Path) -> String {
    program.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What asks the recorder to end asks the server; Ctrl-C reaches both by itself.
fn forward(mut signals: Signals, server: u32) {
    for signal in signals.forever() {
        match signal {
            SIGTERM => kill(server, Signal::TERM),
            SIGHUP => kill(server, Signal::HUP),
            _ => {}
        }
    }
}

/// Stands between two sockets until a signal comes.
fn on_socket(listen: &Path, to: &Path, ear: &ProxyEar, mut signals: Signals) -> Result<u8, String> {
    let listener = UnixListener::bind(listen).map_err(|error| format!("{}: {error}", listen.display()))?;
    eprintln!("passmuster: recording between {} and {}", listen.display(), to.display());
    let (ear, to) = (ear.clone(), to.to_owned());
    std::thread::spawn(move || between_sockets(&listener, &to, &ear));
    signals.forever().next();
    let _ = std::fs::remove_file(listen);
    Ok(0)
}
