//! Features and plans, with the suites that there are.

use std::collections::BTreeSet;
use std::path::Path;

use crate::contract::AgentKind;
use crate::engine::features::{Scenario, Steps, parse, read, read_folder};
use crate::engine::plan::{Capabilities, Disposition, Selection, plan};
use crate::spec::{Registry, RequirementId};
use crate::suites::SUITES;
use crate::suites::supervision::real::{MEMORY_STEPS, not_played};
use crate::sut::{Announces, Offer};
use crate::trace::settings::Processes;

fn system() -> Capabilities {
    Capabilities {
        suites: vec!["lifecycle".into(), "codex-observability".into()],
        agents: AgentKind::all().to_vec(),
        offer: Box::new(Offer::whole),
        announces: Announces { by_waiting: true, by_stream: true },
        can_restart: true,
        can_kill: true,
        has_record: true,
        containers: Ok(()),
        processes: Processes::Session,
        is_virtual: true,
    }
}

fn keys(selection: &Selection) -> Vec<String> {
    let written = read(SUITES, &[]).unwrap();
    plan(&written, Registry::embedded(), &system(), selection).into_iter().map(|planned| planned.key).collect()
}

#[test]
fn every_step_of_the_built_in_features_is_known() {
    let keys = |scenarios: &[Scenario]| scenarios.iter().map(|scenario| (scenario.name.clone(), scenario.line)).collect::<BTreeSet<_>>();
    let looked_up =
        read_folder(SUITES, &Path::new(env!("CARGO_MANIFEST_DIR")).join("features")).unwrap_or_else(|errors| panic!("{errors:#?}"));
    assert_eq!(keys(&looked_up), keys(&read(SUITES, &[]).unwrap()));
}

#[test]
fn the_embedded_features_read_without_a_fault() {
    let written = read(SUITES, &[]).unwrap_or_else(|errors| panic!("{errors:#?}"));
    assert!(written.len() > 80);
}

#[test]
fn an_unknown_step_is_named_with_its_line_and_the_nearest() {
    let text = "Feature: f\n  @LC-CREATE-1\n  Scenario: s\n    Given session \"A\" is startd\n";
    let errors = parse(SUITES, Steps::LookedUp, "mine.feature", text).unwrap_err();
    assert_eq!(
        errors[0].to_string(),
        "mine.feature:4: no such step: `session \"A\" is startd`; did you mean `session {string} is started`? `passmuster steps` lists them all"
    );
}

#[test]
fn what_is_no_gherkin_is_told_with_what_may_stand_there() {
    let said = |text: &str| parse(SUITES, Steps::LookedUp, "m.feature", text).unwrap_err()[0].to_string();
    let feature = "Feature: f\n  @LC-CREATE-1\n  Scenario: s\n    Given session \"A\" is started\n";
    let step = said(&format!("{feature}    Than it is\n"));
    assert!(step.starts_with("m.feature:5: not Gherkin: found `Than it is`; wanted a step (`Given`"), "{step}");
    let none = said("\nScenario: s\n");
    assert!(none.starts_with("m.feature:2: not Gherkin: found `Scenario: s`; wanted `Feature: NAME`"), "{none}");
    let empty = said("");
    assert!(empty.starts_with("m.feature:1: not Gherkin: the file ends; wanted `Feature: NAME`"), "{empty}");
}

#[test]
fn a_folder_without_a_feature_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let error = read(SUITES, &[folder.path().to_owned()]).unwrap_err()[0].to_string();
    assert!(error.ends_with(": there is no feature: wanted a `.feature` file, or a folder with some in or below it"), "{error}");
}

#[test]
fn a_need_that_there_is_not_is_no_need_that_is_met() {
    let text = "Feature: f\n  @LC-CREATE-1 @needs:end_sesion\n  Scenario: s\n    Then nothing of \"A\" is alive\n";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine.feature"), text).unwrap();
    let error = read(SUITES, &[folder.path().to_owned()]).unwrap_err()[0].to_string();
    let error = error.split_once("mine").map(|(_, rest)| format!("mine{rest}")).unwrap();
    assert!(
        error.starts_with("mine.feature:3: the scenario \"s\" has the tag @needs:end_sesion") && error.contains("`end_session`"),
        "{error}"
    );
}

#[test]
fn the_tag_decides_then_the_folder_then_the_requirement_and_nothing_else() {
    let suite = |file: &str, tags: &str| {
        let text = format!("Feature: f\n  {tags}\n  Scenario: s\n    Then nothing of \"A\" is alive\n");
        parse(SUITES, Steps::LookedUp, file, &text).map(|written| written[0].suite.clone()).map_err(|errors| errors[0].to_string())
    };
    assert_eq!(suite("mine.feature", "@LC-CREATE-1").as_deref(), Ok("lifecycle"));
    assert_eq!(suite("mine.feature", "@CX-2").as_deref(), Ok("codex-observability"));
    assert_eq!(suite("features/codex-observability/mine.feature", "@LC-CREATE-1").as_deref(), Ok("codex-observability"));
    assert_eq!(suite("features/codex-observability/mine.feature", "@suite:lifecycle @CX-2").as_deref(), Ok("lifecycle"));
    let known = "the suites are lifecycle, codex-observability, orchestrator, resumption, supervision";
    assert_eq!(
        suite("features/mine/own.feature", "@MY-1").unwrap_err(),
        format!(
            "features/mine/own.feature:3: the scenario \"s\" belongs to no suite: the folder `mine` and none of its tags names one: \
             put it into a suite's folder, or tag it @suite:NAME; {known}"
        )
    );
    assert_eq!(
        suite("mine.feature", "@suite:lifecicle @CX-2").unwrap_err(),
        format!("mine.feature:3: the scenario \"s\" belongs to no suite: there is no suite `lifecicle`; {known}")
    );
}

#[test]
fn keys_are_unique_and_shards_are_a_partition() {
    let all = keys(&Selection::default());
    let mut sharded: Vec<_> = (1..=3).flat_map(|k| keys(&Selection { shard: Some((k, 3)), ..Selection::default() })).collect();
    let mut sorted = all.clone();
    sorted.sort();
    sharded.sort();
    assert_eq!(sharded, sorted);
    sorted.dedup();
    assert_eq!(sorted.len(), all.len());
}

#[test]
fn what_is_not_offered_is_skipped_or_fails_its_requirement() {
    let written = read(SUITES, &[]).unwrap();
    let lacking = Capabilities {
        announces: Announces { by_waiting: false, by_stream: false },
        can_restart: false,
        is_virtual: false,
        offer: Box::new(|operation| Offer { offered: operation.name != "send_message", ..Offer::whole(operation) }),
        ..system()
    };
    let planned = plan(&written, Registry::embedded(), &lacking, &Selection::default());
    let disposition = |id: &str| {
        let id: RequirementId = id.parse().unwrap();
        planned.iter().find(|planned| planned.written.requirements().first() == Some(&id)).map(|planned| planned.disposition.clone())
    };
    assert!(matches!(disposition("CX-3"), Some(Disposition::Skip(_))));
    assert!(matches!(disposition("LC-SEND-1"), Some(Disposition::Lacks { .. })));
    assert!(matches!(disposition("LC-RESTART-1"), Some(Disposition::Skip(_))));
    assert!(matches!(disposition("CX-9"), Some(Disposition::Skip(_))));
    assert_eq!(disposition("LC-CREATE-1"), Some(Disposition::Run));
}

fn first_error(file: &str, text: &str) -> String {
    parse(SUITES, Steps::LookedUp, file, text).unwrap_err()[0].to_string()
}

#[test]
fn a_scenario_that_judges_nothing_is_an_error_for_every_party() {
    let steps =
        ["session \"A\" is started", "a codex worker with 9 s to its deadline", "a stored session \"A\"", "session \"A\" is supervised"];
    for (suite, step) in ["lifecycle", "orchestrator", "resumption", "supervision"].into_iter().zip(steps) {
        let text = format!("@suite:{suite}\nFeature: f\n  @LC-CLEAN-1\n  Scenario: s\n    Given {step}\n");
        assert_eq!(first_error("mine.feature", &text), "mine.feature:4: the scenario \"s\" judges nothing: it has no Then");
    }
    let empty = "Feature: f\n  @LC-CLEAN-1\n  Scenario: s\n";
    assert_eq!(first_error("mine.feature", empty), "mine.feature:3: the scenario \"s\" judges nothing: it has no Then");
}

#[test]
fn an_agent_that_there_is_not_is_never_taken_for_another() {
    let said = |suite: &str, steps: &str| first_error("m.feature", &format!("@suite:{suite}\nFeature: f\n  @OR-1\n  Scenario: s\n{steps}"));
    let worker = "    Given a clod worker with 9 s to its deadline\n    Then every rule is kept\n";
    let wanted = "unknown agent `clod`: wanted claude, codex or gemini";
    assert_eq!(said("orchestrator", worker), format!("m.feature:5: `a clod worker with 9 s to its deadline`: {wanted}"));
    let session = "    Given a clod session \"A\" is started\n    Then nothing of \"A\" is alive\n";
    assert_eq!(said("lifecycle", session), format!("m.feature:5: `a clod session \"A\" is started`: {wanted}"));
}

#[test]
fn the_seeds_scenarios_are_played_on_real_supervisors_and_what_takes_hours_is_not() {
    let scenarios = read(SUITES, &[]).unwrap();
    let reason = |name: &str| {
        let scenario = scenarios.iter().find(|scenario| scenario.suite == "supervision" && scenario.name.starts_with(name));
        not_played(&scenario.unwrap_or_else(|| panic!("{name}")).steps)
    };
    for name in ["Start three sessions", "Pause one session", "Resume reattaches", "Force-stop a container", "Foreign containers"] {
        assert_eq!(reason(name), None, "{name}");
    }
    assert!(reason("An engine that refuses everything").unwrap().ends_with("it waits 3600 s for nothing"));
    assert!(reason("What ended meanwhile").unwrap().contains("killed in one step"));
    for (begin, _) in MEMORY_STEPS {
        let is_used = scenarios.iter().flat_map(|scenario| &scenario.steps).any(|step| step.step.value.starts_with(begin));
        assert!(is_used, "no step begins with {begin:?}");
    }
}
