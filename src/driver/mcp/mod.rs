//! The MCP driver, over stdio and streamable HTTP.

pub mod connection;
pub mod link;
