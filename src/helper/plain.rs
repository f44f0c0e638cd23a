//! Text that a terminal can't be tricked with (R42).

pub use oam_model::line::is_unsafe;

/// Longest text shown, characters: a refusal is one sentence.
const LONGEST: usize = 600;

/// The text without control characters (C0, C1, line breaks too), bidirectional and zero-width
/// marks. They are dropped, not escaped: nothing of ours has any, so nobody needs to read them.
pub fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| !is_unsafe(*c))
        .take(LONGEST)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn escapes_line_breaks_and_bidirectional_marks_are_dropped() {
        assert_eq!(plain("a\u{1b}[31mb\nc\r\u{9b}d\u{7f}"), "a[31mbcd");
        assert_eq!(plain("x\u{202e}y\u{2066}z\u{200f}\u{2028}\u{feff}"), "xyz");
        assert_eq!(plain("Zugang für acme; „frag“"), "Zugang für acme; „frag“");
        assert_eq!(plain(&"x".repeat(5000)).len(), 600);
    }
}
