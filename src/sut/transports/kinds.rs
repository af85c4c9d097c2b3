//! The transports, each a row: its word, how its calls and announcements are written in a manifest, how it connects.

use std::ops::Range;

use serde_json::{Map, Value, json};

use crate::contract::ANNOUNCEMENTS;
use crate::core::diagnostic::Placed;
use crate::sut::CallError;
use crate::sut::ground::SandboxedSystem;
use crate::sut::manifest::raw::RawOperation;
use crate::sut::manifest::{Stream, Template, TransportKind, Word};

use super::mcp::link::McpRoute;
use super::process::Commands;
use super::rest;
use super::rest::HttpRoute;
use super::rpc::link::{Endpoint, RpcRoute};
use super::transport::Route;

/// Streams of announcements, each with the announcement's name; without one, each value names itself.
pub(crate) type Streams = Vec<(Option<&'static str>, Stream)>;

/// What there is to know of a transport.
pub(crate) struct TransportSpec {
    /// Which.
    pub(crate) kind: TransportKind,
    /// Its word in manifests and reports.
    pub(crate) name: &'static str,
    /// How a call is written that has a name. `None`: a call is a `command`.
    pub(crate) named: Option<NamedCalls>,
    /// Whether a server is spoken to, at exactly one place, which can notify.
    pub(crate) is_server: bool,
    /// Whether a manifest says what is said first.
    pub(crate) has_handshake: bool,
    /// Whether what is asked are requests, below a URL, and announcements come as server-sent events.
    pub(crate) has_requests: bool,
    /// The canonical streams, given the system's command.
    pub(crate) streams: fn(&[Word]) -> Streams,
    /// How a manifest's system is reached.
    pub(crate) route: fn(&SandboxedSystem) -> Result<Box<dyn Route>, CallError>,
}

/// Something written, with its place.
type Found<T> = Option<(Range<usize>, T)>;

/// How calls are written in a manifest that name something of a server's.
#[derive(Clone, Copy)]
pub(crate) struct NamedCalls {
    /// The keys, as errors show them.
    pub(crate) keys: &'static str,
    /// The name, with its place; an error says what is wrong with it.
    pub(crate) name: fn(&RawOperation) -> Found<Result<String, String>>,
    /// What is passed along, with its place.
    pub(crate) params: fn(&RawOperation) -> Found<Value>,
    /// The canonical call of an operation, given its name and its arguments.
    pub(crate) canonical: fn(&str, Value) -> (String, Value),
}

/// A key's text, as it is.
fn as_it_is(given: &Option<Placed<String>>) -> Found<Result<String, String>> {
    given.as_ref().map(|given| (given.span(), Ok(given.as_ref().clone())))
}

/// A key's value, as it is.
fn value_of(given: &Option<Placed<Value>>) -> Found<Value> {
    given.as_ref().map(|given| (given.span(), given.as_ref().clone()))
}

/// A method of HTTP and a path.
fn request(given: &RawOperation) -> Found<Result<String, String>> {
    let path = given.path.as_ref()?;
    let usual = if given.body.is_some() || given.form.is_some() { "POST" } else { "GET" };
    let (at, method) = given.method.as_ref().map_or((path.span(), usual), |method| (method.span(), method.as_ref()));
    if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Some((at, Err(format!("`{method}` is no method of HTTP: wanted GET, POST, PUT, PATCH or DELETE"))));
    }
    let path = (path.span(), path.as_ref());
    Some(match path.1.starts_with(['/', '{']) {
        true => (path.0, Ok(format!("{method} {}", path.1))),
        false => (path.0, Err(format!("a path begins with `/`: `{}`", path.1))),
    })
}

/// What a request carries, part by part.
fn parts(given: &RawOperation) -> Found<Value> {
    let parts = [(rest::QUERY, &given.query), (rest::HEADERS, &given.headers), (rest::BODY, &given.body), (rest::FORM, &given.form)];
    let given: Vec<_> = parts.into_iter().filter_map(|(name, part)| Some((name, part.as_ref()?))).collect();
    let at = given.first()?.1.span();
    Some((at, Value::Object(given.into_iter().map(|(name, part)| (name.to_owned(), part.as_ref().clone())).collect::<Map<_, _>>())))
}

/// Every transport, in the order errors and schemas show them.
pub(crate) const TRANSPORTS: &[TransportSpec] = &[
    TransportSpec {
        kind: TransportKind::Builtin,
        name: "builtin",
        named: None,
        is_server: false,
        has_handshake: false,
        has_requests: false,
        streams: |_| Vec::new(),
        route: |_| {
            let what = "[transport] kind: the built-in reference is not reached by a driver of this kind".to_owned();
            Err(CallError::Broken { what })
        },
    },
    TransportSpec {
        kind: TransportKind::Cli,
        name: "cli",
        named: None,
        is_server: false,
        has_handshake: false,
        has_requests: false,
        streams: |program| {
            let more = ["events", "--follow"].map(|word| Word::One(Template::parse(word).expect("canonical words are templates")));
            vec![(None, Stream::Command(program.iter().cloned().chain(more).collect()))]
        },
        route: |system| {
            let (env, cwd) = system.surroundings();
            Ok(Box::new(Commands { env, cwd }))
        },
    },
    TransportSpec {
        kind: TransportKind::Rpc,
        name: "rpc",
        named: Some(NamedCalls {
            keys: "`method` (and `params`)",
            name: |given| as_it_is(&given.method),
            params: |given| value_of(&given.params),
            canonical: |operation, args| (operation.to_owned(), args),
        }),
        is_server: true,
        has_handshake: true,
        has_requests: false,
        streams: |_| ANNOUNCEMENTS.iter().map(|spec| (Some(spec.name), Stream::Method(spec.name.into()))).collect(),
        route: |system| {
            let (endpoint, handshake) = (system.endpoint()?, system.handshake()?);
            Ok(Box::new(RpcRoute { endpoint, jsonrpc_field: system.has_jsonrpc_field(), handshake }))
        },
    },
    TransportSpec {
        kind: TransportKind::Mcp,
        name: "mcp",
        named: Some(NamedCalls {
            keys: "`tool` (and `arguments`)",
            name: |given| as_it_is(&given.tool),
            params: |given| value_of(&given.arguments),
            canonical: |operation, args| (operation.to_owned(), args),
        }),
        is_server: true,
        has_handshake: false,
        has_requests: false,
        streams: |_| vec![(None, Stream::Method("notifications/message".into()))],
        route: |system| Ok(Box::new(McpRoute { endpoint: system.endpoint()? })),
    },
    TransportSpec {
        kind: TransportKind::Http,
        name: "http",
        named: Some(NamedCalls {
            keys: "`path` (and `method`, `query`, `headers`, `body` or `form`)",
            name: request,
            params: parts,
            canonical: |operation, args| (format!("POST /{operation}"), json!({ rest::BODY: args })),
        }),
        is_server: true,
        has_handshake: false,
        has_requests: true,
        streams: |_| vec![(None, Stream::Sse(Template::parse("/events").expect("a path is a template")))],
        route: |system| {
            let Endpoint::Http(base) = system.endpoint()? else {
                return Err(CallError::Broken { what: "[transport]: http is reached by a `url`".to_owned() });
            };
            Ok(Box::new(HttpRoute { base, headers: system.headers()? }))
        },
    },
];

impl TransportKind {
    /// Its row.
    pub(crate) fn spec(self) -> &'static TransportSpec {
        TRANSPORTS.iter().find(|spec| spec.kind == self).expect("every transport has a row")
    }

    /// The word in manifests and reports.
    pub fn name(self) -> &'static str {
        self.spec().name
    }
}
