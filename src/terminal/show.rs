//! The only printer of `oam` and `oam-issuer`: data on stdout, talk on stderr.
//!
//! Everything that is printed passes through [`oam_model::line`] here, not at the many places that make text:
//! a place that forgets it would let a hub or a provider write to the terminal (R42).

use oam_model::line::aligned;
use oam_model::line::{Line, Style, escaped};
use oam_model::refusal::Refusal;
use serde::Serialize;
use std::cell::Cell;
use std::io::{self, ErrorKind, IsTerminal, Write};
use zeroize::Zeroizing;

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
                    .map(|h| Line::new().look(Style::Faint, *h))
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
        let mut text = Line::new()
            .look(Style::Faint, "oam: ")
            .render(self.colour.1);
        text.push_str(&line.into().render(self.colour.1));
        text.push('\n');
        // There is nobody left to tell when stderr is gone.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// How far a long work is, on one line that the next call or talk replaces; for a person at a terminal
    /// only. Empty: the line goes.
    pub fn progress(&self, text: &str) {
        let mut err = io::stderr().lock();
        if err.is_terminal() {
            let line = Line::new().look(Style::Faint, text).render(self.colour.1);
            let _ = write!(err, "\r\u{1b}[K{line}").and_then(|()| err.flush());
        }
    }

    /// A refusal: the sentence, then the next step; as data too where JSON is wanted. Gives its exit code.
    pub fn refusal(&self, refusal: &Refusal) -> u8 {
        if self.json {
            self.value(&ErrorReport::of(refusal));
        }
        self.say(Line::new().look(Style::Bad, refusal.sentence.clone()));
        self.next(&refusal.next);
        refusal.code.exit_code()
    }

    /// What a command came to: its exit code, or a refusal that is told here.
    pub fn done(&self, outcome: Result<u8, Refusal>) -> u8 {
        outcome.unwrap_or_else(|refusal| self.refusal(&refusal))
    }

    /// A question, without a line break behind it: the answer follows on the same line.
    pub fn question(&self, text: &str) {
        let line = Line::new().look(Style::Strong, text).render(self.colour.1);
        let _ = io::stderr().lock().write_all(line.as_bytes());
    }

    /// The next step, on its own line.
    pub fn next(&self, step: &str) {
        let mut text = Line::new()
            .look(Style::Strong, "next: ")
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

#[cfg(test)]
mod tests {
    use super::ErrorReport;
    use oam_model::refusal::Refusal;

    #[test]
    fn a_refusal_has_its_documented_shape() {
        let refusal = Refusal::denied("no role of ada grants it", "ask for a group");
        assert_eq!(
            serde_json::to_string(&ErrorReport::of(&refusal)).unwrap(),
            r#"{"error":{"code":"denied","sentence":"no role of ada grants it","next":"ask for a group"}}"#
        );
    }
}
