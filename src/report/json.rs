use std::fmt::Write as _;

use super::Look;
use crate::core::sanitise::is_harmful;
use crate::results::model::Report;

/// The model as it stands. What could act on a terminal is escaped, as JSON allows in its strings (the only place where
/// it can be).
pub(crate) fn draw(report: &Report, _: &Look) -> String {
    text(report)
}

/// What is given, as JSON of that kind.
pub(crate) fn text(model: &impl serde::Serialize) -> String {
    let text = serde_json::to_string_pretty(model).expect("a model is JSON");
    let mut safe = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        match c {
            '\n' => safe.push('\n'),
            c if is_harmful(c) => write!(safe, "\\u{:04x}", c as u32).expect("writing to memory succeeds"),
            c => safe.push(c),
        }
    }
    safe.push('\n');
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::example;

    #[test]
    fn it_is_read_back_as_it_was_written_whatever_it_holds() {
        for report in [example::report(), example::hostile()] {
            assert_eq!(serde_json::from_str::<Report>(&draw(&report, &Look::default())).unwrap(), report);
        }
    }
}
