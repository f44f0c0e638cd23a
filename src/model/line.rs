//! A line for a terminal, and text that a terminal can't be tricked with (R42). Both programs for people
//! print through it, so that neither forgets what the other learnt.

use std::fmt::Write as _;

/// How a piece of text looks on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// As it comes.
    #[default]
    Plain,
    /// A name or heading.
    Strong,
    /// Less important.
    Faint,
    /// Well.
    Good,
    /// Needs attention.
    Warn,
    /// Wrong.
    Bad,
}

impl Style {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "1",
            Self::Faint => "2",
            Self::Good => "32",
            Self::Warn => "33",
            Self::Bad => "31",
        }
    }
}

/// One line, made of pieces. Text may be foreign: it is made harmless when it is printed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line(Vec<(Style, String)>);

impl Line {
    /// An empty line.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds text.
    #[must_use]
    pub fn text(self, text: impl Into<String>) -> Self {
        self.look(Style::Plain, text)
    }

    /// Adds text with a look.
    #[must_use]
    pub fn look(mut self, look: Style, text: impl Into<String>) -> Self {
        self.0.push((look, text.into()));
        self
    }

    /// Its pieces, made harmless.
    pub fn pieces(&self) -> impl Iterator<Item = (Style, String)> {
        self.0.iter().map(|(look, text)| (*look, plain(text)))
    }

    /// What is written: harmless, and with colour where wanted.
    pub fn render(&self, colour: bool) -> String {
        let mut out = String::new();
        for (look, text) in self.pieces() {
            if colour && look != Style::Plain {
                // Writing to a String can't fail.
                let _ = write!(out, "\u{1b}[{}m{text}\u{1b}[0m", look.code());
            } else {
                out.push_str(&text);
            }
        }
        out
    }
}

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        Self::new().text(text)
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Self::new().text(text)
    }
}

/// Text that can't act on a terminal. What is taken out is replaced, not dropped as in git's two
/// lines, and nothing is cut: addresses and tables have to be read in full.
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if is_unsafe(c) { '?' } else { c })
        .collect()
}

/// JSON text in which such characters are written as escapes: the value stays the same. JSON has
/// them inside strings only.
pub fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        if is_unsafe(c) {
            let mut units = [0u16; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Whether a character can move the cursor, change the terminal, turn the reading direction, or
/// can't be seen.
pub fn is_unsafe(c: char) -> bool {
    c.is_control() || is_mark(c)
}

/// A character that changes how others are shown, or is not shown at all: bidirectional, zero-width, line and paragraph
/// separators.
pub const fn is_mark(c: char) -> bool {
    matches!(
        c,
        '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::{Line, Style, escaped, plain};

    #[test]
    fn nothing_foreign_acts_on_the_terminal() {
        assert_eq!(plain("a\u{1b}]0;pwned\u{7}b"), "a?]0;pwned?b");
        assert_eq!(
            plain("x\r\ny\u{9b}31m\u{202e}z\u{2066}"),
            "x??y?31m?z?",
            "C0, C1 and bidi go"
        );
        assert_eq!(plain("Grüße 模型"), "Grüße 模型");
    }

    #[test]
    fn a_foreign_piece_cannot_smuggle_colour() {
        let line = Line::new().look(Style::Bad, "\u{1b}[32mok");
        assert_eq!(line.render(true), "\u{1b}[31m?[32mok\u{1b}[0m");
        assert_eq!(line.render(false), "?[32mok");
    }

    #[test]
    fn escaped_json_keeps_its_value() {
        let value = serde_json::json!({"a": "x\u{202e}y\u{9b}\u{e0041}\n"});
        let text = escaped(&value.to_string());
        assert!(text.is_ascii());
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap(),
            value
        );
    }
}
