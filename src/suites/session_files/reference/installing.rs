//! Hooks in the settings of agents: written and taken out again, and nothing else touched.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize as _;
use serde_json::ser::{PrettyFormatter, Serializer};
use serde_json::{Map, Value, json};

use super::placing;
use crate::contract::AgentKind;

/// Where an agent's hooks stand, and what it calls them.
#[derive(Debug)]
pub(crate) struct HookSettings {
    /// The agent's word.
    pub agent: &'static str,
    /// The file, in a repository.
    pub file: &'static str,
    /// The events, each with the hook's word.
    pub events: &'static [(&'static str, &'static str)],
    /// How long a hook may take, in the agent's unit. An agent that gives the end less is told so.
    pub timeouts: [u64; 3],
    /// What its user has to do besides.
    pub besides: &'static str,
}

/// The agents, in the order of their words.
pub(crate) const HOOK_SETTINGS: &[HookSettings] = &[
    HookSettings {
        agent: "claude",
        file: ".claude/settings.json",
        events: &[("SessionStart", "session-start"), ("SessionEnd", "session-end"), ("PreCompact", "pre-compact")],
        timeouts: [10, 10, 10],
        besides: "Claude runs hooks in folders that are trusted.",
    },
    HookSettings {
        agent: "codex",
        file: ".codex/hooks.json",
        events: &[("SessionStart", "session-start"), ("SessionEnd", "session-end"), ("PreCompact", "pre-compact")],
        timeouts: [10, 3, 10],
        besides: "Codex runs hooks that are trusted: `/hooks` in a session.",
    },
    HookSettings {
        agent: "gemini",
        file: ".gemini/settings.json",
        events: &[("SessionStart", "session-start"), ("SessionEnd", "session-end"), ("PreCompress", "pre-compact")],
        timeouts: [10_000, 10_000, 10_000],
        besides: "Gemini runs hooks of folders that are trusted.",
    },
];

/// What was done to a file of settings.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Installed {
    /// It was written.
    Written(PathBuf),
    /// It was so already.
    AsItWas(PathBuf),
}

/// Why hooks could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstallError {
    #[error("{}: {why}: the hooks cannot be put in without losing something; add them by hand:\n{snippet}", file.display())]
    Foreign { file: PathBuf, why: String, snippet: String },
    #[error("{}: {error}", file.display())]
    Io { file: PathBuf, error: io::Error },
}

/// The settings of an agent.
pub(crate) fn settings_of(agent: &AgentKind) -> Option<&'static HookSettings> {
    HOOK_SETTINGS.iter().find(|settings| settings.agent == agent.to_string())
}

impl HookSettings {
    fn command(&self, hook: &str) -> String {
        format!("passmuster hook {hook} --for {}", self.agent)
    }

    /// What stands under each event.
    fn entries(&self) -> Vec<(&'static str, Value)> {
        let entry = |((event, hook), timeout): (&(&'static str, &str), u64)| {
            let hook = json!({ "type": "command", "command": self.command(hook), "timeout": timeout });
            (*event, json!({ "hooks": [hook] }))
        };
        self.events.iter().zip(self.timeouts).map(entry).collect()
    }

    /// Puts the hooks into the settings of a repository, or takes them out.
    pub(crate) fn install(&self, repository: &Path, remove: bool) -> Result<Installed, InstallError> {
        let named = repository.join(self.file);
        // Settings that are a link stay one: what it leads to is changed.
        let file = match std::fs::symlink_metadata(&named) {
            Ok(about) if about.is_symlink() => std::fs::canonicalize(&named).map_err(|error| {
                let told = io::Error::other(format!("it is a link that leads nowhere ({error})"));
                InstallError::Io { file: named.clone(), error: told }
            })?,
            _ => named,
        };
        let io = |error| InstallError::Io { file: file.clone(), error };
        let before = match std::fs::read_to_string(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            read => Some(read.map_err(io)?),
        };
        let text = before.as_deref().filter(|text| !text.trim().is_empty()).unwrap_or("{}");
        let foreign = |why: String| InstallError::Foreign { file: file.clone(), why, snippet: self.snippet() };
        let old: Value = serde_json::from_str(text).map_err(|error| foreign(format!("it is no JSON ({error})")))?;
        let new = self.changed(&old, remove).map_err(foreign)?;
        if new == old {
            return Ok(Installed::AsItWas(file));
        }
        let written = written(&new, text);
        match &before {
            None => {
                let folder = file.parent().expect("a file of settings is in a folder");
                std::fs::create_dir_all(folder).map_err(io)?;
                let made = placing::create(&file, written.as_bytes()).map_err(io)?;
                if !made {
                    return Err(io(io::ErrorKind::AlreadyExists.into()));
                }
            }
            Some(before) => {
                let ours = placing::replace(&file, before.as_bytes(), written.as_bytes()).map_err(io)?;
                if !ours {
                    return Err(io(io::Error::other("somebody saved it meanwhile: try again")));
                }
            }
        }
        Ok(Installed::Written(file))
    }

    /// The hooks as text, for those who put them in themselves.
    pub(crate) fn snippet(&self) -> String {
        let hooks: Map<String, Value> = self.entries().into_iter().map(|(event, entry)| (event.to_owned(), json!([entry]))).collect();
        serde_json::to_string_pretty(&json!({ "hooks": hooks })).expect("it is JSON")
    }

    fn changed(&self, old: &Value, remove: bool) -> Result<Value, String> {
        let mut new = old.clone();
        let whole = new.as_object_mut().ok_or("it is no object")?;
        if whole.get("hooks").is_some_and(|hooks| !hooks.is_object()) {
            return Err("`hooks` is no object".into());
        }
        let hooks = whole.entry("hooks").or_insert_with(|| json!({})).as_object_mut().expect("it was looked at");
        for (event, entry) in self.entries() {
            let list = hooks.entry(event).or_insert_with(|| json!([])).as_array_mut().ok_or(format!("`hooks.{event}` is no list"))?;
            let own = |entry: &Value| {
                let commands = entry["hooks"].as_array().into_iter().flatten().filter_map(|hook| hook["command"].as_str());
                let commands: Vec<&str> = commands.collect();
                !commands.is_empty() && commands.iter().all(|command| self.events.iter().any(|(_, hook)| *command == self.command(hook)))
            };
            let is_there = !remove && list.contains(&entry);
            if !is_there {
                list.retain(|entry| !own(entry));
                list.extend((!remove).then_some(entry));
            }
            if list.is_empty() {
                hooks.shift_remove(event);
            }
        }
        if hooks.is_empty() {
            whole.shift_remove("hooks");
        }
        Ok(new)
    }
}

/// A value as the file writes it: its indentation, and its end.
fn written(value: &Value, before: &str) -> String {
    let indent: String = before.lines().nth(1).unwrap_or("  ").chars().take_while(|c| matches!(c, ' ' | '\t')).collect();
    let indent = if indent.is_empty() { "  ".to_owned() } else { indent };
    let mut bytes = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut bytes, PrettyFormatter::with_indent(indent.as_bytes()));
    value.serialize(&mut serializer).expect("writing to memory succeeds");
    let end = if before == "{}" || before.ends_with('\n') { "\n" } else { "" };
    String::from_utf8(bytes).expect("JSON is UTF-8") + end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_come_and_go_and_everything_else_stays() {
        for settings in HOOK_SETTINGS {
            let place = tempfile::tempdir().unwrap();
            let file = place.path().join(settings.file);
            assert_eq!(settings.install(place.path(), false).unwrap(), Installed::Written(file.clone()));
            let fresh = std::fs::read_to_string(&file).unwrap();
            assert_eq!(fresh, settings.snippet() + "\n");
            assert_eq!(settings.install(place.path(), false).unwrap(), Installed::AsItWas(file.clone()));
            settings.install(place.path(), true).unwrap();
            assert_eq!(std::fs::read_to_string(&file).unwrap(), "{}\n");
            let others = "{\n    \"model\": \"x\",\n    \"hooks\": {\n        \"SessionStart\": [\n            {\n                \"matcher\": \"startup\",\n                \"hooks\": [\n                    {\n                        \"type\": \"command\",\n                        \"command\": \"mine\"\n                    }\n                ]\n            }\n        ]\n    },\n    \"z\": [\n        1\n    ]\n}";
            std::fs::write(&file, others).unwrap();
            settings.install(place.path(), false).unwrap();
            let with: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
            assert_eq!((with["hooks"]["SessionStart"].as_array().unwrap().len(), &with["z"]), (2, &json!([1])));
            settings.install(place.path(), true).unwrap();
            assert_eq!(std::fs::read_to_string(&file).unwrap(), others);
        }
    }

    #[test]
    fn settings_that_are_a_link_stay_one() {
        let place = tempfile::tempdir().unwrap();
        let (file, real) = (place.path().join(".claude/settings.json"), place.path().join("real.json"));
        std::fs::create_dir(place.path().join(".claude")).unwrap();
        std::os::unix::fs::symlink("../real.json", &file).unwrap();
        let wrong = HOOK_SETTINGS[0].install(place.path(), false).unwrap_err().to_string();
        assert!(wrong.contains("it is a link that leads nowhere") && !real.exists(), "{wrong}");
        std::fs::write(&real, "{\n  \"a\": 1\n}\n").unwrap();
        HOOK_SETTINGS[0].install(place.path(), false).unwrap();
        assert!(std::fs::symlink_metadata(&file).unwrap().is_symlink());
        assert!(std::fs::read_to_string(&real).unwrap().contains("passmuster hook session-start"));
        HOOK_SETTINGS[0].install(place.path(), true).unwrap();
        assert_eq!(std::fs::read_to_string(&real).unwrap(), "{\n  \"a\": 1\n}\n");
    }

    #[test]
    fn what_is_no_json_is_left_alone_and_the_hooks_are_shown() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join(".gemini/settings.json");
        std::fs::create_dir(file.parent().unwrap()).unwrap();
        for text in ["{ // a comment\n}", "{\"hooks\": []}", "[]", "{\"hooks\": {\"SessionEnd\": 1}}"] {
            std::fs::write(&file, text).unwrap();
            let wrong = HOOK_SETTINGS[2].install(place.path(), false).unwrap_err().to_string();
            assert!(wrong.contains("add them by hand") && wrong.contains("passmuster hook pre-compact --for gemini"), "{wrong}");
            assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        }
    }
}
