//! The organization's audit log in the database: its running end, and the end of its oldest part.

use super::apply::Undone;
use super::rows::int;
use crate::issuer::store::StoreFault;
use crate::model::audit::{AuditEvent, AuditRecord};
use crate::model::name::OrgName;
use crate::rules::record::{self, GENESIS, Known};
use crate::rules::retention;
use rusqlite::{Connection, OptionalExtension, params};

/// Entries dropped in one transaction: others write in between.
const CHUNK: i64 = 2_000;

/// The last entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) seq: u64,
    pub(super) hash: String,
}

impl Head {
    /// Goes on from the last entry that is there. One that is not as it was written stops everything:
    /// what follows it could not be proven.
    pub(super) fn load(database: &Connection) -> Result<Self, Undone> {
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
            Undone::Told(StoreFault::Unavailable(
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
    ) -> Result<(), Undone> {
        let link = record::chain(self.seq + 1, &self.hash, entry)
            .map_err(|words| Undone::Told(StoreFault::Unavailable(words)))?;
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

/// What a prune will drop.
pub(super) struct Cut {
    /// Number of entries.
    pub(super) count: u64,
}

/// Decides what is dropped and writes the entry that says so: the entries before the first one that is
/// not older than `before_ms`. Nothing is deleted yet.
pub(super) fn begin_prune(
    database: &Connection,
    head: &mut Head,
    org: &OrgName,
    before_ms: u64,
    at_ms: u64,
) -> Result<Option<Cut>, Undone> {
    let first: Option<i64> =
        database.query_row("SELECT min(seq) FROM audit", [], |row| row.get(0))?;
    let kept: Option<i64> = database.query_row(
        "SELECT min(seq) FROM audit WHERE at_ms >= ?1",
        [int(before_ms)],
        |row| row.get(0),
    )?;
    let last = kept.map_or_else(|| int(head.seq), |kept| kept - 1);
    let Some(first) = first.filter(|first| *first <= last) else {
        return Ok(None);
    };
    let text: String =
        database.query_row("SELECT line FROM audit WHERE seq = ?1", [last], |row| {
            row.get(0)
        })?;
    let link = record::link(&text).map_err(|_| {
        Undone::Told(StoreFault::Unavailable(format!(
            "entry {last} of the audit log is not as it was written, so nothing is dropped: run `oam-issuer audit verify`"
        )))
    })?;
    let mut entry = AuditRecord::new(AuditEvent::Retention, org.clone(), at_ms);
    entry.detail = Some(retention::words(&Known {
        seq: link.seq,
        hash: link.hash,
    }));
    head.append(database, &entry)?;
    database.execute(
        "INSERT OR REPLACE INTO meta (name, value) VALUES ('audit_pruned', ?1)",
        [last.to_string()],
    )?;
    Ok(Some(Cut {
        count: u64::try_from(last - first + 1).unwrap_or(0),
    }))
}

/// Deletes some of what was decided to be dropped; tells whether there is more. Also goes on with what a
/// process that was killed left.
pub(super) fn go_on_pruning(database: &Connection) -> rusqlite::Result<bool> {
    let upto: Option<i64> = database
        .prepare_cached("SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'audit_pruned'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    let first: Option<i64> = database
        .prepare_cached("SELECT min(seq) FROM audit")?
        .query_row([], |row| row.get(0))?;
    let (Some(upto), Some(first)) = (upto, first) else {
        return Ok(false);
    };
    if first > upto {
        return Ok(false);
    }
    let to = upto.min(first + CHUNK - 1);
    database
        .prepare_cached("DELETE FROM audit WHERE seq <= ?1")?
        .execute([to])?;
    Ok(to < upto)
}
