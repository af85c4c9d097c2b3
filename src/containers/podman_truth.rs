//! What is true of the containers of a private Podman, read past it: off its store, the control groups and the process table.
//!
//! An engine's word is a claim: with monitor and agent killed, Podman was seen to say `running` 20 s later.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::fakes::processes::ProcFs;

use super::engine::ContainerStatus;
use super::private_podman::{container_ids, groups};

/// A container as the machine has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MachineContainer {
    /// Its full id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it stands. One that was made and never started counts as over.
    pub status: ContainerStatus,
    /// The folders of this machine that it has.
    pub mounts: Vec<PathBuf>,
    /// The processes in it, by this machine's ids.
    pub members: Vec<u32>,
    /// What was started in it besides its first process, as the engine does: the parent is outside.
    pub executed: Vec<u32>,
}

/// The containers of the store in a folder.
pub(crate) fn machine_containers(folder: &Path) -> Vec<MachineContainer> {
    let names = names(folder);
    container_ids(folder).into_iter().map(|id| one(folder, names.get(&id).cloned().unwrap_or_default(), id)).collect()
}

/// The full id of the container that is called so: by its name, its id, or the beginning of its id.
pub(crate) fn full_id(folder: &Path, called: &str) -> Option<String> {
    let names = names(folder);
    let by_name = names.iter().find(|(_, name)| *name == called).map(|(id, _)| id.clone());
    by_name.or_else(|| container_ids(folder).into_iter().find(|id| !called.is_empty() && id.starts_with(called)))
}

/// The container that a process is in, where it is in one of Podman's.
pub(crate) fn container_of(pid: u32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let id = text.lines().find_map(|line| line.split("libpod-").nth(1))?;
    let id: String = id.chars().take_while(char::is_ascii_hexdigit).collect();
    (id.len() == 64).then_some(id)
}

fn one(folder: &Path, name: String, id: String) -> MachineContainer {
    let mut members = Vec::new();
    let groups = groups(&id);
    groups.iter().for_each(|group| collect(group, &mut members));
    members.sort_unstable();
    members.dedup();
    let said =
        |file: &str, word: &str| groups.iter().any(|group| fs::read_to_string(group.join(file)).is_ok_and(|text| text.contains(word)));
    let is_frozen = said("freezer.state", "FROZEN") || said("cgroup.events", "frozen 1");
    members.retain(|pid| ProcFs::entry(*pid).is_some());
    let status = match (members.is_empty(), is_frozen) {
        (true, _) => ContainerStatus::Exited,
        (false, true) => ContainerStatus::Frozen,
        (false, false) => ContainerStatus::Running,
    };
    let first = fs::read_to_string(folder.join("run/overlay-containers").join(&id).join("userdata/pidfile"));
    let first: Option<u32> = first.ok().and_then(|text| text.trim().parse().ok());
    let is_executed = |pid: &u32| Some(*pid) != first && ProcFs::entry(*pid).is_some_and(|entry| !members.contains(&entry.parent));
    let executed = members.iter().copied().filter(is_executed).collect();
    MachineContainer { mounts: mounts(folder, &id), id, name, status, executed, members }
}

fn collect(group: &Path, into: &mut Vec<u32>) {
    let text = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    into.extend(text.lines().filter_map(|line| line.parse::<u32>().ok()));
    let below = fs::read_dir(group).into_iter().flatten().flatten().map(|entry| entry.path());
    below.filter(|path| path.is_dir()).for_each(|path| collect(&path, into));
}

fn names(folder: &Path) -> BTreeMap<String, String> {
    let text = fs::read(folder.join("root/overlay-containers/containers.json")).unwrap_or_default();
    let listed: Vec<Value> = serde_json::from_slice(&text).unwrap_or_default();
    let name = |it: &Value| Some((it["id"].as_str()?.to_owned(), it["names"][0].as_str()?.to_owned()));
    listed.iter().filter_map(name).collect()
}

fn mounts(folder: &Path, id: &str) -> Vec<PathBuf> {
    let text = fs::read(folder.join("root/overlay-containers").join(id).join("userdata/config.json")).unwrap_or_default();
    let config: Value = serde_json::from_slice(&text).unwrap_or_default();
    let mounts = config["mounts"].as_array().cloned().unwrap_or_default();
    mounts.iter().filter_map(|mount| mount["source"].as_str()).filter(|source| source.starts_with('/')).map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use rustix::process::{Pid, Signal, kill_process};

    use super::*;
    use crate::containers::image::AgentImage;
    use crate::containers::private_podman::PrivatePodman;

    #[allow(clippy::disallowed_methods, reason = "nothing announces what is waited for")]
    fn wait_for(mut is: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !is() {
            assert!(Instant::now() < deadline, "it did not come");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn what_is_true_is_seen_whatever_the_engine_says() {
        let folder = tempfile::tempdir().unwrap();
        let [images, own, shared] = ["images", "own", "shared"].map(|name| folder.path().join(name));
        fs::create_dir(&shared).unwrap();
        AgentImage::make(&images, &std::env::current_exe().unwrap(), AgentImage::NAME, &["sh"]).unwrap();
        let podman = PrivatePodman::start(&own, Some(&images)).unwrap();
        let said = |command: &mut Command| String::from_utf8(command.output().unwrap().stdout).unwrap().trim().to_owned();
        let run = |args: &[&str]| said(podman.command().args(args));
        let volume = format!("{}:/workspace", shared.display());
        let id = run(&["run", "-d", "-i", "--name", "one", "-v", &volume, AgentImage::NAME, "sh"]);
        let one = || machine_containers(&own).into_iter().find(|it| it.id == id).unwrap();
        let lives = one();
        assert_eq!((lives.name.as_str(), lives.status, lives.executed.len()), ("one", ContainerStatus::Running, 0));
        assert!(lives.mounts.contains(&shared));
        assert_eq!(lives.members.iter().map(|pid| container_of(*pid)).collect::<Vec<_>>(), [Some(id.clone())]);
        assert_eq!(container_of(std::process::id()), None);
        assert_eq!([full_id(&own, "one"), full_id(&own, &id[..12]), full_id(&own, "none")], [Some(id.clone()), Some(id.clone()), None]);
        // What is executed beside the first process is seen, and who leaks it is, too.
        let mut beside = podman.command().args(["exec", "-i", "one", "sh", "-c", "read x"]).stdin(Stdio::piped()).spawn().unwrap();
        wait_for(|| one().executed.len() == 1);
        beside.kill().unwrap();
        beside.wait().unwrap();
        run(&["pause", "one"]);
        assert_eq!(one().status, ContainerStatus::Frozen);
        run(&["unpause", "one"]);
        // Monitor and processes are killed: the engine goes on saying that it runs, and it does not.
        let kill = |pid: i32| kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
        kill(PrivatePodman::monitor(&own, &id).unwrap());
        one().members.into_iter().for_each(|pid| kill(pid as i32));
        wait_for(|| one().status == ContainerStatus::Exited);
        assert_eq!(run(&["inspect", "--format", "{{.State.Running}}", "one"]), "true");
    }
}
