//! The drivers against real peers that answer well and badly: every call ends within its limit, memory stays bounded,
//! nothing is left running.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use passmuster::sut::serve::{Readiness, ServePlan, ServedProcess};
use passmuster::sut::transports::mcp::link::McpRoute;
use passmuster::sut::transports::process::Commands;
use passmuster::sut::transports::process::ProcessLaunch;
use passmuster::sut::transports::rpc::link::Endpoint;
use passmuster::sut::transports::rpc::link::{RpcRoute, WireGreeting};
use passmuster::sut::transports::transport::{Connected, Ears, Raw, Route, WireCall};
use passmuster::sut::transports::wire::Oddities;
use passmuster::sut::{CallError, Tail};
use rstest::rstest;
use serde_json::{Value, json};

/// What a peer that answers has at most; only a broken test waits this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a peer that does not answer is given.
const LIMIT: Duration = Duration::from_millis(800);

/// A test's processes, known by a mark in their environment.
struct Marked(String);

impl Marked {
    fn new() -> Self {
        Self(format!("PEER_MARK={}", uuid::Uuid::new_v4()))
    }

    fn launch(&self, script: &str, args: &[&str]) -> ProcessLaunch {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/peers").join(script);
        let (name, value) = self.0.split_once('=').unwrap();
        let env = [("PATH", std::env::var("PATH").unwrap().as_str()), ("PYTHONDONTWRITEBYTECODE", "1"), (name, value)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec();
        let argv = std::iter::once(script.to_string_lossy().into_owned()).chain(args.iter().map(|arg| arg.to_string())).collect();
        ProcessLaunch { argv, env, cwd: std::env::temp_dir(), stdin: None }
    }

    fn alive(&self) -> Vec<PathBuf> {
        let marked = |process: &PathBuf| {
            let environment = std::fs::read(process.join("environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == self.0.as_bytes())
        };
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path())).filter(marked).collect()
    }

    /// A killed process takes a moment to be gone, and somebody else's tells nobody.
    async fn all_gone(&self) {
        let began = Instant::now();
        while !self.alive().is_empty() {
            assert!(began.elapsed() < PATIENCE, "still running: {:?}", self.alive());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// A connected peer, and what it announced.
struct Peer {
    transport: Connected,
    heard: Arc<Mutex<Vec<(String, Value)>>>,
    tail: Tail,
    marked: Marked,
}

impl Peer {
    async fn connect(route: impl Route + 'static, marked: Marked) -> Result<Self, CallError> {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ears: Ears = {
            let heard = heard.clone();
            Arc::new(move |method: &str, params: &Value| heard.lock().unwrap().push((method.to_owned(), params.clone())))
        };
        let tail = Tail::new(1000);
        let transport = Connected::connect(Box::new(route), PATIENCE, ears, Oddities::default(), tail.clone()).await?;
        Ok(Self { transport, heard, tail, marked })
    }

    async fn ask(&self, call: WireCall, limit: Duration) -> Result<Raw, CallError> {
        let began = Instant::now();
        let answer = self.transport.exchange(call, limit).await;
        assert!(began.elapsed() < limit + Duration::from_secs(20), "took {:?}", began.elapsed());
        answer
    }

    async fn close(self) -> Vec<String> {
        let said = self.transport.close(Duration::from_millis(100)).await;
        self.marked.all_gone().await;
        said
    }
}

fn rpc(method: &str) -> WireCall {
    WireCall::Named { name: method.to_owned(), params: Some(json!({ "session_id": "s1" })) }
}

fn mcp(tool: &str) -> WireCall {
    WireCall::Named { name: tool.to_owned(), params: Some(json!({ "session_id": "s1" })) }
}

async fn connect_rpc(way: &str) -> Peer {
    let marked = Marked::new();
    let handshake = vec![WireGreeting::Request("initialize".to_owned(), None), WireGreeting::Notify("initialized".to_owned(), None)];
    let endpoint = Endpoint::Stdio(marked.launch("rpc.py", &[way]));
    Peer::connect(RpcRoute { endpoint, jsonrpc_field: true, handshake }, marked).await.unwrap()
}

async fn connect_mcp(way: &str) -> Peer {
    let marked = Marked::new();
    let endpoint = Endpoint::Stdio(marked.launch("mcp.py", &[way]));
    Peer::connect(McpRoute { endpoint }, marked).await.unwrap()
}

async fn connect_cli(way: &str) -> (Peer, WireCall) {
    let marked = Marked::new();
    let ProcessLaunch { argv, env, cwd, .. } = marked.launch("cli.py", &[way, "get-session-data", "--session-id", "s1"]);
    (Peer::connect(Commands { env, cwd }, marked).await.unwrap(), WireCall::Process { argv, stdin: None })
}

/// What is wanted of one answer.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    Answer,
    Silence,
    Malformed(&'static str),
    Broken(&'static str),
}
use Wanted::{Answer, Broken, Malformed, Silence};

impl Wanted {
    fn limit(self) -> Duration {
        match self {
            // Only the limit's end tells that nothing will come.
            Silence | Malformed("instead came") => LIMIT,
            _ => PATIENCE,
        }
    }

    fn check(self, answer: Result<Raw, CallError>) {
        match (self, answer) {
            (Answer, Ok(_)) => {}
            (Silence, Err(CallError::TimedOut { limit_ms })) => assert_eq!(limit_ms, LIMIT.as_millis() as u64),
            (Malformed(words), Err(CallError::Malformed { what })) => assert!(what.contains(words), "{what}"),
            (Broken(words), Err(CallError::Broken { what })) => assert!(what.contains(words), "{what}"),
            (wanted, answer) => panic!("wanted {wanted:?}, came {answer:?}"),
        }
    }
}

#[rstest]
#[case("well", Answer)]
#[case("garbage_then_answer", Answer)]
#[case("complain", Answer)]
#[case("twice", Answer)]
#[case("stranger_then_answer", Answer)]
#[case("ask_back", Answer)]
#[case("hang", Silence)]
#[case("deaf", Silence)]
#[case("half", Silence)]
#[case("garbage", Malformed("instead came"))]
#[case("stranger", Malformed("instead came"))]
#[case("shapeless", Malformed("neither `result` nor `error`"))]
#[case("huge", Malformed("longer than 8 MB"))]
#[case("half_then_exit", Broken("exited with status 5"))]
#[case("exit", Broken("exited with status 3"))]
#[case("die", Broken("was killed by signal 9"))]
#[case("close", Broken("still runs"))]
#[tokio::test]
async fn a_json_rpc_peer_on_stdio(#[case] way: &str, #[case] wanted: Wanted) {
    let peer = connect_rpc(way).await;
    peer.ask(rpc("list_sessions"), PATIENCE).await.unwrap();
    wanted.check(peer.ask(rpc("get_session_data"), wanted.limit()).await);
    match wanted {
        // Whatever came before, what is answered well is taken.
        Answer => drop(peer.ask(rpc("list_sessions"), PATIENCE).await.unwrap()),
        // After the end of its output every call fails at once, not at its limit.
        Broken(words) => Broken(words).check(peer.ask(rpc("list_sessions"), PATIENCE).await),
        Silence | Malformed(_) => {}
    }
    peer.close().await;
}

#[rstest]
#[case("well", Answer)]
#[case("garbage_then_answer", Answer)]
#[case("complain", Answer)]
#[case("twice", Answer)]
#[case("text_only", Answer)]
#[case("modern_only", Answer)]
#[case("hang", Silence)]
#[case("deaf", Silence)]
#[case("half", Silence)]
#[case("stranger", Silence)]
#[case("garbage", Malformed("instead came"))]
#[case("huge", Malformed("longer than 8 MB"))]
#[case("half_then_exit", Broken("exited with status 5"))]
#[case("exit", Broken("exited with status 3"))]
#[case("die", Broken("was killed by signal 9"))]
#[case("close", Broken("still runs"))]
#[tokio::test]
async fn an_mcp_peer_on_stdio(#[case] way: &str, #[case] wanted: Wanted) {
    let peer = connect_mcp(way).await;
    peer.ask(mcp("list_sessions"), PATIENCE).await.unwrap();
    wanted.check(peer.ask(mcp("get_session_data"), wanted.limit()).await);
    match wanted {
        Answer => drop(peer.ask(mcp("list_sessions"), PATIENCE).await.unwrap()),
        Broken(words) => Broken(words).check(peer.ask(mcp("list_sessions"), PATIENCE).await),
        Silence | Malformed(_) => {}
    }
    peer.close().await;
}

/// A process that ends has answered, whatever: the manifest says what it means.
#[rstest]
#[case("well", "exited with status 0", r#"{"text": "hello"}"#)]
#[case("complain", "exited with status 0", r#"{"text": "hello"}"#)]
#[case("garbage", "exited with status 0", "Segmentation fault (just kidding)\n")]
#[case("half_then_exit", "exited with status 5", r#"{"text":"#)]
#[case("exit", "exited with status 3", "")]
#[case("die", "was killed by signal 9", r#"{"text":"#)]
#[tokio::test]
async fn a_command_line_peer_that_ends(#[case] way: &str, #[case] exit: &str, #[case] stdout: &str) {
    let (peer, call) = connect_cli(way).await;
    let Ok(Raw::Cli(output)) = peer.ask(call, PATIENCE).await else { panic!("no output") };
    assert_eq!((output.exit.to_string().as_str(), output.stdout.trim_end_matches(' ')), (exit, stdout));
    peer.close().await;
}

#[rstest]
#[case("hang", Silence)]
#[case("half", Silence)]
#[case("deaf", Silence)]
#[case("close", Silence)]
#[case("huge", Malformed("longer than 8 MB"))]
#[tokio::test]
async fn a_command_line_peer_that_does_not_end(#[case] way: &str, #[case] wanted: Wanted) {
    let (peer, call) = connect_cli(way).await;
    wanted.check(peer.ask(call, wanted.limit()).await);
    peer.close().await;
}

#[tokio::test]
async fn answers_out_of_order_find_their_calls() {
    let peer = connect_rpc("out_of_order").await;
    let missing = WireCall::Named { name: "get_session_data".to_owned(), params: Some(json!({ "session_id": "none" })) };
    let (found, missing) = tokio::join!(peer.ask(rpc("get_session_data"), PATIENCE), peer.ask(missing, PATIENCE));
    assert!(format!("{found:?}").contains("hello"), "{found:?}");
    assert!(format!("{missing:?}").contains("no session none"), "{missing:?}");
    peer.close().await;
}

#[tokio::test]
async fn what_was_odd_on_the_wire_is_reported_at_the_end() {
    let peer = connect_rpc("twice").await;
    peer.ask(rpc("get_session_data"), PATIENCE).await.unwrap();
    peer.ask(rpc("list_sessions"), PATIENCE).await.unwrap();
    let odd = r#"the system sent an answer to a question that was not open: `{"jsonrpc":"2.0","id":2,"result":{"text":"hello"}}`"#;
    assert_eq!(peer.close().await.last().unwrap(), odd);
}

#[tokio::test]
async fn endless_complaints_leave_their_end() {
    let peer = connect_rpc("complain").await;
    peer.ask(rpc("get_session_data"), PATIENCE).await.unwrap();
    while !peer.tail.text().ends_with("woe is me\n") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(peer.tail.text().len() <= 1000);
    peer.close().await;
}

#[rstest]
#[case::json_rpc(connect_rpc("announce"), rpc("list_sessions"), "turn_completed", 3)]
#[case::mcp(connect_mcp("announce"), mcp("list_sessions"), "notifications/message", 3)]
#[tokio::test]
async fn notifications_are_heard_in_order(
    #[case] peer: impl Future<Output = Peer>,
    #[case] call: WireCall,
    #[case] method: &str,
    #[case] count: usize,
) {
    let peer = peer.await;
    peer.transport.listen().await.unwrap();
    peer.ask(call, PATIENCE).await.unwrap();
    let began = Instant::now();
    while peer.heard.lock().unwrap().len() < count {
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let heard = peer.heard.lock().unwrap().clone();
    assert!(heard.iter().all(|(name, _)| name == method), "{heard:?}");
    let turn = |at: usize| heard[at].1.pointer("/turn").or(heard[at].1.pointer("/data/turn")).cloned();
    assert_eq!((turn(0), turn(1)), (Some(json!(1)), Some(json!(2))));
    peer.close().await;
}

/// A port that was free a moment ago.
fn free_port() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}

async fn serve(marked: &Marked, script: &str, args: &[&str], address: String) -> ServedProcess {
    let plan = ServePlan { launch: marked.launch(script, args), ready: Some(Readiness::Connect(address)), limit: PATIENCE };
    ServedProcess::start(plan, Tail::new(1000)).await.unwrap()
}

#[rstest]
#[case("well", Answer)]
#[case("hang", Silence)]
#[case("garbage", Malformed("HTTP status 502"))]
#[case("huge", Malformed("longer than 8 MB"))]
#[case("die", Broken("http://"))]
#[tokio::test]
async fn a_json_rpc_peer_over_http(#[case] way: &str, #[case] wanted: Wanted) {
    let (marked, port) = (Marked::new(), free_port());
    let served = serve(&marked, "rpc.py", &[way, "--http", &port], format!("127.0.0.1:{port}")).await;
    let endpoint = Endpoint::Http(format!("http://127.0.0.1:{port}/rpc"));
    let handshake = vec![WireGreeting::Request("initialize".to_owned(), None), WireGreeting::Notify("initialized".to_owned(), None)];
    let peer = Peer::connect(RpcRoute { endpoint, jsonrpc_field: true, handshake }, marked).await.unwrap();
    peer.ask(rpc("list_sessions"), PATIENCE).await.unwrap();
    wanted.check(peer.ask(rpc("get_session_data"), wanted.limit()).await);
    served.stop().await;
    peer.close().await;
}

#[rstest]
#[case("well", Answer)]
#[case("text_only", Answer)]
#[case("modern_only", Answer)]
#[case("hang", Silence)]
#[case("garbage", Malformed("{half"))]
#[case("huge", Malformed("longer than 16 MB"))]
#[case("die", Broken("http://127.0.0.1:"))]
#[tokio::test]
async fn an_mcp_peer_over_http(#[case] way: &str, #[case] wanted: Wanted) {
    let (marked, port) = (Marked::new(), free_port());
    let served = serve(&marked, "mcp.py", &[way, "--http", &port], format!("127.0.0.1:{port}")).await;
    let endpoint = Endpoint::Http(format!("http://127.0.0.1:{port}/mcp"));
    let peer = Peer::connect(McpRoute { endpoint }, marked).await.unwrap();
    peer.ask(mcp("list_sessions"), PATIENCE).await.unwrap();
    wanted.check(peer.ask(mcp("get_session_data"), wanted.limit()).await);
    served.stop().await;
    peer.close().await;
}

#[tokio::test]
async fn a_served_peer_is_killed_started_again_and_reached_again() {
    let (marked, folder) = (Marked::new(), tempfile::tempdir().unwrap());
    let path = folder.path().join("s").to_string_lossy().into_owned();
    let served = serve(&marked, "rpc.py", &["well", "--socket", &path], path.clone()).await;
    let route = RpcRoute { endpoint: Endpoint::Socket(path.into()), jsonrpc_field: false, handshake: Vec::new() };
    let peer = Peer::connect(route, marked).await.unwrap();
    peer.ask(rpc("list_sessions"), PATIENCE).await.unwrap();
    served.restart().await.unwrap();
    peer.transport.reconnect().await.unwrap();
    peer.ask(rpc("list_sessions"), PATIENCE).await.unwrap();
    assert_eq!(served.stop().await, None);
    peer.close().await;
}

#[rstest]
#[case("rpc.py", "`unheard_of` was refused")]
#[case("/bin/true", "connection closed; `/bin/true` exited with status 0")]
#[case("/no/such/server", "cannot start `/no/such/server`")]
#[tokio::test]
async fn a_handshake_that_fails_says_why(#[case] program: &str, #[case] why: &str) {
    let marked = Marked::new();
    let handshake = vec![WireGreeting::Request("unheard_of".to_owned(), None)];
    let endpoint = Endpoint::Stdio(marked.launch(program, &["well"]));
    let Err(error) = Peer::connect(RpcRoute { endpoint, jsonrpc_field: true, handshake }, marked).await else { panic!("shook hands") };
    assert!(matches!(&error, CallError::Broken { what } if what.contains(why)), "{error}");
}
