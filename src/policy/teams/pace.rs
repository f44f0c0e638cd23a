//! How long GitHub wants to be left alone, as it says with each answer.

/// What headers say of limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RateHeaders {
    /// `retry-after`, seconds.
    pub retry_after_s: Option<u64>,
    /// `x-ratelimit-remaining`.
    pub remaining: Option<u64>,
    /// `x-ratelimit-reset`, Unix seconds.
    pub reset_s: Option<u64>,
}

/// Shortest pause after a limit for which no time is told, ms.
pub const SECONDARY_MS: u64 = 60_000;
/// Longest pause that is believed, ms: limits are of an hour.
pub const LONGEST_MS: u64 = 2 * 3_600_000;

/// The pause after an answer, ms; none: go on. `says_limit`: the body of a refusal speaks of a rate limit.
pub fn pause_ms(status: u16, rate: RateHeaders, says_limit: bool, now_s: u64) -> Option<u64> {
    let refused = matches!(status, 403 | 429);
    let used_up = rate.remaining == Some(0);
    let until_reset = || rate.reset_s.map(|at| at.saturating_sub(now_s).max(1));
    let seconds = match (refused, rate.retry_after_s) {
        (true, Some(seconds)) => Some(seconds.max(1)),
        (_, _) if used_up => Some(until_reset().unwrap_or(SECONDARY_MS / 1000)),
        (true, None) if status == 429 || says_limit => Some(SECONDARY_MS / 1000),
        _ => None,
    };
    seconds.map(|seconds| seconds.saturating_mul(1000).min(LONGEST_MS))
}
