//! The tool for session files and its hooks as programs: many at once, killed writers, hosts that say nothing.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// A repository, and the program in it.
struct Ground {
    folder: tempfile::TempDir,
}

impl Ground {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(".git")).unwrap();
        Self { folder }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join(".agents/sessions")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_passmuster"));
        command.args(words).current_dir(&self.folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs `passmuster files` and gives what it answered, or the code of its error.
    fn ask(&self, words: &[&str]) -> Result<Value, String> {
        let output = self.command(&[&["files"], words].concat()).output().unwrap();
        match output.status.success() {
            true => Ok(serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))),
            false => {
                let said: Value = serde_json::from_slice(&output.stderr).unwrap_or_else(|_| panic!("{output:?}"));
                Err(said["error"]["code"].as_str().unwrap().to_owned())
            }
        }
    }

    fn begin(&self, title: &str) -> String {
        let answer = self.ask(&["new", "--title", title, "--current-task", "Cache it"]).unwrap();
        answer["file"].as_str().unwrap().to_owned()
    }

    /// What the linter finds: its exit code and its lines.
    fn found(&self) -> (Option<i32>, String) {
        let output = self.command(&["files", "check", "--format", "concise"]).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(self.root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn hook(&self, words: &[&str], input: &[u8]) -> (Option<i32>, String) {
        let mut child = self.command(&[&["hook"], words].concat()).stdin(Stdio::piped()).spawn().unwrap();
        // A hook that has heard enough hangs up.
        let _ = child.stdin.take().unwrap().write_all(input);
        let output = child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }
}

#[test]
fn a_session_from_its_beginning_to_its_end() {
    let ground = Ground::new();
    assert_eq!(ground.ask(&["start"]).unwrap(), json!({ "decision": "fresh" }));
    let file = ground.begin("Weather: the \"fallback\" # 1");
    assert_eq!(ground.found(), (Some(0), String::new()));
    ground.ask(&["log", &file, "--who", "pm", "Began with the cache."]).unwrap();
    ground.ask(&["update", &file, "--section", "Work", "- [ ] write it", "--current-task", "Write it"]).unwrap();
    ground.ask(&["update", &file, "--ticked", "write it", "--status", "paused"]).unwrap();
    assert_eq!(ground.ask(&["handoff", &file, "--current-state", "TBD", "--next-steps", "- x"]), Err("not_ready".into()));
    ground
        .ask(&["handoff", &file, "--current-state", "It is written.", "--next-steps", "- Read it", "--files-modified", "src/a.rs"])
        .unwrap();
    let shown = ground.ask(&["show", &file, "--json"]).unwrap();
    assert_eq!((&shown["sections"]["Current State"], &shown["sections"]["Next Steps"]), (&json!("It is written."), &json!("- Read it")));
    assert_eq!(shown["session"]["title"], "Weather: the \"fallback\" # 1");
    let asked = ground.ask(&["start"]).unwrap();
    assert_eq!((&asked["decision"], &asked["sessions"][0]["file"]), (&json!("ask"), &json!(file)));
    assert_eq!(ground.ask(&["start", "--choice", &file]).unwrap()["sections"], ground.ask(&["show", &file, "--json"]).unwrap()["sections"]);
    assert_eq!(ground.found(), (Some(0), String::new()));
    assert_eq!(ground.ask(&["delete", &file]), Err("not_ready".into()));
    ground.ask(&["complete", &file]).unwrap();
    let lessons = "Lessons learned added to relevant docs";
    fs::write(ground.folder.path().join("notes.md"), format!("see .agents/sessions/{file}\n")).unwrap();
    assert_eq!(ground.ask(&["delete", &file, "--confirmed", lessons]), Err("not_ready".into()));
    fs::remove_file(ground.folder.path().join("notes.md")).unwrap();
    assert_eq!(ground.ask(&["delete", &file]), Err("not_ready".into()));
    ground.ask(&["delete", &file, "--confirmed", lessons]).unwrap();
    assert_eq!(ground.names(), Vec::<String>::new());
    assert_eq!(ground.ask(&["show", &file, "--json"]), Err("session_not_found".into()));
}

#[test]
fn four_at_once_lose_no_entry() {
    let ground = Ground::new();
    let file = ground.begin("Many");
    std::thread::scope(|scope| {
        for who in 0..4 {
            let (ground, file) = (&ground, &file);
            scope.spawn(move || {
                for at in 0..20 {
                    ground.ask(&["log", file, "--who", &format!("agent-{who}"), &format!("entry {who}.{at}.")]).unwrap();
                }
            });
        }
    });
    let text = fs::read_to_string(ground.root().join(&file)).unwrap();
    let lost: Vec<_> =
        (0..80).map(|at| format!("entry {}.{}.", at / 20, at % 20)).filter(|entry| text.matches(entry).count() != 1).collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert_eq!((ground.found().0, ground.names()), (Some(0), vec![file]));
}

#[test]
fn creations_at_once_are_different_files() {
    let ground = Ground::new();
    let begun: Vec<Child> =
        (0..12).map(|_| ground.command(&["files", "new", "--title", "Same", "--current-task", "x"]).spawn().unwrap()).collect();
    let mut files: Vec<String> = begun
        .into_iter()
        .map(|child| {
            serde_json::from_slice::<Value>(&child.wait_with_output().unwrap().stdout).unwrap()["file"].as_str().unwrap().to_owned()
        })
        .collect();
    files.sort();
    assert_eq!(files, ground.names());
    assert_eq!((files.len(), ground.found()), (12, (Some(0), String::new())));
}

#[test]
fn a_killed_writer_leaves_the_old_file_or_the_new_one() {
    let ground = Ground::new();
    let file = ground.begin("Killed");
    let entry = "A line of an entry, many times over. ".repeat(200);
    let mut written = 0;
    for round in 0..60 {
        let mut child = ground.command(&["files", "log", &file, "--who", "pm", &entry]).spawn().unwrap();
        let until = std::time::Instant::now() + std::time::Duration::from_micros(400 * round);
        // The moment is any: early ones are before anything is written, late ones after.
        while std::time::Instant::now() < until && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let text = fs::read_to_string(ground.root().join(&file)).unwrap();
        let entries = text.matches(entry.trim_end()).count();
        assert!(entries == written || entries == written + 1, "round {round}: {entries} after {written}");
        assert_eq!(text.matches("\n### ").count(), entries + 1, "an entry is whole or not there");
        written = entries;
    }
    ground.ask(&["log", &file, "--who", "pm", "Alive."]).unwrap();
    assert_eq!(ground.names(), [file.as_str()], "what killed writers left is swept");
    assert!(ground.found().1.lines().all(|line| line.contains("SF014")), "{:?}", ground.found());
}

#[test]
fn a_hook_says_what_is_active_and_exits_with_0_whatever_it_is_given() {
    let ground = Ground::new();
    let file = ground.begin("Weather");
    for hook in ["session-start", "session-end", "pre-compact"] {
        for agent in ["claude", "codex", "gemini"] {
            for input in [&b""[..], b"{", b"null", b"[]", b"\xff\xfe", &vec![b'x'; 10 << 20], br#"{"cwd":"/nowhere/at/all"}"#] {
                let (code, said) = ground.hook(&[hook, "--for", agent], input);
                assert_eq!((code, said.contains(&file)), (Some(0), true), "{hook} {agent}: {said}");
            }
            let (code, said) = ground.hook(&[hook, "--for", agent], br#"{"agent_id":"sub"}"#);
            assert_eq!((code, said.as_str()), (Some(0), ""));
        }
    }
    fs::write(ground.root().join("20251204-143000-broken.md"), b"\xff").unwrap();
    assert!(ground.hook(&["session-start"], b"{}").1.contains("1 more cannot be read"));
    fs::remove_dir_all(ground.folder.path().join(".agents")).unwrap();
    assert_eq!(ground.hook(&["session-start"], b"{}"), (Some(0), String::new()));
}

#[test]
fn a_hook_does_not_wait_for_a_host_that_says_nothing() {
    let ground = Ground::new();
    let file = ground.begin("Weather");
    let mut child = ground.command(&["hook", "session-start"]).stdin(Stdio::piped()).spawn().unwrap();
    let open = child.stdin.take().unwrap();
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success() && said.contains(&file), "{said}");
    drop(open);
}

#[test]
fn hooks_are_put_into_settings_and_taken_out() {
    let ground = Ground::new();
    for (agent, file) in [("claude", ".claude/settings.json"), ("codex", ".codex/hooks.json"), ("gemini", ".gemini/settings.json")] {
        let run = |words: &[&str]| ground.command(&[&["files", "install-hooks", agent], words].concat()).output().unwrap();
        assert!(run(&[]).status.success());
        let text = fs::read_to_string(ground.folder.path().join(file)).unwrap();
        assert_eq!(text, String::from_utf8(run(&["--print"]).stdout).unwrap());
        assert_eq!(text.matches("passmuster hook ").count(), 3);
        assert!(run(&["--remove"]).status.success());
        assert_eq!(fs::read_to_string(ground.folder.path().join(file)).unwrap(), "{}\n");
        fs::write(ground.folder.path().join(file), "{ // mine\n}").unwrap();
        let refused = run(&[]);
        assert_eq!((refused.status.code(), String::from_utf8(refused.stderr).unwrap().contains("add them by hand")), (Some(2), true));
    }
}
