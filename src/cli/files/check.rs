//! `passmuster files check` and `fix`.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};
use jiff::Timestamp;
use similar::TextDiff;

use crate::files::{FileRule, LINT_FORMS, LintReport, RULES, Safety, meant_code};
use crate::suites::session_files::reference::{ChangedFile, FixWriting, Linter, repository_of};

const EXIT_CODES: &str = "\
Rules are named by code (SF105), its beginning (SF1), requirement (MATTER-2), family (MATTER) or level (SHOULD).

In a file, `<!-- passmuster: ignore SF304 -->` on a line or the one above it keeps a rule silent, in front matter
`# passmuster: ignore SF206`; `ignore-file` does so for the whole file. One that is of no use is found (SF901).

Exit codes:
  0    nothing was found
  1    something was found (with --diff: something can be put right)
  2    something could not be checked, and is named; or the command line is wrong";

/// Check session files: those of this repository, or what is named
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct LintArgs {
    /// Put right what can be without changing what a file means
    #[arg(long)]
    fix: bool,
    #[command(flatten)]
    fixing: FixArgs,
}

/// Put session files right: `check --fix`
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct FixArgs {
    /// Session files, folders of them, or a repository (default: this one)
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Put right what may change what a file means, too: names, keys, the order of the log
    #[arg(long)]
    unsafe_fixes: bool,
    /// Show what would be put right, and write nothing
    #[arg(long)]
    diff: bool,
    /// Ask these rules alone (repeatable, or with commas)
    #[arg(long, value_name = "RULE", value_delimiter = ',', value_parser = rule_word)]
    select: Vec<String>,
    /// Do not ask these rules (repeatable, or with commas)
    #[arg(long, value_name = "RULE", value_delimiter = ',', value_parser = rule_word)]
    ignore: Vec<String>,
    /// How to tell
    #[arg(long, default_value = "text", value_parser = PossibleValuesParser::new(LINT_FORMS.iter().map(|form| PossibleValue::new(form.name).help(form.about))))]
    format: String,
    /// Check what comes on standard input as this file; what was put right goes to standard output, findings to standard error
    #[arg(long, value_name = "PATH", conflicts_with = "paths")]
    stdin_filename: Option<PathBuf>,
    /// Judge as if it were this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,
}

/// A word that means at least one rule.
fn rule_word(word: &str) -> Result<String, String> {
    if RULES.iter().any(|rule| rule.is_meant(word)) {
        return Ok(word.to_owned());
    }
    let upper = word.to_uppercase();
    let advice = if RULES.iter().any(|rule| rule.is_meant(&upper)) { Some(format!("did you mean `{upper}`?")) } else { meant_code(&upper) };
    Err(advice.unwrap_or_else(|| "wanted a code like SF105, a requirement like MATTER-2, a family like MATTER, MUST or SHOULD".into()))
}

/// Runs `files check`.
pub(crate) fn run(args: &LintArgs) -> ExitCode {
    lint(&args.fixing, args.fix || args.fixing.unsafe_fixes || args.fixing.diff)
}

/// Runs `files fix`.
pub(crate) fn fix(args: &FixArgs) -> ExitCode {
    lint(args, true)
}

fn lint(args: &FixArgs, fixing: bool) -> ExitCode {
    let means = |words: &[String], rule: &FileRule| words.iter().any(|word| rule.is_meant(word));
    let wanted = |rule: &FileRule| (args.select.is_empty() || means(&args.select, rule)) && !means(&args.ignore, rule);
    let linter = Linter { now: args.now.unwrap_or_else(Timestamp::now), wanted: &wanted };
    let safety = if args.unsafe_fixes { Safety::Unsafe } else { Safety::Safe };
    if let Some(path) = &args.stdin_filename {
        return of_stdin(args, &linter, path, fixing.then_some(safety));
    }
    let paths = if args.paths.is_empty() { vec![here()] } else { args.paths.clone() };
    let (report, changed) = match fixing {
        false => (linter.check(&paths), Vec::new()),
        true => linter.fix(&paths, safety, if args.diff { FixWriting::Shown } else { FixWriting::InPlace }),
    };
    if args.diff {
        changed.iter().for_each(|change| super::super::print(&diff(change)));
        report.unreadable.iter().for_each(|file| eprintln!("{}: could not be checked: {}", file.path, file.why));
        return exit(!changed.is_empty(), &report);
    }
    super::super::print(&drawn(args, &report));
    exit(!report.findings.is_empty(), &report)
}

/// The repository that one is in, from where one is.
fn here() -> PathBuf {
    let root = repository_of(Path::new("."));
    match std::env::current_dir() {
        Ok(here) if here == root => ".".into(),
        _ => root,
    }
}

fn of_stdin(args: &FixArgs, linter: &Linter<'_>, path: &Path, safety: Option<Safety>) -> ExitCode {
    let mut bytes = Vec::new();
    if let Err(error) = std::io::stdin().read_to_end(&mut bytes) {
        eprintln!("standard input cannot be read: {error}");
        return ExitCode::from(2);
    }
    let (report, repaired) = linter.check_text(path, &bytes, safety);
    match safety {
        None => super::super::print(&drawn(args, &report)),
        Some(_) if args.diff => {
            let change = ChangedFile { path: path.display().to_string(), before: bytes, after: repaired.bytes, renamed: None };
            super::super::print(&diff(&change));
            return exit(change.before != change.after, &report);
        }
        Some(_) => {
            let _ = std::io::Write::write_all(&mut std::io::stdout().lock(), &repaired.bytes);
            eprint!("{}", drawn(args, &report));
        }
    }
    exit(!report.findings.is_empty(), &report)
}

fn drawn(args: &FixArgs, report: &LintReport) -> String {
    let form = LINT_FORMS.iter().find(|form| form.name == args.format).expect("the command line was checked");
    (form.draw)(report)
}

fn diff(change: &ChangedFile) -> String {
    let (before, after) = (String::from_utf8_lossy(&change.before), String::from_utf8_lossy(&change.after));
    let new = change.renamed.as_ref().unwrap_or(&change.path);
    let renamed = change.renamed.as_ref().map(|new| format!("rename {} to {new}\n", change.path)).unwrap_or_default();
    renamed + &TextDiff::from_lines(&before, &after).unified_diff().header(&change.path, new).to_string()
}

fn exit(found: bool, report: &LintReport) -> ExitCode {
    match (report.unreadable.is_empty(), found) {
        (false, _) => ExitCode::from(2),
        (true, true) => ExitCode::from(1),
        (true, false) => ExitCode::SUCCESS,
    }
}
