//! The shim: a process of its own for each session, which holds the agent's terminal. It outlives the manager, so that
//! an agent does not lose its terminal with it; and it is a subreaper, so that whatever the agent starts stays under it.
//!
//! Its standard input is a socket that listens already: whoever can connect to it knows that there is a shim, or that
//! there will be one. The first connection says what to keep; one that ends before it does ends the shim.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, wait};
use rustix::termios::{LocalModes, tcgetattr};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::core::terminal::Terminal;
use crate::fakes::processes::{ProcFs, become_subreaper, kill};
use crate::suites::manager::reference::host::End;

/// The size of an agent's terminal, in rows and columns.
const SIZE: (u16, u16) = (50, 200);
/// How long a start waits for the agent to draw something, or to exit.
const SIGN_OF_LIFE: Duration = Duration::from_millis(250);
/// What a program says before it gives up must not pass for life: how long it is given to do that.
const LAST_WORDS: Duration = Duration::from_millis(20);
/// How long a message waits for an agent that has not taken its terminal over: what is typed before is cut, or lost.
const TAKE_OVER: Duration = Duration::from_secs(1);
/// How long an agent may take to take a message's keys.
const TAKE_KEYS: Duration = Duration::from_secs(3);
/// How often the terminal's mode is looked at: nothing tells that it changed.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// How long whatever is ended politely may take before it is killed.
const POLITE: Duration = Duration::from_millis(300);
/// How long whatever is killed may take to be gone.
const KILLED: Duration = Duration::from_secs(5);

/// What a shim is to keep.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ShimJob {
    /// The agent's program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its directory.
    pub cwd: PathBuf,
    /// Further environment.
    pub env: BTreeMap<String, String>,
    /// A message to type once the agent is there: one that is too long for an argument.
    pub typed: Option<String>,
    /// Whether the agent exits when its turn is over: with status 0 it may do so at once.
    pub for_a_turn: bool,
    /// The shim's socket, which goes with the shim.
    pub socket: PathBuf,
}

/// What a shim is asked: a line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ask {
    /// Keep this. The first thing that is asked, and asked once.
    Keep(Box<ShimJob>),
    /// Which agent is kept?
    Which,
    /// Type this and submit it.
    Type(String),
    /// What does the terminal show?
    Screen,
    /// End the agent.
    End(End),
}

/// What it answers: a line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ShimAnswer {
    /// The agent that is kept.
    Agent {
        /// Its process.
        pid: u32,
        /// When that began.
        started: u64,
    },
    /// It was done.
    Done,
    /// What was asked for.
    Text(String),
    /// The agent is over.
    Gone,
    /// It could not be done.
    Failed(String),
}

/// The shim's main.
pub(crate) fn main() -> ExitCode {
    // Its own session: whatever befalls the manager's terminal or group does not befall it.
    let _ = rustix::process::setsid();
    become_subreaper();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    match runtime.block_on(keep()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("passmuster session keeper is not for people: {why}");
            ExitCode::FAILURE
        }
    }
}

async fn keep() -> Result<(), String> {
    let listener = inherited().map_err(|error| format!("standard input is no listening socket: {error}"))?;
    let (manager, _) = listener.accept().await.map_err(|error| error.to_string())?;
    let (read, mut write) = manager.into_split();
    let Ok(Ask::Keep(kept)) = hear(read).await else {
        return Err("the manager ended before it said what to keep".into());
    };
    // The manager may be gone before it hears an answer: the next one asks again.
    match Shim::begin(&kept).await {
        Ok(shim) => {
            let _ = write.write_all(&line(&shim.agent())).await;
            drop(write);
            shim.stay(&kept, listener).await;
        }
        Err(why) => {
            ProcFs::end_descendants_of(std::process::id(), &[]);
            let _ = std::fs::remove_file(&kept.socket);
            let _ = write.write_all(&line(&ShimAnswer::Failed(why))).await;
        }
    }
    Ok(())
}

fn inherited() -> io::Result<UnixListener> {
    let socket: OwnedFd = io::stdin().as_fd().try_clone_to_owned()?;
    let listener = std::os::unix::net::UnixListener::from(socket);
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

/// A message, as a line.
pub(crate) fn line(message: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(message).expect("plain data");
    line.push(b'\n');
    line
}

/// The message that one line is.
///
/// # Errors
/// Where the line is none, or does not come.
pub(crate) async fn hear<T: for<'de> Deserialize<'de>>(read: impl AsyncRead + Unpin) -> io::Result<T> {
    let mut line = String::new();
    BufReader::new(read).read_line(&mut line).await?;
    Ok(serde_json::from_str(&line)?)
}

/// Keys for the agent, and whom to tell that it took them.
type Keys = (Vec<u8>, Option<oneshot::Sender<()>>);

/// A shim at work.
struct Shim {
    pid: u32,
    started: u64,
    terminal: Mutex<Terminal>,
    /// The terminal's other end, to look at its mode.
    pty: OwnedFd,
    keys: mpsc::UnboundedSender<Keys>,
    /// Held while a message is typed: messages keep the order in which they came.
    typing: AsyncMutex<()>,
    drew: watch::Sender<bool>,
    exited: watch::Sender<Option<Option<i32>>>,
    /// Whether nothing is left under the shim.
    alone: watch::Sender<bool>,
    /// Whether the manager ended the session, and the answer that says so is out.
    ended: watch::Sender<bool>,
}

impl Shim {
    /// Starts the agent, and waits for a first sign of it.
    async fn begin(kept: &ShimJob) -> Result<Arc<Self>, String> {
        let no_terminal = |error: pty_process::Error| format!("no terminal: {error}");
        let children = signal(SignalKind::child()).map_err(|error| error.to_string())?;
        let (pty, pts) = pty_process::open().map_err(no_terminal)?;
        pty.resize(pty_process::Size::new(SIZE.0, SIZE.1)).map_err(no_terminal)?;
        let other_end = pty.as_fd().try_clone_to_owned().map_err(|error| format!("no terminal: {error}"))?;
        let command = pty_process::Command::new(&kept.program).args(&kept.args).current_dir(&kept.cwd).envs(&kept.env);
        let child = command.spawn(pts).map_err(|error| format!("{}: {error}", kept.program.display()))?;
        let pid = child.id().expect("nobody has waited for it");
        // All children, the adopted ones too, are waited for in one place.
        std::mem::forget(child);
        let (mut reader, mut writer) = pty.into_split();
        let (keys, mut typed) = mpsc::unbounded_channel::<Keys>();
        let shim = Arc::new(Self {
            pid,
            started: ProcFs::ticks(pid),
            terminal: Mutex::default(),
            pty: other_end,
            keys,
            typing: AsyncMutex::default(),
            drew: watch::Sender::new(false),
            exited: watch::Sender::new(None),
            alone: watch::Sender::new(false),
            ended: watch::Sender::new(false),
        });
        tokio::spawn(shim.clone().reap(children));
        let shown = shim.clone();
        tokio::spawn(async move {
            let mut bytes = vec![0; 64 << 10];
            // The terminal's end is an error: the last one that had it open is gone.
            while let Ok(count @ 1..) = reader.read(&mut bytes).await {
                let answers = shown.terminal().draw(&bytes[..count]);
                shown.drew.send_replace(true);
                if !answers.is_empty() {
                    let _ = shown.keys.send((answers, None));
                }
            }
        });
        tokio::spawn(async move {
            while let Some((keys, taken)) = typed.recv().await {
                if writer.write_all(&keys).await.is_err() {
                    return;
                }
                taken.map(|taken| taken.send(()));
            }
        });
        shim.sign_of_life(kept.for_a_turn).await.map_err(|why| format!("{} {why}", kept.program.display()))?;
        Ok(shim)
    }

    async fn sign_of_life(&self, for_a_turn: bool) -> Result<(), String> {
        let (mut drew, mut exited) = (self.drew.subscribe(), self.exited.subscribe());
        // A silent agent draws nothing, and lives.
        let _ = timeout(SIGN_OF_LIFE, async {
            tokio::select! {
                _ = drew.wait_for(|drew| *drew) => {}
                _ = exited.wait_for(Option::is_some) => {}
            }
        })
        .await;
        let _ = timeout(LAST_WORDS, self.exited.subscribe().wait_for(Option::is_some)).await;
        match *self.exited.borrow() {
            None => Ok(()),
            Some(Some(0)) if for_a_turn => Ok(()),
            Some(Some(code)) => Err(format!("exited at once with status {code}")),
            Some(None) => Err("was killed at once".into()),
        }
    }

    /// Takes leave of every child that ends, for ever.
    async fn reap(self: Arc<Self>, mut children: tokio::signal::unix::Signal) {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid.as_raw_nonzero().get().unsigned_abs() == self.pid => {
                    self.exited.send_replace(Some(status.exit_status()));
                }
                Ok(Some(_)) => {}
                Ok(None) => {
                    self.alone.send_replace(false);
                    children.recv().await;
                }
                Err(_) => {
                    // Without children there is nothing left to wait for; only a child could make another.
                    self.exited.send_if_modified(|exited| exited.is_none() && exited.replace(None).is_none());
                    self.alone.send_replace(true);
                    return;
                }
            }
        }
    }

    /// Answers until nothing is left to keep: the agent is over, and everything under it.
    async fn stay(self: Arc<Self>, kept: &ShimJob, listener: UnixListener) {
        if let Some(message) = kept.typed.clone() {
            let shim = self.clone();
            tokio::spawn(async move { shim.type_message(&message).await });
        }
        let attending = self.clone();
        tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => drop(tokio::spawn(attending.clone().attend(stream))),
                    // Too many open files, say: that passes.
                    Err(_) => sleep(POLITE).await,
                }
            }
        });
        let number = || std::fs::metadata(&kept.socket).map(|file| file.ino()).ok();
        let (own, mut alone, mut ended) = (number(), self.alone.subscribe(), self.ended.subscribe());
        tokio::select! {
            // An end that was asked for is answered first.
            _ = ended.wait_for(|ended| *ended) => {}
            _ = alone.wait_for(|alone| *alone) => {}
        }
        // A session's next agent may be kept under the same name by now.
        if number() == own {
            let _ = std::fs::remove_file(&kept.socket);
        }
    }

    async fn attend(self: Arc<Self>, stream: UnixStream) {
        let (read, mut write) = stream.into_split();
        let Ok(ask) = hear(read).await else { return };
        let ends = matches!(ask, Ask::End(End::Tree));
        let answer = match ask {
            Ask::Which => self.agent(),
            Ask::Type(message) => self.type_message(&message).await,
            Ask::Screen => ShimAnswer::Text(self.terminal().text()),
            Ask::End(how) => self.end(how).await,
            Ask::Keep(_) => ShimAnswer::Failed("something is kept already".into()),
        };
        let done = ends && matches!(answer, ShimAnswer::Done);
        let _ = write.write_all(&line(&answer)).await;
        if done {
            self.ended.send_replace(true);
        }
    }

    fn agent(&self) -> ShimAnswer {
        ShimAnswer::Agent { pid: self.pid, started: self.started }
    }

    fn terminal(&self) -> MutexGuard<'_, Terminal> {
        self.terminal.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Types a message once the agent has taken the terminal over.
    async fn type_message(&self, message: &str) -> ShimAnswer {
        let _turn = self.typing.lock().await;
        let deadline = Instant::now() + TAKE_OVER;
        while Instant::now() < deadline && self.exited.borrow().is_none() && !(self.is_raw() && self.terminal().knows_pastes()) {
            sleep(LOOK_AGAIN).await;
        }
        if self.exited.borrow().is_some() {
            return ShimAnswer::Gone;
        }
        let (taken, took) = oneshot::channel();
        let keys = self.terminal().keys(message);
        if self.keys.send((keys, Some(taken))).is_err() {
            return ShimAnswer::Gone;
        }
        match timeout(TAKE_KEYS, took).await {
            Ok(Ok(())) => ShimAnswer::Done,
            Ok(Err(_)) => ShimAnswer::Gone,
            Err(_) => ShimAnswer::Failed("the agent does not take what is typed".into()),
        }
    }

    /// Whether the agent reads keys as they come, and not lines that the system puts together.
    fn is_raw(&self) -> bool {
        tcgetattr(&self.pty).is_ok_and(|mode| !mode.local_modes.contains(LocalModes::ICANON))
    }

    async fn end(&self, how: End) -> ShimAnswer {
        if self.exited.borrow().is_some() && how != End::Tree {
            return ShimAnswer::Gone;
        }
        match how {
            End::Polite => ask_to_end(self.pid),
            End::ProcessOnly => kill(self.pid, Signal::KILL),
            End::Group => {
                if let Some(group) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) {
                    let _ = kill_process_group(group, Signal::KILL);
                }
            }
            End::Descendants => ProcFs::kill_with_descendants(self.pid),
            End::Tree => return self.end_tree().await,
        }
        ShimAnswer::Done
    }

    /// Everything under this process is of the session: it is asked, then killed, until nothing is left.
    async fn end_tree(&self) -> ShimAnswer {
        let under = || ProcFs::under(std::process::id());
        let mut alone = self.alone.subscribe();
        under().iter().for_each(|entry| ask_to_end(entry.pid));
        let _ = timeout(POLITE, alone.wait_for(|alone| *alone)).await;
        let deadline = Instant::now() + KILLED;
        while !*alone.borrow_and_update() {
            let left = under();
            if Instant::now() > deadline {
                let left: Vec<String> = left.iter().map(|entry| format!("{} (pid {})", entry.command, entry.pid)).collect();
                return ShimAnswer::Failed(format!("these cannot be killed: {}", left.join(", ")));
            }
            left.iter().for_each(|entry| kill(entry.pid, Signal::KILL));
            // A process that forked meanwhile is found in the next round.
            let _ = timeout_at(Instant::now() + LOOK_AGAIN, alone.changed()).await;
        }
        ShimAnswer::Done
    }
}

fn ask_to_end(pid: u32) {
    kill(pid, Signal::HUP);
    kill(pid, Signal::TERM);
}
