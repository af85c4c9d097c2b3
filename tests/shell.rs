//! What shells and `man` make of passmuster's command line: they are asked themselves.

use passmuster::engine::suite::claims;
use passmuster::suites::SUITES;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use rstest::rstest;

fn passmuster(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_passmuster")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What bash offers for the last of these words.
fn offered(words: &[&str]) -> Vec<String> {
    // As bash calls a completion: the words so far, which of them is being typed, and the function with that word.
    let ask = "source /dev/stdin || exit; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1))\n\
               function=$(complete -p passmuster | sed 's/.* -F \\([^ ]*\\) .*/\\1/')\n\
               \"$function\" passmuster \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"\n\
               for word in \"${COMPREPLY[@]}\"; do echo \"$word\"; done";
    let script = tempfile::NamedTempFile::new().unwrap();
    fs::write(&script, passmuster(&["completions", "bash"])).unwrap();
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", ask, "bash"]).args(words).stdin(fs::File::open(script.path()).unwrap());
    let output = bash.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[rstest]
#[case(&["passmuster", "ver"], &["verify"])]
#[case(&["passmuster", "schema", "ma"], &["manifest"])]
#[case(&["passmuster", "verify", "--form"], &["--format"])]
#[case(&["passmuster", "verify", "--format", ""], &["auto", "plain", "terminal", "github", "json", "junit", "html", "markdown"])]
#[case(&["passmuster", "verify", "--agent", "c"], &["claude", "codex"])]
#[case(&["passmuster", "explain", "LC-CLEAN-1"], &["LC-CLEAN-1", "LC-CLEAN-1b", "LC-CLEAN-10", "LC-CLEAN-11", "LC-CLEAN-12"])]
#[case(&["passmuster", "session", "start-session", "--ti"], &["--title", "--timeout-s", "--timeout-default-s"])]
fn bash_completes_commands_flags_and_words(#[case] words: &[&str], #[case] wanted: &[&str]) {
    assert_eq!(offered(words), wanted);
}

#[test]
fn bash_completes_the_suites_that_can_be_claimed() {
    let claimed: Vec<&str> = claims(SUITES).iter().map(|claim| claim.name).collect();
    assert_eq!(offered(&["passmuster", "verify", "--suite", ""]), claimed);
    assert!(claimed.contains(&"resumption") && !claimed.contains(&"orchestrator"));
}

/// What comes of a command: its exit code, its output, its complaints.
fn ran(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_passmuster")).args(arguments).output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), said(&output.stdout), said(&output.stderr))
}

#[test]
fn what_cannot_be_printed_is_no_success_and_a_closed_pipe_is() {
    let into = |out: File| Command::new(env!("CARGO_BIN_EXE_passmuster")).arg("steps").stdout(out).output().unwrap();
    let full = into(File::options().write(true).open("/dev/full").unwrap());
    let complaint = String::from_utf8_lossy(&full.stderr).into_owned();
    assert!(full.status.code() == Some(2) && complaint.contains("standard output cannot be written"), "{complaint}");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut closed = Command::new(env!("CARGO_BIN_EXE_passmuster"));
    assert!(closed.arg("steps").stdout(writer).status().unwrap().success());
}

#[rstest]
#[case(&["verify", "--tags", "@foo"], "no scenario has such tags; there are @CX-10 ")]
#[case(&["verify", "--scenario", "lifecycle/cleanup/nope"], "there is no scenario `lifecycle/cleanup/nope`; `--list` shows every key")]
#[case(&["verify", "--tags", "@LC-CLEAN-1", "--requirement", "lc-clean-2", "--suite", "resumption"], "what was asked for has no scenario in common")]
fn where_nothing_is_exercised_it_is_said_why_and_what_there_is(#[case] arguments: &[&str], #[case] why: &str) {
    let (code, out, _) = ran(arguments);
    assert_eq!(code, 2, "{out}");
    assert!(out.starts_with("COULD NOT TEST: nothing was exercised") && out.contains(why), "{out}");
}

#[test]
fn an_empty_shard_says_so_and_is_no_failure() {
    let scenario = "lifecycle/cleanup/ending-a-session-ends-its-agent[codex]";
    let shard = |k: u32| ran(&["verify", "--scenario", scenario, "--shard", &format!("{k}/9")]);
    let told: Vec<(i32, String)> = (1..=9).map(shard).map(|(code, out, _)| (code, out.lines().next().unwrap().to_owned())).collect();
    assert_eq!(told.iter().filter(|(code, _)| *code == 0).count(), 9, "{told:?}");
    assert_eq!(told.iter().filter(|(_, first)| first.starts_with("CONFORMANT: the shard ") && first.ends_with(" is empty")).count(), 8);
}

#[test]
fn what_was_not_asked_for_is_not_listed_and_a_fault_can_be_looked_at() {
    let scenario = "lifecycle/cleanup/ending-a-session-ends-its-agent[codex]";
    let (code, out, _) = ran(&["verify", "--scenario", scenario, "--fault", "ends-later"]);
    assert_eq!(code, 1, "{out}");
    assert!(!out.contains("REQUIREMENTS OF WHICH NOTHING IS KNOWN") && out.contains("--fault ends-later --scenario"), "{out}");
    let (code, _, complaint) = ran(&["verify", "--fault", "zzzzqqq"]);
    assert!(code == 2 && complaint.contains("no such fault; `passmuster faults list`"), "{complaint}");
}

#[rstest]
#[case("always", true)]
#[case("never", false)]
#[case("auto", false)]
fn colours_are_as_asked_for(#[case] when: &str, #[case] coloured: bool) {
    let scenario = "lifecycle/cleanup/ending-a-session-ends-its-agent[codex]";
    let (_, out, _) = ran(&["verify", "--scenario", scenario, "--color", when]);
    assert_eq!(out.contains('\u{1b}'), coloured, "{out}");
}

#[test]
fn a_file_that_is_no_report_is_told_apart_by_what_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let said = |text: &str| {
        let file = folder.path().join("r.json");
        fs::write(&file, text).unwrap();
        let (code, _, complaint) = ran(&["report", "merge", file.to_str().unwrap()]);
        assert_eq!(code, 2);
        complaint.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
    };
    assert!(said("{\"a\": 1}").contains("not a passmuster report: it has no `schema`"));
    assert!(said("{\"schema\": \"other\"}").contains("its `schema` is `other`"));
    assert!(said("no").contains("not JSON"));
    let (code, _, complaint) = ran(&["verify", "--time-limit", "0"]);
    assert!(code == 2 && complaint.contains("at least 1"), "{complaint}");
    let (code, _, complaint) = ran(&["verify", "--report", "pdf=x"]);
    assert!(code == 2 && complaint.contains("plain, terminal, github, json, junit, html, markdown"), "{complaint}");
}

#[test]
fn bash_offers_nothing_that_is_hidden() {
    let commands = offered(&["passmuster", ""]);
    assert!(commands.contains(&"verify".to_owned()) && commands.contains(&"--version".to_owned()), "{commands:?}");
    assert_eq!(commands.iter().find(|command| command.starts_with("__")), None);
    assert_eq!(offered(&["passmuster", "session", "keep"]), Vec::<String>::new());
}

#[rstest]
fn every_shell_has_a_script_that_names_the_commands(#[values("bash", "elvish", "fish", "powershell", "zsh")] shell: &str) {
    let script = passmuster(&["completions", shell]);
    let missing: Vec<_> =
        ["verify", "spec", "--requirement"].into_iter().filter(|word| !script.contains(word.trim_start_matches('-'))).collect();
    assert_eq!(missing, Vec::<&str>::new());
    assert!(!script.contains("keeper"));
}

#[test]
fn there_is_a_manual_page_for_each_command_and_it_can_be_set() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("man1");
    passmuster(&["man", "--out", &out.display().to_string()]);
    for name in ["passmuster", "passmuster-verify", "passmuster-spec-build", "passmuster-session-start-session"] {
        let page = set(&out.join(name).with_extension("1"));
        assert!(page.contains("SYNOPSIS") && page.contains("OPTIONS"), "{name}:\n{page}");
    }
    let names: Vec<_> = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names.iter().find(|name| name.contains("keeper") || name.contains("__")), None);
}

/// A manual page as `man` shows it; where there is no groff, as it is written, with every line a request that there is.
fn set(page: &Path) -> String {
    match Command::new("groff").args(["-man", "-Kutf8", "-Tutf8", "-ww", "-P-cbou"]).arg(page).output() {
        Ok(output) => {
            assert_eq!(String::from_utf8_lossy(&output.stderr), "", "groff warns of {}", page.display());
            String::from_utf8(output.stdout).unwrap()
        }
        Err(_) => {
            let text = fs::read_to_string(page).unwrap();
            let unknown = text.lines().find(|line| {
                let request = line.split_whitespace().next().unwrap_or_default();
                request.starts_with('.')
                    && ![".ie", ".el", ".TH", ".SH", ".TP", ".PP", ".RS", ".RE", ".br", ".IP", ".nf", ".fi", ".sp"].contains(&request)
            });
            assert_eq!(unknown, None);
            text
        }
    }
}
