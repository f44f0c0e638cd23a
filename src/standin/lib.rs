//! What tests talk to in place of a provider: a server with canned answers, keys that sign, a provider of both, and a
//! clock that stands. Products don't build it.

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a test stops at what it can't do"
)]

pub mod clock;
pub mod provider;
pub mod server;
pub mod signer;
