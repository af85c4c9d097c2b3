use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::core::clock::Clock;
use crate::fakes::control_server::ControlServer;
use crate::fakes::processes::ProcFs;
use crate::fakes::registry::AgentRegistry;
use crate::profile::Profiles;
use crate::sut::Driver;
use crate::sut::adapter::{Adapter, AdapterOpening};
use crate::sut::manifest::{Manifest, TransportKind};
use crate::sut::sandbox::{Sandbox, SandboxOptions};
use crate::trace::Log;

use super::diagnosis::{Diagnosis, DoctorCheck, Symptom};

/// How often the process table is looked at: nothing tells when somebody else's child is gone.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The checks, in their order, as statements that hold when all is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[rustfmt::skip]
pub(crate) enum DoctorLook { Manifest, Programs, Sandbox, SetUp, Serve, Connection, List, Subscription, Start, Agent, Message, Announcement, Data, Listed, End, Gone, Unlisted, Idle, UnknownAgent, NoFolder, FileAsFolder, EmptyMessage, UnknownId, EndedId, Close }

pub(crate) use DoctorLook as L;

const LOOKS: &[(DoctorLook, &str)] = &[
    (L::Manifest, "the manifest is valid"),
    (L::Programs, "its programs are found"),
    (L::Sandbox, "a sandbox is made"),
    (L::SetUp, "[setup] runs"),
    (L::Serve, "[serve] becomes ready"),
    (L::Connection, "a connection is made"),
    (L::List, "list_sessions answers"),
    (L::Subscription, "announcements can be followed"),
    (L::Start, "start_session answers"),
    (L::Agent, "the agent started is the stand-in"),
    (L::Message, "it has the message"),
    (L::Announcement, "the end of its turn is announced"),
    (L::Data, "get_session_data has its reply"),
    (L::Listed, "the session is listed, and its status is understood"),
    (L::End, "end_session answers"),
    (L::Gone, "the agent is gone"),
    (L::Unlisted, "the session is not listed as alive"),
    (L::Idle, "a session can be started without a message"),
    (L::UnknownAgent, "an unknown agent is refused"),
    (L::NoFolder, "a folder that is not there is refused"),
    (L::FileAsFolder, "a file in a folder's place is refused"),
    (L::EmptyMessage, "an empty message is refused, or taken"),
    (L::UnknownId, "an id that nobody gave is refused"),
    (L::EndedId, "a message to an ended session is refused"),
    (L::Close, "nothing is left"),
];

/// One examination of one manifest.
pub(crate) struct Examination {
    pub(crate) manifest: Manifest,
    profiles: Profiles,
    checks: Vec<(DoctorLook, Symptom)>,
    unreached: &'static str,
    stderr: String,
    /// What the manifest lacks to understand refusals: by operation and code, the matchers.
    pub(crate) missing: BTreeMap<&'static str, BTreeMap<&'static str, BTreeSet<String>>>,
}

/// The examination cannot go on.
pub(crate) struct DoctorStop;

pub(crate) type DoctorStep<T = ()> = Result<T, DoctorStop>;

impl Examination {
    pub(crate) fn new(manifest: Manifest, profiles: Profiles) -> Self {
        Self { manifest, profiles, checks: Vec::new(), unreached: "not reached", stderr: String::new(), missing: BTreeMap::new() }
    }

    /// Reads and looks, starts nothing.
    pub(crate) fn look_only(&mut self) {
        if self.look().is_ok() {
            self.unreached = "not looked at: --dry-run";
        }
    }

    /// Goes through one session's life.
    pub(crate) async fn examine(&mut self) {
        let Ok(()) = self.look() else { return };
        if self.manifest.transport.kind == TransportKind::Builtin {
            self.unreached = "the built-in reference needs no adapter";
            return;
        }
        let Ok((sandbox, registry, _open)) = self.control_server() else { return };
        let Ok(adapter) = self.open(&sandbox).await else { return };
        let _ = self.live(&adapter, &sandbox, &registry).await;
        self.stderr = adapter.stderr_tail();
        let remarks = adapter.close().await;
        if !remarks.is_empty() {
            self.odd(L::Close, remarks.join("\n"), "these are remarks, no verdicts; see whether they surprise you");
        }
        // What was told to end may take a moment. The control server is still open: stand-ins that lost it would end by themselves.
        let deadline = Instant::now() + self.manifest.limits.end;
        while self.holds(L::End) && !ProcFs::under(std::process::id()).is_empty() && Instant::now() < deadline {
            sleep(LOOK_EVERY).await;
        }
        self.nothing_is_left(&ProcFs::end_descendants_of(std::process::id(), &[]));
    }

    /// What was still running when all was closed. An examination that did not come to the end left its session alive.
    fn nothing_is_left(&mut self, left: &[String]) {
        if !self.holds(L::End) {
            return;
        }
        if !left.is_empty() {
            let advice = "end them in [teardown], or let the system end them: verify reports them as litter";
            self.odd(L::Close, format!("left running, and ended by the doctor: {}", left.join(", ")), advice);
        } else if !self.checks.iter().any(|(look, _)| *look == L::Close) {
            self.fine(L::Close, "");
        }
    }

    fn holds(&self, look: DoctorLook) -> bool {
        self.checks.iter().any(|(known, found)| *known == look && matches!(found, Symptom::Fine(_)))
    }

    /// The diagnosis, and the last lines of the system's standard error.
    pub(crate) fn finish(self) -> (Diagnosis, String) {
        let mut checks = Vec::new();
        for (look, what) in LOOKS {
            let found: Vec<&Symptom> = self.checks.iter().filter(|(known, _)| known == look).map(|(_, found)| found).collect();
            match found.as_slice() {
                [] => checks.push(DoctorCheck { what, found: Symptom::Skipped(self.unreached) }),
                all => checks.extend(all.iter().map(|found| DoctorCheck { what, found: (*found).clone() })),
            }
        }
        let system = format!("{} ({})", self.manifest.name, self.manifest.transport.kind.name());
        let started = self.checks.iter().any(|(look, _)| *look == L::Sandbox);
        let table = |(operation, errors): (&&str, &BTreeMap<&str, BTreeSet<String>>)| {
            let line = |(code, matchers): (&&str, &BTreeSet<String>)| match matchers.iter().collect::<Vec<_>>().as_slice() {
                [one] => format!("{code} = {one}\n"),
                some => format!("{code} = [{}]\n", some.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ")),
            };
            format!("[operations.{operation}.errors]\n{}\n", errors.iter().map(line).collect::<String>())
        };
        let lines = self.missing.iter().map(table).collect();
        (Diagnosis { system, checks, started, lines }, self.stderr)
    }

    pub(crate) fn fine(&mut self, look: DoctorLook, detail: impl Into<String>) {
        self.checks.push((look, Symptom::Fine(detail.into())));
    }

    pub(crate) fn skipped(&mut self, look: DoctorLook, why: &'static str) {
        self.checks.push((look, Symptom::Skipped(why)));
    }

    pub(crate) fn odd(&mut self, look: DoctorLook, why: impl Into<String>, advice: &'static str) {
        self.checks.push((look, Symptom::Odd { why: why.into(), advice }));
    }

    pub(crate) fn broken<T>(&mut self, look: DoctorLook, why: impl ToString, advice: &'static str) -> DoctorStep<T> {
        self.checks.push((look, Symptom::Broken { why: why.to_string(), advice }));
        Err(DoctorStop)
    }

    // ---- before anything is started --------------------------------------------------------------------------------

    fn look(&mut self) -> DoctorStep {
        let path = self.manifest.path.display().to_string();
        match self.manifest.chosen_suites() {
            Some(chosen) => self.fine(L::Manifest, format!("{path}; {chosen}")),
            None => self.fine(L::Manifest, path),
        }
        let missing = self.manifest.missing_programs();
        if !missing.is_empty() {
            return self.broken(
                L::Programs,
                missing.join("\n"),
                "install it, put it on the PATH, or write its path with a `/`, relative to the manifest",
            );
        }
        self.fine(L::Programs, "");
        Ok(())
    }

    fn control_server(&mut self) -> DoctorStep<(Rc<Sandbox>, AgentRegistry, ControlServer)> {
        let made = std::env::current_exe().map_err(|error| error.to_string()).and_then(|passmuster| {
            let id = uuid::Uuid::new_v4().simple().to_string();
            let options = SandboxOptions { id, profiles: self.profiles.clone(), passmuster, keep: false };
            let sandbox = Rc::new(Sandbox::create(&options).map_err(|error| error.to_string())?);
            let registry = AgentRegistry::new(Log::new(Clock::start()));
            let control_server = ControlServer::open(&sandbox.control_socket(), registry.clone()).map_err(|error| error.to_string())?;
            Ok((sandbox, registry, control_server))
        });
        match made {
            Ok(made) => {
                self.fine(L::Sandbox, made.0.path().display().to_string());
                Ok(made)
            }
            Err(why) => self.broken(L::Sandbox, why, "set TMPDIR to a short, writable folder"),
        }
    }

    async fn open(&mut self, sandbox: &Rc<Sandbox>) -> DoctorStep<Adapter> {
        let mut opening = match AdapterOpening::new(self.manifest.clone(), sandbox.clone()) {
            Ok(opening) => opening,
            Err(error) => return self.broken(L::SetUp, error, "see the variable that it names"),
        };
        let has_setup = self.manifest.setup.is_some() || !self.manifest.files.is_empty();
        let steps = [(L::SetUp, has_setup, "the manifest has none"), (L::Serve, self.manifest.serve.is_some(), "the manifest has none")];
        for (look, wanted, why) in steps {
            if !wanted {
                self.skipped(look, why);
                continue;
            }
            let (done, advice) = match look {
                L::SetUp => (opening.set_up().await, "run it by hand, with HOME set to an empty folder"),
                _ => (opening.serve().await, "run it by hand; see `ready`, and [limits] start"),
            };
            self.stderr = opening.stderr_tail();
            match done {
                Ok(()) => self.fine(look, ""),
                Err(error) => return self.broken(look, error, advice),
            }
        }
        let connected = opening.connect().await;
        self.stderr = opening.stderr_tail();
        match connected {
            Ok(adapter) if self.manifest.transport.kind == TransportKind::Cli => {
                self.skipped(L::Connection, "a process for each call");
                Ok(adapter)
            }
            Ok(adapter) => {
                self.fine(L::Connection, "");
                Ok(adapter)
            }
            Err(error) => self.broken(L::Connection, error, "see `[transport]`; speak to the server by hand"),
        }
    }
}
