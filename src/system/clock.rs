//! The clocks and randomness: the issuer's only sources of them.
//!
//! What is shared with other machines or kept over a restart (tokens, signals, audit entries) has the wall
//! clock's time. What only compares two moments of this process (rates, latencies, how long something was kept) has the steady clock's:
//! nobody can set it back.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use oam_model::time::Moment;
use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch; 0 when the wall clock stands before it.
pub fn now_ms() -> u64 {
    now_us() / 1000
}

/// Microseconds since the Unix epoch; 0 when the wall clock stands before it.
pub fn now_us() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| u64::try_from(since.as_micros()).ok())
        .unwrap_or(0)
}

/// Microseconds on a clock that nobody can set; they mean nothing outside of this process.
pub fn steady_us() -> u64 {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(BEGAN.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Both clocks at once; the steady one's reading stands for the time since boot.
pub fn now() -> Moment {
    Moment::new(steady_us() / 1000, now_ms())
}

/// Seconds since the Unix epoch.
pub fn now_s() -> u64 {
    now_ms() / 1000
}

/// Fills `bytes` with random ones, good for keys and ids. Ends the process when the system has none:
/// an id or key that is not random is worse than no issuer.
pub fn fill(bytes: &mut [u8]) {
    if SystemRandom::new().fill(bytes).is_err() {
        tracing::error!("the system gives no random numbers");
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use super::{fill, now_ms, now_s, steady_us};

    #[test]
    fn the_clock_runs_and_two_fills_differ() {
        assert!(now_ms() > 1_700_000_000_000);
        assert!(now_s() >= 1_700_000_000);
        let (mut a, mut b) = ([0u8; 16], [0u8; 16]);
        fill(&mut a);
        fill(&mut b);
        assert_ne!(a, b);
        let before = steady_us();
        assert!(steady_us() >= before);
    }
}
