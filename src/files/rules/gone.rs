//! GONE: sessions are deleted, not archived, and nothing names them afterwards.

use super::{Spot, sect};
use crate::files::ROOT;
use crate::files::check::Surroundings;
use crate::files::finding::FileFinding;
use crate::files::reference::mentions;
use crate::files::session_file::SessionFile;
use crate::files::text::FileText;

pub(super) fn archived(file: &SessionFile, around: &Surroundings<'_>) -> Vec<Spot> {
    let below = around.folder.and_then(|folder| folder.strip_prefix(ROOT)?.strip_prefix('/'));
    let Some(below) = below.filter(|_| file.name.is_right()) else { return Vec::new() };
    vec![
        Spot::new(0..0, format!("the session file lies in `{below}` below `{ROOT}`"))
            .help("delete it once what is worth keeping stands in issues, commits and documents"),
    ]
}

pub(super) fn references(file: &SessionFile, around: &Surroundings<'_>) -> Vec<Spot> {
    let Some(exists) = around.exists else { return Vec::new() };
    gone(&file.text, exists, true)
}

fn gone(text: &FileText, exists: &dyn Fn(&str) -> bool, bare: bool) -> Vec<Spot> {
    let dangling = mentions(&text.text).into_iter().filter(|mention| (bare || !mention.is_bare) && !exists(&mention.name));
    dangling
        .map(|mention| {
            Spot::new(mention.span, format!("the session file `{}` is gone", mention.name))
                .help("remove the reference, or name what took its place")
        })
        .collect()
}

/// Where a file that is no session file names one that is gone, comments that ignore it aside. `bare`: without its folder, too.
pub(crate) fn dangling(text: &FileText, exists: &dyn Fn(&str) -> bool, bare: bool) -> Vec<FileFinding> {
    let rule = super::rule("SF602").expect("the table has it");
    if text.text.contains("passmuster: ignore-file SF602") {
        return Vec::new();
    }
    let ignored = |line: usize| text.slice(&text.line_span(line)).contains("passmuster: ignore SF602");
    let findings = gone(text, exists, bare).into_iter().map(|spot| spot.of(rule));
    findings
        .filter(|finding| {
            let line = text.line(finding.span.start);
            !(ignored(line) || line > 1 && ignored(line - 1))
        })
        .collect()
}

pub(super) fn decisions(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    if file.status() != Some("completed") {
        return Vec::new();
    }
    let named = |body: &str| body.contains("ADR") || body.contains("docs/decisions/");
    let silent = sect::all_decisions(file).into_iter().filter(|section| {
        let heading = &section.heading;
        !named(file.text.slice(&section.body)) && !named(&heading.text)
    });
    silent
        .map(|section| {
            Spot::new(section.heading.span.clone(), format!("`{}` names no ADR", section.heading.text))
                .help("name it: `ADR-12`, or its file in `docs/decisions/`")
        })
        .collect()
}
