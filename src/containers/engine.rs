//! What a supervisor asks of a container engine, and of the relay that is a container's first process.

use std::path::PathBuf;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::contract::AgentKind;

/// What a container is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContainerSpec {
    /// Its name, unique on the engine.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Its labels, by name.
    pub labels: Vec<(String, String)>,
    /// The agent that runs in it.
    pub agent: AgentKind,
    /// The agent's folder, the same inside and outside.
    pub workspace: PathBuf,
    /// The prompt that the agent is started with.
    pub message: Option<String>,
    /// Where the relay keeps what the agent writes.
    pub transcript: PathBuf,
}

impl ContainerSpec {
    /// The label of that name.
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        label(&self.labels, name)
    }
}

fn label<'a>(labels: &'a [(String, String)], name: &str) -> Option<&'a str> {
    labels.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
}

/// Where a container stands, as its engine says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContainerStatus {
    /// Made, never started.
    Created,
    /// Its first process runs.
    Running,
    /// What runs in it is stopped in the middle.
    Frozen,
    /// Its first process is over.
    Exited,
}

/// What an engine says of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContainerInfo {
    /// Its full id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub status: ContainerStatus,
    /// Its labels.
    pub labels: Vec<(String, String)>,
}

impl ContainerInfo {
    /// The label of that name.
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        label(&self.labels, name)
    }

    /// Whether its first process is there, stopped or not.
    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.status, ContainerStatus::Running | ContainerStatus::Frozen)
    }
}

/// What an engine tells by itself: a container has ended, or is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EngineEvent {
    /// The container.
    pub container: String,
}

/// Why an engine did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EngineError {
    /// It cannot be reached: nothing was done.
    #[error("the container engine cannot be reached: {0}")]
    Unreachable(String),
    /// It was asked, and no answer came: it may have been done.
    #[error("the container engine gave no answer")]
    Lost,
    /// There is no such container.
    #[error("there is no such container")]
    NotFound,
    /// The name is taken.
    #[error("the name is taken")]
    NameTaken,
    /// It refused, or broke.
    #[error("the container engine failed: {0}")]
    Failed(String),
}

/// A container engine. Implementors ask once and say what came of it: they must not repeat, and must not guess.
#[async_trait]
pub(crate) trait ContainerEngine: Send + Sync {
    /// Makes a container; gives its full id.
    async fn create(&self, spec: &ContainerSpec) -> Result<String, EngineError>;

    /// Starts it. Returns when its first process runs, which says nothing of the agent.
    async fn start(&self, id: &str) -> Result<(), EngineError>;

    /// Looks at one container, by its id or its name.
    async fn inspect(&self, id: &str) -> Result<ContainerInfo, EngineError>;

    /// Every container there is, whoever made it.
    async fn list(&self) -> Result<Vec<ContainerInfo>, EngineError>;

    /// What is told from now on. It may lose some, and end when the engine does.
    fn events(&self) -> mpsc::UnboundedReceiver<EngineEvent>;

    /// Sends a signal to its first process, which hands it on to the agent.
    async fn kill(&self, id: &str, signal: &'static str) -> Result<(), EngineError>;

    /// Stops all that runs in it in the middle.
    async fn freeze(&self, id: &str) -> Result<(), EngineError>;

    /// Lets it go on.
    async fn thaw(&self, id: &str) -> Result<(), EngineError>;

    /// Starts a further process in it.
    async fn execute(&self, id: &str) -> Result<(), EngineError>;

    /// Removes it, with all that runs in it.
    async fn remove(&self, id: &str) -> Result<(), EngineError>;
}

/// Why a relay did not do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RelayError {
    /// Nobody answers: the container, the relay or the agent is gone.
    Gone,
    /// The agent is there and does not answer.
    Silent,
}

/// The relays of containers: each is the first process of its container, owns the agent's terminal, and writes down what the
/// agent writes. It is reached past the engine.
#[async_trait]
pub(crate) trait ContainerRelay: Send + Sync {
    /// Waits until the agent takes input.
    async fn ready(&self, container: &str) -> Result<(), RelayError>;

    /// Types a message and submits it.
    async fn send(&self, container: &str, message: &str) -> Result<(), RelayError>;

    /// Types what an agent answers without a turn, and waits for the answer, which is written down nowhere.
    async fn ping(&self, container: &str) -> Result<(), RelayError>;

    /// Ends the agent's input.
    async fn hang_up(&self, container: &str);

    /// What was written down in that file so far; it outlives the container.
    fn transcript(&self, file: &std::path::Path) -> Option<String>;

    /// How many bytes were written down in that file so far, without reading them; 0 where there is none.
    fn written(&self, file: &std::path::Path) -> u64;
}
