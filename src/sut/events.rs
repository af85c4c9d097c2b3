//! Announcements that come by themselves through a process or a file, one JSON value a line.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::TryStreamExt as _;
use http_body_util::BodyDataStream;
use hyper::Method;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio_util::io::StreamReader;

use super::running::{RunningProcess, drain};
use super::{CallError, Tail};
use crate::sut::transports::http;
use crate::sut::transports::process::{ANSWER_LIMIT, ProcessLaunch};
use crate::sut::transports::wire::{Oddities, Oddity, WireLine, WireLines};

/// How often a file is looked at. A watch would cost a descriptor per folder and still miss network file systems.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Takes each line's value.
pub(crate) type Take = Box<dyn Fn(&Value) + Send + Sync>;

/// Tells whether a line says that a subscription holds.
pub(crate) type IsReady = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// A subscription. Dropped, it ends: its process is killed, its file no longer read.
#[derive(Debug)]
pub(crate) struct Subscription {
    task: AbortHandle,
    running: Option<RunningProcess>,
    /// The URL of a stream of server-sent events.
    url: Option<String>,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Subscription {
    /// Why nothing comes any more, where the stream or its process has ended.
    pub(crate) fn ended(&self) -> Option<String> {
        if let Some(url) = self.url.as_ref().filter(|_| self.task.is_finished()) {
            return Some(format!("the stream of announcements at {url} was closed by the system"));
        }
        let running = self.running.as_ref()?;
        running.exit().map(|exit| format!("the stream of announcements, `{}`, {exit}", running.program()))
    }
}

/// Starts a process that prints announcements and returns once a line says that it listens; without `is_ready`, at
/// once. That line may itself be no announcement.
///
/// # Errors
/// `Broken` where the process cannot be started, ends first, or says nothing in time.
pub(crate) async fn follow(
    launch: &ProcessLaunch,
    is_ready: Option<IsReady>,
    limit: Duration,
    take: Take,
    oddities: Oddities,
    tail: Tail,
) -> Result<Subscription, CallError> {
    let (running, pipes) = RunningProcess::start(launch)?;
    drain(pipes.stderr, tail);
    let (tell, ready) = oneshot::channel();
    let mut waiting = is_ready.map(|is_ready| (is_ready, tell));
    let asked = waiting.is_some();
    let mut lines = WireLines::new(pipes.stdout);
    let task = tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next().await {
            let WireLine::Whole(line) = line else {
                oddities.note(Oddity::TooLong, "");
                continue;
            };
            let says_ready = |(is_ready, _): &mut (IsReady, _)| is_ready(&String::from_utf8_lossy(&line));
            match waiting.take_if(says_ready) {
                Some((_, tell)) => drop(tell.send(())),
                None => take_line(&line, &take, &oddities),
            }
        }
    });
    let subscription = Subscription { task: task.abort_handle(), running: Some(running), url: None };
    if asked {
        let why = match (tokio::time::timeout(limit, ready).await, &subscription.running) {
            (Ok(Ok(())), _) => return Ok(subscription),
            (Ok(Err(_)), Some(running)) => format!("closed its output before it was ready; {}", running.obituary().await),
            _ => format!("was not ready within {} s", limit.as_secs_f64()),
        };
        return Err(CallError::Broken { what: format!("the stream of announcements, `{}`, {why}", launch.argv.join(" ")) });
    }
    Ok(subscription)
}

/// Asks for server-sent events and returns once the answer has begun. An event's data is a JSON object; its type, where it has one and
/// the object has no `event`, becomes that.
///
/// # Errors
/// `Broken` where nobody answers in time, or with another status than 200.
pub(crate) async fn follow_sse(
    url: String,
    headers: Vec<(String, String)>,
    limit: Duration,
    take: Take,
    oddities: Oddities,
) -> Result<Subscription, CallError> {
    let wants = [("accept".to_owned(), "text/event-stream".to_owned())];
    let headers: Vec<(String, String)> = wants.into_iter().chain(headers).collect();
    let wrong = |why: String| CallError::Broken { what: format!("the stream of announcements at {url} {why}") };
    let response = match tokio::time::timeout(limit, http::send(Method::GET, &url, &headers, Vec::new())).await {
        Ok(response) => response.map_err(|error| wrong(format!("cannot be had: {error}")))?,
        Err(_) => return Err(wrong(format!("did not begin within {} s", limit.as_secs_f64()))),
    };
    if response.status() != hyper::StatusCode::OK {
        return Err(wrong(format!("was refused: status {}", response.status().as_u16())));
    }
    let body = BodyDataStream::new(response.into_body()).map_err(std::io::Error::other);
    let mut body = StreamReader::new(body);
    let task = tokio::spawn(async move {
        let (mut event, mut line) = (SentEvent::default(), Vec::new());
        loop {
            line.clear();
            match (&mut body).take(ANSWER_LIMIT as u64).read_until(b'\n', &mut line).await {
                Ok(0) | Err(_) => return,
                // A stream without ends of lines, or of an event, cannot be followed.
                Ok(_) if line.len() == ANSWER_LIMIT || event.bytes > ANSWER_LIMIT => return oddities.note(Oddity::TooLong, ""),
                Ok(_) => event.read(&String::from_utf8_lossy(&line), |data| take_line(&data, &take, &oddities)),
            }
        }
    });
    Ok(Subscription { task: task.abort_handle(), running: None, url: Some(url) })
}

/// A server-sent event, line by line (WHATWG HTML, 9.2.6).
#[derive(Debug, Default)]
struct SentEvent {
    kind: String,
    data: Vec<String>,
    /// How long the data is so far.
    bytes: usize,
}

impl SentEvent {
    /// Reads a line; an empty one ends the event, whose data is then taken.
    fn read(&mut self, line: &str, take: impl FnOnce(Vec<u8>)) {
        let line = line.trim_end_matches(['\r', '\n']);
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" if line.is_empty() => {
                let Self { kind, data, .. } = std::mem::take(self);
                if !data.is_empty() {
                    take(named(&kind, data.join("\n")).into_bytes());
                }
            }
            "event" => value.clone_into(&mut self.kind),
            "data" => {
                self.bytes += value.len() + 1;
                self.data.push(value.to_owned());
            }
            // A comment keeps the connection alive; ids and retries are for those who reconnect.
            _ => {}
        }
    }
}

/// An event's data, which says of which type it is.
fn named(kind: &str, data: String) -> String {
    match serde_json::from_str::<Value>(&data) {
        Ok(Value::Object(mut fields)) if !kind.is_empty() && !fields.contains_key("event") => {
            fields.insert("event".to_owned(), kind.into());
            Value::Object(fields).to_string()
        }
        _ => data,
    }
}

/// Reads a file's lines from its beginning, also while it grows, is emptied or replaced. It need not be there yet.
pub(crate) fn tail_file(path: PathBuf, take: Take, oddities: Oddities) -> Subscription {
    let task = tokio::spawn(async move {
        let mut growing = Growing::new(&path);
        let mut every = tokio::time::interval(LOOK_EVERY);
        loop {
            every.tick().await;
            growing.read_on(|line| take_line(line, &take, &oddities), || oddities.note(Oddity::TooLong, ""));
        }
    });
    Subscription { task: task.abort_handle(), running: None, url: None }
}

fn take_line(line: &[u8], take: &Take, oddities: &Oddities) {
    match serde_json::from_slice(line) {
        Ok(value @ Value::Object(_)) => take(&value),
        _ => oddities.note(Oddity::Garbage, line),
    }
}

/// A file that grows, and how far it has been read.
struct Growing<'a> {
    path: &'a Path,
    inode: u64,
    offset: u64,
    /// The beginning of a line whose end is not there yet.
    begun: Vec<u8>,
}

impl<'a> Growing<'a> {
    fn new(path: &'a Path) -> Self {
        Self { path, inode: 0, offset: 0, begun: Vec::new() }
    }

    fn read_on(&mut self, mut take: impl FnMut(&[u8]), too_long: impl FnOnce()) {
        let Ok(meta) = std::fs::metadata(self.path) else { return };
        if meta.ino() != self.inode || meta.len() < self.offset {
            *self = Self { inode: meta.ino(), ..Self::new(self.path) };
        }
        if meta.len() == self.offset {
            return;
        }
        let Ok(mut file) = File::open(self.path) else { return };
        if file.seek(SeekFrom::Start(self.offset)).is_err() {
            return;
        }
        // One answer's worth at a look keeps memory bounded; the rest comes with the next looks.
        let Ok(read) = file.take(ANSWER_LIMIT as u64).read_to_end(&mut self.begun) else { return };
        self.offset += read as u64;
        let whole = self.begun.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        for line in self.begun[..whole].split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
            take(line);
        }
        self.begun.drain(..whole);
        if self.begun.len() > ANSWER_LIMIT {
            self.begun.clear();
            too_long();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    fn collect() -> (Take, mpsc::UnboundedReceiver<Value>) {
        let (tell, told) = mpsc::unbounded_channel();
        (Box::new(move |value| drop(tell.send(value.clone()))), told)
    }

    fn shell(script: &str) -> ProcessLaunch {
        ProcessLaunch {
            argv: vec!["/bin/sh".to_owned(), "-c".to_owned(), script.to_owned()],
            env: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
            cwd: std::env::temp_dir(),
            stdin: None,
        }
    }

    async fn follow_shell(script: &str, limit_ms: u64, take: Take) -> Result<(Subscription, Oddities), CallError> {
        let oddities = Oddities::default();
        let is_ready: IsReady = Box::new(|line| line.contains("ready"));
        let limit = Duration::from_millis(limit_ms);
        let subscription = follow(&shell(script), Some(is_ready), limit, take, oddities.clone(), Tail::new(100)).await?;
        Ok((subscription, oddities))
    }

    #[test]
    fn server_sent_events_are_read_line_by_line() {
        let (mut event, mut taken) = (SentEvent::default(), Vec::new());
        let lines = ": hello\nevent: done\ndata: {\"n\":\ndata: 1}\r\nid: 7\n\n\ndata:{\"event\":\"own\"}\n\ndata: unfinished\n";
        for line in lines.split_inclusive('\n') {
            event.read(line, |data| taken.push(serde_json::from_slice::<Value>(&data).unwrap()));
        }
        assert_eq!(taken, [serde_json::json!({"n": 1, "event": "done"}), serde_json::json!({"event": "own"})]);
    }

    #[tokio::test]
    async fn a_stream_holds_once_it_says_so_and_garbage_in_it_is_noted() {
        let (take, mut told) = collect();
        let script = r#"echo '{"event":"ready"}'; echo oops; echo '{"n":1}'; printf '{"n":2}'"#;
        let (subscription, oddities) = follow_shell(script, 20_000, take).await.unwrap();
        assert_eq!(told.recv().await.unwrap()["n"], 1);
        assert_eq!(told.recv().await.unwrap()["n"], 2);
        assert_eq!(oddities.sentences(), ["the system sent a line that is not a JSON object: `oops`"]);
        subscription.running.as_ref().unwrap().exited().await;
        assert_eq!(subscription.ended().unwrap(), "the stream of announcements, `/bin/sh`, exited with status 0");
    }

    #[tokio::test]
    async fn a_stream_that_ends_or_is_silent_does_not_hold() {
        let error = follow_shell("exit 2", 20_000, collect().0).await.unwrap_err().to_string();
        assert!(error.ends_with("closed its output before it was ready; `/bin/sh` exited with status 2"), "{error}");
        let error = follow_shell("exec sleep 60", 100, collect().0).await.unwrap_err().to_string();
        assert!(error.ends_with("was not ready within 0.1 s"), "{error}");
    }

    #[test]
    fn a_growing_file_is_read_line_by_line_also_when_it_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let mut growing = Growing::new(&path);
        let mut lines = Vec::new();
        let mut look = |content: &str| {
            std::fs::write(&path, content).unwrap();
            growing.read_on(|line| lines.push(String::from_utf8_lossy(line).into_owned()), || panic!("not that long"));
        };
        look("");
        look("one\ntw");
        look("one\ntwo\n\nthree\n");
        look("new\n");
        std::fs::remove_file(&path).unwrap();
        growing.read_on(|_| panic!("nothing is there"), || ());
        assert_eq!(lines, ["one", "two", "three", "new"]);
    }

    #[tokio::test]
    async fn a_file_that_comes_late_is_read_from_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let (take, mut told) = collect();
        let _subscription = tail_file(path.clone(), take, Oddities::default());
        std::fs::write(&path, "{\"n\":1}\n").unwrap();
        assert_eq!(told.recv().await.unwrap()["n"], 1);
    }
}
