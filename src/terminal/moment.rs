//! Moments as people read them: local time, with its date and its zone, in both programs alike. Data (`--json`)
//! has Unix seconds or UTC instead.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// `2026-07-01 14:03:20+02:00`, of Unix seconds.
pub fn local(unix: u64) -> String {
    let stamp = i64::try_from(unix).ok();
    let stamp = stamp.and_then(|unix| Timestamp::from_second(unix).ok());
    stamp.map_or_else(
        || unix.to_string(),
        |stamp| shown(stamp, TimeZone::system()),
    )
}

/// The same of a moment as data has it, RFC 3339; any other word (`never`) stays.
pub fn of_rfc3339(text: &str) -> String {
    let stamp = text.parse::<Timestamp>();
    stamp.map_or_else(
        |_| text.to_owned(),
        |stamp| shown(stamp, TimeZone::system()),
    )
}

fn shown(stamp: Timestamp, zone: TimeZone) -> String {
    let zoned = stamp.to_zoned_datetime(zone);
    zoned.strftime("%Y-%m-%d %H:%M:%S%:z").to_string()
}

#[cfg(test)]
mod tests {
    use super::{of_rfc3339, shown};
    use jiff::Timestamp;
    use jiff::tz::{TimeZone, offset};

    #[test]
    fn a_moment_has_its_date_and_zone_and_can_be_read_again() {
        let stamp = Timestamp::from_second(1_800_000_000).unwrap();
        let text = shown(stamp, TimeZone::fixed(offset(2)));
        assert_eq!(text, "2027-01-15 10:00:00+02:00");
        assert_eq!(text.parse::<Timestamp>().unwrap(), stamp);
        assert_eq!(of_rfc3339("never"), "never");
    }
}
