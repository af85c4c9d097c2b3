//! The tables that documents repeat of the contract, the requirements, the profiles and the vocabulary: drawn from their
//! one source, between markers, in this repository's documents and in anybody's.
//!
//! `<!-- passmuster:begin table=NAME option=value … -->`, the table, `<!-- passmuster:end -->`; `passmuster spec build`
//! writes what stands between, and not a byte outside.
pub(crate) mod announcements;
pub(crate) mod catalogue;
pub(crate) mod coverage;
pub(crate) mod creation;
pub(crate) mod diff;
pub(crate) mod document;
pub(crate) mod errors;
pub(crate) mod facts;
pub(crate) mod faults;
pub(crate) mod file_rules;
pub(crate) mod kill_matrix;
pub(crate) mod limits;
pub(crate) mod lines;
pub(crate) mod markdown;
pub(crate) mod marker;
pub(crate) mod measured;
pub(crate) mod moments;
pub(crate) mod needs;
pub(crate) mod observability;
pub(crate) mod operations;
pub(crate) mod options;
pub(crate) mod phases;
pub(crate) mod picture;
pub(crate) mod requirements;
pub mod schemas;
pub(crate) mod statuses;
pub(crate) mod steps;
pub(crate) mod supervised_states;
pub(crate) mod timeline;
pub(crate) mod tree;
pub(crate) mod worker_machine;

pub use document::{Rebuilt, Region, rebuild};
pub use facts::Facts;
pub use options::{OPTIONS, OptionSpec, TableOptions};
pub use tree::{Build, BuildError, build, markdown_below};

use markdown::Grid;

/// One table that documents may show.
pub struct TableSpec {
    /// Its name, as in `table=NAME`.
    pub name: &'static str,
    /// What it shows.
    pub about: &'static str,
    /// The options that it takes, by name.
    pub options: &'static [&'static str],
    /// Its columns; none where they follow from the options.
    pub columns: &'static [TableColumn],
    /// Draws it.
    draw: fn(&Facts, &TableOptions) -> Result<Drawing, String>,
}

/// A column of a table.
pub struct TableColumn {
    /// Its name, as in `columns=NAME`.
    pub name: &'static str,
    /// Its heading.
    pub heading: &'static str,
    /// Whether it is shown where no columns are asked for.
    pub shown: bool,
}

/// A column that is shown unless others are asked for.
const fn shown(name: &'static str, heading: &'static str) -> TableColumn {
    TableColumn { name, heading, shown: true }
}

/// A column that is shown where it is asked for.
const fn on_request(name: &'static str, heading: &'static str) -> TableColumn {
    TableColumn { name, heading, shown: false }
}

/// What a table's function makes.
enum Drawing {
    /// Rows with a cell for each of the table's columns.
    Rows(Vec<Vec<String>>),
    /// The same in parts, each under a heading.
    Parts(Vec<(String, Vec<Vec<String>>)>),
    /// A table whose columns follow from the options.
    Grid(Grid),
    /// Markdown that is more than one table.
    Text(String),
    /// A picture, and what to read where it cannot be seen.
    Picture { svg: String, alt: String },
}

/// Every table, in the order `passmuster spec tables` shows them.
pub const TABLES: &[TableSpec] = &[
    requirements::TABLE,
    coverage::TABLE,
    faults::TABLE,
    kill_matrix::TABLE,
    moments::TABLE,
    operations::TABLE,
    errors::TABLE,
    statuses::TABLE,
    announcements::TABLE,
    limits::TABLE,
    needs::TABLE,
    phases::TABLE,
    creation::TABLE,
    observability::TABLE,
    timeline::TABLE,
    measured::TABLE,
    lines::TABLE,
    worker_machine::TABLE,
    supervised_states::TABLE,
    steps::TABLE,
    file_rules::TABLE,
    catalogue::TABLE,
];

/// What a table looks like in a document: its lines, and the picture that goes into a file beside it.
pub(crate) struct Drawn {
    lines: Vec<String>,
    svg: Option<String>,
}

impl TableSpec {
    /// The table of that name.
    pub fn find(name: &str) -> Option<&'static TableSpec> {
        TABLES.iter().find(|table| table.name == name)
    }

    fn drawn(&self, facts: &Facts, options: &TableOptions) -> Result<Drawn, String> {
        let lines = match (self.draw)(facts, options)? {
            Drawing::Rows(rows) => self.grid(options, rows).lines(),
            Drawing::Grid(grid) => grid.lines(),
            Drawing::Text(text) => text.lines().map(str::to_owned).collect(),
            Drawing::Parts(parts) => {
                let marks = "#".repeat(options.depth.unwrap_or(3));
                let part = |(title, rows)| [vec![format!("{marks} {title}"), String::new()], self.grid(options, rows).lines()].concat();
                parts.into_iter().map(part).collect::<Vec<_>>().join(&String::new())
            }
            Drawing::Picture { svg, alt } => {
                let file = options.file.as_deref().ok_or("a picture goes into a file of its own: add `file=NAME.svg`")?;
                return Ok(Drawn { lines: vec![format!("![{alt}]({file})")], svg: Some(svg) });
            }
        };
        Ok(Drawn { lines, svg: None })
    }

    /// The columns asked for, else those that are shown anyway.
    fn grid(&self, options: &TableOptions, rows: Vec<Vec<String>>) -> Grid {
        let place =
            |name: &String| self.columns.iter().position(|column| column.name == name).expect("columns are checked when they are read");
        let places: Vec<usize> = match options.columns.is_empty() {
            true => (0..self.columns.len()).filter(|at| self.columns[*at].shown).collect(),
            false => options.columns.iter().map(place).collect(),
        };
        Grid {
            headings: places.iter().map(|at| self.columns[*at].heading.to_owned()).collect(),
            rows: rows.into_iter().map(|row| places.iter().map(|at| row[*at].clone()).collect()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_options_known() {
        let mut names: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TABLES.len());
        for table in TABLES {
            for option in table.options {
                assert!(OPTIONS.iter().any(|known| known.name == *option), "{}: no option {option}", table.name);
            }
            assert_eq!(table.options.contains(&"columns"), !table.columns.is_empty(), "{}", table.name);
        }
    }

    #[test]
    fn every_table_is_drawn_with_no_option_and_with_every_column() {
        let facts = Facts::embedded();
        for table in TABLES {
            let all =
                TableOptions { columns: table.columns.iter().map(|column| column.name.to_owned()).collect(), ..TableOptions::default() };
            for options in [TableOptions::default(), all] {
                let drawn = table.drawn(&facts, &options).unwrap_or_else(|why| panic!("{}: {why}", table.name));
                let cells = |line: &String| line.replace("\\|", "").matches('|').count();
                assert!(drawn.lines.len() > 2, "{} has no rows", table.name);
                let is_one_table = drawn.lines.iter().all(|line| line.starts_with('|'));
                assert!(
                    !is_one_table || drawn.lines.iter().all(|line| cells(line) == cells(&drawn.lines[0])),
                    "{}: {:#?}",
                    table.name,
                    drawn.lines
                );
            }
        }
    }
}
