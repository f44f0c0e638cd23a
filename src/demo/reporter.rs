//! What the demo prints: one line a step with its time, plain when nobody's terminal reads it.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Width of the column with the time.
const COLUMN: usize = 10;

/// A step that did not happen: what, and what the programs said.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// One sentence.
    pub what: String,
    /// The failing command and its output, line by line.
    pub details: Vec<String>,
}

impl Failure {
    /// Without details.
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            details: Vec::new(),
        }
    }
}

impl From<String> for Failure {
    fn from(what: String) -> Self {
        Self::new(what)
    }
}

/// The printer.
pub struct Reporter {
    out: Box<dyn Write>,
    began: Instant,
    colour: bool,
}

impl Reporter {
    /// On standard output; in colour only on a terminal, and not with `NO_COLOR`.
    pub fn on_stdout() -> Self {
        let out = std::io::stdout();
        let colour = out.is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self {
            out: Box::new(out),
            began: Instant::now(),
            colour,
        }
    }

    /// On standard error, for programs whose output is something else.
    pub fn on_stderr() -> Self {
        Self {
            out: Box::new(std::io::stderr()),
            began: Instant::now(),
            colour: false,
        }
    }

    /// A step that happened.
    pub fn done(&mut self, text: &str) {
        self.step("✓", "32", text);
    }

    /// A step that did not, with what the programs said.
    pub fn failed(&mut self, failure: &Failure) {
        self.step("✗", "31", &failure.what);
        for line in &failure.details {
            self.note(line);
        }
    }

    /// A line below a step.
    pub fn note(&mut self, text: &str) {
        self.line(&format!("{:COLUMN$}    {}", "", printable(text)));
    }

    /// A line of its own.
    pub fn line(&mut self, text: &str) {
        // A reader that went away is no reason to stop half-way and leave an agent behind.
        let _ = writeln!(self.out, "{}", text.trim_end());
        let _ = self.out.flush();
    }

    fn step(&mut self, mark: &str, colour: &str, text: &str) {
        let time = seconds(self.began.elapsed());
        let text = printable(text);
        let line = if self.colour {
            format!("{time:>COLUMN$}  \x1b[{colour}m{mark}\x1b[0m {text}")
        } else {
            format!("{time:>COLUMN$}  {mark} {text}")
        };
        self.line(&line);
    }
}

/// `0.42 s`.
pub fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// The text without control and bidirectional characters: other programs wrote parts of it (R42).
fn printable(text: &str) -> String {
    let harmless = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .map(|c| if c == '\t' { ' ' } else { c })
        .filter(harmless)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Failure, Reporter, printable};
    use std::io::Write;
    use std::sync::{Arc, Mutex};
    use std::time::Instant;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn steps_are_aligned_and_plain_without_a_terminal() {
        let paper = Paper::default();
        let mut reporter = Reporter {
            out: Box::new(paper.clone()),
            began: Instant::now(),
            colour: false,
        };
        reporter.done("cloned");
        reporter.failed(&Failure {
            what: "lost".into(),
            details: vec!["fatal: no".into()],
        });
        let text = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].ends_with(" s  ✓ cloned") && !text.contains('\x1b'));
        let column = |line: &str, word: &str| line.find(word).map(|at| line[..at].chars().count());
        assert_eq!(column(lines[0], "cloned"), column(lines[2], "fatal"));
    }

    #[test]
    fn what_other_programs_wrote_cannot_move_the_cursor() {
        assert_eq!(printable("a\x1b[2Jb\rc\u{202e}d\te"), "a[2Jbcd e");
    }
}
