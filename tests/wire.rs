//! The agent protocol: its bytes, and the real socket server with a core that is a closure.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]
#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "tests talk to their children and to people"
)]

#[path = "wire/answers.rs"]
mod answers;
#[path = "wire/bounds.rs"]
mod bounds;
#[path = "wire/foreign.rs"]
mod foreign;
#[path = "wire/golden.rs"]
mod golden;
#[path = "wire/process.rs"]
mod process;
#[path = "wire/support.rs"]
mod support;
