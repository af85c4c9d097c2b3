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
    Http,
}

/// Runs the command.
pub(crate) fn run(args: &Init) -> ExitCode {
    let path = args.output.display();
    match written(args) {
        Ok(()) => {
            super::print(&format!("wrote {path}; next: `passmuster doctor {path}`, then `passmuster verify {path}`\n"));
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

/// How one maps every operation, over each transport: a manifest's tables, as they would be without the marks of comments.
const CLI: &str = r#"[operations.start_session]
command = ["my-manager", "new", "--tool", "{{ agent_command }}", "--dir", "{{ cwd }}", ["--title", "{{ title }}"], "{{ message }}"]
output = "json"                           # json | lines | text | { match = 'regex with (?P<names>…)' }
result = { session_id = "$.id" }
errors.unknown_agent = { exit = 2, stderr = "no such tool" }
errors.invalid_argument = { stderr = "no such folder" }

[operations.list_sessions]
command = ["my-manager", "ls", "--json"]
result = { sessions = "$[*]" }
each = { session_id = "$.id", agent = "$.tool", status = "$.state", cwd = "$.dir" }

[operations.get_session_data]
command = ["my-manager", "log", "{{ session_id }}", ["--tail", "{{ tail_chars }}"]]
output = "text"
result = { text = "$" }
errors.session_not_found = { stderr = "no such session" }   # first match wins

[operations.send_message]
command = ["my-manager", "send", "{{ session_id }}", "{{ message }}"]
errors.session_not_found = { stderr = "no such session" }

[operations.end_session]
command = ["my-manager", "kill", "{{ session_id }}"]
errors.session_not_found = { stderr = "no such session" }

[events.turn_completed]
command = ["my-manager", "follow"]         # prints JSON lines
when = "$[?@.type == 'done']"
result = { session_id = "$.id" }
"#;

const RPC: &str = r#"[operations.start_session]
method = "thread/start"
params = { tool = "{{ agent_command }}", cwd = "{{ cwd }}", title = "{{ title }}", prompt = "{{ message }}" }
result = { session_id = "$.thread.id" }
errors.unknown_agent = { code = "-32000", message = "no such tool" }
errors.invalid_argument = { message = "no such folder" }

[operations.list_sessions]
method = "thread/list"
result = { sessions = "$.threads[*]" }
each = { session_id = "$.id", agent = "$.tool", status = "$.state", cwd = "$.cwd" }

[operations.get_session_data]
method = "thread/read"
params = { id = "{{ session_id }}", tail = "{{ tail_chars }}" }
result = { text = "$.messages[*].text" }
errors.session_not_found = { message = "no such thread" }   # first match wins

[operations.send_message]
method = "thread/send"
params = { id = "{{ session_id }}", text = "{{ message }}" }
errors.session_not_found = { message = "no such thread" }

[operations.end_session]
method = "thread/end"
params = { id = "{{ session_id }}" }
errors.session_not_found = { message = "no such thread" }

[events.turn_completed]
method = "turn/completed"
result = { session_id = "$.threadId" }
"#;

const MCP: &str = r#"[operations.start_session]
tool = "create-session"
arguments = { tool = "{{ agent_command }}", workdir = "{{ cwd }}", title = "{{ title }}", prompt = "{{ message }}" }
result = { session_id = "$.id" }
errors.unknown_agent = { message = "no such tool" }
errors.invalid_argument = { message = "no such folder" }

[operations.list_sessions]
tool = "list-sessions"
result = { sessions = "$.sessions[*]" }
each = { session_id = "$.id", agent = "$.tool", status = "$.state", cwd = "$.workdir" }

[operations.get_session_data]
tool = "read-session"
arguments = { id = "{{ session_id }}", tail = "{{ tail_chars }}" }
result = { text = "$.output" }
errors.session_not_found = { message = "no such session" }   # first match wins

[operations.send_message]
tool = "send"
arguments = { id = "{{ session_id }}", text = "{{ message }}" }
errors.session_not_found = { message = "no such session" }

[operations.end_session]
tool = "kill-session"
arguments = { id = "{{ session_id }}" }
errors.session_not_found = { message = "no such session" }
"#;

const HTTP: &str = r#"[operations.start_session]
path = "/sessions"
body = { tool = "{{ agent_command }}", dir = "{{ cwd }}", title = "{{ title }}", prompt = "{{ message }}" }   # makes it a POST
result = { session_id = "$.id" }
errors.unknown_agent = { status = 400, message = "no such tool" }
errors.invalid_argument = { status = 400 }

[operations.list_sessions]
path = "/sessions"
result = { sessions = "$[*]" }
each = { session_id = "$.id", agent = "$.tool", status = "$.state", cwd = "$.dir" }

[operations.get_session_data]
path = "/sessions/{{ session_id | urlencode }}/output"
query = { tail = "{{ tail_chars }}" }
result = { text = "$.output" }
errors.session_not_found = { status = 404 }   # first match wins

[operations.send_message]
path = "/sessions/{{ session_id | urlencode }}/messages"
body = { text = "{{ message }}" }
errors.session_not_found = { status = 404 }

[operations.end_session]
method = "DELETE"
path = "/sessions/{{ session_id | urlencode }}"
errors.session_not_found = { status = 404 }

[events.turn_completed]
sse = "/events"                            # server-sent events: JSON objects
when = "$[?@.type == 'done']"
result = { session_id = "$.id" }
"#;

/// Lines as comments.
fn commented(lines: &str) -> String {
    lines.lines().map(|line| format!("# {line}").trim_end().to_owned() + "\n").collect()
}

fn starter(kind: StarterKind) -> String {
    let (transport, example) = match kind {
        StarterKind::Cli => {
            ("kind = \"cli\"\ncommand = [\"my-manager\"]                    # the program, and arguments that come before each verb\n", CLI)
        }
        StarterKind::Rpc => (
            "kind = \"rpc\"\ncommand = [\"my-manager\", \"rpc\"]             # a server on standard input and output\n# instead: socket = \"{{ sandbox }}/run/m.sock\"  or  url = \"http://127.0.0.1:{{ port }}/\", with [serve]\n",
            RPC,
        ),
        StarterKind::Mcp => (
            "kind = \"mcp\"\ncommand = [\"my-manager\", \"mcp\"]             # a server on standard input and output\n# instead: url = \"http://127.0.0.1:{{ port }}/mcp\", with [serve]\n",
            MCP,
        ),
        StarterKind::Http => (
            "kind = \"http\"\nurl = \"http://127.0.0.1:{{ port }}\"           # where every path begins; the server is started by [serve]\n# headers = { Authorization = \"Bearer secret\" }\n",
            HTTP,
        ),
    };
    let operation = commented(example);
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
         # Commands run in the sandbox: a script beside this file is meant by its name (\"mgr.py\"), or by \"{{{{ manifest_dir }}}}/mgr.py\".\n\
         # env = {{ MY_STATE = \"{{{{ sandbox }}}}/state\" }}      # everything it keeps belongs into the sandbox\n\
         \n\
         # A manager that speaks the canonical front needs nothing more. Otherwise map words to words; as soon as one\n\
         # operation is mapped, those that are not are not offered (`canonical = true` in [transport] keeps them).\n\
         {operation}\
         \n\
         # [status]                                      # your words for the contract's\n\
         # starting = [\"booting\"]\n\
         # running = [\"active\", \"busy\"]\n\
         # waiting = [\"idle\"]\n\
         # stopped = [\"exited\", \"dead\"]\n\
         # ended = [\"closed\"]\n\
         \n\
         # An operation of several calls: `when_given` leaves one out where its variable is absent, `result` is that of the last\n\
         # that is made, `undo` takes back what the first ones did where a later one fails.\n\
         # [operations.start_session]\n\
         # steps = [ …, {{ …, when_given = \"message\" }} ]\n\
         # result = {{ session_id = \"{{{{ session_id }}}}\" }}\n\
         # undo = [ … ]\n\
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
    use crate::contract::SESSION_OPERATIONS;
    use crate::engine::suite::claims;
    use crate::suites::SUITES;
    use crate::sut::manifest::Manifest;

    #[test]
    fn what_a_starter_shows_in_comments_is_right_and_maps_every_operation_that_is_owed() {
        for (kind, example) in [(StarterKind::Cli, CLI), (StarterKind::Rpc, RPC), (StarterKind::Mcp, MCP), (StarterKind::Http, HTTP)] {
            let text = format!("{}\n{example}", starter(kind));
            let manifest = Manifest::parse("passmuster.toml".as_ref(), &text, &claims(SUITES))
                .unwrap_or_else(|errors| panic!("{:?}", miette::Report::new(*errors)));
            let owed = SESSION_OPERATIONS.iter().filter(|operation| !operation.optional);
            let missing: Vec<&str> = owed.map(|operation| operation.name).filter(|name| !manifest.operations.contains_key(*name)).collect();
            assert_eq!(missing, Vec::<&str>::new(), "{kind:?}");
        }
    }

    #[test]
    fn starters_are_manifests() {
        for kind in [StarterKind::Cli, StarterKind::Rpc, StarterKind::Mcp, StarterKind::Http] {
            let text = starter(kind);
            Manifest::parse("passmuster.toml".as_ref(), &text, &claims(SUITES))
                .unwrap_or_else(|errors| panic!("{:?}", miette::Report::new(*errors)));
        }
        insta::assert_snapshot!("a_starter_for_cli", starter(StarterKind::Cli));
        insta::assert_snapshot!("a_starter_for_rpc", starter(StarterKind::Rpc));
        insta::assert_snapshot!("a_starter_for_mcp", starter(StarterKind::Mcp));
        insta::assert_snapshot!("a_starter_for_http", starter(StarterKind::Http));
    }
}
