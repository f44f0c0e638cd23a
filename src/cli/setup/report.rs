//! What a set-up changed, as data (`--json`) and as lines.

use super::SetupWhat;
use serde::Serialize;

/// `oam setup`: the documented shape of `--json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetupReport {
    /// `git`, `hf`, `service`, `shell`.
    pub setup: &'static str,
    /// Whether it was taken back.
    pub undo: bool,
    /// What was changed; empty when everything was as it should be.
    pub changes: Vec<SetupChange>,
    /// What is left for the person to do.
    pub next: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetupChange {
    pub file: String,
    /// The setting in it, where the file holds several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Values or lines before.
    pub before: Vec<String>,
    /// Values or lines after.
    pub after: Vec<String>,
}

/// A file of ours with more lines is named and counted; `--json` has them.
const SHOWN: usize = 6;

impl SetupChange {
    fn summary(&self) -> String {
        let (word, lines) = match (self.before.len(), self.after.len()) {
            (lines, 0) => ("removed", lines),
            (0, lines) => ("wrote", lines),
            (_, lines) => ("changed", lines),
        };
        format!("{word} {} ({lines} lines)", self.file)
    }
}

impl SetupReport {
    /// A report without changes.
    pub(super) const fn new(what: SetupWhat, undo: bool) -> Self {
        Self {
            setup: what.word(),
            undo,
            changes: Vec::new(),
            next: Vec::new(),
        }
    }

    /// The changes as lines of a diff. They hold text of other people's files: print them through
    /// the printer that makes text harmless (R42).
    pub fn lines(&self) -> Vec<String> {
        if self.changes.is_empty() {
            return vec![if self.undo {
                format!("nothing of `oam setup {}` is left to undo", self.setup)
            } else {
                format!(
                    "`oam setup {}` is in place; nothing was changed",
                    self.setup
                )
            }];
        }
        let mut lines = Vec::new();
        let mut file = None;
        for change in &self.changes {
            if file != Some(&change.file) {
                lines.push(change.file.clone());
                file = Some(&change.file);
            }
            if change.key.is_none() && change.before.len().max(change.after.len()) > SHOWN {
                lines.pop();
                lines.push(change.summary());
                continue;
            }
            if let Some(key) = &change.key {
                lines.push(format!("  {key}"));
            }
            if change.before == change.after {
                lines.push("    (moved to the end of the file)".to_owned());
                continue;
            }
            for (sign, values) in [('-', &change.before), ('+', &change.after)] {
                for value in values {
                    let nothing = value.is_empty() && change.key.is_some();
                    let shown = if nothing { "(empty)" } else { value };
                    lines.push(format!("  {sign} {shown}"));
                }
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::{SHOWN, SetupChange, SetupReport};
    use crate::args::SetupWhat;

    fn told(key: Option<&str>, before: usize, after: usize) -> Vec<String> {
        let mut report = SetupReport::new(SetupWhat::Git, false);
        let lines = |count| vec!["x".to_owned(); count];
        report.changes.push(SetupChange {
            file: "/home/ada/file".into(),
            key: key.map(str::to_owned),
            before: lines(before),
            after: lines(after),
        });
        report.lines()
    }

    #[test]
    fn a_long_file_is_named_and_counted_and_a_short_one_shown() {
        for (before, after, said) in [
            (0, 33, "wrote /home/ada/file (33 lines)"),
            (33, 0, "removed /home/ada/file (33 lines)"),
            (33, 8, "changed /home/ada/file (8 lines)"),
        ] {
            assert_eq!(told(None, before, after), [said]);
        }
        let short = told(None, 0, SHOWN);
        assert_eq!((short.len(), short[1].as_str()), (SHOWN + 1, "  + x"));
        // Settings are few and are what somebody wants to see.
        let settings = told(Some("credential.helper"), 0, SHOWN + 1);
        assert_eq!(settings.len(), SHOWN + 3);
        let nothing = SetupReport::new(SetupWhat::Git, true).lines();
        assert_eq!(nothing, ["nothing of `oam setup git` is left to undo"]);
    }
}
