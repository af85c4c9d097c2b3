//! `passmuster verify`: run the conformance suites.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::contract::{AgentKind, SUITES, Side, suite};
use crate::engine::{Reference, SCENARIO, Subject};
use crate::profile::Choice;
use crate::spec::SpecVersion;
use crate::sut::manifest::{Manifest, TransportKind};

use super::known;
use super::running::{Besides, Running, finished, judged};

/// Run the conformance suites against a session manager.
#[derive(Debug, Args)]
pub struct Verify {
    /// The manifest of the system under test [default: ./passmuster.toml if there is one, else the built-in reference]
    manifest: Option<PathBuf>,
    /// Only this suite (repeatable, or several with commas) [default: the suites that the manifest claims]
    #[arg(long, value_name = "SUITE", value_delimiter = ',', value_parser = known::suite(managers_suite), hide_possible_values = true)]
    suite: Vec<String>,
    /// Only scenarios of this agent (repeatable, or several with commas)
    #[arg(long, value_name = "AGENT", value_delimiter = ',', value_parser = known::agent(), hide_possible_values = true)]
    agent: Vec<AgentKind>,
    /// Do not first prove, on this machine, that orphans, false "ended"s and missing announcements would be seen
    #[arg(long)]
    no_control: bool,
    #[command(flatten)]
    running: Running,
}

/// Runs the command.
pub fn run(args: Verify) -> ExitCode {
    finished(verified(&args))
}

fn verified(args: &Verify) -> miette::Result<u8> {
    let subject = subject(args.manifest.as_deref())?;
    let besides = Besides { suites: args.suite.clone(), agents: args.agent.clone(), control: !args.no_control, repro: repro(args) };
    judged(&subject, &args.running, besides)
}

/// The manifest named, or `./passmuster.toml`, or the built-in reference.
fn subject(manifest: Option<&Path>) -> miette::Result<Subject> {
    let here = Path::new("passmuster.toml");
    let Some(path) = manifest.or(here.is_file().then_some(here)) else {
        return Ok(Subject::Reference(Reference::default()));
    };
    let manifest = Manifest::read(path).map_err(|errors| miette::Report::new(*errors))?;
    if manifest.transport.kind == TransportKind::Builtin {
        return Ok(Subject::Reference(Reference::default()));
    }
    let missing = manifest.missing_programs();
    if !missing.is_empty() {
        return Err(miette::miette!("{}: {}", path.display(), missing.join("; ")));
    }
    Ok(Subject::Manifest(Box::new(manifest)))
}

fn repro(args: &Verify) -> String {
    let mut words = vec!["passmuster verify".to_owned()];
    words.extend(args.manifest.iter().map(|path| path.display().to_string()));
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
    if SUITES.iter().any(|suite| suite.name == word) {
        return Ok(word.to_owned());
    }
    Err(format!("no such suite; wanted one of: {}", SUITES.iter().map(|suite| suite.name).collect::<Vec<_>>().join(", ")))
}

/// A suite that a manager can claim.
fn managers_suite(word: &str) -> Result<String, String> {
    match suite(&suite_name(word)?).map(|suite| suite.side) {
        Some(Side::Orchestrator) => Err("it judges those that call a manager: `passmuster gate` and `passmuster trace check`".into()),
        _ => Ok(word.to_owned()),
    }
}
