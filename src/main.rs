//! The `passmuster` binary: parse, run, exit code. Under an agent's name it is that agent's stand-in.

use std::path::Path;
use std::process::ExitCode;

use passmuster::contract::AgentKind;

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    let name = args.next().unwrap_or_default();
    let name = Path::new(&name).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    match name.parse::<AgentKind>() {
        Ok(agent) => passmuster::fakes::standin::run(agent, args.collect()),
        Err(_) => passmuster::cli::main(),
    }
}
