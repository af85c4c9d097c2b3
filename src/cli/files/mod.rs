//! `passmuster files`: Markdown session files, checked, put right, and written.

mod check;
mod corpus;
pub(crate) mod hooks;
mod lsp;
mod tool;

use std::process::ExitCode;

use clap::{Args, Subcommand};

/// Markdown session files for handoff: check them, put them right, write them
#[derive(Debug, Args)]
pub(crate) struct FilesArgs {
    #[command(subcommand)]
    command: FilesAction,
}

#[derive(Debug, Subcommand)]
enum FilesAction {
    Check(check::LintArgs),
    Fix(check::FixArgs),
    #[command(flatten)]
    Tool(tool::ToolAction),
    InstallHooks(hooks::InstallHooks),
    Corpus(corpus::Corpus),
    /// Be the language server of an editor, over standard input and output
    Lsp,
}

/// Runs the command.
pub(crate) fn run(args: &FilesArgs) -> ExitCode {
    match &args.command {
        FilesAction::Check(args) => check::run(args),
        FilesAction::Fix(args) => check::fix(args),
        FilesAction::Tool(action) => tool::run(action),
        FilesAction::InstallHooks(args) => hooks::install(args),
        FilesAction::Corpus(args) => corpus::run(args),
        FilesAction::Lsp => lsp::run(),
    }
}
