//! Judges a recorded trace by the rules for orchestrators: `cargo run --example judge_a_trace -- trace.jsonl`.

use std::fs::File;
use std::io::BufReader;
use std::process::ExitCode;

use passmuster::suites::orchestrator::rules::judge;
use passmuster::trace::jsonl;
use passmuster::trace::settings::Settings;

#[allow(clippy::print_stdout, reason = "it is an example of a program")]
fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("name a trace: a file of JSON lines, as `passmuster record` writes it")?;
    let records = jsonl::read(BufReader::new(File::open(path)?)).collect::<Result<Vec<_>, _>>()?;
    let judgement = judge(&records, &Settings::default());
    for found in &judgement.contradictions {
        println!("{}: {}\n  did: {}\n  known: {}", found.requirement, found.message, found.claimed, found.truth);
    }
    println!("{} requirements had occasion to be judged", judgement.tallies.len());
    Ok(if judgement.contradictions.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
