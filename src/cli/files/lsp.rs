//! `passmuster files lsp`: a language server for session files, over standard input and output.
//!
//! Messages are read by lsp-server, strictly in order; what is told of a text is made from the text as it is at that moment.

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use jiff::Timestamp;
use lsp_server::{Connection, Message, Notification, Request, Response};
use serde_json::{Value, json};

use crate::files::{FileText, LintReport, Repaired, Safety};
use crate::suites::session_files::reference::{Linter, language, repository_of};

/// Runs the command: until the editor says that it is over, or hangs up.
pub(crate) fn run() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("passmuster files lsp: {error}");
            ExitCode::from(2)
        }
    }
}

fn serve() -> Result<(), Box<dyn Error + Send + Sync>> {
    let (connection, threads) = Connection::stdio();
    connection.initialize(language::capabilities())?;
    let mut editor = Editor { connection: &connection, texts: HashMap::new() };
    for message in &connection.receiver {
        match message {
            Message::Request(request) => {
                if connection.handle_shutdown(&request)? {
                    break;
                }
                let answer = editor.answered(&request);
                connection.sender.send(Message::Response(Response::new_ok(request.id, answer)))?;
            }
            Message::Notification(told) => editor.hears(&told)?,
            Message::Response(_) => {}
        }
    }
    drop(editor);
    drop(connection);
    Ok(threads.join()?)
}

/// An editor and the texts that are open in it.
struct Editor<'a> {
    connection: &'a Connection,
    texts: HashMap<String, String>,
}

impl Editor<'_> {
    fn hears(&mut self, told: &Notification) -> Result<(), Box<dyn Error + Send + Sync>> {
        let document = &told.params["textDocument"];
        let Some(uri) = document["uri"].as_str() else { return Ok(()) };
        let text = match told.method.as_str() {
            "textDocument/didOpen" => document["text"].as_str(),
            "textDocument/didChange" => told.params["contentChanges"].as_array().and_then(|changes| changes.last()?["text"].as_str()),
            "textDocument/didClose" => {
                self.texts.remove(uri);
                return self.publish(uri, json!([]));
            }
            _ => return Ok(()),
        };
        if let Some(text) = text {
            self.texts.insert(uri.to_owned(), text.to_owned());
        }
        let found = self.checked(uri, None).map(|(text, report, _)| language::diagnostics(&text, &report));
        match found {
            Some(found) => self.publish(uri, found),
            None => Ok(()),
        }
    }

    fn publish(&self, uri: &str, diagnostics: Value) -> Result<(), Box<dyn Error + Send + Sync>> {
        let params = json!({ "uri": uri, "diagnostics": diagnostics });
        Ok(self.connection.sender.send(Message::Notification(Notification::new("textDocument/publishDiagnostics".into(), params)))?)
    }

    /// What is wrong with an open session file, or what is left once it is put right. None where a text is no session file.
    fn checked(&self, uri: &str, safety: Option<Safety>) -> Option<(FileText, LintReport, Repaired)> {
        let path = language::session_path(uri)?;
        let text = self.texts.get(uri)?;
        let linter = Linter { now: Timestamp::now(), wanted: &|_| true };
        let (report, repaired) = linter.check_text(&path, text.as_bytes(), safety);
        Some((FileText::new(text.as_bytes()), report, repaired))
    }

    /// An answer; null where there is none.
    fn answered(&self, request: &Request) -> Value {
        let params = &request.params;
        let Some(uri) = params["textDocument"]["uri"].as_str() else { return Value::Null };
        let Some(text) = self.texts.get(uri).map(|text| FileText::new(text.as_bytes())) else { return Value::Null };
        let at = language::offset(&text, &params["position"]);
        match request.method.as_str() {
            "textDocument/codeAction" => self.actions(uri, params).unwrap_or_default(),
            "textDocument/documentSymbol" => language::symbols(&text),
            "textDocument/completion" => language::completions(&text, at),
            "textDocument/prepareRename" => {
                language::named(&text, at, &own_name(uri)).map_or(Value::Null, |(_, span)| language::range(&text, &span))
            }
            "textDocument/rename" => self.renamed(uri, &text, at, params["newName"].as_str().unwrap_or_default()).unwrap_or_default(),
            _ => Value::Null,
        }
    }

    fn actions(&self, uri: &str, params: &Value) -> Option<Value> {
        let (text, report, _) = self.checked(uri, None)?;
        let (_, _, repaired) = self.checked(uri, Some(Safety::Safe))?;
        Some(language::actions(uri, &text, &report, &repaired, &params["range"]))
    }

    /// The edits that give a session file another name, wherever it is named.
    fn renamed(&self, uri: &str, text: &FileText, at: usize, new: &str) -> Option<Value> {
        let (old, _) = language::named(text, at, &own_name(uri))?;
        let path = language::path_of(uri)?;
        let root = repository_of(path.parent().unwrap_or(Path::new("/")));
        language::rename(&root, &old, new, &self.texts)
    }
}

/// The name of a session file that is open; empty where it is another file.
fn own_name(uri: &str) -> String {
    let path = language::session_path(uri);
    path.and_then(|path| path.file_name().map(|name| name.to_string_lossy().into_owned())).unwrap_or_default()
}
