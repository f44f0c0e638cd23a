//! The only printer: data on stdout, talk on stderr.
//!
//! Everything that is printed passes through [`plain`] here, not at the many places that make text:
//! a place that forgets it would let a hub or a provider write to the terminal (R42).

use crate::front::plain::is_unsafe;
use crate::model::refusal::Refusal;
use serde::Serialize;
use std::cell::Cell;
use std::fmt::Write as _;
use std::io::{self, ErrorKind, IsTerminal, Write};
use zeroize::Zeroizing;

/// How a piece of text looks on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Look {
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

impl Look {
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
pub struct Line(Vec<(Look, String)>);

impl Line {
    /// An empty line.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds text.
    #[must_use]
    pub fn text(self, text: impl Into<String>) -> Self {
        self.look(Look::Plain, text)
    }

    /// Adds text with a look.
    #[must_use]
    pub fn look(mut self, look: Look, text: impl Into<String>) -> Self {
        self.0.push((look, text.into()));
        self
    }

    /// Characters in it, as printed.
    fn width(&self) -> usize {
        self.0
            .iter()
            .map(|(_, text)| plain(text).chars().count())
            .sum()
    }

    /// What is written: harmless, and with colour where wanted.
    pub fn render(&self, colour: bool) -> String {
        let mut out = String::new();
        for (look, text) in &self.0 {
            let text = plain(text);
            if colour && *look != Look::Plain {
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

/// The printer of one run.
pub struct Show {
    json: bool,
    terminal: bool,
    /// Whether stdout and stderr take colour.
    colour: (bool, bool),
    /// Why stdout could not be written; a reader that went away is no fault.
    fault: Cell<Option<ErrorKind>>,
}

impl Show {
    /// Looks at the terminal and at `NO_COLOR`.
    pub fn new(json: bool) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
            && std::env::var_os("TERM").is_none_or(|v| v != "dumb");
        let terminal = io::stdout().is_terminal();
        Self {
            json,
            terminal,
            colour: (wanted && terminal, wanted && io::stderr().is_terminal()),
            fault: Cell::new(None),
        }
    }

    /// Whether data is shown as JSON.
    pub const fn json(&self) -> bool {
        self.json
    }

    /// Whether the data goes to a terminal.
    pub const fn to_terminal(&self) -> bool {
        self.terminal
    }

    /// One line of data.
    pub fn line(&self, line: impl Into<Line>) {
        let mut text = line.into().render(self.colour.0);
        text.push('\n');
        self.raw(text.as_bytes());
    }

    /// Bytes of data as they are: our own files and generated text.
    pub fn raw(&self, bytes: &[u8]) {
        if self.fault.get().is_some() {
            return;
        }
        let mut out = io::stdout().lock();
        if let Err(error) = out.write_all(bytes).and_then(|()| out.flush()) {
            self.fault.set(Some(error.kind()));
        }
    }

    /// Whether nobody reads any more: a long output may stop early.
    pub fn is_over(&self) -> bool {
        self.fault.get().is_some()
    }

    /// A value as one JSON line. Its buffer is wiped, because a token may be in it.
    pub fn value<T: Serialize>(&self, value: &T) {
        // Large enough that it does not move while it grows: a moved buffer leaves a copy behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(64 * 1024));
        if serde_json::to_writer(&mut *bytes, value).is_err() {
            self.fault.set(Some(ErrorKind::InvalidData));
            return;
        }
        let text = Zeroizing::new(escaped(&String::from_utf8_lossy(&bytes)));
        let mut line = Zeroizing::new(Vec::with_capacity(text.len() + 1));
        line.extend_from_slice(text.as_bytes());
        line.push(b'\n');
        self.raw(&line);
    }

    /// A table of data with aligned columns; an empty header line is left out.
    pub fn table(&self, header: &[&str], rows: &[Vec<Line>]) {
        let mut all = Vec::with_capacity(rows.len() + 1);
        if !header.is_empty() {
            all.push(
                header
                    .iter()
                    .map(|h| Line::new().look(Look::Faint, *h))
                    .collect(),
            );
        }
        all.extend(rows.iter().cloned());
        for line in aligned(&all) {
            self.line(line);
        }
    }

    /// One line of talk.
    pub fn say(&self, line: impl Into<Line>) {
        let mut text = Line::new().look(Look::Faint, "oam: ").render(self.colour.1);
        text.push_str(&line.into().render(self.colour.1));
        text.push('\n');
        // There is nobody left to tell when stderr is gone.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// A refusal: the sentence, then the next step; as data too where JSON is wanted.
    pub fn refusal(&self, refusal: &Refusal) {
        if self.json {
            self.value(&ErrorReport::of(refusal));
        }
        self.say(Line::new().look(Look::Bad, refusal.sentence.clone()));
        self.next(&refusal.next);
    }

    /// A question, without a line break behind it: the answer follows on the same line.
    pub fn question(&self, text: &str) {
        let line = Line::new().look(Look::Strong, text).render(self.colour.1);
        let _ = io::stderr().lock().write_all(line.as_bytes());
    }

    /// The next step, on its own line.
    pub fn next(&self, step: &str) {
        let mut text = Line::new()
            .look(Look::Strong, "next: ")
            .text(step)
            .render(self.colour.1);
        text.push('\n');
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// The exit code, after looking at whether everything could be written. Called once, at the end.
    pub fn finish(&self, code: u8) -> u8 {
        match self.fault.get() {
            None | Some(ErrorKind::BrokenPipe) => code,
            Some(kind) => {
                self.say(format!("the output could not be written: {kind}"));
                self.next("look at where the output goes, then run the command again");
                code.max(1)
            }
        }
    }
}

/// `{"error": …}`: the documented shape of a refusal with `--json`.
#[derive(Serialize)]
struct ErrorReport<'a> {
    error: ErrorBody<'a>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    code: &'static str,
    sentence: &'a str,
    next: &'a str,
}

impl<'a> ErrorReport<'a> {
    fn of(refusal: &'a Refusal) -> Self {
        Self {
            error: ErrorBody {
                code: refusal.code.word(),
                sentence: &refusal.sentence,
                next: &refusal.next,
            },
        }
    }
}

/// Pads all columns but the last.
fn aligned(rows: &[Vec<Line>]) -> Vec<Line> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|at| {
            rows.iter()
                .filter_map(|row| row.get(at))
                .map(Line::width)
                .max()
                .unwrap_or(0)
        })
        .collect();
    rows.iter()
        .map(|row| {
            let mut line = Line::new();
            for (at, cell) in row.iter().enumerate() {
                let pad = if at + 1 == row.len() {
                    0
                } else {
                    widths[at] + 2 - cell.width()
                };
                line.0.extend(cell.0.iter().cloned());
                line = line.text(" ".repeat(pad));
            }
            line
        })
        .collect()
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

#[cfg(test)]
mod tests {
    use super::{Line, Look, aligned, escaped, plain};

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
        let line = Line::new().look(Look::Bad, "\u{1b}[32mok");
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

    #[test]
    fn columns_line_up_by_characters_as_printed() {
        let rows = vec![
            vec![Line::from("é"), Line::from("b")],
            vec![Line::from("long\n"), Line::from("c")],
        ];
        let text: Vec<String> = aligned(&rows).iter().map(|l| l.render(false)).collect();
        assert_eq!(text, ["é      b", "long?  c"]);
    }
}
