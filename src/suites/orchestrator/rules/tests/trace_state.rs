//! What the trace state knows of whom: sessions and their announcements, agents' runs, parts of a trace, what it counts.

use super::*;

#[rstest]
#[case::it("1000 start codex /w q1\n 1100 completed s1\n 1200 -> s1", &[])]
#[case::another_session("1000 start codex /w q1\n 1100 completed s2\n 1200 -> s1", &["OR-1"])]
#[case::one_that_had_its_id_before("900 start codex /v q0\n 950 completed s1\n 1000 start codex /w q1 -> s1", &["OR-1"])]
#[case::both_of_two(
    "900 start codex /v q0\n 1000 start codex /w q1\n 1100 completed s1\n 1150 completed s0\n 1200 -> s0\n 1300 -> s1",
    &[]
)]
fn an_announcement_before_the_answer_to_a_start_is_of(#[case] lines: &str, #[case] ids: &[&str]) {
    assert_eq!(found(&trace(&format!("{lines}\n 5000 read s1 -> pending"))), ids);
}

#[test]
fn what_was_announced_while_nobody_was_starting_is_forgotten() {
    let lines = "1000 completed s1\n 1100 start codex /w q1 -> s1\n 5000 read s1 -> pending";
    assert_eq!(found(&trace(lines)), ["OR-1"]);
}

/// A Claude session at work that is ended before its deadline.
#[rstest]
#[case::by_the_only_run_in_its_folder("1010 up r1 /w/0\n 1020 turn r1 open\n 1030 -> s1", &["OR-9"])]
#[case::by_a_run_that_was_up_later("1030 -> s1\n 1040 up r1 /w/0\n 1050 turn r1 open\n 1060 bound s1 r1", &["OR-9"])]
#[case::by_a_run_whose_turn_opened_later("1030 -> s1\n 1040 up r1 /w/0\n 1045 bound s1 r1\n 1050 turn r1 open", &["OR-9"])]
#[case::not_by_a_run_in_another_folder("1010 up r1 /w/1\n 1020 turn r1 open\n 1030 -> s1", &[])]
#[case::not_by_one_of_two_runs("1010 up r1 /w/0\n 1015 up r2 /w/0\n 1020 turn r1 open\n 1021 turn r2 open\n 1030 -> s1", &[])]
#[case::by_the_run_that_is_no_other_sessions(
    "1005 start claude /w/0 q2 -> s2\n 1006 up r2 /w/0\n 1007 bound s2 r2\n 1010 up r1 /w/0\n 1020 turn r1 open\n 1030 -> s1",
    &["OR-9"]
)]
#[case::not_by_what_is_neither_open_nor_complete("1010 up r1 /w/0\n 1020 turn r1 released\n 1030 -> s1", &[])]
fn a_session_is_known_to_be_at_work(#[case] truth: &str, #[case] ids: &[&str]) {
    let lines = format!("0 worker 0 claude 20\n 1000 start claude /w/0 q1\n {truth}\n 5000 end s1 -> ok");
    assert_eq!(found(&trace(&lines)), ids);
}

#[test]
fn a_session_that_is_over_is_read_by_whoever_likes() {
    let over = "1000 start codex /w q1 -> s1\n 2000 completed s1\n 2100 end s1 -> ok\n 2200 list -> []\n";
    assert_eq!(found(&trace(&format!("{over} 3000 read s1 -> session_not_found"))), Vec::<String>::new());
}

#[test]
fn of_each_rule_so_many_findings_are_kept_and_all_sessions_counted() {
    let read = |n: u64| format!("1000 start codex /w/{n} -> s{n}\n 2000 read s{n} -> pending\n 9000 read s{n} -> pending\n");
    let judged = judged_by(Judge::new(&Settings::default()).keep(2), &trace(&(0..3).map(read).collect::<String>()));
    assert_eq!(judged.contradictions.iter().map(|found| found.session_id().unwrap()).collect::<Vec<_>>(), ["s0", "s1"]);
    assert_eq!(judged.tallies[&"OR-1".parse().unwrap()].broken, 3);
}

#[test]
fn one_rules_finding_in_a_session_hides_none_of_another_rule() {
    let lines = "2000 read s1 -> pending\n 3000 end s1 -> ok\n 3100 list -> []\n 3200 outcome 0 done\n 3300 exit 1";
    assert_eq!(found(&trace(&format!("{CODEX}{lines}"))), ["OR-1", "OR-2", "OR-3", "OR-12"]);
}

#[test]
fn sessions_are_counted_and_those_that_are_open() {
    let mut judge = Judge::new(&Settings::default());
    let lines = "1000 start codex /a -> s1\n 1001 start codex /b -> s2\n 1002 start codex /c -> s3\n 2000 end s3 -> ok\n 2100 list -> []";
    see(&mut judge, &trace(lines));
    assert_eq!((judge.sessions(), judge.open_sessions()), (3, 2));
}

/// What a judge of a part finds, by what it cites, and the sessions it saw.
fn part(k: u64, of: u64, records: &[Record]) -> (Vec<String>, u64) {
    let mut judge = Judge::new(&Settings::default()).shard(k, of);
    see(&mut judge, records);
    let sessions = judge.sessions();
    let cited = judge.finish().contradictions.into_iter().map(|found| format!("{} {:?}", found.requirement, found.records));
    (cited.collect(), sessions)
}

#[test]
fn parts_find_together_what_the_whole_finds_each_thing_once() {
    let read = |n: u64| format!("1000 start codex /w/{n} -> s{n}\n 2000 read s{n} -> pending\n");
    let lost = |n: u64| format!("3000 start codex /v/{n} -> timeout\n 3000 start codex /u/{n}\n");
    let records = trace(&((0..9).map(read).chain((0..9).map(lost)).collect::<String>() + "9000 exit overdue"));
    let (mut whole, sessions) = part(1, 1, &records);
    assert_eq!((whole.len(), sessions), (9 + 9 + 9 + 9 + 1, 9));
    let parts: Vec<_> = (1..=3).map(|k| part(k, 3, &records)).collect();
    assert!(parts.iter().all(|(found, _)| found.len() > 5), "{parts:?}");
    assert_eq!(parts.iter().map(|(_, sessions)| sessions).sum::<u64>(), 9);
    let mut together: Vec<String> = parts.into_iter().flat_map(|(found, _)| found).collect();
    together.sort();
    whole.sort();
    assert_eq!(together, whole);
}

#[test]
fn a_trace_that_states_workers_is_judged_whole_by_its_first_part() {
    let records = fixture(&RULES[1], "fail");
    let (whole, sessions) = part(1, 1, &records);
    assert_eq!(whole.len(), 2);
    assert_eq!([part(1, 2, &records), part(2, 2, &records)], [(whole, sessions), (vec![], 0)]);
}

#[test]
fn what_could_not_be_judged_is_said_by_one_of_the_parts() {
    let records = trace("1000 start codex /w/1\n 1000 read s9 -> data\n 1000 start codex /w/2 -> s1");
    for (id, what) in [("OR-7", "1 starts"), ("OR-11", "1 calls"), ("OR-4", "1 sessions are open")] {
        let told = |k: &u64| {
            let judged = judged_by(Judge::new(&Settings::default()).shard(*k, 3), &records);
            judged.unjudged.iter().any(|(of, why)| of.as_str() == id && why.contains(what))
        };
        assert_eq!((1..=3).filter(told).count(), 1, "{id}");
    }
}

/// Two workers in one folder, each with a session, and how they come out.
#[rstest]
#[case::both_done("5000 completed s1\n 5000 completed s2", "done", "done", 0, &[])]
#[case::one_with_a_tail_that_is_the_others("5000 read s1 -> cut\n 5100 read s2 -> data", "done", "done", 0, &[])]
#[case::one_reported_as_failed("5000 completed s1\n 5000 failed s2", "done", "failed", 0, &["OR-12"])]
#[case::one_turn_failed_and_nobody_knows_whose("5000 completed s1\n 5000 failed s2", "done", "done", 0, &[])]
#[case::both_turns_failed("5000 failed s1\n 5000 failed s2", "done", "done", 0, &["OR-12"])]
fn sessions_in_a_shared_folder_count_for_each_of_its_workers(
    #[case] then: &str,
    #[case] first: &str,
    #[case] second: &str,
    #[case] code: i32,
    #[case] ids: &[&str],
) {
    let lines = format!(
        "0 worker 0 codex 60 /w\n 0 worker 1 codex 60 /w\n 1000 start codex /w q1\n 1001 start codex /w q2\n 1002 -> s2\n 1003 -> s1\n\
         {then}\n 6000 end s1 -> ok\n 6000 end s2 -> ok\n 6100 list -> []\n\
         7000 outcome 0 {first}\n 7000 outcome 1 {second}\n 7010 exit {code}"
    );
    assert_eq!(found(&trace(&lines)), ids);
}

#[rstest]
#[case::by_the_one_that_calls_for_help("escalated", &[])]
#[case::by_the_one_that_tells_no_outcome("", &[])]
#[case::by_one_that_calls_nobody("failed", &["OR-4"])]
fn a_session_in_a_shared_folder_may_be_left_behind(#[case] second: &str, #[case] ids: &[&str]) {
    let told = if second.is_empty() { String::new() } else { format!("9000 outcome 1 {second}") };
    let lines = format!(
        "0 worker 0 codex 60 /w\n 0 worker 1 codex 60 /w\n 1000 start codex /w q1 -> s1\n 5000 completed s1\n\
         6000 end s1 -> internal\n 7000 end s1 -> internal\n 9000 outcome 0 done\n {told}\n 9010 exit 1"
    );
    assert_eq!(found(&trace(&lines)), ids);
}

#[rstest]
#[case::another_workers_start("q2 -> s2\n 3000 list -> []", &[])]
#[case::one_without_a_request("-> s2\n 3000 list -> []", &[])]
#[case::the_same_request("q1 -> s2", &[])]
#[case::nobody_looks_for_the_first("q2 -> s2", &["OR-7"])]
fn a_start_beside_one_that_is_lost_in_a_shared_folder_is(#[case] then: &str, #[case] ids: &[&str]) {
    let lines = format!(
        "0 worker 0 codex 60 /w\n 0 worker 1 codex 60 /w\n 1000 start codex /w q1 -> timeout\n 2000 start codex /w {then}\n\
         5000 completed s2\n 6000 end s2 -> ok\n 6100 list -> []\n 9010 exit 1"
    );
    let lines = if ids.is_empty() { lines } else { lines.replace(" 6100 list -> []\n", "") };
    assert_eq!(found(&trace(&lines)).into_iter().filter(|id| id != "OR-5").collect::<Vec<_>>(), ids);
}

#[test]
fn a_session_in_a_shared_folder_has_the_shortest_of_its_deadlines() {
    let workers = "0 worker 0 codex 60 /w\n 0 worker 1 codex 20 /w\n 1000 start codex /w q1 -> s1\n";
    assert_eq!(found(&trace(&format!("{workers} 20_000 read s1 -> pending"))), Vec::<String>::new());
    assert_eq!(found(&trace(&format!("{workers} 18_999 read s1 -> pending"))), ["OR-1"]);
}

#[test]
fn a_session_beside_another_in_a_shared_folder_is_no_replacement() {
    let lines =
        "0 worker 0 codex 60 /w\n 0 worker 1 codex 60 /w\n 1000 start codex /w q1 -> s1\n 2000 list -> []\n 3000 start codex /w q2 -> s2";
    assert_eq!(found(&trace(lines)), Vec::<String>::new());
}
