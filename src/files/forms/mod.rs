//! What was found, in the forms that people and programs read: one table.

mod github;
mod json;
mod junit;
mod sarif;
mod text;

use super::finding::FileFinding;
use super::text::FileText;

/// Everything that a check found.
#[derive(Debug, Default)]
pub struct LintReport {
    /// The findings, file by file.
    pub findings: Vec<LocatedFinding>,
    /// What could not be checked, and why.
    pub unreadable: Vec<UncheckedFile>,
    /// How many session files were checked.
    pub checked: usize,
    /// How many findings were put right.
    pub fixed: usize,
}

/// A file that could not be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UncheckedFile {
    /// Its path.
    pub path: String,
    /// Why.
    pub why: String,
}

/// A finding and where it is, as people count.
#[derive(Debug)]
pub struct LocatedFinding {
    /// The file's path.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, in characters from 1.
    pub column: usize,
    /// Where it ends.
    pub end_line: usize,
    /// The column behind its last character.
    pub end_column: usize,
    /// The line's text; none where it is the file as a whole.
    pub excerpt: Option<String>,
    /// What was found.
    pub finding: FileFinding,
}

impl LocatedFinding {
    /// A finding in the text of a file.
    pub fn new(path: &str, text: &FileText, finding: FileFinding) -> Self {
        let span = &finding.span;
        let (line, end_line) = (text.line(span.start), text.line(span.end));
        let is_whole = span.is_empty() && span.start == 0;
        Self {
            path: path.to_owned(),
            line,
            column: text.column(span.start),
            end_line,
            end_column: text.column(span.end),
            excerpt: (!is_whole).then(|| text.slice(&text.line_span(line)).to_owned()),
            finding,
        }
    }
}

/// A form of the report.
#[derive(Debug)]
pub struct LintForm {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Draws it.
    pub draw: fn(&LintReport) -> String,
}

/// The forms, in the order help shows them.
pub const LINT_FORMS: &[LintForm] = &[
    LintForm { name: "text", about: "for people: each finding with its line, a caret and what to do", draw: text::draw },
    LintForm { name: "concise", about: "a line a finding", draw: text::concise },
    LintForm { name: "json", about: "for programs", draw: json::draw },
    LintForm { name: "github", about: "annotations of a workflow", draw: github::draw },
    LintForm { name: "sarif", about: "SARIF 2.1.0, for code scanning", draw: sarif::draw },
    LintForm { name: "junit", about: "JUnit XML: a case a file", draw: junit::draw },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{SessionFile, Surroundings, check};

    fn report() -> LintReport {
        let text = "---\nsession:\n  title: Fix: the \u{1b}[31m<parser>\n  status: in-progress\n---\n\n## context\n\nx\n";
        let mut report = LintReport {
            checked: 2,
            unreadable: vec![UncheckedFile { path: "a/b.md".into(), why: "permission denied".into() }],
            ..LintReport::default()
        };
        for (name, text) in [("20251204-143000-a.md", text.to_owned()), ("weather,100%.md", text.replace("Fix: the", "Fix"))] {
            let file = SessionFile::read(name, text.as_bytes());
            let found = check(&file, &Surroundings::at("2025-12-04T15:00:00Z".parse().unwrap()), &|_| true);
            report
                .findings
                .extend(found.into_iter().map(|finding| LocatedFinding::new(&format!(".agents/sessions/{name}"), &file.text, finding)));
        }
        report
    }

    #[test]
    fn every_form_tells_all() {
        for form in LINT_FORMS {
            let drawn = (form.draw)(&report()).replace(env!("CARGO_PKG_VERSION"), "VERSION");
            assert!(!drawn.contains('\u{1b}'), "{} lets an escape through", form.name);
            insta::assert_snapshot!(form.name, drawn);
        }
    }

    #[test]
    fn what_programs_read_is_of_their_syntax() {
        for (form, version) in [("json", "passmuster"), ("sarif", "2.1.0")] {
            let form = LINT_FORMS.iter().find(|known| known.name == form).unwrap();
            let read: serde_json::Value = serde_json::from_str(&(form.draw)(&report())).unwrap();
            assert!(read.to_string().contains(version));
        }
    }
}
