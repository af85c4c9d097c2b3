//! OR-4, OR-5: how often an end is tried, what confirms it, until when.

use super::*;

/// A session whose work is done and read.
fn done(then: &str) -> Vec<Record> {
    trace(&format!("{CODEX} 5000 completed s1\n 5100 read s1 -> data\n {then}"))
}

#[rstest]
#[case::never("", "escalated", &["OR-4"])]
#[case::without_an_answer("6000 end s1", "escalated", &["OR-4"])]
#[case::once_in_vain("6000 end s1 -> internal", "escalated", &["OR-4"])]
#[case::twice_in_vain("6000 end s1 -> internal\n 7000 end s1 -> internal", "escalated", &[])]
#[case::twice_in_vain_and_nobody_called("6000 end s1 -> internal\n 7000 end s1 -> internal", "failed", &["OR-4"])]
#[case::with_success("6000 end s1 -> internal\n 7000 end s1 -> ok\n 7100 list -> []", "done", &[])]
fn or_4_a_session_may_be_left_after_two_tries_and_a_call_for_help(#[case] tries: &str, #[case] state: &str, #[case] ids: &[&str]) {
    let code = i32::from(state != "done");
    assert_eq!(found(&done(&format!("{tries}\n 9000 outcome 0 {state}\n 9010 exit {code}"))), ids);
}

#[test]
fn or_4_who_tells_no_outcomes_may_leave_a_session_after_two_tries() {
    assert_eq!(found(&done("6000 end s1 -> internal\n 7000 end s1 -> internal\n 9010 exit 1")), Vec::<String>::new());
}

#[rstest]
#[case::after_its_success("6000 end s1 -> ok\n 7000 end s1 -> ok", &["OR-4"])]
#[case::after_a_list_showed_it_alive("6000 end s1 -> ok\n 6100 list -> [s1:running]\n 7000 end s1 -> ok", &[])]
#[case::again_after_the_second_success(
    "6000 end s1 -> ok\n 6100 list -> [s1:running]\n 7000 end s1 -> ok\n 8000 end s1 -> ok",
    &["OR-4"]
)]
#[case::after_a_list_that_was_asked_for_before_its_end(
    "5900 list\n 6000 end s1 -> ok\n 6100 -> [s1:running]\n 7000 end s1 -> ok",
    &["OR-4"]
)]
#[case::after_an_answer_that_took_too_long("6000 end s1\n 11_000 -> ok\n 11_500 end s1 -> ok", &[])]
#[case::after_an_answer_that_took_almost_too_long("6000 end s1\n 10_999 -> ok\n 11_500 end s1 -> ok", &["OR-4"])]
#[case::while_nobody_has_answered("6000 end s1\n 7000 end s1 -> ok", &[])]
#[case::after_there_was_nothing_left_to_end("6000 end s1 -> session_not_found\n 7000 end s1 -> ok", &["OR-4"])]
fn or_4_when_an_end_may_be_repeated(#[case] then: &str, #[case] ids: &[&str]) {
    assert_eq!(found(&done(then)), ids);
}

#[rstest]
#[case::gone("6100 list -> []", &[])]
#[case::over("6100 list -> [s1:error]", &[])]
#[case::nobody_looked("", &["OR-5"])]
#[case::a_list_that_failed("6100 list -> internal", &[])]
#[case::alive("6100 list -> [s1:running]", &["OR-5"])]
#[case::listed_without_a_status("6100 list -> [s1]", &["OR-5"])]
#[case::listed_with_an_unknown_status("6100 list -> [s1:resting]", &[])]
#[case::alive_and_ended_again("6100 list -> [s1:running]\n 7000 end s1 -> ok\n 7100 list -> []", &[])]
#[case::alive_and_ended_again_and_nobody_looked("6100 list -> [s1:running]\n 7000 end s1 -> ok", &["OR-5"])]
fn or_5_an_end_is_confirmed_by_a_list_that_does_not_show_it_alive(#[case] then: &str, #[case] ids: &[&str]) {
    assert_eq!(found(&done(&format!("6000 end s1 -> ok\n {then}\n 9000 outcome 0 done\n 9010 exit 0"))), ids);
}

#[rstest]
#[case::a_minute_later("66_000 list -> []", &[])]
#[case::more_than_a_minute_later("66_001 list -> []", &["OR-5"])]
#[case::minutes_later_and_alive("500_000 list -> [s1:running]", &["OR-5"])]
#[case::again_after_one_within_a_minute("7000 list -> timeout\n 500_000 list -> []", &[])]
#[case::a_minute_after_the_last_end("7000 list -> [s1:running]\n 100_000 end s1 -> ok\n 160_000 list -> []", &[])]
#[case::more_than_a_minute_after_the_last_end("7000 list -> [s1:running]\n 100_000 end s1 -> ok\n 160_001 list -> []", &["OR-5"])]
fn or_5_the_list_of_a_worker_is_looked_at_within_a_minute(#[case] then: &str, #[case] ids: &[&str]) {
    assert_eq!(found(&done(&format!("6000 end s1 -> ok\n {then}\n 600_000 outcome 0 done\n 600_010 exit 0"))), ids);
}

#[test]
fn or_5_a_late_list_is_cited_with_its_delay() {
    let records = done("6000 end s1 -> ok\n 79_000 list -> []\n 80_000 outcome 0 done\n 80_010 exit 0");
    let judged = judge(&records, &Settings::default());
    let found = &judged.contradictions[0];
    assert_eq!(found.claimed, "end_session, and the first list_sessions 73000 ms after it");
    let cited: Vec<Option<u64>> = found.records.iter().map(|index| records[*index].at_ms).collect();
    assert_eq!(cited, [Some(6000), Some(79_000), Some(80_010)]);
}

#[rstest]
#[case::once_it_was_listed("")]
#[case::after_another_end_that_failed("7000 end s1 -> internal")]
#[case::after_another_end_without_an_answer("7000 end s1")]
fn or_5_who_calls_for_help_may_leave_what_is_still_alive(#[case] then: &str) {
    let lines = format!("6000 end s1 -> ok\n 6100 list -> [s1:running]\n {then}\n 9000 outcome 0 escalated\n 9010 exit 1");
    assert_eq!(found(&done(&lines)), Vec::<String>::new());
}

#[rstest]
#[case::a_minute_later("66_000 later", &[])]
#[case::more_than_a_minute_later("66_001 later", &["OR-5"])]
#[case::looked_within_a_minute("66_000 list -> []\n 70_000 later", &[])]
#[case::a_list_that_failed("7000 list -> timeout\n 70_000 later", &[])]
#[case::looked_and_still_alive("7000 list -> [s1:running]\n 70_000 later", &[])]
fn or_5_a_recording_shows_whether_anybody_looked_within_a_minute(#[case] then: &str, #[case] ids: &[&str]) {
    assert_eq!(found(&trace(&format!("1000 start codex /w q1 -> s1\n 5000 completed s1\n 6000 end s1 -> ok\n {then}"))), ids);
}
