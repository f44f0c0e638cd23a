//! The agents' logs as far as they are held, and how much of them is taken a day.

use crate::model::claimant::ClaimantKey;
use crate::rules::record::Known;

/// Records of one person's agents on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordQuota {
    /// Whose.
    pub key: ClaimantKey,
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
    pub key: ClaimantKey,
    /// Name of the log.
    pub log: String,
    /// Number of the last record held.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
    /// Number of the log's head as last told.
    pub head_seq: u64,
    /// Unix milliseconds.
    pub at_ms: u64,
    /// The last record that was dropped by age; number 0: none was. The store's own: not written by
    /// [`super::Change::AgentLog`].
    pub dropped: Known,
}
