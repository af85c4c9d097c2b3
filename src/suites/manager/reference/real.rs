//! What the hosts of real processes share: the folders of their state, agents' command lines with hooks, native files.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use rustix::fs::{Access, access};
use rustix::process::{Pid, PidfdFlags, Signal as Kill, pidfd_open};
use serde_json::json;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use crate::contract::{AgentKind, SessionId};
use crate::fakes::native::{self, HookStyle, OwnSettings};
use crate::fakes::processes::{ProcFs, kill};

use super::host::{AgentLaunch, Handle, HookTime, HostError, Plays, Signal};
use super::spool::{self, SpooledReport};

/// The mark in the environment of everything that belongs to a session.
pub(crate) const SESSION_MARK: &str = "PASSMUSTER_SESSION_MARK";

/// How long whatever is killed may take to be gone.
const KILLED: Duration = Duration::from_secs(5);
/// How often it is looked at: the system does not tell when a stranger's process ends.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// How often a system without process files is asked whether an agent lives.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// The ground that real hosts stand on.
#[derive(Debug)]
pub(crate) struct Real {
    state: PathBuf,
    passmuster: PathBuf,
    watches: Mutex<HashMap<SessionId, AbortHandle>>,
}

impl Real {
    /// The ground of a state folder.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn open(state: &Path) -> io::Result<Self> {
        for folder in ["spool", "k", "hooks"] {
            std::fs::create_dir_all(state.join(folder))?;
        }
        Ok(Self { state: std::path::absolute(state)?, passmuster: std::env::current_exe()?, watches: Mutex::default() })
    }

    /// A path in the state folder.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.state.join(name)
    }

    /// The harness's own program.
    pub(crate) fn passmuster(&self) -> &Path {
        &self.passmuster
    }

    /// The spool.
    pub(crate) fn spool(&self) -> PathBuf {
        self.at("spool")
    }

    /// The value of [`SESSION_MARK`] for a session of this state folder.
    pub(crate) fn mark(&self, session: &SessionId) -> String {
        format!("{}/{session}", self.state.display())
    }

    /// Where signals are told from now on.
    pub(crate) fn signals(&self) -> mpsc::UnboundedReceiver<Signal> {
        spool::read(self.spool()).unwrap_or_else(|error| {
            eprintln!("passmuster: what agents tell cannot be heard: {}: {error}", self.spool().display());
            mpsc::unbounded_channel().1
        })
    }

    /// Has the end of a session's agent told: by the spool, so that it comes after what the agent told before.
    pub(crate) fn watch(&self, handle: &Handle) {
        let (spool, watched) = (self.spool(), handle.clone());
        let watch = tokio::spawn(async move {
            exited(&watched).await;
            if let Err(error) = spool::leave(&spool, &SpooledReport::Exited { session: watched.session.clone(), pid: Some(watched.pid) }) {
                eprintln!("passmuster: the end of {} cannot be told: {error}", watched.session);
            }
        });
        self.watches().insert(handle.session.clone(), watch.abort_handle());
    }

    /// Forgets a session that was ended: nobody has to be told, and what was written for it goes.
    pub(crate) fn forget(&self, session: &SessionId) {
        if let Some(watch) = self.watches().remove(session) {
            watch.abort();
        }
        let _ = std::fs::remove_file(self.settings(session));
    }

    fn watches(&self) -> MutexGuard<'_, HashMap<SessionId, AbortHandle>> {
        self.watches.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// An agent's program, by its name on the PATH.
    ///
    /// # Errors
    /// Where there is none.
    pub(crate) fn program(agent: AgentKind) -> Result<PathBuf, HostError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path)
            .map(|folder| folder.join(agent.name()))
            .find(|path| path.is_file() && access(path, Access::EXEC_OK).is_ok())
            .ok_or_else(|| HostError::CannotStart(format!("there is no program `{agent}` on the PATH")))
    }

    /// An agent's arguments and further environment: its hooks tell the spool. Nothing of the user's is changed.
    ///
    /// # Errors
    /// Where a settings file cannot be written.
    pub(crate) fn with_hooks(&self, launch: &AgentLaunch) -> Result<(Vec<String>, BTreeMap<String, String>), HostError> {
        let hook = |moment: HookTime| {
            let word = serde_json::to_value(moment).expect("a moment is a word");
            let spool = self.spool().display().to_string();
            let program = self.passmuster.display().to_string();
            vec![
                program,
                "session".into(),
                "hook".into(),
                "--spool".into(),
                spool,
                "--session".into(),
                launch.session.to_string(),
                "--moment".into(),
                word.as_str().unwrap_or_default().into(),
            ]
        };
        let line =
            |moment: HookTime| hook(moment).iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect::<Vec<_>>().join(" ");
        let group = |moment: HookTime| json!([{ "hooks": [{ "type": "command", "command": line(moment) }] }]);
        let mut env = launch.env.clone();
        env.insert(SESSION_MARK.into(), self.mark(&launch.session));
        let args = match native::of(launch.agent).hooks() {
            HookStyle::Notify { flags: [flag, _], .. } => {
                let notify = toml::Value::try_from(hook(HookTime::TurnEnd)).expect("words are TOML").to_string();
                vec![flag.into(), format!("notify={notify}")]
            }
            HookStyle::Settings { own, events: (start, end, failed), .. } => {
                let mut hooks = json!({ start: group(HookTime::Start), end: group(HookTime::TurnEnd) });
                failed.into_iter().for_each(|failed| hooks[failed] = group(HookTime::TurnFailed));
                let settings = json!({ "hooks": hooks }).to_string();
                match own {
                    OwnSettings::Flag(flag) => vec![flag.into(), settings],
                    OwnSettings::Variable(name) => {
                        let file = self.settings(&launch.session);
                        std::fs::write(&file, settings).map_err(|error| HostError::Failed(format!("{}: {error}", file.display())))?;
                        env.insert(name.into(), file.display().to_string());
                        Vec::new()
                    }
                }
            }
        };
        Ok((args, env))
    }

    /// The words with which an agent is given its first message; one of more than `longest` bytes is left, to be typed.
    pub(crate) fn with_message(launch: &mut AgentLaunch, longest: usize) -> Vec<String> {
        match launch.message.take() {
            Some(message) if message.len() > longest => {
                launch.message = Some(message);
                Vec::new()
            }
            Some(message) => match &launch.plays {
                Plays::On => vec!["--".into(), message],
                Plays::OneTurn { resumes } => native::of(launch.agent).one_turn(&message, resumes.as_deref()),
            },
            None => Vec::new(),
        }
    }

    /// Whether a handle's process lives.
    pub(crate) fn alive(handle: &Handle) -> bool {
        ProcFs::entry(handle.pid).is_some_and(|entry| entry.ticks == handle.started)
    }

    /// Everything alive that carries a session's mark.
    pub(crate) fn marked(&self, session: &SessionId) -> Vec<u32> {
        let mark = format!("{SESSION_MARK}={}", self.mark(session));
        ProcFs::table().into_iter().map(|entry| entry.pid).filter(|pid| ProcFs::has_mark(*pid, &mark)).collect()
    }

    /// Kills everything that carries a session's mark, until there is nothing.
    ///
    /// # Errors
    /// Where something cannot be killed.
    pub(crate) async fn end_marked(&self, session: &SessionId) -> Result<(), HostError> {
        let gone = async {
            loop {
                let left = self.marked(session);
                if left.is_empty() {
                    return;
                }
                left.into_iter().for_each(|pid| kill(pid, Kill::KILL));
                sleep(LOOK_AGAIN).await;
            }
        };
        timeout(KILLED, gone).await.map_err(|_| HostError::Failed("something of the session cannot be killed".into()))
    }

    fn settings(&self, session: &SessionId) -> PathBuf {
        self.at(&format!("hooks/{session}.json"))
    }

    /// Every file below a folder, oldest first.
    pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
        let mut files = Vec::new();
        walk(folder, &mut files);
        files.sort();
        files.into_iter().map(|(_, path)| path).collect()
    }

    /// The home that agents get.
    pub(crate) fn home() -> PathBuf {
        std::env::var_os("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from)
    }
}

/// Waits until a handle's process is over.
async fn exited(handle: &Handle) {
    let pid = i32::try_from(handle.pid).ok().and_then(Pid::from_raw);
    if let Some(process) = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok())
        // Only now is it sure that the file stands for the handle's process, and not for a later one with its pid.
        && Real::alive(handle)
    {
        // SAFETY: the file is given away whole, and closed by its new owner alone.
        #[allow(unsafe_code)]
        let process = unsafe { AsyncFd::register(process) };
        if let Ok(process) = process {
            let _ = process.readable().await;
        }
    }
    // A system that cannot tell is asked.
    while Real::alive(handle) {
        sleep(ASK_AGAIN).await;
    }
}

fn walk(folder: &Path, into: &mut Vec<(std::time::SystemTime, PathBuf)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.metadata() {
            Ok(meta) if meta.is_dir() => walk(&entry.path(), into),
            Ok(meta) => into.push((meta.modified().unwrap_or(std::time::UNIX_EPOCH), entry.path())),
            Err(_) => {}
        }
    }
}
