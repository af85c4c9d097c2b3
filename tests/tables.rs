//! `passmuster spec build` and `spec check` on documents of others: a handbook with tables, links and pictures.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

/// The files of the handbook whose tables are current.
const HANDBOOK: [&str; 4] = ["README.md", "guides/observing.md", "guides/own.svg", "guides/timeline.svg"];

fn passmuster(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("passmuster").unwrap();
    command.current_dir(folder).env("NO_COLOR", "1").env("COLUMNS", "120");
    command
}

fn current(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/docs").join(file)).unwrap()
}

/// The text without what stands between markers outside of code.
fn blank(text: &str) -> String {
    let mut blank = String::new();
    let (mut inside, mut code) = (false, false);
    for line in text.split_inclusive('\n') {
        code ^= line.starts_with("```");
        inside &= !line.contains("passmuster:end");
        if !inside {
            blank.push_str(line);
        }
        inside |= !code && line.contains("<!-- passmuster:begin");
    }
    blank
}

/// The handbook in a folder of its own, its tables and its picture not drawn yet.
fn handbook() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("guides")).unwrap();
    for file in &HANDBOOK[..3] {
        fs::write(folder.path().join(file), blank(&current(file))).unwrap();
    }
    folder
}

fn printed(command: &mut Command, code: i32) -> String {
    let run = command.assert().code(code);
    let output = run.get_output();
    String::from_utf8([output.stdout.clone(), output.stderr.clone()].concat()).unwrap()
}

#[test]
fn a_handbook_is_drawn_as_it_is_kept_and_drawn_again_stays_untouched() {
    let folder = handbook();
    assert_ne!(fs::read_to_string(folder.path().join("README.md")).unwrap(), current("README.md"));
    let said = printed(passmuster(folder.path()).args(["spec", "build"]), 0);
    assert_eq!(said, "4 tables in 2 documents are current, 3 files were written\n");
    for file in HANDBOOK {
        assert_eq!(fs::read(folder.path().join(file)).unwrap(), current(file).into_bytes(), "{file}");
    }
    let before = fs::metadata(folder.path().join("README.md")).unwrap().modified().unwrap();
    let said = printed(passmuster(folder.path()).args(["spec", "build", "."]), 0);
    assert_eq!(said, "4 tables in 2 documents are current, 0 files were written\n");
    assert_eq!(fs::metadata(folder.path().join("README.md")).unwrap().modified().unwrap(), before);
    printed(passmuster(folder.path()).args(["spec", "check", "."]), 0);
}

#[test]
fn a_stale_table_fails_the_check_with_what_differs_and_nothing_is_written() {
    let folder = handbook();
    printed(passmuster(folder.path()).args(["spec", "build"]), 0);
    let readme = folder.path().join("README.md");
    let stale = current("README.md").replace("| `paused` | yes |", "| `paused` | no |").replace("guides/own.svg", "guides/gone.svg");
    fs::write(&readme, &stale).unwrap();
    insta::assert_snapshot!("a_stale_table", printed(passmuster(folder.path()).args(["spec", "build", "--check"]), 1));
    insta::assert_snapshot!("what_a_check_finds", printed(passmuster(folder.path()).args(["spec", "check", "README.md"]), 1));
    let github = printed(passmuster(folder.path()).args(["spec", "check", ".", "--format", "github"]), 1);
    assert!(
        github.starts_with("::error file=README.md,line=14,title=passmuster spec::the link `guides/gone.svg` leads nowhere"),
        "{github}"
    );
    assert!(github.contains("\n::error file=README.md,line=20,title=passmuster spec::the table `statuses` is not current"), "{github}");
    assert_eq!(fs::read_to_string(&readme).unwrap(), stale);
}

#[test]
fn one_wrong_marker_keeps_every_file_as_it_was() {
    let folder = handbook();
    let (good, bad) = (folder.path().join("README.md"), folder.path().join("a.md"));
    fs::write(&bad, "# A\n\n<!-- passmuster:begin table=eror -->\n<!-- passmuster:end -->\n").unwrap();
    let before = fs::read(&good).unwrap();
    insta::assert_snapshot!("a_wrong_marker", printed(passmuster(folder.path()).args(["spec", "build"]), 2));
    assert_eq!(fs::read(&good).unwrap(), before);
    assert!(!folder.path().join("guides/timeline.svg").exists());
}

#[test]
fn a_picture_of_somebody_elses_is_not_overwritten() {
    let folder = handbook();
    fs::write(folder.path().join("guides/timeline.svg"), "<svg/>").unwrap();
    let said = printed(passmuster(folder.path()).args(["spec", "build"]), 2);
    assert!(said.contains("guides/timeline.svg: the file was not made by `passmuster spec build`"), "{said}");
    assert_eq!(fs::read_to_string(folder.path().join("guides/timeline.svg")).unwrap(), "<svg/>");
}

#[test]
fn links_stay_links_permissions_stay_and_nothing_is_left_behind() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let folder = handbook();
    let (real, link) = (folder.path().join("guides/observing.md"), folder.path().join("observing.md"));
    symlink(&real, &link).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    printed(passmuster(folder.path()).args(["spec", "build", "observing.md", "guides"]), 0);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(fs::read_to_string(&real).unwrap(), current("guides/observing.md"));
    let mut left: Vec<String> =
        fs::read_dir(folder.path().join("guides")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["observing.md", "own.svg", "timeline.svg"]);
}

#[test]
fn profiles_of_ones_own_are_listed_compared_and_drawn_or_refused_with_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let codex = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/agents/codex.toml")).unwrap();
    let head = codex.split("[[profile]]").next().unwrap();
    let row = "[[profile]]\nset = \"ours\"\nversion = \"9\"\nmode = \"interactive\"\nfile_created = \"prompt_accepted\"\n\
               has_content = \"prompt_accepted\"\nobservable = \"prompt_accepted\"\nsource = \"we looked\"\n";
    fs::write(folder.path().join("ours.toml"), format!("{head}{row}")).unwrap();
    fs::write(folder.path().join("bad.toml"), format!("{head}{}", row.replace("prompt_accepted", "promt_accepted"))).unwrap();
    fs::write(
        folder.path().join("a.md"),
        "<!-- passmuster:begin table=observability agents=codex columns=observable,source -->\n<!-- passmuster:end -->\n",
    )
    .unwrap();
    let listed = printed(passmuster(folder.path()).args(["profiles", "list", "--profiles", "ours.toml"]), 0);
    assert!(listed.contains("codex   ours      9"), "{listed}");
    assert!(
        printed(passmuster(folder.path()).args(["profiles", "diff", "spec", "ours.toml"]), 1)
            .contains("observable: first_turn_completed → prompt_accepted")
    );
    printed(passmuster(folder.path()).args(["profiles", "diff", "spec", "spec"]), 0);
    printed(passmuster(folder.path()).args(["spec", "build", "--profiles", "ours.toml"]), 0);
    assert!(fs::read_to_string(folder.path().join("a.md")).unwrap().contains("| `prompt_accepted` | we looked |"));
    let refused = printed(passmuster(folder.path()).args(["verify", "--profiles", "bad.toml"]), 2);
    assert!(refused.contains("did you mean `prompt_accepted`?") && refused.contains("3 things are wrong"), "{refused}");
}

#[test]
fn a_run_says_which_version_of_the_spec_it_judged_by() {
    let folder = tempfile::tempdir().unwrap();
    let said =
        printed(passmuster(folder.path()).args(["verify", "--spec-version", "1.0", "--requirement", "LC-CREATE-1", "--format", "json"]), 0);
    assert!(said.contains("\"spec_version\": \"1.0\""), "{said}");
    let refused = printed(passmuster(folder.path()).args(["verify", "--spec-version", "7.3"]), 2);
    assert!(refused.contains("`7.3` is no version of the spec: wanted 1.0"), "{refused}");
}

#[test]
fn a_specification_that_does_not_fit_together_is_told_finding_by_finding() {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("spec/ids.lock", "LC-X-1 1.0 SHOULD manager one\nLC-X-7 1.0 MUST manager two\nLC-X-8 1.0 MUST manager gone\n");
    let rule = |id: &str, title: &str| format!("### {id} · MUST · manager · {title}\n\nIt MUST.\n\nWhy: so.\n\n");
    let stated = [rule("LC-X-1", "one"), rule("LC-X-2", "two"), rule("LC-X-2", "again")].concat();
    write(
        "spec/x.md",
        &format!(
            "---\nsuite: lifecycle\ntitle: T\nspec_version: \"1.0\"\n---\n\n# T\n\nAll MUST hold. See [below](#belwo).\n\n\
             <!-- passmuster:begin table=requirements -->\n<!-- passmuster:end -->\n\n{stated}"
        ),
    );
    write(
        "features/lifecycle/x.feature",
        "Feature: x\n  @LC-X-1 @LC-X-3 @needs:sevre\n  Scenario: One\n    Given session \"A\" is started\n    Then nothing of \"A\" is alive\n",
    );
    insta::assert_snapshot!("what_does_not_fit_together", printed(passmuster(folder.path()).args(["spec", "check"]), 1));
    write(
        "features/lifecycle/y.feature",
        "Feature: y\n  Scenario: Without a requirement\n    Given session \"A\" is startd\n    Then nothing of \"A\" is alive\n",
    );
    let said = printed(passmuster(folder.path()).args(["spec", "check"]), 1);
    assert!(said.starts_with("features/lifecycle/y.feature:2: the scenario \"Without a requirement\" has no requirement tag"), "{said}");
    assert!(said.contains("features/lifecycle/y.feature:3: no such step"), "{said}");
    write("spec/y.md", "---\nsuite: lifecycle\ntitle: T\n---\n\n### LC-Y-1 · MUTS · manager · t\n\nIt MUST.\n\nWhy: so.\n");
    let said = printed(passmuster(folder.path()).args(["spec", "check"]), 1);
    assert!(said.contains("the specification cannot be read: 2 things are wrong") && said.contains("did you mean `MUST`?"), "{said}");
    let said = printed(passmuster(folder.path()).args(["spec", "check", "--format", "github"]), 1);
    assert!(said.contains("::error file=spec/y.md,line=6,title=passmuster spec::`MUTS` is no level"), "{said}");
}

#[test]
fn two_markers_do_not_share_a_picture_that_differs() {
    let folder = tempfile::tempdir().unwrap();
    let marker = |agent: &str| format!("<!-- passmuster:begin table=timeline agents={agent} file=t.svg -->\n<!-- passmuster:end -->\n");
    fs::write(folder.path().join("a.md"), marker("codex") + "\n" + &marker("claude")).unwrap();
    let said = printed(passmuster(folder.path()).args(["spec", "build"]), 2);
    assert!(said.contains("t.svg: two markers draw different pictures"), "{said}");
    fs::write(folder.path().join("a.md"), marker("codex") + "\n" + &marker("codex")).unwrap();
    printed(passmuster(folder.path()).args(["spec", "build"]), 0);
    printed(passmuster(folder.path()).args(["spec", "build", "--check"]), 0);
}

#[test]
fn the_profile_that_the_guide_shows_can_be_used() {
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/profiles.md")).unwrap();
    let shown = guide.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mine.toml"), shown).unwrap();
    let said = printed(passmuster(folder.path()).args(["profiles", "show", "codex", "--profiles", "mine.toml"]), 0);
    assert!(said.contains("interactive, set ours, version 0.200") && said.contains("measured by us"), "{said}");
}
