//! What the organization takes of an agent's log, and what it raises an alarm about.
//!
//! What is held is never replaced: a log that was written anew is an alarm and the held records stay. After
//! a gap or a break the agent's records are still taken, so that the fault is visible for ever in what is
//! held and hides nothing that comes after it. Refusing (the rejected way) would let whoever made one gap
//! keep all later records away from the organization.
//!
//! One case looks like a gap and is the organization's own: its database began anew, or is a backup, and an
//! agent goes on from where the one before stood. An agent therefore says what it takes for held. Where that
//! is more than what is held, nothing is taken, and it goes back to what it is told; there is nothing to be
//! gained by saying more than is true.

use super::record::{ChainEntry, FaultKind, KnownEntry, placed};
use oam_model::feed::Upload;

/// Longest line that is taken, bytes.
pub const LONGEST_LINE: usize = 64 * 1024;
/// Largest number of a record: beyond it programs read JSON's numbers differently (RFC 8259 §6). A log that
/// grows by a thousand records a second does not get there.
pub const LARGEST_SEQ: u64 = (1 << 53) - 1;
/// Faults that an alarm tells one by one.
const TOLD: usize = 8;

/// Why a batch is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchError {
    /// A line is longer than [`LONGEST_LINE`].
    Line,
    /// A number is larger than [`LARGEST_SEQ`].
    Number,
}

/// Whether every number and line of a batch is one that an agent can have written: before anything of it
/// meets what is held.
///
/// # Errors
/// What is not.
pub fn fit(upload: &Upload) -> Result<(), BatchError> {
    let lines = &upload.lines;
    if lines.iter().any(|line| line.len() > LONGEST_LINE) {
        return Err(BatchError::Line);
    }
    let told = [upload.head_seq, upload.after_seq].into_iter();
    let read = lines.iter().filter_map(|line| placed(line).ok());
    let mut numbers = told.chain(read.map(|(link, _)| link.seq));
    if numbers.any(|seq| seq > LARGEST_SEQ) {
        return Err(BatchError::Number);
    }
    Ok(())
}

/// Up to where a log is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedHead {
    /// The last record held; number 0: none.
    pub last: KnownEntry,
    /// Number of the log's head as last told.
    pub head_seq: u64,
    /// Number of the last record that was dropped by age; 0: none was.
    pub dropped_seq: u64,
}

impl AcceptedHead {
    /// Nothing is held yet.
    pub fn nothing() -> Self {
        Self {
            last: KnownEntry::none(),
            head_seq: 0,
            dropped_seq: 0,
        }
    }
}

/// What comes of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedBatch {
    /// What is held from now on.
    pub held: AcceptedHead,
    /// Lines to store, in order; all of them after what was held.
    pub lines: Vec<String>,
    /// What is wrong with the log, for the record and the answer.
    pub alarm: Option<String>,
}

/// The number of a record that is held and that [`take`] must see, because the batch overlaps what is held
/// and does not reach its end. None: nothing needs to be looked up.
pub fn needs(held: &AcceptedHead, upload: &Upload) -> Option<u64> {
    if is_ahead(held, upload) {
        return None;
    }
    let numbers = upload.lines.iter().filter_map(|line| placed(line).ok());
    let overlap = numbers
        .map(|(link, _)| link.seq)
        .filter(|seq| *seq <= held.last.seq);
    overlap.max().filter(|seq| *seq < held.last.seq)
}

/// Decides. `kept` is the line held under the number that [`needs`] told.
pub fn take(held: &AcceptedHead, upload: &Upload, kept: Option<&str>) -> AcceptedBatch {
    if is_ahead(held, upload) {
        return AcceptedBatch {
            held: held.clone(),
            lines: Vec::new(),
            alarm: None,
        };
    }
    let mut reading = Reading {
        held,
        last: held.last.clone(),
        lines: Vec::new(),
        faults: Vec::new(),
        overlap: None,
    };
    for (at, line) in upload.lines.iter().enumerate() {
        match placed(line) {
            Ok((link, prev)) => reading.line(link, &prev),
            Err(kind) => reading.bad(at + 1, kind),
        }
    }
    reading.compare(kept);
    reading.head(upload);
    AcceptedBatch {
        held: AcceptedHead {
            last: reading.last,
            head_seq: upload.head_seq,
            dropped_seq: held.dropped_seq,
        },
        lines: reading.lines,
        alarm: alarm(&reading.faults),
    }
}

/// One text of bounded length, however many faults a batch has.
fn alarm(faults: &[String]) -> Option<String> {
    if faults.is_empty() {
        return None;
    }
    let told = faults[..faults.len().min(TOLD)].join("; ");
    Some(match faults.len().saturating_sub(TOLD) {
        0 => told,
        1 => format!("{told}; and 1 fault more"),
        more => format!("{told}; and {more} faults more"),
    })
}

/// Whether the agent goes on after a record that is not held.
const fn is_ahead(held: &AcceptedHead, upload: &Upload) -> bool {
    upload.after_seq > held.last.seq
}

/// A batch being read.
struct Reading<'a> {
    held: &'a AcceptedHead,
    /// The last record taken.
    last: KnownEntry,
    lines: Vec<String>,
    faults: Vec<String>,
    /// The last record that is held already: its chain speaks for those before it.
    overlap: Option<KnownEntry>,
}

impl Reading<'_> {
    fn line(&mut self, link: ChainEntry, prev: &str) {
        if link.seq <= self.held.last.seq && self.lines.is_empty() {
            return self.again(link, prev);
        }
        if link.seq <= self.last.seq {
            self.faults.push(format!(
                "record {} stands after record {}",
                link.seq, self.last.seq
            ));
            return;
        }
        let expected = self.last.seq + 1;
        if link.seq > expected {
            self.faults.push(if link.seq - 1 == expected {
                format!("record {expected} is missing")
            } else {
                format!("records {expected} to {} are missing", link.seq - 1)
            });
        } else if prev != self.last.hash {
            self.faults.push(format!(
                "record {} does not follow from record {}: the log was written anew",
                link.seq, self.last.seq
            ));
        }
        self.last = KnownEntry {
            seq: link.seq,
            hash: link.hash,
        };
        self.lines.push(link.line);
    }

    /// A record that is held already.
    fn again(&mut self, link: ChainEntry, prev: &str) {
        if let Some(before) = &self.overlap
            && (before.seq + 1 != link.seq || before.hash != prev)
        {
            self.faults.push(format!(
                "record {} does not follow from record {}",
                link.seq, before.seq
            ));
        }
        self.overlap = Some(KnownEntry {
            seq: link.seq,
            hash: link.hash,
        });
    }

    /// A line that is no record is left out, as if it were missing: so the next one tells the gap.
    fn bad(&mut self, at: usize, kind: FaultKind) {
        self.faults.push(match kind {
            FaultKind::Changed => {
                format!("line {at} of the batch was changed after it was written")
            }
            _ => format!("line {at} of the batch is not a record"),
        });
    }

    fn compare(&mut self, kept: Option<&str>) {
        let Some(again) = &self.overlap else {
            return;
        };
        let same = if again.seq == self.held.last.seq {
            again.hash == self.held.last.hash
        } else {
            // By its hash: a line may be told whole once and withheld another time.
            let kept = kept.and_then(|line| placed(line).ok());
            kept.is_some_and(|(link, _)| (link.seq, &link.hash) == (again.seq, &again.hash))
        };
        if again.seq < self.held.last.seq && !self.lines.is_empty() {
            self.faults.push(format!(
                "records {} to {} are left out of the batch",
                again.seq + 1,
                self.held.last.seq
            ));
        }
        // Of one that was dropped by age nothing is known any more.
        if !same && again.seq > self.held.dropped_seq {
            // One that is not held at all lies in an old gap: it came too late to be proven.
            self.faults.push(format!(
                "record {} is not the one that is held: the log was written anew",
                again.seq
            ));
        }
    }

    fn head(&mut self, upload: &Upload) {
        let known = self.held.last.seq.max(self.held.head_seq);
        if upload.head_seq < self.last.seq && !self.lines.is_empty() {
            self.faults.push(format!(
                "the log's head is told as {}, and its record {} was sent",
                upload.head_seq, self.last.seq
            ));
        } else if upload.head_seq < known && upload.head_seq != self.held.head_seq {
            // Told again and again it is one alarm.
            self.faults.push(format!(
                "the log ends at record {}, and record {known} had been written",
                upload.head_seq
            ));
        } else if upload.head_seq == self.last.seq
            && upload.head_seq > 0
            && upload.head_hash != self.last.hash
        {
            self.faults.push(format!(
                "record {} has another hash at the head of the log: the log was written anew",
                upload.head_seq
            ));
        }
    }
}

#[cfg(test)]
mod tests;
