//! The manifest: how a system's words map to the contract's. Read once, checked whole, typed from then on.

pub(crate) mod answer;
pub(crate) mod canonical;
pub(crate) mod either;
pub(crate) mod matcher;
pub(crate) mod raw;
pub(crate) mod read;
pub(crate) mod template;
pub(crate) mod words;

use std::path::{Path as FilePath, PathBuf};
use std::time::Duration;

use regex::Regex;

use crate::contract::{AgentKind, Claim, ErrorCode, OperationSpec, SESSION_OPERATIONS, Status};
use crate::core::diagnostic::{Diagnostic, Diagnostics};
use crate::trace::settings::{Limits, Processes};

use super::{Announces, Offer};

pub use answer::judge;
pub use matcher::{AnswerSeen, Matcher, Path, Source, Wanted, plain};
pub use raw::{RawManifest, RawOrchestrator, StatedPolicy};
pub use template::{Shape, Template, Variables, Word, words};
pub use words::offer_suites;

/// A system's status words in the contract's.
pub type StatusWords = std::collections::BTreeMap<String, Status>;

/// What comes of mistakes in a manifest.
fn unusable(file: &str) -> String {
    format!("{file}: the manifest cannot be used")
}

/// The least that a set-up, a teardown or a server's start is given: a limit for what hangs, not for what is slow.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How many times longer than usual a scenario may take at most, for its limits' sake: an hour.
const LONGEST_MEASURE: f64 = 60.0;

/// How a system is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportKind {
    /// The built-in reference.
    Builtin,
    /// A process for each call.
    Cli,
    /// JSON-RPC.
    Rpc,
    /// MCP.
    Mcp,
    /// HTTP requests.
    Http,
}

/// A manifest, checked and typed.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// Where it was read.
    pub path: PathBuf,
    /// What was read there.
    pub text: String,
    /// The system's name.
    pub name: String,
    /// The command whose first line is the system's version.
    pub version: Option<Vec<String>>,
    /// The suites that it claims; where it claims none, those whose required operations are all mapped.
    pub suites: Vec<String>,
    /// Whether it names its suites.
    pub names_suites: bool,
    /// The agents that it manages.
    pub agents: Vec<AgentKind>,
    /// How agents' processes and sessions go together.
    pub processes: Processes,
    /// The session timeout that it states.
    pub default_timeout_s: Option<f64>,
    /// The longest message that it states it takes, in characters, where it states one.
    pub message_chars: Option<usize>,
    /// How it is spoken to.
    pub transport: Transport,
    /// Files to write before anything starts: path and text.
    pub files: Vec<(Template, Template)>,
    /// The command to run after that.
    pub setup: Option<Vec<Word>>,
    /// The command to run at the end.
    pub teardown: Option<Vec<Word>>,
    /// The long-running process.
    pub serve: Option<Serve>,
    /// Where a store or a supervisor keeps one session's record.
    pub record: Option<Template>,
    /// The containers of a supervisor, where it has a word on them.
    pub containers: Option<ContainerPlan>,
    /// The policy that a supervisor states.
    pub policy: StatedPolicy,
    /// What a supervisor types to an agent as a ping.
    pub ping: Option<String>,
    /// The outer bounds.
    pub limits: Limits,
    /// How long a scenario may take, where it says so, in seconds.
    pub scenario_s: Option<f64>,
    /// Its status words.
    pub status: StatusWords,
    /// Its operations, by their names in the contract.
    pub operations: std::collections::BTreeMap<String, Vec<Step>>,
    /// Its announcements, by their names in the contract.
    pub events: Vec<EventMap>,
}

/// The containers of a supervisor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerPlan {
    /// The image that it runs by a name of its own; none: it is told one.
    pub image: Option<String>,
    /// Programs that are in the image besides the stand-ins.
    pub tools: Vec<String>,
}

/// How a system is reached.
#[derive(Debug, Clone)]
pub struct Transport {
    /// What it speaks.
    pub kind: TransportKind,
    /// The program and its leading arguments; of a server, what to spawn.
    pub command: Vec<Word>,
    /// The URL of a server.
    pub url: Option<Template>,
    /// The Unix socket of a server.
    pub socket: Option<Template>,
    /// What every request carries.
    pub headers: Vec<(String, Template)>,
    /// Further environment.
    pub env: Vec<(String, Template)>,
    /// Variables taken from the caller's environment.
    pub pass_env: Vec<String>,
    /// What is said first: method, whether it is a notification, parameters.
    pub handshake: Vec<(String, bool, Option<Shape>)>,
    /// Whether messages carry `"jsonrpc": "2.0"`.
    pub jsonrpc_field: bool,
}

/// The long-running process.
#[derive(Debug, Clone)]
pub struct Serve {
    /// The command.
    pub command: Vec<Word>,
    /// When it is ready.
    pub ready: Option<Ready>,
    /// Where one session's record is.
    pub state: Option<Template>,
}

/// When a served process is ready.
#[derive(Debug, Clone)]
pub enum Ready {
    /// When an address can be connected to.
    Connect(Template),
    /// When a line of its output matches.
    Stdout(Regex),
    /// When a URL answers.
    Url(Template),
}

/// One call of an operation.
#[derive(Debug, Clone)]
pub struct Step {
    /// The call.
    pub call: CallShape,
    /// What the output of a process is.
    pub output: Output,
    /// What a process reads.
    pub stdin: Option<Template>,
    /// The variable without which the step is passed over.
    pub when_given: Option<String>,
    /// What to wait for, calling again and again, and how long.
    pub wait: Option<(Vec<Matcher>, Duration)>,
    /// Where the result's fields come from.
    pub result: Vec<(String, Source)>,
    /// Where the fields of a list's items come from; `None`: they have the contract's names.
    pub each: Option<Vec<(String, Source)>>,
    /// Which answers are errors, in order.
    pub errors: Vec<(ErrorCode, Vec<Matcher>)>,
    /// Which answers mean an empty result.
    pub empty: Vec<Matcher>,
    /// What to call when a later step fails.
    pub undo: Vec<Step>,
    /// What the operation says of its result, for where this is the last of its steps that runs.
    pub as_last: Option<AsLast>,
    /// Whether the manifest's author wrote how it is called: then what cannot be read is the mapping's fault.
    pub is_own: bool,
}

/// What an operation of several steps says of the last that runs; what it does not say is the step's own affair.
#[derive(Debug, Clone)]
pub struct AsLast {
    /// Where the result's fields come from.
    pub result: Option<Vec<(String, Source)>>,
    /// Where the fields of a list's items come from.
    pub each: Option<Vec<(String, Source)>>,
    /// Which answers mean an empty result.
    pub empty: Vec<Matcher>,
}

/// A call, with variables in it.
#[derive(Debug, Clone)]
pub enum CallShape {
    /// A process.
    Command(Vec<Word>),
    /// What a server has a name for, and what is passed along.
    Named(Template, Option<Shape>),
}

/// What a process prints.
#[derive(Debug, Clone)]
pub enum Output {
    /// One JSON value.
    Json,
    /// Lines.
    Lines,
    /// Text.
    Text,
    /// Whatever matches, an object for each match.
    Match(Regex),
}

/// Where an announcement comes from.
#[derive(Debug, Clone)]
pub struct EventMap {
    /// The announcement's name in the contract; `None`: each value names itself.
    pub name: Option<&'static str>,
    /// The stream.
    pub stream: Stream,
    /// When the subscription holds.
    pub ready: Vec<Matcher>,
    /// Which values count.
    pub when: Option<Path>,
    /// Where the announcement's fields come from; empty: they have the contract's names.
    pub result: Vec<(String, Source)>,
}

/// A stream of values.
#[derive(Debug, Clone)]
pub enum Stream {
    /// A process that prints JSON lines.
    Command(Vec<Word>),
    /// A file of JSON lines.
    File(Template),
    /// Notifications of that method.
    Method(String),
    /// Server-sent events at that path.
    Sse(Template),
}

impl Manifest {
    /// Reads a manifest, which may claim these suites.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(path: &FilePath, claims: &[Claim]) -> Result<Self, Box<Diagnostics>> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let file = path.display().to_string();
            let diagnostic = Diagnostic::unreadable(&file, &error, "`passmuster init cli|rpc|mcp|http` writes a starter");
            Box::new(Diagnostics::new(unusable(&file), vec![diagnostic]))
        })?;
        Self::parse(path, &text, claims)
    }

    /// Reads a manifest's text.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(path: &FilePath, text: &str, claims: &[Claim]) -> Result<Self, Box<Diagnostics>> {
        read::read(path, text, claims)
    }

    /// The folder that the manifest is in.
    pub fn folder(&self) -> PathBuf {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(FilePath::new("."));
        std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned())
    }

    /// What it offers of an operation: whether it is mapped, and the arguments that have a place.
    pub fn offer(&self, operation: &'static OperationSpec) -> Offer {
        let Some(steps) = self.operations.get(operation.name) else { return Offer { offered: false, args: Vec::new() } };
        let mut names: Vec<String> = steps.iter().flat_map(Step::names).collect();
        // A variable that the set-up uses has its place there.
        names.extend(self.files.iter().flat_map(|(path, text)| path.names().iter().chain(text.names()).cloned()));
        let args = operation.args.iter().map(|field| field.name).filter(|name| names.iter().any(|known| known == name)).collect();
        Offer { offered: true, args }
    }

    /// How long a server may take to start, and a connection to shake hands.
    pub fn start_limit(&self) -> Duration {
        self.limits.start.max(PATIENCE)
    }

    /// How long a scenario may take: what the manifest says, or `usual` in the measure in which its limits are longer than the
    /// contract's.
    pub fn scenario_limit(&self, usual: Duration) -> Duration {
        let (own, contract) = (&self.limits, Limits::default());
        let pairs = [
            (own.call, contract.call),
            (own.start, contract.start),
            (own.observe, contract.observe),
            (own.announce, contract.announce),
            (own.end, contract.end),
        ];
        let measure = pairs.iter().map(|(own, contract)| own.as_secs_f64() / contract.as_secs_f64()).fold(1.0, f64::max);
        self.scenario_s.and_then(|s| Duration::try_from_secs_f64(s).ok()).unwrap_or_else(|| usual.mul_f64(measure.min(LONGEST_MEASURE)))
    }

    /// Which suites it is judged by, and why, where it names none.
    pub fn chosen_suites(&self) -> Option<String> {
        if self.names_suites {
            return None;
        }
        Some(match self.suites.as_slice() {
            [] => {
                let required = SESSION_OPERATIONS.iter().filter(|operation| !operation.optional);
                let missing: Vec<String> = required
                    .filter(|operation| !self.operations.contains_key(operation.name))
                    .map(|operation| format!("`{}`", operation.name))
                    .collect();
                format!("the manifest names no `suites`, and none is judged: it does not map {}", missing.join(", "))
            }
            suites => format!("the manifest names no `suites`; judged by those whose operations are all mapped: {}", suites.join(", ")),
        })
    }

    /// How it announces.
    pub fn announces(&self) -> Announces {
        Announces { by_waiting: self.operations.contains_key("wait_events"), by_stream: !self.events.is_empty() }
    }

    /// Where a program is: with a `/` beside the manifest, without on the caller's PATH.
    ///
    /// # Errors
    /// Names the program and where it was looked for.
    pub fn program(&self, name: &str) -> Result<PathBuf, String> {
        if name.contains('/') {
            let path = self.folder().join(name);
            return if path.is_file() { Ok(path) } else { Err(format!("there is no program at {}", path.display())) };
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path)
            .map(|folder| folder.join(name))
            .find(|path| path.is_file())
            .ok_or_else(|| format!("there is no program `{name}` on the PATH"))
    }

    /// Looks for every program that the manifest names.
    ///
    /// # Errors
    /// Those that are missing.
    pub fn missing_programs(&self) -> Vec<String> {
        let variables = Variables::from_iter([
            ("passmuster".to_owned(), passmuster().into()),
            ("manifest_dir".to_owned(), self.folder().display().to_string().into()),
        ]);
        let mut commands: Vec<&[Word]> = vec![&self.transport.command];
        commands.extend(self.setup.iter().chain(&self.teardown).map(Vec::as_slice));
        commands.extend(self.serve.iter().map(|serve| serve.command.as_slice()));
        for step in self.operations.values().flatten() {
            if let CallShape::Command(words) = &step.call {
                commands.push(words);
            }
        }
        let mut missing: Vec<String> = commands
            .into_iter()
            .filter_map(|command| match command.first()? {
                Word::One(template) => template.text(&variables).ok(),
                Word::Group(_) => None,
            })
            .filter_map(|program| self.program(&program).err())
            .collect();
        missing.sort();
        missing.dedup();
        missing
    }
}

/// The path of the running harness: the variable `passmuster`.
pub fn passmuster() -> String {
    std::env::current_exe().map(|path| path.display().to_string()).unwrap_or_default()
}

impl Step {
    /// Every variable that the step names.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = match &self.call {
            CallShape::Command(words) => words.iter().flat_map(Word::names).map(str::to_owned).collect(),
            CallShape::Named(name, shape) => {
                name.names().iter().cloned().chain(shape.iter().flat_map(Shape::names).map(str::to_owned)).collect()
            }
        };
        names.extend(self.stdin.iter().flat_map(|stdin| stdin.names().iter().cloned()));
        names
    }
}
