//! Verifies a session manager by the library: `cargo run --example drive_a_manager -- passmuster.toml`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use passmuster::engine::system::ManifestSystem;
use passmuster::engine::{Options, Target, WORKER, prepare, run, run_worker};
use passmuster::profile::{Choice, Profiles};
use passmuster::results::exit_code;
use passmuster::results::model::Event;
use passmuster::suites::SUITES;

#[allow(clippy::print_stdout, reason = "it is an example of a program")]
fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let first = args.next().ok_or("name a manifest; `passmuster init` writes one")?;
    // Each scenario on real processes has a worker process of its own: this program, started again.
    if first == WORKER {
        return Ok(run_worker(SUITES));
    }
    let target = Target::Real(Arc::new(ManifestSystem::read(&PathBuf::from(first), SUITES)?));
    let options = Options::default();
    let planned = prepare(&target, &options).map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
    let outcome = run(&target, planned, &Profiles::load(&Choice::Spec)?, &options, &mut |event| {
        if let Event::ScenarioFinished { result } = event {
            println!("{:?} {}", result.verdict, result.key);
        }
    });
    for finding in outcome.report.scenarios.iter().flat_map(|scenario| &scenario.findings) {
        println!("{}: {}", finding.requirement, finding.message);
    }
    Ok(ExitCode::from(exit_code(&outcome.report, false)))
}
