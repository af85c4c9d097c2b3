//! What shells and `man` make of passmuster's command line: they are asked themselves.

use passmuster::engine::suite::claims;
use passmuster::suites::SUITES;
use std::fs;
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
#[case(&["passmuster", "verify", "--format", ""], &["auto", "plain", "github", "json"])]
#[case(&["passmuster", "verify", "--agent", "c"], &["claude", "codex"])]
#[case(&["passmuster", "explain", "LC-CLEAN-1"], &["LC-CLEAN-1", "LC-CLEAN-1b", "LC-CLEAN-10", "LC-CLEAN-11"])]
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
