//! Everything outside the agent.

pub mod clock;
pub mod exchange;
pub mod files;
pub mod http;
pub mod journal;
pub mod loopback;
pub mod notice;
pub mod oidc;
pub mod vault;
