//! The guides under `docs/`: every file they show is written, every command they show is run, and prints what they say.
//!
//! In a ```` ```console ```` block `$ ` begins a command; what follows is its output, where a line `...` stands for any
//! lines, `…` for anything within one, and a run of spaces for any. A command exits with 0 where no `$ echo $?` follows. In
//! the first line of any other block a second word names the file that it is.

#[path = "support/podman.rs"]
mod podman;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use podman::Podman;
use regex::Regex;
use rstest::rstest;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The fenced blocks of a guide: what stands behind the fence, and the lines, without the fence's indentation.
fn blocks(guide: &str) -> Vec<(String, Vec<&str>)> {
    let mut blocks = Vec::new();
    let mut lines = guide.lines();
    while let Some(line) = lines.next() {
        let Some((indent, info)) = line.split_once("```").filter(|(indent, _)| indent.trim().is_empty()) else { continue };
        let inner = lines.by_ref().take_while(|line| line.trim() != "```");
        blocks.push((info.to_owned(), inner.map(|line| line.strip_prefix(indent).unwrap_or(line)).collect()));
    }
    blocks
}

/// The commands of a console block, each with the lines it has to print.
fn commands<'a>(lines: &[&'a str]) -> Vec<(&'a str, Vec<&'a str>)> {
    let mut commands: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in lines {
        match line.strip_prefix("$ ") {
            Some(command) => commands.push((command, Vec::new())),
            None => commands.last_mut().expect("a console block begins with a command").1.push(line),
        }
    }
    commands
}

fn pattern(expected: &[&str]) -> Regex {
    let gap = Regex::new(" +").unwrap();
    let line = |line: &&str| match *line {
        "..." => "(?:.*\n)*?".to_owned(),
        line => gap.replace_all(&regex::escape(line), " +").replace('…', ".*") + "\n",
    };
    Regex::new(&format!("^{}$", expected.iter().map(line).collect::<String>())).unwrap()
}

fn run(command: &mut Command, place: &Path) -> (String, i32) {
    let built = Path::new(env!("CARGO_BIN_EXE_passmuster")).parent().unwrap();
    let path = format!("{}:{}:{}", place.join("bin").display(), built.display(), std::env::var("PATH").unwrap());
    let output = command.current_dir(place).env("PATH", path).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (said, output.status.code().unwrap())
}

#[rstest]
#[case("verify-your-manager")]
#[case("read-a-failure")]
#[case("baselines")]
#[case("gate-your-orchestrator")]
#[case("ci")]
#[case("your-own-scenarios")]
#[case("editor-and-shell")]
#[case("what-is-never-touched")]
#[case("resumable-sessions")]
#[case("session-files")]
fn what_a_guide_shows_is_so(#[case] name: &str) {
    follow(name, &[]);
}

#[test]
fn what_the_guide_to_supervisors_shows_is_so() {
    let place = tempfile::tempdir().unwrap();
    let podman = Podman::start(place.path());
    follow("supervised-sessions", &[("DOCKER_HOST", &format!("unix://{}", podman.socket().display()))]);
    assert_eq!(podman.say(&["ps", "--all", "--quiet"]), "");
}

/// Writes what a guide writes and runs what it runs, in this environment.
fn follow(name: &str, environment: &[(&str, &str)]) {
    let guide = fs::read_to_string(Path::new(ROOT).join("docs").join(name).with_extension("md")).unwrap();
    let place = tempfile::tempdir().unwrap();
    symlink(Path::new(ROOT).join("fixtures"), place.path().join("fixtures")).unwrap();
    let mut ran = 0;
    for (info, lines) in blocks(&guide) {
        if let Some((_, file)) = info.split_once(' ') {
            let file = place.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, lines.join("\n") + "\n").unwrap();
            fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
        } else if info == "console" {
            let commands = commands(&lines);
            let mut status = 0;
            for (at, (command, expected)) in commands.iter().enumerate() {
                let (said, code) = run(
                    Command::new("sh").arg("-c").arg(format!("(exit {status}); {command}")).envs(environment.iter().copied()),
                    place.path(),
                );
                assert!(pattern(expected).is_match(&said), "{name}: `{command}` prints\n{said}\nand not\n{}", expected.join("\n"));
                let told = commands.get(at + 1).is_some_and(|(next, _)| *next == "echo $?");
                assert!(code == 0 || told, "{name}: `{command}` exits with {code}, and the guide does not say so");
                (status, ran) = (code, ran + 1);
            }
        }
    }
    assert!(ran > 0, "{name} shows no command");
}

#[test]
fn the_action_reports_and_fails_as_the_run_does() {
    let action = fs::read_to_string(Path::new(ROOT).join("action.yml")).unwrap();
    let script = action.split_once("run: |\n").unwrap().1.lines().map(|line| line.trim_start().to_owned() + "\n").collect::<String>();
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    fs::create_dir_all(at("passmuster/bin")).unwrap();
    symlink(env!("CARGO_BIN_EXE_passmuster"), at("passmuster/bin/passmuster")).unwrap();
    let scenario = "orchestrator/managers/nothing-is-difficult";
    for (arguments, status) in [(format!("--scenario {scenario}"), 0), (format!("--scenario {scenario} -- true"), 1)] {
        let _ = fs::remove_file(at("output"));
        let mut bash = Command::new("bash");
        bash.args(["-e", "-o", "pipefail", "-c", &script]).env("RUNNER_TEMP", place.path());
        bash.env("GITHUB_OUTPUT", at("output")).env("GITHUB_STEP_SUMMARY", at("summary.md"));
        bash.envs([("PM_COMMAND", "gate"), ("PM_MANIFEST", ""), ("PM_ARGS", &arguments), ("PM_SPEC_VERSION", "1.0")]);
        let (said, code) = run(&mut bash, place.path());
        assert_eq!(code, status, "{said}");
        let told = fs::read_to_string(at("output")).unwrap();
        let junit = told.lines().find_map(|line| line.strip_prefix("junit=")).unwrap();
        assert!(fs::read_to_string(junit).unwrap().contains("<testsuites"), "{told}");
    }
    let summary = fs::read_to_string(at("summary.md")).unwrap();
    assert!(summary.contains("conformant") && summary.contains("not conformant"), "{summary}");
}
