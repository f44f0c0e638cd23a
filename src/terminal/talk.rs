//! What is said to the person beside the data: on stderr, from any thread.

use super::layout;
use super::output::Colour;
use oam_model::line::{Line, Style};
use oam_model::refusal::Refusal;
use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A command that is silent for longer than this says what it waits for.
const PATIENCE: Duration = Duration::from_secs(2);

/// The voice of one run.
#[derive(Debug, Clone, Copy)]
pub struct Talk {
    colour: bool,
    columns: Option<usize>,
}

impl Talk {
    /// Looks at stderr.
    pub(crate) fn new(colour: Colour) -> Self {
        let err = io::stderr();
        Self {
            colour: colour.is_wanted(err.is_terminal()),
            columns: super::output::columns(terminal_size::terminal_size_of(&err)),
        }
    }

    /// One line.
    pub fn say(&self, line: impl Into<Line>) {
        self.tell(Line::new().look(Style::Faint, "oam: "), &line.into(), 5);
    }

    /// The next step, on its own line.
    pub fn next(&self, step: &str) {
        self.tell(Line::new().look(Style::Strong, "next: "), &step.into(), 6);
    }

    /// Bytes as they are, for a program that reads along.
    pub fn raw(&self, bytes: &[u8]) {
        let _ = io::stderr().lock().write_all(bytes);
    }

    /// A refusal in words: the sentence, then the next step.
    pub fn refusal(&self, refusal: &Refusal) {
        self.say(Line::new().look(Style::Bad, refusal.sentence.clone()));
        self.next(&refusal.next);
    }

    fn tell(self, lead: Line, line: &Line, hang: usize) {
        let line = line
            .pieces()
            .fold(lead, |all, (look, text)| all.look(look, text));
        let lines = match self.columns {
            Some(columns) => layout::wrapped(&line, columns, hang),
            None => vec![line],
        };
        let text: String = lines
            .iter()
            .map(|line| line.render(self.colour) + "\n")
            .collect();
        // There is nobody left to tell when stderr is gone.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// How far a long work is, on one line that the next call or talk replaces; for a person at a terminal
    /// only. Empty: the line goes.
    pub fn progress(&self, text: &str) {
        let mut err = io::stderr().lock();
        if err.is_terminal() {
            let line = Line::new().look(Style::Faint, text).render(self.colour);
            let _ = write!(err, "\r\u{1b}[K{line}").and_then(|()| err.flush());
        }
    }

    /// A question, without a line break behind it: the answer follows on the same line.
    pub fn question(&self, text: &str) {
        let line = Line::new().look(Style::Strong, text).render(self.colour);
        let _ = io::stderr().lock().write_all(line.as_bytes());
    }

    /// Says what is waited for, once two seconds have gone by before the answer is dropped.
    #[must_use]
    pub fn waiting(self, what: impl Into<String>) -> Waiting {
        let (stop, stopped) = mpsc::channel::<()>();
        let what = what.into();
        let thread = thread::Builder::new().spawn(move || {
            if stopped.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                self.say(format!("waiting for {what}"));
            }
        });
        Waiting {
            stop: Some(stop),
            thread: thread.ok(),
        }
    }
}

/// Something is waited for until this is dropped.
#[derive(Debug)]
pub struct Waiting {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It is over at once, and says nothing after what was waited for.
            let _ = thread.join();
        }
    }
}
