//! The issuer's decisions, as functions of (state, event, now). No I/O, no clock, no randomness in here.

pub mod account;
pub mod admission;
pub mod claims;
pub mod directory;
pub mod evidence;
pub mod feed;
pub mod keys;
pub mod pattern;
pub mod policy;
pub mod rate;
pub mod signal;
pub mod teams;
pub mod tie;
pub mod wanted;
