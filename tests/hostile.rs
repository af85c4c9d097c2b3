//! Managers that go wild, over each transport: every run ends within its limits with a verdict that is right, takes little
//! memory, leaves nothing, and its reports stay reports.

mod support;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use passmuster::results::model::{ScenarioResult, Verdict};
use pulldown_cmark::Event as Markdown;
use rstest::rstest;
use support::{PATIENCE, Place};

use Verdict::{Blocked, CouldNotTest, Failed, Passed};

/// The most memory that a process of a run may take.
const MEMORY_KB: i64 = 300_000;

/// Runs at a time: they mostly wait.
const AT_ONCE: usize = 8;

const CREATE: &str = "lifecycle/creation/starting-a-session-answers-an-id[codex]";
const OBSERVE: &str = "lifecycle/observability/a-session-becomes-observable-at-its-phase[codex]";
const SEND: &str = "lifecycle/messages/a-message-to-a-session-that-never-was-is-refused";
const END: &str = "lifecycle/cleanup/ending-a-session-ends-its-agent[codex]";
const ANNOUNCE: &str = "codex-observability/completion/a-turn-s-completion-is-announced-once-and-not-early";

/// A way of going wild (fixtures/peers/wild.py), a scenario, its verdict, and what the report says of it.
type Row = (&'static str, &'static str, Verdict, &'static str);

/// What is the same over every transport.
const EVERYWHERE: &[Row] = &[
    ("hang@start_session", CREATE, Failed, "LC-CREATE-1: start_session was answered with `no answer`"),
    ("hang@list_sessions", OBSERVE, Blocked, "list_sessions: no answer within 5000 ms"),
    ("hang@get_session_data", OBSERVE, Failed, "LC-OBS-1: session \"A\" is not observable: reading it gives `no answer`"),
    ("hang@send_message", SEND, Failed, "LC-SEND-2: send_message was answered with `no answer`"),
    ("hang@end_session", END, Failed, "LC-CLEAN-1: end_session was answered with `no answer`"),
    ("hang@wait_events", ANNOUNCE, Failed, "CX-3: turn 1 of session \"A\" was never announced"),
    ("stop", CREATE, Failed, "no answer within"),
    ("garbage", CREATE, Failed, "`garbage`"),
    ("garbage@list_sessions", OBSERVE, Blocked, "list_sessions"),
    ("garbage@wait_events", ANNOUNCE, Failed, "CX-3"),
    ("half", CREATE, Failed, "no answer within"),
    ("deep", CREATE, Failed, "`garbage`"),
    ("latin", CREATE, Failed, "`garbage`"),
    ("complain", END, Passed, ""),
    ("fork_away", END, Passed, ""),
];

/// What an answer says is the same whatever carries it: looked at over two transports.
const VALUES: &[Row] = &[
    ("huge", CREATE, Failed, "longer than"),
    ("wrong_types@list_sessions", OBSERVE, Blocked, "`sessions`"),
    ("null", CREATE, Failed, "`garbage`"),
    ("list", CREATE, Failed, "`session_id` is missing"),
    ("hostile_text", OBSERVE, Passed, ""),
    ("hostile_error", CREATE, Failed, "LC-CREATE-1: start_session was answered with `session_not_found`"),
    ("unknown_error", CREATE, Failed, "LC-CREATE-1: start_session was answered with"),
    ("long_error", CREATE, Failed, "LC-CREATE-1"),
    ("empty_id", CREATE, Failed, "LC-CREATE-1: the session id is empty"),
    ("heavy@get_session_data", OBSERVE, Failed, "LC-OBS-1: session \"A\" is not observable: reading it gives `garbage`"),
    ("many", OBSERVE, Blocked, "list_sessions: "),
    ("flood", ANNOUNCE, Failed, "CX-3"),
    ("odd_events", ANNOUNCE, Failed, "CX-3"),
    ("id_path", END, Passed, ""),
    ("id_flag", END, Passed, ""),
    ("id_newline", END, Passed, ""),
    ("id_ansi", END, Passed, ""),
];

/// What ends a command is an answer.
const COMMANDS: &[Row] = &[
    ("half_then_exit", CREATE, Failed, "exit status 5"),
    ("die", CREATE, Failed, "exit status 137"),
    ("close", CREATE, Failed, "no answer within"),
    ("lines", CREATE, Failed, "longer than"),
    ("parricide", CREATE, CouldNotTest, "the scenario's worker process was killed by signal 9"),
    ("id_nul", END, Failed, "an argument holds a NUL"),
    ("id_long", END, Failed, "Argument list too long"),
];

/// What ends a server ends the connection: nothing can be tested over it.
const STREAMS: &[Row] = &[
    ("half_then_exit", CREATE, CouldNotTest, "exited with status 5"),
    ("die", CREATE, CouldNotTest, "was killed by signal 9"),
    ("die@end_session", END, Failed, "LC-CLEAN-1"),
    ("close", CREATE, CouldNotTest, "still runs"),
    ("exit_after", END, Failed, "LC-CLEAN-1"),
    ("lines", CREATE, Failed, "`garbage`"),
    ("twice", END, Passed, ""),
    ("stranger", CREATE, Failed, "LC-CREATE-1"),
    ("parricide", CREATE, CouldNotTest, "the scenario's worker process was killed by signal 9"),
    ("chatter", END, Passed, ""),
    ("id_nul", END, Passed, ""),
    ("id_long", END, Passed, ""),
];

/// A server that is reached by an address.
const SERVERS: &[Row] = &[
    ("hang@start_session", CREATE, Failed, "no answer within"),
    ("huge", CREATE, Failed, "longer than"),
    ("many", OBSERVE, Blocked, "list_sessions"),
    ("deep", CREATE, Failed, "LC-CREATE-1"),
    ("hostile_error", CREATE, Failed, "LC-CREATE-1"),
    ("id_ansi", END, Passed, ""),
    ("fork_away", END, Passed, ""),
];

#[rstest]
#[case::cli("cli", &[EVERYWHERE, VALUES, COMMANDS])]
#[case::rpc("rpc", &[EVERYWHERE, STREAMS])]
#[case::mcp("mcp", &[EVERYWHERE, VALUES, STREAMS])]
#[case::rpc_over_a_socket("rpc --socket", &[SERVERS])]
#[case::mcp_over_http("mcp --http", &[SERVERS])]
fn a_manager_that_goes_wild_over(#[case] front: &str, #[case] tables: &[&[Row]]) {
    let (rows, wrong) = (tables.concat(), Mutex::new(Vec::new()));
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
            wrong.lock().unwrap().extend(ran(front, *row).err().map(|what| format!("{}: {what}", row.0)));
        }
    };
    std::thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(work))));
    assert_eq!(wrong.into_inner().unwrap(), Vec::<String>::new());
    assert!(most_memory_kb() < MEMORY_KB, "a process took {} kB", most_memory_kb());
}

/// Runs one row; says what was not as it says.
fn ran(front: &str, (way, scenario, verdict, says): Row) -> Result<(), String> {
    let place = Place::new();
    let mut command = place.verify(&place.manifest(&manifest(front, way)));
    command.args(["--scenario", scenario, "--no-control", "--format", "plain", "--time-limit", "30"]);
    let output = command.output().unwrap();
    place.is_left_empty(PATIENCE);
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    let (report, junit, markdown) = (place.report(), place.junit(), std::fs::read_to_string(place.file("markdown")).unwrap());
    for text in [said.as_str(), &markdown, &std::fs::read_to_string(place.file("json")).unwrap()] {
        harmless(text)?;
    }
    if junit.tests < report.scenarios.len() {
        return Err(format!("{} cases in JUnit", junit.tests));
    }
    if let Some(html) = pulldown_cmark::Parser::new(&markdown).find(|event| matches!(event, Markdown::Html(_) | Markdown::InlineHtml(_))) {
        return Err(format!("{html:?} in Markdown"));
    }
    let [result] = report.scenarios.as_slice() else { return Err(format!("{} results", report.scenarios.len())) };
    let code = match verdict {
        Passed => 0,
        Failed => 1,
        _ => 2,
    };
    let told = told(result);
    if result.verdict != verdict || output.status.code() != Some(code) || !told.contains(says) {
        return Err(format!("{:?}, exit {:?}: {told}", result.verdict, output.status.code()));
    }
    Ok(())
}

fn manifest(front: &str, way: &str) -> String {
    let wild = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/peers/wild.py").display().to_string();
    let (kind, at) = front.split_once(" --").unwrap_or((front, ""));
    let (reached, served) = match at {
        "socket" => ("socket = \"{{ sandbox }}/m.sock\"", "{{ sandbox }}/m.sock"),
        "http" => ("url = \"http://127.0.0.1:{{ port }}/mcp\"", "{{ port }}"),
        _ => ("", ""),
    };
    let command = format!("[\"{wild}\", \"{kind}\", \"{way}\"");
    let (transport, serve) = match at {
        "" => (format!("command = {command}]"), String::new()),
        _ => {
            let address = if at == "http" { "127.0.0.1:{{ port }}" } else { served };
            (
                reached.to_owned(),
                format!("[serve]\ncommand = {command}, \"--{at}\", \"{served}\"]\nready = {{ connect = \"{address}\" }}\n"),
            )
        }
    };
    // What only a limit ends is given little; what is to be answered may be slow on a busy machine.
    let ends_by_limit = ["hang", "stop", "half", "close", "garbage", "latin", "lines", "stranger"];
    let call = match way.split_once('@') {
        None if ends_by_limit.contains(&way) => 2.5,
        Some((way, _)) if ends_by_limit.contains(&way) => 5.0,
        _ => 15.0,
    };
    format!(
        "[system]\nname = \"wild\"\nsuites = [\"lifecycle\", \"codex-observability\"]\nagents = [\"codex\"]\n\
         [transport]\nkind = \"{kind}\"\n{transport}\nenv = {{ MANAGER_STATE = \"{{{{ sandbox }}}}/state\" }}\n{serve}\
         [limits]\ncall = {call:?}\nobserve = 2.0\nannounce = 1.0\nend = 1.0\n"
    )
}

/// Nothing in a text moves the cursor, turns the direction of writing or commands a CI system.
fn harmless(text: &str) -> Result<(), String> {
    match text.chars().find(|c| (c.is_control() && *c != '\n') || matches!(c, '\u{202e}' | '\u{2028}' | '\u{feff}')) {
        Some(c) => Err(format!("{c:?} gets through")),
        None if text.lines().any(|line| line.trim_start().starts_with("::")) => Err("a command to a CI system gets through".into()),
        None => Ok(()),
    }
}

/// Everything that a result says: its reason, and its findings.
fn told(result: &ScenarioResult) -> String {
    let findings = result.findings.iter().map(|found| format!("{}: {} ({})", found.requirement, found.message, found.claimed));
    result.reason.iter().cloned().chain(findings).collect::<Vec<_>>().join("\n")
}

/// The most memory that any process took that this one waited for, theirs included.
#[allow(unsafe_code)]
fn most_memory_kb() -> i64 {
    // SAFETY: `rusage` is plain integers, which may be zero, and the call writes to nothing else.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: as above; the pointer is to a live value of the right type.
    assert_eq!(unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage) }, 0);
    usage.ru_maxrss
}
