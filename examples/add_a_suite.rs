//! A suite of one's own, by the library: `cargo run --example add_a_suite`.
//!
//! It judges something that says back what it is told. Its reference can be deaf, and the suite must find it.

use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use passmuster::contract::OperationTable;
use passmuster::engine::fault::{Change, Fault, FaultInfo};
use passmuster::engine::matrix::Over;
use passmuster::engine::plan::PlannedScenario;
use passmuster::engine::scenario::{ScenarioRun, Strain, unplayed};
use passmuster::engine::target::{RealSystem, Reference, Target};
use passmuster::engine::vocabulary::{Arguments, StepDef, StepKind, StepTable, Vocabulary};
use passmuster::engine::worker::Backstage;
use passmuster::engine::{Options, Suite, Suites, prepare, run};
use passmuster::profile::{Choice, Profiles};
use passmuster::results::model::{Finding, Origin, Verdict};
use passmuster::spec::Party;
use passmuster::suites::SUITES;
use passmuster::sut::Announces;
use serde_json::Value;

const FEATURE: &str = "Feature: Repeating
  @REPEAT-1
  Scenario: What is said comes back
    When \"hello\" is said
    Then \"hello\" comes back
";

/// What the reference does where it can go wrong.
#[derive(Clone, Copy)]
struct Behavior {
    answer: fn(&str) -> String,
}

const DEAF: Fault<Behavior> = Fault::new("deaf", "says nothing back", &["REPEAT-1"], |behavior| behavior.answer = |_| String::new());

/// What the steps act on.
struct Repeater {
    behavior: Behavior,
    came: String,
    wrong: Option<String>,
}

const STEPS: &[StepDef<Repeater>] = &[
    StepDef {
        kind: StepKind::Act,
        pattern: "{string} is said",
        about: "say something",
        refuses: None,
        run: |repeater, context| {
            repeater.came = (repeater.behavior.answer)(Arguments::of(&context).text(0));
            Box::pin(std::future::ready(()))
        },
    },
    StepDef {
        kind: StepKind::Check,
        pattern: "{string} comes back",
        about: "that, and nothing else",
        refuses: None,
        run: |repeater, context| {
            let arguments = Arguments::of(&context);
            repeater.wrong = (repeater.came != arguments.text(0)).then(|| format!("`{}` came back", repeater.came));
            Box::pin(std::future::ready(()))
        },
    },
];

static TABLE: LazyLock<StepTable<Repeater>> = LazyLock::new(|| StepTable::of([STEPS]));

#[derive(Debug)]
struct RepeatSuite;

#[async_trait(?Send)]
impl Suite for RepeatSuite {
    fn names(&self) -> &'static [&'static str] {
        &["repeat"]
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
        "the reference repeater"
    }

    fn announces(&self, _: &[Change]) -> Announces {
        Announces { by_waiting: false, by_stream: false }
    }

    fn rehearse(&self, planned: &PlannedScenario, changes: &[Change], _: &Profiles) -> ScenarioRun {
        let mut behavior = Behavior { answer: str::to_owned };
        if changes.contains(&Change::Fault(DEAF.info.name)) {
            DEAF.apply(&mut behavior);
        }
        let mut repeater = Repeater { behavior, came: String::new(), wrong: None };
        for written in &planned.written.steps {
            let (step, context) = TABLE.find(&written.step).expect("the step was looked up when the feature was read");
            futures::executor::block_on(step(&mut repeater, context));
        }
        let findings: Vec<Finding> = repeater
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
        ScenarioRun { result: unplayed(planned, verdict, None, findings), trace: Vec::new(), strain: Strain::default() }
    }

    async fn play(&self, _: &PlannedScenario, _: &Value, _: &Backstage) -> Result<ScenarioRun, String> {
        Err("this example plays on its own reference alone".into())
    }

    fn served(&self, _: Suites, _: Over, _: Change, _: &str, _: &Path) -> Arc<dyn RealSystem> {
        unreachable!("only `faults run --transport` asks for it, and this example is no command")
    }
}

#[allow(clippy::print_stdout, reason = "it is an example of a program")]
fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    // The suites that there are, and this one: the only list.
    let all = SUITES.iter().copied().chain([&RepeatSuite as &dyn Suite]);
    let suites: Suites = all.collect::<Vec<_>>().leak();
    let folder = tempfile::tempdir()?;
    std::fs::create_dir(folder.path().join("repeat"))?;
    std::fs::write(folder.path().join("repeat/repeat.feature"), FEATURE)?;
    let profiles = Profiles::load(&Choice::Spec)?;
    let mut verdicts = Vec::new();
    for changes in [Vec::new(), vec![Change::Fault(DEAF.info.name)]] {
        let target = Target::Reference(Reference { suites, of: vec![&RepeatSuite], changes });
        let options = Options { features: vec![folder.path().to_owned()], ..Options::default() };
        let planned = prepare(&target, &options).map_err(|errors| errors[0].to_string())?;
        let report = run(&target, planned, &profiles, &options, &mut |_| {}).report;
        for scenario in &report.scenarios {
            println!("{:?} {}", scenario.verdict, scenario.key);
            verdicts.push(scenario.verdict);
        }
    }
    Ok(if verdicts == [Verdict::Passed, Verdict::Failed] { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
