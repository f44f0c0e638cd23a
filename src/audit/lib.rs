//! Audit records, their hash chain, retention, and the one verifier of both sides. No I/O in here.

pub mod agent_log;
pub mod history;
pub mod record;
pub mod retention;
