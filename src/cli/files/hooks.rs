//! `passmuster hook session-start|session-end|pre-compact`, and `passmuster files install-hooks`.

use std::io::Read as _;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;

use crate::contract::AgentKind;
use crate::suites::session_files::reference::{FileMoment, Installed, SessionFolder, hook_answer, repository_of, settings_of};

/// How long a hook waits for what its host says: some leave standard input open and say nothing.
const PATIENCE: Duration = Duration::from_millis(300);
/// The most that is read of it.
const LONGEST: usize = 1 << 20;

/// Write the hooks into an agent's settings in this repository, or take them out
#[derive(Debug, Args)]
pub(crate) struct InstallHooks {
    /// Whose settings
    #[arg(value_parser = super::super::known::agent())]
    agent: AgentKind,
    /// Take them out again
    #[arg(long)]
    remove: bool,
    /// Print what would stand there, and write nothing
    #[arg(long, conflicts_with = "remove")]
    print: bool,
}

/// Runs `files install-hooks`.
pub(crate) fn install(args: &InstallHooks) -> ExitCode {
    let Some(settings) = settings_of(&args.agent) else {
        eprintln!("{} has no hooks that passmuster knows", args.agent);
        return ExitCode::from(2);
    };
    if args.print {
        super::super::print(&(settings.snippet() + "\n"));
        return ExitCode::SUCCESS;
    }
    match settings.install(&repository_of(std::path::Path::new(".")), args.remove) {
        Ok(done) => {
            let (what, file) = match &done {
                Installed::Written(file) if args.remove => ("the hooks are gone", file),
                Installed::Written(file) => ("the hooks are in", file),
                Installed::AsItWas(file) => ("nothing to do", file),
            };
            super::super::print(&format!("{}: {what}\n", file.display()));
            if !args.remove {
                super::super::print(&format!("{}\n", settings.besides));
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Runs a hook. Whatever it is given, its host goes on: it exits with 0, within its patience.
pub(crate) fn run(moment: FileMoment, host: &AgentKind) -> ExitCode {
    let input = heard();
    let place = input["cwd"].as_str().filter(|cwd| std::path::Path::new(cwd).is_dir()).unwrap_or(".");
    let folder = SessionFolder { repository: repository_of(std::path::Path::new(place)), now: jiff::Timestamp::now };
    super::super::print(&hook_answer(moment, host, &input, &folder));
    ExitCode::SUCCESS
}

/// What the host says, as soon as it is whole; null where it says nothing in time, or nothing that is JSON.
fn heard() -> Value {
    let (send, chunks) = mpsc::channel();
    // It may wait for ever, and ends with the process.
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        let mut chunk = vec![0; 1 << 16];
        while let Ok(count) = input.read(&mut chunk) {
            if send.send(chunk[..count].to_vec()).is_err() || count == 0 {
                break;
            }
        }
    });
    let until = Instant::now() + PATIENCE;
    let mut bytes = Vec::new();
    loop {
        match chunks.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(chunk) if chunk.is_empty() => break,
            Ok(chunk) => bytes.extend(chunk),
            Err(_) => break,
        }
        if bytes.len() > LONGEST {
            break;
        }
        if bytes.trim_ascii_end().ends_with(b"}")
            && let Ok(whole) = serde_json::from_slice(&bytes)
        {
            return whole;
        }
    }
    serde_json::from_slice(&bytes).unwrap_or_default()
}
