//! Every decision, as functions of (state, event, now). No I/O, no clock, no randomness in here.

pub mod account;
pub mod admission;
pub mod agent_log;
pub mod cache;
pub mod claims;
pub mod desk;
pub mod feed;
pub mod history;
pub mod hub;
pub mod jose;
pub mod keys;
pub mod leap;
pub mod link;
pub mod notice;
pub mod pattern;
pub mod policy;
pub mod rate;
pub mod record;
pub mod retention;
pub mod role;
pub mod session;
pub mod signal;
pub mod standing;
pub mod tie;
pub mod wanted;
