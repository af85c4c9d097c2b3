//! `passmuster spec`: the specification's own commands.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use crate::core::diagnostic::{Diagnostic, Diagnostics};
use crate::docgen::{Facts, OPTIONS, TABLES, build, markdown_below};
use crate::engine::catalogue;
use crate::engine::features::FeatureError;
use crate::profile::Choice;
use crate::report::annotation;
use crate::spec::{
    CheckFinding, Filters, Level, Party, Registry, SpecVersion, check, links, list, locked, stray_words, unlocked, without_fault,
};
use crate::suites::SUITES;

use super::known;
use super::verify::suite_name;

/// The lock of released ids.
const LOCK: &str = "spec/ids.lock";
/// Exit code where the documents cannot be judged at all.
const BROKEN: u8 = 2;

/// List and check the specification, and write its tables into documents
#[derive(Debug, Args)]
pub(crate) struct Spec {
    #[command(subcommand)]
    command: SpecAction,
}

#[derive(Debug, Subcommand)]
enum SpecAction {
    /// Print every requirement in a line
    List {
        /// Only this suite
        #[arg(long, value_name = "SUITE", value_parser = known::suite(suite_name), hide_possible_values = true)]
        suite: Option<String>,
        /// Only this level: MUST, SHOULD or MAY
        #[arg(long, value_name = "LEVEL", value_parser = |word: &str| word.to_uppercase().parse::<Level>())]
        level: Option<Level>,
        /// Only what binds this party: manager, orchestrator, supervisor or agent
        #[arg(long, value_name = "PARTY", value_parser = str::parse::<Party>)]
        party: Option<Party>,
        /// What this version of the spec states
        #[arg(long, value_name = "VERSION", default_value_t = SpecVersion::NEWEST)]
        spec_version: SpecVersion,
    },
    /// Write the tables between `<!-- passmuster:begin table=NAME … -->` and `<!-- passmuster:end -->` in Markdown documents
    Build {
        /// Documents, or folders of documents [default: everything below the current folder]
        paths: Vec<PathBuf>,
        /// Write nothing; fail where a table is not current, and show what differs
        #[arg(long)]
        check: bool,
        /// The agents' profiles where a marker names none: spec, measured, or a file
        #[arg(long, value_name = "SET", default_value = "spec")]
        profiles: Choice,
        /// What is printed
        #[arg(long, value_enum, default_value_t = SpecFormat::Plain)]
        format: SpecFormat,
    },
    /// Find everything that does not fit together: ids, tags, scenarios, faults, tables, links, words that bind
    Check {
        /// Documents, or folders of documents, whose tables and links are checked [default: this repository's, in it]
        paths: Vec<PathBuf>,
        /// What is printed
        #[arg(long, value_enum, default_value_t = SpecFormat::Plain)]
        format: SpecFormat,
    },
    /// Print the tables that documents can show, and their options
    Tables,
    /// Add every id that is stated to spec/ids.lock: at a release, in this repository
    Lock,
}

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SpecFormat {
    /// Plain text.
    Plain,
    /// Workflow commands of GitHub Actions.
    Github,
}

/// Runs the command.
pub(crate) fn run(args: &Spec) -> ExitCode {
    let done = match &args.command {
        SpecAction::List { suite, level, party, spec_version } => {
            super::print(&list(&Registry::embedded().at(*spec_version), Filters { suite: suite.as_deref(), level: *level, party: *party }));
            Ok(ExitCode::SUCCESS)
        }
        SpecAction::Build { paths, check, profiles, format } => built(paths, *check, profiles, *format),
        SpecAction::Check { paths, format } => checked(paths, *format),
        SpecAction::Tables => {
            super::print(&tables());
            Ok(ExitCode::SUCCESS)
        }
        SpecAction::Lock => lock(),
    };
    done.unwrap_or_else(|error| {
        super::complain(&error);
        ExitCode::from(BROKEN)
    })
}

fn built(paths: &[PathBuf], only_check: bool, profiles: &Choice, format: SpecFormat) -> miette::Result<ExitCode> {
    let facts = Facts::here()?.with_profiles(profiles.clone());
    let here = [PathBuf::from(".")];
    let build = build(if paths.is_empty() { &here } else { paths }, &facts)?;
    if only_check && !build.stale.is_empty() {
        tell(&build.stale, format);
        return Ok(ExitCode::FAILURE);
    }
    let written = if only_check { 0 } else { build.write()? };
    super::print(&format!("{} tables in {} documents are current, {written} files were written\n", build.tables, build.documents));
    Ok(ExitCode::SUCCESS)
}

fn checked(paths: &[PathBuf], format: SpecFormat) -> miette::Result<ExitCode> {
    let facts = match Facts::here() {
        Ok(facts) => facts,
        Err(wrong) if format == SpecFormat::Github => {
            let finding = |wrong: &Diagnostic| CheckFinding { file: wrong.file.clone(), line: wrong.line, message: wrong.what.clone() };
            tell(&wrong.related.iter().map(finding).collect::<Vec<_>>(), format);
            return Ok(ExitCode::FAILURE);
        }
        Err(wrong) => {
            super::complain(&miette::Report::new(wrong));
            return Ok(ExitCode::FAILURE);
        }
    };
    let here = [PathBuf::from(".")];
    let paths = if paths.is_empty() && facts.at_home() { &here } else { paths };
    let found = findings(paths, &facts)?;
    if !found.is_empty() {
        tell(&found, format);
        return Ok(ExitCode::FAILURE);
    }
    super::print(&format!("the spec is whole: {} requirements\n", facts.registry().iter().count()));
    Ok(ExitCode::SUCCESS)
}

/// Everything that does not fit together, in the order of files.
fn findings(paths: &[PathBuf], facts: &Facts) -> miette::Result<Vec<CheckFinding>> {
    let registry = facts.registry();
    let broken: Vec<&str> = catalogue::faults(SUITES).iter().flat_map(|fault| fault.info.breaks).copied().collect();
    let mut found = Vec::new();
    match facts.read_scenarios() {
        Ok(scenarios) => {
            found.extend(check(registry, scenarios));
            found.extend(without_fault(registry, scenarios, &broken));
            found.extend(build(paths, facts)?.stale);
        }
        // Tables that count scenarios cannot be drawn without them.
        Err(errors) => found.extend(errors.iter().map(in_feature)),
    }
    if let Ok(lock) = fs::read_to_string(LOCK)
        && facts.at_home()
    {
        found.extend(unlocked(LOCK, &lock, registry));
    }
    let documents = markdown_below(paths)?;
    found.extend(links(&documents));
    found.extend(stray_words(&documents, registry));
    found.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    Ok(found)
}

fn in_feature(error: &FeatureError) -> CheckFinding {
    let (file, line) = error.place();
    let line = line.unwrap_or(1);
    let told = error.to_string();
    let prefixes = [format!("{file}:{line}: "), format!("{file}: ")];
    let message = prefixes.iter().find_map(|prefix| told.strip_prefix(prefix)).unwrap_or(&told);
    CheckFinding { file: file.to_owned(), line, message: message.to_owned() }
}

fn tell(found: &[CheckFinding], format: SpecFormat) {
    for finding in found {
        match format {
            SpecFormat::Plain => eprintln!("{finding}"),
            SpecFormat::Github => super::print(&annotation(&finding.file, finding.line, "passmuster spec", &finding.message)),
        }
    }
    eprintln!(
        "{}",
        match found.len() {
            1 => "1 finding".to_owned(),
            count => format!("{count} findings"),
        }
    );
}

fn tables() -> String {
    let mut text = "Tables (`<!-- passmuster:begin table=NAME OPTION=VALUE … -->`, `<!-- passmuster:end -->`)\n".to_owned();
    for table in TABLES {
        text.push_str(&format!("  {}\n      {}\n", table.name, table.about));
        let columns: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
        for (what, words) in [("options", table.options.join(", ")), ("columns", columns.join(", "))] {
            if !words.is_empty() {
                text.push_str(&format!("      {what}: {words}\n"));
            }
        }
    }
    text.push_str("\nOptions\n");
    for option in OPTIONS {
        text.push_str(&format!("  {:<10}{}\n  {:<10}  {}\n", option.name, option.about, "", option.values));
    }
    text
}

fn lock() -> miette::Result<ExitCode> {
    let old = match fs::read_to_string(LOCK) {
        Ok(old) => old,
        Err(error) => return Err(miette::miette!("{LOCK}: {error}: releases are made in the repository of the specification")),
    };
    let registry = Registry::from_folder(Path::new("spec")).map_err(|wrong| Diagnostics::new("the specification cannot be read", wrong))?;
    let new = locked(&old, &registry);
    fs::write(LOCK, &new).map_err(|error| miette::miette!("{LOCK}: {error}"))?;
    super::print(&format!(
        "{} ids are locked, {} of them new\n",
        new.lines().count() - 1,
        new.lines().count().saturating_sub(old.lines().count().max(1))
    ));
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tables_are_as_documented() {
        insta::assert_snapshot!(super::tables());
    }
}
