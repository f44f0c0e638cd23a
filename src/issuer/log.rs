//! The server's own log, for who looks for a fault: never a token, never a body (R24). The organization's
//! log of who got what is the audit log, in the store.

use std::io::{self, IsTerminal};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Begins to log to stderr: text on a terminal, one JSON object a line elsewhere. `OAM_LOG` says what
/// (`info` when it is not set).
pub fn begin() {
    let wanted = std::env::var("OAM_LOG").ok();
    let wanted = wanted.and_then(|wanted| wanted.parse::<Targets>().ok());
    let wanted = wanted.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let log = tracing_subscriber::registry().with(wanted);
    let lines = fmt::layer().with_writer(io::stderr);
    // Fails only when somebody logs already: a test.
    let _ = if io::stderr().is_terminal() {
        log.with(lines).try_init()
    } else {
        log.with(lines.json().flatten_event(true)).try_init()
    };
}
