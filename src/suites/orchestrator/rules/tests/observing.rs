//! OR-1, OR-2, OR-3, OR-6: to the millisecond, and what is none of their business.

use super::*;

#[rstest]
#[case::a_read_before_the_deadline(CODEX, "18_999 read s1 -> pending", &["OR-1"])]
#[case::the_inspection_after_the_deadline(CODEX, "19_000 read s1 -> pending", &[])]
#[case::two_inspections_after_the_deadline(CODEX, "19_000 read s1 -> pending\n 29_000 read s1 -> pending", &["OR-1"])]
#[case::another_inspection_just_before_a_day(CODEX, "19_000 read s1 -> pending\n 86_400_999 read s1 -> pending", &["OR-1"])]
#[case::another_inspection_at_the_age_of_a_day(CODEX, "19_000 read s1 -> pending\n 86_401_000 read s1 -> pending", &[])]
#[case::an_inspection_without_an_answer(CODEX, "19_000 read s1 -> timeout\n 29_000 read s1 -> pending", &[])]
#[case::a_read_just_before_a_day_within_the_deadline(CODEX_FOR_DAYS, "86_400_999 read s1 -> pending", &["OR-1"])]
#[case::a_read_at_the_age_of_a_day_within_the_deadline(CODEX_FOR_DAYS, "86_401_000 read s1 -> pending", &[])]
#[case::a_read_after_there_was_data(CODEX, "2000 read s1 -> data\n 5000 read s1 -> pending", &[])]
#[case::a_read_after_the_agent_asked_something(CODEX, "2000 asks s1\n 5000 read s1 -> pending", &[])]
#[case::a_read_after_the_same_start_was_repeated(
    CODEX,
    "2000 completed s1\n 2500 start codex /w/0 q1 -> s1\n 5000 read s1 -> pending",
    &[]
)]
#[case::an_empty_text(CODEX, "2000 read s1 -> empty", &["OR-1"])]
#[case::pending_as_an_error(CODEX, "2000 read s1 -> session_pending", &["OR-1"])]
#[case::a_read_that_was_refused(CODEX, "2000 read s1 -> invalid_argument", &[])]
#[case::a_read_from_the_observable_phase_on(CLAUDE, "2000 read s1 -> pending", &[])]
fn or_1_one_inspection_after_the_deadline_and_one_at_the_age_of_a_day(#[case] of: &str, #[case] then: &str, #[case] ids: &[&str]) {
    assert_eq!(found(&trace(&format!("{of}{then}"))), ids);
}

#[rstest]
#[case::ended_before_the_deadline(CODEX, "18_999 end s1 -> ok", &["OR-2"])]
#[case::ended_at_the_deadline(CODEX, "19_000 end s1 -> ok", &[])]
#[case::ended_just_before_a_day_within_the_deadline(CODEX_FOR_DAYS, "86_400_999 end s1 -> ok", &["OR-2"])]
#[case::ended_at_the_age_of_a_day_within_the_deadline(CODEX_FOR_DAYS, "86_401_000 end s1 -> ok", &[])]
#[case::ended_after_it_was_told_of(CODEX, "2500 failed s1\n 3000 end s1 -> ok", &[])]
#[case::ended_after_a_read_said_that_it_had_ended(CODEX, "3000 read s1 -> session_ended\n 3100 end s1 -> ok", &[])]
#[case::ended_after_another_list_showed_it(CODEX, "2500 list -> [s1:running]\n 3000 end s1 -> ok", &[])]
#[case::replaced(CODEX, "3000 start codex /w/0 q2 -> s2", &["OR-2"])]
#[case::replaced_by_a_start_without_a_request(CODEX, "3000 start codex /w/0 -> s2", &["OR-2"])]
#[case::replaced_twice(CODEX, "3000 start codex /w/0 q2 -> agent_failed\n 4000 start codex /w/0 q3 -> agent_failed", &["OR-2"])]
#[case::started_by_the_same_request(CODEX, "3000 start codex /w/0 q1 -> s1", &[])]
#[case::replaced_after_it_was_told_of(CODEX, "2500 failed s1\n 3000 start codex /w/0 q2 -> s2", &[])]
#[case::replaced_after_its_end(CODEX, "2500 failed s1\n 2600 end s1 -> ok\n 3000 start codex /w/0 q2 -> s2", &[])]
#[case::replaced_though_observable(CLAUDE, "3000 start claude /w/0 q2 -> s2", &[])]
#[case::reported_as_failed_while_it_runs(CODEX, "3000 outcome 0 failed\n 3010 exit 1", &["OR-4", "OR-2"])]
#[case::escalated_while_it_runs(CODEX, "3000 outcome 0 escalated\n 3010 exit 1", &["OR-4"])]
fn or_2_what_may_be_done_about_a_session_that_the_list_does_not_show(#[case] of: &str, #[case] then: &str, #[case] ids: &[&str]) {
    assert_eq!(found(&trace(&format!("{of} 2000 list -> []\n {then}"))), ids);
}

#[test]
fn or_2_a_list_that_was_asked_for_before_the_session_was_known_cannot_show_it() {
    assert_eq!(found(&trace("900 list\n 1000 start codex /w q1 -> s1\n 1100 -> []\n 3000 end s1 -> ok")), Vec::<String>::new());
}

#[test]
fn or_2_the_replacement_of_a_session_that_is_over_is_not_replaced_either() {
    let first = "1000 start codex /w q1 -> s1\n 2000 completed s1\n 2100 start codex /w q2 -> s2\n 2200 end s1 -> ok\n";
    let second = "2300 list -> [s2:running]\n 2400 list -> []\n 2500 start codex /w q3 -> s3";
    assert_eq!(found(&trace(&format!("{first}{second}"))), ["OR-2"]);
}

#[rstest]
#[case::an_announcement(CODEX, "20_000 completed s1", &[])]
#[case::data(CODEX, "20_000 read s1 -> data", &[])]
#[case::silence(CODEX, "20_000 read s1 -> pending", &["OR-3"])]
#[case::what_its_own_end_announced(CODEX, "20_000 read s1 -> pending\n 20_100 end s1 -> ok\n 20_150 over s1", &["OR-3"])]
#[case::silence_of_a_session_that_could_be_read(CLAUDE, "20_000 read s1 -> pending", &[])]
fn or_3_done_is_learned_from(#[case] of: &str, #[case] then: &str, #[case] ids: &[&str]) {
    let ended = if then.contains("end s1") { "" } else { "20_200 end s1 -> ok\n" };
    let over = "20_300 list -> []\n 20_400 outcome 0 done\n 20_500 exit 0";
    assert_eq!(found(&trace(&format!("{of}{then}\n{ended}{over}"))), ids);
}

#[rstest]
#[case::reported_as_done("done", "0", "", &["OR-3"])]
#[case::reported_as_failed("failed", "1", "", &["OR-9"])]
#[case::escalated("escalated", "1", "", &["OR-9"])]
#[case::its_own_end_was_announced("failed", "1", "2050 over s1", &["OR-9"])]
#[case::not_found_once_it_was_ended("failed", "1", "2050 read s1 -> session_not_found", &["OR-1", "OR-9"])]
fn or_3_and_or_9_a_session_that_was_ended_in_its_first_turn_for_no_reason(
    #[case] state: &str,
    #[case] code: &str,
    #[case] then: &str,
    #[case] ids: &[&str],
) {
    let lines = format!("{CODEX} 2000 end s1 -> ok\n {then}\n 2100 list -> []\n 2200 outcome 0 {state}\n 2300 exit {code}");
    assert_eq!(found(&trace(&lines)), ids);
}

#[rstest]
#[case::before_it_had_to_be_observable(CLAUDE, "2999 read s1 -> session_not_found", &[])]
#[case::once_it_had_to_be_observable(CLAUDE, "3000 read s1 -> session_not_found", &["OR-6"])]
#[case::after_it_had_data(CLAUDE, "1500 read s1 -> data\n 2600 read s1 -> session_not_found", &["OR-6"])]
#[case::pending_is_not_gone(CLAUDE, "3000 read s1 -> pending", &[])]
#[case::said_to_be_ended(CODEX, "3000 read s1 -> session_ended", &["OR-6"])]
#[case::of_codex_after_the_announcement(CODEX, "3000 completed s1\n 3010 read s1 -> session_not_found", &["OR-6"])]
#[case::of_codex_after_it_had_data(CODEX, "3000 read s1 -> data\n 4100 read s1 -> session_not_found", &["OR-6"])]
#[case::after_its_end(CLAUDE, "3000 read s1 -> data\n 4000 end s1 -> ok\n 4100 read s1 -> session_not_found", &[])]
fn or_6_a_session_is_gone_once_it_was_observable_and_is_not_found(#[case] of: &str, #[case] then: &str, #[case] ids: &[&str]) {
    assert_eq!(found(&trace(&format!("{of}{then}\n 9000 read s1 -> session_not_found"))), ids);
}
