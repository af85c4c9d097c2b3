//! One document: what it is once its tables are drawn.

use crate::core::diagnostic::Diagnostic;

use super::facts::Facts;
use super::marker::MarkerReading;

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

/// What every marker has in it.
pub(crate) const MARKED: &str = "passmuster:";

/// Draws a document's tables.
///
/// # Errors
/// Everything that is wrong with its markers.
pub fn rebuild(file: &str, text: &str, facts: &Facts) -> Result<Rebuilt, Vec<Diagnostic>> {
    let mut rebuilt = Rebuilt { text: String::with_capacity(text.len()), regions: Vec::new(), pictures: Vec::new() };
    // Most documents of a large tree have no marker: they are not even parsed.
    if !text.contains(MARKED) {
        text.clone_into(&mut rebuilt.text);
        return Ok(rebuilt);
    }
    let mut reading = MarkerReading::new(file, text);
    let mut done = 0;
    for marked in reading.marked() {
        let drawn = match facts.drawn(&text[marked.at.clone()], || marked.table.drawn(facts, &marked.options)) {
            Ok(drawn) => drawn,
            Err(why) => {
                reading.wrong(marked.at, why, None);
                continue;
            }
        };
        let line = |line: &String| match line.is_empty() {
            true => marked.line_end.to_owned(),
            false => format!("{}{line}{}", marked.indent, marked.line_end),
        };
        let new: String = drawn.lines.iter().map(line).collect();
        rebuilt.pictures.extend(marked.options.file.clone().zip(drawn.svg.clone()));
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
    if reading.errors.is_empty() { Ok(rebuilt) } else { Err(reading.done()) }
}

#[cfg(test)]
mod tests {
    use miette::{GraphicalReportHandler, GraphicalTheme};

    use super::*;

    fn rebuilt(text: &str) -> String {
        rebuild("a.md", text, &Facts::embedded()).unwrap_or_else(|errors| panic!("{errors:?}")).text
    }

    const STATUSES: &str = "<!-- passmuster:begin table=statuses columns=status,alive -->\nold\n<!-- passmuster:end -->";

    #[test]
    fn a_table_is_drawn_between_its_markers_and_once_drawn_stays() {
        let once = rebuilt(&format!("before\n\n{STATUSES}\nafter, no line end"));
        assert!(once.starts_with("before\n\n<!-- passmuster:begin table=statuses columns=status,alive -->\n| status | alive |\n| --- | --- |\n| `starting` | yes |\n"));
        assert!(once.ends_with("| `ended` | no |\n<!-- passmuster:end -->\nafter, no line end"));
        assert_eq!(rebuilt(&once), once);
    }

    #[test]
    fn line_ends_the_byte_order_mark_and_indents_are_kept() {
        let text = format!("\u{feff}{STATUSES}\n\n- item\n\n  {}\n", STATUSES.replace('\n', "\n  ")).replace('\n', "\r\n");
        let new = rebuilt(&text);
        assert!(new.starts_with("\u{feff}<!-- passmuster:begin table=statuses columns=status,alive -->\r\n| status | alive |\r\n"));
        assert!(new.contains("\r\n  | `ended` | no |\r\n  <!-- passmuster:end -->\r\n"));
        assert_eq!(new.matches('\n').count(), new.matches("\r\n").count());
        assert_eq!(rebuilt(&new), new);
    }

    #[test]
    fn in_admonitions_and_in_mdx_tables_are_drawn_too() {
        let deep = STATUSES.replace('\n', "\n    ");
        for above in ["!!! note\n    ", "!!! note\n\n    ", "=== \"Linux\"\n\n    Words.\n\n    "] {
            let new = rebuilt(&format!("{above}{deep}\n"));
            assert!(new.contains("\n    | `ended` | no |\n    <!-- passmuster:end -->\n"), "{new}");
            assert_eq!(rebuilt(&new), new);
        }
        let mdx = STATUSES.replace("<!--", "{/*").replace("-->", "*/}");
        let new = rebuilt(&format!("Words.\n\n{mdx}\n"));
        assert!(new.contains("\n| `ended` | no |\n{/* passmuster:end */}\n"), "{new}");
    }

    #[test]
    fn what_only_mentions_markers_stays_as_it_is() {
        let example = STATUSES.replace('\n', "\n  ");
        let fenced = format!("# Doc\n\n- item\n\n  ~~~md\n  {example}\n  ~~~\n\ntext\n\n    <!-- passmuster:begin table=no-such -->\n");
        let inline = "Between `<!-- passmuster:begin table=x -->` and passmuster:end.\n";
        for text in [fenced.as_str(), inline, "passmuster: a harness\n", "no marker\r", ""] {
            assert_eq!(rebuilt(text), text);
        }
    }

    /// The text without what stands between markers.
    fn outside(text: &str) -> String {
        let marked = MarkerReading::new("a.md", text).marked();
        let starts = std::iter::once(0).chain(marked.iter().map(|marked| marked.body.end));
        let ends = marked.iter().map(|marked| marked.body.start).chain([text.len()]);
        starts.zip(ends).map(|(start, end)| &text[start..end]).collect()
    }

    #[test]
    fn whatever_a_document_is_made_of_nothing_outside_changes_and_once_is_enough() {
        let begin = "<!-- passmuster:begin table=statuses -->";
        let end = "<!-- passmuster:end -->";
        let pieces = [
            "\n",
            "\r\n",
            "text\n",
            "  ",
            "- ",
            "> ",
            "```\n",
            "~~~\n",
            "    ",
            "\t",
            "`",
            "é\u{feff}",
            "| a |\n",
            "# H\n",
            "---\n",
            "<!--",
            "-->",
        ];
        let whole = [
            format!("{begin}\n"),
            format!("{end}\n"),
            format!("{begin}\nold\n{end}\n"),
            format!("{begin}\r\n{end}\r\n"),
            format!("  {begin}\n  {end}"),
        ];
        let all: Vec<&str> =
            pieces.into_iter().chain(whole.iter().map(String::as_str)).chain(whole.iter().skip(2).map(String::as_str)).collect();
        let facts = Facts::embedded();
        // A fixed sequence (Knuth's constants): the same documents on every machine.
        let mut state = 1_u64;
        let mut next = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let mut drawn = 0;
        for _ in 0..3000 {
            let text: String = (0..1 + next(12)).map(|_| all[next(all.len())]).collect();
            let Ok(once) = rebuild("a.md", &text, &facts) else { continue };
            assert_eq!(outside(&once.text), outside(&text), "{text:?}");
            let twice = rebuild("a.md", &once.text, &facts).unwrap_or_else(|errors| panic!("{text:?}: {errors:?}"));
            assert_eq!(twice.text, once.text, "{text:?}");
            assert_eq!(twice.regions.len(), once.regions.len(), "{text:?}");
            drawn += once.regions.len();
        }
        assert!(drawn > 500, "only {drawn} tables were drawn");
    }

    #[test]
    fn parts_have_headings_of_the_depth_asked_for() {
        let new = rebuilt("<!-- passmuster:begin table=requirements depth=4 columns=id -->\n<!-- passmuster:end -->\n");
        assert!(new.contains("-->\n#### lifecycle\n\n| id |\n| --- |\n| LC-CREATE-1 |\n"), "{new}");
        assert!(new.contains("\n\n#### codex-observability\n\n| id |\n"), "{new}");
    }

    #[test]
    fn ids_link_to_their_headings() {
        let new = rebuilt(
            "<!-- passmuster:begin table=requirements suite=codex-observability columns=id links=https://x.invalid/spec/ -->\n<!-- passmuster:end -->\n",
        );
        let link =
            "| [CX-1](https://x.invalid/spec/agent-behaviors/codex-observability.md#cx-1--must--agent--the-file-comes-at-its-phase) |";
        assert!(new.contains(link), "{new}");
    }

    #[test]
    fn everything_that_is_wrong_is_told_and_shown_where_it_stands() {
        let text = "<!-- passmuster:begin table=observabilty agents=codex -->\n<!-- passmuster:end -->\n\
             <!-- passmuster:begin table=observability agents=codex,cluade colour=red columns=agent,fil agents=codex -->\n<!-- passmuster:end -->\n\
             <!-- passmuster:begin agents=codex -->\n<!-- passmuster:end -->\n<!-- passmuster:end -->\n\
             text <!-- passmuster:begin table=errors -->\n\
             <!-- passmuster:begin table=timeline file=../../x.svg -->\n<!-- passmuster:end -->\n\
             <!-- passmuster:begin table=limits -->\n<!-- passmuster:begin table=\"errors words -->\n<!-- passmuster:end -->\n\
             <!-- passmuster:begin table=errors depth=2 loud -->\n<!-- passmuster:end -->\n\
             <!-- passmuster:begin table=observability profiles=no/such.toml -->\n<!-- passmuster:end -->\n\
             <!-- passmuster:begin table=errors -->\n";
        let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(120);
        let mut shown = String::new();
        for error in rebuild("docs/a.md", text, &Facts::embedded()).unwrap_err() {
            handler.render_report(&mut shown, &error).unwrap();
            shown.push('\n');
        }
        insta::assert_snapshot!(shown);
    }
}
