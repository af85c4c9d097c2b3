//! The canonical mappings: what a manager that speaks a canonical front needs not write down.

use serde_json::{Map, Value, json};

use crate::contract::{OperationSpec, OperationTable};

use super::matcher::{Matcher, Path, Source, Wanted};
use super::template::{Shape, Template, Word};
use super::{CallShape, EventMap, Output, Step, Stream, TransportKind};

/// The canonical mapping of every operation.
pub(crate) fn operations(kind: TransportKind, program: &[Word], table: OperationTable) -> Vec<(String, Vec<Step>)> {
    table.iter().map(|operation| (operation.name.to_owned(), vec![step(kind, program, operation)])).collect()
}

fn step(kind: TransportKind, program: &[Word], operation: &OperationSpec) -> Step {
    let call = match kind.spec().named {
        Some(named) => {
            let (name, params) = (named.canonical)(operation.name, arguments(operation));
            CallShape::Named(template(&name), Some(Shape::parse(&params).expect("fields' names are variables")))
        }
        None => CallShape::Command(command(program, operation)),
    };
    let path = |name: &str| Source::Paths(vec![Path::parse(&format!("$.{name}")).expect("a field's name is a path")]);
    Step {
        call,
        output: Output::Json,
        stdin: None,
        when_given: None,
        wait: None,
        result: operation.result.iter().map(|field| (field.name.to_owned(), path(field.name))).collect(),
        each: None,
        errors: Vec::new(),
        empty: Vec::new(),
        undo: Vec::new(),
        as_last: None,
        is_own: false,
    }
}

fn arguments(operation: &OperationSpec) -> Value {
    let fields = operation.args.iter().map(|field| (field.name.to_owned(), json!(format!("{{{{ {} }}}}", field.name))));
    Value::Object(fields.collect::<Map<_, _>>())
}

fn command(program: &[Word], operation: &OperationSpec) -> Vec<Word> {
    let mut words = program.to_vec();
    words.push(Word::One(template(&operation.verb())));
    for field in operation.args {
        let flag = format!("--{}", field.name.replace('_', "-"));
        words.push(Word::Group(vec![template(&flag), template(&format!("{{{{ {} }}}}", field.name))]));
    }
    words
}

/// The canonical announcements: each names itself. Systems that nobody can wait for announce nothing.
pub(crate) fn events(kind: TransportKind, program: &[Word], table: OperationTable) -> Vec<EventMap> {
    if OperationSpec::find(table, "wait_events").is_none() {
        return Vec::new();
    }
    let ready = |stream: &Stream| match stream {
        Stream::Command(_) => vec![says_ready()],
        Stream::File(_) | Stream::Method(_) | Stream::Sse(_) => Vec::new(),
    };
    let streams = (kind.spec().streams)(program);
    streams.into_iter().map(|(name, stream)| EventMap { name, ready: ready(&stream), stream, when: None, result: Vec::new() }).collect()
}

/// The first line of the canonical stream: `{"event":"ready"}`.
fn says_ready() -> Matcher {
    let event = Path::parse("$.event").expect("a field's name is a path");
    Matcher { path: Some((event, Wanted::Equals("ready".into()))), ..Matcher::default() }
}

fn template(source: &str) -> Template {
    Template::parse(source).expect("canonical words are templates")
}
