//! The stand-in agents: what a manager runs when it runs `claude`, `codex` or `gemini` in the sandbox.
//!
//! Standard threads and one channel: a stand-in has to be up within milliseconds, and its order of doing things is its
//! whole point. The main thread owns the session; the others only tell it what came in.

pub(crate) mod arguments;
pub(crate) mod children;
pub(crate) mod hooks;
pub(crate) mod input;
pub(crate) mod player;
pub(crate) mod screen;

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::contract::AgentKind;
use crate::profile::Profiles;

use super::control::{AgentReport, ControlCommand, Script};
use super::native::version;

use arguments::{Invocation, StandInArguments};
use player::Player;

/// The environment variable that names a stand-in's configuration.
pub const CONFIG: &str = "PASSMUSTER_STANDIN";

/// The folder in a workspace that tells stand-ins where their harness is, and the file there.
pub(crate) const WORKSPACE: &str = ".passmuster";
pub(crate) const WORKSPACE_CONFIG: &str = "standin.json";
/// The socket on which the harness hears those who are in that workspace.
pub(crate) const WORKSPACE_SOCKET: &str = "stage.sock";

/// The exit status of a stand-in whose harness is gone.
const NO_HARNESS: u8 = 70;
/// The exit status of a stand-in that was called in a way that it does not imitate.
const UNSUPPORTED: i32 = 64;

/// What a stand-in of a sandbox is told: `run/standin.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StandInConfig {
    /// The harness's socket, as seen from the configuration's folder.
    pub socket: PathBuf,
    /// The sandbox's home, for where the environment was lost.
    pub home: PathBuf,
    /// The profiles in force.
    pub profiles: Profiles,
    /// What is typed as a ping: it is answered, and opens no turn.
    #[serde(default)]
    pub ping: Option<String>,
}

/// How a stand-in behaves that somebody runs by hand, without a harness.
#[derive(Debug)]
pub struct ByHand {
    /// The profiles in force.
    pub profiles: Profiles,
    /// How long each turn takes.
    pub turn: Duration,
}

/// What reaches a stand-in's main thread.
#[derive(Debug)]
pub(crate) enum StandInEvent {
    /// A prompt was submitted.
    Prompt(String),
    /// The terminal was hung up, or the pipe ended.
    InputOver,
    /// The user asked for the end (Ctrl-C, Ctrl-D on an empty line).
    Quit,
    /// A signal came.
    Signal(i32),
    /// The harness says something.
    Command(ControlCommand),
    /// The harness is gone.
    HarnessGone,
}

/// The channel to the harness.
#[derive(Debug)]
pub(crate) struct Harness {
    stream: Option<UnixStream>,
}

impl Harness {
    fn tell(&mut self, report: &AgentReport) {
        if let Some(stream) = &mut self.stream {
            let mut line = serde_json::to_vec(report).expect("reports are plain data");
            line.push(b'\n');
            // A harness that is gone is noticed by the thread that listens to it.
            let _ = stream.write_all(&line);
        }
    }
}

/// Runs a stand-in in a sandbox. Called when the program's own name is an agent's.
pub fn run(agent: AgentKind, args: Vec<OsString>) -> ExitCode {
    let config = match config() {
        Ok(config) => config,
        Err(why) => return no_harness(agent, &why),
    };
    let home = std::env::var_os("HOME").map_or_else(|| config.home.clone(), PathBuf::from);
    let call = StandInArguments::read(config.profiles.agent(agent), &text(args));
    let arguments = match call {
        Invocation::Answer(answer) => return answered(&answer, &version(&config.profiles, agent, crate::profile::Mode::Interactive)),
        Invocation::Run(arguments) => arguments,
    };
    let stream = match UnixStream::connect(&config.socket) {
        Ok(stream) => stream,
        Err(error) => return no_harness(agent, &format!("{}: {error}", config.socket.display())),
    };
    let (events, inbox) = mpsc::channel();
    let Some((harness, script)) = introduced(agent, stream, &arguments, &events) else {
        return no_harness(agent, "the harness gave no script");
    };
    let player = Player::new(agent, &config.profiles, &home, arguments, harness, script, false).pinged_by(config.ping);
    player.live(events, &inbox)
}

/// What a stand-in is told: by its environment, or, where that is lost as in a container, by the workspace that it is in.
fn config() -> Result<StandInConfig, String> {
    let folder = std::env::current_dir().unwrap_or_default();
    let beside = || folder.ancestors().map(|above| above.join(WORKSPACE)).find(|below| below.join(WORKSPACE_CONFIG).is_file());
    let place = std::env::var_os(CONFIG).map(PathBuf::from).or_else(|| Some(beside()?.join(WORKSPACE_CONFIG)));
    let place =
        place.ok_or_else(|| format!("{CONFIG} is not set, and there is no {WORKSPACE}/{WORKSPACE_CONFIG} above {}", folder.display()))?;
    let bytes = std::fs::read(&place).map_err(|error| format!("{}: {error}", place.display()))?;
    let mut config: StandInConfig = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    config.socket = place.parent().unwrap_or(Path::new("/")).join(config.socket);
    Ok(config)
}

/// Runs a stand-in by hand: it keeps its profile's times, and ends its turns by itself.
pub fn run_by_hand(agent: AgentKind, args: Vec<OsString>, by_hand: &ByHand) -> ExitCode {
    let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from);
    let arguments = match StandInArguments::read(by_hand.profiles.agent(agent), &text(args)) {
        Invocation::Answer(answer) => return answered(&answer, &version(&by_hand.profiles, agent, crate::profile::Mode::Interactive)),
        Invocation::Run(arguments) => arguments,
    };
    let (events, inbox) = mpsc::channel();
    let script = Script { auto_release_ms: Some(by_hand.turn.as_millis() as u64), ..Script::default() };
    let player = Player::new(agent, &by_hand.profiles, &home, arguments, Harness { stream: None }, script, true);
    player.live(events, &inbox)
}

/// Says hello, waits for the script, and listens from then on.
fn introduced(
    agent: AgentKind,
    stream: UnixStream,
    arguments: &StandInArguments,
    events: &Sender<StandInEvent>,
) -> Option<(Harness, Script)> {
    let mut lines = BufReader::new(stream.try_clone().ok()?);
    let mut harness = Harness { stream: Some(stream) };
    let cwd = std::env::current_dir().unwrap_or_default().to_string_lossy().into_owned();
    harness.tell(&AgentReport::Hello { agent, pid: std::process::id(), cwd, args: arguments.all.clone() });
    let mut line = String::new();
    lines.read_line(&mut line).ok()?;
    let Ok(ControlCommand::Script(script)) = serde_json::from_str(&line) else { return None };
    let events = events.clone();
    std::thread::spawn(move || {
        let mut line = String::new();
        loop {
            line.clear();
            let event = match lines.read_line(&mut line) {
                Ok(count) if count > 0 => serde_json::from_str(&line).map_or(StandInEvent::HarnessGone, StandInEvent::Command),
                _ => StandInEvent::HarnessGone,
            };
            let over = matches!(event, StandInEvent::HarnessGone);
            if events.send(event).is_err() || over {
                return;
            }
        }
    });
    Some((harness, script))
}

fn no_harness(agent: AgentKind, why: &str) -> ExitCode {
    eprintln!("{agent}: this is a stand-in of passmuster, and its harness is not there: {why}");
    ExitCode::from(NO_HARNESS)
}

#[allow(clippy::print_stdout, reason = "it is what the program is asked for")]
fn answered(answer: &str, version: &str) -> ExitCode {
    println!("{}", answer.replace("{version}", version));
    ExitCode::SUCCESS
}

fn text(args: Vec<OsString>) -> Vec<String> {
    args.into_iter().map(|arg| arg.to_string_lossy().into_owned()).collect()
}
