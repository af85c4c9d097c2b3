//! The gate: an orchestrator works with managers that are difficult in a known way, and the trace of what it did is judged.

pub(crate) mod command;
pub(crate) mod difficult;
pub(crate) mod manifest;
pub(crate) mod memory;
pub(crate) mod rehearsal;

use crate::contract::{AgentKind, SUITES, Side};
use crate::profile::Profiles;
use crate::results::model::System;
use crate::suites::orchestrator::reference::{Choices, OrchestratorFault};
use crate::suites::orchestrator::steps::Plan;
use crate::sut::{Announces, Offer};

use crate::engine::plan::{Capabilities, Planned};
use crate::engine::scenario::Played;

pub use command::Orchestrator;
pub(crate) use command::play;
pub use manifest::{OrchestratorError, read};

/// What the gate can play: every suite for orchestrators; what needs virtual time only in memory.
pub(crate) fn capabilities(is_virtual: bool) -> Capabilities {
    let suites = SUITES.iter().filter(|suite| suite.side == Side::Orchestrator);
    Capabilities {
        suites: suites.map(|suite| suite.name.to_owned()).collect(),
        agents: AgentKind::ALL.to_vec(),
        offer: Box::new(|operation| Offer { offered: true, args: operation.args.iter().map(|field| field.name).collect() }),
        announces: Announces { by_waiting: true, by_stream: true },
        can_restart: true,
        can_kill: false,
        has_record: false,
        processes: "session".into(),
        is_virtual,
    }
}

/// What reports say of it.
pub(crate) fn about(orchestrator: &Orchestrator) -> System {
    System { name: orchestrator.name.clone(), version: None, transport: "gate".into() }
}

/// Plays scenarios with the reference orchestrator, in memory; with a fault where one is given.
pub(crate) fn rehearse(planned: &[Planned], fault: Option<&OrchestratorFault>, profiles: &Profiles) -> Vec<Played> {
    let choices = fault.map_or_else(Choices::default, OrchestratorFault::choices);
    planned.iter().map(|planned| memory::play(planned, &choices, profiles)).collect()
}

/// The plan that a scenario's steps write; they were looked up when the features were read.
fn plan_of(planned: &Planned) -> Plan {
    let texts = planned.written.steps.iter().map(|step| step.step.value.as_str());
    Plan::of(texts).unwrap_or_else(|text| unreachable!("the step `{text}` was looked up when the feature was read"))
}
