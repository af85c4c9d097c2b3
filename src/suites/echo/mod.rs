//! The suite of what says back what it is told: `echo`.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use serde_json::Value;

use crate::contract::OperationTable;
use crate::engine::fault::{Change, Fault, FaultInfo};
use crate::engine::matrix::Over;
use crate::engine::plan::PlannedScenario;
use crate::engine::scenario::{ScenarioRun, unplayed};
use crate::engine::target::RealSystem;
use crate::engine::vocabulary::{Arguments, StepDef, StepKind, StepTable, Vocabulary};
use crate::engine::worker::Backstage;
use crate::engine::{Suite, Suites};
use crate::profile::Profiles;
use crate::results::model::{Finding, Origin, Verdict};
use crate::spec::Party;
use crate::sut::Announces;

/// What the reference does where it can go wrong.
#[derive(Clone, Copy)]
struct EchoBehavior {
    answer: fn(&str) -> String,
}

const DEAF: Fault<EchoBehavior> = Fault::new("deaf", "says nothing back", &["ECHO-1"], |behavior| behavior.answer = |_| String::new());

/// What the steps act on.
struct Echo {
    behavior: EchoBehavior,
    came: String,
    wrong: Option<String>,
}

const STEPS: &[StepDef<Echo>] = &[
    StepDef {
        kind: StepKind::Act,
        pattern: "{string} is said",
        about: "say something",
        refuses: None,
        run: |echo, context| {
            echo.came = (echo.behavior.answer)(Arguments::of(&context).text(0));
            Box::pin(std::future::ready(()))
        },
    },
    StepDef {
        kind: StepKind::Check,
        pattern: "{string} comes back",
        about: "that, and nothing else",
        refuses: None,
        run: |echo, context| {
            let arguments = Arguments::of(&context);
            echo.wrong = (echo.came != arguments.text(0)).then(|| format!("`{}` came back", echo.came));
            Box::pin(std::future::ready(()))
        },
    },
];

static TABLE: LazyLock<StepTable<Echo>> = LazyLock::new(|| StepTable::of([STEPS]));

/// The suite of what says back what it is told.
#[derive(Debug)]
pub(crate) struct EchoSuite;

#[async_trait(?Send)]
impl Suite for EchoSuite {
    fn names(&self) -> &'static [&'static str] {
        &["echo"]
    }

    fn party(&self) -> Party {
        Party::Manager
    }

    fn operations(&self) -> OperationTable {
        &[]
    }

    fn vocabulary(&self) -> &'static dyn Vocabulary {
        &*TABLE
    }

    fn faults(&self) -> Vec<&'static FaultInfo> {
        vec![&DEAF.info]
    }

    fn reference(&self) -> &'static str {
        "the reference echo"
    }

    fn announces(&self, _: &[Change]) -> Announces {
        Announces { by_waiting: false, by_stream: false }
    }

    fn rehearse(&self, planned: &PlannedScenario, changes: &[Change], _: &Profiles) -> ScenarioRun {
        let mut behavior = EchoBehavior { answer: str::to_owned };
        if changes.contains(&Change::Fault(DEAF.info.name)) {
            DEAF.apply(&mut behavior);
        }
        let mut echo = Echo { behavior, came: String::new(), wrong: None };
        for written in &planned.written.steps {
            let (step, context) = TABLE.find(&written.step).expect("the step was looked up when the feature was read");
            futures::executor::block_on(step(&mut echo, context));
        }
        let findings: Vec<Finding> = echo
            .wrong
            .map(|claimed| Finding {
                requirement: planned.written.requirements()[0].clone(),
                message: "what was said did not come back".into(),
                claimed,
                truth: "it was said".into(),
                origin: Origin::Step("it comes back".into()),
                timeline: Vec::new(),
                stderr: String::new(),
                repro: String::new(),
            })
            .into_iter()
            .collect();
        let verdict = if findings.is_empty() { Verdict::Passed } else { Verdict::Failed };
        ScenarioRun { result: unplayed(planned, verdict, None, findings), trace: Vec::new() }
    }

    async fn play(&self, _: &PlannedScenario, _: &Value, _: &Backstage) -> Result<ScenarioRun, String> {
        Err("the echo is played on its own reference alone".into())
    }

    fn served(&self, _: Suites, _: Over, _: Change, _: &str, _: &Path) -> Arc<dyn RealSystem> {
        unimplemented!("the echo has no front")
    }
}
