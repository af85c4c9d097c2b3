//! Reports: one model, drawn in many forms.
//!
//! A form is a pure function from the model to text. What a manager said may hold anything; [`Form::draw`] makes it
//! harmless once, at the edge, and each form then escapes only what its own syntax needs.

pub(crate) mod draw_diff;
pub(crate) mod github;
pub(crate) mod harmless;
pub(crate) mod html;
pub(crate) mod json;
pub(crate) mod junit;
pub(crate) mod kill_matrix;
pub(crate) mod markdown;
pub(crate) mod progress;
pub(crate) mod terminal;
pub(crate) mod timelines;
pub(crate) mod view;

use std::fmt;

use crate::results::model::Report;

pub use crate::core::sanitise;
pub use github::annotation;
pub use progress::{Bar, Progress, ProgressLines};

/// How a report is drawn, besides its form.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// The width of the terminal, in columns.
    pub width: usize,
    /// Whether colours may be used.
    pub colour: bool,
    /// Whether warnings count as failures.
    pub strict: bool,
    /// Whether every finding is shown in full, and not one for each cause.
    pub all_findings: bool,
}

impl Default for Look {
    /// 100 columns, no colours, warnings are warnings, one finding for each cause.
    fn default() -> Self {
        Self { width: 100, colour: false, strict: false, all_findings: false }
    }
}

/// A form in which a report can be drawn.
pub struct Form {
    /// Its name, as on the command line.
    pub name: &'static str,
    /// What it is for, as help shows it.
    pub about: &'static str,
    text: TextEscape,
    drawn: fn(&Report, &Look) -> String,
}

/// What a form does with texts from outside.
#[derive(PartialEq, Eq)]
enum TextEscape {
    /// Shows them to people: control characters are made visible first.
    Shown,
    /// Carries them as they are: its syntax holds anything.
    Exact,
}

/// The forms, in the order help shows them.
pub const FORMS: &[Form] = &[
    Form { name: "plain", about: "for people, without colours", text: TextEscape::Shown, drawn: terminal::plain },
    Form { name: "terminal", about: "for people, as wide and colourful as the terminal", text: TextEscape::Shown, drawn: terminal::draw },
    Form { name: "github", about: "workflow commands that annotate a run on GitHub", text: TextEscape::Shown, drawn: github::draw },
    Form { name: "json", about: "everything, as the published schema says", text: TextEscape::Exact, drawn: json::draw },
    Form { name: "junit", about: "JUnit XML, for CI systems", text: TextEscape::Shown, drawn: junit::draw },
    Form { name: "html", about: "one page to look at and to filter", text: TextEscape::Shown, drawn: html::draw },
    Form { name: "markdown", about: "a page with the support table", text: TextEscape::Shown, drawn: markdown::draw },
];

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Form {
    /// The form of that name.
    pub fn find(name: &str) -> Option<&'static Form> {
        FORMS.iter().find(|form| form.name == name)
    }

    /// Draws a report.
    pub fn draw(&self, report: &Report, look: &Look) -> String {
        match self.text {
            TextEscape::Exact => (self.drawn)(report, look),
            TextEscape::Shown => (self.drawn)(&crate::report::harmless::sanitised(report), look),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::results::example;

    #[test]
    fn names_are_unique() {
        let names: std::collections::BTreeSet<_> = FORMS.iter().map(|form| form.name).collect();
        assert_eq!(names.len(), FORMS.len());
    }

    #[rstest]
    fn every_verdict_is_drawn(#[values("plain", "github", "json", "junit", "markdown", "html")] name: &str) {
        insta::assert_snapshot!(name, Form::find(name).unwrap().draw(&example::report(), &Look::default()));
    }

    #[test]
    fn a_narrow_colourful_terminal() {
        let look = Look { width: 60, colour: true, strict: true, ..Look::default() };
        let drawn = Form::find("terminal").unwrap().draw(&example::report(), &look);
        insta::assert_snapshot!(drawn.replace('\u{1b}', "␛"));
    }

    #[rstest]
    fn no_control_character_of_a_manager_gets_through(
        #[values("plain", "terminal", "github", "json", "junit", "markdown", "html")] name: &str,
    ) {
        let drawn = Form::find(name).unwrap().draw(&example::hostile(), &Look::default());
        let stray: Vec<char> = drawn.chars().filter(|c| sanitise::is_harmful(*c) && *c != '\n').collect();
        assert_eq!(stray, Vec::<char>::new());
    }
}
