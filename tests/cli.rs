//! The command line as people and scripts meet it: the real program, without an agent and with a
//! scripted one.

#![allow(
    clippy::panic,
    clippy::too_many_lines,
    clippy::unwrap_used,
    reason = "a test says no by panicking, and a story is told in one piece"
)]
#![expect(clippy::unwrap_used, reason = "a test stops where it can't go on")]

#[cfg(unix)]
#[path = "cli/agent.rs"]
mod agent;
#[path = "cli/cases.rs"]
mod cases;
#[cfg(unix)]
#[path = "cli/commands.rs"]
mod commands;
#[cfg(unix)]
#[path = "cli/complete.rs"]
mod complete;
#[cfg(unix)]
#[path = "cli/exec.rs"]
mod exec;
#[cfg(unix)]
#[path = "cli/gateway.rs"]
mod gateway;
#[path = "cli/help.rs"]
mod help;
#[path = "cli/home.rs"]
mod home;
#[cfg(unix)]
#[path = "cli/issuer.rs"]
mod issuer;
#[cfg(unix)]
#[path = "cli/job.rs"]
mod job;
#[cfg(unix)]
#[path = "cli/job_identity.rs"]
mod job_identity;
#[cfg(unix)]
#[path = "cli/login_url.rs"]
mod login_url;
#[cfg(unix)]
#[path = "cli/sign_in.rs"]
mod sign_in;
