//! A place in which `verify` runs for real, watched: everything a run makes lies in it, and everything a run starts has it
//! in its environment.

#![allow(dead_code)] // Each test takes the part that it needs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use passmuster::results::model::Report;
use rustix::process::{Pid, Signal, kill_process};

/// Only a broken test waits this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// How often the process table is looked at: it announces nothing.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A folder for temporary files, with a path short enough for sandboxes.
pub(crate) struct Place(PathBuf);

impl Place {
    /// An empty one.
    pub(crate) fn new() -> Self {
        let folder = Path::new("/tmp").join(format!("pv-{}", &uuid::Uuid::new_v4().simple().to_string()[..10]));
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    /// A file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A manifest in it.
    pub(crate) fn manifest(&self, text: &str) -> PathBuf {
        let path = self.file("passmuster.toml");
        std::fs::write(&path, text).unwrap();
        path
    }

    /// `passmuster verify MANIFEST`, with a JSON and a JUnit report.
    pub(crate) fn verify(&self, manifest: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_passmuster"));
        command.env("TMPDIR", &self.0).current_dir(&self.0).arg("verify").arg(manifest);
        for form in ["json", "junit", "markdown"] {
            command.args(["--report", &format!("{form}={}", self.file(form).display())]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// What runs with this place in its environment, by process id, each with its command line.
    pub(crate) fn processes(&self) -> BTreeMap<u32, String> {
        let mark = self.0.to_str().unwrap().as_bytes();
        let marked = |folder: &Path| {
            // A process that is dying has no environment any more.
            std::fs::read(folder.join("environ")).is_ok_and(|environ| environ.windows(mark.len()).any(|window| window == mark))
        };
        std::fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
            .filter(|(_, folder)| marked(folder))
            .map(|(pid, folder)| (pid, command_line(&folder)))
            .collect()
    }

    /// Waits until a process runs whose command line is like that.
    pub(crate) fn running(&self, like: impl Fn(&str) -> bool) -> u32 {
        until("a process of that kind", PATIENCE, || self.processes().into_iter().find(|(_, line)| like(line)).map(|(pid, _)| pid))
    }

    /// Waits until an agent's stand-in runs.
    pub(crate) fn agent(&self) -> u32 {
        self.running(|line| {
            ["claude", "codex", "gemini"].iter().any(|agent| {
                line.starts_with(&format!("{}/", self.0.display()))
                    && line.split(' ').next().unwrap().ends_with(&format!("/agents/{agent}"))
            })
        })
    }

    /// Nothing runs any more, within that time, and no sandbox is left.
    #[allow(clippy::disallowed_methods, reason = "nothing announces what is waited for")]
    pub(crate) fn is_left_empty(&self, within: Duration) {
        let began = Instant::now();
        while !(self.processes().is_empty() && self.sandboxes().is_empty()) {
            assert!(began.elapsed() < within, "left: {:#?} {:#?}", self.processes(), self.sandboxes());
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// The sandboxes that are there.
    pub(crate) fn sandboxes(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.0).unwrap().flatten();
        entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("pm-")).map(|entry| entry.path()).collect()
    }

    /// The JSON report that was written.
    pub(crate) fn report(&self) -> Report {
        serde_json::from_slice(&std::fs::read(self.file("json")).unwrap()).unwrap()
    }

    /// The JUnit report that was written, read as XML.
    pub(crate) fn junit(&self) -> quick_junit::Report {
        quick_junit::Report::deserialize_from_str(&std::fs::read_to_string(self.file("junit")).unwrap()).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for pid in self.processes().into_keys() {
            signal(pid, Signal::KILL);
        }
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Sends a signal to a process.
pub(crate) fn signal(pid: u32, signal: Signal) {
    let _ = kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal);
}

/// Waits for a child's end.
pub(crate) fn ended(child: &mut Child) -> ExitStatus {
    until("the end of the run", PATIENCE, || child.try_wait().unwrap())
}

/// Asks again and again until there is an answer.
#[allow(clippy::disallowed_methods, reason = "nothing announces what is waited for")]
fn until<T>(what: &str, within: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < within, "no sign of {what}");
        std::thread::sleep(LOOK_AGAIN);
    }
}

fn command_line(folder: &Path) -> String {
    let line = std::fs::read(folder.join("cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).replace('\0', " ")
}
