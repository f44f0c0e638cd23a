//! Both clocks, and randomness.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use oam_agent::ports::{Clock, Dice};
use oam_model::time::Moment;
use std::time::{SystemTime, UNIX_EPOCH};

/// The machine's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        Moment::new(boot_ms(), wall_ms())
    }
}

/// Milliseconds since the Unix epoch; 0 when the wall clock stands before it.
pub fn wall_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| u64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}

#[cfg(unix)]
fn boot_ms() -> u64 {
    use rustix::time::{ClockId, clock_gettime};
    // Counts suspend (R41): with the monotonic clock a token would outlive a night with closed lid.
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
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    let since = START.get_or_init(Instant::now).elapsed();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The system's random numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemDice;

impl Dice for SystemDice {
    fn roll(&self) -> u128 {
        let mut bytes = [0; 16];
        fill(&mut bytes);
        u128::from_ne_bytes(bytes)
    }
}

/// Fills `bytes` with random ones, good for keys and nonces.
///
/// They are the kernel's own: the first random number of aws-lc costs a process 31 to 40 ms of CPU
/// (it gathers jitter entropy), which every start of the agent would pay. Ends the process when the
/// system has no randomness at all: a key or nonce that is not random is worse than no agent.
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
    use super::{SystemClock, SystemDice, fill};
    use oam_agent::ports::{Clock, Dice};

    #[test]
    fn both_clocks_run_and_never_go_back() {
        let first = SystemClock.now();
        let second = SystemClock.now();
        assert!(first.boot_ms > 0 && first.wall_ms > 1_700_000_000_000);
        assert!(second.boot_ms >= first.boot_ms);
    }

    #[test]
    fn two_rolls_differ_and_every_length_is_filled() {
        assert_ne!(SystemDice.roll(), SystemDice.roll());
        let mut long = [0u8; 1000];
        fill(&mut long);
        assert!(
            long.chunks(50)
                .all(|part| part.iter().any(|byte| *byte != 0))
        );
        fill(&mut []);
    }
}
