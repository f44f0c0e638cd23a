//! Times and spans as people write and read them.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use oam_config::duration;
pub use oam_terminal::moment::local as full;
use std::time::{SystemTime, UNIX_EPOCH};

/// Unix seconds now.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

fn civil(unix: u64) -> Option<DateTime> {
    let stamp = Timestamp::from_second(i64::try_from(unix).ok()?).ok()?;
    Some(TimeZone::system().to_datetime(stamp))
}

/// A span in at most two units: `45 s`, `3 min 20 s`, `2 h 5 min`, `6 d 3 h`.
pub fn span(seconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let at = UNITS
        .iter()
        .position(|(size, _)| seconds >= *size)
        .unwrap_or(UNITS.len() - 1);
    let (size, word) = UNITS[at];
    let rest = UNITS
        .get(at + 1)
        .map(|(small, word)| (seconds % size / small, word))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!(" {count} {word}"))
        .unwrap_or_default();
    format!("{} {word}{rest}", seconds / size)
}

/// Reads `90s`, `30m`, `2h`, `3d`, `1h30m` to seconds.
///
/// # Errors
/// A sentence for the person who wrote it.
pub fn read_span(text: &str) -> Result<u64, String> {
    duration::parse(text)
        .map(|ms| ms / 1000)
        .map_err(|why| format!("`{text}` is not a duration: {why}"))
}

/// Reads a point in time to Unix milliseconds: a span back from now (`2h`), a date, a local date and
/// time (`2026-07-01T14:00`), `HH:MM` today, or RFC 3339 with an offset.
///
/// # Errors
/// A sentence for the person who wrote it.
pub fn read_time(text: &str, now: u64) -> Result<u64, String> {
    let text = text.trim();
    if let Ok(back) = read_span(text) {
        return Ok(now.saturating_sub(back).saturating_mul(1000));
    }
    let stamp_of = |civil: DateTime| TimeZone::system().to_timestamp(civil).ok();
    let stamp = text
        .parse::<Timestamp>()
        .ok()
        .or_else(|| stamp_of(text.parse::<DateTime>().ok()?))
        .or_else(|| stamp_of(text.parse::<Date>().ok()?.at(0, 0, 0, 0)))
        .or_else(|| stamp_of(civil(now)?.date().to_datetime(text.parse::<Time>().ok()?)));
    stamp
        .and_then(|stamp| u64::try_from(stamp.as_millisecond()).ok())
        .ok_or_else(|| {
            format!(
                "`{text}` is not a time: write it like 2h, 14:00, 2026-07-01 or 2026-07-01T14:00Z"
            )
        })
}

#[cfg(test)]
mod tests {
    use super::{read_span, read_time, span};

    #[test]
    fn spans_have_at_most_two_units() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (200, "3 min 20 s"),
            (7_500, "2 h 5 min"),
            (7_201, "2 h"),
            (529_200, "6 d 3 h"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, seconds) in [("90s", 90), ("30m", 1800), ("1h30m", 5400), ("3d", 259_200)] {
            assert_eq!(read_span(text), Ok(seconds));
        }
        for bad in ["", "5", "h", "5y", "-1h", "99999999999999999999d"] {
            assert!(read_span(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn times_are_read_absolute_and_back_from_now() {
        assert_eq!(read_time("1h", 10_000), Ok(6_400_000));
        assert_eq!(read_time("1970-01-01T00:00:10Z", 0), Ok(10_000));
        assert_eq!(read_time("1970-01-01T02:00:10+02:00", 0), Ok(10_000));
        assert!(read_time("2026-07-01", 0).is_ok());
        assert!(read_time("2026-07-01T14:00", 0).is_ok());
        assert!(read_time("14:00", 1_700_000_000).is_ok());
        // As `oam log` shows it.
        assert_eq!(read_time("1970-01-01 02:00:10+02:00", 0), Ok(10_000));
        assert!(read_time("yesterday", 0).is_err());
    }
}
