//! The language server for session files: asked in its own protocol, and in an editor.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/session-files");
const NAME: &str = "20251204-143000-weather-fallback.md";

fn repository(fixture: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join(".agents/sessions")).unwrap();
    fs::create_dir(folder.path().join(".git")).unwrap();
    let file = folder.path().join(".agents/sessions").join(NAME);
    fs::copy(format!("{FIXTURES}/{fixture}"), &file).unwrap();
    fs::write(folder.path().join("README.md"), format!("äö .agents/sessions/{NAME}\n")).unwrap();
    (folder, file)
}

/// The server, and what is said to it.
struct Server {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    asked: u64,
}

impl Server {
    fn start(root: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_passmuster"));
        command.args(["files", "lsp"]).current_dir(root).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        let mut server = Self { child, input, output, asked: 0 };
        let capabilities = server.ask("initialize", json!({ "capabilities": {} }));
        assert_eq!(capabilities["capabilities"]["renameProvider"]["prepareProvider"], true);
        server.tell("initialized", json!({}));
        server
    }

    fn send(&mut self, message: Value) {
        let text = message.to_string();
        write!(self.input.as_mut().unwrap(), "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
    }

    fn tell(&mut self, method: &str, params: Value) {
        self.send(json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        self.send(json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        loop {
            let heard = self.hear();
            if heard["id"] == id {
                return heard["result"].clone();
            }
        }
    }

    fn hear(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "the server is gone");
            match line.trim().split_once(": ") {
                Some((_, value)) => length = value.parse().unwrap(),
                None => break,
            }
        }
        let mut text = vec![0; length];
        self.output.read_exact(&mut text).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// The codes of the next diagnostics.
    fn diagnosed(&mut self) -> Vec<String> {
        loop {
            let heard = self.hear();
            if heard["method"] == "textDocument/publishDiagnostics" {
                let found = heard["params"]["diagnostics"].as_array().unwrap().clone();
                return found.iter().map(|found| found["code"].as_str().unwrap().to_owned()).collect();
            }
        }
    }

    fn end(mut self) {
        self.ask("shutdown", Value::Null);
        self.tell("exit", Value::Null);
        self.input = None;
        assert!(self.child.wait().unwrap().success());
    }
}

#[test]
fn a_text_is_judged_as_it_is_typed_and_put_right() {
    let (folder, file) = repository("SF105.fail.md");
    let mut server = Server::start(folder.path());
    let uri = format!("file://{}", file.display());
    let text = fs::read_to_string(&file).unwrap();
    server.tell("textDocument/didOpen", json!({ "textDocument": { "uri": uri, "languageId": "markdown", "version": 1, "text": text } }));
    // It is long ago, and in_progress still: that is found besides.
    assert_eq!(server.diagnosed(), ["SF503", "SF105"]);
    let at = |line: u32, character: u32| json!({ "line": line, "character": character });
    let document = json!({ "uri": uri });
    let range = json!({ "start": at(6, 0), "end": at(6, 4) });
    let actions =
        server.ask("textDocument/codeAction", json!({ "textDocument": document, "range": range, "context": { "diagnostics": [] } }));
    let titles: Vec<&str> = actions.as_array().unwrap().iter().map(|action| action["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["SF105: remove the second", "put right what can be (1 findings)"]);
    let edit = &actions[0]["edit"]["changes"][&uri][0];
    assert_eq!((&edit["range"]["start"], &edit["range"]["end"], &edit["newText"]), (&at(6, 0), &at(7, 0), &json!("")));
    let right = fs::read_to_string(format!("{FIXTURES}/SF105.pass.md")).unwrap();
    assert_eq!(actions[1]["edit"]["changes"][&uri][0]["newText"], right);
    let broken = right.replace("## Next Steps", "## \u{1f980}").replace("status: in_progress", "status: pa");
    server.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": [{ "text": broken }] }));
    assert_eq!(server.diagnosed(), ["SF204", "SF301"]);
    let symbols = server.ask("textDocument/documentSymbol", json!({ "textDocument": document }));
    assert_eq!((&symbols[1]["name"], &symbols[1]["selectionRange"]["start"]), (&json!("Context"), &at(20, 0)));
    let words = server.ask("textDocument/completion", json!({ "textDocument": document, "position": at(3, 12) }));
    assert_eq!(words[0]["label"], "paused");
    server.tell("textDocument/didClose", json!({ "textDocument": document }));
    assert_eq!(server.diagnosed(), Vec::<String>::new());
    server.end();
}

#[test]
fn another_name_takes_every_reference_along() {
    let (folder, file) = repository("SF105.pass.md");
    let readme = folder.path().join("README.md");
    let mut server = Server::start(folder.path());
    let uri = format!("file://{}", readme.display());
    // What is open counts as it is there, not as it was saved.
    let text = format!("\n{}", fs::read_to_string(&readme).unwrap());
    server.tell("textDocument/didOpen", json!({ "textDocument": { "uri": uri, "languageId": "markdown", "version": 1, "text": text } }));
    let place = json!({ "textDocument": { "uri": uri }, "position": { "line": 1, "character": 30 } });
    let named = server.ask("textDocument/prepareRename", place.clone());
    assert_eq!(named["start"], json!({ "line": 1, "character": 20 }));
    let mut rename = place;
    rename["newName"] = "Rain & wind".into();
    let changes = server.ask("textDocument/rename", rename)["documentChanges"].clone();
    let new = "20251204-143000-rain-wind.md";
    assert_eq!(changes[0]["edits"][0]["newText"], new);
    assert_eq!(changes[1]["newUri"], format!("file://{}", file.with_file_name(new).display()));
    assert_eq!(changes.as_array().unwrap().len(), 2);
    server.end();
}

/// What Neovim is told to do: it writes what it saw into a file.
const SCRIPT: &str = r##"
local seen = {}
local function codes()
  local all = {}
  for _, found in ipairs(vim.diagnostic.get(0)) do table.insert(all, found.code) end
  table.sort(all)
  return table.concat(all, ' ')
end
local function wait_for(wanted)
  vim.wait(60000, function() return codes() == wanted end, 10)
  table.insert(seen, codes())
end
local function ask(method, params)
  for _, answer in pairs(vim.lsp.buf_request_sync(0, method, params, 60000)) do return answer.result end
end
vim.cmd('edit ' .. vim.env.SESSION)
local client = vim.lsp.start_client({ cmd = { vim.env.PASSMUSTER, 'files', 'lsp' }, root_dir = vim.fn.getcwd() })
vim.lsp.buf_attach_client(0, client)
wait_for('SF105 SF503')
local params = vim.lsp.util.make_range_params()
params.context = { diagnostics = {} }
for _, action in ipairs(ask('textDocument/codeAction', params)) do
  if action.kind == 'source.fixAll' then vim.lsp.util.apply_workspace_edit(action.edit, 'utf-16') end
end
wait_for('SF503')
vim.cmd('write')
local title = vim.lsp.util.make_position_params()
local words = ask('textDocument/completion', { textDocument = title.textDocument, position = { line = 3, character = 10 } })
for _, word in ipairs(words) do table.insert(seen, word.label) end
title.newName = 'rain'
vim.lsp.util.apply_workspace_edit(ask('textDocument/rename', title), 'utf-16')
vim.cmd('wall')
vim.fn.writefile(seen, vim.env.SEEN)
"##;

#[test]
fn an_editor_shows_fixes_completes_and_renames() {
    let (folder, file) = repository("SF105.fail.md");
    let at = |name: &str| folder.path().join(name);
    fs::write(at("script.lua"), SCRIPT).unwrap();
    let mut nvim = Command::new("nvim");
    nvim.args(["--headless", "-u", "NONE", "-i", "NONE", "-n", "-c", "luafile script.lua", "-c", "qa!"]).current_dir(&folder);
    nvim.env("SESSION", &file).env("PASSMUSTER", env!("CARGO_BIN_EXE_passmuster")).env("SEEN", at("seen.txt")).env("HOME", folder.path());
    let output = nvim.stdin(Stdio::null()).output().expect("Neovim is installed: `./test` does so");
    let seen = fs::read_to_string(at("seen.txt")).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!(seen.lines().collect::<Vec<_>>(), ["SF105 SF503", "SF503", "in_progress", "paused", "completed"]);
    let renamed = file.with_file_name("20251204-143000-rain.md");
    assert_eq!(fs::read_to_string(renamed).unwrap(), fs::read_to_string(format!("{FIXTURES}/SF105.pass.md")).unwrap());
    assert_eq!(fs::read_to_string(at("README.md")).unwrap(), "äö .agents/sessions/20251204-143000-rain.md\n");
    assert!(!file.exists());
}
