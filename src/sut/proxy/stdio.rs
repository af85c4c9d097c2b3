use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use super::{ProxyEar, Side};

/// How long, once the server is over, its output may stay open: what it started may hold it.
const DRAIN: Duration = Duration::from_secs(1);

/// Runs a server and stands between it and standard input and output. `started` is told its process. Returns the status
/// to exit with: the server's own; 128 and the signal's number where one ended it.
///
/// # Errors
/// Where the server cannot be started.
pub(crate) fn over_stdio(command: &[String], ear: &ProxyEar, started: impl FnOnce(u32)) -> io::Result<u8> {
    let (program, args) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut server = Command::new(program).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    started(server.id());
    let (input, output) = (server.stdin.take().expect("it was asked for"), server.stdout.take().expect("it was asked for"));
    let from_client = ear.clone();
    // Nothing ends a read of standard input but its end: the thread may outlive all others.
    std::thread::spawn(move || from_client.pass(0, Side::Client, io::stdin().lock(), input));
    let (done, drained) = channel();
    let from_server = ear.clone();
    std::thread::spawn(move || {
        from_server.pass(0, Side::Server, output, io::stdout().lock());
        // The other end is gone where the server's end is long over.
        let _ = done.send(());
    });
    let status = server.wait()?;
    let _ = drained.recv_timeout(DRAIN);
    ear.over(0, format!("the server ended: {status}"));
    Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()) as u8)
}
