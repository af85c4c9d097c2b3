//! The long-running process that a manifest's `[serve]` names: started, awaited, killed and started again.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use hyper::Method;
use regex::Regex;
use tokio::io::AsyncRead;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout_at};

use super::running::{GRACE, RunningProcess, drain};
use super::{CallError, Tail};
use crate::sut::transports::http;
use crate::sut::transports::process::ProcessLaunch;
use crate::sut::transports::wire::{WireLine, WireLines};

/// How often an address is tried: nothing tells when somebody begins to listen.
const TRY_EVERY: Duration = Duration::from_millis(10);

/// How long one try of an address may take: a connection that was made too early may never be answered.
const ONE_TRY: Duration = Duration::from_millis(500);

/// How much of what a process printed is shown where it does not become ready, in bytes.
const PRINTED: usize = 2_000;

/// What to serve with.
#[derive(Debug, Clone)]
pub struct ServePlan {
    /// The process.
    pub launch: ProcessLaunch,
    /// When it is ready; `None`: at once.
    pub ready: Option<Readiness>,
    /// How long it may take to become ready.
    pub limit: Duration,
}

/// When a served process is ready.
#[derive(Debug, Clone)]
pub enum Readiness {
    /// When this address, `host:port` or a Unix socket's path, can be connected to. A file alone proves nothing.
    Connect(String),
    /// When a line of its standard output matches.
    Stdout(Regex),
    /// When this URL answers, whatever status below 500.
    Url(String),
}

/// A served process.
#[derive(Debug)]
pub struct ServedProcess {
    plan: ServePlan,
    tail: Tail,
    running: RefCell<Rc<RunningProcess>>,
}

impl ServedProcess {
    /// Starts the process and waits until it is ready. Its standard error goes to `tail`.
    ///
    /// # Errors
    /// `Broken` where it cannot be started, ends before it is ready, is not ready in time, or where something else
    /// answers in its place already.
    pub async fn start(plan: ServePlan, tail: Tail) -> Result<Self, CallError> {
        if plan.ready.as_ref().is_some_and(Readiness::is_address) && plan.answers().await {
            return Err(broken(format!("something answers {} before `{}` is started", plan.place(), plan.program())));
        }
        let running = RefCell::new(Rc::new(plan.start(&tail).await?));
        Ok(Self { plan, tail, running })
    }

    /// Kills the process (and it alone: its agents must live on) and starts it again.
    ///
    /// # Errors
    /// As [`ServedProcess::start`].
    pub async fn restart(&self) -> Result<(), CallError> {
        let killed = self.running.borrow().kill();
        killed.await;
        if self.plan.ready.as_ref().is_some_and(Readiness::is_address) {
            self.plan.until_silent().await?;
        }
        let running = self.plan.start(&self.tail).await?;
        self.running.replace(Rc::new(running));
        Ok(())
    }

    /// How it ended, if it did, in a sentence.
    pub async fn obituary(&self) -> Option<String> {
        let running = self.running.borrow().clone();
        running.ending().await.map(|exit| format!("`{}` {exit}", self.plan.program()))
    }

    /// Ends the process. Returns what is worth reporting.
    pub async fn stop(&self) -> Option<String> {
        let running = self.running.borrow().clone();
        if let Some(exit) = running.exit() {
            return Some(format!("`{}` was to run all the time and {exit}", self.plan.program()));
        }
        running.terminate();
        if tokio::time::timeout(GRACE, running.exited()).await.is_err() {
            running.kill_group().await;
            return Some(format!(
                "`{}` did not end within {} s of being asked (TERM) and was killed",
                self.plan.program(),
                GRACE.as_secs()
            ));
        }
        None
    }
}

impl ServePlan {
    fn program(&self) -> &str {
        self.launch.argv.first().map_or("", String::as_str)
    }

    fn place(&self) -> String {
        match &self.ready {
            None => "its start".to_owned(),
            Some(Readiness::Connect(address)) => format!("at {address}"),
            Some(Readiness::Url(url)) => format!("at {url}"),
            Some(Readiness::Stdout(pattern)) => format!("a line matching /{pattern}/ on its standard output"),
        }
    }

    async fn start(&self, tail: &Tail) -> Result<RunningProcess, CallError> {
        let deadline = Instant::now() + self.limit;
        let (running, pipes) = RunningProcess::start(&self.launch)?;
        drain(pipes.stderr, tail.clone());
        let pattern = match &self.ready {
            Some(Readiness::Stdout(pattern)) => Some(pattern.clone()),
            _ => None,
        };
        let printed = Tail::new(PRINTED);
        let matched = watch_output(pipes.stdout, pattern, printed.clone());
        let ready = async {
            match &self.ready {
                None => {}
                Some(Readiness::Stdout(_)) => match matched.await {
                    Ok(()) => {}
                    // Its output is closed: only its end, or the limit, can still be told.
                    Err(_) => std::future::pending().await,
                },
                Some(Readiness::Connect(_) | Readiness::Url(_)) => {
                    while !self.answers().await {
                        sleep(TRY_EVERY).await;
                    }
                }
            }
        };
        let outcome = tokio::select! {
            exit = running.exited() => Err(format!("it {exit} first; it has to stay in the foreground")),
            outcome = timeout_at(deadline, ready) => outcome.map_err(|_| format!("not within {} s", self.limit.as_secs_f64())),
        };
        let shown = || match printed.text().trim() {
            "" => String::new(),
            printed => format!("\nits output ended with: {printed}"),
        };
        outcome.map_err(|why| broken(format!("`{}` did not become ready ({}): {why}{}", self.program(), self.place(), shown())))?;
        Ok(running)
    }

    async fn answers(&self) -> bool {
        tokio::time::timeout(ONE_TRY.min(self.limit), self.answers_at_all()).await.unwrap_or(false)
    }

    async fn answers_at_all(&self) -> bool {
        match &self.ready {
            Some(Readiness::Connect(path)) if path.contains('/') => UnixStream::connect(path).await.is_ok(),
            Some(Readiness::Connect(address)) => TcpStream::connect(address).await.is_ok(),
            Some(Readiness::Url(url)) => {
                http::exchange(Method::GET, url, Vec::new()).await.is_ok_and(|(status, _)| !status.is_server_error())
            }
            Some(Readiness::Stdout(_)) | None => false,
        }
    }

    /// Waits until nobody answers any more: a survivor would be taken for the process started next.
    async fn until_silent(&self) -> Result<(), CallError> {
        let silent = async {
            while self.answers().await {
                sleep(TRY_EVERY).await;
            }
        };
        let killed = || {
            broken(format!(
                "`{}` was killed and something still answers {}: name the server itself, not what starts it",
                self.program(),
                self.place()
            ))
        };
        tokio::time::timeout(self.limit, silent).await.map_err(|_| killed())
    }
}

impl Readiness {
    fn is_address(&self) -> bool {
        matches!(self, Readiness::Connect(_) | Readiness::Url(_))
    }
}

/// Reads an output to its end, so that it never blocks, and tells when a line matched.
fn watch_output(stdout: impl AsyncRead + Unpin + Send + 'static, pattern: Option<Regex>, printed: Tail) -> oneshot::Receiver<()> {
    let (tell, matched) = oneshot::channel();
    let mut waiting = pattern.map(|pattern| (pattern, tell));
    tokio::spawn(async move {
        let mut lines = WireLines::new(stdout);
        while let Ok(Some(line)) = lines.next().await {
            if let WireLine::Whole(line) = line {
                printed.push(&line);
                printed.push(b"\n");
                let matches = |(pattern, _): &mut (Regex, _)| pattern.is_match(&String::from_utf8_lossy(&line));
                if let Some((_, tell)) = waiting.take_if(matches) {
                    let _ = tell.send(());
                }
            }
        }
    });
    matched
}

fn broken(what: String) -> CallError {
    CallError::Broken { what }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(script: &str, ready: Option<Readiness>) -> ServePlan {
        let launch = ProcessLaunch {
            argv: vec!["/bin/sh".to_owned(), "-c".to_owned(), script.to_owned()],
            env: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
            cwd: std::env::temp_dir(),
            stdin: None,
        };
        ServePlan { launch, ready, limit: Duration::from_secs(10) }
    }

    fn listening(path: &str) -> ServePlan {
        let code = "import os,socket,sys\ns=socket.socket(socket.AF_UNIX)\nos.path.exists(sys.argv[1]) and os.unlink(sys.argv[1])\ns.bind(sys.argv[1])\ns.listen()\nwhile 1: s.accept()[0].close()";
        let mut plan = plan("", Some(Readiness::Connect(path.to_owned())));
        plan.launch.argv = ["/usr/bin/env", "python3", "-c", code, path].map(str::to_owned).to_vec();
        plan.launch.env[0].1 = std::env::var("PATH").unwrap();
        plan
    }

    fn tail() -> Tail {
        Tail::new(16 << 10)
    }

    #[tokio::test]
    async fn a_line_tells_that_it_is_ready_and_its_complaints_are_kept() {
        let ready = Some(Readiness::Stdout(Regex::new("^listening$").unwrap()));
        let tail = tail();
        let served =
            ServedProcess::start(plan("echo hm >&2; echo starting; echo listening; exec sleep 60", ready), tail.clone()).await.unwrap();
        assert_eq!(served.obituary().await, None);
        while tail.text().is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(served.stop().await, None);
        assert_eq!(tail.text(), "hm\n");
    }

    #[tokio::test]
    async fn a_process_that_ends_before_it_is_ready_is_told_so() {
        let ready = Some(Readiness::Stdout(Regex::new("listening").unwrap()));
        let error = ServedProcess::start(plan("exit 7", ready), tail()).await.unwrap_err().to_string();
        let wanted = "`/bin/sh` did not become ready (a line matching /listening/ on its standard output): it exited with status 7 first; it has to stay in the foreground";
        assert_eq!(error, wanted);
    }

    #[tokio::test]
    async fn a_process_that_is_not_ready_in_time_is_killed() {
        let mut plan = plan("exec sleep 60", Some(Readiness::Connect("127.0.0.1:1".to_owned())));
        plan.limit = Duration::from_millis(100);
        let error = ServedProcess::start(plan, tail()).await.unwrap_err().to_string();
        assert_eq!(error, "`/bin/sh` did not become ready (at 127.0.0.1:1): not within 0.1 s");
    }

    /// Whoever listens before it can answer leaves the first connection hanging.
    #[tokio::test]
    async fn a_url_that_does_not_answer_at_first_is_tried_again() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let never = listener.accept();
            while let Ok((mut stream, _)) = listener.accept() {
                use std::io::{Read as _, Write as _};
                // What is closed with something unread in it takes its answer along.
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            }
            drop(never);
        });
        let plan = plan("exec sleep 60", Some(Readiness::Url(url)));
        assert!(!plan.answers().await && plan.answers().await);
    }

    #[tokio::test]
    async fn what_a_process_printed_is_shown_where_it_is_not_ready() {
        let ready = Some(Readiness::Stdout(Regex::new("listening").unwrap()));
        let error = ServedProcess::start(plan("echo no licence; exit 7", ready), tail()).await.unwrap_err().to_string();
        assert!(error.contains("exited with status 7 first") && error.ends_with("its output ended with: no licence"), "{error}");
    }

    #[tokio::test]
    async fn a_restart_kills_and_comes_back_ready() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s").to_string_lossy().into_owned();
        let served = ServedProcess::start(listening(&path), tail()).await.unwrap();
        let before = served.running.borrow().pid();
        served.restart().await.unwrap();
        assert_ne!(served.running.borrow().pid(), before);
        UnixStream::connect(&path).await.unwrap();
        let rival = ServedProcess::start(listening(&path), tail()).await.unwrap_err().to_string();
        assert!(rival.starts_with("something answers at "), "{rival}");
        assert_eq!(served.stop().await, None);
    }

    #[tokio::test]
    async fn a_process_that_died_meanwhile_is_reported() {
        let served = ServedProcess::start(plan("exit 0", None), tail()).await.unwrap();
        let exit = served.running.borrow().exited();
        exit.await;
        assert_eq!(served.stop().await.unwrap(), "`/bin/sh` was to run all the time and exited with status 0");
    }
}
