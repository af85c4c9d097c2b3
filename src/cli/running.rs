//! A run and its report: the flags that every judging command has, and what they do.

use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use cucumber::gherkin::tagexpr::TagOperation;

use crate::core::diagnostic::meant;
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
    #[command(flatten)]
    output: OutputArgs,
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
    #[arg(long, value_name = "S", value_parser = seconds)]
    time_limit: Option<u64>,
}

/// How a report is told, wherever one is.
#[derive(Debug, Args)]
pub(crate) struct OutputArgs {
    #[arg(long, value_name = "FORM=PATH", value_parser = report_target, help = format!("Write a report, in one of the forms {} (repeatable)", form_names()))]
    pub report: Vec<(String, PathBuf)>,
    #[arg(long, value_name = "FORM", value_parser = known::form(), hide_possible_values = true, help = format!("What is printed: auto (on a terminal with progress), or one of the forms {}", form_names()))]
    pub format: Option<OutputFormat>,
    /// Whether the terminal is written to in colour
    #[arg(long, value_enum, default_value_t = Colours::Auto)]
    color: Colours,
    /// Show every finding in full, not one of each cause
    #[arg(long)]
    all_findings: bool,
}

/// Whether colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colours {
    /// Whatever is written to.
    Always,
    /// Never.
    Never,
    /// On a terminal, unless NO_COLOR is set.
    Auto,
}

/// What is printed: a form of reports, or whichever fits what is printed to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OutputFormat {
    /// For people, with progress on a terminal.
    Auto,
    /// That form.
    As(&'static Form),
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
            super::complain(&report);
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
    let hint = |planned: &[PlannedScenario]| planned.is_empty().then(|| why_nothing(target, &options)).flatten();
    let known = args.baseline.as_deref().map(|path| baseline(path, args.update_baseline)).transpose()?;
    let planned = engine::prepare(target, &options).map_err(all_errors)?;
    if args.list {
        let hint = hint(&planned).map(|hint| format!("{hint}\n")).unwrap_or_default();
        super::print(&format!("{}{hint}", listed(&planned)));
        return Ok(0);
    }
    let mut progress: Option<Bar> = (args.output.is_auto() && std::io::stderr().is_terminal()).then(Bar::default);
    let mut tell = |event| {
        if let Some(progress) = progress.as_mut() {
            progress.tell(&event);
        }
    };
    let hint = hint(&planned);
    let mut outcome = engine::run(target, planned, &profiles, &options, &mut tell);
    outcome.report.hint = hint;
    if let (Some(mut known), Some(path)) = (known, args.baseline.as_deref()) {
        let (places, today) = (engine::places(target, &options), jiff::Zoned::now().date());
        if args.update_baseline && !outcome.interrupted {
            known = updated(&known, path, &outcome.report, &places, today)?;
        }
        known.apply(&mut outcome.report, &places, today);
    }
    if outcome.interrupted {
        eprintln!("interrupted: the report shows what ran until then");
    }
    let told = args.output.tell(&outcome.report, args.strict).and(write_traces(&outcome, &args.output.report));
    told.map(|()| exit_code(&outcome.report, args.strict))
}

/// Why nothing was chosen to run, and what there is to choose from. Nothing where a shard is empty, and another is not.
fn why_nothing(target: &Target, options: &Options) -> Option<String> {
    let chosen = &options.selection;
    let planned = |selection: Selection| {
        let options = Options { selection, features: options.features.clone(), spec_version: options.spec_version, ..Options::default() };
        engine::prepare(target, &options).unwrap_or_default()
    };
    if chosen.shard.is_some() && !planned(Selection { shard: None, ..chosen.clone() }).is_empty() {
        return None;
    }
    let all = planned(Selection::default());
    if all.is_empty() {
        let suites = target.capabilities().suites;
        let claims = if suites.is_empty() { "it claims no suite".to_owned() } else { format!("it claims only {}", suites.join(", ")) };
        return Some(format!(
            "there is no scenario for this system: {claims} (`suites` in [system]); `passmuster spec list` shows the suites"
        ));
    }
    let lone = |selection: Selection| planned(selection).is_empty();
    if let Some(key) = chosen.scenarios.iter().find(|key| lone(Selection { scenarios: vec![(*key).clone()], ..Selection::default() })) {
        let meant = meant(key, all.iter().map(|planned| planned.key.as_str())).unwrap_or_else(|| "`--list` shows every key".to_owned());
        return Some(format!("there is no scenario `{key}`; {meant}"));
    }
    if chosen.tags.is_some() && lone(Selection { tags: chosen.tags.clone(), ..Selection::default() }) {
        let tags: BTreeSet<&str> = all.iter().flat_map(|planned| &planned.written.tags).map(String::as_str).collect();
        let tags: Vec<String> = tags.into_iter().map(|tag| format!("@{tag}")).collect();
        return Some(format!("no scenario has such tags; there are {}", tags.join(" ")));
    }
    Some("what was asked for has no scenario in common: ask for less, or see `--list`".to_owned())
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

impl OutputArgs {
    /// Whether the form of what is printed is left to the program.
    pub(crate) fn is_auto(&self) -> bool {
        matches!(self.format, None | Some(OutputFormat::Auto))
    }

    /// Whether it is people who read what is printed.
    pub(crate) fn is_for_people(&self) -> bool {
        self.is_auto() || ["terminal", "plain"].contains(&self.form().name)
    }

    fn form(&self) -> &'static Form {
        match self.format {
            Some(OutputFormat::As(form)) => form,
            None | Some(OutputFormat::Auto) => Form::find("terminal").expect("it is a form"),
        }
    }

    /// How reports look where they are printed.
    pub(crate) fn look(&self, strict: bool) -> Look {
        let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let colour = match self.color {
            Colours::Always => true,
            Colours::Never => false,
            Colours::Auto => std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        };
        Look { width: columns.unwrap_or(Look::default().width), colour, strict, all_findings: self.all_findings }
    }

    /// Writes the reports that are asked for, and prints one.
    pub(crate) fn tell(&self, report: &Report, strict: bool) -> miette::Result<()> {
        let look = self.look(strict);
        let written = super::write_reports(report, &self.report, &look);
        super::print(&self.form().draw(report, &look));
        written
    }
}

impl FromStr for OutputFormat {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "auto" => Ok(OutputFormat::Auto),
            word => Form::find(word).map(OutputFormat::As).ok_or_else(|| format!("wanted auto or one of: {}", form_names())),
        }
    }
}

/// The forms that reports have.
fn form_names() -> String {
    FORMS.iter().map(|form| form.name).collect::<Vec<_>>().join(", ")
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
    let known = Registry::embedded().iter().map(|requirement| &requirement.id);
    if let Some(id) = known.into_iter().find(|id| id.as_str().eq_ignore_ascii_case(word)) {
        return Ok(id.clone());
    }
    Err(match Registry::embedded().nearest(word) {
        Some(nearest) => format!("no such requirement; did you mean {nearest}? `passmuster spec list` shows them all"),
        None => "no such requirement, such as LC-CLEAN-1; `passmuster spec list` shows them all".into(),
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

fn report_target(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((form, path)) if Form::find(form).is_some() && !path.is_empty() => Ok((form.to_owned(), path.into())),
        _ => Err(format!("wanted FORM=PATH with FORM one of: {}", form_names())),
    }
}

fn seconds(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|seconds| *seconds > 0).ok_or_else(|| "wanted a whole number of seconds, at least 1".into())
}
