//! One document: its front matter, and its requirements by their headings.

use miette::{Diagnostic, NamedSource, SourceSpan};
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::requirement::{Level, Party, Requirement, RequirementId};

/// What is wrong with a document.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{file}:{line}: {what}")]
pub struct SpecError {
    /// The document.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What was found and what is wanted.
    pub what: String,
    #[source_code]
    document: NamedSource<String>,
    #[label("here")]
    at: SourceSpan,
    #[help]
    help: Option<String>,
}

/// What a heading's section holds while it is being read.
struct Open {
    heading: String,
    start: usize,
    paragraphs: Vec<String>,
}

/// Reads a document's requirements.
pub(super) fn read(file: &str, text: &str) -> Result<Vec<Requirement>, Vec<SpecError>> {
    let document = Document { file, text };
    let suite = match document.front_matter("suite") {
        Some(suite) => suite,
        None if document.sections().iter().all(|open| document.requirement("", open).is_none()) => return Ok(Vec::new()),
        None => return Err(vec![document.error(0, "the front matter names no suite".into(), "begin with `---`, `suite: NAME`, `---`")]),
    };
    let mut requirements = Vec::new();
    let mut errors = Vec::new();
    for open in document.sections() {
        match document.requirement(&suite, &open) {
            None => {}
            Some(Ok(requirement)) => requirements.push(requirement),
            Some(Err(error)) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(requirements) } else { Err(errors) }
}

struct Document<'a> {
    file: &'a str,
    text: &'a str,
}

impl Document<'_> {
    /// A key of the YAML front matter; only plain `key: value` lines are used.
    fn front_matter(&self, key: &str) -> Option<String> {
        let rest = self.text.strip_prefix("---\n")?;
        let (front, _) = rest.split_once("\n---\n")?;
        let value = front.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        Some(value.trim().trim_matches('"').to_owned())
    }

    /// The sections under level-three headings, with their paragraphs.
    fn sections(&self) -> Vec<Open> {
        let mut sections: Vec<Open> = Vec::new();
        let (mut in_heading, mut in_paragraph) = (false, false);
        let mut current = String::new();
        let mut collecting = false;
        for (event, range) in
            Parser::new_ext(self.text, Options::ENABLE_TABLES | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS).into_offset_iter()
        {
            match event {
                Event::Start(Tag::Heading { level, .. }) => {
                    collecting = level == HeadingLevel::H3;
                    in_heading = collecting;
                    if collecting {
                        sections.push(Open { heading: String::new(), start: range.start, paragraphs: Vec::new() });
                    }
                }
                Event::End(TagEnd::Heading(_)) => in_heading = false,
                Event::Start(Tag::Paragraph) if collecting => {
                    in_paragraph = true;
                    current.clear();
                }
                Event::End(TagEnd::Paragraph) if in_paragraph => {
                    in_paragraph = false;
                    if let Some(open) = sections.last_mut() {
                        open.paragraphs.push(current.trim().to_owned());
                    }
                }
                Event::Text(text) | Event::Code(text) => {
                    if in_heading && let Some(open) = sections.last_mut() {
                        open.heading.push_str(&text);
                    } else if in_paragraph {
                        current.push_str(&text);
                    }
                }
                Event::SoftBreak | Event::HardBreak if in_paragraph => current.push('\n'),
                _ => {}
            }
        }
        sections
    }

    /// The requirement of a section; `None` where its heading is no requirement's.
    fn requirement(&self, suite: &str, open: &Open) -> Option<Result<Requirement, SpecError>> {
        let parts: Vec<&str> = open.heading.split(" · ").map(str::trim).collect();
        if parts.len() < 2 && parts[0].parse::<RequirementId>().is_err() {
            return None;
        }
        Some(self.stated(suite, open, &parts).map_err(|(what, help)| self.error(open.start, what, help)))
    }

    fn stated(&self, suite: &str, open: &Open, parts: &[&str]) -> Result<Requirement, (String, &'static str)> {
        const FORM: &str = "write `### LC-CLEAN-1 · MUST · manager · short title`";
        let id: RequirementId = parts[0].parse().map_err(|why| (why, FORM))?;
        let [_, level, party, title] = parts else {
            return Err((format!("the heading of {id} has {} parts, wanted 4", parts.len()), FORM));
        };
        let level = Level::ALL
            .into_iter()
            .find(|known| known.word() == *level)
            .ok_or_else(|| (format!("`{level}` is no level: wanted MUST, SHOULD or MAY"), FORM))?;
        let party = Party::ALL
            .into_iter()
            .find(|known| known.word() == *party)
            .ok_or_else(|| (format!("`{party}` is no party: wanted manager, orchestrator or agent"), FORM))?;
        let mut paragraphs = open.paragraphs.iter();
        let mut sentence = paragraphs.next().cloned().unwrap_or_default();
        let mut needs = Vec::new();
        if let Some(rest) = sentence.strip_prefix("Needs:") {
            let (list, after) = rest.split_once('\n').unwrap_or((rest, ""));
            needs = list.trim().trim_end_matches('.').split(',').map(|need| need.trim().to_owned()).collect();
            sentence = if after.is_empty() { paragraphs.next().cloned().unwrap_or_default() } else { after.to_owned() };
        }
        let sentence = sentence.replace('\n', " ");
        if !sentence.contains(level.word()) {
            return Err((
                format!("the sentence of {id} does not say {}: `{sentence}`", level.word()),
                "after `Needs:`, state the rule in one sentence with the heading's RFC 2119 word",
            ));
        }
        let rationale = paragraphs.next().map(|why| why.replace('\n', " ")).unwrap_or_default();
        let rationale = rationale.strip_prefix("Why:").unwrap_or(&rationale).trim().to_owned();
        Ok(Requirement {
            id,
            level,
            party,
            suite: suite.to_owned(),
            title: (*title).to_owned(),
            needs,
            sentence,
            rationale,
            file: self.file.to_owned(),
            line: self.line(open.start),
        })
    }

    fn line(&self, offset: usize) -> usize {
        self.text[..offset].matches('\n').count() + 1
    }

    fn error(&self, offset: usize, what: String, help: &str) -> SpecError {
        let length = self.text[offset..].find('\n').unwrap_or(self.text.len() - offset);
        SpecError {
            file: self.file.to_owned(),
            line: self.line(offset),
            what,
            document: NamedSource::new(self.file, self.text.to_owned()),
            at: (offset, length).into(),
            help: Some(help.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRONT: &str = "---\nsuite: lifecycle\n---\n\n";

    #[test]
    fn a_requirement_is_read_from_its_section() {
        let text = format!(
            "{FRONT}# T\n\n### LC-CLEAN-1 · MUST · manager · the whole tree ends\n\nNeeds: end_session, processes=session\n\n`end_session` MUST end\nit all.\n\nWhy: orphans.\n\n### Not one\n\ntext\n"
        );
        let read = read("a.md", &text).unwrap();
        assert_eq!(read.len(), 1);
        let requirement = &read[0];
        assert_eq!(requirement.sentence, "end_session MUST end it all.");
        assert_eq!(requirement.needs, ["end_session", "processes=session"]);
        assert_eq!((requirement.rationale.as_str(), requirement.line), ("orphans.", 7));
    }

    #[test]
    fn every_fault_is_told_with_its_line() {
        let text = format!("{FRONT}### LC-X-1 · MUTS · manager · t\n\nIt MUST.\n\n### LC-X-2 · MUST · manager · t\n\nIt may.\n");
        let told: Vec<String> = read("a.md", &text).unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            ["a.md:5: `MUTS` is no level: wanted MUST, SHOULD or MAY", "a.md:9: the sentence of LC-X-2 does not say MUST: `It may.`"]
        );
    }
}
