//! What steps see of a supervisor besides its answers, and do behind its back: one face for the reference in memory and for somebody's
//! system on a private engine.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use async_trait::async_trait;

use crate::containers::memory::{EngineTrouble, TrueContainer};
use crate::engine::world::Stop;

use super::in_memory::InMemorySupervisor;
use super::reference::SupervisionPolicy;

/// Why something is not played on somebody's system.
pub(crate) const IN_MEMORY_ALONE: &str = "is played on the built-in supervisor alone: ";

/// What a scenario with a supervisor stands on.
#[async_trait(?Send)]
pub(crate) trait SupervisionScene {
    /// The policy in force.
    fn policy(&self) -> SupervisionPolicy;

    /// The folder that everything of the scenario is in.
    fn folder(&self) -> PathBuf;

    /// The folder that all records are below.
    fn registry(&self) -> Option<PathBuf>;

    /// Where the record of a session in that role lies, or would.
    fn record(&self, role: &str, id: &str) -> Option<PathBuf>;

    /// Makes one more workspace, on that branch.
    fn make_workspace(&self, branch: &str) -> std::io::Result<PathBuf>;

    /// Every container, whoever made it.
    fn truth(&self) -> Vec<TrueContainer>;

    /// How often a container's agent was pinged, where that can be seen.
    fn pings(&self, container: &str) -> Option<u64>;

    /// How often the engine was asked to execute something in a container.
    fn executions(&self, container: &str) -> u64;

    /// How many calls the engine got.
    fn calls(&self) -> u64;

    /// Gets in the way of a call, or of all, so many times, or until [`SupervisionScene::behave`].
    fn trouble(&self, call: Option<&'static str>, times: Option<u32>, trouble: EngineTrouble) -> Result<(), Stop>;

    /// Lets the engine tell nothing by itself.
    fn drop_events(&self);

    /// Lets the engine be well.
    fn behave(&self);

    /// Ends a container as its operator would; it stays, or goes, too.
    async fn take_away(&self, container: &str, removed: bool) -> Result<(), Stop>;

    /// Freezes a container as its operator would.
    async fn freeze(&self, container: &str) -> Result<(), Stop>;

    /// Starts a process beside a container's agent.
    async fn execute(&self, container: &str) -> Result<(), Stop>;

    /// Kills what runs in a container so that the engine does not learn of it.
    async fn deny_death(&self, container: &str) -> Result<(), Stop>;

    /// Starts a container of somebody else's, with an idle agent; gives its id.
    async fn bystander(&self, name: &str, labels: Vec<(String, String)>) -> Result<String, Stop>;

    /// The supervisor in memory, where it is that.
    fn in_memory(&self) -> Option<Rc<InMemorySupervisor>>;

    /// The longest that may be waited for nothing; none: for ever, for time is virtual.
    fn patience(&self) -> Option<Duration>;
}
