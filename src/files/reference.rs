use std::ops::Range;

use super::session_file::FileName;

/// A place where a text names a session file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReference {
    /// The file's name.
    pub name: String,
    /// The place of the name, in bytes.
    pub span: Range<usize>,
}

/// Where a text names session files: `.agents/sessions/` and a name of the right form.
pub fn mentions(text: &str) -> Vec<FileReference> {
    let mut found = Vec::new();
    for (at, folder) in text.match_indices(".agents/sessions/") {
        let start = at + folder.len();
        let rest = &text[start..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && !matches!(c, '-' | '_' | '.')).unwrap_or(rest.len());
        // A sentence may end behind it.
        let Some(stop) = rest[..end].rfind(".md").map(|stop| stop + ".md".len()) else { continue };
        let name = &rest[..stop];
        if FileName::new(name).is_right() {
            found.push(FileReference { name: name.to_owned(), span: start..start + stop });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_prose_and_links() {
        let text =
            "See .agents/sessions/20251204-143000-a.md. And [b](../.agents/sessions/20251204-143001-b.md#x), not .agents/sessions/x.md";
        let names: Vec<String> = mentions(text).into_iter().map(|mention| mention.name).collect();
        assert_eq!(names, ["20251204-143000-a.md", "20251204-143001-b.md"]);
    }
}
