//! The agent protocol: newline-delimited JSON over a local socket, and its blocking client.

#![warn(missing_docs)]

pub mod brief;
pub mod buffer;
pub mod client;
pub mod frame;
pub mod host;
pub mod kept;
pub mod message;
pub mod socket_path;
pub mod start;
pub mod stream;
pub mod until;
