//! A run and its report: the flags that every judging command has, and what they do.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use cucumber::gherkin::tagexpr::TagOperation;

use crate::engine;
use crate::engine::plan::{Disposition, PlannedScenario, Selection};
use crate::engine::{Options, RunOutcome, Target};
use crate::profile::{Choice, Profiles};
use crate::report::{Bar, FORMS, Form, Look, Progress};
use crate::results::baseline::{Baseline, BaselinePlace};
use crate::results::exit_code;
use crate::results::model::{Report, Verdict};
use crate::spec::{Registry, RequirementId, SpecVersion};
use crate::trace::jsonl;

use super::{interrupt, known};

/// Exit code of a run that was interrupted.
const INTERRUPTED: u8 = 130;
/// Exit code of a run that could not test.
const COULD_NOT_TEST: u8 = 2;

/// The flags of a run, whatever is judged.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Only scenarios of this requirement, such as LC-CLEAN-1 (repeatable, or several with commas)
    #[arg(long, value_name = "ID", value_delimiter = ',', value_parser = known::requirement(), hide_possible_values = true)]
    requirement: Vec<RequirementId>,
    /// Only scenarios whose tags fit, such as "@LC-CLEAN-1 and not @each-agent"
    #[arg(long, value_name = "EXPR", value_parser = tag_expression)]
    tags: Option<TagOperation>,
    /// Only the scenario of this key, as --list and reports show it (repeatable)
    #[arg(long, value_name = "KEY")]
    scenario: Vec<String>,
    /// Further features: a file or a folder (repeatable)
    #[arg(long, value_name = "DIR")]
    pub features: Vec<PathBuf>,
    /// Run the K-th of N shards (by a hash of the scenario's key: the same everywhere)
    #[arg(long, value_name = "K/N", value_parser = shard)]
    shard: Option<(u64, u64)>,
    /// Scenarios at a time [default: as many as their starts and the machine's load leave room for, six a core at most]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Run each scenario N times; every run counts
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// Write a report: html=PATH, json=PATH, junit=PATH, markdown=PATH (repeatable)
    #[arg(long, value_name = "FORM=PATH", value_parser = report_target)]
    report: Vec<(String, PathBuf)>,
    /// What is printed
    #[arg(long, value_enum, default_value_t = OutputFormat::Auto)]
    format: OutputFormat,
    /// Print what would run, and why the rest would not
    #[arg(long)]
    list: bool,
    /// Keep the sandboxes, and say where they are
    #[arg(long)]
    keep_sandbox: bool,
    /// Failures that are known, with their reasons: they are counted apart, and fail the run once they are fixed
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Bring the baseline up to date with this run
    #[arg(long, requires = "baseline")]
    update_baseline: bool,
    /// Stop at the first failure
    #[arg(long)]
    fail_fast: bool,
    /// Warnings (a SHOULD) fail the run, too
    #[arg(long)]
    strict: bool,
    /// The agents' profiles: spec, measured, or a file
    #[arg(long, value_name = "SET", default_value = "spec")]
    pub profiles: Choice,
    /// Judge by what this version of the spec states
    #[arg(long, value_name = "VERSION", default_value_t = SpecVersion::NEWEST)]
    pub spec_version: SpecVersion,
    /// The time limit of each scenario, in seconds [default: `[limits] scenario`, else 60, or longer as the other limits are]
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..))]
    time_limit: Option<u64>,
}

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// Colour and progress on a terminal, plain elsewhere.
    Auto,
    /// Plain text.
    Plain,
    /// Workflow commands of GitHub Actions.
    Github,
    /// The JSON report.
    Json,
}

/// What a command chooses besides its flags.
#[derive(Debug, Default)]
pub(crate) struct RunContext {
    /// Only these suites.
    pub suites: Vec<String>,
    /// Only these agents.
    pub agents: Vec<crate::contract::AgentKind>,
    /// Whether the harness first proves that it would see what it must.
    pub control: bool,
    /// The command line that repeats one scenario, with a place for its flag.
    pub repro: String,
}

/// The exit code of a run, or why there was none.
pub(crate) fn finished(judged: miette::Result<u8>) -> ExitCode {
    match judged {
        Ok(code) => ExitCode::from(code),
        Err(report) => {
            eprintln!("{report:?}");
            ExitCode::from(COULD_NOT_TEST)
        }
    }
}

/// Runs the scenarios chosen on a target, and reports.
pub(crate) fn judged(target: &Target, args: &RunArgs, context: RunContext) -> miette::Result<u8> {
    let profiles = Profiles::load(&args.profiles).map_err(|error| miette::Report::new(*error))?;
    let options = Options {
        selection: Selection {
            suites: context.suites,
            agents: context.agents,
            requirements: args.requirement.clone(),
            tags: args.tags.clone(),
            scenarios: args.scenario.clone(),
            shard: args.shard,
        },
        features: args.features.clone(),
        profiles: args.profiles.clone(),
        spec_version: args.spec_version,
        jobs: args.jobs.map(usize::from),
        repeat: args.repeat as usize,
        control: context.control,
        fail_fast: args.fail_fast,
        keep_sandbox: args.keep_sandbox,
        time_limit: args.time_limit.map(Duration::from_secs),
        interrupted: interrupt::watch(),
        repro: context.repro,
    };
    let known = args.baseline.as_deref().map(|path| baseline(path, args.update_baseline)).transpose()?;
    let planned = engine::prepare(target, &options).map_err(all_errors)?;
    if args.list {
        super::print(&listed(&planned));
        return Ok(0);
    }
    let mut progress: Option<Bar> = (args.format == OutputFormat::Auto && std::io::stderr().is_terminal()).then(Bar::default);
    let mut tell = |event| {
        if let Some(progress) = progress.as_mut() {
            progress.tell(&event);
        }
    };
    let mut outcome = engine::run(target, planned, &profiles, &options, &mut tell);
    if let (Some(mut known), Some(path)) = (known, args.baseline.as_deref()) {
        let (places, today) = (engine::places(target, &options), jiff::Zoned::now().date());
        if args.update_baseline && !outcome.interrupted {
            known = updated(&known, path, &outcome.report, &places, today)?;
        }
        known.apply(&mut outcome.report, &places, today);
    }
    let look = args.format.look(args.strict);
    let written = super::write_reports(&outcome.report, &args.report, &look).and(write_traces(&outcome, &args.report));
    super::print(&args.format.form().draw(&outcome.report, &look));
    written?;
    if outcome.interrupted {
        eprintln!("interrupted: the report shows what ran until then");
        return Ok(INTERRUPTED);
    }
    Ok(exit_code(&outcome.report, args.strict))
}

/// The baseline; none yet where it is to be written.
fn baseline(path: &Path, update: bool) -> miette::Result<Baseline> {
    let file = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Baseline::parse(&file, &text).map_err(|error| miette::Report::new(*error)),
        Err(error) if update && error.kind() == std::io::ErrorKind::NotFound => Ok(Baseline::empty(&file)),
        Err(error) => Err(miette::miette!(help = "`--update-baseline` writes one", "{file}: the baseline cannot be read: {error}")),
    }
}

/// Writes the baseline anew, as the run was.
fn updated(old: &Baseline, path: &Path, report: &Report, places: &[BaselinePlace], today: jiff::civil::Date) -> miette::Result<Baseline> {
    let text = old.updated(report, places, today);
    std::fs::write(path, &text).map_err(|error| miette::miette!("{}: the baseline cannot be written: {error}", path.display()))?;
    let new = Baseline::parse(&path.display().to_string(), &text).map_err(|error| miette::Report::new(*error))?;
    eprintln!("{}: {} entries (before: {})", path.display(), new.len(), old.len());
    Ok(new)
}

impl OutputFormat {
    /// How reports look on this terminal.
    pub(crate) fn look(self, strict: bool) -> Look {
        let terminal = std::io::stdout().is_terminal();
        let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let colour = terminal && self == OutputFormat::Auto && std::env::var_os("NO_COLOR").is_none();
        Look { width: columns.unwrap_or(Look::default().width), colour, strict }
    }

    /// The form that is printed.
    pub(crate) fn form(self) -> &'static Form {
        let name = match self {
            OutputFormat::Auto => "terminal",
            OutputFormat::Plain => "plain",
            OutputFormat::Github => "github",
            OutputFormat::Json => "json",
        };
        Form::find(name).expect("every format is a form")
    }
}

/// Writes the traces of what did not pass beside each report.
fn write_traces(outcome: &RunOutcome, targets: &[(String, PathBuf)]) -> miette::Result<()> {
    let broken = |path: &Path, error: std::io::Error| miette::miette!("{}: the trace cannot be written: {error}", path.display());
    for (_, path) in targets {
        let troubled = outcome.report.scenarios.iter().filter(|scenario| !matches!(scenario.verdict, Verdict::Passed | Verdict::Skipped));
        for scenario in troubled {
            let Some(trace) = outcome.traces.get(&scenario.key).filter(|trace| !trace.is_empty()) else { continue };
            let folder = path.with_extension("traces");
            std::fs::create_dir_all(&folder).map_err(|error| broken(&folder, error))?;
            let file = folder.join(format!("{}.jsonl", scenario.key.replace(['/', '[', ']', '@', '#'], "-")));
            let out = std::fs::File::create(&file).map_err(|error| broken(&file, error))?;
            jsonl::write(std::io::BufWriter::new(out), trace).map_err(|error| broken(&file, error))?;
        }
    }
    Ok(())
}

fn all_errors(errors: Vec<engine::features::FeatureError>) -> miette::Report {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    miette::miette!("{}", lines.join("\n"))
}

/// What would run, and why the rest would not.
fn listed(planned: &[PlannedScenario]) -> String {
    let mut text = String::new();
    let runs = planned.iter().filter(|planned| planned.disposition == Disposition::Run).count();
    for planned in planned {
        let requirements = planned.written.requirements().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        match &planned.disposition {
            Disposition::Run => text.push_str(&format!("run   {}  ({requirements})\n", planned.key)),
            Disposition::Skip(why) => text.push_str(&format!("skip  {}  ({requirements}): {why}\n", planned.key)),
            Disposition::Lacks { requirement, what } => text.push_str(&format!("fail  {}  ({requirement}): {what}\n", planned.key)),
        }
    }
    text.push_str(&format!("{runs} of {} scenarios would run\n", planned.len()));
    text
}

pub(crate) fn requirement_id(word: &str) -> Result<RequirementId, String> {
    let id: RequirementId = word.parse().map_err(|_| "not a requirement id, such as LC-CLEAN-1".to_owned())?;
    if Registry::embedded().get(&id).is_some() {
        return Ok(id);
    }
    Err(match Registry::embedded().nearest(word) {
        Some(nearest) => format!("no such requirement; did you mean {nearest}? `passmuster spec list` shows them all"),
        None => "no such requirement; `passmuster spec list` shows them all".into(),
    })
}

fn tag_expression(text: &str) -> Result<TagOperation, String> {
    text.parse().map_err(|error| format!("not a tag expression, such as \"@LC-CLEAN-1 and not @each-agent\": {error}"))
}

pub(crate) fn shard(text: &str) -> Result<(u64, u64), String> {
    let parsed = text.split_once('/').and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
    match parsed {
        Some((k, n)) if 1 <= k && k <= n => Ok((k, n)),
        _ => Err("wanted K/N with 1 ≤ K ≤ N, such as 2/4".into()),
    }
}

pub(crate) fn report_target(text: &str) -> Result<(String, PathBuf), String> {
    let forms: Vec<&str> = FORMS.iter().map(|form| form.name).collect();
    match text.split_once('=') {
        Some((form, path)) if forms.contains(&form) && !path.is_empty() => Ok((form.to_owned(), path.into())),
        _ => Err(format!("wanted FORM=PATH with FORM one of: {}", forms.join(", "))),
    }
}
