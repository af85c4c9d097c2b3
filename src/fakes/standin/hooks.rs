//! The turn-end and start hooks that managers set up: where the real agents look for them, and run as they run them.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::contract::AgentKind;
use crate::fakes::native::{self, HookStyle, OwnSettings};

/// How long an agent waits for a hook.
const LIMIT: Duration = Duration::from_secs(5);
/// How often it looks whether the hook has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// The hooks of one run.
#[derive(Debug)]
pub(crate) struct Hooks {
    /// The program that is notified of turns.
    notify: Vec<String>,
    /// The settings with commands, all that apply.
    settings: Vec<Value>,
}

impl Hooks {
    /// Finds the hooks: on the command line, in the environment, in the home, in the directory.
    pub(crate) fn find(agent: AgentKind, home: &Path, cwd: &Path, given: &[String]) -> Self {
        match native::of(agent).hooks() {
            HookStyle::Notify { config, .. } => {
                let overridden = given.iter().rev().find_map(|setting| notify_of(setting));
                let configured = || std::fs::read_to_string(home.join(config)).ok().and_then(|text| notify_of(&text));
                Self { notify: overridden.or_else(configured).unwrap_or_default(), settings: Vec::new() }
            }
            HookStyle::Settings { files: (homes, here), own, .. } => {
                let mut settings: Vec<Value> = match own {
                    OwnSettings::Flag(_) => given
                        .iter()
                        .filter_map(|setting| serde_json::from_str(setting).ok().or_else(|| read_json(Path::new(setting))))
                        .collect(),
                    OwnSettings::Variable(name) => std::env::var_os(name).iter().filter_map(|file| read_json(Path::new(file))).collect(),
                };
                let files = homes.iter().map(|file| home.join(file)).chain(here.iter().map(|file| cwd.join(file)));
                settings.extend(files.filter_map(|file| read_json(&file)));
                Self { notify: Vec::new(), settings }
            }
        }
    }

    /// Runs the hooks at the session's start, with what they are told.
    pub(crate) fn at_start(&self, payload: Option<&Value>) {
        payload.into_iter().for_each(|payload| self.run(payload));
    }

    /// Runs the hooks at a turn's end.
    pub(crate) fn at_turn_end(&self, payload: &Value) {
        self.run(payload);
    }

    fn run(&self, payload: &Value) {
        if let Some((program, args)) = self.notify.split_first() {
            run(Command::new(program).args(args).arg(payload.to_string()), None);
        }
        if let Some(event) = payload["hook_event_name"].as_str() {
            self.commands(event, payload);
        }
    }

    fn commands(&self, event: &str, payload: &Value) {
        let groups = self.settings.iter().filter_map(|settings| settings["hooks"][event].as_array()).flatten();
        for hook in groups.filter_map(|group| group["hooks"].as_array()).flatten() {
            if let Some(line) = hook["command"].as_str() {
                run(Command::new("sh").args(["-c", line]), Some(payload.to_string()));
            }
        }
    }
}

/// The `notify` program that a TOML text sets.
fn notify_of(text: &str) -> Option<Vec<String>> {
    let table: toml::Table = text.parse().ok()?;
    table.get("notify")?.as_array()?.iter().map(|word| word.as_str().map(str::to_owned)).collect()
}

fn read_json(file: &Path) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

/// Runs a hook and waits for it. One that takes too long is killed; what a hook says is nobody's business.
#[allow(clippy::disallowed_methods, reason = "nothing announces what is waited for")]
fn run(command: &mut Command, input: Option<String>) {
    let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
    let Ok(mut child) = command.stdin(stdin).stdout(Stdio::null()).stderr(Stdio::null()).spawn() else { return };
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        let _ = stdin.write_all(input.as_bytes());
    }
    let began = Instant::now();
    while began.elapsed() < LIMIT {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(LOOK_AGAIN),
            _ => return,
        }
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codex_takes_notify_from_the_command_line_or_its_file() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".codex")).unwrap();
        std::fs::write(home.path().join(".codex/config.toml"), "model = \"x\"\nnotify = [\"a\", \"b\"]\n").unwrap();
        let found = |given: &[String]| Hooks::find(AgentKind::CODEX, home.path(), Path::new("/"), given).notify;
        assert_eq!(found(&[]), ["a", "b"]);
        assert_eq!(found(&["notify=[\"c\"]".into()]), ["c"]);
    }

    #[test]
    fn a_hook_gets_its_payload() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let line = format!("cat > {}", out.display());
        let settings = serde_json::json!({ "hooks": { "Stop": [{ "hooks": [{ "type": "command", "command": line }] }] } });
        let hooks = Hooks::find(AgentKind::CLAUDE, folder.path(), folder.path(), &[settings.to_string()]);
        hooks.at_turn_end(&serde_json::json!({ "hook_event_name": "Stop", "session_id": "x" }));
        assert!(std::fs::read_to_string(out).unwrap().contains("\"session_id\":\"x\""));
    }
}
