//! Checks the whole log, line by line over all files in order.

use super::{GENESIS, read};
use oam_model::record::EventKind;
use serde::Serialize;

/// What is wrong with the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// The line is not an entry.
    Unreadable,
    /// The last line has no end: a crash in mid-write, or a write that goes on now.
    Partial,
    /// The line's bytes and its hash disagree.
    Changed,
    /// The line before was changed or replaced, and its hash made to fit.
    Unchained,
    /// Lines are missing before this one.
    Missing,
    /// The line is out of order, or stands here a second time.
    Misplaced,
    /// The log ends before an entry that is known to have been written.
    Cut,
    /// The entry has another hash than the one that is known of it: the log was written anew.
    Rewritten,
}

/// One fault with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    pub kind: FaultKind,
    /// Name of the file as given to [`Verifier::file`].
    pub file: String,
    /// Line in that file, from 1; 0 when the fault has no line.
    pub line: u64,
    /// Number of the entry, when readable.
    pub seq: Option<u64>,
    /// What is wrong, one sentence without a full stop.
    pub sentence: String,
    /// What to do, without a full stop.
    pub next: String,
}

/// An entry known from elsewhere: the sealed state's anchor, the agent's head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KnownEntry {
    /// Its number.
    pub seq: u64,
    /// Its hash, lower-case hex.
    pub hash: String,
}

impl KnownEntry {
    /// What a log goes on from before its first record.
    pub fn none() -> Self {
        Self {
            seq: 0,
            hash: GENESIS.to_owned(),
        }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct Summary {
    /// Number of the first entry; 0 when the log is empty.
    pub first: u64,
    /// Number of the last entry; 0 when the log is empty.
    pub last: u64,
    /// Hash of the last entry; empty when the log is empty.
    pub last_hash: String,
    /// Entries read.
    pub count: u64,
    /// Tokens handed out.
    pub grants: u64,
    /// Asks refused.
    pub refusals: u64,
    /// Highest known entry that the log holds with the known hash; 0: none. The log up to here
    /// can't have been written anew.
    pub anchored_up_to: u64,
    /// Faults in the order found, the first [`Verifier::MAX_FAULTS`].
    pub faults: Vec<Fault>,
    /// Faults beyond those.
    pub more_faults: u64,
}

impl Summary {
    /// Whether nothing is wrong.
    pub fn intact(&self) -> bool {
        self.faults.is_empty()
    }
}

/// `entry 3 is missing`, `entries 3 to 5 are missing`.
pub fn are_missing(one: &str, many: &str, from: u64, to: u64) -> String {
    if from == to {
        format!("{one} {from} is missing")
    } else {
        format!("{many} {from} to {to} are missing")
    }
}

/// Takes the log line by line; holds no line back, so a log of any length needs the same memory.
#[derive(Debug)]
pub struct Verifier {
    known: Vec<(KnownEntry, bool)>,
    file: String,
    line: u64,
    summary: Summary,
    /// Hash that the next line must name; what the last line claims, so that one fault is told once.
    prev: String,
    /// Highest number seen.
    high: u64,
}

impl Verifier {
    /// A destroyed log is told by its first faults; the rest is counted.
    pub const MAX_FAULTS: usize = 100;

    /// `known`: entries known from elsewhere, in any order; those with number 0 say nothing.
    pub fn new(known: impl IntoIterator<Item = KnownEntry>) -> Self {
        Self {
            known: known
                .into_iter()
                .filter(|known| known.seq > 0)
                .map(|known| (known, false))
                .collect(),
            file: String::new(),
            line: 0,
            summary: Summary::default(),
            prev: GENESIS.to_owned(),
            high: 0,
        }
    }

    /// The log begins after this entry: those up to it were dropped. Before the first line only.
    #[must_use]
    pub fn going_on_from(mut self, last: &KnownEntry) -> Self {
        self.summary.last = last.seq;
        self.high = last.seq;
        self.prev.clone_from(&last.hash);
        self
    }

    /// The lines that follow are of this file. Files come oldest first.
    pub fn file(&mut self, name: &str) {
        name.clone_into(&mut self.file);
        self.line = 0;
    }

    /// One complete line, without its line feed.
    pub fn line(&mut self, line: &[u8]) {
        self.line += 1;
        let entry = match read(line) {
            Ok(entry) => entry,
            Err(kind) => {
                let sentence = format!("line {} of {} is not an entry", self.line, self.file);
                return self.fault(kind, None, sentence);
            }
        };
        let (seq, hash) = (entry.seq, entry.hash.to_owned());
        if !entry.intact {
            self.fault(
                FaultKind::Changed,
                Some(seq),
                format!("entry {seq} was changed after it was written"),
            );
        }
        self.place(seq, entry.prev);
        self.compare(seq, &hash);
        match entry.what {
            Some(EventKind::Grant) => self.summary.grants += 1,
            Some(EventKind::Refusal) => self.summary.refusals += 1,
            _ => {}
        }
        if self.summary.count == 0 {
            self.summary.first = seq;
        }
        self.summary.count += 1;
        self.summary.last = seq;
        self.high = self.high.max(seq);
        self.prev = hash;
    }

    /// What stands after the last line feed of the last file; nothing when empty.
    pub fn rest(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.line += 1;
            let sentence = format!("the last line of {} is cut off", self.file);
            self.fault(FaultKind::Partial, None, sentence);
        }
    }

    /// Compares the end with what is known.
    pub fn finish(mut self) -> Summary {
        self.line = 0;
        let (last, high) = (self.summary.last, self.high);
        let unmet: Vec<u64> = self
            .known
            .iter()
            .filter(|(_, met)| !met)
            .map(|(known, _)| known.seq)
            .collect();
        for seq in unmet {
            if seq > high {
                let sentence =
                    format!("the log ends at entry {last}, but entry {seq} had been written");
                self.fault(FaultKind::Cut, Some(seq), sentence);
            } else if self.summary.count > 0 {
                let sentence = format!("entry {seq}, which had been written, is not in the log");
                self.fault(FaultKind::Missing, Some(seq), sentence);
            }
        }
        if self.summary.count > 0 {
            self.summary.last_hash = self.prev;
        }
        self.summary
    }

    fn place(&mut self, seq: u64, prev: &str) {
        let expected = self.summary.last.saturating_add(1);
        let begins = self.summary.count == 0;
        if seq > expected {
            let sentence = if self.line == 1 {
                format!(
                    "{} before {}: a rotated file is gone or was cut",
                    are_missing("entry", "entries", expected, seq - 1),
                    self.file
                )
            } else {
                are_missing("entry", "entries", expected, seq - 1)
            };
            self.fault(FaultKind::Missing, Some(seq), sentence);
        } else if seq < expected {
            let sentence = if seq <= self.high && !begins {
                format!("entry {seq} stands after entry {}", self.summary.last)
            } else {
                format!("entry {seq} has a number that no entry can have")
            };
            self.fault(FaultKind::Misplaced, Some(seq), sentence);
        } else if prev != self.prev {
            let sentence = if begins {
                format!("entry {seq} is not the beginning of this log")
            } else {
                format!("entry {seq} does not follow from entry {}", expected - 1)
            };
            self.fault(FaultKind::Unchained, Some(seq), sentence);
        }
    }

    fn compare(&mut self, seq: u64, hash: &str) {
        let mut rewritten = false;
        for (known, met) in &mut self.known {
            if known.seq == seq && !*met {
                *met = true;
                // After a fault nothing ties the lines before it to what is known.
                if known.hash == hash && self.summary.faults.is_empty() {
                    self.summary.anchored_up_to = self.summary.anchored_up_to.max(seq);
                } else if known.hash != hash {
                    rewritten = true;
                }
            }
        }
        if rewritten {
            let sentence = format!("entry {seq} is not the one that had been written");
            self.fault(FaultKind::Rewritten, Some(seq), sentence);
        }
    }

    fn fault(&mut self, kind: FaultKind, seq: Option<u64>, sentence: String) {
        if self.summary.faults.len() == Self::MAX_FAULTS {
            self.summary.more_faults += 1;
            return;
        }
        let next = match kind {
            FaultKind::Partial => "the agent repairs this when it writes next; then verify again",
            _ => "keep the files as they are and tell the administrators of your organization",
        };
        self.summary.faults.push(Fault {
            kind,
            file: self.file.clone(),
            line: self.line,
            seq,
            sentence,
            next: next.to_owned(),
        });
    }
}

#[cfg(test)]
mod tests;
