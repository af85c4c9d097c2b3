//! The rules on the traces in `fixtures/traces/orchestrator`, and the cases in which they must keep still.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rstest::rstest;

use super::*;
use crate::trace::{Entry, jsonl};

use brief::trace;

pub(crate) mod brief;
pub(crate) mod ending;
pub(crate) mod observing;
pub(crate) mod outcomes;
pub(crate) mod pace;
pub(crate) mod starting;
pub(crate) mod trace_state;
pub(crate) mod unjudged;

/// A Codex worker of 20 s, of which two are granted: until 19 s its session surely lies before its deadline.
const CODEX: &str = "0 worker 0 codex 20\n 1000 start codex /w/0 q1 -> s1\n";

/// The same of Claude, whose sessions can be observed from 3 s on.
const CLAUDE: &str = "0 worker 0 claude 20\n 1000 start claude /w/0 q1 -> s1\n";

/// Workers of two days.
const CODEX_FOR_DAYS: &str = "0 worker 0 codex 172800\n 1000 start codex /w/0 q1 -> s1\n";
const CLAUDE_FOR_DAYS: &str = "0 worker 0 claude 172800\n 1000 start claude /w/0 q1 -> s1\n";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/traces/orchestrator")
}

fn fixture(rule: &OrchestratorRule, kind: &str) -> Vec<Record> {
    let path = folder().join(format!("{}.{kind}.jsonl", rule.requirement.to_lowercase()));
    let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    jsonl::read(std::io::BufReader::new(file)).map(|record| record.unwrap()).collect()
}

pub(crate) fn see(judge: &mut Judge, records: &[Record]) {
    records.iter().enumerate().for_each(|(index, record)| judge.see(index, &RecordView::of_record(record)));
}

fn judged_by(mut judge: Judge, records: &[Record]) -> Judgement {
    see(&mut judge, records);
    judge.finish()
}

fn found(records: &[Record]) -> Vec<String> {
    judge(records, &Settings::default()).contradictions.iter().map(|found| found.requirement.to_string()).collect()
}

fn read(lines: &str) -> Vec<Record> {
    jsonl::read(lines.as_bytes()).map(|record| record.unwrap()).collect()
}

#[test]
fn every_rule_finds_its_breach_and_nothing_in_what_is_permitted() {
    for rule in RULES {
        let judged = judge(&fixture(rule, "pass"), &Settings::default());
        assert_eq!(judged.contradictions, [], "{}.pass", rule.requirement);
        let exercised = judged.tallies.get(&rule.requirement.parse().unwrap()).is_some_and(|tally| tally.kept > 0);
        assert!(exercised, "{}.pass has nothing to judge", rule.requirement);
        let failing = fixture(rule, "fail");
        let expected: BTreeSet<String> = serde_json::from_value(failing[0].extra["expect"].clone()).unwrap();
        assert_eq!(found(&failing).into_iter().collect::<BTreeSet<_>>(), expected, "{}.fail", rule.requirement);
    }
}

#[test]
fn every_trace_in_the_folder_belongs_to_a_rule() {
    assert_eq!(std::fs::read_dir(folder()).unwrap().count(), RULES.len() * 2);
}

#[test]
fn every_rule_judges_a_requirement_of_the_suite_and_every_requirement_has_a_rule() {
    let ruled: BTreeSet<&str> = RULES.iter().map(|rule| rule.requirement).collect();
    let stated: BTreeSet<&str> = crate::spec::Registry::embedded().suite("orchestrator").map(|stated| stated.id.as_str()).collect();
    assert_eq!(ruled, stated);
}

#[test]
fn what_is_found_cites_the_records_that_prove_it() {
    let drawn: Vec<String> = RULES
        .iter()
        .flat_map(|rule| judge(&fixture(rule, "fail"), &Settings::default()).contradictions)
        .map(|found| {
            format!(
                "{} of {}: {}\n  did: {}\n  known: {}\n  records {:?}",
                found.requirement,
                found.session_id().unwrap_or("no session"),
                found.message,
                found.claimed,
                found.truth,
                found.records
            )
        })
        .collect();
    insta::assert_snapshot!(drawn.join("\n"));
}

#[test]
fn what_is_kept_is_counted_where_there_is_something_to_judge() {
    let counted: Vec<String> = RULES
        .iter()
        .map(|rule| {
            let tallies = judge(&fixture(rule, "pass"), &Settings::default()).tallies;
            let counts: Vec<String> = tallies.iter().map(|(id, tally)| format!("{id} {}", tally.kept)).collect();
            format!("{}.pass: {}", rule.requirement, counts.join(", "))
        })
        .collect();
    insta::assert_snapshot!(counted.join("\n"));
}

#[test]
fn a_recording_without_deadlines_and_outcomes_says_what_it_could_not_judge() {
    let mut records = fixture(&RULES[0], "fail");
    records.retain(|record| !matches!(record.entry, Entry::Worker(_) | Entry::Outcome(_) | Entry::OrchestratorExited { .. }));
    let judged = judge(&records, &Settings::default());
    assert_eq!(judged.contradictions.iter().map(|found| found.requirement.to_string()).collect::<Vec<_>>(), ["OR-1"]);
    let drawn: Vec<String> = judged.unjudged.iter().map(|(id, why)| format!("{id}: {why}")).collect();
    insta::assert_snapshot!(drawn.join("\n"));
}

const START: &str = r#"{"at_ms":0,"kind":"request","id":1,"op":"start_session","args":{"agent":"codex","cwd":"/w","message":"m","request_id":"q"}}
{"at_ms":40,"kind":"reply","id":1,"ok":{"session_id":"s1"}}
"#;

#[rstest]
#[case::a_read_that_gets_data_was_no_guess(
    r#"{"at_ms":900,"kind":"request","id":2,"op":"get_session_data","args":{"session_id":"s1"}}
{"at_ms":901,"kind":"reply","id":2,"ok":{"text":"here it is"}}"#
)]
#[case::a_read_that_an_announcement_overtakes(
    r#"{"at_ms":900,"kind":"request","id":2,"op":"get_session_data","args":{"session_id":"s1"}}
{"at_ms":901,"kind":"event","event":"turn_completed","session_id":"s1"}
{"at_ms":902,"kind":"reply","id":2,"ok":{"text":"","pending":true}}"#
)]
#[case::a_single_look_late_in_a_recording_may_be_the_inspection(
    r#"{"at_ms":40000,"kind":"request","id":2,"op":"get_session_data","args":{"session_id":"s1"}}
{"at_ms":40001,"kind":"reply","id":2,"error":{"code":"session_not_found"}}
{"at_ms":40010,"kind":"request","id":3,"op":"end_session","args":{"session_id":"s1"}}
{"at_ms":40020,"kind":"reply","id":3,"ok":{}}"#
)]
#[case::an_end_after_the_list_said_that_the_agent_died(
    r#"{"at_ms":900,"kind":"request","id":2,"op":"list_sessions","args":{}}
{"at_ms":901,"kind":"reply","id":2,"ok":{"sessions":[{"session_id":"s1","status":"error"}]}}
{"at_ms":910,"kind":"request","id":3,"op":"end_session","args":{"session_id":"s1"}}
{"at_ms":920,"kind":"reply","id":3,"ok":{}}"#
)]
#[case::an_end_that_took_long_is_repeated(
    r#"{"at_ms":900,"kind":"event","event":"turn_completed","session_id":"s1"}
{"at_ms":910,"kind":"request","id":3,"op":"end_session","args":{"session_id":"s1"}}
{"at_ms":9920,"kind":"reply","id":3,"ok":{}}
{"at_ms":9930,"kind":"request","id":4,"op":"end_session","args":{"session_id":"s1"}}
{"at_ms":9940,"kind":"reply","id":4,"ok":{}}"#
)]
#[case::a_session_of_the_same_work_after_the_first_was_told_of(
    r#"{"at_ms":900,"kind":"event","event":"turn_completed","session_id":"s1","status":"failed"}
{"at_ms":910,"kind":"request","id":3,"op":"start_session","args":{"agent":"codex","cwd":"/w","message":"m","request_id":"q2"}}
{"at_ms":920,"kind":"reply","id":3,"ok":{"session_id":"s2"}}"#
)]
#[case::the_trace_ends_while_it_is_open("")]
fn what_may_be_in_order_is_no_finding(#[case] then: &str) {
    assert_eq!(found(&read(&format!("{START}{then}"))), Vec::<String>::new());
}

#[rstest]
#[case::an_early_end_after_not_found(
    r#"{"at_ms":900,"kind":"request","id":2,"op":"get_session_data","args":{"session_id":"s1"}}
{"at_ms":901,"kind":"reply","id":2,"error":{"code":"session_not_found"}}
{"at_ms":902,"kind":"request","id":3,"op":"end_session","args":{"session_id":"s1"}}"#,
    &["OR-1", "OR-2"]
)]
#[case::an_early_replacement_after_absence(
    r#"{"at_ms":900,"kind":"request","id":2,"op":"list_sessions","args":{}}
{"at_ms":901,"kind":"reply","id":2,"ok":{"sessions":[]}}
{"at_ms":902,"kind":"request","id":3,"op":"start_session","args":{"agent":"codex","cwd":"/w","message":"m","request_id":"q2"}}"#,
    &["OR-2"]
)]
#[case::a_second_look_late_in_a_recording(
    r#"{"at_ms":40000,"kind":"request","id":2,"op":"get_session_data","args":{"session_id":"s1"}}
{"at_ms":40001,"kind":"reply","id":2,"error":{"code":"session_not_found"}}
{"at_ms":50000,"kind":"request","id":3,"op":"get_session_data","args":{"session_id":"s1"}}
{"at_ms":50001,"kind":"reply","id":3,"error":{"code":"session_not_found"}}"#,
    &["OR-1"]
)]
#[case::nobody_looked_for_a_minute(
    r#"{"at_ms":900,"kind":"event","event":"turn_completed","session_id":"s1"}
{"at_ms":910,"kind":"request","id":3,"op":"end_session","args":{"session_id":"s1"}}
{"at_ms":920,"kind":"reply","id":3,"ok":{}}
{"at_ms":61000,"kind":"note","text":"later"}"#,
    &["OR-5"]
)]
#[case::ended_again_long_after_it_was_seen_to_be_gone(
    r#"{"at_ms":900,"kind":"event","event":"turn_completed","session_id":"s1"}
{"at_ms":910,"kind":"request","id":3,"op":"end_session","args":{"session_id":"s1"}}
{"at_ms":920,"kind":"reply","id":3,"ok":{}}
{"at_ms":930,"kind":"request","id":4,"op":"list_sessions","args":{}}
{"at_ms":931,"kind":"reply","id":4,"ok":{"sessions":[]}}
{"at_ms":990,"kind":"request","id":5,"op":"end_session","args":{"session_id":"s1"}}"#,
    &["OR-4"]
)]
fn a_recording_alone_proves_it(#[case] then: &str, #[case] ids: &[&str]) {
    assert_eq!(found(&read(&format!("{START}{then}"))), ids);
}

#[test]
fn an_announcement_may_come_before_the_id() {
    let lines = r#"{"at_ms":0,"kind":"request","id":1,"op":"start_session","args":{"agent":"codex","cwd":"/w","request_id":"q"}}
{"at_ms":10,"kind":"reply","id":1,"error":{"code":"timeout"}}
{"at_ms":900,"kind":"event","event":"turn_completed","session_id":"s1"}
{"at_ms":1000,"kind":"request","id":2,"op":"start_session","args":{"agent":"codex","cwd":"/w","request_id":"q"}}
{"at_ms":1010,"kind":"reply","id":2,"ok":{"session_id":"s1"}}
{"at_ms":1020,"kind":"request","id":3,"op":"get_session_data","args":{"session_id":"s1"}}
{"at_ms":1021,"kind":"reply","id":3,"ok":{"text":"","pending":true}}
"#;
    assert_eq!(found(&read(lines)), Vec::<String>::new());
}

#[test]
fn traces_that_follow_one_another_do_not_squeeze_time() {
    let mut lines = String::new();
    for part in 0..2 {
        lines += &format!(
            "{{\"at_ms\":0,\"kind\":\"request\",\"id\":1,\"op\":\"start_session\",\"args\":{{\"agent\":\"claude\",\"cwd\":\"/{part}\"}}}}\n\
             {{\"at_ms\":9,\"kind\":\"reply\",\"id\":1,\"ok\":{{\"session_id\":\"s{part}\"}}}}\n"
        );
        for n in 1..20 {
            let at = n * n * 1000;
            lines += &format!(
                "{{\"at_ms\":{at},\"kind\":\"request\",\"id\":2,\"op\":\"get_session_data\",\"args\":{{\"session_id\":\"s{part}\"}}}}\n\
                 {{\"at_ms\":{at},\"kind\":\"reply\",\"id\":2,\"ok\":{{\"text\":\"at work\"}}}}\n"
            );
        }
    }
    assert_eq!(found(&read(&lines)), Vec::<String>::new());
}

#[rstest]
#[case::in_its_folder("/w", true)]
#[case::in_its_folder_written_otherwise("/w/", true)]
#[case::who_knows_where("/elsewhere/w", true)]
#[case::not_at_all("", false)]
fn a_worker_that_was_never_started_is_not_done(#[case] folder: &str, #[case] is_kept: bool) {
    let mut lines = r#"{"at_ms":0,"kind":"worker","worker":0,"agent":"codex","cwd":"/w","deadline_s":20.0}"#.to_owned() + "\n";
    if !folder.is_empty() {
        lines += &START.replace(r#""cwd":"/w""#, &format!(r#""cwd":"{folder}""#));
        lines += r#"{"at_ms":900,"kind":"event","event":"turn_completed","session_id":"s1"}
{"at_ms":910,"kind":"request","id":3,"op":"end_session","args":{"session_id":"s1"}}
{"at_ms":920,"kind":"reply","id":3,"ok":{}}
{"at_ms":930,"kind":"request","id":4,"op":"list_sessions","args":{}}
{"at_ms":931,"kind":"reply","id":4,"ok":{"sessions":[]}}
"#;
    }
    lines += r#"{"at_ms":950,"kind":"orchestrator_exited","code":0}"#;
    let expected = if is_kept { vec![] } else { vec!["OR-12".to_owned()] };
    assert_eq!(found(&read(&lines)), expected);
}

#[test]
fn closed_sessions_are_forgotten() {
    let mut judge = Judge::new(&Settings::default());
    let line = |text: String| text;
    for n in 0..1000_u64 {
        let at = n * 10;
        let lines = [
            line(format!(r#"{{"at_ms":{at},"kind":"request","id":{n},"op":"start_session","args":{{"agent":"claude","cwd":"/w/{n}"}}}}"#)),
            line(format!(r#"{{"at_ms":{at},"kind":"reply","id":{n},"ok":{{"session_id":"s{n}"}}}}"#)),
            line(format!(r#"{{"at_ms":{at},"kind":"request","id":{n},"op":"end_session","args":{{"session_id":"s{n}"}}}}"#)),
            line(format!(r#"{{"at_ms":{at},"kind":"reply","id":{n},"ok":{{}}}}"#)),
            line(format!(r#"{{"at_ms":{at},"kind":"request","id":{n},"op":"list_sessions"}}"#)),
            line(format!(r#"{{"at_ms":{at},"kind":"reply","id":{n},"ok":{{"sessions":[]}}}}"#)),
        ];
        for (index, text) in lines.iter().enumerate() {
            judge.see(index, &RecordView::of_line(text.as_bytes()).unwrap());
        }
        assert_eq!(judge.open_sessions(), 0);
    }
    assert_eq!(judge.sessions(), 1000);
    assert_eq!(judge.finish().contradictions, []);
}
