//! The relay at work: the first process of a container, with the agent under it.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};
use rustix::termios::{LocalModes, tcgetattr};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::core::terminal::Terminal;
use crate::fakes::processes::ProcFs;

use super::{ENDED, JOB, RELAY_FOLDER, RelayAnswer, RelayAsk, RelayJob, SOCKET, hear, line};

/// The size of an agent's terminal, in rows and columns.
const SIZE: (u16, u16) = (50, 200);
/// How long an agent that does not take its terminal over, but writes, may take to give up.
const LAST_WORDS: Duration = Duration::from_millis(250);
/// How long a message waits for an agent that has not taken its terminal over: what is typed before is cut, or lost.
const TAKE_OVER: Duration = Duration::from_secs(1);
/// How long an agent may take to take keys.
const TAKE_KEYS: Duration = Duration::from_secs(3);
/// How long a ping waits at most, whoever asked.
const PING: Duration = Duration::from_secs(60);
/// How often the terminal is looked at: nothing tells that its mode changed, or that keys were taken.
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// How long what an agent wrote last may take to come.
const REST: Duration = Duration::from_millis(500);
/// What a terminal tells when it gets the focus: programs that did not ask for it pass it over.
const FOCUS: &[u8] = b"\x1b[I";
/// What ends the input of who reads lines.
const END_OF_INPUT: &[u8] = b"\x04";
/// The status with which shells say that there is no such program.
const NO_PROGRAM: u8 = 127;

/// The signals that are handed on to the agent.
const HANDED_ON: [Signal; 8] =
    [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT, Signal::USR1, Signal::USR2, Signal::TSTP, Signal::CONT];

/// The relay's main: it ends as the agent does.
pub(crate) fn main() -> ExitCode {
    let folder = Path::new(RELAY_FOLDER);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let ended = runtime.block_on(serve(folder));
    // It is there before the relay goes: who finds nobody knows why.
    let (code, told) = match &ended {
        Ok(code) => (*code, json!({ "status": code })),
        Err(why) => (NO_PROGRAM, json!({ "status": NO_PROGRAM, "why": why })),
    };
    let _ = std::fs::write(folder.join(ENDED), format!("{told}\n"));
    if let Err(why) = ended {
        eprintln!("passmuster relay: {why}");
    }
    ExitCode::from(code)
}

async fn serve(folder: &Path) -> Result<u8, String> {
    let job = std::fs::read(folder.join(JOB)).map_err(|error| format!("{JOB}: {error}"))?;
    let job: RelayJob = serde_json::from_slice(&job).map_err(|error| format!("{JOB}: {error}"))?;
    let mut transcript = File::options()
        .create(true)
        .append(true)
        .open(folder.join(&job.transcript))
        .map_err(|error| format!("{}: {error}", job.transcript.display()))?;
    let began = RunningRelay::begin(&job, transcript.try_clone().map_err(|error| error.to_string())?);
    let relay = began.map_err(|why| {
        // Who reads the session reads why there is no agent.
        let _ = writeln!(transcript, "{why}");
        why
    })?;
    let listener = listen(folder).map_err(|error| format!("{SOCKET}: {error}"))?;
    if let Some(message) = job.typed {
        let relay = relay.clone();
        tokio::spawn(async move {
            relay.ready().await;
            relay.type_message(&message).await
        });
    }
    let attending = relay.clone();
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(attending.clone().attend(stream))),
                // Too many open files, say: that passes.
                Err(_) => sleep(LAST_WORDS).await,
            }
        }
    });
    Ok(relay.outlive().await)
}

/// A socket that is there once it listens, and not before.
fn listen(folder: &Path) -> io::Result<UnixListener> {
    let new = folder.join("relay.sock.new");
    let _ = std::fs::remove_file(&new);
    let listener = UnixListener::bind(&new)?;
    std::fs::rename(&new, folder.join(SOCKET))?;
    Ok(listener)
}

/// Keys for the agent, and whom to tell that the terminal took them.
type RelayedKeys = (Vec<u8>, Option<oneshot::Sender<()>>);

struct RunningRelay {
    agent: Pid,
    terminal: Mutex<Terminal>,
    /// The agent's end of the terminal: its mode, and what was not taken yet. As long as it is open, nothing written is lost.
    tty: Mutex<Option<OwnedFd>>,
    keys: mpsc::UnboundedSender<RelayedKeys>,
    /// Held while keys are typed: messages keep the order in which they came.
    typing: AsyncMutex<()>,
    drew: watch::Sender<bool>,
    exited: watch::Sender<Option<u8>>,
    /// Whether all that was written is written down.
    drained: watch::Sender<bool>,
}

impl RunningRelay {
    /// Starts the agent; what it writes goes to the end of `transcript`.
    fn begin(job: &RelayJob, transcript: File) -> Result<Arc<Self>, String> {
        let no_terminal = |error: pty_process::Error| format!("no terminal: {error}");
        let children = signal(SignalKind::child()).map_err(|error| error.to_string())?;
        let handed: Vec<_> = HANDED_ON
            .iter()
            .map(|own| signal(SignalKind::from_raw(own.as_raw())).map(|heard| (*own, heard)))
            .collect::<io::Result<_>>()
            .map_err(|error| format!("signals: {error}"))?;
        let (pty, pts) = pty_process::open().map_err(no_terminal)?;
        pty.resize(pty_process::Size::new(SIZE.0, SIZE.1)).map_err(no_terminal)?;
        let tty = pts.as_fd().try_clone_to_owned().map_err(|error| format!("no terminal: {error}"))?;
        let (program, args) = job.words.split_first().ok_or("no program is named")?;
        let command = pty_process::Command::new(program).args(args).env("TERM", "xterm-256color");
        let child = command.spawn(pts).map_err(|error| format!("the agent {program:?} cannot be started: {error}"))?;
        let pid = child.id().expect("nobody has waited for it");
        // All children, the adopted ones too, are waited for in one place.
        std::mem::forget(child);
        let (keys, typed) = mpsc::unbounded_channel();
        let relay = Arc::new(Self {
            agent: i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or("the agent has no process")?,
            terminal: Mutex::default(),
            tty: Mutex::new(Some(tty)),
            keys,
            typing: AsyncMutex::default(),
            drew: watch::Sender::new(false),
            exited: watch::Sender::new(None),
            drained: watch::Sender::new(false),
        });
        let (reader, writer) = pty.into_split();
        tokio::spawn(relay.clone().write_down(reader, transcript));
        tokio::spawn(take_keys(writer, typed));
        tokio::spawn(relay.clone().reap(children));
        for (own, mut heard) in handed {
            let agent = relay.agent;
            tokio::spawn(async move {
                while heard.recv().await.is_some() {
                    hand_on(agent, own);
                }
            });
        }
        Ok(relay)
    }

    /// Writes down what the agent writes, for ever, before anything else sees it.
    async fn write_down(self: Arc<Self>, mut reader: pty_process::OwnedReadPty, mut transcript: File) {
        let mut bytes = vec![0; 64 << 10];
        // The terminal's end is an error: the last one that had it open is gone.
        while let Ok(count @ 1..) = reader.read(&mut bytes).await {
            // On a full disk the agent goes on all the same.
            let _ = transcript.write_all(&bytes[..count]);
            let answers = self.terminal().draw(&bytes[..count]);
            self.drew.send_replace(true);
            if !answers.is_empty() {
                let _ = self.keys.send((answers, None));
            }
        }
        self.drained.send_replace(true);
    }

    /// Takes leave of every child that ends, for ever.
    async fn reap(self: Arc<Self>, mut children: tokio::signal::unix::Signal) {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.agent => {
                    let code = status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal));
                    self.exited.send_replace(Some(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)));
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => {
                    children.recv().await;
                }
            }
        }
    }

    /// Waits for the agent's end, and for what it wrote last; gives its status.
    async fn outlive(&self) -> u8 {
        let mut exited = self.exited.subscribe();
        let code = exited.wait_for(Option::is_some).await.ok().and_then(|code| *code).unwrap_or(1);
        self.tty.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        // What it left running may hold the terminal; it ends with this process.
        let _ = timeout(REST, self.drained.subscribe().wait_for(|drained| *drained)).await;
        code
    }

    async fn attend(self: Arc<Self>, stream: UnixStream) {
        let (read, mut write) = stream.into_split();
        let Ok(ask) = hear(read).await else { return };
        let answer = match ask {
            RelayAsk::Ready => self.ready().await,
            RelayAsk::Type(message) => self.type_message(&message).await,
            RelayAsk::Ping => timeout(PING, self.ping()).await.unwrap_or(RelayAnswer::Silent),
            RelayAsk::HangUp => self.put(END_OF_INPUT.to_vec()).await,
        };
        // Who asked may have gone.
        let _ = write.write_all(&line(&answer)).await;
    }

    fn terminal(&self) -> MutexGuard<'_, Terminal> {
        self.terminal.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn is_over(&self) -> bool {
        self.exited.borrow().is_some()
    }

    /// Whether the agent reads keys as they come, and not lines that the system puts together.
    fn is_raw(&self) -> bool {
        let tty = self.tty.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        tty.as_ref().and_then(|tty| tcgetattr(tty).ok()).is_some_and(|mode| !mode.local_modes.contains(LocalModes::ICANON))
    }

    /// How many bytes were typed and not taken.
    fn untaken(&self) -> u64 {
        let tty = self.tty.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        tty.as_ref().and_then(|tty| rustix::io::ioctl_fionread(tty).ok()).unwrap_or(0)
    }

    /// Waits until the agent has taken its terminal over; one that reads lines, until it has written something and lives on.
    async fn ready(&self) -> RelayAnswer {
        let mut drew = self.drew.subscribe();
        let wrote = async {
            let _ = drew.wait_for(|drew| *drew).await;
            sleep(LAST_WORDS).await;
        };
        let took_over = async {
            while !self.is_raw() {
                sleep(LOOK_AGAIN).await;
            }
        };
        let mut exited = self.exited.subscribe();
        tokio::select! {
            _ = exited.wait_for(Option::is_some) => RelayAnswer::Gone,
            () = took_over => RelayAnswer::Done,
            () = wrote => RelayAnswer::Done,
        }
    }

    /// Types a message once the agent has taken the terminal over.
    async fn type_message(&self, message: &str) -> RelayAnswer {
        let _turn = self.typing.lock().await;
        let deadline = Instant::now() + TAKE_OVER;
        while Instant::now() < deadline && !self.is_over() && !(self.is_raw() && self.terminal().knows_pastes()) {
            sleep(LOOK_AGAIN).await;
        }
        let keys = self.terminal().keys(message);
        self.put(keys).await
    }

    /// Puts keys into the terminal.
    async fn put(&self, keys: Vec<u8>) -> RelayAnswer {
        let (taken, took) = oneshot::channel();
        if self.is_over() || self.keys.send((keys, Some(taken))).is_err() {
            return RelayAnswer::Gone;
        }
        match timeout(TAKE_KEYS, took).await {
            Ok(Ok(())) => RelayAnswer::Done,
            Ok(Err(_)) => RelayAnswer::Gone,
            Err(_) => RelayAnswer::Silent,
        }
    }

    /// Tells the agent that its terminal has the focus, and waits until it took that: no turn, and nothing to write down. One that
    /// reads lines would have it in its next line: it is silent where it is stopped.
    async fn ping(&self) -> RelayAnswer {
        if !self.is_raw() {
            let is_stopped = ProcFs::is_stopped(self.agent.as_raw_nonzero().get().unsigned_abs());
            return match (self.is_over(), is_stopped) {
                (true, _) => RelayAnswer::Gone,
                (_, true) => RelayAnswer::Silent,
                _ => RelayAnswer::Done,
            };
        }
        if self.untaken() == 0 {
            let _turn = self.typing.lock().await;
            let put = self.put(FOCUS.to_vec()).await;
            if put != RelayAnswer::Done {
                return put;
            }
        }
        while self.untaken() > 0 {
            if self.is_over() {
                return RelayAnswer::Gone;
            }
            sleep(LOOK_AGAIN).await;
        }
        if self.is_over() { RelayAnswer::Gone } else { RelayAnswer::Done }
    }
}

/// Hands a signal on to the agent. Without a shell above it the system lets no program be stopped by TSTP that does not take it
/// itself: such a one is stopped by STOP.
fn hand_on(agent: Pid, own: Signal) {
    let pid = agent.as_raw_nonzero().get().unsigned_abs();
    let own = if own == Signal::TSTP && !ProcFs::minds(pid, own) { Signal::STOP } else { own };
    // One that is over takes none.
    let _ = kill_process(agent, own);
}

/// Hands keys to the terminal, in their order, until it is closed.
async fn take_keys(mut writer: pty_process::OwnedWritePty, mut typed: mpsc::UnboundedReceiver<RelayedKeys>) {
    while let Some((keys, taken)) = typed.recv().await {
        if writer.write_all(&keys).await.is_err() {
            return;
        }
        taken.map(|taken| taken.send(()));
    }
}
