//! The vocabulary of the suite `orchestrator`: what is difficult about a manager and its agents, and what is expected of
//! the orchestrator that works with them. Its steps only write a [`Plan`]; it is carried out as a whole.

use std::sync::LazyLock;

use cucumber::gherkin::Step;
use futures::FutureExt as _;

use crate::contract::AgentKind;
use crate::engine::vocabulary::{Arguments, StepDef, StepKind, StepTable, no_agent};

/// What one run of an orchestrator is to be like.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Plan {
    /// The work.
    pub workers: Vec<Work>,
    /// The manager.
    pub manager: FaultPlan,
    /// What must come of it.
    pub expected: Vec<Expected>,
}

/// One worker, and the agent that it gets.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Work {
    /// The agent.
    pub agent: AgentKind,
    /// Its deadline, in seconds from the request of its first start.
    pub deadline_s: u32,
    /// How its first turn goes.
    pub turn: PlannedTurn,
    /// How many characters its reply has.
    pub reply_chars: usize,
}

/// How a first turn goes; in seconds from when its prompt was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlannedTurn {
    /// It is completed.
    Completes(u32),
    /// It fails.
    Fails(u32),
    /// The agent dies.
    Dies(u32),
    /// It never ends.
    Never,
}

/// In what a manager is difficult. Each is permitted, or happens to managers that conform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FaultPlan {
    /// How late announcements come, in seconds.
    pub late_s: u32,
    /// How often each comes.
    pub times: usize,
    /// Whether those of completed turns do not come at all.
    pub lost: bool,
    /// Whether what cannot be observed yet is `session_not_found`.
    pub pending_is_not_found: bool,
    /// Whether what cannot be observed yet is left out of the list.
    pub pending_is_unlisted: bool,
    /// How many calls of `end_session` fail.
    pub failing_ends: u32,
    /// How many replies to `start_session` are lost.
    pub lost_starts: u32,
    /// When the manager is killed and for how long it is away, in seconds.
    pub away: Option<(u32, u32)>,
    /// After how many seconds every session is `session_not_found`.
    pub gone_after_s: Option<u32>,
    /// Whether others have sessions there, too.
    pub others: bool,
}

impl Default for FaultPlan {
    /// None.
    fn default() -> Self {
        Self {
            late_s: 0,
            times: 1,
            lost: false,
            pending_is_not_found: false,
            pending_is_unlisted: false,
            failing_ends: 0,
            lost_starts: 0,
            away: None,
            gone_after_s: None,
            others: false,
        }
    }
}

/// What must come of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// No rule is broken.
    Rules,
    /// The work is done and reported so.
    Done,
    /// The work is not done, and not reported as if it were.
    NotDone,
}

/// Makes a row of the step table from what a step writes into the plan.
macro_rules! step {
    ($kind:ident, $pattern:literal, $about:literal, $write:expr) => {
        step!($kind, $pattern, $about, $write, None)
    };
    ($kind:ident, $pattern:literal, $about:literal, $write:expr, $refuses:expr) => {
        StepDef {
            kind: StepKind::$kind,
            pattern: $pattern,
            about: $about,
            refuses: $refuses,
            run: |plan, context| {
                let write: fn(&mut Plan, &Arguments) = $write;
                write(plan, &Arguments::of(&context));
                Box::pin(std::future::ready(()))
            },
        }
    };
}

/// How long a turn takes when nobody says otherwise, in seconds.
const TURN_S: u32 = 2;

/// Every step, in the order `passmuster steps` shows them.
const STEPS: &[StepDef<Plan>] = &[
    step!(
        Act,
        "a {word} worker with {int} s to its deadline",
        "one worker; its turn is completed after 2 s (moments lie a quarter of a second later: not where somebody looks every second)",
        |plan, said| {
            let agent = said.text(0).parse().expect("the word was looked at when the feature was read");
            plan.workers.push(Work { agent, deadline_s: said.number(1), turn: PlannedTurn::Completes(TURN_S), reply_chars: 0 });
        },
        Some(no_agent)
    ),
    step!(
        Act,
        "ten workers of all agents with {int} s to their deadlines",
        "four Codex, three Claude, three Gemini; turns take 1 to 5 s",
        |plan, said| {
            for nth in 0..10 {
                let agent = AgentKind::all()[(nth as usize + 1) % AgentKind::all().len()];
                plan.workers.push(Work { agent, deadline_s: said.number(0), turn: PlannedTurn::Completes(1 + nth % 5), reply_chars: 0 });
            }
        }
    ),
    step!(Act, "its turn takes {int} s", "of the worker named last", |plan, said| plan.last().turn =
        PlannedTurn::Completes(said.number(0))),
    step!(Act, "its turn fails after {int} s", "the model gives an error", |plan, said| plan.last().turn =
        PlannedTurn::Fails(said.number(0))),
    step!(Act, "its turn never ends", "the agent lives and is silent", |plan, _| plan.last().turn = PlannedTurn::Never),
    step!(Act, "its agent dies after {int} s", "by SIGKILL, in its first turn", |plan, said| plan.last().turn =
        PlannedTurn::Dies(said.number(0))),
    step!(Act, "its reply has {int} characters", "an answer holds 48,000", |plan, said| plan.last().reply_chars = said.number(0)),
    step!(Act, "announcements come {int} s late", "all of them", |plan, said| plan.manager.late_s = said.number(0)),
    step!(Act, "announcements come twice", "all of them", |plan, _| plan.manager.times = 2),
    step!(Act, "announcements of completed turns are lost", "by `wait_events` and as notifications", |plan, _| plan.manager.lost = true),
    step!(
        Act,
        "sessions that cannot be observed yet are not found",
        "`get_session_data` answers `session_not_found` instead of `pending`",
        |plan, _| plan.manager.pending_is_not_found = true
    ),
    step!(Act, "sessions that cannot be observed yet are not listed", "`list_sessions` leaves them out", |plan, _| {
        plan.manager.pending_is_unlisted = true;
    }),
    step!(Act, "sessions are not found any more after {int} s", "`get_session_data` answers `session_not_found`", |plan, said| {
        plan.manager.gone_after_s = Some(said.number(0));
    }),
    step!(
        Act,
        "sessions of others are listed",
        "two that somebody else started, before all others; every operation takes them",
        |plan, _| {
            plan.manager.others = true;
        }
    ),
    step!(Act, "the first end_session fails", "with `internal`; the session lives on", |plan, _| plan.manager.failing_ends = 1),
    step!(Act, "the reply to the first start_session is lost", "the session is started; the answer is `timeout`", |plan, _| {
        plan.manager.lost_starts = 1;
    }),
    step!(Act, "the manager is away for {int} s after {int} s", "killed, and started again; calls fail meanwhile", |plan, said| {
        plan.manager.away = Some((said.number(1), said.number(0)));
    }),
    step!(Act, "the orchestrator has done its work", "it is started, and ends, or is ended long after the last deadline", |_, _| {}),
    step!(Check, "every rule is kept", "judges the trace by every rule for orchestrators", |plan, _| plan.expected.push(Expected::Rules)),
    step!(Check, "all work is reported done", "the exit status is 0, and every outcome that is told is `done`", |plan, _| {
        plan.expected.push(Expected::Done);
    }),
    step!(
        Check,
        "work is reported that is not done",
        "the exit status is not 0, and not every outcome that is told is `done`",
        |plan, _| {
            plan.expected.push(Expected::NotDone);
        }
    ),
];

impl Plan {
    /// The steps that write one.
    pub(crate) fn steps() -> &'static StepTable<Plan> {
        static TABLE: LazyLock<StepTable<Plan>> = LazyLock::new(|| StepTable::of([STEPS]));
        &TABLE
    }

    /// Writes a plan.
    ///
    /// # Errors
    /// The first step that is not in the table.
    pub(crate) fn of<'a>(steps: impl IntoIterator<Item = &'a Step>) -> Result<Self, &'a Step> {
        let mut plan = Self::default();
        for step in steps {
            let (run, context) = Self::steps().find(step).ok_or(step)?;
            // It has written when it returns.
            let _ = run(&mut plan, context).now_or_never();
        }
        Ok(plan)
    }

    /// The worker named last.
    fn last(&mut self) -> &mut Work {
        if self.workers.is_empty() {
            self.workers.push(Work { agent: AgentKind::CODEX, deadline_s: 10, turn: PlannedTurn::Completes(TURN_S), reply_chars: 0 });
        }
        self.workers.last_mut().expect("there is one now")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cucumber::gherkin::{Feature, GherkinEnv};

    fn written(texts: &[&str]) -> Vec<Step> {
        let steps: String = texts.iter().map(|text| format!("    Given {text}\n")).collect();
        let feature = Feature::parse(format!("Feature: f\n  Scenario: s\n{steps}"), GherkinEnv::default()).unwrap();
        feature.scenarios[0].steps.clone()
    }

    #[test]
    fn a_plan_is_written_step_by_step() {
        let plan = Plan::of(&written(&[
            "a claude worker with 9 s to its deadline",
            "its agent dies after 3 s",
            "the manager is away for 1 s after 2 s",
            "the orchestrator has done its work",
            "every rule is kept",
        ]))
        .unwrap();
        let work = Work { agent: AgentKind::CLAUDE, deadline_s: 9, turn: PlannedTurn::Dies(3), reply_chars: 0 };
        let manager = FaultPlan { away: Some((2, 1)), ..FaultPlan::default() };
        assert_eq!(plan, Plan { workers: vec![work], manager, expected: vec![Expected::Rules] });
    }

    #[test]
    fn ten_workers_are_of_all_agents() {
        let plan = Plan::of(&written(&["ten workers of all agents with 12 s to their deadlines"])).unwrap();
        let count = |agent| plan.workers.iter().filter(|work| work.agent == agent).count();
        assert_eq!(AgentKind::all().iter().copied().map(count).sum::<usize>(), 10);
        assert!(AgentKind::all().iter().copied().all(|agent| count(agent) >= 3) && count(AgentKind::CODEX) == 4, "{:?}", AgentKind::all());
    }

    #[test]
    fn a_text_that_is_no_step_is_told() {
        let steps = written(&["every rule is kept", "all is well"]);
        assert_eq!(Plan::of(&steps).unwrap_err().value, "all is well");
    }
}
