//! The gate: an orchestrator works with managers that are difficult in a known way, and the trace of what it did is judged.

pub(crate) mod command;
pub(crate) mod difficult;
pub(crate) mod manifest;
pub(crate) mod memory;
pub(crate) mod rehearsal;

use crate::contract::AgentKind;
use crate::engine::plan::{Capabilities, PlannedScenario};
use crate::engine::suite::Suites;
use crate::engine::target::RealSystem;
use crate::results::model::System;
use crate::suites::orchestrator::steps::Plan;
use crate::suites::orchestrator::traced::SUITE;
use crate::sut::{Announces, Offer};
use crate::trace::settings::Processes;

use serde_json::{Value, json};

pub(crate) use command::OrchestratorCommand;
pub(crate) use command::play;
pub(crate) use manifest::read;
pub(crate) use memory::play as rehearse;

/// An orchestrator at the gate.
pub(crate) struct Gated {
    /// The orchestrator.
    pub orchestrator: OrchestratorCommand,
    /// The suites that there are.
    pub suites: Suites,
}

impl RealSystem for Gated {
    fn suites(&self) -> Suites {
        self.suites
    }

    fn about(&self) -> System {
        System { name: self.orchestrator.name.clone(), version: None, transport: "gate".into(), file: self.orchestrator.file.clone() }
    }

    /// What the gate can play: all but what needs virtual time.
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            suites: vec![SUITE.to_owned()],
            agents: AgentKind::all().to_vec(),
            offer: Box::new(Offer::whole),
            announces: Announces { by_waiting: true, by_stream: true },
            can_restart: true,
            can_kill: false,
            has_record: false,
            containers: Ok(()),
            processes: Processes::Session,
            is_virtual: false,
        }
    }

    fn job(&self) -> Value {
        json!(self.orchestrator)
    }
}

/// The plan that a scenario's steps write; they were looked up when the features were read.
fn plan_of(planned: &PlannedScenario) -> Plan {
    let steps = planned.written.steps.iter().map(|step| &step.step);
    Plan::of(steps).unwrap_or_else(|step| unreachable!("the step `{}` was looked up when the feature was read", step.value))
}
