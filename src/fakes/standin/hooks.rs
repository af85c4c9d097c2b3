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
            run(Command::new(program).args(args).arg(as_argument(payload)), None);
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

/// The longest argument that Linux hands to a program, in bytes: `MAX_ARG_STRLEN` without its NUL.
const LONGEST_ARGUMENT: usize = 128 * 1024 - 1;

/// What a program is notified of, as an argument. A real Codex cannot start the program where that is too long;
/// managers are judged by what they make of a turn's end, so here the texts are cut at their ends until it fits.
fn as_argument(payload: &Value) -> String {
    let (mut payload, mut argument) = (payload.clone(), payload.to_string());
    while argument.len() > LONGEST_ARGUMENT {
        let Some(text) = texts(&mut payload).into_iter().filter(|text| !text.is_empty()).max_by_key(|text| text.len()) else { break };
        let half = text.chars().count() / 2;
        *text = text.chars().take(half).collect();
        argument = payload.to_string();
    }
    argument
}

/// The texts in a value.
fn texts(value: &mut Value) -> Vec<&mut String> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter_mut().flat_map(texts).collect(),
        Value::Object(fields) => fields.values_mut().flat_map(texts).collect(),
        _ => Vec::new(),
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
    fn codex_tells_of_a_turn_however_long_its_texts_are() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let line = format!("notify = [\"sh\", \"-c\", \"printf %s \\\"$1\\\" > {}\", \"sh\"]", out.display());
        let hooks = Hooks::find(AgentKind::CODEX, folder.path(), folder.path(), &[line]);
        let reply = "仮".repeat(60_000);
        hooks.at_turn_end(
            &serde_json::json!({ "thread-id": "x", "input-messages": ["\u{1}".repeat(30_000)], "last-assistant-message": reply }),
        );
        let told: Value = serde_json::from_slice(&std::fs::read(out).unwrap()).unwrap();
        assert_eq!(told["thread-id"], "x");
        assert!(told["last-assistant-message"].as_str().unwrap().starts_with("仮仮仮"), "{told}");
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
