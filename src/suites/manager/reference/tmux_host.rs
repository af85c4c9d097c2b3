//! Agents in tmux: one tmux session each, on a server of the state folder's own.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use rustix::process::{Pid, Signal as Kill, kill_process_group};
use rustix::termios::{LocalModes, tcgetattr};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use crate::contract::SessionId;
use crate::fakes::processes::{ProcFs, kill};

use super::host::{AgentLaunch, End, Handle, Host, HostError, Signal};
use super::real::Real;

/// The longest message that goes as an argument, in bytes: tmux takes about 16 kB of command line.
const LONGEST_ARGUMENT: usize = 8_000;
/// How long a start watches whether the agent gives up at once.
const FIRST_STEPS: Duration = Duration::from_millis(120);
/// How often a pane is looked at: tmux tells nobody what becomes of it.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// How long a message waits for an agent that has not taken its terminal over.
const TAKE_OVER: Duration = Duration::from_secs(1);
/// How long what a killed manager asked of tmux may still be under way.
const SETTLE: Duration = Duration::from_secs(2);
/// How long whatever is ended politely may take before it is killed.
const POLITE: Duration = Duration::from_millis(300);

/// The host of tmux sessions.
#[derive(Debug)]
pub(crate) struct TmuxHost {
    ground: Real,
}

impl TmuxHost {
    /// A host with its state, and its tmux server's socket, in a folder.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn open(state: &Path) -> std::io::Result<Self> {
        Ok(Self { ground: Real::open(state)? })
    }

    async fn tmux(&self, args: &[&str], stdin: Option<&str>) -> Result<String, HostError> {
        let failed = |why: String| HostError::Failed(format!("tmux {}: {why}", args.first().unwrap_or(&"")));
        let mut tmux = tokio::process::Command::new("tmux")
            .arg("-S")
            .arg(self.ground.at("t.sock"))
            .args(["-f", "/dev/null"])
            .args(args)
            .stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        if let (Some(mut pipe), Some(text)) = (tmux.stdin.take(), stdin) {
            pipe.write_all(text.as_bytes()).await.map_err(|error| failed(error.to_string()))?;
        }
        let Output { status, stdout, stderr } = tmux.wait_with_output().await.map_err(|error| failed(error.to_string()))?;
        if status.success() {
            Ok(String::from_utf8_lossy(&stdout).into_owned())
        } else {
            Err(failed(String::from_utf8_lossy(&stderr).trim().to_owned()))
        }
    }

    /// Pastes a text into a pane and submits it. A dead pane is never pasted into: that brings the whole server down (3.3a).
    async fn paste(&self, handle: &Handle, text: &str) -> Result<(), HostError> {
        self.taken_over(handle).await;
        if !Real::alive(handle) {
            return Err(HostError::Gone);
        }
        // In a terminal a carriage return is a key; line breaks are what is meant.
        let text = &text.replace("\r\n", "\n").replace('\r', "\n");
        let buffer = format!("b-{}", handle.session);
        self.tmux(&["load-buffer", "-b", &buffer, "-"], Some(text)).await?;
        self.tmux(&["paste-buffer", "-p", "-r", "-d", "-b", &buffer, "-t", &handle.address], None).await?;
        self.tmux(&["send-keys", "-t", &handle.address, "Enter"], None).await.map(drop)
    }

    /// Waits for the agent to take its terminal over: what is typed before is cut, or lost.
    async fn taken_over(&self, handle: &Handle) {
        let Ok(tty) = self.tmux(&["display-message", "-p", "-t", &handle.address, "#{pane_tty}"], None).await else { return };
        let Ok(terminal) = std::fs::File::options().read(true).custom_flags(libc::O_NOCTTY).open(tty.trim()) else { return };
        let is_raw = || tcgetattr(&terminal).is_ok_and(|mode| !mode.local_modes.contains(LocalModes::ICANON));
        let deadline = Instant::now() + TAKE_OVER;
        while !is_raw() && Real::alive(handle) && Instant::now() < deadline {
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Waits until nothing that a killed manager asked of tmux is still under way.
    async fn settled(&self) {
        let socket = self.ground.at("t.sock");
        let asks = |pid: u32, command: &str| {
            let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            command != "tmux: server" && words.split(|byte| *byte == 0).any(|word| word == socket.as_os_str().as_encoded_bytes())
        };
        let under_way = || ProcFs::table().iter().any(|entry| asks(entry.pid, &entry.command));
        let deadline = Instant::now() + SETTLE;
        while under_way() && Instant::now() < deadline {
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Everything of a session: under its agent, and whatever carries its mark.
    fn members(&self, handle: &Handle) -> Vec<u32> {
        let mut members = self.ground.marked(&handle.session);
        if Real::alive(handle) {
            members.push(handle.pid);
            members.extend(ProcFs::under(handle.pid).iter().map(|entry| entry.pid));
        }
        members.sort_unstable();
        members.dedup();
        members.retain(|pid| ProcFs::entry(*pid).is_some());
        members
    }

    async fn end_tree(&self, handle: &Handle) -> Result<(), HostError> {
        for pid in self.members(handle) {
            kill(pid, Kill::HUP);
            kill(pid, Kill::TERM);
        }
        let polite = Instant::now() + POLITE;
        let gone = async {
            loop {
                let left = self.members(handle);
                if left.is_empty() {
                    return;
                }
                if Instant::now() > polite {
                    left.into_iter().for_each(|pid| kill(pid, Kill::KILL));
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(10), gone).await.map_err(|_| HostError::Failed("something of the session cannot be ended".into()))?;
        self.ground.forget(&handle.session);
        // The tmux session went with its pane, unless the server was slow to see it.
        let _ = self.tmux(&["kill-session", "-t", &handle.address.replace(':', "")], None).await;
        Ok(())
    }
}

fn name(session: &SessionId) -> String {
    format!("pm-{session}")
}

#[async_trait]
impl Host for TmuxHost {
    async fn launch(&self, mut launch: AgentLaunch) -> Result<Handle, HostError> {
        let program = Real::program(launch.agent)?.display().to_string();
        let (mut args, env) = self.ground.with_hooks(&launch)?;
        args.extend(Real::with_message(&mut launch, LONGEST_ARGUMENT));
        let (name, cwd) = (name(&launch.session), launch.cwd.display().to_string());
        let pairs: Vec<String> = env.iter().map(|(key, value)| format!("{key}={value}")).collect();
        // The server must not go when its last session does. Without this it might, between two starts.
        let mut words: Vec<&str> = vec!["start-server", ";", "set-option", "-g", "exit-empty", "off", ";"];
        words.extend(["new-session", "-d", "-P", "-F", "#{pane_pid}", "-x", "200", "-y", "50", "-s", &name, "-c", &cwd]);
        pairs.iter().for_each(|pair| words.extend(["-e", pair.as_str()]));
        words.extend(["--", &program]);
        // More than one word is run as it is, without a shell; a word that ends with a semicolon would end the command.
        let args: Vec<String> =
            args.into_iter().map(|arg| arg.strip_suffix(';').map_or(arg.clone(), |rest| format!("{rest}\\;"))).collect();
        let padded = args.is_empty();
        words.extend(args.iter().map(String::as_str));
        if padded {
            words.push("--");
        }
        let said = self.tmux(&words, None).await.map_err(|error| HostError::CannotStart(error.to_string()))?;
        let pid: u32 = said.trim().parse().map_err(|_| HostError::CannotStart(format!("tmux named no process: {said}")))?;
        let handle = Handle { session: launch.session, pid, started: ProcFs::ticks(pid), address: format!("={name}:") };
        let steps = Instant::now() + FIRST_STEPS;
        while Instant::now() < steps {
            if !Real::alive(&handle) || handle.started == 0 {
                return Err(HostError::CannotStart(format!("{program} exited at once")));
            }
            sleep(Duration::from_millis(10)).await;
        }
        if let Some(message) = launch.message {
            self.paste(&handle, &message).await?;
        }
        self.ground.watch(&handle);
        Ok(handle)
    }

    async fn recover(&self, session: &SessionId) -> Option<Handle> {
        self.settled().await;
        let target = format!("={}:", name(session));
        let said = self.tmux(&["list-panes", "-t", &target, "-F", "#{pane_pid}"], None).await.ok()?;
        let pid = said.trim().parse().ok()?;
        Some(Handle { session: session.clone(), pid, started: ProcFs::ticks(pid), address: target })
    }

    async fn deliver(&self, handle: &Handle, message: &str) -> Result<(), HostError> {
        self.paste(handle, message).await
    }

    async fn alive(&self, handle: &Handle) -> bool {
        Real::alive(handle)
    }

    async fn end(&self, handle: &Handle, how: End) -> Result<(), HostError> {
        match how {
            End::Tree => return self.end_tree(handle).await,
            End::Polite => drop(self.tmux(&["kill-session", "-t", &handle.address.replace(':', "")], None).await),
            End::ProcessOnly => kill(handle.pid, Kill::KILL),
            End::Descendants => ProcFs::kill_with_descendants(handle.pid),
            End::Group => {
                if let Some(group) = i32::try_from(handle.pid).ok().and_then(Pid::from_raw) {
                    let _ = kill_process_group(group, Kill::KILL);
                }
            }
        }
        Ok(())
    }

    async fn screen(&self, handle: &Handle) -> Result<String, HostError> {
        if !Real::alive(handle) {
            return Err(HostError::Gone);
        }
        self.tmux(&["capture-pane", "-p", "-S", "-", "-t", &handle.address], None).await
    }

    async fn read_file(&self, path: &Path) -> Option<Vec<u8>> {
        std::fs::read(path).ok()
    }

    async fn files_below(&self, folder: &Path) -> Vec<PathBuf> {
        Real::files_below(folder)
    }

    async fn is_folder(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn home(&self) -> PathBuf {
        Real::home()
    }

    fn signals(&self) -> mpsc::UnboundedReceiver<Signal> {
        self.ground.signals()
    }

    async fn adopt(&self, handle: &Handle) {
        self.ground.watch(handle);
    }

    async fn close(&self) {
        let _ = self.tmux(&["kill-server"], None).await;
    }
}
