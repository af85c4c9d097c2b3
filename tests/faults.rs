//! The fault catalogue: enough faults for every requirement, of different kinds, and in permitted variations nothing is
//! found. That every fault is killed, on exactly what it breaks, `passmuster faults run` proves; what it found last
//! stands in `spec/kill-matrix.json`, and `faults run --check spec` holds it to that.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use passmuster::engine::catalogue::{Defect, faults, variations};
use passmuster::engine::fault::Change;
use passmuster::engine::matrix::{kill, kill_alone, matrix, vary};
use passmuster::engine::plan::Disposition;
use passmuster::engine::suite::claims;
use passmuster::engine::{Options, Reference, Target, prepare, run};
use passmuster::profile::{Choice, Profiles};
use passmuster::report::{Form, Look};
use passmuster::results::kill_matrix::KillMatrix;
use passmuster::results::model::Verdict;
use passmuster::spec::{Party, Registry};
use passmuster::suites::SUITES;
use passmuster::suites::manager::moments::{CELLS, Cell};
use passmuster::suites::manager::rules::RULES;

fn stored() -> KillMatrix {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("spec/kill-matrix.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn there_are_more_than_eighty_and_every_manager_requirement_is_broken_by_one() {
    assert!(faults(SUITES).len() >= 80);
    let broken: BTreeSet<&str> = faults(SUITES).iter().flat_map(|fault| fault.info.breaks).copied().collect();
    let suites: Vec<&str> = claims(SUITES).iter().map(|claim| claim.name).collect();
    let of_managers = Registry::embedded()
        .iter()
        .filter(|requirement| matches!(requirement.party, Party::Manager | Party::Supervisor) && suites.contains(&&*requirement.suite));
    let unbroken: Vec<&str> = of_managers.map(|requirement| requirement.id.as_str()).filter(|id| !broken.contains(id)).collect();
    assert_eq!(unbroken, Vec::<&str>::new());
}

#[test]
fn the_rules_that_matter_most_are_broken_in_three_ways_at_least() {
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    faults(SUITES).iter().flat_map(|fault| fault.info.breaks).for_each(|id| *count.entry(id).or_default() += 1);
    let wanted = "LC-CREATE-2 LC-CREATE-3 LC-CREATE-7 LC-OBS-2 LC-OBS-3 LC-OBS-4 LC-OBS-5 LC-OBS-6 LC-OBS-7 LC-OBS-8 LC-CLEAN-1 LC-CLEAN-4 \
                  LC-CLEAN-5 LC-CLEAN-8 LC-CLEAN-9 LC-CLEAN-10 LC-TERM-1 CX-2 CX-3 CX-4 CX-5 CX-6 CX-7";
    let few: Vec<&str> = wanted.split_whitespace().filter(|id| count.get(id).is_none_or(|count| *count < 3)).collect();
    assert_eq!(few, Vec::<&str>::new());
}

#[test]
fn every_scenario_has_caught_a_fault() {
    let planned = prepare(&Target::Reference(Reference::called(SUITES)), &Options::default()).unwrap();
    let suites: Vec<&str> = claims(SUITES).iter().map(|claim| claim.name).collect();
    let stored = stored();
    let caught: BTreeSet<&str> =
        stored.faults.iter().flat_map(|row| row.detectors.values().flatten()).map(|by| by.split(" (").next().unwrap_or_default()).collect();
    let idle: Vec<&str> = planned
        .iter()
        .filter(|planned| planned.disposition == Disposition::Run && suites.contains(&&*planned.written.suite))
        .map(|planned| planned.key.as_str())
        .filter(|key| !caught.contains(key))
        .collect();
    assert_eq!(idle, Vec::<&str>::new());
}

/// Of a key the scenario, without an agent or a number.
fn bare(key: &str) -> &str {
    key.split([' ', '[', '#']).next().unwrap_or(key)
}

#[test]
fn at_every_moment_the_scenario_that_looks_catches_its_fault() {
    let stored = stored();
    let caught = |scenario: &str, fault: &str| {
        let row = stored.faults.iter().find(|row| row.name == fault);
        row.is_some_and(|row| row.detectors.values().flatten().any(|by| bare(by) == scenario))
    };
    let idle: Vec<String> = CELLS
        .iter()
        .flat_map(|(operation, cells)| cells.iter().map(move |cell| (operation, cell)))
        .filter_map(|(operation, cell)| match cell {
            Cell::Caught { scenario, fault } if !caught(scenario, fault) => Some(format!("{operation}: {scenario} does not catch {fault}")),
            _ => None,
        })
        .collect();
    assert_eq!(idle, Vec::<String>::new());
}

#[test]
fn any_single_fault_is_reported_on_one_screen() {
    let profiles = Profiles::load(&Choice::Spec).unwrap();
    let whole = [Reference::called(SUITES), Reference::calling(SUITES)].map(Target::Reference);
    let planned: Vec<_> = whole.iter().flat_map(|target| prepare(target, &Options::default()).unwrap()).collect();
    let (stored, all) = (stored(), faults(SUITES));
    // What a scenario does not find takes no line: those are played that find something.
    let lines = |fault: &Defect| {
        let row = stored.faults.iter().find(|row| row.name == fault.info.name);
        let by: BTreeSet<&str> =
            row.iter().flat_map(|row| row.detectors.values().flatten()).map(|by| by.split(" (").next().unwrap_or_default()).collect();
        let own = planned.iter().filter(|planned| by.contains(planned.key.as_str())).cloned().collect();
        let target = Target::Reference(Reference::changed(SUITES, fault.suite, Change::Fault(fault.info.name)));
        let report = run(&target, own, &profiles, &Options::default(), &mut |_| {}).report;
        let drawn = Form::find("plain").unwrap().draw(&report, &Look::default());
        assert!(report.summary.failed + report.summary.warned > 0, "{}: {drawn}", fault.info.name);
        drawn.lines().count()
    };
    let next = AtomicUsize::new(0);
    let work = || {
        let mut long = Vec::new();
        while let Some(fault) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            long.extend(Some(lines(fault)).filter(|lines| *lines > 60).map(|lines| (fault.info.name, lines)));
        }
        long
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let long: Vec<(&str, usize)> = std::thread::scope(|scope| {
        let working: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        working.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert_eq!(long, []);
}

#[test]
fn every_rule_has_caught_a_fault() {
    let stored = stored();
    let caught: BTreeSet<&str> = stored
        .faults
        .iter()
        .flat_map(|row| row.detectors.values().flatten())
        .filter_map(|by| Some(by.split_once(" (")?.1.trim_end_matches(')')))
        .collect();
    let idle: Vec<&str> = RULES.iter().map(|rule| rule.name).filter(|name| !caught.contains(name)).collect();
    assert_eq!(idle, Vec::<&str>::new());
}

#[test]
fn a_fault_is_killed_as_the_stored_matrix_says() {
    let profiles = Profiles::load(&Choice::Spec).unwrap();
    let some: Vec<_> = faults(SUITES).into_iter().step_by(29).collect();
    let found = matrix(&kill(SUITES, &some, &profiles, &Options::default));
    let stored = stored();
    for row in &found.faults {
        assert_eq!(Some(row), stored.faults.iter().find(|stored| stored.name == row.name));
        assert!(row.is_killed(), "{row:#?}");
    }
    assert_eq!(found.faults.len(), some.len());
}

/// Whoever asks for one requirement sees what its sentence forbids. `faults run --alone` tries every fault.
#[test]
fn a_fault_is_found_by_the_scenarios_of_what_it_breaks_alone() {
    let profiles = Profiles::load(&Choice::Spec).unwrap();
    let names = ["delivers-twice", "names-by-folder", "ends-what-begins-alike", "forgets-the-gone", "cleans-by-birth", "wakes-the-agent"];
    let some: Vec<_> = faults(SUITES).into_iter().filter(|fault| names.contains(&fault.info.name)).collect();
    assert_eq!(some.len(), names.len());
    for row in &matrix(&kill_alone(SUITES, &some, &profiles, &Options::default)).faults {
        assert!(row.is_killed() && row.detectors.values().all(|by| !by.is_empty()), "{row:#?}");
    }
}

#[test]
fn nothing_is_found_in_a_permitted_variation() {
    let profiles = Profiles::load(&Choice::Spec).unwrap();
    let mut wrong = String::new();
    let all = variations(SUITES);
    for (variation, found) in all.iter().map(|variation| variation.info).zip(vary(SUITES, &all, &profiles, &Options::default)) {
        let mut about = String::new();
        found.missing(variation.warns).iter().for_each(|id| about += &format!("    missed {id}\n"));
        found.besides(variation.warns).iter().for_each(|id| about += &format!("    found {id}: {:?}\n", found.failed[*id]));
        found.blocked.iter().chain(&found.untested).for_each(|(key, why)| about += &format!("    stopped {key}: {why}\n"));
        if !about.is_empty() {
            wrong += &format!("{}\n{about}", variation.name);
        }
    }
    assert!(wrong.is_empty(), "false alarms:\n{wrong}");
}

const A_RUN_MORE: &str = "the second delivery is a process of its own, whose turn nobody completes";

/// What a fault does otherwise where each turn has a process of its own: the requirement, and why it is not broken, or is as well.
const OTHERWISE: &[(&str, &str, &str)] = &[
    ("delivers-twice", "CX-3", A_RUN_MORE),
    ("delivers-twice", "LC-CLEAN-9", A_RUN_MORE),
    ("delivers-twice", "LC-OBS-7", A_RUN_MORE),
    ("delivers-twice", "LC-TIME-2", A_RUN_MORE),
    ("drops-what-comes-late", "LC-SEND-1", "a message starts a process: it is not typed"),
    ("sends-by-prefix", "LC-SEND-2", "it goes to a process of its own: the agents that there were notice nothing"),
    ("never-looks-again", "LC-OBS-7", "between turns no agent has to live, and in the first turn CX-6 finds it"),
    ("never-looks-again", "LC-SEND-1", "who does not notice that a turn's process is over starts no next one"),
    ("ignores-failures", "CX-6", "the end of the turn's process tells it, as failed"),
    ("rejects-late-completions", "CX-3", "the end of the turn's process tells it, as failed"),
];

/// A manager that runs its agent once for each turn hides no fault: what shows one in the reference shows it there, unless it is a
/// scenario that does not apply to such a manager.
#[test]
fn a_process_a_turn_hides_no_fault() {
    let profiles = Profiles::load(&Choice::Spec).unwrap();
    let turn = Change::Variation("a-process-a-turn");
    let of_managers: Vec<Defect> = faults(SUITES).into_iter().filter(|fault| fault.suite.names().contains(&"lifecycle")).collect();
    let stored = stored();
    let mut wrong = String::new();
    for fault in of_managers.iter().step_by(7) {
        let name = fault.info.name;
        let target = Target::Reference(Reference { suites: SUITES, of: vec![fault.suite], changes: vec![turn, Change::Fault(name)] });
        let options = Options::default();
        let planned = prepare(&target, &options).unwrap();
        let report = run(&target, planned, &profiles, &options, &mut |_| {}).report;
        let failed: BTreeSet<&str> = report.scenarios.iter().flat_map(|it| &it.findings).map(|it| it.requirement.as_str()).collect();
        let row = stored.faults.iter().find(|row| row.name == name).unwrap();
        let is_otherwise = |id: &str| OTHERWISE.iter().any(|(fault, other, _)| *fault == name && *other == id);
        let applies = |by: &String| {
            let key = by.split(" (").next();
            report.scenarios.iter().any(|it| Some(it.key.as_str()) == key && it.verdict != Verdict::Skipped)
        };
        for (id, by) in row.detectors.iter().filter(|(id, by)| by.iter().any(applies) && !is_otherwise(id.as_str())) {
            if !failed.contains(id.as_str()) {
                wrong += &format!("{name} hides {id}: {by:?}\n");
            }
        }
        for id in failed.iter().filter(|id| !row.failed.iter().any(|known| known.as_str() == **id) && !is_otherwise(id)) {
            wrong += &format!("{name} breaks {id}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
