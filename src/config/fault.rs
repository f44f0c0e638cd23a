//! A fault in a configuration file, with its place.

use std::fmt;

/// One fault: where, what, and the next step. Several can be found in one reading.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConfigFault {
    /// Name of the file, as given by the caller.
    pub file: String,
    /// 1-based line; 0 when the fault has no place.
    pub line: usize,
    /// 1-based column; 0 when the fault has no place.
    pub column: usize,
    /// What is wrong, one sentence without a full stop.
    pub sentence: String,
    /// What to do, without a full stop.
    pub next: String,
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(f, "{}: {}; {}", self.file, self.sentence, self.next)
        } else {
            write!(
                f,
                "{}:{}:{}: {}; {}",
                self.file, self.line, self.column, self.sentence, self.next
            )
        }
    }
}

impl std::error::Error for ConfigFault {}
