//! What a trace could not show is said, and nothing else.

use super::*;

#[rstest]
#[case::everything_is_there("0 worker 0 codex 20\n 0 gone r1\n 10 outcome 0 failed\n 10 exit 1", &[])]
#[case::no_workers("0 gone r1\n 10 outcome 0 failed\n 10 exit 1", &["OR-1", "OR-2", "OR-3", "OR-9"])]
#[case::no_exit("0 worker 0 codex 20\n 0 gone r1\n 10 outcome 0 failed", &["OR-3", "OR-8", "OR-9", "OR-12"])]
#[case::no_outcomes("0 worker 0 codex 20\n 0 gone r1\n 10 exit 1", &["OR-2", "OR-3", "OR-8", "OR-10", "OR-12"])]
#[case::neither_outcomes_nor_exit("0 worker 0 codex 20\n 0 gone r1", &["OR-3", "OR-8", "OR-9", "OR-10", "OR-12"])]
#[case::no_truth("0 worker 0 codex 20\n 10 outcome 0 failed\n 10 exit 1", &["OR-9"])]
#[case::a_shared_folder(
    "0 worker 0 codex 20 /w\n 0 worker 1 codex 20 /w/\n 0 gone r1\n 10 outcome 0 failed\n 10 exit 1",
    &["OR-2", "OR-3", "OR-7", "OR-8", "OR-9", "OR-10", "OR-12"]
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
