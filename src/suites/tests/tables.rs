//! The tables of all suites: faults, variations, control checks, steps.

use std::collections::BTreeSet;

use cucumber_expressions::Expression;

use crate::engine::catalogue::{fault, faults, variations};
use crate::engine::control::assert_each_is_there;
use crate::engine::matrix::sample;
use crate::engine::suite::{find, names};
use crate::spec::{Party, Registry};
use crate::suites::SUITES;

#[test]
fn every_suite_has_requirements_and_every_managers_requirement_a_suite() {
    let registry = Registry::embedded();
    for suite in names(SUITES) {
        assert!(registry.suite(suite).next().is_some(), "{suite} has no requirement");
    }
    for requirement in registry.iter().filter(|requirement| matches!(requirement.party, Party::Manager | Party::Supervisor)) {
        assert!(find(SUITES, &requirement.suite).is_some(), "{}: no suite {}", requirement.id, requirement.suite);
    }
}

#[test]
fn no_two_suites_share_a_name() {
    let all: Vec<&str> = names(SUITES).collect();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
}

#[test]
fn fault_names_are_unique_and_kebab_case() {
    let all: Vec<&str> = faults(SUITES).iter().map(|fault| fault.info.name).collect();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    assert!(all.iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')), "{all:?}");
}

#[test]
fn fault_titles_are_sentences_without_a_subject() {
    let all = faults(SUITES);
    let wrong = all.iter().map(|fault| fault.info).filter(|info| info.title.ends_with('.') || info.title.starts_with(char::is_uppercase));
    assert_eq!(wrong.map(|info| info.name).collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn every_fault_breaks_something_and_nothing_twice_and_only_what_binds_its_party() {
    for fault in faults(SUITES) {
        let (info, party) = (fault.info, fault.suite.party());
        let all: Vec<_> = info.breaks.iter().chain(info.side_effects).collect();
        assert!(!info.breaks.is_empty(), "{}", info.name);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{}", info.name);
        for id in all {
            let requirement = Registry::embedded().get(&id.parse().unwrap());
            assert_eq!(requirement.map(|requirement| requirement.party), Some(party), "{}: {id}", info.name);
        }
    }
}

#[test]
fn a_name_that_is_no_fault_leads_to_the_nearest() {
    use crate::suites::{manager, orchestrator, store};
    assert!(fault(SUITES, "never-end").unwrap_err().contains("`never-ends`"));
    assert!(manager::faults::named("reuse-ids").unwrap_err().contains("no fault of a manager; did you mean `reuses-ids`"));
    let mistaken = store::faults::named("never-ends").unwrap_err();
    assert!(mistaken.contains("no fault of a store; `passmuster faults list`"), "{mistaken}");
    assert_eq!(fault(SUITES, "nosuchfault").unwrap_err(), "no such fault; `passmuster faults list` shows them all");
    assert!(orchestrator::faults::named("never-end").unwrap_err().contains("no fault of an orchestrator; did you mean `never-ends`"));
    assert!(manager::faults::named("loses-updates").is_err() && store::faults::named("loses-updates").is_ok());
}

#[test]
fn variation_names_are_unique() {
    let all: Vec<&str> = variations(SUITES).iter().map(|variation| variation.info.name).collect();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
}

#[test]
fn a_sample_is_the_same_for_the_same_seed() {
    let all = faults(SUITES);
    let names = |seed| sample(&all, 5, seed).iter().map(|fault| fault.info.name).collect::<Vec<_>>();
    assert_eq!(names(1), names(1));
    assert_ne!(names(1), names(2));
    assert_eq!(names(1).len(), 5);
}

#[test]
fn every_control_check_is_of_a_fault_and_a_scenario_that_there_are() {
    assert_each_is_there(SUITES);
}

#[test]
fn no_two_steps_of_a_suite_match_the_same_text() {
    for suite in SUITES {
        let mut patterns: Vec<_> = suite.vocabulary().steps().into_iter().map(|step| step.pattern).collect();
        patterns.iter().for_each(|pattern| drop(Expression::regex(*pattern).unwrap()));
        let count = patterns.len();
        patterns.sort_unstable();
        patterns.dedup();
        assert_eq!(patterns.len(), count, "{suite:?}");
    }
}
