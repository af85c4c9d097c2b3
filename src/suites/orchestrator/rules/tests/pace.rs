//! OR-11, OR-11b: to the millisecond, and what prompts a read.

use super::*;

#[rstest]
#[case::less_than_a_second_and_a_half("3499 read s1 -> data", &["OR-11"])]
#[case::a_second_and_a_half("3500 read s1 -> data", &[])]
#[case::prompted_by_an_announcement("2800 completed s1\n 3400 read s1 -> data", &[])]
#[case::prompted_by_a_question("2800 asks s1\n 3400 read s1 -> data", &[])]
#[case::prompted_by_a_message("2800 send s1 -> ok\n 3400 read s1 -> data", &[])]
#[case::prompted_by_a_message_that_was_lost("2000 send s1\n 2700 read s1 -> data\n 2750 -> timeout\n 3400 read s1 -> data", &[])]
#[case::looked_at_on_its_screen_meanwhile("2800 screen s1 -> ok\n 3400 read s1 -> data", &["OR-11"])]
#[case::looked_at_on_its_screen_in_vain("2800 screen s1 -> timeout\n 3400 read s1 -> data", &[])]
#[case::refused_a_look_at_its_screen("2800 screen s1 -> invalid_argument\n 3400 read s1 -> data", &["OR-11"])]
fn or_11_a_third_read_comes_soon_after_the_first(#[case] then: &str, #[case] ids: &[&str]) {
    assert_eq!(found(&trace(&format!("{CLAUDE} 2000 read s1 -> data\n 2700 read s1 -> data\n {then}"))), ids);
}

#[rstest]
#[case::data("data", &["OR-11"])]
#[case::a_truncated_answer("cut", &[])]
#[case::no_answer("timeout", &[])]
#[case::an_indefinite_error("internal", &[])]
#[case::a_definite_error("invalid_argument", &["OR-11"])]
#[case::pending("pending", &["OR-11"])]
fn or_11_a_third_read_comes_soon_after_the_second_got(#[case] answer: &str, #[case] ids: &[&str]) {
    let lines = format!("2000 read s1 -> data\n 2700 read s1 -> {answer}\n 3400 read s1 -> data");
    assert_eq!(found(&trace(&format!("{CLAUDE}{lines}"))), ids);
}

#[rstest]
#[case::before_it("18_000 18_500 18_999", &["OR-11"])]
#[case::at_it("18_000 18_500 19_000", &[])]
#[case::past_it("18_000 18_500 19_400", &[])]
#[case::past_it_after_one_at_it("19_000 19_500 20_000", &["OR-11"])]
fn or_11_the_first_read_past_the_deadline_has_a_reason(#[case] reads: &str, #[case] ids: &[&str]) {
    let reads: Vec<String> = reads.split(' ').map(|at| format!("{at} read s1 -> data\n")).collect();
    assert_eq!(found(&trace(&format!("{CLAUDE} 5000 screen s1 -> ok\n {}", reads.concat()))), ids);
}

#[rstest]
#[case::within_a_second(2999, &["OR-11b"])]
#[case::within_more_than_a_second(3000, &[])]
fn or_11b_twelve_calls(#[case] last: u64, #[case] ids: &[&str]) {
    let calls = "2000 screen s1 -> ok\n".repeat(11);
    assert_eq!(found(&trace(&format!("{CLAUDE}{calls}{last} screen s1 -> ok"))), ids);
}
