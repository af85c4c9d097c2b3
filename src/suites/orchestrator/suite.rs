//! The suite of orchestrators, as the engine knows it: its scenarios are played by the gate.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use crate::contract::{OperationTable, SESSION_OPERATIONS};
use crate::engine::fault::{Change, FaultInfo};
use crate::engine::matrix::Over;
use crate::engine::plan::PlannedScenario;
use crate::engine::scenario::ScenarioRun;
use crate::engine::suite::{Suite, Suites};
use crate::engine::target::RealSystem;
use crate::engine::vocabulary::Vocabulary;
use crate::engine::worker::Backstage;
use crate::frontends::service::Opening;
use crate::profile::Profiles;
use crate::spec::Party;
use crate::sut::Announces;

use super::faults;
use super::gate::{self, Gated, OrchestratorCommand};
use super::steps::Plan;

/// The suite of orchestrators.
pub struct OrchestratorSuite {
    /// The manager that they work with.
    pub manager: Opening,
}

impl std::fmt::Debug for OrchestratorSuite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OrchestratorSuite")
    }
}

#[async_trait(?Send)]
impl Suite for OrchestratorSuite {
    fn names(&self) -> &'static [&'static str] {
        &[super::traced::SUITE]
    }

    fn party(&self) -> Party {
        Party::Orchestrator
    }

    fn operations(&self) -> OperationTable {
        SESSION_OPERATIONS
    }

    fn vocabulary(&self) -> &'static dyn Vocabulary {
        Plan::steps()
    }

    fn faults(&self) -> Vec<&'static FaultInfo> {
        faults::FAULTS.iter().map(|fault| &fault.info).collect()
    }

    fn reference(&self) -> &'static str {
        "reference orchestrator"
    }

    fn announces(&self, _: &[Change]) -> Announces {
        Announces { by_waiting: true, by_stream: true }
    }

    /// A fault goes through the whole gate, as anybody's orchestrator does.
    fn is_exact_over_transports(&self) -> bool {
        true
    }

    fn rehearse(&self, planned: &PlannedScenario, changes: &[Change], profiles: &Profiles) -> ScenarioRun {
        let fault = changes.iter().find_map(|change| faults::named(change.name()).ok());
        gate::rehearse(planned, &faults::choices(fault), profiles, self.manager)
    }

    async fn play(&self, planned: &PlannedScenario, system: &Value, backstage: &Backstage) -> Result<ScenarioRun, String> {
        let orchestrator: OrchestratorCommand =
            serde_json::from_value(system.clone()).map_err(|error| format!("no orchestrator: {error}"))?;
        gate::play(planned, &orchestrator, backstage, self.manager).await
    }

    fn served(&self, suites: Suites, over: Over, change: Change, _: &str, _: &Path) -> Arc<dyn RealSystem> {
        let program = std::env::current_exe().unwrap_or_else(|_| "passmuster".into()).display().to_string();
        let command = [&program, "orchestrate", "--via", over.name(), "--fault", change.name()].map(str::to_owned).to_vec();
        let orchestrator = OrchestratorCommand { command, ..OrchestratorCommand::named(change.name()) };
        Arc::new(Gated { orchestrator, suites })
    }
}
