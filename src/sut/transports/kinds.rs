//! The transports, each a row: its word, how its calls and announcements are written in a manifest, how it connects.

use crate::contract::ANNOUNCEMENTS;
use crate::sut::CallError;
use crate::sut::ground::SandboxedSystem;
use crate::sut::manifest::{Stream, Template, TransportKind, Word};

use super::mcp::link::McpRoute;
use super::process::Commands;
use super::rpc::link::RpcRoute;
use super::transport::Route;

/// Streams of announcements, each with the announcement's name; without one, each value names itself.
pub(crate) type Streams = Vec<(Option<&'static str>, Stream)>;

/// What there is to know of a transport.
pub(crate) struct TransportSpec {
    /// Which.
    pub(crate) kind: TransportKind,
    /// Its word in manifests and reports.
    pub(crate) name: &'static str,
    /// The keys of a call of its own: what is named, and what is passed along. `None`: a call is a `command`.
    pub(crate) keys: Option<(&'static str, &'static str)>,
    /// Whether a server is spoken to, at exactly one place, which can notify.
    pub(crate) is_server: bool,
    /// Whether a manifest says what is said first.
    pub(crate) has_handshake: bool,
    /// The canonical streams, given the system's command.
    pub(crate) streams: fn(&[Word]) -> Streams,
    /// How a manifest's system is reached.
    pub(crate) route: fn(&SandboxedSystem) -> Result<Box<dyn Route>, CallError>,
}

/// Every transport, in the order errors and schemas show them.
pub(crate) const TRANSPORTS: &[TransportSpec] = &[
    TransportSpec {
        kind: TransportKind::Builtin,
        name: "builtin",
        keys: None,
        is_server: false,
        has_handshake: false,
        streams: |_| Vec::new(),
        route: |_| {
            let what = "[transport] kind: the built-in reference is not reached by a driver of this kind".to_owned();
            Err(CallError::Broken { what })
        },
    },
    TransportSpec {
        kind: TransportKind::Cli,
        name: "cli",
        keys: None,
        is_server: false,
        has_handshake: false,
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
        keys: Some(("method", "params")),
        is_server: true,
        has_handshake: true,
        streams: |_| ANNOUNCEMENTS.iter().map(|spec| (Some(spec.name), Stream::Method(spec.name.into()))).collect(),
        route: |system| {
            let (endpoint, handshake) = (system.endpoint()?, system.handshake()?);
            Ok(Box::new(RpcRoute { endpoint, jsonrpc_field: system.has_jsonrpc_field(), handshake }))
        },
    },
    TransportSpec {
        kind: TransportKind::Mcp,
        name: "mcp",
        keys: Some(("tool", "arguments")),
        is_server: true,
        has_handshake: false,
        streams: |_| vec![(None, Stream::Method("notifications/message".into()))],
        route: |system| Ok(Box::new(McpRoute { endpoint: system.endpoint()? })),
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
