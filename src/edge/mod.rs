//! Everything outside the agent.

pub mod exchange;
pub mod http;
pub mod loopback;
pub mod oidc;
