//! The operations of a suite's contract.

use crate::contract::{Field, FieldKind, SESSION_OPERATIONS};
use crate::engine::suite::find;
use crate::suites::SUITES;

use super::markdown::{code, codes, prose};
use super::{Drawing, Facts, TableOptions, TableSpec, on_request, shown};

pub(crate) const TABLE: TableSpec = TableSpec {
    name: "operations",
    about: "the operations, their arguments, results and errors",
    options: &["suite", "columns"],
    columns: &[
        shown("operation", "operation"),
        shown("arguments", "arguments (`?` optional)"),
        shown("result", "result"),
        shown("errors", "errors"),
        on_request("about", "what it does"),
        on_request("verb", "CLI verb"),
    ],
    draw,
};

fn draw(_: &Facts, options: &TableOptions) -> Result<Drawing, String> {
    let operations = options.suite.and_then(|name| find(SUITES, name)).map_or(SESSION_OPERATIONS, |suite| suite.operations());
    let rows = operations.iter().map(|operation| {
        let optional = if operation.optional { " (optional)" } else { "" };
        vec![
            format!("{}{optional}", code(operation.name)),
            fields(operation.args),
            fields(operation.result),
            codes(operation.errors.iter().map(|error| error.name())),
            prose(operation.about),
            code(&operation.verb()),
        ]
    });
    Ok(Drawing::Rows(rows.collect()))
}

fn fields(fields: &[Field]) -> String {
    if fields.is_empty() { "–".to_owned() } else { fields.iter().map(field).collect::<Vec<_>>().join(", ") }
}

fn field(field: &Field) -> String {
    let inner = match field.kind {
        FieldKind::Objects(inner) => format!(": [{}]", fields(inner)),
        _ => String::new(),
    };
    format!("{}{}{inner}", code(field.name), if field.required { "" } else { "?" })
}
