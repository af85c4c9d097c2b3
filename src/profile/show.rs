//! What `passmuster profiles` says.

use super::{AgentProfile, Mode, Phase, Profile, Profiles};

/// Every row of every agent, one in a line; `*` marks those in force.
pub fn list(profiles: &Profiles) -> String {
    let head = ["agent", "set", "version", "mode", "file created", "observable from", ""].map(str::to_owned);
    let rows = profiles.agents().iter().flat_map(|agent| {
        agent.profiles.iter().map(|row| {
            let in_force = std::ptr::eq(profiles.get(agent.agent, row.mode), row);
            let phases = [row.file_created, row.observable].map(|phase| phase.word().to_owned());
            let [file, observable] = phases;
            let mark = if in_force { "*" } else { "" };
            [agent.agent.to_string(), row.set.clone(), row.version.clone(), row.mode.to_string(), file, observable, mark.to_owned()]
        })
    });
    columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

/// Lines whose cells stand below one another.
fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let widths: Vec<usize> = (0..N).map(|at| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0)).collect();
    let line = |row: &[String; N]| {
        let line: String = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}  ")).collect();
        format!("{}\n", line.trim_end())
    };
    rows.iter().map(line).collect()
}

/// What is known of an agent, and what is in force of it.
pub fn show(profiles: &Profiles, agent: &AgentProfile) -> String {
    let mut text = format!("{}\n", agent.agent);
    for (name, value) in [("native file", &agent.file), ("identity before it", &agent.identity), ("a turn's end is told by", &agent.hook)] {
        text.push_str(&format!("  {name}: {value}\n"));
    }
    for mode in Mode::ALL {
        let row = profiles.get(agent.agent, mode);
        text.push_str(&format!("\n  {mode}, set {}, version {}\n", row.set, row.version));
        let exits = [row.file_created, row.has_content, row.observable].contains(&Phase::Exited).then_some(Phase::Exited);
        for phase in [Phase::Started, Phase::PromptAccepted, Phase::FirstTurnCompleted].into_iter().chain(exits) {
            text.push_str(&format!("    {:<22}{}\n", phase.word(), happens(row, phase)));
        }
        for (name, value) in facts(row).into_iter().skip(4).filter(|(_, value)| !value.is_empty()) {
            text.push_str(&format!("    {name}: {value}\n"));
        }
    }
    text
}

/// What a phase brings.
fn happens(row: &Profile, phase: Phase) -> String {
    let what = [(row.file_created, "the file is created"), (row.has_content, "it has content"), (row.observable, "observable from here")];
    let comes: Vec<&str> = what.iter().filter(|(comes, _)| *comes == phase).map(|(_, what)| *what).collect();
    match comes.is_empty() {
        false => comes.join("; "),
        true if row.observable <= phase => "observable".to_owned(),
        true => "not observable".to_owned(),
    }
}

/// A row's facts, by name: the version and the phases first.
fn facts(row: &Profile) -> Vec<(&'static str, String)> {
    let delay = row.delay_ms.map(|(least, most)| format!("{least} to {most} ms after its phase"));
    let lines = row.lines.map(|lines| {
        let super::LineCounts { idle, first_turn, turn_1, second_turn, turn_2 } = lines;
        format!("{idle} idle, {first_turn} in the first turn, {turn_1} after it, {second_turn} in the second, {turn_2} after it")
    });
    vec![
        ("version", row.version.clone()),
        ("file_created", row.file_created.to_string()),
        ("has_content", row.has_content.to_string()),
        ("observable", row.observable.to_string()),
        ("the file comes", delay.unwrap_or_default()),
        ("its lines", lines.unwrap_or_default()),
        ("what removes it", row.removed.clone()),
        ("list_sessions", row.list.clone()),
        ("get_session_data", row.read.clone()),
        ("note", row.note.clone()),
        ("source", row.source.clone()),
    ]
}

/// What differs between what two choices put in force; empty where nothing does.
pub fn diff(old: &Profiles, new: &Profiles) -> String {
    let mut text = String::new();
    for agent in new.agents() {
        for mode in Mode::ALL {
            let (before, after) = (old.get(agent.agent, mode), new.get(agent.agent, mode));
            let pairs = facts(before).into_iter().zip(facts(after)).filter(|((_, before), (_, after))| before != after);
            let dash = |value: String| if value.is_empty() { "–".to_owned() } else { value };
            let lines: String =
                pairs.map(|((name, before), (_, after))| format!("  {name}: {} → {}\n", dash(before), dash(after))).collect();
            if !lines.is_empty() {
                text.push_str(&format!("{} {mode}, {} → {}\n{lines}", agent.agent, before.set, after.set));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::AgentKind;
    use crate::profile::Choice;

    fn load(choice: Choice) -> Profiles {
        Profiles::load(&choice).unwrap()
    }

    #[test]
    fn every_row_is_listed_and_those_in_force_are_marked() {
        insta::assert_snapshot!(list(&load(Choice::Measured)));
    }

    #[test]
    fn an_agent_is_shown_phase_by_phase() {
        let profiles = load(Choice::Spec);
        insta::assert_snapshot!(show(&profiles, profiles.agent(AgentKind::CODEX)));
    }

    #[test]
    fn two_sets_differ_in_what_is_in_force() {
        insta::assert_snapshot!(diff(&load(Choice::Spec), &load(Choice::Measured)));
        assert_eq!(diff(&load(Choice::Spec), &load(Choice::Spec)), "");
    }
}
