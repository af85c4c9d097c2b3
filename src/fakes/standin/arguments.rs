//! A stand-in's arguments, read by the table of its agent: which flags take values, what means headless, what is not
//! imitated. Every other flag is accepted and ignored.

use crate::fakes::native::{self, HookStyle};
use crate::profile::{AgentProfile, Mode};

/// What a call asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Invocation {
    /// Print this and exit, unregistered; `{version}` stands for the version.
    Answer(String),
    /// Run.
    Run(StandInArguments),
}

/// The arguments of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StandInArguments {
    /// All of them, as they came.
    pub all: Vec<String>,
    /// How it runs.
    pub mode: Mode,
    /// The prompt that it begins with.
    pub prompt: Option<String>,
    /// Whether an earlier session goes on, and which: by its id, or the newest of the directory.
    pub resume: Option<Option<String>>,
    /// The values of `-c` (Codex) or `--settings` (Claude).
    pub settings: Vec<String>,
    /// Whether `codex exec` reports in JSON lines.
    pub json: bool,
    /// What was asked for and is not imitated.
    pub unsupported: Option<String>,
}

impl StandInArguments {
    /// Reads a call.
    pub(crate) fn read(agent: &AgentProfile, args: &[String]) -> Invocation {
        let mut read = Self {
            all: args.to_vec(),
            mode: Mode::Interactive,
            prompt: None,
            resume: None,
            settings: Vec::new(),
            json: false,
            unsupported: None,
        };
        let native = native::of(agent.agent);
        let setting_flags = match native.hooks() {
            HookStyle::Notify { flags, .. } => flags.to_vec(),
            HookStyle::Settings { .. } => Vec::new(),
        };
        let mut words = args.iter().peekable();
        let mut positional: Vec<String> = Vec::new();
        while let Some(word) = words.next() {
            if word == "--" {
                positional.extend(words.cloned());
                break;
            }
            let (flag, value) = match word.split_once('=') {
                Some((flag, value)) if word.starts_with("--") => (flag, Some(value.to_owned())),
                _ => (word.as_str(), None),
            };
            if let Some((_, mode)) = native.prompt_flags().iter().find(|(known, _)| *known == flag) {
                read.mode = *mode;
                positional.extend(value.or_else(|| words.next().cloned()));
                continue;
            }
            match flag {
                "--version" | "-V" => return Invocation::Answer(format!("{} {{version}} (passmuster stand-in)", agent.agent)),
                "--help" | "-h" => return Invocation::Answer(format!("Usage: {} [OPTIONS] [PROMPT]   (passmuster stand-in)", agent.agent)),
                _ if setting_flags.contains(&flag) => read.settings.extend(value.or_else(|| words.next().cloned())),
                "--settings" => read.settings.extend(value.or_else(|| words.next().cloned())),
                "--json" => read.json = true,
                _ if agent.headless.iter().any(|known| known == flag) && (flag.starts_with('-') || positional.is_empty()) => {
                    read.mode = Mode::Headless;
                }
                _ if agent.resume.iter().any(|known| known == flag) && (flag.starts_with('-') || positional.is_empty()) => {
                    let takes_id = !matches!(flag, "-c" | "--continue");
                    let id = value.or_else(|| words.next_if(|next| takes_id && is_id(next)).cloned());
                    read.resume = Some(id);
                }
                _ if agent.values.iter().any(|known| known == flag) => {
                    if value.is_none() {
                        words.next();
                    }
                }
                _ if flag.starts_with('-') && flag.len() > 1 => {}
                _ if positional.is_empty() && read.mode == Mode::Interactive && agent.unsupported.iter().any(|known| known == flag) => {
                    read.unsupported = Some(format!("{} {flag}", agent.agent));
                    break;
                }
                _ => positional.push(word.clone()),
            }
        }
        read.prompt = positional.into_iter().next().filter(|prompt| !prompt.is_empty());
        Invocation::Run(read)
    }
}

/// Whether a word looks like a session's id.
fn is_id(word: &str) -> bool {
    uuid::Uuid::parse_str(word).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::AgentKind;
    use crate::profile::{Choice, Profiles};
    use rstest::rstest;

    fn read(agent: AgentKind, line: &[&str]) -> StandInArguments {
        let profiles = Profiles::load(&Choice::Spec).unwrap();
        let args: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
        match StandInArguments::read(profiles.agent(agent), &args) {
            Invocation::Run(arguments) => arguments,
            Invocation::Answer(answer) => panic!("answered {answer}"),
        }
    }

    #[rstest]
    #[case(AgentKind::CODEX, &["--full-auto", "-m", "o3", "do it"], Mode::Interactive, Some("do it"))]
    #[case(AgentKind::CODEX, &["exec", "--json", "do it"], Mode::Headless, Some("do it"))]
    #[case(AgentKind::CODEX, &["--", "-rf"], Mode::Interactive, Some("-rf"))]
    #[case(AgentKind::CODEX, &["-c", "notify=[\"x\"]", "--", "exec"], Mode::Interactive, Some("exec"))]
    #[case(AgentKind::CLAUDE, &["-p", "do it", "--model", "opus"], Mode::Headless, Some("do it"))]
    #[case(AgentKind::CLAUDE, &["--dangerously-skip-permissions"], Mode::Interactive, None)]
    #[case(AgentKind::GEMINI, &["-p", "do it"], Mode::Headless, Some("do it"))]
    #[case(AgentKind::GEMINI, &["-i", "do it"], Mode::Interactive, Some("do it"))]
    fn calls_are_read_by_the_agents_table(
        #[case] agent: AgentKind,
        #[case] line: &[&str],
        #[case] mode: Mode,
        #[case] prompt: Option<&str>,
    ) {
        let read = read(agent, line);
        assert_eq!((read.mode, read.prompt.as_deref(), read.unsupported), (mode, prompt, None));
    }

    #[test]
    fn what_is_not_imitated_is_said() {
        assert_eq!(read(AgentKind::CODEX, &["app-server"]).unsupported.as_deref(), Some("codex app-server"));
    }

    #[test]
    fn a_session_is_resumed_by_id_or_the_newest() {
        let id = "0199a213-81c0-7800-8aa1-bbab2a035a53";
        assert_eq!(read(AgentKind::CODEX, &["resume", id]).resume, Some(Some(id.to_owned())));
        assert_eq!(read(AgentKind::CLAUDE, &["--continue", "go on"]).resume, Some(None));
    }
}
