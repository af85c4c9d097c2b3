//! OR-9, OR-10, OR-12: to the millisecond, and what excuses.

use super::*;

/// A Claude worker as `CLAUDE`, of whose agent the truth is known: a turn is open.
const AT_WORK: &str = "0 worker 0 claude 20\n 1000 start claude /w/0 q1\n 1010 up r1 /w/0\n 1020 turn r1 open\n 1030 -> s1\n";

#[rstest]
#[case::before_its_deadline("18_999 end s1 -> ok", &["OR-9"])]
#[case::at_its_deadline("19_000 end s1 -> ok", &[])]
#[case::after_its_turn("5000 turn r1 completed\n 6000 end s1 -> ok", &[])]
#[case::after_the_announcement("5000 failed s1\n 6000 end s1 -> ok", &[])]
#[case::after_it_asked_something("5000 asks s1\n 6000 end s1 -> ok", &[])]
#[case::after_it_was_not_found("5000 read s1 -> session_not_found\n 6000 end s1 -> ok", &[])]
#[case::after_its_agent_was_gone("5000 gone r1\n 6000 end s1 -> ok", &[])]
#[case::at_work_again_when_a_failed_end_is_repeated(
    "5000 turn r1 completed\n 6000 end s1 -> internal\n 6500 turn r1 open\n 7000 end s1 -> ok",
    &[]
)]
fn or_9_a_session_at_work_is_ended(#[case] then: &str, #[case] ids: &[&str]) {
    assert_eq!(found(&trace(&format!("{AT_WORK}{then}"))), ids);
    let unstated = AT_WORK.split_once('\n').unwrap().1;
    assert_eq!(found(&trace(&format!("{unstated}{then}"))), Vec::<String>::new(), "without a stated deadline");
}

#[rstest]
#[case::without_a_look(CLAUDE, "", "21_000", "failed", &["OR-9"])]
#[case::when_its_time_may_be_up(CLAUDE, "", "19_000", "failed", &["OR-9"])]
#[case::before_its_time_is_up(CLAUDE, "", "18_999", "failed", &[])]
#[case::and_somebody_is_called(CLAUDE, "", "21_000", "escalated", &[])]
#[case::read_in_the_first_half_of_its_time(CLAUDE, "10_999 read s1 -> data", "21_000", "failed", &["OR-9"])]
#[case::read_in_the_second_half_of_its_time(CLAUDE, "11_000 read s1 -> data", "21_000", "failed", &[])]
#[case::looked_at_on_its_screen(CLAUDE, "20_000 screen s1 -> ok", "21_000", "failed", &[])]
#[case::said_to_be_dead_by_a_list(CLAUDE, "5000 list -> [s1:error]", "21_000", "failed", &[])]
#[case::after_it_asked_something(CLAUDE, "5000 asks s1", "21_000", "failed", &[])]
#[case::after_it_was_not_found(CLAUDE, "5000 read s1 -> session_not_found", "21_000", "failed", &[])]
#[case::said_to_be_over_by_a_message(CLAUDE, "5000 send s1 -> session_ended", "21_000", "failed", &[])]
#[case::a_message_to_it_had_another_error(CLAUDE, "5000 send s1 -> session_not_found", "21_000", "failed", &["OR-9"])]
#[case::codex_looked_at_before_its_deadline(CODEX, "18_999 screen s1 -> ok", "21_000", "failed", &["OR-9"])]
#[case::codex_looked_at_after_its_deadline(CODEX, "19_000 screen s1 -> ok", "21_000", "failed", &[])]
#[case::of_an_agent_that_nobody_knows("0 worker 0 codex 20\n 1000 start other /w/0 q1 -> s1\n", "", "21_000", "failed", &[])]
fn or_9_a_silent_session_is_ended_past_its_deadline(
    #[case] of: &str,
    #[case] before: &str,
    #[case] end: &str,
    #[case] state: &str,
    #[case] ids: &[&str],
) {
    let lines = format!("{of}{before}\n {end} end s1 -> ok\n 21_100 list -> []\n 21_200 outcome 0 {state}\n 21_300 exit 1");
    assert_eq!(found(&trace(&lines)), ids);
}

/// That somebody was called is told by an outcome; an exit status says it of nobody.
#[rstest]
#[case::failed("exit 1", true)]
#[case::well("exit 0", true)]
#[case::had_to_be_ended("exit overdue", true)]
#[case::told_of_another("outcome 1 failed\n 21_300 exit 1", true)]
fn or_9_an_orchestrator_that_tells_of_no_worker(#[case] over: &str, #[case] broken: bool) {
    let lines = format!("{CLAUDE}21_000 end s1 -> ok\n 21_100 list -> []\n 21_200 {over}");
    assert_eq!(found(&trace(&lines)).contains(&"OR-9".to_owned()), broken);
}

#[test]
fn or_9_who_says_that_somebody_was_called_need_not_look() {
    let lines = format!("{CLAUDE}21_000 end s1 -> ok\n 21_100 list -> []\n 21_200 outcome 0 escalated\n 21_300 exit 1");
    assert_eq!(found(&trace(&lines)), Vec::<String>::new());
}

/// Two workers: the first one's agent dies, the second one's completes its turn and is read.
const TWO: &str = "0 worker 0 claude 20\n 0 worker 1 claude 20\n 1000 start claude /w/0 q1\n 1010 up r1 /w/0\n 1020 turn r1 open\n \
                   1030 -> s1\n 1040 start claude /w/1 q2\n 1050 up r2 /w/1\n 1060 turn r2 open\n 1070 -> s2\n 2000 gone r1\n 2010 over s1\n \
                   2020 end s1 -> ok\n 2030 list -> []\n 4000 turn r2 completed\n 4010 completed s2\n 4020 read s2 -> data\n \
                   4030 end s2 -> ok\n 4040 list -> []\n";

#[rstest]
#[case::each_its_own("outcome 0 failed\n 5000 outcome 1 done", "1", &[])]
#[case::the_other_ones("outcome 0 done\n 5000 outcome 1 failed", "1", &["OR-15"])]
#[case::the_other_ones_escalated("outcome 0 done\n 5000 outcome 1 escalated", "1", &["OR-15"])]
#[case::all_failed("outcome 0 failed\n 5000 outcome 1 failed", "1", &[])]
#[case::all_done("outcome 0 done\n 5000 outcome 1 done", "0", &["OR-12"])]
#[case::nothing("later", "1", &[])]
fn or_15_of_two_workers_is_told(#[case] told: &str, #[case] code: &str, #[case] ids: &[&str]) {
    assert_eq!(found(&trace(&format!("{TWO} 5000 {told}\n 5100 exit {code}"))), ids);
}

#[rstest]
#[case::ended("end s9 -> ok", &["OR-15"])]
#[case::ended_by_a_worker_that_knows_it_from_nowhere("end s8 -> ok", &[])]
#[case::sent_a_message("send s9 -> ok", &["OR-15"])]
#[case::looked_at("read s9 -> data\n 6000 screen s9 -> ok", &[])]
fn or_15_a_session_that_a_list_shows_elsewhere_is(#[case] then: &str, #[case] ids: &[&str]) {
    let own = "5000 completed s1\n 5100 read s1 -> data\n 5200 end s1 -> ok\n 5300 list -> [s9:running:/elsewhere]\n";
    let over = "7000 outcome 0 done\n 7100 exit 0";
    assert_eq!(found(&trace(&format!("{CLAUDE}{own} 5900 {then}\n {over}"))), ids);
    let unstated = CLAUDE.split_once('\n').unwrap().1;
    assert_eq!(
        found(&trace(&format!("{unstated}{own} 5900 {then}"))),
        Vec::<String>::new(),
        "without workers it may be its own, of before"
    );
}

#[rstest]
#[case::by_its_folder("s9:running:/w/0")]
#[case::by_its_request("s9:running:/elsewhere:q1")]
#[case::without_a_folder("s9:running")]
fn or_15_a_session_that_may_be_an_own_start_s_is_nobody_else_s(#[case] listed: &str) {
    let lines = format!(
        "0 worker 0 claude 20\n 1000 start claude /w/0 q1 -> timeout\n 1100 list -> [{listed}]\n 1200 start claude /w/0 q1 -> s9\n \
         5000 completed s9\n 5100 read s9 -> data\n 5200 end s9 -> ok\n 5300 list -> []\n 6000 outcome 0 done\n 6010 exit 0"
    );
    assert_eq!(found(&trace(&lines)), Vec::<String>::new());
}

#[rstest]
#[case::the_tail_alone("5000 completed s1\n 5100 read s1 -> cut", &["OR-8"])]
#[case::the_tail_then_the_whole("5000 completed s1\n 5100 read s1 -> cut\n 5200 read s1 -> data", &[])]
#[case::the_whole_then_the_tail("5000 completed s1\n 5100 read s1 -> data\n 5200 read s1 -> cut", &[])]
#[case::the_whole_of_half_the_work("4000 read s1 -> data\n 5000 completed s1\n 5100 read s1 -> cut", &["OR-8"])]
#[case::the_whole_of_the_turn_before(
    "5000 completed s1\n 5100 read s1 -> data\n 5200 send s1 -> ok\n 5300 read s1 -> data\n 6000 completed s1\n 6100 read s1 -> cut",
    &["OR-8"]
)]
fn or_8_what_was_read_is_a_tail(#[case] reads: &str, #[case] ids: &[&str]) {
    let lines = format!("{CLAUDE}{reads}\n 7000 end s1 -> ok\n 7100 list -> []\n 7200 outcome 0 done\n 7300 exit 0");
    assert_eq!(found(&trace(&lines)), ids);
}

#[test]
fn or_9_what_its_own_end_announced_is_no_reason_for_it() {
    let lines = "21_000 end s1 -> ok\n 21_050 over s1\n 21_100 list -> []\n 21_200 outcome 0 failed\n 21_300 exit 1";
    assert_eq!(found(&trace(&format!("{CLAUDE}{lines}"))), ["OR-9"]);
}

#[rstest]
#[case::read_again("90_000_000 read s1 -> session_not_found", &["OR-10"])]
#[case::read_again_after_the_announcement("90_000_000 completed s1\n 90_000_010 read s1 -> data", &[])]
#[case::read_again_after_its_end_failed("90_000_000 end s1 -> internal\n 90_001_000 read s1 -> data", &[])]
#[case::ended_without_a_call_for_help(
    "86_402_000 end s1 -> ok\n 86_403_000 list -> []\n 86_404_000 outcome 0 failed\n 86_405_000 exit 1",
    &["OR-10"]
)]
#[case::ended_with_a_call_for_help(
    "86_402_000 end s1 -> ok\n 86_403_000 list -> []\n 86_404_000 outcome 0 escalated\n 86_405_000 exit 1",
    &[]
)]
#[case::ended_by_who_tells_no_outcomes("86_402_000 end s1 -> ok\n 86_403_000 list -> []\n 86_405_000 exit 1", &[])]
fn or_10_a_session_that_was_not_found_after_a_day_is(#[case] then: &str, #[case] ids: &[&str]) {
    assert_eq!(found(&trace(&format!("{CODEX_FOR_DAYS} 86_401_000 read s1 -> session_not_found\n {then}"))), ids);
}

#[test]
fn or_10_not_found_on_its_first_day_is_normal() {
    let lines = "86_400_999 read s1 -> session_not_found\n 86_500_000 read s1 -> data";
    assert_eq!(found(&trace(&format!("{CODEX}{lines}"))), Vec::<String>::new());
}

#[rstest]
#[case::for_nothing(CODEX_FOR_DAYS, "", "100_000_000", &["OR-10"])]
#[case::until_it_was_told_of(CODEX_FOR_DAYS, "90_001_000 completed s1", "100_000_000", &[])]
#[case::until_it_was_told_of_late(CODEX_FOR_DAYS, "90_001_001 completed s1", "100_000_000", &["OR-10"])]
#[case::until_it_was_read(CODEX_FOR_DAYS, "90_001_000 read s1 -> pending", "100_000_000", &[])]
#[case::until_it_was_read_late(CODEX_FOR_DAYS, "90_001_001 read s1 -> pending", "100_000_000", &["OR-10"])]
#[case::after_there_was_data(CODEX_FOR_DAYS, "5000 read s1 -> data", "100_000_000", &[])]
#[case::after_a_look_on_its_first_day(CODEX_FOR_DAYS, "5000 read s1 -> timeout", "100_000_000", &["OR-10"])]
#[case::until_its_end(CODEX_FOR_DAYS, "", "90_001_000", &[])]
#[case::until_its_late_end(CODEX_FOR_DAYS, "", "90_001_001", &["OR-10"])]
#[case::though_it_could_be_read(CLAUDE_FOR_DAYS, "", "100_000_000", &[])]
fn or_10_a_session_is_waited_for_on_its_second_day(#[case] of: &str, #[case] then: &str, #[case] end: &str, #[case] ids: &[&str]) {
    let over = "100_000_200 outcome 0 escalated\n 100_000_300 exit 1";
    assert_eq!(found(&trace(&format!("{of}{then}\n {end} end s1 -> ok\n {end} list -> []\n {over}"))), ids);
}

#[rstest]
#[case::within_an_hour_of_its_first_day("90_001_000", &["OR-4"])]
#[case::later("90_001_001", &["OR-4", "OR-10"])]
fn or_10_a_session_is_waited_for_until_the_orchestrator_is_over(#[case] over: &str, #[case] ids: &[&str]) {
    assert_eq!(found(&trace(&format!("{CODEX_FOR_DAYS}{over} exit 1"))), ids);
}

/// The work of worker 0, well done, with what was true of its agent.
fn well_done(truth: &str) -> String {
    format!("{AT_WORK}{truth}\n 5000 completed s1\n 5100 read s1 -> data\n 5200 end s1 -> ok\n 5300 list -> []\n")
}

#[rstest]
#[case::all_is_done("5400 outcome 0 done\n 5500 exit 0", &[])]
#[case::one_failed("5400 outcome 0 failed\n 5500 exit 0", &["OR-12"])]
#[case::one_is_escalated("5400 outcome 0 escalated\n 5500 exit 0", &["OR-12"])]
#[case::one_failed_and_it_says_so("5400 outcome 0 failed\n 5500 exit 1", &[])]
#[case::failure_though_all_is_done("5400 outcome 0 done\n 5500 exit 1", &["OR-12"])]
#[case::a_signal_though_all_is_done("5400 outcome 0 done\n 5500 exit signal", &["OR-12"])]
#[case::failure_though_all_was_done_that_is_told("5500 exit 1", &[])]
#[case::failure_because_of_another_worker("5400 worker 1 codex 20\n 5400 outcome 0 done\n 5500 exit 1", &[])]
#[case::another_worker_was_never_started("5400 worker 1 codex 20\n 5400 outcome 0 done\n 5500 exit 0", &["OR-12"])]
#[case::another_worker_may_have_been_started(
    "5400 worker 1 codex 20\n 5400 end s9 -> ok\n 5400 outcome 0 done\n 5500 exit 0",
    &[]
)]
#[case::it_had_to_be_ended("5400 outcome 0 done\n 5500 exit overdue", &["OR-12"])]
fn or_12_the_exit_status_tells_whether_all_is_done(#[case] then: &str, #[case] ids: &[&str]) {
    assert_eq!(found(&trace(&format!("{}{then}", well_done("4000 turn r1 completed")))), ids);
}

#[rstest]
#[case::completed_its_turn("4000 turn r1 completed", &[])]
#[case::completed_one_of_two_turns("4000 turn r1 completed\n 4100 turn r1 open\n 4200 turn r1 failed", &[])]
#[case::completed_no_turn("", &["OR-12"])]
#[case::failed("4000 turn r1 failed", &["OR-12"])]
fn or_12_exit_status_0_though_the_agent(#[case] truth: &str, #[case] ids: &[&str]) {
    assert_eq!(found(&trace(&format!("{} 5400 outcome 0 done\n 5500 exit 0", well_done(truth)))), ids);
}

#[test]
fn or_12_a_turn_may_be_complete_before_the_session_is_known() {
    let lines = well_done("").replace("1030 -> s1", "1025 turn r1 completed\n 1030 -> s1") + "5400 outcome 0 done\n 5500 exit 0";
    assert_eq!(found(&trace(&lines)), Vec::<String>::new());
}

#[test]
fn or_12_an_orchestrator_without_workers_may_exit_as_it_likes() {
    assert_eq!(found(&trace("0 list -> []\n 10 exit 1")), Vec::<String>::new());
}
