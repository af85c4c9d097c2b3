//! Tables of steps: what a suite's features are written in.

use std::sync::OnceLock;

use cucumber::gherkin::{self, StepType};
use cucumber::step::{Context, Step};
use cucumber_expressions::Expression;
use regex::Regex;

use super::world::StepResult;
use crate::contract::AgentKind;

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// Drives: as `Given` it must succeed (else the scenario is blocked), as `When` its answer is kept to be judged.
    Act,
    /// Judges, as `Then`; as `Given` or `When` it waits for the same thing, and blocks where it does not come.
    Check,
}

/// What is wrong with a step's arguments.
pub type Refuses = fn(&Arguments) -> Option<String>;

/// One step of a vocabulary, which acts on a `W`.
pub struct StepDef<W> {
    /// What it does.
    pub kind: StepKind,
    /// Its text, as a Cucumber expression.
    pub pattern: &'static str,
    /// What it means, as `passmuster steps` shows it.
    pub about: &'static str,
    /// What is wrong with its arguments, where that can be told before anything runs.
    pub refuses: Option<Refuses>,
    /// The step itself.
    pub run: Step<W>,
}

/// Makes a row of a step table from an async function over the world and the step's arguments.
macro_rules! step {
    ($kind:ident, $pattern:literal, $about:literal, $run:path) => {
        $crate::engine::vocabulary::step!($kind, $pattern, $about, $run, None)
    };
    ($kind:ident, $pattern:literal, $about:literal, $run:path, $refuses:expr) => {
        $crate::engine::vocabulary::StepDef {
            kind: $crate::engine::vocabulary::StepKind::$kind,
            pattern: $pattern,
            about: $about,
            refuses: $refuses,
            run: |world, context| {
                Box::pin(async move {
                    let arguments = $crate::engine::vocabulary::Arguments::of(&context);
                    let result = $run(world, &arguments).await;
                    world.ended_with(result);
                })
            },
        }
    };
}
pub(crate) use step;

/// What of a step people are shown.
#[derive(Debug, Clone, Copy)]
pub struct StepInfo {
    /// What it does.
    pub kind: StepKind,
    /// Its text, as a Cucumber expression.
    pub pattern: &'static str,
    /// What it means.
    pub about: &'static str,
}

/// Why a text is no step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoStep {
    /// Nothing in the table is like it.
    Unknown,
    /// An argument is not what the step takes: what is wrong with it.
    Refused(String),
}

/// An agent's word among a step's arguments, at the first place.
pub(crate) fn no_agent(arguments: &Arguments) -> Option<String> {
    arguments.text(0).parse::<AgentKind>().err()
}

/// The steps of a suite, whatever they act on.
pub trait Vocabulary: Sync {
    /// Every step, in the order of the table.
    fn steps(&self) -> Vec<StepInfo>;

    /// Looks a step up, in its place: a judgement belongs to a Then.
    ///
    /// # Errors
    /// Says whether it is not there, or what is wrong with its arguments.
    fn look_up(&self, step: &gherkin::Step) -> Result<(), NoStep>;
}

/// The steps of a suite that act on a `W`.
pub struct StepTable<W: 'static> {
    parts: Vec<&'static [StepDef<W>]>,
    rows: Vec<StepRow<W>>,
}

/// A step of a table, and how its text is known.
struct StepRow<W: 'static> {
    step: &'static StepDef<W>,
    /// What every text of it begins with: most of a table's patterns need no regex to be passed over, and are never built.
    prefix: &'static str,
    regex: OnceLock<Regex>,
}

impl<W> StepRow<W> {
    fn of(step: &'static StepDef<W>) -> Self {
        // `{int}`, `(s)`, `one/two`, `\\(`: from the word on in which one of these stands, the text may differ.
        let literal = step.pattern.find(['{', '(', '/', '\\']).map_or(step.pattern, |at| &step.pattern[..at]);
        let whole_words = if literal.len() == step.pattern.len() { literal } else { &literal[..literal.rfind(' ').map_or(0, |at| at + 1)] };
        Self { step, prefix: whole_words, regex: OnceLock::new() }
    }

    fn regex(&self) -> &Regex {
        let regex = || Expression::regex(self.step.pattern).expect("every pattern of the table is a Cucumber expression");
        self.regex.get_or_init(regex)
    }

    /// What the step is given; none where the text is not its own.
    fn context(&self, step: &gherkin::Step) -> Option<Context> {
        let in_place = step.ty != StepType::Then || self.step.kind == StepKind::Check;
        if !in_place || !step.value.starts_with(self.prefix) {
            return None;
        }
        let captures = self.regex().captures(&step.value)?;
        let text = |group: Option<regex::Match<'_>>| group.map_or_else(String::new, |group| group.as_str().to_owned());
        let names = self.regex().capture_names().map(|name| name.map(str::to_owned));
        Some(Context { step: step.clone(), matches: names.zip(captures.iter().map(text)).collect() })
    }
}

impl<W> StepTable<W> {
    /// Puts a table together.
    pub fn of(parts: impl IntoIterator<Item = &'static [StepDef<W>]>) -> Self {
        let parts: Vec<_> = parts.into_iter().collect();
        let rows = parts.iter().copied().flatten().map(StepRow::of).collect();
        Self { parts, rows }
    }

    /// What a step does, and what it is given; none where it is not in the table, or stands there twice.
    pub fn find(&self, step: &gherkin::Step) -> Option<(Step<W>, Context)> {
        self.row(step).map(|(row, context)| (row.step.run, context))
    }

    fn row(&self, step: &gherkin::Step) -> Option<(&StepRow<W>, Context)> {
        let mut found = self.rows.iter().filter_map(|row| Some((row, row.context(step)?)));
        found.next().filter(|_| found.next().is_none())
    }
}

impl<W> Vocabulary for StepTable<W> {
    fn steps(&self) -> Vec<StepInfo> {
        let info = |step: &StepDef<W>| StepInfo { kind: step.kind, pattern: step.pattern, about: step.about };
        self.parts.iter().copied().flatten().map(info).collect()
    }

    fn look_up(&self, step: &gherkin::Step) -> Result<(), NoStep> {
        let (row, context) = self.row(step).ok_or(NoStep::Unknown)?;
        match row.step.refuses.and_then(|refuses| refuses(&Arguments::of(&context))) {
            None => Ok(()),
            Some(why) => Err(NoStep::Refused(why)),
        }
    }
}

/// A step's arguments, in the order of its pattern.
pub struct Arguments(Vec<String>);

impl Arguments {
    /// A Cucumber expression's `{string}` makes one regex group a quote style (`__0_0`, `__0_1`): one of them is filled.
    pub fn of(context: &Context) -> Self {
        let mut values: Vec<(String, String)> = Vec::new();
        for (at, (name, value)) in context.matches.iter().enumerate().skip(1) {
            let key = match name.as_deref().and_then(|name| name.rsplit_once('_')) {
                Some((parameter, _)) => parameter.to_owned(),
                None => format!("#{at}"),
            };
            match values.last_mut() {
                Some((last, kept)) if *last == key => {
                    if kept.is_empty() {
                        value.clone_into(kept);
                    }
                }
                _ => values.push((key, value.clone())),
            }
        }
        Self(values.into_iter().map(|(_, value)| value).collect())
    }

    /// The argument at that place.
    pub fn text(&self, at: usize) -> &str {
        self.0.get(at).map(String::as_str).expect("the pattern has that many parameters")
    }

    /// The argument at that place as a number.
    pub fn number<N: std::str::FromStr>(&self, at: usize) -> N {
        self.text(at).parse().ok().expect("the pattern's `{int}` matched digits")
    }
}

/// What a step function gives.
pub(crate) type Done = StepResult;
