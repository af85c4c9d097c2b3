//! `passmuster files`: Markdown session files, checked and put right.

mod check;

use std::process::ExitCode;

use clap::{Args, Subcommand};

/// Markdown session files for handoff: check them, put them right
#[derive(Debug, Args)]
pub(crate) struct FilesArgs {
    #[command(subcommand)]
    command: FilesAction,
}

#[derive(Debug, Subcommand)]
enum FilesAction {
    Check(check::LintArgs),
    Fix(check::FixArgs),
}

/// Runs the command.
pub(crate) fn run(args: &FilesArgs) -> ExitCode {
    match &args.command {
        FilesAction::Check(args) => check::run(args),
        FilesAction::Fix(args) => check::fix(args),
    }
}
