//! The MCP driver, over stdio and streamable HTTP.

pub(crate) mod connection;
pub(crate) mod errors;
pub mod link;
