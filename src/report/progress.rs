//! Progress while a run lasts, on standard error, apart from the report.

use std::io::Write;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::view;
use crate::core::sanitise;
use crate::results::model::{Event, ScenarioResult, Verdict};

/// Shows what happens in a run. It must not change it: implementors neither fail nor block on who reads them.
pub trait Progress {
    /// Takes note of an event.
    fn tell(&mut self, event: &Event);
}

/// A bar on a terminal, that goes away at the end; what did not pass stays above it.
pub struct Bar {
    bar: ProgressBar,
    failed: usize,
    running: Vec<String>,
}

impl Default for Bar {
    /// A bar on standard error.
    fn default() -> Self {
        Self::on(ProgressDrawTarget::stderr())
    }
}

impl Bar {
    /// A bar drawn there.
    pub fn on(target: ProgressDrawTarget) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), target);
        bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {wide_msg}").expect("the template is one"));
        Self { bar, failed: 0, running: Vec::new() }
    }

    /// What stands beside the bar: the failures so far, and what runs longest.
    fn message(&self) -> String {
        let failed = if self.failed > 0 { format!("{} failed · ", self.failed) } else { String::new() };
        let running = self.running.first().map_or_else(String::new, |key| view::one_line(&sanitise(key)));
        format!("{failed}{running}")
    }
}

impl Progress for Bar {
    fn tell(&mut self, event: &Event) {
        match event {
            Event::Planned { scenarios } => self.bar.set_length(*scenarios as u64),
            Event::ScenarioStarted { key } => self.running.push(key.clone()),
            Event::ScenarioFinished { result } => {
                self.running.retain(|key| *key != result.key);
                self.failed += usize::from(result.verdict == Verdict::Failed);
                if let Some(line) = line(result) {
                    self.bar.println(line);
                }
                self.bar.inc(1);
            }
        }
        self.bar.set_message(self.message());
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Lines for logs: how many scenarios there are, and each that did not pass, as it ends.
pub struct ProgressLines<W: Write> {
    out: W,
}

impl<W: Write> ProgressLines<W> {
    /// Lines written there.
    pub fn to(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write> Progress for ProgressLines<W> {
    fn tell(&mut self, event: &Event) {
        let line = match event {
            Event::Planned { scenarios } => Some(format!("{scenarios} scenarios")),
            Event::ScenarioStarted { .. } => None,
            Event::ScenarioFinished { result } => line(result),
        };
        if let Some(line) = line {
            // A log that cannot be written (a closed pipe, say) is no reason to end the run.
            let _ = writeln!(self.out, "{line}");
        }
    }
}

/// A scenario that did not pass, on one line.
fn line(result: &ScenarioResult) -> Option<String> {
    let why = match result.verdict {
        Verdict::Passed | Verdict::Skipped | Verdict::NotExercised => return None,
        Verdict::Failed | Verdict::Warned => result.findings.first().map(|finding| format!("{}: {}", finding.requirement, finding.message)),
        Verdict::Blocked | Verdict::CouldNotTest => result.reason.clone(),
    };
    let words = if result.is_known_failure() { "known failure" } else { result.verdict.words() };
    let line = format!("{words}: {} ({}): {}", view::label(result), view::took(result.duration_ms), why.unwrap_or_default());
    Some(view::one_line(&sanitise(&line)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::example;

    fn events() -> Vec<Event> {
        let report = example::report();
        let mut events = vec![Event::Planned { scenarios: report.scenarios.len() }];
        for result in report.scenarios {
            events.push(Event::ScenarioStarted { key: result.key.clone() });
            events.push(Event::ScenarioFinished { result: result.into() });
        }
        events
    }

    #[test]
    fn a_log_has_a_line_for_each_scenario_that_did_not_pass() {
        let mut log = Vec::new();
        let mut lines = ProgressLines::to(&mut log);
        events().iter().for_each(|event| lines.tell(event));
        insta::assert_snapshot!(String::from_utf8(log).unwrap());
    }

    #[test]
    fn a_bar_counts_and_names_what_runs() {
        let mut bar = Bar::on(ProgressDrawTarget::hidden());
        let events = events();
        events[..6].iter().for_each(|event| bar.tell(event));
        assert!(bar.message().starts_with("1 failed · lifecycle/cleanup/known[codex]"), "{}", bar.message());
        assert_eq!((bar.bar.position(), bar.bar.length()), (2, Some(11)));
    }
}
