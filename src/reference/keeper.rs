//! The keeper: a process of its own for each session, which holds the agent's terminal. It outlives the manager, so that
//! an agent does not lose its terminal with it; and it is a subreaper, so that whatever the agent starts stays under it.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::agent::processes::{ProcFs, become_subreaper, kill};
use crate::contract::SessionId;

use super::host::End;
use super::screen;
use super::spool::{self, Told};

/// The size of an agent's terminal, in rows and columns.
const SIZE: (u16, u16) = (50, 200);
/// How much of what an agent drew is kept, in bytes.
const KEPT: usize = 64 * 1024;
/// How long a start waits for the agent to draw something, or to exit.
const SIGN_OF_LIFE: Duration = Duration::from_millis(250);
/// How long whatever is ended politely may take before it is killed.
const POLITE: Duration = Duration::from_millis(300);

/// What a keeper is to keep.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kept {
    /// The session.
    pub session: SessionId,
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
    /// The keeper's socket.
    pub socket: PathBuf,
    /// Where it tells that the agent exited.
    pub spool: PathBuf,
}

/// What a keeper answers once the agent is up, or is not.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Begun {
    /// The agent is up.
    Up {
        /// Its process.
        pid: u32,
        /// When that began.
        started: u64,
    },
    /// It is not.
    Failed(String),
}

/// What a keeper is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Type this and submit it.
    Type(String),
    /// What does the terminal show?
    Screen,
    /// End the agent.
    End(End),
}

/// A keeper at work.
struct Keeper {
    pid: u32,
    shown: Mutex<Vec<u8>>,
    drew: watch::Sender<bool>,
    exited: watch::Sender<Option<Option<i32>>>,
    writer: AsyncMutex<pty_process::OwnedWritePty>,
}

/// The keeper's main: reads what to keep from standard input, answers on standard output, keeps.
pub fn main() -> ExitCode {
    // Its own session: whatever befalls the manager's terminal or group does not befall it.
    let _ = rustix::process::setsid();
    become_subreaper();
    let mut line = String::new();
    let kept = io::stdin()
        .read_line(&mut line)
        .map_err(|error| error.to_string())
        .and_then(|_| serde_json::from_str::<Kept>(&line).map_err(|error| error.to_string()));
    let kept = match kept {
        Ok(kept) => kept,
        Err(why) => {
            eprintln!("passmuster session keeper is not for people: {why}");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let code = runtime.block_on(keep(kept));
    // A read of standard input that is never answered must not hold the process.
    runtime.shutdown_background();
    code
}

fn answer(begun: &Begun) {
    println!("{}", serde_json::to_string(begun).expect("plain data"));
    // The manager waits for this line and nothing after it.
    let _ = io::Write::flush(&mut io::stdout());
}

async fn keep(kept: Kept) -> ExitCode {
    let (keeper, listener) = match begin(&kept).await {
        Ok(begun) => begun,
        Err(why) => {
            ProcFs::end_descendants_of(std::process::id(), &[]);
            answer(&Begun::Failed(why));
            return ExitCode::FAILURE;
        }
    };
    answer(&Begun::Up { pid: keeper.pid, started: ProcFs::ticks(keeper.pid) });
    if let Some(message) = &kept.typed {
        let _ = keeper.type_text(message).await;
    }
    let (done, mut over) = watch::channel(false);
    let mut exited = keeper.exited.subscribe();
    let mut told = false;
    loop {
        tokio::select! {
            connection = listener.accept() => {
                if let Ok((stream, _)) = connection {
                    tokio::spawn(attend(stream, keeper.clone(), done.clone()));
                }
            }
            _ = over.wait_for(|over| *over) => break,
            code = exited.wait_for(Option::is_some), if !told => {
                told = true;
                let code = code.map(|code| (*code).flatten()).unwrap_or_default();
                if let Err(error) = spool::leave(&kept.spool, &Told::Exited { session: kept.session.clone(), code }) {
                    eprintln!("passmuster: the end of {} cannot be told: {error}", kept.session);
                }
            }
            // Once the agent is over and nothing of it is left, there is nothing to keep.
            () = sleep(Duration::from_secs(1)), if told => {
                if ProcFs::descendants(&ProcFs::table(), std::process::id()).is_empty() {
                    break;
                }
            }
        }
    }
    let _ = std::fs::remove_file(&kept.socket);
    ExitCode::SUCCESS
}

async fn begin(kept: &Kept) -> Result<(Arc<Keeper>, UnixListener), String> {
    let _ = std::fs::remove_file(&kept.socket);
    let listener = UnixListener::bind(&kept.socket).map_err(|error| format!("{}: {error}", kept.socket.display()))?;
    let (pty, pts) = pty_process::open().map_err(|error| format!("no terminal: {error}"))?;
    pty.resize(pty_process::Size::new(SIZE.0, SIZE.1)).map_err(|error| format!("no terminal: {error}"))?;
    let mut child = pty_process::Command::new(&kept.program)
        .args(&kept.args)
        .current_dir(&kept.cwd)
        .envs(&kept.env)
        .spawn(pts)
        .map_err(|error| format!("{}: {error}", kept.program.display()))?;
    let pid = child.id().ok_or("the agent exited at once")?;
    let (mut reader, writer) = pty.into_split();
    let keeper = Arc::new(Keeper {
        pid,
        shown: Mutex::default(),
        drew: watch::Sender::new(false),
        exited: watch::Sender::new(None),
        writer: AsyncMutex::new(writer),
    });
    let shown = keeper.clone();
    tokio::spawn(async move {
        let mut bytes = [0; 8192];
        // The terminal's end is an error: the last one that had it open is gone.
        while let Ok(count) = reader.read(&mut bytes).await {
            if count == 0 {
                break;
            }
            shown.show(&bytes[..count]);
        }
    });
    let waited = keeper.clone();
    tokio::spawn(async move {
        let status = child.wait().await;
        waited.exited.send_replace(Some(status.ok().and_then(|status| status.code())));
    });
    let (mut drew, mut exited) = (keeper.drew.subscribe(), keeper.exited.subscribe());
    let sign = async {
        tokio::select! {
            _ = drew.wait_for(|drew| *drew) => {}
            _ = exited.wait_for(Option::is_some) => {}
        }
    };
    // A silent agent gives none, and lives.
    let _ = timeout(SIGN_OF_LIFE, sign).await;
    // What a program says before it gives up must not pass for life.
    let quick = Instant::now() + Duration::from_millis(20);
    let _ = tokio::time::timeout_at(quick, keeper.exited.subscribe().wait_for(Option::is_some)).await;
    match *keeper.exited.borrow() {
        Some(code) => Err(match code {
            Some(code) => format!("{} exited at once with status {code}", kept.program.display()),
            None => format!("{} was killed at once", kept.program.display()),
        }),
        None => Ok((keeper.clone(), listener)),
    }
}

async fn attend(stream: UnixStream, keeper: Arc<Keeper>, done: watch::Sender<bool>) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let reply: Result<String, String> = match serde_json::from_str(&line) {
            Err(error) => Err(error.to_string()),
            Ok(Ask::Type(text)) => keeper.type_text(&text).await.map(|()| String::new()).map_err(|error| error.to_string()),
            Ok(Ask::Screen) => Ok(screen::plain(&keeper.shown.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))),
            Ok(Ask::End(how)) => {
                keeper.end(how).await;
                Ok(String::new())
            }
        };
        let over = matches!(serde_json::from_str(&line), Ok(Ask::End(End::Tree)));
        let mut reply = serde_json::to_vec(&reply).expect("plain data");
        reply.push(b'\n');
        let _ = write.write_all(&reply).await;
        if over {
            done.send_replace(true);
            return;
        }
    }
}

impl Keeper {
    fn show(&self, bytes: &[u8]) {
        let mut shown = self.shown.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        shown.extend_from_slice(bytes);
        let over = shown.len().saturating_sub(KEPT);
        shown.drain(..over);
        drop(shown);
        self.drew.send_replace(true);
    }

    /// Types a text as a paste, and submits it.
    async fn type_text(&self, text: &str) -> io::Result<()> {
        if self.exited.borrow().is_some() {
            return Err(io::Error::other("the agent is gone"));
        }
        let mut writer = self.writer.lock().await;
        writer.write_all(format!("\x1b[200~{text}\x1b[201~\r").as_bytes()).await
    }

    async fn end(&self, how: End) {
        match how {
            End::Polite => {
                kill(self.pid, Signal::HUP);
                kill(self.pid, Signal::TERM);
            }
            End::ProcessOnly => kill(self.pid, Signal::KILL),
            End::Group => {
                if let Some(group) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) {
                    let _ = kill_process_group(group, Signal::KILL);
                }
            }
            End::Tree => self.end_tree().await,
        }
    }

    /// Everything under this process is of the session: it is asked, then killed, until nothing is left.
    async fn end_tree(&self) {
        let own = std::process::id();
        for entry in ProcFs::descendants(&ProcFs::table(), own) {
            kill(entry.pid, Signal::HUP);
            kill(entry.pid, Signal::TERM);
        }
        let deadline = Instant::now() + POLITE;
        while Instant::now() < deadline && !ProcFs::descendants(&ProcFs::table(), own).is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
        ProcFs::end_descendants_of(own, &[]);
    }
}
