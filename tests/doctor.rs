//! `passmuster doctor` on adapters that are wired well and badly: a broken adapter is told apart from an odd system.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use rstest::rstest;
use tempfile::TempDir;

/// A manifest in a folder of its own.
fn manifest(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passmuster.toml");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

fn managed(way: &str, start_s: f64) -> String {
    let manager = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/peers/manager.py");
    format!(
        "[system]\nname = \"my-manager\"\nsuites = [\"lifecycle\"]\nagents = [\"codex\"]\n\
         [transport]\nkind = \"cli\"\ncommand = [\"{}\", \"{way}\"]\nenv = {{ MANAGER_STATE = \"{{{{ sandbox }}}}/state\" }}\n\
         [limits]\nstart = {start_s}\nend = 1.0\n",
        manager.display()
    )
}

/// Examines; gives what was printed, without what differs from run to run.
fn examine(text: &str, flags: &[&str], code: i32) -> String {
    let (_folder, path) = manifest(text);
    let run = Command::cargo_bin("passmuster").unwrap().arg("doctor").arg(&path).args(flags).env("NO_COLOR", "1").assert().code(code);
    let output = run.get_output();
    let said = String::from_utf8(if output.stdout.is_empty() { output.stderr.clone() } else { output.stdout.clone() }).unwrap();
    let said = said.replace(env!("CARGO_MANIFEST_DIR"), "[here]");
    let changing = [
        (r"/tmp/pm-[0-9a-f]+", "[sandbox]"),
        (r"/\S*passmuster\.toml", "passmuster.toml"),
        (r"session [0-9a-f]{8}", "session [id]"),
        (r#""id":"[0-9a-f]{8}""#, r#""id":"[id]""#),
        (r#"notify\\", \\"[0-9a-f]{8}"#, r#"notify\", \"[id]"#),
        (r"process \d+", "process [pid]"),
        (r"pid \d+", "pid [pid]"),
    ];
    changing.iter().fold(said, |said, (pattern, with)| regex::Regex::new(pattern).unwrap().replace_all(&said, *with).into_owned())
}

#[rstest]
#[case::well("well", 30.0, 0)]
#[case::silent("silent", 30.0, 0)]
#[case::worded("worded", 30.0, 0)]
#[case::lettered("lettered", 30.0, 0)]
#[case::leaky("leaky", 30.0, 0)]
#[case::elsewhere("elsewhere", 5.0, 2)]
#[case::hardwired("hardwired", 0.5, 2)]
#[case::mute("mute", 5.0, 2)]
#[case::unworded("unworded", 30.0, 2)]
#[case::keyed("keyed", 30.0, 2)]
#[case::unlisting("unlisting", 30.0, 2)]
#[case::curt("curt", 30.0, 0)]
fn a_real_manager(#[case] way: &str, #[case] start_s: f64, #[case] code: i32) {
    let said = examine(&managed(way, start_s), &[], code);
    insta::assert_snapshot!(format!("a_manager_that_is_{way}"), said);
}

/// Verifies one scenario; gives what was printed.
fn verify(text: &str, scenario: &str, code: i32) -> String {
    let (_folder, path) = manifest(text);
    let mut verify = Command::cargo_bin("passmuster").unwrap();
    verify.arg("verify").arg(&path).args(["--no-control", "--format", "plain", "--scenario", scenario]);
    String::from_utf8(verify.assert().code(code).get_output().stdout.clone()).unwrap()
}

/// A word or a reply that the mapping cannot read is the manifest's fault: nothing is found of the manager.
#[rstest]
#[case::a_word("unworded", "", "status `cogitating` stands in no list of `[status]`; add it to one of `starting`, `running`")]
#[case::a_reply("keyed", "[operations.list_sessions]\nresult = { sessions = \"$.sessions[*]\" }\n", "session_id")]
fn what_the_mapping_cannot_read_could_not_be_tested(#[case] way: &str, #[case] more: &str, #[case] wanted: &str) {
    let scenario = "lifecycle/observability/an-agent-that-died-by-itself-is-not-called-alive[codex]";
    let said = verify(&(managed(way, 30.0) + more), scenario, 2);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("COULD NOT TEST list_sessions:") && said.contains(wanted) && !said.contains("FAILED"), "{said}");
}

#[test]
fn a_word_that_is_mapped_is_understood() {
    let said = examine(&(managed("unworded", 30.0) + "[status]\nrunning = [\"cogitating\"]\n"), &[], 0);
    assert!(said.contains("understood  as `running`") && said.ends_with("\nthe adapter works\n"), "{said}");
}

#[test]
fn the_lines_that_the_doctor_prints_are_those_that_are_missing() {
    let scenario = "lifecycle/creation/an-unknown-agent-is-refused";
    let before = verify(&managed("curt", 30.0), scenario, 1);
    assert!(
        before.split_whitespace().collect::<Vec<_>>().join(" ").contains("by a code or text that the manifest does not map"),
        "{before}"
    );
    let printed = examine(&managed("curt", 30.0), &[], 0);
    let (_, lines) = printed.split_once("these lines of the manifest are missing\n\n").unwrap();
    let (lines, _) = lines.split_once("\n\nthe adapter").unwrap();
    let mended = format!("{}{lines}\n", managed("curt", 30.0));
    verify(&mended, scenario, 0);
    assert!(examine(&mended, &[], 0).ends_with("\nthe adapter works\n"));
}

/// Three lines are promised to suffice.
#[test]
fn a_manifest_without_suites_is_judged_by_those_that_it_maps() {
    let text = managed("well", 30.0).replace("suites = [\"lifecycle\"]\n", "");
    let chosen = "judged by those whose operations are all mapped: lifecycle, codex-observability";
    assert!(examine(&text, &["--dry-run"], 0).contains(chosen));
    let said = verify(&text, "lifecycle/creation/an-unknown-agent-is-refused", 0);
    assert!(said.split_whitespace().collect::<Vec<_>>().join(" ").contains(chosen), "{said}");
}

#[rstest]
fn the_references_fronts_are_wired_right(#[values("cli", "rpc", "mcp")] front: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/manifests/reference-{front}.toml"));
    let run = Command::cargo_bin("passmuster").unwrap().arg("doctor").arg(path).assert().code(0);
    let said = String::from_utf8_lossy(&run.get_output().stdout).into_owned();
    assert!(said.ends_with("\nthe adapter works\n"), "{said}");
}

#[test]
fn a_dry_run_starts_nothing() {
    insta::assert_snapshot!(examine(&managed("well", 30.0), &["--dry-run"], 0));
}

#[test]
fn a_missing_program_is_found_before_anything_is_started() {
    let text = "[system]\nname = \"my-manager\"\n[transport]\nkind = \"rpc\"\ncommand = [\"no-such-manager\"]\n";
    insta::assert_snapshot!(examine(text, &["--dry-run"], 2));
}

#[test]
fn a_server_that_does_not_start_is_shown_with_its_last_words() {
    let text = "[system]\nname = \"my-manager\"\n[transport]\nkind = \"rpc\"\nurl = \"http://127.0.0.1:{{ port }}/\"\n\
        [serve]\ncommand = [\"sh\", \"-c\", \"echo cannot read the licence >&2; exit 9\"]\nready = { connect = \"127.0.0.1:{{ port }}\" }\n";
    let said = examine(text, &[], 2);
    let said = regex::Regex::new(r"127\.0\.0\.1:\d+|`/\S*sh`").unwrap().replace_all(&said, "[…]").into_owned();
    insta::assert_snapshot!(said);
}

#[test]
fn a_proxy_of_the_caller_is_never_asked() {
    let peer = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/peers/mcp.py");
    let text = format!(
        "[system]\nname = \"my-manager\"\n[transport]\nkind = \"mcp\"\nurl = \"http://127.0.0.1:{{{{ port }}}}/mcp\"\n\
         [serve]\ncommand = [\"{}\", \"well\", \"--http\", \"{{{{ port }}}}\"]\nready = {{ connect = \"127.0.0.1:{{{{ port }}}}\" }}\n\
         [limits]\nstart = 0.5\n",
        peer.display()
    );
    let (_folder, path) = manifest(&text);
    let mut doctor = Command::cargo_bin("passmuster").unwrap();
    doctor.arg("doctor").arg(path).env("HTTP_PROXY", "http://127.0.0.1:9").env("http_proxy", "http://127.0.0.1:9");
    // The peer starts no agent: that much is broken, and no more.
    let said = String::from_utf8(doctor.assert().code(2).get_output().stdout.clone()).unwrap();
    assert!(said.contains("✓ a connection is made") && said.contains("no stand-in reported itself"), "{said}");
}

#[test]
fn an_invalid_manifest_could_not_be_tested() {
    let said = examine("[system]\nname = \"my-manager\"\nsuite = []\n[transport]\nkind = \"cli\"\n", &[], 2);
    assert!(said.contains("did you mean `suites`?"), "{said}");
}

#[rstest]
fn the_worked_examples_are_wired_as_far_as_can_be_told_without_their_programs(
    #[values("canonical-cli", "canonical-rpc", "canonical-mcp", "codex-app-server", "tmux")] example: &str,
) {
    use std::os::unix::fs::PermissionsExt as _;
    let programs = tempfile::tempdir().unwrap();
    for name in ["codex", "my-manager", "tmux"] {
        let path = programs.path().join(name);
        std::fs::write(&path, "#!/bin/sh\nexit 1\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/manifests/{example}.toml"));
    let mut doctor = Command::cargo_bin("passmuster").unwrap();
    let run = doctor.args(["doctor", "--dry-run"]).arg(manifest).env("PATH", programs.path()).assert().code(0);
    let said = String::from_utf8_lossy(&run.get_output().stdout).into_owned();
    assert!(said.contains("✓ its programs are found"), "{said}");
}
