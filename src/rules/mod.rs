//! Every decision, as functions of (state, event, now). No I/O, no clock, no randomness in here.

pub mod cache;
pub mod desk;
pub mod hub;
pub mod keys;
pub mod notice;
pub mod pattern;
pub mod record;
pub mod retention;
pub mod role;
pub mod session;
pub mod standing;
