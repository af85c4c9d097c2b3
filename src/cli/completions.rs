//! `passmuster completions`: what a shell needs to complete passmuster's command line.

use std::process::ExitCode;

use clap::builder::{Resettable, Str};
use clap::{Args, Command, CommandFactory as _};
use clap_complete::Shell;

use super::Cli;

/// Print a script by which your shell completes passmuster's commands
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Which shell
    shell: Shell,
}

/// Runs the command.
pub(crate) fn run(args: &Completions) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut for_people(&Cli::command()), "passmuster", &mut script);
    super::print(&String::from_utf8(script).expect("a script is text"));
    ExitCode::SUCCESS
}

/// A command without what is hidden below it: scripts would offer that as well.
fn for_people(command: &Command) -> Command {
    Command::new(command.get_name().to_owned())
        .version(Resettable::from(command.get_version().map(|version| Str::from(version.to_owned()))))
        .about(Resettable::from(command.get_about().cloned()))
        .visible_aliases(command.get_visible_aliases().map(str::to_owned).collect::<Vec<_>>())
        .args(command.get_arguments().filter(|argument| !argument.is_hide_set()))
        .subcommands(command.get_subcommands().filter(|below| !below.is_hide_set()).map(for_people))
}
