//! Moments as records and commands write them.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use oam_config::duration;

/// RFC 3339, UTC, whole seconds.
pub fn when(ms: u64) -> String {
    let seconds = i64::try_from(ms / 1000).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).map_or_else(|_| "never".to_owned(), |at| at.to_string())
}

/// Reads a moment to Unix milliseconds: a span back from `now_ms` (`90s`, `2h`, `30d`), RFC 3339, or a date
/// or date and time of this machine.
///
/// # Errors
/// A sentence for the person who wrote it.
pub fn read(text: &str, now_ms: u64) -> Result<u64, String> {
    let text = text.trim();
    if let Ok(back) = duration::parse(text) {
        return Ok(now_ms.saturating_sub(back));
    }
    let local = |civil: DateTime| TimeZone::system().to_timestamp(civil).ok();
    text.parse::<Timestamp>()
        .ok()
        .or_else(|| local(text.parse::<DateTime>().ok()?))
        .or_else(|| local(text.parse::<Date>().ok()?.at(0, 0, 0, 0)))
        .and_then(|stamp| u64::try_from(stamp.as_millisecond()).ok())
        .ok_or_else(|| {
            format!(
                "`{text}` is not a time: write it like 2h, 30d, 2026-07-01 or 2026-07-01T14:00Z"
            )
        })
}

/// Whether a text that [`read`] takes names a moment by itself, and not by its distance from now.
pub fn is_absolute(text: &str) -> bool {
    duration::parse(text.trim()).is_err()
}

#[cfg(test)]
mod tests {
    use super::{is_absolute, read, when};

    #[test]
    fn moments_are_read_absolute_and_back_from_now() {
        assert_eq!(read("2h", 10_000_000), Ok(2_800_000));
        assert_eq!(read(" 1d ", 10), Ok(0));
        assert_eq!(read("1970-01-01T00:00:10Z", 0), Ok(10_000));
        assert_eq!(read("1970-01-01T02:00:10+02:00", 0), Ok(10_000));
        assert!(read("2026-07-01", 0).is_ok());
        assert!(is_absolute("2026-07-01") && !is_absolute(" 30d"));
        assert!(read("2026-07-01T14:00", 0).is_ok());
        for odd in ["", "yesterday", "5", "1960-01-01T00:00:00Z"] {
            assert!(read(odd, 0).is_err(), "{odd:?}");
        }
    }

    #[test]
    fn a_moment_is_written_in_utc() {
        assert_eq!(when(1_800_000_000_999), "2027-01-15T08:00:00Z");
        assert_eq!(when(u64::MAX), "never");
    }
}
