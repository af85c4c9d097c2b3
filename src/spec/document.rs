//! One document: its front matter, and its requirements by their headings.

use std::ops::Range;

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use crate::core::diagnostic::{Diagnostic, SourceText};

use super::VERSION;
use super::need::Need;
use super::requirement::{Level, Party, Requirement, RequirementId};
use super::version::SpecVersion;
use super::word::{HEADING, WordError};

const FRONT: &str = "begin the document with `---`, `suite: NAME`, `title: TITLE`, `spec_version: \"1.0\"`, `---`";

/// Reads a document's requirements.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn read(file: &str, text: &str) -> Result<Vec<Requirement>, Vec<Diagnostic>> {
    let mut reading = DocumentReading { file, text, source: SourceText::new(file, text), errors: Vec::new() };
    let outline = outline(text);
    let stated: Vec<&DocumentSection> = outline.sections.iter().filter(|section| section.states_a_requirement()).collect();
    if stated.is_empty() {
        return Ok(Vec::new());
    }
    let suite = reading.front_matter(outline.front.as_ref());
    let requirements = stated.iter().filter_map(|section| reading.requirement(&suite, section)).collect();
    if reading.errors.is_empty() { Ok(requirements) } else { Err(reading.errors) }
}

/// A piece of text without its markup, and where it stands.
#[derive(Debug, Default)]
struct Piece {
    text: String,
    at: Range<usize>,
}

/// A heading and the paragraphs below it.
struct DocumentSection {
    level: HeadingLevel,
    heading: Piece,
    paragraphs: Vec<Piece>,
}

impl DocumentSection {
    /// Whether the heading means to be a requirement's: of several parts, or beginning with an id.
    fn states_a_requirement(&self) -> bool {
        let first = self.heading.text.split_whitespace().next().unwrap_or_default();
        first.parse::<RequirementId>().is_ok() || self.heading.text.contains(" · ")
    }
}

/// What of a document matters here.
struct Outline {
    front: Option<Piece>,
    sections: Vec<DocumentSection>,
}

fn outline(text: &str) -> Outline {
    let mut outline = Outline { front: None, sections: Vec::new() };
    let mut open: Option<Piece> = None;
    for (event, at) in Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { .. } | Tag::Paragraph | Tag::MetadataBlock(_)) => open = Some(Piece { text: String::new(), at }),
            Event::Text(text) | Event::Code(text) => open.iter_mut().for_each(|piece| piece.text.push_str(&text)),
            Event::SoftBreak | Event::HardBreak => open.iter_mut().for_each(|piece| piece.text.push('\n')),
            Event::End(TagEnd::MetadataBlock(_)) => outline.front = outline.front.take().or(open.take()),
            Event::End(TagEnd::Heading(level)) => {
                outline.sections.push(DocumentSection { level, heading: open.take().unwrap_or_default(), paragraphs: Vec::new() });
            }
            Event::End(TagEnd::Paragraph) => {
                if let (Some(section), Some(piece)) = (outline.sections.last_mut(), open.take()) {
                    section.paragraphs.push(piece);
                }
            }
            _ => {}
        }
    }
    outline
}

/// How the paragraphs in front of a requirement's sentence begin, each of which may be left out.
pub(crate) const FIELDS: [&str; 3] = ["Needs:", "Since:", "Retired:"];

/// What they say.
struct RequirementFields {
    needs: Vec<Need>,
    since: SpecVersion,
    retired: Option<SpecVersion>,
}

/// A document being read, and what was found wrong so far.
struct DocumentReading<'a> {
    file: &'a str,
    text: &'a str,
    source: SourceText<'a>,
    errors: Vec<Diagnostic>,
}

impl DocumentReading<'_> {
    /// The suite, from the front matter.
    fn front_matter(&mut self, front: Option<&Piece>) -> String {
        let Some(front) = front else {
            self.wrong(0..self.text.find('\n').unwrap_or_default(), "there is no front matter".into(), FRONT);
            return String::new();
        };
        let value = |key: &str| {
            let value = front.text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
            Some(value.trim().trim_matches('"').to_owned()).filter(|value| !value.is_empty())
        };
        for key in ["suite", "title", "spec_version"] {
            if value(key).is_none() {
                self.wrong(front.at.clone(), format!("the front matter has no `{key}`"), FRONT);
            }
        }
        if let Some(version) = value("spec_version").filter(|version| version != VERSION) {
            let at = self.within(&front.at, &version);
            self.wrong(at, format!("the document is of spec version {version}, this harness of {VERSION}"), FRONT);
        }
        value("suite").unwrap_or_default()
    }

    /// The requirement of a section; none where something is wrong with it.
    fn requirement(&mut self, suite: &str, section: &DocumentSection) -> Option<Requirement> {
        let heading = &section.heading;
        if section.level != HeadingLevel::H3 {
            self.wrong(heading.at.clone(), format!("the heading is of level {}, wanted 3", section.level as usize), HEADING);
        }
        let parts: Vec<&str> = heading.text.split(" · ").map(str::trim).collect();
        let [id, level, party, title] = parts[..] else {
            self.wrong(
                heading.at.clone(),
                format!("a requirement's heading has 4 parts, separated by ` · `; this one has {}", parts.len()),
                HEADING,
            );
            return None;
        };
        let id = self.word::<RequirementId>(&heading.at, id);
        let level = self.word::<Level>(&heading.at, level);
        let party = self.word::<Party>(&heading.at, party);
        if title.is_empty() {
            self.wrong(heading.at.clone(), "the title is empty".into(), HEADING);
        }
        let (said, sentence, rationale) = self.body(section);
        if let Some(level) = level {
            self.says(level, sentence, heading);
        }
        let why = rationale.and_then(|piece| piece.text.strip_prefix("Why:"));
        if why.is_none() {
            let after = sentence.unwrap_or(heading).at.clone();
            self.wrong(after, "no reason follows".into(), "after the sentence, say why in a paragraph that begins with `Why:`");
        }
        Some(Requirement {
            id: id?,
            level: level?,
            party: party?,
            suite: suite.to_owned(),
            title: title.to_owned(),
            needs: said.needs,
            since: said.since,
            retired: said.retired,
            sentence: one_line(&sentence?.text),
            rationale: one_line(why?),
            file: self.file.to_owned(),
            line: self.line(heading.at.start),
        })
    }

    /// What is said in front of the sentence, the sentence, and the paragraph after it.
    fn body<'s>(&mut self, section: &'s DocumentSection) -> (RequirementFields, Option<&'s Piece>, Option<&'s Piece>) {
        let mut paragraphs = section.paragraphs.iter().peekable();
        let mut said = RequirementFields { needs: Vec::new(), since: SpecVersion::FIRST, retired: None };
        while let Some(piece) = paragraphs.next_if(|piece| FIELDS.iter().any(|field| piece.text.starts_with(field))) {
            for line in piece.text.lines() {
                let (field, value) = line.split_once(':').unwrap_or((line, ""));
                match field {
                    "Needs" => said.needs.extend(value.split(',').filter_map(|word| self.word::<Need>(&piece.at, word.trim()))),
                    "Since" => said.since = self.word(&piece.at, value.trim()).unwrap_or(said.since),
                    "Retired" => said.retired = self.word(&piece.at, value.trim()),
                    _ => self.wrong(piece.at.clone(), format!("`{line}` is no field"), "the fields are `Needs:`, `Since:` and `Retired:`"),
                }
            }
        }
        (said, paragraphs.next(), paragraphs.next())
    }

    /// Holds the sentence to its level: it says the level's word, and no stronger one.
    fn says(&mut self, level: Level, sentence: Option<&Piece>, heading: &Piece) {
        const HELP: &str = "state the rule in one sentence with the RFC 2119 word of its heading";
        let Some(sentence) = sentence else {
            return self.wrong(heading.at.clone(), "no sentence follows".into(), HELP);
        };
        let said = |level: Level| sentence.text.split(|c: char| !c.is_ascii_alphabetic()).any(|word| word == level.word());
        if let Some(stronger) = Level::ALL.into_iter().find(|other| *other < level && said(*other)) {
            let at = self.within(&sentence.at, stronger.word());
            self.wrong(at, format!("the sentence says {stronger}, its heading {level}"), HELP);
        } else if !said(level) {
            self.wrong(sentence.at.clone(), format!("the sentence does not say {level}"), HELP);
        }
    }

    /// A word of the specification's own, found somewhere in `around`.
    fn word<T: std::str::FromStr<Err = WordError>>(&mut self, around: &Range<usize>, word: &str) -> Option<T> {
        let error = match word.parse() {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let at = self.within(around, word);
        self.wrong(at, error.to_string(), &error.advice());
        None
    }

    /// Where a word stands in a part of the text, alone if it can be; the whole part where markup hides it.
    fn within(&self, around: &Range<usize>, word: &str) -> Range<usize> {
        let part = &self.text[around.clone()];
        let alone = |at: usize| {
            let (before, after) = (part[..at].chars().next_back(), part[at + word.len()..].chars().next());
            ![before, after].into_iter().flatten().any(|c| c.is_alphanumeric() || c == '-' || c == '_')
        };
        let found = part.match_indices(word).map(|(at, _)| at).find(|at| !word.is_empty() && alone(*at));
        found.map_or_else(|| around.clone(), |at| around.start + at..around.start + at + word.len())
    }

    fn wrong(&mut self, at: Range<usize>, what: String, help: &str) {
        let shown = self.text[at.clone()].trim_end().len();
        self.errors.push(self.source.diagnostic(Some(at.start..at.start + shown), what, Some(help.to_owned())));
    }

    fn line(&self, offset: usize) -> usize {
        self.source.line(offset)
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use miette::{GraphicalReportHandler, GraphicalTheme};

    use super::*;

    const FRONT: &str = "---\nsuite: lifecycle\ntitle: \"T\"\nspec_version: \"1.0\"\n---\n\n";

    fn told(text: &str) -> Vec<String> {
        read("a.md", text).unwrap_err().iter().map(|error| format!("{error} | {}", error.help.as_deref().unwrap_or_default())).collect()
    }

    #[test]
    fn a_requirement_is_read_from_its_section() {
        let text = format!(
            "{FRONT}# T\n\n### LC-CLEAN-1 · MUST · manager · the `whole` tree ends\n\nNeeds: end_session, processes=session\n\n\
             `end_session` MUST end\nit all.\n\nWhy: orphans\ncost.\n\nMore.\n\n### Not one\n\ntext\n"
        );
        let read = read("a.md", &text).unwrap();
        assert_eq!(
            read,
            [Requirement {
                id: "LC-CLEAN-1".parse().unwrap(),
                level: Level::Must,
                party: Party::Manager,
                suite: "lifecycle".into(),
                title: "the whole tree ends".into(),
                needs: vec![Need::Operation("end_session"), Need::ProcessPerSession],
                since: SpecVersion::FIRST,
                retired: None,
                sentence: "end_session MUST end it all.".into(),
                rationale: "orphans cost.".into(),
                file: "a.md".into(),
                line: 9,
            }]
        );
    }

    #[test]
    fn a_document_that_states_nothing_needs_no_front_matter() {
        assert_eq!(read("README.md", "# How\n\n### A heading\n\n```markdown\n### LC-X-1 · MUST · manager · t\n```\n").unwrap(), []);
    }

    #[test]
    fn everything_that_is_wrong_is_told_and_shown_where_it_stands() {
        let text = format!(
            "{FRONT}### LC-X-1 · MUTS · mannager · t\n\nNeeds: end_sesion, start_session\n\nIt MUST.\n\n\
             ### LC-X-2 · SHOULD · manager · t\n\nIt MUST and SHOULD.\n\nWhy: so.\n\n### LC-X3 · MUST · agent · t\n\nIt may.\n\nWhy: so.\n"
        );
        let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(120);
        let mut shown = String::new();
        for error in read("spec/x.md", &text).unwrap_err() {
            handler.render_report(&mut shown, &error).unwrap();
            shown.push('\n');
        }
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn a_requirement_under_a_heading_of_another_level_is_not_lost() {
        let told = told(&format!("{FRONT}## LC-X-1 · MUST · manager · t\n\nIt MUST.\n\nWhy: so.\n"));
        assert_eq!(told, ["a.md:7: the heading is of level 2, wanted 3 | write `### LC-CLEAN-1 · MUST · manager · short title`"]);
    }

    #[test]
    fn a_heading_that_begins_with_an_id_is_not_passed_over() {
        let told = told(&format!("{FRONT}### LC-X-1 - MUST - manager - t\n\nIt MUST.\n\nWhy: so.\n"));
        assert_eq!(
            told,
            [
                "a.md:7: a requirement's heading has 4 parts, separated by ` · `; this one has 1 | write `### LC-CLEAN-1 · MUST · manager · short title`"
            ]
        );
    }

    #[test]
    fn a_requirement_says_something_and_why() {
        let told: Vec<String> =
            told(&format!("{FRONT}### LC-X-1 · MUST · manager · t\n\nNeeds: serve\n\n### LC-X-2 · MAY · agent · t\n\nIt MAY.\n"));
        assert_eq!(
            told,
            [
                "a.md:7: no sentence follows | state the rule in one sentence with the RFC 2119 word of its heading",
                "a.md:7: no reason follows | after the sentence, say why in a paragraph that begins with `Why:`",
                "a.md:13: no reason follows | after the sentence, say why in a paragraph that begins with `Why:`",
            ]
        );
    }

    #[test]
    fn front_matter_is_whole_and_of_this_version() {
        const STATED: &str = "### LC-X-1 · MUST · manager · t\n\nIt MUST.\n\nWhy: so.\n";
        let first = |text: String| told(&text).into_iter().map(|line| line.split(" | ").next().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(first(STATED.into()), ["a.md:1: there is no front matter"]);
        assert_eq!(
            first(format!("---\nsuit: lifecycle\nspec_version: \"0.9\"\n---\n\n{STATED}")),
            [
                "a.md:1: the front matter has no `suite`",
                "a.md:1: the front matter has no `title`",
                "a.md:3: the document is of spec version 0.9, this harness of 1.0",
            ]
        );
    }
}
