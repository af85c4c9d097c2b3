//! What everything of a manifest's system is started with: its variables filled in, its programs found, its environment.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;

use crate::contract::{AgentKind, Args, OperationSpec};

use super::manifest::{CallShape, Manifest, Ready, Shape, Step, Template, Variables, Word, passmuster, words};
use super::running::ProcessExit;
use super::sandbox::Sandbox;
use super::{CallError, Tail, serve};
use crate::sut::transports::process::{ProcessLaunch, ProcessOutput, run};
use crate::sut::transports::rest::HttpRoute;
use crate::sut::transports::rpc::link::Endpoint;
use crate::sut::transports::rpc::link::WireGreeting;
use crate::sut::transports::transport::{Route, WireCall};
use crate::sut::transports::wire::excerpt;

/// A manifest's system in a sandbox.
#[derive(Debug, Clone)]
pub(crate) struct SandboxedSystem {
    manifest: Rc<Manifest>,
    sandbox: Rc<Sandbox>,
    variables: Variables,
    env: Vec<(String, String)>,
}

impl SandboxedSystem {
    /// Fills in what does not change during a scenario.
    ///
    /// # Errors
    /// `Broken` where no port is to be had or a variable is absent.
    pub(crate) fn new(manifest: Manifest, sandbox: Rc<Sandbox>) -> Result<Self, CallError> {
        let port = sandbox.hold_port().map_err(|error| broken("a port", error))?;
        let text = |path: PathBuf| Value::from(path.display().to_string());
        let mut variables: Variables = [
            ("sandbox", text(sandbox.path().to_owned())),
            ("home", text(sandbox.home())),
            ("port", port.into()),
            ("manifest_dir", text(manifest.folder())),
            ("passmuster", passmuster().into()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        variables.extend(sandbox.furniture().variables.into_iter().map(|(name, value)| (name, value.into())));
        let mut env = sandbox.env();
        env.extend(manifest.transport.pass_env.iter().filter_map(|name| Some((name.clone(), std::env::var(name).ok()?))));
        for (name, value) in &manifest.transport.env {
            env.push((name.clone(), value.text(&variables).map_err(|why| broken(&format!("[transport] env {name}"), why))?));
        }
        Ok(Self { manifest: Rc::new(manifest), sandbox, variables, env })
    }

    /// The manifest.
    pub(crate) fn manifest(&self) -> &Rc<Manifest> {
        &self.manifest
    }

    /// The variables of one operation: its arguments, and one `unique` for all of its calls.
    pub(crate) fn variables(&self, args: &Args) -> Variables {
        let mut variables = self.variables.clone();
        let given = args.iter().filter(|(_, value)| !value.is_null());
        variables.extend(given.map(|(name, value)| (name.clone(), value.clone())));
        if let Some(agent) = args.get("agent").and_then(Value::as_str) {
            let command = match agent.parse::<AgentKind>() {
                Ok(agent) => self.sandbox.agent_command(agent),
                Err(_) => self.sandbox.path().join("bin").join(agent),
            };
            variables.insert("agent_command".to_owned(), command.display().to_string().into());
        }
        variables.insert("unique".to_owned(), uuid::Uuid::new_v4().simple().to_string()[..12].into());
        variables
    }

    /// A command with its program found.
    ///
    /// # Errors
    /// `Broken`, naming the variable or the program that is missing.
    pub(crate) fn launch(&self, command: &[Word], variables: &Variables) -> Result<ProcessLaunch, CallError> {
        let mut argv = words(command, variables).map_err(|why| broken("a command", why))?;
        let program = argv.first_mut().ok_or_else(|| broken("a command", "it is empty"))?;
        *program = self.manifest.program(program).map_err(|why| CallError::Broken { what: why })?.display().to_string();
        Ok(ProcessLaunch { argv, env: self.env.clone(), cwd: self.sandbox.path().to_owned(), stdin: None })
    }

    /// A step's call, filled in.
    ///
    /// # Errors
    /// `Broken`, naming what is missing.
    pub(crate) fn call(&self, step: &Step, operation: &OperationSpec, variables: &Variables) -> Result<WireCall, CallError> {
        let text = |template: &Template| template.text(variables).map_err(|why| broken(operation.name, why));
        let shape = |shape: &Option<Shape>| {
            shape.as_ref().map(|shape| shape.fill(variables)).transpose().map_err(|why| broken(operation.name, why))
        };
        Ok(match &step.call {
            CallShape::Command(command) => {
                let argv = self.launch(command, variables)?.argv;
                WireCall::Process { argv, stdin: step.stdin.as_ref().map(text).transpose()? }
            }
            CallShape::Named(name, params) => WireCall::Named { name: text(name)?, params: shape(params)? },
        })
    }

    /// How the system is reached.
    ///
    /// # Errors
    /// `Broken`, naming what is missing.
    pub(crate) fn route(&self) -> Result<Box<dyn Route>, CallError> {
        (self.manifest.transport.kind.spec().route)(self)
    }

    /// The environment and the directory of what is run.
    pub(crate) fn surroundings(&self) -> (Vec<(String, String)>, PathBuf) {
        (self.env.clone(), self.sandbox.path().to_owned())
    }

    /// Where the system's server is reached.
    ///
    /// # Errors
    /// `Broken`, naming what is missing.
    pub(crate) fn endpoint(&self) -> Result<Endpoint, CallError> {
        let transport = &self.manifest.transport;
        let text = |template: &Template| template.text(&self.variables).map_err(|why| broken("[transport]", why));
        match (&transport.url, &transport.socket) {
            (Some(url), _) => Ok(Endpoint::Http(text(url)?)),
            (None, Some(socket)) => Ok(Endpoint::Socket(text(socket)?.into())),
            (None, None) => Ok(Endpoint::Stdio(self.launch(&transport.command, &self.variables)?)),
        }
    }

    /// The URL of a stream of events at a path, and what its request carries.
    ///
    /// # Errors
    /// `Broken`, naming what is missing.
    pub(crate) fn stream_place(&self, path: &str) -> Result<(String, Vec<(String, String)>), CallError> {
        let base = self.endpoint()?.to_string();
        let route = HttpRoute { base, headers: self.headers()? };
        Ok((route.url(path, None), route.headers))
    }

    /// What every request carries.
    ///
    /// # Errors
    /// `Broken`, naming what is missing.
    pub(crate) fn headers(&self) -> Result<Vec<(String, String)>, CallError> {
        let header = |(name, value): &(String, Template)| {
            let value = value.text(&self.variables).map_err(|why| broken("[transport] headers", why))?;
            Ok((name.clone(), value))
        };
        self.manifest.transport.headers.iter().map(header).collect()
    }

    /// What is said first.
    ///
    /// # Errors
    /// `Broken`, naming what is missing.
    pub(crate) fn handshake(&self) -> Result<Vec<WireGreeting>, CallError> {
        let greeting = |(method, notify, params): &(String, bool, Option<Shape>)| {
            let params = params.as_ref().map(|params| params.fill(&self.variables)).transpose().map_err(|why| broken("handshake", why))?;
            Ok(if *notify { WireGreeting::Notify(method.clone(), params) } else { WireGreeting::Request(method.clone(), params) })
        };
        self.manifest.transport.handshake.iter().map(greeting).collect()
    }

    /// Whether messages carry `"jsonrpc": "2.0"`.
    pub(crate) fn has_jsonrpc_field(&self) -> bool {
        self.manifest.transport.jsonrpc_field
    }

    /// How long a server may take to start, and a connection to shake hands.
    pub(crate) fn start_limit(&self) -> Duration {
        self.manifest.start_limit()
    }

    /// The long-running process, where the manifest has one.
    ///
    /// # Errors
    /// `Broken`, naming what is missing.
    pub(crate) fn serve_plan(&self) -> Result<Option<serve::ServePlan>, CallError> {
        let Some(given) = &self.manifest.serve else { return Ok(None) };
        let text = |template: &Template| template.text(&self.variables).map_err(|why| broken("[serve] ready", why));
        let ready = match &given.ready {
            None => None,
            Some(Ready::Connect(address)) => Some(serve::Readiness::Connect(text(address)?)),
            Some(Ready::Stdout(pattern)) => Some(serve::Readiness::Stdout(pattern.clone())),
            Some(Ready::Url(url)) => Some(serve::Readiness::Url(text(url)?)),
        };
        Ok(Some(serve::ServePlan { launch: self.launch(&given.command, &self.variables)?, ready, limit: self.start_limit() }))
    }

    /// Writes the files of `[setup]` and runs its command.
    ///
    /// # Errors
    /// `Broken`, saying what failed and how.
    pub(crate) async fn set_up(&self, tail: &Tail) -> Result<(), CallError> {
        for (path, text) in &self.manifest.files {
            let filled = |template: &Template| template.text(&self.variables).map_err(|why| broken("[setup] files", why));
            let path = self.sandbox.path().join(filled(path)?);
            let text = filled(text)?;
            let written = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&path, text));
            written.map_err(|error| broken(&format!("[setup] {}", path.display()), error))?;
        }
        match &self.manifest.setup {
            Some(command) => self.run("[setup]", command, tail).await,
            None => Ok(()),
        }
    }

    /// Runs the command of `[teardown]`.
    ///
    /// # Errors
    /// `Broken`, saying how it failed.
    pub(crate) async fn tear_down(&self, tail: &Tail) -> Result<(), CallError> {
        match &self.manifest.teardown {
            Some(command) => self.run("[teardown]", command, tail).await,
            None => Ok(()),
        }
    }

    async fn run(&self, place: &str, command: &[Word], tail: &Tail) -> Result<(), CallError> {
        let launch = self.launch(command, &self.variables)?;
        let limit = self.manifest.limits.call.max(super::manifest::PATIENCE);
        match run(&launch, limit, tail).await {
            Ok(ProcessOutput { exit: ProcessExit::Code(0), .. }) => Ok(()),
            Ok(ProcessOutput { exit, stderr, .. }) => {
                Err(broken(place, format!("`{}` {exit}: {}", launch.argv.join(" "), excerpt(stderr.as_bytes()))))
            }
            Err(error) => Err(broken(place, format!("`{}`: {error}", launch.argv.join(" ")))),
        }
    }

    /// The variables that do not change.
    pub(crate) fn fixed(&self) -> &Variables {
        &self.variables
    }
}

fn broken(place: &str, why: impl std::fmt::Display) -> CallError {
    CallError::Broken { what: format!("{place}: {why}") }
}
