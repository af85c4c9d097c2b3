//! `passmuster doctor`: is the adapter wired right? A broken adapter says nothing about the system's conformance.

pub(crate) mod diagnosis;
pub(crate) mod examination;
pub(crate) mod life;
pub(crate) mod refusals;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::engine::suite::claims;
use crate::fakes::processes::{ProcFs, become_subreaper};
use crate::profile::{Choice, Profiles};
use crate::suites::SUITES;
use crate::sut::manifest::Manifest;

use super::interrupt;
use diagnosis::Health;
use examination::Examination;

/// Check a manifest: is the adapter wired right?
///
/// Goes through one session's life with a stand-in agent, step by step, and says of each step whether the adapter does
/// its work. Exits 2 where it does not; what is merely odd about the system is for `passmuster verify` to judge.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The manifest
    #[arg(default_value = "passmuster.toml")]
    manifest: PathBuf,
    /// Only read the manifest and look for its programs; start nothing
    #[arg(long)]
    dry_run: bool,
    /// The agents' profiles: spec, measured, or a file
    #[arg(long, value_name = "SET", default_value = "spec")]
    profiles: Choice,
}

/// Runs the command.
pub(crate) fn run(args: &Doctor) -> ExitCode {
    match examined(args) {
        Ok(Some(Health::Sound | Health::Odd)) => ExitCode::SUCCESS,
        Ok(Some(Health::Broken)) => ExitCode::from(2),
        Ok(None) => ExitCode::from(130),
        Err(report) => {
            crate::cli::complain(&report);
            ExitCode::from(2)
        }
    }
}

/// The health found; `None` where the user interrupted.
fn examined(args: &Doctor) -> miette::Result<Option<Health>> {
    let manifest = Manifest::read(&args.manifest, &claims(SUITES)).map_err(|errors| miette::Report::new(*errors))?;
    let profiles = Profiles::load(&args.profiles).map_err(|error| miette::Report::new(*error))?;
    let mut interrupted = interrupt::watch();
    // What the system starts falls to this process, however it forks, and ends with it.
    become_subreaper();
    let mut examination = Examination::new(manifest, profiles);
    if args.dry_run {
        examination.look_only();
    } else {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| miette::miette!("no runtime: {error}"))?;
        let whole = tokio::task::LocalSet::new().block_on(&runtime, async {
            tokio::select! {
                () = examination.examine() => true,
                _ = interrupted.wait_for(|asked| *asked) => false,
            }
        });
        drop(runtime);
        ProcFs::end_descendants_of(std::process::id(), &[]);
        if !whole {
            return Ok(None);
        }
    }
    let (diagnosis, stderr) = examination.finish();
    super::print(&diagnosis.draw(&stderr));
    Ok(Some(diagnosis.health()))
}
