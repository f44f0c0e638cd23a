//! Waiting for an event under a deadline. Where the system offers no event (a file of another
//! process, an exit), the condition is looked at again in short steps; nothing sleeps blindly.

use std::time::{Duration, Instant};

/// Longest wait for anything that should happen at once on a loaded machine.
pub const LONG: Duration = Duration::from_secs(30);

/// Waits until `condition` gives a value.
///
/// # Panics
/// When it does not within `deadline`.
pub fn until<T>(what: &str, deadline: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + deadline;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < end, "not within {deadline:?}: {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// Waits until `condition` holds.
pub fn until_true(what: &str, mut condition: impl FnMut() -> bool) {
    until(what, LONG, || condition().then_some(()));
}
