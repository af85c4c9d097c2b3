//! Markdown tables, and text that stays text in them.

/// A table: headings, and rows of as many cells.
pub(crate) struct Grid {
    pub headings: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Grid {
    /// The table's lines.
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |cells: &[String]| format!("| {} |", cells.join(" | "));
        let rule = vec!["---".to_owned(); self.headings.len()];
        [line(&self.headings), line(&rule)].into_iter().chain(self.rows.iter().map(|row| line(row))).collect()
    }
}

/// Text that says in a cell what it says outside of one. A cell is never empty.
pub(crate) fn prose(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.is_empty() {
        return "–".to_owned();
    }
    let words = words.replace('\\', "\\\\").replace('|', "\\|").replace('*', "\\*");
    // A `<` that a letter or a sign follows would begin a tag; `0 < T` does not.
    let parts: Vec<&str> = words.split('<').collect();
    let follows = |part: &str| if part.starts_with(' ') { "<" } else { "&lt;" };
    parts[1..].iter().fold(parts[0].to_owned(), |text, part| text + follows(part) + part)
}

/// A word of the contract or of a program, as code.
pub(crate) fn code(text: &str) -> String {
    let fence = if text.contains('`') { "``" } else { "`" };
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{space}{}{space}{fence}", text.replace('|', "\\|").replace('\n', " "))
}

/// Several words as code, with commas between them; a dash where there is none.
pub(crate) fn codes<T: AsRef<str>>(words: impl IntoIterator<Item = T>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| code(word.as_ref())).collect();
    if words.is_empty() { "–".to_owned() } else { words.join(", ") }
}

/// Yes or no.
pub(crate) fn yes(it_is: bool) -> String {
    if it_is { "yes" } else { "no" }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cell_says_stays_in_it() {
        assert_eq!(prose("a | b\n<!-- passmuster:end -->"), "a \\| b &lt;!-- passmuster:end -->");
        assert_eq!(prose("0 < T <pid>"), "0 < T &lt;pid>");
        assert_eq!(prose(" "), "–");
        assert_eq!(code("a`|b`"), "`` a`\\|b` ``");
        assert_eq!(codes(["x", "y"]), "`x`, `y`");
    }
}
