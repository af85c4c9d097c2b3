use std::fmt::Write;

/// What the doctor found, check by check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Diagnosis {
    /// The system and how it is reached: `my-manager (cli)`.
    pub system: String,
    /// The checks, in the order they were made.
    pub checks: Vec<DoctorCheck>,
    /// Whether anything was started at all.
    pub started: bool,
    /// Lines that the manifest lacks.
    pub lines: String,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DoctorCheck {
    /// What was looked at, as a statement that holds when all is well.
    pub what: &'static str,
    /// What was found.
    pub found: Symptom,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Symptom {
    /// It holds. A detail for people, which may be empty.
    Fine(String),
    /// The adapter does its work and the system behaves oddly: for `verify` to judge.
    Odd {
        /// What is odd.
        why: String,
        /// What to do about it.
        advice: &'static str,
    },
    /// The adapter is broken: nothing can be judged through it.
    Broken {
        /// What is broken.
        why: String,
        /// What to do about it.
        advice: &'static str,
    },
    /// It was not looked at, and why.
    Skipped(&'static str),
}

/// The verdict on the adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    /// Everything that was checked holds.
    Sound,
    /// The adapter works; the system is odd.
    Odd,
    /// The adapter is broken.
    Broken,
}

impl Diagnosis {
    /// The verdict.
    pub(crate) fn health(&self) -> Health {
        let any = |wanted: fn(&Symptom) -> bool| self.checks.iter().any(|check| wanted(&check.found));
        if any(|found| matches!(found, Symptom::Broken { .. })) {
            Health::Broken
        } else if any(|found| matches!(found, Symptom::Odd { .. })) {
            Health::Odd
        } else {
            Health::Sound
        }
    }

    /// Draws it for a terminal, with what the system wrote to its standard error last.
    pub(crate) fn draw(&self, stderr: &str) -> String {
        let width = self.checks.iter().map(|check| check.what.chars().count()).max().unwrap_or(0);
        let mut out = format!("{}\n\n", self.system);
        for DoctorCheck { what, found } in &self.checks {
            let (mark, detail) = match found {
                Symptom::Fine(detail) => ('✓', detail.as_str()),
                Symptom::Odd { .. } => ('!', ""),
                Symptom::Broken { .. } => ('✗', ""),
                Symptom::Skipped(why) => ('·', *why),
            };
            let line = format!(" {mark} {what:width$}  {detail}");
            let _ = writeln!(out, "{}", line.trim_end());
            if let Symptom::Odd { why, advice } | Symptom::Broken { why, advice } = found {
                let _ = writeln!(out, "{}", indent(why, "     "));
                let _ = writeln!(out, "   → {advice}");
            }
        }
        if self.health() != Health::Sound && !stderr.trim().is_empty() {
            let _ = writeln!(out, "\n its standard error ended with\n{}", indent(&last_lines(stderr, 12), "   │ "));
        }
        if !self.lines.is_empty() {
            let _ = writeln!(out, "\n these lines of the manifest are missing\n\n{}", self.lines.trim_end());
        }
        let verdict = match self.health() {
            Health::Sound if !self.started => "the manifest can be used; nothing was started",
            Health::Sound => "the adapter works",
            Health::Odd => "the adapter works; what is odd about the system is for `passmuster verify` to judge",
            Health::Broken => "the adapter is broken: this says nothing about the system's conformance",
        };
        let _ = writeln!(out, "\n{verdict}");
        out
    }
}

fn indent(text: &str, by: &str) -> String {
    text.trim_end().lines().map(|line| format!("{by}{line}")).collect::<Vec<_>>().join("\n")
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnosis(found: Symptom) -> Diagnosis {
        let checks = vec![
            DoctorCheck { what: "the manifest is valid", found: Symptom::Fine(String::new()) },
            DoctorCheck { what: "its programs are found", found: Symptom::Fine("my-manager → /usr/bin/my-manager".to_owned()) },
            DoctorCheck { what: "the server becomes ready", found },
            DoctorCheck { what: "list_sessions answers", found: Symptom::Skipped("not reached") },
        ];
        Diagnosis { system: "my-manager (rpc)".to_owned(), checks, started: true, lines: String::new() }
    }

    #[test]
    fn a_broken_adapter_is_drawn_with_advice_and_the_last_complaints() {
        let broken = diagnosis(Symptom::Broken { why: "it exited with status 1 before".to_owned(), advice: "run it by hand" });
        assert_eq!(broken.health(), Health::Broken);
        insta::assert_snapshot!(broken.draw("bind: address in use\n"));
    }

    #[test]
    fn an_odd_system_is_told_apart_from_a_broken_adapter() {
        let odd = diagnosis(Symptom::Odd { why: "it took 4 s".to_owned(), advice: "raise [limits] start" });
        assert_eq!(odd.health(), Health::Odd);
        insta::assert_snapshot!(odd.draw(""));
    }

    #[test]
    fn a_sound_adapter_needs_no_complaints() {
        let sound = diagnosis(Symptom::Fine("127.0.0.1:4100".to_owned()));
        assert_eq!(sound.health(), Health::Sound);
        insta::assert_snapshot!(sound.draw("chatter"));
    }
}
