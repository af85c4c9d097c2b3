//! `passmuster man`: manual pages, one for each command.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory as _};

use super::Cli;

/// Write manual pages, one for each command
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The folder to write them into: `share/man/man1` of where passmuster is installed
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

/// Runs the command.
pub(crate) fn run(args: &Man) -> ExitCode {
    match written(&args.out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: the manual pages cannot be written: {error}", args.out.display());
            ExitCode::from(2)
        }
    }
}

fn written(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Cli::command(), folder)
}
