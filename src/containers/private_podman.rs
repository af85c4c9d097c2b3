//! A Podman of one's own: its store, its state and its service in one folder, and nothing of it outside that outlives it.
//!
//! The service runs in a mount namespace of its own, so whatever it mounts goes with the last of its processes. What it has elsewhere
//! (control groups, the state of its runtime) is known by the ids of its containers, which stand in the folder: whoever finds the
//! folder of one that died can remove it all ([`PrivatePodman::clear`]).

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::fakes::processes::starting;

/// The socket of its service, below its folder.
const SOCKET: &str = "engine.sock";
/// What its programs are told by.
const CONF: &str = "containers.conf";
const STORAGE: &str = "storage.conf";
/// What its service says, for those who wonder.
const SAID: &str = "service.log";
/// Where control groups are.
const CGROUPS: &str = "/sys/fs/cgroup";
/// Where the runtime keeps what it knows of a container.
const RUNTIME_STATE: &str = "/run/runc";
/// Where programs are sought that a user's `PATH` may not name.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Why there is no engine of one's own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoEngine {
    /// A program is missing.
    #[error("no `{0}` in {1}: install it (Debian: `apt-get install podman runc`)")]
    Missing(&'static str, String),
    /// Only root may have one here.
    #[error("a Podman of one's own needs root: user {0} may not mount")]
    NotRoot(u32),
    /// It was there and did not do as it was told.
    #[error("{0}")]
    Broken(String),
}

impl From<io::Error> for NoEngine {
    fn from(error: io::Error) -> Self {
        NoEngine::Broken(format!("no Podman of one's own: {error}"))
    }
}

/// Where a program is: on the path, or where systems have theirs.
pub(crate) fn find_program(name: &'static str) -> Result<PathBuf, NoEngine> {
    let path = std::env::var("PATH").unwrap_or_default() + ":" + SYSTEM_PATH;
    let places = std::env::split_paths(&path).map(|folder| folder.join(name));
    places.into_iter().find(|place| place.is_file()).ok_or(NoEngine::Missing(name, path))
}

/// A Podman with a store of its own. It ends, with all its containers, when it is dropped; its folder stays.
#[derive(Debug)]
pub(crate) struct PrivatePodman {
    folder: PathBuf,
    podman: PathBuf,
    service: Child,
}

impl PrivatePodman {
    /// Whether there can be one on this machine.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn look() -> Result<PathBuf, NoEngine> {
        let user = rustix::process::geteuid();
        let podman = find_program("podman")?;
        ["runc", "conmon", "unshare"].into_iter().try_for_each(|name| find_program(name).map(drop))?;
        if user.is_root() { Ok(podman) } else { Err(NoEngine::NotRoot(user.as_raw())) }
    }

    /// Starts one in a folder, which is made. `images` is the folder of another whose images it has, too, and must not change.
    ///
    /// # Errors
    /// What is missing, or failed.
    pub(crate) fn start(folder: &Path, images: Option<&Path>) -> Result<Self, NoEngine> {
        let (podman, at) = (Self::look()?, |name: &str| folder.join(name));
        Self::configure(folder, images)?;
        // The socket listens before the service runs, which takes it over: who connects waits, and nobody is refused.
        let listener = UnixListener::bind(at(SOCKET))?;
        let said = fs::File::create(at(SAID))?;
        let allowed = starting()?;
        let service = Command::new(find_program("unshare")?)
            .args(["--mount", "--propagation", "private", "sh", "-c"])
            .arg("exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" system service --time 0")
            .arg(&podman)
            .env_clear()
            .envs(Self::environment(folder))
            .stdin(OwnedFd::from(listener))
            .stdout(said.try_clone()?)
            .stderr(said)
            .spawn()?;
        drop(allowed);
        Ok(Self { folder: folder.to_owned(), podman, service })
    }

    /// Writes what its programs are told by.
    fn configure(folder: &Path, images: Option<&Path>) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let at = |name: &str| folder.join(name);
        let text = |name: &str| at(name).display().to_string();
        // No network and no limits that a machine may lack; locks and events in files of its own, not the machine's.
        let conf = format!(
            "[containers]\nnetns = \"none\"\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1000:1000\"]\n\
             [engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\nlock_type = \"file\"\n\
             exit_command_delay = 1\ntmp_dir = {:?}\n",
            text("tmp")
        );
        let shared = images.map(|other| format!("[storage.options]\nadditionalimagestores = [{:?}]\n", other.join("root")));
        let storage = format!(
            "[storage]\ndriver = \"overlay\"\ngraphroot = {:?}\nrunroot = {:?}\n{}",
            text("root"),
            text("run"),
            shared.unwrap_or_default()
        );
        fs::write(at(CONF), conf)?;
        fs::write(at(STORAGE), storage)
    }

    /// The socket on which it speaks Docker's and Podman's API.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join(SOCKET)
    }

    /// Its own program, asked over its socket.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.podman);
        command.env_clear().envs(Self::environment(&self.folder));
        command.args(["--remote", "--url"]).arg(format!("unix://{}", self.socket().display()));
        command
    }

    /// Makes an image of a tar that is read from `tar`, in the store of a folder in which no service runs; `changes` are lines of a
    /// Dockerfile.
    ///
    /// # Errors
    /// What is missing, or what Podman said.
    pub(crate) fn import(folder: &Path, tar: Stdio, name: &str, changes: &[String]) -> Result<(), NoEngine> {
        let podman = Self::look()?;
        Self::configure(folder, None)?;
        let mut command = Command::new(podman);
        command.env_clear().envs(Self::environment(folder)).args(["import", "--quiet"]);
        let output = command.args(changes.iter().flat_map(|change| ["--change", change])).args(["-", name]).stdin(tar).output()?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(NoEngine::Broken(format!("no image could be imported: {}", said.trim())))
    }

    /// What its programs, and those of its service, have for an environment.
    pub(crate) fn environment(folder: &Path) -> Vec<(String, String)> {
        let at = |name: &str| folder.join(name).display().to_string();
        let path = std::env::var("PATH").unwrap_or_default() + ":" + SYSTEM_PATH;
        [
            ("PATH", path),
            ("HOME", at("")),
            ("XDG_RUNTIME_DIR", at("")),
            ("TMPDIR", at("")),
            ("CONTAINERS_CONF", at(CONF)),
            ("CONTAINERS_STORAGE_CONF", at(STORAGE)),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }

    /// The process that watches over a container.
    pub(crate) fn monitor(folder: &Path, id: &str) -> Option<i32> {
        let file = folder.join("run/overlay-containers").join(id).join("userdata/conmon.pid");
        let pid: i32 = fs::read_to_string(file).ok()?.trim().parse().ok()?;
        // Pids are used again: it is one as long as it is the container's.
        fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| contains(&line, id.as_bytes())).then_some(pid)
    }

    /// Ends what runs of the Podman of a folder, whoever started it and whether its service lives, and removes what it has elsewhere.
    pub(crate) fn clear(folder: &Path) {
        let ids = container_ids(folder);
        // Its monitors first: one that sees its container end has it cleaned up by further processes.
        ids.iter().for_each(|id| end(Self::monitor(folder, id)));
        for id in &ids {
            let groups = groups(id);
            let members = groups.iter().flat_map(|group| fs::read_to_string(group.join("cgroup.procs")));
            let members: BTreeSet<i32> =
                members.flat_map(|text| text.lines().filter_map(|line| line.parse().ok()).collect::<Vec<_>>()).collect();
            // What is frozen dies when it is thawed.
            groups.iter().for_each(|group| {
                let _ = fs::write(group.join("freezer.state"), "THAWED");
                let _ = fs::write(group.join("cgroup.freeze"), "0");
            });
            members.into_iter().for_each(|pid| end(Some(pid)));
            groups.iter().for_each(|group| remove_group(group));
            let _ = fs::remove_dir_all(Path::new(RUNTIME_STATE).join(id));
        }
    }
}

impl Drop for PrivatePodman {
    fn drop(&mut self) {
        // The service first: nothing is started any more.
        let _ = self.service.kill();
        let _ = self.service.wait();
        Self::clear(&self.folder);
    }
}

/// The full ids of the containers of a store.
pub(crate) fn container_ids(folder: &Path) -> BTreeSet<String> {
    // Each has its folder here from the moment that it is made.
    let entries = fs::read_dir(folder.join("root/overlay-containers")).into_iter().flatten().flatten();
    let names = entries.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())).collect()
}

/// The control groups of a container, in every hierarchy.
pub(super) fn groups(id: &str) -> Vec<PathBuf> {
    let below = |root: PathBuf| root.join("libpod_parent").join(format!("libpod-{id}"));
    let roots = fs::read_dir(CGROUPS).into_iter().flatten().flatten().map(|entry| entry.path());
    roots.chain([PathBuf::from(CGROUPS)]).map(below).filter(|group| group.is_dir()).collect()
}

/// How long the kernel may take to let a killed process go.
const GONE: std::time::Duration = std::time::Duration::from_secs(1);

/// Removes a control group and those below it, as soon as nobody is in it any more.
#[allow(clippy::disallowed_methods, reason = "nothing tells that a control group of the first version is empty")]
fn remove_group(group: &Path) {
    let inner = fs::read_dir(group).into_iter().flatten().flatten().map(|entry| entry.path());
    inner.filter(|path| path.is_dir()).for_each(|below| remove_group(&below));
    let deadline = std::time::Instant::now() + GONE;
    while fs::remove_dir(group).is_err() && group.exists() && std::time::Instant::now() < deadline {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

fn end(pid: Option<i32>) {
    if let Some(pid) = pid.and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

fn contains(whole: &[u8], part: &[u8]) -> bool {
    whole.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::containers::image::AgentImage;

    /// Whether anything mounted, running or grouped is of that folder or those containers.
    fn remains(folder: &Path, ids: &BTreeSet<String>) -> Vec<String> {
        let mut found: Vec<String> = ids.iter().flat_map(|id| groups(id)).map(|group| group.display().to_string()).collect();
        found.extend(ids.iter().filter(|id| Path::new(RUNTIME_STATE).join(id).exists()).map(|id| format!("state of {id}")));
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let of_it = |line: &&str| line.contains(&folder.display().to_string());
        found.extend(mounts.lines().filter(of_it).map(str::to_owned));
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let is_dead = fs::read_to_string(entry.path().join("stat")).is_ok_and(|stat| stat.contains(") Z "));
            if contains(&line, folder.display().to_string().as_bytes()) && !is_dead {
                found.push(String::from_utf8_lossy(&line).into_owned());
            }
        }
        found
    }

    #[test]
    fn containers_run_in_a_store_of_its_own_and_nothing_is_left_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let [images, own] = ["images", "own"].map(|name| folder.path().join(name));
        AgentImage::make(&images, &std::env::current_exe().unwrap(), AgentImage::NAME, &["sh"]).unwrap();
        let podman = PrivatePodman::start(&own, Some(&images)).unwrap();
        let run = |args: &[&str]| {
            let output = podman.command().args(args).output().unwrap();
            assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        // This executable, which is the tests' here, runs in it, and so does a tool.
        let printed = run(&["run", "--rm", AgentImage::NAME, "sh", "-c", "codex --list && echo done"]);
        assert!(printed.contains("nothing_is_left_of_them: test") && printed.ends_with("done"), "{printed}");
        let lives = run(&["run", "-d", "-i", AgentImage::NAME, "sh"]);
        let frozen = run(&["run", "-d", "-i", AgentImage::NAME, "sh"]);
        run(&["pause", &frozen]);
        let ids = container_ids(&own);
        assert!(ids.contains(&lives) && ids.contains(&frozen));
        assert!(!remains(&own, &ids).is_empty());
        drop(podman);
        assert_eq!(remains(&own, &ids), Vec::<String>::new());
        fs::remove_dir_all(&own).unwrap();
    }
}
