//! The words that a manifest may use in their places: the reader names the nearest of them, the schema offers them.

use schemars::Schema;
use serde_json::{Map, Value, json};

use crate::contract::{ANNOUNCEMENTS, Claim, ERRORS, OPERATIONS, OperationSpec, Status};
use crate::trace::settings::Processes;

use super::TransportKind;
use crate::sut::transports::kinds::TRANSPORTS;

/// What a system can speak.
pub(crate) fn transports() -> Vec<(&'static str, TransportKind)> {
    TRANSPORTS.iter().map(|spec| (spec.name, spec.kind)).collect()
}

/// What there can be one agent process for.
pub(crate) const PROCESSES: &[(&str, Processes)] = &[
    (Processes::Session.name(), Processes::Session),
    (Processes::Turn.name(), Processes::Turn),
    (Processes::Shared.name(), Processes::Shared),
];

/// What a command can print, besides matches.
pub(crate) const OUTPUTS: [&str; 3] = ["json", "lines", "text"];

/// The word for announcements on a stream, where a system says what it lacks.
pub(crate) const STREAM: &str = "events";

/// The words of a table.
pub(crate) fn names<T>(table: &[(&'static str, T)]) -> Vec<&'static str> {
    table.iter().map(|(name, _)| *name).collect()
}

/// Every operation that a system can have.
pub(crate) fn operations() -> impl Iterator<Item = &'static OperationSpec> {
    OPERATIONS.iter().copied().flatten()
}

/// What a system can say it lacks.
pub(crate) fn lacking() -> Vec<&'static str> {
    let mut names: Vec<_> = operations().map(|operation| operation.name).chain([STREAM]).collect();
    names.sort_unstable();
    names.dedup();
    names
}

// ---- schemas ---------------------------------------------------------------------------------------------------------

/// Offers, in a manifest's schema, the suites that can be claimed.
pub fn offer_suites(schema: &mut Schema, claims: &[Claim]) {
    if let Some(items) = schema.pointer_mut("/definitions/System/properties/suites/items") {
        *items = one_of(claims.iter().map(|claim| claim.name).collect());
    }
}

/// One of those words.
pub(crate) fn one_of(words: Vec<&'static str>) -> Value {
    json!({ "type": "string", "enum": words })
}

/// A manifest is of a manager, of an orchestrator, or of both.
pub(crate) fn of_a_manager_or_an_orchestrator(schema: &mut Schema) {
    if let Some(of_a_manager) = schema.remove("required") {
        schema.insert("anyOf".into(), json!([{ "required": of_a_manager }, { "required": ["orchestrator"] }]));
    }
}

/// A table by the contract's status words.
pub(crate) fn by_status(schema: &mut Schema) {
    keyed(schema, Status::ALL.map(|status| (status.name(), "")));
}

/// A table by the contract's operations.
pub(crate) fn by_operation(schema: &mut Schema) {
    keyed(schema, operations().map(|operation| (operation.name, operation.about)));
}

/// A table by the contract's announcements.
pub(crate) fn by_announcement(schema: &mut Schema) {
    keyed(schema, ANNOUNCEMENTS.iter().map(|announcement| (announcement.name, announcement.meaning)));
}

/// A table by the contract's errors.
pub(crate) fn by_error(schema: &mut Schema) {
    keyed(schema, ERRORS.iter().map(|error| (error.name, error.meaning)));
}

/// Makes of a table with any keys one with these, each with what it means.
fn keyed(schema: &mut Schema, keys: impl IntoIterator<Item = (&'static str, &'static str)>) {
    let value = schema.remove("additionalProperties").unwrap_or(Value::Bool(true));
    let mut properties = Map::new();
    for (key, about) in keys {
        let mut value = value.clone();
        if let (Some(value), false) = (value.as_object_mut(), about.is_empty()) {
            value.insert("description".into(), about.into());
        }
        properties.entry(key).or_insert(value);
    }
    schema.insert("properties".into(), properties.into());
    schema.insert("additionalProperties".into(), false.into());
}
