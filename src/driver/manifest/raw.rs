//! The manifest, as it is written: TOML, with the places of what may be wrong.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use toml::Spanned;

type Text = Spanned<String>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub system: System,
    pub transport: Transport,
    pub setup: Option<Setup>,
    pub teardown: Option<Teardown>,
    pub serve: Option<Serve>,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub status: BTreeMap<Text, Vec<String>>,
    #[serde(default)]
    pub operations: BTreeMap<Text, Operation>,
    #[serde(default)]
    pub events: BTreeMap<Text, Event>,
    #[serde(default)]
    #[allow(dead_code, reason = "read by the gate")]
    pub orchestrator: Option<toml::Table>,
    pub store: Option<Store>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    pub record: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct System {
    pub name: String,
    pub version: Option<Vec<Text>>,
    #[serde(default)]
    pub suites: Vec<Text>,
    pub agents: Option<Vec<Text>>,
    pub processes: Option<Text>,
    pub default_timeout_s: Option<f64>,
    pub message_chars: Option<usize>,
    /// What it does not offer, of what is canonical.
    #[serde(default)]
    pub lacks: Vec<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transport {
    pub kind: Text,
    pub command: Option<Spanned<Vec<Text>>>,
    pub url: Option<Text>,
    pub socket: Option<Text>,
    #[serde(default)]
    pub env: BTreeMap<String, Text>,
    #[serde(default)]
    pub pass_env: Vec<String>,
    #[serde(default)]
    pub handshake: Vec<Spanned<Greeting>>,
    pub jsonrpc_field: Option<bool>,
    /// Whether operations that the manifest does not map are canonical.
    pub canonical: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Greeting {
    pub method: Option<String>,
    pub notify: Option<String>,
    pub params: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    #[serde(default)]
    pub files: BTreeMap<Text, Text>,
    pub command: Option<Vec<Spanned<Word>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Teardown {
    pub command: Vec<Spanned<Word>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Serve {
    pub command: Vec<Spanned<Word>>,
    pub ready: Option<Spanned<Ready>>,
    pub per: Option<Text>,
    pub state: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    pub connect: Option<Text>,
    pub stdout: Option<Text>,
    pub url: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub call: Option<f64>,
    pub start: Option<f64>,
    pub observe: Option<f64>,
    pub announce: Option<f64>,
    pub end: Option<f64>,
    pub settle: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    pub command: Option<Vec<Spanned<Word>>>,
    pub method: Option<Text>,
    pub params: Option<Spanned<Value>>,
    pub tool: Option<Text>,
    pub arguments: Option<Spanned<Value>>,
    pub output: Option<Spanned<Output>>,
    pub stdin: Option<Text>,
    pub when_given: Option<Text>,
    pub wait: Option<Wait>,
    pub result: Option<BTreeMap<Text, Spanned<Source>>>,
    pub each: Option<BTreeMap<Text, Spanned<Source>>>,
    // In the order written: the first that matches decides.
    pub errors: Option<Spanned<toml::Table>>,
    pub empty: Option<Spanned<Matchers>>,
    pub steps: Option<Vec<Operation>>,
    pub undo: Option<Vec<Operation>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    pub until: Spanned<Matchers>,
    pub timeout: f64,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Word {
    One(String),
    Group(Vec<String>),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Output {
    Name(String),
    Match {
        #[serde(rename = "match")]
        regex: String,
    },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Source {
    One(String),
    Union(Vec<String>),
    Holds(Matchers),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Matchers {
    One(Box<Matcher>),
    Any(Vec<Matcher>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matcher {
    pub exit: Option<i32>,
    pub stdout: Option<String>,
    pub stderr: Option<String>,
    pub code: Option<Value>,
    pub message: Option<String>,
    pub path: Option<String>,
    pub equals: Option<Value>,
    pub matches: Option<String>,
    pub absent: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    pub command: Option<Vec<Spanned<Word>>>,
    pub file: Option<Text>,
    pub method: Option<Text>,
    pub ready: Option<Spanned<Matchers>>,
    pub when: Option<Text>,
    pub result: BTreeMap<Text, Spanned<Source>>,
}
