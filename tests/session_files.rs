//! The rules for session files against fixed pairs, and the linter as a program.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use jiff::Timestamp;
use passmuster::files::{FileFinding, RULES, Safety, SessionFile, Surroundings, check, repair};
use serde::Deserialize;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/session-files");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pairs {
    name: String,
    now: Timestamp,
    there: Vec<String>,
    pair: Vec<Pair>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    file: String,
    code: String,
    line: Option<usize>,
    /// How many findings, where it is more than one.
    also: Option<usize>,
    name: Option<String>,
    folder: Option<String>,
    now: Option<Timestamp>,
    #[serde(default)]
    earlier: Vec<String>,
    #[serde(default)]
    fixed: bool,
    #[serde(default)]
    unsafe_fixed: bool,
    renamed: Option<String>,
}

fn pairs() -> Pairs {
    toml::from_str(&fs::read_to_string(format!("{FIXTURES}/pairs.toml")).unwrap()).unwrap()
}

fn bytes(pair: &Pair, kind: &str) -> Vec<u8> {
    fs::read(format!("{FIXTURES}/{}.{kind}.md", pair.file)).unwrap()
}

/// Runs a job with what is known of a pair's surroundings.
fn around<T>(all: &Pairs, pair: &Pair, as_it_is: bool, job: impl FnOnce(&str, &Surroundings<'_>) -> T) -> T {
    let earlier: Vec<String> = pair.earlier.iter().map(|file| fs::read_to_string(format!("{FIXTURES}/{file}")).unwrap()).collect();
    let exists = |name: &str| all.there.iter().any(|there| there == name);
    let mut around = Surroundings { exists: Some(&exists), ..Surroundings::at(all.now) };
    if as_it_is {
        around.now = pair.now.unwrap_or(all.now);
        around.earlier = &earlier;
        around.folder = pair.folder.as_deref().or(around.folder);
    }
    job(pair.name.as_ref().filter(|_| as_it_is).unwrap_or(&all.name), &around)
}

fn found(findings: &[FileFinding]) -> BTreeSet<&'static str> {
    findings.iter().map(|finding| finding.rule.code).collect()
}

#[test]
fn each_pair_breaks_its_rule_alone() {
    let all = pairs();
    for pair in &all.pair {
        around(&all, pair, true, |name, around| {
            let file = SessionFile::read(name, &bytes(pair, "fail"));
            let findings = check(&file, around, &|_| true);
            assert_eq!(found(&findings), BTreeSet::from([pair.code.as_str()]), "{}: {findings:#?}", pair.file);
            assert_eq!(findings.len(), pair.also.unwrap_or(1), "{}: {findings:#?}", pair.file);
            if let Some(line) = pair.line {
                assert_eq!(file.text.line(findings[0].span.start), line, "{}: {findings:#?}", pair.file);
            }
        });
        around(&all, pair, false, |name, around| {
            let findings = check(&SessionFile::read(name, &bytes(pair, "pass")), around, &|_| true);
            assert!(findings.is_empty(), "{}: {findings:#?}", pair.file);
        });
    }
}

#[test]
fn every_rule_has_a_pair() {
    let all = pairs();
    let codes: BTreeSet<&str> = all.pair.iter().map(|pair| pair.code.as_str()).collect();
    assert_eq!(codes, RULES.iter().map(|rule| rule.code).collect());
    assert!(all.pair.len() >= 40);
}

#[test]
fn a_fix_makes_one_of_a_pair_the_other_and_is_done_once() {
    let all = pairs();
    for pair in all.pair.iter().filter(|pair| pair.fixed || pair.unsafe_fixed || pair.renamed.is_some()) {
        around(&all, pair, true, |name, around| {
            let fix = |bytes: &[u8], safety| repair(name, bytes, around, safety, &|_| true);
            let before = bytes(pair, "fail");
            let safety = if pair.fixed { Safety::Safe } else { Safety::Unsafe };
            if safety == Safety::Unsafe {
                assert_eq!(fix(&before, Safety::Safe).bytes, before, "{}: a safe fix leaves it", pair.file);
            }
            let repaired = fix(&before, safety);
            assert_eq!(String::from_utf8_lossy(&repaired.bytes), String::from_utf8_lossy(&bytes(pair, "pass")), "{}", pair.file);
            assert_eq!(repaired.name, pair.renamed.as_deref().unwrap_or(name));
            assert_eq!((repaired.fixed, repaired.left.len()), (1, 0), "{}", pair.file);
            let again = repair(&repaired.name, &repaired.bytes, around, safety, &|_| true);
            assert_eq!((again.bytes == repaired.bytes, again.fixed), (true, 0), "{}", pair.file);
        });
    }
}

#[test]
fn whatever_has_no_way_to_be_put_right_is_left_byte_for_byte() {
    let all = pairs();
    for pair in all.pair.iter().filter(|pair| !pair.fixed && !pair.unsafe_fixed && pair.renamed.is_none() && pair.code != "SF901") {
        around(&all, pair, true, |name, around| {
            let before = bytes(pair, "fail");
            assert_eq!(repair(name, &before, around, Safety::Unsafe, &|_| true).bytes, before, "{}", pair.file);
        });
    }
}

/// A repository with session files, and the program in it.
struct Repository {
    folder: tempfile::TempDir,
}

impl Repository {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join(".agents/sessions")).unwrap();
        fs::create_dir(folder.path().join(".git")).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn session(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Self {
        fs::write(self.path(".agents/sessions").join(name), bytes).unwrap();
        self
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_passmuster"));
        command.arg("files").args(words).args(["--now", "2025-12-04T16:00:00Z"]).current_dir(&self.folder).stdin(Stdio::null());
        command
    }

    fn run(&self, words: &[&str]) -> (i32, String, String) {
        said(&self.command(words).output().unwrap())
    }
}

fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

const NAME: &str = "20251204-143000-weather-fallback.md";

fn fixture(name: &str) -> String {
    fs::read_to_string(format!("{FIXTURES}/{name}")).unwrap()
}

#[test]
fn clean_findings_and_could_not_check_differ() {
    let place = Repository::new();
    assert_eq!(place.run(&["check"]), (0, "0 session files checked: all is well\n".into(), String::new()));
    place.session(NAME, fixture("SF105.pass.md"));
    assert_eq!(place.run(&["check"]).0, 0);
    place.session(NAME, fixture("SF105.fail.md"));
    let (code, told, _) = place.run(&["check", "--format", "concise"]);
    assert_eq!(
        (code, told.as_str()),
        (1, format!(".agents/sessions/{NAME}:7:3: error SF105 [*] `status` is there twice: first on line 4\n").as_str())
    );
    let (code, told, _) = place.run(&["check", "--format", "concise", "there/is/none.md"]);
    assert_eq!((code, told.contains("there/is/none.md: could not be checked: No such file")), (2, true), "{told}");
}

#[test]
fn what_cannot_be_read_is_named_and_hides_nothing() {
    let place = Repository::new();
    place
        .session(NAME, fixture("SF204-2.fail.md"))
        .session("20251204-143001-utf-16.md", b"\xff\xfea\0b\0")
        .session("notes.txt", "no session");
    std::os::unix::fs::symlink("/etc/passwd", place.path(".agents/sessions/20251204-143002-link.md")).unwrap();
    let huge = fs::File::create(place.path(".agents/sessions/20251204-143003-huge.md")).unwrap();
    huge.set_len(100 << 20).unwrap();
    let (code, told, _) = place.run(&["check", "--format", "concise"]);
    let names: Vec<&str> = told.lines().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(code, 2);
    assert_eq!(names.len(), 4, "{told}");
    assert!(told.contains("SF204") && told.contains("SF010") && told.contains("it is a link") && told.contains("it has 100 MB"), "{told}");
}

#[test]
fn a_fix_is_written_shown_or_sent_on() {
    let place = Repository::new();
    place.session(NAME, fixture("SF105.fail.md"));
    let file = place.path(".agents/sessions").join(NAME);
    let (code, diff, _) = place.run(&["check", "--diff"]);
    assert_eq!((code, fs::read_to_string(&file).unwrap()), (1, fixture("SF105.fail.md")));
    assert!(diff.contains("\n-  status: in_progress\n") && diff.starts_with(&format!("--- .agents/sessions/{NAME}\n")), "{diff}");
    let mut child = place
        .command(&["fix", "--stdin-filename", &format!(".agents/sessions/{NAME}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), fixture("SF105.fail.md").as_bytes()).unwrap();
    assert_eq!(said(&child.wait_with_output().unwrap()).1, fixture("SF105.pass.md"));
    let (code, told, _) = place.run(&["check", "--fix"]);
    assert_eq!(
        (code, told.as_str(), fs::read_to_string(&file).unwrap()),
        (0, "1 session file checked, 1 finding fixed: all is well\n", fixture("SF105.pass.md"))
    );
    assert_eq!(place.run(&["fix", "--diff"]), (0, String::new(), String::new()));
}

#[test]
fn a_file_that_gets_another_name_takes_its_references_along() {
    let place = Repository::new();
    place.session("20251204-143000-PLT-123-weather-fallback.md", fixture("SF003.pass.md"));
    fs::write(place.path("README.md"), "See .agents/sessions/20251204-143000-PLT-123-weather-fallback.md.\n").unwrap();
    assert_eq!(place.run(&["check"]).0, 1);
    assert_eq!(place.run(&["check", "--fix"]).0, 1, "a safe fix renames nothing");
    assert_eq!(place.run(&["check", "--fix", "--unsafe-fixes"]).0, 0);
    assert_eq!(fs::read_to_string(place.path("README.md")).unwrap(), format!("See .agents/sessions/{NAME}.\n"));
    assert!(place.path(".agents/sessions").join(NAME).exists());
    // A name that is taken is nobody's.
    place.session("20251204-143000-PLT-123-weather-fallback.md", fixture("SF003.pass.md"));
    let (code, told, _) = place.run(&["fix", "--unsafe-fixes"]);
    assert_eq!((code, told.contains("it cannot be put right: File exists")), (2, true), "{told}");
}

#[test]
fn references_to_what_is_gone_are_found_in_the_whole_repository() {
    let place = Repository::new();
    place.session(NAME, fixture("SF105.pass.md"));
    fs::create_dir(place.path("docs")).unwrap();
    let text = format!(
        "[a](../.agents/sessions/{NAME})\n[b](../.agents/sessions/20251203-090000-gone.md)\n<!-- passmuster: ignore SF602 -->\n.agents/sessions/20251203-090000-gone.md\n"
    );
    fs::write(place.path("docs/plan.md"), text).unwrap();
    let (code, told, _) = place.run(&["check", "--format", "concise"]);
    assert_eq!((code, told.as_str()), (1, "docs/plan.md:2:25: error SF602 the session file `20251203-090000-gone.md` is gone\n"));
    assert_eq!(place.run(&["check", "--ignore", "GONE"]).0, 0);
}

#[test]
fn a_name_without_its_folder_is_a_reference_where_people_write() {
    let place = Repository::new();
    place.session(NAME, fixture("SF105.pass.md"));
    fs::create_dir(place.path("docs")).unwrap();
    fs::write(place.path("docs/20251203-090000-minutes.md"), "x\n").unwrap();
    fs::write(place.path("docs/plan.md"), format!("`{NAME}`, [m](20251203-090000-minutes.md), `20251203-090000-gone.md`\n")).unwrap();
    fs::write(place.path("example.rs"), "20251203-090000-gone.md\n").unwrap();
    let (code, told, _) = place.run(&["check", "--format", "concise"]);
    let column = format!("`{NAME}`, [m](20251203-090000-minutes.md), `").len() + 1;
    let wanted = format!("docs/plan.md:1:{column}: error SF602 the session file `20251203-090000-gone.md` is gone\n");
    assert_eq!((code, told), (1, wanted));
}

#[test]
fn current_state_is_compared_with_what_git_has() {
    let place = Repository::new();
    fs::remove_dir(place.path(".git")).unwrap();
    let git = |words: &[&str]| {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]).args(words).current_dir(&place.folder);
        assert!(git.output().unwrap().status.success(), "{words:?}");
    };
    git(&["init", "-q"]);
    place.session(NAME, fixture("SF407.earlier.md"));
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "x"]);
    place.session(NAME, fixture("SF407.fail.md"));
    let (code, told, _) = place.run(&["check", "--format", "concise"]);
    assert_eq!((code, told.contains(":25:1: warning SF407 ")), (1, true), "{told}");
    place.session(NAME, fixture("SF407.fail.md").replace("nobody reads it yet", "it is read"));
    assert_eq!(place.run(&["check"]).0, 0);
}

#[test]
fn a_rule_that_is_not_there_is_a_usage_error_that_names_the_nearest() {
    let place = Repository::new();
    for (word, advice) in
        [("SF150", "did you mean `SF105`?"), ("matter", "did you mean `MATTER`?"), ("nothing", "wanted a code like SF105")]
    {
        let (code, _, told) = place.run(&["check", "--select", word]);
        assert_eq!((code, told.contains(advice)), (2, true), "{told}");
    }
}

#[test]
fn checking_writes_nothing_and_is_the_same_whatever_the_order() {
    let place = Repository::new();
    let names: Vec<String> = (0..80).map(|at| format!("20251204-1430{:02}-x{at}.md", at % 60)).collect();
    for (at, name) in names.iter().enumerate() {
        place.session(name, fixture(["SF105.fail.md", "SF305.fail.md", "SF012.fail.md", "SF105.pass.md"][at % 4]));
    }
    let folder = place.path(".agents/sessions");
    let state = || -> Vec<(PathBuf, Vec<u8>, std::time::SystemTime)> {
        let mut all: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        all.sort();
        all.into_iter().map(|path| (path.clone(), fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap())).collect()
    };
    let before = state();
    let whole = place.run(&["check", "--format", "concise"]);
    let mut words = vec!["check", "--format", "concise"];
    let paths: Vec<String> = names.iter().rev().map(|name| format!(".agents/sessions/{name}")).collect();
    words.extend(paths.iter().map(String::as_str));
    assert_eq!(place.run(&words), whole);
    assert_eq!(whole.0, 1);
    assert!(state() == before, "checking wrote something");
    assert!(Path::new(&folder).is_dir());
}

#[test]
fn a_rule_explains_itself() {
    let explain = |code: &str| Command::new(env!("CARGO_BIN_EXE_passmuster")).args(["explain", code]).output().unwrap();
    insta::assert_snapshot!(said(&explain("SF105")).1);
    let (code, _, told) = said(&explain("SF150"));
    assert_eq!((code, told.contains("did you mean `SF105`?")), (2, true), "{told}");
}

#[test]
fn a_finding_shows_its_line_and_what_to_do() {
    let place = Repository::new();
    place.session(NAME, fixture("SF405.fail.md").replace("The forecast page", "TODO: the \u{1b}[31mpage"));
    place.session("20251204-143001-second.md", fixture("SF305.fail.md").replace("status: in_progress", "status: in progress"));
    insta::assert_snapshot!(place.run(&["check"]).1);
}

#[test]
fn a_corpus_is_broken_where_it_says_and_nowhere_else() {
    let place = Repository::new();
    let (code, told, _) = place.run(&["corpus", "made", "--seed", "7", "--count", "150"]);
    assert_eq!((code, told.as_str()), (0, "made: 150 conforming, 150 broken\n"));
    assert_eq!(place.run(&["check", "made/conforming"]).1, "150 session files checked: all is well\n");
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let set = |all: &serde_json::Value, below: &str| -> BTreeSet<(String, String, u64)> {
        let text = |one: &serde_json::Value, key: &str| one[key].as_str().unwrap().to_owned();
        let all = all.as_array().unwrap().iter();
        all.map(|one| (text(one, "path").replace(below, ""), text(one, "code"), one["line"].as_u64().unwrap())).collect()
    };
    let expected = set(&read(&fs::read_to_string(place.path("made/expected.json")).unwrap())["broken"], "");
    let report = read(&place.run(&["check", "made/broken", "--format", "json"]).1);
    let found = set(&report["findings"], "made/broken/");
    let missed: Vec<_> = expected.difference(&found).collect();
    assert!(missed.is_empty(), "{missed:?}");
    let codes =
        |all: &BTreeSet<(String, String, u64)>| all.iter().map(|(path, code, _)| (path.clone(), code.clone())).collect::<BTreeSet<_>>();
    assert_eq!(codes(&found), codes(&expected));
    assert_eq!(place.run(&["corpus", "made"]).0, 2, "what is there is not written over");
}
