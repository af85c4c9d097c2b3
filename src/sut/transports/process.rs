//! One process for one answer: started with a cleared environment in a group of its own, read without ever filling
//! memory, ended without leaving a zombie.

use std::rc::Rc;

use async_trait::async_trait;

use super::transport::{Connected, Link, Raw, Route, WireCall};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::sut::running::{Pipes, ProcessExit, RunningProcess};
use crate::sut::{CallError, Tail};

/// The longest answer that is read, in bytes. The contract's longest text is 192 kB of UTF-8; the rest is envelope.
pub const ANSWER_LIMIT: usize = 8 << 20;

/// The most values, or lines, that an answer may have: small ones take a hundred times their length in memory.
const VALUES_LIMIT: usize = 100_000;

/// How much of its standard error is kept per call, in bytes: enough for any message that a matcher looks at.
const STDERR_LIMIT: usize = 64 << 10;

/// The most that a pipe can still hold once its writer is gone, in bytes (Linux, `/proc/sys/fs/pipe-max-size`).
const PIPE_LIMIT: usize = 1 << 20;

/// What to start.
#[derive(Debug, Clone)]
pub struct ProcessLaunch {
    /// The program, by path, and its arguments.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// The working directory.
    pub cwd: PathBuf,
    /// What it reads; `None` is end of input at once.
    pub stdin: Option<String>,
}

/// What a finished process left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessOutput {
    /// How it ended.
    pub exit: ProcessExit,
    /// All of its standard output.
    pub stdout: String,
    /// The end of its standard error.
    pub stderr: String,
}

/// Starts a process, feeds it, reads it and waits for its end.
///
/// What it leaves in the background is left alone, and its open pipes are not waited for: the answer is what had been
/// written when the process itself ended. A process that exceeds `limit`, or writes more than [`ANSWER_LIMIT`], is
/// killed with its group.
///
/// # Errors
/// `Broken` where it cannot be started, `TimedOut`, and `Malformed` for an answer that is too long.
pub async fn run(launch: &ProcessLaunch, limit: Duration, tail: &Tail) -> Result<ProcessOutput, CallError> {
    let (process, pipes) = RunningProcess::start(launch)?;
    let answer = tokio::time::timeout(limit, collect(&process, pipes, launch.stdin.as_deref(), tail)).await;
    match answer {
        Ok(Ok(output)) => Ok(output),
        Ok(Err(error)) => {
            process.kill_group().await;
            Err(error)
        }
        Err(_) => {
            process.kill_group().await;
            Err(CallError::TimedOut { limit_ms: limit.as_millis() as u64 })
        }
    }
}

async fn collect(process: &RunningProcess, pipes: Pipes, stdin: Option<&str>, tail: &Tail) -> Result<ProcessOutput, CallError> {
    let Pipes { stdin: mut input, mut stdout, mut stderr } = pipes;
    // A process that does not read its input is none of our business: a closed pipe is not an error.
    let feed = async move {
        let _ = input.write_all(stdin.unwrap_or_default().as_bytes()).await;
        drop(input);
    };
    let mut said = Vec::new();
    let complaints = Tail::new(STDERR_LIMIT);
    let complain = |bytes: &[u8]| {
        complaints.push(bytes);
        tail.push(bytes);
    };
    let mut chunks = (vec![0; 64 << 10], vec![0; 64 << 10]);
    let (mut fed, mut out_open, mut err_open) = (false, true, true);
    tokio::pin!(feed);
    let exit = loop {
        tokio::select! {
            exit = process.exited() => break exit,
            () = &mut feed, if !fed => fed = true,
            read = stdout.read(&mut chunks.0), if out_open => match read.unwrap_or(0) {
                0 => out_open = false,
                _ if said.len() > ANSWER_LIMIT => return Err(too_long()),
                count => said.extend_from_slice(&chunks.0[..count]),
            },
            read = stderr.read(&mut chunks.1), if err_open => match read.unwrap_or(0) {
                0 => err_open = false,
                count => complain(&chunks.1[..count]),
            },
        }
    };
    read_what_is_there(&stdout, |bytes| said.extend_from_slice(bytes));
    read_what_is_there(&stderr, complain);
    if is_too_long(&said) {
        return Err(too_long());
    }
    Ok(ProcessOutput { exit, stdout: String::from_utf8_lossy(&said).into_owned(), stderr: complaints.text() })
}

/// Whether an answer is too long to be read, or of too many values.
pub fn is_too_long(answer: &[u8]) -> bool {
    let separates = |byte: &&u8| matches!(**byte, b',' | b'[' | b'{' | b'\n');
    answer.len() > ANSWER_LIMIT || answer.len() > VALUES_LIMIT && answer.iter().filter(separates).count() > VALUES_LIMIT
}

/// What is said of an answer that [`is_too_long`].
pub fn too_long() -> CallError {
    CallError::Malformed { what: format!("an answer longer than {} MB, or of more than {VALUES_LIMIT} values", ANSWER_LIMIT >> 20) }
}

/// Empties a non-blocking pipe without waiting: once its writer has ended, all that it wrote is in there.
fn read_what_is_there(pipe: &impl AsFd, mut take: impl FnMut(&[u8])) {
    let mut chunk = [0; 16 << 10];
    let mut left = PIPE_LIMIT;
    while left > 0 {
        match rustix::io::read(pipe, &mut chunk) {
            Ok(0) | Err(_) => return,
            Ok(count) => {
                take(&chunk[..count]);
                left = left.saturating_sub(count);
            }
        }
    }
}

/// A system that is a process for each call: there is nothing to connect to.
#[derive(Debug, Clone)]
pub struct Commands {
    /// The environment of each.
    pub env: Vec<(String, String)>,
    /// The working directory of each.
    pub cwd: PathBuf,
}

#[async_trait(?Send)]
impl Route for Commands {
    async fn connect(&self, to: &Connected) -> Result<Rc<dyn Link>, CallError> {
        Ok(Rc::new(CommandLink { commands: self.clone(), tail: to.tail() }))
    }
}

struct CommandLink {
    commands: Commands,
    tail: Tail,
}

#[async_trait(?Send)]
impl Link for CommandLink {
    async fn ask(&self, call: WireCall, limit: Duration) -> Result<Raw, CallError> {
        let WireCall::Process { argv, stdin } = call else { return Err(call.misplaced()) };
        let launch = ProcessLaunch { argv, env: self.commands.env.clone(), cwd: self.commands.cwd.clone(), stdin };
        run(&launch, limit, &self.tail).await.map(Raw::Cli)
    }

    /// Its limit kills the process; one outside would only abandon it.
    fn limits_itself(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Pid, Signal, kill_process};
    use std::time::Instant;

    fn shell(script: &str) -> ProcessLaunch {
        ProcessLaunch {
            argv: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
            env: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
            cwd: std::env::temp_dir(),
            stdin: None,
        }
    }

    async fn run_for(launch: &ProcessLaunch, seconds: f64) -> Result<ProcessOutput, CallError> {
        run(launch, Duration::from_secs_f64(seconds), &Tail::new(16 << 10)).await
    }

    #[tokio::test]
    async fn a_process_is_fed_read_and_its_status_told() {
        let launch = ProcessLaunch { stdin: Some("héllo".to_owned()), ..shell("cat; echo oops >&2; exit 3") };
        let output = run_for(&launch, 20.0).await.unwrap();
        assert_eq!(output, ProcessOutput { exit: ProcessExit::Code(3), stdout: "héllo".to_owned(), stderr: "oops\n".to_owned() });
    }

    #[tokio::test]
    async fn the_environment_is_exactly_what_was_given() {
        let launch = ProcessLaunch { env: vec![("ONLY".to_owned(), "this".to_owned())], ..shell("/usr/bin/env") };
        let stdout = run_for(&launch, 20.0).await.unwrap().stdout;
        let names: Vec<_> = stdout
            .lines()
            .filter_map(|line| line.split('=').next())
            .filter(|name| !["PWD", "_", "SHLVL", "OLDPWD"].contains(name))
            .collect();
        assert_eq!(names, ["ONLY"]);
    }

    #[tokio::test]
    async fn a_background_child_that_holds_the_pipes_is_not_waited_for() {
        let began = Instant::now();
        let output = run_for(&shell("sleep 30 & echo $!"), 25.0).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(20));
        let child = Pid::from_raw(output.stdout.trim().parse().unwrap()).unwrap();
        kill_process(child, Signal::KILL).expect("what a call leaves running is left alone");
    }

    #[tokio::test]
    async fn a_process_that_hangs_is_killed_with_its_group() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let script = format!("sleep 30 & echo $! > {}; wait", file.path().display());
        let error = run_for(&shell(&script), 0.5).await.unwrap_err();
        assert_eq!(error, CallError::TimedOut { limit_ms: 500 });
        let child: i32 = std::fs::read_to_string(file.path()).unwrap().trim().parse().unwrap();
        // KILL is delivered, not awaited: the system says nothing when somebody else's child has died.
        let began = Instant::now();
        while is_alive(child) {
            assert!(began.elapsed() < Duration::from_secs(10), "the background child lives");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// A reparented child stays a zombie until its reaper looks: Z is dead.
    fn is_alive(pid: i32) -> bool {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[tokio::test]
    async fn an_endless_answer_is_refused_early() {
        let error = run_for(&shell("yes"), 60.0).await.unwrap_err();
        assert_eq!(error, too_long());
    }

    #[tokio::test]
    async fn endless_complaints_fill_no_memory_and_do_not_block() {
        let tail = Tail::new(1000);
        let output = run(&shell("head -c 10000000 /dev/zero | tr '\\0' x >&2; echo done"), Duration::from_secs(60), &tail).await.unwrap();
        assert_eq!(output.stdout, "done\n");
        assert_eq!(tail.text().len(), 1000);
        assert!(output.stderr.len() <= STDERR_LIMIT);
    }

    #[tokio::test]
    async fn input_that_nobody_reads_does_no_harm() {
        let launch = ProcessLaunch { stdin: Some("x".repeat(1 << 20)), ..shell("exec <&-; echo fine") };
        assert_eq!(run_for(&launch, 20.0).await.unwrap().stdout, "fine\n");
    }

    #[tokio::test]
    async fn a_signal_is_told_apart_from_a_status() {
        assert_eq!(run_for(&shell("kill -9 $$"), 20.0).await.unwrap().exit, ProcessExit::Signal(9));
    }

    #[tokio::test]
    async fn a_missing_program_and_a_missing_folder_are_named() {
        let missing = ProcessLaunch { argv: vec!["/no/such/program".to_owned()], ..shell("") };
        let error = run_for(&missing, 1.0).await.unwrap_err();
        assert!(error.to_string().starts_with("cannot start `/no/such/program`: No such file"), "{error}");
        let nowhere = ProcessLaunch { cwd: "/no/such/folder".into(), ..shell("") };
        let error = run_for(&nowhere, 1.0).await.unwrap_err();
        assert_eq!(error.to_string(), "cannot start `/bin/sh`: its working directory /no/such/folder is not there");
    }
}
