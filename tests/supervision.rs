//! The suite `supervision` from outside: conformant on the built-in reference; a supervisor of somebody's is judged on real containers, of
//! which nothing is left.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

fn passmuster(args: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_passmuster")).args(args).current_dir(folder).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn the_built_in_reference_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let output = passmuster(&["verify", "--suite", "supervision", "--format", "plain"], folder.path());
    let said = said(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.starts_with("CONFORMANT"), "{said}");
    for word in ["blocked", "skipped", "not exercised", "could not test"] {
        assert!(!said.contains(word), "{word}: {said}");
    }
}

#[test]
fn a_supervisor_without_a_word_on_its_containers_is_told_that_nothing_was_tested() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = "[system]\nname = \"mine\"\nsuites = [\"supervision\"]\n[transport]\nkind = \"mcp\"\ncommand = [\"cat\"]\n";
    std::fs::write(folder.path().join("passmuster.toml"), manifest).unwrap();
    let output = passmuster(&["verify", "--requirement", "SV-STOP-1", "--format", "plain"], folder.path());
    let said = said(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("the manifest has no `[containers]`") && !said.starts_with("CONFORMANT"), "{said}");
}

/// The manifest of a supervisor as people write it.
fn people_s() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/manifests/supervisor-podman-cli.toml").display().to_string()
}

#[test]
fn a_supervisor_on_podman_is_judged_as_it_was_before() {
    let folder = tempfile::tempdir().unwrap();
    let some = "SV-STOP-3,SV-STOP-4,SV-PAUSE-1,SV-PAUSE-5,SV-REG-1,SV-REG-3,SV-BRANCH-2,SV-BRANCH-4";
    let output = passmuster(&["verify", &people_s(), "--requirement", some, "--report", "json=report.json"], folder.path());
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let report: Value = serde_json::from_slice(&std::fs::read(folder.path().join("report.json")).unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let verdicts: Vec<String> = report["scenarios"]
        .as_array()
        .unwrap()
        .iter()
        .map(|scenario| {
            let broken: BTreeSet<String> =
                scenario["findings"].as_array().into_iter().flatten().map(|found| text(&found["requirement"])).collect();
            let broken = broken.into_iter().collect::<Vec<_>>().join(" ");
            format!("{} {} {broken}", text(&scenario["verdict"]), text(&scenario["key"])).trim_end().to_owned()
        })
        .collect();
    let stored = include_str!("../fixtures/supervisors/podman-cli/verdict.txt");
    let others: Vec<&String> = verdicts.iter().filter(|verdict| !stored.lines().any(|line| line == **verdict)).collect();
    assert!(verdicts.len() == 13 && others.is_empty(), "{} scenarios; otherwise than stored: {others:#?}", verdicts.len());
}

/// What lives whose command line names a folder.
fn living(folder: &Path) -> Vec<String> {
    let name = folder.display().to_string();
    let processes = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let line = |path: PathBuf| {
        let is_dead = std::fs::read_to_string(path.join("stat")).is_ok_and(|stat| stat.contains(") Z "));
        let line = std::fs::read(path.join("cmdline")).unwrap_or_default();
        Some(String::from_utf8_lossy(&line).replace('\0', " ")).filter(|line| line.contains(&name) && !is_dead)
    };
    processes.filter_map(line).collect()
}

/// The full ids of all containers below a folder.
fn containers(folder: &Path) -> BTreeSet<String> {
    let sandboxes =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path().join("engine/root/overlay-containers"));
    let below = sandboxes.flat_map(|store| std::fs::read_dir(store).into_iter().flatten().flatten());
    below.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[rstest::rstest]
#[case::interrupted("INT")]
#[case::killed("KILL")]
fn nothing_is_left_of_engines_and_containers(#[case] signal: &str) {
    // A sandbox's path is short, and a folder of its own tells whose is what.
    let folder = tempfile::Builder::new().prefix("sv").rand_bytes(4).tempdir_in("/tmp").unwrap();
    let scenario = "supervision/starting/start-three-sessions-each-has-an-id-a-container-and-an-agent-of-its-own";
    let mut command = Command::new(env!("CARGO_BIN_EXE_passmuster"));
    command.args(["verify", &people_s(), "--scenario", scenario]).env("TMPDIR", folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut harness = command.spawn().unwrap();
    let made = wait_for(|| Some(containers(folder.path())).filter(|made| !made.is_empty()));
    Command::new("kill").args([&format!("-{signal}"), &harness.id().to_string()]).status().unwrap();
    harness.wait().unwrap();
    wait_for(|| living(folder.path()).is_empty().then_some(()));
    // Who was killed leaves folders to whoever comes next.
    passmuster_in(&["verify", "--suite", "supervision", "--requirement", "SV-STOP-3"], folder.path());
    let groups = std::fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!groups.contains(&folder.path().display().to_string()), "{groups}");
    for id in made {
        let left = |root: &str| Path::new(root).join("libpod_parent").join(format!("libpod-{id}")).exists();
        assert!(!["/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/pids"].into_iter().any(left), "the control group of {id}");
        assert!(!Path::new("/run/runc").join(&id).exists(), "the state of {id}");
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.path()).collect();
    assert_eq!(left, Vec::<PathBuf>::new());
}

/// Waits for something that nobody announces.
#[allow(clippy::disallowed_methods, reason = "nothing tells what becomes of somebody else's processes and folders")]
fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "it did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn passmuster_in(args: &[&str], folder: &Path) {
    let status = Command::new(env!("CARGO_BIN_EXE_passmuster")).args(args).env("TMPDIR", folder).stdout(Stdio::null()).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_bad_supervisor_is_caught_on_exactly_what_it_breaks() {
    let folder = tempfile::tempdir().unwrap();
    let faults = ["faults", "run", "kills-survivors", "blames-the-containers", "restarts-for-ever"];
    let output = passmuster(&faults, folder.path());
    assert!(output.status.success(), "{}", said(&output));
}
