//! `passmuster explain`: one requirement, why it exists, how it is tested.

use std::process::ExitCode;

use clap::Args;

use crate::engine::{catalogue, features};
use crate::files::{FileRule, RuleOffer};
use crate::spec::{FaultNote, Registry, RequirementId, ScenarioTags, explain};
use crate::suites::SUITES;

/// Explain a requirement: its sentence, why it exists, its scenarios and its faults.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The requirement, such as LC-CLEAN-1, or a rule for session files, such as SF105
    #[arg(value_parser = super::known::explained(), hide_possible_values = true)]
    id: Explained,
}

/// What can be explained.
#[derive(Debug, Clone)]
pub(crate) enum Explained {
    Requirement(RequirementId),
    Rule(&'static FileRule),
}

/// Runs the command.
pub(crate) fn run(args: &Explain) -> ExitCode {
    match &args.id {
        Explained::Requirement(id) => requirement(id),
        Explained::Rule(rule) => {
            super::print(&of_a_rule(rule));
            ExitCode::SUCCESS
        }
    }
}

/// A rule for session files.
fn of_a_rule(rule: &FileRule) -> String {
    let offer = match rule.offer {
        RuleOffer::Nothing => "a person decides",
        RuleOffer::Safe => "`passmuster files check --fix`, where there is one way alone",
        RuleOffer::Unsafe => "`passmuster files check --fix --unsafe-fixes`: it may change what the file means",
    };
    format!(
        "{} · {} · {}\n\n  {}\n\nWhy\n  {}\n\nTo put it right\n  {offer}\n\nTo keep it silent in one place\n  <!-- passmuster: ignore {} -->\n\nTo see it alone\n  passmuster files check --select {}\n",
        rule.code,
        rule.requirement,
        rule.level(),
        rule.title,
        rule.why,
        rule.code,
        rule.code
    )
}

fn requirement(id: &RequirementId) -> ExitCode {
    let Some(requirement) = Registry::embedded().get(id) else { return ExitCode::from(2) };
    let faults: Vec<FaultNote> = catalogue::faults(SUITES)
        .into_iter()
        .map(|fault| fault.info)
        .filter(|fault| fault.breaks.contains(&id.as_str()))
        .map(|fault| FaultNote { name: fault.name.into(), title: fault.title.into() })
        .collect();
    super::print(&explain(requirement, &scenarios(), &faults));
    ExitCode::SUCCESS
}

/// The embedded scenarios, with the requirements that their tags and their steps name.
pub(crate) fn scenarios() -> Vec<ScenarioTags> {
    features::tags(&features::read(SUITES, &[]).unwrap_or_default())
}
