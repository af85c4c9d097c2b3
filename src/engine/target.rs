//! What is verified: the references in memory, or somebody's system on real processes.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::contract::AgentKind;
use crate::results::model::System;
use crate::spec::Requirement;
use crate::sut::{Announces, Offer};
use crate::trace::settings::{Limits, Processes};

use super::TIME_LIMIT;
use super::fault::Change;
use super::plan::Capabilities;
use super::suite::{Suite, Suites};

/// What to verify.
#[derive(Clone)]
pub enum Target {
    /// The references of the suites, in memory, in virtual time.
    Reference(Reference),
    /// A system on real processes.
    Real(Arc<dyn RealSystem>),
}

/// A system on real processes.
pub trait RealSystem: Send + Sync {
    /// The suites that there are, whichever of them it claims.
    fn suites(&self) -> Suites;

    /// What reports say of it.
    fn about(&self) -> System;

    /// What it offers.
    fn capabilities(&self) -> Capabilities;

    /// How long its scenarios and its start may take.
    fn bounds(&self) -> Bounds {
        Bounds::default()
    }

    /// What is to be known of how it is judged, in sentences.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// The line of its file (`about().file`) at which to begin to look where a requirement is not met.
    fn line(&self, _requirement: &Requirement) -> Option<usize> {
        None
    }

    /// What a worker process has to know to reach it: its suites read it in [`Suite::play`].
    fn job(&self) -> Value;
}

/// How long a system's scenarios and its start may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// One scenario.
    pub scenario: Duration,
    /// Until the system is open.
    pub start: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { scenario: TIME_LIMIT, start: Limits::default().start }
    }
}

/// The references of some suites.
#[derive(Debug, Clone)]
pub struct Reference {
    /// The suites that there are.
    pub suites: Suites,
    /// Those whose references they are.
    pub of: Vec<&'static dyn Suite>,
    /// What they are to do otherwise; nothing: they conform.
    pub changes: Vec<Change>,
}

impl Reference {
    /// The conforming references of the suites that judge those who are called.
    pub fn called(suites: Suites) -> Self {
        Self { suites, of: suites.iter().copied().filter(|suite| suite.is_claimed()).collect(), changes: Vec::new() }
    }

    /// The conforming references of the suites that judge those who call.
    pub fn calling(suites: Suites) -> Self {
        Self { suites, of: suites.iter().copied().filter(|suite| !suite.is_claimed()).collect(), changes: Vec::new() }
    }

    /// One suite's reference, with one change.
    pub fn changed(suites: Suites, suite: &'static dyn Suite, change: Change) -> Self {
        Self { suites, of: vec![suite], changes: vec![change] }
    }

    fn about(&self) -> System {
        let name = self.of.first().map_or("reference", |suite| suite.reference());
        System { name: name.into(), version: Some(env!("CARGO_PKG_VERSION").into()), transport: "builtin".into(), file: None }
    }

    /// What they offer: everything, announced as the first that announces at all does.
    fn capabilities(&self) -> Capabilities {
        let silent = Announces { by_waiting: false, by_stream: false };
        let announces = self.of.iter().map(|suite| suite.announces(&self.changes)).find(|announces| *announces != silent);
        Capabilities {
            suites: self.of.iter().flat_map(|suite| suite.names()).map(|name| (*name).to_owned()).collect(),
            agents: AgentKind::all().to_vec(),
            offer: Box::new(Offer::whole),
            announces: announces.unwrap_or(silent),
            can_restart: true,
            can_kill: false,
            has_record: true,
            containers: Ok(()),
            processes: self.of.first().map_or(Processes::Session, |suite| suite.processes(&self.changes)),
            is_virtual: true,
        }
    }
}

impl Target {
    /// The suites that there are.
    pub fn suites(&self) -> Suites {
        match self {
            Target::Reference(reference) => reference.suites,
            Target::Real(system) => system.suites(),
        }
    }

    /// What is to be known of how it is judged, in sentences.
    pub fn notes(&self) -> Vec<String> {
        match self {
            Target::Reference(_) => Vec::new(),
            Target::Real(system) => system.notes(),
        }
    }

    /// What reports say of it.
    pub fn about(&self) -> System {
        match self {
            Target::Reference(reference) => reference.about(),
            Target::Real(system) => system.about(),
        }
    }

    /// The line of its file at which to begin to look where a requirement is not met.
    pub fn line(&self, requirement: &Requirement) -> Option<usize> {
        match self {
            Target::Reference(_) => None,
            Target::Real(system) => system.line(requirement),
        }
    }

    /// What it offers.
    pub fn capabilities(&self) -> Capabilities {
        match self {
            Target::Reference(reference) => reference.capabilities(),
            Target::Real(system) => system.capabilities(),
        }
    }
}
