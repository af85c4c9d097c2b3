//! Pure judgements over a trace and the profiles: one file per rule family, one table.
//!
//! The rules are the standing invariants: judged on every trace, whatever its scenario asks. They find only what is
//! certain: where a call was in flight while something changed, where a limit has not passed, where a session's
//! agent is not known, they find nothing.

pub(crate) mod announcements;
pub(crate) mod cleanup;
pub(crate) mod identity;
pub(crate) mod messages;
pub(crate) mod observability;
pub(crate) mod reading;
pub(crate) mod status;

use crate::trace::Record;

use crate::trace::Contradiction;
use crate::trace::history::History;
use crate::trace::settings::Settings;

/// One standing invariant.
pub struct StandingRule {
    /// Its name, as in reports and fixtures.
    pub name: &'static str,
    /// The requirements whose violation it can find.
    pub requirements: &'static [&'static str],
    /// What it finds, in the trace's order.
    pub judge: fn(&History, &Settings) -> Vec<Contradiction>,
}

/// Every rule, in the order they are judged.
pub const RULES: &[StandingRule] = &[
    StandingRule { name: "ids-are-unique", requirements: &["LC-CREATE-1"], judge: identity::unique },
    StandingRule { name: "ids-work-at-once", requirements: &["LC-CREATE-4", "LC-CLEAN-4", "LC-CLEAN-7"], judge: identity::working },
    StandingRule { name: "a-refused-start-leaves-nothing", requirements: &["LC-CREATE-5", "LC-CREATE-6"], judge: identity::refused },
    StandingRule { name: "nothing-runs-unlisted", requirements: &["LC-CREATE-6b"], judge: identity::unlisted },
    StandingRule {
        name: "prompts-are-the-messages",
        requirements: &["LC-CREATE-3", "LC-CREATE-3c", "LC-CREATE-7", "LC-SEND-1"],
        judge: messages::delivered,
    },
    StandingRule { name: "unobservable-is-not-ended", requirements: &["LC-OBS-3"], judge: observability::before },
    StandingRule { name: "observable-stays-observable", requirements: &["LC-OBS-1", "LC-OBS-2", "CX-4"], judge: observability::after },
    StandingRule { name: "nothing-alive-is-called-ended", requirements: &["CX-2", "LC-OBS-7"], judge: status::called_ended },
    StandingRule { name: "nothing-dead-is-called-alive", requirements: &["LC-OBS-7"], judge: status::called_alive },
    StandingRule { name: "reading-changes-nothing", requirements: &["LC-OBS-6", "LC-CLEAN-4"], judge: reading::pure },
    StandingRule { name: "turns-are-announced-once-and-not-early", requirements: &["CX-3"], judge: announcements::once_not_early },
    StandingRule { name: "nothing-ended-runs", requirements: &["LC-CLEAN-1", "LC-CLEAN-1b", "LC-CLEAN-10"], judge: cleanup::leftovers },
    StandingRule {
        name: "nothing-ended-answers",
        requirements: &["LC-CLEAN-2", "LC-CLEAN-3", "LC-CLEAN-10", "LC-SEND-2"],
        judge: cleanup::answers,
    },
    StandingRule { name: "ending-harms-nobody-else", requirements: &["LC-CLEAN-5", "LC-CLEAN-9"], judge: cleanup::harm },
];

/// A rule's name and what it found.
pub type Judged = (&'static str, Contradiction);

/// Judges a trace by every rule. Of what a rule finds of one requirement in one session, the first is kept and the
/// rest is counted in its message.
pub fn judge(records: &[Record], settings: &Settings) -> Vec<Judged> {
    let history = History::new(records);
    RULES.iter().flat_map(|rule| first_of_each((rule.judge)(&history, settings)).into_iter().map(|found| (rule.name, found))).collect()
}

fn first_of_each(found: Vec<Contradiction>) -> Vec<Contradiction> {
    let mut kept: Vec<(Contradiction, usize)> = Vec::new();
    for one in found {
        match kept.iter_mut().find(|(first, _)| first.requirement == one.requirement && first.session == one.session) {
            Some((_, more)) => *more += 1,
            None => kept.push((one, 0)),
        }
    }
    let counted = |(mut one, more): (Contradiction, usize)| {
        if more > 0 {
            one.message = format!("{} (and {more} more of the kind)", one.message);
        }
        one
    };
    kept.into_iter().map(counted).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::spec::Registry;
    use crate::trace::jsonl;

    fn fixture(rule: &StandingRule, kind: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/traces/{}.{kind}.jsonl", rule.name))
    }

    fn read(path: &Path) -> Vec<Record> {
        let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        jsonl::read(std::io::BufReader::new(file))
            .map(|record| record.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
            .collect()
    }

    /// What a failing trace says of itself: `"expect"` in its first line.
    fn expected(records: &[Record]) -> BTreeSet<String> {
        serde_json::from_value(records[0].extra["expect"].clone()).unwrap()
    }

    #[test]
    fn every_rule_finds_all_that_it_can_in_its_failing_trace_and_nothing_in_its_passing_one() {
        for rule in RULES {
            let passing = read(&fixture(rule, "pass"));
            assert_eq!(judge(&passing, &Settings::default()), [], "{}.pass", rule.name);

            let failing = read(&fixture(rule, "fail"));
            let found: BTreeSet<String> =
                (rule.judge)(&History::new(&failing), &Settings::default()).iter().map(|found| found.requirement.to_string()).collect();
            assert_eq!(found, expected(&failing), "{}.fail", rule.name);
            assert_eq!(found, rule.requirements.iter().map(|id| (*id).to_owned()).collect(), "{} names what it can find", rule.name);
        }
    }

    #[test]
    fn every_trace_in_the_folder_belongs_to_a_rule() {
        let known: BTreeSet<PathBuf> = RULES.iter().flat_map(|rule| ["pass", "fail"].map(|kind| fixture(rule, kind))).collect();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/traces");
        let stray: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file() && !known.contains(path))
            .collect();
        assert_eq!(stray, Vec::<PathBuf>::new());
    }

    #[test]
    fn every_rule_names_requirements_that_the_spec_states() {
        for rule in RULES {
            for id in rule.requirements {
                assert!(Registry::embedded().get(&id.parse().unwrap()).is_some(), "{}: there is no requirement {id}", rule.name);
            }
        }
    }

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<_> = RULES.iter().map(|rule| rule.name).collect();
        assert_eq!(names.len(), RULES.len());
    }

    #[test]
    fn what_is_found_says_what_was_claimed_and_what_was_true() {
        let found: Vec<String> = RULES
            .iter()
            .flat_map(|rule| judge(&read(&fixture(rule, "fail")), &Settings::default()).into_iter().filter(|(by, _)| *by == rule.name))
            .map(|(rule, found)| {
                let records: Vec<_> = found.records.iter().map(usize::to_string).collect();
                format!(
                    "{rule}: {}: {}\n  claimed: {}\n  true: {}\n  records {}",
                    found.requirement,
                    found.message,
                    found.claimed,
                    found.truth,
                    records.join(" ")
                )
            })
            .collect();
        insta::assert_snapshot!(found.join("\n"));
    }

    fn of_rule(name: &str) -> &'static StandingRule {
        RULES.iter().find(|rule| rule.name == name).unwrap()
    }

    fn found_in(rule: &str, settings: &Settings) -> Vec<String> {
        let records = read(&fixture(of_rule(rule), "fail"));
        (of_rule(rule).judge)(&History::new(&records), settings).iter().map(|found| found.requirement.to_string()).collect()
    }

    #[test]
    fn without_truth_only_what_answers_alone_prove_is_found() {
        for rule in RULES {
            let mut records = read(&fixture(rule, "fail"));
            records.retain(|record| !matches!(record.entry, crate::trace::Entry::Truth(_) | crate::trace::Entry::Bound { .. }));
            let found = !(rule.judge)(&History::new(&records), &Settings::default()).is_empty();
            assert_eq!(
                found,
                ["ids-are-unique", "turns-are-announced-once-and-not-early", "nothing-ended-answers"].contains(&rule.name),
                "{}",
                rule.name
            );
        }
    }

    #[test]
    fn a_shared_daemon_may_stay_but_what_it_started_may_not() {
        let settings = Settings { processes: crate::trace::settings::Processes::Shared, ..Settings::default() };
        assert_eq!(found_in("nothing-ended-runs", &settings), ["LC-CLEAN-1b"]);
        assert!(found_in("nothing-dead-is-called-alive", &settings).is_empty());
    }

    #[test]
    fn a_limit_that_has_not_passed_proves_nothing() {
        let mut settings = Settings::default();
        settings.limits.end = std::time::Duration::from_secs(60);
        assert_eq!(found_in("nothing-ended-answers", &settings), ["LC-CLEAN-10", "LC-SEND-2"]);
        assert_eq!(found_in("nothing-ended-runs", &settings), ["LC-CLEAN-1b"]);
    }

    #[test]
    fn a_restart_excuses_what_it_may_have_done() {
        for rule in ["nothing-alive-is-called-ended", "observable-stays-observable", "ids-work-at-once", "nothing-dead-is-called-alive"] {
            let mut records = read(&fixture(of_rule(rule), "fail"));
            records.insert(1, serde_json::from_value(serde_json::json!({"at_ms": 0, "kind": "restarted"})).unwrap());
            assert_eq!(judge(&records, &Settings::default()), [], "{rule}");
        }
    }

    #[test]
    fn an_agent_without_a_profile_is_not_judged_by_phases() {
        let settings = Settings { observable: Default::default(), ..Settings::default() };
        assert!(found_in("unobservable-is-not-ended", &settings).is_empty());
        assert!(found_in("observable-stays-observable", &settings).is_empty());
    }
}
