//! The kill matrix: the suites catch every fault of the reference, on exactly what it breaks, and find nothing in a
//! permitted variation.

use passmuster::profile::{Choice, Profiles};
use passmuster::reference::{FAULTS, VARIATIONS};
use passmuster::runner::Options;
use passmuster::runner::matrix::{kill, vary};

/// The faults and the variations to look at: all of them, or those that `FAULTS` names.
fn wanted(name: &str) -> bool {
    std::env::var("FAULTS").map_or(true, |names| names.split(',').any(|wanted| wanted == name))
}

#[test]
fn every_fault_fails_on_exactly_what_it_breaks() {
    let profiles = Profiles::load(&Choice::Spec).unwrap();
    let faults: Vec<_> = FAULTS.iter().filter(|fault| wanted(fault.name)).copied().collect();
    let mut wrong = String::new();
    for killed in kill(&faults, &profiles, &Options::default).iter().filter(|killed| !killed.is_exact()) {
        wrong += &format!("{}\n", killed.fault.name);
        killed.missed().iter().for_each(|id| wrong += &format!("    missed {id}\n"));
        killed.stray().iter().for_each(|id| wrong += &format!("    stray {id}: {}\n", killed.found.failed[*id].join(" ")));
        killed.found.untested.iter().for_each(|(key, why)| wrong += &format!("    untested {key}: {why}\n"));
    }
    assert!(wrong.is_empty(), "not killed, or not exactly:\n{wrong}");
}

#[test]
fn nothing_is_found_in_a_permitted_variation() {
    let profiles = Profiles::load(&Choice::Spec).unwrap();
    let variations: Vec<_> = VARIATIONS.iter().filter(|variation| wanted(variation.name)).copied().collect();
    let mut wrong = String::new();
    for (variation, found) in variations.iter().zip(vary(&variations, &profiles, &Options::default)) {
        let mut about = String::new();
        found.missing(variation.warns).iter().for_each(|id| about += &format!("    missed {id}\n"));
        found.besides(variation.warns).iter().for_each(|id| about += &format!("    found {id}: {}\n", found.failed[*id].join(" ")));
        found.blocked.iter().chain(&found.untested).for_each(|(key, why)| about += &format!("    stopped {key}: {why}\n"));
        if !about.is_empty() {
            wrong += &format!("{}\n{about}", variation.name);
        }
    }
    assert!(wrong.is_empty(), "false alarms:\n{wrong}");
}
