//! The suite `supervision` from outside: conformant on the built-in reference; nobody's system passes it unseen.

use std::path::Path;
use std::process::{Command, Output};

fn passmuster(args: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_passmuster")).args(args).current_dir(folder).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn the_built_in_reference_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let output = passmuster(&["verify", "--suite", "supervision", "--format", "plain"], folder.path());
    let said = said(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.starts_with("CONFORMANT"), "{said}");
    for word in ["blocked", "skipped", "not exercised", "could not test"] {
        assert!(!said.contains(word), "{word}: {said}");
    }
}

#[test]
fn a_supervisor_that_claims_the_suite_is_told_that_nothing_was_tested() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = "[system]\nname = \"mine\"\nsuites = [\"supervision\"]\n[transport]\nkind = \"mcp\"\ncommand = [\"cat\"]\n";
    std::fs::write(folder.path().join("passmuster.toml"), manifest).unwrap();
    let output = passmuster(&["verify", "--requirement", "SV-RECOVER-1", "--format", "plain"], folder.path());
    let said = said(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("this version does not see the containers") && !said.starts_with("CONFORMANT"), "{said}");
}

#[test]
fn a_bad_supervisor_is_caught_on_exactly_what_it_breaks() {
    let folder = tempfile::tempdir().unwrap();
    let faults = ["faults", "run", "kills-survivors", "blames-the-containers", "restarts-for-ever"];
    let output = passmuster(&faults, folder.path());
    assert!(output.status.success(), "{}", said(&output));
}
