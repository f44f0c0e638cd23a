//! The gateway: a loopback door to one hub for one child of `oam exec`. It adds a fresh role token to each request,
//! so the child holds nothing that is good anywhere else.
//!
//! It runs in `oam exec`, not in the agent. That process lives exactly as long as the child, so the listener goes with
//! it however it ends; it never holds the refresh token, so what reads the child's requests can't reach it; the agent's
//! memory and idle wake-ups stay what they were; and a CI job, which has no agent, gets the same. The price is one
//! question to the agent's socket for each request.
//!
//! A request passes in this order, and nothing of its body is read before the token is there:
//! the peer ([`peer`]), what a browser or a rebound name would send ([`admit`]), the [`capability`], the repository and operation
//! ([`route`]), the token ([`source`]), the hub ([`forward`]).

pub mod admit;
mod admitted;
pub mod answer;
pub mod body;
pub mod capability;
pub mod count;
pub mod forward;
pub mod headers;
pub mod held;
pub mod hub;
mod lead;
pub mod lfs;
pub mod link;
pub mod path;
pub mod peer;
pub mod push;
pub mod report;
pub mod route;
pub mod serve;
pub mod source;

#[cfg(test)]
mod tests;
