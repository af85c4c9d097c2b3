//! A report made harmless, once, before anything is drawn of it.

use serde_json::Value;

use crate::core::sanitise;
use crate::results::model::Report;

/// A report all of whose texts are harmless.
pub(crate) fn sanitised(report: &Report) -> Report {
    let mut value = serde_json::to_value(report).expect("a report is JSON");
    walk(&mut value);
    serde_json::from_value(value).expect("a report whose texts changed is a report")
}

fn walk(value: &mut Value) {
    match value {
        Value::String(text) => *text = sanitise(text),
        Value::Array(items) => items.iter_mut().for_each(walk),
        Value::Object(fields) => {
            *fields = std::mem::take(fields)
                .into_iter()
                .map(|(key, mut value)| {
                    walk(&mut value);
                    (sanitise(&key), value)
                })
                .collect();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_harmless_report_stays_as_it_is() {
        let report = crate::results::example::report();
        assert_eq!(sanitised(&report), report);
    }
}
