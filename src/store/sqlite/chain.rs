//! The organization's audit log in the database: its running end.

use super::apply::ApplyError;
use super::rows::int;
use crate::StoreFault;
use oam_audit::record::{self, GENESIS};
use oam_model::audit::AuditRecord;
use rusqlite::{Connection, OptionalExtension, params};

/// The last entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChainHead {
    pub(super) seq: u64,
    pub(super) hash: String,
}

impl ChainHead {
    /// Goes on from the last entry that is there. One that is not as it was written stops everything:
    /// what follows it could not be proven.
    pub(super) fn load(database: &Connection) -> Result<Self, ApplyError> {
        let last: Option<String> = database
            .prepare_cached("SELECT line FROM audit ORDER BY seq DESC LIMIT 1")?
            .query_row([], |row| row.get(0))
            .optional()?;
        let Some(text) = last else {
            return Ok(Self {
                seq: 0,
                hash: GENESIS.to_owned(),
            });
        };
        let link = record::link(&text).map_err(|_| {
            ApplyError::Told(StoreFault::Unavailable(
                "the last entry of the audit log is not as it was written, so nothing is granted: run `oam-issuer audit verify`, then put the last backup in place".to_owned(),
            ))
        })?;
        Ok(Self {
            seq: link.seq,
            hash: link.hash,
        })
    }

    /// Writes one entry after the last one.
    pub(super) fn append(
        &mut self,
        database: &Connection,
        entry: &AuditRecord,
    ) -> Result<(), ApplyError> {
        let link = record::chain(self.seq + 1, &self.hash, entry)
            .map_err(|words| ApplyError::Told(StoreFault::Unavailable(words)))?;
        database
            .prepare_cached("INSERT INTO audit (seq, at_ms, line) VALUES (?1, ?2, ?3)")?
            .execute(params![int(link.seq), int(entry.at_ms), link.line])?;
        if let (Some(person), Some(name)) = (&entry.person, &entry.name) {
            database
                .prepare_cached("INSERT OR IGNORE INTO names (name, person) VALUES (?1, ?2)")?
                .execute((name, person))?;
        }
        (self.seq, self.hash) = (link.seq, link.hash);
        Ok(())
    }
}
