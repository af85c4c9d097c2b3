//! The rules for Markdown session files, as the linter has them.

use crate::files::{RULES, RuleOffer};

use super::markdown::{code, prose};
use super::{Drawing, Facts, TableOptions, TableSpec, shown};

pub(crate) const TABLE: TableSpec = TableSpec {
    name: "file-rules",
    about: "the rules for session files: what `passmuster files check` finds, and what `--fix` puts right",
    options: &["columns"],
    columns: &[
        shown("code", "code"),
        shown("family", "rule"),
        shown("level", "level"),
        shown("found", "what is found"),
        shown("fix", "put right by"),
    ],
    draw,
};

fn draw(_: &Facts, _: &TableOptions) -> Result<Drawing, String> {
    let offer = |offer| match offer {
        RuleOffer::Nothing => String::new(),
        RuleOffer::Safe => code("--fix"),
        RuleOffer::Unsafe => code("--unsafe-fixes"),
    };
    let rows = RULES
        .iter()
        .map(|rule| vec![code(rule.code), rule.requirement.to_owned(), rule.level().to_owned(), prose(rule.title), offer(rule.offer)]);
    Ok(Drawing::Rows(rows.collect()))
}
