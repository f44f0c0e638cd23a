//! The core: one task that owns the state, and the ports it needs to the outside.
//!
//! Commands come from outside, answers of slow calls come back as events; both meet in one loop,
//! so nothing is locked and nothing races a revocation.

pub mod command;
pub mod core;
pub mod ports;
pub mod state;

mod answers;
mod aside;
mod audit_chain;
mod audit_upload;
mod bearer;
mod beginning;
mod delivery;
mod durable;
mod effective_roles;
mod effects;
mod ending;
mod entitlements;
mod feeding;
mod first;
mod followers;
mod issuer_client;
mod minting;
pub mod notice_memory;
mod org_context;
mod org_session;
mod renewal;
mod reports;
mod resolve;
mod restore;
mod settings;
mod setup;
mod setup_reading;
mod warnings;
mod watcher;
mod watchers;
mod work;
