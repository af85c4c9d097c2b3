//! The sandbox that a manager runs in: a directory of its own, stand-ins first on the PATH, a cleared environment.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use crate::containers::private_podman::PrivatePodman;
use crate::contract::AgentKind;
use crate::fakes::processes::ProcFs;
use crate::fakes::standin::{CONFIG, StandInConfig};
use crate::profile::Profiles;

/// Sockets' paths end at 107 bytes: the sandbox's own is at most this long.
const LONGEST_PATH: usize = 40;

/// What a sandbox is made from.
#[derive(Debug)]
pub struct SandboxOptions {
    /// Its id, also in `PASSMUSTER_SANDBOX`.
    pub id: String,
    /// The profiles that its stand-ins follow.
    pub profiles: Profiles,
    /// The harness's own program, which is every stand-in's.
    pub passmuster: PathBuf,
    /// Whether it stays when it is dropped.
    pub keep: bool,
}

/// What went wrong with a sandbox.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A file or folder could not be made.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

/// A sandbox. It goes when it is dropped.
#[derive(Debug)]
pub struct Sandbox {
    path: PathBuf,
    id: String,
    keep: bool,
    ports: Mutex<Vec<UnixListener>>,
    furniture: Mutex<Furniture>,
}

/// What a scenario adds to a sandbox: environment, and variables of templates.
#[derive(Debug, Clone, Default)]
pub(crate) struct Furniture {
    /// Further environment.
    pub env: Vec<(String, String)>,
    /// Further variables.
    pub variables: Vec<(String, String)>,
}

impl Sandbox {
    /// Makes a sandbox. Those of harnesses that died are removed on the way.
    ///
    /// # Errors
    /// Where something could not be made.
    pub fn create(options: &SandboxOptions) -> Result<Self, SandboxError> {
        sweep_once();
        let path = short_folder(&options.id, !options.keep)?;
        let sandbox = Self { path, id: options.id.clone(), keep: options.keep, ports: Mutex::default(), furniture: Mutex::default() };
        for name in ["home", "bin", "work", "run", "log", "agents"] {
            sandbox.folder(name)?;
        }
        let config =
            StandInConfig { socket: sandbox.control_socket(), home: sandbox.home(), profiles: options.profiles.clone(), ping: None };
        sandbox.write("run/standin.json", &serde_json::to_string(&config).expect("profiles are plain data"))?;
        for agent in AgentKind::all().iter().copied() {
            let link = sandbox.path.join("agents").join(agent.name());
            symlink(&options.passmuster, &link).map_err(io_at(&link))?;
            // Absolute paths are baked in: it works even where the environment was lost.
            let script =
                format!("#!/bin/sh\n{CONFIG}='{}' exec '{}' \"$@\"\n", sandbox.path.join("run/standin.json").display(), link.display());
            sandbox.program(agent.name(), &script)?;
        }
        // Panes run login shells, which set the PATH anew.
        for name in [".profile", ".bash_profile", ".bashrc", ".zshenv", ".zprofile"] {
            sandbox.write(&format!("home/{name}"), &format!("PATH='{}':\"$PATH\"\nexport PATH\n", sandbox.path.join("bin").display()))?;
        }
        Ok(sandbox)
    }

    /// Adds environment and variables for whatever is started in it from now on.
    pub(crate) fn furnish(&self, with: Furniture) {
        *self.furniture.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = with;
    }

    /// What was added to it.
    pub(crate) fn furniture(&self) -> Furniture {
        self.furniture.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// Puts a program on the path of everything in it, before the machine's.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn put_program(&self, name: &str, script: &str) -> Result<(), SandboxError> {
        self.program(name, script)
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a file or folder, by its canonical path, is in it.
    pub fn holds(&self, path: &Path) -> bool {
        self.path.canonicalize().is_ok_and(|root| path.starts_with(root))
    }

    /// The home folder of everything in it.
    pub fn home(&self) -> PathBuf {
        self.path.join("home")
    }

    /// The absolute path of a stand-in.
    pub fn agent_command(&self, agent: AgentKind) -> PathBuf {
        self.path.join("bin").join(agent.name())
    }

    /// The socket on which the harness hears its stand-ins.
    pub fn control_socket(&self) -> PathBuf {
        self.path.join("run/stage.sock")
    }

    /// The file that something's output goes to.
    pub fn log_path(&self, name: &str) -> PathBuf {
        self.path.join("log").join(name)
    }

    /// The environment of everything in it, complete.
    pub fn env(&self) -> Vec<(String, String)> {
        let at = |name: &str| self.path.join(name).display().to_string();
        let path = std::env::var("PATH").unwrap_or_default();
        [
            ("HOME", at("home")),
            ("XDG_CONFIG_HOME", at("home/.config")),
            ("XDG_DATA_HOME", at("home/.local/share")),
            ("XDG_STATE_HOME", at("home/.local/state")),
            ("XDG_CACHE_HOME", at("home/.cache")),
            ("XDG_RUNTIME_DIR", at("run")),
            ("PATH", format!("{}:{path}", at("bin"))),
            ("TMPDIR", at("run")),
            ("TMUX_TMPDIR", at("run")),
            ("LANG", "C.UTF-8".into()),
            ("TERM", "xterm-256color".into()),
            ("SHELL", "/bin/sh".into()),
            ("USER", "passmuster".into()),
            ("LOGNAME", "passmuster".into()),
            ("PASSMUSTER_SANDBOX", self.id.clone()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .chain(self.furniture().env)
        .collect()
    }

    /// A working directory: an empty git repository.
    ///
    /// # Errors
    /// The system's.
    pub fn work_folder(&self, number: usize) -> Result<PathBuf, SandboxError> {
        let folder = self.path.join("work").join(number.to_string());
        let git = folder.join(".git");
        for inner in ["objects", "refs/heads"] {
            let inner = git.join(inner);
            fs::create_dir_all(&inner).map_err(io_at(&inner))?;
        }
        for (name, text) in [("HEAD", "ref: refs/heads/main\n"), ("config", "[core]\n\trepositoryformatversion = 0\n\tbare = false\n")] {
            let file = git.join(name);
            fs::write(&file, text).map_err(io_at(&file))?;
        }
        Ok(folder)
    }

    /// Makes an agent's program missing: it is not on the PATH. Where a real one is further down there, which must never be run, its
    /// stand-in stays and exits 127.
    ///
    /// # Errors
    /// The system's.
    pub fn make_missing(&self, agent: AgentKind) -> Result<(), SandboxError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        if std::env::split_paths(&path).any(|folder| folder.join(agent.name()).exists()) {
            return self.program(agent.name(), &format!("#!/bin/sh\necho '{agent}: command not found' >&2\nexit 127\n"));
        }
        let program = self.agent_command(agent);
        fs::remove_file(&program).map_err(io_at(&program))
    }

    /// The files below a folder, oldest first.
    pub fn files_below(&self, folder: &Path) -> Vec<PathBuf> {
        let mut files = Vec::new();
        walk(folder, &mut files);
        files.sort();
        files.into_iter().map(|(_, path)| path).collect()
    }

    /// A port that nobody else of this machine's harnesses uses, held until the sandbox goes.
    ///
    /// # Errors
    /// The system's.
    pub fn hold_port(&self) -> Result<u16, SandboxError> {
        loop {
            let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(io_at(Path::new("127.0.0.1")))?;
            let port = listener.local_addr().map_err(io_at(Path::new("127.0.0.1")))?.port();
            // A name that is no file: it is every user's and nobody's, and goes with whoever has it.
            let name = format!("passmuster-port-{port}");
            let held = SocketAddr::from_abstract_name(&name).and_then(|address| UnixListener::bind_addr(&address));
            match held {
                Ok(held) => {
                    self.ports.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(held);
                    return Ok(port);
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(source) => return Err(SandboxError::Io { path: name, source }),
            }
        }
    }

    fn folder(&self, name: &str) -> Result<(), SandboxError> {
        let path = self.path.join(name);
        fs::DirBuilder::new().mode(0o700).create(&path).map_err(io_at(&path))
    }

    fn write(&self, name: &str, text: &str) -> Result<(), SandboxError> {
        let path = self.path.join(name);
        fs::write(&path, text).map_err(io_at(&path))
    }

    /// Writes a stand-in's wrapper; renamed into place, so that none is ever half a program, or one that is still open
    /// for writing when it is started.
    fn program(&self, name: &str, script: &str) -> Result<(), SandboxError> {
        let folder = self.path.join("bin");
        let (path, new) = (folder.join(name), folder.join(format!(".{name}")));
        fs::write(&new, script).map_err(io_at(&new))?;
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).map_err(io_at(&new))?;
        fs::rename(&new, &path).map_err(io_at(&path))
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if !self.keep {
            remove(&self.path);
        }
    }
}

/// The folder in a sandbox of a container engine of its own.
pub(crate) const ENGINE: &str = "engine";

/// The file in a sandbox that says whose it is; one that is kept is nobody's.
const OWNER: &str = "owner";

/// A temporary folder of this process, for what several sandboxes share; swept like them where it dies without a word.
///
/// # Errors
/// The system's.
pub fn folder(what: &str) -> io::Result<tempfile::TempDir> {
    folder_in(&std::env::temp_dir(), what)
}

/// The same in memory where the system has a place for files there: nothing then waits for a disk.
///
/// # Errors
/// The system's.
pub fn folder_in_memory(what: &str) -> io::Result<tempfile::TempDir> {
    folder_in(Path::new(MEMORY), what).or_else(|_| folder(what))
}

fn folder_in(place: &Path, what: &str) -> io::Result<tempfile::TempDir> {
    sweep_once();
    let folder = tempfile::Builder::new().prefix(&format!("{PREFIX}{what}-")).tempdir_in(place)?;
    own(folder.path())?;
    Ok(folder)
}

/// Makes a folder this process's.
fn own(folder: &Path) -> io::Result<()> {
    fs::write(folder.join(OWNER), format!("{} {}", std::process::id(), ProcFs::ticks(std::process::id())))
}

/// Removes a sandbox. Its name goes first: who is killed over it leaves what everybody knows to be rubbish.
fn remove(path: &Path) {
    let engine = path.join(ENGINE);
    if engine.is_dir() {
        PrivatePodman::clear(&engine);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let rubbish = path.with_file_name(format!("{RUBBISH}{}", name.strip_prefix(PREFIX).unwrap_or(&name)));
    if fs::rename(path, &rubbish).is_ok() {
        clear(&rubbish);
    }
}

/// How often rubbish is tried to be removed, and how long after one another: what is killed is gone within a quarter of a second.
const TRIES: usize = 50;
const TRY_AGAIN: std::time::Duration = std::time::Duration::from_millis(5);

/// What is being killed may still write into it for a moment, and nothing tells when it has stopped: a few tries, then the next
/// run's sweep.
#[allow(clippy::disallowed_methods, reason = "nothing announces what is waited for")]
fn clear(rubbish: &Path) {
    for _ in 0..TRIES {
        match fs::remove_dir_all(rubbish) {
            Ok(()) => return,
            Err(_) if !rubbish.exists() => return,
            Err(_) => std::thread::sleep(TRY_AGAIN),
        }
    }
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> SandboxError {
    let path = path.display().to_string();
    move |source| SandboxError::Io { path, source }
}

/// Where a Linux system keeps files in memory.
const MEMORY: &str = "/dev/shm";

/// How the names of sandboxes, and of whatever else is swept, begin.
const PREFIX: &str = "pm-";

/// How the names of those begin that are being made; the id of their maker follows, for they say by themselves whose they are.
const NEW: &str = "pm-new-";

/// How the names of those begin that are being removed.
const RUBBISH: &str = "pm-gone-";

fn short_folder(id: &str, owned: bool) -> Result<PathBuf, SandboxError> {
    let id = &id[..id.len().min(10)];
    let name = format!("{PREFIX}{id}");
    // The folder that the user names, unless a socket's path below it would be too long.
    let [wanted, short] = [std::env::temp_dir(), PathBuf::from("/tmp")].map(|folder| folder.join(&name));
    let path = if wanted.as_os_str().len() <= LONGEST_PATH { wanted } else { short };
    let new = path.with_file_name(format!("{NEW}{}-{id}", std::process::id()));
    fs::DirBuilder::new().mode(0o700).create(&new).map_err(io_at(&new))?;
    if owned {
        own(&new).map_err(io_at(&new))?;
    }
    fs::rename(&new, &path).map_err(io_at(&path))?;
    Ok(path)
}

/// Removes, once, the sandboxes of processes that died without a word.
fn sweep_once() {
    static SWEPT: OnceLock<()> = OnceLock::new();
    SWEPT.get_or_init(sweep);
}

/// Removes the sandboxes of processes that died without a word.
pub fn sweep() {
    // One without an owner was kept.
    sweep_where(|pid, ticks| ProcFs::ticks(pid) != ticks);
}

/// Removes the sandboxes of this process, which is about to end without a word.
pub fn sweep_own() {
    sweep_where(|pid, _| pid == std::process::id());
}

fn sweep_where(goes: impl Fn(u32, u64) -> bool) {
    // Who finds nothing left has waited for the other thread, which may be removing it: then this process may end.
    static SWEEPING: Mutex<()> = Mutex::new(());
    let me = rustix::process::geteuid().as_raw();
    let _one = SWEEPING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    for folder in [std::env::temp_dir(), PathBuf::from("/tmp"), PathBuf::from(MEMORY)] {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let (name, path) = (entry.file_name(), entry.path());
            let name = name.to_string_lossy();
            // Others' are theirs: nobody may remove them, and trying takes its time.
            if !name.starts_with(PREFIX) || entry.metadata().is_ok_and(|meta| meta.uid() != me) {
                continue;
            }
            if name.starts_with(RUBBISH) {
                clear(&path);
            } else if let Some(maker) = name.strip_prefix(NEW) {
                let maker = maker.split_once('-').and_then(|(pid, _)| pid.parse().ok());
                if maker.is_some_and(|pid| ProcFs::ticks(pid) == 0 || goes(pid, ProcFs::ticks(pid))) {
                    remove(&path);
                }
            } else if name.starts_with(PREFIX) {
                let owner = fs::read_to_string(path.join(OWNER)).unwrap_or_default();
                let owner = owner.split_once(' ').and_then(|(pid, ticks)| Some((pid.parse().ok()?, ticks.parse().ok()?)));
                if owner.is_some_and(|(pid, ticks)| goes(pid, ticks)) {
                    remove(&path);
                }
            }
        }
    }
}

fn walk(folder: &Path, into: &mut Vec<(std::time::SystemTime, PathBuf)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.metadata() {
            Ok(meta) if meta.is_dir() => walk(&path, into),
            Ok(meta) => into.push((meta.modified().unwrap_or(std::time::UNIX_EPOCH), path)),
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Choice;

    fn sandbox() -> Sandbox {
        let options = SandboxOptions {
            id: uuid::Uuid::new_v4().simple().to_string(),
            profiles: Profiles::load(&Choice::Spec).unwrap(),
            passmuster: "/bin/true".into(),
            keep: false,
        };
        Sandbox::create(&options).unwrap()
    }

    #[test]
    fn a_sandbox_is_short_and_leaves_nothing() {
        let sandbox = sandbox();
        let path = sandbox.path().to_owned();
        assert!(path.as_os_str().len() <= LONGEST_PATH);
        assert!(sandbox.agent_command(AgentKind::CODEX).is_file() && sandbox.work_folder(1).unwrap().join(".git/HEAD").is_file());
        drop(sandbox);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_nobodys_is_kept_and_what_is_a_dead_ones_is_swept() {
        let mut kept = sandbox();
        kept.keep = true;
        fs::remove_file(kept.path().join(OWNER)).unwrap();
        let dead = folder("dead").unwrap();
        fs::write(dead.path().join(OWNER), format!("{} {}", std::process::id(), u64::MAX)).unwrap();
        sweep();
        assert!(kept.path().exists() && !dead.path().exists());
        kept.keep = false;
    }

    #[test]
    fn who_is_killed_over_a_sandbox_leaves_what_is_swept() {
        let at = |name: &str| std::env::temp_dir().join(format!("{name}{}", &uuid::Uuid::new_v4().simple().to_string()[..10]));
        // No process has that id: Linux knows none above 4 million.
        let [half_made, half_removed, being_made] =
            [at(&format!("{NEW}4999999-")), at(RUBBISH), at(&format!("{NEW}{}-", std::process::id()))];
        for folder in [&half_made, &half_removed, &being_made] {
            fs::create_dir(folder).unwrap();
        }
        sweep();
        assert!(!half_made.exists() && !half_removed.exists() && being_made.exists());
        fs::remove_dir(being_made).unwrap();
    }

    #[test]
    fn what_is_outside_is_not_held() {
        let sandbox = sandbox();
        assert!(sandbox.holds(&sandbox.home().canonicalize().unwrap()) && !sandbox.holds(Path::new("/etc/passwd")));
    }

    #[test]
    fn a_missing_agent_is_not_there_or_exits_127_and_ports_are_not_shared() {
        let sandbox = sandbox();
        sandbox.make_missing(AgentKind::CLAUDE).unwrap();
        let status = std::process::Command::new(sandbox.agent_command(AgentKind::CLAUDE)).stderr(std::process::Stdio::null()).status();
        let is_real = std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|folder| folder.join("claude").exists());
        match status {
            Ok(status) => assert_eq!((status.code(), is_real), (Some(127), true)),
            Err(error) => assert_eq!((error.kind(), is_real), (std::io::ErrorKind::NotFound, false)),
        }
        assert_ne!(sandbox.hold_port().unwrap(), sandbox.hold_port().unwrap());
    }
}
