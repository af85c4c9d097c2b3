//! The examples do what they say. `cargo test` builds them.

use std::path::Path;
use std::process::Command;

use assert_cmd::assert::OutputAssertExt as _;
use predicates::str::contains;

fn example(name: &str) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_passmuster")).with_file_name("examples").join(name);
    assert!(program.is_file(), "{} is not built: `cargo build --examples`", program.display());
    Command::new(program)
}

#[test]
fn a_suite_of_ones_own_passes_what_conforms_and_finds_what_does_not() {
    example("add_a_suite")
        .assert()
        .success()
        .stdout("Passed repeat/repeat/what-is-said-comes-back\nFailed repeat/repeat/what-is-said-comes-back\n");
}

#[test]
fn a_trace_is_judged() {
    let trace = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/traces/orchestrator/or-5.fail.jsonl");
    example("judge_a_trace").arg(trace).assert().failure().stdout(contains("OR-5: nobody looked whether session s1 is gone"));
}

#[test]
fn a_manager_is_named() {
    example("drive_a_manager").assert().failure().stderr(contains("name a manifest"));
}
