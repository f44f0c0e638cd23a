//! The agents' logs as far as they are held, and how much of them is taken a day. The decisions are pure, for
//! every store.

use super::StoreFault;
use oam_audit::record::{self, KnownEntry};
use oam_model::principal::PrincipalKey;

/// Records of one person's agents on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordQuota {
    /// Whose.
    pub key: PrincipalKey,
    /// Days since the Unix epoch. Another day than the one that is kept begins anew, also an earlier one.
    pub day: u64,
    /// Records of this batch.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Most of a day.
    pub most_records: u64,
    /// Most of a day.
    pub most_bytes: u64,
}

/// Up to where an agent's log is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentLogRow {
    /// Whose.
    pub key: PrincipalKey,
    /// Name of the log.
    pub log: String,
    /// Number of the last record held.
    pub seq: u64,
    pub hash: String,
    /// Number of the log's head as last told.
    pub head_seq: u64,
    /// Unix milliseconds.
    pub at_ms: u64,
    /// The last record that was dropped by age; number 0: none was. The store's own: not written by
    /// [`super::StoreChange::AgentLog`].
    pub dropped: KnownEntry,
}

/// What was taken of somebody on the last day on which anything was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct DayUse {
    /// Days since the Unix epoch.
    pub(super) day: u64,
    pub(super) records: u64,
    /// Their bytes.
    pub(super) bytes: u64,
}

impl RecordQuota {
    /// The use with this batch, when the day's share holds it.
    pub(super) fn counted(&self, kept: Option<DayUse>) -> Result<DayUse, StoreFault> {
        let kept = kept.filter(|kept| kept.day == self.day).unwrap_or_default();
        let counted = DayUse {
            day: self.day,
            records: kept.records.saturating_add(self.records),
            bytes: kept.bytes.saturating_add(self.bytes),
        };
        if counted.records > self.most_records || counted.bytes > self.most_bytes {
            return Err(StoreFault::Exhausted);
        }
        Ok(counted)
    }
}

impl AgentLogRow {
    /// The numbers of the lines of a batch, when they go on from what is held up to `held`.
    pub(super) fn numbers(&self, held: u64, lines: &[String]) -> Result<Vec<u64>, StoreFault> {
        let mut numbers = Vec::with_capacity(lines.len());
        for line in lines {
            // A line that is withheld has its place in the chain too.
            let (link, _) = record::placed(line)
                .map_err(|_| StoreFault::Invalid("a line of it is not a record"))?;
            numbers.push(link.seq);
        }
        let largest = numbers.iter().copied().max().unwrap_or(0);
        if largest.max(self.seq).max(self.head_seq) > MOST {
            return Err(StoreFault::Invalid("its number is too large"));
        }
        if held > self.seq || numbers.iter().any(|seq| *seq <= held) {
            return Err(StoreFault::Overtaken);
        }
        if !numbers.is_sorted_by(|one, next| one < next) {
            return Err(StoreFault::Invalid("its lines are not in their order"));
        }
        Ok(numbers)
    }
}

/// A number that is a place in a log: one beyond a database's range would be another place than it says.
const MOST: u64 = i64::MAX.unsigned_abs();
