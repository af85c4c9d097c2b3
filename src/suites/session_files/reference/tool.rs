//! The operations of the tool: arguments become changes, files become answers.

use serde_json::{Map, Value, json};

use super::repository;
use super::sessions::{SessionFolder, revision, shown, told};
use super::tool_error::SessionFileError;
use super::{placing, sessions::ListedFile};
use crate::contract::{Args, ContractError, ErrorCode, OperationSpec, SESSION_FILE_OPERATIONS};
use crate::files::{Edit, NewFile, ROOT, SessionFile, Surroundings, YamlNode, check, inline, mentions, quoted};

/// What is done before a session file is deleted, in the words of the specification.
pub(crate) const CHECKLIST: [&str; 6] = [
    "External issue updated with final status",
    "Decisions captured as ADRs",
    "Lessons learned added to relevant docs",
    "Remaining work created as issues",
    "No orphaned references to session file",
    "Delete the session file",
];

type Answer = Result<Value, SessionFileError>;

/// The arguments of a call, by name.
struct Given(Args);

impl Given {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    fn must(&self, name: &str) -> &str {
        self.text(name).unwrap_or_default()
    }

    fn texts(&self, name: &str) -> Option<Vec<String>> {
        Some(self.0.get(name)?.as_array()?.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }
}

fn invalid(what: impl Into<String>) -> SessionFileError {
    SessionFileError::Invalid(what.into())
}

impl SessionFolder {
    /// Answers one operation of the contract's table.
    ///
    /// # Errors
    /// The contract's.
    pub(crate) fn answer(&self, operation: &str, args: &Args) -> Result<Value, ContractError> {
        let unknown = || ContractError::new(ErrorCode::InvalidArgument, format!("there is no operation `{operation}`"));
        let given = Given(OperationSpec::find(SESSION_FILE_OPERATIONS, operation).ok_or_else(unknown)?.accept(args)?);
        let answer = match operation {
            "create_session" => self.create_session(&given),
            "list_sessions" => self.list_sessions(&given),
            "read_session" => self.read_session(given.must("file")),
            "update_session" => self.update_session(&given),
            "append_log" => self.append_log(&given),
            "hand_off" => self.hand_off(&given),
            "complete_session" => self.complete_session(given.must("file")),
            "delete_session" => self.delete_session(&given),
            "start_protocol" => self.start_protocol(&given),
            _ => return Err(unknown()),
        };
        Ok(answer?)
    }

    fn create_session(&self, given: &Given) -> Answer {
        let new = NewFile {
            title: given.must("title").to_owned(),
            current_task: given.must("current_task").to_owned(),
            description: given.owned("description"),
            context: given.owned("context"),
            linear_issue: given.owned("linear_issue"),
            linear_url: given.owned("linear_url"),
        };
        Ok(json!({ "file": self.create(&new)? }))
    }

    fn list_sessions(&self, given: &Given) -> Answer {
        let active_only = given.0.get("active_only").and_then(Value::as_bool).unwrap_or_default();
        let list = self.list(active_only)?;
        let skipped: Vec<Value> = list.skipped.iter().map(|(name, reason)| json!({ "name": name, "reason": reason })).collect();
        Ok(json!({ "sessions": list.sessions.iter().map(shown).collect::<Vec<_>>(), "skipped": skipped }))
    }

    fn read_session(&self, name: &str) -> Answer {
        let (file, bytes) = self.read(name)?;
        let listed = ListedFile::of(&file).map_err(|why| invalid(format!("`{name}` is broken: {why}")))?;
        let mut session = shown(&listed);
        for key in ["linear_issue", "linear_url"] {
            if let Some(text) = file.matter.text("session", key) {
                session[key] = text.into();
            }
        }
        let text = |agent: &YamlNode, key: &str| agent.get(key).and_then(YamlNode::scalar).map(str::to_owned);
        let agent = |agent: &YamlNode| {
            let keys = ["agent", "task", "status", "summary"].into_iter();
            Value::Object(keys.filter_map(|key| Some((key.to_owned(), text(agent, key)?.into()))).collect())
        };
        session["spawned_agents"] = file.matter.agents().iter().map(agent).collect();
        Ok(json!({ "session": session, "sections": sections(&file), "revision": revision(&bytes) }))
    }

    fn update_session(&self, given: &Given) -> Answer {
        let revision = self.change(given.must("file"), given.text("revision"), |file, _| {
            let mut edits = Vec::new();
            if let Some(status) = given.text("status") {
                edits.push(set(file, "session", "status", &plain_or_quoted(status))?);
            }
            if let Some(task) = given.text("current_task") {
                edits.push(set(file, "orchestration", "current_task", &quoted(task))?);
            }
            if let Some(agents) = given.0.get("spawned_agents").and_then(Value::as_array) {
                let agents = agents.iter().map(agent_of).collect::<Result<Vec<_>, _>>()?;
                edits.push(file.set_agents(&agents).ok_or_else(|| invalid("the front matter cannot be changed"))?);
            }
            for (title, text) in given.0.get("sections").and_then(Value::as_object).into_iter().flatten() {
                edits.push(section(file, title, text.as_str())?);
            }
            for item in given.texts("ticked").unwrap_or_default() {
                edits.extend(file.tick(&item).ok_or_else(|| invalid(format!("there is no box `{item}`")))?);
            }
            Ok(edits)
        })?;
        Ok(json!({ "revision": revision }))
    }

    fn append_log(&self, given: &Given) -> Answer {
        let (who, text) = (given.must("who"), given.must("text"));
        for (name, given) in [("who", who), ("text", text)] {
            if given.trim().is_empty() {
                return Err(invalid(format!("`{name}` is empty")));
            }
        }
        let revision = self.change(given.must("file"), None, |file, now| {
            is_closed(file)?;
            Ok(vec![file.add_entry(now, who, text)])
        })?;
        Ok(json!({ "revision": revision }))
    }

    fn hand_off(&self, given: &Given) -> Answer {
        let (state, steps) = (given.must("current_state"), given.must("next_steps"));
        for (name, text) in [("Current State", state), ("Next Steps", steps)] {
            if let Some(why) = unready(text) {
                return Err(SessionFileError::NotReady(format!("{name} {why}: whoever takes over reads it first")));
            }
        }
        let to = given.text("to").map(str::trim).filter(|to| !to.is_empty());
        let revision = self.change(given.must("file"), None, |file, now| {
            is_closed(file)?;
            let mut edits = vec![section(file, "Current State", Some(state))?, section(file, "Next Steps", Some(steps))?];
            if let Some(files) = given.texts("files_modified").filter(|files| !files.is_empty()) {
                let lines: Vec<String> = files.iter().map(|file| format!("- {}", inline(file))).collect();
                edits.push(section(file, "Files Modified", Some(&lines.join("\n")))?);
            }
            let entry = to.map_or("Handed off.".to_owned(), |to| format!("Handed off to {}.", inline(to)));
            edits.push(file.add_entry(now, "handoff", &entry));
            if let Some(to) = to {
                let mut agents: Vec<Vec<(String, String)>> = file.matter.agents().iter().map(keys_of).collect();
                let task = file.matter.text("orchestration", "current_task").unwrap_or_default();
                let pairs = [("agent", to), ("task", task), ("status", "pending")];
                agents.push(pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect());
                edits.push(file.set_agents(&agents).ok_or_else(|| invalid("the front matter cannot be changed"))?);
            }
            Ok(edits)
        })?;
        Ok(json!({ "revision": revision }))
    }

    fn complete_session(&self, name: &str) -> Answer {
        let (file, _) = self.read(name)?;
        let running: Vec<String> = open_agents(&file);
        if !running.is_empty() {
            return Err(SessionFileError::NotReady(format!("not completed: {}", running.join(", "))));
        }
        self.change(name, None, |file, _| Ok(vec![set(file, "session", "status", "completed")?]))?;
        let items: Vec<Value> =
            self.checklist(name, &file).into_iter().map(|(item, state)| json!({ "item": item, "state": state })).collect();
        Ok(json!({ "checklist": items }))
    }

    /// The six items, and how far each is done as the repository shows it.
    fn checklist(&self, name: &str, file: &SessionFile) -> Vec<(&'static str, &'static str)> {
        let found = |code: &str| !check(&as_completed(file), &Surroundings::at((self.now)()), &|rule| rule.code == code).is_empty();
        let state = |open: bool| if open { "open" } else { "done" };
        let has_issue = file.matter.text("session", "linear_issue").is_some();
        let states = [
            if has_issue { "unknown" } else { "done" },
            state(found("SF603")),
            "unknown",
            state(found("SF502")),
            state(!self.references(name).is_empty()),
            "open",
        ];
        CHECKLIST.into_iter().zip(states).collect()
    }

    /// Where others name a session file: path and line.
    fn references(&self, name: &str) -> Vec<(String, usize)> {
        let mut found = Vec::new();
        for file in repository::naming(&self.repository) {
            let own = mentions(&file.text.text).into_iter().filter(|mention| mention.name == name);
            found.extend(own.map(|mention| (file.path.clone(), file.text.line(mention.span.start))));
        }
        for entry in std::fs::read_dir(self.root()).into_iter().flatten().flatten() {
            let other = entry.file_name().to_string_lossy().into_owned();
            if let Ok((file, _)) = self.read(&other).map_err(|_| ()).and_then(|read| if other == name { Err(()) } else { Ok(read) }) {
                let own = mentions(&file.text.text).into_iter().filter(|mention| mention.name == name);
                found.extend(own.map(|mention| (format!("{ROOT}/{other}"), file.text.line(mention.span.start))));
            }
        }
        found.sort();
        found
    }

    fn delete_session(&self, given: &Given) -> Answer {
        let name = given.must("file");
        let path = self.path(name)?;
        let (file, _) = self.read(name)?;
        let confirmed = given.texts("confirmed").unwrap_or_default();
        if let Some(item) = confirmed.iter().find(|item| !CHECKLIST.contains(&item.as_str())) {
            return Err(invalid(format!("`{item}` is no item of the checklist")));
        }
        let _locked = placing::lock(&self.root()).map_err(|error| told(name, error))?;
        let mut open: Vec<String> = Vec::new();
        if file.status() != Some("completed") {
            open.push(format!("the session is {}: complete it first", file.status().unwrap_or("of no status")));
        }
        open.extend(open_agents(&file));
        let references = self.references(name);
        for (item, state) in self.checklist(name, &file) {
            let is_last = item == CHECKLIST[5];
            let is_reference = item == CHECKLIST[4];
            if !is_last && !is_reference && state != "done" && !confirmed.iter().any(|known| known == item) {
                open.push(item.to_owned());
            }
        }
        if !open.is_empty() || !references.is_empty() {
            let places: Vec<String> = references.iter().map(|(path, line)| format!("{path}:{line}")).collect();
            let mut parts = Vec::new();
            if !open.is_empty() {
                parts.push(format!("open: {}", open.join("; ")));
            }
            if !places.is_empty() {
                parts.push(format!("references: {}", places.join(", ")));
            }
            return Err(SessionFileError::NotReady(parts.join(" · ")));
        }
        std::fs::remove_file(&path).map_err(|error| told(name, error))?;
        Ok(json!({}))
    }

    fn start_protocol(&self, given: &Given) -> Answer {
        match given.text("choice") {
            None => {
                let active = self.list(true)?.sessions;
                match active.is_empty() {
                    true => Ok(json!({ "decision": "fresh" })),
                    false => Ok(json!({ "decision": "ask", "sessions": active.iter().map(shown).collect::<Vec<_>>() })),
                }
            }
            Some("fresh") => match (given.text("title"), given.text("current_task")) {
                (Some(_), Some(_)) => {
                    let file = self.create_session(given)?;
                    Ok(json!({ "decision": "created", "file": file["file"] }))
                }
                _ => Ok(json!({ "decision": "fresh" })),
            },
            Some(file) => {
                let read = self.read_session(file)?;
                if read["session"]["status"] == "completed" {
                    return Err(SessionFileError::NotActive(file.to_owned()));
                }
                if read["session"]["status"] == "paused" {
                    self.change(file, None, |file, _| Ok(vec![set(file, "session", "status", "in_progress")?]))?;
                }
                Ok(json!({ "decision": "resumed", "file": file, "sections": read["sections"] }))
            }
        }
    }
}

/// The file as if it were completed: what its rules would say then.
fn as_completed(file: &SessionFile) -> SessionFile {
    match file.set_value("session", "status", "completed") {
        Some(edit) => SessionFile::read(&file.name.whole, &crate::files::apply(file.text.text.as_bytes(), &[edit])),
        None => file.clone(),
    }
}

fn sections(file: &SessionFile) -> Value {
    let mut all = Map::new();
    for (title, text) in file.level_two() {
        all.entry(title).or_insert(text.into());
    }
    Value::Object(all)
}

fn set(file: &SessionFile, part: &str, key: &str, value: &str) -> Result<Edit, SessionFileError> {
    file.set_value(part, key, value).ok_or_else(|| invalid("the front matter cannot be changed"))
}

/// A word as it is; anything else as a text, which the rules refuse.
fn plain_or_quoted(word: &str) -> String {
    if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') { word.to_owned() } else { quoted(word) }
}

fn section(file: &SessionFile, title: &str, text: Option<&str>) -> Result<Edit, SessionFileError> {
    let text = text.ok_or_else(|| invalid(format!("section `{title}` is no text")))?;
    if title.trim().is_empty() || title.trim() != title || title.contains('\n') {
        return Err(invalid("a section's title is one line of text"));
    }
    if title == "Session Log" {
        return Err(invalid("the session log is added to, not replaced: `append_log`"));
    }
    if text.trim().is_empty() {
        return Err(invalid(format!("section `{title}` would be empty")));
    }
    if file.outline.section(title).is_none() {
        is_closed(file)?;
    }
    Ok(file.set_section(title, text))
}

/// What is added to a file whose fence is never closed would be code.
fn is_closed(file: &SessionFile) -> Result<(), SessionFileError> {
    match file.has_open_fence() {
        true => Err(invalid("a fence is never closed, and would swallow what is added: `passmuster files check`")),
        false => Ok(()),
    }
}

fn agent_of(agent: &Value) -> Result<Vec<(String, String)>, SessionFileError> {
    let text = |(key, value): (&String, &Value)| match value.as_str() {
        Some(text) => Ok((key.clone(), text.to_owned())),
        None => Err(invalid(format!("an agent's `{key}` is no text"))),
    };
    agent.as_object().into_iter().flatten().map(text).collect()
}

fn keys_of(agent: &YamlNode) -> Vec<(String, String)> {
    let pair = |(key, value): &(YamlNode, YamlNode)| Some((key.scalar()?.to_owned(), value.scalar()?.to_owned()));
    agent.pairs().iter().filter_map(pair).collect()
}

/// Agents that are not completed, each with its status.
fn open_agents(file: &SessionFile) -> Vec<String> {
    let word = |agent: &YamlNode, key: &str| agent.get(key).and_then(YamlNode::scalar).unwrap_or_default().to_owned();
    let open = file.matter.agents().iter().filter(|agent| word(agent, "status") != "completed");
    open.map(|agent| format!("agent `{}` is {}", word(agent, "agent"), word(agent, "status"))).collect()
}

/// Why a text hands nothing over.
fn unready(text: &str) -> Option<String> {
    if text.trim().is_empty() {
        return Some("is empty".into());
    }
    let file = SessionFile::read(
        "20251204-143000-x.md",
        format!("---\n---\n\n## Current State\n\n{}\n", crate::files::contained(text, 2)).as_bytes(),
    );
    let around = Surroundings { folder: None, ..Surroundings::at(jiff::Timestamp::UNIX_EPOCH) };
    let found = check(&file, &around, &|rule| matches!(rule.code, "SF303" | "SF304"));
    let about_it = |message: &&str| message.contains("Current State");
    found.iter().map(|finding| finding.message.as_str()).find(about_it).map(|message| message.replace("`## Current State` ", ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> jiff::Timestamp {
        "2025-12-04T14:30:00Z".parse().unwrap()
    }

    struct Ground {
        folder: tempfile::TempDir,
        tool: SessionFolder,
    }

    fn ground() -> Ground {
        let folder = tempfile::tempdir().unwrap();
        let tool = SessionFolder { repository: folder.path().to_owned(), now: at };
        Ground { folder, tool }
    }

    impl Ground {
        fn ask(&self, operation: &str, args: Value) -> Result<Value, (ErrorCode, String)> {
            let answer = self.tool.answer(operation, args.as_object().unwrap());
            answer.map_err(|error| (error.code, error.message))
        }

        fn new_file(&self) -> String {
            let answer = self.ask("create_session", json!({ "title": "Weather fallback", "current_task": "Cache it" })).unwrap();
            answer["file"].as_str().unwrap().to_owned()
        }

        fn text(&self, file: &str) -> String {
            std::fs::read_to_string(self.folder.path().join(ROOT).join(file)).unwrap()
        }

        fn names(&self) -> Vec<String> {
            let mut names: Vec<String> = std::fs::read_dir(self.folder.path().join(ROOT))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        }
    }

    #[test]
    fn files_of_one_second_are_different_files() {
        let ground = ground();
        let files = [ground.new_file(), ground.new_file(), ground.new_file()];
        assert_eq!(files[0], "20251204-143000-weather-fallback.md");
        assert_eq!(files[2], "20251204-143000-weather-fallback-3.md");
        assert_eq!(ground.names().len(), 3);
    }

    #[test]
    fn an_update_changes_what_it_names() {
        let ground = ground();
        let file = ground.new_file();
        let path = ground.folder.path().join(ROOT).join(&file);
        let odd = ground.text(&file).replace("status:", "# kept\n  owner: me\n  status:").replace('\n', "\r\n");
        std::fs::write(&path, &odd).unwrap();
        let read = ground.ask("read_session", json!({ "file": file })).unwrap();
        let update = json!({ "file": file, "current_task": "a: b # \"c\"", "sections": { "Current State": "x\n## y" }, "revision": read["revision"] });
        let updated = ground.ask("update_session", update).unwrap();
        let expected = odd
            .replace("current_task: \"Cache it\"", "current_task: \"a: b # \\\"c\\\"\"")
            .replace("Nothing is done yet.", "~~~literal\r\nx\r\n## y\r\n~~~");
        assert_eq!(ground.text(&file), expected);
        let read = ground.ask("read_session", json!({ "file": file })).unwrap();
        assert_eq!((&read["sections"]["Current State"], &read["session"]["current_task"]), (&json!("x\n## y"), &json!("a: b # \"c\"")));
        assert_eq!(read["revision"], updated["revision"]);
        let stale = ground.ask("update_session", json!({ "file": file, "status": "paused", "revision": "0-0" }));
        assert_eq!(stale.unwrap_err().0, ErrorCode::Conflict);
    }

    #[test]
    fn what_would_break_a_rule_is_not_written() {
        let ground = ground();
        let file = ground.new_file();
        let before = ground.text(&file);
        for wrong in [
            json!({ "status": "done" }),
            json!({ "current_task": "" }),
            json!({ "sections": { "Context": " " } }),
            json!({ "sections": { "Session Log": "x" } }),
            json!({ "spawned_agents": [{ "agent": "a" }] }),
            json!({ "ticked": ["nothing"] }),
            json!({ "status": "completed", "spawned_agents": [{ "agent": "a", "task": "t", "status": "pending" }] }),
        ] {
            let mut args = wrong.clone();
            args["file"] = file.clone().into();
            assert_eq!(ground.ask("update_session", args).unwrap_err().0, ErrorCode::InvalidArgument, "{wrong}");
        }
        assert_eq!(ground.text(&file), before);
    }

    #[test]
    fn names_lead_nowhere_else_and_links_are_not_followed() {
        let ground = ground();
        ground.new_file();
        let outside = ground.folder.path().join("outside.md");
        std::fs::write(&outside, "mine").unwrap();
        std::os::unix::fs::symlink(&outside, ground.folder.path().join(ROOT).join("20251204-143000-link.md")).unwrap();
        for (file, code) in [
            ("../../outside.md", ErrorCode::InvalidArgument),
            ("/etc/passwd", ErrorCode::InvalidArgument),
            (".hidden.md", ErrorCode::InvalidArgument),
            ("20251204-143000-link.md", ErrorCode::InvalidArgument),
            ("20251204-143000-none.md", ErrorCode::SessionNotFound),
        ] {
            for (operation, more) in
                [("read_session", json!({})), ("append_log", json!({ "who": "a", "text": "b" })), ("delete_session", json!({}))]
            {
                let mut args = more.clone();
                args["file"] = file.into();
                assert_eq!(ground.ask(operation, args).unwrap_err().0, code, "{operation} {file}");
            }
        }
        assert_eq!(std::fs::read_to_string(&outside).unwrap(), "mine");
        let list = ground.ask("list_sessions", json!({})).unwrap();
        assert_eq!((list["sessions"].as_array().unwrap().len(), &list["skipped"][0]["name"]), (1, &json!("20251204-143000-link.md")));
    }

    #[test]
    fn a_handoff_hands_over_what_was_given_or_changes_nothing() {
        let ground = ground();
        let file = ground.new_file();
        let before = ground.text(&file);
        for (state, steps) in [("", "- go on"), ("done", " "), ("TODO", "- go on"), ("Where we are right now. What just happened.", "- x")]
        {
            let args = json!({ "file": file, "current_state": state, "next_steps": steps });
            assert_eq!(ground.ask("hand_off", args).unwrap_err().0, ErrorCode::NotReady, "{state:?} {steps:?}");
        }
        assert_eq!(ground.text(&file), before);
        let args = json!({ "file": file, "current_state": "half\n```\nopen", "next_steps": "- a\n- b", "files_modified": ["src/a_b.rs"], "to": "backend-dev" });
        ground.ask("hand_off", args).unwrap();
        let read = ground.ask("read_session", json!({ "file": file })).unwrap();
        assert_eq!(read["sections"]["Current State"], "half\n```\nopen");
        assert_eq!(read["sections"]["Next Steps"], "- a\n- b");
        assert_eq!(read["sections"]["Files Modified"], "- src/a_b.rs");
        assert_eq!(read["session"]["spawned_agents"], json!([{ "agent": "backend-dev", "task": "Cache it", "status": "pending" }]));
        assert!(ground.text(&file).ends_with("### 2025-12-04 14:30 - handoff\n\nHanded off to backend-dev.\n"));
    }

    #[test]
    fn a_session_is_completed_after_its_agents_and_deleted_after_its_checklist() {
        let ground = ground();
        let file = ground.new_file();
        let other = ground.new_file();
        let agent =
            |status: &str| json!({ "file": file, "spawned_agents": [{ "agent": "a", "task": "t", "status": status, "summary": "s" }] });
        ground.ask("update_session", agent("in_progress")).unwrap();
        assert_eq!(ground.ask("complete_session", json!({ "file": file })).unwrap_err().0, ErrorCode::NotReady);
        ground.ask("update_session", agent("completed")).unwrap();
        let update = json!({ "file": file, "sections": { "Work": "- [ ] left over\n- [x] done" } });
        ground.ask("update_session", update).unwrap();
        let done = ground.ask("complete_session", json!({ "file": file })).unwrap();
        let states: Vec<&str> = done["checklist"].as_array().unwrap().iter().map(|item| item["state"].as_str().unwrap()).collect();
        assert_eq!(states, ["done", "done", "unknown", "open", "done", "open"]);
        std::fs::write(ground.folder.path().join("README.md"), format!("a\nsee {ROOT}/{file}\nor [it]({file})\n")).unwrap();
        let (code, why) = ground.ask("delete_session", json!({ "file": file })).unwrap_err();
        assert_eq!(code, ErrorCode::NotReady);
        assert_eq!(
            why,
            "open: Lessons learned added to relevant docs; Remaining work created as issues · references: README.md:2, README.md:3"
        );
        let confirmed = json!({ "file": file, "confirmed": [CHECKLIST[2], CHECKLIST[3]] });
        assert_eq!(ground.ask("delete_session", confirmed.clone()).unwrap_err().1, "references: README.md:2, README.md:3");
        std::fs::write(ground.folder.path().join("README.md"), "a\n").unwrap();
        let (path, text) = (ground.folder.path().join(ROOT).join(&file), ground.text(&file));
        let running = text.replace("\"status\": \"completed\"", "\"status\": \"in_progress\"");
        std::fs::write(&path, running).unwrap();
        assert_eq!(ground.ask("delete_session", confirmed.clone()).unwrap_err().1, "open: agent `a` is in_progress");
        std::fs::write(&path, text).unwrap();
        ground.ask("delete_session", confirmed).unwrap();
        assert_eq!(ground.names(), [other.as_str()]);
    }

    #[test]
    fn a_start_never_resumes_by_itself() {
        let ground = ground();
        assert_eq!(ground.ask("start_protocol", json!({})).unwrap(), json!({ "decision": "fresh" }));
        let file = ground.new_file();
        let asked = ground.ask("start_protocol", json!({})).unwrap();
        assert_eq!((&asked["decision"], &asked["sessions"][0]["file"]), (&json!("ask"), &json!(file)));
        ground.ask("update_session", json!({ "file": file, "status": "paused" })).unwrap();
        let resumed = ground.ask("start_protocol", json!({ "choice": file })).unwrap();
        assert_eq!((&resumed["decision"], &resumed["sections"]["Current State"]), (&json!("resumed"), &json!("Nothing is done yet.")));
        assert!(ground.text(&file).contains("status: in_progress"));
        assert_eq!(ground.ask("start_protocol", json!({ "choice": "20251204-143000-none.md" })).unwrap_err().0, ErrorCode::SessionNotFound);
        let created = ground.ask("start_protocol", json!({ "choice": "fresh", "title": "New", "current_task": "x" })).unwrap();
        assert_eq!(created, json!({ "decision": "created", "file": "20251204-143000-new.md" }));
    }

    #[test]
    fn boxes_are_ticked_and_agents_written_in_the_style_that_is_there() {
        let ground = ground();
        let file = ground.new_file();
        ground.ask("update_session", json!({ "file": file, "sections": { "Work": "- [ ] one\n- [ ] two" } })).unwrap();
        ground.ask("update_session", json!({ "file": file, "ticked": ["two"] })).unwrap();
        assert!(ground.text(&file).contains("- [ ] one\n- [x] two"));
        let path = ground.folder.path().join(ROOT).join(&file);
        let block = ground.text(&file).replace(
            "  current_task: \"Cache it\"\n",
            "  current_task: \"Cache it\"\n  spawned_agents:\n    - agent: a\n      task: t\n      status: pending\n",
        );
        std::fs::write(&path, &block).unwrap();
        ground
            .ask("update_session", json!({ "file": file, "spawned_agents": [{ "agent": "a: b", "task": "t", "status": "pending" }] }))
            .unwrap();
        assert!(
            ground.text(&file).contains("  spawned_agents:\n    - agent: \"a: b\"\n      task: \"t\"\n      status: \"pending\"\n---\n"),
            "{}",
            ground.text(&file)
        );
    }
}
