//! `passmuster explain`: one requirement or one error of the contract: what it says, why, how it is tested.

use std::process::ExitCode;

use clap::Args;

use crate::contract::{ERRORS, ErrorCode};
use crate::core::diagnostic::nearest;
use crate::engine::{catalogue, features};
use crate::files::{FileRule, RuleOffer, meant_code, rule};
use crate::spec::{FaultNote, Registry, RequirementId, ScenarioTags, explain};
use crate::suites::SUITES;

/// Explain a requirement: its sentence, why it exists, its scenarios and its faults. Or an error of the contract.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The requirement, such as LC-CLEAN-1, the error by its word or its JSON-RPC code, such as session_not_found, or a rule for session
    /// files, such as SF105
    #[arg(value_parser = super::known::explained(), hide_possible_values = true, allow_negative_numbers = true)]
    what: Explained,
}

/// What can be explained.
#[derive(Debug, Clone)]
pub(crate) enum Explained {
    /// A requirement.
    Requirement(RequirementId),
    /// An error.
    Error(ErrorCode),
    /// A rule for session files.
    Rule(&'static FileRule),
}

/// What a word names: a requirement's id in whatever case, an error's word, its code.
pub(crate) fn explained(word: &str) -> Result<Explained, String> {
    if let Some(rule) = rule(&word.to_uppercase()) {
        return Ok(Explained::Rule(rule));
    }
    if word.starts_with("SF") {
        return Err(meant_code(word).unwrap_or_else(|| "there is no such rule: `passmuster files check --help`".into()));
    }
    let code = ErrorCode::from_name(&word.to_lowercase()).or_else(|| ErrorCode::from_rpc(word.parse().ok()?));
    match code {
        Some(code) => Ok(Explained::Error(code)),
        None => super::running::requirement_id(word).map(Explained::Requirement).map_err(|why| {
            match nearest(word, ERRORS.iter().map(|error| error.name)) {
                Some(error) => format!("no such error; did you mean {error}?"),
                None => why,
            }
        }),
    }
}

/// Runs the command.
pub(crate) fn run(args: &Explain) -> ExitCode {
    match &args.what {
        Explained::Error(code) => {
            super::print(&error(*code));
            ExitCode::SUCCESS
        }
        Explained::Requirement(id) => requirement(id),
        Explained::Rule(rule) => {
            super::print(&of_a_rule(rule));
            ExitCode::SUCCESS
        }
    }
}

/// A rule for session files.
fn of_a_rule(rule: &FileRule) -> String {
    let offer = match rule.offer {
        RuleOffer::Nothing => "a person decides",
        RuleOffer::Safe => "`passmuster files check --fix`, where there is one way alone",
        RuleOffer::Unsafe => "`passmuster files check --fix --unsafe-fixes`: it may change what the file means",
    };
    format!(
        "{} · {} · {}\n\n  {}\n\nWhy\n  {}\n\nTo put it right\n  {offer}\n\nTo keep it silent in one place\n  <!-- passmuster: ignore {} -->\n\nTo see it alone\n  passmuster files check --select {}\n",
        rule.code,
        rule.requirement,
        rule.level(),
        rule.title,
        rule.why,
        rule.code,
        rule.code
    )
}

fn requirement(id: &RequirementId) -> ExitCode {
    let Some(requirement) = Registry::embedded().get(id) else { return ExitCode::from(2) };
    let faults: Vec<FaultNote> = catalogue::faults(SUITES)
        .into_iter()
        .map(|fault| fault.info)
        .filter(|fault| fault.breaks.contains(&id.as_str()))
        .map(|fault| FaultNote { name: fault.name.into(), title: fault.title.into() })
        .collect();
    super::print(&explain(requirement, &scenarios(), &faults));
    ExitCode::SUCCESS
}

/// An error: what it means, how it is answered, how another answer becomes it, which requirements speak of it.
fn error(code: ErrorCode) -> String {
    let spec = code.spec();
    let name = spec.name;
    let surely =
        if spec.definite { "What was asked surely did not happen." } else { "What was asked may have happened: look before you repeat." };
    let named: Vec<&str> = Registry::embedded()
        .iter()
        .filter(|requirement| requirement.sentence.contains(&format!("`{name}`")))
        .map(|requirement| requirement.id.as_str())
        .collect();
    let named = if named.is_empty() { "none".to_owned() } else { named.join(" ") };
    format!(
        "{name} · JSON-RPC {rpc}\n\n  {meaning}.\n  {surely}\n\n\
         Answer it\n  \
         cli  a failed exit status, and as the last line of standard error {{\"error\": {{\"code\": \"{name}\", \"message\": \"…\"}}}}\n  \
         rpc  an error of the code {rpc}\n  \
         mcp  an answer with isError, and in its text {{\"code\": \"{name}\", \"message\": \"…\"}}\n\n\
         Or map what you answer, in the manifest\n  \
         [operations.end_session.errors]\n  \
         {name} = {{ code = '-32000', message = \"the words of yours\" }}   # cli: exit, stdout, stderr\n\n\
         Requirements that name it\n  {named}\n",
        rpc = spec.rpc_code,
        meaning = spec.meaning,
    )
}

/// The embedded scenarios, with the requirements that their tags and their steps name.
pub(crate) fn scenarios() -> Vec<ScenarioTags> {
    features::tags(&features::read(SUITES, &[]).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("lc-clean-1", Ok("LC-CLEAN-1"))]
    #[case("session_not_found", Ok("session_not_found"))]
    #[case("SESSION_ENDED", Ok("session_ended"))]
    #[case("-32001", Ok("session_not_found"))]
    #[case("not_found", Err("no such error; did you mean session_not_found?"))]
    #[case("zzzzqqq", Err("no such requirement, such as LC-CLEAN-1; `passmuster spec list` shows them all"))]
    fn requirements_and_errors_are_known_by_any_of_their_names(#[case] word: &str, #[case] wanted: Result<&str, &str>) {
        let found = explained(word).map(|found| match found {
            Explained::Requirement(id) => id.to_string(),
            Explained::Error(code) => code.name().to_owned(),
            Explained::Rule(rule) => rule.code.to_owned(),
        });
        assert_eq!(found.as_deref().map_err(String::as_str), wanted);
    }

    #[test]
    fn an_error_is_explained_with_how_to_answer_and_to_map_it() {
        insta::assert_snapshot!(error(ErrorCode::SessionNotFound));
    }
}
