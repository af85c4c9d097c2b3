//! An engine that speaks the Docker API on a Unix socket of this machine: Docker, or Podman's service.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bollard::errors::Error;
use bollard::exec::StartExecOptions;
use bollard::models::{
    ContainerCreateBody, ContainerStateStatusEnum, ContainerSummaryStateEnum, EventMessage, ExecConfig, HostConfig, Mount, MountType,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, EventsOptionsBuilder, InspectContainerOptions, KillContainerOptionsBuilder,
    ListContainersOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions,
};
use bollard::{API_DEFAULT_VERSION, Docker};
use futures::StreamExt as _;
use tokio::sync::{OnceCell, mpsc};

use crate::contract::AgentKind;

use super::engine::{ContainerEngine, ContainerInfo, ContainerSpec, ContainerStatus, EngineError, EngineEvent};
use super::relay::{RELAY_FOLDER, RelayJob, RelayProgram};

/// How long an engine may take to do something; a start on a machine with twenty times the work that it can do was seen to take 4 s.
const ANSWER: Duration = Duration::from_secs(8);
/// How long it may take to say what there is: two such answers that do not come fit into the contract's limit for a call.
const LOOK: Duration = Duration::from_secs(4);
/// How long before a stream of events that broke is asked for again.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);
/// How long a stream of events may say nothing.
const QUIET: Duration = Duration::from_secs(365 * 24 * 3600);
/// The oldest API that is understood: that of Docker 20.10 and Podman 4.
const OLDEST: (usize, usize) = (1, 40);
/// What Podman says where a container ended by itself while it was about to be killed and removed: nothing was removed.
const ENDED_MEANWHILE: &str = "container state improper";
/// What Podman calls a container whose process is over until a process of its own has tidied up: no status of Docker's, and nothing
/// tells when it is over.
const STOPPED: &str = "`stopped`";
/// How often one that is called so is looked at before the answer counts as none.
const LOOKS_AT_THE_STOPPED: usize = 50;
/// How long it is given between two looks.
const UNTIL_TIDIED_UP: Duration = Duration::from_millis(100);
/// The label that names the folder through which a container's relay is reached.
const RELAY: &str = "passmuster.relay";

/// Where an engine is sought when nobody names one, after `DOCKER_HOST` and `CONTAINER_HOST`.
const USUAL_SOCKETS: [&str; 2] = ["/run/docker.sock", "/run/podman/podman.sock"];

/// The socket of the engine that the environment names, or of one that is usual.
///
/// # Errors
/// Says where it was sought, and what to do.
pub(crate) fn engine_socket(variable: impl Fn(&str) -> Option<String>) -> Result<PathBuf, String> {
    for name in ["DOCKER_HOST", "CONTAINER_HOST"] {
        if let Some(value) = variable(name).filter(|value| !value.is_empty()) {
            return match value.strip_prefix("unix://").or_else(|| value.starts_with('/').then_some(&value)) {
                Some(path) => Ok(path.into()),
                None => Err(format!("{name} is {value:?}: wanted `unix:///PATH`, a socket of this machine (agents' folders are on it)")),
            };
        }
    }
    let own = variable("XDG_RUNTIME_DIR").map(|folder| Path::new(&folder).join("podman/podman.sock"));
    let places: Vec<PathBuf> = own.into_iter().chain(USUAL_SOCKETS.map(PathBuf::from)).collect();
    places.iter().find(|place| place.exists()).cloned().ok_or_else(|| {
        let sought: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
        format!(
            "no container engine: DOCKER_HOST and CONTAINER_HOST are not set, and there is no {}. Start one (`podman system service --time 0 \
             unix:///PATH` or Docker) and say where it is (`--engine PATH`)",
            sought.join(", no ")
        )
    })
}

/// An engine on a socket, asked over the Docker API. What it loses is [`EngineError::Lost`]; nothing is asked twice but what Podman
/// answers half-way through a container's end.
pub(crate) struct DockerEngine {
    socket: PathBuf,
    client: OnceCell<Docker>,
    /// The words that an agent is started with, where they are not its own name.
    commands: BTreeMap<AgentKind, Vec<String>>,
    program: RelayProgram,
    /// The folder of each container's relay, by the container's full id.
    relays: Mutex<HashMap<String, PathBuf>>,
}

impl DockerEngine {
    /// An engine on that socket, which need not be there yet. `program` is what relays are.
    pub(crate) fn new(socket: PathBuf, commands: BTreeMap<AgentKind, Vec<String>>, program: RelayProgram) -> Arc<Self> {
        Arc::new(Self { socket, client: OnceCell::new(), commands, program, relays: Mutex::default() })
    }

    /// The client. It asks without a version, so that the engine answers in its own, which is looked at here.
    async fn client(&self) -> Result<&Docker, EngineError> {
        self.client
            .get_or_try_init(|| async {
                let at = self.socket.display();
                let connected = Docker::connect_with_unix(&self.socket.to_string_lossy(), ANSWER.as_secs(), API_DEFAULT_VERSION);
                let client = connected.map_err(|error| self.trouble(error))?;
                let client = client.negotiate_version().await.map_err(|error| match self.trouble(error) {
                    // Nothing was to be done: what answers so is no engine.
                    EngineError::Lost => EngineError::Failed(format!("what listens at {at} gave no answer that an engine gives")),
                    EngineError::NotFound => EngineError::Failed(format!("what listens at {at} knows no `/version`")),
                    other => other,
                })?;
                let version = client.client_version();
                match (version.major_version, version.minor_version) >= OLDEST {
                    true => Ok(client),
                    false => Err(EngineError::Failed(format!(
                        "the engine at {at} speaks version {}.{} of the Docker API, wanted {}.{} or newer",
                        version.major_version, version.minor_version, OLDEST.0, OLDEST.1
                    ))),
                }
            })
            .await
    }

    /// What an error of the client means.
    fn trouble(&self, error: Error) -> EngineError {
        let at = self.socket.display();
        match error {
            Error::SocketNotFoundError(_) => EngineError::Unreachable(format!("there is no {at}")),
            Error::HyperLegacyError { err } if err.is_connect() => EngineError::Unreachable(format!("{at}: {}", root_cause(&err))),
            Error::DockerResponseServerError { status_code: 404, .. } => EngineError::NotFound,
            Error::DockerResponseServerError { status_code, message } => EngineError::Failed(format!("{} ({status_code})", message.trim())),
            Error::RequestTimeoutError
            | Error::HyperLegacyError { .. }
            | Error::HyperResponseError { .. }
            | Error::IOError { .. }
            | Error::JsonDataError { .. }
            | Error::JsonSerdeError { .. } => EngineError::Lost,
            other => EngineError::Failed(other.to_string()),
        }
    }

    /// Asks for something to be done.
    async fn asked<T>(&self, ask: impl AsyncFnOnce(&Docker) -> Result<T, Error>) -> Result<T, EngineError> {
        self.within(ANSWER, ask).await
    }

    /// Asks, and waits for the answer at most so long.
    async fn within<T>(&self, limit: Duration, ask: impl AsyncFnOnce(&Docker) -> Result<T, Error>) -> Result<T, EngineError> {
        let client = tokio::time::timeout(ANSWER, self.client()).await.unwrap_or_else(|_| {
            Err(EngineError::Unreachable(format!("{} said nothing for {} s", self.socket.display(), ANSWER.as_secs())))
        })?;
        match tokio::time::timeout(limit, ask(client)).await {
            Ok(answer) => answer.map_err(|error| self.trouble(error)),
            Err(_) => Err(EngineError::Lost),
        }
    }

    fn relays(&self) -> MutexGuard<'_, HashMap<String, PathBuf>> {
        self.relays.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The folder of a container's relay: as it was last told, or as the engine knows.
    pub(super) async fn relay_folder(&self, container: &str) -> Option<PathBuf> {
        let known = self.relays().get(container).cloned();
        match known {
            Some(folder) => Some(folder),
            None => {
                self.inspect(container).await.ok()?;
                self.relays().get(container).cloned()
            }
        }
    }

    fn note(&self, info: &ContainerInfo) {
        if let Some(folder) = info.label(RELAY) {
            self.relays().insert(info.id.clone(), folder.into());
        }
    }

    /// What a container is made of, in the API's words.
    fn body(&self, spec: &ContainerSpec, folder: &Path) -> ContainerCreateBody {
        let mount = |source: &Path, target: String, read_only: bool| Mount {
            typ: Some(MountType::BIND),
            source: Some(source.display().to_string()),
            target: Some(target),
            read_only: Some(read_only),
            ..Mount::default()
        };
        let mut mounts =
            vec![mount(&spec.workspace, spec.workspace.display().to_string(), false), mount(folder, RELAY_FOLDER.to_owned(), false)];
        mounts.extend(repository_of(&spec.workspace).map(|path| mount(&path, path.display().to_string(), false)));
        mounts.extend(self.program.files().map(|(source, target)| mount(source, target, true)));
        let labels = spec.labels.iter().cloned().chain([(RELAY.to_owned(), folder.display().to_string())]);
        ContainerCreateBody {
            image: Some(spec.image.clone()),
            // What the image starts by itself is not asked for.
            entrypoint: Some(self.program.words()),
            cmd: Some(Vec::new()),
            working_dir: Some(spec.workspace.display().to_string()),
            labels: Some(labels.collect()),
            host_config: Some(HostConfig { mounts: Some(mounts), ..HostConfig::default() }),
            ..ContainerCreateBody::default()
        }
    }
}

/// The repository that a worktree is of, which has to be where its `.git` says.
fn repository_of(workspace: &Path) -> Option<PathBuf> {
    let text = std::fs::read_to_string(workspace.join(".git")).ok()?;
    let own = workspace.join(text.trim().strip_prefix("gitdir: ")?);
    let common = std::fs::read_to_string(own.join("commondir")).ok()?;
    own.join(common.trim()).canonicalize().ok()
}

/// The innermost cause of an error: what the system said.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Labels, in the order of their names.
fn by_name(labels: Option<HashMap<String, String>>) -> Vec<(String, String)> {
    labels.into_iter().flatten().collect::<BTreeMap<_, _>>().into_iter().collect()
}

fn no_folder(error: std::io::Error) -> EngineError {
    EngineError::Failed(format!("no folder for a container's relay: {error}"))
}

#[async_trait]
impl ContainerEngine for DockerEngine {
    async fn create(&self, spec: &ContainerSpec) -> Result<String, EngineError> {
        if spec.image.is_empty() {
            return Err(EngineError::Failed("no image is named for the agents' containers (`--image IMAGE`)".into()));
        }
        let folder = spec.transcript.parent().unwrap_or(Path::new("/"));
        let own = || vec![spec.agent.name().to_owned()];
        let words = self.commands.get(&spec.agent).cloned().unwrap_or_else(own);
        RelayJob::new(words, spec.message.as_deref(), &spec.transcript).leave(folder).map_err(no_folder)?;
        let options = CreateContainerOptionsBuilder::default().name(&spec.name).build();
        let created = self.asked(async |client| client.create_container(Some(options), self.body(spec, folder)).await).await;
        match created {
            Ok(made) => {
                self.relays().insert(made.id.clone(), folder.to_owned());
                Ok(made.id)
            }
            Err(EngineError::NotFound) => Err(EngineError::Failed(format!("it has no image {:?}: pull or build it first", spec.image))),
            Err(EngineError::Failed(why)) if why.contains("already in use") => Err(EngineError::NameTaken),
            Err(error) => Err(error),
        }
    }

    async fn start(&self, id: &str) -> Result<(), EngineError> {
        self.asked(async |client| client.start_container(id, None::<StartContainerOptions>).await).await
    }

    async fn inspect(&self, id: &str) -> Result<ContainerInfo, EngineError> {
        let look = async |client: &Docker| match client.inspect_container(id, None::<InspectContainerOptions>).await {
            Err(Error::JsonDataError { message, .. }) if message.contains(STOPPED) => Ok(None),
            found => found.map(Some),
        };
        let mut found = self.within(LOOK, look).await?;
        for _ in 1..LOOKS_AT_THE_STOPPED {
            if found.is_some() {
                break;
            }
            tokio::time::sleep(UNTIL_TIDIED_UP).await;
            found = self.within(LOOK, look).await?;
        }
        let found = found.ok_or(EngineError::Lost)?;
        let status = match found.state.and_then(|state| state.status) {
            Some(ContainerStateStatusEnum::CREATED) => ContainerStatus::Created,
            Some(ContainerStateStatusEnum::RUNNING | ContainerStateStatusEnum::RESTARTING | ContainerStateStatusEnum::STOPPING) => {
                ContainerStatus::Running
            }
            Some(ContainerStateStatusEnum::PAUSED) => ContainerStatus::Frozen,
            _ => ContainerStatus::Exited,
        };
        let labels = by_name(found.config.and_then(|config| config.labels));
        let name = found.name.unwrap_or_default().trim_start_matches('/').to_owned();
        let info = ContainerInfo { id: found.id.unwrap_or_default(), name, status, labels };
        self.note(&info);
        Ok(info)
    }

    async fn list(&self) -> Result<Vec<ContainerInfo>, EngineError> {
        let options = ListContainersOptionsBuilder::default().all(true).build();
        let found = self.within(LOOK, async |client| client.list_containers(Some(options)).await).await?;
        let infos: Vec<ContainerInfo> = found
            .into_iter()
            .map(|found| ContainerInfo {
                id: found.id.unwrap_or_default(),
                name: found.names.into_iter().flatten().next().unwrap_or_default().trim_start_matches('/').to_owned(),
                status: match found.state {
                    Some(ContainerSummaryStateEnum::CREATED) => ContainerStatus::Created,
                    Some(
                        ContainerSummaryStateEnum::RUNNING | ContainerSummaryStateEnum::RESTARTING | ContainerSummaryStateEnum::STOPPING,
                    ) => ContainerStatus::Running,
                    Some(ContainerSummaryStateEnum::PAUSED) => ContainerStatus::Frozen,
                    _ => ContainerStatus::Exited,
                },
                labels: by_name(found.labels),
            })
            .collect();
        infos.iter().for_each(|info| self.note(info));
        Ok(infos)
    }

    /// Where the stream breaks it is asked for again, from the last that was told on.
    fn events(&self) -> mpsc::UnboundedReceiver<EngineEvent> {
        let (to, from) = mpsc::unbounded_channel();
        let socket = self.socket.clone();
        tokio::spawn(async move {
            let mut since = jiff::Timestamp::now().as_second();
            while !to.is_closed() {
                tokio::select! {
                    () = tell(&socket, &mut since, &to) => tokio::time::sleep(LISTEN_AGAIN).await,
                    () = to.closed() => {}
                }
            }
        });
        from
    }

    async fn kill(&self, id: &str, signal: &'static str) -> Result<(), EngineError> {
        let options = KillContainerOptionsBuilder::default().signal(&format!("SIG{signal}")).build();
        self.asked(async |client| client.kill_container(id, Some(options)).await).await
    }

    async fn freeze(&self, id: &str) -> Result<(), EngineError> {
        self.asked(async |client| client.pause_container(id).await).await
    }

    async fn thaw(&self, id: &str) -> Result<(), EngineError> {
        self.asked(async |client| client.unpause_container(id).await).await
    }

    async fn execute(&self, id: &str) -> Result<(), EngineError> {
        let words = Some(["sleep", "600"].map(str::to_owned).to_vec());
        let made = self.asked(async |client| client.create_exec(id, ExecConfig { cmd: words, ..ExecConfig::default() }).await).await?;
        let options = StartExecOptions { detach: true, ..StartExecOptions::default() };
        self.asked(async |client| client.start_exec(&made.id, Some(options)).await).await.map(drop)
    }

    async fn remove(&self, id: &str) -> Result<(), EngineError> {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        let remove = async || self.asked(async |client| client.remove_container(id, Some(options.clone())).await).await;
        match remove().await {
            Err(EngineError::Failed(why)) if why.contains(ENDED_MEANWHILE) => remove().await?,
            removed => removed?,
        }
        self.relays().remove(id);
        Ok(())
    }
}

/// Tells of ends and removals until the stream breaks; `since` is the second of the last one.
async fn tell(socket: &Path, since: &mut i64, to: &mpsc::UnboundedSender<EngineEvent>) {
    let Ok(client) = Docker::connect_with_unix(&socket.to_string_lossy(), ANSWER.as_secs(), API_DEFAULT_VERSION) else { return };
    let filters = HashMap::from([("type", vec!["container"]), ("event", vec!["die", "died", "destroy", "remove"])]);
    let options = EventsOptionsBuilder::default().since(&since.to_string()).filters(&filters).build();
    let mut stream = std::pin::pin!(client.with_timeout(QUIET).events(Some(options)));
    while let Some(Ok(EventMessage { actor, time, .. })) = stream.next().await {
        *since = time.unwrap_or(*since);
        if let Some(container) = actor.and_then(|actor| actor.id) {
            // Nobody may be listening any more.
            let _ = to.send(EngineEvent { container });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::containers::image::AgentImage;
    use crate::containers::private_podman::PrivatePodman;
    use rstest::rstest;
    use std::os::unix::fs::PermissionsExt as _;

    fn spec(folder: &Path, name: &str) -> ContainerSpec {
        ContainerSpec {
            name: name.into(),
            image: AgentImage::NAME.into(),
            labels: vec![("of".into(), "test".into())],
            agent: AgentKind::CODEX,
            workspace: folder.into(),
            message: None,
            transcript: folder.join(name).join("transcript.txt"),
        }
    }

    #[test]
    fn podman_does_what_is_asked_and_its_refusals_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let [images, own] = ["images", "own"].map(|name| folder.path().join(name));
        AgentImage::make(&images, Path::new("/bin/true"), AgentImage::NAME, &["sh", "sleep"]).unwrap();
        let podman = PrivatePodman::start(&own, Some(&images)).unwrap();
        // In a relay's place, a process that waits, and ends at TERM.
        let program = folder.path().join("program");
        std::fs::write(&program, "#!/bin/sh\ntrap 'exit 3' TERM\nsleep 600 & wait\n").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let engine = DockerEngine::new(podman.socket(), BTreeMap::new(), RelayProgram::of(program, ""));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut events = engine.events();
            let first = spec(folder.path(), "first");
            let id = engine.create(&first).await.unwrap();
            assert_eq!(engine.create(&first).await, Err(EngineError::NameTaken));
            let unknown = ContainerSpec { image: "nothing".into(), ..spec(folder.path(), "other") };
            let refused = engine.create(&unknown).await.unwrap_err().to_string();
            assert_eq!(refused, "the container engine failed: it has no image \"nothing\": pull or build it first");
            let info = engine.inspect("first").await.unwrap();
            assert_eq!((info.id.as_str(), info.status, info.label("of")), (id.as_str(), ContainerStatus::Created, Some("test")));
            let status = async || engine.inspect(&id).await.unwrap().status;
            engine.start(&id).await.unwrap();
            engine.start(&id).await.unwrap();
            engine.freeze(&id).await.unwrap();
            assert_eq!(status().await, ContainerStatus::Frozen);
            assert_eq!(
                engine.list().await.unwrap(),
                [ContainerInfo { status: ContainerStatus::Frozen, ..engine.inspect(&id).await.unwrap() }]
            );
            assert!(matches!(engine.freeze(&id).await, Err(EngineError::Failed(_))));
            engine.thaw(&id).await.unwrap();
            assert!(matches!(engine.thaw(&id).await, Err(EngineError::Failed(_))));
            engine.execute(&id).await.unwrap();
            engine.kill(&id, "TERM").await.unwrap();
            assert_eq!(events.recv().await, Some(EngineEvent { container: id.clone() }));
            assert_eq!(status().await, ContainerStatus::Exited);
            assert!(matches!(engine.kill(&id, "TERM").await, Err(EngineError::Failed(_))));
            engine.remove(&id).await.unwrap();
            assert_eq!(engine.inspect(&id).await, Err(EngineError::NotFound));
            assert_eq!(engine.remove(&id).await, Err(EngineError::NotFound));
            assert_eq!(engine.kill(&id, "TERM").await, Err(EngineError::NotFound));
            let socket = podman.socket();
            drop(podman);
            let gone = engine.list().await.unwrap_err();
            assert!(matches!(&gone, EngineError::Unreachable(why) if why.contains(&socket.display().to_string())), "{gone}");
        });
    }

    /// An engine that answers `/version`, and to anything else what it is told to; tells what it was asked.
    fn pretend(socket: &Path, answers: Vec<&'static str>) -> mpsc::UnboundedReceiver<String> {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        const VERSION: &str = "HTTP/1.1 200 OK\r\nContent-Length: 21\r\nConnection: close\r\n\r\n{\"ApiVersion\":\"1.41\"}";
        let (tell, told) = mpsc::unbounded_channel();
        let listener = tokio::net::UnixListener::bind(socket).unwrap();
        tokio::spawn(async move {
            let mut answers = answers.into_iter();
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut asked = vec![0; 16 << 10];
                let count = stream.read(&mut asked).await.unwrap();
                let first = String::from_utf8_lossy(&asked[..count]).lines().next().unwrap_or_default().to_owned();
                let answer = if first.contains("/version") { Some(VERSION) } else { answers.next() };
                let _ = stream.write_all(answer.unwrap_or_default().as_bytes()).await;
                if !first.contains("/version") {
                    tell.send(first).unwrap();
                }
            }
        });
        told
    }

    fn alone(test: impl AsyncFnOnce(Arc<DockerEngine>, PathBuf)) {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("engine.sock");
        let engine = DockerEngine::new(socket.clone(), BTreeMap::new(), RelayProgram::of("/p".into(), ""));
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test(engine, socket));
    }

    #[test]
    fn an_answer_that_is_lost_is_no_refusal() {
        alone(async |engine, socket| {
            let full = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 18\r\nConnection: close\r\n\r\n{\"message\":\"full\"}";
            let mut asked = pretend(&socket, vec!["", "HTTP/1.1 20", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[{", "nonsense", full]);
            for _ in 0..4 {
                assert_eq!(engine.list().await, Err(EngineError::Lost));
            }
            assert_eq!(engine.list().await, Err(EngineError::Failed("full (500)".into())));
            assert_eq!(asked.recv().await.unwrap(), "GET /containers/json?all=true&size=false HTTP/1.1");
        });
    }

    #[test]
    fn who_ends_while_it_is_removed_is_removed() {
        alone(async |engine, socket| {
            let improper = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 79\r\nConnection: close\r\n\r\n\
                            {\"message\":\"sending SIGKILL to container a: container state improper: stopped\"}";
            let _asked = pretend(&socket, vec![improper, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"]);
            assert_eq!(engine.remove("a").await, Ok(()));
        });
    }

    #[test]
    fn events_are_asked_for_again_from_the_last_one_on() {
        alone(async |engine, socket| {
            let first = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"Type\":\"container\",\"Action\":\"die\",\"Actor\":{\"ID\":\"a\"},\"time\":77}\n";
            let second = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"Type\":\"container\",\"Action\":\"die\",\"Actor\":{\"ID\":\"b\"},\"time\":78}\n";
            let mut asked = pretend(&socket, vec![first, second]);
            let mut events = engine.events();
            for container in ["a", "b"] {
                assert_eq!(events.recv().await, Some(EngineEvent { container: container.into() }));
            }
            asked.recv().await.unwrap();
            assert!(asked.recv().await.unwrap().contains("since=77&"));
        });
    }

    #[test]
    fn a_worktree_comes_with_its_repository() {
        let folder = tempfile::tempdir().unwrap();
        let main = folder.path().join("main");
        let git = |args: &[&str]| std::process::Command::new("git").args(args).current_dir(&main).status().unwrap().success();
        std::fs::create_dir(&main).unwrap();
        assert!(git(&["init", "-q"]) && repository_of(&main).is_none());
        assert!(git(&["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-q", "--allow-empty", "-m", "x"]));
        assert!(git(&["worktree", "add", "-q", "../tree"]));
        assert_eq!(repository_of(&folder.path().join("tree")), main.join(".git").canonicalize().ok());
    }

    #[rstest]
    #[case(&[("DOCKER_HOST", "unix:///a"), ("CONTAINER_HOST", "unix:///b")], Ok("/a"))]
    #[case(&[("DOCKER_HOST", ""), ("CONTAINER_HOST", "/b")], Ok("/b"))]
    #[case(&[("DOCKER_HOST", "tcp://10.0.0.1:2375")], Err("DOCKER_HOST is \"tcp://10.0.0.1:2375\": wanted `unix:///PATH`"))]
    fn the_environment_names_the_engine(#[case] variables: &[(&str, &str)], #[case] wanted: Result<&str, &str>) {
        let found = engine_socket(|name| variables.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned()));
        match (found, wanted) {
            (Ok(found), Ok(wanted)) => assert_eq!(found, Path::new(wanted)),
            (Err(found), Err(wanted)) => assert!(found.starts_with(wanted), "{found}"),
            (found, wanted) => panic!("{found:?}, wanted {wanted:?}"),
        }
    }
}
