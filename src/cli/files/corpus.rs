//! `passmuster files corpus`: session files that are made, for those who test what checks them.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use crate::suites::session_files::corpus::write_corpus;

/// Make session files: conforming ones in every style, and ones with one thing broken, for those who test linters
#[derive(Debug, Args)]
pub(crate) struct Corpus {
    /// A new folder: repositories `conforming` and `broken`, and `expected.json`, which says what is broken where
    folder: PathBuf,
    /// The same seed and time make the same files
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many of each
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    count: u32,
    /// The time at which the conforming ones conform (RFC 3339)
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,
}

/// Runs the command.
pub(crate) fn run(args: &Corpus) -> ExitCode {
    match write_corpus(&args.folder, args.seed, args.count as usize, args.now.unwrap_or_else(Timestamp::now)) {
        Ok(size) => {
            super::super::print(&format!("{}: {} conforming, {} broken\n", args.folder.display(), size.conforming, size.broken));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}: {error}", args.folder.display());
            ExitCode::from(2)
        }
    }
}
