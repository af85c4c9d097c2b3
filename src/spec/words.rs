//! Capitals that bind (RFC 2119) bind only in a requirement's sentence; elsewhere they must name what they speak of.

use std::ops::Range;

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::check::CheckFinding;
use super::document::FIELDS;
use super::registry::Registry;
use super::requirement::RequirementId;

/// The words of RFC 2119.
const WORDS: [&str; 7] = ["MUST", "SHALL", "REQUIRED", "SHOULD", "RECOMMENDED", "MAY", "OPTIONAL"];

/// Finds, in documents that state requirements, the words of RFC 2119 outside of a requirement's sentence, in a
/// paragraph or an item that names neither a requirement nor the RFC.
pub fn stray_words(documents: &[(String, String)], registry: &Registry) -> Vec<CheckFinding> {
    let stating = documents.iter().filter(|(file, _)| registry.iter().any(|requirement| requirement.file == *file));
    let stray = |(file, text): &(String, String)| {
        let found = blocks(text).into_iter().filter_map(|block| stray_word(&block, registry).map(|word| (block.at.start, word)));
        let told = found.map(|(at, word)| CheckFinding {
            file: file.clone(),
            line: text[..at].matches('\n').count() + 1,
            message: format!("{word} binds nobody here: name the requirement that says it, or state one"),
        });
        told.collect::<Vec<_>>()
    };
    stating.flat_map(stray).collect()
}

/// A paragraph or an item, without its code.
#[derive(Default)]
struct Block {
    text: String,
    at: Range<usize>,
}

fn stray_word(block: &Block, registry: &Registry) -> Option<&'static str> {
    let tokens = || block.text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    let word = tokens().find_map(|token| WORDS.into_iter().find(|word| *word == token))?;
    let names_one = tokens().filter_map(|token| token.parse::<RequirementId>().ok()).any(|id| registry.get(&id).is_some());
    (!names_one && !block.text.contains("RFC 2119")).then_some(word)
}

/// The blocks that are no requirement's sentence; tables and headings are none.
fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    let mut heading: Option<(HeadingLevel, String)> = None;
    let mut sentence_is_due = false;
    for (event, at) in Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { level, .. }) => heading = Some((level, String::new())),
            Event::Start(Tag::Paragraph | Tag::Item) => {
                blocks.extend(open.take());
                open = Some(Block { text: String::new(), at });
            }
            Event::Text(words) => match &mut heading {
                Some((_, heading)) => heading.push_str(&words),
                None => open.iter_mut().for_each(|block| block.text.push_str(&words)),
            },
            Event::SoftBreak | Event::HardBreak => open.iter_mut().for_each(|block| block.text.push('\n')),
            Event::End(TagEnd::Heading(_)) => {
                let states = |(level, text): (HeadingLevel, String)| level == HeadingLevel::H3 && text.contains(" · ");
                sentence_is_due = heading.take().is_some_and(states);
            }
            Event::End(TagEnd::Paragraph | TagEnd::Item) => {
                let Some(block) = open.take() else { continue };
                let is_field = FIELDS.iter().any(|field| block.text.starts_with(field));
                if sentence_is_due && !is_field {
                    sentence_is_due = false;
                } else {
                    blocks.push(block);
                }
            }
            _ => {}
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capitals_bind_only_in_a_requirements_sentence() {
        let text = "---\nsuite: lifecycle\ntitle: T\nspec_version: \"1.0\"\n---\n\nAs RFC 2119 says, MUST binds.\n\nOne MUST know.\n\n\
                    - a list\n- that MAY bind\n- `MUST`, LC-X-1 MUST\n\n### LC-X-1 · MUST · manager · t\n\nNeeds: serve\n\nIt MUST.\n\nWhy: one MUST.\n\n\
                    | MUST |\n| --- |\n| MAY |\n";
        let documents = [("a.md".to_owned(), text.to_owned())];
        let registry = Registry::from_documents(&documents).unwrap();
        let found: Vec<String> = stray_words(&documents, &registry).iter().map(|f| format!("{} {}", f.line, &f.message[..4])).collect();
        assert_eq!(found, ["9 MUST", "12 MAY ", "21 MUST"]);
    }
}
