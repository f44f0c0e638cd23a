//! Dropping by age: the beginning of the audit log, and the beginnings of the agents' logs. First it is put
//! on record what goes and from which hashes the chains go on, then it is deleted piece by piece.

use super::apply::ApplyError;
use super::chain::ChainHead;
use super::rows::{int, key, number};
use crate::{Pruned, StoreFault};
use oam_audit::record::{self, KnownEntry};
use oam_audit::retention::{self, DroppedRecords, Marks};
use oam_model::audit::AuditRecord;
use oam_model::name::OrgName;
use rusqlite::{Connection, OptionalExtension, Result, params};

/// Rows dropped in one transaction: others write in between.
const CHUNK: i64 = 2_000;

/// Where it is noted up to which number rows are to be deleted, and which rows those are.
const PARTS: [(&str, &str, &str); 2] = [
    (
        "audit_pruned",
        "SELECT min(seq) FROM audit",
        "DELETE FROM audit WHERE seq <= ?1",
    ),
    (
        "records_pruned",
        "SELECT min(arrival) FROM agent_records",
        "DELETE FROM agent_records WHERE arrival <= ?1",
    ),
];

/// Decides what is dropped and writes the entries that say so: what comes before the first entry, and the
/// first arrival, that is not older than `before_ms`. Nothing is deleted yet.
pub(super) fn begin(
    database: &Connection,
    head: &mut ChainHead,
    org: &OrgName,
    before_ms: u64,
    at_ms: u64,
) -> std::result::Result<Pruned, ApplyError> {
    let say = |head: &mut ChainHead, entry: AuditRecord| head.append(database, &entry);
    let audit = audit(database, head, before_ms)?;
    let records = records(database, before_ms)?;
    if let Some((last, _)) = &audit {
        say(head, retention::entries_dropped(org.clone(), at_ms, last))?;
        note(database, "audit_pruned", int(last.seq))?;
    }
    if let Some((arrival, _)) = records {
        mark(database, arrival)?;
        note(database, "records_pruned", arrival)?;
    }
    // Said anew with every prune: the entry that said it the last time may be among what is dropped now.
    if (audit.is_some() || records.is_some())
        && let Some(dropped) = marks(database)?
    {
        say(
            head,
            retention::records_dropped(org.clone(), at_ms, &dropped),
        )?;
    }
    Ok(Pruned {
        entries: audit.map_or(0, |(_, count)| count),
        records: records.map_or(0, |(_, count)| count),
    })
}

fn note(database: &Connection, name: &str, upto: i64) -> Result<usize> {
    database.execute(
        "INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)",
        params![name, upto.to_string()],
    )
}

/// The last audit entry that goes, and how many go.
fn audit(
    database: &Connection,
    head: &ChainHead,
    before_ms: u64,
) -> std::result::Result<Option<(KnownEntry, u64)>, ApplyError> {
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
        ApplyError::Told(StoreFault::Unavailable(format!(
            "entry {last} of the audit log is not as it was written, so nothing is dropped: run `oam-issuer audit verify`"
        )))
    })?;
    let known = KnownEntry {
        seq: link.seq,
        hash: link.hash,
    };
    Ok(Some((known, u64::try_from(last - first + 1).unwrap_or(0))))
}

/// The last arrival that goes, and how many go.
fn records(database: &Connection, before_ms: u64) -> Result<Option<(i64, u64)>> {
    let kept: Option<i64> = database.query_row(
        "SELECT min(arrival) FROM agent_records WHERE arrived_at_ms >= ?1",
        [int(before_ms)],
        |row| row.get(0),
    )?;
    database.query_row(
        "SELECT max(arrival), count(*) FROM agent_records WHERE arrival < ?1",
        [kept.unwrap_or(i64::MAX)],
        |row| {
            let last: Option<i64> = row.get(0)?;
            let count = number(row, 1)?;
            Ok(last.map(|last| (last, count)))
        },
    )
}

/// Notes with each log from where it goes on.
fn mark(database: &Connection, arrival: i64) -> std::result::Result<(), ApplyError> {
    // The line beside `max` is that of the largest number.
    let mut statement = database.prepare(
        "SELECT log, max(seq), line FROM agent_records WHERE arrival <= ?1 GROUP BY log",
    )?;
    let mut rows = statement.query([arrival])?;
    while let Some(row) = rows.next()? {
        let log: i64 = row.get(0)?;
        let seq = number(row, 1)?;
        let (link, _) = record::placed(&row.get::<_, String>(2)?).map_err(|_| {
            ApplyError::Told(StoreFault::Unavailable(format!(
                "record {seq} of an agent's log is not as it was written, so nothing is dropped: run `oam-issuer audit verify`"
            )))
        })?;
        database
            .prepare_cached(
                "UPDATE agent_logs SET dropped_seq = ?2, dropped_hash = ?3 WHERE id = ?1",
            )?
            .execute(params![log, int(link.seq), link.hash])?;
    }
    Ok(())
}

/// What is said of all logs of which something was dropped; none: of no log.
fn marks(database: &Connection) -> Result<Option<DroppedRecords>> {
    let mut marks = Marks::default();
    let mut statement = database.prepare(
        "SELECT source, key, log, dropped_seq, dropped_hash FROM agent_logs
         WHERE dropped_seq > 0 ORDER BY source, key, log",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let dropped = KnownEntry {
            seq: number(row, 3)?,
            hash: row.get(4)?,
        };
        marks.add(&key(row, 0)?, &row.get::<_, String>(2)?, &dropped);
    }
    Ok(marks.finish())
}

/// Deletes some of what was decided to be dropped; tells whether there is more. Also goes on with what a
/// process that was killed left.
pub(super) fn go_on(database: &Connection) -> Result<bool> {
    let mut more = false;
    for (noted, first, delete) in PARTS {
        let upto: Option<i64> = database
            .prepare_cached("SELECT CAST(value AS INTEGER) FROM meta WHERE name = ?1")?
            .query_row([noted], |row| row.get(0))
            .optional()?;
        let first: Option<i64> = database
            .prepare_cached(first)?
            .query_row([], |row| row.get(0))?;
        let (Some(upto), Some(first)) = (upto, first) else {
            continue;
        };
        if first > upto {
            continue;
        }
        let to = upto.min(first + CHUNK - 1);
        database.prepare_cached(delete)?.execute([to])?;
        more |= to < upto;
    }
    Ok(more)
}
