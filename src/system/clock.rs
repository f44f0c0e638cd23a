//! The clocks and randomness: the only sources of them.
//!
//! What is shared with other machines or kept over a restart (tokens, signals, audit entries) has the wall
//! clock's time. What only compares two moments of this process (rates, latencies, how long something was kept) has the steady clock's:
//! nobody can set it back.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use oam_model::time::{Moment, SteadyTime};
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

/// The clock that nobody can set.
pub fn steady() -> SteadyTime {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    SteadyTime::from_us(u64::try_from(BEGAN.elapsed().as_micros()).unwrap_or(u64::MAX))
}

/// Both clocks at once; the steady one's reading stands for the time since boot.
pub fn now() -> Moment {
    Moment::new(steady().ms(), now_ms())
}

/// Seconds since the Unix epoch.
pub fn now_s() -> u64 {
    now_ms() / 1000
}

/// Both clocks at once; the first one counts suspend where the system has such a clock (R41): with the steady one a
/// token would outlive a night with closed lid.
pub fn since_boot() -> Moment {
    Moment::new(boot_ms(), now_ms())
}

#[cfg(unix)]
fn boot_ms() -> u64 {
    use rustix::time::{ClockId, clock_gettime};
    #[cfg(target_os = "linux")]
    let clock = ClockId::Boottime;
    // Where there is none the wall clock of the same moment still ends it.
    #[cfg(not(target_os = "linux"))]
    let clock = ClockId::Monotonic;
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds
        .saturating_mul(1000)
        .saturating_add(nanos / 1_000_000)
}

#[cfg(not(unix))]
fn boot_ms() -> u64 {
    steady().ms()
}

/// Fills `bytes` with random ones, good for keys and nonces.
///
/// They are the kernel's own: the first random number of aws-lc costs a process 31 to 40 ms of CPU
/// (it gathers jitter entropy), which every start of a program would pay. Ends the process when the
/// system has no randomness at all: a key or nonce that is not random is worse than none.
pub fn fill(bytes: &mut [u8]) {
    if kernel(bytes) {
        return;
    }
    if SystemRandom::new().fill(bytes).is_err() {
        tracing::error!("the system gives no random numbers");
        std::process::abort();
    }
}

#[cfg(target_os = "linux")]
fn kernel(bytes: &mut [u8]) -> bool {
    use rustix::rand::{GetRandomFlags, getrandom};
    let mut filled = 0;
    while filled < bytes.len() {
        match getrandom(&mut bytes[filled..], GetRandomFlags::empty()) {
            Ok(0) => return false,
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
    true
}

#[cfg(not(target_os = "linux"))]
fn kernel(_bytes: &mut [u8]) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::{fill, now_ms, now_s, since_boot, steady};

    #[test]
    fn the_clock_runs_and_two_fills_differ() {
        assert!(now_ms() > 1_700_000_000_000);
        assert!(now_s() >= 1_700_000_000);
        let (mut a, mut b) = ([0u8; 16], [0u8; 16]);
        fill(&mut a);
        fill(&mut b);
        assert_ne!(a, b);
        let mut long = [0u8; 1000];
        fill(&mut long);
        assert!(
            long.chunks(50)
                .all(|part| part.iter().any(|byte| *byte != 0))
        );
        fill(&mut []);
        let before = steady();
        assert!(steady() >= before);
        let first = since_boot();
        assert!(first.boot_ms > 0 && since_boot().boot_ms >= first.boot_ms);
    }
}
