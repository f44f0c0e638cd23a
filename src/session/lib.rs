//! The agent's decisions, as functions of (state, event, now). No I/O, no clock, no randomness in here.

pub mod cache;
pub mod desk;
pub mod device;
pub mod hub;
pub mod link;
pub mod notice;
pub mod role;
pub mod session;
pub mod standing;
