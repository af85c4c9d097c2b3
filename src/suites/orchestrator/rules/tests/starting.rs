//! OR-7: what settles a start, and what a start that was settled by a list owes.

use super::*;

#[rstest]
#[case::never("1000 start codex /w q1 -> timeout", &["OR-7"])]
#[case::never_answered("1000 start codex /w q1", &["OR-7"])]
#[case::it_was_refused("1000 start codex /w q1 -> agent_failed", &[])]
#[case::by_a_look("1000 start codex /w q1 -> timeout\n 2000 list -> []", &[])]
#[case::by_a_look_in_vain("1000 start codex /w q1 -> timeout\n 2000 list -> timeout", &["OR-7"])]
#[case::by_a_list_that_was_asked_for_before_it_failed("900 list\n 1000 start codex /w q1 -> timeout\n 2000 -> []", &["OR-7"])]
#[case::by_the_same_request("1000 start codex /w q1 -> timeout\n 2000 start codex /w q1 -> agent_failed", &[])]
#[case::by_another_request("1000 start codex /w q1 -> timeout\n 2000 start codex /w q2 -> agent_failed", &["OR-7"])]
#[case::by_no_request("1000 start codex /w q1 -> timeout\n 2000 start codex /w -> agent_failed", &["OR-7"])]
#[case::without_a_request("1000 start codex /w -> timeout\n 2000 start codex /w -> agent_failed", &["OR-7"])]
#[case::by_another_request_after_a_look(
    "1000 start codex /w q1 -> timeout\n 2000 list -> []\n 3000 start codex /w q2 -> agent_failed",
    &[]
)]
#[case::by_other_work("1000 start codex /w q1 -> timeout\n 2000 start codex /v q2 -> agent_failed", &["OR-7"])]
fn or_7_a_start_is_settled(#[case] lines: &str, #[case] ids: &[&str]) {
    assert_eq!(found(&trace(&format!("{lines}\n 9000 exit 1"))), ids);
}

#[rstest]
#[case::in_vain("[]")]
#[case::that_finds_it("[s1:running:/w]")]
fn or_7_a_look_is_counted_as_settling(#[case] listed: &str) {
    let lines = format!("1000 start codex /w q1 -> timeout\n 2000 list -> {listed}\n 9000 exit 1");
    let judged = judge(&trace(&lines), &Settings::default());
    assert_eq!(judged.tallies[&"OR-7".parse().unwrap()], Tally { kept: 1, broken: 0 });
}

#[rstest]
#[case::in_its_folder("2000 list -> [s1:running:/w]", true)]
#[case::by_its_request("2000 list -> [s1:running:/elsewhere:q1]", true)]
#[case::of_another_request("2000 list -> [s1:running:/w:q2]", false)]
#[case::in_another_folder("2000 list -> [s1:running:/v]", false)]
#[case::among_others("2000 list -> [s7:running:/v s0:ended:/w s1:running:/w]", true)]
#[case::that_was_ended_before("2000 list -> [s0:ended:/w]", false)]
#[case::later("2000 list -> []\n 3000 list -> [s1:running:/w]", true)]
#[case::almost_an_hour_later("2000 list -> []\n 3_600_999 list -> [s1:running:/w]", true)]
#[case::an_hour_later("2000 list -> []\n 3_601_000 list -> [s1:running:/w]", false)]
#[case::that_took_an_hour_until_the_first_look("3_601_000 list -> [s1:running:/w]", false)]
fn or_4_a_session_that_a_list_shows_for_a_lost_start_is_to_be_ended(#[case] then: &str, #[case] is_its: bool) {
    let over = "0 start claude /w q0 -> s0\n 10 end s0 -> ok\n 20 list -> []\n";
    let ids = if is_its { vec!["OR-4".to_owned()] } else { vec![] };
    assert_eq!(found(&trace(&format!("{over} 1000 start codex /w q1 -> timeout\n {then}\n 3_700_000 exit 1"))), ids);
}

#[rstest]
#[case::the_same_request("1000 start codex /w q1 -> timeout\n 20_000 start codex /w q1 -> s1", &[])]
#[case::another_request("1000 start codex /w q1 -> timeout\n 20_000 start codex /w q2 -> s1", &["OR-7", "OR-1"])]
#[case::no_request("1000 start codex /w -> timeout\n 20_000 start codex /w -> s1", &["OR-7", "OR-1"])]
fn a_session_is_as_old_as_the_first_start_of(#[case] lines: &str, #[case] ids: &[&str]) {
    assert_eq!(found(&trace(&format!("{lines}\n 40_000 read s1 -> pending"))), ids);
}
