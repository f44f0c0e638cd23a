//! The keeper: one task that owns the state, and the ports it needs to the outside.

pub mod command;
pub mod ports;
pub mod state;
