//! `passmuster steps`: the vocabulary of the features.

use std::process::ExitCode;

use crate::engine::vocabulary::StepKind;
use crate::suites::SUITES;

/// Prints the vocabulary.
pub(crate) fn run() -> ExitCode {
    super::print(&vocabulary());
    ExitCode::SUCCESS
}

fn vocabulary() -> String {
    let mut text = String::from(
        "Acts drive: as Given they must succeed, as When their answer is kept to be judged.\n\
         Checks judge, as Then; as Given or When they wait for the same thing. A check may begin with the requirement\n\
         that it judges: `Then LC-TIME-3: nothing of \"A\" is alive`.\n",
    );
    for suite in SUITES {
        let named: Vec<String> = suite.names().iter().map(|name| format!("`{name}`")).collect();
        text.push_str(&format!("\nSteps of {}\n", named.join(" and ")));
        for (kind, title) in [(StepKind::Act, "Acts"), (StepKind::Check, "Checks")] {
            text.push_str(&format!("\n  {title}\n"));
            for step in suite.vocabulary().steps().iter().filter(|step| step.kind == kind) {
                text.push_str(&format!("    {}\n        {}\n", step.pattern, step.about));
            }
        }
        for glossary in suite.glossary() {
            text.push_str(&format!("\n  {}\n", glossary.title));
            for (name, about) in glossary.words {
                text.push_str(format!("    {name:<16}{about}").trim_end());
                text.push('\n');
            }
        }
    }
    text.push_str(
        "\nTags\n  @LC-CREATE-1       the requirements that the scenario exercises; its checks judge the first\n  @each-agent        once for every agent of the manifest\n  @agent:codex       with that agent\n  @suite:lifecycle   the suite, where neither the folder's name nor the requirements say it\n  @needs:serve       only where the manifest offers it: an operation, announcements, serve, record, processes=session\n  @virtual           in virtual time only\n  @stream            announcements by the stream, even where `wait_events` is offered\n",
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
