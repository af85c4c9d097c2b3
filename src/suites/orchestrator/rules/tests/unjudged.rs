//! What a trace could not show is said, and nothing else.

use super::*;

#[rstest]
#[case::everything_is_there("0 worker 0 codex 20\n 0 gone r1\n 10 outcome 0 failed\n 10 exit 1", &[])]
#[case::no_workers("0 gone r1\n 10 outcome 0 failed\n 10 exit 1", &["OR-1", "OR-2", "OR-3", "OR-9", "OR-15"])]
#[case::no_exit("0 worker 0 codex 20\n 0 gone r1\n 10 outcome 0 failed", &["OR-3", "OR-8", "OR-9", "OR-12", "OR-15"])]
#[case::no_outcomes("0 worker 0 codex 20\n 0 gone r1\n 10 exit 1", &["OR-2", "OR-3", "OR-8", "OR-10", "OR-12", "OR-15"])]
#[case::neither_outcomes_nor_exit("0 worker 0 codex 20\n 0 gone r1", &["OR-3", "OR-8", "OR-9", "OR-10", "OR-12", "OR-15"])]
#[case::no_truth("0 worker 0 codex 20\n 10 outcome 0 failed\n 10 exit 1", &["OR-9"])]
#[case::a_shared_folder(
    "0 worker 0 codex 20 /w\n 0 worker 1 codex 20 /w/\n 0 gone r1\n 10 outcome 0 failed\n 10 exit 1",
    &["OR-2", "OR-3", "OR-7", "OR-8", "OR-9", "OR-10", "OR-12", "OR-15"]
)]
#[case::a_worker_that_is_stated_twice("0 worker 0 codex 20\n 0 worker 0 codex 20\n 0 gone r1\n 10 outcome 0 failed\n 10 exit 1", &[])]
fn what_is_missing_from_a_trace_leaves_unjudged(#[case] lines: &str, #[case] ids: &[&str]) {
    let judged = judge(&trace(lines), &Settings::default());
    assert_eq!(judged.unjudged.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ids);
}

#[test]
fn what_is_open_unknown_or_unsettled_is_counted() {
    let lines = "0 worker 0 codex 20\n 0 gone r1\n 10 outcome 0 failed\n\
         100 start codex /a -> s1\n 101 start codex /b -> s2\n 102 start other /c -> s3\n 103 start other /d -> s4\n\
         200 start codex /e -> timeout\n 201 start codex /f\n 202 start codex /g\n\
         300 read s8 -> data\n 301 read s9 -> data\n 302 screen s9 -> ok\n 400 end s1 -> ok";
    let judged = judge(&trace(lines), &Settings::default());
    let told = |id: &str| judged.unjudged.iter().filter(|(of, _)| of.as_str() == id).map(|(_, why)| &**why).collect::<Vec<_>>();
    assert_eq!(told("OR-4"), ["the trace ends while 3 sessions are open", "3 calls are about sessions whose start is not in the trace"]);
    assert_eq!(told("OR-7"), ["the trace ends while 3 starts are unanswered or unsettled"]);
    assert!(told("OR-10").contains(&"2 sessions are of agents without a profile"));
}

/// A trace of which some records, counted from 0, tell no time.
fn untimed(lines: &str, which: impl Fn(usize) -> bool) -> Vec<Record> {
    let mut records = trace(lines);
    records.iter_mut().enumerate().filter(|(index, _)| which(*index)).for_each(|(_, record)| record.at_ms = None);
    records
}

const POLLED: &str = "0 start claude /w q1 -> s1\n";

#[rstest]
#[case::calls_without_a_pause(&(POLLED.to_owned() + &"1 read s1 -> data\n".repeat(12)), &["OR-11", "OR-11b"], &[])]
#[case::a_first_turn_read_before_its_deadline("0 start codex /w q1 -> s1\n 5000 read s1 -> pending", &["OR-1"], &[])]
#[case::a_first_turn_ended("0 start codex /w q1 -> s1\n 1 read s1 -> pending\n 2 end s1 -> ok", &["OR-1", "OR-2"], &[])]
#[case::an_end_right_after_its_success("0 start codex /w q1 -> s1\n 1 completed s1\n 2 end s1 -> ok\n 3 end s1", &["OR-4"], &[])]
#[case::an_end_of_what_was_seen_to_be_gone(
    "0 start codex /w q1 -> s1\n 1 completed s1\n 2 end s1 -> ok\n 3 list -> []\n 4 end s1",
    &["OR-4"],
    &["OR-4"]
)]
#[case::no_end_and_no_list(
    "0 start codex /w q1 -> s1\n 1 start codex /v q2 -> s2\n 1 completed s1\n 2 completed s2\n 3 end s1 -> ok\n 4 exit 0",
    &["OR-5", "OR-4"],
    &["OR-5", "OR-4"]
)]
#[case::a_read_after_it_was_gone(
    "0 start codex /w q1 -> s1\n 1 completed s1\n 2 read s1 -> session_not_found\n 9000 read s1",
    &["OR-6"],
    &["OR-6"]
)]
fn what_rests_on_times_is_not_judged_where_records_tell_none(#[case] lines: &str, #[case] timed: &[&str], #[case] ids: &[&str]) {
    assert_eq!(found(&trace(lines)), timed);
    let judged = judge(&untimed(lines, |_| true), &Settings::default());
    assert_eq!(judged.contradictions.iter().map(|found| found.requirement.as_str()).collect::<Vec<_>>(), ids);
    assert!(judged.unjudged.iter().any(|(id, why)| id.as_str() == "OR-11b" && why.contains("records tell no time")));
    assert!(!judged.tallies.contains_key(&"OR-11b".parse().unwrap()));
}

#[rstest]
#[case::none_of_its_records(|_| false, 1)]
#[case::one_before_it_began(|index| index == 1, 1)]
#[case::its_start(|index| index == 2, 0)]
#[case::its_last_read(|index| index == 4, 0)]
#[case::one_after_the_finding(|index| index == 6, 1)]
fn a_recording_s_session_is_judged_by_times_if_none_is_missing_since_it_began(#[case] which: fn(usize) -> bool, #[case] count: usize) {
    let lines = "0 start codex /v q0 -> s0\n 100 start codex /w q1 -> s1\n 5000 read s1 -> pending\n 6000 later";
    let found = found(&untimed(lines, which));
    assert_eq!(found.len(), count, "{found:?}");
}

#[test]
fn remarks_and_outcomes_need_no_time() {
    let lines = "0 worker 0 codex 20\n 1000 start codex /w/0 q1 -> s1\n 1500 later\n 2000 read s1 -> pending\n 3000 outcome 0 failed";
    assert_eq!(found(&untimed(lines, |index| [0, 3, 6].contains(&index))), ["OR-1"]);
}

/// What is found where some lines, counted from 1, cannot be read; of them so many are named.
fn damaged(lines: &str, unread: &[usize], named: usize) -> Judgement {
    let mut judge = Judge::new(&Settings::default());
    for (index, record) in trace(lines).iter().enumerate().filter(|(index, _)| !unread.contains(&(index + 1))) {
        judge.see(index + 1, &RecordView::of_record(record));
    }
    let mut judged = judge.finish();
    let more = unread.len() - named;
    judged.pass_over(&unread[..named], more as u64);
    judged
}

fn ids(judged: &Judgement) -> Vec<&str> {
    judged.contradictions.iter().map(|found| found.requirement.as_str()).collect()
}

/// Lines: 1 worker, 2 and 3 start, 4 completed, 5 and 6 end, 7 and 8 list, 9 outcome, 10 exit.
const WHOLE: &str = "0 worker 0 codex 20\n 1000 start codex /w/0 q1 -> s1\n 5000 completed s1\n 6000 end s1 -> ok\n\
     6100 list -> []\n 9000 outcome 0 done\n 9010 exit 0";

#[rstest]
#[case::its_worker(1)]
#[case::its_start(2)]
#[case::the_answer_to_its_start(3)]
#[case::its_announcement(4)]
#[case::its_end(5)]
#[case::the_answer_to_its_end(6)]
#[case::its_list(7)]
#[case::the_answer_to_its_list(8)]
#[case::its_outcome(9)]
#[case::the_end_of_the_orchestrator(10)]
fn whichever_line_of_an_orchestrator_that_does_right_cannot_be_read_nothing_is_found(#[case] line: usize) {
    let judged = damaged(WHOLE, &[line], 1);
    assert_eq!(ids(&judged), Vec::<&str>::new());
    let why = format!("line {line} could not be read: what rests on the absence of a record is not judged");
    assert!(judged.unjudged.contains(&("OR-4".parse().unwrap(), why.clone())));
    assert!(!judged.unjudged.contains(&("OR-11b".parse().unwrap(), why)));
    assert!(judged.tallies.values().all(|tally| tally.broken == 0 && tally.kept > 0));
}

#[test]
fn that_an_end_is_missing_is_found_where_every_line_can_be_read() {
    let judged = damaged(&WHOLE.replace("6000 end s1 -> ok\n", ""), &[], 0);
    assert_eq!(ids(&judged), ["OR-4"]);
    assert!(judged.unjudged.iter().all(|(_, why)| !why.contains("could not be read")));
}

#[rstest]
#[case::many_calls_in_a_second(&("0 later\n 0 start claude /w q1 -> s1\n".to_owned() + &"1 screen s1 -> ok\n".repeat(12)), "OR-11b")]
#[case::a_read_after_it_was_gone(
    "0 later\n 0 start codex /w q1 -> s1\n 1 completed s1\n 2 read s1 -> session_not_found\n 9 read s1",
    "OR-6"
)]
#[case::a_failure_that_exits_with_zero("0 worker 0 codex 20\n 0 later\n 10 outcome 0 failed\n 20 exit 0", "OR-12")]
#[case::a_call_for_help_that_exits_with_zero("0 worker 0 codex 20\n 0 later\n 10 outcome 0 escalated\n 20 exit 0", "OR-12")]
#[case::an_end_that_is_overdue("0 worker 0 codex 20\n 0 later\n 20 exit overdue", "OR-12")]
fn what_records_prove_is_found_whatever_cannot_be_read(#[case] lines: &str, #[case] id: &str) {
    let line = 1 + trace(lines).iter().position(|record| matches!(record.entry, Entry::Note { .. })).unwrap();
    assert_eq!(ids(&damaged(lines, &[line], 1)), [id]);
}

#[rstest]
#[case::no_session("0 worker 0 codex 20\n 0 later\n 10 outcome 0 done\n 20 exit 0")]
#[case::another_status_than_zero(
    "0 worker 0 codex 20\n 0 later\n 1 start codex /w/0 -> s1\n 2 completed s1\n 3 end s1 -> ok\n 4 list -> []\n 10 outcome 0 done\n 20 exit 1"
)]
fn an_exit_status_that_another_outcome_or_session_may_explain_is_not_judged(#[case] lines: &str) {
    assert_eq!(ids(&damaged(lines, &[], 0)), ["OR-12"]);
    assert_eq!(ids(&damaged(lines, &[2], 1)), Vec::<&str>::new());
}

/// Lines: 1 later, 2 and 3 start, 4 later, 5 and 6 read, 7 and 8 later; two sessions more, each from its start to its read.
#[rstest]
#[case::before_it_began(&[1], 1, &["s1", "s2", "s3"])]
#[case::in_it(&[4], 1, &["s2", "s3"])]
#[case::after_it(&[7], 1, &["s1", "s2", "s3"])]
#[case::in_it_and_after_it(&[4, 7], 2, &["s2", "s3"])]
#[case::two_of_which_one_is_named(&[4, 7], 1, &[])]
#[case::three_of_which_two_are_named(&[4, 7, 8], 2, &[])]
fn of_a_recording_only_what_a_bad_line_may_explain_is_not_judged(#[case] unread: &[usize], #[case] named: usize, #[case] ids: &[&str]) {
    let read = |n: u64| format!("1000 start codex /w/{n} -> s{n}\n 1500 later\n 2000 read s{n} -> pending\n");
    let lines = format!("0 later\n {}3000 later\n 3000 later\n {}{}", read(1), read(2), read(3));
    let judged = damaged(&lines, unread, named);
    assert_eq!(judged.contradictions.iter().map(|found| found.session_id().unwrap()).collect::<Vec<_>>(), ids);
    assert_eq!(judged.tallies.get(&"OR-1".parse().unwrap()).map_or(0, |tally| tally.broken), ids.len() as u64);
}

#[test]
fn bad_lines_are_named_and_counted() {
    let why = |lines: &[usize], more| super::super::unjudged::unread(lines, more);
    assert!(why(&[8], 0).starts_with("line 8 could not"));
    assert!(why(&[8, 10], 0).starts_with("lines 8, 10 could not"));
    assert!(why(&[8], 3).starts_with("lines 8 and 3 more could not"));
}
