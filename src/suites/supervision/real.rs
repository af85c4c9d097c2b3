//! A supervisor of somebody's, on a private engine behind a proxy: the truth is read off the machine, past the engine.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;

use async_trait::async_trait;
use rustix::process::{Pid, Signal, kill_process};

use crate::containers::engine_proxy::EngineProxy;
use crate::containers::image::AgentImage;
use crate::containers::memory::{EngineTrouble, TrueContainer};
use crate::containers::podman_truth::{MachineContainer, container_of, machine_containers};
use crate::containers::private_podman::{PrivatePodman, find_program};
use crate::engine::features::ScenarioStep;
use crate::engine::system::Stage;
use crate::engine::world::Stop;
use crate::fakes::control_server::ControlServer;
use crate::fakes::processes::{LiveProcesses as _, ProcFs};
use crate::fakes::registry::AgentRegistry;
use crate::fakes::standin::{StandInConfig, WORKSPACE, WORKSPACE_CONFIG, WORKSPACE_SOCKET};
use crate::profile::Profiles;
use crate::sut::manifest::{StatedPolicy, Template, Variables};
use crate::sut::sandbox::{ENGINE, Furniture, Sandbox};

use super::in_memory::{InMemorySupervisor, SECRET};
use super::reference::SupervisionPolicy;
use super::scene::{IN_MEMORY_ALONE, SupervisionScene};

/// How long a scenario of real time waits for nothing at most: longer waits are played in memory.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long what was asked of the engine aside may take to be seen.
const SEEN: Duration = Duration::from_secs(10);
/// How often it is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// The home of whoever works in the image.
const HOME: &str = "/root";

/// Steps that nobody's system but the reference in memory is put through, by what they begin with, and why: a scenario with one of them is
/// not begun.
pub(crate) const MEMORY_STEPS: &[(&str, &str)] = &[
    ("the supervisor is killed and started again", ""),
    ("the supervisor is killed", "the supervisor is killed in one step, and started in another"),
    ("the supervisor is started", "the supervisor is killed in one step, and started in another"),
    ("a second supervisor", "a second supervisor is opened by hand"),
    ("a supervisor ", "the supervisor is configured otherwise for one scenario"),
    ("somebody takes the name of the next container", "how a system calls its next container is its own affair"),
    ("the agent of \"A\" dies every", "its agent crashes for a day"),
    ("each state was recorded before", "its records are read at the moment of each announcement"),
];

/// Why a scenario is not played on somebody's system, where it is not.
pub(crate) fn not_played(steps: &[ScenarioStep]) -> Option<String> {
    let of = |step: &ScenarioStep| {
        let text = step.step.value.as_str();
        let found = MEMORY_STEPS.iter().find(|(begin, _)| text.starts_with(begin)).map(|(_, why)| (*why).to_owned());
        let waits = text.strip_suffix(" seconds pass").and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
        let waits = waits.filter(|time| *time > PATIENCE).map(|time| format!("it waits {} s for nothing", time.as_secs()));
        found.filter(|why| !why.is_empty()).or(waits)
    };
    steps.iter().find_map(of).map(|why| format!("{IN_MEMORY_ALONE}{why}"))
}

/// Somebody's supervisor, with the engine that it was given. All of it ends when it is dropped.
pub(crate) struct RealScene {
    // In the order in which they end: who asks, who is asked.
    proxy: EngineProxy,
    podman: PrivatePodman,
    engine: PathBuf,
    image: String,
    sandbox: Rc<Sandbox>,
    registry: AgentRegistry,
    profiles: Rc<Profiles>,
    record: Option<Template>,
    policy: SupervisionPolicy,
    ping: Option<String>,
    /// The workspaces, each with the socket on which its stand-ins are heard.
    workspaces: RefCell<Vec<(PathBuf, ControlServer)>>,
    /// What holds open what was executed aside.
    executed: RefCell<Vec<tokio::process::Child>>,
}

impl RealScene {
    /// Starts an engine for a scenario, puts a proxy before it, and leads whatever the sandbox runs there.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn open(stage: &Stage<'_>) -> Result<Rc<Self>, String> {
        let plan = stage.manifest.containers.as_ref();
        let plan =
            plan.ok_or("the manifest has no `[containers]`: write that section, and the harness gives the system an engine of its own")?;
        if let Some(why) = stage.system["no_engine"].as_str() {
            return Err(format!("no container engine: {why}"));
        }
        let images = stage.system["images"].as_str().map(PathBuf::from).ok_or("the harness made no image")?;
        let sandbox = stage.sandbox.clone();
        let (engine, socket) = (sandbox.path().join(ENGINE), sandbox.path().join("run/engine.sock"));
        let broken = |error: &dyn std::fmt::Display| format!("no container engine: {error}");
        let podman = PrivatePodman::start(&engine, Some(&images)).map_err(|error| broken(&error))?;
        // A system is not to wait for an engine that is still coming up.
        let answer = podman.command().arg("version").stdin(Stdio::null()).output().map_err(|error| broken(&error))?;
        if !answer.status.success() {
            return Err(broken(&String::from_utf8_lossy(&answer.stderr).trim()));
        }
        let proxy = EngineProxy::open(&socket, podman.socket(), engine.clone(), stage.log.clone()).map_err(|error| broken(&error))?;
        let url = format!("unix://{}", socket.display());
        let program = find_program("podman").map_err(|error| broken(&error))?;
        let script = format!("#!/bin/sh\nexec '{}' --remote --url '{url}' \"$@\"\n", program.display());
        sandbox.put_program("podman", &script).map_err(|error| broken(&error))?;
        let image = plan.image.clone().unwrap_or_else(|| AgentImage::NAME.to_owned());
        let own = PrivatePodman::environment(&engine);
        let conf = own.into_iter().filter(|(name, _)| name.starts_with("CONTAINERS_"));
        let env = [("DOCKER_HOST", url.as_str()), ("CONTAINER_HOST", url.as_str()), SECRET];
        sandbox.furnish(Furniture {
            env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().chain(conf).collect(),
            variables: vec![("image".into(), image.clone()), ("engine_socket".into(), socket.display().to_string())],
        });
        Ok(Rc::new(Self {
            proxy,
            podman,
            engine,
            image,
            sandbox,
            registry: stage.registry.clone(),
            profiles: stage.profiles.clone(),
            record: stage.manifest.record.clone(),
            policy: policy(&stage.manifest.policy),
            ping: stage.manifest.ping.clone(),
            workspaces: RefCell::default(),
            executed: RefCell::default(),
        }))
    }

    /// Asks the engine past the proxy, as an operator does.
    async fn podman(&self, words: &[&str]) -> Result<String, Stop> {
        let mut command = tokio::process::Command::from(self.podman.command());
        let no_answer = |why: String| Stop::CouldNotTest(format!("podman {}: {why}", words.join(" ")));
        let output = command.args(words).stdin(Stdio::null()).output().await.map_err(|error| no_answer(error.to_string()))?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
            false => Err(no_answer(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
        }
    }

    fn machine(&self, container: &str) -> Option<MachineContainer> {
        machine_containers(&self.engine).into_iter().find(|it| it.id == container)
    }

    /// Waits until something is true of a container.
    async fn until(&self, container: &str, what: &str, is: impl Fn(&MachineContainer) -> bool) -> Result<(), Stop> {
        let deadline = tokio::time::Instant::now() + SEEN;
        while !self.machine(container).as_ref().is_some_and(&is) {
            if tokio::time::Instant::now() >= deadline {
                return Err(Stop::CouldNotTest(format!("{what} in {container} within {} s", SEEN.as_secs())));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    /// Makes a folder in which a container's stand-ins find their harness.
    fn furnish(&self, workspace: &Path) -> std::io::Result<()> {
        let inside = workspace.join(WORKSPACE);
        std::fs::create_dir_all(&inside)?;
        let config = StandInConfig {
            socket: WORKSPACE_SOCKET.into(),
            home: HOME.into(),
            profiles: (*self.profiles).clone(),
            ping: self.ping.clone(),
        };
        std::fs::write(inside.join(WORKSPACE_CONFIG), serde_json::to_vec(&config)?)?;
        let folder = Some(workspace.display().to_string());
        let server = ControlServer::open_for(&inside.join(WORKSPACE_SOCKET), self.registry.clone(), folder)?;
        self.workspaces.borrow_mut().push((workspace.to_owned(), server));
        Ok(())
    }

    fn place(&self, role: &str, id: &str) -> Option<PathBuf> {
        let text = |path: PathBuf| serde_json::Value::from(path.display().to_string());
        let variables = Variables::from_iter([
            ("sandbox".to_owned(), text(self.sandbox.path().to_owned())),
            ("home".to_owned(), text(self.sandbox.home())),
            ("role".to_owned(), role.into()),
            ("session_id".to_owned(), id.into()),
        ]);
        self.record.as_ref()?.text(&variables).ok().map(PathBuf::from)
    }
}

/// The policy that a manifest states; what it leaves out is as the spec has it.
fn policy(stated: &StatedPolicy) -> SupervisionPolicy {
    let own = SupervisionPolicy::default();
    let time = |stated: Option<f64>, own: Duration| stated.and_then(|s| Duration::try_from_secs_f64(s).ok()).unwrap_or(own);
    SupervisionPolicy {
        interval: time(stated.interval_s, own.interval),
        timeout: time(stated.timeout_s, own.timeout),
        failures: stated.failures.unwrap_or(own.failures),
        first: time(stated.first_s, own.first),
        max: time(stated.max_s, own.max),
        restarts: stated.restarts.unwrap_or(own.restarts),
        window: time(stated.window_s, own.window),
        stable: time(stated.stable_s, own.stable),
    }
}

/// Makes of a folder a repository on a branch, with a commit, and a second branch.
fn make_repository(folder: &Path, branch: &str) -> std::io::Result<()> {
    let run = |words: &[&str]| {
        let mut git = std::process::Command::new("git");
        let as_one = ["user.name=passmuster", "user.email=passmuster@localhost", "commit.gpgsign=false", "init.templateDir="];
        git.arg("-C").arg(folder).args(as_one.into_iter().flat_map(|setting| ["-c", setting])).args(words);
        let output = git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null").stdin(Stdio::null()).output()?;
        let said = || std::io::Error::other(format!("git {}: {}", words[0], String::from_utf8_lossy(&output.stderr).trim()));
        if output.status.success() { Ok(()) } else { Err(said()) }
    };
    run(&["init", "-q", "-b", branch])?;
    let exclude = folder.join(".git/info");
    std::fs::create_dir_all(&exclude)?;
    std::fs::write(exclude.join("exclude"), format!("{WORKSPACE}/\n"))?;
    run(&["commit", "-q", "--allow-empty", "-m", "begin"])?;
    run(&["branch", "elsewhere"])
}

#[async_trait(?Send)]
impl SupervisionScene for RealScene {
    fn policy(&self) -> SupervisionPolicy {
        self.policy
    }

    fn folder(&self) -> PathBuf {
        self.sandbox.path().to_owned()
    }

    fn registry(&self) -> Option<PathBuf> {
        const MARK: &str = "passmuster-any";
        let place = self.place(MARK, MARK)?;
        let above = place.ancestors().find(|above| !above.to_string_lossy().contains(MARK))?;
        Some(above.to_owned())
    }

    fn record(&self, role: &str, id: &str) -> Option<PathBuf> {
        self.place(role, id)
    }

    fn make_workspace(&self, branch: &str) -> std::io::Result<PathBuf> {
        let workspace = self.sandbox.path().join("work").join((self.workspaces.borrow().len() + 1).to_string());
        std::fs::create_dir_all(&workspace)?;
        make_repository(&workspace, branch)?;
        self.furnish(&workspace)?;
        Ok(workspace)
    }

    fn truth(&self) -> Vec<TrueContainer> {
        let runs = self.registry.runs();
        let lives = |id: &str| {
            let alive = runs.iter().rev().filter(|run| ProcFs.alive(run.pid, run.started_ticks));
            alive.map(|run| run.pid).find(|pid| container_of(*pid).as_deref() == Some(id))
        };
        let workspaces = self.workspaces.borrow();
        let of = |it: MachineContainer| {
            let workspace = workspaces.iter().map(|(folder, _)| folder).find(|folder| it.mounts.iter().any(|mount| *folder == mount));
            TrueContainer {
                agent: lives(&it.id),
                name: it.name,
                status: it.status,
                workspace: workspace.cloned().unwrap_or_default(),
                executed: it.executed,
                id: it.id,
            }
        };
        machine_containers(&self.engine).into_iter().map(of).collect()
    }

    fn pings(&self, _: &str) -> Option<u64> {
        None
    }

    fn executions(&self, container: &str) -> u64 {
        self.proxy.executions(container)
    }

    fn calls(&self) -> u64 {
        self.proxy.calls()
    }

    fn trouble(&self, call: Option<&'static str>, times: Option<u32>, trouble: EngineTrouble) -> Result<(), Stop> {
        if trouble == EngineTrouble::Refuse && call.is_some() {
            return Err(Stop::Skipped("one engine answers every call at one door: it cannot refuse one of them alone".into()));
        }
        self.proxy.trouble(call, times, trouble);
        Ok(())
    }

    fn drop_events(&self) {
        self.proxy.drop_events();
    }

    fn behave(&self) {
        self.proxy.behave();
    }

    async fn take_away(&self, container: &str, removed: bool) -> Result<(), Stop> {
        if removed {
            return self.podman(&["rm", "--force", "--time", "0", container]).await.map(drop);
        }
        self.podman(&["kill", container]).await?;
        self.until(container, "something still runs", |it| it.members.is_empty()).await
    }

    async fn freeze(&self, container: &str) -> Result<(), Stop> {
        self.podman(&["pause", container]).await.map(drop)
    }

    async fn execute(&self, container: &str) -> Result<(), Stop> {
        let mut command = tokio::process::Command::from(self.podman.command());
        command.args(["exec", "--interactive", container, "sh", "-c", "read x"]).kill_on_drop(true);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.map_err(|error| Stop::CouldNotTest(format!("podman exec: {error}")))?;
        self.executed.borrow_mut().push(child);
        self.until(container, "nothing was executed", |it| !it.executed.is_empty()).await
    }

    async fn deny_death(&self, container: &str) -> Result<(), Stop> {
        let kill = |pid: i32| {
            if let Some(pid) = Pid::from_raw(pid) {
                let _ = kill_process(pid, Signal::KILL);
            }
        };
        // Who would tell the engine dies first.
        PrivatePodman::monitor(&self.engine, container).into_iter().for_each(kill);
        let members = self.machine(container).map(|it| it.members).unwrap_or_default();
        members.into_iter().filter_map(|pid| i32::try_from(pid).ok()).for_each(kill);
        self.until(container, "something still runs", |it| it.members.is_empty()).await
    }

    async fn bystander(&self, name: &str, labels: Vec<(String, String)>) -> Result<String, Stop> {
        let workspace = self.make_workspace("main").map_err(|error| Stop::CouldNotTest(format!("no workspace: {error}")))?;
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("--label={name}={value}")).collect();
        let folder = workspace.display().to_string();
        let volume = format!("--volume={folder}:{folder}");
        let mut words = vec!["run", "--detach", "--interactive", "--tty", "--name", name, &volume, "--workdir", &folder];
        words.extend(labels.iter().map(String::as_str));
        words.extend([self.image.as_str(), "codex"]);
        let id = self.podman(&words).await?;
        let deadline = tokio::time::Instant::now() + SEEN;
        while !self.truth().iter().any(|it| it.id == id && it.agent.is_some()) && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(id)
    }

    fn in_memory(&self) -> Option<Rc<InMemorySupervisor>> {
        None
    }

    fn patience(&self) -> Option<Duration> {
        Some(PATIENCE)
    }
}
