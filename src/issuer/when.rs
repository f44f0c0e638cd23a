//! Moments as records and commands write them.

use jiff::Timestamp;

/// RFC 3339, UTC, whole seconds.
pub fn when(ms: u64) -> String {
    let seconds = i64::try_from(ms / 1000).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).map_or_else(|_| "never".to_owned(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::when;

    #[test]
    fn a_moment_is_written_in_utc() {
        assert_eq!(when(1_800_000_000_999), "2027-01-15T08:00:00Z");
        assert_eq!(when(u64::MAX), "never");
    }
}
