//! Traces in brief: a line for each call with its answer, and for everything else that a record says.
//!
//! A line is a time in milliseconds and what happened then. `read s1 -> data` is asked and answered; without an answer the
//! call stays open, and `-> data` alone answers the last open one. Worker 0 works in `/w/0`.

use serde_json::{Value, json};

use crate::contract::ErrorCode;
use crate::trace::Record;

/// The records of a trace in brief.
pub(crate) fn trace(brief: &str) -> Vec<Record> {
    let (mut records, mut open) = (Vec::new(), Vec::new());
    for (id, line) in brief.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        let (at, what) = line.split_once(' ').unwrap_or_else(|| panic!("{line}: a time, and what happened then"));
        let at: u64 = at.replace('_', "").parse().unwrap_or_else(|error| panic!("{line}: {error}"));
        let mut note = |mut entry: Value| {
            entry["at_ms"] = at.into();
            records.push(serde_json::from_value(entry).unwrap_or_else(|error| panic!("{line}: {error}")));
        };
        let (said, answer) = what.split_once("->").map_or((what, None), |(said, answer)| (said, Some(answer.trim())));
        let words: Vec<&str> = said.split_whitespace().collect();
        if let Some((op, args)) = call(&words) {
            open.push(id);
            note(json!({"kind": "request", "id": id, "op": op, "args": args}));
        } else if let Some(entry) = told(&words) {
            note(entry);
        }
        if let Some(answer) = answer {
            let id = open.pop().unwrap_or_else(|| panic!("{line}: nothing waits for an answer"));
            let (kind, said) = answered(answer);
            note(json!({"kind": "reply", "id": id, kind: said}));
        }
    }
    records
}

fn call(words: &[&str]) -> Option<(&'static str, Value)> {
    Some(match *words {
        ["start", agent, cwd] => ("start_session", json!({"agent": agent, "cwd": cwd, "message": "fix it"})),
        ["start", agent, cwd, request] => {
            ("start_session", json!({"agent": agent, "cwd": cwd, "message": "fix it", "request_id": request}))
        }
        ["list"] => ("list_sessions", json!({})),
        ["read", session] => ("get_session_data", json!({"session_id": session})),
        ["screen", session] => ("capture_screen", json!({"session_id": session})),
        ["send", session] => ("send_message", json!({"session_id": session, "message": "go on"})),
        ["end", session] => ("end_session", json!({"session_id": session})),
        _ => return None,
    })
}

/// A list is `[s1:running s2:error]`, where an item may go on with its folder and its request; what is no code is an id.
fn answered(answer: &str) -> (&'static str, Value) {
    if let Some(items) = answer.strip_prefix('[') {
        let items = items.trim_end_matches(']').split_whitespace();
        let keys = ["session_id", "status", "cwd", "request_id"];
        let listed = |item: &str| -> Value { keys.into_iter().zip(item.split(':')).collect() };
        return ("ok", json!({"sessions": items.map(listed).collect::<Vec<_>>()}));
    }
    match answer {
        "ok" => ("ok", json!({})),
        "data" => ("ok", json!({"text": "at work"})),
        "cut" => ("ok", json!({"text": "at work", "truncated": true})),
        "pending" => ("ok", json!({"text": "nothing to read yet", "pending": true})),
        "empty" => ("ok", json!({"text": ""})),
        code if serde_json::from_value::<ErrorCode>(code.into()).is_ok() => ("error", json!({"code": code, "message": "…"})),
        id => ("ok", json!({"session_id": id})),
    }
}

fn worker_in(worker: &str, agent: &str, deadline_s: &str, cwd: &str) -> Value {
    let (worker, deadline_s): (usize, f64) = (worker.parse().unwrap(), deadline_s.parse().unwrap());
    json!({"kind": "worker", "worker": worker, "agent": agent, "cwd": cwd, "deadline_s": deadline_s})
}

fn told(words: &[&str]) -> Option<Value> {
    let event = |event: &str, session: &str| json!({"kind": "event", "event": event, "session_id": session});
    let truth = |fact: &str, run: &str| json!({"kind": "truth", "fact": fact, "agent_run": run, "turn": 1});
    Some(match *words {
        ["worker", worker, agent, deadline_s] => worker_in(worker, agent, deadline_s, &format!("/w/{worker}")),
        ["worker", worker, agent, deadline_s, cwd] => worker_in(worker, agent, deadline_s, cwd),
        ["completed", session] => event("turn_completed", session),
        ["failed", session] => json!({"kind": "event", "event": "turn_completed", "session_id": session, "status": "failed"}),
        ["over", session] => json!({"kind": "event", "event": "session_ended", "session_id": session, "reason": "died"}),
        ["asks", session] => json!({"kind": "event", "event": "needs_input", "session_id": session, "message": "may I?"}),
        ["up", run, cwd] => {
            json!({"kind": "truth", "fact": "agent_started", "agent_run": run, "agent": "claude", "pid": 4711, "cwd": cwd})
        }
        ["turn", run, "open"] => truth("turn_started", run),
        ["turn", run, "released"] => truth("turn_released", run),
        ["turn", run, "completed"] => truth("turn_completed", run),
        ["turn", run, status] => json!({"kind": "truth", "fact": "turn_completed", "agent_run": run, "turn": 1, "status": status}),
        ["gone", run] => json!({"kind": "truth", "fact": "agent_gone", "agent_run": run}),
        ["bound", session, run] => json!({"kind": "bound", "session_id": session, "agent_run": run, "by": "nonce"}),
        ["outcome", worker, state] => json!({"kind": "outcome", "worker": worker.parse::<usize>().unwrap(), "state": state}),
        ["exit", "overdue"] => json!({"kind": "orchestrator_exited", "overdue": true}),
        ["exit", "signal"] => json!({"kind": "orchestrator_exited"}),
        ["exit", code] => json!({"kind": "orchestrator_exited", "code": code.parse::<i32>().unwrap()}),
        ["later"] => json!({"kind": "note", "text": "later"}),
        [] => return None,
        _ => panic!("{words:?}: nothing that a trace in brief says"),
    })
}
