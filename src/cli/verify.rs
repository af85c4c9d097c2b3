//! `passmuster verify`: run the conformance suites.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use crate::contract::AgentKind;
use crate::engine::catalogue::{self, Defect};
use crate::engine::fault::Change;
use crate::engine::suite::{find, names};
use crate::engine::system::ManifestSystem;
use crate::engine::{Reference, SCENARIO, Target};
use crate::profile::Choice;
use crate::spec::SpecVersion;
use crate::suites::SUITES;
use crate::sut::manifest::TransportKind;

use super::known;
use super::running::{RunArgs, RunContext, finished, judged};

/// Run the conformance suites against a session manager.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The manifest of the system under test [default: ./passmuster.toml if there is one, else the built-in reference]
    manifest: Option<PathBuf>,
    /// Only this suite (repeatable, or several with commas) [default: the suites that the manifest claims]
    #[arg(long, value_name = "SUITE", value_delimiter = ',', value_parser = known::suite(claimed_suite), hide_possible_values = true)]
    suite: Vec<String>,
    /// Only scenarios of this agent (repeatable, or several with commas)
    #[arg(long, value_name = "AGENT", value_delimiter = ',', value_parser = known::agent(), hide_possible_values = true)]
    agent: Vec<AgentKind>,
    /// See what a defect looks like: judge the built-in reference with this fault (`passmuster faults list`)
    #[arg(long, value_name = "FAULT", value_parser = |name: &str| catalogue::fault(SUITES, name), conflicts_with = "manifest")]
    fault: Option<Defect>,
    /// Do not first prove, on this machine, that orphans, false "ended"s and missing announcements would be seen
    #[arg(long)]
    no_control: bool,
    #[command(flatten)]
    running: RunArgs,
}

/// Runs the command.
pub(crate) fn run(args: Verify) -> ExitCode {
    finished(verified(&args))
}

fn verified(args: &Verify) -> miette::Result<u8> {
    let target = match args.fault {
        Some(fault) => Target::Reference(Reference::changed(SUITES, fault.suite, Change::Fault(fault.info.name))),
        None => target(args.manifest.as_deref())?,
    };
    let context = RunContext { suites: args.suite.clone(), agents: args.agent.clone(), control: !args.no_control, repro: repro(args) };
    judged(&target, &args.running, context)
}

/// The manifest named, or `./passmuster.toml`, or the built-in reference.
fn target(manifest: Option<&Path>) -> miette::Result<Target> {
    let here = Path::new("passmuster.toml");
    let Some(path) = manifest.or(here.is_file().then_some(here)) else {
        return Ok(Target::Reference(Reference::called(SUITES)));
    };
    let system = ManifestSystem::read(path, SUITES).map_err(|errors| miette::Report::new(*errors))?;
    if system.manifest.transport.kind == TransportKind::Builtin {
        return Ok(Target::Reference(Reference::called(SUITES)));
    }
    let missing = system.manifest.missing_programs();
    if !missing.is_empty() {
        return Err(miette::miette!("{}: {}", path.display(), missing.join("; ")));
    }
    Ok(Target::Real(Arc::new(system)))
}

fn repro(args: &Verify) -> String {
    let mut words = vec!["passmuster verify".to_owned()];
    words.extend(args.manifest.iter().map(|path| path.display().to_string()));
    words.extend(args.fault.iter().map(|fault| format!("--fault {}", fault.info.name)));
    words.extend(args.running.features.iter().map(|path| format!("--features {}", path.display())));
    if args.running.spec_version != SpecVersion::NEWEST {
        words.push(format!("--spec-version {}", args.running.spec_version));
    }
    if args.running.profiles != Choice::Spec {
        words.push(format!("--profiles {}", args.running.profiles));
    }
    words.push(SCENARIO.to_owned());
    words.join(" ")
}

pub(crate) fn suite_name(word: &str) -> Result<String, String> {
    if find(SUITES, word).is_some() {
        return Ok(word.to_owned());
    }
    Err(format!("no such suite; wanted one of: {}", names(SUITES).collect::<Vec<_>>().join(", ")))
}

/// A suite that a manifest can claim.
fn claimed_suite(word: &str) -> Result<String, String> {
    match find(SUITES, &suite_name(word)?) {
        Some(suite) if !suite.is_claimed() => {
            Err("it judges those that call a manager: `passmuster gate` and `passmuster trace check`".into())
        }
        _ => Ok(word.to_owned()),
    }
}
