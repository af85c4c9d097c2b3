//! `passmuster schema`: the JSON Schemas of the files that people write and other programs read.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::docgen::schemas::{Published, SCHEMAS, stale, write};

/// Exit code where the schemas cannot be written.
const UNWRITTEN: u8 = 2;

/// Print the JSON Schema of a file: for editors, and for programs that read reports and traces
#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// Which schema
    #[arg(required_unless_present_any = ["write", "check"], value_parser = PossibleValuesParser::new(SCHEMAS.iter().map(|schema| clap::builder::PossibleValue::new(schema.name).help(schema.about))))]
    name: Option<String>,
    /// Write all of them into this folder
    #[arg(long, value_name = "FOLDER", conflicts_with = "name")]
    write: Option<PathBuf>,
    /// Fail where this folder has not all of them as they are now
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["name", "write"])]
    check: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: &Schema) -> ExitCode {
    match (&args.name, &args.write, &args.check) {
        (_, Some(folder), _) => written(folder),
        (_, _, Some(folder)) => checked(folder),
        (Some(name), ..) => {
            super::print(&Published::find(name).expect("the command line was checked").text());
            ExitCode::SUCCESS
        }
        (None, None, None) => unreachable!("the command line was checked"),
    }
}

fn written(folder: &Path) -> ExitCode {
    match write(folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: the schemas cannot be written: {error}", folder.display());
            ExitCode::from(UNWRITTEN)
        }
    }
}

fn checked(folder: &Path) -> ExitCode {
    let stale: Vec<_> = stale(folder).map(|schema| folder.join(schema.file())).collect();
    for file in &stale {
        eprintln!("{} is not current: `passmuster schema --write {}`", file.display(), folder.display());
    }
    ExitCode::from(u8::from(!stale.is_empty()))
}
