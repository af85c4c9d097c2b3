//! The system of a manifest, on real processes.

use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::containers::image::AgentImage;
use crate::contract::SessionId;
use crate::core::clock::Clock;
use crate::core::diagnostic::Diagnostics;
use crate::fakes::control_server::ControlServer;
use crate::fakes::processes::ProcFs;
use crate::fakes::registry::AgentRegistry;
use crate::profile::Profiles;
use crate::results::model::{System, Verdict};
use crate::spec::{Need, Requirement};
use crate::sut::Tail;
use crate::sut::manifest::{ContainerPlan, Manifest, Template, Variables, passmuster};
use crate::sut::recorder::{Recorder, shortened};
use crate::sut::sandbox::{self, Sandbox};
use crate::sut::transports::process::{ProcessLaunch, run};
use crate::trace::settings::Settings;
use crate::trace::{Entry, Log};

use super::TIME_LIMIT;
use super::plan::{Capabilities, PlannedScenario};
use super::scenario::{self, ScenarioRun, Strain, Trouble, meta, unplayed};
use super::suite::{Suite, Suites, claims};
use super::target::{Bounds, RealSystem};
use super::worker::{Backstage, LOOK_AGAIN};
use super::world::{Ground, RecordPlace, State, World, WorldOptions};

/// The system of a manifest.
pub struct ManifestSystem {
    /// The manifest.
    pub manifest: Manifest,
    /// The suites that there are.
    pub suites: Suites,
    /// The images of its containers, made once for all scenarios, or why there are none.
    images: OnceLock<Result<TempDir, String>>,
}

impl ManifestSystem {
    /// Reads a manifest, which may claim any suite for those who are called.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(path: &Path, suites: Suites) -> Result<Self, Box<Diagnostics>> {
        Ok(Self::of(Manifest::read(path, &claims(suites))?, suites))
    }

    fn of(manifest: Manifest, suites: Suites) -> Self {
        Self { manifest, suites, images: OnceLock::new() }
    }
}

impl RealSystem for ManifestSystem {
    fn suites(&self) -> Suites {
        self.suites
    }

    fn about(&self) -> System {
        about(&self.manifest)
    }

    fn capabilities(&self) -> Capabilities {
        capabilities(&self.manifest)
    }

    fn bounds(&self) -> Bounds {
        Bounds { scenario: self.manifest.scenario_limit(TIME_LIMIT), start: self.manifest.start_limit() }
    }

    fn notes(&self) -> Vec<String> {
        self.manifest.chosen_suites().into_iter().collect()
    }

    /// Where the first operation is mapped that the requirement needs, or else where the system is.
    fn line(&self, requirement: &Requirement) -> Option<usize> {
        let of = |table: &str| self.manifest.text.lines().position(|line| line.trim_start().starts_with(table));
        let operation = requirement.needs.iter().find_map(|need| match need {
            Need::Operation(name) => of(&format!("[operations.{name}")),
            _ => None,
        });
        operation.or_else(|| of("[system]")).map(|at| at + 1)
    }

    /// The manifest's path and text, as they were read; and where it has containers the folder of their images, or why there is none.
    fn job(&self) -> Value {
        let mut job = json!({ "path": self.manifest.path, "text": self.manifest.text });
        if let Some(plan) = &self.manifest.containers {
            match self.images.get_or_init(|| images(plan)) {
                Ok(folder) => job["images"] = folder.path().display().to_string().into(),
                Err(why) => job["no_engine"] = why.as_str().into(),
            }
        }
        job
    }
}

/// Makes the images of a system's containers.
fn images(plan: &ContainerPlan) -> Result<TempDir, String> {
    let folder = sandbox::folder("images").map_err(|error| error.to_string())?;
    let name = plan.image.as_deref().unwrap_or(AgentImage::NAME);
    AgentImage::make(folder.path(), Path::new(&passmuster()), name, &plan.tools).map_err(|error| error.to_string())?;
    Ok(folder)
}

/// What is there before a scenario's system is opened.
pub(crate) struct Stage<'a> {
    /// The manifest.
    pub manifest: &'a Manifest,
    /// The system's job.
    pub system: &'a Value,
    /// The sandbox.
    pub sandbox: &'a Rc<Sandbox>,
    /// The stand-ins.
    pub registry: &'a AgentRegistry,
    /// The agents' profiles.
    pub profiles: &'a Rc<Profiles>,
    /// The trace.
    pub log: &'a Log,
}

/// A manifest of one's own, as if it lay in that folder.
pub(crate) fn written(suites: Suites, folder: &Path, name: &str, text: &str) -> Arc<dyn RealSystem> {
    let path = folder.join(format!("{name}.toml"));
    let manifest = Manifest::parse(&path, text, &claims(suites)).expect("the manifests of the references are tested");
    Arc::new(ManifestSystem::of(manifest, suites))
}

/// Plays a scenario of a suite, step by step, on the system of a manifest: `system` is its job.
///
/// # Errors
/// Says why the scenario could not be played.
pub(crate) async fn play<S: State>(
    suite: &dyn Suite,
    planned: &PlannedScenario,
    system: &Value,
    backstage: &Backstage,
) -> Result<ScenarioRun, String> {
    play_on::<S>(suite, planned, system, backstage, |_| Ok(S::default())).await
}

/// The same, where the suite's steps know something from the beginning: what `prepare` made before the system was opened.
///
/// # Errors
/// As [`play`], and what `prepare` says.
pub(crate) async fn play_on<S: State>(
    suite: &dyn Suite,
    planned: &PlannedScenario,
    system: &Value,
    backstage: &Backstage,
    prepare: impl FnOnce(&Stage<'_>) -> Result<S, String>,
) -> Result<ScenarioRun, String> {
    let Backstage { suites, profiles, sandbox, time_limit } = backstage;
    let said = |key: &str| system[key].as_str().unwrap_or_default();
    let manifest = Manifest::parse(Path::new(said("path")), said("text"), &claims(suites)).expect("the harness read the manifest");
    let log = Log::new(Clock::start());
    log.push(meta(planned, &manifest.name, profiles));
    let registry = AgentRegistry::new(log.clone());
    let control_server = ControlServer::open(&sandbox.control_socket(), registry.clone())
        .map_err(|error| format!("no control server for the stand-ins: {error}"))?;
    let settings = settings(&manifest, profiles);
    let state = prepare(&Stage { manifest: &manifest, system, sandbox, registry: &registry, profiles, log: &log })?;
    let opened = crate::sut::open(&manifest, sandbox.clone()).await;
    let start_ms = ProcFs::time_below(std::process::id()).as_millis() as u64;
    let driver = match opened {
        Ok(driver) => driver,
        Err(error) => {
            let why = format!("the system cannot be opened: {error}");
            let result = unplayed(planned, Verdict::CouldNotTest, Some(why), Vec::new());
            let strain = Strain { trouble: Some(Trouble::NotOpened), start_ms, ..Strain::default() };
            return Ok(ScenarioRun { result, trace: log.records(), strain });
        }
    };
    let driver = Rc::new(Recorder::new(driver, suite.operations(), log.clone()));
    driver.listen(planned.written.has_tag("stream"), false).await.map_err(|error| format!("announcements: {error}"))?;
    let mut world = World::<S>::new(WorldOptions {
        log: log.clone(),
        registry,
        driver: driver.clone(),
        ground: Ground::Real(sandbox.clone()),
        processes: Rc::new(ProcFs),
        process_per: settings.processes,
        profiles: profiles.clone(),
        limits: settings.limits,
        agents: planned.agents.clone(),
        message_chars: manifest.message_chars,
        default_timeout_s: manifest.default_timeout_s,
        record: record(&manifest, sandbox),
        requirement: planned.written.requirements()[0].clone(),
    });
    world.state = state;
    let mut played = scenario::play(planned, world, driver, &log, &settings, *time_limit).await;
    played.strain.start_ms = start_ms;
    if manifest.teardown.is_some() {
        // What was told to end may take the time that ending may take.
        all_ended(manifest.limits.end).await;
    }
    drop(control_server);
    for process in ProcFs::end_descendants_of(std::process::id(), &[]) {
        log.push(Entry::Litter { process: process.to_string() });
        played.trace.extend(log.records().pop());
    }
    Ok(played)
}

/// Waits until nothing runs under this worker any more, at most so long.
async fn all_ended(limit: Duration) {
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline && !ProcFs::under(std::process::id()).is_empty() {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// What the system offers, read off its manifest.
fn capabilities(manifest: &Manifest) -> Capabilities {
    let mapped = manifest.clone();
    Capabilities {
        suites: manifest.suites.clone(),
        agents: manifest.agents.clone(),
        offer: Box::new(move |operation| mapped.offer(operation)),
        announces: manifest.announces(),
        can_restart: manifest.serve.is_some(),
        can_kill: manifest.serve.is_some() || (manifest.transport.url.is_none() && manifest.transport.socket.is_none()),
        has_record: record_template(manifest).is_some(),
        containers: Ok(()),
        processes: manifest.processes,
        is_virtual: false,
    }
}

/// What the rules have to know of it.
fn settings(manifest: &Manifest, profiles: &Profiles) -> Settings {
    let mut settings = Settings { limits: manifest.limits, processes: manifest.processes, ..Settings::of(profiles) };
    if let Some(timeout) = manifest.default_timeout_s.and_then(|s| std::time::Duration::try_from_secs_f64(s).ok()) {
        settings.timeout = timeout;
    }
    settings
}

/// Where one session's record is: a store's, or that of a manager whose server can be killed.
fn record_template(manifest: &Manifest) -> Option<&Template> {
    manifest.record.as_ref().or_else(|| manifest.serve.as_ref()?.state.as_ref())
}

/// Where one session's record is in a sandbox, if the manifest says it.
fn record(manifest: &Manifest, sandbox: &Rc<Sandbox>) -> Option<RecordPlace> {
    let template = record_template(manifest)?.clone();
    let (sandbox, folder) = (sandbox.clone(), manifest.folder());
    Some(Rc::new(move |id: &SessionId| {
        let variables = Variables::from_iter([
            ("sandbox".to_owned(), sandbox.path().display().to_string().into()),
            ("home".to_owned(), sandbox.home().display().to_string().into()),
            ("manifest_dir".to_owned(), folder.display().to_string().into()),
            ("session_id".to_owned(), id.as_str().into()),
        ]);
        template.text(&variables).unwrap_or_default().into()
    }))
}

/// What reports say of it: its name, and the first line of what its version command prints.
fn about(manifest: &Manifest) -> System {
    let version = manifest.version.as_ref().and_then(|words| {
        let (program, args) = words.split_first()?;
        let program = manifest.program(program).ok()?.display().to_string();
        let launch = ProcessLaunch {
            argv: std::iter::once(program).chain(args.iter().cloned()).collect(),
            env: std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect(),
            cwd: std::env::current_dir().ok()?,
            stdin: None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        let output = runtime.block_on(run(&launch, manifest.limits.call, &Tail::new(0))).ok()?;
        output.stdout.lines().next().map(shortened)
    });
    System {
        name: manifest.name.clone(),
        version,
        transport: manifest.transport.kind.name().into(),
        file: Some(manifest.path.display().to_string()),
    }
}
