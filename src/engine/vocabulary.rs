use cucumber::step::{Collection, Context, Step};
use cucumber_expressions::Expression;

use super::world::{StepResult, World};
use crate::suites::manager::steps::{
    act_agent, act_call, act_start, check_announced, check_answer, check_data, check_session, check_truth,
};
use crate::suites::store::steps::{act_record, act_store, check_store};

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Drives: as `Given` it must succeed (else the scenario is blocked), as `When` its answer is kept to be judged.
    Act,
    /// Judges, as `Then`; as `Given` or `When` it waits for the same thing, and blocks where it does not come.
    Check,
}

/// One step of the vocabulary.
pub struct StepDef {
    /// What it does.
    pub kind: Kind,
    /// Its text, as a Cucumber expression.
    pub pattern: &'static str,
    /// What it means, as `passmuster steps` shows it.
    pub about: &'static str,
    /// The step itself.
    pub run: Step<World>,
}

/// Makes a row of a step table from an async function over the world and the step's arguments.
macro_rules! step {
    ($kind:ident, $pattern:literal, $about:literal, $run:path) => {
        $crate::engine::vocabulary::StepDef {
            kind: $crate::engine::vocabulary::Kind::$kind,
            pattern: $pattern,
            about: $about,
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

/// Every step, in the order `passmuster steps` shows them.
pub fn steps() -> impl Iterator<Item = &'static StepDef> {
    [
        act_start::STEPS,
        act_agent::STEPS,
        act_call::STEPS,
        check_answer::STEPS,
        check_session::STEPS,
        check_truth::STEPS,
        check_data::STEPS,
        check_announced::STEPS,
        act_store::STEPS,
        act_record::STEPS,
        check_store::STEPS,
    ]
    .into_iter()
    .flatten()
}

/// The collection that finds a step's function by its text.
pub fn collection() -> Collection<World> {
    steps().fold(Collection::new(), |collection, step| {
        let regex = Expression::regex(step.pattern).expect("every pattern of the table is a Cucumber expression");
        let collection = collection.given(None, regex.clone(), step.run).when(None, regex.clone(), step.run);
        if step.kind == Kind::Check { collection.then(None, regex, step.run) } else { collection }
    })
}

/// A step's arguments, in the order of its pattern.
pub(crate) struct Arguments(Vec<String>);

impl Arguments {
    /// A Cucumber expression's `{string}` makes one regex group a quote style (`__0_0`, `__0_1`): one of them is filled.
    pub(crate) fn of(context: &Context) -> Self {
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
    pub(crate) fn text(&self, at: usize) -> &str {
        self.0.get(at).map(String::as_str).expect("the pattern has that many parameters")
    }

    /// The argument at that place as a number.
    pub(crate) fn number<N: std::str::FromStr>(&self, at: usize) -> N {
        self.text(at).parse().ok().expect("the pattern's `{int}` matched digits")
    }
}

/// What a step function gives.
pub(crate) type Done = StepResult;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_steps_match_the_same_text() {
        let mut patterns: Vec<_> = steps().map(|step| step.pattern).collect();
        let count = patterns.len();
        patterns.sort_unstable();
        patterns.dedup();
        assert_eq!(patterns.len(), count);
        collection();
    }
}
