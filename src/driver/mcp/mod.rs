//! The MCP driver, over stdio and streamable HTTP.

pub mod connection;
mod errors;
pub mod link;
