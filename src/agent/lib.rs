//! The keeper: one task that owns the state, and the ports it needs to the outside.
//!
//! Commands come from the edge, answers of slow calls come back as events; both meet in one loop,
//! so nothing is locked and nothing races a revocation.

pub mod command;
pub mod keeper;
pub mod ports;
pub mod state;

mod anchoring;
mod asks;
mod effects;
mod ending;
mod feeding;
mod first;
mod followers;
mod holdings;
mod issuing;
mod ledger;
mod login;
mod meanwhile;
mod minting;
mod office;
mod opening;
mod reports;
mod retiring;
mod settings;
mod setup;
mod warnings;
mod why;
