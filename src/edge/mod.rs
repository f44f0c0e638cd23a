//! Everything outside the agent.

pub mod clock;
pub mod files;
pub mod journal;
pub mod notice;
pub mod settings;
pub mod vault;
