//! OAM, organization access management: short-lived role tokens for model hubs and git.
//!
//! Facts flow in, effects flow out, and each room is entered once on the way. Rooms by floor
//! (a room imports only from floors below; `tests/house.rs` holds the arrows):
//! `model` · `rules`, `wire`, `config` · `front`, `agent` · `edge`, `issuer`, `cli` · `demo` · `bin`.

#[cfg(feature = "agent")]
pub mod agent;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "decide")]
pub mod config;
#[cfg(feature = "demo")]
pub mod demo;
#[cfg(feature = "agent")]
pub mod edge;
pub mod front;
#[cfg(feature = "issuer")]
pub mod issuer;
pub mod model;
#[cfg(feature = "decide")]
pub mod rules;
pub mod wire;
