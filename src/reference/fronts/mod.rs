//! The front ends: the same service behind JSON-RPC and MCP; the CLI is a client of the former.

pub mod mcp;
pub mod rpc;
