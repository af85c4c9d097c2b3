//! `passmuster report`: what can be done with the JSON reports of runs that are over.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use crate::report::draw_diff;
use crate::results::model::{Report, SCHEMA};
use crate::results::{diff, exit_code, merged};

use super::running::OutputArgs;

/// Exit code where a report cannot be read or written.
const UNREADABLE: u8 = 2;

/// Draw, join and compare JSON reports
#[derive(Debug, Args)]
pub(crate) struct ReportCommand {
    #[command(subcommand)]
    command: ReportAction,
}

#[derive(Debug, Subcommand)]
enum ReportAction {
    /// Draw a report in any form
    Render {
        /// The JSON report; `-` is standard input
        file: PathBuf,
        #[command(flatten)]
        drawn: DrawArgs,
    },
    /// Join the reports of shards into one; the exit code is that of the whole run
    Merge {
        /// The shards' JSON reports
        #[arg(required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        drawn: DrawArgs,
    },
    /// Compare two runs: what broke, what was fixed; exit code 1 if something broke
    Diff {
        /// The earlier run's JSON report
        old: PathBuf,
        /// The later run's JSON report
        new: PathBuf,
        /// What is printed
        #[arg(long, value_enum, default_value_t = DiffFormat::Plain)]
        format: DiffFormat,
    },
}

/// How a report is drawn.
#[derive(Debug, Args)]
struct DrawArgs {
    #[command(flatten)]
    output: OutputArgs,
    /// Warnings (a SHOULD) count as failures, too
    #[arg(long)]
    strict: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DiffFormat {
    Plain,
    Markdown,
    Json,
}

/// Runs the command.
pub(crate) fn run(args: &ReportCommand) -> ExitCode {
    match done(&args.command) {
        Ok(code) => ExitCode::from(code),
        Err(report) => {
            super::complain(&report);
            ExitCode::from(UNREADABLE)
        }
    }
}

fn done(command: &ReportAction) -> miette::Result<u8> {
    match command {
        ReportAction::Render { file, drawn } => {
            drawn.draw(&read(file)?)?;
            Ok(0)
        }
        ReportAction::Merge { files, drawn } => {
            let parts = files.iter().map(|file| Ok((file.display().to_string(), read(file)?))).collect::<miette::Result<Vec<_>>>()?;
            let report = merged(&parts).map_err(|error| miette::miette!("{error}"))?;
            drawn.draw(&report)?;
            Ok(exit_code(&report, drawn.strict))
        }
        ReportAction::Diff { old, new, format } => {
            let diff = diff(&read(old)?, &read(new)?);
            super::print(&match format {
                DiffFormat::Plain => draw_diff::plain(&diff),
                DiffFormat::Markdown => draw_diff::markdown(&diff),
                DiffFormat::Json => draw_diff::json(&diff),
            });
            Ok(u8::from(diff.broke()))
        }
    }
}

impl DrawArgs {
    fn draw(&self, report: &Report) -> miette::Result<()> {
        // Who asks for a file alone gets that alone.
        match self.output.format.is_some() || self.output.report.is_empty() {
            true => self.output.tell(report, self.strict),
            false => super::write_reports(report, &self.output.report, &self.output.look(self.strict)),
        }
    }
}

fn read(path: &Path) -> miette::Result<Report> {
    let name = path.display();
    let text = match path.to_str() {
        Some("-") => std::io::read_to_string(std::io::stdin()),
        _ => std::fs::read_to_string(path),
    };
    let text = text.map_err(|error| miette::miette!("{name}: {error}"))?;
    let help = "`passmuster verify --report json=FILE` writes one";
    let not = |why: String| miette::miette!(help = help, "{name}: not a passmuster report: {why}");
    let value: Value = serde_json::from_str(&text).map_err(|error| not(format!("not JSON ({error})")))?;
    match value.get("schema").map(|schema| schema.as_str().unwrap_or_default()) {
        Some(SCHEMA) => serde_json::from_value(value).map_err(|error| not(format!("it says `{SCHEMA}`, but {error}"))),
        Some(other) => Err(not(format!("its `schema` is `{other}`; this passmuster reads `{SCHEMA}`"))),
        None => Err(not("it has no `schema`".into())),
    }
}
