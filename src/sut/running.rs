//! A process that runs: its pipes, its end, its killing.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;

use super::{CallError, Tail};
use crate::fakes::processes::starting;
use crate::sut::transports::process::ProcessLaunch;

/// How long a process that was asked to end (TERM) may take before it is killed.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// How long a process that closed its output may take to be gone.
const LAST_BREATH: Duration = Duration::from_millis(250);

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessExit {
    /// By itself, with a status.
    Code(i32),
    /// By a signal.
    Signal(i32),
}

impl ProcessExit {
    /// The exit status, as a shell would say it: 128 and the signal's number for a signal.
    pub fn code(self) -> i32 {
        match self {
            ProcessExit::Code(code) => code,
            ProcessExit::Signal(signal) => 128 + signal,
        }
    }
}

impl From<ExitStatus> for ProcessExit {
    fn from(status: ExitStatus) -> Self {
        match status.code() {
            Some(code) => ProcessExit::Code(code),
            None => ProcessExit::Signal(status.signal().unwrap_or_default()),
        }
    }
}

impl std::fmt::Display for ProcessExit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ProcessExit::Code(code) => write!(f, "exited with status {code}"),
            ProcessExit::Signal(signal) => write!(f, "was killed by signal {signal}"),
        }
    }
}

/// The pipes of a started process.
#[derive(Debug)]
pub struct Pipes {
    /// What it reads.
    pub stdin: ChildStdin,
    /// What it answers.
    pub stdout: ChildStdout,
    /// What it complains.
    pub stderr: ChildStderr,
}

/// A process that runs. Dropped while it does, it is killed with its group.
#[derive(Debug)]
pub struct RunningProcess {
    pid: Pid,
    program: String,
    exit: watch::Receiver<Option<ProcessExit>>,
}

impl RunningProcess {
    /// Starts a process in a group of its own, with exactly the launch's environment.
    ///
    /// # Errors
    /// `Broken`, naming the program and what the system said.
    pub fn start(launch: &ProcessLaunch) -> Result<(Self, Pipes), CallError> {
        let [program, args @ ..] = launch.argv.as_slice() else {
            return Err(CallError::Broken { what: "a command without a program".to_owned() });
        };
        let allowed = starting().map_err(|error| cannot_start(program, launch, &error))?;
        let mut child = Command::new(program)
            .args(args)
            .env_clear()
            .envs(launch.env.iter().map(|(name, value)| (name, value)))
            .current_dir(&launch.cwd)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| cannot_start(program, launch, &error))?;
        drop(allowed);
        let pid = child.id().and_then(|pid| Pid::from_raw(pid as i32)).expect("a child that was not awaited has a pid");
        let pipes = Pipes {
            stdin: child.stdin.take().expect("piped"),
            stdout: child.stdout.take().expect("piped"),
            stderr: child.stderr.take().expect("piped"),
        };
        let (ended, exit) = watch::channel(None);
        // The task owns the child, so that it is reaped whoever stops waiting for it.
        tokio::spawn(async move {
            let status = child.wait().await.map_or(ProcessExit::Signal(0), ProcessExit::from);
            ended.send_replace(Some(status));
        });
        Ok((Self { pid, program: program.clone(), exit }, pipes))
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get() as u32
    }

    /// The program, as it was started.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// How it ended, if it did.
    pub fn exit(&self) -> Option<ProcessExit> {
        *self.exit.borrow()
    }

    /// Waits for its end; borrows nothing.
    pub fn exited(&self) -> impl Future<Output = ProcessExit> + use<> {
        let mut exit = self.exit.clone();
        async move {
            match exit.wait_for(Option::is_some).await {
                Ok(exit) => exit.expect("waited for"),
                // The runtime is going down and took the task with it; the child was killed on that way.
                Err(_) => ProcessExit::Signal(Signal::KILL.as_raw()),
            }
        }
    }

    /// Asks the process, and it alone, to end (TERM).
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Kills the process, and it alone; the future waits for its end and borrows nothing.
    pub fn kill(&self) -> impl Future<Output = ProcessExit> + use<> {
        self.signal(Signal::KILL);
        self.exited()
    }

    /// Kills the process and what it started in its group, and waits for its end.
    pub async fn kill_group(&self) {
        let _ = kill_process_group(self.pid, Signal::KILL);
        self.exited().await;
    }

    /// How it ended, where it did or is about to: a process that dies closes its connections a moment before it is gone.
    pub async fn ending(&self) -> Option<ProcessExit> {
        tokio::time::timeout(LAST_BREATH, self.exited()).await.ok()
    }

    /// What became of the process, for a sentence about a connection that it closed.
    pub async fn obituary(&self) -> String {
        match self.ending().await {
            Some(exit) => format!("`{}` {exit}", self.program),
            None => format!("`{}` still runs", self.program),
        }
    }

    /// Waits for the end of a process whose input was closed, for at most `limit`; then asks it (TERM), then kills it
    /// with its group. Returns what is worth reporting.
    pub async fn see_off(&self, limit: Duration) -> Option<String> {
        if tokio::time::timeout(limit, self.exited()).await.is_ok() {
            return None;
        }
        self.terminate();
        let asked = format!("`{}` did not end within {} s of its input being closed", self.program, limit.as_secs_f64());
        if tokio::time::timeout(GRACE, self.exited()).await.is_ok() {
            return Some(format!("{asked}, only when asked (TERM)"));
        }
        self.kill_group().await;
        Some(format!("{asked}, nor when asked (TERM), and was killed"))
    }

    fn signal(&self, signal: Signal) {
        // A pid that was reaped may be another's by now.
        if self.exit().is_none() {
            let _ = kill_process(self.pid, signal);
        }
    }
}

impl Drop for RunningProcess {
    fn drop(&mut self) {
        if self.exit().is_none() {
            let _ = kill_process_group(self.pid, Signal::KILL);
        }
    }
}

/// Reads a process's standard error into a tail until it is closed.
pub(crate) fn drain(mut stderr: impl AsyncRead + Unpin + Send + 'static, tail: Tail) {
    tokio::spawn(async move {
        let mut chunk = vec![0; 16 << 10];
        while let Ok(count @ 1..) = stderr.read(&mut chunk).await {
            tail.push(&chunk[..count]);
        }
    });
}

fn cannot_start(program: &str, launch: &ProcessLaunch, error: &io::Error) -> CallError {
    let what = match error.kind() {
        _ if launch.argv.iter().any(|word| word.contains('\0')) => {
            format!("cannot start `{program}`: an argument holds a NUL, which no command line can carry")
        }
        io::ErrorKind::NotFound if !launch.cwd.is_dir() => {
            format!("cannot start `{program}`: its working directory {} is not there", launch.cwd.display())
        }
        _ => format!("cannot start `{program}`: {error}"),
    };
    CallError::Broken { what }
}
