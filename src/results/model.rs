//! The report: what every form draws from, and what `--report json` writes as it stands.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::contract::AgentKind;
use crate::spec::{Level, Party, RequirementId};
use crate::trace::{Contradiction, Record, Row, contradicted};

/// The report's schema, named in every report.
pub const SCHEMA: &str = "passmuster-report-1";

/// A run's report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "passmuster report")]
pub struct Report {
    /// The schema's name.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: String,
    /// The harness.
    pub tool: Tool,
    /// The version of the spec judged by.
    pub spec_version: String,
    /// The system under test.
    pub system: System,
    /// The platform: `linux x86_64`.
    pub platform: String,
    /// When the run began (RFC 3339).
    pub started_at: String,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The seed of what is random in the run; 0 where nothing is.
    pub seed: u64,
    /// What else is to be known of the run: which suites were chosen and why, what was tried again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Whether it was interrupted: then it shows what ran until that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
    /// Which shard of a run it is: `2/4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<String>,
    /// Why nothing was chosen to run, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What the control checks found; absent where none ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<Control>,
    /// What the baseline said; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<BaselineResult>,
    /// Scenario counts by verdict.
    pub summary: Summary,
    /// Per requirement.
    pub requirements: Vec<RequirementResult>,
    /// Per scenario.
    pub scenarios: Vec<ScenarioResult>,
}

/// The harness that ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// `passmuster`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The system under test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct System {
    /// Its name, from the manifest.
    pub name: String,
    /// The first line of what its version command prints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `builtin`, `cli`, `rpc` or `mcp`; `gate` of an orchestrator, `trace` of recorded traces.
    pub transport: String,
    /// The file that it is judged by: its manifest, or of an orchestrator its script, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// What the control checks found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Control {
    /// Whether every check proved what it must.
    pub proven: bool,
    /// Each check, and what it found.
    pub checks: BTreeMap<String, String>,
}

/// What came of the baseline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BaselineResult {
    /// Its file.
    pub file: String,
    /// How many entries it has.
    pub entries: usize,
    /// How many scenarios fail as it says, without those that fail now and then.
    pub known: usize,
    /// How many fail that it says fail now and then.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub intermittent: usize,
    /// What is wrong with it: entries that have expired or match nothing.
    #[serde(default)]
    pub problems: Vec<String>,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// How many scenarios came to each verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub struct Summary {
    pub passed: usize,
    pub failed: usize,
    pub warned: usize,
    pub blocked: usize,
    pub skipped: usize,
    pub not_exercised: usize,
    pub could_not_test: usize,
}

impl Summary {
    /// Counts verdicts.
    pub fn of(verdicts: impl IntoIterator<Item = Verdict>) -> Self {
        let mut summary = Self::default();
        for verdict in verdicts {
            *match verdict {
                Verdict::Passed => &mut summary.passed,
                Verdict::Failed => &mut summary.failed,
                Verdict::Warned => &mut summary.warned,
                Verdict::Blocked => &mut summary.blocked,
                Verdict::Skipped => &mut summary.skipped,
                Verdict::NotExercised => &mut summary.not_exercised,
                Verdict::CouldNotTest => &mut summary.could_not_test,
            } += 1;
        }
        summary
    }

    /// How many came to that verdict.
    pub const fn count(&self, verdict: Verdict) -> usize {
        match verdict {
            Verdict::Passed => self.passed,
            Verdict::Failed => self.failed,
            Verdict::Warned => self.warned,
            Verdict::Blocked => self.blocked,
            Verdict::Skipped => self.skipped,
            Verdict::NotExercised => self.not_exercised,
            Verdict::CouldNotTest => self.could_not_test,
        }
    }
}

/// A verdict, on a scenario or a requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Exercised, and nothing found.
    Passed,
    /// A finding names a MUST.
    Failed,
    /// A finding names a SHOULD, none a MUST.
    Warned,
    /// A Given or When could not be reached: nothing of it is exercised.
    Blocked,
    /// A capability is not offered; the reason says which.
    Skipped,
    /// No scenario exercised it.
    NotExercised,
    /// The adapter or the harness broke.
    CouldNotTest,
}

/// A scenario's key without the number of its repetition, and that number: `…/slug[codex]@2` is the second round of
/// `…/slug[codex]`.
pub fn round_of(key: &str) -> (&str, Option<usize>) {
    match key.rsplit_once('@').map(|(key, round)| (key, round.parse())) {
        Some((key, Ok(round))) => (key, Some(round)),
        _ => (key, None),
    }
}

impl ScenarioResult {
    /// Whether the baseline knows that it fails.
    pub fn is_known_failure(&self) -> bool {
        self.verdict == Verdict::Failed && self.expects_failure()
    }

    /// Whether the baseline says that it fails, and it did not though it was exercised.
    pub fn is_fixed(&self) -> bool {
        self.verdict.is_exercised() && self.verdict != Verdict::Failed && self.expects_failure()
    }

    fn expects_failure(&self) -> bool {
        self.expected.as_deref() == Some("failed")
    }
}

impl Verdict {
    /// Every verdict, in the order reports show them.
    pub const ALL: [Verdict; 7] = [
        Verdict::Passed,
        Verdict::Failed,
        Verdict::Warned,
        Verdict::Blocked,
        Verdict::Skipped,
        Verdict::NotExercised,
        Verdict::CouldNotTest,
    ];

    /// Whether it says that something was exercised.
    pub const fn is_exercised(self) -> bool {
        matches!(self, Verdict::Passed | Verdict::Failed | Verdict::Warned)
    }

    /// The verdict's mark in tables; no two share one.
    pub const fn mark(self) -> &'static str {
        match self {
            Verdict::Passed => "✓",
            Verdict::Failed => "✗",
            Verdict::Warned => "!",
            Verdict::Blocked => "■",
            Verdict::Skipped => "–",
            Verdict::NotExercised => "○",
            Verdict::CouldNotTest => "?",
        }
    }

    /// The verdict's words, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Failed => "failed",
            Verdict::Warned => "warned",
            Verdict::Blocked => "blocked",
            Verdict::Skipped => "skipped",
            Verdict::NotExercised => "not exercised",
            Verdict::CouldNotTest => "could not test",
        }
    }
}

/// What came of one requirement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RequirementResult {
    /// Its id.
    pub id: RequirementId,
    /// Its level.
    pub level: Level,
    /// Who must.
    pub party: Party,
    /// Its title.
    pub title: String,
    /// Its suite.
    #[serde(default)]
    pub suite: String,
    /// Its normative sentence.
    #[serde(default)]
    pub sentence: String,
    /// The line of the system's file at which to begin to look: of the first operation that the requirement needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, where no scenario says it: not passed without a finding, or passed though part of it was not exercised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the baseline expected, where the requirement failed without a scenario that shows it: `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// The keys of its scenarios.
    pub scenarios: Vec<String>,
}

/// What came of one scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioResult {
    /// The scenario's key, unique in the run: `suite/feature/slug[agent]`.
    pub key: String,
    /// Its name, as in the feature.
    pub name: String,
    /// The feature's file and line: `features/lifecycle/creation.feature:12`.
    pub feature: String,
    /// The suite.
    pub suite: String,
    /// The agent on the axis, where the scenario has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentKind>,
    /// Its tags.
    pub tags: Vec<String>,
    /// The requirements it exercises.
    pub requirements: Vec<RequirementId>,
    /// The verdict.
    pub verdict: Verdict,
    /// What the baseline expected, where it lists the scenario: a verdict's word as in this report (`failed`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// Why, for blocked, skipped and could not test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// One thing that is not as a requirement says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "WrittenFinding", into = "WrittenFinding")]
#[schemars(with = "WrittenFinding")]
pub struct Finding {
    /// The requirement that it contradicts.
    pub requirement: RequirementId,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What the manager claimed.
    pub claimed: String,
    /// What was true.
    pub truth: String,
    /// What found it.
    pub origin: Origin,
    /// The session's timeline.
    pub timeline: Vec<Row>,
    /// The last lines of the manager's standard error.
    pub stderr: String,
    /// A command that reproduces just this.
    pub repro: String,
}

/// What found something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A step of the scenario, by its text.
    Step(String),
    /// A standing invariant, by its name: it judges the whole trace, whatever the scenario asks.
    Rule(String),
    /// A rule for whoever wrote a recording, by the lines that prove it.
    Lines(Vec<usize>),
}

impl Origin {
    /// How it is told.
    pub fn words(&self) -> String {
        match self {
            Origin::Step(text) => text.clone(),
            Origin::Rule(name) => format!("standing invariant `{name}`"),
            Origin::Lines(lines) => {
                let numbers: Vec<String> = lines.iter().map(usize::to_string).collect();
                format!("{} {}", if lines.len() == 1 { "line" } else { "lines" }, numbers.join(", "))
            }
        }
    }

    /// The standing invariant's name.
    pub fn rule(&self) -> Option<&str> {
        match self {
            Origin::Step(_) | Origin::Lines(_) => None,
            Origin::Rule(name) => Some(name),
        }
    }
}

impl Finding {
    /// What a contradiction in a trace comes to.
    pub fn of(found: Contradiction, origin: Origin, trace: &[Record], stderr: &str) -> Self {
        let last = found.records.iter().max().copied().unwrap_or(trace.len().saturating_sub(1));
        let timeline = found.session_id().map(|id| contradicted(trace, id, last, &found.requirement)).unwrap_or_default();
        let Contradiction { requirement, message, claimed, truth, .. } = found;
        Self { requirement, message, claimed, truth, origin, timeline, stderr: stderr.to_owned(), repro: String::new() }
    }
}

/// A finding, as reports have it.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Finding", description = "One thing that is not as a requirement says.")]
struct WrittenFinding {
    /// The requirement that it contradicts.
    requirement: RequirementId,
    /// What is wrong, in one sentence.
    message: String,
    /// What the manager claimed.
    #[serde(default)]
    claimed: String,
    /// What was true.
    #[serde(default)]
    truth: String,
    /// The step that found it, or the standing invariant.
    #[serde(default)]
    step: String,
    /// The standing invariant that found it; absent where a step did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    /// The lines of the session's timeline.
    #[serde(default)]
    trace: Vec<String>,
    /// The same, row by row.
    #[serde(default)]
    timeline: Vec<Row>,
    /// The last lines of the manager's standard error.
    #[serde(default)]
    stderr: String,
    /// A command that reproduces just this.
    #[serde(default)]
    repro: String,
}

impl From<Finding> for WrittenFinding {
    fn from(finding: Finding) -> Self {
        let Finding { requirement, message, claimed, truth, origin, timeline, stderr, repro } = finding;
        let (step, rule) = (origin.words(), origin.rule().map(str::to_owned));
        Self {
            requirement,
            message,
            claimed,
            truth,
            step,
            rule,
            trace: timeline.iter().map(Row::to_string).collect(),
            timeline,
            stderr,
            repro,
        }
    }
}

impl From<WrittenFinding> for Finding {
    /// A report of an earlier version has lines alone.
    fn from(written: WrittenFinding) -> Self {
        let WrittenFinding { requirement, message, claimed, truth, step, rule, trace, timeline, stderr, repro } = written;
        let origin = rule.map_or(Origin::Step(step), Origin::Rule);
        let timeline = if timeline.is_empty() { trace.iter().map(|line| Row::untyped(line)).collect() } else { timeline };
        Self { requirement, message, claimed, truth, origin, timeline, stderr, repro }
    }
}

/// What happens in a run, as it happens; progress is drawn from it.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// So many scenarios will run.
    Planned {
        /// How many.
        scenarios: usize,
    },
    /// A scenario begins.
    ScenarioStarted {
        /// Its key.
        key: String,
    },
    /// A scenario is over.
    ScenarioFinished {
        /// What came of it.
        result: Box<ScenarioResult>,
    },
}
