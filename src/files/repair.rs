use super::check::{Surroundings, check};
use super::finding::{Edit, FileFinding, Safety};
use super::rules::FileRule;
use super::session_file::SessionFile;

/// A file put right as far as that goes.
#[derive(Debug)]
pub struct Repaired {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its name.
    pub name: String,
    /// How many findings were put right.
    pub fixed: usize,
    /// What is left.
    pub left: Vec<FileFinding>,
}

/// How often repairs are looked for anew: one can make another possible, and none takes more than a few.
const ROUNDS: usize = 100;

/// Applies repairs until none is left. One that brings a new finding with it is not applied.
pub fn repair(name: &str, bytes: &[u8], around: &Surroundings<'_>, safety: Safety, wanted: &dyn Fn(&FileRule) -> bool) -> Repaired {
    let mut state = Repaired { bytes: bytes.to_vec(), name: name.to_owned(), fixed: 0, left: Vec::new() };
    let mut file = SessionFile::read(&state.name, &state.bytes);
    state.left = check(&file, around, wanted);
    for _ in 0..ROUNDS {
        let offered = state.left.iter().filter_map(|finding| finding.repair.as_ref()).filter(|repair| repair.safety <= safety);
        let better = offered.into_iter().find_map(|repair| {
            let bytes = apply(&state.bytes, &repair.edits);
            let name = repair.rename.clone().unwrap_or_else(|| state.name.clone());
            let file = SessionFile::read(&name, &bytes);
            let left = check(&file, around, wanted);
            is_better(&state.left, &left).then_some((bytes, name, file, left))
        });
        let Some((bytes, name, next, left)) = better else { break };
        // Front matter that can be read at last may show more findings than there were.
        state.fixed += state.left.len().saturating_sub(left.len()).max(1);
        (state.bytes, state.name, state.left, file) = (bytes, name, left, next);
    }
    drop(file);
    state
}

/// Whether there are fewer findings, of no rule more than before. Front matter that can be read at last may have findings that nobody could
/// see before: those are no harm.
fn is_better(before: &[FileFinding], after: &[FileFinding]) -> bool {
    let count = |findings: &[FileFinding], code: &str| findings.iter().filter(|finding| finding.rule.code == code).count();
    let unreadable = |findings: &[FileFinding]| count(findings, "SF103") > 0;
    if unreadable(before) {
        return !unreadable(after) || place(after) > place(before);
    }
    after.len() < before.len() && after.iter().all(|finding| count(after, finding.rule.code) <= count(before, finding.rule.code))
}

/// Where the front matter is no YAML.
fn place(findings: &[FileFinding]) -> usize {
    findings.iter().find(|finding| finding.rule.code == "SF103").map_or(0, |finding| finding.span.start)
}

/// Makes changes that do not overlap.
pub(crate) fn apply(bytes: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut edits: Vec<&Edit> = edits.iter().collect();
    edits.sort_by_key(|edit| edit.span.start);
    let mut out = Vec::with_capacity(bytes.len() + 64);
    let mut at = 0;
    for edit in edits {
        out.extend_from_slice(&bytes[at..edit.span.start]);
        out.extend_from_slice(edit.text.as_bytes());
        at = edit.span.end;
    }
    out.extend_from_slice(&bytes[at..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn front_matter_that_is_read_at_last_may_show_more_than_was_put_right() {
        let text = b"---\ntitle: Fix: login\nstatus: in progress\ncreated: 2026-11-28\ncurrent_taks: x\n---\n";
        let repaired =
            repair("20261128-010203-fix.md", text, &Surroundings::at("2026-11-28T02:00:00Z".parse().unwrap()), Safety::Safe, &|_| true);
        assert!(repaired.fixed >= 1 && repaired.left.len() > 1, "{repaired:?}");
        assert!(repaired.bytes.starts_with(b"---\ntitle: \"Fix: login\"\n"), "{}", String::from_utf8_lossy(&repaired.bytes));
    }

    #[test]
    fn changes_are_made_at_their_places() {
        let edit = |span, text: &str| Edit { span, text: text.into() };
        assert_eq!(apply(b"abcdef", &[edit(4..5, "E"), edit(1..3, ""), edit(6..6, "!")]), b"adEf!");
    }
}
