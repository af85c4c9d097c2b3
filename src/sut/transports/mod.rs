//! How a system under test is spoken to: one folder or file a transport.

pub(crate) mod http;
pub(crate) mod kinds;
pub mod mcp;
pub mod process;
pub mod rest;
pub mod rpc;
pub mod transport;
pub mod wire;
pub(crate) mod wire_log;
