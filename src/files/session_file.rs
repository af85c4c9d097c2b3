use jiff::civil::DateTime;

use super::matter::Matter;
use super::outline::MarkdownOutline;
use super::text::FileText;

/// A session file, read once.
#[derive(Debug, Clone)]
pub struct SessionFile {
    /// Its bytes, as text.
    pub text: FileText,
    /// What its name says.
    pub name: FileName,
    /// What stands before the body.
    pub matter: Matter,
    /// The body.
    pub outline: MarkdownOutline,
}

/// A file's name, taken apart: `YYYYMMDD-HHMMSS-<description>.md`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName {
    /// The name as it is.
    pub whole: String,
    /// Its time; none where it is not of that form or no real time.
    pub at: Option<DateTime>,
    /// What follows the time, without `.md`; empty where it is not of that form.
    pub description: String,
}

impl FileName {
    /// Takes a name apart.
    pub fn new(name: &str) -> Self {
        let (at, description) = match parts(name) {
            Some((time, description)) => (time.parse().ok(), description.to_owned()),
            None => (None, String::new()),
        };
        Self { whole: name.to_owned(), at, description }
    }

    /// Whether it has the form, with a real time.
    pub fn is_right(&self) -> bool {
        self.at.is_some() && !self.description.is_empty()
    }
}

/// The time, as ISO 8601 writes it, and the description.
fn parts(name: &str) -> Option<(String, &str)> {
    let stem = name.strip_suffix(".md")?;
    let (time, rest) = stem.split_at_checked(15)?;
    let (date, clock) = time.split_once('-')?;
    let digits = |part: &str, count: usize| part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit());
    let description = rest.strip_prefix('-').filter(|description| !description.is_empty())?;
    (digits(date, 8) && digits(clock, 6))
        .then(|| (format!("{}-{}-{}T{}:{}:{}", &date[..4], &date[4..6], &date[6..], &clock[..2], &clock[2..4], &clock[4..]), description))
}

impl SessionFile {
    /// Reads a file of that name.
    pub fn read(name: &str, bytes: &[u8]) -> Self {
        let text = FileText::new(bytes);
        let matter = Matter::read(&text);
        let outline = MarkdownOutline::read(&text, matter.body);
        Self { text, name: FileName::new(name), matter, outline }
    }

    /// Its status, where it is one of the three.
    pub fn status(&self) -> Option<&str> {
        self.matter.text("session", "status").filter(|status| super::matter::STATUSES.contains(status))
    }

    /// A section's body, without the empty lines around it.
    pub fn section_text(&self, title: &str) -> Option<&str> {
        self.outline.section(title).map(|section| self.text.slice(&section.body).trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_real_time_and_a_description() {
        assert!(FileName::new("20251204-143000-weather-fallback.md").is_right());
        for wrong in [
            "weather-fallback.md",
            "20251304-143000-x.md",
            "20251204-143000-.md",
            "20251204-143000-x.txt",
            "2025-12-04-x.md",
            "20251204-243000-x.md",
        ] {
            assert!(!FileName::new(wrong).is_right(), "{wrong}");
        }
    }
}
