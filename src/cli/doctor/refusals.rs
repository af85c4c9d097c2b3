use std::path::Path;

use serde_json::{Value, json};

use crate::contract::{AgentKind, ErrorCode};
use crate::sut::CallError;
use crate::sut::adapter::Adapter;
use crate::sut::manifest::AnswerSeen;
use crate::sut::recorder::shortened;
use crate::sut::sandbox::Sandbox;

use super::examination::{DoctorLook, Examination, L};
use super::life::{ExaminedSession, ask};

/// The fewest characters of a refusal's own words by which it is told from others.
const TELLING: usize = 4;

/// Something that must be refused.
struct Provocation {
    look: DoctorLook,
    operation: &'static str,
    args: Value,
    /// The codes that refuse it rightly, the likeliest first.
    wanted: &'static [ErrorCode],
    /// Whether it may be taken as well.
    may_succeed: bool,
}

/// What a system refuses must be known as that, by its codes or its words: otherwise every refusal is a failure.
impl Examination {
    /// Provokes each refusal that the scenarios provoke, and says of those that are not understood what to write.
    pub(super) async fn refusals(&mut self, driver: &Adapter, sandbox: &Sandbox, ended: &ExaminedSession) {
        let agent = self.manifest.agents.first().copied().unwrap_or(AgentKind::CODEX).name();
        let Ok(folder) = sandbox.work_folder(3) else { return };
        let (nowhere, file) = (folder.join("is-not-there"), folder.join("file"));
        // Where it cannot be written it is not there, which has to be refused as well.
        let _ = std::fs::write(&file, "not a folder");
        let start = |agent: &str, cwd: &Path| json!({ "agent": agent, "cwd": cwd.display().to_string(), "message": "say nothing" });
        let provocations = [
            (L::UnknownAgent, "start_session", start("no-such-agent", &folder), &[ErrorCode::UnknownAgent] as &[ErrorCode]),
            (L::NoFolder, "start_session", start(agent, &nowhere), &[ErrorCode::InvalidArgument]),
            (L::FileAsFolder, "start_session", start(agent, &file), &[ErrorCode::InvalidArgument]),
            (L::UnknownId, "end_session", json!({ "session_id": "never-was-0000" }), &[ErrorCode::SessionNotFound]),
            (
                L::EndedId,
                "send_message",
                json!({ "session_id": ended.id, "message": "say nothing" }),
                &[ErrorCode::SessionNotFound, ErrorCode::SessionEnded],
            ),
        ];
        for (look, operation, args, wanted) in provocations {
            self.provoke(driver, Provocation { look, operation, args, wanted, may_succeed: false }).await;
        }
    }

    /// Sends a message of nothing to a session that lives.
    pub(super) async fn empty_message(&mut self, driver: &Adapter, session: &ExaminedSession) {
        let args = json!({ "session_id": session.id, "message": "" });
        let (operation, wanted) = ("send_message", &[ErrorCode::InvalidArgument]);
        self.provoke(driver, Provocation { look: L::EmptyMessage, operation, args, wanted, may_succeed: true }).await;
    }

    async fn provoke(&mut self, driver: &Adapter, provocation: Provocation) {
        let Provocation { look, operation, args, wanted, may_succeed } = provocation;
        if !self.manifest.operations.contains_key(operation) {
            return self.skipped(look, "the manifest does not map it");
        }
        match ask(driver, operation, args.clone()).await {
            Err(CallError::Contract(error)) if wanted.contains(&error.code) => self.fine(look, format!("as `{}`", error.code)),
            Err(CallError::Contract(error)) => {
                let came = driver.came();
                self.missing.entry(operation).or_default().entry(wanted[0].name()).or_default().insert(matcher(&came, &args));
                let why = format!("refused, but by a code or text that the manifest does not map: {}", said(&came, &error.message));
                self.odd(look, why, "paste the lines below into the manifest, or have the system answer with the contract's own code");
            }
            Ok(_) if may_succeed => self.fine(look, "taken"),
            Ok(answer) => {
                if let (Some(id), "start_session") = (answer["session_id"].as_str(), operation) {
                    // It is only to be gone.
                    let _ = ask(driver, "end_session", json!({ "session_id": id })).await;
                }
                self.odd(look, format!("{operation} succeeded: {}", shortened(&answer.to_string())), "verify judges that");
            }
            Err(error) => {
                self.odd(look, error.to_string(), "verify judges that; if it is an error in the system's words, map it in `errors`")
            }
        }
    }
}

/// What came, as it came.
fn said(came: &AnswerSeen, otherwise: &str) -> String {
    let words: Vec<String> = [
        came.exit.map(|exit| format!("exit status {exit}")),
        came.code.as_ref().map(|code| format!("code {code}")),
        came.message.clone(),
        Some(came.stderr.trim().to_owned()).filter(|text| !text.is_empty()),
        Some(came.stdout.trim().to_owned()).filter(|text| !text.is_empty() && came.exit.is_some() && came.stderr.trim().is_empty()),
    ]
    .into_iter()
    .flatten()
    .collect();
    shortened(if words.is_empty() { otherwise.to_owned() } else { words.join(": ") }.as_str())
}

/// A matcher that knows such an answer again, whatever the arguments are.
fn matcher(came: &AnswerSeen, args: &Value) -> String {
    let places = [("message", came.message.as_deref().unwrap_or_default()), ("stderr", &came.stderr), ("stdout", &came.stdout)];
    let exit = came.exit.filter(|exit| *exit != 0).map(|exit| format!("exit = {exit}"));
    let text = places.iter().find_map(|(key, text)| Some(format!("{key} = {:?}", regex::escape(&telling(text, args)?))));
    let code = came.code.as_ref().filter(|_| text.is_none()).map(|code| format!("code = {code:?}"));
    let conditions: Vec<String> = [exit, text, code].into_iter().flatten().collect();
    format!("{{ {} }}", conditions.join(", "))
}

/// The longest part of a text's first line that holds none of the arguments.
fn telling(text: &str, args: &Value) -> Option<String> {
    let mut parts = vec![text.trim().lines().next()?.to_owned()];
    for value in args.as_object()?.values().filter_map(Value::as_str).filter(|value| !value.is_empty()) {
        parts = parts.iter().flat_map(|part| part.split(value)).map(str::to_owned).collect();
    }
    let bare = |part: &String| part.trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
    parts.iter().map(bare).max_by_key(|part| part.chars().count()).filter(|part| part.chars().count() >= TELLING)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::by_its_words(Some("cwd /w/3/file is not an existing directory"), "", None, r#"{ message = "is not an existing directory" }"#)]
    #[case::by_its_code(Some("'/w/3/file'"), "", None, r#"{ code = "-32000" }"#)]
    #[case::of_a_program(
        None,
        "my-manager: no such folder: /w/3/file\n",
        Some(2),
        r#"{ exit = 2, stderr = "my\\-manager: no such folder" }"#
    )]
    fn a_refusal_is_known_again_by_what_does_not_change(
        #[case] message: Option<&str>,
        #[case] stderr: &str,
        #[case] exit: Option<i32>,
        #[case] expected: &str,
    ) {
        let code = message.map(|_| "-32000".to_owned());
        let came = AnswerSeen { message: message.map(str::to_owned), stderr: stderr.into(), exit, code, ..AnswerSeen::default() };
        assert_eq!(matcher(&came, &json!({ "agent": "claude", "cwd": "/w/3/file" })), expected);
    }
}
