//! Durations as people write them.

/// Units by length: letter, name, milliseconds.
const UNITS: [(&str, &str, u64); 5] = [
    ("d", "day", 86_400_000),
    ("h", "hour", 3_600_000),
    ("m", "minute", 60_000),
    ("s", "second", 1_000),
    ("ms", "millisecond", 1),
];

/// Milliseconds in `text`: whole numbers with a unit, longest first, such as `90s`, `10m`, `7d` or
/// `1h30m`. `ms`, `s`, `m`, `h` and `d` are the units.
///
/// # Errors
/// In words for the person who wrote it, to follow "is not a duration: ".
pub fn parse(text: &str) -> Result<u64, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    let mut rest = text;
    let mut total: u64 = 0;
    let mut longest_left = UNITS.len();
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.bytes().take_while(u8::is_ascii_lowercase).count();
        let (unit, tail) = tail.split_at(letters);
        if number.is_empty() {
            return Err("it has to begin with a whole number".to_owned());
        }
        if unit.is_empty() {
            return Err("a number has no unit (`ms`, `s`, `m`, `h` or `d`)".to_owned());
        }
        let Some(index) = UNITS.iter().position(|(letter, ..)| *letter == unit) else {
            return Err("the units are `ms`, `s`, `m`, `h` and `d`".to_owned());
        };
        // `30m1h` and `1h1h` are more likely a slip than a wish.
        if longest_left != UNITS.len() && index <= longest_left {
            return Err("longer units come first, each once".to_owned());
        }
        longest_left = index;
        total = number
            .parse::<u64>()
            .ok()
            .and_then(|n| n.checked_mul(UNITS[index].2))
            .and_then(|ms| total.checked_add(ms))
            .ok_or_else(|| "it is too long to count".to_owned())?;
        rest = tail;
    }
    Ok(total)
}

/// `ms` milliseconds in the shortest spelling that [`parse`] reads back: `7d`, `1h30m`, `0s`.
pub fn short(ms: u64) -> String {
    let parts = parts(ms);
    if parts.is_empty() {
        return "0s".to_owned();
    }
    let texts: Vec<String> = parts
        .iter()
        .map(|(count, (letter, ..))| format!("{count}{letter}"))
        .collect();
    texts.concat()
}

/// `ms` milliseconds for people: the two largest units, the rest left out (`6 days 23 hours`).
pub fn words(ms: u64) -> String {
    // A person does not count milliseconds beside seconds.
    let ms = if ms >= 1_000 { ms - ms % 1_000 } else { ms };
    let words: Vec<String> = parts(ms)
        .iter()
        .take(2)
        .map(|(count, (_, name, _))| {
            format!("{count} {name}{}", if *count == 1 { "" } else { "s" })
        })
        .collect();
    if words.is_empty() {
        "0 seconds".to_owned()
    } else {
        words.join(" ")
    }
}

fn parts(ms: u64) -> Vec<(u64, (&'static str, &'static str, u64))> {
    let mut rest = ms;
    let mut parts = Vec::new();
    for unit in UNITS {
        if rest >= unit.2 {
            parts.push((rest / unit.2, unit));
            rest %= unit.2;
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::{parse, short, words};
    use proptest::prelude::*;

    #[test]
    fn durations_are_read_as_written() {
        assert_eq!(parse("90s"), Ok(90_000));
        assert_eq!(parse("10m"), Ok(600_000));
        assert_eq!(parse("7d"), Ok(604_800_000));
        assert_eq!(parse("1h30m"), Ok(5_400_000));
        assert_eq!(parse("250ms"), Ok(250));
        assert_eq!(parse(" 0s "), Ok(0));
    }

    #[test]
    fn anything_doubtful_is_refused_with_a_reason() {
        for bad in [
            "",
            "10",
            "m",
            "10 m",
            "-5m",
            "1.5h",
            "10M",
            "10min",
            "30m1h",
            "1h1h",
            "٣m",
            "5m ago",
            "99999999999999999999d",
            "300000000000d",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse("10").unwrap_err().contains("unit"));
    }

    #[test]
    fn people_see_two_units() {
        assert_eq!(words(604_800_000), "7 days");
        assert_eq!(words(604_799_999), "6 days 23 hours");
        assert_eq!(words(61_500), "1 minute 1 second");
        assert_eq!(words(0), "0 seconds");
        assert_eq!(words(40), "40 milliseconds");
    }

    proptest! {
        #[test]
        fn the_short_form_reads_back(ms in any::<u64>()) {
            prop_assert_eq!(parse(&short(ms)), Ok(ms));
        }
    }
}
