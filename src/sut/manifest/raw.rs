//! The manifest, as it is written: TOML, with the places of what may be wrong. The schema for editors is made of these types,
//! and what they say of themselves is what an editor shows.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::contract::AgentKind;
use crate::core::diagnostic::Placed;

use super::words;

type Text = Placed<String>;

/// What passmuster has to know of a session manager, or of an orchestrator.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "passmuster manifest", transform = words::of_a_manager_or_an_orchestrator)]
pub struct RawManifest {
    /// The system under test.
    pub system: RawSystem,
    /// How it is spoken to.
    pub transport: RawTransport,
    /// What is done in each sandbox before anything starts.
    pub setup: Option<RawSetup>,
    /// What is done in each sandbox at the end.
    pub teardown: Option<RawTeardown>,
    /// A long-running process, started before the first call.
    pub serve: Option<RawServe>,
    /// Outer bounds, in seconds: what comes earlier is not waited for any longer.
    #[serde(default)]
    pub limits: RawLimits,
    /// The system's status words, by the contract's.
    #[serde(default)]
    #[schemars(transform = words::by_status)]
    pub status: BTreeMap<Text, Vec<String>>,
    /// The operations that are not canonical.
    #[serde(default)]
    #[schemars(transform = words::by_operation)]
    pub operations: BTreeMap<Text, RawOperation>,
    /// The announcements that are not canonical.
    #[serde(default)]
    #[schemars(transform = words::by_announcement)]
    pub events: BTreeMap<Text, RawEvent>,
    /// How somebody's orchestrator wants to be run: for `passmuster gate`.
    pub orchestrator: Option<Placed<RawOrchestrator>>,
    /// What there is to know of a store of resumable sessions.
    pub store: Option<RawStore>,
    /// The containers of a supervisor.
    pub containers: Option<RawContainers>,
    /// What there is to know of a supervisor of agents in containers.
    pub supervision: Option<RawSupervision>,
}

/// The containers of a supervisor: the engine is found from the environment (`DOCKER_HOST`, `CONTAINER_HOST`, `podman` on the `PATH`).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Containers")]
pub struct RawContainers {
    /// The image that it runs, in which the harness puts its stand-ins: a name, or `{{ image }}`, where the system is told it.
    pub image: Option<Text>,
    /// Programs of this machine that are in the image besides: by default `sh`.
    pub tools: Option<Vec<Text>>,
}

/// What there is to know of a supervisor of agents in containers.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Supervision")]
pub struct RawSupervision {
    /// Where one session's record lies: `{{ sandbox }}/…/{{ role }}/{{ session_id }}/state.json`.
    pub record: Option<Text>,
    /// What it types to an agent as a ping.
    pub ping: Option<String>,
    /// The policy that it states; what is left out is as the spec has it.
    #[serde(default)]
    pub policy: StatedPolicy,
}

/// The policy that a supervisor states: times in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Policy")]
pub struct StatedPolicy {
    /// From one check to the next.
    pub interval_s: Option<f64>,
    /// For one check's answer.
    pub timeout_s: Option<f64>,
    /// Failed checks, one after the other, that make a session unhealthy.
    pub failures: Option<u64>,
    /// Before the first restart.
    pub first_s: Option<f64>,
    /// Before any restart, at most.
    pub max_s: Option<f64>,
    /// Restarts in the window, and no more.
    pub restarts: Option<usize>,
    /// The window.
    pub window_s: Option<f64>,
    /// Who runs that long is stable.
    pub stable_s: Option<f64>,
}

/// What there is to know of a store of resumable sessions.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Store")]
pub struct RawStore {
    /// Where one session's record lies: `{{ sandbox }}/…/{{ session_id }}/state.json`.
    pub record: Option<Text>,
}

/// The system under test.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "System")]
pub struct RawSystem {
    /// Its name, as reports show it.
    pub name: String,
    /// The command whose first line is its version.
    pub version: Option<Vec<Text>>,
    /// The suites that it claims to conform to; where none is named, all whose operations are mapped.
    #[serde(default)]
    pub suites: Vec<Text>,
    /// The agents that it manages; all, where nothing is said.
    #[schemars(with = "Option<Vec<AgentKind>>")]
    pub agents: Option<Vec<Text>>,
    /// What there is one agent process for.
    #[schemars(extend("enum" = words::names(words::PROCESSES)))]
    pub processes: Option<Text>,
    /// The session timeout that it states, where its results do not carry it, in seconds.
    pub default_timeout_s: Option<f64>,
    /// The longest message that it states it takes, in characters.
    pub message_chars: Option<usize>,
    /// What it does not offer, of what is canonical.
    #[serde(default)]
    #[schemars(extend("items" = words::one_of(words::lacking())))]
    pub lacks: Vec<Text>,
}

/// How the system is spoken to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Transport")]
pub struct RawTransport {
    /// What it speaks: a command for each call, JSON-RPC, MCP, or HTTP requests.
    #[schemars(extend("enum" = words::names(&words::transports())))]
    pub kind: Text,
    /// cli: the program and its leading arguments; rpc, mcp: the server to start, on its standard input and output.
    #[schemars(with = "Option<Vec<Text>>")]
    pub command: Option<Placed<Vec<Text>>>,
    /// rpc, mcp: the URL of a server; http: where every path begins.
    pub url: Option<Text>,
    /// http: what every request carries.
    #[serde(default)]
    pub headers: BTreeMap<String, Text>,
    /// rpc, mcp: the Unix socket of a server.
    pub socket: Option<Text>,
    /// Further environment.
    #[serde(default)]
    pub env: BTreeMap<String, Text>,
    /// The variables that are taken from the caller's environment.
    #[serde(default)]
    pub pass_env: Vec<String>,
    /// rpc: what is said first.
    #[serde(default)]
    pub handshake: Vec<Placed<RawGreeting>>,
    /// rpc: whether messages carry `"jsonrpc": "2.0"`.
    pub jsonrpc_field: Option<bool>,
    /// Whether operations that the manifest does not map are canonical: by default, where it maps none.
    pub canonical: Option<bool>,
}

/// One thing that is said first: a method that is called, or a notification.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Greeting")]
pub struct RawGreeting {
    /// The method that is called.
    pub method: Option<String>,
    /// The notification that is sent.
    pub notify: Option<String>,
    /// Its parameters.
    pub params: Option<Value>,
}

/// What is done in each sandbox before anything starts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Setup")]
pub struct RawSetup {
    /// Files to write: path and text.
    #[serde(default)]
    pub files: BTreeMap<Text, Text>,
    /// A command to run after that.
    pub command: Option<Vec<Placed<RawWord>>>,
}

/// What is done in each sandbox at the end.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Teardown")]
pub struct RawTeardown {
    /// The command to run.
    pub command: Vec<Placed<RawWord>>,
}

/// A long-running process, started before the first call.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Serve")]
pub struct RawServe {
    /// The command to run.
    pub command: Vec<Placed<RawWord>>,
    /// When it is ready.
    pub ready: Option<Placed<RawReady>>,
    /// How long it lives.
    #[schemars(extend("enum" = ["scenario"]))]
    pub per: Option<Text>,
    /// Where one session's record is: `{{ sandbox }}/state/{{ session_id }}.json`.
    pub state: Option<Text>,
}

/// When a served process is ready: one of these.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Ready")]
pub struct RawReady {
    /// When this address, or the path of a Unix socket, can be connected to.
    pub connect: Option<Text>,
    /// When a line of its output matches this regular expression.
    pub stdout: Option<Text>,
    /// When this URL answers.
    pub url: Option<Text>,
}

/// Outer bounds, in seconds.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Limits")]
pub struct RawLimits {
    /// Of one call.
    pub call: Option<f64>,
    /// From a start until the agent's process is up.
    pub start: Option<f64>,
    /// From the phase in which a session is observable until it is listed and readable.
    pub observe: Option<f64>,
    /// From the end of a turn until it is announced.
    pub announce: Option<f64>,
    /// From the end of a session until nothing of it is alive.
    pub end: Option<f64>,
    /// How long is waited to see that something does not come, where nothing else can prove it.
    pub settle: Option<f64>,
    /// Of one scenario, however many things it waits for: `--time-limit` goes before it. A minute, or longer in the measure in
    /// which the other limits are longer than the contract's.
    pub scenario: Option<f64>,
}

/// How an operation is called, and what its answers mean.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Operation")]
pub struct RawOperation {
    /// cli: the command. An inner array is dropped whole where its variable is absent.
    pub command: Option<Vec<Placed<RawWord>>>,
    /// rpc: the method; http: `GET`, `POST` and so on, by default `POST` where there is a `body` or a `form`, else `GET`.
    pub method: Option<Text>,
    /// rpc: its parameters; strings in them are templates.
    #[schemars(with = "Option<Value>")]
    pub params: Option<Placed<Value>>,
    /// http: the path, which begins with `/`; `{{ session_id | urlencode }}` puts a variable in whole.
    pub path: Option<Text>,
    /// http: the query's fields; strings in them are templates.
    #[schemars(with = "Option<Value>")]
    pub query: Option<Placed<Value>>,
    /// http: headers; strings in them are templates.
    #[schemars(with = "Option<Value>")]
    pub headers: Option<Placed<Value>>,
    /// http: the body, as JSON; strings in it are templates.
    #[schemars(with = "Option<Value>")]
    pub body: Option<Placed<Value>>,
    /// http: the body, as fields of a form; strings in them are templates.
    #[schemars(with = "Option<Value>")]
    pub form: Option<Placed<Value>>,
    /// mcp: the tool.
    pub tool: Option<Text>,
    /// mcp: its arguments; strings in them are templates.
    #[schemars(with = "Option<Value>")]
    pub arguments: Option<Placed<Value>>,
    /// cli: what the command prints; one JSON value, where nothing is said.
    pub output: Option<Placed<RawOutput>>,
    /// cli: what the command reads.
    pub stdin: Option<Text>,
    /// The variable without which the step is passed over.
    pub when_given: Option<Text>,
    /// Call again and again, until the answer matches.
    pub wait: Option<RawWait>,
    /// Where the result's fields come from: JSONPath (`$.id`), or a template.
    pub result: Option<BTreeMap<Text, Placed<RawSource>>>,
    /// Where the fields of a list's items come from, relative to one item.
    pub each: Option<BTreeMap<Text, Placed<RawSource>>>,
    /// Which answers are which error; the first that matches decides.
    // A table as it is: its order counts.
    #[schemars(with = "Option<BTreeMap<String, RawMatchers>>", transform = words::by_error)]
    pub errors: Option<Placed<toml::Table>>,
    /// Which failures mean an empty result.
    pub empty: Option<Placed<RawMatchers>>,
    /// Several calls that make the operation, in order; the first failure stops it.
    pub steps: Option<Vec<RawOperation>>,
    /// What is called where a later step failed.
    pub undo: Option<Vec<RawOperation>>,
}

/// Call again and again, until the answer matches.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Wait")]
pub struct RawWait {
    /// What the answer has to match.
    pub until: Placed<RawMatchers>,
    /// How long, in seconds.
    pub timeout: f64,
}

/// A word of a command: a template, or several that are dropped together where a variable is absent.
#[derive(Debug, JsonSchema)]
#[allow(missing_docs)]
#[schemars(rename = "Word", untagged)]
pub enum RawWord {
    One(String),
    Group(Vec<String>),
}

/// What a command prints.
#[derive(Debug, JsonSchema)]
#[schemars(rename = "Output", untagged, deny_unknown_fields)]
pub enum RawOutput {
    /// One JSON value, lines, or text.
    Name(#[schemars(extend("enum" = words::OUTPUTS))] String),
    /// An object of the named groups for each match of a regular expression.
    Match {
        /// The regular expression, with `(?P<names>…)`.
        #[schemars(rename = "match")]
        regex: String,
    },
}

/// Where a field comes from: JSONPath into the output, a template, several paths together, or whether a matcher holds.
#[derive(Debug, JsonSchema)]
#[allow(missing_docs)]
#[schemars(rename = "Source", untagged)]
pub enum RawSource {
    One(String),
    Union(Vec<String>),
    Holds(RawMatchers),
}

/// A matcher, or several of which any may hold.
#[derive(Debug, JsonSchema)]
#[allow(missing_docs)]
#[schemars(rename = "Matchers", untagged)]
pub enum RawMatchers {
    One(Box<RawMatcher>),
    Any(Vec<RawMatcher>),
}

/// What an answer is matched with: every key must hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Matcher")]
pub struct RawMatcher {
    /// The exit status.
    pub exit: Option<i32>,
    /// The status of an HTTP response.
    pub status: Option<u16>,
    /// A regular expression for standard output.
    pub stdout: Option<String>,
    /// A regular expression for standard error.
    pub stderr: Option<String>,
    /// The error's code: a number, or a regular expression.
    pub code: Option<Value>,
    /// A regular expression for the error's message.
    pub message: Option<String>,
    /// A JSONPath that selects something.
    pub path: Option<String>,
    /// What `path` selects is this value.
    pub equals: Option<Value>,
    /// What `path` selects matches this regular expression.
    pub matches: Option<String>,
    /// A JSONPath that selects nothing.
    pub absent: Option<String>,
}

/// Where an announcement comes from: one of `command`, `file`, `method`, `sse`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Event")]
pub struct RawEvent {
    /// A command that prints JSON lines.
    pub command: Option<Vec<Placed<RawWord>>>,
    /// A file of JSON lines.
    pub file: Option<Text>,
    /// rpc, mcp: the notifications of this method.
    pub method: Option<Text>,
    /// http: the path of a stream of server-sent events, each with a JSON object as its data; an event's type is its field `event`.
    pub sse: Option<Text>,
    /// When the subscription holds.
    pub ready: Option<Placed<RawMatchers>>,
    /// A JSONPath; only values in which it selects something count.
    pub when: Option<Text>,
    /// Where the announcement's fields come from.
    pub result: BTreeMap<Text, Placed<RawSource>>,
}

/// How somebody's orchestrator wants to be run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Orchestrator")]
pub struct RawOrchestrator {
    /// The command; one after `--` on the command line goes before it.
    pub command: Option<Vec<Text>>,
    /// Further environment.
    #[serde(default)]
    pub env: BTreeMap<String, Text>,
    /// How often it is run: once for all workers, or once for each.
    #[schemars(extend("enum" = ["scenario", "worker"]))]
    pub per: Option<Text>,
}
