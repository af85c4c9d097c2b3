//! What an editor is told of a session file: places in its own units, diagnostics, fixes, an outline, words, another name.

use std::collections::HashMap;
use std::ops::Range;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::repository;
use crate::files::{FileName, FileText, LintReport, LocatedFinding, ROOT, Repaired, Safety, SessionFile, mentions, slug, words_for};

/// What the server can do.
pub(crate) fn capabilities() -> Value {
    json!({
        "textDocumentSync": { "openClose": true, "change": 1 },
        "codeActionProvider": { "codeActionKinds": ["quickfix", "source.fixAll"] },
        "documentSymbolProvider": true,
        "completionProvider": { "triggerCharacters": ["#", ":"] },
        "renameProvider": { "prepareProvider": true },
    })
}

/// The path of a file by its address.
pub(crate) fn path_of(uri: &str) -> Option<PathBuf> {
    let escaped = uri.strip_prefix("file://")?.as_bytes();
    let (mut path, mut at) = (Vec::with_capacity(escaped.len()), 0);
    while let Some(byte) = escaped.get(at) {
        let hex = escaped.get(at + 1..at + 3).filter(|hex| *byte == b'%' && hex.iter().all(u8::is_ascii_hexdigit));
        let code = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        path.push(code.unwrap_or(*byte));
        at += if code.is_some() { 3 } else { 1 };
    }
    Some(PathBuf::from(std::ffi::OsString::from_vec(path)))
}

/// The address of a file: what has a meaning there is escaped.
fn uri_of(path: &Path) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(byte);
    let bytes = path.as_os_str().as_bytes().iter();
    bytes.fold(
        "file://".to_owned(),
        |uri, byte| if plain(byte) { uri + &char::from(*byte).to_string() } else { format!("{uri}%{byte:02X}") },
    )
}

/// The path of a session file by its address.
pub(crate) fn session_path(uri: &str) -> Option<PathBuf> {
    let path = path_of(uri)?;
    let inside = path.to_string_lossy().contains(&format!("/{ROOT}/"));
    (inside && path.extension().is_some_and(|extension| extension == "md")).then_some(path)
}

/// A place in lines and UTF-16 units from 0, as editors count.
fn position(text: &FileText, offset: usize) -> Value {
    let line = text.line(offset);
    let start = text.line_span(line).start;
    let units: usize = text.text.get(start..offset).unwrap_or_default().chars().map(char::len_utf16).sum();
    json!({ "line": line - 1, "character": units })
}

/// A range of bytes, as editors count.
pub(crate) fn range(text: &FileText, span: &Range<usize>) -> Value {
    json!({ "start": position(text, span.start), "end": position(text, span.end) })
}

/// The offset of an editor's place.
pub(crate) fn offset(text: &FileText, place: &Value) -> usize {
    let line = text.line_span(place["line"].as_u64().map_or(1, |line| usize::try_from(line).unwrap_or(usize::MAX - 1) + 1));
    let mut left = place["character"].as_u64().unwrap_or_default() as usize;
    for (at, c) in text.slice(&line).char_indices() {
        if left < c.len_utf16() {
            return line.start + at;
        }
        left -= c.len_utf16();
    }
    line.end
}

/// Findings as an editor shows them.
pub(crate) fn diagnostics(text: &FileText, report: &LintReport) -> Value {
    report.findings.iter().map(|found| diagnostic(text, found)).collect()
}

fn diagnostic(text: &FileText, found: &LocatedFinding) -> Value {
    let finding = &found.finding;
    // What is of the whole file is shown at its first line.
    let span = if finding.span.is_empty() && finding.span.start == 0 { text.line_span(1) } else { finding.span.clone() };
    let help = finding.help.as_ref().map(|help| format!("\n{help}")).unwrap_or_default();
    json!({
        "range": range(text, &span),
        "severity": if finding.rule.should { 2 } else { 1 },
        "code": finding.rule.code,
        "source": "passmuster",
        "message": format!("{}{help}", finding.message),
    })
}

/// What an editor offers at a range: each fix that is there, and all safe ones at once.
pub(crate) fn actions(uri: &str, text: &FileText, report: &LintReport, repaired: &Repaired, at: &Value) -> Value {
    let asked = offset(text, &at["start"])..offset(text, &at["end"]);
    let lines = text.line(asked.start)..=text.line(asked.end);
    let edited = |edits: Vec<Value>| json!({ "changes": { uri: edits } });
    let mut actions: Vec<Value> = Vec::new();
    for found in report.findings.iter().filter(|found| lines.contains(&found.line)) {
        // Another name is the rename's.
        let Some(repair) = found.finding.repair.as_ref().filter(|repair| repair.rename.is_none()) else { continue };
        let edits = repair.edits.iter().map(|edit| json!({ "range": range(text, &edit.span), "newText": edit.text })).collect();
        let hint = if repair.safety == Safety::Safe { "" } else { " (may change what the file means)" };
        actions.push(json!({
            "title": format!("{}: {}{hint}", found.finding.rule.code, repair.what),
            "kind": "quickfix",
            "diagnostics": [diagnostic(text, found)],
            "isPreferred": repair.safety == Safety::Safe,
            "edit": edited(edits),
        }));
    }
    if repaired.fixed > 0 {
        let whole = json!({ "range": range(text, &(0..text.text.len())), "newText": String::from_utf8_lossy(&repaired.bytes) });
        let title = format!("put right what can be ({} findings)", repaired.fixed);
        actions.push(json!({ "title": title, "kind": "source.fixAll", "edit": edited(vec![whole]) }));
    }
    actions.into()
}

/// The headings.
pub(crate) fn symbols(text: &FileText) -> Value {
    let file = SessionFile::read("", text.text.as_bytes());
    let sections = file.outline.sections().into_iter();
    sections
        .map(|section| {
            json!({
                "name": section.heading.text,
                "kind": 15,
                "range": range(text, &(section.heading.span.start..section.body.end)),
                "selectionRange": range(text, &section.heading.span),
            })
        })
        .collect()
}

/// Words that may stand at a place.
pub(crate) fn completions(text: &FileText, at: usize) -> Value {
    let line = text.line_span(text.line(at));
    let before = text.slice(&(line.start..at.clamp(line.start, line.end)));
    let file = SessionFile::read("", text.text.as_bytes());
    let words = words_for(&file, before, at);
    words.into_iter().map(|word| json!({ "label": word, "kind": 14 })).collect()
}

/// The session file that is named at a place: by a reference there, or the file itself at its title or first line.
pub(crate) fn named(text: &FileText, at: usize, own: &str) -> Option<(String, Range<usize>)> {
    let mention = mentions(&text.text).into_iter().find(|mention| mention.span.start <= at && at <= mention.span.end);
    if let Some(mention) = mention {
        return Some((mention.name, mention.span));
    }
    let file = SessionFile::read(own, text.text.as_bytes());
    let title = file.matter.value("session", "title").map(|node| node.span.clone());
    let place = title.filter(|title| title.start <= at && at <= title.end).or_else(|| (text.line(at) == 1).then(|| text.line_span(1)))?;
    file.name.is_right().then(|| (own.to_owned(), place))
}

/// The edits that give a session file another name. `new` is a whole name, or words of which its description is made.
pub(crate) fn rename(root: &Path, old: &str, new: &str, open: &HashMap<String, String>) -> Option<Value> {
    let bare = new.trim().trim_end_matches(".md");
    let name = if FileName::new(new.trim()).is_right() { new.trim().to_owned() } else { format!("{}-{}.md", old.get(..15)?, slug(bare)) };
    // An open file is told of by the address that its editor gave it.
    let given: HashMap<PathBuf, &String> = open.keys().filter_map(|uri| Some((path_of(uri)?, uri))).collect();
    let uri = |path: &Path| given.get(path).map_or_else(|| uri_of(path), |uri| (*uri).clone());
    let folder = root.join(ROOT);
    let mut changes: Map<String, Value> = Map::new();
    let mut look = |path: PathBuf, text: &FileText| {
        let own = mentions(&text.text).into_iter().filter(|mention| mention.name == old);
        let edits: Vec<Value> = own.map(|mention| json!({ "range": range(text, &mention.span), "newText": name })).collect();
        if !edits.is_empty() {
            changes.insert(uri(&path), edits.into());
        }
    };
    let text_of = |path: &Path, saved: FileText| open.get(&uri(path)).map_or(saved, |text| FileText::new(text.as_bytes()));
    for file in repository::naming(root) {
        let path = root.join(&file.path);
        let text = text_of(&path, file.text);
        look(path, &text);
    }
    for session in repository::session_names(root) {
        let path = folder.join(&session);
        let Ok(bytes) = super::placing::read(&path) else { continue };
        let text = text_of(&path, FileText::new(&bytes));
        look(path, &text);
    }
    // Texts first: the file that gets another name may name itself.
    let edits = changes.into_iter().map(|(uri, edits)| json!({ "textDocument": { "uri": uri, "version": null }, "edits": edits }));
    let file = json!({ "kind": "rename", "oldUri": uri(&folder.join(old)), "newUri": uri(&folder.join(&name)) });
    Some(json!({ "documentChanges": edits.chain([file]).collect::<Vec<_>>() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rename_finds_its_files_whatever_their_paths_hold() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("a b é#%20");
        let old = "20251204-143000-a.md";
        std::fs::create_dir_all(root.join(ROOT)).unwrap();
        std::fs::write(root.join(ROOT).join(old), "x").unwrap();
        std::fs::write(root.join("README.md"), format!("[x]({ROOT}/{old}) and {old}\n")).unwrap();
        for path in [root.join("README.md"), root.join(ROOT).join(old)] {
            assert_eq!(path_of(&uri_of(&path)), Some(path));
        }
        let open = HashMap::from([(uri_of(&root.join("README.md")).replace("%C3%A9", "é"), format!("{ROOT}/{old}\n"))]);
        for (open, edits) in [(HashMap::new(), 2), (open, 1)] {
            let changes = rename(&root, old, "b", &open).unwrap();
            let changes = changes["documentChanges"].as_array().unwrap();
            assert_eq!((changes.len(), changes[0]["edits"].as_array().unwrap().len()), (2, edits));
            assert_eq!(changes[1]["oldUri"], uri_of(&root.join(ROOT).join(old)));
        }
    }

    #[test]
    fn places_are_counted_as_editors_do() {
        let text = FileText::new("a🦀ä\nb".as_bytes());
        for (at, place) in [(0, (0, 0)), (5, (0, 3)), (7, (0, 4)), (8, (1, 0)), (9, (1, 1))] {
            let shown = position(&text, at);
            assert_eq!((shown["line"].as_u64(), shown["character"].as_u64()), (Some(place.0), Some(place.1)));
            assert_eq!(offset(&text, &shown), at);
        }
    }
}
