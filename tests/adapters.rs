//! Manifests in front of real peers: what a person writes becomes what the contract says.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use passmuster::contract::{Announcement, Args, ContractError, ErrorCode, OperationSpec, SESSION_OPERATIONS};
use passmuster::engine::suite::claims;
use passmuster::profile::{Choice, Profiles};
use passmuster::suites::SUITES;
use passmuster::sut::manifest::Manifest;
use passmuster::sut::sandbox::{Sandbox, SandboxOptions};
use passmuster::sut::{CallError, Driver, open};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// Only a broken test waits this long.
const PATIENCE: Duration = Duration::from_secs(60);

fn peer(script: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/peers").join(script)
}

fn sandbox() -> Rc<Sandbox> {
    let options = SandboxOptions {
        id: uuid::Uuid::new_v4().simple().to_string(),
        profiles: Profiles::load(&Choice::Spec).unwrap(),
        passmuster: env!("CARGO_BIN_EXE_passmuster").into(),
        keep: false,
    };
    Rc::new(Sandbox::create(&options).unwrap())
}

fn manifest(text: &str) -> Manifest {
    let text = text.replace("PEERS", &peer("").display().to_string());
    Manifest::parse(Path::new("passmuster.toml"), &format!("[system]\nname = \"peer\"\n{text}"), &claims(SUITES)).unwrap()
}

async fn open_with(text: &str) -> (Box<dyn Driver>, Rc<Sandbox>) {
    let sandbox = sandbox();
    (open(&manifest(text), sandbox.clone()).await.unwrap(), sandbox)
}

async fn refused(text: &str) -> String {
    match open(&manifest(text), sandbox()).await {
        Ok(_) => panic!("it opened"),
        Err(error) => error.to_string(),
    }
}

fn operation(name: &str) -> &'static OperationSpec {
    OperationSpec::find(SESSION_OPERATIONS, name).unwrap()
}

fn args(value: Value) -> Args {
    value.as_object().unwrap().clone()
}

async fn ask(driver: &dyn Driver, name: &str, given: Value) -> Result<Value, CallError> {
    driver.call(operation(name), &args(given)).await.map(Value::Object)
}

fn is(code: ErrorCode) -> impl Fn(&CallError) -> bool {
    move |error| matches!(error, CallError::Contract(ContractError { code: found, .. }) if *found == code)
}

const CLI: &str = "[transport]\nkind = \"cli\"\ncommand = [\"PEERS/cli.py\", \"well\"]\n";
const RPC: &str = "[transport]\nkind = \"rpc\"\ncommand = [\"PEERS/rpc.py\", \"well\"]\n";
const MCP: &str = "[transport]\nkind = \"mcp\"\ncommand = [\"PEERS/mcp.py\", \"well\"]\n";
const RPC_HTTP: &str = "[transport]\nkind = \"rpc\"\nurl = \"http://127.0.0.1:{{ port }}/rpc\"\n\
    [serve]\ncommand = [\"PEERS/rpc.py\", \"well\", \"--http\", \"{{ port }}\"]\nready = { connect = \"127.0.0.1:{{ port }}\" }\n";
const RPC_SOCKET: &str = "[transport]\nkind = \"rpc\"\nsocket = \"{{ sandbox }}/m.sock\"\n\
    [serve]\ncommand = [\"PEERS/rpc.py\", \"well\", \"--socket\", \"{{ sandbox }}/m.sock\"]\nready = { connect = \"{{ sandbox }}/m.sock\" }\n";
const MCP_HTTP: &str = "[transport]\nkind = \"mcp\"\nurl = \"http://127.0.0.1:{{ port }}/mcp\"\n\
    [serve]\ncommand = [\"PEERS/mcp.py\", \"well\", \"--http\", \"{{ port }}\"]\nready = { url = \"http://127.0.0.1:{{ port }}/mcp\" }\n";

/// The same questions have the same answers, however they are asked.
#[rstest]
#[case::cli(CLI)]
#[case::rpc(RPC)]
#[case::rpc_over_http(RPC_HTTP)]
#[case::rpc_over_a_socket(RPC_SOCKET)]
#[case::mcp(MCP)]
#[case::mcp_over_http(MCP_HTTP)]
#[tokio::test]
async fn a_canonical_manager_needs_three_lines(#[case] text: &str) {
    let (driver, _sandbox) = open_with(text).await;
    let started = ask(&*driver, "start_session", json!({"agent":"codex","cwd":"/w","message":"-- it's; $x `y` \"z\"\nü"})).await.unwrap();
    assert_eq!(started, json!({"session_id":"s1"}));
    let list = ask(&*driver, "list_sessions", json!({})).await.unwrap();
    assert_eq!(list, json!({"sessions":[{"session_id":"s1","agent":"codex","status":"running"}]}));
    let data = ask(&*driver, "get_session_data", json!({"session_id":"s1","tail_chars":null})).await.unwrap();
    assert_eq!(data, json!({"text":"hello"}));
    let error = ask(&*driver, "get_session_data", json!({"session_id":"none"})).await.unwrap_err();
    assert_eq!(error, CallError::Contract(ContractError::new(ErrorCode::SessionNotFound, "no session none")));
    assert_eq!(ask(&*driver, "end_session", json!({"session_id":"s1"})).await.unwrap(), json!({}));
    assert_eq!(driver.close().await, Vec::<String>::new());
}

#[rstest]
#[case::cli(CLI, false)]
#[case::rpc(RPC, true)]
#[case::mcp(MCP, true)]
#[tokio::test]
async fn announcements_come_by_themselves(#[case] text: &str, #[case] after_a_call: bool) {
    let (driver, _sandbox) = open_with(&text.replace("well", "announce")).await;
    assert!(driver.announcements().by_stream);
    let (into, mut announced) = mpsc::unbounded_channel();
    driver.subscribe(into).await.unwrap();
    if after_a_call {
        ask(&*driver, "list_sessions", json!({})).await.unwrap();
    }
    for turn in [1, 2] {
        let next = tokio::time::timeout(PATIENCE, announced.recv()).await.unwrap().unwrap();
        assert_eq!(next, Announcement::TurnCompleted { session_id: "s1".into(), turn: Some(turn), status: None });
    }
    driver.close().await;
}

#[tokio::test]
async fn http_brings_no_notifications() {
    let (driver, _sandbox) = open_with(RPC_HTTP).await;
    assert!(!driver.announcements().by_stream && driver.announcements().by_waiting);
    driver.close().await;
}

#[tokio::test]
async fn a_served_manager_is_killed_started_again_and_its_announcements_go_on() {
    let text = RPC_SOCKET.replace("well", "announce");
    let (driver, _sandbox) = open_with(&text).await;
    let (into, mut announced) = mpsc::unbounded_channel();
    driver.subscribe(into).await.unwrap();
    assert!(driver.can_restart());
    driver.restart().await.unwrap();
    ask(&*driver, "list_sessions", json!({})).await.unwrap();
    assert!(tokio::time::timeout(PATIENCE, announced.recv()).await.unwrap().is_some());
    driver.close().await;
}

#[tokio::test]
async fn only_what_is_served_can_be_restarted() {
    for text in [CLI, RPC] {
        let (driver, _sandbox) = open_with(text).await;
        assert!(!driver.can_restart());
        assert!(matches!(driver.restart().await, Err(CallError::Broken { .. })));
        driver.close().await;
    }
}

#[tokio::test]
async fn a_server_that_died_is_named_with_its_status() {
    let (driver, _sandbox) = open_with(&RPC_HTTP.replace("well", "die")).await;
    let error = ask(&*driver, "get_session_data", json!({"session_id":"s1"})).await.unwrap_err();
    assert!(matches!(&error, CallError::Broken { what } if what.contains("http://127.0.0.1:")), "{error}");
    let began = Instant::now();
    let error = ask(&*driver, "list_sessions", json!({})).await.unwrap_err().to_string();
    assert!(error.contains("rpc.py` exited with status 9"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(5));
    driver.close().await;
}

#[rstest]
#[case::a_missing_program(
    "[transport]\nkind = \"rpc\"\ncommand = [\"no-such-manager\"]\n",
    "there is no program `no-such-manager` on the PATH"
)]
#[case::a_server_that_exits("[transport]\nkind = \"rpc\"\ncommand = [\"true\"]\n[transport.env]\nA = \"b\"\n", "")]
#[case::a_set_up_that_fails(
    "[transport]\nkind = \"cli\"\ncommand = [\"true\"]\n[setup]\ncommand = [\"sh\", \"-c\", \"echo no disk >&2; exit 4\"]\n",
    "[setup]: `"
)]
#[case::a_server_that_is_not_there(
    "[transport]\nkind = \"mcp\"\ncommand = [\"sh\", \"-c\", \"echo who am I >&2; exit 1\"]\n",
    "its standard error ended with: who am I"
)]
#[tokio::test]
async fn what_cannot_be_opened_says_why(#[case] text: &str, #[case] why: &str) {
    if why.is_empty() {
        // Without a handshake nothing is said to a server before the first call.
        let (driver, _sandbox) = open_with(text).await;
        let error = ask(&*driver, "list_sessions", json!({})).await.unwrap_err().to_string();
        assert!(error.starts_with("connection closed; `") && error.ends_with("exited with status 0"), "{error}");
        return;
    }
    let error = refused(text).await;
    assert!(error.contains(why), "{error}");
}

#[tokio::test]
async fn set_up_and_teardown_run_in_the_sandbox_with_its_variables() {
    let text = "[transport]\nkind = \"cli\"\ncommand = [\"true\"]\nenv = { STATE = \"{{ sandbox }}/state\" }\n\
        [setup]\nfiles = { \"{{ home }}/.my/config.toml\" = \"port = {{ port }}\" }\n\
        command = [\"sh\", \"-c\", \"mkdir $STATE && cp $HOME/.my/config.toml $STATE/\"]\n\
        [teardown]\ncommand = [\"sh\", \"-c\", \"test ! -e $STATE/config.toml\"]\n";
    let (driver, sandbox) = open_with(text).await;
    let copied = std::fs::read_to_string(sandbox.path().join("state/config.toml")).unwrap();
    assert!(copied.strip_prefix("port = ").unwrap().parse::<u16>().is_ok(), "{copied}");
    let remarks = driver.close().await;
    assert!(remarks[0].starts_with("[teardown]: `") && remarks[0].contains("exited with status 1"), "{remarks:?}");
}

/// A manager that speaks another language: files in a folder, a wait, an undoing.
const FOREIGN: &str = r#"
[transport]
kind = "cli"
[status]
running = ["busy"]
[operations.start_session]
steps = [
  { command = ["sh", "-c", "mkdir w-$1 && echo Spawned w-$1", "sh", "{{ unique }}"], output = { match = '(?m)^Spawned (?P<id>\S+)' }, result = { session_id = "$[0].id" }, undo = [{ command = ["rmdir", "{{ session_id }}"], output = "text" }] },
  { command = ["sh", "-c", "echo x >> tries; test \"$1\" != never && test $(wc -l < tries) -ge 3 && echo ready", "sh", "{{ message }}"], output = "text", when_given = "message", wait = { until = { stdout = "ready" }, timeout = 1.5 }, result = { session_id = "{{ session_id }}" } },
]
[operations.list_sessions]
command = ["sh", "-c", "ls -d w-* || { echo no workers >&2; exit 1; }"]
output = "lines"
empty = { exit = 1, stderr = "no workers" }
result = { sessions = "$[*]" }
each = { session_id = "$", status = "busy" }
[operations.get_session_data]
command = ["sh", "-c", "test -d $1 || exit 7; test $1 = w-1 || exit 4", "sh", "{{ session_id }}"]
output = "text"
result = { text = "$", pending = { exit = 4 } }
errors = { session_not_found = { exit = 7 } }
[operations.send_message]
command = ["sh", "-c", "cat > said"]
stdin = "{{ message }}"
output = "text"
"#;

#[tokio::test]
async fn a_foreign_manager_is_mapped_word_by_word() {
    let (driver, sandbox) = open_with(FOREIGN).await;
    assert_eq!(ask(&*driver, "list_sessions", json!({})).await.unwrap(), json!({"sessions":[]}));
    let started = ask(&*driver, "start_session", json!({"agent":"codex","cwd":"/w"})).await.unwrap();
    let id = started["session_id"].clone();
    assert!(id.as_str().unwrap().starts_with("w-"), "{started}");
    assert_eq!(ask(&*driver, "list_sessions", json!({})).await.unwrap(), json!({"sessions":[{"session_id":id,"status":"running"}]}));
    assert_eq!(ask(&*driver, "get_session_data", json!({"session_id":id})).await.unwrap()["pending"], true);
    let error = ask(&*driver, "get_session_data", json!({"session_id":"w-none"})).await.unwrap_err();
    assert!(is(ErrorCode::SessionNotFound)(&error), "{error}");
    ask(&*driver, "send_message", json!({"session_id":id,"message":"it's\n$HOME"})).await.unwrap();
    assert_eq!(std::fs::read_to_string(sandbox.path().join("said")).unwrap(), "it's\n$HOME");
    let error = ask(&*driver, "end_session", json!({"session_id":id})).await.unwrap_err();
    assert_eq!(error, CallError::Broken { what: "the manifest maps no `end_session`".to_owned() });
}

#[tokio::test]
async fn a_wait_asks_again_until_it_is_so() {
    let (driver, sandbox) = open_with(FOREIGN).await;
    ask(&*driver, "start_session", json!({"agent":"codex","cwd":"/w","message":"hi"})).await.unwrap();
    assert_eq!(std::fs::read_to_string(sandbox.path().join("tries")).unwrap(), "x\nx\nx\n");
}

#[tokio::test]
async fn a_step_that_fails_undoes_the_ones_before_it() {
    let (driver, _sandbox) = open_with(FOREIGN).await;
    let error = ask(&*driver, "start_session", json!({"agent":"codex","cwd":"/w","message":"never"})).await.unwrap_err();
    assert!(matches!(error, CallError::NotSeen { waited_s: 1.5, .. }), "{error:?}");
    let said = error.to_string();
    assert!(said.starts_with("waited 1.5 s for { ") && said.contains("(the manifest's `wait`), saw exit status "), "{said}");
    assert_eq!(ask(&*driver, "list_sessions", json!({})).await.unwrap(), json!({"sessions":[]}));
}

#[tokio::test]
async fn announcements_in_a_file_are_filtered_and_translated() {
    let text = format!(
        "{CLI}[events.turn_completed]\nfile = \"{{{{ sandbox }}}}/events.jsonl\"\n\
         when = \"$[?@.type == 'turn_done']\"\nresult = {{ session_id = \"$.id\" }}\n"
    );
    let (driver, sandbox) = open_with(&text).await;
    let (into, mut announced) = mpsc::unbounded_channel();
    driver.subscribe(into).await.unwrap();
    std::fs::write(sandbox.path().join("events.jsonl"), "{\"type\":\"noise\"}\nnot json\n{\"type\":\"turn_done\",\"id\":7}\n").unwrap();
    let next = tokio::time::timeout(PATIENCE, announced.recv()).await.unwrap().unwrap();
    assert_eq!(next, Announcement::TurnCompleted { session_id: "7".into(), turn: None, status: None });
    assert_eq!(driver.close().await, ["the system sent a line that is not a JSON object: `not json`"]);
}

#[tokio::test]
async fn announcements_that_cannot_be_read_are_counted() {
    let text = format!("{CLI}[events.turn_completed]\nfile = \"{{{{ sandbox }}}}/events.jsonl\"\nresult = {{ session_id = \"$.id\" }}\n");
    let (driver, sandbox) = open_with(&text).await;
    let (into, mut announced) = mpsc::unbounded_channel();
    driver.subscribe(into).await.unwrap();
    assert_eq!(driver.unread(), None);
    std::fs::write(sandbox.path().join("events.jsonl"), "{\"of\":7}\n{\"id\":7}\n").unwrap();
    tokio::time::timeout(PATIENCE, announced.recv()).await.unwrap().unwrap();
    assert_eq!(driver.unread().unwrap(), "1 announcement could not be read: missing field `session_id`");
    driver.close().await;
}

#[tokio::test]
async fn a_stream_that_does_not_begin_is_an_error() {
    let text = format!(
        "{CLI}[events.turn_completed]\ncommand = [\"sh\", \"-c\", \"exit 3\"]\nready = {{ stdout = \"following\" }}\nresult = {{ session_id = \"$.id\" }}\n"
    );
    let (driver, _sandbox) = open_with(&text).await;
    let error = driver.subscribe(mpsc::unbounded_channel().0).await.unwrap_err().to_string();
    assert!(error.contains("closed its output before it was ready"), "{error}");
}

#[tokio::test]
async fn a_wait_for_events_is_given_the_time_it_asks_for() {
    let text = format!("{CLI}[limits]\ncall = 0.2\n").replace("well", "hang").replace("get_session_data", "");
    let (driver, _sandbox) = open_with(&text).await;
    let error = ask(&*driver, "get_session_data", json!({"session_id":"s1"})).await.unwrap_err();
    assert_eq!(error, CallError::TimedOut { limit_ms: 200 });
    assert!(ask(&*driver, "wait_events", json!({"timeout_s":30})).await.is_ok());
}
