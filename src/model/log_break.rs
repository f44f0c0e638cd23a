//! Where the audit log is not as the sealed state left it.

use serde::{Deserialize, Serialize};

/// What kind of break it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BreakKind {
    /// The log ended before the last record that was known.
    Cut,
    /// The last record that was known is another one, or was changed.
    Rewritten,
    /// The last line could not be read.
    Unreadable,
    /// Sessions were sealed, and there is no sealed state that could say how the log ended.
    Unsealed,
    /// The records up to here were written while nothing durable was sealed (a session kept in memory, or
    /// a key that is gone with the last boot): nothing says that they are whole. This is no alarm.
    Unanchored,
}

/// One break. It is kept in the sealed state for ever; an acknowledgement only ends the warnings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogBreak {
    /// What kind.
    pub kind: BreakKind,
    /// Number of the last record that was known; 0: none.
    pub known_seq: u64,
    /// Number of the last record that was found; 0: none.
    pub found_seq: u64,
    /// Unix milliseconds at which it was found.
    pub at_ms: u64,
    /// Unix milliseconds at which a person acknowledged it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_at_ms: Option<u64>,
}

impl LogBreak {
    /// Whether it is an alarm, and not only a limit of what can be proven.
    pub const fn is_alarm(&self) -> bool {
        !matches!(self.kind, BreakKind::Unanchored)
    }

    /// Whether people are warned of it.
    pub const fn is_open(&self) -> bool {
        self.is_alarm() && self.acknowledged_at_ms.is_none()
    }

    /// What is wrong, one sentence without a full stop.
    pub fn sentence(&self) -> String {
        let (known, found) = (self.known_seq, self.found_seq);
        match self.kind {
            BreakKind::Cut => format!(
                "the audit log ended at record {found}, and the sealed state knows record {known}"
            ),
            BreakKind::Rewritten => format!(
                "record {known} of the audit log is not the one that the sealed state knows"
            ),
            BreakKind::Unreadable => {
                format!("the last line of the audit log, after record {found}, could not be read")
            }
            BreakKind::Unsealed => format!(
                "the audit log goes up to record {found}, and the sealed state that knew its end is gone"
            ),
            BreakKind::Unanchored => {
                format!("records 1 to {found} were written while nothing durable was sealed")
            }
        }
    }
}
