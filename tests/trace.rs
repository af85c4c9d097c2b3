//! `passmuster trace` on recorded traces.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use flate2::Compression;
use flate2::write::GzEncoder;

const FAILING: &str = "or-2.fail.jsonl";
const PASSING: &str = "or-4.pass.jsonl";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/traces/orchestrator")
}

fn trace(args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("passmuster").unwrap();
    command.current_dir(fixtures()).arg("trace").args(args);
    command.timeout(std::time::Duration::from_secs(60));
    command
}

/// The exit status, standard output and standard error.
fn run(mut command: Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn redacted() -> insta::internals::SettingsBindDropGuard {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"linux \w+ · [\d.]+ m?s", "PLATFORM · TIME");
    settings.add_filter(r"passmuster \d+\.\d+\.\d+", "passmuster VERSION");
    settings.bind_to_scope()
}

#[test]
fn what_breaks_a_rule_is_told_with_its_lines() {
    let _redacted = redacted();
    let (code, out, err) = run(trace(&["check", FAILING, "--format", "plain"]));
    assert_eq!(code, 1);
    insta::assert_snapshot!("check_of_a_breach", format!("{out}--\n{err}"));
}

#[test]
fn what_keeps_the_rules_passes() {
    let (code, out, _) = run(trace(&["check", PASSING, "--format", "plain"]));
    assert_eq!(code, 0, "{out}");
    assert!(out.starts_with("CONFORMANT"), "{out}");
}

#[test]
fn a_session_is_shown_with_its_phases_and_what_was_found() {
    let (code, out, _) = run(trace(&["show", FAILING, "--format", "plain"]));
    assert_eq!(code, 0);
    insta::assert_snapshot!("show_of_a_breach", out);
    let (_, out, _) = run(trace(&["show", PASSING, "--session", "s2", "--format", "plain"]));
    insta::assert_snapshot!("show_of_one_session", out);
    let (code, _, err) = run(trace(&["show", PASSING, "--session", "s9"]));
    assert_eq!((code, err.contains("there is no such session")), (2, true));
}

#[test]
fn bad_lines_are_told_and_a_torn_last_one_is_tolerated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.jsonl");
    let good = fs::read_to_string(fixtures().join(PASSING)).unwrap();
    let bad = "this is no JSON\n{\"at_ms\":1,\"kind\":\"request\",\"id\":1}\n{\"at_ms\":2,\"kind\":\"weather\"}\n";
    fs::write(&path, format!("{good}{bad}{}", &good.lines().next().unwrap()[..20])).unwrap();
    let path = path.to_str().unwrap();
    let (code, _, err) = run(trace(&["check", path]));
    assert_eq!(code, 0, "{err}");
    insta::assert_snapshot!("check_of_bad_lines", err.replace(path, "t.jsonl"));
    let (code, out, _) = run(trace(&["check", path, "--strict", "--format", "plain"]));
    assert_eq!((code, out.contains("2 lines are no records")), (2, true), "{out}");
}

#[test]
fn what_a_bad_line_may_explain_is_not_found_and_said() {
    let good = fs::read_to_string(fixtures().join(PASSING)).unwrap();
    let mut lines: Vec<&str> = good.lines().collect();
    let line = 1 + lines.iter().rposition(|line| line.contains("end_session")).unwrap();
    let told = |lines: &[&str]| {
        let mut command = trace(&["check", "-", "--format", "plain"]);
        command.write_stdin(lines.join("\n") + "\n");
        run(command)
    };
    lines[line - 1] = "damaged";
    let (code, out, err) = told(&lines);
    assert_eq!((code, err.contains(&format!("line {line} could not be read"))), (0, true), "{out}{err}");
    lines.remove(line - 1);
    let (code, out, _) = told(&lines);
    assert_eq!((code, out.contains("OR-4 · MUST")), (1, true), "{out}");
}

#[test]
fn an_empty_trace_shows_nothing_and_says_why() {
    let mut command = trace(&["show", "-"]);
    command.write_stdin("");
    let (code, _, err) = run(command);
    assert_eq!((code, err.contains("the trace has no records")), (2, true), "{err}");
}

#[test]
fn gzip_and_standard_input_are_read_like_files() {
    let text = fs::read(fixtures().join(FAILING)).unwrap();
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&text).unwrap();
    let packed = packed.finish().unwrap();
    for input in [text, packed.clone()] {
        let mut command = trace(&["check", "-", "--format", "github"]);
        command.write_stdin(input);
        let (code, out, _) = run(command);
        assert_eq!(code, 1);
        assert!(out.contains("::error file=-,line=7,title=OR-2 · MUST%3A session s1::"), "{out}");
    }
    let broken = tempfile::NamedTempFile::new().unwrap();
    fs::write(broken.path(), &packed[..packed.len() / 2]).unwrap();
    let (code, _, err) = run(trace(&["check", broken.path().to_str().unwrap()]));
    assert_eq!((code, err.contains("cannot be read")), (2, true), "{err}");
}

#[test]
fn nothing_to_judge_is_no_success() {
    let mut command = trace(&["check", "-"]);
    command.write_stdin("");
    assert_eq!(run(command).0, 2);
    assert_eq!(run(trace(&["check", "no/such/file"])).0, 2);
}

/// A recording without workers: it is divided among shards, and each session is judged in one of them.
#[test]
fn shards_judge_every_session_once() {
    let mut text = String::new();
    for n in 0..20 {
        let at = n * 1000;
        text += &format!(
            "{{\"at_ms\":{at},\"kind\":\"request\",\"id\":{n},\"op\":\"start_session\",\"args\":{{\"agent\":\"codex\",\"cwd\":\"/w/{n}\"}}}}\n\
             {{\"at_ms\":{at},\"kind\":\"reply\",\"id\":{n},\"ok\":{{\"session_id\":\"s{n}\"}}}}\n\
             {{\"at_ms\":{at},\"kind\":\"request\",\"id\":{n},\"op\":\"get_session_data\",\"args\":{{\"session_id\":\"s{n}\"}}}}\n\
             {{\"at_ms\":{at},\"kind\":\"reply\",\"id\":{n},\"error\":{{\"code\":\"session_not_found\"}}}}\n"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.jsonl");
    fs::write(&path, text).unwrap();
    let broken = |shard: &[&str]| -> Vec<String> {
        let (_, out, _) = run(trace(&[&["check", path.to_str().unwrap(), "--format", "json"], shard].concat()));
        let report: serde_json::Value = serde_json::from_str(&out).unwrap();
        let failed = report["scenarios"].as_array().unwrap().iter().filter(|scenario| scenario["verdict"] == "failed");
        failed.map(|scenario| scenario["name"].as_str().unwrap().to_owned()).collect()
    };
    let mut shards: Vec<String> = ["1/3", "2/3", "3/3"].iter().flat_map(|shard| broken(&["--shard", shard])).collect();
    let mut whole = broken(&[]);
    shards.sort();
    whole.sort();
    assert_eq!((whole.len(), shards), (20, whole));
}
