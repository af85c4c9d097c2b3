//! `passmuster faults`: the fault catalogue, the proof that each fault is caught, and that nothing permitted is.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::engine::Options;
use crate::engine::catalogue::{self, Defect, Permitted};
use crate::engine::fault::VariationInfo;
use crate::engine::matrix::{MatrixFindings, Over, kill, kill_alone, kill_over, matrix, sample, vary, vary_over};
use crate::profile::{Choice, Profiles};
use crate::report::{Bar, Progress, kill_matrix};
use crate::results::kill_matrix::KillMatrix;
use crate::results::model::Event;
use crate::spec::Registry;
use crate::suites::SUITES;

use super::verify::suite_name;
use super::{interrupt, known};

/// How many faults are tried over a transport when nobody says otherwise.
const SAMPLE: usize = 24;
/// The stored matrix, in the folder of the spec.
const STORED: (&str, &str) = ("kill-matrix.json", "kill-matrix.md");

/// The fault catalogue: named defects of the references, each of which the suites must catch
#[derive(Debug, Args)]
pub(crate) struct Faults {
    #[command(subcommand)]
    command: Option<FaultsAction>,
}

#[derive(Debug, Subcommand)]
enum FaultsAction {
    /// Print every fault, what it breaks, and where it was seen [default]
    List,
    /// Run the suites on every fault; fail unless each fails exactly its requirements
    Run(FaultsRun),
    /// Run the suites on the conforming reference in every permitted variation; fail if anything is found
    Vary(Vary),
}

#[derive(Debug, Args)]
struct FaultsRun {
    /// Only these faults
    #[arg(value_parser = |name: &str| catalogue::fault(SUITES, name))]
    names: Vec<Defect>,
    /// Only those that break a requirement of this suite
    #[arg(long, value_name = "SUITE", value_parser = known::suite(suite_name), hide_possible_values = true, conflicts_with = "names")]
    suite: Option<String>,
    /// Each with the scenarios of the requirements that it breaks and no others: they must find it by themselves
    #[arg(long, conflicts_with_all = ["transport", "json", "markdown", "write", "check"])]
    alone: bool,
    /// On real processes, over cli, rpc or mcp: what is expected must fail, of an orchestrator nothing else [default: in memory, exactly]
    #[arg(long, value_name = "TRANSPORT")]
    transport: Option<Over>,
    /// Over a transport: so many faults, chosen by the seed
    #[arg(long, value_name = "N", default_value_t = SAMPLE, requires = "transport")]
    sample: usize,
    /// What the choice depends on [default: the day]
    #[arg(long, value_name = "N", requires = "transport")]
    seed: Option<u64>,
    /// Over a transport: every fault
    #[arg(long, requires = "transport", conflicts_with = "sample")]
    all: bool,
    /// Scenarios at a time over a transport [default: six a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Write the matrix as JSON
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
    /// Write the matrix as a page in Markdown
    #[arg(long, value_name = "PATH")]
    markdown: Option<PathBuf>,
    /// Write kill-matrix.json and kill-matrix.md into this folder
    #[arg(long, value_name = "DIR", conflicts_with_all = ["names", "suite", "transport"])]
    write: Option<PathBuf>,
    /// Fail if kill-matrix.json or kill-matrix.md in this folder is not what comes out
    #[arg(long, value_name = "DIR", conflicts_with_all = ["names", "suite", "transport", "write"])]
    check: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Vary {
    /// Only these variations
    #[arg(value_parser = |name: &str| catalogue::variation(SUITES, name))]
    names: Vec<Permitted>,
    /// Print every variation, and what it leaves unmet of what a manager SHOULD do
    #[arg(long)]
    list: bool,
    /// On real processes, over cli, rpc or mcp [default: in memory]
    #[arg(long, value_name = "TRANSPORT")]
    transport: Option<Over>,
    /// How often
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// Scenarios at a time over a transport [default: six a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
}

/// Runs the command.
pub(crate) fn run(args: &Faults) -> ExitCode {
    let done = match &args.command {
        None | Some(FaultsAction::List) => {
            list();
            Ok(0)
        }
        Some(FaultsAction::Run(args)) => prove(args),
        Some(FaultsAction::Vary(args)) => varied(args),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(report) => {
            super::complain(&report);
            ExitCode::from(2)
        }
    }
}

fn list() {
    let all = catalogue::faults(SUITES);
    for fault in all.iter().map(|fault| fault.info) {
        let seen = if fault.source.is_empty() { String::new() } else { format!("; seen: {}", fault.source) };
        super::print(&format!("{}\n    {}\n    breaks {}{seen}\n", fault.name, fault.title, fault.breaks.join(" ")));
    }
    super::print(&format!("{} faults\n", all.len()));
}

fn prove(args: &FaultsRun) -> miette::Result<u8> {
    let profiles = Profiles::load(&Choice::Spec).expect("the embedded profiles are tested");
    let interrupted = interrupt::watch();
    let options = || Options { interrupted: interrupted.clone(), jobs: args.jobs.map(usize::from), ..Options::default() };
    let mut all = catalogue::faults(SUITES);
    if let Some(suite) = &args.suite {
        all.retain(|fault| Registry::embedded().suite(suite).any(|stated| fault.info.breaks.contains(&stated.id.as_str())));
    }
    let mut faults = if args.names.is_empty() { all.clone() } else { args.names.clone() };
    if args.transport.is_some() && args.names.is_empty() && !args.all {
        let seed = args.seed.unwrap_or_else(today);
        faults = sample(&faults, args.sample, seed);
        eprintln!("{} of {} faults, chosen by --seed {seed}; --all tries every one", faults.len(), all.len());
    }
    let by = if args.alone { kill_alone } else { kill };
    let mut killed = by(SUITES, &faults, &profiles, &options);
    if let Some(over) = args.transport.filter(|_| !*interrupted.borrow()) {
        killed = kill_over(SUITES, over, killed, &profiles, &options(), &mut progress());
    }
    if *interrupted.borrow() {
        eprintln!("interrupted");
        return Ok(130);
    }
    let matrix = matrix(&killed);
    super::print(&kill_matrix::plain(&matrix));
    let json = || serde_json::to_string_pretty(&matrix).expect("a matrix is plain data") + "\n";
    if let Some(path) = &args.json {
        written(path, &json())?;
    }
    if let Some(path) = &args.markdown {
        written(path, &kill_matrix::markdown(&matrix))?;
    }
    if let Some(folder) = &args.write {
        written(&folder.join(STORED.0), &json())?;
        written(&folder.join(STORED.1), &kill_matrix::markdown(&matrix))?;
    }
    let is_stale = match &args.check {
        Some(folder) => is_stale(folder, &matrix)?,
        None => false,
    };
    Ok(u8::from(is_stale || matrix.troubled().next().is_some()))
}

fn written(path: &Path, text: &str) -> miette::Result<()> {
    std::fs::write(path, text).map_err(|error| miette::miette!("{}: cannot be written: {error}", path.display()))
}

/// Whether the stored matrix is another; says in what.
fn is_stale(folder: &Path, matrix: &KillMatrix) -> miette::Result<bool> {
    let again = format!("passmuster faults run --write {}", folder.display());
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read_to_string(&path).map_err(|error| miette::miette!(help = again.clone(), "{}: cannot be read: {error}", path.display()))
    };
    let (json, page) = (read(STORED.0)?, read(STORED.1)?);
    let path = folder.join(STORED.0);
    let stored: KillMatrix = serde_json::from_str(&json)
        .map_err(|error| miette::miette!(help = again.clone(), "{}: no kill matrix: {error}", path.display()))?;
    let mut differences = stored.differences(matrix);
    if differences.is_empty() && page != kill_matrix::markdown(matrix) {
        differences.push(format!("{} is not drawn from it", folder.join(STORED.1).display()));
    }
    for difference in &differences {
        eprintln!("{}: {difference}", path.display());
    }
    if !differences.is_empty() {
        eprintln!("the stored kill matrix is stale; if that is as it should be: {again}");
    }
    Ok(!differences.is_empty())
}

fn varied(args: &Vary) -> miette::Result<u8> {
    let mut variations = if args.names.is_empty() { catalogue::variations(SUITES) } else { args.names.clone() };
    if args.list {
        for variation in variations.iter().map(|variation| variation.info) {
            let unmet = if variation.warns.is_empty() { String::new() } else { format!("; leaves unmet: {}", variation.warns.join(" ")) };
            super::print(&format!("{}\n    {}{unmet}\n", variation.name, variation.title));
        }
        return Ok(0);
    }
    if args.transport.is_some() {
        for variation in variations.extract_if(.., |variation| variation.info.in_memory) {
            super::print(&format!("left out {}: it is played in memory alone\n", variation.info.name));
        }
    }
    let profiles = Profiles::load(&Choice::Spec).expect("the embedded profiles are tested");
    let interrupted = interrupt::watch();
    let (jobs, repeat) = (args.jobs.map(usize::from), args.repeat as usize);
    let options = || Options { interrupted: interrupted.clone(), jobs, repeat, ..Options::default() };
    let found = match args.transport {
        Some(over) => vary_over(SUITES, over, &variations, &profiles, &options(), &mut progress()),
        None => vary(SUITES, &variations, &profiles, &options),
    };
    if *interrupted.borrow() {
        eprintln!("interrupted");
        return Ok(130);
    }
    let mut wrong = 0;
    for (variation, found) in variations.iter().zip(&found) {
        let variation = variation.info;
        let alarms = alarms(variation, found, args.transport.is_none());
        wrong += usize::from(!alarms.is_empty());
        super::print(&format!("{} {}\n{alarms}", if alarms.is_empty() { "passes " } else { "FALSE ALARM" }, variation.name));
    }
    super::print(&format!("{} of {} variations pass, each {repeat} time(s)\n", variations.len() - wrong, variations.len()));
    Ok(u8::from(wrong > 0))
}

/// What was found in a variation that must not have been, or was not that must.
fn alarms(variation: &VariationInfo, found: &MatrixFindings, in_memory: bool) -> String {
    let mut text = String::new();
    for id in found.missing(variation.warns).into_iter().filter(|_| in_memory) {
        text += &format!("    {id} is not warned of\n");
    }
    for id in found.besides(variation.warns) {
        let by = found.failed[id].iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        text += &format!("    {id} is found: {by}\n");
    }
    for (key, why) in found.blocked.iter().chain(&found.untested) {
        text += &format!("    {key} is not exercised: {why}\n");
    }
    text
}

/// Draws progress, on a terminal.
fn progress() -> impl FnMut(Event) {
    let mut bar = std::io::stderr().is_terminal().then(Bar::default);
    move |event| {
        if let Some(bar) = bar.as_mut() {
            bar.tell(&event);
        }
    }
}

/// The day as a number: a seed that changes once a day.
fn today() -> u64 {
    (jiff::Timestamp::now().as_second() / 86_400).unsigned_abs()
}
