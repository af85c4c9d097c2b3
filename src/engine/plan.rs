//! What would run, and why the rest would not: decided before anything is started.

use std::collections::BTreeMap;

use cucumber::gherkin::tagexpr::TagOperation;
use cucumber::tag::Ext as _;

use crate::contract::{AgentKind, OperationSpec};
use crate::spec::{Need, Registry, RequirementId};
use crate::sut::{Announces, Offer};
use crate::trace::settings::Processes;

use super::features::Scenario;

/// What a system offers, as far as it is known before it is started.
pub struct Capabilities {
    /// The suites that it claims.
    pub suites: Vec<String>,
    /// The agents that it manages.
    pub agents: Vec<AgentKind>,
    /// The operations that it offers.
    pub offer: Box<dyn Fn(&'static OperationSpec) -> Offer>,
    /// How it announces.
    pub announces: Announces,
    /// Whether it can be killed and started again.
    pub can_restart: bool,
    /// Whether whoever works on a call can be killed.
    pub can_kill: bool,
    /// Whether a session's record has a known place.
    pub has_record: bool,
    /// Why the harness does not see its containers, where it does not.
    pub containers: Result<(), &'static str>,
    /// What there is one agent process for.
    pub processes: Processes,
    /// Whether it runs in virtual time.
    pub is_virtual: bool,
}

/// What to choose from the features.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only these suites; empty: those that the system claims.
    pub suites: Vec<String>,
    /// Only these agents.
    pub agents: Vec<AgentKind>,
    /// Only scenarios of these requirements.
    pub requirements: Vec<RequirementId>,
    /// Only scenarios whose tags fit.
    pub tags: Option<TagOperation>,
    /// Only scenarios of these keys.
    pub scenarios: Vec<String>,
    /// Shard K of N (from 1).
    pub shard: Option<(u64, u64)>,
}

/// A scenario with its agent: one thing to run.
#[derive(Debug, Clone)]
pub struct PlannedScenario {
    /// Unique in the run, stable over runs: `suite/feature/slug[agent]`.
    pub key: String,
    /// The scenario.
    pub written: Scenario,
    /// The agent on its axis.
    pub agent: Option<AgentKind>,
    /// The agents that the system manages, the scenario's own first.
    pub agents: Vec<AgentKind>,
    /// Whether it runs.
    pub disposition: Disposition,
}

/// Whether a scenario runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// It runs.
    Run,
    /// It does not, for that reason.
    Skip(String),
    /// It does not, because the system lacks what it claims: that requirement fails.
    Lacks {
        /// The requirement that needs it.
        requirement: RequirementId,
        /// What is lacking.
        what: String,
    },
}

/// Plans the scenarios that a selection chooses, in the order of the features.
pub fn plan(written: &[Scenario], registry: &Registry, system: &Capabilities, selection: &Selection) -> Vec<PlannedScenario> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut planned = Vec::new();
    for scenario in written {
        for agent in axis(scenario, &system.agents) {
            let mut key = key(scenario, agent);
            let count = seen.entry(key.clone()).or_default();
            *count += 1;
            if *count > 1 {
                key = format!("{key}#{count}");
            }
            if !chosen(scenario, agent, &key, system, selection) {
                continue;
            }
            let first = agent.or_else(|| fixed_agent(scenario));
            // Who asks for some agents sees those where a scenario takes whichever comes first.
            let mut agents = system.agents.clone();
            agents.sort_by_key(|agent| (Some(*agent) != first, !selection.agents.contains(agent)));
            let disposition = disposition(scenario, first, registry, system);
            planned.push(PlannedScenario { key, written: scenario.clone(), agent: first, agents, disposition });
        }
    }
    planned
}

/// The agents that a scenario runs with: all of them with `@each-agent`, else one or none in particular.
fn axis(scenario: &Scenario, agents: &[AgentKind]) -> Vec<Option<AgentKind>> {
    if scenario.has_tag("each-agent") { agents.iter().copied().map(Some).collect() } else { vec![None] }
}

fn fixed_agent(scenario: &Scenario) -> Option<AgentKind> {
    scenario.tag_values("agent").find_map(|word| word.parse().ok())
}

fn key(scenario: &Scenario, agent: Option<AgentKind>) -> String {
    let feature = super::features::stem(&scenario.file);
    let slug: String = scenario.name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let slug = slug.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
    match agent {
        Some(agent) => format!("{}/{feature}/{slug}[{agent}]", scenario.suite),
        None => format!("{}/{feature}/{slug}", scenario.suite),
    }
}

fn chosen(scenario: &Scenario, agent: Option<AgentKind>, key: &str, system: &Capabilities, selection: &Selection) -> bool {
    let suites = if selection.suites.is_empty() { &system.suites } else { &selection.suites };
    let agent = agent.or_else(|| fixed_agent(scenario));
    suites.contains(&scenario.suite)
        && (selection.agents.is_empty() || agent.is_none_or(|agent| selection.agents.contains(&agent)))
        && (selection.requirements.is_empty() || scenario.requirements().iter().any(|id| selection.requirements.contains(id)))
        && selection.tags.as_ref().is_none_or(|tags| tags.eval(&scenario.tags))
        && (selection.scenarios.is_empty() || selection.scenarios.iter().any(|wanted| wanted == key))
        && selection.shard.is_none_or(|(shard, of)| hash(key) % of == shard - 1)
}

/// FNV-1a: the same key lands in the same shard on every machine and in every version.
pub fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn disposition(scenario: &Scenario, agent: Option<AgentKind>, registry: &Registry, system: &Capabilities) -> Disposition {
    if let Some(agent) = agent.filter(|agent| !system.agents.contains(agent)) {
        return Disposition::Skip(format!("the manifest does not list the agent {agent}"));
    }
    if scenario.has_tag("virtual") && !system.is_virtual {
        return Disposition::Skip("needs virtual time, which a system of real processes does not have".into());
    }
    if scenario.has_tag("stream") && !system.announces.by_stream {
        return Disposition::Skip("the system offers no stream of announcements".into());
    }
    let own = scenario.needs().map(|need| (None, need));
    let required = scenario.requirements().into_iter().filter_map(|id| registry.get(&id));
    let required = required.flat_map(|requirement| requirement.needs.iter().map(|need| (Some(&requirement.id), *need)));
    for (requirement, need) in own.chain(required) {
        let lacks = |what: String, optional: bool| match requirement {
            Some(requirement) if !optional => Disposition::Lacks { requirement: requirement.clone(), what },
            _ => Disposition::Skip(what),
        };
        match need {
            Need::Operation(name) => {
                let operation = OperationSpec::find(scenario.operations, name);
                if let Some(operation) = operation.filter(|operation| !(system.offer)(operation).offered) {
                    return lacks(format!("the manifest maps no `{need}`"), operation.optional);
                }
            }
            Need::Announcements if !(system.announces.by_stream || system.announces.by_waiting) => {
                return lacks("the manifest maps no announcements: neither `wait_events` nor `[events.turn_completed]`".into(), true);
            }
            Need::Serve if !system.can_restart => {
                return Disposition::Skip("the manifest has no `[serve]` that could be killed and started again".into());
            }
            Need::Record if !system.has_record => {
                return Disposition::Skip("the manifest names no place of a session's record (`[store] record`, `[serve] state`)".into());
            }
            Need::Kill if !system.can_kill => {
                return Disposition::Skip("nobody who works on a call can be killed: no process does so for the harness alone".into());
            }
            Need::Containers if let Err(why) = system.containers => return Disposition::Skip(why.to_owned()),
            Need::ProcessPerSession if system.processes != Processes::Session => {
                return Disposition::Skip(format!(
                    "applies to one agent process per session; the manifest says `{}`",
                    system.processes.name()
                ));
            }
            Need::Agent(agent) if !system.agents.contains(&agent) => {
                return Disposition::Skip(format!("the manifest does not list the agent {agent}"));
            }
            Need::Announcements | Need::Serve | Need::Record | Need::Kill | Need::Containers | Need::ProcessPerSession | Need::Agent(_) => {
            }
        }
    }
    Disposition::Run
}
