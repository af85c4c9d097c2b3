//! `passmuster steps`: the vocabulary of the features.

use std::process::ExitCode;

use crate::engine::vocabulary::Kind;
use crate::suites::manager::steps::messages::MESSAGES;
use crate::suites::manager::steps::{BEHAVIOURS, steps};
use crate::suites::orchestrator::steps::GATE_STEPS;
use crate::suites::store::steps::IDS;

/// Prints the vocabulary.
pub fn run() -> ExitCode {
    print!("{}", vocabulary());
    ExitCode::SUCCESS
}

fn vocabulary() -> String {
    let mut text = String::new();
    let section = |title: &str, kind: Kind, text: &mut String| {
        text.push_str(&format!("{title}\n"));
        for step in steps().filter(|step| step.kind == kind) {
            text.push_str(&format!("  {}\n      {}\n", step.pattern, step.about));
        }
    };
    section("Acts (Given: must succeed; When: the answer is kept to be judged)", Kind::Act, &mut text);
    section(
        "\nChecks (Then: judge; Given, When: wait for it)\n  A check may begin with the requirement that it judges: `Then LC-TIME-3: nothing of \"A\" is alive`.",
        Kind::Check,
        &mut text,
    );
    text.push_str("\nSteps of the suite `orchestrator`\n");
    for step in GATE_STEPS {
        text.push_str(&format!("  {}\n      {}\n", step.pattern, step.about));
    }
    text.push_str("\nBehaviours (`the agent of {string} will …`)\n");
    for (name, _) in BEHAVIOURS {
        text.push_str(&format!("  {name}\n"));
    }
    text.push_str("\nMessages (`the message {string} is sent to …`)\n");
    for message in MESSAGES {
        text.push_str(&format!("  {:<16}{}\n", message.name, message.about));
    }
    text.push_str("\nIds (`a stored session with the id {string}`)\n");
    for (name, id) in IDS {
        text.push_str(&format!("  {name:<16}{id:?}\n"));
    }
    text.push_str(
        "\nTags\n  @LC-CREATE-1       the requirements that the scenario exercises; its checks judge the first\n  @each-agent        once for every agent of the manifest\n  @agent:codex       with that agent\n  @suite:lifecycle   the suite, where the folder's name does not say it\n  @needs:serve       only where the manifest offers it: an operation, announcements, serve, record, processes=session\n  @virtual           in virtual time only\n  @stream            announcements by the stream, even where `wait_events` is offered\n",
    );
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_vocabulary_is_as_documented() {
        insta::assert_snapshot!(super::vocabulary());
    }
}
