//! One document: what it is once its tables are drawn.

use super::facts::Facts;
use super::marker::{MarkerError, Reading};

/// A document whose tables are drawn.
#[derive(Debug)]
pub struct Rebuilt {
    /// Its text: outside of the markers, byte for byte what it was.
    pub text: String,
    /// Its tables.
    pub regions: Vec<Region>,
    /// The pictures that go with it: the file, relative to the document, and its text.
    pub pictures: Vec<(String, String)>,
}

/// One table in a document.
#[derive(Debug)]
pub struct Region {
    /// The marker's line, from 1.
    pub line: usize,
    /// The table's name.
    pub table: &'static str,
    /// What stood there.
    pub old: String,
    /// What belongs there.
    pub new: String,
}

/// Draws a document's tables.
///
/// # Errors
/// Everything that is wrong with its markers.
pub fn rebuild(file: &str, text: &str, facts: &Facts) -> Result<Rebuilt, Vec<MarkerError>> {
    let mut rebuilt = Rebuilt { text: String::with_capacity(text.len()), regions: Vec::new(), pictures: Vec::new() };
    // Most documents of a large tree have no marker: they are not even parsed.
    if !text.contains("passmuster:") {
        text.clone_into(&mut rebuilt.text);
        return Ok(rebuilt);
    }
    let mut reading = Reading::new(file, text);
    let mut done = 0;
    for marked in reading.marked() {
        let drawn = match marked.table.drawn(facts, &marked.options) {
            Ok(drawn) => drawn,
            Err(why) => {
                reading.wrong(marked.at, why, None);
                continue;
            }
        };
        let line =
            |line: String| if line.is_empty() { marked.line_end.to_owned() } else { format!("{}{line}{}", marked.indent, marked.line_end) };
        let new: String = drawn.lines.into_iter().map(line).collect();
        rebuilt.pictures.extend(marked.options.file.clone().zip(drawn.svg));
        rebuilt.regions.push(Region {
            line: text[..marked.at.start].matches('\n').count() + 1,
            table: marked.table.name,
            old: text[marked.body.clone()].to_owned(),
            new: new.clone(),
        });
        rebuilt.text.push_str(&text[done..marked.body.start]);
        rebuilt.text.push_str(&new);
        done = marked.body.end;
    }
    rebuilt.text.push_str(&text[done..]);
    if reading.errors.is_empty() { Ok(rebuilt) } else { Err(reading.errors) }
}
