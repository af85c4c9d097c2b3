//! The JSON-RPC driver: a small peer of our own, because a harness must also survive what breaks the protocol.

pub mod link;
pub(crate) mod peer;
