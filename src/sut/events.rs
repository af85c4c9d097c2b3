//! Announcements that come by themselves through a process or a file, one JSON value a line.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::running::{RunningProcess, drain};
use super::{CallError, Tail};
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
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Subscription {
    /// Why nothing comes any more, where the process of the stream has ended.
    pub(crate) fn ended(&self) -> Option<String> {
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
    let subscription = Subscription { task: task.abort_handle(), running: Some(running) };
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
    Subscription { task: task.abort_handle(), running: None }
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
