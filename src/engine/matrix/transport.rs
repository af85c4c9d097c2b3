//! The kill matrix over a transport: the reference with a fault, served by real processes.
//!
//! Which scenarios show a manager's fault is known from memory; those alone are played, with short limits. An orchestrator's
//! goes through the whole gate, as anybody's orchestrator does, and nothing may fail there but what it breaks. What only
//! virtual time can show (a turn of 23 hours) is not expected of a clock that cannot be turned.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::contract::{OperationSpec, STORE_OPERATIONS, Side};
use crate::engine::plan::{Fate, Planned};
use crate::engine::worker;
use crate::engine::worker::{System, Task};
use crate::engine::{Options, Subject, prepare};
use crate::results::model::{Event, ScenarioResult};
use crate::suites::manager::reference::{Fault, Variation};
use crate::suites::orchestrator::gate::Orchestrator;
use crate::sut::manifest::Manifest;
use crate::sut::sandbox;

use super::{Defect, Found, Killed};

/// A way to reach the reference for real.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Its command line, and the daemon behind it.
    Cli,
    /// JSON-RPC on a Unix socket.
    Rpc,
    /// MCP over HTTP.
    Mcp,
}

impl Over {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Over::Cli => "cli",
            Over::Rpc => "rpc",
            Over::Mcp => "mcp",
        }
    }
}

impl FromStr for Over {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        [Over::Cli, Over::Rpc, Over::Mcp].into_iter().find(|over| over.name() == word).ok_or_else(|| "wanted cli, rpc or mcp".into())
    }
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How many of the scenarios that show a requirement broken are played at most: one is enough, a race may hide it.
const SHOWN_BY: usize = 3;

/// The limits, in seconds: a fault is to be found soon, and the reference is quick.
const LIMITS: &str = "[limits]\ncall = 4\nstart = 3\nobserve = 1\nannounce = 2\nend = 2\n";

/// The manifest of a reference with that flag.
fn manifest(over: Over, name: &str, flag: &str, lacks: &[&str], limits: &str) -> String {
    let state = "--state\", \"{{ sandbox }}/state";
    let (transport, serve, ready) = match over {
        Over::Cli => (
            format!("kind = \"cli\"\ncommand = [\"{{{{ passmuster }}}}\", \"session\", \"{state}\"]"),
            format!("\"cli\", \"{state}\""),
            "{{ sandbox }}/state/m.sock",
        ),
        Over::Rpc => (
            "kind = \"rpc\"\nsocket = \"{{ sandbox }}/run/m.sock\"".to_owned(),
            format!("\"rpc\", \"--socket\", \"{{{{ sandbox }}}}/run/m.sock\", \"{state}\""),
            "{{ sandbox }}/run/m.sock",
        ),
        Over::Mcp => (
            "kind = \"mcp\"\nurl = \"http://127.0.0.1:{{ port }}/mcp\"".to_owned(),
            format!("\"mcp\", \"--http\", \"127.0.0.1:{{{{ port }}}}\", \"{state}\""),
            "127.0.0.1:{{ port }}",
        ),
    };
    format!(
        "[system]\nname = \"reference with {name}\"\nsuites = [\"lifecycle\", \"codex-observability\"]\nlacks = {lacks:?}\n\n\
         [transport]\n{transport}\n\n\
         [serve]\ncommand = [\"{{{{ passmuster }}}}\", \"serve\", {serve}, \"{flag}\", \"{name}\"]\nready = {{ connect = \"{ready}\" }}\n\
         state = \"{{{{ sandbox }}}}/state/sessions/{{{{ session_id }}}}.json\"\n\n{limits}"
    )
}

/// The manifest of the reference store with a fault. Over the command line its hooks are commands, as agents' settings call them.
fn store_manifest(over: Over, name: &str) -> String {
    let store = |command: &str, more: &str| {
        format!("[\"{{{{ passmuster }}}}\", {command}, \"--root\", \"{{{{ sandbox }}}}/session\", \"--fault\", \"{name}\"{more}]")
    };
    let (command, hooks) = match over {
        Over::Rpc => (store("\"store\"", ", \"serve\", \"rpc\""), String::new()),
        Over::Mcp => (store("\"store\"", ", \"serve\", \"mcp\""), String::new()),
        Over::Cli => {
            let hook = |operation: &OperationSpec| {
                let command = store(&format!("\"hook\", {:?}", operation.verb()), "");
                let result = operation.result.iter().map(|field| format!("{0} = \"$.{0}\"", field.name)).collect::<Vec<_>>().join(", ");
                format!("[operations.{}]\ncommand = {command}\nstdin = \"{{{{ input }}}}\"\nresult = {{ {result} }}\n", operation.name)
            };
            let takes_input = |operation: &&OperationSpec| operation.args.iter().any(|field| field.name == "input");
            (
                store("\"store\"", ""),
                "canonical = true\n".to_owned() + &STORE_OPERATIONS.iter().filter(takes_input).map(hook).collect::<String>(),
            )
        }
    };
    format!(
        "[system]\nname = \"reference store with {name}\"\nsuites = [\"resumption\"]\n\n\
         [transport]\nkind = \"{over}\"\ncommand = {command}\n{hooks}\n\
         [store]\nrecord = \"{{{{ sandbox }}}}/session/{{{{ session_id }}}}/state.json\"\n"
    )
}

/// The manifest of the reference with a fault: of the manager or of the store, whichever has it. A store needs no limits: it
/// answers, or it has ended.
pub(crate) fn faulty(over: Over, fault: &Fault, limits: &str) -> String {
    match fault.side() {
        Side::Store => store_manifest(over, fault.name),
        Side::Manager | Side::Orchestrator => manifest(over, fault.name, "--fault", &[], limits),
    }
}

fn written(folder: &Path, over: Over, name: &str, text: &str) -> Manifest {
    let path: PathBuf = folder.join(format!("{name}.{over}.toml"));
    std::fs::write(&path, text).expect("a folder of one's own can be written");
    Manifest::read(&path).expect("the manifests of the reference are tested")
}

/// Plays each fault over a transport: a manager's in the scenarios that show it in memory, which `killed` names, an
/// orchestrator's in all.
///
/// # Panics
/// If there is no room for a few manifests in the system's temporary folder.
pub fn kill_over(over: Over, killed: Vec<Killed>, options: &Options, emit: &mut dyn FnMut(Event)) -> Vec<Killed> {
    let folder = sandbox::folder("faults").expect("a temporary folder");
    let (mut tasks, mut of) = (Vec::new(), Vec::new());
    let mut all: Vec<Killed> = Vec::new();
    for (at, mut killed) in killed.into_iter().enumerate() {
        let name = killed.fault.about().name;
        let (subject, system) = match killed.fault {
            Defect::Manager(fault) => {
                let manifest = written(folder.path(), over, name, &faulty(over, &fault, LIMITS));
                let system = System::Manager(manifest.path.clone());
                (Subject::Manifest(Box::new(manifest)), system)
            }
            Defect::Orchestrator(_) => {
                let orchestrator = orchestrator(over, name);
                (Subject::Orchestrator(Box::new(orchestrator.clone())), System::Orchestrator(orchestrator))
            }
        };
        let planned = prepare(&subject, options).expect("the embedded features are tested");
        let wanted = wanted(&mut killed, &planned);
        let is_played = |planned: &Planned| match killed.fault {
            Defect::Manager(_) => wanted.contains(&planned.key),
            Defect::Orchestrator(_) => planned.fate == Fate::Run,
        };
        for planned in planned.into_iter().filter(is_played) {
            tasks.push(Task { planned, system: system.clone() });
            of.push(at);
        }
        all.push(killed);
    }
    emit(Event::Planned { scenarios: tasks.len() });
    let mut results: Vec<Vec<ScenarioResult>> = vec![Vec::new(); all.len()];
    for (task, played) in worker::run(tasks, options, emit) {
        results[of[task]].push(played.result);
    }
    for (killed, results) in all.iter_mut().zip(results) {
        killed.found = Found::in_scenarios(&results);
        killed.over = Some(over);
    }
    all
}

/// The reference orchestrator with a fault, going through that front.
fn orchestrator(over: Over, name: &str) -> Orchestrator {
    let program = std::env::current_exe().unwrap_or_else(|_| "passmuster".into()).display().to_string();
    let command = [&program, "orchestrate", "--via", over.name(), "--fault", name].map(str::to_owned).to_vec();
    Orchestrator { name: name.to_owned(), command, env: BTreeMap::new(), per_worker: false, folder: ".".into() }
}

fn planned(manifest: &Manifest, options: &Options) -> Vec<Planned> {
    prepare(&Subject::Manifest(Box::new(manifest.clone())), options).expect("the embedded features are tested")
}

/// The scenarios to play: for each requirement that the fault breaks some of those that show it and can run here. One that
/// none can show is noted with the reason.
fn wanted(killed: &mut Killed, planned: &[Planned]) -> Vec<String> {
    let mut wanted = Vec::new();
    for id in killed.fault.about().breaks {
        let showing =
            killed.found.failed.iter().find(|(failed, _)| failed.as_str() == *id).map(|(_, by)| by.as_slice()).unwrap_or_default();
        let of = |by: &super::Detector| planned.iter().find(|planned| planned.key == by.scenario);
        let mut able: Vec<&super::Detector> = showing.iter().filter(|by| of(by).is_some_and(|planned| planned.fate == Fate::Run)).collect();
        // What a scenario asks for itself is sure; what an invariant sees on the way depends on what else happens.
        able.sort_by_key(|by| by.rule.is_some());
        if able.is_empty() {
            let why = showing.iter().find_map(|by| match &of(by)?.fate {
                Fate::Skip(why) => Some(why.clone()),
                _ => None,
            });
            killed
                .beyond
                .insert(id.parse().expect("the catalogue is tested"), why.unwrap_or_else(|| "no scenario shows it in memory".into()));
        }
        wanted.extend(able.into_iter().take(SHOWN_BY).map(|by| by.scenario.clone()));
    }
    wanted.sort();
    wanted.dedup();
    wanted
}

/// Plays the suites whole on each variation over a transport.
///
/// # Panics
/// As [`kill_over`].
pub fn vary_over(over: Over, variations: &[Variation], options: &Options, emit: &mut dyn FnMut(Event)) -> Vec<Found> {
    let folder = sandbox::folder("faults").expect("a temporary folder");
    let (mut tasks, mut of) = (Vec::new(), Vec::new());
    for (at, variation) in variations.iter().enumerate() {
        let lacks: &[&str] = match (variation.by_waiting(), variation.by_stream()) {
            (true, true) => &[],
            (false, _) => &["wait_events"],
            (true, false) => &["events"],
        };
        let text = manifest(over, variation.name, "--variation", lacks, "");
        let manifest = written(folder.path(), over, variation.name, &text);
        for planned in planned(&manifest, options).into_iter().filter(|planned| planned.fate == Fate::Run) {
            for _ in 0..options.repeat {
                tasks.push(Task { planned: planned.clone(), system: System::Manager(manifest.path.clone()) });
                of.push(at);
            }
        }
    }
    emit(Event::Planned { scenarios: tasks.len() });
    let mut results: Vec<Vec<ScenarioResult>> = vec![Vec::new(); variations.len()];
    for (task, played) in worker::run(tasks, options, emit) {
        results[of[task]].push(played.result);
    }
    results.iter().map(|results| Found::in_scenarios(results)).collect()
}

/// A few of the faults, the same ones for the same seed.
pub fn sample(faults: &[Defect], count: usize, seed: u64) -> Vec<Defect> {
    let weight = |fault: &Defect| crate::engine::plan::hash(&format!("{seed}/{}", fault.about().name));
    let mut faults = faults.to_vec();
    faults.sort_by_key(weight);
    faults.truncate(count);
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::matrix::catalogue;
    use crate::suites::manager::reference::{FAULTS, VARIATIONS};

    #[test]
    fn every_manifest_can_be_read() {
        let names = FAULTS.iter().map(|fault| (fault.name, "--fault")).chain(VARIATIONS.iter().map(|one| (one.name, "--variation")));
        for (name, flag) in names {
            for over in [Over::Cli, Over::Rpc, Over::Mcp] {
                let text = manifest(over, name, flag, &["events"], LIMITS);
                let manifest = Manifest::parse(Path::new("m.toml"), &text).unwrap_or_else(|errors| panic!("{errors:?}"));
                assert!(manifest.serve.is_some_and(|serve| serve.state.is_some()));
            }
        }
    }

    #[test]
    fn a_faulty_store_has_a_manifest_of_its_own() {
        for fault in FAULTS.iter().filter(|fault| fault.side() == Side::Store) {
            for over in [Over::Cli, Over::Rpc, Over::Mcp] {
                let manifest =
                    Manifest::parse(Path::new("m.toml"), &faulty(over, fault, LIMITS)).unwrap_or_else(|errors| panic!("{errors:?}"));
                assert!(manifest.record.is_some() && manifest.offer(&STORE_OPERATIONS[0]).offered);
            }
        }
    }

    #[test]
    fn a_sample_is_the_same_for_the_same_seed() {
        let all = catalogue();
        let names = |seed| sample(&all, 5, seed).iter().map(|fault| fault.about().name).collect::<Vec<_>>();
        assert_eq!(names(1), names(1));
        assert_ne!(names(1), names(2));
        assert_eq!(names(1).len(), 5);
    }
}
