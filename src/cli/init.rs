//! `passmuster init`: a commented starter manifest, and beside it the schema by which an editor checks and completes it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::docgen::schemas::Published;

/// The schema's file, beside the manifest: an editor needs no network, and has the version that reads the manifest.
const SCHEMA: &str = "passmuster.schema.json";

/// Write a commented starter passmuster.toml
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// What the session manager speaks
    kind: StarterKind,
    /// Where to write it
    #[arg(short, long, value_name = "FILE", default_value = "passmuster.toml")]
    output: PathBuf,
    /// Overwrite a file that is there
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StarterKind {
    Cli,
    Rpc,
    Mcp,
}

/// Runs the command.
pub(crate) fn run(args: &Init) -> ExitCode {
    let path = args.output.display();
    match written(args) {
        Ok(()) => {
            println!("wrote {path}; next: `passmuster doctor {path}`, then `passmuster verify {path}`");
            ExitCode::SUCCESS
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            eprintln!("{path} is there already: name another with -o, or overwrite it with --force");
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::from(2)
        }
    }
}

fn written(args: &Init) -> io::Result<()> {
    let mut options = File::options();
    options.write(true).truncate(true);
    if args.force {
        options.create(true)
    } else {
        options.create_new(true)
    };
    options.open(&args.output)?.write_all(starter(args.kind).as_bytes())?;
    let schema = Published::find("manifest").expect("the table has it");
    fs::write(args.output.with_file_name(SCHEMA), schema.text())
}

fn starter(kind: StarterKind) -> String {
    let (transport, operation) = match kind {
        StarterKind::Cli => (
            "kind = \"cli\"\ncommand = [\"my-manager\"]                    # the program, and arguments that come before each verb\n",
            "# [operations.start_session]\n# command = [\"my-manager\", \"new\", \"--tool\", \"{{ agent_command }}\", [\"--title\", \"{{ title }}\"], \"{{ message }}\"]\n# output = \"json\"                           # json | lines | text | { match = 'regex with (?P<names>…)' }\n# result = { session_id = \"$.id\" }\n#\n# [operations.get_session_data.errors]       # first match wins\n# session_not_found = { stderr = \"no such session\" }\n",
        ),
        StarterKind::Rpc => (
            "kind = \"rpc\"\ncommand = [\"my-manager\", \"rpc\"]             # a server on standard input and output\n# instead: socket = \"{{ sandbox }}/run/m.sock\"  or  url = \"http://127.0.0.1:{{ port }}/\", with [serve]\n",
            "# [operations.start_session]\n# method = \"thread/start\"\n# params = { cwd = \"{{ cwd }}\", prompt = \"{{ message }}\" }\n# result = { session_id = \"$.thread.id\" }\n#\n# [events.turn_completed]\n# method = \"turn/completed\"\n# result = { session_id = \"$.threadId\" }\n",
        ),
        StarterKind::Mcp => (
            "kind = \"mcp\"\ncommand = [\"my-manager\", \"mcp\"]             # a server on standard input and output\n# instead: url = \"http://127.0.0.1:{{ port }}/mcp\", with [serve]\n",
            "# [operations.start_session]\n# tool = \"create-session\"\n# arguments = { workdir = \"{{ cwd }}\", prompt = \"{{ message }}\" }\n# result = { session_id = \"$.id\" }\n",
        ),
    };
    format!(
        "#:schema ./{SCHEMA}\n\
         # What passmuster has to know of your session manager. `passmuster doctor` says whether it is right.\n\
         [system]\n\
         name = \"my-manager\"\n\
         suites = [\"lifecycle\", \"codex-observability\"]   # what it claims to conform to\n\
         # agents = [\"claude\", \"codex\", \"gemini\"]        # default: all three\n\
         # processes = \"session\"                         # one agent process per: session | turn | shared\n\
         \n\
         [transport]\n\
         {transport}\
         # env = {{ MY_STATE = \"{{{{ sandbox }}}}/state\" }}      # everything it keeps belongs into the sandbox\n\
         \n\
         # A manager that speaks the canonical front needs nothing more. Otherwise map words to words; as soon as one\n\
         # operation is mapped, those that are not are not offered (`canonical = true` in [transport] keeps them).\n\
         {operation}\
         \n\
         # [status]                                      # your words for the contract's\n\
         # running = [\"active\", \"busy\"]\n\
         \n\
         # [serve]                                       # a long-running process, started before the first call\n\
         # command = [\"my-manager\", \"daemon\", \"--port\", \"{{{{ port }}}}\"]\n\
         # ready = {{ connect = \"127.0.0.1:{{{{ port }}}}\" }}\n\
         \n\
         # [limits]                                      # seconds; outer bounds, never waited for when the event comes earlier\n\
         # call = 10.0\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::suite::claims;
    use crate::suites::SUITES;
    use crate::sut::manifest::Manifest;

    #[test]
    fn starters_are_manifests() {
        for kind in [StarterKind::Cli, StarterKind::Rpc, StarterKind::Mcp] {
            let text = starter(kind);
            Manifest::parse("passmuster.toml".as_ref(), &text, &claims(SUITES))
                .unwrap_or_else(|errors| panic!("{:?}", miette::Report::new(*errors)));
        }
        insta::assert_snapshot!("a_starter_for_cli", starter(StarterKind::Cli));
        insta::assert_snapshot!("a_starter_for_rpc", starter(StarterKind::Rpc));
        insta::assert_snapshot!("a_starter_for_mcp", starter(StarterKind::Mcp));
    }
}
