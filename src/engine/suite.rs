//! What a suite is to the engine. The suites stand in one list, above it, and are handed down: the engine names none of them.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use crate::contract::{Claim, OperationTable};
use crate::profile::Profiles;
use crate::spec::Party;
use crate::sut::Announces;
use crate::trace::settings::Processes;

use super::control::ControlCheck;
use super::fault::{Change, FaultInfo, VariationInfo};
use super::matrix::Over;
use super::plan::PlannedScenario;
use super::scenario::ScenarioRun;
use super::target::RealSystem;
use super::vocabulary::Vocabulary;
use super::worker::Backstage;

/// The suites that there are, in the order reports show them.
pub type Suites = &'static [&'static dyn Suite];

/// A suite: what it judges, how it is written, how it is played on somebody's system and on its own reference.
#[async_trait(?Send)]
pub trait Suite: fmt::Debug + Sync {
    /// Its names, as in manifests, features and reports. Several where requirements that are claimed apart judge one kind of system
    /// with one vocabulary.
    fn names(&self) -> &'static [&'static str];

    /// Whom it judges.
    fn party(&self) -> Party;

    /// Whether a manifest claims it: the suites for those who are called, whom `verify` judges. Those who call are gated.
    fn is_claimed(&self) -> bool {
        self.party() != Party::Orchestrator
    }

    /// The operations that its scenarios call.
    fn operations(&self) -> OperationTable;

    /// The steps that its features are written in.
    fn vocabulary(&self) -> &'static dyn Vocabulary;

    /// Words that its steps take by name, section by section, as `passmuster steps` shows them.
    fn glossary(&self) -> Vec<Glossary> {
        Vec::new()
    }

    /// The defects that its reference can have.
    fn faults(&self) -> Vec<&'static FaultInfo>;

    /// The permitted variations of its reference.
    fn variations(&self) -> Vec<&'static VariationInfo> {
        Vec::new()
    }

    /// What must be seen before a verdict on somebody's system.
    fn control(&self) -> &'static [ControlCheck] {
        &[]
    }

    /// What reports call its reference.
    fn reference(&self) -> &'static str;

    /// How its reference announces.
    fn announces(&self, changes: &[Change]) -> Announces;

    /// What its reference has one agent process for.
    fn processes(&self, _changes: &[Change]) -> Processes {
        Processes::Session
    }

    /// Whether over a transport a fault must break nothing but what it says. Elsewhere what is found besides is not counted there:
    /// in memory it always is.
    fn is_exact_over_transports(&self) -> bool {
        false
    }

    /// Plays a scenario on its reference, in memory, in virtual time.
    fn rehearse(&self, planned: &PlannedScenario, changes: &[Change], profiles: &Profiles) -> ScenarioRun;

    /// Plays a scenario on somebody's system, in a worker process: `system` is what [`RealSystem::job`] said of it.
    ///
    /// # Errors
    /// Says why the scenario could not be played.
    async fn play(&self, planned: &PlannedScenario, system: &Value, backstage: &Backstage) -> Result<ScenarioRun, String>;

    /// Its reference, changed and reached over a front, as somebody's system. `limits` are lines for a manifest; files go into `folder`.
    fn served(&self, suites: Suites, over: Over, change: Change, limits: &str, folder: &Path) -> Arc<dyn RealSystem>;
}

/// Words that steps take by name.
#[derive(Debug)]
pub struct Glossary {
    /// What they are, and in which step.
    pub title: &'static str,
    /// Each with what it means, which may be nothing.
    pub words: Vec<(&'static str, String)>,
}

/// The suite of that name.
pub fn find(suites: Suites, name: &str) -> Option<&'static dyn Suite> {
    suites.iter().copied().find(|suite| suite.names().contains(&name))
}

/// The names of all suites.
pub fn names(suites: Suites) -> impl Iterator<Item = &'static str> {
    suites.iter().flat_map(|suite| suite.names()).copied()
}

/// Every name that a manifest can claim, with the operations that it stands for.
pub fn claims(suites: Suites) -> Vec<Claim> {
    let of = |suite: &&'static dyn Suite| {
        let operations = suite.operations();
        suite.names().iter().map(move |name| Claim { name, operations })
    };
    suites.iter().filter(|suite| suite.is_claimed()).flat_map(of).collect()
}
