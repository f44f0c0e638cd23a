//! The only printer of `oam` and `oam-issuer`: data on stdout, talk on stderr.
//!
//! Everything that is printed passes through [`oam_model::line`] here, not at the many places that make text:
//! a place that forgets it would let a hub or a provider write to the terminal (R42).

use super::layout;
use super::output::{self, Output};
use super::talk::Talk;
use oam_model::line::{Line, Style, escaped};
use oam_model::refusal::Refusal;
use oam_model::system_error::reason;
use serde::Serialize;
use std::cell::Cell;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::ops::Deref;
use zeroize::Zeroizing;

/// The printer of one run.
pub struct Show {
    json: bool,
    terminal: bool,
    /// Whether stdout takes colour.
    colour: bool,
    /// How wide stdout is; none: as wide as it comes.
    columns: Option<usize>,
    talk: Talk,
    /// Why stdout could not be written; a reader that went away is no fault.
    fault: Cell<Option<ErrorKind>>,
}

/// What is said beside the data.
impl Deref for Show {
    type Target = Talk;

    fn deref(&self) -> &Talk {
        &self.talk
    }
}

impl Show {
    /// Looks at the terminal and at `NO_COLOR`.
    pub fn new(output: Output) -> Self {
        let out = io::stdout();
        let terminal = out.is_terminal();
        Self {
            json: output.json,
            terminal,
            colour: output.colour.is_wanted(terminal),
            columns: output::columns(terminal_size::terminal_size_of(&out)),
            talk: Talk::new(output.colour),
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

    /// How wide the output is; none: as wide as it comes.
    pub const fn columns(&self) -> Option<usize> {
        self.columns
    }

    /// What is said beside the data, for another thread.
    pub const fn talk(&self) -> Talk {
        self.talk
    }

    /// One line of data; its words wrap where the terminal is narrower.
    pub fn line(&self, line: impl Into<Line>) {
        let line = line.into();
        match self.columns {
            Some(columns) => self.lines(&layout::wrapped(&line, columns, 0)),
            None => self.lines(&[line]),
        }
    }

    /// One line of data that stays whole: somebody may copy it.
    pub fn whole(&self, line: impl Into<Line>) {
        self.lines(&[line.into()]);
    }

    fn lines(&self, lines: &[Line]) {
        for line in lines {
            let mut text = line.render(self.colour);
            text.push('\n');
            self.raw(text.as_bytes());
        }
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

    /// A table of data with aligned columns, as wide as the terminal at most. Headers are in capitals; an empty
    /// header line is left out. Without a row nothing is printed: say what there is none of.
    pub fn table(&self, header: &[&str], rows: &[Vec<Line>]) {
        if rows.is_empty() {
            return;
        }
        let names = header.iter().map(|name| {
            let name = name.to_uppercase();
            Line::new().look(Style::Faint, name)
        });
        let mut all: Vec<Vec<Line>> = Vec::with_capacity(rows.len() + 1);
        if !header.is_empty() {
            all.push(names.collect());
        }
        all.extend(rows.iter().cloned());
        self.lines(&layout::table(&all, self.columns));
    }

    /// A refusal: the sentence, then the next step; as data too where JSON is wanted. Gives its exit code.
    pub fn refusal(&self, refusal: &Refusal) -> u8 {
        if self.json {
            self.value(&ErrorReport::of(refusal));
        }
        self.talk.refusal(refusal);
        refusal.code.exit_code()
    }

    /// What a command came to: its exit code, or a refusal that is told here.
    pub fn done(&self, outcome: Result<u8, Refusal>) -> u8 {
        outcome.unwrap_or_else(|refusal| self.refusal(&refusal))
    }

    /// The exit code, after looking at whether everything could be written. Called once, at the end.
    pub fn finish(&self, code: u8) -> u8 {
        match self.fault.get() {
            None | Some(ErrorKind::BrokenPipe) => code,
            Some(kind) => {
                self.say(format!("the output could not be written: {}", reason(kind)));
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
