//! What a trace does not show, and what therefore could not be judged.

use crate::spec::RequirementId;

use super::needs::TIMED;

/// What a trace had in it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Occasions {
    /// Workers with their deadlines.
    pub workers: bool,
    /// Workers in one folder.
    pub shared: bool,
    /// Outcomes.
    pub outcomes: bool,
    /// The orchestrator's end.
    pub exit: bool,
    /// What was actually true.
    pub truth: bool,
    /// Calls about sessions whose start is not in it.
    pub strangers: u64,
    /// Sessions of agents without a profile.
    pub unknown_agents: u64,
    /// Calls, answers, announcements and ends that tell no time.
    pub untimed: u64,
    /// Sessions open at its end.
    pub open: u64,
    /// Unanswered starts at its end.
    pub unsettled: u64,
}

/// The requirements that could not be judged, or not wholly, and why.
pub(crate) fn unjudged(seen: &Occasions) -> Vec<(RequirementId, String)> {
    const NO_DEADLINE: &str = "no `worker` lines: only a session's first 30 s surely lie before its deadline";
    const SHARED: &str = "workers share a folder: which of the sessions in it are whose is not known";
    let open = format!("the trace ends while {} sessions are open", seen.open);
    let unsettled = format!("the trace ends while {} starts are unanswered or unsettled", seen.unsettled);
    let strangers = format!("{} calls are about sessions whose start is not in the trace", seen.strangers);
    let untimed = format!("{} records tell no time: what rests on times is not judged", seen.untimed);
    let unknown = format!("{} sessions are of agents without a profile", seen.unknown_agents);
    let rows: [(bool, &[&str], &str); 13] = [
        (!seen.workers, &["OR-1", "OR-2"], NO_DEADLINE),
        (!seen.workers, &["OR-3", "OR-9"], "no `worker` lines: which deadline a session had is not known"),
        (!seen.workers, &["OR-15"], "no `worker` lines: which of the sessions that are listed are others' is not known"),
        (seen.shared, &["OR-2", "OR-3", "OR-7", "OR-8", "OR-9", "OR-10", "OR-12", "OR-15"], SHARED),
        (
            !seen.exit,
            &["OR-3", "OR-8", "OR-9", "OR-12", "OR-15"],
            "no `orchestrator_exited` line: how the orchestrator came out is not known",
        ),
        (!seen.exit && seen.open > 0, &["OR-4"], &open),
        (!seen.exit && seen.unsettled > 0, &["OR-7"], &unsettled),
        (
            seen.exit && !seen.outcomes,
            &["OR-2", "OR-3", "OR-8", "OR-10", "OR-12", "OR-15"],
            "no `outcome` lines: what was reported is not known",
        ),
        (!seen.outcomes && !seen.exit, &["OR-10"], "no `outcome` lines: only waiting on is judged, not whether somebody was called"),
        (!seen.truth, &["OR-9"], "no `truth` lines: whether an observable session was at work when it was ended is not known"),
        (seen.untimed > 0, &TIMED, &untimed),
        (seen.strangers > 0, &["OR-1", "OR-2", "OR-4", "OR-5", "OR-6", "OR-11", "OR-11b"], &strangers),
        (seen.unknown_agents > 0, &["OR-1", "OR-2", "OR-3", "OR-10"], &unknown),
    ];
    let mut all: Vec<(RequirementId, String)> = rows
        .iter()
        .filter(|(applies, ..)| *applies)
        .flat_map(|(_, ids, why)| ids.iter().map(|id| (id.parse().expect("an id"), (*why).to_owned())))
        .collect();
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    all
}

/// Why lines that could not be read leave something unjudged: these, and so many more.
pub(crate) fn unread(lines: &[usize], more: u64) -> String {
    let named: Vec<String> = lines.iter().map(usize::to_string).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let noun = if named.len() == 1 && more.is_empty() { "line" } else { "lines" };
    format!("{noun} {}{more} could not be read: what rests on the absence of a record is not judged", named.join(", "))
}
