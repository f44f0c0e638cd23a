//! Everything outside the agent.

pub mod clock;
pub mod files;
pub mod notice;
