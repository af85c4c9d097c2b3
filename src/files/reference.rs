use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::session_file::FileName;

/// A place where a text names a session file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReference {
    /// The file's name.
    pub name: String,
    /// The place of the name, in bytes.
    pub span: Range<usize>,
    /// Whether the name stands there without `.agents/sessions`.
    pub is_bare: bool,
}

static BEGINNING: LazyLock<Regex> = LazyLock::new(|| Regex::new("[0-9]{8}-[0-9]{6}-").expect("a pattern"));

/// What a name or a word of a path is made of.
fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// Where a text names session files: a name of the right form behind `.agents/sessions/`, behind `sessions/` or `./`, or bare. Behind any
/// other folder it is another file's.
pub fn mentions(text: &str) -> Vec<FileReference> {
    let named = BEGINNING.find_iter(text).filter_map(|beginning| {
        let start = beginning.start();
        let rest = &text[start..];
        let end = rest.find(|c: char| !is_of_name(c)).unwrap_or(rest.len());
        // A sentence may end behind it.
        let stop = rest[..end].rfind(".md").map(|stop| stop + ".md".len())?;
        let name = &rest[..stop];
        let is_bare = is_bare(&text[..start])?;
        FileName::new(name).is_right().then(|| FileReference { name: name.to_owned(), span: start..start + stop, is_bare })
    });
    named.collect()
}

/// Whether a name that follows a text stands there without the root folder; None where it is no session file's.
fn is_bare(before: &str) -> Option<bool> {
    let Some((folders, folder)) = parent(before) else { return (!before.ends_with(is_of_name)).then_some(true) };
    match (folder, parent(folders)) {
        ("sessions", Some((_, root))) => root.ends_with(".agents").then_some(false),
        ("sessions", None) => Some(true),
        (".", None) => Some(true),
        _ => None,
    }
}

/// The folder that a path ends in, and what stands before it; None where there is no separator.
fn parent(path: &str) -> Option<(&str, &str)> {
    let inside = path.trim_end_matches(['/', '\\']);
    (inside.len() < path.len()).then(|| inside.split_at(inside.trim_end_matches(is_of_name).len()))
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

    #[test]
    fn a_name_is_one_bare_or_from_a_neighbour_and_none_in_another_folder() {
        let name = "20251204-143000-a.md";
        for (text, bare) in [
            ("see `NAME`", true),
            ("NAME", true),
            ("[x](sessions/NAME#y)", true),
            ("[x](./NAME)", true),
            (".agents\\sessions\\NAME", false),
            ("/srv/w/.agents/sessions//NAME", false),
        ] {
            let found = mentions(&text.replace("NAME", name));
            assert_eq!(found.iter().map(|found| (found.name.as_str(), found.is_bare)).collect::<Vec<_>>(), [(name, bare)], "{text}");
        }
        for text in ["docs/NAME", "logs/sessions/NAME", "/NAME", "x-NAME", "1NAME", "../NAME"] {
            assert_eq!(mentions(&text.replace("NAME", name)), [], "{text}");
        }
    }
}
