//! TEXT: the bytes.

use super::Spot;
use crate::files::check::Surroundings;
use crate::files::finding::{Edit, Repair, Safety};
use crate::files::session_file::SessionFile;

/// The longest file, in characters. Of the files that the format comes from 95 of 100 have less than half.
const LONGEST: usize = 32_000;

pub(super) fn utf_8(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    let Some(at) = file.text.invalid else { return Vec::new() };
    let utf_16 = at == 0 && file.text.text.starts_with("??") && file.text.text.contains('\0');
    let help = if utf_16 { "it looks like UTF-16: save it as UTF-8" } else { "save it as UTF-8" };
    vec![Spot::new(at..at + 1, "a byte here is no UTF-8").help(help)]
}

pub(super) fn merge(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    let marks = ["<<<<<<< ", ">>>>>>> "];
    let lines = (1..=file.text.line_count()).map(|line| file.text.line_span(line));
    let marked = lines.filter(|span| marks.iter().any(|mark| file.text.slice(span).starts_with(mark)) && !file.outline.is_code(span.start));
    marked
        .map(|span| {
            Spot::new(span.start..span.start + 7, "a merge conflict was left here")
                .help("keep what is true of both sides, and remove the markers")
        })
        .collect()
}

pub(super) fn mark(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    if !file.text.text.starts_with('\u{feff}') {
        return Vec::new();
    }
    vec![Spot::new(0..3, "the file begins with a byte order mark").repair(Repair::one(Safety::Safe, "remove it", 0..3, ""))]
}

pub(super) fn line_ends(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    let (most, others) = file.text.line_ends();
    let Some(first) = others.first() else { return Vec::new() };
    let edits = others.iter().map(|span| Edit { span: span.clone(), text: most.text().to_owned() }).collect();
    let what = format!("end every line with {most:?}").replace("CrLf", "CR LF").replace("Lf", "LF");
    let message = format!("{} of {} lines end otherwise than most", others.len(), file.text.line_count() - 1);
    vec![Spot::new(first.clone(), message).repair(Repair { safety: Safety::Safe, what, edits, rename: None })]
}

pub(super) fn length(file: &SessionFile, _: &Surroundings<'_>) -> Vec<Spot> {
    let count = file.text.text.chars().count();
    if count <= LONGEST {
        return Vec::new();
    }
    let at = file.text.text.char_indices().nth(LONGEST).map_or(0, |(at, _)| at);
    vec![
        Spot::new(at..at, format!("the file has {count} characters: wanted at most {LONGEST}"))
            .help("move what is done to issues, commits and documents"),
    ]
}
