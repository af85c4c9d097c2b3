//! The `[orchestrator]` table of a manifest: how somebody's orchestrator wants to be run.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use miette::{Diagnostic, NamedSource, SourceSpan};
use serde::Deserialize;

use crate::core::diagnostic::{Placed, meant};
use crate::sut::manifest;
use crate::sut::manifest::Template;

use super::OrchestratorCommand;

/// What is wrong with the table.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{file}:{line}: {what}")]
pub(crate) struct OrchestratorError {
    file: String,
    /// The line, from 1.
    pub line: usize,
    what: String,
    #[source_code]
    text: NamedSource<String>,
    #[label("here")]
    at: SourceSpan,
    #[help]
    help: Option<String>,
}

/// The manifest, as far as the gate reads it; the rest is for `verify`.
#[derive(Deserialize)]
struct GateManifest {
    system: Option<NamedSystem>,
    orchestrator: Option<Placed<manifest::RawOrchestrator>>,
}

#[derive(Deserialize)]
struct NamedSystem {
    name: Option<String>,
}

/// The variables of a command, and of its environment.
const VARIABLES: [&str; 6] = ["cli", "rpc_socket", "mcp_url", "mcp_command", "workers", "outcome"];
/// Those that there are besides where it is run once per worker.
const OF_A_WORKER: [&str; 5] = ["worker", "agent", "cwd", "message", "deadline_s"];

const EXAMPLE: &str = "[orchestrator]\ncommand = [\"my-orchestrator\", \"run\"]\nper = \"scenario\"";

/// Reads how an orchestrator is to be run: by the manifest's table, by the command line's command, or by both, and then
/// that command with that environment.
///
/// # Errors
/// The first thing that is wrong, with its line.
pub(crate) fn read(path: Option<&Path>, command: &[String]) -> Result<OrchestratorCommand, Box<OrchestratorError>> {
    let here = PathBuf::from(".");
    let name = script(command).map(|script| Path::new(script).file_name().unwrap_or_default().to_string_lossy().into_owned());
    let Some(path) = path else {
        let (name, command) = (name.unwrap_or_default(), command.to_vec());
        let file = script(&command).filter(|script| Path::new(script).is_file()).map(str::to_owned);
        return Ok(OrchestratorCommand { name, file, command, env: BTreeMap::new(), per_worker: false, folder: here });
    };
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path);
    let wrong = |text: &str, at: Range<usize>, what: String, help: &str| {
        let line = text.get(..at.start).unwrap_or_default().matches('\n').count() + 1;
        let (text, help) = (NamedSource::new(&file, text.to_owned()), (!help.is_empty()).then(|| help.to_owned()));
        Box::new(OrchestratorError { file: file.clone(), line, what, text, at: (at.start, at.len()).into(), help })
    };
    let text = text.map_err(|error| wrong("", 0..0, format!("cannot be read: {error}"), EXAMPLE))?;
    let wrong = |at: Range<usize>, what: String, help: &str| wrong(&text, at, what, help);
    let written: GateManifest =
        toml::from_str(&text).map_err(|error| wrong(error.span().unwrap_or(0..0), error.message().to_owned(), EXAMPLE))?;
    let Some(table) = written.orchestrator else {
        return Err(wrong(0..0, "there is no table `[orchestrator]`".into(), EXAMPLE));
    };
    let (span, table) = (table.span(), table.into_inner());
    let per_worker = match table.per.as_ref().map(|per| (per.as_ref().as_str(), per.span())) {
        None | Some(("scenario", _)) => false,
        Some(("worker", _)) => true,
        Some((other, at)) => return Err(wrong(at, format!("`{other}` is not how often it is run"), "wanted \"worker\" or \"scenario\"")),
    };
    let known: Vec<&str> = VARIABLES.into_iter().chain(OF_A_WORKER.into_iter().filter(|_| per_worker)).collect();
    let own = table.command.as_deref().unwrap_or_default();
    for source in own.iter().chain(table.env.values()) {
        let template = Template::parse(source.as_ref()).map_err(|why| wrong(source.span(), why, ""))?;
        if let Some(name) = template.names().iter().find(|name| !known.contains(&name.as_str())) {
            let help = match OF_A_WORKER.contains(&name.as_str()) {
                true => "one worker's own are known with `per = \"worker\"`".to_owned(),
                false => meant(name, known.iter().copied()).unwrap_or_else(|| format!("wanted one of: {}", known.join(", "))),
            };
            return Err(wrong(source.span(), format!("there is no variable `{name}`"), &help));
        }
    }
    let own: Vec<String> = own.iter().map(|word| word.as_ref().clone()).collect();
    let words = if command.is_empty() { own } else { command.to_vec() };
    if words.is_empty() {
        return Err(wrong(span, "there is no command, here or after `--`".into(), EXAMPLE));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).map_or(here.clone(), Path::to_owned);
    Ok(OrchestratorCommand {
        file: Some(file),
        name: written.system.and_then(|system| system.name).or(name).unwrap_or_else(|| words[0].clone()),
        folder: if command.is_empty() { std::path::absolute(&folder).unwrap_or(folder) } else { here },
        env: table.env.into_iter().map(|(name, value)| (name, value.into_inner())).collect(),
        command: words,
        per_worker,
    })
}

/// What runs somebody's script: with these a command is called by the script's name.
const INTERPRETERS: [&str; 11] = ["python", "pypy", "uv", "node", "bun", "deno", "ruby", "perl", "bash", "sh", "env"];

/// The word of a command that says what is run: its program, or the script or module that an interpreter is given.
fn script(command: &[String]) -> Option<&str> {
    let (program, given) = command.split_first()?;
    let bare = Path::new(program).file_name().unwrap_or_default().to_string_lossy().into_owned();
    if !INTERPRETERS.contains(&bare.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.')) {
        return Some(program);
    }
    let module = given.iter().position(|word| word == "-m").and_then(|at| given.get(at + 1));
    let script = given.iter().find(|word| !word.starts_with('-') && (word.contains(['.', '/']) || Path::new(word).is_file()));
    Some(module.or(script).unwrap_or(program))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passmuster.toml");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn a_table_says_how_it_is_run() {
        let (_folder, path) = written(
            "[system]\nname = \"mine\"\n[orchestrator]\ncommand = [\"my-orch\", \"--agent\", \"{{ agent }}\"]\n\
             env = { MCP_URL = \"{{ mcp_url }}\" }\nper = \"worker\"\n",
        );
        let read = read(Some(&path), &[]).unwrap();
        assert_eq!((read.name.as_str(), read.per_worker, read.command.len()), ("mine", true, 3));
        assert_eq!(read.env["MCP_URL"], "{{ mcp_url }}");
    }

    #[rstest]
    #[case("python3 fixtures/orchestrators/next_work.py --fast", "next_work.py")]
    #[case("python3.12 -u -m mine.orchestrator run", "mine.orchestrator")]
    #[case("uv run orch.py", "orch.py")]
    #[case("bash -c true", "bash")]
    #[case("my-orchestrator run config.toml", "my-orchestrator")]
    fn a_script_is_called_by_its_name(#[case] command: &str, #[case] name: &str) {
        let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
        assert_eq!(read(None, &words).unwrap().name, name);
    }

    #[test]
    fn a_command_needs_no_manifest() {
        let read = read(None, &["./tools/orch".into(), "run".into()]).unwrap();
        assert_eq!((read.name.as_str(), read.per_worker), ("orch", false));
    }

    #[rstest]
    #[case("[system]\nname = \"x\"\n", ":1: there is no table `[orchestrator]`")]
    #[case("[orchestrator]\nper = \"session\"\n", ":2: `session` is not how often it is run")]
    #[case("[orchestrator]\ncommand = [\"x\", \"{{ agent }}\"]\n", ":2: there is no variable `agent`")]
    #[case("[orchestrator]\ncommand = [\"x\", \"{{ mcp_uri }}\"]\n", ":2: there is no variable `mcp_uri`")]
    #[case("[orchestrator]\nper = \"worker\"\n", ":1: there is no command, here or after `--`")]
    #[case("[orchestrator]\ncomand = [\"x\"]\n", ":2: unknown field `comand`")]
    fn a_mistake_has_its_line(#[case] text: &str, #[case] wanted: &str) {
        let (_folder, path) = written(text);
        let error = read(Some(&path), &[]).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
}
