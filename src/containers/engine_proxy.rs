//! The engine's socket as a supervisor under test sees it: bytes pass unchanged, calls are counted and told of in the trace, and the
//! gate gets in their way.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

use crate::trace::{ContainerFact, Entry, Log};

use super::memory::EngineTrouble;
use super::podman_truth::full_id;

/// The longest head of a request or an answer, in bytes.
const HEAD: usize = 64 << 10;
/// How many bytes pass at a time.
const PIECE: usize = 16 << 10;

/// Trouble for some calls: which, how often (none: until it is lifted), and what.
type ProxyGate = (Option<&'static str>, Option<u32>, EngineTrouble);

#[derive(Debug, Default)]
struct ProxyState {
    gates: Vec<ProxyGate>,
    drops_events: bool,
    calls: u64,
    executions: BTreeMap<String, u64>,
}

struct ProxyShared {
    log: Log,
    /// The engine's own socket.
    upstream: PathBuf,
    /// The folder of the engine's store, which tells who is meant by a name.
    store: PathBuf,
    state: Mutex<ProxyState>,
}

/// A proxy that listens; it closes when it is dropped.
pub(crate) struct EngineProxy {
    shared: Arc<ProxyShared>,
    task: JoinHandle<()>,
}

/// A call to an engine, and the container that it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
struct EngineCall {
    name: &'static str,
    container: Option<String>,
}

impl EngineCall {
    /// The call that a request is, where it is one that containers are moved by. Docker's paths and Podman's own differ in what comes
    /// first.
    fn of(method: &str, target: &str) -> Option<Self> {
        let path = target.split('?').next().unwrap_or_default();
        let is_version = |part: &&str| part.starts_with('v') && part[1..].starts_with(|c: char| c.is_ascii_digit());
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && !is_version(part) && *part != "libpod").collect();
        let (name, container) = match (method, parts.as_slice()) {
            ("POST", ["containers", "create"]) => ("create", None),
            ("GET", ["containers", "json"]) => ("list", None),
            ("GET", ["containers", id, "json"]) => ("inspect", Some(*id)),
            ("DELETE", ["containers", id]) => ("remove", Some(*id)),
            ("GET", ["events"]) => ("events", None),
            ("POST", ["containers", id, verb]) => {
                let name = match *verb {
                    "start" => "start",
                    "stop" => "stop",
                    "restart" => "restart",
                    "kill" => "kill",
                    "pause" => "freeze",
                    "unpause" => "thaw",
                    "exec" => "execute",
                    _ => return None,
                };
                (name, Some(*id))
            }
            _ => return None,
        };
        Some(Self { name, container: container.map(str::to_owned) })
    }
}

/// A request's or an answer's head.
struct MessageHead {
    bytes: Vec<u8>,
    first: String,
    length: Option<u64>,
    is_chunked: bool,
    is_upgrade: bool,
}

impl EngineProxy {
    /// Opens a proxy at a socket's path to the engine at another; `store` is the folder of the engine's store.
    ///
    /// # Errors
    /// Where the socket cannot be made.
    pub(crate) fn open(path: &Path, upstream: PathBuf, store: PathBuf, log: Log) -> io::Result<Self> {
        let listener = UnixListener::bind(path)?;
        let shared = Arc::new(ProxyShared { log, upstream, store, state: Mutex::default() });
        let all = shared.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = all.clone();
                // A peer that hangs up ends its connection, and nothing else.
                tokio::spawn(async move { drop(shared.pass(client).await) });
            }
        });
        Ok(Self { shared, task })
    }

    /// Gets in the way of a call, or of all, so many times, or until [`EngineProxy::behave`].
    pub(crate) fn trouble(&self, call: Option<&'static str>, times: Option<u32>, trouble: EngineTrouble) {
        self.shared.lock().gates.push((call, times, trouble));
    }

    /// Lets no event pass any more.
    pub(crate) fn drop_events(&self) {
        self.shared.lock().drops_events = true;
    }

    /// Lets everything pass again.
    pub(crate) fn behave(&self) {
        let mut state = self.shared.lock();
        state.gates.clear();
        state.drops_events = false;
    }

    /// How many calls were made.
    pub(crate) fn calls(&self) -> u64 {
        self.shared.lock().calls
    }

    /// How often something was executed in a container.
    pub(crate) fn executions(&self, container: &str) -> u64 {
        self.shared.lock().executions.get(container).copied().unwrap_or_default()
    }
}

impl Drop for EngineProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ProxyShared {
    fn lock(&self) -> MutexGuard<'_, ProxyState> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// What gets in the way of a call.
    fn gate(&self, call: Option<&EngineCall>) -> Option<EngineTrouble> {
        let mut state = self.lock();
        state.calls += u64::from(call.is_some_and(|call| call.name != "events"));
        let is_of = |of: Option<&'static str>| of.is_none_or(|of| call.is_some_and(|call| call.name == of));
        let (_, times, trouble) = state.gates.iter_mut().find(|(of, times, _)| is_of(*of) && *times != Some(0))?;
        *times = times.map(|times| times - 1);
        Some(*trouble)
    }

    /// Lets a connection's requests pass, one after the other.
    async fn pass(&self, client: UnixStream) -> io::Result<()> {
        let (read, mut to_client) = client.into_split();
        let mut from_client = BufReader::new(read);
        let (read, mut to_engine) = UnixStream::connect(&self.upstream).await?.into_split();
        let mut from_engine = BufReader::new(read);
        while let Some(request) = head(&mut from_client).await? {
            let mut words = request.first.split(' ');
            let call = EngineCall::of(words.next().unwrap_or_default(), words.next().unwrap_or_default());
            // Whoever is removed has no name any more when the answer comes.
            let container = call.as_ref().and_then(|call| full_id(&self.store, call.container.as_ref()?));
            let trouble = self.gate(call.as_ref());
            if let (Some(trouble), Some(call)) = (trouble, &call) {
                let how = trouble.words().to_owned();
                self.log.push(Entry::Container(ContainerFact::Refused { call: call.name.to_owned(), how }));
            }
            if call.as_ref().is_some_and(|call| call.name == "events") && self.lock().drops_events {
                to_client.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n").await?;
                return hung_up(&mut from_client).await;
            }
            match trouble {
                Some(EngineTrouble::Refuse) => return Ok(()),
                Some(EngineTrouble::Fail) => {
                    body(&request, &mut from_client, None).await?;
                    let text = r#"{"cause":"internal error","message":"internal error","response":500}"#;
                    let head = "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: ";
                    to_client.write_all(format!("{head}{}\r\n\r\n{text}", text.len()).as_bytes()).await?;
                    continue;
                }
                Some(EngineTrouble::Stall(time)) => tokio::time::sleep(time).await,
                Some(EngineTrouble::LoseReply) | None => {}
            }
            to_engine.write_all(&request.bytes).await?;
            body(&request, &mut from_client, Some(&mut to_engine)).await?;
            let Some(answer) = head(&mut from_engine).await? else { return Ok(()) };
            let is_done = answer.first.split(' ').nth(1).is_some_and(|status| status.starts_with('2') || status == "304");
            if trouble == Some(EngineTrouble::LoseReply) {
                body(&answer, &mut from_engine, None).await?;
                self.note(call.as_ref().filter(|_| is_done), container);
                return Ok(());
            }
            to_client.write_all(&answer.bytes).await?;
            let has_no_body = answer.first.contains(" 204 ") || answer.first.contains(" 304 ") || request.first.starts_with("HEAD ");
            if answer.is_upgrade || (answer.length.is_none() && !answer.is_chunked && !has_no_body) {
                // From here on it is no conversation of requests and answers.
                self.note(call.as_ref().filter(|_| is_done), container);
                let up = async { tokio::io::copy_buf(&mut from_client, &mut to_engine).await.and(to_engine.shutdown().await) };
                let down = async { tokio::io::copy_buf(&mut from_engine, &mut to_client).await.and(to_client.shutdown().await) };
                return tokio::try_join!(up, down).map(drop);
            }
            if !has_no_body {
                // Streams may go on for ever; whoever reads them may leave.
                tokio::select! {
                    passed = body(&answer, &mut from_engine, Some(&mut to_client)) => passed?,
                    gone = hung_up(&mut from_client) => return gone,
                }
            }
            self.note(call.as_ref().filter(|_| is_done), container);
        }
        Ok(())
    }

    /// Writes down what was carried out.
    fn note(&self, call: Option<&EngineCall>, container: Option<String>) {
        let Some((call, container)) = call.zip(container) else { return };
        let fact = match call.name {
            "start" => ContainerFact::Started { container },
            "freeze" => ContainerFact::Frozen { container },
            "thaw" => ContainerFact::Thawed { container },
            "remove" => ContainerFact::Removed { container },
            "execute" => {
                *self.lock().executions.entry(container.clone()).or_default() += 1;
                self.log.push(Entry::Note { text: format!("the engine was asked to execute something in {container}") });
                return;
            }
            "stop" | "kill" | "restart" => {
                self.log.push(Entry::Note { text: format!("the engine was asked to {} {container}", call.name) });
                return;
            }
            _ => return,
        };
        self.log.push(Entry::Container(fact));
    }
}

/// Waits until a peer hangs up; what it says first stays to be read.
async fn hung_up(from: &mut BufReader<OwnedReadHalf>) -> io::Result<()> {
    match from.fill_buf().await?.is_empty() {
        true => Ok(()),
        false => std::future::pending().await,
    }
}

/// Reads a head; none where the peer has hung up.
async fn head(from: &mut BufReader<OwnedReadHalf>) -> io::Result<Option<MessageHead>> {
    let (mut bytes, mut lines) = (Vec::new(), Vec::new());
    loop {
        let start = bytes.len();
        if from.read_until(b'\n', &mut bytes).await? == 0 || bytes.len() > HEAD {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&bytes[start..]).trim().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let field = |name: &str| {
        let of = |line: &String| {
            line.split_once(':').filter(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
        };
        lines.iter().skip(1).find_map(of)
    };
    let has = |name: &str, word: &str| field(name).is_some_and(|value| value.to_ascii_lowercase().contains(word));
    Ok(Some(MessageHead {
        first: lines.first().cloned().unwrap_or_default(),
        length: field("content-length").and_then(|value| value.parse().ok()),
        is_chunked: has("transfer-encoding", "chunked"),
        is_upgrade: has("connection", "upgrade") && lines.first().is_some_and(|line| line.starts_with("HTTP/1.1 101")),
        bytes,
    }))
}

/// Passes a body on, or reads it away.
async fn body(head: &MessageHead, from: &mut BufReader<OwnedReadHalf>, mut to: Option<&mut OwnedWriteHalf>) -> io::Result<()> {
    if !head.is_chunked {
        return piece(head.length.unwrap_or_default(), from, &mut to).await;
    }
    loop {
        let mut line = Vec::new();
        from.read_until(b'\n', &mut line).await?;
        let text = String::from_utf8_lossy(&line).trim().to_owned();
        let size = u64::from_str_radix(text.split(';').next().unwrap_or_default(), 16).map_err(io::Error::other)?;
        if let Some(to) = &mut to {
            to.write_all(&line).await?;
        }
        // With the line's end that follows.
        piece(size + 2, from, &mut to).await?;
        if size == 0 {
            return Ok(());
        }
    }
}

async fn piece(mut left: u64, from: &mut BufReader<OwnedReadHalf>, to: &mut Option<&mut OwnedWriteHalf>) -> io::Result<()> {
    let mut bytes = vec![0; PIECE];
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        let count = from.read(&mut bytes[..most]).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(to) = to {
            to.write_all(&bytes[..count]).await?;
        }
        left -= count as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::clock::Clock;

    #[test]
    fn calls_are_known_by_dockers_paths_and_by_podmans() {
        let called =
            |method: &str, target: &str| EngineCall::of(method, target).map(|call| (call.name, call.container.unwrap_or_default()));
        assert_eq!(called("POST", "/v1.41/containers/create?name=a"), Some(("create", String::new())));
        assert_eq!(called("POST", "/v4.3.1/libpod/containers/create"), Some(("create", String::new())));
        assert_eq!(called("DELETE", "/v4.3.1/libpod/containers/ab?force=true"), Some(("remove", "ab".into())));
        assert_eq!(called("POST", "/containers/ab/pause"), Some(("freeze", "ab".into())));
        assert_eq!(called("POST", "/v1.41/containers/ab/wait"), None);
        assert_eq!(called("GET", "/v4.3.1/libpod/_ping"), None);
    }

    /// An engine that answers each request in chunks, and says which request it was.
    async fn engine(listener: UnixListener) {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (read, mut write) = stream.into_split();
                let mut read = BufReader::new(read);
                while let Ok(Some(request)) = head(&mut read).await {
                    body(&request, &mut read, None).await.unwrap();
                    let said = format!(
                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n",
                        request.first.len(),
                        request.first
                    );
                    write.write_all(said.as_bytes()).await.unwrap();
                }
            });
        }
    }

    #[tokio::test]
    async fn bytes_pass_and_the_gate_gets_in_their_way() {
        let folder = tempfile::tempdir().unwrap();
        let (own, upstream) = (folder.path().join("own"), folder.path().join("engine"));
        tokio::spawn(engine(UnixListener::bind(&upstream).unwrap()));
        let log = Log::new(Clock::start());
        let proxy = EngineProxy::open(&own, upstream, folder.path().to_owned(), log.clone()).unwrap();
        let ask = async |path: &str| {
            let (read, mut write) = UnixStream::connect(&own).await.unwrap().into_split();
            let mut read = BufReader::new(read);
            let _ = write.write_all(format!("POST {path} HTTP/1.1\r\nContent-Length: 2\r\n\r\n{{}}").as_bytes()).await;
            // Who hangs up with something unread resets the connection.
            let answer = head(&mut read).await.ok().flatten()?;
            let mut text = vec![0; 5];
            read.read_exact(&mut text).await.unwrap();
            Some((answer.first, String::from_utf8(text).unwrap()))
        };
        let status = |answer: Option<(String, String)>| answer.map(|(first, _)| first);
        let (first, text) = ask("/v1.41/containers/create").await.unwrap();
        assert_eq!((first.as_str(), text.as_str()), ("HTTP/1.1 200 OK", "26\r\nP"));
        proxy.trouble(Some("create"), Some(1), EngineTrouble::Fail);
        assert_eq!(status(ask("/containers/a/start").await).as_deref(), Some("HTTP/1.1 200 OK"));
        assert_eq!(status(ask("/containers/create").await).as_deref(), Some("HTTP/1.1 500 Internal Server Error"));
        proxy.trouble(Some("start"), Some(1), EngineTrouble::LoseReply);
        assert_eq!(ask("/containers/a/start").await, None);
        proxy.trouble(None, None, EngineTrouble::Refuse);
        assert_eq!(ask("/containers/a/start").await, None);
        proxy.behave();
        assert_eq!(status(ask("/containers/a/start").await).as_deref(), Some("HTTP/1.1 200 OK"));
        assert_eq!(proxy.calls(), 6);
        let refused = log.records().iter().filter(|record| matches!(record.entry, Entry::Container(ContainerFact::Refused { .. }))).count();
        assert_eq!(refused, 3);
    }
}
