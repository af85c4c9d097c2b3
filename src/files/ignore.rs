//! `<!-- passmuster: ignore SF304 -->` on a line or the line above it, `# passmuster: ignore SF206` in front matter, and
//! `ignore-file` for the whole file.

use std::cell::Cell;
use std::ops::Range;

use super::finding::{FileFinding, Repair, Safety};
use super::rules::{self, Spot};
use super::session_file::SessionFile;

const WORD: &str = "passmuster: ignore";

/// A comment that silences rules.
#[derive(Debug)]
pub(crate) struct IgnoreComment {
    /// The place of its codes, and of the comment as a whole.
    codes: Vec<(Range<usize>, String, Cell<bool>)>,
    whole: Range<usize>,
    /// The lines that it silences; none: all of them.
    lines: Option<Range<usize>>,
}

impl IgnoreComment {
    /// Whether it silences a finding; it takes note that it was of use.
    pub(crate) fn silences(&self, file: &SessionFile, finding: &FileFinding) -> bool {
        let line = file.text.line(finding.span.start);
        if self.lines.as_ref().is_some_and(|lines| !lines.contains(&line)) {
            return false;
        }
        let named = self.codes.iter().find(|(_, code, _)| code == finding.rule.code);
        named.inspect(|(_, _, used)| used.set(true)).is_some()
    }
}

/// The comments of a file.
pub(crate) fn comments(file: &SessionFile) -> Vec<IgnoreComment> {
    let text = &file.text.text;
    text.match_indices(WORD).filter_map(|(at, _)| comment(file, at)).collect()
}

fn comment(file: &SessionFile, at: usize) -> Option<IgnoreComment> {
    let line = file.text.line(at);
    let span = file.text.line_span(line);
    let before = &file.text.text[span.start..at];
    let in_matter = at < file.matter.body;
    let (start, end) = if in_matter {
        (span.start + before.rfind('#')?, span.end)
    } else {
        let rest = &file.text.text[at..span.end];
        (span.start + before.rfind("<!--")?, at + rest.find("-->")?)
    };
    if !before[start - span.start..].trim_start_matches(['#', '<', '!', '-']).trim().is_empty() || file.outline.is_code(at) {
        return None;
    }
    let mut from = at + WORD.len();
    let whole_file = file.text.text[from..end].starts_with("-file");
    from += if whole_file { "-file".len() } else { 0 };
    let mut codes = Vec::new();
    for word in file.text.text[from..end].split([' ', ',']) {
        let place = from..from + word.len();
        from = place.end + 1;
        if !word.is_empty() {
            codes.push((place, word.to_owned(), Cell::new(false)));
        }
    }
    let whole = start..if in_matter { end } else { end + "-->".len() };
    // A comment that has its line to itself is meant for the next one.
    let alone = file.text.text[span.start..start].trim().is_empty() && file.text.text[whole.end..span.end].trim().is_empty();
    let lines = if alone { line..line + 2 } else { line..line + 1 };
    Some(IgnoreComment { codes, whole, lines: (!whole_file).then_some(lines) })
}

/// The codes that silenced nothing.
pub(crate) fn unused(comments: &[IgnoreComment]) -> Vec<FileFinding> {
    let mut findings = Vec::new();
    let rule = rules::rule("SF901").expect("the table has it");
    for comment in comments {
        let all_unused = comment.codes.iter().all(|(_, _, used)| !used.get());
        for (place, code, _) in comment.codes.iter().filter(|(_, _, used)| !used.get()) {
            let known = rules::rule(code).is_some();
            let message = if known { format!("`{code}` is ignored here, but is not found") } else { format!("there is no rule `{code}`") };
            let mut spot = Spot::new(place.clone(), message).maybe_help(if known {
                Some("remove it: it would hide what comes later".to_owned())
            } else {
                rules::meant_code(code)
            });
            if all_unused && comment.codes.len() == 1 {
                spot = spot.repair(Repair::one(Safety::Safe, "remove the comment", comment.whole.clone(), ""));
            }
            findings.push(spot.of(rule));
        }
    }
    findings
}
