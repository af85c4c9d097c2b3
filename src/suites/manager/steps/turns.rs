//! Which of the stand-ins' turns are a session's, however its manager's processes and sessions go together.

use crate::contract::AgentRun;
use crate::fakes::registry::FakeRun;
use crate::trace::Binding;
use crate::trace::settings::Processes;

/// One turn of a session, as far as it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SessionTurn {
    /// The run that took its message.
    pub run: AgentRun,
    /// The turn's number in that run.
    pub number: u64,
    /// The message, as it was taken.
    pub text: String,
    /// Whether its agent says that it is over.
    pub is_complete: bool,
    /// Whether its agent's process is over.
    pub is_dead: bool,
}

impl SessionTurn {
    /// Whether it is over by now, or its process is.
    pub(crate) fn is_over(&self, runs: &[FakeRun]) -> bool {
        runs.iter().any(|run| run.id == self.run && (run.completed >= self.number || run.over))
    }
}

/// How a session's runs and turns are told from others'.
#[derive(Debug, Clone)]
pub(crate) struct Whose {
    /// What there is one process for.
    pub per: Processes,
    /// The session's folder.
    pub cwd: String,
    /// Whether other sessions have the same.
    pub is_folder_shared: bool,
    /// What each of its messages holds, and no other session's.
    pub marker: String,
    /// The runs that it is bound to.
    pub own: Vec<AgentRun>,
    /// The runs that others are bound to.
    pub taken: Vec<AgentRun>,
}

impl Whose {
    /// Whether a run is the session's, or serves it.
    pub(crate) fn is_run(&self, run: &FakeRun) -> bool {
        let was_asked = || run.prompts.iter().any(|(_, text)| text.contains(&self.marker));
        match self.per {
            Processes::Shared => was_asked(),
            Processes::Session | Processes::Turn => {
                run.cwd == self.cwd && !self.taken.contains(&run.id) && (!self.is_folder_shared || was_asked())
            }
        }
    }

    /// By what a run is known as the session's.
    pub(crate) fn binding(&self) -> Binding {
        if self.is_folder_shared || self.per == Processes::Shared { Binding::Nonce } else { Binding::Cwd }
    }

    /// The session's turns in those runs.
    pub(crate) fn turns(&self, runs: &[FakeRun]) -> Vec<SessionTurn> {
        let is_own = |run: &&FakeRun| match self.per {
            Processes::Session => self.own.contains(&run.id),
            Processes::Turn => self.own.contains(&run.id) || self.is_run(run),
            Processes::Shared => true,
        };
        let of = |run: &FakeRun| {
            let own = run.prompts.iter().filter(|(_, text)| self.per != Processes::Shared || text.contains(&self.marker));
            let turn = |(number, text): &(u64, String)| SessionTurn {
                run: run.id.clone(),
                number: *number,
                text: text.clone(),
                is_complete: run.completed >= *number,
                is_dead: run.over,
            };
            own.map(turn).collect::<Vec<_>>()
        };
        runs.iter().filter(is_own).flat_map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::AgentKind;

    fn run(id: &str, cwd: &str, prompts: &[&str], completed: u64, over: bool) -> FakeRun {
        FakeRun {
            id: AgentRun(id.into()),
            agent: AgentKind::CLAUDE,
            pid: 1,
            started_ticks: 1,
            cwd: cwd.into(),
            args: Vec::new(),
            prompts: (1..).zip(prompts.iter().map(|text| (*text).to_owned())).collect(),
            started: 0,
            released: completed,
            completed,
            files: Vec::new(),
            children: Vec::new(),
            done: 0,
            unsupported: Vec::new(),
            exiting: over,
            over,
        }
    }

    fn turns(per: Processes, own: &[&str], runs: &[FakeRun]) -> Vec<(String, u64, bool)> {
        let own = own.iter().map(|id| AgentRun((*id).into())).collect();
        let whose = Whose { per, cwd: "/w/1".into(), is_folder_shared: false, marker: "ask-A-".into(), own, taken: Vec::new() };
        whose.turns(runs).into_iter().map(|turn| (turn.run.0, turn.number, turn.is_complete)).collect()
    }

    #[test]
    fn a_process_a_turn_makes_one_row_of_turns() {
        let runs = [
            run("r1", "/w/1", &["ask-A-1."], 1, true),
            run("r2", "/w/2", &["ask-B-1."], 0, false),
            run("r3", "/w/1", &["ask-A-2."], 0, false),
        ];
        assert_eq!(turns(Processes::Turn, &["r1"], &runs), [("r1".into(), 1, true), ("r3".into(), 1, false)]);
        assert_eq!(turns(Processes::Session, &["r1"], &runs), [("r1".into(), 1, true)]);
    }

    #[test]
    fn of_a_process_for_all_a_sessions_turns_are_those_that_its_messages_opened() {
        let runs = [run("r1", "/", &["ask-B-1.", "ask-A-1.", "ask-AB-1.", "ask-A-2."], 2, false)];
        assert_eq!(turns(Processes::Shared, &["r1"], &runs), [("r1".into(), 2, true), ("r1".into(), 4, false)]);
    }
}
