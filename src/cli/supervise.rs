//! `passmuster supervise`: the reference supervisor of agents in containers, and its own command line, a client of its daemon.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::containers::docker_api::{DockerEngine, engine_socket};
use crate::containers::relay::{RelayProgram, first_process};
use crate::contract::{AgentKind, ContractError, ErrorCode, OperationTable, SUPERVISION_OPERATIONS};
use crate::core::clock::Clock;
use crate::frontends::client::{Daemon, socket};
use crate::frontends::server::{ServePlace, serve};
use crate::suites::supervision::behavior::SupervisorBehavior;
use crate::suites::supervision::faults::{self, SupervisorFault};
use crate::suites::supervision::reference::{PauseMode, SupervisionPolicy, Supervisor, SupervisorConfig};
use crate::suites::supervision::variations::{self, SupervisorVariation};

use super::operation::{AskedOperation, Operations, answered};
use super::serve::{ServeAt, misused, until_asked};
use super::session::follow;

/// The daemon's folder, below the root: what is said and listened at there.
const DAEMON: &str = "outputs/agents/.supervisor";
/// What the daemon was started with, in its folder: the next one is, too, where nothing else is said.
const SETTINGS: &str = "settings.json";

/// The reference supervisor: agents in containers, watched and started again
#[derive(Debug, Args)]
pub(crate) struct SuperviseArgs {
    #[command(subcommand)]
    command: SuperviseAction,
    #[command(flatten)]
    place: SupervisorPlace,
}

#[derive(Debug, Subcommand)]
enum SuperviseAction {
    #[command(flatten)]
    Operation(AskedOperation<OfASupervisor>),
    /// Start the supervisor where none runs: it finds its sessions again; list them
    Recover,
    /// Print announcements as they come, one a line, after a line that says that they are heard
    Events {
        /// Go on until the supervisor ends
        #[arg(long, required = true)]
        follow: bool,
    },
    /// End the supervisor; its sessions live on, unwatched
    Shutdown,
    /// Serve the supervisor: JSON-RPC or MCP over standard input and output, a socket or HTTP
    Serve(ServeAt),
    /// Be the daemon
    #[command(hide = true)]
    Daemon,
    /// Be a container's first process
    #[command(hide = true)]
    Relay,
}

/// The operations of a supervisor.
#[derive(Debug)]
struct OfASupervisor;

impl Operations for OfASupervisor {
    const TABLE: OperationTable = SUPERVISION_OPERATIONS;
    const BRIEF: bool = true;
}

/// Where a supervisor is, and what it is.
#[derive(Debug, Args)]
struct SupervisorPlace {
    /// The folder that the registry is below (`outputs/agents/ROLE/SESSION/state.json`)
    #[arg(long, value_name = "DIR", default_value = ".", global = true)]
    root: PathBuf,
    #[command(flatten)]
    settings: SupervisorSettings,
    /// A defect for the supervisor to have (repeatable); `passmuster faults` lists them
    #[arg(long, value_name = "NAME", global = true, value_parser = faults::named)]
    fault: Vec<&'static SupervisorFault>,
    /// Something that the supervisor does otherwise and conforms all the same (repeatable); `passmuster faults vary --list` lists them
    #[arg(long, value_name = "NAME", global = true, value_parser = variations::named)]
    variation: Vec<&'static SupervisorVariation>,
}

/// What a supervisor is told once, and its successors on the same registry know.
#[derive(Debug, Clone, Default, PartialEq, Args, Serialize, Deserialize)]
#[serde(default)]
struct SupervisorSettings {
    /// The image of the agents' containers; it needs nothing of passmuster's
    #[arg(long, value_name = "IMAGE", global = true)]
    image: Option<String>,
    /// The container engine's socket [default: $DOCKER_HOST, $CONTAINER_HOST, else where Podman and Docker have theirs]
    #[arg(long, value_name = "SOCKET", global = true, value_parser = absolute)]
    engine: Option<PathBuf>,
    /// What a pause does besides typing nothing: detach, freeze, or a signal and the one to go on, such as TSTP:CONT
    #[arg(long, value_name = "MODE", global = true, value_parser = checked(pause_mode))]
    pause: Option<String>,
    /// How an agent is started in the container, such as codex="codex --full-auto" [default: its name]; its first message is the last
    /// argument
    #[arg(long, value_name = "AGENT=WORDS", global = true, value_parser = checked(agent_words))]
    agent_command: Vec<String>,
    /// When it looks and when it gives up: interval_s, timeout_s, failures, first_s, max_s, restarts, window_s, stable_s, start_s, grace_s
    #[arg(long, value_name = "NAME=N", global = true, value_delimiter = ',', value_parser = checked(policy_change))]
    policy: Vec<String>,
}

impl SupervisorSettings {
    /// These, and where they say nothing, what was said before.
    fn or(&self, before: Self) -> Self {
        let list = |own: &[String], before: Vec<String>| if own.is_empty() { before } else { own.to_vec() };
        Self {
            image: self.image.clone().or(before.image),
            engine: self.engine.clone().or(before.engine),
            pause: self.pause.clone().or(before.pause),
            agent_command: list(&self.agent_command, before.agent_command),
            policy: list(&self.policy, before.policy),
        }
    }

    /// The command line that says the same.
    fn words(&self) -> Vec<String> {
        let one = |flag: &str, value: Option<String>| value.map(|value| [flag.to_owned(), value]);
        let engine = self.engine.as_ref().map(|path| path.display().to_string());
        let single = [one("--image", self.image.clone()), one("--engine", engine), one("--pause", self.pause.clone())];
        let many = [("--agent-command", &self.agent_command), ("--policy", &self.policy)];
        let many = many.into_iter().flat_map(|(flag, values)| values.iter().map(move |value| [flag.to_owned(), value.clone()]));
        single.into_iter().flatten().chain(many).flatten().collect()
    }
}

/// Checks a word by reading it, and keeps the word.
fn checked<T>(read: fn(&str) -> Result<T, String>) -> impl Fn(&str) -> Result<String, String> + Clone + Send + Sync + 'static
where
    T: 'static,
{
    move |word| read(word).map(|_| word.to_owned())
}

fn absolute(word: &str) -> Result<PathBuf, String> {
    std::path::absolute(word.strip_prefix("unix://").unwrap_or(word)).map_err(|error| error.to_string())
}

/// The signals that a pause may send: a container's first process can hand them on, and an agent can take them.
const PAUSE_SIGNALS: [&str; 8] = ["TSTP", "CONT", "USR1", "USR2", "INT", "HUP", "QUIT", "TERM"];

fn pause_mode(word: &str) -> Result<PauseMode, String> {
    let signal = |name: &str| PAUSE_SIGNALS.into_iter().find(|own| *own == name.trim_start_matches("SIG"));
    match word {
        "detach" => Ok(PauseMode::Detach),
        "freeze" => Ok(PauseMode::Freeze),
        _ => match word.split_once(':').map(|(pause, resume)| (signal(pause), signal(resume))) {
            Some((Some(pause), Some(resume))) => Ok(PauseMode::Signal { pause, resume }),
            _ => Err(format!("wanted detach, freeze, or two of {} as in TSTP:CONT", PAUSE_SIGNALS.join(", "))),
        },
    }
}

fn agent_words(word: &str) -> Result<(AgentKind, Vec<String>), String> {
    let (agent, words) = word.split_once('=').ok_or("wanted AGENT=WORDS, such as codex=\"codex --full-auto\"")?;
    let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    match words.is_empty() {
        true => Err(format!("no program is named for {agent}")),
        false => Ok((agent.parse()?, words)),
    }
}

/// What a word of the policy changes.
type PolicyChange = fn(&mut SupervisorConfig, f64);

/// The words of the policy.
const POLICY: &[(&str, PolicyChange)] = &[
    ("interval_s", |config, n| config.policy.interval = seconds(n)),
    ("timeout_s", |config, n| config.policy.timeout = seconds(n)),
    ("failures", |config, n| config.policy.failures = n as u64),
    ("first_s", |config, n| config.policy.first = seconds(n)),
    ("max_s", |config, n| config.policy.max = seconds(n)),
    ("restarts", |config, n| config.policy.restarts = n as usize),
    ("window_s", |config, n| config.policy.window = seconds(n)),
    ("stable_s", |config, n| config.policy.stable = seconds(n)),
    ("start_s", |config, n| config.start = seconds(n)),
    ("grace_s", |config, n| config.grace = seconds(n)),
];

/// The longest time that can be named, in seconds: a year.
const LONGEST: f64 = 365.0 * 86_400.0;

fn seconds(n: f64) -> Duration {
    Duration::from_secs_f64(n)
}

fn policy_change(word: &str) -> Result<(PolicyChange, f64), String> {
    let names = || POLICY.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let (name, value) = word.split_once('=').ok_or_else(|| format!("wanted NAME=N, where NAME is one of {}", names()))?;
    let change = POLICY.iter().find(|(own, _)| *own == name).ok_or_else(|| format!("there is no {name:?}; wanted one of {}", names()))?.1;
    let number = value.parse().ok().filter(|number| (0.0..=LONGEST).contains(number));
    let is_whole = |number: f64| name.ends_with("_s") || (number.fract() == 0.0 && number >= 1.0);
    let positive = |number: f64| name != "interval_s" || number > 0.0;
    number
        .filter(|number| is_whole(*number) && positive(*number))
        .map(|number| (change, number))
        .ok_or_else(|| format!("`{name}` is {value:?}, wanted {}", if name.ends_with("_s") { "seconds" } else { "a whole number from 1" }))
}

impl SupervisorPlace {
    /// Opens the supervisor, which finds again what survived.
    async fn open(&self) -> Result<Arc<Supervisor>, String> {
        let settings = &self.settings;
        let at = settings.engine.clone().map_or_else(|| engine_socket(|name| std::env::var(name).ok()), Ok)?;
        let commands = settings.agent_command.iter().map(|word| agent_words(word)).collect::<Result<BTreeMap<_, _>, _>>()?;
        let program = RelayProgram::own().map_err(|error| format!("this program does not find itself: {error}"))?;
        let mut behavior = SupervisorBehavior::default();
        self.variation.iter().for_each(|variation| variation.apply(&mut behavior));
        self.fault.iter().for_each(|fault| fault.apply(&mut behavior));
        let mut config = SupervisorConfig {
            root: self.root.canonicalize().map_err(|error| format!("{}: {error}", self.root.display()))?,
            policy: SupervisionPolicy::default(),
            pause: settings.pause.as_deref().map_or(Ok(PauseMode::default()), pause_mode)?,
            image: settings.image.clone().unwrap_or_default(),
            environment: std::env::vars().collect(),
            engine: format!("unix://{}", at.display()),
            start: Duration::from_secs(5),
            grace: Duration::from_secs(5),
            clock: Clock::start(),
            behavior,
        };
        for word in &settings.policy {
            let (change, number) = policy_change(word)?;
            change(&mut config, number);
        }
        let engine = DockerEngine::new(at, commands, program);
        Supervisor::open(config, engine.clone(), engine).await
    }

    /// Goes to the root, where the daemon's socket has a short path, whatever the root's is.
    fn enter(&self) -> Result<(), String> {
        let at = |error: std::io::Error| format!("--root {}: {error}", self.root.display());
        std::env::set_current_dir(&self.root).map_err(at)?;
        DirBuilder::new().recursive(true).mode(0o700).create(DAEMON).map_err(at)
    }

    /// The daemon, which is started when it is asked where none runs.
    fn daemon(&self) -> Result<Daemon, String> {
        let root = std::path::absolute(&self.root).map_err(|error| format!("--root {}: {error}", self.root.display()))?;
        self.enter()?;
        let state = PathBuf::from(DAEMON);
        let kept = state.join(SETTINGS);
        let before: SupervisorSettings =
            std::fs::read(&kept).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        let settings = self.settings.or(before.clone());
        let runs = UnixStream::connect(socket(&state)).is_ok();
        if runs && settings != before {
            return Err(format!(
                "a supervisor runs on {} with other settings: {}. End it first with `passmuster supervise shutdown`; its sessions live on",
                root.display(),
                before.words().join(" ")
            ));
        }
        if !runs {
            let text = serde_json::to_vec_pretty(&settings).map_err(|error| error.to_string())?;
            std::fs::write(&kept, text).map_err(|error| format!("{}: {error}", root.join(&kept).display()))?;
        }
        let mut args: Vec<String> = ["supervise", "daemon", "--root"].map(str::to_owned).into();
        args.push(root.display().to_string());
        args.extend(settings.words());
        args.extend(self.fault.iter().flat_map(|fault| ["--fault".to_owned(), fault.info.name.to_owned()]));
        args.extend(self.variation.iter().flat_map(|variation| ["--variation".to_owned(), variation.info.name.to_owned()]));
        Ok(Daemon { state, args, others: None })
    }

    fn serve(&self, place: &ServePlace) -> ExitCode {
        until_asked(async |signals| serve(self.open().await?, place, signals).await)
    }

    /// Serves at the daemon's place.
    fn be_the_daemon(&self) -> ExitCode {
        match self.enter() {
            Ok(()) => self.serve(&ServePlace::RpcSocket(socket(Path::new(DAEMON)))),
            Err(why) => misused(&why),
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: SuperviseArgs) -> ExitCode {
    let place = &args.place;
    let daemon = || place.daemon().map_err(|why| ContractError::new(ErrorCode::Internal, why));
    let done = match args.command {
        SuperviseAction::Relay => return first_process::main(),
        SuperviseAction::Daemon => {
            // Its own session: it outlives the terminal and the group of the command that started it.
            let _ = rustix::process::setsid();
            return place.be_the_daemon();
        }
        SuperviseAction::Serve(at) => {
            return match at.place(Some(DAEMON.into())) {
                Ok(ServePlace::RpcSocket(at)) if at == Path::new(DAEMON) => place.be_the_daemon(),
                Ok(served) => place.serve(&served),
                Err(why) => misused(why),
            };
        }
        SuperviseAction::Operation(operation) => daemon().and_then(|daemon| daemon.call(operation.spec.name, &operation.args)),
        SuperviseAction::Recover => daemon().and_then(|daemon| daemon.call("list_sessions", &Default::default())),
        SuperviseAction::Events { .. } => {
            return daemon().and_then(|daemon| follow(&daemon)).map_or_else(|error| answered(Err(error)), |()| ExitCode::SUCCESS);
        }
        SuperviseAction::Shutdown => daemon().and_then(|daemon| daemon.shutdown()).map(|()| json!({})),
    };
    answered(done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use rstest::rstest;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        supervise: SuperviseArgs,
    }

    fn asked(line: &str) -> Result<SuperviseArgs, String> {
        let words = std::iter::once("supervise").chain(line.split_whitespace());
        Cli::try_parse_from(words).map(|cli| cli.supervise).map_err(|error| error.to_string())
    }

    #[test]
    fn operations_have_short_names_and_long_ones() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
        let name = |line: &str| match asked(line).unwrap().command {
            SuperviseAction::Operation(operation) => operation.spec.name,
            other => panic!("{other:?}"),
        };
        assert_eq!(name("start codex /w dev main --auto-restart"), "start_session");
        assert_eq!(name("start-session --agent codex --cwd /w --role dev --branch main"), "start_session");
        assert_eq!(name("list"), "list_sessions");
        assert_eq!(name("inspect s"), "inspect_session");
        assert_eq!(name("pause s"), "pause_session");
        assert_eq!(name("resume s"), "resume_session");
        assert_eq!(name("restart s"), "restart_session");
        assert_eq!(name("stop s --grace-s 0"), "stop_session");
        assert_eq!(name("health"), "check_health");
    }

    #[test]
    fn settings_survive_as_words_and_the_newest_are_in_force() {
        let settings = asked("list --image a --engine /e --pause TSTP:CONT --agent-command codex=c --policy interval_s=0.5,failures=2");
        let settings = settings.unwrap().place.settings;
        let again = asked(&format!("list {}", settings.words().join(" "))).unwrap().place.settings;
        assert_eq!(again, settings);
        let newer = asked("list --image b").unwrap().place.settings.or(settings);
        assert_eq!((newer.image.as_deref(), newer.policy.len()), (Some("b"), 2));
    }

    #[rstest]
    #[case("--policy interval=1", "there is no \"interval\"; wanted one of interval_s, ")]
    #[case("--policy interval_s=0", "`interval_s` is \"0\", wanted seconds")]
    #[case("--policy first_s=-1", "`first_s` is \"-1\", wanted seconds")]
    #[case("--policy failures=1.5", "`failures` is \"1.5\", wanted a whole number from 1")]
    #[case("--policy max_s=NaN", "`max_s` is \"NaN\", wanted seconds")]
    #[case("--pause KILL:CONT", "wanted detach, freeze, or two of TSTP, CONT")]
    #[case("--agent-command codex", "wanted AGENT=WORDS")]
    #[case("--fault no-such", "no fault of a supervisor")]
    fn what_makes_no_sense_is_told(#[case] flags: &str, #[case] wanted: &str) {
        let told = asked(&format!("list {flags}")).unwrap_err();
        assert!(told.contains(wanted), "{told}");
    }
}
