//! The server's own log, for who looks for a fault: never a token, never a body (R24). The organization's
//! log of who got what is the audit log, in the store.

use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;

/// Begins to log to stderr: text on a terminal, one JSON object a line elsewhere. `OAM_LOG` says what
/// (`info` when it is not set).
pub fn begin() {
    let filter = EnvFilter::try_from_env("OAM_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    // Fails only when somebody logs already: a test.
    let _ = if io::stderr().is_terminal() {
        log.try_init()
    } else {
        log.json().flatten_event(true).try_init()
    };
}
