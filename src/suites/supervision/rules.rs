//! Pure judgements over a trace: what holds of every supervisor, whatever a scenario asks, and the closed form of a policy.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::contract::supervised_state::leads;
use crate::contract::{Announcement, SupervisedState};
use crate::engine::world::StandingFinding;
use crate::trace::{Contradiction, Entry, Fact, Record};

use super::reference::SupervisionPolicy;

/// One rule: its name, and what it finds in a trace.
type SupervisionRule = (&'static str, fn(&[Record]) -> Vec<Contradiction>);

/// The standing rules.
const RULES: &[SupervisionRule] =
    &[("states-follow-the-table", states), ("records-say-what-is-true", records), ("one-agent-at-a-time", agents)];

/// Judges a trace by every standing rule.
pub(crate) fn judge(trace: &[Record]) -> Vec<StandingFinding> {
    RULES.iter().flat_map(|(name, judge)| judge(trace).into_iter().map(|found| (*name, found))).collect()
}

fn found(requirement: &str, session: &str, message: String, at: usize) -> Contradiction {
    Contradiction { records: vec![at], ..Contradiction::of_id(requirement, Some(session), message) }
}

/// Every announced change of a state is one of the table, from the state that was announced before.
fn states(trace: &[Record]) -> Vec<Contradiction> {
    let mut last: BTreeMap<&str, &str> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (at, record) in trace.iter().enumerate() {
        // Who was killed may not have announced what it wrote.
        if matches!(record.entry, Entry::Restarted) {
            last.clear();
        }
        let Entry::Event(Announcement::StateChanged { session_id, from, to, .. }) = &record.entry else { continue };
        let id = session_id.as_str();
        let before = last.insert(id, to).or(from.as_deref());
        let named = |word: &str| SupervisedState::from_name(word);
        let right = match (before.map(named), named(to)) {
            (None, Some(SupervisedState::Starting)) => true,
            (Some(Some(before)), Some(now)) => leads(before, now),
            _ => false,
        };
        let claims_right = from.as_deref().is_none_or(|from| before.is_none_or(|before| from == before));
        if !right || !claims_right {
            let message = format!("session {id} went from `{}` to `{to}`, where nothing leads", before.unwrap_or("nothing"));
            wrong.push(found("SV-STATE-1", id, message, at).claims(format!("state_changed from {from:?} to {to}")));
        }
    }
    wrong
}

/// What a record says at the end is true: an agent of the session lives, in the container that the record names, or none does.
fn records(trace: &[Record]) -> Vec<Contradiction> {
    trace.iter().enumerate().filter_map(|(at, record)| untrue(&record.entry, at)).collect()
}

fn untrue(entry: &Entry, at: usize) -> Option<Contradiction> {
    let Entry::Recorded { session_id, record, living: Some(living) } = entry else { return None };
    let text = |name: &str| record.as_ref().and_then(|record| record.get(name)).and_then(Value::as_str).unwrap_or_default();
    let right = match SupervisedState::from_name(text("state")) {
        Some(state) if state.is_alive() => living.iter().any(|container| container == text("container_id")),
        _ => living.is_empty(),
    };
    if right {
        return None;
    }
    let id = session_id.as_str();
    let message = format!("the record of session {id} does not say what is true");
    let truth =
        if living.is_empty() { "no agent of it lives".to_owned() } else { format!("an agent of it lives in {}", living.join(", ")) };
    let claim = format!("state `{}`, container {}", text("state"), text("container_id"));
    Some(found("SV-REG-6", id, message, at).claims(claim).truly(truth))
}

/// What records, as they are found now, say that is not true.
pub(crate) fn disagreement(found: &[Entry]) -> Option<String> {
    found.iter().find_map(|entry| untrue(entry, 0)).map(|wrong| wrong.message)
}

/// A workspace has one agent at a time.
fn agents(trace: &[Record]) -> Vec<Contradiction> {
    let mut living: BTreeMap<&str, &str> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (at, record) in trace.iter().enumerate() {
        match &record.entry {
            Entry::Truth(Fact::AgentStarted { agent_run, cwd, .. }) => {
                if let Some(other) = living.iter().find_map(|(run, folder)| (*folder == cwd.as_str()).then_some(*run)) {
                    let message = format!("a second agent was started in {cwd} while the first lived");
                    let truth = format!("{other} lived when {} was started", agent_run.0);
                    wrong.push(Contradiction { session: None, ..found("SV-RESTART-2", "", message, at).truly(truth) });
                }
                living.insert(&agent_run.0, cwd);
            }
            Entry::Truth(Fact::AgentExited { agent_run, .. } | Fact::AgentGone { agent_run }) => {
                living.remove(agent_run.0.as_str());
            }
            _ => {}
        }
    }
    wrong
}

// ---- the closed form of a policy -------------------------------------------------------------------------------------

/// How much longer than its policy says a supervisor may wait.
const JITTER: f64 = 1.25;
/// How far the moments of a trace may be off.
const SLACK: Duration = Duration::from_millis(500);

/// What a policy is broken by, with the requirement that says so.
pub(crate) type PolicyBreach = (&'static str, String);

/// Holds a session's restarts by itself against its policy: from the moments at which its agent was up and was over, nothing else,
/// what was to be announced when, and when the next agent was to be started.
pub(crate) fn policy_breaches(trace: &[Record], id: &str, policy: &SupervisionPolicy) -> Vec<PolicyBreach> {
    let mut wrong = Vec::new();
    let (mut attempt, mut scheduled): (i32, Vec<Duration>) = (0, Vec::new());
    let (mut up, mut due): (Option<Duration>, Option<(Duration, Duration)>) = (None, None);
    for record in trace {
        let Entry::Event(said) = &record.entry else { continue };
        let now = Duration::from_millis(record.at_ms.unwrap_or_default());
        if said.session_id().as_str() != id {
            continue;
        }
        match said {
            Announcement::StateChanged { to, .. } if to == "running" => up = Some(now),
            Announcement::RestartScheduled { attempt: said, delay_s, .. } => {
                if up.is_some_and(|up| now.saturating_sub(up) >= policy.stable) {
                    (attempt, scheduled) = (0, Vec::new());
                }
                attempt += 1;
                let wanted = policy.first.mul_f64(2_f64.powi(attempt - 1)).min(policy.max);
                let said_s = delay_s.as_f64().unwrap_or_default();
                if said_s < wanted.as_secs_f64() || said_s > wanted.as_secs_f64() * JITTER {
                    let stable = if attempt == 1 && *said > 1 { "SV-AUTO-4" } else { "SV-AUTO-2" };
                    wrong.push((
                        stable,
                        format!("restart {attempt} was announced after {said_s} s, the policy says {} s", wanted.as_secs_f64()),
                    ));
                }
                if scheduled.iter().filter(|at| now.saturating_sub(**at) < policy.window).count() >= policy.restarts {
                    wrong.push(("SV-AUTO-3", format!("more than {} restarts within {} s", policy.restarts, policy.window.as_secs())));
                }
                scheduled.push(now);
                due = Some((now + wanted, now + wanted.mul_f64(JITTER)));
            }
            Announcement::StateChanged { to, .. } if to == "starting" => {
                if let Some((from, until)) = due.take()
                    && (now + SLACK < from || now > until + SLACK)
                {
                    let message = format!(
                        "the restart came at {} s, it was due from {} s to {} s",
                        now.as_secs_f64(),
                        from.as_secs_f64(),
                        until.as_secs_f64()
                    );
                    wrong.push(("SV-AUTO-2", message));
                }
            }
            _ => {}
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn trace(lines: &[(u64, Value)]) -> Vec<Record> {
        let line = |(at, line): &(u64, Value)| {
            let mut line = line.clone();
            line["at_ms"] = (*at).into();
            serde_json::from_value(line).unwrap()
        };
        lines.iter().map(line).collect()
    }

    fn changed(from: Option<&str>, to: &str) -> Value {
        json!({"kind":"event","event":"state_changed","session_id":"s","from":from,"to":to})
    }

    fn scheduled(attempt: u64, delay: f64) -> Value {
        json!({"kind":"event","event":"restart_scheduled","session_id":"s","attempt":attempt,"delay_s":delay})
    }

    #[test]
    fn a_change_that_the_table_does_not_have_is_found() {
        let good =
            trace(&[(0, changed(None, "starting")), (1, changed(Some("starting"), "running")), (2, changed(Some("running"), "error"))]);
        assert_eq!(states(&good), []);
        let bad = trace(&[(0, changed(None, "starting")), (1, changed(Some("starting"), "error")), (2, changed(Some("error"), "running"))]);
        assert_eq!(states(&bad).len(), 1);
        let torn = trace(&[(0, changed(None, "starting")), (1, changed(Some("running"), "paused"))]);
        assert_eq!(states(&torn).len(), 1);
    }

    #[test]
    fn a_record_is_held_against_what_lives() {
        let line = |state: &str, living: &[&str]| json!({"kind":"recorded","session_id":"s","record":{"state":state,"container_id":"c"},"living":living});
        assert_eq!(records(&trace(&[(0, line("running", &["c"])), (1, line("stopped", &[]))])), []);
        for (state, living) in [("running", &[][..]), ("paused", &["d"]), ("error", &["c"]), ("planned", &["c"])] {
            assert_eq!(records(&trace(&[(0, line(state, living))])).len(), 1, "{state}");
        }
    }

    #[test]
    fn two_agents_in_one_folder_are_found_and_one_after_the_other_are_not() {
        let up = |run: &str| json!({"kind":"truth","fact":"agent_started","agent_run":run,"agent":"codex","pid":1,"cwd":"/w"});
        let gone = |run: &str| json!({"kind":"truth","fact":"agent_gone","agent_run":run});
        assert_eq!(agents(&trace(&[(0, up("r1")), (1, gone("r1")), (2, up("r2"))])), []);
        assert_eq!(agents(&trace(&[(0, up("r1")), (2, up("r2"))])).len(), 1);
    }

    #[test]
    fn the_closed_form_of_the_policy_is_kept_or_broken() {
        let policy = SupervisionPolicy::default();
        let dies = |at: u64, attempt: u64, delay: f64| {
            let up = at + 100 + (delay * 1000.0) as u64;
            vec![(at, scheduled(attempt, delay)), (up - 50, changed(Some("error"), "starting")), (up, changed(Some("starting"), "running"))]
        };
        let all = |parts: &[Vec<(u64, Value)>]| trace(&parts.concat());
        assert_eq!(policy_breaches(&all(&[dies(0, 1, 1.0), dies(2_000, 2, 2.0), dies(5_000, 3, 5.0)]), "s", &policy), []);
        // Stable for ten minutes: it begins anew.
        assert_eq!(policy_breaches(&all(&[dies(0, 1, 1.0), dies(602_000, 1, 1.0)]), "s", &policy), []);
        let breach = |parts: &[Vec<(u64, Value)>]| policy_breaches(&all(parts), "s", &policy).first().map(|(id, _)| *id);
        assert_eq!(breach(&[dies(0, 1, 1.0), dies(602_000, 2, 2.0)]), Some("SV-AUTO-4"));
        assert_eq!(breach(&[dies(0, 1, 0.5)]), Some("SV-AUTO-2"));
        assert_eq!(breach(&[dies(0, 1, 1.0), dies(2_000, 2, 1.0)]), Some("SV-AUTO-2"));
        assert_eq!(breach(&[vec![(0, scheduled(1, 1.0)), (100, changed(Some("error"), "starting"))]]), Some("SV-AUTO-2"));
        let many: Vec<_> = (0..6).map(|n| dies(n * 20_000, n + 1, 2_f64.powi(n as i32))).collect();
        assert_eq!(breach(&many), Some("SV-AUTO-3"));
    }
}
