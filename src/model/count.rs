//! Counts in sentences.

use std::fmt::Display;

/// `1 hub`, `2 hubs`. The plural is given, because not every word has one with an s.
pub fn counted<N: Copy + Display + PartialEq + From<u8>>(
    number: N,
    one: &str,
    many: &str,
) -> String {
    let word = if number == N::from(1) { one } else { many };
    format!("{number} {word}")
}

/// `entry 7`, `entries 7 to 9`.
pub fn span(one: &str, many: &str, first: u64, last: u64) -> String {
    if first == last {
        return format!("{one} {first}");
    }
    format!("{many} {first} to {last}")
}

#[cfg(test)]
mod tests {
    use super::{counted, span};

    #[test]
    fn one_is_singular_and_everything_else_plural() {
        assert_eq!(counted(0_usize, "entry", "entries"), "0 entries");
        assert_eq!(counted(1_u64, "entry", "entries"), "1 entry");
        assert_eq!(counted(2_u64, "entry", "entries"), "2 entries");
    }

    #[test]
    fn a_span_of_one_is_that_one() {
        assert_eq!(span("entry", "entries", 7, 7), "entry 7");
        assert_eq!(span("entry", "entries", 7, 9), "entries 7 to 9");
    }
}
