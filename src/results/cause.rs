//! What findings have in common: those of one requirement that say the same but for names and numbers have one cause.

use crate::contract::AgentKind;

use super::model::{Finding, ScenarioResult};

/// Findings of one requirement that say the same of other sessions, agents and times.
#[derive(Debug)]
pub(crate) struct Cause<'a> {
    /// The findings and their scenarios, in the order they ran; never none.
    pub cases: Vec<(&'a ScenarioResult, &'a Finding)>,
}

impl<'a> Cause<'a> {
    /// Findings by cause, in the order in which the causes were first found.
    pub(crate) fn of(cases: impl IntoIterator<Item = (&'a ScenarioResult, &'a Finding)>) -> Vec<Self> {
        let mut causes: Vec<(String, Self)> = Vec::new();
        for case in cases {
            let kind = kind(&case.1.message);
            match causes.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, cause)) => cause.cases.push(case),
                None => causes.push((kind, Self { cases: vec![case] })),
            }
        }
        causes.into_iter().map(|(_, cause)| cause).collect()
    }

    /// The finding that is shown for all.
    pub(crate) fn first(&self) -> (&'a ScenarioResult, &'a Finding) {
        self.cases[0]
    }

    /// The scenarios that found it, each once, in the order they ran.
    pub(crate) fn scenarios(&self) -> Vec<&'a ScenarioResult> {
        let mut scenarios: Vec<&ScenarioResult> = Vec::new();
        for (scenario, _) in &self.cases {
            if !scenarios.iter().any(|known| known.key == scenario.key) {
                scenarios.push(scenario);
            }
        }
        scenarios
    }
}

/// A message without what differs from case to case: what is quoted, numbers, agents, and how often it was found.
pub(crate) fn kind(message: &str) -> String {
    let message = message.split(" (and ").next().unwrap_or_default();
    let mut kind = String::with_capacity(message.len());
    let mut rest = message.chars();
    while let Some(c) = rest.next() {
        match c {
            '`' | '"' => {
                kind.push('"');
                // An odd one quotes the rest.
                let _quoted = rest.by_ref().find(|other| *other == c);
            }
            '0'..='9' if kind.ends_with('0') => {}
            '0'..='9' => kind.push('0'),
            c => kind.push(c),
        }
    }
    AgentKind::all().iter().fold(kind, |kind, agent| kind.replace(agent.name(), "agent"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::results::example;
    use crate::results::model::Verdict;

    #[rstest]
    #[case("session `s1` was ended, but its agent runs", "session \"A\" was ended, but its agent runs", true)]
    #[case("claude was started 2 times", "codex was started 13 times", true)]
    #[case("it is gone (and 3 more of the kind)", "it is gone", true)]
    #[case("from character 12 on \"ab\" was sent", "from character 7 on \"x\" was sent", true)]
    #[case("session `s1` was ended", "session `s1` was not ended", false)]
    #[case("an odd ` quotes", "an odd ` quotes the rest", true)]
    fn a_cause_is_the_same_whatever_the_names_and_numbers(#[case] one: &str, #[case] other: &str, #[case] same: bool) {
        assert_eq!(kind(one) == kind(other), same, "{} {}", kind(one), kind(other));
    }

    #[test]
    fn a_scenario_that_found_it_twice_counts_once() {
        let (finding, one, other) =
            (example::finding("LC-CLEAN-1"), example::scenario("one", Verdict::Failed), example::scenario("other", Verdict::Failed));
        let causes = Cause::of([(&one, &finding), (&one, &finding), (&other, &finding)]);
        assert_eq!((causes.len(), causes[0].cases.len(), causes[0].scenarios().len()), (1, 3, 2));
    }
}
