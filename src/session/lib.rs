//! The agent's decisions, as functions of (state, event, now). No I/O, no clock, no randomness in here.

pub mod cache;
pub mod device;
pub mod hub;
pub mod machine;
pub mod notice;
pub mod notice_queue;
pub mod role;
pub mod screen;
pub mod standing;
pub mod state;
pub mod subscription;
