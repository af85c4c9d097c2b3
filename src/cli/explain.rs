//! `passmuster explain`: one requirement, why it exists, how it is tested.

use std::process::ExitCode;

use clap::Args;

use crate::engine::{catalogue, features};
use crate::spec::{FaultNote, Registry, RequirementId, ScenarioTags, explain};
use crate::suites::SUITES;

/// Explain a requirement: its sentence, why it exists, its scenarios and its faults.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The requirement, such as LC-CLEAN-1
    #[arg(value_parser = super::known::requirement(), hide_possible_values = true)]
    id: RequirementId,
}

/// Runs the command.
pub(crate) fn run(args: &Explain) -> ExitCode {
    let Some(requirement) = Registry::embedded().get(&args.id) else { return ExitCode::from(2) };
    let faults: Vec<FaultNote> = catalogue::faults(SUITES)
        .into_iter()
        .map(|fault| fault.info)
        .filter(|fault| fault.breaks.contains(&args.id.as_str()))
        .map(|fault| FaultNote { name: fault.name.into(), title: fault.title.into() })
        .collect();
    super::print(&explain(requirement, &scenarios(), &faults));
    ExitCode::SUCCESS
}

/// The embedded scenarios, with the requirements that their tags and their steps name.
pub(crate) fn scenarios() -> Vec<ScenarioTags> {
    features::tags(&features::read(SUITES, &[]).unwrap_or_default())
}
