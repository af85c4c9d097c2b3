//! How a system under test is spoken to: one folder or file a transport.

pub mod http;
pub mod mcp;
pub mod process;
pub mod rpc;
pub mod transport;
pub mod wire;
pub mod wire_log;
