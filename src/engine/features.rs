//! Features: read, expanded and checked before anything runs.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use cucumber::feature::Ext as _;
use cucumber::gherkin::{self, Feature, GherkinEnv, Step, StepType};
use include_dir::{Dir, include_dir};
use regex::Regex;

use crate::contract::OperationTable;
use crate::core::diagnostic::meant;
use crate::spec::{Need, Registry, RequirementId, ScenarioTags};

use super::suite::{self, Suite, Suites, names};
use super::vocabulary::NoStep;

static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/features");

/// A scenario, ready to be planned: examples expanded, background in front, every step known.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The feature's file.
    pub file: String,
    /// The feature's text, as it was read: whoever plays the scenario reads it again, not the file.
    pub text: Arc<str>,
    /// Which of the feature's scenarios it is, from 0; each row of examples counts.
    pub nth: usize,
    /// The scenario's line in it.
    pub line: usize,
    /// The scenario's name.
    pub name: String,
    /// The suite: a tag `@suite:NAME`, the folder's name, or the suite of the first requirement.
    pub suite: String,
    /// The operations that its steps call.
    pub operations: OperationTable,
    /// Its tags and its feature's, without `@`.
    pub tags: Vec<String>,
    /// Its steps.
    pub steps: Vec<ScenarioStep>,
}

/// A step, as written.
#[derive(Debug, Clone)]
pub struct ScenarioStep {
    /// The step, without the requirement that it names.
    pub step: Step,
    /// The requirement that its text begins with (`LC-TIME-3: …`).
    pub names: Option<RequirementId>,
}

/// What is wrong with a feature.
#[derive(Debug, thiserror::Error)]
pub enum FeatureError {
    /// A file or folder could not be read.
    #[error("{file}: cannot be read: {why}")]
    Unreadable {
        /// The file.
        file: String,
        /// What the system said.
        why: String,
    },
    /// The file is not Gherkin.
    #[error("{file}:{line}: not Gherkin: {why}")]
    NotGherkin {
        /// The file.
        file: String,
        /// The line at which it is none any more.
        line: usize,
        /// What was found there, and what may stand there.
        why: String,
    },
    /// There is no feature where some are to be.
    #[error("{file}: there is no feature: wanted a `.feature` file, or a folder with some in or below it")]
    NoFeature {
        /// The file or folder.
        file: String,
    },
    /// A step that the vocabulary does not have.
    #[error("{file}:{line}: no such step: `{text}`;{} `passmuster steps` lists them all", meant.as_ref().map(|meant| format!(" {meant}")).unwrap_or_default())]
    UnknownStep {
        /// The file.
        file: String,
        /// The step's line.
        line: usize,
        /// The step's text.
        text: String,
        /// The pattern that was probably meant.
        meant: Option<String>,
    },
    /// Nothing says which suite a scenario belongs to, or what says it names none.
    #[error("{file}:{line}: the scenario \"{name}\" belongs to no suite: {why}; the suites are {known}")]
    UnknownSuite {
        /// The file.
        file: String,
        /// The scenario's line.
        line: usize,
        /// The scenario's name.
        name: String,
        /// What was looked at.
        why: String,
        /// The suites that there are.
        known: String,
    },
    /// A step's argument is not what the step takes.
    #[error("{file}:{line}: `{text}`: {why}")]
    WrongArgument {
        /// The file.
        file: String,
        /// The step's line.
        line: usize,
        /// The step's text.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// A scenario without a Then: whatever a system does, it would pass.
    #[error("{file}:{line}: the scenario \"{name}\" judges nothing: it has no Then")]
    NoThen {
        /// The file.
        file: String,
        /// The scenario's line.
        line: usize,
        /// The scenario's name.
        name: String,
    },
    /// A tag names a need that there is not: it would be passed over.
    #[error("{file}:{line}: the scenario \"{name}\" has the tag @needs:{word}: {why}")]
    UnknownNeed {
        /// The file.
        file: String,
        /// The scenario's line.
        line: usize,
        /// The scenario's name.
        name: String,
        /// The word.
        word: String,
        /// What is wrong with it, and the nearest word.
        why: String,
    },
    /// A scenario without a requirement: its findings could name nothing.
    #[error("{file}:{line}: the scenario \"{name}\" has no requirement tag, such as @LC-CREATE-1")]
    NoRequirement {
        /// The file.
        file: String,
        /// The scenario's line.
        line: usize,
        /// The scenario's name.
        name: String,
    },
}

/// Reads the embedded features and those below `folders`.
///
/// # Errors
/// Everything that is wrong with them, not only the first.
pub(crate) fn read(suites: Suites, folders: &[PathBuf]) -> Result<Vec<Scenario>, Vec<FeatureError>> {
    let mut built_in = Vec::new();
    embedded(&EMBEDDED, &mut built_in);
    let mut texts = Vec::new();
    let mut errors = Vec::new();
    for folder in folders {
        let before = texts.len();
        match below(folder, &mut texts) {
            Err(error) => errors.push(error),
            Ok(()) if texts.len() == before => errors.push(FeatureError::NoFeature { file: folder.display().to_string() }),
            Ok(()) => {}
        }
    }
    let mut written = all(suites, Steps::Known, built_in, Vec::new())?;
    written.extend(all(suites, Steps::LookedUp, texts, errors)?);
    written.sort_by(|a, b| a.file.cmp(&b.file));
    let unknown = unknown_needs(&written);
    if unknown.is_empty() { Ok(written) } else { Err(unknown) }
}

/// The name of a feature's file, as keys have it.
pub(crate) fn stem(file: &str) -> Cow<'_, str> {
    Path::new(file).file_stem().unwrap_or_default().to_string_lossy()
}

/// Needs in tags that there are not: whoever plans would pass them over. `spec check` finds them by itself.
fn unknown_needs(written: &[Scenario]) -> Vec<FeatureError> {
    let of = |scenario: &Scenario, word: &str| {
        let why = word.parse::<Need>().err().map(|error| format!("{error}; {}", error.advice()))?;
        let (file, line, name, word) = (scenario.file.clone(), scenario.line, scenario.name.clone(), word.to_owned());
        Some(FeatureError::UnknownNeed { file, line, name, word, why })
    };
    written.iter().flat_map(|scenario| scenario.tag_values("needs").filter_map(move |word| of(scenario, word))).collect()
}

/// Reads the features below a folder, and no others.
///
/// # Errors
/// Everything that is wrong with them, not only the first.
pub(crate) fn read_folder(suites: Suites, folder: &Path) -> Result<Vec<Scenario>, Vec<FeatureError>> {
    let mut texts = Vec::new();
    let errors = below(folder, &mut texts).err().into_iter().collect();
    all(suites, Steps::LookedUp, texts, errors)
}

/// Whether a feature's steps are looked up in the vocabulary as it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Steps {
    /// They are: it is somebody's feature.
    LookedUp,
    /// They are known: a test looks up those that are built in, and the harness has looked up what it sends to a worker. Looking
    /// up builds a regex for each pattern, at every start.
    Known,
}

fn all(
    suites: Suites,
    steps: Steps,
    mut texts: Vec<(String, String)>,
    mut errors: Vec<FeatureError>,
) -> Result<Vec<Scenario>, Vec<FeatureError>> {
    texts.sort();
    let mut written = Vec::new();
    for (file, text) in &texts {
        match parse(suites, steps, file, text) {
            Ok(scenarios) => written.extend(scenarios),
            Err(wrong) => errors.extend(wrong),
        }
    }
    if errors.is_empty() { Ok(written) } else { Err(errors) }
}

/// Scenarios as plain data, each once: with the requirements that their tags and their steps name.
pub(crate) fn tags(written: &[Scenario]) -> Vec<ScenarioTags> {
    let mut scenarios: Vec<ScenarioTags> = Vec::new();
    for scenario in written {
        let named = scenario.steps.iter().filter_map(|step| step.names.as_ref().map(ToString::to_string));
        let tags = scenario.tags.iter().cloned().chain(named).collect();
        let one = ScenarioTags { feature: scenario.file.clone(), line: scenario.line, name: scenario.name.clone(), tags };
        if !scenarios.iter().any(|other| other.feature == one.feature && other.line == one.line && other.name == one.name) {
            scenarios.push(one);
        }
    }
    scenarios
}

fn embedded(folder: &Dir<'_>, into: &mut Vec<(String, String)>) {
    for file in folder.files().filter(|file| file.path().extension().is_some_and(|e| e == "feature")) {
        let text = file.contents_utf8().unwrap_or_default().to_owned();
        into.push((format!("features/{}", file.path().display()), text));
    }
    for folder in folder.dirs() {
        embedded(folder, into);
    }
}

fn below(path: &Path, into: &mut Vec<(String, String)>) -> Result<(), FeatureError> {
    let unreadable = |error: std::io::Error| FeatureError::Unreadable { file: path.display().to_string(), why: error.to_string() };
    if path.is_file() {
        into.push((path.display().to_string(), std::fs::read_to_string(path).map_err(unreadable)?));
        return Ok(());
    }
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?.path();
        if entry.is_dir() || entry.extension().is_some_and(|e| e == "feature") {
            below(&entry, into)?;
        }
    }
    Ok(())
}

/// Parses one feature.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn parse(suites: Suites, steps: Steps, file: &str, text: &str) -> Result<Vec<Scenario>, Vec<FeatureError>> {
    let feature = Feature::parse(text, GherkinEnv::default()).map_err(|error| vec![not_gherkin(file, text, &error.to_string())])?;
    let feature = feature.expand_examples().map_err(|error| {
        let line = error.pos.line;
        vec![FeatureError::NotGherkin { file: file.to_owned(), line, why: format!("the examples have no column `{}`", error.name) }]
    })?;
    let background: Vec<Step> = feature.background.iter().flat_map(|background| background.steps.clone()).collect();
    let ruled = feature.rules.iter().flat_map(|rule| {
        let background: Vec<Step> =
            background.iter().cloned().chain(rule.background.iter().flat_map(|background| background.steps.clone())).collect();
        rule.scenarios.iter().map(move |scenario| (background.clone(), rule.tags.clone(), scenario))
    });
    let plain = feature.scenarios.iter().map(|scenario| (background.clone(), Vec::new(), scenario));
    let whole: Arc<str> = text.into();
    let mut errors = Vec::new();
    let mut written = Vec::new();
    for (nth, (background, more_tags, scenario)) in plain.chain(ruled).enumerate() {
        let tags = feature.tags.iter().chain(&more_tags).chain(&scenario.tags).cloned().collect();
        match one(suites, steps, (file, &whole, nth), tags, background, scenario) {
            Ok(scenario) => written.push(scenario),
            Err(wrong) => errors.extend(wrong),
        }
    }
    if errors.is_empty() { Ok(written) } else { Err(errors) }
}

/// What is wrong with a text that is no Gherkin: the parser names a place, and its own grammar.
fn not_gherkin(file: &str, text: &str, said: &str) -> FeatureError {
    static PLACE: OnceLock<Regex> = OnceLock::new();
    let place = PLACE.get_or_init(|| Regex::new("([0-9]+):[0-9]+").expect("a fixed pattern"));
    let mut line: usize = place.captures(said).and_then(|found| found[1].parse().ok()).unwrap_or(1);
    // It gives up behind what it could read: at the blank lines before what it could not.
    let lines: Vec<&str> = text.lines().collect();
    // At the end of the file, it is the last line that nothing can follow.
    if line > lines.len() {
        line = lines.iter().rposition(|found| !found.trim().is_empty()).map_or(1, |at| at + 1);
    }
    while lines.get(line - 1).is_some_and(|found| found.trim().is_empty()) && line < lines.len() {
        line += 1;
    }
    let found = lines.get(line - 1).map_or("", |found| found.trim());
    let begun = |word: &str| lines[..line.saturating_sub(1).min(lines.len())].iter().any(|line| line.trim_start().starts_with(word));
    let wanted = match (begun("Feature:"), begun("Scenario")) {
        (false, _) => "`Feature: NAME`, before it tags (`@LC-CLEAN-1`) or comments (`# …`)",
        (true, false) => "a description, `Background:`, `Rule: NAME` or `Scenario: NAME`, before it tags (`@LC-CLEAN-1`)",
        (true, true) => {
            "a step (`Given`, `When`, `Then`, `And`, `But`), a row of its table (`| … |`), `Examples:`, tags (`@LC-CLEAN-1`), or the next `Scenario: NAME`"
        }
    };
    let found = if found.is_empty() { "the file ends".to_owned() } else { format!("found `{found}`") };
    FeatureError::NotGherkin { file: file.to_owned(), line, why: format!("{found}; wanted {wanted}") }
}

fn one(
    suites: Suites,
    looking_up: Steps,
    (file, text, nth): (&str, &Arc<str>, usize),
    tags: Vec<String>,
    background: Vec<Step>,
    scenario: &gherkin::Scenario,
) -> Result<Scenario, Vec<FeatureError>> {
    let mut errors = Vec::new();
    let (line, name) = (scenario.position.line, scenario.name.clone());
    let (suite_name, suite) = suite_of(suites, file, &tags).map_err(|why| {
        let known = names(suites).collect::<Vec<_>>().join(", ");
        vec![FeatureError::UnknownSuite { file: file.to_owned(), line, name: name.clone(), why, known }]
    })?;
    let mut steps = Vec::new();
    for mut step in background.into_iter().chain(scenario.steps.iter().cloned()) {
        let names = split_requirement(&mut step.value);
        let (file, line, said) = (file.to_owned(), step.position.line, step.value.clone());
        let found = if looking_up == Steps::Known { Ok(()) } else { suite.vocabulary().look_up(&step) };
        match found {
            Ok(()) => {}
            Err(NoStep::Unknown) => {
                let meant = meant_pattern(suite, &said);
                errors.push(FeatureError::UnknownStep { file, line, text: said, meant });
            }
            Err(NoStep::Refused(why)) => errors.push(FeatureError::WrongArgument { file, line, text: said, why }),
        }
        steps.push(ScenarioStep { step, names });
    }
    if !steps.iter().any(|step| step.step.ty == StepType::Then) {
        errors.push(FeatureError::NoThen { file: file.to_owned(), line, name: name.clone() });
    }
    let (suite, operations) = (suite_name.to_owned(), suite.operations());
    let written = Scenario { file: file.to_owned(), text: text.clone(), nth, line, name, suite, operations, tags, steps };
    if written.requirements().is_empty() {
        errors.push(FeatureError::NoRequirement { file: file.to_owned(), line: written.line, name: written.name.clone() });
    }
    if errors.is_empty() { Ok(written) } else { Err(errors) }
}

/// Takes `LC-TIME-3: ` off the front of a step's text.
fn split_requirement(text: &mut String) -> Option<RequirementId> {
    static PREFIX: OnceLock<Regex> = OnceLock::new();
    let prefix = PREFIX.get_or_init(|| Regex::new(r"^([A-Z]{2,}(?:-[A-Z]+)?-[0-9]+[a-z]?): ").expect("a fixed pattern"));
    let (id, end) = prefix.captures(text).map(|found| (found[1].parse().ok(), found[0].len()))?;
    text.drain(..end);
    id
}

/// The pattern that was probably meant, whatever is given for its parameters.
fn meant_pattern(suite: &dyn Suite, text: &str) -> Option<String> {
    static GIVEN: OnceLock<Regex> = OnceLock::new();
    let given = GIVEN.get_or_init(|| Regex::new(r#""[^"]*"|'[^']*'|[0-9]+"#).expect("a fixed pattern"));
    let parameter = |found: &regex::Captures| if found[0].starts_with(['"', '\'']) { "{string}" } else { "{int}" };
    let patterns = suite.vocabulary().steps();
    meant(&given.replace_all(text, parameter), patterns.iter().map(|step| step.pattern))
}

/// The suite that a scenario belongs to, by the name that says so.
fn suite_of(suites: Suites, file: &str, tags: &[String]) -> Result<(&'static str, &'static dyn Suite), String> {
    let named = |name: &str| {
        let suite = suite::find(suites, name)?;
        Some((*suite.names().iter().find(|own| **own == name)?, suite))
    };
    if let Some(tagged) = tags.iter().find_map(|tag| tag.strip_prefix("suite:")) {
        return named(tagged).ok_or_else(|| format!("there is no suite `{tagged}`"));
    }
    let folder = Path::new(file).parent().and_then(|folder| folder.file_name()).and_then(|name| name.to_str()).unwrap_or_default();
    let judged = || tags.iter().find_map(|tag| Registry::embedded().get(&tag.parse().ok()?));
    named(folder).or_else(|| named(&judged()?.suite)).ok_or_else(|| {
        let folder = if folder.is_empty() { "no folder".to_owned() } else { format!("the folder `{folder}`") };
        format!("{folder} and none of its tags names one: put it into a suite's folder, or tag it @suite:NAME")
    })
}

impl FeatureError {
    /// The file, and the line in it where that is known.
    pub fn place(&self) -> (&str, Option<usize>) {
        match self {
            FeatureError::Unreadable { file, .. } | FeatureError::NoFeature { file } => (file, None),
            FeatureError::NotGherkin { file, line, .. }
            | FeatureError::UnknownStep { file, line, .. }
            | FeatureError::UnknownNeed { file, line, .. }
            | FeatureError::WrongArgument { file, line, .. }
            | FeatureError::NoThen { file, line, .. }
            | FeatureError::UnknownSuite { file, line, .. }
            | FeatureError::NoRequirement { file, line, .. } => (file, Some(*line)),
        }
    }
}

impl Scenario {
    /// What the scenario itself needs of a system.
    pub fn needs(&self) -> impl Iterator<Item = Need> {
        self.tag_values("needs").filter_map(|word| word.parse().ok())
    }

    /// The requirements that the scenario is tagged with, in the order written. The first is what its steps judge.
    pub fn requirements(&self) -> Vec<RequirementId> {
        self.tags.iter().filter_map(|tag| tag.parse().ok()).collect()
    }

    /// The value of a tag `@name:value`.
    pub fn tag_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.tags.iter().filter_map(move |tag| tag.strip_prefix(name)?.strip_prefix(':'))
    }

    /// Whether the scenario has that tag.
    pub fn has_tag(&self, name: &str) -> bool {
        self.tags.iter().any(|tag| tag == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_may_name_its_requirement() {
        let mut text = "LC-TIME-3: nothing is left".to_owned();
        assert_eq!(split_requirement(&mut text), "LC-TIME-3".parse().ok());
        assert_eq!(text, "nothing is left");
    }
}
